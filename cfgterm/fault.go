package cfgterm

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"meerkat/cfgterm/diag"
)

// endsTerm reports whether a token may be the last of a term.
func endsTerm(k kind) bool {
	switch k {
	case kAtom, kVar, kInt, kFloat, kChar, kString, kRParen, kRBracket, kRBrace, kBinClose, kEnd:
		return true
	}
	return false
}

// startsTerm reports whether a token may be the first of a term.
func startsTerm(k kind) bool {
	switch k {
	case kAtom, kVar, kInt, kFloat, kChar, kString, kLParen, kLBracket, kLBrace, kBinOpen, kHash:
		return true
	}
	return false
}

// closerOf returns the bracket that closes k, kEOF if k opens none.
func closerOf(k kind) kind {
	switch k {
	case kLParen:
		return kRParen
	case kLBracket:
		return kRBracket
	case kLBrace:
		return kRBrace
	case kBinOpen:
		return kBinClose
	}
	return kEOF
}

func isCloser(k kind) bool {
	return k == kRParen || k == kRBracket || k == kRBrace || k == kBinClose
}

func isOpener(k kind) bool { return closerOf(k) != kEOF }

// whole is what a bracket encloses.
func whole(k kind) string {
	switch k {
	case kLBracket, kRBracket:
		return "list"
	case kLBrace, kRBrace:
		return "tuple"
	case kBinOpen, kBinClose:
		return "binary"
	}
	return "term in parentheses"
}

// open returns the brackets that are open before token i, as indices.
func open(toks []token, i int) (stack []int) {
	for j := range toks[:i] {
		k := toks[j].kind
		switch {
		case isOpener(k):
			stack = append(stack, j)
		case isCloser(k) && len(stack) > 0:
			stack = stack[:len(stack)-1]
		}
	}
	return stack
}

// between returns the first token of kind k from i on that is in no bracket.
func between(toks []token, i int, k kind) int {
	depth := len(open(toks, i))
	for ; i < len(toks)-1; i++ {
		switch t := toks[i].kind; {
		case t == k && depth == 0:
			return i
		case isOpener(t):
			depth++
		case isCloser(t):
			depth--
		}
	}
	return i
}

// a returns a word with its article.
func a(word string) string {
	if word != "" && strings.IndexByte("aeiou", word[0]) >= 0 {
		return "an " + word
	}
	return "a " + word
}

// count returns "1 line" or "2 lines".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// cut shortens a long text.
func cut(s string) string {
	if utf8.RuneCountInString(s) <= 40 {
		return s
	}
	return string([]rune(s)[:40]) + "…"
}

// show returns a token as the file has it, cut if it is long. Texts in quotes are
// left out: they may be secrets.
func (r *reader) show(t *token) string {
	switch t.kind {
	case kString:
		return "this string"
	case kEOF:
		return "the end of the file"
	case kDot:
		return "the final dot"
	case kAtom:
		if r.s[t.start] == '\'' {
			return "this quoted atom"
		}
	}
	text := r.part(t.start, t.end)
	if utf8.RuneCountInString(text) > 40 || strings.IndexFunc(text, unicode.IsControl) >= 0 {
		return "this token"
	}
	return text
}

// diagnose says what is wrong with a term whose tokens are toks.
func (r *reader) diagnose(toks []token, v reading) fault {
	start := place{toks[0].start, toks[0].line, toks[0].start - toks[0].col + 1}
	if f, ok := r.commentStyle(toks, v.bad, start.pos); ok {
		return f
	}
	switch {
	case v.bad >= 0:
		f := r.syntax(toks, v.bad, start)
		if v.head {
			f = r.unexpected(toks, v.bad, giveUp)
		}
		return f
	case v.clauses:
		return r.separator(toks, between(toks, 0, kSemi), ";", ".")
	case len(v.exprs) > 1:
		return r.separator(toks, between(toks, v.exprs[0].last, kComma), ",", ".")
	}
	return r.constant(toks, v.exprs[0])
}

