package tlsconf

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
)

// Reasons of handshakes that fail, as Reason gives them. They are labels of a
// metric.
const (
	ReasonTimeout  = "timeout"  // the peer did not go on in time
	ReasonClosed   = "closed"   // the peer, or this side, closed the connection
	ReasonNotTLS   = "not_tls"  // the peer does not speak TLS here
	ReasonVersion  = "version"  // no version of TLS in common
	ReasonCipher   = "cipher"   // no cipher suite in common
	ReasonName     = "name"     // no certificate for the name that the peer wants
	ReasonPeer     = "peer"     // the peer refused, often the certificate: the error has its alert
	ReasonProtocol = "protocol" // the peer broke the protocol
)

// Reason puts the error of a handshake into one of few classes. The error
// itself says more, such as the versions that the peer offered.
func Reason(err error) string {
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var op *net.OpError
	text := err.Error()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ReasonTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return ReasonClosed
	case errors.As(err, &record):
		return ReasonNotTLS
	case errors.As(err, &op) && op.Op == "remote error", errors.As(err, &alert):
		return ReasonPeer
	case strings.Contains(text, "unsupported versions"):
		return ReasonVersion
	case strings.Contains(text, "no cipher suite supported"), strings.Contains(text, "no key exchanges supported"),
		strings.Contains(text, "no supported elliptic curves"):
		return ReasonCipher
	case strings.Contains(text, "no certificates configured"):
		return ReasonName
	}
	return ReasonProtocol
}
