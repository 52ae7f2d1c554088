package cfgterm

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A scanFault is a scan error: what Erlang's scanner refuses.
type scanFault struct {
	code       string
	start, end int    // the bytes to blame
	line       int    // the line that Erlang names
	erlang     string // its message; "" if Erlang has no fault to find
	from       int    // where the token starts that holds the fault
}

// scanner splits a file into tokens. It never looks back: the parser, the
// recogniser and the diagnosis all read through it.
type scanner struct {
	s      string // the file's bytes; token texts are parts of it
	end    int    // where reading stops: len(s), or the first byte that is not UTF-8
	latin1 bool   // the file declares Latin-1
	loose  bool   // bytes that are not UTF-8 count as Latin-1, after they were reported
	nonchr bool   // U+FFFE or U+FFFF stands somewhere
	lim    limits

	read int // tokens so far, to bound the work on files with many faults

	pos  int
	line int
	bol  int // a character at byte i of the current line has column i-bol+1

	tok      token
	bad      scanFault
	lint     func(odd oddity, start, end int)
	comments *[]Comment
	file     string
}

// oddities are what is legal and looks like a mistake.
type oddity uint8

const (
	oddEscape   oddity = iota // a backslash that is dropped
	oddControl                // \^x
	oddBlank                  // NUL, NBSP and the like between tokens
	oddSeparate               // digit separator
	oddWide                   // atom with characters above U+00FF
	oddTriple                 // """
	oddReserved               // an atom that is a reserved word from OTP 27 on
	oddLines                  // a quoted text over several lines
)

// rune decodes the character at i, which is below the end.
func (p *scanner) rune(i int) (rune, int) {
	c := p.s[i]
	if c < utf8.RuneSelf || p.latin1 {
		return rune(c), 1
	}
	r, n := utf8.DecodeRuneInString(p.s[i:])
	if r == utf8.RuneError && n == 1 {
		return rune(c), 1 // only in loose mode: p.end stops before it otherwise
	}
	return r, n
}

// part returns the text of bytes a to b in UTF-8.
func (p *scanner) part(a, b int) string {
	t := p.s[a:b]
	if !p.latin1 && !p.loose {
		return t
	}
	for i := 0; i < len(t); i++ {
		if t[i] >= utf8.RuneSelf {
			buf := append(make([]byte, 0, len(t)+8), t[:i]...)
			for i := a + i; i < b; {
				r, n := p.rune(i)
				buf = utf8.AppendRune(buf, r)
				i += n
			}
			return string(buf)
		}
	}
	return t
}

// fail makes the current token a scan error.
func (p *scanner) fail(code string, start, end, line int, erlang string) {
	if end == p.end && end < len(p.s) && !strings.HasPrefix(erlang, "illegal base") && (code == codeNumber || code == codeAtom || code == codeLimit) {
		// More of the number or name may follow in what cannot be read.
		code, start, end, line, erlang = codeEncoding, p.end, p.end+1, p.line, "cannot translate from UTF-8"
	}
	p.bad = scanFault{code: code, start: start, end: end, line: line, erlang: erlang, from: p.tok.start}
	p.tok.kind = kBad
	p.tok.end = end
	p.pos = max(end, p.pos)
}

// failChar reports the character at i as illegal.
func (p *scanner) failChar(i int) {
	_, n := p.rune(i)
	p.fail(codeChar, i, i+n, p.line, "illegal character")
}

// failEnd makes the current token the end of the input: the end of the file, or
// a byte that is not UTF-8.
func (p *scanner) failEnd(otherwise func()) {
	if p.end < len(p.s) {
		p.pos = p.end
		p.fail(codeEncoding, p.end, p.end+1, p.line, "cannot translate from UTF-8")
		return
	}
	otherwise()
}

