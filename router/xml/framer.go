package xml

import (
	"bytes"
	"math"
	"strings"
	"sync"
)

// A Mode says what the top level of the input is.
type Mode uint8

const (
	// Stream: one document; its root start tag, the elements below it and its
	// end tag are tokens of their own (RFC 6120; a BOSH body is read so too).
	Stream Mode = iota
	// Documents: a sequence of complete elements without a root around them
	// (RFC 7395).
	Documents
)

// Limits bounds what a peer can make a Framer do. The zero Limits are the
// hard cap of LimitsFor(0).
type Limits struct {
	// Bytes is the largest length of one element, start tag or declaration as
	// it arrives, with all its white space and comments. 0 means 10 MiB.
	Bytes int
	// Depth is the largest nesting below a top-level element. 0 means
	// DefaultDepth.
	Depth int
}

// hardCap bounds elements where max_stanza_size does not.
const hardCap = 10 << 20

// LimitsFor returns the limits that go with a max_stanza_size in bytes, 0 for
// none: four times of it, since what arrives may hold white space and
// comments that max_stanza_size does not count, and at least 4 KiB.
func LimitsFor(maxStanzaSize int) Limits {
	if maxStanzaSize <= 0 || maxStanzaSize > hardCap {
		return Limits{Bytes: max(maxStanzaSize, hardCap)}
	}
	return Limits{Bytes: max(4*maxStanzaSize, 4<<10)}
}

// Kind is what a Token is.
type Kind uint8

const (
	// None: more input is needed.
	None Kind = iota
	// Open: the start tag of the root. Raw is the tag.
	Open
	// Whole: one complete element. Raw is all of it.
	Whole
	// Close: the end tag of the root. What follows is ignored until Reset.
	Close
	// Space: the pushed bytes were white space between elements and nothing
	// else, which peers send to keep a connection alive.
	Space
)

func (k Kind) String() string {
	return [...]string{"None", "Open", "Whole", "Close", "Space"}[k]
}

// A Token is a piece of the stream. Raw is valid until the next call of any
// method of the Framer and until the caller reuses the pushed bytes.
type Token struct {
	Kind Kind
	Raw  []byte
}

// state is where in the grammar the next unread byte stands.
type state uint8

const (
	inText    state = iota
	inMarkup        // at "<"
	inTag           // inside a start tag, outside quotes
	inQuote         // inside a quoted value of a start tag
	inEnd           // inside an end tag
	inComment       // behind "<!--"
	inCDATA         // behind "<![CDATA["
	inPI            // behind "<?"
	inEpilog        // behind the end of the root
)

// span is a part of the element under way, counted from its first byte.
type span struct{ from, to int32 }

// A Framer cuts a stream of bytes into tokens. It checks as much of the syntax
// as it needs for that: tags nest and match, names begin like names, no
// document type stands anywhere; the Scanner checks the rest of an element. It
// holds no buffer while no element is under way.
//
// A Framer is not safe for concurrent use and must not be copied. The zero
// Framer is ready for a Stream with default limits.
type Framer struct {
	limits Limits
	mode   Mode
	state  state
	quote  byte
	bom    uint8  // how much of a byte order mark was seen: 0 to 3
	opened bool   // the root is open
	prolog bool   // markup stood before the root: no XML declaration may follow
	lone   bool   // nothing but white space since Push
	ended  bool   // the root was an empty element: Close comes next
	root   string // name of the root

	src   []byte // what is being read: the pushed bytes, or (the end of) buf
	pos   int    // the next byte of src to look at
	start int    // where the element, tag or declaration under way begins
	tag   int    // where the markup under way begins
	depth int    // how many elements are open inside the root
	names []span // their names, counted from start
	first [8]span

	buf *[]byte // holds src if something did not end in one push
	err error
}

// NewFramer returns a Framer. Limits left zero take their defaults.
func NewFramer(mode Mode, limits Limits) *Framer {
	return &Framer{mode: mode, limits: limits}
}

// Init makes f as NewFramer would return it, for Framers inside other structs.
func (f *Framer) Init(mode Mode, limits Limits) {
	f.release()
	*f = Framer{mode: mode, limits: limits}
}

// SetLimits changes the limits from the next token on.
func (f *Framer) SetLimits(limits Limits) { f.limits = limits }

func (f *Framer) maxBytes() int {
	if f.limits.Bytes > 0 {
		return min(f.limits.Bytes, math.MaxInt32)
	}
	return hardCap
}

func (f *Framer) maxDepth() int {
	if f.limits.Depth > 0 {
		return f.limits.Depth
	}
	return DefaultDepth
}

