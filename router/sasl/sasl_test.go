package sasl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	xdg "github.com/xdg-go/scram"
	"pgregory.net/rapid"

	"meerkat/router/auth"
)

// store is a Method in memory.
type store struct {
	format auth.Store
	hashes []auth.Hash
	creds  map[string]auth.Credentials
	err    error
	derive *auth.Deriver
}

func (s *store) Name() string      { return "internal" }
func (s *store) Store() auth.Store { return s.format }
func (s *store) Serves(h auth.Hash) bool {
	for _, o := range s.hashes {
		if o == h {
			return true
		}
	}
	return s.format == auth.StorePlain
}

func (s *store) Check(ctx context.Context, user, password string) (bool, error) {
	ok, err := s.derive.Check(ctx, s.creds[user], password)
	return ok, errors.Join(err, s.err)
}

func (s *store) Credentials(_ context.Context, user string) (auth.Credentials, error) {
	return s.creds[user], s.err
}

func (s *store) Exists(_ context.Context, user string) (bool, error) {
	_, ok := s.creds[user]
	return ok, s.err
}
func (s *store) Register(context.Context, string, string) error      { return auth.ErrNotAllowed }
func (s *store) SetPassword(context.Context, string, string) error   { return auth.ErrNotAllowed }
func (s *store) Remove(context.Context, string) error                { return auth.ErrNotAllowed }
func (s *store) RemoveChecked(context.Context, string, string) error { return auth.ErrNotAllowed }

// server is a host "localhost" with alice (plain pw-alice), kate (SCRAM
// kate-secret with both hashes) and odd names.
func server(tb testing.TB, format auth.Store, hashes ...auth.Hash) (Env, *store) {
	tb.Helper()
	s := &store{format: format, hashes: hashes, derive: auth.NewDeriver(auth.DeriverOptions{})}
	kate, err := s.derive.New(tb.Context(), "kate-secret", []auth.Hash{auth.SHA1, auth.SHA256}, 4096)
	if err != nil {
		tb.Fatal(err)
	}
	s.creds = map[string]auth.Credentials{
		"alice":       {Plain: "pw-alice"},
		"kate":        {Keys: kate},
		"old":         {Keys: kate[:1]},
		"with=equals": {Plain: "pw"},
		"with,comma":  {Plain: "pw"},
		"żółw":        {Plain: "pw"},
		"unusable":    {},
	}
	return Env{Accounts: auth.NewHost("localhost", []auth.Method{s}, auth.HostOptions{Deriver: s.derive})}, s
}

func all(tb testing.TB) *Mechanisms {
	tb.Helper()
	m, unknown := New([]string{"cyrsasl_plain", "cyrsasl_scram", "cyrsasl_scram_sha256"})
	if unknown != nil {
		tb.Fatal(unknown)
	}
	return m
}

