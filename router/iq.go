package router

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"meerkat/cfgterm/schema"
	"meerkat/router/session"
	"meerkat/router/stanza"
)

// A Table is one of the two IQ tables of a host.
type Table uint8

const (
	// ServerTable has the handlers for requests to the host itself.
	ServerTable Table = iota
	// AccountTable has those for requests to the bare JID of an account.
	AccountTable
)

// A Request is an IQ of type get or set with exactly one child in a namespace of
// its own.
type Request struct {
	Packet
	Host *Host
}

// Result returns an empty result for the request.
func (r *Request) Result() *stanza.Stanza { return stanza.Result(r.Stanza) }

// IsSet reports whether the request is of type set.
func (r *Request) IsSet() bool { return r.Stanza.Type == "set" }

// An IQHandler answers a request. The reply's addresses are those of the request,
// swapped. A nil reply without error means that the reply comes later, or that
// there is none. A *stanza.Error is sent to the requester with the request's
// payload; any other error is logged and answered with internal-server-error.
type IQHandler func(t *Turn, req *Request) (*stanza.Stanza, error)

// A Discipline says in which goroutine an IQ handler runs: the option iqdisc of
// most modules.
type Discipline struct {
	kind    disciplineKind
	workers int
}

type disciplineKind uint8

const (
	noQueue disciplineKind = iota
	queues
	parallel
)

// NoQueue runs the handler in the goroutine of the sender: {iqdisc, no_queue}.
func NoQueue() Discipline { return Discipline{kind: noQueue} }

// Queues runs requests in n queues, one at a time and in order in each of them:
// {iqdisc, one_queue} is Queues(1), {iqdisc, {queues, N}} is Queues(N). n below 1
// counts as 1.
func Queues(n int) Discipline { return Discipline{kind: queues, workers: max(n, 1)} }

// Parallel runs each request in a goroutine of its own: {iqdisc, parallel}.
func Parallel() Discipline { return Discipline{kind: parallel} }

// DisciplineOf returns the discipline for a value of the option iqdisc.
func DisciplineOf(d schema.IQDisc) Discipline {
	switch d.Method {
	case "one_queue":
		return Queues(1)
	case "queues":
		return Queues(d.Queues)
	case "parallel":
		return Parallel()
	default:
		return NoQueue()
	}
}

// maxQueued is how many requests may wait in one IQ queue, or run at a time where
// each has a goroutine of its own. More are answered with resource-constraint: a
// slow database must not fill the memory.
const maxQueued = 10_000

// An iqEntry is a registered handler.
type iqEntry struct {
	fn      IQHandler
	kind    disciplineKind
	queues  []iqQueue
	next    atomic.Uint32 // queue for the next request
	running atomic.Int32  // goroutines of parallel
}

// An iqQueue runs requests one after the other. The first one runs in the goroutine
// that brings it, because nobody is before it; what comes meanwhile waits for a
// worker that is started when the first one is done.
type iqQueue struct {
	mu      sync.Mutex
	busy    bool
	waiting []Request
}

// IQ registers fn for requests in namespace ns. In the ServerTable this also
// makes ns a feature of the host, as in the reference. A second handler for the
// same namespace is a mistake of the program: it panics.
func (h *Host) IQ(table Table, ns string, d Discipline, fn IQHandler) {
	if _, dup := h.iq[table][ns]; dup {
		panic(fmt.Sprintf("router: two handlers for IQ %s on %s", ns, h.Name))
	}
	e := &iqEntry{fn: fn, kind: d.kind}
	if d.kind == queues {
		e.queues = make([]iqQueue, d.workers)
	}
	h.iq[table][ns] = e
	if table == ServerTable {
		h.Feature(ns)
	}
}

// dispatch answers the request p to a host or an account, or an invalid one.
// unknown is the error for a namespace that nobody handles.
func (h *Host) dispatch(t *Turn, table Table, p Packet, unknown *stanza.Error) {
	switch p.Stanza.Type {
	case "result", "error":
		if table == ServerTable {
			h.reply(t, p)
		}
		return
	}
	space, ok := validRequest(p.Stanza)
	if !ok {
		h.router.Bounce(t, p, stanza.BadRequest)
		return
	}
	e := h.iq[table][space]
	if e == nil {
		h.router.Bounce(t, p, unknown)
		return
	}
	req := Request{Packet: p, Host: h}
	switch e.kind {
	case noQueue:
		h.serve(t, e, &req)
	case parallel:
		if e.running.Add(1) > maxQueued {
			e.running.Add(-1)
			h.router.Bounce(t, p, stanza.ResourceConstraint)
			return
		}
		go h.serveAlone(e, req)
	default:
		q := &e.queues[0]
		if n := uint32(len(e.queues)); n > 1 {
			q = &e.queues[e.next.Add(1)%n]
		}
		h.enqueue(t, e, q, req)
	}
}

