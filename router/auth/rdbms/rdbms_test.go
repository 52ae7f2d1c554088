package rdbms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"meerkat/router/auth"
	"meerkat/router/storage"
	"meerkat/router/storage/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openTest(tb testing.TB, shared bool) *storage.DB {
	tb.Helper()
	db, err := sqlite.Open(tb.Context(), sqlite.Options{Dir: tb.TempDir(), Host: "h", Shared: shared})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}

// quick are options with cheap derivations.
func quick(format auth.Store) Options {
	return Options{Name: "internal", Format: format, Iterations: 2}
}

// row shows what the table holds.
func row(t *testing.T, db *storage.DB, user string) string {
	t.Helper()
	var password string
	var details *string
	found, err := db.Row(t.Context(), "SELECT password, pass_details FROM users WHERE username = ?", []any{user}, &password, &details)
	switch {
	case err != nil:
		t.Fatal(err)
	case !found:
		return "none"
	case details == nil:
		return password
	}
	_, count, _ := strings.Cut(*details, "==,")
	return fmt.Sprintf("%s|%s…%d", password, strings.SplitAfter(*details, "==,")[0], strings.Count(count, ",")+1)
}

func check(t *testing.T, m *Method, user, password string, want bool) {
	t.Helper()
	for range 2 { // cold and warm
		if got, err := m.Check(t.Context(), user, password); got != want || err != nil {
			t.Errorf("check %s with %q: %v, %v, want %v", user, password, got, err, want)
		}
	}
}

func TestRows(t *testing.T) {
	both := []auth.Hash{auth.SHA1, auth.SHA256}
	for _, tt := range []struct {
		name   string
		o      Options
		shared bool
		want   string
	}{
		{"plain", quick(auth.StorePlain), false, "pw"},
		{"plain, shared", quick(auth.StorePlain), true, "pw"},
		{"scram", quick(auth.StoreSCRAM), false, "|==SCRAM==,…4"},
		{"scram, shared", quick(auth.StoreSCRAM), true, "|==SCRAM==,…4"},
		{"two hashes", Options{Format: auth.StoreSCRAM, Hashes: both, Iterations: 2}, false, "|==MULTI_SCRAM==,…3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := openTest(t, tt.shared)
			m := New(db, auth.NewDeriver(auth.DeriverOptions{}), tt.o)
			ctx := t.Context()
			check(t, m, "alice", "pw", false)
			if err := m.Register(ctx, "alice", "pw"); err != nil {
				t.Fatal(err)
			}
			if got := row(t, db, "alice"); got != tt.want {
				t.Errorf("row %s, want %s", got, tt.want)
			}
			check(t, m, "alice", "pw", true)
			check(t, m, "alice", "Pw", false)
			check(t, m, "alice", "", false)
			if err := m.Register(ctx, "alice", "other"); !errors.Is(err, auth.ErrExists) {
				t.Errorf("registered twice: %v", err)
			}
			check(t, m, "alice", "pw", true)
			if err := m.SetPassword(ctx, "alice", "new"); err != nil {
				t.Fatal(err)
			}
			check(t, m, "alice", "pw", false)
			check(t, m, "alice", "new", true)
			if err := m.SetPassword(ctx, "made", "x"); err != nil {
				t.Errorf("set the password of nobody: %v", err)
			}
			for user, want := range map[string]bool{"alice": true, "made": true, "eve": false} {
				if got, err := m.Exists(ctx, user); got != want || err != nil {
					t.Errorf("%s exists: %v, %v", user, got, err)
				}
			}
			if err := m.RemoveChecked(ctx, "alice", "pw"); !errors.Is(err, auth.ErrNotAuthorized) {
				t.Errorf("removed with the old password: %v", err)
			}
			if err := m.RemoveChecked(ctx, "eve", "pw"); !errors.Is(err, auth.ErrNotFound) {
				t.Errorf("removed nobody: %v", err)
			}
			if err := m.RemoveChecked(ctx, "alice", "new"); err != nil {
				t.Errorf("remove: %v", err)
			}
			if err := m.Remove(ctx, "made"); err != nil {
				t.Errorf("remove: %v", err)
			}
			if err := m.Remove(ctx, "made"); err != nil {
				t.Errorf("remove again: %v", err)
			}
			for _, user := range []string{"alice", "made"} {
				check(t, m, user, "new", false)
				if ok, err := m.Exists(ctx, user); ok || err != nil || row(t, db, user) != "none" {
					t.Errorf("%s is still there: %v, %v", user, ok, err)
				}
			}
		})
	}
}

