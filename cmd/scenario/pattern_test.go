package scenario

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMatchText(t *testing.T) {
	known := bindings{"who": "alice", "n": "5", "a.jid": "a@b/c"}
	tests := []struct {
		pat, val string
		ok       bool
		fresh    bindings
	}{
		{"", "", true, nil},
		{"abc", "abc", true, nil},
		{"abc", "abcd", false, nil},
		{"a.c", "abc", false, nil},
		{"${*}", "anything\nat all", true, nil},
		{"${*}", "", true, nil},
		{"push${*}", "push123", true, nil},
		{"push${*}", "pull123", false, nil},
		{"${*}end", "the end end", true, nil},
		{"${x}", "v", true, bindings{"x": "v"}},
		{"${x}", "", true, bindings{"x": ""}},
		{"${x:some}", "", false, nil},
		{"${x:some}", "y", true, bindings{"x": "y"}},
		{"${who}", "alice", true, nil},
		{"${who}", "bob", false, nil},
		{"${who:int}", "alice", true, nil}, // bound: the class is not looked at
		{"${a.jid}", "a@b/c", true, nil},
		{"${x}@${y}", "a@b@c", true, bindings{"x": "a", "y": "b@c"}},
		{"${x}-${x}", "ab-ab", true, bindings{"x": "ab"}},
		{"${x}-${x}", "a-a-a-a", true, bindings{"x": "a-a"}},
		{"${x}-${x}", "ab-ba", false, nil},
		{"${x:int}", "-12", true, bindings{"x": "-12"}},
		{"${x:int}", "-", false, nil},
		{"${x:int}", "1a", false, nil},
		{"${x:int}${y:int}", "123", true, bindings{"x": "12", "y": "3"}},
		{"${x:hex}", "00ff", true, bindings{"x": "00ff"}},
		{"${x:hex}", "00FF", false, nil},
		{"${:HEX}", "00FF", true, nil},
		{"${:HEX}", "", false, nil},
		{"${:b64}", "ab+/=", true, nil},
		{"${:b64}", "a b", false, nil},
		{"${:word}", "a-b", true, nil},
		{"${:word}", "a b", false, nil},
		{"${:word}!", "a!b!", true, nil},
		{"${:uuid}", "00000000-1111-2222-aAaA-333333333333", true, nil},
		{"${:uuid}", "00000000-1111-2222-aaaa-33333333333", false, nil},
		{"${ts}", "2015-01-02T03:04:05Z", true, nil},
		{"${ts}", "2015-01-02T03:04:05.678+01:00", true, nil},
		{"${ts}", "20150102T03:04:05", true, nil},
		{"${ts}", "yesterday", false, nil},
		{"${ts1} and ${ts1}", "20150102T03:04:05 and 20150102T03:04:05", true, bindings{"ts1": "20150102T03:04:05"}},
		{"${ts1}", "x", false, nil},
		{"a${sp}${nl}${tab}${crlf}${dollar}", "a \n\t\r\n$", true, nil},
		{"(base64)v=${x}", "dj1oZWxsbw==", true, bindings{"x": "hello"}},
		{"(base64)v=${x}", "dj1oZWxsbw", true, bindings{"x": "hello"}},
		{"(base64)v=${x}", "***", false, nil},
		{"(base64)r=abc${:b64},s=${:b64},i=4096", "cj1hYmNERUYscz1hYmM9LGk9NDA5Ng==", true, nil},
		{"ž${x}ž", "žüž", true, bindings{"x": "ü"}},
		{"{}$", "{}$", true, nil},
	}
	for _, tt := range tests {
		fresh, ok := matchText(tt.pat, tt.val, known)
		if len(fresh) == 0 || !ok {
			fresh = nil
		}
		if ok != tt.ok || cmp.Diff(tt.fresh, fresh) != "" {
			t.Errorf("%q against %q: %v %v, want %v %v", tt.pat, tt.val, ok, fresh, tt.ok, tt.fresh)
		}
	}
}

