//go:build !unix

package stanza

import (
	"testing"
	"time"
)

var started = time.Now()

// cpuTime returns the time since the start where there is nothing better.
func cpuTime(testing.TB) time.Duration { return time.Since(started) }
