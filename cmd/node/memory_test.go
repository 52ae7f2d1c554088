package node

import "testing"

func TestGCPercent(t *testing.T) {
	for live, want := range map[uint64]int{
		0: maxPercent, 1 << 20: maxPercent, 6 << 20: 400, 12 << 20: 200, 24 << 20: 100, 1 << 40: 100,
	} {
		if got := gcPercent(live); got != want {
			t.Errorf("%d bytes live: %d %%, want %d", live, got, want)
		}
	}
}
