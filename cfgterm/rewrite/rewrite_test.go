package rewrite

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"meerkat/cfgterm"
)

func parse(t testing.TB, src string) *cfgterm.File {
	t.Helper()
	f, l := cfgterm.Parse("x.cfg", []byte(src))
	if l.HasErrors() {
		t.Fatalf("%q: %v", src, l.Err())
	}
	return f
}

func term(t testing.TB, text string) cfgterm.Term {
	t.Helper()
	v, err := cfgterm.ParseTerm(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}

// at follows indices into lists and tuples, the first into the file.
func at(f *cfgterm.File, path ...int) cfgterm.Term {
	v := f.Terms[path[0]]
	for _, i := range path[1:] {
		switch x := v.(type) {
		case *cfgterm.List:
			v = x.Elems[i]
		case *cfgterm.Tuple:
			v = x.Elems[i]
		}
	}
	return v
}

const listen = `%% ports
{listen,
 [
  {5222, ejabberd_c2s, [ % clients
    {access, c2s},
    %% {certfile, "x"},
    {shaper, normal}   % slow
  ]},

  % servers
  {5269, ejabberd_s2s_in, []}
 ]}. % end

{loglevel, 3}.
{hosts, ["a", "b", "c"]}.
`

func TestEdits(t *testing.T) {
	tests := []struct {
		name string
		src  string
		edit func(e *Editor, f *cfgterm.File) error
		want string
	}{
		{"replace", listen, func(e *Editor, f *cfgterm.File) error {
			return e.Replace(at(f, 1, 1), &cfgterm.Int{N: 4})
		}, strings.Replace(listen, "{loglevel, 3}", "{loglevel, 4}", 1)},
		{"replace a key", "{a,#{k=>v}}.", func(e *Editor, f *cfgterm.File) error {
			return e.Replace(at(f, 0, 1).(*cfgterm.Map).Pairs[0].Key, &cfgterm.Binary{Bytes: []byte("x")})
		}, "{a,#{<<\"x\">>=>v}}."},
		{"replace a signed number in parentheses", "{a, -(1)}.", func(e *Editor, f *cfgterm.File) error {
			return e.Replace(at(f, 0, 1), &cfgterm.Atom{Name: "b"})
		}, "{a, b}."},
		{"remove in the middle of a line", listen, func(e *Editor, f *cfgterm.File) error {
			return e.Remove(at(f, 2, 1), 1)
		}, strings.Replace(listen, `"a", "b", "c"`, `"a", "c"`, 1)},
		{"remove the last of a line", listen, func(e *Editor, f *cfgterm.File) error {
			return e.Remove(at(f, 2, 1), 2)
		}, strings.Replace(listen, `"a", "b", "c"`, `"a", "b"`, 1)},
		{"remove the first and the last", listen, func(e *Editor, f *cfgterm.File) error {
			return errors.Join(e.Remove(at(f, 2, 1), 0), e.Remove(at(f, 2, 1), 2))
		}, strings.Replace(listen, `"a", "b", "c"`, `"b"`, 1)},
		{"remove all", listen, func(e *Editor, f *cfgterm.File) error {
			l := at(f, 2, 1)
			return errors.Join(e.Remove(l, 0), e.Remove(l, 1), e.Remove(l, 2))
		}, strings.Replace(listen, `["a", "b", "c"]`, `[]`, 1)},
		{"remove a line", listen, func(e *Editor, f *cfgterm.File) error {
			return e.Remove(at(f, 0, 1, 0, 2), 0)
		}, strings.Replace(listen, "    {access, c2s},\n", "", 1)},
		{"remove the last line of a list", listen, func(e *Editor, f *cfgterm.File) error {
			return e.Remove(at(f, 0, 1, 0, 2), 1)
		}, strings.Replace(strings.Replace(listen, "c2s},\n", "c2s}\n", 1), "    {shaper, normal}   % slow", "       % slow", 1)},
		{"remove a block", listen, func(e *Editor, f *cfgterm.File) error {
			return e.Remove(at(f, 0, 1), 1)
		}, strings.Replace(strings.Replace(listen, "  ]},\n", "  ]}\n", 1), "  {5269, ejabberd_s2s_in, []}\n", "", 1)},
		{"remove a term", listen, func(e *Editor, f *cfgterm.File) error {
			return e.RemoveTerm(1)
		}, strings.Replace(listen, "{loglevel, 3}.\n", "", 1)},
		{"remove a term with a comment", listen, func(e *Editor, f *cfgterm.File) error {
			return e.RemoveTerm(0)
		}, "%% ports\n % end\n" + listen[strings.Index(listen, "\n{loglevel"):]},
		{"insert into a line", listen, func(e *Editor, f *cfgterm.File) error {
			l := at(f, 2, 1)
			return errors.Join(e.Insert(l, 0, term(t, `"x"`)), e.Insert(l, 2, term(t, `"y"`)), e.Insert(l, 3, term(t, `"z"`)), e.Insert(l, 3, term(t, `"zz"`)))
		}, strings.Replace(listen, `"a", "b", "c"`, `"x", "a", "b", "y", "c", "z", "zz"`, 1)},
		{"insert a line", listen, func(e *Editor, f *cfgterm.File) error {
			return e.Insert(at(f, 0, 1, 0, 2), 1, term(t, "starttls"))
		}, strings.Replace(listen, "    {shaper", "    starttls,\n    {shaper", 1)},
		{"insert behind a comment", listen, func(e *Editor, f *cfgterm.File) error {
			return e.Insert(at(f, 0, 1, 0, 2), 2, term(t, "starttls"))
		}, strings.Replace(listen, "normal}   % slow\n", "normal},   % slow\n    starttls\n", 1)},
		{"insert into an empty list", listen, func(e *Editor, f *cfgterm.File) error {
			return e.Insert(at(f, 0, 1, 1, 2), 0, term(t, "{a, b}"))
		}, strings.Replace(listen, "s2s_in, []", "s2s_in, [{a, b}]", 1)},
		{"insert a block", listen, func(e *Editor, f *cfgterm.File) error {
			return e.Insert(at(f, 0, 1), 2, term(t, "{5280, ejabberd_cowboy, []}"))
		}, strings.Replace(listen, "s2s_in, []}\n", "s2s_in, []},\n  {5280, ejabberd_cowboy, []}\n", 1)},
		{"insert a term", listen, func(e *Editor, f *cfgterm.File) error {
			return errors.Join(e.InsertTerm(1, term(t, "{language, \"en\"}")), e.InsertTerm(3, term(t, "{last, 1}")))
		}, strings.Replace(listen, "{loglevel", "{language, \"en\"}.\n{loglevel", 1) + "{last, 1}.\n"},
		{"insert without a line end", "{a}.", func(e *Editor, f *cfgterm.File) error {
			return e.InsertTerm(1, term(t, "{b}"))
		}, "{a}.\n{b}.\n"},
		{"insert into nothing", "% nothing yet", func(e *Editor, f *cfgterm.File) error {
			return e.InsertTerm(0, term(t, "{b}"))
		}, "% nothing yet\n{b}.\n"},
		{"remove and insert in one place", listen, func(e *Editor, f *cfgterm.File) error {
			l := at(f, 2, 1)
			return errors.Join(e.Remove(l, 2), e.Insert(l, 2, term(t, `"x"`)), e.Remove(l, 0), e.Insert(l, 0, term(t, `"y"`)))
		}, strings.Replace(listen, `"a", "b", "c"`, `"y", "b", "x"`, 1)},
		{"windows lines", "{a, [\r\n  x,\r\n  y\r\n]}.\r\n", func(e *Editor, f *cfgterm.File) error {
			return errors.Join(e.Insert(at(f, 0, 1), 2, term(t, "z")), e.Remove(at(f, 0, 1), 0))
		}, "{a, [\r\n  y,\r\n  z\r\n]}.\r\n"},
		{"latin-1", "%% coding: latin-1\n{a, \"\xE9\"}.\n", func(e *Editor, f *cfgterm.File) error {
			return e.Insert(f.Terms[0], 2, term(t, `{"é", 'ł'}`))
		}, "%% coding: latin-1\n{a, \"\xE9\", {\"\\x{e9}\", '\\x{142}'}}.\n"},
		{"parentheses", "{a, ((b)), (c)}.", func(e *Editor, f *cfgterm.File) error {
			return e.Remove(f.Terms[0], 1)
		}, "{a, (c)}."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := parse(t, tt.src)
			e, err := New(f)
			if err != nil {
				t.Fatal(err)
			}
			if err := tt.edit(e, f); err != nil {
				t.Fatal(err)
			}
			got, err := e.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			parse(t, string(got))
		})
	}
}

