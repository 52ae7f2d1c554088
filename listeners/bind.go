package listeners

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"
)

// A BindError tells why a listener could not be started.
type BindError struct {
	// Listener names it: "ejabberd_c2s on 0.0.0.0:5222 (ejabberd.cfg:12)".
	Listener string
	// Reason is what is wrong: "port already in use by beam.smp (process 17)".
	Reason string
	// Help is what to do about it; may be empty.
	Help string
	// Err is the system's error.
	Err error
}

// Error is one line without the help.
func (e *BindError) Error() string { return "start " + e.Listener + ": " + e.Reason }

// Unwrap gives the system's error.
func (e *BindError) Unwrap() error { return e.Err }

// bind opens the listening socket of s. It tries again while the port is in
// use. v6only keeps IPv4 away from "::".
func bind(ctx context.Context, s *Spec, v6only bool) (*net.TCPListener, error) {
	tries, delay := s.Tries, s.RetryDelay
	if tries <= 0 {
		tries, delay = DefaultTries, DefaultRetryDelay
	}
	for try := 1; ; try++ {
		l, err := bindOnce(ctx, s, v6only)
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) || try >= tries {
			return nil, explain(s, err)
		}
		select {
		case <-ctx.Done():
			return nil, explain(s, err)
		case <-time.After(delay):
		}
	}
}

func bindOnce(ctx context.Context, s *Spec, v6only bool) (*net.TCPListener, error) {
	at := s.key()
	network := "tcp6"
	switch {
	case at.Addr().Is4():
		network = "tcp4" // "tcp" would take 0.0.0.0 for both families
	case at.Addr().IsUnspecified() && !v6only:
		network = "tcp"
	}
	lc := net.ListenConfig{
		Control: func(_, _ string, raw syscall.RawConn) error {
			var err error
			if cerr := raw.Control(func(fd uintptr) { err = setOptions(int(fd)) }); cerr != nil {
				return cerr
			}
			return err
		},
		KeepAlive: -1, // inherited from the listening socket
	}
	// A socket of multipath TCP takes other options than one of TCP, and its
	// connections cost more.
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(ctx, network, at.String())
	if err != nil {
		return nil, err
	}
	tl := l.(*net.TCPListener)
	if err := setBacklog(tl, s.backlog()); err != nil {
		tl.Close()
		return nil, fmt.Errorf("set backlog %d: %w", s.backlog(), err)
	}
	return tl, nil
}

func (s *Spec) backlog() int {
	if s.Backlog == 0 {
		return DefaultBacklog
	}
	return s.Backlog
}

// setBacklog replaces the backlog that package net has chosen: listen(2) may
// be called again.
func setBacklog(l *net.TCPListener, n int) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := raw.Control(func(fd uintptr) { err = syscall.Listen(int(fd), n) }); cerr != nil {
		return cerr
	}
	return err
}

// explain turns a bind's error into one that says what to do.
func explain(s *Spec, err error) *BindError {
	at := s.key()
	e := &BindError{Listener: s.String(), Err: err}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		e.Reason = "port already in use"
		e.Help = "stop the program that has the port, or give this listener another one"
		if h := holder(at.Port()); h != "" {
			e.Reason += " by " + h
		}
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		e.Reason = fmt.Sprintf("address %s is not an address of this machine", at.Addr())
		e.Help = "use 0.0.0.0 or :: for all addresses"
		if own := ownAddresses(at.Addr()); own != "" {
			e.Help += ", or one of " + own
		}
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		e.Reason = fmt.Sprintf("no permission to listen on port %d", at.Port())
		if at.Port() < 1024 {
			e.Help = "ports below 1024 need a right: AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit, " +
				"setcap cap_net_bind_service=+ep on the program, or sysctl net.ipv4.ip_unprivileged_port_start"
		}
	case errors.Is(err, syscall.EAFNOSUPPORT), errors.Is(err, syscall.EPROTONOSUPPORT):
		e.Reason = "this machine has no IPv6"
		e.Help = "use 0.0.0.0 in place of ::"
	default:
		e.Reason = reasonOf(err)
	}
	return e
}

// reasonOf leaves out what package net wraps around the system's error: the
// address is said already.
func reasonOf(err error) string {
	var se *os.SyscallError
	if errors.As(err, &se) {
		return se.Syscall + ": " + se.Err.Error()
	}
	return err.Error()
}

// ownAddresses lists the addresses of this machine in the family of a, a few
// at most.
func ownAddresses(a netip.Addr) string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	var own []string
	for _, ia := range all {
		p, err := netip.ParsePrefix(ia.String())
		if err == nil && p.Addr().Is4() == a.Is4() && !p.Addr().IsLinkLocalUnicast() && len(own) < 6 {
			own = append(own, p.Addr().String())
		}
	}
	return strings.Join(own, ", ")
}
