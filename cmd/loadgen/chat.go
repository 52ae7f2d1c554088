//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"
)

// chatPlan is pairs of sessions that write to each other.
type chatPlan struct {
	Pairs int
	W     int     // messages under way per flow, in a closed loop
	Rate  float64 // messages per second in all, in an open loop; 0: closed
	Body  int     // bytes of each body
}

// chat measures messages routed between sessions, both ways in each pair.
func chat(ctx context.Context, l *load, plan chatPlan) (*result, error) {
	if plan.Body < minBody || plan.Body > maxBody {
		return nil, fmt.Errorf("a body has %d to %d bytes", minBody, maxBody)
	}
	ss, err := l.loginAll(ctx, 2*plan.Pairs, 16<<10)
	if err != nil {
		return nil, err
	}
	p := newLoop(l, ss)
	flows := make([]*flow, len(ss))
	for i, s := range ss {
		flows[i] = newFlow(p.run, i, s, ss[i^1].jid, plan.Body)
	}
	closed := plan.Rate == 0
	if closed {
		// the first messages of each window go before anybody reads: from then
		// on the receiver of a flow sends
		for i, f := range flows {
			p.burst(f, ss[i], plan.W)
		}
	}
	for i := range ss {
		f, sender := flows[i^1], ss[i^1]
		credits := 0
		p.read(i, func(st []byte, t *tally) {
			if !bytes.HasPrefix(st, messageTag) {
				t.other++
				return
			}
			number, due, v := f.check(st)
			switch v {
			case foreign:
				t.foreign++
				return
			case corrupt:
				t.wrong(st)
				return
			}
			if number != f.next {
				t.disorder++
			}
			f.next = number + 1
			if p.measuring.Load() {
				t.add(now() - due)
			}
			f.received.Add(1)
			credits++
		}, func() {
			if closed && credits > 0 && !p.stopping.Load() {
				p.burst(f, sender, credits)
			}
			credits = 0
		})
	}
	var pacer sync.WaitGroup
	var lag int64
	if !closed {
		pacer.Go(func() { lag = p.pace(ctx, flows, plan.Rate) })
	}
	r := l.result("chat", plan.Pairs)
	r.W, r.Body, r.Target = plan.W, plan.Body, plan.Rate
	err = p.measure(ctx, r, func() (sent, received int64) {
		if p.stopping.Load() {
			pacer.Wait()
		}
		for _, f := range flows {
			received += f.received.Load()
			sent += f.sent.Load()
		}
		return sent, received
	})
	pacer.Wait()
	if lag > 0 {
		r.Note += fmt.Sprintf("sent up to %.1f ms late; ", float64(lag)/1e6)
	}
	return r, err
}

// burst sends k messages with one write.
func (p *loop) burst(f *flow, sender *session, k int) {
	f.out = f.out[:0]
	due := now()
	for range k {
		f.put(sender, due)
	}
	if err := sender.write(f.out); err != nil && !p.ending.Load() {
		p.errors.add(fmt.Errorf("send from %s: %w", sender.jid, err))
	}
}

// pace sends at a fixed rate over the flows in turn. A message that is sent
// more than 5 ms late counts from when it was due; the largest lag is returned.
func (p *loop) pace(ctx context.Context, flows []*flow, rate float64) (lag int64) {
	start, sent := now(), 0
	for ctx.Err() == nil && !p.stopping.Load() {
		for due := int(float64(now()-start) / 1e9 * rate); sent < due; sent++ {
			k := sent % len(flows)
			f, t := flows[k], now()
			if when := start + int64(float64(sent)/rate*1e9); t-when > int64(5*time.Millisecond) {
				if p.measuring.Load() {
					lag = max(lag, t-when)
				}
				t = when
			}
			f.out = f.out[:0]
			f.put(p.sessions[k], t)
			if err := p.sessions[k].write(f.out); err != nil && !p.ending.Load() {
				p.errors.add(fmt.Errorf("send from %s: %w", p.sessions[k].jid, err))
			}
		}
		time.Sleep(time.Millisecond)
	}
	return lag
}