// syntax says what is wrong at token i; i may be len(toks), the end of the file.
func (r *reader) syntax(toks []token, i int, start place) fault {
	if f, ok := r.swallowed(toks, i, start); ok {
		return f
	}
	end := token{kind: kEOF, start: len(r.s), end: len(r.s)}
	t, prev := &end, &token{}
	if i < len(toks) {
		t = &toks[i]
	}
	if i > 0 {
		prev = &toks[i-1]
	}
	stack := open(toks, i)
	depth := len(stack)
	var top *token
	if depth > 0 {
		top = &toks[stack[depth-1]]
	}
	adjacent := i > 0 && prev.end == t.start

	// Reserved words look like atoms.
	if t.kind > kKeyword {
		return r.reserved(t)
	}
	if prev.kind > kKeyword && prev.kind != kEnd {
		return r.reserved(prev)
	}

	switch t.kind {
	case kOdd:
		return r.oddCharacter(toks, i)

	case kRParen, kRBracket, kRBrace, kBinClose:
		switch {
		case top == nil:
			f := r.unexpected(toks, i, giveUp)
			f.Code = codeBracket
			f.Summary = fmt.Sprintf("%s closes a bracket that was never opened", r.show(t))
			f.Help = fmt.Sprintf("remove it, or write the %s that it belongs to", kindText[openerOf(t.kind)])
			return f
		case t.kind != closerOf(top.kind):
			return r.wrongCloser(toks, stack, i)
		case prev.kind == kComma:
			return r.comma(prev, "comma after the last element of "+a(whole(top.kind)), codeTrailingComma)
		}

	case kComma:
		switch {
		case prev.kind == kComma:
			return r.comma(t, "two commas with nothing between them", codeTrailingComma)
		case isOpener(prev.kind):
			return r.comma(t, "comma before the first element of "+a(whole(top.kind)), codeTrailingComma)
		case i == 0:
			return r.comma(t, "comma before the first term", codeTrailingComma)
		case top != nil && top.kind == kLParen && endsTerm(prev.kind):
			f := r.unexpected(toks, i, giveUp)
			f.Summary = "parentheses hold one term only"
			f.Help = "write a tuple in braces or a list in brackets"
			f.Related = append(f.Related, diag.Related{Span: r.span(top.start, top.end), Text: "opened here"})
			return f
		}

	case kSemi:
		if endsTerm(prev.kind) {
			return r.separator(toks, i, ";", ",")
		}

	case kAssoc, kExact:
		if endsTerm(prev.kind) {
			return r.separator(toks, i, kindText[t.kind], ",")
		}

	case kColons, kSlash:
		if f, ok := r.address(t.start); ok {
			return f
		}

	case kPeriod:
		return r.period(toks, i, stack)

	case kTwoDots, kEllipsis:
		f := r.unexpected(toks, i, giveUp)
		switch {
		case depth == 0 && endsTerm(prev.kind):
			f.Summary = "more than one dot after a term"
			f.Help = "write one dot"
			f.remedy = edit
			f.edits = []change{{t.start, strings.Repeat(" ", t.end-t.start-1) + "."}}
			f.fixes = []Fix{{t.start, t.end - 1, ""}}
		default:
			f.Summary = fmt.Sprintf("%s has no meaning in a term", kindText[t.kind])
			f.Help = "ranges are not known here: write all the elements"
		}
		return f

	case kDot:
		switch {
		case i == 0:
			f := r.unexpected(toks, i, edit)
			f.Summary = "a dot without a term before it"
			f.Help = "remove it"
			f.edits = []change{{t.start, " "}}
			f.fixes = []Fix{{t.start, t.end, ""}}
			return f
		case depth > 0:
			return r.neverClosed(toks, stack, i)
		case prev.kind == kComma:
			return r.comma(prev, "comma before the final dot", codeTrailingComma)
		}

	case kEOF:
		switch {
		case depth > 0:
			return r.neverClosed(toks, stack, i)
		case prev.kind == kSemi || prev.kind == kComma:
			return r.separator(toks, i-1, kindText[prev.kind], ".")
		case endsTerm(prev.kind):
			return r.noDot(toks, i)
		default:
			f := r.unexpected(toks, i-1, giveUp)
			f.Summary = "the file ends in the middle of a term"
			f.Help = "write the rest of the term and a dot"
			f.from = len(r.s)
			return f
		}
	}

	if startsTerm(t.kind) && (endsTerm(prev.kind) || prev.kind == kSemi || prev.kind == kComma && depth == 0) {
		switch {
		case prev.kind == kSemi && depth == 0:
			return r.separator(toks, i-1, ";", ".")
		case !endsTerm(prev.kind):
		case adjacent && (prev.kind == kInt || prev.kind == kFloat) && (t.kind == kAtom || t.kind == kVar) && r.s[t.start] != '\'':
			return r.badNumber(prev, t)
		case adjacent && (prev.kind == kString && isWordByte(r.s[t.start]) || t.kind == kString && isWordByte(r.s[prev.end-1])):
			return r.innerQuote(toks, i)
		case adjacent && (prev.kind == kAtom && r.s[prev.start] == '\'' && isWordByte(r.s[t.start]) || t.kind == kAtom && r.s[t.start] == '\''):
			return r.innerQuote(toks, i)
		case depth == 0 && (t.line > prev.line || isCloser(prev.kind)):
			return r.noDot(toks, i)
		case depth == 0:
			f := r.unexpected(toks, i, giveUp)
			f.Summary = fmt.Sprintf("%s follows a complete term", r.show(t))
			f.Help = "terms of several parts are tuples: {name, value}."
			return f
		case t.kind == kLBrace && t.col == 1 && i > 0 && startsTop(r.s[t.start:]) && !r.elementsAtLeft(toks, stack, i):
			return r.neverClosed(toks, stack, i)
		case top.kind == kLParen:
			// Nothing can be missing here but the bracket.
		default:
			return r.missingComma(toks, i)
		}
	}

	f := r.unexpected(toks, i, giveUp)
	switch {
	case t.kind == kGt && top != nil && top.kind == kBinOpen:
		f.Code = codeBracket
		f.Summary = "> does not close the << that is open"
		f.Help = "a binary ends with >>"
		f.Related = []diag.Related{{Span: r.span(top.start, top.end), Text: "opened here"}}
	case t.kind == kLt && !endsTerm(prev.kind) && i+1 < len(toks) && startsTerm(toks[i+1].kind) && prev.kind != kLe:
		f.Code = codeBracket
		f.Summary = "< opens nothing"
		f.Help = "a binary starts with <<"
	case t.kind == kInt && prev.kind == kMinus && i > 2 && toks[i-2].kind == kAtom && toks[i-3].kind == kSlash && strings.HasPrefix(toks[i-2].text, "utf"):
		f.Span = r.span(toks[i-2].start, t.end)
		f.Summary = "the type of a text in a binary is written without a hyphen"
		f.Help = "write /" + toks[i-2].text + r.s[t.start:t.end]
	case t.kind == kLt && prev.kind == kLe:
		f.Span = r.span(prev.start, t.end)
		f.Summary = "=<< is read as =< and <"
		f.Help = "write a comma in place of =, or a blank: = <<"
	case t.kind == kBar && top != nil && top.kind == kLBracket:
		f.Summary = "a second | in a list"
		f.Help = "a list has one tail: [a, b | Tail]"
	case top != nil && hasBar(toks, stack[depth-1], i):
		f.Summary = "only one term may follow the | of a list"
		f.Help = "write the elements before the |, or a list after it: [a | [b, c]]"
	case top != nil && stack[depth-1] > 0 && toks[stack[depth-1]-1].kind == kHash:
		f.Summary = fmt.Sprintf("%s where a map needs =>", r.show(t))
		f.Help = "a map is written #{key => value}"
	}
	return f
}

// hasBar reports whether a | stands between an open bracket and token i.
func hasBar(toks []token, from, i int) bool {
	depth := 0
	for j := from; j < i; j++ {
		switch k := toks[j].kind; {
		case isOpener(k):
			depth++
		case isCloser(k):
			depth--
		case k == kBar && depth == 1:
			return true
		}
	}
	return false
}

func openerOf(k kind) kind {
	switch k {
	case kRParen:
		return kLParen
	case kRBracket:
		return kLBracket
	case kRBrace:
		return kLBrace
	case kBinClose:
		return kBinOpen
	}
	return kEOF
}

// unexpected is the fault that names a token and no cause.
func (r *reader) unexpected(toks []token, i int, rem remedy) fault {
	f := fault{remedy: rem}
	t := toks[min(i, len(toks)-1)]
	f.Code = codeUnexpected
	f.Span = r.span(t.start, t.end)
	f.Summary = fmt.Sprintf("%s is not expected here", r.show(&t))
	f.Help = "terms are written {name, value}, [a, b], \"text\", 'atom', 123"
	f.from = t.start
	return f
}

// comma is a comma too many.
func (r *reader) comma(t *token, summary, code string) fault {
	f := fault{remedy: edit, edits: []change{{t.start, " "}}, fixes: []Fix{{t.start, t.end, ""}}}
	f.Code = code
	f.Span = r.span(t.start, t.end)
	f.Summary = summary
	f.Help = "remove the comma at " + r.where(t.start)
	return f
}

