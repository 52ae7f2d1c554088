//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
)

// queries are what clients ask the server: the address and the payload.
var queries = map[string]struct{ to, payload string }{
	"ping":   {" to='localhost'", "<ping xmlns='urn:xmpp:ping'/>"},
	"disco":  {" to='localhost'", "<query xmlns='http://jabber.org/protocol/disco#info'/>"},
	"roster": {"", "<query xmlns='jabber:iq:roster'/>"},
}

// iqPlan is sessions that query the server.
type iqPlan struct {
	Sessions int
	W        int    // queries under way per session
	Query    string // key of queries
}

// asker is the queries of one session.
type asker struct {
	template []byte
	id       int // where the number stands in template
	out      []byte
	times    []int64 // when query n was sent, at n modulo its length
	sent     atomic.Int64
	received atomic.Int64
}

func (a *asker) burst(p *loop, s *session, k int) {
	a.out = a.out[:0]
	t := now()
	for range k {
		n := a.sent.Add(1) - 1
		a.times[n%int64(len(a.times))] = t
		putHex(a.template[a.id:a.id+8], uint64(n))
		a.out = s.frame(a.out, a.template)
	}
	if err := s.write(a.out); err != nil && !p.ending.Load() {
		p.errors.add(fmt.Errorf("query from %s: %w", s.jid, err))
	}
}

// iq measures queries answered, in a closed loop.
func iq(ctx context.Context, l *load, plan iqPlan) (*result, error) {
	q, ok := queries[plan.Query]
	if !ok {
		return nil, fmt.Errorf("unknown query %q", plan.Query)
	}
	ss, err := l.loginAll(ctx, plan.Sessions, 16<<10)
	if err != nil {
		return nil, err
	}
	p := newLoop(l, ss)
	askers := make([]*asker, len(ss))
	iqTag := []byte("<iq")
	for i, s := range ss {
		head := "<iq" + s.xmlns() + " type='get'" + q.to + " id='q"
		a := &asker{template: []byte(head + "00000000'>" + q.payload + "</iq>"), id: len(head), times: make([]int64, plan.W)}
		askers[i] = a
		a.burst(p, s, plan.W) // before the reader is there, who sends from then on
		credits, next := 0, uint64(0)
		p.read(i, func(st []byte, t *tally) {
			id := attr(st, "id")
			if !bytes.HasPrefix(st, iqTag) || len(id) != 9 || id[0] != 'q' {
				t.other++
				return
			}
			n, ok := getHex(id[1:])
			if !ok || string(attr(st, "type")) != "result" {
				t.wrong(st)
				return
			}
			if n != next {
				t.disorder++
			}
			next = n + 1
			if p.measuring.Load() {
				t.add(now() - a.times[n%uint64(len(a.times))])
			}
			a.received.Add(1)
			credits++
		}, func() {
			if credits > 0 && !p.stopping.Load() {
				a.burst(p, s, credits)
			}
			credits = 0
		})
	}
	r := l.result("iq-"+plan.Query, plan.Sessions)
	r.W = plan.W
	err = p.measure(ctx, r, func() (sent, received int64) {
		for _, a := range askers {
			received += a.received.Load()
			sent += a.sent.Load()
		}
		return sent, received
	})
	return r, err
}
