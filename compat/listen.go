package compat

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"meerkat/cfgterm"
	"meerkat/cfgterm/diag"
	"meerkat/cfgterm/schema"
)

const entryForm = "write {PORT, MODULE, [OPTION, ...]}"

// listenTerm takes the listen term that counts.
func (l *loader) listenTerm() {
	if l.listen == nil {
		return
	}
	list, ok := l.listen.value.(*cfgterm.List)
	if !ok || list.Tail != nil {
		if cfgterm.IsNil(l.listen.value) {
			return
		}
		l.errorf("LSN007", l.listen.value.Span(), "write {listen, [{5222, ejabberd_c2s, [...]}]}", "the value of listen must be a list of entries")
		return
	}
	var normalised []cfgterm.Term
	for i, e := range list.Elems {
		entry, term, ok := l.entry(i, e)
		if !ok {
			continue
		}
		normalised = append(normalised, term)
		l.start(entry)
	}
	l.cfg.stored = append(l.cfg.stored, stored{"local", atom("listen"), &cfgterm.List{Elems: normalised}})
	l.overlaps()
}

// entry is one clause of the listen term before its options are read.
type entry struct {
	Listener
	module cfgterm.Term
	opts   cfgterm.Term
}

// entry normalises one element of the list: address options go, the address and
// protocol are settled.
func (l *loader) entry(i int, e cfgterm.Term) (entry, cfgterm.Term, bool) {
	elems, ok := cfgterm.TupleOf(e, 3)
	if !ok {
		help := entryForm
		if t, isTuple := e.(*cfgterm.Tuple); isTuple && len(t.Elems) == 2 {
			help = "add a list of options, [] for none: " + entryForm
		}
		l.errorf("LSN001", e.Span(), help, "entry %d of listen is not a tuple of three: port, module, options", i+1)
		return entry{}, nil, false
	}
	en := entry{Listener: Listener{Proto: "tcp", Span: e.Span()}, module: elems[1], opts: elems[2]}
	if en.Module, ok = cfgterm.AtomName(elems[1]); !ok {
		help := entryForm
		if s, ok := cfgterm.Text(elems[1]); ok && s != "" {
			help = "write " + cfgterm.FormatAtom(s) + " without quotes"
		}
		l.errorf("LSN001", elems[1].Span(), help, "the module of entry %d of listen must be an atom", i+1)
		return entry{}, nil, false
	}
	opts, ok := cfgterm.Items(elems[2])
	if s, text := elems[2].(*cfgterm.String); !ok || text && s.Text != "" {
		l.errorf("LSN001", elems[2].Span(), "write [] for no options", "the options of entry %d of listen must be a list", i+1)
		return entry{}, nil, false
	}
	// The address options.
	var ip, proto cfgterm.Term
	inet6 := false
	var clean []cfgterm.Term
	for _, o := range opts {
		if cfgterm.IsAtom(o, "inet6") {
			inet6 = true
			continue
		}
		if kv, ok := cfgterm.TupleOf(o, 2); ok {
			switch {
			case cfgterm.IsAtom(kv[0], "ip"):
				if ip == nil {
					ip = kv[1]
				} else {
					l.warnf("LSN013", o.Span(), "remove one of them", "option ip is written twice: the first one counts")
				}
				continue
			case cfgterm.IsAtom(kv[0], "proto") && proto == nil:
				proto = kv[1]
			}
		}
		clean = append(clean, o)
	}
	en.clean = clean
	addr := netip.IPv4Unspecified()
	if inet6 {
		addr = netip.IPv6Unspecified()
	}
	if ip != nil {
		if addr, ok = schema.Address(ip); !ok {
			l.errorf("LSN002", ip.Span(), "write {127,0,0,1} or \"127.0.0.1\"", "ip of entry %d of listen is no IP address", i+1)
			return entry{}, nil, false
		}
	}
	// The port, and what stands beside it.
	port, at := elems[0], elems[0]
	if tup, ok := elems[0].(*cfgterm.Tuple); ok {
		if len(tup.Elems) != 2 && len(tup.Elems) != 3 {
			l.errorf("LSN002", at.Span(), "write PORT, {PORT, PROTOCOL}, {PORT, ADDRESS} or {PORT, ADDRESS, PROTOCOL}", "the port of entry %d of listen cannot be read", i+1)
			return entry{}, nil, false
		}
		port = tup.Elems[0]
		second := tup.Elems[1]
		if _, isAtom := cfgterm.AtomName(second); isAtom && len(tup.Elems) == 2 {
			proto = second
		} else {
			given, ok := schema.Address(second)
			if !ok {
				l.errorf("LSN002", second.Span(), "write {127,0,0,1} or \"127.0.0.1\"; names are not looked up", "the address of entry %d of listen is no IP address", i+1)
				return entry{}, nil, false
			}
			if ip != nil && given != addr {
				l.warnf("LSN009", ip.Span(), "remove it", "option ip has no effect: the address %s beside the port counts", given)
			} else if inet6 && given.Is4() {
				l.warnf("LSN009", e.Span(), "remove inet6", "inet6 has no effect: the address %s beside the port counts", given)
			}
			addr = given
			if len(tup.Elems) == 3 {
				proto = tup.Elems[2]
			}
		}
	}
	n, isInt := port.(*cfgterm.Int)
	if !isInt || n.Big != nil || n.N < 0 || n.N > 65535 {
		help := "write a number from 0 to 65535"
		if s, ok := cfgterm.Text(port); ok && s != "" {
			help = "write the number without quotes"
		}
		l.errorf("LSN002", port.Span(), help, "the port of entry %d of listen must be an integer from 0 to 65535", i+1)
		return entry{}, nil, false
	}
	en.Addr = netip.AddrPortFrom(addr, uint16(n.N))
	if proto != nil {
		name, ok := cfgterm.AtomName(proto)
		switch {
		case ok && slices.Contains([]string{"tcp", "udp", "ws", "wss"}, name):
			en.Proto = name
		default:
			l.warnf("LSN005", proto.Span(), "write tcp, udp, ws or wss, or leave it out", "the protocol of entry %d of listen is unknown: tcp is used", i+1)
		}
	}
	term := tuple(tuple(n, addressTerm(addr), atom(en.Proto)), elems[1], &cfgterm.List{Elems: clean})
	return en, term, true
}

