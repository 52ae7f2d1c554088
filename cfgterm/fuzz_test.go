package cfgterm

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"meerkat/cfgterm/diag"
)

// checkTerm checks the places of a term and what is in it.
func checkTerm(t testing.TB, f *File, x Term, from, to int) {
	t.Helper()
	s := x.Span()
	if s.Start < from || s.End > to || s.End <= s.Start && len(f.Fixes) == 0 {
		t.Fatalf("%q: %s has the span %+v, outside of %d-%d", f.Src, Format(x), s, from, to)
	}
	switch x := x.(type) {
	case *List:
		for _, e := range x.Elems {
			checkTerm(t, f, e, s.Start, s.End)
		}
		if x.Tail != nil {
			checkTerm(t, f, x.Tail, s.Start, s.End)
			if _, ok := Items(x.Tail); ok {
				t.Fatalf("%q: the tail of %s is a list", f.Src, Format(x))
			}
		}
	case *Tuple:
		for _, e := range x.Elems {
			checkTerm(t, f, e, s.Start, s.End)
		}
	case *Map:
		for _, p := range x.Pairs {
			checkTerm(t, f, p.Key, s.Start, s.End)
			checkTerm(t, f, p.Value, s.Start, s.End)
		}
	case *Int:
		if x.Big != nil && x.Big.IsInt64() {
			t.Fatalf("%q: %s fits into N", f.Src, Format(x))
		}
	case *Float:
		if math.IsInf(x.F, 0) || math.IsNaN(x.F) {
			t.Fatalf("%q: %v", f.Src, x.F)
		}
	}
}

// checkFile holds for the reading of any input.
func checkFile(t testing.TB, f *File, l diag.List) {
	t.Helper()
	checkDiagnostics(t, f, l)
	if (f.Erlang == "") == l.HasErrors() {
		for _, d := range l { // our own bounds, and templates that are terms
			if d.Severity == diag.Error && d.Code != codeLimit && d.Code != codeTemplate {
				t.Fatalf("%q: Erlang says %q, we say %v", f.Src, f.Erlang, l)
			}
		}
		if f.Erlang != "" {
			t.Fatalf("%q: Erlang says %q, we say nothing", f.Src, f.Erlang)
		}
	}
	if f.Erlang == "" && len(f.Broken) > 0 && !l.HasErrors() {
		t.Fatalf("%q: broken terms %v and no errors", f.Src, f.Broken)
	}
	at := 0
	for _, x := range f.Terms {
		checkTerm(t, f, x, at, len(f.Src))
		at = x.Span().End
		text := Format(x)
		back, err := ParseTerm(text)
		if err != nil || !Equal(back, x) {
			t.Fatalf("%q: printed as %q, which reads as %v, %v", f.Src, text, back, err)
		}
		if !strings.Contains(text, "\n") && !utf8.ValidString(text) {
			t.Fatalf("%q: printed as %q", f.Src, text)
		}
		if back, err := ParseTerm(string(AppendPretty(nil, x, 3))); err != nil || !Equal(back, x) {
			t.Fatalf("%q: pretty-printed as %q: %v", f.Src, AppendPretty(nil, x, 3), err)
		}
		ascii := AppendASCII(nil, x)
		if back, err := ParseTerm(string(ascii)); err != nil || !Equal(back, x) || !isASCII(string(ascii)) {
			t.Fatalf("%q: printed as %q: %v", f.Src, ascii, err)
		}
		if !json.Valid(AppendJSON(nil, x)) {
			t.Fatalf("%q: JSON %s", f.Src, AppendJSON(nil, x))
		}
		if Compare(x, x) != 0 {
			t.Fatalf("%s differs from itself", text)
		}
	}
	last := -1
	for _, c := range f.Comments {
		if c.Start <= last || c.End > len(f.Src) || c.End <= c.Start || f.CommentText(c)[0] != '%' && len(l) == 0 {
			t.Fatalf("%q: comment %+v", f.Src, c)
		}
		last = c.Start
	}
	for _, x := range f.Fixes {
		if x.Start < 0 || x.End < x.Start || x.End > len(f.Src) {
			t.Fatalf("%q: fix %+v", f.Src, x)
		}
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("../testdata/terms/*.cfg")
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("{a, #{k => <<1:4, \"x\"/utf8>>}, fun m:f/1, -(1), $\\^a | b}.\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		keep := bytes.Clone(src)
		file, l := Parse("fuzz.cfg", src)
		if !bytes.Equal(file.Src, keep) {
			t.Fatal("the input was changed")
		}
		checkFile(t, file, l)
		// Small bounds take other ways.
		g, l := Parse("fuzz.cfg", src, MaxDepth(3), MaxDigits(4), MaxBinary(8), MaxFaults(3))
		checkDiagnostics(t, g, l)
		var out bytes.Buffer
		p := diag.Printer{Source: func(string) []byte { return src }, Width: 40, Color: true}
		if err := p.Print(&out, l); err != nil {
			t.Fatal(err)
		}
		out.Reset()
		if err := diag.WriteJSON(&out, l, p.Source); err != nil || !json.Valid(out.Bytes()) {
			t.Fatalf("%v: %s", err, out.Bytes())
		}
	})
}

