package schema

import (
	"errors"
	"fmt"
	"strings"

	"meerkat/cfgterm"
	"meerkat/cfgterm/diag"
)

// Defaults says which defaults absent options take.
type Defaults uint8

const (
	// Documented: what the documentation of 2.0.1 says.
	Documented Defaults = iota
	// Source: what the source of 2.0.1 did ("--defaults source").
	Source
)

// RefKind says what a name in an option refers to.
type RefKind uint8

const (
	// RefAccess: an access rule with values allow and deny.
	RefAccess RefKind = iota + 1
	// RefValue: an access rule with other values.
	RefValue
	// RefShaperRule: an access rule whose values are names of shapers.
	RefShaperRule
	// RefShaper: a shaper.
	RefShaper
)

// String names what is referred to: "access rule", "shaper".
func (k RefKind) String() string {
	if k == RefShaper {
		return "shaper"
	}
	return "access rule"
}

// builtin reports whether name needs no definition.
func (k RefKind) builtin(name string) bool {
	return name == "none" || name == "all" && k != RefShaper
}

// A Ref is a name in the options that the file has to define elsewhere.
type Ref struct {
	Kind   RefKind
	Name   string
	Span   diag.Span
	Option string // "access"
	Owner  string // "ejabberd_c2s"
}

// A Context is the circumstances of a decoding. The zero Context takes documented
// defaults, defines every name and checks no files.
type Context struct {
	// Defaults says which defaults absent options take.
	Defaults Defaults
	// AllowMissing makes what this build does not serve a warning.
	AllowMissing bool
	// Host is the virtual host that @HOST@ stands for.
	Host string
	// Defined reports whether the file defines a name, for every host that could
	// ask for it. A default with a name that is not defined falls back to the
	// default of 2.0.1's source.
	Defined func(Ref) bool
	// Inherit holds the top-level options that are defaults of others.
	Inherit map[string]cfgterm.Term
	// Proto is the protocol of the listener that the options belong to: "tcp",
	// "udp", "ws" or "wss"; empty if they belong to none.
	Proto string
	// DomainCerts says that every host has a certificate of its own, so that a
	// listener can offer STARTTLS without one.
	DomainCerts bool
	// Readable returns nil if the path is a readable regular file.
	Readable func(path string) error
	// Certificate says what is wrong with a readable PEM file that has to hold a
	// certificate and its key, in sentences without full stop.
	Certificate func(path string) []string
	// Find returns the table of an HTTP module or listener that stands inside of
	// an option, or nil and the diagnostic that says why there is none. A
	// diagnostic beside a table is only reported.
	Find func(kind Kind, name cfgterm.Term) (Schema, *diag.Diagnostic)
}

// From says where a value comes from.
type From uint8

const (
	// FromFile: it is written at Origin.Span.
	FromFile From = iota + 1
	// FromTop: it is that of the top-level option Origin.Written, at Origin.Span.
	FromTop
	// FromDefault: it is the documented default, which 2.0.1 had too.
	FromDefault
	// FromDocument: it is the documented default; 2.0.1 took another.
	FromDocument
	// FromSource: it is the default of 2.0.1's source, because of --defaults
	// source or because the documented one names something undefined.
	FromSource
	// FromNothing: the option is absent and has no default.
	FromNothing
)

// String says it in words: "documented default".
func (f From) String() string {
	switch f {
	case FromFile:
		return "file"
	case FromTop:
		return "top level"
	case FromDefault:
		return "default"
	case FromDocument:
		return "documented default"
	case FromSource:
		return "default of 2.0.1"
	default:
		return "not set"
	}
}

// An Origin tells of one option what counts and why.
type Origin struct {
	Option  string // name in the table
	Written string // the spelling in the file, if that is another
	From    From
	Span    diag.Span // of the whole element, with FromFile
	Value   string    // as a term, secrets hidden; "" if the option is not set
	Nested  []Origin  // of a value that is a list of options
}

// A Service is a domain that a module serves.
type Service struct {
	Domain string
	Owner  string
	Span   diag.Span // without a place if it is a default
}

// A Result is what a decoding found out beside the values.
type Result struct {
	Diags   diag.List
	Origins []Origin // one for each option, in the order of the table
	Refs    []Ref    // names that the file must define; not those of defaults

	// Services are the domains that the owner serves, defaults included.
	Services []Service

	named map[string]bool
	at    diag.Span // of the list of options
}

