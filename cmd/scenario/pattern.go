package scenario

import (
	"fmt"
	"regexp"
	"strings"
)

type patternKind uint8

const (
	patElement patternKind = iota
	patHeader
	patEnd
	patClosed
	patText
	patOther // of transports that are not TCP
)

// A pattern is what an expectation line wants.
type pattern struct {
	src  string
	kind patternKind
	arg  string // text of (text), code of (closed)
	el   *node  // header: its attributes as written; element: resolved for ns
	ns   string
}

var closedPattern = regexp.MustCompile(`^\(closed(?: (\w+))?\)$`)

// parsePattern reads what stands behind "<". ns is the default namespace that
// an element without xmlns is in, as far as it is known before running.
func parsePattern(src, ns string) (*pattern, error) {
	p := &pattern{src: src}
	if m := closedPattern.FindStringSubmatch(src); m != nil {
		p.kind, p.arg = patClosed, m[1]
		return p, nil
	}
	if src == "(end)" {
		p.kind = patEnd
		return p, nil
	}
	if rest, ok := strings.CutPrefix(src, "(text)"); ok {
		p.kind, p.arg = patText, strings.TrimSpace(rest)
		_, err := parseText(p.arg)
		return p, err
	}
	if rest, ok := strings.CutPrefix(src, "(stream-header)"); ok {
		p.kind = patHeader
		rest = strings.TrimSpace(rest)
		if rest == "" {
			return p, nil
		}
		if strings.HasPrefix(rest, "<open") { // WebSocket framing
			el, err := parseElement(rest, streamScope("urn:ietf:params:xml:ns:xmpp-framing"))
			if err != nil {
				return nil, err
			}
			p.el = el
			return p, checkNode(el)
		}
		ev := newReader(true, streamScope("")).feed([]byte(rest))
		if len(ev) != 1 || ev[0].kind != evHeader {
			return nil, fmt.Errorf("not a stream header: %s", rest)
		}
		p.el = ev[0].el
		return p, checkNode(p.el)
	}
	for _, k := range []string{"(http)", "(request)", "(ping)", "(pong)"} {
		if strings.HasPrefix(src, k) {
			p.kind = patOther
			return p, nil
		}
	}
	if !strings.HasPrefix(src, "<") {
		return nil, fmt.Errorf("unknown pattern %s", src)
	}
	if err := p.resolve(ns); err != nil {
		return nil, err
	}
	return p, checkNode(p.el)
}

func (p *pattern) resolve(ns string) error {
	if p.el != nil && p.ns == ns {
		return nil
	}
	el, err := parseElement(p.src, streamScope(ns))
	if err != nil {
		return err
	}
	p.el, p.ns = el, ns
	return nil
}

// checkNode reads all texts of a pattern, to find mistakes before running.
func checkNode(n *node) error {
	for _, a := range n.attrs {
		if a.name == restMark {
			continue
		}
		if _, err := parseText(strings.TrimPrefix(a.value, base64Mark)); err != nil {
			return err
		}
	}
	if _, err := parseText(strings.TrimPrefix(n.text(), base64Mark)); err != nil {
		return err
	}
	for _, k := range n.children() {
		if k.name == restMark || k.name == unorderedMark || k.name == anyMark {
			continue
		}
		if err := checkNode(k); err != nil {
			return err
		}
	}
	return nil
}

// match compares an event. It returns the bindings that hold afterwards, or
// why it does not match.
func (p *pattern) match(e event, b bindings, ns string) (bindings, string) {
	switch p.kind {
	case patEnd:
		if e.kind != evEnd {
			return nil, "not the end of the stream"
		}
		return b, ""
	case patClosed:
		if e.kind != evClosed || p.arg != "" && p.arg != e.text {
			return nil, "not " + p.src
		}
		return b, ""
	case patText:
		if e.kind != evText {
			return nil, "not text"
		}
		fresh, ok := matchText(expandLiterals(p.arg), e.text, b)
		if !ok {
			return nil, "the text differs"
		}
		return b.with(fresh), ""
	case patHeader:
		if e.kind != evHeader {
			return nil, "not a stream header"
		}
		if p.el == nil {
			return b, ""
		}
		return matchHeader(p.el, e.el, b)
	case patOther:
		return nil, "no transport here delivers " + p.src
	}
	if e.kind != evElement {
		return nil, "not an element"
	}
	if err := p.resolve(ns); err != nil {
		return nil, err.Error()
	}
	return matchNode(p.el, e.el, b, "")
}

