package compat

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"meerkat/cfgterm"
	"meerkat/cfgterm/diag"
	"meerkat/cfgterm/schema"
	"meerkat/cfgterm/schema/schematest"
	"meerkat/listeners/c2s"
	"meerkat/listeners/component"
	"meerkat/listeners/web"
	"meerkat/router/acl"
	"meerkat/router/jid"
)

func TestTables(t *testing.T) {
	b := allBuiltins()
	schematest.Run(t, nodeTable(&b), "[]")
	schematest.Run(t, hostTable(&b), "[]")
	for _, s := range []schema.Schema{redisTable, workerTable, dnsTable, httpPoolTable, riakTable, cassandraTable, authTable} {
		schematest.Run(t, s, "[]")
	}
	for _, e := range termTable.Entries() {
		if e.Doc == "" || e.Example == "" || e.TOML == "" || e.Effect == 0 || e.Bad == 0 {
			t.Errorf("term %s is not described: %+v", e.Name, e)
		}
	}
}

// topLevel are the options that the reference lists for the top level.
var topLevel = strings.Fields(`hosts host loglevel alarms language sm_backend max_fsm_queue registration_timeout sasl_mechanisms
	routing_modules mongooseimctl_access_commands all_metrics_are_global cluster_nodes node_type watchdog_admins watchdog_large_heap
	modules route_subdomains override_global override_local override_acls include_config_file define_macro use_macro host_config acl
	access shaper listen s2s_use_starttls s2s_certfile s2s_ciphers domain_certfile s2s_default_policy s2s_host outgoing_s2s_port
	outgoing_s2s_options s2s_addr s2s_dns_options s2s_max_retry_delay s2s_shared auth_method auth_opts anonymous_protocol
	allow_multiple_connections extauth_instances extauth_cache deref_aliases odbc_server odbc_server_type odbc_pool_size
	odbc_start_interval odbc_keepalive_interval pgsql_users_number_estimate riak_server cassandra_servers http_connections
	ldap_servers ldap_backups ldap_encrypt ldap_tls_verify ldap_tls_cacertfile ldap_tls_depth ldap_port ldap_rootdn ldap_password
	ldap_base ldap_uids ldap_filter ldap_dn_filter ldap_local_filter ldap_ufilter ldap_gfilter ldap_rfilter ldap_user_cache_validity
	ldap_group_cache_validity ldap_user_cache_size ldap_group_cache_size`)

// TestCatalogue compares the tables with what 2.0.1 documents, both ways.
func TestCatalogue(t *testing.T) {
	b := allBuiltins()
	same := func(what string, tables, documented []string) {
		for _, n := range documented {
			if !slices.Contains(tables, n) {
				t.Errorf("%s %s is documented and has no table", what, n)
			}
		}
		for _, n := range tables {
			if !slices.Contains(documented, n) {
				t.Errorf("%s %s has a table and is not documented", what, n)
			}
		}
	}
	same("listener", names(b.Listeners), Documented(schema.Listener))
	same("HTTP module", names(b.Handlers), Documented(schema.Handler))
	for _, n := range names(b.Modules) {
		if !slices.Contains(Documented(schema.Module), n) {
			t.Errorf("module %s has a table and is not documented", n)
		}
	}
	var top []string
	for _, s := range Sections(b)[0].Tables {
		for _, e := range s.Entries() {
			if !slices.Contains(top, e.Name) { // domain_certfile has two forms
				top = append(top, e.Name)
			}
		}
	}
	same("option", top, topLevel)
	for name := range nodeNames {
		if _, ok := schema.Find(nodeTable(&b), name); !ok {
			t.Errorf("node option %s has no entry", name)
		}
	}
	for what, others := range map[string]map[string]elsewhere{"listener": otherListeners, "handler": otherHandlers, "module": otherModules, "term": otherTerms} {
		for name := range others {
			var known []string
			switch what {
			case "listener":
				known = documentedListeners
			case "handler":
				known = documentedHandlers
			case "module":
				known = documentedModules
			default:
				known = topLevel
			}
			if slices.Contains(known, name) {
				t.Errorf("%s %s is both known and of elsewhere", what, name)
			}
		}
	}
}

