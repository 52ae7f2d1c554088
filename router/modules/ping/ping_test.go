package ping

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"meerkat/cfgterm"
	"meerkat/cfgterm/schema"
	"meerkat/cfgterm/schema/schematest"
	"meerkat/router"
	"meerkat/router/jid"
	"meerkat/router/modules/moduletest"
	"meerkat/router/session"
	"meerkat/router/stanza"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOptions(t *testing.T) { schematest.Run(t, Table(), "[]") }

//option:mod_ping iqdisc
func TestIQDisc(t *testing.T) {
	for _, to := range []string{"h", "alice@h"} {
		moduletest.Disciplines(t, `<iq from='alice@h/r' to='`+to+`' type='get' id='1'><ping xmlns='`+ns+`'/></iq>`,
			func(n *moduletest.Node, d schema.IQDisc) {
				(&Module{Options: Options{IQDisc: d}, Log: n.Log}).Register(n.Host)
			})
	}
}

func options(t testing.TB, text string) Options {
	t.Helper()
	term, err := cfgterm.ParseTerm(text)
	if err != nil {
		t.Fatal(err)
	}
	o, res := Table().DecodeAny(&schema.Context{}, term)
	if res.Diags.HasErrors() {
		t.Fatal(res.Diags.Err())
	}
	return *o.(*Options)
}

func TestAnswer(t *testing.T) {
	n := moduletest.New(t)
	(&Module{Log: n.Log}).Register(n.Host)
	alice := n.Open("alice@h/r", 0)
	no := moduletest.Error("501", "cancel", "feature-not-implemented", "")
	for _, to := range []string{"h", "alice@h", "bob@h"} {
		for _, tt := range []struct{ typ, in, want string }{
			{"get", `<ping xmlns='` + ns + `'/>`, ""},
			{"set", `<ping xmlns='` + ns + `'/>`, no},
			{"get", `<pong xmlns='` + ns + `'/>`, no},
		} {
			n.Send(`<iq from='alice@h/r' to='` + to + `' type='` + tt.typ + `' id='1'>` + tt.in + `</iq>`)
			want := `<iq from='` + to + `' to='alice@h/r' type='result' id='1'/>`
			if tt.want != "" {
				want = `<iq from='` + to + `' to='alice@h/r' type='error' id='1'>` + tt.in + tt.want + `</iq>`
			}
			moduletest.Same(t, tt.typ+" "+tt.in+" to "+to, alice.Take(), want)
		}
	}
	moduletest.Same(t, "features", n.Host.Features(), ns)
	if len(n.Host.Hooks.SessionOpened.All()) != 0 {
		t.Error("sessions are watched without send_pings")
	}
}

// world is a node whose module sends pings, in a bubble of fake time.
type world struct {
	*moduletest.Node
	module *Module
}

func bubble(t *testing.T, opts string, fn func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{Node: moduletest.New(t)}
		w.module = &Module{Options: options(t, opts), Log: w.Log}
		w.module.Register(w.Host)
		fn(t, w)
		for s := range w.module.timers {
			w.close(s)
		}
		synctest.Wait()
	})
}

// open opens a session and tells the module.
func (w *world) open(full string) *moduletest.Session {
	s := w.Open(full, 0)
	for _, fn := range w.Host.Hooks.SessionOpened.All() {
		fn(w.Turn, s.Session)
	}
	return s
}

func (w *world) close(s *session.Session) {
	w.Sessions.Close(s)
	for _, fn := range w.Host.Hooks.SessionClosed.All() {
		fn(w.Turn, s)
	}
}

// sends runs the hook for what a client sends, and routes it.
func (w *world) sends(s *moduletest.Session, xml string) {
	p := w.Packet(xml)
	for _, fn := range w.Host.Hooks.UserSend.All() {
		fn(w.Turn, s.Session, p)
	}
	w.Route(w.Turn, p)
	w.Turn.Flush()
}

