package compat

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"meerkat/cfgterm"
	"meerkat/cfgterm/schema"
)

// Node is what holds for the whole node.
type Node struct {
	// LogLevel is "none", "critical", "error", "warning", "info" or "debug".
	LogLevel string
	// Language is the default xml:lang of texts to users.
	Language string
	// MaxQueue is the top-level max_fsm_queue; 0: no limit. Listeners have it in
	// their own options already.
	MaxQueue int
	// RegistrationTimeout is the time between two registrations from one address;
	// 0: no limit.
	RegistrationTimeout time.Duration
	// SessionStore is where sessions are kept.
	SessionStore SessionStore
	// SASLMechanisms are names of mechanisms ("cyrsasl_plain"); nil: all that the
	// program has.
	SASLMechanisms []string
	// RoutingModules is the chain of routing; without ejabberd_s2s nothing leaves
	// for other servers.
	RoutingModules []string
	// AllMetricsGlobal merges the metrics of hosts.
	AllMetricsGlobal bool
	// CommandRules restrict the administration from the command line; none: all is
	// allowed.
	CommandRules []CommandRule
	// S2S is federation.
	S2S S2S
	// HTTPPools, Riak and Cassandra are pools of connections.
	HTTPPools []HTTPPool
	Riak      Riak
	Cassandra []CassandraPool
	// DomainCerts are the certificates of domain_certfile by domain, prepared.
	DomainCerts map[string]string
}

// SessionStore is the value of sm_backend.
type SessionStore struct {
	Backend  string // "mnesia" (in memory) or "redis"
	PoolSize int
	Redis    Redis
}

// Redis is worker_config of sm_backend redis.
type Redis struct {
	Host     string
	Port, DB int
	Password string
}

// A CommandRule is one element of mongooseimctl_access_commands.
type CommandRule struct {
	Access   string   // access rule; all: no credentials are asked for
	All      bool     // every command
	Commands []string // else these
	Args     map[string]string
}

// S2S is what the top level says of federation.
type S2S struct {
	// UseStartTLS is "false", "optional", "required" or "required_trusted".
	UseStartTLS string
	CertFile    string
	Ciphers     string
	// Port is where servers without SRV record are looked for.
	Port int
	// Outgoing is how connections are made.
	Outgoing      Outgoing
	DNS           DNS
	MaxRetryDelay time.Duration
	// Secret is the dialback secret; "": a random one.
	Secret string
	// Addresses are tried first, by remote host.
	Addresses map[string]netip.AddrPort // port 0: Port
}

// Outgoing is the value of outgoing_s2s_options.
type Outgoing struct {
	// Families are "ipv4" and "ipv6" in the order in which they are tried.
	Families []string
	Timeout  time.Duration // of a connection; 0: none
}

// DNS is the value of s2s_dns_options.
type DNS struct {
	Timeout time.Duration
	Retries int
}

// HTTPPool is one element of http_connections.
type HTTPPool struct {
	Name string
	Opts HTTPPoolOptions
}

// HTTPPoolOptions are the options of an HTTPPool.
type HTTPPoolOptions struct {
	Server, PathPrefix          string
	Size, Overflow              int
	PoolTimeout, RequestTimeout time.Duration
}

// Riak is the value of riak_server.
type Riak struct {
	Address        string
	Port, PoolSize int
}

// CassandraPool is one element of cassandra_servers.
type CassandraPool struct {
	Name string
	Size int
	Opts CassandraOptions
}

// CassandraOptions are the options of a CassandraPool.
type CassandraOptions struct {
	Servers        []CassandraServer
	Keyspace       string
	ConnectTimeout time.Duration
	User, Password string
}

// CassandraServer is one server of a pool.
type CassandraServer struct {
	Host string
	Port int
}

// HostSettings are the options of one host outside of its modules.
type HostSettings struct {
	// AuthMethods are asked in this order: "internal".
	AuthMethods []string
	Auth        AuthOptions
	// AnonymousProtocol is "sasl_anon", "login_anon" or "both".
	AnonymousProtocol        string
	AllowMultipleConnections bool
	ExtAuthInstances         int
	ExtAuthCache             time.Duration // 0: off
	LDAP                     LDAP
	SQL                      SQL
	// RouteSubdomains sends stanzas for unknown subdomains to other servers.
	RouteSubdomains bool
	// S2SPolicy is "allow" or "deny", for remote hosts of which nothing is said.
	S2SPolicy string

	domainCert string
}

// AuthOptions is the value of auth_opts.
type AuthOptions struct {
	PasswordFormat     string // "plain" or "scram"
	SCRAMIterations    int
	ExtAuthProgram     string
	Host               string
	ConnectionPoolSize int
	BasicAuth          string
	PathPrefix         string
	IsExternal         bool
}

// SQL is the SQL database of a host.
type SQL struct {
	Server            SQLServer // zero: none
	Type              string    // "mssql", "pgsql", "mysql", "odbc"; "": generic
	PoolSize          int
	StartInterval     time.Duration
	KeepaliveInterval time.Duration // 0: none
	UsersEstimate     bool
}

// SQLServer is the value of odbc_server.
type SQLServer struct {
	Driver                         string // "pgsql", "mysql" or "mssql"; "": no server
	Host                           string
	Port                           int
	Database, User, Password, Text string
}

// LDAP are the options ldap_*.
type LDAP struct {
	Servers, Backups   []string
	Encrypt            string // "none", "tls" or "starttls"
	TLSVerify          string // "false", "soft" or "hard"
	CACertFile         string
	TLSDepth           int // -1: not set
	Port               int // 0: 389, or 636 with tls
	RootDN, Password   string
	Base               string
	Deref              string
	UIDs               []LDAPUID
	Filter             string
	DNFilter           LDAPDNFilter
	LocalFilter        LDAPLocalFilter
	UFilter, GFilter   string
	RFilter            string
	UserCacheValidity  time.Duration
	GroupCacheValidity time.Duration
	UserCacheSize      int
	GroupCacheSize     int
}

// LDAPUID is one element of ldap_uids.
type LDAPUID struct{ Attr, Format string }

// LDAPDNFilter is the value of ldap_dn_filter.
type LDAPDNFilter struct {
	Filter string
	Attrs  []string
}

// LDAPLocalFilter is the value of ldap_local_filter.
type LDAPLocalFilter struct {
	Op   string // "equal" or "notequal"; "": none
	Cond LDAPCondition
}

// LDAPCondition is what an LDAPLocalFilter compares.
type LDAPCondition struct {
	Attr   string
	Values []string
}

// option fills in what most options of the top level have in common.
func option[T any](name string, v schema.Value[T], o schema.Option[T]) schema.Option[T] {
	o.Name, o.Value = name, v
	if o.Since == "" {
		o.Since = "1.2.2"
	}
	if o.Effect == 0 {
		o.Effect = schema.AtStart
	}
	if o.Bad == 0 {
		o.Bad = schema.Ignored
	}
	return o
}

var logLevels = []string{"none", "critical", "error", "warning", "info", "debug"}

var logLevel = schema.New("an integer from 0 (none) to 5 (debug), or none, critical, error, warning, info or debug",
	func(r *schema.Reader, t cfgterm.Term) (string, error) {
		const shape = "an integer from 0 (none) to 5 (debug), or none, critical, error, warning, info or debug"
		if i, ok := t.(*cfgterm.Int); ok && i.Big == nil && i.N >= 0 && i.N <= 5 {
			return logLevels[i.N], nil
		}
		name, ok := cfgterm.AtomName(t)
		if !ok {
			return "", r.Want(t, shape)
		}
		for _, l := range logLevels {
			if l == name {
				return l, nil
			}
		}
		return "", r.Skip(t, "loglevel "+name+" is unknown: ignored", "write one of "+quoteAll(logLevels))
	})

