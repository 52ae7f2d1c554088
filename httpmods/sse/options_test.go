package sse

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
		{`[mongoose_client_api_sse]`, Options{Module: "mongoose_client_api_sse"}, ""},
		{`#{module => mongoose_client_api_sse, init_args => []}`, Options{Module: "mongoose_client_api_sse"}, ""},
		{`[]`, Options{}, "must be [mongoose_client_api_sse]"},
		{`[my_handler]`, Options{}, "the only module that there is"},
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
