package cfgterm

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var (
	diffCount = flag.Int("differential.n", 3000, "inputs that TestDifferential compares with file:consult")
	diffSeed  = flag.Uint64("differential.seed", 1, "seed of their generator")
)

// An erl is a running Erlang node that reads files for us.
type erl struct {
	in  io.WriteCloser
	out *bufio.Reader
}

// startErl starts the node, or skips the test if there is no Erlang.
func startErl(t testing.TB) *erl {
	t.Helper()
	path, err := exec.LookPath("erl")
	if err != nil {
		t.Skip("no erl on this machine: install Debian's erlang-base to compare with file:consult")
	}
	source, err := filepath.Abs("testdata/oracle.erl")
	if err != nil {
		t.Fatal(err)
	}
	scratch := filepath.Join(t.TempDir(), "input.cfg")
	code := fmt.Sprintf("{ok, M, B} = compile:file(%s, [binary]), {module, M} = code:load_binary(M, %s, B), M:main(%s).",
		Format(&String{Text: source}), Format(&String{Text: source}), Format(&String{Text: scratch}))
	cmd := exec.Command(path, "-noinput", "-boot", "start_clean", "-eval", code)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("erl does not start: %v", err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait() //nolint:errcheck // its status says nothing
	})
	return &erl{in: in, out: bufio.NewReader(out)}
}

func (e *erl) send(op byte, b []byte) error {
	msg := binary.BigEndian.AppendUint32(nil, uint32(len(b)+1))
	_, err := e.in.Write(append(append(msg, op), b...))
	return err
}

