package client

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"

	"meerkat/router"
	"meerkat/router/jid"
	"meerkat/router/session"
	"meerkat/router/stanza"
	"meerkat/router/stream"
)

const sessionIQ = `<iq type='set' id='s'><session xmlns='` + nsSession + `'/></iq>`

func (w *world) count(bare string) int { return len(w.Router.Sessions.User(jid.MustParse(bare))) }

// Who may open a session: the access rule of the listener decides.
func TestAccess(t *testing.T) {
	w := newWorld(t)
	w.rules("only_alice allow alice", "strange maybe all", "open allow all")
	for _, tt := range []struct {
		rule, user string
		allowed    bool
		logged     int
	}{
		{"all", "bob", true, 0},
		{"none", "bob", false, 0},
		{"open", "bob", true, 0},
		{"only_alice", "alice", true, 0},
		{"only_alice", "bob", false, 0},
		{"undefined", "alice", false, 0},
		{"strange", "alice", false, 1},
	} {
		t.Run(tt.rule+" "+tt.user, func(t *testing.T) {
			w.opts.Access = tt.rule
			w.log.TakeAll()
			tr := w.connect()
			tr.bind(t, jid.MustParse(tt.user+"@h/r"))
			tr.take()
			tr.send(sessionIQ)
			want := []string{`<iq type='result' id='s'><session xmlns='` + nsSession + `'/></iq>`}
			if !tt.allowed {
				want = []string{`<iq type='error' id='s'><session xmlns='` + nsSession + `'/>` + errorXML("405", "cancel", "not-allowed") + `</iq>`}
			}
			same(t, "answer", tr.take(), want)
			if open := w.count(tt.user+"@h") == 1; open != tt.allowed {
				t.Errorf("session: %v", open)
			}
			if n := w.log.FilterMessageSnippet("access rule yields").Len(); n != tt.logged {
				t.Errorf("logged %d times", n)
			}
			if !tt.allowed {
				tr.send(sessionIQ) // may be tried again
				same(t, "second answer", tr.take(), want)
			}
			tr.client.Lost()
		})
	}
}

// A client that does without the session IQ opens its session with its first
// stanza, which is handled.
func TestFirstStanzaOpensSession(t *testing.T) {
	w := newWorld(t)
	carol := w.login("carol@h/r")
	alice := w.connect()
	alice.bind(t, jid.MustParse("alice@h/r"))
	alice.take()
	alice.send(msg("carol@h/r", "1"))
	same(t, "carol sees", carol.take(), []string{msg("carol@h/r", "1")})
	if w.count("alice@h") != 1 {
		t.Error("no session")
	}
}

func TestMaxUserSessions(t *testing.T) {
	for _, tt := range []struct {
		value string // of the rule max_user_sessions; "" if there is none
		limit int    // -1: refused
	}{
		{"3", 3}, {"1", 1}, {"infinity", 200}, {"", defaultMaxSessions}, {"deny", defaultMaxSessions}, {"9999999999999", 200}, {"0", -1}, {"-5", -1},
	} {
		t.Run(tt.value, func(t *testing.T) {
			w := newWorld(t)
			if tt.value != "" {
				w.rules("max_user_sessions " + tt.value + " all")
			}
			if tt.limit < 0 {
				tr := w.connect()
				tr.bind(t, jid.MustParse("bob@h/r"))
				tr.take()
				tr.send(sessionIQ)
				same(t, "answer", tr.take(), []string{`<iq type='error' id='s'><session xmlns='` + nsSession + `'/>` + errorXML("405", "cancel", "not-allowed") + `</iq>`})
				return
			}
			var all []*transport
			for i := range min(tt.limit+2, 110) {
				all = append(all, w.login(fmt.Sprintf("bob@h/%d", i)))
			}
			want := min(tt.limit, len(all))
			if n := w.count("bob@h"); n != want {
				t.Errorf("%d sessions, want %d", n, want)
			}
			for i, tr := range all {
				gone := i < len(all)-want
				var end []string
				if gone {
					end = streamErrorText("conflict", replacedText)
				}
				same(t, fmt.Sprintf("session %d", i), tr.take(), end)
				if tr.isClosed() != gone {
					t.Errorf("session %d: closed %v", i, tr.isClosed())
				}
				tr.client.Lost()
			}
			if n := w.Router.Sessions.Count(); n != 0 {
				t.Errorf("%d sessions left", n)
			}
		})
	}
}

