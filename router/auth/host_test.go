package auth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// fake is a Method that answers as the test says and writes down what it was
// asked.
type fake struct {
	name   string
	store  Store
	hashes []Hash
	users  map[string]string // user and plain password
	keys   map[string][]Keys
	err    error // of everything
	refuse error // of changes
	calls  *[]string
}

func (f *fake) call(what string) { *f.calls = append(*f.calls, f.name+" "+what) }

func (f *fake) Name() string       { return f.name }
func (f *fake) Store() Store       { return f.store }
func (f *fake) Serves(h Hash) bool { return slices.Contains(f.hashes, h) }

func (f *fake) Check(_ context.Context, user, password string) (bool, error) {
	f.call("check")
	return f.users[user] == password && password != "", f.err
}

func (f *fake) Credentials(_ context.Context, user string) (Credentials, error) {
	f.call("credentials")
	return Credentials{Plain: f.users[user], Keys: f.keys[user]}, f.err
}

func (f *fake) Exists(_ context.Context, user string) (bool, error) {
	f.call("exists")
	_, ok := f.users[user]
	return ok && f.err == nil, f.err
}

func (f *fake) change(what, user, password string) error {
	f.call(what)
	if err := errors.Join(f.err, f.refuse); err != nil {
		return err
	}
	f.users[user] = password
	return nil
}

func (f *fake) Register(_ context.Context, user, password string) error {
	return f.change("register", user, password)
}

func (f *fake) SetPassword(_ context.Context, user, password string) error {
	return f.change("set", user, password)
}

func (f *fake) Remove(_ context.Context, user string) error {
	err := f.change("remove", user, "")
	delete(f.users, user)
	return err
}

func (f *fake) RemoveChecked(_ context.Context, user, password string) error {
	f.call("remove checked")
	if err := errors.Join(f.err, f.refuse); err != nil {
		return err
	}
	if p, ok := f.users[user]; !ok {
		return ErrNotFound
	} else if p != password {
		return ErrNotAuthorized
	}
	delete(f.users, user)
	return nil
}

// list makes a lister of a method.
type list struct{ *fake }

func (l list) Users(_ context.Context, prefix string, offset, limit int) ([]string, error) {
	var u []string
	for name := range l.users {
		if strings.HasPrefix(name, prefix) {
			u = append(u, name)
		}
	}
	slices.Sort(u)
	u = u[min(offset, len(u)):]
	if limit > 0 {
		u = u[:min(limit, len(u))]
	}
	return u, l.err
}

func (l list) Count(_ context.Context, prefix string) (int, error) {
	u, err := l.Users(context.Background(), prefix, 0, 0)
	return len(u), err
}

var errAway = errors.New("database away")

type world struct {
	host                *Host
	calls               []string
	registered, removed []string
	log                 *observer.ObservedLogs
}

func newWorld(fakes ...*fake) *world {
	w := &world{}
	core, log := observer.New(zapcore.DebugLevel)
	w.log = log
	var methods []Method
	for i, f := range fakes {
		if f.name == "" {
			f.name = string(rune('a' + i))
		}
		if f.users == nil {
			f.users = map[string]string{}
		}
		f.calls = &w.calls
		methods = append(methods, f)
	}
	w.host = NewHost("h", methods, HostOptions{
		Log:        zap.New(core),
		Registered: func(_ context.Context, user string) { w.registered = append(w.registered, user) },
		Removed:    func(_ context.Context, user string) { w.removed = append(w.removed, user) },
	})
	return w
}

func alice(password string) map[string]string { return map[string]string{"alice": password} }

func TestStores(t *testing.T) {
	all := []Hash{SHA1, SHA256}
	for _, tt := range []struct {
		name   string
		fakes  []*fake
		store  Store
		sha1   bool
		sha256 bool
	}{
		{"none", nil, StorePlain, true, false},
		{"plain", []*fake{{hashes: all}}, StorePlain, true, true},
		{"scram", []*fake{{store: StoreSCRAM, hashes: []Hash{SHA1}}}, StoreSCRAM, true, false},
		{"scram of both", []*fake{{store: StoreSCRAM, hashes: all}}, StoreSCRAM, true, true},
		{"external", []*fake{{store: StoreExternal}}, StoreExternal, false, false},
		{"plain, scram", []*fake{{hashes: all}, {store: StoreSCRAM, hashes: []Hash{SHA1}}}, StoreSCRAM, true, false},
		{"scram, external", []*fake{{store: StoreSCRAM, hashes: all}, {store: StoreExternal}}, StoreExternal, false, false},
		{"external, plain", []*fake{{store: StoreExternal}, {hashes: all}}, StoreExternal, false, false},
		{"plain, plain", []*fake{{hashes: all}, {hashes: all}}, StorePlain, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newWorld(tt.fakes...).host
			if got := h.Store(); got != tt.store {
				t.Errorf("store %v, want %v", got, tt.store)
			}
			if h.Serves(SHA1) != tt.sha1 || h.Serves(SHA256) != tt.sha256 {
				t.Errorf("serves SHA-1 %v, SHA-256 %v", h.Serves(SHA1), h.Serves(SHA256))
			}
			if h.NeedsPlain() != (tt.store != StorePlain) {
				t.Errorf("needs plain %v", h.NeedsPlain())
			}
		})
	}
}

