package client

import (
	"strconv"
	"strings"
	"time"

	"meerkat/router"
	"meerkat/router/jid"
	"meerkat/router/session"
	"meerkat/router/stanza"
	"meerkat/router/xml"
)

// A relation is what a session and another address know of each other.
type relation uint8

const (
	seesMe          relation = 1 << iota // has a subscription to this account's presence
	seen                                 // this account has one to its presence
	toldAvailable                        // was told that this session is available
	toldUnavailable                      // was told that it is invisible
)

// presence is the state of RFC 6121 §4 of one session. The own account counts as a
// contact with a subscription in both directions.
type presence struct {
	// peers has the contacts of the roster and those that presence was sent to
	// directly; nil while there are none but the own account.
	peers map[jid.JID]relation
	own   jid.JID // bare
	self  relation

	last      *stanza.Stanza // the last available presence; nil when there is none
	lastAt    time.Time
	invisible bool
	everSent  bool
}

// load reads the roster's subscriptions.
func (p *presence) load(t *router.Turn, h *router.Host, user jid.JID) {
	p.self = seesMe | seen
	p.own = user.Bare()
	for _, fn := range h.Hooks.Contacts.All() {
		fn(t, p.own, func(c router.Contact) {
			p.subscription(c.JID, c.From, c.To)
		})
	}
}

// subscription notes what is now agreed with a contact.
func (p *presence) subscription(j jid.JID, from, to bool) {
	r := p.get(j) &^ (seesMe | seen)
	if from {
		r |= seesMe
	}
	if to {
		r |= seen
	}
	p.set(j, r)
}

// get returns the relation to exactly this address.
func (p *presence) get(j jid.JID) relation {
	if j == p.own {
		return p.self
	}
	return p.peers[j]
}

func (p *presence) set(j jid.JID, r relation) {
	if j == p.own {
		p.self = r
		return
	}
	if r == 0 {
		delete(p.peers, j)
		return
	}
	if p.peers == nil {
		p.peers = map[jid.JID]relation{}
	}
	p.peers[j] = r
}

// with returns those who have any relation of any and all of all.
func (p *presence) with(anyOf, allOf relation) (list []jid.JID) {
	match := func(r relation) bool { return r&anyOf != 0 && r&allOf == allOf }
	if match(p.self) {
		list = append(list, p.own)
	}
	for j, r := range p.peers {
		if match(r) {
			list = append(list, j)
		}
	}
	return list
}

// each changes the relation of everybody.
func (p *presence) each(change func(relation) relation) {
	p.self = change(p.self)
	for j, r := range p.peers {
		p.set(j, change(r))
	}
}

// ownPresence handles presence for the own account (RFC 6121 §4.2, §4.4, §4.5).
func (c *Client) ownPresence(st *stanza.Stanza) {
	switch st.Type {
	case "unavailable":
		c.unavailable(st)
	case "invisible":
		c.invisible(st)
	case "error", "probe", "subscribe", "subscribed", "unsubscribe", "unsubscribed":
		// Means nothing for oneself.
	default:
		c.available(st)
	}
}

// available handles available presence without or with the own address.
func (c *Client) available(st *stanza.Stanza) {
	prio := priority(st)
	before, was := c.session.Priority()

	c.stateMu.Lock()
	p := &c.presence
	first := p.last == nil || p.invisible
	p.last, p.lastAt, p.invisible, p.everSent = st, c.server.Now(), false, true
	var probe, tell []jid.JID
	if first {
		probe = p.with(seen, 0)
		tell = p.with(seesMe, 0)
		p.each(func(r relation) relation {
			if r&seesMe != 0 {
				r = r&^toldUnavailable | toldAvailable
			}
			return r
		})
	} else {
		tell = p.with(seesMe, seesMe|toldAvailable)
	}
	c.stateMu.Unlock()

	c.session.SetPriority(prio)
	if prio >= 0 && (first || was && before < 0) {
		c.fetch(first)
	}
	c.sendTo(probe, probeStanza)
	c.sendTo(tell, st)
}

// probeStanza asks contacts for their presence (RFC 6121 §4.3).
var probeStanza = stanza.New(stanza.Presence, "probe", "")

// priority reads <priority/>: an integer, else 0.
func priority(st *stanza.Stanza) int {
	el := st.Child("priority")
	if el == nil {
		return 0
	}
	n, err := strconv.ParseInt(el.Text(), 10, 32)
	if err != nil {
		return 0
	}
	return int(n)
}

