package client

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"meerkat/router"
	"meerkat/router/jid"
	"meerkat/router/stanza"
	"meerkat/router/xml"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// stands are the states in which a stream waits, by the names of the specification.
var stands = map[string]func(w *world, tr *transport){
	"W0": func(*world, *transport) {},
	"W1": func(w *world, tr *transport) { tr.header(w.t, header) },
	"W2": func(w *world, tr *transport) {
		tr.header(w.t, header)
		tr.send(`<auth xmlns='` + nsSASL + `' mechanism='SCRAM-SHA-1'>` + b64("n,,n=alice,r=abc") + `</auth>`)
	},
	"W0 again": func(w *world, tr *transport) {
		tr.header(w.t, header)
		tr.send(plain("alice"))
	},
	"W3": func(w *world, tr *transport) {
		tr.header(w.t, header)
		tr.send(plain("alice"))
		tr.header(w.t, header)
	},
	"W4": func(w *world, tr *transport) { tr.bind(w.t, jid.MustParse("alice@h/r")) },
	"L": func(w *world, tr *transport) {
		tr.header(w.t, strings.Replace(header, " version='1.0'", "", 1))
	},
	"E": func(w *world, tr *transport) {
		tr.bind(w.t, jid.MustParse("alice@h/r"))
		tr.send(`<iq type='set' id='s'><session xmlns='` + nsSession + `'/></iq>`)
	},
}

// at makes a stream that stands in a state.
func (w *world) at(stand string) *transport {
	tr := w.connect()
	stands[stand](w, tr)
	tr.take()
	tr.calls()
	return tr
}

