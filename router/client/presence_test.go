package client

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"meerkat/router"
	"meerkat/router/jid"
	"meerkat/router/session"
	"meerkat/router/stanza"
)

// A domain records what is routed to its addresses.
type domain struct {
	mu  sync.Mutex
	got []string
}

func (d *domain) Route(_ *router.Turn, p router.Packet) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.got = append(d.got, string(p.AppendTo(nil, stanza.Options{})))
}

func (d *domain) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	got := d.got
	d.got = nil
	return got
}

// contacts gives a session its roster.
func (w *world) contacts(list ...router.Contact) {
	w.h.Hooks.Contacts.Add(50, "mod_roster", func(_ context.Context, _ jid.JID, add func(router.Contact)) {
		for _, c := range list {
			add(c)
		}
	})
}

func (w *world) svc() *domain {
	d := &domain{}
	if !w.Router.AddService("svc", d) {
		w.t.Fatal("the domain is taken")
	}
	return d
}

// set is a set of addresses.
type set map[string]bool

func (s set) clone() set {
	c := set{}
	for k := range s {
		c[k] = true
	}
	return c
}

// A model is the presence state of one session as the specification of routing
// tells it: who may see it (F), whom it sees (T), who was told that it is available
// (A) or unavailable although it is there (I).
type model struct {
	f, t, a, i set
	last       string // show of the last presence, "" for none
	invisible  bool
	available  bool // the session has a priority
}

const own, ownFull = "alice@h", "alice@h/r"

// bare cuts the resource off.
func bare(j string) string {
	b, _, _ := strings.Cut(j, "/")
	return b
}

// presence as the receiver sees it.
func presenceTo(to, typ, show string) string {
	s := "<presence from='" + ownFull + "' to='" + to + "'"
	if typ != "" {
		s += " type='" + typ + "'"
	}
	if show == "" {
		return s + "/>"
	}
	return s + "><show>" + show + "</show></presence>"
}

// tell gives what an event says to a set, without the own account.
func (m *model) tell(out *[]string, to set, typ, show string) {
	for j := range to {
		if j != own {
			*out = append(*out, presenceTo(j, typ, show))
		}
	}
}

// own applies an own presence and returns what others hear, and what the session
// itself is shown.
func (m *model) own(typ, show string) (out, self []string) {
	toSelf := false
	switch typ {
	case "":
		m.available = true
		if m.last == "" || m.invisible {
			m.tell(&out, m.t, "probe", "")
			m.tell(&out, m.f, "", show)
			toSelf = m.f[own]
			for j := range m.f {
				m.a[j] = true
				delete(m.i, j) // it has just been told otherwise
			}
		} else {
			both := set{}
			for j := range m.a {
				if m.f[j] {
					both[j] = true
				}
			}
			m.tell(&out, both, "", show)
			toSelf = both[own]
		}
		m.last, m.invisible = show, false
	case "unavailable":
		both := m.a.clone()
		for j := range m.i {
			both[j] = true
		}
		m.tell(&out, both, typ, show)
		m.a, m.i, m.last, m.invisible, m.available = set{}, set{}, "", false, false
	case "invisible":
		m.available = true
		if !m.invisible {
			both := m.a.clone()
			for j := range m.i {
				both[j] = true
			}
			m.tell(&out, both, typ, show)
			toSelf = both[own]
			m.a, m.i = set{}, set{}
			m.tell(&out, m.t, "probe", "")
		}
		m.last, m.invisible = show, true
	}
	if toSelf && m.available {
		if typ == "invisible" {
			typ = "unavailable"
		}
		self = append(self, presenceTo(ownFull, typ, show))
		m.notice(ownFull)
	}
	return out, self
}

func (m *model) directed(to, typ, show string) (out []string) {
	switch typ {
	case "", "invisible":
		in, from := m.a, m.i
		if typ == "invisible" {
			in, from = m.i, m.a
		}
		in[to] = true
		delete(from, to)
	case "unavailable":
		delete(m.a, to)
		delete(m.i, to)
	}
	m.tell(&out, set{to: true}, typ, show)
	return out
}

