package conn

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"
)

// tlsState is what a Conn needs once TLS was started.
type tlsState struct {
	conn  *tls.Conn
	ready atomic.Bool // the handshake succeeded
	old   bool        // TLS 1.0: each write makes two records
	until int64       // deadline of the handshake; guarded by Conn.mu

	// Guarded by Conn.rmu. stage holds bytes read ahead of crypto/tls, so
	// that one system call fetches many small records, while crypto/tls asks
	// for little more than the record it expects. It is nil when empty.
	stage    []byte
	from, to int
	grow     bool // the last read filled stage
	buffered bool // answer from stage only
	ahead    int  // about how many bytes crypto/tls was given and has not returned
	stageFn  func(uintptr) bool
	serr     error
}

// inner is the net.Conn under crypto/tls. A separate type keeps its methods out
// of Conn; it shares the memory.
type inner Conn

// StartTLS runs the server's side of a TLS handshake and encrypts both
// directions from then on. What the peer sent in clear has to be thrown away
// by the caller, who ends his last slice with the call. The handshake ends
// with an error that is os.ErrDeadlineExceeded if it takes longer than
// timeout, and with net.ErrClosed if the connection is closed meanwhile.
// After an error the connection is only good for closing; CloseAfterFlush lets
// the peer see the alert. A pause ends with the call.
//
// The handshake needs several KiB of stack. It runs in a goroutine of its own,
// whose stack is given back, while the caller waits.
func (c *Conn) StartTLS(cfg *tls.Config, timeout time.Duration) error {
	return c.startTLS(tls.Server((*inner)(c), cfg), timeout)
}

// StartTLSClient is StartTLS for the side that opened the connection.
func (c *Conn) StartTLSClient(cfg *tls.Config, timeout time.Duration) error {
	return c.startTLS(tls.Client((*inner)(c), cfg), timeout)
}

func (c *Conn) startTLS(tc *tls.Conn, timeout time.Duration) error {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	c.release()
	t := &tlsState{conn: tc, until: sinceStart(time.Now().Add(timeout))}
	t.stageFn = func(fd uintptr) bool {
		t.serr = t.fill(int(fd))
		return t.serr != errWouldBlock
	}

	c.mu.Lock()
	if c.tls.Load() != nil {
		c.mu.Unlock()
		return errors.New("start TLS: already started")
	}
	c.tls.Store(t)
	c.pause.Store(0) // its deadline would end the handshake
	err := c.applyDeadline()
	c.mu.Unlock()
	if err != nil {
		return fmt.Errorf("start TLS: %w", err)
	}

	done := make(chan error, 1)
	go func() { done <- tc.Handshake() }()
	err = <-done

	t.stageFn = nil
	c.mu.Lock()
	t.until = 0
	closed := c.applyDeadline() != nil
	c.mu.Unlock()
	if closed {
		return fmt.Errorf("TLS handshake: %w", c.endReason())
	}
	if err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	t.old = tc.ConnectionState().Version == tls.VersionTLS10
	t.ready.Store(true)
	return nil
}

// TLS returns the state of TLS, with which keys for channel binding can be
// exported, and whether the connection is encrypted.
func (c *Conn) TLS() (tls.ConnectionState, bool) {
	if !c.Encrypted() {
		return tls.ConnectionState{}, false
	}
	return c.tls.Load().conn.ConnectionState(), true
}

// Encrypted tells whether a handshake has succeeded.
func (c *Conn) Encrypted() bool {
	t := c.tls.Load()
	return t != nil && t.ready.Load()
}

// read fills p with what is there. rmu is held, and the descriptor known.
func (t *tlsState) read(p []byte) (int, error) {
	n, err := t.conn.Read(p)
	if n == 0 || err != nil {
		if err != nil && isWouldBlock(err) {
			t.ahead = 0
			err = errWouldBlock
		}
		if n > 0 {
			err = nil // crypto/tls keeps it and tells again
		}
		return n, err
	}
	t.ahead -= n + recordOverhead
	// Take the further records that were read with the first one. An error
	// is told again by the next call. Asking in vain is harmless, but costs.
	t.buffered = true
	for n < len(p) && (t.stage != nil || t.ahead > recordOverhead) {
		m, err := t.conn.Read(p[n:])
		n += m
		if err != nil {
			break
		}
		t.ahead -= m + recordOverhead
	}
	t.buffered = false
	return n, nil
}

// recordOverhead is by how much a record is longer than what is in it, at
// least: its header, the tag of AES-GCM, the type of TLS 1.3.
const recordOverhead = 5 + 16 + 1

func isWouldBlock(err error) bool {
	_, ok := err.(wouldBlock)
	return ok
}

// fill reads ahead into stage.
func (t *tlsState) fill(fd int) error {
	b := takeBuf(t.grow)
	n, err := readFD(fd, b)
	if err != nil {
		putBuf(b)
		t.grow = false
		return err
	}
	t.grow = n == len(b)
	t.stage, t.from, t.to = b, 0, n
	return nil
}

// Read gives crypto/tls encrypted bytes. During the handshake it waits; later
// it never does.
func (i *inner) Read(p []byte) (int, error) {
	c := (*Conn)(i)
	t := c.tls.Load()
	if t.stage == nil {
		switch {
		case t.buffered:
			return 0, errWouldBlock
		case t.stageFn != nil:
			if err := c.raw.Read(t.stageFn); err != nil {
				return 0, handshakeError{err}
			}
			if t.serr != nil {
				return 0, t.serr
			}
		default:
			if err := t.fill(c.rfd); err != nil {
				return 0, err
			}
		}
	}
	n := copy(p, t.stage[t.from:t.to])
	t.from += n
	t.ahead += n
	if t.from == t.to {
		putBuf(t.stage)
		t.stage = nil
	}
	return n, nil
}

// handshakeError hides that a deadline is a temporary error: the handshake is
// over.
type handshakeError struct{ error }

func (e handshakeError) Unwrap() error { return e.error }

// Write takes one or more encrypted records.
func (i *inner) Write(p []byte) (int, error) {
	c := (*Conn)(i)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.send(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// write encrypts p. Where that makes several records they go out together.
func (t *tlsState) write(c *Conn, p []byte) error {
	if !t.ready.Load() {
		return ErrHandshake
	}
	// crypto/tls splits larger writes while the connection is young, and
	// every write of TLS 1.0.
	several := len(p) > 1000 || t.old
	if several {
		c.mu.Lock()
		c.corked++
		c.mu.Unlock()
	}
	_, err := t.conn.Write(p)
	if several {
		c.mu.Lock()
		c.corked--
		c.uncork()
		c.mu.Unlock()
	}
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// closeNotify tells the peer the end; it never blocks.
func (t *tlsState) closeNotify() {
	if t.ready.Load() {
		t.conn.CloseWrite()
	}
}

// Close does nothing: the Conn closes the socket.
func (i *inner) Close() error { return nil }

// LocalAddr and RemoteAddr are the socket's.
func (i *inner) LocalAddr() net.Addr  { return i.sock.LocalAddr() }
func (i *inner) RemoteAddr() net.Addr { return i.sock.RemoteAddr() }

// The deadlines are the Conn's business; crypto/tls sets one only around a
// write, which does not block here.
func (i *inner) SetDeadline(time.Time) error      { return nil }
func (i *inner) SetReadDeadline(time.Time) error  { return nil }
func (i *inner) SetWriteDeadline(time.Time) error { return nil }
