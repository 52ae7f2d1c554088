package compat

import (
	"maps"
	"net/netip"
	"slices"

	"meerkat/cfgterm"
	"meerkat/cfgterm/diag"
	"meerkat/cfgterm/schema"
)

// context is the circumstances of reading options of a host, or of what holds for
// all hosts ("").
func (l *loader) context(host string) *schema.Context {
	ctx := &schema.Context{
		Defaults:     l.o.Defaults,
		AllowMissing: l.o.AllowMissing,
		Host:         host,
		Inherit:      map[string]cfgterm.Term{},
		DomainCerts:  l.domainCerts(),
		Readable:     func(path string) error { return l.o.Readable(l.path(path)) },
		Certificate:  l.certificate,
		Find:         l.findTable,
	}
	for k, s := range l.node {
		ctx.Inherit[k] = s.value
	}
	for k, s := range l.host[host] {
		ctx.Inherit[k] = s.value
	}
	hosts := l.hosts
	if host != "" {
		hosts = []string{host}
	}
	ctx.Defined = func(r schema.Ref) bool {
		if r.Kind == schema.RefShaper {
			_, ok := l.cfg.Shapers[r.Name]
			return ok
		}
		return l.ruleDefined(r.Name, hosts, false)
	}
	return ctx
}

// decode turns what was written into typed settings.
func (l *loader) decode() {
	l.compileAccess()
	l.domainCertificates()
	l.allCerts = nil // one that cannot be read does not count
	l.decodeNode()
	for _, h := range l.hosts {
		l.decodeHost(h)
	}
	l.listenTerm()
	l.checkFeatures()
	l.checkServices()
	l.checkRefs()
	l.storedOptions()
}

func (l *loader) decodeNode() {
	opts := &cfgterm.List{}
	for _, e := range l.nodeTable.Entries() {
		if s := l.node[e.Name]; s != nil {
			opts.Elems = append(opts.Elems, s.elem)
		}
	}
	n, res := l.nodeTable.Decode(l.context(""), opts)
	l.take(res, "")
	n.DomainCerts = map[string]string{}
	for _, s := range l.certs {
		name, ok := cfgterm.Text(s.keyTerm)
		if !ok {
			continue
		}
		domain, _ := nameprep(name)
		if p, ok := cfgterm.Text(s.value); ok {
			n.DomainCerts[domain] = p
		}
	}
	n.S2S.Addresses = map[string]netip.AddrPort{}
	for _, s := range l.s2sAddrs {
		l.s2sAddr(n, s)
	}
	if l.node["sm_backend"] == nil && !l.broken {
		span := diag.Span{}
		if len(l.cfg.Files) > 0 {
			span.File = l.cfg.Files[0].Name
		}
		l.warnf("SMB001", span, "add {sm_backend, {mnesia, []}}.", "sm_backend is not given: sessions are kept in memory; 2.0.1 did not start")
	}
	if s := l.node["sm_backend"]; s != nil && n.SessionStore.Backend == "redis" && !l.o.Builtins.Features.Redis {
		l.warnf("DB005", s.value.Span(), "", "sessions are kept in memory, not in Redis")
	}
	l.cfg.Node, l.cfg.NodeOrigins = *n, res.Origins
}

// s2sAddr takes {{s2s_addr, Host}, Address}.
func (l *loader) s2sAddr(n *Node, s *setting) {
	const form = `write {{s2s_addr, "HOST"}, {127,0,0,1}} or {{s2s_addr, "HOST"}, {{127,0,0,1}, PORT}}`
	name, ok := cfgterm.Text(s.keyTerm)
	if !ok {
		l.errorf("S2S002", s.keyTerm.Span(), form, "the host of s2s_addr must be a string")
		return
	}
	addr, ok := schema.Address(s.value)
	port := 0
	if !ok {
		if kv, isPair := cfgterm.TupleOf(s.value, 2); isPair {
			if addr, ok = schema.Address(kv[0]); ok {
				i, isInt := kv[1].(*cfgterm.Int)
				if ok = isInt && i.Big == nil && i.N >= 1 && i.N <= 65535; ok {
					port = int(i.N)
				}
			}
		}
	}
	if !ok {
		l.errorf("S2S002", s.value.Span(), form, "the address of s2s_addr must be an IP address, or one with a port")
		return
	}
	domain, _ := nameprep(name)
	n.S2S.Addresses[domain] = netip.AddrPortFrom(addr, uint16(port))
}