// fetch delivers what waited for the account while nobody could receive it.
func (c *Client) fetch(first bool) {
	own := c.jid.Bare()
	for _, fn := range c.host.Hooks.FetchOffline.All() {
		for _, p := range fn(&c.turn, own) {
			c.push(&c.turn, item{Packet: p})
		}
	}
	if !first {
		return
	}
	for _, fn := range c.host.Hooks.PendingSubscriptions.All() {
		for _, p := range fn(&c.turn, own) {
			c.push(&c.turn, item{Packet: p})
		}
	}
}

func (c *Client) sendTo(list []jid.JID, st *stanza.Stanza) {
	for _, j := range list {
		c.server.Router.Route(&c.turn, stanza.Packet{From: c.jid, To: j, Stanza: st})
	}
}

// unavailable handles unavailable presence: everybody who was told of this session
// hears that it is gone. The session goes on.
func (c *Client) unavailable(st *stanza.Stanza) {
	tell := c.gone()
	c.session.UnsetPriority()
	c.presenceUnset(st)
	c.sendTo(tell, st)
}

// gone forgets that anybody was told of the session and returns who was.
func (c *Client) gone() []jid.JID {
	c.stateMu.Lock()
	defer c.stateMu.Unlock()
	p := &c.presence
	tell := p.with(toldAvailable|toldUnavailable, 0)
	p.each(func(r relation) relation { return r &^ (toldAvailable | toldUnavailable) })
	p.last, p.invisible = nil, false
	return tell
}

func (c *Client) presenceUnset(st *stanza.Stanza) {
	status := ""
	if el := st.Child("status"); el != nil {
		status = el.Text()
	}
	for _, fn := range c.host.Hooks.PresenceUnset.All() {
		fn(&c.turn, c.session, status)
	}
}

// invisible handles the presence type of XEP-0018.
func (c *Client) invisible(st *stanza.Stanza) {
	prio := priority(st)
	c.stateMu.Lock()
	p := &c.presence
	already := p.invisible
	var tell, probe []jid.JID
	if !already {
		tell = p.with(toldAvailable|toldUnavailable, 0)
		p.each(func(r relation) relation { return r &^ (toldAvailable | toldUnavailable) })
		probe = p.with(seen, 0)
	}
	p.last, p.lastAt, p.invisible, p.everSent = st, c.server.Now(), true, true
	c.stateMu.Unlock()

	before, was := c.session.Priority()
	c.session.SetPriority(prio)
	if prio >= 0 && (!was || before < 0) {
		c.fetch(!was)
	}
	c.sendTo(tell, st)
	c.sendTo(probe, probeStanza)
}

// directedPresence handles presence for somebody else (RFC 6121 §4.6, §3).
func (c *Client) directedPresence(p stanza.Packet) {
	switch p.Stanza.Type {
	case "subscribe", "subscribed", "unsubscribe", "unsubscribed":
		// A request is the account's, and to an account. The reference leaves
		// the resource of the address, but only where there is no account does
		// that mean something: the service may have one.
		p.From = p.From.Bare()
		if p.To.Local() != "" {
			p.To = p.To.Bare()
		}
		for _, fn := range c.host.Hooks.SubscriptionOut.All() {
			fn(&c.turn, p)
		}
	case "error", "probe":
	default:
		var set, clear relation
		switch p.Stanza.Type {
		case "unavailable":
			clear = toldAvailable | toldUnavailable
		case "invisible":
			set, clear = toldUnavailable, toldAvailable
		default:
			set, clear = toldAvailable, toldUnavailable
		}
		c.stateMu.Lock()
		pr := &c.presence
		pr.everSent = true
		pr.set(p.To, pr.get(p.To)&^clear|set)
		c.stateMu.Unlock()
	}
	c.server.Router.Route(&c.turn, p)
}

// incoming decides what of a routed stanza the client sees. It may run in any
// goroutine.
func (c *Client) incoming(t *session.Turn, p stanza.Packet) (out stanza.Packet, ok bool) {
	switch p.Stanza.Kind {
	case stanza.Presence:
		return c.incomingPresence(t, p)
	case stanza.IQ:
		if space, _, _ := p.Stanza.Payload(); space == "jabber:iq:last" && (p.Stanza.Type == "get" || p.Stanza.Type == "set") && !c.maySee(p.From) {
			// XEP-0012: how long somebody is idle is for those who see the
			// presence.
			c.server.Router.Bounce(t, p, stanza.Forbidden)
			return p, false
		}
	}
	return p, true
}

