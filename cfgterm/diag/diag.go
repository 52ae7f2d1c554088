// Package diag holds diagnostics: what is wrong with a file that somebody
// wrote, where, why, and what to write instead. The scanner and parser of
// package cfgterm, the option tables of package cfgterm/schema and the loader of
// package compat all report through it; the command line prints it as text
// or JSON.
//
// A diagnostic is for the person who wrote the file. It is neither a protocol
// error (package router/stanza) nor a failure of the running server.
//
// It imports nothing of Meerkat.
package diag

import (
	"cmp"
	"fmt"
	"slices"
)

// Severity says what a diagnostic means for starting the node.
type Severity uint8

const (
	// Error: the file cannot be used. The node does not start.
	Error Severity = iota
	// Warning: the file can be used, but a term does not do what it says.
	Warning
	// Info: nothing is wrong; the reader may want to know.
	Info
)

// String returns "error", "warning" or "info".
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	default:
		return "info"
	}
}

// A Span is a range of bytes of one file.
type Span struct {
	File       string // as it was named to the parser; "" means no file
	Start, End int    // byte offsets; End is exclusive
	Line, Col  int    // of Start, counted from 1; Col counts characters
}

// String returns "FILE:LINE:COL", without what is unknown.
func (s Span) String() string {
	switch {
	case s.File == "":
		return "-"
	case s.Line == 0:
		return s.File
	case s.Col == 0:
		return fmt.Sprintf("%s:%d", s.File, s.Line)
	default:
		return fmt.Sprintf("%s:%d:%d", s.File, s.Line, s.Col)
	}
}

// Related is another place that takes part in a diagnostic: where a bracket was
// opened, where the first of two equal terms stands.
type Related struct {
	Span Span
	Text string // what stands there, without full stop: "opened here"
}

// A Diagnostic tells the reader of a file what is wrong, where, and what to
// write instead. Its Code never changes once released, so that scripts and the
// documentation can refer to it.
type Diagnostic struct {
	Severity Severity
	Code     string // "SYN004"; explained by "meerkat explain CODE"
	Span     Span   // the term to blame, no wider
	Summary  string // one line, no full stop
	Help     string // what to write instead; may be empty, may have several lines
	// Erlang is the message that Erlang/OTP or MongooseIM 2.0.1 gives for the
	// same fault, as "LINE: MESSAGE" or a bare text: people search for it.
	Erlang  string
	Related []Related
}

// Error makes a Diagnostic usable as an error: "ejabberd.cfg:214:17: ...".
func (d *Diagnostic) Error() string {
	return d.Span.String() + ": " + d.Summary
}

// A List is a set of diagnostics, usually of one run over several files.
type List []Diagnostic

// Add appends one diagnostic.
func (l *List) Add(d Diagnostic) { *l = append(*l, d) }

// Count returns how many diagnostics have severity s.
func (l List) Count(s Severity) int {
	n := 0
	for i := range l {
		if l[i].Severity == s {
			n++
		}
	}
	return n
}

// HasErrors reports whether any diagnostic is an Error.
func (l List) HasErrors() bool { return l.Count(Error) > 0 }

// Sort orders the diagnostics by file (in order of first appearance), place and
// severity, and drops exact doubles.
func (l *List) Sort() {
	order := map[string]int{}
	for i := range *l {
		f := (*l)[i].Span.File
		if _, ok := order[f]; !ok {
			order[f] = len(order)
		}
	}
	slices.SortStableFunc(*l, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(order[a.Span.File], order[b.Span.File]),
			cmp.Compare(a.Span.Start, b.Span.Start),
			cmp.Compare(a.Severity, b.Severity),
			cmp.Compare(a.Code, b.Code),
			cmp.Compare(a.Summary, b.Summary),
		)
	})
	*l = slices.CompactFunc(*l, func(a, b Diagnostic) bool {
		return a.Code == b.Code && a.Span == b.Span && a.Summary == b.Summary
	})
}

// Err returns nil if the list has no errors, and an error that shows the first
// one and says how many more there are otherwise.
func (l List) Err() error {
	n := l.Count(Error)
	if n == 0 {
		return nil
	}
	for i := range l {
		if l[i].Severity == Error {
			if n == 1 {
				return &l[i]
			}
			return fmt.Errorf("%w (and %d more errors)", &l[i], n-1)
		}
	}
	return nil
}