// missingComma is a comma that belongs before token i.
func (r *reader) missingComma(toks []token, i int) fault {
	prev, t := toks[i-1], toks[i]
	f := fault{remedy: addToken, tok: i, close: kComma, fixes: []Fix{{prev.end, prev.end, ","}}}
	f.Code = codeMissingComma
	f.Span = r.span(prev.end, prev.end)
	f.Summary = "missing comma between two elements"
	f.Help = "write a comma at " + r.where(prev.end)
	if prev.line != t.line {
		f.Help += fmt.Sprintf(", at the end of line %d", f.Span.Line)
		f.Related = []diag.Related{{Span: r.span(t.start, t.end), Text: "the next element starts here"}}
	} else if prev.kind == kAtom || prev.kind == kVar {
		f.Help += "; if this is text, put it in quotes"
	}
	return f
}

// noDot is a final dot that belongs before token i.
func (r *reader) noDot(toks []token, i int) fault {
	prev := toks[i-1]
	f := fault{remedy: split, tok: i, fixes: []Fix{{prev.end, prev.end, "."}}}
	if i < len(toks) && toks[i].start == prev.end {
		f.fixes[0].Text = ".\n"
	}
	f.Code = codeMissingDot
	f.Span = r.span(prev.end, prev.end)
	line := toks[0].line
	what := fmt.Sprintf("the term that starts at line %d", line)
	if key := r.termKey(toks); plainAtom(key) && len(key) < 40 {
		what = fmt.Sprintf("the term %s that starts at line %d", key, line)
	}
	f.Summary = what + " has no final dot"
	f.Help = "write a dot at " + r.where(prev.end)
	if i < len(toks) {
		f.Related = []diag.Related{{Span: r.span(toks[i].start, toks[i].end), Text: "the next term starts here"}}
	}
	return f
}

// neverClosed is a bracket that is still open at token i.
func (r *reader) neverClosed(toks []token, stack []int, i int) fault {
	top := toks[stack[len(stack)-1]]
	f := fault{remedy: giveUp, from: top.start}
	f.Code = codeBracket
	f.Span = r.span(top.start, top.end)
	f.Summary = fmt.Sprintf("%s is never closed", kindText[top.kind])
	missing := ""
	for j := len(stack) - 1; j >= 0; j-- {
		missing += kindText[closerOf(toks[stack[j]].kind)]
	}
	closers := "write " + missing
	at := -1
	if i < len(toks) && toks[i].kind == kLBrace {
		at = toks[i].start
		f.sure = true
	} else {
		stop := r.end
		if i < len(toks) {
			stop = toks[i].start
		}
		for n := top.start; ; {
			n = nextTermLine(r.s[:stop], n)
			if n < 0 || tokenAt(toks, n) {
				at = n
				break
			}
		}
	}
	switch {
	case at >= 0:
		f.Help = closers + ". before the term that starts at line "
		line, _ := r.f.Position(at)
		f.Help += strconv.Itoa(line)
		f.Related = append(f.Related, diag.Related{Span: r.span(at, at+1), Text: "the next term seems to start here"})
		f.from = at - 1
	case i < len(toks):
		f.Help = fmt.Sprintf("%s before the %s at %s", closers, strings.TrimPrefix(r.show(&toks[i]), "the "), r.where(toks[i].start))
		f.Related = append(f.Related, diag.Related{Span: r.span(toks[i].start, toks[i].end), Text: "still open here"})
		f.from = toks[i].start
	default:
		f.Help = closers + ". at the end"
	}
	return f
}

// tokenAt reports whether a token starts at an offset: it is not within quotes.
func tokenAt(toks []token, off int) bool {
	_, ok := slices.BinarySearchFunc(toks, off, func(t token, off int) int { return t.start - off })
	return ok
}

// elementsAtLeft reports whether earlier elements of the innermost open bracket
// start at column 1, so that another one may.
func (r *reader) elementsAtLeft(toks []token, stack []int, i int) bool {
	depth := 0
	for j := stack[len(stack)-1]; j < i; j++ {
		t := &toks[j]
		if depth == 1 && t.col == 1 && startsTerm(t.kind) {
			return true
		}
		if isOpener(t.kind) {
			depth++
		} else if isCloser(t.kind) {
			depth--
		}
	}
	return false
}

// wrongCloser is a bracket closed by one of another kind.
func (r *reader) wrongCloser(toks []token, stack []int, i int) fault {
	t, top := toks[i], toks[stack[len(stack)-1]]
	f := r.unexpected(toks, i, giveUp)
	f.Code = codeBracket
	f.Summary = fmt.Sprintf("%s does not close the %s that is open", kindText[t.kind], kindText[top.kind])
	f.Related = []diag.Related{{Span: r.span(top.start, top.end), Text: "opened here"}}
	want := kindText[closerOf(top.kind)]
	f.Help = fmt.Sprintf("write %s in its place", want)
	if len(want) == t.end-t.start {
		f.remedy, f.edits = blot, []change{{t.start, want}}
	}
	for _, j := range stack[:len(stack)-1] {
		if closerOf(toks[j].kind) == t.kind {
			f.Help = fmt.Sprintf("write %s before it", want)
			f.remedy, f.tok, f.close = addToken, i, closerOf(top.kind)
		}
	}
	if t.kind == kBinClose && top.kind != kBinOpen {
		f.Help = "a binary starts with << and ends with >>"
	}
	return f
}

// separator is token i where another separator belongs.
func (r *reader) separator(toks []token, i int, got, want string) fault {
	t := toks[i]
	between := "elements"
	if len(open(toks, i)) == 0 {
		between, want = "terms", "."
	}
	f := r.unexpected(toks, i, edit)
	f.Code = codeSeparator
	f.Summary = fmt.Sprintf("%s between %s, where %s belongs", got, between, map[string]string{",": "a comma", ".": "a dot"}[want])
	f.Help = fmt.Sprintf("write %s in its place", map[string]string{",": "a comma", ".": "a dot"}[want])
	if want == "." && got != ";" && got != "," {
		f.Summary = fmt.Sprintf("%s does not belong between two terms", got)
		f.Help = "terms of several parts are tuples: {name, value}."
		f.remedy = giveUp
		return f
	}
	f.edits = []change{{t.start, want + strings.Repeat(" ", t.end-t.start-1)}}
	f.fixes = []Fix{{t.start, t.end, want}}
	if want == "." && t.end < len(r.s) && class[r.s[t.end]] != cBlank && r.s[t.end] != '%' {
		f.remedy, f.tok = splitAfter, i
		f.fixes[0].Text = ".\n"
	}
	if got == "=>" {
		f.Help += "; only maps have =>: #{a => 1}"
	}
	return f
}

// reserved is a reserved word that stands where an atom is meant.
func (r *reader) reserved(t *token) fault {
	word := kindText[t.kind]
	f := fault{remedy: blot, edits: []change{{t.start, "x" + strings.Repeat("_", t.end-t.start-1)}}, fixes: []Fix{{t.start, t.end, "'" + word + "'"}}}
	f.Code = codeReserved
	f.Span = r.span(t.start, t.end)
	f.Summary = fmt.Sprintf("%s is a reserved word of Erlang, not an atom", word)
	f.Help = fmt.Sprintf("write '%s' for the atom", word)
	return f
}

