package diag

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestSecrets(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"string", `{password, "hunter2"}.`, `{password, "*******"}.`},
		{"binary", `{password, <<"hunter2"/utf8>>}.`, `{password, <<"*******"/utf8>>}.`},
		{"quoted key", `{'password', "hunter2"}.`, `{'password', "*******"}.`},
		{"quoted value", `{password, 'hunter2'}.`, `{password, '*******'}.`},
		{"bare value", `{password, hunter2}.`, `{password, *******}.`},
		{"number", `{password, 12345}.`, `{password, *****}.`},
		{"wide", `{ldap_password, "日本é"}.`, `{ldap_password, "***"}.`},
		{"escapes", `{password, "a\"b"}, {x, "y"}.`, `{password, "****"}, {x, "y"}.`},
		{"empty", `{password, ""}.`, `{password, ""}.`},
		{"next line", "{password,\n  \"hunter2\"}.", "{password,\n  \"*******\"}."},
		{"comment", `%% {password, "hunter2"}`, `%% {password, "*******"}`},
		{"comma forgotten", `{password "hunter2"}.`, `{password "*******"}.`},
		{"quote forgotten at the end", "{password, \"hunter2}.\n{a, \"b\"}.", "{password, \"*********\n****\"b\"}."},
		{"quote forgotten at the start", `{password, hunter2"}.`, `{password, ********}.`},
		{"quote forgotten before", "{a, \"b}.\n{password, \"hunter2\"}.\n", "{a, \"b}.\n{password, \"*******\"}.\n"},
		{"mysql", `{odbc_server, {mysql, "localhost", 3306, "db", "user", "hunter2"}}.`, `{odbc_server, {mysql, "localhost", 3306, "db", "user", "*******"}}.`},
		{"mysql without port", `{odbc_server, {mysql, "localhost", "db", "user", "hunter2"}}.`, `{odbc_server, {mysql, "localhost", "db", "user", "*******"}}.`},
		{"database, names", `{odbc_server, {mysql, localhost, db, user, hunter2}}.`, `{odbc_server, {mysql, localhost, db, user, *******}}.`},
		{"database, mixed", `{odbc_server, {pgsql, "h", 5432, "db", user, "hunter2"}}.`, `{odbc_server, {pgsql, "h", 5432, "db", user, "*******"}}.`},
		{"database, one too few", `{odbc_server, {pgsql, "h", "db", "hunter2"}}.`, `{odbc_server, {pgsql, "h", "db", "*******"}}.`},
		{"database, two lines", "{odbc_server, {pgsql, \"h\", 5432, \"db\",\n \"user\", \"hunter2\"}}.", "{odbc_server, {pgsql, \"h\", 5432, \"db\",\n \"user\", \"*******\"}}."},
		{"pool", `{server, {pgsql, "h", 5432, "db", "u", "hunter2"}}.`, `{server, {pgsql, "h", 5432, "db", "u", "*******"}}.`},
		{"DSN", `{odbc_server, "DSN=x;UID=y;PWD=hunter2"}.`, `{odbc_server, "***********************"}.`},
		{"s3", `{s3, [{bucket_url, "http://s3"}, {access_key_id, "AKIA"}, {secret_access_key, "abc/def"}]}.`, `{s3, [{bucket_url, "http://s3"}, {access_key_id, "****"}, {secret_access_key, "*******"}]}.`},
		{"service", `{8888, ejabberd_service, [{host, "x", [{password, "secret"}]}]}.`, `{8888, ejabberd_service, [{host, "x", [{password, "******"}]}]}.`},
		{"redis", `{sm_backend, {redis, [{pool_size, 1}, {worker_config, [{host, "h"}, {password, "p"}]}]}}.`, `{sm_backend, {redis, [{pool_size, 1}, {worker_config, [{host, "h"}, {password, "*"}]}]}}.`},
		{"auth of an API", `{mongoose_api_admin, [{auth, {"ala", "makota"}}]}.`, `{mongoose_api_admin, [{auth, {"***", "******"}}]}.`},
		{"basic auth", `{basic_auth, "user:pass"}.`, `{basic_auth, "*********"}.`},
		{"unknown key", `{my_secret_thing, "x"}.`, `{my_secret_thing, "*"}.`},
		{"TOML", "password = \"hunter2\"\nuser = \"me\"\n", "password = \"*******\"\nuser = \"me\"\n"},
		{"YAML", "sql_password: \"hunter2\"\n", "sql_password: \"*******\"\n"},
		{"YAML without quotes", "sql_password: hunter2\n", "sql_password: *******\n"},
		{"JSON", `{"password": "hunter2", "user": "me"}`, `{"password": "*******", "user": "me"}`},
		{"map", `#{<<"password">> => <<"hunter2">>}.`, `#{<<"password">> => <<"*******">>}.`},
		{"no secret", `{password_format, scram}. {auth_password_format, plain}. {auth_opts, [{password_format, "scram"}]}.`, `{password_format, scram}. {auth_password_format, plain}. {auth_opts, [{password_format, "scram"}]}.`},
		{"certificate", `{certfile, "priv/ssl/key.pem"}.`, `{certfile, "priv/ssl/key.pem"}.`},
		{"the word as a value", `{auth_methods, [password]}, {x, "y"}.`, `{auth_methods, [password]}, {x, "y"}.`},
		{"a host", `{hosts, ["password.example"]}.`, `{hosts, ["password.example"]}.`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(Mask([]byte(tt.src))); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// text is what the tests of the renderer are about.
const text = "{listen, [\n\t{5222, c2s, [日本 x]}\n {service, [{password, \"hunter2\"}]}\n]}.\n"

func at(src, part string) Span {
	i := strings.Index(src, part)
	line := 1 + strings.Count(src[:i], "\n")
	from := strings.LastIndex(src[:i], "\n") + 1
	return Span{File: "a.cfg", Start: i, End: i + len(part), Line: line, Col: utf8.RuneCountInString(src[from:i]) + 1}
}

func sample() List {
	return List{
		{Severity: Error, Code: "SYN008", Span: at(text, " x]"), Summary: "missing comma", Help: "write a comma\nor not", Erlang: "2: syntax error before: x"},
		{
			Severity: Warning, Code: "X001", Span: at(text, "password"), Summary: "the password hunter2 is weak", Help: "take another than \"hunter2\"",
			Related: []Related{{at(text, "{listen"), "opened here"}, {Span{File: "b.cfg", Line: 3, Col: 4}, "also there"}, {at(text, "]}."), "closed here"}},
		},
		{Severity: Info, Code: "X002", Span: Span{File: "b.cfg"}, Summary: "a whole file"},
		{Severity: Error, Summary: "no file \x1b[31m at all"},
		{Severity: Error, Code: "SYN002", Span: at(text, "\"hunter2"), Summary: "never closed", Erlang: "3: unterminated string starting with \"hunter2\""},
	}
}

func sources(file string) []byte {
	if file == "a.cfg" {
		return []byte(text)
	}
	return nil
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	name = "testdata/" + name
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func TestPrint(t *testing.T) {
	for name, p := range map[string]*Printer{
		"plain.golden":    {Source: sources},
		"color.golden":    {Source: sources, Color: true},
		"nosource.golden": {},
		"narrow.golden":   {Source: sources, Width: 16},
	} {
		var b bytes.Buffer
		if err := p.Print(&b, sample()); err != nil {
			t.Fatal(err)
		}
		if p.Source != nil && strings.Contains(b.String(), "hunter2") {
			t.Errorf("%s shows the password:\n%s", name, b.String())
		}
		if !p.Color && strings.Contains(b.String(), "\x1b") {
			t.Errorf("%s commands the terminal", name)
		}
		golden(t, name, b.Bytes())
	}
	var b bytes.Buffer
	if err := new(Printer).Print(&b, nil); err != nil || b.Len() != 0 {
		t.Errorf("an empty list gives %q, %v", b.String(), err)
	}
	if got := Summary(nil); got != "no findings" {
		t.Error(got)
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := WriteJSON(&b, sample(), sources); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "hunter2") {
		t.Errorf("the password is shown:\n%s", b.String())
	}
	var back []map[string]any
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || len(back) != len(sample()) {
		t.Fatalf("%v: %s", err, b.String())
	}
	golden(t, "list.json", b.Bytes())
	b.Reset()
	if err := WriteJSON(&b, nil, nil); err != nil || b.String() != "[]\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

// TestLongLine: whatever is at fault on a long line is shown, with its mark below.
func TestLongLine(t *testing.T) {
	words := make([]string, 60)
	for i := range words {
		words[i] = "wörd" + string(rune('A'+i%26)) + string(rune('a'+i/26))
	}
	src := strings.Join(words, " ")
	p := &Printer{Source: func(string) []byte { return []byte(src) }, Width: 50}
	for _, w := range words {
		var b bytes.Buffer
		if err := p.Write(&b, &Diagnostic{Span: at(src, w), Summary: "here"}); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(b.String(), "\n")
		if len(lines) < 5 {
			t.Fatal(b.String())
		}
		shown, marks := []rune(lines[3]), []rune(lines[4])
		i := strings.IndexRune(string(marks), '^')
		from := utf8.RuneCountInString(string(marks)[:i])
		n := strings.Count(string(marks), "^")
		if from+n > len(shown) || string(shown[from:from+n]) != w {
			t.Fatalf("%s is not marked:\n%s", w, b.String())
		}
		if len(shown) > 60 {
			t.Errorf("%d columns", len(shown))
		}
	}
}

func TestWidth(t *testing.T) {
	for r, want := range map[rune]int{'a': 1, 'é': 1, '日': 2, '😀': 2, 0x301: 0, 0x200D: 0, 'Я': 1, '한': 2, '…': 1} {
		if got := runeWidth(r); got != want {
			t.Errorf("%c has %d columns, want %d", r, got, want)
		}
	}
}

func TestList(t *testing.T) {
	l := List{
		{Severity: Info, Code: "B", Span: Span{File: "x", Start: 5}, Summary: "s"},
		{Severity: Error, Code: "A", Span: Span{File: "x", Start: 5}, Summary: "s"},
		{Severity: Error, Code: "C", Span: Span{File: "x", Start: 1}, Summary: "s"},
		{Severity: Info, Code: "B", Span: Span{File: "x", Start: 5}, Summary: "s"},
		{Severity: Warning, Code: "D", Span: Span{File: "a", Start: 0}, Summary: "s"},
	}
	l.Sort()
	got := ""
	for _, d := range l {
		got += d.Code
	}
	if got != "CABD" {
		t.Errorf("order %s, want CABD: by file as first seen, place, severity, doubles dropped", got)
	}
	if l.Count(Error) != 2 || !l.HasErrors() || List(nil).HasErrors() {
		t.Error("counts")
	}
	if err := l.Err(); err == nil || !strings.Contains(err.Error(), "and 1 more error") {
		t.Errorf("%v", err)
	}
	for s, want := range map[Span]string{{}: "-", {File: "f"}: "f", {File: "f", Line: 2}: "f:2", {File: "f", Line: 2, Col: 3}: "f:2:3"} {
		if s.String() != want {
			t.Errorf("%q, want %q", s, want)
		}
	}
}

func FuzzSecrets(f *testing.F) {
	f.Add([]byte(text))
	f.Add([]byte("{password, \"a\\"))
	f.Add([]byte("{mysql, \"a\", 'b', \"c\n\", d}"))
	f.Fuzz(func(t *testing.T, src []byte) {
		last := -1
		for _, r := range Secrets(src) {
			if r.Start <= last || r.End < r.Start || r.End > len(src) {
				t.Fatalf("%q: %v", src, Secrets(src))
			}
			last = r.End
		}
		Mask(src)
		p := &Printer{Source: func(string) []byte { return src }, Width: 20}
		for i := range src {
			d := Diagnostic{Span: Span{File: "f", Start: i, End: min(i+3, len(src)), Line: 1, Col: 1}, Summary: "s", Erlang: string(src[i:])}
			if err := p.Write(&bytes.Buffer{}, &d); err != nil {
				t.Fatal(err)
			}
			if i > 50 {
				break
			}
		}
	})
}