func (m *model) roster(contact string, from, to bool) (out []string) {
	was := m.f[contact]
	m.f[contact], m.t[contact] = from, to
	for _, s := range []set{m.f, m.t} {
		if !s[contact] {
			delete(s, contact)
		}
	}
	switch {
	case from && !was:
		if m.last != "" && !m.invisible {
			m.a[contact] = true
			m.tell(&out, set{contact: true}, "", m.last)
		}
	case was && !from:
		if m.a[contact] || m.i[contact] {
			m.tell(&out, set{contact: true}, "unavailable", "")
		}
		delete(m.a, contact)
		delete(m.i, contact)
	}
	return out
}

// notice is what a presence that comes in does.
func (m *model) notice(from string) {
	if m.invisible || m.a[from] || m.a[bare(from)] {
		return
	}
	if m.f[from] {
		m.a[from] = true
	} else if m.f[bare(from)] {
		m.a[bare(from)] = true
	}
}

func (m *model) probe(from string) (out []string) {
	in := func(s set) bool { return s[from] || s[bare(from)] }
	switch {
	case m.last == "" || !in(m.f):
	case m.invisible && in(m.a):
		m.tell(&out, set{from: true}, "", "")
	case m.invisible || in(m.i):
	default:
		out = append(out, "<presence from='"+ownFull+"' to='"+from+"'><show>"+m.last+
			"</show><delay xmlns='urn:xmpp:delay' from='"+ownFull+"' stamp='2015-10-21T07:28:00Z'/></presence>")
	}
	return out
}

// The presence state of a session is that of the model, whatever happens.
func TestPresenceModel(t *testing.T) {
	addresses := []string{"one@svc", "two@svc", "three@svc", "one@svc/x", "two@svc/x", "room@svc/nick", "svc"}
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		d := w.svc()
		m := &model{f: set{own: true}, t: set{own: true}, a: set{}, i: set{}}
		var roster []router.Contact
		for _, c := range addresses[:3] {
			k := rapid.IntRange(0, 3).Draw(rt, "subscription of "+c)
			if k == 0 {
				continue
			}
			roster = append(roster, router.Contact{JID: jid.MustParse(c), From: k&1 != 0, To: k&2 != 0})
			if k&1 != 0 {
				m.f[c] = true
			}
			if k&2 != 0 {
				m.t[c] = true
			}
		}
		w.contacts(roster...)
		alice := w.login(ownFull)
		for step := range rapid.IntRange(1, 25).Draw(rt, "steps") {
			var out, self []string
			show := fmt.Sprint("s", step)
			address := func() string { return rapid.SampledFrom(addresses).Draw(rt, "address") }
			in := func(from, typ string) {
				w.route("<presence from='" + from + "' to='" + ownFull + "'" + typ + "/>")
			}
			switch kind := rapid.SampledFrom([]string{
				"available", "available", "unavailable", "invisible", "directed", "directed unavailable", "directed invisible",
				"roster", "roster", "probe", "probe", "presence", "presence unavailable", "error", "subscription", "meaningless",
			}).Draw(rt, "event"); kind {
			case "available":
				to := rapid.SampledFrom([]string{"", " to='alice@h'"}).Draw(rt, "to")
				alice.send("<presence" + to + "><show>" + show + "</show></presence>")
				out, self = m.own("", show)
			case "unavailable", "invisible":
				alice.send("<presence type='" + kind + "'><show>" + show + "</show></presence>")
				out, self = m.own(kind, show)
			case "directed", "directed unavailable", "directed invisible":
				to, typ := address(), strings.TrimSpace(strings.TrimPrefix(kind, "directed"))
				attr := ""
				if typ != "" {
					attr = " type='" + typ + "'"
				}
				alice.send("<presence to='" + to + "'" + attr + "><show>" + show + "</show></presence>")
				out = m.directed(to, typ, show)
			case "roster":
				c := rapid.SampledFrom(addresses[:3]).Draw(rt, "contact")
				from, to := rapid.Bool().Draw(rt, "from"), rapid.Bool().Draw(rt, "to")
				turn := session.NewTurn(t.Context())
				w.Router.Broadcast(turn, jid.MustParse(own), session.RosterChanged{Contact: jid.MustParse(c), From: from, To: to})
				turn.Flush()
				out = m.roster(c, from, to)
			case "probe":
				from := address()
				in(from, " type='probe'")
				out = m.probe(from)
			case "presence":
				from := address()
				in(from, "")
				m.notice(from)
				self = []string{"<presence from='" + from + "' to='" + ownFull + "'/>"}
			case "presence unavailable":
				from := address()
				in(from, " type='unavailable'")
				m.notice(from)
				self = []string{"<presence from='" + from + "' to='" + ownFull + "' type='unavailable'/>"}
			case "error":
				from := address()
				in(from, " type='error'")
				delete(m.a, from)
				self = []string{"<presence from='" + from + "' to='" + ownFull + "' type='error'/>"}
			case "subscription":
				from := address()
				in(from, " type='subscribed'")
				self = []string{"<presence from='" + from + "' to='" + ownFull + "' type='subscribed'/>"}
			case "meaningless":
				typ := rapid.SampledFrom([]string{"error", "probe", "subscribe", "unsubscribed"}).Draw(rt, "type")
				alice.send("<presence type='" + typ + "'/>")
			}
			if got, want := sorted(d.take()), sorted(out); !slices.Equal(got, want) {
				rt.Fatalf("others hear\n got %q\nwant %q", got, want)
			}
			if got := alice.take(); !slices.Equal(got, self) {
				rt.Fatalf("the client sees\n got %q\nwant %q", got, self)
			}
			if _, ok := w.Router.Sessions.Find(jid.MustParse(ownFull)).Priority(); ok != m.available {
				rt.Fatalf("available: %v, want %v", ok, m.available)
			}
		}
		alice.client.Lost()
		out, _ := m.own("unavailable", "")
		if got, want := sorted(d.take()), sorted(out); !slices.Equal(got, want) {
			rt.Fatalf("at the end others hear\n got %q\nwant %q", got, want)
		}
	})
}

