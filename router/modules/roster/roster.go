// Package roster keeps contact lists: it is mod_roster of MongooseIM 2.0.1 (RFC
// 6121 §2 and §3 with the state tables of RFC 3921, roster versioning of
// XEP-0237).
//
// It answers jabber:iq:roster, moves subscriptions from state to state as
// subscription presences pass in and out, and tells live sessions about it.
//
// Deviation: the version of a roster is another digest than the reference's; the
// value means nothing to clients.
//
// It imports router and what lies below it, and cfgterm/schema for its options.
package roster

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"

	"go.uber.org/zap"

	"meerkat/router"
	"meerkat/router/jid"
	"meerkat/router/session"
	"meerkat/router/stanza"
	"meerkat/router/stream"
	"meerkat/router/xml"
)

const (
	ns        = "jabber:iq:roster"
	nsVersion = "urn:xmpp:features:rosterver"
	module    = "mod_roster"
)

// An Item is an entry of a roster.
type Item struct {
	Contact jid.JID
	Name    string
	state
	Groups []string
	// Request is the text that came with the contact's request.
	Request string
}

// visible reports whether the entry is part of the roster that a client sees: one
// that only holds somebody's request is not.
func (it *Item) visible() bool { return it.state != noneIn }

// element returns the entry as <item/>.
func (it *Item) element() *xml.Element {
	el := xml.New(ns, "item").Set("jid", it.Contact.String()).Set("subscription", it.Subscription.String())
	if it.Name != "" {
		el.Set("name", it.Name)
	}
	if it.Ask == AskOut || it.Ask == AskBoth {
		el.Set("ask", "subscribe")
	}
	for _, g := range it.Groups {
		el.Add(xml.New(ns, "group").SetText(g))
	}
	return el
}

// Store keeps rosters. Users are prepared local parts of one host. What it returns
// is shared and must not be changed.
type Store interface {
	// Items returns all entries in the order of the store, the groups of each in the
	// order in which they were given.
	Items(ctx context.Context, user string) ([]Item, error)
	// Put stores an entry, replacing the one for the same contact.
	Put(ctx context.Context, user string, it *Item) error
	// Delete removes an entry.
	Delete(ctx context.Context, user string, contact jid.JID) error
	// DeleteAll removes the roster and its version.
	DeleteAll(ctx context.Context, user string) error
	// Version returns the stored version, "" if there is none.
	Version(ctx context.Context, user string) (string, error)
	// SetVersion stores a version.
	SetVersion(ctx context.Context, user, version string) error
}

// A Module serves the rosters of one host.
type Module struct {
	Options Options
	Store   Store
	Log     *zap.Logger

	host *router.Host
	// locks guard the read, change and write of one user's roster; a user has
	// the lock that his name hashes to. Nothing is routed under them: it could
	// come back.
	seed  maphash.Seed
	locks [64]sync.Mutex
}

// Register adds the module to a host.
func (m *Module) Register(h *router.Host) {
	m.host = h
	m.seed = maphash.MakeSeed()
	h.IQ(router.AccountTable, ns, router.DisciplineOf(m.Options.IQDisc), m.iq)
	h.Hooks.Contacts.Add(50, module, m.contacts)
	h.Hooks.PendingSubscriptions.Add(50, module, m.pending)
	h.Hooks.ContactOf.Add(50, module, m.contactOf)
	h.Hooks.SubscriptionIn.Add(50, module, m.subscriptionIn)
	h.Hooks.SubscriptionOut.Add(50, module, m.subscriptionOut)
	h.Hooks.UserRemoved.Add(50, module, m.removed)
	if m.Options.Versioning {
		h.Hooks.BindFeatures.Add(50, module, func() *xml.Element { return xml.New(nsVersion, "ver") })
	}
}

func (m *Module) lock(user string) *sync.Mutex {
	return &m.locks[maphash.String(m.seed, user)%uint64(len(m.locks))]
}

