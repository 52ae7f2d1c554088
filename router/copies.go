package router

import (
	"slices"
	"sync"

	"meerkat/router/session"
)

// A CopyReceiver is a session.Receiver that knows what to do with one of several
// copies of a message. Receivers that are none get their copy as any other stanza.
type CopyReceiver interface {
	session.Receiver
	// DeliverCopy is Deliver for a message that other sessions of the account
	// get too. If the session ends before its client was given the copy, it
	// goes to Router.ReturnCopy.
	DeliverCopy(t *Turn, p Packet, c *Copies)
}

// Copies are those of one message that went to several sessions of an account. They
// remember who has one, so that a copy that comes back is neither lost nor
// delivered twice to anybody. MongooseIM 2.0.1 routed it anew, to sessions that
// had the message already.
type Copies struct {
	mu sync.Mutex
	// holders are the sessions that have a copy or were told to deliver one.
	holders []*session.Session
}

// deliver gives p to all of list, which become holders.
func (c *Copies) deliver(t *Turn, p Packet, list []*session.Session) {
	c.mu.Lock()
	c.holders = append(c.holders, list...)
	c.mu.Unlock()
	for _, s := range list {
		give(t, p, c, s)
	}
}

// give gives a copy to a holder.
func give(t *Turn, p Packet, c *Copies, s *session.Session) {
	if r, ok := s.Receiver.(CopyReceiver); ok {
		r.DeliverCopy(t, p, c)
	} else {
		s.Receiver.Deliver(t, p)
	}
}

// pass takes s from the holders. It reports whether anybody is left and, if so, which
// of list have no copy; these count as holders from then on. Both happen at once:
// two sessions that end at the same time must not both count on the other.
func (c *Copies) pass(s *session.Session, list []*session.Session) (fresh []*session.Session, others bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.holders, s); i >= 0 {
		c.holders = slices.Delete(c.holders, i, i+1)
	}
	if len(c.holders) == 0 {
		return nil, false
	}
	for _, s := range list {
		if !slices.Contains(c.holders, s) {
			fresh = append(fresh, s)
			c.holders = append(c.holders, s)
		}
	}
	return fresh, true
}

// ReturnCopy routes the copy p of a session that ended, and is no longer
// registered, before its client was given it. Sessions that the message would go
// to now and that have no copy get it; if nobody else has one, it is routed as any
// other message.
func (r *Router) ReturnCopy(t *Turn, p Packet, c *Copies, s *session.Session) {
	best, one := r.best(p.To)
	if one != nil {
		best = []*session.Session{one}
	}
	fresh, others := c.pass(s, best)
	if !others {
		r.Route(t, p)
		return
	}
	for _, s := range fresh {
		give(t, p, c, s)
	}
}
