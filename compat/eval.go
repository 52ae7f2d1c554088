package compat

import (
	"fmt"
	"slices"
	"strings"

	"meerkat/cfgterm"
	"meerkat/cfgterm/diag"
	"meerkat/cfgterm/schema"
	"meerkat/router/jid"
)

// term takes one term of the top level.
func (l *loader) term(t cfgterm.Term) {
	tup, ok := t.(*cfgterm.Tuple)
	if !ok {
		if name, ok := cfgterm.AtomName(t); ok {
			switch name {
			case "override_global", "override_local", "override_acls":
				// A reload always does what these ask for, and so does a start.
				return
			}
		}
		l.misfit(t, false)
		return
	}
	if len(tup.Elems) == 0 {
		l.misfit(t, false)
		return
	}
	key, atom := cfgterm.AtomName(tup.Elems[0])
	switch {
	case len(tup.Elems) == 3 && atom && key == "acl":
		l.acl("", tup)
	case len(tup.Elems) == 3 && atom && key == "access":
		l.access("", tup)
	case len(tup.Elems) == 3 && atom && key == "shaper":
		l.shaper("", tup)
	case len(tup.Elems) == 3 && atom && key == "host_config":
		l.hostConfig(tup)
	case len(tup.Elems) == 3 && atom && key == "outgoing_s2s_options":
		l.setNode(&setting{key: key, keyTerm: tup.Elems[0], elem: t, value: t})
	case len(tup.Elems) == 3 && atom && key == "domain_certfile":
		l.certs = append(l.certs, &setting{key: key, keyTerm: tup.Elems[1], elem: t, value: tup.Elems[2]})
	case len(tup.Elems) == 2:
		l.pair(tup)
	default:
		l.misfit(t, false)
	}
}

// misfit reports a term that no clause accepts.
func (l *loader) misfit(t cfgterm.Term, inHost bool) {
	d := diag.Diagnostic{
		Severity: diag.Error, Code: "TRM001", Span: t.Span(),
		Summary: "no option is written like this",
		Help:    "a top-level term is a tuple of a name and a value: {NAME, VALUE}",
		Erlang:  "{case_clause," + shortTerm(t) + "}",
	}
	where := ""
	if inHost {
		where = " in host_config"
		d.Help = "host_config holds tuples of a name and a value: {NAME, VALUE}"
	}
	key := t
	if tup, ok := t.(*cfgterm.Tuple); ok && len(tup.Elems) > 0 {
		key = tup.Elems[0]
		d.Summary = fmt.Sprintf("no option is a tuple of %d that begins like this%s", len(tup.Elems), where)
	}
	name, ok := cfgterm.AtomName(key)
	switch {
	case !ok:
		if items, isList := cfgterm.Items(t); isList && len(items) > 0 {
			d.Help += "; a list of them cannot stand at the top level"
		}
	case strings.HasPrefix(name, "override_") && inHost:
		d.Summary, d.Help = name+" stands at the top level only", "move it out of host_config"
	default:
		d.Summary = fmt.Sprintf("%s is not written like this%s", cfgterm.FormatAtom(name), where)
		if syntax := l.syntax(name); syntax != "" {
			d.Help = "write " + syntax
		} else if e, ok := otherTerms[name]; ok {
			d.Summary = fmt.Sprintf("%s belongs to %s", name, e.from)
			d.Help = e.help()
		} else if near := schema.Nearest(name, l.topNames()); near != "" {
			d.Summary = "there is no option " + cfgterm.FormatAtom(name)
			d.Help = "did you mean " + near + "? It is written " + l.syntax(near)
		} else {
			d.Summary = "there is no option " + cfgterm.FormatAtom(name)
		}
	}
	l.add(d)
}

func shortTerm(t cfgterm.Term) string {
	if s := cfgterm.Format(t); len(s) <= 80 {
		if _, ok := t.(*cfgterm.Tuple); !ok {
			return s
		}
	}
	return "..."
}

// topNames are the names that the top level knows.
func (l *loader) topNames() []string {
	names := slices.Clone(specialTerms)
	for _, e := range l.nodeTable.Entries() {
		names = append(names, e.Name)
	}
	for _, e := range l.hostTable.Entries() {
		names = append(append(names, e.Name), e.Synonyms...)
	}
	return names
}

// syntax shows how a name of the top level is written; "" if it is unknown.
func (l *loader) syntax(name string) string {
	for _, s := range []schema.Schema{l.nodeTable, l.hostTable, termTable} {
		if e, ok := schema.Find(s, name); ok {
			return e.Syntax()
		}
	}
	return ""
}

// keyText is how the key of an option is compared.
func keyText(t cfgterm.Term) string {
	if name, ok := cfgterm.AtomName(t); ok {
		return name
	}
	return cfgterm.Format(t)
}

