package api

import (
	"testing"

	"meerkat/cfgterm/schema/schematest"
)

func TestOptions(t *testing.T) {
	schematest.Run(t, Table(), "[]")
	schematest.Run(t, AdminTable(), "[]")
	schematest.Run(t, ClientTable(), "[]")
}
