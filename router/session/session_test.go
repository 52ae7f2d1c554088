package session

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"meerkat/router/jid"
	"meerkat/router/storage"
)

func must(t testing.TB, s string) jid.JID {
	t.Helper()
	j, err := jid.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func open(t testing.TB, r *Registry, full string, limit int) (*Session, []*Session) {
	s := New(r.NextID("n", 1), must(t, full), Info{}, nil)
	return s, r.Open(s, limit)
}

func TestSameResourceIsReplaced(t *testing.T) {
	r := NewRegistry()
	first, _ := open(t, r, "a@h/r", 0)
	second, replaced := open(t, r, "a@h/r", 0)
	if len(replaced) != 1 || replaced[0] != first {
		t.Fatalf("replaced %v, want the first", replaced)
	}
	if r.Close(first) {
		t.Error("closing the replaced session found it")
	}
	if got := r.Find(must(t, "a@h/r")); got != second {
		t.Errorf("found %p, want the second", got)
	}
	if !r.Close(second) || r.Count() != 0 || r.User(must(t, "a@h")) != nil {
		t.Errorf("%d sessions left", r.Count())
	}
}

func TestOldestGoesBeyondTheLimit(t *testing.T) {
	r := NewRegistry()
	one, _ := open(t, r, "a@h/1", 2)
	open(t, r, "a@h/2", 2)
	_, replaced := open(t, r, "a@h/3", 2)
	if len(replaced) != 1 || replaced[0] != one {
		t.Fatalf("replaced %v, want the oldest", replaced)
	}
	if n := len(r.User(must(t, "a@h/any"))); n != 2 {
		t.Errorf("%d sessions, want 2", n)
	}
	if _, replaced := open(t, r, "b@h/1", 2); replaced != nil {
		t.Errorf("another account's session replaced %v", replaced)
	}
}

func TestPriority(t *testing.T) {
	s := New(ID{}, must(t, "a@h/r"), Info{}, nil)
	for _, p := range []int{0, -128, 127, -1 << 31, 1<<31 - 1} {
		s.SetPriority(p)
		if got, ok := s.Priority(); !ok || got != p {
			t.Errorf("got %d %v, want %d", got, ok, p)
		}
	}
	s.UnsetPriority()
	if _, ok := s.Priority(); ok {
		t.Error("available without presence")
	}
}

func TestIDsGrowWhenTheClockStandsStill(t *testing.T) {
	r := NewRegistry()
	last := ID{}
	for _, now := range []int64{5, 5, 3, 9, 8} {
		id := r.NextID("n", now)
		if id.Compare(last) <= 0 {
			t.Errorf("%v is not after %v", id, last)
		}
		last = id
	}
}

// TestRegistryModel compares the registry with a plain list.
func TestRegistryModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := NewRegistry()
		var model []*Session
		rt.Repeat(map[string]func(*rapid.T){
			"open": func(rt *rapid.T) {
				full := fmt.Sprintf("u%d@h/r%d", rapid.IntRange(0, 2).Draw(rt, "user"), rapid.IntRange(0, 3).Draw(rt, "resource"))
				limit := rapid.IntRange(0, 3).Draw(rt, "limit")
				s, replaced := open(t, r, full, limit)
				var want []*Session
				model = slices.DeleteFunc(model, func(o *Session) bool {
					if o.JID == s.JID {
						want = append(want, o)
						return true
					}
					return false
				})
				model = append(model, s)
				own := func(o *Session) bool { return o.JID.Bare() == s.JID.Bare() }
				for n := count(model, own); limit > 0 && n > limit; n-- {
					i := slices.IndexFunc(model, own)
					want = append(want, model[i])
					model = slices.Delete(model, i, i+1)
				}
				if !slices.Equal(replaced, want) {
					rt.Fatalf("replaced %v, want %v", replaced, want)
				}
			},
			"close": func(rt *rapid.T) {
				if len(model) == 0 {
					rt.Skip("none open")
				}
				i := rapid.IntRange(0, len(model)-1).Draw(rt, "which")
				if !r.Close(model[i]) || r.Close(model[i]) {
					rt.Fatal("a session closes once")
				}
				model = slices.Delete(model, i, i+1)
			},
			"": func(rt *rapid.T) {
				if r.Count() != len(model) {
					rt.Fatalf("count %d, want %d", r.Count(), len(model))
				}
				all := map[*Session]bool{}
				for s := range r.All {
					all[s] = true
				}
				for _, s := range model {
					if !all[s] || r.Find(s.JID) != s {
						rt.Fatalf("%s is not found", s.JID)
					}
				}
			},
		})
	})
}

func count(list []*Session, is func(*Session) bool) (n int) {
	for _, s := range list {
		if is(s) {
			n++
		}
	}
	return n
}

func TestRegistryConcurrent(t *testing.T) {
	r := NewRegistry()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				s, replaced := open(t, r, fmt.Sprintf("u%d@h/r%d", i%3, g%2), 2)
				for _, o := range replaced {
					if r.Close(o) {
						t.Error("a replaced session was still there")
					}
				}
				r.User(s.JID)
				if i%2 == 0 {
					r.Close(s)
				}
			}
		})
	}
	wg.Wait()
	n := 0
	for range r.All {
		n++
	}
	if n != r.Count() {
		t.Errorf("count %d, but %d sessions", r.Count(), n)
	}
}

type flusher struct {
	n    int
	then func(t *Turn)
}

func (f *flusher) Flush(t *Turn) {
	f.n++
	if f.then != nil {
		f.then(t)
	}
}

func TestTurnFlushes(t *testing.T) {
	turn := NewTurn(context.Background())
	a, b, c, d := &flusher{}, &flusher{}, &flusher{}, &flusher{}
	a.then = func(t *Turn) { t.Mark(c) } // a flush may lead to more
	b.then = func(t *Turn) {             // and may flush again, and to more after that
		t.Flush()
		t.Mark(d)
	}
	turn.Mark(a)
	turn.Mark(a)
	turn.Mark(b)
	ctx, cancel := context.WithCancel(turn)
	defer cancel()
	ctx.Value(storage.BeforeWait{}).(func())() // from whatever context is derived
	for i, f := range []*flusher{a, b, c, d} {
		if f.n != 1 {
			t.Errorf("flusher %d was flushed %d times, want once", i, f.n)
		}
	}
	turn.Flush()
	if a.n != 1 {
		t.Error("flushed again without mark")
	}
}

func BenchmarkFind(b *testing.B) {
	r := NewRegistry()
	var names []jid.JID
	for i := range 10_000 {
		s, _ := open(b, r, fmt.Sprintf("user%d@localhost/r", i), 10)
		names = append(names, s.JID)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if r.Find(names[i%len(names)]) == nil {
			b.Fatal("not found")
		}
	}
}