// evaluation are the examples of how files are evaluated: the file (H stands for one
// host "a"), and what is stored as "KEY = VALUE", or the code of the error.
var evaluation = []struct{ file, want string }{
	{`{hosts, ["A.example", "b.example"]}. {auth_method, internal}.`, `hosts = [<<"a.example">>, <<"b.example">>]; {auth_method, <<"a.example">>} = internal; {auth_method, <<"b.example">>} = internal`},
	{`H {auth_method, internal}. {host_config, "a", [{auth_method, odbc}]}.`, `{auth_method, <<"a">>} = odbc`},
	{`H {host_config, "a", [{auth_method, odbc}]}. {auth_method, internal}.`, `{auth_method, <<"a">>} = internal`},
	{`H {modules, [{m1, []}]}. {host_config, "a", [{{add, modules}, [{m2, []}]}]}.`, `{modules, <<"a">>} = [{m2,[]},{m1,[]}]`},
	{`H {host_config, "a", [{{add, modules}, [{m2, []}]}]}. {modules, [{m1, []}]}.`, `{modules, <<"a">>} = [{m1,[]}]`},
	{`{hosts, ["a","b"]}. {modules, [{m1, []}]}. {host_config, "a", [{modules, [{m2, []}]}]}.`, `{modules, <<"a">>} = [{m2,[]}]; {modules, <<"b">>} = [{m1,[]}]`},
	{`H {modules, [{m1, []}]}. {modules, [{m2, []}]}.`, `{modules, <<"a">>} = [{m2,[]}]`},
	{`H {{add, modules}, [{m2, []}]}. {{add, modules}, [{m3, []}]}.`, `{modules, <<"a">>} = [{m3,[]},{m2,[]}]`},
	{`H {define_macro, 'X', 5}. {define_macro, 'X', 6}. {max_fsm_queue, 'X'}.`, `max_fsm_queue = 5`},
	{`H {max_fsm_queue, 'X'}. {define_macro, 'X', 'Y'}. {define_macro, 'Y', 6}.`, `max_fsm_queue = 'Y'`},
	{`H {max_fsm_queue, {use_macro, 'Z', 7}}.`, `max_fsm_queue = 7`},
	{`H {max_fsm_queue, {use_macro, z, 'W'}}.`, `max_fsm_queue = 'W'`},
	{`H {x, 'NOT_DEFINED'}.`, `MAC001`},
	{`H {x, '_'}.`, `MAC001`},
	{`H {define_macro, x, 5}.`, `MAC002`},
	{`H {define_macro, "X", 5}.`, `MAC002`},
	{`H {x, #{'A' => 1}}.`, `{x, <<"a">>} = #{'A' => 1}`},
	{`H {define_macro, 'B', 1}. {x, [a | 'B']}.`, `{x, <<"a">>} = [a | 1]`},
	{`{define_macro, 'H', ["a"]}. {hosts, 'H'}.`, `MAC004`},
	{`{hosts, "a"}.`, `HST006`},
	{`{hosts, [a]}.`, `HST006`},
	{`H {host, "b"}.`, `HST002`},
	{`{hosts, []}. {host, "b"}.`, `hosts = [<<"b">>]`},
	{`{hosts, ["a b"]}.`, `HST003`},
	{`{hosts, [<<"a">>]}. {language, "pl"}.`, `hosts = [<<"a">>]; language = <<"pl">>`},
	{`H foo.`, `TRM001`},
	{`H {foo}.`, `TRM001`},
	{`H {foo, 1, 2}.`, `TRM001`},
	{`H {foo, 1}.`, `{foo, <<"a">>} = 1`},
	{`H {host_config, "b", [{auth_method, odbc}]}.`, `HC001`},
	{`H {host_config, "a", [override_global]}.`, `TRM001`},
	{`H {host_config, "a", [{language, "ru"}, {listen, []}, {riak_server, [{pool_size, 1}]}]}.`, `{language, <<"a">>} = "ru"; {listen, <<"a">>} = []; riak_server = [{pool_size, 1}]`},
	{`H {listen, [{5222, ejabberd_c2s, []}, {{5280, "127.0.0.1"}, ejabberd_cowboy, [{ip, {1,2,3,4}}, {modules, []}]}]}.`, `listen = [{{5222,{0,0,0,0},tcp}, ejabberd_c2s, []}, {{5280,{127,0,0,1},tcp}, ejabberd_cowboy, [{modules, []}]}]`},
	{`H {listen, [{{5269, ws}, ejabberd_c2s, [inet6]}]}.`, `listen = [{{5269,{0,0,0,0,0,0,0,0},ws}, ejabberd_c2s, []}]`},
	{`H {listen, [{5222, ejabberd_c2s, [{ip, "127.0.0.1"}]}]}.`, `listen = [{{5222,{127,0,0,1},tcp}, ejabberd_c2s, []}]`},
	{`H {s2s_certfile, "nofile.pem"}.`, `FIL001`},
	{`H {domain_certfile, "a", "priv/ssl/fake_server.pem"}. {domain_certfile, "x.pem"}.`, `{domain_certfile, "a"} = "priv/ssl/fake_server.pem"; {domain_certfile, <<"a">>} = "x.pem"`},
	{`H {{s2s_addr, "B.example"}, {127,0,0,1}}. {{s2s_host, "c"}, deny}.`, `{s2s_addr, <<"B.example">>} = {127,0,0,1}; {{s2s_host, "c"}, <<"a">>} = deny`},
	{`H {acl, admin, {user, "Joe", "A"}}. {acl, r, {user_regexp, "^[^ ]+$"}}. {acl, d, {user_regexp, "\\D+"}}.`, `{admin, global} = {user, <<"joe">>, <<"a">>}; {r, global} = {user_regexp, error}; {d, global} = {user_regexp, <<"\\d+">>}`},
	{`H {acl, x, foo}.`, `ACL008`},
	{`H {acl, x, {shared_group, "g"}}.`, `{x, global} = {shared_group, <<"g">>}`},
	{`H {access, c2s, [{allow, all}]}. {access, c2s, [{deny, all}]}.`, `{access, c2s, global} = [{deny, all}]`},
}

func TestEvaluation(t *testing.T) {
	for _, tt := range evaluation {
		file := strings.Replace(tt.file, "H ", `{hosts, ["a"]}. `, 1)
		cfg, ds := load(file, pems, Options{Builtins: allBuiltins(), AllowMissing: true})
		if code := strings.TrimSpace(tt.want); !strings.Contains(code, "=") {
			d := given(ds, code)
			if d == nil || d.Severity != diag.Error {
				t.Errorf("%s: want %s, got %v", tt.file, code, ds.Err())
			}
			continue
		}
		if ds.HasErrors() && !strings.Contains(tt.file, "odbc") {
			t.Errorf("%s: %v", tt.file, ds.Err())
		}
		for w := range strings.SplitSeq(tt.want, "; ") {
			k, v, _ := strings.Cut(w, " = ")
			key, value := mustParse(t, k), mustParse(t, v)
			if !slices.ContainsFunc(cfg.stored, func(s stored) bool {
				return s.table != "modules" && cfgterm.Equal(s.key, key) && cfgterm.Equal(s.value, value)
			}) {
				t.Errorf("%s: no %s; stored %s", tt.file, w, showStored(cfg.stored))
			}
		}
	}
}

