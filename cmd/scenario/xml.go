package scenario

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Namespaces that streams are made of.
const (
	nsStream  = "http://etherx.jabber.org/streams"
	nsClient  = "jabber:client"
	nsSASL    = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsTLS     = "urn:ietf:params:xml:ns:xmpp-tls"
	nsBind    = "urn:ietf:params:xml:ns:xmpp-bind"
	nsSession = "urn:ietf:params:xml:ns:xmpp-session"
	nsZlib    = "http://jabber.org/protocol/compress"
)

// unbound stands for the namespace of a name whose prefix was not declared.
const unbound = "(unbound prefix)"

// maxPending bounds what is read of one element, and of a flood that is no
// element, before a connection is given up: 16 MiB.
const maxPending = 16 << 20

// A node is an element as it was written.
type node struct {
	name      string // with its prefix
	ns, local string // set by resolve
	attrs     []attr // without namespace declarations once resolved
	kids      []kid
	duplicate bool // an attribute stood there twice
	raw       string
}

// An attr is an attribute; ns is "" for one without prefix.
type attr struct {
	name, value string
	ns, local   string
}

// A kid is either a child element or character data.
type kid struct {
	el   *node
	text string
}

func (n *node) text() string {
	if len(n.kids) == 1 {
		return n.kids[0].text
	}
	var b strings.Builder
	for _, k := range n.kids {
		b.WriteString(k.text)
	}
	return b.String()
}

func (n *node) children() []*node {
	var out []*node
	for _, k := range n.kids {
		if k.el != nil {
			out = append(out, k.el)
		}
	}
	return out
}

// child returns the first child element of that local name, nil if there is none.
func (n *node) child(local string) *node {
	for _, k := range n.kids {
		if k.el != nil && k.el.local == local {
			return k.el
		}
	}
	return nil
}

// attr returns the value of the attribute as written, "" if it is absent.
func (n *node) attr(name string) string {
	for _, a := range n.attrs {
		if a.name == name {
			return a.value
		}
	}
	return ""
}

func (n *node) hasAttr(name string) bool {
	for _, a := range n.attrs {
		if a.name == name {
			return true
		}
	}
	return false
}

// A scope maps prefixes to namespaces; "" is the default namespace.
type scope struct {
	prefix, ns string
	up         *scope
}

func (s *scope) bind(prefix, ns string) *scope { return &scope{prefix, ns, s} }

func (s *scope) lookup(prefix string) (string, bool) {
	if prefix == "xml" {
		return "xml", true
	}
	for ; s != nil; s = s.up {
		if s.prefix == prefix {
			return s.ns, true
		}
	}
	return "", false
}

// streamScope is what is bound inside a stream whose default namespace is ns.
func streamScope(ns string) *scope {
	var s *scope
	return s.bind("db", "jabber:server:dialback").bind("stream", nsStream).bind("", ns)
}

// resolve sets the namespaces of n and below and drops the declarations.
func (n *node) resolve(s *scope) {
	declares := false
	for _, a := range n.attrs {
		if a.name == "xmlns" {
			s = s.bind("", a.value)
			declares = true
		} else if p, ok := strings.CutPrefix(a.name, "xmlns:"); ok {
			s = s.bind(p, a.value)
			declares = true
		}
	}
	if p, l, ok := strings.Cut(n.name, ":"); ok {
		if n.ns, ok = s.lookup(p); ok {
			n.local = l
		} else {
			n.ns, n.local = unbound, n.name
		}
	} else {
		n.ns, _ = s.lookup("")
		n.local = n.name
	}
	if declares {
		kept := n.attrs[:0]
		for _, a := range n.attrs {
			if a.name != "xmlns" && !strings.HasPrefix(a.name, "xmlns:") {
				kept = append(kept, a)
			}
		}
		n.attrs = kept
	}
	for i := range n.attrs {
		a := &n.attrs[i]
		a.ns, a.local = "", a.name
		if p, l, ok := strings.Cut(a.name, ":"); ok {
			if ns, ok := s.lookup(p); ok {
				a.ns, a.local = ns, l
			}
		}
	}
	for _, k := range n.kids {
		if k.el != nil {
			k.el.resolve(s)
		}
	}
}

