//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use: "loadgen", Short: "Loads an XMPP server and checks what it delivers",
		SilenceUsage: true, SilenceErrors: true,
	}
	root.AddCommand(suiteCommand(), reportCommand(), relayCommand())
	l := &load{}
	mode := func(use, short string, flags func(c *cobra.Command), run func(ctx context.Context) (*result, error)) {
		c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
			if _, err := raiseFileLimit(); err != nil {
				return err
			}
			cheapMemory()
			r, err := run(c.Context())
			if err != nil {
				return err
			}
			line, err := json.Marshal(r)
			fmt.Fprintf(c.OutOrStdout(), "%s\n", line)
			if err == nil && !r.clean() {
				err = errors.New("the server did not deliver everything as it should")
			}
			return err
		}}
		l.flags(c)
		flags(c)
		root.AddCommand(c)
	}
	var n int
	count := func(def int, what string) func(c *cobra.Command) {
		return func(c *cobra.Command) { c.Flags().IntVarP(&n, "count", "n", def, what) }
	}
	mode("register", "Makes accounts by in-band registration", count(1000, "accounts"), func(ctx context.Context) (*result, error) { return registerUsers(ctx, l, n) })
	mode("login", "Measures whole logins in a closed loop", count(1000, "accounts"), func(ctx context.Context) (*result, error) { return logins(ctx, l, n) })

	var talk chatPlan
	mode("chat", "Measures messages between pairs of sessions", func(c *cobra.Command) {
		c.Flags().IntVarP(&talk.Pairs, "pairs", "n", 100, "pairs of sessions; both of a pair send")
		c.Flags().IntVarP(&talk.W, "window", "w", 1, "messages under way per flow")
		c.Flags().Float64Var(&talk.Rate, "rate", 0, "messages per second in all; 0: a closed loop")
		c.Flags().IntVar(&talk.Body, "body", 100, "bytes of a body")
	}, func(ctx context.Context) (*result, error) { return chat(ctx, l, talk) })

	var ask iqPlan
	mode("iq", "Measures queries to the server", func(c *cobra.Command) {
		c.Flags().IntVarP(&ask.Sessions, "sessions", "n", 50, "sessions")
		c.Flags().IntVarP(&ask.W, "window", "w", 1, "queries under way per session")
		c.Flags().StringVarP(&ask.Query, "query", "q", "ping", "ping, disco or roster")
	}, func(ctx context.Context) (*result, error) { return iq(ctx, l, ask) })

	var rest idlePlan
	mode("idle", "Measures the memory of idle sessions", func(c *cobra.Command) {
		c.Flags().IntSliceVar(&rest.Levels, "levels", []int{1000, 5000, 15000}, "numbers of sessions, rising")
		c.Flags().DurationVar(&rest.Settle, "settle", 6*time.Second, "wait before memory is read")
	}, func(ctx context.Context) (*result, error) {
		if len(rest.Levels) == 0 || !slices.IsSorted(rest.Levels) || rest.Levels[0] < 1 {
			return nil, errors.New("levels are rising numbers of sessions")
		}
		return idle(ctx, l, rest)
	})
	return root
}

// flags declares what all modes take.
func (l *load) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&l.Server, "label", "", "name of the server in the result")
	f.StringVar(&l.Addr, "addr", "127.0.0.1:5222", "where clients connect")
	f.StringVar(&l.Domain, "domain", "localhost", "XMPP domain")
	f.StringVarP(&l.Transport, "transport", "t", "tcp", "tcp, or tls: STARTTLS")
	f.StringVar(&l.Auth, "auth", "scram", "scram (SCRAM-SHA-1) or plain")
	f.StringVar(&l.User, "user", "u", "names of accounts begin with this")
	f.StringVar(&l.Password, "password", "secret", "password of all accounts")
	f.IntSliceVar(&l.Pids, "pid", nil, "the server's processes; their children are counted too")
	f.IntVar(&l.Base, "base", 0, "number of the first account")
	f.IntVar(&l.Workers, "workers", 16, "logins at the same time")
	f.IntVar(&l.Sources, "sources", 200, "addresses of 127.1.0.0/16 to connect from; 0: the system's choice")
	f.DurationVar(&l.Measure, "measure", 5*time.Second, "measured time")
	f.DurationVar(&l.Warm, "warm", 2*time.Second, "time before it")
	f.DurationVar(&l.Drain, "drain", 10*time.Second, "how long what is under way has to arrive")
}

// cheapMemory lets the collector run seldom: it is the server that is measured.
func cheapMemory() { debug.SetGCPercent(400) }