// needTable is a module that demands mod_d.
func needTable(name string) *schema.Table[needOptions] {
	number := func(name string, at func(*needOptions) *int) schema.Option[needOptions] {
		return schema.Option[needOptions]{Name: name, Value: schema.Field(schema.Int(0, 99), at), Default: "0", Bad: schema.Ignored}
	}
	return &schema.Table[needOptions]{
		Name: name, Kind: schema.Module,
		Options: []schema.Option[needOptions]{
			number("x", func(o *needOptions) *int { return &o.X }),
			number("y", func(o *needOptions) *int { return &o.Y }),
			{
				Name: "host", Value: schema.Field(schema.ServiceHost(), func(o *needOptions) *string { return &o.Host }),
				Default: fmt.Sprintf("%q", name+".@HOST@"), Bad: schema.Ignored,
			},
		},
	}
}

type needOptions struct {
	X, Y int
	Host string
}

// needy builds a program in which mod_p demands mod_d with x = 1, and mod_c1 and
// mod_c2 demand each other.
func needy(soft bool) Builtins {
	needs := func(ns ...Need) func(any) []Need { return func(any) []Need { return ns } }
	b := allBuiltins()
	b.Modules = []Builtin{
		{Table: needTable("mod_d"), Served: true},
		{Table: needTable("mod_p"), Served: true, Needs: needs(Need{Module: "mod_d", Options: "[{x, 1}]"})},
		{Table: needTable("mod_c1"), Served: true, Needs: needs(Need{Module: "mod_c2"})},
		{Table: needTable("mod_c2"), Served: true, Needs: needs(Need{Module: "mod_c1", Soft: soft})},
	}
	return b
}

func TestModules(t *testing.T) {
	tests := []struct {
		name, modules string
		b             Builtins
		want          string // NAME(x,y) in the order of starting
		code          string // of a diagnostic that is not an info
	}{
		{"merge", `[{mod_d, [{x, 1}]}, {mod_d, [{x, 2}, {y, 5}]}]`, needy(true), "mod_d(2,5)", "MOD002"},
		{"merge equal", `[{mod_d, [{x, 2}]}, {mod_d, [{x, 2}, {y, 5}]}]`, needy(true), "mod_d(2,5)", ""},
		{"first of one list", `[{mod_d, [{x, 1}, {x, 2}]}]`, needy(true), "mod_d(1,0)", "MOD013"},
		{"first of one merged list", `[{mod_d, [{y, 1}]}, {mod_d, [{x, 1}, {x, 2}]}]`, needy(true), "mod_d(1,1)", ""},
		{"demanded", `[{mod_p, []}]`, needy(true), "mod_d(1,0) mod_p(0,0)", ""},
		{"demanded and overridden", `[{mod_p, []}, {mod_d, [{x, 2}, {y, 3}]}]`, needy(true), "mod_d(2,3) mod_p(0,0)", ""},
		{"overridden by a demand", `[{mod_d, [{x, 2}, {y, 3}]}, {mod_p, []}]`, needy(true), "mod_d(1,3) mod_p(0,0)", "MOD002"},
		{"soft circle", `[{mod_c1, []}]`, needy(true), "mod_c2(0,0) mod_c1(0,0)", ""},
		{"hard circle", `[{mod_c1, []}]`, needy(false), "", "MOD005"},
		{"unknown", `[{mod_dd, []}]`, needy(true), "", "MOD003"},
		{"documented but missing", `[{mod_muc, []}]`, needy(true), "", "BLD003"},
		{"two with one domain", `[{mod_d, [{host, "x.localhost"}]}, {mod_c1, [{host, "x.localhost"}]}]`, needy(true), "", "MOD007"},
		{"domain of a host", `[{mod_d, [{host, "@HOST@"}]}]`, needy(true), "", "MOD006"},
		{"invalid domain", `[{mod_d, [{host, "a b"}]}]`, needy(true), "mod_d(0,0)", "MOD008"},
		{"bare atom", `[mod_d]`, needy(true), "", "MOD001"},
		{"string", `"mod_d"`, needy(true), "", "MOD001"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, ds := load(common+"{modules, "+tt.modules+"}.", nil, Options{Builtins: tt.b})
			var codes []string
			for _, d := range ds {
				if d.Severity != diag.Info {
					codes = append(codes, d.Code)
				}
			}
			if tt.code == "" && len(codes) > 0 || tt.code != "" && !slices.Contains(codes, tt.code) {
				t.Errorf("diagnostics %v, want %q", codes, tt.code)
			}
			if tt.want == "" {
				if !ds.HasErrors() {
					t.Error("accepted")
				}
				return
			}
			var got []string
			for _, m := range cfg.Hosts[0].Modules {
				o := m.Options.(*needOptions)
				got = append(got, fmt.Sprintf("%s(%d,%d)", m.Name, o.X, o.Y))
				if o.Host != m.Name+".localhost" && !strings.Contains(tt.modules, "host") {
					t.Errorf("host of %s is %s", m.Name, o.Host)
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("modules %v, want %s", got, tt.want)
			}
		})
	}
	cfg, _ := load(common+"{modules, [{mod_p, []}]}.", nil, Options{Builtins: needy(true)})
	if m := cfg.Hosts[0].Module("mod_d"); m == nil || m.NeededBy != "mod_p" || m.Span.Line != 4 {
		t.Errorf("mod_d is %+v", m)
	}
}

