package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"meerkat/cmd/node"
	"meerkat/compat"
	"meerkat/listeners/tlsconf"
)

// friendly is a node with three client listeners: in clear, with STARTTLS, with TLS.
const friendly = `
{hosts, ["localhost"]}.
{listen, [
  {5221, ejabberd_c2s, []},
  {5222, ejabberd_c2s, [{certfile, "server.pem"}, starttls_required]},
  {5223, ejabberd_c2s, [{certfile, "server.pem"}, tls]}
]}.
{sm_backend, {mnesia, []}}.
{auth_method, internal}.
{registration_timeout, infinity}.
{auth_opts, [{password_format, scram}]}.
{modules, [{mod_disco, []}, {mod_roster, []}, {mod_offline, []}, {mod_register, []}, {mod_ping, []}]}.
`

// TestRealClients lets slixmpp and @xmpp/client, which have nothing in common, make
// friends and chat.
func TestRealClients(t *testing.T) {
	clients, err := filepath.Abs(filepath.Join("..", "..", "testdata", "clients"))
	if err != nil {
		t.Fatal(err)
	}
	const python = "/usr/bin/python3" // Debian's, which has Debian's modules
	if err := exec.Command(python, "-c", "import slixmpp").Run(); err != nil {
		t.Skip("python3-slixmpp is not installed; make test installs it")
	}
	if _, err := os.Stat(filepath.Join(clients, "node_modules", "@xmpp", "client")); err != nil {
		t.Skip("@xmpp/client is not installed; make test installs it")
	}
	if err := exec.Command("node", "-e", "process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)").Run(); err != nil {
		t.Skip("@xmpp/client needs Node.js 20")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	if err := tlsconf.WriteSelfSigned("server.pem", []string{"localhost"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("ejabberd.cfg", []byte(friendly), 0o600); err != nil {
		t.Fatal(err)
	}
	target := startNode(t, compat.Options{Builtins: node.Builtins()}, "ejabberd.cfg")
	register := target.Register

	for mode, port := range map[string]string{"plain": "5221", "starttls": "5222", "tls": "5223"} {
		t.Run(mode, func(t *testing.T) {
			host, port, err := net.SplitHostPort(target.Addrs[port])
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			slix, js := "slix-"+mode, "js-"+mode
			for _, user := range []string{slix, js} {
				if err := register(ctx, user, "localhost", "pw-"+user); err != nil {
					t.Fatal(err)
				}
			}
			run := func(name string, args ...string) {
				cmd := exec.CommandContext(ctx, name, args...)
				cmd.Env = append(os.Environ(), "NODE_TLS_REJECT_UNAUTHORIZED=0", "NODE_NO_WARNINGS=1")
				out, err := cmd.CombinedOutput()
				if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "ok") {
					t.Errorf("%s: %v\n%s", args[0], err, out)
				}
			}
			var wg sync.WaitGroup
			wg.Go(func() {
				run(python, filepath.Join(clients, "slix.py"), host, port, mode, slix+"@localhost", "pw-"+slix, js+"@localhost")
			})
			wg.Go(func() {
				run("node", filepath.Join(clients, "xmppjs.mjs"), host, port, mode, js+"@localhost", "pw-"+js, slix+"@localhost")
			})
			wg.Wait()
		})
	}
}
