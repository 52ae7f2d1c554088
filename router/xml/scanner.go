package xml

import (
	"math"
	"strings"
	"unicode/utf8"
)

// An Attr is one attribute.
type Attr struct {
	Name  string // as written, with its prefix: "to", "xml:lang", "xmlns:p"
	Space string // the namespace of a name with a prefix, else ""
	Value string // decoded and normalised
}

// Local returns the name without its prefix.
func (a *Attr) Local() string {
	return a.Name[strings.IndexByte(a.Name, ':')+1:]
}

// IsDeclaration tells whether a binds a prefix: "xmlns" or "xmlns:p".
func (a *Attr) IsDeclaration() bool {
	return strings.HasPrefix(a.Name, "xmlns") && (len(a.Name) == 5 || a.Name[5] == ':')
}

// attrSpan is an attribute as places in the text. It holds no pointers, so
// that scanning costs the garbage collector nothing.
type attrSpan struct {
	from, nameFrom, nameTo int32 // from: the white space before the name
	valueFrom, valueTo, to int32 // the value without its quotes
	colon                  int32 // place of the name's colon, -1 without one
	literal                bool  // the value stands in the text as it is
	declaration            bool  // "xmlns" or "xmlns:p"
}

// A Scanner reads the text of one complete element in a single pass. It checks
// all that XML 1.0 and its namespaces ask for, resolves no entity but the five,
// and allocates nothing. Its fields are the result; they are valid until the
// next Scan, the strings in them for ever: they are parts of the text.
//
// A Scanner is not safe for concurrent use.
type Scanner struct {
	// Name is the root's name without its prefix, Space its namespace.
	Name, Prefix, Space string
	// ContentFrom and ContentTo delimit what stands between the root's tags;
	// they are equal for an empty element.
	ContentFrom, ContentTo int
	// Size is what max_stanza_size is compared with: 2·len(name)+5 for each
	// element (len(name)+3 if it is empty), len(name)+len(value)+4 for each
	// attribute with its value decoded, and the length of the text with "<",
	// ">" and "&" written as references.
	Size int
	// Children counts the root's child elements.
	Children int
	// ChildName and ChildSpace belong to the first of them. ChildSpace is ""
	// if it has neither a prefix nor a declaration of its own and so is in its
	// parent's namespace.
	ChildName, ChildSpace string
	// Text tells whether the root holds text other than white space itself.
	Text bool
	// Elements, AttrCount and Texts count elements, attributes without
	// "xmlns", and runs of text in all of the element, the root included.
	Elements, AttrCount, Texts int
	// Clean tells that the text can be passed on as it is: it holds no
	// comment, processing instruction, CDATA section or carriage return, and
	// no prefix that is declared outside of it. Normalize makes it so.
	Clean bool

	text     string
	outer    *Context
	open     []openTag
	bindings []binding
	root     []attrSpan // attributes of the root
	attrs    []attrSpan // attributes of the tag under way, if it is another
	spaces   []string   // namespaces of the attributes in checkAttrs
	seen     map[[2]string]struct{}
}

type openTag struct {
	from, to int32 // the name
	bindings int32 // how many bindings were in force outside
	filled   bool  // it has content
}

type binding struct{ prefix, space string }

// Scan reads text, which must be one element and nothing else, as a Framer
// cuts it. outer holds the declarations around it; nil for none. The error is
// an *Error.
func (s *Scanner) Scan(text string, outer *Context) error {
	s.reset(text, outer)
	if len(text) > math.MaxInt32 { // places in the text are 32 bits wide
		return errTooBig
	}
	if !utf8.ValidString(text) {
		return malformed("not UTF-8", 0)
	}
	return s.scan()
}

