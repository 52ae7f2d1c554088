package xml

import "errors"

// The kinds of mistakes in a peer's XML, for errors.Is. Each *Error wraps one.
var (
	// ErrNotWellFormed tells that the input is no XML, or XML that streams
	// must not hold (RFC 6120 §4.9.3.25 and §11.1).
	ErrNotWellFormed = errors.New("xml not well-formed")
	// ErrTooBig tells that an element or tag is longer than allowed.
	ErrTooBig = errors.New("xml element too big")
	// ErrTooDeep tells that elements are nested too deeply, or that too many
	// prefixes are bound at one place.
	ErrTooDeep = errors.New("xml element too deep")
	// ErrEncoding tells that the input claims to be something but UTF-8
	// (RFC 6120 §4.9.3.22 and §11.6).
	ErrEncoding = errors.New("xml encoding not supported")
)

// An Error is a mistake in a peer's XML. It says which stream error answers
// it.
type Error struct {
	kind   error
	reason string // for the log; holds no input
	offset int
}

// Error returns the kind and what is wrong, without any of the input.
func (e *Error) Error() string { return e.kind.Error() + ": " + e.reason }

// Unwrap returns the kind: ErrNotWellFormed, ErrTooBig, ErrTooDeep or
// ErrEncoding.
func (e *Error) Unwrap() error { return e.kind }

// Offset returns the byte at which the mistake was seen, counted from the
// start of the element, or of the header, that holds it.
func (e *Error) Offset() int { return e.offset }

// Condition returns the stream error condition to send: "xml-not-well-formed",
// "policy-violation" or "unsupported-encoding".
func (e *Error) Condition() string {
	switch e.kind {
	case ErrTooBig, ErrTooDeep:
		return "policy-violation"
	case ErrEncoding:
		return "unsupported-encoding"
	default:
		return "xml-not-well-formed"
	}
}

// Text returns the text that goes with the condition, "" for none. The wording
// for elements over the limit is the reference's.
func (e *Error) Text() string {
	switch e.kind {
	case ErrTooBig:
		return "XML stanza is too big"
	case ErrTooDeep:
		return "XML stanza is nested too deeply"
	default:
		return ""
	}
}

// TooBig returns the error for an element whose canonical size is over
// max_stanza_size, for callers that check it themselves.
func TooBig() *Error { return errTooBig }

var errTooBig = &Error{kind: ErrTooBig, reason: "over the limit"}

func malformed(reason string, offset int) *Error {
	return &Error{kind: ErrNotWellFormed, reason: reason, offset: offset}
}