// lex reads the next token into p.tok.
func (p *scanner) lex() {
	p.read++
	s, pos, end := p.s, p.pos, p.end
	for {
		if pos >= end {
			p.pos = pos
			t := &p.tok
			t.kind, t.start, t.end, t.line, t.col, t.text = kEOF, pos, pos, p.line, pos-p.bol+1, ""
			if end < len(s) {
				p.failEnd(nil)
			}
			return
		}
		c := s[pos]
		if c <= ' ' {
			if c == '\n' {
				p.line++
				p.bol = pos + 1
			} else if c < '\t' {
				p.lint(oddBlank, pos, pos+1)
			}
			pos++
			continue
		}
		if c == '%' {
			n := strings.IndexByte(s[pos:end], '\n')
			stop := pos + n
			if n < 0 {
				stop = end
			}
			if p.nonchr {
				if i := nonchar(s[pos:stop]); i >= 0 {
					p.tok.start = pos + i
					p.tok.line, p.tok.col = p.line, pos-p.bol+1+utf8.RuneCountInString(s[pos:pos+i])
					p.failChar(pos + i)
					return
				}
			}
			p.comment(pos, stop)
			pos = stop
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := p.rune(pos)
			if r >= 0x80 && r <= 0xA0 {
				p.lint(oddBlank, pos, pos+n)
				p.bol += n - 1
				pos += n
				continue
			}
		}
		break
	}

	t := &p.tok
	t.start, t.line, t.col = pos, p.line, pos-p.bol+1
	c := s[pos]
	switch c {
	case ',':
		t.kind = kComma
	case '{':
		t.kind = kLBrace
	case '}':
		t.kind = kRBrace
	case '[':
		t.kind = kLBracket
	case ']':
		t.kind = kRBracket
	case '(':
		t.kind = kLParen
	case ')':
		t.kind = kRParen
	case '"', '\'':
		p.quoted(pos, c)
		return
	case '$':
		p.char(pos)
		return
	default:
		switch class[c] {
		case cLower, cUpper, cDigit:
			if c < utf8.RuneSelf {
				if class[c] == cDigit {
					p.number(pos)
				} else {
					p.name(pos)
				}
				return
			}
		case cMark:
			p.mark(pos)
			return
		}
		r, n := p.rune(pos)
		switch {
		case r > 0xFF:
			p.failChar(pos)
			return
		case class[r] == cLower || class[r] == cUpper:
			p.name(pos)
			return
		}
		t.kind = kOdd
		t.text = string(r)
		t.end = pos + n
		p.pos = t.end
		p.bol += n - 1
		return
	}
	t.end = pos + 1
	p.pos = t.end
}

// nonchar returns the index of the first U+FFFE or U+FFFF in s, or -1.
func nonchar(s string) int {
	for i := 0; ; {
		n := strings.Index(s[i:], "\xEF\xBF")
		if n < 0 || i+n+2 >= len(s) {
			return -1
		}
		i += n
		if s[i+2] >= 0xBE {
			return i
		}
		i += 2
	}
}

// comment keeps the comment between a and b.
func (p *scanner) comment(a, b int) {
	if p.comments == nil {
		return
	}
	if b > a && p.s[b-1] == '\r' {
		b--
	}
	*p.comments = append(*p.comments, Comment{a, b})
}

// name reads an atom, a reserved word or a variable.
func (p *scanner) name(pos int) {
	s, end, t := p.s, p.end, &p.tok
	upper := false
	i := pos
	if c := s[pos]; c < utf8.RuneSelf {
		upper = class[c] == cUpper
		i++
	} else {
		r, n := p.rune(pos)
		upper = class[r] == cUpper
		i += n
		p.bol += n - 1
	}
	more := 0 // bytes that are not the first of a character
	for i < end {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := p.rune(i)
			if !isName(r) {
				break
			}
			i += n
			p.bol += n - 1
			more += n - 1
			continue
		}
		if k := class[c]; k < cLower || k > cAt {
			break
		}
		i++
	}
	t.end = i
	p.pos = i
	t.text = p.part(pos, i)
	if i-pos > 255 && utf8.RuneCountInString(t.text) > 255 {
		if upper {
			p.fail(codeAtom, pos, i, t.line, "illegal var")
		} else {
			p.fail(codeAtom, pos, i, t.line, "illegal atom")
		}
		return
	}
	switch {
	case upper:
		t.kind = kVar
	default:
		t.kind = keyword(t.text)
		if t.kind == kAtom && len(t.text) < 6 && (t.text == "maybe" || t.text == "else") {
			p.lint(oddReserved, pos, i)
		}
	}
}

