package tlsconf

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"meerkat/listeners/conn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A maker makes certificates for tests.
type maker struct {
	names     []string
	from, to  time.Time
	ca        bool
	parent    *pair
	plainName string
}

type pair struct {
	cert *x509.Certificate
	key  crypto.Signer
}

var (
	rsaKey = sync.OnceValue(func() crypto.Signer { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	serial int64
)

func ecKey() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (m maker) make(key crypto.Signer) *pair {
	serial++
	now := time.Now()
	t := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: m.names, NotBefore: m.from, NotAfter: m.to,
		IsCA: m.ca, BasicConstraintsValid: true, Subject: pkix.Name{CommonName: m.plainName},
	}
	if m.ca {
		t.KeyUsage = x509.KeyUsageCertSign
	}
	if t.NotBefore.IsZero() {
		t.NotBefore = now.Add(-time.Hour)
	}
	if t.NotAfter.IsZero() {
		t.NotAfter = now.Add(90 * 24 * time.Hour)
	}
	parent, signer := t, key
	if m.parent != nil {
		parent, signer = m.parent.cert, m.parent.key
	}
	der := must(x509.CreateCertificate(rand.Reader, t, parent, key.Public(), signer))
	return &pair{must(x509.ParseCertificate(der)), key}
}

func certPEM(p *pair) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw}))
}

// keyPEM is the key in a form: "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY".
func keyPEM(k crypto.Signer, form string) string {
	var der []byte
	switch form {
	case "RSA PRIVATE KEY":
		der = x509.MarshalPKCS1PrivateKey(k.(*rsa.PrivateKey))
	case "EC PRIVATE KEY":
		der = must(x509.MarshalECPrivateKey(k.(*ecdsa.PrivateKey)))
	default:
		form, der = "PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(k))
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: form, Bytes: der}))
}

func both(p *pair) string { return certPEM(p) + keyPEM(p.key, "") }

