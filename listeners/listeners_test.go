package listeners

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"meerkat/listeners/conn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var local = netip.MustParseAddr("127.0.0.1")

func at(ip string, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(ip), port)
}

// echo is a handler that sends back what it gets.
func echo(c *conn.Conn, done func()) {
	defer done()
	defer c.Close()
	for {
		p, err := c.Receive()
		if err != nil || c.Write(p) != nil {
			return
		}
	}
}

func logger() (*zap.Logger, *observer.ObservedLogs) {
	core, logs := observer.New(zap.DebugLevel)
	return zap.New(core), logs
}

// start starts specs and ends them with the test.
func start(t testing.TB, log *zap.Logger, specs ...Spec) *Set {
	t.Helper()
	s, err := Start(context.Background(), specs, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { finish(t, s) })
	return s
}

func finish(t testing.TB, s *Set) {
	s.Stop()
	s.CloseAll()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Wait(ctx); err != nil {
		t.Error(err)
	}
}

func dial(t testing.TB, a netip.AddrPort) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", a.String(), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// says sends text and wants it back.
func says(t testing.TB, c net.Conn, text string) {
	t.Helper()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(c, text)
	p := make([]byte, len(text))
	if _, err := io.ReadFull(c, p); err != nil || string(p) != text {
		t.Fatalf("got %q, %v; want %q", p, err, text)
	}
}

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not reached in 10 s: %s", what)
		}
	}
}

// taken listens on a free port of 127.0.0.1 and returns it.
func taken(t testing.TB) (net.Listener, uint16) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, l.Addr().(*net.TCPAddr).AddrPort().Port()
}

func hasIPv6(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here: ", err)
	}
	l.Close()
}

func TestAcceptAndStop(t *testing.T) {
	log, logs := logger()
	s := start(t, log, Spec{Module: "ejabberd_c2s", Origin: "ejabberd.cfg:12", Addr: at("127.0.0.1", 0), Handle: echo})
	l := s.Listeners()[0]
	if l.Addr().Port() == 0 || l.Addr().Addr() != local {
		t.Fatalf("address %v", l.Addr())
	}
	if got, want := l.String(), fmt.Sprintf("ejabberd_c2s on 127.0.0.1:%d (ejabberd.cfg:12)", l.Addr().Port()); got != want {
		t.Errorf("name %q, want %q", got, want)
	}
	if l.Module() != "ejabberd_c2s" || s.Origin(l.Addr()) != "ejabberd.cfg:12" || s.Origin(at("127.0.0.1", 1)) != "" {
		t.Errorf("module %q, origin %q", l.Module(), s.Origin(l.Addr()))
	}
	one := dial(t, l.Addr())
	says(t, one, "hello")
	if n := l.Count(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	l.Stop()
	l.Stop()
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("a stopped listener accepts")
	}
	says(t, one, "still here")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := l.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting with a connection open: %v", err)
	}
	if n := logs.FilterMessage("accepted").Len(); n != 1 {
		t.Errorf("%d accepted connections logged, want 1", n)
	}
	e := logs.FilterMessage("listening").All()
	if len(e) != 1 || e[0].ContextMap()["origin"] != "ejabberd.cfg:12" || e[0].ContextMap()["listener"] != "ejabberd_c2s" {
		t.Errorf("start logged as %v", e)
	}
	seen := 0
	l.Each(func(*conn.Conn) { seen++ })
	if seen != 1 {
		t.Errorf("Each saw %d connections, want 1", seen)
	}
	l.CloseAll()
	if err := l.Wait(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := one.Read(make([]byte, 1)); err == nil {
		t.Error("connection survives CloseAll")
	}
}

