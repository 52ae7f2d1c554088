//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// A link carries the stanzas of one session over one transport. While logging
// in, one goroutine calls open, next and send; afterwards one goroutine is in
// serve and one at a time in write.
type link interface {
	// open begins the stream, or begins it anew after SASL.
	open(domain string) error
	// next waits for the next stanza; it is valid until the following call.
	next() ([]byte, error)
	// frame appends a stanza to dst as it travels over this transport.
	frame(dst, stanza []byte) []byte
	// write sends what frame has made.
	write(framed []byte) error
	// xmlns is what the start tag of a stanza must declare, with a leading blank.
	xmlns() string
	// serve reads until the stream ends; it calls handle for each stanza and
	// batch whenever all that was read is handled.
	serve(handle func(stanza []byte), batch func()) error
	// deadline bounds reading and writing; the zero time takes the bound away.
	deadline(t time.Time)
	// shrink makes the buffers as small as an idle session needs.
	shrink()
	// end closes the stream and waits for the server to do the same.
	end()
	// cut closes the connection.
	cut()
}

var errEnded = errors.New("the server ended the stream")

// send sends one stanza while logging in.
func send(l link, stanza string) error { return l.write(l.frame(nil, []byte(stanza))) }

var dialed atomic.Uint32

// dial connects from one of n addresses of 127.1.0.0/16 in turn; n = 0 leaves
// the choice to the system.
func dial(ctx context.Context, addr string, n int) (net.Conn, error) {
	d := net.Dialer{Timeout: 20 * time.Second, KeepAliveConfig: net.KeepAliveConfig{Enable: false}, KeepAlive: -1}
	if n > 0 {
		k := dialed.Add(1) % uint32(n)
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 1, byte(k/250), byte(1+k%250))}
		d.Control = func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) {
				const bindAddressNoPort = 24 // the port is chosen on connecting
				syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, bindAddressNoPort, 1)
			})
		}
	}
	return d.DialContext(ctx, "tcp4", addr)
}

// tcpLink is a stream over TCP, with or without TLS.
type tcpLink struct {
	c net.Conn
	scanner
}

func dialTCP(ctx context.Context, addr string, sources, buffer int) (*tcpLink, error) {
	c, err := dial(ctx, addr, sources)
	if err != nil {
		return nil, err
	}
	return &tcpLink{c, newScanner(buffer)}, nil
}

func (l *tcpLink) open(domain string) error {
	l.restart()
	_, err := l.c.Write([]byte("<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='" + domain + "' version='1.0'>"))
	return err
}

func (l *tcpLink) startTLS(c *tls.Config) error {
	t := tls.Client(l.c, c)
	if err := t.Handshake(); err != nil {
		return err
	}
	l.c = t
	return nil
}

func (l *tcpLink) fill() error {
	n, err := l.c.Read(l.room())
	if l.w += n; n > 0 {
		return nil
	}
	return err
}

func (l *tcpLink) next() ([]byte, error) {
	for {
		switch st, t := l.scan(); t {
		case stanza:
			return st, nil
		case streamClose:
			return nil, errEnded
		case needMore:
			if err := l.fill(); err != nil {
				return nil, err
			}
		}
	}
}

func (l *tcpLink) frame(dst, stanza []byte) []byte { return append(dst, stanza...) }
func (l *tcpLink) xmlns() string                   { return "" }

func (l *tcpLink) write(b []byte) error {
	_, err := l.c.Write(b)
	return err
}

func (l *tcpLink) serve(handle func([]byte), batch func()) error {
	for {
		st, t := l.scan()
		switch t {
		case stanza:
			handle(st)
		case streamClose:
			return errEnded
		case needMore:
			batch()
			if err := l.fill(); err != nil {
				return err
			}
		}
	}
}

func (l *tcpLink) deadline(t time.Time) { l.c.SetDeadline(t) }

func (l *tcpLink) shrink() { l.resize(256) }

func (l *tcpLink) end() {
	l.deadline(time.Now().Add(5 * time.Second))
	l.c.Write([]byte("</stream:stream>"))
	for {
		if _, err := l.next(); err != nil {
			break
		}
	}
	l.c.Close()
}

func (l *tcpLink) cut() { l.c.Close() }
