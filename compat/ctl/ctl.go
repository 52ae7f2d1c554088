// Package ctl is the administration of a running node from the command line: what
// mongooseimctl is to MongooseIM 2.0.1. A node offers commands on a socket in its
// data directory, which only its own user can open; "meerkat ctl" calls them.
//
// A call is one line of JSON with the words of the command line, and its answer is
// one line with what to print and the exit status. The texts are those of
// ejabberd_ctl.
//
// It imports router/jid.
package ctl

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Exit statuses of commands, as mongooseimctl has them.
const (
	Success  = 0
	Failure  = 1
	BadUsage = 2
	NoNode   = 3
)

// SocketName is the name of the socket in the data directory.
const SocketName = "ctl.sock"

// maxCall bounds one call, in bytes.
const maxCall = 1 << 20

// A Result is what a command prints, and its exit status.
type Result struct {
	Output string `json:"output"`
	Status int    `json:"status"`
}

// A Command is one thing that can be asked of a node.
type Command struct {
	Name string
	Args []string // names of the arguments, all of them mandatory
	Doc  string   // one line
	Run  func(ctx context.Context, args []string) Result
}

// Commands are those that a node offers.
type Commands []Command

// Run carries out the words of a command line: the name of a command and its
// arguments. Dashes in the name are the same as underscores.
func (c Commands) Run(ctx context.Context, words []string) Result {
	if len(words) == 0 {
		return Result{Output: c.Usage(), Status: BadUsage}
	}
	name := strings.ReplaceAll(words[0], "-", "_")
	i := slices.IndexFunc(c, func(cmd Command) bool { return cmd.Name == name })
	if i < 0 {
		return Result{Output: fmt.Sprintf("Error: command %q not known.\n%s", words[0], c.Usage()), Status: BadUsage}
	}
	cmd, args := c[i], words[1:]
	if n := len(cmd.Args) - len(args); n != 0 {
		what := "more"
		if n < 0 {
			n, what = -n, "less"
		}
		return Result{
			Output: fmt.Sprintf("\nError: the command %q requires %d %s argument.\nusage: %s %s\n", cmd.Name, n, what, cmd.Name, strings.Join(cmd.Args, " ")),
			Status: BadUsage,
		}
	}
	return cmd.Run(ctx, args)
}

// Usage lists the commands.
func (c Commands) Usage() string {
	var b strings.Builder
	b.WriteString("Available commands of the node:\n")
	for _, cmd := range c {
		fmt.Fprintf(&b, "  %-40s %s\n", cmd.Name+" "+strings.Join(cmd.Args, " "), cmd.Doc)
	}
	return b.String()
}

// call is what a caller sends.
type call struct {
	Words []string `json:"words"`
}

// A Server offers commands on a socket.
type Server struct {
	listener net.Listener
	commands Commands
	log      *zap.Logger
	wg       sync.WaitGroup
}

// Listen makes the socket in a data directory and serves commands there until ctx
// ends or Close is called. A socket that a node left behind when it was killed is
// replaced; one that a node answers on is an error.
func Listen(ctx context.Context, dataDir string, commands Commands, log *zap.Logger) (*Server, error) {
	path := filepath.Join(dataDir, SocketName)
	if _, err := os.Lstat(path); err == nil {
		if c, err := net.Dial("unix", path); err == nil {
			c.Close()
			return nil, fmt.Errorf("another node serves commands on %s", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("replace the socket of an earlier node: %w", err)
		}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("make the command socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("protect the command socket: %w", err)
	}
	s := &Server{listener: l, commands: commands, log: log}
	s.wg.Go(func() { s.serve(ctx) })
	return s, nil
}

func (s *Server) serve(ctx context.Context) {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				s.log.Error("command socket", zap.Error(err))
			}
			return
		}
		s.wg.Go(func() { s.answer(ctx, c) })
	}
}

func (s *Server) answer(ctx context.Context, c net.Conn) {
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second)) // fails if it is closed: so does the read
	line, err := bufio.NewReader(&limited{c, maxCall}).ReadBytes('\n')
	if err != nil {
		return // the caller went away
	}
	var in call
	var out Result
	if err := json.Unmarshal(line, &in); err != nil {
		out = Result{Output: "Error: not a call of this version: " + err.Error() + "\n", Status: BadUsage}
	} else {
		out = s.commands.Run(ctx, in.Words)
	}
	if err := json.NewEncoder(c).Encode(out); err != nil {
		s.log.Debug("command caller went away", zap.Error(err))
	}
}

// limited ends after n bytes.
type limited struct {
	c net.Conn
	n int
}

func (l *limited) Read(p []byte) (int, error) {
	if l.n <= 0 {
		return 0, errors.New("call too long")
	}
	n, err := l.c.Read(p[:min(len(p), l.n)])
	l.n -= n
	return n, err
}

// Close stops serving and waits for the calls under way.
func (s *Server) Close() {
	s.listener.Close()
	s.wg.Wait()
}

// Call runs a command on the node with that data directory. An error says that there
// is no such node, or that it did not answer.
func Call(ctx context.Context, dataDir string, words []string) (Result, error) {
	path := filepath.Join(dataDir, SocketName)
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Result{}, fmt.Errorf("no node runs with the data directory %s (there is no %s)", dataDir, SocketName)
	case errors.Is(err, fs.ErrPermission):
		return Result{}, fmt.Errorf("open %s: not allowed; run the command as the user of the node", path)
	case err != nil:
		return Result{}, fmt.Errorf("no node answers on %s: %w", path, err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if err := json.NewEncoder(c).Encode(call{Words: words}); err != nil {
		return Result{}, fmt.Errorf("send the command: %w", err)
	}
	var out Result
	if err := json.NewDecoder(c).Decode(&out); err != nil {
		return Result{}, fmt.Errorf("read the node's answer: %w", err)
	}
	return out, nil
}
