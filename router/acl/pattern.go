package acl

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// pattern is a compiled regular expression.
type pattern interface{ match(s string) bool }

// everything is the pattern that is found in every text: "" and ".*". It is what
// nearly every file has as {user_regexp, ""}.
type everything struct{}

func (everything) match(string) bool { return true }

type linear struct{ re *regexp.Regexp }

func (p linear) match(s string) bool { return p.re.MatchString(s) }

// matchTime bounds one search with the backtracking engine. One that takes longer
// counts as not found.
const matchTime = 100 * time.Millisecond

type backtracking struct{ re *regexp2.Regexp }

func (p backtracking) match(s string) bool {
	ok, err := p.re.MatchString(s)
	return err == nil && ok
}

// compilePattern compiles a Perl-compatible regular expression, with Go's engine if
// that can do it, else with one that backtracks; slow then says what was asked for.
func compilePattern(src string) (p pattern, slow string, err error) {
	if src == "" || src == ".*" {
		return everything{}, "", nil
	}
	re, err := regexp.Compile(src)
	if err == nil {
		return linear{re}, "", nil
	}
	re2, err2 := regexp2.Compile(src, regexp2.None)
	if err2 != nil {
		return nil, "", err
	}
	re2.MatchTimeout = matchTime
	slow = err.Error()
	if e, ok := err.(*syntax.Error); ok {
		slow = e.Expr
	}
	return backtracking{re2}, slow, nil
}

// globRegexp turns a shell pattern into the regular expression that MongooseIM
// makes of it: * is .*, ? is ., [..] a class, and braces stay, so that a{2} is a
// repetition. There is no way to escape.
func globRegexp(glob string) string {
	var b strings.Builder
	b.WriteString("^(")
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; c {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteByte('.')
		case '[':
			i += class(&b, glob[i:]) - 1
		case '|', '+', '(', ')', '\\', '^', '$', '.', '"', ']':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteString(")$")
	return b.String()
}

// class writes the class at the beginning of glob and returns its length. A class
// that does not end swallows the rest, and is no valid pattern then.
func class(b *strings.Builder, glob string) int {
	if strings.HasPrefix(glob, "[^]") {
		b.WriteString(`\^`)
		return 3
	}
	end := strings.IndexByte(glob, ']')
	if end < 0 {
		b.WriteString(glob)
		return len(glob)
	}
	inner := glob[1:end]
	switch {
	case strings.HasPrefix(inner, "!"):
		b.WriteString("[^" + inner[1:] + "]")
	case strings.HasPrefix(inner, "^"):
		b.WriteString("[" + inner[1:] + "^]")
	default:
		b.WriteString("[" + inner + "]")
	}
	return end + 1
}
