package scenario

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var streams = []struct {
	name, in string
	want     []string
	rest     string
}{
	{
		"a stream", "<?xml version='1.0'?>\n<stream:stream xmlns='jabber:client' xmlns:stream='" + nsStream + "' id='1'>\n<a b='1'>x</a> \n<c/></stream:stream>",
		[]string{"(stream-header) <stream:stream xmlns='jabber:client' xmlns:stream='" + nsStream + "' id='1'>", "<a b='1'>x</a>", "<c/>", "(end)"},
		"",
	},
	{
		"a new stream after success", "<stream:stream xmlns='jabber:client' xmlns:stream='" + nsStream + "'><success xmlns='" + nsSASL + "'/><stream:stream xmlns='jabber:client'>",
		[]string{"(stream-header) <stream:stream xmlns='jabber:client' xmlns:stream='" + nsStream + "'>", "<success xmlns='" + nsSASL + "'/>", "(stream-header) <stream:stream xmlns='jabber:client'>"},
		"",
	},
	{
		"namespaces", "<p:a xmlns:p='urn:p' p:b='1' xml:lang='en'><c xmlns='d'/></p:a>",
		[]string{"<a xmlns='urn:p' xmlns:p='urn:p' p:b='1' xml:lang='en'><c xmlns='d'/></a>"},
		"",
	},
	{"a '>' in quotes", "<a b='>' c=\"'>\">&gt;</a>", []string{"<a b='&gt;' c='&apos;&gt;'>&gt;</a>"}, ""},
	{"comments, instructions, CDATA", "<!-- <x> --><a><!-- -- --><?foo <y>?><![CDATA[<z>]]]]></a>", []string{"<a>&lt;z&gt;]]</a>"}, ""},
	{"references", "<a>&lt;&#x17e;&#382;&unknown;&;&amp;lt;&</a>", []string{"<a>&lt;žž&amp;unknown;&amp;;&amp;lt;&amp;</a>"}, ""},
	{"text between", "hello <a/> bye<b/>", []string{"(text) hello", "<a/>", "(text) bye", "<b/>"}, ""},
	{"an end too many", "<a/></a>", []string{"<a/>", "(text) </a>"}, ""},
	{"mismatched", "<a></b>", []string{"(text) mismatched </b> for <a>", "<a/>"}, ""},
	{"not a tag", "< a><b/>", []string{"(text) < a>", "<b/>"}, ""},
	{"bad UTF-8", "<a>\xff</a>", []string{"<a>\ufffd</a>"}, ""},
	{"spaces around =", "<a b = '1'\n c= \"2\" d e='3' />", []string{"<a b='1' c='2' e='3'/>"}, ""},
	{"not ended", "<a/><b><c/>x", []string{"<a/>"}, "<b><c/>x"},
	{"half a tag", "<a b='>", nil, "<a b='>"},
	{"only text", "  hello", nil, "hello"},
	{"only white space", " \n\t", nil, ""},
	{"stanza error", "<stream:error><x xmlns='y'/></stream:error>", []string{"<stream:error><x xmlns='y'/></stream:error>"}, ""},
}

func render(ev []event) (out []string) {
	for _, e := range ev {
		out = append(out, e.String())
	}
	return out
}

func TestReader(t *testing.T) {
	for _, tt := range streams {
		t.Run(tt.name, func(t *testing.T) {
			r := newReader(true, streamScope(nsClient))
			got := render(r.feed([]byte(tt.in)))
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("at once: %s", d)
			}
			if r.rest() != tt.rest {
				t.Errorf("rest %q, want %q", r.rest(), tt.rest)
			}
			r = newReader(true, streamScope(nsClient))
			var bytewise []event
			for i := range tt.in {
				bytewise = append(bytewise, r.feed([]byte(tt.in[i:i+1]))...)
			}
			if d := cmp.Diff(tt.want, render(bytewise)); d != "" && tt.name != "bad UTF-8" {
				t.Errorf("byte by byte: %s", d)
			}
		})
	}
}

func TestReaderBound(t *testing.T) {
	r := newReader(true, streamScope(nsClient))
	block := []byte("<a>" + strings.Repeat("x", 1<<20))
	for range 20 {
		for _, e := range r.feed(block) {
			if e.kind == evFault {
				return
			}
		}
	}
	t.Error("20 MiB of one element were taken")
}

func FuzzReader(f *testing.F) {
	for _, s := range streams {
		f.Add([]byte(s.in), 3)
	}
	f.Fuzz(func(t *testing.T, in []byte, cut int) {
		whole := newReader(true, streamScope(nsClient))
		want := render(whole.feed(in))
		parts := newReader(true, streamScope(nsClient))
		var got []string
		if cut < 0 || cut > len(in) {
			cut = len(in) / 2
		}
		got = append(got, render(parts.feed(in[:cut]))...)
		got = append(got, render(parts.feed(in[cut:]))...)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q cut at %d: %s", in, cut, d)
		}
		if whole.rest() != parts.rest() {
			t.Errorf("%q cut at %d: rest %q, %q", in, cut, whole.rest(), parts.rest())
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("# t\n@config base\n@users a\na login\na > <x y='${b64 ${nul}}'/>\na <* <x>${v:int}<${rest}/></x>\na nothing 5\n")
	f.Add("# t\n@differs 1 x\na open via=tcp\na header localhost v=1\na < (stream-header) <stream:stream x='${y}'>\na <! (closed)\n")
	f.Fuzz(func(t *testing.T, src string) {
		sc, err := Parse("f.scn", src)
		if (sc == nil) == (err == nil) {
			t.Errorf("%q: %v and %v", src, sc, err)
		}
		if sc != nil {
			sc.offered(&Target{})
			sc.forTarget(false)
		}
	})
}
