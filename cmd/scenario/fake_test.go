package scenario

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeServer is just enough of a server to play scenarios against: any
// password of a registered user, messages to full addresses, pings. A message to
// fake@localhost makes it misbehave as its body says.
type fakeServer struct {
	t   *testing.T
	ln  net.Listener
	tls *tls.Config

	mu       sync.Mutex
	users    map[string]string
	sessions map[string]*fakeConn
	made     int
	wg       sync.WaitGroup
}

type fakeConn struct {
	mu  sync.Mutex
	c   net.Conn
	jid string
}

func (c *fakeConn) write(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.c.SetWriteDeadline(time.Now().Add(5 * time.Second))
	c.c.Write([]byte(s))
}

func startFake(t *testing.T) *fakeServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := selfSigned()
	if err != nil {
		t.Fatal(err)
	}
	s := &fakeServer{t: t, ln: ln, users: map[string]string{}, sessions: map[string]*fakeConn{}}
	s.tls = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.wg.Add(1)
			go func() {
				defer s.wg.Done()
				s.serve(&fakeConn{c: c})
			}()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		s.wg.Wait()
	})
	return s
}

// target is the fake as a target; tcp and tls lead to the same port, since
// the fake takes a handshake anywhere.
func (s *fakeServer) target() Target {
	return Target{
		Addrs:   map[string]string{"5222": s.ln.Addr().String(), "tls": s.ln.Addr().String()},
		Timeout: 2 * time.Second,
		Register: func(_ context.Context, user, domain, password string) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.users[user+"@"+domain] = password
			s.made++
			return nil
		},
		Unregister: func(_ context.Context, user, domain, _ string) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.users, user+"@"+domain)
			return nil
		},
	}
}

// firstByte puts a byte that was read ahead back.
type firstByte struct {
	net.Conn
	b []byte
}

func (c *firstByte) Read(p []byte) (int, error) {
	if len(c.b) > 0 {
		n := copy(p, c.b)
		c.b = c.b[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

func (s *fakeServer) serve(c *fakeConn) {
	raw := c.c
	defer raw.Close()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.sessions[c.jid] == c {
			delete(s.sessions, c.jid)
		}
	}()
	raw.SetDeadline(time.Now().Add(20 * time.Second))
	first := make([]byte, 1)
	if _, err := raw.Read(first); err != nil {
		return
	}
	c.c = &firstByte{raw, first}
	if first[0] == 0x16 {
		c.c = tls.Server(c.c, s.tls)
	}
	r := newReader(true, streamScope(nsClient))
	user, buf := "", make([]byte, 4096)
	for {
		n, err := c.c.Read(buf)
		for _, e := range r.feed(buf[:n]) {
			switch e.kind {
			case evHeader:
				features := "<mechanisms xmlns='" + nsSASL + "'><mechanism>PLAIN</mechanism></mechanisms>"
				if user != "" {
					features = "<bind xmlns='" + nsBind + "'/>"
				}
				c.write("<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='" + nsStream + "' id='s1' from='" + e.el.attr("to") +
					"' version='1.0'><stream:features>" + features + "</stream:features>")
			case evEnd:
				c.write("</stream:stream>")
				return
			case evElement:
				switch el := e.el; el.local {
				case "starttls":
					c.write("<proceed xmlns='" + nsTLS + "'/>")
					c.c, r.opened = tls.Server(raw, s.tls), false
				case "auth":
					b, _ := base64.StdEncoding.DecodeString(el.text())
					f := strings.Split(string(b), "\x00")
					s.mu.Lock()
					ok := len(f) == 3 && s.users[f[1]+"@localhost"] == f[2]
					s.mu.Unlock()
					if !ok {
						c.write("<failure xmlns='" + nsSASL + "'><not-authorized/></failure>")
						continue
					}
					user, r.opened = f[1], false
					c.write("<success xmlns='" + nsSASL + "'/>")
				default:
					if !s.stanza(c, user, el) {
						return
					}
				}
			}
		}
		if err != nil {
			return
		}
	}
}

// stanza answers one stanza; false closes the connection.
func (s *fakeServer) stanza(c *fakeConn, user string, el *node) bool {
	switch {
	case el.local == "iq" && el.child("bind") != nil:
		c.jid = user + "@localhost/" + el.child("bind").child("resource").text()
		s.mu.Lock()
		s.sessions[c.jid] = c
		s.mu.Unlock()
		c.write("<iq type='result' id='" + el.attr("id") + "'><bind xmlns='" + nsBind + "'><jid>" + c.jid + "</jid></bind></iq>")
	case el.local == "iq":
		c.write("<iq type='result' id='" + el.attr("id") + "'/>")
	case el.local == "presence":
		c.write("<presence from='" + c.jid + "' to='" + c.jid + "'/>")
	case el.local == "message" && el.attr("to") == "fake@localhost":
		switch what := el.child("body").text(); what {
		case "close":
			return false
		case "end":
			c.write("</stream:stream>")
			return false
		case "hang":
			time.Sleep(500 * time.Millisecond)
		case "flood":
			flood := strings.Repeat("<message/>", 10000)
			for range maxQueue/10000 + 1 {
				c.write(flood)
			}
		case "endless":
			for range 40 {
				c.write("<message>" + strings.Repeat("x", 1<<19))
			}
		case "torn":
			c.write("<message><body>ab")
			return false
		default:
			c.write(what)
		}
	case el.local == "message":
		s.mu.Lock()
		to := s.sessions[el.attr("to")]
		s.mu.Unlock()
		if to != nil {
			to.write(fmt.Sprintf("<message from='%s' to='%s'><body>%s</body></message>", c.jid, to.jid, textEscaper.Replace(el.child("body").text())))
		}
	}
	return true
}
