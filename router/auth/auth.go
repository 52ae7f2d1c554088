package auth

import (
	"context"
	"errors"
)

// The answers that callers act on; test for them with errors.Is. Anything else
// is a failure of a backend.
var (
	// ErrNotAuthorized tells that no method accepts this user with this
	// password, or that no method has anything to check against.
	ErrNotAuthorized = errors.New("not authorized")
	// ErrExists tells that the account to register exists.
	ErrExists = errors.New("account exists")
	// ErrNotFound tells that the account does not exist.
	ErrNotFound = errors.New("no such account")
	// ErrNotAllowed tells that no method of the host does this (or that it
	// has no methods).
	ErrNotAllowed = errors.New("not allowed")
	// ErrNullPassword tells that the new password is empty.
	ErrNullPassword = errors.New("empty password")
	// ErrInvalidUser tells that the name cannot be an account's.
	ErrInvalidUser = errors.New("invalid user name")
	// ErrInvalidPassword tells that resourceprep refuses the new password
	// (control characters, more than 1023 bytes), so that no SCRAM keys can
	// be made of it.
	ErrInvalidPassword = errors.New("invalid password")
)

// A Store says what a method can check passwords with; the mechanisms that a
// host offers follow from it.
type Store uint8

const (
	// StorePlain: passwords can be read, every mechanism works.
	StorePlain Store = iota
	// StoreSCRAM: SCRAM keys, nothing that needs the text (DIGEST-MD5).
	StoreSCRAM
	// StoreExternal: somebody else says yes or no to a password; only
	// mechanisms that deliver the text work.
	StoreExternal
)

func (s Store) String() string {
	return [...]string{"plain", "scram", "external"}[s]
}

// Config are the options of one host that this package and its SQL methods
// obey: auth_method and the keys of auth_opts.
type Config struct {
	// Methods are the names in auth_method: internal, odbc, … None: nobody
	// can log in.
	Methods []string
	// PasswordFormat is StoreSCRAM for {password_format, scram}, else
	// StorePlain.
	PasswordFormat Store
	// ScramHashes are those of {password_format, {scram, [sha, sha256]}}
	// (MongooseIM 3.7); empty means SHA-1 alone in 2.0.1's text form.
	ScramHashes []Hash
	// ScramIterations is scram_iterations, at least 2; 0 means 4096.
	ScramIterations int
}

// DefaultIterations is the default of scram_iterations, and what keys made of a
// plain stored password have whatever that option says.
const DefaultIterations = 4096

// Credentials are what a store keeps for an account: the plain text or SCRAM
// keys. The zero value is an account without a usable password.
type Credentials struct {
	// Plain is the password itself; unused when there are Keys.
	Plain string
	// Keys are SCRAM keys, at most one for each hash.
	Keys []Keys
}

// IsZero reports whether there is nothing to check a password against.
func (c Credentials) IsZero() bool { return c.Plain == "" && len(c.Keys) == 0 }

// A Method is one auth_method of one host. Users are prepared and not empty. A
// method is called from many goroutines.
type Method interface {
	// Name is the method's in auth_method: "internal".
	Name() string
	// Store is what the method can check passwords with, by its options.
	Store() Store
	// Serves reports whether SCRAM with this hash works for the accounts of
	// this method, as its options want them stored.
	Serves(h Hash) bool
	// Check reports whether password is user's. An unknown user takes as
	// long as a wrong password.
	Check(ctx context.Context, user, password string) (bool, error)
	// Credentials gives what is stored, or nothing.
	Credentials(ctx context.Context, user string) (Credentials, error)
	// Exists reports whether the account exists.
	Exists(ctx context.Context, user string) (bool, error)
	// Register makes an account; ErrExists, ErrNotAllowed,
	// ErrInvalidPassword. password is not empty.
	Register(ctx context.Context, user, password string) error
	// SetPassword replaces the password, and makes the account if the
	// method does so; else ErrNotAllowed. password is not empty.
	SetPassword(ctx context.Context, user, password string) error
	// Remove removes the account; none is no error. ErrNotAllowed.
	Remove(ctx context.Context, user string) error
	// RemoveChecked removes the account if password is its password;
	// ErrNotFound, ErrNotAuthorized, ErrNotAllowed.
	RemoveChecked(ctx context.Context, user, password string) error
}

// A Lister is a Method that knows all its accounts.
type Lister interface {
	// Users gives the accounts that begin with prefix in byte order, from
	// the offset-th on, at most limit of them (0: all).
	Users(ctx context.Context, prefix string, offset, limit int) ([]string, error)
	// Count tells how many accounts begin with prefix.
	Count(ctx context.Context, prefix string) (int, error)
}
