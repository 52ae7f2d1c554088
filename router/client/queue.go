package client

import (
	"runtime/debug"
	"sync"

	"go.uber.org/zap"

	"meerkat/router"
	"meerkat/router/session"
	"meerkat/router/stanza"
)

// An item is what waits in a client's queue: a stanza or a signal.
type item struct {
	stanza.Packet
	signal session.Signal
	copies *router.Copies // of a message that other sessions got too
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
	c.deliver(t, item{Packet: p})
}

// DeliverCopy implements router.CopyReceiver.
func (c *Client) DeliverCopy(t *session.Turn, p stanza.Packet, copies *router.Copies) {
	c.deliver(t, item{Packet: p, copies: copies})
}

func (c *Client) deliver(t *session.Turn, it item) {
	if !c.push(t, it) {
		// The session has just ended: its place in the registry is empty, so
		// the stanza now goes where it goes without it.
		c.reroute(t, it)
	}
}

// reroute sends on what the client was not given.
func (c *Client) reroute(t *session.Turn, rest ...item) {
	r := c.server.Router
	for i := range rest {
		switch it := &rest[i]; {
		case it.Stanza == nil || it.To.IsZero(): // an answer to the client itself
		case it.copies != nil:
			r.ReturnCopy(t, it.Packet, it.copies, c.session)
		default:
			r.Route(t, it.Packet)
		}
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
		c.queue = takeQueue()
	}
	c.queue = append(c.queue, it)
	if it.Stanza != nil {
		c.queued += it.Stanza.Size()
	}
	if e, ok := it.signal.(session.End); ok && c.endSignal == nil {
		c.endSignal = heap(e)
	}
	if c.turnMark != t {
		c.turnMark = t
		t.Mark(c)
	}
	return true
}

// heap returns a copy that may outlive its caller, who would allocate for every
// item otherwise.
func heap(e session.End) *session.End { return &e }

// overfull reports whether more waits than may, beside what the client fetched
// itself. queueMu is held.
func (c *Client) overfull() bool {
	limit := c.opts.MaxQueue
	if limit == 0 {
		limit = maxQueue
	}
	return len(c.queue) > limit+c.fetched || c.queued > maxQueuedBytes+c.fetchedBytes
}

// smallQueue is the capacity of a queue at first. 16 messages are what a client gets
// of one that sends as fast as it can.
const smallQueue = 32

// queues has the memory of queues that are in use. An idle client has none.
var queues = sync.Pool{New: func() any { return new([smallQueue]item) }}

func takeQueue() []item { return queues.Get().(*[smallQueue]item)[:0] }

