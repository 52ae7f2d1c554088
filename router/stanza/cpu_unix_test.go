//go:build unix

package stanza

import (
	"syscall"
	"testing"
	"time"
)

// cpuTime returns the processor time that the process has used, collector
// included: what a benchmark costs on a machine that does other things too.
func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
