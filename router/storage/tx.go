package storage

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	// maxAttempts is how often busy work is tried; the reference restarts a
	// transaction as often.
	maxAttempts = 10
	// txTimeouts is how many statement timeouts a whole transaction may take:
	// 60 s with the default, as in the reference.
	txTimeouts = 12
)

// pause waits before the next attempt: 1 ms at first, then twice as long each
// time up to 128 ms, with a random part, so that two losers do not meet again.
// It reports false when ctx ended.
func pause(ctx context.Context, attempt int) bool {
	d := time.Millisecond << min(attempt-1, 7)
	t := time.NewTimer(d/2 + rand.N(d))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// A Tx runs statements inside a transaction. It belongs to the function that
// received it and is of no use afterwards.
type Tx struct {
	db *DB
	tx *sql.Tx
	// stmts are this transaction's forms of prepared statements. Those that
	// the pool does not have yet are listed in unknown: the pool learns them
	// when the transaction has given its connection back (before that, with
	// one writer, preparing on the pool would wait for ourselves).
	stmts   map[string]*sql.Stmt
	unknown []string
}

// Tx runs fn inside a transaction on the writing side and commits if fn returns
// nil; fn's error is returned as it is. When the database is busy (a lock, a
// deadlock, a lost serialization) the whole of fn is run again, up to ten times:
// fn must not leave traces outside tx that a second run would double. fn must
// not use the DB itself: the writer is taken.
func (d *DB) Tx(ctx context.Context, fn func(tx *Tx) error) error {
	if err := d.enter(ctx, d.w); err != nil {
		return d.fail("begin", err)
	}
	defer d.w.leave()
	for attempt := 1; ; attempt++ {
		err := d.txOnce(ctx, fn)
		if err == nil || !errors.Is(err, ErrBusy) || attempt == maxAttempts || !pause(ctx, attempt) {
			return err
		}
	}
}

func (d *DB) txOnce(ctx context.Context, fn func(tx *Tx) error) error {
	ctx, cancel := d.bound(ctx, d.timeout*txTimeouts)
	defer cancel()
	t, err := d.w.db.BeginTx(ctx, nil)
	if err != nil {
		return d.fail("begin", err)
	}
	done := false
	defer func() {
		if !done { // fn failed or panicked
			_ = t.Rollback()
		}
	}()
	tx := &Tx{db: d, tx: t}
	if err := fn(tx); err != nil {
		return err
	}
	done = true
	if err := t.Commit(); err != nil {
		return d.fail("commit", err)
	}
	for _, query := range tx.unknown {
		if _, err := d.stmt(ctx, d.w, query); err != nil {
			break // the next use will say why
		}
	}
	return nil
}

// stmt gives the statement for use in the transaction.
func (t *Tx) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s := t.stmts[query]; s != nil {
		return s, nil
	}
	p := t.db.w
	p.mu.RLock()
	s := p.stmts[query]
	full := len(p.stmts) >= p.maxStmts
	p.mu.RUnlock()
	if s != nil {
		s = t.tx.StmtContext(ctx, s)
	} else {
		var err error
		if s, err = t.tx.PrepareContext(ctx, t.db.dialect.Bind(query)); err != nil {
			return nil, err
		}
		if !full {
			t.unknown = append(t.unknown, query)
		}
	}
	if t.stmts == nil {
		t.stmts = make(map[string]*sql.Stmt, 4)
	}
	t.stmts[query] = s
	return s, nil
}

// Row implements Querier.
func (t *Tx) Row(ctx context.Context, query string, args []any, dest ...any) (found bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, t.db.fail(query, err)
	}
	ctx, cancel := t.db.bound(ctx, t.db.timeout)
	defer cancel()
	s, err := t.stmt(ctx, query)
	if err != nil {
		return false, t.db.fail(query, err)
	}
	return t.db.scanned(query, s.QueryRowContext(ctx, args...).Scan(dest...))
}

// Rows implements Querier. each must not use the transaction.
func (t *Tx) Rows(ctx context.Context, query string, args []any, each func(Scanner) error) error {
	if err := ctx.Err(); err != nil {
		return t.db.fail(query, err)
	}
	dctx, cancel := t.db.bound(ctx, t.db.timeout)
	defer cancel()
	s, err := t.stmt(dctx, query)
	if err != nil {
		return t.db.fail(query, err)
	}
	rows, err := s.QueryContext(dctx, args...)
	if err != nil {
		return t.db.fail(query, err)
	}
	return t.db.each(ctx, query, rows, each)
}

// Exec implements Querier.
func (t *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := t.exec(ctx, query, args)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return n, t.db.fail(query, err)
}

func (t *Tx) exec(ctx context.Context, query string, args []any) (sql.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, t.db.fail(query, err)
	}
	ctx, cancel := t.db.bound(ctx, t.db.timeout)
	defer cancel()
	s, err := t.stmt(ctx, query)
	if err != nil {
		return nil, t.db.fail(query, err)
	}
	res, err := s.ExecContext(ctx, args...)
	return res, t.db.fail(query, err)
}

// Insert implements Querier.
func (t *Tx) Insert(ctx context.Context, id, query string, args ...any) (int64, error) {
	if t.db.dialect.Returning {
		var n int64
		_, err := t.Row(ctx, query+" RETURNING "+id, args, &n)
		return n, err
	}
	res, err := t.exec(ctx, query, args)
	if err != nil {
		return 0, err
	}
	n, err := res.LastInsertId()
	return n, t.db.fail(query, err)
}

// try runs a statement that may fail without spoiling the transaction.
func (t *Tx) try(ctx context.Context, query string, args []any) error {
	if !t.db.dialect.AbortsTx {
		_, err := t.exec(ctx, query, args)
		return err
	}
	if _, err := t.exec(ctx, "SAVEPOINT try", nil); err != nil {
		return err
	}
	_, err := t.exec(ctx, query, args)
	if err != nil {
		if _, err := t.exec(ctx, "ROLLBACK TO SAVEPOINT try", nil); err != nil {
			return err
		}
	}
	if _, err := t.exec(ctx, "RELEASE SAVEPOINT try", nil); err != nil {
		return err
	}
	return err
}
