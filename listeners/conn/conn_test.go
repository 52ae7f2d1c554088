package conn

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(serverEnv) != "" {
		benchServer()
		return
	}
	goleak.VerifyTestMain(m)
}

// pair returns both ends of a TCP connection, the first as a Conn.
func pair(t testing.TB, o Options) (*Conn, *net.TCPConn) {
	t.Helper()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cl, err := net.DialTCP("tcp4", nil, l.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); cl.Close() })
	return c, cl
}

// smallBuffers makes both kernel buffers of the way to the peer small.
func smallBuffers(t testing.TB, c *Conn, cl *net.TCPConn) {
	t.Helper()
	if err := errors.Join(c.sock.(*net.TCPConn).SetWriteBuffer(8<<10), cl.SetReadBuffer(128<<10)); err != nil {
		t.Fatal(err)
	}
}

// eventually polls until f holds.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not reached in 10 s: %s", what)
		}
	}
}

// receiveAll reads c until an error and returns both.
func receiveAll(c *Conn) ([]byte, error) {
	var all []byte
	for {
		p, err := c.Receive()
		if err != nil {
			return all, err
		}
		all = append(all, p...)
	}
}

func pattern(n int) []byte {
	p := make([]byte, n)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return p
}

func TestEcho(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "plain", true: "TLS"}[secure], func(t *testing.T) {
			c, cl := pair(t, Options{})
			peer := net.Conn(cl)
			if secure {
				peer = startTLS(t, c, cl, nil, nil)
			}
			done := make(chan error, 1)
			go func() {
				for {
					p, err := c.Receive()
					if err != nil {
						done <- err
						return
					}
					if err := c.Write(p); err != nil {
						done <- err
						return
					}
				}
			}()
			for _, n := range []int{1, 100, 5000, 300_000} {
				out := pattern(n)
				go peer.Write(out)
				in := make([]byte, n)
				if _, err := io.ReadFull(peer, in); err != nil {
					t.Fatalf("%d bytes: %v", n, err)
				}
				if !bytes.Equal(in, out) {
					t.Fatalf("%d bytes came back changed", n)
				}
			}
			peer.Close()
			if err := <-done; err != io.EOF {
				t.Errorf("after the peer's end: %v, want EOF", err)
			}
		})
	}
}

func TestReceiveHoldsNoBufferWhileItWaits(t *testing.T) {
	c, cl := pair(t, Options{})
	held := make(chan bool, 100)
	c.readFn = func(fd uintptr) bool {
		ok := c.tryRead(fd)
		if !ok {
			held <- c.buf != nil
		}
		return ok
	}
	got := make(chan int)
	go func() {
		for {
			p, err := c.Receive()
			if err != nil {
				close(got)
				return
			}
			got <- len(p)
		}
	}()
	cl.Write([]byte("abc"))
	if n := <-got; n != 3 {
		t.Fatalf("received %d bytes, want 3", n)
	}
	eventually(t, "Receive waits", func() bool { return parked("(*Conn).Receive") })
	c.Close()
	<-got
	for len(held) > 0 {
		if <-held {
			t.Error("a buffer is held while Receive waits")
		}
	}
}

// parked tells whether a goroutine waits for the network inside fn.
func parked(fn string) bool {
	buf := make([]byte, 1<<20)
	for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if head, _, _ := strings.Cut(g, "\n"); strings.Contains(head, "IO wait") && strings.Contains(g, fn) {
			return true
		}
	}
	return false
}

