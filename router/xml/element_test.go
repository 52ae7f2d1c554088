package xml

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	tests := []struct{ in, want string }{
		{"<a/>", "<a xmlns='jabber:client'/>"},
		{"<a><b>x</b></a>", "<a xmlns='jabber:client'><b>x</b></a>"},
		{"<a xmlns='urn:a'><b/><c xmlns='urn:c'><d/></c></a>", "<a xmlns='urn:a'><b/><c xmlns='urn:c'><d/></c></a>"},
		{"<a xmlns='urn:a'><b xmlns=''><c/></b></a>", "<a xmlns='urn:a'><b xmlns=''><c/></b></a>"},
		{"<p:a xmlns:p='urn:p'><p:b p:c='1'/><d/></p:a>", "<p:a xmlns:p='urn:p'><p:b p:c='1'/><d xmlns='jabber:client'/></p:a>"},
		{"<db:result>k</db:result>", "<db:result xmlns:db='jabber:server:dialback'>k</db:result>"},
		{"<a><db:b/><db:c/></a>", "<a xmlns='jabber:client'><db:b xmlns:db='jabber:server:dialback'/><db:c xmlns:db='jabber:server:dialback'/></a>"},
		{"<a>1<!-- no -->2<?p?>3<![CDATA[<4>]]></a>", "<a xmlns='jabber:client'>123&lt;4&gt;</a>"},
		{"<a b=\"'&quot;&#10;\n&#13;\t\"/>", "<a xmlns='jabber:client' b='&apos;&quot;&#10; &#13; '/>"},
		{"<a>&lt;&gt;&amp;&quot;&apos;\r\n\r&#13;</a>", "<a xmlns='jabber:client'>&lt;&gt;&amp;\"'\n\n&#13;</a>"},
		{"<a><![CDATA[ ]]]]> </a>", "<a xmlns='jabber:client'> ]] </a>"},
		{"<a><![CDATA[]]></a>", "<a xmlns='jabber:client'/>"},
		{"<a xml:lang='en'/>", "<a xmlns='jabber:client' xml:lang='en'/>"},
		{"<a xmlns='jabber:client'><f xmlns='urn:f'><m xmlns='jabber:client'><b/></m></f></a>", "<a xmlns='jabber:client'><f xmlns='urn:f'><m xmlns='jabber:client'><b/></m></f></a>"},
	}
	for _, tt := range tests {
		e, err := Parse(tt.in, streamContext)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if got := e.String(); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.in, got, tt.want)
		}
	}
	if e, err := Parse("<a>", nil); err == nil {
		t.Errorf("got %v", e)
	}
}

func TestParseCleanRelative(t *testing.T) {
	text := "<message xmlns='jabber:server'><body/><x xmlns='urn:x'><y/><message xmlns='jabber:server'/></x><z xmlns='jabber:server'/></message>"
	e := ParseClean(text, "jabber:server", Counts{Elements: 6}, true)
	var got []string
	for c := range e.Elements() {
		got = append(got, c.Name+"="+c.Space)
		for d := range c.Elements() {
			got = append(got, d.Name+"="+d.Space)
		}
	}
	if want := []string{"body=", "x=urn:x", "y=urn:x", "message=jabber:server", "z="}; !slices.Equal(got, want) || e.Space != "" {
		t.Errorf("got %q in %q, want %q", got, e.Space, want)
	}
}

func TestBuilder(t *testing.T) {
	e := New("jabber:iq:roster", "query").Set("ver", "1").Set("ver", "a'b<c>\"&").Set("gone", "").Unset("gone").Add(
		New("", "item").Set("jid", "a@b").Add(New("", "group").SetText("x<y>&'\"")),
		nil,
		New("jabber:iq:roster", "item"),
		New("urn:other", "other").Set("xml:lang", "en").AddText("1").AddText("").AddText("2"),
	).AddRaw("<raw/>")
	want := `<query xmlns='jabber:iq:roster' ver='a&apos;b&lt;c&gt;&quot;&amp;'><item jid='a@b'><group>x&lt;y&gt;&amp;'"</group></item><item/><other xmlns='urn:other' xml:lang='en'>12</other><raw/></query>`
	if got := e.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := string(e.AppendTo([]byte("x"), "jabber:iq:roster")); got != "x"+strings.Replace(want, " xmlns='jabber:iq:roster'", "", 1) {
		t.Errorf("inside its own namespace: %s", got)
	}
}