func (e *erl) receive() ([]byte, error) {
	var n [4]byte
	if _, err := io.ReadFull(e.out, n[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(n[:]))
	_, err := io.ReadFull(e.out, b)
	return b, err
}

// differs compares our reading of src with Erlang's answer.
func differs(src, answer []byte) string {
	f, list := Parse("x.cfg", src)
	switch answer[0] {
	case 0:
		if f.Erlang != "" {
			return "we reject: " + f.Erlang
		}
		var got []byte
		for _, t := range f.Terms {
			got = appendCanon(got, t, false)
		}
		if !bytes.Equal(got, answer[1:]) {
			return fmt.Sprintf("we read %.300q\nErlang  %.300q", got, answer[1:])
		}
	case 1:
		if f.Erlang == "" {
			for _, d := range list {
				if d.Code == codeLimit {
					return ""
				}
			}
		}
		if f.Erlang != string(answer[1:]) {
			return fmt.Sprintf("we say     %q\nErlang says %q", f.Erlang, answer[1:])
		}
	case 2:
		if f.Erlang == "" {
			return "Erlang crashes, we accept"
		}
	}
	return ""
}

// shrink takes parts away from src as long as the readings differ.
func shrink(e *erl, src []byte) []byte {
	ask := func(b []byte) bool {
		if e.send('r', b) != nil {
			return false
		}
		a, err := e.receive()
		return err == nil && differs(b, a) != ""
	}
	for size := len(src) / 2; size > 0; size /= 2 {
		for i := 0; i+size <= len(src); {
			b := append(append([]byte{}, src[:i]...), src[i+size:]...)
			if ask(b) {
				src = b
			} else {
				i += size
			}
		}
	}
	return src
}

func TestDifferential(t *testing.T) {
	e := startErl(t)
	g := &generator{Rand: rand.New(rand.NewPCG(*diffSeed, 7))}
	lines(t, "../testdata/consult/consult.jsonl", func(line []byte) {
		var v struct{ Input *string }
		if json.Unmarshal(line, &v) == nil && v.Input != nil {
			g.samples = append(g.samples, *v.Input)
		}
	})
	const batch = 200
	bad := 0
	for n := 0; n < *diffCount && bad < 20; n += batch {
		var inputs [][]byte
		for range batch {
			inputs = append(inputs, g.input())
		}
		sent := make(chan error, 1)
		go func() {
			for _, in := range inputs {
				if err := e.send('r', in); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		var wrong [][]byte
		for _, in := range inputs {
			a, err := e.receive()
			if err != nil {
				t.Fatalf("erl: %v", err)
			}
			if differs(in, a) != "" {
				wrong = append(wrong, in)
			}
		}
		if err := <-sent; err != nil {
			t.Fatalf("erl: %v", err)
		}
		for _, in := range wrong {
			small := shrink(e, in)
			if err := e.send('r', small); err != nil {
				t.Fatal(err)
			}
			a, err := e.receive()
			if err != nil {
				t.Fatal(err)
			}
			t.Errorf("%q:\n%s", small, differs(small, a))
			bad++
		}
	}
}

// generator makes inputs: terms, expressions, pieces of configurations, bytes,
// and all of these with something broken.
type generator struct {
	*rand.Rand
	samples []string
	b       []byte
}

func (g *generator) pick(of ...string) string { return of[g.IntN(len(of))] }

func (g *generator) input() []byte {
	g.b = g.b[:0]
	switch g.IntN(12) {
	case 0, 1: // terms
		for range 1 + g.IntN(3) {
			g.term(4)
			g.add(g.pick(".\n", ". ", " .\n\n", ".%x\n", ".\r\n"))
		}
		return g.mutate(g.IntN(3))
	case 2, 3, 4: // expressions
		g.expr(4)
		for range g.IntN(2) {
			g.add(g.pick(", ", ",\n"))
			g.expr(2)
		}
		g.add(g.pick(".", ". ", ".\n", ""))
		return g.mutate(g.IntN(3))
	case 5, 6: // pieces of configurations
		for range 1 + g.IntN(4) {
			g.add(pieces[g.IntN(len(pieces))])
			g.add("\n")
		}
		return g.mutate(1 + g.IntN(4))
	case 7, 8: // the vectors
		for range 1 + g.IntN(2) {
			g.add(g.samples[g.IntN(len(g.samples))])
			g.add(g.pick("\n", " ", ""))
		}
		return g.mutate(1 + g.IntN(3))
	case 9, 10: // tokens
		for range 1 + g.IntN(12) {
			g.add(g.token())
			g.add(g.pick("", "", " ", "\n", "%c\n"))
		}
		g.add(g.pick(".", ".\n", ""))
		return g.mutate(g.IntN(2))
	default: // characters
		for range 1 + g.IntN(24) {
			switch g.IntN(4) {
			case 0:
				g.add(string(rune(g.IntN(0x250))))
			case 1:
				g.add(g.pick("\uFEFF", "\u2028", "“", "😀", "\uFFFE", "\uFFFF", "\u0300", "\xE9", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xC3"))
			default:
				g.add(string(rune(g.IntN(128))))
			}
		}
		return g.mutate(0)
	}
}

func (g *generator) add(s string) { g.b = append(g.b, s...) }

// mutate returns the input with n changes.
func (g *generator) mutate(n int) []byte {
	b := append([]byte{}, g.b...)
	for range n {
		if len(b) == 0 {
			break
		}
		i := g.IntN(len(b))
		switch g.IntN(6) {
		case 0:
			b = append(b[:i], b[i+1:]...)
		case 1:
			j := min(len(b), i+g.IntN(8))
			b = append(b[:i], b[j:]...)
		case 2, 3:
			b = append(b[:i], append([]byte(g.token()), b[i:]...)...)
		case 4:
			c := "{}[]()<>,.;:'\"\\$%#|=+-/_@ \n\t09aAzZ\x00\x7F"
			b[i] = c[g.IntN(len(c))]
		case 5:
			if g.IntN(4) == 0 {
				b[i] = byte(g.IntN(256))
			}
		}
	}
	if g.IntN(40) == 0 {
		b = append([]byte(g.pick("%% coding: latin-1\n", "% -*- coding: utf-8 -*-\n", "%% Encoding: Latin-1 x\n", "{a}. % coding=latin-1\n", "%% coding: latin1\n", "% coding : utf-8-x\n", "\n% xcoding:latin-1-\n")), b...)
	}
	return b
}

var pieces = []string{
	`{hosts, ["localhost", "anonymous.localhost"]}.`,
	`%% comment "with a quote`,
	`{listen, [{5222, ejabberd_c2s, [{access, c2s}, {shaper, c2s_shaper}, {max_stanza_size, 65536}, starttls, {certfile, "priv/ssl/fake_server.pem"}]}, {{5269, "0.0.0.0"}, ejabberd_s2s_in, []}]}.`,
	"{modules,\n [\n  {mod_adhoc, []},\n  {mod_disco, [{users_can_see_hidden_services, false}]},\n  {mod_bosh, []}\n ]}.",
	`{odbc_server, {mysql, "localhost", 3306, "db", "user", "pass"}}.`,
	`{acl, local, {user_regexp, ""}}.`,
	`{access, max_user_sessions, [{10, all}]}.`,
	`{shaper, normal, {maxrate, 1000}}.`,
	`{loglevel, 3}.`,
	`{ {s2s_host, "goodhost.org"}, allow}.`,
	`{{5280, "::"}, ejabberd_cowboy, [{modules, [{"_", "/http-bind", mod_bosh}]}]}.`,
	`{x, <<"binary">>, <<1:4, 2/integer-unit:8>>, #{a => 1}}.`,
	`{ip, {127,0,0,1}}.`,
	`{welcome, {"Hi\n", 'it\'s', $a, -1, 1.5e3}}.`,
}

func (g *generator) token() string {
	switch g.IntN(10) {
	case 0:
		return g.pick("a", "b", "foo", "mod_x", "'A b'", "'it\\'s'", "''", "é", "'ł'", "a@b", "aB1")
	case 1:
		return g.pick("X", "_", "_x", "Éa", "Foo")
	case 2:
		return g.pick("0", "1", "42", "007", "16#ff", "2#101", "1_000", "37#1", "1#", "16#", "123456789012345678901234567890", "1.5", "1.0e3", "2.5E-2", "1.0e400", "1.0e", "0.1", "9007199254740992.0", "1.0e-5", "123456.0", "1.0e22", "1.2345678901234567e19")
	case 3:
		return g.pick(`"a"`, `""`, `"é"`, `"a\nb"`, "\"x\ny\"", `"\x{41}"`, `"\x4g"`, `"\^a\d\e\101"`, `"`, `'`, `"""`)
	case 4:
		return g.pick("$a", "$\\n", "$ ", "$\n", "$\\x{20AC}", "$'", "$\"", "$é", "$\\^@", "$\\d", "$%", "$€", "$\\x{80}", "$\u00A0")
	case 5:
		return kindText[1+g.IntN(int(kinds)-1)]
	case 6:
		return kindText[int(kPunct)+1+g.IntN(int(kKeyword)-int(kPunct)-1)]
	case 7:
		return g.pick("{", "}", "[", "]", "<<", ">>", "(", ")", ",", "|", ".", ". ", "#", "=>", "fun ")
	case 8:
		return g.pick("%", "% x\n", "\n", " ", "\t", "\r\n", "\x00", "\u00A0", "\f", "@", "?", "\\", "^", "&", "~", "`", "¡", "×", "÷", "\x7F", "\u0085")
	default:
		return g.pick(":", "/", "-", "->", ";", "=", "||", "<-", "<=", "of", "end", "when", "utf8", "integer", "unit", "8")
	}
}

func (g *generator) space() {
	if g.IntN(6) == 0 {
		g.add(g.pick(" ", "\n", "\t", " % x\n", "  "))
	}
}

func (g *generator) many(f func(), open, sep, closing string, most int) {
	g.add(open)
	for i := range g.IntN(most + 1) {
		if i > 0 {
			g.add(sep)
			g.space()
		}
		f()
	}
	g.space()
	g.add(closing)
}

func (g *generator) term(depth int) {
	g.space()
	n := 14
	if depth <= 0 {
		n = 8
	}
	switch g.IntN(n) {
	case 0, 1:
		g.add(g.pick("a", "foo", "mod_x", "true", "'A b'", "''", "éa", "'ł'", "undefined", "maybe"))
	case 2:
		g.add(g.pick("0", "1", "5222", "-1", "+7", "- 3", "16#fF", "36#zZ", "98", "1_0", "$a", "$\\n", "-$a", "-123456789012345678901234567890", "9223372036854775807", "9223372036854775808", "-9223372036854775808"))
	case 3:
		g.add(g.pick("1.5", "-0.0", "0.0", "1.0e-400", "2.5e300", "-1.0E+3", "1_0.2_5"))
	case 4, 5:
		g.add(g.pick(`"abc"`, `""`, `"a" "b"`, `"é"`, `"ł€😀"`, `"\s\d\e\^a\101\x41\x{1F600}"`, "\"a\nb\"", `"C:\certs"`, "\"a\\\nb\""))
	case 6:
		g.binary(0)
	case 7:
		g.add(g.pick("[]", "{}", "#{}", "<<>>", "fun a:b/1", "fun 'X':y/0"))
	case 8, 9:
		g.many(func() { g.term(depth - 1) }, "{", ",", "}", 4)
	case 10, 11:
		g.add("[")
		g.term(depth - 1)
		for range g.IntN(3) {
			g.add(",")
			g.term(depth - 1)
		}
		if g.IntN(4) == 0 {
			g.add("|")
			g.term(depth - 1)
		}
		g.add("]")
	case 12:
		if g.IntN(2) == 0 {
			g.many(func() { g.term(depth - 1); g.add(g.pick("=>", " => ")); g.term(depth - 1) }, "#{", ",", "}", 3)
		} else {
			g.binary(depth)
		}
	case 13:
		g.add(g.pick("(", "((", "-(", "+("))
		open := string(g.b)
		g.term(depth - 1)
		g.add(")")
		if strings.HasSuffix(open, "((") {
			g.add(")")
		}
	}
}

func (g *generator) binary(depth int) {
	g.add("<<")
	for i := range g.IntN(4) {
		if i > 0 {
			g.add(",")
			g.space()
		}
		switch g.IntN(8) {
		case 0, 1:
			g.add(g.pick("1", "255", "256", "-1", "+3", "$a", "$ł", "- 5", "16#ABCDE", "123456789012345678901234567890", "-123456789012345678901234567890", "(7)", "-(7)", "(-7)", "16#D800", "16#10FFFF", "0"))
		case 2, 3:
			g.add(g.pick(`"abc"`, `""`, `"é"`, `"ł😀"`, `"a" "b"`, `("ab")`))
		case 4:
			g.add(g.pick("1.5", "-2.5", "1.0e300", "0.1", "65519.9", "6.0e-8", "3.0e-8", "1.0e-45", "65520.0", "1.0e39"))
		case 5:
			g.binary(depth - 1)
		case 6:
			g.add(g.pick("a", "X", "[1]", "{}", "<<1:3>>", "(<<1>>)", "(a)", "[]", "#{}", "begin 1 end"))
		default:
			if depth > 0 {
				g.add("(")
				g.term(depth - 1)
				g.add(")")
			} else {
				g.add("1")
			}
		}
		if g.IntN(3) == 0 {
			g.add(g.pick(":8", ":16", ":1", ":3", ":0", ":(8)", ":$\\^h", ":12", ":64", ":32", ":20", ":100", ":X", ":a", ":(-1)", ":1.0", ":2"))
		}
		if g.IntN(2) == 0 {
			g.add("/")
			for j := range 1 + g.IntN(3) {
				if j > 0 {
					g.add("-")
				}
				g.add(g.pick("integer", "float", "binary", "bytes", "bits", "bitstring", "utf8", "utf16", "utf32", "little", "big", "native", "signed", "unsigned", "unit:8", "unit:1", "unit:3", "unit:0", "unit:257", "foo", "integer:1", "unit"))
			}
		}
	}
	g.add(">>")
}

// expr writes an expression that is mostly right.
func (g *generator) expr(depth int) {
	g.space()
	if depth <= 0 {
		g.add(g.pick("a", "X", "1", "1.5", `"s"`, "$a", "[]", "{}", "foo", "_", "<<>>", "'b'"))
		return
	}
	sub := func() { g.expr(depth - 1) }
	args := func() { g.many(sub, "(", ",", ")", 2) }
	body := func() {
		sub()
		for range g.IntN(2) {
			g.add(",")
			sub()
		}
	}
	clause := func(head func()) {
		for i := range 1 + g.IntN(2) {
			if i > 0 {
				g.add(";")
			}
			head()
			if g.IntN(4) == 0 {
				g.add(" when ")
				body()
				if g.IntN(3) == 0 {
					g.add(";")
					body()
				}
			}
			g.add("->")
			body()
		}
	}
	switch g.IntN(28) {
	case 0, 1, 2, 3, 4:
		sub()
		g.add(g.pick("+", " + ", "-", " - ", "*", " / ", " div ", " rem ", " band ", " and ", " bor ", " bxor ", " bsl ", " bsr ", " or ", " xor ", "++", "--", "==", " /= ", " =< ", " < ", " >= ", ">", "=:=", "=/=", " = ", " ! ", " orelse ", " andalso "))
		sub()
	case 5:
		g.add(g.pick("-", "+", "- ", "not ", "bnot ", "catch "))
		sub()
	case 6:
		g.add("(")
		sub()
		g.add(")")
	case 7:
		g.many(sub, "{", ",", "}", 3)
	case 8:
		g.add("[")
		sub()
		g.add(g.pick("]", ",a]", "|b]"))
	case 9:
		g.many(func() { sub(); g.add(g.pick("=>", ":=")); sub() }, "#{", ",", "}", 2)
	case 10:
		sub()
		g.add("#")
		g.many(func() { sub(); g.add(g.pick("=>", ":=")); sub() }, "{", ",", "}", 2)
	case 11:
		if g.IntN(2) == 0 {
			sub()
		}
		g.add("#r")
		if g.IntN(3) == 0 {
			g.add(".f")
		} else {
			g.many(func() { g.add(g.pick("f", "X", "_", "'g'")); g.add("="); sub() }, "{", ",", "}", 2)
		}
	case 12:
		g.add(g.pick("f", "m:f", "X", "X:f", "m:X", "(a)", "1"))
		args()
	case 13:
		sub()
		g.add(":")
		sub()
	case 14, 15:
		g.add("[")
		sub()
		g.add("||")
		g.qualifiers(sub)
		g.add("]")
	case 16:
		g.add("<<")
		g.add(g.pick("<<1>>", "X", "a", "(a+1)", "-1", `"x"`))
		g.add("||")
		g.qualifiers(sub)
		g.add(">>")
	case 17:
		g.add("<<")
		for i := range 1 + g.IntN(3) {
			if i > 0 {
				g.add(",")
			}
			g.add(g.pick("1", "X", "a", "-1", `"x"`, "(a+1)", "<<2>>", "not a", "bnot 1", "-X", "+\"a\"", "[]", "{}", "[X||X<-a]", "fun a/1", "begin a end"))
			g.add(g.pick("", "", ":8", ":X", ":(X+1)", ":a", `:"s"`, ":1.0", ":<<>>", ":-1"))
			g.add(g.pick("", "", "/integer", "/utf8", "/float-little", "/unit:8", "/a:1-b:2", "/X", "/1", "/a:b"))
		}
		g.add(">>")
	case 18:
		g.add(g.pick("fun a/1", "fun m:f/1", "fun M:F/A", "fun X:f/2", "fun m:f/X", "fun a/X", "fun X/1", "fun m:f", "fun m:1/2"))
	case 19:
		g.add("fun ")
		clause(func() {
			g.add(g.pick("", "", " F "))
			g.many(func() { g.pattern(depth - 1) }, "(", ",", ")", 2)
		})
		g.add(" end")
	case 20:
		g.add("begin ")
		body()
		g.add(" end")
	case 21:
		g.add("if ")
		clause(body)
		g.add(" end")
	case 22:
		g.add("case ")
		sub()
		g.add(" of ")
		clause(sub)
		g.add(" end")
	case 23:
		g.add("receive ")
		if g.IntN(3) > 0 {
			clause(sub)
		}
		if g.IntN(2) == 0 {
			g.add(" after ")
			sub()
			g.add(" -> ")
			body()
		}
		g.add(" end")
	case 24, 25:
		g.add("try ")
		body()
		if g.IntN(2) == 0 {
			g.add(" of ")
			clause(sub)
		}
		if g.IntN(4) > 0 {
			g.add(" catch ")
			clause(func() {
				g.add(g.pick("", "", "error:", "X:", "_:", "1:"))
				g.pattern(depth - 1)
				g.add(g.pick("", "", ":S", ":_", ":s"))
			})
		}
		if g.IntN(2) == 0 {
			g.add(" after ")
			body()
		}
		g.add(" end")
	case 26:
		g.term(depth)
	case 27:
		sub()
		g.add(";")
		g.add(g.pick("f", "g", "X"))
		g.many(func() { g.pattern(depth - 1) }, "(", ",", ")", 2)
		g.add(g.pick("", " when a "))
		g.add("->")
		body()
	}
}

func (g *generator) qualifiers(sub func()) {
	for i := range 1 + g.IntN(2) {
		if i > 0 {
			g.add(",")
		}
		if g.IntN(3) == 0 {
			g.add(g.pick("<<X>>", "<<1:2/integer, Y>>", "(<<X>>)", "X"))
		} else {
			sub()
		}
		switch g.IntN(3) {
		case 0:
			g.add("<-")
			sub()
		case 1:
			g.add("<=")
			sub()
		}
	}
}

func (g *generator) pattern(depth int) {
	if depth <= 0 || g.IntN(3) == 0 {
		g.add(g.pick("a", "X", "1", "_", `"s"`, "[]", "{}", "-1", "#r{}", "#{}", "#r.f", "<<X>>"))
		return
	}
	switch g.IntN(9) {
	case 0:
		g.pattern(depth - 1)
		g.add(g.pick("=", "++", "+", "*", "==", "<", "!", " orelse ", " andalso ", ":"))
		g.pattern(depth - 1)
	case 1:
		g.add(g.pick("-", "not ", "catch ", "bnot "))
		g.pattern(depth - 1)
	case 2:
		g.add("(")
		g.pattern(depth - 1)
		g.add(")")
	case 3:
		g.many(func() { g.expr(depth - 1) }, "{", ",", "}", 2)
	case 4:
		g.add("[")
		g.expr(depth - 1)
		g.add("]")
	case 5:
		g.pattern(depth - 1)
		g.add(g.pick("#{}", "#{a:=X}", "#{a=>1}#{}", "#r{}", "#r{f=X}", "#r.f"))
	case 6:
		g.add(g.pick("[X||X<-a]", "fun a/1", "f()", "begin a end", "<<X||X<-a>>"))
	default:
		g.expr(depth - 1)
	}
}
