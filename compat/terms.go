package compat

import "meerkat/cfgterm/schema"

// termTable documents the terms of the top level that are more than a name and a
// value. The loader reads them itself.
var termTable = &schema.Table[struct{}]{
	Name: "terms", Kind: schema.Top, Plain: true,
	Doc: "Terms of the top level that are more than the setting of an option. A file is read from top to bottom; of two " +
		"terms that set the same the last counts, but for acl, whose terms add up.",
	Options: []schema.Option[struct{}]{
		term("hosts", schema.Pair, `["example.org"]`, "required", "general.hosts", schema.OnReload, schema.Refused,
			"Served domains. There is one such term in all files, and it may hold no macros. The first host is the node's own name."),
		term("host", schema.Pair, `"example.org"`, "hosts", "general.hosts", schema.OnReload, schema.Refused,
			"The same with a single domain. Not documented for 2.0.1, which read it."),
		term("listen", schema.Pair, "[{5222, ejabberd_c2s, []}]", "nothing listens", "listen.c2s", schema.OnReload, schema.Refused,
			"What listens where: a list of {Port, Module, Options}. In place of the port may stand {Port, Protocol}, {Port, "+
				"Address} or {Port, Address, Protocol}. Two listen terms are not merged, the last counts."),
		term("modules", schema.Pair, "[{mod_roster, []}]", "no modules", "modules.MODULE", schema.OnReload, schema.Refused,
			"Modules of a host with their options. Of a module that stands twice, the options are merged and the later ones win."),
		term("acl", schema.Wide, `{acl, admin, {user, "joe", "example.org"}}`, "the ACL is empty", "acl.NAME", schema.OnReload, schema.Refused,
			"Puts addresses into the ACL of that name: all, none, {user, U}, {user, U, Server}, {server, S}, {resource, R}, "+
				"{user_regexp, RE}, {user_regexp, RE, Server}, {server_regexp, RE}, {resource_regexp, RE}, {node_regexp, "+
				"UserRE, ServerRE}, and the same with glob in place of regexp. Without server a user counts only on the "+
				"host that is asked. Every argument is lower-cased and prepared like a user name, patterns too."),
		term("access", schema.Wide, "{access, c2s, [{deny, blocked}, {allow, all}]}", "the rule denies", "access.NAME", schema.OnReload, schema.Ignored,
			"An access rule: a list of {Value, ACL}; the value of the first ACL that holds the address counts, and deny if "+
				"there is none. A rule in host_config is added to that of the top level, before its last {allow, all}."),
		term("shaper", schema.Wide, "{shaper, normal, {maxrate, 1000}}", "no limit", "shaper.NAME.max_rate", schema.NewConnections, schema.Refused,
			"Limits what is received, in bytes a second. Shapers are defined at the top level only."),
		term("host_config", schema.Wide, `{host_config, "example.org", [{auth_method, anonymous}]}`, "-", "host_config", schema.OnReload, schema.Refused,
			"Options of one host, in place of those for all hosts. {{add, modules}, [...]} puts modules before those for all hosts. "+
				"It has to stand below what it replaces."),
		term("include_config_file", schema.Wide, `{include_config_file, "FILE", [{allow_only, [acl]}]}`, "-", "- included files are put in place", schema.OnReload, schema.Refused,
			"Puts the terms of another file in its place. {disallow, [NAME]} leaves out terms of those names, {allow_only, [NAME]} "+
				"all others. Relative paths count from the working directory, not from this file."),
		term("define_macro", schema.Wide, "{define_macro, 'ADMIN', \"joe\"}", "-", "- macros are replaced", schema.OnReload, schema.Refused,
			"Gives a value to a name without small letters, which stands for it everywhere in the files. The first definition counts."),
		term("use_macro", schema.Wide, "{use_macro, 'SIZE', 65536}", "-", "- macros are replaced", schema.OnReload, schema.AnyValue,
			"Stands for the value of a macro, or for the second element if it is not defined."),
		term("override_global", schema.Bare, "override_global", "-", "general.override", schema.OnReload, schema.AnyValue,
			"With override_local and override_acls: forget what other nodes of a cluster have set. A single node starts from nothing anyway."),
		term("override_local", schema.Bare, "override_local", "-", "general.override", schema.OnReload, schema.AnyValue, "See override_global."),
		term("override_acls", schema.Bare, "override_acls", "-", "general.override", schema.OnReload, schema.AnyValue, "See override_global."),
		term("domain_certfile", schema.Wide, `{domain_certfile, "example.org", "priv/ssl/example.org.pem"}`, "the certificate of the listener", "s2s.domain_certfile", schema.NewConnections, schema.Refused,
			"PEM file with certificate, chain and key of a domain; it must be readable. It is used for STARTTLS of clients and of "+
				"servers in both directions; in 2.0.1 this form counted for outgoing connections only."),
		term("s2s_addr", schema.Wide, `{{s2s_addr, "far.example"}, {{192,0,2,1}, 5269}}`, "DNS says", "s2s.address", schema.NewConnections, schema.Refused,
			"Address of another server, with or without port, which is tried before what DNS says."),
		term("s2s_host", schema.Wide, `{{s2s_host, "far.example"}, deny}`, "s2s_default_policy", "s2s.host_policy", schema.NewConnections, schema.Refused,
			"Whether that server may be talked to, in both directions: allow or deny. In 2.0.1 a host given as string had no effect."),
	},
}

func term(name string, form schema.Form, example, absent, toml string, eff schema.Effect, bad schema.Bad, doc string) schema.Option[struct{}] {
	return schema.Option[struct{}]{
		Name: name, Form: form, Value: schema.Loader[struct{}](""), Example: example, Absent: absent,
		TOML: toml, Effect: eff, Bad: bad, Doc: doc, Since: "1.2.2",
	}
}
