// Package etf converts terms to and from the external term format, the bytes
// that Erlang's term_to_binary/1 makes: stored stanzas in eterm columns, session
// values in Redis, Mnesia's logs.
//
//	t, err := etf.Decode(blob, etf.Limits{})
//	blob, err = etf.Encode(t)
//
// The bytes are read and written by github.com/okeuday/erlang_go. That library
// believes every length it reads: five bytes can make it ask for all memory,
// and deep nesting ends the process. Therefore all bytes are walked before it
// sees them, under the bounds of Limits, and compressed terms are inflated here.
//
// It cannot read maps whose keys are binaries, tuples or lists. Decode and
// Encode can: they show maps to the library as tuples with a mark in front.
//
// Positions are lost on the way: terms from Decode have the zero Span. Process
// identifiers, ports, references and closures have no place in package cfgterm;
// DecodeValue returns them as the library's values.
//
// It imports cfgterm.
package etf

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"unicode/utf8"

	"github.com/okeuday/erlang_go/v2/erlang"

	"meerkat/cfgterm"
)

// Tags of the external term format
// (https://www.erlang.org/doc/apps/erts/erl_ext_dist.html).
const (
	tagVersion       = 131
	tagNewFloat      = 70
	tagBitBinary     = 77
	tagCompressed    = 80
	tagNewPid        = 88
	tagNewPort       = 89
	tagNewerRef      = 90
	tagSmallInt      = 97
	tagInt           = 98
	tagFloat         = 99
	tagAtom          = 100
	tagRef           = 101
	tagPort          = 102
	tagPid           = 103
	tagSmallTuple    = 104
	tagLargeTuple    = 105
	tagNil           = 106
	tagString        = 107
	tagList          = 108
	tagBinary        = 109
	tagSmallBig      = 110
	tagLargeBig      = 111
	tagNewFun        = 112
	tagExport        = 113
	tagNewRef        = 114
	tagSmallAtom     = 115
	tagMap           = 116
	tagAtomUTF8      = 118
	tagSmallAtomUTF8 = 119
	tagV4Port        = 120
)

// mapMark is the atom in front of a map that is shown to the library as a
// tuple. No program has an atom of that name; one that comes in is refused.
const mapMark = "\x01meerkat map"

// Limits bounds what is read. Zero fields stand for the defaults.
type Limits struct {
	Size     int // bytes, after inflating; 16 MiB
	Depth    int // nesting; 128
	Terms    int // terms of all kinds; 1,000,000
	BigBytes int // bytes of one integer; 4096
}

func (l Limits) defaults() Limits {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&l.Size, 16<<20)
	set(&l.Depth, 128)
	set(&l.Terms, 1000000)
	set(&l.BigBytes, 4096)
	return l
}

// Errors that Decode wraps.
var (
	// ErrLimit: a bound of Limits was crossed.
	ErrLimit = errors.New("larger than allowed")
	// ErrMalformed: the bytes are not in the external term format.
	ErrMalformed = errors.New("malformed")
	// ErrUnsupported: a kind of term that package cfgterm does not have.
	ErrUnsupported = errors.New("kind of term not supported")
)

// Decode reads one term, which may be compressed. All of b must belong to it.
func Decode(b []byte, lim Limits) (cfgterm.Term, error) {
	w, err := walk(b, lim, true)
	if err != nil {
		return nil, fmt.Errorf("decode term: %w", err)
	}
	v, err := erlang.BinaryToTerm(w.out)
	if err != nil {
		return nil, fmt.Errorf("decode term: %w: %w", ErrMalformed, err)
	}
	t, err := ToTerm(v)
	if err != nil {
		return nil, fmt.Errorf("decode term: %w", err)
	}
	return t, nil
}

// DecodeValue reads one term as a value of package erlang, with process
// identifiers and the like. A map with a key that is no number, atom or string
// is an error.
func DecodeValue(b []byte, lim Limits) (any, error) {
	w, err := walk(b, lim, false)
	if err != nil {
		return nil, fmt.Errorf("decode term: %w", err)
	}
	v, err := erlang.BinaryToTerm(w.out)
	if err != nil {
		return nil, fmt.Errorf("decode term: %w: %w", ErrMalformed, err)
	}
	return v, nil
}

