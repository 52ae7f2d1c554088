//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The suite starts the relay as a program of its own: the test's, here.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "relay" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// startRelay runs the relay in this process and returns a load against it.
func startRelay(t *testing.T) *load {
	t.Helper()
	b, err := newLab("none", false, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.remove)
	c, err := serverTLS(b.set.Cert, b.set.Key)
	if err != nil {
		t.Fatal(err)
	}
	ln, _, err := listenRelay("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := (&relay{domain: "localhost", tls: c}).serve(ctx, ln); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); done.Wait() })
	return &load{
		Server: "relay", Addr: ln.Addr().String(), Domain: "localhost", Transport: "tcp", Auth: "plain", User: "u", Password: "secret",
		Pids: []int{os.Getpid()}, Workers: 4, Sources: 5, Measure: 150 * time.Millisecond, Warm: 50 * time.Millisecond, Drain: 10 * time.Second,
	}
}

func TestModes(t *testing.T) {
	l := startRelay(t)
	ctx := t.Context()
	tests := []struct {
		name, transport string
		run             func() (*result, error)
	}{
		{"chat", "tcp", func() (*result, error) { return chat(ctx, l, chatPlan{Pairs: 3, W: 1, Body: 100}) }},
		{"chat, window", "tcp", func() (*result, error) { return chat(ctx, l, chatPlan{Pairs: 3, W: 16, Body: 1024}) }},
		{"chat, TLS", "tls", func() (*result, error) { return chat(ctx, l, chatPlan{Pairs: 2, W: 16, Body: minBody}) }},
		{"chat at a rate", "tcp", func() (*result, error) { return chat(ctx, l, chatPlan{Pairs: 3, Rate: 500, Body: 100}) }},
		{"ping", "tcp", func() (*result, error) { return iq(ctx, l, iqPlan{Sessions: 3, W: 1, Query: "ping"}) }},
		{"roster, window", "tcp", func() (*result, error) { return iq(ctx, l, iqPlan{Sessions: 3, W: 16, Query: "roster"}) }},
		{"login", "tcp", func() (*result, error) { return logins(ctx, l, 10) }},
		{"login, TLS", "tls", func() (*result, error) { return logins(ctx, l, 4) }},
		{"register", "tcp", func() (*result, error) { return registerUsers(ctx, l, 10) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l.Transport = tt.transport
			r, err := tt.run()
			if err != nil {
				t.Fatal(err)
			}
			if !r.clean() || r.Done < 1 || r.Rate <= 0 || r.Seconds <= 0 || r.Transport != tt.transport || r.Note != "" && !strings.Contains(r.Note, "late") {
				t.Errorf("%+v", r)
			}
			if r.Mode != "register" && r.Latency == nil {
				t.Error("no latency")
			}
			if r.Memory == nil || r.Memory.RSS == 0 {
				t.Error("no memory")
			}
		})
	}
}

func TestIdle(t *testing.T) {
	l := startRelay(t)
	r, err := idle(t.Context(), l, idlePlan{Levels: []int{5, 20}, Settle: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if !r.clean() || r.N != 20 || len(r.Levels) != 3 || r.Levels[0].RSS == 0 || r.Levels[2].N != 20 {
		t.Errorf("%+v", r)
	}
}

// A server that loses, doubles, swaps or changes messages, or ends sessions, is
// found out.
func TestFindsFaults(t *testing.T) {
	swap := func() func([]byte, int) []byte {
		var held []byte
		return func(st []byte, n int) []byte {
			switch {
			case n == 5:
				held = bytes.Clone(st)
				return nil
			case n == 6:
				return append(bytes.Clone(st), held...)
			}
			return st
		}
	}
	tests := []struct {
		name   string
		tamper func(st []byte, n int) []byte
		found  func(r *result) bool
	}{
		{"none", func(st []byte, _ int) []byte { return st }, func(r *result) bool { return r.clean() }},
		{"lost", func(st []byte, n int) []byte {
			if n == 5 {
				return nil
			}
			return st
		}, func(r *result) bool { return r.Lost == 1 && r.Disorder == 1 && r.Corrupt == 0 }},
		{"doubled", func(st []byte, n int) []byte {
			if n == 5 {
				return append(bytes.Clone(st), st...)
			}
			return st
		}, func(r *result) bool { return r.Disorder >= 1 && r.Lost < 0 }},
		{"swapped", swap(), func(r *result) bool { return r.Disorder >= 2 && r.Lost == 0 }},
		{"changed", func(st []byte, n int) []byte {
			if n == 5 {
				return bytes.Replace(st, []byte("abc"), []byte("abd"), 1)
			}
			return st
		}, func(r *result) bool { return r.Corrupt == 1 && strings.Contains(r.First, "corrupt") }},
		{"ended", func(st []byte, n int) []byte {
			if n == 50 {
				return []byte("</stream:stream>")
			}
			return st
		}, func(r *result) bool { return r.Errors >= 1 && strings.Contains(r.First, "ended the stream") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := startRelay(t)
			l.Addr = tamperingProxy(t, l.Addr, tt.tamper)
			l.Measure, l.Warm = 50*time.Millisecond, time.Millisecond
			l.Drain = 200 * time.Millisecond
			// at a fixed rate: a closed loop would end with the first loss
			r, err := chat(t.Context(), l, chatPlan{Pairs: 1, Rate: 2000, Body: 100})
			if err != nil {
				t.Fatal(err)
			}
			if !tt.found(r) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// tamperingProxy stands between and hands each message from the server, the
// nth on its connection, to tamper.
func tamperingProxy(t *testing.T, addr string, tamper func(st []byte, n int) []byte) string {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	first := true // only the first connection is tampered with
	all.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp4", addr)
			if err != nil {
				t.Error(err)
				return
			}
			f := tamper
			if !first {
				f = func(st []byte, _ int) []byte { return st }
			}
			first = false
			all.Go(func() {
				io.Copy(server, client)
				server.Close()
			})
			all.Go(func() {
				defer client.Close()
				s, n := newScanner(4096), 0
				for {
					st, k := s.scan()
					if k == needMore {
						m, err := server.Read(s.room())
						if s.w += m; err != nil {
							return
						}
						continue
					}
					if k == stanza && bytes.HasPrefix(st, messageTag) {
						n++
						st = f(st, n)
					}
					if _, err := client.Write(st); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { ln.Close(); all.Wait() })
	return ln.Addr().String()
}

func TestCancelled(t *testing.T) {
	l := startRelay(t)
	l.Measure = time.Minute
	stop := errors.New("enough")
	var ctx context.Context
	for name, run := range map[string]func() error{
		"chat":  func() error { _, err := chat(ctx, l, chatPlan{Pairs: 2, W: 4, Body: 100}); return err },
		"iq":    func() error { _, err := iq(ctx, l, iqPlan{Sessions: 2, W: 4, Query: "ping"}); return err },
		"login": func() error { _, err := logins(ctx, l, 4); return err },
		"idle":  func() error { _, err := idle(ctx, l, idlePlan{Levels: []int{2}, Settle: time.Minute}); return err },
	} {
		c, cancel := context.WithCancelCause(t.Context())
		ctx = c
		time.AfterFunc(100*time.Millisecond, func() { cancel(stop) })
		if err := run(); !errors.Is(err, stop) {
			t.Errorf("%s: error %v, want %v", name, err, stop)
		}
	}
}

func TestRefusals(t *testing.T) {
	l := startRelay(t)
	ctx := t.Context()
	if _, err := chat(ctx, l, chatPlan{Pairs: 1, W: 1, Body: 3}); err == nil {
		t.Error("a body of 3 bytes")
	}
	if _, err := iq(ctx, l, iqPlan{Sessions: 1, W: 1, Query: "nothing"}); err == nil {
		t.Error("an unknown query")
	}
	l.Auth = "scram" // the relay has PLAIN only
	if _, err := l.loginAll(ctx, 2, 1024); err == nil {
		t.Error("logged in without SCRAM")
	}
	l.Addr = "127.0.0.1:1"
	if _, err := chat(ctx, l, chatPlan{Pairs: 1, W: 1, Body: 100}); err == nil {
		t.Error("connected to nobody")
	}
}

// The exchange is the example of RFC 5802 section 5.
func TestScram(t *testing.T) {
	l := &load{Password: "pencil"}
	const nonce = "fyko+d2lbbFgONRv9qkxdawL"
	for range 2 { // the second time from the cache
		final, verifier, err := l.scram("user", nonce, "n=user,r="+nonce, "r="+nonce+"3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096")
		if err != nil || final != "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=" || verifier != "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=" {
			t.Errorf("%s %s %v", final, verifier, err)
		}
	}
	for _, bad := range []string{"", "r=other,s=QSXCR+Q6sek8bf92,i=4096", "r=" + nonce + "x,s=*,i=5", "r=" + nonce + "x,s=QSXCR+Q6sek8bf92"} {
		if _, _, err := l.scram("u", nonce, "", bad); err == nil {
			t.Errorf("challenge %q was taken", bad)
		}
	}
}

// The suite starts a program, measures it and leaves nothing behind.
func TestSuite(t *testing.T) {
	b, err := newLab("bin/none", false, true)
	if err != nil {
		t.Fatal(err)
	}
	defer b.remove()
	tiny := scale{Runs: 1, Measure: 100 * time.Millisecond, Warm: 50 * time.Millisecond, Accounts: 16, Levels: []int{10, 1 << 40}, Settle: time.Millisecond}
	var out, log bytes.Buffer
	s := &suite{lab: b, scale: tiny, only: []string{"chat-100-w16", "login-tls", "login-plain", "idle-tls"}, files: 20000, out: &out, log: &log}
	all, err := s.run(t.Context(), "relay")
	if err != nil {
		t.Fatalf("%v\n%s", err, log.Bytes())
	}
	var keys []string
	for _, r := range all {
		keys = append(keys, r.Test)
		if !r.clean() || r.Server != "relay" || r.Done == 0 {
			t.Errorf("%+v", r)
		}
	}
	if got := strings.Join(keys, " "); got != "register chat-100-w16 login-tls idle-tls" {
		t.Errorf("ran %s", got)
	}
	if !strings.Contains(log.String(), "only up to [10] sessions") {
		t.Errorf("log %q", log.String())
	}
	if again, err := readResults(&out); err != nil || len(again) != len(all) {
		t.Errorf("%d lines: %v", len(again), err)
	}
	if _, err := s.run(t.Context(), "meerkat"); !errors.Is(err, errMissing) {
		t.Errorf("a program that is not there: %v", err)
	}
	if _, err := s.run(t.Context(), "other"); err == nil || errors.Is(err, errMissing) {
		t.Errorf("an unknown server: %v", err)
	}
	b.remove()
	if _, err := os.Stat(b.dir); !os.IsNotExist(err) {
		t.Errorf("folder left: %v", err)
	}
}

// A server that does not come up is reported with what it wrote.
func TestStartFails(t *testing.T) {
	b, err := newLab("/bin/false", false, true)
	if err != nil {
		t.Fatal(err)
	}
	defer b.remove()
	if _, err := exec.LookPath("/bin/false"); err != nil {
		t.Skip("no program that fails")
	}
	if _, err := b.start(t.Context(), "meerkat", true, "m"); err == nil || !strings.Contains(err.Error(), "start meerkat: it ended: exit status 1") {
		t.Errorf("error %v", err)
	}
}

// The peers start with the configurations written for them, and log in.
func TestPeers(t *testing.T) {
	if testing.Short() {
		t.Skip("starting other servers takes seconds")
	}
	for _, name := range []string{"prosody", "ejabberd"} {
		t.Run(name, func(t *testing.T) {
			b, err := newLab("none", true, false)
			if err != nil {
				t.Fatal(err)
			}
			defer b.remove()
			v, err := b.start(t.Context(), name, true, name)
			if errors.Is(err, errMissing) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			all := tree(v.pids())
			s := &suite{lab: b, scale: scale{Measure: 100 * time.Millisecond, Warm: time.Millisecond}}
			l := s.load(v)
			if _, err := registerUsers(t.Context(), l, 4); err != nil {
				t.Error(err)
			}
			l.Transport = "tls"
			if r, err := chat(t.Context(), l, chatPlan{Pairs: 2, W: 2, Body: 100}); err != nil || !r.clean() || r.Done == 0 || r.ServerCPU == 0 && r.Done > 1000 {
				t.Errorf("%+v %v", r, err)
			}
			v.stop()
			if anyAlive(all) {
				t.Errorf("processes of %s are left", name)
			}
		})
	}
}
