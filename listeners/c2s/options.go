// Package c2s is ejabberd_c2s of ejabberd.cfg: XMPP clients over TCP (RFC 6120).
//
// It imports cfgterm/schema.
package c2s

import (
	"slices"

	"meerkat/cfgterm/schema"
)

// Zlib is the value of the option zlib.
type Zlib struct {
	// Enabled offers XEP-0138 compression.
	Enabled bool
	// Limit is the number of bytes that one read from the socket may inflate to;
	// 0: no limit.
	Limit int
}

// Options are the settings of one ejabberd_c2s listener. Where it listens is not
// among them (compat.Listener).
type Options struct {
	// Access names the access rule that decides who may open a session, for the
	// host of the stream; "all" or "none" need no rule. A rule that is not defined
	// denies.
	Access string
	// Shaper names the access rule whose value is the name of the shaper that
	// limits what a client sends; "none": no limit.
	Shaper string
	// MaxStanzaSize is the largest stanza that a client may send, in bytes; 0: no
	// limit.
	MaxStanzaSize int
	// CertFile is the PEM file with chain and key; "": none.
	CertFile string
	// StartTLS offers STARTTLS, StartTLSRequired demands it, TLS expects the
	// handshake at once. StartTLSRequired alone is enough to offer it. With TLS no
	// STARTTLS is offered.
	StartTLS, StartTLSRequired, TLS bool
	// ProtocolOptions are the single words of protocol_options ("no_sslv3").
	ProtocolOptions []string
	// Ciphers is an OpenSSL cipher string; "": the library's choice.
	Ciphers string
	// DHFile is a file with Diffie-Hellman parameters; "": built-in ones.
	DHFile string
	// Zlib is stream compression.
	Zlib Zlib
	// MaxQueue is how many stanzas may wait for a client before its session is
	// ended; 0: no limit.
	MaxQueue int
	// Backlog is the length of the queue of connections not yet accepted.
	Backlog int
}

// Table returns the option table of ejabberd_c2s.
func Table() *schema.Table[Options] { return table }

