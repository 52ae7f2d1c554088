package cfgterm

// Erlang reads a term as the body of a function clause and says afterwards that
// the body is no constant. Which token it names as wrong therefore depends on the
// whole expression grammar. The recogniser knows that grammar; it runs only after
// the term parser gave up, to find the token Erlang names and, if it finds none,
// the part of the expression that is no constant.

// nodeKind is what a part of an expression is.
type nodeKind uint8

const (
	nLiteral   nodeKind = iota // atom, number, character
	nString                    // one or more strings
	nVar                       // variable
	nTuple                     // kids: elements
	nList                      // kids: elements and tail
	nMap                       // kids: keys and values
	nBin                       // kids: segments
	nSegment                   // kids: value, size
	nPrefix                    // op; kids: operand
	nOp                        // op; kids: left, right
	nRemote                    // a:b
	nCall                      // f(x), a:f(x)
	nRecord                    // #r{}, X#r{}, #r.f
	nMapUpdate                 // X#{}
	nFunName                   // fun f/1, fun m:f/1
	nBlock                     // begin, if, case, receive, try, fun ... end
	nComprehension
	nCatch
)

// A node is a part of an expression: the tokens from first to last.
type node struct {
	kind        nodeKind
	compared    bool // a comparison
	paren       bool // stands in parentheses of its own
	first, last int
	op          int // token of the operator, -1 if none
	kids        []*node
}

type recogniser struct {
	toks  []token // up to the dot, without it if the file ends before
	i     int
	depth int
	limit int
	over  bool  // nested deeper than the limit
	tail  *node // the last expression of the last body
	head  int   // first token of a clause that does not fit the one before it, -1 if none
}

// A reading is what the recogniser found.
type reading struct {
	bad     int     // index of the token that Erlang names, len(toks) at the end of the file; -1 if none
	exprs   []*node // the expressions of the body
	clauses bool    // further function clauses follow
	head    bool    // bad is the head of a clause that does not fit the first
	over    bool
}

// recognise reads the tokens of one term, the final dot included.
func recognise(toks []token, limit int) reading {
	r := recogniser{toks: toks, limit: limit, head: -1}
	exprs, ok := r.body()
	clauses := false
	mismatch := -1 // the first clause of another name or arity than f/0
	for ok && r.at(kSemi) {
		clauses = true
		r.i++
		head := r.i
		if ok = r.want(kAtom); !ok {
			break
		}
		arity, good := r.patternArgs()
		if mismatch < 0 && (arity != 0 || r.toks[head].text != "f") {
			mismatch = head
		}
		ok = good && r.clauseRest()
	}
	switch {
	case r.head >= 0:
		return reading{bad: r.head, head: true}
	case ok && mismatch >= 0 && (!compares(r.tail) || followsExpr(r.kind())):
		return reading{bad: mismatch, head: true}
	case ok && r.at(kDot):
		return reading{bad: -1, exprs: exprs, clauses: clauses}
	}
	return reading{bad: r.i, over: r.over}
}

// compares reports whether the right end of e is the operand of a comparison.
// Comparisons do not associate, so Erlang's parser looks at the token after one
// before it looks at the clause that ends there.
func compares(e *node) bool {
	for e != nil && !e.paren {
		switch {
		case e.compared:
			return true
		case len(e.kids) > 0 && (e.kind == nOp || e.kind == nPrefix || e.kind == nCatch):
			e = e.kids[len(e.kids)-1]
		default:
			return false
		}
	}
	return false
}

// followsExpr reports whether a token of kind k may follow an expression
// somewhere in the grammar.
func followsExpr(k kind) bool {
	switch k {
	case kRParen, kRBracket, kRBrace, kBinClose, kComma, kSemi, kDot, kArrow, kWhen, kEnd, kOf, kCatch, kAfter,
		kBarBar, kBar, kAssoc, kExact, kGen:
		return true
	}
	level, _ := precedence(k)
	return level >= 0
}

