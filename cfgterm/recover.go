package cfgterm

import (
	"fmt"
	"strings"

	"meerkat/cfgterm/diag"
)

// maxTokens bounds how long a term may be whose fault is looked for. It would
// take a file of megabytes without a single dot to reach it.
const maxTokens = 1 << 20

// maxWork bounds how many tokens are read to find faults, in one file. Each fault
// costs one or two readings of its term; with a file of usual size the bound on
// the number of faults comes first.
const maxWork = 4 << 20

// maxTries bounds at how many lines reading is tried again after a fault.
const maxTries = 200

// remedy says how reading goes on after a fault.
type remedy uint8

const (
	giveUp     remedy = iota // the term is lost: go on where the next one seems to start
	edit                     // read the bytes at fault as if they were others
	blot                     // the same, but what is read then is not what was meant
	addToken                 // read on as if a comma or bracket stood before the token
	split                    // the term ends before the token, which starts the next
	splitAfter               // the term ends at the token, which is not part of it
	reread                   // read again: the scanner takes it now
)

// A fault is one thing wrong with a term, and the way on.
type fault struct {
	diag.Diagnostic
	more   []diag.Diagnostic // other places at fault; Erlang's message is the same
	remedy remedy
	tok    int      // the token that addToken, split and splitAfter are about
	close  kind     // for addToken: what to add; anything but a comma is a guess
	edits  []change // for edit and blot
	from   int      // for giveUp: the next term starts after this byte
	sure   bool     // and it certainly starts at the next line that looks so
	fixes  []Fix
}

// change replaces bytes of the text that is read by as many others.
type change struct {
	at   int
	text string
}

// span is File.Span.
func (r *reader) span(start, end int) diag.Span { return r.f.Span(start, end) }

// at returns where an offset is, as "LINE:COL".
func (r *reader) where(off int) string {
	line, col := r.f.Position(off)
	return fmt.Sprintf("%d:%d", line, col)
}

// tokens reads the tokens of the term that starts at a place, up to its dot.
// full is false if there were too many.
func (r *reader) tokens(start place) (toks []token, full bool) {
	r.dropWarnings()
	r.goTo(start)
	toks = r.toks[:0]
	defer func() { r.toks = toks }()
	for r.tok.kind != kEOF && r.tok.kind != kBad {
		toks = append(toks, r.tok)
		if r.tok.kind == kDot {
			break
		}
		if len(toks) >= maxTokens {
			return toks, false
		}
		r.next()
	}
	return toks, true
}

// recover reports what is wrong with the term that starts at a place, which the
// parser could not read, and goes on after it. A term with several faults that
// are easily mended is read again after each, so that all are reported.
func (r *reader) recover(start place) {
	over, at := r.over, r.tok
	from := start.pos // where to look for the next term if this one is lost
	sure := false
	broken := false
	var toks []token
	begin := r.scanner.read
	for r.faults < r.lim.faults && r.work+r.scanner.read-begin <= maxWork {
		var full bool
		toks, full = r.tokens(start)
		bad := r.tok.kind == kBad
		if len(toks) == 0 && !bad { // all that was left of the term was mended away
			r.insert = nil
			return
		}
		var v reading
		erlang := ""
		switch {
		case bad:
			if r.bad.erlang != "" {
				erlang = fmt.Sprintf("%d: %s", r.bad.line, r.bad.erlang)
			}
		case !over && full:
			v = recognise(toks, 20*r.lim.depth)
			if v.bad < 0 && len(v.exprs) == 1 && !v.clauses {
				if r.accept(start, broken) {
					r.insert = nil
					return
				}
				over, at = r.over, r.tok
				if over {
					toks, _ = r.tokens(start)
				}
			}
			if v.over {
				over, at = true, toks[min(v.bad, len(toks)-1)]
			}
			if !over {
				erlang = erlangMessage(toks, v)
			}
		}
		if r.f.Erlang == "" {
			r.f.Erlang = erlang
			if len(r.f.Terms) == 0 && erlang != "" && r.foreign() {
				return
			}
		}
		if erlang != "" && r.blameTemplate(start.pos, r.pos, toks, erlang) {
			broken = true
			break
		}

		var f fault
		switch {
		case bad:
			f = r.scanFault(toks, start)
		case over || !full:
			f = r.overLimit(at, full)
		default:
			f = r.diagnose(toks, v)
		}
		f.Erlang = erlang
		r.report(f)
		if f.remedy == giveUp {
			from, sure = f.from, f.sure
			break
		}
		if r.apply(f, toks, start, &broken) {
			return
		}
	}
	r.insert = nil
	r.resume(start, from, sure, toks)
}

