package node

import (
	"slices"
	"time"

	"go.uber.org/zap"

	"meerkat/cfgterm/schema"
	"meerkat/compat"
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
	"meerkat/router"
	"meerkat/router/modules/disco"
	"meerkat/router/modules/offline"
	"meerkat/router/modules/ping"
	"meerkat/router/modules/register"
	"meerkat/router/modules/roster"
	"meerkat/router/storage"
)

// A module is one mod_* of this program.
type module struct {
	table schema.Schema
	// make returns the module for one host; options is what its table decodes to.
	make func(e *env, options any) registrar
}

// A registrar adds what it offers to a host.
type registrar interface{ Register(h *router.Host) }

// env is what modules of a host are made of.
type env struct {
	host    string
	db      *storage.DB
	limiter *register.Limiter
	log     *zap.Logger // named after the module
	now     func() time.Time
}

// modules are all that the program has: the only list of them.
var modules = []module{
	{disco.Table(), func(_ *env, o any) registrar {
		return &disco.Module{Options: *o.(*disco.Options)}
	}},
	{roster.Table(), func(e *env, o any) registrar {
		return &roster.Module{Options: *o.(*roster.Options), Store: roster.NewSQL(e.db), Log: e.log}
	}},
	{register.Table(), func(e *env, o any) registrar {
		return &register.Module{Options: *o.(*register.Options), Limiter: e.limiter, Log: e.log, Now: e.now}
	}},
	{offline.Table(), func(e *env, o any) registrar {
		return &offline.Module{Options: *o.(*offline.Options), Store: offline.NewSQL(e.db, e.host), Log: e.log, Now: e.now}
	}},
	{ping.Table(), func(e *env, o any) registrar {
		return &ping.Module{Options: *o.(*ping.Options), Log: e.log}
	}},
}

// Builtins is what this program has and serves, for reading configurations.
func Builtins() compat.Builtins {
	b := compat.Builtins{
		Listeners: []compat.Builtin{
			{Table: c2s.Table(), Served: true},
			{Table: s2s.Table()},
			{Table: component.Table()},
			{Table: web.Table()},
		},
		Handlers: []compat.Builtin{
			{Table: bosh.Table()},
			{Table: websocket.Table()},
			{Table: cowboy.Table()},
			{Table: revproxy.Table()},
			{Table: static.Table()},
			{Table: sse.Table()},
			{Table: api.Table()},
			{Table: api.AdminTable()},
			{Table: api.ClientTable()},
		},
		Modules: []compat.Builtin{
			{Table: bosh.ModuleTable()},
			{Table: revproxy.ModuleTable()},
		},
		AuthMethods:    []string{"internal"},
		SASLMechanisms: []string{"cyrsasl_plain", "cyrsasl_scram", "cyrsasl_scram_sha1", "cyrsasl_scram_sha256"},
	}
	for _, t := range rest.Tables() {
		b.Handlers = append(b.Handlers, compat.Builtin{Table: t})
	}
	for _, m := range modules {
		b.Modules = append(b.Modules, compat.Builtin{Table: m.table, Served: true})
	}
	return b
}

// moduleOf returns the entry of a module, or nil.
func moduleOf(name string) *module {
	i := slices.IndexFunc(modules, func(m module) bool { return m.table.TableName() == name })
	if i < 0 {
		return nil
	}
	return &modules[i]
}
