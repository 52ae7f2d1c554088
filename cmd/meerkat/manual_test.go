package main

import (
	"bytes"
	"os"
	"testing"

	"meerkat/cmd/node"
	"meerkat/compat"
)

// TestManual keeps docs/options.md fresh: run it with -update after a change of a
// table.
func TestManual(t *testing.T) {
	const path = "../../docs/options.md"
	got := compat.Manual(node.Builtins())
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
		t.Error("docs/options.md is stale: run make generate")
	}
}
