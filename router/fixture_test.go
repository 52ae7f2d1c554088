package router

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"meerkat/router/auth"
	"meerkat/router/jid"
	"meerkat/router/session"
	"meerkat/router/stanza"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// accounts is an auth_method that knows names and nothing else. The methods that
// routing does not use are those of a nil Method.
type accounts struct {
	auth.Method
	mu        sync.Mutex
	names     []string
	removeErr error
}

func (*accounts) Name() string           { return "names" }
func (*accounts) Store() auth.Store      { return auth.StorePlain }
func (*accounts) Serves(auth.Hash) bool  { return true }
func (a *accounts) has(user string) bool { return slices.Contains(a.names, user) }

func (a *accounts) Exists(_ context.Context, user string) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.has(user), nil
}

func (a *accounts) Register(_ context.Context, user, _ string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.has(user) {
		return auth.ErrExists
	}
	a.names = append(a.names, user)
	return nil
}

func (a *accounts) Remove(_ context.Context, user string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.removeErr != nil {
		return a.removeErr
	}
	a.names = slices.DeleteFunc(a.names, func(n string) bool { return n == user })
	return nil
}

// node is a router with the hosts h and other.h and the accounts alice and bob on
// each of them.
type node struct {
	*Router
	h, other *Host
	accounts *accounts
	log      *observer.ObservedLogs
	turn     *Turn
}

func newNode(t testing.TB) *node {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	n := &node{
		Router:   New(t.Context(), zap.New(core)),
		accounts: &accounts{names: []string{"alice", "bob"}},
		log:      logs,
		turn:     session.NewTurn(t.Context()),
	}
	make := func(name string) *Host {
		return n.NewHost(name, auth.NewHost(name, []auth.Method{n.accounts}, auth.HostOptions{}))
	}
	n.h, n.other = make("h"), make("other.h")
	return n
}

// receiver records what it is given.
type receiver struct {
	mu      sync.Mutex
	got     []Packet
	signals []session.Signal
}

func (r *receiver) Deliver(_ *Turn, p Packet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, p)
}

func (r *receiver) Signal(_ *Turn, s session.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.signals = append(r.signals, s)
}

func (r *receiver) packets() []Packet {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// take returns what came since the last call, as it would be written.
func (r *receiver) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for _, p := range r.got {
		list = append(list, text(p))
	}
	r.got = nil
	return list
}

func text(p Packet) string { return string(p.AppendTo(nil, stanza.Options{})) }

const unavailable = 1 << 20 // a priority that stands for none

// open makes a session whose receiver records.
func (n *node) open(t testing.TB, full string, prio int) (*receiver, *session.Session) {
	t.Helper()
	r := &receiver{}
	s := session.New(n.Sessions.NextID("n", 1), jid.MustParse(full), session.Info{}, r)
	if prio != unavailable {
		s.SetPriority(prio)
	}
	n.Sessions.Open(s, 0)
	return r, s
}

func parse(t testing.TB, xml string) *stanza.Stanza {
	t.Helper()
	st, _, _, err := stanza.ParseString(xml, nil)
	if err != nil || st == nil {
		t.Fatalf("%s: %v", xml, err)
	}
	return st
}

// send routes a stanza whose addresses are those of its attributes.
func (n *node) send(t testing.TB, xml string) {
	t.Helper()
	n.Route(n.turn, packet(t, xml))
	n.turn.Flush()
}

func packet(t testing.TB, xml string) Packet {
	t.Helper()
	st := parse(t, xml)
	return Packet{From: jid.MustParse(st.From), To: jid.MustParse(st.To), Stanza: st}
}

// service records what is routed to a domain.
type service struct{ receiver }

func (s *service) Route(t *Turn, p Packet) { s.Deliver(t, p) }

// eventually waits until ok holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

func same(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}
