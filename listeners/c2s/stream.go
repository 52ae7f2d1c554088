package c2s

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"meerkat/listeners/conn"
	"meerkat/listeners/shaper"
	"meerkat/router/client"
	"meerkat/router/stanza"
	"meerkat/router/stream"
	"meerkat/router/xml"
)

const (
	// settledReads is how many reads a stream takes at most to settle: one that is
	// still not done with its login is busy, and has its deep stack anyway.
	settledReads = 32
	// closeTimeout bounds the wait for a peer to take the last bytes.
	closeTimeout = 5 * time.Second
	// headerOpen is how every header of the server begins.
	headerOpen = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='"
)

// TLS gives the configuration for a handshake as the server of a host. It is nil
// if there is no certificate for it.
type TLS func(host string) *tls.Config

// A Server serves the connections of one listener.
type Server struct {
	// Options are those of the listener; Stream is what of them concerns the
	// client's stream.
	Options Options
	Stream  client.Options
	// Clients makes the streams.
	Clients *client.Server
	// TLS has the listener's certificates; nil if it has none.
	TLS TLS
	// Shaper returns a new shaper by the name the configuration gives to it; nil
	// for a name that limits nothing.
	Shaper func(name string) *shaper.Shaper
	Log    *zap.Logger

	stopping atomic.Bool
}

// Shutdown makes every stream end with system-shutdown, as soon as Wake was called
// for its connection.
func (s *Server) Shutdown() { s.stopping.Store(true) }

// Wake makes the owner of a connection look whether its server shuts down.
func Wake(c *conn.Conn) {
	_ = c.SetReadDeadline(time.Unix(1, 0)) // fails if it is closed: then its owner knows
}

// Serve runs a connection until it has ended and all that it leaves behind is with
// others. ctx is the life of the node.
func (s *Server) Serve(ctx context.Context, c *conn.Conn) {
	t := &tcp{server: s, conn: c}
	t.framer.Init(xml.Stream, xml.LimitsFor(s.Options.MaxStanzaSize))
	if s.Options.TLS {
		var err error
		t.aside(func() { err = t.StartTLS("") })
		if err != nil {
			s.Log.Info("TLS handshake failed", zap.Stringer("ip", c.RemoteAddr()), zap.Error(err))
			c.Close()
			return
		}
	}
	t.handler = s.Clients.New(ctx, t, &s.Stream)
	c.OnDrain(t.handler.Drained)
	t.run()
}

// tcp is the transport of one stream. It implements stream.Transport.
type tcp struct {
	server  *Server
	conn    *conn.Conn
	framer  xml.Framer
	handler *client.Client
	timeout time.Duration
	shaper  *shaper.Shaper
	settled bool        // see stream.Transport.Settled
	reads   int         // how often something was read
	ending  atomic.Bool // the last bytes are on their way, and must not be cut off
}

// run feeds the stream until the connection ends.
func (t *tcp) run() {
	defer func() {
		if p := recover(); p != nil {
			// One connection must not end the node.
			t.server.Log.Error("panic in a client stream", zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
			t.conn.Close()
			t.handler.Lost()
		}
	}()
	for {
		if t.server.stopping.Load() && !t.ending.Load() {
			t.handler.Shutdown() // Wake may have come before a deadline was set
		}
		data, err := t.conn.Receive()
		if err != nil {
			if !t.ending.Load() {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					if t.server.stopping.Load() {
						continue
					}
					t.handler.TimedOut()
				}
				t.conn.Close()
			}
			t.handler.Lost()
			return
		}
		t.arm()
		n := len(data)
		if t.reads++; t.settled || t.reads > settledReads {
			t.feed(data)
		} else {
			t.aside(func() { t.feed(data) })
		}
		t.conn.Release()
		if t.shaper != nil {
			t.conn.Pause(t.shaper.Take(time.Now(), n))
		}
	}
}

// aside runs fn in a goroutine of its own and waits for it. A login needs a deep
// stack (TLS, SASL, databases), which the goroutine of an idle connection would
// keep: half of what such a connection costs.
func (t *tcp) aside(fn func()) {
	done := make(chan any)
	go func() {
		defer func() { done <- recover() }()
		fn()
	}()
	if p := <-done; p != nil {
		panic(p)
	}
}