func TestMatchElement(t *testing.T) {
	tests := []struct {
		name, pat, in string
		why           string // part of the reason; "" if it matches
		vars          bindings
	}{
		{"attributes in any order", "<a x='1' y='2'/>", "<a y=\"2\" x='1'></a>", "", nil},
		{"missing attribute", "<a x='1' y='2'/>", "<a y='2'/>", "/a: attribute x missing", nil},
		{"unexpected attribute", "<a/>", "<a y='2'/>", "/a: unexpected attribute y='2'", nil},
		{"further attributes allowed", "<a x='${v}' ${rest}=''/>", "<a y='2' x='1'/>", "", bindings{"v": "1"}},
		{"value", "<a x='1'/>", "<a x='2'/>", "/a: x='2', expected '1'", nil},
		{"duplicate attribute", "<a x='1'/>", "<a x='1' x='1'/>", "/a: duplicate attribute", nil},
		{"entities", "<a x='&lt;&#x41;&apos;'/>", "<a x=\"&#60;A'\"/>", "", nil},
		{"name", "<a/>", "<b/>", "/: element {jabber:client}b, expected {jabber:client}a", nil},
		{"namespace", "<a xmlns='x'/>", "<a/>", "element {jabber:client}a, expected {x}a", nil},
		{"prefixes don't matter", "<a xmlns='urn:a'><b/></a>", "<p:a xmlns:p='urn:a'><p:b/></p:a>", "", nil},
		{"attribute prefixes don't matter", "<a xmlns:q='u' q:x='1'/>", "<a xmlns:p='u' p:x='1'/>", "", nil},
		{"attribute namespace", "<a x='1'/>", "<a xmlns:p='u' p:x='1'/>", "attribute x missing", nil},
		{"xml prefix", "<a xml:lang='en'/>", "<a xml:lang='en'/>", "", nil},
		{"declarations are not compared", "<a/>", "<a xmlns:foo='bar'/>", "", nil},
		{"unbound prefix", "<a><p:x/></a>", "<a><p:x/></a>", "", nil},
		{"unbound is not the default", "<a><x/></a>", "<a><p:x/></a>", "expected {jabber:client}x", nil},
		{"stream prefix", "<stream:error><x xmlns='u'/></stream:error>", "<error xmlns='http://etherx.jabber.org/streams'><x xmlns='u'/></error>", "", nil},
		{"white space between elements", "<a><b/><c/></a>", "<a>\n <b/>\n <c/>\n</a>", "", nil},
		{"white space as text", "<a>${sp}</a>", "<a> </a>", "", nil},
		{"white space is text", "<a> x </a>", "<a>x</a>", "text \"x\"", nil},
		{"children in order", "<a><b/><c/></a>", "<a><c/><b/></a>", "/a: element {jabber:client}c", nil},
		{"missing child", "<a><b/><c/></a>", "<a><b/></a>", "/a: child <c> missing", nil},
		{"unexpected child", "<a><b/></a>", "<a><b/><c/></a>", "/a: unexpected child <c>", nil},
		{"further children", "<a><${rest}/><b/><d/></a>", "<a>text<b/><c/><d/><e/></a>", "", nil},
		{"further children, one missing", "<a><${rest}/><b/><d/></a>", "<a><b/><c/></a>", "/a: element {jabber:client}c, expected {jabber:client}d", nil},
		{"any order", "<a><${unordered}/><b/><c x='${v}'/></a>", "<a><c x='1'/><b/></a>", "", bindings{"v": "1"}},
		{"any order, unexpected", "<a><${unordered}/><b/></a>", "<a><c/><b/></a>", "/a: unexpected child <c>", nil},
		{"any order, missing", "<a><${unordered}/><b/><c/></a>", "<a><c/></a>", "/a: no child like <b>", nil},
		{"any order and further", "<a><${unordered}/><${rest}/><b/></a>", "<a><c/><b/></a>", "", nil},
		{"any order, nearest reason", "<a><${unordered}/><b x='1'/></a>", "<a><b x='2'/></a>", "x='2', expected '1'", nil},
		{"any element", "<a><${any}/></a>", "<a><q/></a>", "", nil},
		{"any content", "<a>${*}</a>", "<a><b><c/></b>text</a>", "", nil},
		{"any content, none", "<a>${*}</a>", "<a/>", "", nil},
		{"text", "<a>x ${v} z</a>", "<a>x y z</a>", "", bindings{"v": "y"}},
		{"text where none is expected", "<a/>", "<a>x</a>", "/a: text \"x\", expected \"\"", nil},
		{"text and children", "<a>x<b/></a>", "<a>x<b/></a>", "", nil},
		{"CDATA and comments", "<a>&lt;x></a>", "<a><![CDATA[<x]]><!-- no -->></a>", "", nil},
		{"variable across the element", "<a x='${v}'><b>${v}</b></a>", "<a x='1'><b>1</b></a>", "", bindings{"v": "1"}},
		{"variable differs", "<a x='${v}'><b>${v}</b></a>", "<a x='1'><b>2</b></a>", "/a/b: text \"2\", expected \"${v}\"", nil},
		{"attempts that fail bind nothing", "<a><${unordered}/><b x='${v}' y='2'/></a>", "<a><${rest}/><b x='1' y='1'/><b x='2' y='2'/></a>", "unexpected child", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := parsePattern(tt.pat, nsClient)
			if err != nil {
				t.Fatal(err)
			}
			el, err := parseElement(tt.in, streamScope(nsClient))
			if err != nil {
				t.Fatal(err)
			}
			vars, why := p.match(event{el: el}, nil, nsClient)
			if (why == "") != (tt.why == "") || !strings.Contains(why, tt.why) {
				t.Fatalf("reason %q, want %q", why, tt.why)
			}
			if why == "" && cmp.Diff(tt.vars, vars) != "" {
				t.Errorf("bound %v, want %v", vars, tt.vars)
			}
		})
	}
}

