package cfgterm

import "math/big"

// A kind is the kind of a token. Kinds from kPunct on have a fixed text.
type kind uint8

const (
	kEOF    kind = iota
	kBad         // a scan error; parser.bad says which
	kDot         // the dot that ends a term
	kAtom        // text
	kVar         // text
	kInt         // num or big
	kFloat       // fnum
	kChar        // num
	kString      // text
	kOdd         // a character that the grammar never allows: text

	kPunct
	kLParen
	kRParen
	kLBracket
	kRBracket
	kLBrace
	kRBrace
	kBinOpen  // <<
	kBinClose // >>
	kComma
	kSemi
	kBar
	kBarBar
	kColon
	kColons   // ::
	kPeriod   // a dot that does not end a term
	kTwoDots  // ..
	kEllipsis // ...
	kHash
	kSlash
	kStar
	kPlus
	kMinus
	kPlusPlus
	kMinusMinus
	kEquals
	kBang
	kEq      // ==
	kNe      // /=
	kLe      // =<
	kLt      // <
	kGe      // >=
	kGt      // >
	kExactEq // =:=
	kExactNe // =/=
	kArrow   // ->
	kGen     // <-
	kBinGen  // <=
	kAssoc   // =>
	kExact   // :=
	kMaybe   // ?=

	kKeyword
	kAfter
	kAnd
	kAndalso
	kBand
	kBegin
	kBnot
	kBor
	kBsl
	kBsr
	kBxor
	kCase
	kCatch
	kCond
	kDiv
	kEnd
	kFun
	kIf
	kLet
	kNot
	kOf
	kOr
	kOrelse
	kReceive
	kRem
	kTry
	kWhen
	kXor
	kinds
)

// kindText is what a token of a fixed kind is made of.
var kindText = [kinds]string{
	kLParen: "(", kRParen: ")", kLBracket: "[", kRBracket: "]", kLBrace: "{", kRBrace: "}",
	kBinOpen: "<<", kBinClose: ">>", kComma: ",", kSemi: ";", kBar: "|", kBarBar: "||",
	kColon: ":", kColons: "::", kPeriod: ".", kTwoDots: "..", kEllipsis: "...", kHash: "#",
	kSlash: "/", kStar: "*", kPlus: "+", kMinus: "-", kPlusPlus: "++", kMinusMinus: "--",
	kEquals: "=", kBang: "!", kEq: "==", kNe: "/=", kLe: "=<", kLt: "<", kGe: ">=", kGt: ">",
	kExactEq: "=:=", kExactNe: "=/=", kArrow: "->", kGen: "<-", kBinGen: "<=", kAssoc: "=>",
	kExact: ":=", kMaybe: "?=", kDot: ".",
	kAfter: "after", kAnd: "and", kAndalso: "andalso", kBand: "band", kBegin: "begin",
	kBnot: "bnot", kBor: "bor", kBsl: "bsl", kBsr: "bsr", kBxor: "bxor", kCase: "case",
	kCatch: "catch", kCond: "cond", kDiv: "div", kEnd: "end", kFun: "fun", kIf: "if",
	kLet: "let", kNot: "not", kOf: "of", kOr: "or", kOrelse: "orelse", kReceive: "receive",
	kRem: "rem", kTry: "try", kWhen: "when", kXor: "xor",
}

// keyword returns the kind of a reserved word, or kAtom.
func keyword(s string) kind {
	if len(s) < 2 || len(s) > 7 {
		return kAtom
	}
	switch s {
	case "after":
		return kAfter
	case "and":
		return kAnd
	case "andalso":
		return kAndalso
	case "band":
		return kBand
	case "begin":
		return kBegin
	case "bnot":
		return kBnot
	case "bor":
		return kBor
	case "bsl":
		return kBsl
	case "bsr":
		return kBsr
	case "bxor":
		return kBxor
	case "case":
		return kCase
	case "catch":
		return kCatch
	case "cond":
		return kCond
	case "div":
		return kDiv
	case "end":
		return kEnd
	case "fun":
		return kFun
	case "if":
		return kIf
	case "let":
		return kLet
	case "not":
		return kNot
	case "of":
		return kOf
	case "or":
		return kOr
	case "orelse":
		return kOrelse
	case "receive":
		return kReceive
	case "rem":
		return kRem
	case "try":
		return kTry
	case "when":
		return kWhen
	case "xor":
		return kXor
	}
	return kAtom
}

// A token is one token of a file, with the place it stands at.
type token struct {
	kind       kind
	start, end int // byte offsets
	line, col  int // of start
	text       string
	num        int64
	big        *big.Int
	fnum       float64
}

// Classes of the characters up to U+00FF outside of quotes.
const (
	cOdd uint8 = iota
	cBlank
	cLower // starts an atom
	cUpper // starts a variable
	cDigit
	cAt // continues a name
	cMark
)

var class = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c <= 0x20, c >= 0x80 && c <= 0xA0:
			t[c] = cBlank
		case c >= 'a' && c <= 'z', c >= 0xDF && c != 0xF7:
			t[c] = cLower
		case c >= 'A' && c <= 'Z', c == '_', c >= 0xC0 && c <= 0xDE && c != 0xD7:
			t[c] = cUpper
		case c >= '0' && c <= '9':
			t[c] = cDigit
		case c == '@':
			t[c] = cAt
		}
	}
	for _, c := range `%'"$()[]{},;|.:#/*+-=<>!?` {
		t[c] = cMark
	}
	return t
}()

// isName reports whether a character continues an atom or a variable.
func isName(r rune) bool {
	return r <= 0xFF && class[r] >= cLower && class[r] <= cAt
}
