package storage

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// A Scanner reads the columns of the current row; *sql.Rows is one. A dest that
// must accept NULL is wrapped in OrZero.
type Scanner interface {
	Scan(dest ...any) error
}

// A Querier runs statements: a DB by itself, a Tx inside a transaction. All
// errors are an *Error or wrap one of this package's.
type Querier interface {
	// Row runs a query and scans its first row into dest; found is false,
	// and dest untouched, when there is none.
	Row(ctx context.Context, query string, args []any, dest ...any) (found bool, err error)
	// Rows runs a query and calls each for every row. An error from each ends
	// the query and is returned as it is.
	Rows(ctx context.Context, query string, args []any, each func(Scanner) error) error
	// Exec runs a statement without result rows and tells how many rows it
	// changed (MySQL: only those whose content differs now).
	Exec(ctx context.Context, query string, args ...any) (changed int64, err error)
	// Insert runs an INSERT and returns the generated value of column id.
	Insert(ctx context.Context, id, query string, args ...any) (int64, error)
	// InsertRows inserts many rows with as few statements as the dialect
	// allows. Every row has one value a column. Outside a transaction a
	// failure may leave some of the rows inserted.
	InsertRows(ctx context.Context, table string, columns []string, rows [][]any) error
	// Upsert writes one row by its key, whether it exists or not; key and
	// values are in the order of the columns that u was made with.
	Upsert(ctx context.Context, u *Upsert, args ...any) error
}

var (
	_ Querier = (*DB)(nil)
	_ Querier = (*Tx)(nil)
)

// Config says what a DB is made of.
type Config struct {
	// Name tells one database from another in errors: the virtual host.
	Name string
	// Dialect is the kind of database. Mandatory.
	Dialect *Dialect
	// Writer takes statements that change data and all transactions; Reader
	// the rest. The same handle, or a nil Reader, is one pool for both. DB
	// owns them and closes them.
	Writer, Reader *sql.DB
	// Writers and Readers bound how many statements run at a time on each
	// side, and so the connections; 0 means 1. With one pool for both only
	// Writers counts.
	Writers, Readers int
	// Exclusive promises that no other process writes to this database while
	// it is open, so that stores may cache what they wrote.
	Exclusive bool
	// Timeout bounds a statement, the wait for a connection included, unless
	// the context ends earlier; 0 means 5 s, the reference's query timeout.
	// With a Local dialect only the wait is bounded.
	Timeout time.Duration
	// MaxWaiting bounds how many statements may wait for a connection on each
	// side; one more fails with ErrOverloaded. 0 means 4096.
	MaxWaiting int
	// MaxStatements bounds the prepared statements kept on each side; texts
	// beyond it are run unprepared. 0 means 256.
	MaxStatements int
	// OnClose runs after both handles are closed.
	OnClose func() error
}

// A DB is one open database. Its methods may be called from any goroutine.
type DB struct {
	name      string
	dialect   *Dialect
	exclusive bool
	timeout   time.Duration
	w, r      *pool
	onClose   func() error
	closed    atomic.Bool
}

// New makes a DB of opened handles. It does not connect.
func New(c Config) *DB {
	if c.Dialect == nil || c.Writer == nil {
		panic("storage: Config without Dialect or Writer")
	}
	if c.Timeout <= 0 {
		c.Timeout = 5 * time.Second
	}
	if c.MaxWaiting <= 0 {
		c.MaxWaiting = 4096
	}
	if c.MaxStatements <= 0 {
		c.MaxStatements = 256
	}
	d := &DB{
		name: c.Dialect.Name + " " + c.Name, dialect: c.Dialect,
		exclusive: c.Exclusive, timeout: c.Timeout, onClose: c.OnClose,
	}
	mk := func(db *sql.DB, n int) *pool {
		n = max(n, 1)
		db.SetMaxOpenConns(n)
		return &pool{
			db: db, slots: make(chan struct{}, n), maxWaiting: int64(c.MaxWaiting),
			stmts: map[string]*sql.Stmt{}, maxStmts: c.MaxStatements,
		}
	}
	d.w = mk(c.Writer, c.Writers)
	d.r = d.w
	if c.Reader != nil && c.Reader != c.Writer {
		d.r = mk(c.Reader, c.Readers)
	}
	return d
}