// anyTerm makes terms, also those that no file holds as they are.
func anyTerm(depth int) *rapid.Generator[Term] {
	text := rapid.StringOf(rapid.RuneFrom(nil, unicodeRanges...))
	leaf := rapid.OneOf(
		rapid.Map(text, func(s string) Term { return &Atom{Name: firstRunes(s, 255)} }),
		rapid.Map(rapid.SampledFrom([]string{"or", "maybe", "a@B_1", "Éa", "éa", "a b", "'", "\\", "\n"}), func(s string) Term { return &Atom{Name: s} }),
		rapid.Map(rapid.Int64(), func(n int64) Term { return &Int{N: n} }),
		rapid.Map(rapid.StringMatching(`-?[1-9][0-9]{19,40}`), func(s string) Term { return bigInt(s) }),
		rapid.Map(rapid.Float64(), func(v float64) Term { return &Float{F: v} }),
		rapid.Map(text, func(s string) Term { return &String{Text: s} }),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) Term { return &Binary{Bytes: b} }),
		rapid.Map(text, func(s string) Term { return &Binary{Bytes: []byte(s)} }),
		rapid.Map(rapid.IntRange(1, 7), func(n int) Term { return &Binary{Bytes: []byte{7, 0xFF << (8 - n)}, Bits: n} }),
		rapid.Just[Term](&Fun{Module: "or", Function: "é", Arity: 255}),
		rapid.Map(rapid.SliceOf(rapid.Int64Range(-1, 0x110000)), func(n []int64) Term {
			l := &List{}
			for _, v := range n {
				l.Elems = append(l.Elems, &Int{N: v})
			}
			return l
		}),
	)
	if depth == 0 {
		return leaf
	}
	sub := anyTerm(depth - 1)
	return rapid.OneOf(
		leaf,
		rapid.Map(rapid.SliceOfN(sub, 0, 5), func(e []Term) Term { return &List{Elems: e} }),
		rapid.Map(rapid.SliceOfN(sub, 0, 5), func(e []Term) Term { return &Tuple{Elems: e} }),
		rapid.Custom(func(t *rapid.T) Term {
			m := &Map{}
			for range rapid.IntRange(0, 3).Draw(t, "pairs") {
				m.Pairs = append(m.Pairs, Pair{sub.Draw(t, "key"), sub.Draw(t, "value")})
			}
			m.Pairs = (&parser{}).lastOfEach(m.Pairs)
			return m
		}),
		rapid.Custom(func(t *rapid.T) Term {
			l := &List{Elems: rapid.SliceOfN(sub, 1, 3).Draw(t, "elems")}
			if tail := leaf.Draw(t, "tail"); true {
				if _, ok := Items(tail); !ok {
					l.Tail = tail
				}
			}
			return l
		}),
	)
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// TestPrintParse: what is printed reads as the same term, in each of the forms.
func TestPrintParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := anyTerm(3).Draw(t, "term")
		for name, text := range map[string]string{
			"Format":            Format(x),
			"AppendASCII":       string(AppendASCII(nil, x)),
			"AppendPretty":      string(AppendPretty(nil, x, 0)),
			"AppendPretty, 60":  string(AppendPretty(nil, x, 60)),
			"AppendPrettyASCII": string(AppendPrettyASCII(nil, x, 5)),
		} {
			back, err := ParseTerm(text)
			if err != nil || !Equal(back, x) || !Equal(x, back) {
				t.Fatalf("%s gives %q, which reads as %v, %v", name, text, back, err)
			}
			if strings.Contains(name, "ASCII") && !isASCII(text) {
				t.Fatalf("%s gives %q", name, text)
			}
			if i := strings.IndexFunc(text, func(r rune) bool { return r < 0x20 && r != '\n' }); i >= 0 {
				t.Fatalf("%s gives %q", name, text)
			}
		}
	})
}

// TestOrder: Compare is an order, and 0 only for equal terms.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := anyTerm(2)
		a, b, c := g.Draw(t, "a"), g.Draw(t, "b"), g.Draw(t, "c")
		if Compare(a, b) != -Compare(b, a) {
			t.Fatalf("%s and %s", Format(a), Format(b))
		}
		if Compare(a, b) <= 0 && Compare(b, c) <= 0 && Compare(a, c) > 0 {
			t.Fatalf("%s, %s, %s", Format(a), Format(b), Format(c))
		}
		if Equal(a, b) && Compare(a, b) != 0 {
			t.Fatalf("%s equals %s and does not", Format(a), Format(b))
		}
	})
}

// unicodeRanges are the characters that texts are made of in the tests.
var unicodeRanges = []*unicode.RangeTable{
	unicode.ASCII_Hex_Digit, unicode.Latin, unicode.Cyrillic, unicode.Cc, unicode.Punct, unicode.Han, unicode.Mn, unicode.Cf, unicode.So,
}