// Encode returns the bytes of a term, as term_to_binary/1 makes them.
func Encode(t cfgterm.Term) ([]byte, error) {
	v, err := fromTerm(t, true)
	if err != nil {
		return nil, fmt.Errorf("encode term: %w", err)
	}
	b, err := erlang.TermToBinary(v, -1)
	if err != nil {
		return nil, fmt.Errorf("encode term: %w", err)
	}
	out, err := restoreMaps(b)
	if err != nil {
		return nil, fmt.Errorf("encode term: %w", err)
	}
	return out, nil
}

// EncodeCompressed is Encode with the result compressed if that makes it
// shorter, as term_to_binary/2 with the option compressed does.
func EncodeCompressed(t cfgterm.Term) ([]byte, error) {
	plain, err := Encode(t)
	if err != nil {
		return nil, err
	}
	var z bytes.Buffer
	z.Write([]byte{tagVersion, tagCompressed})
	z.Write(binary.BigEndian.AppendUint32(nil, uint32(len(plain)-1)))
	w := zlib.NewWriter(&z)
	if _, err := w.Write(plain[1:]); err != nil {
		return nil, fmt.Errorf("encode term: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encode term: %w", err)
	}
	if z.Len() >= len(plain) {
		return plain, nil
	}
	return z.Bytes(), nil
}

// inflate returns b without compression, the version byte first.
func inflate(b []byte, lim Limits) ([]byte, error) {
	if len(b) > lim.Size {
		return nil, fmt.Errorf("%d bytes: %w", len(b), ErrLimit)
	}
	if len(b) < 2 || b[0] != tagVersion {
		return nil, fmt.Errorf("no version byte: %w", ErrMalformed)
	}
	if b[1] != tagCompressed {
		return b, nil
	}
	if len(b) < 6 {
		return nil, fmt.Errorf("compressed term: %w", ErrMalformed)
	}
	size := int64(binary.BigEndian.Uint32(b[2:]))
	if size > int64(lim.Size) {
		return nil, fmt.Errorf("%d bytes: %w", size, ErrLimit)
	}
	in := bytes.NewReader(b[6:])
	z, err := zlib.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("compressed term: %w: %w", ErrMalformed, err)
	}
	// The buffer grows with what comes out, not with what is claimed.
	var out bytes.Buffer
	out.WriteByte(tagVersion)
	n, err := io.Copy(&out, io.LimitReader(z, size+1))
	if err != nil {
		return nil, fmt.Errorf("compressed term: %w: %w", ErrMalformed, err)
	}
	if n != size || in.Len() != 0 {
		return nil, fmt.Errorf("compressed term of another length than it says: %w", ErrMalformed)
	}
	return out.Bytes(), nil
}

// walker checks a term byte by byte and copies it.
type walker struct {
	b       []byte
	i       int
	lim     Limits
	terms   int
	flatten bool   // show maps as tuples, and refuse what is no term
	out     []byte // what the library is given
	from    int    // start of what has not been copied to out
	maps    bool   // a map was seen
}

// walk checks that b holds one term within the limits.
func walk(b []byte, lim Limits, flatten bool) (*walker, error) {
	lim = lim.defaults()
	b, err := inflate(b, lim)
	if err != nil {
		return nil, err
	}
	w := &walker{b: b, i: 1, lim: lim, flatten: flatten}
	if err := w.term(0); err != nil {
		return nil, fmt.Errorf("byte %d: %w", w.i, err)
	}
	if w.i != len(b) {
		return nil, fmt.Errorf("byte %d: more bytes than the term has: %w", w.i, ErrMalformed)
	}
	if w.out == nil {
		w.out = b
	} else {
		w.out = append(w.out, b[w.from:]...)
	}
	return w, nil
}

// need checks that n more bytes are there.
func (w *walker) need(n int) error {
	if n < 0 || n > len(w.b)-w.i {
		return fmt.Errorf("%d bytes of %d: %w", len(w.b)-w.i, n, ErrMalformed)
	}
	return nil
}

// skip passes n bytes.
func (w *walker) skip(n int) error {
	if err := w.need(n); err != nil {
		return err
	}
	w.i += n
	return nil
}

