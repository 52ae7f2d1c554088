// Package schematest checks option tables as a whole. Each package with a table
// has one test that calls Run.
//
// It imports cfgterm, cfgterm/diag and cfgterm/schema.
package schematest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"meerkat/cfgterm"
	"meerkat/cfgterm/diag"
	"meerkat/cfgterm/schema"
)

// Run checks every entry of the table: that it is completely described, that its
// defaults are values of its type, that its example is read without complaint and
// changes the settings (so that no option is read and forgotten), that each
// synonym does the same, that another form of writing it is reported, that a value
// of the wrong type is reported as the entry says, and that secrets stay hidden.
//
// minimal is a list of options, as text, with which everything else can be
// decoded: "[]", or the options that are required.
func Run(t *testing.T, s schema.Schema, minimal string) {
	t.Helper()
	seen := map[string]bool{}
	for _, e := range s.Entries() {
		for _, n := range append([]string{e.Name}, e.Synonyms...) {
			if seen[n] {
				t.Errorf("%s: option %s declared twice", s.TableName(), n)
			}
			seen[n] = true
		}
	}
	for _, f := range s.Foreigns() {
		if seen[f.Name] {
			t.Errorf("%s: %s is both an option and foreign", s.TableName(), f.Name)
		}
		if f.Name == "" || f.From == "" {
			t.Errorf("%s: foreign option %q without origin", s.TableName(), f.Name)
		}
		checkForeign(t, s, f, minimal)
	}
	if s.Describe() == "" {
		t.Errorf("%s: no description", s.TableName())
	}
	for _, e := range s.Entries() {
		t.Run(e.Name, func(t *testing.T) {
			describe(t, e)
			if !e.Whole && !e.ByLoader && e.Shape != "" {
				values(t, s, e, minimal)
			}
		})
	}
}

// describe checks the fields that the manual and the migration need.
func describe(t *testing.T, e schema.Entry) {
	t.Helper()
	need := map[string]bool{
		"Doc": e.Doc != "", "Since": e.Since != "", "TOML": e.TOML != "", "Effect": e.Effect != 0,
		"Bad": e.Bad != 0, "Value": e.Shape != "" || e.ByLoader, "Example": e.Example != "",
		"Default, Absent or Required": e.Default != "" || e.Absent != "" || e.Required,
	}
	for what, ok := range need {
		if !ok {
			t.Errorf("no %s", what)
		}
	}
	if e.Doc != "" && !strings.HasSuffix(e.Doc, ".") {
		t.Errorf("Doc is no sentence: %q", e.Doc)
	}
	for _, n := range e.Nested {
		t.Run(n.Name, func(t *testing.T) { describe(t, n) })
	}
}

func list(t *testing.T, minimal string, elems ...string) cfgterm.Term {
	t.Helper()
	inner := strings.TrimSuffix(strings.TrimPrefix(minimal, "["), "]")
	parts := elems
	if strings.TrimSpace(inner) != "" {
		parts = append(parts, inner)
	}
	term, err := cfgterm.ParseTerm("[" + strings.Join(parts, ", ") + "]")
	if err != nil {
		t.Fatalf("bad term in the table: %v", err)
	}
	return term
}

func write(e schema.Entry, name string) string {
	switch e.Form {
	case schema.Bare:
		return name
	case schema.Wide:
		return strings.Replace(e.Example, e.Name, name, 1)
	default:
		return "{" + name + ", " + e.Example + "}"
	}
}

// aList is any proper list.
var aList = schema.New("a list", func(r *schema.Reader, t cfgterm.Term) (string, error) {
	if _, ok := cfgterm.Items(t); !ok {
		return "", r.Want(t, "a list")
	}
	return cfgterm.Format(t), nil
})

// anything stands for the tables of other owners.
var anything = func(kind schema.Kind, name cfgterm.Term) (schema.Schema, *diag.Diagnostic) {
	n, ok := cfgterm.AtomName(name)
	if !ok {
		return nil, &diag.Diagnostic{Severity: diag.Error, Code: "LSN003", Span: name.Span(), Summary: "no such module"}
	}
	return &schema.Table[string]{
		Name: n, Kind: kind, WholeDoc: &schema.Option[string]{Name: "options", Bad: schema.Refused},
		Whole: schema.Field(aList, func(s *string) *string { return s }),
	}, nil
}

