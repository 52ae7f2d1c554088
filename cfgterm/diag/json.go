package diag

import (
	"encoding/json"
	"io"
)

// jsonSpan is a Span as WriteJSON writes it.
type jsonSpan struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Start  int    `json:"start"`
	End    int    `json:"end"`
}

type jsonRelated struct {
	jsonSpan
	Text string `json:"text"`
}

type jsonDiagnostic struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	jsonSpan
	Summary string        `json:"summary"`
	Help    string        `json:"help,omitempty"`
	Erlang  string        `json:"erlang,omitempty"`
	Related []jsonRelated `json:"related,omitempty"`
}

// WriteJSON writes the diagnostics as one JSON array with one object a line:
// severity ("error", "warning", "info"), code, file, line and column (from 1, in
// characters; left out if unknown), start and end (byte offsets, end exclusive),
// summary, and where there is something to say help, erlang and related (objects
// with a place and text). Names and meanings do not change.
//
// source is the same as Printer.Source; secrets of the files it returns are
// replaced by asterisks in all texts. It may be nil.
func WriteJSON(w io.Writer, l List, source func(file string) []byte) error {
	p := Printer{Source: source}
	place := func(s Span) jsonSpan { return jsonSpan{s.File, s.Line, s.Col, s.Start, s.End} }
	out := []byte("[")
	for i := range l {
		d := &l[i]
		src := p.source(d.Span.File)
		text := func(s string) string {
			if src == nil {
				return s
			}
			return src.hide(d, s)
		}
		j := jsonDiagnostic{
			Severity: d.Severity.String(), Code: d.Code, jsonSpan: place(d.Span),
			Summary: text(d.Summary), Help: text(d.Help), Erlang: text(d.Erlang),
		}
		for _, r := range d.Related {
			j.Related = append(j.Related, jsonRelated{place(r.Span), text(r.Text)})
		}
		b, err := json.Marshal(j)
		if err != nil {
			return err
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, '\n')
		out = append(out, b...)
	}
	if len(l) > 0 {
		out = append(out, '\n')
	}
	out = append(out, "]\n"...)
	_, err := w.Write(out)
	return err
}