func TestBusyPort(t *testing.T) {
	log, _ := logger()
	other, port := taken(t)
	begin := time.Now()
	_, err := Start(context.Background(), []Spec{{
		Module: "ejabberd_c2s", Origin: "ejabberd.cfg:3", Addr: at("127.0.0.1", port),
		Tries: 3, RetryDelay: 20 * time.Millisecond, Handle: echo,
	}}, log)
	var be *BindError
	if !errors.As(err, &be) || !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("error %v, want a BindError", err)
	}
	if d := time.Since(begin); d < 40*time.Millisecond {
		t.Errorf("given up after %v, want three tries 20 ms apart", d)
	}
	want := fmt.Sprintf("start ejabberd_c2s on 127.0.0.1:%d (ejabberd.cfg:3): port already in use", port)
	if !strings.HasPrefix(err.Error(), want) || be.Help == "" {
		t.Errorf("error %q (help %q), want %q…", err, be.Help, want)
	}
	if _, err := os.Stat("/proc/self/net/tcp"); err == nil && !strings.Contains(be.Reason, "by this process") {
		t.Errorf("error %q does not say who has the port", be)
	}
	// The port comes free while the bind is tried again.
	time.AfterFunc(30*time.Millisecond, func() { other.Close() })
	s := start(t, log, Spec{Module: "m", Addr: at("127.0.0.1", port), Tries: 500, RetryDelay: 10 * time.Millisecond, Handle: echo})
	says(t, dial(t, s.Listeners()[0].Addr()), "hello")
}

// The default is ten tries 100 ms apart.
func TestDefaultTries(t *testing.T) {
	_, port := taken(t)
	log, _ := logger()
	begin := time.Now()
	if _, err := Start(context.Background(), []Spec{{Module: "m", Addr: at("127.0.0.1", port), Handle: echo}}, log); err == nil {
		t.Fatal("started on a port in use")
	}
	if d := time.Since(begin); d < 900*time.Millisecond || d > 5*time.Second {
		t.Errorf("given up after %v, want 0.9 s", d)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	begin = time.Now()
	if _, err := Start(ctx, []Spec{{Module: "m", Addr: at("127.0.0.1", port), Tries: 1000, RetryDelay: time.Minute, Handle: echo}}, log); err == nil {
		t.Fatal("started on a port in use")
	}
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("the context did not end the waiting: %v", d)
	}
}

func TestAllOrNothing(t *testing.T) {
	log, _ := logger()
	free, port := taken(t)
	free.Close()
	_, busy := taken(t)
	_, err := Start(context.Background(), []Spec{
		{Module: "one", Addr: at("127.0.0.1", port), Handle: echo},
		{Module: "two", Addr: at("127.0.0.1", busy), Tries: 1, Handle: echo},
	}, log)
	if err == nil {
		t.Fatal("started")
	}
	if !strings.Contains(err.Error(), "two on 127.0.0.1") {
		t.Errorf("error %q, want one about the second", err)
	}
	if c, err := net.Dial("tcp", at("127.0.0.1", port).String()); err == nil {
		c.Close()
		t.Error("the first listener is open although the second failed")
	}
}

func TestDuplicates(t *testing.T) {
	log, logs := logger()
	free, port := taken(t)
	free.Close()
	second := func(c *conn.Conn, done func()) { c.Write([]byte("second")); c.CloseAfterFlush(time.Second); done() }
	s := start(t, log,
		Spec{Module: "ejabberd_c2s", Origin: "a:1", Addr: at("127.0.0.1", port), Handle: echo},
		Spec{Module: "ejabberd_cowboy", Origin: "a:2", Addr: at("::ffff:127.0.0.1", port), Handle: second})
	if n := len(s.Listeners()); n != 1 {
		t.Fatalf("%d listeners, want the first alone", n)
	}
	says(t, dial(t, s.Listeners()[0].Addr()), "the first")
	e := logs.FilterLevelExact(zapcore.ErrorLevel).All()
	if len(e) != 1 || !strings.Contains(fmt.Sprint(e[0].ContextMap()), "a:2") || !strings.Contains(fmt.Sprint(e[0].ContextMap()), "a:1") {
		t.Errorf("logged %v, want one error that names both", e)
	}
	if _, err := s.Add(context.Background(), Spec{Module: "m", Addr: at("127.0.0.1", port), Handle: echo}); !errors.Is(err, ErrDuplicate) {
		t.Errorf("Add of the same address: %v", err)
	}
}

