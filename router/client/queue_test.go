package client

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"meerkat/router"
	"meerkat/router/jid"
	"meerkat/router/session"
	"meerkat/router/stanza"
	"meerkat/router/storage"
)

// msg is a message that alice sends.
func msg(to, id string) string {
	return `<message from='alice@h/r' to='` + to + `' id='` + id + `'/>`
}

// ids returns the ids of stanzas, in order.
func ids(list []string) (found []string) {
	for _, s := range list {
		if _, rest, ok := strings.Cut(s, " id='"); ok {
			id, _, _ := strings.Cut(rest, "'")
			found = append(found, id)
		}
	}
	return found
}

// queueOf routes messages with the given ids to bob's session in one turn.
func (w *world) queueOf(to string, list ...string) {
	w.t.Helper()
	t := session.NewTurn(w.t.Context())
	for _, id := range list {
		w.Router.Route(t, w.packet(msg(to, id)))
	}
	t.Flush()
}

func numbers(from, to int) (list []string) {
	for i := from; i <= to; i++ {
		list = append(list, fmt.Sprint(i))
	}
	return list
}

// What one turn hands out is one write, in order.
func TestTurnIsOneWrite(t *testing.T) {
	w := newWorld(t)
	bob := w.login("bob@h/r")
	before := bob.writes
	w.queueOf("bob@h/r", numbers(1, 16)...)
	same(t, "written", ids(bob.take()), numbers(1, 16))
	if n := bob.writes - before; n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
	if c := bob.client; c.queue != nil || c.queued != 0 || c.turnMark != nil {
		t.Errorf("an idle client holds a queue of %d, %d bytes", cap(c.queue), c.queued)
	}
}

// A turn flushes what it has queued, though another one that has queued before is
// not done.
func TestEachTurnFlushes(t *testing.T) {
	w := newWorld(t)
	bob := w.login("bob@h/r")
	slow := session.NewTurn(t.Context())
	w.Router.Route(slow, w.packet(msg("bob@h/r", "1")))
	w.queueOf("bob@h/r", "2")
	same(t, "written", ids(bob.take()), []string{"1", "2"})
	w.Router.Route(slow, w.packet(msg("bob@h/r", "3")))
	slow.Flush()
	same(t, "written by the slow turn", ids(bob.take()), []string{"3"})
}

// More than fits into one write goes out in several.
func TestLargeBatch(t *testing.T) {
	w := newWorld(t)
	bob := w.login("bob@h/r")
	before := bob.writes
	turn := session.NewTurn(t.Context())
	body := strings.Repeat("x", flushBytes/4)
	for _, id := range numbers(1, 10) {
		w.Router.Route(turn, w.packet(`<message from='alice@h/r' to='bob@h/r' id='`+id+`'><body>`+body+`</body></message>`))
	}
	turn.Flush()
	same(t, "written", ids(bob.take()), numbers(1, 10))
	if n := bob.writes - before; n != 3 {
		t.Errorf("%d writes, want 3", n)
	}
}

// While the network takes nothing the queue waits; then it goes out in order.
func TestCongestion(t *testing.T) {
	w := newWorld(t)
	bob := w.login("bob@h/r")
	bob.set(func(t *transport) { t.congested = true })
	w.queueOf("bob@h/r", "1", "2")
	w.queueOf("bob@h/r", "3")
	same(t, "while congested", bob.take(), nil)
	bob.drain()
	same(t, "afterwards", ids(bob.take()), []string{"1", "2", "3"})
	bob.drain()
	same(t, "again", bob.take(), nil)
}

// Congestion in the middle of a batch leaves the rest in the queue, before what
// comes later.
func TestCongestionInsideBatch(t *testing.T) {
	w := newWorld(t)
	bob := w.login("bob@h/r")
	turn := session.NewTurn(t.Context())
	body := strings.Repeat("x", flushBytes)
	bob.set(func(t *transport) { t.capacity = 2 })
	for _, id := range numbers(1, 5) {
		w.Router.Route(turn, w.packet(`<message from='alice@h/r' to='bob@h/r' id='`+id+`'><body>`+body+`</body></message>`))
	}
	turn.Flush()
	same(t, "first", ids(bob.take()), []string{"1", "2"})
	w.queueOf("bob@h/r", "6")
	bob.set(func(t *transport) { t.capacity = 2 })
	bob.drain()
	same(t, "second", ids(bob.take()), []string{"3", "4"})
	bob.drain()
	same(t, "rest", ids(bob.take()), []string{"5", "6"})
	if bob.client.queued != 0 {
		t.Errorf("%d bytes counted in an empty queue", bob.client.queued)
	}
}