// period is a dot at token i that ends no term.
func (r *reader) period(toks []token, i int, stack []int) fault {
	t := toks[i]
	before, after := byte(' '), byte(' ')
	if t.start > 0 {
		before = r.s[t.start-1]
	}
	if t.end < len(r.s) {
		after = r.s[t.end]
	}
	prev := token{}
	if i > 0 {
		prev = toks[i-1]
	}
	switch {
	case isWordByte(before) && isWordByte(after):
		if prev.kind == kInt && (after == 'e' || after == 'E') {
			break
		}
		if f, ok := r.address(t.start); ok {
			return f
		}
	case isCloser(prev.kind) && prev.end == t.start && len(stack) == 0:
		f := r.unexpected(toks, i, splitAfter)
		f.tok = i
		f.Code = codeDotBlank
		f.Summary = "the dot is not followed by a blank, so it does not end the term"
		f.Help = "write a blank or a new line after the dot"
		f.fixes = []Fix{{t.end, t.end, "\n"}}
		return f
	case prev.kind == kString && len(stack) == 0 && i == 1:
		f := r.unexpected(toks, i, splitAfter)
		f.tok = i
		f.Code = codeDotBlank
		f.Summary = "the dot is not followed by a blank, so it does not end the term"
		f.Help = "write a blank or a new line after the dot"
		f.fixes = []Fix{{t.end, t.end, "\n"}}
		return f
	}
	f := r.unexpected(toks, i, giveUp)
	switch {
	case prev.kind == kInt && prev.end == t.start:
		f.Code = codeNumber
		f.Span = r.span(prev.start, t.end)
		f.Summary = "a dot after a number, with no digit after it"
		f.Help = fmt.Sprintf("a float has digits on both sides of the dot: %s.0", r.s[prev.start:prev.end])
		f.remedy, f.edits = blot, []change{{t.start, " "}}
		if isWordByte(after) {
			f.edits = []change{{t.start, strings.Repeat(" ", wordEnd(r.s, t.end)-t.start)}}
		}
	case after >= '0' && after <= '9':
		end := wordEnd(r.s, t.end)
		f.Code = codeNumber
		f.Span = r.span(t.start, end)
		f.Summary = "a number cannot start with a dot"
		f.Help = "write 0" + r.s[t.start:end]
		f.remedy, f.edits = blot, []change{{t.start, "0" + strings.Repeat(" ", end-t.end)}}
		f.fixes = []Fix{{t.start, t.start, "0"}}
		if endsTerm(prev.kind) {
			f.remedy, f.fixes = giveUp, nil
		}
	case len(stack) > 0 && isOpener(toks[min(i+1, len(toks)-1)].kind):
		return r.neverClosed(toks, stack, i)
	default:
		f.Summary = "a dot that does not end a term"
		f.Help = "a dot ends a term only if a blank, a new line or a comment follows; texts with dots need quotes"
	}
	return f
}

// wordEnd returns the end of the word that starts at i.
func wordEnd(s string, i int) int {
	for i < len(s) && isWordByte(s[i]) {
		i++
	}
	return i
}

// address is the fault of an address or a host name without quotes, around an
// offset.
func (r *reader) address(off int) (f fault, ok bool) {
	part := func(c byte) bool { return isWordByte(c) || c == '.' || c == '-' || c == ':' || c == '/' }
	from, to := off, off
	for from > 0 && part(r.s[from-1]) {
		from--
	}
	for to < len(r.s) && part(r.s[to]) {
		to++
	}
	for to > from && (r.s[to-1] == '.' || r.s[to-1] == ':' && !strings.HasSuffix(r.s[from:to], "::")) {
		to--
	}
	text := r.s[from:to]
	if len(text) < 2 || len(text) > 200 {
		return f, false
	}
	f.remedy = blot
	f.edits = []change{{from, "x" + strings.Repeat("_", to-from-1)}}
	f.Code = codeAddress
	f.Span = r.span(from, to)
	switch {
	case isIPv4(text):
		f.Summary = "an IP address is not a term by itself"
		f.Help = fmt.Sprintf("write {%s} where an address is wanted, \"%s\" where text is", strings.ReplaceAll(text, ".", ","), text)
	case strings.Count(text, ":") > 1 && strings.Trim(strings.ToLower(text), "0123456789abcdef:.") == "":
		f.Summary = "an IPv6 address is not a term by itself"
		f.Help = fmt.Sprintf("write \"%s\", or a tuple of its eight numbers", text)
	case strings.Contains(text, "/"):
		f.Summary = "a path or an address needs quotes"
		f.Help = fmt.Sprintf("write \"%s\"", text)
		f.fixes = []Fix{{from, to, `"` + text + `"`}}
	default:
		f.Summary = "a name with a dot, a colon or a hyphen needs quotes"
		f.Help = fmt.Sprintf("write \"%s\" for text such as a host name, '%s' for an atom", text, text)
	}
	return f, true
}

func isIPv4(s string) bool {
	p := strings.Split(s, ".")
	if len(p) != 4 {
		return false
	}
	for _, x := range p {
		if n, err := strconv.Atoi(x); err != nil || n > 255 || len(x) > 3 {
			return false
		}
	}
	return true
}

// badNumber is a number with letters directly after it.
func (r *reader) badNumber(prev, t *token) fault {
	text := r.part(prev.start, t.end)
	f := fault{remedy: blot, edits: []change{{t.start, strings.Repeat(" ", t.end-t.start)}}}
	f.Code = codeNumber
	f.Span = r.span(prev.start, t.end)
	f.Summary = fmt.Sprintf("%s is neither a number nor a name", cut(text))
	digits := r.s[prev.start:prev.end]
	switch {
	case digits == "0" && (t.text[0] == 'x' || t.text[0] == 'X') && isHex(t.text[1:]):
		f.Help = fmt.Sprintf("write hexadecimal numbers as 16#%s", t.text[1:])
		f.fixes = []Fix{{prev.start, t.end, "16#" + t.text[1:]}}
	case prev.kind == kInt && len(t.text) > 1 && (t.text[0] == 'e' || t.text[0] == 'E') && strings.Trim(t.text[1:], "0123456789") == "":
		f.Help = fmt.Sprintf("a float has a dot: write %s.0%s", digits, t.text)
		f.fixes = []Fix{{prev.end, prev.end, ".0"}}
	default:
		f.Help = fmt.Sprintf("write \"%s\" or '%s', or the number alone", text, text)
	}
	return f
}

func isHex(s string) bool {
	return s != "" && strings.Trim(strings.ToLower(s), "0123456789abcdef") == ""
}

