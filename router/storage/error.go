package storage

import (
	"errors"
	"strings"
)

// The reasons that callers act on; test for them with errors.Is.
var (
	// ErrDuplicate tells that a row with the same key exists.
	ErrDuplicate = errors.New("duplicate key")
	// ErrBusy tells that the database was locked or the transaction lost
	// against another one, after all attempts.
	ErrBusy = errors.New("database busy")
	// ErrOverloaded tells that too many statements wait already; this one was
	// not tried.
	ErrOverloaded = errors.New("too many statements waiting")
	// ErrClosed tells that the database was closed.
	ErrClosed = errors.New("database closed")
)

// An Error is a failed statement. Its text names the database and the
// statement, never a value.
type Error struct {
	Database  string // dialect and name: "sqlite localhost"
	Statement string // the SQL text, or "begin", "commit", …
	Err       error

	dialect *Dialect
}

// maxStatement bounds how much of a statement an error shows, in bytes.
const maxStatement = 96

func (e *Error) Error() string {
	s := strings.Join(strings.Fields(e.Statement), " ")
	if len(s) > maxStatement {
		s = s[:maxStatement] + "…"
	}
	return e.Database + ": " + s + ": " + e.Err.Error()
}

// Unwrap gives what the driver said.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether e is one of ErrDuplicate and ErrBusy, as the dialect sees
// it.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrDuplicate:
		return e.dialect.duplicate(e.Err)
	case ErrBusy:
		return e.dialect.busy(e.Err)
	}
	return false
}
