package schema

import (
	"fmt"
	"strings"

	"meerkat/cfgterm"
	"meerkat/cfgterm/diag"
)

// Kind says what a table belongs to. It decides the words and the codes of
// diagnostics.
type Kind uint8

const (
	// Listener: a module of the listen term (ejabberd_c2s). Codes LSN.
	Listener Kind = iota
	// Handler: an HTTP module of a route of ejabberd_cowboy. Codes LSN.
	Handler
	// Module: a mod_* of the modules term. Codes MOD.
	Module
	// Top: terms of the top level of the file. Codes TRM.
	Top
)

// String names the kind as a sentence would: "listener", "HTTP module", "module",
// "top level".
func (k Kind) String() string {
	switch k {
	case Listener:
		return "listener"
	case Handler:
		return "HTTP module"
	case Module:
		return "module"
	default:
		return "top level"
	}
}

// Form is how an option is written in a list of options.
type Form uint8

const (
	// Pair is {key, Value}.
	Pair Form = iota
	// Bare is the atom alone: starttls.
	Bare
	// Wide is a tuple of three or more elements that begins with the key:
	// {host, "a.example", [{password, "x"}]}. Its Value is given the whole tuple.
	Wide
)

// Effect says when a changed option counts.
type Effect uint8

const (
	// AtStart: only a restart of the node brings the new value.
	AtStart Effect = iota + 1
	// OnReload: a reload brings it, for everybody.
	OnReload
	// NewConnections: a reload brings it, for connections (or sessions) made from
	// then on; those that exist keep the old value.
	NewConnections
)

// String says it in the words of the manual.
func (e Effect) String() string {
	switch e {
	case AtStart:
		return "at start"
	case OnReload:
		return "on reload"
	case NewConnections:
		return "for new connections"
	default:
		return "unknown"
	}
}

// Bad says what MongooseIM 2.0.1 did with a value of the wrong type, and so what
// is done here.
type Bad uint8

const (
	// Ignored: 2.0.1 ran as if the option were not there. Here: a warning, and
	// the option is skipped (see Option.BadTerm).
	Ignored Bad = iota + 1
	// Refused: 2.0.1 did not start, or the part in question could never work.
	// Here: an error.
	Refused
	// AnyValue: every term is accepted; there is no bad value.
	AnyValue
)

// An Option is one documented option of a thing whose settings are a T.
type Option[T any] struct {
	// Name is the key as ejabberd.cfg spells it: "max_stanza_size". A key that is
	// a tuple is written out: "{validity_period, access}".
	Name string
	// Synonyms are other spellings of the key that mean the same; where both
	// stand, Name wins. Use them where documentation and source of 2.0.1 differ
	// in the name; a synonym in use gives an info.
	Synonyms []string
	// Form is how the option is written.
	Form Form
	// Value is its type and where it is stored: Field, Flag or Loader.
	Value Value[T]
	// Default is the documented default as a term. Empty: there is none, and
	// Absent says in words what that means.
	Default string
	// Source is the default of 2.0.1's source, as a term. Empty: the same as
	// Default. It holds with "--defaults source", and where Default names an
	// access rule or shaper that the file does not define.
	Source string
	// Inherit names a top-level option whose value, where the file gives it, is the
	// default of this one (Context.Inherit).
	Inherit string
	// Absent says, for the manual, what happens without the option if there is
	// no Default: "off", "no limit", "required".
	Absent string
	// Required makes the absence of the option an error.
	Required bool
	// Example is a value (for Wide: the whole tuple) other than the default, for
	// the manual and the tests.
	Example string
	// Doc explains the option in one paragraph, with units and bounds.
	Doc string
	// Since is the MongooseIM release that first read the option ("1.2.2": that or
	// an earlier one, "Meerkat": not in MongooseIM). Until is the last release
	// with the option under this name; empty: still in 3.7.1, the last release
	// that read ejabberd.cfg.
	Since, Until string
	// TOML is the key to which the option migrates, relative to the table of its
	// owner ("tls.certfile"). "-" means that there is none; a reason may follow:
	// "- give a number".
	TOML string
	// Effect says when a change counts.
	Effect Effect
	// Bad says what a value of the wrong type does. BadTerm, with Ignored, is
	// the value that counts then, if that is not the default.
	Bad     Bad
	BadTerm string
	// Code is the code of a wrong value, if it has one of its own.
	Code string
	// NoEffect, if not empty, says why the option does nothing. It is accepted
	// and checked; an info says the reason.
	NoEffect string
	// Unserved, if not empty, names the feature that this build lacks: using the
	// option is an error, or, with Context.AllowMissing, a warning and the option
	// is skipped.
	Unserved string
	// Secret values appear in no diagnostic and no listing.
	Secret bool
	// Quiet suppresses the infos about a default that differs from 2.0.1's and about
	// an option without effect.
	Quiet bool
}

