package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"meerkat/cmd/node"
	"meerkat/cmd/scenario"
	"meerkat/compat"
	"meerkat/listeners/tlsconf"
)

// root is the folder testdata of the repository.
func root(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", "testdata"))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// neverWorked are clauses of the recorded nodes that could not have served anybody:
// Meerkat refuses to start with them.
var neverWorked = map[string]string{
	"streams": "  {5232, ejabberd_c2s, [starttls]},\n", // no certificate
}

// startRecorded starts a node in this process from the configuration of a recorded
// node, on free ports of loopback, and returns how scenarios reach it.
func startRecorded(t *testing.T, name string) scenario.Target {
	t.Helper()
	file := filepath.Join(root(t), "scenarios", name+".cfg")
	dir := t.TempDir()
	t.Chdir(dir) // relative paths of the file count from here
	if err := os.MkdirAll(filepath.Join("priv", "ssl"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, cert := range []string{"fake_server.pem", "fake_cert.pem", "fake_key.pem", "fake_dh_server.pem"} {
		if err := tlsconf.WriteSelfSigned(filepath.Join("priv", "ssl", cert), []string{"localhost"}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	return startNode(t, compat.Options{
		Builtins: node.Builtins(), AllowMissing: true,
		ReadFile: func(path string) ([]byte, error) {
			src, err := os.ReadFile(path)
			if path == file {
				src = bytes.Replace(src, []byte(neverWorked[name]), nil, 1)
			}
			return src, err
		},
	}, file)
}

// startNode starts a node from a file, with every listener moved to a free port of
// loopback.
func startNode(t *testing.T, o compat.Options, file string) scenario.Target {
	t.Helper()
	cfg, diags := compat.Load(file, o)
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	ports := make([]string, len(cfg.Listeners))
	for i := range cfg.Listeners {
		l := &cfg.Listeners[i]
		ports[i] = strconv.Itoa(int(l.Addr.Port()))
		l.Addr = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 0)
	}
	log := zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel))
	n, err := node.New(context.Background(), node.Options{Config: cfg, DataDir: filepath.Join(t.TempDir(), "data"), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	target := scenario.Target{Addrs: map[string]string{}}
	for i, l := range n.Listeners() {
		target.Addrs[ports[i]] = l.Addr().String()
	}
	// In band, as with the recorded nodes: watchers are told.
	target.Register, target.Unregister = scenario.InBand(target.Addrs[ports[0]])
	target.Settled = func(ctx context.Context) error {
		for n.Router().Sessions.Count() > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Millisecond):
			}
		}
		return nil
	}
	return target
}

// pending reads which recorded scenarios need what is not there yet, and why:
// testdata/scenarios/pending.txt.
func pending(t *testing.T) map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join(root(t), "scenarios", "pending.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	list := map[string]string{}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		line, _, _ := strings.Cut(sc.Text(), "#")
		if name, why, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			list[name] = strings.TrimSpace(why)
		}
	}
	return list
}

// TestScenarios plays what was recorded from a MongooseIM 2.0.1 node against a node
// in this process. A scenario that is pending must fail: when it passes, it is
// pending no longer.
func TestScenarios(t *testing.T) {
	dir := filepath.Join(root(t), "scenarios")
	all, err := scenario.LoadAll(dir)
	if err != nil {
		t.Fatal(err)
	}
	byConfig := map[string][]*scenario.Scenario{}
	for _, sc := range all {
		byConfig[sc.Config] = append(byConfig[sc.Config], sc)
	}
	waiting := pending(t)
	for config, list := range byConfig {
		t.Run(config, func(t *testing.T) {
			target := startRecorded(t, config)
			for _, sc := range list {
				rel, err := filepath.Rel(dir, sc.Path)
				if err != nil {
					t.Fatal(err)
				}
				why, isPending := waiting[rel]
				delete(waiting, rel)
				t.Run(rel, func(t *testing.T) {
					tg := target
					if isPending {
						tg.Timeout = 500 * time.Millisecond
					}
					err := sc.Run(t.Context(), tg)
					var skip *scenario.Skipped
					switch {
					case isPending && err == nil:
						t.Errorf("passes, but is listed as pending: %s", why)
					case isPending:
						t.Skipf("pending: %s", why)
					case errors.As(err, &skip):
						t.Errorf("not run, and not listed as pending: %v", err)
					case err != nil:
						t.Error(err)
					}
				})
			}
		})
	}
	for name := range waiting {
		t.Errorf("pending.txt lists %s, which does not exist", name)
	}
}
