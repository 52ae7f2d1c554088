// Package web is ejabberd_cowboy of ejabberd.cfg: HTTP and HTTPS listeners whose
// routes lead to HTTP modules.
//
// It imports cfgterm and cfgterm/schema.
package web

import (
	"fmt"
	"strings"
	"time"

	"meerkat/cfgterm"
	"meerkat/cfgterm/schema"
)

// Options are the settings of one ejabberd_cowboy listener.
type Options struct {
	// MaxConnections is how many connections are served at once; further ones
	// wait in the backlog. 0: no limit.
	MaxConnections int
	// SSL are the settings of HTTPS; nil: plain HTTP.
	SSL *SSL
	// Compress allows gzip of plain responses.
	Compress bool
	// Retries is how often the port is tried while it is in use.
	Retries Retries
	// Routes are the HTTP modules in the order of the file.
	Routes []Route
}

// Retries is the value of the option retries.
type Retries struct {
	N     int           // further attempts after the first
	Sleep time.Duration // between two attempts
}

// A Route is one element of the option modules.
type Route struct {
	Host   string // "_": any, else a pattern
	Path   string // pattern
	Module string // "mod_bosh"
	// Options is what the table of the module makes of the options: a pointer to
	// its Options struct.
	Options any
}

// Table returns the option table of ejabberd_cowboy.
func Table() *schema.Table[Options] { return table }

