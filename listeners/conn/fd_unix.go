//go:build unix

package conn

import (
	"io"
	"syscall"
)

// wouldBlock says that the socket has nothing or takes nothing now. It is a
// temporary time-out to crypto/tls, which then keeps a partial record.
type wouldBlock struct{}

func (wouldBlock) Error() string   { return "operation would block" }
func (wouldBlock) Timeout() bool   { return true }
func (wouldBlock) Temporary() bool { return true }

var errWouldBlock error = wouldBlock{}

// readFD reads without blocking. It returns errWouldBlock if nothing is there
// and io.EOF at the peer's end.
func readFD(fd int, p []byte) (int, error) {
	for {
		n, err := syscall.Read(fd, p)
		switch {
		case n > 0:
			return n, nil
		case err == nil:
			return 0, io.EOF
		case err == syscall.EAGAIN:
			return 0, errWouldBlock
		case err != syscall.EINTR:
			return 0, err
		}
	}
}

// writeFD writes without blocking. It returns what the kernel took, with
// errWouldBlock if that is not everything.
func writeFD(fd int, p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := syscall.Write(fd, p[done:])
		if n > 0 {
			done += n
		}
		switch err {
		case nil, syscall.EINTR:
		case syscall.EAGAIN:
			return done, errWouldBlock
		default:
			return done, err
		}
	}
	return done, nil
}
