package client

import (
	"fmt"
	"math"
	"time"

	"go.uber.org/zap"

	"meerkat/router"
	"meerkat/router/acl"
	"meerkat/router/session"
	"meerkat/router/stanza"
	"meerkat/router/stream"
)

// defaultMaxSessions is how many sessions a user may have where the access rule
// max_user_sessions yields no number.
const defaultMaxSessions = 100

// newResource makes a resource for a client that asked for none: a random number
// in hexadecimal and the time, as 2.0.1 makes them.
func newResource(now time.Time) string {
	us := now.UnixMicro()
	return fmt.Sprintf("%s%d%d%d", stream.NewID(), us/1e12, us/1e6%1e6, us%1e6)
}

// openSession handles what comes after bind: the session IQ (RFC 3921 §3), or
// any stanza of a client that does without.
func (c *Client) openSession(st *stanza.Stanza) {
	space, _, _ := st.Payload()
	if st.Kind == stanza.IQ && st.Type == "set" && space == nsSession {
		if c.open() {
			c.sendStanza(stanza.Packet{Stanza: stanza.ResultRaw(st, st.Content())})
		} else {
			c.sendStanza(stanza.Packet{Stanza: stanza.ErrorReply(st, stanza.NotAllowed)})
		}
		return
	}
	if c.opts.RequireSession || st.Kind == stanza.IQ && space == nsBind {
		c.unhandled(st)
		return
	}
	if !c.open() {
		if st.Type != "error" && st.Type != "result" {
			c.sendStanza(stanza.Packet{From: c.host.JID(), Stanza: stanza.ErrorReply(st, stanza.NotAllowed)})
		}
		return
	}
	c.outgoing(st)
}

// open registers the session, if the access rule allows the user in.
func (c *Client) open() bool {
	r := c.server.Router
	if v := r.Match(c.host.Name, c.opts.Access, c.jid); v != acl.Allow {
		if v != acl.Deny {
			c.server.Log.Warn("access rule yields neither allow nor deny, the user is refused",
				zap.String("rule", c.opts.Access), zap.String("value", string(v)), zap.Stringer("jid", c.jid))
		}
		return false
	}
	limit := maxSessions(r, c)
	if limit < 0 {
		return false
	}
	c.shape(c.jid)

	peer := c.transport.Peer()
	c.session = session.New(r.Sessions.NextID(r.Node, c.server.Now().UnixMicro()), c.jid,
		session.Info{Addr: peer.Addr, Conn: connKind(peer), AuthMethod: c.method}, c)
	c.register(limit)
	c.state = established
	c.transport.SetTimeout(0)
	for _, fn := range c.host.Hooks.SessionOpened.All() {
		fn(&c.turn, c.session)
	}
	c.server.Log.Debug("session opened", zap.Stringer("jid", c.jid), zap.Stringer("ip", peer.Addr))
	return true
}

// register makes the session known and reads the roster. Changes of the roster that
// come meanwhile wait in the queue until it has been read.
func (c *Client) register(limit int) {
	c.hold()
	defer c.release()
	for _, old := range c.server.Router.Sessions.Open(c.session, limit) {
		old.Receiver.Signal(&c.turn, session.End{
			Condition: "conflict", Text: replacedText, Status: replacedText,
		})
	}
	// Contacts hear that the old sessions are gone before this one says anything.
	c.turn.Flush()
	c.presence.load(&c.turn, c.host, c.jid)
}

const replacedText = "Replaced by new connection"

// maxSessions evaluates the rule max_user_sessions for the user: 0 is any number,
// -1 none at all.
func maxSessions(r *router.Router, c *Client) int {
	v := r.Match(c.host.Name, "max_user_sessions", c.jid.Bare())
	if n, ok := v.Int(); ok {
		if n < 1 {
			return -1
		}
		return int(min(n, math.MaxInt32))
	}
	if v == acl.Infinity {
		return 0
	}
	return defaultMaxSessions
}

// connKind is the name of a kind of connection in the session table.
func connKind(p stream.Peer) string {
	switch {
	case p.TLS != nil && p.Compressed:
		return "c2s_compressed_tls"
	case p.TLS != nil:
		return "c2s_tls"
	case p.Compressed:
		return "c2s_compressed"
	default:
		return "c2s"
	}
}

// unauthenticated offers an IQ to the modules that take it before authentication.
func (c *Client) unauthenticated(st *stanza.Stanza) *stanza.Stanza {
	iq := router.UnauthenticatedIQ{Stanza: st, Source: c.source()}
	for _, fn := range c.host.Hooks.UnauthenticatedIQ.All() {
		if reply := fn(&c.turn, iq); reply != nil {
			return reply
		}
	}
	return nil
}

// Lost implements stream.Handler: the connection is gone. What was still to be
// delivered is routed as if the session had never taken it.
func (c *Client) Lost() {
	c.state = closing
	c.exchange = nil
	s := c.session
	if s == nil {
		c.abandon()
		return
	}
	c.server.Router.Sessions.Close(s)
	rest, status, first := c.abandon()
	if !first {
		return
	}
	c.depart(&c.turn, status)
	for _, fn := range c.host.Hooks.SessionClosed.All() {
		fn(&c.turn, s)
	}
	c.reroute(&c.turn, rest...)
	c.turn.Flush()
	c.server.Log.Debug("session closed", zap.Stringer("jid", c.jid))
}