// A contact whose presence comes in does not find out about somebody invisible.
func TestInvisibleIsNotFoundOut(t *testing.T) {
	w := newWorld(t)
	d := w.svc()
	w.contacts(router.Contact{JID: jid.MustParse("one@svc"), From: true})
	alice := w.login(ownFull)
	alice.send("<presence type='invisible'/>")
	w.route("<presence from='one@svc/x' to='" + ownFull + "'/>")
	w.route("<presence from='one@svc/x' to='" + ownFull + "' type='probe'/>")
	same(t, "the contact hears", d.take(), nil)
	alice.client.Lost()
	same(t, "the contact hears at the end", d.take(), nil)
}

// Whoever was told directly while the session is invisible may know that.
func TestInvisibleToldDirectly(t *testing.T) {
	w := newWorld(t)
	d := w.svc()
	w.contacts(router.Contact{JID: jid.MustParse("one@svc"), From: true})
	alice := w.login(ownFull)
	alice.send("<presence type='invisible'/>", "<presence to='one@svc'/>")
	d.take()
	w.route("<presence from='one@svc/x' to='" + ownFull + "' type='probe'/>")
	same(t, "answer", d.take(), []string{"<presence from='alice@h/r' to='one@svc/x'/>"})
}

func TestPriority(t *testing.T) {
	for in, want := range map[string]int{
		"": 0, "<priority>5</priority>": 5, "<priority>-1</priority>": -1, "<priority>+7</priority>": 7,
		"<priority>1000000</priority>": 1000000, "<priority>99999999999</priority>": 0, "<priority>x</priority>": 0,
		"<priority/>": 0, "<priority xmlns='urn:x'>5</priority>": 0,
	} {
		st, _, _, err := stanza.ParseString("<presence>"+in+"</presence>", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := priority(st); got != want {
			t.Errorf("%s: %d, want %d", in, got, want)
		}
	}
}

// When what waited is fetched: at the first presence and whenever the priority
// rises to 0 or more; requests only at the first.
func TestFetch(t *testing.T) {
	pres := func(prio string) string { return "<presence><priority>" + prio + "</priority></presence>" }
	tests := []struct {
		name string
		in   []string
		want []string
	}{
		{"first", []string{pres("0")}, []string{"offline", "requests"}},
		{"only once", []string{pres("0"), pres("1")}, []string{"offline", "requests"}},
		{"negative", []string{pres("-1")}, nil},
		{"negative, then not", []string{pres("-1"), pres("0"), pres("1")}, []string{"offline"}},
		{"after unavailable", []string{pres("0"), "<presence type='unavailable'/>", pres("0")}, []string{"offline", "requests", "offline", "requests"}},
		{"down and up", []string{pres("0"), pres("-1"), pres("0")}, []string{"offline", "requests", "offline"}},
		{"invisible", []string{"<presence type='invisible'/>"}, []string{"offline", "requests"}},
		{"directed", []string{"<presence to='carol@h'/>"}, nil},
		{"unavailable", []string{"<presence type='unavailable'/>"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			var got []string
			w.h.Hooks.FetchOffline.Add(50, "m", func(_ *router.Turn, user jid.JID) []router.Packet {
				got = append(got, "offline")
				return []router.Packet{w.packet(msg("bob@h", "m"))}
			})
			w.h.Hooks.PendingSubscriptions.Add(50, "m", func(_ context.Context, user jid.JID) []router.Packet {
				got = append(got, "requests")
				return []router.Packet{w.packet("<presence from='carol@h' to='bob@h' type='subscribe'/>")}
			})
			bob := w.login("bob@h/r")
			bob.send(tt.in...)
			same(t, "fetched", got, tt.want)
			var seen []string
			for _, s := range bob.take() {
				switch {
				case strings.HasPrefix(s, "<message"):
					seen = append(seen, "offline")
				case strings.Contains(s, "subscribe"):
					seen = append(seen, "requests")
				}
			}
			same(t, "written", seen, tt.want)
		})
	}
}

// The hook for the end of availability.
func TestPresenceUnset(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   []string
		want []string
	}{
		{"unavailable with a status", []string{"<presence/>", "<presence type='unavailable'><status>bye</status></presence>"}, []string{"bye", ""}},
		{"ended while available", []string{"<presence/>"}, []string{""}},
		{"ended after directed presence", []string{"<presence to='carol@h'/>"}, []string{""}},
		{"never available", nil, nil},
		{"kicked", []string{"<presence/>", "kick"}, []string{"kicked"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			var got []string
			w.h.Hooks.PresenceUnset.Add(50, "m", func(_ *router.Turn, s *session.Session, status string) {
				if s.JID.String() != "bob@h/r" {
					t.Errorf("session %s", s.JID)
				}
				if _, ok := s.Priority(); ok {
					t.Error("the session is still available")
				}
				got = append(got, status)
			})
			bob := w.login("bob@h/r")
			for _, in := range tt.in {
				if in == "kick" {
					turn := session.NewTurn(t.Context())
					w.Router.Broadcast(turn, jid.MustParse("bob@h"), session.End{Condition: "conflict", Status: " kicked "})
					turn.Flush()
					continue
				}
				bob.send(in)
			}
			bob.client.Lost()
			same(t, "status", got, tt.want)
		})
	}
}

