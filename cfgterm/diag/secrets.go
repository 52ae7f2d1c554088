package diag

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Range is a range of bytes of a file; End is exclusive.
type Range struct{ Start, End int }

// secretKeys are the options whose value is a secret, in any of the files that
// Meerkat reads.
var secretKeys = map[string]bool{
	"password": true, "passwd": true, "pass": true, "pwd": true, "secret": true, "passphrase": true,
	"key_pass": true, "keypass": true, "ldap_password": true, "ldap_rootdn_password": true,
	"secret_access_key": true, "access_key_id": true, "access_key": true, "basic_auth": true,
	"auth": true, "jwt_secret": true, "token_secret": true, "secret_key": true, "credentials": true,
	"provision_pre_shared": true, "shared_secret": true, "cookie": true, "setcookie": true,
	"cqerl_auth_plain_handler": true, "api_key": true, "apikey": true, "private_key": true, "auth_token": true,
	"bearer": true, "sql_password": true, "redis_password": true,
}

// textKeys are options whose value is a secret only if it is text: a tuple in
// its place is judged by itself.
var textKeys = map[string]bool{"odbc_server": true, "dsn": true, "rdbms_server": true}

// databaseKeys start a tuple {Type, Host, Port, Database, User, Password}, whose
// port may be left out.
var databaseKeys = map[string]bool{"mysql": true, "pgsql": true, "mssql": true, "odbc": true, "postgresql": true}

// isSecretKey reports whether the value of an option is a secret. exact is false
// if only the sound of the name says so.
func isSecretKey(name string) (secret, exact bool) {
	name = strings.ToLower(name)
	if secretKeys[name] {
		return true, true
	}
	if textKeys[name] {
		return true, false
	}
	for _, p := range []string{"password", "passwd", "secret", "passphrase", "api_key", "private_key", "credential"} {
		if strings.Contains(name, p) && !strings.Contains(name, "format") {
			return true, false
		}
	}
	return false, false
}

// Secrets returns the ranges of src that hold secrets, sorted and without
// overlap: the text between the quotes, for values of options such as password,
// and the words without quotes where such a value is expected. It works on any
// text, so that files that cannot be parsed give nothing away either, and it
// looks into comments: a password that is commented out is one still.
func Secrets(src []byte) []Range {
	var out []Range
	// As a whole, for values that stand on another line than their key; and line
	// by line, in case a quote is missing and turns all that follows inside out.
	out = find(src, 0, len(src), out)
	for from := 0; from < len(src); {
		to := len(src)
		if n := bytes.IndexByte(src[from:], '\n'); n >= 0 {
			to = from + n
		}
		out = find(src, from, to, out)
		from = to + 1
	}
	slices.SortFunc(out, func(a, b Range) int { return a.Start - b.Start })
	merged := out[:0]
	for _, r := range out {
		if n := len(merged); n > 0 && r.Start <= merged[n-1].End {
			merged[n-1].End = max(merged[n-1].End, r.End)
			continue
		}
		merged = append(merged, r)
	}
	return merged
}

// Mask returns src with each character of a secret replaced by an asterisk. The
// result is shorter than src where characters of several bytes are hidden.
func Mask(src []byte) []byte {
	var out []byte
	at := 0
	for _, r := range Secrets(src) {
		out = append(out, src[at:r.Start]...)
		for i := r.Start; i < r.End; {
			_, n := utf8.DecodeRune(src[i:])
			if src[i] == '\n' {
				out = append(out, '\n')
			} else {
				out = append(out, '*')
			}
			i += n
		}
		at = r.End
	}
	return append(out, src[at:]...)
}

// level is an open bracket.
type level struct {
	hide  bool   // everything quoted in it is a secret
	key   string // the word it starts with
	elems int    // quoted texts so far
	words int    // words so far
	third Range  // of a database tuple: the third text or name, if it is the last
}

// databaseText notes a text or name after the key of a database tuple and
// reports whether it is the password: the fourth, after host, database and user.
// With only three something was left out, and the last may be the password; the
// end of the tuple tells.
func (l *level) databaseText(r Range) bool {
	n := l.elems + l.words - 1
	l.third = Range{}
	if n == 3 {
		l.third = r
	}
	return n > 3
}