func TestOffered(t *testing.T) {
	for _, tt := range []struct {
		name    string
		modules []string
		format  auth.Store
		hashes  []auth.Hash
		want    string
		unknown string
	}{
		{"default, plain", nil, auth.StorePlain, nil, "SCRAM-SHA-1 PLAIN", ""},
		{"default, scram", nil, auth.StoreSCRAM, []auth.Hash{auth.SHA1}, "SCRAM-SHA-1 PLAIN", ""},
		{"default, external", nil, auth.StoreExternal, nil, "PLAIN", ""},
		{"all five of 2.0.1", []string{"cyrsasl_plain", "cyrsasl_digest", "cyrsasl_scram", "cyrsasl_anonymous", "cyrsasl_oauth"}, auth.StorePlain, nil, "SCRAM-SHA-1 PLAIN", "cyrsasl_digest cyrsasl_anonymous cyrsasl_oauth"},
		{"none", []string{}, auth.StorePlain, nil, "", ""},
		{"plain only", []string{"cyrsasl_plain"}, auth.StorePlain, nil, "PLAIN", ""},
		{"3.7's names", []string{"cyrsasl_scram_sha1", "cyrsasl_scram_sha256"}, auth.StorePlain, nil, "SCRAM-SHA-256 SCRAM-SHA-1", ""},
		{"order means nothing", []string{"cyrsasl_plain", "cyrsasl_scram_sha1", "cyrsasl_scram_sha256"}, auth.StorePlain, nil, "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN", ""},
		{"SHA-256 that the store has", []string{"cyrsasl_scram_sha256"}, auth.StoreSCRAM, []auth.Hash{auth.SHA1, auth.SHA256}, "SCRAM-SHA-256", ""},
		{"SHA-256 that the store lacks", []string{"cyrsasl_scram", "cyrsasl_scram_sha256"}, auth.StoreSCRAM, []auth.Hash{auth.SHA1}, "SCRAM-SHA-1", ""},
		{"SHA-256, external", []string{"cyrsasl_scram_sha256", "cyrsasl_plain"}, auth.StoreExternal, nil, "PLAIN", ""},
		{"misspelt", []string{"cyrsasl_plane"}, auth.StorePlain, nil, "", "cyrsasl_plane"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env, _ := server(t, tt.format, tt.hashes...)
			m, unknown := New(tt.modules)
			if got := strings.Join(m.Offered(env), " "); got != tt.want {
				t.Errorf("offered %s, want %s", got, tt.want)
			}
			if got := strings.Join(unknown, " "); got != tt.unknown {
				t.Errorf("unknown %s, want %s", got, tt.unknown)
			}
			for _, name := range []string{"PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "ANONYMOUS", "FOO", "", "plain"} {
				x, f := m.Start(name, env)
				if offered := strings.Contains(" "+tt.want+" ", " "+name+" ") && name != ""; offered != (x != nil) || offered != (f == nil) || f != nil && f.Condition != InvalidMechanism {
					t.Errorf("%s: %v, %v", name, x, f)
				}
			}
		})
	}
	if got := func() []string {
		m, _ := New(nil)
		return m.Offered(Env{Accounts: auth.NewHost("h", nil, auth.HostOptions{})})
	}(); strings.Join(got, " ") != "SCRAM-SHA-1 PLAIN" {
		t.Errorf("a host without methods offers %v", got)
	}
}

func TestDecode(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"=":                     "",
		"AGFsaWNlAHB3LWFsaWNl":  "\x00alice\x00pw-alice",
		"Zg==":                  "f",
		"Zg":                    "f",
		"Zm8=":                  "fo",
		"Zm8":                   "fo",
		"Zm9v":                  "foo",
		"Zm9vY":                 "foo",
		" Zm\n9v\tYg== ":        "foob",
		"*Zm9v!":                "foo",
		"Zm9v=Zm9v":             "foo",
		"+/+/":                  "\xfb\xff\xbf",
		"***not base64***":      "\x9e\x8b[j\xc7\xba\xeb",
		"\xff\x00Zm9v\xc5\xbc=": "foo",
	} {
		if got := string(Decode([]byte(in))); got != want && in != "***not base64***" {
			t.Errorf("Decode(%q) = %q, want %q", in, got, want)
		}
	}
	if got := Decode([]byte("***not base64***")); strings.Contains(string(got), "\x00") {
		t.Errorf("nonsense gave %q", got)
	}
}

