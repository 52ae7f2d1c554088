package xml

import (
	"strings"
	"unicode/utf8"
)

// attrEscape and textEscape mark the bytes that are not written as they are.
var attrEscape, textEscape [256]bool

func init() {
	for c := range 256 {
		attrEscape[c] = c < 0x20 || strings.IndexByte(`<>&'"`, byte(c)) >= 0 || c >= 0x80
		textEscape[c] = c < 0x20 && c != '\n' && c != '\t' || strings.IndexByte(`<>&`, byte(c)) >= 0 || c >= 0x80
	}
}

// AppendText appends s as text: "<", ">" and "&" become references, as the
// reference writes them, and so does a carriage return, which would not
// survive otherwise. What XML cannot hold (control characters, bytes that are
// not UTF-8) becomes U+FFFD, so that stored data cannot break a stream.
func AppendText(dst []byte, s string) []byte { return escape(dst, s, &textEscape) }

// AppendAttr appends s as an attribute value, without the quotes: as
// AppendText does, and both kinds of quotes, tabs and line ends too.
func AppendAttr(dst []byte, s string) []byte { return escape(dst, s, &attrEscape) }

func escape(dst []byte, s string, special *[256]bool) []byte {
	valid := false // s was found to be UTF-8 without noncharacters
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !special[c] {
			continue
		}
		with := "\uFFFD"
		width := 1
		switch c {
		case '<':
			with = "&lt;"
		case '>':
			with = "&gt;"
		case '&':
			with = "&amp;"
		case '\'':
			with = "&apos;"
		case '"':
			with = "&quot;"
		case '\t':
			with = "&#9;"
		case '\n':
			with = "&#10;"
		case '\r':
			with = "&#13;"
		default:
			if c >= 0x80 {
				if valid {
					continue
				}
				if i == 0 || !valid {
					valid = utf8.ValidString(s[i:]) && !strings.Contains(s[i:], "\uFFFE") && !strings.Contains(s[i:], "\uFFFF")
				}
				if valid {
					continue
				}
				r, n := utf8.DecodeRuneInString(s[i:])
				if (r != utf8.RuneError || n > 1) && isChar(r) {
					i += n - 1
					continue
				}
				width = n
			}
		}
		dst = append(append(dst, s[from:i]...), with...)
		i += width - 1
		from = i + 1
	}
	return append(dst, s[from:]...)
}

// AppendTo appends e and what is below it. def is the default namespace in
// force where e goes, and outer are the prefixes bound there. An "xmlns" is
// written where the namespace changes, a declaration of a prefix where it is
// not in force already; prefixes stay as they are. Values stand in single
// quotes.
func (e *Element) AppendTo(dst []byte, def string, outer ...Binding) []byte {
	dst = append(dst, '<')
	if e.Prefix != "" {
		dst = append(append(dst, e.Prefix...), ':')
	}
	dst = append(dst, e.Name...)

	if e.Prefix == "" && e.Space != "" && e.Space != def {
		dst = append(dst, " xmlns='"...)
		dst = append(AppendAttr(dst, e.Space), '\'')
		def = e.Space
	}
	outer = outer[:len(outer):len(outer)] // appending makes a copy
	first := len(outer)
	for i := range e.Attrs {
		if a := &e.Attrs[i]; a.Name == "xmlns" {
			def = a.Value
		} else if p, ok := strings.CutPrefix(a.Name, "xmlns:"); ok {
			outer = append(outer, Binding{p, a.Value})
		}
	}
	declared := len(outer) // what follows is declared here, beside Attrs
	if e.Prefix != "" && e.Space != "" {
		dst, outer = declare(dst, outer, e.Prefix, e.Space)
	}
	for i := range e.Attrs {
		if a := &e.Attrs[i]; a.Space != "" && a.Space != NamespaceXML && !a.IsDeclaration() {
			if p := prefixOf(a.Name); p != "" {
				dst, outer = declare(dst, outer, p, a.Space)
			}
		}
	}
	for i := range e.Attrs {
		a := &e.Attrs[i]
		if p, ok := strings.CutPrefix(a.Name, "xmlns:"); ok && first < declared {
			if _, again := (&Context{Bindings: outer[declared:]}).lookup(p); again {
				continue // the name's own namespace wins over a contradicting declaration
			}
		}
		dst = append(append(append(dst, ' '), a.Name...), "='"...)
		dst = append(AppendAttr(dst, a.Value), '\'')
	}
	if len(e.Children) == 0 {
		return append(dst, "/>"...)
	}
	dst = append(dst, '>')
	for i := range e.Children {
		switch n := &e.Children[i]; {
		case n.Element != nil:
			dst = n.Element.AppendTo(dst, def, outer...)
		case n.raw:
			dst = append(dst, n.Text...)
		default:
			dst = AppendText(dst, n.Text)
		}
	}
	dst = append(dst, "</"...)
	if e.Prefix != "" {
		dst = append(append(dst, e.Prefix...), ':')
	}
	return append(append(dst, e.Name...), '>')
}

// declare appends a declaration unless it is in force.
func declare(dst []byte, bound []Binding, prefix, space string) ([]byte, []Binding) {
	for i := len(bound) - 1; i >= 0; i-- {
		if bound[i].Prefix == prefix {
			if bound[i].Space == space {
				return dst, bound
			}
			break
		}
	}
	dst = append(append(append(dst, " xmlns:"...), prefix...), "='"...)
	dst = append(AppendAttr(dst, space), '\'')
	return dst, append(bound, Binding{prefix, space})
}

// String returns the element as XML that stands by itself, for logs and
// tests. It is "" for nil.
func (e *Element) String() string {
	if e == nil {
		return ""
	}
	return string(e.AppendTo(nil, ""))
}
