package register

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"meerkat/cfgterm"
	"meerkat/cfgterm/schema"
	"meerkat/cfgterm/schema/schematest"
	"meerkat/router"
	"meerkat/router/auth"
	"meerkat/router/jid"
	"meerkat/router/modules/moduletest"
	"meerkat/router/session"
	"meerkat/router/stanza"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOptions(t *testing.T) { schematest.Run(t, Table(), "[]") }

// options decodes what a file says.
func options(t testing.TB, text string) Options {
	t.Helper()
	term, err := cfgterm.ParseTerm(text)
	if err != nil {
		t.Fatal(err)
	}
	o, res := Table().DecodeAny(&schema.Context{}, term)
	if res.Diags.HasErrors() {
		t.Fatal(res.Diags.Err())
	}
	return *o.(*Options)
}

//option:mod_register iqdisc
func TestIQDisc(t *testing.T) {
	moduletest.Disciplines(t, `<iq from='alice@h/r' to='h' type='get' id='1'><query xmlns='jabber:iq:register'/></iq>`,
		func(n *moduletest.Node, d schema.IQDisc) {
			(&Module{Options: Options{IQDisc: d}, Limiter: &Limiter{Now: n.Now}, Log: n.Log, Now: n.Now}).Register(n.Host)
		})
}

// world is a node with mod_register on host h.
type world struct {
	*moduletest.Node
	limiter *Limiter
	alice   *moduletest.Session
}

func newWorld(t testing.TB, o Options) *world {
	t.Helper()
	w := &world{Node: moduletest.New(t)}
	w.limiter = &Limiter{Now: w.Now}
	(&Module{Options: o, Limiter: w.limiter, Log: w.Log, Now: w.Now}).Register(w.Host)
	w.alice = w.Open("alice@h/r", 0)
	return w
}

func query(content string) string { return `<query xmlns='jabber:iq:register'>` + content + `</query>` }

func account(user, password string) string {
	return query(`<username>` + user + `</username><password>` + password + `</password>`)
}

