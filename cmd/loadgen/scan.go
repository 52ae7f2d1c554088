//go:build linux

package main

import "bytes"

type token uint8

const (
	needMore    token = iota // more input is wanted
	stanza                   // a whole child of the stream
	streamOpen               // <stream:stream ...>
	streamClose              // </stream:stream>
)

// A scanner cuts a stream into stanzas without copying: what scan returns is
// valid until room is called. It trusts the server to send well-formed XML
// without CDATA and comments.
type scanner struct {
	buf   []byte
	r, w  int // unread input is buf[r:w]
	pos   int // where scanning goes on
	depth int
}

func newScanner(size int) scanner { return scanner{buf: make([]byte, size)} }

// restart forgets all input: a new stream follows.
func (s *scanner) restart() { s.r, s.w, s.pos, s.depth = 0, 0, 0, 0 }

// room returns where to read to, at least one byte.
func (s *scanner) room() []byte {
	switch {
	case s.r == s.w:
		s.r, s.w, s.pos = 0, 0, 0
	case s.w == len(s.buf) && s.r > 0:
		s.w = copy(s.buf, s.buf[s.r:s.w])
		s.pos -= s.r
		s.r = 0
	}
	if s.w == len(s.buf) {
		s.resize(max(2*len(s.buf), 1024))
	}
	return s.buf[s.w:]
}

// resize changes the size of the buffer, but never below what is in it.
func (s *scanner) resize(size int) {
	b := make([]byte, max(size, s.w-s.r))
	s.w = copy(b, s.buf[s.r:s.w])
	s.pos -= s.r
	s.r, s.buf = 0, b
}

// scan returns the next token and, unless more is needed, its bytes.
func (s *scanner) scan() ([]byte, token) {
	b := s.buf[:s.w]
	for p := s.pos; ; {
		i := bytes.IndexByte(b[p:], '<')
		if i < 0 {
			s.pos = s.w
			if s.depth == 0 {
				s.r = s.w
			}
			return nil, needMore
		}
		i += p
		end := tagEnd(b, i)
		if end < 0 {
			s.pos = i
			if s.depth == 0 {
				s.r = i
			}
			return nil, needMore
		}
		p = end
		if s.depth == 0 {
			s.r = i
		}
		switch {
		case b[i+1] == '?':
			if s.depth == 0 {
				s.r = p
			}
			continue
		case b[i+1] == '/' && s.depth == 0:
			s.r, s.pos = p, p
			return b[i:p], streamClose
		case b[i+1] == '/':
			s.depth--
		case b[p-2] == '/':
		case s.depth == 0 && bytes.HasPrefix(b[i:], streamTag):
			s.r, s.pos = p, p
			return b[i:p], streamOpen
		default:
			s.depth++
		}
		if s.depth == 0 {
			st := b[s.r:p]
			s.r, s.pos = p, p
			return st, stanza
		}
	}
}

var streamTag = []byte("<stream:stream")

// tagEnd returns the index behind the tag that begins at b[i], or -1 if its end
// is not there. Quoted values may hold '>'.
func tagEnd(b []byte, i int) int {
	for j := i + 1; j < len(b); j++ {
		switch c := b[j]; c {
		case '>':
			return j + 1
		case '\'', '"':
			k := bytes.IndexByte(b[j+1:], c)
			if k < 0 {
				return -1
			}
			j += k + 1
		}
	}
	return -1
}

// attr returns the value of an attribute of the start tag of st, as written; nil
// if it is absent.
func attr(st []byte, name string) []byte {
	for j := 1; j < len(st) && st[j] != '>'; j++ {
		c := st[j]
		if c != '\'' && c != '"' {
			continue
		}
		k := bytes.IndexByte(st[j+1:], c)
		if k < 0 {
			return nil
		}
		key := st[:j]
		if n := len(key) - len(name) - 1; n > 0 && key[len(key)-1] == '=' && isBlank(key[n-1]) && string(key[n:len(key)-1]) == name {
			return st[j+1 : j+1+k]
		}
		j += k + 1
	}
	return nil
}

func isBlank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// between returns what stands between two marks, nil if they are not there.
func between(b []byte, from, to string) []byte {
	_, b, ok := bytes.Cut(b, []byte(from))
	if !ok {
		return nil
	}
	b, _, ok = bytes.Cut(b, []byte(to))
	if !ok {
		return nil
	}
	return b
}

// text returns the characters behind the start tag.
func text(st []byte) []byte { return between(st, ">", "<") }

const hexDigits = "0123456789abcdef"

// putHex writes v into all of b.
func putHex(b []byte, v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = hexDigits[v&15]
		v >>= 4
	}
}

func getHex(b []byte) (v uint64, ok bool) {
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}
