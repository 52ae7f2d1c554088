package listeners

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"meerkat/listeners/conn"
)

// Pauses after an accept that failed.
const (
	firstPause = 5 * time.Millisecond
	longPause  = time.Second
)

// A Listener accepts connections for one Spec.
type Listener struct {
	spec Spec
	sock *net.TCPListener
	addr netip.AddrPort
	log  *zap.Logger
	done func()        // l.handled, made once
	stop chan struct{} // closed by Stop
	once sync.Once
	wg   sync.WaitGroup // the accept loop or Serve

	// mu guards the connections and the count of running handlers.
	mu       sync.Mutex
	open     map[io.Closer]struct{}
	handlers int
	idle     chan struct{} // closed when nothing is open or runs; nil if nobody waits
}

// newListener makes a Listener of a bound socket. It does not accept yet.
func newListener(s Spec, sock *net.TCPListener, log *zap.Logger) *Listener {
	l := &Listener{
		spec: s, sock: sock, stop: make(chan struct{}), open: map[io.Closer]struct{}{},
		addr: sock.Addr().(*net.TCPAddr).AddrPort(),
	}
	l.addr = netip.AddrPortFrom(l.addr.Addr().Unmap(), l.addr.Port())
	l.done = l.handled
	l.log = log.With(zap.String("listener", s.Module), zap.Stringer("address", l.addr))
	if s.Origin != "" {
		l.log = l.log.With(zap.String("origin", s.Origin))
	}
	return l
}

// start begins to accept.
func (l *Listener) start() {
	if got := grantedBacklog(l.sock); got != 0 && got < l.spec.backlog() {
		l.log.Warn("backlog cut by the kernel; raise net.core.somaxconn",
			zap.Int("backlog", l.spec.backlog()), zap.Int("granted", got))
	}
	l.log.Info("listening")
	if l.spec.Serve != nil {
		l.wg.Go(func() {
			if err := l.spec.Serve((*served)(l)); err != nil && !l.stopped() {
				l.log.Error("listener ended", zap.Error(err))
			}
		})
		return
	}
	l.wg.Go(l.loop)
}

// Addr is the address that the listener is bound to.
func (l *Listener) Addr() netip.AddrPort { return l.addr }

// Module is the name of its module.
func (l *Listener) Module() string { return l.spec.Module }

// Origin is where it was declared: "ejabberd.cfg:12", or "".
func (l *Listener) Origin() string { return l.spec.Origin }

// String names the listener for messages.
func (l *Listener) String() string { return l.spec.name(l.addr) }

// loop hands each connection to a goroutine of its own.
func (l *Listener) loop() {
	for {
		nc, err := l.accept()
		if err != nil {
			return
		}
		l.mu.Lock()
		l.handlers++
		l.mu.Unlock()
		go l.handle(nc)
	}
}

// accept waits for a connection. It returns an error only when the listener
// is stopped: everything else passes, and is waited for.
func (l *Listener) accept() (*net.TCPConn, error) {
	var pause time.Duration
	var since time.Time
	for {
		nc, err := l.sock.AcceptTCP()
		if err == nil {
			if pause > 0 {
				l.log.Info("accepting again", zap.Duration("after", time.Since(since)))
			}
			if ce := l.log.Check(zap.DebugLevel, "accepted"); ce != nil {
				ce.Write(zap.Stringer("peer", nc.RemoteAddr()), zap.Stringer("local", nc.LocalAddr()))
			}
			return nc, nil
		}
		if l.stopped() || errors.Is(err, net.ErrClosed) {
			return nil, net.ErrClosed
		}
		if pause == 0 {
			pause, since = firstPause, time.Now()
			l.log.Error("cannot accept connections for now", append(adviceFor(err), zap.Error(err))...)
		}
		select {
		case <-l.stop:
			return nil, net.ErrClosed
		case <-time.After(pause):
		}
		pause = min(2*pause, longPause)
	}
}

// adviceFor says what to do about an error of accept.
func adviceFor(err error) []zapcore.Field {
	switch {
	case errors.Is(err, syscall.EMFILE):
		var lim syscall.Rlimit
		f := []zapcore.Field{zap.String("help", "raise the limit of open files: LimitNOFILE in the systemd unit, or ulimit -n")}
		if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim) == nil {
			f = append(f, zap.Uint64("limit", uint64(lim.Cur)))
		}
		return f
	case errors.Is(err, syscall.ENFILE):
		return []zapcore.Field{zap.String("help", "the whole machine has no file left: raise sysctl fs.file-max")}
	case errors.Is(err, syscall.ENOBUFS), errors.Is(err, syscall.ENOMEM):
		return []zapcore.Field{zap.String("help", "the kernel has no memory left for sockets")}
	}
	return nil
}