// before asks on a stream from an address that has not authenticated, and returns the
// answer; "" if the module does not take the stanza.
func (w *world) before(t testing.TB, source, typ, content string) string {
	t.Helper()
	st, _, _, err := stanza.ParseString(`<iq type='`+typ+`' id='1' to='h'>`+content+`</iq>`, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, fn := range w.Host.Hooks.UnauthenticatedIQ.All() {
		if reply := fn(w.Turn, router.UnauthenticatedIQ{Stanza: st, Source: source}); reply != nil {
			w.Turn.Flush()
			return string(reply.AppendTo(nil, w.Host.JID(), jid.JID{}, stanza.Options{}))
		}
	}
	return ""
}

// after asks as alice and returns what her session got.
func (w *world) after(typ, to, content string) []string {
	w.alice.Take()
	w.Send(`<iq from='alice@h/r' to='` + to + `' type='` + typ + `' id='1'>` + content + `</iq>`)
	return w.alice.Take()
}

var (
	badRequest   = moduletest.Error("400", "modify", "bad-request", "")
	forbidden    = moduletest.Error("403", "auth", "forbidden", "")
	notAllowed   = moduletest.Error("405", "cancel", "not-allowed", "")
	conflict     = moduletest.Error("409", "cancel", "conflict", "")
	unacceptable = moduletest.Error("406", "modify", "not-acceptable", "")
	weak         = moduletest.Error("406", "modify", "not-acceptable", "The password is too weak")
	quick        = moduletest.Error("500", "wait", "resource-constraint", "Users are not allowed to register accounts so quickly")
	failure      = moduletest.Error("500", "wait", "internal-server-error", "")
)

const fields = `<instructions>Choose a username and password to register with this server</instructions>`

func TestForm(t *testing.T) {
	w := newWorld(t, Options{})
	want := `<iq from='h' type='result' id='1'>` + query(fields+`<username/><password/>`) + `</iq>`
	if got := w.before(t, "192.0.2.1", "get", query("")); got != want {
		t.Errorf("before authentication: %s\nwant %s", got, want)
	}
	if got := w.before(t, "192.0.2.1", "get", "<query xmlns='jabber:iq:auth'/>"); got != "" {
		t.Errorf("another namespace: %s", got)
	}
	if got := w.before(t, "192.0.2.1", "get", query("")+query("")); got != "" {
		t.Errorf("two children: %s", got)
	}
	form := query(fields + `<username>alice</username><password/><registered/>`)
	for _, to := range []string{"h", "alice@h"} {
		moduletest.Same(t, to, w.after("get", to, query("")), `<iq from='`+to+`' to='alice@h/r' type='result' id='1'>`+form+`</iq>`)
	}
	guest := w.Open("guest@h/r", 0) // logged in, but no account
	w.Send(`<iq from='guest@h/r' to='h' type='get' id='1'>` + query("") + `</iq>`)
	moduletest.Same(t, "guest", guest.Take(), `<iq from='h' to='guest@h/r' type='result' id='1'>`+query(fields+`<username>guest</username><password/>`)+`</iq>`)
	if f := w.Host.StreamFeatures(); len(f) != 1 || !f[0].Is(nsFeature, "register") {
		t.Errorf("stream features %v", f)
	}
}

//option:mod_register access ip_access
func TestRegisterBeforeAuthentication(t *testing.T) {
	tests := []struct {
		name    string
		opts    string
		source  string
		in      string
		err     string // "" for a result
		noEcho  bool   // the request's payload is not in the answer
		account string // that exists then
	}{
		{"account", "[]", "192.0.2.1", account("carol", "secret"), "", false, "carol"},
		{"name is prepared", "[]", "192.0.2.1", account("CaRoL", "secret"), "", false, "carol"},
		{"further fields", "[]", "192.0.2.1", query(`<username>carol</username><password>s</password><email>x@y</email>`), "", false, "carol"},
		{"exists", "[]", "192.0.2.1", account("bob", "secret"), conflict, false, ""},
		{"bad name", "[]", "192.0.2.1", account("a b", "secret"), badRequest, false, ""},
		{"name with a domain", "[]", "192.0.2.1", account("carol@h", "secret"), badRequest, false, ""},
		{"empty name", "[]", "192.0.2.1", account("", "secret"), badRequest, false, ""},
		{"name that preparation empties", "[]", "192.0.2.1", account("&#xAD;", "secret"), badRequest, false, ""},
		{"empty password", "[]", "192.0.2.1", account("carol", ""), unacceptable, false, ""},
		{"no password", "[]", "192.0.2.1", query(`<username>carol</username>`), badRequest, true, ""},
		{"no name", "[]", "192.0.2.1", query(`<password>x</password>`), badRequest, true, ""},
		{"nothing", "[]", "192.0.2.1", query(""), badRequest, true, ""},
		{"remove", "[{access, all}]", "192.0.2.1", query("<remove/>"), notAllowed, false, ""},
		{"remove and more", "[{access, all}]", "192.0.2.1", query("<remove/><username>bob</username>"), badRequest, false, ""},

		{"access denies", "[{access, only_alice}]", "192.0.2.1", account("carol", "secret"), forbidden, false, ""},
		{"access denies all", "[{access, none}]", "192.0.2.1", account("carol", "secret"), forbidden, false, ""},
		{"access undefined", "[{access, undefined}]", "192.0.2.1", account("carol", "secret"), forbidden, false, ""},
		{"access allows", "[{access, open}]", "192.0.2.1", account("carol", "secret"), "", false, "carol"},

		{"weak", "[{password_strength, 32}]", "192.0.2.1", account("carol", "abc"), weak, false, ""},
		{"strong", "[{password_strength, 32}]", "192.0.2.1", account("carol", "abcdefg"), "", false, "carol"},

		{"address allowed", `[{ip_access, [{allow, "192.0.2.0/24"}, {deny, "0.0.0.0/0"}]}]`, "192.0.2.9", account("carol", "s"), "", false, "carol"},
		{"address denied", `[{ip_access, [{allow, "192.0.2.0/24"}, {deny, "0.0.0.0/0"}]}]`, "198.51.100.1", account("carol", "s"), forbidden, false, ""},
		{"first match counts", `[{ip_access, [{deny, "192.0.2.9"}, {allow, "192.0.2.0/24"}]}]`, "192.0.2.9", account("carol", "s"), forbidden, false, ""},
		{"no match allows", `[{ip_access, [{deny, "10.0.0.0/8"}]}]`, "192.0.2.9", account("carol", "s"), "", false, "carol"},
		{"version 6", `[{ip_access, [{deny, "2001:db8::/32"}]}]`, "2001:db8::1", account("carol", "s"), forbidden, false, ""},
		{"version 4 in 6", `[{ip_access, [{deny, "192.0.2.0/24"}]}]`, "::ffff:192.0.2.1", account("carol", "s"), forbidden, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, options(t, tt.opts))
			w.Rules("only_alice allow alice", "open allow all")
			content := tt.in
			if tt.noEcho {
				content = ""
			}
			want := `<iq from='h' type='result' id='1'>` + content + `</iq>`
			if tt.err != "" {
				want = `<iq from='h' type='error' id='1'>` + content + tt.err + `</iq>`
			}
			if got := w.before(t, tt.source, "set", tt.in); got != want {
				t.Errorf("answer %s\nwant   %s", got, want)
			}
			if tt.account != "" && w.Accounts.Password(tt.account) == "" {
				t.Error("no account")
			}
			if tt.account == "" && w.Accounts.Password("carol") != "" {
				t.Error("an account was made")
			}
		})
	}
}

