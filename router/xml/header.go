package xml

import (
	"strings"
	"unicode/utf8"
)

// A Header is the start tag of a root: what a stream header says.
type Header struct {
	Name, Prefix, Space string
	Attrs               []Attr  // declarations too, in their order
	Context             Context // what the elements below stand in
	// Size is what max_stanza_size is compared with: len(name)+2 and
	// len(name)+len(value)+4 for each attribute.
	Size int
}

// ParseHeader reads the Raw of an Open token. The error is an *Error.
func ParseHeader(raw []byte) (*Header, error) {
	text := string(raw)
	if !utf8.ValidString(text) {
		return nil, malformed("not UTF-8", 0)
	}
	var s Scanner
	s.reset(text, nil)
	if len(text) < 3 || text[0] != '<' {
		return nil, malformed("no element", 0)
	}
	end, err := s.startTag(0)
	if err != nil {
		return nil, err
	}
	if end != len(text) {
		return nil, malformed("something follows the tag", end)
	}
	h := &Header{Name: s.Name, Prefix: s.Prefix, Space: s.Space, Attrs: make([]Attr, s.Attrs())}
	h.Size = len(h.Name) + 2
	if h.Prefix != "" {
		h.Size += len(h.Prefix) + 1
	}
	for i := range h.Attrs {
		a := Attr{Name: s.AttrName(i), Value: s.AttrValue(i)}
		if p := prefixOf(a.Name); p != "" && p != "xmlns" {
			a.Space, _ = s.lookup(p)
		}
		h.Attrs[i] = a
		h.Size += len(a.Name) + len(a.Value) + 4
		if a.Name == "xmlns" {
			h.Context.Default = a.Value
		} else if prefix, ok := strings.CutPrefix(a.Name, "xmlns:"); ok {
			h.Context.Bindings = append(h.Context.Bindings, Binding{prefix, a.Value})
		}
	}
	return h, nil
}

// Attr returns the value of the attribute with that name as written ("to",
// "xml:lang"), "" if there is none.
func (h *Header) Attr(name string) string {
	v, _ := h.LookupAttr(name)
	return v
}

// LookupAttr is Attr that also tells whether there is such an attribute.
func (h *Header) LookupAttr(name string) (string, bool) {
	for i := range h.Attrs {
		if h.Attrs[i].Name == name {
			return h.Attrs[i].Value, true
		}
	}
	return "", false
}

// AttrNS returns the value of the attribute with that namespace and local
// name, whatever its prefix: xmpp:restart of BOSH.
func (h *Header) AttrNS(space, local string) (string, bool) {
	return attrNS(h.Attrs, space, local)
}

func attrNS(attrs []Attr, space, local string) (string, bool) {
	for i := range attrs {
		if a := &attrs[i]; a.Space == space && a.Local() == local && !a.IsDeclaration() {
			return a.Value, true
		}
	}
	return "", false
}
