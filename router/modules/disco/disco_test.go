package disco

import (
	"context"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"meerkat/cfgterm"
	"meerkat/cfgterm/schema"
	"meerkat/cfgterm/schema/schematest"
	"meerkat/router"
	"meerkat/router/jid"
	"meerkat/router/modules/moduletest"
	"meerkat/router/xml"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOptions(t *testing.T) { schematest.Run(t, Table(), "[]") }

//option:mod_disco iqdisc
func TestIQDisc(t *testing.T) {
	for _, request := range []string{
		`<iq from='alice@h/r' to='h' type='get' id='1'><query xmlns='` + nsInfo + `'/></iq>`,
		`<iq from='alice@h/r' to='h' type='get' id='1'><query xmlns='` + nsItems + `'/></iq>`,
		`<iq from='alice@h/r' to='alice@h' type='get' id='1'><query xmlns='` + nsInfo + `'/></iq>`,
	} {
		moduletest.Disciplines(t, request, func(n *moduletest.Node, d schema.IQDisc) {
			(&Module{Options: Options{IQDisc: d}}).Register(n.Host)
		})
	}
}

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

type service struct{}

func (service) Route(*router.Turn, router.Packet) {}

// ask returns what follows the head of the answer: the content of a result, or
// of an error without the query.
func ask(t testing.TB, n *moduletest.Node, from, to, typ, ns, node string) string {
	t.Helper()
	s := n.Open(from, 0)
	defer n.Sessions.Close(s.Session)
	attr := ""
	if node != "" {
		attr = ` node='` + node + `'`
	}
	n.Send(`<iq from='` + from + `' to='` + to + `' type='` + typ + `' id='1'><query xmlns='` + ns + `'` + attr + `/></iq>`)
	got := s.Take()
	if len(got) != 1 {
		t.Fatalf("answers: %q", got)
	}
	head := `<iq from='` + to + `' to='` + from + `' type='result' id='1'>`
	if content, ok := strings.CutPrefix(got[0], head); ok {
		return strings.TrimSuffix(content, "</iq>")
	}
	head = strings.Replace(head, "result", "error", 1) + `<query xmlns='` + ns + `'` + attr + `/>`
	content, ok := strings.CutPrefix(got[0], head)
	if !ok {
		t.Fatalf("answer %s", got[0])
	}
	return strings.TrimSuffix(content, "</iq>")
}

func query(ns, node, content string) string {
	if node != "" {
		node = ` node='` + node + `'`
	}
	if content == "" {
		return `<query xmlns='` + ns + `'` + node + `/>`
	}
	return `<query xmlns='` + ns + `'` + node + `>` + content + `</query>`
}

func features(names ...string) (s string) {
	for _, f := range names {
		s += `<feature var='` + f + `'/>`
	}
	return s
}

var (
	notFound    = moduletest.Error("404", "cancel", "item-not-found", "")
	notAllowed  = moduletest.Error("405", "cancel", "not-allowed", "")
	unavailable = moduletest.Error("503", "cancel", "service-unavailable", "")
)

const identity = `<identity category='server' type='im' name='MongooseIM'/>`

func TestHost(t *testing.T) {
	n := moduletest.New(t)
	(&Module{}).Register(n.Host)
	n.Host.Feature("urn:z")
	n.Host.Hooks.Disco.Add(50, "m", func(_ *router.Turn, q *router.DiscoQuery) {
		switch {
		case q.Table != router.ServerTable:
		case q.Node == "known":
			q.Found = true
			q.Children = append(q.Children, xml.New(nsItems, "item").Set("jid", "from.a.module"))
		case q.Node == "":
			q.Features = append(q.Features, "urn:a", "urn:z")
			q.Children = append(q.Children, xml.New(nsInfo, "identity").Set("category", "x"))
		}
	})
	own := []string{nsInfo, nsItems, "iq", "presence", "presence-invisible", "urn:a", "urn:z"}
	for _, tt := range []struct{ name, typ, ns, node, want string }{
		{"info", "get", nsInfo, "", query(nsInfo, "", identity+`<identity category='x'/>`+features(own...))},
		{"info of a node", "get", nsInfo, "known", query(nsInfo, "known", `<item xmlns='`+nsItems+`' jid='from.a.module'/>`)},
		{"info of an unknown node", "get", nsInfo, "unknown", notFound},
		{"items of a node", "get", nsItems, "known", query(nsItems, "known", `<item jid='from.a.module'/>`)},
		{"items of an unknown node", "get", nsItems, "unknown", notFound},
		{"set", "set", nsInfo, "", notAllowed},
		{"set of items", "set", nsItems, "", notAllowed},
	} {
		if got := ask(t, n, "alice@h/r", "h", tt.typ, tt.ns, tt.node); got != tt.want {
			t.Errorf("%s: %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// The items of a host are the services whose nearest served parent it is, and the
// extra ones, sorted, each once.
//
//option:mod_disco extra_domains
func TestHostItems(t *testing.T) {
	n := moduletest.New(t)
	n.NewHost("sub.h", n.Host.Auth)
	(&Module{Options: options(t, `[{extra_domains, ["far.example", <<"muc.h">>, "a.h"]}]`)}).Register(n.Host)
	(&Module{}).Register(n.Other)
	(&Module{}).Register(n.Router.Host("sub.h"))
	for _, d := range []string{"muc.h", "vjud.h", "x.y.h", "muc.sub.h", "gateway.example", "muc.other", "bigh"} {
		if !n.AddService(d, service{}) {
			t.Fatal(d)
		}
	}
	for host, want := range map[string][]string{
		"h": {"a.h", "far.example", "muc.h", "vjud.h", "x.y.h"}, "sub.h": {"muc.sub.h"}, "other": {"muc.other"},
	} {
		items := ""
		for _, d := range want {
			items += `<item jid='` + d + `'/>`
		}
		if got := ask(t, n, "alice@h/r", host, "get", nsItems, ""); got != query(nsItems, "", items) {
			t.Errorf("%s: %s", host, got)
		}
	}
}

// Contact addresses are part of the host's info if they are for all.
//
//option:mod_disco server_info
func TestServerInfo(t *testing.T) {
	n := moduletest.New(t)
	m := &Module{Options: options(t, `[{server_info, [
		{all, "abuse-addresses", ["mailto:a@h", "xmpp:a@h"]}, {[mod_muc], "admin-addresses", ["mailto:m@h"]}, {[mod_muc, mod_pubsub], "sales-addresses", []}]}]`)}
	m.Register(n.Host)
	const (
		form  = `<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>http://jabber.org/network/serverinfo</value></field>`
		abuse = `<field var='abuse-addresses'><value>mailto:a@h</value><value>xmpp:a@h</value></field>`
	)
	base := identity + features(nsInfo, nsItems, "iq", "presence", "presence-invisible")
	if got, want := ask(t, n, "alice@h/r", "h", "get", nsInfo, ""), query(nsInfo, "", base+form+abuse+`</x>`); got != want {
		t.Errorf("info %s\nwant %s", got, want)
	}
	if got := ask(t, n, "alice@h/r", "h", "get", nsItems, ""); strings.Contains(got, "abuse") {
		t.Errorf("items %s", got)
	}
	muc := string(m.serverInfo("mod_muc").AppendTo(nil, ""))
	if want := form + abuse + `<field var='admin-addresses'><value>mailto:m@h</value></field><field var='sales-addresses'/></x>`; muc != want {
		t.Errorf("form of mod_muc %s\nwant %s", muc, want)
	}
	if (&Module{}).serverInfo("") != nil {
		t.Error("a form without fields")
	}
}

func TestAccount(t *testing.T) {
	tests := []struct {
		name     string
		from     string
		roster   *router.Contact // what alice@h has for bob@h
		features []string        // of a module
		found    bool            // a module knows the account
		typ, ns  string
		want     string
	}{
		{"own", "bob@h/r", nil, []string{"urn:b", "urn:a", "urn:b"}, true, "get", nsInfo, query(nsInfo, "", `<identity category='account' type='registered'/>`+features("urn:a", "urn:b"))},
		{"own, no features", "bob@h/r", nil, nil, false, "get", nsInfo, notFound},
		{"own items", "bob@h/r", nil, nil, false, "get", nsItems, notFound},
		{"own items of a module", "bob@h/r", nil, nil, true, "get", nsItems, query(nsItems, "", "")},
		{"set", "bob@h/r", nil, nil, true, "set", nsInfo, notAllowed},
		{"stranger", "alice@h/r", nil, []string{"urn:a"}, true, "get", nsInfo, unavailable},
		{"contact without a subscription", "alice@h/r", &router.Contact{}, []string{"urn:a"}, true, "get", nsInfo, unavailable},
		{"contact", "alice@h/r", &router.Contact{To: true}, []string{"urn:a"}, true, "get", nsInfo, query(nsInfo, "", `<identity category='account' type='registered'/>`+features("urn:a"))},
		{"contact the other way", "alice@h/r", &router.Contact{From: true}, []string{"urn:a"}, true, "get", nsInfo, query(nsInfo, "", `<identity category='account' type='registered'/>`+features("urn:a"))},
		{"contact, no features", "alice@h/r", &router.Contact{To: true}, nil, false, "get", nsInfo, notAllowed},
		{"of another host", "alice@other/r", &router.Contact{To: true}, []string{"urn:a"}, true, "get", nsInfo, unavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := moduletest.New(t)
			(&Module{}).Register(n.Host)
			n.Host.Hooks.Disco.Add(50, "m", func(_ *router.Turn, q *router.DiscoQuery) {
				if q.Table == router.AccountTable {
					q.Found = tt.found
					q.Features = append(q.Features, tt.features...)
				}
			})
			n.Host.Hooks.ContactOf.Add(50, "m", func(_ context.Context, user, contact jid.JID) (router.Contact, bool) {
				if tt.roster == nil || user.String() != "alice@h" || contact.String() != "bob@h" {
					return router.Contact{}, false
				}
				return *tt.roster, true
			})
			if got := ask(t, n, tt.from, "bob@h", tt.typ, tt.ns, ""); got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
		})
	}
	t.Run("remote sender", func(t *testing.T) {
		n := moduletest.New(t)
		(&Module{}).Register(n.Host)
		s := &answers{}
		n.AddService("far", s)
		n.Send(`<iq from='bob@far/r' to='bob@h' type='get' id='1'><query xmlns='` + nsInfo + `'/></iq>`)
		if len(s.got) != 1 || s.got[0].Stanza.Type != "error" {
			t.Errorf("answers %v", s.got)
		}
	})
	t.Run("account that does not exist", func(t *testing.T) {
		n := moduletest.New(t)
		(&Module{}).Register(n.Host)
		n.Host.Hooks.Disco.Add(50, "m", func(_ *router.Turn, q *router.DiscoQuery) { q.Found = true })
		if got := ask(t, n, "ghost@h/r", "ghost@h", "get", nsInfo, ""); got != query(nsInfo, "", "") {
			t.Errorf("got %s", got)
		}
	})
}

type answers struct{ got []router.Packet }

func (a *answers) Route(_ *router.Turn, p router.Packet) { a.got = append(a.got, p) }