type eventKind uint8

const (
	evElement eventKind = iota // a whole element, or a child of the stream
	evHeader                   // a stream header; el is not resolved
	evEnd                      // the end of the stream
	evClosed                   // the connection is closed; text says how, if known
	evText                     // characters outside any element
	evFault                    // the runner gives the connection up; text says why
)

// An event is one thing received.
type event struct {
	kind eventKind
	el   *node
	text string
}

// A reader cuts what arrives into events. It is lenient: what is not XML
// comes out as text, so that a scenario can say so.
type reader struct {
	stream bool // the children of a root "stream" are delivered, else roots
	opened bool
	scope  *scope

	buf   []byte
	from  int // where the search for the end of a token goes on
	stack []*node
	raw   strings.Builder // the element being read, as written
	out   []event
}

func newReader(stream bool, s *scope) *reader { return &reader{stream: stream, scope: s} }

// feed takes more input and returns what is complete by now. White space
// between elements, and around text between elements, is dropped.
func (r *reader) feed(p []byte) []event {
	r.buf = append(r.buf, p...)
	for r.step() {
	}
	if len(r.buf)+r.raw.Len() > maxPending {
		r.out = append(r.out, event{kind: evFault, text: fmt.Sprintf("more than %d bytes without the end of an element", maxPending)})
		r.buf = nil
	}
	if len(r.buf) == 0 {
		r.buf = nil
	}
	out := r.out
	r.out = nil
	return out
}

// rest is what was begun and not ended: characters or an element.
func (r *reader) rest() string {
	s := string(r.buf)
	if len(r.stack) > 0 {
		s = r.raw.String() + s
	}
	return strings.TrimSpace(s)
}

// take cuts n bytes off the input.
func (r *reader) take(n int) string {
	s := string(r.buf[:n])
	r.buf, r.from = r.buf[n:], 0
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	return s
}

// upTo returns the length of the input up to and with mark, 0 if it is not there yet.
func (r *reader) upTo(mark string) int {
	i := bytes.Index(r.buf[r.from:], []byte(mark))
	if i < 0 {
		r.from = max(r.from, len(r.buf)-len(mark)+1)
		return 0
	}
	return r.from + i + len(mark)
}

// step reads one token; false if there is not a whole one.
func (r *reader) step() bool {
	b := r.buf
	switch {
	case len(b) == 0:
		return false
	case b[0] != '<':
		i := bytes.IndexByte(b[r.from:], '<')
		if i < 0 {
			if len(r.stack) == 0 && len(bytes.TrimSpace(b)) == 0 {
				r.take(len(b))
			}
			r.from = len(r.buf)
			return false
		}
		s := r.take(r.from + i)
		r.text(s, unescape(s))
	case bytes.HasPrefix(b, []byte("<![")):
		n := r.upTo("]]>")
		if n == 0 {
			return false
		}
		s := r.take(n)
		r.text(s, strings.TrimPrefix(s[:len(s)-3], "<![CDATA["))
	case bytes.HasPrefix(b, []byte("<!--")):
		n := r.upTo("-->")
		if n == 0 {
			return false
		}
		r.take(n)
	case bytes.HasPrefix(b, []byte("<?")):
		n := r.upTo("?>")
		if n == 0 {
			return false
		}
		r.take(n)
	case len(b) < 4 && bytes.HasPrefix([]byte("<!--"), b):
		return false
	default:
		n := tagLength(b)
		if n == 0 {
			return false
		}
		if tag := r.take(n); strings.HasPrefix(tag, "</") {
			r.endTag(tag)
		} else {
			r.startTag(tag)
		}
	}
	return true
}

// tagLength returns the length of the tag that b begins with, 0 if its end is
// not there. A '>' within quotes does not end it.
func tagLength(b []byte) int {
	quote := byte(0)
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i + 1
		}
	}
	return 0
}

