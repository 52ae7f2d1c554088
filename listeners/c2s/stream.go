package c2s

import (
	"cmp"
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
	// idleTime is how long an established stream may send nothing before its
	// goroutine and its stack are given back. Each busy stream looks once in this
	// time.
	idleTime = 2 * time.Second
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

	stopping  atomic.Bool
	idleAfter time.Duration // replaces idleTime if it is above 0
}

// Shutdown makes every stream end with system-shutdown, as soon as Wake was called
// for its connection.
func (s *Server) Shutdown() { s.stopping.Store(true) }

// Wake makes the owner of a connection look whether its server shuts down.
func Wake(c *conn.Conn) {
	_ = c.SetReadDeadline(time.Unix(1, 0)) // fails if it is closed: then its owner knows
}

// Serve runs a connection and calls done when it has ended and all that it leaves
// behind is with others, which may be after Serve has returned. ctx is the life of
// the node.
func (s *Server) Serve(ctx context.Context, c *conn.Conn, done func()) {
	t := &tcp{server: s, conn: c, done: done}
	t.framer.Init(xml.Stream, xml.LimitsFor(s.Options.MaxStanzaSize))
	if s.Options.TLS {
		if err := t.StartTLS(""); err != nil {
			s.Log.Info("TLS handshake failed", zap.Stringer("ip", c.RemoteAddr()), zap.Error(err))
			c.Close()
			done()
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
	done    func() // see Server.Serve
	framer  xml.Framer
	handler *client.Client
	timeout time.Duration
	shaper  *shaper.Shaper
	reads   int         // how often something was read
	ending  atomic.Bool // the last bytes are on their way, and must not be cut off
}

// run feeds the stream until the connection ends or has nothing to say for a while.
func (t *tcp) run() {
	defer func() {
		if p := recover(); p != nil {
			t.panicked(p)
			t.conn.Close()
			t.lost()
		}
	}()
	watch, seen := false, 0 // a deadline tells whether more than seen reads came meanwhile
	for {
		if t.timeout == 0 && !watch {
			watch, seen = true, t.reads
			_ = t.conn.SetReadDeadline(time.Now().Add(cmp.Or(t.server.idleAfter, idleTime))) // fails if closed: Receive says so
		}
		if t.server.stopping.Load() && !t.ending.Load() {
			t.handler.Shutdown() // Wake may have come before a deadline was set
		}
		data, err := t.conn.Receive()
		if err != nil {
			if t.ending.Load() {
				t.lost()
				return
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				if t.server.stopping.Load() {
					continue
				}
				if t.timeout == 0 {
					watch = false
					if t.reads == seen && t.park() {
						return
					}
					continue
				}
				t.handler.TimedOut()
			}
			t.conn.Close()
			t.lost()
			return
		}
		t.arm()
		n := len(data)
		t.reads++
		t.feed(data)
		t.conn.Release()
		if t.shaper != nil {
			t.conn.Pause(t.shaper.Take(time.Now(), n))
		}
	}
}

// lost ends the stream after its connection.
func (t *tcp) lost() {
	defer t.done()
	defer func() {
		if p := recover(); p != nil {
			t.panicked(p)
		}
	}()
	t.handler.Lost()
}

// panicked logs a panic: one connection must not end the node.
func (t *tcp) panicked(p any) {
	t.server.Log.Error("panic in a client stream", zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
}

// park leaves the connection to a goroutine that does nothing but wait for input,
// and so needs the smallest stack: a login or a stanza has made that of its
// predecessor several times as large, which is most of what an idle connection
// would cost. park returns false if the server shuts down.
func (t *tcp) park() bool {
	_ = t.conn.SetReadDeadline(time.Time{})
	if t.server.stopping.Load() {
		return false // Wake may have come before the deadline was taken away
	}
	go t.await()
	return true
}

func (t *tcp) await() {
	t.conn.AwaitInput()
	go t.run()
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
