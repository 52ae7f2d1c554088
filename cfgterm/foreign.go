package cfgterm

import (
	"bytes"
	"fmt"
	"strings"

	"meerkat/cfgterm/diag"
)

// foreign reports a file that is not made of terms at all. It is asked once,
// when the first term of a file is wrong.
func (r *reader) foreign() bool {
	d, ok := r.otherFormat()
	if !ok {
		return false
	}
	d.Erlang = r.f.Erlang
	r.add(d)
	r.pos = r.end
	r.tok.kind = kEOF
	r.f.Broken = append(r.f.Broken, Broken{At: r.span(0, len(r.f.Src))})
	return true
}

// otherFormat guesses the format of a file that is none of terms.
func (r *reader) otherFormat() (d diag.Diagnostic, ok bool) {
	src := r.f.Src
	other := func(what, help string) (diag.Diagnostic, bool) {
		return diag.Diagnostic{Code: codeOther, Span: r.span(0, min(1, len(src))), Summary: "the file is " + what + ", not a file of Erlang terms", Help: help}, true
	}
	const terms = "a configuration is made of terms: {hosts, [\"example.org\"]}."
	head := src[:min(len(src), 512)]
	switch {
	case bytes.HasPrefix(src, []byte{0xFF, 0xFE}), bytes.HasPrefix(src, []byte{0xFE, 0xFF}), 3*bytes.Count(head, []byte{0}) > len(head):
		return other("UTF-16 text", "save it as UTF-8 without a byte-order mark")
	case bytes.HasPrefix(src, []byte{0x1F, 0x8B}):
		return other("compressed with gzip", "unpack it first")
	case bytes.HasPrefix(src, []byte("PK\x03\x04")):
		return other("a ZIP archive", "unpack it first")
	case bytes.HasPrefix(src, []byte("\x7FELF")):
		return other("a program", "")
	case bytes.HasPrefix(src, []byte("SQLite format")):
		return other("an SQLite database", "")
	case bytes.Contains(head, []byte("-----BEGIN ")):
		return other("a PEM file with a key or a certificate", "name it in an option: {certfile, \"/path/to/it\"}")
	}

	type line struct {
		text string
		off  int
	}
	var sig []line // lines that are neither blank nor comments
	off := 0
	for _, l := range bytes.SplitAfter(src, []byte{'\n'}) {
		t := strings.TrimRight(string(l), " \t\r\n")
		b := strings.TrimLeft(t, " \t")
		switch {
		case off == 0 && strings.HasPrefix(b, "#!"):
			return other("a script", "")
		case b == "", strings.HasPrefix(b, "%"):
		case strings.HasPrefix(b, "#"), strings.HasPrefix(b, "//"), strings.HasPrefix(b, ";"), strings.HasPrefix(b, "-- "):
		default:
			sig = append(sig, line{t, off})
		}
		off += len(l)
		if len(sig) == 40 {
			break
		}
	}
	if len(sig) == 0 {
		return d, false
	}
	at := func(l line) diag.Span {
		indent := len(l.text) - len(strings.TrimLeft(l.text, " \t"))
		return r.span(l.off+indent, l.off+len(l.text))
	}
	first := sig[0]
	text := strings.TrimLeft(first.text, " \t\uFEFF")

	switch {
	case isYAML(first.text), strings.HasPrefix(first.text, "---") && len(sig) > 1 && isYAML(sig[1].text):
		return diag.Diagnostic{
			Code: codeYAML, Span: at(first),
			Summary: "the file is YAML, as ejabberd has it since 13.10, not a file of Erlang terms",
			Help:    "Meerkat reads the ejabberd.cfg of MongooseIM and its own TOML; there, hosts: [\"a\"] is {hosts, [\"a\"]}.",
		}, true
	case isTable(first.text) && len(sig) > 1 && (hasEquals(sig[1].text) || isTable(sig[1].text)):
		return diag.Diagnostic{
			Code: codeTOML, Span: at(first),
			Summary: "the file is TOML, as MongooseIM has it since 4.0, not a file of Erlang terms",
			Help:    "name it with the ending .toml if it is Meerkat's own configuration",
		}, true
	case isJSON(src[first.off:]):
		return other("JSON", terms)
	case strings.HasPrefix(text, "<?xml"), strings.HasPrefix(strings.ToLower(text), "<!doctype"), isElement(text):
		return other("XML or HTML", terms)
	case isLua(text):
		return other("a configuration of Prosody", terms)
	case isArgs(text):
		return other("a list of command line flags, such as vm.args", "give ejabberd.cfg in its place")
	case hasEquals(first.text) && (len(sig) == 1 || hasEquals(sig[1].text) || isTable(sig[1].text)):
		if tomlValue(first.text) {
			return diag.Diagnostic{
				Code: codeTOML, Span: at(first),
				Summary: "the file is TOML, not a file of Erlang terms",
				Help:    "name it with the ending .toml if it is Meerkat's own configuration",
			}, true
		}
		return other("a list of NAME = VALUE lines", fmt.Sprintf("%s = VALUE is written {%s, VALUE}.", name(first.text), name(first.text)))
	}
	return d, false
}

