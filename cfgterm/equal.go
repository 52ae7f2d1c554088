package cfgterm

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"math/big"
	"slices"
	"sort"
)

// Equal reports whether a and b are the same Erlang term, wherever they stand: a
// string equals the list of its code points, 1 differs from 1.0, and the order
// of a map's pairs does not matter. 0.0 and -0.0 differ, as in OTP 27; before,
// Erlang called them the same.
func Equal(a, b Term) bool {
	switch a := a.(type) {
	case *Atom:
		b, ok := b.(*Atom)
		return ok && a.Name == b.Name
	case *Int:
		b, ok := b.(*Int)
		return ok && compareInts(a, b) == 0
	case *Float:
		b, ok := b.(*Float)
		return ok && math.Float64bits(a.F) == math.Float64bits(b.F)
	case *String:
		if b, ok := b.(*String); ok {
			return a.Text == b.Text
		}
		return equalLists(a, b)
	case *List:
		return equalLists(a, b)
	case *Tuple:
		b, ok := b.(*Tuple)
		return ok && equalAll(a.Elems, b.Elems)
	case *Map:
		b, ok := b.(*Map)
		if !ok || len(a.Pairs) != len(b.Pairs) {
			return false
		}
		return bytes.Equal(appendCanon(nil, a, false), appendCanon(nil, b, false))
	case *Binary:
		b, ok := b.(*Binary)
		return ok && a.Bits == b.Bits && bytes.Equal(a.Bytes, b.Bytes)
	case *Fun:
		b, ok := b.(*Fun)
		return ok && a.Module == b.Module && a.Function == b.Function && a.Arity == b.Arity
	case nil:
		return b == nil
	}
	return false
}

func equalAll(a, b []Term) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// parts returns the elements and the tail of a list or string.
func parts(t Term) (elems []Term, tail Term, ok bool) {
	switch t := t.(type) {
	case *List:
		return t.Elems, t.Tail, true
	case *String:
		elems, ok = Items(t)
		return elems, nil, ok
	}
	return nil, nil, false
}

func equalLists(a, b Term) bool {
	x, xt, ok1 := parts(a)
	y, yt, ok2 := parts(b)
	if !ok1 || !ok2 || (xt == nil) != (yt == nil) || !equalAll(x, y) {
		return false
	}
	return xt == nil || Equal(xt, yt)
}

func compareInts(a, b *Int) int {
	switch {
	case a.Big == nil && b.Big == nil:
		return cmp.Compare(a.N, b.N)
	default:
		return a.big().Cmp(b.big())
	}
}

// big returns the value of i.
func (i *Int) big() *big.Int {
	if i.Big != nil {
		return i.Big
	}
	return big.NewInt(i.N)
}

// Compare orders terms as Erlang does: number < atom < fun < tuple < map < [] <
// list < bit string. An integer comes before a float of the same value.
func Compare(a, b Term) int {
	ra, rb := rank(a), rank(b)
	if ra != rb {
		return cmp.Compare(ra, rb)
	}
	switch ra {
	case 0:
		return compareNumbers(a, b)
	case 1:
		return cmp.Compare(a.(*Atom).Name, b.(*Atom).Name) // UTF-8 sorts as code points do
	case 2:
		x, y := a.(*Fun), b.(*Fun)
		return cmp.Or(cmp.Compare(x.Module, y.Module), cmp.Compare(x.Function, y.Function), cmp.Compare(x.Arity, y.Arity))
	case 3:
		x, y := a.(*Tuple).Elems, b.(*Tuple).Elems
		if len(x) != len(y) {
			return cmp.Compare(len(x), len(y))
		}
		for i := range x {
			if c := Compare(x[i], y[i]); c != 0 {
				return c
			}
		}
		return 0
	case 4:
		return compareMaps(a.(*Map), b.(*Map))
	case 6:
		return compareLists(a, b)
	case 7:
		return compareBits(a.(*Binary), b.(*Binary))
	}
	return 0
}

func rank(t Term) int {
	switch t := t.(type) {
	case *Int, *Float:
		return 0
	case *Atom:
		return 1
	case *Fun:
		return 2
	case *Tuple:
		return 3
	case *Map:
		return 4
	case *Binary:
		return 7
	default:
		if IsNil(t) {
			return 5
		}
		return 6
	}
}

