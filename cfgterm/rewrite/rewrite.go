// Package rewrite changes single terms of a file and leaves the rest as it is,
// byte for byte: comments, blanks and line ends, and the layout of all terms
// that are not touched.
//
//	f, diags := cfgterm.Parse("ejabberd.cfg", src)
//	e, err := rewrite.New(f)
//	...
//	e.Replace(loglevel, &cfgterm.Int{N: 4})
//	e.Insert(modules, 0, mod)
//	out, err := e.Bytes()
//
// The terms that are named must be those of the file; new ones may come from
// anywhere. Terms are looked up by their place, so each may be changed once.
// What comes out reads as the changed terms; comments within a term that is
// replaced or removed go with it, all others stay.
//
// It imports cfgterm.
package rewrite

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"meerkat/cfgterm"
)

// Errors of an Editor.
var (
	// ErrFaulty: the file has errors, so that it is not clear what it says.
	ErrFaulty = errors.New("the file has syntax errors")
	// ErrForeign: the term does not stand in the file.
	ErrForeign = errors.New("the term is not one of the file")
	// ErrShape: the elements of this term cannot be changed one by one: it is
	// no list or tuple, or a list with a tail such as [a | [b, c]].
	ErrShape = errors.New("its elements cannot be changed one by one")
	// ErrConflict: two changes concern the same bytes.
	ErrConflict = errors.New("two changes concern the same term")
)

// An Editor gathers changes of one file. It is for one goroutine.
type Editor struct {
	f        *cfgterm.File
	replaced []change
	parents  []*parent
	byStart  map[int]*parent
	top      *parent
}

// change is one replacement of bytes. A change with start == end inserts.
type change struct {
	start, end int
	text       string
	line       bool // a deletion that may take the rest of its line along
}

// parent is a list or tuple, or the file itself, whose elements change.
type parent struct {
	elems   []element
	open    int // offset behind the opening bracket
	removed []bool
	inserts [][]cfgterm.Term // before element i; the last are behind all
	file    bool
}

// element is the place of one element: parentheses around it belong to it.
type element struct {
	start, end int
	sep        int // the comma behind it, or the final dot of a top-level term; -1 if none
}

// New returns an Editor of f.
func New(f *cfgterm.File) (*Editor, error) {
	if f.Erlang != "" {
		return nil, fmt.Errorf("edit %s: %w", f.Name, ErrFaulty)
	}
	e := &Editor{f: f, byStart: map[int]*parent{}}
	e.top = &parent{file: true}
	for i, t := range f.Terms {
		to := len(f.Src)
		if i+1 < len(f.Terms) {
			to = f.Terms[i+1].Span().Start
		}
		el := element{start: t.Span().Start, end: t.Span().End, sep: -1}
		for _, m := range e.marks(el.end, to) {
			switch m.c {
			case ')':
				el.end = m.at + 1
			case '.':
				el.sep = m.at
			}
			if m.c == '.' {
				break
			}
		}
		from := 0
		if i > 0 {
			from = e.top.elems[i-1].sep + 1
		}
		for _, m := range e.marks(from, el.start) {
			if m.c == '(' {
				el.start = m.at
				break
			}
		}
		if el.sep < 0 {
			return nil, fmt.Errorf("edit %s: term without a dot: %w", f.Name, ErrFaulty)
		}
		e.top.elems = append(e.top.elems, el)
	}
	e.top.reset()
	return e, nil
}

func (p *parent) reset() {
	p.removed = make([]bool, len(p.elems))
	p.inserts = make([][]cfgterm.Term, len(p.elems)+1)
}

// mark is a character between terms that is neither blank nor comment.
type mark struct {
	at int
	c  byte
}

// marks returns the characters from a to b that are neither blank nor comment.
func (e *Editor) marks(a, b int) (out []mark) {
	s := e.f.Src
	for i := a; i < b; i++ {
		switch c := s[i]; {
		case c == '%':
			for i < b && s[i] != '\n' {
				i++
			}
		case c <= ' ' || c >= 0x80: // beyond ASCII only blanks can stand between terms
		default:
			out = append(out, mark{i, c})
		}
	}
	return out
}

// check returns the span of a term of the file.
func (e *Editor) check(t cfgterm.Term) (start, end int, err error) {
	if t == nil {
		return 0, 0, ErrForeign
	}
	at := t.Span()
	if at.End <= at.Start || at.End > len(e.f.Src) || at.File != e.f.Name {
		return 0, 0, fmt.Errorf("%s: %w", at, ErrForeign)
	}
	return at.Start, at.End, nil
}

