//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A quantile is wrong by no more than the width of its bucket.
func TestHist(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, 1<<40), 1, 200).Draw(t, "values")
		p := rapid.Float64Range(0, 0.999).Draw(t, "p")
		var a, b hist
		for i, v := range values {
			if i%2 == 0 {
				a.add(v)
			} else {
				b.add(v)
			}
		}
		a.merge(&b)
		slices.Sort(values)
		want := float64(values[int(p*float64(len(values)))])
		if got := a.quantile(p); math.Abs(got-want) > want/32+1 {
			t.Errorf("quantile %v of %v: %v, want %v", p, values, got, want)
		}
		if a.max != values[len(values)-1] || a.n != int64(len(values)) {
			t.Errorf("max %d, n %d", a.max, a.n)
		}
	})
	if (&hist{}).latency() != nil {
		t.Error("a latency of nothing")
	}
	var h hist
	h.add(-5)
	h.add(math.MaxInt64)
	if l := h.latency(); l.P50 < 1 || l.Max < 1 {
		t.Errorf("%+v", l)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "–", 0.123: "0.123", 7: "7", 35.55: "35.5", 99.99: "100", 354: "354", 815.4: "815", 999.9: "1,000", 1234: "1,230", 12345: "12,300", 1429999: "1,430,000",
	} {
		if got := number(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}

func TestMedian(t *testing.T) {
	runs := []*result{
		{PerCPU: 10, Done: 1, window: window{Seconds: 1, OtherCPU: 0.1}},
		{PerCPU: 999, Done: 1, window: window{Seconds: 1, OtherCPU: 0.9}}, // disturbed most: left out
		{PerCPU: 20, Done: 1, window: window{Seconds: 1, OtherCPU: 0.2}},
		{PerCPU: 30, Done: 1, window: window{Seconds: 1, OtherCPU: 0.3}},
	}
	if m := median(runs, perCPU); m != 20 {
		t.Errorf("median %v", m)
	}
	if m := median(runs[:2], perCPU); m != 504.5 {
		t.Errorf("median of two %v", m)
	}
	if m := median([]*result{{Errors: 1, PerCPU: 5}}, perCPU); m != 0 {
		t.Errorf("median of a run that failed %v", m)
	}
}

func TestReport(t *testing.T) {
	run := func(key, server string, perCPU float64, l *latency) *result {
		r := &result{Test: key, Mode: strings.Split(key, "-")[0], Server: server, Done: 1000, PerCPU: perCPU, Rate: perCPU * 1.5, Latency: l}
		r.window = window{Seconds: 5, ServerCPU: 3}
		return r
	}
	all := []*result{
		run("chat-100-w1", "relay", 126000, &latency{1, 2, 3, 4}),
		run("chat-100-w1", "prosody", 3300, &latency{10, 20, 30, 40}),
		run("chat-100-w1", "meerkat", 63000, &latency{1.5, 2, 3, 4}),
		run("chat-100-w1", "meerkat", 65000, &latency{1.5, 2, 3, 4}),
		run("chat-1000", "meerkat", 12000, &latency{0.1, 0.2, 0.3, 1.23}),
		run("login-plain", "meerkat", 4100, nil),
		run("register", "meerkat", 900, nil),
		{Test: "idle", Mode: "idle", Server: "meerkat", N: 1000, StartMs: 99.6, Levels: []level{
			{memory: memory{RSS: 20480, PSS: 20000}},
			{N: 1000, memory: memory{RSS: 30480, PSS: 29000}, PerSession: 10, PerSessionPSS: 9, LoginCPU: 0.25, IdleCPU: 0.5},
		}},
	}
	all[1].OtherCPU = 2
	all[6].Lost, all[6].First = 3, "something"
	var lines bytes.Buffer
	for _, r := range all {
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(b, '\n'))
	}
	lines.WriteString("| a line of the table |\n{}\n")
	again, err := readResults(&lines)
	if err != nil || len(again) != len(all) {
		t.Fatalf("%d results read: %v", len(again), err)
	}
	var out bytes.Buffer
	writeReport(&out, again)
	const golden = "testdata/report.golden"
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), out.String()); d != "" {
		t.Error(d)
	}
}

// Every budget belongs to a test of the suite.
func TestBudgets(t *testing.T) {
	for _, b := range budgets {
		if !slices.Contains(append(testKeys(), "idle", "idle-tls"), b.key) {
			t.Errorf("no test %s", b.key)
		}
		if b.limit == 0 {
			t.Errorf("no budget for %s", b.key)
		}
	}
}