func TestBufferGrowsAndShrinks(t *testing.T) {
	c, cl := pair(t, Options{})
	big := pattern(100_000)
	go cl.Write(big)
	eventually(t, "bytes have arrived", func() bool { return unread(t, c) > 30_000 })
	p, err := c.Receive()
	if err != nil || len(p) != smallBuf {
		t.Fatalf("first: %d bytes, %v; want %d", len(p), err, smallBuf)
	}
	p, err = c.Receive()
	if err != nil || len(p) != largeBuf {
		t.Fatalf("second: %d bytes, %v; want %d", len(p), err, largeBuf)
	}
	for n := smallBuf + largeBuf; n < len(big); n += len(p) {
		if p, err = c.Receive(); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		for !parked("(*Conn).Receive") {
			time.Sleep(time.Millisecond)
		}
		cl.Write([]byte("x"))
	}()
	if p, err = c.Receive(); err != nil || len(p) != 1 || cap(p) != smallBuf {
		t.Fatalf("after a wait: %d bytes in a buffer of %d, %v; want 1 in %d", len(p), cap(p), err, smallBuf)
	}
}

func TestReadDeadline(t *testing.T) {
	c, cl := pair(t, Options{})
	c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	_, err := c.Receive()
	var ne net.Error
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() {
		t.Fatalf("error %v, want a time-out", err)
	}
	if _, err = c.Receive(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("second error %v, want a time-out again", err)
	}
	c.SetReadDeadline(time.Time{})
	cl.Write([]byte("x"))
	if p, err := c.Receive(); err != nil || string(p) != "x" {
		t.Fatalf("without deadline: %q, %v", p, err)
	}
	// A deadline set by another goroutine wakes a Receive that waits.
	got := make(chan error)
	go func() { _, err := c.Receive(); got <- err }()
	eventually(t, "Receive waits", func() bool { return parked("(*Conn).Receive") })
	c.SetReadDeadline(time.Now().Add(-time.Second))
	if err := <-got; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("woken with %v, want a time-out", err)
	}
}

func TestPause(t *testing.T) {
	t.Run("delays what is there already", func(t *testing.T) {
		c, cl := pair(t, Options{})
		cl.Write([]byte("one"))
		eventually(t, "bytes have arrived", func() bool { return unread(t, c) == 3 })
		begin := time.Now()
		c.Pause(60 * time.Millisecond)
		p, err := c.Receive()
		if err != nil || string(p) != "one" {
			t.Fatalf("%q, %v", p, err)
		}
		if d := time.Since(begin); d < 60*time.Millisecond {
			t.Errorf("received after %v, want 60 ms at least", d)
		}
	})
	t.Run("is not ended by arrivals", func(t *testing.T) {
		c, cl := pair(t, Options{})
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(2 * time.Millisecond):
					cl.Write([]byte("x"))
				}
			}
		})
		begin := time.Now()
		c.Pause(60 * time.Millisecond)
		p, err := c.Receive()
		if d := time.Since(begin); err != nil || d < 60*time.Millisecond {
			t.Errorf("received %q, %v after %v, want 60 ms at least", p, err, d)
		}
		close(stop)
		wg.Wait()
	})
	t.Run("read deadline comes first", func(t *testing.T) {
		c, _ := pair(t, Options{})
		c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		c.Pause(time.Hour)
		if _, err := c.Receive(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("error %v, want a time-out", err)
		}
	})
	t.Run("deadline set before holds after it", func(t *testing.T) {
		c, _ := pair(t, Options{})
		begin := time.Now()
		c.SetReadDeadline(begin.Add(50 * time.Millisecond))
		c.Pause(10 * time.Millisecond)
		if _, err := c.Receive(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("error %v, want a time-out", err)
		}
		if d := time.Since(begin); d < 50*time.Millisecond {
			t.Errorf("timed out after %v, want 50 ms", d)
		}
	})
	t.Run("is over for the one after", func(t *testing.T) {
		c, cl := pair(t, Options{})
		for range 3 {
			cl.Write([]byte("x"))
			c.Pause(5 * time.Millisecond)
			if _, err := c.Receive(); err != nil {
				t.Fatal(err)
			}
		}
		if c.pause.Load() != 0 {
			c.Receive()
		}
	})
	t.Run("ended by Close", func(t *testing.T) {
		c, _ := pair(t, Options{})
		c.Pause(time.Hour)
		got := make(chan error)
		go func() { _, err := c.Receive(); got <- err }()
		eventually(t, "Receive waits", func() bool { return parked("(*Conn).Receive") })
		c.Close()
		if err := <-got; !errors.Is(err, net.ErrClosed) {
			t.Fatalf("error %v, want net.ErrClosed", err)
		}
	})
}

