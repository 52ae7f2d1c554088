// Package s2s is ejabberd_s2s_in of ejabberd.cfg: streams of other servers.
//
// It imports cfgterm/schema.
package s2s

import "meerkat/cfgterm/schema"

// Options are the settings of one ejabberd_s2s_in listener. What holds for both
// directions (certificates, policy, STARTTLS) is set at the top level of the file.
type Options struct {
	// Shaper names the access rule whose value is the name of the shaper that
	// limits what a server sends; "none": no limit. It is asked for the target
	// domain with the source domain as address.
	Shaper string
	// MaxStanzaSize is the largest stanza that a server may send, in bytes; 0: no
	// limit.
	MaxStanzaSize int
	// ProtocolOptions are the single words of protocol_options.
	ProtocolOptions []string
	// DHFile is a file with Diffie-Hellman parameters; "": built-in ones.
	DHFile string
	// Ciphers is an OpenSSL cipher string; "": the library's choice.
	Ciphers string
	// Backlog is the length of the queue of connections not yet accepted.
	Backlog int
}

// Table returns the option table of ejabberd_s2s_in.
func Table() *schema.Table[Options] { return table }

var table = &schema.Table[Options]{
	Name: "ejabberd_s2s_in",
	Kind: schema.Listener,
	Doc: "Takes connections of other servers (federation). The documented port is 5269. Most of what concerns " +
		"federation is set at the top level and holds for both directions.",
	Options: append(schema.SocketOptions[Options](), []schema.Option[Options]{
		{
			Name:    "shaper",
			Value:   schema.Field(schema.ShaperRule(), func(o *Options) *string { return &o.Shaper }),
			Default: "s2s_shaper", Source: "none", Example: "slow_servers",
			Doc: "Access rule whose value is the name of the shaper that limits how fast a server may send. It is " +
				"asked for each domain that the other server proves by dialback.",
			Since: "1.2.2", TOML: "shaper", Effect: schema.NewConnections, Bad: schema.Ignored,
		},
		{
			Name: "max_stanza_size",
			Value: schema.Field(schema.Int(1, schema.NoLimit).Or("infinity", 0),
				func(o *Options) *int { return &o.MaxStanzaSize }),
			Default: "131072", Source: "infinity", Example: "262144",
			Doc:   "Largest stanza that a server may send, in bytes; a larger one ends the stream.",
			Since: "1.2.2", TOML: "max_stanza_size", Effect: schema.NewConnections, Bad: schema.Ignored,
		},
		{
			Name:    "protocol_options",
			Value:   schema.Field(schema.TLSWords(), func(o *Options) *[]string { return &o.ProtocolOptions }),
			Default: `["no_sslv3"]`, Source: "[]", Example: `["no_sslv3", "no_tlsv1"]`,
			Doc: "Words that restrict TLS of inbound connections: no_sslv3, no_tlsv1, no_tlsv1_1, no_tlsv1_2. A list " +
				"of strings, or one string with words separated by |.",
			Since: "2.0.1", TOML: "tls.protocol_options", Effect: schema.NewConnections, Bad: schema.Ignored,
		},
		{
			Name:   "dhfile",
			Value:  schema.Field(schema.File(), func(o *Options) *string { return &o.DHFile }),
			Absent: "built-in parameters", Example: `"priv/ssl/dh_server.pem"`,
			Doc:   "PEM file with Diffie-Hellman parameters for the DHE suites of inbound connections.",
			Since: "2.0.1", TOML: "tls.dhfile", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		{
			Name:   "ciphers",
			Value:  schema.Field(schema.Text(), func(o *Options) *string { return &o.Ciphers }),
			Absent: "the choice of the TLS library", Example: `"ECDHE+AESGCM"`,
			Doc: "Cipher suites of inbound connections for TLS before 1.3, as an OpenSSL cipher string. MongooseIM " +
				"read it from 2.1.0 on; 2.0.1 ignored it here.",
			Since: "2.1.0", TOML: "tls.ciphers", Effect: schema.NewConnections, Bad: schema.Ignored,
		},
		{
			Name:    "backlog",
			Value:   schema.Field(schema.Int(0, schema.NoLimit), func(o *Options) *int { return &o.Backlog }),
			Default: "100", Example: "500",
			Doc:   "Length of the kernel's queue of connections that are not yet accepted.",
			Since: "1.2.2", TOML: "backlog", Effect: schema.OnReload, Bad: schema.Refused,
		},
		{
			Name:   "certfile",
			Value:  schema.Unused[Options](schema.File()),
			Absent: "-", Example: `"priv/ssl/server.pem"`,
			Doc: "The file must be readable, as 2.0.1 demanded, and is not used: the certificate of S2S is " +
				"s2s_certfile, or the domain_certfile of the host.",
			Since: "1.2.2", TOML: "-", Effect: schema.NewConnections, Bad: schema.Refused,
			NoEffect: "S2S takes its certificate from the top-level option s2s_certfile",
		},
	}...),
	Foreign: []schema.Foreign{
		{Name: "ssl", From: "ejabberd 1.1", Instead: "the top-level options s2s_use_starttls and s2s_certfile", Refused: true},
		{Name: "starttls", From: "ejabberd_c2s", Instead: "the top-level option {s2s_use_starttls, optional}"},
		{Name: "starttls_required", From: "ejabberd_c2s", Instead: "the top-level option {s2s_use_starttls, required}"},
		{Name: "tls", From: "ejabberd_c2s", Instead: "the top-level option {s2s_use_starttls, optional}"},
		{Name: "zlib", From: "ejabberd_c2s"},
		{Name: "access", From: "ejabberd_c2s", Instead: "the top-level options s2s_default_policy and {s2s_host, HOST}"},
		{Name: "max_fsm_queue", From: "ejabberd_c2s"},
		{Name: "s2s_shaper", From: "a frequent mistake", Instead: "{shaper, s2s_shaper}"},
		{Name: "acceptors_num", From: "MongooseIM 3.0"},
		{Name: "hibernate_after", From: "MongooseIM 3.0"},
		{Name: "cafile", From: "MongooseIM 3.3"},
		{Name: "proxy_protocol", From: "MongooseIM 3.7"},
		{Name: "tls_compression", From: "ejabberd 13"},
		{Name: "supervisor", From: "ejabberd 13"},
	},
	Check: func(_ *Options, c *schema.Check) {
		if c.Context().Proto == "udp" {
			c.Errorf("LSN034", "proto", "remove udp", "ejabberd_s2s_in does not serve udp")
		}
	},
}