// What is answered in which state.
func TestStates(t *testing.T) {
	const (
		starttls  = `<starttls xmlns='` + nsTLS + `'/>`
		compress  = `<compress xmlns='` + nsCompress + `'><method>zlib</method></compress>`
		session   = `<iq type='set' id='1'><session xmlns='` + nsSession + `'/></iq>`
		bind      = `<iq type='set' id='1'><bind xmlns='` + nsBind + `'><resource>r</resource></bind></iq>`
		scram     = `<auth xmlns='` + nsSASL + `' mechanism='SCRAM-SHA-1'>` + "bixuPWFsaWNlLHI9YWJj" + `</auth>`
		abort     = `<abort xmlns='` + nsSASL + `'/>`
		response  = `<response xmlns='` + nsSASL + `'/>`
		message   = `<message to='bob@h'><body>x</body></message>`
		presence  = `<presence/>`
		unknownIQ = `<iq type='get' id='1' to='h'><q xmlns='urn:x'/></iq>`
		badBind   = `<bind xmlns='` + nsBind + `'><resource>&#x200E;a&#x627;</resource></bind>` // mixes directions
	)
	unhandled := []string{`<iq from='h' type='error' id='1'>` + errorXML("503", "cancel", "service-unavailable") + `</iq>`}
	failure := func(condition string) []string {
		return []string{`<failure xmlns='` + nsSASL + `'><` + condition + `/></failure>`}
	}
	setupFailed := []string{`<failure xmlns='` + nsCompress + `'><setup-failed/></failure>`}
	tlsRequired := streamErrorText("policy-violation", "Use of STARTTLS required")
	notWellFormed := streamError("xml-not-well-formed")
	tests := []struct {
		state string
		opts  func(*Options)
		in    string
		out   []string
		next  state
	}{
		// W0: anything but a header.
		{"W0", nil, message, notWellFormed, closing},
		{"W0", nil, starttls, notWellFormed, closing},
		{"W0 again", nil, bind, notWellFormed, closing},
		{"W0 again", nil, scram, notWellFormed, closing},

		// W1
		{"W1", nil, starttls, nil, waitAuth}, // not offered
		{"W1", nil, compress, setupFailed, waitAuth},
		{"W1", nil, message, nil, waitAuth},
		{"W1", nil, presence, nil, waitAuth},
		{"W1", nil, bind, unhandled, waitAuth},
		{"W1", nil, unknownIQ, unhandled, waitAuth},
		{"W1", nil, `<iq type='result' id='1'/>`, nil, waitAuth},
		{"W1", nil, `<iq type='error' id='1'/>`, nil, waitAuth},
		{"W1", nil, `<iq id='1'><q xmlns='urn:x'/></iq>`, nil, waitAuth},
		{"W1", nil, response, nil, waitAuth},
		{"W1", nil, abort, nil, waitAuth},
		{"W1", nil, `<unknown xmlns='urn:x'/>`, nil, waitAuth},
		{"W1", nil, `<auth xmlns='urn:x' mechanism='PLAIN'/>`, nil, waitAuth},
		{"W1", nil, `<enable xmlns='urn:x'/>`, streamError("invalid-namespace"), closing},
		{"W1", nil, `<enable xmlns='` + nsSM + `'/>`, nil, waitAuth},
		{"W1", nil, `<auth xmlns='` + nsSASL + `' mechanism='X-NONE'/>`, failure("invalid-mechanism"), waitAuth},
		{"W1", nil, `<auth xmlns='` + nsSASL + `' mechanism='PLAIN'>` + b64("\x00alice\x00no") + `</auth>`, failure("not-authorized"), waitAuth},
		{"W1", nil, `<auth xmlns='` + nsSASL + `' mechanism='PLAIN'>` + b64("alice") + `</auth>`, failure("malformed-request"), waitAuth},
		{"W1", nil, `<auth xmlns='` + nsSASL + `' mechanism='PLAIN'>` + b64("carol\x00alice\x00pw") + `</auth>`, failure("invalid-authzid"), waitAuth},
		{"W1", nil, plain("alice"), []string{`<success xmlns='` + nsSASL + `'/>`}, waitHeader},

		// W1 while TLS is required.
		{"W1", requireTLS, message, tlsRequired, closing},
		{"W1", requireTLS, unknownIQ, tlsRequired, closing},
		{"W1", requireTLS, scram, tlsRequired, closing},
		{"W1", requireTLS, `<unknown xmlns='urn:x'/>`, tlsRequired, closing},
		{"W1", requireTLS, compress, setupFailed, waitAuth},

		// W2: all that is no answer gives the exchange up.
		{"W2", nil, abort, failure("aborted"), waitAuth},
		{"W2", nil, response, failure("malformed-request"), waitAuth},
		{"W2", nil, message, nil, waitAuth},
		{"W2", nil, unknownIQ, unhandled, waitAuth},
		{"W2", nil, scram, nil, waitAuth},
		{"W2", nil, compress, nil, waitAuth},
		{"W2", nil, `<enable xmlns='urn:x'/>`, nil, waitAuth},
		{"W2", nil, `<response xmlns='urn:x'/>`, nil, waitAuth},
		{"W2", nil, `<other xmlns='` + nsSASL + `'/>`, nil, waitAuth},

		// W3
		{"W3", nil, bind, []string{`<iq type='result' id='1'><bind xmlns='` + nsBind + `'><jid>alice@h/r</jid></bind></iq>`}, waitSession},
		{
			"W3", nil, `<iq type='set' id='1'>` + badBind + `</iq>`,
			[]string{`<iq type='error' id='1'>` + badBind + errorXML("400", "modify", "bad-request") + `</iq>`},
			waitBind,
		},
		{"W3", nil, `<iq type='get' id='1'><bind xmlns='` + nsBind + `'/></iq>`, unhandled, waitBind},
		{"W3", nil, session, unhandled, waitBind},
		{"W3", nil, unknownIQ, unhandled, waitBind},
		{"W3", nil, message, nil, waitBind},
		{"W3", nil, presence, nil, waitBind},
		{"W3", nil, starttls, nil, waitBind},
		{"W3", nil, scram, nil, waitBind},
		{"W3", nil, `<enable xmlns='urn:x'/>`, streamError("invalid-namespace"), closing},

		// W4
		{"W4", nil, session, []string{`<iq type='result' id='1'><session xmlns='` + nsSession + `'/></iq>`}, established},
		{"W4", nil, bind, unhandled, waitSession},
		{"W4", nil, starttls, nil, waitSession},
		{"W4", nil, message, nil, established},
		{"W4", nil, presence, []string{`<presence from='alice@h/r' to='alice@h/r'/>`}, established},
		{"W4", nil, unknownIQ, []string{`<iq from='h' to='alice@h/r' type='error' id='1'><q xmlns='urn:x'/>` + errorXML("501", "cancel", "feature-not-implemented") + `</iq>`}, established},
		{"W4", requireSession, message, nil, waitSession},
		{"W4", requireSession, unknownIQ, unhandled, waitSession},
		{"W4", requireSession, session, []string{`<iq type='result' id='1'><session xmlns='` + nsSession + `'/></iq>`}, established},
		{"W4", denyAccess, session, []string{`<iq type='error' id='1'><session xmlns='` + nsSession + `'/>` + errorXML("405", "cancel", "not-allowed") + `</iq>`}, waitSession},
		{"W4", denyAccess, message, []string{`<message from='h' type='error'><body>x</body>` + errorXML("405", "cancel", "not-allowed") + `</message>`}, waitSession},
		{"W4", denyAccess, `<message to='bob@h' type='error'/>`, nil, waitSession},

		// L
		{"L", nil, message, nil, legacy},
		{"L", nil, unknownIQ, unhandled, legacy},
		{"L", nil, scram, nil, legacy},
		{"L", nil, starttls, nil, legacy},
		{"L", nil, `<enable xmlns='urn:x'/>`, streamError("invalid-namespace"), closing},

		// E
		{"E", nil, session, []string{`<iq from='alice@h' to='alice@h/r' type='error' id='1'><session xmlns='` + nsSession + `'/>` + errorXML("503", "cancel", "service-unavailable") + `</iq>`}, established},
		{"E", nil, starttls, nil, established},
		{"E", nil, scram, nil, established},
		{"E", nil, `<enable xmlns='urn:x'/>`, nil, established},
		{"E", nil, `<unknown xmlns='urn:x'/>`, nil, established},
	}
	for _, tt := range tests {
		t.Run(tt.state+" "+tt.in, func(t *testing.T) {
			w := newWorld(t)
			if tt.opts != nil {
				tt.opts(&w.opts)
			}
			tr := w.at(tt.state)
			tr.send(tt.in)
			same(t, "answer", tr.take(), tt.out)
			if tr.client.state != tt.next {
				t.Errorf("state %d, want %d", tr.client.state, tt.next)
			}
			if tr.isClosed() != (tt.next == closing) {
				t.Errorf("closed: %v", tr.isClosed())
			}
		})
	}
}