// Replace writes t in the place of old, which may stand at any depth.
func (e *Editor) Replace(old, t cfgterm.Term) error {
	start, end, err := e.check(old)
	if err != nil {
		return fmt.Errorf("replace term: %w", err)
	}
	e.replaced = append(e.replaced, change{start: start, end: end, text: e.format(t, e.column(start))})
	return nil
}

// InsertTerm adds a top-level term before the one with index i; i may be the
// number of terms, to add it at the end.
func (e *Editor) InsertTerm(i int, t cfgterm.Term) error {
	if i < 0 || i >= len(e.top.inserts) {
		return fmt.Errorf("insert term %d of %d: %w", i, len(e.top.elems), ErrForeign)
	}
	e.top.inserts[i] = append(e.top.inserts[i], t)
	return nil
}

// RemoveTerm removes the top-level term with index i and its dot. Comments
// around it stay.
func (e *Editor) RemoveTerm(i int) error {
	if i < 0 || i >= len(e.top.elems) {
		return fmt.Errorf("remove term %d of %d: %w", i, len(e.top.elems), ErrForeign)
	}
	e.top.removed[i] = true
	return nil
}

// Insert adds t to a list or tuple of the file, before its element i; i may be
// the number of elements, to add it at the end. Several terms for the same place
// keep their order. Indices are those of the file as it was parsed.
func (e *Editor) Insert(in cfgterm.Term, i int, t cfgterm.Term) error {
	p, err := e.parent(in)
	if err == nil && (i < 0 || i >= len(p.inserts)) {
		err = ErrForeign
	}
	if err != nil {
		return fmt.Errorf("insert element %d: %w", i, err)
	}
	p.inserts[i] = append(p.inserts[i], t)
	return nil
}

// Remove takes element i out of a list or tuple of the file, and its comma.
func (e *Editor) Remove(in cfgterm.Term, i int) error {
	p, err := e.parent(in)
	if err == nil && (i < 0 || i >= len(p.elems)) {
		err = ErrForeign
	}
	if err != nil {
		return fmt.Errorf("remove element %d: %w", i, err)
	}
	p.removed[i] = true
	return nil
}

// parent returns the record of a list or tuple.
func (e *Editor) parent(t cfgterm.Term) (*parent, error) {
	start, end, err := e.check(t)
	if err != nil {
		return nil, err
	}
	if p, ok := e.byStart[start]; ok {
		return p, nil
	}
	var elems []cfgterm.Term
	switch t := t.(type) {
	case *cfgterm.List:
		if t.Tail != nil {
			return nil, fmt.Errorf("%s: %w", t.Span(), ErrShape)
		}
		elems = t.Elems
	case *cfgterm.Tuple:
		elems = t.Elems
	default:
		return nil, fmt.Errorf("%s: %w", t.Span(), ErrShape)
	}
	p := &parent{open: start + 1}
	at := start + 1
	for i, x := range elems {
		s := x.Span()
		if s.Start < at || s.End > end {
			return nil, fmt.Errorf("%s: %w", t.Span(), ErrShape)
		}
		el := element{start: s.Start, end: s.End, sep: -1}
		first := true
		for _, m := range e.marks(at, s.Start) {
			switch {
			case m.c == '(' && first:
				el.start, first = m.at, false
			case m.c == '(':
			case m.c == ')' && i > 0 && p.elems[i-1].sep < 0:
				p.elems[i-1].end = m.at + 1
			case m.c == ',' && i > 0 && p.elems[i-1].sep < 0:
				p.elems[i-1].sep = m.at
			default: // the bar of a list that was joined
				return nil, fmt.Errorf("%s: %w", t.Span(), ErrShape)
			}
		}
		p.elems = append(p.elems, el)
		at = s.End
	}
	for _, m := range e.marks(at, end-1) {
		if m.c != ')' || len(elems) == 0 {
			return nil, fmt.Errorf("%s: %w", t.Span(), ErrShape)
		}
		p.elems[len(elems)-1].end = m.at + 1
	}
	p.reset()
	e.byStart[start] = p
	e.parents = append(e.parents, p)
	return p, nil
}

// column returns how many characters stand before an offset on its line.
func (e *Editor) column(off int) int {
	_, col := e.f.Position(off)
	return col - 1
}

// format writes a new term. Files in Latin-1 get escapes for what is not ASCII.
func (e *Editor) format(t cfgterm.Term, indent int) string {
	if e.f.Latin1() {
		return string(cfgterm.AppendPrettyASCII(nil, t, indent))
	}
	return string(cfgterm.AppendPretty(nil, t, indent))
}

