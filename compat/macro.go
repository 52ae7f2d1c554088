package compat

import (
	"strings"

	"meerkat/cfgterm"
	"meerkat/cfgterm/diag"
	"meerkat/cfgterm/schema"
)

// isMacroName reports whether an atom is a macro wherever it stands: it has no
// letter from a to z.
func isMacroName(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool { return r >= 'a' && r <= 'z' })
}

type macros struct {
	l      *loader
	values map[string]cfgterm.Term
	spans  map[string]diag.Span
	names  []string
}

// expandMacros takes the definitions out of the terms and puts their values where
// they are used. Values are not searched again.
func (l *loader) expandMacros(terms []cfgterm.Term) []cfgterm.Term {
	m := &macros{l: l, values: map[string]cfgterm.Term{}, spans: map[string]diag.Span{}}
	rest := terms[:0:0]
	for _, t := range terms {
		tup, ok := t.(*cfgterm.Tuple)
		if !ok || len(tup.Elems) != 3 || !cfgterm.IsAtom(tup.Elems[0], "define_macro") {
			rest = append(rest, t)
			continue
		}
		name, ok := cfgterm.AtomName(tup.Elems[1])
		if !ok || !isMacroName(name) {
			help := "write the name in capitals: {define_macro, 'NAME', VALUE}"
			if ok {
				help = "write '" + strings.ToUpper(name) + "', where it is used too"
			}
			l.add(diag.Diagnostic{
				Severity: diag.Error, Code: "MAC002", Span: tup.Elems[1].Span(), Help: help,
				Summary: "the name of a macro must be an atom without small letters",
				Erlang:  "{macro_not_properly_defined," + cfgterm.Format(t) + "}",
			})
			continue
		}
		if first, ok := m.spans[name]; ok {
			l.add(diag.Diagnostic{
				Severity: diag.Warning, Code: "MAC005", Span: tup.Span(),
				Summary: "macro " + cfgterm.FormatAtom(name) + " is defined already: this definition has no effect",
				Related: []diag.Related{{Span: first, Text: "the first definition counts"}},
			})
			continue
		}
		m.spans[name], m.values[name] = tup.Span(), tup.Elems[2]
		m.names = append(m.names, name)
		m.inValue(name, tup.Elems[2])
	}
	for i, t := range rest {
		rest[i] = m.expand(t)
	}
	return rest
}

// inValue warns of macros in the value of a macro: they stay as they are.
func (m *macros) inValue(name string, t cfgterm.Term) {
	walk(t, func(t cfgterm.Term) {
		if inner, ok := cfgterm.AtomName(t); ok && isMacroName(inner) {
			m.l.warnf("MAC003", t.Span(), "write the value itself",
				"the value of macro %s holds the macro name %s, which is not replaced", cfgterm.FormatAtom(name), cfgterm.FormatAtom(inner))
		}
	})
}

// walk calls f for every term in lists and tuples, and t itself.
func walk(t cfgterm.Term, f func(cfgterm.Term)) {
	f(t)
	switch t := t.(type) {
	case *cfgterm.List:
		for _, e := range t.Elems {
			walk(e, f)
		}
		if t.Tail != nil {
			walk(t.Tail, f)
		}
	case *cfgterm.Tuple:
		for _, e := range t.Elems {
			walk(e, f)
		}
	}
}

func (m *macros) expand(t cfgterm.Term) cfgterm.Term {
	switch t := t.(type) {
	case *cfgterm.Atom:
		if !isMacroName(t.Name) {
			return t
		}
		if v, ok := m.value(t.Name); ok {
			return at(v, t.Span())
		}
		m.undefined(t)
		return t
	case *cfgterm.Tuple:
		if len(t.Elems) == 3 && cfgterm.IsAtom(t.Elems[0], "use_macro") {
			if name, ok := cfgterm.AtomName(t.Elems[1]); ok {
				if v, ok := m.value(name); ok {
					return at(v, t.Span())
				}
				return t.Elems[2]
			}
		}
		c := &cfgterm.Tuple{Node: t.Node, Elems: make([]cfgterm.Term, len(t.Elems))}
		for i, e := range t.Elems {
			c.Elems[i] = m.expand(e)
		}
		return c
	case *cfgterm.List:
		c := &cfgterm.List{Node: t.Node, Elems: make([]cfgterm.Term, len(t.Elems))}
		for i, e := range t.Elems {
			c.Elems[i] = m.expand(e)
		}
		if t.Tail == nil {
			return c
		}
		switch tail := m.expand(t.Tail).(type) {
		case *cfgterm.List: // a macro that is a list
			c.Elems, c.Tail = append(c.Elems, tail.Elems...), tail.Tail
		case *cfgterm.String:
			items, _ := cfgterm.Items(tail)
			c.Elems = append(c.Elems, items...)
		default:
			c.Tail = tail
		}
		return c
	}
	return t
}

func (m *macros) value(name string) (cfgterm.Term, bool) {
	v, ok := m.values[name]
	if !ok || cfgterm.IsAtom(v, "undefined") {
		return nil, false
	}
	return v, true
}

// at is a copy of the term that stands where the macro is used.
func at(t cfgterm.Term, s diag.Span) cfgterm.Term {
	n := cfgterm.Node{At: s}
	switch t := t.(type) {
	case *cfgterm.Atom:
		return &cfgterm.Atom{Node: n, Name: t.Name}
	case *cfgterm.Int:
		return &cfgterm.Int{Node: n, N: t.N, Big: t.Big}
	case *cfgterm.Float:
		return &cfgterm.Float{Node: n, F: t.F}
	case *cfgterm.String:
		return &cfgterm.String{Node: n, Text: t.Text}
	case *cfgterm.List:
		return &cfgterm.List{Node: n, Elems: t.Elems, Tail: t.Tail}
	case *cfgterm.Tuple:
		return &cfgterm.Tuple{Node: n, Elems: t.Elems}
	case *cfgterm.Binary:
		return &cfgterm.Binary{Node: n, Bytes: t.Bytes, Bits: t.Bits}
	}
	return t
}

// undefined reports an atom that is a macro name by its letters and not defined.
func (m *macros) undefined(a *cfgterm.Atom) {
	d := diag.Diagnostic{
		Severity: diag.Error, Code: "MAC001", Span: a.Span(),
		Summary: "macro " + cfgterm.FormatAtom(a.Name) + " is not defined",
		Erlang:  "{undefined_macro," + cfgterm.FormatAtom(a.Name) + "}",
	}
	_, special := m.values[a.Name]
	near := schema.Nearest(a.Name, m.names)
	switch {
	case special:
		d.Help = "its value is undefined, which counts as not defined"
	case near != "":
		d.Help = "did you mean " + cfgterm.FormatAtom(near) + "?"
	case strings.ContainsAny(a.Name, "0123456789"):
		d.Help = "an atom without small letters is a macro; write text in double quotes and numbers without quotes"
	case a.Name == "_":
		d.Help = `an atom without small letters is a macro; "any" is written "_", in double quotes`
	default:
		d.Help = "an atom without small letters is a macro; define it with {define_macro, " + cfgterm.FormatAtom(a.Name) +
			", VALUE} at the top level, or write text in double quotes"
	}
	m.l.add(d)
}
