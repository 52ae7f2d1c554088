package compat

import (
	"fmt"
	"slices"
	"strings"

	"meerkat/cfgterm"
	"meerkat/cfgterm/diag"
	"meerkat/cfgterm/schema"
	"meerkat/router/acl"
	"meerkat/router/jid"
)

// aclTerm is one {acl, Name, Spec}.
type aclTerm struct {
	entry acl.Entry
	name  cfgterm.Term
	spec  cfgterm.Term
	args  []cfgterm.Term
	kind  string // the first element of the specification
}

// ruleTerm is one {access, Name, Clauses}.
type ruleTerm struct {
	rule    acl.Rule
	name    cfgterm.Term
	list    cfgterm.Term
	elem    cfgterm.Term
	clauses []clauseTerm
}

type clauseTerm struct {
	at    cfgterm.Term
	value cfgterm.Term
	acl   cfgterm.Term
}

type shaperTerm struct {
	name, value, elem cfgterm.Term
	host              string
	rate              float64
}

// nameOf is the name of an ACL, a rule or a shaper. 2.0.1 took any term.
func nameOf(t cfgterm.Term) string {
	if s, ok := cfgterm.AtomName(t); ok {
		return s
	}
	if s, ok := cfgterm.Text(t); ok {
		return s
	}
	return cfgterm.Format(t)
}

// acl takes {acl, Name, Spec}.
func (l *loader) acl(host string, tup *cfgterm.Tuple) {
	spec := tup.Elems[2]
	a := aclTerm{entry: acl.Entry{Name: nameOf(tup.Elems[1]), Host: host}, name: tup.Elems[1], spec: spec}
	help := "write " + l.syntax("acl") + "; the first element is one of " + quoteAll(acl.Forms())
	if name, ok := cfgterm.AtomName(spec); ok {
		switch name {
		case "all":
			a.entry.Kind = acl.All
		case "none":
			a.entry.Kind = acl.Never
		default:
			h := help
			if near := schema.Nearest(name, append(acl.Forms(), "all", "none")); near != "" {
				h = "did you mean " + near + "?"
			}
			l.errorf("ACL008", spec.Span(), h, "%s is no specification of an ACL", cfgterm.FormatAtom(name))
			return
		}
		l.acls = append(l.acls, a)
		return
	}
	t, ok := spec.(*cfgterm.Tuple)
	if !ok || len(t.Elems) < 2 || len(t.Elems) > 3 {
		l.errorf("ACL008", spec.Span(), help, "the specification of an ACL is a tuple of two or three elements, or all, or none")
		return
	}
	a.kind, _ = cfgterm.AtomName(t.Elems[0])
	a.args = t.Elems[1:]
	texts := make([]string, len(a.args))
	bad := -1
	for i, arg := range a.args {
		if texts[i], ok = cfgterm.Text(arg); !ok {
			bad = i
		}
	}
	kind, known := acl.KindOf(a.kind, len(a.args))
	switch {
	case a.kind == "shared_group":
		l.warnf("ACL005", spec.Span(), "remove it; mod_shared_roster_ldap has groups, but not for ACLs",
			"shared_group is documented, but 2.0.1 does not have it: it matches nobody")
	case !known:
		h := help
		if near := schema.Nearest(a.kind, acl.Forms()); near != "" {
			h = "did you mean " + near + "?"
		} else if slices.Contains(acl.Forms(), a.kind) {
			h = fmt.Sprintf("%s takes another number of arguments", a.kind)
		}
		l.warnf("ACL004", spec.Span(), h, "this form of an ACL is unknown: it matches nobody")
	case bad >= 0:
		h := "write it in double quotes"
		if name, ok := cfgterm.AtomName(a.args[bad]); ok {
			h = "write " + cfgterm.Format(&cfgterm.String{Text: name})
		}
		l.warnf("ACL002", a.args[bad].Span(), h, "the arguments of an ACL are strings: this one matches nobody")
	default:
		a.entry.Kind, a.entry.Args = kind, texts
	}
	l.acls = append(l.acls, a)
}

// valueOf is the value of a clause of an access rule.
func valueOf(t cfgterm.Term) acl.Value {
	if name, ok := cfgterm.AtomName(t); ok {
		return acl.Value(name)
	}
	return acl.Value(cfgterm.Format(t))
}

