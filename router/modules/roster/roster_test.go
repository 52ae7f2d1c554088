package roster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"meerkat/cfgterm/schema"
	"meerkat/cfgterm/schema/schematest"
	"meerkat/router"
	"meerkat/router/jid"
	"meerkat/router/modules/moduletest"
	"meerkat/router/session"
	"meerkat/router/storage"
	"meerkat/router/storage/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOptions(t *testing.T) { schematest.Run(t, Table(), "[]") }

//option:mod_roster iqdisc
func TestIQDisc(t *testing.T) {
	moduletest.Disciplines(t, `<iq from='alice@h/r' to='alice@h' type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>`,
		func(n *moduletest.Node, d schema.IQDisc) {
			(&Module{Options: Options{IQDisc: d}, Store: newMemory(), Log: n.Log}).Register(n.Host)
		})
}

func openDB(t testing.TB) *storage.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Host: "h"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// memory is a Store that can fail.
type memory struct {
	mu       sync.Mutex
	items    map[string][]Item
	versions map[string]string
	err      error
}

func newMemory() *memory { return &memory{items: map[string][]Item{}, versions: map[string]string{}} }

func (m *memory) Items(_ context.Context, user string) ([]Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.items[user]), m.err
}

func (m *memory) Put(_ context.Context, user string, it *Item) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, old := range m.items[user] {
		if old.Contact == it.Contact {
			m.items[user][i] = *it
			return m.err
		}
	}
	m.items[user] = append(m.items[user], *it)
	return m.err
}

func (m *memory) Delete(_ context.Context, user string, contact jid.JID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.items[user] = slices.DeleteFunc(m.items[user], func(it Item) bool { return it.Contact == contact })
	return m.err
}

func (m *memory) DeleteAll(_ context.Context, user string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.items, user)
	delete(m.versions, user)
	return m.err
}

func (m *memory) Version(_ context.Context, user string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.versions[user], m.err
}

func (m *memory) SetVersion(_ context.Context, user, version string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.versions[user] = version
	return m.err
}

// world is a node with mod_roster on both hosts.
type world struct {
	*moduletest.Node
	store  *memory
	module *Module
}

func newWorld(t testing.TB, o Options) *world {
	t.Helper()
	w := &world{Node: moduletest.New(t), store: newMemory()}
	w.module = &Module{Options: o, Store: w.store, Log: w.Log}
	w.module.Register(w.Host)
	(&Module{Options: o, Store: newMemory(), Log: w.Log}).Register(w.Other)
	return w
}

// put stores an entry of alice's: state, then what else.
func (w *world) put(contact, state string, more ...func(*Item)) {
	it := Item{Contact: jid.MustParse(contact), state: states[state]}
	for _, f := range more {
		f(&it)
	}
	_ = w.store.Put(context.Background(), "alice", &it)
}