func compareNumbers(a, b Term) int {
	exact := func(t Term) (v *big.Float, isFloat int) {
		switch t := t.(type) {
		case *Float:
			return new(big.Float).SetFloat64(t.F), 1
		case *Int:
			n := t.big()
			return new(big.Float).SetPrec(uint(max(n.BitLen(), 64))).SetInt(n), 0
		}
		return nil, 0
	}
	if x, ok := a.(*Int); ok {
		if y, ok := b.(*Int); ok {
			return compareInts(x, y)
		}
	}
	x, fx := exact(a)
	y, fy := exact(b)
	return cmp.Or(x.Cmp(y), cmp.Compare(fx, fy))
}

func compareMaps(a, b *Map) int {
	if len(a.Pairs) != len(b.Pairs) {
		return cmp.Compare(len(a.Pairs), len(b.Pairs))
	}
	x, y := sortedPairs(a), sortedPairs(b)
	for i := range x {
		if c := Compare(x[i].Key, y[i].Key); c != 0 {
			return c
		}
	}
	for i := range x {
		if c := Compare(x[i].Value, y[i].Value); c != 0 {
			return c
		}
	}
	return 0
}

// sortedPairs returns the pairs of m in the order of their keys.
func sortedPairs(m *Map) []Pair {
	p := append([]Pair(nil), m.Pairs...)
	sort.SliceStable(p, func(i, j int) bool { return Compare(p[i].Key, p[j].Key) < 0 })
	return p
}

func compareLists(a, b Term) int {
	x, xt, _ := parts(a)
	y, yt, _ := parts(b)
	for i := 0; ; i++ {
		switch {
		case i < len(x) && i < len(y):
			if c := Compare(x[i], y[i]); c != 0 {
				return c
			}
			continue
		case i == len(x) && i == len(y):
			return Compare(tailOf(xt), tailOf(yt))
		case i == len(x): // what is left of a against a list
			return Compare(tailOf(xt), &List{Elems: y[i:], Tail: yt})
		default:
			return Compare(&List{Elems: x[i:], Tail: xt}, tailOf(yt))
		}
	}
}

func tailOf(t Term) Term {
	if t == nil {
		return &List{}
	}
	return t
}

func compareBits(a, b *Binary) int {
	// Unused bits are zero, so the bytes decide unless one is a prefix.
	if c := bytes.Compare(a.Bytes, b.Bytes); c != 0 {
		n := min(len(a.Bytes), len(b.Bytes))
		if bytes.Equal(a.Bytes[:n], b.Bytes[:n]) || n == 0 {
			return c
		}
		return c
	}
	return cmp.Compare(bitLen(a), bitLen(b))
}

func bitLen(b *Binary) int {
	if b.Bits == 0 {
		return len(b.Bytes) * 8
	}
	return len(b.Bytes)*8 - 8 + b.Bits
}

// appendKey appends a text that is the same for equal map keys only. To Erlang
// before OTP 27, 0.0 and -0.0 are one key.
func appendKey(dst []byte, t Term) []byte { return appendCanon(dst, t, true) }

// appendCanon appends a text that is the same for equal terms only.
func appendCanon(dst []byte, t Term, oneZero bool) []byte {
	text := func(kind byte, s string) {
		dst = append(dst, kind)
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	switch t := t.(type) {
	case *Atom:
		text('a', t.Name)
	case *Int:
		dst = append(dst, 'i')
		dst = appendInt(dst, t)
		dst = append(dst, ';')
	case *Float:
		f := t.F
		if oneZero && f == 0 {
			f = 0
		}
		dst = append(dst, 'f')
		dst = binary.BigEndian.AppendUint64(dst, math.Float64bits(f))
	case *String, *List:
		elems, tail, _ := parts(t)
		dst = append(dst, 'l')
		for _, e := range elems {
			dst = appendCanon(dst, e, oneZero)
		}
		dst = append(dst, '|')
		if tail != nil {
			dst = appendCanon(dst, tail, oneZero)
		}
		dst = append(dst, '.')
	case *Tuple:
		dst = append(dst, 't')
		for _, e := range t.Elems {
			dst = appendCanon(dst, e, oneZero)
		}
		dst = append(dst, '.')
	case *Map:
		dst = append(dst, 'm')
		all := make([]string, len(t.Pairs))
		for i, p := range t.Pairs {
			all[i] = string(appendCanon(appendCanon(nil, p.Key, oneZero), p.Value, oneZero))
		}
		slices.Sort(all)
		for _, s := range all {
			dst = append(dst, s...)
		}
		dst = append(dst, '.')
	case *Binary:
		text('b', string(t.Bytes))
		dst = append(dst, byte(t.Bits))
	case *Fun:
		text('u', t.Module)
		text(':', t.Function)
		dst = binary.AppendVarint(dst, t.Arity)
	}
	return dst
}
