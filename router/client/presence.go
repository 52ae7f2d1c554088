package client

import (
	"slices"
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

// maxDirected is how many addresses beside its contacts a session may have sent
// presence to at a time. They are remembered, to be told when the session ends.
const maxDirected = 5_000

// presence is the state of RFC 6121 §4 of one session. The own account counts as a
// contact with a subscription in both directions.
type presence struct {
	// peers has the contacts of the roster and those that presence was sent to
	// directly; nil while there are none but the own account.
	peers    map[jid.JID]relation
	directed int     // how many of peers are no contacts
	own      jid.JID // bare
	self     relation

	last      *stanza.Stanza // the last available presence; nil when there is none
	lastAt    time.Time
	invisible bool
	everSent  bool
	left      bool // everybody was told that the session has ended

	// out is presence to be routed, in the order of the changes that it tells
	// of; see announce.
	out     []stanza.Packet
	routing bool          // somebody routes what was in out
	idle    chan struct{} // closed when routing ends; nil if nobody waits for that
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
	if p.peers[j].directed() {
		p.directed--
	}
	if r == 0 {
		delete(p.peers, j)
		return
	}
	if r.directed() {
		p.directed++
	}
	if p.peers == nil {
		p.peers = map[jid.JID]relation{}
	}
	p.peers[j] = r
}

// directed reports whether it is one with somebody who is no contact.
func (r relation) directed() bool { return r != 0 && r&(seesMe|seen) == 0 }

// tell adds st for all who have any relation of anyOf and all of allOf to what is
// to be routed.
func (p *presence) tell(from jid.JID, anyOf, allOf relation, st *stanza.Stanza) {
	match := func(r relation) bool { return r&anyOf != 0 && r&allOf == allOf }
	p.out = slices.Grow(p.out, len(p.peers)+1)
	if match(p.self) {
		p.out = append(p.out, stanza.Packet{From: from, To: p.own, Stanza: st})
	}
	for j, r := range p.peers {
		if match(r) {
			p.out = append(p.out, stanza.Packet{From: from, To: j, Stanza: st})
		}
	}
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

// announce routes what is in out, to which its callers have added under stateMu.
// Nothing is locked meanwhile, and yet contacts must not hear of two changes in
// the wrong order: whoever comes first routes for all who come until he is done.
// The session's own goroutine, which also sends messages, waits for that.
func (c *Client) announce(t *session.Turn, own bool) {
	c.stateMu.Lock()
	defer c.stateMu.Unlock()
	p := &c.presence
	for own && p.routing {
		if p.idle == nil {
			p.idle = make(chan struct{})
		}
		idle := p.idle
		c.stateMu.Unlock()
		<-idle
		c.stateMu.Lock()
	}
	if p.routing || len(p.out) == 0 {
		return
	}
	p.routing = true
	defer func() {
		p.routing = false
		if p.idle != nil {
			close(p.idle)
			p.idle = nil
		}
	}()
	for len(p.out) > 0 {
		c.routeAll(t, p)
	}
}

// routeAll routes what is in out now. stateMu is held, but not meanwhile.
func (c *Client) routeAll(t *session.Turn, p *presence) {
	batch := p.out
	p.out = nil
	c.stateMu.Unlock()
	defer c.stateMu.Lock()
	for i := range batch {
		c.server.Router.Route(t, batch[i])
	}
}

// available handles available presence without or with the own address.
func (c *Client) available(st *stanza.Stanza) {
	prio, now := priority(st), c.server.Now()
	c.stateMu.Lock()
	p := &c.presence
	if p.left {
		c.stateMu.Unlock()
		return
	}
	before, was := c.session.Priority()
	first := p.last == nil || p.invisible
	p.last, p.lastAt, p.invisible, p.everSent = st, now, false, true
	if first {
		p.tell(c.jid, seen, 0, probeStanza)
		p.tell(c.jid, seesMe, 0, st)
		p.each(func(r relation) relation {
			if r&seesMe != 0 {
				r = r&^toldUnavailable | toldAvailable
			}
			return r
		})
	} else {
		p.tell(c.jid, seesMe, seesMe|toldAvailable, st)
	}
	c.session.SetPriority(prio)
	c.stateMu.Unlock()

	if prio >= 0 && (first || was && before < 0) {
		c.fetch(first)
	}
	c.announce(&c.turn, true)
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
		c.fetchedAll(fn(&c.turn, own))
	}
	if !first {
		return
	}
	for _, fn := range c.host.Hooks.PendingSubscriptions.All() {
		c.fetchedAll(fn(&c.turn, own))
	}
}

// fetchedAll queues what was fetched. It does not count as too much for a client that
// is slow to read, who would lose the connection each time it fetches.
func (c *Client) fetchedAll(list []stanza.Packet) {
	bytes := 0
	for _, p := range list {
		bytes += p.Stanza.Size()
	}
	c.queueMu.Lock()
	c.fetched += len(list)
	c.fetchedBytes += bytes
	c.queueMu.Unlock()
	for _, p := range list {
		c.deliver(&c.turn, item{Packet: p})
	}
}

// unavailable handles unavailable presence: everybody who was told of this session
// hears that it is gone. The session goes on.
func (c *Client) unavailable(st *stanza.Stanza) {
	c.stateMu.Lock()
	c.gone(st)
	c.stateMu.Unlock()
	c.presenceUnset(st)
	c.announce(&c.turn, true)
}

// gone forgets that anybody was told of the session, and has st told to those who
// were. stateMu is held.
func (c *Client) gone(st *stanza.Stanza) {
	p := &c.presence
	p.tell(c.jid, toldAvailable|toldUnavailable, 0, st)
	p.each(func(r relation) relation { return r &^ (toldAvailable | toldUnavailable) })
	p.last, p.invisible = nil, false
	c.session.UnsetPriority()
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
	prio, now := priority(st), c.server.Now()
	c.stateMu.Lock()
	p := &c.presence
	if p.left {
		c.stateMu.Unlock()
		return
	}
	before, was := c.session.Priority()
	if !p.invisible {
		p.tell(c.jid, toldAvailable|toldUnavailable, 0, st)
		p.each(func(r relation) relation { return r &^ (toldAvailable | toldUnavailable) })
		p.tell(c.jid, seen, 0, probeStanza)
	}
	p.last, p.lastAt, p.invisible, p.everSent = st, now, true, true
	c.session.SetPriority(prio)
	c.stateMu.Unlock()

	if prio >= 0 && (!was || before < 0) {
		c.fetch(!was)
	}
	c.announce(&c.turn, true)
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
		c.tellDirectly(p)
		return
	}
	c.server.Router.Route(&c.turn, p)
}

