package ctl

import (
	"context"
	"errors"
	"fmt"

	"meerkat/router/jid"
)

// Accounts are what the commands about accounts act on.
type Accounts interface {
	// Register makes an account. The error says why not: one of the reasons
	// below, or a failure.
	Register(ctx context.Context, user jid.JID, password string) error
	// Unregister removes an account, if it exists.
	Unregister(ctx context.Context, user jid.JID) error
	// Node is the node's own name.
	Node() string
}

// Reasons for which an account is not made.
var (
	ErrExists       = errors.New("already registered")
	ErrNotAllowed   = errors.New("not_allowed")
	ErrNullPassword = errors.New("null_password")
	ErrInvalidJID   = errors.New("invalid_jid")
)

// AccountCommands are register and unregister.
func AccountCommands(a Accounts) Commands {
	return Commands{
		{
			Name: "register", Args: []string{"user", "host", "password"}, Doc: "Register a user",
			Run: func(ctx context.Context, args []string) Result {
				// The name is shown as it was given.
				name := args[0] + "@" + args[1]
				j, err := jid.New(args[0], args[1], "")
				if err != nil || j.Local() == "" {
					err = ErrInvalidJID
				} else {
					err = a.Register(ctx, j, args[2])
				}
				switch {
				case err == nil:
					return Result{Output: fmt.Sprintf("User %s successfully registered\n", name)}
				case errors.Is(err, ErrExists):
					return Result{Output: fmt.Sprintf("User %s already registered at node %s\n", name, a.Node()), Status: Failure}
				default:
					return Result{Output: fmt.Sprintf("Can't register user %s at node %s: %v\n", name, a.Node(), err), Status: Failure}
				}
			},
		},
		{
			Name: "unregister", Args: []string{"user", "host"}, Doc: "Unregister a user",
			Run: func(ctx context.Context, args []string) Result {
				j, err := jid.New(args[0], args[1], "")
				if err != nil || j.Local() == "" {
					return Result{} // as for every user that there is not
				}
				if err := a.Unregister(ctx, j); err != nil {
					return Result{Output: fmt.Sprintf("Can't unregister user %s: %v\n", j, err), Status: Failure}
				}
				return Result{}
			},
		},
	}
}
