package etf

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/okeuday/erlang_go/v2/erlang"
	"pgregory.net/rapid"

	"meerkat/cfgterm"
)

// table returns the lines of testdata/terms.tsv: a term, and what
// term_to_binary of OTP 25 makes of it.
func table(t testing.TB) (texts []string, blobs [][]byte) {
	t.Helper()
	b, err := os.ReadFile("testdata/terms.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		text, hexed, ok := strings.Cut(line, "\t")
		blob, err := hex.DecodeString(hexed)
		if !ok || err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		texts, blobs = append(texts, text), append(blobs, blob)
	}
	return texts, blobs
}

func TestErlangsBytes(t *testing.T) {
	texts, blobs := table(t)
	for i, text := range texts {
		want, err := cfgterm.ParseTerm(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		got, err := Decode(blobs[i], Limits{})
		if err != nil {
			t.Errorf("%.80s: %v", text, err)
			continue
		}
		if !cfgterm.Equal(got, want) {
			t.Errorf("%.80s: decoded as %.200s", text, cfgterm.Format(got))
		}
		enc, err := Encode(want)
		if err != nil {
			t.Errorf("%.80s: %v", text, err)
			continue
		}
		switch tag := blobs[i][1]; {
		case tag == tagMap, tag == tagCompressed, tag == tagAtom, tag == tagFloat: // other orders and older forms
			again, err := Decode(enc, Limits{})
			if err != nil || !cfgterm.Equal(again, want) {
				t.Errorf("%.80s: encoded as %x, which is %v, %v", text, enc, again, err)
			}
		case !bytes.Equal(enc, blobs[i]):
			t.Errorf("%.80s: encoded as %x, want %x", text, enc, blobs[i])
		}
	}
}

// TestValues checks the way over the library's values.
func TestValues(t *testing.T) {
	texts, _ := table(t)
	for _, text := range texts {
		want, err := cfgterm.ParseTerm(text)
		if err != nil {
			t.Fatal(err)
		}
		v, err := FromTerm(want)
		if err != nil {
			if strings.Contains(text, "{x}") && errors.Is(err, ErrUnsupported) { // a tuple as key of a map
				continue
			}
			t.Errorf("%.80s: %v", text, err)
			continue
		}
		got, err := ToTerm(v)
		if err != nil || !cfgterm.Equal(got, want) {
			t.Errorf("%.80s: came back as %v, %v", text, got, err)
		}
	}
	if v, _ := FromTerm(&cfgterm.Atom{Name: "undefined"}); v != nil {
		t.Errorf("undefined is %v, want nil as the library has it", v)
	}
	for _, v := range []any{int(1), int8(-1), int16(2), int64(3), uint16(4), uint32(5), uint64(1 << 63), float32(1.5), []byte("x"), []any{nil}} {
		if _, err := ToTerm(v); err != nil {
			t.Errorf("%T: %v", v, err)
		}
	}
	if _, err := ToTerm(erlang.OtpErlangPid{}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("pid: %v", err)
	}
}

func TestPid(t *testing.T) {
	pid := []byte{131, 103, 119, 1, 'n', 0, 0, 0, 1, 0, 0, 0, 0, 0}
	if _, err := Decode(pid, Limits{}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("Decode of a pid: %v", err)
	}
	v, err := DecodeValue(pid, Limits{})
	if p, ok := v.(erlang.OtpErlangPid); err != nil || !ok || !bytes.Equal(p.ID, []byte{0, 0, 0, 1}) {
		t.Errorf("%#v, %v", v, err)
	}
	for name, b := range map[string][]byte{
		"new pid":         {131, 88, 119, 1, 'n', 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1},
		"port":            {131, 102, 119, 1, 'n', 0, 0, 0, 1, 0},
		"v4 port":         {131, 120, 119, 1, 'n', 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1},
		"reference":       {131, 101, 119, 1, 'n', 0, 0, 0, 1, 0},
		"new reference":   {131, 114, 0, 1, 119, 1, 'n', 0, 0, 0, 0, 1},
		"newer reference": {131, 90, 0, 2, 119, 1, 'n', 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2},
	} {
		if _, err := DecodeValue(b, Limits{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for n := range b {
			if _, err := DecodeValue(b[:n], Limits{}); err == nil {
				t.Errorf("%s cut after %d bytes is read", name, n)
			}
		}
	}
}

// TestHostile reads bytes that make the library ask for memory or stack.
func TestHostile(t *testing.T) {
	deep := append([]byte{131}, bytes.Repeat([]byte{104, 1}, 1<<20)...)
	deep = append(deep, 106)
	lists := append([]byte{131}, bytes.Repeat([]byte{108, 0, 0, 0, 1}, 1<<18)...)
	many := append([]byte{131, 108, 0, 0x20, 0, 0}, bytes.Repeat([]byte{106}, 1<<21+1)...)
	tests := []struct {
		name string
		in   []byte
		want error
	}{
		{"nothing", nil, ErrMalformed},
		{"version only", []byte{131}, ErrMalformed},
		{"other version", []byte{130, 106}, ErrMalformed},
		{"list of 2^31", []byte{131, 108, 127, 255, 255, 255, 106}, ErrMalformed},
		{"tuple of 2^32", []byte{131, 105, 255, 255, 255, 255}, ErrMalformed},
		{"map of 2^31", []byte{131, 116, 127, 255, 255, 255}, ErrMalformed},
		{"binary of 2 GB", []byte{131, 109, 127, 255, 255, 255}, ErrMalformed},
		{"integer of 2^31 bytes", []byte{131, 111, 127, 255, 255, 255, 0}, ErrLimit},
		{"integer of 5000 bytes", append([]byte{131, 111, 0, 0, 0x13, 0x88, 0}, make([]byte, 5000)...), ErrLimit},
		{"deep tuples", deep, ErrLimit},
		{"deep lists", lists, ErrLimit},
		{"many terms", many, ErrLimit},
		{"too long", append([]byte{131, 109, 1, 0, 0, 0}, make([]byte, 1<<24)...), ErrLimit},
		{"bytes after the term", []byte{131, 106, 0}, ErrMalformed},
		{"infinite float", []byte{131, 70, 0x7F, 0xF0, 0, 0, 0, 0, 0, 0}, ErrMalformed},
		{"bad bit string", []byte{131, 77, 0, 0, 0, 1, 9, 0}, ErrMalformed},
		{"atom that is not UTF-8", []byte{131, 119, 1, 0xFF}, ErrMalformed},
		{"our mark", append([]byte{131, 119, byte(len(mapMark))}, mapMark...), ErrUnsupported},
		{"closure", []byte{131, 112, 0, 0, 0, 4}, ErrUnsupported},
		{"compressed garbage", []byte{131, 80, 0, 0, 0, 9, 1, 2, 3}, ErrMalformed},
		{"compressed, claims 4 GB", []byte{131, 80, 255, 255, 255, 255, 0x78, 0x9c}, ErrLimit},
		{"compressed within", []byte{131, 104, 1, 80, 0, 0, 0, 1, 0x78}, ErrUnsupported},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got, err := Decode(tt.in, Limits{})
			runtime.ReadMemStats(&after)
			if !errors.Is(err, tt.want) {
				t.Errorf("%v, %v; want %v", got, err, tt.want)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
				t.Errorf("%d bytes allocated", n)
			}
		})
	}
	t.Run("bomb", func(t *testing.T) {
		b, err := EncodeCompressed(&cfgterm.Binary{Bytes: make([]byte, 32<<20)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(b, Limits{}); !errors.Is(err, ErrLimit) {
			t.Errorf("%d bytes that inflate to 32 MiB: %v", len(b), err)
		}
		b[2], b[3], b[4], b[5] = 0, 0, 0, 10 // and lies about it
		if _, err := Decode(b, Limits{}); !errors.Is(err, ErrMalformed) {
			t.Errorf("wrong length: %v", err)
		}
		if _, err := Decode(b, Limits{Size: 1 << 10}); !errors.Is(err, ErrLimit) {
			t.Errorf("limit: %v", err)
		}
	})
}

func TestUnsupportedTerms(t *testing.T) {
	long := strings.Repeat("x", 256)
	for _, bad := range []cfgterm.Term{
		&cfgterm.Atom{Name: long},
		&cfgterm.Atom{Name: mapMark},
		&cfgterm.Fun{Module: "m", Function: "f", Arity: 256},
		&cfgterm.Fun{Module: long, Function: "f"},
		nil,
	} {
		if b, err := Encode(bad); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%v: %x, %v", bad, b, err)
		}
	}
}

// Terms makes terms for property tests.
func terms() *rapid.Generator[cfgterm.Term] {
	leaf := rapid.OneOf(
		rapid.Map(rapid.StringN(0, 20, 60), func(s string) cfgterm.Term { return &cfgterm.Atom{Name: s} }),
		rapid.Map(rapid.Int64(), func(n int64) cfgterm.Term { return &cfgterm.Int{N: n} }),
		rapid.Map(rapid.Float64(), func(f float64) cfgterm.Term { return &cfgterm.Float{F: f} }),
		rapid.Map(rapid.String(), func(s string) cfgterm.Term { return &cfgterm.String{Text: s} }),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) cfgterm.Term { return &cfgterm.Binary{Bytes: b} }),
		rapid.Just[cfgterm.Term](&cfgterm.Binary{Bytes: []byte{0xE0}, Bits: 3}),
		rapid.Just[cfgterm.Term](&cfgterm.Fun{Module: "a", Function: "é", Arity: 3}),
	)
	var any func(depth int) *rapid.Generator[cfgterm.Term]
	any = func(depth int) *rapid.Generator[cfgterm.Term] {
		if depth == 0 {
			return leaf
		}
		sub := any(depth - 1)
		return rapid.OneOf(
			leaf,
			rapid.Map(rapid.SliceOfN(sub, 0, 4), func(e []cfgterm.Term) cfgterm.Term { return &cfgterm.List{Elems: e} }),
			rapid.Map(rapid.SliceOfN(sub, 0, 4), func(e []cfgterm.Term) cfgterm.Term { return &cfgterm.Tuple{Elems: e} }),
			rapid.Custom(func(t *rapid.T) cfgterm.Term {
				tail := leaf.Draw(t, "tail")
				if _, ok := tail.(*cfgterm.String); ok {
					tail = nil
				}
				return &cfgterm.List{Elems: rapid.SliceOfN(sub, 1, 3).Draw(t, "elems"), Tail: tail}
			}),
			rapid.Custom(func(t *rapid.T) cfgterm.Term {
				m := &cfgterm.Map{}
				for _, k := range rapid.SliceOfNDistinct(sub, 0, 3, cfgterm.Format).Draw(t, "keys") {
					m.Pairs = append(m.Pairs, cfgterm.Pair{Key: k, Value: sub.Draw(t, "value")})
				}
				return m
			}),
		)
	}
	return any(3)
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := terms().Draw(t, "term")
		b, err := Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(b, Limits{})
		if err != nil || !cfgterm.Equal(got, want) {
			t.Fatalf("%s came back as %v, %v", cfgterm.Format(want), got, err)
		}
		z, err := EncodeCompressed(want)
		if err != nil || len(z) > len(b) {
			t.Fatalf("compressed: %d of %d bytes, %v", len(z), len(b), err)
		}
		got, err = Decode(z, Limits{})
		if err != nil || !cfgterm.Equal(got, want) {
			t.Fatalf("compressed, %s came back as %v, %v", cfgterm.Format(want), got, err)
		}
	})
}

func FuzzETF(f *testing.F) {
	_, blobs := table(f)
	for _, b := range blobs {
		f.Add(b)
	}
	f.Add([]byte{131, 108, 127, 255, 255, 255, 106})
	f.Fuzz(func(t *testing.T, b []byte) {
		DecodeValue(b, Limits{}) //nolint:errcheck // it must not panic
		got, err := Decode(b, Limits{Size: 1 << 20, Terms: 10000})
		if err != nil {
			return
		}
		enc, err := Encode(got)
		if err != nil {
			t.Fatalf("%s cannot be written: %v", cfgterm.Format(got), err)
		}
		again, err := Decode(enc, Limits{})
		if err != nil || !cfgterm.Equal(again, got) {
			t.Fatalf("%s came back as %v, %v", cfgterm.Format(got), again, err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	texts, blobs := table(b)
	for i, text := range texts {
		if strings.HasPrefix(text, "{xmlel") {
			b.ReportAllocs()
			b.SetBytes(int64(len(blobs[i])))
			for b.Loop() {
				if _, err := Decode(blobs[i], Limits{}); err != nil {
					b.Fatal(err)
				}
			}
			return
		}
	}
	b.Fatal("no stanza in the table")
}
