package shaper

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var t0 = time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC)

func newShaper(t rapid.TB, rate float64) *Shaper {
	s, err := New(rate, t0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The examples that were computed with the reference's arithmetic.
func TestReferenceExamples(t *testing.T) {
	s := newShaper(t, 1000)
	for _, step := range []struct {
		size  int
		at    time.Duration
		pause int // ms
		last  float64
	}{
		{500, 0, 251, 996.016},
		{500, 251 * time.Millisecond, 499, 999.010},
		{1000, 501 * time.Millisecond, 1249, 999.505},
		{100, 2 * time.Second, 0, 699.752},
		{5000, 10 * time.Second, 0, 662.376},
	} {
		pause := s.Take(t0.Add(step.at), step.size)
		if pause != time.Duration(step.pause)*time.Millisecond {
			t.Errorf("%d bytes at %v: pause %v, want %d ms", step.size, step.at, pause, step.pause)
		}
		if math.Abs(s.Rate()-step.last) > 0.0005 {
			t.Errorf("%d bytes at %v: average %.4f, want %.3f", step.size, step.at, s.Rate(), step.last)
		}
	}
}

func TestRates(t *testing.T) {
	for _, bad := range []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		if s, err := New(bad, t0); err == nil || s != nil {
			t.Errorf("rate %v accepted", bad)
		}
	}
	for _, good := range []float64{0.5, 1, 1000, 1e300, math.SmallestNonzeroFloat64} {
		if _, err := New(good, t0); err != nil {
			t.Errorf("rate %v: %v", good, err)
		}
	}
}

func TestNoShaper(t *testing.T) {
	var s *Shaper
	if d := s.Take(t0, 1<<30); d != 0 || s.Rate() != 0 {
		t.Errorf("no shaper pauses %v", d)
	}
}

// The two places where the reference's arithmetic can divide by zero.
func TestGuards(t *testing.T) {
	s := &Shaper{max: 1000, last: 2000, at: t0} // no room
	if d := s.Take(t0.Add(time.Second), 100); d != 0 {
		t.Errorf("no room: pause %v, want none", d)
	}
	if r := s.Rate(); math.Abs(r-1050) > 0.001 {
		t.Errorf("no room: average %v, want 1050", r)
	}
	s = &Shaper{max: 1000, last: 3000, at: t0} // less than none, no time gone
	if d := s.Take(t0, 1); d != 0 {
		t.Errorf("less than no room: pause %v, want none", d)
	}
	if r := s.Rate(); r != (3000+1e6)/2 {
		t.Errorf("no time gone: average %v, want that of one microsecond", r)
	}
	s = newShaper(t, 1000) // nothing taken
	if d := s.Take(t0, 0); d != 0 || s.Rate() != 0 {
		t.Errorf("nothing taken: pause %v", d)
	}
	s = newShaper(t, math.SmallestNonzeroFloat64)
	if d := s.Take(t0, 1<<40); d != longest {
		t.Errorf("tiniest rate: pause %v, want the longest", d)
	}
}

type take struct {
	wait time.Duration
	size int
}

func takes(t *rapid.T) []take {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) take {
		return take{
			time.Duration(rapid.Int64Range(0, int64(5*time.Second)).Draw(t, "wait")),
			rapid.IntRange(1, 70000).Draw(t, "size"),
		}
	}), 1, 100).Draw(t, "takes")
}

// Whatever comes, the average stays at or below the rate, a pause is whole
// milliseconds, and one who keeps the pauses gets at most twice the rate.
func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(0.5, 1e6).Draw(t, "rate")
		s := newShaper(t, rate)
		now, total := t0, 0.0
		for _, k := range takes(t) {
			now = now.Add(k.wait)
			pause := s.Take(now, k.size)
			if pause < 0 || pause%time.Millisecond != 0 {
				t.Fatalf("pause %v", pause)
			}
			if s.Rate() > rate*(1+1e-9) || !(s.Rate() >= 0) {
				t.Fatalf("average %v above the rate %v", s.Rate(), rate)
			}
			now = now.Add(pause)
			total += float64(k.size)
			if got := total / now.Sub(t0).Seconds(); got > 2*rate*(1+1e-6) {
				t.Fatalf("%v bytes a second got through a rate of %v", got, rate)
			}
		}
	})
}

// More bytes never pause less.
func TestMoreBytesPauseLonger(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(0.5, 1e6).Draw(t, "rate")
		s := newShaper(t, rate)
		now := t0
		for _, k := range takes(t) {
			now = now.Add(k.wait)
			more := *s
			if a, b := s.Take(now, k.size), more.Take(now, k.size+1+k.size/3); a > b {
				t.Fatalf("%d bytes pause %v, more bytes %v", k.size, a, b)
			}
		}
	})
}

// One who always sends gets the rate.
func TestSteadySenderGetsTheRate(t *testing.T) {
	for _, rate := range []float64{1000, 50_000} {
		for _, size := range []int{500, 4096} {
			s := newShaper(t, rate)
			now := t0
			const n = 2000
			for range n {
				now = now.Add(s.Take(now, size))
			}
			got := float64(n*size) / now.Sub(t0).Seconds()
			if got > rate*1.01 || got < rate*0.9 {
				t.Errorf("rate %v, chunks of %d: %.0f bytes a second", rate, size, got)
			}
		}
	}
}

func BenchmarkTake(b *testing.B) {
	s := newShaper(b, 50_000)
	now := t0
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Millisecond)
		s.Take(now, 100)
	}
}
