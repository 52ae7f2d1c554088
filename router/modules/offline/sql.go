package offline

import (
	"context"
	"time"

	"meerkat/router/jid"
	"meerkat/router/stanza"
	"meerkat/router/storage"
	"meerkat/router/storage/cache"
)

// SQL keeps messages in the table offline_message of MongooseIM 2.0.1. It implements
// Store.
type SQL struct {
	db   *storage.DB
	host string
	// waiting knows for how many messages wait for a user, so that a login
	// without any costs no query; nil if others write to the database too.
	waiting *cache.LRU[string, int]
}

const cachedUsers = 200_000

// NewSQL returns a store in a database for one host.
func NewSQL(db *storage.DB, host string) *SQL {
	s := &SQL{db: db, host: host}
	if db.Exclusive() {
		s.waiting = cache.New[string, int](cachedUsers, 0)
	}
	return s
}

var columns = []string{"timestamp", "expire", "server", "username", "from_jid", "packet"}

// Put implements Store.
func (s *SQL) Put(ctx context.Context, user string, m *Message, limit int) (stored bool, err error) {
	err = s.waiting.Write(user, func() (n, size int, err error) {
		err = s.db.Tx(ctx, func(tx *storage.Tx) error {
			stored = false
			if n, err = s.count(ctx, tx, user); err != nil {
				return err
			}
			if limit >= 0 && n >= limit {
				return nil
			}
			var expire any
			if !m.Expire.IsZero() {
				expire = m.Expire.UnixMicro()
			}
			packet := m.Stanza.WithAddresses(m.From.String(), m.To.String()).String()
			if err := tx.InsertRows(ctx, "offline_message", columns, [][]any{
				{m.At.UnixMicro(), expire, s.host, user, m.From.String(), packet},
			}); err != nil {
				return err
			}
			stored = true
			n++
			return nil
		})
		return n, 0, err
	})
	return stored && err == nil, err
}

func (s *SQL) count(ctx context.Context, q storage.Querier, user string) (n int, err error) {
	_, err = q.Row(ctx, "SELECT COUNT(*) FROM offline_message WHERE server = ? AND username = ?", []any{s.host, user}, &n)
	return n, err
}

// Take implements Store.
func (s *SQL) Take(ctx context.Context, user string, now time.Time) (list []Message, err error) {
	n, err := s.waiting.Fetch(user, func() (n, size int, err error) {
		n, err = s.count(ctx, s.db, user)
		return n, 0, err
	})
	if err != nil || n == 0 {
		return nil, err
	}
	err = s.waiting.Write(user, func() (n, size int, err error) {
		err = s.db.Tx(ctx, func(tx *storage.Tx) error {
			list = nil
			if err := tx.Rows(ctx, "SELECT timestamp, from_jid, packet FROM offline_message"+
				" WHERE server = ? AND username = ? AND (expire IS NULL OR expire > ?) ORDER BY timestamp, id",
				[]any{s.host, user, now.UnixMicro()}, func(row storage.Scanner) error {
					m, err := message(row)
					if err == nil && m.Stanza != nil {
						list = append(list, m)
					}
					return err
				}); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "DELETE FROM offline_message WHERE server = ? AND username = ?", s.host, user)
			return err
		})
		return 0, 0, err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// message reads a row. What is no message is left out: it has lain there since
// somebody else wrote it.
func message(row storage.Scanner) (m Message, err error) {
	var at int64
	var from, packet string
	if err := row.Scan(&at, storage.OrZero(&from), storage.OrZero(&packet)); err != nil {
		return m, err
	}
	m.At = time.UnixMicro(at)
	if m.From, err = jid.Parse(from); err != nil {
		return m, nil
	}
	st, _, _, err := stanza.ParseString(packet, nil)
	if err != nil || st == nil || st.Kind != stanza.Message {
		return m, nil
	}
	if m.To, err = jid.Parse(st.To); err != nil {
		return m, nil
	}
	m.Stanza = st
	return m, nil
}

// DeleteAll implements Store.
func (s *SQL) DeleteAll(ctx context.Context, user string) error {
	return s.waiting.Write(user, func() (n, size int, err error) {
		_, err = s.db.Exec(ctx, "DELETE FROM offline_message WHERE server = ? AND username = ?", s.host, user)
		return 0, 0, err
	})
}
