package xml

import (
	"iter"
	"slices"
	"strings"
	"sync"
)

// An Element is a node of a tree. Trees that come from a stanza are shared and
// must not be changed; Clone them first. The zero Element has no name and must
// not be written.
//
// Space is the element's namespace. "" means the namespace of the parent: so
// the children of a stanza that have no xmlns of their own are the same
// whether the stanza came over a client's, a server's or a component's stream.
// (An element in no namespace at all inside one that has one keeps its xmlns=”
// as an attribute; nobody writes such a thing.)
type Element struct {
	Name   string // without its prefix
	Prefix string // "" for none; kept so that what is passed on looks as it came
	Space  string
	Attrs  []Attr // without "xmlns"; declarations of prefixes are kept
	// Children are the child elements and the text between them, in order.
	Children []Node
}

// A Node is a child of an element: an element or a piece of text.
type Node struct {
	Element *Element // nil for text
	Text    string   // decoded
	raw     bool     // Text is XML
}

// New returns an element without attributes and children. space "" puts it in
// the default namespace of where it goes, usually its parent's.
func New(space, name string) *Element { return &Element{Space: space, Name: name} }

// Set sets an attribute, replacing one of that name, and returns e. Names are
// written with their prefix; "xml:" needs no declaration, other prefixes must
// be declared by an attribute "xmlns:…" or where the element is written.
func (e *Element) Set(name, value string) *Element {
	for i := range e.Attrs {
		if e.Attrs[i].Name == name {
			e.Attrs[i].Value = value
			return e
		}
	}
	a := Attr{Name: name, Value: value}
	if strings.HasPrefix(name, "xml:") {
		a.Space = NamespaceXML
	}
	e.Attrs = append(e.Attrs, a)
	return e
}

// Unset removes an attribute and returns e.
func (e *Element) Unset(name string) *Element {
	e.Attrs = slices.DeleteFunc(e.Attrs, func(a Attr) bool { return a.Name == name })
	return e
}

// Add appends child elements and returns e. Nil children are left out.
func (e *Element) Add(children ...*Element) *Element {
	for _, c := range children {
		if c != nil {
			e.Children = append(e.Children, Node{Element: c})
		}
	}
	return e
}

// AddText appends text and returns e.
func (e *Element) AddText(text string) *Element {
	if text != "" {
		e.Children = append(e.Children, Node{Text: text})
	}
	return e
}

// AddRaw appends XML as it is and returns e: complete elements or text, clean
// in the sense of Scanner.Clean, that need no default namespace from outside.
// Child and the like do not see them. It spares a tree where a stored or
// forwarded stanza is wrapped.
func (e *Element) AddRaw(text string) *Element {
	if text != "" {
		e.Children = append(e.Children, Node{Text: text, raw: true})
	}
	return e
}

// SetText replaces all children by text and returns e.
func (e *Element) SetText(text string) *Element {
	e.Children = nil
	return e.AddText(text)
}

// Attr returns the value of the attribute with that name as written, "" if
// there is none or e is nil.
func (e *Element) Attr(name string) string {
	v, _ := e.LookupAttr(name)
	return v
}

// LookupAttr is Attr that also tells whether there is such an attribute.
func (e *Element) LookupAttr(name string) (string, bool) {
	if e != nil {
		for i := range e.Attrs {
			if e.Attrs[i].Name == name {
				return e.Attrs[i].Value, true
			}
		}
	}
	return "", false
}

// AttrNS returns the value of the attribute with that namespace and local
// name, whatever its prefix.
func (e *Element) AttrNS(space, local string) (string, bool) {
	if e == nil {
		return "", false
	}
	return attrNS(e.Attrs, space, local)
}

// Is tells whether e has that namespace and name. A nil e is nothing.
func (e *Element) Is(space, name string) bool {
	return e != nil && e.Name == name && e.Space == space
}

// in tells whether c, a child of e, is in a namespace.
func (e *Element) in(c *Element, space string) bool {
	return c.Space == space || space == "" && c.Space == e.Space || c.Space == "" && space == e.Space && e.Prefix == ""
}

// Child returns the first child element with that namespace and name, nil if
// there is none or e is nil. space "" means e's own namespace.
func (e *Element) Child(space, name string) *Element {
	if e != nil {
		for i := range e.Children {
			if c := e.Children[i].Element; c != nil && c.Name == name && e.in(c, space) {
				return c
			}
		}
	}
	return nil
}

// ChildText returns the text of Child(space, name), "" if there is none.
func (e *Element) ChildText(space, name string) string { return e.Child(space, name).Text() }