// handle runs the module's handler.
func (l *Listener) handle(nc *net.TCPConn) {
	var c *conn.Conn
	defer func() {
		// One peer's connection must not end the node and everybody else's.
		if p := recover(); p != nil {
			l.log.Error("connection handler failed", zap.String("panic", fmt.Sprint(p)),
				zap.Stringer("peer", nc.RemoteAddr()), zap.ByteString("stack", debug.Stack()))
			if c != nil {
				c.Close()
			}
			l.handled()
		}
	}()
	c, err := conn.New(nc, conn.Options{WriteTimeout: l.spec.WriteTimeout, OnClose: l.forget})
	if err != nil {
		nc.Close()
		l.handled()
		return
	}
	l.remember(c)
	l.spec.Handle(c, l.done)
}

// handled counts a handler that is done.
func (l *Listener) handled() {
	l.mu.Lock()
	l.handlers--
	l.check()
	l.mu.Unlock()
}

func (l *Listener) remember(c io.Closer) {
	l.mu.Lock()
	l.open[c] = struct{}{}
	l.mu.Unlock()
}

func (l *Listener) forget(c *conn.Conn) { l.remove(c) }

func (l *Listener) remove(c io.Closer) {
	l.mu.Lock()
	delete(l.open, c)
	l.check()
	l.mu.Unlock()
}

// check tells those who wait when nothing is left. mu is held.
func (l *Listener) check() {
	if l.idle != nil && l.handlers == 0 && len(l.open) == 0 {
		close(l.idle)
		l.idle = nil
	}
}

// Count is the number of open connections.
func (l *Listener) Count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

func (l *Listener) stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// Stop closes the listening socket and waits until nothing is accepted any
// more. Connections stay. It may be called again.
func (l *Listener) Stop() {
	l.once.Do(func() {
		close(l.stop)
		l.sock.Close()
		l.log.Info("stopped listening")
	})
	l.wg.Wait()
}

// CloseAll closes the connections that are open now.
func (l *Listener) CloseAll() {
	l.mu.Lock()
	all := make([]io.Closer, 0, len(l.open))
	for c := range l.open {
		all = append(all, c)
	}
	l.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
}

// Each calls f with each open connection that Handle got, without locks.
func (l *Listener) Each(f func(*conn.Conn)) {
	l.mu.Lock()
	all := make([]*conn.Conn, 0, len(l.open))
	for c := range l.open {
		if c, ok := c.(*conn.Conn); ok {
			all = append(all, c)
		}
	}
	l.mu.Unlock()
	for _, c := range all {
		f(c)
	}
}

// Wait waits until all connections are closed and all handlers have returned,
// or ctx ends, whose error it returns then. Stop should have been called.
func (l *Listener) Wait(ctx context.Context) error {
	l.mu.Lock()
	if l.handlers == 0 && len(l.open) == 0 {
		l.mu.Unlock()
		return nil
	}
	if l.idle == nil {
		l.idle = make(chan struct{})
	}
	idle := l.idle
	l.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for connections of %s: %w", l, ctx.Err())
	}
}

// served is the net.Listener given to Spec.Serve.
type served Listener

// Accept waits for a connection and out temporary errors.
func (s *served) Accept() (net.Conn, error) {
	l := (*Listener)(s)
	nc, err := l.accept()
	if err != nil {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.sock.Addr(), Err: err}
	}
	c := &counted{TCPConn: nc, l: l}
	l.remember(c)
	return c, nil
}

// Close closes the listening socket. It does not wait, unlike Stop, because
// it is called from within Serve.
func (s *served) Close() error {
	l := (*Listener)(s)
	l.once.Do(func() {
		close(l.stop)
		l.sock.Close()
		l.log.Info("stopped listening")
	})
	return nil
}

// Addr is the bound address.
func (s *served) Addr() net.Addr { return s.sock.Addr() }

// counted is a connection of Serve; it is open until its Close.
type counted struct {
	*net.TCPConn
	l    *Listener
	gone atomic.Bool
}

// Close closes the connection.
func (c *counted) Close() error {
	if c.gone.CompareAndSwap(false, true) {
		c.l.remove(c)
	}
	return c.TCPConn.Close()
}
