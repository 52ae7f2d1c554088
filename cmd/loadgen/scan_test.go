//go:build linux

package main

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var tokenNames = map[token]string{stanza: "stanza", streamOpen: "open", streamClose: "close"}

// cutStream reads input in pieces of the given size, through a small buffer.
func cutStream(in []byte, piece int) (out []string) {
	s := newScanner(8)
	for {
		b, t := s.scan()
		if t != needMore {
			out = append(out, tokenNames[t]+" "+string(b))
			continue
		}
		if len(in) == 0 {
			return out
		}
		n := copy(s.room(), in[:min(piece, len(in))])
		s.w += n
		in = in[n:]
	}
}

var streams = []struct {
	name, in string
	want     []string
}{
	{"a stream", "<?xml version='1.0'?><stream:stream a='>' b=\"'/>\"><x/> <y z='/>'>text</y>\n<a><b><c/></b><d></d></a></stream:stream>", []string{
		"open <stream:stream a='>' b=\"'/>\">", "stanza <x/>", "stanza <y z='/>'>text</y>", "stanza <a><b><c/></b><d></d></a>", "close </stream:stream>",
	}},
	{"two headers", "<stream:stream><success/><?xml version='1.0'?><stream:stream><iq/>", []string{"open <stream:stream>", "stanza <success/>", "open <stream:stream>", "stanza <iq/>"}},
	{"white space and half a stanza", " \n <a/> <b>", []string{"stanza <a/>"}},
	{"half a tag", "<a/><b c='<d/>", []string{"stanza <a/>"}},
	{"processing instruction inside", "<a><?x?><b/></a>", []string{"stanza <a><?x?><b/></a>"}},
}

func TestScanner(t *testing.T) {
	for _, tt := range streams {
		for piece := 1; piece <= len(tt.in); piece++ {
			if d := cmp.Diff(tt.want, cutStream([]byte(tt.in), piece)); d != "" {
				t.Errorf("%s, %d bytes at a time: %s", tt.name, piece, d)
			}
		}
	}
}

func FuzzScanner(f *testing.F) {
	for _, s := range streams {
		f.Add([]byte(s.in), 3)
	}
	f.Fuzz(func(t *testing.T, in []byte, piece int) {
		if piece < 1 || piece > len(in) {
			piece = 1
		}
		if d := cmp.Diff(cutStream(in, len(in)), cutStream(in, piece)); d != "" {
			t.Errorf("%q, %d bytes at a time: %s", in, piece, d)
		}
	})
}

// Reading and checking a message must not allocate: the generator has to be
// cheaper than any server.
func TestScannerAllocates(t *testing.T) {
	l := &tcpLink{}
	f := newFlow(1, 0, &session{link: l, jid: "u0@localhost/x"}, "u1@localhost/x", 100)
	f.put(l, 1)
	in := bytes.Repeat(received(f), 4)
	s := newScanner(4096)
	n := 0
	if a := testing.AllocsPerRun(100, func() {
		s.w += copy(s.room(), in)
		for {
			st, k := s.scan()
			if k == needMore {
				break
			}
			if _, _, v := f.check(st); v != good {
				t.Fatalf("%q: %v", st, v)
			}
			n++
		}
		f.out = f.out[:0]
		f.put(l, 1)
	}); a != 0 {
		t.Errorf("%v allocations", a)
	}
	if n != 101*4 {
		t.Errorf("%d messages", n)
	}
}

