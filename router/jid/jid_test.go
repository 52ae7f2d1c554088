package jid

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	long := strings.Repeat("a", MaxPart)
	tests := []struct {
		in                      string
		local, domain, resource string
		err                     error
	}{
		{in: "localhost", domain: "localhost"},
		{in: "alice@localhost", local: "alice", domain: "localhost"},
		{in: "alice@localhost/a", local: "alice", domain: "localhost", resource: "a"},
		{in: "localhost/a", domain: "localhost", resource: "a"},
		{in: "Alice@LocalHost/Home", local: "alice", domain: "localhost", resource: "Home"},
		{in: "alice@localhost/", local: "alice", domain: "localhost"},
		{in: "alice@localhost/a/b@c", local: "alice", domain: "localhost", resource: "a/b@c"},
		{in: "localhost/a@b", domain: "localhost", resource: "a@b"},
		{in: "alice@localhost//", local: "alice", domain: "localhost", resource: "/"},
		{in: "Straße@ＥＸＡＭＰＬＥ.org/Ⅷ", local: "strasse", domain: "example.org", resource: "VIII"},
		{in: "not a jid", domain: "not a jid"},
		{in: "[::1]", domain: "[::1]"},
		{in: long + "@" + long + "/" + long, local: long, domain: long, resource: long},
		{in: "localhost/\u00AD", domain: "localhost"},

		{in: "", err: ErrEmpty},
		{in: "@bad", err: ErrSyntax},
		{in: "/bad", err: ErrEmpty},
		{in: "a@", err: ErrEmpty},
		{in: "a@/r", err: ErrEmpty},
		{in: "a@b@c", err: ErrSyntax},
		{in: "a@b@c/r", err: ErrSyntax},
		{in: "a b@localhost", err: ErrProhibited},
		{in: "a@b/\x01", err: ErrProhibited},
		{in: "\u00AD@localhost", err: ErrEmpty},
		{in: "a@\u00AD", err: ErrEmpty},
		{in: "x＠y", err: ErrProhibited},
		{in: "a@x／y", err: ErrProhibited},
		{in: "a@b/\xFF", err: ErrProhibited},
		{in: long + "a@b", err: ErrTooLong},
		{in: "a@" + long + "b", err: ErrTooLong},
		{in: "a@b/c" + long, err: ErrTooLong},
	}
	for _, tt := range tests {
		name := tt.in
		if len(name) > 40 {
			name = name[:40]
		}
		t.Run(name, func(t *testing.T) {
			j, err := Parse(tt.in)
			if !errors.Is(err, tt.err) || j.Local() != tt.local || j.Domain() != tt.domain || j.Resource() != tt.resource {
				t.Fatalf("got %q %q %q, %v; want %q %q %q, %v",
					j.Local(), j.Domain(), j.Resource(), err, tt.local, tt.domain, tt.resource, tt.err)
			}
			if tt.err != nil {
				if !j.IsZero() {
					t.Errorf("got %v beside an error", j)
				}
				return
			}
			if k, err := New(tt.local, tt.domain, tt.resource); err != nil || k != j {
				t.Errorf("New gives %v, %v; want %v", k, err, j)
			}
		})
	}
}

func TestNewRefusesSeparators(t *testing.T) {
	for _, parts := range [][3]string{
		{"a@b", "c", ""}, {"a/b", "c", ""}, {"a", "b@c", ""}, {"a", "b/c", ""}, {"", "", "r"}, {"a", "", ""}, {"a", "x＠y", ""},
	} {
		if j, err := New(parts[0], parts[1], parts[2]); err == nil {
			t.Errorf("New%q = %v, want an error", parts, j)
		}
	}
}