// maySee reports whether an address has a subscription to the account's presence.
func (c *Client) maySee(j jid.JID) bool {
	c.stateMu.Lock()
	defer c.stateMu.Unlock()
	return c.relationOf(j)&seesMe != 0
}

// relationOf returns the relation to an address or to its account. stateMu is held.
func (c *Client) relationOf(j jid.JID) relation {
	return c.presence.get(j) | c.presence.get(j.Bare())
}

func (c *Client) incomingPresence(t *session.Turn, p stanza.Packet) (out stanza.Packet, ok bool) {
	switch p.Stanza.Type {
	case "probe":
		c.probed(t, p.From)
		return p, false
	case "error":
		c.stateMu.Lock()
		if r := c.presence.get(p.From); r&toldAvailable != 0 {
			c.presence.set(p.From, r&^toldAvailable)
		}
		c.stateMu.Unlock()
	case "invisible":
		p.Stanza = p.Stanza.WithType("unavailable")
	case "subscribe", "subscribed", "unsubscribe", "unsubscribed":
	default:
		c.noticed(p.From)
	}
	return p, true
}

// noticed counts somebody who sees this account's presence, and whose presence came
// in, among those who are told when this session goes.
func (c *Client) noticed(from jid.JID) {
	c.stateMu.Lock()
	defer c.stateMu.Unlock()
	p := &c.presence
	if c.relationOf(from)&toldAvailable != 0 {
		return
	}
	for _, j := range [...]jid.JID{from, from.Bare()} {
		if r := p.get(j); r&seesMe != 0 {
			p.set(j, r|toldAvailable)
			return
		}
	}
}

// probed answers a presence probe (RFC 6121 §4.3.2).
func (c *Client) probed(t *session.Turn, from jid.JID) {
	c.stateMu.Lock()
	p := &c.presence
	last, at, r := p.last, p.lastAt, c.relationOf(from)
	switch {
	case last == nil || r&seesMe == 0 || from == c.jid:
		last = nil
	case p.invisible && r&toldAvailable != 0:
		last = emptyPresence // told directly, but nothing more
		c.stateMu.Unlock()
		c.server.Router.Route(t, stanza.Packet{From: c.jid, To: from, Stanza: last})
		return
	case p.invisible || r&toldUnavailable != 0:
		last = nil
	}
	c.stateMu.Unlock()
	if last == nil {
		return
	}
	delay := xml.New("urn:xmpp:delay", "delay").
		Set("from", c.jid.String()).
		Set("stamp", at.UTC().Format("2006-01-02T15:04:05Z"))
	c.server.Router.Route(t, stanza.Packet{From: c.jid, To: from, Stanza: last.With(delay)})
}

var emptyPresence = stanza.New(stanza.Presence, "", "")

// rosterChanged brings the relation to a contact up to date: who may now see this
// session's presence is told, who may no longer is told that it is gone.
func (c *Client) rosterChanged(t *session.Turn, s session.RosterChanged) {
	c.stateMu.Lock()
	p := &c.presence
	before := p.get(s.Contact)
	p.subscription(s.Contact, s.From, s.To)
	after := p.get(s.Contact)
	var tell *stanza.Stanza
	switch {
	case after&seesMe != 0 && before&seesMe == 0:
		if p.last != nil && !p.invisible {
			tell = p.last
			p.set(s.Contact, after|toldAvailable)
		}
	case after&seesMe == 0 && before&seesMe != 0:
		if before&(toldAvailable|toldUnavailable) != 0 {
			tell = unavailablePresence
			p.set(s.Contact, after&^(toldAvailable|toldUnavailable))
		}
	}
	c.stateMu.Unlock()
	if tell != nil {
		c.server.Router.Route(t, stanza.Packet{From: c.jid, To: s.Contact, Stanza: tell})
	}
}

var unavailablePresence = stanza.New(stanza.Presence, "unavailable", "")

// depart tells everybody who knows of this session that it has ended.
func (c *Client) depart(t *session.Turn, status string) {
	st := unavailablePresence
	if status != "" {
		st = stanza.New(stanza.Presence, "unavailable", "", xml.New(stanza.NSClient, "status").SetText(status))
	}
	c.stateMu.Lock()
	ever := c.presence.everSent
	c.stateMu.Unlock()
	tell := c.gone()
	c.session.UnsetPriority()
	if ever {
		for _, fn := range c.host.Hooks.PresenceUnset.All() {
			fn(t, c.session, strings.TrimSpace(status))
		}
	}
	c.sendTo(tell, st)
}
