package compat

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"meerkat/cfgterm"
	"meerkat/cfgterm/diag"
	"meerkat/cfgterm/schema"
)

// maxDepth is how deep includes may be nested.
const maxDepth = 32

// Load reads the configuration file at path with all that it includes. The Config is
// never nil; it is of use only if the diagnostics have no errors. They are sorted by
// place.
func Load(path string, o Options) (*Config, diag.List) {
	if o.ReadFile == nil {
		o.ReadFile = os.ReadFile
	}
	if o.Readable == nil {
		o.Readable = readable
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	l := &loader{
		o: o, cfg: &Config{Shapers: map[string]Shaper{}},
		node: map[string]*setting{}, host: map[string]map[string]*setting{},
		s2sHosts: map[string][]*setting{}, added: map[cfgterm.Term]bool{},
		asked: map[string]diag.Span{}, said: map[string]bool{},
	}
	l.nodeTable, l.hostTable = nodeTable(&o.Builtins), hostTable(&o.Builtins)
	terms := l.read(path, diag.Span{}, nil)
	l.findHosts(terms)
	terms = l.expandMacros(terms)
	for _, t := range terms {
		l.term(t)
	}
	l.decode()
	l.finish()
	return l.cfg, l.diags
}

// readable says whether the path is a regular file that can be opened.
func readable(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return reason(err)
	}
	if !st.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return reason(err)
	}
	return f.Close()
}

// reason is the error without operation and path, in the words of POSIX.
func reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	var no syscall.Errno
	if errors.As(err, &no) {
		return errors.New(no.Error())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("no such file or directory")
	}
	return err
}

// loader is one run of Load.
type loader struct {
	o     Options
	cfg   *Config
	diags diag.List

	nodeTable *schema.Table[Node]
	hostTable *schema.Table[HostSettings]

	// broken: a file has syntax errors, so that what is not there may have been
	// meant to be.
	broken bool

	hosts     []string // served hosts; one empty name if there are none
	hostsSpan diag.Span
	noHosts   bool

	node     map[string]*setting            // by name
	host     map[string]map[string]*setting // by host, then by key as text
	s2sAddrs []*setting
	s2sHosts map[string][]*setting
	certs    []*setting // {domain_certfile, Domain, File}
	listen   *setting
	acls     []aclTerm
	rules    []ruleTerm
	shapers  []shaperTerm
	added    map[cfgterm.Term]bool // elements that came by {add, modules}
	refs     []scopedRef
	services []schema.Service
	allCerts *bool                // every host has a certificate, once that is known
	asked    map[string]diag.Span // features that the file asks for
	said     map[string]bool      // what is to be said once
}

// setting is one option that was written.
type setting struct {
	key      string // as text
	keyTerm  cfgterm.Term
	elem     cfgterm.Term // the whole term
	value    cfgterm.Term
	host     string // served host that it is for
	fromHost bool   // written in host_config
}

type scopedRef struct {
	schema.Ref
	host string // "": asked by every host
}

func (l *loader) add(d diag.Diagnostic) { l.diags.Add(d) }

func (l *loader) errorf(code string, at diag.Span, help, format string, args ...any) {
	l.add(diag.Diagnostic{Severity: diag.Error, Code: code, Span: at, Help: help, Summary: fmt.Sprintf(format, args...)})
}

func (l *loader) warnf(code string, at diag.Span, help, format string, args ...any) {
	l.add(diag.Diagnostic{Severity: diag.Warning, Code: code, Span: at, Help: help, Summary: fmt.Sprintf(format, args...)})
}

func (l *loader) infof(code string, at diag.Span, help, format string, args ...any) {
	l.add(diag.Diagnostic{Severity: diag.Info, Code: code, Span: at, Help: help, Summary: fmt.Sprintf(format, args...)})
}

// path is where a path of the file leads.
func (l *loader) path(name string) string {
	if l.o.Dir == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(l.o.Dir, name)
}

// read reads a file and puts what it includes in place. chain are the files that
// are being read.
func (l *loader) read(name string, at diag.Span, chain []string) []cfgterm.Term {
	path := name
	if len(chain) > 0 {
		path = l.path(name)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path
	}
	if slices.Contains(chain, abs) || len(chain) >= maxDepth {
		why := "it is being read already"
		if len(chain) >= maxDepth {
			why = fmt.Sprintf("includes are nested deeper than %d", maxDepth)
		}
		names := make([]string, 0, len(chain))
		for i, c := range chain {
			if i >= 5 {
				names = append(names, "...")
				break
			}
			names = append(names, c)
		}
		l.errorf("INC002", at, "the files are "+quoteAll(names), "cannot include %s: %s", name, why)
		return nil
	}
	src, err := l.o.ReadFile(path)
	if err != nil {
		err := reason(err)
		span := at
		if len(chain) == 0 {
			span = diag.Span{File: name}
		}
		help := "check the path and the rights of the user that the server runs as"
		if !filepath.IsAbs(name) {
			help = "relative paths count from the directory in which the server is started, " + l.workDir()
		}
		l.add(diag.Diagnostic{
			Severity: diag.Error, Code: "INC001", Span: span, Help: help,
			Summary: fmt.Sprintf("cannot read %s: %v", name, err),
			Erlang:  fmt.Sprintf("Problem loading ejabberd config file %s : %v", abs, err),
		})
		l.broken = true
		return nil
	}
	file, ds := cfgterm.Parse(name, src)
	l.cfg.Files = append(l.cfg.Files, Source{Path: abs, Name: name, Src: src, SHA256: sha256.Sum256(src), File: file})
	l.diags = append(l.diags, ds...)
	if ds.HasErrors() {
		l.broken = true
	}
	chain = append(chain[:len(chain):len(chain)], abs)
	var terms []cfgterm.Term
	for _, t := range file.Terms {
		tup, ok := t.(*cfgterm.Tuple)
		if !ok || len(tup.Elems) < 2 || len(tup.Elems) > 3 || !cfgterm.IsAtom(tup.Elems[0], "include_config_file") {
			terms = append(terms, t)
			continue
		}
		terms = append(terms, l.include(tup, chain)...)
	}
	return terms
}