func TestAuthorise(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fakes  []*fake
		user   string
		method string
		want   error
		calls  string
	}{
		{"no methods", nil, "alice", "", ErrNotAuthorized, ""},
		{"first", []*fake{{users: alice("pw")}, {users: alice("pw")}}, "alice", "a", nil, "a check"},
		{"second", []*fake{{users: alice("other")}, {users: alice("pw")}}, "alice", "b", nil, "a check, b check"},
		{"none", []*fake{{}, {users: alice("other")}}, "alice", "", ErrNotAuthorized, "a check, b check"},
		{"after a failure", []*fake{{err: errAway}, {users: alice("pw")}}, "alice", "b", nil, "a check, b check"},
		{"a failure and a refusal", []*fake{{err: errAway}, {}}, "alice", "", errAway, "a check, b check"},
		{"a failure that says yes", []*fake{{users: alice("pw"), err: errAway}}, "alice", "", errAway, "a check"},
		{"no name", []*fake{{users: map[string]string{"": "pw"}}}, "", "", ErrNotAuthorized, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(tt.fakes...)
			method, err := w.host.Authorise(t.Context(), tt.user, "pw")
			if method != tt.method || !errors.Is(err, tt.want) || tt.want == nil && err != nil {
				t.Errorf("got %q, %v, want %q, %v", method, err, tt.method, tt.want)
			}
			if errors.Is(err, errAway) == errors.Is(err, ErrNotAuthorized) && err != nil {
				t.Errorf("%v is both a refusal and a failure", err)
			}
			if got := strings.Join(w.calls, ", "); got != tt.calls {
				t.Errorf("asked %s, want %s", got, tt.calls)
			}
			if ok := w.host.Check(t.Context(), tt.user, "pw"); ok != (tt.want == nil) {
				t.Errorf("check password says %v", ok)
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	keys := []Keys{{Hash: SHA1, Stored: []byte("s"), Iterations: 1}}
	w := newWorld(&fake{err: errAway}, &fake{}, &fake{keys: map[string][]Keys{"alice": keys}}, &fake{users: map[string]string{"alice": "pw", "bob": "pw"}})
	for user, want := range map[string]string{"alice": "c", "bob": "d"} {
		if _, method, err := w.host.Credentials(t.Context(), user); method != want || err != nil {
			t.Errorf("%s: from %q, %v, want %s", user, method, err, want)
		}
	}
	if _, _, err := w.host.Credentials(t.Context(), "eve"); !errors.Is(err, errAway) || errors.Is(err, ErrNotAuthorized) {
		t.Errorf("unknown beside a failure: %v", err)
	}
	if _, _, err := newWorld(&fake{}).host.Credentials(t.Context(), "eve"); !errors.Is(err, ErrNotAuthorized) {
		t.Errorf("unknown: %v", err)
	}
	if k, method, err := w.host.SCRAM(t.Context(), "alice", SHA1); method != "c" || err != nil || string(k.Stored) != "s" {
		t.Errorf("stored keys: %+v, %q, %v", k, method, err)
	}
	if _, _, err := w.host.SCRAM(t.Context(), "alice", SHA256); !errors.Is(err, ErrNotAuthorized) {
		t.Errorf("keys of another hash: %v", err)
	}
	k, method, err := w.host.SCRAM(t.Context(), "bob", SHA256)
	want, _ := Derive(SHA256, "pw", k.Salt, 4096)
	if method != "d" || err != nil || !cmp.Equal(k, want) {
		t.Errorf("keys of a plain password: %+v, %q, %v", k, method, err)
	}
	if _, _, err := newWorld(&fake{users: alice("\x01")}).host.SCRAM(t.Context(), "alice", SHA1); !errors.Is(err, ErrNotAuthorized) {
		t.Errorf("a password that SCRAM cannot use: %v", err)
	}
	match := func(p string) bool { return p == "pw" }
	for user, want := range map[string]bool{"alice": true, "bob": true, "eve": false, "": false} {
		if got := w.host.CheckDigest(t.Context(), user, match); got != want {
			t.Errorf("digest of %q: %v", user, got)
		}
	}
}

func TestExists(t *testing.T) {
	w := newWorld(&fake{err: errAway, users: alice("pw")}, &fake{}, &fake{users: map[string]string{"bob": ""}})
	for user, want := range map[string]bool{"alice": false, "bob": true, "": false} {
		if got := w.host.Exists(t.Context(), user); got != want {
			t.Errorf("%q exists: %v", user, got)
		}
	}
	if w.log.Len() != 2 {
		t.Errorf("%d failures logged, want 2", w.log.Len())
	}
}

func TestRegister(t *testing.T) {
	for _, tt := range []struct {
		name           string
		fakes          []*fake
		user, password string
		want           error
		calls          string
	}{
		{"no methods", nil, "zoe", "pw", ErrNotAllowed, ""},
		{"first", []*fake{{}, {}}, "zoe", "pw", nil, "a exists, b exists, a register"},
		{"empty password", []*fake{{users: alice("pw")}}, "alice", "", ErrNullPassword, ""},
		{"empty name", []*fake{{}}, "", "pw", ErrInvalidUser, ""},
		{"exists in the second", []*fake{{}, {users: alice("pw")}}, "alice", "pw", ErrExists, "a exists, b exists"},
		{"second takes it", []*fake{{refuse: ErrNotAllowed}, {}}, "zoe", "pw", nil, "a exists, b exists, a register, b register"},
		{"none takes it", []*fake{{refuse: ErrNotAllowed}, {refuse: ErrNotAllowed}}, "zoe", "pw", ErrNotAllowed, "a exists, b exists, a register, b register"},
		{"bad password", []*fake{{refuse: ErrInvalidPassword}, {refuse: ErrNotAllowed}}, "zoe", "pw", ErrInvalidPassword, "a exists, b exists, a register, b register"},
		{"somebody was faster", []*fake{{refuse: ErrExists}}, "zoe", "pw", ErrExists, "a exists, a register"},
		{"failure", []*fake{{refuse: ErrNotAllowed}, {refuse: errAway}}, "zoe", "pw", errAway, "a exists, b exists, a register, b register"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(tt.fakes...)
			err := w.host.Register(t.Context(), tt.user, tt.password)
			if !errors.Is(err, tt.want) || tt.want == nil && err != nil {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if got := strings.Join(w.calls, ", "); got != tt.calls {
				t.Errorf("asked %s, want %s", got, tt.calls)
			}
			if got := slices.Contains(w.registered, tt.user); got != (tt.want == nil) {
				t.Errorf("hook ran: %v", got)
			}
		})
	}
}

func TestSetPassword(t *testing.T) {
	for _, tt := range []struct {
		name           string
		fakes          []*fake
		user, password string
		want           error
		calls          string
	}{
		{"no methods", nil, "alice", "pw", ErrNotAllowed, ""},
		{"empty password", []*fake{{}}, "alice", "", ErrNullPassword, ""},
		{"empty name", []*fake{{}}, "", "pw", ErrInvalidUser, ""},
		{"until one does", []*fake{{refuse: ErrNotAllowed}, {err: errAway}, {}, {}}, "alice", "pw", nil, "a set, b set, c set"},
		{"none", []*fake{{refuse: ErrNotAllowed}}, "alice", "pw", ErrNotAllowed, "a set"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(tt.fakes...)
			err := w.host.SetPassword(t.Context(), tt.user, tt.password)
			if !errors.Is(err, tt.want) || tt.want == nil && err != nil {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if got := strings.Join(w.calls, ", "); got != tt.calls {
				t.Errorf("asked %s, want %s", got, tt.calls)
			}
			if len(w.registered) != 0 {
				t.Error("the hook of registrations ran")
			}
		})
	}
}

func TestRemove(t *testing.T) {
	w := newWorld(&fake{users: alice("pw")}, &fake{refuse: ErrNotAllowed}, &fake{users: alice("pw")})
	if err := w.host.Remove(t.Context(), "alice"); err != nil {
		t.Error(err)
	}
	if got := strings.Join(w.calls, ", "); got != "a remove, b remove, c remove" {
		t.Errorf("asked %s", got)
	}
	if !slices.Equal(w.removed, []string{"alice"}) {
		t.Errorf("hook ran for %v", w.removed)
	}
	w = newWorld(&fake{err: errAway}, &fake{users: alice("pw")})
	if err := w.host.Remove(t.Context(), "alice"); !errors.Is(err, errAway) || len(w.removed) != 0 || w.host.Exists(t.Context(), "alice") {
		t.Errorf("a failure: %v, hook for %v", err, w.removed)
	}
	if err := w.host.Remove(t.Context(), ""); !errors.Is(err, ErrInvalidUser) {
		t.Error(err)
	}
}

func TestRemoveChecked(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fakes []*fake
		user  string
		want  error
	}{
		{"ok", []*fake{{users: alice("pw")}}, "alice", nil},
		{"second", []*fake{{refuse: ErrNotAllowed}, {users: alice("pw")}}, "alice", nil},
		{"wrong password", []*fake{{users: alice("x")}, {}}, "alice", ErrNotAuthorized},
		{"unknown", []*fake{{refuse: ErrNotAllowed}, {}}, "alice", ErrNotFound},
		{"not supported", []*fake{{refuse: ErrNotAllowed}}, "alice", ErrNotAllowed},
		{"failure", []*fake{{err: errAway}, {}}, "alice", errAway},
		{"no name", []*fake{{}}, "", ErrInvalidUser},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(tt.fakes...)
			err := w.host.RemoveChecked(t.Context(), tt.user, "pw")
			if !errors.Is(err, tt.want) || tt.want == nil && err != nil {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if (len(w.removed) == 1) != (tt.want == nil) {
				t.Errorf("hook ran for %v", w.removed)
			}
		})
	}
}