func TestAttr(t *testing.T) {
	for _, tt := range []struct{ in, name, want string }{
		{"<a from='x' to=\"y\"/>", "from", "x"},
		{"<a from='x' to=\"y\"/>", "to", "y"},
		{"<a from='x to=\"z\"' to='y'>", "to", "y"},
		{"<a\n to='y'>", "to", "y"},
		{"<a goto='y'>", "to", ""},
		{"<a x:to='y'>", "to", ""},
		{"<a><b to='y'/></a>", "to", ""},
		{"<to='y'>", "to", ""},
		{"<a to='y", "to", ""},
		{"<a to=''>", "to", ""},
		{"", "to", ""},
	} {
		if got := attr([]byte(tt.in), tt.name); string(got) != tt.want {
			t.Errorf("%s of %s: %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
	if attr([]byte("<a to=''>"), "to") == nil || attr([]byte("<a>"), "to") != nil {
		t.Error("empty and absent are the same")
	}
}

func TestHex(t *testing.T) {
	b := make([]byte, 8)
	for _, v := range []uint64{0, 1, 0xdeadbeef, 0xffffffff} {
		putHex(b, v)
		if string(b) != fmt.Sprintf("%08x", v) {
			t.Errorf("%x is written %s", v, b)
		}
		if got, ok := getHex(b); !ok || got != v {
			t.Errorf("%s is read %x", b, got)
		}
	}
	if _, ok := getHex([]byte("00g0")); ok {
		t.Error("g is read as a digit")
	}
}

// received is the last message of f.out as its receiver gets it.
func received(f *flow) []byte {
	i := bytes.LastIndex(f.out, messageTag)
	return append([]byte("<message from='"+f.from+"'"), f.out[i+len(messageTag):]...)
}

func TestCheck(t *testing.T) {
	f := newFlow(7, 3, &session{link: &tcpLink{}, jid: "u0@localhost/x"}, "u1@localhost/x", 100)
	for range 3 {
		f.put(&tcpLink{}, 99)
	}
	f.sent.Store(64)
	f.put(&tcpLink{}, 99)
	msg := received(f)
	number, due, v := f.check(msg)
	if number != 64 || due != 99 || v != good {
		t.Fatalf("%q: %d %d %v", msg, number, due, v)
	}
	if f.sent.Load() != 65 || !bytes.Contains(msg, []byte("id='m00000040'")) {
		t.Errorf("%q", msg)
	}
	body := bytes.Index(msg, bodyTag) + len(bodyTag)
	for name, tt := range map[string]struct {
		change func(m []byte) []byte
		want   verdict
	}{
		"other run":       {func(m []byte) []byte { m[body] = 'f'; return m }, foreign},
		"other flow":      {func(m []byte) []byte { m[body+7] = '4'; return m }, corrupt},
		"no number":       {func(m []byte) []byte { m[body+9] = 'x'; return m }, corrupt},
		"one byte":        {func(m []byte) []byte { m[body+60]++; return m }, corrupt},
		"last byte":       {func(m []byte) []byte { m[body+99]++; return m }, corrupt},
		"one byte less":   {func(m []byte) []byte { return append(m[:body+50], m[body+51:]...) }, corrupt},
		"other sender":    {func(m []byte) []byte { return bytes.Replace(m, []byte("u0@"), []byte("u2@"), 1) }, corrupt},
		"no body":         {func(m []byte) []byte { return []byte("<message/>") }, corrupt},
		"more in it":      {func(m []byte) []byte { return bytes.Replace(m, []byte("<body>"), []byte("<x/><body>"), 1) }, good},
		"another sibling": {func(m []byte) []byte { return bytes.Replace(m, []byte("</body>"), []byte("</body><delay/>"), 1) }, good},
	} {
		if _, _, v := f.check(tt.change(bytes.Clone(msg))); v != tt.want {
			t.Errorf("%s: verdict %d, want %d", name, v, tt.want)
		}
	}
}

func BenchmarkScanAndCheck(b *testing.B) {
	f := newFlow(1, 0, &session{link: &tcpLink{}, jid: "u0@localhost/x"}, "u1@localhost/x", 100)
	f.put(&tcpLink{}, 1)
	in := bytes.Repeat(received(f), 16)
	s := newScanner(8192)
	b.ReportAllocs()
	for b.Loop() {
		s.w += copy(s.room(), in)
		for {
			st, k := s.scan()
			if k == needMore {
				break
			}
			f.check(st)
		}
	}
}