// feed hands what a read brought to the stream.
func (t *tcp) feed(data []byte) {
	defer t.handler.EndOfInput()
	t.framer.Push(data)
	for {
		tok, err := t.framer.Next()
		if err != nil {
			t.handler.Failed(err)
			return
		}
		switch tok.Kind {
		case xml.None:
			return
		case xml.Open:
			t.opened(tok.Raw)
		case xml.Whole:
			t.handler.Element(tok.Raw)
		case xml.Close:
			t.handler.Ended()
			return
		case xml.Space:
			t.handler.KeepAlive()
		}
	}
}

func (t *tcp) opened(raw []byte) {
	h, err := xml.ParseHeader(raw)
	if limit := t.server.Options.MaxStanzaSize; err == nil && limit > 0 && h.Size > limit {
		err = xml.TooBig()
	}
	if err != nil {
		t.handler.Failed(err)
		return
	}
	t.handler.Opened(h)
}

// AppendHeader implements stream.Transport.
func (t *tcp) AppendHeader(dst []byte, h stream.Header) []byte {
	dst = append(append(dst, headerOpen...), h.ID...)
	dst = append(xml.AppendAttr(append(dst, "' from='"...), h.From), '\'')
	if h.Version {
		dst = append(dst, " version='1.0'"...)
	}
	if h.Lang != "" {
		dst = append(xml.AppendAttr(append(dst, " xml:lang='"...), h.Lang), '\'')
	}
	return append(dst, '>')
}

// AppendElement implements stream.Transport.
func (t *tcp) AppendElement(dst []byte, el *xml.Element) []byte {
	return el.AppendTo(dst, stanza.NSClient, xml.Binding{Prefix: "stream", Space: stanza.NSStream})
}

// AppendStanza implements stream.Transport.
func (t *tcp) AppendStanza(dst []byte, p *stanza.Packet) []byte {
	return p.AppendTo(dst, stanza.Options{})
}

// AppendEnd implements stream.Transport.
func (t *tcp) AppendEnd(dst []byte) []byte { return append(dst, "</stream:stream>"...) }

// Write implements stream.Transport.
func (t *tcp) Write(b []byte) error { return t.conn.Write(b) }

// Congested implements stream.Transport.
func (t *tcp) Congested() bool { return t.conn.Congested() }

// CanStartTLS implements stream.Transport.
func (t *tcp) CanStartTLS(host string) bool {
	return t.server.TLS != nil && !t.conn.Encrypted() && t.server.TLS(host) != nil
}

// StartTLS implements stream.Transport.
func (t *tcp) StartTLS(host string) error {
	if t.server.TLS == nil {
		return errors.New("listener has no certificate")
	}
	cfg := t.server.TLS(host)
	if cfg == nil {
		return fmt.Errorf("no certificate for host %q", host)
	}
	t.framer.Discard() // what came in clear behind <starttls/> is nobody's
	t.conn.Release()
	if err := t.conn.StartTLS(cfg, t.server.Clients.Timeout()); err != nil {
		return err
	}
	t.arm()
	return nil
}

// Restart implements stream.Transport.
func (t *tcp) Restart() { t.framer.Reset() }

// SetTimeout implements stream.Transport.
func (t *tcp) SetTimeout(d time.Duration) {
	t.timeout = d
	if d == 0 {
		_ = t.conn.SetReadDeadline(time.Time{})
		return
	}
	t.arm()
}

// arm starts the time-out anew.
func (t *tcp) arm() {
	if t.timeout > 0 {
		_ = t.conn.SetReadDeadline(time.Now().Add(t.timeout)) // fails if closed: Receive says so
	}
}

// Settled implements stream.Transport.
func (t *tcp) Settled() { t.settled = true }

// Shape implements stream.Transport.
func (t *tcp) Shape(name string) { t.shaper = t.server.Shaper(name) }

// Close implements stream.Transport.
func (t *tcp) Close() {
	t.ending.Store(true)
	t.conn.CloseAfterFlush(closeTimeout)
}

// Drop implements stream.Transport.
func (t *tcp) Drop() { t.conn.Close() }

// Peer implements stream.Transport.
func (t *tcp) Peer() stream.Peer {
	p := stream.Peer{Addr: t.conn.RemoteAddr()}
	if state, ok := t.conn.TLS(); ok {
		p.TLS = &state
	}
	return p
}