// Subscription presence is the account's business: the resources go, the hook
// runs, and it is routed whatever the hook does.
func TestDirectedSubscription(t *testing.T) {
	w := newWorld(t)
	d := w.svc()
	var hook []string
	w.h.Hooks.SubscriptionOut.Add(50, "m", func(_ *router.Turn, p router.Packet) {
		hook = append(hook, p.Stanza.Type+" "+p.From.String()+" "+p.To.String())
	})
	alice := w.login(ownFull)
	for _, typ := range []string{"subscribe", "subscribed", "unsubscribe", "unsubscribed"} {
		alice.send("<presence to='one@svc/x' type='" + typ + "'/>")
		same(t, "routed", d.take(), []string{"<presence from='alice@h' to='one@svc' type='" + typ + "'/>"})
		same(t, "hook", hook, []string{typ + " alice@h one@svc"})
		hook = nil
	}
	alice.send("<presence to='svc/x' type='subscribe'/>")
	same(t, "to a service", d.take(), []string{"<presence from='alice@h' to='svc/x' type='subscribe'/>"})
	alice.client.Lost()
	same(t, "at the end", d.take(), nil)
}

// The last activity of an account is for those who see its presence.
func TestLastActivityIsPrivate(t *testing.T) {
	w := newWorld(t)
	d := w.svc()
	w.contacts(router.Contact{JID: jid.MustParse("one@svc"), From: true}, router.Contact{JID: jid.MustParse("two@svc"), To: true})
	alice := w.login(ownFull)
	iq := func(from, typ string) string {
		return "<iq from='" + from + "' to='" + ownFull + "' type='" + typ + "' id='1'><query xmlns='jabber:iq:last'/></iq>"
	}
	for from, seen := range map[string]bool{"one@svc/x": true, "one@svc": true, "two@svc": false, "three@svc": false, "alice@h/other": true} {
		w.route(iq(from, "get"))
		if got := alice.take(); (len(got) == 1) != seen {
			t.Errorf("%s: the client sees %q", from, got)
		}
		want := []string{"<iq from='" + ownFull + "' to='" + from + "' type='error' id='1'><query xmlns='jabber:iq:last'/>" + errorXML("403", "auth", "forbidden") + "</iq>"}
		if seen || strings.HasSuffix(from, "other") {
			want = nil
		}
		same(t, from, d.take(), want)
	}
	w.route(iq("three@svc", "result"))
	same(t, "a result", alice.take(), []string{iq("three@svc", "result")})
}

