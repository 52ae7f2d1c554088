package router

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"meerkat/cfgterm/schema"
	"meerkat/router/auth"
	"meerkat/router/jid"
	"meerkat/router/session"
	"meerkat/router/stanza"
	"meerkat/router/xml"
)

// errorXML is an error as it ends a reply.
func errorXML(code, typ, condition string) string {
	return `<error code='` + code + `' type='` + typ + `'><` + condition + ` xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`
}

func echo(_ *Turn, req *Request) (*stanza.Stanza, error) {
	return stanza.ResultRaw(req.Stanza, req.Stanza.Content()), nil
}

func TestDispatch(t *testing.T) {
	const from = `from='alice@h/r' id='1'`
	badRequest := errorXML("400", "modify", "bad-request")
	tests := []struct {
		name  string
		to    string
		typ   string
		in    string // content of the IQ
		error string // of the reply; "result" for a result, "" for no answer
	}{
		{"to the host", "h", "get", `<q xmlns='urn:server'/>`, "result"},
		{"to the account", "bob@h", "set", `<q xmlns='urn:account'/>`, "result"},
		{"to an account that does not exist", "nobody@h", "get", `<q xmlns='urn:account'/>`, "result"},
		{"tables are apart", "h", "get", `<q xmlns='urn:account'/>`, errorXML("501", "cancel", "feature-not-implemented")},
		{"tables are apart", "bob@h", "get", `<q xmlns='urn:server'/>`, unavailableError},
		{"hosts are apart", "other.h", "get", `<q xmlns='urn:server'/>`, errorXML("501", "cancel", "feature-not-implemented")},
		{"text beside the child", "h", "get", ` a <q xmlns='urn:server'/> b `, "result"},
		{"no child", "h", "get", "", badRequest},
		{"no child", "bob@h", "set", "text", badRequest},
		{"two children", "h", "get", `<q xmlns='urn:server'/><q xmlns='urn:server'/>`, badRequest},
		{"child without a namespace", "h", "get", `<q/>`, badRequest},
		{"unknown type", "h", "put", `<q xmlns='urn:server'/>`, badRequest},
		{"no type", "bob@h", "", `<q xmlns='urn:account'/>`, badRequest},
		{"result to the account", "bob@h", "result", `<q xmlns='urn:account'/>`, ""},
		{"error to the account", "bob@h", "error", `<q xmlns='urn:account'/>`, ""},
		{"result nobody asked for", "h", "result", `<q xmlns='urn:server'/>`, ""},
		{"error nobody asked for", "h", "error", `<q xmlns='urn:server'/>`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name+" "+tt.to, func(t *testing.T) {
			n := newNode(t)
			n.h.IQ(ServerTable, "urn:server", NoQueue(), echo)
			n.h.IQ(AccountTable, "urn:account", NoQueue(), echo)
			alice, _ := n.open(t, "alice@h/r", 0)
			typ := ""
			if tt.typ != "" {
				typ = ` type='` + tt.typ + `'`
			}
			n.send(t, `<iq `+from+` to='`+tt.to+`'`+typ+`>`+tt.in+`</iq>`)
			head := `<iq from='` + tt.to + `' to='alice@h/r' type=`
			want := []string{head + `'error' id='1'>` + tt.in + tt.error + `</iq>`}
			switch tt.error {
			case "":
				want = nil
			case "result":
				want = []string{head + `'result' id='1'>` + tt.in + `</iq>`}
			}
			same(t, "reply", alice.take(), want)
		})
	}
}

