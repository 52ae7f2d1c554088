// Package acl decides who may do what: the terms acl and access of ejabberd.cfg
// (acl.erl of MongooseIM). An ACL is a named set of addresses, an access rule a list
// of pairs of a value and an ACL; asking a rule about an address gives the value of
// the first pair whose ACL holds it.
//
//	rules, problems := acl.Compile([]string{"example.org"},
//		[]acl.Entry{{Name: "admin", Kind: acl.UserAt, Args: []string{"joe", "example.org"}}},
//		[]acl.Rule{{Name: "c2s", Clauses: []acl.Clause{{Value: acl.Allow, ACL: "admin"}}}})
//	rules.Match("example.org", "c2s", jid) == acl.Allow
//
// Compiled rules never change; a reload compiles new ones. Asking takes no lock and
// allocates nothing unless a pattern needs the backtracking engine.
//
// Like 2.0.1, and unlike what one would do today, every argument of an ACL is
// nodeprepped, patterns and resources too: "^Admin" matches what begins with admin,
// as it always did, but \D becomes \d, and {resource, "Home"} matches nobody. A file
// that was tried out against 2.0.1 therefore keeps its meaning; Compile reports each
// argument that changes. Deviations: text above U+00FF works; an argument that
// nodeprep refuses makes the entry match nobody, where 2.0.1 crashed at some; a
// pattern counts in characters, not bytes.
//
// It imports router/jid.
package acl

import (
	"strconv"
	"strings"

	"meerkat/router/jid"
)

// A Value is what an access rule yields: the name of an atom, a decimal integer, or
// any other term in Erlang syntax. Comparing values compares terms.
type Value string

const (
	// Allow and Deny are the values of rules that grant something.
	Allow Value = "allow"
	Deny  Value = "deny"
	// Infinity is the value of rules that count, for no limit.
	Infinity Value = "infinity"
	// None is the value of rules that name a shaper, for no shaper.
	None Value = "none"
	// Default is a value of the rules of the message archive.
	Default Value = "default"
)

// Int returns the value as an integer.
func (v Value) Int() (n int64, ok bool) {
	n, err := strconv.ParseInt(string(v), 10, 64)
	return n, err == nil
}

// Kind is the first element of the specification of an ACL.
type Kind uint8

const (
	// Never matches nobody: none, shared_group, and every form that 2.0.1 took
	// and did not know.
	Never Kind = iota
	// All matches everybody.
	All
	// User matches a user of the host that asks: {user, U}.
	User
	// UserAt matches {user, U, S}.
	UserAt
	// Server matches {server, S}.
	Server
	// Resource matches {resource, R}.
	Resource
	// UserRegexp matches users of the host that asks: {user_regexp, RE}.
	UserRegexp
	// UserRegexpAt matches {user_regexp, RE, S}.
	UserRegexpAt
	// ServerRegexp matches {server_regexp, RE}.
	ServerRegexp
	// ResourceRegexp matches {resource_regexp, RE}.
	ResourceRegexp
	// NodeRegexp matches {node_regexp, UserRE, ServerRE}.
	NodeRegexp
	// UserGlob and the following are the same with shell patterns.
	UserGlob
	// UserGlobAt matches {user_glob, G, S}.
	UserGlobAt
	// ServerGlob matches {server_glob, G}.
	ServerGlob
	// ResourceGlob matches {resource_glob, G}.
	ResourceGlob
	// NodeGlob matches {node_glob, UserG, ServerG}.
	NodeGlob
)

var kinds = map[string]Kind{
	"user/1": User, "user/2": UserAt, "server/1": Server, "resource/1": Resource,
	"user_regexp/1": UserRegexp, "user_regexp/2": UserRegexpAt, "server_regexp/1": ServerRegexp,
	"resource_regexp/1": ResourceRegexp, "node_regexp/2": NodeRegexp,
	"user_glob/1": UserGlob, "user_glob/2": UserGlobAt, "server_glob/1": ServerGlob,
	"resource_glob/1": ResourceGlob, "node_glob/2": NodeGlob,
}

// KindOf returns the kind that a specification with that name and number of
// arguments is: KindOf("user", 2) is UserAt.
func KindOf(name string, args int) (Kind, bool) {
	k, ok := kinds[name+"/"+strconv.Itoa(args)]
	return k, ok
}

// Forms lists the names of specifications with arguments, without doubles.
func Forms() []string {
	return []string{
		"user", "server", "resource", "user_regexp", "server_regexp", "resource_regexp", "node_regexp",
		"user_glob", "server_glob", "resource_glob", "node_glob",
	}
}

func (k Kind) regexp() bool { return k >= UserRegexp && k <= NodeRegexp }
func (k Kind) glob() bool   { return k >= UserGlob }

// args returns what the arguments of a kind are compared with.
func (k Kind) args() []part {
	switch k {
	case User, UserRegexp, UserGlob:
		return []part{userPart}
	case UserAt, UserRegexpAt, UserGlobAt, NodeRegexp, NodeGlob:
		return []part{userPart, serverPart}
	case Server, ServerRegexp, ServerGlob:
		return []part{serverPart}
	case Resource, ResourceRegexp, ResourceGlob:
		return []part{resourcePart}
	}
	return nil
}

