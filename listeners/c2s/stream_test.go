package c2s

import (
	"fmt"
	"net"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"meerkat/listeners/conn"
	"meerkat/listeners/shaper"
	"meerkat/router"
	"meerkat/router/jid"
	"meerkat/router/session"
	"meerkat/router/stanza"
)

func TestLogin(t *testing.T) {
	for name, tt := range map[string]struct {
		o     Options
		dial  func(w *world) *peer
		hosts []string // that certificates were asked for
	}{
		"plain":  {Options{}, (*world).dial, nil},
		"direct": {Options{TLS: true}, func(w *world) *peer { return w.dial().startTLS() }, []string{""}},
		"starttls": {Options{StartTLS: true}, func(w *world) *peer {
			p := w.dial()
			p.send(header)
			p.expect(starttls)
			p.expect(features)
			p.send(starttls)
			p.expect(proceed)
			return p.startTLS()
		}, []string{"h"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, tt.o, nil)
			alice := tt.dial(w).login("alice", "r")
			bob := tt.dial(w).login("bob", "r")
			alice.send(`<message to='bob@h/r' id='1'><body>hi</body></message>`)
			bob.expect(`<message from='alice@h/r' to='bob@h/r' id='1'><body>hi</body></message>`)
			s := w.Clients.Router.Sessions.Find(jid.MustParse("alice@h/r"))
			if want := map[string]string{"plain": "c2s", "direct": "c2s_tls", "starttls": "c2s_tls"}[name]; s.Info.Conn != want {
				t.Errorf("connection %s, want %s", s.Info.Conn, want)
			}
			if got, want := s.Info.Addr.String(), alice.LocalAddr().String(); got != want {
				t.Errorf("address %s, want %s", got, want)
			}
			alice.send(end)
			if got := alice.rest(); got != end {
				t.Errorf("at the end %q", got)
			}
			bob.Close()
			for _, h := range w.hosts {
				if len(tt.hosts) == 0 || h != tt.hosts[0] {
					t.Errorf("a certificate for %q was asked for", h)
				}
			}
		})
	}
}

// The server's header, byte by byte.
func TestHeader(t *testing.T) {
	w := start(t, Options{}, nil)
	p := w.dial()
	p.send(header)
	got := p.expect(features)
	want := `^<\?xml version='1\.0'\?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx\.jabber\.org/streams' id='[1-9A-F][0-9A-F]*' from='h' version='1\.0' xml:lang='en'><stream:features>`
	if !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("header %s", got)
	}
	old := w.dial()
	old.send(strings.Replace(header, "to='h' version='1.0'", "to='h'", 1))
	if got := old.expect(">") + old.expect(">"); strings.Contains(strings.TrimPrefix(got, "<?xml version='1.0'?>"), "version") {
		t.Errorf("header for an old client %s", got)
	}
	p.Close()
	old.Close()
}

// A header may come in any pieces, and everything else too.
func TestPieces(t *testing.T) {
	w := start(t, Options{}, nil)
	p := w.dial()
	p.Conn.(*net.TCPConn).SetNoDelay(true)
	for _, in := range []struct{ send, expect string }{
		{header, features},
		{plain("alice"), success},
		{header, features},
		{bind("r"), "</iq>"},
		{`<message to='alice@h/r'><body>&lt;ü</body></message>`, `<body>&lt;ü</body></message>`},
	} {
		for i := range len(in.send) {
			p.send(in.send[i : i+1])
		}
		p.expect(in.expect)
	}
	p.Close()
}

// The whole negotiation in one go: what came behind a restart is read by the new
// stream.
func TestPipelining(t *testing.T) {
	w := start(t, Options{}, nil)
	p := w.dial()
	p.send(header + plain("alice") + header + bind("r") + `<message to='alice@h/r' id='1'/>` + end)
	p.expect(`<message from='alice@h/r' to='alice@h/r' id='1'/>`)
	if got := p.rest(); got != end {
		t.Errorf("at the end %q", got)
	}
}