func (r *recogniser) kind() kind {
	if r.i < len(r.toks) {
		return r.toks[r.i].kind
	}
	return kEOF
}

func (r *recogniser) at(k kind) bool { return r.kind() == k }

// take consumes a token of kind k if it is there.
func (r *recogniser) take(k kind) bool {
	if r.kind() != k {
		return false
	}
	r.i++
	return true
}

// want is take; its failure is the error to report.
func (r *recogniser) want(k kind) bool { return r.take(k) }

// body reads expressions with commas between them.
func (r *recogniser) body() (exprs []*node, ok bool) {
	for {
		e := r.expr(0)
		if e == nil {
			return exprs, false
		}
		exprs = append(exprs, e)
		r.tail = e
		if !r.take(kComma) {
			return exprs, true
		}
	}
}

// precedence returns the level of a binary operator and the level that its
// right operand needs. level is -1 for other tokens.
func precedence(k kind) (level, right int) {
	switch k {
	case kEquals, kBang:
		return 100, 100
	case kOrelse:
		return 150, 150
	case kAndalso:
		return 160, 160
	case kEq, kNe, kLe, kLt, kGe, kGt, kExactEq, kExactNe:
		return 200, 201
	case kPlusPlus, kMinusMinus:
		return 300, 300
	case kPlus, kMinus, kBor, kBxor, kBsl, kBsr, kOr, kXor:
		return 400, 401
	case kSlash, kStar, kDiv, kRem, kBand, kAnd:
		return 500, 501
	}
	return -1, 0
}

// expr reads an expression of operators of at least level floor.
func (r *recogniser) expr(floor int) *node { return r.climb(floor, false) }

// pattern reads a pattern: an expression without sends, short-circuit operators,
// calls and blocks at its top.
func (r *recogniser) pattern(floor int) *node { return r.climb(floor, true) }

func (r *recogniser) climb(floor int, pattern bool) *node {
	primary := r.primary
	if pattern {
		primary = r.patternPrimary
	}
	r.depth++
	defer func() { r.depth-- }()
	if r.depth > r.limit {
		r.over = true
		return nil
	}
	first := r.i
	var left *node
	switch r.kind() {
	case kPlus, kMinus, kBnot, kNot:
		op := r.i
		r.i++
		arg := r.climb(600, pattern)
		if arg == nil {
			return nil
		}
		left = &node{kind: nPrefix, first: first, last: r.i - 1, op: op, kids: []*node{arg}}
	default:
		left = primary()
		if left == nil {
			return nil
		}
	}
	compared := false // left is a comparison: a second one may not follow
	for {
		k := r.kind()
		level, right := precedence(k)
		if pattern && (k == kBang || level == 150 || level == 160) {
			return left
		}
		if level < 0 || level < floor {
			return left
		}
		if level == 200 && compared {
			return nil
		}
		op := r.i
		r.i++
		arg := r.climb(right, pattern)
		if arg == nil {
			return nil
		}
		left = &node{kind: nOp, first: left.first, last: r.i - 1, op: op, kids: []*node{left, arg}}
		compared = level == 200
		left.compared = compared
	}
}

// primary reads what operators stand between.
func (r *recogniser) primary() *node {
	first := r.i
	switch r.kind() {
	case kCatch:
		r.i++
		arg := r.expr(0)
		if arg == nil {
			return nil
		}
		return &node{kind: nCatch, first: first, last: r.i - 1, op: first, kids: []*node{arg}}
	case kHash:
		return r.hash(nil, false)
	}
	e := r.max()
	if e == nil {
		return nil
	}
	switch r.kind() {
	case kHash:
		return r.hash(e, false)
	case kColon:
		op := r.i
		r.i++
		name := r.max()
		if name == nil {
			return nil
		}
		e = &node{kind: nRemote, first: e.first, last: r.i - 1, op: op, kids: []*node{e, name}}
	}
	if r.at(kLParen) {
		op := r.i
		kids, ok := r.args()
		if !ok {
			return nil
		}
		return &node{kind: nCall, first: e.first, last: r.i - 1, op: op, kids: append([]*node{e}, kids...)}
	}
	return e
}

