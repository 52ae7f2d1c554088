package compat

import (
	"os"
	"path/filepath"

	"meerkat/cfgterm"
)

// FindFile returns the configuration file that a MongooseIM node would read in the
// current directory, and what names it: the key config of the application ejabberd
// in etc/app.config, else the environment variable EJABBERD_CONFIG_PATH, else
// etc/ejabberd.cfg. The file need not exist. getenv is os.Getenv but for tests.
func FindFile(getenv func(string) string) (path, from string) {
	app := filepath.Join("etc", "app.config")
	if p := appConfig(app); p != "" {
		return p, app
	}
	if p := getenv("EJABBERD_CONFIG_PATH"); p != "" {
		return p, "EJABBERD_CONFIG_PATH"
	}
	return filepath.Join("etc", "ejabberd.cfg"), "default"
}

// appConfig returns {ejabberd, [{config, Path}]} of the file, or "".
func appConfig(name string) string {
	src, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	f, _ := cfgterm.Parse(name, src)
	if len(f.Terms) != 1 {
		return ""
	}
	return text(lookup(lookup(f.Terms[0], "ejabberd"), "config"))
}

// lookup returns the value of the first {key, Value} in a list, or nil.
func lookup(t cfgterm.Term, key string) cfgterm.Term {
	if t == nil {
		return nil
	}
	items, _ := cfgterm.Items(t)
	for _, it := range items {
		if kv, ok := cfgterm.TupleOf(it, 2); ok && cfgterm.IsAtom(kv[0], key) {
			return kv[1]
		}
	}
	return nil
}

func text(t cfgterm.Term) string {
	if t == nil {
		return ""
	}
	s, _ := cfgterm.Text(t)
	return s
}
