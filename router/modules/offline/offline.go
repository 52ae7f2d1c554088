// Package offline keeps messages for accounts that are away: it is mod_offline of
// MongooseIM 2.0.1 (XEP-0160, delays of XEP-0203, expiry of XEP-0023).
//
// It imports router and what lies below it, and cfgterm/schema for its options.
package offline

import (
	"context"
	"strconv"
	"time"

	"go.uber.org/zap"

	"meerkat/cfgterm/schema"
	"meerkat/router"
	"meerkat/router/jid"
	"meerkat/router/stanza"
	"meerkat/router/xml"
)

const (
	module       = "mod_offline"
	feature      = "msgoffline"
	nsChatStates = "http://jabber.org/protocol/chatstates"
	nsEvent      = "jabber:x:event"
	nsExpire     = "jabber:x:expire"
	nsDelay      = "urn:xmpp:delay"
	fullText     = "Your contact offline message queue is full. The message has been discarded."
	delayText    = "Offline Storage"
)

// Options are the settings of mod_offline.
type Options struct {
	// MaxMessages names the access rule whose value is how many messages may
	// wait for a user.
	MaxMessages string
	// Backend is "mnesia", the embedded store.
	Backend string
}

// Table returns the option table of mod_offline.
func Table() *schema.Table[Options] { return table }

var table = &schema.Table[Options]{
	Name: module,
	Kind: schema.Module,
	Doc: "Keeps messages of type chat and normal for accounts that no session takes, and delivers them to the first " +
		"session that becomes available (XEP-0160).",
	Options: []schema.Option[Options]{
		{
			Name:    "access_max_user_messages",
			Value:   schema.Field(schema.ValueRule(), func(o *Options) *string { return &o.MaxMessages }),
			Default: "max_user_offline_messages", Example: "offline_limit",
			Doc: "Access rule that yields how many messages may wait for a user: an integer or infinity. Any other " +
				"value, or a rule that is not defined, sets no limit.",
			Since: "1.2.2", TOML: "access_max_user_messages", Effect: schema.OnReload, Bad: schema.Ignored,
		},
		schema.BackendOption(func(o *Options) *string { return &o.Backend }),
	},
}

// A Message is one that waits for a user.
type Message struct {
	At     time.Time
	Expire time.Time // zero: never
	From   jid.JID
	To     jid.JID        // as the sender had it: with or without a resource
	Stanza *stanza.Stanza // without delay elements
}

// Store keeps messages. Users are prepared local parts of one host.
type Store interface {
	// Put stores a message for a user, unless more than limit would wait then;
	// a limit below 0 means none. It reports whether it stored it.
	Put(ctx context.Context, user string, m *Message, limit int) (stored bool, err error)
	// Take returns all messages of a user that have not expired at now, oldest
	// first, and removes all.
	Take(ctx context.Context, user string, now time.Time) ([]Message, error)
	// DeleteAll removes all messages of a user.
	DeleteAll(ctx context.Context, user string) error
}

// A Module serves one host.
type Module struct {
	Options Options
	Store   Store
	Log     *zap.Logger
	Now     func() time.Time

	host *router.Host
}

// Register adds the module to a host.
func (m *Module) Register(h *router.Host) {
	m.host = h
	h.Hooks.Offline.Add(50, module, m.keep)
	h.Hooks.FetchOffline.Add(50, module, m.fetch)
	h.Hooks.UserRemoved.Add(50, module, m.removed)
	h.Hooks.Disco.Add(50, module, disco)
}

func disco(_ *router.Turn, q *router.DiscoQuery) {
	switch {
	case q.Items:
	case q.Node == "":
		q.Found = true
		q.Features = append(q.Features, feature)
	case q.Node == feature:
		q.Found = true
	}
}