func write(t testing.TB, name, text string) string {
	t.Helper()
	if !filepath.IsAbs(name) {
		name = filepath.Join(t.TempDir(), name)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func files() (*Files, *observer.ObservedLogs) {
	core, logs := observer.New(zap.DebugLevel)
	return NewFiles(zap.New(core)), logs
}

func server(t testing.TB, o Options) *Server {
	t.Helper()
	f, _ := files()
	s, _, err := f.Server(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// handshake runs one over real sockets and a conn.Conn, and returns what the
// client sees and what the server says.
func handshake(t testing.TB, scfg, ccfg *tls.Config) (tls.ConnectionState, error, error) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nc, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c, err := conn.New(s.(*net.TCPConn), conn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	done := make(chan error, 1)
	go func() {
		err := c.StartTLS(scfg, 10*time.Second)
		if err != nil {
			c.CloseAfterFlush(time.Second)
		} else {
			err = c.Write([]byte("x"))
		}
		done <- err
	}()
	tc := tls.Client(nc, ccfg)
	_, cerr := tc.Read(make([]byte, 1))
	st := tc.ConnectionState()
	nc.Close()
	return st, cerr, <-done
}

func client(mods ...func(*tls.Config)) *tls.Config {
	c := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10}
	for _, m := range mods {
		m(c)
	}
	return c
}

func maxVersion(v uint16) func(*tls.Config) { return func(c *tls.Config) { c.MaxVersion = v } }

func serverName(n string) func(*tls.Config) { return func(c *tls.Config) { c.ServerName = n } }

func TestParseWords(t *testing.T) {
	const v10, v11, v12, v13 = 1, 2, 4, 8
	for _, tt := range []struct {
		in      []string
		off     Versions
		unknown []string
	}{
		{nil, 0, nil},
		{[]string{"no_sslv3"}, 0, nil},
		{[]string{"no_sslv2|no_sslv3"}, 0, nil},
		{[]string{"no_tlsv1"}, v10, nil},
		{[]string{"no_sslv3", "no_tlsv1"}, v10, nil}, // glued together in 2.0.1
		{[]string{"no_tlsv1|no_tlsv1_1"}, v10 | v11, nil},
		{[]string{" no_tlsv1 | no_tlsv1_1 ", "no_tlsv1_2"}, v10 | v11 | v12, nil},
		{[]string{"no_tlsv1_3"}, v13, nil},
		{[]string{"cipher_server_preference|no_compression|no_ticket|single_dh_use|all"}, 0, nil},
		{[]string{"no_tlsv1|no_tslv1_1|", "", "nonsense"}, v10, []string{"no_tslv1_1", "nonsense"}},
		{[]string{"NO_TLSV1"}, 0, []string{"NO_TLSV1"}},
	} {
		off, unknown := ParseWords(tt.in)
		if off != tt.off || !slices.Equal(unknown, tt.unknown) {
			t.Errorf("%q: %04b, unknown %q; want %04b, %q", tt.in, off, unknown, tt.off, tt.unknown)
		}
	}
	if s := Versions(v11).String(); s != "TLS 1.0, TLS 1.2, TLS 1.3" {
		t.Errorf("names %q", s)
	}
	if s := Versions(15).String(); s != "none" {
		t.Errorf("names %q", s)
	}
}

// Each word must have its effect on the wire, also where it leaves a hole.
func TestVersionsOnTheWire(t *testing.T) {
	file := write(t, "c.pem", both(maker{names: []string{"localhost"}}.make(rsaKey())))
	all := []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13}
	for off := Versions(0); off < 15; off++ {
		cfg, err := server(t, Options{CertFile: file, Off: off}).Config("localhost")
		if err != nil {
			t.Fatal(err)
		}
		for _, highest := range all {
			var want uint16
			for _, v := range all {
				if v <= highest && off.allows(v) {
					want = v
				}
			}
			st, cerr, serr := handshake(t, cfg, client(maxVersion(highest)))
			switch {
			case want == 0:
				if cerr == nil || serr == nil || Reason(serr) != ReasonVersion || Reason(cerr) != ReasonPeer {
					t.Errorf("%v; client up to %s: %v, %v; want no version in common", off, tls.VersionName(highest), cerr, serr)
				}
			case cerr != nil || serr != nil || st.Version != want:
				t.Errorf("%v; client up to %s: %s, %v, %v; want %s", off, tls.VersionName(highest), tls.VersionName(st.Version), cerr, serr, tls.VersionName(want))
			}
		}
	}
	f, _ := files()
	if _, _, err := f.Server(Options{CertFile: file, Off: 15}); err == nil || !strings.Contains(err.Error(), "every version") {
		t.Errorf("no version left: %v", err)
	}
}

func TestKeyForms(t *testing.T) {
	r, e := maker{names: []string{"a"}}.make(rsaKey()), maker{names: []string{"a"}}.make(ecKey())
	ed := maker{names: []string{"a"}}.make(must2(ed25519.GenerateKey(rand.Reader)))
	ca := maker{ca: true, plainName: "CA"}.make(ecKey())
	leaf := maker{names: []string{"a"}, parent: ca}.make(ecKey())
	dh := "-----BEGIN DH PARAMETERS-----\nMAoCAQUCAQI=\n-----END DH PARAMETERS-----\n"
	for name, tt := range map[string]struct {
		pem, kind string
		chain     int
	}{
		"RSA, PKCS#8":      {both(r), "RSA 2048", 1},
		"RSA, PKCS#1":      {certPEM(r) + keyPEM(r.key, "RSA PRIVATE KEY"), "RSA 2048", 1},
		"ECDSA, SEC 1":     {certPEM(e) + keyPEM(e.key, "EC PRIVATE KEY"), "ECDSA P-256", 1},
		"Ed25519":          {both(ed), "Ed25519", 1},
		"key first":        {keyPEM(r.key, "") + certPEM(r), "RSA 2048", 1},
		"text around":      {"subject=CN = a\n" + dh + certPEM(r) + "Bag Attributes\n" + keyPEM(r.key, ""), "RSA 2048", 1},
		"old name":         {strings.ReplaceAll(both(r), "CERTIFICATE", "X509 CERTIFICATE"), "RSA 2048", 1},
		"Windows lines":    {strings.ReplaceAll(both(r), "\n", "\r\n"), "RSA 2048", 1},
		"chain":            {certPEM(leaf) + certPEM(ca) + keyPEM(leaf.key, ""), "ECDSA P-256", 2},
		"chain, CA first":  {certPEM(ca) + certPEM(leaf) + keyPEM(leaf.key, ""), "ECDSA P-256", 2},
		"the key twice":    {both(e) + keyPEM(e.key, ""), "ECDSA P-256", 1},
		"two certificates": {both(r) + both(e), "ECDSA P-256", 1},
	} {
		t.Run(name, func(t *testing.T) {
			certs, _, err := parsePEM("f", []byte(tt.pem), "", nil)
			if err != nil {
				t.Fatal(err)
			}
			if k := keyKind(certs[0]); k != tt.kind || len(certs[0].Certificate) != tt.chain {
				t.Errorf("%s with a chain of %d, want %s with %d", k, len(certs[0].Certificate), tt.kind, tt.chain)
			}
			if !bytes.Equal(certs[0].Certificate[0], certs[0].Leaf.Raw) {
				t.Error("the certificate of the key is not sent first")
			}
			if !samePublicKey(certs[0].Leaf.PublicKey, certs[0].PrivateKey.(crypto.Signer).Public()) {
				t.Error("the key is another one's")
			}
		})
	}
}

func must2(_ ed25519.PublicKey, k ed25519.PrivateKey, err error) crypto.Signer { return must(k, err) }

// Two chains in one file must not be mixed, whatever their order.
func TestTwoChainsInOneFile(t *testing.T) {
	rootA, rootB := maker{ca: true, plainName: "CA A"}.make(ecKey()), maker{ca: true, plainName: "CA B"}.make(ecKey())
	midA := maker{ca: true, plainName: "mid A", parent: rootA}.make(ecKey())
	a, b := maker{names: []string{"a"}, parent: midA}.make(rsaKey()), maker{names: []string{"a"}, parent: rootB}.make(ecKey())
	text := certPEM(a) + certPEM(midA) + keyPEM(a.key, "") + certPEM(rootB) + keyPEM(b.key, "") + certPEM(b) + certPEM(rootA)
	certs, warnings, err := parsePEM("f", []byte(text), "", nil)
	if err != nil || len(warnings) != 0 || len(certs) != 2 {
		t.Fatalf("%d certificates, %v, %v", len(certs), warnings, err)
	}
	want := [][][]byte{{b.cert.Raw, rootB.cert.Raw}, {a.cert.Raw, midA.cert.Raw, rootA.cert.Raw}}
	for i, c := range certs {
		if !slices.EqualFunc(c.Certificate, want[i], bytes.Equal) {
			t.Errorf("certificate %d: chain of %d, want %d", i, len(c.Certificate), len(want[i]))
		}
	}
}

func TestFileErrors(t *testing.T) {
	r, e := maker{names: []string{"a.example"}}.make(rsaKey()), maker{names: []string{"a"}}.make(ecKey())
	//lint:ignore SA1019 files like this exist
	enc := must(x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(r.key.(*rsa.PrivateKey)), []byte("pw"), x509.PEMCipherAES128))
	der := r.cert.Raw
	for name, tt := range map[string]struct{ text, reason, help string }{
		"empty":              {"", "it is empty", ""},
		"blank":              {" \n", "it is empty", ""},
		"no PEM":             {"hello\n", "no PEM in it", "-----BEGIN"},
		"DER":                {string(der), "it is in DER form", "openssl x509"},
		"no key":             {certPEM(r), "no private key in it", "cat key.pem"},
		"no certificate":     {keyPEM(r.key, ""), "no certificate in it", "chain"},
		"parameters only":    {"-----BEGIN DH PARAMETERS-----\nMAoCAQUCAQI=\n-----END DH PARAMETERS-----\n", "no certificate in it", ""},
		"encrypted, old":     {certPEM(r) + string(pem.EncodeToMemory(enc)), "the private key is encrypted", "openssl pkey"},
		"encrypted, PKCS#8":  {certPEM(r) + strings.ReplaceAll(keyPEM(r.key, ""), "PRIVATE", "ENCRYPTED PRIVATE"), "the private key is encrypted", "openssl pkey"},
		"key of another":     {certPEM(r) + keyPEM(e.key, ""), "the private key does not belong to the certificate", "a.example"},
		"DSA":                {certPEM(r) + "-----BEGIN DSA PRIVATE KEY-----\nMAA=\n-----END DSA PRIVATE KEY-----\n", "a DSA PRIVATE KEY cannot be used for TLS here", "RSA"},
		"OpenSSH":            {certPEM(r) + "-----BEGIN OPENSSH PRIVATE KEY-----\nMAA=\n-----END OPENSSH PRIVATE KEY-----\n", "a OPENSSH PRIVATE KEY cannot be used for TLS here", "RSA"},
		"broken key":         {certPEM(r) + "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n", "the private key cannot be read", ""},
		"broken certificate": {"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n" + keyPEM(r.key, ""), "certificate 1 cannot be read", ""},
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, "c.pem", tt.text)
			f, _ := files()
			_, _, err := f.Server(Options{CertFile: file})
			var fe *FileError
			if !errors.As(err, &fe) {
				t.Fatalf("error %v, want a FileError", err)
			}
			if !strings.HasPrefix(fe.Reason, tt.reason) || !strings.Contains(fe.Help, tt.help) || fe.File != file || !strings.Contains(err.Error(), file) {
				t.Errorf("%q, help %q; want %q, help with %q", err, fe.Help, tt.reason, tt.help)
			}
			if tt.help == "" && fe.Help != "" && name != "parameters only" {
				t.Errorf("unexpected help %q", fe.Help)
			}
		})
	}
	t.Run("weak key", func(t *testing.T) {
		const weak = "testdata/rsa512.pem"
		f, _ := files()
		if _, _, err := f.Server(Options{CertFile: weak}); err == nil || !strings.Contains(err.Error(), "512 bits") && !strings.Contains(err.Error(), "cannot be read") {
			t.Errorf("error %v, want one about the length", err)
		}
	})
	t.Run("missing", func(t *testing.T) {
		f, _ := files()
		_, _, err := f.Server(Options{CertFile: "/nonexistent/c.pem"})
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "/nonexistent/c.pem: it does not exist") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("folder", func(t *testing.T) {
		f, _ := files()
		if _, _, err := f.Server(Options{CertFile: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("huge", func(t *testing.T) {
		f, _ := files()
		if _, _, err := f.Server(Options{CertFile: write(t, "c.pem", strings.Repeat("x", largestFile+1))}); err == nil || !strings.Contains(err.Error(), "larger than") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("host's file", func(t *testing.T) {
		f, _ := files()
		_, _, err := f.Server(Options{HostCertFiles: map[string]string{"b.example": "/nonexistent"}})
		if err == nil || !strings.Contains(err.Error(), "host b.example") {
			t.Errorf("error %v, want the host's name", err)
		}
	})
	t.Run("key file", func(t *testing.T) {
		f, _ := files()
		key := write(t, "k.pem", keyPEM(e.key, ""))
		cert := write(t, "c.pem", certPEM(r))
		if _, _, err := f.Server(Options{CertFile: cert, KeyFile: key}); err == nil || !strings.Contains(err.Error(), "does not belong") {
			t.Errorf("error %v", err)
		}
		nokey := write(t, "n.pem", certPEM(r))
		var fe *FileError
		if _, _, err := f.Server(Options{CertFile: cert, KeyFile: nokey}); !errors.As(err, &fe) || fe.File != nokey {
			t.Errorf("error %v, want one about %s", err, nokey)
		}
		right := write(t, "r.pem", keyPEM(r.key, "RSA PRIVATE KEY"))
		if _, _, err := f.Server(Options{CertFile: cert, KeyFile: right}); err != nil {
			t.Error(err)
		}
	})
	t.Run("none", func(t *testing.T) {
		f, _ := files()
		if _, _, err := f.Server(Options{}); !errors.Is(err, ErrNoCertificate) {
			t.Errorf("error %v, want ErrNoCertificate", err)
		}
	})
}

// Nothing of a key may be in an error or a warning.
func TestErrorsHaveNoSecrets(t *testing.T) {
	r := maker{names: []string{"a"}}.make(rsaKey())
	text := certPEM(r) + strings.Replace(keyPEM(r.key, ""), "M", "N", 3)
	_, _, err := parsePEM("f", []byte(text), "", nil)
	if err == nil {
		t.Fatal("a changed key was accepted")
	}
	for line := range strings.SplitSeq(keyPEM(r.key, ""), "\n") {
		if len(line) > 20 && strings.Contains(err.Error(), line[:20]) {
			t.Errorf("key material in %q", err)
		}
	}
}

func TestWarnings(t *testing.T) {
	now := time.Now()
	day := 24 * time.Hour
	good := maker{names: []string{"a.example", "*.b.example"}}.make(ecKey())
	weak := maker{names: []string{"a.example"}}.make(must(rsa.GenerateKey(rand.Reader, 1024)))
	other := maker{names: []string{"x"}}.make(ecKey())
	ca := maker{ca: true, plainName: "CA"}.make(ecKey())
	leaf := maker{names: []string{"a.example"}, parent: ca}.make(ecKey())
	for name, tt := range map[string]struct {
		text  string
		hosts []string
		mode  fs.FileMode
		want  []string
	}{
		"none":             {both(good), []string{"a.example", "c.b.example", "A.example"}, 0o600, nil},
		"expired":          {both(maker{names: []string{"a"}, to: now.Add(-day)}.make(ecKey())), nil, 0o600, []string{"the certificate of a expired on " + now.Add(-day).UTC().Format("2006-01-02")}},
		"not yet":          {both(maker{names: []string{"a"}, from: now.Add(day)}.make(ecKey())), nil, 0o600, []string{"valid from"}},
		"soon":             {both(maker{names: []string{"a"}, to: now.Add(5 * day)}.make(ecKey())), nil, 0o600, []string{"expires on"}},
		"other host":       {both(good), []string{"b.example"}, 0o600, []string{"for the host b.example"}},
		"short key":        {both(weak), nil, 0o600, []string{"only 1024 bits"}},
		"readable by all":  {both(good), nil, 0o644, []string{"everybody can read"}},
		"key of nobody":    {both(good) + keyPEM(other.key, ""), nil, 0o600, []string{"has no certificate here"}},
		"wrong order":      {certPEM(ca) + both(leaf), nil, 0o600, []string{"is not the first"}},
		"rest of a chain":  {both(leaf) + "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", nil, 0o600, []string{"certificate 2 cannot be read"}},
		"common name only": {both(maker{plainName: "a.example"}.make(ecKey())), []string{"a.example"}, 0o600, []string{"for the host a.example"}},
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, "c.pem", tt.text)
			if err := os.Chmod(file, tt.mode); err != nil {
				t.Fatal(err)
			}
			f, _ := files()
			_, warnings, err := f.Server(Options{CertFile: file, Hosts: tt.hosts})
			if err != nil {
				t.Fatal(err)
			}
			if len(warnings) != len(tt.want) {
				t.Fatalf("%v, want %q", warnings, tt.want)
			}
			for i, w := range warnings {
				if !strings.Contains(w.Text, tt.want[i]) || w.File != file || !strings.HasPrefix(w.String(), "certificate file "+file+": ") {
					t.Errorf("%v, want %q", w, tt.want[i])
				}
			}
		})
	}
}

func TestHostsAndNames(t *testing.T) {
	dir := t.TempDir()
	own := write(t, dir+"/own.pem", both(maker{names: []string{"own"}}.make(ecKey())))
	a := write(t, dir+"/a.pem", both(maker{names: []string{"a.example"}}.make(ecKey())))
	u := write(t, dir+"/u.pem", both(maker{names: []string{"xn--bcher-kva.example"}}.make(ecKey())))
	o := Options{CertFile: own, HostCertFiles: map[string]string{"a.example": a, "bücher.example": u}, Hosts: []string{"bücher.example"}}
	f, _ := files()
	s, warnings, err := f.Server(o)
	if err != nil || len(warnings) != 0 {
		t.Fatal(warnings, err)
	}
	o.CertFile = ""
	noOwn, _, err := f.Server(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		s             *Server
		host, sni     string
		want          string
		configErr     bool
		handshakeFail bool
	}{
		// STARTTLS: the host of the stream counts.
		{s, "a.example", "", "a.example", false, false},
		{s, "A.Example", "other", "a.example", false, false},
		{s, "bücher.example", "", "xn--bcher-kva.example", false, false},
		{s, "c.example", "a.example", "own", false, false},
		{noOwn, "a.example", "", "a.example", false, false},
		{noOwn, "c.example", "", "", true, false},
		// TLS first: the name in the handshake counts.
		{s, "", "a.example", "a.example", false, false},
		{s, "", "A.EXAMPLE", "a.example", false, false},
		{s, "", "xn--bcher-kva.example", "xn--bcher-kva.example", false, false},
		{s, "", "c.example", "own", false, false},
		{s, "", "", "own", false, false},
		{noOwn, "", "a.example", "a.example", false, false},
		{noOwn, "", "c.example", "", false, true},
		{noOwn, "", "", "", false, true},
	} {
		name := fmt.Sprintf("host %q, name %q, own %v", tt.host, tt.sni, tt.s == s)
		cfg, err := tt.s.Config(tt.host)
		if (err != nil) != tt.configErr || err != nil && !errors.Is(err, ErrNoCertificate) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err != nil {
			continue
		}
		st, cerr, serr := handshake(t, cfg, client(serverName(tt.sni)))
		if tt.handshakeFail {
			if serr == nil || Reason(serr) != ReasonName {
				t.Errorf("%s: server says %v", name, serr)
			}
			continue
		}
		if cerr != nil || serr != nil || st.PeerCertificates[0].DNSNames[0] != tt.want {
			t.Errorf("%s: %v, %v, %v; want %s", name, st.PeerCertificates, cerr, serr, tt.want)
		}
	}
	var got []string
	for _, c := range s.Certificates() {
		got = append(got, fmt.Sprint(c.Host, " ", filepath.Base(c.File), " ", c.Names, " ", c.Key))
	}
	want := []string{" own.pem [own] ECDSA P-256", "a.example a.pem [a.example] ECDSA P-256", "bücher.example u.pem [xn--bcher-kva.example] ECDSA P-256"}
	if !slices.Equal(got, want) {
		t.Errorf("in use: %q, want %q", got, want)
	}
}

// With two kinds of keys each client gets one that it can use, whatever name
// it asks for.
func TestRSAAndECDSA(t *testing.T) {
	file := write(t, "c.pem", both(maker{names: []string{"a"}}.make(rsaKey()))+both(maker{names: []string{"a"}}.make(ecKey())))
	cfg, err := server(t, Options{CertFile: file}).Config("")
	if err != nil {
		t.Fatal(err)
	}
	rsaOnly := func(c *tls.Config) {
		c.MaxVersion = tls.VersionTLS12
		c.CipherSuites = []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	}
	for name, tt := range map[string]struct {
		client *tls.Config
		want   x509.PublicKeyAlgorithm
	}{
		"TLS 1.3":                  {client(serverName("a")), x509.ECDSA},
		"TLS 1.2":                  {client(maxVersion(tls.VersionTLS12)), x509.ECDSA},
		"TLS 1.0":                  {client(maxVersion(tls.VersionTLS10)), x509.ECDSA},
		"RSA only":                 {client(rsaOnly), x509.RSA},
		"RSA only, other name":     {client(rsaOnly, serverName("conference.a")), x509.RSA},
		"TLS 1.3, a name not here": {client(serverName("conference.a")), x509.ECDSA},
	} {
		st, cerr, serr := handshake(t, cfg, tt.client)
		if cerr != nil || serr != nil || st.PeerCertificates[0].PublicKeyAlgorithm != tt.want {
			t.Errorf("%s: %v, %v; want %v", name, cerr, serr, tt.want)
		}
	}
}

// What must not be offered: suites without forward secrecy, 3DES, RC4.
func TestWeakSuitesAreRefused(t *testing.T) {
	file := write(t, "c.pem", both(maker{names: []string{"a"}}.make(rsaKey())))
	cfg, err := server(t, Options{CertFile: file}).Config("")
	if err != nil {
		t.Fatal(err)
	}
	for _, suite := range []uint16{
		tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
		tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_RSA_WITH_RC4_128_SHA, tls.TLS_ECDHE_RSA_WITH_RC4_128_SHA,
	} {
		_, cerr, serr := handshake(t, cfg, client(func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{suite}
		}))
		if cerr == nil || serr == nil || Reason(serr) != ReasonCipher {
			t.Errorf("%s: %v, %v", tls.CipherSuiteName(suite), cerr, serr)
		}
	}
}

func TestClientCertificatesAndProtocols(t *testing.T) {
	p := maker{names: []string{"a"}}.make(ecKey())
	file := write(t, "c.pem", both(p))
	mine := tls.Certificate{Certificate: [][]byte{p.cert.Raw}, PrivateKey: p.key}
	for _, ask := range []bool{false, true} {
		s := server(t, Options{CertFile: file, AskClient: ask, NextProtos: []string{"xmpp-client"}})
		cfg, err := s.Config("")
		if err != nil {
			t.Fatal(err)
		}
		for _, has := range []bool{false, true} {
			asked := false
			ccfg := client(func(c *tls.Config) {
				c.NextProtos = []string{"http/1.1", "xmpp-client"}
				c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					asked = true
					if has {
						return &mine, nil
					}
					return &tls.Certificate{}, nil
				}
			})
			st, cerr, serr := handshake(t, cfg, ccfg)
			if cerr != nil || serr != nil || asked != ask {
				t.Errorf("ask %v, has %v: %v, %v, asked %v", ask, has, cerr, serr, asked)
			}
			if st.NegotiatedProtocol != "xmpp-client" {
				t.Errorf("protocol %q", st.NegotiatedProtocol)
			}
		}
	}
}

// Resumption is off, whatever the version.
func TestNoResumption(t *testing.T) {
	file := write(t, "c.pem", both(maker{names: []string{"a"}}.make(ecKey())))
	cfg, err := server(t, Options{CertFile: file}).Config("")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cache := tls.NewLRUClientSessionCache(10)
		for range 3 {
			st, cerr, serr := handshake(t, cfg, client(maxVersion(v), serverName("a"), func(c *tls.Config) { c.ClientSessionCache = cache }))
			if cerr != nil || serr != nil || st.DidResume {
				t.Errorf("%s: resumed %v, %v, %v", tls.VersionName(v), st.DidResume, cerr, serr)
			}
		}
	}
}

