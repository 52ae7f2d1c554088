// Package xml reads and writes XML streams (RFC 6120 §4 and §11, RFC 7395,
// the bodies of XEP-0124). It stands where the reference has exml and expat.
//
// Reading takes two steps. A Framer finds the complete top-level elements of
// the byte stream as they arrive. A Scanner goes once over the text of a
// complete element: it checks that the text is well-formed and says what
// routing needs to know, without building anything. Who wants the children
// builds the tree with Parse.
//
//	f := xml.NewFramer(xml.Stream, xml.LimitsFor(65536))
//	f.Push(read)
//	for {
//		tok, err := f.Next()
//		if err != nil {
//			return err // an *Error: which stream error to send
//		}
//		if tok.Kind == xml.None {
//			break // read may be reused now, and only now
//		}
//		…
//	}
//
// Deviations from the reference, which the project decided on: namespaces
// count, not prefixes; a document type is refused wherever it stands, as is
// any entity but the five; comments and processing instructions are accepted
// and dropped; limits hold while reading, so that nothing is buffered beyond
// them; what was complete before a mistake is handed out before the mistake is
// reported.
//
// It imports no package of Meerkat.
package xml

// Namespaces that the XML recommendations themselves define.
const (
	// NamespaceXML is always bound to the prefix "xml".
	NamespaceXML = "http://www.w3.org/XML/1998/namespace"
	// NamespaceXMLNS belongs to declarations and is never bound by one.
	NamespaceXMLNS = "http://www.w3.org/2000/xmlns/"
)

// DefaultDepth is how deep elements may be nested inside a top-level element.
const DefaultDepth = 1000

// maxBindings bounds the prefixes that are bound at one place. It keeps the
// search for a prefix, which is linear, cheap against hostile input.
const maxBindings = 128

// A Binding ties a prefix to a namespace.
type Binding struct{ Prefix, Space string }

// A Context is what surrounds an element: the declarations of the stream
// header. It must not be changed once it is in use.
type Context struct {
	Default  string    // the default namespace; "" if there is none
	Bindings []Binding // prefixes other than "xml"
}

// lookup finds the namespace of a prefix.
func (c *Context) lookup(prefix string) (string, bool) {
	if c == nil {
		return "", false
	}
	for i := len(c.Bindings) - 1; i >= 0; i-- {
		if c.Bindings[i].Prefix == prefix {
			return c.Bindings[i].Space, true
		}
	}
	return "", false
}
