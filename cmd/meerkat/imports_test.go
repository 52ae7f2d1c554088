package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// layers is the package map: who may import whom. A name ending in /... stands for
// the package and all below it. The first entry that fits a package counts. What is
// listed may be imported, and nothing else of this module.
var layers = []struct {
	pkg string
	may []string
}{
	{"cfgterm/diag", nil},
	{"cfgterm", []string{"cfgterm/diag"}},
	{"cfgterm/...", []string{"cfgterm", "cfgterm/diag", "cfgterm/schema"}},

	{"router/xml", nil},
	{"router/jid", nil},
	{"router/stanza", []string{"router/xml", "router/jid"}},
	{"router/acl", []string{"router/jid"}},
	{"router/storage/cache", nil},
	{"router/storage/...", []string{"router/storage", "router/storage/cache"}},
	{"router/auth/...", []string{"router/auth", "router/storage/...", "router/jid"}},
	{"router/sasl", []string{"router/auth", "router/jid"}},
	{"router/session", []string{"router/storage", "router/stanza", "router/xml", "router/jid"}},
	{"router/stream", []string{"router/stanza", "router/xml", "router/jid"}},
	{"router", []string{"router/session", "router/stream", "router/auth", "router/acl", "router/stanza", "router/xml", "router/jid", "cfgterm/schema"}},
	{"router/client", []string{"router", "router/session", "router/stream", "router/sasl", "router/acl", "router/stanza", "router/xml", "router/jid"}},
	{"router/modules/...", []string{"router", "router/session", "router/stream", "router/auth", "router/storage/...", "router/acl", "router/stanza", "router/xml", "router/jid", "cfgterm/schema"}},

	{"listeners/conn", nil},
	{"listeners/shaper", nil},
	{"listeners/tlsconf", nil},
	{"listeners", []string{"listeners/conn"}},
	{"listeners/...", []string{"listeners/conn", "listeners/shaper", "listeners/tlsconf", "router/...", "cfgterm/schema", "cfgterm"}},
	{"httpmods/...", []string{"httpmods/...", "router/...", "cfgterm/schema", "cfgterm"}},

	{"compat/...", []string{"compat/...", "listeners/...", "httpmods/...", "router/...", "cfgterm/..."}},

	// The scenario runner and the load generator are clients: they share no code
	// with what they test.
	{"cmd/scenario", nil},
	{"cmd/loadgen/...", []string{"cmd/loadgen/..."}},
	{"cmd/...", []string{"..."}},
}

// doors are the packages through which outside packages come in.
var doors = map[string][]string{
	"github.com/spf13/cobra":        {"cmd/..."},
	"github.com/valyala/fasthttp":   {"listeners/web", "httpmods/...", "router/httproute"},
	"github.com/fasthttp/websocket": {"httpmods/..."},
	"github.com/okeuday/erlang_go":  {"cfgterm/etf"},
	"github.com/BurntSushi/toml":    {"compat/..."},
	"modernc.org/sqlite":            {"router/storage/sqlite"},
	"github.com/xdg-go/stringprep":  {"router/jid"},
	"github.com/dlclark/regexp2":    {"router/acl"},
	"golang.org/x/sys/unix":         {"listeners/...", "router/storage/sqlite", "cmd/..."},
	"go.uber.org/zap":               {"router/...", "listeners/...", "httpmods/...", "compat/ctl", "cmd/..."},
	"net/http":                      {"cmd/scenario"},
}

func fits(pattern, pkg string) bool {
	base, below := strings.CutSuffix(pattern, "...")
	if !below {
		return pkg == pattern
	}
	return strings.HasPrefix(pkg+"/", base)
}

func anyFits(patterns []string, pkg string) bool {
	for _, p := range patterns {
		if fits(p, pkg) {
			return true
		}
	}
	return false
}

type listed struct {
	ImportPath, Dir, Doc string
	Imports              []string
}

func packages(t *testing.T) (list []listed) {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,Imports", "meerkat/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// TestImports names each import that goes against the package map.
func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, "meerkat/")
		rule := -1
		for i := range layers {
			if fits(layers[i].pkg, name) {
				rule = i
				break
			}
		}
		if rule < 0 {
			t.Errorf("%s is not in the package map", name)
			continue
		}
		for _, imp := range p.Imports {
			if own, ok := strings.CutPrefix(imp, "meerkat/"); ok {
				if !anyFits(layers[rule].may, own) {
					t.Errorf("%s imports %s: the package map allows %q", name, own, layers[rule].may)
				}
				continue
			}
			for outside, through := range doors {
				if (imp == outside || strings.HasPrefix(imp, outside+"/")) && !anyFits(through, name) {
					t.Errorf("%s imports %s, which comes in through %q only", name, imp, through)
				}
			}
		}
	}
}

// TestPackageComments wants a comment for every package that says what it may
// import, and a line in docs/architecture.md.
func TestPackageComments(t *testing.T) {
	manual, err := os.ReadFile(filepath.Join("..", "..", "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, "meerkat/")
		if p.Doc == "" {
			t.Errorf("%s has no package comment", name)
		}
		if !strings.Contains(comment(t, p.Dir), "mports") {
			t.Errorf("the comment of %s does not say what it may import", name)
		}
		if !bytes.Contains(manual, []byte("`"+name+"`")) {
			t.Errorf("docs/architecture.md does not mention `%s`", name)
		}
	}
}

// comment returns the lines of the package comments in a folder.
func comment(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for sc := bufio.NewScanner(bytes.NewReader(src)); sc.Scan(); {
			if !strings.HasPrefix(sc.Text(), "//") {
				break
			}
			all.WriteString(sc.Text() + "\n")
		}
	}
	return all.String()
}