// Dialect is the kind of database, for the few statements that differ.
func (d *DB) Dialect() *Dialect { return d.dialect }

// Exclusive reports whether this process is the only writer, so that what was
// written may be cached.
func (d *DB) Exclusive() bool { return d.exclusive }

// A pool is one side of a DB.
type pool struct {
	db         *sql.DB
	slots      chan struct{} // one token for each statement that runs
	waiting    atomic.Int64
	maxWaiting int64

	mu       sync.RWMutex // guards stmts
	stmts    map[string]*sql.Stmt
	maxStmts int
}

// enter waits until a statement may run; the caller leaves with leave. The
// slots are as many as the connections, so database/sql itself never waits.
func (d *DB) enter(ctx context.Context, p *pool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.closed.Load() {
		return ErrClosed
	}
	if !d.dialect.Local {
		beforeWait(ctx)
	}
	select {
	case p.slots <- struct{}{}:
		if d.closed.Load() {
			<-p.slots
			return ErrClosed
		}
		return nil
	default:
	}
	if d.dialect.Local {
		beforeWait(ctx)
	}
	defer p.waiting.Add(-1)
	if p.waiting.Add(1) > p.maxWaiting {
		return ErrOverloaded
	}
	t := time.NewTimer(d.timeout)
	defer t.Stop()
	select {
	case p.slots <- struct{}{}:
		if d.closed.Load() {
			<-p.slots
			return ErrClosed
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return context.DeadlineExceeded
	}
}

func (p *pool) leave() { <-p.slots }

// bound gives the context that the driver sees.
func (d *DB) bound(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if d.dialect.Local {
		return context.WithoutCancel(ctx), func() {}
	}
	return context.WithTimeout(ctx, timeout)
}

// stmt returns the prepared form of query, or nil when there are too many
// already.
func (d *DB) stmt(ctx context.Context, p *pool, query string) (*sql.Stmt, error) {
	p.mu.RLock()
	s := p.stmts[query]
	full := len(p.stmts) >= p.maxStmts
	p.mu.RUnlock()
	if s != nil || full {
		return s, nil
	}
	s, err := p.db.PrepareContext(ctx, d.dialect.Bind(query))
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	old := p.stmts[query]
	if old == nil {
		p.stmts[query] = s
	}
	p.mu.Unlock()
	if old != nil { // somebody else was faster
		s.Close()
		return old, nil
	}
	return s, nil
}

func (d *DB) fail(statement string, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	return &Error{Database: d.name, Statement: statement, Err: err, dialect: d.dialect}
}

// Row implements Querier on the reading side. A statement that changes data and
// returns rows (UPDATE … RETURNING) belongs into a Tx.
func (d *DB) Row(ctx context.Context, query string, args []any, dest ...any) (found bool, err error) {
	return d.row(ctx, d.r, query, args, dest)
}

func (d *DB) row(ctx context.Context, p *pool, query string, args, dest []any) (found bool, err error) {
	if err := d.enter(ctx, p); err != nil {
		return false, d.fail(query, err)
	}
	defer p.leave()
	ctx, cancel := d.bound(ctx, d.timeout)
	defer cancel()
	s, err := d.stmt(ctx, p, query)
	if err != nil {
		return false, d.fail(query, err)
	}
	var row *sql.Row
	if s != nil {
		row = s.QueryRowContext(ctx, args...)
	} else {
		row = p.db.QueryRowContext(ctx, d.dialect.Bind(query), args...)
	}
	return d.scanned(query, row.Scan(dest...))
}

func (d *DB) scanned(query string, err error) (bool, error) {
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	}
	return false, d.fail(query, err)
}

