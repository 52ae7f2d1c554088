package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/spf13/cobra"

	"meerkat/cfgterm"
	"meerkat/cfgterm/etf"
)

func termCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "term FILE",
		Short: "Print the terms of a file as they were read",
		Long: "Reads an Erlang term file as file:consult does and prints its terms:\n" +
			"json, one term a line, every Erlang term apart from every other;\n" +
			"erlang, one term a line with its full stop;\n" +
			"etf, one after the other in the external term format, each after its length as four bytes.\n\n" +
			"- stands for standard input. A file that cannot be read as a whole is not printed; what is wrong with it\n" +
			"goes to standard error. Nothing is hidden: passwords in the file are printed.",
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, files []string) error {
			write, ok := map[string]func(io.Writer, cfgterm.Term) error{
				"json": writeJSON, "erlang": writeErlang, "etf": writeETF,
			}[format]
			if !ok {
				return usageError{fmt.Errorf("--format is json, erlang or etf, not %q", format)}
			}
			name := files[0]
			src, err := readInput(cmd, name)
			if err != nil {
				return err
			}
			f, list := cfgterm.Parse(name, src)
			if len(list) > 0 {
				source := func(string) []byte { return src }
				if err := printDiagnostics(cmd.ErrOrStderr(), list, source); err != nil {
					return err
				}
			}
			if list.HasErrors() {
				return status(statusFailure)
			}
			for _, t := range f.Terms {
				if err := write(cmd.OutOrStdout(), t); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", "erlang", "json, erlang or etf")
	return cmd
}

func readInput(cmd *cobra.Command, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(cmd.InOrStdin())
	}
	return os.ReadFile(name)
}

func writeJSON(w io.Writer, t cfgterm.Term) error {
	_, err := w.Write(append(cfgterm.AppendJSON(nil, t), '\n'))
	return err
}

func writeErlang(w io.Writer, t cfgterm.Term) error {
	_, err := fmt.Fprintln(w, cfgterm.Format(t)+".")
	return err
}

func writeETF(w io.Writer, t cfgterm.Term) error {
	b, err := etf.Encode(t)
	if err != nil {
		return fmt.Errorf("%s: %w", t.Span(), err)
	}
	if len(b) > math.MaxUint32 {
		return fmt.Errorf("%s: the term is too long for a length of four bytes", t.Span())
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
	return err
}