func (res *Result) merge(o *Result) {
	res.Diags = append(res.Diags, o.Diags...)
	res.Refs = append(res.Refs, o.Refs...)
	res.Services = append(res.Services, o.Services...)
}

// missing reports a feature that this build lacks.
func (res *Result) missing(ctx *Context, code string, at diag.Span, what, help string) {
	res.Diags.Add(Missing(ctx.AllowMissing, code, at, what, help))
}

// Missing is the diagnostic for something of the reference that this build does not
// serve: an error, or a warning if allowed. what is a noun phrase ("option zlib of
// ejabberd_c2s"); help may be empty.
func Missing(allowed bool, code string, at diag.Span, what, help string) diag.Diagnostic {
	d := diag.Diagnostic{Code: code, Span: at}
	if allowed {
		d.Severity = diag.Warning
		d.Summary = "this build does not serve " + what + ": left out"
		d.Help = help
		return d
	}
	d.Severity = diag.Error
	d.Summary = "this build does not serve " + what
	d.Help = "remove it, or start with --allow-missing-modules to run without it"
	if help != "" {
		d.Help = help + "\n" + d.Help
	}
	return d
}

// occurrence is an option as it stands in the list.
type occurrence struct {
	name  string       // as written
	elem  cfgterm.Term // the whole element
	value cfgterm.Term
}

// owner is the name of the owner in diagnostics, "" at the top level.
func (t *Table[T]) owner() string {
	if t.Plain {
		return ""
	}
	return t.Name
}

// of names an option with its owner; the top level owns without being named.
func (t *Table[T]) of(option string) string {
	if t.Plain {
		return option
	}
	return option + " of " + t.Name
}

// Decode reads a list of options. It returns the settings, with defaults for what
// is absent or skipped, and the Result; both are never nil. Values that the list
// gives wrongly are reported in Result.Diags.
func (t *Table[T]) Decode(ctx *Context, opts cfgterm.Term) (*T, *Result) {
	if ctx == nil {
		ctx = &Context{}
	}
	return t.decode(ctx, opts, t.Kind)
}

func (t *Table[T]) decode(ctx *Context, opts cfgterm.Term, kind Kind) (*T, *Result) {
	v, res := new(T), &Result{named: map[string]bool{}, at: opts.Span()}
	c := codesOf(kind)
	if t.Whole.set != nil {
		r := &Reader{ctx: ctx, res: res, kind: kind, owner: t.owner(), option: "the options"}
		if err := t.Whole.set(r, v, opts); err != nil {
			t.report(r, kind, t.WholeDoc, opts, err)
		}
		shown := opts
		if t.Whole.mask != nil {
			shown = t.Whole.mask(opts)
		}
		res.Origins = append(res.Origins, Origin{
			Option: t.WholeDoc.Name, From: FromFile, Span: opts.Span(), Value: cfgterm.Format(shown), Nested: r.nested,
		})
		t.check(ctx, v, res, opts.Span())
		return v, res
	}
	items, ok := cfgterm.Items(opts)
	if s, str := opts.(*cfgterm.String); str && s.Text != "" {
		items, ok = nil, false
	}
	if !ok {
		res.Diags.Add(diag.Diagnostic{
			Severity: diag.Error, Code: c.notAList, Span: opts.Span(),
			Summary: fmt.Sprintf("the options of %s must be a list, not %s", t.Name, kindOf(opts)),
			Help:    "write [] for no options",
		})
		items = nil
	}
	found := t.collect(res, items, c)
	for i := range t.Options {
		o := &t.Options[i]
		t.option(ctx, v, res, o, found[o], kind)
	}
	t.check(ctx, v, res, opts.Span())
	return v, res
}

func (t *Table[T]) check(ctx *Context, v *T, res *Result, at diag.Span) {
	if t.Check != nil {
		t.Check(v, &Check{ctx: ctx, res: res, list: at})
	}
}

