package schema

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"meerkat/cfgterm"
	"meerkat/cfgterm/diag"
)

// NoLimit as the upper bound of Int, Seconds and Milliseconds means that every
// number is taken; what does not fit is cut to the largest value.
const NoLimit = math.MaxInt

// A Type says which terms are a V and how they are read. The zero Type reads
// nothing; types are made by the functions of this package or with New.
type Type[V any] struct {
	shape  string
	read   func(*Reader, cfgterm.Term) (V, error)
	mask   func(cfgterm.Term) cfgterm.Term // nil: nothing in it is secret
	nested func() []Entry                  // nil: no list of options
	refers RefKind
	some   string // made by Serve: the values that are served
}

// New makes a type of its own. shape completes the sentence "must be ...": "a
// positive integer". read returns an error made by Reader.Want for a term that is
// none, and otherwise must not fail. It must not look at the term's span.
func New[V any](shape string, read func(r *Reader, t cfgterm.Term) (V, error)) Type[V] {
	return Type[V]{shape: shape, read: read}
}

// Shape returns the words that complete "must be ...".
func (t Type[V]) Shape() string { return t.shape }

// Named returns t with other words for "must be ...".
func (t Type[V]) Named(shape string) Type[V] { t.shape = shape; return t }

// Or returns t with the atom as a further value, which reads as v: Int(1,
// NoLimit).Or("infinity", 0).
func (t Type[V]) Or(atom string, v V) Type[V] {
	inner := t.read
	t.shape += " or " + atom
	shape := t.shape
	t.read = func(r *Reader, term cfgterm.Term) (V, error) {
		if cfgterm.IsAtom(term, atom) {
			return v, nil
		}
		got, err := inner(r, term)
		return got, reshape(err, term, shape)
	}
	return t
}

// Secret returns t with every value hidden from diagnostics and listings.
func (t Type[V]) Secret() Type[V] {
	t.mask = func(cfgterm.Term) cfgterm.Term { return &cfgterm.String{Text: Hidden} }
	return t
}

// Mask returns t with f making what is shown in place of a value; f must not fail on
// any term.
func (t Type[V]) Mask(f func(cfgterm.Term) cfgterm.Term) Type[V] { t.mask = f; return t }

// Hide returns t with the values of pairs {key, Value} hidden, at whatever depth
// they stand, for each of the keys.
func (t Type[V]) Hide(keys ...string) Type[V] {
	t.mask = func(term cfgterm.Term) cfgterm.Term { return hideKeys(term, keys) }
	return t
}

func hideKeys(t cfgterm.Term, keys []string) cfgterm.Term {
	switch t := t.(type) {
	case *cfgterm.List:
		m := &cfgterm.List{Node: t.Node, Elems: make([]cfgterm.Term, len(t.Elems)), Tail: t.Tail}
		for i, e := range t.Elems {
			m.Elems[i] = hideKeys(e, keys)
		}
		return m
	case *cfgterm.Tuple:
		if len(t.Elems) == 2 {
			if k, ok := cfgterm.AtomName(t.Elems[0]); ok && slices.Contains(keys, k) {
				return &cfgterm.Tuple{Node: t.Node, Elems: []cfgterm.Term{t.Elems[0], &cfgterm.String{Text: Hidden}}}
			}
		}
		m := &cfgterm.Tuple{Node: t.Node, Elems: make([]cfgterm.Term, len(t.Elems))}
		for i, e := range t.Elems {
			m.Elems[i] = hideKeys(e, keys)
		}
		return m
	}
	return t
}

// Hidden stands for a secret value in listings.
const Hidden = "********"

// A Value is a type together with the field of T that it fills.
type Value[T any] struct {
	shape  string
	set    func(*Reader, *T, cfgterm.Term) error
	mask   func(cfgterm.Term) cfgterm.Term
	sub    func() []Entry
	refers RefKind
	some   string
	loader bool
}

func (v Value[T]) nested() []Entry {
	if v.sub == nil {
		return nil
	}
	return v.sub()
}

// Field stores a value of type t in the field that at points to.
func Field[T, V any](t Type[V], at func(*T) *V) Value[T] {
	return Value[T]{
		shape: t.shape, mask: t.mask, sub: t.nested, refers: t.refers, some: t.some,
		set: func(r *Reader, dst *T, term cfgterm.Term) error {
			v, err := t.read(r, term)
			if err == nil {
				*at(dst) = v
			}
			return err
		},
	}
}

// Flag is the value of a bare option: its presence sets the field.
func Flag[T any](at func(*T) *bool) Value[T] {
	return Field(Bool(), at)
}

