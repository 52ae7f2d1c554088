// Package node puts a server together from a configuration: stores, hosts with their
// modules, listeners. It holds the only list of what is built in, so that the list
// can be read; a Go program that wants an XMPP node of its own begins here:
//
//	cfg, diags := compat.Load("etc/ejabberd.cfg", compat.Options{Builtins: node.Builtins()})
//	...
//	n, err := node.New(ctx, node.Options{Config: cfg, DataDir: "data", Log: log})
//	...
//	err = n.Start()
//	<-ctx.Done()
//	n.Stop()
//
// It imports every package that is built in.
package node

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"

	"meerkat/compat"
	"meerkat/compat/ctl"
	"meerkat/listeners"
	"meerkat/listeners/c2s"
	"meerkat/listeners/conn"
	"meerkat/listeners/shaper"
	"meerkat/listeners/tlsconf"
	"meerkat/router"
	"meerkat/router/auth"
	"meerkat/router/auth/rdbms"
	"meerkat/router/client"
	"meerkat/router/jid"
	"meerkat/router/modules/register"
	"meerkat/router/sasl"
	"meerkat/router/session"
	"meerkat/router/storage"
	"meerkat/router/storage/sqlite"
)

// drainTime is how long a node that stops waits for its clients to take leave.
const drainTime = 5 * time.Second

// Options are what a node is made of.
type Options struct {
	// Config is what the configuration files say.
	Config *compat.Config
	// DataDir is where the node keeps its data; it is made if it does not exist.
	DataDir string
	Log     *zap.Logger
	// RequireSession makes clients wait for ever if they send no session IQ, as
	// MongooseIM 2.0.1 did.
	RequireSession bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// A Node is a server, from New to Stop.
type Node struct {
	opts   Options
	log    *zap.Logger
	ctx    context.Context
	cancel context.CancelFunc

	router     *router.Router
	mechanisms *sasl.Mechanisms
	dbs        []*storage.DB
	clients    *client.Server
	certs      *tlsconf.Files
	c2s        []*c2s.Server
	specs      []listeners.Spec
	set        *listeners.Set
	ctl        *ctl.Server
}

// New opens the stores and sets up hosts, modules and listeners. Nothing can be
// reached before Start. On error everything is closed again.
func New(ctx context.Context, o Options) (_ *Node, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	n := &Node{opts: o, log: o.Log, certs: tlsconf.NewFiles(o.Log.Named("tls"))}
	n.ctx, n.cancel = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			n.close()
		}
	}()
	if err := os.MkdirAll(o.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	n.router = router.New(n.ctx, o.Log.Named("router"))
	n.router.SetACL(o.Config.ACL)
	n.router.Node = "meerkat@" + cmp.Or(hostname(), "localhost")
	n.router.Language = o.Config.Node.Language
	n.mechanisms, _ = sasl.New(o.Config.Node.SASLMechanisms) // what is unknown was reported while loading
	n.clients = &client.Server{
		Router:     n.router,
		Mechanisms: func(*router.Host) *sasl.Mechanisms { return n.mechanisms },
		Log:        o.Log.Named("c2s"),
		Now:        o.Now,
	}
	limiter := &register.Limiter{Timeout: o.Config.Node.RegistrationTimeout, Now: o.Now}
	deriver := auth.NewDeriver(auth.DeriverOptions{})
	for i := range o.Config.Hosts {
		if err := n.addHost(&o.Config.Hosts[i], deriver, limiter); err != nil {
			return nil, err
		}
	}
	for i := range o.Config.Listeners {
		if err := n.addListener(&o.Config.Listeners[i]); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// addHost opens the store of a host and starts its modules.
func (n *Node) addHost(h *compat.Host, deriver *auth.Deriver, limiter *register.Limiter) error {
	db, err := sqlite.Open(n.ctx, sqlite.Options{Dir: filepath.Join(n.opts.DataDir, "db"), Host: h.Name})
	if err != nil {
		return err
	}
	n.dbs = append(n.dbs, db)
	accounts := auth.NewHost(h.Name, n.methods(h, db, deriver), auth.HostOptions{Deriver: deriver, Log: n.log.Named("auth")})
	host := n.router.NewHost(h.Name, accounts)
	for i := range h.Modules {
		m := &h.Modules[i]
		entry := moduleOf(m.Name)
		if entry == nil {
			return fmt.Errorf("host %s: module %s is not built in", h.Name, m.Name)
		}
		entry.make(&env{
			host: h.Name, db: db, limiter: limiter, log: n.log.Named(m.Name), now: n.opts.Now,
		}, m.Options).Register(host)
	}
	return nil
}

// methods returns the authentication methods of a host.
func (n *Node) methods(h *compat.Host, db *storage.DB, deriver *auth.Deriver) (methods []auth.Method) {
	format := auth.StorePlain
	if h.Settings.Auth.PasswordFormat == "scram" {
		format = auth.StoreSCRAM
	}
	for _, name := range h.Settings.AuthMethods {
		// internal is the only method that is built in; others were left out, or
		// refused, while loading.
		methods = append(methods, rdbms.New(db, deriver, rdbms.Options{
			Name: name, Format: format, Iterations: h.Settings.Auth.SCRAMIterations,
		}))
	}
	return methods
}

// CertFiles returns the files of certificates with keys that a configuration names.
func CertFiles(cfg *compat.Config) (files []string) {
	for i := range cfg.Listeners {
		if o, ok := cfg.Listeners[i].Options.(*c2s.Options); ok {
			files = append(files, o.CertFile)
		}
	}
	files = append(files, cfg.Node.S2S.CertFile)
	files = slices.AppendSeq(files, maps.Values(cfg.Node.DomainCerts))
	slices.Sort(files)
	files = slices.Compact(files)
	return slices.DeleteFunc(files, func(f string) bool { return f == "" })
}

// addListener makes the server of a clause.
func (n *Node) addListener(l *compat.Listener) error {
	switch o := l.Options.(type) {
	case *c2s.Options:
		s, err := n.clientListener(l, o)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", l.Origin(), l.Module, err)
		}
		n.c2s = append(n.c2s, s)
		n.specs = append(n.specs, listeners.Spec{
			Module: l.Module, Origin: l.Origin(), Addr: l.Addr, Backlog: max(o.Backlog, 1),
			Handle: func(c *conn.Conn, done func()) { s.Serve(n.ctx, c, done) },
		})
		return nil
	default:
		return fmt.Errorf("%s: listener %s is not built in", l.Origin(), l.Module)
	}
}

// clientListener makes the server of an ejabberd_c2s clause.
func (n *Node) clientListener(l *compat.Listener, o *c2s.Options) (*c2s.Server, error) {
	s := &c2s.Server{
		Options: *o,
		Stream: client.Options{
			Access: o.Access, Shaper: o.Shaper, MaxStanzaSize: o.MaxStanzaSize,
			StartTLS: o.StartTLS, TLSRequired: o.StartTLSRequired,
			MaxQueue: o.MaxQueue, RequireSession: n.opts.RequireSession,
		},
		Clients: n.clients,
		Shaper:  n.shaper,
		Log:     n.log.Named("c2s"),
	}
	if o.Shaper == "none" {
		s.Stream.Shaper = ""
	}
	if !o.TLS && !o.StartTLS && !o.StartTLSRequired {
		return s, nil
	}
	off, _ := tlsconf.ParseWords(o.ProtocolOptions) // unknown words were reported while loading
	t, warnings, err := n.certs.Server(tlsconf.Options{
		CertFile: o.CertFile, HostCertFiles: n.opts.Config.Node.DomainCerts, Hosts: n.opts.Config.HostNames(), Off: off,
	})
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		n.log.Named("tls").Warn(w.String(), zap.String("listener", l.Origin()))
	}
	s.TLS = func(host string) *tls.Config {
		cfg, err := t.Config(host)
		if err != nil {
			return nil // no certificate for this host
		}
		return cfg
	}
	return s, nil
}