// A writer must never block, whatever the peer does, and what was written must
// arrive whole and in order when the peer reads at last.
func TestSlowReader(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "plain", true: "TLS"}[secure], func(t *testing.T) {
			c, cl := pair(t, Options{})
			smallBuffers(t, c, cl)
			peer := net.Conn(cl)
			if secure {
				peer = startTLS(t, c, cl, nil, nil)
			}
			var drains atomic.Int32
			drained := make(chan struct{}, 10)
			c.OnDrain(func() {
				if c.Congested() {
					t.Error("congested in the drain function")
				}
				drains.Add(1)
				drained <- struct{}{}
			})
			for round := range 3 {
				// One write makes one drain, whatever came before.
				want := pattern(900_000 + round)
				if err := c.Write(want); err != nil {
					t.Fatal(err)
				}
				if !c.Congested() || c.Pending() == 0 {
					t.Fatal("900 KB for a peer that does not read, and not congested")
				}
				// More comes while the first waits.
				for i := range 100 {
					p := pattern(1 + i*37)
					want = append(want, p...)
					if err := c.Write(p); err != nil {
						t.Fatal(err)
					}
				}
				in := make([]byte, len(want))
				if _, err := io.ReadFull(peer, in); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(in, want) {
					t.Fatal("bytes changed on the way")
				}
				<-drained
				if n := drains.Load(); int(n) != round+1 {
					t.Fatalf("%d drain calls after %d drains", n, round+1)
				}
				if c.Congested() || c.Pending() != 0 || c.out != nil {
					t.Errorf("after the drain: congested %v, pending %d", c.Congested(), c.Pending())
				}
			}
		})
	}
}

func TestWriteTimeoutDropsThePeer(t *testing.T) {
	closed := make(chan struct{})
	c, cl := pair(t, Options{WriteTimeout: 50 * time.Millisecond, OnClose: func(*Conn) { close(closed) }})
	smallBuffers(t, c, cl)
	c.OnDrain(func() { t.Error("drain function called for a dropped peer") })
	got := make(chan error)
	go func() { _, err := c.Receive(); got <- err }()
	c.Write(make([]byte, 4<<20))
	if err := <-got; !errors.Is(err, ErrWriteTimeout) {
		t.Errorf("Receive: %v, want ErrWriteTimeout", err)
	}
	<-closed
	if err := c.Write([]byte("x")); !errors.Is(err, ErrWriteTimeout) {
		t.Errorf("Write: %v, want ErrWriteTimeout", err)
	}
	eventually(t, "output given back", func() bool { return c.Pending() == 0 && !c.Congested() })
}

// A peer that takes a little now and then is slow, not dead.
func TestWriteTimeoutCountsFromTheLastProgress(t *testing.T) {
	const timeout, total = time.Second, 3 << 20
	c, cl := pair(t, Options{WriteTimeout: timeout})
	smallBuffers(t, c, cl)
	drained := make(chan struct{})
	c.OnDrain(func() { close(drained) })
	c.Write(make([]byte, total))
	begin := time.Now()
	buf := make([]byte, 32<<10)
	for n := 0; n < total; time.Sleep(25 * time.Millisecond) {
		m, err := cl.Read(buf)
		if err != nil {
			t.Fatalf("dropped after %v and %d bytes: %v", time.Since(begin), n, err)
		}
		n += m
	}
	<-drained
	if d := time.Since(begin); d < 2*timeout {
		t.Fatalf("the peer was too fast (%v) to prove anything", d)
	}
}