// Unused is the value of an option that is checked but stored nowhere, because it
// has no effect; the option says why in NoEffect.
func Unused[T, V any](t Type[V]) Value[T] {
	return Value[T]{
		shape: t.shape, mask: t.mask, sub: t.nested, refers: t.refers, some: t.some,
		set: func(r *Reader, _ *T, term cfgterm.Term) error {
			_, err := t.read(r, term)
			return err
		},
	}
}

// Loader is the value of an option that the loader takes out of the list before
// the table sees it, such as the address options of a listen entry. shape is for the
// manual; it may be empty.
func Loader[T any](shape string) Value[T] {
	return Value[T]{shape: shape, loader: true, set: func(*Reader, *T, cfgterm.Term) error { return nil }}
}

// errLeftOut says that a value is right but left out, after a diagnostic.
var errLeftOut = errors.New("left out")

// A mismatch is a term that is not what was wanted.
type mismatch struct {
	at   cfgterm.Term
	want string
	why  string
	code string // overrides the code of the option
}

func (m *mismatch) Error() string {
	if m.why != "" {
		return m.why
	}
	return "must be " + m.want
}

// reshape gives an error of a part that is the whole the words for the whole.
func reshape(err error, whole cfgterm.Term, want string) error {
	var m *mismatch
	if errors.As(err, &m) && m.at == whole && m.why == "" {
		c := *m
		c.want = want
		return &c
	}
	return err
}

// A Reader is what a Type reads with: it knows the circumstances and takes notes.
type Reader struct {
	ctx    *Context
	res    *Result
	kind   Kind
	owner  string // "ejabberd_c2s"
	option string
	trial  bool // a default: references must be defined
	nested []Origin
}

// what names the option with its owner.
func (r *Reader) what() string {
	if r.owner == "" {
		return r.option
	}
	return r.option + " of " + r.owner
}

// Context returns the circumstances of the decoding.
func (r *Reader) Context() *Context { return r.ctx }

// Want returns the error for a term that is not what it must be. want completes
// "must be ...".
func (r *Reader) Want(t cfgterm.Term, want string) error {
	return &mismatch{at: t, want: want}
}

// Wrong returns the error for a term that has the right shape and a wrong value.
// why is a sentence about it, without full stop.
func (r *Reader) Wrong(t cfgterm.Term, format string, args ...any) error {
	return &mismatch{at: t, why: fmt.Sprintf(format, args...)}
}

// WrongCode is Wrong with a code of its own.
func (r *Reader) WrongCode(code string, t cfgterm.Term, format string, args ...any) error {
	return &mismatch{at: t, why: fmt.Sprintf(format, args...), code: code}
}

// Skip reports, as a warning, that 2.0.1 ignored the value, and returns the error
// that leaves it out. It is for options of which some wrong values are ignored and
// others refused.
func (r *Reader) Skip(t cfgterm.Term, summary, help string) error {
	r.Odd(t, summary, help)
	return errLeftOut
}

// Missing reports that the file asks for something that this build does not serve
// and returns the error that leaves the value out. what is a noun phrase: "value
// odbc of backend".
func (r *Reader) Missing(t cfgterm.Term, what, help string) error {
	r.res.missing(r.ctx, CodeMissingValue, t.Span(), what, help)
	return errLeftOut
}

// Note reports something about the term that does not keep it from being used.
func (r *Reader) Note(sev diag.Severity, code string, t cfgterm.Term, summary, help string) {
	r.res.Diags.Add(diag.Diagnostic{Severity: sev, Code: code, Span: t.Span(), Summary: summary, Help: help})
}

// Odd reports, as a warning under the code for values of the wrong type, that a
// value is taken although 2.0.1 would have made something else of it.
func (r *Reader) Odd(t cfgterm.Term, summary, help string) {
	r.Note(diag.Warning, codesOf(r.kind).badValue, t, summary, help)
}

// Refer notes that the term names an access rule or a shaper. With a default, it
// fails if the file does not define the name.
func (r *Reader) Refer(k RefKind, name string, t cfgterm.Term) error {
	ref := Ref{Kind: k, Name: name, Span: t.Span(), Option: r.option, Owner: r.owner}
	if r.trial {
		if r.ctx.Defined != nil && !r.ctx.Defined(ref) {
			return errUndefined
		}
		return nil
	}
	r.res.Refs = append(r.res.Refs, ref)
	return nil
}

var errUndefined = errors.New("not defined")