func atom(name string) *cfgterm.Atom             { return &cfgterm.Atom{Name: name} }
func tuple(elems ...cfgterm.Term) *cfgterm.Tuple { return &cfgterm.Tuple{Elems: elems} }
func binary(s string) *cfgterm.Binary            { return &cfgterm.Binary{Bytes: []byte(s)} }
func list(elems ...cfgterm.Term) *cfgterm.List   { return &cfgterm.List{Elems: elems} }
func integer(n int64) *cfgterm.Int               { return &cfgterm.Int{N: n} }
func isWild(a netip.AddrPort) bool               { return a.Addr().IsUnspecified() }
func sameFamily(a, b netip.AddrPort) bool        { return a.Addr().Is4() == b.Addr().Is4() }

// addressTerm is an address as the tuple that Erlang has for it.
func addressTerm(a netip.Addr) cfgterm.Term {
	t := &cfgterm.Tuple{}
	if a.Is4() {
		for _, b := range a.As4() {
			t.Elems = append(t.Elems, integer(int64(b)))
		}
		return t
	}
	b := a.As16()
	for i := 0; i < 16; i += 2 {
		t.Elems = append(t.Elems, integer(int64(b[i])<<8|int64(b[i+1])))
	}
	return t
}

// start reads the options of a clause and puts it among the listeners, unless
// another one has its address.
func (l *loader) start(en entry) {
	for i := range l.cfg.Listeners {
		other := &l.cfg.Listeners[i]
		if other.Addr == en.Addr && other.Proto == en.Proto && en.Addr.Port() != 0 {
			l.add(diag.Diagnostic{
				Severity: diag.Warning, Code: "LSN006", Span: en.Span,
				Summary: fmt.Sprintf("another entry has %s, %s: this one is left out", en.Addr, en.Proto),
				Help:    "give one of them another port",
				Related: []diag.Related{{Span: other.Span, Text: "this entry is used"}},
			})
			return
		}
	}
	b, ok := l.listenerTable(en.module)
	if !ok {
		return
	}
	ctx := l.context("")
	ctx.Proto = en.Proto
	opts := &cfgterm.List{Node: cfgterm.Node{At: en.opts.Span()}, Elems: en.clean}
	v, res := b.Table.DecodeAny(ctx, opts)
	if !b.Served {
		// What is wrong in it is worth saying; what would be missing in it is not.
		res.Diags = slices.DeleteFunc(res.Diags, func(d diag.Diagnostic) bool {
			return d.Severity == diag.Info || strings.HasPrefix(d.Code, "BLD")
		})
		l.take(res, "")
		l.add(schema.Missing(l.o.AllowMissing, schema.CodeMissingListener, en.module.Span(),
			fmt.Sprintf("the listener %s (%s)", en.Module, en.Addr), ""))
		return
	}
	l.take(res, "")
	en.Options, en.Origins = v, res.Origins
	l.cfg.Listeners = append(l.cfg.Listeners, en.Listener)
}

