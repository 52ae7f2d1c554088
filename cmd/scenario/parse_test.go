package scenario

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	sc := mustParse(t, "# a title\n@config streams\n@users alice bob@localhost.bis\n@users carol\n@differs 3 because\n@timeout 0.5\n@domain other\n\n"+
		"alice login resource='a b' port=5233\n# a comment\nalice > <a>\n   <b/></a>\n  behind\nalice nothing 50\nset x = a b\nsleep 20\n")
	if sc.Title != "a title" || sc.Config != "streams" || sc.Timeout != 500*time.Millisecond || sc.Domain != "other" {
		t.Errorf("read %+v", sc)
	}
	if d := cmp.Diff([]string{"alice", "bob@localhost.bis", "carol"}, sc.Users); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"3 because"}, sc.Differs); d != "" {
		t.Error(d)
	}
	var got []string
	for _, l := range sc.lines {
		if l.kind != lineComment {
			got = append(got, l.conn+"|"+l.op+"|"+l.arg)
		}
	}
	want := []string{"alice|login|resource='a b' port=5233", "alice|>|<a><b/></a> behind", "alice|nothing|50", "|set|x", "|sleep|"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	user, domain, password := sc.account("bob@localhost.bis")
	if user != "bob" || domain != "localhost.bis" || password != "pw-bob" {
		t.Errorf("account %s %s %s", user, domain, password)
	}
	if _, domain, _ := sc.account("alice"); domain != "other" {
		t.Errorf("domain %s", domain)
	}
}

func TestParseMistakes(t *testing.T) {
	tests := []struct{ src, err string }{
		{"@config base\n", "x.scn:1: no title"},
		{"\n# title\n", "x.scn:1: no title"},
		{"# t\n@foo bar\n", "x.scn:2: unknown @foo"},
		{"# t\n@differs because\n", "x.scn:2: @differs wants"},
		{"# t\n@timeout soon\n", "x.scn:2: @timeout wants seconds"},
		{"# t\na login\nb > x\n", "x.scn:3: connection b is not open: b > x"},
		{"# t\na login until=never\n", "x.scn:2: until=never"},
		{"# t\na login colour=red\n", "x.scn:2: login has no option \"colour\""},
		{"# t\na open auth=PLAIN\n", "x.scn:2: open has no option \"auth\""},
		{"# t\na login resource='x\n", "x.scn:2: quotation without end"},
		{"# t\na login\n\na < <b>\n", "x.scn:4: not one whole element"},
		{"# t\na login\na < <b></c>\n", "x.scn:3: mismatched"},
		{"# t\na login\na <\n", "x.scn:3: no pattern"},
		{"# t\na login\na < (stop)\n", "x.scn:3: unknown pattern (stop)"},
		{"# t\na login\na < (stream-header) <foo>\n", "x.scn:3: not a stream header"},
		{"# t\na login\na < <b c='${x:colour}'/>\n", "x.scn:3: unknown class"},
		{"# t\na login\na < <b><c>${two words}</c></b>\n", "x.scn:3: ${two words} is no variable"},
		{"# t\na login\na <! (end)\n", "x.scn:3: <! without @differs"},
		{"# t\na login\na > ${b64 x\n", "x.scn:3: no closing brace"},
		{"# t\na login\na > ${foo x}\n", "x.scn:3: no function \"foo\""},
		{"# t\na login\na > ${repeat 3}\n", "x.scn:3: ${repeat ...} wants 1 words"},
		{"# t\na login\na jump\n", "x.scn:3: unknown command jump"},
		{"# t\na login\na drop it\n", "x.scn:3: drop takes 0 words"},
		{"# t\na login\na nothing long\n", "x.scn:3: \"long\" is no number"},
		{"# t\na login\na header\n", "x.scn:3: header wants a domain"},
		{"# t\na login\na header x y\n", "x.scn:3: header: \"y\" is not name=value"},
		{"# t\na login\na starttls now\n", "x.scn:3: starttls takes"},
		{"# t\nb accept a\n", "x.scn:2: a does not listen"},
		{"# t\nsleep long\n", "x.scn:2: connection sleep is not open"},
		{"# t\n???\n", "x.scn:2: not understood"},
		{"# t\na login x=1\nb nothing\n", "x.scn:2: login has no option \"x\": a login x=1\nx.scn:3: connection b"},
	}
	for _, tt := range tests {
		if _, err := Parse("x.scn", tt.src); err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%q: error %v, want %q", tt.src, err, tt.err)
		}
	}
}

func TestForTarget(t *testing.T) {
	sc := mustParse(t, `# t
@differs 1 x
a login
b login
a < <one/>
a < <two/>
b < <other/>
a < <three/>
a <* <four/>
a <! <five/>
a <!* <six/>
a nothing
a <! <seven/>
a < <eight/>

a <! <nine/>
a < <ten/>
a <!
a < <eleven/>
`)
	texts := func(recorded bool) (out []string) {
		for _, l := range sc.forTarget(recorded) {
			if l.kind != lineComment && l.op != "login" {
				out = append(out, strings.TrimSpace(l.conn+" "+l.op+" "+l.arg))
			}
		}
		return out
	}
	if d := cmp.Diff([]string{"a < <one/>", "a < <two/>", "b < <other/>", "a < <three/>", "a <* <four/>", "a nothing", "a < <eight/>", "a < <ten/>", "a < <eleven/>"}, texts(true)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"a < <one/>", "a < <two/>", "b < <other/>", "a < <five/>", "a <* <six/>", "a < <seven/>", "a < <eight/>", "a < <nine/>", "a < <eleven/>"}, texts(false)); d != "" {
		t.Error(d)
	}
}

// The files that the project keeps, and all that were recorded where they are
// at hand, can be read.
func TestLoadAll(t *testing.T) {
	dirs := []string{"../../testdata/scenarios"}
	shared := os.Getenv("MEERKAT_SHARED")
	if shared == "" {
		shared = "../../../shared"
	}
	if _, err := os.Stat(filepath.Join(shared, "golden")); err == nil {
		dirs = append(dirs, filepath.Join(shared, "golden"))
	} else {
		t.Logf("only the project's own files: %v", err)
	}
	for _, dir := range dirs {
		var files []string
		if err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if filepath.Ext(path) == ".scn" {
				files = append(files, path)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		all, err := LoadAll(dir)
		if err != nil {
			t.Errorf("%s:\n%v", dir, err)
		}
		var got []string
		for _, sc := range all {
			got = append(got, sc.Path)
			if _, err := os.Stat(filepath.Join(dir, sc.Config+".cfg")); err != nil {
				t.Errorf("%s: @config %s: %v", sc.Path, sc.Config, err)
			}
		}
		slices.Sort(files)
		slices.Sort(got)
		if d := cmp.Diff(files, got); d != "" || len(files) < 300 {
			t.Errorf("%d files of %s: %s", len(files), dir, d)
		}
	}
}

func TestLoadMissing(t *testing.T) {
	if _, err := Load("no/such.scn"); err == nil || !strings.Contains(err.Error(), "read scenario: ") {
		t.Errorf("error %v", err)
	}
	if _, err := LoadAll("no/such"); err == nil {
		t.Error("no error for a folder that is not there")
	}
}
