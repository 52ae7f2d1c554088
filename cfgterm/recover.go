package cfgterm

import (
	"fmt"

	"meerkat/cfgterm/diag"
)

func (r *reader) warn(odd oddity, start, end int)             {}
func (r *reader) warnBinary(odd binaryOddity, start, end int) {}

// recover reports what is wrong with the term that starts at a place and goes on
// after it.
func (r *reader) recover(start place) {
	r.goTo(start)
	var toks []token
	for r.tok.kind != kEOF && r.tok.kind != kBad {
		toks = append(toks, r.tok)
		if r.tok.kind == kDot {
			break
		}
		r.lex()
	}
	d := diag.Diagnostic{Code: codeUnexpected, Span: r.f.Span(start.pos, start.pos), Summary: "this is not a term"}
	if r.tok.kind == kBad {
		d.Code = r.bad.code
		d.Span = r.f.Span(r.bad.start, r.bad.end)
		d.Summary = r.bad.erlang
		d.Erlang = fmt.Sprintf("%d: %s", r.bad.line, r.bad.erlang)
		r.end = min(r.end, r.pos)
		r.tok.kind = kEOF
	} else {
		v := recognise(toks, 10000)
		switch {
		case v.head:
			d.Erlang = fmt.Sprintf("%d: head mismatch", toks[v.bad].line)
		case v.bad == len(toks):
			d.Erlang = fmt.Sprintf("%d: syntax error before: ", toks[len(toks)-1].line)
		case v.bad >= 0:
			d.Erlang = fmt.Sprintf("%d: syntax error before: %s", toks[v.bad].line, toks[v.bad].erlangText())
		case len(v.exprs) > 1:
			d.Erlang = fmt.Sprintf("%d: bad term", toks[v.exprs[1].first].line)
		default:
			d.Erlang = fmt.Sprintf("%d: bad term", toks[v.exprs[0].first].line)
		}
	}
	if r.f.Erlang == "" {
		r.f.Erlang = d.Erlang
	}
	r.add(d)
	if r.tok.kind == kDot {
		r.lex()
	}
}
