package compat

import (
	"strings"
	"testing"
)

// TestManual checks that the manual holds the tables of a build; docs/options.md
// itself is checked beside the program, which knows all of them.
func TestManual(t *testing.T) {
	got := string(Manual(allBuiltins()))
	for _, part := range []string{"### ejabberd_c2s", "#### max_stanza_size", "#### auth_opts.password_format"} {
		if !strings.Contains(got, part) {
			t.Errorf("no %q", part)
		}
	}
}
