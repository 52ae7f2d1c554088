package cfgterm

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"meerkat/cfgterm/diag"
)

// A File is a file of terms, read as far as it can be read.
type File struct {
	Name string // as given to Parse
	Src  []byte // what was read; shared with the caller, not changed
	// Terms are the top-level terms in the order of the file. After a fault
	// reading goes on with the next term, so that terms after a fault are here
	// too, and so are terms whose fault leaves no doubt about what was meant: a
	// missing or superfluous comma, a missing final dot.
	Terms    []Term
	Comments []Comment // those of terms that could not be read may be missing
	// Erlang is what file:consult/1 says of the file as "LINE: MESSAGE", and ""
	// if it reads it.
	Erlang string
	// Broken are the terms that could not be read.
	Broken []Broken
	// Fixes are the changes that mend the faults whose mending is mechanical,
	// in the order of the file.
	Fixes []Fix

	latin1 bool
}

// A Comment is where one % comment stands: the bytes from its first % up to the
// end of the line, without the line end. File.Span gives its line and column.
type Comment struct{ Start, End int }

// Broken is a top-level term that could not be read.
type Broken struct {
	At  diag.Span // from its first token to where reading went on
	Key string    // the atom that the term starts with ({Key, ...}); "" if there is none
}

// A Fix is one change of a file: the bytes from Start to End become Text.
type Fix struct {
	Start, End int
	Text       string
}

// CommentText returns the bytes of a comment, with the leading %.
func (f *File) CommentText(c Comment) string { return string(f.Src[c.Start:c.End]) }

// Latin1 reports whether the file declares Latin-1 in a coding comment.
func (f *File) Latin1() bool { return f.latin1 }

// Position returns line and column, counted from 1, of the byte at off. A
// column is one character.
func (f *File) Position(off int) (line, col int) {
	off = min(max(off, 0), len(f.Src))
	line = 1 + bytes.Count(f.Src[:off], []byte{'\n'})
	from := bytes.LastIndexByte(f.Src[:off], '\n') + 1
	if f.latin1 {
		return line, off - from + 1
	}
	return line, utf8.RuneCount(f.Src[from:off]) + 1
}

// Span returns the span of the bytes from start to end.
func (f *File) Span(start, end int) diag.Span {
	line, col := f.Position(start)
	return diag.Span{File: f.Name, Start: start, End: end, Line: line, Col: col}
}

// Fixed returns the file with all Fixes made.
func (f *File) Fixed() []byte {
	var out []byte
	at := 0
	for _, x := range f.Fixes {
		if x.Start < at {
			continue
		}
		out = append(out, f.Src[at:x.Start]...)
		out = append(out, x.Text...)
		at = x.End
	}
	return append(out, f.Src[at:]...)
}

// Parse reads a file of terms as file:consult/1 of Erlang/OTP 25 does, and
// accepts what it accepts. name is for the spans only. It never panics; the File
// is never nil and holds what could be read even if there are errors.
func Parse(name string, src []byte, o ...Option) (*File, diag.List) {
	f := &File{Name: name, Src: src}
	r := reader{f: f}
	r.lim = newLimits(o)
	r.run()
	r.diags.Sort()
	return f, r.diags
}

// ParseTerm reads one term. The final dot may be left out. If the text is not
// one term the error wraps the *diag.Diagnostic that says why.
func ParseTerm(text string) (Term, error) {
	read := func(f *File) bool { return f.Erlang == "" && len(f.Terms) == 1 && len(f.Broken) == 0 }
	f, list := Parse("", []byte(text))
	if t := strings.TrimSpace(text); !read(f) && t != "" && !strings.HasSuffix(t, ".") {
		f, list = Parse("", []byte(text+" ."))
	}
	if read(f) { // template marks do not matter here
		return f.Terms[0], nil
	}
	for i := range list {
		if list[i].Severity == diag.Error {
			return nil, &termError{&list[i]}
		}
	}
	return nil, fmt.Errorf("read term: %d terms in place of one", len(f.Terms))
}

// termError is a diagnostic about a text without a file name.
type termError struct{ d *diag.Diagnostic }

func (e *termError) Error() string {
	return fmt.Sprintf("read term: %d:%d: %s", e.d.Span.Line, e.d.Span.Col, e.d.Summary)
}

func (e *termError) Unwrap() error { return e.d }

// reader turns a file into terms and diagnostics.
type reader struct {
	parser
	f     *File
	diags diag.List
	// errors and other diagnostics so far
	faults, warnings int
	// toks is space for the tokens of a faulty term.
	toks []token
	// work is how many tokens were read to find faults.
	work int
	// escaped is the start of the last text with a dropped backslash.
	escaped int
	// mark is how many diagnostics there were before the current term.
	mark int
	// blamed is the first template mark that spoils a term.
	blamed mark
	// templateErlang is what Erlang says of the first term that template marks
	// spoil.
	templateErlang string
}

func (r *reader) run() {
	src := r.f.Src
	if len(src) > r.lim.size {
		r.add(diag.Diagnostic{
			Code: codeLimit, Span: r.f.Span(0, 0),
			Summary: fmt.Sprintf("the file has %d bytes, more than the %d that are read", len(src), r.lim.size),
		})
		return
	}
	r.f.latin1 = declaresLatin1(src)
	r.s = string(src)
	r.latin1 = r.f.latin1
	r.end = len(src)
	r.file = r.f.Name
	r.line, r.bol = 1, 0
	r.insertAt, r.escaped = -1, -1
	// As many comments as the start of the file suggests: growing costs more than
	// a little space.
	head := src[:min(len(src), 4096)]
	if n := bytes.Count(head, []byte("\n%")); n > 0 {
		n = n * len(src) / len(head)
		r.f.Comments = make([]Comment, 0, n+n/3+8)
	}
	r.comments = &r.f.Comments
	if !r.latin1 && !utf8.ValidString(r.s) {
		r.end = firstInvalid(r.s)
	}
	if !r.latin1 {
		r.nonchr = nonchar(r.s) >= 0
	}
	r.lint = r.warn
	r.odd, r.joined, r.twice = r.warnBinary, r.warnJoined, r.warnKeys
	r.warnCoding()

	r.lex()
	for r.tok.kind != kEOF && r.faults < r.lim.faults {
		start := r.before()
		r.mark = len(r.diags)
		if t := r.term(); t != nil && r.tok.kind == kDot {
			r.f.Terms = append(r.f.Terms, t)
			r.lex()
			continue
		}
		before := r.scanner.read
		r.recover(start)
		if r.work += r.scanner.read - before; r.work > maxWork && r.tok.kind != kEOF {
			r.add(diag.Diagnostic{
				Severity: diag.Info, Code: codeLimit, Span: r.span(r.tok.start, r.tok.end),
				Summary: "the rest of the file is not looked at: it has too many faults",
			})
			break
		}
	}
	r.template()
	slices.SortStableFunc(r.f.Fixes, func(a, b Fix) int { return a.Start - b.Start })
	r.f.Comments = slices.Clip(r.f.Comments)
}

// firstInvalid returns the index of the first byte that is not UTF-8.
func firstInvalid(s string) int {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(s)
}

func (r *reader) add(d diag.Diagnostic) {
	if d.Severity == diag.Error {
		r.faults++
	} else {
		r.warnings++
	}
	r.diags.Add(d)
}