// quoted reads a string or a quoted atom; q is the quote at pos.
func (p *scanner) quoted(pos int, q byte) {
	s, end, t := p.s, p.end, &p.tok
	t.kind = kString
	var buf []byte // the text so far, once an escape or another encoding was met
	i, from := pos+1, pos+1
	wide := false
	for {
		if i >= end {
			p.pos = i
			p.failEnd(func() { p.unterminated(pos, q, append(buf, p.part(from, i)...)) })
			return
		}
		c := s[i]
		if c == q {
			break
		}
		switch {
		case c == '\n':
			p.line++
			i++
			p.bol = i
		case c == '\\':
			buf = append(buf, p.part(from, i)...)
			r, n := p.escape(i)
			if n == 0 {
				if p.tok.kind != kBad {
					p.pos = end
					p.failEnd(func() { p.unterminated(pos, q, buf) })
				}
				return
			}
			if r > 0xFF {
				wide = true
			}
			buf = utf8.AppendRune(buf, r)
			i += n
			from = i
		case c >= utf8.RuneSelf:
			r, n := p.rune(i)
			if r == 0xFFFE || r == 0xFFFF {
				p.failChar(i)
				return
			}
			if r > 0xFF {
				wide = true
			}
			p.bol += n - 1
			i += n
		default:
			i++
		}
	}
	if buf == nil {
		t.text = p.part(from, i)
	} else {
		t.text = string(append(buf, p.part(from, i)...))
	}
	i++
	t.end = i
	p.pos = i
	if p.line != t.line {
		p.lint(oddLines, pos, i)
	}
	if q == '"' {
		t.kind = kString
		if i-pos == 2 && i < end && s[i] == '"' {
			p.lint(oddTriple, pos, i+1)
		}
		return
	}
	t.kind = kAtom
	if i-pos > 257 && utf8.RuneCountInString(t.text) > 255 {
		p.fail(codeAtom, pos, i, t.line, "illegal atom")
		return
	}
	if wide {
		p.lint(oddWide, pos, i)
	}
}

// unterminated reports a quote that is never closed.
func (p *scanner) unterminated(pos int, q byte, text []byte) {
	what := "unterminated string starting with "
	if q == '\'' {
		what = "unterminated atom starting with "
	}
	p.fail(codeQuote, pos, pos+1, p.tok.line, what+string(appendQuoted(nil, firstGraphemes(string(text), 16), q, erlangQuotes)))
	p.pos = p.end
}

// escape decodes the escape sequence at i, a backslash. n is its length; 0 means
// that it is wrong (the token is then kBad) or that the input ends within.
func (p *scanner) escape(i int) (r rune, n int) {
	s, end := p.s, p.end
	start := i
	i++
	if i >= end {
		return 0, 0
	}
	c := s[i]
	switch c {
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'v':
		return '\v', 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'e':
		return 0x1B, 2
	case 's':
		return ' ', 2
	case 'd':
		return 0x7F, 2
	case '"', '\'', '\\':
		return rune(c), 2
	case '\n':
		p.line++
		p.bol = i + 1
		return '\n', 2
	case '0', '1', '2', '3', '4', '5', '6', '7':
		for n = 1; n < 4 && start+n < end && s[start+n] >= '0' && s[start+n] <= '7'; n++ {
			r = r*8 + rune(s[start+n]-'0')
		}
		return r, n
	case '^':
		i++
		if i >= end {
			return 0, 0
		}
		if s[i] == '\n' {
			p.line++
			p.bol = i + 1
			return '\n', 3
		}
		r, n = p.rune(i)
		if r == 0xFFFE || r == 0xFFFF {
			p.failEscape(start, i+n)
			return 0, 0
		}
		p.bol += n - 1
		p.lint(oddControl, start, i+n)
		return r & 31, 2 + n
	case 'x':
		return p.hexEscape(start)
	}
	r, n = p.rune(i)
	if r == 0xFFFE || r == 0xFFFF {
		p.failEscape(start, i+n)
		return 0, 0
	}
	p.bol += n - 1
	p.lint(oddEscape, start, i+n)
	return r, 1 + n
}

// failEscape reports the bytes a to b as an escape that means nothing.
func (p *scanner) failEscape(a, b int) {
	p.fail(codeChar, a, min(b, p.end), p.line, "illegal character")
}

// hexEscape decodes \xHH and \x{H...}; start is the backslash.
func (p *scanner) hexEscape(start int) (r rune, n int) {
	s, end := p.s, p.end
	i := start + 2
	if i >= end {
		return 0, 0
	}
	if s[i] == '{' {
		digits := 0
		for i++; i < end; i++ {
			d := digitValue(s[i])
			if d >= 16 {
				break
			}
			digits++
			if r < 1<<24 {
				r = r*16 + rune(d)
			}
		}
		if i >= end {
			return 0, 0
		}
		if s[i] != '}' || digits == 0 || !validRune(r) {
			p.failEscape(start, i+1)
			return 0, 0
		}
		return r, i + 1 - start
	}
	for range 2 {
		if i >= end {
			return 0, 0
		}
		d := digitValue(s[i])
		if d >= 16 {
			p.failEscape(start, i)
			return 0, 0
		}
		r = r*16 + rune(d)
		i++
	}
	return r, 4
}

