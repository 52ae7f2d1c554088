package compat

import (
	"crypto/sha256"
	"net/netip"
	"strings"
	"time"

	"meerkat/cfgterm"
	"meerkat/cfgterm/diag"
	"meerkat/cfgterm/schema"
	"meerkat/router/acl"
)

// Builtins is what the program has. The one list of it is made where the program is
// put together.
type Builtins struct {
	// Listeners, Handlers and Modules are the modules of the listen term, of
	// routes of ejabberd_cowboy and of the modules term.
	Listeners, Handlers, Modules []Builtin
	// AuthMethods are the authentication methods that are served: "internal".
	AuthMethods []string
	// SASLMechanisms are the names of sasl_mechanisms that are served:
	// "cyrsasl_plain".
	SASLMechanisms []string
	// Features are what else is served.
	Features Features
}

// Features are parts of the reference that are no module of their own.
type Features struct {
	S2S            bool // federation in both directions
	SQL            bool // odbc_server
	Redis          bool // sm_backend redis
	Riak           bool // riak_server
	Cassandra      bool // cassandra_servers
	HTTPPools      bool // http_connections
	Metrics        bool // all_metrics_are_global
	CommandsAccess bool // mongooseimctl_access_commands
}

// A Builtin is one listener, HTTP module or module with its options.
type Builtin struct {
	Table schema.Schema
	// Served says that the program can run it. What has a table and is not served
	// is checked as far as the table goes, and then missing.
	Served bool
	// Needs returns the modules that this one demands, given its own options (a
	// pointer to the struct of its table); nil: none. Only modules have it.
	Needs func(options any) []Need
}

// A Need is a module that another one demands.
type Need struct {
	Module string
	// Options are options for it, as a term: "[{backend, odbc}]"; "" means none.
	// Those that the file gives after the demanding module win, those before it
	// lose.
	Options string
	// Soft: the order of starting does not matter if it would be a circle.
	Soft bool
}

// Options are the circumstances of Load.
type Options struct {
	Builtins Builtins
	// Defaults says which defaults absent options take.
	Defaults schema.Defaults
	// AllowMissing starts without what the program lacks: each is a warning and is
	// left out. Unknown modules are left out too.
	AllowMissing bool
	// Dir is the directory from which relative paths in the file count; empty: the
	// current one.
	Dir string
	// ReadFile reads a file; nil: os.ReadFile. Readable returns nil for readable
	// regular files; nil: what the file system says. Both get the path as it is
	// written, joined with Dir if it is relative.
	ReadFile func(path string) ([]byte, error)
	Readable func(path string) error
	// Now is the time at which certificates have to be valid; zero: now.
	Now time.Time
}

// Config is a configuration, typed. Nothing changes it once it is loaded.
type Config struct {
	// Files are the files that were read, the main one first.
	Files []Source
	// Hosts are the served hosts in the order of the file, prepared. The first is
	// the node's own name.
	Hosts []Host
	// Node is what holds for the whole node; NodeOrigins says where from.
	Node        Node
	NodeOrigins []schema.Origin
	// Listeners are the clauses of the listen term in the order of the file,
	// without those that are left out.
	Listeners []Listener
	// ACL are the access rules.
	ACL *acl.Rules
	// Rules and Shapers are the definitions, for listings.
	Rules   []acl.Rule
	Entries []acl.Entry
	Shapers map[string]Shaper

	stored []stored
}

// A Source is a file that was read.
type Source struct {
	Path   string // absolute, unless the working directory is unknown
	Name   string // as diagnostics name it
	Src    []byte
	SHA256 [sha256.Size]byte
	File   *cfgterm.File
}

// Host is a served host.
type Host struct {
	Name string
	// Settings are its options outside of the modules; Origins says where they
	// come from.
	Settings HostSettings
	Origins  []schema.Origin
	// Modules are its modules in the order in which they start: what another one
	// needs comes before it, else the order of the file.
	Modules []Module
	// DomainCert is the PEM file of domain_certfile; "": none.
	DomainCert string
	// S2SHosts are the remote hosts that S2SPolicy does not decide about.
	S2SHosts map[string]bool // allowed?
}

// Module returns the options of a module of the host, or nil.
func (h *Host) Module(name string) *Module {
	for i := range h.Modules {
		if h.Modules[i].Name == name {
			return &h.Modules[i]
		}
	}
	return nil
}

// Module is one module of one host.
type Module struct {
	Name string
	// Options is a pointer to the struct of the module's table.
	Options any
	Origins []schema.Origin
	// Span is where the file names it; for a module that only another one demands,
	// where that one is named, and NeededBy is its name.
	Span     diag.Span
	NeededBy string
}

// Listener is one clause of the listen term, normalised.
type Listener struct {
	Module string // "ejabberd_c2s"
	Addr   netip.AddrPort
	Proto  string // "tcp", "udp", "ws" or "wss"
	// Options is a pointer to the struct of the listener's table.
	Options any
	Origins []schema.Origin
	Span    diag.Span // the whole clause

	clean []cfgterm.Term // options without those of the address
}

// Origin is the place of the clause for logs: "ejabberd.cfg:12".
func (l *Listener) Origin() string {
	s := l.Span
	s.Col = 0
	return s.String()
}

// Shaper is a {shaper, Name, {maxrate, Rate}}.
type Shaper struct {
	Rate float64 // bytes (or operations) a second, above 0
	Span diag.Span
}

// stored is one option as 2.0.1 stored it, in the order of the keys.
type stored struct {
	table string // "shared", "local" or "acl"
	key   cfgterm.Term
	value cfgterm.Term
}

// Host returns the host of that prepared name, or nil.
func (c *Config) Host(name string) *Host {
	for i := range c.Hosts {
		if c.Hosts[i].Name == name {
			return &c.Hosts[i]
		}
	}
	return nil
}

// HostNames are the names of the hosts.
func (c *Config) HostNames() []string {
	names := make([]string, len(c.Hosts))
	for i := range c.Hosts {
		names[i] = c.Hosts[i].Name
	}
	return names
}

// Source returns the text of a file by the name that diagnostics give it, or nil:
// what a diag.Printer asks for.
func (c *Config) Source(name string) []byte {
	for i := range c.Files {
		if c.Files[i].Name == name {
			return c.Files[i].Src
		}
	}
	return nil
}

// find returns the builtin of that name.
func find(bs []Builtin, name string) *Builtin {
	for i := range bs {
		if bs[i].Table.TableName() == name {
			return &bs[i]
		}
	}
	return nil
}

func names(bs []Builtin) []string {
	ns := make([]string, len(bs))
	for i := range bs {
		ns[i] = bs[i].Table.TableName()
	}
	return ns
}

func quoteAll(words []string) string { return strings.Join(words, ", ") }