// What came in clear behind <starttls/> is nobody's.
func TestInjectionBeforeTLS(t *testing.T) {
	w := start(t, Options{StartTLS: true, StartTLSRequired: true}, nil)
	p := w.dial()
	p.send(header)
	p.expect(features)
	p.send(starttls + header + plain("alice") + header + bind("r"))
	p.expect(proceed)
	secure := p.startTLS()
	secure.send(header)
	if got := secure.expect(features); !strings.Contains(got, "<mechanisms") {
		t.Errorf("the stream is authenticated by what came in clear: %s", got)
	}
	if n := w.Clients.Router.Sessions.Count(); n != 0 {
		t.Errorf("%d sessions", n)
	}
	secure.send(plain("bob"))
	secure.expect(success)
	p.Close()
}

// A handshake that fails ends the connection without a word, and is logged once
// with the peer's address.
func TestHandshakeFails(t *testing.T) {
	t.Run("direct", func(t *testing.T) {
		w := start(t, Options{TLS: true}, nil)
		p := w.dial()
		p.send(header)
		if got := p.rest(); strings.Contains(got, "stream") {
			t.Errorf("answered %q", got)
		}
		w.logged("TLS handshake failed", p)
	})
	t.Run("starttls", func(t *testing.T) {
		w := start(t, Options{StartTLS: true}, nil)
		p := w.dial()
		p.send(header)
		p.expect(features)
		p.send(starttls)
		p.expect(proceed)
		p.send(header)
		if got := p.rest(); strings.Contains(got, "stream:") {
			t.Errorf("answered %q", got)
		}
		w.logged("TLS handshake failed", p)
	})
	t.Run("no certificate", func(t *testing.T) {
		for name, change := range map[string]func(*world){
			"none for the host": func(w *world) { w.tls = nil },
			"none at all":       func(w *world) { w.TLS = nil },
		} {
			w := start(t, Options{TLS: true}, change)
			p := w.dial()
			if got := p.rest(); got != "" {
				t.Errorf("%s: answered %q", name, got)
			}
			w.logged("TLS handshake failed", p)
			w = start(t, Options{StartTLS: true}, change)
			p = w.dial()
			p.send(header)
			if got := p.expect(features); strings.Contains(got, "starttls") {
				t.Errorf("%s: STARTTLS is offered: %s", name, got)
			}
			p.send(starttls)
			if got := p.rest(); got != `<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`+end {
				t.Errorf("%s: answered %q", name, got)
			}
		}
	})
}

func (w *world) logged(msg string, p *peer) {
	w.t.Helper()
	eventually(w.t, "log entry "+msg, func() bool { return w.log.FilterMessage(msg).Len() > 0 })
	l := w.log.FilterMessage(msg).All()
	if ip := fmt.Sprint(l[0].ContextMap()["ip"]); len(l) != 1 || ip != p.LocalAddr().String() {
		w.t.Errorf("logged %d times, ip %s", len(l), ip)
	}
}

const tooBig = `<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>` +
	`<text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang=''>XML stanza is too big</text></stream:error>` + end

// A complete stanza may have max_stanza_size bytes as the reference counts them.
func TestMaxStanzaSize(t *testing.T) {
	message := func(n int) string {
		return `<message to='alice@h/r'><body>` + strings.Repeat("x", n) + `</body></message>`
	}
	_, _, empty, err := stanza.ParseString(message(1), nil)
	if err != nil {
		t.Fatal(err)
	}
	empty--
	const limit = 5000
	for _, tt := range []struct {
		size int
		ok   bool
	}{{limit - 1, true}, {limit, true}, {limit + 1, false}, {3 * limit, false}} {
		w := start(t, Options{MaxStanzaSize: limit}, nil)
		p := w.dial().login("alice", "r")
		p.send(message(tt.size - empty))
		if tt.ok {
			p.expect("</message>")
			p.Close()
			continue
		}
		if got := p.rest(); got != tooBig {
			t.Errorf("size %d: %.300q", tt.size, got)
		}
	}
	t.Run("header", func(t *testing.T) {
		w := start(t, Options{MaxStanzaSize: limit}, nil)
		p := w.dial()
		p.send(strings.Replace(header, " to=", " x='"+strings.Repeat("x", limit)+"' to=", 1))
		if got := p.rest(); !strings.HasSuffix(got, tooBig) || !strings.HasPrefix(got, "<?xml version='1.0'?><stream:stream ") {
			t.Errorf("answer %q", got)
		}
	})
}