// collect sorts the elements of the list by option and reports those that belong
// to none.
func (t *Table[T]) collect(res *Result, items []cfgterm.Term, c codes) map[*Option[T]]*occurrence {
	found := map[*Option[T]]*occurrence{}
	for _, elem := range items {
		occ := &occurrence{elem: elem}
		key := elem
		tup, isTuple := elem.(*cfgterm.Tuple)
		if isTuple && len(tup.Elems) > 0 {
			key = tup.Elems[0]
		}
		name, ok := keyName(key)
		if !ok || isTuple && len(tup.Elems) == 0 {
			res.Diags.Add(diag.Diagnostic{
				Severity: diag.Warning, Code: c.unknown, Span: elem.Span(),
				Summary: fmt.Sprintf("%s in the options of %s is no option: ignored", kindOf(elem), t.Name),
				Help:    "an option is an atom or a tuple that begins with its name",
			})
			continue
		}
		if !isTuple || key == elem {
			tup = nil
		}
		occ.name = name
		o := t.find(name)
		if o == nil {
			t.unknown(res, elem, key, name, c)
			continue
		}
		res.named[o.Name] = true
		if !t.form(res, o, occ, tup, c) {
			continue
		}
		first := found[o]
		switch {
		case first == nil:
			found[o] = occ
		case first.name != o.Name && occ.name == o.Name:
			// The name of the source wins over the documented one.
			found[o] = occ
			t.doubled(res, first, occ, c)
		default:
			t.doubled(res, occ, first, c)
		}
	}
	for i := range t.Options {
		o := &t.Options[i]
		occ := found[o]
		if occ == nil || occ.name == o.Name {
			continue
		}
		res.Diags.Add(diag.Diagnostic{
			Severity: diag.Info, Code: c.synonym, Span: occ.elem.Span(),
			Summary: fmt.Sprintf("%s is taken as %s; 2.0.1 did not read it under that name", t.of(occ.name), o.Name),
			Help:    "write " + o.Name,
		})
	}
	return found
}

func (t *Table[T]) doubled(res *Result, loser, winner *occurrence, c codes) {
	why := "the first one counts"
	if loser.name != winner.name {
		why = winner.name + " counts"
	}
	res.Diags.Add(diag.Diagnostic{
		Severity: diag.Warning, Code: c.double, Span: loser.elem.Span(),
		Summary: fmt.Sprintf("option %s of %s has no effect: %s", loser.name, t.Name, why),
		Help:    "remove one of them",
		Related: []diag.Related{{Span: winner.elem.Span(), Text: "this one counts"}},
	})
}

// form checks how the option is written and fills occ.value.
func (t *Table[T]) form(res *Result, o *Option[T], occ *occurrence, tup *cfgterm.Tuple, c codes) bool {
	wrong := func(help string) bool {
		res.Diags.Add(diag.Diagnostic{
			Severity: diag.Warning, Code: c.form, Span: occ.elem.Span(),
			Summary: fmt.Sprintf("%s is not written like this: ignored, as 2.0.1 did", occ.name),
			Help:    help,
		})
		return false
	}
	switch {
	case o.Form == Wide:
		if tup == nil || len(tup.Elems) < 2 {
			return wrong("write " + o.entry().Syntax())
		}
		occ.value = occ.elem
	case tup == nil && (o.Form == Bare || t.proplist()):
		occ.value = &cfgterm.Atom{Node: cfgterm.Node{At: occ.elem.Span()}, Name: "true"}
	case tup == nil:
		e := o.entry()
		e.Name = occ.name
		return wrong("write it with a value: " + e.Syntax())
	case o.Form == Bare && !t.proplist():
		if len(tup.Elems) == 2 && cfgterm.IsAtom(tup.Elems[1], "false") {
			return wrong(occ.name + " is an atom that stands alone; to switch it off, leave it out")
		}
		return wrong("write the atom alone: " + occ.name)
	case len(tup.Elems) != 2:
		e := o.entry()
		e.Name = occ.name
		return wrong(fmt.Sprintf("write a tuple of two: %s", e.Syntax()))
	default:
		occ.value = tup.Elems[1]
	}
	return true
}

func (t *Table[T]) unknown(res *Result, elem, key cfgterm.Term, name string, c codes) {
	for i := range t.Foreign {
		f := &t.Foreign[i]
		if f.Name != name {
			continue
		}
		d := diag.Diagnostic{
			Severity: diag.Warning, Code: c.foreign, Span: key.Span(),
			Summary: fmt.Sprintf("option %s of %s belongs to %s: ignored", name, t.Name, f.From),
			Help:    "2.0.1 has nothing that corresponds; remove it",
		}
		if f.Instead != "" {
			d.Help = "in 2.0.1: " + f.Instead
		}
		if f.Refused {
			d.Severity, d.Code = diag.Error, c.refused
			d.Summary = strings.TrimSuffix(d.Summary, ": ignored")
		}
		res.Diags.Add(d)
		return
	}
	d := diag.Diagnostic{
		Severity: diag.Warning, Code: c.unknown, Span: key.Span(),
		Summary: fmt.Sprintf("%s has no option %s: ignored", t.Name, name),
	}
	if t.Strict && key != elem {
		d.Severity, d.Code = diag.Error, c.refused
		d.Summary = strings.TrimSuffix(d.Summary, ": ignored")
	}
	if near := Nearest(name, t.names()); near != "" {
		d.Help = "did you mean " + near + "?"
	} else if len(t.Options) > 0 {
		d.Help = "its options are " + strings.Join(t.names(), ", ")
	} else {
		d.Help = t.Name + " has no options"
	}
	res.Diags.Add(d)
}

