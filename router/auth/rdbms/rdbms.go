// Package rdbms keeps accounts in the SQL table users. It is both auth_method
// internal (ejabberd_auth_internal of MongooseIM 2.0.1; the table stands in the
// embedded database instead of Mnesia's passwd) and auth_method odbc
// (ejabberd_auth_odbc).
//
// A row has the plain password and no pass_details, or SCRAM keys in
// pass_details and an empty password; what a row holds decides how it is
// checked, whatever the options say now. So both kinds live side by side after
// password_format was changed, until the passwords are, or Convert is called.
//
// Deviations from the reference: setting a plain password removes the SCRAM
// keys (there, the old password went on working); registering an account fails
// with ErrExists only if it exists; accounts are counted, not estimated.
//
// It imports router/auth, router/storage and router/storage/cache.
package rdbms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"meerkat/router/auth"
	"meerkat/router/storage"
	"meerkat/router/storage/cache"
)

// Options are the settings of one host's method.
type Options struct {
	// Name is the method's name in auth_method: "internal" or "odbc".
	Name string
	// Format is how new passwords are stored: auth.StorePlain or
	// auth.StoreSCRAM.
	Format auth.Store
	// Hashes are those that new SCRAM records hold; empty: SHA-1 alone, in
	// the text form that 2.0.1 reads.
	Hashes []auth.Hash
	// Iterations is scram_iterations; 0 means 4096.
	Iterations int
	// MustExist makes SetPassword refuse an account that does not exist when
	// Format is StoreSCRAM, as ejabberd_auth_odbc does; otherwise it is made.
	MustExist bool
	// CacheEntries bounds the accounts remembered while this process is the
	// database's only writer; 0 means 20,000. SCRAM keys and whether an
	// account exists are remembered (200 to 600 bytes each), plain passwords
	// are not.
	CacheEntries int
}

// Method is the method of one host.
type Method struct {
	db     *storage.DB
	derive *auth.Deriver
	o      Options
	cache  *cache.LRU[string, account] // nil when others write, too
}

var (
	_ auth.Method = (*Method)(nil)
	_ auth.Lister = (*Method)(nil)
)

// An account is what is remembered of a row.
type account struct {
	exists bool
	plain  bool        // the password is plain text: read it again
	keys   []auth.Keys // else
}

// New makes the method of the host whose database db is.
func New(db *storage.DB, derive *auth.Deriver, o Options) *Method {
	if len(o.Hashes) == 0 {
		o.Hashes = []auth.Hash{auth.SHA1}
	}
	if o.Iterations == 0 {
		o.Iterations = auth.DefaultIterations
	}
	if o.CacheEntries <= 0 {
		o.CacheEntries = 20_000
	}
	m := &Method{db: db, derive: derive, o: o}
	if db.Exclusive() {
		m.cache = cache.New[string, account](o.CacheEntries, 0)
	}
	return m
}

// Name implements auth.Method.
func (m *Method) Name() string { return m.o.Name }

// Store implements auth.Method.
func (m *Method) Store() auth.Store { return m.o.Format }

// Serves implements auth.Method: keys of any hash can be made of a plain
// password, SCRAM records have those they were made with. Accounts whose record
// is older than the options are not looked at: with plain passwords now and
// SHA-1 records from before, their clients fail with SCRAM-SHA-256, so whoever
// lists it in sasl_mechanisms sets new passwords for them or leaves it out.
func (m *Method) Serves(h auth.Hash) bool {
	return m.o.Format == auth.StorePlain || slices.Contains(m.o.Hashes, h)
}

const (
	selectUser = "SELECT password, pass_details FROM users WHERE username = ?"
	insertUser = "INSERT INTO users (username, password, pass_details) VALUES (?, ?, ?)"
	updateUser = "UPDATE users SET password = ?, pass_details = ? WHERE username = ?"
	deleteUser = "DELETE FROM users WHERE username = ?"
)

var putUser = storage.NewUpsert("users", []string{"username"}, []string{"password", "pass_details"})

func read(ctx context.Context, q storage.Querier, user string) (c auth.Credentials, exists bool, err error) {
	var password, details string
	exists, err = q.Row(ctx, selectUser, []any{user}, storage.OrZero(&password), storage.OrZero(&details))
	if !exists || err != nil {
		return auth.Credentials{}, false, err
	}
	return auth.ParseStored(password, details), true, nil
}

