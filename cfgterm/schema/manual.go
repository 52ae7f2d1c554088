package schema

import (
	"bytes"
	"fmt"
	"strings"
)

// Find returns the entry that name (or a synonym) spells in the table. A dotted
// name reaches into lists of options: "ssl.certfile".
func Find(s Schema, name string) (Entry, bool) { return findEntry(s.Entries(), name) }

func findEntry(es []Entry, name string) (Entry, bool) {
	head, rest, dotted := strings.Cut(name, ".")
	for _, e := range es {
		if e.Name == name || contains(e.Synonyms, name) {
			return e, true
		}
		if dotted && (e.Name == head || contains(e.Synonyms, head)) {
			return findEntry(e.Nested, rest)
		}
	}
	return Entry{}, false
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// Explain returns the text of "meerkat explain" for one option: what it is, how it
// is written, its defaults, when it counts, and where it goes in TOML. The text
// ends in a newline.
func Explain(s Schema, name string) (text string, ok bool) {
	e, ok := Find(s, name)
	if !ok {
		return "", false
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, option of %s\n\n", name, s.TableName())
	wrap(&b, e.Doc, "  ", 76)
	b.WriteByte('\n')
	for _, l := range e.facts() {
		fmt.Fprintf(&b, "  %-9s %s\n", l[0]+":", l[1])
	}
	return b.String(), true
}

// facts lists what is known of an entry as label and text.
func (e Entry) facts() [][2]string {
	var fs [][2]string
	add := func(label, text string) {
		if text != "" {
			fs = append(fs, [2]string{label, text})
		}
	}
	add("written", e.Syntax())
	if len(e.Synonyms) > 0 {
		add("also", strings.Join(e.Synonyms, ", "))
	}
	if e.Form == Pair || e.Whole {
		add("value", e.Shape)
	}
	add("default", e.defaultText())
	if e.Inherit != "" {
		add("inherits", "the top-level option "+e.Inherit+" where that is given")
	}
	if e.Source != "" && e.Source != e.Default {
		add("2.0.1", "took "+e.Source+" by default")
	}
	add("since", e.sinceText())
	add("counts", e.Effect.String())
	add("bad value", e.badText())
	add("TOML", e.tomlText())
	if e.NoEffect != "" {
		add("effect", "none: "+e.NoEffect)
	}
	if e.Unserved != "" {
		add("this build", "does not serve it: "+e.Unserved)
	}
	if e.Restricted != "" {
		add("this build", "serves only "+e.Restricted)
	}
	if e.Secret {
		add("secret", "never shown")
	}
	return fs
}

func (e Entry) defaultText() string {
	switch {
	case e.Default != "" && e.Form == Bare:
		return "off"
	case e.Default != "":
		return e.Default
	case e.Required:
		return "none, required"
	default:
		return e.Absent
	}
}

func (e Entry) sinceText() string {
	switch {
	case e.Since == "Meerkat":
		return "Meerkat only"
	case e.Since == "1.2.2" && e.Until == "":
		return "MongooseIM 1.2.2 or earlier"
	case e.Until == "":
		return "MongooseIM " + e.Since
	default:
		return "MongooseIM " + e.Since + " to " + e.Until
	}
}

func (e Entry) badText() string {
	switch e.Bad {
	case Refused:
		return "error"
	case Ignored:
		if e.BadTerm != "" {
			return "warning, taken as " + e.BadTerm
		}
		return "warning, ignored"
	default:
		return ""
	}
}

func (e Entry) tomlText() string {
	key, note, _ := strings.Cut(e.TOML, " ")
	if key == "-" {
		key = "no equivalent"
	}
	if note != "" {
		return key + ": " + note
	}
	return key
}

// wrap writes text in lines of at most width characters, each after the indent.
func wrap(b *strings.Builder, text, indent string, width int) {
	n := 0
	for i, w := range strings.Fields(text) {
		switch {
		case i == 0:
			b.WriteString(indent)
			n = len(indent)
		case n+1+len(w) > width:
			b.WriteString("\n" + indent)
			n = len(indent)
		default:
			b.WriteByte(' ')
			n++
		}
		b.WriteString(w)
		n += len(w)
	}
	b.WriteByte('\n')
}

// A Section of the manual is a heading with text and the tables below it.
type Section struct {
	Title  string // "Listeners"
	Text   string // Markdown
	Tables []Schema
}

// Manual writes the reference of all options as Markdown, the content of
// docs/options.md. The same sections give the same bytes.
func Manual(title, intro string, sections ...Section) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<!-- Generated from the option tables; do not edit. -->\n\n# %s\n\n%s\n", title, strings.TrimSpace(intro))
	for _, s := range sections {
		fmt.Fprintf(&b, "\n- [%s](#%s): ", s.Title, anchor(s.Title, ""))
		for i, t := range s.Tables {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "[%s](#%s)", t.TableName(), anchor(s.Title, t.TableName()))
		}
	}
	b.WriteByte('\n')
	for _, s := range sections {
		fmt.Fprintf(&b, "\n<a id=\"%s\"></a>\n\n## %s\n", anchor(s.Title, ""), s.Title)
		if s.Text != "" {
			fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(s.Text))
		}
		for _, t := range s.Tables {
			fmt.Fprintf(&b, "\n<a id=\"%s\"></a>\n", anchor(s.Title, t.TableName()))
			manualTable(&b, t)
		}
	}
	return b.Bytes()
}

func manualTable(b *bytes.Buffer, t Schema) {
	fmt.Fprintf(b, "\n### %s\n\n%s\n", t.TableName(), t.Describe())
	es := t.Entries()
	if len(es) == 0 {
		b.WriteString("\nNo options.\n")
	}
	manualEntries(b, "", es)
	if fs := t.Foreigns(); len(fs) > 0 {
		b.WriteString("\n| not in 2.0.1 | belongs to | write instead |\n|---|---|---|\n")
		for _, f := range fs {
			instead := f.Instead
			if instead == "" {
				instead = "nothing corresponds"
			}
			fmt.Fprintf(b, "| `%s` | %s | %s |\n", f.Name, f.From, cell(instead))
		}
	}
}

func manualEntries(b *bytes.Buffer, prefix string, es []Entry) {
	for _, e := range es {
		fmt.Fprintf(b, "\n#### %s%s\n\n%s\n\n| | |\n|---|---|\n", prefix, e.Name, e.Doc)
		for _, f := range e.facts() {
			text := cell(f[1])
			switch f[0] {
			case "written", "default":
				if f[0] == "written" || e.Default != "" {
					text = "`" + text + "`"
				}
			}
			fmt.Fprintf(b, "| %s | %s |\n", f[0], text)
		}
		if len(e.Nested) > 0 {
			manualEntries(b, prefix+e.Name+".", e.Nested)
		}
	}
}

func cell(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "|", `\|`), "\n", " ")
}

// anchor is the name by which a section, or a table in it, is linked to. Headings of
// one text, such as the option and the section modules, make those of Markdown
// useless.
func anchor(section, table string) string {
	return strings.ReplaceAll(strings.ToLower(strings.Trim("at "+section+" "+table, " ")), " ", "-")
}
