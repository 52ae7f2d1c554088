package cfgterm

import (
	"math/big"

	"meerkat/cfgterm/diag"
)

// A Term is one Erlang term of a file: *Atom, *Int, *Float, *String, *List,
// *Tuple, *Map, *Binary or *Fun. Every term knows the bytes it was read from; a
// term made by a program has the zero Span.
type Term interface {
	// Span returns where the term stands, without the white space and comments
	// around it.
	Span() diag.Span
	term()
}

// Node is what all terms have in common.
type Node struct{ At diag.Span }

// Span implements Term.
func (n *Node) Span() diag.Span { return n.At }
func (n *Node) term()           {}

type (
	// An Atom is a literal name: foo, 'Foo bar'.
	Atom struct {
		Node
		Name string // without quotes, escapes resolved
	}

	// An Int is an integer of any size. $a is one too.
	Int struct {
		Node
		N   int64    // the value, if Big is nil
		Big *big.Int // the value, if it does not fit into N
	}

	// A Float is a finite floating point number.
	Float struct {
		Node
		F float64
	}

	// A String is a list of code points written as "text". "" is the same term
	// as [].
	String struct {
		Node
		Text string
	}

	// A List is [A, B] or [A, B | Tail]; Elems may be empty. Tail is nil for a
	// proper list and never a *List or *String (those are joined while reading).
	List struct {
		Node
		Elems []Term
		Tail  Term
	}

	// A Tuple is {A, B}.
	Tuple struct {
		Node
		Elems []Term
	}

	// A Map is #{K => V}, its pairs in the order of the file; of equal keys
	// only the last is kept.
	Map struct {
		Node
		Pairs []Pair
	}

	// A Binary is <<...>>, a bit string if Bits is not 0.
	Binary struct {
		Node
		Bytes []byte
		// Bits is the number of bits of the last byte that belong to the term,
		// counted from the most significant; 0 means all eight.
		Bits int
	}

	// A Fun is an external fun: fun lists:map/2.
	Fun struct {
		Node
		Module, Function string
		Arity            int64
	}
)

// A Pair is one association of a Map.
type Pair struct{ Key, Value Term }

// AtomName returns the name of t if t is an atom.
func AtomName(t Term) (name string, ok bool) {
	a, ok := t.(*Atom)
	if !ok {
		return "", false
	}
	return a.Name, true
}

// IsAtom reports whether t is the atom name.
func IsAtom(t Term, name string) bool {
	a, ok := t.(*Atom)
	return ok && a.Name == name
}

// IsNil reports whether t is the empty list, written [] or "".
func IsNil(t Term) bool {
	switch t := t.(type) {
	case *List:
		return len(t.Elems) == 0 && t.Tail == nil
	case *String:
		return t.Text == ""
	}
	return false
}

// Items returns the elements of a proper list. The elements of a non-empty
// string are its code points, as Erlang has it. ok is false for an improper list
// and for anything else.
func Items(t Term) (items []Term, ok bool) {
	switch t := t.(type) {
	case *List:
		return t.Elems, t.Tail == nil
	case *String:
		for _, r := range t.Text {
			items = append(items, &Int{Node: Node{At: t.At}, N: int64(r)})
		}
		return items, true
	}
	return nil, false
}

// TupleOf returns the elements of t if t is a tuple of exactly n elements.
func TupleOf(t Term, n int) (elems []Term, ok bool) {
	tup, ok := t.(*Tuple)
	if !ok || len(tup.Elems) != n {
		return nil, false
	}
	return tup.Elems, true
}

// Text returns the text of a string, of a list of code points, or of a binary
// that holds UTF-8: the forms in which Erlang programs write text. The empty
// list is the empty text. Atoms are not text.
func Text(t Term) (text string, ok bool) {
	switch t := t.(type) {
	case *String:
		return t.Text, true
	case *Binary:
		if t.Bits != 0 || !validUTF8(t.Bytes) {
			return "", false
		}
		return string(t.Bytes), true
	case *List:
		if t.Tail != nil {
			return "", false
		}
		buf := make([]rune, 0, len(t.Elems))
		for _, e := range t.Elems {
			i, ok := e.(*Int)
			if !ok || i.Big != nil || i.N < 0 || i.N > 0x10FFFF || i.N >= 0xD800 && i.N <= 0xDFFF {
				return "", false
			}
			buf = append(buf, rune(i.N))
		}
		return string(buf), true
	}
	return "", false
}
