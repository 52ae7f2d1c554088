package cfgterm

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"strings"

	"meerkat/cfgterm/diag"
)

// TemplateNames are the variables of the template that MongooseIM's build makes
// ejabberd.cfg from, in the order of the alphabet. {{hosts}} is a legal term, a
// tuple in a tuple: a file may hold such marks and be read all the same.
var TemplateNames = []string{
	"all_metrics_are_global", "auth_ldap", "auth_method", "c2s_dhfile", "c2s_port", "cassandra_server",
	"cassandra_servers", "cowboy_port", "cowboy_port_secure", "cowboy_secure_port", "cowboy_server_name",
	"cyrsasl_external", "ejabberd_c2s_port", "ejabberd_s2s_in_port", "ejabberd_service",
	"elasticsearch_server", "ext_auth_script", "host_config", "hosts", "http_api_client_endpoint",
	"http_api_endpoint", "http_api_old_endpoint", "https_config", "incoming_s2s_port", "mod_amp",
	"mod_blocking", "mod_last", "mod_offline", "mod_privacy", "mod_private", "mod_roster", "mod_vcard",
	"module_host_config", "odbc_pools", "odbc_server", "odbc_server_type", "outgoing_pools",
	"outgoing_s2s_port", "password_format", "rdbms_server_type", "registration_watchers", "riak_server",
	"s2s_addr", "s2s_certfile", "s2s_default_policy", "s2s_dhfile", "s2s_use_starttls", "sasl_mechanisms",
	"scram_iterations", "secondary_c2s", "sm_backend", "tls_config", "tls_module", "zlib",
}

// IsTemplateName reports whether name is one of TemplateNames.
func IsTemplateName(name string) bool {
	_, ok := slices.BinarySearch(TemplateNames, name)
	return ok
}

// A mark is a place in a template that is to be filled in.
type mark struct {
	start, end int
	engine     string // who fills it in
	name       string // of the variable; "" if it is not a plain name
	term       bool   // outside of quotes it is a term as good as any
}

// marks returns the template marks between two offsets, those in comments left
// out.
func (r *reader) marks(from, to int) (out []mark) {
	if !mayHold(r.f.Src[from:to]) {
		return nil
	}
	s := string(r.f.Src[from:to])
	comment := -1 // start of a comment that is part of a mark: <% is read as < and a comment
	for i := 0; i < len(s); {
		n := strings.IndexAny(s[i:], "{<$")
		if n < 0 {
			break
		}
		i += n
		m, ok := markAt(s[i:])
		if !ok {
			i++
			continue
		}
		start := from + i
		m.start, m.end = start, start+m.end
		if len(out) == 10000 {
			break
		}
		c := r.inComment(start)
		if inside := r.inComment(start + 1); c < 0 && inside >= 0 && inside < m.end {
			comment = inside
		}
		if c >= 0 && c != comment {
			i++
			continue
		}
		i += m.end - m.start
		if !m.term || r.inQuotes(start) {
			out = append(out, m)
		}
	}
	return out
}

// mayHold reports whether there may be template marks in b. Most files have none,
// and reading them must not take longer for it.
func mayHold(b []byte) bool {
	if pair(b, '<', '%') || pair(b, '$', '{') {
		return true
	}
	// {{5222, "::"}, ...} is no mark: a word must follow, and then }}.
	for {
		n := bytes.IndexByte(b, '{')
		if n < 0 || n+1 >= len(b) {
			return false
		}
		next := b[n+1]
		b = b[n+1:]
		if next == '%' {
			return true
		}
		if next != '{' {
			continue
		}
		b = b[1:]
		i := 0
		for i < len(b) && (b[i] == '{' || b[i] == ' ') {
			i++
		}
		word := i
		for i < len(b) && (class[b[i]] == cLower || class[b[i]] == cUpper || class[b[i]] == cDigit) {
			i++
		}
		for i > word && i < len(b) && b[i] == ' ' {
			i++
		}
		if i > word && bytes.HasPrefix(b[i:], []byte("}}")) {
			return true
		}
	}
}

// pair reports whether the two bytes stand somewhere, the first of them being
// rare.
func pair(b []byte, first, second byte) bool {
	for {
		n := bytes.IndexByte(b, first)
		if n < 0 || n+1 >= len(b) {
			return false
		}
		if b[n+1] == second {
			return true
		}
		b = b[n+1:]
	}
}

// inComment returns the start of the comment that an offset is in, or -1.
func (r *reader) inComment(off int) int {
	c := r.f.Comments
	i := sort.Search(len(c), func(i int) bool { return c[i].End > off })
	if i < len(c) && c[i].Start <= off {
		return c[i].Start
	}
	return -1
}