func TestIPv6(t *testing.T) {
	hasIPv6(t)
	log, _ := logger()
	t.Run("dual stack alone", func(t *testing.T) {
		s := start(t, log, Spec{Module: "m", Origin: "a:1", Addr: at("::", 0), Handle: echo})
		port := s.Listeners()[0].Addr().Port()
		says(t, dial(t, at("127.0.0.1", port)), "IPv4")
		says(t, dial(t, at("::1", port)), "IPv6")
		for _, a := range []netip.AddrPort{at("127.0.0.1", port), at("::1", port), at("::ffff:10.0.0.1", port)} {
			if o := s.Origin(a); o != "a:1" {
				t.Errorf("origin of %v is %q", a, o)
			}
		}
	})
	for _, order := range [][2]string{{"0.0.0.0", "::"}, {"::", "0.0.0.0"}, {"::", "127.0.0.1"}, {"127.0.0.1", "::"}} {
		t.Run(order[0]+" and "+order[1], func(t *testing.T) {
			free, port := taken(t)
			free.Close()
			tag := func(c *conn.Conn, done func()) {
				defer done()
				c.Write([]byte(map[bool]string{true: "4", false: "6"}[c.LocalAddr().Addr().Is4()]))
				c.CloseAfterFlush(time.Second)
			}
			s := start(t, log,
				Spec{Module: "a", Origin: order[0], Addr: at(order[0], port), Handle: tag},
				Spec{Module: "b", Origin: order[1], Addr: at(order[1], port), Handle: tag})
			for ip, want := range map[string]string{"127.0.0.1": "4", "::1": "6"} {
				p, err := io.ReadAll(dial(t, at(ip, port)))
				if err != nil || string(p) != want {
					t.Errorf("%s: %q, %v; want %q", ip, p, err, want)
				}
				if o := s.Origin(at(ip, port)); strings.Contains(o, ".") != (want == "4") {
					t.Errorf("origin of %s is %q", ip, o)
				}
			}
		})
	}
	t.Run("wildcard and address of one family", func(t *testing.T) {
		free, port := taken(t)
		free.Close()
		_, err := Start(context.Background(), []Spec{
			{Module: "a", Origin: "a:1", Addr: at("0.0.0.0", port), Handle: echo},
			{Module: "b", Origin: "a:2", Addr: at("127.0.0.1", port), Tries: 1, Handle: echo},
		}, log)
		if err == nil || !strings.Contains(err.Error(), "by a on 0.0.0.0") {
			t.Errorf("error %v, want one that names the first", err)
		}
	})
	t.Run("added beside IPv4", func(t *testing.T) {
		s := start(t, log, Spec{Module: "a", Addr: at("127.0.0.1", 0), Handle: echo})
		port := s.Listeners()[0].Addr().Port()
		if _, err := s.Add(context.Background(), Spec{Module: "b", Addr: at("::", port), Handle: echo}); err != nil {
			t.Error(err)
		}
	})
}

