package storage

import (
	"strconv"
	"strings"
)

// A Dialect says how one kind of database differs from the others. Its zero
// value is a database with "?" parameters, last insert ids, and no errors worth
// telling apart.
type Dialect struct {
	// Name appears in errors and logs: "sqlite", "postgres", "mysql".
	Name string
	// Param is put before the number of a parameter: "$" gives $1, $2.
	// Empty: the parameter stays "?".
	Param string
	// Local tells that statements run inside this process and never wait for
	// a network. Then a deadline bounds the wait for a connection only and the
	// statement itself runs to its end: handing a driver a cancellable context
	// costs two goroutines and 4 to 7 µs a statement, as much as the statement.
	Local bool
	// Returning tells that a generated id comes from INSERT … RETURNING and
	// not from the driver's last insert id (PostgreSQL).
	Returning bool
	// AbortsTx tells that a failed statement spoils its transaction, so that
	// one which may fail needs a savepoint (PostgreSQL).
	AbortsTx bool
	// MaxParams is the largest number of parameters in one statement; 0 means
	// 999, which every database allows.
	MaxParams int
	// Busy tells whether err means that the same work may succeed if it is
	// done again: a lock held by somebody else, a deadlock, a serialization
	// failure. Nil: never.
	Busy func(err error) bool
	// Duplicate tells whether err means that a row with this key is there
	// already. Nil: never; errors.Is with ErrDuplicate is false then.
	Duplicate func(err error) bool
}

// Bind turns the "?" parameters of a statement into the dialect's form. Quoted
// texts and quoted names are left alone; a doubled "??" is not special, since
// none of the statements here use an operator with a question mark.
func (d *Dialect) Bind(query string) string {
	if d.Param == "" || !strings.Contains(query, "?") {
		return query
	}
	var b strings.Builder
	b.Grow(len(query) + 16)
	n := 0
	var quote byte
	for i := 0; i < len(query); i++ {
		switch c := query[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
			b.WriteByte(c)
		case c == '\'' || c == '"' || c == '`':
			quote = c
			b.WriteByte(c)
		case c == '?':
			n++
			b.WriteString(d.Param)
			b.WriteString(strconv.Itoa(n))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func (d *Dialect) maxParams() int {
	if d.MaxParams > 0 {
		return d.MaxParams
	}
	return 999
}

func (d *Dialect) busy(err error) bool      { return d.Busy != nil && d.Busy(err) }
func (d *Dialect) duplicate(err error) bool { return d.Duplicate != nil && d.Duplicate(err) }
