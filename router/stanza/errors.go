package stanza

import (
	"errors"
	"strconv"

	"meerkat/router/xml"
)

// An Error is a stanza error (RFC 6120 §8.3). It goes to the peer; as a Go
// error it is what a handler returns to have it sent. Errors are shared and
// never changed: the With methods return copies.
type Error struct {
	// Condition is the defined condition, "item-not-found".
	Condition string
	// Type is "auth", "cancel", "continue", "modify" or "wait".
	Type string
	// Code is the number of XEP-0086; 0 writes code='', as mod_mam does.
	Code int
	// Text is the explanation for people, "" for none.
	Text string
	// Address is the content of the conditions gone and redirect.
	Address string
	// Extra are application-specific conditions.
	Extra []*xml.Element
}

// The stanza errors of the reference, with its codes and types.
var (
	BadRequest             = &Error{Condition: "bad-request", Type: "modify", Code: 400}
	Conflict               = &Error{Condition: "conflict", Type: "cancel", Code: 409}
	FeatureNotImplemented  = &Error{Condition: "feature-not-implemented", Type: "cancel", Code: 501}
	Forbidden              = &Error{Condition: "forbidden", Type: "auth", Code: 403}
	Gone                   = &Error{Condition: "gone", Type: "modify", Code: 302}
	InternalServerError    = &Error{Condition: "internal-server-error", Type: "wait", Code: 500}
	ItemNotFound           = &Error{Condition: "item-not-found", Type: "cancel", Code: 404}
	JIDMalformed           = &Error{Condition: "jid-malformed", Type: "modify", Code: 400}
	NotAcceptable          = &Error{Condition: "not-acceptable", Type: "modify", Code: 406}
	NotAllowed             = &Error{Condition: "not-allowed", Type: "cancel", Code: 405}
	NotAuthorized          = &Error{Condition: "not-authorized", Type: "auth", Code: 401}
	PaymentRequired        = &Error{Condition: "payment-required", Type: "auth", Code: 402}
	RecipientUnavailable   = &Error{Condition: "recipient-unavailable", Type: "wait", Code: 404}
	Redirect               = &Error{Condition: "redirect", Type: "modify", Code: 302}
	RegistrationRequired   = &Error{Condition: "registration-required", Type: "auth", Code: 407}
	RemoteServerNotFound   = &Error{Condition: "remote-server-not-found", Type: "cancel", Code: 404}
	RemoteServerTimeout    = &Error{Condition: "remote-server-timeout", Type: "wait", Code: 504}
	ResourceConstraint     = &Error{Condition: "resource-constraint", Type: "wait", Code: 500}
	ServiceUnavailable     = &Error{Condition: "service-unavailable", Type: "cancel", Code: 503}
	SubscriptionRequired   = &Error{Condition: "subscription-required", Type: "auth", Code: 407}
	UnexpectedRequest      = &Error{Condition: "unexpected-request", Type: "wait", Code: 400}
	NotAcceptableCancel    = &Error{Condition: "not-acceptable", Type: "cancel", Code: 406}      // privacy lists and blocking
	ServiceUnavailableFull = &Error{Condition: "service-unavailable", Type: "wait", Code: 502}   // a room that is full
	UndefinedCondition     = &Error{Condition: "undefined-condition", Type: "modify", Code: 500} // XEP-0079
	UnexpectedRequestPub   = &Error{Condition: "unexpected-request", Type: "cancel", Code: 401}  // XEP-0060
	ArchiveNotAllowed      = &Error{Condition: "not-allowed", Type: "cancel"}                    // XEP-0313, code=''
	ArchivePolicyViolation = &Error{Condition: "policy-violation", Type: "modify"}               // XEP-0313, code=''
	ArchiveConstraint      = &Error{Condition: "resource-constraint", Type: "wait"}              // XEP-0313, code=''
)

// Error returns the condition and the text.
func (e *Error) Error() string {
	if e.Text == "" {
		return e.Condition
	}
	return e.Condition + ": " + e.Text
}

// Is makes errors.Is find an error of the same condition, type and code
// whatever its text.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Condition == e.Condition && t.Type == e.Type && t.Code == e.Code
}

// WithText returns e with a text.
func (e *Error) WithText(text string) *Error {
	c := *e
	c.Text = text
	return &c
}

// WithExtra returns e with application-specific conditions added.
func (e *Error) WithExtra(extra ...*xml.Element) *Error {
	c := *e
	c.Extra = append(c.Extra[:len(c.Extra):len(c.Extra)], extra...)
	return &c
}

// WithAddress returns e with the address that gone and redirect carry.
func (e *Error) WithAddress(uri string) *Error {
	c := *e
	c.Address = uri
	return &c
}

func (e *Error) code() string {
	if e.Code == 0 {
		return ""
	}
	return strconv.Itoa(e.Code)
}

// Element returns the <error/> element.
func (e *Error) Element() *xml.Element {
	el := xml.New("", "error").Set("code", e.code()).Set("type", e.Type).
		Add(xml.New(NSErrors, e.Condition).AddText(e.Address))
	if e.Text != "" {
		el.Add(xml.New(NSErrors, "text").AddText(e.Text))
	}
	return el.Add(e.Extra...)
}

// AppendTo appends the <error/> element.
func (e *Error) AppendTo(dst []byte) []byte { return e.Element().AppendTo(dst, NSClient) }

// A StreamError ends a stream (RFC 6120 §4.9).
type StreamError struct {
	// Condition is the defined condition, "policy-violation".
	Condition string
	// Text is the explanation for people, "" for none, and Lang its language:
	// the peer's xml:lang, which may be "".
	Text, Lang string
	// Address is the content of the condition see-other-host.
	Address string
	// Extra are application-specific conditions.
	Extra []*xml.Element
}

// FromXML returns the stream error that answers an error of package xml, and
// internal-server-error for any other.
func FromXML(err error, lang string) *StreamError {
	var x *xml.Error
	if errors.As(err, &x) {
		return &StreamError{Condition: x.Condition(), Text: x.Text(), Lang: lang}
	}
	return &StreamError{Condition: "internal-server-error", Lang: lang}
}

// Error returns the condition and the text.
func (e *StreamError) Error() string {
	if e.Text == "" {
		return "stream error " + e.Condition
	}
	return "stream error " + e.Condition + ": " + e.Text
}

// Element returns the <stream:error/> element. Its prefix is dropped by
// transports that write it otherwise.
func (e *StreamError) Element() *xml.Element {
	el := xml.New(NSStream, "error").Add(xml.New(NSStreamErrors, e.Condition).AddText(e.Address))
	el.Prefix = "stream"
	if e.Text != "" {
		el.Add(xml.New(NSStreamErrors, "text").Set("xml:lang", e.Lang).AddText(e.Text))
	}
	return el.Add(e.Extra...)
}

// AppendTo appends the element as it stands in a stream whose header binds the
// prefix "stream".
func (e *StreamError) AppendTo(dst []byte) []byte {
	return e.Element().AppendTo(dst, NSClient, xml.Binding{Prefix: "stream", Space: NSStream})
}
