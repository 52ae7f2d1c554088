// Package component is ejabberd_service of ejabberd.cfg: external components (XEP-0114).
//
// It imports cfgterm/schema.
package component

import "meerkat/cfgterm/schema"

// Options are the settings of one ejabberd_service listener, or of the option
// ejabberd_service of mod_websockets.
type Options struct {
	// Access names the access rule that decides who may send stanzas to the
	// components of this listener (not who may connect); it is asked without a
	// host.
	Access string
	// Password is the secret that a component has to prove.
	Password string
	// Domains are the domains that components may have; nil: any.
	Domains []string
	// Shaper is the name of the shaper (not of a rule) that limits what a
	// component sends; "none": no limit.
	Shaper string
	// CheckFrom refuses stanzas whose from is of another domain.
	CheckFrom bool
	// MaxQueue is how many stanzas may wait for a component before its
	// connection is ended; 0: no limit.
	MaxQueue int
	// MaxStanzaSize is the largest stanza that a component may send, in bytes; 0:
	// no limit.
	MaxStanzaSize int
	// Backlog is the length of the queue of connections not yet accepted.
	Backlog int

	flat        string
	host, hosts domains
}

// domains is the value of the options host and hosts.
type domains struct {
	Names    []string
	Password string
}

// Table returns the option table of ejabberd_service.
func Table() *schema.Table[Options] { return table }

// passwordTable is the list at the end of host and hosts.
var passwordTable = &schema.Table[domains]{
	Name: "ejabberd_service",
	Kind: schema.Listener,
	Doc:  "Options of a component's domain.",
	Options: []schema.Option[domains]{{
		Name: "password", Required: true, Secret: true,
		Value:   schema.Field(schema.Text(), func(d *domains) *string { return &d.Password }),
		Example: `"secret"`,
		Doc:     "Secret that the component has to prove.",
		Since:   "1.2.2", TOML: "password", Effect: schema.NewConnections, Bad: schema.Refused,
	}},
}

var passwordIn = schema.Convert(schema.Nested(passwordTable), func(d domains) (string, error) { return d.Password, nil })

func wide[V any](key string, names schema.Type[[]string], at func(*V) *domains) schema.Value[V] {
	return schema.Field(schema.Tuple(
		schema.Tag[domains](key),
		schema.Elem(map[string]string{"host": "DOMAIN", "hosts": "[DOMAIN, ...]"}[key], names,
			func(d *domains) *[]string { return &d.Names }),
		schema.Elem(`[{password, "SECRET"}]`, passwordIn, func(d *domains) *string { return &d.Password }),
	), at)
}

