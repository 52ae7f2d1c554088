package web

import (
	"testing"

	"meerkat/cfgterm/schema/schematest"
)

func TestOptions(t *testing.T) {
	schematest.Run(t, Table(), `[{modules, []}, {ssl, [{certfile, "c.pem"}]}]`)
}

func TestSSLOptions(t *testing.T) {
	schematest.Run(t, sslTable, `[{certfile, "c.pem"}, {cacertfile, "ca.pem"}]`)
}
