package conn

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// DefaultWriteTimeout is how long a peer may take nothing of what waits for it
// before the connection is dropped.
const DefaultWriteTimeout = 15 * time.Second

const (
	// lingerTime bounds the wait for the peer's end after everything was
	// written and the write side was shut down.
	lingerTime = 2 * time.Second
	// lingerBytes bounds what is read and thrown away meanwhile.
	lingerBytes = 1 << 20
	// maxWrite bounds one system call, so that a long pending output does
	// not keep the lock for long.
	maxWrite = 256 << 10
)

// ErrWriteTimeout is returned by Receive and Write after the connection was
// dropped because the peer took nothing for the write time-out.
var ErrWriteTimeout = errors.New("peer does not read: write timed out")

// ErrHandshake is returned by Write while a TLS handshake runs or after it
// failed: nothing may be written in clear then.
var ErrHandshake = errors.New("TLS handshake not complete")

// Socket is what a Conn is built on: *net.TCPConn, *net.UnixConn.
type Socket interface {
	net.Conn
	syscall.Conn
	CloseWrite() error
}

// Options are the settings of a Conn. The zero value is usable.
type Options struct {
	// WriteTimeout is how long pending output may make no progress before
	// the connection is dropped. 0 means DefaultWriteTimeout.
	WriteTimeout time.Duration
	// OnClose is called once, after the socket was closed, by the goroutine
	// that closed it. It must not block. nil means nothing is called.
	OnClose func(*Conn)
}

// Bits of Conn.state. They are set under mu and read without it.
const (
	stClosed    = 1 << iota // the socket is closed
	stClosing               // CloseAfterFlush was called
	stEOF                   // the peer's end was read
	stCongested             // a writer goroutine has output to write
	stFlushed               // CloseAfterFlush has written everything
)

// A Conn is one connection. Receive, Release, Pause and StartTLS belong to the
// goroutine that owns it; all other methods may be called by anybody at any
// time.
type Conn struct {
	sock         Socket
	raw          syscall.RawConn
	readFn       func(uintptr) bool // c.tryRead, made once
	writeFn      func(uintptr)      // c.tryWrite, made once
	onClose      func(*Conn)
	writeTimeout time.Duration
	state        atomic.Uint32
	tls          atomic.Pointer[tlsState]

	// rmu is held by whoever reads the socket. It guards the fields up to
	// mu. Lock order: rmu, then mu; no callback runs under either.
	rmu   sync.Mutex
	buf   []byte // from a pool; nil while nothing is held
	rfd   int    // valid inside a read callback
	rn    int    // result of the read callback
	grow  bool   // the last read filled the buffer
	rerr  error
	pause atomic.Int64 // end of the pause, as sinceStart; 0 is none

	// mu guards the output and the way to the end.
	mu        sync.Mutex
	out       []byte // output the kernel has not taken; written from off
	off       int
	corked    int  // calls that gather records in out
	writing   bool // a writer goroutine runs
	flushing  bool // out is the last output: shut down when it is written
	lingering bool // linger owns the read side
	readDone  bool // the peer's end came while closing
	werr      error
	onDrain   func()
	closeBy   int64  // when to give up flushing, as sinceStart
	deadline  int64  // the owner's read deadline, as sinceStart; 0 is none
	wp        []byte // argument and results of the write callback
	wn        int
	we        error
}

// start is the origin of the times kept in a Conn: eight bytes instead of the
// twenty-four of a time.Time, and still on the monotonic clock.
var start = time.Now()

func sinceStart(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	if d := int64(t.Sub(start)); d > 0 {
		return d
	}
	return 1 // long past
}

func atStart(d int64) time.Time {
	if d == 0 {
		return time.Time{}
	}
	return start.Add(time.Duration(d))
}

// New makes a Conn of a connected socket, which it owns from then on. It fails
// only if the socket is already closed.
func New(sock Socket, o Options) (*Conn, error) {
	raw, err := sock.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("take over socket: %w", err)
	}
	c := &Conn{sock: sock, raw: raw, onClose: o.OnClose, writeTimeout: o.WriteTimeout}
	if c.writeTimeout <= 0 {
		c.writeTimeout = DefaultWriteTimeout
	}
	c.readFn = c.tryRead
	c.writeFn = c.tryWrite
	return c, nil
}

// RemoteAddr is the peer's address; an IPv4 peer of a dual-stack listener has
// its IPv4 address. It is the zero AddrPort if the socket is no TCP socket.
func (c *Conn) RemoteAddr() netip.AddrPort { return addrPort(c.sock.RemoteAddr()) }

