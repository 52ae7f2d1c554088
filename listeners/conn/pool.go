package conn

import "sync"

// Sizes of buffers. A connection starts with a small one each time it becomes
// active and changes to a large one when it fills it: a small one alone halves
// the rate under load, a large one alone costs memory when many owners wait
// for something else with their buffer in hand.
const (
	smallBuf = 4 << 10
	largeBuf = 16 << 10
)

var (
	smallBufs = sync.Pool{New: func() any { return new([smallBuf]byte) }}
	largeBufs = sync.Pool{New: func() any { return new([largeBuf]byte) }}
)

func takeBuf(large bool) []byte {
	if large {
		return largeBufs.Get().(*[largeBuf]byte)[:]
	}
	return smallBufs.Get().(*[smallBuf]byte)[:]
}

// putBuf gives back a buffer of takeBuf in its full length.
func putBuf(b []byte) {
	if len(b) == largeBuf {
		largeBufs.Put((*[largeBuf]byte)(b))
	} else {
		smallBufs.Put((*[smallBuf]byte)(b))
	}
}
