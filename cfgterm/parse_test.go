package cfgterm

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"meerkat/cfgterm/diag"
)

func TestParseTerm(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"a", "a"},
		{"a.", "a"},
		{" {a, [b | c]} . % comment", "{a, [b | c]}"},
		{"[97,98]", `"ab"`},
		{"5222", "5222"},
		{"1.5", "1.5"},
		{"-(1)", "-1"},
		{"<<\"é\"/utf8>>", `<<"é"/utf8>>`},
		{"<<233>>", "<<233>>"},
		{"<<1:3>>", "<<1:3>>"},
		{"'maybe'", "'maybe'"},
		{"{{hosts}}", "{{hosts}}"},
		{"fun 'A':b/2", "fun 'A':b/2"},
		{"#{a => 1, a => 2}", "#{a => 2}"},
		{"-9223372036854775808", "-9223372036854775808"},
	} {
		got, err := ParseTerm(tt.in)
		if err != nil || Format(got) != tt.want {
			t.Errorf("%q: %v, %v; want %s", tt.in, got, err, tt.want)
		}
	}
	for _, tt := range []struct{ in, want string }{
		{"", "0 terms in place of one"},
		{"a. b.", "2 terms in place of one"},
		{"{a, }", "1:3: comma after the last element of a tuple"},
		{"{a,\n B}", "2:2: B is a variable"},
		{"a b", "1:3: b follows a complete term"},
	} {
		got, err := ParseTerm(tt.in)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, %v; want an error with %q", tt.in, got, err, tt.want)
		}
		var d *diag.Diagnostic
		if strings.Contains(tt.want, ":") && !errors.As(err, &d) {
			t.Errorf("%q: the error is no diagnostic", tt.in)
		}
	}
}

func TestFormatAtom(t *testing.T) {
	for in, want := range map[string]string{
		"a": "a", "aB_1@c": "aB_1@c", "": "''", "A": "'A'", "_": "'_'", "a-b": "'a-b'", "or": "'or'", "else": "'else'",
		"éa": "éa", "ł": "'ł'", "it's": `'it\'s'`, "a\nb": `'a\nb'`, "1": "'1'", "a b": "'a b'", "\u202e": `'\x{202e}'`,
	} {
		if got := FormatAtom(in); got != want {
			t.Errorf("%q is written %s, want %s", in, got, want)
		}
	}
}

