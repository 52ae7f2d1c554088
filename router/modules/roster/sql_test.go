package roster

import (
	"database/sql"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"meerkat/router/jid"
	"meerkat/router/storage"
)

var itemOptions = []cmp.Option{
	cmp.AllowUnexported(Item{}, jid.JID{}), cmpopts.EquateEmpty(),
	cmpopts.SortSlices(func(a, b Item) bool { return a.Contact.String() < b.Contact.String() }),
}

// all are entries in every state, with all that an entry can hold.
func all() (list []Item) {
	i := 0
	for _, s := range []Subscription{None, To, From, Both} {
		for _, a := range []Ask{AskNone, AskOut, AskIn, AskBoth} {
			list = append(list, Item{Contact: jid.MustParse(fmt.Sprintf("c%d@x", i)), state: state{s, a}})
			i++
		}
	}
	return append(list,
		Item{Contact: jid.MustParse("full@x/R"), Name: "Name ' \"", Groups: []string{"b", "a", "ü"}, Request: "please'"},
		Item{Contact: jid.MustParse("domain"), Name: "N"})
}

func TestSQLRoundTrip(t *testing.T) {
	db := openDB(t)
	s := NewSQL(db)
	want := all()
	for i := range want {
		if err := s.Put(t.Context(), "alice", &want[i]); err != nil {
			t.Fatal(err)
		}
	}
	other := Item{Contact: jid.MustParse("c0@x"), Name: "bob's"}
	if err := s.Put(t.Context(), "bob", &other); err != nil {
		t.Fatal(err)
	}
	check := func(what string) {
		t.Helper()
		// What the store remembers, and what a new one reads.
		for name, store := range map[string]*SQL{"cached": s, "read": NewSQL(db)} {
			got, err := store.Items(t.Context(), "alice")
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got, itemOptions...); d != "" {
				t.Errorf("%s, %s: %s", what, name, d)
			}
			bobs, err := store.Items(t.Context(), "bob")
			if err != nil || len(bobs) != 1 || bobs[0].Name != "bob's" {
				t.Errorf("%s, %s: bob has %+v, %v", what, name, bobs, err)
			}
		}
	}
	check("stored")
	want[16] = Item{Contact: want[16].Contact, state: both, Groups: []string{"only"}}
	if err := s.Put(t.Context(), "alice", &want[16]); err != nil {
		t.Fatal(err)
	}
	check("changed")
	if err := s.Delete(t.Context(), "alice", want[16].Contact); err != nil {
		t.Fatal(err)
	}
	want = append(want[:16:16], want[17:]...)
	check("deleted")
	empty := want[16]
	empty.Groups = []string{""}
	if err := s.Put(t.Context(), "alice", &empty); err != nil {
		t.Fatal(err)
	}
	if n := groupRows(t, db); n != 0 {
		t.Errorf("%d rows for an empty group", n)
	}
	check("with an empty group")
	if err := s.SetVersion(t.Context(), "alice", "v1"); err != nil {
		t.Fatal(err)
	}
	if err := s.SetVersion(t.Context(), "alice", "v2"); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Version(t.Context(), "alice"); v != "v2" || err != nil {
		t.Errorf("version %q, %v", v, err)
	}
	if v, err := s.Version(t.Context(), "bob"); v != "" || err != nil {
		t.Errorf("version %q, %v", v, err)
	}
	if err := s.DeleteAll(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	want = nil
	check("all deleted")
	if v, err := s.Version(t.Context(), "alice"); v != "" || err != nil {
		t.Errorf("version %q, %v", v, err)
	}
	if n := groupRows(t, db); n != 0 {
		t.Errorf("%d groups left", n)
	}
}

func groupRows(t *testing.T, db *storage.DB) (n int) {
	t.Helper()
	if _, err := db.Row(t.Context(), "SELECT COUNT(*) FROM rostergroups", nil, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Rows that MongooseIM and ejabberd wrote are read.
func TestForeignRows(t *testing.T) {
	db := openDB(t)
	insert := func(contact, sub, ask string) {
		t.Helper()
		if _, err := db.Exec(t.Context(), "INSERT INTO rosterusers (username, jid, nick, subscription, ask, askmessage, server, subscribe, type) VALUES ('alice', ?, 'n', ?, ?, 'm', 'N', '', 'item')",
			contact, sub, ask); err != nil {
			t.Fatal(err)
		}
	}
	insert("a@x", "B", "S")
	insert("b@x", "N", "U")
	insert("c@x", "T", "I")
	insert("@bad", "N", "N")
	if _, err := db.Exec(t.Context(), "INSERT INTO rostergroups (username, jid, grp) VALUES ('alice', 'a@x', 'g'), ('alice', 'gone@x', 'h'), ('alice', 'a@x', '')"); err != nil {
		t.Fatal(err)
	}
	got, err := NewSQL(db).Items(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	want := []Item{
		{Contact: jid.MustParse("a@x"), Name: "n", Request: "m", state: state{Both, AskOut}, Groups: []string{"g"}},
		{Contact: jid.MustParse("b@x"), Name: "n", Request: "m"},
		{Contact: jid.MustParse("c@x"), Name: "n", Request: "m", state: toIn},
	}
	if d := cmp.Diff(want, got, itemOptions...); d != "" {
		t.Error(d)
	}
}

// Without Exclusive others may write: nothing is remembered.
func TestNoCacheWithoutExclusive(t *testing.T) {
	if NewSQL(storage.New(storage.Config{Dialect: openDB(t).Dialect(), Writer: &sql.DB{}})).items != nil {
		t.Error("a shared database is cached")
	}
	if NewSQL(openDB(t)).items == nil {
		t.Error("an exclusive database is not cached")
	}
}

// Under concurrent writes and reads the cache ends up with what the database holds.
func TestCacheCoherence(t *testing.T) {
	db := openDB(t)
	s := NewSQL(db)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 30 {
				it := Item{Contact: jid.MustParse(fmt.Sprintf("c%d@x", (w+i)%5)), Name: fmt.Sprint(w, i)}
				var err error
				if i%4 == 3 {
					err = s.Delete(t.Context(), "alice", it.Contact)
				} else {
					err = s.Put(t.Context(), "alice", &it)
				}
				if err != nil {
					t.Error(err)
				}
				if _, err := s.Items(t.Context(), "alice"); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	cached, err := s.Items(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	read, err := NewSQL(db).Items(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(read, cached, itemOptions...); d != "" {
		t.Error(d)
	}
}

func BenchmarkPutIntoLargeRoster(b *testing.B) {
	s := NewSQL(openDB(b))
	it := Item{Groups: []string{"Friends", "Work"}}
	for i := range 500 {
		it.Contact = jid.MustParse(fmt.Sprintf("contact%d@example.org", i))
		if err := s.Put(b.Context(), "alice", &it); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Put(b.Context(), "alice", &it); err != nil {
			b.Fatal(err)
		}
	}
}
