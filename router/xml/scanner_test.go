package xml

import (
	stdxml "encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// streamContext is what the header of a client's stream declares.
var streamContext = &Context{
	Default:  "jabber:client",
	Bindings: []Binding{{"stream", "http://etherx.jabber.org/streams"}, {"db", "jabber:server:dialback"}},
}

func TestScanner(t *testing.T) {
	var s Scanner
	text := `<message xml:lang="en" to='bob@localhost/b' xmlns:p='urn:p' id='a&amp;b' p:x='1'>` +
		`<body>hi</body> <p:y/><x xmlns='urn:x'><z/></x></message>`
	if err := s.Scan(text, streamContext); err != nil {
		t.Fatal(err)
	}
	if s.Name != "message" || s.Prefix != "" || s.Space != "jabber:client" {
		t.Errorf("root is %q:%q in %q", s.Prefix, s.Name, s.Space)
	}
	var attrs []string
	for i := range s.Attrs() {
		attrs = append(attrs, fmt.Sprintf("%s|%s|%s", s.AttrName(i), s.AttrValue(i), s.AttrText(i)))
	}
	want := []string{
		`xml:lang|en| xml:lang="en"`, `to|bob@localhost/b| to='bob@localhost/b'`, `xmlns:p|urn:p| xmlns:p='urn:p'`,
		`id|a&b| id='a&amp;b'`, `p:x|1| p:x='1'`,
	}
	if !slices.Equal(attrs, want) {
		t.Errorf("attributes\n%s\nwant\n%s", strings.Join(attrs, "\n"), strings.Join(want, "\n"))
	}
	if got := text[s.ContentFrom:s.ContentTo]; got != "<body>hi</body> <p:y/><x xmlns='urn:x'><z/></x>" {
		t.Errorf("content %q", got)
	}
	if s.Children != 3 || s.ChildName != "body" || s.ChildSpace != "" || s.Text || !s.Clean {
		t.Errorf("children %d, first %q in %q, text %v, clean %v", s.Children, s.ChildName, s.ChildSpace, s.Text, s.Clean)
	}
	if s.Elements != 5 || s.AttrCount != 5 || s.Texts != 2 {
		t.Errorf("counts %d %d %d", s.Elements, s.AttrCount, s.Texts)
	}
}

func TestScannerRoot(t *testing.T) {
	tests := []struct {
		text                string
		space, name, prefix string
		childSpace, child   string
		children            int
		text2, clean        bool
	}{
		{"<a/>", "jabber:client", "a", "", "", "", 0, false, true},
		{"<a></a >", "jabber:client", "a", "", "", "", 0, false, true},
		{"<a xmlns='urn:a'/>", "urn:a", "a", "", "", "", 0, false, true},
		{"<a xmlns=''/>", "", "a", "", "", "", 0, false, true},
		{"<p:a xmlns:p='urn:p'/>", "urn:p", "a", "p", "", "", 0, false, true},
		{"<stream:features/>", "http://etherx.jabber.org/streams", "features", "stream", "", "", 0, false, false},
		{"<a><db:b/></a>", "jabber:client", "a", "", "jabber:server:dialback", "b", 1, false, false},
		{"<a><b xmlns:db='urn:own' db:c=''/></a>", "jabber:client", "a", "", "", "b", 1, false, true},
		{"<a><b db:c=''/></a>", "jabber:client", "a", "", "", "b", 1, false, false},
		{"<a> <b xmlns='urn:b'/>\n</a>", "jabber:client", "a", "", "urn:b", "b", 1, false, true},
		{"<a>x<b/></a>", "jabber:client", "a", "", "", "b", 1, true, true},
		{"<a><b>x</b></a>", "jabber:client", "a", "", "", "b", 1, false, true},
		{"<a><![CDATA[x]]></a>", "jabber:client", "a", "", "", "", 0, true, false},
		{"<a><!----></a>", "jabber:client", "a", "", "", "", 0, false, false},
		{"<a><?p?></a>", "jabber:client", "a", "", "", "", 0, false, false},
		{"<a>\r\n</a>", "jabber:client", "a", "", "", "", 0, false, false},
		{"<a b='\r'/>", "jabber:client", "a", "", "", "", 0, false, false},
		{"<a\r/>", "jabber:client", "a", "", "", "", 0, false, false},
		{"<a></a\r>", "jabber:client", "a", "", "", "", 0, false, false},
		{"<a b\r=\r''/>", "jabber:client", "a", "", "", "", 0, false, false},
		{"<a>&#13;</a>", "jabber:client", "a", "", "", "", 0, true, true},
	}
	var s Scanner
	for _, tt := range tests {
		if err := s.Scan(tt.text, streamContext); err != nil {
			t.Errorf("%q: %v", tt.text, err)
			continue
		}
		if s.Space != tt.space || s.Name != tt.name || s.Prefix != tt.prefix || s.ChildSpace != tt.childSpace ||
			s.ChildName != tt.child || s.Children != tt.children || s.Text != tt.text2 || s.Clean != tt.clean {
			t.Errorf("%q: %q %q %q, child %q %q of %d, text %v, clean %v", tt.text,
				s.Space, s.Name, s.Prefix, s.ChildSpace, s.ChildName, s.Children, s.Text, s.Clean)
		}
	}
}

// TestScannerSize has the sizes of the recorded scenarios (max_stanza_size
// 1000) and one case for each part of the rule.
func TestScannerSize(t *testing.T) {
	message := func(n int) string {
		return "<message to='bob@localhost/b' id='1'><body>" + strings.Repeat("x", n) + "</body></message>"
	}
	tests := []struct {
		text string
		want int
	}{
		{message(940), 1000},
		{message(941), 1001},
		{message(935), 995},
		{"<a/>", 4},
		{"<a></a>", 4},
		{"<a  ></a >", 4},
		{"<a><!-- x --><?y?></a>", 4},
		{"<a><![CDATA[]]></a>", 4},
		{"<a>x</a>", 8},
		{"<a><b/></a>", 11},
		{"<stream:b/>", 11},
		{"<a bc='def'/>", 13},
		{"<a bc = \"d&amp;f\"/>", 13},
		{"<a bc='&#233;'/>", 12},
		{"<a bc='\r\n'/>", 11},
		{"<a>&lt;</a>", 11},
		{"<a>&gt;</a>", 11},
		{"<a>></a>", 11},
		{"<a>&amp;</a>", 12},
		{"<a>&#38;</a>", 12},
		{"<a>&quot;&apos;</a>", 9},
		{"<a>&#xe9;</a>", 9},
		{"<a>é</a>", 9},
		{"<a>]]&gt;</a>", 13},
		{"<a>\r\n</a>", 8},
		{"<a>\r\r</a>", 9},
		{"<a><![CDATA[<>&x\r\n]]></a>", 7 + 4 + 4 + 5 + 1 + 1},
		{"<a>x<!-- -->y</a>", 9},
	}
	var s Scanner
	for _, tt := range tests {
		if err := s.Scan(tt.text, streamContext); err != nil || s.Size != tt.want {
			t.Errorf("%.40q: size %d, %v; want %d", tt.text, s.Size, err, tt.want)
		}
	}
}

// TestScannerRefuses holds what XML 1.0, its namespaces, and RFC 6120 §4.9.3
// and §11 call wrong.
func TestScannerRefuses(t *testing.T) {
	many := "<a"
	for i := range 40 {
		many += fmt.Sprintf(" a%d=''", i)
	}
	prefixes := "<a"
	for i := range maxBindings + 1 {
		prefixes += fmt.Sprintf(" xmlns:p%d='u'", i)
	}
	tests := []struct {
		text string
		kind error
	}{
		{"", ErrNotWellFormed},
		{"x", ErrNotWellFormed},
		{"<a>", ErrNotWellFormed},
		{"<a", ErrNotWellFormed},
		{"<a/", ErrNotWellFormed},
		{"<a/ >", ErrNotWellFormed},
		{"<a / >", ErrNotWellFormed},
		{"<a/><b/>", ErrNotWellFormed},
		{"<a/> ", ErrNotWellFormed},
		{" <a/>", ErrNotWellFormed},
		{"<a></b>", ErrNotWellFormed},
		{"<a></ab>", ErrNotWellFormed},
		{"<a><b></a></b>", ErrNotWellFormed},
		{"<a></a", ErrNotWellFormed},
		{"<a></ a>", ErrNotWellFormed},
		{"<a>x", ErrNotWellFormed},
		{"<a><", ErrNotWellFormed},
		{"< a/>", ErrNotWellFormed},
		{"<1/>", ErrNotWellFormed},
		{"<-a/>", ErrNotWellFormed},
		{"<:a/>", ErrNotWellFormed},
		{"<a:/>", ErrNotWellFormed},
		{"<a+/>", ErrNotWellFormed},
		{"<stream:1/>", ErrNotWellFormed},
		{"<stream:a:b/>", ErrNotWellFormed},
		{"<a\u00D7/>", ErrNotWellFormed},
		{"<\u0301a/>", ErrNotWellFormed},
		{"<stream:\u0301/>", ErrNotWellFormed},

		{"<a b/>", ErrNotWellFormed},
		{"<a b=/>", ErrNotWellFormed},
		{"<a b=c/>", ErrNotWellFormed},
		{"<a b='c/>", ErrNotWellFormed},
		{"<a b='c''d'/>", ErrNotWellFormed},
		{"<a b='c'd='e'/>", ErrNotWellFormed},
		{"<a 'b'/>", ErrNotWellFormed},
		{"<a b='<'/>", ErrNotWellFormed},
		{"<a b='&'/>", ErrNotWellFormed},
		{"<a b='\x01'/>", ErrNotWellFormed},
		{"<a b='\uFFFE'/>", ErrNotWellFormed},
		{"<a b='1' b='1'/>", ErrNotWellFormed},
		{"<a><b c='1' d='' c='2'/></a>", ErrNotWellFormed},
		{many + " a7=''/>", ErrNotWellFormed},
		{"<a xmlns:p='u' xmlns:q='u' p:x='' q:x=''/>", ErrNotWellFormed},
		{many + " xmlns:p='u' xmlns:q='u' p:x='' q:x=''/>", ErrNotWellFormed},
		{"<a xmlns='u' xmlns='u'/>", ErrNotWellFormed},
		{"<a xmlns:p='u' xmlns:p='v'/>", ErrNotWellFormed},

		{"<p:a/>", ErrNotWellFormed},
		{"<a p:b=''/>", ErrNotWellFormed},
		{"<a><p:b/></a>", ErrNotWellFormed},
		{"<a><b xmlns:p='u'/><p:c/></a>", ErrNotWellFormed},
		{"<a xmlns:p=''/>", ErrNotWellFormed},
		{"<a xmlns:xml='urn:x'/>", ErrNotWellFormed},
		{"<a xmlns:xmlns='urn:x'/>", ErrNotWellFormed},
		{"<a xmlns:p='" + NamespaceXML + "'/>", ErrNotWellFormed},
		{"<a xmlns:p='" + NamespaceXMLNS + "'/>", ErrNotWellFormed},
		{"<a xmlns='" + NamespaceXML + "'/>", ErrNotWellFormed},
		{"<a xmlns='" + NamespaceXMLNS + "'/>", ErrNotWellFormed},
		{"<xmlns:a/>", ErrNotWellFormed},

		{"<a>&foo;</a>", ErrNotWellFormed},
		{"<a>&nbsp;</a>", ErrNotWellFormed},
		{"<a>&;</a>", ErrNotWellFormed},
		{"<a>& </a>", ErrNotWellFormed},
		{"<a>&amp</a>", ErrNotWellFormed},
		{"<a>&AMP;</a>", ErrNotWellFormed},
		{"<a>&#;</a>", ErrNotWellFormed},
		{"<a>&#x;</a>", ErrNotWellFormed},
		{"<a>&#xg;</a>", ErrNotWellFormed},
		{"<a>&#X41;</a>", ErrNotWellFormed},
		{"<a>&#a;</a>", ErrNotWellFormed},
		{"<a>&#0;</a>", ErrNotWellFormed},
		{"<a>&#1;</a>", ErrNotWellFormed},
		{"<a>&#xD800;</a>", ErrNotWellFormed},
		{"<a>&#xFFFF;</a>", ErrNotWellFormed},
		{"<a>&#x110000;</a>", ErrNotWellFormed},
		{"<a>&#99999999999999999999;</a>", ErrNotWellFormed},
		{"<a>]]></a>", ErrNotWellFormed},
		{"<a>\x00</a>", ErrNotWellFormed},
		{"<a>\x01</a>", ErrNotWellFormed},
		{"<a>\x0B</a>", ErrNotWellFormed},
		{"<a>\xC3\x28</a>", ErrNotWellFormed},
		{"<a>\xED\xA0\x80</a>", ErrNotWellFormed},
		{"<a>\xC0\xBC</a>", ErrNotWellFormed},
		{"<a>\uFFFE</a>", ErrNotWellFormed},
		{"<a>\uFFFF</a>", ErrNotWellFormed},

		{"<a><!-- x</a>", ErrNotWellFormed},
		{"<a><!-- -- --></a>", ErrNotWellFormed},
		{"<a><!-- --->x</a>", ErrNotWellFormed},
		{"<a><!--\x01--></a>", ErrNotWellFormed},
		{"<a><![CDATA[x]]</a>", ErrNotWellFormed},
		{"<a><![CDATA[\x01]]></a>", ErrNotWellFormed},
		{"<a><![CDATA[\uFFFF]]></a>", ErrNotWellFormed},
		{"<a><![cdata[x]]></a>", ErrNotWellFormed},
		{"<a><!DOCTYPE a></a>", ErrNotWellFormed},
		{"<a><!></a>", ErrNotWellFormed},
		{"<a><?p</a>", ErrNotWellFormed},
		{"<a><??></a>", ErrNotWellFormed},
		{"<a><? p?></a>", ErrNotWellFormed},
		{"<a><?p:q?></a>", ErrNotWellFormed},
		{"<a><?p+?></a>", ErrNotWellFormed},
		{"<a><?xml version='1.0'?></a>", ErrNotWellFormed},
		{"<a><?XML?></a>", ErrNotWellFormed},
		{"<a><?p \x01?></a>", ErrNotWellFormed},

		{prefixes + "/>", ErrTooDeep},
		{strings.Repeat("<a>", DefaultDepth+2), ErrTooDeep},
	}
	var s Scanner
	for _, tt := range tests {
		err := s.Scan(tt.text, streamContext)
		var x *Error
		if !errors.As(err, &x) || !errors.Is(err, tt.kind) {
			t.Errorf("%.60q: got %v, want %v", tt.text, err, tt.kind)
			continue
		}
		if tt.kind == ErrNotWellFormed && x.Condition() != "xml-not-well-formed" {
			t.Errorf("%.60q: condition %s", tt.text, x.Condition())
		}
		if x.Offset() < 0 || x.Offset() > len(tt.text) {
			t.Errorf("%.60q: offset %d", tt.text, x.Offset())
		}
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		err             *Error
		condition, text string
	}{
		{malformed("x", 1), "xml-not-well-formed", ""},
		{TooBig(), "policy-violation", "XML stanza is too big"},
		{&Error{kind: ErrTooDeep}, "policy-violation", "XML stanza is nested too deeply"},
		{&Error{kind: ErrEncoding}, "unsupported-encoding", ""},
	} {
		if tt.err.Condition() != tt.condition || tt.err.Text() != tt.text {
			t.Errorf("%v: %s, %s", tt.err, tt.err.Condition(), tt.err.Text())
		}
	}
}

func TestScannerAccepts(t *testing.T) {
	many := "<a"
	for i := range 40 {
		many += fmt.Sprintf(" a%d=''", i)
	}
	var s Scanner
	for _, text := range []string{
		"<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x41;&#xe9;&#x1F600;&#9;&#10;&#13;</a>",
		"<a b='&lt;&gt;&amp;&quot;&apos;&#65;'/>", "<a b='>' c=\"'\" d='\"'/>", "<a\n\tb\n=\n'x'\n/>",
		"<a>]] ]> ></a>", "<a>\x7F\u0085\uFFFD\U0001F600</a>", "<a\u00B7/>", "<é/>", "<_a-b.c/>", many + "/>",
		"<a xmlns:p='u' xmlns:q='v' p:x='' q:x='' x=''/>", "<a xml:lang='en' xml:space='preserve'/>",
		"<a xmlns:xml='" + NamespaceXML + "'/>", "<xml:a/>", "<a xmlns:p='u'><p:b xmlns:p='v' p:c=''/></a>",
		"<a><![CDATA[]]]]></a>", "<a><![CDATA[<a>&foo;]]></a>", "<a><!-- - --><?p x?y?></a>", "<a xmlns='urn:a'><b xmlns=''/></a>",
		strings.Repeat("<a>", DefaultDepth) + strings.Repeat("</a>", DefaultDepth),
	} {
		if err := s.Scan(text, streamContext); err != nil {
			t.Errorf("%.60q: %v", text, err)
		}
	}
}

func TestScanDoesNotAllocate(t *testing.T) {
	text := `<message to='bob@localhost/b' type='chat' id='1'><body>hello</body><x xmlns='urn:x'><y z='1'/></x></message>`
	var s Scanner
	if n := testing.AllocsPerRun(100, func() {
		if err := s.Scan(text, streamContext); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestScannerManyAttrs guards against comparing each attribute with each other.
func TestScannerManyAttrs(t *testing.T) {
	var b strings.Builder
	b.WriteString("<a")
	for i := range 200_000 {
		fmt.Fprintf(&b, " a%d=''", i)
	}
	b.WriteString("/>")
	var s Scanner
	if err := s.Scan(b.String(), nil); err != nil || s.Attrs() != 200_000 {
		t.Fatal(err, s.Attrs())
	}
	s.Release()
	if cap(s.root) > 1024 {
		t.Error("a released scanner keeps its attributes")
	}
}

func TestParseHeader(t *testing.T) {
	h, err := ParseHeader([]byte(`<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:foo='urn:foo' foo:bar='1' to='local&amp;host' version="1.0" xml:lang='en'>`))
	if err != nil {
		t.Fatal(err)
	}
	if h.Name != "stream" || h.Prefix != "stream" || h.Space != "http://etherx.jabber.org/streams" {
		t.Errorf("root is %q:%q in %q", h.Prefix, h.Name, h.Space)
	}
	if h.Attr("to") != "local&host" || h.Attr("version") != "1.0" || h.Attr("xml:lang") != "en" || h.Attr("from") != "" {
		t.Errorf("attributes %v", h.Attrs)
	}
	if v, ok := h.AttrNS("urn:foo", "bar"); v != "1" || !ok {
		t.Errorf("foo:bar is %q, %v", v, ok)
	}
	if _, ok := h.AttrNS("", "foo"); ok {
		t.Error("a declaration is found as an attribute")
	}
	if h.Context.Default != "jabber:client" || !slices.Equal(h.Context.Bindings, []Binding{{"stream", "http://etherx.jabber.org/streams"}, {"foo", "urn:foo"}}) {
		t.Errorf("context %+v", h.Context)
	}

	for text, size := range map[string]int{
		"<a>": 3, "<a/>": 3, "<s:a xmlns:s='u'>": 5 + 7 + 1 + 4, "<a b='c'>": 3 + 6,
	} {
		if h, err := ParseHeader([]byte(text)); err != nil || h.Size != size {
			t.Errorf("%s: size %d, %v; want %d", text, h.Size, err, size)
		}
	}
	for _, text := range []string{"", "<>", "<a", "<a><b>", "<p:a>", "<a b='1' b='2'>", "<a \xFF=''>", "</a>", "<a b='&x;'>"} {
		if h, err := ParseHeader([]byte(text)); err == nil {
			t.Errorf("%q: got %+v", text, h)
		}
	}
}

// canon writes a tree so that two trees that mean the same are equal. def is
// the default namespace around it.
func canon(b *strings.Builder, e *Element, def string) {
	if v, ok := e.LookupAttr("xmlns"); ok && v == "" {
		def = ""
	}
	space := e.Space
	if space == "" {
		space = def
	} else if e.Prefix == "" {
		def = space
	}
	fmt.Fprintf(b, "<{%s}%s", space, e.Name)
	var attrs []string
	for i := range e.Attrs {
		if a := &e.Attrs[i]; !a.IsDeclaration() {
			attrs = append(attrs, fmt.Sprintf(" {%s}%s=%q", a.Space, a.Local(), a.Value))
		}
	}
	slices.Sort(attrs)
	b.WriteString(strings.Join(attrs, ""))
	b.WriteByte('>')
	for _, n := range e.Children {
		if n.Element != nil {
			canon(b, n.Element, def)
		} else {
			fmt.Fprintf(b, "%s", strings.Trim(fmt.Sprintf("%q", n.Text), `"`))
		}
	}
	b.WriteString("</>")
}

func canonOf(e *Element, inherited string) string {
	var b strings.Builder
	canon(&b, e, inherited)
	return b.String()
}

// canonStd is canonOf for what encoding/xml reads. outer is put around text.
func canonStd(text string, outer *Context) (string, error) {
	root := "<root"
	if outer != nil {
		root += fmt.Sprintf(" xmlns='%s'", outer.Default)
		for _, b := range outer.Bindings {
			root += fmt.Sprintf(" xmlns:%s='%s'", b.Prefix, b.Space)
		}
	}
	d := stdxml.NewDecoder(strings.NewReader(root + ">" + text + "</root>"))
	var b strings.Builder
	var run strings.Builder
	depth := 0
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return b.String(), nil
		}
		if err != nil {
			return "", err
		}
		if c, ok := tok.(stdxml.CharData); ok {
			run.Write(c)
			continue
		}
		flush := func() {
			if run.Len() > 0 {
				fmt.Fprintf(&b, "%s", strings.Trim(fmt.Sprintf("%q", run.String()), `"`))
				run.Reset()
			}
		}
		switch tok := tok.(type) {
		case stdxml.StartElement:
			flush()
			if depth++; depth == 1 {
				continue
			}
			fmt.Fprintf(&b, "<{%s}%s", tok.Name.Space, tok.Name.Local)
			var attrs []string
			for _, a := range tok.Attr {
				if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
					continue
				}
				attrs = append(attrs, fmt.Sprintf(" {%s}%s=%q", a.Name.Space, a.Name.Local, a.Value))
			}
			slices.Sort(attrs)
			b.WriteString(strings.Join(attrs, "") + ">")
		case stdxml.EndElement:
			flush()
			if depth--; depth > 0 {
				b.WriteString("</>")
			}
		}
	}
}
