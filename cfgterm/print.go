package cfgterm

import (
	"strconv"
	"unicode/utf8"
)

// Format returns t on one line, as Erlang reads it back: without the final dot.
// Lists of printable code points are written as strings, binaries that hold text
// as <<"text">> or <<"text"/utf8>>.
func Format(t Term) string { return string(Append(nil, t)) }

// Append appends t to dst as Format writes it.
func Append(dst []byte, t Term) []byte { return appendTerm(dst, t, false) }

// AppendASCII is Append with all characters above U+007E written as escapes, for
// files whose encoding is not known to be UTF-8.
func AppendASCII(dst []byte, t Term) []byte { return appendTerm(dst, t, true) }

// FormatAtom returns the atom name as it is written: quoted if it must be in any
// release of Erlang up to 27.
func FormatAtom(name string) string {
	if plainAtom(name) {
		return name
	}
	return string(appendQuoted(nil, name, '\'', writeQuotes))
}

// plainAtom reports whether name needs no quotes.
func plainAtom(name string) bool {
	for i, r := range name {
		if i == 0 && (r > 0xFF || class[r] != cLower) || !isName(r) {
			return false
		}
	}
	switch name {
	case "", "maybe", "else": // the latter two are reserved from OTP 27 on
		return false
	}
	return keyword(name) == kAtom
}