// state returns the state of an entry of alice's, "absent" if there is none.
func (w *world) state(t testing.TB, contact string) string {
	t.Helper()
	items, err := w.store.Items(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range items {
		if it.Contact.String() == contact {
			for name, s := range states {
				if s == it.state {
					return name
				}
			}
			t.Fatalf("%+v is no state", it.state)
		}
	}
	return "absent"
}

// client does what a client's session does with subscription presence.
func (w *world) client(from, to, typ string) {
	p := w.Packet("<presence from='" + from + "' to='" + to + "' type='" + typ + "'/>")
	for _, fn := range w.Router.Host(p.From.Domain()).Hooks.SubscriptionOut.All() {
		fn(w.Turn, p)
	}
	w.Route(w.Turn, p)
	w.Turn.Flush()
}

const push = `<iq from='alice@h' to='alice@h/%s' type='set' id='PUSH'><query xmlns='jabber:iq:roster'>%s</query></iq>`

// take returns what a session got; the ids of pushes, which are random, are PUSH.
func take(t testing.TB, s *moduletest.Session) (list []string) {
	t.Helper()
	for _, x := range s.Take() {
		if i := strings.Index(x, " id='push"); i >= 0 {
			end := i + 9 + strings.IndexByte(x[i+9:], '\'')
			id := x[i+9 : end]
			if id == "" || strings.Trim(id, "0123456789ABCDEF") != "" {
				t.Errorf("id of a push: push%s", id)
			}
			x = x[:i] + " id='PUSH" + x[end:]
		}
		list = append(list, x)
	}
	return list
}

func item(contact, state string) string {
	s := states[state]
	x := `<item jid='` + contact + `' subscription='` + s.Subscription.String() + `'`
	if s.Ask == AskOut || s.Ask == AskBoth {
		x += ` ask='subscribe'`
	}
	return x + `/>`
}

// Every cell of the two tables, as the user's session, the contact and the store
// see it.
func TestSubscription(t *testing.T) {
	for _, c := range tables(t) {
		t.Run(c.String(), func(t *testing.T) {
			w := newWorld(t, Options{})
			alice := w.Open("alice@h/r", 0)
			bob := w.Open("bob@other/r", 0)
			if c.before != "none" {
				w.put("bob@other", c.before)
			}
			if c.direction == inbound {
				w.Send("<presence from='bob@other/x' to='alice@h' type='" + c.presence + "'/>")
			} else {
				w.client("alice@h", "bob@other", c.presence)
			}

			after := c.after
			if after == "-" {
				after = c.before
			}
			stored := after
			if stored == "none" && (c.before == "none,in" || c.before == "none") {
				stored = "absent" // was never part of the roster
			}
			if got := w.state(t, "bob@other"); got != stored {
				t.Errorf("stored %s, want %s", got, stored)
			}

			var seen []string
			changed := c.after != "-" && after != c.before
			hidden := after == "none,in" || c.before == "none,in" && after == "none"
			if changed && !hidden {
				seen = append(seen, fmt.Sprintf(push, "r", item("bob@other", after)))
			}
			if c.direction == inbound && c.after != "-" {
				seen = append(seen, "<presence from='bob@other/x' to='alice@h/r' type='"+c.presence+"'/>")
			}
			moduletest.Same(t, "alice sees", take(t, alice), seen...)

			var signals []session.Signal
			if changed && !hidden {
				s := states[after].Subscription
				signals = append(signals, session.RosterChanged{
					Contact: jid.MustParse("bob@other"), From: s == From || s == Both, To: s == To || s == Both,
				})
			}
			if got := alice.Signals(); !slices.Equal(got, signals) {
				t.Errorf("signals %v, want %v", got, signals)
			}

			// Bob's account has an empty roster: answers change nothing there.
			if hears := take(t, bob); c.direction == inbound && hears != nil {
				t.Errorf("bob hears %q", hears)
			}
		})
	}
}

// What the server says for the user goes from bare to bare JID.
func TestAnswerIsRouted(t *testing.T) {
	n := moduletest.New(t)
	store := newMemory()
	(&Module{Store: store, Log: n.Log}).Register(n.Host)
	svc := &service{}
	n.AddService("svc", svc)
	for _, c := range tables(t) {
		if c.direction == outbound {
			continue
		}
		_ = store.DeleteAll(t.Context(), "alice")
		it := Item{Contact: jid.MustParse("bob@svc"), state: states[c.before]}
		_ = store.Put(t.Context(), "alice", &it)
		n.Send("<presence from='bob@svc/x' to='alice@h' type='" + c.presence + "'/>")
		var want []string
		if c.answer {
			want = []string{"<presence from='alice@h' to='bob@svc' type='" + c.presence + "d'/>"}
		}
		moduletest.Same(t, c.String(), svc.take(), want...)
	}
}

// service records what is routed to a domain.
type service struct {
	mu  sync.Mutex
	got []router.Packet
}

func (s *service) Route(_ *router.Turn, p router.Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, p)
}

func (s *service) take() (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.got {
		list = append(list, "<presence from='"+p.From.String()+"' to='"+p.To.String()+"' type='"+p.Stanza.Type+"'/>")
	}
	s.got = nil
	return list
}