// clock is a time that the test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }

func (c *clock) add(d time.Duration) { c.mu.Lock(); c.t = c.t.Add(d); c.mu.Unlock() }

func TestRenewal(t *testing.T) {
	name := filepath.Join(t.TempDir(), "c.pem")
	mtime := time.Now().Add(-time.Hour)
	put := func(text string) {
		t.Helper()
		write(t, name, text)
		mtime = mtime.Add(time.Second)
		if err := os.Chtimes(name, mtime, mtime); err != nil {
			t.Fatal(err)
		}
	}
	first, second, third := maker{names: []string{"first"}}.make(ecKey()), maker{names: []string{"second"}}.make(ecKey()), maker{names: []string{"third"}}.make(ecKey())
	put(both(first))
	f, logs := files()
	ck := &clock{t: time.Now()}
	f.now = ck.now
	s, _, err := f.Server(Options{CertFile: name})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := s.Config("")
	if err != nil {
		t.Fatal(err)
	}
	want := func(name string) {
		t.Helper()
		st, cerr, serr := handshake(t, cfg, client())
		if cerr != nil || serr != nil || st.PeerCertificates[0].DNSNames[0] != name {
			t.Fatalf("certificate of %v, %v, %v; want %s", st.PeerCertificates, cerr, serr, name)
		}
	}
	want("first")
	put(both(second))
	want("first") // not looked at within a second
	ck.add(checkEvery)
	want("second")
	if n := logs.FilterMessage("certificate renewed").Len(); n != 1 {
		t.Errorf("renewal logged %d times", n)
	}
	// Broken, half written, missing: the old one stays, one line each.
	for i, text := range []string{"broken", both(third)[:400], certPEM(third), ""} {
		if text == "" {
			os.Remove(name)
		} else {
			put(text)
		}
		for range 3 {
			ck.add(checkEvery)
			want("second")
		}
		if n := logs.FilterMessageSnippet("is broken").Len(); n != i+1 {
			t.Errorf("%d errors logged after %d broken files", n, i+1)
		}
	}
	put(both(third))
	ck.add(checkEvery)
	want("third")
	if n := logs.FilterMessage("certificate renewed").Len(); n != 2 {
		t.Errorf("renewals logged %d times, want 2", n)
	}
	// A file whose time only was touched is no news to anybody but is read.
	put(both(third))
	ck.add(checkEvery)
	want("third")
}

