package offline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"meerkat/cfgterm/schema/schematest"
	"meerkat/router"
	"meerkat/router/jid"
	"meerkat/router/modules/moduletest"
	"meerkat/router/session"
	"meerkat/router/stanza"
	"meerkat/router/storage"
	"meerkat/router/storage/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOptions(t *testing.T) { schematest.Run(t, Table(), "[]") }

func openDB(t testing.TB) *storage.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Host: "h"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// world is a node with mod_offline on host h.
type world struct {
	*moduletest.Node
	db    *storage.DB
	alice *moduletest.Session
}

func newWorld(t testing.TB, o Options) *world {
	t.Helper()
	w := &world{Node: moduletest.New(t), db: openDB(t)}
	(&Module{Options: o, Store: NewSQL(w.db, "h"), Log: w.Log, Now: w.Now}).Register(w.Host)
	w.alice = w.Open("alice@h/r", 0)
	return w
}

// fetch is what a session of bob's does that becomes able to receive.
func (w *world) fetch() (list []string) {
	for _, fn := range w.Host.Hooks.FetchOffline.All() {
		for _, p := range fn(w.Turn, jid.MustParse("bob@h")) {
			list = append(list, string(p.AppendTo(nil, stanza.Options{})))
		}
	}
	return list
}

// delay is what a stored message has at its end.
func delay(stamp string) string {
	return `<delay xmlns='urn:xmpp:delay' from='h' stamp='2015-10-21T` + stamp + `Z'>Offline Storage</delay></message>`
}

// Which messages are stored, and how they come back.
func TestKept(t *testing.T) {
	const (
		state  = `<active xmlns='http://jabber.org/protocol/chatstates'/>`
		bounce = `<error code='503' type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`
		told   = `<message from='bob@h' to='alice@h/r'><x xmlns='jabber:x:event'><id>1</id><offline/></x></message>`
	)
	tests := []struct {
		name, typ, body string
		to              string
		kept            string // content as it comes back; "-" if it is not stored
		answer          string
	}{
		{"chat", "chat", "<body>x</body>", "bob@h", "<body>x</body>", ""},
		{"normal", "normal", "<body>x</body>", "bob@h", "<body>x</body>", ""},
		{"no type", "", "<body>x</body>", "bob@h", "<body>x</body>", ""},
		{"unknown type", "strange", "<body>x</body>", "bob@h", "<body>x</body>", ""},
		{"to a resource", "chat", "<body>x</body>", "bob@h/gone", "<body>x</body>", ""},
		{"subject only", "chat", "<subject>x</subject>", "bob@h", "<subject>x</subject>", ""},
		{"empty", "chat", "", "bob@h", "", ""},
		{"chat state only", "chat", state, "bob@h", "-", state + bounce},
		{"chat state and text", "chat", state + "<body>x</body>", "bob@h", state + "<body>x</body>", ""},
		{"chat state and thread", "chat", state + "<thread>x</thread>", "bob@h", state + "<thread>x</thread>", ""},
		{"event", "chat", "<x xmlns='jabber:x:event'><id>7</id><delivered/></x>", "bob@h", "-", "<x xmlns='jabber:x:event'><id>7</id><delivered/></x>" + bounce},
		{"event with id and offline", "chat", "<x xmlns='jabber:x:event'><id/><offline/></x>", "bob@h", "-", "<x xmlns='jabber:x:event'><id/><offline/></x>" + bounce},
		{"event asked for", "chat", "<x xmlns='jabber:x:event'><offline/></x>", "bob@h", "<x xmlns='jabber:x:event'><offline/></x>", told},
		{"event of another kind", "chat", "<x xmlns='jabber:x:event'><composing/></x>", "bob@h", "<x xmlns='jabber:x:event'><composing/></x>", ""},
		{"groupchat", "groupchat", "<body>x</body>", "bob@h", "-", "<body>x</body>" + bounce},
		{"headline", "headline", "<body>x</body>", "bob@h", "-", "<body>x</body>" + bounce},
		{"error", "error", "<body>x</body>", "bob@h", "-", ""},
		{"no account", "chat", "<body>x</body>", "nobody@h", "-", "<body>x</body>" + bounce},
		{"own delay is not the sender's", "chat", "<delay xmlns='urn:xmpp:delay' stamp='2015-10-21T07:00:00Z'/><body>x</body>", "bob@h", "<body>x</body>", ""},
		{"old delay", "chat", "<body>x</body><x xmlns='jabber:x:delay' stamp='20151021T07:00:00'/>", "bob@h", "<body>x</body>", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			typ := ""
			if tt.typ != "" {
				typ = " type='" + tt.typ + "'"
			}
			head := "<message from='alice@h/r' to='" + tt.to + "'" + typ + " id='1'>"
			w.Send(head + tt.body + "</message>")
			stamp := "07:28:00.000000"
			if strings.Contains(tt.body, "urn:xmpp:delay") {
				stamp = "07:00:00.000000" // clients cannot set it: the sender's session removes it
			}
			var want, answer []string
			if tt.kept != "-" {
				want = []string{head + tt.kept + delay(stamp)}
			}
			if tt.answer == told {
				answer = []string{told}
			} else if tt.answer != "" {
				answer = []string{"<message from='" + tt.to + "' to='alice@h/r' type='error' id='1'>" + tt.answer}
			}
			moduletest.Same(t, "sender hears", w.alice.Take(), answer...)
			moduletest.Same(t, "fetched", w.fetch(), want...)
			moduletest.Same(t, "fetched again", w.fetch())
		})
	}
}

