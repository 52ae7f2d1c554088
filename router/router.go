package router

import (
	"context"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"meerkat/router/acl"
	"meerkat/router/jid"
	"meerkat/router/session"
	"meerkat/router/stanza"
)

// Turn and Packet are what routing is about; see there.
type (
	// Turn is session.Turn.
	Turn = session.Turn
	// Packet is stanza.Packet.
	Packet = stanza.Packet
)

// A Service takes the stanzas for a domain that is not a served host: a module's
// service such as a directory, or an external component.
type Service interface {
	Route(t *Turn, p Packet)
}

// Router delivers stanzas. See the package comment.
type Router struct {
	// Sessions is who is online.
	Sessions *session.Registry
	// ACL holds the access rules; see SetACL.
	acl atomic.Pointer[acl.Rules]

	// Node is the node's own name, as it stands in session ids.
	Node string
	// Language is the default xml:lang of what the server says (option
	// language).
	Language string

	ctx   context.Context
	log   *zap.Logger
	hosts map[string]*Host
	order []*Host

	servicesMu sync.Mutex // orders writers of services
	services   atomic.Pointer[map[string]Service]
	remote     Service
}

// New returns a router without hosts. It lives as long as ctx.
func New(ctx context.Context, log *zap.Logger) *Router {
	r := &Router{
		Sessions: session.NewRegistry(),
		Node:     "meerkat@localhost",
		Language: "en",
		ctx:      ctx,
		log:      log,
		hosts:    map[string]*Host{},
	}
	r.services.Store(&map[string]Service{})
	r.acl.Store(&acl.Rules{})
	return r
}

// SetACL puts access rules into force.
func (r *Router) SetACL(rules *acl.Rules) { r.acl.Store(rules) }

// ACL returns the access rules in force.
func (r *Router) ACL() *acl.Rules { return r.acl.Load() }

// SetRemote sets who takes stanzas for domains that nobody here serves:
// federation. Without it they are answered with remote-server-not-found. It is
// called before the router is used.
func (r *Router) SetRemote(s Service) { r.remote = s }

// Context returns the context the router lives in.
func (r *Router) Context() context.Context { return r.ctx }

// Host returns the served host of that name, or nil. The name must be prepared.
func (r *Router) Host(name string) *Host { return r.hosts[name] }

// Hosts returns the served hosts in the order of the configuration.
func (r *Router) Hosts() []*Host { return r.order }

// AddService makes s receive the stanzas for a domain. It reports false if the
// domain is a served host or has a service already.
func (r *Router) AddService(domain string, s Service) bool {
	r.servicesMu.Lock()
	defer r.servicesMu.Unlock()
	old := *r.services.Load()
	if r.hosts[domain] != nil || old[domain] != nil {
		return false
	}
	next := make(map[string]Service, len(old)+1)
	for d, s := range old {
		next[d] = s
	}
	next[domain] = s
	r.services.Store(&next)
	return true
}

// RemoveService takes the domain from s, if s has it.
func (r *Router) RemoveService(domain string, s Service) {
	r.servicesMu.Lock()
	defer r.servicesMu.Unlock()
	old := *r.services.Load()
	if old[domain] != s {
		return
	}
	next := make(map[string]Service, len(old))
	for d, s := range old {
		if d != domain {
			next[d] = s
		}
	}
	r.services.Store(&next)
}

// Services returns the domains of services and components, in no order.
func (r *Router) Services() []string {
	m := *r.services.Load()
	names := make([]string, 0, len(m))
	for d := range m {
		names = append(names, d)
	}
	return names
}

// Route sends p on its way to p.To. The stanza is shared and not changed; From
// and To are written into it when it leaves.
func (r *Router) Route(t *Turn, p Packet) {
	domain := p.To.Domain()
	if h := r.hosts[domain]; h != nil {
		h.local(t, p)
		return
	}
	if s := (*r.services.Load())[domain]; s != nil {
		s.Route(t, p)
		return
	}
	r.outside(t, p)
}

// outside routes to a domain that is not served here.
func (r *Router) outside(t *Turn, p Packet) {
	switch {
	case r.belowHost(p.To.Domain()):
		// A name below a served host that no service has is not looked for
		// elsewhere.
		r.Bounce(t, p, stanza.ServiceUnavailable)
	case r.remote != nil:
		r.remote.Route(t, p)
	default:
		r.Bounce(t, p, stanza.RemoteServerNotFound)
	}
}

// belowHost reports whether a parent of the domain is a served host.
func (r *Router) belowHost(domain string) bool {
	for {
		_, parent, ok := strings.Cut(domain, ".")
		if !ok {
			return false
		}
		if r.hosts[parent] != nil {
			return true
		}
		domain = parent
	}
}

// Bounce answers p with an error, unless it is itself an error or a result.
func (r *Router) Bounce(t *Turn, p Packet, e *stanza.Error) {
	switch p.Stanza.Type {
	case "error":
		return
	case "result":
		if p.Stanza.Kind == stanza.IQ {
			return
		}
	}
	r.Route(t, Packet{From: p.To, To: p.From, Stanza: stanza.ErrorReply(p.Stanza, e)})
}

// Guard, when deferred, logs a panic and ends it there. It stands at the root of
// goroutines and timers that route: a mistake in what one stanza leads to must not
// end the node. during says what was done.
func (r *Router) Guard(during string) {
	if p := recover(); p != nil {
		r.log.Error("panic", zap.String("during", during), zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
	}
}

// Match evaluates an access rule for a JID, as seen from a host; host "" means
// global. An undefined rule denies.
func (r *Router) Match(host, rule string, j jid.JID) acl.Value {
	return r.ACL().Match(host, rule, j)
}