func TestMustExist(t *testing.T) {
	db := openTest(t, false)
	o := quick(auth.StoreSCRAM)
	o.MustExist = true
	m := New(db, auth.NewDeriver(auth.DeriverOptions{}), o)
	if err := m.SetPassword(t.Context(), "nobody", "pw"); !errors.Is(err, auth.ErrNotAllowed) {
		t.Errorf("got %v, want ErrNotAllowed", err)
	}
	if ok, _ := m.Exists(t.Context(), "nobody"); ok || row(t, db, "nobody") != "none" {
		t.Error("an account was made")
	}
	if err := m.Register(t.Context(), "alice", "pw"); err != nil {
		t.Fatal(err)
	}
	if err := m.SetPassword(t.Context(), "alice", "new"); err != nil {
		t.Fatal(err)
	}
	check(t, m, "alice", "new", true)
	o.Format = auth.StorePlain
	if err := New(db, auth.NewDeriver(auth.DeriverOptions{}), o).SetPassword(t.Context(), "plain", "pw"); err != nil || row(t, db, "plain") != "pw" {
		t.Errorf("with plain passwords: %v", err)
	}
}

func TestPasswordsThatScramCannotStore(t *testing.T) {
	m := New(openTest(t, false), auth.NewDeriver(auth.DeriverOptions{}), quick(auth.StoreSCRAM))
	for _, err := range []error{m.Register(t.Context(), "alice", "\x01"), m.SetPassword(t.Context(), "alice", "\x01")} {
		if !errors.Is(err, auth.ErrInvalidPassword) {
			t.Errorf("got %v, want ErrInvalidPassword", err)
		}
	}
	p := New(openTest(t, false), auth.NewDeriver(auth.DeriverOptions{}), quick(auth.StorePlain))
	if err := p.Register(t.Context(), "alice", "\x01"); err != nil {
		t.Error(err)
	}
	check(t, p, "alice", "\x01", true)
}

