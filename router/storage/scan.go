package storage

import "database/sql"

// OrZero makes a scan destination that turns NULL into the zero value, as old
// databases want it. Numbers given as text and booleans as t, true, 1, f,
// false, 0 are understood, too.
func OrZero[T any](dest *T) sql.Scanner { return orZero[T]{dest} }

type orZero[T any] struct{ dest *T }

func (z orZero[T]) Scan(src any) error {
	if s, ok := src.(string); ok { // the common case without a detour
		if d, ok := any(z.dest).(*string); ok {
			*d = s
			return nil
		}
	}
	var n sql.Null[T]
	if err := n.Scan(src); err != nil {
		return err
	}
	*z.dest = n.V
	return nil
}