func (r *reader) text(raw, s string) {
	if n := len(r.stack); n > 0 {
		r.raw.WriteString(raw)
		top := r.stack[n-1]
		top.kids = append(top.kids, kid{text: s})
	} else if s = strings.TrimSpace(s); s != "" {
		r.out = append(r.out, event{kind: evText, text: s})
	}
}

func (r *reader) endTag(tag string) {
	name := strings.TrimSpace(tag[2 : len(tag)-1])
	n := len(r.stack)
	if n == 0 {
		if r.stream && r.opened {
			r.opened = false
			r.out = append(r.out, event{kind: evEnd})
		} else {
			r.out = append(r.out, event{kind: evText, text: tag})
		}
		return
	}
	r.raw.WriteString(tag)
	el := r.stack[n-1]
	r.stack = r.stack[:n-1]
	if el.name != name {
		r.out = append(r.out, event{kind: evText, text: fmt.Sprintf("mismatched %s for <%s>", tag, el.name)})
	}
	if n == 1 {
		r.emit(el)
	}
}

func (r *reader) startTag(tag string) {
	el, empty := parseTag(tag)
	if el == nil {
		r.out = append(r.out, event{kind: evText, text: tag})
		return
	}
	if r.stream && !r.opened && len(r.stack) == 0 && !empty && localName(el.name) == "stream" {
		el.raw, r.opened = tag, true
		for _, a := range el.attrs {
			if a.name == "xmlns" {
				r.scope = r.scope.bind("", a.value)
			} else if p, ok := strings.CutPrefix(a.name, "xmlns:"); ok {
				r.scope = r.scope.bind(p, a.value)
			}
		}
		r.out = append(r.out, event{kind: evHeader, el: el})
		return
	}
	if n := len(r.stack); n > 0 {
		top := r.stack[n-1]
		top.kids = append(top.kids, kid{el: el})
	} else {
		r.raw.Reset()
	}
	r.raw.WriteString(tag)
	switch {
	case !empty:
		r.stack = append(r.stack, el)
	case len(r.stack) == 0:
		r.emit(el)
	}
}

func (r *reader) emit(el *node) {
	el.raw = r.raw.String()
	r.raw.Reset()
	el.resolve(r.scope)
	r.out = append(r.out, event{kind: evElement, el: el})
	if r.stream {
		switch [2]string{el.ns, el.local} {
		case [2]string{nsSASL, "success"}, [2]string{nsTLS, "proceed"}, [2]string{nsZlib, "compressed"}:
			r.opened = false // a new stream follows
		}
	}
}

func localName(name string) string { return name[strings.LastIndexByte(name, ':')+1:] }

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// parseTag reads a start tag; nil if it has no name.
func parseTag(tag string) (el *node, empty bool) {
	s := tag[1 : len(tag)-1]
	if s, empty = strings.CutSuffix(s, "/"); s == "" {
		return nil, false
	}
	i := 0
	for i < len(s) && !isSpace(s[i]) && s[i] != '/' {
		i++
	}
	if i == 0 {
		return nil, false
	}
	el = &node{name: s[:i]}
	for i < len(s) {
		for i < len(s) && (isSpace(s[i]) || s[i] == '=') {
			i++
		}
		j := i
		for j < len(s) && !isSpace(s[j]) && s[j] != '=' {
			j++
		}
		name := s[i:j]
		for j < len(s) && isSpace(s[j]) {
			j++
		}
		if j+1 >= len(s) || s[j] != '=' {
			i = j
			continue // no value: not an attribute
		}
		j++
		for j < len(s) && isSpace(s[j]) {
			j++
		}
		if j == len(s) || s[j] != '"' && s[j] != '\'' {
			i = j
			continue
		}
		k := strings.IndexByte(s[j+1:], s[j])
		if k < 0 {
			break
		}
		value := unescape(s[j+1 : j+1+k])
		i = j + k + 2
		if el.hasAttr(name) {
			el.duplicate = true
			continue
		}
		el.attrs = append(el.attrs, attr{name: name, value: value})
	}
	return el, empty
}

