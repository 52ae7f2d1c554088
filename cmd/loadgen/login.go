//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A load says where the server is and how sessions are made. All modes share it.
type load struct {
	Server    string        // name in results
	Addr      string        // host:port for clients
	Domain    string        // XMPP domain
	Transport string        // "tcp", or "tls": STARTTLS
	Auth      string        // "scram" (SCRAM-SHA-1) or "plain"
	User      string        // names of accounts begin with this
	Password  string        // of all accounts
	Pids      []int         // roots of the server's process tree
	Base      int           // number of the first account
	Workers   int           // logins at the same time
	Sources   int           // loopback addresses to connect from
	Measure   time.Duration // the measured window
	Warm      time.Duration // what goes before it
	Drain     time.Duration // how long what is under way has to arrive

	keys sync.Map // user → *scramKey: the generator pays for PBKDF2 once
}

func (l *load) user(i int) string { return l.User + strconv.Itoa(l.Base+i) }

var (
	clientTLS = &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", CurvePreferences: []tls.CurveID{tls.X25519}}
	b64       = base64.StdEncoding
)

const (
	nsSASL    = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsTLS     = "urn:ietf:params:xml:ns:xmpp-tls"
	nsBind    = "urn:ietf:params:xml:ns:xmpp-bind"
	nsSession = "urn:ietf:params:xml:ns:xmpp-session"
)

// A session is one that is logged in.
type session struct {
	link
	user string
	jid  string
}

// expect reads stanzas until one begins with one of the wanted tags.
func expect(l link, want ...string) ([]byte, error) {
	for {
		st, err := l.next()
		if err != nil {
			return nil, fmt.Errorf("wait for %s: %w", want[0], err)
		}
		for _, w := range want {
			if bytes.HasPrefix(st, []byte(w)) {
				return st, nil
			}
		}
		if bytes.HasPrefix(st, []byte("<failure")) || bytes.HasPrefix(st, []byte("<stream:error")) {
			return nil, fmt.Errorf("wait for %s: received %q", want[0], st)
		}
	}
}

func features(l link, domain string) ([]byte, error) {
	if err := l.open(domain); err != nil {
		return nil, err
	}
	return expect(l, "<stream:features", "<features")
}

// transports open a stream and read its features, under TLS where the name
// says so. Others go here: WebSocket, BOSH.
var transports = map[string]func(ctx context.Context, l *load, buffer int) (link, error){
	"tcp": func(ctx context.Context, l *load, buffer int) (link, error) { return connectTCP(ctx, l, buffer, false) },
	"tls": func(ctx context.Context, l *load, buffer int) (link, error) { return connectTCP(ctx, l, buffer, true) },
}

// loginTime is how long a whole login may take.
const loginTime = 60 * time.Second

// connect opens a stream. buffer is the size that reading begins with.
func (l *load) connect(ctx context.Context, buffer int) (link, error) {
	open, ok := transports[l.Transport]
	if !ok {
		return nil, fmt.Errorf("unknown transport %q", l.Transport)
	}
	return open(ctx, l, buffer)
}

func connectTCP(ctx context.Context, l *load, buffer int, secure bool) (link, error) {
	t, err := dialTCP(ctx, l.Addr, l.Sources, buffer)
	if err != nil {
		return nil, err
	}
	t.deadline(time.Now().Add(loginTime))
	if err := t.begin(l.Domain, secure); err != nil {
		t.cut()
		return nil, err
	}
	return t, nil
}

// begin opens the stream, and does it again under TLS.
func (l *tcpLink) begin(domain string, secure bool) error {
	if _, err := features(l, domain); err != nil || !secure {
		return err
	}
	if err := send(l, "<starttls xmlns='"+nsTLS+"'/>"); err != nil {
		return err
	}
	if _, err := expect(l, "<proceed"); err != nil {
		return err
	}
	if err := l.startTLS(clientTLS); err != nil {
		return err
	}
	_, err := features(l, domain)
	return err
}

// login makes the session of account i.
func (l *load) login(ctx context.Context, i, buffer int) (*session, error) {
	t, err := l.connect(ctx, buffer)
	if err != nil {
		return nil, err
	}
	s := &session{link: t, user: l.user(i)}
	if err := l.establish(s); err != nil {
		t.cut()
		return nil, fmt.Errorf("log %s in: %w", s.user, err)
	}
	t.deadline(time.Time{})
	return s, nil
}

func (l *load) establish(s *session) error {
	if err := l.authenticate(s); err != nil {
		return err
	}
	f, err := features(s, l.Domain)
	if err != nil {
		return err
	}
	wantsSession := bytes.Contains(f, []byte(nsSession))
	st, err := s.ask("<iq type='set' id='bind'" + s.xmlns() + "><bind xmlns='" + nsBind + "'><resource>x</resource></bind></iq>")
	if err != nil {
		return err
	}
	if s.jid = string(between(st, "<jid>", "</jid>")); s.jid == "" {
		return fmt.Errorf("bind: %q", st)
	}
	if wantsSession {
		if st, err = s.ask("<iq type='set' id='session'" + s.xmlns() + "><session xmlns='" + nsSession + "'/></iq>"); err != nil {
			return err
		}
		if string(attr(st, "type")) != "result" {
			return fmt.Errorf("session: %q", st)
		}
	}
	if err := send(s, "<presence"+s.xmlns()+"/>"); err != nil {
		return err
	}
	for {
		st, err := expect(s, "<presence")
		if err != nil || string(attr(st, "from")) == s.jid {
			return err
		}
	}
}

