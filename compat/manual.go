package compat

import "meerkat/cfgterm/schema"

// Sections are the option tables of the top level and of what the program has, in
// the order of the manual: what "meerkat explain" looks names up in.
func Sections(b Builtins) []schema.Section {
	tables := func(bs []Builtin) []schema.Schema {
		var ts []schema.Schema
		for _, b := range bs {
			ts = append(ts, b.Table)
		}
		return ts
	}
	return []schema.Section{
		{
			Title: "Top level", Tables: []schema.Schema{termTable, nodeTable(&b), hostTable(&b)},
			Text: "What stands at the top level of the file: terms, each ended by a dot.",
		},
		{
			Title: "Listeners", Tables: tables(b.Listeners),
			Text: "What can stand in the `listen` term. In these lists an atom that stands alone is another option than a tuple, " +
				"and of two tuples with one name the first counts.",
		},
		{
			Title: "HTTP modules", Tables: tables(b.Handlers),
			Text: "What can stand in a route of `ejabberd_cowboy`.",
		},
		{
			Title: "Modules", Tables: tables(b.Modules),
			Text: "What can stand in the `modules` term. In these lists an atom that stands alone means the value true.",
		},
	}
}

const manualIntro = `All options of ejabberd.cfg that Meerkat knows, with the defaults of the documentation of MongooseIM 2.0.1 and, where it had
others, those of its source. An option that this build does not serve yet says so; a file that uses it is refused by name, or
started without it with ` + "`--allow-missing-modules`" + `.

"bad value" says what a value of the wrong kind does: an *error* keeps the node from starting; a *warning* means that the option is
ignored, as MongooseIM 2.0.1 did. "counts" says when a changed value takes effect. "TOML" is the key in the TOML format.
`

// Manual is the reference of all options as Markdown: docs/options.md.
func Manual(b Builtins) []byte {
	return schema.Manual("Options of ejabberd.cfg", manualIntro, Sections(b)...)
}
