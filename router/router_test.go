package router

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"go.uber.org/zap"

	"meerkat/router/acl"
	"meerkat/router/jid"
	"meerkat/router/session"
	"meerkat/router/stanza"
)

const (
	unavailableError = `<error code='503' type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`
	notFoundError    = `<error code='404' type='cancel'><remote-server-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`
)

func TestHookOrder(t *testing.T) {
	var h Hook[string]
	if h.All() != nil {
		t.Fatalf("zero hook has %q", h.All())
	}
	for _, e := range []struct {
		order  int
		module string
		fn     string
	}{
		{50, "mod_privacy", "privacy"},
		{100, "mod_ping", "ping"},
		{50, "mod_blocking", "blocking"},
		{50, "mod_privacy", "privacy again"},
		{-1, "mod_z", "first"},
		{89, "mod_carboncopy", "carbons"},
	} {
		h.Add(e.order, e.module, e.fn)
	}
	same(t, "order", h.All(), []string{"first", "blocking", "privacy", "privacy again", "carbons", "ping"})
}

// Adding does not touch the list that somebody is walking.
func TestHookAddLeavesOldList(t *testing.T) {
	var h Hook[string]
	h.Add(2, "m", "two")
	old := h.All()
	h.Add(1, "m", "one")
	same(t, "old list", old, []string{"two"})
	same(t, "new list", h.All(), []string{"one", "two"})
}

func TestRouteByDomain(t *testing.T) {
	tests := []struct {
		name, to string
		service  string // domain of the service that gets it, "remote", or "" for a bounce
		error    string
	}{
		{"service", "x@muc.h/r", "muc.h", ""},
		{"service that is not below a host", "gateway.example", "gateway.example", ""},
		{"below a host without a service", "x@no.h", "", unavailableError},
		{"far below a host", "a.b.c.h", "", unavailableError},
		{"below a service", "x.muc.h", "", unavailableError},
		{"elsewhere", "x@example.org", "remote", ""},
		{"name that ends like a host", "x@oh", "remote", ""},
		{"parent of a host", "x@com", "remote", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newNode(t)
			services := map[string]*service{"remote": {}}
			n.SetRemote(services["remote"])
			for _, d := range []string{"muc.h", "gateway.example"} {
				services[d] = &service{}
				if !n.AddService(d, services[d]) {
					t.Fatalf("%s refused", d)
				}
			}
			alice, _ := n.open(t, "alice@h/r", 0)
			n.send(t, `<message from='alice@h/r' to='`+tt.to+`' id='1'/>`)
			for d, s := range services {
				want := 0
				if d == tt.service {
					want = 1
				}
				if got := s.packets(); len(got) != want {
					t.Errorf("%s got %d stanzas, want %d", d, len(got), want)
				}
			}
			var want []string
			if tt.error != "" {
				want = []string{`<message from='` + tt.to + `' to='alice@h/r' type='error' id='1'>` + tt.error + `</message>`}
			}
			same(t, "bounce", alice.take(), want)
		})
	}
}

func TestRouteElsewhereWithoutFederation(t *testing.T) {
	n := newNode(t)
	alice, _ := n.open(t, "alice@h/r", 0)
	n.send(t, `<message from='alice@h/r' to='x@example.org'/>`)
	same(t, "bounce", alice.take(), []string{`<message from='x@example.org' to='alice@h/r' type='error'>` + notFoundError + `</message>`})
}

// An error or a result is never answered, wherever it goes.
func TestErrorsAreNotAnswered(t *testing.T) {
	n := newNode(t)
	alice, _ := n.open(t, "alice@h/r", 0)
	for _, to := range []string{
		"x@example.org", "x@no.h", "h", "h/r", "nobody@h", "nobody@h/r", "bob@h", "bob@h/r",
	} {
		for _, st := range []string{
			`<message from='alice@h/r' to='%s' type='error'/>`,
			`<presence from='alice@h/r' to='%s' type='error'/>`,
			`<iq from='alice@h/r' to='%s' type='error' id='1'><query xmlns='a'/></iq>`,
			`<iq from='alice@h/r' to='%s' type='result' id='1'/>`,
		} {
			xml := fmt.Sprintf(st, to)
			n.send(t, xml)
			if got := alice.take(); got != nil {
				t.Errorf("%s is answered with %q", xml, got)
			}
		}
	}
}

func TestServicesAddAndRemove(t *testing.T) {
	n := newNode(t)
	one, two := &service{}, &service{}
	for _, tt := range []struct {
		domain string
		s      Service
		want   bool
	}{
		{"muc.h", one, true},
		{"muc.h", two, false},
		{"h", one, false},
		{"other.h", one, false},
		{"gateway", two, true},
	} {
		if got := n.AddService(tt.domain, tt.s); got != tt.want {
			t.Errorf("add %s: %v, want %v", tt.domain, got, tt.want)
		}
	}
	n.RemoveService("muc.h", two) // is not its owner
	n.RemoveService("nothing", one)
	got := n.Services()
	slices.Sort(got)
	same(t, "services", got, []string{"gateway", "muc.h"})
	n.RemoveService("muc.h", one)
	same(t, "services", n.Services(), []string{"gateway"})
	if !n.AddService("muc.h", two) {
		t.Error("a domain that was given back is refused")
	}
}

// Services come and go while others route.
func TestServicesWhileRouting(t *testing.T) {
	n := newNode(t)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Add(2)
		d := fmt.Sprintf("s%d.h", i)
		go func() {
			defer wg.Done()
			for range 200 {
				s := &service{}
				if !n.AddService(d, s) {
					t.Errorf("%s is taken", d)
				}
				n.RemoveService(d, s)
			}
		}()
		go func() {
			defer wg.Done()
			turn := session.NewTurn(t.Context())
			for range 200 {
				n.Route(turn, packet(t, `<message from='alice@h/r' to='x@`+d+`'/>`))
				n.Services()
			}
		}()
	}
	wg.Wait()
	if got := n.Services(); len(got) != 0 {
		t.Errorf("left: %q", got)
	}
}

