package cfgterm

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"meerkat/cfgterm/diag"
)

// TestCodes reads every example of the explanations: it must get the code it
// explains, and the corrected file must get nothing.
func TestCodes(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Codes() {
		if seen[c.Code] || c.Title == "" || c.Text == "" {
			t.Errorf("%s: twice or without text", c.Code)
		}
		seen[c.Code] = true
		if c.Example == "" {
			continue
		}
		f, l := Parse("example.cfg", []byte(c.Example))
		if len(l) != 1 || l[0].Code != c.Code || l[0].Severity != c.Severity {
			t.Errorf("%s: example gives %v, want only the code itself", c.Code, l)
		}
		if (f.Erlang != "") != (c.Severity == diag.Error && c.Code != codeTemplate) {
			t.Errorf("%s: Erlang says %q of the example", c.Code, f.Erlang)
		}
		if _, l := Parse("fix.cfg", []byte(c.Fix)); len(l) != 0 {
			t.Errorf("%s: the fix gives %v", c.Code, l)
		}
	}
	for i := 1; i <= 27; i++ {
		if code := fmt.Sprintf("SYN%03d", i); !seen[code] {
			t.Errorf("%s is not explained", code)
		}
	}
	for i := range codes[1:] {
		if codes[i].Code > codes[i+1].Code {
			t.Errorf("%s stands after %s", codes[i+1].Code, codes[i].Code)
		}
	}
}

// TestTemplateNames checks that the list can be searched.
func TestTemplateNames(t *testing.T) {
	for i, n := range TemplateNames {
		if !IsTemplateName(n) || i > 0 && TemplateNames[i-1] >= n {
			t.Errorf("%s is out of order", n)
		}
	}
	if IsTemplateName("nothing") {
		t.Error("nothing is no template name")
	}
}

// checkDiagnostics holds for every diagnostic of every input.
func checkDiagnostics(t testing.TB, f *File, l diag.List) {
	t.Helper()
	for _, d := range l {
		if d.Summary == "" || strings.ContainsAny(d.Summary, "\n\r") || strings.HasSuffix(d.Summary, ".") && !strings.HasSuffix(d.Summary, "..") {
			t.Errorf("summary %q", d.Summary)
		}
		for _, text := range []string{d.Summary, strings.ReplaceAll(d.Help, "\n", ""), d.Erlang} {
			if !utf8.ValidString(text) || strings.IndexFunc(text, unicode.IsControl) >= 0 {
				t.Errorf("%q of %q", text, f.Src)
			}
		}
		known := false
		for _, c := range codes {
			known = known || c.Code == d.Code
		}
		if !known {
			t.Errorf("unknown code %q", d.Code)
		}
		spans := []diag.Span{d.Span}
		for _, r := range d.Related {
			spans = append(spans, r.Span)
		}
		for _, s := range spans {
			if s.Start < 0 || s.End < s.Start || s.End > len(f.Src)+1 || s.File != f.Name {
				t.Errorf("span %+v of %s (%d bytes)", s, d.Summary, len(f.Src))
			}
			if line, col := f.Position(s.Start); line != s.Line || col != s.Col {
				t.Errorf("span %+v is at %d:%d", s, line, col)
			}
		}
	}
}