// length reads a length of size bytes.
func (w *walker) length(size int) (int, error) {
	if err := w.need(size); err != nil {
		return 0, err
	}
	n := 0
	for range size {
		n = n<<8 | int(w.b[w.i])
		w.i++
	}
	return n, nil
}

// many passes n terms, each of which has at least one byte.
func (w *walker) many(n, depth int) error {
	if err := w.need(n); err != nil {
		return err
	}
	for range n {
		if err := w.term(depth + 1); err != nil {
			return err
		}
	}
	return nil
}

// term passes one term.
func (w *walker) term(depth int) error {
	if depth > w.lim.Depth {
		return fmt.Errorf("nested deeper than %d: %w", w.lim.Depth, ErrLimit)
	}
	if w.terms++; w.terms > w.lim.Terms {
		return fmt.Errorf("more than %d terms: %w", w.lim.Terms, ErrLimit)
	}
	tag, err := w.length(1)
	if err != nil {
		return err
	}
	switch tag {
	case tagSmallInt:
		return w.skip(1)
	case tagInt:
		return w.skip(4)
	case tagNewFloat:
		if err := w.need(8); err != nil {
			return err
		}
		f := math.Float64frombits(binary.BigEndian.Uint64(w.b[w.i:]))
		if math.IsInf(f, 0) || math.IsNaN(f) {
			return fmt.Errorf("float: %w", ErrMalformed)
		}
		return w.skip(8)
	case tagFloat:
		return w.skip(31)
	case tagAtom, tagSmallAtom, tagAtomUTF8, tagSmallAtomUTF8:
		w.i--
		return w.atom()
	case tagNil:
		return nil
	case tagString:
		n, err := w.length(2)
		if err != nil {
			return err
		}
		return w.skip(n)
	case tagBinary:
		n, err := w.length(4)
		if err != nil {
			return err
		}
		return w.skip(n)
	case tagBitBinary:
		n, err := w.length(4)
		if err != nil {
			return err
		}
		bits, err := w.length(1)
		if err != nil {
			return err
		}
		if bits < 1 || bits > 8 || n == 0 {
			return fmt.Errorf("bit string of %d bits: %w", bits, ErrMalformed)
		}
		return w.skip(n)
	case tagSmallBig, tagLargeBig:
		size := 1
		if tag == tagLargeBig {
			size = 4
		}
		n, err := w.length(size)
		if err != nil {
			return err
		}
		if n > w.lim.BigBytes {
			return fmt.Errorf("integer of %d bytes: %w", n, ErrLimit)
		}
		if err := w.skip(1); err != nil {
			return err
		}
		return w.skip(n)
	case tagSmallTuple, tagLargeTuple:
		size := 1
		if tag == tagLargeTuple {
			size = 4
		}
		n, err := w.length(size)
		if err != nil {
			return err
		}
		return w.many(n, depth)
	case tagList:
		n, err := w.length(4)
		if err != nil {
			return err
		}
		if n > len(w.b) { // before n+1 could overflow
			return fmt.Errorf("list of %d: %w", n, ErrMalformed)
		}
		return w.many(n+1, depth)
	case tagMap:
		return w.mapTerm(depth)
	case tagExport:
		for range 2 {
			if err := w.atom(); err != nil {
				return err
			}
		}
		if err := w.need(2); err != nil {
			return err
		}
		if w.b[w.i] != tagSmallInt {
			return fmt.Errorf("arity of a fun: %w", ErrMalformed)
		}
		return w.skip(2)
	}
	if w.flatten {
		return fmt.Errorf("tag %d: %w", tag, ErrUnsupported)
	}
	switch tag {
	case tagPid, tagNewPid:
		n := 9
		if tag == tagNewPid {
			n = 12
		}
		if err := w.atom(); err != nil {
			return err
		}
		return w.skip(n)
	case tagPort, tagRef, tagNewPort, tagV4Port:
		n := map[int]int{tagPort: 5, tagRef: 5, tagNewPort: 8, tagV4Port: 12}[tag]
		if err := w.atom(); err != nil {
			return err
		}
		return w.skip(n)
	case tagNewRef, tagNewerRef:
		n, err := w.length(2)
		if err != nil {
			return err
		}
		if n > 5 {
			return fmt.Errorf("reference of %d words: %w", n, ErrMalformed)
		}
		if err := w.atom(); err != nil {
			return err
		}
		creation := 1
		if tag == tagNewerRef {
			creation = 4
		}
		return w.skip(creation + 4*n)
	case tagNewFun:
		n, err := w.length(4)
		if err != nil {
			return err
		}
		if n < 4 { // the length counts itself
			return fmt.Errorf("fun of %d bytes: %w", n, ErrMalformed)
		}
		// The library takes the length for what follows it, which would run past
		// the fun: such values are refused.
		return fmt.Errorf("closure: %w", ErrUnsupported)
	}
	return fmt.Errorf("tag %d: %w", tag, ErrUnsupported)
}

