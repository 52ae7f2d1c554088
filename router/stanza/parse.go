package stanza

import (
	"strings"
	"sync"

	"meerkat/router/xml"
)

// A Parser turns complete elements into stanzas. One Parser serves one stream
// at a time; it is not safe for concurrent use. The zero Parser is ready.
type Parser struct {
	// Context holds the declarations of the stream header, nil for none.
	Context *xml.Context

	scanner xml.Scanner
}

// Parse reads a complete element, as a Framer cuts it. It returns a Stanza if
// the element is one, else the element as a tree; for the size see
// xml.Scanner.Size: the caller compares it with max_stanza_size. The error is
// an *xml.Error. What is returned does not share memory with raw.
func (p *Parser) Parse(raw []byte) (st *Stanza, el *xml.Element, size int, err error) {
	return p.ParseString(string(raw))
}

// ParseString is Parse for a text that is not going to change, such as a
// stored one; what is returned shares its memory.
func (p *Parser) ParseString(text string) (st *Stanza, el *xml.Element, size int, err error) {
	sc := &p.scanner
	if err := sc.Scan(text, p.Context); err != nil {
		return nil, nil, 0, err
	}
	size = sc.Size
	kind, ok := kindOf(sc.Name)
	if ok && !p.isStanza(sc.Space) || !ok {
		el, err = xml.Parse(text, p.Context)
		return nil, el, size, err
	}
	if sc.Prefix != "" {
		// The default namespace inside may be another than the stanza's, so
		// the content cannot go below a start tag without the prefix as it is.
		if el, err = xml.Parse(text, p.Context); err != nil {
			return nil, nil, 0, err
		}
		st, _ = FromElement(el)
		return st, nil, size, nil
	}
	if !sc.Clean {
		text = xml.Normalize(text, p.Context)
		if err := sc.Scan(text, p.Context); err != nil {
			return nil, nil, 0, err
		}
	}
	st = &Stanza{
		Kind: kind, scanned: true,
		content:  text[sc.ContentFrom:sc.ContentTo],
		children: int32(sc.Children), childSpace: sc.ChildSpace, childName: sc.ChildName,
		counts: sc.Counts(),
		space:  originOf(sc.Space),
	}
	if st.childSpace != "" && st.childSpace == st.namespace() {
		st.childSpace = ""
	}
	for i := range sc.Attrs() {
		switch sc.AttrName(i) {
		case "xmlns":
		case "to":
			st.To = sc.AttrValue(i)
		case "from":
			st.From = sc.AttrValue(i)
		case "type":
			st.Type = sc.AttrValue(i)
		case "id":
			st.ID, st.hasID = sc.AttrValue(i), true
		case "xml:lang":
			st.Lang = sc.AttrValue(i)
		default:
			if st.attrs == "" {
				st.attrs = sc.AttrText(i)
			} else {
				st.attrs += sc.AttrText(i)
			}
		}
	}
	return st, nil, size, nil
}

// isStanza tells whether a message, presence or iq in that namespace is a
// stanza of this stream.
func (p *Parser) isStanza(space string) bool {
	switch space {
	case "", NSClient, NSServer, NSComponent:
		return true
	}
	return p.Context != nil && space == p.Context.Default
}

// Scanner returns the scanner with its findings about the element that Parse
// has read last; they are valid until the next Parse.
func (p *Parser) Scanner() *xml.Scanner { return &p.scanner }

var parsers = sync.Pool{New: func() any { return new(Parser) }}

// Parse is Parser.Parse with a Parser from a pool.
func Parse(raw []byte, context *xml.Context) (st *Stanza, el *xml.Element, size int, err error) {
	return ParseString(string(raw), context)
}

// ParseString is Parser.ParseString with a Parser from a pool.
func ParseString(text string, context *xml.Context) (st *Stanza, el *xml.Element, size int, err error) {
	p := parsers.Get().(*Parser)
	p.Context = context
	st, el, size, err = p.ParseString(text)
	p.Context = nil
	p.scanner.Release()
	parsers.Put(p)
	return st, el, size, err
}

// FromElement makes a stanza of a tree, for instance one that is forwarded
// inside another; ok is false if its name is no stanza's. Addresses are taken
// as they stand.
func FromElement(e *xml.Element) (st *Stanza, ok bool) {
	kind, ok := kindOf(e.Name)
	if !ok {
		return nil, false
	}
	st = &Stanza{Kind: kind, space: originOf(e.Space)}
	var attrs []byte
	for i := range e.Attrs {
		a := &e.Attrs[i]
		switch a.Name {
		case "xmlns":
		case "to":
			st.To = a.Value
		case "from":
			st.From = a.Value
		case "type":
			st.Type = a.Value
		case "id":
			st.ID, st.hasID = a.Value, true
		case "xml:lang":
			st.Lang = a.Value
		default:
			attrs = appendAttr(append(append(append(attrs, ' '), a.Name...), "="...), "'", a.Value)
		}
	}
	st.attrs = string(attrs)
	st.content = string(appendNodes(nil, e))
	return st, true
}

// appendNodes appends the content of e, a stanza's root, for a start tag that
// has e's declarations.
func appendNodes(dst []byte, e *xml.Element) []byte {
	var bound []xml.Binding
	for i := range e.Attrs {
		if p, ok := strings.CutPrefix(e.Attrs[i].Name, "xmlns:"); ok {
			bound = append(bound, xml.Binding{Prefix: p, Space: e.Attrs[i].Value})
		}
	}
	inner := *e
	inner.Attrs, inner.Prefix, inner.Space, inner.Name = nil, "", "", "x"
	if e.Space != "" && e.Space != NSClient {
		inner.Children = nil
		for _, n := range e.Children {
			if n.Element != nil && n.Element.Space == e.Space {
				c := *n.Element
				c.Space = ""
				n.Element = &c
			}
			inner.Children = append(inner.Children, n)
		}
	}
	from := len(dst)
	dst = inner.AppendTo(dst, NSClient, bound...)
	if len(inner.Children) == 0 {
		return dst[:from]
	}
	n := copy(dst[from:], dst[from+len("<x>"):len(dst)-len("</x>")])
	return dst[:from+n]
}
