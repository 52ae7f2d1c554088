package cfgterm

import (
	"math"
	"math/big"
)

// A slab hands out values from blocks, so that a file costs a few large
// allocations in place of thousands of small ones.
type slab[T any] struct {
	free []T
	size int
}

func (s *slab[T]) next() *T {
	if len(s.free) == 0 {
		s.size = max(s.size, 8)
		s.free = make([]T, s.size)
		s.size = min(2*s.size, 64)
	}
	v := &s.free[0]
	s.free = s.free[1:]
	return v
}

// parser reads terms straight from the tokens, without a tree between. It knows
// terms only and gives up at the first token that is none; what is wrong there
// is for the recogniser (recognise.go) to say.
type parser struct {
	scanner
	depth int
	stack []Term // elements of the brackets that are open

	// plain is true after a term that was an unsigned number, perhaps in
	// parentheses: only such a term may have a sign before it.
	plain bool
	// closed is the end of the last closing parenthesis.
	closed int
	// inList is true while the innermost bracket is that of a list.
	inList bool
	// over is set when a bound was crossed.
	over bool

	// insert are the tokens that are missing before a byte and are to be seen
	// there, while a term is read whose faults were reported. Nil most of the
	// time.
	insert   map[int][]kind
	inserted int // how many of them were seen
	insertAt int // before which byte

	atoms    slab[Atom]
	ints     slab[Int]
	floats   slab[Float]
	strings  slab[String]
	lists    slab[List]
	tuples   slab[Tuple]
	maps     slab[Map]
	binaries slab[Binary]
	funs     slab[Fun]
	elems    []Term // space for the elements of lists and tuples

	bits bitWriter
	// hooks for warnings; nil if nobody wants them
	odd    func(kind binaryOddity, start, end int)
	joined func(first, second token)
	twice  func(key Term)
}

// A place is a state of the scanner between two tokens.
type place struct{ pos, line, bol int }

// before returns the place before the current token.
func (p *parser) before() place {
	return place{p.tok.start, p.tok.line, p.tok.start - p.tok.col + 1}
}

// goTo continues reading at a place, with the first token after it.
func (p *parser) goTo(at place) {
	p.pos, p.line, p.bol = at.pos, at.line, at.bol
	p.depth, p.stack, p.over, p.inList = 0, p.stack[:0], false, false
	p.insertAt, p.inserted = -1, 0
	if p.comments != nil {
		c := *p.comments
		for len(c) > 0 && c[len(c)-1].Start >= at.pos {
			c = c[:len(c)-1]
		}
		*p.comments = c
	}
	p.lex()
}

// next reads the next token, or one that was found to be missing before it.
func (p *parser) next() {
	p.lex()
	if p.insert == nil {
		return
	}
	if p.insertAt != p.tok.start {
		p.insertAt, p.inserted = p.tok.start, 0
	}
	if list := p.insert[p.tok.start]; p.inserted < len(list) {
		k := list[p.inserted]
		p.inserted++
		at := p.before()
		p.pos, p.line, p.bol = at.pos, at.line, at.bol
		p.tok.kind, p.tok.end = k, p.tok.start
	}
}

// at fills in the span from the token-like start to the byte end.
func (p *parser) at(n *Node, start, line, col, end int) {
	n.At.File, n.At.Start, n.At.End, n.At.Line, n.At.Col = p.file, start, end, line, col
}

// term reads the term that the current token starts, and the token after it. It
// returns nil if there is none.
func (p *parser) term() Term {
	t := &p.tok
	switch t.kind {
	case kAtom:
		a := p.atoms.next()
		a.Name = t.text
		p.at(&a.Node, t.start, t.line, t.col, t.end)
		p.plain = false
		p.next()
		return a
	case kInt, kChar:
		i := p.ints.next()
		i.N = t.num
		if t.kind == kInt {
			i.Big = t.big
		}
		p.at(&i.Node, t.start, t.line, t.col, t.end)
		p.plain = true
		p.next()
		return i
	case kString:
		return p.str()
	case kLBrace:
		return p.tuple()
	case kLBracket:
		return p.list()
	case kBinOpen:
		return p.binary()
	case kFloat:
		f := p.floats.next()
		f.F = t.fnum
		p.at(&f.Node, t.start, t.line, t.col, t.end)
		p.plain = true
		p.next()
		return f
	case kMinus, kPlus:
		return p.signed()
	case kHash:
		return p.mapTerm()
	case kLParen:
		if !p.enter() {
			return nil
		}
		p.next()
		v := p.term()
		if v == nil || t.kind != kRParen {
			return nil
		}
		p.depth--
		p.closed = t.end
		p.next()
		return v
	case kFun:
		return p.fun()
	}
	return nil
}