const typed = `
{hosts, ["a.example", "b.example"]}.
{loglevel, 3}.
{sm_backend, {mnesia, []}}.
{auth_method, internal}.
{auth_opts, [{password_format, scram}, {scram_iterations, 8192}]}.
{max_fsm_queue, 500}.
{registration_timeout, infinity}.
{s2s_use_starttls, true}.
{outgoing_s2s_options, [inet6, ipv4], 5000}.
{{s2s_addr, "Far.example"}, {"192.0.2.1", 5270}}.
{{s2s_host, "evil.example"}, deny}.
{domain_certfile, "B.example", "priv/ssl/fake_server.pem"}.
{acl, admin, {user, "joe", "a.example"}}.
{acl, local, {user_regexp, ""}}.
{access, c2s, [{deny, blocked}, {allow, all}]}.
{access, c2s_shaper, [{none, admin}, {normal, all}]}.
{access, max_user_sessions, [{10, all}]}.
{shaper, normal, {maxrate, 1000}}.
{shaper, slow, {maxrate, 0.5}}.
{listen, [
  {5222, ejabberd_c2s, [{certfile, "priv/ssl/fake_server.pem"}, starttls, {max_fsm_queue, 7}]},
  {{5223, {127,0,0,1}}, ejabberd_c2s, [{access, all}, {c2s_shaper, none}]},
  {8888, ejabberd_service, [inet6, {hosts, ["irc.a.example"], [{password, "geheim"}]}]},
  {5280, ejabberd_cowboy, [{modules, [{"_", "/ws", mod_websockets, [{ejabberd_service, [{password, "geheim"}]}]}]}]}
]}.
{modules, [{mod_ping, [{ping_interval, 90}]}]}.
{host_config, "B.example", [
  {auth_method, anonymous},
  {access, c2s, [{allow, all}]},
  {{add, modules}, [{mod_ping, [send_pings]}]}
]}.
`

func TestConfig(t *testing.T) {
	cfg, ds := load(typed, pems, Options{Builtins: allBuiltins()})
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	eq := func(what string, got, want any) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	eq("hosts", cfg.HostNames(), []string{"a.example", "b.example"})
	n := cfg.Node
	eq("loglevel", n.LogLevel, "warning")
	eq("language", n.Language, "en")
	eq("max_fsm_queue", n.MaxQueue, 500)
	eq("registration_timeout", n.RegistrationTimeout, "0s")
	eq("s2s_use_starttls", n.S2S.UseStartTLS, "optional")
	eq("outgoing_s2s_options", n.S2S.Outgoing, Outgoing{[]string{"ipv6", "ipv4"}, 5 * time.Second})
	eq("s2s_addr", n.S2S.Addresses["far.example"], "192.0.2.1:5270")
	eq("s2s_dns_options", n.S2S.DNS, DNS{10 * time.Second, 2})
	a, b := cfg.Host("a.example"), cfg.Host("b.example")
	eq("auth_method of a", a.Settings.AuthMethods, []string{"internal"})
	eq("auth_method of b", b.Settings.AuthMethods, []string{"anonymous"})
	eq("password_format", a.Settings.Auth.PasswordFormat, "scram")
	eq("scram_iterations", a.Settings.Auth.SCRAMIterations, 8192)
	eq("certificate of b", b.DomainCert, "priv/ssl/fake_server.pem")
	eq("certificate of a", a.DomainCert, "")
	eq("s2s_host", a.S2SHosts, map[string]bool{"evil.example": false})
	eq("ping of a", *a.Module("mod_ping").Options.(*pingOptions), pingOptions{Interval: 90 * time.Second, Action: "none", IQDisc: schema.IQDisc{Method: "no_queue"}})
	eq("ping of b", b.Module("mod_ping").Options.(*pingOptions).SendPings, true)
	eq("no such module", a.Module("mod_muc") == nil, true)
	eq("shapers", cfg.Shapers["slow"].Rate, 0.5)
	eq("listeners", len(cfg.Listeners), 4)
	first := cfg.Listeners[0].Options.(*c2s.Options)
	eq("access", first.Access, "c2s")
	eq("shaper", first.Shaper, "c2s_shaper")
	eq("queue", first.MaxQueue, 7)
	eq("size", first.MaxStanzaSize, 65536)
	eq("starttls", first.StartTLS, true)
	second := cfg.Listeners[1].Options.(*c2s.Options)
	eq("queue from the top level", second.MaxQueue, 500)
	eq("access of the second", second.Access, "all")
	eq("shaper of the second", second.Shaper, "none")
	eq("address of the second", cfg.Listeners[1].Addr, "127.0.0.1:5223")
	eq("origin of the second", cfg.Listeners[1].Origin(), "ejabberd.cfg:23")
	svc := cfg.Listeners[2].Options.(*component.Options)
	eq("domains of components", svc.Domains, []string{"irc.a.example"})
	eq("address of components", cfg.Listeners[2].Addr, "[::]:8888")
	eq("shaper of components", svc.Shaper, "none") // fast is not defined
	ws := cfg.Listeners[3].Options.(*web.Options).Routes[0]
	eq("route", ws.Path+ws.Module, "/wsmod_websockets")
	eq("admin", cfg.ACL.Match("a.example", "c2s_shaper", jid.MustParse("joe@a.example")), acl.None)
	eq("rule of b", cfg.ACL.Match("b.example", "c2s", jid.MustParse("x@b.example")), acl.Allow)
	for _, l := range cfg.Listeners {
		for _, o := range l.Origins {
			if strings.Contains(fmt.Sprintf("%+v", o), "geheim") {
				t.Errorf("%s shows a secret: %+v", o.Option, o)
			}
		}
	}
	for _, d := range ds {
		if strings.Contains(d.Summary+d.Help, "geheim") {
			t.Errorf("a secret in %s", d.Summary)
		}
	}
	for _, o := range cfg.NodeOrigins {
		switch o.Option {
		case "loglevel":
			eq("origin of loglevel", o.Span.String()+" "+o.Value, "ejabberd.cfg:3:1 3")
		case "language":
			eq("origin of language", o.From, schema.FromDefault)
		}
	}
}