// LocalAddr is the address on this side, in the form of RemoteAddr.
func (c *Conn) LocalAddr() netip.AddrPort { return addrPort(c.sock.LocalAddr()) }

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// Receive waits until the peer has sent something and returns it, decrypted.
// The slice is valid until the next Receive or Release. While it waits no
// buffer is held.
//
// Errors: io.EOF after the peer's end (it may still read); an error for which
// errors.Is(err, os.ErrDeadlineExceeded) holds after the read deadline, after
// which Receive may be called again with another deadline; net.ErrClosed after
// Close or CloseAfterFlush; ErrWriteTimeout after the connection was dropped
// for that; otherwise what the socket or TLS said. The caller still has to
// close the connection.
func (c *Conn) Receive() ([]byte, error) {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	if t := c.tls.Load(); t != nil && !t.ready.Load() {
		c.release()
		return nil, ErrHandshake
	}
	if c.pause.Load() != 0 {
		c.release()
	}
	for {
		if c.state.Load()&(stClosed|stClosing) != 0 {
			c.release()
			return nil, c.endReason()
		}
		c.rn, c.rerr = 0, nil
		err := c.raw.Read(c.readFn)
		if err == nil {
			if c.rn > 0 {
				return c.buf[:c.rn], nil
			}
			err = c.rerr
			c.release()
			if err == io.EOF {
				c.state.Or(stEOF)
				return nil, io.EOF
			}
			return nil, fmt.Errorf("receive: %w", err)
		}
		c.release()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if c.endPause() {
				continue
			}
			if c.state.Load()&(stClosed|stClosing) == 0 {
				return nil, fmt.Errorf("receive: %w", os.ErrDeadlineExceeded)
			}
		}
		return nil, c.endReason()
	}
}

// AwaitInput waits until Receive would return, without a buffer and on little
// stack: a goroutine that has not been deeper than this call keeps the smallest
// stack there is. It reads nothing, and says nothing about why it returned.
func (c *Conn) AwaitInput() {
	c.rmu.Lock()
	if c.state.Load()&(stClosed|stClosing) == 0 {
		c.release()
		_ = c.raw.Read(readable) // Receive meets the error again
	}
	c.rmu.Unlock()
}

// endReason says why the connection was closed on this side.
func (c *Conn) endReason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.werr != nil {
		return c.werr
	}
	return net.ErrClosed
}

// tryRead is called by the poller's wait with the descriptor: it reads without
// blocking, or returns false to wait on. It has to look at the socket in each
// call, since the poller forgets what became readable before the wait began.
func (c *Conn) tryRead(fd uintptr) bool {
	if p := c.pause.Load(); p != 0 && p > sinceStart(time.Now()) {
		return false // the read deadline ends the pause
	}
	if c.buf == nil {
		c.buf = takeBuf(c.grow)
	} else if c.grow && len(c.buf) == smallBuf {
		putBuf(c.buf)
		c.buf = takeBuf(true)
	}
	c.rfd = int(fd)
	var n int
	var err error
	if t := c.tls.Load(); t != nil {
		n, err = t.read(c.buf)
	} else {
		n, err = readFD(c.rfd, c.buf)
	}
	if err == errWouldBlock {
		c.grow = false
		c.release()
		return false
	}
	c.rn, c.rerr = n, err
	c.grow = n == len(c.buf)
	return true
}

// Release gives the buffer of the last Receive back before the owner does
// something that takes long.
func (c *Conn) Release() {
	c.rmu.Lock()
	c.release()
	c.rmu.Unlock()
}

func (c *Conn) release() {
	if c.buf != nil {
		putBuf(c.buf)
		c.buf = nil
	}
}

// SetReadDeadline sets when a Receive that has got nothing ends with an error
// that is os.ErrDeadlineExceeded; it acts on a Receive that waits, too. The
// zero time takes the deadline away.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = sinceStart(t)
	return c.applyDeadline()
}

// Pause makes the next Receive wait until d has passed, whatever arrives; the
// kernel's window then slows the peer down. A shorter read deadline and Close
// end the wait. d <= 0 does nothing.
func (c *Conn) Pause(d time.Duration) {
	if d <= 0 {
		return
	}
	c.mu.Lock()
	c.pause.Store(sinceStart(time.Now().Add(d)))
	c.applyDeadline()
	c.mu.Unlock()
}

// endPause tells whether the wait ended because a pause is over.
func (c *Conn) endPause() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pause.Load()
	if p == 0 || p > sinceStart(time.Now()) {
		return false
	}
	c.pause.Store(0)
	return c.applyDeadline() == nil
}

