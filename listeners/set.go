package listeners

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"syscall"

	"go.uber.org/zap"
)

// ErrDuplicate is returned by Set.Add for an address that is in use in the Set.
var ErrDuplicate = errors.New("another listener has this address")

// A Set is the listeners of a node.
type Set struct {
	log *zap.Logger

	mu   sync.Mutex // guards list; not held while binding
	list []*Listener
}

// Start binds the sockets of all specs in their order and then begins to
// accept on all of them. If one cannot be bound none is, and the error is a
// *BindError. Of specs with the same address the first is used; the others are
// logged. ctx ends the waiting for ports that are in use.
func Start(ctx context.Context, specs []Spec, log *zap.Logger) (*Set, error) {
	s := &Set{log: log}
	specs, err := s.unique(specs)
	if err != nil {
		return nil, err
	}
	for i := range specs {
		l, err := s.bind(ctx, &specs[i], specs)
		if err != nil {
			for _, l := range s.list {
				l.sock.Close()
			}
			return nil, err
		}
		s.list = append(s.list, l)
	}
	for _, l := range s.list {
		l.start()
	}
	return s, nil
}

// unique leaves out specs whose address an earlier one has.
func (s *Set) unique(specs []Spec) ([]Spec, error) {
	seen := map[netip.AddrPort]*Spec{}
	var use []Spec
	for i := range specs {
		sp := &specs[i]
		if err := sp.check(); err != nil {
			return nil, fmt.Errorf("start %s: %w", sp, err)
		}
		if first := seen[sp.key()]; first != nil && sp.Addr.Port() != 0 {
			s.log.Error("listener not started: another one has its address",
				zap.Stringer("listener", sp), zap.Stringer("used", first))
			continue
		}
		seen[sp.key()] = sp
		use = append(use, *sp)
	}
	return use, nil
}

// bind binds one spec. others are the specs that it has to live with.
func (s *Set) bind(ctx context.Context, sp *Spec, others []Spec) (*Listener, error) {
	sock, err := bind(ctx, sp, v6only(sp, others))
	if err != nil {
		var be *BindError
		if errors.As(err, &be) {
			s.blame(be, sp)
		}
		return nil, err
	}
	return newListener(*sp, sock, s.log), nil
}

// v6only tells whether "::" has to leave IPv4 to another listener.
func v6only(sp *Spec, others []Spec) bool {
	at := sp.key()
	return at.Addr() == netip.IPv6Unspecified() && at.Port() != 0 && slices.ContainsFunc(others, func(o Spec) bool {
		return o.key().Addr().Is4() && o.key().Port() == at.Port()
	})
}

// blame names the listener of this Set that is in the way, if it is one.
func (s *Set) blame(be *BindError, sp *Spec) {
	if !errors.Is(be, syscall.EADDRINUSE) {
		return
	}
	at := sp.key()
	for _, l := range s.Listeners() {
		wild := l.addr.Addr().IsUnspecified() || at.Addr().IsUnspecified()
		if l.addr.Port() == at.Port() && (wild || l.addr == at) {
			be.Reason = "port already in use by " + l.String()
			be.Help = "a listener for all addresses leaves none for another one with the same port"
		}
	}
}

// Add starts one more listener, as at a reload. Errors: ErrDuplicate,
// *BindError.
func (s *Set) Add(ctx context.Context, sp Spec) (*Listener, error) {
	if err := sp.check(); err != nil {
		return nil, fmt.Errorf("start %s: %w", &sp, err)
	}
	var others []Spec
	for _, l := range s.Listeners() {
		if l.addr == sp.key() {
			return nil, fmt.Errorf("start %s: %w: %s", &sp, ErrDuplicate, l)
		}
		o := l.spec
		o.Addr = l.addr
		others = append(others, o)
	}
	l, err := s.bind(ctx, &sp, others)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.list = append(s.list, l)
	s.mu.Unlock()
	l.start()
	return l, nil
}

// Remove stops the listener with this address, as at a reload, and returns it;
// its connections stay. It returns nil if there is none.
func (s *Set) Remove(at netip.AddrPort) *Listener {
	s.mu.Lock()
	i := slices.IndexFunc(s.list, func(l *Listener) bool { return l.addr == at })
	var l *Listener
	if i >= 0 {
		l = s.list[i]
		s.list = slices.Delete(s.list, i, i+1)
	}
	s.mu.Unlock()
	if l != nil {
		l.Stop()
	}
	return l
}

// Listeners are those that accept, in the order of their start.
func (s *Set) Listeners() []*Listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list)
}

// Find returns the listener that a connection with this local address came
// through, or nil.
func (s *Set) Find(local netip.AddrPort) *Listener {
	local = netip.AddrPortFrom(local.Addr().Unmap(), local.Port())
	var best *Listener
	for _, l := range s.Listeners() {
		switch {
		case l.addr == local:
			return l
		case l.addr.Port() != local.Port() || !l.addr.Addr().IsUnspecified():
		case best == nil || l.addr.Addr().Is4() == local.Addr().Is4():
			best = l
		}
	}
	return best
}

// Origin tells where the listener of a local address was declared:
// "ejabberd.cfg:12", or "".
func (s *Set) Origin(local netip.AddrPort) string {
	if l := s.Find(local); l != nil {
		return l.Origin()
	}
	return ""
}

// Stop stops all listeners in the reverse order of their start. Connections
// stay.
func (s *Set) Stop() {
	for _, l := range slices.Backward(s.Listeners()) {
		l.Stop()
	}
}

// CloseAll closes the open connections of all listeners.
func (s *Set) CloseAll() {
	for _, l := range s.Listeners() {
		l.CloseAll()
	}
}

// Wait waits as Listener.Wait for all listeners.
func (s *Set) Wait(ctx context.Context) error {
	for _, l := range s.Listeners() {
		if err := l.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}