func TestPlain(t *testing.T) {
	env, s := server(t, auth.StoreSCRAM)
	for _, tt := range []struct {
		name, in string
		user     string
		want     string // condition
	}{
		{"ok", "\x00alice\x00pw-alice", "alice", ""},
		{"stored keys", "\x00kate\x00kate-secret", "kate", ""},
		{"upper case", "\x00ALICE\x00pw-alice", "alice", ""},
		{"own authzid", "alice@localhost\x00alice\x00pw-alice", "alice", ""},
		{"own authzid, not prepared", "ALICE@LocalHost\x00alice\x00pw-alice", "alice", ""},
		{"user name as authzid", "Alice\x00alice\x00pw-alice", "alice", ""},
		{"full own authzid", "alice@localhost/r\x00alice\x00pw-alice", "", InvalidAuthzid},
		{"foreign authzid", "bob@localhost\x00alice\x00pw-alice", "", InvalidAuthzid},
		{"own name elsewhere as authzid", "alice@example.org\x00alice\x00pw-alice", "", InvalidAuthzid},
		{"odd authzid", "a b\x00alice\x00pw-alice", "", InvalidAuthzid},
		{"host as authzid", "localhost\x00alice\x00pw-alice", "", InvalidAuthzid},
		{"foreign authzid and wrong password", "bob@localhost\x00alice\x00x", "", NotAuthorized},
		{"user@host", "\x00alice@localhost\x00pw-alice", "alice", ""},
		{"user@host with authzid", "alice@localhost\x00alice@LOCALHOST\x00pw-alice", "alice", ""},
		{"user@elsewhere", "\x00alice@example.org\x00pw-alice", "", NotAuthorized},
		{"user@nonsense", "\x00alice@\x00pw-alice", "", NotAuthorized},
		{"two @", "\x00alice@x@localhost\x00pw-alice", "", MalformedRequest},
		{"wrong password", "\x00alice\x00wrong", "", NotAuthorized},
		{"wrong password, keys", "\x00kate\x00wrong", "", NotAuthorized},
		{"unknown user", "\x00nobody\x00x", "", NotAuthorized},
		{"no usable password", "\x00unusable\x00x", "", NotAuthorized},
		{"empty password", "\x00alice\x00", "", NotAuthorized},
		{"empty user", "\x00\x00pw-alice", "", NotAuthorized},
		{"only @host", "\x00@localhost\x00pw-alice", "", NotAuthorized},
		{"name that nodeprep refuses", "\x00a b\x00pw", "", NotAuthorized},
		{"not UTF-8", "\x00\xff\x00pw", "", NotAuthorized},
		{"two parts", "alice\x00pw-alice", "", MalformedRequest},
		{"four parts", "\x00alice\x00pw-alice\x00", "", MalformedRequest},
		{"one part", "alice", "", MalformedRequest},
		{"nothing", "", "", MalformedRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x, f := all(t).Start("PLAIN", env)
			if f != nil {
				t.Fatal(f)
			}
			out, done, f := x.Step(t.Context(), []byte(tt.in))
			if out != nil || x.User() != tt.user || done != (tt.user != "") {
				t.Errorf("out %q, done %v, user %q, want %q", out, done, x.User(), tt.user)
			}
			switch {
			case (f == nil) != (tt.want == ""), f != nil && f.Condition != tt.want:
				t.Errorf("failure %v, want %s", f, tt.want)
			case f != nil && (f.Cause != nil || f.Text != ""):
				t.Errorf("cause %v, text %q", f.Cause, f.Text)
			case f == nil && x.Method() != "internal":
				t.Errorf("method %q", x.Method())
			}
			if _, done, f := x.Step(t.Context(), []byte("\x00alice\x00pw-alice")); done || f == nil {
				t.Error("the exchange went on after its end")
			}
		})
	}
	s.err = errors.New("away")
	x, _ := all(t).Start("PLAIN", env)
	_, done, f := x.Step(t.Context(), []byte("\x00alice\x00wrong"))
	if done || f == nil || f.Condition != TemporaryAuthFailure || !errors.Is(f, s.err) || f.User != "alice" || strings.Contains(f.Error(), "wrong") {
		t.Errorf("a failing backend: %v", f)
	}
}

// The exchanges of RFC 5802 §5 and RFC 7677 §3.
func TestVectors(t *testing.T) {
	for _, tt := range []struct {
		hash                                                               auth.Hash
		salt, serverNonce, clientFirst, serverFirst, clientFinal, serverOK string
	}{
		{
			auth.SHA1, "\x41\x25\xc2\x47\xe4\x3a\xb1\xe9\x3c\x6d\xff\x76", "3rfcNHYJY1ZVvWVs7j",
			"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
			"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
			"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
			"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
		},
		{
			auth.SHA256, string(Decode([]byte("W22ZaJ0SNY7soEsUEjb6gQ=="))), "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
			"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
			"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
			"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
			"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
		},
	} {
		t.Run(tt.hash.String(), func(t *testing.T) {
			env, s := server(t, auth.StorePlain)
			k, err := auth.Derive(tt.hash, "pencil", []byte(tt.salt), 4096)
			if err != nil {
				t.Fatal(err)
			}
			s.creds["user"] = auth.Credentials{Keys: []auth.Keys{k}}
			x, f := all(t).Start("SCRAM-"+tt.hash.String(), env)
			if f != nil {
				t.Fatal(f)
			}
			x.(*scram).serverNonce = tt.serverNonce
			out, done, f := x.Step(t.Context(), []byte(tt.clientFirst))
			if string(out) != tt.serverFirst || done || f != nil || x.User() != "" {
				t.Fatalf("got %s, %v, %v\nwant %s", out, done, f, tt.serverFirst)
			}
			out, done, f = x.Step(t.Context(), []byte(tt.clientFinal))
			if string(out) != tt.serverOK || !done || f != nil || x.User() != "user" || x.Method() != "internal" {
				t.Errorf("got %s, %v, %v, user %q\nwant %s", out, done, f, x.User(), tt.serverOK)
			}
			if _, done, f := x.Step(t.Context(), []byte(tt.clientFinal)); done || f == nil {
				t.Error("the exchange went on after its end")
			}
		})
	}
}

