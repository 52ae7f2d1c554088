package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"meerkat/router/storage"
)

// Version is the version of the tables that this program makes and reads; it
// stands in the file's user_version.
const Version = 1

// applicationID marks the file as ours ("MrKt"); file(1) and Open look at it.
const applicationID = 0x4d724b74

//go:embed schema.sql
var schema string

// steps holds the script that leads from each version to the next one; the
// first one makes an empty file. Released steps never change.
var steps = [Version]string{schema}

// The reasons why Open refuses a file; test for them with errors.Is.
var (
	// ErrNewer tells that a later Meerkat wrote the file.
	ErrNewer = errors.New("written by a newer Meerkat")
	// ErrForeign tells that the file is an SQLite database of something else.
	ErrForeign = errors.New("not a database of Meerkat")
	// ErrInUse tells that another process has the database open.
	ErrInUse = errors.New("in use by another process")
)

// Options say which database to open and how.
type Options struct {
	// Dir is the folder of the databases. It is made with mode 0700 if it
	// does not exist.
	Dir string
	// Host is the virtual host, prepared.
	Host string
	// Shared lets other processes write to the database at the same time;
	// then storage.DB.Exclusive is false and nothing is cached. A server
	// leaves it false. With either, opening fails with ErrInUse while a
	// process that asked for the opposite has the database open.
	Shared bool
	// Readers bounds the reading connections, which are opened when needed
	// and closed after a minute without use; 0 means 3.
	Readers int
	// WriterCache and ReaderCache bound the page cache of one connection, in
	// KiB; 0 means 1024 and 512. Pages are taken as they are read, so an
	// empty database takes none of it.
	WriterCache, ReaderCache int
	// MaxWaiting and Timeout are storage.Config's.
	MaxWaiting int
	Timeout    time.Duration
}

// Dialect is SQLite's.
var Dialect = &storage.Dialect{
	Name:      "sqlite",
	Local:     true,
	MaxParams: 32766,
	Busy: func(err error) bool {
		c := code(err) & 0xff
		return c == sqlite3.SQLITE_BUSY || c == sqlite3.SQLITE_LOCKED
	},
	Duplicate: func(err error) bool {
		c := code(err)
		return c == sqlite3.SQLITE_CONSTRAINT_UNIQUE || c == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	},
}

func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// FileName gives the name of a host's database file: the host itself, with
// everything but a-z, 0-9, "-", "_" and inner dots as %XX, so that no name
// leaves the folder, hides, or meets another one on a file system that ignores
// case. A host too long for a file name is cut and told apart by its hash.
func FileName(host string) string {
	var b strings.Builder
	for i := 0; i < len(host); i++ {
		switch c := host[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	name := b.String()
	const longest = 200 // of 255, leaving room for .db-wal and backups
	if len(name) > longest {
		sum := sha256.Sum256([]byte(host))
		// "%" before the hash: no shorter host gives such a name
		name = strings.TrimRight(name[:longest-68], "%") + "%h" + hex.EncodeToString(sum[:])
	}
	return name + ".db"
}

// Open opens the database of a host and makes it if it does not exist. The
// error wraps ErrNewer, ErrForeign or ErrInUse where that is the reason.
func Open(ctx context.Context, o Options) (*storage.DB, error) {
	if o.Host == "" {
		return nil, errors.New("open database: no host")
	}
	if o.Readers <= 0 {
		o.Readers = 3
	}
	if o.WriterCache <= 0 {
		o.WriterCache = 1024
	}
	if o.ReaderCache <= 0 {
		o.ReaderCache = 512
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open database of %s: %w", o.Host, err)
	}
	file := filepath.Join(dir, FileName(o.Host))
	fail := func(err error) error { return fmt.Errorf("open database %s: %w", file, err) }

	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fail(err)
	}
	unlock, err := lock(file+".lock", !o.Shared)
	if err != nil {
		return nil, fail(err)
	}
	opened := false
	defer func() {
		if !opened {
			_ = unlock()
		}
	}()
	// SQLite would make the file with the process's umask only. The log and
	// its index take the file's mode over.
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fail(err)
	}
	info, err := f.Stat()
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fail(err)
	}
	if info.Size() > 0 {
		if err := check(ctx, file); err != nil {
			return nil, fail(err)
		}
	}

	w, err := open(file, o.WriterCache, false)
	if err != nil {
		return nil, fail(err)
	}
	w.SetMaxOpenConns(1)
	w.SetMaxIdleConns(1)
	if err := upgrade(ctx, w); err != nil {
		w.Close()
		return nil, fail(err)
	}
	r, err := open(file, o.ReaderCache, true)
	if err != nil {
		w.Close()
		return nil, fail(err)
	}
	r.SetMaxIdleConns(o.Readers)
	r.SetConnMaxIdleTime(time.Minute)
	opened = true
	return storage.New(storage.Config{
		Name: o.Host, Dialect: Dialect,
		Writer: w, Writers: 1, Reader: r, Readers: o.Readers,
		Exclusive: !o.Shared, Timeout: o.Timeout, MaxWaiting: o.MaxWaiting,
		OnClose: unlock,
	}), nil
}