// pair takes {Key, Value} at the top level.
func (l *loader) pair(tup *cfgterm.Tuple) {
	key, atom := cfgterm.AtomName(tup.Elems[0])
	s := setting{key: keyText(tup.Elems[0]), keyTerm: tup.Elems[0], elem: tup, value: tup.Elems[1]}
	switch {
	case atom && (key == "hosts" || key == "host"):
		return // findHosts
	case atom && key == "listen":
		if l.listen != nil {
			l.twice(l.listen, &s, "terms of this name are not merged")
		}
		l.listen = &s
		return
	case atom && nodeNames[key]:
		l.setNode(&s)
		return
	}
	if k, ok := cfgterm.TupleOf(tup.Elems[0], 2); ok {
		if cfgterm.IsAtom(k[0], "s2s_addr") {
			l.s2sAddrs = append(l.s2sAddrs, &setting{key: s.key, keyTerm: k[1], elem: tup, value: tup.Elems[1]})
			return
		}
		if cfgterm.IsAtom(k[0], "add") {
			for _, h := range l.hosts {
				l.addTo(h, k[1], tup, false)
			}
			return
		}
	}
	l.unknownPair(tup)
	for _, h := range l.hosts {
		c := s
		c.host = h
		l.setHost(&c)
	}
}

// unknownPair warns of a pair that is stored and read by nobody.
func (l *loader) unknownPair(tup *cfgterm.Tuple) {
	k := tup.Elems[0]
	if kk, ok := cfgterm.TupleOf(k, 2); ok && cfgterm.IsAtom(kk[0], "s2s_host") {
		return
	}
	name, ok := cfgterm.AtomName(k)
	if !ok {
		d := diag.Diagnostic{
			Severity: diag.Warning, Code: "TRM002", Span: k.Span(),
			Summary: "the name of an option is an atom; this pair is ignored",
		}
		if s, ok := cfgterm.Text(k); ok && s != "" {
			d.Help = "write " + cfgterm.FormatAtom(s) + " without quotes"
		} else if kk, ok := cfgterm.TupleOf(k, 2); ok {
			if n, ok := cfgterm.AtomName(kk[0]); ok {
				if e, ok := otherTerms[n]; ok {
					d.Code, d.Summary, d.Help = "TRM003", fmt.Sprintf("%s belongs to %s: ignored", n, e.from), e.help()
				} else if near := schema.Nearest(n, []string{"s2s_host", "s2s_addr", "add"}); near != "" {
					d.Help = "did you mean {" + near + ", ...}?"
				}
			}
		}
		l.add(d)
		return
	}
	if name == "modules" || l.isHostOption(name) {
		return
	}
	if e, ok := otherTerms[name]; ok {
		code := "TRM003"
		switch name {
		case "auth_password_format", "auth_scram_iterations", "ext_auth_script", "extauth_program", "password_format", "scram_iterations":
			code = "AUT005"
		}
		l.warnf(code, k.Span(), e.help(), "%s belongs to %s: ignored", name, e.from)
		return
	}
	d := diag.Diagnostic{
		Severity: diag.Warning, Code: "TRM002", Span: k.Span(),
		Summary: "there is no option " + cfgterm.FormatAtom(name) + ": ignored",
	}
	switch {
	case slices.Contains(specialTerms, name):
		d.Summary = cfgterm.FormatAtom(name) + " is not written like this: ignored"
		d.Help = "write " + l.syntax(name)
	default:
		if near := schema.Nearest(name, l.topNames()); near != "" {
			d.Help = "did you mean " + near + "?"
		} else if m := Documented(schema.Module); slices.Contains(m, name) {
			d.Help = "write {modules, [{" + name + ", [...]}]}"
		}
	}
	l.add(d)
}

func (l *loader) isHostOption(name string) bool {
	_, ok := schema.Find(l.hostTable, name)
	return ok
}

// twice warns that the earlier of two settings of one scope has no effect.
func (l *loader) twice(earlier, later *setting, more string) {
	help := "remove one of them"
	if more != "" {
		help = more + "; " + help
	}
	l.add(diag.Diagnostic{
		Severity: diag.Warning, Code: "TRM004", Span: earlier.elem.Span(),
		Summary: fmt.Sprintf("%s is written again further on: this one has no effect", earlier.key),
		Help:    help,
		Related: []diag.Related{{Span: later.elem.Span(), Text: "this one counts"}},
	})
}

func (l *loader) setNode(s *setting) {
	if old := l.node[s.key]; old != nil {
		l.twice(old, s, "")
	}
	l.node[s.key] = s
}

func (l *loader) setHost(s *setting) {
	if old := l.host[s.host][s.key]; old != nil && old.elem != s.elem {
		switch {
		case old.fromHost == s.fromHost:
			more := ""
			if s.key == "modules" {
				more = "terms of this name are not merged"
			}
			l.twice(old, s, more)
		case old.fromHost:
			l.add(diag.Diagnostic{
				Severity: diag.Warning, Code: "HC003", Span: old.elem.Span(),
				Summary: fmt.Sprintf("%s of host %s has no effect: it is set for all hosts further on", s.key, s.host),
				Help:    "move the host_config below the term for all hosts",
				Related: []diag.Related{{Span: s.elem.Span(), Text: "this one counts"}},
			})
		}
	}
	l.host[s.host][s.key] = s
	if kk, ok := cfgterm.TupleOf(s.keyTerm, 2); ok && cfgterm.IsAtom(kk[0], "s2s_host") {
		c := *s
		c.keyTerm = kk[1]
		l.s2sHosts[s.host] = append(l.s2sHosts[s.host], &c)
	}
}

