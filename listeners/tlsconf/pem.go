package tlsconf

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A FileError tells what is wrong with a certificate file.
type FileError struct {
	File   string // as configured
	Reason string // "no private key in it"
	Help   string // what to do; may be empty
	Err    error  // what lies below; may be nil
}

// Error is one line without the help.
func (e *FileError) Error() string { return "certificate file " + e.File + ": " + e.Reason }

// Unwrap gives the error below.
func (e *FileError) Unwrap() error { return e.Err }

// A Warning is something about a certificate file that works but should be
// looked at.
type Warning struct {
	File string
	Text string // "certificate of example.org expired on 2018-03-01"
	Help string
}

// String is the warning in one line.
func (w Warning) String() string {
	s := "certificate file " + w.File + ": " + w.Text
	if w.Help != "" {
		s += "; " + w.Help
	}
	return s
}

// smallestRSA is the length of key that crypto/rsa still signs with.
const smallestRSA = 1024

// block is one certificate of a file.
type block struct {
	raw  []byte
	cert *x509.Certificate // nil if it cannot be read
	err  error
	n    int // its number in the file, from 1
}

// parsePEM finds the certificates with their chains and keys in a file. The
// keys are in keyPEM if keyFile has a name. No key material is in errors and
// warnings.
func parsePEM(file string, certPEM []byte, keyFile string, keyPEM []byte) ([]tls.Certificate, []Warning, error) {
	fail := func(reason, help string, err error) ([]tls.Certificate, []Warning, error) {
		return nil, nil, &FileError{file, reason, help, err}
	}
	certs, keys, err := scanPEM(certPEM, keyFile == "")
	if err == nil && keyFile != "" {
		_, keys, err = scanPEM(keyPEM, true)
	}
	withKey := file
	if keyFile != "" {
		withKey = keyFile
	}
	var ke *keyError
	switch {
	case errors.As(err, &ke):
		return nil, nil, &FileError{withKey, ke.reason, ke.help, ke.err}
	case len(certs) == 0 && len(keys) == 0 && !bytes.Contains(certPEM, []byte("-----BEGIN")):
		if len(bytes.TrimSpace(certPEM)) == 0 {
			return fail("it is empty", "", nil)
		}
		if certPEM[0] == 0x30 {
			return fail("it is in DER form", "convert it: openssl x509 -inform der -in FILE", nil)
		}
		return fail("no PEM in it", "it should contain lines like -----BEGIN CERTIFICATE-----", nil)
	case len(certs) == 0:
		return fail("no certificate in it", "put the certificate, its chain and the private key into this file", nil)
	case len(keys) == 0:
		return nil, nil, &FileError{withKey, "no private key in it", "append the key: cat key.pem >> " + withKey, nil}
	}

	var warnings []Warning
	warn := func(help, format string, args ...any) {
		warnings = append(warnings, Warning{file, fmt.Sprintf(format, args...), help})
	}
	// Each key has its certificate; what is left are chains.
	leaves := make([]*block, len(keys))
	for i, k := range keys {
		for _, c := range certs {
			if c.cert != nil && samePublicKey(c.cert.PublicKey, k.Public()) {
				leaves[i] = c
				break
			}
		}
	}
	var chain []*block
	for _, c := range certs {
		if !slices.Contains(leaves, c) {
			chain = append(chain, c)
		}
	}
	paired := 0
	for _, l := range leaves {
		if l != nil {
			paired++
		}
	}
	if paired == 0 {
		if c := certs[0]; c.cert == nil {
			return fail(fmt.Sprintf("certificate %d cannot be read: %v", c.n, c.err), "", c.err)
		}
		return fail("the private key does not belong to the certificate",
			fmt.Sprintf("the first certificate is that of %s; look for the key that it was made with", nameOf(certs[0].cert)), nil)
	}
	var out []tls.Certificate
	for i, leaf := range leaves {
		if leaf == nil {
			warn("", "one of the private keys has no certificate here and is not used")
			continue
		}
		if slices.Contains(leaves[:i], leaf) {
			continue // the same key twice
		}
		if k, ok := keys[i].(*rsa.PrivateKey); ok {
			switch bits := k.N.BitLen(); {
			case bits < smallestRSA:
				return fail(fmt.Sprintf("the RSA key has %d bits, which TLS libraries refuse", bits),
					"make a new key of 2048 bits and have it certified", nil)
			case bits < 2048:
				warn("clients refuse such keys more and more; make a new one of 2048 bits", "the RSA key has only %d bits", bits)
			}
		}
		c := tls.Certificate{Certificate: [][]byte{leaf.raw}, PrivateKey: keys[i], Leaf: leaf.cert}
		if paired == 1 {
			// Whatever else is there is sent in its order.
			for _, b := range chain {
				c.Certificate = append(c.Certificate, b.raw)
			}
		} else {
			for _, b := range issuers(leaf, chain) {
				c.Certificate = append(c.Certificate, b.raw)
			}
		}
		out = append(out, c)
	}
	for _, b := range chain {
		if b.cert == nil {
			warn("", "certificate %d cannot be read: %v", b.n, b.err)
		}
	}
	if len(certs) > 1 && paired == 1 && out[0].Leaf != certs[0].cert {
		warn("put it first: some programs take the first certificate for that of the key", "the certificate of the key is not the first")
	}
	// Cheapest handshake first; each client gets the first it can use.
	slices.SortStableFunc(out, func(a, b tls.Certificate) int { return cost(a) - cost(b) })
	return out, warnings, nil
}