// tellDirectly sends presence to one address, and remembers that it was sent.
func (c *Client) tellDirectly(p stanza.Packet) {
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
	before := pr.get(p.To)
	full := set != 0 && before == 0 && pr.directed >= maxDirected
	if pr.left || full {
		c.stateMu.Unlock()
		if full {
			c.server.Router.Bounce(&c.turn, p, stanza.ResourceConstraint)
		}
		return
	}
	pr.everSent = true
	pr.set(p.To, before&^clear|set)
	pr.out = append(pr.out, p)
	c.stateMu.Unlock()
	c.announce(&c.turn, true)
}

// incoming returns what of a routed stanza the client sees, nil for nothing. It may
// run in any goroutine.
func (c *Client) incoming(t *session.Turn, p stanza.Packet) *stanza.Stanza {
	switch p.Stanza.Kind {
	case stanza.Presence:
		return c.incomingPresence(t, p)
	case stanza.IQ:
		if space, _, _ := p.Stanza.Payload(); space == "jabber:iq:last" && (p.Stanza.Type == "get" || p.Stanza.Type == "set") && !c.maySee(p.From) {
			// XEP-0012: how long somebody is idle is for those who see the
			// presence.
			c.server.Router.Bounce(t, p, stanza.Forbidden)
			return nil
		}
	}
	return p.Stanza
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

func (c *Client) incomingPresence(t *session.Turn, p stanza.Packet) *stanza.Stanza {
	switch p.Stanza.Type {
	case "probe":
		c.probed(t, p.From)
		return nil
	case "error":
		c.stateMu.Lock()
		if r := c.presence.get(p.From); r&toldAvailable != 0 {
			c.presence.set(p.From, r&^toldAvailable)
		}
		c.stateMu.Unlock()
	case "invisible":
		return p.Stanza.WithType("unavailable")
	case "subscribe", "subscribed", "unsubscribe", "unsubscribed":
	default:
		c.noticed(p.From)
	}
	return p.Stanza
}

// noticed counts somebody who sees this account's presence, and whose presence came
// in, among those who are told when this session goes.
func (c *Client) noticed(from jid.JID) {
	c.stateMu.Lock()
	defer c.stateMu.Unlock()
	p := &c.presence
	if p.invisible || c.relationOf(from)&toldAvailable != 0 {
		return // who does not know must not find out
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
	answer, r := p.last, c.relationOf(from)
	switch {
	case answer == nil || r&seesMe == 0 || from == c.jid:
		answer = nil
	case p.invisible && r&toldAvailable != 0:
		answer = emptyPresence // told directly, but nothing more
	case p.invisible || r&toldUnavailable != 0:
		answer = nil
	default:
		answer = answer.With(xml.New("urn:xmpp:delay", "delay").
			Set("from", c.jid.String()).
			Set("stamp", p.lastAt.UTC().Format("2006-01-02T15:04:05Z")))
	}
	if answer != nil {
		p.out = append(p.out, stanza.Packet{From: c.jid, To: from, Stanza: answer})
	}
	c.stateMu.Unlock()
	c.announce(t, false)
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
	switch {
	case after&seesMe != 0 && before&seesMe == 0:
		if p.last != nil && !p.invisible {
			p.set(s.Contact, after|toldAvailable)
			p.out = append(p.out, stanza.Packet{From: c.jid, To: s.Contact, Stanza: p.last})
		}
	case after&seesMe == 0 && before&seesMe != 0:
		if before&(toldAvailable|toldUnavailable) != 0 {
			p.set(s.Contact, after&^(toldAvailable|toldUnavailable))
			p.out = append(p.out, stanza.Packet{From: c.jid, To: s.Contact, Stanza: unavailablePresence})
		}
	}
	c.stateMu.Unlock()
	c.announce(t, false)
}

var unavailablePresence = stanza.New(stanza.Presence, "unavailable", "")

// leave tells everybody who knows of this session that it has ended. From then on
// nobody hears of it.
func (c *Client) leave(t *session.Turn, status string) {
	st := unavailablePresence
	if status != "" {
		st = stanza.New(stanza.Presence, "unavailable", "", xml.New(stanza.NSClient, "status").SetText(status))
	}
	c.stateMu.Lock()
	c.gone(st)
	c.presence.left = true
	c.stateMu.Unlock()
	c.announce(t, false)
}

// depart is leave at the end of a session's life: modules hear of it too.
func (c *Client) depart(t *session.Turn, status string) {
	c.leave(t, status)
	c.announce(t, true) // another goroutine may have been at it
	c.stateMu.Lock()
	ever := c.presence.everSent
	c.stateMu.Unlock()
	if ever {
		for _, fn := range c.host.Hooks.PresenceUnset.All() {
			fn(t, c.session, strings.TrimSpace(status))
		}
	}
}
