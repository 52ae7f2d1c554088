//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// relay is a ceiling and no server: what a Go program can at best do with one
// goroutine for each connection and package net. It cuts streams into stanzas,
// finds the receiver in a map, puts "from" into the start tag and copies the
// bytes, with one write for what one read brought. It takes any password,
// binds, echoes presence and answers any IQ with an empty result; there are no
// queues, no checks and no storage.
type relay struct {
	domain  string
	tls     *tls.Config // nil: no STARTTLS
	jids    sync.Map    // full JID → *relayConn
	streams atomic.Int64
	open    sync.Map // net.Conn → nothing
}

// serve accepts connections until the context ends.
func (r *relay) serve(ctx context.Context, ln net.Listener) error {
	var conns sync.WaitGroup
	defer conns.Wait()
	defer context.AfterFunc(ctx, func() {
		ln.Close()
		r.open.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
	})()
	for {
		c, err := ln.Accept()
		if ctx.Err() != nil {
			if err == nil {
				c.Close()
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		r.open.Store(c, nil)
		conns.Go(func() {
			defer r.open.Delete(c)
			defer c.Close()
			rc := &relayConn{relay: r, c: c, in: newScanner(1024)}
			defer func() { r.jids.CompareAndDelete(rc.jid, rc) }()
			rc.serve(ctx)
		})
	}
}

// relayConn is one connection. Its goroutine owns all but what mu guards.
type relayConn struct {
	*relay
	c   net.Conn
	mu  sync.Mutex // one write at a time
	jid string

	in     scanner
	user   string
	secure bool
	out    []byte     // for this connection
	fwd    []byte     // for dst
	dst    *relayConn // where the last message went
	dstJID []byte
}

func (c *relayConn) write(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.c.Write(b)
	return err
}

// flush writes what has been gathered.
func (c *relayConn) flush() error {
	if len(c.fwd) > 0 {
		c.dst.write(c.fwd)
		c.fwd = c.fwd[:0]
	}
	if len(c.out) == 0 {
		return nil
	}
	err := c.write(c.out)
	c.out = c.out[:0]
	return err
}

func (c *relayConn) serve(ctx context.Context) {
	for ctx.Err() == nil {
		room := c.in.room()
		n, err := c.c.Read(room)
		c.in.w += n
		if n == 0 && err != nil {
			return
		}
		for {
			st, t := c.in.scan()
			if t == needMore {
				break
			}
			if t == streamClose {
				c.write([]byte("</stream:stream>"))
				return
			}
			if t == streamOpen {
				c.header()
			} else if !c.stanza(st) {
				return
			}
		}
		if c.flush() != nil {
			return
		}
		if n == len(room) && len(c.in.buf) < 16<<10 { // busy: read more at once
			c.in.resize(2 * len(c.in.buf))
		}
	}
}

func (c *relayConn) header() {
	c.out = fmt.Appendf(c.out, "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='%d' from='%s' version='1.0'><stream:features>",
		c.streams.Add(1), c.domain)
	switch {
	case c.user != "":
		c.out = append(c.out, "<bind xmlns='"+nsBind+"'/>"...)
	case c.tls != nil && !c.secure:
		c.out = append(c.out, "<starttls xmlns='"+nsTLS+"'/>"...)
		fallthrough
	default:
		c.out = append(c.out, "<mechanisms xmlns='"+nsSASL+"'><mechanism>PLAIN</mechanism></mechanisms>"...)
	}
	c.out = append(c.out, "</stream:features>"...)
}

var (
	presenceTag = []byte("<presence")
	iqTag       = []byte("<iq")
	authTag     = []byte("<auth")
	starttlsTag = []byte("<starttls")
)

// stanza handles one; false ends the connection.
func (c *relayConn) stanza(st []byte) bool {
	switch {
	case bytes.HasPrefix(st, messageTag):
		if to := attr(st, "to"); c.dst == nil || !bytes.Equal(to, c.dstJID) {
			c.flush()
			v, ok := c.jids.Load(string(to))
			if !ok {
				return true
			}
			c.dst, c.dstJID = v.(*relayConn), append(c.dstJID[:0], to...)
		}
		c.fwd = append(c.fwd, "<message from='"...)
		c.fwd = append(c.fwd, c.jid...)
		c.fwd = append(c.fwd, '\'')
		c.fwd = append(c.fwd, st[len("<message"):]...)
	case bytes.HasPrefix(st, presenceTag):
		c.out = fmt.Appendf(c.out, "<presence from='%s' to='%s'/>", c.jid, c.jid)
	case bytes.HasPrefix(st, iqTag):
		id := attr(st, "id")
		if bytes.Contains(st, []byte("xmpp-bind")) {
			c.jid = c.user + "@" + c.domain + "/x"
			c.jids.Store(c.jid, c)
			c.out = fmt.Appendf(c.out, "<iq type='result' id='%s'><bind xmlns='"+nsBind+"'><jid>%s</jid></bind></iq>", id, c.jid)
			break
		}
		c.out = append(c.out, "<iq from='"...)
		c.out = append(c.out, c.domain...)
		c.out = append(c.out, "' to='"...)
		c.out = append(c.out, c.jid...)
		c.out = append(c.out, "' type='result' id='"...)
		c.out = append(c.out, id...)
		c.out = append(c.out, "'/>"...)
	case bytes.HasPrefix(st, authTag):
		if c.user = plainUser(text(st)); c.user == "" {
			return false
		}
		c.out = append(c.out, "<success xmlns='"+nsSASL+"'/>"...)
	case bytes.HasPrefix(st, starttlsTag) && c.tls != nil:
		c.write([]byte("<proceed xmlns='" + nsTLS + "'/>"))
		t := tls.Server(c.c, c.tls)
		c.c.SetDeadline(time.Now().Add(20 * time.Second))
		if t.Handshake() != nil {
			return false
		}
		c.c.SetDeadline(time.Time{})
		c.c, c.secure = t, true
		c.in.restart()
	}
	return true
}

// listenRelay opens the relay's port and says where it is.
func listenRelay(addr string) (net.Listener, int, error) {
	ln, err := net.Listen("tcp4", addr)
	if err != nil {
		return nil, 0, err
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	n, err := strconv.Atoi(port)
	return ln, n, err
}
