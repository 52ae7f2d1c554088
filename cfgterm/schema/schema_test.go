package schema_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"meerkat/cfgterm"
	"meerkat/cfgterm/diag"
	"meerkat/cfgterm/schema"
	"meerkat/cfgterm/schema/schematest"
)

// options has one option of each kind of declaration.
type options struct {
	Access, Shaper, Secret string
	Size                   int
	TLS                    bool
	Every                  time.Duration
	Mode                   string
	Names                  []string
	At                     netip.Addr
	Sub                    sub
	Wide                   string
	Queue                  int
	Legacy                 bool
}

type sub struct {
	User, Password string
}

var subTable = &schema.Table[sub]{
	Name: "sub", Kind: schema.Listener, Doc: "A list.",
	Options: []schema.Option[sub]{
		{
			Name: "user", Value: schema.Field(schema.Text(), func(s *sub) *string { return &s.User }), Absent: "nobody",
			Example: `"joe"`, Doc: "Who.", Since: "1.2.2", TOML: "user", Effect: schema.AtStart, Bad: schema.Ignored,
		},
		{
			Name: "password", Value: schema.Field(schema.Text(), func(s *sub) *string { return &s.Password }), Secret: true,
			Absent: "none", Example: `"geheim"`, Doc: "Secret.", Since: "1.2.2", TOML: "-", Effect: schema.AtStart, Bad: schema.Ignored,
		},
	},
}

func opt(o schema.Option[options]) schema.Option[options] {
	o.Doc, o.Since, o.TOML, o.Effect = "An option.", "1.2.2", "key", schema.NewConnections
	if o.Bad == 0 {
		o.Bad = schema.Ignored
	}
	if o.Default == "" {
		o.Absent = "off"
	}
	return o
}

func newTable(kind schema.Kind) *schema.Table[options] {
	return &schema.Table[options]{
		Name: "thing", Kind: kind, Doc: "A thing.",
		Options: []schema.Option[options]{
			opt(schema.Option[options]{
				Name: "access", Value: schema.Field(schema.AccessRule(), func(o *options) *string { return &o.Access }),
				Default: "c2s", Source: "all", Example: "other", BadTerm: "none",
			}),
			opt(schema.Option[options]{
				Name: "shaper", Synonyms: []string{"c2s_shaper"},
				Value:   schema.Field(schema.ShaperName(), func(o *options) *string { return &o.Shaper }),
				Default: "none", Example: "fast",
			}),
			opt(schema.Option[options]{
				Name: "secret", Value: schema.Field(schema.Text(), func(o *options) *string { return &o.Secret }),
				Secret: true, Example: `"geheim"`,
			}),
			opt(schema.Option[options]{
				Name: "size", Value: schema.Field(schema.Int(1, schema.NoLimit).Or("infinity", 0), func(o *options) *int { return &o.Size }),
				Default: "100", Source: "infinity", Example: "7", Bad: schema.Refused,
			}),
			opt(schema.Option[options]{
				Name: "tls", Form: schema.Bare, Value: schema.Flag(func(o *options) *bool { return &o.TLS }), Example: "tls",
			}),
			opt(schema.Option[options]{
				Name: "every", Value: schema.Field(schema.Seconds(0, 100).Or("infinity", -1), func(o *options) *time.Duration { return &o.Every }),
				Default: "5", Example: "6",
			}),
			opt(schema.Option[options]{
				Name:    "mode",
				Value:   schema.Field(schema.Serve(schema.Enum("mnesia", "odbc", "riak"), "mnesia", "odbc"), func(o *options) *string { return &o.Mode }),
				Default: "mnesia", Example: "odbc",
			}),
			opt(schema.Option[options]{
				Name: "names", Value: schema.Field(schema.OneOrList(schema.Name()), func(o *options) *[]string { return &o.Names }),
				Example: `[<<"a">>, b]`,
			}),
			opt(schema.Option[options]{
				Name: "at", Value: schema.Field(schema.IP(), func(o *options) *netip.Addr { return &o.At }), Example: `"::1"`,
			}),
			opt(schema.Option[options]{
				Name: "sub", Value: schema.Field(schema.Nested(subTable), func(o *options) *sub { return &o.Sub }),
				Example: `[{user, "joe"}, {password, "geheim"}]`,
			}),
			opt(schema.Option[options]{
				Name: "wide", Form: schema.Wide,
				Value: schema.Field(schema.Tuple(schema.Skip[string]("wide", schema.Atom()), schema.Elem("S", schema.Text(),
					func(s *string) *string { return s }), schema.Skip[string]("N", schema.Int(0, 9))), func(o *options) *string { return &o.Wide }),
				Example: `{wide, "x", 1}`,
			}),
			opt(schema.Option[options]{
				Name: "queue", Inherit: "max_fsm_queue",
				Value:   schema.Field(schema.Int(1, schema.NoLimit), func(o *options) *int { return &o.Queue }),
				Example: "9",
			}),
			opt(schema.Option[options]{
				Name: "legacy", Value: schema.Field(schema.Bool(), func(o *options) *bool { return &o.Legacy }), Default: "false",
				Example: "true", Unserved: "nobody wrote it yet",
			}),
		},
		Foreign: []schema.Foreign{
			{Name: "proxy_protocol", From: "MongooseIM 3.7"},
			{Name: "ssl", From: "ejabberd 1.1", Instead: "tls", Refused: true},
		},
		Check: func(o *options, c *schema.Check) {
			if o.TLS && !c.Given("secret") {
				c.Warnf("LSN099", "tls", "add secret", "tls without secret")
			}
		},
	}
}

