package stanza

import (
	"strings"
	"sync/atomic"

	"meerkat/router/jid"
	"meerkat/router/xml"
)

// Kind is which of the three stanzas one is.
type Kind uint8

const (
	// Message is <message/>.
	Message Kind = iota
	// Presence is <presence/>.
	Presence
	// IQ is <iq/>.
	IQ
)

var kindNames = [...]string{"message", "presence", "iq"}

// String returns the element's name.
func (k Kind) String() string { return kindNames[k] }

func kindOf(name string) (Kind, bool) {
	switch name {
	case "message":
		return Message, true
	case "presence":
		return Presence, true
	case "iq":
		return IQ, true
	}
	return 0, false
}

// A Stanza is one message, presence or IQ. It is shared and never changed.
type Stanza struct {
	Kind Kind
	// Type is the attribute type, "" if there is none.
	Type string
	// ID is the attribute id; HasID tells an empty one from none.
	ID string
	// Lang is the attribute xml:lang, "" if there is none.
	Lang string
	// From and To are the addresses as the peer wrote them, decoded but
	// neither checked nor prepared. They count only while the stanza is on its
	// way into the server, and in replies to a stanza whose addresses could
	// not be read.
	From, To string

	hasID                 bool
	emptyFrom             bool   // from='' is written where there is no address
	scanned               bool   // counts, children, childSpace and childName are known
	space                 origin // the namespace it came in, for the tree
	attrs                 string // all other attributes as written, each after a blank
	content               string // what is between the tags, clean
	childSpace, childName string
	children              int32
	counts                xml.Counts

	tree atomic.Pointer[xml.Element]
}

// HasID tells whether there is an attribute id, be it empty.
func (s *Stanza) HasID() bool { return s.hasID }

// Content returns what stands between the start and the end tag, as XML that
// may be copied. It is "" for an empty element.
func (s *Stanza) Content() string { return s.content }

// copy returns a Stanza that shares everything but the tree.
func (s *Stanza) copy() *Stanza {
	return &Stanza{
		Kind: s.Kind, Type: s.Type, ID: s.ID, Lang: s.Lang, From: s.From, To: s.To,
		hasID: s.hasID, emptyFrom: s.emptyFrom, scanned: s.scanned, attrs: s.attrs, content: s.content, space: s.space,
		children: s.children, childSpace: s.childSpace, childName: s.childName, counts: s.counts,
	}
}

// Options changes how a stanza is written. The zero Options are those of a TCP
// stream.
type Options struct {
	// Namespace is written as xmlns; "" for none. WebSocket and BOSH want
	// jabber:client there (RFC 7395 §3.3.3).
	Namespace string
	// Type replaces the stanza's type unless it is "".
	Type string
}

// AppendTo appends the stanza with the given addresses. Where one is zero,
// what the peer wrote stands, so a reply without addresses is written without.
// Attributes come in the order from, to, type, id, xml:lang, others.
func (s *Stanza) AppendTo(dst []byte, from, to jid.JID, o Options) []byte {
	f, t := from.String(), to.String()
	if f == "" {
		f = s.From
	}
	if t == "" {
		t = s.To
	}
	return s.appendTo(dst, f, t, o)
}

func (s *Stanza) appendTo(dst []byte, from, to string, o Options) []byte {
	name := kindNames[s.Kind]
	dst = append(append(dst, '<'), name...)
	if o.Namespace != "" {
		dst = appendAttr(dst, " xmlns='", o.Namespace)
	}
	if from != "" || s.emptyFrom {
		dst = appendAttr(dst, " from='", from)
	}
	if to != "" {
		dst = appendAttr(dst, " to='", to)
	}
	if o.Type != "" {
		dst = appendAttr(dst, " type='", o.Type)
	} else if s.Type != "" {
		dst = appendAttr(dst, " type='", s.Type)
	}
	if s.hasID {
		dst = appendAttr(dst, " id='", s.ID)
	}
	if s.Lang != "" {
		dst = appendAttr(dst, " xml:lang='", s.Lang)
	}
	dst = append(dst, s.attrs...)
	if s.content == "" {
		return append(dst, "/>"...)
	}
	dst = append(append(append(dst, '>'), s.content...), "</"...)
	return append(append(dst, name...), '>')
}