// applyDeadline sets the socket's read deadline to the earlier of the owner's
// and the end of the pause. While closing, the deadline belongs to linger.
func (c *Conn) applyDeadline() error {
	if c.state.Load()&(stClosed|stClosing) != 0 {
		return net.ErrClosed
	}
	d := c.deadline
	if p := c.pause.Load(); p != 0 && (d == 0 || p < d) {
		d = p
	}
	if t := c.tls.Load(); t != nil && t.until != 0 && (d == 0 || t.until < d) {
		d = t.until
	}
	return c.sock.SetReadDeadline(atStart(d))
}

// Write sends p to the peer and never blocks: what the kernel does not take
// now is copied and written later. A nil error therefore says nothing about
// the peer. Each call's bytes stay together. After an error nothing more can
// be written.
//
// Errors: net.ErrClosed after Close or CloseAfterFlush; ErrWriteTimeout;
// ErrHandshake; otherwise what the socket or TLS said.
func (c *Conn) Write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if t := c.tls.Load(); t != nil {
		if c.state.Load()&(stClosed|stClosing) != 0 {
			return c.endReason()
		}
		return t.write(c, p)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.Load()&(stClosed|stClosing) != 0 {
		if c.werr != nil {
			return c.werr
		}
		return net.ErrClosed
	}
	if c.tls.Load() != nil {
		return ErrHandshake // started meanwhile
	}
	return c.send(p)
}

// Congested tells whether output waits for the kernel to take it.
func (c *Conn) Congested() bool { return c.state.Load()&stCongested != 0 }

// Pending is the number of bytes, after encryption, that wait for the kernel.
func (c *Conn) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.out) - c.off
}

// OnDrain sets the function that is called each time Congested has turned from
// true to false because everything was written; not after an error or a close.
// It is called without locks by a goroutine of its own, and may write and
// close. nil takes it away.
func (c *Conn) OnDrain(f func()) {
	c.mu.Lock()
	c.onDrain = f
	c.mu.Unlock()
}

// send writes or keeps p. mu is held.
func (c *Conn) send(p []byte) error {
	if c.werr != nil {
		return c.werr
	}
	if c.state.Load()&stClosed != 0 {
		return net.ErrClosed
	}
	if !c.writing && c.corked == 0 && len(c.out) == 0 {
		n, err := c.writeNow(p)
		if err != nil {
			return err
		}
		p = p[n:]
		if len(p) == 0 {
			return nil
		}
	}
	c.keep(p)
	if !c.writing && c.corked == 0 {
		c.startWriter()
	}
	return nil
}

// writeNow gives the kernel what it takes of p. mu is held.
func (c *Conn) writeNow(p []byte) (int, error) {
	c.wp = p
	err := c.raw.Control(c.writeFn)
	n, we := c.wn, c.we
	c.wp, c.we = nil, nil
	if err != nil {
		return 0, net.ErrClosed
	}
	if we != nil && we != errWouldBlock {
		c.werr = fmt.Errorf("write: %w", we)
		return n, c.werr
	}
	return n, nil
}

func (c *Conn) tryWrite(fd uintptr) {
	c.wn, c.we = writeFD(int(fd), c.wp)
}

// keep appends p to the pending output. mu is held.
func (c *Conn) keep(p []byte) {
	switch {
	case c.out == nil && len(p) <= largeBuf:
		c.out = takeBuf(true)[:0]
	case c.off > 0 && cap(c.out)-len(c.out) < len(p):
		// Move down before growing; what is written is never kept.
		n := copy(c.out, c.out[c.off:])
		c.out, c.off = c.out[:n], 0
	}
	c.out = append(c.out, p...)
}

// uncork writes what was gathered. mu is held.
func (c *Conn) uncork() {
	if c.corked > 0 || c.writing {
		return
	}
	if c.flushing {
		// CloseAfterFlush left the end to whoever held the cork, also if
		// nothing was gathered: its write came too late or failed.
		c.startWriter()
		return
	}
	if c.off == len(c.out) {
		return
	}
	n, err := c.writeNow(c.out[c.off:])
	c.off += n
	switch {
	case err != nil || c.off == len(c.out):
		c.dropOut()
	default:
		c.startWriter()
	}
}

// dropOut forgets the output. mu is held.
func (c *Conn) dropOut() {
	if cap(c.out) == largeBuf {
		putBuf(c.out[:largeBuf])
	}
	c.out, c.off = nil, 0
}

// startWriter starts the goroutine that writes out. mu is held.
func (c *Conn) startWriter() {
	c.writing = true
	c.state.Or(stCongested)
	go c.writer()
}

// writeBy is when the writer gives up. mu is held.
func (c *Conn) writeBy() time.Time {
	by := time.Now().Add(c.writeTimeout)
	if c.closeBy != 0 {
		if t := atStart(c.closeBy); t.Before(by) {
			return t
		}
	}
	return by
}