// nodeTable makes the table of what holds for the whole node.
func nodeTable(b *Builtins) *schema.Table[Node] {
	mechanisms := []string{
		"cyrsasl_plain", "cyrsasl_digest", "cyrsasl_scram", "cyrsasl_anonymous", "cyrsasl_oauth",
		"cyrsasl_scram_sha1", "cyrsasl_scram_sha224", "cyrsasl_scram_sha256", "cyrsasl_scram_sha384", "cyrsasl_scram_sha512",
		"cyrsasl_scram_sha1_plus", "cyrsasl_scram_sha224_plus", "cyrsasl_scram_sha256_plus", "cyrsasl_scram_sha384_plus",
		"cyrsasl_scram_sha512_plus", "cyrsasl_external",
	}
	unserved := func(served bool, why string) string {
		if served {
			return ""
		}
		return why
	}
	metrics := schema.Bool()
	if !b.Features.Metrics {
		metrics = schema.Serve(metrics, false)
	}
	commands := schema.List(commandRule)
	if !b.Features.CommandsAccess {
		commands = schema.ServeEmpty(commands, "every command is allowed to whoever can run the program")
	}
	str := func(at func(*Node) *string) schema.Value[Node] { return schema.Field(schema.Text(), at) }
	none := func(name string, v schema.Value[Node], bad schema.Bad, example, doc, why, until string) schema.Option[Node] {
		return option(name, v, schema.Option[Node]{
			Absent: "-", Example: example, Doc: doc, TOML: "-", Until: until, NoEffect: why, Bad: bad,
		})
	}
	return &schema.Table[Node]{
		Name: "node options", Kind: schema.Top, Plain: true, Proplist: false,
		Doc: "Options of the top level that hold for the whole node. In host_config they have no effect.",
		Options: []schema.Option[Node]{
			option("loglevel", schema.Field(logLevel, func(n *Node) *string { return &n.LogLevel }), schema.Option[Node]{
				Default: "4", Example: "3", TOML: "general.loglevel", Effect: schema.OnReload, Bad: schema.Refused,
				Doc: "How much is logged: 0 nothing, 1 critical, 2 error, 3 warning, 4 info, 5 debug, or the word itself.",
			}),
			option("language", str(func(n *Node) *string { return &n.Language }), schema.Option[Node]{
				Default: `"en"`, Example: `"pl"`, TOML: "general.language", Effect: schema.OnReload, Bad: schema.Refused,
				Doc: "Default language (xml:lang) of texts to users.",
			}),
			option("sm_backend", schema.Field(sessionStore, func(n *Node) *SessionStore { return &n.SessionStore }), schema.Option[Node]{
				Default: "{mnesia, []}", Example: `{redis, [{pool_size, 3}, {worker_config, [{host, "localhost"}, {port, 6379}]}]}`,
				TOML: "general.sm_backend", Bad: schema.Refused, Code: "SMB002",
				Doc: "Where sessions are kept: {mnesia, []} in memory, {redis, Options} in a Redis server, with pool_size " +
					"and worker_config [{host, H}, {port, P}, {db, N}, {pass, W}]. 2.0.1 did not start without the option; " +
					"here its absence means memory.",
			}),
			option("max_fsm_queue", schema.Field(schema.Int(1, schema.NoLimit), func(n *Node) *int { return &n.MaxQueue }), schema.Option[Node]{
				Absent: "no limit", Example: "1000", TOML: "general.max_fsm_queue", Effect: schema.NewConnections,
				Doc: "How many stanzas may wait for a client or component that reads too slowly; one more ends its " +
					"connection. Listeners have an option of the same name, which wins.",
			}),
			option("registration_timeout", schema.Field(schema.Seconds(0, schema.NoLimit).Or("infinity", 0),
				func(n *Node) *time.Duration { return &n.RegistrationTimeout }), schema.Option[Node]{
				Default: "600", Example: "60", TOML: "general.registration_timeout", Effect: schema.OnReload,
				Doc: "How long a client has to wait in seconds after a registration (XEP-0077) before another one from the " +
					"same IP address is accepted; infinity and 0: not at all.",
			}),
			option("sasl_mechanisms", schema.Field(schema.List(schema.Serve(schema.Enum(mechanisms...), b.SASLMechanisms...)),
				func(n *Node) *[]string { return &n.SASLMechanisms }), schema.Option[Node]{
				Absent: "all that the program has", Example: "[cyrsasl_plain]", TOML: "auth.sasl_mechanisms",
				Since: "2.0.0", Bad: schema.Refused,
				Doc: "Which SASL mechanisms exist. The order has no meaning. What a host offers depends on its " +
					"authentication methods too.",
			}),
			option("routing_modules", schema.Field(schema.List(schema.Enum("mongoose_router_global", "mongoose_router_localdomain",
				"mongoose_router_external_localnode", "mongoose_router_external", "ejabberd_s2s")),
				func(n *Node) *[]string { return &n.RoutingModules }), schema.Option[Node]{
				Default: "[mongoose_router_global, mongoose_router_localdomain, mongoose_router_external_localnode, mongoose_router_external, ejabberd_s2s]",
				Example: "[mongoose_router_global, mongoose_router_localdomain, mongoose_router_external_localnode, mongoose_router_external]",
				TOML:    "general.routing_modules", Since: "2.0.0", Bad: schema.Refused,
				Doc: "The chain through which stanzas are routed. The order is fixed; without ejabberd_s2s nothing leaves " +
					"for other servers.",
			}),
			option("mongooseimctl_access_commands", schema.Field(commands,
				func(n *Node) *[]CommandRule { return &n.CommandRules }), schema.Option[Node]{
				Absent: "every command is allowed", Example: "[{local, [status, registered_users], []}]",
				TOML: "general.mongooseimctl_access_commands", Since: "1.5.0", Effect: schema.OnReload, Bad: schema.Refused,
				Doc: "Limits what the command line may do: a list of {AccessRule, all | [Command], [{Argument, Value}]}. " +
					"At least one element has to accept a call. The rule all asks for no credentials, any other for those " +
					"of a user whom it allows.",
			}),
			option("all_metrics_are_global", schema.Field(metrics, func(n *Node) *bool { return &n.AllMetricsGlobal }), schema.Option[Node]{
				Default: "false", Example: "true", TOML: "general.all_metrics_are_global", Since: "2.0.0",
				Doc: "Whether the metrics of all hosts are added up instead of being kept apart.",
			}),
			option("s2s_use_starttls", schema.Field(schema.Words(map[string]string{
				"false": "false", "true": "optional", "optional": "optional", "required": "required", "required_trusted": "required_trusted",
			}), func(n *Node) *string { return &n.S2S.UseStartTLS }), schema.Option[Node]{
				Default: "false", Example: "optional", TOML: "s2s.use_starttls", Effect: schema.NewConnections, Bad: schema.Refused,
				Doc: "Encryption between servers, in both directions: false, optional (also true), required, or " +
					"required_trusted, where the certificate has to be valid. Anything but false needs s2s_certfile.",
			}),
			option("s2s_certfile", schema.Field(schema.CertFile(), func(n *Node) *string { return &n.S2S.CertFile }), schema.Option[Node]{
				Absent: "no encryption between servers", Example: `"priv/ssl/server.pem"`, TOML: "s2s.certfile",
				Effect: schema.NewConnections, Bad: schema.Refused,
				Doc: "PEM file with certificate, chain and key for connections between servers. It must be readable.",
			}),
			option("s2s_ciphers", str(func(n *Node) *string { return &n.S2S.Ciphers }), schema.Option[Node]{
				Absent: "the choice of the TLS library", Example: `"ECDHE+AESGCM"`, TOML: "s2s.ciphers", Since: "1.4.0",
				Effect: schema.NewConnections,
				Doc:    "Cipher suites for outgoing connections to servers, as an OpenSSL cipher string.",
			}),
			option("outgoing_s2s_port", schema.Field(schema.Int(1, 65535), func(n *Node) *int { return &n.S2S.Port }), schema.Option[Node]{
				Default: "5269", Example: "5299", TOML: "s2s.outgoing.port", Effect: schema.NewConnections, Bad: schema.Refused,
				Doc: "Port of other servers for which DNS has no SRV record. The documentation calls it the local port, " +
					"which it is not.",
			}),
			{
				Name: "outgoing_s2s_options", Form: schema.Wide,
				Value:   schema.Field(outgoing, func(n *Node) *Outgoing { return &n.S2S.Outgoing }),
				Default: "{outgoing_s2s_options, [ipv4, ipv6], 10000}", Example: "{outgoing_s2s_options, [ipv6, ipv4], 5000}",
				TOML: "s2s.outgoing.ip_versions", Since: "1.2.2", Effect: schema.NewConnections, Bad: schema.Refused,
				Doc: "Families of addresses in the order in which they are tried (ipv4 or inet4, ipv6 or inet6), and the " +
					"time that a connection may take, in milliseconds or infinity.",
			},
			option("s2s_dns_options", schema.Field(schema.Nested(dnsTable), func(n *Node) *DNS { return &n.S2S.DNS }), schema.Option[Node]{
				Default: "[]", Example: "[{timeout, 5}, {retries, 1}]", TOML: "s2s.dns", Effect: schema.NewConnections,
				Doc: "How other servers are looked up in DNS.",
			}),
			option("s2s_max_retry_delay", schema.Field(schema.Seconds(1, schema.NoLimit),
				func(n *Node) *time.Duration { return &n.S2S.MaxRetryDelay }), schema.Option[Node]{
				Default: "300", Example: "60", TOML: "s2s.max_retry_delay", Effect: schema.NewConnections,
				Doc: "Longest pause in seconds between two attempts to reach a server. In 2.0.1 the option had no effect.",
			}),
			option("s2s_shared", str(func(n *Node) *string { return &n.S2S.Secret }), schema.Option[Node]{
				Absent: "a random one", Example: `<<"9e61fb121fac105a08b6">>`, TOML: "s2s.shared", Since: "1.6.0", Secret: true,
				Doc: "Secret from which dialback keys are made; nodes of one cluster need the same. In 2.0.1 it could not " +
					"be set.",
			}),
			option("http_connections", schema.Field(schema.List(schema.Tuple(
				schema.Elem("Name", schema.Atom(), func(p *HTTPPool) *string { return &p.Name }),
				schema.Elem("Options", schema.Nested(httpPoolTable), func(p *HTTPPool) *HTTPPoolOptions { return &p.Opts }),
			)), func(n *Node) *[]HTTPPool { return &n.HTTPPools }), schema.Option[Node]{
				Absent: "no pools", Example: `[{http_pool, [{server, "http://localhost:8000"}]}]`, TOML: "outgoing_pools.http.NAME",
				Since: "2.0.0", Until: "3.1.1", Bad: schema.Refused,
				Doc:      "Pools of HTTP connections, which modules name.",
				Unserved: unserved(b.Features.HTTPPools, "no module of this build uses HTTP pools"),
			}),
			option("riak_server", schema.Field(schema.Nested(riakTable), func(n *Node) *Riak { return &n.Riak }), schema.Option[Node]{
				Absent: "no Riak", Example: `[{address, "127.0.0.1"}, {port, 8087}]`, TOML: "outgoing_pools.riak.default",
				Since: "1.6.0", Until: "3.1.1", Bad: schema.Refused,
				Doc:      "The Riak cluster of backends riak.",
				Unserved: unserved(b.Features.Riak, "Riak is not supported: use the backend mnesia, which is an embedded store here"),
			}),
			option("cassandra_servers", schema.Field(schema.List(cassandraPool), func(n *Node) *[]CassandraPool { return &n.Cassandra }), schema.Option[Node]{
				Absent: "no Cassandra", Example: `[{default, 10, [{servers, [{"cassandra.example.org", 9042}]}, {keyspace, "mongooseim"}]}]`,
				TOML: "outgoing_pools.cassandra.NAME", Since: "2.0.1", Until: "3.1.1", Bad: schema.Refused,
				Doc:      "Pools of connections to Cassandra for message archives: {Name, Options} or {Name, Size, Options}.",
				Unserved: unserved(b.Features.Cassandra, "Cassandra is not supported yet"),
			}),
			none("alarms", schema.Unused[Node](schema.List(schema.Any())), schema.Refused, "[{long_gc, 10000}, {large_heap, 1000000}]",
				"Alarms of the Erlang VM. They have no counterpart.", "it is about the Erlang VM", "2.0.1"),
			none("cluster_nodes", schema.Unused[Node](schema.List(schema.Atom())), schema.Refused, "['mongooseim@other']",
				"Nodes that 2.0.1 connected to at start.", "clusters of Meerkat are not set up this way", ""),
			none("node_type", schema.Unused[Node](schema.Any()), schema.AnyValue, "normal", "Stored and never read by 2.0.1.", "2.0.1 did not read it either", ""),
			none("watchdog_admins", schema.Unused[Node](schema.Any()), schema.AnyValue, `["admin@example.org"]`, "Stored and never read by 2.0.1.",
				"2.0.1 did not read it either", ""),
			none("watchdog_large_heap", schema.Unused[Node](schema.Any()), schema.AnyValue, "1000000", "Stored and never read by 2.0.1.",
				"2.0.1 did not read it either", ""),
		},
	}
}

