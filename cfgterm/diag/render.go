package diag

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Printer writes diagnostics as text:
//
//	error[SYN008]: missing comma between two elements
//	   --> ejabberd.cfg:12:18
//	    |
//	 12 |   {mod_disco, []}
//	    |                  ^
//	 13 |   {mod_bosh, []}
//	    |   - the next element starts here
//	    = help: write a comma at 12:18, at the end of line 12
//	    = erlang: 13: syntax error before: '{'
//
// Secrets on the lines it shows, and in the texts of the diagnostics, are
// replaced by asterisks (see Secrets). The zero Printer is ready to use and
// shows no lines.
type Printer struct {
	// Source returns the bytes of a file by the name that spans have, and nil if
	// it is not at hand: then no lines of it are shown.
	Source func(file string) []byte
	// Color adds terminal colours.
	Color bool
	// Width is how many columns of a source line are shown, around what is
	// wrong; 0 means 100.
	Width int

	files map[string]*source
}

// source is a file and what in it is secret.
type source struct {
	text    []byte
	secrets []Range
}

func (p *Printer) source(file string) *source {
	if p.Source == nil {
		return nil
	}
	if s, ok := p.files[file]; ok {
		return s
	}
	var s *source
	if text := p.Source(file); text != nil {
		s = &source{text, Secrets(text)}
	}
	if p.files == nil {
		p.files = map[string]*source{}
	}
	p.files[file] = s
	return s
}

// Colours of the terminal.
const (
	colReset  = "\x1b[0m"
	colBold   = "\x1b[1m"
	colRed    = "\x1b[1;31m"
	colYellow = "\x1b[1;33m"
	colBlue   = "\x1b[1;34m"
)

func (p *Printer) paint(color, text string) string {
	if !p.Color || text == "" {
		return text
	}
	return color + text + colReset
}

func (p *Printer) severityColor(s Severity) string {
	switch s {
	case Error:
		return colRed
	case Warning:
		return colYellow
	}
	return colBlue
}

// Print writes all diagnostics with a blank line after each, and a last line
// that counts them. It writes nothing for an empty list.
func (p *Printer) Print(w io.Writer, l List) error {
	if len(l) == 0 {
		return nil
	}
	for i := range l {
		if err := p.Write(w, &l[i]); err != nil {
			return err
		}
		if _, err := io.WriteString(w, "\n"); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, Summary(l)+"\n")
	return err
}

// Summary counts the diagnostics: "2 errors, 1 warning".
func Summary(l List) string {
	var parts []string
	for _, s := range []Severity{Error, Warning, Info} {
		n := l.Count(s)
		switch {
		case n == 0:
		case n == 1:
			parts = append(parts, "1 "+s.String())
		case s == Info:
			parts = append(parts, strconv.Itoa(n)+" infos")
		default:
			parts = append(parts, strconv.Itoa(n)+" "+s.String()+"s")
		}
	}
	if parts == nil {
		return "no findings"
	}
	return strings.Join(parts, ", ")
}

// shown is a place to be drawn on a source line.
type shown struct {
	span    Span
	text    string
	primary bool
}

// Write writes one diagnostic.
func (p *Printer) Write(w io.Writer, d *Diagnostic) error {
	var b strings.Builder
	src := p.source(d.Span.File)
	color := p.severityColor(d.Severity)
	head := d.Severity.String()
	if d.Code != "" {
		head += "[" + d.Code + "]"
	}
	b.WriteString(p.paint(color, head))
	b.WriteString(p.paint(colBold, ": "+p.text(src, d, d.Summary)))
	b.WriteByte('\n')

	places := []shown{{d.Span, "", true}}
	var elsewhere []shown
	for _, r := range d.Related {
		s := shown{r.Span, p.text(src, d, r.Text), false}
		if r.Span.File == d.Span.File && src != nil && r.Span.Line > 0 {
			places = append(places, s)
		} else {
			elsewhere = append(elsewhere, s)
		}
	}
	gutter := 3
	if src != nil && d.Span.Line > 0 {
		for _, s := range places {
			gutter = max(gutter, len(strconv.Itoa(s.span.Line))+1)
		}
	}
	pad := strings.Repeat(" ", gutter)
	if d.Span.File != "" {
		fmt.Fprintf(&b, "%s%s %s\n", pad, p.paint(colBlue, "-->"), clean(d.Span.String()))
	}
	if src != nil && d.Span.Line > 0 {
		p.draw(&b, src, places, gutter, color)
	}
	for _, s := range elsewhere {
		fmt.Fprintf(&b, "%s %s %s: %s\n", pad, p.paint(colBlue, ":"), clean(s.span.String()), s.text)
	}
	note := func(key, text string) {
		if text == "" {
			return
		}
		for i, line := range strings.Split(p.text(src, d, text), "\n") {
			if i == 0 {
				fmt.Fprintf(&b, "%s %s %s\n", pad, p.paint(colBlue, "="), p.paint(colBold, key+":")+" "+line)
			} else {
				fmt.Fprintf(&b, "%s   %s%s\n", pad, strings.Repeat(" ", len(key)+2), line)
			}
		}
	}
	note("help", d.Help)
	note("erlang", d.Erlang)
	_, err := io.WriteString(w, b.String())
	return err
}

