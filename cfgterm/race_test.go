//go:build race

package cfgterm

const raceEnabled = true
