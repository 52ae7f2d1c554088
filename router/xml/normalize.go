package xml

import (
	"strings"
)

// Normalize returns the text of an element that Scan has accepted in the same
// outer context, written so that it can be passed on as it is: comments and
// processing instructions are dropped, CDATA sections become escaped text,
// line ends become "\n", and prefixes that were declared outside are declared
// on the elements that need them. The default namespace is left alone.
func Normalize(text string, outer *Context) string {
	n := normalizer{text: text, outer: outer, out: make([]byte, 0, len(text)+64)}
	for i := 0; i < len(text); {
		if text[i] != '<' {
			j := strings.IndexByte(text[i:], '<')
			if j < 0 {
				j = len(text) - i
			}
			n.lines(text[i:i+j], "\n")
			i += j
			continue
		}
		switch text[i+1] {
		case '!':
			if strings.HasPrefix(text[i:], "<!--") {
				i += 4
				i += strings.Index(text[i:], "-->") + 3
				continue
			}
			i += len("<![CDATA[")
			j := strings.Index(text[i:], "]]>")
			n.out = AppendText(n.out, strings.ReplaceAll(strings.ReplaceAll(text[i:i+j], "\r\n", "\n"), "\r", "\n"))
			i += j + 3
		case '?':
			i += strings.Index(text[i:], "?>") + 2
		case '/':
			j := i + strings.IndexByte(text[i:], '>') + 1
			n.lines(text[i:j], " ")
			n.close()
			i = j
		default:
			i = n.startTag(i)
		}
	}
	return string(n.out)
}

// A normalizer is the state of Normalize.
type normalizer struct {
	text  string
	outer *Context
	out   []byte
	bound []string // prefixes declared inside the element
	marks []int    // length of bound before each open element
}

// lines appends t with each line end that holds a carriage return as nl.
func (n *normalizer) lines(t, nl string) {
	for {
		i := strings.IndexByte(t, '\r')
		if i < 0 {
			n.out = append(n.out, t...)
			return
		}
		n.out = append(append(n.out, t[:i]...), nl...)
		t = strings.TrimPrefix(t[i+1:], "\n")
	}
}

func (n *normalizer) close() {
	last := len(n.marks) - 1
	n.bound = n.bound[:n.marks[last]]
	n.marks = n.marks[:last]
}

func (n *normalizer) startTag(i int) int {
	text := n.text
	from := i
	end := i + 1
	for nameClass[text[end]]&nameByte != 0 {
		end++
	}
	name := text[i+1 : end]
	n.marks = append(n.marks, len(n.bound))

	// First the declarations, since they hold for the name before them.
	var used []string
	if p := prefixOf(name); p != "" {
		used = append(used, p)
	}
	i = end
	for text[i] != '>' && text[i] != '/' {
		if isSpace(text[i]) {
			i++
			continue
		}
		start := i
		for nameClass[text[i]]&nameByte != 0 {
			i++
		}
		switch attr := text[start:i]; {
		case strings.HasPrefix(attr, "xmlns:"):
			n.bound = append(n.bound, attr[len("xmlns:"):])
		case prefixOf(attr) != "":
			used = append(used, prefixOf(attr))
		}
		for text[i] != '\'' && text[i] != '"' {
			i++
		}
		i += strings.IndexByte(text[i+1:], text[i]) + 2
	}
	n.out = append(n.out, text[from:end]...)
	for _, p := range used {
		if p == "xml" || contains(n.bound, p) {
			continue
		}
		space, _ := n.outer.lookup(p)
		n.bound = append(n.bound, p)
		n.out = append(append(append(n.out, " xmlns:"...), p...), "='"...)
		n.out = append(AppendAttr(n.out, space), '\'')
	}
	empty := text[i] == '/'
	for text[i] != '>' {
		i++
	}
	i++
	n.lines(text[end:i], " ")
	if empty {
		n.close()
	}
	return i
}

func prefixOf(name string) string {
	if i := strings.IndexByte(name, ':'); i >= 0 {
		return name[:i]
	}
	return ""
}

func contains(list []string, s string) bool {
	for _, t := range list {
		if t == s {
			return true
		}
	}
	return false
}