func TestPretty(t *testing.T) {
	x, err := ParseTerm(`{listen, [{5222, ejabberd_c2s, [{access, c2s}, {shaper, c2s_shaper}, {max_stanza_size, 65536}, starttls,
		{certfile, "priv/ssl/fake_server.pem"}]}, {{5269, "::"}, ejabberd_s2s_in, []}]}`)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{listen, [{5222,
           ejabberd_c2s, [{access, c2s},
                          {shaper, c2s_shaper},
                          {max_stanza_size, 65536},
                          starttls,
                          {certfile, "priv/ssl/fake_server.pem"}]},
          {{5269, "::"}, ejabberd_s2s_in, []}]}`
	if got := string(AppendPretty(nil, x, 0)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestLimits: what Erlang reads and we do not has a diagnostic of its own, and
// reading goes on.
func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		name, src string
		opt       Option
		want      string
		terms     int
	}{
		{"depth", "{a, {{{b}}}}. {c}.", MaxDepth(3), "more than 3 brackets are open here", 1},
		{"depth of parentheses", "(((((b))))). {c}.", MaxDepth(3), "more than 3 brackets", 1},
		{"depth of what is no term", strings.Repeat("- ", 200) + "a. {c}.", MaxDepth(3), "nested too deeply", 1},
		{"digits", "{a, 12345678901234567890123}. {c}.", MaxDigits(20), "a number of 23 digits", 1},
		{"digits of a float", "{a, 1.23456}. {c}.", MaxDigits(5), "a number of 7 digits", 1},
		{"binary", "{a, <<0:8000>>}. {c}.", MaxBinary(10), "a binary of more than 10 bytes", 1},
		{"binary of text", "{a, <<\"0123456789a\":16>>}. {c}.", MaxBinary(10), "a binary of more than 10 bytes", 1},
		{"size", "{a}. {c}.", MaxSize(5), "the file has 9 bytes", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, l := Parse("x.cfg", []byte(tt.src), tt.opt)
			if len(l) != 1 || l[0].Code != codeLimit || l[0].Severity != diag.Error || !strings.Contains(l[0].Summary, tt.want) || l[0].Erlang != "" {
				t.Errorf("%v, want one with %q", l, tt.want)
			}
			if len(f.Terms) != tt.terms {
				t.Errorf("%d terms, want %d", len(f.Terms), tt.terms)
			}
			checkDiagnostics(t, f, l)
			if g, l := Parse("x.cfg", []byte(tt.src)); g.Erlang == "" && len(l) != 0 {
				t.Errorf("with the usual bounds: %v", l)
			}
		})
	}
	_, l := Parse("x.cfg", []byte(strings.Repeat("{X}.\n", 1000)), MaxFaults(7))
	if len(l) != 7 {
		t.Errorf("%d faults, want 7", len(l))
	}
}

// TestFixed: the mended file has fewer faults, and what has fixes only reads.
func TestFixed(t *testing.T) {
	files, _ := filepath.Glob("../testdata/terms/*.cfg")
	n := 0
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, l := Parse(name, src)
		if len(f.Fixes) == 0 {
			continue
		}
		n++
		g, m := Parse(name, f.Fixed())
		if m.Count(diag.Error) >= l.Count(diag.Error) {
			t.Errorf("%s: %d errors before, %d after: %v", name, l.Count(diag.Error), m.Count(diag.Error), m)
		}
		if len(g.Terms) < len(f.Terms) {
			t.Errorf("%s: %d terms before, %d after", name, len(f.Terms), len(g.Terms))
		}
	}
	if n < 15 {
		t.Errorf("only %d files have fixes", n)
	}
	for _, name := range []string{"comma-trailing", "comma-missing", "comma-double", "dot-missing", "dot-missing-at-end", "dot-blank", "quote-unclosed", "reserved", "crlf", "bom", "comment-hash"} {
		src, err := os.ReadFile("../testdata/terms/" + name + ".cfg")
		if err != nil {
			t.Fatal(err)
		}
		f, _ := Parse(name, src)
		if g, l := Parse(name, f.Fixed()); g.Erlang != "" {
			t.Errorf("%s: still %v", name, l)
		}
	}
}

func TestPosition(t *testing.T) {
	f, _ := Parse("x.cfg", []byte("{é,\n 日本, b}.\n"))
	for _, tt := range []struct{ off, line, col int }{{0, 1, 1}, {3, 1, 3}, {5, 2, 1}, {12, 2, 4}, {-1, 1, 1}, {99, 3, 1}} {
		if line, col := f.Position(tt.off); line != tt.line || col != tt.col {
			t.Errorf("byte %d is at %d:%d, want %d:%d", tt.off, line, col, tt.line, tt.col)
		}
	}
	f, _ = Parse("x.cfg", []byte("% coding: latin-1\n{\xE9, b}.\n"))
	if !f.Latin1() {
		t.Error("the coding comment is not seen")
	}
	if at := f.Terms[0].(*Tuple).Elems[1].Span(); at.Line != 2 || at.Col != 5 {
		t.Errorf("b is at %v", at)
	}
}

// TestSpans: each term of a file knows its bytes.
func TestSpans(t *testing.T) {
	const src = "% c\n{a, [\"x\" \n \"y\", - 5, ((b)), -(7) | t],\n #{k=>1.5}, <<\"b\">>, fun m:f/1, 'é', $\\n}."
	f, l := Parse("x.cfg", []byte(src))
	if f.Erlang != "" {
		t.Fatal(l)
	}
	var got []string
	var walk func(x Term)
	walk = func(x Term) {
		at := x.Span()
		got = append(got, src[at.Start:at.End])
		if line, col := f.Position(at.Start); line != at.Line || col != at.Col {
			t.Errorf("%v is at %d:%d", at, line, col)
		}
		switch x := x.(type) {
		case *Tuple:
			for _, e := range x.Elems {
				walk(e)
			}
		case *List:
			for _, e := range x.Elems {
				walk(e)
			}
			if x.Tail != nil {
				walk(x.Tail)
			}
		case *Map:
			for _, p := range x.Pairs {
				walk(p.Key)
				walk(p.Value)
			}
		}
	}
	walk(f.Terms[0])
	want := []string{src[4 : len(src)-1], "a", "[\"x\" \n \"y\", - 5, ((b)), -(7) | t]", "\"x\" \n \"y\"", "- 5", "b", "-(7)", "t", "#{k=>1.5}", "k", "1.5", "<<\"b\">>", "fun m:f/1", "'é'", "$\\n"}
	if strings.Join(got, "\x00") != strings.Join(want, "\x00") {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// TestCleanFiles: the configurations of the corpus that work get no warnings that
// are not deserved.
func TestCleanFiles(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(shared(t), "corpus", "mim*.cfg"))
	for _, name := range files {
		if strings.Contains(name, "template") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, l := Parse(name, src)
		if len(l) != 0 {
			t.Errorf("%s: %v", name, l)
		}
		checkFile(t, f, l)
	}
}