func TestHandlerAnswers(t *testing.T) {
	const q = `<q xmlns='urn:x'/>`
	tests := []struct {
		name   string
		fn     IQHandler
		want   string // content of the reply; "" for none
		logged string
	}{
		{"result", func(_ *Turn, req *Request) (*stanza.Stanza, error) { return req.Result(), nil }, "result", ""},
		{"later", func(*Turn, *Request) (*stanza.Stanza, error) { return nil, nil }, "", ""},
		{"stanza error", func(*Turn, *Request) (*stanza.Stanza, error) { return nil, stanza.Forbidden }, q + errorXML("403", "auth", "forbidden"), ""},
		{
			"wrapped stanza error",
			func(*Turn, *Request) (*stanza.Stanza, error) {
				return nil, fmt.Errorf("look up: %w", stanza.ItemNotFound)
			}, q + errorXML("404", "cancel", "item-not-found"), "",
		},
		{
			"failure", func(*Turn, *Request) (*stanza.Stanza, error) { return nil, errors.New("disk on fire") },
			q + errorXML("500", "wait", "internal-server-error"), "disk on fire",
		},
		{
			"panic", func(*Turn, *Request) (*stanza.Stanza, error) { panic("no such index") },
			q + errorXML("500", "wait", "internal-server-error"), "no such index",
		},
		{
			"panic of the runtime", func(_ *Turn, req *Request) (*stanza.Stanza, error) {
				return nil, []error{}[len(req.Stanza.ID)]
			},
			q + errorXML("500", "wait", "internal-server-error"), "index out of range",
		},
	}
	for _, tt := range tests {
		for name, d := range map[string]Discipline{"no_queue": NoQueue(), "one_queue": Queues(1), "queues": Queues(3), "parallel": Parallel()} {
			t.Run(tt.name+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := newNode(t)
					n.h.IQ(ServerTable, "urn:x", d, tt.fn)
					alice, _ := n.open(t, "alice@h/r", 0)
					n.send(t, `<iq from='alice@h/r' to='h' type='get' id='1'>`+q+`</iq>`)
					synctest.Wait()
					head := `<iq from='h' to='alice@h/r' type=`
					want := []string{head + `'error' id='1'>` + tt.want + `</iq>`}
					switch tt.want {
					case "":
						want = nil
					case "result":
						want = []string{head + `'result' id='1'/>`}
					}
					same(t, "reply", alice.take(), want)
					logs := n.log.All()
					if tt.logged == "" && len(logs) != 0 || tt.logged != "" && (len(logs) != 1 || !strings.Contains(fmt.Sprint(logs[0].ContextMap()["error"]), tt.logged)) {
						t.Errorf("logged %v, want %q", logs, tt.logged)
					}
				})
			})
		}
	}
}

func TestRequest(t *testing.T) {
	n := newNode(t)
	var got *Request
	n.h.IQ(ServerTable, "urn:x", NoQueue(), func(_ *Turn, req *Request) (*stanza.Stanza, error) {
		got = req
		return nil, nil
	})
	n.send(t, `<iq from='alice@h/r' to='h' type='set' id='1'><q xmlns='urn:x'/></iq>`)
	if got.Host != n.h || !got.IsSet() || got.From.String() != "alice@h/r" || got.To.String() != "h" {
		t.Errorf("request %+v", got)
	}
	n.send(t, `<iq from='alice@h/r' to='h' type='get' id='1'><q xmlns='urn:x'/></iq>`)
	if got.IsSet() {
		t.Error("a get is a set")
	}
}

func TestTwoHandlersForOneNamespace(t *testing.T) {
	n := newNode(t)
	n.h.IQ(ServerTable, "urn:x", NoQueue(), echo)
	n.h.IQ(AccountTable, "urn:x", NoQueue(), echo)
	defer func() {
		if p := fmt.Sprint(recover()); !strings.Contains(p, "urn:x") {
			t.Errorf("panic %q does not name the namespace", p)
		}
	}()
	n.h.IQ(ServerTable, "urn:x", NoQueue(), echo)
}

func TestDisciplineOf(t *testing.T) {
	for _, tt := range []struct {
		in   schema.IQDisc
		want Discipline
	}{
		{schema.IQDisc{}, NoQueue()},
		{schema.IQDisc{Method: "no_queue"}, NoQueue()},
		{schema.IQDisc{Method: "one_queue"}, Queues(1)},
		{schema.IQDisc{Method: "queues", Queues: 7}, Queues(7)},
		{schema.IQDisc{Method: "queues"}, Queues(1)},
		{schema.IQDisc{Method: "parallel"}, Parallel()},
	} {
		if got := DisciplineOf(tt.in); got != tt.want {
			t.Errorf("%+v gives %+v, want %+v", tt.in, got, tt.want)
		}
	}
}

