package cfgterm

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"meerkat/cfgterm/diag"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestDiagnostics compares what is said of the files in testdata/terms with the
// golden files beside them.
func TestDiagnostics(t *testing.T) {
	files, err := filepath.Glob("../testdata/terms/*.cfg")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files, error %v", len(files), err)
	}
	covered := map[string]bool{}
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		base := filepath.Base(name)
		f, l := Parse(base, src)
		checkDiagnostics(t, f, l)
		for _, d := range l {
			covered[d.Code] = true
		}
		var b bytes.Buffer
		p := diag.Printer{Source: func(string) []byte { return src }}
		if err := p.Print(&b, l); err != nil {
			t.Fatal(err)
		}
		b.WriteString("\nterms read: ")
		for i, term := range f.Terms {
			if i > 0 {
				b.WriteString("; ")
			}
			b.WriteString(Format(term))
		}
		b.WriteString("\nterms lost: ")
		for i, x := range f.Broken {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(x.At.String())
			if x.Key != "" {
				b.WriteString(" " + x.Key)
			}
		}
		if len(f.Fixes) > 0 {
			b.WriteString("\nfixed:\n")
			b.Write(f.Fixed())
		}
		b.WriteString("\n")
		golden := strings.TrimSuffix(name, ".cfg") + ".golden"
		if *update {
			if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%s: got\n%s\nwant\n%s", base, b.Bytes(), want)
		}
	}
	for _, c := range codes {
		if !covered[c.Code] && c.Code != codeAtom && c.Code != codeLimit {
			t.Errorf("no file in testdata/terms gives %s", c.Code)
		}
	}
}
