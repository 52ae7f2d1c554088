package cfgterm

import "unicode"

// firstGraphemes returns the part of s that the first n user-perceived
// characters make up: Erlang cuts the text of its messages there. The rules are
// those of Unicode Annex 29, with general categories in the place of the break
// property where the two agree for nearly all characters.
func firstGraphemes(s string, n int) string {
	var prev rune = -1
	picture := false // the cluster so far is an emoji, perhaps with marks
	flags := 0       // regional indicators at the end of the cluster
	for i, r := range s {
		if prev < 0 || breaks(prev, r, picture, flags) {
			if n == 0 {
				return s[:i]
			}
			n--
			picture, flags = false, 0
		}
		switch {
		case isPicture(r):
			picture = true
		case !extends(r):
			picture = false
		}
		if isFlag(r) {
			flags++
		}
		prev = r
	}
	return s
}

// breaks reports whether a new cluster starts between a and b.
func breaks(a, b rune, picture bool, flags int) bool {
	switch {
	case a == '\r' && b == '\n':
		return false
	case unicode.Is(unicode.Cc, a) || unicode.Is(unicode.Cc, b):
		return true
	case b >= 0x2028 && b <= 0x202E || a >= 0x2028 && a <= 0x202E || b == 0x200B || a == 0x200B || b == 0xFEFF || a == 0xFEFF:
		return true
	case extends(b), prepends(a):
		return false
	case hangul(a) == 'L' && hangul(b) != 0 && hangul(b) != 'T':
		return false
	case (hangul(a) == 'V' || hangul(a) == 'v') && (hangul(b) == 'V' || hangul(b) == 'T'):
		return false
	case (hangul(a) == 'T' || hangul(a) == 't') && hangul(b) == 'T':
		return false
	case a == 0x200D && picture && isPicture(b):
		return false
	case isFlag(a) && isFlag(b):
		return flags%2 == 0
	}
	return true
}

// extends reports whether r belongs to the character before it.
func extends(r rune) bool {
	return r >= 0x300 && (unicode.In(r, unicode.Mn, unicode.Me, unicode.Mc) || r == 0x200C || r == 0x200D ||
		r >= 0x1F3FB && r <= 0x1F3FF || r >= 0xE0020 && r <= 0xE007F || r == 0xFF9E || r == 0xFF9F)
}

// prepends reports whether r belongs to the character after it.
func prepends(r rune) bool {
	return r >= 0x600 && r <= 0x605 || r == 0x6DD || r == 0x70F || r == 0x8E2 || r == 0x110BD
}

func isFlag(r rune) bool { return r >= 0x1F1E6 && r <= 0x1F1FF }

func isPicture(r rune) bool {
	switch {
	case r == 0xA9, r == 0xAE, r == 0x203C, r == 0x2049, r == 0x2122, r == 0x2139, r == 0x3030, r == 0x303D:
		return true
	case r >= 0x2194 && r <= 0x21AA, r >= 0x231A && r <= 0x23FF, r >= 0x25AA && r <= 0x27BF, r >= 0x2934 && r <= 0x2B55:
		return !unicode.IsLetter(r)
	case r >= 0x1F000 && r <= 0x1FAFF:
		return !isFlag(r) && !(r >= 0x1F3FB && r <= 0x1F3FF)
	}
	return false
}

// hangul returns the kind of a Hangul syllable or jamo: L, V, T, v for a
// syllable without and t for one with a final consonant; 0 for others.
func hangul(r rune) byte {
	switch {
	case r >= 0x1100 && r <= 0x115F, r >= 0xA960 && r <= 0xA97C:
		return 'L'
	case r >= 0x1160 && r <= 0x11A7, r >= 0xD7B0 && r <= 0xD7C6:
		return 'V'
	case r >= 0x11A8 && r <= 0x11FF, r >= 0xD7CB && r <= 0xD7FB:
		return 'T'
	case r >= 0xAC00 && r <= 0xD7A3:
		if (r-0xAC00)%28 == 0 {
			return 'v'
		}
		return 't'
	}
	return 0
}