// buffers holds buffers for elements that come in several reads.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

// keepBuffer is the largest buffer that is kept for reuse.
const keepBuffer = 64 << 10

func (f *Framer) release() {
	if f.buf != nil {
		if cap(*f.buf) <= keepBuffer {
			*f.buf = (*f.buf)[:0]
			buffers.Put(f.buf)
		}
		f.buf = nil
	}
}

// Push gives f bytes that were read. Tokens found in them point into them, so
// the caller keeps them unchanged until Next has returned None or an error; it
// must not call Push again before that.
func (f *Framer) Push(data []byte) {
	if len(data) == 0 {
		return
	}
	if f.pos < len(f.src) && (f.buf == nil || len(f.src) != len(*f.buf)) {
		f.keep() // after Reset
	}
	f.lone = f.depth == 0 && f.state == inText
	if f.buf == nil {
		f.src, f.pos, f.start, f.tag = data, 0, 0, 0
		return
	}
	*f.buf = append(*f.buf, data...)
	f.src = *f.buf
}

// Unread returns the bytes that were pushed and are not part of a token
// returned so far. They are valid as long as a Token's.
func (f *Framer) Unread() []byte {
	if f.depth == 0 && (f.state == inText || f.state == inEpilog) {
		return f.src[f.pos:]
	}
	return f.src[f.start:]
}

// Reset expects a new stream: the next token is Open again. Bytes that were
// pushed and are not part of a token yet are read as the begin of it, so the
// caller goes on calling Next. It is the restart after SASL and compression.
func (f *Framer) Reset() {
	*f = Framer{mode: f.mode, limits: f.limits, src: f.Unread(), lone: f.lone, buf: f.buf}
}

// Discard forgets all bytes that were pushed and are not part of a token, and
// expects a new stream. A server calls it when it switches on TLS: what came
// in clear behind <starttls/> must not be read as if it had been encrypted
// (RFC 6120 §5.4.3.3).
func (f *Framer) Discard() { f.Init(f.mode, f.limits) }

// Pending tells whether an element, tag or declaration has begun and not
// ended. It is meaningful after Next has returned None.
func (f *Framer) Pending() bool { return f.buf != nil }

// Closed tells whether the root has ended.
func (f *Framer) Closed() bool { return f.state == inEpilog }

// Next returns the next token, or None when all that was pushed is used up.
// The error is an *Error; once there was one, Next goes on returning it.
func (f *Framer) Next() (Token, error) {
	if f.err != nil {
		return Token{}, f.err
	}
	tok, err := f.next()
	if err != nil {
		f.err = err
		f.release()
		f.src, f.pos, f.start = nil, 0, 0
		return Token{}, err
	}
	return tok, nil
}

