package client

import (
	"encoding/base64"
	"slices"
	"strings"

	"go.uber.org/zap"

	"meerkat/router/jid"
	"meerkat/router/sasl"
	"meerkat/router/stanza"
	"meerkat/router/stream"
	"meerkat/router/xml"
)

// Namespaces of the negotiation.
const (
	nsTLS      = "urn:ietf:params:xml:ns:xmpp-tls"
	nsSASL     = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsBind     = "urn:ietf:params:xml:ns:xmpp-bind"
	nsSession  = "urn:ietf:params:xml:ns:xmpp-session"
	nsCompress = "http://jabber.org/protocol/compress"
	nsSM       = "urn:xmpp:sm:3"
)

// maxLang is how long an xml:lang of a header may be to be remembered.
const maxLang = 35

// Opened implements stream.Handler: the peer's header has come (RFC 6120 §4.7).
func (c *Client) Opened(h *xml.Header) {
	if c.state != waitHeader {
		c.fail("xml-not-well-formed", "")
		return
	}
	c.streamID = stream.NewID()
	c.ns = contextOf(h)
	if lang := h.Attr("xml:lang"); len(lang) <= maxLang {
		c.lang = lang
	} else {
		c.lang = ""
	}
	if h.Attr("xmlns:stream") != stanza.NSStream {
		c.refuseHeader("invalid-namespace")
		return
	}
	domain, err := jid.Nameprep(h.Attr("to"))
	host := c.server.Router.Host(domain)
	if err != nil || host == nil {
		c.refuseHeader("host-unknown")
		return
	}
	if c.authenticated && host != c.host {
		// 2.0.1 opened the session on the other host.
		c.refuseHeader("host-unknown")
		return
	}
	c.host = host
	c.shape(host.JID())
	if h.Attr("version") != "1.0" {
		c.header(host.Name, false, c.server.Router.Language)
		if c.needsTLS() {
			c.fail("policy-violation", "Use of STARTTLS required")
			return
		}
		c.state = legacy
		return
	}
	c.header(host.Name, true, c.server.Router.Language)
	c.send(c.features())
	switch {
	case !c.authenticated:
		c.state = waitAuth
	case c.jid.IsZero():
		c.state = waitBind
	default:
		c.state = waitSession
	}
}

// contextOf returns the declarations of a header. Nearly all clients make the same
// ones, which need not be kept for each of them.
func contextOf(h *xml.Header) *xml.Context {
	if h.Context.Default == usual.Default && slices.Equal(h.Context.Bindings, usual.Bindings) {
		return usual
	}
	return &h.Context
}

var usual = &xml.Context{
	Default:  stanza.NSClient,
	Bindings: []xml.Binding{{Prefix: "stream", Space: stanza.NSStream}},
}

// header sends the server's stream header.
func (c *Client) header(from string, version bool, lang string) {
	b := c.transport.AppendHeader(nil, stream.Header{ID: c.streamID, From: from, Version: version, Lang: lang})
	_ = c.transport.Write(b)
}

// refuseHeader answers a header that leads nowhere: with the node's own name and
// without version, as 2.0.1 does, and then the error.
func (c *Client) refuseHeader(condition string) {
	c.header(c.server.Router.Hosts()[0].Name, false, c.server.Router.Language)
	c.fail(condition, "")
}

// shape selects the shaper for what the client sends: by rule, for the host at
// first and for the full JID once a session is open.
func (c *Client) shape(j jid.JID) {
	if c.opts.Shaper == "" {
		return
	}
	c.transport.Shape(string(c.server.Router.Match(c.host.Name, c.opts.Shaper, j)))
}

// needsTLS reports whether nothing but STARTTLS is allowed now.
func (c *Client) needsTLS() bool { return c.opts.TLSRequired && !c.secure }

// offersTLS reports whether STARTTLS is part of the negotiation now.
func (c *Client) offersTLS() bool { return (c.opts.StartTLS || c.opts.TLSRequired) && !c.secure }

// features returns the stream features for the state of the negotiation, in the
// order of 2.0.1.
func (c *Client) features() *xml.Element {
	f := xml.New(stanza.NSStream, "features")
	f.Prefix = "stream"
	if c.authenticated && !c.jid.IsZero() {
		return f
	}
	if !c.authenticated {
		switch {
		case c.needsTLS():
			return f.Add(xml.New(nsTLS, "starttls").Add(xml.New(nsTLS, "required")))
		case c.offersTLS() && c.transport.CanStartTLS(c.host.Name):
			f.Add(xml.New(nsTLS, "starttls"))
		}
		if names := c.mechanisms().Offered(c.env()); len(names) > 0 {
			m := xml.New(nsSASL, "mechanisms")
			for _, name := range names {
				m.Add(xml.New(nsSASL, "mechanism").SetText(name))
			}
			f.Add(m)
		}
	} else {
		s := xml.New(nsSession, "session")
		if !c.opts.RequireSession {
			s.Add(xml.New(nsSession, "optional"))
		}
		f.Add(xml.New(nsBind, "bind"), s)
		f.Add(c.host.BindFeatures()...)
	}
	return f.Add(c.host.StreamFeatures()...)
}