func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		err          error
		addr         netip.AddrPort
		reason, help string
	}{
		{syscall.EACCES, at("0.0.0.0", 443), "no permission to listen on port 443", "CAP_NET_BIND_SERVICE"},
		{syscall.EACCES, at("0.0.0.0", 5222), "no permission to listen on port 5222", ""},
		{syscall.EADDRNOTAVAIL, at("192.0.2.1", 5222), "address 192.0.2.1 is not an address of this machine", "0.0.0.0"},
		{syscall.EAFNOSUPPORT, at("::", 5222), "this machine has no IPv6", "0.0.0.0"},
		{syscall.EINVAL, at("::", 5222), "bind: invalid argument", ""},
	} {
		e := explain(&Spec{Module: "m", Addr: tt.addr}, &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", tt.err)})
		if e.Reason != tt.reason || !strings.Contains(e.Help, tt.help) || (tt.help == "") != (e.Help == "") {
			t.Errorf("%v: %q, help %q", tt.err, e.Reason, e.Help)
		}
		if !errors.Is(e, tt.err) {
			t.Errorf("%v: not unwrapped", tt.err)
		}
	}
	// The real thing, where the kernel lets us see it.
	log, _ := logger()
	_, err := Start(context.Background(), []Spec{{Module: "m", Addr: at("192.0.2.1", 0), Handle: echo}}, log)
	if err == nil || !strings.Contains(err.Error(), "not an address of this machine") {
		t.Errorf("bind to an address of somebody else: %v", err)
	}
}

func TestWrongSpecs(t *testing.T) {
	log, _ := logger()
	serve := func(net.Listener) error { return nil }
	for name, s := range map[string]Spec{
		"no handler":       {Module: "m", Addr: at("127.0.0.1", 0)},
		"two handlers":     {Module: "m", Addr: at("127.0.0.1", 0), Handle: echo, Serve: serve},
		"no address":       {Module: "m", Handle: echo},
		"negative backlog": {Module: "m", Addr: at("127.0.0.1", 0), Handle: echo, Backlog: -1},
	} {
		if set, err := Start(context.Background(), []Spec{s}, log); err == nil {
			finish(t, set)
			t.Errorf("%s: started", name)
		}
	}
}

// Without files accepting stops, is logged once, and goes on by itself.
func TestOutOfFiles(t *testing.T) {
	log, logs := logger()
	s := start(t, log, Spec{Module: "m", Addr: at("127.0.0.1", 0), Handle: echo})
	addr := s.Listeners()[0].Addr()
	says(t, dial(t, addr), "before")

	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	low := lim
	low.Cur = 100
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Skip("cannot lower the limit: ", err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim)
	var fill []int
	for {
		fd, err := syscall.Dup(0)
		if err != nil {
			break
		}
		fill = append(fill, fd)
	}
	free := func(n int) {
		for range n {
			syscall.Close(fill[0])
			fill = fill[1:]
		}
	}
	free(1) // for the client's side
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		free(len(fill))
		t.Fatal(err)
	}
	defer c.Close()
	eventually(t, "the error is logged", func() bool { return logs.FilterMessageSnippet("cannot accept").Len() > 0 })
	time.Sleep(30 * time.Millisecond) // long enough for it to fail again
	free(len(fill))
	says(t, c, "after")
	e := logs.FilterMessageSnippet("cannot accept").All()
	if len(e) != 1 || !strings.Contains(fmt.Sprint(e[0].ContextMap()["help"]), "LimitNOFILE") {
		t.Errorf("logged %d times: %v", len(e), e)
	}
	if n := logs.FilterMessage("accepting again").Len(); n != 1 {
		t.Errorf("the recovery is logged %d times, want 1", n)
	}
}

func TestHandlerPanics(t *testing.T) {
	log, logs := logger()
	s := start(t, log, Spec{Module: "m", Addr: at("127.0.0.1", 0), Handle: func(c *conn.Conn, done func()) {
		if p, _ := c.Receive(); string(p) == "boom" {
			panic("as asked")
		}
		c.Close()
		done()
	}})
	l := s.Listeners()[0]
	c := dial(t, l.Addr())
	io.WriteString(c, "boom")
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("peer sees %v, want the end", err)
	}
	eventually(t, "the connection is forgotten", func() bool { return l.Count() == 0 })
	if e := logs.FilterMessage("connection handler failed").All(); len(e) != 1 || e[0].ContextMap()["panic"] != "as asked" {
		t.Errorf("logged %v", e)
	}
	io.WriteString(dial(t, l.Addr()), "still accepting")
}

