// Package api holds the REST APIs for administrators: mongoose_api (metrics and
// users, obsolete), mongoose_api_admin (every command), and mongoose_api_client
// (commands for users) of ejabberd.cfg.
//
// It imports cfgterm/schema.
package api

import "meerkat/cfgterm/schema"

// Options are the options of a route to mongoose_api.
type Options struct {
	// Handlers are "mongoose_api_metrics" and "mongoose_api_users".
	Handlers []string
}

// AdminOptions are the options of a route to mongoose_api_admin.
type AdminOptions struct {
	// User and Password are demanded by HTTP Basic; both empty: nobody is asked,
	// and the API is open to whoever reaches the port.
	User, Password string
}

// ClientOptions are the options of a route to mongoose_api_client: none.
type ClientOptions struct{}

// Table returns the option table of a route to mongoose_api.
func Table() *schema.Table[Options] { return table }

// AdminTable returns the option table of a route to mongoose_api_admin.
func AdminTable() *schema.Table[AdminOptions] { return adminTable }

// ClientTable returns the option table of a route to mongoose_api_client.
func ClientTable() *schema.Table[ClientOptions] { return clientTable }

var table = &schema.Table[Options]{
	Name: "mongoose_api", Kind: schema.Handler, Proplist: true,
	Doc: "REST access to metrics and accounts, obsolete since 2.0. Requests are not authenticated: let it listen on " +
		"127.0.0.1 only.",
	Options: []schema.Option[Options]{{
		Name: "handlers",
		Value: schema.Field(schema.List(schema.Enum("mongoose_api_metrics", "mongoose_api_users")),
			func(o *Options) *[]string { return &o.Handlers }),
		Default: "[]", Example: "[mongoose_api_metrics]",
		Doc:   "What is served: mongoose_api_metrics below /metrics, mongoose_api_users below /users.",
		Since: "1.5.0", TOML: "handlers", Effect: schema.OnReload, Bad: schema.Refused,
	}},
}

type auth struct{ User, Password string }

var adminTable = &schema.Table[AdminOptions]{
	Name: "mongoose_api_admin", Kind: schema.Handler, Proplist: true,
	Doc: "REST access to every administration command. 2.0.1 asked nobody for a password and ignored all options: " +
		"let it listen on 127.0.0.1 only, or give auth.",
	Options: []schema.Option[AdminOptions]{{
		Name: "auth", Secret: true,
		Value: schema.Field(schema.Tuple(
			schema.Elem("USER", schema.Text(), func(a *auth) *string { return &a.User }),
			schema.Elem("PASSWORD", schema.Text(), func(a *auth) *string { return &a.Password }),
		), func(o *AdminOptions) *auth { return (*auth)(o) }),
		Absent: "requests are not authenticated", Example: `{"admin", "secret"}`,
		Doc: "Name and password that a request has to give (HTTP Basic). MongooseIM reads it from 2.1.0 on; 2.0.1 " +
			"ignored it and left the API open.",
		Since: "2.1.0", TOML: "username, password", Effect: schema.OnReload, Bad: schema.Refused,
	}},
}

var clientTable = &schema.Table[ClientOptions]{
	Name: "mongoose_api_client", Kind: schema.Handler, Proplist: true,
	Doc: "REST access to the commands that are meant for users, who give their address and password (HTTP Basic).",
}
