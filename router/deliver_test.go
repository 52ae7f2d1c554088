package router

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"meerkat/router/session"
	"meerkat/router/stanza"
)

// away stands for sessions that are not available.
const away = unavailable

// The delivery table of the session manager: who of an account's sessions gets
// what, and what the sender hears.
func TestDelivery(t *testing.T) {
	// sessions are bob's: priority by resource.
	type sessions map[string]int
	const offline, dropped = "offline", "dropped"
	tests := []struct {
		kind string // message, presence, iq
		typ  string
		to   string
		bob  sessions
		want string // resources that get it, blank between them, or offline, dropped or the condition of a bounce
	}{
		// A full JID: that session, always.
		{"message", "chat", "bob@h/a", sessions{"a": 0, "b": 5}, "a"},
		{"message", "chat", "bob@h/a", sessions{"a": -7, "b": 5}, "a"},
		{"message", "chat", "bob@h/a", sessions{"a": away, "b": 5}, "a"},
		{"message", "error", "bob@h/a", sessions{"a": away}, "a"},
		{"message", "headline", "bob@h/a", sessions{"a": -1}, "a"},
		{"message", "groupchat", "bob@h/a", sessions{"a": away}, "a"},
		{"iq", "get", "bob@h/a", sessions{"a": away}, "a"},
		{"iq", "result", "bob@h/a", sessions{"a": away}, "a"},
		{"presence", "", "bob@h/a", sessions{"a": away, "b": 0}, "a"},
		{"presence", "probe", "bob@h/a", sessions{"a": away}, "a"},
		{"presence", "subscribe", "bob@h/a", sessions{"a": away}, "a"},

		// A full JID without a session.
		{"message", "chat", "bob@h/x", sessions{"a": 0, "b": 5}, "b"},
		{"message", "chat", "bob@h/x", sessions{"a": -1}, offline},
		{"message", "error", "bob@h/x", sessions{"a": 0}, "a"},
		{"message", "error", "bob@h/x", nil, dropped},
		{"iq", "get", "bob@h/x", sessions{"a": 0}, "service-unavailable"},
		{"iq", "set", "bob@h/x", nil, "service-unavailable"},
		{"iq", "result", "bob@h/x", sessions{"a": 0}, dropped},
		{"iq", "error", "bob@h/x", nil, dropped},
		{"presence", "", "bob@h/x", sessions{"a": 0}, dropped},
		{"presence", "unavailable", "bob@h/x", sessions{"a": 0}, dropped},
		{"presence", "subscribe", "bob@h/x", sessions{"a": 0}, dropped},

		// A bare JID: messages go to the highest priority.
		{"message", "chat", "bob@h", sessions{"a": 0}, "a"},
		{"message", "", "bob@h", sessions{"a": 3, "b": 3, "c": 1}, "a b"},
		{"message", "normal", "bob@h", sessions{"a": -1, "b": 0, "c": away}, "b"},
		{"message", "headline", "bob@h", sessions{"a": 2, "b": 1}, "a"},
		{"message", "groupchat", "bob@h", sessions{"a": 2}, "a"},
		{"message", "error", "bob@h", sessions{"a": 2, "b": 2}, "a b"},
		{"message", "strange", "bob@h", sessions{"a": 2}, "a"},
		{"message", "chat", "bob@h", sessions{"a": 1 << 30, "b": 127}, "a"},

		// Nobody takes a message to the bare JID.
		{"message", "chat", "bob@h", nil, offline},
		{"message", "chat", "bob@h", sessions{"a": -1, "b": -2, "c": away}, offline},
		{"message", "normal", "bob@h", nil, offline},
		{"message", "", "bob@h", sessions{"a": away}, offline},
		{"message", "strange", "bob@h", nil, offline},
		{"message", "error", "bob@h", sessions{"a": -1}, dropped},
		{"message", "groupchat", "bob@h", sessions{"a": -1}, "service-unavailable"},
		{"message", "headline", "bob@h", nil, "service-unavailable"},
		{"message", "chat", "nobody@h", nil, "service-unavailable"},
		{"message", "error", "nobody@h", nil, dropped},

		// Presence to the bare JID: every available session.
		{"presence", "", "bob@h", sessions{"a": 0, "b": -5, "c": away}, "a b"},
		{"presence", "unavailable", "bob@h", sessions{"a": 0, "b": 7}, "a b"},
		{"presence", "probe", "bob@h", sessions{"a": 0, "b": away}, "a"},
		{"presence", "error", "bob@h", sessions{"a": 0}, "a"},
		{"presence", "", "bob@h", nil, dropped},
		{"presence", "", "nobody@h", nil, dropped},

		// IQ to the bare JID are the server's; see TestDispatch.
		{"iq", "get", "bob@h", sessions{"a": 0}, "service-unavailable"},
		{"iq", "result", "bob@h", sessions{"a": 0}, dropped},

		// The host itself.
		{"message", "chat", "h", nil, dropped},
		{"presence", "", "h", nil, dropped},
		{"presence", "subscribe", "h", nil, dropped},
		{"message", "chat", "h/x", nil, "item-not-found"},
		{"presence", "subscribed", "h/x", nil, "item-not-found"},
		{"iq", "get", "h/x", nil, "item-not-found"},
		{"iq", "result", "h/x", nil, dropped},
		{"message", "error", "h/x", nil, dropped},

		// A request to a client that is none.
		{"badiq", "get", "bob@h/a", sessions{"a": 0}, "bad-request"},
		{"badiq", "set", "bob@h/a", sessions{"a": 0}, "bad-request"},
		{"badiq", "put", "bob@h/a", sessions{"a": 0}, dropped},
		{"badiq", "result", "bob@h/a", sessions{"a": 0}, "a"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %s to %s %v", tt.kind, tt.typ, tt.to, tt.bob), func(t *testing.T) {
			n := newNode(t)
			var stored []string
			n.h.Hooks.Offline.Add(50, "mod_offline", func(_ *Turn, p Packet) bool {
				stored = append(stored, text(p))
				return true
			})
			alice, _ := n.open(t, "alice@h/r", 0)
			recv := map[string]*receiver{}
			for res, prio := range tt.bob {
				recv[res], _ = n.open(t, "bob@h/"+res, prio)
			}
			kind, body := tt.kind, "<x xmlns='urn:x'/>"
			if kind == "badiq" {
				kind, body = "iq", ""
			}
			typ := ""
			if tt.typ != "" {
				typ = " type='" + tt.typ + "'"
			}
			in := fmt.Sprintf("<%s from='alice@h/r' to='%s'%s id='1'>%s</%s>", kind, tt.to, typ, body, kind)
			in = text(packet(t, in))
			n.send(t, in)

			var got []string
			for res, r := range recv {
				switch list := r.take(); {
				case len(list) > 1:
					t.Errorf("%s got it %d times", res, len(list))
				case len(list) == 1:
					got = append(got, res)
					want := in
					if tt.kind == "presence" && tt.to == "bob@h" {
						want = strings.Replace(in, "to='bob@h'", "to='bob@h/"+res+"'", 1)
					}
					if list[0] != want {
						t.Errorf("%s got %s, want %s", res, list[0], want)
					}
				}
			}
			slices.Sort(got)
			result := strings.Join(got, " ")
			if stored != nil {
				result = strings.TrimSpace(result + " " + offline)
				same(t, "stored", stored, []string{in})
			}
			for _, r := range alice.take() {
				st := parse(t, r)
				if st.Type != "error" || st.From != tt.to || st.To != "alice@h/r" || st.ID != "1" || st.Kind.String() != kind {
					t.Errorf("the sender gets %s", r)
				}
				result = strings.TrimSpace(result + " " + condition(st))
			}
			if result == "" {
				result = dropped
			}
			if result != tt.want {
				t.Errorf("got %q, want %q", result, tt.want)
			}
		})
	}
}