// text makes a text of a diagnostic fit to print.
func (p *Printer) text(src *source, d *Diagnostic, text string) string {
	if src != nil {
		text = src.hide(d, text)
	}
	return cleanLines(text)
}

// clean replaces characters that command the terminal.
func clean(s string) string {
	return strings.Map(visible, s)
}

func cleanLines(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return visible(r)
	}, s)
}

// draw writes the source lines of the places, in their order, with marks below.
func (p *Printer) draw(b *strings.Builder, src *source, places []shown, gutter int, color string) {
	slices.SortStableFunc(places, func(x, y shown) int {
		if x.span.Line != y.span.Line {
			return x.span.Line - y.span.Line
		}
		return x.span.Start - y.span.Start
	})
	bar := p.paint(colBlue, "|")
	pad := strings.Repeat(" ", gutter)
	fmt.Fprintf(b, "%s %s\n", pad, bar)
	last := 0
	for i, s := range places {
		if s.span.Line != last {
			if last != 0 && s.span.Line > last+1 {
				fmt.Fprintf(b, "%s %s\n", pad, p.paint(colBlue, "."))
			}
			last = s.span.Line
			same := []shown{}
			for _, o := range places[i:] {
				if o.span.Line == s.span.Line {
					same = append(same, o)
				}
			}
			p.drawLine(b, src, same, gutter, color, bar)
		}
	}
}

// cell is one character of a shown line.
type cell struct {
	off   int // in the file
	r     rune
	width int
}

// cells returns what to print for the line that holds an offset, and the offset
// of its end.
func (src *source) cells(at int) (out []cell, end int) {
	at = min(at, len(src.text))
	from := at
	for from > 0 && src.text[from-1] != '\n' {
		from--
	}
	end = from
	for end < len(src.text) && src.text[end] != '\n' {
		end++
	}
	if end > from && src.text[end-1] == '\r' {
		end--
	}
	k, _ := slices.BinarySearchFunc(src.secrets, from, func(r Range, off int) int { return r.End - off - 1 })
	col := 0
	for i := from; i < end; {
		r, n := utf8.DecodeRune(src.text[i:end])
		if r == utf8.RuneError && n == 1 { // not UTF-8: as Latin-1
			if c := src.text[i]; c >= 0xA0 {
				r = rune(c)
			}
		}
		c := cell{i, visible(r), runeWidth(r)}
		for k < len(src.secrets) && src.secrets[k].End <= i {
			k++
		}
		switch {
		case k < len(src.secrets) && src.secrets[k].Start <= i:
			c.r = '*'
			for range c.width - 1 {
				out = append(out, cell{i, '*', 1})
			}
			c.width = min(c.width, 1)
			if c.width == 0 {
				c.r = 0
			}
		case r == '\t':
			c.r, c.width = ' ', 1
			for range 8 - col%8 - 1 {
				out = append(out, cell{i, ' ', 1})
				col++
			}
		case c.r != r:
			c.width = 1
		}
		out = append(out, c)
		col += c.width
		i += n
	}
	return out, end
}

