package session

import (
	"context"

	"meerkat/router/stanza"
	"meerkat/router/storage"
)

// A Turn is one piece of work that hands stanzas to receivers: what one read from
// a socket led to, one request served by a worker, one timer that fired. It
// collects the receivers that were given something, so that each of them writes
// once at the end and not once for every stanza.
//
// A Turn is used by one goroutine at a time. It is a context.Context, so that it
// can be passed on to what wants one.
type Turn struct {
	context.Context
	dirty []Flusher
}

// A Flusher has a queue that somebody has to empty.
type Flusher interface {
	// Flush writes out what the queue holds, as far as the transport takes it
	// without blocking.
	Flush(t *Turn)
}

// NewTurn returns a Turn that ends with ctx.
func NewTurn(ctx context.Context) *Turn { return &Turn{Context: ctx} }

// Mark notes that f has something to flush.
func (t *Turn) Mark(f Flusher) {
	if n := len(t.dirty); n > 0 && t.dirty[n-1] == f {
		return
	}
	t.dirty = append(t.dirty, f)
}

// Flush empties the queues of all marked receivers, of those too that become
// marked meanwhile. It is called at the end of the turn, and before anything that
// may wait: nobody else flushes what this turn has handed out.
func (t *Turn) Flush() {
	for n := len(t.dirty); n > 0; n = len(t.dirty) {
		// Taken out first: a flush may mark others, and may wait, and so flush the
		// turn again.
		f := t.dirty[n-1]
		t.dirty[n-1] = nil
		t.dirty = t.dirty[:n-1]
		f.Flush(t)
	}
	if cap(t.dirty) > keepDirty {
		t.dirty = nil
	}
}

// keepDirty is how many marks a turn keeps room for between flushes: an idle
// connection should not hold the memory of its busiest moment.
const keepDirty = 8

// Value implements context.Context. It has the turn's Flush for
// storage.BeforeWait: a slow database must not keep from receivers what they were
// given before.
func (t *Turn) Value(key any) any {
	if _, ok := key.(storage.BeforeWait); ok {
		return t.Flush
	}
	return t.Context.Value(key)
}

// A Receiver is the live end of a session, on this node or, through the
// cluster, on another one.
type Receiver interface {
	// Deliver queues p and marks the receiver in t. It never blocks.
	Deliver(t *Turn, p stanza.Packet)
	// Signal queues something that is not a stanza, in order with the stanzas.
	Signal(t *Turn, s Signal)
}

// A Signal is a message between sessions that no client sees as such:
// RosterChanged, End or Drop.
type Signal interface{ signal() }
