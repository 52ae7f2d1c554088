package xml

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// tokens feeds the pieces to a new Framer and returns what comes out, one line
// a token, the error as the last line.
func tokens(mode Mode, limits Limits, pieces ...string) []string {
	f := NewFramer(mode, limits)
	var out []string
	for _, p := range pieces {
		data := []byte(p)
		f.Push(data)
		for {
			tok, err := f.Next()
			if err != nil {
				if again, err2 := f.Next(); err2 != err || again.Kind != None {
					out = append(out, "the error does not stay")
				}
				return append(out, "! "+err.Error())
			}
			if tok.Kind == None {
				break
			}
			out = append(out, tok.Kind.String()+" "+string(tok.Raw))
		}
		for i := range data { // what was pushed is the caller's again
			data[i] = '#'
		}
	}
	if f.Pending() {
		out = append(out, "pending")
	}
	return out
}

// noSpace drops Space tokens, which depend on how the input is cut, and the
// reasons of errors.
func noSpace(out []string) []string {
	var kept []string
	for _, s := range out {
		if s != "Space " {
			kept = append(kept, s)
		}
	}
	return kept
}

const open = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"

func TestFramer(t *testing.T) {
	tests := []struct {
		name string
		mode Mode
		in   string
		want []string
	}{
		{"stream", Stream, open + "<a/><b>x</b></stream:stream>", []string{"Open " + open, "Whole <a/>", "Whole <b>x</b>", "Close </stream:stream>"}},
		{"declaration", Stream, "<?xml version='1.0'?>" + open, []string{"Open " + open}},
		{"declaration with encoding", Stream, `<?xml version="1.0" encoding="utf-8" standalone='yes' ?>` + open, []string{"Open " + open}},
		{"white space before all", Stream, "\n <?xml version='1.0'?>\n" + open, []string{"Open " + open}},
		{"byte order mark", Stream, "\xEF\xBB\xBF<?xml version='1.0'?><a>", []string{"Open <a>"}},
		{"comments and instructions", Stream, "<!-- < --><?p <?><a><!-- <b> --><b/><?p ?><!----></a>", []string{"Open <a>", "Whole <b/>", "Close </a>"}},
		{"inside an element", Stream, "<a><b><!-- </b> --><?p </b>?><![CDATA[</b>]]]></b>", []string{"Open <a>", "Whole <b><!-- </b> --><?p </b>?><![CDATA[</b>]]]></b>"}},
		{"text between elements", Stream, "<a>text ]]> & <b/>more", []string{"Open <a>", "Whole <b/>"}},
		{"> and / in values", Stream, `<a><b c='/>' d="'>"/><b c='/'></b>`, []string{"Open <a>", `Whole <b c='/>' d="'>"/>`, "Whole <b c='/'></b>"}},
		{"white space in tags", Stream, "<a\n><b\tc = 'd'\n/><c></c\n></a >", []string{"Open <a\n>", "Whole <b\tc = 'd'\n/>", "Whole <c></c\n>", "Close </a >"}},
		{"root without content", Stream, "<a/><b/>", []string{"Open <a/>", "Close "}},
		{"behind the end", Stream, "<a></a><b/>&<</c>", []string{"Open <a>", "Close </a>"}},
		{"nested", Stream, "<a><b><b><b/></b></b>", []string{"Open <a>", "Whole <b><b><b/></b></b>"}},
		{"names beyond ASCII", Stream, "<é><ü/></é>", []string{"Open <é>", "Whole <ü/>", "Close </é>"}},
		{"unfinished", Stream, "<a><b>", []string{"Open <a>", "pending"}},
		{"unfinished tag", Stream, "<a><b c='", []string{"Open <a>", "pending"}},
		{"second header", Stream, open + open, []string{"Open " + open, "pending"}},
		{"keep-alive before the header", Stream, " \n", []string{"Space "}},
		{"keep-alive", Stream, "<a>\n", []string{"Open <a>"}},

		{"text first", Stream, "GET / HTTP/1.1\r\n", []string{"! xml not well-formed: text outside the root element"}},
		{"text before the header", Stream, "x<a>", []string{"! xml not well-formed: text outside the root element"}},
		{"half a byte order mark", Stream, "\xEF<a>", []string{"! xml not well-formed: text outside the root element"}},
		{"byte order mark late", Stream, "<!---->\xEF\xBB\xBF<a>", []string{"! xml not well-formed: text outside the root element"}},
		{"UTF-16", Stream, "\xFE\xFF\x00<", []string{"! xml encoding not supported: byte order mark of UTF-16"}},
		{"UTF-16 without a mark", Stream, "<\x00?\x00", []string{"! xml not well-formed: no name behind <"}},
		{"Latin-1", Stream, "<?xml version='1.0' encoding='ISO-8859-1'?><a>", []string{"! xml encoding not supported: declared encoding is not UTF-8"}},
		{"XML 2.0", Stream, "<?xml version='2.0'?><a>", []string{"! xml not well-formed: XML version is not 1.0"}},
		{"declaration without version", Stream, "<?xml encoding='UTF-8'?><a>", []string{"! xml not well-formed: bad XML declaration"}},
		{"empty declaration", Stream, "<?xml?><a>", []string{"! xml not well-formed: XML declaration without a version"}},
		{"declaration out of order", Stream, "<?xml version='1.0' standalone='no' encoding='UTF-8'?><a>", []string{"! xml not well-formed: bad XML declaration"}},
		{"declaration without blanks", Stream, "<?xml version='1.0'encoding='UTF-8'?><a>", []string{"! xml not well-formed: bad XML declaration"}},
		{"declaration twice", Stream, "<?xml version='1.0'?><?xml version='1.0'?><a>", []string{"! xml not well-formed: XML declaration inside the document"}},
		{"declaration inside", Stream, "<a><?xml version='1.0'?>", []string{"Open <a>", "! xml not well-formed: XML declaration inside the document"}},
		{"declaration in capitals", Stream, "<?XML version='1.0'?><a>", []string{"! xml not well-formed: XML declaration inside the document"}},
		{"instruction without target", Stream, "<a><? x?>", []string{"Open <a>", "! xml not well-formed: processing instruction without a target"}},
		{"document type before the header", Stream, "<?xml version='1.0'?><!DOCTYPE stream:stream>", []string{"! xml not well-formed: declaration inside a stream"}},
		{"document type inside", Stream, "<a><!DOCTYPE foo><presence/>", []string{"Open <a>", "! xml not well-formed: declaration inside a stream"}},
		{"document type at its first letter", Stream, "<!D", []string{"! xml not well-formed: declaration inside a stream"}},
		{"entity inside an element", Stream, "<a><b><!ENTITY", []string{"Open <a>", "! xml not well-formed: declaration inside a stream"}},
		{"conditional section", Stream, "<a><b><![INCLUDE[", []string{"Open <a>", "! xml not well-formed: declaration inside a stream"}},
		{"CDATA between elements", Stream, "<a><![CDATA[x]]>", []string{"Open <a>", "! xml not well-formed: declaration inside a stream"}},
		{"two hyphens in a comment", Stream, "<a><!-- -- -->", []string{"Open <a>", "! xml not well-formed: -- inside a comment"}},
		{"comment ending in three hyphens", Stream, "<a><!-- --->", []string{"Open <a>", "! xml not well-formed: -- inside a comment"}},
		{"mismatch", Stream, "<a><b></c>", []string{"Open <a>", "! xml not well-formed: end tag does not match"}},
		{"mismatch one level down, with the end outstanding", Stream, "<a><b><c></b>", []string{"Open <a>", "! xml not well-formed: end tag does not match"}},
		{"good, then bad", Stream, "<a><b/><c></d>", []string{"Open <a>", "Whole <b/>", "! xml not well-formed: end tag does not match"}},
		{"end tag too many", Stream, "<a></b>", []string{"Open <a>", "! xml not well-formed: end tag without a start tag"}},
		{"end tag first", Stream, "</a>", []string{"! xml not well-formed: end tag without a start tag"}},
		{"blank behind <", Stream, "<a>< b>", []string{"Open <a>", "! xml not well-formed: no name behind <"}},
		{"digit behind <", Stream, "<1>", []string{"! xml not well-formed: no name behind <"}},
		{"colon behind <", Stream, "<:a>", []string{"! xml not well-formed: no name behind <"}},
		{"nothing between < and >", Stream, "<>", []string{"! xml not well-formed: no name behind <"}},
		{"bad name", Stream, "<a+b>", []string{"! xml not well-formed: bad name of an element"}},
		{"< in a tag", Stream, "<a <b>", []string{"! xml not well-formed: < inside a tag"}},

		{"documents", Documents, " <a/> <b>x</b>", []string{"Whole <a/>", "Whole <b>x</b>"}},
		{"documents with declarations", Documents, "<?xml version='1.0'?><a/><?xml version='1.0'?><b/>", []string{"Whole <a/>", "Whole <b/>"}},
		{"document without an end", Documents, "<stream:stream>", []string{"pending"}},
		{"text between documents", Documents, "<a/>x", []string{"Whole <a/>", "! xml not well-formed: text outside the root element"}},
		{"end tag between documents", Documents, "<a/></a>", []string{"Whole <a/>", "! xml not well-formed: end tag without a start tag"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tokens(tt.mode, Limits{}, tt.in)
			if strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
				t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
			checkCuts(t, tt.mode, tt.in)
		})
	}
}

