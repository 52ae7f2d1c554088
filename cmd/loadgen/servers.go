//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"text/template"
	"time"
)

// errMissing says that a server cannot be run on this machine.
var errMissing = errors.New("not available")

// A setting is what configuration files are filled with.
type setting struct {
	Dir       string // the server's own folder
	Port      int    // for clients
	Dist      int    // for ejabberd's own
	Cert, Key string // RSA 2048, CN localhost
	Both      string // certificate and key in one file
	Scram     bool   // passwords are stored as SCRAM keys, not as they are
	Usual     bool   // the modules of an ordinary node, not just the few that are measured
	Spin      bool   // BEAM's schedulers may spin, as they do by default
}

// A kind is how one server is run.
type kind struct {
	// files are written before the start: name below Dir → template
	files map[string]string
	// command makes the process; it returns errMissing, wrapped with the
	// reason, where the server is not installed
	command func(s setting) (*exec.Cmd, error)
	// account is the user it runs as when the suite is root's; "": the same
	account string
	auth    string // what the suite logs in with: "scram" or "plain"
}

// A lab is where the suite's servers live.
type lab struct {
	dir string
	bin string  // Meerkat's program
	set setting // what all servers have in common
}

func newLab(bin string, usual, spin bool) (*lab, error) {
	bin, err := filepath.Abs(bin) // servers start in folders of their own
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", bin, err)
	}
	dir, err := os.MkdirTemp("", "loadgen-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the servers: %w", err)
	}
	b := &lab{dir: dir, bin: bin, set: setting{Usual: usual, Spin: spin}}
	if err := b.certificate(); err != nil {
		b.remove()
		return nil, err
	}
	// servers run as users of their own
	return b, os.Chmod(dir, 0o755)
}

func (b *lab) remove() { os.RemoveAll(b.dir) }

// certificate makes the one that all servers show.
func (b *lab) certificate() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(7 * 24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	b.set.Cert, b.set.Key, b.set.Both = filepath.Join(b.dir, "rsa.crt"), filepath.Join(b.dir, "rsa.key"), filepath.Join(b.dir, "rsa.pem")
	return errors.Join(
		os.WriteFile(b.set.Cert, cert, 0o644),
		os.WriteFile(b.set.Key, private, 0o644), // of a throw-away certificate, read by users of their own
		os.WriteFile(b.set.Both, append(cert, private...), 0o644))
}

func serverTLS(cert, key string) (*tls.Config, error) {
	c, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("load certificate: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{c}}, nil
}

// serverNames are in the order of the report.
var serverNames = []string{"relay", "meerkat", "ejabberd", "prosody"}

func (b *lab) kind(name string) (kind, bool) {
	switch name {
	case "relay":
		return kind{auth: "plain", command: func(s setting) (*exec.Cmd, error) {
			self, err := os.Executable()
			return exec.Command(self, "relay", "--listen", fmt.Sprintf("127.0.0.1:%d", s.Port), "--cert", s.Cert, "--key", s.Key), err
		}}, true
	case "meerkat":
		return kind{auth: "scram", files: map[string]string{"ejabberd.cfg": meerkatConfig}, command: func(s setting) (*exec.Cmd, error) {
			bin, err := exec.LookPath(b.bin)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", errMissing, err)
			}
			return exec.Command(bin, "serve", "--config", filepath.Join(s.Dir, "ejabberd.cfg"), "--data", filepath.Join(s.Dir, "data")), nil
		}}, true
	case "prosody":
		return kind{auth: "scram", account: "prosody", files: map[string]string{"prosody.cfg.lua": prosodyConfig}, command: func(s setting) (*exec.Cmd, error) {
			bin, err := exec.LookPath("prosody")
			if err != nil {
				return nil, fmt.Errorf("%w: %w", errMissing, err)
			}
			return exec.Command(bin, "-F", "--config", filepath.Join(s.Dir, "prosody.cfg.lua")), nil
		}}, true
	case "ejabberd":
		return kind{
			auth: "scram", account: "ejabberd",
			files: map[string]string{"ejabberd.yml": ejabberdConfig, "ejabberdctl.cfg": ejabberdctlConfig, "inetrc": "{lookup, [file, native]}.\n"},
			command: func(s setting) (*exec.Cmd, error) {
				bin, err := exec.LookPath("ejabberdctl")
				if err != nil {
					return nil, fmt.Errorf("%w: %w", errMissing, err)
				}
				if os.Getuid() != 0 {
					return nil, fmt.Errorf("%w: Debian's ejabberdctl wants root or the user ejabberd", errMissing)
				}
				return exec.Command(bin, "--config-dir", s.Dir, "--ctl-config", filepath.Join(s.Dir, "ejabberdctl.cfg"), "--spool", s.Dir, "--logs", s.Dir, "foreground"), nil
			},
		}, true
	}
	return kind{}, false
}

