// Package jid holds XMPP addresses and prepares them. It is jid.erl of
// MongooseIM 2.0.1: parsing as there, preparation by the stringprep profiles
// of RFC 3920 (nodeprep, nameprep, resourceprep) over Unicode 3.2, not by
// PRECIS: two alphabets would be two accounts.
//
//	alice, err := jid.Parse("Alice@Example.org/Home")
//	alice.String()      // "alice@example.org/Home"
//	alice.Bare() == bob // addresses are compared with ==
//
// Deviations from the reference: an address keeps its prepared form only, so
// what goes over the wire is prepared; a domain that preparation turns into
// text with "@" or "/" (from full-width forms), or into nothing, is refused,
// since it would read back as another address; a local part that preparation
// empties is refused. A resource that preparation empties is no resource, like
// a trailing slash.
//
// It imports no package of Meerkat.
package jid

import (
	"fmt"
	"strings"
)

// A JID is a prepared address: [local@]domain[/resource]. It is immutable,
// comparable with == and a map key. The zero JID is no address.
type JID struct {
	s      string // the whole address
	domain uint16 // where the domain begins in s: 0 or len(local)+1
	bare   uint16 // length of the bare address
}

// Parse reads an address and prepares its parts. It refuses an empty text, a
// leading "@" or "/", a second "@" before the first "/", an empty domain, and
// parts that preparation refuses or that are longer than MaxPart bytes; the
// error wraps ErrSyntax, ErrEmpty, ErrTooLong, ErrProhibited or ErrBidi. A
// trailing "/" with nothing behind it is dropped. If s is prepared ASCII, the
// JID shares its memory and nothing is allocated.
func Parse(s string) (JID, error) {
	local, domain, resource := "", s, ""
	slash := strings.IndexByte(s, '/')
	if slash >= 0 {
		domain, resource = s[:slash], s[slash+1:]
	}
	if at := strings.IndexByte(domain, '@'); at >= 0 {
		local, domain = domain[:at], domain[at+1:]
		if at == 0 || strings.IndexByte(domain, '@') >= 0 {
			return JID{}, parseError("address", ErrSyntax)
		}
	}
	if domain == "" {
		return JID{}, parseError("domain", ErrEmpty)
	}
	l, d, r, err := prepare(local, domain, resource)
	if err != nil {
		return JID{}, err
	}
	if same(l, local) && same(d, domain) && same(r, resource) {
		if r == "" {
			s = strings.TrimSuffix(s, "/")
		}
		return at(s, l, d), nil
	}
	return join(l, d, r), nil
}

// New makes an address from parts that it prepares. Only domain is required.
// The errors are Parse's; separators inside local or domain are refused.
func New(local, domain, resource string) (JID, error) {
	if strings.ContainsAny(domain, "@/") {
		return JID{}, parseError("domain", ErrSyntax)
	}
	if domain == "" {
		return JID{}, parseError("domain", ErrEmpty)
	}
	l, d, r, err := prepare(local, domain, resource)
	if err != nil {
		return JID{}, err
	}
	return join(l, d, r), nil
}

// MustParse is Parse for constants: it panics if s is no address.
func MustParse(s string) JID {
	j, err := Parse(s)
	if err != nil {
		panic(err)
	}
	return j
}

func parseError(what string, err error) error { return fmt.Errorf("read %s: %w", what, err) }

// same tells whether preparation left a part as it was. Comparing short texts
// costs less than carrying a flag through all profiles.
func same(a, b string) bool { return len(a) == len(b) && a == b }

func prepare(local, domain, resource string) (l, d, r string, err error) {
	if l, err = nodeprep.prepare(local); err != nil {
		return "", "", "", parseError("local part", err)
	}
	if local != "" && l == "" {
		return "", "", "", parseError("local part", ErrEmpty)
	}
	if d, err = nameprep.prepare(domain); err != nil {
		return "", "", "", parseError("domain", err)
	}
	if d == "" {
		return "", "", "", parseError("domain", ErrEmpty)
	}
	if !same(d, domain) && strings.ContainsAny(d, "@/") {
		return "", "", "", parseError("domain", ErrProhibited)
	}
	if r, err = resourceprep.prepare(resource); err != nil {
		return "", "", "", parseError("resource", err)
	}
	return l, d, r, nil
}

// at makes the JID whose text is s, with the given lengths of parts.
func at(s, local, domain string) JID {
	j := JID{s: s}
	if local != "" {
		j.domain = uint16(len(local) + 1)
	}
	j.bare = j.domain + uint16(len(domain))
	return j
}

func join(local, domain, resource string) JID {
	var b strings.Builder
	b.Grow(len(local) + len(domain) + len(resource) + 2)
	if local != "" {
		b.WriteString(local)
		b.WriteByte('@')
	}
	b.WriteString(domain)
	if resource != "" {
		b.WriteByte('/')
		b.WriteString(resource)
	}
	return at(b.String(), local, domain)
}

// String returns the whole address, "" for the zero JID. It does not allocate.
func (j JID) String() string { return j.s }

// Local returns the part before "@", "" if there is none.
func (j JID) Local() string {
	if j.domain == 0 {
		return ""
	}
	return j.s[:j.domain-1]
}

// Domain returns the domain, "" only for the zero JID.
func (j JID) Domain() string { return j.s[j.domain:j.bare] }

// Resource returns the part after the first "/", "" if there is none.
func (j JID) Resource() string {
	if j.IsBare() {
		return ""
	}
	return j.s[j.bare+1:]
}

// Bare returns the address without its resource. It does not allocate.
func (j JID) Bare() JID {
	j.s = j.s[:j.bare]
	return j
}

// BareString returns the text of the address without its resource. It does
// not allocate.
func (j JID) BareString() string { return j.s[:j.bare] }

// DomainJID returns the address of the domain alone. It does not allocate.
func (j JID) DomainJID() JID {
	return JID{s: j.Domain(), bare: j.bare - j.domain}
}

// IsBare tells whether there is no resource. The zero JID is bare.
func (j JID) IsBare() bool { return len(j.s) == int(j.bare) }

// IsDomain tells whether the address is a domain and nothing else.
func (j JID) IsDomain() bool { return j.bare > 0 && j.domain == 0 && j.IsBare() }

// IsZero tells whether there is no address.
func (j JID) IsZero() bool { return j.bare == 0 }

// WithResource returns the address with another resource, which must come from
// Resourceprep or from another JID; "" gives the bare address. A resource
// longer than MaxPart is a programmer's mistake and panics.
func (j JID) WithResource(prepared string) JID {
	if prepared == "" {
		return j.Bare()
	}
	if len(prepared) > MaxPart {
		panic("jid: resource is " + ErrTooLong.Error())
	}
	return JID{s: j.s[:j.bare] + "/" + prepared, domain: j.domain, bare: j.bare}
}

// Equal tells whether two addresses are the same. It is ==, for packages that
// compare by method.
func (j JID) Equal(k JID) bool { return j == k }

// Clone returns the address in memory of its own. An address that Parse made
// from a stanza's attribute keeps the whole stanza in memory; what is kept
// longer than the stanza is cloned.
func (j JID) Clone() JID {
	j.s = strings.Clone(j.s)
	return j
}

// MarshalText implements encoding.TextMarshaler.
func (j JID) MarshalText() ([]byte, error) { return []byte(j.s), nil }

// UnmarshalText implements encoding.TextUnmarshaler. An empty text gives the
// zero JID; the errors are Parse's.
func (j *JID) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*j = JID{}
		return nil
	}
	k, err := Parse(string(b))
	if err != nil {
		return err
	}
	*j = k
	return nil
}