var entities = map[string]string{"lt": "<", "gt": ">", "amp": "&", "quot": `"`, "apos": "'"}

// unescape replaces the five entities and character references; what it does
// not know stays.
func unescape(s string) string {
	if strings.IndexByte(s, '&') < 0 {
		return s
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '&')
		if i < 0 {
			break
		}
		b.WriteString(s[:i])
		s = s[i:]
		j := strings.IndexByte(s, ';')
		if j < 0 {
			break
		}
		name := s[1:j]
		if v, ok := entities[name]; ok {
			b.WriteString(v)
			s = s[j+1:]
		} else if c, ok := charRef(name); ok {
			b.WriteRune(c)
			s = s[j+1:]
		} else {
			b.WriteByte('&')
			s = s[1:]
		}
	}
	b.WriteString(s)
	return b.String()
}

func charRef(name string) (rune, bool) {
	base, digits := 10, strings.TrimPrefix(name, "#")
	if digits == name {
		return 0, false
	}
	if strings.HasPrefix(digits, "x") || strings.HasPrefix(digits, "X") {
		base, digits = 16, digits[1:]
	}
	n, err := strconv.ParseUint(digits, base, 21)
	return rune(n), err == nil
}

var (
	textEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	attrEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&apos;", `"`, "&quot;")
)

// parseElement reads text that is exactly one element.
func parseElement(text string, s *scope) (*node, error) {
	r := newReader(false, s)
	var el *node
	for _, e := range r.feed([]byte(text)) {
		if e.kind == evText && strings.HasPrefix(e.text, "mismatched") {
			return nil, fmt.Errorf("%s: %s", e.text, text)
		}
		if e.kind == evElement {
			if el != nil {
				return nil, fmt.Errorf("more than one element: %s", text)
			}
			el = e.el
		}
	}
	if el == nil || r.rest() != "" {
		return nil, fmt.Errorf("not one whole element: %s", text)
	}
	return el, nil
}

// format writes a resolved element; outer is the default namespace around it.
func (n *node) format(b *strings.Builder, outer string) {
	name, ns := n.local, n.ns
	switch {
	case ns == nsStream && (name == "features" || name == "error"):
		name, ns = "stream:"+name, outer
	case ns == unbound:
		name, ns = n.name, outer
	}
	b.WriteString("<" + name)
	if ns != outer {
		b.WriteString(" xmlns='" + attrEscaper.Replace(ns) + "'")
	}
	declared := ""
	for _, a := range n.attrs {
		key := a.local
		switch a.ns {
		case "":
		case "xml":
			key = "xml:" + a.local
		default:
			if declared != a.ns {
				declared = a.ns
				b.WriteString(" xmlns:p='" + attrEscaper.Replace(a.ns) + "'")
			}
			key = "p:" + a.local
		}
		b.WriteString(" " + key + "='" + attrEscaper.Replace(a.value) + "'")
	}
	if len(n.kids) == 0 {
		b.WriteString("/>")
		return
	}
	b.WriteByte('>')
	for _, k := range n.kids {
		if k.el != nil {
			k.el.format(b, ns)
		} else {
			b.WriteString(textEscaper.Replace(k.text))
		}
	}
	b.WriteString("</" + name + ">")
}

// String renders an event in the form of a scenario line.
func (e event) String() string {
	switch e.kind {
	case evElement:
		var b strings.Builder
		e.el.format(&b, nsClient)
		return b.String()
	case evHeader:
		return "(stream-header) " + e.el.raw
	case evEnd:
		return "(end)"
	case evClosed:
		if e.text != "" {
			return "(closed " + e.text + ")"
		}
		return "(closed)"
	case evFault:
		return "(given up: " + e.text + ")"
	}
	return "(text) " + strings.ReplaceAll(e.text, "\n", "${nl}")
}
