package compat

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/options.md")

// TestManual keeps docs/options.md fresh: run it with -update after a change of a
// table.
func TestManual(t *testing.T) {
	b := fewBuiltins()
	b.Modules = slices.DeleteFunc(allBuiltins().Modules, func(m Builtin) bool { return m.Table.TableName() == "mod_ping" })
	const path = "../docs/options.md"
	got := Manual(b)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/options.md is stale: go test ./compat -run TestManual -update")
	}
	for _, part := range []string{"### ejabberd_c2s", "#### max_stanza_size", "### auth_opts"} {
		if part == "### auth_opts" {
			part = "#### auth_opts.password_format"
		}
		if !strings.Contains(string(got), part) {
			t.Errorf("no %q", part)
		}
	}
}
