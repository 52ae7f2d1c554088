package compat

import (
	"time"

	"meerkat/cfgterm/schema"
	"meerkat/httpmods/api"
	"meerkat/httpmods/bosh"
	"meerkat/httpmods/cowboy"
	"meerkat/httpmods/rest"
	"meerkat/httpmods/revproxy"
	"meerkat/httpmods/sse"
	"meerkat/httpmods/static"
	"meerkat/httpmods/websocket"
	"meerkat/listeners/c2s"
	"meerkat/listeners/component"
	"meerkat/listeners/s2s"
	"meerkat/listeners/web"
)

// allBuiltins is a program that has all there is a table for; nothing is missing but
// modules.
func allBuiltins() Builtins {
	served := func(ts ...schema.Schema) []Builtin {
		var bs []Builtin
		for _, t := range ts {
			bs = append(bs, Builtin{Table: t, Served: true})
		}
		return bs
	}
	handlers := served(bosh.Table(), websocket.Table(), cowboy.Table(), revproxy.Table(), static.Table(), sse.Table(),
		api.Table(), api.AdminTable(), api.ClientTable())
	for _, t := range rest.Tables() {
		handlers = append(handlers, Builtin{Table: t, Served: true})
	}
	return Builtins{
		Listeners:      served(c2s.Table(), s2s.Table(), component.Table(), web.Table()),
		Handlers:       handlers,
		Modules:        served(bosh.ModuleTable(), revproxy.ModuleTable(), pingTable),
		AuthMethods:    []string{"internal", "odbc", "external", "http", "ldap", "anonymous", "riak"},
		SASLMechanisms: []string{"cyrsasl_plain", "cyrsasl_digest", "cyrsasl_scram", "cyrsasl_anonymous", "cyrsasl_oauth"},
		Features: Features{
			S2S: true, SQL: true, Redis: true, Riak: true, Cassandra: true, HTTPPools: true, Metrics: true, CommandsAccess: true,
		},
	}
}

// fewBuiltins is a program that serves clients over TCP only.
func fewBuiltins() Builtins {
	b := allBuiltins()
	for _, list := range [][]Builtin{b.Listeners, b.Handlers} {
		for i := range list {
			list[i].Served = list[i].Table.TableName() == "ejabberd_c2s"
		}
	}
	b.Modules = []Builtin{{Table: pingTable, Served: true}}
	b.AuthMethods = []string{"internal"}
	b.SASLMechanisms = []string{"cyrsasl_plain", "cyrsasl_scram", "cyrsasl_scram_sha1", "cyrsasl_scram_sha256"}
	b.Features = Features{}
	return b
}

// pingOptions are options as mod_ping has them.
type pingOptions struct {
	SendPings bool
	Interval  time.Duration
	Timeout   time.Duration
	Action    string
	IQDisc    schema.IQDisc
}

var pingTable = &schema.Table[pingOptions]{
	Name: "mod_ping", Kind: schema.Module, Doc: "Pings.",
	Options: []schema.Option[pingOptions]{
		{
			Name: "send_pings", Value: schema.Field(schema.Bool(), func(o *pingOptions) *bool { return &o.SendPings }),
			Default: "false", Example: "true", Doc: "Whether to ping.", Since: "1.2.2", TOML: "send_pings", Effect: schema.NewConnections, Bad: schema.Ignored,
		},
		{
			Name:    "ping_interval",
			Value:   schema.Field(schema.Seconds(1, schema.NoLimit), func(o *pingOptions) *time.Duration { return &o.Interval }),
			Default: "60", Example: "90", Doc: "When.", Since: "1.2.2", TOML: "ping_interval", Effect: schema.NewConnections, Bad: schema.Ignored,
		},
		{
			Name:    "timeout_action",
			Value:   schema.Field(schema.Enum("none", "kill"), func(o *pingOptions) *string { return &o.Action }),
			Default: "none", Example: "kill", Doc: "What then.", Since: "1.2.2", TOML: "timeout_action", Effect: schema.NewConnections, Bad: schema.Ignored,
		},
		schema.IQDiscOption("no_queue", func(o *pingOptions) *schema.IQDisc { return &o.IQDisc }),
	},
}
