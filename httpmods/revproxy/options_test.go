package revproxy

import (
	"reflect"
	"testing"

	"meerkat/cfgterm"
	"meerkat/cfgterm/schema/schematest"
)

func TestOptions(t *testing.T) {
	schematest.Run(t, Table(), "[]")
	schematest.Run(t, ModuleTable(), "[]")
}

func TestRoutes(t *testing.T) {
	tests := []struct {
		in   string
		want []Route // nil: refused
	}{
		{`{"h", "/p", "get", "http://u/"}`, []Route{{"h", "/p", "GET", "http://u/"}}},
		{`{"h", "/p", put, <<"https://u/">>}`, []Route{{"h", "/p", "PUT", "https://u/"}}},
		{`{"_", "_", "_", "http://u/"}`, []Route{{"_", "_", "_", "http://u/"}}},
		{`{"h", "/p", "http://u/"}`, []Route{{"h", "/p", "_", "http://u/"}}},
		{`{"h", "post", "http://u/"}`, []Route{{"h", "_", "POST", "http://u/"}}},
		{`{"h", "_", "http://u/"}`, []Route{{"h", "_", "_", "http://u/"}}},
		{`{"a", "/b"}`, nil},
		{`{"h", "/p", "_", "ftp://u/"}`, nil},
		{`{h, "/p", "_", "http://u/"}`, nil},
	}
	for _, tt := range tests {
		term, err := cfgterm.ParseTerm("[{routes, [" + tt.in + "]}]")
		if err != nil {
			t.Fatal(err)
		}
		got, res := ModuleTable().Decode(nil, term)
		if res.Diags.HasErrors() != (tt.want == nil) {
			t.Errorf("%s: %v", tt.in, res.Diags)
		}
		if tt.want != nil && !reflect.DeepEqual(got.Routes, tt.want) {
			t.Errorf("%s gives %+v, want %+v", tt.in, got.Routes, tt.want)
		}
	}
}