// remember tells what is kept of an account, and its size.
func remember(user string, c auth.Credentials, exists bool) (account, int) {
	a := account{exists: exists, plain: c.Plain != "", keys: c.Keys}
	size := len(user) + 40
	for _, k := range c.Keys {
		size += len(k.Stored) + len(k.Server) + len(k.Salt) + 120
	}
	return a, size
}

// lookup gives the account from the cache or the database. c is complete only
// if it has keys or fresh is true.
func (m *Method) lookup(ctx context.Context, user string) (a account, c auth.Credentials, fresh bool, err error) {
	if a, ok := m.cache.Get(user); ok {
		return a, auth.Credentials{Keys: a.keys}, false, nil
	}
	a, err = m.cache.Fetch(user, func() (account, int, error) {
		var exists bool
		var err error
		c, exists, err = read(ctx, m.db, user)
		fresh = true
		a, size := remember(user, c, exists)
		return a, size, err
	})
	if !fresh { // somebody else filled the cache just now
		c = auth.Credentials{Keys: a.keys}
	}
	return a, c, fresh, err
}

func (m *Method) credentials(ctx context.Context, user string) (c auth.Credentials, exists bool, err error) {
	a, c, fresh, err := m.lookup(ctx, user)
	if err == nil && a.plain && !fresh {
		c, a.exists, err = read(ctx, m.db, user)
	}
	if err != nil {
		return auth.Credentials{}, false, fmt.Errorf("read password of %s: %w", user, err)
	}
	return c, a.exists, nil
}

// Credentials implements auth.Method.
func (m *Method) Credentials(ctx context.Context, user string) (auth.Credentials, error) {
	c, _, err := m.credentials(ctx, user)
	return c, err
}

// Check implements auth.Method.
func (m *Method) Check(ctx context.Context, user, password string) (bool, error) {
	ok, _, err := m.check(ctx, user, password)
	return ok, err
}

func (m *Method) check(ctx context.Context, user, password string) (ok, exists bool, err error) {
	c, exists, err := m.credentials(ctx, user)
	if err != nil {
		return false, false, err
	}
	ok, err = m.derive.Check(ctx, c, password)
	if !ok && err == nil && len(c.Keys) == 0 && m.o.Format == auth.StoreSCRAM {
		// an account not yet converted answers as late as the others
		err = m.derive.Waste(ctx, password, slices.Min(m.o.Hashes), m.o.Iterations)
	}
	return ok, exists, err
}

// Exists implements auth.Method.
func (m *Method) Exists(ctx context.Context, user string) (bool, error) {
	a, _, _, err := m.lookup(ctx, user)
	if err != nil {
		return false, fmt.Errorf("look up %s: %w", user, err)
	}
	return a.exists, nil
}

// stored turns a new password into the columns password and pass_details.
func (m *Method) stored(ctx context.Context, password string) (c auth.Credentials, text string, details any, err error) {
	if m.o.Format != auth.StoreSCRAM {
		return auth.Credentials{Plain: password}, password, nil, nil
	}
	keys, err := m.derive.New(ctx, password, m.o.Hashes, m.o.Iterations)
	if err != nil {
		return auth.Credentials{}, "", nil, err
	}
	return auth.Credentials{Keys: keys}, "", auth.FormatDetails(keys), nil
}

// write runs a change of one account through the cache.
func (m *Method) write(op, user string, c auth.Credentials, exists bool, do func() error) error {
	err := m.cache.Write(user, func() (account, int, error) {
		a, size := remember(user, c, exists)
		return a, size, do()
	})
	switch {
	case err == nil, errors.Is(err, auth.ErrExists), errors.Is(err, auth.ErrNotAllowed):
		return err
	}
	return fmt.Errorf("%s %s: %w", op, user, err)
}

// Register implements auth.Method.
func (m *Method) Register(ctx context.Context, user, password string) error {
	c, text, details, err := m.stored(ctx, password)
	if err != nil {
		return err
	}
	return m.write("register", user, c, true, func() error {
		_, err := m.db.Exec(ctx, insertUser, user, text, details)
		if errors.Is(err, storage.ErrDuplicate) {
			return auth.ErrExists
		}
		return err
	})
}

