// Package websocket is mod_websockets of ejabberd.cfg: XMPP over WebSocket (RFC 7395)
// for clients, and the old framing for components.
//
// It imports cfgterm and cfgterm/schema.
package websocket

import (
	"time"

	"meerkat/cfgterm"
	"meerkat/cfgterm/schema"
)

// Options are the options of a route to mod_websockets.
type Options struct {
	// Timeout closes a connection from which nothing came for so long; 0: never.
	Timeout time.Duration
	// PingRate is the time between two ping frames; 0: none are sent.
	PingRate time.Duration
	// Service is nil unless components may connect; then it is what the table of
	// ejabberd_service makes of the parameters: a pointer to its Options.
	Service any
	// Access names the access rule that decides who may open a session.
	Access string
	// MaxStanzaSize is the largest stanza that a client may send, in bytes.
	MaxStanzaSize int
	// StartTLSRequired refuses every login: there is no STARTTLS over WebSocket.
	StartTLSRequired bool
	// MaxQueue is how many stanzas may wait for a client; 0: no limit.
	MaxQueue int
}

// Table returns the option table of a route to mod_websockets.
func Table() *schema.Table[Options] { return table }

// service is the parameters of ejabberd_service, read by its own table.
var service = schema.New("a list of options of ejabberd_service",
	func(r *schema.Reader, t cfgterm.Term) (any, error) {
		_, v, err := r.Table(schema.Listener, &cfgterm.Atom{Node: cfgterm.Node{At: t.Span()}, Name: "ejabberd_service"}, t)
		return v, err
	})

