// Package moduletest is a node to test modules on: a router with the hosts h and
// other, accounts in memory, and sessions that record what they are given.
//
// It imports router, router/session, router/auth, router/acl, router/stanza,
// router/jid and cfgterm/schema.
package moduletest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"meerkat/router"
	"meerkat/router/acl"
	"meerkat/router/auth"
	"meerkat/router/jid"
	"meerkat/router/session"
	"meerkat/router/stanza"
)

// A Node is a router and what tests need beside it.
type Node struct {
	*router.Router
	// Host is h, Other is other; both have the same Accounts.
	Host, Other *router.Host
	// Accounts are alice and bob, with the password pw, and those a test makes.
	Accounts *Accounts
	// Turn is flushed by Send.
	Turn *router.Turn
	// Logged is what the node and its modules have logged.
	Logged *observer.ObservedLogs
	// Log is a logger that ends in Logged.
	Log *zap.Logger

	t testing.TB

	mu  sync.Mutex // guards now
	now time.Time
}

// New returns a node that lives as long as the test.
func New(t testing.TB) *Node {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	n := &Node{
		Accounts: &Accounts{passwords: map[string]string{"alice": "pw", "bob": "pw"}},
		Turn:     session.NewTurn(t.Context()),
		Logged:   logs,
		Log:      zap.New(core),
		t:        t,
		now:      time.Date(2015, 10, 21, 7, 28, 0, 0, time.UTC),
	}
	n.Router = router.New(t.Context(), n.Log)
	host := func(name string) *router.Host {
		return n.NewHost(name, auth.NewHost(name, []auth.Method{n.Accounts}, auth.HostOptions{}))
	}
	n.Host, n.Other = host("h"), host("other")
	return n
}

// Now is the node's clock: 2015-10-21 07:28 UTC until Advance.
func (n *Node) Now() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.now
}

// Advance moves the clock.
func (n *Node) Advance(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.now = n.now.Add(d)
}

// Rules puts access rules into force: lines "NAME VALUE ACL …" with one or more
// pairs. The ACL of an account is its name; "all" and "none" are known.
func (n *Node) Rules(lines ...string) {
	n.t.Helper()
	var rules []acl.Rule
	entries := map[string]acl.Entry{}
	for _, l := range lines {
		f := strings.Fields(l)
		r := acl.Rule{Name: f[0]}
		for i := 1; i+1 < len(f); i += 2 {
			r.Clauses = append(r.Clauses, acl.Clause{Value: acl.Value(f[i]), ACL: f[i+1]})
			if f[i+1] != "all" && f[i+1] != "none" {
				entries[f[i+1]] = acl.Entry{Name: f[i+1], Kind: acl.User, Args: []string{f[i+1]}}
			}
		}
		rules = append(rules, r)
	}
	var list []acl.Entry
	for _, e := range entries {
		list = append(list, e)
	}
	compiled, problems := acl.Compile([]string{"h", "other"}, list, rules)
	if len(problems) > 0 {
		n.t.Fatal(problems)
	}
	n.SetACL(compiled)
}

// Packet parses a stanza whose addresses are those of its attributes.
func (n *Node) Packet(xml string) router.Packet {
	n.t.Helper()
	st, _, _, err := stanza.ParseString(xml, nil)
	if err != nil || st == nil {
		n.t.Fatalf("%s: %v", xml, err)
	}
	return router.Packet{From: jid.MustParse(st.From), To: jid.MustParse(st.To), Stanza: st}
}

// Send routes stanzas in one turn.
func (n *Node) Send(xml ...string) {
	n.t.Helper()
	for _, x := range xml {
		n.Route(n.Turn, n.Packet(x))
	}
	n.Turn.Flush()
}

// Unavailable is a priority that stands for none.
const Unavailable = -1 << 20

