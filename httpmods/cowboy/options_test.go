package cowboy

import (
	"reflect"
	"strings"
	"testing"

	"meerkat/cfgterm"
	"meerkat/cfgterm/diag"
	"meerkat/cfgterm/schema"
	"meerkat/cfgterm/schema/schematest"
)

func TestOptions(t *testing.T) {
	schematest.Run(t, Table(), "[]")
}

func TestDecode(t *testing.T) {
	tests := []struct {
		in   string
		want Options
		diag string // part of the only diagnostic
	}{
		{`[{http, mod_x}]`, Options{HTTP: &Handler{Module: "mod_x", Options: &struct{}{}}}, ""},
		{`[{http, mod_x, []}, {ws, xmpp, mod_x}]`, Options{
			HTTP: &Handler{Module: "mod_x", Options: &struct{}{}},
			WS:   []Handler{{Protocol: "xmpp", Module: "mod_x", Options: &struct{}{}}},
		}, ""},
		{`[{http, mod_x}, {http, mod_x}]`, Options{HTTP: &Handler{Module: "mod_x", Options: &struct{}{}}}, "the first http element"},
		{`[{http, no_such}]`, Options{}, "no such module"},
		{`[{ftp, mod_x}]`, Options{}, "must be http or ws"},
		{`[{ws, "xmpp", mod_x}]`, Options{}, "an atom"},
		{`foo`, Options{}, "must be a list"},
	}
	for _, tt := range tests {
		term, err := cfgterm.ParseTerm(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		got, res := Table().Decode(&schema.Context{Find: find}, term)
		if !reflect.DeepEqual(*got, tt.want) {
			t.Errorf("%s gives %+v, want %+v", tt.in, *got, tt.want)
		}
		if tt.diag == "" && len(res.Diags) > 0 || tt.diag != "" && (len(res.Diags) != 1 || !strings.Contains(res.Diags[0].Summary, tt.diag)) {
			t.Errorf("%s: diagnostics %v, want %q", tt.in, res.Diags, tt.diag)
		}
	}
}

// find knows the modules that a test names.
func find(kind schema.Kind, name cfgterm.Term) (schema.Schema, *diag.Diagnostic) {
	n, _ := cfgterm.AtomName(name)
	if n != "mod_x" {
		return nil, &diag.Diagnostic{Severity: diag.Error, Code: "LSN003", Span: name.Span(), Summary: "no such module"}
	}
	return &schema.Table[struct{}]{Name: n, Kind: kind}, nil
}
