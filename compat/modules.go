package compat

import (
	"fmt"
	"slices"

	"meerkat/cfgterm"
	"meerkat/cfgterm/diag"
	"meerkat/cfgterm/schema"
)

// modOpt is one option of a module after merging.
type modOpt struct {
	key   string
	elem  cfgterm.Term // {Key, Value}
	value cfgterm.Term
	added bool // came by {add, modules}
}

// module is a module of one host while its list is put together.
type module struct {
	name     string
	nameTerm cfgterm.Term
	at       diag.Span
	opts     []modOpt
	raw      cfgterm.Term // the options, if they stand in the file once
	neededBy string
	needs    []Need
	builtin  *Builtin
}

type moduleSet struct {
	l     *loader
	host  string
	list  []*module
	stack []string
}

func (s *moduleSet) find(name string) *module {
	for _, m := range s.list {
		if m.name == name {
			return m
		}
	}
	return nil
}

// modules puts the modules of a host together: options of one that stands twice are
// merged, those that a module needs come after it and are merged in turn.
func (l *loader) modules(host string) []*module {
	set := &moduleSet{l: l, host: host}
	s := l.host[host]["modules"]
	if s == nil {
		return nil
	}
	const form = "write {modules, [{mod_x, [OPTION, ...]}, ...]}"
	items, ok := cfgterm.Items(s.value)
	if _, text := s.value.(*cfgterm.String); !ok || text && !cfgterm.IsNil(s.value) {
		l.errorf("MOD001", s.value.Span(), form, "the value of modules must be a list of {MODULE, OPTIONS}")
		return nil
	}
	for _, it := range items {
		kv, ok := cfgterm.TupleOf(it, 2)
		if !ok {
			help := form
			if name, ok := cfgterm.AtomName(it); ok {
				help = fmt.Sprintf("write {%s, []}", cfgterm.FormatAtom(name))
			}
			l.errorf("MOD001", it.Span(), help, "an element of modules must be {MODULE, OPTIONS}")
			continue
		}
		name, ok := cfgterm.AtomName(kv[0])
		if !ok {
			help := form
			if s, ok := cfgterm.Text(kv[0]); ok && s != "" {
				help = "write " + cfgterm.FormatAtom(s) + " without quotes"
			}
			l.errorf("MOD001", kv[0].Span(), help, "the name of a module must be an atom")
			continue
		}
		opts, ok := cfgterm.Items(kv[1])
		if t, text := kv[1].(*cfgterm.String); !ok || text && t.Text != "" {
			l.errorf("MOD004", kv[1].Span(), "write [] for no options", "the options of %s must be a list", name)
			continue
		}
		set.put(name, kv[0], it.Span(), kv[1], options(opts, l.added[it]), "")
	}
	return set.order()
}

// options takes a list of options apart. What is no option stays without a key.
func options(items []cfgterm.Term, added bool) []modOpt {
	var opts []modOpt
	for _, it := range items {
		o := modOpt{elem: it, added: added}
		if name, ok := cfgterm.AtomName(it); ok {
			o.key = name
			o.value = &cfgterm.Atom{Node: cfgterm.Node{At: it.Span()}, Name: "true"}
			o.elem = &cfgterm.Tuple{Node: cfgterm.Node{At: it.Span()}, Elems: []cfgterm.Term{it, o.value}}
		} else if t, ok := it.(*cfgterm.Tuple); ok && len(t.Elems) == 2 {
			o.key, o.value = keyText(t.Elems[0]), t.Elems[1]
		}
		opts = append(opts, o)
	}
	return opts
}

// put adds a module or merges its options into those that are there; the later
// element wins, and within one element the first.
func (s *moduleSet) put(name string, nameTerm cfgterm.Term, at diag.Span, raw cfgterm.Term, opts []modOpt, neededBy string) {
	if slices.Contains(s.stack, name) {
		return // a circle; order decides about it
	}
	m := s.find(name)
	if m == nil {
		m = &module{name: name, nameTerm: nameTerm, at: at, opts: opts, raw: raw, neededBy: neededBy}
		s.list = append(s.list, m)
		b, d := s.l.lookup(schema.Module, nameTerm)
		m.builtin = b
		if d != nil {
			s.l.add(*d)
		}
	} else {
		m.raw = nil
		m.merge(s.l, opts, neededBy)
		if m.neededBy != "" && neededBy == "" {
			m.neededBy, m.at, m.nameTerm = "", at, nameTerm
		}
	}
	if m.builtin == nil || m.builtin.Needs == nil {
		return
	}
	s.stack = append(s.stack, name)
	defer func() { s.stack = s.stack[:len(s.stack)-1] }()
	elems := make([]cfgterm.Term, len(opts))
	for i, o := range opts {
		elems[i] = o.elem
	}
	v, _ := m.builtin.Table.DecodeAny(s.l.context(s.host), &cfgterm.List{Node: cfgterm.Node{At: at}, Elems: elems})
	for _, need := range m.builtin.Needs(v) {
		m.needs = append(m.needs, need)
		var more []modOpt
		text := need.Options
		if text == "" {
			text = "[]"
		}
		if t, err := cfgterm.ParseTerm(text); err == nil {
			items, _ := cfgterm.Items(t)
			more = options(items, false)
		}
		s.put(need.Module, &cfgterm.Atom{Node: cfgterm.Node{At: at}, Name: need.Module}, at, nil, more, name)
	}
}