// Addresses that presence was sent to are remembered up to a bound; beyond it nobody
// is told what he could not be told the end of.
func TestDirectedPresenceIsBounded(t *testing.T) {
	w := newWorld(t)
	d := w.svc()
	alice := w.login(ownFull)
	for i := range maxDirected {
		alice.send(fmt.Sprintf("<presence to='room%d@svc/nick'/>", i))
	}
	if n := len(d.take()); n != maxDirected {
		t.Fatalf("%d routed", n)
	}
	alice.send("<presence to='more@svc/nick' id='p'/>")
	same(t, "routed beyond the bound", d.take(), nil)
	same(t, "answer", alice.take(), []string{
		"<presence from='more@svc/nick' to='" + ownFull + "' type='error' id='p'>" + errorXML("500", "wait", "resource-constraint") + "</presence>",
	})
	alice.send("<presence to='room7@svc/nick'/>", "<presence to='room8@svc/nick' type='unavailable'/>", "<presence to='more@svc/nick'/>")
	if got := d.take(); len(got) != 3 {
		t.Errorf("routed %q", got)
	}
	alice.client.Lost()
	if n := len(d.take()); n != maxDirected {
		t.Errorf("%d are told of the end, want %d", n, maxDirected)
	}
	if n := alice.client.presence.directed; n != 0 {
		t.Errorf("%d are counted afterwards", n)
	}
}

// Whoever follows the presence of a session that comes and goes, and whose roster
// changes at the same time, ends up with the truth.
func TestPresenceOrderUnderRaces(t *testing.T) {
	w := newWorld(t)
	d := w.svc()
	alice := w.login(ownFull)
	const rounds = 300
	var wg sync.WaitGroup
	turn := session.NewTurn(t.Context())
	change := func(from bool) {
		w.Router.Broadcast(turn, jid.MustParse(own), session.RosterChanged{Contact: jid.MustParse("one@svc"), From: from})
		turn.Flush()
	}
	for round := range rounds {
		wg.Add(2)
		go func() {
			defer wg.Done()
			alice.client.Element([]byte("<presence><show>away</show></presence>"))
			alice.client.Element([]byte("<presence type='unavailable'/>"))
			if round%2 == 0 {
				alice.client.Element([]byte("<presence><show>away</show></presence>"))
			}
			alice.client.EndOfInput()
		}()
		go func() {
			defer wg.Done()
			change(true)
			w.route("<presence from='one@svc/x' to='" + ownFull + "' type='probe'/>")
			if round%3 == 0 {
				change(false)
			}
		}()
		wg.Wait()
		sees := "unavailable"
		for _, p := range d.take() {
			sees = "available"
			if strings.Contains(p, "unavailable") {
				sees = "unavailable"
			}
		}
		want := "unavailable"
		if round%2 == 0 && round%3 != 0 {
			want = "available"
		}
		if sees != want {
			t.Fatalf("round %d: the contact thinks that alice is %s, and she is %s", round, sees, want)
		}
		// The start of the next round: nobody sees anybody.
		alice.send("<presence type='unavailable'/>")
		change(false)
		d.take()
		alice.take()
	}
}

// What a client sends does not overtake its presence, though another goroutine is
// routing that.
func TestPresenceIsNotOvertaken(t *testing.T) {
	w := newWorld(t)
	d := &slowDomain{entered: make(chan struct{}), leave: make(chan struct{})}
	w.Router.AddService("svc", d)
	w.contacts(router.Contact{JID: jid.MustParse("one@svc"), From: true})
	alice := w.login(ownFull)
	alice.send("<presence/>")
	d.take()
	d.slow.Store(true)
	var wg sync.WaitGroup
	wg.Add(2)
	go func() {
		defer wg.Done()
		w.route("<presence from='one@svc/x' to='" + ownFull + "' type='probe'/>")
	}()
	<-d.entered
	go func() {
		defer wg.Done()
		alice.send("<presence type='unavailable'/>", "<message to='one@svc' id='m'/>")
	}()
	eventually(t, "the owner waits", func() bool {
		alice.client.stateMu.Lock()
		defer alice.client.stateMu.Unlock()
		return alice.client.presence.idle != nil
	})
	close(d.leave)
	wg.Wait()
	got := d.take()
	if len(got) != 3 || !strings.Contains(got[0], "<delay") || !strings.Contains(got[1], "unavailable") || !strings.Contains(got[2], "id='m'") {
		t.Errorf("routed %q", got)
	}
}

