package roster

import "meerkat/cfgterm/schema"

// Options are the settings of mod_roster.
type Options struct {
	// IQDisc is how jabber:iq:roster is processed.
	IQDisc schema.IQDisc
	// Versioning offers roster versioning (XEP-0237).
	Versioning bool
	// StoreCurrentID keeps the version in the store instead of computing it.
	StoreCurrentID bool
	// Backend is "mnesia", the embedded store.
	Backend string
}

// Table returns the option table of mod_roster.
func Table() *schema.Table[Options] { return table }

var table = &schema.Table[Options]{
	Name: "mod_roster",
	Kind: schema.Module,
	Doc: "Keeps contact lists (RFC 6121) and the subscriptions between accounts. Without it presence reaches nobody " +
		"but those whom it is sent to directly.",
	Options: []schema.Option[Options]{
		schema.IQDiscOption("one_queue", func(o *Options) *schema.IQDisc { return &o.IQDisc }),
		{
			Name: "versioning", Value: schema.Field(schema.Bool(), func(o *Options) *bool { return &o.Versioning }),
			Default: "false", Example: "true",
			Doc: "Offers roster versioning (XEP-0237): a client that has the current version is not sent the " +
				"roster again.",
			Since: "1.2.2", TOML: "versioning", Effect: schema.OnReload, Bad: schema.Ignored,
		},
		{
			Name: "store_current_id", Value: schema.Field(schema.Bool(), func(o *Options) *bool { return &o.StoreCurrentID }),
			Default: "false", Example: "true",
			Doc: "Keeps the version of a roster in the store and makes a new one with each change, instead of " +
				"computing a digest of the roster when it is asked for.",
			Since: "1.2.2", TOML: "store_current_id", Effect: schema.OnReload, Bad: schema.Ignored,
		},
		schema.BackendOption(func(o *Options) *string { return &o.Backend }),
	},
}
