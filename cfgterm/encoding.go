package cfgterm

import "strings"

// declaresLatin1 reports whether a coding comment in the first two lines
// declares Latin-1. Erlang looks for it in the first 512 bytes, after the first
// percent sign of a line, whatever stands before; anything else it declares
// leaves UTF-8.
func declaresLatin1(src []byte) bool {
	name, ok := codingName(src)
	return ok && encodingOf(name) == "latin-1"
}

// codingName returns the name that the first coding comment declares.
func codingName(src []byte) (name string, ok bool) {
	head := string(src[:min(len(src), 512)])
	for range 2 {
		line, rest, _ := strings.Cut(head, "\n")
		head = rest
		_, text, found := strings.Cut(line, "%")
		if !found {
			continue
		}
		for {
			_, after, found := strings.Cut(text, "coding")
			if !found {
				break
			}
			text = after
			after = strings.TrimLeft(after, " ")
			if after == "" || after[0] != ':' && after[0] != '=' {
				continue
			}
			after = strings.TrimLeft(after[1:], " ")
			n := 0
			for n < len(after) && (digitValue(after[n]) < 36 || after[n] == '-') {
				n++
			}
			return after[:n], true
		}
	}
	return "", false
}

// encodingOf returns "latin-1" or "utf-8" for the names of the two encodings
// that Erlang knows, and "" for all others.
func encodingOf(name string) string {
	p := strings.SplitN(strings.ToLower(name), "-", 3)
	switch {
	case len(p) < 2:
	case p[0] == "latin" && p[1] == "1":
		return "latin-1"
	case p[0] == "utf" && p[1] == "8":
		return "utf-8"
	}
	return ""
}