func TestDefaultsMode(t *testing.T) {
	text := common + "{listen, [{5222, ejabberd_c2s, []}]}.\n"
	rules := "{access, c2s, [{allow, all}]}.\n{access, c2s_shaper, [{none, all}]}.\n"
	for _, tt := range []struct {
		name, text string
		mode       schema.Defaults
		want       string
	}{
		{"documented", text + rules, schema.Documented, "c2s c2s_shaper 65536"},
		{"documented without rules", text, schema.Documented, "all none 65536"},
		{"source", text + rules, schema.Source, "all none 0"},
		{"a rule of one host only", strings.Replace(text, `["localhost"]`, `["localhost", "b"]`, 1) +
			`{host_config, "b", [{access, c2s, [{deny, all}]}]}.`, schema.Documented, "all none 65536"},
		{"a rule of every host", text + `{host_config, "localhost", [{access, c2s, [{deny, all}]}]}.`, schema.Documented, "c2s none 65536"},
	} {
		cfg, ds := load(tt.text, nil, Options{Builtins: allBuiltins(), Defaults: tt.mode})
		if ds.HasErrors() {
			t.Fatal(ds.Err())
		}
		o := cfg.Listeners[0].Options.(*c2s.Options)
		if got := fmt.Sprint(o.Access, " ", o.Shaper, " ", o.MaxStanzaSize); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// findings are files with the diagnostics that they get: code at LINE:COL and a part
// of summary or help.
var findings = []struct{ name, text, want string }{
	{"misspelt option", "{auth_metod, internal}.", "TRM002 4:2 did you mean auth_method?"},
	{"misspelt module", "{modules, [{mod_rooster, []}]}.", "MOD003 4:13 did you mean mod_roster?"},
	{"misspelt listener", "{listen, [{5222, ejabberd_cs2, []}]}.", "LSN003 4:18 did you mean ejabberd_c2s?"},
	{"misspelt route", `{listen, [{5280, ejabberd_cowboy, [{modules, [{"_", "/", mod_boch}]}]}]}.`, "LSN003 4:58 did you mean mod_bosh?"},
	{"misspelt rule", "{access, registered, [{allow, all}]}.\n{listen, [{5222, ejabberd_c2s, [{access, registred}]}]}.", "ACC004 5:42 did you mean registered?"},
	{"misspelt ACL", "{acl, admins, {user, \"joe\"}}.\n{access, c2s, [{allow, admin}]}.", "ACL006 5:24 did you mean admins?"},
	{"misspelt shaper", "{shaper, normal, {maxrate, 1}}.\n{access, c2s_shaper, [{nomal, all}]}.", "ACC005 5:24 did you mean normal?"},
	{"shaper in place of the rule", "{shaper, normal, {maxrate, 1}}.\n{listen, [{5222, ejabberd_c2s, [{shaper, normal}]}]}.", "ACC004 5:42 normal is a shaper"},
	{"misspelt host", `{host_config, "locahost", []}.`, "HC001 4:15 did you mean localhost?"},
	{"misspelt macro", "{define_macro, 'LIMIT', 5}.\n{max_fsm_queue, 'LIMT'}.", "MAC001 5:17 did you mean 'LIMIT'?"},
	{"wildcard as atom", `{listen, [{5280, ejabberd_cowboy, [{modules, [{'_', "/", mod_bosh}]}]}]}.`, `MAC001 4:48 "_"`},
	{"address as atom", "{listen, [{{5222, '127.0.0.1'}, ejabberd_c2s, []}]}.", "MAC001 4:19 double quotes"},
	{"macro of host_config", "{host_config, \"localhost\", [{define_macro, 'Q', 1}]}.", "MAC001 4:44 at the top level"},
	{"option of 3.2", "{outgoing_pools, []}.", "TRM003 4:2 MongooseIM 3.2"},
	{"option of 2.1", "{pool, odbc, default}.", "TRM001 4:1 pool belongs to MongooseIM 2.1"},
	{"option of ejabberd", "{captcha_cmd, \"x\"}.", "TRM003 4:2 ejabberd"},
	{"option of 1.4", "{auth_password_format, scram}.", "AUT005 4:2 auth_opts"},
	{"listener of ejabberd", "{listen, [{5280, ejabberd_http, []}]}.", "LSN003 4:18 mod_bosh"},
	{"listener of 1.2", "{listen, [{5280, mod_bosh, []}]}.", "LSN003 4:18 MongooseIM 1.2"},
	{"module of ejabberd", "{modules, [{mod_shared_roster, []}]}.", "MOD003 4:13 mod_shared_roster_ldap"},
	{"module of 2.0.0", "{modules, [{mod_roster_odbc, []}]}.", "MOD003 4:13 {backend, odbc}"},
	{"route as module", "{modules, [{mod_websockets, []}]}.", "MOD003 4:13 route"},
	{"module at the top level", "{mod_roster, []}.", "TRM002 4:2 {modules, [{mod_roster"},
	{"key in quotes", `{"loglevel", 3}.`, "TRM002 4:2 loglevel without quotes"},
	{"acl of two", "{acl, x}.", "TRM002 4:2 {acl, admin, "},
	{"list at the top", "[{loglevel, 3}].", "TRM001 4:1 cannot stand at the top level"},
	{"path without slash", `{listen, [{5280, ejabberd_cowboy, [{modules, [{"_", "http", mod_bosh}]}]}]}.`, "LSN015 4:53 must begin with /"},
	{"bracket", `{listen, [{5280, ejabberd_cowboy, [{modules, [{"_", "/[a", mod_bosh}]}]}]}.`, "LSN015 4:53 not closed"},
	{"capital host", `{listen, [{5280, ejabberd_cowboy, [{modules, [{"Localhost", "/a", mod_bosh}]}]}]}.`, "LSN014 4:48 lower case"},
	{"component without password", "{listen, [{8888, ejabberd_service, []}]}.", "LSN031 4:36 password"},
	{"bad ssl option", `{listen, [{5285, ejabberd_cowboy, [{ssl, [{certfile, "priv/ssl/fake_cert.pem"}, {certfil, 1}]}, {modules, []}]}]}.`, "LSN015 4:82 did you mean certfile?"},
	{"missing key of a database", `{odbc_server, {mysql, "localhost", "db", "user"}}.`, "DB001 4:15 here are 3 elements"},
	{"host_config above", "{host_config, \"localhost\", [{auth_opts, []}]}.\n{auth_opts, []}.", "HC003 4:29 set for all hosts"},
	{"twice", "{loglevel, 3}.\n{loglevel, 4}.", "TRM004 4:1 this one has no effect"},
	{"two listen terms", "{listen, []}.\n{listen, []}.", "TRM004 4:1 not merged"},
	{"extauth without program", "{auth_method, external}.", "AUT003 "},
	{"backend without database", "{modules, [{mod_ping, [{backend, odbc}]}]}.", "DB002 4:24 mod_ping"},
	{"no certificate", "{listen, [{5222, ejabberd_c2s, [{certfile, \"bad.pem\"}, starttls]}]}.", "FIL001 4:44 holds no certificate"},
	{"expired", "{listen, [{5222, ejabberd_c2s, [{certfile, \"old.pem\"}, starttls]}]}.", "FIL001 4:44 has expired on 1 January 2021"},
	{"without key", "{listen, [{5222, ejabberd_c2s, [{certfile, \"nokey.pem\"}, starttls]}]}.", "FIL001 4:44 no private key"},
	{"of another host", "{listen, [{5222, ejabberd_c2s, [{certfile, \"other.pem\"}, starttls]}]}.", "FIL001 4:44 for none of the hosts"},
	{"dhfile", "{listen, [{5222, ejabberd_c2s, [{dhfile, \"none.pem\"}]}]}.", "FIL001 4:42 cannot be read"},
}

func TestFindings(t *testing.T) {
	more := files{
		"bad.pem": "nonsense", "old.pem": makePEM("localhost", time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC), true),
		"nokey.pem": makePEM("localhost", time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC), false),
		"other.pem": makePEM("other.example", time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC), true),
	}
	for k, v := range pems {
		more[k] = v
	}
	for _, tt := range findings {
		t.Run(tt.name, func(t *testing.T) {
			text := complete(tt.text)
			shift := 3 - strings.Count(strings.Split(text, tt.text)[0], "\n")
			_, ds := load(text, more, Options{Builtins: allBuiltins()})
			code, rest, _ := strings.Cut(tt.want, " ")
			place, part, _ := strings.Cut(rest, " ")
			for _, d := range ds {
				at := fmt.Sprintf("%d:%d", d.Span.Line+shift, d.Span.Col)
				if d.Code == code && (place == "" || at == place) && strings.Contains(d.Summary+" "+d.Help, part) {
					return
				}
			}
			t.Errorf("no %s in:", tt.want)
			for _, d := range ds {
				t.Logf("%s %d:%d %s; %s", d.Code, d.Span.Line+shift, d.Span.Col, d.Summary, d.Help)
			}
		})
	}
}