func (c *Client) mechanisms() *sasl.Mechanisms { return c.server.Mechanisms(c.host) }

func (c *Client) env() sasl.Env {
	p := c.transport.Peer()
	return sasl.Env{Accounts: c.host.Auth, TLS: p.TLS != nil, Remote: p.Addr}
}

// Element implements stream.Handler.
func (c *Client) Element(raw []byte) {
	if c.state == closing {
		return
	}
	st, el, size, err := stanza.Parse(raw, c.ns)
	if err != nil {
		c.Failed(err)
		return
	}
	if c.opts.MaxStanzaSize > 0 && size > c.opts.MaxStanzaSize {
		c.fail("policy-violation", stanza.TooBigText)
		return
	}
	if st == nil {
		c.nonza(el)
		return
	}
	switch c.state {
	case established:
		c.outgoing(st)
	case waitHeader:
		c.fail("xml-not-well-formed", "")
	case waitBind:
		if !c.bind(st) {
			c.unhandled(st)
		}
	case waitSession:
		c.openSession(st)
	default:
		if c.needsTLS() {
			c.fail("policy-violation", "Use of STARTTLS required")
			return
		}
		if c.state == waitSASL {
			c.abandonSASL()
		}
		c.unhandled(st)
	}
}

// nonza handles an element that is not a stanza.
func (c *Client) nonza(el *xml.Element) {
	if c.state == waitHeader {
		c.fail("xml-not-well-formed", "")
		return
	}
	if el.Name == "enable" && el.Space != nsSM && c.state != established && c.state != waitSASL {
		// MongooseIM 2.0.1 checks the namespace before the state.
		c.fail("invalid-namespace", "")
		return
	}
	switch c.state {
	case waitAuth:
		switch {
		case el.Is(nsTLS, "starttls") && c.offersTLS():
			c.startTLS()
		case el.Is(nsCompress, "compress"):
			c.send(xml.New(nsCompress, "failure").Add(xml.New(nsCompress, "setup-failed")))
		case c.needsTLS():
			c.fail("policy-violation", "Use of STARTTLS required")
		case el.Is(nsSASL, "auth"):
			c.auth(el)
		}
	case waitSASL:
		if el.Space == nsSASL {
			switch el.Name {
			case "response":
				c.step(el.Text())
				return
			case "abort":
				c.saslFailure(&sasl.Failure{Condition: sasl.Aborted})
				return
			}
		}
		c.abandonSASL()
	}
}

// startTLS answers <starttls/> and does the handshake (RFC 6120 §5).
func (c *Client) startTLS() {
	if !c.transport.CanStartTLS(c.host.Name) {
		// No certificate for this host: 2.0.1 drops the connection.
		c.send(xml.New(nsTLS, "failure"))
		c.finish(nil)
		return
	}
	c.send(xml.New(nsTLS, "proceed"))
	if err := c.transport.StartTLS(c.host.Name); err != nil {
		c.server.Log.Info("TLS handshake failed", zap.Stringer("ip", c.transport.Peer().Addr), zap.String("host", c.host.Name), zap.Error(err))
		c.state = closing
		c.transport.Drop()
		return
	}
	c.secure = true
	c.state = waitHeader
}

// auth begins a SASL exchange (RFC 6120 §6).
func (c *Client) auth(el *xml.Element) {
	ex, f := c.mechanisms().Start(el.Attr("mechanism"), c.env())
	if f != nil {
		c.saslFailure(f)
		return
	}
	c.exchange = ex
	c.step(el.Text())
}

// step hands data of the client to the mechanism.
func (c *Client) step(data string) {
	var in []byte
	if data != "" {
		in = sasl.Decode([]byte(data))
	}
	out, done, f := c.exchange.Step(&c.turn, in)
	switch {
	case f != nil:
		c.saslFailure(f)
	case !done:
		c.state = waitSASL
		c.send(xml.New(nsSASL, "challenge").SetText(base64.StdEncoding.EncodeToString(out)))
	default:
		success := xml.New(nsSASL, "success")
		if len(out) > 0 {
			success.SetText(base64.StdEncoding.EncodeToString(out))
		}
		c.user, c.method = c.exchange.User(), c.exchange.Method()
		c.exchange = nil
		c.authenticated = true
		c.send(success)
		c.state = waitHeader
		c.transport.Restart()
	}
}

