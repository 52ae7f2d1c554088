// Package revproxy is mod_revproxy of ejabberd.cfg: a reverse proxy for HTTP. The
// route of the listener says which requests it gets, the modules term where they
// go.
//
// It imports cfgterm and cfgterm/schema.
package revproxy

import (
	"strings"
	"time"

	"meerkat/cfgterm"
	"meerkat/cfgterm/schema"
)

// Options are the options of a route to mod_revproxy.
type Options struct {
	// Timeout bounds the connection to the upstream and its response.
	Timeout time.Duration
	// MaxBody is the largest body of a request or response, in bytes; 0: no limit.
	MaxBody int
	// Headers are added to what is sent upstream.
	Headers []Header
}

// A Header is a line of an HTTP header.
type Header struct{ Name, Value string }

// ModuleOptions are the options of mod_revproxy in the modules term. The routes
// hold for the whole node: those of the last host count.
type ModuleOptions struct {
	Routes []Route
}

// A Route says where a request goes. The first that matches counts.
type Route struct {
	Host   string // "_": any, else a pattern
	Path   string // "_": any, else a pattern
	Method string // "_": any, else in capitals
	// Upstream begins with http:// or https:// and may hold bindings.
	Upstream string
}

// Table returns the option table of a route to mod_revproxy.
func Table() *schema.Table[Options] { return table }

// ModuleTable returns the option table of mod_revproxy in the modules term.
func ModuleTable() *schema.Table[ModuleOptions] { return moduleTable }

var table = &schema.Table[Options]{
	Name: "mod_revproxy", Kind: schema.Handler, Proplist: true,
	Doc: "Hands requests on to other HTTP servers. Where to is set by mod_revproxy in the modules term; without it " +
		"every request is answered with an error.",
	Options: []schema.Option[Options]{
		{
			Name: "timeout",
			Value: schema.Field(schema.Milliseconds(1, schema.NoLimit),
				func(o *Options) *time.Duration { return &o.Timeout }),
			Default: "5000", Example: "10000",
			Doc:   "How long the upstream may take to accept the connection and to respond, in milliseconds.",
			Since: "1.6.0", TOML: "-", Effect: schema.OnReload, Bad: schema.Ignored,
		},
		{
			Name: "body_length",
			Value: schema.Field(schema.Int(1, schema.NoLimit).Or("infinity", 0),
				func(o *Options) *int { return &o.MaxBody }),
			Default: "8000000", Example: "1000000",
			Doc:   "Largest body of a request, in bytes; a larger one is refused with 413.",
			Since: "1.6.0", TOML: "-", Effect: schema.OnReload, Bad: schema.Ignored,
		},
		{
			Name: "custom_headers",
			Value: schema.Field(schema.List(schema.Tuple(
				schema.Elem("NAME", schema.Text(), func(h *Header) *string { return &h.Name }),
				schema.Elem("VALUE", schema.Text(), func(h *Header) *string { return &h.Value }),
			)), func(o *Options) *[]Header { return &o.Headers }),
			Default: "[]", Example: `[{<<"x-forwarded-by">>, <<"chat">>}]`,
			Doc:   "Header lines that are added to every request sent upstream; those of the client stay.",
			Since: "1.6.0", TOML: "-", Effect: schema.OnReload, Bad: schema.Ignored,
		},
	},
}

var moduleTable = &schema.Table[ModuleOptions]{
	Name: "mod_revproxy", Kind: schema.Module,
	Doc: "Where the requests of routes to mod_revproxy go. The routes hold for all hosts of the node.",
	Options: []schema.Option[ModuleOptions]{{
		Name:    "routes",
		Value:   schema.Field(schema.List(route), func(o *ModuleOptions) *[]Route { return &o.Routes }),
		Default: "[]", Example: `[{"www.example.org", "/admin", "_", "https://www.example.org/"}]`,
		Doc: "Routes {Host, Path, Method, Upstream}; the first that matches counts. \"_\" stands for any host, path " +
			"or method. With three elements the second is a path if it begins with / (as documented), else a " +
			"method (as the source of 2.0.1 read it).",
		Since: "1.6.0", TOML: "routes", Effect: schema.OnReload, Bad: schema.Refused,
	}},
}

const routeShape = "a route {Host, Path, Method, Upstream}"

var route = schema.New(routeShape, func(r *schema.Reader, t cfgterm.Term) (Route, error) {
	tup, ok := t.(*cfgterm.Tuple)
	if !ok || len(tup.Elems) != 3 && len(tup.Elems) != 4 {
		return Route{}, r.Want(t, routeShape)
	}
	words := make([]string, len(tup.Elems))
	for i, e := range tup.Elems {
		if words[i], ok = cfgterm.Text(e); ok {
			continue
		}
		// Only the method may be an atom.
		if words[i], ok = cfgterm.AtomName(e); !ok || i == 0 || i == len(words)-1 || len(words) == 4 && i == 1 {
			return Route{}, r.Want(e, "a string or a binary")
		}
	}
	rt := Route{Host: words[0], Path: "_", Method: "_", Upstream: words[len(words)-1]}
	switch {
	case len(words) == 4:
		rt.Path, rt.Method = words[1], words[2]
	case strings.HasPrefix(words[1], "/"):
		rt.Path = words[1]
	default:
		rt.Method = words[1]
	}
	rt.Method = strings.ToUpper(rt.Method)
	if !strings.HasPrefix(rt.Upstream, "http://") && !strings.HasPrefix(rt.Upstream, "https://") {
		return rt, r.Wrong(tup.Elems[len(words)-1], "the upstream of a route must begin with http:// or https://, not %q", rt.Upstream)
	}
	return rt, nil
})