// What backends say becomes what clients hear.
func TestBackendErrors(t *testing.T) {
	for _, tt := range []struct {
		err                      error
		register, change, remove string
		logged                   int
	}{
		{auth.ErrNotAllowed, notAllowed, notAllowed, "", 0}, // package auth: who does not remove does not fail
		{auth.ErrInvalidPassword, unacceptable, unacceptable, failure, 1},
		{errors.New("disk on fire"), failure, failure, failure, 3},
	} {
		t.Run(tt.err.Error(), func(t *testing.T) {
			w := newWorld(t, Options{Access: "all"})
			w.Accounts.Fail(tt.err)
			in := account("carol", "secret")
			if got, want := w.before(t, "192.0.2.1", "set", in), `<iq from='h' type='error' id='1'>`+in+tt.register+`</iq>`; got != want {
				t.Errorf("register: %s\nwant %s", got, want)
			}
			head := `<iq from='h' to='alice@h/r' type='error' id='1'>`
			in = account("alice", "secret")
			moduletest.Same(t, "change", w.after("set", "h", in), head+in+tt.change+`</iq>`)
			if tt.remove == "" {
				return
			}
			in = query("<remove/>")
			moduletest.Same(t, "remove", w.after("set", "h", in), head+in+tt.remove+`</iq>`)
			if got := w.alice.Signals(); got != nil {
				t.Errorf("the session ends though the account is there: %v", got)
			}
			if w.Accounts.Password("alice") != "pw" {
				t.Error("the account changed")
			}
			if n := w.Logged.FilterLevelExact(2).Len(); n != tt.logged {
				t.Errorf("%d errors logged, want %d: %v", n, tt.logged, w.Logged.All())
			}
		})
	}
}

