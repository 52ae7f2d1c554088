package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"meerkat/compat/ctl"
)

func ctlCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "ctl COMMAND [ARGUMENT...]",
		Short: "Give a command to the running node",
		Long: "Gives a command to the node that runs with the data directory, as mongooseimctl does:\n\n" +
			"  meerkat ctl register alice localhost secret\n" +
			"  meerkat ctl unregister alice localhost\n\n" +
			"Without a command it prints those that the node has. Exit status: 0 done, 1 refused, 2 wrong use,\n" +
			"3 no node runs there.",
		RunE: func(cmd *cobra.Command, words []string) error {
			res, err := ctl.Call(cmd.Context(), data, words)
			if err != nil {
				fmt.Fprintln(cmd.ErrOrStderr(), "meerkat:", err)
				return status(ctl.NoNode)
			}
			fmt.Fprint(cmd.OutOrStdout(), res.Output)
			if res.Status != ctl.Success {
				return status(res.Status)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&data, "data", "data", "data directory of the node")
	cmd.Flags().SetInterspersed(false)
	return cmd
}
