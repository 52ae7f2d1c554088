//go:build linux

package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// registerUsers makes n accounts by in-band registration, each over its own
// connection, and measures it.
func registerUsers(ctx context.Context, l *load, n int) (*result, error) {
	var made, had atomic.Int64
	m := startMeter(l.Pids)
	err := each(n, l.Workers, func(i int) error {
		existed, err := l.register(ctx, i)
		switch {
		case err != nil:
			return err
		case existed:
			had.Add(1)
		default:
			made.Add(1)
		}
		return nil
	})
	r := l.result("register", n)
	r.finish(l, m.stop(), made.Load())
	if had.Load() > 0 {
		r.Note = fmt.Sprintf("%d existed already; ", had.Load())
	}
	return r, err
}

// logins measures whole sessions, one after another in each worker, over n
// accounts. All log in once before the clock starts: SCRAM keys and the
// server's caches are warm.
func logins(ctx context.Context, l *load, n int) (*result, error) {
	var leaving sync.WaitGroup
	defer leaving.Wait()
	if err := each(n, l.Workers, func(i int) error {
		s, err := l.login(ctx, i, 1024)
		if err == nil {
			leaving.Go(s.end)
		}
		return err
	}); err != nil {
		return nil, err
	}
	var measuring, stopping atomic.Bool
	var done atomic.Int64
	var failed firstError
	tallies := make([]tally, l.Workers)
	var workers sync.WaitGroup
	for w := range l.Workers {
		workers.Go(func() {
			for i := w; !stopping.Load() && failed.count() < 100; i += l.Workers {
				began := now()
				// accounts of one worker are no other's: nobody replaces a session
				s, err := l.login(ctx, i%(n-n%l.Workers), 1024)
				if err != nil {
					if ctx.Err() == nil {
						failed.add(err)
					}
					continue
				}
				if measuring.Load() {
					tallies[w].add(now() - began)
					done.Add(1)
				}
				leaving.Go(s.end) // some servers take their time to answer: not waited for
			}
		})
	}
	defer workers.Wait()
	defer stopping.Store(true)
	if err := sleep(ctx, l.Warm); err != nil {
		return nil, err
	}
	m := startMeter(l.Pids)
	measuring.Store(true)
	if err := sleep(ctx, l.Measure); err != nil {
		return nil, err
	}
	measuring.Store(false)
	n2 := done.Load()
	win := m.stop()
	stopping.Store(true)
	workers.Wait()
	r := l.result("login", n)
	r.finish(l, win, n2)
	r.takeErrors(&failed)
	var all tally
	for i := range tallies {
		all.merge(&tallies[i])
	}
	r.takeTally(&all)
	return r, nil
}

// idlePlan is how many sessions to open step by step, and how long to wait at
// each step before memory is read.
type idlePlan struct {
	Levels []int
	Settle time.Duration
}

// A level is what a number of idle sessions costs the server.
type level struct {
	N int `json:"n"`
	memory
	PerSession    float64 `json:"rss_kib_per_session"` // above the empty server
	PerSessionPSS float64 `json:"pss_kib_per_session"`
	LoginCPU      float64 `json:"server_cpu_ms_per_login"`
	IdleCPU       float64 `json:"idle_cpu_percent"` // of one core, while nothing happens
}

// idle measures the memory of sessions that do nothing. The first level is the
// server without any.
func idle(ctx context.Context, l *load, plan idlePlan) (*result, error) {
	pids := tree(l.Pids)
	empty := memoryOf(pids)
	r := l.result("idle", 0)
	r.Levels = []level{{memory: empty}}
	p := newLoop(l, nil)
	defer func() {
		p.ending.Store(true)
		cutAll(p.sessions)
		p.readers.Wait()
	}()
	whole := startMeter(l.Pids)
	var mu sync.Mutex // guards sessions
	for _, n := range plan.Levels {
		have := len(p.sessions)
		before := cpuOf(pids)
		err := each(n-have, l.Workers, func(k int) error {
			s, err := l.login(ctx, have+k, 1024)
			if err != nil {
				return err
			}
			s.shrink()
			mu.Lock()
			p.sessions = append(p.sessions, s)
			mu.Unlock()
			p.readers.Go(func() {
				if err := s.serve(func([]byte) {}, func() {}); !p.ending.Load() {
					p.errors.add(fmt.Errorf("session of %s ended: %w", s.jid, err))
				}
			})
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("%d sessions open: %w", len(p.sessions), err)
		}
		logging := cpuOf(pids) - before
		if err := sleep(ctx, plan.Settle); err != nil {
			return nil, err
		}
		quiet, since := cpuOf(pids), time.Now()
		if err := sleep(ctx, min(plan.Settle, 2*time.Second)); err != nil {
			return nil, err
		}
		v := level{N: n, memory: memoryOf(pids)}
		v.IdleCPU = round3((cpuOf(pids) - quiet) / time.Since(since).Seconds() * 100)
		v.LoginCPU = round3(logging / float64(n-have) * 1000)
		v.PerSession = round3(float64(v.RSS-empty.RSS) / float64(n))
		v.PerSessionPSS = round3(float64(v.PSS-empty.PSS) / float64(n))
		r.Levels = append(r.Levels, v)
	}
	r.N = len(p.sessions)
	r.finish(l, whole.stop(), int64(r.N))
	p.ending.Store(true)
	cutAll(p.sessions)
	p.readers.Wait()
	r.takeErrors(&p.errors)
	return r, nil
}
