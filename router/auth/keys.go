package auth

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"

	"meerkat/router/jid"
)

// A Hash is a hash function that SCRAM runs with.
type Hash uint8

// The hashes of RFC 5802, RFC 7677 and MongooseIM 3.7.
const (
	SHA1 Hash = iota
	SHA224
	SHA256
	SHA384
	SHA512
	numHashes
)

var hashes = [numHashes]struct {
	name string
	tag  string // in pass_details of MongooseIM 3.7
	size int
	make func() hash.Hash
}{
	SHA1:   {"SHA-1", "===SHA1===", sha1.Size, sha1.New},
	SHA224: {"SHA-224", "==SHA224==", sha256.Size224, sha256.New224},
	SHA256: {"SHA-256", "==SHA256==", sha256.Size, sha256.New},
	SHA384: {"SHA-384", "==SHA384==", sha512.Size384, sha512.New384},
	SHA512: {"SHA-512", "==SHA512==", sha512.Size, sha512.New},
}

// String is the hash's name as SCRAM mechanisms write it: "SHA-1".
func (h Hash) String() string { return hashes[h].name }

// Size is the length of a digest in bytes.
func (h Hash) Size() int { return hashes[h].size }

// New makes a hash.
func (h Hash) New() hash.Hash { return hashes[h].make() }

// Keys are what a server needs for SCRAM with one hash (RFC 5802 §3): they
// prove nothing to another server and do not give the password away.
type Keys struct {
	Hash       Hash
	Stored     []byte // H(ClientKey)
	Server     []byte // ServerKey
	Salt       []byte
	Iterations int
}

// saltSize is the length of new salts in bytes, as in the reference.
const saltSize = 16

// The bounds of iterations. One is what the reference never gets done with,
// ten million take seconds: such a record would stop logins with PLAIN.
const (
	minIterations = 1
	maxIterations = 10_000_000
)

// Derive makes Keys of a password: Hi, HMAC and H of RFC 5802 §3. The password
// goes in as it is; see PreparePassword.
func Derive(h Hash, password string, salt []byte, iterations int) (Keys, error) {
	if iterations < minIterations || iterations > maxIterations {
		return Keys{}, fmt.Errorf("derive SCRAM keys: %d iterations", iterations)
	}
	salted, err := pbkdf2.Key(h.New, password, salt, iterations, h.Size())
	if err != nil {
		return Keys{}, fmt.Errorf("derive SCRAM keys: %w", err)
	}
	stored := h.New()
	stored.Write(mac(h, salted, "Client Key"))
	return Keys{
		Hash: h, Stored: stored.Sum(nil), Server: mac(h, salted, "Server Key"),
		Salt: bytes.Clone(salt), Iterations: iterations,
	}, nil
}

func mac(h Hash, key []byte, text string) []byte {
	m := hmac.New(h.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// PreparePassword gives the form of a password that goes into SCRAM keys:
// resourceprep, as the reference does; the error wraps ErrInvalidPassword. It
// does not show the password.
func PreparePassword(password string) (string, error) {
	p, err := jid.Resourceprep(password)
	if err != nil {
		return "", ErrInvalidPassword // err would say which character
	}
	if p == "" {
		return "", ErrNullPassword
	}
	return p, nil
}

// The prefixes of pass_details.
const (
	scramPrefix = "==SCRAM==,"
	multiPrefix = "==MULTI_SCRAM==,"
)

// errDetails is what ParseDetails says, without the record.
var errDetails = errors.New("unusable SCRAM record")

// ParseDetails reads the text form of SCRAM keys, as it stands in column
// pass_details: "==SCRAM==,STORED,SERVER,SALT,COUNT" of MongooseIM 2.0.1, or
// "==MULTI_SCRAM==,COUNT,TAG SALT|STORED|SERVER,…" of 3.7 (without the blank).
// All but the numbers is base64. The error does not show the record.
func ParseDetails(text string) ([]Keys, error) {
	if rest, ok := strings.CutPrefix(text, scramPrefix); ok {
		f := strings.Split(rest, ",")
		if len(f) != 4 {
			return nil, errDetails
		}
		n, err := parseIterations(f[3])
		if err != nil {
			return nil, err
		}
		k, err := decodeKeys(SHA1, n, f[2], f[0], f[1])
		if err != nil {
			return nil, err
		}
		return []Keys{k}, nil
	}
	rest, ok := strings.CutPrefix(text, multiPrefix)
	if !ok {
		return nil, errDetails
	}
	count, rest, ok := strings.Cut(rest, ",")
	n, err := parseIterations(count)
	if !ok || err != nil {
		return nil, errDetails
	}
	var keys []Keys
	var seen [numHashes]bool
	for part := range strings.SplitSeq(rest, ",") {
		h := Hash(0)
		for h < numHashes && !strings.HasPrefix(part, hashes[h].tag) {
			h++
		}
		if h == numHashes || seen[h] {
			return nil, errDetails
		}
		seen[h] = true
		f := strings.Split(part[len(hashes[h].tag):], "|")
		if len(f) != 3 {
			return nil, errDetails
		}
		k, err := decodeKeys(h, n, f[0], f[1], f[2])
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func parseIterations(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 32) // no sign
	if err != nil || n < minIterations || n > maxIterations {
		return 0, errDetails
	}
	return int(n), nil
}

func decodeKeys(h Hash, iterations int, salt, stored, server string) (Keys, error) {
	k := Keys{Hash: h, Iterations: iterations}
	for _, f := range []struct {
		text string
		to   *[]byte
		size int
	}{{salt, &k.Salt, 0}, {stored, &k.Stored, h.Size()}, {server, &k.Server, h.Size()}} {
		b, err := base64.StdEncoding.DecodeString(f.text)
		if err != nil || len(b) == 0 || f.size != 0 && len(b) != f.size {
			return Keys{}, errDetails
		}
		*f.to = b
	}
	return k, nil
}

// FormatDetails writes keys as ParseDetails reads them: SHA-1 alone in
// 2.0.1's form, which every release reads, else in 3.7's. Keys that go into one
// record have the same number of iterations.
func FormatDetails(keys []Keys) string {
	b64 := base64.StdEncoding.EncodeToString
	if len(keys) == 0 {
		return ""
	}
	count := strconv.Itoa(keys[0].Iterations)
	if len(keys) == 1 && keys[0].Hash == SHA1 {
		k := keys[0]
		return scramPrefix + b64(k.Stored) + "," + b64(k.Server) + "," + b64(k.Salt) + "," + count
	}
	var b strings.Builder
	b.WriteString(multiPrefix)
	b.WriteString(count)
	for _, k := range keys {
		b.WriteString("," + hashes[k.Hash].tag + b64(k.Salt) + "|" + b64(k.Stored) + "|" + b64(k.Server))
	}
	return b.String()
}

// ParseStored reads what the columns password and pass_details hold (details
// is "" for NULL): keys if there are details, whatever password says, else the
// plain password. Details that cannot be read give credentials without a
// usable password.
func ParseStored(password, details string) Credentials {
	if details == "" {
		return Credentials{Plain: password}
	}
	keys, err := ParseDetails(details)
	if err != nil {
		return Credentials{}
	}
	return Credentials{Keys: keys}
}
