//go:build unix && !linux

package listeners

import (
	"net"
	"syscall"
)

// setOptions prepares a listening socket; connections inherit it.
func setOptions(fd int) error {
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1); err != nil {
		return err
	}
	return syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
}

// grantedBacklog is unknown here.
func grantedBacklog(*net.TCPListener) int { return 0 }