func requireTLS(o *Options)     { o.StartTLS, o.TLSRequired = true, true }
func requireSession(o *Options) { o.RequireSession = true }
func denyAccess(o *Options)     { o.Access = "none" }

// How a stream ends in each state.
func TestEnds(t *testing.T) {
	bad := xml.TooBig()
	tooBig := streamErrorText("policy-violation", "XML stanza is too big")
	for stand := range stands {
		var before, badHeader, stopHeader []string
		if strings.HasPrefix(stand, "W0") {
			before = streamError("xml-not-well-formed")
			badHeader = []string{"header from=h version"}
			stopHeader = []string{"header from=h version lang=en"}
		} else {
			before = []string{streamEnd}
		}
		for _, tt := range []struct {
			name string
			do   func(c *Client)
			out  []string
			drop bool
		}{
			{"end of the stream", (*Client).Ended, before, false},
			{"bad input", func(c *Client) { c.Failed(bad) }, append(badHeader, tooBig...), false},
			{"failure that is no fault of the input", func(c *Client) { c.Failed(errors.New("x")) }, append(badHeader, streamError("internal-server-error")...), false},
			{"shutdown", (*Client).Shutdown, append(stopHeader, streamError("system-shutdown")...), false},
			{"silence", (*Client).TimedOut, nil, true},
			{"loss", (*Client).Lost, nil, false},
			{"second header", func(c *Client) {
				if !strings.HasPrefix(stand, "W0") {
					c.Opened(parseHeader(t, header))
				}
			}, streamError("xml-not-well-formed"), false},
		} {
			if tt.name == "second header" && strings.HasPrefix(stand, "W0") {
				continue
			}
			t.Run(stand+" "+tt.name, func(t *testing.T) {
				w := newWorld(t)
				tr := w.at(stand)
				tt.do(tr.client)
				same(t, "written", tr.take(), tt.out)
				if tr.dropped != tt.drop || tr.isClosed() != (tt.name != "loss") {
					t.Errorf("dropped %v, closed %v", tr.dropped, tr.isClosed())
				}
				// Whatever comes now is nobody's business.
				tr.client.Element([]byte(`<message to='bob@h'/>`))
				tr.client.Element([]byte(`<unknown/>`))
				tr.client.KeepAlive()
				tr.client.TimedOut()
				tr.client.Failed(bad)
				tr.client.Ended()
				tr.client.EndOfInput()
				tr.client.Lost()
				tr.client.Drained()
				same(t, "written afterwards", tr.take(), nil)
				if n := w.Router.Sessions.Count(); n != 0 {
					t.Errorf("%d sessions are left", n)
				}
			})
		}
	}
}