func TestLoggedIn(t *testing.T) {
	tests := []struct {
		name, access, strength string
		to, in                 string
		err                    string
		noEcho                 bool
		check                  func(*world) bool
	}{
		{"change", "open", "0", "h", account("alice", "new"), "", false, func(w *world) bool { return w.Accounts.Password("alice") == "new" }},
		{"change by the account", "open", "0", "alice@h", account("ALICE", "new"), "", false, func(w *world) bool { return w.Accounts.Password("alice") == "new" }},
		{"change to empty", "open", "0", "h", account("alice", ""), badRequest, false, nil},
		{"change to weak", "open", "40", "h", account("alice", "new"), weak, false, nil},
		{"change denied", "closed", "0", "h", account("alice", "new"), forbidden, false, nil},
		{"change without access", "", "0", "h", account("alice", "new"), forbidden, false, nil},
		{"no password", "open", "0", "h", query("<username>alice</username>"), badRequest, true, nil},
		{"another account", "open", "0", "h", account("carol", "new"), "", false, func(w *world) bool { return w.Accounts.Password("carol") == "new" }},
		{"another account that exists", "open", "0", "h", account("bob", "new"), conflict, false, nil},
		{"another account denied", "closed", "0", "h", account("carol", "new"), forbidden, false, func(w *world) bool { return w.Accounts.Password("carol") == "" }},
		{"remove denied", "closed", "0", "h", query("<remove/>"), notAllowed, false, nil},
		{"remove without access", "", "0", "h", query("<remove/>"), notAllowed, false, nil},
		{"remove and more", "open", "0", "h", query("<remove/><username>alice</username>"), badRequest, false, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opts := "[{password_strength, " + tt.strength + "}"
			if tt.access != "" {
				opts += ", {access, " + tt.access + "}"
			}
			w := newWorld(t, options(t, opts+"]"))
			w.Rules("open allow all", "closed deny alice allow all")
			content := tt.in
			if tt.noEcho {
				content = ""
			}
			want := `<iq from='` + tt.to + `' to='alice@h/r' type='result' id='1'>` + content + `</iq>`
			if tt.err != "" {
				want = `<iq from='` + tt.to + `' to='alice@h/r' type='error' id='1'>` + content + tt.err + `</iq>`
			}
			moduletest.Same(t, "answer", w.after("set", tt.to, tt.in), want)
			ok := w.Accounts.Password("alice") == "pw"
			if tt.check != nil {
				ok = tt.check(w)
			}
			if !ok {
				t.Error("the accounts are not as they should be")
			}
		})
	}
	t.Run("somebody of another host", func(t *testing.T) {
		w := newWorld(t, Options{Access: "all"})
		bob := w.Open("bob@other/r", 0)
		w.Send(`<iq from='bob@other/r' to='h' type='set' id='1'>` + query("<remove/>") + `</iq>`)
		moduletest.Same(t, "answer", bob.Take(), `<iq from='h' to='bob@other/r' type='error' id='1'>`+query("<remove/>")+notAllowed+`</iq>`)
	})
}

// The result comes before the end of the sessions, to the one that asked.
func TestRemove(t *testing.T) {
	w := newWorld(t, Options{Access: "all"})
	second := w.Open("alice@h/s", 0)
	order := ""
	w.Host.Hooks.UserRemoved.Add(50, "m", func(*router.Turn, jid.JID) {
		if len(w.alice.Packets()) == 1 && len(w.alice.Signals()) == 0 {
			order = "result first"
		}
	})
	moduletest.Same(t, "answer", w.after("set", "alice@h", query("<remove/>")), `<iq from='' to='alice@h/r' type='result' id='1'>`+query("<remove/>")+`</iq>`)
	moduletest.Same(t, "the other session gets", second.Take())
	end := session.End{Condition: "conflict", Text: "User removed"}
	for _, s := range []*moduletest.Session{w.alice, second} {
		if got := s.Signals(); len(got) != 1 || got[0] != end {
			t.Errorf("signals %v", got)
		}
	}
	if w.Accounts.Password("alice") != "" || order == "" {
		t.Error("the account is there, or the session heard of its end first")
	}
}