// A client that does not read is dropped when more than max_fsm_queue waits, and
// everything goes where it goes without it.
func TestMaxQueue(t *testing.T) {
	w := newWorld(t)
	w.opts.MaxQueue = 5
	bob := w.login("bob@h/r")
	alice := w.login("alice@h/r")
	bob.set(func(t *transport) { t.congested = true })
	w.queueOf("bob@h/r", numbers(1, 5)...)
	if bob.isClosed() {
		t.Fatal("dropped while no more than max_fsm_queue waits")
	}
	w.route(`<iq from='alice@h/r' to='bob@h/r' type='get' id='q'><x xmlns='urn:x'/></iq>`)
	if !bob.dropped {
		t.Fatal("not dropped")
	}
	same(t, "written", bob.take(), nil) // no stream error
	bob.settle()
	same(t, "stored", ids(w.offline.take()), numbers(1, 5))
	same(t, "answer", alice.take(), []string{
		`<iq from='bob@h/r' to='alice@h/r' type='error' id='q'><x xmlns='urn:x'/>` + errorXML("503", "cancel", "service-unavailable") + `</iq>`,
	})
	if n := w.log.FilterMessageSnippet("does not read").Len(); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

// Without a bound in the configuration bytes and items are bounded all the same.
func TestBuiltInBounds(t *testing.T) {
	w := newWorld(t)
	p := w.packet(`<message from='alice@h/r' to='bob@h/r'><body>` + strings.Repeat("x", 1<<20) + `</body></message>`)
	bob := w.login("bob@h/r")
	bob.set(func(t *transport) { t.congested = true })
	turn := session.NewTurn(t.Context())
	n := 0
	for ; !bob.isClosed() && n < 100; n++ {
		w.Router.Route(turn, p)
		turn.Flush()
	}
	if n != 32 {
		t.Errorf("dropped after %d MiB, want 32", n)
	}
	small := w.packet(msg("carol@h/r", "1"))
	carol := w.login("carol@h/r")
	carol.set(func(t *transport) { t.congested = true })
	for range maxQueue {
		w.Router.Route(turn, small)
	}
	turn.Flush()
	if carol.isClosed() {
		t.Fatal("dropped too early")
	}
	w.Router.Route(turn, small)
	turn.Flush()
	if !carol.isClosed() {
		t.Error("not dropped")
	}
}

// What the session fetches itself may be more than max_fsm_queue: a slow client
// with many offline messages would never get through otherwise.
func TestFetchMayExceedMaxQueue(t *testing.T) {
	w := newWorld(t)
	w.opts.MaxQueue = 5
	w.h.Hooks.FetchOffline.Add(50, "mod_offline", func(_ *router.Turn, user jid.JID) (list []router.Packet) {
		for _, id := range numbers(1, 20) {
			list = append(list, w.packet(msg("bob@h", id)))
		}
		return list
	})
	bob := w.login("bob@h/r")
	bob.set(func(t *transport) { t.congested = true })
	bob.send(`<presence/>`)
	if bob.isClosed() {
		t.Fatal("dropped because of what it fetched")
	}
	// Five more may wait; its own presence and probe are two of them.
	w.queueOf("bob@h/r", "a", "b", "c")
	if bob.isClosed() {
		t.Fatal("dropped too early")
	}
	bob.drain()
	same(t, "written", ids(bob.take()), append(numbers(1, 20), "a", "b", "c"))
	bob.set(func(t *transport) { t.congested = true })
	w.queueOf("bob@h/r", numbers(1, 6)...)
	if !bob.isClosed() {
		t.Error("the queue stays larger after what was fetched is gone")
	}
}

// An End comes behind what was queued before it; what comes later goes elsewhere.
func TestEndInsideQueue(t *testing.T) {
	w := newWorld(t)
	bob := w.login("bob@h/r")
	turn := session.NewTurn(t.Context())
	w.Router.Route(turn, w.packet(msg("bob@h/r", "1")))
	w.Router.Route(turn, w.packet(msg("bob@h/r", "2")))
	w.Router.Broadcast(turn, jid.MustParse("bob@h"), session.End{Condition: "conflict", Text: "kicked"})
	w.Router.Route(turn, w.packet(msg("bob@h/r", "3")))
	w.Router.Broadcast(turn, jid.MustParse("bob@h"), session.End{Condition: "system-shutdown"})
	w.Router.Route(turn, w.packet(msg("bob@h/r", "4")))
	turn.Flush()
	same(t, "written", bob.take(), append([]string{msg("bob@h/r", "1"), msg("bob@h/r", "2")}, streamErrorText("conflict", "kicked")...))
	if bob.dropped || !bob.isClosed() {
		t.Errorf("closed %v, dropped %v", bob.isClosed(), bob.dropped)
	}
	bob.settle()
	same(t, "stored", ids(w.offline.take()), []string{"3", "4"})
}

// Somebody who does not read is ended at once, or a session that was replaced would
// live on until the network gives up; what it was not given goes elsewhere.
func TestEndWhileCongested(t *testing.T) {
	w := newWorld(t)
	bob := w.login("bob@h/r")
	bob.send(`<presence to='carol@h/r'/>`)
	carol := w.login("carol@h/r")
	bob.set(func(t *transport) { t.congested = true })
	w.queueOf("bob@h/r", "1", "2")
	turn := session.NewTurn(t.Context())
	w.Router.Broadcast(turn, jid.MustParse("bob@h"), session.End{Condition: "conflict", Text: replacedText, Status: replacedText})
	turn.Flush()
	same(t, "written", bob.take(), streamErrorText("conflict", replacedText))
	same(t, "carol hears", carol.take(), []string{
		`<presence from='bob@h/r' to='carol@h/r' type='unavailable'><status>` + replacedText + `</status></presence>`,
	})
	if !bob.isClosed() {
		t.Fatal("not closed")
	}
	bob.settle()
	same(t, "stored", ids(w.offline.take()), []string{"1", "2"})
	same(t, "carol hears later", carol.take(), nil)
}

// A Drop does not wait for anything, and nothing is said.
func TestDropWhileCongested(t *testing.T) {
	w := newWorld(t)
	bob := w.login("bob@h/r")
	bob.set(func(t *transport) { t.congested = true })
	w.queueOf("bob@h/r", "1", "2")
	w.Router.Broadcast(session.NewTurn(t.Context()), jid.MustParse("bob@h"), session.Drop{})
	if !bob.dropped {
		t.Fatal("not dropped")
	}
	w.queueOf("bob@h/r", "3") // before the transport has told of it
	bob.settle()
	same(t, "written", bob.take(), nil)
	same(t, "stored", ids(w.offline.take()), []string{"1", "2", "3"})
	w.queueOf("bob@h/r", "4")
	same(t, "stored", ids(w.offline.take()), []string{"4"})
}

// A transport that is gone in the middle of a batch has not taken the rest of it.
func TestErrorInsideBatch(t *testing.T) {
	for _, writes := range []int{0, 1, 2} {
		t.Run(fmt.Sprintf("after %d writes", writes), func(t *testing.T) {
			w := newWorld(t)
			bob := w.login("bob@h/r")
			var n atomic.Int32
			bob.set(func(tr *transport) {
				tr.onWrite = func() {
					if int(n.Add(1)) > writes {
						tr.set(func(tr *transport) { tr.failing = true })
					}
				}
			})
			turn := session.NewTurn(t.Context())
			body := strings.Repeat("x", flushBytes/2)
			for _, id := range numbers(1, 7) {
				w.Router.Route(turn, w.packet(`<message from='alice@h/r' to='bob@h/r' id='`+id+`'><body>`+body+`</body></message>`))
			}
			turn.Flush()
			written := ids(bob.take())
			bob.client.Lost()
			same(t, "written, then stored", append(written, ids(w.offline.take())...), numbers(1, 7))
			if len(written) != 2*writes {
				t.Errorf("%d written", len(written))
			}
		})
	}
}

// The connection is lost while another goroutine writes: what that one cannot
// write is not lost.
func TestLostWhileOthersWrite(t *testing.T) {
	w := newWorld(t)
	bob := w.login("bob@h/r")
	bob.set(func(tr *transport) {
		tr.onWrite = func() {
			tr.set(func(tr *transport) { tr.onWrite, tr.failing = nil, true })
			w.queueOf("bob@h/r", "3") // comes while the batch is under way
			tr.client.Lost()
			w.queueOf("bob@h/r", "4")
		}
	})
	w.queueOf("bob@h/r", "1", "2")
	// What the writer had in hand is routed by him, at the end of his turn.
	same(t, "stored", sorted(ids(w.offline.take())), numbers(1, 4))
}

// The owner ends the stream while another goroutine writes: the end comes last.
func TestEndWhileOthersWrite(t *testing.T) {
	w := newWorld(t)
	bob := w.login("bob@h/r")
	bob.set(func(tr *transport) {
		tr.onWrite = func() {
			tr.set(func(tr *transport) { tr.onWrite = nil })
			tr.client.Ended() // the peer's end, read meanwhile
			w.queueOf("bob@h/r", "3")
		}
	})
	w.queueOf("bob@h/r", "1", "2")
	same(t, "written", bob.take(), []string{msg("bob@h/r", "1"), msg("bob@h/r", "2"), streamEnd})
	if bob.afterEnd != 0 {
		t.Error("something was written behind the end")
	}
	bob.settle()
	same(t, "stored", ids(w.offline.take()), []string{"3"})
}

// Many senders, a network that stops and goes: everything arrives, once, and each
// sender's in order.
func TestManySenders(t *testing.T) {
	w := newWorld(t)
	bob := w.login("bob@h/r")
	const senders, each = 8, 400
	var wg, net sync.WaitGroup
	stop := make(chan struct{})
	net.Add(1)
	go func() { // the network
		defer net.Done()
		for {
			bob.set(func(t *transport) { t.capacity = 1 + rand.IntN(3) })
			if bob.Congested() {
				bob.drain()
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	for s := range senders {
		wg.Add(1)
		go func() {
			defer wg.Done()
			turn := session.NewTurn(t.Context())
			for i := range each {
				w.Router.Route(turn, w.packet(msg("bob@h/r", fmt.Sprintf("%d-%d", s, i))))
				if rand.IntN(4) == 0 {
					turn.Flush()
				}
			}
			turn.Flush()
		}()
	}
	wg.Wait()
	close(stop)
	net.Wait()
	bob.set(func(t *transport) { t.capacity = 0 })
	bob.drain()
	var got []string
	eventually(t, "all messages", func() bool {
		got = append(got, ids(bob.take())...)
		return len(got) >= senders*each
	})
	checkOrder(t, got, senders, each)
}

// checkOrder checks that ids sender-number are each there once and in order.
func checkOrder(t *testing.T, got []string, senders, each int) {
	t.Helper()
	next := make([]int, senders)
	for _, id := range got {
		var s, i int
		if _, err := fmt.Sscanf(id, "%d-%d", &s, &i); err != nil {
			t.Fatalf("id %q", id)
		}
		if i != next[s] {
			t.Fatalf("sender %d: %d comes where %d should", s, i, next[s])
		}
		next[s]++
	}
	for s, n := range next {
		if n != each {
			t.Errorf("sender %d: %d arrived of %d", s, n, each)
		}
	}
}

// No wake-up is lost: after each burst the queue empties without help, whoever ran
// into whom.
func TestNoLostWakeUps(t *testing.T) {
	w := newWorld(t)
	bob := w.login("bob@h/r")
	for range 300 {
		var wg sync.WaitGroup
		bob.set(func(t *transport) { t.congested = true })
		for s := range 3 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				w.queueOf("bob@h/r", fmt.Sprint(s))
			}()
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			bob.drain()
		}()
		wg.Wait()
		got := sorted(ids(bob.take()))
		if !slices.Equal(got, []string{"0", "1", "2"}) {
			eventually(t, "the rest", func() bool {
				got = append(got, ids(bob.take())...)
				return len(got) == 3
			})
		}
	}
}

// A goroutine does not write for others for ever, and nothing is left behind when it
// stops.
func TestMaxRounds(t *testing.T) {
	w := newWorld(t)
	bob := w.login("bob@h/r")
	n := 1
	bob.set(func(tr *transport) {
		tr.onWrite = func() {
			if n++; n <= 5*maxRounds {
				bob.client.Deliver(session.NewTurn(t.Context()), w.packet(msg("bob@h/r", fmt.Sprint(n))))
			}
		}
	})
	w.queueOf("bob@h/r", "1")
	var got []string
	eventually(t, "all messages", func() bool {
		got = append(got, ids(bob.take())...)
		return len(got) == 5*maxRounds
	})
	same(t, "written", got, numbers(1, 5*maxRounds))
}

// A mistake in the handling of one client's queue costs that client its
// connection, and not the goroutine that happens to flush.
func TestPanicInQueue(t *testing.T) {
	w := newWorld(t)
	bob := w.login("bob@h/r")
	bob.send(`<presence/>`)
	bob.take()
	bad := session.New(w.Router.Sessions.NextID("n", 1), jid.MustParse("bob@h/bad"), session.Info{}, panics{})
	w.Router.Sessions.Open(bad, 0)
	w.route(`<presence from='bob@h/bad' to='bob@h/r' type='probe'/>`)
	if !bob.dropped {
		t.Fatal("not dropped")
	}
	if w.log.FilterMessage("panic in a client's queue").Len() != 1 {
		t.Errorf("logged %v", w.log.All())
	}
	w.queueOf("bob@h/r", "1")
	w.Router.Sessions.Close(bad)
	bob.settle()
	same(t, "stored", ids(w.offline.take()), []string{"1"})
}

type panics struct{}

func (panics) Deliver(*session.Turn, stanza.Packet) { panic("cannot deliver") }
func (panics) Signal(*session.Turn, session.Signal) {}

// Lost may come twice when something went badly wrong, and counts once.
func TestLostTwice(t *testing.T) {
	w := newWorld(t)
	closed := 0
	w.h.Hooks.SessionClosed.Add(50, "m", func(*router.Turn, *session.Session) { closed++ })
	bob := w.login("bob@h/r")
	bob.client.Lost()
	bob.client.Lost()
	if closed != 1 {
		t.Errorf("the hook ran %d times", closed)
	}
}

// While a session is replaced again and again nothing is lost and nothing comes
// twice: each message is written to one session, or stored.
func TestReplacedWhileStanzasAreInFlight(t *testing.T) {
	w := newWorld(t)
	const senders, each, logins = 4, 300, 40
	var mu sync.Mutex
	var written []string
	collect := func(tr *transport) {
		mu.Lock()
		defer mu.Unlock()
		written = append(written, ids(tr.take())...)
		if tr.afterEnd != 0 {
			t.Error("something was written behind the end of a stream")
		}
	}
	var wg, owners sync.WaitGroup
	done := make(chan struct{})
	for s := range senders {
		wg.Add(1)
		go func() {
			defer wg.Done()
			turn := session.NewTurn(t.Context())
			for i := range each {
				to := []string{"bob@h/r", "bob@h"}[i%2]
				w.Router.Route(turn, w.packet(msg(to, fmt.Sprintf("m%d-%d", s, i))))
				turn.Flush()
				runtime.Gosched()
			}
		}()
	}
	go func() { wg.Wait(); close(done) }()
	for i := range logins {
		bob := w.loginOnly("bob@h/r")
		bob.send(`<presence/>`)
		if i%3 == 0 {
			bob.set(func(t *transport) { t.congested = true })
		}
		// The goroutine that owns the connection.
		owners.Add(1)
		go func() {
			defer owners.Done()
			for !bob.isClosed() {
				runtime.Gosched()
			}
			bob.client.Lost()
			collect(bob)
		}()
	}
	<-done
	w.Router.Broadcast(session.NewTurn(t.Context()), jid.MustParse("bob@h"), session.Drop{})
	owners.Wait()
	var all []string
	for _, id := range append(written, ids(w.offline.take())...) {
		if strings.HasPrefix(id, "m") {
			all = append(all, id)
		}
	}
	slices.Sort(all)
	if n := len(slices.Compact(slices.Clone(all))); n != senders*each || len(all) != n {
		t.Errorf("%d of %d arrived, %d of them more than once", n, senders*each, len(all)-n)
	}
}

// Messages to the bare JID go to several sessions, which come and go: none of them
// gets one twice, and none is lost.
func TestCopiesWhileSessionsEnd(t *testing.T) {
	w := newWorld(t)
	const each, lives = 400, 30
	var wg, owners sync.WaitGroup
	var mu sync.Mutex
	arrived := map[string]int{}
	// A life is over when a few more messages were sent; no message is sent while
	// all are between two lives, or most would be stored.
	var sent, alive atomic.Int32
	wg.Add(1)
	go func() {
		defer wg.Done()
		turn := session.NewTurn(t.Context())
		for i := range each {
			for end := time.Now().Add(time.Millisecond); alive.Load() == 0 && time.Now().Before(end); {
				runtime.Gosched()
			}
			w.Router.Route(turn, w.packet(msg("bob@h", fmt.Sprint(i))))
			turn.Flush()
			sent.Add(1)
		}
	}()
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for r := range 3 {
		owners.Add(1)
		go func() {
			defer owners.Done()
			for range lives {
				bob := w.login(fmt.Sprintf("bob@h/%d", r))
				bob.send(`<presence/>`)
				if rand.IntN(2) == 0 {
					bob.set(func(t *transport) { t.congested = true })
				}
				alive.Add(1)
				for until := min(sent.Load()+rand.Int32N(20), each); sent.Load() < until; {
					runtime.Gosched()
				}
				alive.Add(-1)
				bob.set(func(t *transport) { t.failing = true })
				got := ids(bob.take())
				bob.client.Lost()
				got = append(got, ids(bob.take())...)
				slices.Sort(got)
				if len(slices.Compact(slices.Clone(got))) != len(got) {
					t.Errorf("a session got a message twice: %q", got)
				}
				mu.Lock()
				for _, id := range got {
					arrived[id]++
				}
				mu.Unlock()
			}
		}()
	}
	owners.Wait()
	<-done
	for _, id := range ids(w.offline.take()) {
		if arrived[id] > 0 {
			t.Errorf("message %s was delivered and stored", id)
		}
		arrived[id]++
	}
	if len(arrived) != each {
		t.Errorf("%d of %d arrived", len(arrived), each)
	}
}

// A stanza that is handed to a session at the moment it ends goes on, and comes
// back to nobody.
func TestDeliverAfterLost(t *testing.T) {
	w := newWorld(t)
	bob := w.login("bob@h/r")
	s := w.Router.Sessions.Find(jid.MustParse("bob@h/r"))
	bob.client.Lost()
	turn := session.NewTurn(t.Context())
	s.Receiver.Deliver(turn, w.packet(msg("bob@h/r", "1")))
	s.Receiver.Signal(turn, session.End{Condition: "conflict"})
	turn.Flush()
	same(t, "stored", ids(w.offline.take()), []string{"1"})
	same(t, "written", bob.take(), nil)
}

// Routing on what a lost client was not given may wait for a database, which lets
// the turn flush what it has so far. What comes after that is flushed too.
func TestRerouteThatWaits(t *testing.T) {
	w := newWorld(t)
	alice := w.login("alice@h/r")
	w.h.Hooks.Offline.Add(10, "m", func(turn *router.Turn, p router.Packet) bool {
		if p.Stanza.ID == "1" {
			turn.Value(storage.BeforeWait{}).(func())()
			return true
		}
		w.Router.Bounce(turn, p, stanza.ServiceUnavailable)
		return true
	})
	bob := w.login("bob@h/r")
	bob.set(func(tr *transport) {
		tr.onWrite = func() {
			tr.set(func(tr *transport) { tr.onWrite, tr.failing = nil, true })
			tr.client.Lost()
		}
	})
	w.queueOf("bob@h/r", "1", "2")
	same(t, "the sender hears", ids(alice.take()), []string{"2"})
}
