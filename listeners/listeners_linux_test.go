package listeners

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

func TestSocketOptionsAreInherited(t *testing.T) {
	got := make(chan map[string]int, 1)
	log, _ := logger()
	s := start(t, log, Spec{Module: "m", Addr: at("127.0.0.1", 0), Serve: func(l net.Listener) error {
		for {
			c, err := l.Accept()
			if err != nil {
				return err
			}
			raw, err := c.(syscall.Conn).SyscallConn()
			if err != nil {
				return err
			}
			m := map[string]int{}
			raw.Control(func(fd uintptr) {
				for name, o := range map[string][2]int{
					"nodelay": {unix.IPPROTO_TCP, unix.TCP_NODELAY}, "keepalive": {unix.SOL_SOCKET, unix.SO_KEEPALIVE},
					"idle": {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE}, "interval": {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
					"count": {unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
				} {
					m[name], _ = unix.GetsockoptInt(int(fd), o[0], o[1])
				}
			})
			got <- m
			c.Close()
		}
	}})
	dial(t, s.Listeners()[0].Addr())
	m := <-got
	for name, want := range map[string]int{"nodelay": 1, "keepalive": 1, "idle": keepIdle, "interval": keepInterval, "count": keepCount} {
		if m[name] != want {
			t.Errorf("%s is %d on a connection, want %d", name, m[name], want)
		}
	}
}

// holder finds a process of its own, here a child that listens.
func TestHolderNamesAnotherProcess(t *testing.T) {
	if _, err := os.Stat("/proc/self/net/tcp"); err != nil {
		t.Skip("no /proc")
	}
	py, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 to listen")
	}
	cmd := exec.Command(py, "-c", "import socket\ns=socket.socket(); s.bind(('127.0.0.1',0)); s.listen(); print(s.getsockname()[1], flush=True); input()")
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	var port uint16
	if _, err := fmt.Fscan(out, &port); err != nil {
		t.Fatal(err)
	}
	if got, want := holder(port), fmt.Sprintf("(process %d)", cmd.Process.Pid); !strings.HasPrefix(got, "python3") || !strings.HasSuffix(got, want) {
		t.Errorf("holder %q, want python3… %s", got, want)
	}
}

func TestListeningTable(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1466 00000000:0000 0A 00000000:00000000 00:00000000 00000000   107        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1466 0100007F:C350 01 00000000:00000000 00:00000000 00000000   108        0 4712 1 0000000000000000 20 4 30 10 -1
   2: 0100007F:1467 00000000:0000 0A 00000000:00000000 00:00000000 00000000   109        0 4713 1 0000000000000000 100 0 0 10 0
short line
`
	got := map[string]string{}
	listening(bufio.NewScanner(strings.NewReader(table)), 5222, got)
	if len(got) != 1 || got["4711"] != "107" {
		t.Errorf("found %v, want inode 4711 of user 107", got)
	}
}

// The option backlog must reach the kernel.
func TestBacklog(t *testing.T) {
	log, logs := logger()
	for _, tt := range []struct{ set, want int }{{1, 1}, {7, 7}, {0, DefaultBacklog}, {1000, 1000}} {
		s := start(t, log, Spec{Module: "m", Addr: at("127.0.0.1", 0), Backlog: tt.set, Handle: echo})
		l := s.Listeners()[0]
		if got := grantedBacklog(l.sock); got != tt.want {
			t.Errorf("backlog %d: the kernel has %d, want %d", tt.set, got, tt.want)
		}
		ss, err := exec.Command("ss", "-ltnH", "sport", "=", fmt.Sprint(l.Addr().Port())).Output()
		if err != nil {
			continue // no ss: the kernel's own word has to do
		}
		if f := strings.Fields(string(ss)); len(f) < 3 || f[2] != fmt.Sprint(tt.want) {
			t.Errorf("backlog %d: ss says %q", tt.set, ss)
		}
	}
	if n := logs.FilterLevelExact(zap.WarnLevel).Len(); n != 0 {
		t.Errorf("%d warnings for backlogs that the kernel grants", n)
	}
	start(t, log, Spec{Module: "m", Addr: at("127.0.0.1", 0), Backlog: 1 << 30, Handle: echo})
	if n := logs.FilterMessageSnippet("somaxconn").Len(); n != 1 {
		t.Errorf("a backlog that is cut gives %d warnings, want 1", n)
	}
}