// validRequest returns the namespace of the payload of a get or set that has
// exactly one child element with a namespace of its own.
func validRequest(st *stanza.Stanza) (space string, ok bool) {
	if st.Type != "get" && st.Type != "set" {
		return "", false
	}
	space, _, n := st.Payload()
	return space, n == 1 && space != ""
}

func (h *Host) enqueue(t *Turn, e *iqEntry, q *iqQueue, req Request) {
	q.mu.Lock()
	if q.busy {
		full := len(q.waiting) >= maxQueued
		if !full {
			q.waiting = append(q.waiting, req)
		}
		q.mu.Unlock()
		if full {
			h.router.Bounce(t, req.Packet, stanza.ResourceConstraint)
		}
		return
	}
	q.busy = true
	q.mu.Unlock()

	h.serve(t, e, &req)

	q.mu.Lock()
	more := len(q.waiting) > 0
	q.busy = more
	q.mu.Unlock()
	if more {
		go h.work(e, q)
	}
}

// work serves what waits in q until nothing does.
func (h *Host) work(e *iqEntry, q *iqQueue) {
	t := session.NewTurn(h.router.ctx)
	for {
		q.mu.Lock()
		batch := q.waiting
		q.waiting = nil
		q.busy = len(batch) > 0
		q.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		for i := range batch {
			h.serve(t, e, &batch[i])
			t.Flush()
		}
	}
}

func (h *Host) serveAlone(e *iqEntry, req Request) {
	defer e.running.Add(-1)
	t := session.NewTurn(h.router.ctx)
	h.serve(t, e, &req)
	t.Flush()
}

// serve runs the handler and routes its reply. It does not panic.
func (h *Host) serve(t *Turn, e *iqEntry, req *Request) {
	defer h.router.Guard("reply to an IQ request")
	reply, err := h.call(t, e, req)
	if err != nil {
		var se *stanza.Error
		if !errors.As(err, &se) {
			space, _, _ := req.Stanza.Payload()
			h.router.log.Error("request failed", zap.String("host", h.Name), zap.String("xmlns", space), zap.Error(err))
			se = stanza.InternalServerError
		}
		reply = stanza.ErrorReply(req.Stanza, se)
	}
	if reply != nil {
		h.router.Route(t, Packet{From: req.To, To: req.From, Stanza: reply})
	}
}

// call turns a panic of a handler into an error: one request must not end the
// node.
func (h *Host) call(t *Turn, e *iqEntry, req *Request) (reply *stanza.Stanza, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in an IQ handler: %v\n%s", p, debug.Stack())
		}
	}()
	return e.fn(t, req)
}

// ReplyTimeout is how long the reference waits for the reply to a request that
// the server sends, unless a module says otherwise.
const ReplyTimeout = 32 * time.Second

// A pendingReply waits for the reply to a request that a host sent.
type pendingReply struct {
	timer *time.Timer
	from  string // the full JID asked: a reply of anybody else is not one
	fn    func(t *Turn, reply *stanza.Stanza)
}

// Ask sends an IQ request from the host and calls fn once: with the reply, of type
// result or error, or with nil when none came within timeout. The request's id is
// set here. stop takes the question back; fn is not called after it returned
// true.
func (h *Host) Ask(t *Turn, p Packet, timeout time.Duration, fn func(t *Turn, reply *stanza.Stanza)) (stop func() bool) {
	id := newIQID()
	p.Stanza = p.Stanza.WithID(id)
	pend := &pendingReply{from: p.To.String(), fn: fn}
	h.repliesMu.Lock()
	h.replies[id] = pend
	pend.timer = time.AfterFunc(timeout, func() {
		if h.take(id, "") == nil {
			return
		}
		defer h.router.Guard("timeout of an IQ request")
		t := session.NewTurn(context.WithoutCancel(h.router.ctx))
		fn(t, nil)
		t.Flush()
	})
	h.repliesMu.Unlock()
	h.router.Route(t, p)
	return func() bool { return h.take(id, "") != nil }
}

// take removes the pending reply with this id, if from is the one asked or empty.
func (h *Host) take(id, from string) *pendingReply {
	h.repliesMu.Lock()
	defer h.repliesMu.Unlock()
	p := h.replies[id]
	if p == nil || from != "" && p.from != from {
		return nil
	}
	delete(h.replies, id)
	p.timer.Stop()
	return p
}

// reply hands a result or error to whom asked; those nobody waits for are dropped.
func (h *Host) reply(t *Turn, p Packet) {
	if pend := h.take(p.Stanza.ID, p.From.String()); pend != nil {
		pend.fn(t, p.Stanza)
	}
}
