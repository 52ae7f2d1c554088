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
	var last token
	for r.tok.kind != kDot && r.tok.kind != kEOF && r.tok.kind != kBad {
		last = r.tok
		r.lex()
	}
	d := diag.Diagnostic{Code: codeUnexpected, Span: r.f.Span(start.pos, last.end), Summary: "this is not a term"}
	if r.tok.kind == kBad {
		d.Code = r.bad.code
		d.Span = r.f.Span(r.bad.start, r.bad.end)
		d.Summary = r.bad.erlang
		d.Erlang = fmt.Sprintf("%d: %s", r.bad.line, r.bad.erlang)
		r.end = min(r.end, r.pos)
		r.tok.kind = kEOF
	}
	if r.f.Erlang == "" {
		r.f.Erlang = d.Erlang
		if d.Erlang == "" {
			r.f.Erlang = "1: bad term"
		}
	}
	r.add(d)
	if r.tok.kind == kDot {
		r.lex()
	}
}