var outgoing = schema.Tuple(
	schema.Tag[Outgoing]("outgoing_s2s_options"),
	schema.Elem("[ipv4, ipv6]", schema.List(schema.Words(map[string]string{
		"ipv4": "ipv4", "inet4": "ipv4", "ipv6": "ipv6", "inet6": "ipv6",
	})), func(o *Outgoing) *[]string { return &o.Families }),
	schema.Elem("MILLISECONDS", schema.Milliseconds(1, schema.NoLimit).Or("infinity", 0), func(o *Outgoing) *time.Duration { return &o.Timeout }),
)

var sessionStore = schema.Either(
	schema.Convert(schema.Tuple(
		schema.Tag[SessionStore]("mnesia"),
		schema.Skip[SessionStore]("[]", schema.Any()),
	), func(s SessionStore) (SessionStore, error) {
		s.Backend = "mnesia"
		return s, nil
	}),
	schema.Convert(schema.Tuple(
		schema.Tag[SessionStore]("redis"),
		schema.Elem("OPTIONS", schema.Nested(redisTable), func(s *SessionStore) *SessionStore { return s }),
	), func(s SessionStore) (SessionStore, error) {
		s.Backend = "redis"
		return s, nil
	}),
)

var redisTable = &schema.Table[SessionStore]{
	Name: "sm_backend", Kind: schema.Top, Proplist: true, Doc: "Options of sm_backend redis.",
	Options: []schema.Option[SessionStore]{
		option("pool_size", schema.Field(schema.Int(1, schema.NoLimit), func(s *SessionStore) *int { return &s.PoolSize }), schema.Option[SessionStore]{
			Default: "10", Example: "3", TOML: "workers", Doc: "Number of connections to the Redis server.",
		}),
		option("worker_config", schema.Field(schema.Nested(workerTable), func(s *SessionStore) *Redis { return &s.Redis }), schema.Option[SessionStore]{
			Default: "[]", Example: `[{host, "redis.example.org"}, {port, 6379}]`, TOML: "connection", Doc: "Where the Redis server is.",
		}),
	},
}