func parseHeader(t testing.TB, text string) *xml.Header {
	t.Helper()
	h, err := xml.ParseHeader([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// What answers a header, in the order of the checks.
func TestHeader(t *testing.T) {
	const (
		ns   = ` xmlns:stream='http://etherx.jabber.org/streams'`
		ok   = "header from=h version lang=en"
		old  = "header from=h lang=en"
		node = "header from=h lang=en" // the node's own name, without a version
	)
	features := `<stream:features><mechanisms xmlns='` + nsSASL + `'><mechanism>SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism></mechanisms></stream:features>`
	refuse := func(condition string) []string { return append([]string{node}, streamError(condition)...) }
	tests := []struct {
		name, header string
		out          []string
		next         state
	}{
		{"usual", `<stream:stream xmlns='jabber:client'` + ns + ` to='h' version='1.0'>`, []string{ok, features}, waitAuth},
		{"host is prepared", `<stream:stream xmlns='jabber:client'` + ns + ` to='H' version='1.0'>`, []string{ok, features}, waitAuth},
		{"another host", `<stream:stream xmlns='jabber:client'` + ns + ` to='other' version='1.0'>`, []string{"header from=other version lang=en", features}, waitAuth},
		{"default namespace does not matter", `<stream:stream xmlns='urn:x'` + ns + ` to='h' version='1.0'>`, []string{ok, features}, waitAuth},
		{"no default namespace", `<stream:stream` + ns + ` to='h' version='1.0'>`, []string{ok, features}, waitAuth},
		{"from does not matter", `<stream:stream xmlns='jabber:client'` + ns + ` to='h' from='@' version='1.0'>`, []string{ok, features}, waitAuth},
		{"no version", `<stream:stream xmlns='jabber:client'` + ns + ` to='h'>`, []string{old}, legacy},
		{"version 0.9", `<stream:stream xmlns='jabber:client'` + ns + ` to='h' version='0.9'>`, []string{old}, legacy},
		{"version 1.1", `<stream:stream xmlns='jabber:client'` + ns + ` to='h' version='1.1'>`, []string{old}, legacy},
		{"unknown host", `<stream:stream xmlns='jabber:client'` + ns + ` to='nowhere' version='1.0'>`, refuse("host-unknown"), closing},
		{"no host", `<stream:stream xmlns='jabber:client'` + ns + ` version='1.0'>`, refuse("host-unknown"), closing},
		{"host that cannot be one", `<stream:stream xmlns='jabber:client'` + ns + ` to='a&#xA0;b' version='1.0'>`, refuse("host-unknown"), closing},
		{"wrong namespace", `<stream:stream xmlns='jabber:client' xmlns:stream='urn:x' to='h' version='1.0'>`, refuse("invalid-namespace"), closing},
		{"no namespace", `<stream xmlns='jabber:client' to='h' version='1.0'>`, refuse("invalid-namespace"), closing},
		{"wrong namespace and unknown host", `<stream:stream xmlns='jabber:client' xmlns:stream='urn:x' to='nowhere'>`, refuse("invalid-namespace"), closing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			tr := w.connect()
			tr.header(t, tt.header)
			same(t, "answer", tr.take(), tt.out)
			if tr.client.state != tt.next || tr.isClosed() != (tt.next == closing) {
				t.Errorf("state %d, want %d; closed %v", tr.client.state, tt.next, tr.isClosed())
			}
		})
	}
	t.Run("legacy while TLS is required", func(t *testing.T) {
		w := newWorld(t)
		requireTLS(&w.opts)
		tr := w.connect()
		tr.header(t, strings.Replace(header, " version='1.0'", "", 1))
		same(t, "answer", tr.take(), append([]string{old}, streamErrorText("policy-violation", "Use of STARTTLS required")...))
	})
	t.Run("another host after authentication", func(t *testing.T) {
		w := newWorld(t)
		tr := w.at("W0 again")
		tr.header(t, strings.Replace(header, "to='h'", "to='other'", 1))
		same(t, "answer", tr.take(), refuse("host-unknown"))
	})
	t.Run("new id each time", func(t *testing.T) {
		w := newWorld(t)
		tr := w.at("W1")
		first := tr.client.streamID
		tr.send(plain("alice"))
		tr.header(t, header)
		if second := tr.client.streamID; first == second || !regexp.MustCompile(`^[1-9A-F][0-9A-F]*$`).MatchString(second) {
			t.Errorf("ids %s, %s", first, second)
		}
	})
	t.Run("language", func(t *testing.T) {
		w := newWorld(t)
		for lang, want := range map[string]string{
			"de": "de", strings.Repeat("x", maxLang): strings.Repeat("x", maxLang), strings.Repeat("x", maxLang+1): "",
		} {
			tr := w.connect()
			tr.header(t, strings.Replace(header, ">", " xml:lang='"+lang+"'>", 1))
			tr.take()
			tr.client.Failed(xml.TooBig())
			out := tr.take()
			if !strings.Contains(out[0], "xml:lang='"+want+"'") {
				t.Errorf("%q: %s", lang, out[0])
			}
		}
	})
}

// The features, in the order of the specification.
func TestFeatures(t *testing.T) {
	const (
		mechanisms = `<mechanisms xmlns='` + nsSASL + `'><mechanism>SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism></mechanisms>`
		starttls   = `<starttls xmlns='` + nsTLS + `'/>`
		bind       = `<bind xmlns='` + nsBind + `'/>`
		optional   = `<session xmlns='` + nsSession + `'><optional/></session>`
		mods       = `<register xmlns='urn:r'/><sm xmlns='urn:s'/>`
		ver        = `<ver xmlns='urn:v'/>`
	)
	tests := []struct {
		name  string
		stand string
		cert  bool
		opts  Options
		want  string
	}{
		{"plain", "W0", true, Options{}, mechanisms + mods},
		{"TLS", "W0", true, Options{StartTLS: true}, starttls + mechanisms + mods},
		{"TLS without a certificate", "W0", false, Options{StartTLS: true}, mechanisms + mods},
		{"TLS required", "W0", true, Options{StartTLS: true, TLSRequired: true}, `<starttls xmlns='` + nsTLS + `'><required/></starttls>`},
		{"only required", "W0", true, Options{TLSRequired: true}, `<starttls xmlns='` + nsTLS + `'><required/></starttls>`},
		{"required without a certificate", "W0", false, Options{TLSRequired: true}, `<starttls xmlns='` + nsTLS + `'><required/></starttls>`},
		{"authenticated", "W0 again", true, Options{StartTLS: true}, bind + optional + ver + mods},
		{"session required", "W0 again", true, Options{RequireSession: true}, bind + `<session xmlns='` + nsSession + `'/>` + ver + mods},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.opts = tt.opts
			w.h.Hooks.StreamFeatures.Add(40, "mod_stream_management", func() *xml.Element { return xml.New("urn:s", "sm") })
			w.h.Hooks.StreamFeatures.Add(20, "mod_register", func() *xml.Element { return xml.New("urn:r", "register") })
			w.h.Hooks.StreamFeatures.Add(30, "mod_amp", func() *xml.Element { return nil })
			w.h.Hooks.BindFeatures.Add(50, "mod_roster", func() *xml.Element { return xml.New("urn:v", "ver") })
			tr := w.connect()
			tr.cert = tt.cert
			stands[tt.stand](w, tr)
			tr.take()
			tr.header(t, header)
			same(t, "answer", tr.take(), []string{"header from=h version lang=en", "<stream:features>" + tt.want + "</stream:features>"})
		})
	}
}