// checkCuts tells whether the input gives the same tokens wherever it is cut,
// and byte for byte.
func checkCuts(t *testing.T, mode Mode, in string) {
	t.Helper()
	want := strings.Join(noSpace(tokens(mode, Limits{}, in)), "\n")
	for i := range in {
		if got := strings.Join(noSpace(tokens(mode, Limits{}, in[:i], in[i:])), "\n"); got != want {
			t.Fatalf("cut behind %q: got\n%s\nwant\n%s", in[:i], got, want)
		}
	}
	if got := strings.Join(noSpace(tokens(mode, Limits{}, strings.Split(in, "")...)), "\n"); got != want {
		t.Fatalf("character by character: got\n%s\nwant\n%s", got, want)
	}
	bytewise := make([]string, len(in))
	for i := range len(in) {
		bytewise[i] = in[i : i+1]
	}
	if got := strings.Join(noSpace(tokens(mode, Limits{}, bytewise...)), "\n"); got != want {
		t.Fatalf("byte by byte: got\n%s\nwant\n%s", got, want)
	}
}

func TestFramerSpace(t *testing.T) {
	got := tokens(Stream, Limits{}, "\n", "<a>", " ", "<b/> ", " \r\n", "x ", "<b>", " ", "</b>", " <!-- -->", "\t")
	want := []string{"Space ", "Open <a>", "Space ", "Whole <b/>", "Space ", "Whole <b> </b>", "Space "}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFramerLimits(t *testing.T) {
	limits := Limits{Bytes: 50, Depth: 3}
	body := strings.Repeat("x", 50-len("<b></b>"))
	long := strings.Repeat("x", 51)
	tests := []struct {
		name string
		in   string
		want error
	}{
		{"at the limit", "<a><b>" + body + "</b><b/>", nil},
		{"above", "<a><b>" + body + "x</b>", ErrTooBig},
		{"above, not finished", "<a><b>" + body + "xxxxx", ErrTooBig},
		{"empty element", "<a><b c='" + body + "'/>", ErrTooBig},
		{"comment inside", "<a><b><!--" + body + "--></b>", ErrTooBig},
		{"endless value", "<a><b c='" + long, ErrTooBig},
		{"endless name", "<a><b" + long, ErrTooBig},
		{"endless end tag", "<a><b></b" + long, ErrTooBig},
		{"endless comment", "<a><!--" + long, ErrTooBig},
		{"endless instruction", "<a><?" + long, ErrTooBig},
		{"endless declaration", "<?xml " + long, ErrTooBig},
		{"header", "<a b='" + body + "'>", ErrTooBig},
		{"endless header", "<a b='" + long, ErrTooBig},
		{"much ignored text", "<a>" + body + body + "<b/>" + body, nil},
		{"many small elements", "<a>" + strings.Repeat("<b>x</b>", 20), nil},
		{"at the depth", "<a><b><c><d><e></e></d></c></b>", nil},
		{"too deep", "<a><b><c><d><e><f>", ErrTooDeep},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{1, 7, 1000} {
				f := NewFramer(Stream, limits)
				var err error
				for at := 0; at < len(tt.in) && err == nil; at += size {
					f.Push([]byte(tt.in[at:min(at+size, len(tt.in))]))
					var tok Token
					for tok, err = f.Next(); err == nil && tok.Kind != None; tok, err = f.Next() {
					}
					if f.buf != nil && len(*f.buf) > limits.Bytes {
						t.Fatalf("%d bytes are kept", len(*f.buf))
					}
				}
				if !errors.Is(err, tt.want) {
					t.Errorf("reads of %d: got %v, want %v", size, err, tt.want)
				}
				if err != nil && f.Pending() {
					t.Error("the buffer outlives the error")
				}
			}
		})
	}
}