func values(t *testing.T, s schema.Schema, e schema.Entry, minimal string) {
	t.Helper()
	for _, mode := range []schema.Defaults{schema.Documented, schema.Source} {
		_, res := s.DecodeAny(&schema.Context{Defaults: mode, Find: anything}, list(t, minimal))
		for _, d := range res.Diags {
			if d.Severity != diag.Info {
				t.Errorf("defaults (%d) give a diagnostic: %s", mode, d.Summary)
			}
		}
	}
	plain, _ := s.DecodeAny(&schema.Context{Find: anything}, list(t, minimal))
	// A list that already has the option puts ours before it: the first counts.
	ctx := &schema.Context{Find: anything, AllowMissing: true}
	set, res := s.DecodeAny(ctx, list(t, minimal, write(e, e.Name)))
	// What Table.Check says of the options together is its own affair.
	for _, d := range res.Diags {
		if d.Severity == diag.Error || d.Severity == diag.Warning && slices.Contains(schema.Codes(), d.Code) && d.Code != schema.CodeMissingOption && d.Code != schema.CodeMissingValue && !doubled(d) && e.NoEffect == "" {
			t.Errorf("the example gives %s %s: %s", d.Severity, d.Code, d.Summary)
		}
	}
	if same := reflect.DeepEqual(plain, set); e.Restricted == "" && same != (e.NoEffect != "" || e.Unserved != "") {
		if same {
			t.Errorf("the example %s changes nothing", write(e, e.Name))
		} else {
			t.Errorf("the example of an option without effect changes the settings")
		}
	}
	if e.Secret {
		for _, o := range res.Origins {
			if o.Option == e.Name && o.Value != `"`+schema.Hidden+`"` {
				t.Errorf("the secret is shown: %s", o.Value)
			}
		}
	}
	for _, syn := range e.Synonyms {
		got, res := s.DecodeAny(ctx, list(t, minimal, write(e, syn)))
		if !reflect.DeepEqual(got, set) {
			t.Errorf("synonym %s gives other settings", syn)
		}
		if res.Diags.HasErrors() {
			t.Errorf("synonym %s: %v", syn, res.Diags.Err())
		}
		both, _ := s.DecodeAny(ctx, list(t, minimal, write(bad(e), syn), write(e, e.Name)))
		if !reflect.DeepEqual(both, set) {
			t.Errorf("%s does not win over the synonym %s", e.Name, syn)
		}
	}
	_, res = s.DecodeAny(ctx, list(t, minimal, write(e, e.Name), write(e, e.Name)))
	if !anyCode(res.Diags, "013", "TRM004") {
		t.Errorf("an option written twice is not reported")
	}
	switch {
	case e.Form == schema.Bare && !e.AtomIsTrue:
		got, res := s.DecodeAny(ctx, list(t, minimal, "{"+e.Name+", true}"))
		if !anyCode(res.Diags, "012", "TRM005") || !e.Required && !reflect.DeepEqual(got, plain) {
			t.Errorf("{%s, true} is not reported and ignored", e.Name)
		}
	case e.Form != schema.Bare:
		_, res := s.DecodeAny(ctx, list(t, minimal, e.Name))
		if !anyCode(res.Diags, "012", "TRM005", "014", "015", "TRM006", "TRM007") && e.Bad != schema.AnyValue && !strings.Contains(e.Shape, "true") && !e.AtomIsTrue {
			t.Errorf("the atom %s alone is not reported", e.Name)
		}
	}
	if e.Bad == schema.AnyValue || e.Form == schema.Bare {
		return
	}
	b := bad(e)
	_, res = s.DecodeAny(ctx, list(t, minimal, write(b, e.Name)))
	want := diag.Warning
	if e.Bad == schema.Refused {
		want = diag.Error
	}
	if !has(res.Diags, want, e.Name) {
		t.Errorf("%s gives no %s that names the option: %v", write(b, e.Name), want, res.Diags)
	}
}

// bad is the entry with a value of the wrong type in place of the example.
func bad(e schema.Entry) schema.Entry {
	e.Example = "fun no:such/1"
	if e.Form == schema.Wide {
		e.Example = "{" + e.Name + ", fun no:such/1}"
	}
	if e.Form == schema.Bare {
		e.Form = schema.Pair
	}
	return e
}

func doubled(d diag.Diagnostic) bool { return strings.HasSuffix(d.Code, "013") || d.Code == "TRM004" }

func anyCode(ds diag.List, codes ...string) bool {
	for _, d := range ds {
		for _, c := range codes {
			if strings.HasSuffix(d.Code, c) {
				return true
			}
		}
	}
	return false
}

func has(ds diag.List, sev diag.Severity, word string) bool {
	for _, d := range ds {
		if d.Severity == sev && strings.Contains(d.Summary, word) {
			return true
		}
	}
	return false
}

func checkForeign(t *testing.T, s schema.Schema, f schema.Foreign, minimal string) {
	t.Helper()
	if strings.Contains(f.Name, " ") {
		return
	}
	_, res := s.DecodeAny(&schema.Context{Find: anything}, list(t, minimal, fmt.Sprintf("{%s, 1}", cfgterm.FormatAtom(f.Name))))
	want := diag.Warning
	if f.Refused {
		want = diag.Error
	}
	if !has(res.Diags, want, f.From) {
		t.Errorf("%s: foreign option %s is not reported", s.TableName(), f.Name)
	}
}