// atom passes an atom.
func (w *walker) atom() error {
	tag, err := w.length(1)
	if err != nil {
		return err
	}
	size := 1
	switch tag {
	case tagAtom, tagAtomUTF8:
		size = 2
	case tagSmallAtom, tagSmallAtomUTF8:
	default:
		return fmt.Errorf("tag %d for an atom: %w", tag, ErrMalformed)
	}
	n, err := w.length(size)
	if err != nil {
		return err
	}
	if err := w.need(n); err != nil {
		return err
	}
	name := w.b[w.i : w.i+n]
	chars := n
	if tag == tagAtomUTF8 || tag == tagSmallAtomUTF8 {
		if !utf8.Valid(name) {
			return fmt.Errorf("atom that is not UTF-8: %w", ErrMalformed)
		}
		chars = utf8.RuneCount(name)
	}
	if chars > 255 {
		return fmt.Errorf("atom of %d characters: %w", chars, ErrMalformed)
	}
	if w.flatten && string(name) == mapMark {
		return fmt.Errorf("atom %q: %w", mapMark, ErrUnsupported)
	}
	return w.skip(n)
}

// mapTerm passes a map. If the library is not to see it, out gets a tuple with
// the keys and values in its place.
func (w *walker) mapTerm(depth int) error {
	at := w.i - 1
	n, err := w.length(4)
	if err != nil {
		return err
	}
	if n > len(w.b) {
		return fmt.Errorf("map of %d pairs: %w", n, ErrMalformed)
	}
	w.maps = true
	if w.flatten {
		w.out = append(w.out, w.b[w.from:at]...)
		w.out = append(w.out, tagLargeTuple)
		w.out = binary.BigEndian.AppendUint32(w.out, uint32(2*n+1))
		w.out = append(w.out, tagSmallAtomUTF8, byte(len(mapMark)))
		w.out = append(w.out, mapMark...)
		w.from = w.i
	}
	return w.many(2*n, depth)
}

// restoreMaps turns the marked tuples of Encode into maps.
func restoreMaps(b []byte) ([]byte, error) {
	mark := append([]byte{tagSmallAtomUTF8, byte(len(mapMark))}, mapMark...)
	if !bytes.Contains(b, mark) {
		return b, nil
	}
	var out []byte
	from := 0
	var pass func(i int) (int, error)
	// The bytes come from the library and are well-formed.
	many := func(i, n int) (int, error) {
		for range n {
			var err error
			if i, err = pass(i); err != nil {
				return i, err
			}
		}
		return i, nil
	}
	pass = func(i int) (int, error) {
		switch b[i] {
		case tagSmallTuple, tagLargeTuple:
			n, j := int(b[i+1]), i+2
			if b[i] == tagLargeTuple {
				n, j = int(binary.BigEndian.Uint32(b[i+1:])), i+5
			}
			if n > 0 && bytes.HasPrefix(b[j:], mark) {
				out = append(out, b[from:i]...)
				out = append(out, tagMap)
				out = binary.BigEndian.AppendUint32(out, uint32(n/2))
				j += len(mark)
				from = j
				n--
			}
			return many(j, n)
		case tagList:
			return many(i+5, int(binary.BigEndian.Uint32(b[i+1:]))+1)
		}
		w := walker{b: b, i: i, lim: Limits{BigBytes: math.MaxInt}.defaults()}
		err := w.term(0)
		return w.i, err
	}
	if _, err := pass(1); err != nil {
		return nil, err
	}
	return append(out, b[from:]...), nil
}

