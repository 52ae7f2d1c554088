package scenario

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// bindings are the variables of a running scenario.
type bindings map[string]string

// with returns a copy of b and more.
func (b bindings) with(more bindings) bindings {
	if len(more) == 0 {
		return b
	}
	c := make(bindings, len(b)+len(more))
	for k, v := range b {
		c[k] = v
	}
	for k, v := range more {
		c[k] = v
	}
	return c
}

// Literals that may stand as ${name} in patterns and in what is sent.
var literals = map[string]string{"nl": "\n", "tab": "\t", "crlf": "\r\n", "cr": "\r", "sp": " ", "dollar": "$"}

// A class says where a value of its kind that begins at the start of s may
// end: the possible lengths, the preferred one first.
type class func(s string) []int

var classes = map[string]class{
	"any":  func(s string) []int { return down(s, len(s), 0) },
	"some": func(s string) []int { return down(s, len(s), 1) },
	"word": func(s string) []int { return down(s, span(s, func(c rune) bool { return !unicode.IsSpace(c) }), 1) },
	"hex":  func(s string) []int { return down(s, span(s, in("0123456789abcdef")), 1) },
	"HEX":  func(s string) []int { return down(s, span(s, in("0123456789ABCDEF")), 1) },
	"b64": func(s string) []int {
		return down(s, span(s, in("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")), 1)
	},
	"int": func(s string) []int {
		minus := len(s) - len(strings.TrimPrefix(s, "-"))
		return down(s, minus+span(s[minus:], in("0123456789")), minus+1)
	},
	"uuid": shaped(regexp.MustCompile(`^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)),
	// a time stamp of XEP-0082 or of the older XEP-0091
	"ts": shaped(regexp.MustCompile(`^(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)|\d{8}T\d\d:\d\d:\d\d(?:\.\d+)?Z?)`)),
	// an unrestricted variable: the shortest that lets the rest match
	"lazy": func(s string) []int {
		out := down(s, len(s), 0)
		for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
			out[i], out[j] = out[j], out[i]
		}
		return out
	},
}

func in(set string) func(rune) bool {
	return func(c rune) bool { return strings.ContainsRune(set, c) }
}

func span(s string, ok func(rune) bool) int {
	for i, c := range s {
		if !ok(c) {
			return i
		}
	}
	return len(s)
}

// down lists the lengths from hi to lo that end at whole characters of s.
func down(s string, hi, lo int) []int {
	var out []int
	for n := hi; n >= lo; n-- {
		if n == len(s) || utf8.RuneStart(s[n]) {
			out = append(out, n)
		}
	}
	return out
}

func shaped(rx *regexp.Regexp) class {
	return func(s string) []int {
		if m := rx.FindStringIndex(s); m != nil {
			return []int{m[1]}
		}
		return nil
	}
}

// A segment of a text pattern is a literal, or a value that is bound to a
// variable unless it has no name.
type segment struct {
	literal string
	name    string
	class   string // "" for a literal; "auto" if the pattern doesn't say
}

// parseText splits a text pattern.
func parseText(pat string) ([]segment, error) {
	var out []segment
	for {
		i := strings.Index(pat, "${")
		if i < 0 {
			break
		}
		j := strings.IndexByte(pat[i:], '}')
		if j < 0 {
			break
		}
		if i > 0 {
			out = append(out, segment{literal: pat[:i]})
		}
		v := pat[i+2 : i+j]
		pat = pat[i+j+1:]
		name, cls, classed := strings.Cut(v, ":")
		switch lit, ok := literals[v]; {
		case ok:
			out = append(out, segment{literal: lit})
		case v == "*":
			out = append(out, segment{class: "any"})
		case v == "ts":
			out = append(out, segment{class: "ts"})
		case classed:
			if classes[cls] == nil || cls == "lazy" {
				return nil, fmt.Errorf("unknown class in ${%s}", v)
			}
			out = append(out, segment{name: name, class: cls})
		case strings.HasPrefix(v, "ts"):
			out = append(out, segment{name: v, class: "ts"})
		case variableName(v):
			out = append(out, segment{name: v, class: "auto"})
		default:
			return nil, fmt.Errorf("${%s} is no variable", v)
		}
	}
	if pat != "" {
		out = append(out, segment{literal: pat})
	}
	return out, nil
}

func variableName(s string) bool {
	for _, c := range s {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("_.-", c) {
			return false
		}
	}
	return s != ""
}

const base64Mark = "(base64)"

// matchText compares a whole text with a pattern. It returns what the pattern
// newly binds.
func matchText(pat, val string, b bindings) (bindings, bool) {
	if rest, ok := strings.CutPrefix(pat, base64Mark); ok {
		raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(val), "="))
		if err != nil {
			return nil, false
		}
		pat, val = rest, strings.ToValidUTF8(string(raw), "\ufffd")
	}
	segs, err := parseText(pat)
	if err != nil {
		return nil, false
	}
	m := textMatch{known: b, fresh: bindings{}}
	if !m.match(segs, val) {
		return nil, false
	}
	return m.fresh, true
}

type textMatch struct{ known, fresh bindings }

func (m *textMatch) match(segs []segment, s string) bool {
	for {
		if len(segs) == 0 {
			return s == ""
		}
		seg := segs[0]
		lit := seg.literal
		if seg.class != "" {
			v, ok := m.known[seg.name]
			if !ok {
				v, ok = m.fresh[seg.name]
			}
			if !ok || seg.name == "" {
				break
			}
			lit = v
		}
		rest, ok := strings.CutPrefix(s, lit)
		if !ok {
			return false
		}
		segs, s = segs[1:], rest
	}
	seg, rest := segs[0], segs[1:]
	if len(rest) == 0 && (seg.class == "any" || seg.class == "auto" || seg.class == "some" && s != "") {
		if seg.name != "" {
			m.fresh[seg.name] = s
		}
		return true
	}
	cls := seg.class
	if cls == "auto" {
		cls = "lazy"
	}
	for _, n := range classes[cls](s) {
		if len(rest) > 0 && rest[0].class == "" && !strings.HasPrefix(s[n:], rest[0].literal) {
			continue
		}
		if seg.name != "" {
			m.fresh[seg.name] = s[:n]
		}
		if m.match(rest, s[n:]) {
			return true
		}
		if seg.name != "" {
			delete(m.fresh, seg.name)
		}
	}
	return false
}

// expandLiterals replaces ${sp} and the like in a pattern.
func expandLiterals(s string) string {
	if !strings.Contains(s, "${") {
		return s
	}
	for k, v := range literals {
		s = strings.ReplaceAll(s, "${"+k+"}", v)
	}
	return s
}