// The text of a request is kept and replayed until the request is answered.
func TestPendingRequests(t *testing.T) {
	w := newWorld(t, Options{})
	pending := func() (list []string) {
		for _, fn := range w.Host.Hooks.PendingSubscriptions.All() {
			for _, p := range fn(t.Context(), jid.MustParse("alice@h")) {
				list = append(list, p.Stanza.WithAddresses(p.From.String(), p.To.String()).String())
			}
		}
		return list
	}
	moduletest.Same(t, "at first", pending())
	w.Send("<presence from='bob@other/x' to='alice@h' type='subscribe'><status>I am &lt;Bob&gt;</status></presence>",
		"<presence from='carol@other' to='alice@h' type='subscribe'/>",
		"<presence from='bob@other' to='alice@h' type='subscribe'><status>again</status></presence>")
	w.put("dave@other", "to,in")
	w.put("erin@other", "none,both")
	w.put("frank@other", "none,out")
	w.put("grace@other", "both")
	moduletest.Same(t, "requests", pending(),
		"<presence from='bob@other' to='alice@h' type='subscribe'><status>I am &lt;Bob&gt;</status></presence>",
		"<presence from='carol@other' to='alice@h' type='subscribe'/>",
		"<presence from='dave@other' to='alice@h' type='subscribe'/>",
		"<presence from='erin@other' to='alice@h' type='subscribe'/>")
	w.client("alice@h", "bob@other", "subscribed")
	w.client("alice@h", "carol@other", "unsubscribed")
	w.client("alice@h", "dave@other", "subscribed")
	w.client("alice@h", "erin@other", "unsubscribed")
	moduletest.Same(t, "afterwards", pending())
	// A later request does not come with the text of an earlier one.
	w.Send("<presence from='frank@other' to='alice@h' type='subscribe'><status>first</status></presence>")
	w.client("alice@h", "frank@other", "unsubscribed")
	w.Send("<presence from='frank@other' to='alice@h' type='subscribe'/>")
	moduletest.Same(t, "second request", pending(), "<presence from='frank@other' to='alice@h' type='subscribe'/>")
}

func TestGet(t *testing.T) {
	const get = `<iq from='alice@h/r' to='alice@h' type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>`
	w := newWorld(t, Options{})
	alice := w.Open("alice@h/r", 0)
	w.Send(get)
	moduletest.Same(t, "empty", alice.Take(), `<iq from='alice@h' to='alice@h/r' type='result' id='1'><query xmlns='jabber:iq:roster'/></iq>`)
	for i, s := range []string{"none", "none,out", "none,in", "none,both", "to", "to,in", "from", "from,out", "both"} {
		w.put(fmt.Sprintf("c%d@x", i), s)
	}
	w.put("named@x/r", "to", func(it *Item) { it.Name, it.Groups = "A & B", []string{"one", "<two>"} })
	w.Send(get)
	moduletest.Same(t, "roster", alice.Take(), `<iq from='alice@h' to='alice@h/r' type='result' id='1'><query xmlns='jabber:iq:roster'>`+
		item("c0@x", "none")+item("c1@x", "none,out")+item("c3@x", "none,both")+item("c4@x", "to")+item("c5@x", "to,in")+
		item("c6@x", "from")+item("c7@x", "from,out")+item("c8@x", "both")+
		`<item jid='named@x/r' subscription='to' name='A &amp; B'><group>one</group><group>&lt;two&gt;</group></item></query></iq>`)
	// The roster is the sender's, whoever is asked.
	w.Send(`<iq from='bob@h/r' to='alice@h' type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>`)
	bob := w.Open("bob@h/r", 0)
	w.Send(`<iq from='bob@h/r' to='alice@h' type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>`)
	moduletest.Same(t, "bob's", bob.Take(), `<iq from='alice@h' to='bob@h/r' type='result' id='1'><query xmlns='jabber:iq:roster'/></iq>`)
	stranger := w.Open("bob@other/r", 0)
	w.Send(`<iq from='bob@other/r' to='alice@h' type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>`)
	moduletest.Same(t, "a stranger", stranger.Take(), `<iq from='alice@h' to='bob@other/r' type='error' id='1'><query xmlns='jabber:iq:roster'/>`+
		moduletest.Error("404", "cancel", "item-not-found", "")+`</iq>`)
}

// set sends a roster set of alice's.
func (w *world) set(items string) {
	w.Send(`<iq from='alice@h/r' to='alice@h' type='set' id='1'><query xmlns='jabber:iq:roster'>` + items + `</query></iq>`)
}

const result = `<iq from='alice@h' to='alice@h/r' type='result' id='1'/>`

