// Package cowboy is mod_cowboy of ejabberd.cfg: one route that leads plain HTTP
// requests to one HTTP module and WebSocket handshakes to others by their
// subprotocol.
//
// It imports cfgterm and cfgterm/schema.
package cowboy

import (
	"meerkat/cfgterm"
	"meerkat/cfgterm/schema"
)

// Options are the options of a route to mod_cowboy.
type Options struct {
	// HTTP serves requests without an Upgrade header; nil: none.
	HTTP *Handler
	// WS serve WebSocket handshakes; the first whose Protocol equals the whole
	// Sec-WebSocket-Protocol header counts.
	WS []Handler
}

// A Handler is an HTTP module to which mod_cowboy hands a request.
type Handler struct {
	Protocol string // "xmpp"; "" for HTTP
	Module   string // "mod_revproxy"
	// Options is what the table of the module makes of the options: a pointer to
	// its Options struct.
	Options any
}

// Table returns the option table of a route to mod_cowboy.
func Table() *schema.Table[Options] { return table }

var table = &schema.Table[Options]{
	Name: "mod_cowboy", Kind: schema.Handler,
	Doc: "Leads requests of one route on: plain HTTP to one module, WebSocket handshakes to others by subprotocol. " +
		"The options are a list of {http, Module, Options} and {ws, Protocol, Module, Options}; Options may be left out.",
	Whole: schema.Field(handlers.Hide("password"), func(o *Options) *Options { return o }),
	WholeDoc: &schema.Option[Options]{
		Name:    "http, ws",
		Absent:  "nothing is served",
		Example: "[{http, mod_revproxy, [{timeout, 5000}]}, {ws, xmpp, mod_websockets}]",
		Doc: "{http, Module[, Options]} serves requests without an Upgrade header; the first one counts. {ws, Protocol, " +
			"Module[, Options]} serves WebSocket handshakes whose Sec-WebSocket-Protocol header is Protocol.",
		Since: "1.6.0", TOML: "- use separate handlers", Effect: schema.OnReload, Bad: schema.Ignored,
	},
}

var handlers = schema.New("a list of {http, Module, Options} and {ws, Protocol, Module, Options}",
	func(r *schema.Reader, t cfgterm.Term) (Options, error) {
		var o Options
		items, ok := cfgterm.Items(t)
		if _, text := t.(*cfgterm.String); !ok || text && len(items) > 0 {
			return o, r.Want(t, "a list of {http, Module, Options} and {ws, Protocol, Module, Options}")
		}
		for _, it := range items {
			h, err := handler(r, it)
			switch {
			case schema.LeftOut(err):
				continue
			case err != nil:
				return o, err
			case h.Protocol != "":
				o.WS = append(o.WS, h)
			case o.HTTP == nil:
				o.HTTP = &h
			default:
				r.Odd(it, "mod_cowboy serves HTTP with the first http element; this one has no effect", "remove it")
			}
		}
		return o, nil
	})

func handler(r *schema.Reader, t cfgterm.Term) (Handler, error) {
	const shape = "{http, Module, Options} or {ws, Protocol, Module, Options}"
	tup, ok := t.(*cfgterm.Tuple)
	if !ok || len(tup.Elems) < 2 {
		return Handler{}, r.Want(t, shape)
	}
	var h Handler
	rest := tup.Elems[1:]
	switch {
	case cfgterm.IsAtom(tup.Elems[0], "http"):
	case cfgterm.IsAtom(tup.Elems[0], "ws"):
		if h.Protocol, ok = cfgterm.AtomName(rest[0]); !ok || h.Protocol == "" {
			return h, r.Want(rest[0], "the name of a WebSocket subprotocol, an atom")
		}
		rest = rest[1:]
	default:
		return h, r.Want(tup.Elems[0], "http or ws")
	}
	if len(rest) != 1 && len(rest) != 2 {
		return h, r.Want(t, shape)
	}
	var opts cfgterm.Term = &cfgterm.List{Node: cfgterm.Node{At: t.Span()}}
	if len(rest) == 2 {
		opts = rest[1]
	}
	// 2.0.1 looked for the module only when a request came.
	err := r.Soften(func() (err error) {
		h.Module, h.Options, err = r.Table(schema.Handler, rest[0], opts)
		return err
	})
	return h, err
}
