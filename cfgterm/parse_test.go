package cfgterm

import "testing"

func TestParseSmoke(t *testing.T) {
	f, l := Parse("x.cfg", []byte("% c\n{hosts, [\"a\", 'B', -1, 1.5e3, <<\"x\">>, #{a => 1} | t]}.\n{a}."))
	if len(l) != 0 || len(f.Terms) != 2 {
		t.Fatal(l, f.Terms)
	}
	if got := Format(f.Terms[0]); got != `{hosts, ["a", 'B', -1, 1.5e3, <<"x">>, #{a => 1} | t]}` {
		t.Error(got)
	}
}
