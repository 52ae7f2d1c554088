package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"meerkat/router/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openTest(tb testing.TB, host string) *storage.DB {
	tb.Helper()
	db, err := Open(tb.Context(), Options{Dir: tb.TempDir(), Host: host})
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

func TestFileName(t *testing.T) {
	long := strings.Repeat("a", 300)
	for host, want := range map[string]string{
		"localhost":           "localhost.db",
		"anonymous.localhost": "anonymous.localhost.db",
		"a_b-c.example":       "a_b-c.example.db",
		"..":                  "%2E..db",
		".hidden":             "%2Ehidden.db",
		"a/../../b":           "a%2F..%2F..%2Fb.db",
		"EXAMPLE":             "%45%58%41%4D%50%4C%45.db",
		"100%":                "100%25.db",
		"żółw.pl":             "%C5%BC%C3%B3%C5%82w.pl.db",
		"[::1]":               "%5B%3A%3A1%5D.db",
		"a\x00b":              "a%00b.db",
		"x?mode=memory":       "x%3Fmode%3Dmemory.db",
		long:                  strings.Repeat("a", 132) + "%h98835c6eadce22c1e4a15ab0d8e7dce71eeed4ba1da85eeb1f9b2a0de2e3ec0b.db",
	} {
		got := FileName(host)
		if host == long {
			if len(got) > 250 || got[:134] != want[:134] {
				t.Errorf("FileName(long) = %q", got)
			}
			continue
		}
		if got != want {
			t.Errorf("FileName(%q) = %q, want %q", host, got, want)
		}
	}
}

func TestFileNameIsInjectiveAndSafe(t *testing.T) {
	gen := rapid.OneOf(rapid.StringN(1, 20, 40), rapid.StringMatching(`[a-z.%/]{1,4}`), rapid.StringN(190, 260, 1023))
	rapid.Check(t, func(t *rapid.T) {
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		fa, fb := FileName(a), FileName(b)
		if a != b && strings.EqualFold(fa, fb) {
			t.Fatalf("%q and %q share %q", a, b, fa)
		}
		if filepath.Base(fa) != fa || strings.HasPrefix(fa, ".") || len(fa) > 240 {
			t.Fatalf("FileName(%q) = %q", a, fa)
		}
	})
}