// find returns the entry for a contact, or a new one.
func find(items []Item, contact jid.JID) (it Item, known bool) {
	for i := range items {
		if items[i].Contact == contact {
			return items[i], true
		}
	}
	return Item{Contact: contact}, false
}

// iq answers jabber:iq:roster. The roster is always the sender's.
func (m *Module) iq(t *router.Turn, req *router.Request) (*stanza.Stanza, error) {
	if req.From.Domain() != m.host.Name {
		return nil, stanza.ItemNotFound
	}
	if req.IsSet() {
		return m.set(t, req)
	}
	return m.get(t, req)
}

func (m *Module) get(t *router.Turn, req *router.Request) (*stanza.Stanza, error) {
	user := req.From.Local()
	if m.Options.Versioning {
		// A change between reading the roster and reading its version would
		// make the client keep the old roster as the new one.
		l := m.lock(user)
		l.Lock()
		defer l.Unlock()
	}
	items, err := m.Store.Items(t, user)
	if err != nil {
		return nil, err
	}
	query := xml.New(ns, "query")
	if m.Options.Versioning {
		if asked, ok := req.Stanza.Element().First().LookupAttr("ver"); ok {
			version, err := m.version(t, user, items)
			if err != nil {
				return nil, err
			}
			if asked == version {
				return req.Result(), nil
			}
			query.Set("ver", version)
		}
	}
	for i := range items {
		if items[i].visible() {
			query.Add(items[i].element())
		}
	}
	return stanza.Result(req.Stanza, query), nil
}