// inQuotes reports whether an offset is in quotes, by its line alone.
func (r *reader) inQuotes(off int) bool {
	from := lineStart(r.s, off)
	if off-from > 4096 { // nobody's line; do not read it again for each mark
		return false
	}
	o, odd := oddLine(r.s[:off], from)
	return odd && o.at < off
}

// markAt returns the mark at the start of s; its end is the length.
func markAt(s string) (mark, bool) {
	s = s[:min(len(s), 2000)]
	closed := func(open, closing, engine string) (mark, bool) {
		if !strings.HasPrefix(s, open) {
			return mark{}, false
		}
		line, _, _ := strings.Cut(s, "\n")
		if closing[0] == '%' { // what is no term anyway may go over lines
			line = s
		}
		n := strings.Index(line[len(open):], closing)
		if n < 0 {
			return mark{}, false
		}
		name := strings.Trim(line[len(open):len(open)+n], " \t{}-=&")
		m := mark{end: len(open) + n + len(closing), engine: engine}
		if isWord(name) {
			m.name = name
		}
		return m, true
	}
	if m, ok := closed("<%", "%>", "ERB (Chef, Puppet)"); ok {
		return m, true
	}
	if m, ok := closed("{%", "%}", "Jinja (Ansible)"); ok {
		return m, true
	}
	if strings.HasPrefix(s, "{{") {
		m, ok := closed("{{{", "}}}", "mustache")
		if !ok {
			m, ok = closed("{{", "}}", "mustache or Jinja")
		}
		if !ok || m.name == "" {
			return mark{}, false
		}
		// {{word}} and {{ word }} only: {{a, b}, c} is a term.
		inner := strings.Trim(s[:m.end], "{}")
		if strings.TrimSpace(inner) != m.name {
			return mark{}, false
		}
		m.term = inner == m.name && !IsTemplateName(m.name)
		return m, true
	}
	if strings.HasPrefix(s, "${") {
		if m, ok := closed("${", "}", "a shell or build script"); ok && m.name != "" {
			return m, true
		}
	}
	return mark{}, false
}

// isWord reports whether s is a name as template variables have them.
func isWord(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c >= 0x80 || class[c] < cLower || class[c] > cDigit || i == 0 && class[c] == cDigit {
			return false
		}
	}
	return s != ""
}

// blameTemplate reports whether a term cannot be read because it holds template
// marks outside of quotes. They are reported once, at the end.
func (r *reader) blameTemplate(from, to int, toks []token, erlang string) bool {
	to = min(max(to, from), len(r.f.Src))
	// The reading may have stopped within a mark.
	end := len(r.s)
	if n := strings.IndexByte(r.s[to:], '\n'); n >= 0 {
		end = to + n
	}
	blamed := false
	for _, m := range r.marks(from, end) {
		if m.start < to && !withinToken(toks, m.start) {
			if !blamed && r.blamed.end == 0 {
				r.blamed, r.templateErlang = m, erlang
			}
			blamed = true
		}
	}
	return blamed
}

// template reports the template marks of the whole file, in one diagnostic.
func (r *reader) template() {
	all := r.marks(0, len(r.f.Src))
	known := false
	var seen []mark
	for _, m := range all {
		known = known || strings.HasPrefix(string(r.f.Src[m.start:m.end]), "{{") && IsTemplateName(m.name)
		seen = append(seen, m)
	}
	if len(seen) == 0 && r.blamed.end > 0 {
		seen = append(seen, r.blamed)
	}
	if len(seen) == 0 {
		return
	}
	d := diag.Diagnostic{Severity: diag.Warning, Code: codeTemplate, Erlang: r.templateErlang}
	if known || r.blamed.end > 0 {
		d.Severity = diag.Error
	}
	first := seen[0]
	d.Span = r.span(first.start, first.end)
	what := "template mark"
	if len(seen) > 1 {
		what = fmt.Sprintf("%d template marks", len(seen))
	}
	d.Summary = fmt.Sprintf("the file holds %s of %s: it was never rendered", what, first.engine)
	if len(seen) == 1 {
		d.Summary = fmt.Sprintf("the file holds a %s of %s: it was never rendered", what, first.engine)
	}
	if d.Severity == diag.Warning {
		d.Summary = strings.Replace(d.Summary, ": it was never rendered", ", which are read as they stand", 1)
		if len(seen) == 1 {
			d.Summary = strings.Replace(d.Summary, "which are read as they stand", "which is read as it stands", 1)
		}
	}
	d.Help = "give the file that the template makes, or write the values in place of the marks"
	for i, m := range seen[1:] {
		if i == 4 {
			break
		}
		d.Related = append(d.Related, diag.Related{Span: r.span(m.start, m.end), Text: "another mark"})
	}
	r.add(d)
}
