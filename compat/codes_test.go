package compat

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"meerkat/cfgterm/diag"
	"meerkat/cfgterm/schema"
)

// common are the terms that examples leave out.
const common = "{hosts, [\"localhost\"]}.\n{sm_backend, {mnesia, []}}.\n{auth_method, internal}.\n"

// complete puts the terms before an example that it leaves out.
func complete(example string) string {
	var b strings.Builder
	for line := range strings.Lines(common) {
		key, _, _ := strings.Cut(strings.TrimPrefix(line, "{"), ",")
		if !strings.Contains(example, "{"+key+",") && !strings.Contains(example, "{hosts,") {
			b.WriteString(line)
		}
	}
	return b.String() + example + "\n"
}

func given(ds diag.List, code string) *diag.Diagnostic {
	for i := range ds {
		if ds[i].Code == code {
			return &ds[i]
		}
	}
	return nil
}

func TestCodes(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Codes() {
		t.Run(c.Code, func(t *testing.T) {
			if seen[c.Code] {
				t.Error("explained twice")
			}
			seen[c.Code] = true
			if c.Title == "" || c.Text == "" || strings.HasSuffix(c.Title, ".") || !strings.HasSuffix(c.Text, ".") {
				t.Errorf("title %q, text %q", c.Title, c.Text)
			}
			if c.Example == "" {
				return
			}
			var got *diag.Diagnostic
			for _, b := range []Builtins{allBuiltins(), fewBuiltins()} {
				_, ds := load(complete(c.Example), pems, Options{Builtins: b})
				if d := given(ds, c.Code); d != nil && (got == nil || d.Severity == c.Severity) {
					got = d
				}
			}
			if got == nil {
				t.Fatalf("the example does not give it:\n%s", complete(c.Example))
			}
			if got.Severity != c.Severity {
				t.Errorf("the example gives it as %s, not %s", got.Severity, c.Severity)
			}
			if got.Span.Line == 0 && c.Code != "SMB001" {
				t.Errorf("no place: %s", got.Summary)
			}
			if got.Help == "" && got.Severity == diag.Error {
				t.Errorf("no help: %s", got.Summary)
			}
			_, ds := load(complete(c.Fix), pems, Options{Builtins: allBuiltins()})
			if d := given(ds, c.Code); d != nil {
				t.Errorf("the fix gives it too: %s", d.Summary)
			}
		})
	}
	for _, c := range schema.Codes() {
		if !seen[c] {
			t.Errorf("%s of package schema is not explained", c)
		}
	}
}

// TestCodesInSource finds codes in the sources that nobody explains, and explained
// ones that nobody gives.
func TestCodesInSource(t *testing.T) {
	re := regexp.MustCompile(`"((?:BLD|FIL|INC|MAC|HST|TRM|HC|ACL|ACC|SHP|AUT|DB|SMB|LSN|MOD|S2S)[0-9]{3})"`)
	used := map[string]bool{}
	for _, pattern := range []string{
		"*.go", "../cfgterm/schema/*.go", "../listeners/*/options.go", "../httpmods/*/options.go", "../router/modules/*/*.go",
	} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			if strings.HasSuffix(n, "_test.go") || n == "codes.go" {
				continue
			}
			src, err := os.ReadFile(n)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range re.FindAllStringSubmatch(string(src), -1) {
				used[m[1]] = true
			}
		}
	}
	for _, c := range schema.Codes() {
		used[c] = true
	}
	used["MOD020"] = true // for the checks of modules
	var explained []string
	for _, c := range Codes() {
		explained = append(explained, c.Code)
		if !used[c.Code] {
			t.Errorf("%s is explained and never given", c.Code)
		}
	}
	for c := range used {
		if !slices.Contains(explained, c) {
			t.Errorf("%s is given and not explained", c)
		}
	}
}