func TestRefused(t *testing.T) {
	f := parse(t, `{a, [b | [c]], "str", {d, [e]}}.`)
	faulty, _ := cfgterm.Parse("x.cfg", []byte("{a}"))
	if _, err := New(faulty); !errors.Is(err, ErrFaulty) {
		t.Errorf("faulty file: %v", err)
	}
	editor := func() *Editor {
		e, err := New(f)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := editor()
	for _, tt := range []struct {
		err  error
		want error
	}{
		{e.Replace(&cfgterm.Atom{Name: "x"}, &cfgterm.Atom{Name: "y"}), ErrForeign},
		{e.Replace(nil, &cfgterm.Atom{Name: "y"}), ErrForeign},
		{e.Remove(at(f, 0, 1), 0), ErrShape},
		{e.Remove(at(f, 0, 2), 0), ErrShape},
		{e.Remove(at(f, 0, 3), 2), ErrForeign},
		{e.Insert(at(f, 0, 3), 3, term(t, "x")), ErrForeign},
		{e.RemoveTerm(1), ErrForeign},
		{e.InsertTerm(2, term(t, "x")), ErrForeign},
	} {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%v, want %v", tt.err, tt.want)
		}
	}
	for name, edit := range map[string]func(e *Editor) error{
		"twice": func(e *Editor) error {
			return errors.Join(e.Replace(at(f, 0, 0), term(t, "x")), e.Replace(at(f, 0, 0), term(t, "y")))
		},
		"replace in removed": func(e *Editor) error {
			return errors.Join(e.Remove(f.Terms[0], 3), e.Replace(at(f, 0, 3, 0), term(t, "x")))
		},
		"remove in replaced": func(e *Editor) error {
			return errors.Join(e.Replace(at(f, 0, 3), term(t, "x")), e.Remove(at(f, 0, 3), 1))
		},
		"insert in removed": func(e *Editor) error { return errors.Join(e.RemoveTerm(0), e.Insert(at(f, 0, 3), 1, term(t, "x"))) },
		"nested": func(e *Editor) error {
			return errors.Join(e.Replace(at(f, 0, 3), term(t, "x")), e.Replace(at(f, 0, 3, 1), term(t, "y")))
		},
	} {
		e := editor()
		if err := edit(e); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if out, err := e.Bytes(); !errors.Is(err, ErrConflict) {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
}

// draw makes a file with a layout as people write it, and worse.
func draw(t *rapid.T) string {
	var b strings.Builder
	n := 0
	gap := func() {
		switch rapid.IntRange(0, 9).Draw(t, "gap") {
		case 0, 1:
			b.WriteString(" ")
		case 2:
			b.WriteString("\n  ")
		case 3:
			n++
			fmt.Fprintf(&b, " %% comment %d, [{.\"\n", n)
		case 4:
			b.WriteString("\t\r\n\n ")
		}
	}
	var value func(depth int)
	value = func(depth int) {
		gap()
		paren := rapid.IntRange(0, 9).Draw(t, "paren") == 0
		if paren {
			b.WriteString("(")
			gap()
		}
		k := rapid.IntRange(0, 5).Draw(t, "kind")
		if depth == 0 {
			k %= 3
		}
		switch k {
		case 0:
			b.WriteString(rapid.SampledFrom([]string{"a", "'B % c'", "mod_x", "5222", "-1", "- 2", "-(3)", "$,", "1.5"}).Draw(t, "atom"))
		case 1:
			b.WriteString(rapid.SampledFrom([]string{`"text % , ]"`, `""`, `"a" "b"`, "\"over\nlines\"", `<<"b">>`, "#{k => v}", "[]", "{}", "[x|y]"}).Draw(t, "text"))
		case 2:
			fmt.Fprintf(&b, "x%d", rapid.IntRange(0, 99).Draw(t, "n"))
		default:
			open, closing := "[", "]"
			if k > 3 {
				open, closing = "{", "}"
			}
			b.WriteString(open)
			for i := range rapid.IntRange(0, 4).Draw(t, "len") {
				if i > 0 {
					b.WriteString(",")
				}
				value(depth - 1)
			}
			gap()
			b.WriteString(closing)
		}
		gap()
		if paren {
			b.WriteString(")")
			gap()
		}
	}
	for range rapid.IntRange(0, 4).Draw(t, "terms") {
		value(3)
		b.WriteString(".")
		b.WriteString(rapid.SampledFrom([]string{"\n", " ", "\r\n", "% after\n", "\n\n"}).Draw(t, "end"))
	}
	gap()
	return b.String()
}

// tree is a term that can be edited.
type tree struct {
	old  cfgterm.Term
	new  cfgterm.Term // if replaced
	kids []*tree
	gone bool
	more map[int][]cfgterm.Term
}

func grow(t cfgterm.Term) *tree {
	n := &tree{old: t, more: map[int][]cfgterm.Term{}}
	switch t := t.(type) {
	case *cfgterm.List:
		for _, e := range t.Elems {
			n.kids = append(n.kids, grow(e))
		}
	case *cfgterm.Tuple:
		for _, e := range t.Elems {
			n.kids = append(n.kids, grow(e))
		}
	}
	return n
}

// result is the term that the edits make.
func (n *tree) result() cfgterm.Term {
	if n.new != nil {
		return n.new
	}
	var elems []cfgterm.Term
	for i, k := range n.kids {
		elems = append(elems, n.more[i]...)
		if !k.gone {
			elems = append(elems, k.result())
		}
	}
	elems = append(elems, n.more[len(n.kids)]...)
	switch t := n.old.(type) {
	case *cfgterm.List:
		return &cfgterm.List{Elems: elems, Tail: t.Tail}
	case *cfgterm.Tuple:
		return &cfgterm.Tuple{Elems: elems}
	}
	return n.old
}

// edit changes the tree and tells the editor.
func (n *tree) edit(t *rapid.T, e *Editor, lost *[]cfgterm.Term) error {
	fresh := func() cfgterm.Term {
		return rapid.SampledFrom([]cfgterm.Term{
			&cfgterm.Atom{Name: "new"}, &cfgterm.Int{N: -7}, &cfgterm.String{Text: "é\n%"},
			&cfgterm.Binary{Bytes: []byte("b")}, &cfgterm.Tuple{Elems: []cfgterm.Term{&cfgterm.Atom{Name: "K"}, &cfgterm.List{}}},
			&cfgterm.List{Elems: []cfgterm.Term{&cfgterm.String{Text: strings.Repeat("long ", 15)}, &cfgterm.String{Text: strings.Repeat("longer ", 9)}}},
		}).Draw(t, "fresh")
	}
	switch rapid.IntRange(0, 5).Draw(t, "what") {
	case 0:
		n.new = fresh()
		*lost = append(*lost, n.old)
		return e.Replace(n.old, n.new)
	case 1, 2:
		if len(n.kids) == 0 && !isBracket(n.old) {
			return nil
		}
		for i := range len(n.kids) + 1 {
			for rapid.IntRange(0, 4).Draw(t, "insert") == 0 {
				x := fresh()
				if err := e.Insert(n.old, i, x); err != nil {
					return err
				}
				n.more[i] = append(n.more[i], x)
			}
		}
	}
	for i, k := range n.kids {
		if rapid.IntRange(0, 5).Draw(t, "remove") == 0 {
			if err := e.Remove(n.old, i); err != nil {
				return err
			}
			k.gone = true
			*lost = append(*lost, k.old)
			continue
		}
		if err := k.edit(t, e, lost); err != nil {
			return err
		}
	}
	return nil
}

// isBracket reports whether a term was written with brackets of its own.
func isBracket(t cfgterm.Term) bool {
	switch t := t.(type) {
	case *cfgterm.List:
		return t.Tail == nil
	case *cfgterm.Tuple:
		return true
	}
	return false
}

// check edits a file and compares.
func check(t *rapid.T, src string) {
	f, l := cfgterm.Parse("x.cfg", []byte(src))
	if l.HasErrors() {
		t.Fatalf("%q: %v", src, l.Err())
	}
	e, err := New(f)
	if err != nil {
		t.Fatal(err)
	}
	var want, lost []cfgterm.Term
	add := func(i int) {
		for rapid.IntRange(0, 6).Draw(t, "term") == 0 {
			x := &cfgterm.Tuple{Elems: []cfgterm.Term{&cfgterm.Atom{Name: "term"}, &cfgterm.Int{N: int64(i)}}}
			if err := e.InsertTerm(i, x); err != nil {
				t.Fatal(err)
			}
			want = append(want, x)
		}
	}
	for i, x := range f.Terms {
		add(i)
		if rapid.IntRange(0, 5).Draw(t, "remove term") == 0 {
			if err := e.RemoveTerm(i); err != nil {
				t.Fatal(err)
			}
			lost = append(lost, x)
			continue
		}
		n := grow(x)
		if err := n.edit(t, e, &lost); err != nil && !errors.Is(err, ErrShape) {
			t.Fatal(err)
		} else if err != nil {
			t.Skip("a list with a tail")
		}
		want = append(want, n.result())
	}
	add(len(f.Terms))
	out, err := e.Bytes()
	if err != nil {
		t.Fatalf("%q: %v", src, err)
	}
	g, l := cfgterm.Parse("y.cfg", out)
	if l.HasErrors() || len(g.Terms) != len(want) {
		t.Fatalf("%q became\n%q: %v, %d terms, want %d", src, out, l.Err(), len(g.Terms), len(want))
	}
	for i := range want {
		if !cfgterm.Equal(g.Terms[i], want[i]) {
			t.Fatalf("%q became\n%q: term %d is\n%s, want\n%s", src, out, i, cfgterm.Format(g.Terms[i]), cfgterm.Format(want[i]))
		}
	}
	// Comments that are not within what went are there, in their order.
	rest := out
	for _, c := range f.Comments {
		within := false
		for _, x := range lost {
			at := x.Span()
			within = within || at.Start <= c.Start && c.End <= at.End
		}
		if within || strings.Contains(src, "(") { // parentheses go with what they enclose, and their comments too
			continue
		}
		i := bytes.Index(rest, f.Src[c.Start:c.End])
		if i < 0 {
			t.Fatalf("%q became\n%q: comment %q is gone", src, out, f.CommentText(c))
		}
		rest = rest[i+c.End-c.Start:]
	}
}

func TestProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { check(t, draw(t)) })
}