func TestWriterPrefixes(t *testing.T) {
	features := New("http://etherx.jabber.org/streams", "features").Add(New("urn:x", "x"))
	features.Prefix = "stream"
	stream := Binding{"stream", "http://etherx.jabber.org/streams"}
	for _, tt := range []struct {
		e     *Element
		outer []Binding
		want  string
	}{
		{features, []Binding{stream}, "<stream:features><x xmlns='urn:x'/></stream:features>"},
		{features, nil, "<stream:features xmlns:stream='http://etherx.jabber.org/streams'><x xmlns='urn:x'/></stream:features>"},
		{features, []Binding{stream, {"stream", "urn:hidden"}}, "<stream:features xmlns:stream='http://etherx.jabber.org/streams'><x xmlns='urn:x'/></stream:features>"},
		{
			&Element{Name: "a", Prefix: "p", Space: "urn:p", Children: []Node{{Element: &Element{Name: "b", Prefix: "p", Space: "urn:p"}}, {Element: &Element{Name: "c", Prefix: "p", Space: "urn:q"}}, {Element: &Element{Name: "d", Prefix: "p", Space: "urn:p"}}}},
			nil, "<p:a xmlns:p='urn:p'><p:b/><p:c xmlns:p='urn:q'/><p:d/></p:a>",
		},
		{
			&Element{Name: "a", Attrs: []Attr{{Name: "p:x", Space: "urn:p", Value: "1"}, {Name: "p:y", Space: "urn:p", Value: "2"}}},
			nil, "<a xmlns:p='urn:p' p:x='1' p:y='2'/>",
		},
		{
			&Element{Name: "a", Attrs: []Attr{{Name: "xmlns:p", Value: "urn:p"}, {Name: "p:x", Space: "urn:p", Value: "1"}}},
			nil, "<a xmlns:p='urn:p' p:x='1'/>",
		},
		{ // a name that contradicts a declaration beside it
			&Element{Name: "a", Prefix: "p", Space: "urn:q", Attrs: []Attr{{Name: "xmlns:p", Value: "urn:p"}}},
			nil, "<p:a xmlns:p='urn:q'/>",
		},
	} {
		before := slices.Clone(tt.outer)
		if got := string(tt.e.AppendTo(nil, "", tt.outer...)); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
		if !slices.Equal(before, tt.outer) {
			t.Errorf("the caller's bindings became %v", tt.outer)
		}
	}
}

func TestEscape(t *testing.T) {
	for _, tt := range []struct{ in, text, attr string }{
		{"plain", "plain", "plain"},
		{"<>&'\"", `&lt;&gt;&amp;'"`, "&lt;&gt;&amp;&apos;&quot;"},
		{"\t\n\r", "\t\n&#13;", "&#9;&#10;&#13;"},
		{"é€😀\uFFFD", "é€😀\uFFFD", "é€😀\uFFFD"},
		{"a\x00\x1Fb", "a\uFFFD\uFFFDb", "a\uFFFD\uFFFDb"},
		{"é\xFFé\xC3", "é\uFFFDé\uFFFD", "é\uFFFDé\uFFFD"},
		{"é\uFFFE<\uFFFF", "é\uFFFD&lt;\uFFFD", "é\uFFFD&lt;\uFFFD"},
		{"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD", "\uFFFD\uFFFD\uFFFD"},
		{"]]>", "]]&gt;", "]]&gt;"},
	} {
		if got := string(AppendText([]byte("x"), tt.in)); got != "x"+tt.text {
			t.Errorf("text %q: got %q, want %q", tt.in, got, tt.text)
		}
		if got := string(AppendAttr([]byte("x"), tt.in)); got != "x"+tt.attr {
			t.Errorf("attribute %q: got %q, want %q", tt.in, got, tt.attr)
		}
	}
}

