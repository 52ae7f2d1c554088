package scenario

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Scenario is one file, read and checked.
type Scenario struct {
	Path   string
	Title  string // its first comment
	Config string // name of the configuration it was recorded on, without ".cfg"
	// Users are the accounts made before and removed after: "alice" or
	// "alice@host". The password of alice is "pw-alice".
	Users   []string
	Domain  string        // of users named without one; "localhost" if the file doesn't say
	Differs []string      // where Meerkat answers otherwise: entry of the decisions, then why
	Timeout time.Duration // of one expectation; 0 if the file doesn't say
	lines   []line
}

type lineKind uint8

const (
	lineComment lineKind = iota // also blank lines and @ lines
	lineAction
	lineExpect
)

// A line is one command with its continuations.
type line struct {
	no     int
	text   string
	kind   lineKind
	conn   string
	op     string
	arg    string
	send   template // of commands that send or take expanded arguments
	want   *pattern // nil for "<!" alone
	header []attr
	wait   time.Duration // of nothing and sleep
}

var (
	commandLine = regexp.MustCompile(`(?s)^(\S+)\s+(<!\*|<\*|<!|<|>|[a-z]+)(?:\s+(.*))?$`)
	setLine     = regexp.MustCompile(`(?s)^set ([\w.-]+) = (.*)$`)
	sleepLine   = regexp.MustCompile(`^sleep (\d+)$`)
	differsLine = regexp.MustCompile(`^\d+ \S`)
)

// A mistake is what is wrong with a line of a file.
type mistake struct {
	path string
	no   int
	err  error
}

func (m *mistake) Error() string { return fmt.Sprintf("%s:%d: %v", m.path, m.no, m.err) }
func (m *mistake) Unwrap() error { return m.err }

// Load reads a scenario. The error joins all mistakes of the file, each as
// "path:line: what".
func Load(path string) (*Scenario, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read scenario: %w", err)
	}
	return Parse(path, string(src))
}

// LoadAll reads all *.scn files below dir, sorted by path.
func LoadAll(dir string) ([]*Scenario, error) {
	var out []*Scenario
	var errs []error
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() || filepath.Ext(path) != ".scn" {
			return nil
		}
		sc, err := Load(path)
		if err != nil {
			errs = append(errs, err)
			return nil
		}
		out = append(out, sc)
		return nil
	})
	return out, errors.Join(append(errs, err)...)
}

// Parse reads a scenario from src; path is used in messages.
func Parse(path, src string) (*Scenario, error) {
	sc := &Scenario{Path: path, Config: "base", Domain: "localhost"}
	var errs []error
	fail := func(no int, format string, a ...any) {
		errs = append(errs, &mistake{path, no, fmt.Errorf(format, a...)})
	}
	for i, l := range strings.Split(src, "\n") {
		l = strings.TrimRight(l, " \t\r")
		if n := len(sc.lines); n > 0 && l != "" && (l[0] == ' ' || l[0] == '\t') {
			l = strings.TrimSpace(l)
			prev := &sc.lines[n-1]
			if !strings.HasSuffix(prev.text, ">") || !strings.HasPrefix(l, "<") {
				prev.text += " "
			}
			prev.text += l
			continue
		}
		sc.lines = append(sc.lines, line{no: i + 1, text: l})
	}
	open := map[string]string{} // connection → default namespace
	overrides := 0
	for i := range sc.lines {
		l := &sc.lines[i]
		switch {
		case l.text == "":
		case l.text[0] == '#':
			if sc.Title == "" {
				sc.Title = strings.TrimSpace(l.text[1:])
			}
		case l.text[0] == '@':
			if err := sc.meta(l.text[1:]); err != nil {
				fail(l.no, "%w", err)
			}
		default:
			if err := l.parse(open); err != nil {
				fail(l.no, "%w: %s", err, short(l.text))
			}
			if strings.HasPrefix(l.op, "<!") {
				overrides = l.no
			}
		}
	}
	if sc.Title == "" || !strings.HasPrefix(sc.lines[0].text, "#") {
		fail(1, "no title: the first line is a comment that says what this is about")
	}
	if overrides > 0 && len(sc.Differs) == 0 {
		fail(overrides, "<! without @differs")
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return sc, nil
}

func short(s string) string {
	if len(s) > 120 {
		return s[:120] + "..."
	}
	return s
}

func (sc *Scenario) meta(s string) error {
	key, value, _ := strings.Cut(s, " ")
	value = strings.TrimSpace(value)
	switch key {
	case "config":
		sc.Config = value
	case "users":
		sc.Users = append(sc.Users, strings.Fields(value)...)
	case "domain":
		sc.Domain = value
	case "differs":
		if !differsLine.MatchString(value) {
			return fmt.Errorf("@differs wants the number of a decision and a text, not %q", value)
		}
		sc.Differs = append(sc.Differs, value)
	case "timeout":
		s, err := strconv.ParseFloat(value, 64)
		if err != nil || s <= 0 {
			return fmt.Errorf("@timeout wants seconds, not %q", value)
		}
		sc.Timeout = time.Duration(s * float64(time.Second))
	default:
		return fmt.Errorf("unknown @%s", key)
	}
	return nil
}

// wordsOf says how many words a command takes; -1 stands for any text.
var wordsOf = map[string]int{
	"login": -1, "open": -1, "header": -1, "request": -1, "answer": -1, "frame": -1, "starttls": -1, "nothing": -1,
	"listen": 1, "accept": 1, "upstream": 1, "compress": 0, "close": 0, "half": 0, "drop": 0,
}

func (l *line) parse(open map[string]string) (err error) {
	l.kind = lineAction
	if m := sleepLine.FindStringSubmatch(l.text); m != nil {
		l.op = "sleep"
		l.wait, err = milliseconds(m[1])
		return err
	}
	if m := setLine.FindStringSubmatch(l.text); m != nil {
		l.op, l.arg = "set", m[1]
		l.send, err = parseTemplate(strings.TrimSpace(m[2]))
		return err
	}
	m := commandLine.FindStringSubmatch(l.text)
	if m == nil {
		return errors.New("not understood")
	}
	l.conn, l.op, l.arg = m[1], m[2], m[3]
	if n, ok := wordsOf[l.op]; ok && n >= 0 && len(strings.Fields(l.arg)) != n {
		return fmt.Errorf("%s takes %d words", l.op, n)
	}
	switch l.op {
	case "login", "open":
		words, err := shellWords(l.arg)
		if err != nil {
			return err
		}
		o, err := parseOptions(l.op, l.conn, words)
		if err != nil {
			return err
		}
		open[l.conn] = nsClient
		if o.via[0] == "component" || o.via[0] == "s2s" {
			open[l.conn] = "jabber:server"
		}
		l.send, err = parseTemplate(l.arg)
		return err
	case "listen", "upstream":
		open[l.conn] = nsClient
		return nil
	case "accept":
		if _, ok := open[l.arg]; !ok {
			return fmt.Errorf("%s does not listen", l.arg)
		}
		open[l.conn] = "jabber:server"
		return nil
	}
	ns, ok := open[l.conn]
	if !ok {
		return fmt.Errorf("connection %s is not open", l.conn)
	}
	switch l.op {
	case "<", "<*", "<!", "<!*":
		l.kind = lineExpect
		l.arg = strings.TrimSpace(l.arg)
		if l.arg == "" {
			if l.op != "<!" {
				return errors.New("no pattern")
			}
			return nil
		}
		l.want, err = parsePattern(l.arg, ns)
	case ">":
		l.send, err = parseTemplate(l.arg)
	case "header":
		words, err := shellWords(l.arg)
		if err != nil {
			return err
		}
		if len(words) == 0 {
			return errors.New("header wants a domain")
		}
		l.arg = words[0]
		for _, w := range words[1:] {
			k, v, ok := strings.Cut(w, "=")
			if !ok {
				return fmt.Errorf("header: %q is not name=value", w)
			}
			l.header = append(l.header, attr{name: k, value: v})
		}
		if l.header == nil {
			l.header = []attr{{name: "version", value: "1.0"}}
		}
	case "starttls":
		if l.arg != "" && l.arg != "cert" {
			return fmt.Errorf("starttls takes nothing or cert, not %q", l.arg)
		}
	case "nothing":
		if l.arg != "" {
			l.wait, err = milliseconds(l.arg)
		}
	default:
		if _, ok := wordsOf[l.op]; !ok {
			return fmt.Errorf("unknown command %s", l.op)
		}
	}
	return err
}

func milliseconds(s string) (time.Duration, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%q is no number of milliseconds", s)
	}
	return time.Duration(n) * time.Millisecond, nil
}

