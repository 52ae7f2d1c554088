package listeners

import (
	"bufio"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// holder tells which process listens on a TCP port, as far as /proc lets this
// process see: "beam.smp (process 17)", "a process of user ejabberd", or "".
func holder(port uint16) string {
	inodes := map[string]string{} // of listening sockets, with the owner's uid
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		listening(bufio.NewScanner(f), port, inodes)
		f.Close()
	}
	if len(inodes) == 0 {
		return ""
	}
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		link, err := os.Readlink(fd)
		if err != nil || !strings.HasPrefix(link, "socket:[") {
			continue
		}
		if _, ok := inodes[strings.TrimSuffix(strings.TrimPrefix(link, "socket:["), "]")]; !ok {
			continue
		}
		pid := strings.Split(fd, "/")[2]
		if pid == strconv.Itoa(os.Getpid()) {
			return "this process"
		}
		name, err := os.ReadFile("/proc/" + pid + "/comm")
		if err != nil {
			continue
		}
		return fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(name)), pid)
	}
	for _, uid := range inodes {
		if u, err := user.LookupId(uid); err == nil {
			return "a process of user " + u.Username
		}
		return "a process of user " + uid
	}
	return ""
}

// listening collects the listening sockets of a port from a table of
// /proc/net/tcp: inode and uid.
func listening(table *bufio.Scanner, port uint16, inodes map[string]string) {
	want := fmt.Sprintf(":%04X", port)
	for table.Scan() {
		f := strings.Fields(table.Text())
		const local, state, uid, inode = 1, 3, 7, 9
		if len(f) > inode && strings.HasSuffix(f[local], want) && f[state] == "0A" {
			inodes[f[inode]] = f[uid]
		}
	}
}