func condition(st *stanza.Stanza) string {
	if e := st.Child("error"); e != nil {
		return e.First().Name
	}
	return "no condition"
}

// A message that no handler of the hook takes care of is bounced; the first that
// does ends the chain; the account must exist.
func TestOfflineChain(t *testing.T) {
	n := newNode(t)
	alice, _ := n.open(t, "alice@h/r", 0)
	var asked []string
	takes := ""
	for i, name := range []string{"mod_offline", "mod_offline_stub"} {
		n.h.Hooks.Offline.Add(50+25*i, name, func(*Turn, Packet) bool {
			asked = append(asked, name)
			return name == takes
		})
	}
	for _, tt := range []struct {
		to, takes string
		asked     []string
		bounced   int
	}{
		{"bob@h", "mod_offline", []string{"mod_offline"}, 0},
		{"bob@h", "mod_offline_stub", []string{"mod_offline", "mod_offline_stub"}, 0},
		{"bob@h/x", "", []string{"mod_offline", "mod_offline_stub"}, 1},
		{"nobody@h", "mod_offline", nil, 1},
		{"bob@other.h", "mod_offline", nil, 1}, // hooks are a host's own
	} {
		asked, takes = nil, tt.takes
		n.send(t, `<message from='alice@h/r' to='`+tt.to+`'><body>x</body></message>`)
		same(t, tt.to+" asks", asked, tt.asked)
		if got := alice.take(); len(got) != tt.bounced {
			t.Errorf("%s, %s takes it: sender hears %q", tt.to, tt.takes, got)
		}
	}
}