// patternPrimary is primary in the head of a clause.
func (r *recogniser) patternPrimary() *node {
	switch r.kind() {
	case kHash:
		return r.hash(nil, true)
	case kLParen:
		r.i++
		e := r.pattern(0)
		if e == nil || !r.want(kRParen) {
			return nil
		}
		e.paren = true
		return e
	case kLBracket:
		return r.list(true)
	case kBinOpen:
		return r.bin(true)
	case kVar, kAtom, kInt, kFloat, kChar, kString, kLBrace:
		return r.max()
	}
	return nil
}

// next returns the kind of the token after the current one.
func (r *recogniser) next() kind {
	if r.i+1 < len(r.toks) {
		return r.toks[r.i+1].kind
	}
	return kEOF
}

// hash reads the # suffixes after e, nil for a map or record that stands alone.
// A chain of them is all maps or all records. A pattern has one only.
func (r *recogniser) hash(e *node, pattern bool) *node {
	first := r.i
	if e != nil {
		first = e.first
	}
	chain := kEOF
	for r.at(kHash) {
		op := r.i
		r.i++
		k := r.kind()
		if k != kLBrace && k != kAtom || chain != kEOF && k != chain {
			return nil
		}
		chain = k
		kind := nRecord
		var kids []*node
		ok := false
		if k == kLBrace {
			kind = nMapUpdate
			if e == nil {
				kind = nMap
			}
			kids, ok = r.mapTuple()
		} else {
			ok = r.recordTuple()
		}
		if !ok {
			return nil
		}
		if e != nil {
			kids = append([]*node{e}, kids...)
		}
		e = &node{kind: kind, first: first, last: r.i - 1, op: op, kids: kids}
		if pattern {
			break
		}
	}
	return e
}

// mapTuple reads {K => V, ...}.
func (r *recogniser) mapTuple() (kids []*node, ok bool) {
	if !r.want(kLBrace) {
		return nil, false
	}
	if r.take(kRBrace) {
		return nil, true
	}
	for {
		k := r.expr(0)
		if k == nil {
			return nil, false
		}
		op := -1
		if r.at(kExact) {
			op = r.i
		}
		if !r.take(kAssoc) && !r.take(kExact) {
			return nil, false
		}
		v := r.expr(0)
		if v == nil {
			return nil, false
		}
		if op >= 0 { // no constant: := changes a key that is there
			k = &node{kind: nOp, first: k.first, last: v.last, op: op, kids: []*node{k}}
		}
		kids = append(kids, k, v)
		if !r.take(kComma) {
			return kids, r.want(kRBrace)
		}
	}
}

// recordTuple reads name{F = V, ...} or name.field.
func (r *recogniser) recordTuple() bool {
	if !r.want(kAtom) {
		return false
	}
	if r.take(kPeriod) {
		return r.want(kAtom)
	}
	if !r.want(kLBrace) {
		return false
	}
	if r.take(kRBrace) {
		return true
	}
	for {
		if !r.take(kAtom) && !r.take(kVar) {
			return false
		}
		if !r.want(kEquals) || r.expr(0) == nil {
			return false
		}
		if !r.take(kComma) {
			return r.want(kRBrace)
		}
	}
}

// args reads (A, B).
func (r *recogniser) args() (kids []*node, ok bool) {
	if !r.want(kLParen) {
		return nil, false
	}
	if r.take(kRParen) {
		return nil, true
	}
	kids, ok = r.body()
	return kids, ok && r.want(kRParen)
}

