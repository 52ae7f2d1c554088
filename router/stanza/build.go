package stanza

import (
	"strings"

	"meerkat/router/xml"
)

// New returns a stanza of the server's own. typ "" leaves the attribute out,
// and so does id. Children whose Space is "" or jabber:client are in the
// stanza's namespace.
func New(kind Kind, typ, id string, children ...*xml.Element) *Stanza {
	return FromRaw(kind, typ, id, string(appendElements(nil, children)))
}

// FromRaw is New for content that is XML already, for answers that are sent
// often. It must be well-formed and clean (xml.Scanner.Clean); nobody checks
// that.
func FromRaw(kind Kind, typ, id, content string) *Stanza {
	return &Stanza{Kind: kind, Type: typ, ID: id, hasID: id != "", content: content}
}

func appendElements(dst []byte, els []*xml.Element) []byte {
	for _, e := range els {
		if e != nil {
			dst = e.AppendTo(dst, NSClient)
		}
	}
	return dst
}

// Result returns the answer to an IQ: type result, the request's id and the
// payload. Addresses are the packet's business, xml:lang is not copied, and a
// request without an id is answered with an empty one, as in the reference.
func Result(req *Stanza, payload ...*xml.Element) *Stanza {
	st := New(IQ, "result", req.ID, payload...)
	st.hasID = true
	return st
}

// ResultRaw is Result for a payload that is XML already; see FromRaw.
func ResultRaw(req *Stanza, payload string) *Stanza {
	st := FromRaw(IQ, "result", req.ID, payload)
	st.hasID = true
	return st
}

// ErrorReply returns the answer to a stanza that could not be handled: its
// attributes with type error, its addresses as written exchanged, its children
// and then the error.
func ErrorReply(req *Stanza, e *Error) *Stanza {
	st := ErrorReplyEmpty(req, e)
	st.content = req.content + st.content
	return st
}

// ErrorReplyEmpty is ErrorReply without the children of req, as mod_mam and
// others answer.
func ErrorReplyEmpty(req *Stanza, e *Error) *Stanza {
	return &Stanza{
		Kind: req.Kind, Type: "error", ID: req.ID, Lang: req.Lang, From: req.To, To: req.From,
		hasID: req.hasID, attrs: req.attrs, space: req.space,
		content: string(e.AppendTo(make([]byte, 0, 128))),
	}
}

// WithType returns s with another type; "" removes it.
func (s *Stanza) WithType(typ string) *Stanza {
	if typ == s.Type {
		return s
	}
	c := s.copy()
	c.Type = typ
	return c
}

// WithID returns s with another id; "" removes it.
func (s *Stanza) WithID(id string) *Stanza {
	c := s.copy()
	c.ID, c.hasID = id, id != ""
	return c
}

// WithLang returns s with another xml:lang; "" removes it.
func (s *Stanza) WithLang(lang string) *Stanza {
	if lang == s.Lang {
		return s
	}
	c := s.copy()
	c.Lang = lang
	return c
}

// WithAddresses returns s with other addresses as written, for stanzas that
// are stored or shown outside a Packet.
func (s *Stanza) WithAddresses(from, to string) *Stanza {
	c := s.copy()
	c.From, c.To = from, to
	return c
}

func (s *Stanza) withContent(content string) *Stanza {
	c := s.copy()
	c.content, c.scanned = content, false
	return c
}

// With returns s with children added at the end. Children whose Space is "" or
// jabber:client are in the stanza's namespace.
func (s *Stanza) With(children ...*xml.Element) *Stanza {
	b := append(make([]byte, 0, len(s.content)+128), s.content...)
	return s.withContent(string(appendElements(b, children)))
}

// Prepend returns s with children added before the others.
func (s *Stanza) Prepend(children ...*xml.Element) *Stanza {
	b := appendElements(make([]byte, 0, len(s.content)+128), children)
	return s.withContent(string(append(b, s.content...)))
}

// WithChildren returns s with these children instead of its own.
func (s *Stanza) WithChildren(children ...*xml.Element) *Stanza {
	return s.withContent(string(appendElements(nil, children)))
}

// Without returns s without the child elements for which drop is true, and s
// itself if there are none. hint is a text that occurs, as written, in each of
// them; if it is not in the content, no tree is built. "" means that any child
// may go.
func (s *Stanza) Without(hint string, drop func(*xml.Element) bool) *Stanza {
	if s.content == "" || !strings.Contains(s.content, hint) {
		return s
	}
	root := s.Element()
	found := false
	for c := range root.Elements() {
		if drop(c) {
			found = true
			break
		}
	}
	if !found {
		return s
	}
	kept := *root
	kept.Children = nil
	for _, n := range root.Children {
		if n.Element == nil || !drop(n.Element) {
			kept.Children = append(kept.Children, n)
		}
	}
	return s.withContent(string(appendNodes(nil, &kept)))
}

// WithoutDelay returns s without the time stamps that only servers may set
// (XEP-0203 and XEP-0091): the reference takes them from what clients send.
func (s *Stanza) WithoutDelay() *Stanza {
	return s.Without("delay", func(e *xml.Element) bool {
		return e.Is("urn:xmpp:delay", "delay") || e.Is("jabber:x:delay", "x")
	})
}