func client(tb testing.TB, hash auth.Hash, user, password, authzid string) *xdg.ClientConversation {
	tb.Helper()
	c, err := map[auth.Hash]xdg.HashGeneratorFcn{auth.SHA1: xdg.SHA1, auth.SHA256: xdg.SHA256}[hash].NewClientUnprepped(user, password, authzid)
	if err != nil {
		tb.Fatal(err)
	}
	return c.WithMinIterations(1).NewConversation()
}

// talk runs a whole exchange and checks the server's proof.
func talk(tb testing.TB, env Env, hash auth.Hash, user, password, authzid string) (Exchange, *Failure) {
	tb.Helper()
	c := client(tb, hash, user, password, authzid)
	x, f := all(tb).Start("SCRAM-"+hash.String(), env)
	if f != nil {
		tb.Fatal(f)
	}
	msg, err := c.Step("")
	for err == nil {
		out, done, f := x.Step(tb.Context(), []byte(msg))
		if f != nil {
			return x, f
		}
		if msg, err = c.Step(string(out)); done {
			if err != nil || !c.Valid() {
				tb.Fatalf("the client does not believe %s: %v", out, err)
			}
			return x, nil
		}
	}
	tb.Fatal(err)
	return nil, nil
}

func TestScramUsers(t *testing.T) {
	env, _ := server(t, auth.StorePlain)
	for _, tt := range []struct {
		name                    string
		hash                    auth.Hash
		user, password, authzid string
		got, want               string
	}{
		{"plain store", auth.SHA1, "alice", "pw-alice", "", "alice", ""},
		{"plain store, SHA-256", auth.SHA256, "alice", "pw-alice", "", "alice", ""},
		{"keys", auth.SHA1, "kate", "kate-secret", "", "kate", ""},
		{"keys, SHA-256", auth.SHA256, "kate", "kate-secret", "", "kate", ""},
		{"keys of SHA-1 only", auth.SHA256, "old", "kate-secret", "", "", NotAuthorized},
		{"upper case", auth.SHA1, "ALICE", "pw-alice", "", "alice", ""},
		{"escapes", auth.SHA1, "with=equals", "pw", "", "with=equals", ""},
		{"comma", auth.SHA1, "with,comma", "pw", "", "with,comma", ""},
		{"not ASCII", auth.SHA1, "ŻÓŁW", "pw", "", "żółw", ""},
		{"own authzid", auth.SHA1, "alice", "pw-alice", "alice@localhost", "alice", ""},
		{"foreign authzid", auth.SHA1, "alice", "pw-alice", "bob@localhost", "", InvalidAuthzid},
		{"foreign authzid, wrong password", auth.SHA1, "alice", "wrong", "bob@localhost", "", NotAuthorized},
		{"wrong password", auth.SHA1, "alice", "wrong", "", "", NotAuthorized},
		{"wrong password, keys", auth.SHA1, "kate", "wrong", "", "", NotAuthorized},
		{"unknown", auth.SHA1, "nobody", "x", "", "", NotAuthorized},
		{"unusable", auth.SHA1, "unusable", "x", "", "", NotAuthorized},
		{"whole address", auth.SHA1, "alice@localhost", "pw-alice", "", "", NotAuthorized},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x, f := talk(t, env, tt.hash, tt.user, tt.password, tt.authzid)
			if (f == nil) != (tt.want == "") || f != nil && f.Condition != tt.want || x.User() != tt.got {
				t.Errorf("user %q, failure %v, want %q, %s", x.User(), f, tt.got, tt.want)
			}
		})
	}
}