// find appends the secrets of src[from:to] to out. It reads words, quoted texts
// and brackets and nothing else.
func find(src []byte, from, to int, out []Range) []Range {
	stack := []level{{}}
	pending := false // the word before was the name of a secret
	bare := false    // and its value may be a word without quotes
	deep := false    // and so is all that is in brackets
	top := func() *level { return &stack[len(stack)-1] }
	for i := from; i < to; {
		c := src[i]
		switch {
		case c == '"' || c == '\'':
			start := i + 1
			i = start
			for i < to && src[i] != c {
				if src[i] == '\\' {
					i++
				}
				i++
			}
			end := min(i, to)
			i = end + 1
			l := top()
			text := string(src[start:end])
			if c == '\'' && l.words == 0 && l.elems == 0 && end < to { // {'password', ...}
				l.words++
				l.key = text
				if s, exact := isSecretKey(text); s {
					pending, bare, deep = true, exact, !textKeys[strings.ToLower(text)]
				}
				continue
			}
			// A string that is a key: "password" => ..., as in JSON, YAML or a list
			// of pairs.
			if s, _ := isSecretKey(text); s && !pending && !l.hide && follows(src, i, to) {
				pending, bare, deep = true, false, true
				continue
			}
			l.elems++
			if r := (Range{start, end}); pending || l.hide || databaseKeys[l.key] && l.databaseText(r) {
				out = append(out, r)
			}
			pending = false
		case c == '{' || c == '[' || c == '(':
			stack = append(stack, level{hide: top().hide || pending && deep})
			pending = false
			i++
		case c == '}' || c == ']' || c == ')':
			if len(stack) > 1 {
				if r := top().third; r.End > 0 {
					out = append(out, r)
				}
				stack = stack[:len(stack)-1]
			}
			pending = false
			i++
		case c == '<' || c == '>' || c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '=' || c == ':' || c == '%' || c == '#':
			i++
		case wordByte(c):
			start := i
			for i < to && (wordByte(src[i]) || src[i] == '.' && i+1 < to && wordByte(src[i+1])) {
				i++
			}
			word := string(src[start:i])
			l := top()
			if (pending && bare || l.hide) && !harmless(word) {
				// A value without quotes, up to where it must end.
				for i < to && bytes.IndexByte([]byte(",}])\n% \t"), src[i]) < 0 {
					i++
				}
				out = append(out, Range{start, i})
				pending = false
				continue
			}
			pending = false
			if databaseKeys[l.key] && isNumber(word) {
				continue // the port
			}
			if l.words == 0 {
				l.key = word
			}
			l.words++
			if databaseKeys[l.key] && l.words > 1 && l.databaseText(Range{start, i}) && !harmless(word) {
				out = append(out, Range{start, i})
			}
			if s, exact := isSecretKey(word); s {
				// Only the first word of a tuple, and words before : or =, name what
				// follows.
				if l.words == 1 && l.elems == 0 || follows(src, i, to) {
					pending, bare = true, exact && (len(stack) > 1 || follows(src, i, to))
					deep = !textKeys[strings.ToLower(word)]
				}
			}
		default:
			i++
		}
	}
	return out
}

// follows reports whether a value follows at i: =, :, or =>.
func follows(src []byte, i, to int) bool {
	for i < to && (src[i] == ' ' || src[i] == '\t' || src[i] == '>') {
		i++
	}
	return i < to && (src[i] == ':' || src[i] == '=')
}

// harmless reports whether a word is a value that says nothing: many of the
// secret options have such values too.
func harmless(word string) bool {
	switch word {
	case "undefined", "true", "false", "none", "plain", "scram", "ram", "disk", "mysql", "pgsql", "mssql", "odbc", "file", "env":
		return true
	}
	return false
}

func isNumber(word string) bool {
	return strings.Trim(word, "0123456789") == ""
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '@' || c == '-' || c >= 0x80
}
