package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"
)

// HostOptions are what a Host needs beside its methods.
type HostOptions struct {
	// Deriver makes SCRAM keys of plain stored passwords. Nil: the host gets
	// one of its own.
	Deriver *Deriver
	// Log receives failures of methods; nil: nowhere.
	Log *zap.Logger
	// Registered and Removed run after an account was made or removed: the
	// hooks register_user and remove_user. Nil: nothing.
	Registered, Removed func(ctx context.Context, user string)
	// Observe receives how long a call took; call is authorize,
	// check_password, try_register or does_user_exist, as the metrics
	// backends.auth.* are named. Nil: nothing.
	Observe func(call string, took time.Duration)
}

// A Host is the accounts of one virtual host: a list of methods and the rules
// how they combine. Its methods may be called from any goroutine.
type Host struct {
	domain  string
	methods []Method
	o       HostOptions
}

// NewHost makes the accounts of a prepared domain. Without methods nobody can
// log in or register.
func NewHost(domain string, methods []Method, o HostOptions) *Host {
	if o.Deriver == nil {
		o.Deriver = NewDeriver(DeriverOptions{})
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	return &Host{domain: domain, methods: slices.Clone(methods), o: o}
}

// Domain is the host's prepared name.
func (h *Host) Domain() string { return h.domain }

// Method gives the host's method of that name, or nil.
func (h *Host) Method(name string) Method {
	for _, m := range h.methods {
		if m.Name() == name {
			return m
		}
	}
	return nil
}

// Store combines the methods': any external makes the host external, else any
// scram makes it scram, else it is plain, also without methods.
func (h *Host) Store() Store {
	var s Store
	for _, m := range h.methods {
		s = max(s, m.Store())
	}
	return s
}

// Serves reports whether SCRAM with a hash can be offered: SHA-1 unless the
// host is external; another only if every method serves it, since clients pick
// the strongest and would lock themselves out.
func (h *Host) Serves(hash Hash) bool {
	if h.Store() == StoreExternal {
		return false
	}
	if hash == SHA1 {
		return true
	}
	for _, m := range h.methods {
		if !m.Serves(hash) {
			return false
		}
	}
	return len(h.methods) > 0
}

// NeedsPlain reports whether legacy authentication (XEP-0078) must deliver the
// password itself, since no digest can be checked.
func (h *Host) NeedsPlain() bool { return h.Store() != StorePlain }

func (h *Host) observe(call string, since time.Time) {
	if h.o.Observe != nil {
		h.o.Observe(call, time.Since(since))
	}
}

// failed logs a method's failure and wraps it.
func (h *Host) failed(op string, m Method, user string, err error) error {
	h.o.Log.Warn("authentication backend failed", zap.String("operation", op),
		zap.String("method", m.Name()), zap.String("user", user), zap.String("host", h.domain), zap.Error(err))
	return fmt.Errorf("%s %s@%s: %s: %w", op, user, h.domain, m.Name(), err)
}

// Authorise finds the first method that accepts the password and returns its
// name. If none does, the error is ErrNotAuthorized, or wraps what failed if a
// method could not be asked.
func (h *Host) Authorise(ctx context.Context, user, password string) (method string, err error) {
	defer h.observe("authorize", time.Now())
	return h.check(ctx, "authorise", user, password)
}

// Check reports whether a method accepts the password; a method that fails
// counts as one that does not (it is logged).
func (h *Host) Check(ctx context.Context, user, password string) bool {
	defer h.observe("check_password", time.Now())
	_, err := h.check(ctx, "check password of", user, password)
	return err == nil
}

func (h *Host) check(ctx context.Context, op, user, password string) (string, error) {
	if user == "" {
		return "", ErrNotAuthorized
	}
	var errs []error
	for _, m := range h.methods {
		ok, err := m.Check(ctx, user, password)
		if ok && err == nil {
			return m.Name(), nil
		}
		if err != nil {
			errs = append(errs, h.failed(op, m, user, err))
		}
	}
	if len(errs) > 0 {
		return "", errors.Join(errs...)
	}
	return "", ErrNotAuthorized
}

// CheckDigest reports whether match accepts the stored plain password of a
// method, in order: the digest of XEP-0078. A stored SCRAM record matches
// nothing.
func (h *Host) CheckDigest(ctx context.Context, user string, match func(password string) bool) bool {
	defer h.observe("check_password", time.Now())
	if user == "" {
		return false
	}
	for _, m := range h.methods {
		c, err := m.Credentials(ctx, user)
		if err != nil {
			_ = h.failed("check digest of", m, user, err)
			continue
		}
		if len(c.Keys) == 0 && c.Plain != "" && match(c.Plain) {
			return true
		}
	}
	return false
}

// Credentials gives what the first method that has something stores for the
// user, and that method's name. If none has, the error is ErrNotAuthorized, or
// wraps what failed.
func (h *Host) Credentials(ctx context.Context, user string) (c Credentials, method string, err error) {
	if user == "" {
		return Credentials{}, "", ErrNotAuthorized
	}
	var errs []error
	for _, m := range h.methods {
		c, err := m.Credentials(ctx, user)
		switch {
		case err != nil:
			errs = append(errs, h.failed("read credentials of", m, user, err))
		case !c.IsZero():
			return c, m.Name(), nil
		}
	}
	if len(errs) > 0 {
		return Credentials{}, "", errors.Join(errs...)
	}
	return Credentials{}, "", ErrNotAuthorized
}

// SCRAM gives the user's keys for a hash: those stored, or some made of the
// plain stored password. An unknown user, or one without keys of this hash, is
// ErrNotAuthorized.
func (h *Host) SCRAM(ctx context.Context, user string, hash Hash) (k Keys, method string, err error) {
	defer h.observe("authorize", time.Now())
	c, method, err := h.Credentials(ctx, user)
	if err != nil {
		return Keys{}, "", err
	}
	if len(c.Keys) == 0 {
		k, err := h.o.Deriver.Keys(ctx, user+"@"+h.domain, c.Plain, hash)
		if errors.Is(err, ErrInvalidPassword) || errors.Is(err, ErrNullPassword) {
			return Keys{}, "", ErrNotAuthorized // such a password works with PLAIN only
		}
		return k, method, err
	}
	for _, k := range c.Keys {
		if k.Hash == hash {
			return k, method, nil
		}
	}
	return Keys{}, "", ErrNotAuthorized
}

// Exists reports whether any method knows the user; a method that fails counts
// as one that does not (it is logged).
func (h *Host) Exists(ctx context.Context, user string) bool {
	defer h.observe("does_user_exist", time.Now())
	if user == "" {
		return false
	}
	for _, m := range h.methods {
		ok, err := m.Exists(ctx, user)
		if err != nil {
			_ = h.failed("look up", m, user, err)
			continue
		}
		if ok {
			return true
		}
	}
	return false
}

// Register makes an account with the first method that accepts it. The checks
// come in this order: ErrNullPassword, ErrInvalidUser, ErrExists (in any
// method). If no method does it, the error is ErrInvalidPassword if that was a
// reason, else what failed, else ErrNotAllowed.
func (h *Host) Register(ctx context.Context, user, password string) error {
	defer h.observe("try_register", time.Now())
	switch {
	case password == "":
		return ErrNullPassword
	case user == "":
		return ErrInvalidUser
	case h.Exists(ctx, user):
		return ErrExists
	}
	err := h.first(func(m Method) error { return m.Register(ctx, user, password) }, "register", user)
	if err == nil && h.o.Registered != nil {
		h.o.Registered(ctx, user)
	}
	return err
}

// SetPassword replaces the password with the first method that accepts it:
// ErrNullPassword, ErrInvalidUser, ErrInvalidPassword, ErrNotAllowed. Most
// methods make an account that does not exist, as the reference's do.
func (h *Host) SetPassword(ctx context.Context, user, password string) error {
	switch {
	case password == "":
		return ErrNullPassword
	case user == "":
		return ErrInvalidUser
	}
	return h.first(func(m Method) error { return m.SetPassword(ctx, user, password) }, "set password of", user)
}

// RemoveChecked removes the account from the first method where password is
// right: ErrNotFound, ErrNotAuthorized, ErrNotAllowed.
func (h *Host) RemoveChecked(ctx context.Context, user, password string) error {
	if user == "" {
		return ErrInvalidUser
	}
	err := h.first(func(m Method) error { return m.RemoveChecked(ctx, user, password) }, "remove", user)
	if err == nil && h.o.Removed != nil {
		h.o.Removed(ctx, user)
	}
	return err
}

// Remove removes the account from all methods and then runs the hook, also for
// an account that never was, so that leftovers go. The error wraps what failed;
// methods that don't remove accounts are none.
func (h *Host) Remove(ctx context.Context, user string) error {
	if user == "" {
		return ErrInvalidUser
	}
	var errs []error
	for _, m := range h.methods {
		if err := m.Remove(ctx, user); err != nil && !errors.Is(err, ErrNotAllowed) {
			errs = append(errs, h.failed("remove", m, user, err))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...) // the account may live: its data stays
	}
	if h.o.Removed != nil {
		h.o.Removed(ctx, user)
	}
	return nil
}

// first runs do on the methods until one succeeds. Otherwise the refusal that
// tells most is returned: what the caller can change before what failed, and
// that before ErrNotAllowed.
func (h *Host) first(do func(Method) error, op, user string) error {
	ranks := []error{ErrInvalidPassword, ErrExists, ErrNotAuthorized}
	rank := func(err error) int {
		if i := slices.IndexFunc(ranks, func(r error) bool { return errors.Is(err, r) }); i >= 0 {
			return i
		}
		switch {
		case errors.Is(err, ErrNotFound):
			return len(ranks) + 1
		case errors.Is(err, ErrNotAllowed):
			return len(ranks) + 2
		}
		return len(ranks)
	}
	var errs []error
	for _, m := range h.methods {
		err := do(m)
		if err == nil {
			return nil
		}
		if rank(err) == len(ranks) {
			err = h.failed(op, m, user, err)
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return ErrNotAllowed
	}
	return slices.MinFunc(errs, func(a, b error) int { return cmp.Compare(rank(a), rank(b)) })
}

// Users gives the accounts of all methods that can list them, in byte order,
// each once: those that begin with prefix, from the offset-th on, at most limit
// (0: all).
func (h *Host) Users(ctx context.Context, prefix string, offset, limit int) ([]string, error) {
	var listers []Lister
	for _, m := range h.methods {
		if l, ok := m.(Lister); ok {
			listers = append(listers, l)
		}
	}
	if len(listers) == 1 {
		return listers[0].Users(ctx, prefix, offset, limit)
	}
	most := 0
	if limit > 0 {
		most = offset + limit
	}
	var all []string
	for _, l := range listers {
		u, err := l.Users(ctx, prefix, 0, most)
		if err != nil {
			return nil, err
		}
		all = append(all, u...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	all = all[min(offset, len(all)):]
	if limit > 0 {
		all = all[:min(limit, len(all))]
	}
	return all, nil
}

// Count tells how many accounts begin with prefix; one that two methods know
// counts twice, as in the reference.
func (h *Host) Count(ctx context.Context, prefix string) (int, error) {
	n := 0
	for _, m := range h.methods {
		l, ok := m.(Lister)
		if !ok {
			continue
		}
		c, err := l.Count(ctx, prefix)
		if err != nil {
			return n, err
		}
		n += c
	}
	return n, nil
}
