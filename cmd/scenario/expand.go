package scenario

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A template is text to send with ${...} in it, split at reading time.
type template []part

// A part is literal text, or a variable or function call.
type part struct {
	text string
	name string   // "" for literal text
	args template // what stands behind the first blank
	call bool     // there is something behind a blank
}

// A function turns its argument into text. n is the number of words that it
// takes before its last argument, which is the rest.
type function struct {
	words int
	bare  bool // may stand without argument
	apply func(args []string, b bindings) (string, error)
}

var functions = map[string]function{
	"nul": {bare: true, apply: func([]string, bindings) (string, error) { return "\x00", nil }},
	"x": {apply: func(a []string, _ bindings) (string, error) {
		raw, err := hex.DecodeString(strings.ReplaceAll(a[0], " ", ""))
		return string(raw), err
	}},
	"b64": {apply: func(a []string, _ bindings) (string, error) {
		return base64.StdEncoding.EncodeToString([]byte(a[0])), nil
	}},
	"sha1": {apply: func(a []string, _ bindings) (string, error) {
		return fmt.Sprintf("%x", sha1.Sum([]byte(a[0]))), nil
	}},
	"SHA1": {apply: func(a []string, _ bindings) (string, error) {
		return fmt.Sprintf("%X", sha1.Sum([]byte(a[0]))), nil
	}},
	"sha256": {apply: func(a []string, _ bindings) (string, error) {
		return fmt.Sprintf("%x", sha256.Sum256([]byte(a[0]))), nil
	}},
	"repeat": {words: 1, apply: func(a []string, _ bindings) (string, error) {
		n, err := strconv.Atoi(a[0])
		if err != nil || n < 0 || n*len(a[1]) > 1<<28 {
			return "", fmt.Errorf("repeat %s: not a number of times", a[0])
		}
		return strings.Repeat(a[1], n), nil
	}},
	"add": {apply: func(a []string, _ bindings) (string, error) {
		sum := 0
		for _, w := range strings.Fields(a[0]) {
			n, err := strconv.Atoi(w)
			if err != nil {
				return "", fmt.Errorf("add: %w", err)
			}
			sum += n
		}
		return strconv.Itoa(sum), nil
	}},
	"now":      {bare: true, apply: clock("2006-01-02T15:04:05Z")},
	"httpdate": {bare: true, apply: clock(http.TimeFormat)},
	"scram": {words: 3, apply: func(a []string, b bindings) (string, error) {
		final, signature, err := scramFinal(a[0], a[1], a[2], a[3])
		b["scram-v"] = signature
		return final, err
	}},
	"digest-md5": {words: 3, apply: func(a []string, b bindings) (string, error) {
		response, rspauth, err := digestMD5(a[0], a[1], a[2], a[3])
		b["digest-rspauth"] = rspauth
		return response, err
	}},
}

func clock(layout string) func([]string, bindings) (string, error) {
	return func(a []string, _ bindings) (string, error) {
		t := time.Now().UTC()
		if a[0] != "" {
			s, err := strconv.ParseFloat(a[0], 64)
			if err != nil {
				return "", err
			}
			t = t.Add(time.Duration(s * float64(time.Second)))
		}
		return t.Format(layout), nil
	}
}

// parseTemplate splits text to send.
func parseTemplate(s string) (template, error) {
	t, rest, err := readTemplate(s, false)
	if err == nil && rest != "" {
		err = fmt.Errorf("unexpected %q", rest)
	}
	return t, err
}