// domainCertificates checks {domain_certfile, Domain, File} of the top level.
func (l *loader) domainCertificates() {
	kept := l.certs[:0]
	for _, s := range l.certs {
		if _, ok := cfgterm.Text(s.keyTerm); !ok {
			l.errorf("TRM007", s.keyTerm.Span(), "write "+l.syntax("domain_certfile"), "the domain of domain_certfile must be a string")
			continue
		}
		_, ok, res := schema.Read(l.context(""), schema.Top, "", "domain_certfile", schema.CertFile(), schema.Refused, "", s.value)
		l.diags = append(l.diags, res.Diags...)
		if !ok {
			continue
		}
		if _, isString := s.keyTerm.(*cfgterm.Binary); !isString {
			l.infof("S2S001", s.keyTerm.Span(), "", "with the domain as string, 2.0.1 used this certificate for outgoing connections to servers only")
		}
		kept = append(kept, s)
	}
	l.certs = kept
}

// domainCerts reports whether every host has a certificate of its own.
func (l *loader) domainCerts() bool {
	if l.allCerts == nil {
		all := l.everyHostHasCert()
		l.allCerts = &all
	}
	return *l.allCerts
}

func (l *loader) everyHostHasCert() bool {
	for _, h := range l.hosts {
		if l.host[h]["domain_certfile"] != nil {
			continue
		}
		if !slices.ContainsFunc(l.certs, func(s *setting) bool {
			name, _ := cfgterm.Text(s.keyTerm)
			domain, _ := nameprep(name)
			return domain == h
		}) {
			return false
		}
	}
	return !l.noHosts
}

func (l *loader) decodeHost(name string) {
	opts := &cfgterm.List{Node: cfgterm.Node{At: l.hostsSpan}}
	settings := l.host[name]
	for _, e := range l.hostTable.Entries() {
		for _, n := range append([]string{e.Name}, e.Synonyms...) {
			if s := settings[n]; s != nil {
				// {{add, K}, L} counts as {K, L}.
				elem := s.elem
				if kv, ok := cfgterm.TupleOf(elem, 2); ok && kv[0] != s.keyTerm {
					elem = &cfgterm.Tuple{Node: cfgterm.Node{At: s.elem.Span()}, Elems: []cfgterm.Term{s.keyTerm, s.value}}
				}
				opts.Elems = append(opts.Elems, elem)
			}
		}
	}
	v, res := l.hostTable.Decode(l.context(name), opts)
	l.take(res, name)
	h := Host{Name: name, Settings: *v, Origins: res.Origins, DomainCert: v.domainCert, S2SHosts: map[string]bool{}}
	if h.DomainCert == "" {
		h.DomainCert = l.cfg.Node.DomainCerts[name]
	}
	for _, s := range l.s2sHosts[name] {
		l.s2sHost(&h, s)
	}
	l.checkAuth(&h)
	l.checkSQL(&h)
	for _, m := range l.modules(name) {
		l.cfg.stored = append(l.cfg.stored, stored{"modules", tuple(atom(m.name), binary(name)), m.term()})
		l.decodeModule(&h, m)
	}
	if !l.noHosts {
		l.cfg.Hosts = append(l.cfg.Hosts, h)
	}
}

// s2sHost takes {{s2s_host, Remote}, allow | deny}.
func (l *loader) s2sHost(h *Host, s *setting) {
	name, ok := cfgterm.Text(s.keyTerm)
	if !ok {
		l.warnf("S2S002", s.keyTerm.Span(), `write {{s2s_host, "HOST"}, deny}`, "the host of s2s_host must be a string: ignored")
		return
	}
	domain, ok := nameprep(name)
	if !ok {
		l.warnf("S2S002", s.keyTerm.Span(), "", "%s is no domain: ignored", shorten(name))
		return
	}
	policy, _ := cfgterm.AtomName(s.value)
	if policy != "allow" && policy != "deny" {
		l.warnf("S2S002", s.value.Span(), "write allow or deny", "the policy of s2s_host must be allow or deny: ignored")
		return
	}
	if _, isString := s.keyTerm.(*cfgterm.Binary); !isString {
		l.infof("S2S001", s.keyTerm.Span(), "", "with the host as string, 2.0.1 ignored this policy; here it holds")
	}
	h.S2SHosts[domain] = policy == "allow"
}