// ChildNS returns the first child element with that namespace, nil if there is
// none or e is nil.
func (e *Element) ChildNS(space string) *Element {
	if e != nil {
		for i := range e.Children {
			if c := e.Children[i].Element; c != nil && e.in(c, space) {
				return c
			}
		}
	}
	return nil
}

// First returns the first child element, nil if there is none or e is nil.
func (e *Element) First() *Element {
	if e != nil {
		for i := range e.Children {
			if c := e.Children[i].Element; c != nil {
				return c
			}
		}
	}
	return nil
}

// Elements ranges over the child elements. A nil e has none.
func (e *Element) Elements() iter.Seq[*Element] {
	return func(yield func(*Element) bool) {
		if e == nil {
			return
		}
		for i := range e.Children {
			if c := e.Children[i].Element; c != nil && !yield(c) {
				return
			}
		}
	}
}

// Named ranges over the child elements with that namespace and name; space ""
// means e's own namespace.
func (e *Element) Named(space, name string) iter.Seq[*Element] {
	return func(yield func(*Element) bool) {
		for c := range e.Elements() {
			if c.Name == name && e.in(c, space) && !yield(c) {
				return
			}
		}
	}
}

// Text returns the text that is a child of e, without that of child elements;
// "" if e is nil. It does not allocate if the text is in one piece.
func (e *Element) Text() string {
	if e == nil {
		return ""
	}
	first, more := "", false
	for i := range e.Children {
		if n := &e.Children[i]; n.Element == nil && !n.raw && n.Text != "" {
			if first != "" {
				more = true
				break
			}
			first = n.Text
		}
	}
	if !more {
		return first
	}
	var b strings.Builder
	for i := range e.Children {
		if n := &e.Children[i]; n.Element == nil && !n.raw {
			b.WriteString(n.Text)
		}
	}
	return b.String()
}

// Clone returns a deep copy of e that may be changed. The strings are shared.
// The copy of nil is nil.
func (e *Element) Clone() *Element {
	if e == nil {
		return nil
	}
	c := *e
	c.Attrs = slices.Clone(e.Attrs)
	c.Children = slices.Clone(e.Children)
	for i := range c.Children {
		c.Children[i].Element = c.Children[i].Element.Clone()
	}
	return &c
}

// Detach returns a deep copy of e whose strings are its own. A tree shares the
// memory of the text that it was read from; what outlives the stanza by long
// is detached.
func (e *Element) Detach() *Element {
	c := e.Clone()
	c.detach()
	return c
}

func (e *Element) detach() {
	if e == nil {
		return
	}
	e.Name, e.Prefix, e.Space = strings.Clone(e.Name), strings.Clone(e.Prefix), strings.Clone(e.Space)
	for i := range e.Attrs {
		a := &e.Attrs[i]
		a.Name, a.Space, a.Value = strings.Clone(a.Name), strings.Clone(a.Space), strings.Clone(a.Value)
	}
	for i := range e.Children {
		e.Children[i].Text = strings.Clone(e.Children[i].Text)
		e.Children[i].Element.detach()
	}
}

// Parse reads the text of one element into a tree. outer holds the
// declarations around it, nil for none; an element that inherits the default
// namespace has it as its Space. The error is an *Error.
func Parse(text string, outer *Context) (*Element, error) {
	b := builders.Get().(*builder)
	defer b.put()
	if err := b.scanner.Scan(text, outer); err != nil {
		return nil, err
	}
	def := ""
	if outer != nil {
		def = outer.Default
	}
	if !b.scanner.Clean {
		text = Normalize(text, outer)
		if err := b.scanner.Scan(text, nil); err != nil {
			return nil, err
		}
	}
	return b.build(text, def, b.scanner.Counts(), false), nil
}

// Counts says how large a tree will be, as a Scanner counts.
type Counts struct{ Elements, Attrs, Texts int32 }

// ParseClean reads text that a Scanner has found to be well-formed and clean
// into a tree, with the counts it gave; it checks nothing. If relative is set,
// the root's namespace is written as "" in the root and in those descendants
// that are in it without another namespace between: the form that Element
// describes for stanzas.
func ParseClean(text string, def string, n Counts, relative bool) *Element {
	b := builders.Get().(*builder)
	defer b.put()
	return b.build(text, def, n, relative)
}

var builders = sync.Pool{New: func() any { return new(builder) }}