// matchHeader compares all attributes literally, declarations too.
func matchHeader(p, n *node, b bindings) (bindings, string) {
	for _, a := range n.attrs {
		if !p.hasAttr(a.name) {
			return nil, fmt.Sprintf("unexpected header attribute %s='%s'", a.name, a.value)
		}
	}
	if n.duplicate {
		return nil, "duplicate header attribute"
	}
	for _, a := range p.attrs {
		if !n.hasAttr(a.name) {
			return nil, "header attribute " + a.name + " missing"
		}
		fresh, ok := matchText(a.value, n.attr(a.name), b)
		if !ok {
			return nil, fmt.Sprintf("header %s='%s', expected '%s'", a.name, n.attr(a.name), a.value)
		}
		b = b.with(fresh)
	}
	return b, ""
}

// Names that say how the rest is compared.
const (
	restMark      = "${rest}"
	unorderedMark = "${unordered}"
	anyMark       = "${any}"
)

// matchNode compares an element and what is in it.
func matchNode(p, n *node, b bindings, path string) (bindings, string) {
	if p.name != anyMark && (p.ns != n.ns || p.local != n.local) {
		if path == "" {
			path = "/"
		}
		return nil, fmt.Sprintf("%s: element {%s}%s, expected {%s}%s", path, n.ns, n.local, p.ns, p.local)
	}
	path += "/" + n.local
	if n.duplicate && !p.duplicate {
		return nil, path + ": duplicate attribute"
	}
	b, why := matchAttrs(p, n, b, path)
	if why != "" {
		return nil, why
	}

	var rest, unordered bool
	var want []*node
	for _, k := range p.children() {
		switch k.name {
		case restMark:
			rest = true
		case unorderedMark:
			unordered = true
		default:
			want = append(want, k)
		}
	}
	got := n.children()

	pt, nt := p.text(), n.text()
	if len(got) > 0 && strings.TrimSpace(expandLiterals(pt)) == "" {
		pt = ""
	}
	if strings.TrimSpace(pt) != "" || strings.TrimSpace(nt) != "" && !rest {
		wantText, gotText := pt, nt
		if len(want) > 0 || rest || unordered {
			wantText = strings.TrimSpace(pt)
		}
		if len(got) > 0 {
			gotText = strings.TrimSpace(nt)
		}
		fresh, ok := matchText(wantText, gotText, b)
		if !ok {
			return nil, fmt.Sprintf("%s: text %q, expected %q", path, nt, pt)
		}
		b = b.with(fresh)
	}
	if len(want) == 0 && strings.TrimSpace(pt) == "${*}" {
		return b, ""
	}
	if unordered {
		return matchUnordered(want, got, b, path, rest)
	}
	i := 0
next:
	for _, p := range want {
		why := fmt.Sprintf("%s: child <%s> missing", path, p.name)
		for i < len(got) {
			nb, w := matchNode(p, got[i], b, path)
			i++
			if w == "" {
				b = nb
				continue next
			}
			if why = w; !rest {
				break
			}
		}
		return nil, why
	}
	if i < len(got) && !rest {
		return nil, fmt.Sprintf("%s: unexpected child <%s>", path, got[i].name)
	}
	return b, ""
}

func matchAttrs(p, n *node, b bindings, path string) (bindings, string) {
	find := func(in *node, a attr) *attr {
		for i := range in.attrs {
			if in.attrs[i].ns == a.ns && in.attrs[i].local == a.local {
				return &in.attrs[i]
			}
		}
		return nil
	}
	wild := false
	for _, a := range p.attrs {
		if a.name == restMark {
			wild = true
			continue
		}
		have := find(n, a)
		if have == nil {
			return nil, fmt.Sprintf("%s: attribute %s missing", path, a.name)
		}
		fresh, ok := matchText(a.value, have.value, b)
		if !ok {
			return nil, fmt.Sprintf("%s: %s='%s', expected '%s'", path, a.name, have.value, a.value)
		}
		b = b.with(fresh)
	}
	for _, a := range n.attrs {
		if !wild && find(p, a) == nil {
			return nil, fmt.Sprintf("%s: unexpected attribute %s='%s'", path, a.name, a.value)
		}
	}
	return b, ""
}

// matchUnordered takes for each wanted child the first that fits.
func matchUnordered(want, got []*node, b bindings, path string, rest bool) (bindings, string) {
	left := append([]*node(nil), got...)
next:
	for _, p := range want {
		why := fmt.Sprintf("%s: no child like <%s>", path, p.name)
		for i, c := range left {
			nb, w := matchNode(p, c, b, path)
			if w == "" {
				b = nb
				left = append(left[:i], left[i+1:]...)
				continue next
			}
			if c.local == p.local {
				why = w
			}
		}
		return nil, why
	}
	if len(left) > 0 && !rest {
		return nil, fmt.Sprintf("%s: unexpected child <%s>", path, left[0].name)
	}
	return b, ""
}
