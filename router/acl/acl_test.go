package acl

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"meerkat/router/jid"
)

var hosts = []string{"a.example", "b.example"}

func TestEntries(t *testing.T) {
	tests := []struct {
		kind Kind
		args []string
		yes  string // JIDs that match when a.example asks, separated by blanks
		no   string
	}{
		{All, nil, "joe@a.example x@far.example a.example", ""},
		{Never, nil, "", "joe@a.example"},
		{User, []string{"Joe"}, "joe@a.example JOE@a.example/r", "joe@b.example joe@far.example jo@a.example"},
		{UserAt, []string{"joe", "far.example"}, "joe@far.example", "joe@a.example"},
		{Server, []string{"far.example"}, "joe@far.example far.example", "joe@a.example"},
		{Resource, []string{"home"}, "joe@a.example/home x@far.example/home", "joe@a.example/Home joe@a.example"},
		{Resource, []string{"Home"}, "joe@a.example/home", "joe@a.example/Home"},
		{UserRegexp, []string{""}, "joe@a.example a.example", "joe@b.example"},
		{UserRegexp, []string{"^Adm"}, "admin@a.example", "joe@a.example badmin@a.example"},
		{UserRegexp, []string{"min"}, "admin@a.example", "joe@a.example"},
		{UserRegexp, []string{`^\D+$`}, "123@a.example", "joe@a.example"}, // \D becomes \d
		{UserRegexp, []string{"^[^ ]+$"}, "", "joe@a.example"},            // the blank is refused
		{UserRegexp, []string{"("}, "", "joe@a.example"},
		{UserRegexp, []string{`^(.)(.)\2\1$`}, "abba@a.example", "abab@a.example"},
		{UserRegexpAt, []string{"^j", "far.example"}, "joe@far.example", "joe@a.example max@far.example"},
		{ServerRegexp, []string{`\.example$`}, "x@far.example", "x@example.org"},
		{ResourceRegexp, []string{"^mob"}, "x@a.example/mobile", "x@a.example/Mobile x@a.example"},
		{NodeRegexp, []string{"^j", "^far"}, "joe@far.example", "joe@a.example max@far.example"},
		{UserGlob, []string{"j*e"}, "joe@a.example je@a.example", "joey@a.example joe@b.example"},
		{UserGlob, []string{"[!x]y"}, "ay@a.example", "xy@a.example"},
		{UserGlob, []string{"a{2}"}, "aa@a.example", "a@a.example"},
		{UserGlob, []string{"a b"}, "", "ab@a.example"},
		{UserGlob, []string{"["}, "", "[@a.example"},
		{UserGlobAt, []string{"j?", "far.example"}, "jo@far.example", "joe@far.example jo@a.example"},
		{ServerGlob, []string{"*.example"}, "x@far.example", "x@example"},
		{ResourceGlob, []string{"m*"}, "x@a.example/mobile", "x@a.example/home"},
		{NodeGlob, []string{"j*", "f*"}, "joe@far.example", "joe@a.example"},
		{UserAt, []string{"joe"}, "", "joe@a.example"}, // an argument is missing
		{User, []string{"żółw"}, "ŻÓŁW@a.example", "zolw@a.example"},
	}
	for _, tt := range tests {
		r, _ := Compile(hosts, []Entry{{Name: "x", Kind: tt.kind, Args: tt.args}}, nil)
		for _, s := range strings.Fields(tt.yes) {
			if !r.Member("a.example", "x", jid.MustParse(s)) {
				t.Errorf("kind %d %q does not hold %s", tt.kind, tt.args, s)
			}
		}
		for _, s := range strings.Fields(tt.no) {
			if r.Member("a.example", "x", jid.MustParse(s)) {
				t.Errorf("kind %d %q holds %s", tt.kind, tt.args, s)
			}
		}
	}
}