// max reads an expression that needs no parentheses anywhere.
func (r *recogniser) max() *node {
	first := r.i
	leaf := func(k nodeKind) *node {
		r.i++
		return &node{kind: k, first: first, last: r.i - 1, op: -1}
	}
	switch r.kind() {
	case kAtom, kInt, kFloat, kChar:
		return leaf(nLiteral)
	case kVar:
		return leaf(nVar)
	case kString:
		for r.take(kString) {
		}
		return &node{kind: nString, first: first, last: r.i - 1, op: -1}
	case kLParen:
		r.i++
		e := r.expr(0)
		if e == nil || !r.want(kRParen) {
			return nil
		}
		e.paren = true
		return e
	case kLBrace:
		r.i++
		if r.take(kRBrace) {
			return &node{kind: nTuple, first: first, last: r.i - 1, op: -1}
		}
		kids, ok := r.body()
		if !ok || !r.want(kRBrace) {
			return nil
		}
		return &node{kind: nTuple, first: first, last: r.i - 1, op: -1, kids: kids}
	case kLBracket:
		return r.list(false)
	case kBinOpen:
		return r.bin(false)
	case kFun:
		return r.fun()
	case kBegin:
		r.i++
		kids, ok := r.body()
		return r.block(first, kids, ok && r.want(kEnd))
	case kIf:
		r.i++
		for {
			if !r.guard() || !r.clauseBody() {
				return nil
			}
			if !r.take(kSemi) {
				return r.block(first, nil, r.want(kEnd))
			}
		}
	case kCase:
		r.i++
		return r.block(first, nil, r.expr(0) != nil && r.want(kOf) && r.clauses() && r.want(kEnd))
	case kReceive:
		r.i++
		if !r.at(kAfter) && !r.clauses() {
			return nil
		}
		if r.take(kAfter) && (r.expr(0) == nil || !r.clauseBody()) {
			return nil
		}
		return r.block(first, nil, r.want(kEnd))
	case kTry:
		r.i++
		_, ok := r.body()
		if !ok || r.take(kOf) && !r.clauses() {
			return nil
		}
		if r.take(kCatch) {
			if !r.tryClauses() {
				return nil
			}
		} else if !r.at(kAfter) {
			return nil
		}
		if r.take(kAfter) {
			if _, ok := r.body(); !ok {
				return nil
			}
		}
		return r.block(first, nil, r.want(kEnd))
	}
	return nil
}

func (r *recogniser) block(first int, kids []*node, ok bool) *node {
	if !ok {
		return nil
	}
	return &node{kind: nBlock, first: first, last: r.i - 1, op: first, kids: kids}
}

// list reads [...] of either kind; a pattern is no comprehension.
func (r *recogniser) list(pattern bool) *node {
	first := r.i
	r.i++
	var kids []*node
	if !r.at(kRBracket) {
		for {
			e := r.expr(0)
			if e == nil {
				return nil
			}
			kids = append(kids, e)
			if len(kids) == 1 && !pattern && r.take(kBarBar) {
				if !r.qualifiers() || !r.want(kRBracket) {
					return nil
				}
				return &node{kind: nComprehension, first: first, last: r.i - 1, op: first, kids: kids}
			}
			if !r.take(kComma) {
				break
			}
		}
		if r.take(kBar) {
			e := r.expr(0)
			if e == nil {
				return nil
			}
			kids = append(kids, e)
		}
	}
	if !r.want(kRBracket) {
		return nil
	}
	return &node{kind: nList, first: first, last: r.i - 1, op: -1, kids: kids}
}

// qualifiers reads what stands after || in a comprehension.
func (r *recogniser) qualifiers() bool {
	for {
		e := r.expr(0)
		if e == nil {
			return false
		}
		switch {
		case r.take(kGen):
			if r.expr(0) == nil {
				return false
			}
		case r.at(kBinGen):
			if e.kind != nBin || e.paren {
				return false
			}
			r.i++
			if r.expr(0) == nil {
				return false
			}
		}
		if !r.take(kComma) {
			return true
		}
	}
}