func TestStartTLS(t *testing.T) {
	const starttls = `<starttls xmlns='` + nsTLS + `'/>`
	t.Run("done", func(t *testing.T) {
		w := newWorld(t)
		requireTLS(&w.opts)
		tr := w.connect()
		tr.cert = true
		tr.header(t, header)
		tr.take()
		tr.calls()
		tr.send(starttls)
		same(t, "answer", tr.take(), []string{`<proceed xmlns='` + nsTLS + `'/>`})
		same(t, "calls", tr.calls(), []string{"starttls h"})
		tr.header(t, header)
		if got := tr.take(); len(got) != 2 || strings.Contains(got[1], "starttls") || !strings.Contains(got[1], "mechanisms") {
			t.Errorf("features %q", got)
		}
		tr.send(starttls)
		same(t, "second time", tr.take(), nil)
		tr.send(plain("alice"))
		same(t, "authentication", tr.take(), []string{`<success xmlns='` + nsSASL + `'/>`})
		same(t, "calls", tr.calls(), []string{"restart"})
	})
	t.Run("no certificate for the host", func(t *testing.T) {
		w := newWorld(t)
		requireTLS(&w.opts)
		tr := w.at("W1")
		tr.send(starttls)
		same(t, "answer", tr.take(), []string{`<failure xmlns='` + nsTLS + `'/>`, streamEnd})
		if !tr.isClosed() {
			t.Error("not closed")
		}
	})
	t.Run("handshake fails", func(t *testing.T) {
		w := newWorld(t)
		w.opts.StartTLS = true
		tr := w.connect()
		tr.cert, tr.tlsErr = true, errors.New("no shared cipher")
		tr.header(t, header)
		tr.take()
		tr.send(starttls)
		same(t, "answer", tr.take(), []string{`<proceed xmlns='` + nsTLS + `'/>`})
		if !tr.dropped {
			t.Error("not dropped")
		}
		if w.log.FilterMessage("TLS handshake failed").Len() != 1 {
			t.Errorf("logged %v", w.log.All())
		}
	})
}

