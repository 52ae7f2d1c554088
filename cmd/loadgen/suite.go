//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// scale is how long the suite takes.
type scale struct {
	Runs          int
	Measure, Warm time.Duration
	Accounts      int // of the login tests
	Levels        []int
	Settle        time.Duration
}

var (
	full  = scale{Runs: 3, Measure: 5 * time.Second, Warm: 2 * time.Second, Accounts: 1000, Levels: []int{1000, 5000, 15000}, Settle: 6 * time.Second}
	quick = scale{Runs: 1, Measure: 3 * time.Second, Warm: time.Second, Accounts: 400, Levels: []int{1000, 5000}, Settle: 3 * time.Second}
)

// A test is one row of the report.
type test struct {
	key, title string
	// peers says that the relay has nothing to measure here
	peers bool
	run   func(ctx context.Context, l *load, s scale) (*result, error)
}

func chatTest(key, title string, transport string, plan chatPlan) test {
	return test{key: key, title: title, run: func(ctx context.Context, l *load, _ scale) (*result, error) {
		l.Transport = transport
		return chat(ctx, l, plan)
	}}
}

func iqTest(key, title string, plan iqPlan) test {
	return test{key: key, title: title, run: func(ctx context.Context, l *load, _ scale) (*result, error) {
		return iq(ctx, l, plan)
	}}
}

func loginTest(key, title, transport, auth string) test {
	return test{key: key, title: title, peers: auth == "plain", run: func(ctx context.Context, l *load, s scale) (*result, error) {
		l.Transport = transport
		if auth != "" {
			l.Auth = auth
		}
		return logins(ctx, l, s.Accounts)
	}}
}

// tests are the rows, in the order in which they run: those of one server with
// SCRAM keys. What other transports add goes here too.
var tests = []test{
	chatTest("chat-100-w1", "chat 100 B, W=1", "tcp", chatPlan{Pairs: 100, W: 1, Body: 100}),
	chatTest("chat-100-w16", "chat 100 B, W=16", "tcp", chatPlan{Pairs: 100, W: 16, Body: 100}),
	chatTest("chat-1k-w16", "chat 1 KiB, W=16", "tcp", chatPlan{Pairs: 100, W: 16, Body: 1024}),
	chatTest("chat-tls-w16", "chat 100 B over TLS, W=16", "tls", chatPlan{Pairs: 100, W: 16, Body: 100}),
	chatTest("chat-1000", "chat at a fixed 1,000/s", "tcp", chatPlan{Pairs: 100, Rate: 1000, Body: 100}),
	iqTest("ping-w1", "iq ping, W=1", iqPlan{Sessions: 50, W: 1, Query: "ping"}),
	iqTest("ping-w16", "iq ping, W=16", iqPlan{Sessions: 50, W: 16, Query: "ping"}),
	iqTest("roster-w1", "roster get, W=1", iqPlan{Sessions: 50, W: 1, Query: "roster"}),
	iqTest("roster-w16", "roster get, W=16", iqPlan{Sessions: 50, W: 16, Query: "roster"}),
	loginTest("login", "login, SCRAM-SHA-1 on stored keys", "tcp", ""),
	loginTest("login-tls", "login, the same over TLS, RSA 2048", "tls", ""),
	loginTest("login-plain", "login, PLAIN against stored keys, warm", "tcp", "plain"),
}

// A suite runs the tests against servers that it starts itself.
type suite struct {
	lab   *lab
	scale scale
	only  []string // keys of tests, and "idle", "idle-tls"; empty: all
	files uint64   // open files a process may have
	out   io.Writer
	log   io.Writer
}

func (s *suite) wants(key string) bool { return len(s.only) == 0 || slices.Contains(s.only, key) }

// load is how sessions are made with a server.
func (s *suite) load(v *server) *load {
	return &load{
		Server: v.name, Addr: v.addr, Domain: "localhost", Transport: "tcp", Auth: v.auth, User: "u", Password: "secret", Pids: v.pids(),
		Workers: 16, Sources: 200, Measure: s.scale.Measure, Warm: s.scale.Warm, Drain: 10 * time.Second,
	}
}

// run measures one server and returns the results; they are printed as they come.
func (s *suite) run(ctx context.Context, name string) (all []*result, err error) {
	emit := func(key string, r *result, v *server) {
		r.Test, r.Server = key, v.name
		line, _ := json.Marshal(r)
		fmt.Fprintf(s.out, "%s\n", line)
		all = append(all, r)
	}
	if slices.ContainsFunc(tests, func(t test) bool { return s.wants(t.key) }) {
		if err := s.busy(ctx, name, emit); err != nil {
			return all, err
		}
	}
	for _, transport := range []string{"tcp", "tls"} {
		key := "idle"
		if transport == "tls" {
			key = "idle-tls"
		}
		if s.wants(key) {
			if err := s.idle(ctx, name, key, transport, emit); err != nil {
				return all, err
			}
		}
	}
	return all, nil
}

// busy runs the tests of rates against one server.
func (s *suite) busy(ctx context.Context, name string, emit func(string, *result, *server)) error {
	v, err := s.lab.start(ctx, name, true, name)
	if err != nil {
		return err
	}
	defer v.stop()
	fmt.Fprintf(s.log, "%s listens after %.0f ms\n", name, v.startMs)
	l := s.load(v)
	r, err := registerUsers(ctx, l, max(s.scale.Accounts, 200))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	emit("register", r, v)
	for _, t := range tests {
		if !s.wants(t.key) || t.peers && name == "relay" {
			continue
		}
		for range s.scale.Runs {
			l := s.load(v)
			r, err := t.run(ctx, l, s.scale)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil { // the other tests may work
				r = l.result(t.key, 0)
				r.Errors, r.First = 1, err.Error()
			}
			emit(t.key, r, v)
			if err := v.gone(ctx); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// idle measures memory, on a server that was started anew with passwords as
// they are: logins are not what is measured here.
func (s *suite) idle(ctx context.Context, name, key, transport string, emit func(string, *result, *server)) error {
	levels := slices.DeleteFunc(slices.Clone(s.scale.Levels), func(n int) bool { return uint64(n)+500 > s.files })
	if len(levels) < len(s.scale.Levels) {
		fmt.Fprintf(s.log, "%s: only up to %v sessions: a process may have %d open files\n", key, levels, s.files)
	}
	if len(levels) == 0 {
		return errors.New("too few open files allowed to open a thousand sessions")
	}
	dir := name + "-idle"
	v, err := s.lab.start(ctx, name, false, dir)
	if err != nil {
		return err
	}
	if _, err := registerUsers(ctx, s.idleLoad(v), levels[len(levels)-1]); err != nil {
		v.stop()
		return fmt.Errorf("%s: %w", name, err)
	}
	v.stop() // the accounts stay; the memory that making them took goes
	if v, err = s.lab.start(ctx, name, false, dir); err != nil {
		return err
	}
	defer v.stop()
	if err := sleep(ctx, s.scale.Settle); err != nil {
		return err
	}
	l := s.idleLoad(v)
	l.Transport = transport
	r, err := idle(ctx, l, idlePlan{Levels: levels, Settle: s.scale.Settle})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		r = l.result("idle", 0)
		r.Errors, r.First = 1, err.Error()
	}
	r.StartMs = v.startMs
	emit(key, r, v)
	return nil
}

func (s *suite) idleLoad(v *server) *load {
	l := s.load(v)
	l.Auth, l.User = "plain", "idle"
	return l
}
