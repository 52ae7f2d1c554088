// Package register makes and removes accounts in band: it is mod_register of
// MongooseIM 2.0.1 (XEP-0077).
//
// Deviations: removing an account ends all its sessions (2.0.1 left some alive by
// chance); a logged-in user who registers another account gets an answer.
//
// It imports router and what lies below it, and cfgterm/schema for its options.
package register

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"sync"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"

	"meerkat/router"
	"meerkat/router/acl"
	"meerkat/router/auth"
	"meerkat/router/jid"
	"meerkat/router/stanza"
	"meerkat/router/xml"
)

const (
	ns           = "jabber:iq:register"
	nsFeature    = "http://jabber.org/features/iq-register"
	module       = "mod_register"
	instructions = "Choose a username and password to register with this server"
	tooQuickly   = "Users are not allowed to register accounts so quickly"
	tooWeak      = "The password is too weak"
)

// A Limiter remembers who registered when: the option registration_timeout counts
// for the whole node. The zero Limiter sets no limit.
type Limiter struct {
	// Timeout is how long a source must wait after an attempt, in whole seconds;
	// 0 means no limit.
	Timeout time.Duration
	Now     func() time.Time

	mu      sync.Mutex       // guards what follows
	last    map[string]int64 // second of the last attempt that counted
	cleaned int64            // second in which those that may register again were forgotten
}

// maxSources bounds the memory for sources; beyond it those that may register again
// are forgotten, once a second at most.
const maxSources = 100_000

// Allow reports whether a source may make an attempt now, and counts it.
func (l *Limiter) Allow(source string) bool {
	if l.Timeout <= 0 {
		return true
	}
	wait := int64(l.Timeout / time.Second)
	now := l.Now().Unix()
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.last[source]; ok && now-at <= wait {
		return false
	}
	if l.last == nil {
		l.last = map[string]int64{}
	}
	if _, known := l.last[source]; !known && len(l.last) >= maxSources {
		if l.cleaned != now {
			l.cleaned = now
			for s, at := range l.last {
				if now-at > wait {
					delete(l.last, s)
				}
			}
		}
		if len(l.last) >= maxSources {
			return false // a flood from many addresses: nobody new for now
		}
	}
	l.last[source] = now
	return true
}

// A Module serves one host.
type Module struct {
	Options Options
	Limiter *Limiter
	Log     *zap.Logger
	Now     func() time.Time

	host *router.Host
}

// Register adds the module to a host.
func (m *Module) Register(h *router.Host) {
	m.host = h
	d := router.DisciplineOf(m.Options.IQDisc)
	h.IQ(router.ServerTable, ns, d, m.iq)
	h.IQ(router.AccountTable, ns, d, m.iq)
	h.Hooks.StreamFeatures.Add(20, module, func() *xml.Element { return xml.New(nsFeature, "register") })
	h.Hooks.UnauthenticatedIQ.Add(50, module, m.unauthenticated)
}

// unauthenticated answers on a stream that has not authenticated.
func (m *Module) unauthenticated(t *router.Turn, iq router.UnauthenticatedIQ) *stanza.Stanza {
	if space, _, n := iq.Stanza.Payload(); space != ns || n != 1 {
		return nil
	}
	if iq.Stanza.Type == "get" {
		return stanza.Result(iq.Stanza, form("", false))
	}
	reply, err := m.set(t, &request{Stanza: iq.Stanza, source: iq.Source})
	if err != nil {
		var se *stanza.Error
		if !errors.As(err, &se) {
			m.Log.Error("register account", zap.String("host", m.host.Name), zap.Error(err))
			se = stanza.InternalServerError
		}
		if se == missing {
			return stanza.ErrorReplyEmpty(iq.Stanza, se)
		}
		return stanza.ErrorReply(iq.Stanza, se)
	}
	return reply
}

// A request is one to set something.
type request struct {
	*stanza.Stanza
	from   jid.JID // zero before authentication
	source string  // what the rate limit counts by, and watchers are told
}

// missing is the error for a request without user name or password, which is
// answered without its payload.
var missing = stanza.BadRequest.WithText("")