func (s *Scanner) reset(text string, outer *Context) {
	s.text, s.outer = text, outer
	s.Name, s.Prefix, s.Space = "", "", ""
	s.ContentFrom, s.ContentTo, s.Size = 0, 0, 0
	s.Children, s.ChildName, s.ChildSpace = 0, "", ""
	s.Elements, s.AttrCount, s.Texts = 0, 0, 0
	s.Text, s.Clean = false, true
	s.open, s.root = s.open[:0], s.root[:0]
	if len(s.bindings) > 0 {
		s.bindings = s.bindings[:0]
	}
}

// Release forgets the text, so that a Scanner that waits in a pool does not
// keep it in memory, nor more memory than is usual.
func (s *Scanner) Release() {
	s.reset("", nil)
	clear(s.bindings[:cap(s.bindings)])
	clear(s.spaces[:cap(s.spaces)])
	if s.seen != nil {
		clear(s.seen)
	}
	if cap(s.root)+cap(s.attrs) > 1024 {
		s.root, s.attrs, s.spaces, s.seen = nil, nil, nil, nil
	}
}

// Counts returns what ParseClean wants to know about the text.
func (s *Scanner) Counts() Counts {
	return Counts{int32(s.Elements), int32(s.AttrCount), int32(s.Texts)}
}

// Attrs counts the root's attributes, declarations included.
func (s *Scanner) Attrs() int { return len(s.root) }

// AttrName returns the name of the root's i-th attribute as written.
func (s *Scanner) AttrName(i int) string {
	a := &s.root[i]
	return s.text[a.nameFrom:a.nameTo]
}

// AttrValue returns the value of the root's i-th attribute, decoded. It
// allocates only if it holds references or line ends.
func (s *Scanner) AttrValue(i int) string { return s.value(&s.root[i]) }

// AttrText returns the root's i-th attribute as written, with the white space
// before it.
func (s *Scanner) AttrText(i int) string {
	a := &s.root[i]
	return s.text[a.from:a.to]
}

func (s *Scanner) value(a *attrSpan) string {
	v := s.text[a.valueFrom:a.valueTo]
	if a.literal {
		return v
	}
	return decodeValue(v)
}

func (s *Scanner) scan() error {
	text := s.text
	if len(text) < 4 || text[0] != '<' {
		return malformed("no element", 0)
	}
	i, err := s.startTag(0)
	if err != nil {
		return err
	}
	for len(s.open) > 0 {
		if i == len(text) {
			return malformed("element does not end", i)
		}
		if text[i] != '<' {
			if i, err = s.chars(i); err != nil {
				return err
			}
			continue
		}
		if i+1 == len(text) {
			return malformed("element does not end", i)
		}
		switch text[i+1] {
		case '/':
			i, err = s.endTag(i)
		case '!':
			i, err = s.bang(i)
		case '?':
			i, err = s.instruction(i)
		default:
			i, err = s.startTag(i)
		}
		if err != nil {
			return err
		}
	}
	if i != len(text) {
		return malformed("something follows the element", i)
	}
	return nil
}

// chars reads text up to the next "<".
func (s *Scanner) chars(i int) (int, error) {
	text, from := s.text, i
	top := &s.open[len(s.open)-1]
	top.filled = true
	s.Texts++
	extra := 0 // canonical length minus length as written
	for {
		for i < len(text) && textClass[text[i]] == plain {
			i++
		}
		if i == len(text) {
			return i, malformed("element does not end", i)
		}
		switch textClass[text[i]] {
		case markup:
			s.Size += i - from + extra
			if len(s.open) == 1 && !s.Text {
				s.Text = !blankText(text[from:i])
			}
			return i, nil
		case ampersand:
			r, n := reference(text[i:])
			if n == 0 {
				return i, malformed("bad reference", i)
			}
			extra += escapedLen(r) - n
			i += n
		case greater:
			extra += len("&gt;") - 1
			i++
		case bracket:
			if strings.HasPrefix(text[i:], "]]>") {
				return i, malformed("]]> in text", i)
			}
			i++
		case newline:
			s.Clean = false
			if i+1 < len(text) && text[i+1] == '\n' {
				extra--
			}
			i++
		case high:
			if noncharacter(text[i:]) {
				return i, malformed("forbidden character", i)
			}
			i++
		default:
			return i, malformed("forbidden character", i)
		}
	}
}