func TestMatchOther(t *testing.T) {
	header := func(s string) event {
		ev := newReader(true, streamScope("")).feed([]byte(s))
		if len(ev) != 1 {
			t.Fatalf("%q: %v", s, ev)
		}
		return ev[0]
	}
	h := header("<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='" + nsStream + "' id='7' version='1.0'>")
	tests := []struct {
		pat string
		e   event
		why string
	}{
		{"(stream-header)", h, ""},
		{"(stream-header) <stream:stream xmlns='jabber:client' xmlns:stream='" + nsStream + "' id='${:int}' version='1.0'>", h, ""},
		{"(stream-header) <stream:stream xmlns='jabber:server' xmlns:stream='" + nsStream + "' id='7' version='1.0'>", h, "header xmlns='jabber:client', expected 'jabber:server'"},
		{"(stream-header) <stream:stream xmlns='jabber:client' id='7' version='1.0'>", h, "unexpected header attribute xmlns:stream"},
		{"(stream-header) <stream:stream xmlns='jabber:client' xmlns:stream='" + nsStream + "' id='7' from='a' version='1.0'>", h, "header attribute from missing"},
		{"(stream-header)", event{kind: evEnd}, "not a stream header"},
		{"(end)", event{kind: evEnd}, ""},
		{"(end)", event{kind: evClosed}, "not the end"},
		{"(closed)", event{kind: evClosed}, ""},
		{"(closed)", event{kind: evClosed, text: "1002"}, ""},
		{"(closed 1002)", event{kind: evClosed, text: "1002"}, ""},
		{"(closed 1002)", event{kind: evClosed, text: "1000"}, "not (closed 1002)"},
		{"(closed)", event{kind: evEnd}, "not (closed)"},
		{"(text) a${sp}b", event{kind: evText, text: "a b"}, ""},
		{"(text) a", event{kind: evText, text: "b"}, "the text differs"},
		{"(text) a", event{kind: evEnd}, "not text"},
		{"(ping)", event{kind: evEnd}, "no transport"},
		{"<a/>", event{kind: evEnd}, "not an element"},
	}
	for _, tt := range tests {
		p, err := parsePattern(tt.pat, nsClient)
		if err != nil {
			t.Errorf("%s: %v", tt.pat, err)
			continue
		}
		if _, why := p.match(tt.e, nil, nsClient); (why == "") != (tt.why == "") || !strings.Contains(why, tt.why) {
			t.Errorf("%s against %s: %q, want %q", tt.pat, tt.e, why, tt.why)
		}
	}
}

// An element without xmlns is in the namespace of the stream it came over.
func TestMatchStreamNamespace(t *testing.T) {
	p, err := parsePattern("<message><body/></message>", nsClient)
	if err != nil {
		t.Fatal(err)
	}
	for _, ns := range []string{nsClient, "jabber:component:accept", nsClient} {
		el, err := parseElement("<message xmlns='"+ns+"'><body/></message>", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, why := p.match(event{el: el}, nil, ns); why != "" {
			t.Errorf("%s: %s", ns, why)
		}
	}
}
