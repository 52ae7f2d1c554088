package compat

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"meerkat/cfgterm"
	"meerkat/cfgterm/diag"
	"meerkat/cfgterm/schema"
	"meerkat/router/jid"
)

func nodeprep(s string) (string, error) { return jid.Nodeprep(s) }

// methods are the names in auth_method of a host, served or not, and where it
// stands.
func (l *loader) methods(host string) ([]string, *setting) {
	s := l.host[host]["auth_method"]
	if s == nil {
		return nil, nil
	}
	items := []cfgterm.Term{s.value}
	if list, ok := cfgterm.Items(s.value); ok {
		items = list
	}
	var ms []string
	for _, it := range items {
		if name, ok := cfgterm.AtomName(it); ok {
			ms = append(ms, name)
		}
	}
	return ms, s
}

// checkAuth looks at rules across the options of authentication.
func (l *loader) checkAuth(h *Host) {
	ms, s := l.methods(h.Name)
	if s == nil {
		if !l.broken && !l.noHosts {
			l.warnf("AUT001", l.hostsSpan, "add {auth_method, internal}.", "host %s has no auth_method: nobody can log in", h.Name)
		}
		return
	}
	at := s.value.Span()
	opts := l.host[h.Name]["auth_opts"]
	optsAt := at
	if opts != nil {
		optsAt = opts.value.Span()
	}
	has := func(m string) bool { return slices.Contains(ms, m) }
	missing := func(key string) bool {
		if opts == nil {
			return true
		}
		items, _ := cfgterm.Items(opts.value)
		return !slices.ContainsFunc(items, func(t cfgterm.Term) bool {
			kv, ok := cfgterm.TupleOf(t, 2)
			return ok && cfgterm.IsAtom(kv[0], key)
		})
	}
	if has("external") && missing("extauth_program") {
		l.errorf("AUT003", at, `add {auth_opts, [{extauth_program, "COMMAND"}]}.`, "the method external needs extauth_program in auth_opts")
	}
	if has("http") && missing("host") {
		l.errorf("AUT003", at, `add {auth_opts, [{host, "https://HOST"}]}.`, "the method http needs host in auth_opts")
	}
	if h.Settings.Auth.PasswordFormat == "scram" && (has("external") || has("ldap")) {
		l.warnf("AUT006", optsAt, "remove it", "password_format scram has no effect on the methods external and ldap")
	}
	anonymous := l.host[h.Name]["anonymous_protocol"]
	if has("anonymous") && len(ms) > 1 && anonymous != nil && h.Settings.AnonymousProtocol != "sasl_anon" {
		l.warnf("AUT007", anonymous.value.Span(), "use sasl_anon, or a host of its own for anonymous users",
			"with %s a mistyped user name logs in anonymously", h.Settings.AnonymousProtocol)
	}
	if has("odbc") && l.host[h.Name]["odbc_server"] == nil {
		l.errorf("DB002", at, "add {odbc_server, {pgsql, \"SERVER\", \"DATABASE\", \"USER\", \"PASSWORD\"}}.",
			"the method odbc of host %s needs odbc_server", h.Name)
	}
}

// checkSQL notes how many connections the hosts open together.
func (l *loader) checkSQL(h *Host) {
	s := l.host[h.Name]["odbc_server"]
	if s == nil {
		return
	}
	if _, ok := l.asked["sql"]; !ok {
		l.asked["sql"] = s.elem.Span()
	}
	total := 0
	for i := range l.cfg.Hosts {
		if l.host[l.cfg.Hosts[i].Name]["odbc_server"] != nil {
			total += l.cfg.Hosts[i].Settings.SQL.PoolSize
		}
	}
	before := total
	total += h.Settings.SQL.PoolSize
	if total > 100 && before <= 100 {
		l.infof("DB003", s.elem.Span(), "lower odbc_pool_size, or allow as many connections in the database",
			"the hosts open more than 100 connections to SQL databases together, odbc_pool_size for each host")
	}
}

// checkBackend reports a module that wants an SQL database on a host without one.
func (l *loader) checkBackend(h *Host, m *module) {
	for _, o := range m.opts {
		if o.key == "backend" && cfgterm.IsAtom(o.value, "odbc") && l.host[h.Name]["odbc_server"] == nil {
			l.errorf("DB002", o.elem.Span(), "add {odbc_server, {pgsql, \"SERVER\", \"DATABASE\", \"USER\", \"PASSWORD\"}}, or leave backend out",
				"backend odbc of %s needs odbc_server for host %s", m.name, h.Name)
		}
	}
}