// options are the arguments of login and open.
type options struct {
	user     string
	via      []string // the transport, then what is switched on: "zlib"
	port     string
	auth     string
	password string // "" means the account's own
	resource string
	lang     string
	until    string
	presence bool
}

var (
	loginOptions = []string{"resource", "via", "port", "auth", "password", "lang", "until", "presence", "path", "proto", "host", "pings"}
	openOptions  = []string{"via", "port", "path", "proto", "host", "pings"}
)

func parseOptions(op, conn string, words []string) (options, error) {
	o := options{user: conn, via: []string{"tcp"}, auth: "PLAIN", resource: conn, until: "session"}
	allowed := openOptions
	if op == "login" {
		allowed = loginOptions
		if len(words) > 0 && !strings.Contains(words[0], "=") && words[0] != "presence" {
			o.user, words = words[0], words[1:]
		}
	}
	for _, w := range words {
		k, v, _ := strings.Cut(w, "=")
		if !slices.Contains(allowed, k) {
			return o, fmt.Errorf("%s has no option %q", op, k)
		}
		switch k {
		case "resource":
			o.resource = v
		case "via":
			o.via = strings.Split(v, "+")
		case "port":
			o.port = v
		case "auth":
			o.auth = v
		case "password":
			o.password = v
		case "lang":
			o.lang = v
		case "until":
			if !slices.Contains([]string{"stream", "auth", "bind"}, v) {
				return o, fmt.Errorf("until=%s: stream, auth or bind wanted", v)
			}
			o.until = v
		case "presence":
			o.presence = true
		}
	}
	return o, nil
}

// forTarget returns the lines to play: the recorded ones, or with the "<!" lines
// in place of those they replace.
func (sc *Scenario) forTarget(recorded bool) []line {
	override := func(l line) bool { return l.kind == lineExpect && strings.HasPrefix(l.op, "<!") }
	drop := make([]bool, len(sc.lines))
	for i, l := range sc.lines {
		if !override(l) {
			continue
		}
		if recorded {
			drop[i] = true
			continue
		}
		if l.want == nil {
			drop[i] = true
		}
		if i > 0 && override(sc.lines[i-1]) && sc.lines[i-1].conn == l.conn {
			continue
		}
		j := i - 1
		for j >= 0 && sc.lines[j].kind == lineExpect && sc.lines[j].conn == l.conn && !override(sc.lines[j]) {
			drop[j] = true
			j--
		}
		if j >= 0 && sc.lines[j].op == "nothing" && sc.lines[j].conn == l.conn {
			drop[j] = true
		}
	}
	var out []line
	for i, l := range sc.lines {
		if !drop[i] {
			l.op = strings.Replace(l.op, "!", "", 1)
			out = append(out, l)
		}
	}
	return out
}