// bin reads <<...>> of either kind; a pattern is no comprehension.
func (r *recogniser) bin(pattern bool) *node {
	first := r.i
	r.i++
	var kids []*node
	if !r.at(kBinClose) {
		for {
			from := r.i
			op := -1
			switch r.kind() {
			case kPlus, kMinus, kBnot, kNot:
				op = r.i
				r.i++
			}
			r.depth++
			if r.depth > r.limit {
				r.over = true
				return nil
			}
			e := r.max()
			r.depth--
			if e == nil {
				return nil
			}
			if op < 0 && len(kids) == 0 && !pattern && r.take(kBarBar) {
				if !r.qualifiers() || !r.want(kBinClose) {
					return nil
				}
				return &node{kind: nComprehension, first: first, last: r.i - 1, op: first}
			}
			if r.take(kColon) && r.max() == nil {
				return nil
			}
			if r.take(kSlash) {
				for {
					if !r.want(kAtom) || r.take(kColon) && !r.want(kInt) {
						return nil
					}
					if !r.take(kMinus) {
						break
					}
				}
			}
			kids = append(kids, &node{kind: nSegment, first: from, last: r.i - 1, op: op, kids: []*node{e}})
			if !r.take(kComma) {
				break
			}
		}
	}
	if !r.want(kBinClose) {
		return nil
	}
	return &node{kind: nBin, first: first, last: r.i - 1, op: -1, kids: kids}
}

// fun reads what starts with fun.
func (r *recogniser) fun() *node {
	first := r.i
	r.i++
	name := func() *node { return &node{kind: nFunName, first: first, last: r.i - 1, op: first} }
	if r.at(kAtom) || r.at(kVar) && r.next() == kColon {
		local := r.at(kAtom)
		r.i++
		if local && r.take(kSlash) {
			if !r.want(kInt) {
				return nil
			}
			return name()
		}
		if !r.want(kColon) || !r.take(kAtom) && !r.take(kVar) || !r.want(kSlash) || !r.take(kInt) && !r.take(kVar) {
			return nil
		}
		return name()
	}
	label, arity, mismatch := "", 0, -1
	for i := 0; ; i++ {
		head, this := r.i, ""
		if r.take(kVar) {
			this = r.toks[head].text
		}
		n, ok := r.patternArgs()
		if !ok || !r.clauseRest() {
			return nil
		}
		switch {
		case i == 0:
			label, arity = this, n
		case mismatch < 0 && (this != label || n != arity):
			mismatch = head
		}
		if r.take(kSemi) {
			continue
		}
		if !r.want(kEnd) {
			return nil
		}
		if mismatch >= 0 {
			r.head = mismatch
			return nil
		}
		return r.block(first, nil, true)
	}
}

// patternArgs reads the parameters of a clause.
func (r *recogniser) patternArgs() (n int, ok bool) {
	if !r.want(kLParen) {
		return 0, false
	}
	if r.take(kRParen) {
		return 0, true
	}
	for n = 1; ; n++ {
		if r.pattern(0) == nil {
			return n, false
		}
		if !r.take(kComma) {
			return n, r.want(kRParen)
		}
	}
}

// clauseRest reads an optional guard and the body of a clause.
func (r *recogniser) clauseRest() bool {
	if r.take(kWhen) && !r.guard() {
		return false
	}
	return r.clauseBody()
}

func (r *recogniser) clauseBody() bool {
	if !r.want(kArrow) {
		return false
	}
	_, ok := r.body()
	return ok
}

func (r *recogniser) guard() bool {
	for {
		if _, ok := r.body(); !ok {
			return false
		}
		if !r.take(kSemi) {
			return true
		}
	}
}

// clauses reads the clauses of case and receive.
func (r *recogniser) clauses() bool {
	for {
		if r.expr(0) == nil || !r.clauseRest() {
			return false
		}
		if !r.take(kSemi) {
			return true
		}
	}
}

// tryClauses reads the clauses after catch.
func (r *recogniser) tryClauses() bool {
	for {
		if (r.at(kAtom) || r.at(kVar)) && r.next() == kColon {
			r.i += 2
			if r.pattern(0) == nil || r.take(kColon) && !r.want(kVar) {
				return false
			}
		} else if r.pattern(0) == nil {
			return false
		}
		if !r.clauseRest() {
			return false
		}
		if !r.take(kSemi) {
			return true
		}
	}
}