// access takes {access, Name, Clauses}.
func (l *loader) access(host string, tup *cfgterm.Tuple) {
	r := ruleTerm{rule: acl.Rule{Name: nameOf(tup.Elems[1]), Host: host}, name: tup.Elems[1], list: tup.Elems[2], elem: tup}
	items, ok := cfgterm.Items(tup.Elems[2])
	if _, text := tup.Elems[2].(*cfgterm.String); !ok || text && !cfgterm.IsNil(tup.Elems[2]) {
		l.warnf("ACC002", tup.Elems[2].Span(), "write "+l.syntax("access"), "the clauses of access rule %s must be a list: it denies everybody", r.rule.Name)
		r.rule.Clauses = []acl.Clause{{Broken: true}}
		items = nil
	}
	for _, it := range items {
		c := clauseTerm{at: it}
		kv, ok := cfgterm.TupleOf(it, 2)
		if !ok {
			r.rule.Clauses = append(r.rule.Clauses, acl.Clause{Broken: true})
			r.clauses = append(r.clauses, c)
			l.warnf("ACC002", it.Span(), "write {allow, ACL}", "an element of access rule %s is no pair: whoever comes to it is denied", r.rule.Name)
			continue
		}
		c.value, c.acl = kv[0], kv[1]
		r.rule.Clauses = append(r.rule.Clauses, acl.Clause{Value: valueOf(kv[0]), ACL: nameOf(kv[1])})
		r.clauses = append(r.clauses, c)
	}
	for i := range l.rules {
		if old := &l.rules[i]; old.rule.Name == r.rule.Name && old.rule.Host == host {
			l.twice(&setting{key: "access rule " + r.rule.Name, elem: old.elem}, &setting{elem: tup}, "clauses of two rules are not merged")
			*old = r
			return
		}
	}
	l.rules = append(l.rules, r)
}

// shaper takes {shaper, Name, {maxrate, Rate}}.
func (l *loader) shaper(host string, tup *cfgterm.Tuple) {
	s := shaperTerm{name: tup.Elems[1], value: tup.Elems[2], elem: tup, host: host}
	name := nameOf(tup.Elems[1])
	if host != "" {
		l.warnf("HC002", tup.Span(), "write it at the top level", "shaper %s has no effect for a single host: ignored", name)
		l.shapers = append(l.shapers, s)
		return
	}
	kv, ok := cfgterm.TupleOf(tup.Elems[2], 2)
	rate := schema.Number(0).Named("a number of bytes a second, greater than 0")
	if !ok || !cfgterm.IsAtom(kv[0], "maxrate") {
		if !cfgterm.IsAtom(tup.Elems[2], "none") {
			l.errorf("SHP001", tup.Elems[2].Span(), "write {shaper, "+cfgterm.FormatAtom(name)+", {maxrate, 1000}}",
				"the limit of shaper %s must be {maxrate, N}", name)
			return
		}
	} else {
		ctx := &schema.Context{}
		n, ok, res := schema.Read(ctx, schema.Top, "shaper "+name, "maxrate", rate, schema.Refused, "SHP001", kv[1])
		l.diags = append(l.diags, res.Diags...)
		if !ok {
			return
		}
		if n <= 0 {
			l.errorf("SHP001", kv[1].Span(), "write a number of bytes a second, or remove the shaper for no limit",
				"the limit of shaper %s must be greater than 0", name)
			return
		}
		s.rate = n
	}
	for i := range l.shapers {
		if old := &l.shapers[i]; nameOf(old.name) == name && old.host == "" {
			l.twice(&setting{key: "shaper " + name, elem: old.elem}, &setting{elem: tup}, "")
			*old = s
			return
		}
	}
	l.shapers = append(l.shapers, s)
}

// compileAccess compiles ACLs and rules and reports what is odd about them.
func (l *loader) compileAccess() {
	for i := range l.acls {
		l.cfg.Entries = append(l.cfg.Entries, l.acls[i].entry)
	}
	for i := range l.rules {
		l.cfg.Rules = append(l.cfg.Rules, l.rules[i].rule)
	}
	for _, s := range l.shapers {
		if s.host == "" && s.rate > 0 {
			l.cfg.Shapers[nameOf(s.name)] = Shaper{Rate: s.rate, Span: s.elem.Span()}
		}
	}
	hosts := l.hosts
	if l.noHosts {
		hosts = nil
	}
	rules, problems := acl.Compile(hosts, l.cfg.Entries, l.cfg.Rules)
	l.cfg.ACL = rules
	for _, p := range problems {
		l.aclProblem(p)
	}
	for i := range l.rules {
		l.checkRule(&l.rules[i])
	}
}