var workerTable = &schema.Table[Redis]{
	Name: "worker_config", Kind: schema.Top, Proplist: true, Doc: "Where the Redis server is.",
	Options: []schema.Option[Redis]{
		option("host", schema.Field(schema.Text(), func(c *Redis) *string { return &c.Host }), schema.Option[Redis]{
			Default: `"localhost"`, Example: `"redis.example.org"`, TOML: "connection.host", Doc: "Host of the Redis server.",
		}),
		option("port", schema.Field(schema.Int(1, 65535), func(c *Redis) *int { return &c.Port }), schema.Option[Redis]{
			Default: "6379", Example: "6380", TOML: "connection.port", Doc: "Port of the Redis server.",
		}),
		option("db", schema.Field(schema.Int(0, schema.NoLimit), func(c *Redis) *int { return &c.DB }), schema.Option[Redis]{
			Default: "0", Example: "1", TOML: "connection.database", Doc: "Number of the database.",
		}),
		option("pass", schema.Field(schema.Text(), func(c *Redis) *string { return &c.Password }), schema.Option[Redis]{
			Absent: "none", Example: `"secret"`, TOML: "connection.password", Secret: true, Doc: "Password of the Redis server.",
		}),
	},
	Foreign: []schema.Foreign{
		{Name: "password", From: "MongooseIM 3.2", Instead: "{pass, PASSWORD}"},
		{Name: "database", From: "MongooseIM 3.2", Instead: "{db, NUMBER}"},
	},
}

var dnsTable = &schema.Table[DNS]{
	Name: "s2s_dns_options", Kind: schema.Top, Proplist: true, Doc: "How other servers are looked up.",
	Options: []schema.Option[DNS]{
		option("timeout", schema.Field(schema.Seconds(1, schema.NoLimit), func(d *DNS) *time.Duration { return &d.Timeout }), schema.Option[DNS]{
			Default: "10", Example: "5", TOML: "timeout", Effect: schema.NewConnections, Doc: "How long an answer may take, in seconds.",
		}),
		option("retries", schema.Field(schema.Int(0, schema.NoLimit), func(d *DNS) *int { return &d.Retries }), schema.Option[DNS]{
			Default: "2", Example: "1", TOML: "retries", Effect: schema.NewConnections, Doc: "How often a question is asked in all.",
		}),
	},
}

var httpPoolTable = &schema.Table[HTTPPoolOptions]{
	Name: "http_connections", Kind: schema.Top, Proplist: true, Doc: "Options of a pool of HTTP connections.",
	Options: []schema.Option[HTTPPoolOptions]{
		option("server", schema.Field(schema.Text(), func(p *HTTPPoolOptions) *string { return &p.Server }), schema.Option[HTTPPoolOptions]{
			Default: `"http://localhost"`, Example: `"https://example.org:8443"`, TOML: "connection.host", Since: "2.0.0",
			Doc: "Scheme, host and port of the server.",
		}),
		option("path_prefix", schema.Field(schema.Text(), func(p *HTTPPoolOptions) *string { return &p.PathPrefix }), schema.Option[HTTPPoolOptions]{
			Default: `"/"`, Example: `"/api/"`, TOML: "connection.path_prefix", Since: "2.0.0",
			Doc: "What is put before the path of every request.",
		}),
		option("pool_size", schema.Field(schema.Int(1, schema.NoLimit), func(p *HTTPPoolOptions) *int { return &p.Size }), schema.Option[HTTPPoolOptions]{
			Default: "20", Example: "10", TOML: "workers", Since: "2.0.0", Doc: "Number of connections.",
		}),
		option("max_overflow", schema.Field(schema.Int(0, schema.NoLimit), func(p *HTTPPoolOptions) *int { return &p.Overflow }), schema.Option[HTTPPoolOptions]{
			Default: "5", Example: "0", TOML: "-", Since: "2.0.0", Doc: "Number of further connections when all are busy.",
		}),
		option("pool_timeout", schema.Field(schema.Milliseconds(0, schema.NoLimit), func(p *HTTPPoolOptions) *time.Duration { return &p.PoolTimeout }), schema.Option[HTTPPoolOptions]{
			Default: "200", Example: "500", TOML: "call_timeout", Since: "2.0.0", Doc: "How long to wait for a free connection, in milliseconds.",
		}),
		option("request_timeout", schema.Field(schema.Milliseconds(0, schema.NoLimit), func(p *HTTPPoolOptions) *time.Duration { return &p.RequestTimeout }), schema.Option[HTTPPoolOptions]{
			Default: "2000", Example: "5000", TOML: "connection.request_timeout", Since: "2.0.0", Doc: "How long a request may take, in milliseconds.",
		}),
	},
}

var riakTable = &schema.Table[Riak]{
	Name: "riak_server", Kind: schema.Top, Proplist: true, Doc: "Where Riak is.",
	Options: []schema.Option[Riak]{
		option("address", schema.Field(schema.Text(), func(c *Riak) *string { return &c.Address }), schema.Option[Riak]{
			Absent: "required", Example: `"127.0.0.1"`, TOML: "connection.address", Since: "1.6.0", Doc: "Address of a Riak node.",
		}),
		option("port", schema.Field(schema.Int(1, 65535), func(c *Riak) *int { return &c.Port }), schema.Option[Riak]{
			Absent: "required", Example: "8087", TOML: "connection.port", Since: "1.6.0", Doc: "Its port for protocol buffers.",
		}),
		option("pool_size", schema.Field(schema.Int(1, schema.NoLimit), func(c *Riak) *int { return &c.PoolSize }), schema.Option[Riak]{
			Default: "20", Example: "10", TOML: "workers", Since: "1.6.0", Doc: "Number of connections.",
		}),
	},
	Foreign: []schema.Foreign{
		{Name: "riak_pb_socket_opts", From: "a comment of the template, which no release reads"},
		{Name: "credentials", From: "MongooseIM 2.1.1"},
		{Name: "cacertfile", From: "MongooseIM 2.1.1"},
	},
}

