package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errTestBusy = errors.New("locked")

// dialects are what the tests run with, on SQLite: as it is, and dressed up as
// a server database with numbered parameters.
var dialects = map[string]*Dialect{
	"local": {
		Name: "local", Local: true,
		Duplicate: func(err error) bool { return strings.Contains(err.Error(), "UNIQUE") },
		Busy:      func(err error) bool { return errors.Is(err, errTestBusy) },
	},
	"server": {
		Name: "server", Param: "?", Returning: true, AbortsTx: true, MaxParams: 7,
		Duplicate: func(err error) bool { return strings.Contains(err.Error(), "UNIQUE") },
		Busy:      func(err error) bool { return errors.Is(err, errTestBusy) },
	},
}

func openTest(t *testing.T, d *Dialect, change func(*Config)) *DB {
	t.Helper()
	dsn := "file:" + filepath.Join(t.TempDir(), "x.db") + "?_journal_mode=WAL&_busy_timeout=5000&_txlock=immediate"
	open := func() *sql.DB {
		db, err := sql.Open("sqlite", dsn)
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	c := Config{Name: "h", Dialect: d, Writer: open(), Reader: open(), Readers: 2}
	if change != nil {
		change(&c)
	}
	db := New(c)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := db.Exec(t.Context(), "CREATE TABLE t (id integer PRIMARY KEY, a text UNIQUE, b int)"); err != nil {
		t.Fatal(err)
	}
	return db
}

func each(t *testing.T, f func(t *testing.T, db *DB)) {
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) { f(t, openTest(t, d, nil)) })
	}
}

