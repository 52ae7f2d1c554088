package jid

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/xdg-go/stringprep"
	"golang.org/x/text/unicode/norm"
)

// MaxPart is the largest length of a prepared part in bytes (RFC 3920 §3.1;
// the reference refuses 1024 and more).
const MaxPart = 1023

// maxRaw bounds what is prepared at all: 1023 prepared bytes come from at most
// three times as many (full-width letters), the rest leaves room for
// characters that preparation removes.
const maxRaw = 4096

// The reasons why a part is refused. The errors of this package wrap one of
// them.
var (
	// ErrTooLong tells that a part has more than MaxPart bytes.
	ErrTooLong = errors.New("longer than 1023 bytes")
	// ErrProhibited tells that a part holds a character that its profile
	// forbids, one that Unicode 3.2 does not assign, or is not UTF-8.
	ErrProhibited = errors.New("forbidden character")
	// ErrBidi tells that a part mixes writing directions in a way that
	// RFC 3454 §6 forbids.
	ErrBidi = errors.New("mixed writing directions")
	// ErrEmpty tells that nothing is left of a part that must not be empty.
	ErrEmpty = errors.New("empty part")
	// ErrSyntax tells that the separators of an address are misplaced.
	ErrSyntax = errors.New("misplaced @ or /")
)

// A profile is one of RFC 3920's three, as properties of a code point.
type profile struct {
	name    string
	mark    mark // code points with one of these marks are refused
	fold    bool // table B.2 applies
	asciiOK *[128]bool
}

// mark classifies a code point for all three profiles.
type mark uint8

const (
	markAlways  mark = 1 << iota // A.1, C.1.2, C.2.2, C.3 to C.9: refused everywhere
	markSpace                    // C.1.1
	markControl                  // C.2.1
	markNode                     // RFC 3920 appendix A.5: " & ' / : < > @
	markRight                    // D.1
	markLeft                     // D.2
)

var (
	nodeprep = profile{
		name: "nodeprep", fold: true,
		mark: markAlways | markSpace | markControl | markNode,
	}
	nameprep     = profile{name: "nameprep", fold: true, mark: markAlways}
	resourceprep = profile{name: "resourceprep", mark: markAlways | markControl}
)

func init() {
	for _, p := range []*profile{&nodeprep, &nameprep, &resourceprep} {
		p.asciiOK = new([128]bool)
		for c := range p.asciiOK {
			p.asciiOK[c] = marks(rune(c))&p.mark == 0 && !(p.fold && 'A' <= c && c <= 'Z')
		}
	}
}

// always lists the tables that every profile forbids. A.1 is among them: what
// is compared with stored data must not hold code points that Unicode 3.2 does
// not assign (RFC 3454 §7), and ejabberd's stringprep, which the reference
// uses, refuses them for the same reason. Emoji are among them.
var always = [...]stringprep.Set{
	stringprep.TableA1, stringprep.TableC1_2, stringprep.TableC2_2, stringprep.TableC3,
	stringprep.TableC4, stringprep.TableC5, stringprep.TableC6, stringprep.TableC7,
	stringprep.TableC8, stringprep.TableC9,
}

// refused is the union of always.
var refused = merge(always[:])

func merge(sets []stringprep.Set) (all stringprep.Set) {
	for _, s := range sets {
		all = append(all, s...)
	}
	slices.SortFunc(all, func(a, b stringprep.RuneRange) int { return cmp.Compare(a[0], b[0]) })
	merged := all[:1]
	for _, r := range all[1:] {
		if last := &merged[len(merged)-1]; r[0] <= last[1]+1 {
			last[1] = max(last[1], r[1])
		} else {
			merged = append(merged, r)
		}
	}
	return slices.Clip(merged)
}

func marks(r rune) mark {
	var m mark
	if r < 0x80 {
		switch {
		case r == ' ':
			m = markSpace
		case r < ' ' || r == 0x7f:
			m = markControl
		case strings.ContainsRune(`"&'/:<>@`, r):
			m = markNode
		case 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z':
			m = markLeft
		}
		return m
	}
	if refused.Contains(r) {
		m |= markAlways
	}
	if stringprep.TableD1.Contains(r) {
		m |= markRight
	} else if stringprep.TableD2.Contains(r) {
		m |= markLeft
	}
	return m
}