func TestSASLWithSeveralSteps(t *testing.T) {
	w := newWorld(t)
	tr := w.at("W1")
	// The client of RFC 5802, with a password that the server derives keys from.
	tr.send(`<auth xmlns='` + nsSASL + `' mechanism='SCRAM-SHA-1'>` + b64("n,,n=alice,r=abc") + `</auth>`)
	out := tr.take()
	if len(out) != 1 || !strings.HasPrefix(out[0], `<challenge xmlns='`+nsSASL+`'>`) || tr.client.state != waitSASL {
		t.Fatalf("got %q in state %d", out, tr.client.state)
	}
	tr.send(`<response xmlns='` + nsSASL + `'>` + b64("c=biws,r=abc,p=AAAA") + `</response>`)
	same(t, "wrong proof", tr.take(), []string{`<failure xmlns='` + nsSASL + `'><not-authorized/></failure>`})
	// A failure is not the end: another mechanism may be tried.
	tr.send(plain("alice"))
	same(t, "second attempt", tr.take(), []string{`<success xmlns='` + nsSASL + `'/>`})
	same(t, "calls", tr.calls(), []string{"restart"})
	if tr.client.user != "alice" || tr.client.method != "test" {
		t.Errorf("user %q by %q", tr.client.user, tr.client.method)
	}
}

// A failed login is logged without the password; a failure of ours as an error.
func TestSASLFailuresAreLogged(t *testing.T) {
	w := newWorld(t)
	tr := w.at("W1")
	tr.send(`<auth xmlns='` + nsSASL + `' mechanism='PLAIN'>` + b64("\x00alice\x00secret") + `</auth>`)
	w.users.err = errors.New("database is down")
	tr.send(plain("alice"))
	same(t, "answers", tr.take(), []string{
		`<failure xmlns='` + nsSASL + `'><not-authorized/></failure>`, `<failure xmlns='` + nsSASL + `'><temporary-auth-failure/></failure>`,
	})
	logs := w.log.FilterMessage("authentication failed").All()
	if len(logs) != 2 || logs[0].Level.String() != "info" || logs[1].Level.String() != "error" {
		t.Fatalf("logged %v", logs)
	}
	for _, l := range logs {
		if m := l.ContextMap(); m["user"] != "alice" || m["host"] != "h" || strings.Contains(fmt.Sprint(m), "secret") {
			t.Errorf("logged %v", m)
		}
	}
}