//option:mod_register welcome_message registration_watchers
func TestWelcomeAndWatchers(t *testing.T) {
	o := options(t, `[{welcome_message, {"Hi", "It's <b>"}}, {registration_watchers, ["alice@h", "@bad", "bob@h"]}, {access, all}]`)
	w := newWorld(t, o)
	bob, carol := w.Open("bob@h/r", 0), w.Open("carol@h/r", 0)
	w.before(t, "2001:db8::1", "set", account("carol", "secret"))
	const notice = `<message from='h' to='%s@h' type='chat'><body>[2015-10-21 07:28:00] The account carol@h was registered from IP address 2001:db8::1 on node meerkat@localhost using mod_register.</body></message>`
	moduletest.Same(t, "alice hears", w.alice.Take(), fmt.Sprintf(notice, "alice"))
	moduletest.Same(t, "bob hears", bob.Take(), fmt.Sprintf(notice, "bob"))
	const hello = `<message from='h' to='carol@h' type='normal'><subject>Hi</subject><body>It&apos;s &lt;b&gt;</body></message>`
	if got := carol.Take(); len(got) != 1 || strings.ReplaceAll(got[0], "'s", "&apos;s") != strings.ReplaceAll(hello, "'s", "&apos;s") {
		t.Errorf("carol is welcomed with %q", got)
	}
	if w.Logged.FilterMessageSnippet("no address").Len() != 1 {
		t.Errorf("logged %v", w.Logged.All())
	}
	// Accounts made for others and failed attempts are nobody's news.
	dave := w.Open("dave@h/r", 0)
	w.before(t, "2001:db8::2", "set", account("carol", "secret"))
	if got := w.after("set", "h", account("dave", "secret")); len(got) != 1 || !strings.Contains(got[0], "result") {
		t.Errorf("alice makes an account: %q", got)
	}
	moduletest.Same(t, "bob hears", bob.Take())
	if got := dave.Take(); len(got) != 1 {
		t.Errorf("dave is welcomed with %q", got)
	}
	t.Run("shipped form", func(t *testing.T) {
		w := newWorld(t, options(t, `[{welcome_message, {""}}]`))
		carol := w.Open("carol@h/r", 0)
		w.before(t, "192.0.2.1", "set", account("carol", "secret"))
		moduletest.Same(t, "carol hears", carol.Take())
	})
}

// The time-out counts whole seconds for each source, whether the attempt succeeds
// or not; one that is refused for it does not count.
func TestRateLimit(t *testing.T) {
	w := newWorld(t, Options{Access: "open"})
	w.Rules("open deny mallory allow all")
	w.limiter.Timeout = 3 * time.Second
	n := 0
	attempt := func(source string) string {
		n++
		return w.before(t, source, "set", account(fmt.Sprint("user", n), "secret"))
	}
	check := func(what, got string, ok bool) {
		t.Helper()
		if strings.Contains(got, "type='result'") != ok || !ok && !strings.Contains(got, quick) {
			t.Errorf("%s: %s", what, got)
		}
	}
	w.Advance(200 * time.Millisecond)
	check("first", attempt("192.0.2.1"), true)
	check("at once", attempt("192.0.2.1"), false)
	check("somebody else", attempt("192.0.2.2"), true)
	w.Advance(3500 * time.Millisecond)
	check("after 3.5 s, in the third second", attempt("192.0.2.1"), false)
	w.Advance(300 * time.Millisecond)
	check("after 3.8 s, in the fourth second", attempt("192.0.2.1"), true)
	if got := w.before(t, "192.0.2.3", "set", account("mallory", "secret")); !strings.Contains(got, forbidden) {
		t.Errorf("denied: %s", got)
	}
	check("after a denied attempt", attempt("192.0.2.3"), false)
	// A logged-in user counts by full JID, and only for other accounts.
	for i, want := range []bool{true, false} {
		got := w.after("set", "h", account(fmt.Sprint("other", i), "secret"))
		if len(got) != 1 || strings.Contains(got[0], "type='result'") != want {
			t.Errorf("attempt %d of alice: %q", i, got)
		}
	}
	if got := w.after("set", "h", account("alice", "new")); len(got) != 1 || !strings.Contains(got[0], "type='result'") {
		t.Errorf("change of the password: %q", got)
	}
}

