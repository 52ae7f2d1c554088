package node

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Bounds for giving memory back: quiet is how much may be allocated between two
// looks by a node that counts as idle; worth how much must have been allocated since
// the last collection for another one to be worth its while, or how much must lie
// about unused, such as the stacks of streams that have become idle.
const (
	lookEvery = 2 * time.Second
	quiet     = 1 << 20
	worth     = 4 << 20
)

// giveBack collects garbage and returns memory to the system when a node has become
// idle. The runtime alone collects when the heap has doubled: after thousands of
// logins that may never happen, and the memory of that busy moment stays.
func giveBack(ctx context.Context) {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}, {Name: "/memory/classes/heap/free:bytes"}}
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