func TestFailuresAreLoggedWithoutSecrets(t *testing.T) {
	w := newWorld(&fake{err: errAway})
	_, err := w.host.Authorise(t.Context(), "alice", "pw-secret")
	if w.log.Len() != 1 || !strings.Contains(err.Error(), "authorise alice@h: a: database away") {
		t.Errorf("%d lines, error %v", w.log.Len(), err)
	}
	for _, e := range w.log.All() {
		for k, v := range e.ContextMap() {
			if s, ok := v.(string); ok && strings.Contains(s, "pw-secret") {
				t.Errorf("field %s shows the password", k)
			}
		}
	}
}

func TestUsersOfSeveralMethods(t *testing.T) {
	set := func(names ...string) map[string]string {
		m := map[string]string{}
		for _, n := range names {
			m[n] = "pw"
		}
		return m
	}
	a, b := list{&fake{users: set("anna", "bob", "zoe")}}, list{&fake{users: set("bob", "ben", "carl")}}
	both := NewHost("h", []Method{a, &fake{users: set("x")}, b}, HostOptions{})
	one := NewHost("h", []Method{&fake{}, a}, HostOptions{})
	for _, tt := range []struct {
		host          *Host
		prefix        string
		offset, limit int
		want          string
		count         int
	}{
		{both, "", 0, 0, "anna ben bob carl zoe", 6},
		{both, "b", 0, 0, "ben bob", 3},
		{both, "", 1, 2, "ben bob", 6},
		{both, "", 9, 2, "", 6},
		{one, "", 1, 1, "bob", 3},
	} {
		got, err := tt.host.Users(t.Context(), tt.prefix, tt.offset, tt.limit)
		if strings.Join(got, " ") != tt.want || err != nil {
			t.Errorf("%+v: %v, %v", tt, got, err)
		}
		if n, err := tt.host.Count(t.Context(), tt.prefix); n != tt.count || err != nil {
			t.Errorf("%+v: counted %d, %v", tt, n, err)
		}
	}
	b.fake.err = errAway
	if _, err := both.Users(t.Context(), "", 0, 0); !errors.Is(err, errAway) {
		t.Error(err)
	}
	if _, err := both.Count(t.Context(), ""); !errors.Is(err, errAway) {
		t.Error(err)
	}
}

func TestObserve(t *testing.T) {
	var seen []string
	f := &fake{users: alice("pw"), calls: new([]string)}
	h := NewHost("h", []Method{f}, HostOptions{Observe: func(call string, took time.Duration) {
		if took < 0 {
			t.Errorf("%s took %v", call, took)
		}
		seen = append(seen, call)
	}})
	_, _ = h.Authorise(t.Context(), "alice", "pw")
	h.Check(t.Context(), "alice", "pw")
	h.Exists(t.Context(), "alice")
	_ = h.Register(t.Context(), "zoe", "pw")
	if got := strings.Join(seen, " "); got != "authorize check_password does_user_exist does_user_exist try_register" {
		t.Error(got)
	}
	if h.Domain() != "h" || h.Method("nosuch") != nil || h.Method("") != Method(f) {
		t.Error("domain or method by name")
	}
}