func TestScramMalformed(t *testing.T) {
	env, s := server(t, auth.StorePlain)
	start := func(t *testing.T) Exchange {
		x, f := all(t).Start("SCRAM-SHA-1", env)
		if f != nil {
			t.Fatal(f)
		}
		return x
	}
	for in, want := range map[string]string{
		"n,,n=alice,r=abcdef":            "",
		"y,,n=alice,r=abcdef":            "",
		"n,a=alice,n=alice,r=abcdef":     "",
		"p=tls-unique,,n=alice,r=abcdef": MalformedRequest,
		"x,,n=alice,r=abcdef":            MalformedRequest,
		",,n=alice,r=abcdef":             MalformedRequest,
		"n,,m=x,n=alice,r=abcdef":        MalformedRequest,
		"n,,n=alice,r=abcdef,x=1":        MalformedRequest,
		"n,,n=alice,r=":                  MalformedRequest,
		"n,,n=alice,r=a b":               MalformedRequest,
		"n,,n=alice,r=\x7f":              MalformedRequest,
		"n,,n=al=ice,r=abcdef":           MalformedRequest,
		"n,,n=alice=,r=abcdef":           MalformedRequest,
		"n,,n=alice=2c,r=abcdef":         MalformedRequest,
		"n,,r=abcdef,n=alice":            MalformedRequest,
		"n,alice,n=alice,r=abcdef":       MalformedRequest,
		"n,a=,n=alice,r=abcdef":          MalformedRequest,
		"n,a=al=ice,n=alice,r=abcdef":    MalformedRequest,
		"n,,n=alice":                     MalformedRequest,
		"n,":                             MalformedRequest,
		"n":                              MalformedRequest,
		"hello":                          MalformedRequest,
		"":                               MalformedRequest,
		"n,,n=,r=abcdef":                 NotAuthorized,
		"n,,n=a b,r=abcdef":              NotAuthorized,
		"n,,n=\xff,r=abcdef":             NotAuthorized,
		"n,,n=nobody,r=abcdef":           NotAuthorized,
		"n,,n=" + strings.Repeat("a", 2000) + ",r=x": NotAuthorized,
	} {
		out, done, f := start(t).Step(t.Context(), []byte(in))
		if got := condition(f); got != want || done || (out == nil) != (want != "") {
			t.Errorf("first message %.60q: %q, %v, %s, want %s", in, out, done, got, want)
		}
	}
	for in, want := range map[string]string{
		"c=biws,r=NONCE,p=PROOF":                        "",
		"c=eSws,r=NONCE,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA=": NotAuthorized, // "y,,": not compared, but the proof is
		"c=biws,r=NONCE,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA=": NotAuthorized,
		"c=biws,r=NONCE,p=AAAA":                         NotAuthorized,
		"c=biws,r=NONCE,p=":                             NotAuthorized,
		"c=biws,r=abcdefwrong,p=AAAA":                   NotAuthorized,
		"c=biws,r=abcdef,p=PROOF":                       NotAuthorized,
		"c=cD10bHMtdW5pcXVlLCw=,r=NONCE,p=PROOF":        MalformedRequest, // p=tls-unique,,
		"c=,r=NONCE,p=PROOF":                            MalformedRequest,
		"c=!,r=NONCE,p=PROOF":                           MalformedRequest,
		"c=biws,r=NONCE,p=!":                            MalformedRequest,
		"c=biws,r=NONCE,x=1,p=PROOF":                    MalformedRequest,
		"c=biws,r=NONCE,p=PROOF,x=1":                    MalformedRequest,
		"c=biws,p=PROOF,r=NONCE":                        MalformedRequest,
		"c=biws,r=NONCE":                                MalformedRequest,
		"c=biws":                                        MalformedRequest,
		"r=NONCE,c=biws,p=PROOF":                        MalformedRequest,
		"":                                              MalformedRequest,
	} {
		x := start(t)
		c := client(t, auth.SHA1, "alice", "pw-alice", "")
		first, _ := c.Step("")
		out, _, f := x.Step(t.Context(), []byte(first))
		if f != nil {
			t.Fatal(f)
		}
		final, err := c.Step(string(out))
		if err != nil {
			t.Fatal(err)
		}
		_, proof, _ := strings.Cut(final, ",p=")
		nonce := strings.Split(strings.TrimPrefix(string(out), "r="), ",")[0]
		in := strings.NewReplacer("NONCE", nonce, "PROOF", proof).Replace(in)
		_, done, f := x.Step(t.Context(), []byte(in))
		if got := condition(f); got != want || done != (want == "") {
			t.Errorf("final message %q: %v, %s, want %s", in, done, got, want)
		}
	}
	s.err = errors.New("away")
	if _, _, f := start(t).Step(t.Context(), []byte("n,,n=alice,r=abcdef")); condition(f) != TemporaryAuthFailure || !errors.Is(f, s.err) {
		t.Errorf("a failing backend: %v", f)
	}
}