// gate is a handler that waits in each call until it is let go on. It counts how
// many calls run at a time and in which order they began.
type gate struct {
	open    chan struct{}
	running atomic.Int32
	most    atomic.Int32
	mu      sync.Mutex
	began   []string
}

func newGate() *gate { return &gate{open: make(chan struct{})} }

func (g *gate) serve(_ *Turn, req *Request) (*stanza.Stanza, error) {
	now := g.running.Add(1)
	defer g.running.Add(-1)
	for m := g.most.Load(); now > m && !g.most.CompareAndSwap(m, now); m = g.most.Load() {
	}
	g.mu.Lock()
	g.began = append(g.began, req.Stanza.ID)
	g.mu.Unlock()
	<-g.open
	return req.Result(), nil
}

// ask sends n requests, each from a goroutine of its own that is at rest before
// the next one starts.
func (g *gate) ask(t *testing.T, n *node, count int) (ids []string) {
	for i := range count {
		id := fmt.Sprint(i)
		ids = append(ids, id)
		p := packet(t, `<iq from='alice@h/r' to='h' type='get' id='`+id+`'><q xmlns='urn:x'/></iq>`)
		go func() {
			turn := session.NewTurn(t.Context())
			n.Route(turn, p)
			turn.Flush()
		}()
		synctest.Wait()
	}
	return ids
}

func TestDisciplines(t *testing.T) {
	tests := []struct {
		name    string
		d       Discipline
		atOnce  int32 // how many of 20 requests run at a time
		ordered bool
	}{
		{"no_queue", NoQueue(), 20, false},
		{"one_queue", Queues(1), 1, true},
		{"queues", Queues(4), 4, false},
		{"parallel", Parallel(), 20, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t)
				alice, _ := n.open(t, "alice@h/r", 0)
				g := newGate()
				n.h.IQ(ServerTable, "urn:x", tt.d, g.serve)
				ids := g.ask(t, n, 20)
				if now := g.running.Load(); now != tt.atOnce {
					t.Errorf("%d run at a time, want %d", now, tt.atOnce)
				}
				close(g.open)
				synctest.Wait()
				if most := g.most.Load(); most > tt.atOnce {
					t.Errorf("%d ran at a time, want %d", most, tt.atOnce)
				}
				if got := alice.take(); len(got) != 20 {
					t.Errorf("%d replies, want 20", len(got))
				}
				if tt.ordered {
					// The first request runs where it came from, the others in a
					// worker.
					same(t, "order", g.began, ids)
				}
			})
		})
	}
}

// The goroutine that brought the first request goes on when that is done, though
// others have come.
func TestFirstRequestDoesNotServeOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.open(t, "alice@h/r", 0)
		g := newGate()
		n.h.IQ(ServerTable, "urn:x", Queues(1), g.serve)
		done := make(chan struct{})
		go func() {
			n.Route(session.NewTurn(t.Context()), packet(t, `<iq from='alice@h/r' to='h' type='get' id='a'><q xmlns='urn:x'/></iq>`))
			close(done)
		}()
		synctest.Wait()
		g.ask(t, n, 3)
		g.open <- struct{}{}
		<-done
		close(g.open)
	})
}

// A handler that sends a request to its own queue does not wait for itself.
func TestRequestFromHandlerOfSameQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		alice, _ := n.open(t, "alice@h/r", 0)
		n.h.IQ(ServerTable, "urn:x", Queues(1), func(turn *Turn, req *Request) (*stanza.Stanza, error) {
			if req.Stanza.ID == "outer" {
				n.Route(turn, packet(t, `<iq from='alice@h/r' to='h' type='get' id='inner'><q xmlns='urn:x'/></iq>`))
			}
			return req.Result(), nil
		})
		n.send(t, `<iq from='alice@h/r' to='h' type='get' id='outer'><q xmlns='urn:x'/></iq>`)
		synctest.Wait()
		same(t, "replies", alice.take(), []string{
			`<iq from='h' to='alice@h/r' type='result' id='outer'/>`, `<iq from='h' to='alice@h/r' type='result' id='inner'/>`,
		})
	})
}