// enter opens a bracket.
func (p *parser) enter() bool {
	p.depth++
	if p.depth > p.lim.depth {
		p.over = true
		return false
	}
	return true
}

// str reads a string and the strings that follow it directly: they are one.
func (p *parser) str() Term {
	t := &p.tok
	v := p.strings.next()
	p.at(&v.Node, t.start, t.line, t.col, t.end)
	v.Text = t.text
	p.plain = false
	first := token{start: t.start, end: t.end}
	p.next()
	if t.kind == kString {
		text := []byte(v.Text)
		for t.kind == kString {
			if p.joined != nil {
				p.joined(first, *t)
			}
			first = token{start: t.start, end: t.end}
			text = append(text, t.text...)
			v.At.End = t.end
			p.next()
		}
		v.Text = string(text)
	}
	return v
}

// seal moves the elements above mark from the stack to their own slice.
func (p *parser) seal(mark int) []Term {
	n := len(p.stack) - mark
	if n == 0 {
		return nil
	}
	if len(p.elems) < n {
		p.elems = make([]Term, max(n, min(256, max(16, len(p.s)/64))))
	}
	out := p.elems[:n:n]
	p.elems = p.elems[n:]
	copy(out, p.stack[mark:])
	clear(p.stack[mark:])
	p.stack = p.stack[:mark]
	return out
}

func (p *parser) tuple() Term {
	t := &p.tok
	start, line, col := t.start, t.line, t.col
	if !p.enter() {
		return nil
	}
	list := p.inList
	p.inList = false
	p.next()
	mark := len(p.stack)
	if t.kind != kRBrace {
		for {
			v := p.term()
			if v == nil {
				return nil
			}
			p.stack = append(p.stack, v)
			if t.kind != kComma {
				break
			}
			p.next()
		}
		if t.kind != kRBrace {
			return nil
		}
	}
	p.inList = list
	v := p.tuples.next()
	v.Elems = p.seal(mark)
	p.at(&v.Node, start, line, col, t.end)
	p.depth--
	p.plain = false
	p.next()
	return v
}

func (p *parser) list() Term {
	t := &p.tok
	start, line, col := t.start, t.line, t.col
	if !p.enter() {
		return nil
	}
	list := p.inList
	p.inList = true
	p.next()
	mark := len(p.stack)
	var tail Term
	if t.kind != kRBracket {
		for {
			v := p.term()
			if v == nil {
				return nil
			}
			p.stack = append(p.stack, v)
			if t.kind != kComma {
				break
			}
			p.next()
		}
		if t.kind == kBar {
			p.next()
			if tail = p.term(); tail == nil {
				return nil
			}
		}
		if t.kind != kRBracket {
			return nil
		}
	}
	// [a | [b]] is [a, b], and so is a string of code points after the bar.
	switch l := tail.(type) {
	case *List:
		p.stack = append(p.stack, l.Elems...)
		tail = l.Tail
	case *String:
		items, _ := Items(l)
		p.stack = append(p.stack, items...)
		tail = nil
	}
	p.inList = list
	v := p.lists.next()
	v.Elems = p.seal(mark)
	v.Tail = tail
	p.at(&v.Node, start, line, col, t.end)
	p.depth--
	p.plain = false
	p.next()
	return v
}

// signed reads + or - and a number.
func (p *parser) signed() Term {
	t := &p.tok
	minus, start, line, col := t.kind == kMinus, t.start, t.line, t.col
	p.next()
	switch t.kind {
	case kInt, kChar, kFloat, kLParen:
	default:
		return nil
	}
	paren := t.kind == kLParen
	v := p.term()
	if v == nil || !p.plain {
		return nil
	}
	p.plain = false
	end := v.Span().End
	if paren {
		end = p.closed
	}
	switch v := v.(type) {
	case *Int:
		if minus {
			v.negate()
		}
		p.at(&v.Node, start, line, col, end)
	case *Float:
		if minus {
			v.F = -v.F
		}
		p.at(&v.Node, start, line, col, end)
	}
	return v
}

// negate changes the sign of i.
func (i *Int) negate() {
	if i.Big == nil {
		i.N = -i.N // never the smallest int64: digits have no sign
		return
	}
	i.Big = new(big.Int).Neg(i.Big)
	if i.Big.IsInt64() {
		i.N, i.Big = i.Big.Int64(), nil
	}
}

func (p *parser) mapTerm() Term {
	t := &p.tok
	start, line, col := t.start, t.line, t.col
	p.next()
	if t.kind != kLBrace || !p.enter() {
		return nil
	}
	p.next()
	v := p.maps.next()
	if t.kind != kRBrace {
		for {
			key := p.term()
			if key == nil || t.kind != kAssoc {
				return nil
			}
			p.next()
			val := p.term()
			if val == nil {
				return nil
			}
			v.Pairs = append(v.Pairs, Pair{key, val})
			if t.kind != kComma {
				break
			}
			p.next()
		}
		if t.kind != kRBrace {
			return nil
		}
		v.Pairs = p.lastOfEach(v.Pairs)
	}
	p.at(&v.Node, start, line, col, t.end)
	p.depth--
	p.plain = false
	p.next()
	return v
}