// Table decodes the options of another owner that stand inside of this option: of
// an HTTP module in a route. The result is what the owner's table makes of them,
// a pointer to its struct. The error leaves the value out.
func (r *Reader) Table(kind Kind, name, opts cfgterm.Term) (owner string, value any, err error) {
	s, err := r.find(kind, name)
	if err != nil {
		return "", nil, err
	}
	v, res := s.DecodeAny(r.ctx, opts)
	r.res.merge(res)
	r.nest(res.Origins)
	return s.TableName(), v, nil
}

// Soften runs f and makes every error that it reports a warning: what 2.0.1 found
// out only when it was used.
func (r *Reader) Soften(f func() error) error {
	n := len(r.res.Diags)
	err := f()
	for i := n; i < len(r.res.Diags); i++ {
		if d := &r.res.Diags[i]; d.Severity == diag.Error {
			d.Severity = diag.Warning
		}
	}
	return err
}

// LeftOut reports whether an error says that a value was left out after a
// diagnostic; a Type returns such an error as it is.
func LeftOut(err error) bool { return errors.Is(err, errLeftOut) }

func (r *Reader) find(kind Kind, name cfgterm.Term) (Schema, error) {
	if r.ctx.Find == nil {
		return nil, r.Wrong(name, "no %s can stand here", kind)
	}
	s, d := r.ctx.Find(kind, name)
	if d != nil {
		r.res.Diags.Add(*d)
	}
	if s == nil {
		return nil, errLeftOut
	}
	return s, nil
}

func (r *Reader) nest(os []Origin) {
	r.nested = append(r.nested, os...)
}

// mark and back drop what a failed attempt noted.
func (r *Reader) mark() (diags, refs, nested int) {
	return len(r.res.Diags), len(r.res.Refs), len(r.nested)
}

func (r *Reader) back(diags, refs, nested int) {
	r.res.Diags, r.res.Refs, r.nested = r.res.Diags[:diags], r.res.Refs[:refs], r.nested[:nested]
}

// Int is an integer from lo to hi, both included.
func Int(lo, hi int) Type[int] {
	shape := intShape(lo, hi)
	return New(shape, func(r *Reader, t cfgterm.Term) (int, error) {
		n, ok := integer(t)
		if !ok || n < lo || n > hi {
			return 0, r.Want(t, shape)
		}
		return n, nil
	})
}

// integer returns the value of an integer term, cut to what an int holds.
func integer(t cfgterm.Term) (int, bool) {
	i, ok := t.(*cfgterm.Int)
	if !ok {
		return 0, false
	}
	n := i.Big
	if n == nil {
		n = big.NewInt(i.N)
	}
	switch {
	case n.Cmp(big.NewInt(math.MaxInt)) > 0:
		return math.MaxInt, true
	case n.Cmp(big.NewInt(math.MinInt)) < 0:
		return math.MinInt, true
	}
	return int(n.Int64()), true
}

func intShape(lo, hi int) string {
	switch {
	case hi != NoLimit:
		return fmt.Sprintf("an integer from %d to %d", lo, hi)
	case lo == 1:
		return "a positive integer"
	case lo == 0:
		return "an integer, 0 or more"
	case lo == math.MinInt:
		return "an integer"
	default:
		return fmt.Sprintf("an integer, %d or more", lo)
	}
}

// Number is an integer or a floating point number of at least lo.
func Number(lo float64) Type[float64] {
	shape := "a number"
	if !math.IsInf(lo, -1) {
		shape = fmt.Sprintf("a number, %s or more", strconv.FormatFloat(lo, 'g', -1, 64))
	}
	return New(shape, func(r *Reader, t cfgterm.Term) (float64, error) {
		var f float64
		switch t := t.(type) {
		case *cfgterm.Float:
			f = t.F
		case *cfgterm.Int:
			f = float64(t.N)
			if t.Big != nil {
				f, _ = new(big.Float).SetInt(t.Big).Float64()
			}
		default:
			return 0, r.Want(t, shape)
		}
		if f < lo {
			return 0, r.Want(t, shape)
		}
		return f, nil
	})
}

const maxDuration = 100 * 365 * 24 * time.Hour

func duration(lo, hi int, unit time.Duration, name string) Type[time.Duration] {
	n := Int(lo, hi)
	n.shape += " (" + name + ")"
	return Convert(n, func(i int) (time.Duration, error) {
		if i > int(maxDuration/unit) {
			return maxDuration, nil
		}
		return time.Duration(i) * unit, nil
	})
}

// Seconds is an integer number of seconds; more than 100 years count as 100 years.
func Seconds(lo, hi int) Type[time.Duration] { return duration(lo, hi, time.Second, "seconds") }

// Milliseconds is an integer number of milliseconds.
func Milliseconds(lo, hi int) Type[time.Duration] {
	return duration(lo, hi, time.Millisecond, "milliseconds")
}

