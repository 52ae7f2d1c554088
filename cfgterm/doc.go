// Package cfgterm scans, parses and prints Erlang term files such as
// ejabberd.cfg: the language that Erlang's file:consult/1 reads. Every term
// knows its place in the file, comments are kept, and faults are reported as
// diagnostics (package cfgterm/diag) that name the likely cause beside the message
// that Erlang gives.
//
// It knows the syntax only. What the terms mean is the business of packages
// cfgterm/schema and compat; nothing outside of these sees a term.
//
// It imports cfgterm/diag.
package cfgterm

import "unicode/utf8"

func validUTF8(b []byte) bool { return utf8.Valid(b) }
