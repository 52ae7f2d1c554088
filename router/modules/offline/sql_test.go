package offline

import (
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"meerkat/router/jid"
	"meerkat/router/stanza"
	"meerkat/router/storage"
)

func message1(t testing.TB, at time.Time, id string) *Message {
	t.Helper()
	st, _, _, err := stanza.ParseString("<message id='"+id+"' type='chat'><body>it's &lt;x&gt;</body></message>", nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Message{At: at, From: jid.MustParse("alice@h/r"), To: jid.MustParse("bob@h/x"), Stanza: st}
}

func TestSQLRoundTrip(t *testing.T) {
	db := openDB(t)
	s := NewSQL(db, "h")
	now := time.Date(2015, 10, 21, 7, 28, 0, 123456000, time.UTC)
	for i := range 3 {
		if ok, err := s.Put(t.Context(), "bob", message1(t, now.Add(time.Duration(-i)*time.Second), fmt.Sprint(i)), -1); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if ok, err := NewSQL(db, "other").Put(t.Context(), "bob", message1(t, now, "other host"), -1); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := s.Put(t.Context(), "bob", message1(t, now, "full"), 3); ok || err != nil {
		t.Errorf("stored beyond the limit: %v %v", ok, err)
	}
	got, err := NewSQL(db, "h").Take(t.Context(), "bob", now) // a store that remembers nothing
	if err != nil || len(got) != 3 {
		t.Fatalf("took %d, %v", len(got), err)
	}
	for i, m := range got {
		want := message1(t, now.Add(time.Duration(i-2)*time.Second), fmt.Sprint(2-i))
		if !m.At.Equal(want.At) || m.From != want.From || m.To != want.To || m.Stanza.ID != want.Stanza.ID || m.Stanza.Content() != want.Stanza.Content() {
			t.Errorf("message %d: %+v, want %+v", i, m, want)
		}
	}
	if left := rows(t, db); left != 1 {
		t.Errorf("%d rows left, want that of the other host", left)
	}
	if err := NewSQL(db, "other").DeleteAll(t.Context(), "bob"); err != nil || rows(t, db) != 0 {
		t.Errorf("%d rows left, %v", rows(t, db), err)
	}
}

func rows(t testing.TB, db *storage.DB) (n int) {
	t.Helper()
	if _, err := db.Row(t.Context(), "SELECT COUNT(*) FROM offline_message", nil, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Rows that hold no message do not keep the others from being delivered.
func TestForeignRows(t *testing.T) {
	db := openDB(t)
	for i, r := range [][2]string{
		{"alice@h/r", "<message to='bob@h'><body>good</body></message>"},
		{"@bad", "<message to='bob@h'/>"},
		{"alice@h", "<message to='@bad'/>"},
		{"alice@h", "<message to='bob@h'>"},
		{"alice@h", "<presence to='bob@h'/>"},
		{"alice@h", "<other/>"},
		{"alice@h", ""},
	} {
		if _, err := db.Exec(t.Context(), "INSERT INTO offline_message (timestamp, server, username, from_jid, packet) VALUES (?, 'h', 'bob', ?, ?)", i, r[0], r[1]); err != nil {
			t.Fatal(err)
		}
	}
	got, err := NewSQL(db, "h").Take(t.Context(), "bob", time.Now())
	if err != nil || len(got) != 1 || got[0].Stanza.Child("body").Text() != "good" {
		t.Errorf("took %+v, %v", got, err)
	}
	if n := rows(t, db); n != 0 {
		t.Errorf("%d rows left", n)
	}
}

func TestCache(t *testing.T) {
	if NewSQL(storage.New(storage.Config{Dialect: openDB(t).Dialect(), Writer: &sql.DB{}}), "h").waiting != nil {
		t.Error("a shared database is cached")
	}
	db := openDB(t)
	s := NewSQL(db, "h")
	now := time.Now()
	if got, err := s.Take(t.Context(), "bob", now); err != nil || got != nil {
		t.Fatal(got, err)
	}
	// The number is known now: a message that is stored must not be missed.
	if ok, err := s.Put(t.Context(), "bob", message1(t, now, "1"), -1); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if got, err := s.Take(t.Context(), "bob", now); err != nil || len(got) != 1 {
		t.Errorf("took %d, %v", len(got), err)
	}
	if n, ok := s.waiting.Get("bob"); n != 0 || !ok {
		t.Errorf("%d are thought to wait, %v", n, ok)
	}
}

// Whoever stores and takes at the same time loses nothing and gets nothing twice.
func TestPutAndTake(t *testing.T) {
	s := NewSQL(openDB(t), "h")
	const writers, each = 3, 40
	now := time.Now()
	var wg, readers sync.WaitGroup
	var mu sync.Mutex
	got := map[string]int{}
	take := func() {
		list, err := s.Take(t.Context(), "bob", now)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, m := range list {
			got[m.Stanza.ID]++
		}
	}
	done := make(chan struct{})
	for range 2 {
		readers.Add(1)
		go func() {
			defer readers.Done()
			for {
				select {
				case <-done:
					return
				default:
					take()
				}
			}
		}()
	}
	for w := range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range each {
				if ok, err := s.Put(t.Context(), "bob", message1(t, now, fmt.Sprint(w, i)), -1); !ok || err != nil {
					t.Error(ok, err)
				}
			}
		}()
	}
	wg.Wait()
	close(done)
	readers.Wait()
	take()
	if len(got) != writers*each {
		t.Errorf("%d of %d taken", len(got), writers*each)
	}
	for id, n := range got {
		if n != 1 {
			t.Errorf("%s taken %d times", id, n)
		}
	}
}