// readTemplate reads up to the end, or within ${ } up to the brace that closes it.
func readTemplate(s string, inside bool) (t template, rest string, err error) {
	for s != "" {
		i := strings.IndexAny(s, "$}")
		switch {
		case i < 0:
			i = len(s)
		case s[i] == '}' && inside:
			return t.literal(s[:i]), s[i+1:], nil
		case s[i] == '}' || !strings.HasPrefix(s[i:], "${"):
			i++
		}
		if i > 0 {
			t, s = t.literal(s[:i]), s[i:]
			continue
		}
		p := part{}
		s = s[2:]
		j := strings.IndexAny(s, " }")
		if j < 0 {
			return nil, "", fmt.Errorf("${%s: no closing brace", s)
		}
		p.name = s[:j]
		if s[j] == '}' {
			s = s[j+1:]
		} else {
			p.call = true
			if p.args, s, err = readTemplate(s[j+1:], true); err != nil {
				return nil, "", err
			}
		}
		if err := p.check(); err != nil {
			return nil, "", err
		}
		t = append(t, p)
	}
	if inside {
		return nil, "", fmt.Errorf("no closing brace")
	}
	return t, "", nil
}

func (t template) literal(s string) template {
	if s == "" {
		return t
	}
	if n := len(t); n > 0 && t[n-1].name == "" {
		t[n-1].text += s
		return t
	}
	return append(t, part{text: s})
}

func (p part) check() error {
	f, known := functions[p.name]
	_, literal := literals[p.name]
	switch {
	case p.call && !known:
		return fmt.Errorf("no function %q", p.name)
	case p.call:
		if _, ok := p.args.words(f.words); !ok {
			return fmt.Errorf("${%s ...} wants %d words and a text", p.name, f.words)
		}
	case !known && !literal && !variableName(p.name):
		return fmt.Errorf("${%s} is no variable", p.name)
	}
	return nil
}

// words splits off n words at blanks of the literal text; the last element is
// what remains.
func (t template) words(n int) ([]template, bool) {
	var out []template
	var word template
	rest := append(template(nil), t...)
	for len(out) < n {
		if len(rest) == 0 {
			return nil, false
		}
		p := rest[0]
		if before, after, ok := strings.Cut(p.text, " "); p.name == "" && ok {
			out = append(out, word.literal(before))
			word = nil
			if rest = rest[1:]; after != "" {
				rest = append(template{{text: after}}, rest...)
			}
			continue
		}
		word = append(word, p)
		rest = rest[1:]
	}
	return append(out, rest), true
}

// expand fills the template in; functions may bind more variables. Variables are escaped for XML where escape is
// set and they do not stand within a function.
func (t template) expand(b bindings, escape bool) (string, error) {
	var out strings.Builder
	for _, p := range t {
		f, isFunction := functions[p.name]
		switch {
		case p.name == "":
			out.WriteString(p.text)
		case literals[p.name] != "":
			out.WriteString(literals[p.name])
		case isFunction && (p.call || f.bare):
			words, _ := p.args.words(f.words)
			args := make([]string, len(words))
			for i, w := range words {
				var err error
				if args[i], err = w.expand(b, false); err != nil {
					return "", err
				}
			}
			s, err := f.apply(args, b)
			if err != nil {
				return "", fmt.Errorf("${%s ...}: %w", p.name, err)
			}
			out.WriteString(s)
		default:
			v, ok := b[p.name]
			if !ok {
				return "", fmt.Errorf("variable ${%s} is not bound", p.name)
			}
			if escape {
				v = attrEscaper.Replace(v)
			}
			out.WriteString(v)
		}
	}
	return out.String(), nil
}

// shellWords splits the arguments of a command: blanks separate, quotes and
// backslashes keep.
func shellWords(s string) ([]string, error) {
	var out []string
	var word strings.Builder
	begun, quote := false, rune(0)
	escaped := false
	for _, c := range s {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			begun, escaped = true, true
		case quote != 0:
			if c == quote {
				quote = 0
			} else {
				word.WriteRune(c)
			}
		case c == '\'' || c == '"':
			begun, quote = true, c
		case c == ' ' || c == '\t':
			if begun {
				out = append(out, word.String())
				word.Reset()
				begun = false
			}
		default:
			begun = true
			word.WriteRune(c)
		}
	}
	if quote != 0 || escaped {
		return nil, fmt.Errorf("quotation without end: %s", s)
	}
	if begun {
		out = append(out, word.String())
	}
	return out, nil
}
