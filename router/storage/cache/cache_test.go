package cache

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

func fetch(v string) func() (string, int, error) {
	return func() (string, int, error) { return v, len(v), nil }
}

func TestNoBound(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a cache without bounds was made")
		}
	}()
	New[string, string](0, 0)
}

func TestLeastRecentlyUsedGoes(t *testing.T) {
	c := New[string, string](3, 0)
	for _, k := range []string{"a", "b", "c"} {
		c.Put(k, k, 1)
	}
	c.Get("a")
	c.Put("b", "B", 1)
	c.Put("d", "d", 1)
	for k, want := range map[string]string{"a": "a", "b": "B", "d": "d"} {
		if got, ok := c.Get(k); !ok || got != want {
			t.Errorf("%s = %q, %v", k, got, ok)
		}
	}
	if _, ok := c.Get("c"); ok {
		t.Error("the oldest is still there")
	}
}

func TestBytes(t *testing.T) {
	c := New[string, string](0, 1000)
	for i := range 20 {
		c.Put(strconv.Itoa(i), "", 104)
	}
	if n, bytes, _, _ := c.Stats(); n != 5 || bytes != 1000 {
		t.Errorf("%d entries, %d bytes, want 5 and 1000", n, bytes)
	}
	c.Put("19", "", 4) // smaller now
	if n, bytes, _, _ := c.Stats(); n != 5 || bytes != 900 {
		t.Errorf("%d entries, %d bytes, want 5 and 900", n, bytes)
	}
	c.Put("19", "", 2000)
	if _, ok := c.Get("19"); ok {
		t.Error("an entry larger than the cache was kept")
	}
	if n, bytes, _, _ := c.Stats(); n != 4 || bytes != 800 {
		t.Errorf("%d entries, %d bytes, want 4 and 800", n, bytes)
	}
	c.Clear()
	if n, bytes, _, _ := c.Stats(); n != 0 || bytes != 0 {
		t.Errorf("%d entries, %d bytes after Clear", n, bytes)
	}
}