// FromTerm returns t as a value of package erlang. Atoms become
// OtpErlangAtomUTF8, but true and false become bool and undefined becomes nil, as
// the library has it. A string of characters up to U+00FF becomes a Go string of
// their codes. Maps need keys that Go can compare.
func FromTerm(t cfgterm.Term) (any, error) { return fromTerm(t, false) }

func fromTerm(t cfgterm.Term, flatten bool) (any, error) {
	all := func(elems []cfgterm.Term, more int) ([]any, error) {
		out := make([]any, 0, len(elems)+more)
		for _, e := range elems {
			v, err := fromTerm(e, flatten)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	}
	switch t := t.(type) {
	case *cfgterm.Atom:
		switch t.Name {
		case "true":
			return true, nil
		case "false":
			return false, nil
		case "undefined":
			return nil, nil
		case mapMark:
			return nil, fmt.Errorf("atom %q: %w", t.Name, ErrUnsupported)
		}
		if !utf8.ValidString(t.Name) || utf8.RuneCountInString(t.Name) > 255 {
			return nil, fmt.Errorf("atom of %d bytes: %w", len(t.Name), ErrUnsupported)
		}
		return erlang.OtpErlangAtomUTF8(t.Name), nil
	case *cfgterm.Int:
		return fromInt(t), nil
	case *cfgterm.Float:
		if math.IsInf(t.F, 0) || math.IsNaN(t.F) {
			return nil, fmt.Errorf("float %v: %w", t.F, ErrUnsupported)
		}
		return t.F, nil
	case *cfgterm.String:
		if s, ok := latin1(t.Text); ok {
			return s, nil
		}
		l := erlang.OtpErlangList{}
		for _, r := range t.Text {
			l.Value = append(l.Value, fromInt(&cfgterm.Int{N: int64(r)}))
		}
		return l, nil
	case *cfgterm.List:
		if len(t.Elems) == 0 && t.Tail != nil {
			return fromTerm(t.Tail, flatten)
		}
		if s, ok := byteList(t); ok {
			return s, nil
		}
		v, err := all(t.Elems, 1)
		if err != nil {
			return nil, err
		}
		if t.Tail == nil {
			return erlang.OtpErlangList{Value: v}, nil
		}
		tail, err := fromTerm(t.Tail, flatten)
		if err != nil {
			return nil, err
		}
		return erlang.OtpErlangList{Value: append(v, tail), Improper: true}, nil
	case *cfgterm.Tuple:
		v, err := all(t.Elems, 0)
		return erlang.OtpErlangTuple(v), err
	case *cfgterm.Map:
		if flatten {
			v := []any{erlang.OtpErlangAtomUTF8(mapMark)}
			for _, p := range t.Pairs {
				kv, err := all([]cfgterm.Term{p.Key, p.Value}, 0)
				if err != nil {
					return nil, err
				}
				v = append(v, kv...)
			}
			return erlang.OtpErlangTuple(v), nil
		}
		m := erlang.OtpErlangMap{}
		for _, p := range t.Pairs {
			kv, err := all([]cfgterm.Term{p.Key, p.Value}, 0)
			if err != nil {
				return nil, err
			}
			switch kv[0].(type) {
			case nil, bool, uint8, int32, float64, string, erlang.OtpErlangAtomUTF8:
			default:
				return nil, fmt.Errorf("map with the key %s: %w", cfgterm.Format(p.Key), ErrUnsupported)
			}
			m[kv[0]] = kv[1]
		}
		return m, nil
	case *cfgterm.Binary:
		bits := uint8(8)
		if t.Bits != 0 {
			bits = uint8(t.Bits)
		}
		return erlang.OtpErlangBinary{Value: t.Bytes, Bits: bits}, nil
	case *cfgterm.Fun:
		if t.Arity < 0 || t.Arity > 255 {
			return nil, fmt.Errorf("fun of arity %d: %w", t.Arity, ErrUnsupported)
		}
		var v []byte
		for _, name := range []string{t.Module, t.Function} {
			if len(name) > 255 {
				return nil, fmt.Errorf("fun with a name of %d bytes: %w", len(name), ErrUnsupported)
			}
			v = append(append(v, tagSmallAtomUTF8, byte(len(name))), name...)
		}
		return erlang.OtpErlangFunction{Tag: tagExport, Value: append(v, tagSmallInt, byte(t.Arity))}, nil
	}
	return nil, fmt.Errorf("%T: %w", t, ErrUnsupported)
}

// fromInt returns the smallest of the library's integers that holds i.
func fromInt(i *cfgterm.Int) any {
	switch {
	case i.Big != nil:
		return i.Big
	case i.N >= 0 && i.N <= math.MaxUint8:
		return uint8(i.N)
	case i.N >= math.MinInt32 && i.N <= math.MaxInt32:
		return int32(i.N)
	}
	return big.NewInt(i.N)
}

// latin1 returns the codes of a non-empty text as bytes, if they fit.
func latin1(text string) (string, bool) {
	if len(text) == 0 || len(text) > 2*math.MaxUint16 {
		return "", len(text) == 0
	}
	b := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xFF {
			return "", false
		}
		b = append(b, byte(r))
	}
	return string(b), len(b) <= math.MaxUint16
}