func (m *Module) iq(t *router.Turn, req *router.Request) (*stanza.Stanza, error) {
	if !req.IsSet() {
		return stanza.Result(req.Stanza, form(req.From.Local(), m.known(t, req.From))), nil
	}
	reply, err := m.set(t, &request{Stanza: req.Stanza, from: req.From, source: req.From.String()})
	if err == missing {
		return stanza.ErrorReplyEmpty(req.Stanza, missing), nil
	}
	return reply, err
}

// known reports whether the account of a user of any host here exists.
func (m *Module) known(ctx context.Context, user jid.JID) bool {
	h := m.host.Router().Host(user.Domain())
	return h != nil && h.Exists(ctx, user)
}

// form returns the fields to fill in.
func form(user string, registered bool) *xml.Element {
	name := xml.New(ns, "username")
	if user != "" {
		name.SetText(user)
	}
	q := xml.New(ns, "query").Add(
		xml.New(ns, "instructions").SetText(instructions), name, xml.New(ns, "password"))
	if registered {
		q.Add(xml.New(ns, "registered"))
	}
	return q
}

// set registers an account, changes a password or removes an account.
func (m *Module) set(t *router.Turn, req *request) (*stanza.Stanza, error) {
	q := req.Element().First()
	if q.Child(ns, "remove") != nil {
		if more := countElements(q); more != 1 {
			return nil, stanza.BadRequest
		}
		return m.remove(t, req)
	}
	user, password := q.Child(ns, "username"), q.Child(ns, "password")
	if user == nil || password == nil {
		return nil, missing
	}
	if !req.from.IsZero() {
		if !m.mayChange(req.from) {
			return nil, stanza.Forbidden
		}
		if j, err := jid.New(user.Text(), m.host.Name, ""); err == nil && j == req.from.Bare() {
			return m.change(t, req, password.Text())
		}
	}
	return m.register(t, req, user.Text(), password.Text())
}

func countElements(el *xml.Element) (n int) {
	for range el.Elements() {
		n++
	}
	return n
}

// mayChange reports whether a user may change the password, remove the account, or
// register others.
func (m *Module) mayChange(user jid.JID) bool {
	rule := m.Options.Access
	if rule == "" {
		rule = "none"
	}
	return m.host.Router().Match(m.host.Name, rule, user) == acl.Allow
}

// remove ends an account (XEP-0077 §3.2).
func (m *Module) remove(t *router.Turn, req *request) (*stanza.Stanza, error) {
	if req.from.IsZero() || req.from.Domain() != m.host.Name || !m.mayChange(req.from) {
		return nil, stanza.NotAllowed
	}
	return nil, m.host.RemoveUserFunc(t, req.from, func() {
		// The result must be on its way before the session ends.
		if s := m.host.Router().Sessions.Find(req.from); s != nil {
			done := stanza.ResultRaw(req.Stanza, req.Content()).WithEmptyFrom()
			s.Receiver.Deliver(t, router.Packet{To: req.from, Stanza: done})
		}
	})
}

// change sets the own password (XEP-0077 §3.3).
func (m *Module) change(t *router.Turn, req *request, password string) (*stanza.Stanza, error) {
	if password == "" {
		return nil, stanza.BadRequest
	}
	if !m.strong(password) {
		return nil, stanza.NotAcceptable.WithText(tooWeak)
	}
	switch err := m.host.Auth.SetPassword(t, req.from.Local(), password); {
	case err == nil:
		return stanza.ResultRaw(req.Stanza, req.Content()), nil
	case errors.Is(err, auth.ErrNotAllowed):
		return nil, stanza.NotAllowed
	case errors.Is(err, auth.ErrInvalidPassword):
		return nil, stanza.NotAcceptable
	default:
		return nil, err
	}
}