// What does not end is cut off at a bound, whatever it is and however much the peer
// would send.
func TestUnfinishedInputIsBounded(t *testing.T) {
	const size = 100 << 20
	for name, tt := range map[string]struct {
		limit  int
		login  bool
		begin  string
		bound  int // most that may be held
		fill   byte
		answer string
	}{
		"body":                  {65536, true, `<message to='alice@h'><body>`, 4 * 65536, 'x', tooBig},
		"attribute":             {65536, true, `<message to='`, 4 * 65536, 'x', tooBig},
		"comment":               {65536, true, `<message><!-- `, 4 * 65536, 'x', tooBig},
		"name":                  {65536, true, `<message`, 4 * 65536, 'x', tooBig},
		"header":                {65536, false, `<stream:stream xmlns='`, 4 * 65536, 'x', tooBig},
		"declaration":           {65536, false, `<?xml `, 4 * 65536, 'x', tooBig},
		"no limit of the file":  {0, true, `<message><body>`, 10 << 20, 'x', tooBig},
		"a small limit":         {500, true, `<message><body>`, 4 << 10, 'x', tooBig},
		"open tags":             {65536, true, `<message>`, 4 * 65536, '<', `<stream:error><xml-not-well-formed xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>` + end},
		"white space in stanza": {65536, true, `<message>`, 4 * 65536, ' ', tooBig},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, Options{MaxStanzaSize: tt.limit}, nil)
			p := w.dial()
			if tt.login {
				p.login("alice", "r")
			}
			runtime.GC()
			var before runtime.MemStats
			runtime.ReadMemStats(&before)
			var sent atomic.Int64
			done := make(chan struct{})
			go func() {
				defer close(done)
				chunk := []byte(strings.Repeat(string(tt.fill), 64<<10))
				if _, err := p.Write([]byte(tt.begin)); err != nil {
					return
				}
				for sent.Load() < size {
					n, err := p.Write(chunk)
					sent.Add(int64(n))
					if err != nil {
						return
					}
				}
			}()
			p.SetReadDeadline(time.Now().Add(patience))
			if got := p.expect(tt.answer); tt.login && got != tt.answer {
				t.Errorf("answer %.300q", got)
			}
			var after runtime.MemStats
			runtime.ReadMemStats(&after)
			if grown := int(after.TotalAlloc - before.TotalAlloc); grown > 8*tt.bound+(1<<20) {
				t.Errorf("%d bytes allocated for a bound of %d", grown, tt.bound)
			}
			p.Close()
			<-done
			// The kernel's buffers hold some MB of it.
			if n := sent.Load(); n > int64(tt.bound)+(32<<20) {
				t.Errorf("%d bytes were taken", n)
			}
		})
	}
}

// Silence before a session is there ends the connection without a word; afterwards it
// does not.
func TestNegotiationTimeout(t *testing.T) {
	const timeout = 150 * time.Millisecond
	quick := func(w *world) { w.Clients.NegotiationTimeout = timeout }
	for name, tt := range map[string]struct {
		o     Options
		until func(p *peer)
	}{
		"connected":     {Options{}, func(*peer) {}},
		"direct TLS":    {Options{TLS: true}, func(*peer) {}},
		"header":        {Options{}, func(p *peer) { p.send(header); p.expect(features) }},
		"half a header": {Options{}, func(p *peer) { p.send(header[:40]) }},
		"authenticated": {Options{}, func(p *peer) { p.send(header + plain("alice")); p.expect(success) }},
		"bound": {Options{}, func(p *peer) {
			p.send(header + plain("alice") + header + strings.SplitAfter(bind("r"), "</iq>")[0])
			p.expect("</iq>")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, tt.o, quick)
			p := w.dial()
			tt.until(p)
			last := time.Now()
			if got := p.rest(); got != "" {
				t.Errorf("answered %q", got)
			}
			if waited := time.Since(last); waited < timeout/2 {
				t.Errorf("closed after %v", waited)
			}
		})
	}
	t.Run("a byte is enough", func(t *testing.T) {
		t.Parallel()
		w := start(t, Options{}, quick)
		for range 20 {
			p := w.dial()
			tick := time.NewTicker(timeout / 10)
			defer tick.Stop()
			begin := time.Now()
			last, longest := begin, time.Duration(0)
			for time.Since(begin) < 2*timeout {
				_, _ = p.Write([]byte(" ")) // whether it is open comes out below
				<-tick.C
				longest = max(longest, time.Since(last))
				last = time.Now()
			}
			_, _ = p.Write([]byte(header))
			p.SetReadDeadline(time.Now().Add(patience))
			_, err := p.Read(make([]byte, 1))
			longest = max(longest, time.Since(last))
			p.Close()
			switch {
			case err == nil:
				return
			case longest < timeout/2:
				t.Fatalf("closed, though a byte came every %v at most: %v", longest, err)
			}
			// The machine was busy elsewhere for too long.
		}
		t.Skip("the machine is too busy to send a byte in time")
	})
	t.Run("established", func(t *testing.T) {
		t.Parallel()
		w := start(t, Options{}, quick)
		p := w.dial().login("alice", "r")
		p.SetReadDeadline(time.Now().Add(2 * timeout))
		if n, err := p.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "timeout") {
			t.Fatalf("read %d, %v", n, err)
		}
		p.send(`<message to='alice@h/r'/>`)
		p.expect(`<message`)
		p.Close()
	})
}