// removed tells whether table B.1 removes r. The table at hand lacks U+1806.
func removed(r rune) bool {
	_, ok := stringprep.TableB1.Map(r)
	return ok || r == 0x1806
}

// decomp32 holds the decompositions that Unicode 4.0 corrected (corrigendum
// 4): RFC 3454 wants them as Unicode 3.2 had them.
var decomp32 = map[rune]rune{
	0x2F868: 0x2136A, 0x2F874: 0x5F33, 0x2F91F: 0x43AB, 0x2F95F: 0x7AAE, 0x2F9BF: 0x4D57,
}

// Nodeprep prepares the local part of an address (RFC 3920 appendix A). It
// allocates nothing if s is ASCII and prepared already. An empty s is fine.
// The error wraps ErrTooLong, ErrProhibited or ErrBidi.
func Nodeprep(s string) (string, error) { return nodeprep.prepare(s) }

// Nameprep prepares a domain (RFC 3491). No IDNA conversion takes place and
// spaces pass, as in the reference. Otherwise it is like Nodeprep.
func Nameprep(s string) (string, error) { return nameprep.prepare(s) }

// Resourceprep prepares a resource (RFC 3920 appendix B). MongooseIM 2.0.1
// also uses it for SCRAM passwords. Otherwise it is like Nodeprep.
func Resourceprep(s string) (string, error) { return resourceprep.prepare(s) }

func (p *profile) prepare(s string) (string, error) {
	i := 0
	for i < len(s) && s[i] < 0x80 && p.asciiOK[s[i]] {
		i++
	}
	if i < len(s) {
		var err error
		if s, err = p.slow(s, i); err != nil {
			return "", fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if len(s) > MaxPart {
		return "", fmt.Errorf("%s: %w", p.name, ErrTooLong)
	}
	return s, nil
}

// slow prepares s, whose first i bytes are ASCII that stays as it is.
func (p *profile) slow(s string, i int) (string, error) {
	if len(s) > maxRaw {
		return "", ErrTooLong
	}
	if j, ok := p.ascii(s, i); ok {
		return strings.ToLower(s), nil
	} else if j < len(s) && s[j] < 0x80 {
		return "", ErrProhibited
	}
	if !utf8.ValidString(s) {
		return "", ErrProhibited
	}

	// RFC 3454 §3: map, normalise, prohibit, check directions. Unassigned code
	// points are refused before normalisation, so that its tables, which are
	// newer than Unicode 3.2, never see one.
	b := make([]byte, 0, len(s)+16)
	for _, r := range s {
		if r < 0x80 {
			if p.fold && 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
			b = append(b, byte(r))
			continue
		}
		if stringprep.TableA1.Contains(r) {
			return "", ErrProhibited
		}
		if removed(r) {
			continue
		}
		if p.fold {
			if to, ok := stringprep.TableB2.Map(r); ok {
				for _, t := range to {
					b = utf8.AppendRune(b, unicode32(t))
				}
				continue
			}
		}
		b = utf8.AppendRune(b, unicode32(r))
	}
	b = norm.NFKC.Append(make([]byte, 0, len(b)+16), b...)

	var left, right bool
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		m := marks(r)
		if m&p.mark != 0 {
			return "", ErrProhibited
		}
		left = left || m&markLeft != 0
		right = right || m&markRight != 0
		i += n
	}
	if right {
		first, _ := utf8.DecodeRune(b)
		last, _ := utf8.DecodeLastRune(b)
		if left || marks(first)&markRight == 0 || marks(last)&markRight == 0 {
			return "", ErrBidi
		}
	}
	return string(b), nil
}

// ascii tells whether s is ASCII that needs no more than lower-casing; if not,
// j is where the first other byte stands.
func (p *profile) ascii(s string, i int) (j int, ok bool) {
	for ; i < len(s); i++ {
		c := s[i]
		if c >= 0x80 || !p.asciiOK[c] && !(p.fold && 'A' <= c && c <= 'Z') {
			return i, false
		}
	}
	return i, true
}

func unicode32(r rune) rune {
	if r >= 0x2F868 {
		if to, ok := decomp32[r]; ok {
			return to
		}
	}
	return r
}