// Whoever comes when a queue is full hears that; those who wait are served.
func TestQueueOverflow(t *testing.T) {
	for _, tt := range []struct {
		name string
		d    Discipline
		room int
	}{
		{"one_queue", Queues(1), maxQueued + 1},
		{"parallel", Parallel(), maxQueued},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t)
				alice, _ := n.open(t, "alice@h/r", 0)
				g := newGate()
				n.h.IQ(ServerTable, "urn:x", tt.d, g.serve)
				p := packet(t, `<iq from='alice@h/r' to='h' type='get' id='1'><q xmlns='urn:x'/></iq>`)
				go func() { n.Route(session.NewTurn(t.Context()), p) }()
				synctest.Wait()
				for range tt.room - 1 {
					n.Route(n.turn, p)
				}
				synctest.Wait()
				if got := alice.take(); got != nil {
					t.Fatalf("answered before the queue is full: %q", got[0])
				}
				p.Stanza = p.Stanza.WithID("over")
				n.Route(n.turn, p)
				same(t, "answer", alice.take(), []string{
					`<iq from='h' to='alice@h/r' type='error' id='over'><q xmlns='urn:x'/>` + errorXML("500", "wait", "resource-constraint") + `</iq>`,
				})
				close(g.open)
				synctest.Wait()
				if got := alice.packets(); len(got) != tt.room {
					t.Errorf("%d served, want %d", len(got), tt.room)
				}
			})
		})
	}
}

// hostile panics when something is delivered: a mistake behind a handler's reply.
type hostile struct{ receiver }

func (h *hostile) Deliver(_ *Turn, p Packet) { panic("cannot deliver " + p.Stanza.ID) }

// A panic while a reply is routed ends neither the node nor the queue.
func TestPanicWhileReplying(t *testing.T) {
	for name, d := range map[string]Discipline{"one_queue": Queues(1), "parallel": Parallel()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t)
				alice, _ := n.open(t, "alice@h/r", 0)
				bad := session.New(n.Sessions.NextID("n", 1), jid.MustParse("bob@h/r"), session.Info{}, &hostile{})
				n.Sessions.Open(bad, 0)
				g := newGate()
				n.h.IQ(ServerTable, "urn:x", d, g.serve)
				ask := func(from, id string) {
					p := packet(t, `<iq from='`+from+`' to='h' type='get' id='`+id+`'><q xmlns='urn:x'/></iq>`)
					go func() {
						turn := session.NewTurn(t.Context())
						n.Route(turn, p)
						turn.Flush()
					}()
					synctest.Wait()
				}
				ask("bob@h/r", "1") // in the goroutine that brings it
				ask("bob@h/r", "2") // in a worker
				ask("alice@h/r", "3")
				close(g.open)
				synctest.Wait()
				ask("alice@h/r", "4")
				synctest.Wait()
				same(t, "replies", alice.take(), []string{
					`<iq from='h' to='alice@h/r' type='result' id='3'/>`, `<iq from='h' to='alice@h/r' type='result' id='4'/>`,
				})
				if got := n.log.FilterMessage("panic").Len(); got != 2 {
					t.Errorf("%d panics logged, want 2", got)
				}
			})
		})
	}
}