// ask sends an IQ and waits for the next one.
func (s *session) ask(iq string) ([]byte, error) {
	if err := send(s, iq); err != nil {
		return nil, err
	}
	return expect(s, "<iq")
}

// scramKey is what PBKDF2 makes of a password, and the salt it holds for.
type scramKey struct {
	salt                   string
	rounds                 int
	client, stored, server []byte
}

func (l *load) authenticate(s *session) error {
	begin := func(mechanism, first string) error {
		return send(s, "<auth xmlns='"+nsSASL+"' mechanism='"+mechanism+"'>"+b64.EncodeToString([]byte(first))+"</auth>")
	}
	if l.Auth == "plain" {
		if err := begin("PLAIN", "\x00"+s.user+"\x00"+l.Password); err != nil {
			return err
		}
		_, err := expect(s, "<success")
		return err
	}
	nonce := rand.Text()
	bare := "n=" + s.user + ",r=" + nonce
	if err := begin("SCRAM-SHA-1", "n,,"+bare); err != nil {
		return err
	}
	st, err := expect(s, "<challenge")
	if err != nil {
		return err
	}
	challenge, err := b64.DecodeString(string(text(st)))
	if err != nil {
		return fmt.Errorf("challenge: %w", err)
	}
	final, verifier, err := l.scram(s.user, nonce, bare, string(challenge))
	if err != nil {
		return err
	}
	if err := send(s, "<response xmlns='"+nsSASL+"'>"+b64.EncodeToString([]byte(final))+"</response>"); err != nil {
		return err
	}
	if st, err = expect(s, "<success"); err != nil {
		return err
	}
	if v, _ := b64.DecodeString(string(text(st))); string(v) != verifier {
		return fmt.Errorf("wrong server signature %q", v)
	}
	return nil
}

// scram answers a challenge and says what the server must answer to that.
func (l *load) scram(user, nonce, bare, challenge string) (final, verifier string, err error) {
	k := &scramKey{}
	var r string
	for _, f := range strings.Split(challenge, ",") {
		switch key, value, _ := strings.Cut(f, "="); key {
		case "r":
			r = value
		case "s":
			k.salt = value
		case "i":
			k.rounds, _ = strconv.Atoi(value)
		}
	}
	if !strings.HasPrefix(r, nonce) || k.rounds == 0 {
		return "", "", fmt.Errorf("bad challenge %q", challenge)
	}
	if known, ok := l.keys.Load(user); ok && known.(*scramKey).salt == k.salt && known.(*scramKey).rounds == k.rounds {
		k = known.(*scramKey)
	} else {
		salt, err := b64.DecodeString(k.salt)
		if err != nil {
			return "", "", fmt.Errorf("salt: %w", err)
		}
		salted, err := pbkdf2.Key(sha1.New, l.Password, salt, k.rounds, sha1.Size)
		if err != nil {
			return "", "", err
		}
		k.client = mac(salted, "Client Key")
		stored := sha1.Sum(k.client)
		k.stored, k.server = stored[:], mac(salted, "Server Key")
		l.keys.Store(user, k)
	}
	final = "c=biws,r=" + r
	message := bare + "," + challenge + "," + final
	proof := mac(k.stored, message)
	for i := range proof {
		proof[i] ^= k.client[i]
	}
	return final + ",p=" + b64.EncodeToString(proof), "v=" + b64.EncodeToString(mac(k.server, message)), nil
}

func mac(key []byte, message string) []byte {
	h := hmac.New(sha1.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}

// register makes account i over in-band registration (XEP-0077). It says
// whether it was there already.
func (l *load) register(ctx context.Context, i int) (existed bool, err error) {
	t, err := l.connect(ctx, 1024)
	if err != nil {
		return false, err
	}
	defer t.cut()
	s := &session{link: t}
	st, err := s.ask("<iq type='set' id='reg'" + t.xmlns() + "><query xmlns='jabber:iq:register'><username>" + l.user(i) + "</username><password>" + l.Password + "</password></query></iq>")
	if err != nil {
		return false, fmt.Errorf("register %s: %w", l.user(i), err)
	}
	if string(attr(st, "type")) != "result" {
		if bytes.Contains(st, []byte("<conflict")) {
			return true, nil
		}
		return false, fmt.Errorf("register %s: %q", l.user(i), st)
	}
	t.end()
	return false, nil
}

// each calls f for 0..n-1 from workers goroutines and stops at the first error.
func each(n, workers int, f func(i int) error) error {
	var next atomic.Int64
	var failed firstError
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			for failed.count() == 0 {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := f(i); err != nil {
					failed.add(err)
				}
			}
		})
	}
	wg.Wait()
	return failed.first()
}

// loginAll makes n sessions.
func (l *load) loginAll(ctx context.Context, n, buffer int) ([]*session, error) {
	ss := make([]*session, n)
	err := each(n, l.Workers, func(i int) (err error) {
		ss[i], err = l.login(ctx, i, buffer)
		return err
	})
	if err != nil {
		cutAll(ss)
		return nil, err
	}
	return ss, nil
}

func cutAll(ss []*session) {
	for _, s := range ss {
		if s != nil {
			s.cut()
		}
	}
}

// firstError counts errors and keeps the first.
type firstError struct {
	mu  sync.Mutex
	n   int64
	err error
}

func (e *firstError) add(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.n++; e.err == nil {
		e.err = err
	}
}

func (e *firstError) count() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.n
}

func (e *firstError) first() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// plainUser takes the user name out of a PLAIN response.
func plainUser(coded []byte) string {
	b, _ := b64.DecodeString(string(coded))
	if f := bytes.Split(b, []byte{0}); len(f) == 3 {
		return string(f[1])
	}
	return ""
}