var table = &schema.Table[Options]{
	Name: "mod_websockets", Kind: schema.Handler, Proplist: true,
	Doc: "XMPP over WebSocket. The usual route is {\"_\", \"/ws-xmpp\", mod_websockets, []}. The route takes options of " +
		"ejabberd_c2s too, as 2.0.1 did without documenting it; those of TLS and compression have no meaning here.",
	Options: []schema.Option[Options]{
		{
			Name: "timeout",
			Value: schema.Field(schema.Milliseconds(1, schema.NoLimit).Or("infinity", 0),
				func(o *Options) *time.Duration { return &o.Timeout }),
			Default: "infinity", Example: "600000",
			Doc:   "Closes the connection when no byte came for so long, in milliseconds. Any frame counts, pong too.",
			Since: "1.3.0", TOML: "timeout", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		{
			Name: "ping_rate",
			Value: schema.Field(schema.Milliseconds(1, schema.NoLimit).Or("none", 0),
				func(o *Options) *time.Duration { return &o.PingRate }),
			Default: "none", Example: "60000",
			Doc: "Sends an empty ping frame at this interval, in milliseconds, the first one interval after the " +
				"handshake. Use it where a proxy closes connections that are idle.",
			Since: "1.3.0", TOML: "ping_rate", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		{
			Name:   "ejabberd_service",
			Value:  schema.Field(service.Hide("password"), func(o *Options) *any { return &o.Service }),
			Absent: "components cannot connect here", Example: `[{password, "secret"}]`,
			Doc: "Lets external components connect over WebSocket. The value is a list of options of " +
				"ejabberd_service; an ip among them has no meaning.",
			Since: "2.0.0", TOML: "service", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		{
			Name:    "access",
			Value:   schema.Field(schema.AccessRule(), func(o *Options) *string { return &o.Access }),
			Default: "c2s", Source: "all", Example: "registered",
			Doc: "Access rule that decides who may open a session, as the option of ejabberd_c2s does. Without it " +
				"2.0.1 let everybody in, also those who were refused on port 5222; here the default is that of " +
				"ejabberd_c2s. Not documented for 2.0.1, which read it.",
			Since: "1.3.0", TOML: "access", Effect: schema.NewConnections, Bad: schema.Ignored, BadTerm: "none",
		},
		{
			Name: "max_stanza_size",
			Value: schema.Field(schema.Int(1, schema.NoLimit),
				func(o *Options) *int { return &o.MaxStanzaSize }),
			Default: "1048576", Source: "16777216", Example: "131072",
			Doc:   "Largest stanza that a client may send, in bytes. 2.0.1 had no limit here; Meerkat always has one.",
			Since: "2.1.1", TOML: "max_stanza_size", Effect: schema.NewConnections, Bad: schema.Ignored, Quiet: true,
		},
		{
			Name:    "max_fsm_queue",
			Value:   schema.Field(schema.Int(1, schema.NoLimit), func(o *Options) *int { return &o.MaxQueue }),
			Inherit: "max_fsm_queue", Absent: "no limit", Example: "1000",
			Doc: "How many stanzas may wait for a client; one more ends the session. It wins over the top-level " +
				"option of the same name. Not documented for 2.0.1, which read it.",
			Since: "1.3.0", TOML: "max_fsm_queue", Effect: schema.NewConnections, Bad: schema.Ignored,
		},
		{
			Name:    "starttls_required",
			Value:   schema.Field(schema.Bool(), func(o *Options) *bool { return &o.StartTLSRequired }),
			Default: "false", Example: "true",
			Doc: "An option of ejabberd_c2s. There is no STARTTLS over WebSocket, so that every login is refused with " +
				"policy-violation, as by 2.0.1.",
			Since: "1.3.0", TOML: "-", Effect: schema.NewConnections, Bad: schema.Ignored,
		},
		noEffect("shaper", schema.Unused[Options](schema.ShaperRule()), "slow_clients", "2.0.1 did not limit clients here, and neither does Meerkat"),
		noEffect("zlib", schema.Unused[Options](schema.Any()), "10000", "WebSocket connections are not compressed"),
		noEffect("starttls", schema.Unused[Options](schema.Any()), "true", "encryption is the business of the listener: its option ssl"),
		noEffect("certfile", schema.Unused[Options](schema.Any()), `"server.pem"`, "encryption is the business of the listener: its option ssl"),
		noEffect("ciphers", schema.Unused[Options](schema.Any()), `"ALL"`, "encryption is the business of the listener: its option ssl"),
		noEffect("protocol_options", schema.Unused[Options](schema.Any()), `["no_sslv3"]`, "encryption is the business of the listener: its option ssl"),
		noEffect("dhfile", schema.Unused[Options](schema.Any()), `"dh.pem"`, "encryption is the business of the listener: its option ssl"),
	},
	Foreign: []schema.Foreign{
		{Name: "tls", From: "ejabberd_c2s; 2.0.1 closed every WebSocket connection with it", Instead: "the option ssl of the listener", Refused: true},
		{Name: "host", From: "MongooseIM 1.2", Instead: "the host of the route"},
		{Name: "prefix", From: "MongooseIM 1.2", Instead: "the path of the route"},
		{Name: "port", From: "MongooseIM 1.2", Instead: "the port of the listener"},
		{Name: "cert", From: "MongooseIM 1.2", Instead: "{ssl, [{certfile, FILE}, {keyfile, FILE}]} of the listener"},
		{Name: "key", From: "MongooseIM 1.2", Instead: "{ssl, [{certfile, FILE}, {keyfile, FILE}]} of the listener"},
	},
	Check: func(o *Options, c *schema.Check) {
		if o.StartTLSRequired {
			c.Warnf("LSN038", "starttls_required", "leave it out; for encryption give the listener the option ssl",
				"starttls_required of mod_websockets refuses every login: there is no STARTTLS over WebSocket")
		}
	},
}

func noEffect(name string, v schema.Value[Options], example, why string) schema.Option[Options] {
	return schema.Option[Options]{
		Name: name, Value: v, Absent: "-", Example: example,
		Doc:   "An option of ejabberd_c2s that does nothing here: " + why + ".",
		Since: "1.3.0", TOML: "-", Effect: schema.NewConnections, Bad: schema.AnyValue, NoEffect: why,
	}
}