// Whoever closes his side without ending the stream is gone, and so is whoever
// resets the connection.
func TestPeerGoes(t *testing.T) {
	for name, leave := range map[string]func(p *peer){
		"half close": func(p *peer) { p.Conn.(*net.TCPConn).CloseWrite() },
		"close":      func(p *peer) { p.Close() },
		"reset":      func(p *peer) { p.Conn.(*net.TCPConn).SetLinger(0); p.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, Options{}, nil)
			alice, bob := w.dial().login("alice", "r"), w.dial().login("bob", "r")
			bob.send(`<presence to='alice@h/r'/>`)
			alice.expect(`<presence from='bob@h/r' to='alice@h/r'/>`)
			leave(bob)
			alice.expect(`<presence from='bob@h/r' to='alice@h/r' type='unavailable'/>`)
			if name == "half close" {
				if got := bob.rest(); got != "" {
					t.Errorf("bob is told %q", got)
				}
			}
			alice.send(`<message to='bob@h' id='1'/>`)
			eventually(t, "message stored", func() bool { return len(w.storedMessages()) == 1 })
			alice.Close()
		})
	}
}

// What was sent before the end of the stream is answered before the connection is
// closed.
func TestEndOfStream(t *testing.T) {
	w := start(t, Options{}, nil)
	p := w.dial().login("alice", "r")
	p.send(`<message to='alice@h/r' id='1'/>` + end + `<message to='alice@h/r' id='2'/>`)
	if got := p.rest(); got != `<message from='alice@h/r' to='alice@h/r' id='1'/>`+end {
		t.Errorf("got %q", got)
	}
}

// The last words arrive although the peer keeps sending: closing a socket with
// unread input would throw them away.
func TestLastWordsArrive(t *testing.T) {
	for name, tls := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			w := start(t, Options{TLS: tls, MaxStanzaSize: 4096}, nil)
			p := w.dial()
			if tls {
				p = p.startTLS()
			}
			p.login("alice", "r")
			stop := make(chan struct{})
			var wg sync.WaitGroup
			wg.Add(1)
			go func() {
				defer wg.Done()
				chunk := []byte("</bad>" + strings.Repeat("x", 4096))
				for {
					if _, err := p.Write(chunk); err != nil {
						return
					}
					select {
					case <-stop:
						return
					default:
					}
				}
			}()
			got := p.expect(end)
			close(stop)
			if want := `<stream:error><xml-not-well-formed xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>` + end; got != want {
				t.Errorf("last words %q", got)
			}
			p.Close()
			wg.Wait()
		})
	}
}

