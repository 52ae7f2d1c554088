package sasl

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"meerkat/router/auth"
	"meerkat/router/jid"
)

// The conditions of RFC 6120 §6.5 that exchanges end with, and Aborted for the
// stream that receives <abort/>.
const (
	Aborted              = "aborted"
	InvalidAuthzid       = "invalid-authzid"
	InvalidMechanism     = "invalid-mechanism"
	MalformedRequest     = "malformed-request"
	NotAuthorized        = "not-authorized"
	TemporaryAuthFailure = "temporary-auth-failure"
)

// A Failure ends an exchange. The client may start another one.
type Failure struct {
	// Condition is one of the constants above.
	Condition string
	// Text is for the user at the other end; usually empty.
	Text string
	// User is who tried, prepared, as far as it is known: for logs only.
	User string
	// Cause is what failed on our side; nil when the client is to blame.
	Cause error
}

func (f *Failure) Error() string {
	if f.Cause != nil {
		return f.Condition + ": " + f.Cause.Error()
	}
	return f.Condition
}

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Cause }

// Env is what an exchange knows of the connection.
type Env struct {
	// Accounts are those of the host that the stream is for. Mandatory.
	Accounts *auth.Host
	// TLS tells whether the connection is encrypted.
	TLS bool
	// ChannelBinding gives the connection's data for a type of channel
	// binding ("tls-exporter", RFC 9266), or nil if it has none. Nil: none.
	ChannelBinding func(kind string) []byte
	// Remote is the client's address.
	Remote netip.AddrPort
}

// An Exchange is one attempt to authenticate. It is used by one goroutine.
type Exchange interface {
	// Step takes the client's next message, decoded; the first is the
	// initial response, nil if <auth/> was empty. It returns the server's
	// next message. When done is true the client is authenticated and out,
	// if not nil, goes with the success. After done or a failure the exchange
	// is over.
	Step(ctx context.Context, in []byte) (out []byte, done bool, f *Failure)
	// User is the authenticated user, prepared; empty before done.
	User() string
	// Method is the auth_method that knew the user; empty before done.
	Method() string
}

// A mechanism is an entry of the table.
type mechanism struct {
	name    string
	modules []string // names in sasl_mechanisms
	byName  bool     // only if sasl_mechanisms lists it
	offered func(a *auth.Host) bool
	start   func(env Env) Exchange
}

// table lists the mechanisms in the order they are offered, the strongest
// first, since some clients take the first they know.
var table = []mechanism{
	{
		name: "SCRAM-SHA-256", modules: []string{"cyrsasl_scram_sha256"}, byName: true,
		offered: func(a *auth.Host) bool { return a.Serves(auth.SHA256) },
		start:   func(env Env) Exchange { return &scram{hash: auth.SHA256, env: env} },
	},
	{
		name: "SCRAM-SHA-1", modules: []string{"cyrsasl_scram", "cyrsasl_scram_sha1"},
		offered: func(a *auth.Host) bool { return a.Serves(auth.SHA1) },
		start:   func(env Env) Exchange { return &scram{hash: auth.SHA1, env: env} },
	},
	{
		name: "PLAIN", modules: []string{"cyrsasl_plain"},
		offered: func(*auth.Host) bool { return true },
		start:   func(env Env) Exchange { return &plain{env: env} },
	},
}

// Mechanisms are those of a node.
type Mechanisms struct{ list []*mechanism }

// New makes the set that option sasl_mechanisms wants. modules are the names
// there (cyrsasl_plain, …); nil means the option is absent: all that a client
// of 2.0.1 expects. The order of modules means nothing. unknown are the names
// that stand for no mechanism of this package.
func New(modules []string) (m *Mechanisms, unknown []string) {
	m = &Mechanisms{}
	known := map[string]bool{}
	for i := range table {
		t := &table[i]
		for _, name := range t.modules {
			known[name] = true
		}
		listed := slices.ContainsFunc(t.modules, func(name string) bool { return slices.Contains(modules, name) })
		if listed || modules == nil && !t.byName {
			m.list = append(m.list, t)
		}
	}
	for _, name := range modules {
		if !known[name] {
			unknown = append(unknown, name)
		}
	}
	return m, unknown
}

// Offered gives the names for <mechanisms/>, in order.
func (m *Mechanisms) Offered(env Env) []string {
	names := make([]string, 0, len(m.list))
	for _, t := range m.list {
		if t.offered(env.Accounts) {
			names = append(names, t.name)
		}
	}
	return names
}

// Start begins an exchange with a mechanism that is offered; any other is
// InvalidMechanism.
func (m *Mechanisms) Start(name string, env Env) (Exchange, *Failure) {
	for _, t := range m.list {
		if t.name == name && t.offered(env.Accounts) {
			return t.start(env), nil
		}
	}
	return nil, &Failure{Condition: InvalidMechanism}
}

// Decode reads the text of <auth/> or <response/>: base64 in which everything
// that is not of its alphabet is skipped, up to the padding. So "=" is the
// empty message, and nonsense is refused by the mechanism.
func Decode(text []byte) []byte {
	out := make([]byte, 0, len(text)*3/4)
	var acc uint32
	n := 0
	for _, c := range text {
		var v byte
		switch {
		case 'A' <= c && c <= 'Z':
			v = c - 'A'
		case 'a' <= c && c <= 'z':
			v = c - 'a' + 26
		case '0' <= c && c <= '9':
			v = c - '0' + 52
		case c == '+':
			v = 62
		case c == '/':
			v = 63
		case c == '=':
			return flush(out, acc, n)
		default:
			continue
		}
		acc = acc<<6 | uint32(v)
		if n++; n == 4 {
			out = append(out, byte(acc>>16), byte(acc>>8), byte(acc))
			acc, n = 0, 0
		}
	}
	return flush(out, acc, n)
}

// flush appends the bytes of an incomplete group; a single digit has none.
func flush(out []byte, acc uint32, n int) []byte {
	switch n {
	case 2:
		out = append(out, byte(acc>>4))
	case 3:
		out = append(out, byte(acc>>10), byte(acc>>2))
	}
	return out
}

// ownAuthzid reports whether an authorization identity is the user's own:
// empty, the user name or the bare JID, after preparation (RFC 6120 §6.3.8).
func ownAuthzid(authzid, user, host string) bool {
	if authzid == "" || authzid == user {
		return true
	}
	if !strings.Contains(authzid, "@") {
		u, err := jid.Nodeprep(authzid)
		return err == nil && u == user
	}
	j, err := jid.Parse(authzid)
	return err == nil && j.Local() == user && j.Domain() == host && j.Resource() == ""
}

func malformed(user string) *Failure { return &Failure{Condition: MalformedRequest, User: user} }

func refused(user string) *Failure { return &Failure{Condition: NotAuthorized, User: user} }

// failed tells a refusal of the accounts from their failure.
func failed(user string, err error) *Failure {
	if errors.Is(err, auth.ErrNotAuthorized) {
		return refused(user)
	}
	return &Failure{Condition: TemporaryAuthFailure, User: user, Cause: err}
}

// result is the part that all exchanges share: who was authenticated.
type result struct {
	user, method string
	over         bool
}

func (r *result) User() string   { return r.user }
func (r *result) Method() string { return r.method }
