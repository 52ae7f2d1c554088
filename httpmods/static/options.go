// Package static is cowboy_static of ejabberd.cfg: files served over HTTP.
//
// It imports cfgterm and cfgterm/schema.
package static

import (
	"meerkat/cfgterm"
	"meerkat/cfgterm/schema"
)

// Options are the options of a route to cowboy_static.
type Options struct {
	// Dir says that Path is a folder whose files are served under the route, and
	// not a single file.
	Dir bool
	// Path is the folder or file; relative paths count from the working directory,
	// with Priv from the data directory of the server. "": nothing is served and
	// every request gets an error.
	Path string
	Priv bool
	// Mimetypes is "web", "all", or a media type for every file.
	Mimetypes string
	// ETag adds ETag headers.
	ETag bool
}

// Table returns the option table of a route to cowboy_static.
func Table() *schema.Table[Options] { return table }

const shape = `{dir, "PATH"}, {file, "PATH"}, {priv_dir, ejabberd, "PATH"} or {priv_file, ejabberd, "PATH"}, each with a list of extras or without`

var table = &schema.Table[Options]{
	Name: "cowboy_static", Kind: schema.Handler,
	Doc:   "Serves files. The options are a tuple, not a list.",
	Whole: schema.Field(whole, func(o *Options) *Options { return o }),
	WholeDoc: &schema.Option[Options]{
		Name: "dir, file", Absent: "every request gets an error",
		Example: `{dir, "priv/www"}`,
		Doc: "{dir, Path} serves the files of a folder (the route ends in [...]), {file, Path} one file; priv_dir and " +
			"priv_file with the application ejabberd count from the data directory. A further element is a list " +
			"of extras: {mimetypes, cow_mimetypes, web} (the default), {mimetypes, cow_mimetypes, all}, " +
			"{mimetypes, <<\"type/sub\">>} for every file, {etag, false}.",
		Since: "1.3.0", TOML: "type", Effect: schema.OnReload, Bad: schema.Ignored,
	},
}

var whole = schema.New(shape, func(r *schema.Reader, t cfgterm.Term) (Options, error) {
	o := Options{Mimetypes: "web", ETag: true}
	tup, ok := t.(*cfgterm.Tuple)
	if !ok || len(tup.Elems) < 2 {
		return Options{}, r.Want(t, shape)
	}
	tag, _ := cfgterm.AtomName(tup.Elems[0])
	rest := tup.Elems[1:]
	switch tag {
	case "dir", "priv_dir":
		o.Dir = true
	case "file", "priv_file":
	default:
		return Options{}, r.Want(tup.Elems[0], "dir, file, priv_dir or priv_file")
	}
	if tag == "priv_dir" || tag == "priv_file" {
		o.Priv = true
		if app, _ := cfgterm.AtomName(rest[0]); app != "ejabberd" {
			return Options{}, r.Wrong(rest[0], "only the application ejabberd has a folder here")
		}
		rest = rest[1:]
	}
	if len(rest) != 1 && len(rest) != 2 {
		return Options{}, r.Want(t, shape)
	}
	if o.Path, ok = cfgterm.Text(rest[0]); !ok || o.Path == "" {
		return Options{}, r.Want(rest[0], "a path in quotes")
	}
	if len(rest) == 1 {
		return o, nil
	}
	extras, ok := cfgterm.Items(rest[1])
	if !ok {
		return Options{}, r.Want(rest[1], "a list of extras")
	}
	for _, e := range extras {
		if err := extra(r, &o, e); err != nil {
			return Options{}, err
		}
	}
	return o, nil
})

func extra(r *schema.Reader, o *Options, t cfgterm.Term) error {
	const want = `{mimetypes, cow_mimetypes, web}, {mimetypes, cow_mimetypes, all}, {mimetypes, <<"type/sub">>} or {etag, false}`
	tup, ok := t.(*cfgterm.Tuple)
	if !ok || len(tup.Elems) < 2 {
		return r.Want(t, want)
	}
	switch e := tup.Elems[1:]; {
	case cfgterm.IsAtom(tup.Elems[0], "etag") && len(e) == 1 && cfgterm.IsAtom(e[0], "false"):
		o.ETag = false
		return nil
	case cfgterm.IsAtom(tup.Elems[0], "etag"):
		return r.Wrong(t, "only {etag, false} can be served: Erlang functions cannot be called")
	case !cfgterm.IsAtom(tup.Elems[0], "mimetypes"):
		return r.Want(t, want)
	case len(e) == 2 && cfgterm.IsAtom(e[0], "cow_mimetypes") && (cfgterm.IsAtom(e[1], "web") || cfgterm.IsAtom(e[1], "all")):
		o.Mimetypes, _ = cfgterm.AtomName(e[1])
		return nil
	case len(e) == 2:
		return r.Wrong(t, "only cow_mimetypes can be named: Erlang functions cannot be called")
	case len(e) == 1:
		if s, ok := cfgterm.Text(e[0]); ok && s != "" {
			o.Mimetypes = s
			return nil
		}
		if p, ok := cfgterm.TupleOf(e[0], 3); ok {
			typ, ok1 := cfgterm.Text(p[0])
			sub, ok2 := cfgterm.Text(p[1])
			if ok1 && ok2 {
				o.Mimetypes = typ + "/" + sub
				params, _ := cfgterm.Items(p[2])
				for _, kv := range params {
					if e, ok := cfgterm.TupleOf(kv, 2); ok {
						k, _ := cfgterm.Text(e[0])
						v, _ := cfgterm.Text(e[1])
						o.Mimetypes += "; " + k + "=" + v
					}
				}
				return nil
			}
		}
	}
	return r.Want(t, want)
}
