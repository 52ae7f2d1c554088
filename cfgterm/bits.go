package cfgterm

import (
	"encoding/binary"
	"math"
	"math/big"
	"unicode/utf16"
	"unicode/utf8"
)

// binaryOddity is a kind of binary that does not hold what it seems to.
type binaryOddity uint8

const (
	oddText binaryOddity = iota // non-ASCII text without /utf8
	oddCut                      // a number that does not fit into its bits
)

// bitWriter gathers the bits of a binary.
type bitWriter struct {
	b []byte
	n int // bits used of the last byte; 0 if all
}

func (w *bitWriter) reset() { w.b, w.n = w.b[:0], 0 }

// putByte writes the top n bits of c, 1 to 8.
func (w *bitWriter) putByte(c byte, n int) {
	c &= 0xFF << (8 - n)
	if w.n == 0 {
		w.b = append(w.b, c)
		w.n = n & 7
		return
	}
	w.b[len(w.b)-1] |= c >> w.n
	if w.n+n > 8 {
		w.b = append(w.b, c<<(8-w.n))
	}
	w.n = (w.n + n) & 7
}

// putBits writes the first n bits of b.
func (w *bitWriter) putBits(b []byte, n int64) {
	if w.n == 0 {
		w.b = append(w.b, b[:n/8]...)
	} else {
		for _, c := range b[:n/8] {
			w.putByte(c, 8)
		}
	}
	if n%8 != 0 {
		w.putByte(b[n/8], int(n%8))
	}
}

// putInt writes the low bits of v.
func (w *bitWriter) putInt(v, bits int64, little bool) {
	if bits == 8 && w.n == 0 {
		w.b = append(w.b, byte(v))
		return
	}
	if bits <= 64 {
		w.putUint(uint64(v), bits, little)
		return
	}
	w.putBig(big.NewInt(v), bits, little)
}

// putUint writes the low bits of v, at most 64.
func (w *bitWriter) putUint(v uint64, bits int64, little bool) {
	if bits == 0 {
		return
	}
	var b [8]byte
	if little {
		binary.LittleEndian.PutUint64(b[:], v)
		if r := bits % 8; r != 0 {
			b[bits/8] <<= 8 - r
		}
	} else {
		binary.BigEndian.PutUint64(b[:], v<<(64-bits))
	}
	w.putBits(b[:], bits)
}

// putBig writes the low bits of v, in two's complement if it is negative.
func (w *bitWriter) putBig(v *big.Int, bits int64, little bool) {
	if bits == 0 {
		return
	}
	m := new(big.Int).Lsh(big.NewInt(1), uint(bits))
	m.Mod(v, m) // Euclidean: never negative
	n := (bits + 7) / 8
	b := m.FillBytes(make([]byte, n))
	if r := uint(bits % 8); little {
		for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
		if r != 0 {
			b[n-1] <<= 8 - r
		}
	} else if r != 0 {
		for i := range b {
			b[i] <<= 8 - r
			if i+1 < len(b) {
				b[i] |= b[i+1] >> r
			}
		}
	}
	w.putBits(b, bits)
}

// putRune writes a character in one of the Unicode encodings.
func (w *bitWriter) putRune(r rune, kind string, little bool) {
	switch kind {
	case "utf8":
		var b [utf8.UTFMax]byte
		n := utf8.EncodeRune(b[:], r)
		w.putBits(b[:n], int64(n)*8)
	case "utf16":
		if r < 0x10000 {
			w.putUint(uint64(r), 16, little)
			return
		}
		hi, lo := utf16.EncodeRune(r)
		w.putUint(uint64(hi), 16, little)
		w.putUint(uint64(lo), 16, little)
	default:
		w.putUint(uint64(r), 32, little)
	}
}

// floatBits returns f in the IEEE format of 16, 32 or 64 bits.
func floatBits(f float64, bits int64) uint64 {
	switch bits {
	case 64:
		return math.Float64bits(f)
	case 32:
		return uint64(math.Float32bits(float32(f)))
	}
	return uint64(halfBits(f))
}

// halfBits rounds f to the nearest half-precision number, ties to even.
func halfBits(f float64) uint16 {
	sign := uint16(math.Float64bits(f)>>48) & 0x8000
	f = math.Abs(f)
	switch {
	case f >= 65520:
		return sign | 0x7C00
	case f < 0x1p-14: // subnormal: multiples of 2^-24
		return sign | uint16(math.RoundToEven(f*0x1p24))
	}
	frac, exp := math.Frexp(f)           // f = frac × 2^exp, frac in [0.5, 1)
	m := math.RoundToEven(frac * 0x1p11) // in [1024, 2048]; 2048 carries into the exponent
	return sign | (uint16(exp+14)<<10 + uint16(m) - 1024)
}
