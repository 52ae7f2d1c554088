package compat

import (
	"slices"

	"meerkat/cfgterm/diag"
)

// Codes explains every diagnostic about the meaning of a configuration, sorted. The
// diagnostics of the term syntax are explained by cfgterm.Codes. The caller owns the
// slice.
//
// Examples and fixes leave out the terms that every file needs: hosts, sm_backend and
// auth_method.
func Codes() []diag.Code {
	all := slices.Clone(codes)
	for _, o := range optionCodes {
		all = append(all, o.codes()...)
	}
	slices.SortFunc(all, func(a, b diag.Code) int {
		switch {
		case a.Code < b.Code:
			return -1
		case a.Code > b.Code:
			return 1
		}
		return 0
	})
	return all
}

// optionCodes are the codes of option lists, which listeners, modules and the top
// level have alike.
var optionCodes = []optionCode{
	{
		[3]string{"LSN010", "MOD010", "TRM002"},
		diag.Warning, "an option that does not exist",
		`No option has this name. MongooseIM 2.0.1 ignored such options without a word, and so the file goes on working as before; but
whoever wrote it wanted something. Most often the name is misspelt; the help names the nearest one.`,
		[3]string{
			"{listen, [{5222, ejabberd_c2s, [{max_stanza_sise, 65536}]}]}.", "{modules, [{mod_ping, [{ping_intervall, 90}]}]}.",
			"{auth_metod, internal}.",
		},
		[3]string{
			"{listen, [{5222, ejabberd_c2s, [{max_stanza_size, 65536}]}]}.", "{modules, [{mod_ping, [{ping_interval, 90}]}]}.",
			"{auth_method, internal}.",
		},
	},
	{
		[3]string{"LSN011", "MOD011", "TRM003"},
		diag.Warning, "an option of another release or server",
		`The option exists in another release of MongooseIM, in ejabberd, or for another listener, but 2.0.1 did not read it here.
It is ignored, as 2.0.1 did. The help says what to write instead, if there is anything.`,
		[3]string{
			"{listen, [{5222, ejabberd_c2s, [{proxy_protocol, true}]}]}.", "{modules, [{mod_bosh, [{max_pause, 60}]}]}.",
			"{rdbms_server_type, pgsql}.",
		},
		[3]string{
			"{listen, [{5222, ejabberd_c2s, []}]}.", "{modules, [{mod_bosh, [{maxpause, 60}]}]}.", "{odbc_server_type, pgsql}.",
		},
	},
	{
		[3]string{"LSN012", "MOD012", "TRM005"},
		diag.Warning, "an option written in another form",
		`Some options are atoms that stand alone (starttls), most are tuples of name and value ({access, c2s}). Written the other way
round, 2.0.1 did not recognise them, and they are ignored here too.`,
		[3]string{
			"{listen, [{5222, ejabberd_c2s, [zlib]}]}.", "{modules, [{mod_ping, [{ping_interval}]}]}.", "{auth_opts, [{password_format}]}.",
		},
		[3]string{
			"{listen, [{5222, ejabberd_c2s, [{zlib, 10000}]}]}.", "{modules, [{mod_ping, [{ping_interval, 90}]}]}.",
			"{auth_opts, [{password_format, plain}]}.",
		},
	},
	{
		[3]string{"LSN013", "MOD013", "TRM004"},
		diag.Warning, "an option written twice",
		`Only one of two settings of the same option counts. In a list of options that is the first one. At the top level it is the
last one, in all files together; acl is the exception, its terms add up. The diagnostic stands at the one without effect.`,
		[3]string{
			"{listen, [{5222, ejabberd_c2s, [{backlog, 100}, {backlog, 500}]}]}.",
			"{modules, [{mod_ping, [{ping_interval, 60}, {ping_interval, 90}]}]}.", "{language, \"en\"}.\n{language, \"pl\"}.",
		},
		[3]string{
			"{listen, [{5222, ejabberd_c2s, [{backlog, 100}]}]}.", "{modules, [{mod_ping, [{ping_interval, 60}]}]}.", "{language, \"pl\"}.",
		},
	},
	{
		[3]string{"LSN014", "MOD014", "TRM006"},
		diag.Warning, "a value that is ignored",
		`The value is not of the kind that the option takes. 2.0.1 started with it and went on as if the option were not there; so
does Meerkat, unless the diagnostic names another value that is taken.`,
		[3]string{
			"{listen, [{5222, ejabberd_c2s, [{max_stanza_size, big}]}]}.", "{modules, [{mod_ping, [{ping_interval, often}]}]}.",
			"{max_fsm_queue, many}.",
		},
		[3]string{
			"{listen, [{5222, ejabberd_c2s, [{max_stanza_size, 65536}]}]}.", "{modules, [{mod_ping, [{ping_interval, 90}]}]}.",
			"{max_fsm_queue, 1000}.",
		},
	},
	{
		[3]string{"LSN015", "MOD015", "TRM007"},
		diag.Error, "a value that is refused",
		`The value is not of the kind that the option takes. 2.0.1 did not start with it, or what it configures could never have worked.`,
		[3]string{
			"{listen, [{5222, ejabberd_c2s, [{backlog, \"50\"}]}]}.", "{modules, [{mod_bosh, [{backend, redis}]}]}.", "{loglevel, 9}.",
		},
		[3]string{
			"{listen, [{5222, ejabberd_c2s, [{backlog, 50}]}]}.", "{modules, [{mod_bosh, []}]}.", "{loglevel, 5}.",
		},
	},
	{
		[3]string{"LSN016", "MOD016", "TRM008"},
		diag.Error, "a required option is missing",
		`Without this option the listener or module cannot work; 2.0.1 did not start.`,
		[3]string{"{listen, [{5280, ejabberd_cowboy, []}]}.", "", ""},
		[3]string{"{listen, [{5280, ejabberd_cowboy, [{modules, []}]}]}.", "", ""},
	},
	{
		[3]string{"LSN017", "MOD017", "TRM009"},
		diag.Info, "a documented default that 2.0.1 did not have",
		`The option is absent. The documentation of 2.0.1 promises one default, its source had another. Meerkat takes the documented
one; where that is the name of an access rule or a shaper, only if the file defines it. To have what 2.0.1 did, write the value, or
start with --defaults source, which takes all defaults of the source.`,
		[3]string{"{listen, [{5222, ejabberd_c2s, []}]}.", "", ""},
		[3]string{
			"{listen, [{5222, ejabberd_c2s, [{access, all}, {shaper, none}, {max_stanza_size, 65536}, {protocol_options, [\"no_sslv3\"]}]}]}.", "", "",
		},
	},
	{
		[3]string{"LSN018", "MOD018", "TRM010"},
		diag.Info, "an option without effect",
		`The option is accepted and does nothing; the diagnostic says why. It can be removed.`,
		[3]string{
			"{listen, [{5222, ejabberd_c2s, [{xml_socket, true}]}]}.", "{modules, [{mod_bosh, [{backend, mnesia}]}]}.", "{node_type, normal}.",
		},
		[3]string{"{listen, [{5222, ejabberd_c2s, []}]}.", "{modules, [{mod_bosh, []}]}.", ""},
	},
	{
		[3]string{"LSN019", "MOD019", "TRM011"},
		diag.Info, "an option under its documented name",
		`The documentation and the source of 2.0.1 give the option different names. Meerkat takes both. 2.0.1 did not know the documented
one and ignored it; where the file was written by the documentation, the option has an effect now that it did not have before.`,
		[3]string{
			"{listen, [{5222, ejabberd_c2s, [{c2s_shaper, c2s_shaper}]}]}.", "", "{route_subdomain, s2s}.",
		},
		[3]string{"{listen, [{5222, ejabberd_c2s, [{shaper, c2s_shaper}]}]}.", "", "{route_subdomains, s2s}."},
	},
	{
		[3]string{"LSN004", "MOD004", "TRM012"},
		diag.Error, "options that are no list",
		`Options stand in a list, in brackets; [] means none.`,
		[3]string{
			"{listen, [{5280, ejabberd_cowboy, [{modules, [{\"_\", \"/ws\", mod_websockets, none}]}]}]}.", "{modules, [{mod_ping, none}]}.", "",
		},
		[3]string{
			"{listen, [{5280, ejabberd_cowboy, [{modules, [{\"_\", \"/ws\", mod_websockets, []}]}]}]}.", "{modules, [{mod_ping, []}]}.", "",
		},
	},
}