func TestLimitsFor(t *testing.T) {
	for size, want := range map[int]int{0: 10 << 20, 65536: 262144, 1000: 4096, 20 << 20: 20 << 20} {
		if got := LimitsFor(size).Bytes; got != want {
			t.Errorf("LimitsFor(%d) = %d, want %d", size, got, want)
		}
	}
}

func TestFramerDeepNesting(t *testing.T) {
	in := "<a><m>" + strings.Repeat("<x>", 200) + strings.Repeat("</x>", 200) + "</m><m/>"
	if got := tokens(Stream, Limits{}, in); len(got) != 3 || got[2] != "Whole <m/>" {
		t.Errorf("got %q", got)
	}
	if got := tokens(Stream, Limits{}, "<a><m>"+strings.Repeat("<x>", DefaultDepth+1)); len(got) != 2 || !strings.HasPrefix(got[1], "! "+ErrTooDeep.Error()) {
		t.Errorf("got %q", got)
	}
}

// next returns the next token as text.
func next(t *testing.T, f *Framer) string {
	t.Helper()
	tok, err := f.Next()
	if err != nil {
		t.Fatal(err)
	}
	return tok.Kind.String() + " " + string(tok.Raw)
}

func TestFramerReset(t *testing.T) {
	// The second stream comes right behind the element that ends the first
	// one, in every possible cut.
	const in = "<a><auth/><?xml version='1.0'?><b><c/><d>"
	for cut := range len(in) + 1 {
		f := NewFramer(Stream, Limits{})
		var got []string
		for _, p := range []string{in[:cut], in[cut:]} {
			data := []byte(p)
			f.Push(data)
			for tok := next(t, f); tok != "None "; tok = next(t, f) {
				got = append(got, tok)
				if tok == "Whole <auth/>" {
					f.Reset()
				}
			}
			for i := range data {
				data[i] = '#'
			}
		}
		if want := "Open <a>|Whole <auth/>|Open <b>|Whole <c/>"; strings.Join(got, "|") != want {
			t.Errorf("cut at %d: got %q", cut, got)
		}
		if string(f.Unread()) != "<d>" {
			t.Errorf("cut at %d: %q is left", cut, f.Unread())
		}
	}
}