// Many handshakes at once while the file changes, for the race detector.
func TestRenewalUnderLoad(t *testing.T) {
	name := filepath.Join(t.TempDir(), "c.pem")
	pairs := []string{both(maker{names: []string{"a"}}.make(ecKey())), both(maker{names: []string{"b"}}.make(ecKey()))}
	write(t, name, pairs[0])
	f, _ := files()
	ck := &clock{t: time.Now()}
	f.now = ck.now
	s, _, err := f.Server(Options{CertFile: name})
	if err != nil {
		t.Fatal(err)
	}
	cfg, _ := s.Config("")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 15 {
				if _, cerr, serr := handshake(t, cfg, client()); cerr != nil || serr != nil {
					t.Error(cerr, serr)
				}
			}
		})
	}
	for i := range 30 {
		write(t, name, pairs[i%2])
		ck.add(checkEvery)
		s.Certificates()
		time.Sleep(time.Millisecond)
	}
	wg.Wait()
}

func TestSelfSigned(t *testing.T) {
	name := filepath.Join(t.TempDir(), "cert.pem")
	hosts := []string{"localhost", "bücher.example", "127.0.0.1", "::1"}
	if err := WriteSelfSigned(name, hosts, time.Now()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	f, _ := files()
	s, warnings, err := f.Server(Options{CertFile: name, Hosts: hosts[:2]})
	if err != nil || len(warnings) != 0 {
		t.Fatal(warnings, err)
	}
	var kinds []string
	for _, c := range s.Certificates() {
		kinds = append(kinds, c.Key)
	}
	if want := []string{"ECDSA P-256", "RSA 2048"}; !slices.Equal(kinds, want) {
		t.Errorf("keys %q, want %q", kinds, want)
	}
	text := must(os.ReadFile(name))
	if b, _ := pem.Decode(text); must(x509.ParseCertificate(b.Bytes)).PublicKeyAlgorithm != x509.RSA {
		t.Error("the first certificate is not the RSA one")
	}
	if err := WriteSelfSigned(name, hosts, time.Now()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second time: %v, want fs.ErrExist", err)
	}
	if !bytes.Equal(text, must(os.ReadFile(name))) {
		t.Error("the file was changed")
	}
	if rest := must(os.ReadDir(filepath.Dir(name))); len(rest) != 1 {
		t.Errorf("left behind: %v", rest)
	}
	for _, bad := range [][]string{nil, {"a b"}, {""}} {
		if err := WriteSelfSigned(filepath.Join(t.TempDir(), "x.pem"), bad, time.Now()); err == nil {
			t.Errorf("hosts %q accepted", bad)
		}
	}
	if err := WriteSelfSigned("/nonexistent/x.pem", hosts, time.Now()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such folder: %v", err)
	}
	// A client that trusts the file accepts the host and nothing else.
	cfg, _ := s.Config("localhost")
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	for host, ok := range map[string]bool{"localhost": true, "other": false} {
		_, cerr, _ := handshake(t, cfg, &tls.Config{RootCAs: pool, ServerName: host})
		if (cerr == nil) != ok {
			t.Errorf("host %s: %v", host, cerr)
		}
	}
}

func TestReason(t *testing.T) {
	file := write(t, "c.pem", both(maker{names: []string{"a"}}.make(ecKey())))
	cfg, _ := server(t, Options{CertFile: file}).Config("")
	// The client refuses the certificate.
	if _, _, serr := handshake(t, cfg, &tls.Config{ServerName: "a"}); serr == nil {
		// In TLS 1.3 the server learns it after its handshake only.
		t.Log("the alert came later")
	} else if r := Reason(serr); r != ReasonPeer && r != ReasonClosed {
		t.Errorf("refused certificate: %s (%v)", r, serr)
	}
	for text, want := range map[string]string{"": ReasonClosed, "<stream:stream to='a'>": ReasonNotTLS, "\x16\x03\x01\x00\x05\x63rubbish": ReasonProtocol} {
		l := must(net.Listen("tcp4", "127.0.0.1:0"))
		nc := must(net.Dial("tcp4", l.Addr().String()))
		c := must(conn.New(must(l.Accept()).(*net.TCPConn), conn.Options{}))
		io.WriteString(nc, text)
		if text == "" {
			nc.Close()
		}
		if err := c.StartTLS(cfg, 5*time.Second); err == nil || Reason(err) != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		c.Close()
		nc.Close()
		l.Close()
	}
	l := must(net.Listen("tcp4", "127.0.0.1:0"))
	defer l.Close()
	nc := must(net.Dial("tcp4", l.Addr().String()))
	defer nc.Close()
	c := must(conn.New(must(l.Accept()).(*net.TCPConn), conn.Options{}))
	defer c.Close()
	if err := c.StartTLS(cfg, 10*time.Millisecond); err == nil || Reason(err) != ReasonTimeout {
		t.Errorf("silent peer: %v", err)
	}
}

// OpenSSL as another implementation of the client.
func TestOpenSSLClient(t *testing.T) {
	if testing.Short() {
		t.Skip("runs openssl")
	}
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl")
	}
	file := filepath.Join(t.TempDir(), "c.pem")
	if err := WriteSelfSigned(file, []string{"localhost"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	off, _ := ParseWords([]string{"no_sslv3|no_tlsv1_1"})
	cfg, err := server(t, Options{CertFile: file, Off: off}).Config("localhost")
	if err != nil {
		t.Fatal(err)
	}
	l := must(net.Listen("tcp4", "127.0.0.1:0"))
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			c := must(conn.New(nc.(*net.TCPConn), conn.Options{}))
			c.StartTLS(cfg, 10*time.Second)
			c.CloseAfterFlush(time.Second)
		}
	})
	defer wg.Wait()
	defer l.Close()
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"newest":        {nil, "Protocol version: TLSv1.3 ECDSA"},
		"TLS 1.2":       {[]string{"-tls1_2"}, "Protocol version: TLSv1.2 ECDSA"},
		"RSA only":      {[]string{"-sigalgs", "RSA+SHA256:RSA-PSS+SHA256"}, "Protocol version: TLSv1.3 RSA-PSS"},
		"1.2, RSA only": {[]string{"-tls1_2", "-cipher", "aRSA"}, "Protocol version: TLSv1.2 RSA"},
		"TLS 1.0":       {[]string{"-tls1", "-cipher", "ALL:@SECLEVEL=0"}, "Protocol version: TLSv1 "},
		"TLS 1.1":       {[]string{"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"}, "refused"},
	} {
		args := append([]string{"s_client", "-brief", "-connect", l.Addr().String(), "-servername", "localhost"}, tt.args...)
		out, _ := exec.Command(openssl, args...).CombinedOutput()
		got := "refused"
		version, kind := field(out, "Protocol version:"), field(out, "Signature type:")
		if version != "" {
			got = "Protocol version: " + version + " " + kind
		}
		if !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %q, want %q\n%s", name, got, tt.want, out)
		}
	}
}

