package client

import (
	"strings"
	"testing"

	"meerkat/router"
	"meerkat/router/jid"
	"meerkat/router/session"
	"meerkat/router/stanza"
)

// A sink is a transport that counts.
type sink struct {
	transport
	bytes, writes int
}

func (s *sink) AppendStanza(dst []byte, p *stanza.Packet) []byte {
	return p.AppendTo(dst, stanza.Options{})
}

func (s *sink) Write(b []byte) error {
	s.bytes += len(b)
	s.writes++
	return nil
}

func (*sink) Congested() bool { return false }

// sinkFor opens a session over a sink.
func (w *world) sinkFor(full string) *sink {
	s := &sink{}
	opts := w.opts
	c := w.New(w.t.Context(), s, &opts)
	s.client = c
	s.bind(w.t, jid.MustParse(full))
	s.send(sessionIQ)
	s.send(`<presence/>`)
	if c.state != established {
		w.t.Fatal("no session")
	}
	return s
}

// benchmark sends chunks of so many copies of a stanza from alice to bob: from the
// bytes of the elements to those that bob is written.
func benchmark(b *testing.B, chunk int, text string) {
	w := newWorld(b)
	alice, bob := w.sinkFor("alice@h/r"), w.sinkFor("bob@h/r")
	raw := []byte(text)
	before, writes := bob.bytes, bob.writes
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	n := 0
	for b.Loop() {
		alice.client.Element(raw)
		if n++; n%chunk == 0 {
			alice.client.EndOfInput()
		}
	}
	alice.client.EndOfInput()
	b.StopTimer()
	if bob.bytes-before < n*len(raw) {
		b.Errorf("%d bytes written for %d messages of %d", bob.bytes-before, n, len(raw))
	}
	if want := (n + chunk - 1) / chunk; bob.writes-writes != want {
		b.Errorf("%d writes, want %d", bob.writes-writes, want)
	}
}

var (
	chat100  = `<message to='bob@h/r' type='chat' id='m123456'><body>` + strings.Repeat("x", 100) + `</body></message>`
	chat1024 = `<message to='bob@h/r' type='chat' id='m123456'><body>` + strings.Repeat("x", 1024) + `</body></message>`
	chatBare = `<message to='bob@h' type='chat' id='m123456'><body>` + strings.Repeat("x", 100) + `</body></message>`
)

func BenchmarkMessage(b *testing.B) {
	for _, bb := range []struct{ name, text string }{{"100B", chat100}, {"1KiB", chat1024}, {"bare", chatBare}} {
		b.Run(bb.name+"/alone", func(b *testing.B) { benchmark(b, 1, bb.text) })
		b.Run(bb.name+"/16 in a chunk", func(b *testing.B) { benchmark(b, 16, bb.text) })
	}
}

// One message for several sessions of an account.
func BenchmarkCopies(b *testing.B) {
	w := newWorld(b)
	alice := w.sinkFor("alice@h/r")
	for _, r := range []string{"1", "2", "3", "4"} {
		w.sinkFor("bob@h/" + r)
	}
	raw := []byte(chatBare)
	b.ReportAllocs()
	for b.Loop() {
		alice.client.Element(raw)
		alice.client.EndOfInput()
	}
}

// A presence that 100 contacts are told of.
func BenchmarkPresence(b *testing.B) {
	w := newWorld(b)
	w.Router.AddService("svc", nowhere{})
	var list []router.Contact
	for _, n := range numbers(1, 100) {
		list = append(list, router.Contact{JID: jid.MustParse("c" + n + "@svc"), From: true, To: true})
	}
	w.contacts(list...)
	alice := w.sinkFor("alice@h/r")
	raw := []byte(`<presence><show>away</show><status>gone</status><priority>5</priority></presence>`)
	b.ReportAllocs()
	for b.Loop() {
		alice.client.Element(raw)
		alice.client.EndOfInput()
	}
}

type nowhere struct{}

func (nowhere) Route(*router.Turn, router.Packet) {}

// What a flush costs when somebody else is at it, and when there is nothing to do.
func BenchmarkFlushEmpty(b *testing.B) {
	w := newWorld(b)
	bob := w.sinkFor("bob@h/r")
	t := session.NewTurn(b.Context())
	b.ReportAllocs()
	for b.Loop() {
		bob.client.Flush(t)
	}
}
