package conn

import "golang.org/x/sys/unix"

func ioctlUnread(fd int) int {
	n, err := unix.IoctlGetInt(fd, fionread)
	if err != nil {
		return 0
	}
	return n
}