func TestTable(t *testing.T) {
	schematest.Run(t, newTable(schema.Listener), `[{secret, "x"}]`)
	schematest.Run(t, newTable(schema.Module), `[{secret, "x"}]`)
}

func parse(t *testing.T, text string) cfgterm.Term {
	t.Helper()
	term, err := cfgterm.ParseTerm(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return term
}

func TestDecode(t *testing.T) {
	def := options{Access: "c2s", Shaper: "none", Size: 100, Every: 5 * time.Second, Mode: "mnesia"}
	with := func(f func(*options)) options {
		o := def
		f(&o)
		return o
	}
	tests := []struct {
		name  string
		opts  string
		want  options
		diags []string // "severity code: part of the summary or help", infos about defaults left out
	}{
		{"empty", "[]", def, nil},
		{"number", "[{size, 5}]", with(func(o *options) { o.Size = 5 }), nil},
		{"alternative", "[{size, infinity}]", with(func(o *options) { o.Size = 0 }), nil},
		{"huge", "[{size, 100000000000000000000000}]", with(func(o *options) { o.Size = schema.NoLimit }), nil},
		{"atom", "[tls]", with(func(o *options) { o.TLS = true }), []string{"warning LSN099: tls without secret"}},
		{"name", "[{access, admins}]", with(func(o *options) { o.Access = "admins" }), nil},
		{"name in quotes", `[{access, "admins"}]`, with(func(o *options) { o.Access = "admins" }), []string{"warning LSN014: without quotes"}},
		{"name of a wrong type", "[{access, 5}]", with(func(o *options) { o.Access = "none" }), []string{"warning LSN014: taken as none"}},
		{"refused value", "[{size, 0}]", def, []string{"error LSN015: size of thing must be a positive integer or infinity, not an integer 0"}},
		{"refused type", `[{size, "5"}]`, def, []string{`error LSN015: not a string "5"`}},
		{"ignored value", "[{every, often}]", def, []string{"warning LSN014: every of thing must be an integer from 0 to 100 (seconds) or infinity, not an atom often: ignored"}},
		{"synonym", "[{c2s_shaper, fast}]", with(func(o *options) { o.Shaper = "fast" }), []string{"info LSN019: taken as shaper"}},
		{"both spellings", "[{c2s_shaper, slow}, {shaper, fast}]", with(func(o *options) { o.Shaper = "fast" }), []string{"warning LSN013: option c2s_shaper"}},
		{"twice", "[{size, 5}, {size, 6}]", with(func(o *options) { o.Size = 5 }), []string{"warning LSN013: the first one counts"}},
		{"atom as tuple", "[{tls, true}]", def, []string{"warning LSN012: write the atom alone: tls"}},
		{"pair alone", "[size]", def, []string{"warning LSN012: {size, 7}"}},
		{"misspelt", "[{sizes, 5}]", def, []string{"warning LSN010: did you mean size?"}},
		{"unknown", "[{zzzzzz, 5}]", def, []string{"warning LSN010: its options are access, shaper"}},
		{"no option", `["abc", 5, {}, {"a", 1}]`, def, []string{"warning LSN010: a string in", "warning LSN010: an integer in", "warning LSN010: a tuple of 0", "warning LSN010: a tuple of 2"}},
		{"other release", "[{proxy_protocol, true}]", def, []string{"warning LSN011: belongs to MongooseIM 3.7"}},
		{"other release, refused", "[ssl]", def, []string{"error LSN015: in 2.0.1: tls"}},
		{"not served", "[{legacy, true}]", def, []string{"error BLD004: option legacy of thing"}},
		{"not served and wrong", "[{legacy, 5}]", def, []string{"warning LSN014: legacy of thing must be true or false"}},
		{"value not served", "[{mode, riak}]", def, []string{"error BLD005: the value riak of mode"}},
		{"word misspelt", "[{mode, mnesja}]", def, []string{"warning LSN014: did you mean mnesia?"}},
		{"one", `[{names, "a"}]`, with(func(o *options) { o.Names = []string{"a"} }), nil},
		{"list", `[{names, ["a", <<"b">>, c]}]`, with(func(o *options) { o.Names = []string{"a", "b", "c"} }), nil},
		{"bad element", `[{names, ["a", 5]}]`, def, []string{"warning LSN014: in names of thing: must be a string or an atom, not an integer 5"}},
		{"address", "[{at, {127,0,0,1}}]", with(func(o *options) { o.At = netip.MustParseAddr("127.0.0.1") }), nil},
		{"address of eight", "[{at, {0,0,0,0,0,0,0,1}}]", with(func(o *options) { o.At = netip.MustParseAddr("::1") }), nil},
		{"no address", `[{at, "localhost"}]`, def, []string{"warning LSN014: must be an IP address"}},
		{"address out of range", "[{at, {127,0,0,256}}]", def, []string{"warning LSN014: must be an IP address"}},
		{"nested", `[{sub, [{user, "joe"}]}]`, with(func(o *options) { o.Sub.User = "joe" }), nil},
		{"nested misspelt", `[{sub, [{usr, "joe"}]}]`, def, []string{"warning LSN010: sub has no option usr"}},
		{"secret of a wrong type", "[{secret, geheim}]", def, []string{"warning LSN014: secret of thing must be a string, not an atom: ignored"}},
		{"no list", "foo", def, []string{"error LSN004: must be a list, not an atom"}},
		{"text in place of the list", `"foo"`, def, []string{"error LSN004: must be a list, not a string"}},
		{"wide", `[{wide, "a", 1}]`, with(func(o *options) { o.Wide = "a" }), nil},
		{"wide of wrong size", `[{wide, "a"}]`, def, []string{"warning LSN014: must be {wide, S, N}"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, res := newTable(schema.Listener).Decode(nil, parse(t, tt.opts))
			if d := cmp.Diff(tt.want, *got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
				t.Errorf("settings (-want +got):\n%s", d)
			}
			var left []string
			for _, d := range res.Diags {
				if d.Code == "LSN017" {
					continue
				}
				left = append(left, d.Severity.String()+" "+d.Code+": "+d.Summary+"; "+d.Help)
				if strings.Contains(d.Summary+d.Help, "geheim") {
					t.Errorf("a secret in %q", d.Summary)
				}
			}
			if len(left) != len(tt.diags) {
				t.Fatalf("diagnostics %q, want %q", left, tt.diags)
			}
			for i, want := range tt.diags {
				code, part, _ := strings.Cut(want, ": ")
				if !strings.HasPrefix(left[i], code+":") || !strings.Contains(left[i], part) {
					t.Errorf("diagnostic %q, want %q", left[i], want)
				}
			}
		})
	}
}

func TestProplist(t *testing.T) {
	tests := []struct {
		opts string
		want options
		code string
	}{
		{"[tls]", options{TLS: true}, ""},
		{"[{tls, true}]", options{TLS: true}, ""},
		{"[{tls, false}]", options{}, ""},
		{"[size]", options{}, "MOD015"}, // {size, true}
	}
	for _, tt := range tests {
		got, res := newTable(schema.Module).Decode(nil, parse(t, tt.opts))
		if got.TLS != tt.want.TLS {
			t.Errorf("%s: tls %v", tt.opts, got.TLS)
		}
		if tt.code != "" && !hasCode(res.Diags, tt.code) {
			t.Errorf("%s: no %s in %v", tt.opts, tt.code, res.Diags)
		}
	}
}

func hasCode(ds diag.List, code string) bool {
	for _, d := range ds {
		if d.Code == code {
			return true
		}
	}
	return false
}

func TestDefaults(t *testing.T) {
	tab := newTable(schema.Listener)
	tests := []struct {
		name   string
		ctx    schema.Context
		access string
		size   int
		queue  int
		from   schema.From // of access
	}{
		{"documented", schema.Context{}, "c2s", 100, 0, schema.FromDocument},
		{"source", schema.Context{Defaults: schema.Source}, "all", 0, 0, schema.FromSource},
		{"rule not defined", schema.Context{Defined: func(schema.Ref) bool { return false }}, "all", 100, 0, schema.FromSource},
		{"inherited", schema.Context{Inherit: map[string]cfgterm.Term{"max_fsm_queue": parse(t, "77")}}, "c2s", 100, 77, schema.FromDocument},
		{"inherited nonsense", schema.Context{Inherit: map[string]cfgterm.Term{"max_fsm_queue": parse(t, "foo")}}, "c2s", 100, 0, schema.FromDocument},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, res := tab.Decode(&tt.ctx, parse(t, "[]"))
			if got.Access != tt.access || got.Size != tt.size || got.Queue != tt.queue {
				t.Errorf("access %q, size %d, queue %d; want %q, %d, %d", got.Access, got.Size, got.Queue, tt.access, tt.size, tt.queue)
			}
			if o := res.Origins[0]; o.Option != "access" || o.From != tt.from || o.Value != tt.access {
				t.Errorf("origin of access %+v, want %v", o, tt.from)
			}
			if len(res.Refs) != 0 {
				t.Errorf("defaults count as references: %v", res.Refs)
			}
		})
	}
}