// shaper returns a new shaper of the configuration, nil for none.
func (n *Node) shaper(name string) *shaper.Shaper {
	def, ok := n.opts.Config.Shapers[name]
	if !ok {
		return nil
	}
	s, err := shaper.New(def.Rate, n.opts.Now())
	if err != nil { // the rate was checked while loading
		return nil
	}
	return s
}

// Start binds the listeners, in the order of the file, and begins to serve. If one
// cannot be bound none is, and the node is closed.
func (n *Node) Start() error {
	set, err := listeners.Start(n.ctx, n.specs, n.log.Named("listener"))
	if err != nil {
		n.close()
		return err
	}
	n.set = set
	go manageMemory(n.ctx)
	commands := ctl.AccountCommands(accounts{n})
	if n.ctl, err = ctl.Listen(n.ctx, n.opts.DataDir, commands, n.log.Named("ctl")); err != nil {
		n.Stop()
		return err
	}
	return nil
}

// Router returns the node's router.
func (n *Node) Router() *router.Router { return n.router }

// Listeners returns the bound listeners in the order of the file.
func (n *Node) Listeners() []*listeners.Listener { return n.set.Listeners() }

// Stop ends the node: it stops listening, tells every client that the system shuts
// down, waits a while for them to go, and closes the stores.
func (n *Node) Stop() {
	if n.ctl != nil {
		n.ctl.Close()
	}
	if n.set != nil {
		n.set.Stop()
		for _, s := range n.c2s {
			s.Shutdown()
		}
		for _, l := range n.set.Listeners() {
			l.Each(c2s.Wake)
		}
		ctx, cancel := context.WithTimeout(context.Background(), drainTime)
		if err := n.set.Wait(ctx); err != nil {
			n.log.Warn("connections that did not end in time are cut off", zap.Error(err))
			n.set.CloseAll()
		}
		cancel()
	}
	n.close()
}

func (n *Node) close() {
	n.cancel()
	for _, db := range n.dbs {
		if err := db.Close(); err != nil {
			n.log.Error("close database", zap.Error(err))
		}
	}
	n.dbs = nil
}

// accounts carries out the commands about accounts.
type accounts struct{ n *Node }

func (a accounts) Node() string { return a.n.router.Node }

func (a accounts) Register(ctx context.Context, user jid.JID, password string) error {
	h := a.n.router.Host(user.Domain())
	if h == nil {
		return ctl.ErrNotAllowed
	}
	switch err := h.Register(ctx, user, password); {
	case errors.Is(err, auth.ErrExists):
		return ctl.ErrExists
	case errors.Is(err, auth.ErrNullPassword):
		return ctl.ErrNullPassword
	case errors.Is(err, auth.ErrNotAllowed):
		return ctl.ErrNotAllowed
	default:
		return err
	}
}

func (a accounts) Unregister(ctx context.Context, user jid.JID) error {
	h := a.n.router.Host(user.Domain())
	if h == nil {
		return nil
	}
	t := session.NewTurn(ctx)
	defer t.Flush()
	return h.RemoveUser(t, user)
}