func TestFramerResetOfUnfinished(t *testing.T) {
	f := NewFramer(Stream, Limits{})
	f.Push([]byte("<a><b"))
	for next(t, f) != "None " {
	}
	f.Reset()
	if got := next(t, f); got != "None " {
		t.Fatalf("got %s", got)
	}
	f.Push([]byte("2><c/>"))
	if got := next(t, f) + next(t, f); got != "Open <b2>Whole <c/>" {
		t.Errorf("got %s", got)
	}
}

func TestFramerPushBehindReset(t *testing.T) {
	// Whoever pushes without having taken all tokens loses nothing.
	f := NewFramer(Stream, Limits{})
	f.Push([]byte("<a><x>"))
	next(t, f)
	f.Reset()
	f.Push([]byte("<y/>"))
	if got := next(t, f) + next(t, f) + next(t, f); got != "Open <x>Whole <y/>None " {
		t.Errorf("got %s", got)
	}
}

func TestFramerDiscard(t *testing.T) {
	f := NewFramer(Stream, Limits{})
	f.Push([]byte("<a><starttls/><auth>secret</auth><auth>mo"))
	if got := next(t, f) + next(t, f); got != "Open <a>Whole <starttls/>" {
		t.Fatalf("got %s", got)
	}
	if got := string(f.Unread()); got != "<auth>secret</auth><auth>mo" {
		t.Errorf("unread: %q", got)
	}
	f.Discard()
	if got := next(t, f); got != "None " || len(f.Unread()) != 0 {
		t.Errorf("got %s, %q is left", got, f.Unread())
	}
	f.Push([]byte("<b>"))
	if got := next(t, f); got != "Open <b>" {
		t.Errorf("got %s", got)
	}
}

