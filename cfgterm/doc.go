// Package cfgterm scans, parses and prints Erlang term files such as
// ejabberd.cfg: the language that Erlang's file:consult/1 reads.
//
//	f, diags := cfgterm.Parse("ejabberd.cfg", src)
//	for _, t := range f.Terms {
//		if pair, ok := cfgterm.TupleOf(t, 2); ok && cfgterm.IsAtom(pair[0], "loglevel") {
//			...
//		}
//	}
//
// It reads exactly what OTP 25 reads, which includes all that OTP 17 to 19 read,
// the releases that MongooseIM 2.0.1 ran on. Where later releases read a file
// otherwise (three quotes, sigils, the words maybe and else) the old meaning
// holds and a warning says so. What no file of a node needs is bounded: see
// Option.
//
// Every term knows the bytes it was read from, comments are kept, and File.Src
// is the file byte for byte. Package cfgterm/rewrite changes single terms and
// leaves the rest as it is.
//
// # Faults
//
// A fault is reported as a diagnostic (package cfgterm/diag) that names the likely
// cause, the place to change and what to write there; its Erlang field holds the
// message that file:consult/1 gives, for those who search for it. Reading goes
// on: with the next term, and within the same term if it is clear what was meant,
// so that one run reports all faults. The Erlang field of a later fault is what
// Erlang would say once the faults before it are mended. Codes lists all
// diagnostics with explanations, File.Fixed returns the file with the mechanical
// faults mended.
//
// Erlang reads a term as the body of a function clause: a fault is reported at
// the first token that no expression could have there. The parser knows terms
// only and is fast; when it fails, the recogniser reads the term again with the
// whole expression grammar, to name the token that Erlang names.
//
// The package knows the syntax only. What the terms mean is the business of
// packages cfgterm/schema and compat; nothing outside of these sees a term.
//
// It imports cfgterm/diag.
package cfgterm

import "unicode/utf8"

func validUTF8(b []byte) bool { return utf8.Valid(b) }