var cassandraTable = &schema.Table[CassandraOptions]{
	Name: "cassandra_servers", Kind: schema.Top, Proplist: true, Doc: "Options of a pool of connections to Cassandra.",
	Options: []schema.Option[CassandraOptions]{
		option("servers", schema.Field(schema.List(schema.Tuple(
			schema.Elem("HOST", schema.Text(), func(s *CassandraServer) *string { return &s.Host }),
			schema.Elem("PORT", schema.Int(1, 65535), func(s *CassandraServer) *int { return &s.Port }),
		)), func(c *CassandraOptions) *[]CassandraServer { return &c.Servers }), schema.Option[CassandraOptions]{
			Default: `[{"localhost", 9042}]`, Example: `[{"cassandra.example.org", 9042}]`, TOML: "connection.servers", Since: "2.0.1",
			Doc: "The servers.",
		}),
		option("keyspace", schema.Field(schema.Name(), func(c *CassandraOptions) *string { return &c.Keyspace }), schema.Option[CassandraOptions]{
			Default: "mongooseim", Example: `"archive"`, TOML: "connection.keyspace", Since: "2.0.1", Doc: "Name of the keyspace.",
		}),
		option("connect_timeout", schema.Field(schema.Milliseconds(1, schema.NoLimit), func(c *CassandraOptions) *time.Duration { return &c.ConnectTimeout }), schema.Option[CassandraOptions]{
			Default: "5000", Example: "10000", TOML: "-", Since: "2.0.1", Doc: "How long a connection may take, in milliseconds.",
		}),
		option("tcp_opts", schema.Unused[CassandraOptions](schema.Any()), schema.Option[CassandraOptions]{
			Absent: "-", Example: "[{connect_timeout, 5000}]", TOML: "-", Since: "2.0.1", Bad: schema.AnyValue,
			Doc: "Options of the sockets.", NoEffect: "the operating system's settings are used",
		}),
		option("auth", schema.Unused[CassandraOptions](schema.Any()), schema.Option[CassandraOptions]{
			Absent: "none", Example: `{cqerl_auth_plain_handler, [{"user", "secret"}]}`, TOML: "-", Since: "2.0.1", Secret: true,
			Bad: schema.AnyValue, Doc: "Name and password.", NoEffect: "Cassandra is not supported yet",
		}),
	},
}

var cassandraPool = schema.Either(
	schema.Tuple(
		schema.Elem("NAME", schema.Atom(), func(p *CassandraPool) *string { return &p.Name }),
		schema.Elem("OPTIONS", schema.Nested(cassandraTable), func(p *CassandraPool) *CassandraOptions { return &p.Opts }),
	),
	schema.Tuple(
		schema.Elem("NAME", schema.Atom(), func(p *CassandraPool) *string { return &p.Name }),
		schema.Elem("SIZE", schema.Int(1, schema.NoLimit), func(p *CassandraPool) *int { return &p.Size }),
		schema.Elem("OPTIONS", schema.Nested(cassandraTable), func(p *CassandraPool) *CassandraOptions { return &p.Opts }),
	),
)

var commandRule = schema.New("{AccessRule, all or [Command], [{Argument, Value}]}", func(r *schema.Reader, t cfgterm.Term) (CommandRule, error) {
	const shape = "{AccessRule, all or [Command], [{Argument, Value}]}"
	elems, ok := cfgterm.TupleOf(t, 3)
	if !ok {
		return CommandRule{}, r.Want(t, shape)
	}
	var c CommandRule
	if c.Access, ok = cfgterm.AtomName(elems[0]); !ok {
		return c, r.Want(elems[0], "the name of an access rule")
	}
	if c.Access != "all" && c.Access != "none" {
		if err := r.Refer(schema.RefAccess, c.Access, elems[0]); err != nil {
			return c, err
		}
	}
	if cfgterm.IsAtom(elems[1], "all") {
		c.All = true
	} else {
		items, ok := cfgterm.Items(elems[1])
		if !ok {
			return c, r.Want(elems[1], "all, or a list of commands")
		}
		for _, it := range items {
			name, ok := cfgterm.AtomName(it)
			if !ok {
				return c, r.Want(it, "the name of a command")
			}
			c.Commands = append(c.Commands, name)
		}
	}
	args, ok := cfgterm.Items(elems[2])
	if !ok {
		return c, r.Want(elems[2], "a list of {Argument, Value}")
	}
	for _, a := range args {
		kv, ok := cfgterm.TupleOf(a, 2)
		if !ok {
			return c, r.Want(a, "{Argument, Value}")
		}
		k, ok := cfgterm.AtomName(kv[0])
		if !ok {
			return c, r.Want(kv[0], "the name of an argument")
		}
		v, ok := cfgterm.Text(kv[1])
		if !ok {
			v = cfgterm.Format(kv[1])
		}
		if c.Args == nil {
			c.Args = map[string]string{}
		}
		c.Args[k] = v
	}
	return c, nil
})

