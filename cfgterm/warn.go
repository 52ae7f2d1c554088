package cfgterm

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"meerkat/cfgterm/diag"
)

// warn reports what is legal and may not mean what its author thinks. The bytes
// are those of the escape, the character or the number.
func (r *reader) warn(odd oddity, start, end int) {
	if r.warnings >= r.lim.faults {
		return
	}
	switch odd {
	case oddEscape:
		r.warnEscape(start, end)
		return
	case oddLines:
		r.warnLines(start, end)
		return
	case oddControl:
		// \^A to \^_ and \^@ are how control characters are written.
		if c := r.s[start+2]; c >= '@' && c <= '_' {
			return
		}
	}
	d := diag.Diagnostic{Severity: diag.Warning, Span: r.span(start, end)}
	text := r.part(start, end)
	switch odd {
	case oddControl:
		d.Code = codeEscape
		d.Summary = "this escape sequence is a control character"
		d.Help = `write two backslashes if one is meant`
	case oddBlank:
		c, _ := r.rune(start)
		d.Severity = diag.Info
		d.Code = codeBlank
		d.Summary = fmt.Sprintf("the character U+%04X counts as a blank", c)
		if c == 0xA0 {
			d.Summary = "a no-break space (U+00A0) counts as a blank"
		}
		d.Help = "write a plain blank: in quotes it would not be the same"
	case oddSeparate:
		d.Severity = diag.Info
		d.Code = codeOlder
		d.Summary = "digits with _ between them need OTP 23 or later"
		d.Help = "write " + strings.ReplaceAll(text, "_", "") + " if a MongooseIM 2.0.1 node is to read the file too"
	case oddWide:
		d.Severity = diag.Info
		d.Code = codeOlder
		d.Summary = "atoms with characters above U+00FF need OTP 20 or later"
		d.Help = "a MongooseIM 2.0.1 node on OTP 17 to 19 does not read the file"
	case oddReserved:
		d.Severity = diag.Info
		d.Code = codeNewer
		d.Summary = fmt.Sprintf("%s is a reserved word from OTP 27 on", text)
		d.Help = fmt.Sprintf("write '%s', which all releases read", text)
	case oddTriple:
		d.Code = codeNewer
		d.Summary = "three quotes: read as an empty string and the start of another, as before OTP 27"
		d.Help = "from OTP 27 on this starts a text over several lines; write one quote"
	}
	r.add(d)
}

