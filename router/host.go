package router

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"meerkat/router/auth"
	"meerkat/router/jid"
	"meerkat/router/session"
	"meerkat/router/stream"
	"meerkat/router/xml"
)

// A Host is one of the served domains (option hosts). It is set up before the
// router starts and not changed afterwards.
type Host struct {
	// Name is the domain, prepared.
	Name string
	// Auth knows the accounts.
	Auth *auth.Host
	// Hooks are the events that modules take part in.
	Hooks Hooks

	router   *Router
	jid      jid.JID
	iq       [2]map[string]*iqEntry
	features []string

	repliesMu sync.Mutex // guards replies
	replies   map[string]*pendingReply
}

// NewHost adds a host to the router. The first one that is added is the node's own
// name. It is called before the router is used; a second host of the same name,
// and a name that is not prepared, panics.
func (r *Router) NewHost(name string, accounts *auth.Host) *Host {
	if r.hosts[name] != nil {
		panic(fmt.Sprintf("router: host %s added twice", name))
	}
	j, err := jid.New("", name, "")
	if err != nil || j.Domain() != name {
		panic(fmt.Sprintf("router: host %q is not prepared: %v", name, err))
	}
	h := &Host{
		Name:    name,
		jid:     j,
		Auth:    accounts,
		router:  r,
		iq:      [2]map[string]*iqEntry{{}, {}},
		replies: map[string]*pendingReply{},
	}
	r.hosts[name] = h
	r.order = append(r.order, h)
	return h
}

// Router returns the router that the host belongs to.
func (h *Host) Router() *Router { return h.router }

// JID returns the address of the host.
func (h *Host) JID() jid.JID { return h.jid }

// Feature adds namespaces to what disco#info of the host lists.
func (h *Host) Feature(ns ...string) {
	h.features = append(h.features, ns...)
	slices.Sort(h.features)
	h.features = slices.Compact(h.features)
}

// Features returns the features of the host, sorted.
func (h *Host) Features() []string { return h.features }

// Features returns the children of the stream features that modules of the
// host offer to clients.
func (h *Host) StreamFeatures() []*xml.Element { return collect(&h.Hooks.StreamFeatures) }

// BindFeatures returns the features that modules offer beside resource binding.
func (h *Host) BindFeatures() []*xml.Element { return collect(&h.Hooks.BindFeatures) }

func collect(hook *Hook[func() *xml.Element]) (els []*xml.Element) {
	for _, fn := range hook.All() {
		if el := fn(); el != nil {
			els = append(els, el)
		}
	}
	return els
}

// A DiscoQuery is a disco#info or disco#items query (XEP-0030) and the answer that
// is being put together.
type DiscoQuery struct {
	Packet
	Table Table
	Items bool // disco#items; else disco#info
	Node  string

	// Found is set by whoever knows the Node. A query for a node that nobody
	// knows is answered with item-not-found.
	Found    bool
	Children []*xml.Element // <identity/>, <item/>, <x/>
	Features []string
}

// Register makes an account and runs the hook UserRegistered. Errors are those
// of package auth.
func (h *Host) Register(ctx context.Context, user jid.JID, password string) error {
	if err := h.Auth.Register(ctx, user.Local(), password); err != nil {
		return err
	}
	for _, fn := range h.Hooks.UserRegistered.All() {
		fn(ctx, user.Bare())
	}
	return nil
}

// RemoveUser removes an account, lets modules remove what they stored for it, and
// ends its sessions (decision: XEP-0077 removal ends every session of the account).
// The error is that of the authentication methods; nothing else is removed then.
func (h *Host) RemoveUser(t *Turn, user jid.JID) error {
	return h.RemoveUserFunc(t, user, func() {})
}

// RemoveUserFunc is RemoveUser that calls removed when the account is gone and its
// sessions have not been told yet: the time to answer one that asked for it.
func (h *Host) RemoveUserFunc(t *Turn, user jid.JID, removed func()) error {
	if err := h.Auth.Remove(t, user.Local()); err != nil {
		return err
	}
	removed()
	h.forget(t, user.Bare())
	return nil
}

func (h *Host) forget(t *Turn, user jid.JID) {
	for _, fn := range h.Hooks.UserRemoved.All() {
		fn(t, user)
	}
	for _, s := range h.router.Sessions.User(user) {
		s.Receiver.Signal(t, session.End{Condition: "conflict", Text: "User removed"})
	}
}

// Exists reports whether the account is known. Failures of an authentication
// method are logged there and count as no.
func (h *Host) Exists(ctx context.Context, user jid.JID) bool {
	return h.Auth.Exists(ctx, user.Local())
}

// newIQID returns an id for a stanza that the server sends.
func newIQID() string { return stream.NewID() }
