package conn

import (
	"syscall"
	"unsafe"
)

// readable tells whether a read would return at once. It makes the system call
// itself: the functions of package syscall need more stack than AwaitInput has.
func readable(fd uintptr) bool {
	var b [1]byte
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b)), 1,
		syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
	return errno != syscall.EAGAIN
}