func appendAtom(dst []byte, name string, ascii bool) []byte {
	if plainAtom(name) && (!ascii || isASCII(name)) {
		return append(dst, name...)
	}
	if ascii {
		return appendQuoted(dst, name, '\'', asciiQuotes)
	}
	return appendQuoted(dst, name, '\'', writeQuotes)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// quoteStyle says which characters appendQuoted escapes, and how.
type quoteStyle uint8

const (
	erlangQuotes quoteStyle = iota // as Erlang prints them in its messages
	writeQuotes                    // as we write files
	asciiQuotes                    // the same in ASCII only
)

// appendQuoted appends text in quotes q.
func appendQuoted(dst []byte, text string, q byte, style quoteStyle) []byte {
	dst = append(dst, q)
	for _, r := range text {
		switch r {
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		case '\v':
			dst = append(dst, `\v`...)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case 0x1B:
			dst = append(dst, `\e`...)
		case 0x7F:
			dst = append(dst, `\d`...)
		case '\\':
			dst = append(dst, `\\`...)
		case rune(q):
			dst = append(dst, '\\', q)
		default:
			switch {
			case r < 0x20 || r >= 0x80 && r < 0xA0:
				dst = append(dst, '\\', '0'+byte(r>>6), '0'+byte(r>>3&7), '0'+byte(r&7))
			case style == asciiQuotes && r > 0x7E, style == writeQuotes && invisible(r):
				dst = append(dst, `\x{`...)
				dst = strconv.AppendUint(dst, uint64(r), 16)
				dst = append(dst, '}')
			default:
				dst = utf8.AppendRune(dst, r)
			}
		}
	}
	return append(dst, q)
}

// invisible reports whether r must not be written as it is: Erlang refuses it, or
// it would change how the text around it looks.
func invisible(r rune) bool {
	switch {
	case r == 0xFFFE, r == 0xFFFF, r == 0xFEFF:
		return true
	case r >= 0x200B && r <= 0x200F, r >= 0x2028 && r <= 0x202E, r >= 0x2060 && r <= 0x206F:
		return true
	}
	return false
}

// printable reports whether a list with this code point may be written as a
// string.
func printable(r int64) bool {
	switch {
	case r == '\t', r == '\n', r == '\r', r >= 0x20 && r <= 0x7E, r >= 0xA0 && r <= 0xD7FF,
		r >= 0xE000 && r <= 0xFFFD, r >= 0x10000 && r <= 0x10FFFF:
		return true
	}
	return false
}

// asString returns the text of a non-empty proper list of printable code points.
func asString(l *List) (string, bool) {
	if len(l.Elems) == 0 || l.Tail != nil {
		return "", false
	}
	for _, e := range l.Elems {
		if i, ok := e.(*Int); !ok || i.Big != nil || !printable(i.N) {
			return "", false
		}
	}
	return Text(l)
}

// asText returns the text of a binary that is written as such.
func asText(b *Binary) (text string, ok bool) {
	if len(b.Bytes) == 0 || b.Bits != 0 || !utf8.Valid(b.Bytes) {
		return "", false
	}
	text = string(b.Bytes)
	for _, r := range text {
		if !printable(int64(r)) {
			return "", false
		}
	}
	return text, true
}

func appendTerm(dst []byte, t Term, ascii bool) []byte {
	switch t := t.(type) {
	case *Atom:
		return appendAtom(dst, t.Name, ascii)
	case *Int:
		return appendInt(dst, t)
	case *Float:
		return appendFloat(dst, t.F)
	case *String:
		return appendString(dst, t.Text, ascii)
	case *List:
		if text, ok := asString(t); ok {
			return appendString(dst, text, ascii)
		}
		dst = append(dst, '[')
		for i, e := range t.Elems {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = appendTerm(dst, e, ascii)
		}
		if t.Tail != nil {
			dst = append(dst, " | "...)
			dst = appendTerm(dst, t.Tail, ascii)
		}
		return append(dst, ']')
	case *Tuple:
		dst = append(dst, '{')
		for i, e := range t.Elems {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = appendTerm(dst, e, ascii)
		}
		return append(dst, '}')
	case *Map:
		dst = append(dst, "#{"...)
		for i, p := range t.Pairs {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = appendTerm(dst, p.Key, ascii)
			dst = append(dst, " => "...)
			dst = appendTerm(dst, p.Value, ascii)
		}
		return append(dst, '}')
	case *Binary:
		return appendBinary(dst, t, ascii)
	case *Fun:
		dst = append(dst, "fun "...)
		dst = appendAtom(dst, t.Module, ascii)
		dst = append(dst, ':')
		dst = appendAtom(dst, t.Function, ascii)
		dst = append(dst, '/')
		return strconv.AppendInt(dst, t.Arity, 10)
	}
	return dst
}

func appendInt(dst []byte, i *Int) []byte {
	if i.Big != nil {
		return i.Big.Append(dst, 10)
	}
	return strconv.AppendInt(dst, i.N, 10)
}

func appendString(dst []byte, text string, ascii bool) []byte {
	switch {
	case text == "":
		return append(dst, `""`...)
	case ascii:
		return appendQuoted(dst, text, '"', asciiQuotes)
	}
	return appendQuoted(dst, text, '"', writeQuotes)
}

func appendBinary(dst []byte, b *Binary, ascii bool) []byte {
	dst = append(dst, "<<"...)
	if text, ok := asText(b); ok {
		dst = appendString(dst, text, ascii)
		if !isASCII(text) {
			dst = append(dst, "/utf8"...)
		}
		return append(dst, ">>"...)
	}
	for i, c := range b.Bytes {
		if i > 0 {
			dst = append(dst, ',')
		}
		if b.Bits != 0 && i == len(b.Bytes)-1 {
			dst = strconv.AppendUint(dst, uint64(c>>(8-b.Bits)), 10)
			dst = append(dst, ':')
			dst = strconv.AppendInt(dst, int64(b.Bits), 10)
			break
		}
		dst = strconv.AppendUint(dst, uint64(c), 10)
	}
	return append(dst, ">>"...)
}

// appendFloat writes f with the fewest digits that read back to it: plain or
// with an exponent, whichever is shorter, as Erlang does.
func appendFloat(dst []byte, f float64) []byte {
	if f < 0 || f == 0 && 1/f < 0 {
		dst = append(dst, '-')
		f = -f
	}
	if f == 0 {
		return append(dst, "0.0"...)
	}
	var buf [32]byte
	e := strconv.AppendFloat(buf[:0], f, 'e', -1, 64) // d.ddde±xx
	digits := []byte{e[0]}
	i := 1
	if e[1] == '.' {
		for i = 2; e[i] != 'e'; i++ {
			digits = append(digits, e[i])
		}
	}
	exp, _ := strconv.Atoi(string(e[i+1:]))

	// with exponent: d.ddde-x
	sci := append([]byte{}, digits[0], '.')
	if len(digits) == 1 {
		sci = append(sci, '0')
	}
	sci = append(sci, digits[1:]...)
	sci = append(sci, 'e')
	sci = strconv.AppendInt(sci, int64(exp), 10)

	plain := len(digits) + 1 // length without exponent
	switch {
	case exp < 0:
		plain = 1 - exp + len(digits)
	case exp+1 >= len(digits):
		plain = exp + 3
	}
	if f >= 1<<53 || len(sci) < plain {
		return append(dst, sci...)
	}
	return strconvPlain(dst, f)
}

// strconvPlain writes f without an exponent and with at least one digit after
// the point.
func strconvPlain(dst []byte, f float64) []byte {
	n := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	for _, c := range dst[n:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

// Width is the column that AppendPretty tries not to cross.
const Width = 100

// AppendPretty appends t to dst, on several lines if one line would be longer
// than Width columns. indent is the column where t starts, counted from 0; the
// further lines are indented by it and one blank for each bracket.
func AppendPretty(dst []byte, t Term, indent int) []byte {
	return appendPretty(dst, t, indent, 0, false)
}

// AppendPrettyASCII is AppendPretty with escapes as AppendASCII writes them.
func AppendPrettyASCII(dst []byte, t Term, indent int) []byte {
	return appendPretty(dst, t, indent, 0, true)
}

// after is the number of columns that follow t on its last line.
func appendPretty(dst []byte, t Term, indent, after int, ascii bool) []byte {
	mark := len(dst)
	dst = appendTerm(dst, t, ascii)
	if utf8.RuneCount(dst[mark:])+indent+after <= Width {
		return dst
	}
	breakLine := func() {
		dst = append(dst, ",\n"...)
		for range indent + 1 {
			dst = append(dst, ' ')
		}
	}
	switch t := t.(type) {
	case *Tuple:
		if len(t.Elems) == 0 {
			return dst
		}
		dst = append(dst[:mark], '{')
		col := indent + 1
		for i, e := range t.Elems {
			if i > 0 {
				// {key, [...]} keeps the key and the bracket on one line.
				if short(t.Elems[i-1]) && bracket(e) && i == len(t.Elems)-1 && lastLine(dst) < Width/2 {
					dst = append(dst, ", "...)
					col = lastLine(dst)
				} else {
					breakLine()
					col = indent + 1
				}
			}
			dst = appendPretty(dst, e, col, after+1, ascii)
		}
		return append(dst, '}')
	case *List:
		if _, ok := asString(t); ok || len(t.Elems) == 0 {
			return dst
		}
		dst = append(dst[:mark], '[')
		for i, e := range t.Elems {
			if i > 0 {
				breakLine()
			}
			dst = appendPretty(dst, e, indent+1, after+1, ascii)
		}
		if t.Tail != nil {
			dst = append(dst, " | "...)
			dst = appendTerm(dst, t.Tail, ascii)
		}
		return append(dst, ']')
	case *Map:
		if len(t.Pairs) == 0 {
			return dst
		}
		dst = append(dst[:mark], "#{"...)
		indent++
		for i, p := range t.Pairs {
			if i > 0 {
				breakLine()
			}
			dst = appendTerm(dst, p.Key, ascii)
			dst = append(dst, " => "...)
			dst = appendPretty(dst, p.Value, lastLine(dst), after+1, ascii)
		}
		return append(dst, '}')
	}
	return dst
}

// short reports whether t is a key rather than a structure.
func short(t Term) bool {
	switch t.(type) {
	case *Atom, *Int:
		return true
	}
	return false
}

// bracket reports whether t may be broken over lines.
func bracket(t Term) bool {
	switch t.(type) {
	case *Tuple, *List, *Map:
		return true
	}
	return false
}

// lastLine returns the number of characters on the last line of dst.
func lastLine(dst []byte) int {
	i := len(dst)
	for i > 0 && dst[i-1] != '\n' {
		i--
	}
	return utf8.RuneCount(dst[i:])
}
