package client

import (
	"sync"

	"go.uber.org/zap"

	"meerkat/router/session"
	"meerkat/router/stanza"
)

// An item is what waits in a client's queue: a stanza or a signal.
type item struct {
	stanza.Packet
	signal session.Signal
}

const (
	// maxQueue and maxQueuedBytes bound the queue of a client that does not
	// read, where the configuration sets no bound.
	maxQueue       = 50_000
	maxQueuedBytes = 32 << 20
	// flushBytes is how much is put together for one write.
	flushBytes = 64 << 10
)

// Deliver implements session.Receiver.
func (c *Client) Deliver(t *session.Turn, p stanza.Packet) {
	if !c.push(t, item{Packet: p}) {
		// The session has just ended: its place in the registry is empty, so
		// the stanza now goes where it goes without it.
		c.server.Router.Route(t, p)
	}
}

// Signal implements session.Receiver.
func (c *Client) Signal(t *session.Turn, s session.Signal) {
	if _, drop := s.(session.Drop); drop {
		// Not behind what a dead peer does not take.
		c.queueMu.Lock()
		c.ended = true
		c.queueMu.Unlock()
		c.transport.Drop()
		return
	}
	c.push(t, item{signal: s})
}

// push queues it. It reports false if the session is gone.
func (c *Client) push(t *session.Turn, it item) bool {
	c.queueMu.Lock()
	defer c.queueMu.Unlock()
	if c.lost {
		return false
	}
	if c.queue == nil {
		c.queue = *queues.Get().(*[]item)
	}
	c.queue = append(c.queue, it)
	if it.Stanza != nil {
		c.queued += it.Stanza.Size()
	}
	if c.turnMark != t {
		c.turnMark = t
		t.Mark(c)
	}
	return true
}

// overfull reports whether more waits than may. queueMu is held.
func (c *Client) overfull() bool {
	limit := c.opts.MaxQueue
	if limit == 0 {
		limit = maxQueue
	}
	return len(c.queue) > limit || c.queued > maxQueuedBytes
}

// queues are the slices of queues that are in use. An idle client has none.
var queues = sync.Pool{New: func() any { q := make([]item, 0, 32); return &q }}

const maxKeptQueue = 256

func putQueue(q []item) {
	if cap(q) <= maxKeptQueue {
		clear(q)
		q = q[:0]
		queues.Put(&q)
	}
}

// Flush implements session.Flusher: it hands what is queued to the client and
// writes it, as long as the transport takes it. One goroutine does this at a time.
func (c *Client) Flush(t *session.Turn) {
	c.queueMu.Lock()
	c.turnMark = nil
	if c.draining {
		c.queueMu.Unlock()
		return // whoever drains looks at the queue again before it ends
	}
	c.draining = true
	for rounds := 0; ; rounds++ {
		if c.ended || c.lost || len(c.queue) == 0 {
			break
		}
		if c.transport.Congested() {
			if c.overfull() {
				c.ended = true
				c.queueMu.Unlock()
				c.server.Log.Warn("client does not read what it is sent, connection dropped",
					zap.Stringer("jid", c.jid), zap.Int("max_fsm_queue", c.opts.MaxQueue))
				c.transport.Drop()
				c.queueMu.Lock()
			}
			break
		}
		if rounds == maxRounds {
			// Others keep filling the queue: this goroutine has work of its own.
			c.draining = false
			c.queueMu.Unlock()
			go c.Drained()
			return
		}
		batch := c.queue
		c.queue, c.queued = nil, 0
		c.queueMu.Unlock()
		rest := c.write(t, batch)
		c.queueMu.Lock()
		c.putBack(rest)
		putQueue(batch)
	}
	c.draining = false
	c.queueMu.Unlock()
}

// maxRounds is how many batches one goroutine writes for others in a row.
const maxRounds = 16

// putBack puts items that were not written before those queued meanwhile. queueMu is
// held.
func (c *Client) putBack(rest []item) {
	if len(rest) == 0 {
		return
	}
	q := make([]item, 0, len(rest)+len(c.queue))
	q = append(append(q, rest...), c.queue...)
	for _, it := range rest {
		if it.Stanza != nil {
			c.queued += it.Stanza.Size()
		}
	}
	c.queue = q
}

// write hands the items of a batch to the client. It stops when the transport is
// congested or the stream has ended, and returns what is left.
func (c *Client) write(t *session.Turn, batch []item) (rest []item) {
	buf := buffers.Get().(*[]byte)
	b := (*buf)[:0]
	defer func() {
		*buf = b
		putBuffer(buf)
	}()
	for i := range batch {
		it := &batch[i]
		switch s := it.signal.(type) {
		case nil:
			if out, ok := c.incoming(t, it.Packet); ok {
				b = c.transport.AppendStanza(b, &out)
			}
			if len(b) < flushBytes {
				continue
			}
			if !c.put(b) || c.transport.Congested() {
				b = b[:0]
				return batch[i+1:]
			}
			b = b[:0]
		case session.RosterChanged:
			c.rosterChanged(t, s)
		case session.End:
			c.put(b)
			c.queueMu.Lock()
			c.status = s.Status
			c.queueMu.Unlock()
			c.end(&stanza.StreamError{Condition: s.Condition, Text: s.Text, Lang: c.lang})
			return batch[i+1:]
		}
	}
	c.put(b)
	return nil
}

// put writes b, and notes when the transport is gone: what is still queued is kept
// for others then.
func (c *Client) put(b []byte) bool {
	if len(b) == 0 || c.transport.Write(b) == nil {
		return true
	}
	c.queueMu.Lock()
	c.ended = true
	c.queueMu.Unlock()
	return false
}

// Drained implements stream.Handler.
func (c *Client) Drained() {
	t := session.NewTurn(c.server.Router.Context())
	c.Flush(t)
	t.Flush()
}

// abandon stops the queue and returns what is left in it.
func (c *Client) abandon() (rest []item, status string) {
	c.queueMu.Lock()
	defer c.queueMu.Unlock()
	c.lost = true
	c.ended = true
	rest = c.queue
	c.queue, c.queued = nil, 0
	return rest, c.status
}