var table = &schema.Table[Options]{
	Name: "ejabberd_cowboy",
	Kind: schema.Listener,
	Doc: "Serves HTTP and HTTPS: BOSH, WebSocket, the REST APIs, static files and the reverse proxy. The documented " +
		"port is 5280. What is served where stands in the option modules.",
	Proplist: true,
	Options: append(schema.SocketOptions[Options](), []schema.Option[Options]{
		{
			Name: "modules", Required: true,
			Value:   schema.Field(schema.List(routeType).Hide("password", "pass"), func(o *Options) *[]Route { return &o.Routes }),
			Example: `[{"_", "/http-bind", mod_bosh}]`,
			Doc: "Routes: {Host, Path, Module} or {Host, Path, Module, Options}. Host is \"_\" for any, or a pattern; Path " +
				"is a pattern that begins with /. In patterns :name stands for one segment, [...] for all that " +
				"follow, [text] for something that may be missing. Routes with a host come before those with \"_\", " +
				"which are tried for every host; among them the order of the file counts.",
			Since: "1.3.0", TOML: "handlers.MODULE", Effect: schema.OnReload, Bad: schema.Refused,
		},
		{
			Name:   "ssl",
			Value:  schema.Field(sslType, func(o *Options) **SSL { return &o.SSL }),
			Absent: "plain HTTP", Example: `[{certfile, "priv/ssl/cert.pem"}, {keyfile, "priv/ssl/key.pem"}]`,
			Doc: "Settings of HTTPS; without the option the port serves plain HTTP. port, ip and max_connections in " +
				"this list are ignored.",
			Since: "2.0.0", TOML: "tls", Effect: schema.OnReload, Bad: schema.Ignored,
		},
		{
			Name:    "num_acceptors",
			Value:   schema.Unused[Options](schema.Int(1, schema.NoLimit)),
			Default: "100", Example: "10",
			Doc:   "Number of processes that accept connections in 2.0.1. Here one is enough.",
			Since: "1.3.0", TOML: "transport.num_acceptors", Effect: schema.OnReload, Bad: schema.Refused,
			NoEffect: "connections are accepted by one goroutine", Quiet: true,
		},
		{
			Name: "max_connections",
			Value: schema.Field(schema.Int(1, schema.NoLimit).Or("infinity", 0),
				func(o *Options) *int { return &o.MaxConnections }),
			Default: "1024", Example: "4096",
			Doc: "How many connections are served at once; further ones are accepted late, never refused. " +
				"WebSockets do not count, BOSH requests do.",
			Since: "1.3.0", Until: "2.0.1", TOML: "transport.max_connections", Effect: schema.OnReload, Bad: schema.Ignored,
		},
		{
			Name:    "compress",
			Value:   schema.Field(schema.Bool(), func(o *Options) *bool { return &o.Compress }),
			Default: "false", Example: "true",
			Doc:   "Compresses plain responses of more than 300 bytes with gzip where the client takes it.",
			Since: "2.0.0", Until: "2.0.1", TOML: "protocol.compress", Effect: schema.OnReload, Bad: schema.Ignored,
		},
		{
			Name: "retries",
			Value: schema.Field(schema.Tuple(
				schema.Elem("N", schema.Int(0, schema.NoLimit), func(r *Retries) *int { return &r.N }),
				schema.Elem("Milliseconds", schema.Milliseconds(0, schema.NoLimit), func(r *Retries) *time.Duration { return &r.Sleep }),
			), func(o *Options) *Retries { return &o.Retries }),
			Default: "{20, 50}", Example: "{5, 100}",
			Doc: "How often the port is tried again at start while another program has it, and the pause in " +
				"milliseconds. Not documented for 2.0.1.",
			Since: "2.0.0", TOML: "-", Effect: schema.OnReload, Bad: schema.Refused,
		},
		{
			Name:   "middlewares",
			Value:  schema.Unused[Options](schema.Const("[cowboy_router, cowboy_handler]", true)),
			Absent: "[cowboy_router, cowboy_handler]", Example: "[cowboy_router, cowboy_handler]",
			Doc:   "Erlang modules of the HTTP pipeline. Only the two that are there anyway can be named.",
			Since: "1.3.0", Until: "2.0.1", TOML: "-", Effect: schema.AtStart, Bad: schema.Refused,
			NoEffect: "these two are used anyway",
		},
		{
			Name:   "port",
			Value:  schema.Unused[Options](schema.Any()),
			Absent: "-", Example: "5280",
			Doc:   "The port stands at the beginning of the entry; this one is ignored, as 2.0.1 did.",
			Since: "1.3.0", TOML: "-", Effect: schema.OnReload, Bad: schema.AnyValue,
			NoEffect: "the port stands at the beginning of the entry",
		},
		{
			Name:   "cert",
			Value:  schema.Unused[Options](schema.Any()),
			Absent: "-", Example: `"priv/ssl/cert.pem"`,
			Doc: "Certificate in the form of MongooseIM 1.x, where the port was HTTPS then. 2.0.1 ignored it and " +
				"served plain HTTP; here that is an error unless ssl is given.",
			Since: "1.3.0", Until: "1.6.2", TOML: "-", Effect: schema.OnReload, Bad: schema.AnyValue,
			NoEffect: "2.0.1 reads {ssl, [{certfile, FILE}, {keyfile, FILE}]}", Quiet: true,
		},
		{
			Name:   "key",
			Value:  schema.Unused[Options](schema.Any()),
			Absent: "-", Example: `"priv/ssl/key.pem"`,
			Doc:   "Key in the form of MongooseIM 1.x; see cert.",
			Since: "1.3.0", Until: "1.6.2", TOML: "-", Effect: schema.OnReload, Bad: schema.AnyValue,
			NoEffect: "2.0.1 reads {ssl, [{certfile, FILE}, {keyfile, FILE}]}", Quiet: true,
		},
		{
			Name: "key_pass", Secret: true,
			Value:  schema.Unused[Options](schema.Any()),
			Absent: "-", Example: `"secret"`,
			Doc:   "Password of the key in the form of MongooseIM 1.x; see cert.",
			Since: "1.3.0", Until: "1.6.2", TOML: "-", Effect: schema.OnReload, Bad: schema.AnyValue,
			NoEffect: "2.0.1 reads {password, SECRET} inside of ssl", Quiet: true,
		},
	}...),
	Foreign: []schema.Foreign{
		{Name: "transport_options", From: "MongooseIM 2.1", Instead: "{max_connections, N} in the list itself"},
		{Name: "protocol_options", From: "MongooseIM 2.1", Instead: "{compress, BOOLEAN} in the list itself"},
		{Name: "certfile", From: "ejabberd_c2s", Instead: `{ssl, [{certfile, "FILE"}, {keyfile, "FILE"}]}`},
		{Name: "tls", From: "ejabberd_http of ejabberd", Instead: `{ssl, [{certfile, "FILE"}, {keyfile, "FILE"}]}`},
		{Name: "starttls", From: "ejabberd_c2s"},
		{Name: "backlog", From: "the other listeners", Instead: "{backlog, N} inside of ssl, for HTTPS"},
		{Name: "access", From: "ejabberd_c2s", Instead: "{access, RULE} in the options of a mod_websockets route"},
		{Name: "max_stanza_size", From: "ejabberd_c2s", Instead: "{max_stanza_size, N} in the options of the route"},
		{Name: "max_fsm_queue", From: "ejabberd_c2s"},
		{Name: "request_handlers", From: "ejabberd_http of ejabberd", Instead: "{modules, [{\"_\", \"/PATH\", MODULE}]}"},
		{Name: "http_bind", From: "ejabberd_http of ejabberd", Instead: `{modules, [{"_", "/http-bind", mod_bosh}]}`},
		{Name: "http_poll", From: "ejabberd_http of ejabberd"},
		{Name: "web_admin", From: "ejabberd_http of ejabberd"},
		{Name: "captcha", From: "ejabberd_http of ejabberd"},
		{Name: "hibernate_after", From: "MongooseIM 3.0"},
	},
	Check: check,
}