// cost orders certificates by the CPU time of a signature.
func cost(c tls.Certificate) int {
	if _, ok := c.PrivateKey.(*rsa.PrivateKey); ok {
		return 1
	}
	return 0
}

// A keyError is a reason and a help about a private key.
type keyError struct {
	reason, help string
	err          error
}

func (e *keyError) Error() string { return e.reason }

const decrypt = "take the password off: openssl pkey -in OLD -out NEW; and keep the file readable for the server only"

// scanPEM reads the blocks of a file; keys only if they are wanted.
func scanPEM(data []byte, wantKeys bool) (certs []*block, keys []crypto.Signer, err error) {
	for {
		var b *pem.Block
		b, data = pem.Decode(data)
		if b == nil {
			return certs, keys, nil
		}
		switch b.Type {
		case "CERTIFICATE", "X509 CERTIFICATE":
			c := &block{raw: b.Bytes, n: len(certs) + 1}
			c.cert, c.err = x509.ParseCertificate(b.Bytes)
			certs = append(certs, c)
			continue
		}
		if !wantKeys || !strings.HasSuffix(b.Type, "PRIVATE KEY") {
			continue // parameters and the like
		}
		k, err := parseKey(b)
		if err != nil {
			return certs, keys, err
		}
		keys = append(keys, k)
	}
}

func parseKey(b *pem.Block) (crypto.Signer, error) {
	if b.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(b.Headers["Proc-Type"], "ENCRYPTED") {
		return nil, &keyError{"the private key is encrypted", decrypt, nil}
	}
	var k any
	var err error
	switch b.Type {
	case "PRIVATE KEY":
		k, err = x509.ParsePKCS8PrivateKey(b.Bytes)
	case "RSA PRIVATE KEY":
		k, err = x509.ParsePKCS1PrivateKey(b.Bytes)
	case "EC PRIVATE KEY":
		k, err = x509.ParseECPrivateKey(b.Bytes)
	default:
		return nil, &keyError{"a " + b.Type + " cannot be used for TLS here", "use an RSA or an ECDSA key", nil}
	}
	if err != nil {
		return nil, &keyError{"the private key cannot be read: " + err.Error(), "", err}
	}
	switch k := k.(type) {
	case *rsa.PrivateKey:
		return k, nil
	case *ecdsa.PrivateKey:
		return k, nil
	case ed25519.PrivateKey:
		return k, nil
	}
	return nil, &keyError{fmt.Sprintf("a private key of type %T cannot be used for TLS", k), "use an RSA or an ECDSA key", nil}
}

func samePublicKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// issuers follows the chain of a leaf through what the file has.
func issuers(leaf *block, all []*block) []*block {
	var chain []*block
	for cur := leaf; !bytes.Equal(cur.cert.RawIssuer, cur.cert.RawSubject); {
		i := slices.IndexFunc(all, func(b *block) bool {
			return b.cert != nil && !slices.Contains(chain, b) && bytes.Equal(b.cert.RawSubject, cur.cert.RawIssuer) &&
				cur.cert.CheckSignatureFrom(b.cert) == nil
		})
		if i < 0 {
			break
		}
		cur = all[i]
		chain = append(chain, cur)
	}
	return chain
}

// nameOf names a certificate for a message.
func nameOf(c *x509.Certificate) string {
	switch {
	case len(c.DNSNames) > 0:
		return c.DNSNames[0]
	case c.Subject.CommonName != "":
		return c.Subject.CommonName
	case len(c.IPAddresses) > 0:
		return c.IPAddresses[0].String()
	}
	return "serial number " + c.SerialNumber.String()
}