// lineStart returns the start of the line of an offset.
func (e *Editor) lineStart(off int) int {
	for off > 0 && e.f.Src[off-1] != '\n' {
		off--
	}
	return off
}

// leads reports whether only blanks stand before an offset on its line.
func (e *Editor) leads(off int) bool {
	return strings.TrimLeft(string(e.f.Src[e.lineStart(off):off]), " \t") == ""
}

// rest returns the end of the line of an offset, without its line end, and
// whether only blanks and a comment stand between.
func (e *Editor) rest(off int) (end int, free bool) {
	s := e.f.Src
	end = off
	for end < len(s) && s[end] != '\n' {
		end++
	}
	text := strings.TrimLeft(string(s[off:end]), " \t\r")
	if end > off && s[end-1] == '\r' {
		end--
	}
	return end, text == "" || text[0] == '%'
}

// newline returns the line end that the file uses.
func (e *Editor) newline() string {
	for i, c := range e.f.Src {
		if c == '\n' {
			if i > 0 && e.f.Src[i-1] == '\r' {
				return "\r\n"
			}
			break
		}
	}
	return "\n"
}

// lines gives a formatted term the line ends of the file.
func (e *Editor) lines(s string) string {
	if nl := e.newline(); nl != "\n" {
		return strings.ReplaceAll(s, "\n", nl)
	}
	return s
}

// Bytes returns the changed file. The Editor can be used further.
func (e *Editor) Bytes() ([]byte, error) {
	var all []change
	for _, c := range e.replaced {
		c.text = e.lines(c.text)
		all = append(all, c)
	}
	all = append(all, e.topChanges()...)
	for _, p := range e.parents {
		all = append(all, e.elementChanges(p)...)
	}
	// Insertions come before a deletion that starts at the same place.
	slices.SortStableFunc(all, func(a, b change) int {
		if a.start != b.start {
			return a.start - b.start
		}
		return a.end - b.end
	})
	all = e.wholeLines(all)

	src := e.f.Src
	out := make([]byte, 0, len(src)+64)
	at, fixed := 0, 0 // fixed is the end of the last term that was replaced
	for _, c := range all {
		if c.start < at {
			if c.text != "" || !c.line || c.start < fixed {
				return nil, fmt.Errorf("edit %s: %w", e.f.Span(c.start, c.end), ErrConflict)
			}
			if c.end <= at { // deleted already
				continue
			}
			c.start = at
		}
		if c.text != "" && c.start < c.end {
			fixed = c.end
		}
		out = append(out, src[at:c.start]...)
		out = append(out, c.text...)
		at = max(at, c.end)
	}
	return append(out, src[at:]...), nil
}

// wholeLines extends deletions that leave nothing of their lines but blanks to
// the whole lines.
func (e *Editor) wholeLines(all []change) []change {
	src := e.f.Src
	for i := range all {
		c := &all[i]
		if !c.line || c.start == c.end {
			continue
		}
		from := e.lineStart(c.start)
		to := c.end
		for to < len(src) && src[to] != '\n' {
			to++
		}
		empty := true
		for at := from; at < to && empty; {
			if b := src[at]; b == ' ' || b == '\t' || b == '\r' {
				at++
				continue
			}
			empty = false
			for j := range all {
				if d := &all[j]; d.line && d.start <= at && at < d.end {
					at, empty = d.end, true
					break
				}
			}
		}
		// Another change on these lines needs them.
		for j := range all {
			d := &all[j]
			if !d.line && d.start >= from && d.start <= to || d.line && d.text != "" {
				empty = false
			}
		}
		if !empty || from == 0 && to == len(src) {
			continue
		}
		if to < len(src) {
			to++
		} else if from > 0 { // the last line: the line end before it goes
			from--
		}
		c.start, c.end = from, to
	}
	slices.SortStableFunc(all, func(a, b change) int { return a.start - b.start })
	return all
}

// topChanges returns the changes of the top level.
func (e *Editor) topChanges() (out []change) {
	p := e.top
	nl := e.newline()
	for i, el := range p.elems {
		if p.removed[i] {
			if hasComment(e.f.Src[el.end:el.sep]) {
				out = append(out, change{start: el.start, end: el.end, line: true}, change{start: el.sep, end: el.sep + 1, line: true})
			} else {
				out = append(out, change{start: el.start, end: el.sep + 1, line: true})
			}
		}
		text := ""
		for _, t := range p.inserts[i] {
			text += e.lines(e.format(t, 0)) + "." + nl
		}
		if text != "" {
			at := el.start
			if e.leads(at) {
				at = e.lineStart(at)
			}
			out = append(out, change{start: at, end: at, text: text})
		}
	}
	text := ""
	for _, t := range p.inserts[len(p.elems)] {
		text += e.lines(e.format(t, 0)) + "." + nl
	}
	if text != "" {
		if n := len(e.f.Src); n > 0 && e.f.Src[n-1] != '\n' {
			text = nl + text
		}
		out = append(out, change{start: len(e.f.Src), end: len(e.f.Src), text: text})
	}
	return out
}

