package stream

import (
	"math"
	"regexp"
	"testing"
)

func TestUpperHex(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 9: "9", 10: "A", 0xdeadbeef: "DEADBEEF", 1 << 60: "1000000000000000", math.MaxUint64: "FFFFFFFFFFFFFFFF"} {
		if got := upperHex(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestNewID(t *testing.T) {
	form := regexp.MustCompile(`^(0|[1-9A-F][0-9A-F]{0,15})$`)
	seen := map[string]bool{}
	for range 1000 {
		id := NewID()
		if !form.MatchString(id) {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d different ids of 1000", len(seen))
	}
}
