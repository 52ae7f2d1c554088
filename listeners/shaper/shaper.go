// Package shaper computes how long a connection must not be read after it
// sent a number of bytes. It is the arithmetic of the shaper module of
// MongooseIM 2.0.1 ({shaper, Name, {maxrate, BytesPerSecond}}), which averages
// and allows bursts up to twice the rate; a token bucket gives other pauses.
//
// Nothing here sleeps or looks at the clock. The caller reads, asks, delivers
// what it has read, and does not read again for the pause:
//
//	c.Pause(s.Take(time.Now(), len(data)))
//
// The size is that of the decrypted and decompressed input. A listener that
// selects another shaper makes a new one: state is not carried over.
//
// Deviations: a rate that is zero, negative or no number is an error where the
// shaper is made; 2.0.1 crashed the connection that selected it. A clock that
// stands still or goes back cannot make it divide by zero.
//
// It imports no other Meerkat package.
package shaper

import (
	"fmt"
	"math"
	"time"
)

// longest bounds a pause, far beyond any use, so that it fits a Duration.
const longest = 100 * 24 * time.Hour

// A Shaper is the state for one connection: it averages the rate of what was
// taken so far. Methods of a nil Shaper take everything without pause, as the
// value none of the option does. A Shaper belongs to one goroutine.
type Shaper struct {
	max  float64   // bytes a second
	last float64   // the average, bytes a second; never above max
	at   time.Time // end of the last pause
}

// New makes a Shaper for a rate in bytes a second, which may have a fraction,
// at the time of its creation. It fails if the rate is not above zero.
func New(rate float64, now time.Time) (*Shaper, error) {
	if !(rate > 0) || math.IsInf(rate, 0) { // not a number fails, too
		return nil, fmt.Errorf("shaper rate %v is not above zero", rate)
	}
	return &Shaper{max: rate, at: now}, nil
}

// Take accounts for size bytes that have come at now, and returns for how long
// nothing more may be read: whole milliseconds, 0 if the rate is kept.
func (s *Shaper) Take(now time.Time, size int) time.Duration {
	if s == nil || size <= 0 {
		return 0
	}
	var pause time.Duration
	gone := float64(now.Sub(s.at)) / float64(time.Millisecond)
	// The average never passes max while the clock runs forwards; were it
	// to pass twice that, the reference would not pause either.
	if room := 2*s.max - s.last; room > 0 {
		if need := 1000 * float64(size) / room; need > gone {
			ms := 1 + math.Trunc(need-gone)
			pause = time.Duration(min(ms, float64(longest/time.Millisecond))) * time.Millisecond
		}
	}
	next := now.Add(pause)
	passed := max(float64(next.Sub(s.at))/float64(time.Microsecond), 1)
	s.last = (s.last + 1e6*float64(size)/passed) / 2
	s.at = next
	return pause
}

// Rate is the average rate of what was taken, in bytes a second.
func (s *Shaper) Rate() float64 {
	if s == nil {
		return 0
	}
	return s.last
}