func TestLookups(t *testing.T) {
	e, err := Parse("<m xmlns='urn:m' a='1' xmlns:p='urn:p' p:b='2'>x<i>1</i><i xmlns='urn:i'>2</i>y<p:k/><i>3</i></m>", nil)
	if err != nil {
		t.Fatal(err)
	}
	if e.Attr("a") != "1" || e.Attr("p:b") != "2" || e.Attr("b") != "" {
		t.Errorf("attributes %v", e.Attrs)
	}
	if v, ok := e.AttrNS("urn:p", "b"); v != "2" || !ok {
		t.Errorf("p:b is %q, %v", v, ok)
	}
	if e.Text() != "xy" || e.First().Text() != "1" {
		t.Errorf("text %q, of the first %q", e.Text(), e.First().Text())
	}
	if e.ChildText("", "i") != "1" || e.ChildText("urn:m", "i") != "1" || e.ChildText("urn:i", "i") != "2" || e.Child("urn:x", "i") != nil {
		t.Error("Child finds the wrong one")
	}
	if c := e.ChildNS("urn:p"); !c.Is("urn:p", "k") || c.Is("urn:m", "k") || e.ChildNS("urn:x") != nil {
		t.Errorf("ChildNS finds %v", c)
	}
	n := 0
	for c := range e.Named("", "i") {
		n += len(c.Text())
	}
	for range e.Elements() {
		n += 10
		if n > 30 {
			break
		}
	}
	if n != 32 {
		t.Errorf("counted %d", n)
	}
	built := New("urn:m", "m").Add(New("", "i").SetText("1"), New("urn:m", "i"))
	if built.ChildText("urn:m", "i") != "1" || built.ChildText("", "i") != "1" {
		t.Error("a built child is not found")
	}
	var none *Element
	if none.Attr("a")+none.Text()+none.ChildText("", "b")+none.String() != "" || none.First() != nil || none.ChildNS("") != nil || none.Is("", "") || none.Clone() != nil || none.Detach() != nil {
		t.Error("nil has something")
	}
	if _, ok := none.AttrNS("", "a"); ok {
		t.Error("nil has an attribute")
	}
	for range none.Elements() {
		t.Error("nil has a child")
	}
}