// A server is one that runs.
type server struct {
	name    string
	auth    string
	addr    string
	startMs float64 // from start to listening
	cmd     *exec.Cmd
	exited  chan struct{} // closed when the process has ended
	log     string
}

func (s *server) pids() []int { return []int{s.cmd.Process.Pid} }

// start runs a server with empty data and waits until it serves clients.
func (b *lab) start(ctx context.Context, name string, scram bool, dir string) (*server, error) {
	k, ok := b.kind(name)
	if !ok {
		return nil, fmt.Errorf("unknown server %q: one of %v", name, serverNames)
	}
	set := b.set
	set.Scram = scram
	set.Dir = filepath.Join(b.dir, dir)
	var err error
	if set.Port, err = freePort(); err != nil {
		return nil, err
	}
	if set.Dist, err = freePort(); err != nil {
		return nil, err
	}
	cmd, err := k.command(set)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(set.Dir, "data"), 0o755); err != nil {
		return nil, fmt.Errorf("make the server's folder: %w", err)
	}
	for file, text := range k.files {
		var out bytes.Buffer
		if err := template.Must(template.New(file).Parse(text)).Execute(&out, set); err != nil {
			return nil, fmt.Errorf("write %s: %w", file, err)
		}
		if err := os.WriteFile(filepath.Join(set.Dir, file), out.Bytes(), 0o644); err != nil {
			return nil, fmt.Errorf("write %s: %w", file, err)
		}
	}
	cmd.Dir = set.Dir
	// its own group, so that ^C reaches the suite only, and so that all of it
	// can be ended; it does not outlive the suite in any case
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if k.account != "" && os.Getuid() == 0 {
		if err := runAs(cmd, k.account, set.Dir); err != nil {
			return nil, err
		}
	}
	s := &server{name: name, auth: k.auth, addr: fmt.Sprintf("127.0.0.1:%d", set.Port), cmd: cmd, exited: make(chan struct{}), log: filepath.Join(set.Dir, "output.log")}
	out, err := os.Create(s.log)
	if err != nil {
		return nil, fmt.Errorf("open the server's log: %w", err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		cmd.Wait()
		close(s.exited)
	}()
	if err := s.await(ctx, began); err != nil {
		s.stop()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return s, nil
}

// await waits until the port is open, and then until a stream begins.
func (s *server) await(ctx context.Context, began time.Time) error {
	for ; ; time.Sleep(2 * time.Millisecond) {
		c, err := net.Dial("tcp4", s.addr)
		if err == nil {
			c.Close()
			break
		}
		if err := s.gone(ctx); err != nil {
			return err
		}
		if time.Since(began) > 60*time.Second {
			return fmt.Errorf("nothing listens at %s after a minute; see %s", s.addr, s.log)
		}
	}
	s.startMs = round3(time.Since(began).Seconds() * 1000)
	l := &load{Addr: s.addr, Domain: "localhost", Transport: "tcp"}
	for {
		t, err := l.connect(ctx, 1024)
		if err == nil {
			t.end()
			return nil
		}
		if err := errors.Join(s.gone(ctx), sleep(ctx, 50*time.Millisecond)); err != nil {
			return err
		}
		if time.Since(began) > 90*time.Second {
			return fmt.Errorf("no stream: %w", err)
		}
	}
}

// gone says why there is no point in waiting.
func (s *server) gone(ctx context.Context) error {
	select {
	case <-s.exited:
		tail, _ := os.ReadFile(s.log)
		return fmt.Errorf("it ended: %v: %s", s.cmd.ProcessState, bytes.TrimSpace(tail[max(0, len(tail)-500):]))
	case <-ctx.Done():
		return context.Cause(ctx)
	default:
		return nil
	}
}

// stop ends the server and all processes it started, and gives them time to
// write down what they have to.
func (s *server) stop() {
	all := tree(s.pids())
	syscall.Kill(-s.cmd.Process.Pid, syscall.SIGTERM)
	for deadline := time.Now().Add(15 * time.Second); anyAlive(all) && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	for _, p := range all {
		if alive(p) { // it has left the group
			syscall.Kill(p, syscall.SIGKILL)
		}
	}
	<-s.exited
}

// alive says whether a process is there and has not ended.
func alive(pid int) bool {
	f := statFields(pid)
	return len(f) > 0 && f[0] != "Z" && f[0] != "X"
}

func anyAlive(pids []int) bool { return slices.ContainsFunc(pids, alive) }

// runAs makes a command run as another user, who gets the folder.
func runAs(cmd *exec.Cmd, account, dir string) error {
	u, err := user.Lookup(account)
	if err != nil {
		return fmt.Errorf("%w: %w", errMissing, err)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("user %s: %w", account, err)
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	cmd.Env = append(os.Environ(), "HOME="+dir, "USER="+account)
	return filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Chown(path, uid, gid))
	})
}

