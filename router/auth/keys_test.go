package auth

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func unb64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The record is one that a MongooseIM 2.0.1 node made.
func TestDeriveAsTheReference(t *testing.T) {
	k, err := Derive(SHA1, "kate-secret", unhex(t, "0102030405060708090a0b0c0d0e0f10"), 4096)
	if err != nil {
		t.Fatal(err)
	}
	const want = "==SCRAM==,7t9ns6+svXPvoSbQOAtiGTb1v8Q=,Rk/nNRuTFdbhyJoazgEtV6eUNWo=,AQIDBAUGBwgJCgsMDQ4PEA==,4096"
	if got := FormatDetails([]Keys{k}); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, err := ParseDetails(want); err != nil || !cmp.Equal(got, []Keys{k}) {
		t.Errorf("read back as %v, %v", got, err)
	}
}

func TestDeriveBounds(t *testing.T) {
	for _, n := range []int{-1, 0, maxIterations + 1} {
		if _, err := Derive(SHA1, "x", []byte("salt"), n); err == nil {
			t.Errorf("%d iterations accepted", n)
		}
	}
	if _, err := Derive(SHA1, "x", []byte("salt"), 1); err != nil {
		t.Errorf("one iteration: %v", err)
	}
}

func TestPreparePassword(t *testing.T) {
	for in, want := range map[string]string{
		"secret":           "secret",
		"two words":        "two words",
		"Pa\u00adss":       "Pass", // mapped to nothing
		"\u2168":           "IX",   // NFKC
		"a\u0301":          "\u00e1",
		"a\u00a0b":         "a b", // by NFKC, not because SASLprep maps it
		"new 'pw' \"x\" ü": "new 'pw' \"x\" ü",
	} {
		got, err := PreparePassword(in)
		if err != nil || got != want {
			t.Errorf("%q became %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"a\x01b", "a\x7f", "\xff", strings.Repeat("x", 1024)} {
		if got, err := PreparePassword(in); !errors.Is(err, ErrInvalidPassword) {
			t.Errorf("%q became %q, %v, want ErrInvalidPassword", in, got, err)
		} else if strings.Contains(err.Error(), in) {
			t.Errorf("the error shows the password: %v", err)
		}
	}
	for _, in := range []string{"", "\u00ad"} {
		if _, err := PreparePassword(in); !errors.Is(err, ErrNullPassword) {
			t.Errorf("%q: %v, want ErrNullPassword", in, err)
		}
	}
}

func TestParseDetails(t *testing.T) {
	const s, v, salt = "7t9ns6+svXPvoSbQOAtiGTb1v8Q=", "Rk/nNRuTFdbhyJoazgEtV6eUNWo=", "AQIDBAUGBwgJCgsMDQ4PEA=="
	s256, v256 := base64.StdEncoding.EncodeToString(make([]byte, 32)), base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))
	sha1 := Keys{SHA1, unb64(t, s), unb64(t, v), unb64(t, salt), 4096}
	sha256 := Keys{SHA256, unb64(t, s256), unb64(t, v256), unb64(t, salt), 10000}
	sha1of10000 := sha1
	sha1of10000.Iterations = 10000
	for _, tt := range []struct {
		name, text string
		want       []Keys // nil: refused
	}{
		{"2.0.1", "==SCRAM==," + s + "," + v + "," + salt + ",4096", []Keys{sha1}},
		{"3.7, both", "==MULTI_SCRAM==,10000,===SHA1===" + salt + "|" + s + "|" + v + ",==SHA256==" + salt + "|" + s256 + "|" + v256, []Keys{sha1of10000, sha256}},
		{"3.7, one", "==MULTI_SCRAM==,10000,==SHA256==" + salt + "|" + s256 + "|" + v256, []Keys{sha256}},
		{"empty", "", nil},
		{"no prefix", "secret", nil},
		{"prefix only", "==SCRAM==,", nil},
		{"three fields", "==SCRAM==," + s + "," + v + "," + salt, nil},
		{"five fields", "==SCRAM==," + s + "," + v + "," + salt + ",4096,", nil},
		{"no number", "==SCRAM==," + s + "," + v + "," + salt + ",x", nil},
		{"signed number", "==SCRAM==," + s + "," + v + "," + salt + ",+4096", nil},
		{"zero", "==SCRAM==," + s + "," + v + "," + salt + ",0", nil},
		{"endless", "==SCRAM==," + s + "," + v + "," + salt + ",4000000000", nil},
		{"short key", "==SCRAM==,AAAA," + v + "," + salt + ",4096", nil},
		{"no salt", "==SCRAM==," + s + "," + v + ",,4096", nil},
		{"not base64", "==SCRAM==,!," + v + "," + salt + ",4096", nil},
		{"multi without hashes", "==MULTI_SCRAM==,10000,", nil},
		{"multi, count only", "==MULTI_SCRAM==,10000", nil},
		{"multi, unknown hash", "==MULTI_SCRAM==,10000,===MD5====" + salt + "|" + s + "|" + v, nil},
		{"multi, twice", "==MULTI_SCRAM==,10000,===SHA1===" + salt + "|" + s + "|" + v + ",===SHA1===" + salt + "|" + s + "|" + v, nil},
		{"multi, two parts", "==MULTI_SCRAM==,10000,===SHA1===" + salt + "|" + s, nil},
		{"multi, wrong size", "==MULTI_SCRAM==,10000,==SHA256==" + salt + "|" + s + "|" + v, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseDetails(tt.text)
			if d := cmp.Diff(tt.want, got); d != "" || (err == nil) != (tt.want != nil) {
				t.Errorf("error %v\n%s", err, d)
			}
			if err != nil && tt.text != "" && strings.Contains(err.Error(), s) {
				t.Errorf("the error shows the record: %v", err)
			}
			c := ParseStored("ignored", tt.text)
			if tt.text != "" && (c.Plain != "" || c.IsZero() != (tt.want == nil)) {
				t.Errorf("stored beside a password: %+v", c)
			}
		})
	}
	if c := ParseStored("secret", ""); c.Plain != "secret" || c.Keys != nil {
		t.Errorf("a plain password is %+v", c)
	}
}

func TestDetailsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, maxIterations).Draw(t, "iterations")
		var keys []Keys
		for h := range numHashes {
			if rapid.Bool().Draw(t, h.String()) {
				keys = append(keys, Keys{
					Hash:       h,
					Stored:     rapid.SliceOfN(rapid.Byte(), h.Size(), h.Size()).Draw(t, "stored"),
					Server:     rapid.SliceOfN(rapid.Byte(), h.Size(), h.Size()).Draw(t, "server"),
					Salt:       rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "salt"),
					Iterations: n,
				})
			}
		}
		if len(keys) == 0 {
			if FormatDetails(nil) != "" {
				t.Fatal("a record of nothing")
			}
			return
		}
		text := FormatDetails(keys)
		got, err := ParseDetails(text)
		if d := cmp.Diff(keys, got); err != nil || d != "" {
			t.Fatalf("%s: %v\n%s", text, err, d)
		}
	})
}

func FuzzParseDetails(f *testing.F) {
	f.Add("==SCRAM==,7t9ns6+svXPvoSbQOAtiGTb1v8Q=,Rk/nNRuTFdbhyJoazgEtV6eUNWo=,AQIDBAUGBwgJCgsMDQ4PEA==,4096")
	f.Add("==MULTI_SCRAM==,10000,===SHA1===AQID|7t9ns6+svXPvoSbQOAtiGTb1v8Q=|Rk/nNRuTFdbhyJoazgEtV6eUNWo=")
	f.Add("==MULTI_SCRAM==,1,==SHA512==|,,")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := ParseDetails(text)
		if err != nil {
			if keys != nil {
				t.Fatal("keys beside an error")
			}
			return
		}
		seen := map[Hash]bool{}
		for _, k := range keys {
			if seen[k.Hash] || len(k.Stored) != k.Hash.Size() || len(k.Server) != k.Hash.Size() || len(k.Salt) == 0 || k.Iterations < 1 || k.Iterations > maxIterations {
				t.Fatalf("%q gave %+v", text, k)
			}
			seen[k.Hash] = true
		}
		again, err := ParseDetails(FormatDetails(keys))
		if err != nil || !cmp.Equal(keys, again) {
			t.Fatalf("%q: written and read again: %v, %v", text, again, err)
		}
	})
}
