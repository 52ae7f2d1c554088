package client

import (
	"context"
	"crypto/tls"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"meerkat/router"
	"meerkat/router/acl"
	"meerkat/router/auth"
	"meerkat/router/jid"
	"meerkat/router/sasl"
	"meerkat/router/session"
	"meerkat/router/stanza"
	"meerkat/router/stream"
	"meerkat/router/xml"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	nsErrors  = "urn:ietf:params:xml:ns:xmpp-stanzas"
	nsStreams = "urn:ietf:params:xml:ns:xmpp-streams"
	streamEnd = "</stream:stream>"
)

// errorXML is a stanza error.
func errorXML(code, typ, condition string) string {
	return `<error code='` + code + `' type='` + typ + `'><` + condition + ` xmlns='` + nsErrors + `'/></error>`
}

// streamError is the end of a stream because of an error.
func streamError(condition string) []string {
	return []string{`<stream:error><` + condition + ` xmlns='` + nsStreams + `'/></stream:error>`, streamEnd}
}

func streamErrorText(condition, text string) []string {
	return []string{
		`<stream:error><` + condition + ` xmlns='` + nsStreams + `'/><text xmlns='` + nsStreams + `' xml:lang=''>` + text + `</text></stream:error>`,
		streamEnd,
	}
}

// A transport is a stream.Transport in memory. What is written is kept as a list of
// elements. It can be congested, fail, and tell of what was done to it.
type transport struct {
	client *Client // set by who makes it
	cert   bool    // STARTTLS is possible
	tlsErr error   // what StartTLS returns

	mu        sync.Mutex
	peer      stream.Peer
	out       []string // appended elements that were written, in order
	writes    int
	congested bool
	capacity  int // number of writes until it is congested by itself; 0: any
	failing   bool
	closed    bool // Close or Drop was called
	dropped   bool
	log       []string // other calls
	afterEnd  int      // writes after the end of the stream
	onWrite   func()   // called by Write, before anything else
	onRestart func()   // called by Restart
}

var errGone = errors.New("transport is gone")

func (t *transport) note(s string) {
	t.mu.Lock()
	t.log = append(t.log, s)
	t.mu.Unlock()
}

// mark separates elements in what is written.
const mark = "\x00"

func (*transport) AppendHeader(dst []byte, h stream.Header) []byte {
	s := "header from=" + h.From
	if h.Version {
		s += " version"
	}
	if h.Lang != "" {
		s += " lang=" + h.Lang
	}
	if h.ID == "" {
		s += " without id"
	}
	return append(dst, s+mark...)
}

func (*transport) AppendElement(dst []byte, el *xml.Element) []byte {
	return append(el.AppendTo(dst, stanza.NSClient, xml.Binding{Prefix: "stream", Space: stanza.NSStream}), mark...)
}

func (*transport) AppendStanza(dst []byte, p *stanza.Packet) []byte {
	return append(p.AppendTo(dst, stanza.Options{}), mark...)
}

func (*transport) AppendEnd(dst []byte) []byte { return append(dst, streamEnd+mark...) }

func (t *transport) Write(b []byte) error {
	t.mu.Lock()
	f := t.onWrite
	t.mu.Unlock()
	if f != nil {
		f()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failing || t.closed {
		return errGone
	}
	if slices.Contains(t.out, streamEnd) {
		t.afterEnd++
	}
	t.out = append(t.out, strings.Split(strings.TrimSuffix(string(b), mark), mark)...)
	t.writes++
	if t.capacity > 0 {
		if t.capacity--; t.capacity == 0 {
			t.congested = true
		}
	}
	return nil
}

func (t *transport) Congested() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.congested
}

func (t *transport) CanStartTLS(string) bool { return t.cert && t.peer.TLS == nil }

func (t *transport) StartTLS(host string) error {
	t.note("starttls " + host)
	if t.tlsErr != nil {
		return t.tlsErr
	}
	t.mu.Lock()
	t.peer.TLS = &tls.ConnectionState{}
	t.mu.Unlock()
	return nil
}

func (t *transport) Restart() {
	t.note("restart")
	if t.onRestart != nil {
		t.onRestart()
	}
}

func (t *transport) SetTimeout(d time.Duration) { t.note("timeout " + d.String()) }

func (t *transport) Shape(name string) { t.note("shape " + name) }

func (t *transport) Close() { t.close(false) }
func (t *transport) Drop()  { t.close(true) }

func (t *transport) close(drop bool) {
	t.mu.Lock()
	t.closed = true
	t.dropped = t.dropped || drop
	t.mu.Unlock()
}

func (t *transport) Peer() stream.Peer {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.peer
}

// set changes the transport's behaviour.
func (t *transport) set(f func(t *transport)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(t)
}

// drain ends congestion, as the network does when the peer reads.
func (t *transport) drain() {
	t.set(func(t *transport) { t.congested = false })
	t.client.Drained()
}

// take returns what was written since the last call.
func (t *transport) take() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := t.out
	t.out = nil
	return out
}

func (t *transport) isClosed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closed
}

// calls returns what else was done since the last call.
func (t *transport) calls() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	log := t.log
	t.log = nil
	return log
}

// users is an auth_method with plain passwords.
type users struct {
	auth.Method
	err error // what Credentials and Check fail with

	mu        sync.Mutex
	passwords map[string]string
}

func (*users) Name() string          { return "test" }
func (*users) Store() auth.Store     { return auth.StorePlain }
func (*users) Serves(auth.Hash) bool { return true }

func (u *users) password(user string) (string, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	p, ok := u.passwords[user]
	return p, ok
}

func (u *users) Exists(_ context.Context, user string) (bool, error) {
	_, ok := u.password(user)
	return ok, nil
}