// name returns the word that a line starts with.
func name(line string) string {
	n := 0
	for n < len(line) && isWordByte(line[n]) {
		n++
	}
	return line[:n]
}

// isYAML reports whether a line is "key:" or "key: value" from column 1 on, or
// an element of a list.
func isYAML(line string) bool {
	key := name(strings.ReplaceAll(line, "-", "_"))
	if key == "" || len(key) >= len(line) || line[len(key)] != ':' {
		return false
	}
	rest := line[len(key)+1:]
	return rest == "" || rest[0] == ' ' || rest[0] == '\t'
}

// isTable reports whether a line is [name] or [[name]].
func isTable(line string) bool {
	line, _, _ = strings.Cut(line, "#")
	line = strings.TrimRight(line, " \t")
	if len(line) < 3 || line[0] != '[' || line[len(line)-1] != ']' {
		return false
	}
	inner := strings.Trim(line, "[]")
	for i := range len(inner) {
		if c := inner[i]; c >= 0x80 || !isName(rune(c)) && c != '.' && c != '-' && c != '"' && c != ' ' {
			return false
		}
	}
	return inner != "" && !strings.HasSuffix(line, "].")
}

// hasEquals reports whether a line is "name = value".
func hasEquals(line string) bool {
	line = strings.TrimLeft(line, " \t")
	key := name(strings.ReplaceAll(line, "-", "_"))
	rest := strings.TrimLeft(line[len(key):], " \t")
	return key != "" && strings.HasPrefix(rest, "=") && !strings.HasPrefix(rest, "==") && !strings.HasSuffix(line, ".")
}

// tomlValue reports whether what follows the equals sign is a value of TOML.
func tomlValue(line string) bool {
	_, v, _ := strings.Cut(line, "=")
	v = strings.TrimLeft(v, " \t")
	return v != "" && strings.IndexByte(`"'[{0123456789tf`, v[0]) >= 0
}

// isJSON reports whether src starts with {"key": or [{"key":.
func isJSON(src []byte) bool {
	s := bytes.TrimLeft(src, " \t\r\n[")
	if len(s) == 0 || s[0] != '{' {
		return false
	}
	s = bytes.TrimLeft(s[1:], " \t\r\n")
	if len(s) == 0 || s[0] != '"' {
		return false
	}
	n := bytes.IndexByte(s[1:], '"')
	if n < 0 {
		return false
	}
	s = bytes.TrimLeft(s[n+2:], " \t\r\n")
	return len(s) > 0 && s[0] == ':' && !bytes.HasPrefix(s, []byte("::"))
}

// isElement reports whether a line starts with an XML tag.
func isElement(line string) bool {
	if len(line) < 3 || line[0] != '<' || class[line[1]] != cLower || !strings.Contains(line, ">") {
		return false
	}
	n := name(line[1:])
	return strings.IndexByte(" >/:", line[1+len(n)]) >= 0
}

// isLua reports whether a line is one of those that every configuration of
// Prosody has.
func isLua(line string) bool {
	for _, p := range []string{"VirtualHost", "Component", "modules_enabled", "plugin_paths", "admins"} {
		if rest, ok := strings.CutPrefix(line, p); ok {
			rest = strings.TrimLeft(rest, " \t")
			return strings.HasPrefix(rest, `"`) && p[0] < 'a' || strings.HasPrefix(rest, "=") && strings.Contains(rest, "{")
		}
	}
	return false
}

// isArgs reports whether a line is a flag of vm.args.
func isArgs(line string) bool {
	for _, p := range []string{"-sname ", "-name ", "-setcookie ", "+K ", "+A ", "+P ", "-env ", "-smp "} {
		if strings.HasPrefix(line, p) {
			return true
		}
	}
	return false
}