type optionCode struct {
	code          [3]string // of listeners, modules, the top level
	severity      diag.Severity
	title, text   string
	examples, fix [3]string
}

func (o *optionCode) codes() []diag.Code {
	var cs []diag.Code
	for i, where := range []string{"of a listener or route", "of a module", "at the top level"} {
		cs = append(cs, diag.Code{
			Code: o.code[i], Severity: o.severity, Title: o.title + " (" + where + ")", Text: o.text,
			Example: o.examples[i], Fix: o.fix[i],
		})
	}
	return cs
}

// codes are all others.
var codes = []diag.Code{
	// What this build lacks.
	{
		Code: "BLD001", Severity: diag.Error, Title: "a listener that this build does not serve",
		Text: `MongooseIM 2.0.1 has this listener module, and this build of Meerkat does not serve it yet. So that nobody finds a closed port by
surprise the node does not start; with --allow-missing-modules it starts without the listener.`,
		Example: "{listen, [{5269, ejabberd_s2s_in, []}]}.", Fix: "{listen, []}.",
	},
	{
		Code: "BLD002", Severity: diag.Error, Title: "an HTTP module that this build does not serve",
		Text: `MongooseIM 2.0.1 has this module for routes of ejabberd_cowboy, and this build of Meerkat does not serve it yet. With
--allow-missing-modules the node starts without the route.`,
		Fix: "{listen, []}.",
	},
	{
		Code: "BLD003", Severity: diag.Error, Title: "a module that this build does not serve",
		Text: `MongooseIM 2.0.1 has this module, and this build of Meerkat does not serve it yet. With --allow-missing-modules the node starts without
it.`,
		Example: "{modules, [{mod_muc, []}]}.", Fix: "{modules, []}.",
	},
	{
		Code: "BLD004", Severity: diag.Error, Title: "an option that this build does not serve",
		Text: `MongooseIM 2.0.1 has this option, and this build of Meerkat does not serve it yet. With --allow-missing-modules the node starts as if it
were absent.`,
		Example: "{listen, [{5222, ejabberd_c2s, [{zlib, 10000}]}]}.", Fix: "{listen, [{5222, ejabberd_c2s, []}]}.",
	},
	{
		Code: "BLD005", Severity: diag.Error, Title: "a value that this build does not serve",
		Text: `The option exists and takes this value in MongooseIM 2.0.1, but this build of Meerkat serves only some of its values. With
--allow-missing-modules the value is left out.`,
		Example: "{sasl_mechanisms, [cyrsasl_plain, cyrsasl_digest]}.", Fix: "{sasl_mechanisms, [cyrsasl_plain]}.",
	},
	{
		Code: "BLD006", Severity: diag.Error, Title: "a feature that this build does not serve",
		Text: `The file sets up something that this build of Meerkat does not have yet: federation with other servers, or an SQL database. It is said
once, however many options belong to it. With --allow-missing-modules the node starts without the feature.`,
		Example: "{s2s_use_starttls, optional}.", Fix: "{s2s_use_starttls, false}.",
	},
	// Files.
	{
		Code: "FIL001", Severity: diag.Error, Title: "a file that cannot be read, or does not fit",
		Text: `The option names a file that must be a readable regular file while the server starts. Relative paths count from the working
directory of the server, not from the configuration file. As a warning: the file is a certificate that has expired, lacks its key, or
is for none of the served hosts.`,
		Example: "{listen, [{5222, ejabberd_c2s, [{certfile, \"nofile.pem\"}, starttls]}]}.", Fix: "{listen, [{5222, ejabberd_c2s, []}]}.",
	},
	{
		Code: "INC001", Severity: diag.Error, Title: "a configuration file that cannot be read",
		Text:    `The configuration file, or one that it includes, does not exist or may not be read. Relative paths count from the working directory of the server.`,
		Example: "{include_config_file, \"nofile.cfg\"}.", Fix: "",
	},
	{
		Code: "INC002", Severity: diag.Error, Title: "files that include each other",
		Text:    `A file includes itself, directly or through others, or includes are nested more than 32 deep. MongooseIM 2.0.1 read on for ever.`,
		Example: "{include_config_file, \"ejabberd.cfg\"}.", Fix: "",
	},
	{
		Code: "INC003", Severity: diag.Warning, Title: "an atom in a file that is included with a filter",
		Text: `A term that is a single atom, such as override_acls, stands in a file that is included with disallow or allow_only. Meerkat compares
the atom itself with the filter; MongooseIM 2.0.1 did not start.`,
	},
	{
		Code: "INC004", Severity: diag.Warning, Title: "a term that a filter leaves out",
		Text: `The file is included with disallow or allow_only, and this term does not pass. A name in the filter is compared with the first element
of the term. define_macro is such a name too: with an allow_only that does not name it, macros of the included file are not defined.`,
	},
	{
		Code: "INC005", Severity: diag.Error, Title: "an include that is not written right",
		Text:    `An include names a file in double quotes. Filters follow in a list: {disallow, [Name]} and {allow_only, [Name]}.`,
		Example: "{include_config_file, other}.", Fix: "",
	},
	// Macros.
	{
		Code: "MAC001", Severity: diag.Error, Title: "a macro that is not defined",
		Text: `Every atom without a letter from a to z is a macro, wherever it stands: 'HOST', but also '_', '127.0.0.1' and '5222'. It needs a
define_macro at the top level, in any of the files, before or after. If no macro is meant, write text in double quotes: "_".`,
		Example: "{max_fsm_queue, 'LIMIT'}.", Fix: "{define_macro, 'LIMIT', 1000}.\n{max_fsm_queue, 'LIMIT'}.",
	},
	{
		Code: "MAC002", Severity: diag.Error, Title: "a macro name with small letters",
		Text:    `The name of a macro is an atom without any letter from a to z. Since it begins with a capital, it stands in single quotes.`,
		Example: "{define_macro, limit, 1000}.", Fix: "{define_macro, 'LIMIT', 1000}.",
	},
	{
		Code: "MAC003", Severity: diag.Warning, Title: "a macro within the value of a macro",
		Text:    `The values of macros are not searched for macros: the name stays where it is, as an atom.`,
		Example: "{define_macro, 'A', 'B'}.\n{define_macro, 'B', 5}.", Fix: "{define_macro, 'A', 5}.\n{define_macro, 'B', 5}.",
	},
	{
		Code: "MAC004", Severity: diag.Error, Title: "hosts given by a macro",
		Text:    `Hosts are looked for before macros are replaced, so that they cannot come from one. MongooseIM 2.0.1 crashed.`,
		Example: "{define_macro, 'HOSTS', [\"localhost\"]}.\n{hosts, 'HOSTS'}.", Fix: "{hosts, [\"localhost\"]}.",
	},
	{
		Code: "MAC005", Severity: diag.Warning, Title: "a macro that is defined twice",
		Text:    `The first definition of a macro counts, unlike with options, of which the last one does.`,
		Example: "{define_macro, 'LIMIT', 1}.\n{define_macro, 'LIMIT', 2}.", Fix: "{define_macro, 'LIMIT', 2}.",
	},
	// Hosts.
	{
		Code: "HST001", Severity: diag.Error, Title: "no hosts",
		Text:    `The file has to say which domains are served.`,
		Example: "{hosts, []}.", Fix: "{hosts, [\"example.org\"]}.",
	},
	{
		Code: "HST002", Severity: diag.Error, Title: "hosts listed twice",
		Text:    `There is one hosts or host term in all files together. MongooseIM 2.0.1 stopped with "too many hosts definitions".`,
		Example: "{hosts, [\"a.example\"]}.\n{host, \"b.example\"}.", Fix: "{hosts, [\"a.example\", \"b.example\"]}.",
	},
	{
		Code: "HST003", Severity: diag.Error, Title: "a name that no host can have",
		Text: `Names of hosts are prepared like names of users: they hold no blanks, none of " & ' / : < > @ and fewer than 1024 bytes. A port belongs
to the listen term; an IPv6 address cannot be a host.`,
		Example: "{hosts, [\"example.org:5222\"]}.", Fix: "{hosts, [\"example.org\"]}.",
	},
	{
		Code: "HST004", Severity: diag.Error, Title: "a host listed twice",
		Text:    `The host stands in the list twice, perhaps in different spellings. MongooseIM 2.0.1 started everything of it twice.`,
		Example: "{hosts, [\"example.org\", \"Example.org\"]}.", Fix: "{hosts, [\"example.org\"]}.",
	},
	{
		Code: "HST005", Severity: diag.Warning, Title: "a host that is spelt otherwise",
		Text:    `The host is served under the prepared name, with small letters, to which the rest of the file has to refer.`,
		Example: "{hosts, [\"Example.org\"]}.", Fix: "{hosts, [\"example.org\"]}.",
	},
	{
		Code: "HST006", Severity: diag.Error, Title: "hosts that are no list of strings",
		Text:    `Hosts are strings in double quotes, within brackets even if there is one only.`,
		Example: "{hosts, \"example.org\"}.", Fix: "{hosts, [\"example.org\"]}.",
	},
	// Terms.
	{
		Code: "TRM001", Severity: diag.Error, Title: "a term that means nothing",
		Text: `No option is written like this. At the top level stand tuples of a name and a value; a few options have three elements. MongooseIM
2.0.1 stopped with "case_clause" and the term. Often the option belongs to another release: {pool, odbc, default} to MongooseIM 2.1.`,
		Example: "{loglevel}.", Fix: "{loglevel, 4}.",
	},
	// host_config.
	{
		Code: "HC001", Severity: diag.Error, Title: "host_config for a host that is not served",
		Text:    `The host has to be listed in hosts. MongooseIM 2.0.1 stored the options and never read them.`,
		Example: "{host_config, \"example.net\", [{auth_method, anonymous}]}.", Fix: "{host_config, \"localhost\", [{auth_method, anonymous}]}.",
	},
	{
		Code: "HC002", Severity: diag.Warning, Title: "an option that hosts cannot have for themselves",
		Text:    `The option holds for the whole node. In host_config it has no effect, as in MongooseIM 2.0.1, although its documentation allows every option there.`,
		Example: "{host_config, \"localhost\", [{language, \"pl\"}]}.", Fix: "{language, \"pl\"}.",
	},
	{
		Code: "HC003", Severity: diag.Warning, Title: "host_config above what it is to replace",
		Text:    `The file is read from top to bottom and the last setting counts: a term for all hosts replaces what a host_config above it has set.`,
		Example: "{host_config, \"localhost\", [{auth_opts, []}]}.\n{auth_opts, []}.", Fix: "{auth_opts, []}.\n{host_config, \"localhost\", [{auth_opts, []}]}.",
	},
	{
		Code: "HC004", Severity: diag.Warning, Title: "an added option that is overridden",
		Text: `{{add, modules}, [...]} puts modules before those for all hosts, and of a module that stands twice the later options win. So the
list for all hosts overrides what is added, the opposite of what one expects.`,
		Example: "{modules, [{mod_ping, [{ping_interval, 60}]}]}.\n{host_config, \"localhost\", [{{add, modules}, [{mod_ping, [{ping_interval, 90}]}]}]}.",
		Fix:     "{modules, [{mod_ping, [{ping_interval, 60}]}]}.\n{host_config, \"localhost\", [{modules, [{mod_ping, [{ping_interval, 90}]}]}]}.",
	},
	{
		Code: "HC005", Severity: diag.Warning, Title: "nothing to add to",
		Text:    `{{add, modules}, [...]} stands above the modules for all hosts: it is taken as the whole list, and a modules term below replaces it.`,
		Example: "{host_config, \"localhost\", [{{add, modules}, [{mod_ping, []}]}]}.", Fix: "{modules, []}.\n{host_config, \"localhost\", [{{add, modules}, [{mod_ping, []}]}]}.",
	},
	{
		Code: "HC006", Severity: diag.Error, Title: "host_config without a list",
		Text:    `The options of host_config stand in a list.`,
		Example: "{host_config, \"localhost\", {auth_opts, []}}.", Fix: "{host_config, \"localhost\", [{auth_opts, []}]}.",
	},
	// ACLs.
	{
		Code: "ACL001", Severity: diag.Warning, Title: "an argument of an ACL that changes",
		Text: `Like MongooseIM 2.0.1, Meerkat prepares every argument of an ACL like the name of a user, also patterns: capitals become small letters.
For names that is what is wanted; in patterns \D becomes \d, which is its opposite.`,
		Example: "{acl, admin, {user, \"Joe\"}}.", Fix: "{acl, admin, {user, \"joe\"}}.",
	},
	{
		Code: "ACL002", Severity: diag.Warning, Title: "an argument of an ACL that cannot be used",
		Text: `Arguments of ACLs are strings, and they may not hold blanks and none of " & ' / : < > @, not even patterns: "^[^ ]+$" matches nobody, in
2.0.1 and here.`,
		Example: "{acl, admin, {user_regexp, \"^[^ ]+$\"}}.", Fix: "{acl, admin, {user_regexp, \"^joe\"}}.",
	},
	{
		Code: "ACL003", Severity: diag.Warning, Title: "a pattern that is none",
		Text:    `The regular expression or shell pattern cannot be compiled; it matches nobody. 2.0.1 logged that at every use.`,
		Example: "{acl, admin, {user_regexp, \"joe(\"}}.", Fix: "{acl, admin, {user_regexp, \"joe\"}}.",
	},
	{
		Code: "ACL004", Severity: diag.Warning, Title: "an unknown form of an ACL",
		Text:    `The first element of the specification is unknown, or it has another number of arguments. Like in 2.0.1, it matches nobody.`,
		Example: "{acl, admin, {usr, \"joe\"}}.", Fix: "{acl, admin, {user, \"joe\"}}.",
	},
	{
		Code: "ACL005", Severity: diag.Warning, Title: "shared_group",
		Text:    `The documentation lists {shared_group, Group}, but 2.0.1 never had it: it matches nobody.`,
		Example: "{acl, staff, {shared_group, \"staff\"}}.", Fix: "{acl, staff, {user_glob, \"staff-*\"}}.",
	},
	{
		Code: "ACL006", Severity: diag.Warning, Title: "an ACL that is never filled",
		Text: `An access rule names an ACL of which there is no acl term, so that nobody is in it. For the names admin and blocked, which the shipped
file leaves empty, this is an info.`,
		Example: "{access, c2s, [{deny, spammers}, {allow, all}]}.", Fix: "{acl, spammers, {user, \"joe\"}}.\n{access, c2s, [{deny, spammers}, {allow, all}]}.",
	},
	{
		Code: "ACL007", Severity: diag.Warning, Title: "a resource that never matches",
		Text:    `Arguments of ACLs lose their capitals and resources of clients keep theirs: the entry never matches a resource with capitals.`,
		Example: "{acl, phones, {resource, \"Mobile\"}}.", Fix: "{acl, phones, {resource, \"mobile\"}}.",
	},
	{
		Code: "ACL008", Severity: diag.Error, Title: "an ACL that cannot be read",
		Text:    `The specification of an ACL is all, none, or a tuple of a form and one or two strings. MongooseIM 2.0.1 did not start.`,
		Example: "{acl, admin, joe}.", Fix: "{acl, admin, {user, \"joe\"}}.",
	},
	{
		Code: "ACL009", Severity: diag.Info, Title: "a pattern that is slow",
		Text: `The pattern uses what only a backtracking engine can do, such as a reference to what was found before. It works as in 2.0.1, at a higher
cost; a search that takes more than a tenth of a second counts as not found.`,
		Example: "{acl, odd, {user_regexp, \"(.)\\\\1\"}}.", Fix: "{acl, odd, {user_regexp, \"oo\"}}.",
	},
	// Access rules and shapers.
	{
		Code: "ACC001", Severity: diag.Warning, Title: "value and ACL swapped",
		Text: `A clause of an access rule is {Value, ACL}. The documentation of MongooseIM shows {admin, deny} in one place: that gives the value admin
to the members of an ACL called deny.`,
		Example: "{acl, admin, {user, \"joe\"}}.\n{access, register, [{admin, deny}]}.", Fix: "{acl, admin, {user, \"joe\"}}.\n{access, register, [{deny, admin}]}.",
	},
	{
		Code: "ACC002", Severity: diag.Warning, Title: "a clause that is no pair",
		Text:    `The clauses of an access rule are a list of {Value, ACL}. Whoever comes to another element is denied; MongooseIM 2.0.1 crashed.`,
		Example: "{access, c2s, [allow]}.", Fix: "{access, c2s, [{allow, all}]}.",
	},
	{
		Code: "ACC003", Severity: diag.Warning, Title: "a clause that is never reached",
		Text:    `Clauses are looked at in order, and one for the ACL all ends the search. What stands behind it has no effect.`,
		Example: "{access, c2s, [{allow, all}, {deny, blocked}]}.", Fix: "{access, c2s, [{deny, blocked}, {allow, all}]}.",
	},
	{
		Code: "ACC004", Severity: diag.Warning, Title: "an access rule that is not defined",
		Text:    `An option names an access rule that the file does not define. Such a rule denies everybody; one that gives a shaper limits nothing.`,
		Example: "{listen, [{5222, ejabberd_c2s, [{access, registered}]}]}.", Fix: "{access, registered, [{allow, all}]}.\n{listen, [{5222, ejabberd_c2s, [{access, registered}]}]}.",
	},
	{
		Code: "ACC005", Severity: diag.Warning, Title: "a shaper that is not defined",
		Text:    `An access rule or an option names a shaper that the file does not define. Nothing is limited.`,
		Example: "{access, c2s_shaper, [{slow, all}]}.\n{listen, [{5222, ejabberd_c2s, [{shaper, c2s_shaper}]}]}.",
		Fix:     "{shaper, slow, {maxrate, 1000}}.\n{access, c2s_shaper, [{slow, all}]}.\n{listen, [{5222, ejabberd_c2s, [{shaper, c2s_shaper}]}]}.",
	},
	{
		Code: "ACC006", Severity: diag.Warning, Title: "a rule of a host that is never reached",
		Text: `The access rule for all hosts has priority over that of a host; only its last clause, if it is {allow, all}, comes after. A rule for all
hosts that decides about everybody leaves nothing to the host.`,
		Example: "{access, c2s, [{deny, all}]}.\n{host_config, \"localhost\", [{access, c2s, [{allow, all}]}]}.",
		Fix:     "{access, c2s, [{deny, blocked}, {allow, all}]}.\n{host_config, \"localhost\", [{access, c2s, [{deny, all}]}]}.",
	},
	{
		Code: "SHP001", Severity: diag.Error, Title: "a shaper without a rate",
		Text:    `The limit of a shaper is {maxrate, N}, with a number of bytes a second greater than 0. In MongooseIM 2.0.1 everybody whom the shaper was to limit was disconnected.`,
		Example: "{shaper, normal, 1000}.", Fix: "{shaper, normal, {maxrate, 1000}}.",
	},
	// Authentication.
	{
		Code: "AUT001", Severity: diag.Warning, Title: "no auth_method",
		Text:    `Without auth_method nobody can log in on that host.`,
		Example: "{hosts, [\"localhost\"]}.", Fix: "{hosts, [\"localhost\"]}.\n{auth_method, internal}.",
	},
	{
		Code: "AUT002", Severity: diag.Error, Title: "an authentication method that does not exist",
		Text:    `The methods of MongooseIM 2.0.1 are internal, odbc, external, http, ldap, anonymous and riak, written as atoms. rdbms and jwt belong to later releases, pam and sql to ejabberd.`,
		Example: "{auth_method, rdbms}.", Fix: "{auth_method, internal}.",
	},
	{
		Code: "AUT003", Severity: diag.Error, Title: "an authentication method without what it needs",
		Text:    `The method external needs extauth_program, the method http needs host, both in auth_opts.`,
		Example: "{auth_method, external}.", Fix: "{auth_method, external}.\n{auth_opts, [{extauth_program, \"/usr/local/bin/auth\"}]}.",
	},
	{
		Code: "AUT004", Severity: diag.Error, Title: "too few rounds of SCRAM",
		Text:    `scram_iterations is an integer of at least 2; with less, MongooseIM 2.0.1 never finished a login.`,
		Example: "{auth_opts, [{scram_iterations, 1}]}.", Fix: "{auth_opts, [{scram_iterations, 4096}]}.",
	},
	{
		Code: "AUT005", Severity: diag.Warning, Title: "an option of auth_opts at the top level",
		Text: `Until MongooseIM 1.4 this option stood at the top level, and the documentation of 2.0.1 still shows it there. 2.0.1 ignored it, and so
does Meerkat: taking it would change how passwords are stored in an installation that runs.`,
		Example: "{auth_password_format, scram}.", Fix: "{auth_opts, [{password_format, scram}]}.",
	},
	{
		Code: "AUT006", Severity: diag.Warning, Title: "scram with a method that keeps no passwords",
		Text:    `The methods external and ldap check passwords elsewhere: password_format has no effect on them, and with them clients can use PLAIN only.`,
		Example: "{auth_method, ldap}.\n{auth_opts, [{password_format, scram}]}.", Fix: "{auth_method, ldap}.",
	},
	{
		Code: "AUT007", Severity: diag.Warning, Title: "anonymous names beside accounts",
		Text:    `With login_anon or both, any user name that no other method knows logs in anonymously, mistyped ones too.`,
		Example: "{auth_method, [internal, anonymous]}.\n{anonymous_protocol, both}.", Fix: "{auth_method, [internal, anonymous]}.\n{anonymous_protocol, sasl_anon}.",
	},
	// Databases.
	{
		Code: "DB001", Severity: diag.Error, Title: "a database that cannot be used",
		Text:    `odbc_server is {pgsql, Server, Port, Database, User, Password} or the same with mysql; the port may be left out. All but the port are strings.`,
		Example: "{odbc_server, {oracle, \"localhost\", \"db\", \"user\", \"secret\"}}.", Fix: "{odbc_server, {pgsql, \"localhost\", \"db\", \"user\", \"secret\"}}.",
	},
	{
		Code: "DB002", Severity: diag.Error, Title: "odbc without a database",
		Text:    `The authentication method or module is to keep its data in an SQL database, and the host has no odbc_server. 2.0.1 started, and every request failed.`,
		Example: "{auth_method, odbc}.", Fix: "{auth_method, odbc}.\n{odbc_server, {pgsql, \"localhost\", \"db\", \"user\", \"secret\"}}.",
	},
	{
		Code: "DB003", Severity: diag.Info, Title: "many connections to databases",
		Text:    `Every host with odbc_server opens odbc_pool_size connections of its own, also if the database is the same. PostgreSQL allows 100 unless told otherwise.`,
		Example: "{odbc_server, {pgsql, \"localhost\", \"db\", \"user\", \"secret\"}}.\n{odbc_pool_size, 200}.",
		Fix:     "{odbc_server, {pgsql, \"localhost\", \"db\", \"user\", \"secret\"}}.\n{odbc_pool_size, 20}.",
	},
	{
		Code: "DB004", Severity: diag.Error, Title: "the port of a database in quotes",
		Text:    `The port of odbc_server is an integer.`,
		Example: "{odbc_server, {pgsql, \"localhost\", \"5432\", \"db\", \"user\", \"secret\"}}.",
		Fix:     "{odbc_server, {pgsql, \"localhost\", 5432, \"db\", \"user\", \"secret\"}}.",
	},
	{
		Code: "DB005", Severity: diag.Warning, Title: "sessions in Redis",
		Text:    `sm_backend redis is accepted, but sessions are kept in memory. Nodes of MongooseIM that use the same Redis server do not see them.`,
		Example: "{sm_backend, {redis, []}}.", Fix: "{sm_backend, {mnesia, []}}.",
	},
	{
		Code: "SMB001", Severity: diag.Warning, Title: "no sm_backend",
		Text:    `The file does not say where sessions are kept; they are in memory. MongooseIM 2.0.1 did not start without the option.`,
		Example: "{hosts, [\"localhost\"]}.\n{auth_method, internal}.", Fix: "{hosts, [\"localhost\"]}.\n{sm_backend, {mnesia, []}}.",
	},
	{
		Code: "SMB002", Severity: diag.Error, Title: "an unknown sm_backend",
		Text:    `sm_backend is {mnesia, []} or {redis, Options}.`,
		Example: "{sm_backend, mnesia}.", Fix: "{sm_backend, {mnesia, []}}.",
	},
	// Listeners.
	{
		Code: "LSN001", Severity: diag.Error, Title: "an entry of listen that is no tuple of three",
		Text:    `An entry of the listen term is {Port, Module, Options}: the options are a list, [] for none, and the module is an atom.`,
		Example: "{listen, [{5222, ejabberd_c2s}]}.", Fix: "{listen, [{5222, ejabberd_c2s, []}]}.",
	},
	{
		Code: "LSN002", Severity: diag.Error, Title: "a port or address that cannot be read",
		Text:    `Ports are integers from 0 to 65535. Addresses are tuples, {127,0,0,1}, or literals in double quotes, "127.0.0.1" or "::1"; names of hosts are not looked up.`,
		Example: "{listen, [{{5222, \"localhost\"}, ejabberd_c2s, []}]}.", Fix: "{listen, [{{5222, \"127.0.0.1\"}, ejabberd_c2s, []}]}.",
	},
	{
		Code: "LSN003", Severity: diag.Error, Title: "a listener or HTTP module that does not exist",
		Text: `The listeners of MongooseIM 2.0.1 are ejabberd_c2s, ejabberd_s2s_in, ejabberd_service and ejabberd_cowboy; everything of HTTP is a
route of the last. With --allow-missing-modules the node starts without what it does not know.`,
		Example: "{listen, [{5280, ejabberd_http, [http_bind]}]}.", Fix: "{listen, [{5280, ejabberd_cowboy, [{modules, [{\"_\", \"/http-bind\", mod_bosh}]}]}]}.\n{modules, [{mod_bosh, []}]}.",
	},
	{
		Code: "LSN005", Severity: diag.Warning, Title: "an unknown protocol",
		Text:    `The protocol of a listener is tcp, udp, ws or wss. Anything else counts as tcp.`,
		Example: "{listen, [{{5222, sctp}, ejabberd_c2s, []}]}.", Fix: "{listen, [{{5222, tcp}, ejabberd_c2s, []}]}.",
	},
	{
		Code: "LSN006", Severity: diag.Warning, Title: "two entries with one address",
		Text:    `Two entries of the listen term have the same port, address and protocol. The first one is used, the other is left out.`,
		Example: "{listen, [{5222, ejabberd_c2s, []}, {5222, ejabberd_c2s, [{backlog, 5}]}]}.", Fix: "{listen, [{5222, ejabberd_c2s, []}, {5223, ejabberd_c2s, [{backlog, 5}]}]}.",
	},
	{
		Code: "LSN007", Severity: diag.Error, Title: "a listen term without a list",
		Text:    `The value of listen is a list of entries.`,
		Example: "{listen, {5222, ejabberd_c2s, []}}.", Fix: "{listen, [{5222, ejabberd_c2s, []}]}.",
	},
	{
		Code: "LSN008", Severity: diag.Error, Title: "addresses that exclude each other",
		Text:    `One entry listens on every address and another on one of them, with the same port: the second cannot be bound.`,
		Example: "{listen, [{5222, ejabberd_c2s, []}, {{5222, \"127.0.0.1\"}, ejabberd_c2s, []}]}.",
		Fix:     "{listen, [{{5222, \"127.0.0.2\"}, ejabberd_c2s, []}, {{5222, \"127.0.0.1\"}, ejabberd_c2s, []}]}.",
	},
	{
		Code: "LSN009", Severity: diag.Warning, Title: "an address option without effect",
		Text:    `The address that stands beside the port wins over the options ip and inet6.`,
		Example: "{listen, [{{5222, \"127.0.0.1\"}, ejabberd_c2s, [inet6]}]}.", Fix: "{listen, [{{5222, \"127.0.0.1\"}, ejabberd_c2s, []}]}.",
	},
	{
		Code: "LSN030", Severity: diag.Error, Title: "TLS without a certificate",
		Text: `The listener is to encrypt and has no certificate. MongooseIM 2.0.1 started and closed every connection that wanted TLS; a port that
silently refuses everybody is worse than a message.`,
		Example: "{listen, [{5222, ejabberd_c2s, [starttls]}]}.", Fix: "{listen, [{5222, ejabberd_c2s, []}]}.",
	},
	{
		Code: "LSN031", Severity: diag.Error, Title: "components without a password",
		Text:    `ejabberd_service needs the secret that components prove: {password, Secret}, or within host or hosts. Without it MongooseIM 2.0.1 closed every connection at once.`,
		Example: "{listen, [{8888, ejabberd_service, []}]}.", Fix: "{listen, [{8888, ejabberd_service, [{password, \"secret\"}]}]}.",
	},
	{
		Code: "LSN032", Severity: diag.Info, Title: "host and hosts of components",
		Text:    `The documentation describes host and hosts of ejabberd_service, which 2.0.1 did not read: it refused every component then. Meerkat takes them as documented.`,
		Example: "{listen, [{8888, ejabberd_service, [{host, \"irc.localhost\", [{password, \"secret\"}]}]}]}.",
		Fix:     "{listen, [{8888, ejabberd_service, [{password, \"secret\"}]}]}.",
	},
	{
		Code: "LSN033", Severity: diag.Error, Title: "HTTPS in the form of MongooseIM 1.x",
		Text: `cert, key and key_pass made a port HTTPS in MongooseIM 1.x. 2.0.1 ignored them and served plain HTTP without a word. Meerkat does not
start a port unencrypted that was meant to be encrypted.`,
		Example: "{listen, [{5285, ejabberd_cowboy, [{cert, \"cert.pem\"}, {key, \"key.pem\"}, {modules, []}]}]}.",
		Fix:     "{listen, [{5285, ejabberd_cowboy, [{ssl, [{certfile, \"cert.pem\"}, {keyfile, \"key.pem\"}]}, {modules, []}]}]}.",
	},
	{
		Code: "LSN034", Severity: diag.Error, Title: "a protocol that the listener does not serve",
		Text:    `No listener serves udp, and ejabberd_cowboy serves tcp only; whether a route speaks WebSocket is said by its module.`,
		Example: "{listen, [{{5280, ws}, ejabberd_cowboy, [{modules, []}]}]}.", Fix: "{listen, [{5280, ejabberd_cowboy, [{modules, []}]}]}.",
	},
	{
		Code: "LSN035", Severity: diag.Info, Title: "tls and starttls together",
		Text:    `With tls a connection is encrypted from its first byte, and STARTTLS is not offered on it.`,
		Example: "{listen, [{5223, ejabberd_c2s, [tls, starttls, {certfile, \"priv/ssl/fake_server.pem\"}]}]}.",
		Fix:     "{listen, [{5223, ejabberd_c2s, [tls, {certfile, \"priv/ssl/fake_server.pem\"}]}]}.",
	},
	{
		Code: "LSN036", Severity: diag.Warning, Title: "no version of TLS left",
		Text:    `protocol_options switches off every version of TLS that clients of today speak.`,
		Example: "{listen, [{5222, ejabberd_c2s, [{protocol_options, [\"no_tlsv1_2\", \"no_tlsv1_3\"]}]}]}.",
		Fix:     "{listen, [{5222, ejabberd_c2s, [{protocol_options, [\"no_tlsv1\"]}]}]}.",
	},
	{
		Code: "LSN037", Severity: diag.Error, Title: "client certificates without anything to trust",
		Text:    `verify_peer asks clients for a certificate and needs to know which certificate authorities to believe: cacertfile.`,
		Example: "{listen, [{5285, ejabberd_cowboy, [{ssl, [{certfile, \"c.pem\"}, {verify, verify_peer}]}, {modules, []}]}]}.",
		Fix:     "{listen, [{5285, ejabberd_cowboy, [{ssl, [{certfile, \"c.pem\"}]}, {modules, []}]}]}.",
	},
	{
		Code: "LSN038", Severity: diag.Warning, Title: "STARTTLS over WebSocket",
		Text: `A route to mod_websockets takes options of ejabberd_c2s. With starttls_required it demands what does not exist over WebSocket, and every
login is refused, as by 2.0.1.`,
		Example: "{listen, [{5280, ejabberd_cowboy, [{modules, [{\"_\", \"/ws\", mod_websockets, [starttls_required]}]}]}]}.",
		Fix:     "{listen, [{5280, ejabberd_cowboy, [{modules, [{\"_\", \"/ws\", mod_websockets, []}]}]}]}.",
	},
	// Modules.
	{
		Code: "MOD001", Severity: diag.Error, Title: "modules that are no list of pairs",
		Text:    `The value of modules is a list of {Module, Options}; a module without options has [].`,
		Example: "{modules, [mod_ping]}.", Fix: "{modules, [{mod_ping, []}]}.",
	},
	{
		Code: "MOD002", Severity: diag.Warning, Title: "an option overridden further on",
		Text:    `The module stands in the list twice, or another module demands it with options. The options are merged, and the later ones win.`,
		Example: "{modules, [{mod_ping, [{ping_interval, 60}]}, {mod_ping, [{ping_interval, 90}]}]}.", Fix: "{modules, [{mod_ping, [{ping_interval, 90}]}]}.",
	},
	{
		Code: "MOD003", Severity: diag.Error, Title: "a module that does not exist",
		Text: `MongooseIM 2.0.1 has no such module and did not start. It may belong to another release, to ejabberd, or be written by somebody else;
modules written in Erlang cannot be loaded. With --allow-missing-modules the node starts without it.`,
		Example: "{modules, [{mod_rooster, []}]}.", Fix: "{modules, []}.",
	},
	{
		Code: "MOD005", Severity: diag.Error, Title: "modules that need each other",
		Text: `Each of the modules has to start before the other.`,
	},
	{
		Code: "MOD006", Severity: diag.Error, Title: "a module with the domain of a host",
		Text:    `A module that serves a domain of its own, such as mod_muc, must not have that of a host: stanzas would go round in a circle, and the server would run out of memory.`,
		Example: "", Fix: "",
	},
	{
		Code: "MOD007", Severity: diag.Error, Title: "two modules with one domain",
		Text: `Two modules are to serve the same domain; only one of them would get its stanzas.`,
	},
	{
		Code: "MOD008", Severity: diag.Warning, Title: "a module with an invalid domain",
		Text: `The domain that the module is to serve is no domain: nobody can write to it.`,
	},
	{
		Code: "MOD020", Severity: diag.Error, Title: "options of a module that contradict each other",
		Text: `The options of the module are right each for itself and cannot hold together; the diagnostic says which.`,
	},
	// Federation.
	{
		Code: "S2S001", Severity: diag.Info, Title: "a string where 2.0.1 needed a binary",
		Text: `In MongooseIM 2.0.1 {s2s_host, "far.example"} had no effect, and {domain_certfile, "example.org", File} only for outgoing
connections, because the names were looked up as binaries. Meerkat takes both forms as documented.`,
		Example: "{{s2s_host, \"far.example\"}, deny}.", Fix: "{{s2s_host, <<\"far.example\">>}, deny}.",
	},
	{
		Code: "S2S002", Severity: diag.Error, Title: "a host or address of another server that cannot be read",
		Text:    `s2s_addr gives an IP address, with or without port; s2s_host gives allow or deny. The host of both is a string.`,
		Example: "{{s2s_addr, \"far.example\"}, \"host.far.example\"}.", Fix: "{{s2s_addr, \"far.example\"}, {192,0,2,1}}.",
	},
}