// innerQuote is a quote within a quoted text: "say "hi" now".
func (r *reader) innerQuote(toks []token, i int) fault {
	prev, t := toks[i-1], toks[i]
	f := r.unexpected(toks, i, giveUp)
	f.Code = codeQuote
	at := prev.end - 1 // the quote that closes too early
	if prev.kind != kString && !(prev.kind == kAtom && r.s[prev.start] == '\'') {
		at = t.start // a word runs into a quote
	}
	q := r.s[at]
	f.Span = r.span(at, at+1)
	if at == t.start {
		f.Summary = "a quote in the middle of a word"
		if q == '\'' {
			f.Help = "put text that holds an apostrophe in double quotes"
		} else {
			f.Help = "write a comma before it, or close the text that was meant to be open"
		}
		return f
	}
	f.Summary = "the text ends at this quote, and more of it seems to follow"
	f.Help = fmt.Sprintf("write \\%c for a quote within a text", q)
	f.Related = []diag.Related{{Span: r.span(prev.start, prev.start+1), Text: "the text starts here"}}
	return f
}

// oddCharacter is a character that no term has, at token i.
func (r *reader) oddCharacter(toks []token, i int) fault {
	t := toks[i]
	f := r.unexpected(toks, i, blot)
	f.Code = codeChar
	f.Summary = fmt.Sprintf("%s has no meaning outside of quotes", t.text)
	if c, _ := utf8.DecodeRuneInString(t.text); !unicode.IsPrint(c) {
		f.Summary = fmt.Sprintf("the character U+%04X has no meaning outside of quotes", c)
	}
	f.Help = "put text in quotes: \"...\""
	f.edits = []change{{t.start, strings.Repeat(" ", t.end-t.start)}}
	word := r.s[t.end:wordEnd(r.s, t.end)]
	switch t.text {
	case "?":
		if word != "" {
			f.Summary = "macros of Erlang source are not known here"
			f.Help = "write the value; {define_macro, 'NAME', value} and 'NAME' are the macros of configurations"
			f.Span = r.span(t.start, t.end+len(word))
			f.edits = []change{{t.start, "x" + strings.Repeat("_", len(word))}}
		}
	case "@":
		if word != "" {
			end := t.end + len(word)
			f.Span = r.span(t.start, end)
			f.Summary = "a name cannot start with @"
			f.Help = fmt.Sprintf("write \"@%s\" for text", word)
			f.edits = []change{{t.start, "x" + strings.Repeat("_", len(word))}}
		}
	case "~":
		if j := i + 1; j < len(toks) && (toks[j].kind == kString || toks[j].kind == kAtom) && toks[j].start == t.end {
			f.Summary = "sigils such as ~\"...\" need OTP 27; before, they are an error"
			f.Help = "write <<\"...\"/utf8>> for a binary, \"...\" for a string"
		}
	case "`":
		f.Help = "write 'name' with straight apostrophes"
		if end := t.end + len(word); word != "" && end < len(r.s) && (r.s[end] == '`' || r.s[end] == '\'') {
			f.Span = r.span(t.start, end+1)
			f.edits = []change{{t.start, "x" + strings.Repeat("_", end-t.start)}}
		}
	case "\\":
		f.Help = "put paths in quotes, with / or with two backslashes"
		part := func(c byte) bool { return isWordByte(c) || strings.IndexByte(`\:/.-`, c) >= 0 }
		from, to := t.start, t.end
		for from > 0 && part(r.s[from-1]) {
			from--
		}
		for to < len(r.s) && part(r.s[to]) {
			to++
		}
		if to-from > 1 {
			f.Span = r.span(from, to)
			f.Summary = "a path needs quotes"
			f.edits = []change{{from, "x" + strings.Repeat("_", to-from-1)}}
			return f
		}
	case "&", "^":
		f.Help = "put text in quotes: \"...\""
	}
	if prev := i - 1; f.remedy == blot && prev >= 0 && endsTerm(toks[prev].kind) && i+1 < len(toks) && startsTerm(toks[i+1].kind) {
		// What follows would be a second fault with the same cause.
		end := toks[i+1].end
		f.edits = []change{{t.start, strings.Repeat(" ", end-t.start)}}
		if isOpener(toks[i+1].kind) || strings.IndexByte(r.s[t.start:end], '\n') >= 0 {
			f.remedy, f.edits = giveUp, nil
		}
	}
	return f
}

// commentStyle finds a line that is a comment in another language, before the
// token at fault.
func (r *reader) commentStyle(toks []token, bad, from int) (f fault, ok bool) {
	to := len(r.s)
	if bad >= 0 && bad < len(toks) {
		to = toks[bad].end
	} else if len(toks) > 0 {
		to = toks[len(toks)-1].end
	}
	return r.foreignComment(toks, from, to)
}

func (r *reader) foreignComment(toks []token, from, to int) (f fault, ok bool) {
	for at := lineStart(r.s, from); at < to; {
		end := len(r.s)
		if n := strings.IndexByte(r.s[at:], '\n'); n >= 0 {
			end = at + n
		}
		i := at
		for i < end && (r.s[i] == ' ' || r.s[i] == '\t') {
			i++
		}
		line := r.s[i:end]
		mark := ""
		switch {
		case strings.HasPrefix(line, "#") && !strings.HasPrefix(strings.TrimLeft(line, "# "), "{") || strings.HasPrefix(line, "##"):
			mark = "#"
		case strings.HasPrefix(line, "//"):
			mark = "//"
		case strings.HasPrefix(line, "/*"):
			mark = "/*"
		case strings.HasPrefix(line, ";;") || strings.HasPrefix(line, "; ") && i == at:
			mark = ";"
		case strings.HasPrefix(line, "-- ") && i == at:
			mark = "--"
		}
		if mark != "" && i >= from && !withinToken(toks, i) {
			return r.commentFault(mark, i, end), true
		}
		at = end + 1
	}
	return f, false
}

// commentFault is a comment with a mark of another language, at byte i of a line
// that ends at end. All other lines with that mark are taken for comments too.
func (r *reader) commentFault(mark string, i, end int) (f fault) {
	f.remedy = edit
	f.Code = codeComment
	f.Span = r.span(i, i+len(mark))
	f.Summary = fmt.Sprintf("comments start with %%, not with %s", mark)
	blank := func(from, to int) {
		b := []byte(r.s[from:to])
		for j, c := range b {
			if c != '\n' {
				b[j] = ' '
			}
		}
		f.edits = append(f.edits, change{from, string(b)})
	}
	if mark == "/*" {
		stop := end
		if n := strings.Index(r.s[i:], "*/"); n >= 0 {
			stop = i + n + 2
		}
		f.Help = "write % before each line of the comment"
		blank(i, stop)
		return f
	}
	lines := 0
	for at := lineStart(r.s, i); at < len(r.s); at = end + 1 {
		end = len(r.s)
		if n := strings.IndexByte(r.s[at:], '\n'); n >= 0 {
			end = at + n
		}
		i := at
		for i < end && (r.s[i] == ' ' || r.s[i] == '\t') {
			i++
		}
		line := r.s[i:end]
		if strings.HasPrefix(line, mark) && !(strings.HasPrefix(line, "#{") && strings.Contains(line, "=>")) {
			lines++
			f.fixes = append(f.fixes, Fix{i, i + len(mark), "%"})
			blank(i, end)
		}
	}
	f.Help = fmt.Sprintf("write %% in place of %s", mark)
	if lines > 1 {
		f.Help = fmt.Sprintf("write %% in place of %s, here and on %s", mark, count(lines-1, "more line"))
	}
	return f
}