// keep stores a message. It reports false for one that is not for storing; that is
// bounced.
func (m *Module) keep(t *router.Turn, p router.Packet) (done bool) {
	if onlyChatState(p.Stanza) || !m.event(t, p) {
		return false
	}
	now := m.Now()
	user := p.To.Bare()
	stored, err := m.Store.Put(t, user.Local(), &Message{
		At: stamp(p.Stanza, now), Expire: expiry(p.Stanza, now), From: p.From, To: p.To, Stanza: p.Stanza.WithoutDelay(),
	}, m.limit(user))
	if err != nil {
		m.Log.Error("store offline message", zap.Stringer("jid", user), zap.Error(err))
	}
	switch {
	case !stored:
		m.host.Router().Bounce(t, p, stanza.ResourceConstraint.WithText(fullText))
	case m.online(user):
		// A session has become available since the message was found to have
		// nowhere to go, and may have fetched before it was stored.
		for _, p := range m.fetch(t, user) {
			m.host.Router().Route(t, p)
		}
	}
	return true
}

// online reports whether a session of the user takes messages.
func (m *Module) online(user jid.JID) bool {
	for _, s := range m.host.Router().Sessions.User(user) {
		if prio, ok := s.Priority(); ok && prio >= 0 {
			return true
		}
	}
	return false
}

// stamp returns when a message was sent: it may have waited before, and come back
// because the session that fetched it was lost.
func stamp(st *stanza.Stanza, now time.Time) time.Time {
	if delay := st.ChildNS(nsDelay, "delay"); delay != nil {
		if at, err := time.Parse(time.RFC3339, delay.Attr("stamp")); err == nil {
			return at
		}
	}
	return now
}

// onlyChatState reports whether a message holds nothing but a chat state
// (XEP-0085).
func onlyChatState(st *stanza.Stanza) bool {
	space, _, n := st.Payload()
	return n == 1 && space == nsChatStates
}

// event handles message events (XEP-0022): a notification is not stored; who asks
// to be told of storing is told. It reports whether to store the message.
func (m *Module) event(t *router.Turn, p router.Packet) bool {
	x := p.Stanza.ChildNS(nsEvent, "x")
	if x == nil {
		return true
	}
	if x.Child(nsEvent, "id") != nil {
		return false
	}
	if x.Child(nsEvent, "offline") == nil {
		return true
	}
	told := xml.New(nsEvent, "x").Add(
		xml.New(nsEvent, "id").SetText(p.Stanza.ID),
		xml.New(nsEvent, "offline"))
	m.host.Router().Route(t, router.Packet{From: p.To, To: p.From, Stanza: stanza.New(stanza.Message, "", "", told)})
	return true
}

// expiry returns when a message is no longer wanted (XEP-0023).
func expiry(st *stanza.Stanza, now time.Time) time.Time {
	x := st.ChildNS(nsExpire, "x")
	if x == nil {
		return time.Time{}
	}
	n, err := strconv.ParseInt(x.Attr("seconds"), 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}
	}
	const most = 1 << 32 // beyond any life of a message, and not beyond a Duration
	return now.Add(time.Duration(min(n, most)) * time.Second)
}

// limit returns how many messages may wait for a user, -1 for any number.
func (m *Module) limit(user jid.JID) int {
	if n, ok := m.host.Router().Match(m.host.Name, m.Options.MaxMessages, user).Int(); ok {
		return int(max(n, 0))
	}
	return -1
}

// fetch gives up what waits for a user.
func (m *Module) fetch(t *router.Turn, user jid.JID) (list []router.Packet) {
	msgs, err := m.Store.Take(t, user.Local(), m.Now())
	if err != nil {
		m.Log.Error("read offline messages", zap.Stringer("jid", user), zap.Error(err))
		return nil
	}
	for i := range msgs {
		msg := &msgs[i]
		delay := xml.New(nsDelay, "delay").
			Set("from", m.host.Name).
			Set("stamp", msg.At.UTC().Format("2006-01-02T15:04:05.000000Z")).
			SetText(delayText)
		list = append(list, router.Packet{From: msg.From, To: msg.To, Stanza: msg.Stanza.With(delay)})
	}
	return list
}

func (m *Module) removed(t *router.Turn, user jid.JID) {
	if err := m.Store.DeleteAll(t, user.Local()); err != nil {
		m.Log.Error("remove offline messages", zap.Stringer("jid", user), zap.Error(err))
	}
}