// checkFeatures reports what the file asks for and the program lacks, once each.
func (l *loader) checkFeatures() {
	f := l.o.Builtins.Features
	if at, ok := l.asked["sql"]; ok && !f.SQL {
		l.add(schema.Missing(l.o.AllowMissing, "BLD006", at, "SQL databases (odbc_server)", "data is kept in the embedded store"))
	}
	if f.S2S {
		return
	}
	listed := false
	if l.listen != nil {
		entries, _ := cfgterm.Items(l.listen.value)
		for _, e := range entries {
			if t, ok := cfgterm.TupleOf(e, 3); ok && cfgterm.IsAtom(t[1], "ejabberd_s2s_in") {
				listed = true // reported there
			}
		}
	}
	var at diag.Span
	var asked []string
	want := func(name string, elem cfgterm.Term) {
		if len(asked) == 0 {
			at = elem.Span()
		}
		if !slices.Contains(asked, name) {
			asked = append(asked, name)
		}
	}
	for _, name := range []string{
		"s2s_use_starttls", "s2s_certfile", "s2s_ciphers", "outgoing_s2s_port", "outgoing_s2s_options", "s2s_dns_options",
		"s2s_max_retry_delay", "s2s_shared",
	} {
		if s := l.node[name]; s != nil && !cfgterm.IsAtom(s.value, "false") {
			want(name, s.elem)
		}
	}
	for _, s := range l.s2sAddrs {
		want("s2s_addr", s.elem)
	}
	for _, h := range l.hosts {
		for _, s := range l.s2sHosts[h] {
			if cfgterm.IsAtom(s.value, "allow") {
				want("s2s_host", s.elem)
			}
		}
		if s := l.host[h]["s2s_default_policy"]; s != nil && cfgterm.IsAtom(s.value, "allow") {
			want("s2s_default_policy", s.elem)
		}
		for _, n := range []string{"route_subdomains", "route_subdomain"} {
			if s := l.host[h][n]; s != nil {
				want(n, s.elem)
			}
		}
	}
	if len(asked) > 0 && !listed {
		l.add(schema.Missing(l.o.AllowMissing, "BLD006", at, "federation with other servers ("+quoteAll(asked)+")",
			"stanzas for other servers are answered with an error"))
	}
}

// checkServices reports modules that serve a domain that is a host, or the same one.
func (l *loader) checkServices() {
	owner := map[string]schema.Service{}
	for _, s := range l.services {
		domain, ok := nameprep(s.Domain)
		if _, err := jid.Nodeprep(domain); !ok || err != nil {
			l.warnf("MOD008", s.Span, "", "%s, the domain of %s, is no valid domain", shorten(s.Domain), s.Owner)
			continue
		}
		if slices.Contains(l.hosts, domain) {
			l.errorf("MOD006", s.Span, `give the module a domain of its own, such as "conference.@HOST@"`,
				"%s serves the domain %s, which is a host", s.Owner, domain)
			continue
		}
		if o, ok := owner[domain]; ok && o.Owner != s.Owner {
			l.errorf("MOD007", s.Span, "give each a domain of its own", "%s and %s serve the same domain, %s", o.Owner, s.Owner, domain)
			continue
		}
		owner[domain] = s
	}
}

// certificate says what is wrong with a PEM file that has to hold a certificate and
// its key.
func (l *loader) certificate(path string) []string {
	data, err := l.o.ReadFile(l.path(path))
	if err != nil {
		return nil // Readable has said so
	}
	var cert *x509.Certificate
	key := false
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch {
		case block.Type == "CERTIFICATE" && cert == nil:
			if cert, err = x509.ParseCertificate(block.Bytes); err != nil {
				return []string{"the certificate in " + path + " cannot be read: " + err.Error()}
			}
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			key = true
			if bytes.Contains(block.Bytes, []byte("ENCRYPTED")) || block.Headers["DEK-Info"] != "" || block.Type == "ENCRYPTED PRIVATE KEY" {
				return []string{"the key in " + path + " is protected by a password"}
			}
		}
	}
	var out []string
	switch {
	case cert == nil:
		return []string{path + " holds no certificate"}
	case !key:
		out = append(out, path+" holds no private key: certificate and key have to be in one file")
	}
	if l.o.Now.After(cert.NotAfter) {
		out = append(out, fmt.Sprintf("the certificate in %s has expired on %s", path, cert.NotAfter.Format("2 January 2006")))
	}
	if l.o.Now.Before(cert.NotBefore) {
		out = append(out, fmt.Sprintf("the certificate in %s is valid from %s only", path, cert.NotBefore.Format("2 January 2006")))
	}
	if !l.noHosts && !slices.ContainsFunc(l.hosts, func(h string) bool { return covers(cert, h) }) {
		out = append(out, fmt.Sprintf("the certificate in %s is for none of the hosts", path))
	}
	return out
}

// covers reports whether a certificate is for a host: by DNS name, by common name as
// old certificates have it, or by one of the names of XMPP (RFC 6120 §13.7.1.2),
// which are looked for as text.
func covers(c *x509.Certificate, host string) bool {
	if c.VerifyHostname(host) == nil || strings.EqualFold(c.Subject.CommonName, host) {
		return true
	}
	if rest, ok := strings.CutPrefix(c.Subject.CommonName, "*."); ok {
		if _, parent, ok := strings.Cut(host, "."); ok && strings.EqualFold(rest, parent) {
			return true
		}
	}
	for _, ext := range c.Extensions {
		if ext.Id.String() == "2.5.29.17" && bytes.Contains(bytes.ToLower(ext.Value), []byte(strings.ToLower(host))) {
			return true
		}
	}
	return false
}
