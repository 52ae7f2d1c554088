package cfgterm

import (
	"slices"

	"meerkat/cfgterm/diag"
)

// Codes of the diagnostics of this package. They never change. SYN001 to SYN019
// are errors, SYN020 and above warnings and remarks.
const (
	codeChar           = "SYN001"
	codeQuote          = "SYN002"
	codeUnfinishedChar = "SYN003"
	codeNumber         = "SYN004"
	codeAtom           = "SYN005"
	codeEncoding       = "SYN006"
	codeTrailingComma  = "SYN007"
	codeMissingComma   = "SYN008"
	codeMissingDot     = "SYN009"
	codeDotBlank       = "SYN010"
	codeBracket        = "SYN011"
	codeAddress        = "SYN012"
	codeReserved       = "SYN013"
	codeVariable       = "SYN014"
	codeSeparator      = "SYN015"
	codeExpression     = "SYN016"
	codeUnexpected     = "SYN017"
	codeLimit          = "SYN018"
	codeComment        = "SYN019"
	codeEscape         = "SYN020"
	codeBytes          = "SYN021"
	codeNewer          = "SYN022"
	codeOlder          = "SYN023"
	codeJoined         = "SYN024"
	codeBlank          = "SYN025"
	codeCoding         = "SYN026"
	codeKeyTwice       = "SYN027"
	codeTemplate       = "TPL001"
	codeYAML           = "FMT001"
	codeTOML           = "FMT002"
	codeOther          = "FMT003"
)

// Codes returns the explanations of all diagnostics of this package, in the
// order of their codes. The caller owns the slice.
func Codes() []diag.Code { return slices.Clone(codes) }