// SetPassword implements auth.Method.
func (m *Method) SetPassword(ctx context.Context, user, password string) error {
	c, text, details, err := m.stored(ctx, password)
	if err != nil {
		return err
	}
	return m.write("set password of", user, c, true, func() error {
		if !m.o.MustExist || m.o.Format != auth.StoreSCRAM {
			return m.db.Upsert(ctx, putUser, user, text, details)
		}
		n, err := m.db.Exec(ctx, updateUser, text, details, user)
		if err == nil && n == 0 {
			return auth.ErrNotAllowed
		}
		return err
	})
}

// Remove implements auth.Method.
func (m *Method) Remove(ctx context.Context, user string) error {
	return m.write("remove", user, auth.Credentials{}, false, func() error {
		_, err := m.db.Exec(ctx, deleteUser, user)
		return err
	})
}

// RemoveChecked implements auth.Method.
func (m *Method) RemoveChecked(ctx context.Context, user, password string) error {
	ok, exists, err := m.check(ctx, user, password)
	switch {
	case err != nil:
		return err
	case !exists:
		return auth.ErrNotFound
	case !ok:
		return auth.ErrNotAuthorized
	}
	return m.Remove(ctx, user)
}

// like makes a LIKE pattern of a prefix; "!" is the escape character.
func like(prefix string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(prefix) + "%"
}

// Users implements auth.Lister. Rows without a name are skipped: 2.0.1 could
// leave one behind.
func (m *Method) Users(ctx context.Context, prefix string, offset, limit int) ([]string, error) {
	query := "SELECT username FROM users WHERE username <> '' AND username LIKE ? ESCAPE '!'"
	var users []string
	err := m.db.Rows(ctx, query, []any{like(prefix)}, func(s storage.Scanner) error {
		var u string
		err := s.Scan(&u)
		if strings.HasPrefix(u, prefix) { // LIKE may ignore case
			users = append(users, u)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	// The database's own order depends on its collation.
	slices.Sort(users)
	users = users[min(max(offset, 0), len(users)):]
	if limit > 0 {
		users = users[:min(limit, len(users))]
	}
	return users, nil
}

// Count implements auth.Lister.
func (m *Method) Count(ctx context.Context, prefix string) (int, error) {
	var n int
	_, err := m.db.Row(ctx, "SELECT count(*) FROM users WHERE username <> '' AND username LIKE ? ESCAPE '!'",
		[]any{like(prefix)}, &n)
	if err != nil {
		return 0, fmt.Errorf("count accounts: %w", err)
	}
	return n, nil
}

// Convert turns all plain passwords into SCRAM keys, as the options want new
// ones, and reports how many; it takes 0.7 ms of processor time an account and
// hash. Accounts whose password resourceprep refuses are left as they are. It
// may run while the server does, and be repeated.
func (m *Method) Convert(ctx context.Context) (converted int, err error) {
	type row struct{ user, password string }
	for after := ""; ; {
		var rows []row
		err := m.db.Rows(ctx, "SELECT username, password FROM users WHERE username > ? AND password <> '' AND (pass_details IS NULL OR pass_details = '') ORDER BY username LIMIT 100",
			[]any{after}, func(s storage.Scanner) error {
				var r row
				err := s.Scan(&r.user, &r.password)
				rows = append(rows, r)
				return err
			})
		if err != nil {
			return converted, fmt.Errorf("convert passwords: %w", err)
		}
		if len(rows) == 0 {
			return converted, nil
		}
		for _, r := range rows {
			after = r.user
			keys, err := m.derive.New(ctx, r.password, m.o.Hashes, m.o.Iterations)
			switch {
			case errors.Is(err, auth.ErrInvalidPassword), errors.Is(err, auth.ErrNullPassword):
				continue
			case err != nil:
				return converted, fmt.Errorf("convert passwords: %w", err)
			}
			var n int64
			err = m.cache.Write(r.user, func() (a account, size int, err error) {
				// not if the password was changed meanwhile
				n, err = m.db.Exec(ctx, "UPDATE users SET password = '', pass_details = ? WHERE username = ? AND password = ? AND (pass_details IS NULL OR pass_details = '')",
					auth.FormatDetails(keys), r.user, r.password)
				return account{}, -1, err
			})
			if err != nil {
				return converted, fmt.Errorf("convert passwords: %w", err)
			}
			converted += int(n)
		}
	}
}