func TestConcurrentWriters(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "plain", true: "TLS"}[secure], func(t *testing.T) {
			c, cl := pair(t, Options{})
			smallBuffers(t, c, cl)
			peer := net.Conn(cl)
			if secure {
				peer = startTLS(t, c, cl, nil, nil)
			}
			const writers, each, size = 8, 300, 1200
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					line := append(bytes.Repeat([]byte{'a' + byte(w)}, size-1), '\n')
					for i := range each {
						if i%3 == 0 { // one of several records under TLS
							c.Write(line)
						} else {
							c.Write(line[size-100:])
						}
					}
				})
			}
			// The owner reads meanwhile.
			var owner sync.WaitGroup
			owner.Go(func() { receiveAll(c) })
			counts := map[byte]int{}
			var rest []byte
			buf := make([]byte, 32<<10)
			for total, want := 0, writers*each; total < want; {
				n, err := peer.Read(buf)
				if err != nil {
					t.Fatal(err)
				}
				rest = append(rest, buf[:n]...)
				for {
					line, after, ok := bytes.Cut(rest, []byte{'\n'})
					if !ok {
						break
					}
					if len(line) != size-1 && len(line) != 99 || bytes.Count(line, line[:1]) != len(line) {
						t.Fatalf("writes mixed: %.60q... of %d bytes", line, len(line))
					}
					counts[line[0]]++
					total++
					rest = after
				}
				peer.Write([]byte("noise"))
			}
			wg.Wait()
			for w := range writers {
				if n := counts['a'+byte(w)]; n != each {
					t.Errorf("writer %d: %d of %d lines", w, n, each)
				}
			}
			c.Close()
			owner.Wait()
		})
	}
}

// The pattern of the package comment must not forget anything.
func TestOnDrainWithQueue(t *testing.T) {
	c, cl := pair(t, Options{})
	smallBuffers(t, c, cl)
	var mu sync.Mutex
	var queue []byte
	flush := func() { // mu is held
		if !c.Congested() && len(queue) > 0 {
			c.Write(queue)
			queue = queue[:0]
		}
	}
	c.OnDrain(func() { mu.Lock(); flush(); mu.Unlock() })
	const n, size = 5000, 333
	go func() {
		for i := range n {
			mu.Lock()
			queue = append(queue, bytes.Repeat([]byte{byte(i)}, size)...)
			flush()
			mu.Unlock()
		}
	}()
	in := make([]byte, n*size)
	cl.SetReadDeadline(time.Now().Add(20 * time.Second))
	if got, err := io.ReadFull(cl, in); err != nil {
		t.Fatalf("%d of %d bytes: %v", got, len(in), err)
	}
	for i := range in {
		if in[i] != byte(i/size) {
			t.Fatalf("byte %d is %d, want %d", i, in[i], byte(i/size))
		}
	}
}

func TestCloseWakesReceive(t *testing.T) {
	for name, end := range map[string]func(c *Conn){
		"Close":           func(c *Conn) { c.Close() },
		"CloseAfterFlush": func(c *Conn) { c.CloseAfterFlush(time.Second) },
	} {
		for _, secure := range []bool{false, true} {
			t.Run(name+map[bool]string{false: " plain", true: " TLS"}[secure], func(t *testing.T) {
				var closes atomic.Int32
				c, cl := pair(t, Options{OnClose: func(*Conn) { closes.Add(1) }})
				if secure {
					startTLS(t, c, cl, nil, nil)
				}
				got := make(chan error)
				go func() { _, err := c.Receive(); got <- err }()
				eventually(t, "Receive waits", func() bool { return parked("(*Conn).Receive") })
				begin := time.Now()
				end(c)
				if err := <-got; !errors.Is(err, net.ErrClosed) {
					t.Errorf("Receive: %v, want net.ErrClosed", err)
				}
				if d := time.Since(begin); d > 500*time.Millisecond {
					t.Errorf("Receive returned after %v", d)
				}
				if err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
					t.Errorf("Write: %v, want net.ErrClosed", err)
				}
				if _, err := c.Receive(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("second Receive: %v, want net.ErrClosed", err)
				}
				c.Release()
				if err := c.StartTLS(serverConfig(t), time.Hour); err == nil {
					t.Error("TLS started after the end")
				}
				if d := time.Since(begin); d > time.Second {
					t.Errorf("the calls after the end took %v", d)
				}
				if err := c.SetReadDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
					t.Errorf("SetReadDeadline: %v, want net.ErrClosed", err)
				}
				cl.Close()
				eventually(t, "closed once", func() bool { return closes.Load() == 1 })
				c.Close()
				c.CloseAfterFlush(0)
				if n := closes.Load(); n != 1 {
					t.Errorf("OnClose called %d times", n)
				}
			})
		}
	}
}