// codes is the table of all diagnostics: what each means, an example, and what
// to write instead. A test reads every example and every fix.
var codes = []diag.Code{
	{
		Code: codeYAML, Title: "the file is YAML",
		Text: `The file looks like the ejabberd.yml of ejabberd 13.10 or later. Meerkat reads the ejabberd.cfg of MongooseIM, which
is made of Erlang terms. The two share most names of options: "hosts:" with a list below it becomes {hosts, [...]}, a
mapping becomes a list of {name, value} tuples, and each top-level term ends with a dot.`,
		Example: "hosts:\n  - \"example.org\"\nloglevel: 4\n",
		Fix:     "{hosts, [\"example.org\"]}.\n{loglevel, 4}.\n",
	},
	{
		Code: codeTOML, Title: "the file is TOML",
		Text: `The file looks like the configuration of MongooseIM 4.0 or later, or like Meerkat's own, which are TOML. A file
given as ejabberd.cfg is read as Erlang terms. Files whose names end in .toml are read as TOML.`,
		Example: "[general]\n  loglevel = \"warning\"\n  hosts = [\"example.org\"]\n",
		Fix:     "{loglevel, 3}.\n{hosts, [\"example.org\"]}.\n",
	},
	{
		Code: codeOther, Title: "the file has another format",
		Text: `The file is no file of Erlang terms at all, but JSON, XML, a configuration of another server, a certificate, a
compressed file, or text in UTF-16. Check that the path names the right file.`,
		Example: "{\"hosts\": [\"example.org\"]}\n",
		Fix:     "{hosts, [\"example.org\"]}.\n",
	},
	{
		Code: codeChar, Title: "a character that cannot stand there",
		Text: `Outside of quotes a file of terms has ASCII letters, digits and punctuation, and the letters of Latin-1. Other
characters are an error there, such as the curly quotes and dashes that word processors write, blanks of other
widths, and the byte-order mark that some editors put at the start of a file; so are the characters ` + "@ ? \\ ^ & ~ `" + `
where no name is before them. Within quotes every character may stand.

The code is also given to escape sequences that stand for no character, such as \x with fewer than two digits.`,
		Example: "{hosts, [“example.org”]}.\n",
		Fix:     "{hosts, [\"example.org\"]}.\n",
	},
	{
		Code: codeQuote, Title: "a quote that is never closed",
		Text: `A text in " or ' was opened and never closed. Texts may go over several lines, so a forgotten quote swallows what
follows up to the next quote, and from there on all texts and all that is between them change roles. Erlang reports
that where it stumbles: often at the last quote of the file, far from the fault. Meerkat looks for the first line with an odd
number of quotes, and checks whether the term can be read if the quote is written there.

A quote within a text needs a backslash: "say \"hi\"". A text with an apostrophe goes into double quotes.`,
		Example: "{hosts, [\"example.org]}.\n{language, \"en\"}.\n",
		Fix:     "{hosts, [\"example.org\"]}.\n{language, \"en\"}.\n",
	},
	{
		Code: codeUnfinishedChar, Title: "the file ends within a character",
		Text: `A $ outside of quotes stands for the code of the character after it: $a is 97. Here the file ends after the $. Most
often the text it belongs to lacks its quotes.`,
		Example: "{price, $",
		Fix:     "{price, \"$\"}.\n",
	},
	{
		Code: codeNumber, Title: "a malformed number",
		Text: `Numbers are written as 5222, -1, 1.5, 1.0e-3, 16#ff (digits of a base from 2 to 36), $a (the code of a character). A
float has digits on both sides of its dot; 1e3, 1. and .5 are none, and neither is 0xff a number. Units are not known:
write 60000, not 60s. Numbers beyond 1.8e308 are too large for a float.`,
		Example: "{timeout, 30s}.\n",
		Fix:     "{timeout, 30}.\n",
	},
	{
		Code: codeAtom, Title: "a name that is too long",
		Text: `An atom or a variable has at most 255 characters. Long names are usually texts that lack their double quotes, or a
quoted atom that was closed too late.`,
	},
	{
		Code: codeEncoding, Title: "a byte that is not UTF-8",
		Text: `Files of terms are UTF-8 unless a comment in the first two lines says otherwise. A single byte that is not UTF-8,
even in a comment, makes the whole file unreadable to Erlang. Older editors saved such files in Latin-1 (ISO 8859-1).
Either convert the file (iconv -f latin1 -t utf-8), or write this as its first line:

  %% coding: latin-1

The name must be latin-1, with the hyphen: Erlang takes no notice of latin1 or iso-8859-1.`,
		Example: "{welcome, \"\xE9\"}.\n",
		Fix:     "{welcome, \"é\"}.\n",
	},
	{
		Code: codeTrailingComma, Title: "a comma too many",
		Text: `Commas stand between the elements of a list or tuple, not after the last one and not before the first. This often
comes from turning the last element into a comment: the comma of the one before must go then. Erlang names the bracket
after the comma.`,
		Example: "{modules, [\n  {mod_disco, []},\n  %% {mod_bosh, []}\n]}.\n",
		Fix:     "{modules, [\n  {mod_disco, []}\n  %% {mod_bosh, []}\n]}.\n",
	},
	{
		Code: codeMissingComma, Title: "a missing comma",
		Text: `Two elements of a list or tuple follow each other without a comma. This often comes from adding an element at the
end, or from removing the % before one. Erlang names the element after the gap, which may be many lines below the line
that lacks the comma.`,
		Example: "{modules, [\n  {mod_disco, []}\n  {mod_bosh, []}\n]}.\n",
		Fix:     "{modules, [\n  {mod_disco, []},\n  {mod_bosh, []}\n]}.\n",
	},
	{
		Code: codeMissingDot, Title: "a term without its final dot",
		Text: `Each top-level term ends with a dot, and the dot must be followed by a blank, a new line, a comment or the end of
the file. Without it the next term is read as part of this one.`,
		Example: "{hosts, [\"example.org\"]}\n{loglevel, 3}.\n",
		Fix:     "{hosts, [\"example.org\"]}.\n{loglevel, 3}.\n",
	},
	{
		Code: codeDotBlank, Title: "a dot without a blank after it",
		Text: `A dot ends a term only if a blank, a new line, a comment or the end of the file follows it. Terms on one line need
a blank between the dot and the next term.`,
		Example: "{loglevel, 3}.{hosts, [\"example.org\"]}.\n",
		Fix:     "{loglevel, 3}. {hosts, [\"example.org\"]}.\n",
	},
	{
		Code: codeBracket, Title: "brackets that do not match",
		Text: `Each ( [ { << needs its ) ] } >>, in the right order. If one is missing, Erlang reads on through the following terms
and names a dot or a bracket far below. Meerkat names the innermost bracket that is open, and the first line after it
that looks like the start of a term: the missing bracket belongs between the two.`,
		Example: "{modules, [\n  {mod_disco, []}\n\n{loglevel, 3}.\n",
		Fix:     "{modules, [\n  {mod_disco, []}\n]}.\n\n{loglevel, 3}.\n",
	},
	{
		Code: codeAddress, Title: "an address or a name without quotes",
		Text: `Host names, addresses, paths and names with a hyphen are texts and need quotes: "example.org", "/etc/ssl/cert.pem".
Without them a dot ends the term, a hyphen is a subtraction and a slash a division. Options that want an IP address
as such take a tuple of numbers: {127,0,0,1}.`,
		Example: "{hosts, [example.org]}.\n",
		Fix:     "{hosts, [\"example.org\"]}.\n",
	},
	{
		Code: codeReserved, Title: "a reserved word used as an atom",
		Text: `These words belong to the language and are no atoms unless they are quoted: after and andalso band begin bnot bor
bsl bsr bxor case catch cond div end fun if let not of or orelse receive rem try when xor. From OTP 27 on also maybe
and else.`,
		Example: "{ldap_search_operator, or}.\n",
		Fix:     "{ldap_search_operator, 'or'}.\n",
	},
	{
		Code: codeVariable, Title: "a bare word that starts with a capital letter",
		Text: `Words that start with a capital letter or an underscore are variables to Erlang, and a file of terms has none. Write
the word in double quotes if it is text, in single quotes or in lower case if it is an atom. Erlang only says "bad
term" and names the line where the whole term starts.`,
		Example: "{hosts, [Localhost]}.\n",
		Fix:     "{hosts, [\"Localhost\"]}.\n",
	},
	{
		Code: codeSeparator, Title: "a wrong separator",
		Text: `The elements of lists and tuples are separated by commas, top-level terms end with dots. Semicolons, colons and
equals signs have no place in either; => is for maps only.`,
		Example: "{loglevel, 3};\n{language, \"en\"}.\n",
		Fix:     "{loglevel, 3}.\n{language, \"en\"}.\n",
	},
	{
		Code: codeExpression, Title: "an expression in place of a value",
		Text: `A file of terms holds values. It is read with the grammar of Erlang's expressions, so that 600*1000, "a" ++ "b" and
a:b() are understood and then refused, with nothing but "bad term" and the line where the term starts. Write the value
that the expression has.`,
		Example: "{timeout, 60*1000}.\n",
		Fix:     "{timeout, 60000}.\n",
	},
	{
		Code: codeUnexpected, Title: "something that is not expected there",
		Text: `The file cannot be read at this place, and no likelier cause was found. The forms of terms are: {name, value},
[a, b], "text", 'Atom' or atom, 123, 1.5, <<"binary">>, #{key => value}.`,
		Example: "{hosts, [a | b | c]}.\n",
		Fix:     "{hosts, [a, b, c]}.\n",
	},
	{
		Code: codeLimit, Title: "a bound was crossed",
		Text: `Files, the depth of nesting, numbers and binaries are bounded, so that no file can take all memory. Erlang has no
such bounds; the bounds are far above what a configuration needs.`,
	},
	{
		Code: codeComment, Title: "a comment of another language",
		Text:    `Comments start with % and go to the end of the line. #, //, /* */ and ; do not start comments.`,
		Example: "# the hosts\n{hosts, [\"example.org\"]}.\n",
		Fix:     "% the hosts\n{hosts, [\"example.org\"]}.\n",
	},
	{
		Code: codeEscape, Severity: diag.Warning, Title: "a backslash that is dropped",
		Text: `In quotes a backslash starts an escape sequence: \n \r \t \v \b \f \e \s \d, \101 (octal), \x41, \x{1F600}, \^A. Before
any other character it is dropped without a word: "C:\certs\a.pem" is read as C:certsa.pem, and the dot of "a\.b" stays
one that matches everything. Write two backslashes for one.`,
		Example: "{certfile, \"C:\\certs\\server.pem\"}.\n",
		Fix:     "{certfile, \"C:/certs/server.pem\"}.\n",
	},
	{
		Code: codeBytes, Severity: diag.Warning, Title: "a binary that does not hold what it shows",
		Text: `Each element of <<...>> is eight bits unless it says otherwise. Characters of a text keep only the low eight bits of
their code, so that <<"é">> is one byte that is no UTF-8 and <<"ł">> is the letter B; numbers above 255 lose their
upper bits. Write /utf8 after texts, and a size after numbers: <<1000:16>>.`,
		Example: "{subject, <<\"Grüße\">>}.\n",
		Fix:     "{subject, <<\"Grüße\"/utf8>>}.\n",
	},
	{
		Code: codeNewer, Severity: diag.Warning, Title: "newer releases of Erlang read this otherwise",
		Text: `From OTP 27 on three double quotes start a text over several lines. All releases that MongooseIM 2.0.1 ran on, and
Meerkat, read them as an empty string joined with the text that follows.`,
		Example: "{welcome, \"\"\"hello\"\"\"}.\n",
		Fix:     "{welcome, \"hello\"}.\n",
	},
	{
		Code: codeOlder, Severity: diag.Info, Title: "older releases of Erlang do not read this",
		Text: `Meerkat reads the file. A MongooseIM 2.0.1 node, which runs on OTP 17 to 19, does not: digit separators (1_000) came
with OTP 23, atoms with characters above U+00FF with OTP 20.`,
		Example: "{max_fsm_queue, 1_000}.\n",
		Fix:     "{max_fsm_queue, 1000}.\n",
	},
	{
		Code: codeJoined, Severity: diag.Warning, Title: "texts that may have run together",
		Text: `Strings that follow each other without a comma are one string, also over several lines, and a string may hold line
ends. Both are legal and both may come from a forgotten comma or quote: ["a" "b"] is a list of one element.`,
		Example: "{hosts, [\"a.example\" \"b.example\"]}.\n",
		Fix:     "{hosts, [\"a.example\", \"b.example\"]}.\n",
	},
	{
		Code: codeBlank, Severity: diag.Info, Title: "an odd character that counts as a blank",
		Text: `Outside of quotes the control characters and U+0080 to U+00A0, the no-break space among them, count as blanks. They
often come from copying out of a web page; in quotes they would be part of the text.`,
		Example: "{loglevel,\u00A03}.\n",
		Fix:     "{loglevel, 3}.\n",
	},
	{
		Code: codeCoding, Severity: diag.Warning, Title: "a doubtful coding comment",
		Text: `A comment in the first two lines may declare the encoding: %% coding: latin-1 or %% coding: utf-8. Other names,
latin1 and iso-8859-1 among them, are not known and leave UTF-8. The warning is also given if a file declares Latin-1
and its text is UTF-8: each letter beyond ASCII is then read as two others.`,
		Example: "%% coding: iso-8859-1\n{loglevel, 3}.\n",
		Fix:     "%% coding: latin-1\n{loglevel, 3}.\n",
	},
	{
		Code: codeKeyTwice, Severity: diag.Warning, Title: "a map with the same key twice",
		Text:    `Of equal keys of a map the last one counts. The others have no effect.`,
		Example: "{a, #{k => 1, k => 2}}.\n",
		Fix:     "{a, #{k => 2}}.\n",
	},
	{
		Code: codeTemplate, Title: "a template that was never rendered",
		Text: `The file holds marks that a build, Chef, Puppet, Ansible or a script was to fill in: {{hosts}}, {{{hosts}}}, <%= %>,
{% %}, ${name}. Some of these are legal Erlang, so that the file may be read and fail much later: {{hosts}} is a tuple in
a tuple, and in quotes everything is. Give the file that comes out of the template. The names of MongooseIM's own template
are errors wherever they stand; other marks in quotes are a warning.`,
		Example: "{hosts, {{hosts}}}.\n",
		Fix:     "{hosts, [\"example.org\"]}.\n",
	},
}
