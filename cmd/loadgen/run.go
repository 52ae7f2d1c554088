//go:build linux

package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A result is the outcome of one test: one JSON line.
type result struct {
	Test      string  `json:"test"` // key of the table of tests, or the mode
	Mode      string  `json:"mode"`
	Server    string  `json:"server,omitempty"`
	Transport string  `json:"transport,omitempty"`
	Auth      string  `json:"auth,omitempty"`
	N         int     `json:"n,omitempty"` // pairs, sessions or accounts
	W         int     `json:"w,omitempty"`
	Body      int     `json:"body,omitempty"`
	Target    float64 `json:"target_rate,omitempty"`
	window
	Done     int64    `json:"done"`
	Rate     float64  `json:"rate"`                  // per second
	PerCPU   float64  `json:"per_server_cpu_s"`      // per second of the server's CPU
	Latency  *latency `json:"latency,omitempty"`     //
	Errors   int64    `json:"errors"`                //
	Lost     int64    `json:"lost"`                  //
	Disorder int64    `json:"disorder"`              //
	Corrupt  int64    `json:"corrupt"`               //
	Memory   *memory  `json:"memory,omitempty"`      // of the server afterwards
	Levels   []level  `json:"levels,omitempty"`      // of idle
	StartMs  float64  `json:"start_ms,omitempty"`    // of idle: from start to listening
	Note     string   `json:"note,omitempty"`        //
	First    string   `json:"first_error,omitempty"` //
}

// clean says whether nothing was wrong.
func (r *result) clean() bool { return r.Errors+r.Lost+r.Disorder+r.Corrupt == 0 }

func (l *load) result(mode string, n int) *result {
	return &result{Test: mode, Mode: mode, Server: l.Server, Transport: l.Transport, Auth: l.Auth, N: n}
}

// finish fills in what a measured window gave.
func (r *result) finish(l *load, w window, done int64) {
	r.window, r.Done = w, done
	r.Rate = round3(float64(done) / w.Seconds)
	if w.ServerCPU > 0 {
		r.PerCPU = round3(float64(done) / w.ServerCPU)
	}
	if len(l.Pids) > 0 {
		m := memoryOf(tree(l.Pids))
		r.Memory = &m
	}
}

func (r *result) takeErrors(e *firstError) {
	r.Errors = e.count()
	if err := e.first(); err != nil {
		r.First = err.Error()
	}
}

func (r *result) takeTally(t *tally) {
	r.Latency, r.Disorder, r.Corrupt = t.latency(), t.disorder, t.corrupt
	if t.corrupt > 0 && r.First == "" {
		r.First = fmt.Sprintf("corrupt: %q", t.example)
	}
	if t.foreign > 0 {
		r.Note += fmt.Sprintf("%d messages of an earlier run; ", t.foreign)
	}
	if t.other > 0 {
		r.Note += fmt.Sprintf("%d other stanzas; ", t.other)
	}
}

// sleep waits, or returns the reason why the context ended.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// A loop is a load that runs: sessions that send and receive until it is
// stopped. Tallies are complete when readers have ended.
type loop struct {
	*load
	run       uint64 // number of this load, modulo 256
	sessions  []*session
	tallies   []tally // one for each session
	errors    firstError
	measuring atomic.Bool
	stopping  atomic.Bool // nothing new is sent
	ending    atomic.Bool // sessions may end
	readers   sync.WaitGroup
}

func newLoop(l *load, ss []*session) *loop {
	return &loop{load: l, run: runs.Add(1) & 0xff, sessions: ss, tallies: make([]tally, len(ss))}
}

// read serves session i; batch is called when all that was read is handled.
func (p *loop) read(i int, handle func(st []byte, t *tally), batch func()) {
	s, t := p.sessions[i], &p.tallies[i]
	p.readers.Go(func() {
		err := s.serve(func(st []byte) { handle(st, t) }, batch)
		if !p.ending.Load() {
			p.errors.add(fmt.Errorf("session of %s ended: %w", s.jid, err))
		}
	})
}

// measure warms up, measures, lets what is under way arrive and ends the
// sessions. count returns what was sent and received by now.
func (p *loop) measure(ctx context.Context, r *result, count func() (sent, received int64)) error {
	defer func() {
		p.stopping.Store(true)
		p.ending.Store(true)
		cutAll(p.sessions)
		p.readers.Wait()
	}()
	if err := sleep(ctx, p.Warm); err != nil {
		return err
	}
	m := startMeter(p.Pids)
	_, before := count()
	p.measuring.Store(true)
	if err := sleep(ctx, p.Measure); err != nil {
		return err
	}
	p.measuring.Store(false)
	_, after := count()
	w := m.stop()
	p.stopping.Store(true)
	var sent, received int64
	for deadline := time.Now().Add(p.Drain); ; {
		if sent, received = count(); sent == received || time.Now().After(deadline) {
			break
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	r.finish(p.load, w, after-before)
	r.Lost = sent - received
	p.ending.Store(true)
	cutAll(p.sessions)
	p.readers.Wait()
	var all tally
	for i := range p.tallies {
		all.merge(&p.tallies[i])
	}
	r.takeErrors(&p.errors)
	r.takeTally(&all)
	return nil
}