func TestHosts(t *testing.T) {
	n := newNode(t)
	if n.Hosts()[0] != n.h || n.Host("other.h") != n.other || n.Host("x") != nil {
		t.Errorf("hosts %v", n.Hosts())
	}
	if got := n.h.JID(); got != jid.MustParse("h") {
		t.Errorf("JID %s", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("a host can be added twice")
		}
	}()
	n.NewHost("h", nil)
}

func TestMatch(t *testing.T) {
	n := newNode(t)
	alice := jid.MustParse("alice@h")
	if v := n.Match("h", "some_rule", alice); v != acl.Deny {
		t.Errorf("an undefined rule gives %q", v)
	}
	rules, problems := acl.Compile([]string{"h"}, nil, []acl.Rule{{Name: "some_rule", Clauses: []acl.Clause{{Value: "allow", ACL: "all"}}}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	n.SetACL(rules)
	if v := n.Match("h", "some_rule", alice); v != acl.Allow || n.ACL() != rules {
		t.Errorf("the new rules give %q", v)
	}
}

func TestRegisterRunsHook(t *testing.T) {
	n := newNode(t)
	var made []string
	n.h.Hooks.UserRegistered.Add(50, "mod_x", func(_ context.Context, user jid.JID) { made = append(made, user.String()) })
	if err := n.h.Register(n.turn, jid.MustParse("carol@h/r"), "pw"); err != nil {
		t.Fatal(err)
	}
	if err := n.h.Register(n.turn, jid.MustParse("bob@h"), "pw"); err == nil {
		t.Error("registered twice")
	}
	same(t, "hook", made, []string{"carol@h"})
}

func TestRemoveUser(t *testing.T) {
	n := newNode(t)
	bob, _ := n.open(t, "bob@h/r", 0)
	var steps []string
	n.h.Hooks.UserRemoved.Add(50, "mod_x", func(_ *Turn, user jid.JID) { steps = append(steps, "hook "+user.String()) })
	n.accounts.removeErr = errors.New("disk on fire")
	gone := func() {
		steps = append(steps, fmt.Sprintf("gone, %d signals", len(bob.signals)))
	}
	if err := n.h.RemoveUserFunc(n.turn, jid.MustParse("bob@h/r"), gone); err == nil || len(steps) != 0 || len(bob.signals) != 0 {
		t.Fatalf("an account that could not be removed: error %v, steps %q, signals %v", err, steps, bob.signals)
	}
	n.accounts.removeErr = nil
	if err := n.h.RemoveUserFunc(n.turn, jid.MustParse("bob@h/r"), gone); err != nil {
		t.Fatal(err)
	}
	same(t, "steps", steps, []string{"gone, 0 signals", "hook bob@h"})
	want := session.End{Condition: "conflict", Text: "User removed"}
	if len(bob.signals) != 1 || bob.signals[0] != want {
		t.Errorf("signals %v, want %v", bob.signals, want)
	}
	if n.h.Exists(n.turn, jid.MustParse("bob@h")) {
		t.Error("the account is still there")
	}
	if err := n.h.RemoveUser(n.turn, jid.MustParse("alice@h")); err != nil {
		t.Error(err)
	}
}

func TestBroadcast(t *testing.T) {
	n := newNode(t)
	one, _ := n.open(t, "bob@h/1", unavailable)
	two, _ := n.open(t, "bob@h/2", 3)
	alice, _ := n.open(t, "alice@h/1", 3)
	n.Broadcast(n.turn, jid.MustParse("bob@h"), session.Drop{})
	if len(one.signals) != 1 || len(two.signals) != 1 || len(alice.signals) != 0 {
		t.Errorf("signals: %v, %v, %v", one.signals, two.signals, alice.signals)
	}
}

// A panic behind Guard costs a log entry and nothing else.
func TestGuard(t *testing.T) {
	n := newNode(t)
	func() {
		defer n.Guard("count sheep")
		panic("no sheep")
	}()
	got := n.log.FilterMessage("panic").All()
	if len(got) != 1 || got[0].ContextMap()["during"] != "count sheep" || got[0].Level != zap.ErrorLevel {
		t.Errorf("logged %v", got)
	}
	func() {
		defer n.Guard("nothing")
	}()
	if n.log.Len() != 1 {
		t.Errorf("a turn without panic is logged: %v", n.log.All())
	}
}

func TestFeatures(t *testing.T) {
	n := newNode(t)
	n.h.Feature("b", "a")
	n.h.Feature("a", "c")
	n.h.IQ(ServerTable, "urn:x", NoQueue(), nil)
	n.h.IQ(AccountTable, "urn:y", NoQueue(), nil)
	same(t, "features", n.h.Features(), []string{"a", "b", "c", "urn:x"})
}

func TestBounceKeepsAttributesAndContent(t *testing.T) {
	n := newNode(t)
	alice, _ := n.open(t, "alice@h/r", 0)
	n.Bounce(n.turn, packet(t, `<message from='alice@h/r' to='bob@h/x' type='chat' id='7' xml:lang='de' x='y'><body>hi</body></message>`),
		stanza.ServiceUnavailable)
	same(t, "bounce", alice.take(), []string{
		`<message from='bob@h/x' to='alice@h/r' type='error' id='7' xml:lang='de' x='y'><body>hi</body>` + unavailableError + `</message>`,
	})
}