func (u *users) Check(_ context.Context, user, password string) (bool, error) {
	p, ok := u.password(user)
	return ok && p == password, u.err
}

func (u *users) Credentials(_ context.Context, user string) (auth.Credentials, error) {
	p, _ := u.password(user)
	return auth.Credentials{Plain: p}, u.err
}

func (u *users) Remove(_ context.Context, user string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.passwords, user)
	return nil
}

// A world is a server with the hosts h and other, and accounts alice, bob and carol
// on h.
type world struct {
	*Server
	t       testing.TB
	h       *router.Host
	users   *users
	opts    Options
	log     *observer.ObservedLogs
	clock   time.Time
	offline *afterlife
}

func newWorld(t testing.TB) *world {
	core, logs := observer.New(zapcore.DebugLevel)
	w := &world{
		t:     t,
		users: &users{passwords: map[string]string{"alice": "pw", "bob": "pw", "carol": "pw"}},
		opts:  Options{Access: "all"},
		log:   logs,
		clock: time.Date(2015, 10, 21, 7, 28, 0, 0, time.UTC),
	}
	r := router.New(t.Context(), zap.New(core))
	w.h = r.NewHost("h", auth.NewHost("h", []auth.Method{w.users}, auth.HostOptions{}))
	r.NewHost("other", auth.NewHost("other", []auth.Method{w.users}, auth.HostOptions{}))
	mechanisms, _ := sasl.New(nil)
	w.Server = &Server{
		Router: r, Log: zap.New(core), Now: func() time.Time { return w.clock },
		Mechanisms: func(*router.Host) *sasl.Mechanisms { return mechanisms },
	}
	w.offline = &afterlife{}
	w.h.Hooks.Offline.Add(75, "mod_offline_stub", w.offline.store)
	return w
}

// rules puts access rules into force: lines such as "name value acl".
func (w *world) rules(lines ...string) {
	var rules []acl.Rule
	for _, l := range lines {
		f := strings.Fields(l)
		rules = append(rules, acl.Rule{Name: f[0], Clauses: []acl.Clause{{Value: acl.Value(f[1]), ACL: f[2]}}})
	}
	compiled, problems := acl.Compile([]string{"h"}, []acl.Entry{
		{Name: "alice", Kind: acl.User, Args: []string{"alice"}},
	}, rules)
	if len(problems) > 0 {
		w.t.Fatal(problems)
	}
	w.Router.SetACL(compiled)
}

// An afterlife takes the messages that no session takes, in order.
type afterlife struct {
	mu     sync.Mutex
	stored []string
}

func (o *afterlife) store(_ *router.Turn, p router.Packet) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stored = append(o.stored, string(p.AppendTo(nil, stanza.Options{})))
	return true
}

func (o *afterlife) take() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.stored
	o.stored = nil
	return s
}

// connect makes a stream that has received nothing yet.
func (w *world) connect() *transport {
	tr := &transport{}
	tr.peer.Addr = netip.MustParseAddrPort("192.0.2.7:1234")
	opts := w.opts
	tr.client = w.New(w.t.Context(), tr, &opts)
	tr.calls()
	return tr
}

const header = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='h' version='1.0'>`

// header sends a stream header.
func (t *transport) header(tb testing.TB, text string) {
	tb.Helper()
	h, err := xml.ParseHeader([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	t.client.Opened(h)
	t.client.EndOfInput()
	t.settle()
}

// send hands elements to the stream as one read would.
func (t *transport) send(elements ...string) {
	for _, e := range elements {
		t.client.Element([]byte(e))
	}
	t.client.EndOfInput()
	t.settle()
}

// settle does what a transport does when it was closed.
func (t *transport) settle() {
	if t.isClosed() {
		t.client.Lost()
	}
}

// login opens a session. What was written so far is forgotten.
func (w *world) login(full string) *transport {
	w.t.Helper()
	tr := w.loginOnly(full)
	tr.take()
	tr.calls()
	return tr
}

// loginOnly is login that keeps what was written.
func (w *world) loginOnly(full string) *transport {
	w.t.Helper()
	tr := w.connect()
	tr.bind(w.t, jid.MustParse(full))
	tr.send(`<iq type='set' id='s'><session xmlns='` + nsSession + `'/></iq>`)
	if tr.client.state != established {
		w.t.Fatalf("%s got no session: %q", full, tr.take())
	}
	return tr
}

// bind authenticates as the user of full and binds its resource.
func (t *transport) bind(tb testing.TB, full jid.JID) {
	tb.Helper()
	t.header(tb, header)
	t.send(plain(full.Local()))
	t.header(tb, header)
	t.send(`<iq type='set' id='b'><bind xmlns='` + nsBind + `'><resource>` + full.Resource() + `</resource></bind></iq>`)
	if t.client.JID() != full {
		tb.Fatalf("bound %s, want %s", t.client.JID(), full)
	}
}

func plain(user string) string {
	return `<auth xmlns='` + nsSASL + `' mechanism='PLAIN'>` + b64("\x00"+user+"\x00pw") + `</auth>`
}

// route routes a stanza with the addresses of its attributes.
func (w *world) route(text string) {
	w.t.Helper()
	t := session.NewTurn(w.t.Context())
	w.Router.Route(t, w.packet(text))
	t.Flush()
}

func (w *world) packet(text string) router.Packet {
	w.t.Helper()
	st, _, _, err := stanza.ParseString(text, nil)
	if err != nil || st == nil {
		w.t.Fatalf("%s: %v", text, err)
	}
	return router.Packet{From: jid.MustParse(st.From), To: jid.MustParse(st.To), Stanza: st}
}

func same(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// eventually waits until ok holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never happened: %s", what)
		}
	}
}