// take keeps what a decoding found out. host is the host that asks for the names
// in it; "": all.
func (l *loader) take(res *schema.Result, host string) {
	l.diags = append(l.diags, res.Diags...)
	for _, r := range res.Refs {
		l.refs = append(l.refs, scopedRef{r, host})
	}
	l.services = append(l.services, res.Services...)
}

// listenerTable finds the builtin that an entry names, or says why there is none.
func (l *loader) listenerTable(t cfgterm.Term) (*Builtin, bool) {
	b, d := l.lookup(schema.Listener, t)
	if d != nil {
		l.add(*d)
	}
	return b, b != nil
}

// lookup finds the builtin of a kind that a term names. Without one there is a
// diagnostic.
func (l *loader) lookup(kind schema.Kind, t cfgterm.Term) (*Builtin, *diag.Diagnostic) {
	var bs []Builtin
	var others map[string]elsewhere
	code, missing := "LSN003", schema.CodeMissingListener
	switch kind {
	case schema.Listener:
		bs, others = l.o.Builtins.Listeners, otherListeners
	case schema.Handler:
		bs, others, missing = l.o.Builtins.Handlers, otherHandlers, schema.CodeMissingHandler
	default:
		bs, others, code, missing = l.o.Builtins.Modules, otherModules, "MOD003", schema.CodeMissingModule
	}
	name, ok := cfgterm.AtomName(t)
	if !ok {
		return nil, &diag.Diagnostic{
			Severity: diag.Error, Code: code, Span: t.Span(),
			Summary: fmt.Sprintf("the name of a %s must be an atom", kind), Help: "write it without quotes",
		}
	}
	if b := find(bs, name); b != nil {
		return b, nil
	}
	if slices.Contains(Documented(kind), name) {
		d := schema.Missing(l.o.AllowMissing, missing, t.Span(), fmt.Sprintf("the %s %s", kind, name), "")
		return nil, &d
	}
	d := diag.Diagnostic{Severity: diag.Error, Code: code, Span: t.Span(), Summary: fmt.Sprintf("there is no %s %s", kind, name)}
	if e, ok := others[name]; ok {
		d.Summary = fmt.Sprintf("there is no %s %s: it belongs to %s", kind, name, e.from)
		d.Help = e.help()
	} else if near := schema.Nearest(name, append(Documented(kind), names(bs)...)); near != "" {
		d.Help = "did you mean " + near + "?"
	} else if kind == schema.Module {
		d.Help = "modules written in Erlang cannot be loaded"
		if !l.o.AllowMissing {
			d.Help += "; --allow-missing-modules starts without it"
		}
	} else {
		d.Help = fmt.Sprintf("the %ss are %s", kind, quoteAll(Documented(kind)))
	}
	if l.o.AllowMissing {
		d.Severity = diag.Warning
		d.Summary += ": left out"
	}
	return nil, &d
}

// findTable is schema.Context.Find.
func (l *loader) findTable(kind schema.Kind, t cfgterm.Term) (schema.Schema, *diag.Diagnostic) {
	b, d := l.lookup(kind, t)
	if b == nil {
		return nil, d
	}
	if !b.Served {
		d := schema.Missing(l.o.AllowMissing, map[schema.Kind]string{
			schema.Listener: schema.CodeMissingListener, schema.Handler: schema.CodeMissingHandler,
		}[kind], t.Span(), fmt.Sprintf("the %s %s", kind, b.Table.TableName()), "")
		return nil, &d
	}
	return b.Table, nil
}

// overlaps reports entries that cannot both be bound: one has all addresses of a
// family, the other one of them.
func (l *loader) overlaps() {
	ls := l.cfg.Listeners
	for i := range ls {
		for j := range ls[:i] {
			a, b := &ls[j], &ls[i]
			if a.Addr.Port() != b.Addr.Port() || a.Addr.Port() == 0 || a.Proto == "udp" || b.Proto == "udp" ||
				!sameFamily(a.Addr, b.Addr) || a.Addr == b.Addr && a.Proto == b.Proto || !isWild(a.Addr) && !isWild(b.Addr) && a.Addr != b.Addr {
				continue
			}
			l.add(diag.Diagnostic{
				Severity: diag.Error, Code: "LSN008", Span: b.Span,
				Summary: fmt.Sprintf("%s and %s cannot listen side by side", b.Addr, a.Addr),
				Help:    "give one of them another port, or each an address of its own",
				Related: []diag.Related{{Span: a.Span, Text: "the other entry"}},
			})
		}
	}
}
