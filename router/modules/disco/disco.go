// Package disco tells what the server, its services and its accounts can do: it is
// mod_disco of MongooseIM 2.0.1 (XEP-0030, XEP-0157).
//
// Deviations: server_info is sent, as documented (2.0.1 never did); extra_domains may
// be strings (2.0.1 ended the session of whoever asked).
//
// It imports router and what lies below it, and cfgterm/schema for its options.
package disco

import (
	"slices"
	"strings"

	"meerkat/cfgterm/schema"
	"meerkat/router"
	"meerkat/router/stanza"
	"meerkat/router/xml"
)

const (
	nsInfo  = "http://jabber.org/protocol/disco#info"
	nsItems = "http://jabber.org/protocol/disco#items"
	nsData  = "jabber:x:data"
	// nsServerInfo is the form of XEP-0157.
	nsServerInfo = "http://jabber.org/network/serverinfo"
	module       = "mod_disco"
)

// Options are the settings of mod_disco.
type Options struct {
	// IQDisc is how disco queries are processed.
	IQDisc schema.IQDisc
	// ExtraDomains are further items of the host.
	ExtraDomains []string
	// ServerInfo are the contact addresses of XEP-0157.
	ServerInfo []ServerInfo
}

// ServerInfo is one field of the contact addresses for services of the server.
type ServerInfo struct {
	// Modules are the modules in whose service the field is shown; just "all"
	// means every service and the host itself.
	Modules []string
	Field   string // "abuse-addresses"
	Values  []string
}

// Table returns the option table of mod_disco.
func Table() *schema.Table[Options] { return table }

var serverInfo = schema.Tuple(
	schema.Elem("Modules", schema.Either(
		schema.Convert(schema.Enum("all"), func(string) ([]string, error) { return []string{"all"}, nil }),
		schema.List(schema.Atom()),
	), func(i *ServerInfo) *[]string { return &i.Modules }),
	schema.Elem("Field", schema.Text(), func(i *ServerInfo) *string { return &i.Field }),
	schema.Elem("Values", schema.List(schema.Text()), func(i *ServerInfo) *[]string { return &i.Values }),
)

var table = &schema.Table[Options]{
	Name: module,
	Kind: schema.Module,
	Doc:  "Answers service discovery (XEP-0030): features of the server, its services, and of accounts.",
	Options: []schema.Option[Options]{
		schema.IQDiscOption("one_queue", func(o *Options) *schema.IQDisc { return &o.IQDisc }),
		{
			Name: "extra_domains", Value: schema.Field(schema.List(schema.Text()), func(o *Options) *[]string { return &o.ExtraDomains }),
			Default: "[]", Example: `["conference.example.org"]`,
			Doc: "Domains that are listed among the services of every host, whether they exist or not. 2.0.1 took " +
				"binaries only: with strings it ended the session of whoever asked.",
			Since: "1.2.2", TOML: "extra_domains", Effect: schema.OnReload, Bad: schema.Ignored,
		},
		{
			Name: "server_info", Value: schema.Field(schema.List(serverInfo), func(o *Options) *[]ServerInfo { return &o.ServerInfo }),
			Default: "[]", Example: `[{all, "abuse-addresses", ["mailto:abuse@example.org"]}]`,
			Doc: "Contact addresses (XEP-0157) as {Modules, Field, Values}: Modules is all, or a list of the modules " +
				"in whose service the field is shown. 2.0.1 never sent them.",
			Since: "1.2.2", TOML: "server_info", Effect: schema.OnReload, Bad: schema.Ignored,
		},
	},
}

// A Module answers disco queries for one host.
type Module struct {
	Options Options

	host *router.Host
}

// Register adds the module to a host.
func (m *Module) Register(h *router.Host) {
	m.host = h
	d := router.DisciplineOf(m.Options.IQDisc)
	h.IQ(router.ServerTable, nsInfo, d, m.server)
	h.IQ(router.ServerTable, nsItems, d, m.server)
	h.IQ(router.AccountTable, nsInfo, d, m.account)
	h.IQ(router.AccountTable, nsItems, d, m.account)
	h.Feature("iq", "presence", "presence-invisible")
}

// query reads a request and lets the modules add to the answer.
func (m *Module) query(t *router.Turn, req *router.Request, table router.Table) (*router.DiscoQuery, *xml.Element) {
	el := req.Stanza.Element().First()
	q := &router.DiscoQuery{Packet: req.Packet, Table: table, Items: el.Space == nsItems, Node: el.Attr("node")}
	reply := xml.New(el.Space, "query")
	if q.Node != "" {
		reply.Set("node", q.Node)
	}
	return q, reply
}