// TestQuiet: files as people write them get nothing but infos.
func TestQuiet(t *testing.T) {
	for _, text := range []string{
		common,
		common + "{modules, []}.\n{listen, []}.\n",
		common + "override_global.\noverride_local.\noverride_acls.\n",
		common + "{access, register, [{allow, all}]}.\n{shaper, fast, {maxrate, 50000}}.\n",
		typed,
		common + `{{s2s_addr, "far.example"}, {127,0,0,1}}.` + "\n" + `{{s2s_host, <<"far.example">>}, allow}.` + "\n",
		common + "{all_metrics_are_global, false}.\n{mongooseimctl_access_commands, []}.\n",
		common + "{ldap_uids, [\"uid\"]}.\n{ldap_uids, [{\"uid\"}]}." + "\n",
	} {
		for _, b := range []Builtins{allBuiltins(), fewBuiltins()} {
			_, ds := load(text, pems, Options{Builtins: b, AllowMissing: true})
			for _, d := range ds {
				if d.Severity == diag.Info || strings.HasPrefix(d.Code, "BLD") || d.Code == "TRM004" {
					continue
				}
				// In the long example these are meant.
				if text == typed && (d.Code == "HST005" || d.Code == "AUT005") {
					continue
				}
				t.Errorf("%s %s\n%s", d.Code, d.Summary, text)
			}
		}
	}
}