// option reads one option, or takes its default.
func (t *Table[T]) option(ctx *Context, v *T, res *Result, o *Option[T], occ *occurrence, kind Kind) {
	c := codesOf(kind)
	if o.Value.loader {
		return
	}
	if occ == nil {
		if o.Required {
			res.Diags.Add(diag.Diagnostic{
				Severity: diag.Error, Code: c.required, Span: res.at, Summary: fmt.Sprintf("%s needs the option %s", t.Name, o.Name),
				Help: "add " + o.entry().Syntax(),
			})
		}
		t.absent(ctx, v, res, o, kind)
		return
	}
	r := &Reader{ctx: ctx, res: res, kind: kind, owner: t.owner(), option: occ.name}
	if o.Unserved != "" {
		// A wrong value is reported all the same; the value is thrown away.
		var scratch T
		if err := o.Value.set(r, &scratch, occ.value); err != nil && !errors.Is(err, errLeftOut) {
			t.report(r, kind, o, occ.value, err)
		} else if err == nil {
			res.missing(ctx, CodeMissingOption, occ.elem.Span(),
				"option "+t.of(occ.name), o.Unserved)
		}
		t.absent(ctx, v, res, o, kind)
		return
	}
	// The value is read into a copy, so that a value that fails half-way leaves
	// nothing behind.
	next := *v
	err := o.Value.set(r, &next, occ.value)
	if err == nil {
		*v = next
		or := Origin{Option: o.Name, From: FromFile, Span: occ.elem.Span(), Value: o.show(occ.value), Nested: r.nested}
		if occ.name != o.Name {
			or.Written = occ.name
		}
		res.Origins = append(res.Origins, or)
		if o.NoEffect != "" && !o.Quiet {
			res.Diags.Add(diag.Diagnostic{
				Severity: diag.Info, Code: c.noEffect, Span: occ.elem.Span(),
				Summary: fmt.Sprintf("option %s has no effect: %s", t.of(occ.name), o.NoEffect),
			})
		}
		return
	}
	if !errors.Is(err, errLeftOut) {
		t.report(r, kind, o, occ.value, err)
		if o.BadTerm != "" {
			if err := o.Value.set(t.trial(ctx, o), v, mustTerm(o.BadTerm)); err != nil {
				panic(fmt.Sprintf("schema: BadTerm of %s, option %s: %v", t.Name, o.Name, err))
			}
			res.Origins = append(res.Origins, Origin{Option: o.Name, From: FromSource, Value: o.BadTerm})
			return
		}
	}
	t.absent(ctx, v, res, o, kind)
}

// trial is a reader whose notes nobody sees.
func (t *Table[T]) trial(ctx *Context, o *Option[T]) *Reader {
	return &Reader{ctx: ctx, res: &Result{}, kind: t.Kind, owner: t.owner(), option: o.Name, trial: true}
}