var table = &schema.Table[Options]{
	Name: "ejabberd_c2s",
	Kind: schema.Listener,
	Doc: "Serves XMPP clients over TCP. The documented port is 5222; with tls (the handshake comes first) 5223 " +
		"is usual.",
	Options: append(schema.SocketOptions[Options](), []schema.Option[Options]{
		{
			Name:    "access",
			Value:   schema.Field(schema.AccessRule(), func(o *Options) *string { return &o.Access }),
			Default: "c2s", Source: "all", Example: "registered",
			Doc: "Access rule that decides who may open a session; it is asked for the host of the stream. all and " +
				"none need no rule. A rule that the file does not define denies everybody; the default c2s " +
				"therefore holds only if the file defines it, and everybody is let in otherwise, as 2.0.1 did " +
				"without the option.",
			Since: "1.2.2", TOML: "access", Effect: schema.NewConnections, Bad: schema.Ignored, BadTerm: "none",
		},
		{
			Name: "shaper", Synonyms: []string{"c2s_shaper"},
			Value:   schema.Field(schema.ShaperRule(), func(o *Options) *string { return &o.Shaper }),
			Default: "c2s_shaper", Source: "none", Example: "slow_clients",
			Doc: "Access rule whose value is the name of the shaper that limits how fast a client may send. The " +
				"documentation calls the option c2s_shaper, the source of 2.0.1 read shaper; both are taken here. " +
				"A rule or shaper that is not defined limits nothing.",
			Since: "1.2.2", TOML: "shaper", Effect: schema.NewConnections, Bad: schema.Ignored,
		},
		{
			Name: "max_stanza_size",
			Value: schema.Field(schema.Int(1, schema.NoLimit).Or("infinity", 0),
				func(o *Options) *int { return &o.MaxStanzaSize }),
			Default: "65536", Source: "infinity", Example: "131072",
			Doc: "Largest stanza that a client may send, in bytes; a larger one ends the stream. Unlike 2.0.1, which " +
				"looked at the size after reading, the limit bounds the memory too.",
			Since: "1.2.2", TOML: "max_stanza_size", Effect: schema.NewConnections, Bad: schema.Ignored,
		},
		{
			Name:   "certfile",
			Value:  schema.Field(schema.CertFile(), func(o *Options) *string { return &o.CertFile }),
			Absent: "no TLS", Example: `"priv/ssl/server.pem"`,
			Doc: "PEM file with the certificate, its chain, and the private key without password. It is read again " +
				"when it changes. A domain_certfile of the host is preferred to it for STARTTLS.",
			Since: "1.2.2", TOML: "tls.certfile", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		{
			Name: "starttls", Form: schema.Bare,
			Value:  schema.Flag(func(o *Options) *bool { return &o.StartTLS }),
			Absent: "off", Example: "starttls",
			Doc:   "Offers STARTTLS. It needs certfile, or a domain_certfile for every host.",
			Since: "1.2.2", TOML: "tls.mode", Effect: schema.NewConnections, Bad: schema.AnyValue,
		},
		{
			Name: "starttls_required", Form: schema.Bare,
			Value:  schema.Flag(func(o *Options) *bool { return &o.StartTLSRequired }),
			Absent: "off", Example: "starttls_required",
			Doc: "Demands STARTTLS: nothing else is offered until TLS is on. It is enough alone, starttls need not " +
				"be given too.",
			Since: "1.2.2", TOML: "tls.mode", Effect: schema.NewConnections, Bad: schema.AnyValue,
		},
		{
			Name: "tls", Form: schema.Bare,
			Value:  schema.Flag(func(o *Options) *bool { return &o.TLS }),
			Absent: "off", Example: "tls",
			Doc:   "Expects the TLS handshake as soon as the connection is made, as usual on port 5223. It needs certfile.",
			Since: "1.2.2", TOML: "tls.mode", Effect: schema.NewConnections, Bad: schema.AnyValue,
		},
		{
			Name:    "protocol_options",
			Value:   schema.Field(schema.TLSWords(), func(o *Options) *[]string { return &o.ProtocolOptions }),
			Default: `["no_sslv3"]`, Source: "[]", Example: `["no_sslv3", "no_tlsv1"]`,
			Doc: "Words that restrict TLS: no_sslv3, no_tlsv1, no_tlsv1_1, no_tlsv1_2 and others of OpenSSL. A list of " +
				"strings, or one string with words separated by |. 2.0.1 glued the strings of a list together, so " +
				"that only lists of one had an effect.",
			Since: "2.0.1", TOML: "tls.protocol_options", Effect: schema.NewConnections, Bad: schema.Ignored,
		},
		{
			Name:   "ciphers",
			Value:  schema.Field(schema.Text(), func(o *Options) *string { return &o.Ciphers }),
			Absent: "the choice of the TLS library (documented: ALL:!aNULL:!eNULL)", Example: `"ECDHE+AESGCM"`,
			Doc:   "Cipher suites for TLS before 1.3, as an OpenSSL cipher string.",
			Since: "1.2.2", TOML: "tls.ciphers", Effect: schema.NewConnections, Bad: schema.Ignored,
			Unserved: "the suites of the TLS library are used",
		},
		{
			Name:   "dhfile",
			Value:  schema.Field(schema.File(), func(o *Options) *string { return &o.DHFile }),
			Absent: "built-in parameters", Example: `"priv/ssl/dh_server.pem"`,
			Doc:   "PEM file with Diffie-Hellman parameters for the DHE suites.",
			Since: "2.0.1", TOML: "tls.dhfile", Effect: schema.NewConnections, Bad: schema.Refused,
			Unserved: "DHE suites are not offered; clients use ECDHE",
		},
		{
			Name:   "zlib",
			Value:  schema.Field(zlib, func(o *Options) *Zlib { return &o.Zlib }),
			Absent: "off", Example: "10000",
			Doc: "Offers stream compression (XEP-0138). The number limits what one read may inflate to, in bytes; 0 " +
				"and unlimited mean no limit (2.0.1 dropped connections with unlimited). The atom zlib alone " +
				"switches nothing on, as in 2.0.1.",
			Since: "1.2.2", TOML: "zlib give a number for unlimited", Effect: schema.NewConnections, Bad: schema.Refused,
			Unserved: "streams are not compressed",
		},
		{
			Name:    "max_fsm_queue",
			Value:   schema.Field(schema.Int(1, schema.NoLimit), func(o *Options) *int { return &o.MaxQueue }),
			Inherit: "max_fsm_queue",
			Absent:  "no limit", Example: "1000",
			Doc: "How many stanzas may wait for a client that reads too slowly; one more ends the session. It wins " +
				"over the top-level option of the same name.",
			Since: "1.2.2", TOML: "max_fsm_queue", Effect: schema.NewConnections, Bad: schema.Ignored,
		},
		{
			Name:    "backlog",
			Value:   schema.Field(schema.Int(0, schema.NoLimit), func(o *Options) *int { return &o.Backlog }),
			Default: "100", Example: "500",
			Doc:   "Length of the kernel's queue of connections that are not yet accepted.",
			Since: "1.2.2", TOML: "backlog", Effect: schema.OnReload, Bad: schema.Refused,
		},
		{
			Name:   "xml_socket",
			Value:  schema.Unused[Options](schema.Bool()),
			Absent: "false", Example: "true",
			Doc:   "Internal to BOSH and WebSocket in 2.0.1, where a TCP listener with it served nobody. It is ignored.",
			Since: "1.2.2", TOML: "-", Effect: schema.NewConnections, Bad: schema.Ignored,
			NoEffect: "it is internal to BOSH and WebSocket",
		},
	}...),
	Foreign: []schema.Foreign{
		{Name: "ssl", From: "ejabberd 1.1", Instead: "tls together with {certfile, \"FILE\"}", Refused: true},
		{Name: "acceptors_num", From: "MongooseIM 3.0"},
		{Name: "num_acceptors", From: "ejabberd_cowboy"},
		{Name: "hibernate_after", From: "MongooseIM 3.0"},
		{Name: "proxy_protocol", From: "MongooseIM 3.7"},
		{Name: "cafile", From: "MongooseIM 2.2", Instead: "append the CA certificates to the file of certfile"},
		{Name: "crlfiles", From: "MongooseIM 2.2"},
		{Name: "tls_module", From: "MongooseIM 2.2"},
		{Name: "ssl_options", From: "MongooseIM 2.2"},
		{Name: "verify_peer", From: "MongooseIM 2.2"},
		{Name: "hibernate", From: "ejabberd 13"},
		{Name: "supervisor", From: "ejabberd 13"},
		{Name: "verify", From: "ejabberd 2.1"},
		{Name: "tls_verify", From: "ejabberd 13"},
		{Name: "tls_compression", From: "ejabberd 13"},
		{Name: "starttls_verify", From: "ejabberd 13"},
		{Name: "stream_management", From: "ejabberd 13", Instead: "{mod_stream_management, []} in modules"},
		{Name: "max_ack_queue", From: "ejabberd 13", Instead: "{buffer_max, N} of mod_stream_management"},
		{Name: "resume_timeout", From: "ejabberd 13", Instead: "{resume_timeout, Seconds} of mod_stream_management"},
		{Name: "resend_on_timeout", From: "ejabberd 13"},
		{Name: "password", From: "ejabberd_service"},
		{Name: "shaper_rule", From: "ejabberd_service", Instead: "{shaper, RULE}"},
		{Name: "service_check_from", From: "ejabberd_service"},
		{Name: "http_bind", From: "ejabberd_http of ejabberd", Instead: `a listener ejabberd_cowboy with the route {"_", "/http-bind", mod_bosh}`},
		{Name: "http_poll", From: "ejabberd_http of ejabberd"},
		{Name: "web_admin", From: "ejabberd_http of ejabberd"},
		{Name: "request_handlers", From: "ejabberd_http of ejabberd", Instead: "a listener ejabberd_cowboy with {modules, [...]}"},
		{Name: "cert", From: "the HTTP listeners of MongooseIM 1.x", Instead: "{certfile, \"FILE\"} with starttls or tls"},
		{Name: "key", From: "the HTTP listeners of MongooseIM 1.x", Instead: "append the key to the file of certfile"},
		{Name: "key_pass", From: "the HTTP listeners of MongooseIM 1.x", Instead: "a key without password"},
	},
	Check: check,
}

var zlib = schema.Convert(schema.Int(0, schema.NoLimit).Or("unlimited", 0), func(n int) (Zlib, error) {
	return Zlib{Enabled: true, Limit: n}, nil
})

// check looks for listeners that could serve nobody.
func check(o *Options, c *schema.Check) {
	if c.Context().Proto == "udp" {
		c.Errorf("LSN034", "proto", "remove udp", "ejabberd_c2s does not serve udp")
	}
	if o.CertFile == "" && !c.Named("certfile") {
		switch {
		case o.TLS:
			c.Errorf("LSN030", "tls", "add {certfile, \"FILE\"} with the path of a PEM file",
				"tls of ejabberd_c2s needs certfile: every connection would be closed at once")
		case (o.StartTLS || o.StartTLSRequired) && !c.Context().DomainCerts:
			name := "starttls"
			if !o.StartTLS {
				name = "starttls_required"
			}
			c.Errorf("LSN030", name, "add {certfile, \"FILE\"} with the path of a PEM file, or a domain_certfile for every host",
				"%s of ejabberd_c2s needs certfile: no client could switch TLS on", name)
		}
	}
	if o.TLS && (o.StartTLS || o.StartTLSRequired) {
		c.Infof("LSN035", "tls", "use two listeners, one with tls and one with starttls, to offer both",
			"with tls the connection is encrypted from the start and STARTTLS is not offered")
	}
	if slices.Contains(o.ProtocolOptions, "no_tlsv1_2") && slices.Contains(o.ProtocolOptions, "no_tlsv1_3") {
		c.Warnf("LSN036", "protocol_options", "remove one of the words", "protocol_options switches every current version of TLS off")
	}
}