// Messages come back oldest first: by their stamp, and as they came for one stamp.
func TestOrder(t *testing.T) {
	w := newWorld(t, Options{})
	send := func(id, content string) {
		w.Send("<message from='alice@h/r' to='bob@h' id='" + id + "'>" + content + "</message>")
	}
	for i := range 12 {
		send(fmt.Sprint("a", i), "")
	}
	w.Advance(time.Second)
	send("b", "")
	send("early", "<delay xmlns='urn:xmpp:delay' stamp='2015-10-21T07:27:00.5Z'/>")
	send("no time", "<delay xmlns='urn:xmpp:delay' stamp='yesterday'/>")
	var ids []string
	for _, m := range w.fetch() {
		_, rest, _ := strings.Cut(m, " id='")
		id, _, _ := strings.Cut(rest, "'")
		ids = append(ids, id)
	}
	moduletest.Same(t, "order", ids, "early", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "a10", "a11", "b", "no time")
}

// How many messages may wait is the value of the access rule that the option names.
//
//option:mod_offline access_max_user_messages
func TestMaxMessages(t *testing.T) {
	tests := []struct {
		option string
		limit  int // -1: none
	}{
		{"max_user_offline_messages", 3}, {"zero", 0}, {"negative", 0}, {"any", -1}, {"word", -1}, {"undefined", -1},
	}
	for _, tt := range tests {
		t.Run(tt.option, func(t *testing.T) {
			w := newWorld(t, Options{MaxMessages: tt.option})
			w.Rules("max_user_offline_messages 1 alice 3 bob 2 all", "zero 0 all", "negative -4 all", "any infinity all", "word many all")
			n := tt.limit
			if n < 0 {
				n = 5
			}
			for range n {
				w.Send("<message from='alice@h/r' to='bob@h'/>")
			}
			moduletest.Same(t, "below the limit", w.alice.Take())
			w.Send("<message from='alice@h/r' to='bob@h' id='x'/>")
			var want []string
			if tt.limit >= 0 {
				want = []string{"<message from='bob@h' to='alice@h/r' type='error' id='x'>" + moduletest.Error("500", "wait", "resource-constraint",
					"Your contact offline message queue is full. The message has been discarded.") + "</message>"}
			} else {
				n++
			}
			moduletest.Same(t, "above the limit", w.alice.Take(), want...)
			if got := len(w.fetch()); got != n {
				t.Errorf("%d fetched, want %d", got, n)
			}
		})
	}
}

// The limit holds though many send at the same time.
func TestLimitUnderConcurrency(t *testing.T) {
	w := newWorld(t, Options{MaxMessages: "limit"})
	w.Rules("limit 10 all")
	var wg sync.WaitGroup
	for range 30 {
		wg.Add(1)
		p := w.Packet("<message from='alice@h/r' to='bob@h'/>")
		go func() {
			defer wg.Done()
			w.Route(session.NewTurn(t.Context()), p)
		}()
	}
	wg.Wait()
	if got := len(w.fetch()); got != 10 {
		t.Errorf("%d stored, want 10", got)
	}
	if got := len(w.alice.Take()); got != 20 {
		t.Errorf("%d refused, want 20", got)
	}
}

