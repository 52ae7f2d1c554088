//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// userHz is the unit of CPU times in /proc: USER_HZ, 100 on all that Go runs on.
const userHz = 100

// statFields returns the fields of /proc/PID/stat behind the command name: the
// first is the state (field 3 of proc(5)).
func statFields(pid int) []string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
}

// tree lists roots and their descendants.
func tree(roots []int) []int {
	if len(roots) == 0 {
		return nil
	}
	children := map[int][]int{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if f := statFields(pid); len(f) > 1 {
			parent, _ := strconv.Atoi(f[1])
			children[parent] = append(children[parent], pid)
		}
	}
	var out []int
	seen := map[int]bool{}
	for todo := roots; len(todo) > 0; {
		p := todo[0]
		todo = todo[1:]
		if !seen[p] {
			seen[p] = true
			out = append(out, p)
			todo = append(todo[:len(todo):len(todo)], children[p]...)
		}
	}
	return out
}

// cpuOf sums user and system time in seconds.
func cpuOf(pids []int) float64 {
	var sum float64
	for _, p := range pids {
		if f := statFields(p); len(f) > 12 {
			user, _ := strconv.ParseFloat(f[11], 64)
			system, _ := strconv.ParseFloat(f[12], 64)
			sum += user + system
		}
	}
	return sum / userHz
}

// selfCPU is the CPU time of this process in seconds.
func selfCPU() float64 {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
}

// machineCPU is the busy CPU time of the whole machine in seconds, without what
// other virtual machines took.
func machineCPU() (busy float64) {
	b, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(b), "\n")
	for i, s := range strings.Fields(line) {
		switch i {
		case 1, 2, 3, 6, 7: // user, nice, system, irq, softirq
			v, _ := strconv.ParseFloat(s, 64)
			busy += v
		}
	}
	return busy / userHz
}

// memory is what processes have resident, in KiB.
type memory struct {
	RSS int64 `json:"rss_kib"`
	PSS int64 `json:"pss_kib"` // shared pages counted by share
}

func memoryOf(pids []int) (m memory) {
	for _, p := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) < 2 {
				continue
			}
			kib, _ := strconv.ParseInt(f[1], 10, 64)
			switch f[0] {
			case "Rss:":
				m.RSS += kib
			case "Pss:":
				m.PSS += kib
			}
		}
	}
	return m
}

// A window is what was burnt between start and stop of a meter.
type window struct {
	Seconds   float64 `json:"seconds"`
	ServerCPU float64 `json:"server_cpu_s"`
	OwnCPU    float64 `json:"loadgen_cpu_s"`
	OtherCPU  float64 `json:"other_cpu_s"` // of others on the machine: noise
}

type meter struct {
	began              time.Time
	pids               []int
	server, own, total float64
}

func startMeter(roots []int) *meter {
	m := &meter{pids: tree(roots)}
	m.server, m.own, m.total, m.began = cpuOf(m.pids), selfCPU(), machineCPU(), time.Now()
	return m
}

func (m *meter) stop() window {
	w := window{Seconds: time.Since(m.began).Seconds(), ServerCPU: cpuOf(m.pids) - m.server, OwnCPU: selfCPU() - m.own}
	w.OtherCPU = max(machineCPU()-m.total-w.ServerCPU-w.OwnCPU, 0)
	return window{round3(w.Seconds), round3(w.ServerCPU), round3(w.OwnCPU), round3(w.OtherCPU)}
}

func round3(f float64) float64 { return float64(int64(f*1000+0.5)) / 1000 }

// raiseFileLimit allows this process and its children as many open files as
// the system lets them, and returns how many.
func raiseFileLimit() (uint64, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("file limit: %w", err)
	}
	l.Cur = l.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("raise file limit: %w", err)
	}
	return l.Max, nil
}