// hostTable makes the table of what holds for a host.
func hostTable(b *Builtins) *schema.Table[HostSettings] {
	methods := []string{"internal", "odbc", "external", "http", "ldap", "anonymous", "riak"}
	bool_ := func(at func(*HostSettings) *bool) schema.Value[HostSettings] { return schema.Field(schema.Bool(), at) }
	t := &schema.Table[HostSettings]{
		Name: "host options", Kind: schema.Top, Plain: true,
		Doc: "Options of the top level that each host has for itself: written at the top level they hold for every " +
			"host, in {host_config, HOST, [...]} for that one.",
		Options: []schema.Option[HostSettings]{
			option("auth_method", schema.Field(schema.OneOrList(schema.Serve(schema.Enum(methods...), b.AuthMethods...)),
				func(h *HostSettings) *[]string { return &h.AuthMethods }), schema.Option[HostSettings]{
				Absent: "nobody can log in", Example: "internal", TOML: "auth.methods", Effect: schema.NewConnections, Bad: schema.Refused,
				Code: "AUT002",
				Doc: "How users are authenticated: internal (the server's own store), odbc, external, http, ldap, anonymous, " +
					"riak, or a list of them, asked in order.",
			}),
			option("auth_opts", schema.Field(schema.Nested(authTable), func(h *HostSettings) *AuthOptions { return &h.Auth }), schema.Option[HostSettings]{
				Default: "[]", Example: "[{password_format, scram}]", TOML: "auth.password", Since: "1.5.0", Effect: schema.NewConnections,
				Doc: "Options of the authentication methods. A later auth_opts replaces the whole list.",
			}),
			option("anonymous_protocol", schema.Field(schema.Enum("sasl_anon", "login_anon", "both"),
				func(h *HostSettings) *string { return &h.AnonymousProtocol }), schema.Option[HostSettings]{
				Default: "sasl_anon", Example: "login_anon", TOML: "auth.anonymous.protocol", Effect: schema.NewConnections,
				Doc: "How auth_method anonymous lets people in: sasl_anon by the mechanism ANONYMOUS, login_anon with any name " +
					"and password, both.",
			}),
			option("allow_multiple_connections", bool_(func(h *HostSettings) *bool { return &h.AllowMultipleConnections }), schema.Option[HostSettings]{
				Default: "false", Example: "true", TOML: "auth.anonymous.allow_multiple_connections", Since: "1.5.0", Effect: schema.NewConnections,
				Doc: "Whether a name that is logged in anonymously may log in again.",
			}),
			option("extauth_instances", schema.Field(schema.Int(1, schema.NoLimit), func(h *HostSettings) *int { return &h.ExtAuthInstances }), schema.Option[HostSettings]{
				Default: "1", Example: "4", TOML: "auth.external.instances",
				Doc: "How many processes of extauth_program run.",
			}),
			option("extauth_cache", schema.Field(schema.Seconds(1, schema.NoLimit).Or("false", 0), func(h *HostSettings) *time.Duration { return &h.ExtAuthCache }), schema.Option[HostSettings]{
				Default: "false", Example: "600", TOML: "-",
				Doc: "For how many seconds after the last activity a password is not asked of extauth_program again. It needs " +
					"mod_last.",
			}),
			option("odbc_server", schema.Field(sqlServer, func(h *HostSettings) *SQLServer { return &h.SQL.Server }), schema.Option[HostSettings]{
				Absent: "no SQL database", Example: `{pgsql, "localhost", 5432, "mongooseim", "user", "secret"}`,
				TOML: "outgoing_pools.rdbms.default", Until: "3.1.1", Effect: schema.OnReload, Bad: schema.Refused, Code: "DB001",
				Doc: "SQL database: {pgsql, Server, Port, Database, User, Password}, the same with mysql, both also without " +
					"port (5432, 3306), or the connection string of an ODBC driver for one of the two or SQL Server. Every " +
					"host has its own connections.",
			}),
			option("odbc_server_type", schema.Field(schema.Enum("mssql", "pgsql", "mysql", "odbc"), func(h *HostSettings) *string { return &h.SQL.Type }), schema.Option[HostSettings]{
				Absent: "what odbc_server says", Example: "mssql", TOML: "general.rdbms_server_type", Since: "2.0.0", Until: "3.1.1",
				Doc: "Dialect of the SQL texts. mssql counts for the first host only.",
			}),
			option("odbc_pool_size", schema.Field(schema.Int(1, schema.NoLimit), func(h *HostSettings) *int { return &h.SQL.PoolSize }), schema.Option[HostSettings]{
				Default: "10", Example: "5", TOML: "outgoing_pools.rdbms.default.workers", Until: "3.1.1", Effect: schema.OnReload,
				Doc: "Number of connections to the SQL database, for each host.",
			}),
			option("odbc_start_interval", schema.Field(schema.Seconds(1, schema.NoLimit), func(h *HostSettings) *time.Duration { return &h.SQL.StartInterval }), schema.Option[HostSettings]{
				Default: "30", Example: "5", TOML: "-", Until: "3.1.1", Effect: schema.OnReload,
				Doc: "Pause in seconds between two attempts to connect to the SQL database. Not documented for 2.0.1.",
			}),
			option("odbc_keepalive_interval", schema.Field(schema.Seconds(1, schema.NoLimit).Or("undefined", 0), func(h *HostSettings) *time.Duration { return &h.SQL.KeepaliveInterval }), schema.Option[HostSettings]{
				Absent: "none", Example: "10", TOML: "outgoing_pools.rdbms.default.connection.keepalive_interval", Until: "3.1.1", Effect: schema.OnReload,
				Doc: "Seconds between two questions that keep a connection to the SQL database open.",
			}),
			option("pgsql_users_number_estimate", bool_(func(h *HostSettings) *bool { return &h.SQL.UsersEstimate }), schema.Option[HostSettings]{
				Default: "false", Example: "true", TOML: "general.pgsql_users_number_estimate", Effect: schema.OnReload,
				Doc: "Whether the number of users is estimated by PostgreSQL instead of being counted.",
			}),
			{
				Name: "route_subdomains", Synonyms: []string{"route_subdomain"},
				Value:  schema.Field(schema.Words(map[string]bool{"s2s": true}), func(h *HostSettings) *bool { return &h.RouteSubdomains }),
				Absent: "they are errors", Example: "s2s", TOML: "general.route_subdomains", Since: "1.2.2", Effect: schema.OnReload, Bad: schema.Ignored,
				Doc: "With s2s, stanzas for a subdomain of the host that nobody serves here go to other servers. The " +
					"documentation writes route_subdomain, which 2.0.1 did not read; both are taken.",
			},
			option("s2s_default_policy", schema.Field(schema.Enum("allow", "deny"), func(h *HostSettings) *string { return &h.S2SPolicy }), schema.Option[HostSettings]{
				Default: "allow", Example: "deny", TOML: "s2s.default_policy", Effect: schema.OnReload,
				Doc: "Whether servers of which {s2s_host, HOST} says nothing may be talked to, in both directions.",
			}),
			option("domain_certfile", schema.Field(schema.LateFile(), func(h *HostSettings) *string { return &h.domainCert }), schema.Option[HostSettings]{
				Absent: "the certificate of the listener", Example: `"priv/ssl/example.org.pem"`, TOML: "s2s.domain_certfile", Effect: schema.NewConnections,
				Doc: "PEM file with certificate, chain and key of the host, preferred to the listener's for STARTTLS. See " +
					"also {domain_certfile, DOMAIN, FILE}.",
			}),
		},
	}
	t.Options = append(t.Options, ldapOptions()...)
	return t
}

