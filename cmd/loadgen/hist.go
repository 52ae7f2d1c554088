//go:build linux

package main

import "math/bits"

// A hist is a histogram of times in nanoseconds, exact to 1/32. It belongs to
// one goroutine.
type hist struct {
	counts [60 * 32]uint32
	n      int64
	max    int64
}

func bucket(v int64) int {
	v = max(v, 0)
	if v < 32 {
		return int(v)
	}
	e := 63 - bits.LeadingZeros64(uint64(v)) // >= 5
	return (e-4)*32 + int(v>>(e-5))&31
}

// middle is the middle of what falls into bucket i.
func middle(i int) float64 {
	if i < 32 {
		return float64(i)
	}
	e := i/32 + 4
	return float64((int64(32)|int64(i%32))<<(e-5)) + float64(int64(1)<<(e-5))/2
}

func (h *hist) add(v int64) {
	h.counts[bucket(v)]++
	h.n++
	h.max = max(h.max, v)
}

func (h *hist) merge(o *hist) {
	for i, c := range o.counts {
		h.counts[i] += c
	}
	h.n += o.n
	h.max = max(h.max, o.max)
}

// quantile returns the time below which the share p of all lies.
func (h *hist) quantile(p float64) float64 {
	want, sum := int64(p*float64(h.n)), int64(0)
	for i, c := range h.counts {
		if sum += int64(c); sum > want {
			return min(middle(i), float64(h.max))
		}
	}
	return float64(h.max)
}

// latency is a histogram in milliseconds.
type latency struct {
	P50 float64 `json:"p50_ms"`
	P95 float64 `json:"p95_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

func (h *hist) latency() *latency {
	if h.n == 0 {
		return nil
	}
	ms := func(ns float64) float64 { return round3(ns / 1e6) }
	return &latency{ms(h.quantile(.5)), ms(h.quantile(.95)), ms(h.quantile(.99)), ms(float64(h.max))}
}