// literal reports whether the argument i of a kind is no pattern.
func (k Kind) literal(i int) bool {
	return !k.regexp() && !k.glob() || i == 1 && (k == UserRegexpAt || k == UserGlobAt)
}

// here reports whether a kind asks for the server of the host that asks.
func (k Kind) here() bool { return k == User || k == UserRegexp || k == UserGlob }

type part uint8

const (
	userPart part = iota
	serverPart
	resourcePart
)

// An Entry is one {acl, Name, Spec}. Entries of one name and host add up.
type Entry struct {
	Name string
	Host string // "": everywhere
	Kind Kind
	Args []string // as written, one or two as Kind asks for
}

// A Rule is one {access, Name, Clauses}. Of two of one name and host the last
// counts.
type Rule struct {
	Name    string
	Host    string // "": everywhere
	Clauses []Clause
}

// A Clause is one pair {Value, ACL} of an access rule.
type Clause struct {
	Value Value
	// ACL is the name of an ACL; "all" and "none" need no entries.
	ACL string
	// Broken marks an element that is no pair. Asking a rule that comes to it
	// gives Deny; 2.0.1 crashed.
	Broken bool
}

// Fault says what is wrong with an argument of an entry.
type Fault uint8

const (
	// Changed: nodeprep turned the argument into Problem.Text.
	Changed Fault = iota + 1
	// Rejected: nodeprep refuses the argument; the entry matches nobody.
	Rejected
	// BadPattern: the pattern cannot be compiled; the entry matches nobody.
	// Problem.Text says why.
	BadPattern
	// Backtracking: the pattern needs the slower engine. Problem.Text names what
	// the faster one could not do.
	Backtracking
	// NeverEqual: a resource literal that, lower-cased, cannot equal the resource
	// that was meant.
	NeverEqual
)

// A Problem is a finding of Compile that keeps nothing from working as in 2.0.1.
type Problem struct {
	Entry int // index
	Arg   int // index in Args
	Fault Fault
	Text  string
}

// Rules are compiled access rules. The zero Rules has none: only the rule all
// allows.
type Rules struct {
	hosts map[string]bool
	// rules holds, for each host that has rules or ACLs of its own, all rules as
	// they are for it; "" holds those for every other host.
	rules   map[ruleKey][]clause
	members map[ruleKey][]match // ACLs, as seen from a host
	own     map[string]bool     // hosts in rules and members
}

type ruleKey struct{ host, name string }

type clause struct {
	value  Value
	all    bool
	broken bool
	match  []match
}

// match is one compiled entry.
type match struct {
	kind Kind
	args [2]arg
}

type arg struct {
	text    string
	pattern pattern
	part    part
}

// Compile makes rules of entries and rules in the order of the file. hosts are the
// served hosts, prepared. Nothing is refused: what cannot work matches nobody and
// is among the problems.
func Compile(hosts []string, entries []Entry, rules []Rule) (*Rules, []Problem) {
	r := &Rules{
		hosts:   map[string]bool{},
		rules:   map[ruleKey][]clause{},
		members: map[ruleKey][]match{},
		own:     map[string]bool{"": true},
	}
	for _, h := range hosts {
		r.hosts[h] = true
	}
	var problems []Problem
	acls := map[ruleKey][]match{}
	aclNames := map[string]bool{}
	for i, e := range entries {
		m, ps := compile(e)
		for _, p := range ps {
			p.Entry = i
			problems = append(problems, p)
		}
		k := ruleKey{e.Host, e.Name}
		acls[k] = append(acls[k], m)
		aclNames[e.Name] = true
		r.own[e.Host] = true
	}
	lists := map[ruleKey][]Clause{}
	ruleNames := map[string]bool{}
	for _, rule := range rules {
		cs := rule.Clauses
		if cs == nil {
			cs = []Clause{}
		}
		lists[ruleKey{rule.Host, rule.Name}] = cs
		ruleNames[rule.Name] = true
		r.own[rule.Host] = true
	}
	for host := range r.own {
		for name := range aclNames {
			ms := acls[ruleKey{"", name}]
			if host != "" {
				ms = append(ms[:len(ms):len(ms)], acls[ruleKey{host, name}]...)
			}
			if len(ms) > 0 {
				r.members[ruleKey{host, name}] = ms
			}
		}
	}
	for host := range r.own {
		for name := range ruleNames {
			list, ok := combine(lists, host, name)
			if !ok {
				continue
			}
			cs := make([]clause, len(list))
			for i, c := range list {
				cs[i] = clause{value: c.Value, broken: c.Broken, all: c.ACL == "all"}
				if c.ACL != "none" && c.ACL != "all" && !c.Broken {
					cs[i].match = r.members[ruleKey{host, c.ACL}]
				}
			}
			r.rules[ruleKey{host, name}] = cs
		}
	}
	return r, problems
}

