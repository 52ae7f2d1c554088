// Package scenario plays protocol scenarios against an XMPP server: small text
// files that say what clients send and what the server answers, stanza by
// stanza. The files under testdata/scenarios were recorded from a MongooseIM
// 2.0.1 node and are the yardstick of what a drop-in replacement has to do.
//
// A file has one command a line (a line that begins with a blank continues the
// one before):
//
//	# title
//	@config base
//	@users alice bob
//	alice login resource=r1 presence
//	alice > <message to='bob@localhost'><body>hello</body></message>
//	bob < <message from='alice@localhost/r1' to='bob@localhost'><body>hello</body></message>
//	bob nothing
//
// Patterns compare by namespace, ignore the order of attributes and white space
// between elements, and bind variables (${x}, ${x:int}, ${*}, ${ts}, ...). Where
// Meerkat differs on purpose, "<!" lines stand below the recorded "<" lines;
// Run takes them unless Target.Recorded is set.
//
// A test loads files and plays them one after another; two scenarios must not
// run against one server at the same time, because they use the same accounts:
//
//	all, err := scenario.LoadAll("testdata/scenarios/streams")
//	...
//	for _, sc := range all {
//		t.Run(sc.Path, func(t *testing.T) {
//			err := sc.Run(ctx, target)
//			var skip *scenario.Skipped
//			if errors.As(err, &skip) {
//				t.Skip(skip)
//			}
//			if err != nil {
//				t.Fatal(err)
//			}
//		})
//	}
//
// The package is a client and shares no code with the server on purpose: it has
// its own XML reader, which keeps what a server's reader may throw away
// (prefixes, literal header attributes, duplicate attributes), so that a
// mistake in one cannot hide behind the same mistake in the other.
//
// It imports no other package of Meerkat.
package scenario