// The last bytes must reach a peer that goes on sending and reads late.
func TestCloseAfterFlushLosesNothing(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for _, size := range []int{30, 700_000} {
			t.Run(map[bool]string{false: "plain", true: "TLS"}[secure]+map[bool]string{false: " small", true: " pending"}[size > 1000], func(t *testing.T) {
				c, cl := pair(t, Options{})
				smallBuffers(t, c, cl)
				peer := net.Conn(cl)
				if secure {
					peer = startTLS(t, c, cl, nil, nil)
				}
				// The peer first sends more than both kernels hold, and
				// does not read before that is gone.
				sent := make(chan error, 1)
				go func() {
					_, err := peer.Write(make([]byte, 8<<20))
					sent <- err
					close(sent)
				}()
				if _, err := c.Receive(); err != nil {
					t.Fatal(err)
				}
				last := pattern(size)
				if err := c.Write(last); err != nil {
					t.Fatal(err)
				}
				c.CloseAfterFlush(10 * time.Second)
				if size > 1000 {
					if err := <-sent; err != nil {
						t.Fatalf("peer's write: %v", err)
					}
				}
				in, err := io.ReadAll(peer)
				if err != nil {
					t.Errorf("peer read %d bytes, then %v", len(in), err)
				}
				if !bytes.Equal(in, last) {
					t.Errorf("peer got %d bytes, want the last %d", len(in), len(last))
				}
				peer.Close()
				for range sent { // until it is closed
				}
				eventually(t, "closed", func() bool { return c.state.Load()&stClosed != 0 })
			})
		}
	}
}

func TestCloseAfterFlushGivesUp(t *testing.T) {
	closed := make(chan struct{})
	c, cl := pair(t, Options{OnClose: func(*Conn) { close(closed) }})
	smallBuffers(t, c, cl)
	c.Write(make([]byte, 4<<20)) // the peer never reads
	begin := time.Now()
	c.CloseAfterFlush(50 * time.Millisecond)
	<-closed
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("gave up after %v, want 50 ms", d)
	}
	eventually(t, "output given back", func() bool { return c.Pending() == 0 })
}