func TestBind(t *testing.T) {
	const made = `[1-9A-F][0-9A-F]*144541248012345` // random, then the parts of the time
	tests := []struct{ name, in, want string }{
		{"resource", "<resource>home</resource>", `home`},
		{"resource is prepared", "<resource>&#xFF28;ome</resource>", `Home`},
		{"no resource", "", made},
		{"empty resource", "<resource/>", made},
		{"resource that preparation empties", "<resource>&#xAD;</resource>", made},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.clock = time.UnixMicro(1445412480_012345)
			tr := w.at("W3")
			tr.send(`<iq type='set' id='1'><bind xmlns='` + nsBind + `'>` + tt.in + `</bind></iq>`)
			got := tr.client.JID().String()
			if !regexp.MustCompile("^alice@h/" + tt.want + "$").MatchString(got) {
				t.Errorf("bound %s, want %s", got, tt.want)
			}
			same(t, "answer", tr.take(), []string{`<iq type='result' id='1'><bind xmlns='` + nsBind + `'><jid>` + got + `</jid></bind></iq>`})
			if w.Router.Sessions.Count() != 0 {
				t.Error("binding opened a session")
			}
		})
	}
}

func TestTimeouts(t *testing.T) {
	for given, want := range map[time.Duration]string{0: "timeout 1m0s", time.Second: "timeout 1s"} {
		w := newWorld(t)
		w.NegotiationTimeout = given
		tr := &transport{}
		tr.client = w.New(t.Context(), tr, &w.opts)
		same(t, "at first", tr.calls(), []string{want})
		stands["E"](w, tr)
		same(t, "once established", tr.calls(), []string{"restart", "timeout 0s"})
	}
}

// The shaper is chosen by rule, for the host at first and then for the full JID.
func TestShaper(t *testing.T) {
	w := newWorld(t)
	w.rules("shape slow alice")
	for rule, want := range map[string][]string{
		"": nil, "none": {"shape deny", "shape deny", "shape deny"}, "shape": {"shape deny", "shape deny", "shape slow"},
	} {
		w.opts.Shaper = rule
		tr := w.connect()
		stands["E"](w, tr)
		var got []string
		for _, c := range tr.calls() {
			if strings.HasPrefix(c, "shape") {
				got = append(got, c)
			}
		}
		same(t, "rule "+rule, got, want)
	}
}

func TestMaxStanzaSize(t *testing.T) {
	const msg = `<message to='bob@h'><body>0123456789</body></message>`
	_, _, size, err := stanza.ParseString(msg, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		limit int
		want  []string
	}{
		{0, nil}, {size, nil}, {size - 1, streamErrorText("policy-violation", "XML stanza is too big")},
	} {
		w := newWorld(t)
		tr := w.at("E")
		tr.client.opts.MaxStanzaSize = tt.limit
		tr.send(msg)
		same(t, fmt.Sprintf("limit %d of %d", tt.limit, size), tr.take(), tt.want)
	}
}

// Modules may answer an IQ before authentication; they are told where it came
// from, and the first that answers ends the chain.
func TestUnauthenticatedIQ(t *testing.T) {
	w := newWorld(t)
	var asked []string
	w.h.Hooks.UnauthenticatedIQ.Add(50, "mod_one", func(_ *router.Turn, iq router.UnauthenticatedIQ) *stanza.Stanza {
		asked = append(asked, "one "+iq.Source)
		return nil
	})
	w.h.Hooks.UnauthenticatedIQ.Add(60, "mod_two", func(_ *router.Turn, iq router.UnauthenticatedIQ) *stanza.Stanza {
		asked = append(asked, "two")
		return stanza.Result(iq.Stanza)
	})
	const iq = `<iq type='get' id='1' to='h'><query xmlns='jabber:iq:register'/></iq>`
	for _, stand := range []string{"W1", "W2", "L"} {
		tr := w.at(stand)
		tr.send(iq)
		same(t, stand, tr.take(), []string{`<iq from='h' type='result' id='1'/>`})
		same(t, stand+" asked", asked, []string{"one 192.0.2.7", "two"})
		asked = nil
	}
	for _, stand := range []string{"W3", "W4"} {
		w.opts.RequireSession = true
		tr := w.at(stand)
		tr.send(iq)
		same(t, stand+" asked", asked, nil)
	}
}