func TestSubscriptionForwarding(t *testing.T) {
	type handler struct{ forward, stop bool }
	for _, typ := range []string{"subscribe", "subscribed", "unsubscribe", "unsubscribed"} {
		tests := []struct {
			name     string
			to       string
			handlers []handler
			ran      int
			want     bool
		}{
			{"nobody is asked", "bob@h", nil, 0, false},
			{"yes", "bob@h", []handler{{true, false}}, 1, true},
			{"no", "bob@h", []handler{{false, false}}, 1, false},
			{"the last decides", "bob@h", []handler{{true, false}, {false, false}}, 2, false},
			{"the last decides", "bob@h", []handler{{false, false}, {true, false}}, 2, true},
			{"stopped", "bob@h", []handler{{false, true}, {true, false}}, 1, false},
			{"stopped with yes", "bob@h", []handler{{true, true}, {false, false}}, 1, true},
			{"no such account", "nobody@h", []handler{{true, false}}, 0, false},
		}
		for _, tt := range tests {
			t.Run(typ+" "+tt.name, func(t *testing.T) {
				n := newNode(t)
				ran := 0
				before := false
				for i, h := range tt.handlers {
					n.h.Hooks.SubscriptionIn.Add(i, "m", func(_ *Turn, _ Packet, was bool) (bool, bool) {
						if was != before {
							t.Errorf("handler %d is told %v, want %v", i, was, before)
						}
						ran++
						before = h.forward
						return h.forward, h.stop
					})
				}
				available, _ := n.open(t, "bob@h/a", -3)
				quiet, _ := n.open(t, "bob@h/b", away)
				n.send(t, `<presence from='alice@h' to='`+tt.to+`' type='`+typ+`'/>`)
				var want []string
				if tt.want {
					want = []string{`<presence from='alice@h' to='bob@h/a' type='` + typ + `'/>`}
				}
				same(t, "available session", available.take(), want)
				same(t, "quiet session", quiet.take(), nil)
				if ran != tt.ran {
					t.Errorf("%d handlers ran, want %d", ran, tt.ran)
				}
			})
		}
	}
}

// A loser is a receiver whose connection is gone: it gives copies back.
type loser struct {
	receiver
	n    *node
	s    *session.Session
	keep []func()
}

func (l *loser) Deliver(t *Turn, p Packet) { l.n.Route(t, p) }

func (l *loser) DeliverCopy(t *Turn, p Packet, c *Copies) {
	l.keep = append(l.keep, func() { l.n.ReturnCopy(t, p, c, l.s) })
}

// drop gives everything back, as a session does that ends with a full queue.
func (l *loser) drop() {
	l.n.Sessions.Close(l.s)
	keep := l.keep
	l.keep = nil
	for _, f := range keep {
		f()
	}
}

func (n *node) openLoser(t testing.TB, full string, prio int) *loser {
	t.Helper()
	_, s := n.open(t, full, prio)
	l := &loser{n: n, s: s}
	s.Receiver = l
	return l
}

// A message that went to several sessions is delivered again only if none of them
// has got it, and never twice to one.
func TestCopiesThatComeBack(t *testing.T) {
	const msg = `<message from='alice@h/r' to='bob@h' id='1'/>`
	store := func(n *node) *[]string {
		var stored []string
		n.h.Hooks.Offline.Add(50, "m", func(_ *Turn, p Packet) bool {
			stored = append(stored, text(p))
			return true
		})
		return &stored
	}
	t.Run("another session has it", func(t *testing.T) {
		n := newNode(t)
		stored := store(n)
		a := n.openLoser(t, "bob@h/a", 1)
		b, _ := n.open(t, "bob@h/b", 1)
		n.send(t, msg)
		a.drop()
		same(t, "b", b.take(), []string{msg})
		same(t, "stored", *stored, nil)
	})
	t.Run("a session that came later", func(t *testing.T) {
		n := newNode(t)
		stored := store(n)
		a := n.openLoser(t, "bob@h/a", 1)
		b, _ := n.open(t, "bob@h/b", 1)
		n.send(t, msg)
		again, _ := n.open(t, "bob@h/a", 1) // takes the place of a
		low, _ := n.open(t, "bob@h/c", 0)
		a.drop()
		same(t, "b", b.take(), []string{msg})
		same(t, "the one that came", again.take(), []string{msg})
		same(t, "a lower priority", low.take(), nil)
		same(t, "stored", *stored, nil)
	})
	t.Run("all are lost", func(t *testing.T) {
		n := newNode(t)
		stored := store(n)
		a, b, c := n.openLoser(t, "bob@h/a", 1), n.openLoser(t, "bob@h/b", 1), n.openLoser(t, "bob@h/c", 1)
		n.send(t, msg)
		a.drop()
		b.drop()
		same(t, "stored while one has it", *stored, nil)
		c.drop()
		same(t, "stored", *stored, []string{msg})
	})
	t.Run("all are lost, a lower priority is left", func(t *testing.T) {
		n := newNode(t)
		stored := store(n)
		a, b := n.openLoser(t, "bob@h/a", 1), n.openLoser(t, "bob@h/b", 1)
		low, _ := n.open(t, "bob@h/c", 0)
		n.send(t, msg)
		a.drop()
		b.drop()
		same(t, "the one left", low.take(), []string{msg})
		same(t, "stored", *stored, nil)
	})
	t.Run("one session, no copies", func(t *testing.T) {
		n := newNode(t)
		a := n.openLoser(t, "bob@h/a", 1)
		b, _ := n.open(t, "bob@h/b", 0)
		n.Sessions.Close(a.s)
		a.Deliver(n.turn, packet(t, msg))
		same(t, "the next one", b.take(), []string{msg})
	})
}