// combine puts the list of a host after the global one; a last {allow, all} of the
// global list stays last.
func combine(lists map[ruleKey][]Clause, host, name string) ([]Clause, bool) {
	global, okG := lists[ruleKey{"", name}]
	if host == "" {
		return global, okG
	}
	local, okL := lists[ruleKey{host, name}]
	switch {
	case !okL:
		return global, okG
	case !okG:
		return local, true
	}
	var tail []Clause
	if n := len(global); n > 0 && global[n-1] == (Clause{Value: Allow, ACL: "all"}) {
		global, tail = global[:n-1], global[n-1:]
	}
	list := append(global[:len(global):len(global)], local...)
	return append(list, tail...), true
}

// Match asks a rule about an address, as seen from a host; host "" asks globally: a
// user then counts as local on every served host, and rules of single hosts are not
// looked at. The rule all allows, none denies. A rule that is not defined denies,
// and so does one of which no clause matches.
func (r *Rules) Match(host, rule string, j jid.JID) Value { return r.MatchOr(host, rule, j, Deny) }

// MatchOr is Match with the value of a rule that is not defined.
func (r *Rules) MatchOr(host, rule string, j jid.JID, undefined Value) Value {
	switch rule {
	case "all":
		return Allow
	case "none":
		return Deny
	}
	list, ok := r.list(host, rule)
	if !ok {
		return undefined
	}
	for i := range list {
		c := &list[i]
		switch {
		case c.all:
			return c.value
		case c.broken:
			return Deny
		case r.any(c.match, host, j):
			return c.value
		}
	}
	return Deny
}

// Allowed reports whether a rule gives Allow; see Match.
func (r *Rules) Allowed(host, rule string, j jid.JID) bool { return r.Match(host, rule, j) == Allow }

// Member reports whether an ACL holds an address, as seen from a host ("":
// globally).
func (r *Rules) Member(host, name string, j jid.JID) bool {
	switch name {
	case "all":
		return true
	case "none":
		return false
	}
	return r.any(r.members[ruleKey{r.owner(host), name}], host, j)
}

// Defined reports whether a rule exists, as seen from a host ("": globally). The
// rules all and none always do.
func (r *Rules) Defined(host, rule string) bool {
	if rule == "all" || rule == "none" {
		return true
	}
	_, ok := r.list(host, rule)
	return ok
}

func (r *Rules) owner(host string) string {
	if r.own[host] {
		return host
	}
	return ""
}

func (r *Rules) list(host, rule string) ([]clause, bool) {
	l, ok := r.rules[ruleKey{r.owner(host), rule}]
	return l, ok
}

func (r *Rules) any(ms []match, host string, j jid.JID) bool {
	for i := range ms {
		if r.holds(&ms[i], host, j) {
			return true
		}
	}
	return false
}

func (r *Rules) holds(m *match, host string, j jid.JID) bool {
	switch m.kind {
	case Never:
		return false
	case All:
		return true
	}
	if m.kind.here() {
		if host == "" {
			if !r.hosts[j.Domain()] {
				return false
			}
		} else if j.Domain() != host {
			return false
		}
		return m.args[0].holds(j)
	}
	switch m.kind {
	case UserAt, UserRegexpAt, UserGlobAt, NodeRegexp, NodeGlob:
		return m.args[1].holds(j) && m.args[0].holds(j)
	}
	return m.args[0].holds(j)
}

func (a *arg) holds(j jid.JID) bool {
	var s string
	switch a.part {
	case userPart:
		s = j.Local()
	case serverPart:
		s = j.Domain()
	default:
		s = j.Resource()
	}
	if a.pattern != nil {
		return a.pattern.match(s)
	}
	return s == a.text
}

// compile makes a match of an entry.
func compile(e Entry) (match, []Problem) {
	parts := e.Kind.args()
	if len(parts) == 0 {
		return match{kind: e.Kind}, nil
	}
	if len(e.Args) != len(parts) {
		return match{kind: Never}, nil
	}
	m := match{kind: e.Kind}
	var problems []Problem
	add := func(i int, f Fault, text string) {
		problems = append(problems, Problem{Arg: i, Fault: f, Text: text})
	}
	for i, text := range e.Args {
		a := &m.args[i]
		a.part = parts[i]
		prepared, err := jid.Nodeprep(text)
		if err != nil {
			add(i, Rejected, "")
			m.kind = Never
			continue
		}
		literal := e.Kind.literal(i)
		switch {
		case prepared == text:
		case literal && a.part == resourcePart:
			add(i, NeverEqual, prepared)
		default:
			add(i, Changed, prepared)
		}
		if literal {
			a.text = prepared
			continue
		}
		source := prepared
		if e.Kind.glob() {
			source = globRegexp(prepared)
		}
		p, slow, err := compilePattern(source)
		if err != nil {
			add(i, BadPattern, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
			m.kind = Never
			continue
		}
		if slow != "" {
			add(i, Backtracking, slow)
		}
		a.pattern = p
	}
	return m, problems
}
