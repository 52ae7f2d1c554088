package node

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"meerkat/compat"
	"meerkat/listeners/tlsconf"
	"meerkat/router/jid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// A world is a node that was started from a file.
type world struct {
	*Node
	t    *testing.T
	addr string // of the first listener
	logs *observer.ObservedLogs
}

// start starts a node with one ejabberd_c2s listener that has the options, from a
// file that has the terms too, if it brings no other auth_method. The accounts alice,
// bob and carol have the password pw. Where the port of the clause is not 5222 the
// address is kept.
func start(t *testing.T, options, terms string) *world {
	t.Helper()
	return startClause(t, fmt.Sprintf("{5222, ejabberd_c2s, [%s]}", options), terms)
}

func startClause(t *testing.T, clause, terms string) *world {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	for name, host := range map[string]string{"server.pem": "h", "other.pem": "other"} {
		if err := tlsconf.WriteSelfSigned(name, []string{host}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "ejabberd.cfg")
	text := "{hosts, [\"h\"]}.\n{listen, [" + clause + "]}.\n{auth_method, internal}.\n{sm_backend, {mnesia, []}}.\n" +
		"{registration_timeout, infinity}.\n" + terms
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, diags := compat.Load(file, compat.Options{Builtins: Builtins()})
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	for i := range cfg.Listeners {
		l := &cfg.Listeners[i]
		ip := l.Addr.Addr()
		if l.Addr.Port() == 5222 {
			ip = netip.MustParseAddr("127.0.0.1")
		}
		l.Addr = netip.AddrPortFrom(ip, 0)
	}
	core, logs := observer.New(zap.InfoLevel)
	n, err := New(t.Context(), Options{Config: cfg, DataDir: filepath.Join(dir, "data"), Log: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	for _, user := range []string{"alice", "bob", "carol"} {
		if err := n.Router().Host("h").Register(t.Context(), jid.MustParse(user+"@h"), "pw"); err != nil {
			t.Fatal(err)
		}
	}
	return &world{Node: n, t: t, addr: n.Listeners()[0].Addr().String(), logs: logs}
}

// A peer is a client's end of a connection.
type peer struct {
	net.Conn
	t   *testing.T
	got []byte // read and not taken yet
}

func (w *world) dial() *peer {
	w.t.Helper()
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return &peer{Conn: c, t: w.t}
}

const (
	header   = `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='h' version='1.0'>`
	starttls = `<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`
	features = `</stream:features>`
	end      = `</stream:stream>`
)

func (p *peer) send(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p.Conn, text); err != nil {
		p.t.Fatalf("send: %v", err)
	}
}

// expect reads up to and including text and returns what was read.
func (p *peer) expect(text string) string {
	p.t.Helper()
	p.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 4096)
	for {
		if i := bytes.Index(p.got, []byte(text)); i >= 0 {
			s := string(p.got[:i+len(text)])
			p.got = p.got[i+len(text):]
			return s
		}
		n, err := p.Read(buf)
		p.got = append(p.got, buf[:n]...)
		if err != nil && n == 0 {
			p.t.Fatalf("expected %q, got %.500q and %v", text, p.got, err)
		}
	}
}

// rest reads to the end of the connection, which must come.
func (p *peer) rest() string {
	p.t.Helper()
	p.SetReadDeadline(time.Now().Add(patience))
	b, err := io.ReadAll(p.Conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Fatalf("the connection stays open; read %.500q", b)
	}
	return string(append(p.got, b...))
}

// open opens a stream and returns the features.
func (p *peer) open() string {
	p.t.Helper()
	p.send(header)
	return p.expect(features)
}

// tls goes over to TLS. cfg may be nil.
func (p *peer) tls(cfg *tls.Config) (*peer, error) {
	p.t.Helper()
	if cfg == nil {
		cfg = &tls.Config{}
	}
	cfg.InsecureSkipVerify = true
	c := tls.Client(p.Conn, cfg)
	c.SetDeadline(time.Now().Add(patience))
	if err := c.Handshake(); err != nil {
		return nil, err
	}
	c.SetDeadline(time.Time{})
	return &peer{Conn: c, t: p.t}, nil
}

// auth authenticates and binds, and returns what answers the session IQ.
func (p *peer) auth(user string) string {
	p.t.Helper()
	p.open()
	p.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>` +
		base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00pw")) + `</auth>`)
	p.expect(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
	p.open()
	p.send(`<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>`)
	p.expect(`</iq>`)
	p.send(`<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>`)
	return p.expect(`</iq>`)
}

// login opens a session.
func (p *peer) login(user string) *peer {
	p.t.Helper()
	if answer := p.auth(user); !strings.Contains(answer, "type='result'") {
		p.t.Fatalf("no session for %s: %s", user, answer)
	}
	return p
}

//option:ejabberd_c2s access
func TestC2SAccess(t *testing.T) {
	const rules = "{acl, blocked, {user, \"bob\"}}.\n{access, c2s, [{deny, blocked}, {allow, all}]}.\n{access, strict, [{allow, blocked}]}.\n"
	for options, allowed := range map[string]string{"": "alice", "{access, c2s}": "alice", "{access, strict}": "bob", "{access, all}": "alice bob"} {
		t.Run(options, func(t *testing.T) {
			w := start(t, options, rules)
			for _, user := range []string{"alice", "bob"} {
				answer := w.dial().auth(user)
				if got, want := strings.Contains(answer, "type='result'"), strings.Contains(allowed, user); got != want {
					t.Errorf("%s: session %v, want %v: %s", user, got, want, answer)
				}
			}
		})
	}
}

//option:ejabberd_c2s shaper
func TestC2SShaper(t *testing.T) {
	const rules = "{shaper, slow, {maxrate, 1000}}.\n{access, slow_rule, [{slow, all}]}.\n"
	for _, options := range []string{"{shaper, slow_rule}", "{c2s_shaper, slow_rule}"} {
		t.Run(options, func(t *testing.T) {
			w := start(t, options, rules)
			alice, bob := w.dial().login("alice"), w.dial().login("bob")
			begin := time.Now()
			alice.send(strings.Repeat("<message to='bob@h/r'><body>"+strings.Repeat("x", 960)+"</body></message>", 3))
			for range 3 {
				bob.expect("</message>")
			}
			// What is read before the first pause may be everything; the pause
			// then holds what comes next.
			alice.send("<message to='bob@h/r' id='last'/>")
			bob.expect("id='last'")
			if d := time.Since(begin); d < time.Second {
				t.Errorf("3 kB took %v at 1 kB/s", d)
			}
		})
	}
}

//option:ejabberd_c2s max_stanza_size
func TestC2SMaxStanzaSize(t *testing.T) {
	for options, limit := range map[string]int{"": 65536, "{max_stanza_size, 2000}": 2000, "{max_stanza_size, infinity}": 1 << 30} {
		t.Run(options, func(t *testing.T) {
			w := start(t, options, "")
			for _, size := range []int{1500, 3000, 100_000} {
				p := w.dial().login("alice")
				p.send("<message to='alice@h/r'><body>" + strings.Repeat("x", size) + "</body></message>")
				if size < limit {
					p.expect("</message>")
				} else if got := p.rest(); !strings.Contains(got, "policy-violation") {
					t.Errorf("%d bytes: %s", size, got)
				}
				p.Close()
			}
		})
	}
}

//option:ejabberd_c2s certfile starttls starttls_required tls
func TestC2STLSModes(t *testing.T) {
	const cert = `{certfile, "server.pem"}, `
	for options, want := range map[string]struct{ tlsFirst, offered, required bool }{
		`{certfile, "server.pem"}`: {},
		cert + "starttls":          {offered: true},
		cert + "starttls_required": {offered: true, required: true},
		cert + "tls":               {tlsFirst: true},
	} {
		t.Run(options, func(t *testing.T) {
			w := start(t, options, "")
			p := w.dial()
			if want.tlsFirst {
				var err error
				if p, err = p.tls(nil); err != nil {
					t.Fatal(err)
				}
			}
			f := p.open()
			if got := strings.Contains(f, "<starttls"); got != want.offered {
				t.Errorf("STARTTLS offered: %v", got)
			}
			if got := strings.Contains(f, "<required/>"); got != want.required {
				t.Errorf("STARTTLS required: %v", got)
			}
			if got := strings.Contains(f, "<mechanisms"); got == want.required {
				t.Errorf("mechanisms offered: %v", got)
			}
			if want.offered {
				p.send(starttls)
				p.expect("<proceed")
				p.expect("/>")
				var err error
				if p, err = p.tls(nil); err != nil {
					t.Fatal(err)
				}
			}
			if c, ok := p.Conn.(*tls.Conn); ok {
				if names := c.ConnectionState().PeerCertificates[0].DNSNames; len(names) != 1 || names[0] != "h" {
					t.Errorf("certificate of %v", names)
				}
			} else if want.tlsFirst || want.offered {
				t.Error("not encrypted")
			}
			if !want.offered {
				p.send(end)
				p.rest()
				if p = w.dial(); want.tlsFirst {
					p, _ = p.tls(nil)
				}
			}
			p.login("alice")
		})
	}
}

//option:ejabberd_c2s protocol_options
func TestC2SProtocolOptions(t *testing.T) {
	for options, want := range map[string]map[uint16]bool{
		"":                                   {tls.VersionTLS12: true, tls.VersionTLS13: true},
		`{protocol_options, ["no_tlsv1_3"]}`: {tls.VersionTLS12: true, tls.VersionTLS13: false},
		`{protocol_options, "no_sslv3|no_tlsv1_2"}`: {tls.VersionTLS12: false, tls.VersionTLS13: true},
	} {
		t.Run(options, func(t *testing.T) {
			w := start(t, strings.TrimPrefix(options+`, {certfile, "server.pem"}, tls`, ", "), "")
			for version, ok := range want {
				_, err := w.dial().tls(&tls.Config{MinVersion: version, MaxVersion: version})
				if (err == nil) != ok {
					t.Errorf("%s: %v", tls.VersionName(version), err)
				}
			}
		})
	}
}

// A client that reads nothing is given up when more than max_fsm_queue waits.
//
//option:ejabberd_c2s max_fsm_queue
func TestC2SMaxQueue(t *testing.T) {
	for _, tt := range []struct {
		options, terms string
		given          bool // up
	}{
		{"{max_fsm_queue, 20}", "", true},
		{"", "{max_fsm_queue, 20}.\n", true},
		{"{max_fsm_queue, 100000}", "{max_fsm_queue, 20}.\n", false},
	} {
		t.Run(tt.options+tt.terms, func(t *testing.T) {
			w := start(t, strings.TrimPrefix(tt.options+", {max_stanza_size, infinity}", ", "), tt.terms)
			bob, alice := w.dial(), w.dial()
			bob.Conn.(*net.TCPConn).SetReadBuffer(4096)
			bob.login("bob")
			alice.login("alice")
			// 8 MB: far more than the kernel takes, less than the built-in bound.
			for range 400 {
				alice.send("<message to='bob@h/r'><body>" + strings.Repeat("x", 20_000) + "</body></message>")
			}
			alice.send("<iq type='get' id='last'><ping xmlns='urn:xmpp:ping'/></iq>")
			alice.expect("id='last'")
			if got := w.Router().Sessions.Find(jid.MustParse("bob@h/r")) == nil; got != tt.given {
				t.Errorf("given up: %v", got)
			}
			bob.Close()
		})
	}
}

//option:ejabberd_c2s ip inet6
func TestC2SAddress(t *testing.T) {
	for clause, ip := range map[string]string{
		"{15222, ejabberd_c2s, []}":                   "0.0.0.0",
		"{15222, ejabberd_c2s, [{ip, {127,0,0,1}}]}":  "127.0.0.1",
		`{15222, ejabberd_c2s, [{ip, "127.0.0.2"}]}`:  "127.0.0.2",
		`{{15222, "127.0.0.1"}, ejabberd_c2s, []}`:    "127.0.0.1",
		"{15222, ejabberd_c2s, [inet6]}":              "::",
		`{15222, ejabberd_c2s, [inet6, {ip, "::1"}]}`: "::1",
	} {
		t.Run(clause, func(t *testing.T) {
			w := startClause(t, clause, "")
			if got := w.Listeners()[0].Addr().Addr().String(); got != ip {
				t.Errorf("listens on %s, want %s", got, ip)
			}
			w.dial().login("alice")
		})
	}
}

// The kernel says what it granted: asked for too much, it is a warning.
//
//option:ejabberd_c2s backlog
func TestC2SBacklog(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells")
	}
	for options, cut := range map[string]bool{"": false, "{backlog, 10}": false, "{backlog, 100000000}": true} {
		t.Run(options, func(t *testing.T) {
			w := start(t, options, "")
			w.dial().login("alice")
			if got := w.logs.FilterMessageSnippet("backlog cut").FilterField(zap.Int("backlog", 100_000_000)).Len() == 1; got != cut {
				t.Errorf("cut by the kernel: %v", got)
			}
		})
	}
}

//option:ejabberd_c2s proto
func TestC2SProto(t *testing.T) {
	for proto, ok := range map[string]bool{"tcp": true, "ws": true, "wss": true, "udp": false, "sctp": true} {
		t.Run(proto, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "ejabberd.cfg")
			if err := os.WriteFile(file, []byte("{hosts, [\"h\"]}.\n{listen, [{5222, ejabberd_c2s, [{proto, "+proto+"}]}]}.\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, diags := compat.Load(file, compat.Options{Builtins: Builtins()}); diags.HasErrors() == ok {
				t.Errorf("findings: %v", diags)
			}
			if ok {
				start(t, "{proto, "+proto+"}", "").dial().login("alice")
			}
		})
	}
}