func check(o *Options, c *schema.Check) {
	if p := c.Context().Proto; p != "" && p != "tcp" {
		c.Errorf("LSN034", "proto", "remove "+p, "ejabberd_cowboy serves tcp only, not %s", p)
	}
	for _, name := range []string{"cert", "key"} {
		switch {
		case !c.Given(name):
			continue
		case c.Named("ssl"):
			c.Warnf("LSN033", name, "remove it", "%s is the form of MongooseIM 1.x and has no effect: ssl counts", name)
		default:
			c.Errorf("LSN033", name, `write {ssl, [{certfile, "FILE"}, {keyfile, "FILE"}, {password, "SECRET"}]}, `+
				"or remove "+name+" if plain HTTP is meant",
				"%s is the form of MongooseIM 1.x: this port would serve plain HTTP", name)
		}
		break
	}
}

// routeType is {Host, Path, Module} or {Host, Path, Module, Options}.
var routeType = schema.New("a route {Host, Path, Module} or {Host, Path, Module, Options}",
	func(r *schema.Reader, t cfgterm.Term) (Route, error) {
		const shape = "a route {Host, Path, Module} or {Host, Path, Module, Options}"
		tup, ok := t.(*cfgterm.Tuple)
		if !ok || len(tup.Elems) != 3 && len(tup.Elems) != 4 {
			return Route{}, r.Want(t, shape)
		}
		var rt Route
		if rt.Host, ok = cfgterm.Text(tup.Elems[0]); !ok {
			return rt, r.Want(tup.Elems[0], `the host of a route in quotes, "_" for any`)
		}
		if rt.Path, ok = cfgterm.Text(tup.Elems[1]); !ok {
			return rt, r.Want(tup.Elems[1], "the path of a route in quotes")
		}
		if rt.Host != "_" {
			if err := checkPattern(rt.Host, '.'); err != nil {
				return rt, r.Wrong(tup.Elems[0], "host pattern %q: %v", rt.Host, err)
			}
			if low := strings.ToLower(rt.Host); low != rt.Host {
				r.Odd(tup.Elems[0], fmt.Sprintf("the host pattern %q never matches: requested hosts are compared in lower case", rt.Host),
					fmt.Sprintf("write %q", low))
			}
		}
		if !strings.HasPrefix(rt.Path, "/") {
			help := "the path of a route must begin with /, which %q does not"
			if rt.Path == "_" {
				help = `only hosts have the wildcard "_", not the path %q: write "/[...]"`
			}
			return rt, r.Wrong(tup.Elems[1], help, rt.Path)
		}
		if err := checkPattern(rt.Path, '/'); err != nil {
			return rt, r.Wrong(tup.Elems[1], "path pattern %q: %v", rt.Path, err)
		}
		var opts cfgterm.Term = &cfgterm.List{Node: cfgterm.Node{At: t.Span()}}
		if len(tup.Elems) == 4 {
			opts = tup.Elems[3]
		}
		var err error
		rt.Module, rt.Options, err = r.Table(schema.Handler, tup.Elems[2], opts)
		return rt, err
	})

