package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"meerkat/cfgterm/diag"
	"meerkat/compat"
)

func validateCommand() *cobra.Command {
	var flags configFlags
	var format string
	var strict bool
	cmd := &cobra.Command{
		Use:   "validate FILE...",
		Short: "Check configuration files",
		Long: "Checks ejabberd.cfg files, with what they include: syntax, options, and what they mean together.\n" +
			"Each file is a configuration of its own.\n\n" +
			"Exit status: 0 if there are no errors (warnings are allowed), 1 if there are, 2 if the command is wrong.",
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, files []string) error {
			o, err := flags.options()
			if err != nil {
				return err
			}
			if format != "text" && format != "json" {
				return usageError{fmt.Errorf("--format is text or json, not %q", format)}
			}
			var all diag.List
			sources := map[string][]byte{}
			for _, file := range files {
				cfg, list := compat.Load(file, o)
				for _, f := range cfg.Files {
					sources[f.Name] = f.Src
				}
				all = append(all, list...)
			}
			if strict {
				for i := range all {
					if all[i].Severity == diag.Warning {
						all[i].Severity = diag.Error
					}
				}
			}
			all.Sort()
			source := func(name string) []byte { return sources[name] }
			out := cmd.OutOrStdout()
			if format == "json" {
				err = diag.WriteJSON(out, all, source)
			} else if len(all) == 0 {
				_, err = fmt.Fprintln(out, "no findings")
			} else {
				err = printDiagnostics(out, all, source)
			}
			if err != nil {
				return err
			}
			if all.HasErrors() {
				return status(statusFailure)
			}
			return nil
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	cmd.Flags().BoolVar(&strict, "strict", false, "count warnings as errors")
	return cmd
}