// A builder turns clean text into a tree. All elements, attributes and nodes
// of a tree are cut from one allocation each.
type builder struct {
	scanner  Scanner
	open     []openElement
	nodes    []Node // children of the open elements
	bindings []binding
}

type openElement struct {
	e        *Element
	def      string // the default namespace inside
	nodes    int    // where its children begin in nodes
	bindings int    // bindings in force outside
	relative bool   // inside, root's namespace is ""
}

func (b *builder) put() {
	b.scanner.Release()
	clear(b.open[:cap(b.open)])
	clear(b.nodes[:cap(b.nodes)])
	clear(b.bindings[:cap(b.bindings)])
	if cap(b.nodes) > 1024 {
		b.nodes = nil
	}
	builders.Put(b)
}

func (b *builder) lookup(prefix string) string {
	for i := len(b.bindings) - 1; i >= 0; i-- {
		if b.bindings[i].prefix == prefix {
			return b.bindings[i].space
		}
	}
	return NamespaceXML
}

func (b *builder) build(text, def string, n Counts, relative bool) *Element {
	elements := make([]Element, n.Elements)
	attrs := make([]Attr, 0, n.Attrs)
	nodes := make([]Node, 0, n.Elements-1+n.Texts)
	b.open, b.nodes, b.bindings = b.open[:0], b.nodes[:0], b.bindings[:0]
	used := 0
	rootSpace := ""

	finish := func() {
		last := len(b.open) - 1
		o := &b.open[last]
		if from := len(nodes); len(b.nodes) > o.nodes {
			nodes = append(nodes, b.nodes[o.nodes:]...)
			o.e.Children = nodes[from:len(nodes):len(nodes)]
		}
		b.nodes = b.nodes[:o.nodes]
		b.bindings = b.bindings[:o.bindings]
		b.open = b.open[:last]
	}

	for i := 0; i < len(text); {
		if text[i] != '<' {
			j := i + strings.IndexByte(text[i:], '<')
			b.nodes = append(b.nodes, Node{Text: decodeText(text[i:j])})
			i = j
			continue
		}
		if text[i+1] == '/' {
			i += strings.IndexByte(text[i:], '>') + 1
			finish()
			continue
		}

		e := &elements[used]
		used++
		o := openElement{e: e, def: def, bindings: len(b.bindings), relative: relative}
		if last := len(b.open) - 1; last >= 0 {
			o.def, o.relative = b.open[last].def, b.open[last].relative
			b.nodes = append(b.nodes, Node{Element: e})
		}
		o.nodes = len(b.nodes)
		start := i + 1
		for i = start; nameClass[text[i]]&nameByte != 0; i++ {
		}
		name := text[start:i]
		from, prefixed := len(attrs), false
		for text[i] != '>' && text[i] != '/' {
			if isSpace(text[i]) {
				i++
				continue
			}
			start := i
			for nameClass[text[i]]&nameByte != 0 {
				i++
			}
			a := Attr{Name: text[start:i]}
			for text[i] != '\'' && text[i] != '"' {
				i++
			}
			quote := text[i]
			i++
			start = i
			special := false
			for text[i] != quote {
				special = special || text[i] == '&' || text[i] < ' '
				i++
			}
			a.Value = text[start:i]
			if special {
				a.Value = decodeValue(a.Value)
			}
			i++
			switch {
			case a.Name == "xmlns":
				o.def = a.Value
				if a.Value != "" {
					continue
				}
			case strings.HasPrefix(a.Name, "xmlns:"):
				b.bindings = append(b.bindings, binding{a.Name[len("xmlns:"):], a.Value})
			case strings.IndexByte(a.Name, ':') >= 0:
				prefixed = true
			}
			attrs = append(attrs, a)
		}
		e.Attrs = attrs[from:len(attrs):len(attrs)]
		if prefixed {
			for k := range e.Attrs {
				if a := &e.Attrs[k]; !a.IsDeclaration() {
					if p := prefixOf(a.Name); p != "" {
						a.Space = b.lookup(p)
					}
				}
			}
		}
		e.Name, e.Space = name, o.def
		if p := prefixOf(name); p != "" {
			e.Prefix, e.Name, e.Space = p, name[len(p)+1:], b.lookup(p)
		}
		if used == 1 {
			rootSpace = e.Space
		}
		if o.relative && e.Space == rootSpace {
			e.Space = ""
		} else {
			o.relative = false
		}
		empty := text[i] == '/'
		for text[i] != '>' {
			i++
		}
		i++
		b.open = append(b.open, o)
		if empty {
			finish()
		}
	}
	return &elements[0]
}