func (m *Module) run(t *router.Turn, q *router.DiscoQuery) {
	for _, fn := range m.host.Hooks.Disco.All() {
		fn(t, q)
	}
}

// server answers for the host.
func (m *Module) server(t *router.Turn, req *router.Request) (*stanza.Stanza, error) {
	if req.IsSet() {
		return nil, stanza.NotAllowed
	}
	q, reply := m.query(t, req, router.ServerTable)
	if q.Node == "" {
		q.Found = true
		if q.Items {
			for _, d := range m.domains() {
				q.Children = append(q.Children, xml.New(nsItems, "item").Set("jid", d))
			}
		} else {
			q.Children = append(q.Children, xml.New(nsInfo, "identity").
				Set("category", "server").Set("type", "im").Set("name", "MongooseIM"))
			q.Features = append(q.Features, m.host.Features()...)
		}
	}
	m.run(t, q)
	if !q.Found {
		return nil, stanza.ItemNotFound
	}
	finish(q, reply)
	if !q.Items && q.Node == "" {
		if form := m.serverInfo(""); form != nil {
			reply.Add(form)
		}
	}
	return stanza.Result(req.Stanza, reply), nil
}

// finish puts the children and the features, sorted and each once, into the reply.
func finish(q *router.DiscoQuery, reply *xml.Element) {
	reply.Add(q.Children...)
	if q.Items {
		return
	}
	slices.Sort(q.Features)
	for _, f := range slices.Compact(q.Features) {
		reply.Add(xml.New(nsInfo, "feature").Set("var", f))
	}
}

// domains returns the services of the host: those whose nearest served parent it
// is, and the extra ones.
func (m *Module) domains() []string {
	list := slices.Clone(m.Options.ExtraDomains)
	r := m.host.Router()
	for _, d := range r.Services() {
		nearest := ""
		for _, h := range r.Hosts() {
			if strings.HasSuffix(d, "."+h.Name) && len(h.Name) > len(nearest) {
				nearest = h.Name
			}
		}
		if nearest == m.host.Name {
			list = append(list, d)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// serverInfo returns the form of XEP-0157 for the host (module "") or for a
// service, or nil.
func (m *Module) serverInfo(module string) *xml.Element {
	form := xml.New(nsData, "x").Set("type", "result").Add(
		field("FORM_TYPE", nsServerInfo).Set("type", "hidden"))
	n := 0
	for _, i := range m.Options.ServerInfo {
		all := len(i.Modules) == 1 && i.Modules[0] == "all"
		if all || module != "" && slices.Contains(i.Modules, module) {
			form.Add(field(i.Field, i.Values...))
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return form
}

func field(name string, values ...string) *xml.Element {
	f := xml.New(nsData, "field").Set("var", name)
	for _, v := range values {
		f.Add(xml.New(nsData, "value").SetText(v))
	}
	return f
}

// account answers for an account: to itself, and to whom its roster holds in
// theirs.
func (m *Module) account(t *router.Turn, req *router.Request) (*stanza.Stanza, error) {
	if req.IsSet() {
		return nil, stanza.NotAllowed
	}
	own := req.From.Bare() == req.To.Bare()
	if !own && !m.knows(t, req) {
		return nil, stanza.ServiceUnavailable
	}
	q, reply := m.query(t, req, router.AccountTable)
	m.run(t, q)
	if !q.Items && m.host.Exists(t, req.To) {
		q.Children = append([]*xml.Element{xml.New(nsInfo, "identity").
			Set("category", "account").Set("type", "registered")}, q.Children...)
	}
	if !q.Found && len(q.Features) == 0 {
		if own {
			return nil, stanza.ItemNotFound
		}
		return nil, stanza.NotAllowed
	}
	finish(q, reply)
	return stanza.Result(req.Stanza, reply), nil
}

// knows reports whether the sender's roster holds the account with a
// subscription.
func (m *Module) knows(t *router.Turn, req *router.Request) bool {
	from := m.host.Router().Host(req.From.Domain())
	if from == nil {
		return false
	}
	for _, fn := range from.Hooks.ContactOf.All() {
		if c, ok := fn(t, req.From.Bare(), req.To.Bare()); ok {
			return c.From || c.To
		}
	}
	return false
}