// elementChanges returns the changes of a list or tuple.
func (e *Editor) elementChanges(p *parent) (out []change) {
	n := len(p.elems)
	lastKept := -1
	for i := range p.elems {
		if !p.removed[i] {
			lastKept = i
		}
	}
	src := e.f.Src
	for i, el := range p.elems {
		if !p.removed[i] {
			continue
		}
		if i < lastKept {
			// The comma behind it goes along, and the blanks up to the next one.
			end := el.sep + 1
			if len(e.marks(el.end, end)) == 1 && !hasComment(src[el.end:end]) {
				for end < len(src) && (src[end] == ' ' || src[end] == '\t') {
					end++
				}
				if end < len(src) && (src[end] == '\n' || src[end] == '\r' || src[end] == '%') {
					end = el.sep + 1
				}
				out = append(out, change{start: el.start, end: end, line: true})
			} else {
				out = append(out, change{start: el.start, end: el.end, line: true}, change{start: el.sep, end: el.sep + 1, line: true})
			}
			continue
		}
		// One of the last: the comma before it goes.
		start := el.start
		if i > 0 && p.elems[i-1].sep >= 0 {
			prev := p.elems[i-1]
			between := src[prev.end:el.start]
			if !hasComment(between) && !strings.Contains(string(between), "\n") {
				start = prev.end
			} else {
				out = append(out, change{start: prev.sep, end: prev.sep + 1, line: true})
			}
		}
		out = append(out, change{start: start, end: el.end, line: true})
	}

	// New elements go before the next one that stays, or behind the last.
	pending := []cfgterm.Term{}
	for i := range n {
		pending = append(pending, p.inserts[i]...)
		if p.removed[i] || len(pending) == 0 {
			continue
		}
		el := p.elems[i]
		indent := e.column(el.start)
		sep := ", "
		if e.leads(el.start) {
			sep = "," + e.newline() + string(src[e.lineStart(el.start):el.start])
		}
		text := ""
		for _, t := range pending {
			text += e.lines(e.format(t, indent)) + sep
		}
		out = append(out, change{start: el.start, end: el.start, text: text})
		pending = pending[:0]
	}
	pending = append(pending, p.inserts[n]...)
	switch {
	case len(pending) == 0:
	case lastKept < 0:
		text := ""
		for i, t := range pending {
			if i > 0 {
				text += ", "
			}
			text += e.lines(e.format(t, e.column(p.open)))
		}
		out = append(out, change{start: p.open, end: p.open, text: text})
	default:
		el := p.elems[lastKept]
		indent := e.column(el.start)
		end, free := e.rest(el.end)
		if lead := e.leads(el.start); lead && free && !e.touched(p, lastKept, el.end, end) {
			// Each on its own line: the comma before a comment, the new ones after it.
			blank := string(src[e.lineStart(el.start):el.start])
			text := ""
			for i, t := range pending {
				if i > 0 {
					text += ","
				}
				text += e.newline() + blank + e.lines(e.format(t, indent))
			}
			if end == el.end {
				out = append(out, change{start: el.end, end: el.end, text: "," + text})
			} else {
				out = append(out, change{start: el.end, end: el.end, text: ","}, change{start: end, end: end, text: text})
			}
			return out
		}
		sep := ", "
		if e.leads(el.start) {
			sep = "," + e.newline() + string(src[e.lineStart(el.start):el.start])
		}
		text := ""
		for _, t := range pending {
			text += sep + e.lines(e.format(t, indent))
		}
		out = append(out, change{start: el.end, end: el.end, text: text})
	}
	return out
}

// touched reports whether something else of the parent changes between two
// offsets behind element i.
func (e *Editor) touched(p *parent, i, from, to int) bool {
	for j := i + 1; j < len(p.elems); j++ {
		if p.removed[j] {
			return true
		}
	}
	return p.elems[i].sep >= from && p.elems[i].sep <= to
}

// hasComment reports whether the bytes between two elements hold a comment.
func hasComment(b []byte) bool { return strings.IndexByte(string(b), '%') >= 0 }