// checkPattern reports what is wrong with the pattern of a route: brackets that
// do not match, or a bracket or colon inside of a segment.
func checkPattern(p string, sep byte) error {
	depth, inSegment := 0, false
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == sep:
			inSegment = false
		case c == '[' && strings.HasPrefix(p[i:], "[...]"):
			i += len("[...]") - 1
			inSegment = false
		case c == '[':
			if inSegment && (i+1 >= len(p) || p[i+1] != sep) {
				return fmt.Errorf("a bracket opens in the middle of a segment, at character %d", i+1)
			}
			depth++
			inSegment = false
		case c == ']':
			if depth == 0 {
				return fmt.Errorf("the bracket that closes at character %d was not opened", i+1)
			}
			depth--
			inSegment = false
		case c == ':' && inSegment:
			return fmt.Errorf("a colon stands in the middle of a segment, at character %d", i+1)
		case c == ':':
			j := i + 1
			for j < len(p) && p[j] != sep && p[j] != '[' && p[j] != ']' {
				j++
			}
			if j == i+1 {
				return fmt.Errorf("a colon without a name, at character %d", i+1)
			}
			i = j - 1
			inSegment = true
		default:
			inSegment = true
		}
	}
	if depth > 0 {
		return fmt.Errorf("a bracket is not closed")
	}
	return nil
}

// SSL are the settings of HTTPS: the option ssl, and the options of one name in
// sni_hosts.
type SSL struct {
	// CertFile and KeyFile are PEM files, the first with the chain; KeyFile "":
	// the key is in CertFile. Password decrypts the key. The files are read again
	// for new connections when they change.
	CertFile, KeyFile, Password string
	// CACertFile holds intermediate certificates that are sent to clients, and
	// the trust store for client certificates.
	CACertFile string
	// Cert, Key and CACerts are the same in DER, given in the file itself.
	Cert    []byte
	Key     Key
	CACerts [][]byte
	// DHFile and DH are Diffie-Hellman parameters, as PEM file or in DER.
	DHFile string
	DH     []byte
	// Ciphers are OpenSSL names of suites; nil: all that are supported.
	Ciphers []string
	// Versions are "sslv3", "tlsv1", "tlsv1.1", "tlsv1.2"; nil: the default,
	// which goes on to TLS 1.3.
	Versions []string
	// Verify says whether a client certificate is asked for and verified;
	// FailIfNoPeerCert, with VerifyPeer, demands one. Depth is the number of
	// intermediates that its chain may have.
	Verify           Verify
	FailIfNoPeerCert bool
	Depth            int
	// HonorCipherOrder prefers the server's order of suites.
	HonorCipherOrder bool
	// ReuseSessions allows resumption.
	ReuseSessions bool
	// ALPN are the protocols offered by ALPN, preferred first.
	ALPN []string
	// SNIHosts are settings for single names.
	SNIHosts []SNIHost
	// HandshakeTimeout ends a connection whose handshake takes longer.
	HandshakeTimeout time.Duration
	// Backlog is the length of the queue of connections not yet accepted;
	// SendTimeout ends a connection that takes nothing for so long; NoDelay,
	// KeepAlive and IPv6Only are the socket options.
	Backlog                      int
	SendTimeout                  time.Duration
	NoDelay, KeepAlive, IPv6Only bool
}

// Verify is the value of the option verify.
type Verify uint8

const (
	// VerifyNone asks for no client certificate.
	VerifyNone Verify = iota
	// VerifyPeer asks for one and verifies it.
	VerifyPeer
	// DemandPeer refuses clients without one (verify 2, the oldest spelling).
	DemandPeer
)

// Key is a private key in DER.
type Key struct {
	Type string // "RSAPrivateKey", "DSAPrivateKey", "ECPrivateKey" or "PrivateKeyInfo"
	DER  []byte
}

// An SNIHost is one element of sni_hosts.
type SNIHost struct {
	Name string
	SSL  SSL
}

