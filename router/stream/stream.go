// Package stream is what all kinds of XMPP streams share (RFC 6120 §4): the
// header, the errors that end a stream, and the Transport that carries it. TCP,
// WebSocket and BOSH are three transports; client, component and server streams
// are what runs over them, each in its own package. None of them sees a socket.
//
// It imports router/stanza, router/xml and router/jid.
package stream

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"net/netip"
	"strconv"
	"time"

	"meerkat/router/stanza"
	"meerkat/router/xml"
)

// A Header is a stream header that the server sends.
type Header struct {
	ID   string
	From string // domain
	// Version is false where MongooseIM 2.0.1 leaves out version='1.0': for a
	// peer that did not ask for it, and before an error in the peer's header.
	Version bool
	Lang    string // xml:lang; "" leaves it out
}

// A Peer is what a transport knows of the other end.
type Peer struct {
	Addr netip.AddrPort
	TLS  *tls.ConnectionState // nil in clear
	// Compressed tells that stream compression (XEP-0138) is on.
	Compressed bool
}

// A Transport carries one stream. Its Append methods frame what is to be
// sent in the transport's way (stream text, WebSocket frames, children of a
// BOSH body); Write sends what they made, in order. All of them may be called by
// any goroutine; the others are called by the goroutine that feeds the stream.
type Transport interface {
	// AppendHeader appends the server's stream header.
	AppendHeader(dst []byte, h Header) []byte
	// AppendElement appends an element that is not a stanza: features, errors,
	// answers of a negotiation.
	AppendElement(dst []byte, el *xml.Element) []byte
	// AppendStanza appends p's stanza with p's addresses.
	AppendStanza(dst []byte, p *stanza.Packet) []byte
	// AppendEnd appends the end of the stream.
	AppendEnd(dst []byte) []byte

	// Write sends b without blocking; b may be used again afterwards. What the
	// network does not take now is kept and sent later. An error means that the
	// transport is gone; the stream's Lost will be called.
	Write(b []byte) error
	// Congested reports whether something is kept. The stream's Drained is
	// called when it was sent.
	Congested() bool

	// CanStartTLS reports whether STARTTLS is possible for a host: there is a
	// certificate, and it was not done yet.
	CanStartTLS(host string) bool
	// StartTLS discards input that came in clear, does the handshake as the
	// server of host, and starts a new stream.
	StartTLS(host string) error
	// Restart starts a new stream on the same connection (RFC 6120 §4.3.3).
	Restart()

	// SetTimeout makes the transport call the stream's TimedOut when nothing
	// was received for d; 0 switches it off.
	SetTimeout(d time.Duration)

	// Shape limits the rate at which input is read to that of a shaper of the
	// configuration; "none" and names that are not defined mean no limit.
	Shape(name string)

	// Close sends what is kept and then ends the transport. Lost is called
	// afterwards.
	Close()
	// Drop ends the transport at once. Lost is called afterwards.
	Drop()

	// Peer tells of the other end.
	Peer() Peer
}

// A Handler is a stream: it is told what its transport receives. All calls but
// Drained come from one goroutine at a time, in order; Lost is the last one, and
// always comes.
type Handler interface {
	// Opened is called with the peer's stream header.
	Opened(h *xml.Header)
	// Element is called with a complete top-level element. raw is valid during
	// the call only.
	Element(raw []byte)
	// KeepAlive is called when white space came between elements.
	KeepAlive()
	// Ended is called when the peer ended the stream.
	Ended()
	// Failed is called when the input is not acceptable: not well-formed, too
	// big. Nothing can be received any more.
	Failed(err error)
	// TimedOut is called when nothing came in the time set.
	TimedOut()
	// Lost is called when the transport is gone.
	Lost()
	// EndOfInput is called when all that one read brought has been handed over:
	// the time to send what it led to.
	EndOfInput()
	// Drained is called, by any goroutine, when the transport is no longer
	// congested.
	Drained()
}

// NewID returns a stream id as MongooseIM 2.0.1 makes them: a random 64-bit number
// in upper-case hexadecimal without leading zeros.
func NewID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return upperHex(binary.BigEndian.Uint64(b[:]))
}

func upperHex(n uint64) string {
	b := strconv.AppendUint(make([]byte, 0, 16), n, 16)
	for i, c := range b {
		if c >= 'a' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}