// lastOfEach drops the pairs whose key comes again later.
func (p *parser) lastOfEach(pairs []Pair) []Pair {
	if len(pairs) < 2 {
		return pairs
	}
	last := make(map[string]int, len(pairs))
	keys := make([]string, len(pairs))
	for i := range pairs {
		keys[i] = string(appendKey(nil, pairs[i].Key))
		last[keys[i]] = i
	}
	if len(last) == len(pairs) {
		return pairs
	}
	out := pairs[:0]
	for i, pair := range pairs {
		if last[keys[i]] == i {
			out = append(out, pair)
		} else if p.twice != nil {
			p.twice(pair.Key)
		}
	}
	return out
}

// fun reads fun Module:Function/Arity.
func (p *parser) fun() Term {
	t := &p.tok
	v := p.funs.next()
	p.at(&v.Node, t.start, t.line, t.col, t.end)
	p.next()
	if t.kind != kAtom {
		return nil
	}
	v.Module = t.text
	p.next()
	if t.kind != kColon {
		return nil
	}
	p.next()
	if t.kind != kAtom {
		return nil
	}
	v.Function = t.text
	p.next()
	if t.kind != kSlash {
		return nil
	}
	p.next()
	if t.kind != kInt || t.big != nil || t.num > 255 {
		return nil
	}
	v.Arity = t.num
	v.At.End = t.end
	p.plain = false
	p.next()
	return v
}

// binary reads <<...>>.
func (p *parser) binary() Term {
	t := &p.tok
	start, line, col := t.start, t.line, t.col
	if !p.enter() {
		return nil
	}
	list := p.inList
	p.inList = false
	p.next()
	w := p.bits // a nested binary must not write into this one
	p.bits = bitWriter{}
	w.reset()
	if t.kind != kBinClose {
		for {
			if !p.segment(&w) {
				return nil
			}
			if t.kind != kComma {
				break
			}
			p.next()
		}
		if t.kind != kBinClose {
			return nil
		}
	}
	p.inList = list
	v := p.binaries.next()
	v.Bytes = append([]byte(nil), w.b...)
	v.Bits = w.n
	p.bits = w
	p.at(&v.Node, start, line, col, t.end)
	p.depth--
	p.plain = false
	p.next()
	return v
}

// A segment type, as the part after the slash says.
type segType struct {
	kind           string // "" if not given
	signed, endian string
	unit           int64 // 0 if not given
}

// set adds one type name. It returns false if the name is unknown or differs
// from what was said before.
func (s *segType) set(name string, unit int64, hasUnit bool) bool {
	if hasUnit {
		if name != "unit" || unit < 1 || unit > 256 || s.unit != 0 && s.unit != unit {
			return false
		}
		s.unit = unit
		return true
	}
	put := func(to *string, v string) bool {
		if *to != "" && *to != v {
			return false
		}
		*to = v
		return true
	}
	switch name {
	case "integer", "float", "utf8", "utf16", "utf32":
		return put(&s.kind, name)
	case "binary":
		return put(&s.kind, "binary")
	case "bytes":
		return s.set("unit", 8, true) && put(&s.kind, "binary")
	case "bitstring", "bits":
		return s.set("unit", 1, true) && put(&s.kind, "binary")
	case "signed", "unsigned":
		return put(&s.signed, name)
	case "big", "little", "native":
		return put(&s.endian, name)
	}
	return false
}

// segment reads one element of a binary and writes its bits to w.
func (p *parser) segment(w *bitWriter) bool {
	t := &p.tok
	start := t.start
	sign := kEOF
	if t.kind == kMinus || t.kind == kPlus {
		sign = t.kind
		p.next()
	}
	switch t.kind {
	case kInt, kChar, kFloat, kString, kBinOpen, kLParen:
	default:
		return false
	}
	v := p.term()
	if v == nil {
		return false
	}
	if sign != kEOF {
		if !p.plain {
			return false
		}
		if sign == kMinus {
			switch v := v.(type) {
			case *Int:
				v.negate()
			case *Float:
				v.F = -v.F
			}
		}
	}
	size := int64(-1)
	if t.kind == kColon {
		p.next()
		switch t.kind {
		case kInt, kChar, kLParen:
		default:
			return false
		}
		n, ok := p.term().(*Int)
		if !ok || n.Big != nil || n.N < 0 {
			return false
		}
		size = n.N
	}
	var st segType
	if t.kind == kSlash {
		for first := true; first || t.kind == kMinus; first = false {
			p.next()
			if t.kind != kAtom {
				return false
			}
			name := t.text
			p.next()
			var unit int64
			hasUnit := t.kind == kColon
			if hasUnit {
				p.next()
				if t.kind != kInt || t.big != nil {
					return false
				}
				unit = t.num
				p.next()
			}
			if !st.set(name, unit, hasUnit) {
				return false
			}
		}
	}
	return p.put(w, v, size, st, start)
}