// A peer that neither closes nor stops sending is left after a while.
func TestLingerIsBounded(t *testing.T) {
	t.Run("bytes", func(t *testing.T) {
		closed := make(chan struct{})
		c, cl := pair(t, Options{OnClose: func(*Conn) { close(closed) }})
		c.Write([]byte("bye"))
		c.CloseAfterFlush(time.Hour)
		go func() {
			for {
				if _, err := cl.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}()
		select {
		case <-closed:
		case <-time.After(10 * time.Second):
			t.Fatal("not closed")
		}
	})
	t.Run("time", func(t *testing.T) {
		closed := make(chan struct{})
		c, _ := pair(t, Options{OnClose: func(*Conn) { close(closed) }})
		c.CloseAfterFlush(time.Hour)
		select {
		case <-closed:
		case <-time.After(lingerTime + 8*time.Second):
			t.Fatal("not closed")
		}
	})
}

// AwaitInput returns for whatever makes Receive return, and takes nothing.
func TestAwaitInput(t *testing.T) {
	for name, wake := range map[string]func(c *Conn, cl *net.TCPConn){
		"input":           func(_ *Conn, cl *net.TCPConn) { cl.Write([]byte("x")) },
		"peer's end":      func(_ *Conn, cl *net.TCPConn) { cl.CloseWrite() },
		"reset":           func(_ *Conn, cl *net.TCPConn) { cl.SetLinger(0); cl.Close() },
		"deadline":        func(c *Conn, _ *net.TCPConn) { c.SetReadDeadline(time.Unix(1, 0)) },
		"Close":           func(c *Conn, _ *net.TCPConn) { c.Close() },
		"CloseAfterFlush": func(c *Conn, _ *net.TCPConn) { c.CloseAfterFlush(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			c, cl := pair(t, Options{})
			back := make(chan struct{})
			go func() { c.AwaitInput(); close(back) }()
			eventually(t, "it waits", func() bool {
				if c.rmu.TryLock() {
					c.rmu.Unlock()
					return false
				}
				return true
			})
			select {
			case <-back:
				t.Fatal("returned for nothing")
			default:
			}
			wake(c, cl)
			<-back
			if name == "input" {
				if p, err := c.Receive(); string(p) != "x" || err != nil {
					t.Errorf("then received %q, %v", p, err)
				}
				return
			}
			if p, err := c.Receive(); err == nil {
				t.Errorf("then received %q", p)
			}
			c.AwaitInput() // closed, or with its deadline over: at once
		})
	}
}

// The goroutine of AwaitInput keeps the smallest stack.
func TestAwaitInputStack(t *testing.T) {
	if raceEnabled {
		t.Skip("frames are larger under the race detector")
	}
	const n = 200
	inUse := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.StackInuse
	}
	conns := make([]*Conn, n)
	var all sync.WaitGroup
	before := inUse()
	for i := range conns {
		conns[i], _ = pair(t, Options{})
		all.Add(1)
		go func() { conns[i].AwaitInput(); all.Done() }()
	}
	eventually(t, "they wait", func() bool {
		return !slices.ContainsFunc(conns, func(c *Conn) bool {
			free := c.rmu.TryLock()
			if free {
				c.rmu.Unlock()
			}
			return free
		})
	})
	if each := (inUse() - before) / n; each > 3000 {
		t.Errorf("%d bytes of stack for each", each)
	}
	for _, c := range conns {
		c.Close()
	}
	all.Wait()
}

// A peer that has gone makes writing fail, but what it sent before is input.
func TestInputSurvivesWriteError(t *testing.T) {
	c, cl := pair(t, Options{})
	sent := pattern(50_000)
	cl.Write(sent)
	cl.CloseWrite()
	cl.SetLinger(0)
	eventually(t, "everything arrived", func() bool { return unread(t, c) == len(sent) })
	cl.Close() // a reset
	eventually(t, "writing fails", func() bool { return c.Write([]byte("x")) != nil })
	in, err := receiveAll(c)
	if !bytes.Equal(in, sent) {
		t.Errorf("received %d bytes of %d, then %v", len(in), len(sent), err)
	}
	if err == nil {
		t.Error("no error at the end")
	}
}

func TestHalfClosedPeerGetsItsAnswer(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "plain", true: "TLS"}[secure], func(t *testing.T) {
			closed := make(chan struct{})
			c, cl := pair(t, Options{OnClose: func(*Conn) { close(closed) }})
			peer := interface {
				net.Conn
				CloseWrite() error
			}(cl)
			if secure {
				peer = startTLS(t, c, cl, nil, nil)
			}
			peer.Write([]byte("question"))
			peer.CloseWrite()
			in, err := receiveAll(c)
			if string(in) != "question" || err != io.EOF {
				t.Fatalf("%q, %v", in, err)
			}
			c.Write([]byte("answer"))
			c.CloseAfterFlush(time.Second)
			if p, err := io.ReadAll(peer); string(p) != "answer" || err != nil {
				t.Errorf("peer got %q, %v", p, err)
			}
			<-closed // at once: the peer's end was known
		})
	}
}