// A Foreign is an option that people write but 2.0.1 does not read: of another
// release, of ejabberd, or a frequent mistake. It is a warning of its own kind.
type Foreign struct {
	Name string
	// From says where the option belongs: "MongooseIM 3.0", "ejabberd 13".
	From string
	// Instead says what to write in 2.0.1. Empty: nothing corresponds.
	Instead string
	// Refused: 2.0.1 did not start with it; it is an error.
	Refused bool
}

// A Table declares all options of one listener, HTTP module, module or of the top
// level. It is made once and never changed.
type Table[T any] struct {
	// Name is the atom in the file: "ejabberd_c2s", "mod_ping".
	Name string
	Kind Kind
	// Doc says in a few sentences what the owner of the options is.
	Doc string
	// Proplist says that a bare atom K in the list means {K, true}, as in the
	// options of modules. Tables of kind Module are proplists without it.
	Proplist bool
	// Plain says that diagnostics name the options without the owner: those of
	// the top level.
	Plain bool
	// Strict says that 2.0.1 refused a tuple with an unknown key in this list.
	Strict  bool
	Options []Option[T]
	Foreign []Foreign
	// Whole, if set, takes the options as one term, where they are no list of
	// options (cowboy_static). The table has no Options then but documents the
	// term in Entry form through WholeDoc.
	Whole Value[T]
	// WholeDoc documents Whole.
	WholeDoc *Option[T]
	// Check looks at rules across options after all of them were read.
	Check func(*T, *Check)
}

// A Schema is a Table whose T is forgotten: what the loader, the manual and
// "meerkat explain" need to know of it. Only *Table implements it.
type Schema interface {
	// TableName is the atom that the file names: "ejabberd_c2s".
	TableName() string
	// TableKind says what it is an atom of.
	TableKind() Kind
	// Describe says what the owner of the options is.
	Describe() string
	// Entries lists the options in the order of the table.
	Entries() []Entry
	// Foreigns lists the known names of other releases.
	Foreigns() []Foreign
	// DecodeAny is Table.Decode; the value is a *T.
	DecodeAny(ctx *Context, opts cfgterm.Term) (any, *Result)
}

// An Entry is an Option without its T.
type Entry struct {
	Name     string
	Synonyms []string
	Form     Form
	// Shape is the expected value in words: "positive integer".
	Shape                   string
	Default, Source, Absent string
	Inherit                 string
	Required                bool
	Example                 string
	Doc                     string
	Since, Until            string
	TOML                    string
	Effect                  Effect
	Bad                     Bad
	BadTerm                 string
	NoEffect, Unserved      string
	Secret                  bool
	// Whole: the options are this one term.
	Whole bool
	// ByLoader: the loader takes the option out of the list.
	ByLoader bool
	// Restricted: this build serves these of the values only; empty: all.
	Restricted string
	// AtomIsTrue: the bare atom means {Name, true}.
	AtomIsTrue bool
	// Nested lists the options of a value that is a list of options.
	Nested []Entry
	// Refers says that the value names an access rule or shaper.
	Refers RefKind
}

// Syntax shows how the option is written: "{backlog, N}", "starttls".
func (e Entry) Syntax() string {
	switch {
	case e.Whole:
		return e.Example
	case e.Form == Bare:
		return e.Name
	case e.Form == Wide:
		return e.Example
	case e.Example != "" && !e.Secret:
		return "{" + e.Name + ", " + e.Example + "}"
	default:
		return "{" + e.Name + ", ...}"
	}
}

func (o *Option[T]) entry() Entry {
	return Entry{
		Name: o.Name, Synonyms: o.Synonyms, Form: o.Form, Shape: o.Value.shape,
		Default: o.Default, Source: o.Source, Absent: o.Absent, Inherit: o.Inherit, Required: o.Required,
		Example: o.Example, Doc: o.Doc, Since: o.Since, Until: o.Until, TOML: o.TOML,
		Effect: o.Effect, Bad: o.Bad, BadTerm: o.BadTerm, NoEffect: o.NoEffect, Unserved: o.Unserved,
		Secret: o.Secret, Nested: o.Value.nested(), Refers: o.Value.refers, Restricted: o.Value.some, ByLoader: o.Value.loader,
	}
}