// byteList returns the elements of a list of bytes: Erlang writes one as a
// string.
func byteList(l *cfgterm.List) (string, bool) {
	if len(l.Elems) == 0 || len(l.Elems) > math.MaxUint16 || l.Tail != nil {
		return "", len(l.Elems) == 0 && l.Tail == nil
	}
	b := make([]byte, len(l.Elems))
	for i, e := range l.Elems {
		n, ok := e.(*cfgterm.Int)
		if !ok || n.Big != nil || n.N < 0 || n.N > 255 {
			return "", false
		}
		b[i] = byte(n.N)
	}
	return string(b), true
}

// ToTerm returns a value of package erlang as a term. nil is the atom undefined,
// and a Go string the list of its bytes.
func ToTerm(v any) (cfgterm.Term, error) {
	all := func(v []any) ([]cfgterm.Term, error) {
		if len(v) == 0 {
			return nil, nil
		}
		out := make([]cfgterm.Term, len(v))
		for i, e := range v {
			t, err := ToTerm(e)
			if err != nil {
				return nil, err
			}
			out[i] = t
		}
		return out, nil
	}
	integer := func(n int64) (cfgterm.Term, error) { return &cfgterm.Int{N: n}, nil }
	switch v := v.(type) {
	case nil:
		return &cfgterm.Atom{Name: "undefined"}, nil
	case bool:
		if v {
			return &cfgterm.Atom{Name: "true"}, nil
		}
		return &cfgterm.Atom{Name: "false"}, nil
	case erlang.OtpErlangAtomUTF8:
		return &cfgterm.Atom{Name: string(v)}, nil
	case erlang.OtpErlangAtom:
		return &cfgterm.Atom{Name: fromLatin1(string(v))}, nil
	case int:
		return integer(int64(v))
	case int8:
		return integer(int64(v))
	case int16:
		return integer(int64(v))
	case int32:
		return integer(int64(v))
	case int64:
		return integer(v)
	case uint8:
		return integer(int64(v))
	case uint16:
		return integer(int64(v))
	case uint32:
		return integer(int64(v))
	case uint64:
		return ToTerm(new(big.Int).SetUint64(v))
	case *big.Int:
		if v.IsInt64() {
			return integer(v.Int64())
		}
		return &cfgterm.Int{Big: v}, nil
	case float32:
		return ToTerm(float64(v))
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return nil, fmt.Errorf("float %v: %w", v, ErrUnsupported)
		}
		return &cfgterm.Float{F: v}, nil
	case string:
		if v == "" {
			return &cfgterm.List{}, nil
		}
		return &cfgterm.String{Text: fromLatin1(v)}, nil
	case []byte:
		return &cfgterm.Binary{Bytes: v}, nil
	case erlang.OtpErlangBinary:
		if v.Bits == 8 || len(v.Value) == 0 {
			return &cfgterm.Binary{Bytes: v.Value}, nil
		}
		if v.Bits < 1 || v.Bits > 8 {
			return nil, fmt.Errorf("bit string of %d bits: %w", v.Bits, ErrUnsupported)
		}
		b := bytes.Clone(v.Value)
		b[len(b)-1] &= 0xFF << (8 - v.Bits) // unused bits may have any value
		return &cfgterm.Binary{Bytes: b, Bits: int(v.Bits)}, nil
	case erlang.OtpErlangList:
		n := len(v.Value)
		if !v.Improper || n == 0 {
			elems, err := all(v.Value)
			return &cfgterm.List{Elems: elems}, err
		}
		elems, err := all(v.Value[:n-1])
		if err != nil {
			return nil, err
		}
		tail, err := ToTerm(v.Value[n-1])
		if err != nil || n == 1 { // nothing before the tail: Erlang reads the tail alone
			return tail, err
		}
		if more, ok := tail.(*cfgterm.List); ok {
			return &cfgterm.List{Elems: append(elems, more.Elems...), Tail: more.Tail}, nil
		}
		if more, ok := cfgterm.Items(tail); ok {
			return &cfgterm.List{Elems: append(elems, more...)}, nil
		}
		return &cfgterm.List{Elems: elems, Tail: tail}, nil
	case []any:
		return ToTerm(erlang.OtpErlangTuple(v))
	case erlang.OtpErlangTuple:
		if len(v)%2 == 1 {
			if a, ok := v[0].(erlang.OtpErlangAtomUTF8); ok && a == mapMark {
				elems, err := all(v[1:])
				if err != nil {
					return nil, err
				}
				m := &cfgterm.Map{}
				for i := 0; i < len(elems); i += 2 {
					m.Pairs = append(m.Pairs, cfgterm.Pair{Key: elems[i], Value: elems[i+1]})
				}
				return m, nil
			}
		}
		elems, err := all(v)
		return &cfgterm.Tuple{Elems: elems}, err
	case map[any]any:
		return ToTerm(erlang.OtpErlangMap(v))
	case erlang.OtpErlangMap:
		m := &cfgterm.Map{}
		for k, x := range v {
			kv, err := all([]any{k, x})
			if err != nil {
				return nil, err
			}
			m.Pairs = append(m.Pairs, cfgterm.Pair{Key: kv[0], Value: kv[1]})
		}
		sortPairs(m.Pairs)
		return m, nil
	case erlang.OtpErlangFunction:
		if v.Tag == tagExport {
			return toFun(v.Value)
		}
	}
	return nil, fmt.Errorf("%T: %w", v, ErrUnsupported)
}