func (f *Framer) next() (Token, error) {
	if f.ended {
		f.ended = false
		f.state = inEpilog
		return Token{Kind: Close, Raw: f.src[f.pos:f.pos]}, nil
	}
	src, i := f.src, f.pos
	for i < len(src) {
		switch f.state {
		case inText:
			if f.depth > 0 {
				j := bytes.IndexByte(src[i:], '<')
				if j < 0 {
					return f.suspend(len(src))
				}
				i += j
			} else {
				for i < len(src) && isSpace(src[i]) {
					i++
				}
				if i == len(src) {
					return f.suspend(i)
				}
				f.lone = false
				if src[i] != '<' {
					if !f.opened {
						if err := f.outside(src[i]); err != nil {
							return Token{}, err
						}
						i++
						continue
					}
					// Text between stanzas is ignored.
					j := bytes.IndexByte(src[i:], '<')
					if j < 0 {
						return f.suspend(len(src))
					}
					i += j
				}
				f.start = i
			}
			f.tag = i
			f.state = inMarkup

		case inMarkup: // the "<" is at f.tag, and i at or behind it
			if f.tag+1 == len(src) {
				return f.suspend(f.tag + 1)
			}
			switch c := src[f.tag+1]; {
			case c == '/':
				f.state, i = inEnd, f.tag+2
			case c == '!':
				next, n := f.declaration(src[f.tag:])
				if n < 0 {
					return Token{}, malformed("declaration inside a stream", f.tag-f.start)
				}
				if n == 0 {
					return f.suspend(len(src))
				}
				f.state, i = next, f.tag+n
			case c == '?':
				f.state, i = inPI, f.tag+2
			case nameClass[c]&nameStart != 0 && c != ':':
				f.state, i = inTag, f.tag+2
			default:
				return Token{}, malformed("no name behind <", f.tag-f.start)
			}

		case inTag:
			for i < len(src) && tagStop[src[i]] == 0 {
				i++
			}
			if i == len(src) {
				return f.suspend(i)
			}
			switch c := src[i]; c {
			case '>':
				i++
				f.pos, f.state = i, inText
				if kind, err := f.startTag(i); kind != None || err != nil {
					return Token{Kind: kind, Raw: src[f.start:i]}, err
				}
			case '<':
				return Token{}, malformed("< inside a tag", i-f.start)
			default:
				f.quote, f.state = c, inQuote
				i++
			}

		case inQuote:
			j := bytes.IndexByte(src[i:], f.quote)
			if j < 0 {
				return f.suspend(len(src))
			}
			i += j + 1
			f.state = inTag

		case inEnd:
			j := bytes.IndexByte(src[i:], '>')
			if j < 0 {
				return f.suspend(len(src))
			}
			i += j + 1
			f.pos, f.state = i, inText
			if kind, err := f.endTag(i); kind != None || err != nil {
				return Token{Kind: kind, Raw: src[f.start:i]}, err
			}

		case inComment:
			j := bytes.Index(src[i:], []byte("--"))
			switch {
			case j >= 0 && i+j+2 < len(src):
				if src[i+j+2] != '>' {
					return Token{}, malformed("-- inside a comment", i+j-f.start)
				}
				i += j + 3
				f.state = inText
				f.prolog = f.prolog || !f.opened && f.mode == Stream
			case j >= 0:
				return f.suspend(i + j)
			case src[len(src)-1] == '-':
				return f.suspend(len(src) - 1)
			default:
				return f.suspend(len(src))
			}

		case inCDATA:
			j := bytes.Index(src[i:], []byte("]]>"))
			if j < 0 {
				return f.suspend(max(i, len(src)-2))
			}
			i += j + 3
			f.state = inText

		case inPI:
			j := bytes.Index(src[i:], []byte("?>"))
			if j < 0 {
				return f.suspend(max(i, len(src)-1))
			}
			i += j + 2
			f.state = inText
			if err := f.instruction(string(src[f.tag+2 : i-2])); err != nil {
				return Token{}, err
			}

		case inEpilog:
			i = len(src)
		}
	}
	return f.suspend(i)
}

// suspend ends a round: the input is used up, and the next byte to look at is
// at i. What is unfinished moves to the buffer.
func (f *Framer) suspend(i int) (Token, error) {
	if f.depth == 0 && (f.state == inText || f.state == inEpilog) {
		space := f.lone && f.state == inText && i > 0
		f.release()
		f.src, f.pos, f.lone = nil, 0, false
		if space {
			return Token{Kind: Space}, nil
		}
		return Token{}, nil
	}
	if len(f.src)-f.start > f.maxBytes() {
		return Token{}, errTooBig
	}
	f.pos = i
	f.keep()
	return Token{}, nil
}

// keep moves what is unfinished, from start on, to the begin of the buffer.
func (f *Framer) keep() {
	switch {
	case f.buf == nil:
		f.buf = buffers.Get().(*[]byte)
		*f.buf = append((*f.buf)[:0], f.src[f.start:]...)
	case len(f.src) != len(*f.buf) || f.start > 0:
		n := copy(*f.buf, f.src[f.start:])
		*f.buf = (*f.buf)[:n]
	}
	f.src = *f.buf
	f.pos -= f.start
	f.tag -= f.start
	f.start = 0
}

// outside judges a byte that stands before the root and is neither white space
// nor "<". The byte order mark of UTF-8 may stand there once, as expat has it.
func (f *Framer) outside(c byte) error {
	switch {
	case f.prolog || f.mode == Documents:
	case f.bom < 3 && c == "\xEF\xBB\xBF"[f.bom]:
		f.bom++
		return nil
	case c >= 0xFE && f.bom == 0:
		return &Error{kind: ErrEncoding, reason: "byte order mark of UTF-16"}
	}
	return malformed("text outside the root element", 0)
}

// declaration finds out what begins with "<!" at the begin of b, and how many
// bytes the opening takes: 0 if b is too short to tell, -1 if it is refused,
// above all a document type.
func (f *Framer) declaration(b []byte) (next state, n int) {
	const comment, cdata = "<!--", "<![CDATA["
	want, next := comment, inComment
	if len(b) > 2 && b[2] == '[' && f.depth > 0 {
		want, next = cdata, inCDATA
	}
	switch n = min(len(b), len(want)); {
	case string(b[:n]) != want[:n]:
		return next, -1
	case n < len(want):
		return next, 0
	default:
		return next, n
	}
}