// table reads t as text.
func table(t *testing.T, q Querier) string {
	t.Helper()
	var rows []string
	err := q.Rows(t.Context(), "SELECT a, b FROM t ORDER BY a", nil, func(s Scanner) error {
		var a string
		var b int
		err := s.Scan(OrZero(&a), OrZero(&b))
		rows = append(rows, fmt.Sprint(a, "=", b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(rows, " ")
}

func TestBind(t *testing.T) {
	pg := &Dialect{Param: "$"}
	for in, want := range map[string]string{
		"SELECT 1":                              "SELECT 1",
		"SELECT a FROM t WHERE a = ? AND b = ?": "SELECT a FROM t WHERE a = $1 AND b = $2",
		"SELECT '?' , ?, \"?\", `?`, ?":         "SELECT '?' , $1, \"?\", `?`, $2",
		"SELECT 'it''s ?', ?":                   "SELECT 'it''s ?', $1",
		strings.Repeat("?,", 11):                "$1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,",
	} {
		if got := pg.Bind(in); got != want {
			t.Errorf("Bind(%q) = %q, want %q", in, got, want)
		}
		if got := (&Dialect{}).Bind(in); got != in {
			t.Errorf("Bind(%q) = %q without numbers", in, got)
		}
	}
}

func TestStatements(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		// The same works outside and inside a transaction.
		use := func(t *testing.T, q Querier) {
			ctx := t.Context()
			id, err := q.Insert(ctx, "id", "INSERT INTO t (a, b) VALUES (?, ?)", "x", 1)
			if err != nil || id == 0 {
				t.Fatal(id, err)
			}
			if id2, err := q.Insert(ctx, "id", "INSERT INTO t (a, b) VALUES (?, ?)", "y", nil); err != nil || id2 != id+1 {
				t.Fatal(id2, err)
			}
			var got int64
			found, err := q.Row(ctx, "SELECT id FROM t WHERE a = ?", []any{"x"}, &got)
			if !found || err != nil || got != id {
				t.Errorf("row x: %v, %v, id %d, want %d", found, err, got, id)
			}
			got = 77
			if found, err := q.Row(ctx, "SELECT id FROM t WHERE a = ?", []any{"none"}, &got); found || err != nil || got != 77 {
				t.Errorf("no row: %v, %v, %d", found, err, got)
			}
			if n, err := q.Exec(ctx, "UPDATE t SET b = 5 WHERE a IN (?, ?)", "x", "y"); n != 2 || err != nil {
				t.Errorf("changed %d, %v", n, err)
			}
			rows := [][]any{}
			for i := range 10 {
				rows = append(rows, []any{fmt.Sprint("r", i), i})
			}
			if err := q.InsertRows(ctx, "t", []string{"a", "b"}, rows); err != nil {
				t.Fatal(err)
			}
			if got := table(t, q); got != "r0=0 r1=1 r2=2 r3=3 r4=4 r5=5 r6=6 r7=7 r8=8 r9=9 x=5 y=5" {
				t.Errorf("table: %s", got)
			}
			if _, err := q.Exec(ctx, "DELETE FROM t"); err != nil {
				t.Fatal(err)
			}
		}
		use(t, db)
		for range 2 { // the second time with statements that the pool knows
			if err := db.Tx(t.Context(), func(tx *Tx) error { use(t, tx); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.InsertRows(t.Context(), "t", []string{"a", "b"}, [][]any{{"x"}}); err == nil {
			t.Error("a row without a value was accepted")
		}
	})
}

func TestUpsert(t *testing.T) {
	both := NewUpsert("t", []string{"a"}, []string{"b"})
	exists := NewUpsert("t", []string{"a"}, nil)
	each(t, func(t *testing.T, db *DB) {
		use := func(t *testing.T, q Querier) {
			for _, s := range []struct {
				u    *Upsert
				args []any
				want string
			}{
				{both, []any{"x", 1}, "x=1"},
				{both, []any{"x", 2}, "x=2"},
				{exists, []any{"x"}, "x=2"},
				{exists, []any{"y"}, "x=2 y=0"},
				{both, []any{"y", 3}, "x=2 y=3"},
			} {
				if err := q.Upsert(t.Context(), s.u, s.args...); err != nil {
					t.Fatal(err)
				}
				if got := table(t, q); got != s.want {
					t.Errorf("after %v: %s, want %s", s.args, got, s.want)
				}
			}
			if err := q.Upsert(t.Context(), both, "x"); err == nil {
				t.Error("a missing value was accepted")
			}
		}
		use(t, db)
		if err := db.Tx(t.Context(), func(tx *Tx) error {
			if _, err := tx.Exec(t.Context(), "DELETE FROM t"); err != nil {
				return err
			}
			use(t, tx)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if got := table(t, db); got != "x=2 y=3" {
			t.Errorf("after the transaction: %s", got)
		}
	})
}

// The third statement of an upsert is for the one who lost the race between
// UPDATE and INSERT.
func TestUpsertRace(t *testing.T) {
	u := NewUpsert("t", []string{"a"}, []string{"b"})
	d := dialects["local"]
	duplicate := &Error{Err: errors.New("UNIQUE"), dialect: d}
	other := errors.New("disk full")
	for _, tt := range []struct {
		name    string
		insert  error
		updates []int64
		want    error
		calls   string
	}{
		{"there", nil, []int64{1}, nil, "U(2 1)"},
		{"not there", nil, []int64{0}, nil, "U(2 1) I(1 2)"},
		{"lost", duplicate, []int64{0, 1}, nil, "U(2 1) I(1 2) U(2 1)"},
		{"MySQL, same values", duplicate, []int64{0, 0}, nil, "U(2 1) I(1 2) U(2 1)"},
		{"failed", other, []int64{0}, other, "U(2 1) I(1 2)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var calls []string
			err := u.run([]any{1, 2},
				func(query string, args []any) (int64, error) {
					calls = append(calls, strings.ReplaceAll(fmt.Sprint("U", args), "[", "("))
					n := tt.updates[0]
					tt.updates = tt.updates[1:]
					return n, nil
				},
				func(query string, args []any) error {
					calls = append(calls, strings.ReplaceAll(fmt.Sprint("I", args), "[", "("))
					return tt.insert
				})
			if !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if got := strings.ReplaceAll(strings.Join(calls, " "), "]", ")"); got != tt.calls {
				t.Errorf("ran %s, want %s", got, tt.calls)
			}
		})
	}
}

func TestUpsertIsLikeAMap(t *testing.T) {
	db := openTest(t, dialects["local"], nil)
	u := NewUpsert("t", []string{"a"}, []string{"b"})
	model := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		k, v := rapid.StringMatching("[a-e]").Draw(rt, "key"), rapid.Int16().Draw(rt, "value")
		if err := db.Upsert(t.Context(), u, k, v); err != nil {
			rt.Fatal(err)
		}
		model[k] = int(v)
		got := map[string]int{}
		if err := db.Rows(t.Context(), "SELECT a, b FROM t", nil, func(s Scanner) error {
			var a string
			var b int
			err := s.Scan(&a, &b)
			got[a] = b
			return err
		}); err != nil {
			rt.Fatal(err)
		}
		if d := cmp.Diff(model, got); d != "" {
			rt.Fatal(d)
		}
	})
}

func TestInsertRowsStatements(t *testing.T) {
	rows := make([][]any, 150)
	for i := range rows {
		rows[i] = []any{i, i}
	}
	var sizes []int
	d := &Dialect{MaxParams: 100} // 50 rows
	err := d.insertRows("t", []string{"a", "b"}, rows[:143], func(query string, args []any) error {
		if strings.Count(query, "?") != len(args) {
			t.Errorf("%d values for %s", len(args), query)
		}
		sizes = append(sizes, len(args)/2)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int{50, 50, 25, 12, 6}, sizes); d != "" {
		t.Errorf("statement sizes:\n%s", d)
	}
}

func TestErrors(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		ctx := t.Context()
		if _, err := db.Exec(ctx, "INSERT INTO t (a) VALUES (?)", "secret"); err != nil {
			t.Fatal(err)
		}
		_, err := db.Exec(ctx, "INSERT INTO t (a) VALUES (?)", "secret")
		if !errors.Is(err, ErrDuplicate) || errors.Is(err, ErrBusy) {
			t.Errorf("second insert: %v, want ErrDuplicate", err)
		}
		if want := db.dialect.Name + " h: INSERT INTO t (a) VALUES (?): "; !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("text %q, want %q… and no values", err, want)
		}
		_, err = db.Exec(ctx, "INSERT INTO nowhere VALUES ("+strings.Repeat("1, ", 100)+"1)")
		if err == nil || errors.Is(err, ErrDuplicate) || len(err.Error()) > 200 {
			t.Errorf("no table: %v", err)
		}
		if _, err := db.Row(ctx, "SELECT id FROM t", nil, new(time.Time), new(int)); err == nil {
			t.Error("wrong number of destinations accepted")
		}
		own := errors.New("own")
		if err := db.Rows(ctx, "SELECT id FROM t", nil, func(Scanner) error { return own }); err != own {
			t.Errorf("the callback's error came back as %v", err)
		}
		err = db.Rows(ctx, "SELECT id FROM t", nil, func(s Scanner) error { return s.Scan() })
		var e *Error
		if !errors.As(err, &e) || e.Statement != "SELECT id FROM t" {
			t.Errorf("a failed scan came back as %v", err)
		}
		cancelled, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := db.Exec(cancelled, "DELETE FROM t"); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		if table(t, db) == "" {
			t.Error("a cancelled statement ran")
		}
	})
}

func TestTx(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		ctx := t.Context()
		insert := func(tx *Tx) {
			t.Helper()
			if _, err := tx.Exec(ctx, "INSERT INTO t (a, b) VALUES ('x', 1)"); err != nil {
				t.Fatal(err)
			}
		}
		own := errors.New("own")
		if err := db.Tx(ctx, func(tx *Tx) error { insert(tx); return own }); err != own {
			t.Errorf("error %v, want the function's own", err)
		}
		func() {
			defer func() { _ = recover() }()
			_ = db.Tx(ctx, func(tx *Tx) error { insert(tx); panic("oops") })
		}()
		if got := table(t, db); got != "" {
			t.Errorf("after an error and a panic: %s", got)
		}
		attempts := 0
		busy := &Error{Err: errTestBusy, dialect: db.dialect}
		err := db.Tx(ctx, func(tx *Tx) error {
			insert(tx)
			if attempts++; attempts < 3 {
				return fmt.Errorf("store: %w", busy)
			}
			return nil
		})
		if err != nil || attempts != 3 {
			t.Errorf("%d attempts, %v", attempts, err)
		}
		if got := table(t, db); got != "x=1" {
			t.Errorf("table: %s", got)
		}
		attempts = 0
		if err := db.Tx(ctx, func(tx *Tx) error { attempts++; return busy }); !errors.Is(err, ErrBusy) || attempts != maxAttempts {
			t.Errorf("always busy: %d attempts, %v", attempts, err)
		}
		// A duplicate inside a transaction does not spoil the rest.
		err = db.Tx(ctx, func(tx *Tx) error {
			if err := tx.try(ctx, "INSERT INTO t (a, b) VALUES (?, 1)", []any{"x"}); !errors.Is(err, ErrDuplicate) {
				t.Errorf("duplicate: %v", err)
			}
			_, err := tx.Exec(ctx, "INSERT INTO t (a, b) VALUES ('y', 2)")
			return err
		})
		if got := table(t, db); got != "x=1 y=2" || err != nil {
			t.Errorf("table: %s, %v", got, err)
		}
	})
}