// Requests of many senders are all answered, once, whatever the discipline.
func TestManySenders(t *testing.T) {
	for name, d := range map[string]Discipline{
		"no_queue": NoQueue(), "one_queue": Queues(1), "queues": Queues(3), "parallel": Parallel(),
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			n.h.IQ(ServerTable, "urn:x", d, echo)
			const senders, each = 8, 200
			var recv [senders]*receiver
			var wg sync.WaitGroup
			for i := range senders {
				recv[i], _ = n.open(t, fmt.Sprintf("user%d@h/r", i), 0)
				wg.Add(1)
				go func() {
					defer wg.Done()
					turn := session.NewTurn(t.Context())
					for k := range each {
						n.Route(turn, packet(t, fmt.Sprintf(`<iq from='user%d@h/r' to='h' type='get' id='%d'><q xmlns='urn:x'/></iq>`, i, k)))
						turn.Flush()
					}
				}()
			}
			wg.Wait()
			eventually(t, "all replies", func() bool {
				for _, r := range recv {
					if len(r.packets()) < each {
						return false
					}
				}
				return true
			})
			for i, r := range recv {
				seen := map[string]int{}
				for k, p := range r.packets() {
					seen[p.Stanza.ID]++
					if name == "one_queue" && p.Stanza.ID != fmt.Sprint(k) {
						t.Fatalf("sender %d: reply %d is for request %s", i, k, p.Stanza.ID)
					}
				}
				if len(seen) != each {
					t.Errorf("sender %d: %d different replies, want %d", i, len(seen), each)
				}
			}
		})
	}
}

// The worker of a queue works under the life of the node, not under the turn that
// brought the request.
func TestWorkerContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.open(t, "alice@h/r", 0)
		var errs []error
		g := newGate()
		n.h.IQ(ServerTable, "urn:x", Queues(1), func(turn *Turn, req *Request) (*stanza.Stanza, error) {
			g.serve(turn, req)
			errs = append(errs, turn.Err())
			return nil, nil
		})
		for range 2 {
			ctx, cancel := context.WithCancel(t.Context())
			go n.Route(session.NewTurn(ctx), packet(t, `<iq from='alice@h/r' to='h' type='get' id='1'><q xmlns='urn:x'/></iq>`))
			synctest.Wait()
			cancel()
		}
		close(g.open)
		synctest.Wait()
		if len(errs) != 2 || errs[0] == nil || errs[1] != nil {
			t.Errorf("errors of the turns: %v, want one of the sender and none of the worker", errs)
		}
	})
}

// ask asks bob's session and records what the callback gets.
type asked struct {
	calls []string
	stop  func() bool
}

func (n *node) ask(t *testing.T, timeout time.Duration) *asked {
	a := &asked{}
	a.stop = n.h.Ask(n.turn, Packet{
		From: n.h.JID(), To: jid.MustParse("bob@h/r"),
		Stanza: stanza.New(stanza.IQ, "get", "", xml.New("urn:xmpp:ping", "ping")),
	}, timeout, func(_ *Turn, reply *stanza.Stanza) {
		if reply == nil {
			a.calls = append(a.calls, "timeout")
			return
		}
		a.calls = append(a.calls, reply.Type)
	})
	return a
}

func TestAsk(t *testing.T) {
	reply := func(from, to, typ string) string {
		return `<iq from='` + from + `' to='` + to + `' type='` + typ + `' id='%s'/>`
	}
	tests := []struct {
		name    string
		replies []string // with the id of the question
		stop    bool     // taken back before the replies
		wait    time.Duration
		want    []string
	}{
		{"result", []string{reply("bob@h/r", "h", "result")}, false, 0, []string{"result"}},
		{"error", []string{reply("bob@h/r", "h", "error")}, false, 0, []string{"error"}},
		{"only the first counts", []string{reply("bob@h/r", "h", "result"), reply("bob@h/r", "h", "error")}, false, time.Hour, []string{"result"}},
		{"another resource", []string{reply("bob@h/x", "h", "result")}, false, 0, nil},
		{"the account", []string{reply("bob@h", "h", "result")}, false, 0, nil},
		{"somebody else, then the one asked", []string{reply("alice@h/r", "h", "result"), reply("bob@h/r", "h", "error")}, false, 0, []string{"error"}},
		{"to another host", []string{reply("bob@h/r", "other.h", "result")}, false, 0, nil},
		{"no reply yet", nil, false, ReplyTimeout - time.Nanosecond, nil},
		{"timeout", nil, false, ReplyTimeout, []string{"timeout"}},
		{"reply after the timeout", []string{reply("bob@h/r", "h", "result")}, false, -ReplyTimeout, []string{"timeout"}},
		{"stopped", []string{reply("bob@h/r", "h", "result")}, true, time.Hour, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t)
				bob, _ := n.open(t, "bob@h/r", 0)
				a := n.ask(t, ReplyTimeout)
				q := bob.packets()
				if len(q) != 1 || q[0].Stanza.ID == "" || q[0].Stanza.Type != "get" {
					t.Fatalf("asked %v", q)
				}
				if tt.stop && (!a.stop() || a.stop()) {
					t.Error("stop does not report true, then false")
				}
				if tt.wait < 0 {
					time.Sleep(-tt.wait)
					synctest.Wait()
				}
				for _, r := range tt.replies {
					n.send(t, fmt.Sprintf(r, q[0].Stanza.ID))
				}
				if tt.wait > 0 {
					time.Sleep(tt.wait)
				}
				synctest.Wait()
				same(t, "calls", a.calls, tt.want)
				if got := a.stop(); got != (len(tt.want) == 0 && !tt.stop) {
					t.Errorf("stop reports %v afterwards", got)
				}
				if len(n.h.replies) != 0 {
					t.Errorf("%d questions are kept", len(n.h.replies))
				}
			})
		})
	}
}