// warnEscape reports a backslash that is dropped, once for each text.
func (r *reader) warnEscape(start, end int) {
	if r.escaped == r.tok.start {
		return
	}
	text := r.part(start, end)
	c, _ := utf8.DecodeRuneInString(text[1:])
	if c == '/' || c == '@' || c == ' ' {
		return // dropping it changes nothing that anybody would notice
	}
	r.escaped = r.tok.start
	d := diag.Diagnostic{
		Severity: diag.Warning, Code: codeEscape, Span: r.span(start, end),
		Summary: "this is no escape sequence: the backslash is dropped",
		Help:    "write two backslashes for one",
	}
	if unicode.IsPrint(c) {
		d.Summary = text + " is no escape sequence: the backslash is dropped"
		d.Help = fmt.Sprintf(`write \\%s for a backslash`, text[1:])
	}
	before := r.s[min(r.tok.start+1, start):start]
	switch {
	case drive(before) || unicode.IsLetter(c) && strings.Contains(before, `:\`):
		d.Summary = "the backslashes of this path are dropped"
		d.Help = `write the path with / or with two backslashes: "C:/certs/a.pem"`
	case strings.ContainsRune(".*+?()[]{}|-$", c):
		d.Help = fmt.Sprintf(`write \\%s: a regular expression needs the backslash`, text[1:])
	}
	r.add(d)
}

// drive reports whether a text so far is the drive letter of a Windows path, or
// a path.
func drive(s string) bool {
	return len(s) >= 2 && s[1] == ':' && class[s[0]] <= cUpper && class[s[0]] >= cLower && (len(s) == 2 || s[2] == '\\')
}

// warnBinary reports a binary that holds something else than what is written.
func (r *reader) warnBinary(odd binaryOddity, start, end int) {
	if r.warnings >= r.lim.faults {
		return
	}
	d := diag.Diagnostic{Severity: diag.Warning, Code: codeBytes, Span: r.span(start, end)}
	switch odd {
	case oddText:
		d.Summary = "characters outside of ASCII lose all but their low byte here"
		d.Help = "write /utf8 after the text: <<\"...\"/utf8>>"
	case oddCut:
		d.Summary = "the number does not fit into its bits: only the low ones are kept"
		d.Help = "give a size: <<1000:16>>"
	}
	r.add(d)
}

// warnJoined reports strings that follow each other without a comma: in a list,
// and where no blank is between them.
func (r *reader) warnJoined(first, second token) {
	if r.warnings >= r.lim.faults {
		return
	}
	switch {
	case r.inList:
		r.add(diag.Diagnostic{
			Severity: diag.Warning, Code: codeJoined, Span: r.span(first.end, first.end),
			Summary: "two strings without a comma between them are one string",
			Help:    "write a comma at " + r.where(first.end) + " if they are two elements",
			Related: []diag.Related{{Span: r.span(second.start, second.end), Text: "joined with this one"}},
		})
	case first.end == second.start && first.end > first.start+2 && second.end > second.start+2:
		r.add(diag.Diagnostic{
			Severity: diag.Warning, Code: codeNewer, Span: r.span(first.end, first.end),
			Summary: "two strings without a blank between them: an error from OTP 27 on",
			Help:    "write a blank between them; a quote within a text is written \\\"",
		})
	}
}

// warnLines reports a quoted text over several lines that seems to hold terms:
// two missing quotes make a file that reads, and says something else.
func (r *reader) warnLines(start, end int) {
	text := r.s[start:end]
	for _, line := range strings.Split(text, "\n")[1:] {
		if startsTop(line) && strings.Contains(line, ",") || strings.HasPrefix(line, "%%") {
			from := start + strings.Index(text, "\n"+line) + 1
			r.add(diag.Diagnostic{
				Severity: diag.Warning, Code: codeJoined, Span: r.span(start, start+1),
				Summary: fmt.Sprintf("the text that opens here ends only at line %d and seems to hold terms", r.lineOf(end-1)),
				Help:    "a quote may be missing on this line",
				Related: []diag.Related{{Span: r.span(from, from+1), Text: "this is within the text"}},
			})
			return
		}
	}
}

func (r *reader) lineOf(off int) int {
	line, _ := r.f.Position(off)
	return line
}

// warnCoding reports a coding comment that does not do what it says.
func (r *reader) warnCoding() {
	name, ok := codingName(r.f.Src)
	if !ok {
		return
	}
	at := strings.Index(string(r.f.Src), "coding")
	span := r.span(at, at+len("coding"))
	switch {
	case encodingOf(name) == "" && name != "" && !strings.HasPrefix(strings.ToLower(name), "utf"):
		r.add(diag.Diagnostic{
			Severity: diag.Warning, Code: codeCoding, Span: span,
			Summary: fmt.Sprintf("the encoding %q of the coding comment is not known: the file is read as UTF-8", name),
			Help:    "Erlang knows latin-1 and utf-8",
		})
	case r.latin1 && !isASCII(r.s) && utf8.ValidString(r.s):
		r.add(diag.Diagnostic{
			Severity: diag.Warning, Code: codeCoding, Span: span,
			Summary: "the file declares Latin-1 and seems to be UTF-8: its letters are read wrongly",
			Help:    "write utf-8 in the coding comment, or remove it",
		})
	}
}

// warnKeys reports keys that a map has twice.
func (r *reader) warnKeys(key Term) {
	if r.warnings >= r.lim.faults {
		return
	}
	r.add(diag.Diagnostic{
		Severity: diag.Warning, Code: codeKeyTwice, Span: key.Span(),
		Summary: "the map has this key again later: this value is dropped",
		Help:    "remove one of the two",
	})
}
