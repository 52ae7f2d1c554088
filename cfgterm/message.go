package cfgterm

import "strconv"

// erlangText returns a token as Erlang's parser prints it after "syntax error
// before: ".
func (t *token) erlangText() string {
	switch t.kind {
	case kEOF:
		return ""
	case kAtom:
		if erlangPlain(t.text) {
			return t.text
		}
		return string(appendQuoted(nil, t.text, '\'', erlangQuotes))
	case kVar:
		return t.text
	case kInt:
		if t.big != nil {
			return t.big.String()
		}
		return strconv.FormatInt(t.num, 10)
	case kFloat:
		return string(appendFloat(nil, t.fnum))
	case kChar:
		return erlangChar(rune(t.num))
	case kString:
		return string(appendQuoted(nil, t.text, '"', erlangQuotes))
	case kOdd:
		return string(appendQuoted(nil, t.text, '\'', erlangQuotes))
	}
	return "'" + kindText[t.kind] + "'"
}

// erlangPlain reports whether OTP 25 prints an atom without quotes.
func erlangPlain(name string) bool {
	for i, r := range name {
		if i == 0 && (r > 0xFF || class[r] != cLower) || !isName(r) {
			return false
		}
	}
	return name != "" && keyword(name) == kAtom
}

// erlangChar returns a character literal as Erlang prints it.
func erlangChar(r rune) string {
	switch {
	case r == ' ':
		return `$\s`
	case r == '\'' || r == '"' || r > 0xFF:
		return "$" + string(r)
	}
	q := appendQuoted(nil, string(r), '"', erlangQuotes)
	return "$" + string(q[1:len(q)-1])
}
