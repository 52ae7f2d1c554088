// Package bosh is mod_bosh of ejabberd.cfg: XMPP over HTTP (XEP-0124, XEP-0206). It
// is set in two places: the route says where it is served and what a session may
// do, the modules term how long things take.
//
// It imports cfgterm/schema.
package bosh

import (
	"time"

	"meerkat/cfgterm/schema"
)

// Options are the options of a route to mod_bosh. 2.0.1 read none.
type Options struct {
	// Access names the access rule that decides who may open a session.
	Access string
	// MaxStanzaSize is the largest stanza that a client may send, in bytes.
	MaxStanzaSize int
	// MaxQueue is how many stanzas may wait for a client; 0: no limit.
	MaxQueue int
}

// ModuleOptions are the options of mod_bosh in the modules term. Those of the
// first host count for all of them, as in 2.0.1.
type ModuleOptions struct {
	// Inactivity ends a session without a request for so long; 0: never.
	Inactivity time.Duration
	// MaxWait bounds the wait attribute of clients; 0: no bound.
	MaxWait time.Duration
	// ServerAcks adds ack attributes to responses.
	ServerAcks bool
	// MaxPause is the longest pause that a client may ask for.
	MaxPause time.Duration
}

// Table returns the option table of a route to mod_bosh.
func Table() *schema.Table[Options] { return table }

// ModuleTable returns the option table of mod_bosh in the modules term.
func ModuleTable() *schema.Table[ModuleOptions] { return moduleTable }

var table = &schema.Table[Options]{
	Name: "mod_bosh", Kind: schema.Handler, Proplist: true,
	Doc: "BOSH: XMPP for clients that can make HTTP requests only. The usual route is {\"_\", \"/http-bind\", mod_bosh}. " +
		"mod_bosh must stand in the modules term too. 2.0.1 ignored the options of the route.",
	Options: []schema.Option[Options]{
		{
			Name:    "access",
			Value:   schema.Field(schema.AccessRule(), func(o *Options) *string { return &o.Access }),
			Default: "c2s", Source: "all", Example: "registered",
			Doc: "Access rule that decides who may open a session, as the option of ejabberd_c2s does. 2.0.1 let " +
				"everybody in, also those who were refused on port 5222; here the default is that of ejabberd_c2s.",
			Since: "Meerkat", TOML: "access", Effect: schema.NewConnections, Bad: schema.Ignored, BadTerm: "none",
		},
		{
			Name: "max_stanza_size",
			Value: schema.Field(schema.Int(1, schema.NoLimit),
				func(o *Options) *int { return &o.MaxStanzaSize }),
			Default: "1048576", Source: "16777216", Example: "131072",
			Doc:   "Largest stanza that a client may send, in bytes. 2.0.1 had no limit here; Meerkat always has one.",
			Since: "Meerkat", TOML: "max_stanza_size", Effect: schema.NewConnections, Bad: schema.Ignored, Quiet: true,
		},
		maxQueue(func(o *Options) *int { return &o.MaxQueue }),
	},
}

func maxQueue[T any](at func(*T) *int) schema.Option[T] {
	return schema.Option[T]{
		Name:    "max_fsm_queue",
		Value:   schema.Field(schema.Int(1, schema.NoLimit), at),
		Inherit: "max_fsm_queue", Absent: "no limit", Example: "1000",
		Doc: "How many stanzas may wait for a client; one more ends the session. 2.0.1 took the top-level option of " +
			"the same name only.",
		Since: "Meerkat", TOML: "max_fsm_queue", Effect: schema.NewConnections, Bad: schema.Ignored,
	}
}

var moduleTable = &schema.Table[ModuleOptions]{
	Name: "mod_bosh", Kind: schema.Module,
	Doc: "The part of BOSH in the modules term. Without it a route to mod_bosh answers every request with an error. " +
		"The options of the first host count.",
	Options: []schema.Option[ModuleOptions]{
		{
			Name: "inactivity",
			Value: schema.Field(schema.Seconds(1, schema.NoLimit).Or("infinity", 0),
				func(o *ModuleOptions) *time.Duration { return &o.Inactivity }),
			Default: "30", Example: "60",
			Doc: "How long a session without a request under way lives, in seconds. With infinity it lives for ever " +
				"and the client is not told.",
			Since: "1.3.0", TOML: "inactivity", Effect: schema.NewConnections, Bad: schema.Ignored,
		},
		{
			Name: "max_wait",
			Value: schema.Field(schema.Seconds(1, schema.NoLimit).Or("infinity", 0),
				func(o *ModuleOptions) *time.Duration { return &o.MaxWait }),
			Default: "infinity", Example: "60",
			Doc:   "Longest time that a request may be held, in seconds, whatever the client asks for.",
			Since: "1.3.0", TOML: "max_wait", Effect: schema.NewConnections, Bad: schema.Ignored,
		},
		{
			Name:    "server_acks",
			Value:   schema.Field(schema.Bool(), func(o *ModuleOptions) *bool { return &o.ServerAcks }),
			Default: "false", Example: "true",
			Doc:   "Whether responses acknowledge requests with the attribute ack.",
			Since: "1.3.0", TOML: "server_acks", Effect: schema.NewConnections, Bad: schema.Ignored,
		},
		{
			Name: "maxpause",
			Value: schema.Field(schema.Seconds(1, schema.NoLimit),
				func(o *ModuleOptions) *time.Duration { return &o.MaxPause }),
			Default: "120", Example: "60",
			Doc:   "Longest pause that a client may ask for, in seconds.",
			Since: "1.3.0", TOML: "maxpause", Effect: schema.NewConnections, Bad: schema.Ignored,
		},
		{
			Name:    "backend",
			Value:   schema.Unused[ModuleOptions](schema.Enum("mnesia")),
			Default: "mnesia", Example: "mnesia",
			Doc:   "Where 2.0.1 kept its sessions. They are in memory here; only mnesia can be written.",
			Since: "1.3.0", Until: "2.0.1", TOML: "-", Effect: schema.AtStart, Bad: schema.Refused,
			NoEffect: "sessions are kept in memory",
		},
	},
	Foreign: []schema.Foreign{
		{Name: "max_inactivity", From: "ejabberd's mod_http_bind", Instead: "{inactivity, Seconds}"},
		{Name: "max_pause", From: "MongooseIM 4.1", Instead: "{maxpause, Seconds}"},
		{Name: "port", From: "MongooseIM 1.2", Instead: "a route of an ejabberd_cowboy listener"},
		{Name: "num_acceptors", From: "MongooseIM 1.2", Instead: "a route of an ejabberd_cowboy listener"},
	},
}