func TestExpiry(t *testing.T) {
	w := newWorld(t, Options{})
	for id, seconds := range map[string]string{
		"short": "1", "exact": "2", "long": "600000", "huge": "9999999999999", "too large": "99999999999999999999",
		"zero": "0", "negative": "-1", "word": "soon", "none": "",
	} {
		w.Send("<message from='alice@h/r' to='bob@h' id='" + id + "'><x xmlns='jabber:x:expire' seconds='" + seconds + "'/></message>")
	}
	w.Advance(2 * time.Second)
	got := strings.Join(w.fetch(), "")
	for id, kept := range map[string]bool{
		"short": false, "exact": false, "long": true, "huge": true, "too large": true, "zero": true, "negative": true, "word": true, "none": true,
	} {
		if strings.Contains(got, "id='"+id+"'") != kept {
			t.Errorf("%s: kept %v, want %v", id, !kept, kept)
		}
	}
	moduletest.Same(t, "afterwards", w.fetch())
}

// A store that fails refuses as one that is full does; what is stored stays when it
// cannot be read.
func TestStoreFails(t *testing.T) {
	n := moduletest.New(t)
	alice := n.Open("alice@h/r", 0)
	store := &failing{errors.New("disk on fire")}
	(&Module{Store: store, Log: n.Log, Now: n.Now}).Register(n.Host)
	n.Send("<message from='alice@h/r' to='bob@h'/>")
	moduletest.Same(t, "answer", alice.Take(), "<message from='bob@h' to='alice@h/r' type='error'>"+
		moduletest.Error("500", "wait", "resource-constraint", fullText)+"</message>")
	w := &world{Node: n}
	moduletest.Same(t, "fetched", w.fetch())
	for _, fn := range n.Host.Hooks.UserRemoved.All() {
		fn(n.Turn, jid.MustParse("bob@h"))
	}
	if got := n.Logged.FilterMessageSnippet("offline message").Len(); got != 3 {
		t.Errorf("%d failures logged, want 3", got)
	}
}

type failing struct{ err error }

func (f *failing) Put(context.Context, string, *Message, int) (bool, error) { return false, f.err }
func (f *failing) Take(context.Context, string, time.Time) ([]Message, error) {
	return nil, f.err
}
func (f *failing) DeleteAll(context.Context, string) error { return f.err }

// A session that becomes available while a message is being stored gets it.
func TestAvailableWhileStoring(t *testing.T) {
	w := newWorld(t, Options{})
	n := moduletest.New(t)
	slow := &slowStore{Store: NewSQL(w.db, "h")}
	(&Module{Store: slow, Log: n.Log, Now: n.Now}).Register(n.Host)
	var bob *moduletest.Session
	slow.before = func() { bob = n.Open("bob@h/r", 0) } // and has fetched nothing
	n.Send("<message from='alice@h/r' to='bob@h' id='1'/>")
	moduletest.Same(t, "bob sees", bob.Take(), "<message from='alice@h/r' to='bob@h' id='1'>"+delay("07:28:00.000000"))
	if left, err := slow.Take(t.Context(), "bob", n.Now()); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
	// A negative priority takes no messages.
	n.Sessions.Close(bob.Session)
	slow.before = func() { n.Open("bob@h/s", -1) }
	n.Send("<message from='alice@h/r' to='bob@h' id='2'/>")
	if left, err := slow.Take(t.Context(), "bob", n.Now()); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}

type slowStore struct {
	Store
	before func()
}

func (s *slowStore) Put(ctx context.Context, user string, m *Message, limit int) (bool, error) {
	s.before()
	return s.Store.Put(ctx, user, m, limit)
}

func TestUserRemoved(t *testing.T) {
	w := newWorld(t, Options{})
	w.Send("<message from='alice@h/r' to='bob@h'/>")
	if err := w.Host.RemoveUser(w.Turn, jid.MustParse("bob@h")); err != nil {
		t.Fatal(err)
	}
	moduletest.Same(t, "left", w.fetch())
}

func TestDisco(t *testing.T) {
	w := newWorld(t, Options{})
	for _, tt := range []struct {
		q        router.DiscoQuery
		found    bool
		features int
	}{
		{router.DiscoQuery{}, true, 1},
		{router.DiscoQuery{Table: router.AccountTable}, true, 1},
		{router.DiscoQuery{Node: feature}, true, 0},
		{router.DiscoQuery{Node: "other"}, false, 0},
		{router.DiscoQuery{Items: true}, false, 0},
	} {
		q := tt.q
		for _, fn := range w.Host.Hooks.Disco.All() {
			fn(w.Turn, &q)
		}
		if q.Found != tt.found || len(q.Features) != tt.features {
			t.Errorf("%+v gives found %v, features %v", tt.q, q.Found, q.Features)
		}
	}
}