// The last words come behind everything that waits for a slow reader.
func TestLastWordsBehindMuch(t *testing.T) {
	w := start(t, Options{}, nil)
	bob := w.dial().login("bob", "r")
	c := w.Clients.Router.Sessions.Find(jid.MustParse("bob@h/r")).Receiver
	turn := session.NewTurn(t.Context())
	st, _, _, err := stanza.ParseString(`<message><body>`+strings.Repeat("x", 60<<10)+`</body></message>`, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := stanza.Packet{From: jid.MustParse("alice@h/r"), To: jid.MustParse("bob@h/r"), Stanza: st}
	for range 200 { // more than the kernel takes
		c.Deliver(turn, p)
		turn.Flush()
	}
	bob.send("</bad>")
	eventually(t, "end of the session", func() bool { return w.Clients.Router.Sessions.Count() == 0 })
	got := bob.rest()
	if want := `<stream:error><xml-not-well-formed xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>` + end; !strings.HasSuffix(got, want) {
		t.Errorf("%d bytes, the last %.200q", len(got), got[max(len(got)-200, 0):])
	}
	whole := strings.Count(got, "</message>")
	if n := len(w.storedMessages()); whole+n != 200 || n == 0 {
		t.Errorf("%d given, %d stored, of 200", whole, n)
	}
}

// A client that does not read is given up when more than max_fsm_queue waits; what it
// was not given goes where it goes without it, in order.
func TestSlowReader(t *testing.T) {
	w := start(t, Options{MaxQueue: 50}, nil)
	bob := w.dial().login("bob", "r")
	bob.Conn.(*net.TCPConn).SetReadBuffer(4096)
	turn := session.NewTurn(t.Context())
	body := strings.Repeat("x", 16<<10)
	sent := 0
	for w.Clients.Router.Sessions.Count() > 0 {
		st, _, _, err := stanza.ParseString(fmt.Sprintf(`<message id='%d'><body>%s</body></message>`, sent, body), nil)
		if err != nil {
			t.Fatal(err)
		}
		w.Clients.Router.Route(turn, stanza.Packet{From: jid.MustParse("alice@h/r"), To: jid.MustParse("bob@h/r"), Stanza: st})
		turn.Flush()
		if sent++; sent > 100_000 {
			t.Fatal("the client is never given up")
		}
	}
	eventually(t, "messages stored", func() bool { return len(w.storedMessages()) > 50 })
	if w.log.FilterMessageSnippet("does not read").Len() != 1 {
		t.Error("not logged")
	}
	// The last one may have found no session any more, and is stored beside them.
	stored := slices.DeleteFunc(w.storedMessages(), func(s string) bool { return strings.Contains(s, fmt.Sprintf(" id='%d'", sent-1)) })
	var first int
	if _, err := fmt.Sscanf(stored[0][strings.Index(stored[0], "id='"):], "id='%d'", &first); err != nil {
		t.Fatal(err)
	}
	for i, s := range stored {
		if !strings.Contains(s, fmt.Sprintf(" id='%d'", first+i)) {
			t.Fatalf("stored as number %d: %.80s", i, s)
		}
	}
	bob.Close()
}

// A slow reader that comes back in time gets everything, in order.
func TestSlowReaderComesBack(t *testing.T) {
	w := start(t, Options{}, nil)
	bob := w.dial().login("bob", "r")
	turn := session.NewTurn(t.Context())
	body := strings.Repeat("x", 16<<10)
	const n = 600 // 10 MB: more than the kernel takes
	for i := range n {
		st, _, _, err := stanza.ParseString(fmt.Sprintf(`<message id='%d'><body>%s</body></message>`, i, body), nil)
		if err != nil {
			t.Fatal(err)
		}
		w.Clients.Router.Route(turn, stanza.Packet{From: jid.MustParse("alice@h/r"), To: jid.MustParse("bob@h/r"), Stanza: st})
		turn.Flush()
	}
	for i := range n {
		bob.expect(fmt.Sprintf(`id='%d'><body>`, i))
		bob.expect(`</message>`)
	}
	bob.Close()
}

// After a chunk that is too fast nothing is read for a while; what was read is
// handled at once. The rule decides by the full JID.
func TestShaperPausesReading(t *testing.T) {
	const rate = 10_000
	w := start(t, Options{Shaper: "shape"}, func(w *world) {
		w.shaper = func(name string) *shaper.Shaper {
			if name != "slow" {
				return nil
			}
			s, err := shaper.New(rate, time.Now())
			if err != nil {
				t.Error(err)
			}
			return s
		}
	})
	w.rules("shape slow alice")
	alice, bob := w.dial().login("alice", "r"), w.dial().login("bob", "r")
	big := `<message to='%s@h/r'><body>` + strings.Repeat("x", 4000) + `</body></message>`
	for _, p := range []struct {
		*peer
		name string
		slow bool
	}{{alice, "alice", true}, {bob, "bob", false}} {
		begin := time.Now()
		p.send(fmt.Sprintf(big, p.name))
		p.expect(`</message>`)
		if d := time.Since(begin); p.slow && d > 150*time.Millisecond {
			t.Logf("the first message took %v", d) // a busy machine
		}
		p.send(`<message to='` + p.name + `@h/r' id='2'/>`)
		p.expect(`id='2'`)
		// At least (size / twice the rate), less what the login took before.
		if d := time.Since(begin); p.slow && d < 100*time.Millisecond {
			t.Errorf("%s: no pause: %v", p.name, d)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	count := map[string]int{}
	for _, s := range w.shapes {
		count[s]++
	}
	if count["slow"] != 1 || count["deny"] != 5 {
		t.Errorf("shapers asked for: %v", count)
	}
	alice.Close()
	bob.Close()
}

// White space between stanzas is a sign of life.
func TestKeepAlive(t *testing.T) {
	w := start(t, Options{}, nil)
	var n atomic.Int32
	w.h.Hooks.KeepAlive.Add(50, "m", func(*router.Turn, *session.Session) { n.Add(1) })
	p := w.dial().login("alice", "r")
	p.send("\n")
	eventually(t, "the hook", func() bool { return n.Load() == 1 })
	p.send(" <message to='alice@h/r'/> ")
	p.expect("<message")
	if n.Load() != 1 {
		t.Error("white space beside a stanza counts")
	}
	p.Close()
}

// A mistake in a handler ends one connection, with all that belongs to its end, and
// not the node.
func TestPanicInHandler(t *testing.T) {
	w := start(t, Options{}, nil)
	w.h.Hooks.UserSend.Add(50, "m", func(_ *router.Turn, _ *session.Session, p router.Packet) {
		if p.Stanza.ID == "bomb" {
			panic("boom")
		}
	})
	closed := make(chan struct{}, 2)
	w.h.Hooks.SessionClosed.Add(50, "m", func(*router.Turn, *session.Session) { closed <- struct{}{} })
	alice, bob := w.dial().login("alice", "r"), w.dial().login("bob", "r")
	alice.send(`<message to='bob@h/r' id='1'/><message to='bob@h/r' id='bomb'/>`)
	alice.rest()
	<-closed
	if w.log.FilterMessageSnippet("panic").Len() != 1 {
		t.Errorf("logged %v", w.log.All())
	}
	bob.expect("id='1'")
	bob.send(`<message to='bob@h/r' id='2'/>`)
	bob.expect("id='2'")
	bob.Close()
}

// Serve returns when everything that a connection left behind is with others: who
// closes the stores waits for that.
func TestServeReturnsLast(t *testing.T) {
	for name, o := range map[string]Options{"plain": {}, "TLS": {TLS: true}, "STARTTLS": {StartTLS: true}} {
		t.Run(name, func(t *testing.T) {
			w := start(t, o, nil)
			entered, leave := make(chan struct{}), make(chan struct{})
			w.h.Hooks.SessionClosed.Add(50, "m", func(*router.Turn, *session.Session) {
				close(entered)
				<-leave
			})
			server, client := pair(t)
			c, err := conn.New(server, conn.Options{})
			if err != nil {
				t.Fatal(err)
			}
			returned := make(chan struct{})
			go w.Serve(t.Context(), c, func() { close(returned) })
			p := &peer{Conn: client, t: t}
			switch name {
			case "TLS":
				p = p.startTLS()
			case "STARTTLS":
				p.send(header)
				p.expect(features)
				p.send(starttls)
				p.expect(proceed)
				p = p.startTLS()
			}
			p.login("alice", "r").Close()
			<-entered
			select {
			case <-returned:
				t.Error("Serve returned before the session was closed")
			default:
			}
			close(leave)
			<-returned
		})
	}
}

// pair returns both ends of a connection.
func pair(t *testing.T) (server *net.TCPConn, client net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return s.(*net.TCPConn), client
}

// A server that shuts down tells its clients, in whatever state they are.
func TestShutdown(t *testing.T) {
	const shutdown = `<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>` + end
	for name, tt := range map[string]struct {
		until  func(p *peer) *peer
		header bool // comes before the error
		tls    bool
	}{
		"connected": {func(p *peer) *peer { return p }, true, false},
		"header":    {func(p *peer) *peer { p.send(header); p.expect(features); return p }, false, false},
		"session":   {func(p *peer) *peer { return p.login("alice", "r") }, false, false},
		"TLS":       {func(p *peer) *peer { return p.startTLS().login("alice", "r") }, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, Options{TLS: tt.tls}, nil)
			server, client := pair(t)
			c, err := conn.New(server, conn.Options{})
			if err != nil {
				t.Fatal(err)
			}
			returned := make(chan struct{})
			go w.Serve(t.Context(), c, func() { close(returned) })
			p := tt.until(&peer{Conn: client, t: t})
			w.Shutdown()
			Wake(c)
			got := p.rest()
			head := strings.TrimSuffix(got, shutdown)
			if head == got || strings.HasPrefix(head, "<?xml") != tt.header || !tt.header && head != "" {
				t.Errorf("told %q", got)
			}
			p.Close()
			<-returned
			if n := w.Clients.Router.Sessions.Count(); n != 0 {
				t.Errorf("%d sessions left", n)
			}
		})
	}
}

// Presence and messages of two clients that talk at the same time arrive in order.
func TestManyConnections(t *testing.T) {
	w := start(t, Options{}, nil)
	const peers, each = 8, 100
	var all []*peer
	for i := range peers {
		all = append(all, w.dial().login(fmt.Sprintf("user%d", i), "r"))
	}
	var wg sync.WaitGroup
	for i, p := range all {
		wg.Add(2)
		go func() {
			defer wg.Done()
			for k := range each {
				fmt.Fprintf(p, `<message to='user%d@h/r' id='%d'/>`, (i+1)%peers, k)
			}
		}()
		go func() {
			defer wg.Done()
			buf := make([]byte, 4096)
			var got []byte
			p.SetReadDeadline(time.Now().Add(patience))
			for k := 0; k < each; {
				n, err := p.Read(buf)
				if err != nil {
					t.Errorf("user%d: %v after %d messages", i, err, k)
					return
				}
				got = append(got, buf[:n]...)
				for {
					m, rest, ok := strings.Cut(string(got), "/>")
					if !ok {
						break
					}
					if want := fmt.Sprintf(`<message from='user%d@h/r' to='user%d@h/r' id='%d'`, (i+peers-1)%peers, i, k); m != want {
						t.Errorf("got %s, want %s", m, want)
						return
					}
					got = []byte(rest)
					k++
				}
			}
		}()
	}
	wg.Wait()
	for _, p := range all {
		p.Close()
	}
}

// An idle stream waits in another goroutine; nobody notices.
func TestIdleStreams(t *testing.T) {
	w := start(t, Options{}, func(w *world) { w.idleAfter = time.Millisecond })
	idle := func(n int) {
		t.Helper()
		eventually(t, fmt.Sprint(n, " streams are idle"), func() bool {
			stacks := make([]byte, 1<<20)
			stacks = stacks[:runtime.Stack(stacks, true)]
			return strings.Count(string(stacks), "(*tcp).await(") == n
		})
	}
	alice, bob := w.dial().login("alice", "r"), w.dial().login("bob", "r")
	idle(2)
	for _, text := range []string{"one", "two"} {
		alice.send(`<message to='bob@h/r' id='` + text + `'/>`)
		bob.expect(`<message from='alice@h/r' to='bob@h/r' id='` + text + `'/>`)
		bob.send(`<message to='alice@h/r' id='` + text + `'/>`)
		alice.expect(`id='` + text + `'/>`)
		idle(2)
	}
	// Half a stanza, then idle, then the rest.
	alice.send(`<message to='bob@h/r' `)
	idle(2)
	alice.send(`id='three'/>`)
	bob.expect(`<message from='alice@h/r' to='bob@h/r' id='three'/>`)
	idle(2)
	alice.Close()
	eventually(t, "one session", func() bool { return w.Clients.Router.Sessions.Count() == 1 })
	idle(1)
	w.Shutdown()
	w.mu.Lock()
	for _, c := range w.conns {
		Wake(c)
	}
	w.mu.Unlock()
	if got := bob.rest(); !strings.Contains(got, "system-shutdown") || !strings.HasSuffix(got, end) {
		t.Errorf("told %q", got)
	}
}