var table = &schema.Table[Options]{
	Name: "ejabberd_service",
	Kind: schema.Listener,
	Doc: "Takes connections of external components (XEP-0114). The documented port is 8888. The password is " +
		"looked for in hosts, then host, then password; one of the three must be there.",
	Options: append(schema.SocketOptions[Options](), []schema.Option[Options]{
		{
			Name: "password", Secret: true,
			Value:  schema.Field(schema.Text(), func(o *Options) *string { return &o.flat }),
			Absent: "the password of host or hosts", Example: `"secret"`,
			Doc: "Secret that a component has to prove; with it alone a component may have any domain. This is the " +
				"form that 2.0.1 read.",
			Since: "2.0.0", TOML: "password", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		{
			Name: "hosts", Form: schema.Wide,
			Value:  wide("hosts", schema.List(schema.Name()), func(o *Options) *domains { return &o.hosts }),
			Absent: "any domain", Example: `{hosts, ["irc.example.org", "sms.example.org"], [{password, "secret"}]}`,
			Doc: "Domains that components may have, and their password. With it host is not looked at. Documented " +
				"for 2.0.1, which did not read it and then refused every component.",
			Since: "1.2.2", Until: "1.6.2", TOML: "- write password", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		{
			Name: "host", Form: schema.Wide,
			Value: wide("host", schema.Convert(schema.Name(), func(s string) ([]string, error) { return []string{s}, nil }),
				func(o *Options) *domains { return &o.host }),
			Absent: "any domain", Example: `{host, "irc.example.org", [{password, "secret"}]}`,
			Doc: "The only domain that a component may have, and its password. Documented for 2.0.1, which did not " +
				"read it and then refused every component.",
			Since: "1.2.2", Until: "1.6.2", TOML: "- write password", Effect: schema.NewConnections, Bad: schema.Refused,
		},
		{
			Name:    "access",
			Value:   schema.Field(schema.AccessRule(), func(o *Options) *string { return &o.Access }),
			Default: "all", Example: "local",
			Doc: "Access rule that decides who may send stanzas to the components of this listener; the answer is " +
				"not-allowed otherwise. It does not say who may connect.",
			Since: "1.2.2", TOML: "access", Effect: schema.NewConnections, Bad: schema.Ignored, BadTerm: "none",
		},
		{
			Name:    "shaper_rule",
			Value:   schema.Field(schema.ShaperName(), func(o *Options) *string { return &o.Shaper }),
			Default: "fast", Source: "none", Example: "normal",
			Doc: "Shaper that limits how fast a component may send. Unlike the option shaper of other listeners it " +
				"names the shaper itself, not an access rule. A shaper that is not defined limits nothing.",
			Since: "1.2.2", TOML: "shaper_rule", Effect: schema.NewConnections, Bad: schema.Ignored,
		},
		{
			Name:    "service_check_from",
			Value:   schema.Field(schema.Bool(), func(o *Options) *bool { return &o.CheckFrom }),
			Default: "true", Example: "false",
			Doc:   "Whether the from of what a component sends has to be of its own domain.",
			Since: "1.2.2", TOML: "check_from", Effect: schema.NewConnections, Bad: schema.Ignored,
		},
		{
			Name:    "max_fsm_queue",
			Value:   schema.Field(schema.Int(1, schema.NoLimit), func(o *Options) *int { return &o.MaxQueue }),
			Inherit: "max_fsm_queue",
			Absent:  "no limit", Example: "1000",
			Doc: "How many stanzas may wait for a component that reads too slowly; one more ends its connection. It " +
				"wins over the top-level option of the same name.",
			Since: "1.2.2", TOML: "max_fsm_queue", Effect: schema.NewConnections, Bad: schema.Ignored,
		},
		{
			Name: "max_stanza_size",
			Value: schema.Field(schema.Int(1, schema.NoLimit).Or("infinity", 0),
				func(o *Options) *int { return &o.MaxStanzaSize }),
			Default: "infinity", Example: "131072",
			Doc:   "Largest stanza that a component may send, in bytes. Not documented for 2.0.1, which read it.",
			Since: "1.2.2", TOML: "-", Effect: schema.NewConnections, Bad: schema.Ignored,
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
			Doc:   "The file must be readable, as 2.0.1 demanded, and is not used: component connections are plain TCP.",
			Since: "1.2.2", TOML: "-", Effect: schema.NewConnections, Bad: schema.Refused,
			NoEffect: "component connections are plain TCP",
		},
	}...),
	Foreign: []schema.Foreign{
		{Name: "ssl", From: "ejabberd 1.1", Refused: true},
		{Name: "tls", From: "ejabberd_c2s"},
		{Name: "starttls", From: "ejabberd_c2s"},
		{Name: "ciphers", From: "ejabberd_c2s"},
		{Name: "shaper", From: "ejabberd_c2s", Instead: "{shaper_rule, SHAPER}, which names the shaper itself"},
		{Name: "hidden_components", From: "MongooseIM 2.2"},
		{Name: "acceptors_num", From: "MongooseIM 3.0"},
		{Name: "hibernate_after", From: "MongooseIM 3.0"},
		{Name: "conflict_behaviour", From: "MongooseIM 3.4"},
		{Name: "check_from", From: "MongooseIM 4.0", Instead: "{service_check_from, BOOLEAN}"},
		{Name: "supervisor", From: "ejabberd 13"},
	},
	Check: check,
}

// check settles which password counts.
func check(o *Options, c *schema.Check) {
	if c.Context().Proto == "udp" {
		c.Errorf("LSN034", "proto", "remove udp", "ejabberd_service does not serve udp")
	}
	form := ""
	switch {
	case c.Given("hosts"):
		form = "hosts"
		o.Password, o.Domains = o.hosts.Password, o.hosts.Names
	case c.Given("host"):
		form = "host"
		o.Password, o.Domains = o.host.Password, o.host.Names
	case c.Given("password"):
		o.Password = o.flat
	case !c.Named("hosts") && !c.Named("host") && !c.Named("password"):
		c.Errorf("LSN031", "password", `add {password, "SECRET"}`,
			"ejabberd_service needs a password: every component would be refused")
	}
	if form == "" {
		return
	}
	if form == "hosts" && len(o.Domains) == 0 {
		c.Errorf("LSN031", "hosts", "name at least one domain", "hosts of ejabberd_service names no domain: every component would be refused")
	}
	if !c.Named("password") {
		c.Infof("LSN032", form, `{password, "SECRET"} alone is what 2.0.1 read`,
			"2.0.1 did not read %s of ejabberd_service and refused every component; here it works as documented", form)
	}
}
