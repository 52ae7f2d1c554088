package rest

import (
	"testing"

	"meerkat/cfgterm/schema/schematest"
)

func TestOptions(t *testing.T) {
	for _, table := range Tables() {
		schematest.Run(t, table, "[]")
	}
}
