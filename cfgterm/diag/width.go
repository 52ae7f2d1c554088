package diag

import "unicode"

// runeWidth returns how many columns a terminal gives to a character: 0, 1 or 2.
func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me) || r == 0x200D || r >= 0xFE00 && r <= 0xFE0F:
		return 0
	case r >= 0x1100 && r <= 0x115F, // Hangul jamo
		r >= 0x2E80 && r <= 0x303E, // CJK radicals, punctuation
		r >= 0x3041 && r <= 0x33FF, // kana, compatibility
		r >= 0x3400 && r <= 0x4DBF, r >= 0x4E00 && r <= 0x9FFF, r >= 0xA000 && r <= 0xA4CF,
		r >= 0xA960 && r <= 0xA97C, r >= 0xAC00 && r <= 0xD7A3, r >= 0xF900 && r <= 0xFAFF,
		r >= 0xFE30 && r <= 0xFE6F, r >= 0xFF00 && r <= 0xFF60, r >= 0xFFE0 && r <= 0xFFE6,
		r >= 0x1F300 && r <= 0x1F64F, r >= 0x1F680 && r <= 0x1F6FF, r >= 0x1F900 && r <= 0x1FAFF,
		r >= 0x20000 && r <= 0x3FFFD:
		return 2
	}
	return 1
}

// visible returns what to print for a character, so that a file can neither
// command the terminal nor reorder its text.
func visible(r rune) rune {
	switch {
	case r < 0x20:
		return 0x2400 + r // ␀ to ␟
	case r == 0x7F:
		return 0x2421
	case r >= 0x80 && r < 0xA0, r == 0x200B, r == 0x200E, r == 0x200F, r == 0xFEFF, r == 0xFFFE, r == 0xFFFF,
		r >= 0x2028 && r <= 0x202E, r >= 0x2060 && r <= 0x206F:
		return 0xFFFD
	case r == 0xA0:
		return ' '
	}
	return r
}
