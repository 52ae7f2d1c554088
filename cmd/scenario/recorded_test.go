package scenario

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// sample values by class.
var samples = map[string]string{
	"any": "a b", "some": "x", "word": "w-1", "hex": "0f", "HEX": "0F", "b64": "QUJD", "int": "42",
	"uuid": "01234567-89ab-cdef-0123-456789abcdef", "ts": "2015-01-02T03:04:05Z", "auto": "value",
}

// fill makes a text that a pattern matches.
func fill(pat string, vars bindings) string {
	rest, coded := strings.CutPrefix(pat, base64Mark)
	segs, err := parseText(rest)
	if err != nil {
		panic(err)
	}
	var b strings.Builder
	for _, s := range segs {
		v, bound := vars[s.name]
		switch {
		case s.class == "":
			b.WriteString(s.literal)
		case bound && s.name != "":
			b.WriteString(v)
		default:
			v = samples[s.class]
			if s.name != "" {
				vars[s.name] = v
			}
			b.WriteString(v)
		}
	}
	if coded {
		out, _ := template{{name: "b64", call: true, args: template{{text: b.String()}}}}.expand(nil, false)
		return out
	}
	return b.String()
}

// instance makes an element that a pattern matches.
func instance(p *node, vars bindings) *node {
	n := &node{name: p.name, ns: p.ns, local: p.local, duplicate: p.duplicate}
	if p.name == anyMark {
		n.name, n.ns, n.local = "something", "urn:any", "something"
	}
	for _, a := range p.attrs {
		if a.name != restMark {
			a.value = fill(a.value, vars)
			n.attrs = append(n.attrs, a)
		}
	}
	unordered := false
	for _, k := range p.kids {
		switch {
		case k.el == nil:
			n.kids = append(n.kids, kid{text: fill(k.text, vars)})
		case k.el.name == unorderedMark:
			unordered = true
		case k.el.name != restMark:
			n.kids = append(n.kids, kid{el: instance(k.el, vars)})
		}
	}
	if unordered {
		slices.Reverse(n.kids)
	}
	return n
}

// Every pattern of the project's scenarios matches what it describes, also
// after that was written and read again, and nothing that has more in it.
func TestRecordedPatterns(t *testing.T) {
	all, err := LoadAll("../../testdata/scenarios")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, sc := range all {
		for _, l := range sc.lines {
			if l.want == nil || l.want.kind != patElement {
				continue
			}
			p, vars := l.want, bindings{}
			n := instance(p.el, vars)
			where := fmt.Sprintf("%s:%d", sc.Path, l.no)
			check := func(what string, n *node, match bool) {
				if _, why := p.match(event{el: n}, bindings{}, p.ns); (why == "") != match {
					t.Errorf("%s: %s: %q: %s", where, what, why, event{el: n})
				}
			}
			check("instance", n, true)
			var b strings.Builder
			n.format(&b, nsClient)
			again, err := parseElement(b.String(), streamScope(nsClient))
			if err != nil {
				t.Errorf("%s: %v", where, err)
				continue
			}
			check("written and read", again, true)
			if !p.el.hasAttr(restMark) {
				n.attrs = append(n.attrs, attr{name: "extra", local: "extra", value: "1"})
				check("one attribute more", n, false)
			}
			count++
		}
	}
	if count < 1000 {
		t.Errorf("only %d patterns", count)
	}
}
