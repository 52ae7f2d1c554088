//go:build !race

package cfgterm

const raceEnabled = false
