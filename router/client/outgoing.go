package client

import (
	"meerkat/router/jid"
	"meerkat/router/stanza"
)

// outgoing handles a stanza of the client's established session (RFC 6120 §8.1,
// §10.3).
func (c *Client) outgoing(st *stanza.Stanza) {
	if st.From != "" && !c.ownAddress(st.From) {
		c.fail("invalid-from", "")
		return
	}
	to := c.jid.Bare()
	if st.To != "" {
		var err error
		if to, err = jid.Parse(st.To); err != nil {
			if st.Type != "error" && st.Type != "result" {
				c.reply(stanza.ErrorReply(st, stanza.JIDMalformed))
			}
			return
		}
	}
	st = st.WithoutDelay()
	if c.lang != "" && st.Lang == "" {
		st = st.WithLang(c.lang)
	}
	p := stanza.Packet{From: c.jid, To: to, Stanza: st}
	for _, fn := range c.host.Hooks.UserSend.All() {
		fn(&c.turn, c.session, p)
	}
	if st.Kind == stanza.Presence {
		if to == c.jid.Bare() {
			c.ownPresence(st)
		} else {
			c.directedPresence(p)
		}
		return
	}
	c.server.Router.Route(&c.turn, p)
}

// ownAddress reports whether a from of the client names its session or account.
func (c *Client) ownAddress(from string) bool {
	if from == c.jid.String() || from == c.jid.BareString() {
		return true
	}
	j, err := jid.Parse(from)
	return err == nil && (j == c.jid || j == c.jid.Bare())
}

// reply queues something for the client itself, in order with what it is sent.
func (c *Client) reply(st *stanza.Stanza) {
	c.push(&c.turn, item{Packet: stanza.Packet{Stanza: st}})
}