// drawLine writes one source line and the marks of the places on it.
func (p *Printer) drawLine(b *strings.Builder, src *source, places []shown, gutter int, color, bar string) {
	cells, end := src.cells(places[0].span.Start)
	// column returns the column of an offset; ends of lines are columns too.
	column := func(off int) int {
		col := 0
		for i := range cells {
			if cells[i].off >= off {
				break
			}
			col += cells[i].width
		}
		if off > end {
			col++
		}
		return col
	}
	total := 0
	for i := range cells {
		total += cells[i].width
	}
	width := p.Width
	if width <= 0 {
		width = 100
	}

	// A long line is cut around what is wrong.
	from, to := 0, total
	if total > width {
		at := places[0]
		for _, s := range places {
			if s.primary {
				at = s
			}
		}
		from = max(0, min(column(at.span.Start)-width/3, total-width))
		to = min(total, from+width)
	}
	line := strings.Builder{}
	if from > 0 {
		line.WriteRune('…')
	}
	col := 0
	for _, c := range cells {
		if col >= from && col+c.width <= to && c.r != 0 && !(from > 0 && col == from) {
			line.WriteRune(c.r)
		} else if from > 0 && col == from && c.width == 2 {
			line.WriteByte(' ')
		}
		col += c.width
	}
	if to < total {
		line.WriteRune('…')
	}
	fmt.Fprintf(b, "%s %s %s\n", p.paint(colBlue, fmt.Sprintf("%*d", gutter, places[0].span.Line)), bar, strings.TrimRight(line.String(), " "))

	pad := strings.Repeat(" ", gutter)
	for _, s := range places {
		start := column(s.span.Start)
		stop := column(min(max(s.span.End, s.span.Start+1), end+1))
		start = max(start, from)
		stop = max(min(stop, to+1), start+1)
		mark, paint := "^", color
		if !s.primary {
			mark, paint = "-", colBlue
		}
		if !s.primary && start >= to && to < total { // beyond the cut
			stop = start + 1
		}
		text := strings.Repeat(mark, stop-start)
		if s.text != "" {
			text += " " + s.text
		}
		fmt.Fprintf(b, "%s %s %s%s\n", pad, bar, strings.Repeat(" ", min(start-from, width+1)), p.paint(paint, text))
	}
}

// hide replaces what is secret in a text about d.
func (src *source) hide(d *Diagnostic, text string) string {
	quote := strings.IndexAny(text, `"'`)
	for _, r := range src.secrets {
		secret := string(src.text[r.Start:min(r.End, len(src.text))])
		first, _, _ := strings.Cut(secret, "\n")
		first = strings.TrimRight(first, "\r")
		if len(first) >= 4 {
			text = replaceWords(text, first, strings.Repeat("*", utf8.RuneCountInString(first)))
		} else if len(first) > 0 {
			for _, q := range []string{`"`, `'`} {
				text = strings.ReplaceAll(text, q+first+q, q+strings.Repeat("*", utf8.RuneCountInString(first))+q)
			}
		}
		if quote < 0 {
			continue
		}
		// Erlang's messages quote texts, cut after 16 characters and with escapes.
		near := r.Start <= d.Span.End+1 && d.Span.Start <= r.End
		for _, o := range d.Related {
			near = near || r.Start <= o.Span.End+1 && o.Span.Start <= r.End
		}
		if i := strings.Index(text, "starting with "); i >= 0 && len(text) > i+16 {
			body := text[i+15 : len(text)-1]
			if near || strings.HasPrefix(first, body) || strings.HasPrefix(body, first) && len(first) > 0 || overlaps(body, first) {
				text = text[:i+15] + strings.Repeat("*", utf8.RuneCountInString(body)) + text[len(text)-1:]
			}
		} else if i := strings.Index(text, `before: "`); i >= 0 && near {
			body := strings.TrimSuffix(text[i+9:], `"`)
			text = text[:i+9] + strings.Repeat("*", utf8.RuneCountInString(body)) + `"`
		}
	}
	return text
}

// replaceWords replaces secret in text where it is not a part of a longer word: a
// password that is "service" is no reason to hide ejabberd_service.
func replaceWords(text, secret, by string) string {
	var b strings.Builder
	at := 0
	for {
		i := strings.Index(text[at:], secret)
		if i < 0 {
			return b.String() + text[at:]
		}
		start, end := at+i, at+i+len(secret)
		b.WriteString(text[at:start])
		if start > 0 && wordByte(text[start-1]) && wordByte(secret[0]) ||
			end < len(text) && wordByte(text[end]) && wordByte(secret[len(secret)-1]) {
			b.WriteString(secret)
		} else {
			b.WriteString(by)
		}
		at = end
	}
}

// overlaps reports whether the two texts share their first eight bytes.
func overlaps(a, b string) bool {
	return len(a) >= 8 && len(b) >= 8 && a[:8] == b[:8]
}