// withinToken reports whether an offset is inside of a quoted token.
func withinToken(toks []token, off int) bool {
	i, _ := slices.BinarySearchFunc(toks, off, func(t token, off int) int { return t.end - off - 1 })
	return i < len(toks) && toks[i].start < off && (toks[i].kind == kString || toks[i].kind == kAtom)
}

// constant says which parts of an expression are no constants.
func (r *reader) constant(toks []token, e *node) fault {
	var found []diag.Diagnostic
	r.offenders(toks, e, &found)
	f := fault{remedy: giveUp, from: toks[len(toks)-1].start}
	if len(found) == 0 {
		f.Code = codeExpression
		f.Span = r.span(toks[e.first].start, toks[e.last].end)
		f.Summary = "this is an expression, not a term"
		f.Help = "write its value"
		return f
	}
	f.Diagnostic, f.more = found[0], found[1:]
	return f
}

// offenders collects the innermost parts of e that are no constants.
func (r *reader) offenders(toks []token, e *node, out *[]diag.Diagnostic) {
	if len(*out) > 20 { // enough for one term
		return
	}
	report := func(code, summary, help string) {
		*out = append(*out, diag.Diagnostic{Code: code, Span: r.span(toks[e.first].start, toks[e.last].end), Summary: summary, Help: help})
	}
	switch e.kind {
	case nLiteral, nString:
	case nVar:
		code, summary, help := variable(toks[e.first].text)
		report(code, summary, help)
	case nTuple, nList, nMap:
		for _, k := range e.kids {
			r.offenders(toks, k, out)
		}
	case nBin:
		for _, k := range e.kids {
			r.segmentOffender(toks, k, out)
		}
	case nPrefix:
		op := toks[e.op]
		arg := e.kids[0]
		if op.kind == kMinus || op.kind == kPlus {
			if arg.kind == nLiteral && toks[arg.first].kind != kAtom {
				return
			}
			if arg.kind == nLiteral {
				text := kindText[op.kind] + strings.Trim(FormatAtom(toks[arg.last].text), "'")
				report(codeExpression, fmt.Sprintf("%s stands before an atom", kindText[op.kind]), fmt.Sprintf("write '%s' or \"%s\" if this is a name", text, text))
				return
			}
		}
		report(codeExpression, fmt.Sprintf("%s is applied to something that is no number", kindText[op.kind]), "write the value; expressions are not computed")
	case nFunName:
		t := toks[e.first : e.last+1]
		if len(t) == 6 && t[1].kind == kAtom && t[3].kind == kAtom && t[5].kind == kInt && t[5].big == nil && t[5].num <= 255 {
			return
		}
		report(codeExpression, "this fun cannot stand in a file", "write fun Module:Function/Arity, with an arity up to 255")
	case nOp:
		r.operator(toks, e, out)
	case nRemote:
		op := toks[e.op]
		left := toks[e.first]
		if op.start == left.end && op.end == toks[e.op+1].start {
			if f, ok := r.address(op.start); ok {
				*out = append(*out, f.Diagnostic)
				return
			}
		}
		*out = append(*out, diag.Diagnostic{
			Code: codeSeparator, Span: r.span(op.start, op.end),
			Summary: "a colon between two elements, where a comma belongs",
			Help:    "write a comma in its place: {name, value}",
		})
	case nCall:
		report(codeExpression, "this reads as a call, and calls are not made", "write the value; a tuple has braces, a list has brackets")
	case nRecord:
		report(codeExpression, "records are not known here", "write the tuple that the record stands for")
	case nMapUpdate:
		report(codeExpression, "this reads as the update of a map", "a comma or a dot is missing before the #, or write the map alone")
	case nComprehension:
		report(codeExpression, "comprehensions are not computed", "write all the elements")
	default:
		report(codeExpression, fmt.Sprintf("%s starts an expression, and expressions are not computed", r.show(&toks[e.first])), "write its value, or '"+kindText[toks[e.first].kind]+"' for the atom")
	}
}

// variable says what may be meant by a name that starts like a variable.
func variable(name string) (code, summary, help string) {
	summary = fmt.Sprintf("%s is a variable: names that start with a capital letter or _ are no atoms", name)
	switch lower := strings.ToLower(name); {
	case name == "_":
		return codeVariable, "_ is a variable, not an atom", "write '_' for the atom, \"_\" for text"
	case lower == "true" || lower == "false" || lower == "none" || lower == "undefined" || lower == "infinity" || lower == "all":
		help = fmt.Sprintf("write %s", lower)
	default:
		help = fmt.Sprintf("write \"%s\" for text, '%s' for an atom", name, name)
		if first, n := utf8.DecodeRuneInString(name); unicode.IsUpper(first) {
			if low := string(unicode.ToLower(first)) + name[n:]; plainAtom(low) {
				help += fmt.Sprintf(", or %s", low)
			}
		}
	}
	return codeVariable, summary, help
}

// operator reports a binary operator.
func (r *reader) operator(toks []token, e *node, out *[]diag.Diagnostic) {
	op := toks[e.op]
	add := func(code string, span diag.Span, summary, help string) {
		*out = append(*out, diag.Diagnostic{Code: code, Span: span, Summary: summary, Help: help})
	}
	all := r.span(toks[e.first].start, toks[e.last].end)
	sign := r.span(op.start, op.end)
	if n, ok := compute(toks, e); ok {
		add(codeExpression, all, "arithmetic is not computed", "write "+n.String())
		return
	}
	switch op.kind {
	case kEquals:
		add(codeSeparator, sign, "= between two elements, where a comma belongs", "write a comma in its place: {name, value}")
	case kExact, kAssoc:
		add(codeSeparator, sign, ":= changes a key that a map has; a new map has =>", "write => in its place")
	case kPlusPlus:
		help := "write the list that comes out"
		if e.kids[0].kind == nString && e.kids[1].kind == nString {
			help = "leave out the ++: strings that follow each other are one"
		}
		add(codeExpression, all, "++ is not computed", help)
	case kMinus, kSlash:
		if f, ok := r.address(op.start); ok && strings.IndexByte(r.s[f.Span.Start:f.Span.End], ' ') < 0 && f.Span.End-f.Span.Start > 2 {
			*out = append(*out, f.Diagnostic)
			return
		}
		fallthrough
	default:
		add(codeExpression, all, fmt.Sprintf("%s makes this an expression, and expressions are not computed", kindText[op.kind]), "write the value; put text in quotes")
	}
}