// addTo takes {{add, Key}, List}: the list goes before the one that is there.
func (l *loader) addTo(host string, keyTerm cfgterm.Term, tup *cfgterm.Tuple, fromHost bool) {
	key := keyText(keyTerm)
	s := &setting{key: key, keyTerm: keyTerm, elem: tup, value: tup.Elems[1], host: host, fromHost: fromHost}
	if key != "modules" {
		l.warnf("HC005", keyTerm.Span(), "write {{add, modules}, [...]}", "only modules can be added to")
	}
	old := l.host[host][key]
	if old == nil {
		help := "write the modules term first"
		if !fromHost {
			help = "write {modules, [...]}"
		}
		l.warnf("HC005", tup.Span(), help, "there is no %s yet to which something could be added: it is taken as the whole list", key)
		l.host[host][key] = s
		return
	}
	more, ok := cfgterm.Items(tup.Elems[1])
	have, ok2 := cfgterm.Items(old.value)
	if !ok || !ok2 {
		l.errorf("MOD001", tup.Elems[1].Span(), "write [{mod_x, [...]}, ...]", "what is added must be a list")
		return
	}
	for _, e := range more {
		l.added[e] = true
	}
	s.value = &cfgterm.List{Node: cfgterm.Node{At: tup.Elems[1].Span()}, Elems: append(slices.Clone(more), have...)}
	s.fromHost = old.fromHost || fromHost
	l.host[host][key] = s
}

// hostConfig takes {host_config, Host, Terms}.
func (l *loader) hostConfig(tup *cfgterm.Tuple) {
	host, ok := l.served(tup.Elems[1])
	if !ok {
		if host != "" {
			help := "it has to be listed in hosts"
			if near := schema.Nearest(host, l.hosts); near != "" {
				help = "did you mean " + near + "?"
			}
			l.errorf("HC001", tup.Elems[1].Span(), help, "host_config for %s, which is not served", host)
		}
		host = ""
	}
	terms, isList := cfgterm.Items(tup.Elems[2])
	if !isList {
		l.errorf("HC006", tup.Elems[2].Span(), "write {host_config, HOST, [{NAME, VALUE}, ...]}", "the options of host_config must be a list")
		return
	}
	for _, t := range terms {
		if host == "" && !l.noHosts {
			if tup, ok := t.(*cfgterm.Tuple); !ok || len(tup.Elems) < 2 || len(tup.Elems) > 3 {
				l.misfit(t, true)
			}
			continue
		}
		l.hostTerm(host, t)
	}
}

func (l *loader) hostTerm(host string, t cfgterm.Term) {
	tup, ok := t.(*cfgterm.Tuple)
	if !ok || len(tup.Elems) < 2 || len(tup.Elems) > 3 {
		l.misfit(t, true)
		return
	}
	key, atom := cfgterm.AtomName(tup.Elems[0])
	if len(tup.Elems) == 3 {
		switch {
		case atom && key == "acl":
			l.acl(host, tup)
		case atom && key == "access":
			l.access(host, tup)
		case atom && key == "shaper":
			l.shaper(host, tup)
		default:
			l.misfit(t, true)
		}
		return
	}
	if kk, ok := cfgterm.TupleOf(tup.Elems[0], 2); ok && cfgterm.IsAtom(kk[0], "add") {
		l.addTo(host, kk[1], tup, true)
		return
	}
	s := &setting{key: keyText(tup.Elems[0]), keyTerm: tup.Elems[0], elem: tup, value: tup.Elems[1], host: host, fromHost: true}
	switch {
	case atom && key == "hosts":
		l.warnf("HC002", tup.Span(), "remove it", "hosts has no effect in host_config")
		return
	case atom && key == "host":
		if name, ok := cfgterm.Text(tup.Elems[1]); ok {
			if prep, err := jid.Nodeprep(name); err == nil && prep == host {
				return
			}
		}
		l.warnf("HC002", tup.Span(), "remove it", "host has no effect in host_config")
	case atom && (key == "riak_server" || key == "cassandra_servers"):
		l.warnf("HC002", tup.Span(), "write it at the top level", "%s holds for the whole node, not only for host %s", key, host)
		l.setNode(s)
		return
	case atom && (nodeNames[key] || key == "listen" || key == "include_config_file"):
		l.warnf("HC002", tup.Elems[0].Span(), "write it at the top level", "%s has no effect for a single host: ignored", key)
	default:
		if kk, ok := cfgterm.TupleOf(tup.Elems[0], 2); ok && cfgterm.IsAtom(kk[0], "s2s_addr") {
			l.warnf("HC002", tup.Elems[0].Span(), "write it at the top level", "s2s_addr has no effect for a single host: ignored")
			break
		}
		l.unknownPair(tup)
	}
	l.setHost(s)
}
