// Package sse is lasse_handler of ejabberd.cfg: messages of a user as Server-Sent
// Events.
//
// It imports cfgterm and cfgterm/schema.
package sse

import (
	"meerkat/cfgterm"
	"meerkat/cfgterm/schema"
)

// Options are the options of a route to lasse_handler.
type Options struct {
	// Module is "mongoose_client_api_sse", or "": every request gets an error.
	Module string
}

// Table returns the option table of a route to lasse_handler.
func Table() *schema.Table[Options] { return table }

const shape = "[mongoose_client_api_sse]"

var table = &schema.Table[Options]{
	Name: "lasse_handler", Kind: schema.Handler,
	Doc:   "Sends the messages of a user who gives name and password as Server-Sent Events.",
	Whole: schema.Field(whole, func(o *Options) *string { return &o.Module }),
	WholeDoc: &schema.Option[Options]{
		Name: "module", Absent: "every request gets an error", Example: shape,
		Doc: "The list with the one module that there is, mongoose_client_api_sse, or the map #{module => " +
			"mongoose_client_api_sse}.",
		Since: "2.0.0", TOML: "module", Effect: schema.OnReload, Bad: schema.Ignored,
	},
}

var whole = schema.New(shape, func(r *schema.Reader, t cfgterm.Term) (string, error) {
	var mod cfgterm.Term
	switch t := t.(type) {
	case *cfgterm.List:
		if len(t.Elems) > 0 {
			mod = t.Elems[0]
		}
	case *cfgterm.Map:
		for _, p := range t.Pairs {
			if cfgterm.IsAtom(p.Key, "module") {
				mod = p.Value
			}
		}
	}
	if mod == nil {
		return "", r.Want(t, shape)
	}
	if !cfgterm.IsAtom(mod, "mongoose_client_api_sse") {
		return "", r.Want(mod, "mongoose_client_api_sse, the only module that there is")
	}
	return "mongoose_client_api_sse", nil
})