// put writes v as a segment says.
func (p *parser) put(w *bitWriter, v Term, size int64, st segType, start int) bool {
	end := v.Span().End
	little := st.endian == "little" || st.endian == "native" // of the machines that MongooseIM ran on
	switch st.kind {
	case "utf8", "utf16", "utf32":
		if size >= 0 || st.unit != 0 {
			return false
		}
		switch v := v.(type) {
		case *String:
			if !p.room(w, int64(len(v.Text))*32) {
				return false
			}
			for _, r := range v.Text {
				w.putRune(r, st.kind, little)
			}
			return true
		case *Int:
			if v.Big != nil || v.N < 0 || v.N > 0x10FFFF || v.N >= 0xD800 && v.N <= 0xDFFF {
				return false
			}
			w.putRune(rune(v.N), st.kind, little)
			return true
		}
		return false

	case "binary":
		b, ok := v.(*Binary)
		if !ok {
			return false
		}
		unit := st.unit
		if unit == 0 {
			unit = 8
		}
		have := int64(len(b.Bytes)) * 8
		if b.Bits != 0 {
			have += int64(b.Bits) - 8
		}
		n := have
		if size < 0 {
			if have%unit != 0 {
				return false
			}
		} else {
			if size > have || size*unit > have {
				return false
			}
			n = size * unit
		}
		if !p.room(w, n) {
			return false
		}
		w.putBits(b.Bytes, n)
		return true

	case "float":
		bits := int64(64)
		if size >= 0 {
			unit := max(st.unit, 1)
			if size > 64 || size*unit > 64 {
				return false
			}
			bits = size * unit
		} else if st.unit != 0 {
			return false
		}
		if bits != 16 && bits != 32 && bits != 64 {
			return false
		}
		one := func(f float64) bool {
			if math.IsInf(f, 0) || math.IsNaN(f) {
				return false
			}
			w.putUint(floatBits(f, bits), bits, little)
			return true
		}
		switch v := v.(type) {
		case *String:
			if !p.room(w, int64(len(v.Text))*bits) {
				return false
			}
			for _, r := range v.Text {
				one(float64(r))
			}
			return true
		case *Int:
			return one(v.float())
		case *Float:
			return one(v.F)
		}
		return false

	default: // integer
		bits := int64(8)
		if size >= 0 {
			unit := max(st.unit, 1)
			if size > math.MaxInt64/256 {
				return p.room(w, size)
			}
			bits = size * unit
		} else if st.unit != 0 {
			return false
		}
		switch v := v.(type) {
		case *String:
			if !p.room(w, bits) || !p.room(w, bits*int64(len(v.Text))) {
				return false
			}
			odd := false
			for _, r := range v.Text {
				if r > 0x7F && bits == 8 {
					odd = true
				}
				w.putInt(int64(r), bits, little)
			}
			if odd {
				p.notice(oddText, start, end)
			}
			return true
		case *Int:
			if !p.room(w, bits) {
				return false
			}
			if !v.fits(bits) {
				p.notice(oddCut, start, end)
			}
			if v.Big != nil {
				w.putBig(v.Big, bits, little)
			} else {
				w.putInt(v.N, bits, little)
			}
			return true
		}
		return false
	}
}

func (p *parser) notice(odd binaryOddity, start, end int) {
	if p.odd != nil {
		p.odd(odd, start, end)
	}
}

// room reports whether n more bits fit into what a binary may hold.
func (p *parser) room(w *bitWriter, n int64) bool {
	if int64(len(w.b))+n/8 > int64(p.lim.binary) {
		p.over = true
		return false
	}
	return true
}

// float returns the nearest float; infinite if there is none.
func (i *Int) float() float64 {
	if i.Big != nil {
		f, _ := new(big.Float).SetInt(i.Big).Float64()
		return f
	}
	return float64(i.N)
}

// fits reports whether i is a number of that many bits, signed or unsigned.
func (i *Int) fits(bits int64) bool {
	if i.Big != nil {
		return int64(i.Big.BitLen()) <= bits
	}
	if bits >= 63 {
		return true
	}
	return i.N>>bits == 0 || i.N < 0 && bits > 0 && i.N>>(bits-1) == -1
}
