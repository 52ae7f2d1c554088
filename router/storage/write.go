package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// An Upsert writes one row of a table whether it exists or not, in the way of
// the reference: UPDATE; if that found no row INSERT; if that fails because
// somebody else was faster, UPDATE again. It is made once and used for ever.
type Upsert struct {
	update, insert string
	key, set       int
}

// NewUpsert prepares the texts. key are the columns of the primary or unique
// key, set the others; without set columns the row is merely made to exist.
func NewUpsert(table string, key, set []string) *Upsert {
	if len(key) == 0 {
		panic("storage: upsert into " + table + " without key")
	}
	u := &Upsert{key: len(key), set: len(set)}
	u.insert = insertText(table, append(append([]string(nil), key...), set...), 1)
	if len(set) > 0 {
		u.update = "UPDATE " + table + " SET " + strings.Join(set, " = ?, ") + " = ? WHERE " +
			strings.Join(key, " = ? AND ") + " = ?"
	}
	return u
}

// updateArgs puts the values of an INSERT in the order of the UPDATE.
func (u *Upsert) updateArgs(args []any) []any {
	out := make([]any, 0, len(args))
	return append(append(out, args[u.key:]...), args[:u.key]...)
}

func (u *Upsert) run(args []any, exec func(query string, args []any) (int64, error), try func(query string, args []any) error) error {
	if len(args) != u.key+u.set {
		return fmt.Errorf("%s: %d values for %d columns", u.insert, len(args), u.key+u.set)
	}
	if u.set == 0 {
		if err := try(u.insert, args); err != nil && !errors.Is(err, ErrDuplicate) {
			return err
		}
		return nil
	}
	up := u.updateArgs(args)
	n, err := exec(u.update, up)
	if err != nil || n > 0 {
		return err
	}
	err = try(u.insert, args)
	if err == nil || !errors.Is(err, ErrDuplicate) {
		return err
	}
	// MySQL counts a row that already had these values as not changed; then
	// this changes nothing once more, and that is right.
	_, err = exec(u.update, up)
	return err
}

// Upsert implements Querier; each of the statements is a transaction of its own.
func (d *DB) Upsert(ctx context.Context, u *Upsert, args ...any) error {
	return u.run(args,
		func(query string, args []any) (int64, error) { return d.Exec(ctx, query, args...) },
		func(query string, args []any) error { _, err := d.exec(ctx, query, args); return err })
}

// Upsert implements Querier.
func (t *Tx) Upsert(ctx context.Context, u *Upsert, args ...any) error {
	return u.run(args,
		func(query string, args []any) (int64, error) { return t.Exec(ctx, query, args...) },
		func(query string, args []any) error { return t.try(ctx, query, args) })
}

// maxInsertRows bounds the rows of one INSERT. More make statements that no
// plan cache keeps and gain nothing.
const maxInsertRows = 64

func insertText(table string, columns []string, rows int) string {
	row := "(" + strings.TrimSuffix(strings.Repeat("?,", len(columns)), ",") + ")"
	return "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES " +
		strings.TrimSuffix(strings.Repeat(row+",", rows), ",")
}

// insertRows hands the rows to exec in full statements of one size, then the
// rest in powers of two, so that only a handful of texts exist for a table.
func (d *Dialect) insertRows(table string, columns []string, rows [][]any, exec func(query string, args []any) error) error {
	most := max(1, min(maxInsertRows, d.maxParams()/max(len(columns), 1)))
	for len(rows) > 0 {
		n := most
		for n > len(rows) {
			n /= 2
		}
		args := make([]any, 0, n*len(columns))
		for _, r := range rows[:n] {
			if len(r) != len(columns) {
				return fmt.Errorf("insert into %s: %d values for %d columns", table, len(r), len(columns))
			}
			args = append(args, r...)
		}
		if err := exec(insertText(table, columns, n), args); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// InsertRows implements Querier.
func (d *DB) InsertRows(ctx context.Context, table string, columns []string, rows [][]any) error {
	return d.dialect.insertRows(table, columns, rows, func(query string, args []any) error {
		_, err := d.exec(ctx, query, args)
		return err
	})
}

// InsertRows implements Querier.
func (t *Tx) InsertRows(ctx context.Context, table string, columns []string, rows [][]any) error {
	return t.db.dialect.insertRows(table, columns, rows, func(query string, args []any) error {
		_, err := t.exec(ctx, query, args)
		return err
	})
}