func TestFramerClosed(t *testing.T) {
	f := NewFramer(Stream, Limits{})
	f.Push([]byte("<body><a/></body>"))
	for tok := next(t, f); tok != "None "; tok = next(t, f) {
		if f.Closed() != (tok == "Close </body>") {
			t.Errorf("closed after %s: %v", tok, f.Closed())
		}
	}
	f.Init(Stream, Limits{})
	f.Push([]byte("<body/>"))
	if got := next(t, f); got != "Open <body/>" || f.Closed() {
		t.Errorf("got %s", got)
	}
	if got := next(t, f); got != "Close " || !f.Closed() {
		t.Errorf("got %s", got)
	}
}

// TestFramerBody reads BOSH bodies: the start tag is a header of its own, and
// the body is complete when it is closed and nothing is pending.
func TestFramerBody(t *testing.T) {
	f := NewFramer(Stream, Limits{})
	for _, tt := range []struct {
		in   string
		want string
		ok   bool
	}{
		{"<body xmlns='http://jabber.org/protocol/httpbind' rid='1'/>", "Open,Close", true},
		{"\n<body rid='2'><iq xmlns='jabber:client'/> text <iq/></body>\n", "Open,Whole,Whole,Close", true},
		{"<body rid='3'><iq/>", "Open,Whole", false},
		{"<body rid='4'><iq></body>", "Open,error", false},
		{"<body rid='5'", "", false},
		{"", "", false},
	} {
		f.Discard()
		f.Push([]byte(tt.in))
		var got []string
		for {
			tok, err := f.Next()
			if err != nil {
				got = append(got, "error")
				break
			}
			if tok.Kind == None {
				break
			}
			got = append(got, tok.Kind.String())
		}
		if strings.Join(got, ",") != tt.want || f.Closed() != tt.ok {
			t.Errorf("%q: got %s, closed %v", tt.in, strings.Join(got, ","), f.Closed())
		}
	}
}

func TestFramerInPlace(t *testing.T) {
	data := []byte(open + "<a>x</a><b/>")
	f := NewFramer(Stream, Limits{})
	f.Push(data)
	for {
		tok, err := f.Next()
		if err != nil {
			t.Fatal(err)
		}
		if tok.Kind == None {
			break
		}
		if i := bytes.Index(data, tok.Raw); i < 0 || &data[i] != &tok.Raw[0] {
			t.Errorf("%s was copied", tok.Raw)
		}
	}
	if f.buf != nil {
		t.Error("an idle framer holds a buffer")
	}
	for _, p := range []string{"<c>", "x", "</c><d/>"} {
		f.Push([]byte(p))
		for tok, _ := f.Next(); tok.Kind != None; tok, _ = f.Next() {
		}
	}
	if f.buf != nil {
		t.Error("a framer that is idle again holds a buffer")
	}
}

// TestFramerSlowTag guards against reading a tag again from its begin with
// each byte that arrives.
func TestFramerSlowTag(t *testing.T) {
	f := NewFramer(Stream, Limits{})
	f.Push([]byte("<a><b c='"))
	for range 2 {
		next(t, f)
	}
	one := []byte("x")
	for range 1 << 20 {
		f.Push(one)
		if tok, err := f.Next(); err != nil || tok.Kind != None {
			t.Fatal(tok, err)
		}
	}
	f.Push([]byte("'/>"))
	if tok, err := f.Next(); err != nil || tok.Kind != Whole || len(tok.Raw) != 1<<20+len("<b c=''/>") {
		t.Fatalf("got %v, %v", tok.Kind, err)
	}
}

func FuzzFramer(f *testing.F) {
	for _, s := range []string{
		open + "<a/><b>x</b></stream:stream>", "<?xml version='1.0'?><a><b c='>'/></a>", "<a><!-- - --><b><![CDATA[x]]></b><?p?>",
		"\xEF\xBB\xBF<a>", "<a/>", "<a><b></a>", "<!DOCTYPE", " \n",
	} {
		f.Add([]byte(s), uint16(3), uint16(9), false)
	}
	f.Fuzz(func(t *testing.T, in []byte, a, b uint16, documents bool) {
		mode := Stream
		if documents {
			mode = Documents
		}
		s := string(in)
		i, j := min(int(a), len(s)), min(int(a)+int(b), len(s))
		whole := noSpace(tokens(mode, Limits{}, s))
		cut := noSpace(tokens(mode, Limits{}, s[:i], s[i:j], s[j:]))
		if fmt.Sprint(whole) != fmt.Sprint(cut) {
			t.Fatalf("whole: %q\ncut:   %q", whole, cut)
		}
	})
}