var sslTable = &schema.Table[SSL]{
	Name: "ssl",
	Kind: schema.Listener,
	Doc:  "Settings of HTTPS: the options of Erlang's ssl that are no functions.",
	// 2.0.1 did not start with an unknown option here.
	Strict: true,
	Options: append(sslOptions(), schema.Option[SSL]{
		Name: "sni_hosts",
		Value: schema.Field(schema.List(schema.Tuple(
			schema.Elem("HOST", schema.Text(), func(h *SNIHost) *string { return &h.Name }),
			schema.Elem("OPTIONS", schema.Nested(sniTable), func(h *SNIHost) *SSL { return &h.SSL }),
		)), func(o *SSL) *[]SNIHost { return &o.SNIHosts }),
		Default: "[]", Example: `[{"b.example.org", [{certfile, "priv/ssl/b.pem"}]}]`,
		Doc:   "Settings for clients that ask for a name (SNI), in place of those of the list itself.",
		Since: "2.0.0", TOML: "-", Effect: schema.NewConnections, Bad: schema.Refused,
	}),
	Foreign: []schema.Foreign{
		{Name: "verify_mode", From: "MongooseIM 3.2", Instead: "{verify, verify_peer}"},
		{Name: "alpn_advertised_protocols", From: "TLS clients"},
		{Name: "client_preferred_next_protocols", From: "TLS clients"},
		{Name: "fallback", From: "TLS clients"},
		{Name: "server_name_indication", From: "TLS clients"},
		{Name: "srp_identity", From: "TLS clients"},
		{Name: "active", From: "the socket layer, where it is fixed"},
		{Name: "header", From: "the socket layer, where it is fixed"},
		{Name: "mode", From: "the socket layer, where it is fixed"},
		{Name: "packet", From: "the socket layer, where it is fixed"},
		{Name: "packet_size", From: "the socket layer, where it is fixed"},
		{Name: "line_delimiter", From: "the socket layer, where it is fixed"},
		{Name: "reuseaddr", From: "the socket layer, where it is fixed"},
		{Name: "psk_identity", From: "pre-shared keys, which are not supported", Refused: true},
	},
	Check: func(o *SSL, c *schema.Check) {
		if o.CertFile == "" && o.Cert == nil && len(o.SNIHosts) == 0 && !c.Named("certfile") && !c.Named("cert") && !c.Named("sni_hosts") {
			c.Errorf("LSN030", "certfile", `add {certfile, "FILE"} and {keyfile, "FILE"}`,
				"ssl of ejabberd_cowboy needs a certificate: certfile, cert or sni_hosts")
		}
		if o.Verify != VerifyNone && o.CACertFile == "" && o.CACerts == nil && !c.Named("cacertfile") && !c.Named("cacerts") {
			c.Errorf("LSN037", "verify", `add {cacertfile, "FILE"}`,
				"verify_peer needs the certificates to trust: cacertfile or cacerts")
		}
	},
}

var sniTable = &schema.Table[SSL]{
	Name: "sni_hosts", Kind: schema.Listener, Strict: true,
	Doc:     "Settings of HTTPS for one name.",
	Options: sslOptions(),
}

var sslType = schema.Convert(schema.Nested(sslTable), func(s SSL) (*SSL, error) { return &s, nil })

func der() schema.Type[[]byte] {
	return schema.New("a binary with DER", func(r *schema.Reader, t cfgterm.Term) ([]byte, error) {
		b, ok := t.(*cfgterm.Binary)
		if !ok || b.Bits != 0 {
			return nil, r.Want(t, "a binary with DER")
		}
		return b.Bytes, nil
	})
}

