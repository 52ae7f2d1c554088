package scenario

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startProsody starts a Prosody of its own for the test and returns it as a
// target; it skips the test where Prosody is not installed.
func startProsody(t *testing.T) Target {
	t.Helper()
	bin, err := exec.LookPath("prosody")
	if err != nil {
		t.Skip("Prosody is not installed")
	}
	dir := t.TempDir()
	cert, err := selfSigned()
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	crtFile := write("c.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}))
	keyFile := write("c.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	port := freePort(t)
	cfg := write("prosody.cfg.lua", fmt.Appendf(nil, `
run_as_root = true
daemonize = false
pidfile = %q
data_path = %q
modules_enabled = { "roster", "saslauth", "tls", "disco", "ping", "register", "offline", "private", "posix" }
modules_disabled = { "s2s" }
allow_registration = true
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_hashed"
interfaces = { "127.0.0.1" }
c2s_ports = { %d }
s2s_ports = {}
http_ports = {}
https_ports = {}
log = { warn = "*console" }
ssl = { certificate = %q, key = %q }
VirtualHost "localhost"
VirtualHost "localhost.bis"
`, filepath.Join(dir, "pid"), filepath.Join(dir, "data"), port, crtFile, keyFile))
	cmd := exec.Command(bin, "-F", "--config", cfg)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		time.AfterFunc(5*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		if t.Failed() {
			t.Logf("Prosody wrote:\n%s", log.Bytes())
		}
	})
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("Prosody does not listen: %v", err)
		}
	}
	tg := Target{Addrs: map[string]string{"tcp": addr}}
	tg.Register, tg.Unregister = InBand(addr)
	return tg
}

func freePort(t *testing.T) int {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

func TestProsody(t *testing.T) {
	tg := startProsody(t)
	all, err := LoadAll("testdata")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no scenarios")
	}
	for range 2 { // the second time finds the accounts gone
		for _, sc := range all {
			if err := sc.Run(t.Context(), tg); err != nil {
				t.Error(err)
			}
		}
	}
	// a wrong expectation is noticed
	src, err := os.ReadFile("testdata/message.scn")
	if err != nil {
		t.Fatal(err)
	}
	sc := mustParse(t, strings.Replace(string(src), "b &amp; ž</body></message>\nalice nothing", "b</body></message>\nalice nothing", 1))
	if err := sc.Run(t.Context(), tg); err == nil || !strings.Contains(err.Error(), `test.scn:6: /message/body: text "a < b & ž", expected "a &lt; b"`) && !strings.Contains(err.Error(), `test.scn:6: /message/body: text "a < b & ž", expected "a < b"`) {
		t.Errorf("error %v", err)
	}
}