// Rows as MongooseIM 2.0.1 and 3.7 wrote them, with the options of either kind.
func TestStoredRows(t *testing.T) {
	const record = "==SCRAM==,7t9ns6+svXPvoSbQOAtiGTb1v8Q=,Rk/nNRuTFdbhyJoazgEtV6eUNWo=,AQIDBAUGBwgJCgsMDQ4PEA==,4096" // kate-secret
	const multi = "==MULTI_SCRAM==,4096,===SHA1===AQIDBAUGBwgJCgsMDQ4PEA==|7t9ns6+svXPvoSbQOAtiGTb1v8Q=|Rk/nNRuTFdbhyJoazgEtV6eUNWo="
	for _, format := range []auth.Store{auth.StorePlain, auth.StoreSCRAM} {
		t.Run(format.String(), func(t *testing.T) {
			db := openTest(t, false)
			for user, values := range map[string][2]any{
				"plain":     {"kate-secret", nil},
				"scram":     {"", record},
				"multi":     {"", multi},
				"both":      {"old-plain", record},
				"broken":    {"kate-secret", "==SCRAM==,x"},
				"empty":     {"", nil},
				"new 'pw'":  {`new 'pw' "x" \ ü`, nil},
				"no-detail": {"kate-secret", ""},
			} {
				if _, err := db.Exec(t.Context(), insertUser, user, values[0], values[1]); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := db.Exec(t.Context(), insertUser, "", "", record); err != nil { // 2.0.1's row without a name
				t.Fatal(err)
			}
			m := New(db, auth.NewDeriver(auth.DeriverOptions{}), quick(format))
			for _, user := range []string{"plain", "scram", "multi", "both", "no-detail"} {
				check(t, m, user, "kate-secret", true)
				check(t, m, user, "wrong", false)
			}
			check(t, m, "both", "old-plain", false)
			check(t, m, "broken", "kate-secret", false)
			check(t, m, "broken", "==SCRAM==,x", false)
			check(t, m, "empty", "", false)
			check(t, m, "new 'pw'", `new 'pw' "x" \ ü`, true)
			if ok, err := m.Exists(t.Context(), "broken"); !ok || err != nil {
				t.Errorf("the account with a broken record: %v, %v", ok, err)
			}
			users, err := m.Users(t.Context(), "", 0, 0)
			if err != nil || strings.Join(users, ",") != "both,broken,empty,multi,new 'pw',no-detail,plain,scram" {
				t.Errorf("users %q, %v", users, err)
			}
			// A new plain password ends the old SCRAM one.
			if err := m.SetPassword(t.Context(), "scram", "changed"); err != nil {
				t.Fatal(err)
			}
			check(t, m, "scram", "kate-secret", false)
			check(t, m, "scram", "changed", true)
		})
	}
}

func TestUsers(t *testing.T) {
	m := New(openTest(t, false), auth.NewDeriver(auth.DeriverOptions{}), quick(auth.StorePlain))
	for _, u := range []string{"bob", "alice", "al_1", "alx1", "żółw", "al%", "al!"} {
		if err := m.Register(t.Context(), u, "pw"); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		prefix        string
		offset, limit int
		want          string
		count         int
	}{
		{"", 0, 0, "al! al% al_1 alice alx1 bob żółw", 7},
		{"al", 1, 2, "al% al_1", 5},
		{"al_", 0, 0, "al_1", 1},
		{"al%", 0, 0, "al%", 1},
		{"al!", 0, 0, "al!", 1},
		{"ż", 0, 5, "żółw", 1},
		{"", 7, 0, "", 7},
		{"none", 0, 0, "", 0},
	} {
		got, err := m.Users(t.Context(), tt.prefix, tt.offset, tt.limit)
		if strings.Join(got, " ") != tt.want || err != nil {
			t.Errorf("%+v: %v, %v", tt, got, err)
		}
		if n, err := m.Count(t.Context(), tt.prefix); n != tt.count || err != nil {
			t.Errorf("%+v: counted %d, %v", tt, n, err)
		}
	}
}

// A database that several processes write is asked each time.
func TestSharedDatabaseIsNotCached(t *testing.T) {
	db := openTest(t, true)
	derive := auth.NewDeriver(auth.DeriverOptions{})
	a, b := New(db, derive, quick(auth.StoreSCRAM)), New(db, derive, quick(auth.StoreSCRAM))
	for i := range 3 {
		password := fmt.Sprint("pw", i)
		if err := b.SetPassword(t.Context(), "alice", password); err != nil {
			t.Fatal(err)
		}
		check(t, a, "alice", password, true)
		check(t, a, "alice", fmt.Sprint("pw", i-1), false)
	}
	if err := b.Remove(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	check(t, a, "alice", "pw2", false)
}

func TestCacheServes(t *testing.T) {
	db := openTest(t, false)
	m := New(db, auth.NewDeriver(auth.DeriverOptions{}), quick(auth.StoreSCRAM))
	if err := m.Register(t.Context(), "alice", "pw"); err != nil {
		t.Fatal(err)
	}
	check(t, m, "alice", "pw", true)
	if ok, err := m.Exists(t.Context(), "nobody"); ok || err != nil {
		t.Fatal(ok, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the database cannot be asked any more
	if ok, err := m.Check(ctx, "alice", "pw"); !ok || err != nil {
		t.Errorf("check: %v, %v", ok, err)
	}
	for user, want := range map[string]bool{"alice": true, "nobody": false} {
		if ok, err := m.Exists(ctx, user); ok != want || err != nil {
			t.Errorf("%s exists: %v, %v", user, ok, err)
		}
	}
	if _, err := m.Exists(ctx, "other"); !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "look up other: sqlite h: ") {
		t.Errorf("not cached: %v", err)
	}
	if _, err := m.Check(ctx, "other", "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("not cached: %v", err)
	}
	for name, err := range map[string]error{
		"register":     m.Register(ctx, "x", "y"),
		"set password": m.SetPassword(ctx, "x", "y"),
		"remove":       m.Remove(ctx, "x"),
	} {
		if err == nil {
			t.Errorf("%s did not fail", name)
		}
	}
	if _, err := m.Users(ctx, "", 0, 0); err == nil {
		t.Error("users were listed")
	}
	if _, err := m.Count(ctx, ""); err == nil {
		t.Error("users were counted")
	}
}

// From plain to SCRAM: nothing happens when the option changes, then password
// changes and Convert bring the rest over.
func TestMigration(t *testing.T) {
	db := openTest(t, false)
	derive := auth.NewDeriver(auth.DeriverOptions{})
	before := New(db, derive, quick(auth.StorePlain))
	var users []string
	for i := range 250 { // more than a batch
		u := fmt.Sprintf("user%03d", i)
		users = append(users, u)
		if err := before.Register(t.Context(), u, "pw-"+u); err != nil {
			t.Fatal(err)
		}
	}
	if err := before.Register(t.Context(), "odd", "\x01"); err != nil {
		t.Fatal(err)
	}
	after := New(db, derive, quick(auth.StoreSCRAM))
	host := auth.NewHost("h", []auth.Method{after}, auth.HostOptions{Deriver: derive})
	check(t, after, "user000", "pw-user000", true)
	if k, _, err := host.SCRAM(t.Context(), "user000", auth.SHA1); err != nil || k.Iterations != 4096 {
		t.Errorf("SCRAM before the conversion: %d iterations, %v", k.Iterations, err)
	}
	if err := after.SetPassword(t.Context(), "user001", "changed"); err != nil {
		t.Fatal(err)
	}
	if n, err := after.Convert(t.Context()); n != len(users)-1 || err != nil {
		t.Errorf("converted %d, %v, want %d", n, err, len(users)-1)
	}
	if n, err := after.Convert(t.Context()); n != 0 || err != nil {
		t.Errorf("converted %d again, %v", n, err)
	}
	for _, u := range users {
		want := "pw-" + u
		if u == "user001" {
			want = "changed"
		}
		if got := row(t, db, u); got != "|==SCRAM==,…4" {
			t.Errorf("%s: %s", u, got)
		}
		if ok, err := after.Check(t.Context(), u, want); !ok || err != nil {
			t.Errorf("%s: %v, %v", u, ok, err)
		}
	}
	if k, _, err := host.SCRAM(t.Context(), "user000", auth.SHA1); err != nil || k.Iterations != 2 {
		t.Errorf("SCRAM after the conversion: %d iterations, %v", k.Iterations, err)
	}
	check(t, after, "odd", "\x01", true)
}

// Whatever is done in whatever order, with either format and cold or warm, the
// method answers like a map; two methods on one database see each other only
// through it, so one serves here.
func TestLikeAMap(t *testing.T) {
	db := openTest(t, false)
	derive := auth.NewDeriver(auth.DeriverOptions{})
	rapid.Check(t, func(rt *rapid.T) {
		if _, err := db.Exec(t.Context(), "DELETE FROM users"); err != nil {
			rt.Fatal(err)
		}
		o := quick(rapid.SampledFrom([]auth.Store{auth.StorePlain, auth.StoreSCRAM}).Draw(rt, "format"))
		o.CacheEntries = rapid.IntRange(1, 3).Draw(rt, "cache")
		m := New(db, derive, o)
		model := map[string]string{}
		user := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		password := rapid.SampledFrom([]string{"x", "y", "z"})
		expect := func(rt *rapid.T, err, want error) {
			rt.Helper()
			if !errors.Is(err, want) || want == nil && err != nil {
				rt.Fatalf("got %v, want %v", err, want)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"format": func(rt *rapid.T) { // a restart with the other option
				if m.o.Format == auth.StorePlain {
					o.Format = auth.StoreSCRAM
				} else {
					o.Format = auth.StorePlain
				}
				m = New(db, derive, o)
			},
			"register": func(rt *rapid.T) {
				u, p := user.Draw(rt, "u"), password.Draw(rt, "p")
				if _, ok := model[u]; ok {
					expect(rt, m.Register(t.Context(), u, p), auth.ErrExists)
					return
				}
				expect(rt, m.Register(t.Context(), u, p), nil)
				model[u] = p
			},
			"set": func(rt *rapid.T) {
				u, p := user.Draw(rt, "u"), password.Draw(rt, "p")
				expect(rt, m.SetPassword(t.Context(), u, p), nil)
				model[u] = p
			},
			"remove": func(rt *rapid.T) {
				u := user.Draw(rt, "u")
				expect(rt, m.Remove(t.Context(), u), nil)
				delete(model, u)
			},
			"convert": func(rt *rapid.T) {
				_, err := m.Convert(t.Context())
				expect(rt, err, nil)
			},
			"check": func(rt *rapid.T) {
				u, p := user.Draw(rt, "u"), password.Draw(rt, "p")
				got, err := m.Check(t.Context(), u, p)
				if err != nil || got != (model[u] == p) {
					rt.Fatalf("check %s %s: %v, %v; model %v", u, p, got, err, model)
				}
			},
			"exists": func(rt *rapid.T) {
				u := user.Draw(rt, "u")
				got, err := m.Exists(t.Context(), u)
				if _, want := model[u]; err != nil || got != want {
					rt.Fatalf("exists %s: %v, %v; model %v", u, got, err, model)
				}
			},
			"list": func(rt *rapid.T) {
				got, err := m.Users(t.Context(), "", 0, 0)
				var want []string
				for u := range model {
					want = append(want, u)
				}
				slices.Sort(want)
				if err != nil || !slices.Equal(got, want) {
					rt.Fatalf("users %v, %v; model %v", got, err, model)
				}
			},
		})
	})
}

func TestConcurrentUse(t *testing.T) {
	m := New(openTest(t, false), auth.NewDeriver(auth.DeriverOptions{}), quick(auth.StoreSCRAM))
	var wg sync.WaitGroup
	var made, refused sync.Map
	for w := range 8 {
		wg.Go(func() {
			for i := range 10 {
				u := fmt.Sprint("u", i)
				switch err := m.Register(t.Context(), u, fmt.Sprint("pw", w)); {
				case err == nil:
					if _, twice := made.LoadOrStore(u, w); twice {
						t.Errorf("%s was registered twice", u)
					}
				case errors.Is(err, auth.ErrExists):
					refused.Store(u, true)
				default:
					t.Error(err)
				}
				if ok, err := m.Exists(t.Context(), u); !ok || err != nil {
					t.Errorf("%s exists: %v, %v", u, ok, err)
				}
			}
		})
	}
	wg.Wait()
	made.Range(func(u, w any) bool {
		check(t, m, u.(string), fmt.Sprint("pw", w), true)
		return true
	})
}

// Who does not exist, or is not converted yet, takes as long to refuse as who
// does: otherwise the time tells which names exist. Without the derivation it
// would take a thousandth.
func TestRefusalsTakeTheSameTime(t *testing.T) {
	db := openTest(t, false)
	derive := auth.NewDeriver(auth.DeriverOptions{})
	if err := New(db, derive, quick(auth.StorePlain)).Register(t.Context(), "plain", "pw"); err != nil {
		t.Fatal(err)
	}
	m := New(db, derive, Options{Format: auth.StoreSCRAM, Iterations: 20_000})
	if err := m.Register(t.Context(), "scram", "pw"); err != nil {
		t.Fatal(err)
	}
	fastest := func(user string) time.Duration {
		best := time.Hour
		for range 3 {
			start := time.Now()
			if ok, err := m.Check(t.Context(), user, "wrong"); ok || err != nil {
				t.Fatal(ok, err)
			}
			best = min(best, time.Since(start))
		}
		return best
	}
	want := fastest("scram")
	for _, user := range []string{"plain", "nobody"} {
		if got := fastest(user); got < want/10 {
			t.Errorf("%s was refused in %v, an account with keys in %v", user, got, want)
		}
	}
}

func benchMethod(b *testing.B, format auth.Store, shared bool) *Method {
	m := New(openTest(b, shared), auth.NewDeriver(auth.DeriverOptions{}), Options{Format: format})
	for i := range 20 {
		if err := m.Register(b.Context(), fmt.Sprint("user", i), "secret"); err != nil {
			b.Fatal(err)
		}
		if ok, err := m.Check(b.Context(), fmt.Sprint("user", i), "secret"); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
	return m
}

func BenchmarkCheck(b *testing.B) {
	for _, format := range []auth.Store{auth.StorePlain, auth.StoreSCRAM} {
		for _, shared := range []bool{false, true} {
			b.Run(fmt.Sprintf("%v/shared=%v", format, shared), func(b *testing.B) {
				m := benchMethod(b, format, shared)
				b.ReportAllocs()
				for b.Loop() {
					if ok, err := m.Check(context.Background(), "user7", "secret"); !ok || err != nil {
						b.Fatal(ok, err)
					}
				}
			})
		}
	}
}

func BenchmarkExists(b *testing.B) {
	m := benchMethod(b, auth.StorePlain, false)
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := m.Exists(context.Background(), "user7"); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