func TestClone(t *testing.T) {
	text := "<a xmlns='urn:a' b='1'><c d='2'>x</c></a>"
	e, err := Parse(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Element{e.Clone(), e.Detach()} {
		if c.String() != text {
			t.Errorf("copy is %s", c)
		}
		c.Set("b", "changed").Add(New("", "new"))
		c.First().SetText("changed").Set("d", "changed")
		if e.String() != text {
			t.Fatalf("changing the copy gives %s", e)
		}
	}
}

// TestTreesDoNotOverlap checks that the slices cut from a tree's slabs do not
// run into each other.
func TestTreesDoNotOverlap(t *testing.T) {
	text := "<a xmlns='u'><b c='1'><d/></b><e f='2'><g/></e></a>"
	e, err := Parse(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := e.First()
	b.Attrs = append(b.Attrs, Attr{Name: "x", Value: "y"})
	b.Children = append(b.Children, Node{Text: "z"})
	if got, want := e.String(), "<a xmlns='u'><b c='1' x='y'><d/>z</b><e f='2'><g/></e></a>"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// An xmlText generates well-formed elements as peers may write them: both
// quotes, white space in tags, references, CDATA, comments, prefixes from
// inside and outside. Values hold no raw tabs and line ends, which encoding/xml
// does not normalise.
type xmlText struct {
	t *rapid.T
	b strings.Builder
}

func (x *xmlText) pick(label string, of ...string) string {
	return rapid.SampledFrom(of).Draw(x.t, label)
}

func (x *xmlText) element(depth int, bound []string) {
	prefix := ""
	decl := ""
	switch rapid.IntRange(0, 9).Draw(x.t, "name") {
	case 0, 1:
		p := x.pick("prefix", "p", "q", "db")
		decl = fmt.Sprintf(" xmlns:%s=%s", p, x.pick("space", "'urn:p'", `"urn:q"`, "'urn:r&amp;s'"))
		bound = append(bound[:len(bound):len(bound)], p)
		prefix = p + ":"
	case 2:
		prefix = rapid.SampledFrom(bound).Draw(x.t, "bound") + ":"
	case 3, 4:
		decl = " xmlns='" + x.pick("default", "urn:a", "urn:b", "jabber:client", "") + "'"
	}
	name := prefix + x.pick("local", "a", "body", "x1", "é-ü", "n.m")
	x.b.WriteString("<" + name)
	attrs := []string{decl}
	for _, a := range []string{"a", "to", "xml:lang", rapid.SampledFrom(bound).Draw(x.t, "bound") + ":z"} {
		if rapid.Bool().Draw(x.t, "attribute") {
			attrs = append(attrs, x.pick("gap", " ", "\n\t", "  ")+a+x.pick("eq", "=", " = ", "\n=")+
				x.pick("value", "'v'", `""`, `"'"`, `'"'`, "'&lt;&#38;&#x27;'", "'é😀'", "'>]]>'", "'&#10;'"))
		}
	}
	if rapid.Bool().Draw(x.t, "order") {
		slices.Reverse(attrs)
	}
	x.b.WriteString(strings.Join(attrs, "") + x.pick("end", "", " ", "\n"))
	n := 0
	if depth > 0 {
		n = rapid.IntRange(0, 4).Draw(x.t, "children")
	}
	if n == 0 && rapid.Bool().Draw(x.t, "short") {
		x.b.WriteString("/>")
		return
	}
	x.b.WriteString(">")
	for range n {
		if rapid.Bool().Draw(x.t, "child") {
			x.element(depth-1, bound)
		} else {
			x.b.WriteString(x.pick("text", "t", " ", "\n", "\r\n", "\r", "&lt;", "&amp;", "&#13;", "a > b", "]]", "\"'", "é€😀", "\uFFFD",
				"<!-- <c> & -->", "<!---->", "<?p <q>&?>", "<![CDATA[<c>&amp;]]>", "<![CDATA[\r\n]]]]>", "<![CDATA[]]>"))
		}
	}
	x.b.WriteString("</" + name + x.pick("close", "", " ", "\n") + ">")
}

// checkElement holds for every text that the scanner accepts.
func checkElement(t interface {
	Helper()
	Fatalf(string, ...any)
}, text string, outer *Context,
) {
	t.Helper()
	var s Scanner
	if err := s.Scan(text, outer); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	size, clean, counts := s.Size, s.Clean, s.Counts()

	// The framer finds the same element.
	if got := tokens(Documents, Limits{}, text); len(got) != 1 || got[0] != "Whole "+text {
		t.Fatalf("%q: the framer finds %q", text, got)
	}

	// The normaliser's text is clean, and it stays as it is.
	norm := Normalize(text, outer)
	def := &Context{}
	if outer != nil {
		def.Default = outer.Default
	}
	if err := s.Scan(norm, def); err != nil || !s.Clean {
		t.Fatalf("%q: normalised %q: %v, clean %v", text, norm, err, s.Clean)
	}
	if clean && norm != text {
		t.Fatalf("%q: is clean and normalised to %q", text, norm)
	}
	if clean && s.Counts() != counts {
		t.Fatalf("%q: counts %v", text, counts)
	}
	if again := Normalize(norm, def); again != norm {
		t.Fatalf("%q: normalised %q, then %q", text, norm, again)
	}
	if s.Size < size {
		t.Fatalf("%q: size %d, normalised %d", text, size, s.Size)
	}

	// Tree, tree of the normalised text, and what was written and read again
	// mean the same.
	e, err := Parse(text, outer)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	want := canonOf(e, def.Default)
	n, err := Parse(norm, def)
	if err != nil || canonOf(n, def.Default) != want {
		t.Fatalf("%q: normalised %q: %v\n got %s\nwant %s", text, norm, err, canonOf(n, def.Default), want)
	}
	for _, d := range []string{"", def.Default, "urn:a"} {
		out := string(e.AppendTo(nil, d))
		ctx := &Context{Default: d}
		r, err := Parse(out, ctx)
		if err != nil {
			t.Fatalf("%q: written as %q: %v", text, out, err)
		}
		if d != def.Default && strings.Contains(want, "{}") {
			continue // "" means the default namespace, which is another here
		}
		if got := canonOf(r, d); got != want {
			t.Fatalf("%q: written as %q\n got %s\nwant %s", text, out, got, want)
		}
		if err := s.Scan(out, ctx); err != nil || !s.Clean {
			t.Fatalf("%q: written as %q: %v, clean %v", text, out, err, s.Clean)
		}
	}

	// The tree's slabs were counted right.
	var elements, attrs, texts int
	var count func(*Element)
	count = func(e *Element) {
		elements++
		attrs += len(e.Attrs)
		for _, c := range e.Children {
			if c.Element != nil {
				count(c.Element)
			} else {
				texts++
			}
		}
	}
	count(n)
	if err := s.Scan(norm, def); err != nil || elements != s.Elements || attrs < s.AttrCount || texts != s.Texts {
		t.Fatalf("%q: %d %d %d in the tree, counted %d %d %d", norm, elements, attrs, texts, s.Elements, s.AttrCount, s.Texts)
	}
}

// TestAgainstStandard compares with encoding/xml.
func TestAgainstStandard(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := xmlText{t: t}
		x.element(4, []string{"stream", "db"})
		text := x.b.String()
		checkElement(t, text, streamContext)
		e, err := Parse(text, streamContext)
		if err != nil {
			t.Fatal(err)
		}
		want, err := canonStd(text, streamContext)
		if err != nil {
			t.Fatalf("encoding/xml refuses %q: %v", text, err)
		}
		if got := canonOf(e, "jabber:client"); got != want {
			t.Fatalf("%q:\n got %s\nwant %s", text, got, want)
		}
	})
}

// TestCutsOfGenerated cuts a stream of generated elements everywhere.
func TestCutsOfGenerated(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		x := xmlText{t: r}
		x.b.WriteString("<root>")
		for range rapid.IntRange(1, 2).Draw(r, "elements") {
			x.element(2, []string{"stream", "db"})
		}
		x.b.WriteString("</root>")
		checkCuts(t, Stream, x.b.String())
	})
}

func FuzzScanner(f *testing.F) {
	for _, s := range []string{
		"<a/>", "<message to='b' id='1'><body>x</body></message>", "<db:result>k</db:result>",
		"<a xmlns:p='u'><p:b p:c='&#10;'/></a>", "<a>\r\n<![CDATA[<]]]]></a>", "<a><!-- --><?p?></a>",
		"<a xmlns='u'><b xmlns=''/></a>", "<a>é\uFFFE</a>", "<a b='\r\n\t'/>", "<stream:a stream:b='' xml:c=''/>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s Scanner
		if s.Scan(text, streamContext) != nil {
			return
		}
		checkElement(t, text, streamContext)
		e, err := Parse(text, streamContext)
		if err != nil {
			t.Fatal(err)
		}
		// encoding/xml does not normalise values, has names of the fourth
		// edition, and reads names with "xml" its own way.
		if want, err := canonStd(text, streamContext); err == nil && !strings.ContainsAny(text, "\r\n\t") && !strings.Contains(text, "xml") {
			if got := canonOf(e, "jabber:client"); got != want {
				t.Fatalf("%q:\n got %s\nwant %s", text, got, want)
			}
		}
	})
}
