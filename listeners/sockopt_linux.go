package listeners

import (
	"net"

	"golang.org/x/sys/unix"
)

// Keepalive: a peer that is silent for idle is asked every interval; after
// count questions without answer it is gone. Asking is rare, because it wakes
// the radio of a mobile phone, and far below the five minutes and more after
// which networks forget a connection.
const (
	keepIdle     = 240 // seconds
	keepInterval = 30  // seconds
	keepCount    = 4
)

// setOptions prepares a listening socket. Connections inherit all of it, so it
// costs them no system call.
func setOptions(fd int) error {
	for _, o := range []struct{ level, name, value int }{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, keepIdle},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, keepInterval},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepCount},
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
	} {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return err
		}
	}
	return nil
}

// grantedBacklog is the backlog that the kernel uses, 0 if it does not tell.
func grantedBacklog(l *net.TCPListener) int {
	raw, err := l.SyscallConn()
	if err != nil {
		return 0
	}
	n := 0
	raw.Control(func(fd uintptr) {
		// For a listening socket these fields are the length and the
		// limit of its queue.
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n = int(info.Sacked)
		}
	})
	return n
}
