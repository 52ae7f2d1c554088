//go:build linux

package main

// A budget is what Meerkat may cost and what others were measured to cost, per
// second of the server's CPU; memory in KiB per idle session. Zero: not known.
type budget struct {
	key                                          string
	reference, ejabberd, prosody, ceiling, limit float64
}

// budgets are those of the architecture document, in one place. The reference
// is MongooseIM 2.0.1; figures of others were taken on another machine of two
// cores and only say what order to expect.
var budgets = []budget{
	{"login", 742, 815, 206, 9200, 5000},
	{"login-tls", 0, 354, 129, 810, 650},
	{"login-plain", 56, 91, 143, 0, 4000},
	{"chat-100-w1", 9000, 12600, 3300, 126000, 70000},
	{"chat-100-w16", 9500, 15900, 5600, 1430000, 300000},
	{"chat-1k-w16", 8500, 16900, 1560, 720000, 200000},
	{"chat-tls-w16", 0, 14700, 3700, 790000, 200000},
	{"chat-1000", 3700, 2960, 1770, 16000, 11000},
	{"ping-w1", 0, 26700, 4000, 99000, 75000},
	{"ping-w16", 0, 28900, 5700, 1410000, 350000},
	{"roster-w1", 0, 21100, 2960, 107000, 65000},
	{"idle", 45, 52, 35, 7, 9},
	{"idle-tls", 0, 65, 47, 21, 22},
}

// Budgets of other kinds.
const (
	budgetP50ms   = 0.15 // chat at a fixed 1,000/s, on a quiet machine
	budgetP99ms   = 0.4
	budgetEmpty   = 40  // MiB resident, no sessions
	budgetStartMs = 150 // from start to listening
)

func budgetOf(key string) budget {
	for _, b := range budgets {
		if b.key == key {
			return b
		}
	}
	return budget{key: key}
}
