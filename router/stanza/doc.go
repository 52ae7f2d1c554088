// Package stanza holds messages, presences and IQs (RFC 6120 §8) as they move
// through the server, and the errors that answer them. It does what jlib.erl
// of MongooseIM 2.0.1 does with exml trees.
//
// A Stanza is the start tag's fields and the bytes of its content. It is never
// changed once it exists, so any number of receivers, archives and hooks share
// one; methods that begin with With return a changed copy, which shares what it
// can. A stanza that is passed on is written as the start tag with the addresses
// of its receiver and the content as it came. Who needs the children asks for
// the tree, which is built once.
//
//	st, el, size, err := parser.Parse(tok.Raw)
//	…
//	p := stanza.Packet{From: alice, To: bob, Stanza: st}
//	out = p.AppendTo(out, stanza.Options{})
//
// A stanza from a client, a server and a component differ in their namespace
// only. A Stanza has none: it is in the namespace of the stream it is written
// to, and its children without a namespace of their own have Space "".
//
// Deviations from the reference: an element is a stanza by name and namespace,
// where the reference looks at the name alone; the namespaces that are accepted
// are the stream's default, jabber:client, jabber:server,
// jabber:component:accept and none.
//
// It imports router/xml and router/jid.
package stanza

// Namespaces of streams and their errors.
const (
	NSClient       = "jabber:client"
	NSServer       = "jabber:server"
	NSComponent    = "jabber:component:accept"
	NSStream       = "http://etherx.jabber.org/streams"
	NSStreamErrors = "urn:ietf:params:xml:ns:xmpp-streams"
	NSErrors       = "urn:ietf:params:xml:ns:xmpp-stanzas"
)

// TooBigText is the text of the stream error policy-violation for an element
// over max_stanza_size.
const TooBigText = "XML stanza is too big"