// saslFailure ends the exchange; the client may try again.
func (c *Client) saslFailure(f *sasl.Failure) {
	c.exchange = nil
	c.state = waitAuth
	level := zap.InfoLevel
	if f.Cause != nil {
		level = zap.ErrorLevel
	}
	if ce := c.server.Log.Check(level, "authentication failed"); ce != nil {
		ce.Write(zap.String("condition", f.Condition), zap.String("user", f.User), zap.String("host", c.host.Name),
			zap.Stringer("ip", c.transport.Peer().Addr), zap.NamedError("cause", f.Cause))
	}
	el := xml.New(nsSASL, "failure").Add(xml.New(nsSASL, f.Condition))
	if f.Text != "" {
		el.Add(xml.New(nsSASL, "text").SetText(f.Text))
	}
	c.send(el)
}

// abandonSASL forgets an exchange because of something that does not belong to it.
func (c *Client) abandonSASL() {
	c.exchange = nil
	c.state = waitAuth
}

// unhandled answers what cannot be handled before a session is open: modules may
// take an IQ before authentication, requests are refused, all else is dropped.
func (c *Client) unhandled(st *stanza.Stanza) {
	if st.Kind != stanza.IQ || st.Type != "get" && st.Type != "set" {
		return
	}
	from := c.host.JID()
	if !c.authenticated {
		if reply := c.unauthenticated(st); reply != nil {
			c.sendStanza(stanza.Packet{From: from, Stanza: reply})
			return
		}
	}
	c.sendStanza(stanza.Packet{From: from, Stanza: stanza.ErrorReplyEmpty(st, stanza.ServiceUnavailable)})
}

// bind gives the stream its resource (RFC 6120 §7). It reports false if st is not
// a bind request.
func (c *Client) bind(st *stanza.Stanza) bool {
	space, _, _ := st.Payload()
	if st.Kind != stanza.IQ || st.Type != "set" || space != nsBind {
		return false
	}
	resource := ""
	if r := st.Element().First().Child(nsBind, "resource"); r != nil {
		resource = r.Text()
	}
	full, err := jid.New(c.user, c.host.Name, resource)
	if err == nil && full.IsBare() { // none, or one of which preparation leaves nothing
		full, err = jid.New(c.user, c.host.Name, newResource(c.server.Now()))
	}
	if err != nil {
		c.sendStanza(stanza.Packet{Stanza: stanza.ErrorReply(st, stanza.BadRequest)})
		return true
	}
	c.jid = full
	c.state = waitSession
	c.sendStanza(stanza.Packet{Stanza: stanza.Result(st,
		xml.New(nsBind, "bind").Add(xml.New(nsBind, "jid").SetText(full.String())))})
	return true
}

// Failed implements stream.Handler.
func (c *Client) Failed(err error) {
	if c.state == waitHeader {
		// The peer gets a header to read the error in.
		c.streamID = stream.NewID()
		c.header(c.server.Router.Hosts()[0].Name, true, "")
	}
	c.finish(stanza.FromXML(err, c.lang))
}

// Ended implements stream.Handler: the peer closed its stream.
func (c *Client) Ended() {
	if c.state == waitHeader {
		c.fail("xml-not-well-formed", "")
		return
	}
	c.finish(nil)
}

// KeepAlive implements stream.Handler.
func (c *Client) KeepAlive() {
	if c.state != established {
		return
	}
	for _, fn := range c.host.Hooks.KeepAlive.All() {
		fn(&c.turn, c.session)
	}
}

// TimedOut implements stream.Handler: a negotiation that does not go on is cut
// off without a word.
func (c *Client) TimedOut() {
	if c.state == closing {
		return
	}
	c.state = closing
	c.transport.Drop()
}

// Shutdown ends the stream because the node stops. It is called by the transport's
// goroutine.
func (c *Client) Shutdown() {
	if c.state == waitHeader {
		c.streamID = stream.NewID()
		c.header(c.server.Router.Hosts()[0].Name, true, c.server.Router.Language)
	}
	c.fail("system-shutdown", "")
}

// EndOfInput implements stream.Handler.
func (c *Client) EndOfInput() { c.turn.Flush() }

// source is the peer's address without port.
func (c *Client) source() string {
	return strings.TrimPrefix(c.transport.Peer().Addr.Addr().String(), "::ffff:")
}