// blankText tells whether text as written is white space. A reference to white
// space counts as text; nobody writes one between elements.
func blankText(t string) bool {
	for i := 0; i < len(t); i++ {
		if !isSpace(t[i]) {
			return false
		}
	}
	return true
}

// noncharacter tells whether s begins with U+FFFE or U+FFFF.
func noncharacter(s string) bool {
	return len(s) >= 3 && s[1] == 0xBF && s[2] >= 0xBE
}

func escapedLen(r rune) int {
	switch r {
	case '<', '>':
		return 4
	case '&':
		return 5
	}
	return utf8.RuneLen(r)
}

// reference decodes the entity or character reference at the begin of s and
// returns its length, 0 if it is none or is forbidden.
func reference(s string) (r rune, n int) {
	end := strings.IndexByte(s[:min(len(s), 32)], ';')
	if end < 0 {
		return 0, 0
	}
	name := s[1:end]
	switch name {
	case "lt":
		return '<', 4
	case "gt":
		return '>', 4
	case "amp":
		return '&', 5
	case "quot":
		return '"', 6
	case "apos":
		return '\'', 6
	}
	if len(name) < 2 || name[0] != '#' {
		return 0, 0
	}
	digits, base := name[1:], rune(10)
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	if digits == "" {
		return 0, 0
	}
	for i := 0; i < len(digits); i++ {
		var d rune
		switch c := digits[i]; {
		case '0' <= c && c <= '9':
			d = rune(c - '0')
		case base == 16 && 'a' <= c && c <= 'f':
			d = rune(c-'a') + 10
		case base == 16 && 'A' <= c && c <= 'F':
			d = rune(c-'A') + 10
		default:
			return 0, 0
		}
		if r = r*base + d; r > utf8.MaxRune {
			return 0, 0
		}
	}
	if !isChar(r) {
		return 0, 0
	}
	return r, end + 1
}

// name reads a name at text[i:] and returns its end and the place of its
// colon, -1 without one.
func (s *Scanner) name(i int) (end, colon int, err error) {
	text, from := s.text, i
	var class uint8
	colon = -1
	for i < len(text) {
		c := nameClass[text[i]]
		if c&nameByte == 0 {
			break
		}
		class |= c
		if text[i] == ':' {
			if colon >= 0 {
				return i, 0, malformed("two colons in a name", i)
			}
			colon = i
		}
		i++
	}
	if i == from || nameClass[text[from]]&nameStart == 0 || colon == from || colon == i-1 ||
		colon >= 0 && nameClass[text[colon+1]]&nameStart == 0 ||
		class&nonASCII != 0 && !nameOK(text[from:i]) {
		return i, 0, malformed("bad name", from)
	}
	return i, colon, nil
}

