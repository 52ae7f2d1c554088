package static

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
		{`{dir, "/srv/www"}`, Options{Dir: true, Path: "/srv/www", Mimetypes: "web", ETag: true}, ""},
		{`{file, <<"a.txt">>, [{etag, false}]}`, Options{Path: "a.txt", Mimetypes: "web"}, ""},
		{`{priv_dir, ejabberd, "www"}`, Options{Dir: true, Priv: true, Path: "www", Mimetypes: "web", ETag: true}, ""},
		{`{priv_file, ejabberd, "a", [{mimetypes, cow_mimetypes, all}]}`, Options{Priv: true, Path: "a", Mimetypes: "all", ETag: true}, ""},
		{`{dir, "x", [{mimetypes, <<"text/plain">>}]}`, Options{Dir: true, Path: "x", Mimetypes: "text/plain", ETag: true}, ""},
		{`{dir, "x", [{mimetypes, {<<"text">>, <<"html">>, [{<<"charset">>, <<"utf-8">>}]}}]}`, Options{Dir: true, Path: "x", Mimetypes: "text/html; charset=utf-8", ETag: true}, ""},
		{`{priv_dir, cowboy, "www"}`, Options{}, "only the application ejabberd"},
		{`{dir, "x", [{mimetypes, mod, fun_}]}`, Options{}, "only cow_mimetypes"},
		{`{dir, "x", [{etag, mod, fun_}]}`, Options{}, "only {etag, false}"},
		{`{dir}`, Options{}, "must be {dir, "},
		{`[]`, Options{}, "must be {dir, "},
		{`{folder, "x"}`, Options{}, "must be dir, file, priv_dir or priv_file"},
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
