package xml

import "sort"

// Classes of bytes in text, in attribute values and in tags. One table look-up
// per byte is what scanning costs.
const (
	plain     = iota
	markup    // <
	ampersand // &
	greater   // > (escaped when the reference counts sizes)
	bracket   // ] (may begin ]]>)
	newline   // CR: must become LF
	forbidden // control characters
	high      // 0xEF: may begin U+FFFE or U+FFFF
	blank     // TAB, LF inside an attribute value: becomes a space
	quotes    // ' and " inside an attribute value: one of them ends it
)

var textClass, valueClass [256]uint8

// tagStop marks the bytes that matter inside a tag.
var tagStop = [256]uint8{'<': 1, '>': 1, '\'': 1, '"': 1}

// Properties of bytes in names.
const (
	nameStart = 1 << iota
	nameByte
	space
	nonASCII
)

var nameClass [256]uint8

func init() {
	for c := range 256 {
		switch {
		case c == '\t' || c == '\n':
			valueClass[c] = blank
		case c == '\r':
			textClass[c], valueClass[c] = newline, newline
		case c < 0x20:
			textClass[c], valueClass[c] = forbidden, forbidden
		case c == '<':
			textClass[c], valueClass[c] = markup, markup
		case c == '\'' || c == '"':
			valueClass[c] = quotes
		case c == '&':
			textClass[c], valueClass[c] = ampersand, ampersand
		case c == '>':
			textClass[c] = greater
		case c == ']':
			textClass[c] = bracket
		case c == 0xEF:
			textClass[c], valueClass[c] = high, high
		}
		switch {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == ':':
			nameClass[c] = nameStart | nameByte
		case '0' <= c && c <= '9' || c == '-' || c == '.':
			nameClass[c] = nameByte
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			nameClass[c] = space
		case c >= 0x80:
			nameClass[c] = nameStart | nameByte | nonASCII
		}
	}
}

func isSpace(c byte) bool { return nameClass[c]&space != 0 }

// isChar tells whether XML 1.0 allows a code point at all (production 2).
func isChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' ||
		0x20 <= r && r <= 0xD7FF || 0xE000 <= r && r <= 0xFFFD || 0x10000 <= r && r <= 0x10FFFF
}

// startRanges and moreRanges are productions 4 and 4a of XML 1.0, fifth
// edition, beyond ASCII.
var startRanges = [][2]rune{
	{0xC0, 0xD6},
	{0xD8, 0xF6},
	{0xF8, 0x2FF},
	{0x370, 0x37D},
	{0x37F, 0x1FFF},
	{0x200C, 0x200D},
	{0x2070, 0x218F},
	{0x2C00, 0x2FEF},
	{0x3001, 0xD7FF},
	{0xF900, 0xFDCF},
	{0xFDF0, 0xFFFD},
	{0x10000, 0xEFFFF},
}

var moreRanges = [][2]rune{{0xB7, 0xB7}, {0x300, 0x36F}, {0x203F, 0x2040}}

func within(ranges [][2]rune, r rune) bool {
	i := sort.Search(len(ranges), func(i int) bool { return ranges[i][1] >= r })
	return i < len(ranges) && ranges[i][0] <= r
}

// nameOK checks the code points of a name that holds bytes beyond ASCII. The
// part behind a colon begins like a name.
func nameOK(name string) bool {
	start := true
	for _, r := range name {
		switch {
		case r < 0x80:
			if c := nameClass[r]; c&nameByte == 0 || start && c&nameStart == 0 {
				return false
			}
		case !within(startRanges, r) && (start || !within(moreRanges, r)):
			return false
		}
		start = r == ':'
	}
	return true
}