// validRune reports whether r may stand in a string.
func validRune(r rune) bool {
	return r >= 0 && r < 0xD800 || r > 0xDFFF && r < 0xFFFE || r > 0xFFFF && r <= 0x10FFFF
}

// digitValue returns the value of c as a digit of base 36, and 99 for others.
func digitValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'z':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'Z':
		return int(c-'A') + 10
	}
	return 99
}

// char reads a character literal; the dollar sign stands at pos.
func (p *scanner) char(pos int) {
	s, end, t := p.s, p.end, &p.tok
	line := p.line
	unfinished := func() { p.fail(codeUnfinishedChar, pos, end, line, "unterminated character") }
	i := pos + 1
	if i >= end {
		p.pos = end
		p.failEnd(unfinished)
		return
	}
	t.kind = kChar
	if s[i] == '\\' {
		r, n := p.escape(i)
		if n == 0 {
			if t.kind != kBad {
				p.pos = end
				p.failEnd(unfinished)
			}
			return
		}
		t.num = int64(r)
		t.end = i + n
		p.pos = t.end
		return
	}
	r, n := p.rune(i)
	switch r {
	case '\n':
		p.line++
		p.bol = i + 1
	case 0xFFFE, 0xFFFF:
		p.failChar(i)
		return
	default:
		p.bol += n - 1
	}
	t.num = int64(r)
	t.end = i + n
	p.pos = t.end
}

// digits reads digits of a base from i on, with single underscores between
// them, and returns where they end.
func (p *scanner) digits(i, base int) (stop int, separated bool) {
	s, end := p.s, p.end
	for i < end {
		c := s[i]
		if digitValue(c) < base {
			i++
			continue
		}
		if c == '_' && i > 0 && digitValue(s[i-1]) < base && i+1 < end && digitValue(s[i+1]) < base {
			separated = true
			i++
			continue
		}
		break
	}
	return i, separated
}

// number reads an integer or a float.
func (p *scanner) number(pos int) {
	s, end, t := p.s, p.end, &p.tok
	i := pos
	var n int64
	for i < end && s[i]-'0' <= 9 && i-pos < 18 {
		n = n*10 + int64(s[i]-'0')
		i++
	}
	t.kind, t.num, t.big = kInt, n, nil
	if i < end && (s[i]-'0' <= 9 || s[i] == '_') {
		stop, separated := p.digits(i, 10)
		if stop > i {
			i = stop
			if separated {
				p.lint(oddSeparate, pos, i)
			}
			if !p.integer(s[pos:i], 10) {
				return
			}
		}
	}
	t.end = i
	p.pos = i
	if i+1 < end && s[i] == '.' && s[i+1]-'0' <= 9 {
		p.float(pos, i+1)
		return
	}
	if i < end && s[i] == '#' {
		p.based(pos, i)
	}
}

// integer sets the token to the value of digits, which may hold underscores.
func (p *scanner) integer(digits string, base int) bool {
	t := &p.tok
	if len(digits) > p.lim.digits {
		p.fail(codeLimit, t.start, t.start+len(digits), t.line, "")
		return false
	}
	if strings.IndexByte(digits, '_') >= 0 {
		digits = strings.ReplaceAll(digits, "_", "")
	}
	t.num, t.big = 0, nil
	if n, err := strconv.ParseInt(digits, base, 64); err == nil {
		t.num = n
		return true
	}
	t.big, _ = new(big.Int).SetString(digits, base)
	return true
}

// float reads the rest of a float; its fraction starts at i.
func (p *scanner) float(pos, i int) {
	s, end, t := p.s, p.end, &p.tok
	i, _ = p.digits(i, 10)
	if i < end && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < end && (s[j] == '+' || s[j] == '-') {
			j++
		}
		if j >= end || s[j]-'0' > 9 {
			p.fail(codeNumber, pos, j, t.line, "illegal float")
			return
		}
		i, _ = p.digits(j, 10)
	}
	if i-pos > p.lim.digits {
		p.fail(codeLimit, pos, i, t.line, "")
		return
	}
	text := s[pos:i]
	if strings.IndexByte(text, '_') >= 0 {
		text = strings.ReplaceAll(text, "_", "")
		p.lint(oddSeparate, pos, i)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && (f > 1 || f < -1) { // the only error left is the range; tiny values are 0.0
		p.fail(codeNumber, pos, i, t.line, "illegal float")
		return
	}
	t.kind, t.fnum, t.end = kFloat, f, i
	p.pos = i
}

