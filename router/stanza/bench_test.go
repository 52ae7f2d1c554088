package stanza

import (
	"fmt"
	"strings"
	"testing"

	"meerkat/router/jid"
	"meerkat/router/xml"
)

// The corpus of the benchmarks: what clients send most, and a large answer.
var (
	corpusChat = `<message type='chat' to='bob@localhost/bench-17' id='m123456'><body>` +
		strings.Repeat("x", 100) + `</body></message>`
	corpusMessage = `<message from='juliet@example.com/balcony' to='romeo@example.net/orchard' type='chat' id='ktx72v49' xml:lang='en'>` +
		`<body>Art thou not Romeo, and a Montague? Neither, fair saint, if either thee dislike.</body>` +
		`<active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/><origin-id xmlns='urn:xmpp:sid:0' id='de305d54'/></message>`
	corpusPresence = `<presence from='juliet@example.com/balcony' id='p1'><show>away</show><status>gone</status><priority>5</priority>` +
		`<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://code.google.com/p/exodus' ver='QgayPKawpkPSDYmwT/WM94uAlu0='/></presence>`
	corpusRoster = func() string {
		var b strings.Builder
		b.WriteString(`<iq type='result' id='r1' to='juliet@example.com/balcony'><query xmlns='jabber:iq:roster' ver='ver7'>`)
		for i := 0; b.Len() < 20<<10; i++ {
			fmt.Fprintf(&b, `<item jid='contact%d@example.org' name='Contact %d' subscription='both'><group>Friends</group></item>`, i, i)
		}
		b.WriteString(`</query></iq>`)
		return b.String()
	}()
)

func corpus() []struct{ name, text string } {
	return []struct{ name, text string }{
		{"chat", corpusChat}, {"message", corpusMessage}, {"presence", corpusPresence}, {"roster", corpusRoster},
	}
}

const header = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='localhost' version='1.0'>`

func streamContext(tb testing.TB) *xml.Context {
	h, err := xml.ParseHeader([]byte(header))
	if err != nil {
		tb.Fatal(err)
	}
	return &h.Context
}

// benchFramer feeds 64 copies of text in reads of 4 KiB and calls each for
// every element.
func benchFramer(b *testing.B, text string, each func(raw []byte)) {
	f := xml.NewFramer(xml.Stream, xml.Limits{})
	f.Push([]byte(header))
	for {
		if tok, err := f.Next(); err != nil {
			b.Fatal(err)
		} else if tok.Kind == xml.None {
			break
		}
	}
	data := []byte(strings.Repeat(text, 64))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	n := 0
	defer func() { b.ReportMetric(float64(cpuTime(b)-before)/float64(n), "cpu-ns/op") }()
	for n < b.N {
		for at := 0; at < len(data); at += 4096 {
			f.Push(data[at:min(at+4096, len(data))])
			for {
				tok, err := f.Next()
				if err != nil {
					b.Fatal(err)
				}
				if tok.Kind == xml.None {
					break
				}
				each(tok.Raw)
				n++
			}
		}
	}
}

func BenchmarkFramer(b *testing.B) {
	for _, c := range corpus() {
		b.Run(c.name, func(b *testing.B) { benchFramer(b, c.text, func([]byte) {}) })
	}
}

func BenchmarkFramerScanner(b *testing.B) {
	for _, c := range corpus() {
		b.Run(c.name, func(b *testing.B) {
			ctx := streamContext(b)
			var sc xml.Scanner
			benchFramer(b, c.text, func(raw []byte) {
				if err := sc.Scan(string(raw), ctx); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// BenchmarkRoute is what a message costs between two sockets, without what the
// router does: framing, parsing, and writing with new addresses.
func BenchmarkRoute(b *testing.B) {
	from, to := jid.MustParse("alice@localhost/bench-16"), jid.MustParse("bob@localhost/bench-17")
	for _, c := range corpus() {
		b.Run(c.name, func(b *testing.B) {
			ctx := streamContext(b)
			out := make([]byte, 0, 64<<10)
			benchFramer(b, c.text, func(raw []byte) {
				st, _, _, err := Parse(raw, ctx)
				if err != nil {
					b.Fatal(err)
				}
				out = st.AppendTo(out[:0], from, to, Options{})
			})
		})
	}
}

func BenchmarkTree(b *testing.B) {
	for _, c := range corpus() {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for range b.N {
				if _, err := xml.Parse(c.text, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWriteTree(b *testing.B) {
	for _, c := range corpus() {
		b.Run(c.name, func(b *testing.B) {
			e, err := xml.Parse(c.text, nil)
			if err != nil {
				b.Fatal(err)
			}
			out := make([]byte, 0, 64<<10)
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for range b.N {
				out = e.AppendTo(out[:0], "")
			}
		})
	}
}
