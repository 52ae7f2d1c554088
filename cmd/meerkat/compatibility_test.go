package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"meerkat/cfgterm/schema"
	"meerkat/cmd/node"
	"meerkat/compat"
)

// optionTests finds the tests that fail when an option is ignored: those whose comment
// has a line "//option:TABLE NAME...". The keys are "TABLE NAME".
func optionTests(t *testing.T, root string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Doc == nil {
				continue
			}
			for _, c := range f.Doc.List {
				args, ok := strings.CutPrefix(c.Text, "//option:")
				if !ok {
					continue
				}
				if !strings.HasPrefix(f.Name.Name, "Test") {
					t.Errorf("%s: %s is no test", path, f.Name.Name)
				}
				words := strings.Fields(args)
				for _, name := range words[1:] {
					key := words[0] + " " + name
					found[key] = append(found[key], filepath.ToSlash(dir)+" "+f.Name.Name)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// served are the tables of what this build serves.
func served(b compat.Builtins) []schema.Schema {
	var ts []schema.Schema
	for _, list := range [][]compat.Builtin{b.Listeners, b.Handlers, b.Modules} {
		for _, e := range list {
			if e.Served {
				ts = append(ts, e.Table)
			}
		}
	}
	return ts
}

// optionTable writes which option is served and what shows it, as Markdown, and
// reports the options that nothing shows.
func optionTable(tables []schema.Schema, tests map[string][]string) (text []byte, untested, unknown []string) {
	var b bytes.Buffer
	known := map[string]bool{}
	for _, table := range tables {
		fmt.Fprintf(&b, "\n### %s\n\n| option | state | shown by |\n|---|---|---|\n", table.TableName())
		for _, e := range table.Entries() {
			key := table.TableName() + " " + e.Name
			known[key] = true
			state, by := "works", make([]string, len(tests[key]))
			for i, name := range tests[key] {
				by[i] = "`" + name + "`"
			}
			slices.Sort(by)
			switch {
			case e.Unserved != "":
				state = "refused: " + e.Unserved
			case e.NoEffect != "":
				state = "no effect: " + e.NoEffect
			case len(by) == 0 && (e.Restricted == "" || strings.Contains(e.Restricted, ",")): // one value changes nothing
				untested = append(untested, key)
			}
			if e.Restricted != "" {
				state += "; of its values " + e.Restricted
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", e.Name, state, strings.Join(by, "<br>"))
		}
	}
	for key := range tests {
		if !known[key] {
			unknown = append(unknown, key)
		}
	}
	slices.Sort(unknown)
	return b.Bytes(), untested, unknown
}

// TestCompatibility keeps the tables of docs/compatibility.md fresh, and fails for an
// option that is served but has no test that would fail if it were ignored.
func TestCompatibility(t *testing.T) {
	const path, mark = "../../docs/compatibility.md", "<!-- What follows is written by make generate. -->\n"
	text, untested, unknown := optionTable(served(node.Builtins()), optionTests(t, "../.."))
	for _, key := range untested {
		t.Errorf("no test has the line //option:%s", key)
	}
	for _, key := range unknown {
		t.Errorf("//option:%s: no such option is served", key)
	}
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, old, ok := bytes.Cut(doc, []byte(mark))
	if !ok {
		t.Fatalf("%s: no line %s", path, mark)
	}
	if *update {
		if err := os.WriteFile(path, slices.Concat(head, []byte(mark), text), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(old, text) {
		t.Error("docs/compatibility.md is stale: run make generate")
	}
}