// Bool is the atom true or false.
func Bool() Type[bool] {
	const shape = "true or false"
	return New(shape, func(r *Reader, t cfgterm.Term) (bool, error) {
		switch {
		case cfgterm.IsAtom(t, "true"):
			return true, nil
		case cfgterm.IsAtom(t, "false"):
			return false, nil
		}
		return false, r.Want(t, shape)
	})
}

// Atom is any atom; its name.
func Atom() Type[string] {
	return New("an atom", func(r *Reader, t cfgterm.Term) (string, error) {
		if name, ok := cfgterm.AtomName(t); ok {
			return name, nil
		}
		return "", r.Want(t, "an atom")
	})
}

// Enum is one of the atoms; its name.
func Enum(atoms ...string) Type[string] {
	shape := oneOf(atoms)
	return New(shape, func(r *Reader, t cfgterm.Term) (string, error) {
		name, ok := cfgterm.AtomName(t)
		if !ok {
			return "", r.Want(t, shape)
		}
		if !slices.Contains(atoms, name) {
			if near := Nearest(name, atoms); near != "" {
				return "", r.Wrong(t, "must be %s; did you mean %s?", shape, near)
			}
			return "", r.Want(t, shape)
		}
		return name, nil
	})
}

// Words is an atom of the list of words, each with what it reads as.
func Words[V any](words map[string]V) Type[V] {
	names := make([]string, 0, len(words))
	for w := range words {
		names = append(names, w)
	}
	slices.Sort(names)
	return Convert(Enum(names...), func(w string) (V, error) { return words[w], nil })
}