func sslOptions() []schema.Option[SSL] {
	inert := func(name, example, why string) schema.Option[SSL] {
		return schema.Option[SSL]{
			Name: name, Value: schema.Unused[SSL](schema.Any()), Absent: "-", Example: example,
			Doc:   "Accepted as Erlang's ssl does; it has no effect: " + why + ".",
			Since: "2.0.0", TOML: "-", Effect: schema.NewConnections, Bad: schema.AnyValue, NoEffect: why,
		}
	}
	flag := func(name, def, doc string, at func(*SSL) *bool) schema.Option[SSL] {
		ex := "true"
		if def == "true" {
			ex = "false"
		}
		return schema.Option[SSL]{
			Name: name, Value: schema.Field(schema.Bool(), at), Default: def, Example: ex, Doc: doc,
			Since: "2.0.0", TOML: "-", Effect: schema.NewConnections, Bad: schema.Refused,
		}
	}
	opts := []schema.Option[SSL]{
		{
			Name:   "certfile",
			Value:  schema.Field(schema.LateFile(), func(o *SSL) *string { return &o.CertFile }),
			Absent: "cert or sni_hosts must be given", Example: `"priv/ssl/cert.pem"`,
			Doc:   "PEM file with the certificate; its chain may follow. It is read again when it changes.",
			Since: "2.0.0", TOML: "certfile", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		{
			Name:   "keyfile",
			Value:  schema.Field(schema.LateFile(), func(o *SSL) *string { return &o.KeyFile }),
			Absent: "the file of certfile", Example: `"priv/ssl/key.pem"`,
			Doc: "PEM file with the private key, which may be encrypted. The documentation calls it mandatory; " +
				"without it the key is looked for in certfile.",
			Since: "2.0.0", TOML: "keyfile", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		{
			Name: "password", Secret: true,
			Value:  schema.Field(schema.Text(), func(o *SSL) *string { return &o.Password }),
			Absent: "none", Example: `"secret"`,
			Doc:   "Password of the key; \"\" where it has none.",
			Since: "2.0.0", TOML: "password", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		{
			Name:   "cacertfile",
			Value:  schema.Field(schema.LateFile(), func(o *SSL) *string { return &o.CACertFile }),
			Absent: "none", Example: `"priv/ssl/ca.pem"`,
			Doc:   "PEM file with the intermediate certificates to send, and with those to trust when client certificates are asked for.",
			Since: "2.0.0", TOML: "cacertfile", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		{
			Name:   "cert",
			Value:  schema.Field(der(), func(o *SSL) *[]byte { return &o.Cert }),
			Absent: "certfile counts", Example: "<<48,130>>",
			Doc:   "The certificate itself, in DER.",
			Since: "2.0.0", TOML: "-", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		{
			Name: "key", Secret: true,
			Value: schema.Field(schema.Tuple(
				schema.Elem("TYPE", schema.Enum("RSAPrivateKey", "DSAPrivateKey", "ECPrivateKey", "PrivateKeyInfo"),
					func(k *Key) *string { return &k.Type }),
				schema.Elem("DER", der(), func(k *Key) *[]byte { return &k.DER }),
			), func(o *SSL) *Key { return &o.Key }),
			Absent: "keyfile counts", Example: "{'RSAPrivateKey', <<48,130>>}",
			Doc:   "The private key itself, in DER.",
			Since: "2.0.0", TOML: "-", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		{
			Name:   "cacerts",
			Value:  schema.Field(schema.List(der()), func(o *SSL) *[][]byte { return &o.CACerts }),
			Absent: "cacertfile counts", Example: "[<<48,130>>]",
			Doc:   "The certificates of cacertfile themselves, in DER.",
			Since: "2.0.0", TOML: "-", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		{
			Name:   "dhfile",
			Value:  schema.Field(schema.LateFile(), func(o *SSL) *string { return &o.DHFile }),
			Absent: "built-in parameters", Example: `"priv/ssl/dh.pem"`,
			Doc:   "PEM file with Diffie-Hellman parameters for the DHE suites.",
			Since: "2.0.0", TOML: "dhfile", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		{
			Name:   "dh",
			Value:  schema.Field(der(), func(o *SSL) *[]byte { return &o.DH }),
			Absent: "dhfile counts", Example: "<<48,130>>",
			Doc:   "The parameters of dhfile themselves, in DER.",
			Since: "2.0.0", TOML: "-", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		{
			Name:   "ciphers",
			Value:  schema.Field(suites, func(o *SSL) *[]string { return &o.Ciphers }),
			Absent: "all that are supported", Example: `"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"`,
			Doc: "Cipher suites for TLS before 1.3, best first: OpenSSL names separated by colons, a list of such " +
				"names, or a list of {KeyExchange, Cipher, Mac}. Names of single suites only, none of OpenSSL's groups.",
			Since: "2.0.0", TOML: "ciphers", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		{
			Name: "versions",
			Value: schema.Field(schema.List(schema.Enum("sslv3", "tlsv1", "tlsv1.1", "tlsv1.2")),
				func(o *SSL) *[]string { return &o.Versions }),
			Absent: "TLS 1.0 to 1.3", Example: "['tlsv1.2']",
			Doc:   "Versions of TLS that are served. With the option, TLS 1.3 is not.",
			Since: "2.0.0", TOML: "versions", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		{
			Name:    "verify",
			Value:   schema.Field(verify, func(o *SSL) *Verify { return &o.Verify }),
			Default: "verify_none", Example: "verify_peer",
			Doc: "verify_peer (also 1) asks clients for a certificate and verifies it against cacertfile; verify_none " +
				"(also 0) does not ask; 2 is verify_peer with fail_if_no_peer_cert.",
			Since: "2.0.0", TOML: "verify_peer", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		flag("fail_if_no_peer_cert", "false", "Whether verify_peer refuses clients without a certificate.",
			func(o *SSL) *bool { return &o.FailIfNoPeerCert }),
		{
			Name:    "depth",
			Value:   schema.Field(schema.Int(0, 255), func(o *SSL) *int { return &o.Depth }),
			Default: "1", Example: "2",
			Doc:   "How many intermediate certificates the chain of a client may have.",
			Since: "2.0.0", TOML: "-", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		flag("honor_cipher_order", "false", "Whether the server's order of suites counts rather than the client's.",
			func(o *SSL) *bool { return &o.HonorCipherOrder }),
		flag("reuse_sessions", "true", "Whether sessions can be resumed.", func(o *SSL) *bool { return &o.ReuseSessions }),
		{
			Name:   "alpn_preferred_protocols",
			Value:  schema.Field(schema.List(schema.Text()), func(o *SSL) *[]string { return &o.ALPN }),
			Absent: "none", Example: `[<<"http/1.1">>]`,
			Doc:   "Protocols offered by ALPN, preferred first.",
			Since: "2.0.0", TOML: "-", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		{
			Name:   "crl_check",
			Value:  schema.Unused[SSL](schema.Enum("false")),
			Absent: "false", Example: "false",
			Doc:   "Revocation lists are not looked at; only false can be written.",
			Since: "2.0.0", TOML: "-", Effect: schema.NewConnections, Bad: schema.Refused,
			NoEffect: "false is what is done anyway",
		},
		{
			Name:    "ack_timeout",
			Value:   schema.Field(schema.Milliseconds(1, schema.NoLimit), func(o *SSL) *time.Duration { return &o.HandshakeTimeout }),
			Default: "5000", Example: "10000",
			Doc:   "How long the TLS handshake may take, in milliseconds.",
			Since: "2.0.0", TOML: "-", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		{
			Name:    "backlog",
			Value:   schema.Field(schema.Int(0, schema.NoLimit), func(o *SSL) *int { return &o.Backlog }),
			Default: "1024", Example: "128",
			Doc:   "Length of the kernel's queue of connections that are not yet accepted.",
			Since: "2.0.0", TOML: "-", Effect: schema.OnReload, Bad: schema.Refused,
		},
		{
			Name:    "send_timeout",
			Value:   schema.Field(schema.Milliseconds(1, schema.NoLimit).Or("infinity", 0), func(o *SSL) *time.Duration { return &o.SendTimeout }),
			Default: "30000", Example: "60000",
			Doc:   "How long a client may take nothing before its connection is ended, in milliseconds.",
			Since: "2.0.0", TOML: "-", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		flag("nodelay", "true", "The socket option TCP_NODELAY.", func(o *SSL) *bool { return &o.NoDelay }),
		flag("keepalive", "false", "The socket option SO_KEEPALIVE.", func(o *SSL) *bool { return &o.KeepAlive }),
		flag("ipv6_v6only", "false", "The socket option IPV6_V6ONLY, for a listener on an IPv6 address.", func(o *SSL) *bool { return &o.IPv6Only }),
	}
	const (
		reneg  = "a server never renegotiates here"
		fixed  = "the TLS library decides"
		taken  = "it is taken from the listener itself"
		socket = "the kernel's own choice is better"
	)
	return append(opts,
		inert("port", "5285", taken), inert("ip", "{0,0,0,0}", taken), inert("max_connections", "1024", taken),
		inert("verify_client_once", "true", reneg), inert("secure_renegotiate", "true", reneg),
		inert("client_renegotiation", "false", reneg), inert("renegotiate_at", "1000000", reneg),
		inert("next_protocols_advertised", `[<<"http/1.1">>]`, "NPN was replaced by ALPN"),
		inert("signature_algs", "[{sha256, rsa}]", fixed), inert("crl_cache", "{ssl_crl_cache, {internal, []}}", "revocation lists are not looked at"),
		inert("beast_mitigation", "one_n_minus_one", fixed), inert("padding_check", "true", fixed),
		inert("v2_hello_compatible", "false", fixed), inert("log_alert", "false", "alerts are logged at level debug"),
		inert("erl_dist", "false", "it belongs to Erlang's distribution"), inert("hibernate_after", "5000", "connections need no hibernation"),
		inert("shutdown", "5000", "it belongs to Erlang's supervisors"), inert("connection_type", "worker", "it belongs to Erlang's supervisors"),
		inert("socket", "none", "the socket is always opened by the server"), inert("send_timeout_close", "true", "it is always so"),
		inert("linger", "{true, 5}", socket), inert("recbuf", "65536", socket), inert("sndbuf", "65536", socket),
		inert("buffer", "65536", socket), inert("priority", "0", socket), inert("tos", "0", socket), inert("raw", "{6, 9, <<30,0,0,0>>}", socket),
	)
}

var verify = schema.Either(
	schema.Words(map[string]Verify{"verify_none": VerifyNone, "verify_peer": VerifyPeer}),
	schema.Convert(schema.Int(0, 2), func(n int) (Verify, error) { return Verify(n), nil }),
)

// suites is the value of ciphers.
var suites = schema.New("OpenSSL names of cipher suites, separated by colons or in a list",
	func(r *schema.Reader, t cfgterm.Term) ([]string, error) {
		const shape = "OpenSSL names of cipher suites, separated by colons or in a list"
		if s, ok := cfgterm.Text(t); ok {
			return suiteNames(r, t, strings.Split(s, ":"))
		}
		items, ok := cfgterm.Items(t)
		if !ok {
			return nil, r.Want(t, shape)
		}
		var names []string
		for _, it := range items {
			name, ok := cfgterm.Text(it)
			if !ok {
				if name, ok = tupleSuite(it); !ok {
					return nil, r.Want(it, "the OpenSSL name of a cipher suite, or {KeyExchange, Cipher, Mac}")
				}
			}
			ns, err := suiteNames(r, it, []string{name})
			if err != nil {
				return nil, err
			}
			names = append(names, ns...)
		}
		return names, nil
	})

func suiteNames(r *schema.Reader, t cfgterm.Term, names []string) ([]string, error) {
	for _, n := range names {
		if !knownSuite(n) {
			return nil, r.Wrong(t, "%q is not the OpenSSL name of a single cipher suite", n)
		}
	}
	return names, nil
}

// keyExchanges are the beginnings of OpenSSL's names of suites, by Erlang's atoms.
var keyExchanges = map[string]string{
	"rsa": "", "dhe_rsa": "DHE-RSA-", "dhe_dss": "DHE-DSS-", "ecdhe_rsa": "ECDHE-RSA-", "ecdhe_ecdsa": "ECDHE-ECDSA-",
	"ecdh_rsa": "ECDH-RSA-", "ecdh_ecdsa": "ECDH-ECDSA-", "dh_anon": "ADH-", "ecdh_anon": "AECDH-", "psk": "PSK-",
	"dhe_psk": "DHE-PSK-", "rsa_psk": "RSA-PSK-", "srp_anon": "SRP-", "srp_rsa": "SRP-RSA-", "srp_dss": "SRP-DSS-",
	// OpenSSL's older spelling of dhe_rsa and dhe_dss with DES.
	"edh_rsa": "EDH-RSA-", "edh_dss": "EDH-DSS-",
}

var bulkCiphers = map[string]string{
	"aes_128_cbc": "AES128", "aes_256_cbc": "AES256", "aes_128_gcm": "AES128-GCM", "aes_256_gcm": "AES256-GCM",
	"3des_ede_cbc": "DES-CBC3", "des_cbc": "DES-CBC", "rc4_128": "RC4", "chacha20_poly1305": "CHACHA20-POLY1305",
	"null": "NULL",
}

// tupleSuite returns the OpenSSL name of {KeyExchange, Cipher, Mac} or
// {KeyExchange, Cipher, Mac, Prf}.
func tupleSuite(t cfgterm.Term) (string, bool) {
	tup, ok := t.(*cfgterm.Tuple)
	if !ok || len(tup.Elems) != 3 && len(tup.Elems) != 4 {
		return "", false
	}
	var w [4]string
	for i, e := range tup.Elems {
		if w[i], ok = cfgterm.AtomName(e); !ok {
			return "", false
		}
	}
	kx, ok := keyExchanges[w[0]]
	bulk, ok2 := bulkCiphers[w[1]]
	if !ok || !ok2 {
		return "", false
	}
	mac := w[2]
	if mac == "null" || mac == "aead" {
		mac = w[3]
	}
	name := kx + bulk
	if bulk != "CHACHA20-POLY1305" {
		name += "-" + strings.ToUpper(mac)
	}
	return name, true
}

func knownSuite(name string) bool {
	for _, kx := range keyExchanges {
		rest, ok := strings.CutPrefix(name, kx)
		if !ok {
			continue
		}
		for _, bulk := range bulkCiphers {
			if mac, ok := strings.CutPrefix(rest, bulk); ok {
				switch mac {
				case "-SHA", "-SHA256", "-SHA384", "-MD5":
					return true
				case "":
					return bulk == "CHACHA20-POLY1305"
				}
			}
		}
	}
	return false
}