// compute returns the value of an arithmetic expression of integers.
func compute(toks []token, e *node) (*big.Int, bool) {
	switch e.kind {
	case nLiteral:
		t := &toks[e.first]
		switch {
		case t.kind == kInt && t.big != nil:
			return t.big, true
		case t.kind == kInt, t.kind == kChar:
			return big.NewInt(t.num), true
		}
	case nPrefix:
		if v, ok := compute(toks, e.kids[0]); ok {
			switch toks[e.op].kind {
			case kMinus:
				return new(big.Int).Neg(v), true
			case kPlus:
				return v, true
			}
		}
	case nOp:
		if len(e.kids) != 2 {
			return nil, false
		}
		x, ok1 := compute(toks, e.kids[0])
		y, ok2 := compute(toks, e.kids[1])
		if !ok1 || !ok2 || x.BitLen()+y.BitLen() > 4096 {
			return nil, false
		}
		switch toks[e.op].kind {
		case kPlus:
			return new(big.Int).Add(x, y), true
		case kMinus:
			return new(big.Int).Sub(x, y), true
		case kStar:
			return new(big.Int).Mul(x, y), true
		case kDiv:
			if y.Sign() != 0 {
				return new(big.Int).Quo(x, y), true
			}
		}
	}
	return nil, false
}

// segmentOffender reports what is wrong with one element of a binary.
func (r *reader) segmentOffender(toks []token, e *node, out *[]diag.Diagnostic) {
	n := len(*out)
	if n > 20 {
		return
	}
	value := e.kids[0]
	r.offenders(toks, value, out)
	if len(*out) > n {
		return
	}
	// Read it as the parser does: whether it is right depends on value, size and
	// type together.
	first := toks[e.first]
	r.goTo(place{first.start, first.line, first.start - first.col + 1})
	var w bitWriter
	if r.segment(&w) && r.tok.start == toks[e.last+1].start {
		return
	}
	for _, t := range toks[e.first : e.last+1] {
		if t.kind == kVar {
			code, summary, help := variable(t.text)
			*out = append(*out, diag.Diagnostic{Code: code, Span: r.span(t.start, t.end), Summary: summary, Help: help})
			return
		}
	}
	span := r.span(first.start, toks[e.last].end)
	summary, help := "this cannot stand in a binary", "a binary holds numbers from 0 to 255 and texts: <<\"text\">>, <<1,2,3>>"
	hasType := false
	for _, t := range toks[e.first : e.last+1] {
		hasType = hasType || t.kind == kSlash
	}
	switch t := &toks[value.first]; {
	case value.kind == nLiteral && t.kind == kAtom:
		summary, help = "an atom cannot stand in a binary", "put text in double quotes: <<\"text\">>"
	case value.kind == nLiteral && t.kind == kFloat && !hasType:
		summary, help = "a float in a binary needs its type", "write /float after it"
	case value.kind == nBin && !hasType:
		summary, help = "a binary within a binary needs its type", "write /binary after it, or leave out the inner << and >>"
	case value.kind == nString && hasType:
		summary, help = "a text in a binary cannot have this type", "leave the type out, or write /utf8"
	}
	*out = append(*out, diag.Diagnostic{Code: codeExpression, Span: span, Summary: summary, Help: help})
}

// scanFault says what is wrong with what the scanner refused.
func (r *reader) scanFault(toks []token, start place) fault {
	b := r.bad
	f := fault{remedy: giveUp, from: b.end}
	f.Code = b.code
	f.Span = r.span(b.start, b.end)
	zero := func(end int) { f.edits = []change{{b.start, "0" + strings.Repeat(" ", end-b.start-1)}} }
	if b.code != codeEncoding && b.code != codeQuote {
		if g, ok := r.foreignComment(toks, start.pos, b.end); ok {
			return g
		}
	}
	switch b.code {
	case codeEncoding:
		return r.notUTF8(b)

	case codeQuote:
		// Erlang names the last quote of the file; the first line with an odd
		// number of them is the better guess.
		from := b.start
		if len(toks) > 0 {
			from = toks[0].start
		}
		o, where, ok := r.unclosed(start, from, b.start)
		if !ok {
			o, where = openQuote{at: b.start, q: r.s[b.start]}, -1
			o.within = b.start > 0 && isWordByte(r.s[b.start-1])
		}
		return r.quoteFault(o, where, b.start)

	case codeUnfinishedChar:
		f.Summary = "the file ends within a character literal"
		f.Help = "a $ outside of quotes means the code of the next character; put text in quotes"
		f.from = len(r.s)

	case codeNumber:
		f.remedy = blot
		zero(b.end)
		text := r.s[b.start:b.end]
		switch {
		case strings.HasPrefix(b.erlang, "illegal base"):
			f.Summary = fmt.Sprintf("%s: the base of a number is 2 to 36", cut(text))
			f.Help = "a # outside of quotes belongs to numbers such as 16#ff; comments start with %, text has quotes"
			zero(wordEnd(r.s, b.end))
		case b.erlang == "illegal integer":
			f.Summary = fmt.Sprintf("no digit of the base follows %s", cut(text))
			f.Help = "write 16#ff for a hexadecimal number"
			end := wordEnd(r.s, b.end)
			f.Span = r.span(b.start, end)
			zero(end)
		case strings.ContainsAny(text, "eE") && strings.Trim(text[strings.IndexAny(text, "eE")+1:], "+-") == "":
			f.Summary = "the exponent of this number has no digits"
			f.Help = "write 1.0e3, or leave out the e"
		default:
			f.Summary = "this number is too large for a float"
			f.Help = "the largest is about 1.8e308"
		}

	case codeAtom:
		n := utf8.RuneCountInString(strings.Trim(r.part(b.start, b.end), "'"))
		f.remedy = blot
		f.edits = []change{{b.start, "x" + strings.Repeat(" ", b.end-b.start-1)}}
		f.Summary = fmt.Sprintf("a name of %d characters: 255 is the most", n)
		f.Help = "put text in double quotes"
		for i := b.start; i < b.end; i++ {
			if r.s[i] == '\n' { // a quoted atom over lines: keep them counted
				f.remedy, f.edits = giveUp, nil
				break
			}
		}

	case codeLimit:
		f.remedy = blot
		zero(b.end)
		f.Summary = fmt.Sprintf("a number of %d digits: more than %d are not read", b.end-b.start, r.lim.digits)
		f.Help = "no configuration needs a number as long as that"

	default:
		r.badChar(b, &f)
	}
	return f
}