// TableName implements Schema.
func (t *Table[T]) TableName() string { return t.Name }

// TableKind implements Schema.
func (t *Table[T]) TableKind() Kind { return t.Kind }

// Describe implements Schema.
func (t *Table[T]) Describe() string { return t.Doc }

// Foreigns implements Schema.
func (t *Table[T]) Foreigns() []Foreign { return t.Foreign }

// Entries implements Schema.
func (t *Table[T]) Entries() []Entry {
	if t.WholeDoc != nil {
		e := t.WholeDoc.entry()
		e.Shape, e.Whole = t.Whole.shape, true
		return []Entry{e}
	}
	es := make([]Entry, len(t.Options))
	for i := range t.Options {
		es[i] = t.Options[i].entry()
		es[i].AtomIsTrue = t.proplist()
	}
	return es
}

// DecodeAny implements Schema.
func (t *Table[T]) DecodeAny(ctx *Context, opts cfgterm.Term) (any, *Result) {
	v, res := t.Decode(ctx, opts)
	return v, res
}

func (t *Table[T]) proplist() bool { return t.Proplist || t.Kind == Module }

// find returns the option that name or a synonym spells, or nil.
func (t *Table[T]) find(name string) *Option[T] {
	for i := range t.Options {
		if t.Options[i].Name == name {
			return &t.Options[i]
		}
	}
	for i := range t.Options {
		for _, s := range t.Options[i].Synonyms {
			if s == name {
				return &t.Options[i]
			}
		}
	}
	return nil
}

func (t *Table[T]) names() []string {
	var ns []string
	for i := range t.Options {
		ns = append(ns, t.Options[i].Name)
		ns = append(ns, t.Options[i].Synonyms...)
	}
	return ns
}

// A Check is handed to Table.Check: it knows where options stand and takes the
// diagnostics.
type Check struct {
	ctx  *Context
	res  *Result
	list diag.Span
}

// Given reports whether the file sets the option name (under any spelling) to a
// value that counts.
func (c *Check) Given(name string) bool {
	for i := range c.res.Origins {
		if c.res.Origins[i].Option == name {
			return c.res.Origins[i].From == FromFile
		}
	}
	return false
}

// Span returns where the option name stands in the file; if it does not, the span
// of the whole list of options.
func (c *Check) Span(name string) diag.Span {
	for i := range c.res.Origins {
		if c.res.Origins[i].Option == name && c.res.Origins[i].From == FromFile {
			return c.res.Origins[i].Span
		}
	}
	return c.list
}

// Named reports whether the file names the option name at all, even with a
// value that does not count.
func (c *Check) Named(name string) bool { return c.res.named[name] }

// Context returns the context of the decoding.
func (c *Check) Context() *Context { return c.ctx }

// Errorf reports an error at the place of the option name. help says what to write
// instead; it may be empty.
func (c *Check) Errorf(code, name, help, format string, args ...any) {
	c.add(diag.Error, code, name, help, format, args...)
}

// Warnf is Errorf for a warning.
func (c *Check) Warnf(code, name, help, format string, args ...any) {
	c.add(diag.Warning, code, name, help, format, args...)
}

// Infof is Errorf for an info.
func (c *Check) Infof(code, name, help, format string, args ...any) {
	c.add(diag.Info, code, name, help, format, args...)
}

func (c *Check) add(sev diag.Severity, code, name, help, format string, args ...any) {
	c.res.Diags.Add(diag.Diagnostic{
		Severity: sev, Code: code, Span: c.Span(name), Help: help,
		Summary: fmt.Sprintf(format, args...),
	})
}

// keyName returns the spelling of an option's key: the name of an atom, or a tuple
// of atoms written out. ok is false for any other term.
func keyName(t cfgterm.Term) (name string, ok bool) {
	switch t := t.(type) {
	case *cfgterm.Atom:
		return t.Name, true
	case *cfgterm.Tuple:
		parts := make([]string, len(t.Elems))
		for i, e := range t.Elems {
			a, ok := e.(*cfgterm.Atom)
			if !ok {
				return "", false
			}
			parts[i] = a.Name
		}
		return "{" + strings.Join(parts, ", ") + "}", true
	}
	return "", false
}