// absent gives an option its default.
func (t *Table[T]) absent(ctx *Context, v *T, res *Result, o *Option[T], kind Kind) {
	use := func(term string) (ok bool, nested []Origin) {
		r := t.trial(ctx, o)
		next := *v
		err := o.Value.set(r, &next, mustTerm(term))
		if errors.Is(err, errUndefined) {
			return false, nil
		}
		if err != nil {
			panic(fmt.Sprintf("schema: default %s of %s, option %s: %v", term, t.Name, o.Name, err))
		}
		*v = next
		res.Services = append(res.Services, r.res.Services...)
		return true, r.nested
	}
	if term := ctx.Inherit[o.Inherit]; o.Inherit != "" && term != nil {
		next := *v
		if o.Value.set(t.trial(ctx, o), &next, term) == nil {
			*v = next
			res.Origins = append(res.Origins, Origin{
				Option: o.Name, Written: o.Inherit, From: FromTop, Span: term.Span(), Value: o.show(term),
			})
			return
		}
		// The top level has already reported the bad value.
	}
	or := Origin{Option: o.Name, From: FromNothing}
	source := o.Source
	if source == "" {
		source = o.Default
	}
	switch {
	case o.Default == "" && source == "":
	case ctx.Defaults == Documented && o.Default != "":
		if ok, nested := use(o.Default); ok {
			or.From, or.Value, or.Nested = FromDefault, o.Default, nested
			if source != o.Default {
				or.From = FromDocument
				if !o.Quiet {
					res.Diags.Add(diag.Diagnostic{
						Severity: diag.Info, Code: codesOf(kind).differs, Span: res.at,
						Summary: fmt.Sprintf("%s is not given: %s, as documented; 2.0.1 took %s", t.of(o.Name), o.Default, source),
						Help: fmt.Sprintf("write {%s, %s} to keep it so, {%s, %s} for what 2.0.1 did; --defaults source takes all its defaults",
							o.Name, o.Default, o.Name, source),
					})
				}
			}
			break
		}
		fallthrough
	default:
		if ok, nested := use(source); ok {
			or.From, or.Value, or.Nested = FromSource, source, nested
			if source == o.Default {
				or.From = FromDefault
			}
		}
	}
	if o.Secret {
		or.Value = ""
	}
	res.Origins = append(res.Origins, or)
}

// report turns the error of a Type into a diagnostic.
func (t *Table[T]) report(r *Reader, kind Kind, o *Option[T], value cfgterm.Term, err error) {
	if errors.Is(err, errLeftOut) {
		return
	}
	c := codesOf(kind)
	d := diag.Diagnostic{Severity: diag.Warning, Code: c.badValue, Span: value.Span()}
	if o.Bad == Refused {
		d.Severity, d.Code = diag.Error, c.refused
	}
	if o.Code != "" {
		d.Code = o.Code
	}
	hide := o.Secret || o.Value.mask != nil
	var m *mismatch
	switch {
	case !errors.As(err, &m):
		d.Summary = fmt.Sprintf("%s: %v", t.of(r.option), err)
	case m.why != "":
		d.Span = m.at.Span()
		d.Summary = fmt.Sprintf("%s: %s", t.of(r.option), m.why)
	default:
		got := describe(m.at)
		if hide {
			got = kindOf(m.at)
		}
		d.Span = m.at.Span()
		if m.at == value {
			d.Summary = fmt.Sprintf("%s must be %s, not %s", t.of(r.option), m.want, got)
		} else {
			d.Summary = fmt.Sprintf("in %s: must be %s, not %s", t.of(r.option), m.want, got)
		}
	}
	if m != nil && m.code != "" {
		d.Code = m.code
	}
	if d.Severity == diag.Warning {
		d.Summary += ": ignored"
		if o.BadTerm != "" {
			d.Summary = strings.TrimSuffix(d.Summary, "ignored") + "taken as " + o.BadTerm
		}
	}
	if e := o.entry(); o.Example != "" {
		e.Whole = t.Whole.set != nil
		d.Help = "for example " + e.Syntax()
	}
	r.res.Diags.Add(d)
}

// show returns the value as a term with secrets hidden.
func (o *Option[T]) show(value cfgterm.Term) string {
	if o.Secret {
		return `"` + Hidden + `"`
	}
	if o.Value.mask != nil {
		value = o.Value.mask(value)
	}
	return cfgterm.Format(value)
}

// maskList hides the secrets in a list of options.
func (t *Table[T]) maskList(opts cfgterm.Term) cfgterm.Term {
	l, ok := opts.(*cfgterm.List)
	if !ok {
		return opts
	}
	m := &cfgterm.List{Elems: make([]cfgterm.Term, len(l.Elems))}
	for i, e := range l.Elems {
		m.Elems[i] = e
		tup, ok := e.(*cfgterm.Tuple)
		if !ok || len(tup.Elems) < 2 {
			continue
		}
		name, _ := keyName(tup.Elems[0])
		o := t.find(name)
		switch {
		case o == nil:
		case o.Secret:
			m.Elems[i] = &cfgterm.Tuple{Elems: []cfgterm.Term{tup.Elems[0], &cfgterm.String{Text: Hidden}}}
		case o.Value.mask != nil && o.Form == Wide:
			m.Elems[i] = o.Value.mask(e)
		case o.Value.mask != nil && len(tup.Elems) == 2:
			m.Elems[i] = &cfgterm.Tuple{Elems: []cfgterm.Term{tup.Elems[0], o.Value.mask(tup.Elems[1])}}
		}
	}
	return m
}