// version returns the version of a roster: the stored one, or a digest.
func (m *Module) version(ctx context.Context, user string, items []Item) (string, error) {
	if m.Options.StoreCurrentID {
		v, err := m.Store.Version(ctx, user)
		if err != nil || v != "" {
			return v, err
		}
		return m.newVersion(ctx, user)
	}
	sorted := slices.Clone(items)
	slices.SortFunc(sorted, func(a, b Item) int { return compareStrings(a.Contact.String(), b.Contact.String()) })
	sum := sha1.New()
	for i := range sorted {
		it := &sorted[i]
		fmt.Fprintf(sum, "%q %q %d %d %q\n", it.Contact, it.Name, it.Subscription, it.Ask, it.Groups)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func compareStrings(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// newVersion stores and returns a version that never was.
func (m *Module) newVersion(ctx context.Context, user string) (string, error) {
	var b [sha1.Size]byte
	rand.Read(b[:]) // never fails
	v := hex.EncodeToString(b[:])
	return v, m.Store.SetVersion(ctx, user, v)
}

// set handles each <item/> of the request (RFC 6121 §2.3, §2.4, §2.5).
func (m *Module) set(t *router.Turn, req *router.Request) (*stanza.Stanza, error) {
	user := req.From.Bare()
	for el := range req.Stanza.Element().First().Elements() {
		if el.Name != "item" {
			continue
		}
		contact, err := jid.Parse(el.Attr("jid"))
		if err != nil {
			continue
		}
		if el.Attr("subscription") == "remove" {
			err = m.remove(t, user, contact, el)
		} else {
			err = m.update(t, user, contact, el)
		}
		if err != nil {
			return nil, err
		}
	}
	return req.Result(), nil
}

// update sets name and groups of an entry.
func (m *Module) update(t *router.Turn, user, contact jid.JID, el *xml.Element) error {
	l := m.lock(user.Local())
	l.Lock()
	defer l.Unlock()
	items, err := m.Store.Items(t, user.Local())
	if err != nil {
		return err
	}
	it, _ := find(items, contact)
	it.rename(el)
	if err := m.Store.Put(t, user.Local(), &it); err != nil {
		return err
	}
	return m.push(t, user, &it, it.element())
}

// rename takes name and groups from an <item/>.
func (it *Item) rename(el *xml.Element) {
	it.Name, it.Groups = el.Attr("name"), nil
	for g := range el.Elements() {
		if g.Name == "group" && !slices.Contains(it.Groups, g.Text()) {
			it.Groups = append(it.Groups, g.Text())
		}
	}
}

// remove deletes an entry and takes back what was agreed with the contact.
func (m *Module) remove(t *router.Turn, user, contact jid.JID, el *xml.Element) error {
	it, err := m.delete(t, user, contact, el)
	if err != nil {
		return err
	}
	m.takeBack(t, user, &it)
	return nil
}

// delete removes an entry and returns what it was.
func (m *Module) delete(t *router.Turn, user, contact jid.JID, el *xml.Element) (Item, error) {
	l := m.lock(user.Local())
	l.Lock()
	defer l.Unlock()
	items, err := m.Store.Items(t, user.Local())
	if err != nil {
		return Item{}, err
	}
	it, known := find(items, contact)
	if known {
		if err := m.Store.Delete(t, user.Local(), contact); err != nil {
			return Item{}, err
		}
	}
	gone := Item{Contact: contact, state: state{None, it.Ask}}
	gone.rename(el)
	return it, m.push(t, user, &gone, gone.element().Set("subscription", "remove"))
}

// takeBack ends the subscriptions with a contact.
func (m *Module) takeBack(t *router.Turn, user jid.JID, it *Item) {
	if it.Subscription == To || it.Subscription == Both {
		m.presence(t, user, it.Contact, "unsubscribe")
	}
	if it.Subscription == From || it.Subscription == Both {
		m.presence(t, user, it.Contact, "unsubscribed")
	}
}

func (m *Module) presence(t *router.Turn, from, to jid.JID, typ string) {
	m.host.Router().Route(t, router.Packet{From: from, To: to.Bare(), Stanza: stanza.New(stanza.Presence, typ, "")})
}

// push tells every session of the user about an entry (RFC 6121 §2.1.6), and the
// sessions themselves about the subscription.
func (m *Module) push(t *router.Turn, user jid.JID, it *Item, el *xml.Element) error {
	query := xml.New(ns, "query")
	if m.Options.StoreCurrentID {
		if _, err := m.newVersion(t, user.Local()); err != nil {
			return err
		}
	}
	if m.Options.Versioning {
		items, err := m.Store.Items(t, user.Local())
		if err != nil {
			return err
		}
		v, err := m.version(t, user.Local(), items)
		if err != nil {
			return err
		}
		query.Set("ver", v)
	}
	query.Add(el)
	iq := stanza.New(stanza.IQ, "set", "push"+stream.NewID(), query)
	sig := session.RosterChanged{
		Contact: it.Contact,
		From:    it.Subscription == From || it.Subscription == Both,
		To:      it.Subscription == To || it.Subscription == Both,
	}
	for _, s := range m.host.Router().Sessions.User(user) {
		s.Receiver.Signal(t, sig)
		s.Receiver.Deliver(t, router.Packet{From: user, To: s.JID, Stanza: iq})
	}
	return nil
}

// contacts gives the subscriptions to a session that opens.
func (m *Module) contacts(ctx context.Context, user jid.JID, add func(router.Contact)) {
	items, err := m.Store.Items(ctx, user.Local())
	if err != nil {
		m.failed("read roster", user, err)
	}
	for i := range items {
		if s := items[i].Subscription; s != None {
			add(contact(&items[i]))
		}
	}
}

func contact(it *Item) router.Contact {
	return router.Contact{
		JID:  it.Contact,
		From: it.Subscription == From || it.Subscription == Both,
		To:   it.Subscription == To || it.Subscription == Both,
	}
}

// contactOf looks a contact up: by its full JID, else by its bare one.
func (m *Module) contactOf(ctx context.Context, user, other jid.JID) (router.Contact, bool) {
	items, err := m.Store.Items(ctx, user.Local())
	if err != nil {
		m.failed("read roster", user, err)
		return router.Contact{}, false
	}
	it, known := find(items, other)
	if !known {
		if it, known = find(items, other.Bare()); !known {
			return router.Contact{}, false
		}
	}
	return contact(&it), true
}

// pending returns the requests that wait for the user's answer.
func (m *Module) pending(ctx context.Context, user jid.JID) (list []router.Packet) {
	items, err := m.Store.Items(ctx, user.Local())
	if err != nil {
		m.failed("read roster", user, err)
		return nil
	}
	for i := range items {
		it := &items[i]
		if it.Ask != AskIn && it.Ask != AskBoth {
			continue
		}
		st := stanza.New(stanza.Presence, "subscribe", "")
		if it.Request != "" {
			st = st.With(xml.New(stanza.NSClient, "status").SetText(it.Request))
		}
		list = append(list, router.Packet{From: it.Contact, To: user, Stanza: st})
	}
	return list
}

// subscriptionIn takes note of what a contact sends (RFC 6121 §3.1.3), and says for
// the user what needs no decision.
func (m *Module) subscriptionIn(t *router.Turn, p router.Packet, _ bool) (forward, stop bool) {
	old, changed, err := m.subscription(t, inbound, p.To.Bare(), p.From.Bare(), p.Stanza)
	if err != nil {
		m.failed("change roster", p.To, err)
		return false, false
	}
	if answer := answers[p.Stanza.Type][old]; answer != "" {
		m.presence(t, p.To.Bare(), p.From, answer)
	}
	return changed, false
}

// subscriptionOut takes note of what the user sends (RFC 6121 §3.1.2).
func (m *Module) subscriptionOut(t *router.Turn, p router.Packet) {
	if _, _, err := m.subscription(t, outbound, p.From.Bare(), p.To, p.Stanza); err != nil {
		m.failed("change roster", p.From, err)
	}
}

// subscription moves the entry for a contact to its next state. It returns the
// state before, and whether there was a transition.
func (m *Module) subscription(t *router.Turn, d direction, user, other jid.JID, st *stanza.Stanza) (old state, changed bool, err error) {
	l := m.lock(user.Local())
	l.Lock()
	defer l.Unlock()
	items, err := m.Store.Items(t, user.Local())
	if err != nil {
		return none, false, err
	}
	it, _ := find(items, other)
	old = it.state
	next, changed := d.next(old, st.Type)
	if !changed || next == old {
		return old, changed, nil // subscribe that is asked again: sent, not stored
	}
	it.state = next
	if d == inbound && st.Type == "subscribe" {
		it.Request = ""
		if el := st.Child("status"); el != nil {
			it.Request = el.Text()
		}
	}
	if old == noneIn && next == none {
		err = m.Store.Delete(t, user.Local(), other) // was never part of the roster
	} else {
		err = m.Store.Put(t, user.Local(), &it)
	}
	if err == nil && old.visibleChange(next) {
		err = m.push(t, user, &it, it.element())
	}
	return old, true, err
}

// visibleChange reports whether clients are told of a transition: entries that hold
// only a request are not theirs to see.
func (s state) visibleChange(next state) bool {
	return next != noneIn && !(s == noneIn && next == none)
}

// removed takes back the subscriptions of an account that is removed and deletes
// its roster.
func (m *Module) removed(t *router.Turn, user jid.JID) {
	items, err := m.Store.Items(t, user.Local())
	if err != nil {
		m.failed("read roster", user, err)
	}
	for i := range items {
		m.takeBack(t, user, &items[i])
	}
	if err := m.Store.DeleteAll(t, user.Local()); err != nil {
		m.failed("remove roster", user, err)
	}
}

func (m *Module) failed(what string, user jid.JID, err error) {
	m.Log.Error(what, zap.Stringer("jid", user.Bare()), zap.Error(err))
}