func oneOf(words []string) string {
	if len(words) == 1 {
		return "the atom " + words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// Serve restricts what this build serves to the given values of t. Any other
// value that t accepts is reported as not served by this build.
func Serve[V comparable](t Type[V], served ...V) Type[V] {
	inner := t.read
	words := make([]string, len(served))
	for i, s := range served {
		words[i] = fmt.Sprint(s)
	}
	t.some = strings.Join(words, ", ")
	if len(words) == 0 {
		t.some = "none of them"
	}
	t.read = func(r *Reader, term cfgterm.Term) (V, error) {
		v, err := inner(r, term)
		if err == nil && !slices.Contains(served, v) {
			var zero V
			return zero, r.Missing(term, fmt.Sprintf("the value %v of %s", v, r.what()), "this build serves "+t.some)
		}
		return v, err
	}
	return t
}

// ServeEmpty restricts what this build serves to the empty list.
func ServeEmpty[V any](t Type[[]V], help string) Type[[]V] {
	inner := t.read
	t.some = "the empty list"
	t.read = func(r *Reader, term cfgterm.Term) ([]V, error) {
		vs, err := inner(r, term)
		if err == nil && len(vs) > 0 {
			r.res.missing(r.ctx, CodeMissingOption, term.Span(), "option "+r.what(), help)
			return nil, errLeftOut
		}
		return vs, err
	}
	return t
}

// Text is a string or a binary that holds UTF-8.
func Text() Type[string] {
	return New("a string", func(r *Reader, t cfgterm.Term) (string, error) {
		if s, ok := cfgterm.Text(t); ok {
			return s, nil
		}
		return "", r.Want(t, "a string")
	})
}

// Name is text that may also be written as an atom.
func Name() Type[string] {
	return New("a string or an atom", func(r *Reader, t cfgterm.Term) (string, error) {
		if s, ok := cfgterm.AtomName(t); ok {
			return s, nil
		}
		if s, ok := cfgterm.Text(t); ok {
			return s, nil
		}
		return "", r.Want(t, "a string or an atom")
	})
}

// HostText is the name of a service in which every @HOST@ is replaced by the
// virtual host that the options are decoded for (Context.Host).
func HostText() Type[string] {
	t := Text()
	inner := t.read
	t.read = func(r *Reader, term cfgterm.Term) (string, error) {
		s, err := inner(r, term)
		return strings.ReplaceAll(s, "@HOST@", r.ctx.Host), err
	}
	return t
}

// ServiceHost is HostText for the domain that a module serves itself: it is noted in
// Result.Services, so that no two modules get the same.
func ServiceHost() Type[string] {
	t := HostText()
	inner := t.read
	t.read = func(r *Reader, term cfgterm.Term) (string, error) {
		s, err := inner(r, term)
		if err == nil {
			r.res.Services = append(r.res.Services, Service{Domain: s, Owner: r.owner, Span: term.Span()})
		}
		return s, err
	}
	return t
}

// Path is the name of a file or folder; relative names count from the working
// directory of the server. Nothing is checked.
func Path() Type[string] {
	return New("a path in quotes", func(r *Reader, t cfgterm.Term) (string, error) {
		if s, ok := cfgterm.Text(t); ok && s != "" {
			return s, nil
		}
		return "", r.Want(t, "a path in quotes")
	})
}

// File is the path of a file that must be a readable regular file while the
// configuration is loaded: an error if it is not.
func File() Type[string] { return file(false) }

// CertFile is File for a PEM file with certificate and key: what Context.Certificate
// says of it is reported as warnings.
func CertFile() Type[string] {
	t := File()
	inner := t.read
	t.read = func(r *Reader, term cfgterm.Term) (string, error) {
		s, err := inner(r, term)
		if err == nil && r.ctx.Certificate != nil && !r.trial {
			for _, w := range r.ctx.Certificate(s) {
				r.Note(diag.Warning, CodeFile, term, r.what()+": "+w, "")
			}
		}
		return s, err
	}
	return t
}

// LateFile is File with a warning in place of the error, and the value kept: 2.0.1
// opened the file only when it was needed.
func LateFile() Type[string] { return file(true) }

func file(late bool) Type[string] {
	t := Path()
	inner := t.read
	t.read = func(r *Reader, term cfgterm.Term) (string, error) {
		s, err := inner(r, term)
		if err != nil || r.ctx.Readable == nil || r.trial {
			return s, err
		}
		if err := r.ctx.Readable(s); err != nil {
			sev := diag.Error
			if late {
				sev = diag.Warning
			}
			r.res.Diags.Add(diag.Diagnostic{
				Severity: sev, Code: CodeFile, Span: term.Span(),
				Summary: fmt.Sprintf("%s cannot be read: %v", r.what(), err),
				Help:    "relative paths count from the directory in which the server is started",
				Erlang:  "There is a problem in the configuration: the specified file is not readable: " + s,
			})
			if !late {
				return s, errLeftOut
			}
		}
		return s, nil
	}
	return t
}

// IP is an address: a tuple of 4 or 8 integers, or a literal in quotes.
func IP() Type[netip.Addr] {
	const shape = "an IP address: {127,0,0,1}, {0,0,0,0,0,0,0,1}, \"127.0.0.1\" or \"::1\""
	return New(shape, func(r *Reader, t cfgterm.Term) (netip.Addr, error) {
		if a, ok := Address(t); ok {
			return a, nil
		}
		return netip.Addr{}, r.Want(t, shape)
	})
}

// Address returns the IP address that a term is: a tuple of 4 or 8 integers, a
// string or a binary with a literal.
func Address(t cfgterm.Term) (netip.Addr, bool) {
	if tup, ok := t.(*cfgterm.Tuple); ok {
		switch len(tup.Elems) {
		case 4:
			var b [4]byte
			for i, e := range tup.Elems {
				n, ok := integer(e)
				if !ok || n < 0 || n > 255 {
					return netip.Addr{}, false
				}
				b[i] = byte(n)
			}
			return netip.AddrFrom4(b), true
		case 8:
			var b [16]byte
			for i, e := range tup.Elems {
				n, ok := integer(e)
				if !ok || n < 0 || n > 0xffff {
					return netip.Addr{}, false
				}
				b[2*i], b[2*i+1] = byte(n>>8), byte(n)
			}
			return netip.AddrFrom16(b), true
		}
		return netip.Addr{}, false
	}
	s, ok := cfgterm.Text(t)
	if !ok {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, false
	}
	return a, true
}

// AccessRule is the name of an access rule whose values are allow and deny, or all
// or none.
func AccessRule() Type[string] { return ruleType(RefAccess, "the name of an access rule, all or none") }

// ValueRule is the name of an access rule that yields numbers or other values.
func ValueRule() Type[string] { return ruleType(RefValue, "the name of an access rule") }

// ShaperRule is the name of an access rule whose values are names of shapers, as
// the option shaper of ejabberd_c2s has it.
func ShaperRule() Type[string] {
	return ruleType(RefShaperRule, "the name of an access rule that yields shapers, or none")
}

// ShaperName is the name of a shaper, or none.
func ShaperName() Type[string] { return ruleType(RefShaper, "the name of a shaper, or none") }

func ruleType(k RefKind, shape string) Type[string] {
	t := New(shape, func(r *Reader, t cfgterm.Term) (string, error) {
		name, ok := cfgterm.AtomName(t)
		if !ok {
			if name, ok = cfgterm.Text(t); !ok || name == "" {
				return "", r.Want(t, shape)
			}
			r.Odd(t, fmt.Sprintf("%s is a name and is written without quotes: %s", r.what(),
				cfgterm.FormatAtom(name)), "2.0.1 looked for a rule whose name is a string and found none")
		}
		if k.builtin(name) {
			return name, nil
		}
		return name, r.Refer(k, name, t)
	})
	t.refers = k
	return t
}

// List is a proper list of elem.
func List[V any](elem Type[V]) Type[[]V] {
	shape := "a list, each element " + elem.shape
	t := New(shape, func(r *Reader, t cfgterm.Term) ([]V, error) {
		items, ok := cfgterm.Items(t)
		if _, str := t.(*cfgterm.String); str && !cfgterm.IsNil(t) {
			ok = false // "abc" is meant as text, not as a list of integers
		}
		if !ok {
			return nil, r.Want(t, shape)
		}
		vs := make([]V, 0, len(items))
		for _, it := range items {
			v, err := elem.read(r, it)
			if errors.Is(err, errLeftOut) {
				continue
			}
			if err != nil {
				return nil, err
			}
			vs = append(vs, v)
		}
		return vs, nil
	})
	if elem.mask != nil {
		t.mask = func(t cfgterm.Term) cfgterm.Term {
			l, ok := t.(*cfgterm.List)
			if !ok {
				return elem.mask(t)
			}
			m := &cfgterm.List{Elems: make([]cfgterm.Term, len(l.Elems))}
			for i, e := range l.Elems {
				m.Elems[i] = elem.mask(e)
			}
			return m
		}
	}
	t.nested, t.refers, t.some = elem.nested, elem.refers, elem.some
	return t
}

// OneOrList is one elem or a list of them.
func OneOrList[V any](elem Type[V]) Type[[]V] {
	list := List(elem)
	one := Convert(elem, func(v V) ([]V, error) { return []V{v}, nil })
	return Either(one.Named(elem.shape), list.Named("a list of such"))
}

// Either is a value of the first of the types that takes it.
func Either[V any](types ...Type[V]) Type[V] {
	shapes := make([]string, len(types))
	masked := false
	for i, t := range types {
		shapes[i] = t.shape
		masked = masked || t.mask != nil
	}
	shape := strings.Join(shapes, ", or ")
	e := New(shape, func(r *Reader, t cfgterm.Term) (V, error) {
		var zero V
		var best error
		for _, ty := range types {
			d, f, n := r.mark()
			v, err := ty.read(r, t)
			if err == nil || errors.Is(err, errLeftOut) || errors.Is(err, errUndefined) {
				return v, err
			}
			r.back(d, f, n)
			// A fault inside of the term tells more than "it is none of these".
			var m *mismatch
			if errors.As(err, &m) && (m.at != t || m.why != "") && best == nil {
				best = err
			}
		}
		if best != nil {
			return zero, best
		}
		return zero, r.Want(t, shape)
	})
	for _, t := range types {
		if t.nested != nil && e.nested == nil {
			e.nested = t.nested
		}
		if t.refers != 0 {
			e.refers = t.refers
		}
		if t.some != "" {
			e.some = t.some
		}
	}
	if masked {
		e.mask = func(t cfgterm.Term) cfgterm.Term {
			for _, ty := range types {
				if ty.mask != nil {
					t = ty.mask(t)
				}
			}
			return t
		}
	}
	return e
}

// Convert makes another value of what t reads. An error of f is reported at the
// term; its text is a sentence about the value without full stop.
func Convert[V, W any](t Type[V], f func(V) (W, error)) Type[W] {
	return Type[W]{
		shape: t.shape, mask: t.mask, nested: t.nested, refers: t.refers, some: t.some,
		read: func(r *Reader, term cfgterm.Term) (W, error) {
			var zero W
			v, err := t.read(r, term)
			if err != nil {
				return zero, err
			}
			w, err := f(v)
			if err != nil {
				return zero, r.Wrong(term, "%v", err)
			}
			return w, nil
		},
	}
}

// Const is the one term that the text in Erlang syntax spells; it reads as v.
func Const[V any](text string, v V) Type[V] {
	return New(text, func(r *Reader, t cfgterm.Term) (V, error) {
		if cfgterm.Equal(t, mustTerm(text)) {
			return v, nil
		}
		var zero V
		return zero, r.Want(t, text)
	})
}

// Any is any term; its text in Erlang syntax.
func Any() Type[string] {
	return New("any term", func(_ *Reader, t cfgterm.Term) (string, error) { return cfgterm.Format(t), nil })
}

// A Part is one element of a Tuple: a type and where its value goes.
type Part[V any] struct {
	tag   bool
	shape string
	set   func(*Reader, *V, cfgterm.Term) error
	mask  func(cfgterm.Term) cfgterm.Term
}

// Elem is the next element of a tuple.
func Elem[V, W any](name string, t Type[W], at func(*V) *W) Part[V] {
	return Part[V]{
		shape: name, mask: t.mask,
		set: func(r *Reader, v *V, term cfgterm.Term) error {
			w, err := t.read(r, term)
			if err == nil {
				*at(v) = w
			}
			return err
		},
	}
}

// Skip is an element of a tuple that is checked and not kept, such as a tag.
func Skip[V, W any](name string, t Type[W]) Part[V] {
	return Part[V]{
		shape: name, mask: t.mask,
		set: func(r *Reader, _ *V, term cfgterm.Term) error {
			_, err := t.read(r, term)
			return err
		},
	}
}

// Tag is the atom by which a tuple is known: a tuple without it is not of this type
// at all.
func Tag[V any](name string) Part[V] {
	p := Skip[V](name, Enum(name))
	p.tag = true
	return p
}

// Tuple is a tuple of exactly the given elements; it reads as a struct.
func Tuple[V any](parts ...Part[V]) Type[V] {
	names := make([]string, len(parts))
	masked := false
	for i, p := range parts {
		names[i] = p.shape
		masked = masked || p.mask != nil
	}
	shape := "{" + strings.Join(names, ", ") + "}"
	t := New(shape, func(r *Reader, t cfgterm.Term) (V, error) {
		var v V
		elems, ok := cfgterm.TupleOf(t, len(parts))
		if !ok {
			return v, r.Want(t, shape)
		}
		for i, p := range parts {
			if err := p.set(r, &v, elems[i]); err != nil {
				if p.tag {
					return v, r.Want(t, shape)
				}
				return v, err
			}
		}
		return v, nil
	})
	if masked {
		t.mask = func(t cfgterm.Term) cfgterm.Term {
			elems, ok := cfgterm.TupleOf(t, len(parts))
			if !ok {
				return t
			}
			m := &cfgterm.Tuple{Elems: make([]cfgterm.Term, len(elems))}
			for i, e := range elems {
				m.Elems[i] = e
				if parts[i].mask != nil {
					m.Elems[i] = parts[i].mask(e)
				}
			}
			return m
		}
	}
	return t
}

// Nested is a list of options with a table of its own. Its codes and words are
// those of the table that holds it.
func Nested[V any](table *Table[V]) Type[V] {
	const shape = "a list of options"
	t := New(shape, func(r *Reader, t cfgterm.Term) (V, error) {
		items, ok := cfgterm.Items(t)
		if _, str := t.(*cfgterm.String); !ok || str && len(items) > 0 {
			var zero V
			return zero, r.Want(t, shape)
		}
		v, res := table.decode(r.ctx, t, r.kind)
		r.res.merge(res)
		r.nest(res.Origins)
		return *v, nil
	})
	t.nested = table.Entries
	t.mask = table.maskList
	return t
}

// IQDisc is how the requests of one module are queued: the value of iqdisc.
type IQDisc struct {
	// Method is "no_queue", "one_queue", "queues" or "parallel".
	Method string
	// Queues is the number of queues of method "queues", at least 1.
	Queues int
}

// IQDiscipline is the type of the option iqdisc.
func IQDiscipline() Type[IQDisc] {
	atom := Convert(Enum("no_queue", "one_queue", "parallel"), func(m string) (IQDisc, error) {
		return IQDisc{Method: m}, nil
	})
	queues := Tuple(
		Tag[IQDisc]("queues"),
		Elem("N", Int(1, NoLimit), func(d *IQDisc) *int { return &d.Queues }),
	)
	return Either(atom, Convert(queues, func(d IQDisc) (IQDisc, error) {
		d.Method = "queues"
		return d, nil
	}))
}

// tableTerms holds the terms of tables by their text: each host takes the same
// defaults, and terms never change.
var tableTerms sync.Map

func mustTerm(text string) cfgterm.Term {
	if t, ok := tableTerms.Load(text); ok {
		return t.(cfgterm.Term)
	}
	t, err := cfgterm.ParseTerm(text)
	if err != nil {
		panic(fmt.Sprintf("schema: bad term %q in a table: %v", text, err))
	}
	tableTerms.Store(text, t)
	return t
}

// kindOf describes a term without its value.
func kindOf(t cfgterm.Term) string {
	switch t := t.(type) {
	case *cfgterm.Atom:
		return "an atom"
	case *cfgterm.Int:
		return "an integer"
	case *cfgterm.Float:
		return "a floating point number"
	case *cfgterm.String:
		if t.Text == "" {
			return "an empty list"
		}
		return "a string"
	case *cfgterm.List:
		if len(t.Elems) == 0 {
			return "an empty list"
		}
		return "a list"
	case *cfgterm.Tuple:
		return fmt.Sprintf("a tuple of %d", len(t.Elems))
	case *cfgterm.Map:
		return "a map"
	case *cfgterm.Binary:
		return "a binary"
	default:
		return "a fun"
	}
}

// describe says what a term is, with its value if that is short.
func describe(t cfgterm.Term) string {
	switch t.(type) {
	case *cfgterm.Atom, *cfgterm.Int, *cfgterm.Float, *cfgterm.String, *cfgterm.Binary:
		if s := cfgterm.Format(t); len(s) <= 60 && s != `""` && s != "[]" {
			return kindOf(t) + " " + s
		}
	}
	return kindOf(t)
}

// TLSWords is the value of protocol_options: a list of strings, or one string,
// with words separated by |. It reads as the single words, in order.
func TLSWords() Type[[]string] {
	const shape = `a list of words in quotes: ["no_sslv3", "no_tlsv1"]`
	return New(shape, func(r *Reader, t cfgterm.Term) ([]string, error) {
		var parts []string
		if s, ok := cfgterm.Text(t); ok {
			parts = []string{s}
		} else {
			items, ok := cfgterm.Items(t)
			if !ok {
				return nil, r.Want(t, shape)
			}
			for _, it := range items {
				s, ok := cfgterm.AtomName(it)
				if !ok {
					if s, ok = cfgterm.Text(it); !ok {
						return nil, r.Want(it, "a word in quotes")
					}
				}
				parts = append(parts, s)
			}
		}
		words := []string{}
		for _, p := range parts {
			for w := range strings.SplitSeq(p, "|") {
				w = strings.TrimSpace(w)
				if w == "" {
					continue
				}
				if !slices.Contains(tlsWords, w) {
					help := "the words that have an effect are no_sslv3, no_tlsv1, no_tlsv1_1 and no_tlsv1_2"
					if near := Nearest(w, tlsWords); near != "" {
						help = "did you mean " + near + "?"
					}
					r.Odd(t, fmt.Sprintf("%s: the word %s is unknown: ignored", r.what(), w), help)
					continue
				}
				words = append(words, w)
			}
		}
		return words, nil
	})
}

// tlsWords are the words of protocol_options (the names of OpenSSL's SSL_OP_
// constants in lower case).
var tlsWords = []string{
	"no_sslv2", "no_sslv3", "no_tlsv1", "no_tlsv1_1", "no_tlsv1_2", "no_tlsv1_3",
	"cipher_server_preference", "no_compression", "no_ticket", "no_query_mtu",
	"single_dh_use", "single_ecdh_use", "no_session_resumption_on_renegotiation",
	"dont_insert_empty_fragments", "legacy_server_connect", "allow_unsafe_legacy_renegotiation",
	"all", "tls_rollback_bug", "netscape_ca_dn_bug", "netscape_challenge_bug",
	"netscape_demo_cipher_change_bug", "netscape_reuse_cipher_change_bug",
	"microsoft_big_sslv3_buffer", "microsoft_sess_id_bug", "msie_sslv2_rsa_padding",
	"ssleay_080_client_dh_bug", "sslref2_reuse_cert_type_bug", "tls_d5_bug", "tls_block_padding_bug",
	"cisco_anyconnect", "cryptopro_tlsext_bug", "cookie_exchange", "ephemeral_rsa",
	"pkcs1_check_1", "pkcs1_check_2",
}

// Read reads one term outside of any table: owner and option are the words for
// diagnostics, bad and code as in Option. ok is false if there is no value; the
// Result says why.
func Read[V any](ctx *Context, kind Kind, owner, option string, t Type[V], bad Bad, code string, term cfgterm.Term) (v V, ok bool, res *Result) {
	var out struct{ v V }
	tab := &Table[struct{ v V }]{Name: owner, Kind: kind}
	o := &Option[struct{ v V }]{Name: option, Value: Field(t, func(o *struct{ v V }) *V { return &o.v }), Bad: bad, Code: code}
	res = &Result{named: map[string]bool{}, at: term.Span()}
	r := &Reader{ctx: ctx, res: res, kind: kind, owner: owner, option: option}
	err := o.Value.set(r, &out, term)
	if err != nil {
		tab.report(r, kind, o, term, err)
		return v, false, res
	}
	res.Origins = []Origin{{Option: option, From: FromFile, Span: term.Span(), Value: o.show(term), Nested: r.nested}}
	return out.v, true, res
}