// TestUntouched: a file without edits comes out as it is.
func TestUntouched(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		src := draw(t)
		f, _ := cfgterm.Parse("x.cfg", []byte(src))
		e, err := New(f)
		if err != nil {
			t.Fatal(err)
		}
		out, err := e.Bytes()
		if err != nil || string(out) != src {
			t.Fatalf("%q became %q, %v", src, out, err)
		}
	})
}

func FuzzRewrite(f *testing.F) {
	f.Add([]byte(listen), uint8(1), uint8(2))
	f.Add([]byte("{a, [b,c|d], (e)}. f."), uint8(0), uint8(1))
	f.Add([]byte("%% coding: latin-1\n[\xE9, %\n(b) ]."), uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, src []byte, i, j uint8) {
		file, l := cfgterm.Parse("x.cfg", src)
		if l.HasErrors() || len(file.Terms) == 0 {
			return
		}
		e, err := New(file)
		if err != nil {
			t.Fatalf("%q: %v", src, err)
		}
		x := file.Terms[int(i)%len(file.Terms)]
		n := grow(x)
		if len(n.kids) > 0 && e.Remove(x, int(j)%len(n.kids)) == nil {
			n.kids[int(j)%len(n.kids)].gone = true
		}
		if e.Insert(x, len(n.kids), &cfgterm.Atom{Name: "new"}) == nil {
			n.more[len(n.kids)] = []cfgterm.Term{&cfgterm.Atom{Name: "new"}}
		}
		out, err := e.Bytes()
		if err != nil {
			t.Fatalf("%q: %v", src, err)
		}
		g, l := cfgterm.Parse("y.cfg", out)
		if g.Erlang != "" || len(g.Terms) != len(file.Terms) {
			t.Fatalf("%q became %q: %v", src, out, l)
		}
		if got := g.Terms[int(i)%len(file.Terms)]; !cfgterm.Equal(got, n.result()) {
			t.Fatalf("%q became %q: %s", src, out, cfgterm.Format(got))
		}
	})
}