// dropWarnings forgets the warnings about the current term, before it is read
// again or given up: what is warned of may come from the fault.
func (r *reader) dropWarnings() {
	kept := r.diags[:r.mark]
	for _, d := range r.diags[r.mark:] {
		if d.Severity == diag.Error {
			kept = append(kept, d)
		} else {
			r.warnings--
		}
	}
	r.diags = kept
	r.escaped = -1
}

// accept takes the term that starts at a place, now that all that is wrong with
// it is mended, and moves behind its dot.
func (r *reader) accept(start place, broken bool) bool {
	r.dropWarnings()
	r.goTo(start)
	t := r.term()
	if t == nil || r.tok.kind != kDot {
		return false
	}
	if broken {
		r.lost(start, r.tok.end, t)
	} else {
		r.f.Terms = append(r.f.Terms, t)
	}
	r.lex()
	return true
}

// lost notes a term that was not read as it was meant.
func (r *reader) lost(start place, end int, t Term) {
	key := ""
	if elems, ok := t.(*Tuple); ok && len(elems.Elems) > 0 {
		key, _ = AtomName(elems.Elems[0])
		if at := elems.Elems[0].Span(); key != "" && string(r.f.Src[at.Start:at.End]) != r.s[at.Start:at.End] {
			key = string(r.f.Src[at.Start:at.End])
		}
	}
	r.f.Broken = append(r.f.Broken, Broken{At: r.span(start.pos, end), Key: key})
}

// termKey returns the atom that a term begins with, as the file has it.
func (r *reader) termKey(toks []token) string {
	for i, t := range toks {
		switch {
		case t.kind == kAtom:
			if r.s[t.start] != '\'' && string(r.f.Src[t.start:t.end]) != r.s[t.start:t.end] {
				return string(r.f.Src[t.start:t.end]) // a reserved word that was reported
			}
			return t.text
		case t.kind != kLBrace || i > 1:
			return ""
		}
	}
	return ""
}

// report adds a fault to the diagnostics.
func (r *reader) report(f fault) {
	r.add(f.Diagnostic)
	for _, d := range f.more {
		d.Erlang = f.Erlang
		r.add(d)
	}
	r.f.Fixes = append(r.f.Fixes, f.fixes...)
}

// apply carries out a remedy. done means that reading has moved on to another
// term.
func (r *reader) apply(f fault, toks []token, start place, broken *bool) (done bool) {
	switch f.remedy {
	case edit, blot:
		b := []byte(r.s)
		for _, c := range f.edits {
			copy(b[c.at:], c.text)
		}
		r.s = string(b)
		if f.remedy == blot {
			*broken = true
		}
	case addToken:
		if r.insert == nil {
			r.insert = map[int][]kind{}
		}
		at := toks[f.tok].start
		r.insert[at] = append(r.insert[at], f.close)
		if f.close != kComma {
			*broken = true
		}
	case split, splitAfter:
		next := token{kind: kEOF, start: r.end, end: r.end, line: r.tok.line, col: r.tok.col}
		if f.tok < len(toks) {
			next = toks[f.tok]
		}
		r.dropWarnings()
		r.goTo(start)
		t := r.term()
		whole := t != nil && r.tok.start == next.start
		switch {
		case whole && !*broken:
			r.f.Terms = append(r.f.Terms, t)
		case whole:
			r.lost(start, next.start, t)
		default:
			// The first part is no constant either.
			dot := next
			dot.kind = kDot
			part := append(append([]token{}, toks[:f.tok]...), dot)
			if v := recognise(part, 20*r.lim.depth); v.bad < 0 {
				g := r.diagnose(part, v)
				g.Erlang = erlangMessage(part, v)
				r.report(g)
			}
			r.f.Broken = append(r.f.Broken, Broken{At: r.span(start.pos, next.start), Key: r.termKey(toks)})
		}
		r.insert = nil
		to := place{next.start, next.line, next.start - next.col + 1}
		if f.remedy == splitAfter {
			to.pos = next.end
		}
		r.mark = len(r.diags)
		r.goTo(to)
		return true
	}
	return false
}

