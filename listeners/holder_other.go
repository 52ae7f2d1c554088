//go:build unix && !linux

package listeners

// holder is unknown here.
func holder(uint16) string { return "" }