// notUTF8 reports the first byte that is not UTF-8. The rest of the file is then
// read with such bytes as Latin-1.
func (r *reader) notUTF8(b scanFault) fault {
	f := fault{remedy: reread}
	f.Code = codeEncoding
	f.Span = r.span(b.start, b.start+1)
	n := 0
	for i := b.start; i < len(r.s); {
		c, size := utf8.DecodeRuneInString(r.s[i:])
		if c == utf8.RuneError && size == 1 {
			n++
		}
		i += size
	}
	f.Summary = fmt.Sprintf("the byte 0x%02X is not UTF-8", r.s[b.start])
	if n > 1 {
		f.Summary += fmt.Sprintf("; the file has %s", count(n-1, "more such byte"))
	}
	f.Help = "save the file as UTF-8, or write %% coding: latin-1 in its first line"
	if c := r.s[b.start]; c >= 0xA0 {
		f.Help += fmt.Sprintf("; in Latin-1 the byte is %c", rune(c))
	}
	if name, ok := codingName(r.f.Src); ok && encodingOf(name) == "" {
		f.Help = fmt.Sprintf("Erlang does not know the encoding %q of the coding comment: write %%%% coding: latin-1", name)
	}
	r.loose = true
	r.end = len(r.s)
	r.nonchr = nonchar(r.s) >= 0
	return f
}

// badChar says what is wrong with a character or an escape.
func (r *reader) badChar(b scanFault, f *fault) {
	text := r.s[b.start:b.end]
	f.remedy = blot
	f.edits = []change{{b.start, strings.Repeat(" ", b.end-b.start)}}
	if text[0] == '\\' {
		f.Summary = "this escape sequence means nothing"
		f.Help = `write \x41 with two hexadecimal digits or \x{1F600} with any number; for a backslash write \\`
		if strings.HasPrefix(text, `\x{`) {
			f.Summary = "this escape sequence does not give a character"
		}
		f.edits[0].text = strings.Repeat("x", b.end-b.start)
		if strings.IndexByte(text, '\n') >= 0 {
			f.edits[0].text = strings.Repeat("x", strings.IndexByte(text, '\n'))
		}
		return
	}
	c, size := r.rune(b.start)
	u := fmt.Sprintf("U+%04X", c)
	blank := func(what string) {
		f.remedy = edit
		f.Summary = fmt.Sprintf("%s (%s) outside of quotes", what, u)
		f.Help = "write a plain blank"
		f.fixes = []Fix{{b.start, b.end, " "}}
	}
	switch {
	case c == 0xFEFF:
		f.remedy = edit
		f.fixes = []Fix{{b.start, b.end, ""}}
		f.Summary = "byte-order mark (U+FEFF)"
		f.Help = "remove the byte-order mark: save the file as UTF-8 without it"
		if b.start > 0 {
			f.Help = "remove it; editors do not show it"
		}
	case c == 0xFFFE || c == 0xFFFF:
		f.Summary = fmt.Sprintf("%s is not a character", u)
		f.Help = "remove it"
		f.remedy = edit
		f.fixes = []Fix{{b.start, b.end, ""}}
	case c >= 0x2000 && c <= 0x200B, c == 0x202F, c == 0x205F, c == 0x3000, c == 0x2028, c == 0x2029, c == 0x2060, c == 0x200C, c == 0x200D:
		blank("a blank that Erlang does not know")
	case c == 0x201C || c == 0x201D || c == 0x201E || c == 0x2033:
		r.typographic(f, b, "double quotes", `"`)
	case c == 0x2018 || c == 0x2019 || c == 0x201A || c == 0x2032:
		r.typographic(f, b, "apostrophes", "'")
	case c == 0x2010 || c == 0x2011 || c == 0x2012 || c == 0x2013 || c == 0x2014 || c == 0x2212:
		f.Summary = fmt.Sprintf("%c (%s) is not a minus sign", c, u)
		f.Help = "write -"
		f.edits = []change{{b.start, "-" + strings.Repeat(" ", size-1)}}
		f.fixes = []Fix{{b.start, b.end, "-"}}
		f.remedy = edit
		if b.start > 0 && isWordByte(r.s[b.start-1]) { // a name with a dash
			f.remedy, f.fixes = blot, nil
			f.edits[0].text = strings.Repeat("_", size)
			f.Help = "write - and put the name in quotes"
		}
	case c == 0xFF0C || c == 0x3001:
		f.Summary = fmt.Sprintf("%c (%s) is not a comma", c, u)
		f.Help = "write ,"
		f.edits = []change{{b.start, "," + strings.Repeat(" ", size-1)}}
		f.fixes = []Fix{{b.start, b.end, ","}}
		f.remedy = edit
	case c == 0x2026:
		f.Summary = fmt.Sprintf("%c (%s) has no meaning outside of quotes", c, u)
		f.Help = "it stands for what was left out: write that"
	default:
		// The rest of the word would be wrong for the same reason.
		end := b.end
		for end < r.end && r.s[end] != '\n' {
			d, n := r.rune(end)
			if !unicode.IsLetter(d) && !unicode.IsDigit(d) && !unicode.IsMark(d) && d != '_' {
				break
			}
			end += n
		}
		f.Span = r.span(b.start, end)
		f.edits = []change{{b.start, "x" + strings.Repeat("_", end-b.start-1)}}
		f.Summary = fmt.Sprintf("%c (%s) cannot stand outside of quotes", c, u)
		if !unicode.IsPrint(c) {
			f.Summary = fmt.Sprintf("the character %s cannot stand outside of quotes", u)
		}
		f.Help = "put text in quotes: \"...\" for a string, '...' for an atom"
		if b.start > 0 && isWordByte(r.s[b.start-1]) {
			f.edits = []change{{b.start, strings.Repeat("_", end-b.start)}}
		}
	}
}

// typographic is a curly quote. Two of them on a line are read as if they were
// straight.
func (r *reader) typographic(f *fault, b scanFault, what, straight string) {
	c, size := r.rune(b.start)
	f.Summary = fmt.Sprintf("%c (U+%04X) is not a quote to Erlang", c, c)
	f.Help = fmt.Sprintf("write straight %s: %s", what, straight)
	end := len(r.s)
	if n := strings.IndexByte(r.s[b.end:], '\n'); n >= 0 {
		end = b.end + n
	}
	for i := b.end; i < end; {
		d, n := r.rune(i)
		if d == 0x201C || d == 0x201D || d == 0x2018 || d == 0x2019 {
			if (straight == `"`) == (d == 0x201C || d == 0x201D) && !strings.ContainsAny(r.s[b.end:i], `"'\`) {
				f.remedy = edit
				f.edits = []change{
					{b.start, strings.Repeat(" ", size-1) + straight},
					{i, straight + strings.Repeat(" ", n-1)},
				}
				f.fixes = []Fix{{b.start, b.end, straight}, {i, i + n, straight}}
			}
			return
		}
		i += n
	}
}