func TestMissing(t *testing.T) {
	text := common + `{listen, [
  {5222, ejabberd_c2s, [{zlib, unlimited}, {ciphers, "ALL"}]},
  {5280, ejabberd_cowboy, [{modules, [{"_", "/http-bind", mod_bosh}]}]}]}.
{auth_method, [internal, ldap]}.
{sasl_mechanisms, [cyrsasl_plain, cyrsasl_digest]}.
{odbc_server, {pgsql, "h", "d", "u", "p"}}.
{s2s_use_starttls, optional}.
{s2s_certfile, "priv/ssl/fake_server.pem"}.
{all_metrics_are_global, true}.
{http_connections, []}.
{mongooseimctl_access_commands, [{all, all, []}]}.
{modules, [{mod_muc, []}, {mod_ping, []}]}.
`
	want := map[string]int{"BLD001": 1, "BLD003": 1, "BLD004": 4, "BLD005": 3, "BLD006": 2}
	for _, allow := range []bool{false, true} {
		cfg, ds := load(text, pems, Options{Builtins: fewBuiltins(), AllowMissing: allow})
		got := map[string]int{}
		for _, d := range ds {
			if strings.HasPrefix(d.Code, "BLD") {
				got[d.Code]++
				if (d.Severity == diag.Error) == allow {
					t.Errorf("%s is %s", d.Summary, d.Severity)
				}
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("missing %v, want %v", got, want)
			for _, d := range ds {
				t.Log(d.Code, d.Summary)
			}
		}
		if !allow {
			continue
		}
		if ds.HasErrors() {
			t.Errorf("errors in spite of AllowMissing: %v", ds.Err())
		}
		if len(cfg.Listeners) != 1 || cfg.Listeners[0].Options.(*c2s.Options).Zlib.Enabled || len(cfg.Hosts[0].Modules) != 1 ||
			fmt.Sprint(cfg.Hosts[0].Settings.AuthMethods, cfg.Node.SASLMechanisms) != "[internal] [cyrsasl_plain]" {
			t.Errorf("not left out: %+v", cfg.Listeners)
		}
	}
}

func TestIncludes(t *testing.T) {
	tests := []struct {
		name, text string
		more       files
		codes      string
		queue      int
	}{
		{"in place", `{max_fsm_queue, 1}. {include_config_file, "a.cfg"}.`, files{"a.cfg": "{max_fsm_queue, 2}."}, "TRM004", 2},
		{"overridden", `{include_config_file, "a.cfg"}. {max_fsm_queue, 1}.`, files{"a.cfg": "{max_fsm_queue, 2}."}, "TRM004", 1},
		{"nested", `{include_config_file, "a.cfg"}.`, files{"a.cfg": `{include_config_file, "d/b.cfg"}.`, "d/b.cfg": "{max_fsm_queue, 3}."}, "", 3},
		{"from the working directory", `{include_config_file, "d/a.cfg"}.`, files{"d/a.cfg": `{include_config_file, "b.cfg"}.`, "b.cfg": "{max_fsm_queue, 4}."}, "", 4},
		{"allowed", `{include_config_file, "a.cfg", [{allow_only, [loglevel]}]}.`, files{"a.cfg": "{max_fsm_queue, 2}. {loglevel, 3}."}, "INC004", 0},
		{"allowed all", `{include_config_file, "a.cfg", [{allow_only, all}]}.`, files{"a.cfg": "{max_fsm_queue, 2}."}, "", 2},
		{"disallowed", `{include_config_file, "a.cfg", [{disallow, [max_fsm_queue]}]}.`, files{"a.cfg": "{max_fsm_queue, 2}."}, "INC004", 0},
		{"filtered macro", `{include_config_file, "a.cfg", [{allow_only, [max_fsm_queue]}]}.`, files{"a.cfg": "{define_macro, 'X', 2}. {max_fsm_queue, 'X'}."}, "INC004 MAC001", 0},
		{"macro from a file", `{include_config_file, "a.cfg"}. {max_fsm_queue, 'X'}.`, files{"a.cfg": "{define_macro, 'X', 2}."}, "", 2},
		{"atom with filter", `{include_config_file, "a.cfg", [{disallow, [acl]}]}.`, files{"a.cfg": "override_acls. {max_fsm_queue, 2}."}, "INC003", 2},
		{"missing", `{include_config_file, "a.cfg"}.`, nil, "INC001", 0},
		{"circle", `{include_config_file, "a.cfg"}.`, files{"a.cfg": `{include_config_file, "b.cfg"}.`, "b.cfg": `{include_config_file, "a.cfg"}.`}, "INC002", 0},
		{"itself", `{include_config_file, "ejabberd.cfg"}.`, nil, "INC002", 0},
		{"no string", `{include_config_file, a}.`, nil, "INC005", 0},
		{"bad filter", `{include_config_file, "a.cfg", [{only, [x]}]}.`, files{"a.cfg": ""}, "INC005", 0},
		{"syntax error", `{include_config_file, "a.cfg"}.`, files{"a.cfg": "{modules, [],}."}, "SYN007", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			more := files{}
			for k, v := range tt.more {
				more[k] = v
			}
			f := more.options(Options{Builtins: allBuiltins()})
			more["ejabberd.cfg"] = common + tt.text
			cfg, ds := Load("/cfg/ejabberd.cfg", f)
			var codes []string
			for _, d := range ds {
				if d.Severity != diag.Info && !slices.Contains(codes, d.Code) {
					codes = append(codes, d.Code)
				}
			}
			slices.Sort(codes)
			if strings.Join(codes, " ") != tt.codes {
				t.Errorf("diagnostics %v, want %s", codes, tt.codes)
			}
			if cfg.Node.MaxQueue != tt.queue {
				t.Errorf("max_fsm_queue %d, want %d", cfg.Node.MaxQueue, tt.queue)
			}
		})
	}
	deep := files{}
	for i := range 40 {
		deep[fmt.Sprintf("%d.cfg", i)] = fmt.Sprintf(`{include_config_file, "%d.cfg"}.`, i+1)
	}
	_, ds := load(common+`{include_config_file, "0.cfg"}.`, deep, Options{Builtins: allBuiltins()})
	if given(ds, "INC002") == nil {
		t.Error("forty levels are taken")
	}
}

func TestNoFile(t *testing.T) {
	_, ds := Load(filepath.Join(t.TempDir(), "none.cfg"), Options{Builtins: allBuiltins()})
	if d := given(ds, "INC001"); d == nil || !strings.HasPrefix(d.Erlang, "Problem loading ejabberd config file /") || !strings.HasSuffix(d.Erlang, "no such file or directory") {
		t.Errorf("%+v", ds)
	}
	if given(ds, "HST001") != nil {
		t.Error("a file that cannot be read has no hosts")
	}
}

