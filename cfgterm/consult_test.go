package cfgterm

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// lines calls f with each line of a file of JSON lines.
func lines(t *testing.T, name string, f func(line []byte)) {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s := bufio.NewScanner(file)
	s.Buffer(nil, 16<<20)
	for s.Scan() {
		f(s.Bytes())
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
}

// decode reads one JSON value and keeps numbers as they are written.
func decode(t *testing.T, b []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// vectorTerm decodes the encoding that AppendJSON writes.
func vectorTerm(v any) Term {
	m := v.(map[string]any)
	all := func(v any) (out []Term) {
		for _, e := range v.([]any) {
			out = append(out, vectorTerm(e))
		}
		return out
	}
	for k, v := range m {
		switch k {
		case "int":
			return bigInt(v.(string))
		case "float":
			f, _ := strconv.ParseFloat(v.(string), 64)
			return &Float{F: f}
		case "atom":
			return &Atom{Name: v.(string)}
		case "str":
			return &String{Text: v.(string)}
		case "list":
			l := &List{Elems: all(v)}
			if tail, ok := m["tail"]; ok {
				l.Tail = vectorTerm(tail)
			}
			return l
		case "tuple":
			return &Tuple{Elems: all(v)}
		case "bin":
			return &Binary{Bytes: unhex(v.(string))}
		case "bits":
			n, _ := m["size"].(json.Number).Int64()
			return &Binary{Bytes: unhex(v.(string)), Bits: int(n % 8)}
		case "map":
			out := &Map{}
			for _, p := range v.([]any) {
				p := p.([]any)
				out.Pairs = append(out.Pairs, Pair{vectorTerm(p[0]), vectorTerm(p[1])})
			}
			return out
		case "fun":
			p := v.([]any)
			n, _ := p[2].(json.Number).Int64()
			return &Fun{Module: p[0].(string), Function: p[1].(string), Arity: n}
		}
	}
	panic(fmt.Sprintf("unknown encoding %v", v))
}

func unhex(s string) []byte {
	b := make([]byte, len(s)/2)
	fmt.Sscanf(s, "%x", &b)
	return b
}

func bigInt(s string) *Int {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return &Int{N: n}
	}
	n, _ := new(big.Int).SetString(s, 10)
	return &Int{Big: n}
}

// corpusTerm decodes the encoding of the corpus.
func corpusTerm(v any) Term {
	all := func(v any) (out []Term) {
		for _, e := range v.([]any) {
			out = append(out, corpusTerm(e))
		}
		return out
	}
	switch v := v.(type) {
	case json.Number:
		return bigInt(string(v))
	case []any:
		return &List{Elems: all(v)}
	case map[string]any:
		for k, x := range v {
			switch k {
			case "a":
				return &Atom{Name: x.(string)}
			case "f":
				f, _ := x.(json.Number).Float64()
				return &Float{F: f}
			case "s":
				return &String{Text: x.(string)}
			case "il":
				return &List{Elems: all(x), Tail: corpusTerm(v["tail"])}
			case "b":
				return &Binary{Bytes: []byte(x.(string))}
			case "b64":
				b, _ := base64.StdEncoding.DecodeString(x.(string))
				return &Binary{Bytes: b}
			case "t":
				return &Tuple{Elems: all(x)}
			case "m":
				out := &Map{}
				for _, p := range x.([]any) {
					p := p.([]any)
					out.Pairs = append(out.Pairs, Pair{corpusTerm(p[0]), corpusTerm(p[1])})
				}
				return out
			case "other":
				return nil // a bit string, printed
			}
		}
	}
	panic(fmt.Sprintf("unknown encoding %v", v))
}

func equalTerms(t *testing.T, what string, got, want []Term) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d terms, want %d", what, len(got), len(want))
		return
	}
	for i := range got {
		if want[i] != nil && !Equal(got[i], want[i]) {
			t.Errorf("%s: term %d is\n%s, want\n%s", what, i, Format(got[i]), Format(want[i]))
		}
	}
}

// reported checks that Erlang's message is part of one of the diagnostics.
func reported(t *testing.T, what string, f *File, src []byte, want string) {
	t.Helper()
	if f.Erlang != want {
		t.Errorf("%s: Erlang says %q, want %q", what, f.Erlang, want)
	}
	_, l := Parse(f.Name, src)
	for _, d := range l {
		if d.Erlang == want {
			return
		}
	}
	t.Errorf("%s: no diagnostic holds %q: %v", what, want, l)
}