// startTag reads the tag at text[i].
func (s *Scanner) startTag(i int) (int, error) {
	text, tag := s.text, i
	root := s.Elements == 0
	s.Elements++
	nameFrom := i + 1
	nameTo, nameColon, err := s.name(nameFrom)
	if err != nil {
		return nameTo, err
	}
	i, colon := nameTo, 0
	outside := len(s.bindings)
	attrs := s.attrs[:0]
	if root {
		attrs = s.root[:0]
	}
	prefixed := false
	own, ownSpace := false, ""

	for {
		before := i
		for i < len(text) && isSpace(text[i]) {
			if text[i] == '\r' {
				s.Clean = false
			}
			i++
		}
		if i == len(text) {
			return i, malformed("tag does not end", tag)
		}
		if c := text[i]; c == '>' || c == '/' {
			break
		}
		if i == before {
			return i, malformed("no white space before an attribute", i)
		}
		from := i
		var end int
		if end, colon, err = s.name(i); err != nil {
			return i, err
		}
		i = end
		for i < len(text) && isSpace(text[i]) {
			s.Clean = s.Clean && text[i] != '\r'
			i++
		}
		if i == len(text) || text[i] != '=' {
			return i, malformed("attribute without a value", i)
		}
		i++
		for i < len(text) && isSpace(text[i]) {
			s.Clean = s.Clean && text[i] != '\r'
			i++
		}
		if i == len(text) || text[i] != '\'' && text[i] != '"' {
			return i, malformed("attribute value without quotes", i)
		}
		quote := text[i]
		i++
		valueFrom := i
		literal := true
		for {
			for i < len(text) && valueClass[text[i]] == plain {
				i++
			}
			if i == len(text) {
				return i, malformed("attribute value does not end", valueFrom)
			}
			if text[i] == quote {
				break
			}
			switch valueClass[text[i]] {
			case quotes:
				i++
			case ampersand:
				r, n := reference(text[i:])
				if n == 0 {
					return i, malformed("bad reference", i)
				}
				s.Size += utf8.RuneLen(r) - n
				i += n
				literal = false
			case newline:
				s.Clean = false
				if i+1 < len(text) && text[i+1] == '\n' {
					s.Size--
				}
				literal = false
				i++
			case blank:
				literal = false
				i++
			case high:
				if noncharacter(text[i:]) {
					return i, malformed("forbidden character", i)
				}
				i++
			case markup:
				return i, malformed("< in an attribute value", i)
			default:
				return i, malformed("forbidden character", i)
			}
		}
		attrs = append(attrs, attrSpan{
			from: int32(before), nameFrom: int32(from), nameTo: int32(end), colon: int32(colon),
			valueFrom: int32(valueFrom), valueTo: int32(i), to: int32(i + 1), literal: literal,
		})
		s.Size += (end - from) + (i - valueFrom) + 4
		i++

		if name := text[from:end]; colon < 0 && name == "xmlns" {
			a := &attrs[len(attrs)-1]
			a.declaration = true
			own, ownSpace = true, s.value(a)
			if ownSpace == NamespaceXML || ownSpace == NamespaceXMLNS {
				return i, malformed("reserved namespace", from)
			}
			s.AttrCount--
		} else if colon >= 0 && text[from:colon] == "xmlns" {
			a := &attrs[len(attrs)-1]
			a.declaration = true
			if err := s.bind(text[colon+1:end], s.value(a), from); err != nil {
				return i, err
			}
		} else if colon >= 0 {
			prefixed = true
		}
	}
	s.AttrCount += len(attrs)
	if root {
		s.root = attrs
	} else {
		s.attrs = attrs
	}
	if len(attrs) > 1 || prefixed {
		if err := s.checkAttrs(attrs, prefixed); err != nil {
			return i, err
		}
	}

	name, prefix, elemSpace := text[nameFrom:nameTo], "", ownSpace
	local := name
	if nameColon >= 0 {
		prefix, local = text[nameFrom:nameColon], text[nameColon+1:nameTo]
		var ok bool
		if elemSpace, ok = s.lookup(prefix); !ok || prefix == "xmlns" {
			return i, malformed("unbound prefix", nameFrom)
		}
	}
	switch {
	case root:
		s.Name, s.Prefix, s.Space = local, prefix, elemSpace
		if nameColon < 0 && !own && s.outer != nil {
			s.Space = s.outer.Default
		}
	default:
		parent := &s.open[len(s.open)-1]
		parent.filled = true
		if len(s.open) == 1 {
			if s.Children == 0 {
				s.ChildName, s.ChildSpace = local, elemSpace
			}
			s.Children++
		}
	}

	if text[i] == '/' {
		if i+1 >= len(text) || text[i+1] != '>' {
			return i, malformed("/ inside a tag", i)
		}
		s.Size += len(name) + 3
		s.bindings = s.bindings[:outside]
		i += 2
		if root {
			s.ContentFrom, s.ContentTo = i, i
		}
		return i, nil
	}
	i++
	if root {
		s.ContentFrom = i
	}
	if len(s.open) > DefaultDepth {
		return i, &Error{kind: ErrTooDeep, reason: "too many open elements", offset: tag}
	}
	s.open = append(s.open, openTag{from: int32(nameFrom), to: int32(nameTo), bindings: int32(outside)})
	return i, nil
}