func TestOriginsAndRefs(t *testing.T) {
	term := parse(t, `[{access, admins}, {secret, "geheim"}, {sub, [{user, "joe"}, {password, "geheim"}]}, {c2s_shaper, fast}]`)
	_, res := newTable(schema.Listener).Decode(nil, term)
	text := map[string]string{}
	for _, o := range res.Origins {
		if o.From == schema.FromFile {
			text[o.Option] = o.Value
		}
		if strings.Contains(o.Value, "geheim") {
			t.Errorf("%s shows a secret", o.Option)
		}
	}
	want := map[string]string{
		"access": "admins", "secret": `"********"`, "shaper": "fast",
	}
	for k, v := range want {
		if text[k] != v {
			t.Errorf("%s is shown as %s, want %s", k, text[k], v)
		}
	}
	if !strings.Contains(text["sub"], "joe") || !strings.Contains(text["sub"], schema.Hidden) {
		t.Errorf("sub is shown as %s", text["sub"])
	}
	if len(res.Refs) != 2 || res.Refs[0].Name != "admins" || res.Refs[1].Kind != schema.RefShaper {
		t.Errorf("references %+v", res.Refs)
	}
	if res.Refs[0].Span.Start == 0 {
		t.Errorf("reference without a place")
	}
}

func TestAllowMissing(t *testing.T) {
	got, res := newTable(schema.Listener).Decode(&schema.Context{AllowMissing: true}, parse(t, "[{legacy, true}, {mode, riak}]"))
	if got.Legacy || got.Mode != "mnesia" {
		t.Errorf("options that are not served took effect: %+v", got)
	}
	if res.Diags.HasErrors() || !hasCode(res.Diags, "BLD004") || !hasCode(res.Diags, "BLD005") {
		t.Errorf("diagnostics %v", res.Diags)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"max_stanza_size", "access", "starttls", "starttls_required", "tls", "hosts"}
	for name, want := range map[string]string{
		"max_stanza_sise": "max_stanza_size", "acess": "access", "startls": "starttls", "stratls": "starttls",
		"host": "hosts", "xyz": "", "tsl": "tls", "a": "", "access": "", "starttls_requird": "starttls_required",
	} {
		if got := schema.Nearest(name, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestTypes(t *testing.T) {
	check := func(name string, v schema.Value[one], in string, want any) {
		t.Helper()
		tab := &schema.Table[one]{Name: "x", Options: []schema.Option[one]{{Name: "v", Value: v, Bad: schema.Refused, Absent: "-"}}}
		got, res := tab.Decode(&schema.Context{Host: "example.org"}, parse(t, "[{v, "+in+"}]"))
		if want == nil {
			if !res.Diags.HasErrors() {
				t.Errorf("%s: %s is taken as %v", name, in, got.V)
			}
			return
		}
		if d := cmp.Diff(want, got.V); d != "" || res.Diags.HasErrors() {
			t.Errorf("%s: %s: %s %v", name, in, d, res.Diags)
		}
	}
	words := anyField(schema.TLSWords())
	check("words", words, `["no_sslv3", "no_tlsv1|no_tlsv1_1"]`, []string{"no_sslv3", "no_tlsv1", "no_tlsv1_1"})
	check("words", words, `"no_sslv3|no_tlsv1"`, []string{"no_sslv3", "no_tlsv1"})
	check("words", words, `["nonsense", "no_tlsv1"]`, []string{"no_tlsv1"})
	check("words", words, `[{a}]`, nil)
	iq := anyField(schema.IQDiscipline())
	check("iqdisc", iq, "one_queue", schema.IQDisc{Method: "one_queue"})
	check("iqdisc", iq, "{queues, 5}", schema.IQDisc{Method: "queues", Queues: 5})
	check("iqdisc", iq, "{queues, 0}", nil)
	check("iqdisc", iq, "queue", nil)
	host := anyField(schema.HostText())
	check("host", host, `"conference.@HOST@"`, "conference.example.org")
	check("host", host, `<<"x">>`, "x")
	num := anyField(schema.Number(0))
	check("number", num, "1.5", 1.5)
	check("number", num, "2", 2.0)
	check("number", num, "-1", nil)
	ms := anyField(schema.Milliseconds(0, schema.NoLimit))
	check("milliseconds", ms, "1500", 1500*time.Millisecond)
	check("milliseconds", ms, "99999999999999999999", 100*365*24*time.Hour)
	check("path", anyField(schema.Path()), `""`, nil)
	check("any", anyField(schema.Any()), `{a, [b]}`, "{a, [b]}")
}

// one holds a value of whatever type.
type one struct{ V any }

func anyField[V any](ty schema.Type[V]) schema.Value[one] {
	conv := schema.Convert(ty, func(v V) (any, error) { return v, nil })
	return schema.Field(conv, func(o *one) *any { return &o.V })
}

func TestExplainAndManual(t *testing.T) {
	tab := newTable(schema.Listener)
	text, ok := schema.Explain(tab, "c2s_shaper")
	if !ok || !strings.Contains(text, "c2s_shaper") || !strings.Contains(text, "the name of a shaper") {
		t.Errorf("explanation %q", text)
	}
	if text, ok = schema.Explain(tab, "sub.password"); !ok || strings.Contains(text, "geheim") {
		t.Errorf("explanation of a secret %q", text)
	}
	if _, ok = schema.Explain(tab, "nothing"); ok {
		t.Error("an unknown option is explained")
	}
	man := string(schema.Manual("Options", "All of them.", schema.Section{Title: "Things", Tables: []schema.Schema{tab}}))
	for _, part := range []string{"# Options", "### thing", "#### sub.password", "| default | `c2s` |", "proxy_protocol"} {
		if !strings.Contains(man, part) {
			t.Errorf("the manual lacks %q", part)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"[]", "[tls]", `[{sub, [{user, "a"}]}, {at, {1,2,3,4}}]`, "[{names, [a|b]}]", "{a}", `[{wide}]`, "[{{a, b}, c}]"} {
		f.Add(s)
	}
	tab := newTable(schema.Module)
	f.Fuzz(func(t *testing.T, text string) {
		term, err := cfgterm.ParseTerm(text)
		if err != nil {
			return
		}
		tab.Decode(nil, term)
		newTable(schema.Listener).Decode(&schema.Context{Defaults: schema.Source, AllowMissing: true}, term)
	})
}