func TestStatementsAreKept(t *testing.T) {
	db := openTest(t, dialects["local"], func(c *Config) { c.MaxStatements = 3 })
	ctx := t.Context()
	if err := db.Tx(ctx, func(tx *Tx) error {
		for range 3 {
			if _, err := tx.Exec(ctx, "DELETE FROM t"); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if db.w.stmts["DELETE FROM t"] == nil {
		t.Error("the transaction's statement was not kept")
	}
	for i := range 10 {
		var n int
		if _, err := db.Row(ctx, fmt.Sprint("SELECT ", i), nil, &n); err != nil || n != i {
			t.Fatal(n, err)
		}
		if err := db.Rows(ctx, fmt.Sprint("SELECT 1, ", i), nil, func(s Scanner) error { return s.Scan(&n, &n) }); err != nil || n != i {
			t.Fatal(n, err)
		}
		if _, err := db.Exec(ctx, fmt.Sprint("DELETE FROM t WHERE b = ", i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(db.r.stmts) != 3 || len(db.w.stmts) != 3 {
		t.Errorf("%d and %d statements kept, want 3", len(db.r.stmts), len(db.w.stmts))
	}
}

// hold takes a side of the database and returns what lets it go.
func hold(t *testing.T, db *DB, side *pool) func() {
	t.Helper()
	for range cap(side.slots) {
		side.slots <- struct{}{}
	}
	return func() {
		for range cap(side.slots) {
			<-side.slots
		}
	}
}

func waiting(t *testing.T, p *pool, n int64) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); p.waiting.Load() != n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d wait, want %d", p.waiting.Load(), n)
		}
	}
}

func TestWaiting(t *testing.T) {
	db := openTest(t, dialects["local"], func(c *Config) { c.MaxWaiting = 2; c.Timeout = time.Minute })
	release := hold(t, db, db.w)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if _, err := db.Exec(ctx, "DELETE FROM t"); !errors.Is(err, context.Canceled) {
				t.Errorf("waiting statement: %v, want Canceled", err)
			}
		})
	}
	waiting(t, db.w, 2)
	if _, err := db.Exec(t.Context(), "DELETE FROM t"); !errors.Is(err, ErrOverloaded) {
		t.Errorf("third waiting statement: %v, want ErrOverloaded", err)
	}
	if got := table(t, db); got != "" { // the readers are free
		t.Error(got)
	}
	cancel()
	wg.Wait()
	wg.Go(func() {
		if _, err := db.Exec(t.Context(), "INSERT INTO t (a) VALUES ('late')"); err != nil {
			t.Error(err)
		}
	})
	waiting(t, db.w, 1)
	release()
	wg.Wait()
	if got := table(t, db); got != "late=0" {
		t.Error(got)
	}
}

