package roster

import (
	"context"
	"slices"

	"meerkat/router/jid"
	"meerkat/router/storage"
	"meerkat/router/storage/cache"
)

// SQL keeps rosters in the tables rosterusers, rostergroups and roster_version of
// MongooseIM 2.0.1. It implements Store.
type SQL struct {
	db    *storage.DB
	items *cache.LRU[string, []Item] // nil if others write to the database too
}

// Bounds of what is kept in memory.
const (
	cachedRosters = 100_000
	cachedBytes   = 32 << 20
)

// NewSQL returns a store in a database of one host.
func NewSQL(db *storage.DB) *SQL {
	s := &SQL{db: db}
	if db.Exclusive() {
		s.items = cache.New[string, []Item](cachedRosters, cachedBytes)
	}
	return s
}

// Codes of the columns subscription and ask.
var (
	subscriptionCodes = [...]string{None: "N", To: "T", From: "F", Both: "B"}
	askCodes          = [...]string{AskNone: "N", AskOut: "O", AskIn: "I", AskBoth: "B"}
)

func subscriptionOf(code string) Subscription {
	return Subscription(max(slices.Index(subscriptionCodes[:], code), 0))
}

// askOf reads a code. S and U are what ejabberd wrote for a question of the user's.
func askOf(code string) Ask {
	switch code {
	case "S":
		return AskOut
	case "U":
		return AskNone
	}
	return Ask(max(slices.Index(askCodes[:], code), 0))
}

// Items implements Store.
func (s *SQL) Items(ctx context.Context, user string) ([]Item, error) {
	return s.items.Fetch(user, func() ([]Item, int, error) { return s.read(ctx, s.db, user) })
}

// read returns the roster and how much memory it takes.
func (s *SQL) read(ctx context.Context, q storage.Querier, user string) (items []Item, size int, err error) {
	index := map[string]int{} // in items, by the text in the table
	err = q.Rows(ctx, "SELECT jid, nick, subscription, ask, askmessage FROM rosterusers WHERE username = ?", []any{user},
		func(row storage.Scanner) error {
			var contact, sub, ask string
			var it Item
			if err := row.Scan(storage.OrZero(&contact), storage.OrZero(&it.Name), storage.OrZero(&sub),
				storage.OrZero(&ask), storage.OrZero(&it.Request)); err != nil {
				return err
			}
			var err error
			if it.Contact, err = jid.Parse(contact); err != nil {
				return nil // as the reference: an address that cannot be one is no contact
			}
			it.state = state{subscriptionOf(sub), askOf(ask)}
			index[contact] = len(items)
			items = append(items, it)
			size += 160 + len(contact) + len(it.Name) + len(it.Request)
			return nil
		})
	if err != nil || len(items) == 0 {
		return items, size, err
	}
	err = q.Rows(ctx, "SELECT jid, grp FROM rostergroups WHERE username = ?", []any{user},
		func(row storage.Scanner) error {
			var contact, group string
			if err := row.Scan(storage.OrZero(&contact), storage.OrZero(&group)); err != nil {
				return err
			}
			if i, ok := index[contact]; ok && group != "" {
				items[i].Groups = append(items[i].Groups, group)
				size += 16 + len(group)
			}
			return nil
		})
	return items, size, err
}

var putItem = storage.NewUpsert("rosterusers", []string{"username", "jid"},
	[]string{"nick", "subscription", "ask", "askmessage", "server", "subscribe", "type"})

// Put implements Store.
func (s *SQL) Put(ctx context.Context, user string, it *Item) error {
	return s.change(ctx, user, func(tx *storage.Tx) error {
		contact := it.Contact.String()
		if err := tx.Upsert(ctx, putItem, user, contact, it.Name, subscriptionCodes[it.Subscription],
			askCodes[it.Ask], it.Request, "N", "", "item"); err != nil {
			return err
		}
		if err := deleteGroups(ctx, tx, user, contact); err != nil {
			return err
		}
		rows := make([][]any, 0, len(it.Groups))
		for _, g := range it.Groups {
			if g != "" { // the reference's table has none, only its push
				rows = append(rows, []any{user, contact, g})
			}
		}
		return tx.InsertRows(ctx, "rostergroups", []string{"username", "jid", "grp"}, rows)
	})
}

func deleteGroups(ctx context.Context, tx *storage.Tx, user, contact string) error {
	_, err := tx.Exec(ctx, "DELETE FROM rostergroups WHERE username = ? AND jid = ?", user, contact)
	return err
}

// Delete implements Store.
func (s *SQL) Delete(ctx context.Context, user string, contact jid.JID) error {
	return s.change(ctx, user, func(tx *storage.Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM rosterusers WHERE username = ? AND jid = ?", user, contact.String()); err != nil {
			return err
		}
		return deleteGroups(ctx, tx, user, contact.String())
	})
}

// DeleteAll implements Store.
func (s *SQL) DeleteAll(ctx context.Context, user string) error {
	return s.change(ctx, user, func(tx *storage.Tx) error {
		for _, table := range []string{"rosterusers", "rostergroups", "roster_version"} {
			if _, err := tx.Exec(ctx, "DELETE FROM "+table+" WHERE username = ?", user); err != nil {
				return err
			}
		}
		return nil
	})
}

// change runs fn in a transaction and keeps what the roster is after it.
func (s *SQL) change(ctx context.Context, user string, fn func(tx *storage.Tx) error) error {
	return s.items.Write(user, func() (items []Item, size int, err error) {
		err = s.db.Tx(ctx, func(tx *storage.Tx) error {
			if err := fn(tx); err != nil {
				return err
			}
			items, size, err = s.read(ctx, tx, user)
			return err
		})
		return items, size, err
	})
}

// Version implements Store.
func (s *SQL) Version(ctx context.Context, user string) (version string, err error) {
	_, err = s.db.Row(ctx, "SELECT version FROM roster_version WHERE username = ?", []any{user}, storage.OrZero(&version))
	return version, err
}

var putVersion = storage.NewUpsert("roster_version", []string{"username"}, []string{"version"})

// SetVersion implements Store.
func (s *SQL) SetVersion(ctx context.Context, user, version string) error {
	return s.db.Upsert(ctx, putVersion, user, version)
}