func (l *loader) aclProblem(p acl.Problem) {
	a := &l.acls[p.Entry]
	arg := a.args[p.Arg]
	at := arg.Span()
	text, _ := cfgterm.Text(arg)
	kind := a.entry.Kind
	what := map[acl.Kind]string{
		acl.Resource: "resource", acl.ResourceRegexp: "pattern", acl.ResourceGlob: "pattern",
	}[kind]
	if what == "" {
		what = "argument"
	}
	switch p.Fault {
	case acl.Changed:
		help := "like 2.0.1, all arguments are prepared like user names: capitals become small letters"
		if strings.Contains(text, `\`) && strings.ToLower(text) != text {
			help += `; in patterns that changes the meaning of \D, \W and \S`
		}
		l.warnf("ACL001", at, help, "the %s counts as %q", what, p.Text)
	case acl.Rejected:
		l.warnf("ACL002", at, `like in 2.0.1, blanks and the characters " & ' / : < > @ make an argument unusable`,
			"the %s %q matches nobody", what, shorten(text))
	case acl.BadPattern:
		l.warnf("ACL003", at, "it matches nobody", "the pattern cannot be used: %s", p.Text)
	case acl.Backtracking:
		l.infof("ACL009", at, "write it without, if that is possible", "the pattern uses %s, which makes it slow to look for", p.Text)
	case acl.NeverEqual:
		l.warnf("ACL007", at, "resources keep their capitals, the argument does not: leave the entry out or use a pattern",
			"the resource counts as %q: it never matches %q", p.Text, text)
	}
}

// shippedACLs are the names that the rules of the shipped file use, which leaves it
// to the operator whether to fill them.
var shippedACLs = []string{"admin", "blocked"}

func (l *loader) checkRule(r *ruleTerm) {
	end := -1 // index of a clause for everybody
	for i, c := range r.clauses {
		if c.acl == nil {
			continue
		}
		name := nameOf(c.acl)
		if end >= 0 {
			l.warnf("ACC003", c.at.Span(), "clauses are looked at in order; move it up", "this clause of access rule %s is never reached", r.rule.Name)
			break
		}
		if name == "all" && i < len(r.clauses)-1 {
			end = i
		}
		v := string(valueOf(c.value))
		defined := name == "all" || name == "none" || l.aclDefined(name, r.rule.Host)
		if (name == "allow" || name == "deny") && !defined {
			l.warnf("ACC001", c.at.Span(), fmt.Sprintf("write {%s, %s}", name, v), "value and ACL are swapped: there is no ACL %s", name)
			continue
		}
		if !defined && !l.broken && !l.said["acl "+name] {
			l.said["acl "+name] = true // once is enough
			d := diag.Diagnostic{
				Severity: diag.Warning, Code: "ACL006", Span: c.acl.Span(),
				Summary: fmt.Sprintf("there is no ACL %s: nobody is in it", name),
				Help:    "write {acl, " + cfgterm.FormatAtom(name) + ", {user, \"NAME\", \"HOST\"}}, or remove the clause",
			}
			if near := schema.Nearest(name, l.aclNames()); near != "" {
				d.Help = "did you mean " + near + "?"
			} else if slices.Contains(shippedACLs, name) {
				d.Severity = diag.Info
			}
			l.add(d)
		}
	}
	if r.rule.Host == "" || len(r.clauses) == 0 {
		return
	}
	for i := range l.rules {
		g := &l.rules[i]
		if g.rule.Host != "" || g.rule.Name != r.rule.Name {
			continue
		}
		for j, c := range g.rule.Clauses {
			last := j == len(g.rule.Clauses)-1
			if c.ACL == "all" && !(last && c.Value == acl.Allow) {
				l.add(diag.Diagnostic{
					Severity: diag.Warning, Code: "ACC006", Span: r.elem.Span(),
					Summary: fmt.Sprintf("access rule %s of host %s is never reached: the rule for all hosts decides about everybody", r.rule.Name, r.rule.Host),
					Help:    "the rule for all hosts has priority; only a last {allow, all} in it comes after that of the host",
					Related: []diag.Related{{Span: g.elem.Span(), Text: "the rule for all hosts"}},
				})
			}
		}
	}
}

func (l *loader) aclDefined(name, host string) bool {
	for i := range l.acls {
		e := &l.acls[i].entry
		if e.Name == name && (e.Host == "" || host == "" || e.Host == host) {
			return true
		}
	}
	return false
}

func (l *loader) aclNames() []string {
	var ns []string
	for i := range l.acls {
		ns = append(ns, l.acls[i].entry.Name)
	}
	return ns
}

