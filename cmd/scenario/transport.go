package scenario

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// sendTimeout is how long a server may refuse to read what it is sent, and
// how long a TLS handshake may take.
const sendTimeout = 20 * time.Second

// A transport carries the stream of one connection. Its methods are called by
// one goroutine, but for drop.
type transport interface {
	// send sends one element or any text. A connection that is closed is no
	// error: the next receive tells.
	send(data string) error
	// header sends the stream header of the transport and expects a new stream.
	header(domain string, attrs []attr) error
	// restart expects a new stream, without sending anything.
	restart()
	// receive waits for input up to the deadline; the last event of a
	// connection is evClosed.
	receive(deadline time.Time) []event
	// end closes the stream as a client should.
	end() error
	// drop cuts the connection.
	drop()
}

// Some transports can do more.
type (
	tlsSwitcher interface{ startTLS(c *tls.Config) error }
	halfCloser  interface{ closeWrite() error }
)

// An opener connects over one transport. Others register here: "component",
// "s2s", "bosh", "bosh-tls", "ws", "wss", "http", "https".
type opener struct {
	port string // name of the default port
	open func(ctx context.Context, addr string, t *Target, o options) (transport, error)
}

var transports = map[string]opener{
	"tcp":      {"tcp", openTCP},
	"starttls": {"tcp", openTCP}, // login switches TLS on
	"tls":      {"tls", openTLS},
	"zlib":     {"zlib", openTCP}, // in clear until it is switched on
}

// tcpStream is a stream over TCP, with or without TLS.
type tcpStream struct {
	raw  net.Conn // the TCP connection below c
	c    net.Conn
	r    *reader
	buf  []byte
	done bool
}

func openTCP(ctx context.Context, addr string, _ *Target, _ options) (transport, error) {
	d := net.Dialer{Timeout: 10 * time.Second}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	t := &tcpStream{raw: c, c: c, buf: make([]byte, 64<<10)}
	t.restart()
	return t, nil
}

func openTLS(ctx context.Context, addr string, tg *Target, o options) (transport, error) {
	t, err := openTCP(ctx, addr, tg, o)
	if err != nil {
		return nil, err
	}
	c, err := tg.tls(false)
	if err == nil {
		err = t.(*tcpStream).startTLS(c)
	}
	if err != nil {
		t.drop()
		return nil, err
	}
	return t, nil
}

func (t *tcpStream) startTLS(c *tls.Config) error {
	tc := tls.Client(t.raw, c)
	t.raw.SetDeadline(time.Now().Add(sendTimeout))
	err := tc.Handshake()
	t.raw.SetDeadline(time.Time{})
	if err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	t.c = tc
	return nil
}

func (t *tcpStream) send(data string) error {
	t.raw.SetWriteDeadline(time.Now().Add(sendTimeout))
	_, err := t.c.Write([]byte(data))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("the server has read nothing for %v", sendTimeout)
	}
	return nil
}

func (t *tcpStream) header(domain string, attrs []attr) error {
	t.restart()
	var b strings.Builder
	b.WriteString("<?xml version='1.0'?><stream:stream xmlns='" + nsClient + "' xmlns:stream='" + nsStream + "' to='" + domain + "'")
	for _, a := range attrs {
		b.WriteString(" " + a.name + "='" + a.value + "'")
	}
	return t.send(b.String() + ">")
}

func (t *tcpStream) restart() { t.r = newReader(true, streamScope(nsClient)) }

func (t *tcpStream) receive(deadline time.Time) []event {
	if t.done {
		return nil
	}
	// a deadline that has passed would keep what has arrived from being read
	if soon := time.Now().Add(time.Millisecond); deadline.Before(soon) {
		deadline = soon
	}
	t.raw.SetReadDeadline(deadline)
	n, err := t.c.Read(t.buf)
	out := t.r.feed(t.buf[:n])
	for _, e := range out {
		t.done = t.done || e.kind == evFault
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !t.done {
		t.done = true
		if s := t.r.rest(); s != "" {
			out = append(out, event{kind: evText, text: s})
		}
		out = append(out, event{kind: evClosed})
	}
	return out
}

func (t *tcpStream) end() error { return t.send("</stream:stream>") }

func (t *tcpStream) closeWrite() error {
	if c, ok := t.raw.(*net.TCPConn); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}

func (t *tcpStream) drop() { t.raw.Close() }