// Peers that end at any point, in any way, while both sides are busy: nothing
// panics, hangs or leaks, and OnClose is called once.
func TestPeersThatEndAnywhere(t *testing.T) {
	var wg sync.WaitGroup
	for i := range 150 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(i)))
			var closes atomic.Int32
			c, cl := pair(t, Options{WriteTimeout: time.Second, OnClose: func(*Conn) { closes.Add(1) }})
			var busy sync.WaitGroup
			secure := i%2 == 0
			busy.Go(func() {
				if secure {
					if c.StartTLS(serverConfig(t), 5*time.Second) != nil {
						c.CloseAfterFlush(time.Second)
						return
					}
				}
				for {
					p, err := c.Receive()
					if err != nil {
						break
					}
					c.Write(p)
				}
				c.CloseAfterFlush(100 * time.Millisecond)
			})
			for range 2 {
				busy.Go(func() {
					for range 50 {
						c.Write(make([]byte, 3000))
						runtime.Gosched()
					}
				})
			}
			peer := net.Conn(cl)
			if secure {
				peer = tls.Client(cl, clientConfig())
			}
			for n := r.IntN(20); n > 0; n-- {
				cl.SetDeadline(time.Now().Add(200 * time.Millisecond))
				peer.Write(make([]byte, r.IntN(5000)))
				if r.IntN(3) == 0 {
					peer.Read(make([]byte, 4096))
				}
			}
			switch r.IntN(5) {
			case 0:
				cl.Close()
			case 1:
				cl.SetLinger(0)
				cl.Close()
			case 2:
				cl.CloseWrite()
			case 3:
				c.Close()
			case 4:
				c.CloseAfterFlush(50 * time.Millisecond)
			}
			time.AfterFunc(300*time.Millisecond, func() { cl.Close() })
			busy.Wait()
			eventually(t, "closed once", func() bool { return closes.Load() == 1 })
		})
	}
	wg.Wait()
}

// A write that came too late, or failed, gathers nothing; the connection that
// was to be closed after it is closed nevertheless.
func TestCloseWhileCorkedWithNothingGathered(t *testing.T) {
	closed := make(chan struct{})
	c, cl := pair(t, Options{OnClose: func(*Conn) { close(closed) }})
	c.mu.Lock()
	c.corked++
	c.mu.Unlock()
	c.CloseAfterFlush(time.Hour)
	cl.CloseWrite()
	c.mu.Lock()
	c.corked--
	c.uncork()
	c.mu.Unlock()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Fatal("not closed")
	}
}

func TestAddresses(t *testing.T) {
	l, err := net.Listen("tcp", "[::]:0")
	if err != nil {
		t.Skip("no IPv6: ", err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	cl, err := net.DialTCP("tcp4", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(s.(*net.TCPConn), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, want := c.RemoteAddr().String(), cl.LocalAddr().String(); got != want {
		t.Errorf("remote address %s, want %s", got, want)
	}
	if got, want := c.LocalAddr().String(), cl.RemoteAddr().String(); got != want {
		t.Errorf("local address %s, want %s", got, want)
	}
}

func TestNewOfAClosedSocket(t *testing.T) {
	c, _ := pair(t, Options{})
	c.Close()
	d, err := New(c.sock, Options{})
	if err == nil {
		_, err = d.Receive()
	}
	if !errors.Is(err, net.ErrClosed) && !errors.Is(err, syscall.EINVAL) {
		t.Errorf("error %v, want a closed socket's", err)
	}
}

// unread is how many bytes wait in the kernel.
func unread(t testing.TB, c *Conn) int {
	n := 0
	if err := c.raw.Control(func(fd uintptr) { n = ioctlUnread(int(fd)) }); err != nil {
		t.Fatal(err)
	}
	return n
}

// A Conn per idle client is what many of them cost.
func TestSizeOfConn(t *testing.T) {
	if s := unsafe.Sizeof(Conn{}); s > 352 {
		t.Errorf("a Conn has %d bytes, the size class below ends at 352", s)
	}
}
