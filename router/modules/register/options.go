package register

import (
	"net/netip"

	"meerkat/cfgterm/schema"
)

// Options are the settings of mod_register.
type Options struct {
	// IQDisc is how requests of logged-in users are processed.
	IQDisc schema.IQDisc
	// Access names the rule that says who may register, and which users may
	// change their password and remove their account. "": everybody may register,
	// nobody may do the others.
	Access string
	// Welcome is sent to new accounts.
	Welcome Welcome
	// Watchers are told of new accounts.
	Watchers []string
	// Strength is how many bits of entropy a password needs.
	Strength float64
	// IPAccess says which addresses may register; the first match counts, and
	// no match allows.
	IPAccess []IPRule
}

// Welcome is a message for new accounts; none is sent if both parts are empty.
type Welcome struct{ Subject, Body string }

// An IPRule allows or denies the addresses of a network.
type IPRule struct {
	Allow   bool
	Network netip.Prefix
}

// Table returns the option table of mod_register.
func Table() *schema.Table[Options] { return table }

var (
	welcome = schema.Either(
		schema.Tuple(
			schema.Elem("Subject", schema.Text(), func(w *Welcome) *string { return &w.Subject }),
			schema.Elem("Body", schema.Text(), func(w *Welcome) *string { return &w.Body }),
		),
		// The shipped file has {welcome_message, {""}}, which 2.0.1 ignores.
		schema.Tuple(schema.Skip[Welcome]("Subject", schema.Text())),
	)
	network = schema.Convert(schema.Text(), parseNetwork).Named(`an address or network in quotes, such as "192.168.0.0/16"`)
	ipRule  = schema.Tuple(
		schema.Elem("allow or deny", schema.Words(map[string]bool{"allow": true, "deny": false}), func(r *IPRule) *bool { return &r.Allow }),
		schema.Elem("Network", network, func(r *IPRule) *netip.Prefix { return &r.Network }),
	)
)

// parseNetwork reads an address with or without a prefix length.
func parseNetwork(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

var table = &schema.Table[Options]{
	Name: module,
	Kind: schema.Module,
	Doc: "Lets clients register accounts in band (XEP-0077), and users change their password and remove their account. " +
		"How often one address may register is the top-level option registration_timeout.",
	Options: []schema.Option[Options]{
		schema.IQDiscOption("one_queue", func(o *Options) *schema.IQDisc { return &o.IQDisc }),
		{
			Name: "access", Value: schema.Field(schema.AccessRule(), func(o *Options) *string { return &o.Access }),
			Absent: "everybody may register, nobody may change a password or remove an account", Example: "register",
			Doc: "Access rule for new accounts, by their address, and for users who change their password or remove " +
				"their account.",
			Since: "1.2.2", TOML: "access", Effect: schema.OnReload, Bad: schema.Ignored, BadTerm: "none",
		},
		{
			Name: "welcome_message", Value: schema.Field(welcome, func(o *Options) *Welcome { return &o.Welcome }),
			Absent: "none", Example: `{"Welcome!", "You have an account now."}`,
			Doc:   "Message for new accounts as {Subject, Body}. The shipped file has {\"\"}: no message.",
			Since: "1.2.2", TOML: "welcome_message", Effect: schema.OnReload, Bad: schema.Ignored,
		},
		{
			Name: "registration_watchers", Value: schema.Field(schema.List(schema.Text()), func(o *Options) *[]string { return &o.Watchers }),
			Default: "[]", Example: `["admin@example.org"]`,
			Doc:   "Addresses that are sent a message about each new account.",
			Since: "1.2.2", TOML: "registration_watchers", Effect: schema.OnReload, Bad: schema.Ignored,
		},
		{
			Name: "password_strength", Value: schema.Field(schema.Number(0), func(o *Options) *float64 { return &o.Strength }),
			Default: "0", Example: "32",
			Doc: "Bits of entropy that a password needs, counted from its length and the kinds of characters in it. " +
				"0 asks for nothing.",
			Since: "1.2.2", TOML: "password_strength", Effect: schema.OnReload, Bad: schema.Ignored,
		},
		{
			Name: "ip_access", Value: schema.Field(schema.List(ipRule), func(o *Options) *[]IPRule { return &o.IPAccess }),
			Default: "[]", Example: `[{allow, "127.0.0.0/8"}, {deny, "0.0.0.0/0"}]`,
			Doc: "Addresses that may register: a list of {allow, \"NETWORK\"} and {deny, \"NETWORK\"}. The first that " +
				"holds the address counts; an address that none holds may register.",
			Since: "1.2.2", TOML: "ip_access", Effect: schema.OnReload, Bad: schema.Refused,
		},
		{
			Name: "access_from", Value: schema.Unused[Options](schema.AccessRule()),
			Absent: "no effect", Example: "register_from",
			Doc:   "Documented, but 2.0.1 never read it.",
			Since: "1.2.2", TOML: "-", Effect: schema.OnReload, Bad: schema.AnyValue,
			NoEffect: "MongooseIM 2.0.1 never read it; use access",
		},
	},
}