func TestVectors(t *testing.T) {
	n := 0
	lines(t, "../testdata/consult/consult.jsonl", func(line []byte) {
		n++
		v := decode(t, line).(map[string]any)
		src, what := input(v, "input", "input_b64")
		f, list := Parse("vector.cfg", src)
		if v["ok"] == true {
			var want []Term
			for _, x := range v["terms"].([]any) {
				want = append(want, vectorTerm(x))
			}
			if f.Erlang != "" {
				t.Errorf("%s: rejected: %s", what, f.Erlang)
				return
			}
			if list.HasErrors() {
				// Only an unrendered template and a bound of ours are errors
				// where Erlang has none.
				for _, d := range list {
					if d.Erlang != "" || d.Severity == 0 && d.Code != "TPL001" {
						t.Errorf("%s: %v", what, d)
					}
				}
			}
			equalTerms(t, what, f.Terms, want)
			for i, x := range v["terms"].([]any) {
				if i < len(f.Terms) && !strings.Contains(string(line), `"float"`) {
					got := decode(t, AppendJSON(nil, f.Terms[i]))
					if fmt.Sprint(got) != fmt.Sprint(x) {
						t.Errorf("%s: JSON %v, want %v", what, got, x)
					}
				}
			}
			return
		}
		if v["crash"] == true {
			if f.Erlang == "" || !list.HasErrors() {
				t.Errorf("%s: accepted", what)
			}
			return
		}
		reported(t, what, f, src, fmt.Sprintf("%v: %v", v["line"], v["error"]))
	})
	if n < 1000 {
		t.Errorf("only %d vectors", n)
	}
}

func input(v map[string]any, text, b64 string) (src []byte, what string) {
	if s, ok := v[text].(string); ok {
		src = []byte(s)
	} else {
		src, _ = base64.StdEncoding.DecodeString(v[b64].(string))
	}
	return src, fmt.Sprintf("%.120q", src)
}

func TestEdgeCases(t *testing.T) {
	n := 0
	lines(t, "../testdata/consult/edge_cases.jsonl", func(line []byte) {
		n++
		v := decode(t, line).(map[string]any)
		src, what := input(v, "in", "in_b64")
		against(t, fmt.Sprintf("%v %s", v["id"], what), src, v)
	})
	if n < 50 {
		t.Errorf("only %d edge cases", n)
	}
}

// against compares the reading of src with the oracle's.
func against(t *testing.T, what string, src []byte, v map[string]any) {
	t.Helper()
	f, _ := Parse("case.cfg", src)
	decodeAll := func(v any) (out []Term) {
		for _, x := range v.([]any) {
			out = append(out, corpusTerm(x))
		}
		return out
	}
	e, rejected := v["error"].(map[string]any)
	if !rejected {
		if f.Erlang != "" {
			t.Errorf("%s: rejected: %s", what, f.Erlang)
			return
		}
		equalTerms(t, what, f.Terms, decodeAll(v["terms"]))
		return
	}
	text := e["text"].(string)
	if strings.Contains(text, "crashes") {
		if f.Erlang == "" {
			t.Errorf("%s: accepted", what)
		}
		return
	}
	reported(t, what, f, src, text)
	var before []Term
	if x := e["terms_before_error"]; x != nil {
		before = decodeAll(x)
	}
	if len(f.Terms) < len(before) {
		t.Errorf("%s: %d terms, want at least the %d before the error", what, len(f.Terms), len(before))
		return
	}
	equalTerms(t, what, f.Terms[:len(before)], before)
	// The column is the oracle's own: the first token of a bad term, and so on.
}

// shared returns the folder of reference material, or skips the test.
func shared(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("MEERKAT_SHARED")
	if dir == "" {
		dir = "../../shared"
	}
	if _, err := os.Stat(filepath.Join(dir, "corpus")); err != nil {
		t.Skip("no reference corpus: set MEERKAT_SHARED to the folder that holds corpus/")
	}
	return dir
}

func TestCorpus(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(shared(t), "corpus", "*.cfg"))
	if len(files) < 50 {
		t.Fatalf("only %d files", len(files))
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			src, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			oracle, err := os.ReadFile(strings.TrimSuffix(name, ".cfg") + ".term.json")
			if err != nil {
				t.Fatal(err)
			}
			v, ok := decode(t, oracle).(map[string]any)
			if !ok {
				v = map[string]any{"terms": decode(t, oracle)}
			}
			against(t, filepath.Base(name), src, v)
		})
	}
}