func (m *module) merge(l *loader, opts []modOpt, neededBy string) {
	seen := map[string]bool{}
	for _, o := range opts {
		if o.key != "" && seen[o.key] {
			continue
		}
		seen[o.key] = true
		i := slices.IndexFunc(m.opts, func(old modOpt) bool { return old.key == o.key && o.key != "" })
		if i < 0 {
			m.opts = append(m.opts, o)
			continue
		}
		old := m.opts[i]
		m.opts[i] = o
		// Further ones of the same key would come to light again.
		m.opts = slices.DeleteFunc(m.opts, func(x modOpt) bool { return x.key == o.key && x.key != "" && x.elem != o.elem })
		if cfgterm.Equal(old.value, o.value) {
			continue
		}
		d := diag.Diagnostic{
			Severity: diag.Warning, Code: "MOD002", Span: old.elem.Span(),
			Summary: fmt.Sprintf("option %s of %s is set again further on: this one has no effect", o.key, m.name),
			Help:    "merge the two lists of options",
			Related: []diag.Related{{Span: o.elem.Span(), Text: "this one counts"}},
		}
		if neededBy != "" {
			d.Summary = fmt.Sprintf("option %s of %s has no effect: %s, which stands further on, sets it", o.key, m.name, neededBy)
			d.Help = "move " + m.name + " below " + neededBy
			d.Related = nil
		} else if old.added && !o.added {
			d.Code = "HC004"
			d.Summary = fmt.Sprintf("option %s of %s is overridden by the list for all hosts", o.key, m.name)
			d.Help = "what {add, modules} adds comes first, and of two equal options the later one counts: write {modules, [...]} with the whole list of this host"
		}
		if m.neededBy != "" && neededBy == "" {
			continue // the file overrides what a module demands, which is what it is for
		}
		l.add(d)
	}
}

// order sorts modules so that what another one needs comes before it.
func (s *moduleSet) order() []*module {
	var out []*module
	state := map[string]int{} // 1: under way, 2: done
	var visit func(m *module, path []string)
	visit = func(m *module, path []string) {
		state[m.name] = 1
		path = append(path[:len(path):len(path)], m.name)
		for _, n := range m.needs {
			d := s.find(n.Module)
			if d == nil {
				continue
			}
			switch state[n.Module] {
			case 0:
				visit(d, path)
			case 1:
				if !n.Soft && s.hardCircle(n.Module, m.name) {
					s.l.errorf("MOD005", m.at, "leave one of them out", "modules need each other in a circle: %s", quoteAll(append(path, n.Module)))
				}
			}
		}
		state[m.name] = 2
		out = append(out, m)
	}
	for _, m := range s.list {
		if state[m.name] == 0 {
			visit(m, nil)
		}
	}
	return out
}

// hardCircle reports whether from leads to to by hard needs alone.
func (s *moduleSet) hardCircle(from, to string) bool {
	seen := map[string]bool{}
	var reach func(name string) bool
	reach = func(name string) bool {
		if name == to {
			return true
		}
		if seen[name] {
			return false
		}
		seen[name] = true
		m := s.find(name)
		if m == nil {
			return false
		}
		for _, n := range m.needs {
			if !n.Soft && reach(n.Module) {
				return true
			}
		}
		return false
	}
	return reach(from)
}

// term is the options of the module as one list.
func (m *module) term() cfgterm.Term {
	l := &cfgterm.List{Node: cfgterm.Node{At: m.at}}
	if m.raw != nil {
		l.At = m.raw.Span()
	}
	for _, o := range m.opts {
		l.Elems = append(l.Elems, o.elem)
	}
	return l
}
