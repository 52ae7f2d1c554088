package conn

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		panic(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(crand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

func serverConfig(testing.TB) *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{certificate()}, MinVersion: tls.VersionTLS10,
		SessionTicketsDisabled: true, DynamicRecordSizingDisabled: true,
	}
}

func clientConfig() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10}
}

// startTLS puts TLS on both ends.
func startTLS(t testing.TB, c *Conn, cl *net.TCPConn, scfg, ccfg *tls.Config) *tls.Conn {
	t.Helper()
	if scfg == nil {
		scfg = serverConfig(t)
	}
	if ccfg == nil {
		ccfg = clientConfig()
	}
	peer := tls.Client(cl, ccfg)
	done := make(chan error, 1)
	go func() { done <- peer.Handshake() }()
	if err := c.StartTLS(scfg, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return peer
}

// The order of STARTTLS: clear text, the owner ends its slice, handshake.
func TestStartTLSInPlace(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			c, cl := pair(t, Options{})
			if _, ok := c.TLS(); ok || c.Encrypted() {
				t.Error("encrypted before the handshake")
			}
			cl.Write([]byte("<starttls/>"))
			if p, err := c.Receive(); err != nil || string(p) != "<starttls/>" {
				t.Fatalf("%q, %v", p, err)
			}
			c.Write([]byte("<proceed/>"))
			p := make([]byte, 10)
			if _, err := io.ReadFull(cl, p); err != nil || string(p) != "<proceed/>" {
				t.Fatalf("%q, %v", p, err)
			}
			ccfg := clientConfig()
			ccfg.MaxVersion = version
			peer := startTLS(t, c, cl, nil, ccfg)
			st, ok := c.TLS()
			if !ok || !c.Encrypted() || st.Version != version {
				t.Fatalf("state %v, %v", st.Version, ok)
			}
			if version == tls.VersionTLS13 {
				mine, err := st.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
				if err != nil {
					t.Fatal(err)
				}
				pst := peer.ConnectionState()
				theirs, _ := pst.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
				if !bytes.Equal(mine, theirs) {
					t.Error("exported keys differ")
				}
			}
			// Data of several sizes both ways, small records in a burst.
			for range 50 {
				peer.Write([]byte("<message/>"))
			}
			for n := 0; n < 500; {
				p, err := c.Receive()
				if err != nil {
					t.Fatal(err)
				}
				n += len(p)
			}
			out := pattern(40_000)
			for _, n := range []int{1, 999, 1001, 20_000} {
				c.Write(out[:n])
			}
			in := make([]byte, 1+999+1001+20_000)
			if _, err := io.ReadFull(peer, in); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(in[2001:], out[:20_000]) {
				t.Error("bytes changed on the way")
			}
		})
	}
}

// Application data that arrives in one packet with the end of the handshake
// must be seen although the socket never becomes readable again.
func TestDataBehindTheHandshake(t *testing.T) {
	for range 20 {
		c, cl := pair(t, Options{})
		relay, far := net.Pipe()
		peer := tls.Client(far, clientConfig())
		// What the peer sends is held back until it has sent data, too.
		go func() {
			defer relay.Close()
			buf := make([]byte, 64<<10)
			n, err := relay.Read(buf) // ClientHello
			if err != nil {
				return
			}
			cl.Write(buf[:n])
			var held []byte
			go func() {
				b := make([]byte, 64<<10)
				for {
					n, err := cl.Read(b)
					if err != nil {
						return
					}
					relay.Write(b[:n])
				}
			}()
			for !bytes.HasSuffix(held, nil) || len(held) < 150 {
				n, err := relay.Read(buf)
				if err != nil {
					return
				}
				held = append(held, buf[:n]...)
			}
			cl.Write(held)
			for {
				n, err := relay.Read(buf)
				if err != nil {
					return
				}
				cl.Write(buf[:n])
			}
		}()
		go func() {
			if peer.Handshake() == nil {
				peer.Write([]byte("right behind it, in the same packet, as some clients do, they say, since it saves a packet..."))
			}
		}()
		if err := c.StartTLS(serverConfig(t), 5*time.Second); err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if p, err := c.Receive(); err != nil || !bytes.HasPrefix(p, []byte("right behind")) {
			t.Fatalf("%q, %v", p, err)
		}
		c.Close()
		cl.Close()
		relay.Close()
		far.Close()
	}
}