func TestSet(t *testing.T) {
	tests := []struct {
		name   string
		before string // state of bob@other
		in     string
		pushes []string
		stored []Item
	}{
		{
			"new", "", `<item jid='bob@other' name='Bob'><group>a</group><group>b</group><group>a</group></item>`,
			[]string{`<item jid='bob@other' subscription='none' name='Bob'><group>a</group><group>b</group></item>`},
			[]Item{{Contact: jid.MustParse("bob@other"), Name: "Bob", Groups: []string{"a", "b"}}},
		},
		{
			"subscription is kept", "both", `<item jid='bob@other' name='B' subscription='none'/>`,
			[]string{`<item jid='bob@other' subscription='both' name='B'/>`},
			[]Item{{Contact: jid.MustParse("bob@other"), Name: "B", state: both}},
		},
		{
			"ask is kept", "none,out", `<item jid='bob@other'/>`,
			[]string{item("bob@other", "none,out")},
			[]Item{{Contact: jid.MustParse("bob@other"), state: noneOut}},
		},
		{
			"resource is kept", "", `<item jid='bob@other/X'/>`,
			[]string{`<item jid='bob@other/X' subscription='none'/>`},
			[]Item{{Contact: jid.MustParse("bob@other/X")}},
		},
		{"domain", "", `<item jid='Other'/>`, []string{`<item jid='other' subscription='none'/>`}, []Item{{Contact: jid.MustParse("other")}}},
		{
			"two", "", `<item jid='b@x'/><item jid='a@x'/>`,
			[]string{`<item jid='b@x' subscription='none'/>`, `<item jid='a@x' subscription='none'/>`},
			[]Item{{Contact: jid.MustParse("b@x")}, {Contact: jid.MustParse("a@x")}},
		},
		{"no address", "", `<item jid='@x'/><item/><item jid=''/><other jid='a@x'/>`, nil, nil},
		{"nothing", "", ``, nil, nil},
		{
			"group that is empty", "", `<item jid='a@x'><group/></item>`,
			[]string{`<item jid='a@x' subscription='none'><group/></item>`},
			[]Item{{Contact: jid.MustParse("a@x"), Groups: []string{""}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			if tt.before != "" {
				w.put("bob@other", tt.before, func(it *Item) { it.Name, it.Groups = "old", []string{"old"} })
			}
			here, there := w.Open("alice@h/r", 0), w.Open("alice@h/s", moduletest.Unavailable)
			w.set(tt.in)
			var mine, theirs []string
			for _, p := range tt.pushes {
				mine = append(mine, fmt.Sprintf(push, "r", p))
				theirs = append(theirs, fmt.Sprintf(push, "s", p))
			}
			moduletest.Same(t, "sender", take(t, here), append(mine, result)...)
			moduletest.Same(t, "other session", take(t, there), theirs...)
			items, _ := w.store.Items(t.Context(), "alice")
			if fmt.Sprintf("%+v", items) != fmt.Sprintf("%+v", tt.stored) {
				t.Errorf("stored %+v, want %+v", items, tt.stored)
			}
			if n := len(here.Signals()); n != len(tt.pushes) {
				t.Errorf("%d signals, want %d", n, len(tt.pushes))
			}
		})
	}
}

func TestRemove(t *testing.T) {
	for state, say := range map[string][]string{
		"absent": nil, "none": nil, "none,out": nil, "none,in": nil, "none,both": nil,
		"to": {"unsubscribe"}, "to,in": {"unsubscribe"}, "from": {"unsubscribed"}, "from,out": {"unsubscribed"},
		"both": {"unsubscribe", "unsubscribed"},
	} {
		t.Run(state, func(t *testing.T) {
			n := moduletest.New(t)
			w := &world{Node: n, store: newMemory()}
			(&Module{Store: w.store, Log: n.Log}).Register(n.Host)
			svc := &service{}
			n.AddService("svc", svc)
			alice := n.Open("alice@h/r", 0)
			ask := ""
			if state != "absent" {
				w.put("bob@svc", state)
				if a := states[state].Ask; a == AskOut || a == AskBoth {
					ask = " ask='subscribe'"
				}
			}
			w.set(`<item jid='bob@svc' subscription='remove'/>`)
			moduletest.Same(t, "alice sees", take(t, alice), fmt.Sprintf(push, "r", `<item jid='bob@svc' subscription='remove'`+ask+`/>`), result)
			var want []string
			for _, typ := range say {
				want = append(want, "<presence from='alice@h' to='bob@svc' type='"+typ+"'/>")
			}
			moduletest.Same(t, "the contact hears", svc.take(), want...)
			if got := alice.Signals(); len(got) != 1 || got[0] != (session.RosterChanged{Contact: jid.MustParse("bob@svc")}) {
				t.Errorf("signals %v", got)
			}
			if got := w.state(t, "bob@svc"); got != "absent" {
				t.Errorf("still stored: %s", got)
			}
		})
	}
}

// The contacts of a session that opens, and the look-up of one.
func TestContacts(t *testing.T) {
	w := newWorld(t, Options{})
	want := map[string]bool{} // JID, from, to
	for i, s := range []string{"none", "none,in", "to", "to,in", "from", "from,out", "both"} {
		c := fmt.Sprintf("c%d@x", i)
		w.put(c, s)
		if sub := states[s].Subscription; sub != None {
			want[fmt.Sprint(jid.MustParse(c), sub == From || sub == Both, sub == To || sub == Both)] = true
		}
	}
	got := map[string]bool{}
	for _, fn := range w.Host.Hooks.Contacts.All() {
		fn(t.Context(), jid.MustParse("alice@h"), func(c router.Contact) { got[fmt.Sprint(c.JID, c.From, c.To)] = true })
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("contacts %v, want %v", got, want)
	}
	w.put("full@x/r", "both")
	w.put("full@x", "to")
	for other, want := range map[string]string{
		"c6@x": "c6@x true true", "c6@x/any": "c6@x true true", "c0@x": "c0@x false false", "no@x": "",
		"full@x/r": "full@x/r true true", "full@x/s": "full@x false true",
	} {
		for _, fn := range w.Host.Hooks.ContactOf.All() {
			got := ""
			if c, ok := fn(t.Context(), jid.MustParse("alice@h"), jid.MustParse(other)); ok {
				got = fmt.Sprint(c.JID, " ", c.From, " ", c.To)
			}
			if got != want {
				t.Errorf("%s: %q, want %q", other, got, want)
			}
		}
	}
}

// Roster versioning: with and without a stored version, what a client with the
// current one gets and what others get.
//
//option:mod_roster versioning store_current_id
func TestVersioning(t *testing.T) {
	get := func(w *world, alice *moduletest.Session, ver string) (version, reply string) {
		t.Helper()
		alice.Take()
		w.Send(`<iq from='alice@h/r' to='alice@h' type='get' id='1'><query xmlns='jabber:iq:roster'` + ver + `/></iq>`)
		got := alice.Take()
		if len(got) != 1 {
			t.Fatalf("got %q", got)
		}
		if _, rest, ok := strings.Cut(got[0], " ver='"); ok {
			version, _, _ = strings.Cut(rest, "'")
		}
		return version, got[0]
	}
	for _, stored := range []bool{false, true} {
		t.Run(fmt.Sprintf("store_current_id %v", stored), func(t *testing.T) {
			w := newWorld(t, Options{Versioning: true, StoreCurrentID: stored})
			alice := w.Open("alice@h/r", 0)
			if v, reply := get(w, alice, ""); v != "" || reply != strings.Replace(result, "/>", "><query xmlns='jabber:iq:roster'/></iq>", 1) {
				t.Errorf("a client without versioning gets %s", reply)
			}
			v1, _ := get(w, alice, " ver=''")
			if len(v1) != 40 || strings.Trim(v1, "0123456789abcdef") != "" {
				t.Fatalf("version %q", v1)
			}
			if _, reply := get(w, alice, " ver='"+v1+"'"); reply != result {
				t.Errorf("a client that has the version gets %s", reply)
			}
			w.set(`<item jid='bob@x'/>`)
			_, rest, _ := strings.Cut(take(t, alice)[0], " ver='")
			pushed, _, _ := strings.Cut(rest, "'")
			v2, reply := get(w, alice, " ver='"+v1+"'")
			if v2 == v1 || v2 != pushed || !strings.Contains(reply, "bob@x") {
				t.Errorf("after a change from %s: push with %s, then %s", v1, pushed, reply)
			}
			if _, reply := get(w, alice, " ver='"+pushed+"'"); reply != result {
				t.Errorf("a client that has the pushed version gets %s", reply)
			}
			if inStore := w.store.versions["alice"] != ""; inStore != stored {
				t.Errorf("version in the store: %v", inStore)
			}
			// Any other change changes the version too.
			seen := map[string]bool{v1: true, v2: true}
			for _, change := range []func(){
				func() { w.set(`<item jid='bob@x' name='B'/>`) },
				func() { w.set(`<item jid='bob@x' name='B'><group>g</group></item>`) },
				func() { w.client("alice@h", "bob@x", "subscribe") },
				func() { w.Send("<presence from='bob@x' to='alice@h' type='subscribed'/>") },
				func() { w.set(`<item jid='bob@x' subscription='remove'/><item jid='carol@x'/>`) },
			} {
				change()
				v, _ := get(w, alice, " ver=''")
				if seen[v] {
					t.Errorf("version %s comes again", v)
				}
				seen[v] = true
			}
		})
	}
	t.Run("off", func(t *testing.T) {
		w := newWorld(t, Options{})
		alice := w.Open("alice@h/r", 0)
		if v, reply := get(w, alice, " ver=''"); v != "" {
			t.Errorf("got %s", reply)
		}
		if n := len(w.Host.BindFeatures()); n != 0 {
			t.Errorf("%d features", n)
		}
	})
	t.Run("feature", func(t *testing.T) {
		w := newWorld(t, Options{Versioning: true})
		if f := w.Host.BindFeatures(); len(f) != 1 || !f[0].Is(nsVersion, "ver") {
			t.Errorf("features %v", f)
		}
	})
}

// A client never gets an old roster under a new version.
func TestVersionFitsRoster(t *testing.T) {
	w := newWorld(t, Options{Versioning: true, StoreCurrentID: true})
	slow := &slowVersion{memory: w.store}
	w.module.Store = slow
	alice := w.Open("alice@h/r", 0)
	changed := make(chan struct{})
	slow.before = func() {
		slow.before = nil
		go func() {
			defer close(changed)
			w.Route(session.NewTurn(t.Context()), w.Packet(`<presence from='bob@x' to='alice@h' type='subscribed'/>`))
		}()
		// The change comes now if it can.
		for range 1000 {
			if w.state(t, "bob@x") != "none,out" {
				return
			}
		}
	}
	w.put("bob@x", "none,out")
	w.Send(`<iq from='alice@h/r' to='alice@h' type='get' id='1'><query xmlns='jabber:iq:roster' ver=''/></iq>`)
	<-changed
	var reply string
	for _, x := range alice.Take() {
		if strings.Contains(x, "type='result'") {
			reply = x
		}
	}
	_, rest, _ := strings.Cut(reply, " ver='")
	got, _, _ := strings.Cut(rest, "'")
	now, _ := w.store.Version(t.Context(), "alice")
	if got == now && strings.Contains(reply, "ask='subscribe'") {
		t.Errorf("the version of now with the roster of before: %s", reply)
	}
}

type slowVersion struct {
	*memory
	before func()
}

func (s *slowVersion) Version(ctx context.Context, user string) (string, error) {
	if s.before != nil {
		s.before()
	}
	return s.memory.Version(ctx, user)
}

// A store that fails is not the client's fault, and nothing is said that is not
// stored.
func TestStoreFails(t *testing.T) {
	w := newWorld(t, Options{})
	alice := w.Open("alice@h/r", 0)
	w.put("bob@other", "none,out")
	w.store.err = errors.New("disk on fire")
	failed := moduletest.Error("500", "wait", "internal-server-error", "")
	for _, in := range []string{
		`type='get' id='1'><query xmlns='jabber:iq:roster'/>`,
		`type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='a@x'/></query>`,
		`type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='a@x' subscription='remove'/></query>`,
	} {
		w.Send(`<iq from='alice@h/r' to='alice@h' ` + in + `</iq>`)
		_, body, _ := strings.Cut(in, ">")
		moduletest.Same(t, in, alice.Take(), `<iq from='alice@h' to='alice@h/r' type='error' id='1'>`+body+failed+`</iq>`)
	}
	w.Send("<presence from='bob@other' to='alice@h' type='subscribed'/>")
	w.client("alice@h", "bob@other", "unsubscribe")
	moduletest.Same(t, "alice sees", take(t, alice))
	user := jid.MustParse("alice@h")
	for _, fn := range w.Host.Hooks.PendingSubscriptions.All() {
		if got := fn(t.Context(), user); got != nil {
			t.Errorf("requests %v", got)
		}
	}
	for _, fn := range w.Host.Hooks.ContactOf.All() {
		if _, ok := fn(t.Context(), user, jid.MustParse("bob@other")); ok {
			t.Error("a contact is found")
		}
	}
	for _, fn := range w.Host.Hooks.Contacts.All() {
		fn(t.Context(), user, func(router.Contact) {})
	}
	if n := w.Logged.FilterMessageSnippet("roster").Len(); n < 5 {
		t.Errorf("%d failures logged: %v", n, w.Logged.All())
	}
}

// When an account goes its contacts hear so, and its roster goes.
func TestUserRemoved(t *testing.T) {
	n := moduletest.New(t)
	w := &world{Node: n, store: newMemory()}
	(&Module{Store: w.store, Log: n.Log}).Register(n.Host)
	svc := &service{}
	n.AddService("svc", svc)
	w.put("both@svc", "both")
	w.put("to@svc", "to")
	w.put("from@svc", "from")
	w.put("none@svc", "none,both")
	w.store.versions["alice"] = "v"
	if err := n.Host.RemoveUser(n.Turn, jid.MustParse("alice@h")); err != nil {
		t.Fatal(err)
	}
	moduletest.Same(t, "contacts hear", svc.take(),
		"<presence from='alice@h' to='both@svc' type='unsubscribe'/>", "<presence from='alice@h' to='both@svc' type='unsubscribed'/>",
		"<presence from='alice@h' to='to@svc' type='unsubscribe'/>", "<presence from='alice@h' to='from@svc' type='unsubscribed'/>")
	if len(w.store.items["alice"]) != 0 || w.store.versions["alice"] != "" {
		t.Errorf("left: %v", w.store.items)
	}
}

// Two users subscribe to each other and take it back, both from several sessions at
// once: nobody waits for anybody for ever, and afterwards a new start works.
func TestMutualSubscriptions(t *testing.T) {
	n := moduletest.New(t)
	db := openDB(t)
	store := NewSQL(db)
	m := &Module{Store: store, Log: n.Log, Options: Options{Versioning: true, StoreCurrentID: true}}
	m.Register(n.Host)
	w := &world{Node: n, module: m}
	alice, bob := n.Open("alice@h/r", 0), n.Open("bob@h/r", 0)
	types := []string{"subscribe", "subscribed", "unsubscribe", "unsubscribed"}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Add(1)
		from, to := "alice@h", "bob@h"
		if i%2 == 1 {
			from, to = to, from
		}
		go func() {
			defer wg.Done()
			turn := session.NewTurn(t.Context())
			for range 40 {
				if rand.IntN(8) == 0 {
					n.Route(turn, n.Packet(`<iq from='`+from+`/r' to='`+from+`' type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='`+to+`' subscription='remove'/></query></iq>`))
					continue
				}
				p := n.Packet("<presence from='" + from + "' to='" + to + "' type='" + types[rand.IntN(4)] + "'/>")
				m.subscriptionOut(turn, p)
				n.Route(turn, p)
				turn.Flush()
			}
		}()
	}
	wg.Wait()
	for _, u := range []string{"alice", "bob"} {
		if err := store.DeleteAll(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []*moduletest.Session{alice, bob} {
		s.Take()
		s.Signals()
	}
	w.client("alice@h", "bob@h", "subscribe")
	w.client("bob@h", "alice@h", "subscribed")
	w.client("bob@h", "alice@h", "subscribe")
	w.client("alice@h", "bob@h", "subscribed")
	for user, other := range map[string]string{"alice": "bob@h", "bob": "alice@h"} {
		items, err := store.Items(t.Context(), user)
		if err != nil || len(items) != 1 || items[0].state != both || items[0].Contact.String() != other {
			t.Errorf("%s: %+v, %v", user, items, err)
		}
	}
}
