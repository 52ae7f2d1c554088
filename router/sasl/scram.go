package sasl

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"strings"

	"meerkat/router/auth"
	"meerkat/router/jid"
)

// scram is SCRAM without channel binding (RFC 5802 §3, §7): the client's first
// message names the user, the server's has nonce, salt and iterations, the
// client's second proves that it knows the password, the server's that it has
// the keys.
type scram struct {
	result
	hash auth.Hash
	env  Env

	name     string // prepared; becomes user when proved
	by       string
	authzid  string
	keys     auth.Keys
	nonce    string // client's and server's
	messages string // client-first-bare "," server-first, the head of AuthMessage
	begun    bool

	serverNonce string // our part of the nonce when a test sets it
}

var b64 = base64.StdEncoding

// nonceSize is the length of the server's part of the nonce in bytes, before
// base64, as in the reference.
const nonceSize = 16

func (x *scram) Step(ctx context.Context, in []byte) (out []byte, done bool, f *Failure) {
	switch {
	case x.over:
		return nil, false, malformed(x.name)
	case !x.begun:
		x.begun = true
		out, f = x.first(ctx, string(in))
	default:
		out, f = x.final(string(in))
		done = f == nil
		x.over = true
	}
	if f != nil {
		x.over = true
	}
	return out, done, f
}

// first takes the client-first-message: gs2-cbind-flag "," [authzid] ","
// "n=" saslname "," "r=" nonce.
func (x *scram) first(ctx context.Context, in string) ([]byte, *Failure) {
	flag, rest, ok := strings.Cut(in, ",")
	if !ok || flag != "n" && flag != "y" { // "p=": channel binding is not offered
		return nil, malformed("")
	}
	authzid, bare, ok := strings.Cut(rest, ",")
	if !ok {
		return nil, malformed("")
	}
	if authzid != "" {
		if x.authzid, ok = attribute(authzid, 'a'); ok {
			x.authzid, ok = unescape(x.authzid)
		}
		if !ok || x.authzid == "" {
			return nil, malformed("")
		}
	}
	name, nonce, ok := strings.Cut(bare, ",")
	if !ok {
		return nil, malformed("")
	}
	// An "m=" before the name and anything behind the nonce are extensions.
	if name, ok = attribute(name, 'n'); ok {
		name, ok = unescape(name)
	}
	if !ok {
		return nil, malformed("")
	}
	if nonce, ok = attribute(nonce, 'r'); !ok || !printable(nonce) {
		return nil, malformed("")
	}
	user, err := jid.Nodeprep(name)
	if err != nil || user == "" {
		return nil, refused("")
	}
	x.keys, x.by, err = x.env.Accounts.SCRAM(ctx, user, x.hash)
	if err != nil {
		// The reference refuses unknown users here, too: no fake exchange.
		return nil, failed(user, err)
	}
	x.name = user

	var random [nonceSize]byte
	rand.Read(random[:])
	out := make([]byte, 0, len(nonce)+b64.EncodedLen(nonceSize)+b64.EncodedLen(len(x.keys.Salt))+20)
	out = append(append(out, "r="...), nonce...)
	if x.serverNonce == "" {
		out = b64.AppendEncode(out, random[:])
	} else {
		out = append(out, x.serverNonce...)
	}
	end := len(out)
	out = b64.AppendEncode(append(out, ",s="...), x.keys.Salt)
	out = strconv.AppendInt(append(out, ",i="...), int64(x.keys.Iterations), 10)

	x.messages = bare + "," + string(out)
	x.nonce = x.messages[len(bare)+1+len("r=") : len(bare)+1+end]
	return out, nil
}

// final takes the client-final-message: "c=" base64 "," "r=" nonce "," "p="
// base64.
func (x *scram) final(in string) ([]byte, *Failure) {
	bind, rest, ok := strings.Cut(in, ",")
	if bind, ok = attributeOK(bind, 'c', ok); !ok {
		return nil, malformed(x.name)
	}
	nonce, proofText, ok := strings.Cut(rest, ",")
	if nonce, ok = attributeOK(nonce, 'r', ok); !ok {
		return nil, malformed(x.name)
	}
	// Another comma would be an extension; base64 has none.
	proofText, ok = attribute(proofText, 'p')
	if !ok {
		return nil, malformed(x.name)
	}
	header, err := b64.DecodeString(bind)
	if err != nil || len(header) == 0 || header[0] != 'n' && header[0] != 'y' {
		return nil, malformed(x.name)
	}
	proof, err := b64.DecodeString(proofText)
	if err != nil {
		return nil, malformed(x.name)
	}
	if nonce != x.nonce || len(proof) != x.hash.Size() {
		return nil, refused(x.name)
	}
	withoutProof := in[:len(in)-len(",p=")-len(proofText)]

	// AuthMessage = client-first-bare "," server-first "," client-final
	// without proof. ClientKey = proof XOR HMAC(StoredKey, AuthMessage).
	message := make([]byte, 0, len(x.messages)+1+len(withoutProof))
	message = append(append(append(message, x.messages...), ','), withoutProof...)
	var buf [64]byte
	m := hmac.New(x.hash.New, x.keys.Stored)
	m.Write(message)
	signature := m.Sum(buf[:0])
	subtle.XORBytes(proof, proof, signature)
	h := x.hash.New()
	h.Write(proof)
	if subtle.ConstantTimeCompare(h.Sum(buf[:0]), x.keys.Stored) == 0 {
		return nil, refused(x.name)
	}
	if !ownAuthzid(x.authzid, x.name, x.env.Accounts.Domain()) {
		return nil, &Failure{Condition: InvalidAuthzid, User: x.name}
	}
	m = hmac.New(x.hash.New, x.keys.Server)
	m.Write(message)
	x.user, x.method = x.name, x.by
	return b64.AppendEncode([]byte("v="), m.Sum(buf[:0])), nil
}

// attribute cuts "k=" off.
func attribute(s string, key byte) (value string, ok bool) {
	if len(s) < 2 || s[0] != key || s[1] != '=' {
		return "", false
	}
	return s[2:], true
}

func attributeOK(s string, key byte, ok bool) (string, bool) {
	if !ok {
		return "", false
	}
	return attribute(s, key)
}

// unescape reads a saslname: "=2C" is a comma, "=3D" an equals sign, any other
// "=" is wrong.
func unescape(s string) (string, bool) {
	if !strings.Contains(s, "=") {
		return s, true
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "=")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		switch {
		case strings.HasPrefix(rest, "2C"):
			b.WriteByte(',')
		case strings.HasPrefix(rest, "3D"):
			b.WriteByte('=')
		default:
			return "", false
		}
		s = rest[2:]
	}
}

// printable reports whether a nonce is one (RFC 5802 §7): ASCII from "!" to
// "~" without commas, not empty.
func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x21 || s[i] > 0x7e || s[i] == ',' {
			return false
		}
	}
	return s != ""
}
