package compat

import (
	"fmt"

	"meerkat/cfgterm"
	"meerkat/cfgterm/diag"
	"meerkat/router/jid"
)

// findHosts looks for the one hosts or host term. 2.0.1 does so before macros are
// replaced.
func (l *loader) findHosts(terms []cfgterm.Term) {
	defer func() {
		if len(l.hosts) == 0 {
			// Per-host options are read all the same, so that their faults show.
			l.hosts, l.noHosts = []string{""}, true
		}
		for _, h := range l.hosts {
			l.host[h] = map[string]*setting{}
		}
	}()
	found := false
	for _, t := range terms {
		kv, ok := cfgterm.TupleOf(t, 2)
		if !ok {
			continue
		}
		key, _ := cfgterm.AtomName(kv[0])
		if key != "hosts" && key != "host" {
			continue
		}
		if len(l.hosts) > 0 {
			l.add(diag.Diagnostic{
				Severity: diag.Error, Code: "HST002", Span: t.Span(),
				Summary: "the hosts are listed already; there can be one hosts or host term",
				Help:    "move all hosts into one list: {hosts, [...]}",
				Erlang:  "too many hosts definitions",
				Related: []diag.Related{{Span: l.hostsSpan, Text: "first listed here"}},
			})
			continue
		}
		found, l.hostsSpan = true, t.Span()
		l.hostList(key, kv[1])
	}
	if len(l.hosts) == 0 && !l.broken && !l.diags.HasErrors() {
		span := l.hostsSpan
		if !found && len(l.cfg.Files) > 0 {
			span = diag.Span{File: l.cfg.Files[0].Name}
		}
		l.errorf("HST001", span, `write {hosts, ["example.org"]}.`, "no hosts: the file has to say which domains are served")
	}
}

func (l *loader) hostList(key string, v cfgterm.Term) {
	if name, ok := cfgterm.AtomName(v); ok && isMacroName(name) {
		l.errorf("MAC004", v.Span(), "write the hosts themselves", "hosts cannot be given by a macro: they are looked for before macros are replaced")
		return
	}
	items := []cfgterm.Term{v}
	if key == "hosts" {
		list, ok := v.(*cfgterm.List)
		switch {
		case ok && list.Tail == nil:
			items = list.Elems
		case cfgterm.IsNil(v):
			items = nil
		default:
			help := `write {hosts, ["example.org"]}`
			if s, ok := cfgterm.Text(v); ok {
				help = fmt.Sprintf("write {hosts, [%s]}", cfgterm.Format(&cfgterm.String{Text: s}))
			} else if a, ok := cfgterm.AtomName(v); ok {
				help = fmt.Sprintf("write {hosts, [%s]}", cfgterm.Format(&cfgterm.String{Text: a}))
			}
			l.errorf("HST006", v.Span(), help, "hosts must be a list of strings")
			return
		}
	}
	for _, it := range items {
		name, ok := cfgterm.Text(it)
		if !ok || cfgterm.IsNil(it) && isList(it) {
			help := "write the host in double quotes"
			if a, ok := cfgterm.AtomName(it); ok {
				if isMacroName(a) {
					l.errorf("MAC004", it.Span(), "write the host itself", "hosts cannot be given by a macro: they are looked for before macros are replaced")
					continue
				}
				help = "write " + cfgterm.Format(&cfgterm.String{Text: a})
			}
			if b, ok := it.(*cfgterm.Binary); ok && b.Bits == 0 {
				l.add(diag.Diagnostic{
					Severity: diag.Error, Code: "HST003", Span: it.Span(), Summary: "a host given as binary must hold UTF-8",
					Help: `write <<"..."/utf8>>, or a string`, Erlang: "invalid hostname",
				})
				continue
			}
			l.errorf("HST006", it.Span(), help, "a host must be a string")
			continue
		}
		host, ok := l.prepareHost(name, it.Span())
		if !ok {
			continue
		}
		double := false
		for _, h := range l.hosts {
			double = double || h == host
		}
		if double {
			l.errorf("HST004", it.Span(), "remove it", "host %s is listed twice", host)
			continue
		}
		l.hosts = append(l.hosts, host)
	}
}

func isList(t cfgterm.Term) bool {
	_, ok := t.(*cfgterm.List)
	return ok
}

// prepareHost normalises the name of a host as 2.0.1 does: with nodeprep.
func (l *loader) prepareHost(name string, at diag.Span) (string, bool) {
	host, err := jid.Nodeprep(name)
	if err != nil || len(host) >= 1024 {
		why := "it may hold no blanks and none of \" & ' / : < > @"
		if len(host) >= 1024 || len(name) >= 1024 {
			why = "it must be shorter than 1024 bytes"
		}
		l.add(diag.Diagnostic{
			Severity: diag.Error, Code: "HST003", Span: at, Summary: fmt.Sprintf("%s is no valid host", shorten(name)),
			Help: why + "; ports belong to the listen term", Erlang: "invalid hostname",
		})
		return "", false
	}
	if host != name {
		l.warnf("HST005", at, fmt.Sprintf("write %q", host), "host %s is served as %s", shorten(name), host)
	}
	return host, true
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "..."
	}
	return s
}

// served returns the served host that a term of the file names.
func (l *loader) served(t cfgterm.Term) (host string, ok bool) {
	name, ok := cfgterm.Text(t)
	if !ok {
		help := "write the host in double quotes"
		if a, ok := cfgterm.AtomName(t); ok {
			help = "write " + cfgterm.Format(&cfgterm.String{Text: a})
		}
		l.errorf("HC001", t.Span(), help, "the host of host_config must be a string")
		return "", false
	}
	host, ok = l.prepareHost(name, t.Span())
	if !ok {
		return "", false
	}
	for _, h := range l.hosts {
		if h == host {
			return host, true
		}
	}
	if l.noHosts {
		return "", true
	}
	return host, false
}