func TestParts(t *testing.T) {
	full := MustParse("alice@example.org/home")
	bare := MustParse("alice@example.org")
	if full.Bare() != bare || full.BareString() != "alice@example.org" || !bare.IsBare() || full.IsBare() {
		t.Errorf("bare form of %v is %v", full, full.Bare())
	}
	if d := full.DomainJID(); d != MustParse("example.org") || !d.IsDomain() || full.IsDomain() || bare.IsDomain() {
		t.Errorf("domain of %v is %v", full, d)
	}
	if got := bare.WithResource("home"); got != full {
		t.Errorf("with its resource: %v, want %v", got, full)
	}
	if got := full.WithResource("x/y"); got.Resource() != "x/y" || got.Bare() != bare {
		t.Errorf("with another resource: %v", got)
	}
	if got := full.WithResource(""); got != bare {
		t.Errorf("without resource: %v, want %v", got, bare)
	}
	var zero JID
	if !zero.IsZero() || zero.String() != "" || zero.Bare() != zero || !zero.IsBare() || zero.IsDomain() ||
		zero.Local()+zero.Domain()+zero.Resource() != "" || zero.DomainJID() != zero {
		t.Errorf("the zero JID has parts: %#v", zero)
	}
	if c := full.Clone(); c != full || !c.Equal(full) {
		t.Errorf("clone is %v", c)
	}
	if got := map[JID]int{full: 1}[MustParse("ALICE@Example.ORG/home")]; got != 1 {
		t.Error("an equal address does not find the map entry")
	}
}

func TestText(t *testing.T) {
	type record struct{ A, B JID }
	b, err := json.Marshal(record{A: MustParse("a@b/c")})
	if err != nil || string(b) != `{"A":"a@b/c","B":""}` {
		t.Fatalf("got %s, %v", b, err)
	}
	var r record
	if err := json.Unmarshal([]byte(`{"A":"A@b/c","B":""}`), &r); err != nil || r.A != MustParse("a@b/c") || !r.B.IsZero() {
		t.Errorf("got %+v, %v", r, err)
	}
	if err := json.Unmarshal([]byte(`{"A":"@"}`), &r); !errors.Is(err, ErrSyntax) {
		t.Errorf("got %v", err)
	}
}

func TestMustParsePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	MustParse("@")
}

func TestParseDoesNotAllocate(t *testing.T) {
	for _, s := range []string{"alice@localhost/bench-16", "localhost", "alice@localhost/"} {
		if n := testing.AllocsPerRun(100, func() {
			j, err := Parse(s)
			if err != nil || j.Bare().BareString() == "" {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", s, n)
		}
	}
}

// checkLaws holds for every address that Parse accepts.
func checkLaws(t interface{ Fatalf(string, ...any) }, in string) {
	j, err := Parse(in)
	if err != nil {
		if j != (JID{}) {
			t.Fatalf("Parse(%+q) gives %v beside an error", in, j)
		}
		return
	}
	if k, err := Parse(j.String()); err != nil || k != j {
		t.Fatalf("Parse(%+q) = %+q, which reads back as %+q, %v", in, j, k, err)
	}
	if k, err := New(j.Local(), j.Domain(), j.Resource()); err != nil || k != j {
		t.Fatalf("Parse(%+q) = %+q, whose parts make %+q, %v", in, j, k, err)
	}
	if k := j.Bare().WithResource(j.Resource()); k != j {
		t.Fatalf("Parse(%+q) = %+q, taken apart and put together %+q", in, j, k)
	}
	if j.Domain() == "" || strings.ContainsAny(j.Domain(), "@/") || strings.ContainsAny(j.Local(), "@/") {
		t.Fatalf("Parse(%+q) has local %+q, domain %+q", in, j.Local(), j.Domain())
	}
	if len(j.Local()) > MaxPart || len(j.Domain()) > MaxPart || len(j.Resource()) > MaxPart {
		t.Fatalf("Parse(%+q) has an oversized part", in)
	}
}

func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.OneOf(texts(), rapid.Map(rapid.SliceOfN(texts(), 3, 3), func(p []string) string {
			return p[0] + "@" + p[1] + "/" + p[2]
		})).Draw(t, "address")
		checkLaws(t, in)
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"alice@localhost/a", "localhost", "a@b@c", "@", "/", "a@/r", "Straße@ＥＸＡＭＰＬＥ.org/Ⅷ", "x＠y", "\u05D0@b",
		"\u00AD@b/\u00AD", "a@b/\xFF", "e\u0301@b", "\U0001F600@b", "ﷺ@b/ﷺ",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) { checkLaws(t, in) })
}

func BenchmarkParse(b *testing.B) {
	for _, s := range []string{"romeo.montague@example.net/orchard", "Romeo.Montague@example.net/orchard", "jürgen@bücher.example/büro"} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if _, err := Parse(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