// bind adds a declaration.
func (s *Scanner) bind(prefix, space string, at int) error {
	switch {
	case space == "":
		return malformed("prefix bound to nothing", at)
	case prefix == "xmlns" || space == NamespaceXMLNS || (prefix == "xml") != (space == NamespaceXML):
		return malformed("reserved prefix or namespace", at)
	case len(s.bindings) >= maxBindings:
		return &Error{kind: ErrTooDeep, reason: "too many prefixes", offset: at}
	}
	s.bindings = append(s.bindings, binding{prefix, space})
	return nil
}

// lookup finds the namespace of a prefix and notes whether it comes from
// outside the element.
func (s *Scanner) lookup(prefix string) (string, bool) {
	for i := len(s.bindings) - 1; i >= 0; i-- {
		if s.bindings[i].prefix == prefix {
			return s.bindings[i].space, true
		}
	}
	if prefix == "xml" {
		return NamespaceXML, true
	}
	space, ok := s.outer.lookup(prefix)
	if ok {
		s.Clean = false
	}
	return space, ok
}

// manyAttrs is where comparing each attribute with each other gives way to a
// map.
const manyAttrs = 16

// checkAttrs resolves the prefixes of a tag's attributes and refuses two
// attributes of one name.
func (s *Scanner) checkAttrs(attrs []attrSpan, prefixed bool) error {
	text := s.text
	twice := func(i int) error { return malformed("attribute given twice", int(attrs[i].nameFrom)) }
	if len(attrs) <= manyAttrs {
		for i := 1; i < len(attrs); i++ {
			name := text[attrs[i].nameFrom:attrs[i].nameTo]
			for j := range attrs[:i] {
				if text[attrs[j].nameFrom:attrs[j].nameTo] == name {
					return twice(i)
				}
			}
		}
		if !prefixed {
			return nil
		}
	}
	spaces := s.spaces[:0]
	for i := range attrs {
		a, space := &attrs[i], ""
		if a.colon >= 0 && !a.declaration {
			var ok bool
			if space, ok = s.lookup(text[a.nameFrom:a.colon]); !ok {
				return malformed("unbound prefix", int(a.nameFrom))
			}
		}
		spaces = append(spaces, space)
	}
	s.spaces = spaces
	if len(attrs) <= manyAttrs {
		for i := 1; i < len(attrs); i++ {
			for j := range attrs[:i] {
				if spaces[i] != "" && spaces[i] == spaces[j] &&
					text[attrs[i].colon+1:attrs[i].nameTo] == text[attrs[j].colon+1:attrs[j].nameTo] {
					return twice(i)
				}
			}
		}
		return nil
	}
	if s.seen == nil {
		s.seen = make(map[[2]string]struct{})
	}
	clear(s.seen)
	for i := range attrs {
		key := [2]string{spaces[i], text[attrs[i].nameFrom:attrs[i].nameTo]}
		if key[0] != "" {
			key[1] = text[attrs[i].colon+1 : attrs[i].nameTo]
		}
		if _, ok := s.seen[key]; ok {
			return twice(i)
		}
		s.seen[key] = struct{}{}
	}
	return nil
}

// endTag reads the tag at text[i].
func (s *Scanner) endTag(i int) (int, error) {
	text := s.text
	top := s.open[len(s.open)-1]
	name := text[top.from:top.to]
	if len(s.open) == 1 {
		s.ContentTo = i
	}
	i += 2
	if !strings.HasPrefix(text[i:], name) {
		return i, malformed("end tag does not match", i)
	}
	i += len(name)
	for i < len(text) && isSpace(text[i]) {
		if text[i] == '\r' {
			s.Clean = false
		}
		i++
	}
	if i == len(text) || text[i] != '>' {
		return i, malformed("end tag does not match", i)
	}
	if top.filled {
		s.Size += 2*len(name) + 5
	} else {
		s.Size += len(name) + 3
	}
	s.bindings = s.bindings[:top.bindings]
	s.open = s.open[:len(s.open)-1]
	return i + 1, nil
}