// The same resource again: the newer session wins, once it has one.
func TestConflict(t *testing.T) {
	w := newWorld(t)
	old := w.login("bob@h/r")
	other := w.login("bob@h/other")
	fresh := w.connect()
	fresh.bind(t, jid.MustParse("bob@h/r"))
	same(t, "old session after bind", old.take(), nil)
	fresh.send(sessionIQ)
	same(t, "old session", old.take(), streamErrorText("conflict", replacedText))
	same(t, "other resource", other.take(), nil)
	fresh.take()
	w.queueOf("bob@h/r", "1")
	old.client.Lost()
	w.queueOf("bob@h/r", "2")
	same(t, "new session", ids(fresh.take()), []string{"1", "2"})
}

// The entry in the session table tells of the connection.
func TestSessionInfo(t *testing.T) {
	for want, peer := range map[string]stream.Peer{
		"c2s":                {},
		"c2s_tls":            {TLS: &tls.ConnectionState{}},
		"c2s_compressed":     {Compressed: true},
		"c2s_compressed_tls": {TLS: &tls.ConnectionState{}, Compressed: true},
	} {
		w := newWorld(t)
		tr := w.connect()
		addr := tr.peer.Addr
		tr.peer = peer
		tr.peer.Addr = addr
		stands["E"](w, tr)
		s := w.Router.Sessions.Find(jid.MustParse("alice@h/r"))
		if s.Info != (session.Info{Addr: addr, Conn: want, AuthMethod: "test"}) {
			t.Errorf("info %+v, want %s", s.Info, want)
		}
		if s.ID.At != w.clock.UnixMicro() || s.ID.Node != w.Router.Node {
			t.Errorf("id %+v", s.ID)
		}
	}
}

func TestSessionHooks(t *testing.T) {
	w := newWorld(t)
	var got []string
	note := func(what string) func(*router.Turn, *session.Session) {
		return func(_ *router.Turn, s *session.Session) {
			got = append(got, fmt.Sprintf("%s %s %d", what, s.JID, w.Router.Sessions.Count()))
		}
	}
	w.h.Hooks.SessionOpened.Add(50, "m", note("opened"))
	w.h.Hooks.SessionClosed.Add(50, "m", note("closed"))
	w.h.Hooks.KeepAlive.Add(50, "m", note("alive"))
	tr := w.at("W4")
	tr.client.KeepAlive()
	tr.send(sessionIQ)
	tr.client.KeepAlive()
	tr.client.Lost()
	same(t, "hooks", got, []string{"opened alice@h/r 1", "alive alice@h/r 1", "closed alice@h/r 0"})
}

// What a client's stanza is when it leaves.
func TestOutgoing(t *testing.T) {
	tests := []struct {
		name, in string
		out      string // as the service of the domain svc gets it
		answer   string // what the client gets
	}{
		{"no from", `<message to='svc' id='1'/>`, `<message from='alice@h/r' to='svc' id='1'/>`, ""},
		{"full from", `<message from='alice@h/r' to='svc'/>`, `<message from='alice@h/r' to='svc'/>`, ""},
		{"bare from", `<message from='alice@h' to='svc'/>`, `<message from='alice@h/r' to='svc'/>`, ""},
		{"from to be prepared", `<message from='ALICE@H/r' to='svc'/>`, `<message from='alice@h/r' to='svc'/>`, ""},
		{"to to be prepared", `<message to='X@SVC/R'/>`, `<message from='alice@h/r' to='x@svc/R'/>`, ""},
		{"namespace", `<message xmlns='jabber:client' to='svc'><body xmlns='jabber:client'>x</body></message>`, `<message from='alice@h/r' to='svc'><body xmlns='jabber:client'>x</body></message>`, ""},
		{
			"delays", `<message to='svc'><delay xmlns='urn:xmpp:delay' stamp='x'/><body>x</body><x xmlns='jabber:x:delay'/><x xmlns='urn:y'/></message>`,
			`<message from='alice@h/r' to='svc'><body>x</body><x xmlns='urn:y'/></message>`, "",
		},
		{"own language", `<message to='svc' xml:lang='fr'/>`, `<message from='alice@h/r' to='svc' xml:lang='fr'/>`, ""},
		{"presence", `<presence to='svc'/>`, `<presence from='alice@h/r' to='svc'/>`, ""},
		{"iq", `<iq to='svc' type='get' id='1'><q xmlns='urn:x'/></iq>`, `<iq from='alice@h/r' to='svc' type='get' id='1'><q xmlns='urn:x'/></iq>`, ""},
		{"bad to", `<message to='@svc' id='1'/>`, "", `<message from='@svc' type='error' id='1'>` + errorXML("400", "modify", "jid-malformed") + `</message>`},
		{"bad to of an iq", `<iq to='svc/` + strings.Repeat("x", 1024) + `' type='get' id='1'/>`, "", `<iq from='svc/` + strings.Repeat("x", 1024) + `' type='error' id='1'>` + errorXML("400", "modify", "jid-malformed") + `</iq>`},
		{"bad to of an error", `<message to='@svc' type='error'/>`, "", ""},
		{"bad to of a result", `<iq to='@svc' type='result' id='1'/>`, "", ""},
		{"without to", `<message id='1'/>`, "", ""}, // to the own account, which is away
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			d := w.svc()
			alice := w.login("alice@h/r")
			alice.send(tt.in)
			var want, answer []string
			if tt.out != "" {
				want = []string{tt.out}
			}
			if tt.answer != "" {
				answer = []string{tt.answer}
			}
			same(t, "routed", d.take(), want)
			same(t, "answer", alice.take(), answer)
			if tt.name == "without to" {
				same(t, "stored", w.offline.take(), []string{`<message from='alice@h/r' to='alice@h' id='1'/>`})
			}
		})
	}
	for _, from := range []string{"alice@h/x", "bob@h", "h", "@", "alice@other/r"} {
		t.Run("from "+from, func(t *testing.T) {
			w := newWorld(t)
			d := w.svc()
			alice := w.login("alice@h/r")
			alice.send(`<message from='`+from+`' to='svc'/>`, `<message to='svc' id='2'/>`)
			same(t, "answer", alice.take(), streamError("invalid-from"))
			same(t, "routed", d.take(), nil)
		})
	}
}