func (l *loader) workDir() string {
	if l.o.Dir != "" {
		return l.o.Dir
	}
	dir, err := os.Getwd()
	if err != nil {
		return "."
	}
	return dir
}

// include is the terms that an include stands for.
func (l *loader) include(tup *cfgterm.Tuple, chain []string) []cfgterm.Term {
	const form = `write {include_config_file, "FILE"} or {include_config_file, "FILE", [{disallow, [NAME]}, {allow_only, [NAME]}]}`
	name, ok := cfgterm.Text(tup.Elems[1])
	if !ok || name == "" {
		l.errorf("INC005", tup.Elems[1].Span(), form, "the file to include must be a string")
		return nil
	}
	var disallow, allow []cfgterm.Term
	restricted := false
	if len(tup.Elems) == 3 {
		opts, ok := cfgterm.Items(tup.Elems[2])
		if !ok {
			l.errorf("INC005", tup.Elems[2].Span(), form, "the options of an include must be a list")
			return nil
		}
		for _, o := range opts {
			kv, ok := cfgterm.TupleOf(o, 2)
			if ok && cfgterm.IsAtom(kv[0], "allow_only") && cfgterm.IsAtom(kv[1], "all") {
				continue
			}
			var names []cfgterm.Term
			if ok {
				names, ok = cfgterm.Items(kv[1])
			}
			switch {
			case ok && cfgterm.IsAtom(kv[0], "disallow"):
				disallow = append(disallow, names...)
			case ok && cfgterm.IsAtom(kv[0], "allow_only"):
				allow, restricted = append(allow, names...), true
			default:
				l.errorf("INC005", o.Span(), form, "an include has the options disallow and allow_only, each with a list of names")
			}
		}
	}
	terms := l.read(name, tup.Elems[1].Span(), chain)
	if disallow == nil && !restricted {
		return terms
	}
	kept := terms[:0:0]
	for _, t := range terms {
		key := t
		if tt, ok := t.(*cfgterm.Tuple); ok && len(tt.Elems) > 0 {
			key = tt.Elems[0]
		} else if _, ok := t.(*cfgterm.Atom); ok {
			l.warnf("INC003", t.Span(), "2.0.1 did not start with it; write it in the main file",
				"a term that is a single atom stands in a file that is included with a filter")
		}
		has := func(names []cfgterm.Term) bool {
			return slices.ContainsFunc(names, func(n cfgterm.Term) bool { return cfgterm.Equal(n, key) })
		}
		switch {
		case has(disallow):
			l.add(diag.Diagnostic{
				Severity: diag.Warning, Code: "INC004", Span: t.Span(),
				Summary: fmt.Sprintf("%s is left out: the include disallows it", cfgterm.Format(key)),
				Related: []diag.Related{{Span: tup.Span(), Text: "included here"}},
			})
		case restricted && !has(allow):
			l.add(diag.Diagnostic{
				Severity: diag.Warning, Code: "INC004", Span: t.Span(),
				Summary: fmt.Sprintf("%s is left out: the include does not allow it", cfgterm.Format(key)),
				Related: []diag.Related{{Span: tup.Span(), Text: "included here"}},
			})
		default:
			kept = append(kept, t)
		}
	}
	return kept
}

// finish sorts the diagnostics and drops doubles: an option that is written once
// for all hosts is read once for each. An undefined macro is no value of any option,
// which need not be said.
func (l *loader) finish() {
	type id struct {
		code, summary string
		span          diag.Span
	}
	seen := map[id]bool{}
	undefined := map[diag.Span]bool{}
	for _, d := range l.diags {
		if d.Code == "MAC001" {
			undefined[d.Span] = true
		}
	}
	l.diags = slices.DeleteFunc(l.diags, func(d diag.Diagnostic) bool {
		k := id{d.Code, d.Summary, d.Span}
		if seen[k] || undefined[d.Span] && d.Code != "MAC001" {
			return true
		}
		seen[k] = true
		return false
	})
	l.diags.Sort()
}