// A handler that has returned is waited for until it says that it is done.
func TestHandlerGoesOnElsewhere(t *testing.T) {
	finish := make(chan func(), 1)
	s := start(t, zap.NewNop(), Spec{Module: "m", Addr: at("127.0.0.1", 0), Handle: func(c *conn.Conn, done func()) {
		c.Close()
		finish <- done
	}})
	l := s.Listeners()[0]
	dial(t, l.Addr())
	done := <-finish
	l.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := l.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait returned %v before done was called", err)
	}
	done()
	if err := l.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestServe(t *testing.T) {
	log, _ := logger()
	var wg sync.WaitGroup
	ended := make(chan error, 1)
	s := start(t, log, Spec{Module: "ejabberd_cowboy", Addr: at("127.0.0.1", 0), Serve: func(l net.Listener) (err error) {
		defer func() { ended <- err }()
		for {
			c, err := l.Accept()
			if err != nil {
				return err
			}
			wg.Go(func() { defer c.Close(); io.Copy(c, c) })
		}
	}})
	l := s.Listeners()[0]
	a, b := dial(t, l.Addr()), dial(t, l.Addr())
	says(t, a, "one")
	says(t, b, "two")
	if n := l.Count(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
	a.Close()
	eventually(t, "one is closed", func() bool { return l.Count() == 1 })
	l.Stop()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept ended with %v, want net.ErrClosed", err)
	}
	says(t, b, "survives")
	l.CloseAll()
	wg.Wait()
	if n := l.Count(); n != 0 {
		t.Errorf("%d connections, want none", n)
	}
}

func TestAddAndRemove(t *testing.T) {
	log, _ := logger()
	s := start(t, log, Spec{Module: "a", Addr: at("127.0.0.1", 0), Handle: echo})
	l, err := s.Add(context.Background(), Spec{Module: "b", Origin: "b:1", Addr: at("127.0.0.1", 0), Handle: echo})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, l.Addr())
	says(t, c, "added")
	if got := s.Remove(l.Addr()); got != l {
		t.Fatalf("removed %v, want %v", got, l)
	}
	if s.Remove(l.Addr()) != nil {
		t.Error("removed twice")
	}
	says(t, c, "survives")
	if n := len(s.Listeners()); n != 1 {
		t.Errorf("%d listeners, want 1", n)
	}
	// The same address again, with other options, while c is open.
	again, err := s.Add(context.Background(), Spec{Module: "b", Addr: l.Addr(), Handle: func(c *conn.Conn, done func()) {
		defer done()
		c.Write([]byte("new"))
		c.CloseAfterFlush(time.Second)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := io.ReadAll(dial(t, again.Addr())); err != nil || string(p) != "new" {
		t.Errorf("%q, %v; want the new handler", p, err)
	}
	says(t, c, "old options")
	l.CloseAll()
	if err := l.Wait(context.Background()); err != nil {
		t.Error(err)
	}
	_, busy := taken(t)
	if _, err := s.Add(context.Background(), Spec{Module: "c", Addr: at("127.0.0.1", busy), Tries: 1, Handle: echo}); err == nil {
		t.Error("added on a port in use")
	}
	says(t, dial(t, s.Listeners()[0].Addr()), "the others run on")
}

// BenchmarkAccept is what a connection costs from SYN to close, both ends.
func BenchmarkAccept(b *testing.B) {
	s := start(b, zap.NewNop(), Spec{Module: "m", Addr: at("127.0.0.1", 0), Backlog: 1024, Handle: func(c *conn.Conn, done func()) { c.Close(); done() }})
	addr := s.Listeners()[0].Addr().String()
	b.ReportAllocs()
	for b.Loop() {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		c.Read(make([]byte, 1))
		c.Close()
	}
}