// based reads the rest of BASE#DIGITS; the # stands at hash.
func (p *scanner) based(pos, hash int) {
	t := &p.tok
	base := t.num
	if t.big != nil || base < 2 || base > 36 {
		text := strconv.FormatInt(base, 10)
		if t.big != nil {
			text = t.big.String()
		}
		p.fail(codeNumber, pos, min(hash+1, p.end), t.line, "illegal base '"+text+"'")
		return
	}
	i := hash + 1
	if i >= p.end || digitValue(p.s[i]) >= int(base) {
		if i+1 == p.end && p.s[i] == '_' { // Erlang looks at the character after it
			i++
		}
		p.fail(codeNumber, pos, i, t.line, "illegal integer")
		return
	}
	i, sep := p.digits(i, int(base))
	if sep {
		p.lint(oddSeparate, pos, i)
	}
	if !p.integer(p.s[hash+1:i], int(base)) {
		return
	}
	t.end = i
	p.pos = i
}

// mark reads punctuation.
func (p *scanner) mark(pos int) {
	s, end, t := p.s, p.end, &p.tok
	at := func(i int) byte {
		if pos+i < end {
			return s[pos+i]
		}
		return 0
	}
	k, n := kPunct, 1
	switch c := s[pos]; c {
	case ';':
		k = kSemi
	case '#':
		k = kHash
	case '*':
		k = kStar
	case '!':
		k = kBang
	case '|':
		k = kBar
		if at(1) == '|' {
			k, n = kBarBar, 2
		}
	case '.':
		p.dot(pos)
		return
	case ':':
		switch at(1) {
		case ':':
			k, n = kColons, 2
		case '=':
			k, n = kExact, 2
		default:
			k = kColon
		}
	case '/':
		k = kSlash
		if at(1) == '=' {
			k, n = kNe, 2
		}
	case '+':
		k = kPlus
		if at(1) == '+' {
			k, n = kPlusPlus, 2
		}
	case '-':
		switch at(1) {
		case '-':
			k, n = kMinusMinus, 2
		case '>':
			k, n = kArrow, 2
		default:
			k = kMinus
		}
	case '=':
		switch {
		case at(1) == ':' && at(2) == '=':
			k, n = kExactEq, 3
		case at(1) == '/' && at(2) == '=':
			k, n = kExactNe, 3
		case at(1) == '<':
			k, n = kLe, 2
		case at(1) == '>':
			k, n = kAssoc, 2
		case at(1) == '=':
			k, n = kEq, 2
		default:
			k = kEquals
		}
	case '<':
		switch at(1) {
		case '<':
			k, n = kBinOpen, 2
		case '-':
			k, n = kGen, 2
		case '=':
			k, n = kBinGen, 2
		default:
			k = kLt
		}
	case '>':
		switch at(1) {
		case '>':
			k, n = kBinClose, 2
		case '=':
			k, n = kGe, 2
		default:
			k = kGt
		}
	case '?':
		if at(1) == '=' {
			k, n = kMaybe, 2
		} else {
			k = kOdd
			t.text = "?"
		}
	}
	t.kind = k
	t.end = pos + n
	p.pos = t.end
}

// dot reads what begins with a dot.
func (p *scanner) dot(pos int) {
	s, end, t := p.s, p.end, &p.tok
	n := 1
	switch {
	case pos+1 >= end:
		if end < len(s) { // whether the dot ends the term depends on what cannot be read
			p.pos = end
			p.failEnd(nil)
			return
		}
		t.kind = kDot
	case s[pos+1] == '.':
		t.kind, n = kTwoDots, 2
		if pos+2 < end && s[pos+2] == '.' {
			t.kind, n = kEllipsis, 3
		}
	case s[pos+1] <= ' ' || s[pos+1] == '%':
		t.kind = kDot
	default:
		t.kind = kPeriod
		if s[pos+1] >= utf8.RuneSelf {
			if r, _ := p.rune(pos + 1); r >= 0x80 && r <= 0xA0 {
				t.kind = kDot
			}
		}
	}
	t.end = pos + n
	p.pos = t.end
}
