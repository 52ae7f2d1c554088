package listeners

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"meerkat/listeners/conn"
)

const (
	// DefaultBacklog is the length of the queue of connections not yet
	// accepted when a Spec has none (option backlog).
	DefaultBacklog = 100
	// DefaultTries is how often a bind is tried while the port is in use.
	DefaultTries = 10
	// DefaultRetryDelay is the time between two tries.
	DefaultRetryDelay = 100 * time.Millisecond
)

// A Spec declares one listener: an entry of the listen clause.
type Spec struct {
	// Module is the name of the listener module as the file has it,
	// "ejabberd_c2s". It is used in logs and errors only.
	Module string
	// Origin is where the entry stands, "ejabberd.cfg:12". May be empty.
	Origin string
	// Addr is the address to bind. Port 0 takes a free port. An IPv4 address
	// in IPv6 form is taken as the IPv4 address.
	Addr netip.AddrPort
	// Backlog is the length of the queue of connections that wait to be
	// accepted, at least 1. The kernel cuts it to net.core.somaxconn, which is
	// logged. 0 means DefaultBacklog.
	Backlog int
	// Tries is how often the bind is tried, RetryDelay apart, while the port
	// is in use. 0 means DefaultTries and DefaultRetryDelay. (The HTTP
	// listener has options for both: retries and retry delay of cowboy.)
	Tries      int
	RetryDelay time.Duration
	// Handle is called for each connection in a goroutine of its own and
	// owns the connection. It may return before the connection has ended, so
	// that the goroutine of an idle connection need not be this one; in any
	// case it sees to it that done, which is the same for all connections, is
	// called once, when nothing is left to do for the connection. When Handle
	// panics, that is logged, the connection closed, and done called for it.
	Handle func(c *conn.Conn, done func())
	// WriteTimeout is that of the connections given to Handle. 0 means
	// conn.DefaultWriteTimeout.
	WriteTimeout time.Duration
	// Serve, in place of Handle, is called once in a goroutine of its own with
	// a net.Listener whose Accept waits out temporary errors and whose
	// connections are counted until they are closed. It returns when Accept
	// fails with net.ErrClosed.
	Serve func(net.Listener) error
}

// check finds programmers' mistakes and values that no socket takes.
func (s *Spec) check() error {
	switch {
	case (s.Handle == nil) == (s.Serve == nil):
		return errors.New("needs either Handle or Serve")
	case !s.Addr.Addr().IsValid():
		return errors.New("has no address")
	case s.Backlog < 0:
		return fmt.Errorf("backlog %d is negative", s.Backlog)
	}
	return nil
}

// key identifies a listener: two with the same key cannot both be bound.
func (s *Spec) key() netip.AddrPort {
	return netip.AddrPortFrom(s.Addr.Addr().Unmap(), s.Addr.Port())
}

// String names the listener for messages: "ejabberd_c2s on 0.0.0.0:5222
// (ejabberd.cfg:12)".
func (s *Spec) String() string { return s.name(s.key()) }

func (s *Spec) name(at netip.AddrPort) string {
	n := fmt.Sprintf("%s on %s", s.Module, at)
	if s.Origin != "" {
		n += " (" + s.Origin + ")"
	}
	return n
}
