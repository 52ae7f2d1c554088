package conn

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The measurements run an echo server in a process of its own, so that its
// memory and CPU time are not mixed with the clients'.
//
//	go test -run '^$' -bench 'Idle|Echo' -benchtime 1x ./listeners/conn

const serverEnv = "MEERKAT_CONN_BENCH_SERVER"

// benchServer is the server process. It serves the kind that serverEnv names
// and answers "mem" and "cpu" on its standard input.
func benchServer() {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		panic(err)
	}
	serve := map[string]func(*net.TCPConn, *tls.Config){
		"conn": serveConn, "conntls": serveConn, "bufio": serveBufio, "bufiotls": serveBufio,
	}[os.Getenv(serverEnv)]
	var cfg *tls.Config
	if strings.HasSuffix(os.Getenv(serverEnv), "tls") {
		cfg = serverConfig(nil)
	}
	go func() {
		for {
			nc, err := l.AcceptTCP()
			if err != nil {
				return
			}
			go serve(nc, cfg)
		}
	}()
	fmt.Println(l.Addr())

	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case "mem":
			runtime.GC()
			runtime.GC()
			debug.FreeOSMemory()
			fmt.Println(rss())
		case "cpu":
			fmt.Println(cpu())
		}
	}
}

func serveConn(nc *net.TCPConn, cfg *tls.Config) {
	c, err := New(nc, Options{})
	if err != nil {
		return
	}
	defer c.Close()
	if cfg != nil && c.StartTLS(cfg, time.Minute) != nil {
		return
	}
	for {
		p, err := c.Receive()
		if err != nil {
			return
		}
		if c.Write(p) != nil {
			return
		}
	}
}

func serveBufio(nc *net.TCPConn, cfg *tls.Config) {
	defer nc.Close()
	var c net.Conn = nc
	if cfg != nil {
		c = tls.Server(nc, cfg)
	}
	r := bufio.NewReaderSize(c, 4096)
	for {
		if _, err := r.Peek(1); err != nil {
			return
		}
		p, _ := r.Peek(r.Buffered())
		if _, err := c.Write(p); err != nil {
			return
		}
		r.Discard(len(p))
	}
}

func rss() int {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, s, _ := strings.Cut(string(b), "VmRSS:")
	kb, _ := strconv.Atoi(strings.Fields(s)[0])
	return kb << 10
}

func cpu() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

type server struct {
	addr string
	in   io.WriteCloser
	out  *bufio.Scanner
}

func startServer(t testing.TB, kind string) *server {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverEnv+"="+kind)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{in: in, out: bufio.NewScanner(out)}
	if !s.out.Scan() {
		t.Fatal("the server does not start")
	}
	s.addr = s.out.Text()
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	return s
}

func (s *server) ask(t testing.TB, what string) int64 {
	t.Helper()
	fmt.Fprintln(s.in, what)
	if !s.out.Scan() {
		t.Fatal("the server has gone")
	}
	n, err := strconv.ParseInt(s.out.Text(), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// dial opens n connections, each after one echo of 200 bytes.
func (s *server) dial(t testing.TB, n int, secure bool) []net.Conn {
	t.Helper()
	conns := make([]net.Conn, n)
	var wg sync.WaitGroup
	gate := make(chan struct{}, 32)
	for i := range conns {
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			c, err := net.Dial("tcp4", s.addr)
			if err != nil {
				t.Error(err)
				return
			}
			if secure {
				c = tls.Client(c, clientConfig())
			}
			p := make([]byte, 200)
			c.Write(p)
			if _, err := io.ReadFull(c, p); err != nil {
				t.Error(err)
			}
			conns[i] = c
		})
	}
	wg.Wait()
	t.Cleanup(func() {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	return conns
}

// idle returns the resident bytes per idle connection.
func idle(t testing.TB, kind string, n int) float64 {
	s := startServer(t, kind)
	secure := strings.HasSuffix(kind, "tls")
	s.dial(t, 100, secure) // what the process needs once
	before := s.ask(t, "mem")
	s.dial(t, n, secure)
	return float64(s.ask(t, "mem")-before) / float64(n)
}

// The budget of an idle connection, its goroutine included.
func TestIdleMemory(t *testing.T) {
	if raceEnabled || testing.Short() || runtime.GOOS != "linux" {
		t.Skip("measures the real memory of 2,000 connections")
	}
	for kind, limit := range map[string]float64{"conn": 4.5 * 1024, "conntls": 15 * 1024} {
		if got := idle(t, kind, 2000); got > limit {
			t.Errorf("%s: %.0f bytes per idle connection, want %.0f at most", kind, got, limit)
		}
	}
}

func BenchmarkIdle(b *testing.B) {
	for _, kind := range []string{"conn", "bufio", "conntls", "bufiotls"} {
		b.Run(kind, func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(idle(b, kind, 8000), "B/conn")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkEcho gives echoes per second of the server's CPU time, over 100
// connections with w messages of 100 bytes under way, written together or each
// alone (under TLS each is a record then).
func BenchmarkEcho(b *testing.B) {
	for _, kind := range []string{"conn", "bufio", "conntls", "bufiotls"} {
		for _, load := range []struct {
			w, writes int
		}{{1, 1}, {16, 1}, {16, 16}, {160, 1}} {
			b.Run(fmt.Sprintf("%s/w=%d/writes=%d", kind, load.w, load.writes), func(b *testing.B) {
				for b.Loop() {
					s := startServer(b, kind)
					conns := s.dial(b, 100, strings.HasSuffix(kind, "tls"))
					rounds := 4000 / min(load.w, 4)
					before := s.ask(b, "cpu")
					var wg sync.WaitGroup
					for _, c := range conns {
						wg.Go(func() {
							out, in := make([]byte, 100*load.w), make([]byte, 100*load.w)
							for range rounds {
								for p := range slices.Chunk(out, len(out)/load.writes) {
									c.Write(p)
								}
								if _, err := io.ReadFull(c, in); err != nil {
									b.Error(err)
									return
								}
							}
						})
					}
					wg.Wait()
					used := s.ask(b, "cpu") - before
					b.ReportMetric(float64(100*rounds*load.w)/(float64(used)/1e9), "echoes/cpu-s")
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// Benchmarks of one receive and one write, for allocations.
func BenchmarkReceiveWrite(b *testing.B) {
	for _, secure := range []bool{false, true} {
		b.Run(map[bool]string{false: "plain", true: "TLS"}[secure], func(b *testing.B) {
			c, cl := pair(b, Options{})
			peer := net.Conn(cl)
			if secure {
				peer = startTLS(b, c, cl, nil, nil)
			}
			go func() {
				for {
					p, err := c.Receive()
					if err != nil {
						return
					}
					c.Write(p)
				}
			}()
			p := make([]byte, 200)
			b.ReportAllocs()
			for b.Loop() {
				peer.Write(p)
				if _, err := io.ReadFull(peer, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
