package tlsconf

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/net/idna"
)

// selfSignedFor is how long a self-signed certificate is valid. Nobody renews
// it; who needs trust replaces it.
const selfSignedFor = 10 * 365 * 24 * time.Hour

// WriteSelfSigned makes a certificate file for hosts, for a node that has
// none: RSA of 2048 bits, which every client knows, and ECDSA on P-256 beside
// it, which costs a quarter of the time, each with its key, in one PEM file
// that only the owner can read. Programs that read one certificate of a file
// find the RSA one first. Hosts may be in Unicode, or IP addresses.
//
// The file must not exist: errors.Is(err, fs.ErrExist) holds then. It appears
// complete or not at all.
func WriteSelfSigned(name string, hosts []string, now time.Time) error {
	data, err := selfSigned(hosts, now)
	if err != nil {
		return fmt.Errorf("make self-signed certificate: %w", err)
	}
	if err := writeNew(name, data); err != nil {
		return fmt.Errorf("write self-signed certificate %s: %w", name, err)
	}
	return nil
}

func selfSigned(hosts []string, now time.Time) ([]byte, error) {
	if len(hosts) == 0 {
		return nil, errors.New("no host names")
	}
	tmpl := &x509.Certificate{
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(selfSignedFor),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	for _, h := range hosts {
		if ip, err := netip.ParseAddr(h); err == nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip.AsSlice())
			continue
		}
		ascii, err := idna.Lookup.ToASCII(h)
		if err == nil && ascii == "" {
			err = errors.New("it is empty")
		}
		if err != nil {
			return nil, fmt.Errorf("host name %q: %w", h, err)
		}
		tmpl.DNSNames = append(tmpl.DNSNames, ascii)
	}
	// A common name is limited to 64 characters, and only for the eye.
	if len(tmpl.DNSNames) > 0 && len(tmpl.DNSNames[0]) <= 64 {
		tmpl.Subject = pkix.Name{CommonName: tmpl.DNSNames[0]}
	}

	var out bytes.Buffer
	for _, generate := range []func() (crypto.Signer, error){
		func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) },
		func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
	} {
		key, err := generate()
		if err != nil {
			return nil, err
		}
		if tmpl.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
			return nil, err
		}
		t := *tmpl
		if _, ok := key.(*ecdsa.PrivateKey); ok {
			t.KeyUsage = x509.KeyUsageDigitalSignature
		}
		der, err := x509.CreateCertificate(rand.Reader, &t, &t, key.Public(), key)
		if err != nil {
			return nil, err
		}
		k, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, err
		}
		pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: der})
		pem.Encode(&out, &pem.Block{Type: "PRIVATE KEY", Bytes: k})
	}
	return out.Bytes(), nil
}

// writeNew writes a file that does not exist yet.
func writeNew(name string, data []byte) error {
	// Mode 0600 and a name that nobody can guess.
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	// Unlike rename, link fails if the name is taken.
	err = os.Link(f.Name(), name)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// A file system without links.
	w, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err = w.Write(data); err == nil {
		err = w.Sync()
	}
	if err = errors.Join(err, w.Close()); err != nil {
		os.Remove(name)
	}
	return err
}