// instruction checks what stands between "<?" and "?>". The XML declaration
// may stand before the root only, with nothing but white space before it; the
// recommendation allows no white space either, but clients send some to keep
// the connection alive while they wait.
func (f *Framer) instruction(s string) error {
	n := 0
	for n < len(s) && nameClass[s[n]]&nameByte != 0 {
		n++
	}
	target := s[:n]
	if n == 0 || nameClass[s[0]]&nameStart == 0 || strings.IndexByte(target, ':') >= 0 || n < len(s) && !isSpace(s[n]) {
		return malformed("processing instruction without a target", f.tag-f.start)
	}
	if strings.EqualFold(target, "xml") {
		if target != "xml" || f.depth > 0 || f.opened || f.prolog {
			return malformed("XML declaration inside the document", f.tag-f.start)
		}
		if err := checkDeclaration(s[n:]); err != nil {
			return err
		}
	}
	f.prolog = f.prolog || !f.opened && f.mode == Stream
	return nil
}

// checkDeclaration checks what follows "<?xml": version, encoding and
// standalone in this order, the first one required.
func checkDeclaration(s string) error {
	bad := func(reason string) error { return malformed(reason, 0) }
	for last := ""; ; {
		t := strings.TrimLeft(s, " \t\r\n")
		if t == "" {
			if last == "" {
				return bad("XML declaration without a version")
			}
			return nil
		}
		name, rest, ok := strings.Cut(t, "=")
		name = strings.TrimRight(name, " \t\r\n")
		rest = strings.TrimLeft(rest, " \t\r\n")
		if !ok || len(t) == len(s) || rest == "" || rest[0] != '\'' && rest[0] != '"' {
			return bad("bad XML declaration")
		}
		value, after, ok := strings.Cut(rest[1:], rest[:1])
		if !ok {
			return bad("bad XML declaration")
		}
		switch {
		case name == "version" && last == "":
			minor, ok := strings.CutPrefix(value, "1.")
			if !ok || minor == "" || strings.Trim(minor, "0123456789") != "" {
				return bad("XML version is not 1.0")
			}
		case name == "encoding" && last == "version":
			if !strings.EqualFold(value, "UTF-8") {
				return &Error{kind: ErrEncoding, reason: "declared encoding is not UTF-8"}
			}
		case name == "standalone" && (last == "version" || last == "encoding") && (value == "yes" || value == "no"):
		default:
			return bad("bad XML declaration")
		}
		last, s = name, after
	}
}

// startTag handles the start tag that ends before end and returns the kind of
// token that it completes.
func (f *Framer) startTag(end int) (Kind, error) {
	if end-f.start > f.maxBytes() {
		return None, errTooBig
	}
	from := f.tag + 1
	to := from
	for nameClass[f.src[to]]&nameByte != 0 {
		to++
	}
	if c := f.src[to]; c != '>' && c != '/' && !isSpace(c) {
		return None, malformed("bad name of an element", from-f.start)
	}
	empty := f.src[end-2] == '/'
	switch {
	case f.depth == 0 && !f.opened && f.mode == Stream:
		if f.bom%3 != 0 {
			return None, malformed("text outside the root element", 0)
		}
		f.opened, f.ended = !empty, empty
		f.root = string(f.src[from:to])
		return Open, nil
	case empty && f.depth == 0:
		return Whole, nil
	case empty:
		return None, nil
	case f.depth > f.maxDepth():
		return None, &Error{kind: ErrTooDeep, reason: "too many open elements", offset: f.tag - f.start}
	}
	if f.names == nil {
		f.names = f.first[:0]
	}
	f.names = append(f.names, span{int32(from - f.start), int32(to - f.start)})
	f.depth++
	return None, nil
}

// endTag handles the end tag that ends before end and returns the kind of
// token that it completes.
func (f *Framer) endTag(end int) (Kind, error) {
	if end-f.start > f.maxBytes() {
		return None, errTooBig
	}
	name := f.src[f.tag+2 : end-1]
	for len(name) > 0 && isSpace(name[len(name)-1]) {
		name = name[:len(name)-1]
	}
	if f.depth == 0 {
		if !f.opened || string(name) != f.root {
			return None, malformed("end tag without a start tag", f.tag-f.start)
		}
		f.opened = false
		f.state = inEpilog
		return Close, nil
	}
	open := f.names[f.depth-1]
	if string(name) != string(f.src[f.start+int(open.from):f.start+int(open.to)]) {
		return None, malformed("end tag does not match", f.tag-f.start)
	}
	f.depth--
	f.names = f.names[:f.depth]
	if f.depth > 0 {
		return None, nil
	}
	if cap(f.names) > 64 {
		f.names = nil // one deep element must not cost memory for ever
	}
	return Whole, nil
}