func appendAttr(dst []byte, before, value string) []byte {
	return append(xml.AppendAttr(append(dst, before...), value), '\'')
}

// String returns the stanza as the peer addressed it, for tests. It holds what
// people wrote and is not for logs.
func (s *Stanza) String() string { return string(s.appendTo(nil, s.From, s.To, Options{})) }

// Element returns the stanza as a tree, root included, with the addresses that
// the peer wrote. The tree is built at the first call and shared: it must not
// be changed. Children in the stanza's own namespace have Space "", and so has
// the root. It is safe for concurrent use.
func (s *Stanza) Element() *xml.Element {
	if e := s.tree.Load(); e != nil {
		return e
	}
	text := s.String()
	n := s.counts
	if !s.scanned {
		var sc xml.Scanner
		if sc.Scan(text, nil) != nil {
			// Only FromRaw and AddRaw can bring this about.
			text, n = s.withContent("").String(), xml.Counts{Elements: 1}
		} else {
			n = sc.Counts()
		}
	}
	e := xml.ParseClean(text, s.namespace(), n, true)
	if !s.tree.CompareAndSwap(nil, e) {
		return s.tree.Load()
	}
	return e
}

// origin is one of the namespaces that stanzas come in. What came in another
// one, or in none, is taken for a client's.
type origin uint8

const (
	fromClient origin = iota
	fromServer
	fromComponent
)

func originOf(space string) origin {
	switch space {
	case NSServer:
		return fromServer
	case NSComponent:
		return fromComponent
	}
	return fromClient
}

// namespace returns the namespace in which the stanza's children are its own.
func (s *Stanza) namespace() string {
	return [...]string{NSClient, NSServer, NSComponent}[s.space]
}

// Payload returns namespace and name of the first child element, and how many
// child elements there are. The namespace is "" if it is the stanza's own. It
// builds no tree for a stanza that was parsed.
func (s *Stanza) Payload() (space, name string, n int) {
	if s.scanned {
		return s.childSpace, s.childName, int(s.children)
	}
	for c := range s.Element().Elements() {
		if n++; n == 1 {
			space, name = c.Space, c.Name
		}
	}
	return space, name, n
}

// Mentions tells whether the content holds a text, as written. It is a quick
// test before a tree is built: an element whose name is not mentioned is not
// there.
func (s *Stanza) Mentions(text string) bool { return strings.Contains(s.content, text) }

// Child returns the first child element with that name in the stanza's own
// namespace, nil if there is none. It builds a tree only if the name occurs.
func (s *Stanza) Child(name string) *xml.Element { return s.ChildNS("", name) }

// ChildNS returns the first child element with that namespace and name, nil if
// there is none. It builds a tree only if the name occurs.
func (s *Stanza) ChildNS(space, name string) *xml.Element {
	if !s.Mentions(name) {
		return nil
	}
	return s.Element().Child(space, name)
}

// Attr returns the value of an attribute as the peer wrote it, "" if there is
// none. Type, ID, Lang, From and To are cheaper as fields.
func (s *Stanza) Attr(name string) string {
	switch name {
	case "type":
		return s.Type
	case "id":
		return s.ID
	case "xml:lang":
		return s.Lang
	case "from":
		return s.From
	case "to":
		return s.To
	}
	if !strings.Contains(s.attrs, name) {
		return ""
	}
	return s.Element().Attr(name)
}

// A Packet is a stanza on its way, with prepared addresses that are written
// only when it leaves the server.
type Packet struct {
	From, To jid.JID
	Stanza   *Stanza
}

// AppendTo appends the stanza with the packet's addresses.
func (p *Packet) AppendTo(dst []byte, o Options) []byte {
	return p.Stanza.AppendTo(dst, p.From, p.To, o)
}
