package scenario

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExpand(t *testing.T) {
	vars := bindings{"v": "<a & 'b'>", "sf": "r=abcdef 1,s=x", "n": "3", "x": "own", "alice.jid": "a@b/c d"}
	tests := []struct {
		in     string
		escape bool
		want   string
	}{
		{"plain { } $ text", true, "plain { } $ text"},
		{"${v}", true, "&lt;a &amp; &apos;b&apos;&gt;"},
		{"${v}", false, "<a & 'b'>"},
		{"${alice.jid}", true, "a@b/c d"},
		{"a${sp}${nl}${cr}${crlf}${tab}${dollar}${nul}z", true, "a \n\r\r\n\t$\x00z"},
		{"${x c3 a9}${x ff}", true, "é\xff"},
		{"${x}", true, "own"},
		{"${b64 ${nul}alice${nul}pw-alice}", true, "AGFsaWNlAHB3LWFsaWNl"},
		{"${b64 ${v}}", true, "PGEgJiAnYic+"}, // not escaped within a function
		{"${b64 ${x ff}}", true, "/w=="},
		{"${sha1 secret}", true, "e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4"},
		{"${SHA1 secret}", true, "E5E9FA1BA31ECD1AE84F75CAAA474F3A663F05F4"},
		{"${sha1 ${n}secret}", true, "7f544a3f166563efce4dc5da5425cdd0d7a41634"},
		{"${sha256 }", true, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"${repeat 3 <x>}", true, "<x><x><x>"},
		{"${repeat ${n} a b}", true, "a ba ba b"},
		{"${repeat 2 ${repeat 2 x}-}", true, "xx-xx-"},
		{"${repeat 0 x}", true, ""},
		{"${add 40 2}", true, "42"},
		{"${add ${n} -1}", true, "2"},
		{"${dollar}{v}", true, "${v}"},
	}
	for _, tt := range tests {
		tpl, err := parseTemplate(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		got, err := tpl.expand(vars, tt.escape)
		if err != nil || got != tt.want {
			t.Errorf("%s: %q %v, want %q", tt.in, got, err, tt.want)
		}
	}
	for in, rx := range map[string]string{
		"${now}":        `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`,
		"${now -3600}":  `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`,
		"${httpdate 5}": `^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$`,
	} {
		tpl, err := parseTemplate(in)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tpl.expand(nil, true); err != nil || !regexp.MustCompile(rx).MatchString(got) {
			t.Errorf("%s: %q %v", in, got, err)
		}
	}
}

func TestExpandErrors(t *testing.T) {
	for in, want := range map[string]string{
		"${nobody}":             "variable ${nobody} is not bound",
		"${b64 ${nobody}}":      "variable ${nobody} is not bound",
		"${x zz}":               "${x ...}",
		"${repeat -1 x}":        "not a number of times",
		"${repeat 999999999 x}": "not a number of times",
		"${add 1 two}":          "add",
		"${now soon}":           "${now ...}",
		"${scram u p c x}":      "iteration count",
		"${scram u p c s=*}":    "salt",
		"${digest-md5 u p h x}": "no nonce",
	} {
		tpl, err := parseTemplate(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if _, err := tpl.expand(bindings{}, true); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", in, err, want)
		}
	}
}

// The SCRAM exchange is the example of RFC 5802 section 5; the digest was
// computed by an independent implementation.
func TestSASL(t *testing.T) {
	vars := bindings{
		"first": "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
		"chal":  `nonce="12345",qop="auth",charset=utf-8,algorithm=md5-sess`,
	}
	tests := []struct{ in, want, bound, value string }{
		{
			"${scram user pencil fyko+d2lbbFgONRv9qkxdawL ${first}}", "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
			"scram-v", "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
		},
		{
			"${digest-md5 alice pw-alice localhost ${chal}}",
			`username="alice",nonce="12345",cnonce="c1c2c3",nc=00000001,qop=auth,digest-uri="xmpp/localhost",response=960c872a8f39905d9aa8a3c3805a31d2,charset=utf-8`,
			"digest-rspauth", "rspauth=052bc5894f754cc47486ba07ff899254",
		},
	}
	for _, tt := range tests {
		tpl, err := parseTemplate(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tpl.expand(vars, true)
		if err != nil || got != tt.want || vars[tt.bound] != tt.value {
			t.Errorf("%s: %q %v, %s=%q", tt.in, got, err, tt.bound, vars[tt.bound])
		}
	}
}

func TestShellWords(t *testing.T) {
	for in, want := range map[string][]string{
		"":                           nil,
		"a  b\tc":                    {"a", "b", "c"},
		"resource='two words' x":     {"resource=two words", "x"},
		`a="it's" b='say "hi"' c\ d`: {"a=it's", `b=say "hi"`, "c d"},
		"empty= '' x":                {"empty=", "", "x"},
		`'a\b' "a\"b"`:               {`a\b`, `a"b`},
	} {
		got, err := shellWords(in)
		if err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("%q: %q %v, want %q", in, got, err, want)
		}
	}
	if _, err := shellWords("a 'b"); err == nil {
		t.Error("no error for a quotation without end")
	}
}