// open makes a handle; it does not connect yet.
func open(file string, cacheKiB int, reader bool) (*sql.DB, error) {
	q := url.Values{}
	q.Set("_busy_timeout", "5000")
	q.Set("_journal_mode", "WAL")
	q.Set("_synchronous", "NORMAL")
	q.Set("_foreign_keys", "1")
	q.Set("_txlock", "immediate")
	q.Set("_dqs", "0") // a misspelt "column" is an error, not a text
	q.Set("_defensive", "1")
	q.Add("_pragma", "cache_size(-"+strconv.Itoa(cacheKiB)+")")
	q.Add("_pragma", "temp_store(MEMORY)")
	q.Add("_pragma", "journal_size_limit(4194304)") // as much as a checkpoint covers
	if reader {
		q.Set("_query_only", "1")
	}
	u := url.URL{Scheme: "file", OmitHost: true, Path: file, RawQuery: q.Encode()}
	c, err := sqlite.NewConnector(u.String())
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(c), nil
}

// upgrade brings the tables to Version, each step in a transaction.
func upgrade(ctx context.Context, w *sql.DB) error {
	for {
		done, err := upgradeOnce(ctx, w)
		if err != nil || done {
			return err
		}
	}
}

func upgradeOnce(ctx context.Context, w *sql.DB) (done bool, err error) {
	tx, err := w.BeginTx(ctx, nil) // immediate: two processes do not both make the tables
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback() }()
	version, err := version(ctx, tx)
	if err != nil || version == Version {
		return true, err
	}
	script := steps[version] + fmt.Sprintf("\nPRAGMA application_id = %d;\nPRAGMA user_version = %d;\n", applicationID, version+1)
	if _, err := tx.ExecContext(ctx, script); err != nil {
		return false, fmt.Errorf("make tables of version %d: %w", version+1, err)
	}
	if err := tx.Commit(); err != nil {
		return false, fmt.Errorf("make tables of version %d: %w", version+1, err)
	}
	return version+1 == Version, nil
}

// check looks at an existing file without changing it: switching a stranger's
// database to WAL would be a change.
func check(ctx context.Context, file string) error {
	u := url.URL{Scheme: "file", OmitHost: true, Path: file, RawQuery: "mode=ro&_busy_timeout=5000"}
	c, err := sqlite.NewConnector(u.String())
	if err != nil {
		return err
	}
	db := sql.OpenDB(c)
	defer db.Close()
	_, err = version(ctx, db)
	return err
}

// version reads the version of the tables, 0 for a file without any.
func version(ctx context.Context, q interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
},
) (int, error) {
	var version, id, tables int
	for _, r := range []struct {
		text string
		dest *int
	}{
		{"PRAGMA user_version", &version},
		{"PRAGMA application_id", &id},
		{"SELECT count(*) FROM sqlite_schema", &tables},
	} {
		if err := q.QueryRowContext(ctx, r.text).Scan(r.dest); err != nil {
			if code(err)&0xff == sqlite3.SQLITE_NOTADB {
				return 0, ErrForeign
			}
			return 0, err
		}
	}
	switch {
	case version == 0 && id == 0 && tables == 0:
		return 0, nil
	case id != applicationID || version < 1:
		return 0, ErrForeign
	case version > Version:
		return 0, fmt.Errorf("%w: its tables have version %d, this program knows %d", ErrNewer, version, Version)
	}
	return version, nil
}