// resume goes on after a term that is lost: at the first line after from that
// reads as a term (the first that looks like one if sure), or behind the term's
// dot.
func (r *reader) resume(start place, from int, sure bool, toks []token) {
	stop := r.end
	dot := len(toks) > 0 && toks[len(toks)-1].kind == kDot
	var after place
	if dot {
		last := toks[len(toks)-1]
		stop = last.end
		after = place{last.end, last.line, last.start - last.col + 1}
	}
	end := stop
	found := false
	r.dropWarnings()
	began := r.scanner.read
	for tries := 0; tries < maxTries && r.scanner.read-began < maxWork/4; tries++ {
		i := nextTermLine(r.s[:stop], from)
		if i < 0 {
			break
		}
		from = i
		line, _ := r.f.Position(i)
		at := place{i, line, i}
		r.goTo(at)
		t := r.term()
		r.dropWarnings()
		if sure || t != nil && r.tok.kind == kDot {
			end, found = i, true
			r.goTo(at)
			break
		}
	}
	if !found {
		if dot {
			r.goTo(after)
		} else {
			r.pos = r.end
			r.tok.kind = kEOF
		}
	}
	for end > start.pos && strings.IndexByte(" \t\r\n", r.s[end-1]) >= 0 {
		end--
	}
	r.f.Broken = append(r.f.Broken, Broken{At: r.span(start.pos, end), Key: r.termKey(toks)})
}

// nextTermLine returns the start of the first line after from that looks like
// the start of a top-level term: { and a name at column 1.
func nextTermLine(s string, from int) int {
	for {
		n := strings.IndexByte(s[from:], '\n')
		if n < 0 {
			return -1
		}
		from += n + 1
		if startsTop(s[from:]) {
			return from
		}
	}
}

// startsTop reports whether a line looks like the start of a top-level term.
func startsTop(line string) bool {
	if line == "" || line[0] != '{' {
		return false
	}
	rest := strings.TrimLeft(line[1:], " \t{")
	return rest != "" && (class[rest[0]] == cLower && rest[0] < 0x80 || rest[0] == '\'')
}

// erlangMessage returns what Erlang says of a reading, as "LINE: MESSAGE".
func erlangMessage(toks []token, v reading) string {
	switch {
	case v.head:
		return fmt.Sprintf("%d: head mismatch", toks[v.bad].line)
	case v.bad == len(toks):
		return fmt.Sprintf("%d: syntax error before: ", toks[len(toks)-1].line)
	case v.bad >= 0:
		return fmt.Sprintf("%d: syntax error before: %s", toks[v.bad].line, toks[v.bad].erlangText())
	case len(v.exprs) > 1:
		return fmt.Sprintf("%d: bad term", toks[v.exprs[1].first].line)
	}
	return fmt.Sprintf("%d: bad term", toks[v.exprs[0].first].line)
}

// overLimit reports that a bound was crossed, at a token.
func (r *reader) overLimit(at token, full bool) fault {
	f := fault{remedy: giveUp, from: at.start}
	f.Code = codeLimit
	f.Span = r.span(at.start, at.end)
	switch {
	case !full:
		f.Summary = fmt.Sprintf("a term of more than %d tokens that cannot be read", maxTokens)
		f.Help = "a final dot is missing long before"
	case at.kind == kLBrace || at.kind == kLBracket || at.kind == kLParen || at.kind == kHash || at.kind == kBinOpen && r.parser.depth > r.lim.depth:
		f.Summary = fmt.Sprintf("more than %d brackets are open here", r.lim.depth)
		f.Help = "terms as deep as that are not read; no configuration needs them"
	case at.kind == kBinOpen || at.kind == kBinClose || at.kind == kComma:
		f.Summary = fmt.Sprintf("a binary of more than %d bytes", r.lim.binary)
		f.Help = "check the sizes after the colons: they count bits"
	default:
		f.Summary = "the term is nested too deeply to be read"
		f.Help = "no configuration needs terms as deep as that"
	}
	return f
}