// Rows implements Querier on the reading side, as Row. The connection is taken until
// the last row was handed out: each must not run statements on the same DB.
func (d *DB) Rows(ctx context.Context, query string, args []any, each func(Scanner) error) error {
	if err := d.enter(ctx, d.r); err != nil {
		return d.fail(query, err)
	}
	defer d.r.leave()
	dctx, cancel := d.bound(ctx, d.timeout)
	defer cancel()
	s, err := d.stmt(dctx, d.r, query)
	if err != nil {
		return d.fail(query, err)
	}
	var rows *sql.Rows
	if s != nil {
		rows, err = s.QueryContext(dctx, args...)
	} else {
		rows, err = d.r.db.QueryContext(dctx, d.dialect.Bind(query), args...)
	}
	if err != nil {
		return d.fail(query, err)
	}
	return d.each(ctx, query, rows, each)
}

// each walks rows, closes them and gives each's own error back unchanged.
func (d *DB) each(ctx context.Context, query string, rows *sql.Rows, each func(Scanner) error) error {
	defer rows.Close()
	s := scanner{rows: rows}
	for rows.Next() {
		if err := ctx.Err(); err != nil { // a local driver does not look
			return d.fail(query, err)
		}
		if err := each(&s); err != nil {
			if s.err != nil && errors.Is(err, s.err) {
				return d.fail(query, err)
			}
			return err
		}
	}
	return d.fail(query, rows.Err())
}

// A scanner remembers a failed Scan, so that the failure is reported with its
// statement.
type scanner struct {
	rows *sql.Rows
	err  error
}

func (s *scanner) Scan(dest ...any) error {
	s.err = s.rows.Scan(dest...)
	return s.err
}

// Exec implements Querier on the writing side, as a transaction of its own.
func (d *DB) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := d.exec(ctx, query, args)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return n, d.fail(query, err)
}

func (d *DB) exec(ctx context.Context, query string, args []any) (sql.Result, error) {
	if err := d.enter(ctx, d.w); err != nil {
		return nil, d.fail(query, err)
	}
	defer d.w.leave()
	for attempt := 1; ; attempt++ {
		res, err := d.execOnce(ctx, query, args)
		if err == nil {
			return res, nil
		}
		if !d.dialect.busy(err) || attempt == maxAttempts || !pause(ctx, attempt) {
			return nil, d.fail(query, err)
		}
	}
}

func (d *DB) execOnce(ctx context.Context, query string, args []any) (sql.Result, error) {
	ctx, cancel := d.bound(ctx, d.timeout)
	defer cancel()
	s, err := d.stmt(ctx, d.w, query)
	if err != nil {
		return nil, err
	}
	if s != nil {
		return s.ExecContext(ctx, args...)
	}
	return d.w.db.ExecContext(ctx, d.dialect.Bind(query), args...)
}

// Insert implements Querier on the writing side.
func (d *DB) Insert(ctx context.Context, id, query string, args ...any) (int64, error) {
	if !d.dialect.Returning {
		res, err := d.exec(ctx, query, args)
		if err != nil {
			return 0, err
		}
		n, err := res.LastInsertId()
		return n, d.fail(query, err)
	}
	var n int64
	_, err := d.row(ctx, d.w, query+" RETURNING "+id, args, []any{&n})
	return n, err
}

// Close waits for running statements, fails those that wait with ErrClosed and
// closes both handles. A second call does nothing.
func (d *DB) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	pools := []*pool{d.r}
	if d.w != d.r {
		pools = append(pools, d.w)
	}
	var errs []error
	for _, p := range pools { // the writer last: SQLite folds its log in then
		for range cap(p.slots) {
			p.slots <- struct{}{}
		}
		p.mu.Lock()
		for _, s := range p.stmts {
			s.Close()
		}
		clear(p.stmts)
		p.mu.Unlock()
		errs = append(errs, p.db.Close())
		for range cap(p.slots) {
			<-p.slots
		}
	}
	if d.onClose != nil {
		errs = append(errs, d.onClose())
	}
	return d.fail("close", errors.Join(errs...))
}