func ldapOptions() []schema.Option[HostSettings] {
	var opts []schema.Option[HostSettings]
	add := func(name string, v schema.Value[HostSettings], def, example, toml, doc string) {
		o := option(name, v, schema.Option[HostSettings]{Default: def, Example: example, TOML: toml, Doc: doc, Until: "3.4.1", Effect: schema.OnReload})
		if def == "" {
			o.Absent = "none"
		}
		opts = append(opts, o)
	}
	text := func(at func(*LDAP) *string) schema.Value[HostSettings] {
		return schema.Field(schema.Text(), func(h *HostSettings) *string { return at(&h.LDAP) })
	}
	texts := func(at func(*LDAP) *[]string) schema.Value[HostSettings] {
		return schema.Field(schema.List(schema.Text()), func(h *HostSettings) *[]string { return at(&h.LDAP) })
	}
	number := func(lo int, at func(*LDAP) *int) schema.Value[HostSettings] {
		return schema.Field(schema.Int(lo, schema.NoLimit), func(h *HostSettings) *int { return at(&h.LDAP) })
	}
	word := func(at func(*LDAP) *string, words ...string) schema.Value[HostSettings] {
		return schema.Field(schema.Enum(words...), func(h *HostSettings) *string { return at(&h.LDAP) })
	}
	secs := func(at func(*LDAP) *time.Duration) schema.Value[HostSettings] {
		return schema.Field(schema.Seconds(1, schema.NoLimit), func(h *HostSettings) *time.Duration { return at(&h.LDAP) })
	}
	add("ldap_servers", texts(func(l *LDAP) *[]string { return &l.Servers }), `["localhost"]`, `["ldap.example.org"]`,
		"outgoing_pools.ldap.default.connection.servers", "LDAP servers.")
	add("ldap_backups", texts(func(l *LDAP) *[]string { return &l.Backups }), "[]", `["ldap2.example.org"]`,
		"- add them to servers", "LDAP servers that are used when none of ldap_servers answers.")
	add("ldap_encrypt", word(func(l *LDAP) *string { return &l.Encrypt }, "none", "tls", "starttls"), "none", "tls",
		"outgoing_pools.ldap.default.connection.encrypt", "Encryption: none, tls from the start, or starttls, which 2.0.1 took for none.")
	add("ldap_tls_verify", word(func(l *LDAP) *string { return &l.TLSVerify }, "false", "soft", "hard"), "false", "hard",
		"outgoing_pools.ldap.default.connection.tls.verify_peer", "Whether the certificate of the server is verified: false, soft (if it has one) or hard.")
	add("ldap_tls_cacertfile", text(func(l *LDAP) *string { return &l.CACertFile }), "", `"/etc/ssl/certs/ca.pem"`,
		"outgoing_pools.ldap.default.connection.tls.cacertfile", "PEM file with the certificates to trust.")
	add("ldap_tls_depth", number(0, func(l *LDAP) *int { return &l.TLSDepth }), "", "2",
		"-", "How many intermediate certificates the server's chain may have.")
	add("ldap_port", number(1, func(l *LDAP) *int { return &l.Port }), "", "3268",
		"outgoing_pools.ldap.default.connection.port", "Port of the servers; 389, or 636 with tls.")
	add("ldap_rootdn", text(func(l *LDAP) *string { return &l.RootDN }), `""`, `"cn=admin,dc=example,dc=org"`,
		"outgoing_pools.ldap.default.connection.rootdn", "Name with which the server logs in; empty: anonymously.")
	add("ldap_password", text(func(l *LDAP) *string { return &l.Password }), `""`, `"secret"`,
		"outgoing_pools.ldap.default.connection.password", "Password with which the server logs in.")
	opts[len(opts)-1].Secret = true
	add("ldap_base", text(func(l *LDAP) *string { return &l.Base }), `""`, `"ou=users,dc=example,dc=org"`, "auth.ldap.base", "Where accounts are looked for.")
	add("deref_aliases", word(func(l *LDAP) *string { return &l.Deref }, "never", "searching", "finding", "always"), "never", "always",
		"auth.ldap.deref", "Whether aliases are followed: never, searching, finding, always.")
	add("ldap_uids", schema.Field(ldapUIDs, func(h *HostSettings) *[]LDAPUID { return &h.LDAP.UIDs }), `[{"uid", "%u"}]`, `[{"mail", "%u@%d"}]`,
		"auth.ldap.uids", "Attributes that hold the user name: a list of {Attribute, Format}, {Attribute} or Attribute. %u is the user, %d the host.")
	add("ldap_filter", text(func(l *LDAP) *string { return &l.Filter }), `""`, `"(objectClass=person)"`, "auth.ldap.filter", "Filter (RFC 4515) that accounts have to pass too.")
	add("ldap_dn_filter", schema.Field(schema.Tuple(
		schema.Elem("FILTER", schema.Text(), func(f *LDAPDNFilter) *string { return &f.Filter }),
		schema.Elem("[ATTRIBUTE]", schema.List(schema.Text()), func(f *LDAPDNFilter) *[]string { return &f.Attrs }),
	), func(h *HostSettings) *LDAPDNFilter { return &h.LDAP.DNFilter }), "", `{"(&(name=%s)(owner=%D))", ["sn"]}`, "auth.ldap.dn_filter",
		"Filter for the entry that was found, with attributes whose values fill its %s.")
	add("ldap_local_filter", schema.Field(schema.Tuple(
		schema.Elem("equal or notequal", schema.Enum("equal", "notequal"), func(f *LDAPLocalFilter) *string { return &f.Op }),
		schema.Elem("{ATTRIBUTE, [VALUE]}", schema.Tuple(
			schema.Elem("ATTRIBUTE", schema.Text(), func(c *LDAPCondition) *string { return &c.Attr }),
			schema.Elem("[VALUE]", schema.List(schema.Text()), func(c *LDAPCondition) *[]string { return &c.Values }),
		), func(f *LDAPLocalFilter) *LDAPCondition { return &f.Cond }),
	), func(h *HostSettings) *LDAPLocalFilter { return &h.LDAP.LocalFilter }), "", `{notequal, {"accountStatus", ["disabled"]}}`, "auth.ldap.local_filter",
		"Condition on an attribute that is checked here and not by the LDAP server.")
	add("ldap_ufilter", text(func(l *LDAP) *string { return &l.UFilter }), `""`, `"(uid=%u)"`, "modules.mod_shared_roster_ldap.ldap_ufilter", "Filter of mod_shared_roster_ldap for users.")
	add("ldap_gfilter", text(func(l *LDAP) *string { return &l.GFilter }), `""`, `"(cn=%g)"`, "modules.mod_shared_roster_ldap.ldap_gfilter", "Filter of mod_shared_roster_ldap for a group.")
	add("ldap_rfilter", text(func(l *LDAP) *string { return &l.RFilter }), `""`, `"(objectClass=group)"`, "modules.mod_shared_roster_ldap.ldap_rfilter", "Filter of mod_shared_roster_ldap for the groups of a user.")
	add("ldap_user_cache_validity", secs(func(l *LDAP) *time.Duration { return &l.UserCacheValidity }), "300", "60", "modules.mod_shared_roster_ldap.ldap_user_cache_validity", "How long mod_shared_roster_ldap remembers users, in seconds.")
	add("ldap_group_cache_validity", secs(func(l *LDAP) *time.Duration { return &l.GroupCacheValidity }), "300", "60", "modules.mod_shared_roster_ldap.ldap_group_cache_validity", "How long mod_shared_roster_ldap remembers groups, in seconds.")
	add("ldap_user_cache_size", number(1, func(l *LDAP) *int { return &l.UserCacheSize }), "1000", "500", "modules.mod_shared_roster_ldap.ldap_user_cache_size", "How many users mod_shared_roster_ldap remembers.")
	add("ldap_group_cache_size", number(1, func(l *LDAP) *int { return &l.GroupCacheSize }), "1000", "500", "modules.mod_shared_roster_ldap.ldap_group_cache_size", "How many groups mod_shared_roster_ldap remembers.")
	return opts
}

var ldapUID = schema.Either(
	schema.Convert(schema.Text(), func(a string) (LDAPUID, error) { return LDAPUID{a, "%u"}, nil }),
	schema.Tuple(
		schema.Elem("ATTRIBUTE", schema.Text(), func(u *LDAPUID) *string { return &u.Attr }),
		schema.Elem("FORMAT", schema.Text(), func(u *LDAPUID) *string { return &u.Format }),
	),
	schema.Convert(schema.Tuple(schema.Elem("ATTRIBUTE", schema.Text(), func(u *LDAPUID) *string { return &u.Attr })),
		func(u LDAPUID) (LDAPUID, error) { return LDAPUID{u.Attr, "%u"}, nil }),
)

var ldapUIDs = schema.List(ldapUID.Named("{Attribute, Format}, {Attribute} or Attribute"))