// wait lets time pass and returns the ids of the pings that the session got.
func (w *world) wait(s *moduletest.Session, d time.Duration) (ids []string) {
	time.Sleep(d)
	synctest.Wait()
	for _, p := range s.Packets() {
		x := string(p.AppendTo(nil, stanza.Options{}))
		if want := `<iq from='h' to='` + s.JID.String() + `' type='get' id='` + p.Stanza.ID + `'><ping xmlns='urn:xmpp:ping'/></iq>`; x == want {
			ids = append(ids, p.Stanza.ID)
		}
	}
	s.Take()
	return ids
}

func (w *world) answer(s *moduletest.Session, id, typ string) {
	w.sends(s, `<iq from='`+s.JID.String()+`' to='h' type='`+typ+`' id='`+id+`'/>`)
}

// A silent client is pinged after ping_interval, and again after each answer, of
// whatever kind.
//
//option:mod_ping send_pings ping_interval
func TestSendPings(t *testing.T) {
	bubble(t, "[{send_pings, true}, {ping_interval, 6}]", func(t *testing.T, w *world) {
		alice := w.open("alice@h/r")
		for _, typ := range []string{"result", "error", "result"} {
			if ids := w.wait(alice, 6*time.Second-time.Nanosecond); ids != nil {
				t.Fatalf("pinged too early: %q", ids)
			}
			ids := w.wait(alice, time.Nanosecond)
			if len(ids) != 1 {
				t.Fatalf("pings: %q", ids)
			}
			if more := w.wait(alice, time.Second); more != nil {
				t.Fatalf("pinged again before the answer: %q", more)
			}
			w.answer(alice, ids[0], typ)
		}
		if got := alice.Signals(); got != nil {
			t.Errorf("signals %v", got)
		}
	})
}

// Whatever the client sends puts the ping off.
func TestActivity(t *testing.T) {
	for name, act := range map[string]func(w *world, s *moduletest.Session){
		"stanza": func(w *world, s *moduletest.Session) {
			w.sends(s, `<message from='alice@h/r' to='nobody@h' type='error'/>`)
		},
		"white space": func(w *world, s *moduletest.Session) {
			for _, fn := range w.Host.Hooks.KeepAlive.All() {
				fn(w.Turn, s.Session)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, "[{send_pings, true}]", func(t *testing.T, w *world) {
				alice, bob := w.open("alice@h/r"), w.open("bob@h/r")
				for range 3 {
					if ids := w.wait(alice, 59*time.Second); ids != nil {
						t.Fatalf("pinged: %q", ids)
					}
					act(w, alice)
				}
				if ids := w.wait(bob, 0); len(ids) == 0 {
					t.Error("another client's activity counts")
				}
				if ids := w.wait(alice, time.Minute); len(ids) != 1 {
					t.Errorf("pings after a minute of silence: %q", ids)
				}
			})
		})
	}
}

// No answer: after ping_req_timeout the connection ends, if timeout_action is kill;
// otherwise it is pinged again.
//
//option:mod_ping ping_req_timeout timeout_action
func TestNoAnswer(t *testing.T) {
	for _, tt := range []struct {
		opts    string
		timeout time.Duration
		kill    bool
	}{
		{"[{send_pings, true}, {timeout_action, kill}]", 32 * time.Second, true},
		{"[{send_pings, true}, {timeout_action, kill}, {ping_req_timeout, 5}]", 5 * time.Second, true},
		{"[{send_pings, true}, {timeout_action, none}, {ping_req_timeout, 5}]", 5 * time.Second, false},
		{"[{send_pings, true}, {ping_req_timeout, 5}]", 5 * time.Second, false},
	} {
		t.Run(tt.opts, func(t *testing.T) {
			bubble(t, tt.opts, func(t *testing.T, w *world) {
				alice := w.open("alice@h/r")
				w.wait(alice, time.Minute+tt.timeout-time.Nanosecond)
				if got := alice.Signals(); got != nil {
					t.Fatalf("signals before the time-out: %v", got)
				}
				w.wait(alice, time.Nanosecond)
				var want []session.Signal
				if tt.kill {
					want = []session.Signal{session.Drop{}}
				}
				if got := alice.Signals(); len(got) != len(want) || len(got) == 1 && got[0] != want[0] {
					t.Errorf("signals %v, want %v", got, want)
				}
				if n := w.Logged.FilterMessageSnippet("does not answer").Len(); n != 1 {
					t.Errorf("logged %d times", n)
				}
				if ids := w.wait(alice, time.Minute); !tt.kill && len(ids) != 1 {
					t.Errorf("pings after the time-out: %q", ids)
				}
			})
		})
	}
}

