// Command meerkat is an XMPP server that takes the place of a MongooseIM 2.0.1 node:
// it reads the ejabberd.cfg that is there, checks and explains it, and serves the
// users behind it.
//
// It imports cmd/node and compat.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit statuses: all is well (warnings allowed), findings or failure, wrong use.
const (
	statusOK      = 0
	statusFailure = 1
	statusUsage   = 2
)

// A status ends the program with an exit status and nothing more to say.
type status int

func (s status) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// usageError is a wrong use of a command.
type usageError struct{ error }

func main() { os.Exit(run(os.Args[1:])) }

// run carries out a command line and returns the exit status.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	root := rootCommand()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	var s status
	var usage usageError
	switch {
	case err == nil:
		return statusOK
	case errors.As(err, &s):
		return int(s)
	case errors.As(err, &usage):
		fmt.Fprintf(cmd.ErrOrStderr(), "meerkat: %v\n\n%s", err, cmd.UsageString())
		return statusUsage
	default:
		fmt.Fprintf(cmd.ErrOrStderr(), "meerkat: %v\n", err)
		return statusFailure
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "meerkat",
		Short: "An XMPP server that reads ejabberd.cfg",
		Long: "meerkat takes the place of a MongooseIM 2.0.1 node. Point it at the ejabberd.cfg that is there:\n\n" +
			"  meerkat validate etc/ejabberd.cfg     what is wrong with it, and what to write instead\n" +
			"  meerkat explain max_stanza_size       what an option does\n" +
			"  meerkat serve -c etc/ejabberd.cfg     serve the users behind it",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q", args[0])}
			}
			return cmd.Help()
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(serveCommand(), validateCommand(), explainCommand(), termCommand(), ctlCommand(), versionCommand())
	return root
}

// args is check with the exit status of a wrong use.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}
