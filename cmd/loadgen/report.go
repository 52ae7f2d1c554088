//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// readResults reads JSON lines; lines that are none are skipped.
func readResults(in io.Reader) ([]*result, error) {
	var all []*result
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		r := &result{}
		if json.Unmarshal(sc.Bytes(), r) == nil && r.Test != "" {
			all = append(all, r)
		}
	}
	return all, sc.Err()
}

// A table holds the results of one or more servers.
type table map[string]map[string][]*result // test → server → runs

func newTable(all []*result) table {
	t := table{}
	for _, r := range all {
		if t[r.Test] == nil {
			t[r.Test] = map[string][]*result{}
		}
		t[r.Test][r.Server] = append(t[r.Test][r.Server], r)
	}
	return t
}

// median returns the middle value of f over the runs that others on the
// machine disturbed least: at most three.
func median(runs []*result, f func(*result) float64) float64 {
	runs = slices.Clone(runs)
	slices.SortStableFunc(runs, func(a, b *result) int {
		return cmpFloat(a.OtherCPU/max(a.Seconds, 1e-3), b.OtherCPU/max(b.Seconds, 1e-3))
	})
	var v []float64
	for _, r := range runs[:min(len(runs), 3)] {
		if r.Errors == 0 || r.Done > 0 {
			v = append(v, f(r))
		}
	}
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

func cmpFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func perCPU(r *result) float64 { return r.PerCPU }

// number writes a figure with three significant digits, thousands grouped.
func number(v float64) string {
	if v == 0 {
		return "–"
	}
	for unit := 1.0; ; unit *= 10 { // round to three digits
		if v < 1000*unit {
			if v >= 100 {
				v = float64(int64(v/unit+0.5)) * unit
			}
			break
		}
	}
	if v < 100 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	s := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// writeReport prints the results as Markdown.
func writeReport(w io.Writer, all []*result) {
	if len(all) == 0 {
		return
	}
	t := newTable(all)
	var servers []string
	for _, r := range all {
		if !slices.Contains(servers, r.Server) {
			servers = append(servers, r.Server)
		}
	}
	slices.SortStableFunc(servers, func(a, b string) int { return slices.Index(serverNames, a) - slices.Index(serverNames, b) })
	if slices.ContainsFunc(all, func(r *result) bool { return r.Mode != "idle" }) {
		writeRates(w, t, servers)
		writeLatency(w, t, servers)
	}
	writeMemory(w, t, servers)
	writeQuality(w, all)
}

// writeRates prints what was done per second of the server's CPU.
func writeRates(w io.Writer, t table, servers []string) {
	meerkat := slices.Contains(servers, "meerkat")
	row := func(cells ...string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }
	head := []string{"per second of the server's CPU"}
	for _, s := range servers {
		head = append(head, s+" (per second)")
	}
	head = append(head, "recorded: 2.0.1 / ejabberd / Prosody / ceiling", "budget")
	if meerkat {
		head = append(head, "meerkat / budget", "meerkat / relay")
	}
	row(head...)
	row(slices.Repeat([]string{"---"}, len(head))...)
	for _, x := range append(slices.Clone(tests), test{key: "register", title: "in-band registration, SCRAM store"}) {
		if t[x.key] == nil {
			continue
		}
		b := budgetOf(x.key)
		cells := []string{x.title}
		for _, s := range servers {
			if runs := t[x.key][s]; runs == nil {
				cells = append(cells, "–")
			} else {
				rate := median(runs, func(r *result) float64 { return r.Rate })
				cells = append(cells, fmt.Sprintf("**%s** (%s)", number(median(runs, perCPU)), number(rate)))
			}
		}
		cells = append(cells, strings.Join([]string{number(b.reference), number(b.ejabberd), number(b.prosody), number(b.ceiling)}, " / "), number(b.limit))
		if meerkat {
			m := median(t[x.key]["meerkat"], perCPU)
			cells = append(cells, ratio(m, b.limit), ratio(m, median(t[x.key]["relay"], perCPU)))
		}
		row(cells...)
	}
	fmt.Fprintln(w)
}

func ratio(a, b float64) string {
	if a == 0 || b == 0 {
		return "–"
	}
	return strconv.FormatFloat(a/b, 'f', 2, 64)
}

// writeLatency prints p50, p99 and the largest of all tests.
func writeLatency(w io.Writer, t table, servers []string) {
	fmt.Fprintf(w, "| latency p50 / p99 / max, ms (budget at 1,000/s: %g / %g) | %s |\n|---|%s\n", budgetP50ms, budgetP99ms, strings.Join(servers, " | "), strings.Repeat("---|", len(servers)))
	for _, x := range tests {
		if t[x.key] == nil {
			continue
		}
		cells := []string{x.title}
		for _, s := range servers {
			runs := slices.DeleteFunc(slices.Clone(t[x.key][s]), func(r *result) bool { return r.Latency == nil })
			if len(runs) == 0 {
				cells = append(cells, "–")
				continue
			}
			cells = append(cells, fmt.Sprintf("%.2f / %.2f / %.1f", median(runs, func(r *result) float64 { return r.Latency.P50 }),
				median(runs, func(r *result) float64 { return r.Latency.P99 }), median(runs, func(r *result) float64 { return r.Latency.Max })))
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	}
	fmt.Fprintln(w)
}

// writeMemory prints what idle sessions cost.
func writeMemory(w io.Writer, t table, servers []string) {
	if t["idle"] == nil && t["idle-tls"] == nil {
		return
	}
	fmt.Fprintf(w, "| idle sessions (budget: plain %g, TLS %g KiB; empty %d MiB, start %d ms) | sessions | RSS MiB | KiB per session RSS / PSS | CPU ms per login | idle CPU %% | start ms |\n|---|---|---|---|---|---|---|\n",
		budgetOf("idle").limit, budgetOf("idle-tls").limit, budgetEmpty, budgetStartMs)
	for _, key := range []string{"idle", "idle-tls"} {
		transport := "plain"
		if key == "idle-tls" {
			transport = "TLS"
		}
		for _, s := range servers {
			for _, r := range t[key][s] {
				for _, v := range r.Levels {
					start := ""
					if v.N == 0 {
						start = strconv.FormatFloat(r.StartMs, 'f', 0, 64)
					}
					fmt.Fprintf(w, "| %s, %s | %d | %.1f | %.1f / %.1f | %.2f | %.1f | %s |\n", s, transport, v.N, float64(v.RSS)/1024, v.PerSession, v.PerSessionPSS, v.LoginCPU, v.IdleCPU, start)
				}
			}
		}
	}
	fmt.Fprintln(w)
}

// writeQuality says whether what was measured can be trusted.
func writeQuality(w io.Writer, all []*result) {
	bad := 0
	noisy := map[string][]string{} // server → tests
	worst := map[string]float64{}
	for _, r := range all {
		if !r.clean() {
			bad++
			fmt.Fprintf(w, "- %s, %s: %d errors, %d lost, %d out of order, %d corrupt; %s\n", r.Server, r.Test, r.Errors, r.Lost, r.Disorder, r.Corrupt, r.First)
		}
		if noise := r.OtherCPU / max(r.Seconds, 1e-3); noise > 0.25 {
			if !slices.Contains(noisy[r.Server], r.Test) {
				noisy[r.Server] = append(noisy[r.Server], r.Test)
			}
			worst[r.Server] = max(worst[r.Server], noise)
		}
	}
	for _, s := range slices.Sorted(maps.Keys(noisy)) {
		fmt.Fprintf(w, "- %s: others took up to %.0f %% of a core in some runs of %s: their figures per CPU second hold, rates and latencies do not\n",
			s, worst[s]*100, strings.Join(noisy[s], ", "))
	}
	if bad == 0 {
		fmt.Fprintf(w, "- nothing was lost, doubled, swapped or corrupt in %d runs\n", len(all))
	}
}