func putQueue(q []item) {
	if cap(q) == smallQueue {
		clear(q)
		queues.Put((*[smallQueue]item)(q[:smallQueue]))
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
	defer c.recoverFlush()
	for rounds := 0; ; rounds++ {
		if c.lost {
			// The stream ended while this goroutine wrote, and left to it what
			// the client was not given.
			rest := c.queue
			c.queue, c.queued = nil, 0
			c.draining = false
			c.queueMu.Unlock()
			c.reroute(t, rest...)
			return
		}
		if c.ended {
			break
		}
		congested := c.transport.Congested()
		if congested && c.endSignal != nil && c.ending == nil {
			// What is before it in the queue goes to others: somebody who does
			// not read must not keep a session alive that was replaced.
			c.ending = &ending{endError(c.endSignal, c.lang), c.endSignal}
		}
		if e := c.ending; e != nil {
			c.queueMu.Unlock()
			c.writeEnd(t, e)
			c.queueMu.Lock()
			continue
		}
		if len(c.queue) == 0 {
			c.fetched, c.fetchedBytes = 0, 0
			break
		}
		if congested {
			if c.overfull() {
				c.ended = true
				c.queueMu.Unlock()
				c.server.Log.Warn("client does not read what it is sent, connection dropped",
					zap.Stringer("jid", c.jid), zap.Int("max_fsm_queue", c.opts.MaxQueue))
				c.transport.Drop()
				c.queueMu.Lock()
				continue
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

// recoverFlush ends the stream when handling its queue panicked: the goroutine that
// flushes is another client's, and must not pay for it.
func (c *Client) recoverFlush() {
	p := recover()
	if p == nil {
		return
	}
	c.server.Log.Error("panic in a client's queue", zap.Stringer("jid", c.jid),
		zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
	c.queueMu.Lock()
	c.draining = false
	c.ended = true
	c.queueMu.Unlock()
	c.transport.Drop()
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
// congested or gone, or the stream ends, and returns what the client was not
// given.
func (c *Client) write(t *session.Turn, batch []item) (rest []item) {
	buf := buffers.Get().(*[]byte)
	b := (*buf)[:0]
	defer func() {
		*buf = b
		putBuffer(buf)
	}()
	unwritten := 0 // the first item of what is in b
	for i := range batch {
		it := &batch[i]
		switch s := it.signal.(type) {
		case nil:
			p := &it.Packet
			switch st := c.incoming(t, it.Packet); st {
			case it.Stanza:
			case nil:
				it.Stanza = nil // has been dealt with
				continue
			default: // the queue keeps what goes to others if this fails
				p = &stanza.Packet{From: it.From, To: it.To, Stanza: st}
			}
			b = c.transport.AppendStanza(b, p)
			if len(b) < flushBytes {
				continue
			}
			if !c.put(b) {
				return batch[unwritten:]
			}
			b, unwritten = b[:0], i+1
			if c.transport.Congested() {
				return batch[unwritten:]
			}
		case session.RosterChanged:
			c.rosterChanged(t, s)
		case session.End:
			if !c.put(b) {
				return batch[unwritten:]
			}
			b = b[:0]
			c.writeEnd(t, &ending{endError(&s, c.lang), heap(s)})
			return batch[i+1:]
		}
	}
	if !c.put(b) {
		return batch[unwritten:]
	}
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

// An ending is how a stream ends.
type ending struct {
	err    *stanza.StreamError // nil: without an error
	signal *session.End        // who ended it, if it was a signal
}

func endError(s *session.End, lang string) *stanza.StreamError {
	return &stanza.StreamError{Condition: s.Condition, Text: s.Text, Lang: lang}
}

// end ends the stream, with an error or, if e is nil, without. It returns when
// nothing more is read; another goroutine that is writing finishes that first.
func (c *Client) end(e *stanza.StreamError) {
	c.queueMu.Lock()
	if c.ending == nil {
		c.ending = &ending{err: e}
	}
	c.queueMu.Unlock()
	c.Flush(&c.turn)
}

// writeEnd writes the end of the stream and closes the transport. It is called by
// the goroutine that drains the queue, and does nothing when the stream has ended.
func (c *Client) writeEnd(t *session.Turn, e *ending) {
	c.queueMu.Lock()
	done := c.ended
	c.ended = true
	c.queueMu.Unlock()
	if done {
		return
	}
	buf := buffers.Get().(*[]byte)
	b := (*buf)[:0]
	if e.err != nil {
		b = c.transport.AppendElement(b, e.err.Element())
	}
	b = c.transport.AppendEnd(b)
	_ = c.transport.Write(b) // a transport that is gone calls Lost
	*buf = b
	putBuffer(buf)
	if e.signal != nil {
		// The session that takes this one's place waits for nobody: contacts
		// must hear first that the old one is gone.
		c.leave(t, e.signal.Status)
	}
	c.transport.Close()
}

// abandon stops the queue and returns what is left in it, unless a goroutine that
// drains it does the rest. status is for the contacts; first is false if the queue
// was stopped before.
func (c *Client) abandon() (rest []item, status string, first bool) {
	c.queueMu.Lock()
	defer c.queueMu.Unlock()
	first = !c.lost
	c.lost = true
	c.ended = true
	if c.endSignal != nil {
		status = c.endSignal.Status
	}
	if !c.draining {
		rest = c.queue
		c.queue, c.queued = nil, 0
	}
	return rest, status, first
}

// hold keeps what comes for the client in the queue until release is called. It is
// called before anything can come.
func (c *Client) hold() {
	c.queueMu.Lock()
	c.draining = true
	c.queueMu.Unlock()
}

func (c *Client) release() {
	c.queueMu.Lock()
	c.draining = false
	waiting := len(c.queue) > 0
	c.queueMu.Unlock()
	if waiting {
		c.turn.Mark(c)
	}
}
