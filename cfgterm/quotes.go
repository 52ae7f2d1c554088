package cfgterm

import (
	"fmt"
	"strings"

	"meerkat/cfgterm/diag"
)

// A forgotten quote turns the text between all later quotes inside out; Erlang
// stumbles over something far away, usually the last quote of the file. The
// functions here find the line that has an odd number of quotes, and check the
// guess: with the quote put in, the term must read.

// openQuote is a quote that is not closed on its own line.
type openQuote struct {
	at     int  // the quote
	q      byte // " or '
	within bool // it stands in a word: don't
	end    int  // of the line
}

// oddLine reads one line as if it started outside of quotes, and returns the
// quote that is still open at its end.
func oddLine(s string, from int) (o openQuote, odd bool) {
	end := len(s)
	if n := strings.IndexByte(s[from:], '\n'); n >= 0 {
		end = from + n
	}
	suspect := openQuote{at: -1}
	for i := from; i < end; {
		switch c := s[i]; c {
		case '%':
			i = end
		case '$':
			i += 2
			if i-1 < end && s[i-1] == '\\' {
				i++
			}
		case '"', '\'':
			open := i
			word := i > from && isWordByte(s[i-1])
			for i++; i < end && s[i] != c; i++ {
				if s[i] == '\\' {
					i++
				}
			}
			if i >= end {
				o = openQuote{at: open, q: c, within: word, end: end}
				if suspect.at >= 0 && suspect.q == c {
					o = suspect
				}
				return o, true
			}
			i++
			// "abc, "def": the text after a closing quote cannot be a word.
			if i < end && isWordByte(s[i]) && suspect.at < 0 {
				suspect = openQuote{at: open, q: c, within: word, end: end}
			}
		default:
			i++
		}
	}
	return o, false
}

func isWordByte(c byte) bool { return c < 0x80 && class[c] >= cLower && class[c] <= cAt }

// lineStart returns the start of the line that holds an offset.
func lineStart(s string, off int) int { return strings.LastIndexByte(s[:off], '\n') + 1 }

// unclosed looks for the quote that was never closed, in the lines between two
// offsets. where is the place at which to write the closing quote, -1 if that is
// not clear.
func (r *reader) unclosed(start place, from, to int) (o openQuote, where int, ok bool) {
	s := r.s
	tries := 0
	for at := lineStart(s, from); at <= to && at < len(s); {
		q, odd := oddLine(s, at)
		if odd && q.at >= from {
			if !ok {
				o, where, ok = q, -1, true
			}
			if tries++; tries > 20 {
				break
			}
			if w := r.tryClose(start, q); w >= 0 {
				return q, w, true
			}
		}
		n := strings.IndexByte(s[at:], '\n')
		if n < 0 {
			break
		}
		at += n + 1
	}
	return o, where, ok
}

// tryClose writes a closing quote at the likely places of the line of an open
// one, and returns the first with which the term reads; -1 if there is none.
func (r *reader) tryClose(start place, o openQuote) int {
	s := r.s
	line := strings.TrimRight(s[o.at:o.end], " \t\r")
	if n := strings.LastIndex(line, "%"); n > 0 && !strings.ContainsAny(line[n:], `"'`) {
		if t := strings.TrimRight(line[:n], " \t"); t != "" && strings.IndexByte("]}),.", t[len(t)-1]) >= 0 {
			line = t
		}
	}
	var at []int
	if i := strings.IndexAny(line[1:], `,"`); i > 0 && i+1 < len(line) {
		at = append(at, o.at+1+i) // "abc, "def": before the comma
	}
	end := len(line)
	for end > 1 && strings.IndexByte("]}),. \t", line[end-1]) >= 0 {
		end--
	}
	at = append(at, o.at+end)
	for _, i := range at {
		if i-start.pos > 256<<10 {
			break
		}
		// Read no further than the next terms: the rest is not at issue.
		limit := min(len(s), i+64<<10)
		p := parser{}
		p.s = s[start.pos:i] + string(o.q) + s[i:limit]
		p.end = len(p.s)
		p.latin1, p.loose, p.lim = r.latin1, r.loose, r.lim
		p.lint = func(oddity, int, int) {}
		p.line = 1
		p.insertAt = -1
		p.lex()
		if t := p.term(); t != nil && p.tok.kind == kDot {
			return i
		}
	}
	return -1
}

// quoteFault is the fault of a quote that was never closed. named is the offset
// that Erlang's message is about.
func (r *reader) quoteFault(o openQuote, where, named int) fault {
	var f fault
	f.Code = codeQuote
	f.Span = r.span(o.at, o.at+1)
	kind, text := "string", "text"
	if o.q == '\'' {
		kind, text = "quoted atom", "name"
	}
	f.Summary = fmt.Sprintf("the %s that opens here is never closed", kind)
	switch {
	case where >= 0:
		f.Help = fmt.Sprintf("write %c at %s", o.q, r.where(where))
		f.fixes = []Fix{{where, where, string(o.q)}}
	case o.within:
		f.Summary = "this apostrophe opens a quoted atom that is never closed"
		f.Help = "put text that holds an apostrophe in double quotes: \"don't\""
	default:
		f.Help = fmt.Sprintf("write %c where the %s ends; a %c within it is written \\%c", o.q, text, o.q, o.q)
	}
	if line, _ := r.f.Position(named); line != f.Span.Line {
		f.Related = append(f.Related, diag.Related{Span: r.span(named, named+1), Text: "Erlang takes this for the start of what is wrong"})
	}
	f.remedy = giveUp
	f.from = o.at
	return f
}

// swallowed reports whether one of the tokens up to the one at fault is a quoted
// text over several lines that looks as if it ran over the end of another.
func (r *reader) swallowed(toks []token, i int, start place) (f fault, ok bool) {
	tries := 0
	for j := min(i, len(toks)-1); j >= 0 && j >= i-40 && tries < 3; j-- {
		t := &toks[j]
		if t.kind != kString && t.kind != kAtom || strings.IndexByte(r.s[t.start:t.end], '\n') < 0 {
			continue
		}
		q := r.s[t.start]
		if q != '"' && q != '\'' {
			continue
		}
		tries++
		o, where, odd := r.unclosed(start, toks[0].start, t.start)
		if !odd {
			continue
		}
		named := toks[len(toks)-1].start
		if i < len(toks) {
			named = toks[i].start
		}
		return r.quoteFault(o, where, named), true
	}
	return f, false
}
