package jid

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// TestEveryCodePoint compares the profiles with testdata/prep.txt, which
// testdata/prep.py made from tables that are not ours.
func TestEveryCodePoint(t *testing.T) {
	f, err := os.Open("testdata/prep.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	profiles := []struct {
		name string
		fn   func(string) (string, error)
	}{{"nodeprep", Nodeprep}, {"nameprep", Nameprep}, {"resourceprep", Resourceprep}}
	seen, wrong := 0, 0
	for sc := bufio.NewScanner(f); sc.Scan(); {
		fields := strings.Fields(sc.Text())
		var first, last rune
		if _, err := fmt.Sscanf(fields[0], "%X..%X", &first, &last); err != nil || len(fields) != 4 {
			t.Fatalf("bad line %q", sc.Text())
		}
		for r := first; r <= last; r++ {
			if !utf8.ValidRune(r) {
				continue
			}
			seen++
			s := string(r)
			for i, p := range profiles {
				want, refused := s, false
				switch w := fields[i+1]; w {
				case "=":
				case "-":
					want = ""
				case "!":
					want, refused = "", true
				default:
					want = ""
					for _, h := range strings.Split(w, ",") {
						n, err := strconv.ParseInt(h, 16, 32)
						if err != nil {
							t.Fatal(err)
						}
						want += string(rune(n))
					}
				}
				got, err := p.fn(s)
				if got != want || (err != nil) != refused {
					if wrong++; wrong < 20 {
						t.Errorf("%s(%U) = %+q, %v; want %+q, refused: %v", p.name, r, got, err, want, refused)
					}
				}
			}
		}
	}
	if want := int(utf8.MaxRune) + 1 - 0x800; seen != want {
		t.Errorf("%d code points in the file, want %d", seen, want)
	}
}

func TestPrep(t *testing.T) {
	long := strings.Repeat("a", MaxPart)
	tests := []struct {
		name string
		fn   func(string) (string, error)
		in   string
		want string
		err  error
	}{
		{"empty", Nodeprep, "", "", nil},
		{"folded", Nodeprep, "Alice", "alice", nil},
		{"sharp s", Nodeprep, "Straße", "strasse", nil},
		{"final sigma", Nodeprep, "ς", "σ", nil},
		{"long s, roman, ligature", Nodeprep, "ſⅧﬁ", "sviiifi", nil},
		{"soft hyphen and joiner go", Nodeprep, "a\u00ADb\u200Dc", "abc", nil},
		{"symbol of Unicode 3.2", Nodeprep, "☃", "☃", nil},
		{"emoji is not assigned", Nodeprep, "\U0001F600", "", ErrProhibited},
		{"emoji in a resource", Resourceprep, "a\U0001F600", "", ErrProhibited},
		{"apostrophe", Nodeprep, "user'x", "", ErrProhibited},
		{"apostrophe in a resource", Resourceprep, "user'x", "user'x", nil},
		{"space", Nodeprep, "a b", "", ErrProhibited},
		{"space in a domain", Nameprep, "not a jid", "not a jid", nil},
		{"space in a resource", Resourceprep, "my phone", "my phone", nil},
		{"no-break space becomes a space", Nodeprep, "a\u00A0b", "", ErrProhibited},
		{"full-width at sign", Nodeprep, "a＠b", "", ErrProhibited},
		{"full width", Resourceprep, "ＡＢＣ", "ABC", nil},
		{"roman numeral in a resource", Resourceprep, "Ⅷ", "VIII", nil},
		{"composition", Resourceprep, "e\u0301", "é", nil},
		{"private use", Resourceprep, "a\uE000b", "", ErrProhibited},
		{"object replacement character", Nameprep, "\uFFFCx", "", ErrProhibited},
		{"replacement character", Resourceprep, "\uFFFD", "", ErrProhibited},
		{"control", Resourceprep, "a\x7F", "", ErrProhibited},
		{"not UTF-8", Resourceprep, "a\xC3(", "", ErrProhibited},
		{"Hebrew", Nodeprep, "\u05D0\u05D1", "\u05D0\u05D1", nil},
		{"Hebrew with a digit inside", Nodeprep, "\u05D01\u05D1", "\u05D01\u05D1", nil},
		{"Hebrew and a digit at the end", Nodeprep, "\u05D01", "", ErrBidi},
		{"Hebrew and Latin", Nodeprep, "a\u05D0", "", ErrBidi},
		{"longest", Nodeprep, long, long, nil},
		{"too long", Nodeprep, long + "a", "", ErrTooLong},
		{"longest, folded", Nodeprep, strings.ToUpper(long), long, nil},
		{"too long before, not after", Resourceprep, strings.Repeat("Ａ", MaxPart), strings.Repeat("A", MaxPart), nil},
		{"too long after, not before", Nodeprep, strings.Repeat("ﷺ", 300), "", ErrProhibited}, // holds spaces
		{"grows over the limit", Resourceprep, strings.Repeat("ﷺ", 300), "", ErrTooLong},
		{"far too long", Resourceprep, strings.Repeat("\u00AD", 4096), "", ErrTooLong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.fn(tt.in)
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %+q, %v; want %+q, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

// texts draws texts with characters that preparation changes, removes and
// refuses well represented.
func texts() *rapid.Generator[string] {
	return rapid.StringOf(rapid.OneOf(
		rapid.RuneFrom([]rune("abcXYZ019-._~ @/'\"<>&:\\ßſςΣﬁⅧÅé\u0301\u00AD\u200D\u00A0Ａ＠／\u05D0\u05D1\u0627☃\U0001F600\U0002F868\uE000")),
		rapid.RuneFrom([]rune("abcdefgh")),
		rapid.Rune(),
	))
}

func TestPrepIsIdempotent(t *testing.T) {
	for name, fn := range map[string]func(string) (string, error){
		"nodeprep": Nodeprep, "nameprep": Nameprep, "resourceprep": Resourceprep,
	} {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			once, err := fn(texts().Draw(t, "text"))
			if err != nil {
				return
			}
			if twice, err := fn(once); err != nil || twice != once {
				t.Fatalf("%+q becomes %+q, %v", once, twice, err)
			}
		}))
	}
}
