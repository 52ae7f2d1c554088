// Package ping answers pings and sends them: it is mod_ping of MongooseIM 2.0.1
// (XEP-0199).
//
// It imports router and what lies below it, and cfgterm/schema for its options.
package ping

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"meerkat/cfgterm/schema"
	"meerkat/router"
	"meerkat/router/session"
	"meerkat/router/stanza"
	"meerkat/router/xml"
)

const (
	ns     = "urn:xmpp:ping"
	module = "mod_ping"
)

// Options are the settings of mod_ping.
type Options struct {
	// IQDisc is how pings of clients are processed.
	IQDisc schema.IQDisc
	// SendPings makes the server ping idle clients.
	SendPings bool
	// Interval is how long a client may be silent before it is pinged.
	Interval time.Duration
	// Timeout is how long the answer may take.
	Timeout time.Duration
	// Kill ends the connection of a client that does not answer.
	Kill bool
}

// Table returns the option table of mod_ping.
func Table() *schema.Table[Options] { return table }

var table = &schema.Table[Options]{
	Name: module,
	Kind: schema.Module,
	Doc:  "Answers the pings of clients (XEP-0199) and, if asked to, pings idle clients itself.",
	Options: []schema.Option[Options]{
		{
			Name: "send_pings", Value: schema.Field(schema.Bool(), func(o *Options) *bool { return &o.SendPings }),
			Default: "false", Example: "true",
			Doc:   "Pings clients that have been silent for ping_interval.",
			Since: "1.2.2", TOML: "send_pings", Effect: schema.OnReload, Bad: schema.Ignored,
		},
		{
			Name: "ping_interval", Value: schema.Field(schema.Seconds(1, schema.NoLimit), func(o *Options) *time.Duration { return &o.Interval }),
			Default: "60", Example: "300",
			Doc: "Seconds since the last stanza or white space of a client after which it is pinged. It counts only " +
				"with send_pings.",
			Since: "1.2.2", TOML: "ping_interval", Effect: schema.OnReload, Bad: schema.Ignored,
		},
		{
			Name: "ping_req_timeout", Value: schema.Field(schema.Seconds(1, schema.NoLimit), func(o *Options) *time.Duration { return &o.Timeout }),
			Default: "32", Example: "10",
			Doc:   "Seconds to wait for the answer to a ping.",
			Since: "1.2.2", TOML: "ping_req_timeout", Effect: schema.OnReload, Bad: schema.Ignored,
		},
		{
			Name: "timeout_action", Value: schema.Field(schema.Words(map[string]bool{"none": false, "kill": true}), func(o *Options) *bool { return &o.Kill }),
			Default: "none", Example: "kill",
			Doc:   "What to do when no answer comes: none, or kill to end the connection.",
			Since: "1.2.2", TOML: "timeout_action", Effect: schema.OnReload, Bad: schema.Ignored,
		},
		schema.IQDiscOption("no_queue", func(o *Options) *schema.IQDisc { return &o.IQDisc }),
	},
}

// A Module serves the pings of one host.
type Module struct {
	Options Options
	Log     *zap.Logger

	host *router.Host

	mu     sync.Mutex // guards timers and what they point to
	timers map[*session.Session]*watch
}

// A watch pings one client after each silence.
type watch struct {
	timer   *time.Timer
	stopped bool
	stopAsk func() bool // takes back a ping under way
}

// Register adds the module to a host.
func (m *Module) Register(h *router.Host) {
	m.host = h
	d := router.DisciplineOf(m.Options.IQDisc)
	h.IQ(router.ServerTable, ns, d, m.iq)
	h.IQ(router.AccountTable, ns, d, m.iq)
	if !m.Options.SendPings {
		return
	}
	m.timers = map[*session.Session]*watch{}
	h.Hooks.SessionOpened.Add(100, module, m.opened)
	h.Hooks.SessionClosed.Add(100, module, m.closed)
	h.Hooks.UserSend.Add(100, module, func(_ *router.Turn, s *session.Session, _ router.Packet) { m.active(s) })
	h.Hooks.KeepAlive.Add(100, module, func(_ *router.Turn, s *session.Session) { m.active(s) })
}

func (m *Module) iq(_ *router.Turn, req *router.Request) (*stanza.Stanza, error) {
	if _, name, _ := req.Stanza.Payload(); req.IsSet() || name != "ping" {
		return nil, stanza.FeatureNotImplemented
	}
	return req.Result(), nil
}

func (m *Module) opened(_ *router.Turn, s *session.Session) {
	w := &watch{}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.timers[s] = w
	w.timer = time.AfterFunc(m.Options.Interval, func() { m.ping(s, w) })
}

func (m *Module) closed(_ *router.Turn, s *session.Session) {
	m.mu.Lock()
	w := m.timers[s]
	delete(m.timers, s)
	var stop func() bool
	if w != nil {
		w.stopped = true
		w.timer.Stop()
		stop = w.stopAsk
	}
	m.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// active starts a client's silence anew.
func (m *Module) active(s *session.Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := m.timers[s]; w != nil {
		w.timer.Reset(m.Options.Interval)
	}
}

// ping asks a silent client whether it is there.
func (m *Module) ping(s *session.Session, w *watch) {
	defer m.host.Router().Guard("ping of a silent client")
	t := session.NewTurn(m.host.Router().Context())
	st := stanza.New(stanza.IQ, "get", "", xml.New(ns, "ping"))
	stop := m.host.Ask(t, router.Packet{From: m.host.JID(), To: s.JID, Stanza: st}, m.Options.Timeout,
		func(t *router.Turn, reply *stanza.Stanza) { m.answered(t, s, w, reply) })
	t.Flush()
	m.mu.Lock()
	w.stopAsk = stop
	stopped := w.stopped
	m.mu.Unlock()
	if stopped {
		stop()
	}
}

func (m *Module) answered(t *router.Turn, s *session.Session, w *watch, reply *stanza.Stanza) {
	m.mu.Lock()
	w.stopAsk = nil
	stopped := w.stopped
	if !stopped {
		w.timer.Reset(m.Options.Interval)
	}
	m.mu.Unlock()
	if reply != nil || stopped {
		return
	}
	m.Log.Info("client does not answer pings", zap.Stringer("jid", s.JID), zap.Bool("kill", m.Options.Kill))
	if m.Options.Kill {
		s.Receiver.Signal(t, session.Drop{})
	}
}