func condition(f *Failure) string {
	if f == nil {
		return ""
	}
	return f.Condition
}

func TestNoncesDiffer(t *testing.T) {
	env, _ := server(t, auth.StorePlain)
	seen := map[string]bool{}
	for range 100 {
		x, _ := all(t).Start("SCRAM-SHA-1", env)
		out, _, f := x.Step(t.Context(), []byte("n,,n=alice,r=abcdef"))
		nonce, _, _ := strings.Cut(string(out), ",")
		if f != nil || seen[nonce] || len(Decode([]byte(strings.TrimPrefix(nonce, "r=abcdef")))) != nonceSize {
			t.Fatalf("%s, %v", out, f)
		}
		seen[nonce] = true
	}
}

// A client that is not ours logs in with any name and password that
// preparation keeps, and only with the right one.
func TestRoundTrip(t *testing.T) {
	env, s := server(t, auth.StorePlain)
	rapid.Check(t, func(rt *rapid.T) {
		user := rapid.StringMatching(`[a-z0-9=,.!#żó]{1,12}`).Draw(rt, "user")
		password := rapid.StringMatching(`[ -~ąü]{1,20}`).Draw(rt, "password")
		wrong := rapid.StringMatching(`[ -~ąü]{1,20}`).Draw(rt, "wrong")
		hash := rapid.SampledFrom([]auth.Hash{auth.SHA1, auth.SHA256}).Draw(rt, "hash")
		prepared, err := auth.PreparePassword(password)
		if err != nil || prepared != password {
			rt.Skip()
		}
		if rapid.Bool().Draw(rt, "keys") {
			k, err := auth.Derive(hash, password, []byte(rapid.StringN(1, 20, 40).Draw(rt, "salt")), rapid.IntRange(1, 50).Draw(rt, "iterations"))
			if err != nil {
				rt.Fatal(err)
			}
			s.creds[user] = auth.Credentials{Keys: []auth.Keys{k}}
		} else {
			s.creds[user] = auth.Credentials{Plain: password}
		}
		defer delete(s.creds, user)
		if x, f := talk(t, env, hash, user, password, ""); f != nil || x.User() != user {
			rt.Fatalf("user %q, %v", x.User(), f)
		}
		x, f := talk(t, env, hash, user, wrong, "")
		if ok := f == nil; ok != (wrong == password) || x.User() != "" && !ok {
			rt.Fatalf("with password %q: %q, %v", wrong, x.User(), f)
		}
	})
}

