package scenario

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Target is the server that scenarios run against.
type Target struct {
	// Addrs tells where the listeners of the recorded node are: "host:port" by
	// the number of the recorded port ("5233") or by its name: tcp (5222), zlib
	// (5223), tls (5226), s2s (5269), http (5280), https (5285), component
	// (8888), admin (8088), rest (8089), old (5288). A scenario that wants
	// another port is skipped.
	Addrs map[string]string

	// Register makes an account; that it exists already is no error.
	Register func(ctx context.Context, user, domain, password string) error
	// Unregister removes an account with all that is stored for it; that it is
	// gone already is no error.
	Unregister func(ctx context.Context, user, domain, password string) error
	// Settled waits until the server has noticed that the connections of a
	// scenario are gone; it is called before the accounts go. Nil: no waiting.
	Settled func(ctx context.Context) error

	// TLS is the client's side of TLS. Nil: any certificate is accepted and
	// "localhost" asked for.
	TLS *tls.Config
	// Timeout is how long an expected thing may take where the scenario doesn't
	// say; 0 means 5 s.
	Timeout time.Duration
	// Recorded takes the recorded answers where "<!" lines say that Meerkat
	// differs: for a MongooseIM 2.0.1 node.
	Recorded bool
}

// Skipped is why a scenario was not run. It is an error, so that nobody takes a
// scenario that was not run for one that passed.
type Skipped struct {
	Path      string
	Transport string // what it would have needed: "ws", "zlib", "s2s", ...
	Reason    string
}

func (s *Skipped) Error() string {
	return fmt.Sprintf("%s: skipped: transport %s: %s", s.Path, s.Transport, s.Reason)
}

var portNames = map[string]string{
	"tcp": "5222", "zlib": "5223", "tls": "5226", "s2s": "5269", "http": "5280", "https": "5285",
	"component": "8888", "admin": "8088", "rest": "8089", "old": "5288",
}

// addr finds a port by name or number.
func (t *Target) addr(port string) (string, bool) {
	if a, ok := t.Addrs[port]; ok {
		return a, true
	}
	if n, ok := portNames[port]; ok {
		a, ok := t.Addrs[n]
		return a, ok
	}
	for name, n := range portNames {
		if n == port {
			a, ok := t.Addrs[name]
			return a, ok
		}
	}
	return "", false
}

func (t *Target) timeout() time.Duration {
	if t.Timeout > 0 {
		return t.Timeout
	}
	return 5 * time.Second
}

func (t *Target) tls(withCert bool) (*tls.Config, error) {
	c := &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", MinVersion: tls.VersionTLS10}
	if t.TLS != nil {
		c = t.TLS.Clone()
	}
	if withCert {
		cert, err := selfSigned()
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}

// transportOf says which transport a command is part of.
var transportOf = map[string]string{
	"listen": "s2s", "accept": "s2s", "upstream": "http", "request": "http", "answer": "http", "frame": "ws",
}

// offered checks that the runner and the target have what the scenario needs,
// and returns a *Skipped if not.
func (sc *Scenario) offered(t *Target) error {
	skip := func(transport, format string, a ...any) error {
		return &Skipped{Path: sc.Path, Transport: transport, Reason: fmt.Sprintf(format, a...)}
	}
	for _, l := range sc.lines {
		via, port := transportOf[l.op], ""
		switch l.op {
		case "login", "open":
			words, _ := shellWords(l.arg)
			o, err := parseOptions(l.op, l.conn, words)
			if err != nil {
				return err
			}
			if l.op == "login" && slices.Contains(o.via, "zlib") || slices.Contains(o.via[1:], "zlib") {
				return skip("zlib", "this runner does not compress")
			}
			via, port = o.via[0], o.port
		case "compress":
			return skip("zlib", "this runner does not compress")
		case "accept", "listen", "upstream", "request", "answer", "frame":
		default:
			continue
		}
		tr, ok := transports[via]
		if !ok {
			return skip(via, "this runner does not speak it")
		}
		if port == "" {
			port = tr.port
		}
		if _, ok := t.addr(port); !ok && !strings.Contains(port, "${") {
			return skip(via, "the target has no port %s", port)
		}
	}
	return nil
}

// selfSigned is the certificate that the runner shows where a scenario says
// "cert": CN f1, DNS names f1 and *.test, P-256.
var selfSigned = sync.OnceValues(func() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	der, err := x509.CreateCertificate(rand.Reader, selfTemplate(now), selfTemplate(now), key.Public(), key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make the runner's certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
})

func selfTemplate(now time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "f1"}, DNSNames: []string{"f1", "*.test"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
}

// InBand returns functions for Target.Register and Target.Unregister that work
// over in-band registration (XEP-0077) at addr, without TLS.
func InBand(addr string) (register, unregister func(ctx context.Context, user, domain, password string) error) {
	play := func(ctx context.Context, f func(*run, *session) error) error {
		r := newRun(ctx, &Scenario{Domain: "localhost"}, Target{Addrs: map[string]string{"tcp": addr}})
		defer r.abort()
		defer context.AfterFunc(ctx, r.abort)()
		s, err := r.connect("account", options{via: []string{"tcp"}})
		if err != nil {
			return err
		}
		return f(r, s)
	}
	register = func(ctx context.Context, user, domain, password string) error {
		return play(ctx, func(r *run, s *session) error {
			if _, err := r.header(s, domain, ""); err != nil {
				return err
			}
			for try := 0; ; try++ { // an account just removed may still be there for a moment
				s.t.send("<iq type='set' id='reg'><query xmlns='jabber:iq:register'><username>" + attrEscaper.Replace(user) +
					"</username><password>" + attrEscaper.Replace(password) + "</password></query></iq>")
				e, err := r.element(s)
				if err != nil {
					return err
				}
				if e.attr("type") == "result" || e.child("error") != nil && e.child("error").child("conflict") != nil {
					return nil
				}
				if try == 3 {
					return fmt.Errorf("register %s: %s", user, event{el: e})
				}
				if err := r.sleep(50 * time.Millisecond); err != nil {
					return err
				}
			}
		})
	}
	login := func(r *run, s *session, user, domain, password string) (bool, error) {
		if _, err := r.header(s, domain, ""); err != nil {
			return false, err
		}
		err := r.authenticate(s, user, domain, password, "PLAIN")
		var refused *refusedError
		if errors.As(err, &refused) {
			return false, nil
		}
		return err == nil, err
	}
	unregister = func(ctx context.Context, user, domain, password string) error {
		there := false
		err := play(ctx, func(r *run, s *session) (err error) {
			if there, err = login(r, s, user, domain, password); !there {
				return err
			}
			if _, err := r.header(s, domain, ""); err != nil {
				return err
			}
			if err := r.bind(s, "reg", true); err != nil {
				return err
			}
			s.t.send("<iq type='set' to='" + attrEscaper.Replace(domain) + "' id='reg'><query xmlns='jabber:iq:register'><remove/></query></iq>")
			r.next(s, 2*time.Second)
			return nil
		})
		for try := 0; there && err == nil; try++ { // the answer may come before the account is gone
			if try == 50 {
				return fmt.Errorf("account %s is still there", user)
			}
			err = play(ctx, func(r *run, s *session) (err error) {
				if there, err = login(r, s, user, domain, password); there {
					return r.sleep(20 * time.Millisecond)
				}
				return err
			})
		}
		return err
	}
	return register, unregister
}