func (l *loader) decodeModule(h *Host, m *module) {
	l.checkBackend(h, m)
	if m.builtin == nil {
		return
	}
	v, res := m.builtin.Table.DecodeAny(l.context(h.Name), m.term())
	l.take(res, h.Name)
	if !m.builtin.Served {
		l.add(schema.Missing(l.o.AllowMissing, schema.CodeMissingModule, m.nameTerm.Span(), "the module "+m.name, ""))
		return
	}
	h.Modules = append(h.Modules, Module{Name: m.name, Options: v, Origins: res.Origins, Span: m.at, NeededBy: m.neededBy})
}

// storedOptions lists what 2.0.1 would have stored, for tests against it.
func (l *loader) storedOptions() {
	add := func(table string, key, value cfgterm.Term) {
		l.cfg.stored = append(l.cfg.stored, stored{table, key, value})
	}
	hostTerm := func(h string) cfgterm.Term { return binary(h) }
	scope := func(h string) cfgterm.Term {
		if h == "" {
			return atom("global")
		}
		return hostTerm(h)
	}
	if !l.noHosts {
		hs := list()
		for _, h := range l.hosts {
			hs.Elems = append(hs.Elems, hostTerm(h))
		}
		add("shared", atom("hosts"), hs)
	}
	for _, k := range slices.Sorted(maps.Keys(l.node)) {
		s := l.node[k]
		switch {
		case k == "loglevel":
		case k == "language":
			if t, ok := cfgterm.Text(s.value); ok {
				add("shared", atom(k), binary(t))
			}
		case shared[k]:
			add("shared", atom(k), s.value)
		case k == "outgoing_s2s_options":
			if e, ok := cfgterm.TupleOf(s.value, 3); ok {
				add("local", atom(k), tuple(e[1], e[2]))
			}
		case storedPerHost[k]:
			for _, h := range l.hosts {
				add("local", tuple(atom(k), hostTerm(h)), s.value)
			}
		default:
			add("local", atom(k), s.value)
		}
	}
	for _, s := range l.s2sAddrs {
		if t, ok := cfgterm.Text(s.keyTerm); ok {
			add("local", tuple(atom("s2s_addr"), binary(t)), s.value)
		}
	}
	for _, s := range l.certs {
		add("local", tuple(atom("domain_certfile"), s.keyTerm), s.value)
	}
	for _, h := range l.hosts {
		if l.noHosts {
			break
		}
		for _, k := range slices.Sorted(maps.Keys(l.host[h])) {
			s := l.host[h][k]
			add("local", tuple(s.keyTerm, hostTerm(h)), s.value)
		}
	}
	for i := range l.rules {
		r := &l.rules[i]
		add("shared", tuple(atom("access"), r.name, scope(r.rule.Host)), r.list)
	}
	for _, s := range l.shapers {
		add("shared", tuple(atom("shaper"), s.name, scope(s.host)), s.value)
	}
	for i := range l.acls {
		a := &l.acls[i]
		add("acl", tuple(a.name, scope(a.entry.Host)), a.stored())
	}
}

// stored is the specification as 2.0.1 stored it: arguments prepared, or error.
func (a *aclTerm) stored() cfgterm.Term {
	tup, ok := a.spec.(*cfgterm.Tuple)
	if !ok {
		return a.spec
	}
	out := &cfgterm.Tuple{Elems: []cfgterm.Term{tup.Elems[0]}}
	for _, arg := range a.args {
		out.Elems = append(out.Elems, preparedArg(arg))
	}
	return out
}

func preparedArg(t cfgterm.Term) cfgterm.Term {
	s, ok := cfgterm.Text(t)
	if !ok {
		return atom("error")
	}
	if p, err := nodeprep(s); err == nil {
		return binary(p)
	}
	return atom("error")
}
