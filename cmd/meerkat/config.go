package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"meerkat/cfgterm/diag"
	"meerkat/cfgterm/schema"
	"meerkat/cmd/node"
	"meerkat/compat"
)

// configFlags are the flags of commands that read a configuration.
type configFlags struct {
	defaults     string
	allowMissing bool
}

func (f *configFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.defaults, "defaults", "documented",
		"which defaults absent options take: documented, or source for those of MongooseIM 2.0.1's source")
	cmd.Flags().BoolVar(&f.allowMissing, "allow-missing-modules", false,
		"leave out listeners, modules and options that this build does not serve, instead of refusing the file")
}

// options returns what compat.Load is given.
func (f *configFlags) options() (compat.Options, error) {
	o := compat.Options{Builtins: node.Builtins(), AllowMissing: f.allowMissing}
	switch f.defaults {
	case "documented":
		o.Defaults = schema.Documented
	case "source":
		o.Defaults = schema.Source
	default:
		return o, usageError{fmt.Errorf("--defaults is documented or source, not %q", f.defaults)}
	}
	return o, nil
}

// configPath returns the file of --config, or the one that a MongooseIM node would
// read.
func configPath(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	path, from := compat.FindFile(os.Getenv)
	if _, err := os.Stat(path); err != nil {
		abs, _ := filepath.Abs(path)
		return "", usageError{fmt.Errorf("no configuration file: give one with --config (%s, which %s names, cannot be read: %w)", abs, from, err)}
	}
	return path, nil
}

// missing reports whether a code says that this build lacks something of the
// reference.
func missing(code string) bool { return strings.HasPrefix(code, "BLD") }

// printDiagnostics writes diagnostics as text, in colour on a terminal.
func printDiagnostics(w io.Writer, list diag.List, source func(string) []byte) error {
	p := &diag.Printer{Source: source, Color: isTerminal(w)}
	return p.Print(w, list)
}

// isTerminal reports whether w is a terminal that takes colours.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}