func relayCommand() *cobra.Command {
	var listen, cert, key, domain string
	c := &cobra.Command{Use: "relay", Short: "Is the ceiling: forwards messages and does nothing else", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		if _, err := raiseFileLimit(); err != nil {
			return err
		}
		r := &relay{domain: domain}
		if cert != "" {
			var err error
			if r.tls, err = serverTLS(cert, key); err != nil {
				return err
			}
		}
		ln, _, err := listenRelay(listen)
		if err != nil {
			return err
		}
		return r.serve(c.Context(), ln)
	}}
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:7222", "address")
	c.Flags().StringVar(&domain, "domain", "localhost", "XMPP domain")
	c.Flags().StringVar(&cert, "cert", "", "certificate, for STARTTLS")
	c.Flags().StringVar(&key, "key", "", "its key")
	return c
}

func reportCommand() *cobra.Command {
	return &cobra.Command{Use: "report FILE...", Short: "Prints result lines as a table", Args: cobra.MinimumNArgs(1), RunE: func(c *cobra.Command, files []string) error {
		var all []*result
		for _, name := range files {
			f, err := os.Open(name)
			if err != nil {
				return fmt.Errorf("read results: %w", err)
			}
			some, err := readResults(f)
			f.Close()
			if err != nil {
				return fmt.Errorf("read results of %s: %w", name, err)
			}
			all = append(all, some...)
		}
		writeReport(c.OutOrStdout(), all)
		return nil
	}}
}

func suiteCommand() *cobra.Command {
	var servers, only []string
	var short, spin, keep bool
	var bin, save, modules string
	var runs int
	c := &cobra.Command{Use: "suite", Short: "Starts servers, measures them and compares", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		ctx, out, log := c.Context(), c.OutOrStdout(), c.ErrOrStderr()
		for _, k := range only {
			if k != "idle" && k != "idle-tls" && !slices.ContainsFunc(tests, func(t test) bool { return t.key == k }) {
				return fmt.Errorf("unknown test %q: idle, idle-tls or one of %s", k, strings.Join(testKeys(), ", "))
			}
		}
		if modules != "few" && modules != "usual" {
			return fmt.Errorf("--modules is few or usual, not %q", modules)
		}
		files, err := raiseFileLimit()
		if err != nil {
			return err
		}
		cheapMemory()
		b, err := newLab(bin, modules == "usual", spin)
		if err != nil {
			return err
		}
		if keep {
			fmt.Fprintf(log, "data stays in %s\n", b.dir)
		} else {
			defer b.remove()
		}
		if save != "" {
			f, err := os.Create(save)
			if err != nil {
				return fmt.Errorf("save results: %w", err)
			}
			defer f.Close()
			out = io.MultiWriter(out, f)
		}
		s := &suite{lab: b, scale: full, only: only, files: files, out: out, log: log}
		if short {
			s.scale = quick
		}
		if runs > 0 {
			s.scale.Runs = runs
		}
		var all []*result
		var failed []error
		for _, name := range servers {
			began := time.Now()
			some, err := s.run(ctx, name)
			all = append(all, some...)
			switch {
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case errors.Is(err, errMissing) && name != "meerkat": // what this is about must be there
				fmt.Fprintf(log, "%s is skipped: %v\n", name, err)
			case err != nil:
				fmt.Fprintf(log, "%s: %v\n", name, err)
				failed = append(failed, fmt.Errorf("%s was not measured to the end", name))
			default:
				fmt.Fprintf(log, "%s took %s\n", name, time.Since(began).Round(time.Second))
			}
		}
		fmt.Fprintln(out)
		writeReport(out, all)
		for _, r := range all {
			if !r.clean() {
				failed = append(failed, fmt.Errorf("%s, %s: not everything was delivered as it should", r.Server, r.Test))
			}
		}
		return errors.Join(failed...)
	}}
	f := c.Flags()
	f.StringSliceVar(&servers, "server", serverNames, "which: relay, meerkat, ejabberd, prosody")
	f.StringSliceVar(&only, "only", nil, "tests to run: idle, idle-tls, "+strings.Join(testKeys(), ", "))
	f.BoolVar(&short, "quick", false, "two to three minutes a server instead of fifteen")
	f.IntVar(&runs, "runs", 0, "how often each test runs; 0: as --quick says")
	f.StringVar(&bin, "bin", "bin/meerkat", "Meerkat's program")
	f.StringVar(&save, "save", "", "file that gets the result lines too")
	f.StringVar(&modules, "modules", "few", "of all servers: few (disco, roster, register, offline, ping) or usual (also adhoc, privacy, blocking, private, carbons, last, stream management, vcard)")
	f.BoolVar(&spin, "spin", true, "let the schedulers of ejabberd spin, as they do by default")
	f.BoolVar(&keep, "keep", false, "leave data and logs of the servers")
	return c
}

func testKeys() (keys []string) {
	for _, t := range tests {
		keys = append(keys, t.key)
	}
	return keys
}