func TestTimeout(t *testing.T) {
	db := openTest(t, dialects["local"], func(c *Config) { c.Timeout = 20 * time.Millisecond })
	release := hold(t, db, db.w)
	if _, err := db.Exec(t.Context(), "DELETE FROM t"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting: %v, want DeadlineExceeded", err)
	}
	release()

	const long = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000000000) SELECT count(*) FROM c"
	server := openTest(t, dialects["server"], func(c *Config) { c.Timeout = 300 * time.Millisecond })
	if _, err := server.Row(t.Context(), long, nil, new(int)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a long query of a server: %v, want DeadlineExceeded", err)
	}
	// A local query ends between two rows.
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err := db.Rows(ctx, "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c", nil, func(Scanner) error {
		if n++; n == 10 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || n != 10 {
		t.Errorf("cancelled after %d rows: %v", n, err)
	}
}

func TestClose(t *testing.T) {
	closed := 0
	db := openTest(t, dialects["local"], func(c *Config) { c.OnClose = func() error { closed++; return nil } })
	began, end := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := db.Tx(t.Context(), func(tx *Tx) error {
			close(began)
			<-end
			_, err := tx.Exec(t.Context(), "INSERT INTO t (a) VALUES ('x')")
			return err
		}); err != nil {
			t.Errorf("the running transaction: %v", err)
		}
	})
	<-began
	wg.Go(func() {
		if _, err := db.Exec(t.Context(), "DELETE FROM t"); !errors.Is(err, ErrClosed) {
			t.Errorf("a waiting statement: %v, want ErrClosed", err)
		}
	})
	waiting(t, db.w, 1)
	wg.Go(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for !db.closed.Load() {
		time.Sleep(time.Millisecond)
	}
	close(end)
	wg.Wait()
	if closed != 1 {
		t.Errorf("OnClose ran %d times", closed)
	}
	if _, err := db.Row(t.Context(), "SELECT 1", nil, new(int)); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if err := db.Close(); err != nil || closed != 1 {
		t.Errorf("second Close: %v, %d", err, closed)
	}
}