var authTable = &schema.Table[AuthOptions]{
	Name: "auth_opts", Kind: schema.Top, Proplist: true, Doc: "Options of the authentication methods.",
	Options: []schema.Option[AuthOptions]{
		option("password_format", schema.Field(schema.Enum("plain", "scram"), func(a *AuthOptions) *string { return &a.PasswordFormat }), schema.Option[AuthOptions]{
			Default: "plain", Example: "scram", TOML: "auth.password.format", Since: "1.5.0", Effect: schema.NewConnections,
			Doc: "How new passwords are stored: plain, or scram as salted keys from which nobody can read them. What is " +
				"stored already stays as it is. DIGEST-MD5 needs plain.",
		}),
		option("scram_iterations", schema.Field(schema.Int(2, schema.NoLimit), func(a *AuthOptions) *int { return &a.SCRAMIterations }), schema.Option[AuthOptions]{
			Default: "4096", Example: "10000", TOML: "auth.scram_iterations", Since: "1.5.0", Effect: schema.NewConnections, Bad: schema.Refused, Code: "AUT004",
			Doc: "How often a password is hashed for scram; more makes both guessing and logging in slower.",
		}),
		option("extauth_program", schema.Field(schema.Text(), func(a *AuthOptions) *string { return &a.ExtAuthProgram }), schema.Option[AuthOptions]{
			Absent: "required by the method external", Example: `"/usr/local/bin/auth.py"`, TOML: "auth.external.program", Since: "1.5.0", Bad: schema.Refused,
			Doc: "Command line of the program of the method external.",
		}),
		option("host", schema.Field(schema.Text(), func(a *AuthOptions) *string { return &a.Host }), schema.Option[AuthOptions]{
			Absent: "required by the method http", Example: `"https://auth.example.org"`, TOML: "outgoing_pools.http.auth.connection.host", Since: "1.5.0", Bad: schema.Refused,
			Doc: "Scheme, host and port of the service of the method http.",
		}),
		option("connection_pool_size", schema.Field(schema.Int(1, schema.NoLimit), func(a *AuthOptions) *int { return &a.ConnectionPoolSize }), schema.Option[AuthOptions]{
			Default: "10", Example: "20", TOML: "outgoing_pools.http.auth.workers", Since: "1.5.0", Until: "3.1.1",
			Doc: "Number of connections of the method http.",
		}),
		option("connection_opts", schema.Unused[AuthOptions](schema.Any()), schema.Option[AuthOptions]{
			Absent: "[]", Example: "[{connect_timeout, 5000}]", TOML: "-", Since: "1.5.0", Until: "3.1.1", Bad: schema.AnyValue,
			Doc: "Options of the HTTP client of the method http.", NoEffect: "the method http is not served yet",
		}),
		option("basic_auth", schema.Field(schema.Text(), func(a *AuthOptions) *string { return &a.BasicAuth }), schema.Option[AuthOptions]{
			Absent: "none", Example: `"user:secret"`, TOML: "auth.http.basic_auth", Since: "1.5.0", Secret: true,
			Doc: "Name and password that the method http sends.",
		}),
		option("path_prefix", schema.Field(schema.Text(), func(a *AuthOptions) *string { return &a.PathPrefix }), schema.Option[AuthOptions]{
			Default: `"/"`, Example: `"/auth/"`, TOML: "outgoing_pools.http.auth.connection.path_prefix", Since: "1.5.0",
			Doc: "What the method http puts before the name of the request; it has to end in /.",
		}),
		option("is_external", schema.Field(schema.Bool(), func(a *AuthOptions) *bool { return &a.IsExternal }), schema.Option[AuthOptions]{
			Default: "false", Example: "true", TOML: "-", Since: "1.5.0", Until: "3.3.0",
			Doc: "Whether the method http has no passwords to read. Not documented for 2.0.1.",
		}),
	},
	Foreign: []schema.Foreign{
		{Name: "jwt_secret", From: "MongooseIM 2.1"},
		{Name: "jwt_secret_source", From: "MongooseIM 2.1"},
		{Name: "jwt_algorithm", From: "MongooseIM 2.1"},
		{Name: "jwt_username_key", From: "MongooseIM 2.1"},
		{Name: "cyrsasl_external", From: "MongooseIM 3.3"},
		{Name: "ldap_pool_tag", From: "MongooseIM 3.5"},
		{Name: "ldap_bind_pool_tag", From: "MongooseIM 3.5"},
		{Name: "ldap_base", From: "MongooseIM 3.5", Instead: "{ldap_base, DN} at the top level"},
		{Name: "ldap_uids", From: "MongooseIM 3.5", Instead: "{ldap_uids, [...]} at the top level"},
		{Name: "ldap_filter", From: "MongooseIM 3.5", Instead: "{ldap_filter, FILTER} at the top level"},
		{Name: "ldap_dn_filter", From: "MongooseIM 3.5", Instead: "{ldap_dn_filter, ...} at the top level"},
		{Name: "ldap_local_filter", From: "MongooseIM 3.5", Instead: "{ldap_local_filter, ...} at the top level"},
		{Name: "ldap_deref", From: "MongooseIM 3.5", Instead: "{deref_aliases, WORD} at the top level"},
		{Name: "bucket_type", From: "MongooseIM 3.6"},
		{Name: "auth_password_format", From: "MongooseIM 1.4", Instead: "{password_format, FORMAT}"},
		{Name: "auth_scram_iterations", From: "MongooseIM 1.4", Instead: "{scram_iterations, N}"},
	},
}

const sqlShape = `{pgsql, "SERVER", PORT, "DATABASE", "USER", "PASSWORD"}, {mysql, ...}, both also without port, or the connection string of an ODBC driver`

var sqlServer = schema.New(sqlShape, func(r *schema.Reader, t cfgterm.Term) (SQLServer, error) {
	if text, ok := cfgterm.Text(t); ok && text != "" {
		return odbcString(r, t, text)
	}
	tup, ok := t.(*cfgterm.Tuple)
	if !ok || len(tup.Elems) == 0 {
		return SQLServer{}, r.Want(t, sqlShape)
	}
	var s SQLServer
	s.Driver, _ = cfgterm.AtomName(tup.Elems[0])
	ports := map[string]int{"pgsql": 5432, "mysql": 3306}
	if s.Port, ok = ports[s.Driver]; !ok {
		return s, r.Wrong(tup.Elems[0], "the database must be pgsql or mysql")
	}
	rest := tup.Elems[1:]
	switch len(rest) {
	case 4:
		rest = []cfgterm.Term{rest[0], nil, rest[1], rest[2], rest[3]}
	case 5:
		i, ok := rest[1].(*cfgterm.Int)
		if !ok || i.Big != nil || i.N < 1 || i.N > 65535 {
			if _, text := cfgterm.Text(rest[1]); text {
				return s, r.WrongCode("DB004", rest[1], "the port of the database must be an integer, without quotes")
			}
			return s, r.Want(rest[1], "a port, an integer from 1 to 65535")
		}
		s.Port = int(i.N)
	default:
		return s, r.Wrong(t, "the database needs server, database, user and password, with or without port after the server; "+
			"here are %d elements after %s", len(rest), s.Driver)
	}
	for i, p := range []*string{&s.Host, nil, &s.Database, &s.User, &s.Password} {
		if p == nil {
			continue
		}
		if *p, ok = cfgterm.Text(rest[i]); !ok {
			return s, r.Wrong(rest[i], "server, database, user and password are strings")
		}
	}
	return s, nil
}).Mask(func(t cfgterm.Term) cfgterm.Term {
	tup, ok := t.(*cfgterm.Tuple)
	if !ok || len(tup.Elems) < 2 {
		return &cfgterm.String{Text: schema.Hidden}
	}
	m := &cfgterm.Tuple{Elems: append([]cfgterm.Term{}, tup.Elems...)}
	m.Elems[len(m.Elems)-1] = &cfgterm.String{Text: schema.Hidden}
	return m
})

// odbcString reads the connection string of an ODBC driver whose database can be
// talked to directly.
func odbcString(r *schema.Reader, t cfgterm.Term, text string) (SQLServer, error) {
	s := SQLServer{Text: text}
	var kind string
	for part := range strings.SplitSeq(text, ";") {
		k, v, _ := strings.Cut(part, "=")
		v = strings.TrimSpace(v)
		switch strings.ToLower(strings.TrimSpace(k)) {
		case "driver", "dsn":
			kind += " " + strings.ToLower(v)
		case "server", "servername", "address", "host":
			s.Host = v
		case "port":
			if _, err := fmt.Sscan(v, &s.Port); err != nil || s.Port < 1 || s.Port > math.MaxUint16 {
				return s, r.Wrong(t, "the port in the connection string is no number from 1 to 65535")
			}
		case "database", "dbq":
			s.Database = v
		case "uid", "user", "username":
			s.User = v
		case "pwd", "password":
			s.Password = v
		}
	}
	switch {
	case strings.Contains(kind, "postgres"), strings.Contains(kind, "pgsql"), strings.Contains(kind, "psql"):
		s.Driver = "pgsql"
	case strings.Contains(kind, "mysql"), strings.Contains(kind, "mariadb"):
		s.Driver = "mysql"
	case strings.Contains(kind, "sql server"), strings.Contains(kind, "mssql"), strings.Contains(kind, "freetds"), strings.Contains(kind, "tds"):
		s.Driver = "mssql"
	default:
		return s, r.Wrong(t, "the connection string names no database that can be talked to without ODBC: its Driver or DSN has "+
			"to name PostgreSQL, MySQL or SQL Server")
	}
	if s.Port == 0 {
		s.Port = map[string]int{"pgsql": 5432, "mysql": 3306, "mssql": 1433}[s.Driver]
	}
	return s, nil
}
