package node

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Bounds for giving memory back: quiet is how much may be allocated between two
// looks by a node that counts as idle; worth how much must have been allocated since
// the last collection for another one to be worth its while, or how much must lie
// about unused, such as the stacks of streams that have become idle.
const (
	lookEvery = time.Second
	quiet     = 1 << 19
	worth     = 4 << 20
)

// The runtime collects garbage when the heap has grown by as much as lives on it,
// which for a node with few users is every few megabytes: a tenth of its time under
// load. So that much may lie about before, within room; large heaps are collected as
// the runtime would.
const (
	room       = 24 << 20
	maxPercent = 400 // also when next to nothing lives
)

// gcPercent is the setting of GOGC for a heap on which live bytes live.
func gcPercent(live uint64) int {
	if live == 0 {
		return maxPercent
	}
	return int(min(max(room*100/live, 100), maxPercent))
}

// manageMemory sets how often garbage is collected, unless GOGC does, and gives
// memory back when the node is idle.
func manageMemory(ctx context.Context) {
	percent := 0 // left to GOGC
	if os.Getenv("GOGC") == "" {
		percent = maxPercent
		debug.SetGCPercent(percent)
	}
	giveBack(ctx, func(live uint64) {
		// Setting it stops the world: not for nothing.
		if p := gcPercent(live); percent != 0 && (p > percent*5/4 || p < percent) {
			percent = p
			debug.SetGCPercent(p)
		}
	})
}

// giveBack collects garbage and returns memory to the system when a node has become
// idle. The runtime alone collects when the heap has doubled: after thousands of
// logins that may never happen, and the memory of that busy moment stays. each is
// told, with every look, how much lives on the heap.
func giveBack(ctx context.Context, each func(live uint64)) {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}, {Name: "/memory/classes/heap/free:bytes"}, {Name: "/gc/heap/live:bytes"}}
	var allocs, cycles, collected uint64
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(sample)
		each(sample[3].Value.Uint64())
		now := sample[0].Value.Uint64()
		if n := sample[1].Value.Uint64(); n != cycles {
			cycles, collected = n, now // the runtime collected since the last look
		}
		if now-allocs < quiet && (now-collected > worth || sample[2].Value.Uint64() > worth) {
			debug.FreeOSMemory()
			metrics.Read(sample)
			cycles, collected = sample[1].Value.Uint64(), sample[0].Value.Uint64()
		}
		allocs = now
	}
}
