package cfgterm

import (
	"strings"
	"testing"
	"time"
)

// TestHostile reads files that are made to take long. None may take more than a
// small multiple of what a good file of its size takes.
func TestHostile(t *testing.T) {
	size := 1 << 19
	if raceEnabled {
		size = 1 << 16
	}
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	for name, src := range map[string]string{
		"open tuples":        fill("{a,"),
		"open lists":         fill("["),
		"open lines":         fill("{a,[\n"),
		"parentheses":        fill("("),
		"signs":              fill("- "),
		"catch":              fill("catch "),
		"assignments":        fill("a="),
		"comparisons":        fill("a<"),
		"quotes":             fill("\""),
		"quoted lines":       fill("{a, \"b}.\n"),
		"apostrophes":        fill("don't "),
		"half quoted lines":  fill("{a, \"b\", 'c}.\n"),
		"commas":             fill(","),
		"commas in a list":   "[" + fill("a,,"),
		"no commas":          "[" + fill("a "),
		"no commas in tuple": fill("{a b}.\n"),
		"dots":               fill("."),
		"dots and blanks":    fill(". "),
		"no dots":            fill("{a}\n"),
		"joined dots":        fill("{a}.{b}."),
		"escapes":            "\"" + fill("\\q") + "\".",
		"bad escapes":        fill("\"\\xz\". "),
		"marks":              fill("<% "),
		"mustache":           fill("{{hosts}}"),
		"mustache in quotes": "\"" + fill("{{hosts}} ") + "\".",
		"digits":             fill("9") + ".",
		"based digits":       "16#" + fill("f") + ".",
		"float digits":       "1." + fill("9") + ".",
		"numbers":            fill("37#1 "),
		"comments":           fill("% c\n"),
		"hash comments":      fill("# c\n"),
		"slash comments":     fill("/* c\n"),
		"latin-1":            fill("{\"\xE9\"}.\n"),
		"latin-1 lines":      fill("\xE9\n"),
		"nul":                fill("\x00"),
		"no-break spaces":    fill("\u00A0"),
		"curly quotes":       fill("“a” "),
		"wrong closers":      fill("{a, [b}, "),
		"closers":            fill("}"),
		"variables":          "{" + fill("X,") + "x}.",
		"segments":           "<<" + fill("1,") + "1>>.",
		"bad segments":       "<<" + fill("a,") + "1>>.",
		"nested binaries":    strings.Repeat("<<", 900) + strings.Repeat(">>/bits", 900) + ".",
		"huge binary":        "<<" + strings.Repeat("0:134217728,", 1000) + "0>>.",
		"map":                "#{" + fill("k=>v,") + "k=>v}.",
		"map of maps":        strings.Repeat("#{a=>", 900) + "b" + strings.Repeat("}", 900) + ".",
		"map in keys":        strings.Repeat("#{", 900) + "a" + strings.Repeat("=>b}", 900) + ".",
		"strings":            "{" + fill("\"a\" ") + "}.",
		"long atom":          fill("a") + ".",
		"funs":               fill("fun "),
		"YAML":               fill("a: b\n"),
		"swallowed":          fill("{a, \"b}.\n{c, d\"}.\n"),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			f, l := Parse("hostile.cfg", []byte(src))
			took := time.Since(start)
			t.Logf("%v, %d terms, %d diagnostics", took, len(f.Terms), len(l))
			if len(l) > 3*DefaultMaxFaults {
				t.Errorf("%d diagnostics", len(l))
			}
			if took > 20*time.Second { // a slow machine; what is quadratic takes minutes
				t.Errorf("took %v", took)
			}
		})
	}
}
