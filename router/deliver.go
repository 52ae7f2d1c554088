package router

import (
	"meerkat/router/jid"
	"meerkat/router/session"
	"meerkat/router/stanza"
)

// local delivers to an address of the host (ejabberd_local).
func (h *Host) local(t *Turn, p Packet) {
	switch {
	case p.To.Local() != "" && p.To.Resource() != "":
		h.toResource(t, p)
	case p.To.Local() != "":
		h.toAccount(t, p)
	case p.To.Resource() != "":
		// The default handler of local_send_to_resource_hook.
		h.router.Bounce(t, p, stanza.ItemNotFound)
	case p.Stanza.Kind == stanza.IQ:
		h.dispatch(t, ServerTable, p, stanza.FeatureNotImplemented)
	}
	// Messages and presence to the host itself are ignored.
}

// toResource delivers to a full JID (ejabberd_sm).
func (h *Host) toResource(t *Turn, p Packet) {
	if s := h.router.Sessions.Find(p.To); s != nil {
		if p.Stanza.Kind == stanza.IQ && !isReply(p.Stanza) {
			if _, ok := validRequest(p.Stanza); !ok {
				// The reference's client process drops it, and the sender
				// waits for ever.
				h.badRequest(t, p)
				return
			}
		}
		s.Receiver.Deliver(t, p)
		return
	}
	switch p.Stanza.Kind {
	case stanza.Message:
		h.message(t, p)
	case stanza.IQ:
		if isRequest(p.Stanza) {
			h.router.Bounce(t, p, stanza.ServiceUnavailable)
		}
	}
	// Presence for a resource that is not there is dropped.
}

// badRequest answers a get or set without a proper payload. An IQ of an unknown
// type to a client gets no answer.
func (h *Host) badRequest(t *Turn, p Packet) {
	if isRequest(p.Stanza) {
		h.router.Bounce(t, p, stanza.BadRequest)
	}
}

func isRequest(st *stanza.Stanza) bool { return st.Type == "get" || st.Type == "set" }
func isReply(st *stanza.Stanza) bool   { return st.Type == "result" || st.Type == "error" }

// toAccount delivers to a bare JID.
func (h *Host) toAccount(t *Turn, p Packet) {
	switch p.Stanza.Kind {
	case stanza.Message:
		h.message(t, p)
	case stanza.IQ:
		h.dispatch(t, AccountTable, p, stanza.ServiceUnavailable)
	case stanza.Presence:
		switch p.Stanza.Type {
		case "subscribe", "subscribed", "unsubscribe", "unsubscribed":
			if !h.subscriptionIn(t, p) {
				return
			}
		}
		for _, s := range h.router.Sessions.User(p.To) {
			if _, available := s.Priority(); available {
				s.Receiver.Deliver(t, Packet{From: p.From, To: s.JID, Stanza: p.Stanza})
			}
		}
	}
}

// subscriptionIn lets the roster take note of a subscription presence, and
// reports whether the user's sessions are to see it.
func (h *Host) subscriptionIn(t *Turn, p Packet) (forward bool) {
	hooks := h.Hooks.SubscriptionIn.All()
	if len(hooks) == 0 || !h.Exists(t, p.To) {
		return false
	}
	for _, fn := range hooks {
		var stop bool
		if forward, stop = fn(t, p, forward); stop {
			break
		}
	}
	return forward
}

// message delivers a message for an account: one to a bare JID, or one to a
// resource that is not there. It goes to every session of the highest
// priority, if that is not negative, and to what the account does while it is
// away otherwise.
func (h *Host) message(t *Turn, p Packet) {
	switch best, one := h.router.best(p.To); {
	case one != nil:
		one.Receiver.Deliver(t, p)
	case best != nil:
		new(Copies).deliver(t, p, best)
	default:
		h.away(t, p)
	}
}

// best returns the sessions of an account with the highest priority that is not
// negative: the one, or a list if there are several.
func (r *Router) best(user jid.JID) (list []*session.Session, one *session.Session) {
	sessions := r.Sessions.User(user)
	best, n := 0, 0
	for _, s := range sessions {
		switch prio, ok := s.Priority(); {
		case !ok || prio < best:
		case prio > best || n == 0:
			best, n, one = prio, 1, s
		default:
			n++
		}
	}
	if n < 2 {
		return nil, one
	}
	list = make([]*session.Session, 0, n)
	for _, s := range sessions {
		if prio, ok := s.Priority(); ok && prio == best {
			list = append(list, s)
		}
	}
	return list, nil
}

// away handles a message for an account that no session takes.
func (h *Host) away(t *Turn, p Packet) {
	switch p.Stanza.Type {
	case "error":
		return
	case "groupchat", "headline":
		h.router.Bounce(t, p, stanza.ServiceUnavailable)
		return
	}
	if h.Exists(t, p.To) {
		for _, fn := range h.Hooks.Offline.All() {
			if fn(t, p) {
				return
			}
		}
	}
	h.router.Bounce(t, p, stanza.ServiceUnavailable)
}

// Broadcast sends a signal to every session of an account.
func (r *Router) Broadcast(t *Turn, user jid.JID, sig session.Signal) {
	for _, s := range r.Sessions.User(user) {
		s.Receiver.Signal(t, sig)
	}
}