func TestGlobal(t *testing.T) {
	r, _ := Compile(hosts, []Entry{
		{Name: "joe", Kind: User, Args: []string{"joe"}},
		{Name: "joe", Host: "b.example", Kind: User, Args: []string{"max"}},
	}, nil)
	for _, tt := range []struct {
		host, who string
		want      bool
	}{
		{"", "joe@a.example", true},
		{"", "joe@b.example", true},
		{"", "joe@far.example", false},
		{"a.example", "joe@b.example", false},
		{"a.example", "max@a.example", false},
		{"b.example", "max@b.example", true}, // the entry of the host
		{"b.example", "joe@b.example", true}, // and the global one
		{"", "max@b.example", false},
		{"far.example", "joe@far.example", true}, // a host that nobody configured asks for its own
	} {
		if got := r.Member(tt.host, "joe", jid.MustParse(tt.who)); got != tt.want {
			t.Errorf("asked by %q: joe holds %s: %v", tt.host, tt.who, got)
		}
	}
}

func cs(pairs ...string) []Clause {
	var l []Clause
	for _, p := range pairs {
		v, a, _ := strings.Cut(p, " ")
		l = append(l, Clause{Value: Value(v), ACL: a})
	}
	return l
}

func TestRules(t *testing.T) {
	entries := []Entry{
		{Name: "admin", Kind: User, Args: []string{"admin"}},
		{Name: "blocked", Kind: User, Args: []string{"bad"}},
		{Name: "local", Kind: UserRegexp, Args: []string{""}},
		{Name: "guests", Host: "b.example", Kind: UserGlob, Args: []string{"guest*"}},
	}
	rules := []Rule{
		{Name: "c2s", Clauses: cs("deny blocked", "allow all")},
		{Name: "c2s", Host: "b.example", Clauses: cs("deny guests")},
		{Name: "max", Clauses: cs("infinity admin", "10 all")},
		{Name: "strict", Clauses: cs("allow admin", "deny all")},
		{Name: "strict", Host: "b.example", Clauses: cs("allow all")},
		{Name: "only_b", Host: "b.example", Clauses: cs("allow all")},
		{Name: "empty"},
		{Name: "twice", Clauses: cs("allow all")},
		{Name: "twice", Clauses: cs("deny all")},
		{Name: "broken", Clauses: []Clause{{Value: Allow, ACL: "admin"}, {Broken: true}, {Value: Allow, ACL: "all"}}},
		{Name: "nobody", Clauses: cs("allow none", "allow undefined")},
		{Name: "swapped", Clauses: cs("admin deny")},
	}
	r, problems := Compile(hosts, entries, rules)
	if len(problems) != 0 {
		t.Errorf("problems %+v", problems)
	}
	for _, tt := range []struct {
		host, rule, who string
		want            Value
	}{
		{"a.example", "all", "x@far", Allow},
		{"a.example", "none", "admin@a.example", Deny},
		{"a.example", "c2s", "joe@a.example", Allow},
		{"a.example", "c2s", "bad@a.example", Deny},
		{"b.example", "c2s", "guest1@b.example", Deny}, // the host's clause stands before {allow, all}
		{"b.example", "c2s", "joe@b.example", Allow},
		{"b.example", "c2s", "bad@b.example", Deny},
		{"a.example", "c2s", "guest1@a.example", Allow},
		{"a.example", "max", "admin@a.example", Infinity},
		{"a.example", "max", "joe@a.example", "10"},
		{"b.example", "strict", "joe@b.example", Deny}, // a host cannot loosen a closed global list
		{"b.example", "strict", "admin@b.example", Allow},
		{"b.example", "only_b", "joe@b.example", Allow},
		{"a.example", "only_b", "joe@a.example", Deny},
		{"", "only_b", "joe@b.example", Deny},
		{"a.example", "empty", "joe@a.example", Deny},
		{"a.example", "twice", "joe@a.example", Deny},
		{"a.example", "broken", "admin@a.example", Allow},
		{"a.example", "broken", "joe@a.example", Deny},
		{"a.example", "nobody", "joe@a.example", Deny},
		{"a.example", "undefined", "joe@a.example", Deny},
		{"a.example", "swapped", "joe@a.example", Deny},
		{"c.example", "c2s", "joe@c.example", Allow}, // a host without rules of its own
	} {
		if got := r.Match(tt.host, tt.rule, jid.MustParse(tt.who)); got != tt.want {
			t.Errorf("%s asked by %q about %s gives %s, want %s", tt.rule, tt.host, tt.who, got, tt.want)
		}
	}
	if got := r.MatchOr("a.example", "mam_set_prefs", jid.MustParse("joe@a.example"), Default); got != Default {
		t.Errorf("a rule that is not defined gives %s", got)
	}
	if got := r.MatchOr("a.example", "empty", jid.MustParse("joe@a.example"), Default); got != Deny {
		t.Errorf("an empty rule gives %s", got)
	}
	if !r.Defined("b.example", "only_b") || r.Defined("a.example", "only_b") || !r.Defined("", "all") {
		t.Error("Defined is wrong")
	}
	if !r.Allowed("a.example", "c2s", jid.MustParse("joe@a.example")) {
		t.Error("Allowed is wrong")
	}
}