// Open opens a session whose receiver records.
func (n *Node) Open(full string, prio int) *Session {
	n.t.Helper()
	s := &Session{}
	s.Session = session.New(n.Sessions.NextID("n", n.Now().UnixMicro()), jid.MustParse(full), session.Info{}, &s.recorder)
	if prio != Unavailable {
		s.SetPriority(prio)
	}
	n.Sessions.Open(s.Session, 0)
	return s
}

// A Session records what it is given.
type Session struct {
	*session.Session
	recorder
}

type recorder struct {
	mu      sync.Mutex
	got     []router.Packet
	signals []session.Signal
}

// Deliver implements session.Receiver.
func (r *recorder) Deliver(_ *router.Turn, p router.Packet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, p)
}

// Signal implements session.Receiver.
func (r *recorder) Signal(_ *router.Turn, s session.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.signals = append(r.signals, s)
}

// Packets returns what was delivered since the last call of Take.
func (r *recorder) Packets() []router.Packet {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// Take returns what was delivered since the last call, as it would be written.
func (r *recorder) Take() (list []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.got {
		list = append(list, string(p.AppendTo(nil, stanza.Options{})))
	}
	r.got = nil
	return list
}

// Signals returns the signals since the last call.
func (r *recorder) Signals() []session.Signal {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.signals
	r.signals = nil
	return s
}

// Accounts is an auth_method in memory, with plain passwords.
type Accounts struct {
	mu        sync.Mutex
	passwords map[string]string
	fail      error
}

// Fail makes all that changes accounts fail with err, and work again with nil.
func (a *Accounts) Fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fail = err
}

// Password returns an account's password, "" if there is none.
func (a *Accounts) Password(user string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.passwords[user]
}

// Name implements auth.Method.
func (*Accounts) Name() string { return "test" }

// Store implements auth.Method.
func (*Accounts) Store() auth.Store { return auth.StorePlain }

// Serves implements auth.Method.
func (*Accounts) Serves(auth.Hash) bool { return true }

// Check implements auth.Method.
func (a *Accounts) Check(_ context.Context, user, password string) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, ok := a.passwords[user]
	return ok && p == password, nil
}

// Credentials implements auth.Method.
func (a *Accounts) Credentials(_ context.Context, user string) (auth.Credentials, error) {
	return auth.Credentials{Plain: a.Password(user)}, nil
}

// Exists implements auth.Method.
func (a *Accounts) Exists(_ context.Context, user string) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.passwords[user]
	return ok, nil
}

// Register implements auth.Method.
func (a *Accounts) Register(_ context.Context, user, password string) error {
	return a.change(func() error {
		if _, ok := a.passwords[user]; ok {
			return auth.ErrExists
		}
		a.passwords[user] = password
		return nil
	})
}

// SetPassword implements auth.Method.
func (a *Accounts) SetPassword(_ context.Context, user, password string) error {
	return a.change(func() error { a.passwords[user] = password; return nil })
}

// Remove implements auth.Method.
func (a *Accounts) Remove(_ context.Context, user string) error {
	return a.change(func() error { delete(a.passwords, user); return nil })
}

// RemoveChecked implements auth.Method.
func (a *Accounts) RemoveChecked(ctx context.Context, user, password string) error {
	if ok, _ := a.Check(ctx, user, password); !ok {
		return auth.ErrNotAuthorized
	}
	return a.Remove(ctx, user)
}

func (a *Accounts) change(fn func() error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fail != nil {
		return a.fail
	}
	return fn()
}

// Error returns a stanza error as it ends a reply.
func Error(code, typ, condition, text string) string {
	s := `<error code='` + code + `' type='` + typ + `'><` + condition + ` xmlns='` + stanza.NSErrors + `'/>`
	if text != "" {
		s += `<text xmlns='` + stanza.NSErrors + `'>` + text + `</text>`
	}
	return s + `</error>`
}

// Same compares two lists of stanzas.
func Same(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// Eventually waits, for 10 seconds at most, until ok holds.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never happened: %s", what)
		}
	}
}