// writer writes the pending output whenever the kernel takes some and ends
// when there is none left.
func (c *Conn) writer() {
	c.mu.Lock()
	c.sock.SetWriteDeadline(c.writeBy())
	c.mu.Unlock()
	err := c.raw.Write(func(fd uintptr) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		moved := false
		for c.off < len(c.out) {
			p := c.out[c.off:]
			n, err := writeFD(int(fd), p[:min(len(p), maxWrite)])
			c.off += n
			moved = moved || n > 0
			if err == errWouldBlock {
				if moved {
					c.sock.SetWriteDeadline(c.writeBy())
				}
				return false
			}
			if err != nil {
				if c.werr == nil {
					c.werr = fmt.Errorf("write: %w", err)
				}
				break
			}
		}
		c.stopWriting()
		return true
	})
	c.mu.Lock()
	if err != nil {
		timeout := errors.Is(err, os.ErrDeadlineExceeded)
		if timeout && c.werr == nil {
			c.werr = ErrWriteTimeout
		}
		c.stopWriting()
		c.mu.Unlock()
		if timeout {
			c.abort()
		}
		return
	}
	failed, flushing, f := c.werr != nil, c.flushing, c.onDrain
	c.mu.Unlock()
	switch {
	case flushing && failed:
		c.abort()
	case flushing:
		c.shutdown()
	case !failed && f != nil:
		f()
	}
}

// stopWriting ends the writer's duty. mu is held.
func (c *Conn) stopWriting() {
	c.dropOut()
	c.writing = false
	c.state.And(^uint32(stCongested))
}

// Close closes the connection at once. Pending output is lost; under TLS the
// peer is told the end if nothing is pending. A Receive that waits returns.
// Close may be called any number of times.
func (c *Conn) Close() error {
	if t := c.tls.Load(); t != nil && c.state.Load()&(stClosed|stClosing) == 0 {
		t.closeNotify()
	}
	return c.close(false)
}

// abort closes the socket so that the kernel forgets what it has not sent.
func (c *Conn) abort() { c.close(true) }

func (c *Conn) close(reset bool) error {
	c.mu.Lock()
	if c.state.Load()&stClosed != 0 {
		c.mu.Unlock()
		return nil
	}
	c.state.Or(stClosed)
	if c.werr == nil {
		c.werr = net.ErrClosed
	}
	if !c.writing {
		c.dropOut()
	}
	c.mu.Unlock()
	if reset {
		if l, ok := c.sock.(interface{ SetLinger(int) error }); ok {
			l.SetLinger(0)
		}
	}
	// Not under mu: closing waits for the callbacks, which take it.
	err := c.sock.Close()
	if c.onClose != nil {
		c.onClose(c)
	}
	return err
}

// CloseAfterFlush refuses further writes, makes Receive return, and closes the
// connection when the pending output has been written and the peer has closed
// its side. It returns at once. Nothing that was written is destroyed by what
// the peer still sends: that is read and thrown away, within bounds (2 s after
// the last byte was written and 1 MiB). If the peer takes longer than timeout
// to accept the output, the connection is dropped.
func (c *Conn) CloseAfterFlush(timeout time.Duration) {
	c.mu.Lock()
	if c.state.Load()&(stClosed|stClosing) != 0 {
		c.mu.Unlock()
		return
	}
	c.state.Or(stClosing)
	c.closeBy = sinceStart(time.Now().Add(timeout))
	c.sock.SetReadDeadline(start) // wakes the owner
	c.mu.Unlock()

	if t := c.tls.Load(); t != nil {
		t.closeNotify()
	}

	c.mu.Lock()
	c.flushing = true
	writing, failed := c.writing || c.corked > 0, c.werr != nil
	if c.writing {
		c.sock.SetWriteDeadline(c.writeBy())
	}
	c.mu.Unlock()
	switch {
	case failed && !writing:
		c.close(false)
		return
	case !writing:
		c.shutdown()
	}
	if c.state.Load()&stClosed == 0 {
		go c.linger()
	}
}

// shutdown ends the output after the last byte was written.
func (c *Conn) shutdown() {
	err := c.sock.CloseWrite()
	c.mu.Lock()
	c.state.Or(stFlushed)
	done := c.readDone || err != nil || c.state.Load()&stEOF != 0
	if !done {
		c.closeBy = sinceStart(time.Now().Add(lingerTime))
		if c.state.Load()&stClosed == 0 {
			c.lingerDeadline()
		}
	}
	c.mu.Unlock()
	if done {
		c.close(false)
	}
}