func TestLimiter(t *testing.T) {
	now := time.Unix(1000, 0)
	clock := func() time.Time { return now }
	t.Run("off", func(t *testing.T) {
		l := &Limiter{Now: clock}
		for range 3 {
			if !l.Allow("a") {
				t.Error("refused")
			}
		}
		if len(l.last) != 0 {
			t.Error("remembers")
		}
	})
	t.Run("bounded", func(t *testing.T) {
		l := &Limiter{Timeout: 10 * time.Second, Now: clock}
		for i := range maxSources {
			if !l.Allow(fmt.Sprint(i)) {
				t.Fatalf("refused %d", i)
			}
		}
		if l.Allow("one more") {
			t.Error("more sources than fit")
		}
		now = now.Add(11 * time.Second)
		if !l.Allow("one more") || len(l.last) != 1 {
			t.Errorf("%d sources remembered", len(l.last))
		}
	})
	t.Run("known source when full", func(t *testing.T) {
		l := &Limiter{Timeout: time.Second, Now: clock}
		for i := range maxSources {
			l.Allow(fmt.Sprint(i))
		}
		l.cleaned = now.Unix() + 2
		now = now.Add(2 * time.Second)
		if !l.Allow("7") {
			t.Error("somebody who is known and has waited is refused")
		}
	})
	t.Run("concurrent", func(t *testing.T) {
		l := &Limiter{Timeout: time.Second, Now: clock}
		var wg sync.WaitGroup
		var mu sync.Mutex
		n := 0
		for range 50 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				if l.Allow("a") {
					mu.Lock()
					n++
					mu.Unlock()
				}
			}()
		}
		wg.Wait()
		if n != 1 {
			t.Errorf("%d allowed, want 1", n)
		}
	})
}

// The address behind a logged-in user is that of his session.
func TestAddressOfSession(t *testing.T) {
	w := newWorld(t, options(t, `[{access, all}, {ip_access, [{deny, "192.0.2.0/24"}]}]`))
	w.Sessions.Close(w.alice.Session)
	for addr, want := range map[string]string{"192.0.2.7:1": forbidden, "[::ffff:192.0.2.7]:1": forbidden, "198.51.100.1:1": ""} {
		s := w.Open("alice@h/r", 0)
		s.Info.Addr = netip.MustParseAddrPort(addr)
		w.Send(`<iq from='alice@h/r' to='h' type='set' id='1'>` + account("new"+fmt.Sprint(len(addr)), "secret") + `</iq>`)
		if got := s.Take(); len(got) != 1 || strings.Contains(got[0], "type='error'") != (want != "") || !strings.Contains(got[0], want) {
			t.Errorf("%s: %q", addr, got)
		}
		w.Sessions.Close(s.Session)
	}
}

//option:mod_register password_strength
func TestStrength(t *testing.T) {
	for _, tt := range []struct {
		password string
		bits     float64 // what it has, a little less
	}{
		{"", 0},
		{"aaaa", 18.8},        // 4 × log2(26)
		{"aA", 11.4},          // 2 × log2(52)
		{"a1", 10.3},          // 2 × log2(36)
		{"aA1", 17.8},         // 3 × log2(62)
		{"a!", 11.7},          // 2 × log2(58)
		{"aA1!ü", 38.9},       // 5 × log2(222)
		{"пароль", 41.9},      // 6 × log2(128)
		{"correct horse", 94}, // 13 × log2(154), with the blank
	} {
		m := &Module{}
		for _, o := range []struct {
			strength float64
			want     bool
		}{{0, true}, {-1, true}, {tt.bits, true}, {tt.bits + 0.6, false}} {
			if tt.password == "" && o.strength == 0 {
				continue
			}
			m.Options.Strength = o.strength
			if got := m.strong(tt.password); got != o.want {
				t.Errorf("%q is strong by %v bits: %v", tt.password, o.strength, got)
			}
		}
	}
}

// The registration of an account runs the hook of the host.
func TestHook(t *testing.T) {
	w := newWorld(t, Options{})
	var made []string
	w.Host.Hooks.UserRegistered.Add(50, "m", func(_ context.Context, user jid.JID) { made = append(made, user.String()) })
	w.before(t, "192.0.2.1", "set", account("carol", "secret"))
	moduletest.Same(t, "hook", made, "carol@h")
}