// toFun decodes the atoms and the arity of an external fun.
func toFun(b []byte) (cfgterm.Term, error) {
	name := func() (string, bool) {
		if len(b) < 3 {
			return "", false
		}
		tag, n, from := b[0], int(b[1]), 2
		if tag == tagAtom || tag == tagAtomUTF8 {
			n, from = int(binary.BigEndian.Uint16(b[1:])), 3
		}
		if len(b) < from+n {
			return "", false
		}
		s := string(b[from : from+n])
		b = b[from+n:]
		if tag == tagAtom || tag == tagSmallAtom {
			s = fromLatin1(s)
		}
		return s, true
	}
	m, ok1 := name()
	f, ok2 := name()
	if !ok1 || !ok2 || len(b) != 2 {
		return nil, fmt.Errorf("fun: %w", ErrMalformed)
	}
	return &cfgterm.Fun{Module: m, Function: f, Arity: int64(b[1])}, nil
}

// fromLatin1 returns the text whose codes are the bytes of s.
func fromLatin1(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			b := make([]rune, len(s))
			for i := range len(s) {
				b[i] = rune(s[i])
			}
			return string(b)
		}
	}
	return s
}

// sortPairs puts pairs into the order of their keys: Go's maps have none.
func sortPairs(p []cfgterm.Pair) {
	for i := 1; i < len(p); i++ {
		for j := i; j > 0 && cfgterm.Compare(p[j].Key, p[j-1].Key) < 0; j-- {
			p[j], p[j-1] = p[j-1], p[j]
		}
	}
}