func TestZero(t *testing.T) {
	var r Rules
	j := jid.MustParse("joe@a.example")
	if r.Match("a.example", "c2s", j) != Deny || r.Match("", "all", j) != Allow || r.Member("a.example", "x", j) {
		t.Error("rules out of nothing")
	}
}

func TestValue(t *testing.T) {
	for v, want := range map[Value]int64{"10": 10, "-1": -1, "infinity": -99, "1.5": -99, "": -99} {
		n, ok := v.Int()
		if !ok {
			n = -99
		}
		if n != want {
			t.Errorf("%s is %d", v, n)
		}
	}
}

func TestProblems(t *testing.T) {
	tests := []struct {
		e    Entry
		want []Problem
	}{
		{Entry{Kind: User, Args: []string{"Joe"}}, []Problem{{Fault: Changed, Text: "joe"}}},
		{Entry{Kind: UserAt, Args: []string{"joe", "A.example"}}, []Problem{{Arg: 1, Fault: Changed, Text: "a.example"}}},
		{Entry{Kind: User, Args: []string{"a b"}}, []Problem{{Fault: Rejected}}},
		{Entry{Kind: Resource, Args: []string{"Home"}}, []Problem{{Fault: NeverEqual, Text: "home"}}},
		{Entry{Kind: ServerRegexp, Args: []string{"("}}, []Problem{{Fault: BadPattern, Text: "missing closing ): `(`"}}},
		{Entry{Kind: UserRegexp, Args: []string{"(?=a)"}}, []Problem{{Fault: Backtracking, Text: "(?="}}},
		{Entry{Kind: UserRegexp, Args: []string{"^[A-Z]"}}, []Problem{{Fault: Changed, Text: "^[a-z]"}}},
		{Entry{Kind: UserGlob, Args: []string{"x*"}}, nil},
		{Entry{Kind: All}, nil},
	}
	for _, tt := range tests {
		_, got := Compile(nil, []Entry{{Kind: All}, tt.e}, nil)
		for i := range tt.want {
			tt.want[i].Entry = 1
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%+v: problems %+v, want %+v", tt.e, got, tt.want)
		}
	}
}

func TestGlobRegexp(t *testing.T) {
	for glob, want := range map[string]string{
		"a*": `^(a.*)$`, "[!x]y": `^([^x]y)$`, "[^ab]c": `^([ab^]c)$`, "[^]": `^(\^)$`, "a(b": `^(a\(b)$`,
		"a.b": `^(a\.b)$`, "a{2}": `^(a{2})$`, `a\*`: `^(a\\.*)$`, "[]": "^([])$", "[": "^([)$", "a?]": `^(a.\])$`,
		`a|b+$^"`: `^(a\|b\+\$\^\")$`,
	} {
		if got := globRegexp(glob); got != want {
			t.Errorf("%s becomes %s, want %s", glob, got, want)
		}
	}
}