func TestHandshakeEnds(t *testing.T) {
	t.Run("deadline", func(t *testing.T) {
		c, _ := pair(t, Options{})
		begin := time.Now()
		err := c.StartTLS(serverConfig(t), 30*time.Millisecond)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("error %v, want a time-out", err)
		}
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("after %v", d)
		}
		if err := c.Write([]byte("clear")); !errors.Is(err, ErrHandshake) {
			t.Errorf("write after a failed handshake: %v", err)
		}
		if _, err := c.Receive(); !errors.Is(err, ErrHandshake) {
			t.Errorf("receive after a failed handshake: %v", err)
		}
	})
	t.Run("deadline in the middle of a record", func(t *testing.T) {
		c, cl := pair(t, Options{})
		cl.Write([]byte{22, 3, 1, 2, 0, 1, 0})
		if err := c.StartTLS(serverConfig(t), 30*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("error %v, want a time-out", err)
		}
	})
	t.Run("the owner's deadline holds on", func(t *testing.T) {
		c, cl := pair(t, Options{})
		c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		startTLS(t, c, cl, nil, nil)
		if _, err := c.Receive(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("error %v, want a time-out", err)
		}
	})
	for name, end := range map[string]func(*Conn){
		"Close":           func(c *Conn) { c.Close() },
		"CloseAfterFlush": func(c *Conn) { c.CloseAfterFlush(time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			c, cl := pair(t, Options{})
			got := make(chan error)
			go func() { got <- c.StartTLS(serverConfig(t), time.Hour) }()
			eventually(t, "handshake waits", func() bool { return parked("(*inner).Read") })
			if err := c.Write([]byte("x")); !errors.Is(err, ErrHandshake) {
				t.Errorf("write during the handshake: %v", err)
			}
			end(c)
			if err := <-got; !errors.Is(err, net.ErrClosed) {
				t.Errorf("error %v, want net.ErrClosed", err)
			}
			cl.Close()
		})
	}
	t.Run("peer closes", func(t *testing.T) {
		c, cl := pair(t, Options{})
		cl.Close()
		if err := c.StartTLS(serverConfig(t), time.Second); !errors.Is(err, io.EOF) {
			t.Errorf("error %v, want EOF", err)
		}
	})
	t.Run("no TLS", func(t *testing.T) {
		c, cl := pair(t, Options{})
		cl.Write([]byte("<stream:stream xmlns='jabber:client'>"))
		err := c.StartTLS(serverConfig(t), time.Second)
		var rh tls.RecordHeaderError
		if !errors.As(err, &rh) {
			t.Errorf("error %v, want tls.RecordHeaderError", err)
		}
	})
	t.Run("the alert arrives", func(t *testing.T) {
		c, cl := pair(t, Options{})
		scfg := serverConfig(t)
		scfg.MinVersion = tls.VersionTLS13
		ccfg := clientConfig()
		ccfg.MaxVersion = tls.VersionTLS12
		got := make(chan error)
		go func() { got <- tls.Client(cl, ccfg).Handshake() }()
		if err := c.StartTLS(scfg, time.Second); err == nil {
			t.Fatal("handshake succeeded")
		}
		c.CloseAfterFlush(time.Second)
		var alert tls.AlertError
		var op *net.OpError
		if err := <-got; !errors.As(err, &alert) && !errors.As(err, &op) || errors.Is(err, io.EOF) {
			t.Errorf("peer sees %v, want the alert", err)
		}
	})
	t.Run("not by a pause", func(t *testing.T) {
		c, cl := pair(t, Options{})
		c.Pause(time.Nanosecond)
		peer := startTLS(t, c, cl, nil, nil)
		peer.Write([]byte("x"))
		if p, err := c.Receive(); err != nil || string(p) != "x" {
			t.Errorf("%q, %v", p, err)
		}
	})
	t.Run("twice", func(t *testing.T) {
		c, cl := pair(t, Options{})
		startTLS(t, c, cl, nil, nil)
		if err := c.StartTLS(serverConfig(t), time.Second); err == nil {
			t.Error("second handshake accepted")
		}
	})
}

func TestTLSClientSide(t *testing.T) {
	c, cl := pair(t, Options{})
	peer := tls.Server(cl, serverConfig(t))
	go func() {
		io.Copy(peer, peer)
		peer.Close()
	}()
	if err := c.StartTLSClient(clientConfig(), 5*time.Second); err != nil {
		t.Fatal(err)
	}
	c.Write([]byte("hello"))
	if p, err := c.Receive(); err != nil || string(p) != "hello" {
		t.Fatalf("%q, %v", p, err)
	}
}

// A record may arrive in any number of pieces.
func TestPartialRecords(t *testing.T) {
	c, cl := pair(t, Options{})
	near, far := net.Pipe()
	peer := tls.Client(far, clientConfig())
	defer near.Close()
	go io.Copy(near, cl)
	go func() {
		b := make([]byte, 64<<10)
		for {
			n, err := near.Read(b)
			if err != nil {
				return
			}
			for i := range n {
				cl.Write(b[i : i+1])
				if i%7 == 0 {
					time.Sleep(50 * time.Microsecond)
				}
			}
		}
	}()
	go func() {
		if peer.Handshake() == nil {
			peer.Write([]byte("first"))
			peer.Write(make([]byte, 2000))
		}
	}()
	if err := c.StartTLS(serverConfig(t), 20*time.Second); err != nil {
		t.Fatal(err)
	}
	total := 0
	for total < 2005 {
		p, err := c.Receive()
		if err != nil {
			t.Fatalf("after %d bytes: %v", total, err)
		}
		total += len(p)
	}
}

// An end of TCP in the middle of a record is not the peer's end.
func TestTruncation(t *testing.T) {
	c, cl := pair(t, Options{})
	startTLS(t, c, cl, nil, nil)
	cl.Write([]byte{23, 3, 3, 0, 50, 1, 2, 3})
	cl.Close()
	if _, err := c.Receive(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want io.ErrUnexpectedEOF", err)
	}
}

func TestGarbageUnderTLS(t *testing.T) {
	c, cl := pair(t, Options{})
	startTLS(t, c, cl, nil, nil)
	cl.Write([]byte{23, 3, 3, 0, 40})
	cl.Write(make([]byte, 40))
	if _, err := c.Receive(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("error %v, want a bad record", err)
	}
}
