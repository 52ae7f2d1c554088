// Package schema declares options. Everything that can be set in ejabberd.cfg, be
// it an option of a listener, of an HTTP module, of a mod_* or of the top level,
// is one [Option] in one [Table]; the decoder, the defaults, the diagnostics, the
// reference manual and the migration to TOML all read the same entry.
//
//	var table = &schema.Table[Options]{
//		Name: "mod_ping", Kind: schema.Module,
//		Doc: "Answers XEP-0199 pings and pings idle clients.",
//		Options: []schema.Option[Options]{{
//			Name: "ping_interval",
//			Value: schema.Field(schema.Seconds(1, schema.NoLimit),
//				func(o *Options) *time.Duration { return &o.Interval }),
//			Default: "60", Example: "90",
//			Doc:   "How long a client may be silent before it is pinged, in seconds.",
//			Since: "1.2.2", TOML: "ping_interval",
//			Effect: schema.NewConnections, Bad: schema.Ignored,
//		}},
//	}
//
// [Table.Decode] turns a list of terms into the typed struct, says for every value
// where it comes from, and reports what is wrong: an unknown option (with the
// nearest known one), an option of another release, an atom written as a tuple, a
// double, a value of the wrong shape, an option that this build does not serve.
// What 2.0.1 refused is an error; what it silently ignored is a warning, and the
// option is ignored here too.
//
// Values of options marked Secret, and of types marked with [Type.Secret], appear
// in no diagnostic and no listing.
//
// Package schematest (beside this one) checks a table as a whole: it is the test
// that each package with a table runs.
//
// It imports cfgterm and cfgterm/diag.
package schema