// ruleDefined reports whether every one of the hosts has the rule; with any,
// whether one of them has.
func (l *loader) ruleDefined(name string, hosts []string, any bool) bool {
	own := map[string]bool{}
	for i := range l.rules {
		r := &l.rules[i].rule
		if r.Name != name {
			continue
		}
		if r.Host == "" {
			return true
		}
		own[r.Host] = true
	}
	if any {
		return len(own) > 0
	}
	for _, h := range hosts {
		if !own[h] {
			return false
		}
	}
	return len(hosts) > 0
}

// checkRefs reports names that the file uses and does not define.
func (l *loader) checkRefs() {
	if l.broken {
		return
	}
	ruleNames, shaperNames := []string{}, []string{}
	for i := range l.rules {
		ruleNames = append(ruleNames, l.rules[i].rule.Name)
	}
	for n := range l.cfg.Shapers {
		shaperNames = append(shaperNames, n)
	}
	slices.Sort(shaperNames)
	for _, ref := range l.refs {
		at := ref.Span
		of := ref.Option
		if ref.Owner != "" {
			of += " of " + ref.Owner
		}
		if ref.Kind == schema.RefShaper {
			if _, ok := l.cfg.Shapers[ref.Name]; !ok && !l.shaperUnlimited(ref.Name) {
				help := "write {shaper, " + cfgterm.FormatAtom(ref.Name) + ", {maxrate, 1000}}, or none"
				if near := schema.Nearest(ref.Name, shaperNames); near != "" {
					help = "did you mean " + near + "?"
				}
				l.warnf("ACC005", at, help, "%s names the shaper %s, which is not defined: nothing is limited", of, ref.Name)
			}
			continue
		}
		hosts := l.hosts
		if ref.host != "" {
			hosts = []string{ref.host}
		}
		if !l.ruleDefined(ref.Name, hosts, ref.host == "") {
			effect := map[schema.RefKind]string{
				schema.RefAccess: "everybody is denied", schema.RefValue: "it counts as deny", schema.RefShaperRule: "nothing is limited",
			}[ref.Kind]
			help := "write {access, " + cfgterm.FormatAtom(ref.Name) + ", [{allow, all}]}"
			if ref.Kind == schema.RefShaperRule {
				help = "write {access, " + cfgterm.FormatAtom(ref.Name) + ", [{SHAPER, all}]}"
				if _, ok := l.cfg.Shapers[ref.Name]; ok {
					help = fmt.Sprintf("%s is a shaper; the option names an access rule: {access, %s, [{%s, all}]}", ref.Name,
						cfgterm.FormatAtom(ref.Name+"_rule"), ref.Name)
				}
			}
			if near := schema.Nearest(ref.Name, ruleNames); near != "" {
				help = "did you mean " + near + "?"
			}
			l.warnf("ACC004", at, help, "%s names the access rule %s, which is not defined: %s", of, ref.Name, effect)
			continue
		}
		if ref.Kind == schema.RefShaperRule {
			l.checkShaperRule(ref.Name, shaperNames)
		}
	}
	l.checkShaperRule("c2s_shaper", shaperNames)
	l.checkShaperRule("s2s_shaper", shaperNames)
}

// shaperUnlimited reports whether a shaper is written as none.
func (l *loader) shaperUnlimited(name string) bool {
	for _, s := range l.shapers {
		if nameOf(s.name) == name && s.host == "" {
			return true
		}
	}
	return false
}

// checkShaperRule looks whether the values of a rule are shapers.
func (l *loader) checkShaperRule(name string, shapers []string) {
	if l.said[name] {
		return
	}
	l.said[name] = true
	for i := range l.rules {
		r := &l.rules[i]
		if r.rule.Name != name {
			continue
		}
		for _, c := range r.clauses {
			if c.value == nil {
				continue
			}
			v := string(valueOf(c.value))
			if v == "none" || slices.Contains(shapers, v) || l.shaperUnlimited(v) {
				continue
			}
			help := "write {shaper, " + cfgterm.FormatAtom(v) + ", {maxrate, 1000}}, or none for no limit"
			if near := schema.Nearest(v, shapers); near != "" {
				help = "did you mean " + near + "?"
			}
			l.warnf("ACC005", c.value.Span(), help, "access rule %s gives the shaper %s, which is not defined: nothing is limited", name, v)
		}
	}
}

// nameprep is the prepared domain, or what was written.
func nameprep(s string) (string, bool) {
	p, err := jid.Nameprep(s)
	if err != nil || p == "" {
		return s, false
	}
	return p, true
}