// The tables have the reference's names and columns: those of a database that
// a MongooseIM 2.0.1 node filled.
func TestColumns(t *testing.T) {
	b, err := os.ReadFile("testdata/columns.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string][]string
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	db := openTest(t, "localhost")
	got := map[string][]string{}
	err = db.Rows(t.Context(), `SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' ORDER BY m.name, c.cid`, nil,
		func(s storage.Scanner) error {
			var table, column string
			err := s.Scan(&table, &column)
			got[table] = append(got[table], column)
			return err
		})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []map[string][]string{got, want} {
		for _, c := range m {
			slices.Sort(c)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("columns (-reference +ours):\n%s", d)
	}
}

// Rows that a MongooseIM 2.0.1 node wrote to PostgreSQL load into our tables
// and come back as they were.
func TestReferenceRows(t *testing.T) {
	b, err := os.ReadFile("testdata/sql-plain.dump.sql")
	if err != nil {
		t.Fatal(err)
	}
	db := openTest(t, "localhost")
	insert := regexp.MustCompile(`(?s)INSERT INTO public\.(\w+) \(([^)]*)\) VALUES \((.*?)\);\n`)
	blob := regexp.MustCompile(`'\\x([0-9a-f]*)'`)
	counts := map[string]int{}
	err = db.Tx(t.Context(), func(tx *storage.Tx) error {
		// parents first, as the foreign keys want it
		rows := insert.FindAllStringSubmatch(string(b), -1)
		slices.SortStableFunc(rows, func(a, b []string) int {
			parent := func(t string) int {
				if t == "privacy_list" || t == "muc_light_rooms" {
					return 0
				}
				return 1
			}
			return parent(a[1]) - parent(b[1])
		})
		for _, m := range rows {
			values := blob.ReplaceAllString(m[3], `x'$1'`)
			text := "INSERT INTO " + m[1] + " (" + m[2] + ") VALUES (" + values + ")"
			if _, err := tx.Exec(t.Context(), text); err != nil {
				return fmt.Errorf("%s: %w", text, err)
			}
			counts[m[1]]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(counts) < 15 || counts["mam_message"] < 20 {
		t.Fatalf("read only %v from the dump", counts)
	}
	var nick, askmessage, password string
	var details string
	var at time.Time
	if _, err := db.Row(t.Context(), "SELECT password, pass_details, created_at FROM users WHERE username = ?",
		[]any{"dave"}, &password, storage.OrZero(&details), &at); err != nil || password != `new 'pw' "x" \ ü` || details != "" || at.IsZero() {
		t.Errorf("user dave: %q, %q, %v, %v", password, details, at, err)
	}
	if found, err := db.Row(t.Context(), "SELECT nick, askmessage FROM rosterusers WHERE username = ? AND ask = 'I'",
		[]any{"dave"}, &nick, &askmessage); err != nil {
		t.Errorf("pending request: %v, %v", found, err)
	}
	var all, presence bool
	var ord int
	if found, err := db.Row(t.Context(), "SELECT ord, match_all, match_presence_out FROM privacy_list_data WHERE id = 1 AND t = 'n'",
		nil, &ord, storage.OrZero(&all), storage.OrZero(&presence)); !found || err != nil || ord != 10 || !all || presence {
		t.Errorf("privacy: %v %v: ord %d, all %v, presence %v", found, err, ord, all, presence)
	}
	var message []byte
	var id int64
	if found, err := db.Row(t.Context(), "SELECT id, message FROM mam_message WHERE user_id = 2 ORDER BY id LIMIT 1", nil, &id, &message); !found || err != nil {
		t.Fatal(found, err)
	}
	if id != 459607573373463809 && id != 459607573571591169 || hex.EncodeToString(message[:2]) != "8350" {
		t.Errorf("archive row %d, %x", id, message[:2])
	}
}

func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "db")
	db, err := Open(t.Context(), Options{Dir: dir, Host: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, file := range []string{"", "localhost.db", "localhost.db-wal", "localhost.db-shm", "localhost.db.lock"} {
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		want := os.FileMode(0o600)
		if file == "" {
			want = 0o700
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%q has mode %o, want %o", file, got, want)
		}
	}
}

func TestSettings(t *testing.T) {
	db := openTest(t, "localhost")
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "1", "foreign_keys": "1", "query_only": "1", "busy_timeout": "5000"} {
		var got string
		if _, err := db.Row(t.Context(), "PRAGMA "+pragma, nil, &got); err != nil || got != want {
			t.Errorf("reader: %s = %s, want %s (%v)", pragma, got, want, err)
		}
	}
	err := db.Tx(t.Context(), func(tx *storage.Tx) error {
		var got string
		_, err := tx.Row(t.Context(), "PRAGMA query_only", nil, &got)
		if got != "0" {
			t.Errorf("the writer cannot write")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestVersions(t *testing.T) {
	raw := func(t *testing.T, script string) string {
		t.Helper()
		dir := t.TempDir()
		db, err := sql.Open("sqlite", filepath.Join(dir, "h.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(script); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for _, tt := range []struct {
		name, script string
		want         error
	}{
		{"newer", fmt.Sprintf("CREATE TABLE users (a); PRAGMA application_id=%d; PRAGMA user_version=%d", applicationID, Version+1), ErrNewer},
		{"foreign", "CREATE TABLE users (a);", ErrForeign},
		{"foreign with a version", "CREATE TABLE users (a); PRAGMA user_version=1", ErrForeign},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := raw(t, tt.script)
			before, err := os.ReadFile(filepath.Join(dir, "h.db"))
			if err != nil {
				t.Fatal(err)
			}
			db, err := Open(t.Context(), Options{Dir: dir, Host: "h"})
			if !errors.Is(err, tt.want) {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
			if db != nil {
				t.Error("a database beside the error")
			}
			after, err := os.ReadFile(filepath.Join(dir, "h.db"))
			if err != nil || string(before) != string(after) {
				t.Errorf("the refused file was changed (%v)", err)
			}
			if !strings.Contains(fmt.Sprint(openErr(t, dir)), "h.db: ") {
				t.Errorf("the error does not name the file: %v", openErr(t, dir))
			}
		})
	}
	t.Run("not SQLite", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "h.db"), []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := openErr(t, dir); !errors.Is(err, ErrForeign) {
			t.Errorf("error %v, want ErrForeign", err)
		}
	})
	t.Run("again", func(t *testing.T) {
		dir := t.TempDir()
		for range 2 {
			if err := openErr(t, dir); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func openErr(t *testing.T, dir string) error {
	t.Helper()
	db, err := Open(t.Context(), Options{Dir: dir, Host: "h"})
	if db != nil {
		db.Close()
	}
	return err
}

func TestInUse(t *testing.T) {
	dir := t.TempDir()
	open := func(shared bool) (*storage.DB, error) {
		return Open(t.Context(), Options{Dir: dir, Host: "h", Shared: shared})
	}
	a, err := open(false)
	if err != nil {
		t.Fatal(err)
	}
	if !a.Exclusive() {
		t.Error("alone, but not exclusive")
	}
	for _, shared := range []bool{false, true} {
		if _, err := open(shared); !errors.Is(err, ErrInUse) {
			t.Errorf("second open (shared %v): %v, want ErrInUse", shared, err)
		}
	}
	a.Close()
	b, err := open(true)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.Exclusive() {
		t.Error("shared, but exclusive")
	}
	c, err := open(true)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := open(false); !errors.Is(err, ErrInUse) {
		t.Errorf("exclusive beside shared: %v, want ErrInUse", err)
	}
}

// Two processes write at once: nobody sees "busy", nothing is lost.
func TestTwoWriters(t *testing.T) {
	dir := t.TempDir()
	const writers, each = 4, 25
	var dbs []*storage.DB
	for range writers {
		db, err := Open(t.Context(), Options{Dir: dir, Host: "h", Shared: true})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		dbs = append(dbs, db)
	}
	u := storage.NewUpsert("last", []string{"username"}, []string{"seconds", "state"})
	var wg sync.WaitGroup
	for _, db := range dbs {
		wg.Go(func() {
			for range each {
				err := db.Tx(t.Context(), func(tx *storage.Tx) error {
					var n int
					if _, err := tx.Row(t.Context(), "SELECT seconds FROM last WHERE username = ?", []any{"x"}, &n); err != nil {
						return err
					}
					return tx.Upsert(t.Context(), u, "x", n+1, "")
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	var n int
	if _, err := dbs[0].Row(t.Context(), "SELECT seconds FROM last", nil, &n); err != nil || n != writers*each {
		t.Errorf("counted to %d (%v), want %d", n, err, writers*each)
	}
}

// What was committed is there after the process was killed: the log is not
// folded in, as a copy of the open files shows.
func TestCrash(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(t.Context(), Options{Dir: dir, Host: "h"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(t.Context(), "INSERT INTO users (username, password) VALUES (?, ?)", "alice", "x"); err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir()
	for _, f := range []string{"h.db", "h.db-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(copied, f), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again, err := Open(t.Context(), Options{Dir: copied, Host: "h"})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	var n int
	if _, err := again.Row(t.Context(), "SELECT count(*) FROM users", nil, &n); err != nil || n != 1 {
		t.Errorf("%d users after the crash (%v), want 1", n, err)
	}
}

func TestClosedDatabaseLeavesOneFile(t *testing.T) {
	dir := t.TempDir()
	if err := openErr(t, dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "h.db-wal")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the log is still there: %v", err)
	}
}

func benchDB(b *testing.B) *storage.DB {
	db := openTest(b, "localhost")
	details := "==SCRAM==,7t9ns6+svXPvoSbQOAtiGTb1v8Q=,Rk/nNRuTFdbhyJoazgEtV6eUNWo=,AQIDBAUGBwgJCgsMDQ4PEA==,4096"
	var rows [][]any
	for i := range 20000 {
		rows = append(rows, []any{fmt.Sprintf("user%d", i), "", details})
	}
	if err := db.Tx(b.Context(), func(tx *storage.Tx) error {
		return tx.InsertRows(b.Context(), "users", []string{"username", "password", "pass_details"}, rows)
	}); err != nil {
		b.Fatal(err)
	}
	return db
}

func BenchmarkLookup(b *testing.B) {
	db := benchDB(b)
	ctx := context.Background()
	b.ReportAllocs()
	defer cpu(b)()
	i := 0
	for b.Loop() {
		var password, details string
		found, err := db.Row(ctx, "SELECT password, pass_details FROM users WHERE username = ?",
			[]any{fmt.Sprintf("user%d", i*7919%20000)}, storage.OrZero(&password), storage.OrZero(&details))
		if !found || err != nil {
			b.Fatal(found, err)
		}
		i++
	}
}

func BenchmarkLookupParallel(b *testing.B) {
	db := benchDB(b)
	b.ReportAllocs()
	defer cpu(b)()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			var password string
			found, err := db.Row(context.Background(), "SELECT password FROM users WHERE username = ?",
				[]any{fmt.Sprintf("user%d", i*7919%20000)}, storage.OrZero(&password))
			if !found || err != nil {
				b.Fatal(found, err)
			}
		}
	})
}

func BenchmarkUpdate(b *testing.B) {
	db := benchDB(b)
	ctx := context.Background()
	b.ReportAllocs()
	defer cpu(b)()
	i := 0
	for b.Loop() {
		if _, err := db.Exec(ctx, "UPDATE users SET password = ? WHERE username = ?", "x", fmt.Sprintf("user%d", i*7919%20000)); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkUpsert(b *testing.B) {
	db := benchDB(b)
	u := storage.NewUpsert("last", []string{"username"}, []string{"seconds", "state"})
	ctx := context.Background()
	b.ReportAllocs()
	defer cpu(b)()
	i := 0
	for b.Loop() {
		if err := db.Upsert(ctx, u, fmt.Sprintf("user%d", i*7919%20000), i, ""); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

const offlineText = "<message to='alice@localhost' type='chat' id='o1'><body>hello, this is a message of usual length that waits</body></message>"

var offlineColumns = []string{"timestamp", "server", "username", "from_jid", "packet"}

func BenchmarkOfflineInsert(b *testing.B) {
	db := openTest(b, "localhost")
	ctx := context.Background()
	b.ReportAllocs()
	defer cpu(b)()
	i := 0
	for b.Loop() {
		if _, err := db.Exec(ctx, "INSERT INTO offline_message (timestamp, server, username, from_jid, packet) VALUES (?, ?, ?, ?, ?)",
			i, "localhost", fmt.Sprintf("user%d", i%1000), "bob@localhost/r", offlineText); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkOfflineInsert100(b *testing.B) {
	db := openTest(b, "localhost")
	ctx := context.Background()
	b.ReportAllocs()
	defer cpu(b)()
	i := 0
	for b.Loop() {
		if i++; i%100 != 0 {
			continue
		}
		rows := make([][]any, 100)
		for j := range rows {
			rows[j] = []any{i, "localhost", fmt.Sprintf("user%d", j), "bob@localhost/r", offlineText}
		}
		if err := db.Tx(ctx, func(tx *storage.Tx) error {
			return tx.InsertRows(ctx, "offline_message", offlineColumns, rows)
		}); err != nil {
			b.Fatal(err)
		}
	}
}

// cpu reports the processor time of a benchmark beside its wall time, since the
// budgets count that. The result is called at the end.
func cpu(b *testing.B) func() {
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	return func() {
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
		ns := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
		b.ReportMetric(float64(ns)/float64(b.N), "cpu-ns/op")
	}
}