func TestKindOf(t *testing.T) {
	if k, ok := KindOf("user_regexp", 2); !ok || k != UserRegexpAt {
		t.Error("user_regexp of two")
	}
	if _, ok := KindOf("node_glob", 1); ok {
		t.Error("node_glob of one")
	}
	for _, f := range Forms() {
		_, one := KindOf(f, 1)
		_, two := KindOf(f, 2)
		if !one && !two {
			t.Errorf("%s has no kind", f)
		}
	}
}

// A host without rules of its own is asked like the global scope, but for whose
// users are its own.
func TestHostOfItsOwn(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		acls := []string{"all", "none", "x", "y"}
		clauses := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) Clause {
			return Clause{
				Value: rapid.SampledFrom([]Value{Allow, Deny, "5"}).Draw(rt, "value"),
				ACL:   rapid.SampledFrom(acls).Draw(rt, "acl"),
			}
		}), 0, 5)
		entries := []Entry{
			{Name: "x", Kind: UserAt, Args: []string{"joe", "a.example"}},
			{Name: "y", Kind: Server, Args: []string{"b.example"}},
		}
		global, local := clauses.Draw(rt, "global"), clauses.Draw(rt, "local")
		r, _ := Compile(hosts, entries, []Rule{{Name: "r", Clauses: global}, {Name: "r", Host: "b.example", Clauses: local}})
		for _, who := range []string{"joe@a.example", "max@b.example", "c.example"} {
			j := jid.MustParse(who)
			if g, a := r.Match("", "r", j), r.Match("a.example", "r", j); g != a {
				rt.Fatalf("%s: global %s, host without rules %s", who, g, a)
			}
			// The global list decides unless it only falls to its last {allow, all}.
			got := r.Match("b.example", "r", j)
			for i, c := range global {
				if i == len(global)-1 && c == (Clause{Value: Allow, ACL: "all"}) {
					break
				}
				if r.Member("b.example", c.ACL, j) {
					if got != c.Value {
						rt.Fatalf("%s: the global clause %v has priority, got %s", who, c, got)
					}
					break
				}
			}
		}
	})
}

func FuzzCompile(f *testing.F) {
	f.Add(uint8(UserRegexp), "^a(b|c)*$", "x")
	f.Add(uint8(UserGlob), "[!a]*", "x")
	f.Add(uint8(NodeGlob), "a{2", "[")
	f.Fuzz(func(t *testing.T, kind uint8, a, b string) {
		k := Kind(kind % (uint8(NodeGlob) + 1))
		args := []string{a, b}[:len(k.args())]
		r, _ := Compile(hosts, []Entry{{Name: "x", Kind: k, Args: args}}, nil)
		r.Member("a.example", "x", jid.MustParse("abc@a.example/r"))
	})
}

func BenchmarkMatch(b *testing.B) {
	r, _ := Compile(hosts, []Entry{
		{Name: "blocked", Kind: UserAt, Args: []string{"bad", "a.example"}},
		{Name: "admin", Kind: User, Args: []string{"admin"}},
		{Name: "local", Kind: UserRegexp, Args: []string{""}},
		{Name: "pattern", Kind: UserRegexp, Args: []string{"^guest[0-9]+$"}},
	}, []Rule{
		{Name: "c2s", Clauses: cs("deny blocked", "allow all")},
		{Name: "c2s_shaper", Clauses: cs("none admin", "normal all")},
		{Name: "local", Clauses: cs("allow local")},
		{Name: "pattern", Clauses: cs("deny pattern", "allow all")},
		{Name: "c2s", Host: "b.example", Clauses: cs("allow all")},
	})
	j := jid.MustParse("juliet@a.example/balcony")
	for _, rule := range []string{"all", "c2s", "c2s_shaper", "local", "pattern"} {
		b.Run(rule, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Match("a.example", rule, j)
			}
		})
	}
}