// freePort asks for a port of the loopback interface that nobody has.
func freePort() (int, error) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}

const meerkatConfig = `% Written by loadgen.
{loglevel, 2}.
{hosts, ["localhost"]}.
{listen, [
  { { {{- .Port}}, "127.0.0.1"}, ejabberd_c2s, [
    {certfile, "{{.Both}}"},
    starttls,
    {access, c2s},
    {shaper, c2s_shaper},
    {max_stanza_size, 65536},
    {backlog, 1024}
  ]}
]}.
{sm_backend, {mnesia, []}}.
{auth_method, internal}.
{auth_opts, [{password_format, {{if .Scram}}scram{{else}}plain{{end}}}]}.
{registration_timeout, infinity}.
{acl, local, {user_regexp, ""}}.
{access, max_user_sessions, [{10000, all}]}.
{access, max_user_offline_messages, [{100, all}]}.
{access, local, [{allow, local}]}.
{access, c2s, [{allow, all}]}.
{access, c2s_shaper, [{none, all}]}.
{access, register, [{allow, all}]}.
{language, "en"}.
{modules, [
{{- if .Usual}}
  {mod_adhoc, []},
  {mod_privacy, []},
  {mod_blocking, []},
  {mod_private, []},
  {mod_carboncopy, []},
  {mod_last, []},
  {mod_stream_management, []},
  {mod_vcard, []},
  {mod_sic, []},
{{- end}}
  {mod_disco, []},
  {mod_roster, []},
  {mod_register, [{welcome_message, {""}}, {ip_access, [{allow, "127.0.0.0/8"}]}, {access, register}]},
  {mod_offline, [{access_max_user_messages, max_user_offline_messages}]},
  {mod_ping, []}
]}.
`

const ejabberdConfig = `loglevel: warning
log_rotate_count: 0
hosts: ["localhost"]
certfiles: ["{{.Both}}"]
auth_method: internal
auth_password_format: {{if .Scram}}scram{{else}}plain{{end}}
disable_sasl_mechanisms: ["digest-md5", "X-OAUTH2"]
listen:
  - port: {{.Port}}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    max_stanza_size: 65536
    starttls: true
    backlog: 1024
acl:
  local:
    user_regexp: ""
access_rules:
  c2s: {allow: all}
  local: {allow: local}
  register: {allow: all}
shaper_rules:
  max_user_sessions: 10000
  max_user_offline_messages: 100
  c2s_shaper: none
registration_timeout: infinity
modules:
{{- if .Usual}}
  mod_adhoc: {}
  mod_privacy: {}
  mod_blocking: {}
  mod_private: {}
  mod_carboncopy: {}
  mod_last: {}
  mod_stream_mgmt: {}
  mod_vcard: {search: false}
  mod_sic: {}
{{- end}}
  mod_disco: {}
  mod_roster: {}
  mod_register: {access: register, ip_access: all, welcome_message: {}}
  mod_offline: {access_max_user_messages: max_user_offline_messages}
  mod_ping: {}
`

const ejabberdctlConfig = `ERL_OPTIONS="-env ERL_CRASH_DUMP_BYTES 0{{if not .Spin}} +sbwt none +sbwtdcpu none +sbwtdio none{{end}}"
EJABBERD_CONFIG_PATH={{.Dir}}/ejabberd.yml
CONTRIB_MODULES_CONF_DIR={{.Dir}}/modules.d
ERL_MAX_PORTS=60000
ERLANG_NODE=loadgen@localhost
INET_DIST_INTERFACE=127.0.0.1
ERL_DIST_PORT={{.Dist}}
`

const prosodyConfig = `pidfile = "{{.Dir}}/pid"
data_path = "{{.Dir}}/data"
daemonize = false
admins = {}
modules_enabled = { "disco", "roster", "saslauth", "tls", "offline", "register", "ping", "posix"
{{- if .Usual}}, "adhoc", "blocklist", "private", "carbons", "lastactivity", "smacks", "vcard"{{end}} }
modules_disabled = { "s2s" }
allow_registration = true
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "{{if .Scram}}internal_hashed{{else}}internal_plain{{end}}"
storage = "internal"
interfaces = { "127.0.0.1" }
c2s_ports = { {{.Port}} }
s2s_ports = {}
http_ports = {}
https_ports = {}
network_settings = { tcp_backlog = 1024 }
ssl = { certificate = "{{.Cert}}", key = "{{.Key}}" }
log = { warn = "{{.Dir}}/prosody.log" }
VirtualHost "localhost"
`