// TestRealFiles reads from the file system, relative to a folder.
func TestRealFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"ejabberd.cfg": common + `{listen, [{5222, ejabberd_c2s, [{certfile, "server.pem"}, starttls]}]}. {include_config_file, "more.cfg"}.`,
		"more.cfg":     "{loglevel, 5}.", "server.pem": testPEM,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, ds := Load(filepath.Join(dir, "ejabberd.cfg"), Options{Builtins: allBuiltins(), Dir: dir})
	if ds.HasErrors() || cfg.Node.LogLevel != "debug" || len(cfg.Files) != 2 || cfg.Files[1].Path != filepath.Join(dir, "more.cfg") {
		t.Errorf("%v %+v", ds.Err(), cfg.Files)
	}
	if string(cfg.Source("more.cfg")) != "{loglevel, 5}." || cfg.Files[0].SHA256 == cfg.Files[1].SHA256 {
		t.Error("the sources are not kept")
	}
	for path, want := range map[string]bool{"server.pem": true, "none.pem": false, ".": false} {
		if err := readable(filepath.Join(dir, path)); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := reason(&os.PathError{Op: "open", Path: "x", Err: errors.New("text")}); err.Error() != "text" {
		t.Error(err)
	}
}

func TestFindFile(t *testing.T) {
	t.Chdir(t.TempDir())
	env := ""
	check := func(path, from string) {
		t.Helper()
		if p, f := FindFile(func(string) string { return env }); p != path || f != from {
			t.Errorf("%s by %s, want %s by %s", p, f, path, from)
		}
	}
	check("etc/ejabberd.cfg", "default")
	env = "/x.cfg"
	check("/x.cfg", "EJABBERD_CONFIG_PATH")
	if err := os.MkdirAll("etc", 0o700); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		`[{lager, []}, {ejabberd, [{keep_lager_intact, true}, {config, "/y.cfg"}]}].`: "/y.cfg",
		`[{lager, []}].`: "/x.cfg", `nonsense`: "/x.cfg", ``: "/x.cfg",
	} {
		if err := os.WriteFile("etc/app.config", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if p, _ := FindFile(func(string) string { return env }); p != want {
			t.Errorf("%s: %s, want %s", text, p, want)
		}
	}
}

// TestSyntaxErrors: what follows a fault is still looked at, and nothing is said of
// what may only be missing because of it.
func TestSyntaxErrors(t *testing.T) {
	_, ds := load("{hosts, [\"a\"].\n{listen, [{5222, ejabberd_sc2, []}]}.\n{auth_method, nosuch}.\n", nil, Options{Builtins: allBuiltins()})
	for _, c := range []string{"LSN003", "AUT002"} {
		if given(ds, c) == nil {
			t.Errorf("no %s after a syntax error", c)
		}
	}
	for _, c := range []string{"HST001", "AUT001", "SMB001"} {
		if given(ds, c) != nil {
			t.Errorf("%s because of a syntax error", c)
		}
	}
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		`5222`:                               "0.0.0.0:5222 tcp",
		`{5222, ws}`:                         "0.0.0.0:5222 ws",
		`{5222, {127,0,0,1}}`:                "127.0.0.1:5222 tcp",
		`{5222, "::1"}`:                      "[::1]:5222 tcp",
		`{5222, <<"::1">>, wss}`:             "[::1]:5222 wss",
		`{5222, {0,0,0,0,0,0,0,1}, tcp}`:     "[::1]:5222 tcp",
		`{5222, {8193,3512,0,0,0,0,0,1}}`:    "[2001:db8::1]:5222 tcp",
		`65536`:                              "LSN002",
		`-1`:                                 "LSN002",
		`"5222"`:                             "LSN002",
		`{5222, "127.0.0.1/8"}`:              "LSN002",
		`{5222, {127,0,0}}`:                  "LSN002",
		`{5222, tcp, "127.0.0.1"}`:           "LSN002",
		`{5222}`:                             "LSN002",
		`99999999999999999999999`:            "LSN002",
		`{5222, "fe80::1%eth0"}`:             "LSN002",
		`{5222, {127,0,0,1}, tcp, too_many}`: "LSN002",
	} {
		cfg, ds := load(common+"{listen, [{"+text+", ejabberd_c2s, []}]}.", nil, Options{Builtins: allBuiltins()})
		got := ""
		if len(cfg.Listeners) == 1 {
			got = cfg.Listeners[0].Addr.String() + " " + cfg.Listeners[0].Proto
		} else if d := given(ds, "LSN002"); d != nil {
			got = d.Code
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(typed)
	for _, e := range evaluation {
		f.Add(strings.Replace(e.file, "H ", `{hosts, ["a"]}. `, 1))
	}
	for _, e := range findings {
		f.Add(complete(e.text))
	}
	for _, c := range Codes() {
		f.Add(complete(c.Example))
	}
	all, few := allBuiltins(), fewBuiltins()
	f.Fuzz(func(t *testing.T, text string) {
		more := files{"a.cfg": text, "priv/ssl/fake_server.pem": testPEM}
		cfg, ds := load(text, more, Options{Builtins: all})
		load(text, more, Options{Builtins: few, AllowMissing: true, Defaults: schema.Source})
		if cfg.ACL == nil {
			t.Error("no access rules")
		}
		if !ds.HasErrors() && len(cfg.Hosts) == 0 {
			t.Error("accepted without hosts")
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	var many strings.Builder
	many.WriteString("{hosts, [\"h0.example\"")
	for i := 1; i < 500; i++ {
		fmt.Fprintf(&many, ", \"h%d.example\"", i)
	}
	many.WriteString("]}.\n")
	for name, text := range map[string]string{"typed": typed, "500 hosts": strings.Replace(typed, `{hosts, ["a.example", "b.example"]}.`, many.String(), 1)} {
		text = strings.ReplaceAll(text, `"B.example"`, `"h1.example"`)
		if name == "typed" {
			text = typed
		}
		builtins := allBuiltins()
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ds := load(text, pems, Options{Builtins: builtins}); ds.HasErrors() {
					b.Fatal(ds.Err())
				}
			}
		})
	}
}