// A slowDomain waits in its first call.
type slowDomain struct {
	domain
	slow           atomic.Bool
	entered, leave chan struct{}
}

func (d *slowDomain) Route(t *router.Turn, p router.Packet) {
	if d.slow.Swap(false) {
		close(d.entered)
		<-d.leave
	}
	d.domain.Route(t, p)
}

// A session that takes the place of another one is announced after its end, though
// the old one's client is gone without a word.
func TestReplacementIsAnnouncedInOrder(t *testing.T) {
	w := newWorld(t)
	d := w.svc()
	w.contacts(router.Contact{JID: jid.MustParse("one@svc"), From: true})
	old := w.login(ownFull)
	old.send("<presence/>")
	old.set(func(t *transport) { t.congested = true })
	d.take()
	fresh := w.connect()
	fresh.bind(t, jid.MustParse(ownFull))
	fresh.send(sessionIQ, "<presence><show>chat</show></presence>") // in one read
	// What the old one says now is nobody's business.
	old.client.Element([]byte("<presence><show>xa</show></presence>"))
	old.client.Element([]byte("<presence to='two@svc'/>"))
	old.client.Element([]byte("<presence type='invisible'/>"))
	old.client.Lost()
	same(t, "the contact hears", d.take(), []string{
		"<presence from='" + ownFull + "' to='one@svc' type='unavailable'><status>" + replacedText + "</status></presence>",
		"<presence from='" + ownFull + "' to='one@svc'><show>chat</show></presence>",
	})
	if s := w.Router.Sessions.Find(jid.MustParse(ownFull)); s == nil || s.Receiver != fresh.client {
		t.Error("the new session is not the one that counts")
	}
}

// A roster that changes while a session opens is not missed.
func TestRosterChangesWhileOpening(t *testing.T) {
	w := newWorld(t)
	d := w.svc()
	one := jid.MustParse("one@svc")
	w.h.Hooks.Contacts.Add(50, "m", func(context.Context, jid.JID, func(router.Contact)) {
		// Was read before the change, which is told to all sessions.
		turn := session.NewTurn(t.Context())
		w.Router.Broadcast(turn, jid.MustParse(own), session.RosterChanged{Contact: one, From: true})
		w.Router.Route(turn, w.packet("<message from='one@svc' to='"+ownFull+"'/>"))
		turn.Flush()
	})
	alice := w.loginOnly(ownFull)
	got := alice.take()
	same(t, "end of the login", got[len(got)-2:], []string{
		"<iq type='result' id='s'><session xmlns='" + nsSession + "'/></iq>", "<message from='one@svc' to='" + ownFull + "'/>",
	})
	alice.send("<presence/>")
	same(t, "the contact hears", d.take(), []string{"<presence from='" + ownFull + "' to='one@svc'/>"})
}

// A probe that is answered costs no more than the answer: the delay names the time
// of the presence and the session.
func TestProbeAnswerDoesNotChangePresence(t *testing.T) {
	w := newWorld(t)
	d := w.svc()
	w.contacts(router.Contact{JID: jid.MustParse("one@svc"), From: true})
	alice := w.login(ownFull)
	alice.send("<presence><x xmlns='urn:x'/></presence>")
	last := alice.client.presence.last
	d.take()
	for range 2 {
		w.route("<presence from='one@svc/x' to='alice@h' type='probe'/>")
	}
	const answer = "<presence from='alice@h/r' to='one@svc/x'><x xmlns='urn:x'/>" +
		"<delay xmlns='urn:xmpp:delay' from='alice@h/r' stamp='2015-10-21T07:28:00Z'/></presence>"
	same(t, "answers", d.take(), []string{answer, answer})
	if last != alice.client.presence.last || last.ChildNS("urn:xmpp:delay", "delay") != nil {
		t.Error("the presence was changed")
	}
}
