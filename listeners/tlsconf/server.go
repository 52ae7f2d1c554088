package tlsconf

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/idna"
)

// ErrNoCertificate is returned for a host that has no certificate file of its
// own when the listener has none either.
var ErrNoCertificate = errors.New("no certificate for this host: neither certfile nor domain_certfile")

// Options say how a listener speaks TLS.
type Options struct {
	// CertFile is the PEM file with chain and key for hosts that have none of
	// their own (certfile). May be empty if all hosts have one.
	CertFile string
	// KeyFile is the PEM file with the key, if that is not in CertFile
	// (keyfile of the ssl options of HTTP listeners).
	KeyFile string
	// HostCertFiles are the files of hosts (domain_certfile), each with chain
	// and key. The keys are prepared host names, in Unicode.
	HostCertFiles map[string]string
	// Hosts are the hosts that clients of the listener look for. They are
	// only used to warn of certificates that do not cover them.
	Hosts []string
	// Off are the versions of TLS that are switched off (protocol_options).
	Off Versions
	// AskClient asks for a client's certificate and takes any or none; who
	// needs to know looks at it after the handshake (inbound S2S).
	AskClient bool
	// NextProtos are the protocols of ALPN in the order of preference; nil
	// means that the extension is not answered.
	NextProtos []string
}

// A Server gives the configurations of handshakes. It may be used by several
// goroutines.
type Server struct {
	off   Versions
	files map[string]*file // by host; "" is the listener's own
	confs map[string]*tls.Config
}

// Server reads the files of a listener. The error is a *FileError or says that
// no version or no file is left.
func (f *Files) Server(o Options) (*Server, []Warning, error) {
	if err := o.Off.check(); err != nil {
		return nil, nil, err
	}
	s := &Server{off: o.Off, files: map[string]*file{}, confs: map[string]*tls.Config{}}
	var warnings []Warning
	add := func(host, cert, key string) error {
		fl, w, err := f.load(cert, key)
		if err != nil {
			return err
		}
		for _, w := range w {
			if !slices.Contains(warnings, w) {
				warnings = append(warnings, w)
			}
		}
		s.files[strings.ToLower(host)] = fl
		return nil
	}
	if o.CertFile != "" {
		if err := add("", o.CertFile, o.KeyFile); err != nil {
			return nil, nil, err
		}
	}
	for _, host := range slices.Sorted(maps.Keys(o.HostCertFiles)) {
		if err := add(host, o.HostCertFiles[host], ""); err != nil {
			return nil, nil, fmt.Errorf("host %s: %w", host, err)
		}
	}
	if len(s.files) == 0 {
		return nil, nil, ErrNoCertificate
	}
	for _, host := range o.Hosts {
		if fl := s.file(host); fl != nil && !fl.covers(host) {
			warnings = append(warnings, Warning{
				fl.cert, fmt.Sprintf("no certificate in it is for the host %s", host),
				"clients that check will refuse it; get one with that name, or name a file of the host's own with domain_certfile",
			})
		}
	}
	s.confs[""] = s.config(o, func(h *tls.ClientHelloInfo) *file {
		name, err := idna.ToUnicode(strings.TrimSuffix(h.ServerName, "."))
		if err != nil {
			name = h.ServerName
		}
		return s.file(name)
	})
	for host, fl := range s.files {
		if host == "" {
			host = own
		}
		s.confs[host] = s.config(o, func(*tls.ClientHelloInfo) *file { return fl })
	}
	return s, warnings, nil
}

// file is the certificate file for a host, or nil.
func (s *Server) file(host string) *file {
	if fl := s.files[strings.ToLower(host)]; fl != nil {
		return fl
	}
	return s.files[""]
}

// own is the key of the configuration that always uses the listener's own
// file. No host has this name.
const own = "\x00"

// Config is the configuration of a handshake for a host: with STARTTLS the one
// that the stream is to, whose certificate is then used whatever name the
// client sends; "" if the host is known from that name only. The error is
// ErrNoCertificate. Configurations are shared: do not change them.
func (s *Server) Config(host string) (*tls.Config, error) {
	if c := s.confs[strings.ToLower(host)]; c != nil {
		return c, nil
	}
	if c := s.confs[own]; c != nil {
		return c, nil
	}
	return nil, ErrNoCertificate
}

// config makes a configuration. pick finds the file for a client, or nil.
func (s *Server) config(o Options, pick func(*tls.ClientHelloInfo) *file) *tls.Config {
	c := s.base(o)
	c.GetCertificate = func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		fl := pick(h)
		if fl == nil {
			return nil, nil // crypto/tls then says unrecognized_name
		}
		return choose(fl.current(), h), nil
	}
	lowest, _, whole := o.Off.bounds()
	if whole {
		return c
	}
	// crypto/tls knows a lowest and a highest version and nothing between
	// them, so the version is chosen here.
	each := map[uint16]*tls.Config{}
	for _, v := range ordered {
		if o.Off.allows(v) {
			each[v] = c.Clone()
			each[v].MinVersion, each[v].MaxVersion = v, v
		}
	}
	c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if one := each[o.Off.best(h.SupportedVersions)]; one != nil {
			return one, nil
		}
		return each[lowest], nil // which the client does not have: it is told so
	}
	return c
}

// base is what all configurations have in common.
func (s *Server) base(o Options) *tls.Config {
	c := &tls.Config{
		NextProtos: o.NextProtos,
		// See the package comment.
		SessionTicketsDisabled: true,
		// Records of full size at once: a stanza then is one record and one
		// write. What small first records save is time to the first byte of
		// a web page.
		DynamicRecordSizingDisabled: true,
	}
	c.MinVersion, c.MaxVersion, _ = o.Off.bounds()
	if o.AskClient {
		c.ClientAuth = tls.RequestClientCert
	}
	return c
}

// choose picks the certificate for a client: the first that it can use. A
// client that can use none gets the last, RSA if there is one, and says what
// it does not like.
func choose(certs []tls.Certificate, hello *tls.ClientHelloInfo) *tls.Certificate {
	if len(certs) == 1 {
		return &certs[0]
	}
	// The name is out of the question: the file was chosen by it already, and
	// a name that is not in the certificate must not hide what keys the
	// client can use.
	h := *hello
	h.ServerName = ""
	for i := range certs {
		if h.SupportsCertificate(&certs[i]) == nil {
			return &certs[i]
		}
	}
	return &certs[len(certs)-1]
}

// A Certificate is what is in use now, for reports and gauges.
type Certificate struct {
	Host     string // whose; "" is the listener's own
	File     string
	Names    []string // it is for
	Key      string   // "RSA 2048", "ECDSA P-256"
	NotAfter time.Time
}

// Certificates lists what is in use, by host.
func (s *Server) Certificates() []Certificate {
	var all []Certificate
	for _, host := range slices.Sorted(maps.Keys(s.files)) {
		fl := s.files[host]
		for _, c := range fl.current() {
			names := c.Leaf.DNSNames
			if len(names) == 0 {
				names = []string{nameOf(c.Leaf)}
			}
			all = append(all, Certificate{host, fl.cert, names, keyKind(c), c.Leaf.NotAfter})
		}
	}
	return all
}

// Versions are those that are switched off.
func (s *Server) Versions() Versions { return s.off }

func keyKind(c tls.Certificate) string {
	switch k := c.PrivateKey.(type) {
	case *rsa.PrivateKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case *ecdsa.PrivateKey:
		return "ECDSA " + k.Curve.Params().Name
	}
	return "Ed25519"
}