func TestConcurrentUse(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		var wg sync.WaitGroup
		u := NewUpsert("t", []string{"a"}, []string{"b"})
		for w := range 8 {
			wg.Go(func() {
				for i := range 20 {
					if err := db.Upsert(t.Context(), u, fmt.Sprint("k", i%5), w); err != nil {
						t.Error(err)
					}
					if err := db.Tx(t.Context(), func(tx *Tx) error {
						_, err := tx.Exec(t.Context(), "UPDATE t SET b = b + 1 WHERE a = ?", "k0")
						return err
					}); err != nil {
						t.Error(err)
					}
					if _, err := db.Row(t.Context(), "SELECT b FROM t WHERE a = ?", []any{"k1"}, new(int)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestOrZero(t *testing.T) {
	db := openTest(t, dialects["local"], nil)
	for _, tt := range []struct {
		expr string
		scan func() (dest sql.Scanner, got func() any)
		want any
	}{
		{"NULL", func() (sql.Scanner, func() any) { s := "old"; return OrZero(&s), func() any { return s } }, ""},
		{"'text'", func() (sql.Scanner, func() any) { s := "old"; return OrZero(&s), func() any { return s } }, "text"},
		{"x'6162'", func() (sql.Scanner, func() any) { s := ""; return OrZero(&s), func() any { return s } }, "ab"},
		{"'42'", func() (sql.Scanner, func() any) { n := 1; return OrZero(&n), func() any { return n } }, 42},
		{"NULL", func() (sql.Scanner, func() any) { n := int64(1); return OrZero(&n), func() any { return n } }, int64(0)},
		{"'t'", func() (sql.Scanner, func() any) { b := false; return OrZero(&b), func() any { return b } }, true},
		{"1", func() (sql.Scanner, func() any) { b := false; return OrZero(&b), func() any { return b } }, true},
		{"'false'", func() (sql.Scanner, func() any) { b := true; return OrZero(&b), func() any { return b } }, false},
		{"NULL", func() (sql.Scanner, func() any) { b := []byte("x"); return OrZero(&b), func() any { return string(b) } }, ""},
	} {
		dest, got := tt.scan()
		if _, err := db.Row(t.Context(), "SELECT "+tt.expr, nil, dest); err != nil || got() != tt.want {
			t.Errorf("%s into %T: %v, %v, want %v", tt.expr, dest, got(), err, tt.want)
		}
	}
	if _, err := db.Row(t.Context(), "SELECT 'x'", nil, OrZero(new(int))); err == nil {
		t.Error("a text was taken for a number")
	}
}