// When a session ends its timers stop, also while a ping is under way.
func TestTimersStop(t *testing.T) {
	for name, wait := range map[string]time.Duration{
		"before the ping": 0, "at the time of the ping": time.Minute, "while the ping is under way": time.Minute + time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, "[{send_pings, true}, {timeout_action, kill}]", func(t *testing.T, w *world) {
				alice := w.open("alice@h/r")
				w.wait(alice, wait)
				w.close(alice.Session)
				if len(w.module.timers) != 0 {
					t.Error("the session is still watched")
				}
				if ids := w.wait(alice, time.Hour); ids != nil {
					t.Errorf("pinged afterwards: %q", ids)
				}
				if got := alice.Signals(); got != nil {
					t.Errorf("signals %v", got)
				}
				if n := w.Logged.Len(); n != 0 {
					t.Errorf("logged %v", w.Logged.All())
				}
				w.close(alice.Session) // a second time does nothing
			})
		})
	}
}

// A session that ends while its ping is being sent is not watched any more.
func TestEndDuringPing(t *testing.T) {
	bubble(t, "[{send_pings, true}, {timeout_action, kill}]", func(t *testing.T, w *world) {
		r := &leaver{}
		s := session.New(w.Sessions.NextID("n", 1), jid.MustParse("carol@h/r"), session.Info{}, r)
		r.leave = func() { w.close(s) }
		w.Sessions.Open(s, 0)
		for _, fn := range w.Host.Hooks.SessionOpened.All() {
			fn(w.Turn, s)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if r.delivered != 1 || r.signals != 0 || w.Logged.Len() != 0 {
			t.Errorf("%d pings, %d signals, logged %v", r.delivered, r.signals, w.Logged.All())
		}
	})
}

// A leaver goes when it is given something.
type leaver struct {
	leave              func()
	delivered, signals int
}

func (l *leaver) Deliver(*router.Turn, router.Packet) { l.delivered++; l.leave() }
func (l *leaver) Signal(*router.Turn, session.Signal) { l.signals++ }

// A session whose end is not told of yet answers with an error, and is not taken for
// one that is there.
func TestPingToNobody(t *testing.T) {
	bubble(t, "[{send_pings, true}, {timeout_action, kill}]", func(t *testing.T, w *world) {
		alice := w.open("alice@h/r")
		w.Sessions.Close(alice.Session)
		w.wait(alice, 10*time.Minute)
		if got := alice.Signals(); got != nil {
			t.Errorf("signals %v", got)
		}
	})
}

// A client that does not know pings, and one that was replaced at the same address,
// are told apart by the id.
func TestAnswerOfAnother(t *testing.T) {
	bubble(t, "[{send_pings, true}, {timeout_action, kill}]", func(t *testing.T, w *world) {
		alice, bob := w.open("alice@h/r"), w.open("bob@h/r")
		ids := w.wait(alice, time.Minute)
		w.wait(bob, 0)
		w.answer(bob, ids[0], "result") // not the one asked
		w.wait(alice, 32*time.Second)
		if got := alice.Signals(); len(got) != 1 {
			t.Errorf("signals %v", got)
		}
	})
}

// A mistake behind a ping costs a log entry.
func TestPanic(t *testing.T) {
	bubble(t, "[{send_pings, true}]", func(t *testing.T, w *world) {
		s := session.New(w.Sessions.NextID("n", 1), jid.MustParse("carol@h/r"), session.Info{}, nil)
		w.Sessions.Open(s, 0)
		for _, fn := range w.Host.Hooks.SessionOpened.All() {
			fn(w.Turn, s)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if logs := w.Logged.FilterMessage("panic").All(); len(logs) != 1 || !strings.Contains(logs[0].ContextMap()["during"].(string), "ping") {
			t.Errorf("logged %v", logs)
		}
		time.Sleep(time.Minute) // the question that nobody got runs out
	})
}