// bang reads the comment or CDATA section at text[i].
func (s *Scanner) bang(i int) (int, error) {
	const comment, cdata = "<!--", "<![CDATA["
	text := s.text
	s.Clean = false
	switch {
	case strings.HasPrefix(text[i:], comment):
		from := i + len(comment)
		n := strings.Index(text[from:], "--")
		if n < 0 || !strings.HasPrefix(text[from+n+2:], ">") {
			return i, malformed("bad comment", i)
		}
		return from + n + 3, s.checkChars(from, from+n)
	case strings.HasPrefix(text[i:], cdata):
		from := i + len(cdata)
		n := strings.Index(text[from:], "]]>")
		if n < 0 {
			return i, malformed("CDATA section does not end", i)
		}
		if err := s.checkChars(from, from+n); err != nil {
			return i, err
		}
		if n > 0 {
			t := text[from : from+n]
			s.open[len(s.open)-1].filled = true
			s.Texts++
			if len(s.open) == 1 && !s.Text {
				s.Text = !blankText(t)
			}
			s.Size += n + 3*(strings.Count(t, "<")+strings.Count(t, ">")) + 4*strings.Count(t, "&") - strings.Count(t, "\r\n")
		}
		return from + n + 3, nil
	}
	return i, malformed("declaration inside an element", i)
}

// instruction reads the processing instruction at text[i].
func (s *Scanner) instruction(i int) (int, error) {
	s.Clean = false
	n := strings.Index(s.text[i+2:], "?>")
	if n < 0 {
		return i, malformed("processing instruction does not end", i)
	}
	body := s.text[i+2 : i+2+n]
	end, colon, err := s.name(i + 2)
	if err != nil {
		return i, err
	}
	target := s.text[i+2 : end]
	if colon >= 0 || strings.EqualFold(target, "xml") || len(target) < len(body) && !isSpace(body[len(target)]) {
		return i, malformed("bad processing instruction", i)
	}
	return i + 2 + n + 2, s.checkChars(end, i+2+n)
}

// checkChars refuses characters that XML does not have.
func (s *Scanner) checkChars(from, to int) error {
	for i := from; i < to; i++ {
		if c := textClass[s.text[i]]; c == forbidden || c == high && noncharacter(s.text[i:to]) {
			return malformed("forbidden character", i)
		}
	}
	return nil
}

// decodeValue decodes and normalises an attribute value that was checked.
func decodeValue(v string) string {
	b := make([]byte, 0, len(v))
	for i := 0; i < len(v); {
		switch c := v[i]; c {
		case '&':
			r, n := reference(v[i:])
			b = utf8.AppendRune(b, r)
			i += n
		case '\r':
			b = append(b, ' ')
			if i++; i < len(v) && v[i] == '\n' {
				i++
			}
		case '\n', '\t':
			b = append(b, ' ')
			i++
		default:
			b = append(b, c)
			i++
		}
	}
	return string(b)
}

// decodeText decodes text that was checked.
func decodeText(v string) string {
	if strings.IndexByte(v, '&') < 0 && strings.IndexByte(v, '\r') < 0 {
		return v
	}
	b := make([]byte, 0, len(v))
	for i := 0; i < len(v); {
		switch c := v[i]; c {
		case '&':
			r, n := reference(v[i:])
			b = utf8.AppendRune(b, r)
			i += n
		case '\r':
			b = append(b, '\n')
			if i++; i < len(v) && v[i] == '\n' {
				i++
			}
		default:
			b = append(b, c)
			i++
		}
	}
	return string(b)
}