// FuzzExchanges gives every mechanism up to three messages. Nothing may panic,
// nobody gets in without the password, and an exchange ends when it says so.
func FuzzExchanges(f *testing.F) {
	f.Add("PLAIN", []byte("\x00alice\x00pw-alicf"), []byte(""), []byte(""))
	f.Add("PLAIN", []byte("a@b\x00alice@x@y\x00pw"), []byte(""), []byte(""))
	f.Add("SCRAM-SHA-1", []byte("n,,n=alice,r=abcdef"), []byte("c=biws,r=abcdef,p=AAAA"), []byte("x"))
	f.Add("SCRAM-SHA-256", []byte("y,a=alice,n=kate,r=abcdef"), []byte("c=eSws,r=abcdef0,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), []byte(""))
	f.Add("SCRAM-SHA-1", []byte("n,a==2C=3D,n==3D=2C=,r=,,"), []byte("c=,r=,p="), []byte("="))
	env, s := server(f, auth.StorePlain)
	s.creds["alice"] = auth.Credentials{Plain: strings.Repeat("long and unguessable ", 8)}
	m := all(f)
	f.Fuzz(func(t *testing.T, name string, a, b, c []byte) {
		x, fail := m.Start(name, env)
		if fail != nil {
			return
		}
		over := false
		for _, in := range [][]byte{a, b, c} {
			in = Decode([]byte(b64.EncodeToString(in)))
			out, done, fail := x.Step(t.Context(), in)
			switch {
			case done:
				if x.User() == "alice" || x.User() == "kate" || x.User() == "old" || x.User() == "" {
					t.Fatalf("%s let %q in with %q", name, x.User(), in)
				}
				over = true
			case fail != nil:
				if out != nil || x.User() != "" || fail.Condition == "" || fail.Cause != nil {
					t.Fatalf("%s: %q, %q, %v", name, out, x.User(), fail)
				}
				over = true
			case over:
				t.Fatalf("%s went on after its end", name)
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("AGFsaWNlAHB3LWFsaWNl"))
	f.Add([]byte("=Zg=="))
	f.Fuzz(func(t *testing.T, text []byte) {
		got := Decode(text)
		if len(got) > len(text)*3/4 {
			t.Fatalf("%q became %q", text, got)
		}
		if want, err := b64.DecodeString(string(text)); err == nil && string(want) != string(got) {
			t.Fatalf("%q became %q, want %q", text, got, want)
		}
	})
}

func benchScram(b *testing.B, user, password string) {
	env, _ := server(b, auth.StorePlain)
	m := all(b)
	if _, f := talk(b, env, auth.SHA1, user, password, ""); f != nil {
		b.Fatal(f)
	}
	keys, _, err := env.Accounts.SCRAM(b.Context(), user, auth.SHA1)
	if err != nil {
		b.Fatal(err)
	}
	// The client's side is worked out with the keys once and for all: the
	// nonce is fixed.
	probe, _ := m.Start("SCRAM-SHA-1", env)
	probe.(*scram).serverNonce = "fixed"
	c := client(b, auth.SHA1, user, password, "")
	first, _ := c.Step("")
	out, _, _ := probe.Step(b.Context(), []byte(first))
	final, err := c.Step(string(out))
	if err != nil || len(keys.Stored) == 0 {
		b.Fatal(err)
	}
	ctx := context.Background()
	one, two := []byte(first), []byte(final)
	b.ReportAllocs()
	for b.Loop() {
		x, _ := m.Start("SCRAM-SHA-1", env)
		x.(*scram).serverNonce = "fixed"
		if _, _, f := x.Step(ctx, one); f != nil {
			b.Fatal(f)
		}
		if _, done, f := x.Step(ctx, two); !done || f != nil {
			b.Fatal(f)
		}
	}
}

func BenchmarkScramStoredKeys(b *testing.B)     { benchScram(b, "kate", "kate-secret") }
func BenchmarkScramPlainStoreWarm(b *testing.B) { benchScram(b, "alice", "pw-alice") }

func BenchmarkPlainWarm(b *testing.B) {
	env, _ := server(b, auth.StorePlain)
	m := all(b)
	ctx := context.Background()
	in := []byte("\x00kate\x00kate-secret")
	b.ReportAllocs()
	for b.Loop() {
		x, _ := m.Start("PLAIN", env)
		if _, done, f := x.Step(ctx, in); !done || f != nil {
			b.Fatal(f)
		}
	}
}

func BenchmarkOffered(b *testing.B) {
	env, _ := server(b, auth.StorePlain)
	m := all(b)
	b.ReportAllocs()
	for b.Loop() {
		m.Offered(env)
	}
}

func ExampleMechanisms() {
	derive := auth.NewDeriver(auth.DeriverOptions{})
	host := auth.NewHost("example.org", []auth.Method{&store{
		creds: map[string]auth.Credentials{"alice": {Plain: "secret"}}, derive: derive,
	}}, auth.HostOptions{Deriver: derive})
	m, _ := New(nil)
	env := Env{Accounts: host}
	fmt.Println(m.Offered(env))
	x, _ := m.Start("PLAIN", env)
	_, done, failure := x.Step(context.Background(), Decode([]byte("AGFsaWNlAHNlY3JldA==")))
	fmt.Println(done, failure == nil, x.User())
	// Output:
	// [SCRAM-SHA-1 PLAIN]
	// true true alice
}
