// Package client is the server's side of a client stream, from its header to its
// end: negotiation (RFC 6120), the session with its presence (RFC 6121), and the
// queue of what is routed to it. It is ejabberd_c2s of MongooseIM 2.0.1 without
// the socket: TCP, WebSocket and BOSH are transports of it (package
// router/stream).
//
// # Goroutines
//
// The transport's goroutine calls the methods of stream.Handler, one at a time;
// it owns the negotiation. Anybody may call Deliver and Signal, which queue, and
// Flush, which empties the queue: whoever filled it does so at the end of its
// turn. Presence state is shared by both sides. Locks: queueMu (the queue), stateMu
// (presence); neither is held while anything outside of this package is called, but
// the transport's Congested and a session's priority.
//
// # Deviations from MongooseIM 2.0.1
//
// A session that goes on without the session IQ is opened by its first stanza.
// After authentication the host of the stream cannot change. What came before an
// error in one read is processed. Addresses that the server writes are prepared
// (lower case where preparation says so), not as the peer spelled them.
//
// It imports router and what lies below it.
package client

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"meerkat/router"
	"meerkat/router/jid"
	"meerkat/router/sasl"
	"meerkat/router/session"
	"meerkat/router/stanza"
	"meerkat/router/stream"
	"meerkat/router/xml"
)

// NegotiationTimeout is how long a stream that is not established may be silent, as
// in MongooseIM 2.0.1.
const NegotiationTimeout = 60 * time.Second

// Options are the settings of a stream that come from its listener or route.
type Options struct {
	// Access names the rule that a user must pass to open a session: option
	// access.
	Access string
	// Shaper names the rule that yields the name of the shaper for what the
	// client sends; "" means none: option shaper.
	Shaper string
	// MaxStanzaSize is the largest size of an element in bytes, as stanza.Parser
	// counts it; 0 means no limit: option max_stanza_size.
	MaxStanzaSize int
	// StartTLS offers STARTTLS; TLSRequired refuses everything else on a stream in
	// clear: options starttls and starttls_required.
	StartTLS, TLSRequired bool
	// MaxQueue is how many stanzas may wait for the client; 0 means the built-in
	// bound: option max_fsm_queue.
	MaxQueue int
	// RequireSession makes a client without session IQ wait for ever, as
	// 2.0.1 did.
	RequireSession bool
}

// A Server makes client streams. One is shared by all listeners of a node.
type Server struct {
	Router *router.Router
	// Mechanisms are the SASL mechanisms of a host.
	Mechanisms func(*router.Host) *sasl.Mechanisms
	Log        *zap.Logger
	Now        func() time.Time
	// NegotiationTimeout replaces the constant of that name if it is above 0.
	NegotiationTimeout time.Duration
}

// state is where a stream stands; the names in comments are those of the
// specification's table.
type state uint8

const (
	waitHeader  state = iota // W0
	waitAuth                 // W1
	waitSASL                 // W2
	waitBind                 // W3
	waitSession              // W4
	legacy                   // L: the peer's version is not 1.0
	established              // E
	closing                  // nothing is read any more
)

// A Client is one stream. It implements stream.Handler, session.Receiver and
// session.Flusher.
type Client struct {
	server    *Server
	transport stream.Transport
	opts      *Options
	turn      session.Turn

	// Owned by the transport's goroutine.
	state         state
	authenticated bool
	secure        bool // TLS was started by this stream or its listener
	host          *router.Host
	user          string // local part, once authenticated
	method        string // auth_method that accepted it
	streamID      string
	lang          string // the peer's xml:lang
	ns            *xml.Context
	exchange      sasl.Exchange

	// Set when the resource is bound, not changed afterwards.
	jid     jid.JID // full
	session *session.Session

	stateMu  sync.Mutex // guards presence
	presence presence

	queueMu   sync.Mutex // guards what follows
	queue     []item
	queued    int           // bytes in queue
	turnMark  *session.Turn // the turn that was last told of the queue
	draining  bool          // a goroutine writes what is queued
	ended     bool          // nothing is written any more
	lost      bool          // nothing is queued any more; what comes is routed again
	ending    *ending       // the stream is to end like this, before what is queued
	endSignal *session.End  // the first one that was queued
	// fetched is how many items the session itself has put into the queue since
	// it was empty, and fetchedBytes their size.
	fetched, fetchedBytes int
}

// New returns a stream over a transport. Its timer starts at once.
func (s *Server) New(ctx context.Context, tr stream.Transport, o *Options) *Client {
	c := &Client{server: s, transport: tr, opts: o, turn: session.Turn{Context: ctx}}
	c.secure = tr.Peer().TLS != nil
	tr.SetTimeout(s.Timeout())
	return c
}

// Timeout is how long a stream that is not established may be silent, and a
// transport may take for a handshake.
func (s *Server) Timeout() time.Duration {
	if s.NegotiationTimeout > 0 {
		return s.NegotiationTimeout
	}
	return NegotiationTimeout
}

// JID returns the full JID once a resource is bound, and the zero JID before.
func (c *Client) JID() jid.JID { return c.jid }

// send writes elements to the peer at once. It is used while negotiating, when
// nothing can be queued yet, and from Flush.
func (c *Client) send(els ...*xml.Element) {
	buf := buffers.Get().(*[]byte)
	b := (*buf)[:0]
	for _, el := range els {
		b = c.transport.AppendElement(b, el)
	}
	_ = c.transport.Write(b) // a transport that is gone calls Lost
	*buf = b
	putBuffer(buf)
}

// sendStanza writes one stanza to the peer while negotiating. from may be zero.
func (c *Client) sendStanza(p stanza.Packet) {
	buf := buffers.Get().(*[]byte)
	b := c.transport.AppendStanza((*buf)[:0], &p)
	_ = c.transport.Write(b)
	*buf = b
	putBuffer(buf)
}

// fail ends the stream with an error (RFC 6120 §4.9) from the transport's goroutine.
func (c *Client) fail(condition, text string) {
	c.finish(&stanza.StreamError{Condition: condition, Text: text, Lang: c.lang})
}

// finish ends the stream from the transport's goroutine: what this goroutine has
// queued goes first, then the error, if any, then the end of the stream.
func (c *Client) finish(e *stanza.StreamError) {
	if c.state == closing {
		return
	}
	c.state = closing
	c.turn.Flush()
	c.end(e)
}

// buffers hold what is being written. The largest are not kept.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

const maxKeptBuffer = 64 << 10

func putBuffer(b *[]byte) {
	if cap(*b) <= maxKeptBuffer {
		buffers.Put(b)
	}
}