func TestFetch(t *testing.T) {
	c := New[string, string](10, 0)
	for _, want := range []string{"1", "1"} {
		got, err := c.Fetch("k", fetch(want))
		if got != "1" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
	fail := errors.New("away")
	if _, err := c.Fetch("bad", func() (string, int, error) { return "x", 1, fail }); err != fail {
		t.Errorf("error %v", err)
	}
	if got, err := c.Fetch("big", func() (string, int, error) { return "x", -1, nil }); got != "x" || err != nil {
		t.Errorf("not to keep: %q, %v", got, err)
	}
	for _, k := range []string{"bad", "big"} {
		if _, ok := c.Get(k); ok {
			t.Errorf("%s was kept", k)
		}
	}
}

// The races that would leave an old value behind.
func TestStale(t *testing.T) {
	write := func(t *testing.T, c *LRU[string, string], v string) {
		t.Helper()
		if err := c.Write("k", fetch(v)); err != nil {
			t.Fatal(err)
		}
	}
	get := func(t *testing.T, c *LRU[string, string], want string) {
		t.Helper()
		if got, ok := c.Get("k"); got != want || ok != (want != "") {
			t.Errorf("cached %q, %v, want %q", got, ok, want)
		}
	}
	t.Run("write", func(t *testing.T) {
		c := New[string, string](10, 0)
		write(t, c, "1")
		get(t, c, "1")
		write(t, c, "2")
		get(t, c, "2")
		c.Delete("k")
		get(t, c, "")
	})
	t.Run("write while a reader reads", func(t *testing.T) {
		c := New[string, string](10, 0)
		_, _ = c.Fetch("k", func() (string, int, error) { write(t, c, "new"); return "old", 3, nil })
		get(t, c, "new")
	})
	t.Run("delete and clear while a reader reads", func(t *testing.T) {
		c := New[string, string](10, 0)
		_, _ = c.Fetch("k", func() (string, int, error) { c.Delete("k"); return "old", 3, nil })
		get(t, c, "")
		_, _ = c.Fetch("k", func() (string, int, error) { c.Clear(); return "old", 3, nil })
		get(t, c, "")
	})
	t.Run("reader reads while a writer writes", func(t *testing.T) {
		c := New[string, string](10, 0)
		_ = c.Write("k", func() (string, int, error) {
			// before the database has the new value
			_, _ = c.Fetch("k", fetch("old"))
			return "new", 3, nil
		})
		get(t, c, "new")
	})
	t.Run("reader begins inside the write and ends after it", func(t *testing.T) {
		c := New[string, string](10, 0)
		inside, after := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		_ = c.Write("k", func() (string, int, error) {
			wg.Go(func() {
				_, _ = c.Fetch("k", func() (string, int, error) { close(inside); <-after; return "old", 3, nil })
			})
			<-inside
			return "new", 3, nil
		})
		close(after)
		wg.Wait()
		get(t, c, "new")
	})
	t.Run("two writers", func(t *testing.T) {
		c := New[string, string](10, 0)
		_ = c.Write("k", func() (string, int, error) {
			write(t, c, "other") // nobody knows whose is the last in the database
			return "mine", 4, nil
		})
		get(t, c, "")
	})
	t.Run("failed write", func(t *testing.T) {
		c := New[string, string](10, 0)
		write(t, c, "1")
		fail := errors.New("away")
		if err := c.Write("k", func() (string, int, error) { return "2", 1, fail }); err != fail {
			t.Error(err)
		}
		get(t, c, "")
	})
	t.Run("write that panics", func(t *testing.T) {
		c := New[string, string](10, 0)
		write(t, c, "1")
		func() {
			defer func() { _ = recover() }()
			_ = c.Write("k", func() (string, int, error) { panic("oops") })
		}()
		get(t, c, "")
	})
}

func TestNil(t *testing.T) {
	var c *LRU[string, string]
	c.Put("k", "v", 1)
	c.Delete("k")
	c.Clear()
	if _, ok := c.Get("k"); ok {
		t.Error("a nil cache has something")
	}
	if v, err := c.Fetch("k", fetch("x")); v != "x" || err != nil {
		t.Error(v, err)
	}
	ran := false
	if err := c.Write("k", func() (string, int, error) { ran = true; return "", 0, nil }); err != nil || !ran {
		t.Error(err, ran)
	}
}

// The cache agrees with a slice that is searched.
func TestModel(t *testing.T) {
	type pair struct {
		k string
		v int
	}
	rapid.Check(t, func(t *rapid.T) {
		bound := rapid.IntRange(1, 5).Draw(t, "bound")
		c := New[string, int](bound, 0)
		var model []pair // newest first
		find := func(k string) int {
			for i, p := range model {
				if p.k == k {
					return i
				}
			}
			return -1
		}
		front := func(p pair) {
			if i := find(p.k); i >= 0 {
				model = append(model[:i], model[i+1:]...)
			}
			model = append([]pair{p}, model...)
			model = model[:min(len(model), bound)]
		}
		key := rapid.StringMatching("[a-h]")
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				p := pair{key.Draw(t, "k"), rapid.Int().Draw(t, "v")}
				c.Put(p.k, p.v, 0)
				front(p)
			},
			"write": func(t *rapid.T) {
				p := pair{key.Draw(t, "k"), rapid.Int().Draw(t, "v")}
				_ = c.Write(p.k, func() (int, int, error) { return p.v, 0, nil })
				front(p)
			},
			"get": func(t *rapid.T) {
				k := key.Draw(t, "k")
				got, ok := c.Get(k)
				i := find(k)
				if ok != (i >= 0) || ok && got != model[i].v {
					t.Fatalf("get %s: %d, %v; model %v", k, got, ok, model)
				}
				if ok {
					front(model[i])
				}
			},
			"delete": func(t *rapid.T) {
				k := key.Draw(t, "k")
				c.Delete(k)
				if i := find(k); i >= 0 {
					model = append(model[:i], model[i+1:]...)
				}
			},
			"": func(t *rapid.T) {
				if n, bytes, _, _ := c.Stats(); n != len(model) || bytes != n*overhead {
					t.Fatalf("%d entries, %d bytes; model has %d", n, bytes, len(model))
				}
			},
		})
	})
}

// Readers and writers at once: a reader never gets a value older than the last
// write that ended before it began.
func TestNeverOlderThanTheLastWrite(t *testing.T) {
	c := New[string, int64](2, 0) // small: entries come and go
	var db [4]atomic.Int64
	var ended [4]atomic.Int64
	var wg sync.WaitGroup
	for k := range db {
		key := strconv.Itoa(k)
		wg.Go(func() { // one writer a key: values grow
			for v := int64(1); v <= 2000; v++ {
				_ = c.Write(key, func() (int64, int, error) { db[k].Store(v); return v, 0, nil })
				ended[k].Store(v)
			}
		})
		wg.Go(func() {
			for range 4000 {
				least := ended[k].Load()
				got, _ := c.Fetch(key, func() (int64, int, error) { return db[k].Load(), 0, nil })
				if got < least {
					t.Errorf("key %d: read %d after %d was written", k, got, least)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkHit(b *testing.B) {
	c := New[string, int](20000, 0)
	keys := make([]string, 20000)
	for i := range keys {
		keys[i] = fmt.Sprintf("user%d@%s", i, strings.Repeat("x", 10))
		c.Put(keys[i], i, 0)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, ok := c.Get(keys[i*7919%len(keys)]); !ok {
			b.Fatal("miss")
		}
		i++
	}
}

func BenchmarkHitParallel(b *testing.B) {
	c := New[string, int](20000, 0)
	keys := make([]string, 20000)
	for i := range keys {
		keys[i] = fmt.Sprintf("user%d@example.org", i)
		c.Put(keys[i], i, 0)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			c.Get(keys[i*7919%len(keys)])
		}
	})
}

func BenchmarkPut(b *testing.B) {
	c := New[int, int](10000, 0)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c.Put(i, i, 0)
		i++
	}
}
