package cfgterm_test

import (
	"fmt"
	"os"

	"meerkat/cfgterm"
	"meerkat/cfgterm/diag"
)

func ExampleParse() {
	src := []byte(`%% who we are
{hosts, ["example.org"]}.
{loglevel, 3}.
`)
	f, diags := cfgterm.Parse("ejabberd.cfg", src)
	if err := diags.Err(); err != nil {
		fmt.Println(err)
	}
	for _, t := range f.Terms {
		if pair, ok := cfgterm.TupleOf(t, 2); ok {
			fmt.Printf("%s: %s is %s\n", t.Span(), cfgterm.Format(pair[0]), cfgterm.Format(pair[1]))
		}
	}
	// Output:
	// ejabberd.cfg:2:1: hosts is ["example.org"]
	// ejabberd.cfg:3:1: loglevel is 3
}

func ExampleParse_faults() {
	src := []byte("{hosts, [\"example.org\",]}\n{loglevel, 3}.\n")
	f, diags := cfgterm.Parse("ejabberd.cfg", src)
	p := diag.Printer{Source: func(string) []byte { return src }}
	p.Print(os.Stdout, diags)
	fmt.Printf("\nmended:\n%s", f.Fixed())
	// Output:
	// error[SYN007]: comma after the last element of a list
	//    --> ejabberd.cfg:1:23
	//     |
	//   1 | {hosts, ["example.org",]}
	//     |                       ^
	//     = help: remove the comma at 1:23
	//     = erlang: 1: syntax error before: ']'
	//
	// error[SYN009]: the term hosts that starts at line 1 has no final dot
	//    --> ejabberd.cfg:1:26
	//     |
	//   1 | {hosts, ["example.org",]}
	//     |                          ^
	//   2 | {loglevel, 3}.
	//     | - the next term starts here
	//     = help: write a dot at 1:26
	//     = erlang: 2: syntax error before: '{'
	//
	// 2 errors
	//
	// mended:
	// {hosts, ["example.org"]}.
	// {loglevel, 3}.
}