func field(out []byte, name string) string {
	_, rest, ok := strings.Cut(string(out), name)
	if !ok {
		return ""
	}
	return strings.TrimSpace(rest[:strings.IndexByte(rest+"\n", '\n')])
}

func FuzzParseWords(f *testing.F) {
	for _, s := range []string{"", "no_sslv3", "no_tlsv1|no_tlsv1_1", "all|nonsense", "|||", "no_tlsv1\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		off, unknown := ParseWords([]string{s})
		words := strings.Split(s, "|")
		if off > 15 || len(unknown) > len(words) {
			t.Fatalf("%q: %v, %q", s, off, unknown)
		}
		// One string with words is a list of them.
		off2, unknown2 := ParseWords(words)
		if off != off2 || !slices.Equal(unknown, unknown2) {
			t.Fatalf("%q: %v, %q; as a list %v, %q", s, off, unknown, off2, unknown2)
		}
		if off.String() == "" {
			t.Fatal("no name")
		}
	})
}

func FuzzParsePEM(f *testing.F) {
	kept, err := filepath.Glob("testdata/*.pem")
	if err != nil || len(kept) < 3 {
		f.Fatal(kept, err)
	}
	var all []byte
	for _, name := range kept {
		data := must(os.ReadFile(name))
		f.Add(data)
		all = append(all, data...)
	}
	f.Add(all)
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte{0x30, 0x82})
	f.Fuzz(func(t *testing.T, data []byte) {
		certs, _, err := parsePEM("f", data, "", nil)
		if (err == nil) != (len(certs) > 0) {
			t.Fatalf("%d certificates, %v", len(certs), err)
		}
		for _, c := range certs {
			if c.Leaf == nil || len(c.Certificate) == 0 || !samePublicKey(c.Leaf.PublicKey, c.PrivateKey.(crypto.Signer).Public()) {
				t.Fatal("a certificate without its key")
			}
		}
	})
}

// BenchmarkHandshake is one handshake, both ends: what tickets would save.
func BenchmarkHandshake(b *testing.B) {
	for _, kind := range []string{"RSA", "ECDSA"} {
		key := rsaKey()
		if kind == "ECDSA" {
			key = ecKey()
		}
		file := write(b, "c.pem", both(maker{names: []string{"a"}}.make(key)))
		cfg, err := server(b, Options{CertFile: file}).Config("")
		if err != nil {
			b.Fatal(err)
		}
		tickets := cfg.Clone()
		tickets.SessionTicketsDisabled = false
		for name, scfg := range map[string]*tls.Config{"full": cfg, "resumed": tickets} {
			for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				b.Run(kind+"/"+tls.VersionName(v)+"/"+name, func(b *testing.B) {
					ccfg := client(maxVersion(v), serverName("a"), func(c *tls.Config) { c.ClientSessionCache = tls.NewLRUClientSessionCache(10) })
					handshake(b, scfg, ccfg)
					for b.Loop() {
						st, cerr, serr := handshake(b, scfg, ccfg)
						if cerr != nil || serr != nil || st.DidResume != (name == "resumed") {
							b.Fatal(st.DidResume, cerr, serr)
						}
					}
				})
			}
		}
	}
}
