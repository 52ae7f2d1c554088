package c2s

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"meerkat/listeners/conn"
	"meerkat/listeners/shaper"
	"meerkat/router"
	"meerkat/router/acl"
	"meerkat/router/auth"
	"meerkat/router/client"
	"meerkat/router/sasl"
	"meerkat/router/stanza"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long something that must happen may take.
const patience = 20 * time.Second

// users is an auth_method with plain passwords, which are all pw.
type users struct{ auth.Method }

func (users) Name() string          { return "test" }
func (users) Store() auth.Store     { return auth.StorePlain }
func (users) Serves(auth.Hash) bool { return true }

func (users) Exists(_ context.Context, user string) (bool, error) { return user != "nobody", nil }
func (users) Check(_ context.Context, _, password string) (bool, error) {
	return password == "pw", nil
}

// A world is a node with host h and one listener on the loopback interface.
type world struct {
	*Server
	t    testing.TB
	h    *router.Host
	addr string
	log  *observer.ObservedLogs

	mu     sync.Mutex
	stored []string // messages for accounts that are away
	shapes []string // what the Shaper was asked for
	hosts  []string // what TLS was asked for
	conns  []*conn.Conn
	tls    *tls.Config
	shaper func(name string) *shaper.Shaper
}

// start makes a listener. change may change its server before the first connection.
func start(t testing.TB, o Options, change func(*world)) *world {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	w := &world{t: t, log: logs}
	log := zap.New(core)
	r := router.New(t.Context(), log)
	w.h = r.NewHost("h", auth.NewHost("h", []auth.Method{users{}}, auth.HostOptions{}))
	w.h.Hooks.Offline.Add(75, "mod_offline_stub", func(_ *router.Turn, p router.Packet) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.stored = append(w.stored, string(p.AppendTo(nil, stanza.Options{})))
		return true
	})
	mechanisms, _ := sasl.New(nil)
	w.Server = &Server{
		Options: o,
		Stream: client.Options{
			Access: "all", Shaper: o.Shaper, MaxStanzaSize: o.MaxStanzaSize, MaxQueue: o.MaxQueue,
			StartTLS: o.StartTLS, TLSRequired: o.StartTLSRequired,
		},
		Clients: &client.Server{
			Router: r, Log: log, Now: time.Now,
			Mechanisms: func(*router.Host) *sasl.Mechanisms { return mechanisms },
		},
		TLS: func(host string) *tls.Config {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.hosts = append(w.hosts, host)
			return w.tls
		},
		Shaper: func(name string) *shaper.Shaper {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.shapes = append(w.shapes, name)
			if w.shaper == nil {
				return nil
			}
			return w.shaper(name)
		},
		Log: log,
	}
	w.tls = certificate(t)
	if change != nil {
		change(w)
	}

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.addr = l.Addr().String()
	var served sync.WaitGroup
	served.Add(1)
	go func() {
		defer served.Done()
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			c, err := conn.New(nc.(*net.TCPConn), conn.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			w.mu.Lock()
			w.conns = append(w.conns, c)
			w.mu.Unlock()
			served.Add(1)
			go w.Serve(t.Context(), c, served.Done)
		}
	}()
	t.Cleanup(func() { // the clients are closed by now
		l.Close()
		served.Wait()
		eventually(t, "no sessions", func() bool { return r.Sessions.Count() == 0 })
	})
	return w
}

var certOnce = sync.OnceValues(func() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"h"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
})

func certificate(t testing.TB) *tls.Config {
	t.Helper()
	cert, err := certOnce()
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}}
}

// rules puts access rules into force: lines "NAME VALUE ACL".
func (w *world) rules(lines ...string) {
	var rules []acl.Rule
	for _, l := range lines {
		f := strings.Fields(l)
		rules = append(rules, acl.Rule{Name: f[0], Clauses: []acl.Clause{{Value: acl.Value(f[1]), ACL: f[2]}}})
	}
	compiled, problems := acl.Compile([]string{"h"}, []acl.Entry{{Name: "alice", Kind: acl.User, Args: []string{"alice"}}}, rules)
	if len(problems) > 0 {
		w.t.Fatal(problems)
	}
	w.Clients.Router.SetACL(compiled)
}

func (w *world) storedMessages() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.stored)
}

// A peer is a client's end of a connection.
type peer struct {
	net.Conn
	t   testing.TB
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
	proceed  = `<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`
	success  = `<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`
	features = `</stream:features>`
	end      = `</stream:stream>`
)

func plain(user string) string {
	return `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>` +
		base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00pw")) + `</auth>`
}

func bind(resource string) string {
	return `<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>` + resource + `</resource></bind></iq>` +
		`<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>`
}

// send writes text.
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
	for from := 0; ; {
		if i := bytes.Index(p.got[from:], []byte(text)); i >= 0 {
			end := from + i + len(text)
			s := string(p.got[:end])
			p.got = p.got[end:]
			return s
		}
		from = max(len(p.got)-len(text), 0)
		n, err := p.Read(buf)
		p.got = append(p.got, buf[:n]...)
		if err != nil && n == 0 {
			p.t.Fatalf("expected %q, got %.500q and %v", text, p.got, err)
		}
	}
}

// rest reads to the end of the connection, which must come, and returns what was
// read. A reset counts as an end.
func (p *peer) rest() string {
	p.t.Helper()
	p.SetReadDeadline(time.Now().Add(patience))
	b, err := io.ReadAll(p.Conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Fatalf("the connection stays open; read %.500q", b)
	}
	return string(append(p.got, b...))
}

// login opens a session.
func (p *peer) login(user, resource string) *peer {
	p.t.Helper()
	p.send(header)
	p.expect(features)
	p.send(plain(user))
	p.expect(success)
	p.send(header)
	p.expect(features)
	p.send(bind(resource))
	p.expect(`</iq>`)
	p.expect(`</iq>`)
	return p
}

// startTLS goes over to TLS; it keeps what was not encrypted out of the way.
func (p *peer) startTLS() *peer {
	p.t.Helper()
	c := tls.Client(p.Conn, &tls.Config{InsecureSkipVerify: true})
	c.SetDeadline(time.Now().Add(patience))
	if err := c.Handshake(); err != nil {
		p.t.Fatalf("handshake: %v", err)
	}
	c.SetDeadline(time.Time{})
	return &peer{Conn: c, t: p.t}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never happened: %s", what)
		}
	}
}