// The language of the stream is added to what has none.
func TestLanguage(t *testing.T) {
	w := newWorld(t)
	d := w.svc()
	tr := w.connect()
	for range 2 {
		tr.header(t, strings.Replace(header, ">", " xml:lang='de'>", 1))
		if !tr.client.authenticated {
			tr.send(plain("alice"))
		}
	}
	tr.send(`<iq type='set' id='b'><bind xmlns='`+nsBind+`'><resource>r</resource></bind></iq>`, sessionIQ)
	tr.take()
	tr.send(`<message to='svc' id='1'/>`, `<message to='svc' xml:lang='fr' id='2'/>`)
	same(t, "routed", d.take(), []string{
		`<message from='alice@h/r' to='svc' id='1' xml:lang='de'/>`, `<message from='alice@h/r' to='svc' id='2' xml:lang='fr'/>`,
	})
}

// The hook for what clients send sees it as it is routed, before it is.
func TestUserSend(t *testing.T) {
	w := newWorld(t)
	d := w.svc()
	var got []string
	w.h.Hooks.UserSend.Add(50, "m", func(_ *router.Turn, s *session.Session, p router.Packet) {
		if n := len(d.take()); n != 0 {
			t.Error("routed before the hook")
		}
		got = append(got, s.JID.Resource()+" "+string(p.AppendTo(nil, stanza.Options{})))
	})
	alice := w.login("alice@h/r")
	alice.send(`<message to='svc' id='1'/>`)
	d.take()
	alice.send(`<presence id='2'/>`, `<presence to='one@svc/x' type='subscribe' id='3'/>`)
	d.take()
	alice.send(`<iq to='svc' type='get' id='4'><q xmlns='urn:x'/></iq>`)
	same(t, "hook", got, []string{
		`r <message from='alice@h/r' to='svc' id='1'/>`, `r <presence from='alice@h/r' to='alice@h' id='2'/>`,
		`r <presence from='alice@h/r' to='one@svc/x' type='subscribe' id='3'/>`, `r <iq from='alice@h/r' to='svc' type='get' id='4'><q xmlns='urn:x'/></iq>`,
	})
}

// An answer that was never written is nobody else's.
func TestOwnAnswersAreNotRerouted(t *testing.T) {
	w := newWorld(t)
	remote := &domain{}
	w.Router.SetRemote(remote)
	alice := w.login("alice@h/r")
	alice.set(func(t *transport) { t.congested = true })
	alice.send(`<message to='@svc' id='1'/>`)
	alice.client.Lost()
	same(t, "routed elsewhere", remote.take(), nil)
}

// The account is removed: its sessions end with the error of the specification.
func TestUserRemoved(t *testing.T) {
	w := newWorld(t)
	bob := w.login("bob@h/r")
	turn := session.NewTurn(t.Context())
	if err := w.h.RemoveUser(turn, jid.MustParse("bob@h")); err != nil {
		t.Fatal(err)
	}
	turn.Flush()
	same(t, "bob sees", bob.take(), streamErrorText("conflict", "User removed"))
	if !bob.isClosed() {
		t.Error("not closed")
	}
}