// A question to a session that is not there is answered at once.
func TestAskNobody(t *testing.T) {
	n := newNode(t)
	a := n.ask(t, time.Hour)
	same(t, "calls", a.calls, []string{"error"})
	if a.stop() {
		t.Error("an answered question can be stopped")
	}
}

// A panic of whoever asked costs a log entry, not the node.
func TestAskPanicAtTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.open(t, "bob@h/r", 0)
		n.h.Ask(n.turn, packet(t, `<iq from='h' to='bob@h/r' type='get'><q xmlns='urn:x'/></iq>`), time.Second,
			func(*Turn, *stanza.Stanza) { panic("no reply") })
		time.Sleep(time.Second)
		synctest.Wait()
		if n.log.FilterMessage("panic").Len() != 1 {
			t.Errorf("logged %v", n.log.All())
		}
	})
}

// Reply, timeout and stop race; the callback runs at most once, and never after
// stop has returned true.
func TestAskRaces(t *testing.T) {
	n := newNode(t)
	bob, _ := n.open(t, "bob@h/r", 0)
	for i := range 300 {
		var calls atomic.Int32
		stop := n.h.Ask(n.turn, packet(t, `<iq from='h' to='bob@h/r' type='get'><q xmlns='urn:x'/></iq>`),
			time.Duration(i%3)*50*time.Microsecond, func(*Turn, *stanza.Stanza) { calls.Add(1) })
		id := bob.packets()[i].Stanza.ID
		var wg sync.WaitGroup
		var stopped atomic.Bool
		wg.Add(2)
		go func() {
			defer wg.Done()
			n.Route(session.NewTurn(t.Context()), packet(t, `<iq from='bob@h/r' to='h' type='result' id='`+id+`'/>`))
		}()
		go func() {
			defer wg.Done()
			stopped.Store(stop())
		}()
		wg.Wait()
		if stopped.Load() {
			if calls.Load() != 0 {
				t.Fatal("called although it was stopped")
			}
			continue
		}
		eventually(t, "the callback", func() bool { return calls.Load() == 1 })
	}
}

// The callback of a timeout can route although the node's context has ended.
func TestAskAfterShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := New(ctx, zap.NewNop())
		h := r.NewHost("h", auth.NewHost("h", nil, auth.HostOptions{}))
		s := session.New(r.Sessions.NextID("n", 1), jid.MustParse("bob@h/r"), session.Info{}, &receiver{})
		r.Sessions.Open(s, 0)
		cancel()
		var err error
		called := false
		h.Ask(session.NewTurn(t.Context()), packet(t, `<iq from='h' to='bob@h/r' type='get'><q xmlns='urn:x'/></iq>`), time.Second,
			func(turn *Turn, _ *stanza.Stanza) { called, err = true, turn.Err() })
		time.Sleep(time.Second)
		synctest.Wait()
		if !called || err != nil {
			t.Errorf("called %v, error %v", called, err)
		}
	})
}