// register makes an account (XEP-0077 §3.1).
func (m *Module) register(t *router.Turn, req *request, user, password string) (*stanza.Stanza, error) {
	if !m.Limiter.Allow(req.source) {
		return nil, stanza.ResourceConstraint.WithText(tooQuickly)
	}
	j, err := jid.New(user, m.host.Name, "")
	if err != nil || j.Local() == "" {
		return nil, stanza.BadRequest
	}
	if !m.mayRegister(j) || !m.addressAllowed(req) {
		return nil, stanza.Forbidden
	}
	if !m.strong(password) {
		return nil, stanza.NotAcceptable.WithText(tooWeak)
	}
	switch err := m.host.Register(t, j, password); {
	case err == nil:
	case errors.Is(err, auth.ErrExists):
		return nil, stanza.Conflict
	case errors.Is(err, auth.ErrNullPassword), errors.Is(err, auth.ErrInvalidPassword):
		return nil, stanza.NotAcceptable
	case errors.Is(err, auth.ErrNotAllowed):
		return nil, stanza.NotAllowed
	default:
		return nil, err
	}
	m.welcome(t, j)
	if req.from.IsZero() {
		// 2.0.1 tells nobody of accounts that users make for others.
		m.tellWatchers(t, j, req.source)
	}
	return stanza.ResultRaw(req.Stanza, req.Content()), nil
}

func (m *Module) mayRegister(j jid.JID) bool {
	rule := m.Options.Access
	if rule == "" {
		rule = "all"
	}
	return m.host.Router().Match(m.host.Name, rule, j) == acl.Allow
}

// addressAllowed looks at the address behind a request, if it has one.
func (m *Module) addressAllowed(req *request) bool {
	if len(m.Options.IPAccess) == 0 {
		return true
	}
	addr, err := netip.ParseAddr(req.source)
	if err != nil {
		s := m.host.Router().Sessions.Find(req.from)
		if s == nil {
			return true
		}
		addr = s.Info.Addr.Addr()
	}
	addr = addr.Unmap()
	for _, rule := range m.Options.IPAccess {
		if rule.Network.Contains(addr) {
			return rule.Allow
		}
	}
	return true
}

// strong reports whether a password has the entropy that is asked for: its length
// times the bits of an alphabet of all kinds of characters that occur in it.
func (m *Module) strong(password string) bool {
	if m.Options.Strength <= 0 {
		return true
	}
	var lower, upper, digit, sign, other bool
	for _, r := range password {
		switch {
		case r >= 'a' && r <= 'z':
			lower = true
		case r >= 'A' && r <= 'Z':
			upper = true
		case r >= '0' && r <= '9':
			digit = true
		case r > ' ' && r < 0x7F:
			sign = true
		default:
			other = true
		}
	}
	size := 0
	for _, kind := range []struct {
		has bool
		n   int
	}{{lower, 26}, {upper, 26}, {digit, 10}, {sign, 32}, {other, 128}} {
		if kind.has {
			size += kind.n
		}
	}
	return float64(utf8.RuneCountInString(password))*math.Log2(float64(size)) >= m.Options.Strength
}

// welcome sends the message for new accounts.
func (m *Module) welcome(t *router.Turn, j jid.JID) {
	w := m.Options.Welcome
	if w == (Welcome{}) {
		return
	}
	m.host.Router().Route(t, router.Packet{From: m.host.JID(), To: j, Stanza: stanza.New(stanza.Message, "normal", "",
		xml.New(stanza.NSClient, "subject").SetText(w.Subject),
		xml.New(stanza.NSClient, "body").SetText(w.Body))})
}

// tellWatchers tells of a new account.
func (m *Module) tellWatchers(t *router.Turn, j jid.JID, source string) {
	if len(m.Options.Watchers) == 0 {
		return
	}
	body := fmt.Sprintf("[%s] The account %s was registered from IP address %s on node %s using mod_register.",
		m.Now().Format("2006-01-02 15:04:05"), j, source, m.host.Router().Node)
	st := stanza.New(stanza.Message, "chat", "", xml.New(stanza.NSClient, "body").SetText(body))
	for _, w := range m.Options.Watchers {
		to, err := jid.Parse(w)
		if err != nil {
			m.Log.Warn("registration_watchers holds what is no address", zap.String("watcher", w))
			continue
		}
		m.host.Router().Route(t, router.Packet{From: m.host.JID(), To: to, Stanza: st})
	}
}
