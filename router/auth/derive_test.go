package auth

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

func newKeys(t testing.TB, d *Deriver, password string, hashes ...Hash) Credentials {
	t.Helper()
	k, err := d.New(context.Background(), password, hashes, 4096)
	if err != nil {
		t.Fatal(err)
	}
	return Credentials{Keys: k}
}

func TestDeriverCheck(t *testing.T) {
	d := NewDeriver(DeriverOptions{})
	for _, tt := range []struct {
		name     string
		c        Credentials
		password string
		want     bool
	}{
		{"plain", Credentials{Plain: "secret"}, "secret", true},
		{"plain, wrong", Credentials{Plain: "secret"}, "Secret", false},
		{"plain, empty", Credentials{Plain: "secret"}, "", false},
		{"plain is not prepared", Credentials{Plain: "IX"}, "\u2168", false},
		{"nothing stored", Credentials{}, "secret", false},
		{"nothing stored, empty", Credentials{}, "", false},
		{"keys", newKeys(t, d, "secret", SHA1), "secret", true},
		{"keys, wrong", newKeys(t, d, "secret", SHA1), "Secret", false},
		{"keys, empty", newKeys(t, d, "secret", SHA1), "", false},
		{"keys are of the prepared password", newKeys(t, d, "IX", SHA1), "\u2168", true},
		{"keys, unpreparable", newKeys(t, d, "secret", SHA1), "secret\x00", false},
		{"SHA-256", newKeys(t, d, "secret", SHA256), "secret", true},
		{"several", newKeys(t, d, "secret", SHA512, SHA1), "secret", true},
		{"keys beside a plain password", Credentials{Plain: "other", Keys: newKeys(t, d, "secret", SHA1).Keys}, "other", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 { // cold and warm
				got, err := d.Check(t.Context(), tt.c, tt.password)
				if got != tt.want || err != nil {
					t.Errorf("got %v, %v, want %v", got, err, tt.want)
				}
			}
		})
	}
}

// A warm check must not derive: it works although no derivation may start.
func TestVerifiedIsRemembered(t *testing.T) {
	d := NewDeriver(DeriverOptions{Concurrent: 1})
	old, new := newKeys(t, d, "old", SHA1), newKeys(t, d, "new", SHA1)
	if ok, err := d.Check(t.Context(), old, "old"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	d.slots <- struct{}{}
	defer func() { <-d.slots }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if ok, err := d.Check(ctx, old, "old"); !ok || err != nil {
		t.Errorf("the same again: %v, %v", ok, err)
	}
	for name, c := range map[string]Credentials{"wrong password": old, "changed keys": new} {
		password := "old"
		if name == "wrong password" {
			password = "other"
		}
		if ok, err := d.Check(ctx, c, password); ok || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, %v, want a derivation that cannot start", name, ok, err)
		}
	}
}

func TestDerivedKeys(t *testing.T) {
	d := NewDeriver(DeriverOptions{Concurrent: 1})
	first, err := d.Keys(t.Context(), "alice@h", "secret", SHA1)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Derive(SHA1, "secret", first.Salt, 4096)
	if err != nil || !bytes.Equal(first.Stored, want.Stored) || !bytes.Equal(first.Server, want.Server) || first.Iterations != 4096 || len(first.Salt) != 16 {
		t.Errorf("got %+v, want %+v (%v)", first, want, err)
	}
	for name, k := range map[string]func() (Keys, error){
		"another account":  func() (Keys, error) { return d.Keys(t.Context(), "bob@h", "secret", SHA1) },
		"another hash":     func() (Keys, error) { return d.Keys(t.Context(), "alice@h", "secret", SHA256) },
		"another process":  func() (Keys, error) { return NewDeriver(DeriverOptions{}).Keys(t.Context(), "alice@h", "secret", SHA1) },
		"another password": func() (Keys, error) { return d.Keys(t.Context(), "alice@h", "other", SHA1) },
	} {
		other, err := k()
		if err != nil {
			t.Fatal(err)
		}
		if same := bytes.Equal(other.Salt, first.Salt); same != (name == "another password") || bytes.Equal(other.Stored, first.Stored) {
			t.Errorf("%s: salt equal %v, keys %x", name, same, other.Stored)
		}
	}
	d.slots <- struct{}{}
	defer func() { <-d.slots }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if again, err := d.Keys(ctx, "alice@h", "secret", SHA1); err != nil || !bytes.Equal(again.Stored, first.Stored) {
		t.Errorf("the same again was derived again: %v", err)
	}
	if _, err := d.Keys(ctx, "alice@h", "changed", SHA1); !errors.Is(err, context.Canceled) {
		t.Errorf("a changed password found %v", err)
	}
	if _, err := d.Keys(t.Context(), "alice@h", "\x01", SHA1); !errors.Is(err, ErrInvalidPassword) {
		t.Errorf("a password that cannot be prepared: %v", err)
	}
}

func TestDerivationsAreBounded(t *testing.T) {
	d := NewDeriver(DeriverOptions{Concurrent: 2})
	c := newKeys(t, d, "secret", SHA1)
	var most atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 3 {
				if ok, err := d.Check(t.Context(), c, "wrong"); ok || err != nil {
					t.Error(ok, err)
				}
				most.Store(max(most.Load(), int64(len(d.slots))))
			}
		})
	}
	wg.Wait()
	if most.Load() > 2 || cap(d.slots) != 2 || len(d.slots) != 0 {
		t.Errorf("%d at a time, %d left", most.Load(), len(d.slots))
	}
}

func TestNewSalts(t *testing.T) {
	d := NewDeriver(DeriverOptions{})
	a, b := newKeys(t, d, "secret", SHA1, SHA256), newKeys(t, d, "secret", SHA1)
	if len(a.Keys) != 2 || a.Keys[1].Hash != SHA256 || bytes.Equal(a.Keys[0].Salt, b.Keys[0].Salt) || bytes.Equal(a.Keys[0].Salt, a.Keys[1].Salt) || len(b.Keys[0].Salt) != 16 {
		t.Errorf("%+v\n%+v", a, b)
	}
	if _, err := d.New(t.Context(), "\x01", []Hash{SHA1}, 4096); !errors.Is(err, ErrInvalidPassword) {
		t.Error(err)
	}
}

func TestEqual(t *testing.T) {
	d := NewDeriver(DeriverOptions{})
	for _, tt := range []struct {
		a, b string
		want bool
	}{{"", "", true}, {"a", "a", true}, {"a", "b", false}, {"a", "aa", false}, {"", "a", false}} {
		if got := d.Equal(tt.a, tt.b); got != tt.want {
			t.Errorf("Equal(%q, %q) = %v", tt.a, tt.b, got)
		}
	}
}

func BenchmarkCheckWarm(b *testing.B) {
	d := NewDeriver(DeriverOptions{})
	c := newKeys(b, d, "secret", SHA1)
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := d.Check(context.Background(), c, "secret"); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func BenchmarkCheckCold(b *testing.B) {
	d := NewDeriver(DeriverOptions{})
	c := newKeys(b, d, "secret", SHA1)
	for b.Loop() {
		if ok, err := d.Check(context.Background(), c, "wrong"); ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func BenchmarkKeysWarm(b *testing.B) {
	d := NewDeriver(DeriverOptions{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Keys(context.Background(), "alice@h", "secret", SHA1); err != nil {
			b.Fatal(err)
		}
	}
}
