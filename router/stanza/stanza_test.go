package stanza

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"meerkat/router/jid"
	"meerkat/router/xml"
	"pgregory.net/rapid"
)

// parse reads a stanza of a client's stream.
func parse(t testing.TB, text string) *Stanza {
	t.Helper()
	st, el, _, err := Parse([]byte(text), streamContext(t))
	if err != nil || st == nil {
		t.Fatalf("%s: element %v, %v", text, el, err)
	}
	return st
}

var (
	alice = jid.MustParse("alice@localhost/a")
	bob   = jid.MustParse("bob@localhost/b")
)

func TestParse(t *testing.T) {
	st := parse(t, `<message xml:lang='en' to="bob@localhost/b" from='x' type='chat' id='a&amp;b' p:q='1' xmlns:p='urn:p'><body>hi</body><x xmlns='urn:x'/></message>`)
	if st.Kind != Message || st.Type != "chat" || st.ID != "a&b" || !st.HasID() || st.Lang != "en" || st.From != "x" || st.To != "bob@localhost/b" {
		t.Errorf("got %+v", st)
	}
	if space, name, n := st.Payload(); space != "" || name != "body" || n != 2 {
		t.Errorf("payload %q %q of %d", space, name, n)
	}
	if st.Attr("p:q") != "1" || st.Attr("id") != "a&b" || st.Attr("type") != "chat" || st.Attr("to") != "bob@localhost/b" ||
		st.Attr("from") != "x" || st.Attr("xml:lang") != "en" || st.Attr("none") != "" {
		t.Error("Attr finds something else")
	}
	if st.Content() != "<body>hi</body><x xmlns='urn:x'/>" {
		t.Errorf("content %s", st.Content())
	}
	if got := st.Child("body").Text(); got != "hi" {
		t.Errorf("body %q", got)
	}
	if st.ChildNS("urn:x", "x") == nil || st.Child("x") != nil || st.Child("none") != nil {
		t.Error("ChildNS finds something else")
	}
}

// TestPassOn parses what a peer writes and writes it with new addresses.
func TestPassOn(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "<message to='x' id='1'><body>x</body></message>", "<message from='alice@localhost/a' to='bob@localhost/b' id='1'><body>x</body></message>"},
		{"empty", "<presence/>", "<presence from='alice@localhost/a' to='bob@localhost/b'/>"},
		{"empty in two tags", "<presence></presence >", "<presence from='alice@localhost/a' to='bob@localhost/b'/>"},
		{"white space kept", "<iq type='get'>\n<q/>\t</iq>", "<iq from='alice@localhost/a' to='bob@localhost/b' type='get'>\n<q/>\t</iq>"},
		{"line ends", "<message><body> a\r\nb\rc </body></message>", "<message from='alice@localhost/a' to='bob@localhost/b'><body> a\nb\nc </body></message>"},
		{"xmlns removed", "<message xmlns='jabber:client' id=''/>", "<message from='alice@localhost/a' to='bob@localhost/b' id=''/>"},
		{"from a server", "<message xmlns='jabber:server'><body/></message>", "<message from='alice@localhost/a' to='bob@localhost/b'><body/></message>"},
		{"from a component", "<message xmlns='jabber:component:accept'/>", "<message from='alice@localhost/a' to='bob@localhost/b'/>"},
		{"no namespace", "<message xmlns=''/>", "<message from='alice@localhost/a' to='bob@localhost/b'/>"},
		{"escapes", "<message id='a&amp;b&lt;c&quot;d&apos;e'><body>&lt;b&gt; &amp;amp; \"q\" 'a' ]]&gt; é€😀</body></message>", "<message from='alice@localhost/a' to='bob@localhost/b' id='a&amp;b&lt;c&quot;d&apos;e'><body>&lt;b&gt; &amp;amp; \"q\" 'a' ]]&gt; é€😀</body></message>"},
		{"CDATA", "<message><body><![CDATA[<b> & ]]]]></body></message>", "<message from='alice@localhost/a' to='bob@localhost/b'><body>&lt;b&gt; &amp; ]]</body></message>"},
		{"comment", "<message><!-- no --><body>a<!-- no -->b</body></message>", "<message from='alice@localhost/a' to='bob@localhost/b'><body>ab</body></message>"},
		{"instruction", "<message><?foo bar?><body>x</body></message>", "<message from='alice@localhost/a' to='bob@localhost/b'><body>x</body></message>"},
		{"prefix kept", "<message xmlns:p='urn:p' id='1'><p:x><p:y p:z='1'/></p:x></message>", "<message from='alice@localhost/a' to='bob@localhost/b' id='1' xmlns:p='urn:p'><p:x><p:y p:z='1'/></p:x></message>"},
		{"other attributes", "<message a='1' to='x' b=\"2'\" id='3' c='&lt;' type='chat'/>", "<message from='alice@localhost/a' to='bob@localhost/b' type='chat' id='3' a='1' b=\"2'\" c='&lt;'/>"},
		{"prefix from the header", "<message><stream:x/></message>", "<message from='alice@localhost/a' to='bob@localhost/b'><stream:x xmlns:stream='http://etherx.jabber.org/streams'/></message>"},
		{"prefixed root", "<c:message xmlns:c='jabber:client'><c:body/></c:message>", "<message from='alice@localhost/a' to='bob@localhost/b' xmlns:c='jabber:client'><c:body/></message>"},
		{"prefixed root, another default", "<c:message xmlns:c='jabber:client' xmlns='urn:foo' id='1'><x/>t<c:y><z/></c:y></c:message>", "<message from='alice@localhost/a' to='bob@localhost/b' id='1' xmlns:c='jabber:client'><x xmlns='urn:foo'/>t<c:y><z xmlns='urn:foo'/></c:y></message>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := Packet{From: alice, To: bob, Stanza: parse(t, tt.in)}
			if got := string(p.AppendTo(nil, Options{})); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	st := parse(t, "<presence type='x' id='1'><show>away</show></presence>")
	for _, tt := range []struct {
		from, to jid.JID
		o        Options
		want     string
	}{
		{alice, bob, Options{Namespace: NSClient}, "<presence xmlns='jabber:client' from='alice@localhost/a' to='bob@localhost/b' type='x' id='1'><show>away</show></presence>"},
		{alice, bob.Bare(), Options{Type: "unavailable"}, "<presence from='alice@localhost/a' to='bob@localhost' type='unavailable' id='1'><show>away</show></presence>"},
		{jid.JID{}, jid.JID{}, Options{}, "<presence type='x' id='1'><show>away</show></presence>"},
		{jid.MustParse("a@b/it's <&>"), bob, Options{}, "<presence from='a@b/it&apos;s &lt;&amp;&gt;' to='bob@localhost/b' type='x' id='1'><show>away</show></presence>"},
	} {
		if got := string(st.AppendTo(nil, tt.from, tt.to, tt.o)); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
	empty := parse(t, "<presence/>")
	if got := string(empty.AppendTo(nil, jid.JID{}, jid.JID{}, Options{Type: "unavailable"})); got != "<presence type='unavailable'/>" {
		t.Errorf("got %s", got)
	}
}

func TestParseOther(t *testing.T) {
	ctx := streamContext(t)
	server := &xml.Context{Default: NSServer, Bindings: []xml.Binding{{Prefix: "db", Space: "jabber:server:dialback"}}}
	odd := &xml.Context{Default: "urn:odd"}
	for _, tt := range []struct {
		in     string
		ctx    *xml.Context
		stanza bool
		space  string
	}{
		{"<foo/>", ctx, false, NSClient},
		{"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>x</auth>", ctx, false, "urn:ietf:params:xml:ns:xmpp-sasl"},
		{"<message xmlns='urn:foo'/>", ctx, false, "urn:foo"},
		{"<stream:message/>", ctx, false, NSStream},
		{"<stream:features/>", ctx, false, NSStream},
		{"<db:result from='a' to='b'>key</db:result>", server, false, "jabber:server:dialback"},
		{"<message/>", server, true, ""},
		{"<message xmlns='jabber:client'/>", server, true, ""},
		{"<message/>", odd, true, ""},
		{"<message/>", nil, true, ""},
		{"<message xmlns='jabber:client'/>", nil, true, ""},
		{"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>", nil, false, "urn:ietf:params:xml:ns:xmpp-framing"},
		{"<handshake>x</handshake>", &xml.Context{Default: NSComponent}, false, NSComponent},
	} {
		st, el, size, err := Parse([]byte(tt.in), tt.ctx)
		if err != nil || (st != nil) != tt.stanza || (el == nil) != tt.stanza || size == 0 {
			t.Errorf("%s: stanza %v, element %v, size %d, %v", tt.in, st, el, size, err)
		} else if el != nil && el.Space != tt.space {
			t.Errorf("%s: in %q, want %q", tt.in, el.Space, tt.space)
		}
	}
	for _, bad := range []string{"<message>", "<message/><message/>", "<iq></message>", "<p:iq/>", "<iq>&foo;</iq>", "x", ""} {
		st, el, size, err := Parse([]byte(bad), ctx)
		var x *xml.Error
		if !errors.As(err, &x) || st != nil || el != nil || size != 0 {
			t.Errorf("%q: %v, %v, %d, %v", bad, st, el, size, err)
		}
	}
}

func TestSize(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want int
	}{
		{"<message to='bob@localhost/b' id='1'><body>" + strings.Repeat("x", 940) + "</body></message>", 1000},
		{"<message to='bob@localhost/b' id='1'><body>" + strings.Repeat("x", 941) + "</body></message>", 1001},
		{"<message><stream:a/><!-- x -->\r\n</message>", 19 + 11 + 1}, // as it came, not as it is passed on
		{"<auth>x</auth>", 14},
	} {
		if _, _, size, err := Parse([]byte(tt.in), streamContext(t)); err != nil || size != tt.want {
			t.Errorf("%.50s: size %d, %v; want %d", tt.in, size, err, tt.want)
		}
	}
}

func TestPayload(t *testing.T) {
	for _, tt := range []struct {
		in          string
		space, name string
		n           int
	}{
		{"<iq/>", "", "", 0},
		{"<iq>text</iq>", "", "", 0},
		{"<iq><query xmlns='jabber:iq:roster'/></iq>", "jabber:iq:roster", "query", 1},
		{"<iq> <a xmlns='u'/><b/></iq>", "u", "a", 2},
		{"<iq><q/></iq>", "", "q", 1},
		{"<iq><q xmlns='jabber:client'/></iq>", "", "q", 1},
		{"<iq xmlns='jabber:server'><q xmlns='jabber:server'/></iq>", "", "q", 1},
		{"<iq><p:q xmlns:p='urn:p'/></iq>", "urn:p", "q", 1},
		{"<iq><!-- <a/> --><q xmlns='u'/></iq>", "u", "q", 1},
	} {
		st := parse(t, tt.in)
		if space, name, n := st.Payload(); space != tt.space || name != tt.name || n != tt.n {
			t.Errorf("%s: %q %q of %d", tt.in, space, name, n)
		}
		if st.tree.Load() != nil {
			t.Errorf("%s: a tree was built", tt.in)
		}
		// The tree says the same.
		built := FromRaw(IQ, "", "", st.Content())
		built.attrs, built.space = st.attrs, st.space
		if space, name, n := built.Payload(); space != tt.space || name != tt.name || n != tt.n {
			t.Errorf("%s, from its tree: %q %q of %d", tt.in, space, name, n)
		}
	}
}

func TestElement(t *testing.T) {
	st := parse(t, "<message xmlns='jabber:server' to='b' id='1' p:a='1' xmlns:p='urn:p'><body xmlns='jabber:server'>x</body><p:c/>"+
		"<f xmlns='urn:xmpp:forward:0'><message xmlns='jabber:server'/></f></message>")
	e := st.Element()
	if e != st.Element() {
		t.Error("the tree is built twice")
	}
	if e.Name != "message" || e.Space != "" || e.Attr("to") != "b" || e.Attr("id") != "1" || e.Attr("p:a") != "1" {
		t.Errorf("root %v", e)
	}
	if e.ChildText("", "body") != "x" || e.Child("urn:p", "c") == nil || e.Child("urn:xmpp:forward:0", "f").Child(NSServer, "message") == nil {
		t.Errorf("children of %v", e)
	}
}

// TestElementRace lets many ask for the tree at once; the race detector
// watches.
func TestElementRace(t *testing.T) {
	for _, st := range []*Stanza{parse(t, corpusMessage), New(Message, "chat", "1", xml.New("", "body").SetText("x"))} {
		var wg sync.WaitGroup
		got := make([]*xml.Element, 8)
		for i := range got {
			wg.Go(func() {
				got[i] = st.Element()
				_, _, _ = st.Payload()
				_ = st.Child("body").Text()
				_ = st.WithType("x").Element()
				_ = st.AppendTo(nil, alice, bob, Options{})
			})
		}
		wg.Wait()
		for _, e := range got {
			if e != got[0] {
				t.Fatal("two trees of one stanza")
			}
		}
	}
}

func TestBrokenRawContent(t *testing.T) {
	st := FromRaw(IQ, "result", "1", "<a>")
	if e := st.Element(); e.Name != "iq" || e.Attr("id") != "1" || e.First() != nil {
		t.Errorf("got %v", e)
	}
}

func TestBuild(t *testing.T) {
	req := parse(t, "<iq type='get' id='7' to='localhost' from='alice@localhost/a' xml:lang='de' x='y'><query xmlns='jabber:iq:version'/></iq>")
	noID := parse(t, "<iq type='get'/>")
	emptyID := parse(t, "<iq type='get' id=''/>")
	msg := parse(t, "<message id='1'><body>x</body><delay xmlns='urn:xmpp:delay' stamp='s'/> <x xmlns='jabber:x:delay' stamp='s'/><x xmlns='urn:x'/></message>")
	query := func() *xml.Element {
		return xml.New("jabber:iq:version", "query").Add(xml.New("jabber:iq:version", "name").SetText("<M>"))
	}
	for _, tt := range []struct {
		name string
		st   *Stanza
		want string
	}{
		{"new", New(Message, "chat", "1", xml.New("", "body").SetText("a<b"), nil, xml.New(NSClient, "subject")), "<message type='chat' id='1'><body>a&lt;b</body><subject/></message>"},
		{"new, bare", New(Presence, "", ""), "<presence/>"},
		{"raw", FromRaw(IQ, "set", "p", "<a/>"), "<iq type='set' id='p'><a/></iq>"},
		{"result", Result(req, query()), "<iq type='result' id='7'><query xmlns='jabber:iq:version'><name>&lt;M&gt;</name></query></iq>"},
		{"empty result", Result(req), "<iq type='result' id='7'/>"},
		{"raw result", ResultRaw(req, "<a xmlns='u'/>"), "<iq type='result' id='7'><a xmlns='u'/></iq>"},
		{"result without id", Result(noID), "<iq type='result' id=''/>"},
		{"raw result without id", ResultRaw(noID, "<a/>"), "<iq type='result' id=''><a/></iq>"},
		{"error without id", ErrorReplyEmpty(noID, BadRequest).WithChildren(), "<iq type='error'/>"},
		{"empty from", Result(req).WithEmptyFrom(), "<iq from='' type='result' id='7'/>"},
		{"result with an empty id", Result(emptyID), "<iq type='result' id=''/>"},
		{"type", msg.WithType("error").WithChildren(), "<message type='error' id='1'/>"},
		{"no type", req.WithType("").WithChildren(), "<iq from='alice@localhost/a' to='localhost' id='7' xml:lang='de' x='y'/>"},
		{"id", req.WithID("8").WithChildren().WithAddresses("", ""), "<iq type='get' id='8' xml:lang='de' x='y'/>"},
		{"no id", req.WithID("").WithChildren().WithAddresses("f", "t"), "<iq from='f' to='t' type='get' xml:lang='de' x='y'/>"},
		{"lang", noID.WithLang("f'r"), "<iq type='get' xml:lang='f&apos;r'/>"},
		{"with", noID.With(query(), nil).With(xml.New("", "a")), "<iq type='get'><query xmlns='jabber:iq:version'><name>&lt;M&gt;</name></query><a/></iq>"},
		{"prepend", msg.Prepend(xml.New("", "a")).Without("x", func(e *xml.Element) bool { return e.Name == "x" || e.Name == "delay" }), "<message id='1'><a/><body>x</body> </message>"},
		{"children", msg.WithChildren(xml.New("u", "a")), "<message id='1'><a xmlns='u'/></message>"},
		{"without delay", msg.WithoutDelay(), "<message id='1'><body>x</body> <x xmlns='urn:x'/></message>"},
	} {
		if got := tt.st.String(); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
	if got := string(Result(req).WithEmptyFrom().AppendTo(nil, alice, bob, Options{})); got != "<iq from='alice@localhost/a' to='bob@localhost/b' type='result' id='7'/>" {
		t.Errorf("with an empty from and an address: %s", got)
	}
	if n := msg.Size(); n < len(msg.Content()) {
		t.Errorf("size %d", n)
	}
	if msg.WithLang("") != msg || msg.WithType("") != msg {
		t.Error("a stanza that stays the same is copied")
	}
	if st := parse(t, corpusChat); st.WithoutDelay() != st || st.tree.Load() != nil {
		t.Error("a message without delay is copied or a tree built")
	}
	if st := parse(t, "<message><body>a delay</body></message>"); st.WithoutDelay() != st {
		t.Error("a message that speaks of delay is copied")
	}
	if st := req.WithType("set"); st == req || req.Type != "get" {
		t.Error("the stanza itself was changed")
	}
	if with := req.With(xml.New("u", "a")); with.Element() == req.Element() {
		t.Error("a changed stanza keeps the tree")
	}
	if _, _, n := req.With(xml.New("u", "a")).Payload(); n != 2 {
		t.Errorf("%d children after adding one", n)
	}
}

func TestErrorReply(t *testing.T) {
	iq := parse(t, "<iq type='get' id='1' to='localhost' xml:lang='de' x='y'><x xmlns='urn:none'/></iq>")
	bad := parse(t, "<message to='@bad' id='1'><body>x</body></message>")
	both := parse(t, "<message from='x@other.localhost' to='alice@localhost/a' id='2' type='chat'><body>x</body></message>")
	ns := "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'"
	for _, tt := range []struct {
		st   *Stanza
		want string
	}{
		{ErrorReply(iq, FeatureNotImplemented), "<iq from='localhost' type='error' id='1' xml:lang='de' x='y'><x xmlns='urn:none'/><error code='501' type='cancel'><feature-not-implemented " + ns + "/></error></iq>"},
		{ErrorReply(bad, JIDMalformed), "<message from='@bad' type='error' id='1'><body>x</body><error code='400' type='modify'><jid-malformed " + ns + "/></error></message>"},
		{ErrorReply(both, BadRequest), "<message from='alice@localhost/a' to='x@other.localhost' type='error' id='2'><body>x</body><error code='400' type='modify'><bad-request " + ns + "/></error></message>"},
		{ErrorReplyEmpty(both, ArchiveNotAllowed.WithText("The action is not allowed.")), "<message from='alice@localhost/a' to='x@other.localhost' type='error' id='2'><error code='' type='cancel'><not-allowed " + ns + "/><text " + ns + ">The action is not allowed.</text></error></message>"},
		{ErrorReplyEmpty(bad, NotAcceptableCancel.WithExtra(xml.New("urn:xmpp:blocking:errors", "blocked"))), "<message from='@bad' type='error' id='1'><error code='406' type='cancel'><not-acceptable " + ns + "/><blocked xmlns='urn:xmpp:blocking:errors'/></error></message>"},
		{ErrorReplyEmpty(bad, Gone.WithAddress("xmpp:a@b?x&y")), "<message from='@bad' type='error' id='1'><error code='302' type='modify'><gone " + ns + ">xmpp:a@b?x&amp;y</gone></error></message>"},
	} {
		if got := tt.st.String(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
		if c := tt.st.Child("error"); c == nil {
			t.Errorf("%s has no error child", tt.st)
		}
	}
	p := Packet{From: bob, To: alice, Stanza: ErrorReply(iq, ItemNotFound)}
	if got := string(p.AppendTo(nil, Options{})); !strings.HasPrefix(got, "<iq from='bob@localhost/b' to='alice@localhost/a' type='error' id='1'") {
		t.Errorf("with addresses: %s", got)
	}
}

// TestErrors holds the table of MongooseIM 2.0.1.
func TestErrors(t *testing.T) {
	want := "bad-request 400 modify|conflict 409 cancel|feature-not-implemented 501 cancel|forbidden 403 auth|gone 302 modify|" +
		"internal-server-error 500 wait|item-not-found 404 cancel|jid-malformed 400 modify|not-acceptable 406 modify|" +
		"not-acceptable 406 cancel|not-allowed 405 cancel|undefined-condition 500 modify|not-authorized 401 auth|" +
		"payment-required 402 auth|recipient-unavailable 404 wait|redirect 302 modify|registration-required 407 auth|" +
		"remote-server-not-found 404 cancel|remote-server-timeout 504 wait|resource-constraint 500 wait|" +
		"service-unavailable 503 cancel|service-unavailable 502 wait|subscription-required 407 auth|unexpected-request 400 wait|" +
		"unexpected-request 401 cancel|not-allowed 0 cancel|policy-violation 0 modify|resource-constraint 0 wait"
	var got []string
	for _, e := range []*Error{
		BadRequest, Conflict, FeatureNotImplemented, Forbidden, Gone, InternalServerError, ItemNotFound, JIDMalformed, NotAcceptable,
		NotAcceptableCancel, NotAllowed, UndefinedCondition, NotAuthorized, PaymentRequired, RecipientUnavailable, Redirect,
		RegistrationRequired, RemoteServerNotFound, RemoteServerTimeout, ResourceConstraint, ServiceUnavailable, ServiceUnavailableFull,
		SubscriptionRequired, UnexpectedRequest, UnexpectedRequestPub, ArchiveNotAllowed, ArchivePolicyViolation, ArchiveConstraint,
	} {
		got = append(got, fmt.Sprintf("%s %d %s", e.Condition, e.Code, e.Type))
	}
	if !slices.Equal(got, strings.Split(want, "|")) {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}

	err := fmt.Errorf("handle: %w", NotAllowed.WithText("no"))
	if !errors.Is(err, NotAllowed) || errors.Is(err, ArchiveNotAllowed) || errors.Is(err, Forbidden) || errors.Is(err, errors.ErrUnsupported) {
		t.Error("errors.Is finds something else")
	}
	if NotAllowed.Text != "" || NotAllowed.Error() != "not-allowed" || NotAllowed.WithText("no").Error() != "not-allowed: no" {
		t.Error("the text went elsewhere")
	}
	if one := NotAllowed.WithExtra(xml.New("u", "a")); len(one.WithExtra(xml.New("u", "b")).Extra) != 2 || len(one.Extra) != 1 {
		t.Error("extra conditions are shared")
	}
}

func TestStreamError(t *testing.T) {
	for _, tt := range []struct {
		e    StreamError
		want string
	}{
		{StreamError{Condition: "host-unknown"}, "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"},
		{StreamError{Condition: "policy-violation", Text: TooBigText}, "<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang=''>XML stanza is too big</text></stream:error>"},
		{StreamError{Condition: "conflict", Text: "Replaced", Lang: "d'e", Extra: []*xml.Element{xml.New("u", "x")}}, "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='d&apos;e'>Replaced</text><x xmlns='u'/></stream:error>"},
		{StreamError{Condition: "see-other-host", Address: "other:5222"}, "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>other:5222</see-other-host></stream:error>"},
	} {
		if got := string(tt.e.AppendTo(nil)); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
		if e, err := xml.Parse(tt.want, streamContext(t)); err != nil || e.First().Name != tt.e.Condition {
			t.Errorf("reads back as %v, %v", e, err)
		}
	}
	e := (&StreamError{Condition: "conflict", Text: "x"}).Element()
	e.Prefix = ""
	if got := e.String(); !strings.HasPrefix(got, "<error xmlns='http://etherx.jabber.org/streams'><conflict ") {
		t.Errorf("without its prefix: %s", got)
	}
	if got := FromXML(fmt.Errorf("read: %w", xml.TooBig()), "de"); got.Condition != "policy-violation" || got.Text != TooBigText || got.Lang != "de" {
		t.Errorf("got %+v", got)
	}
	if got := FromXML(errors.ErrUnsupported, ""); got.Condition != "internal-server-error" {
		t.Errorf("got %+v", got)
	}
	if got := (&StreamError{Condition: "a", Text: "b"}).Error() + (&StreamError{Condition: "a"}).Error(); got != "stream error a: bstream error a" {
		t.Errorf("got %s", got)
	}
}

func TestFromElement(t *testing.T) {
	text := "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='a@b' to='c@d' type='chat' id='' xml:lang='en' x='y'>" +
		"<body>x&lt;</body><z xmlns='urn:z'><w/></z></message><foo/></forwarded>"
	e, err := xml.Parse(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	st, ok := FromElement(e.First())
	if want := "<message from='a@b' to='c@d' type='chat' id='' xml:lang='en' x='y'><body>x&lt;</body><z xmlns='urn:z'><w/></z></message>"; !ok || st.String() != want {
		t.Errorf("got  %v\nwant %s", st, want)
	}
	if st, ok := FromElement(e.Child("", "foo")); ok {
		t.Errorf("got %v", st)
	}
	server, err := xml.Parse("<presence xmlns='jabber:server'>t<show/></presence>", nil)
	if err != nil {
		t.Fatal(err)
	}
	if st, _ := FromElement(server); st.String() != "<presence>t<show/></presence>" {
		t.Errorf("got %v", st)
	}
	none, err := xml.Parse("<presence xmlns='' id='1'/>", streamContext(t))
	if err != nil {
		t.Fatal(err)
	}
	if st, _ := FromElement(none); st.String() != "<presence id='1'/>" {
		t.Errorf("got %v", st)
	}
	if st, _ := FromElement(xml.New("", "iq")); st.String() != "<iq/>" {
		t.Errorf("got %v", st)
	}
}

func TestMemoryIsOwn(t *testing.T) {
	raw := []byte("<message to='bob' id='1'><body>x</body></message>")
	st, _, _, err := Parse(raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, el, _, err := Parse(raw[:0:0], nil)
	if err == nil {
		t.Fatalf("got %v", el)
	}
	for i := range raw {
		raw[i] = '#'
	}
	if got := st.String(); got != "<message to='bob' id='1'><body>x</body></message>" {
		t.Errorf("got %s", got)
	}
}

// TestAllocations holds the budget of the hot path: the text and the stanza.
func TestAllocations(t *testing.T) {
	p := Parser{Context: streamContext(t)}
	out := make([]byte, 0, 4096)
	for _, c := range corpus()[:3] {
		raw := []byte(c.text)
		if n := testing.AllocsPerRun(200, func() {
			st, _, _, err := p.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			out = st.WithoutDelay().AppendTo(out[:0], alice, bob, Options{})
		}); n > 2 {
			t.Errorf("%s: %v allocations, want 2", c.name, n)
		}
	}
}

// checkStanza holds for every text that Parse makes a stanza of.
func checkStanza(t interface{ Fatalf(string, ...any) }, text string, ctx *xml.Context) {
	st, _, _, err := Parse([]byte(text), ctx)
	if err != nil || st == nil {
		return
	}
	// What is passed on is clean and reads back as the same stanza.
	for _, o := range []Options{{}, {Namespace: NSClient}} {
		p := Packet{From: alice, To: bob, Stanza: st}
		out := string(p.AppendTo(nil, o))
		var sc xml.Scanner
		if err := sc.Scan(out, nil); err != nil || !sc.Clean {
			t.Fatalf("%q: passed on as %q: %v, clean %v", text, out, err, sc.Clean)
		}
		again, _, _, err := ParseString(out, nil)
		if err != nil || again == nil {
			t.Fatalf("%q: passed on as %q: %v", text, out, err)
		}
		if again.Kind != st.Kind || again.Type != st.Type || again.ID != st.ID || again.HasID() != st.HasID() || again.Lang != st.Lang ||
			again.From != alice.String() || again.To != bob.String() || again.content != st.content || again.attrs != st.attrs {
			t.Fatalf("%q: reads back from %q as %v", text, out, again)
		}
	}
	// The tree and what was scanned agree.
	e := st.Element()
	space, name, n := st.Payload()
	first := e.First()
	count := 0
	for range e.Elements() {
		count++
	}
	if count != n || n > 0 && (first.Name != name || first.Space != space) {
		t.Fatalf("%q: payload %q %q of %d, tree %v", text, space, name, n, e)
	}
	if e.Name != st.Kind.String() || e.Attr("type") != st.Type || e.Attr("id") != st.ID || e.Attr("to") != st.To || e.Attr("from") != st.From {
		t.Fatalf("%q: tree %v", text, e)
	}
	// So do the stanza and one made of its tree, but for escaping.
	copied, ok := FromElement(e)
	if !ok {
		t.Fatalf("%q: tree %v is no stanza", text, e)
	}
	if copied.attrs == st.attrs || !strings.ContainsAny(st.attrs, "\"\t\n ") {
		if got, want := copied.Element().String(), e.String(); got != want {
			t.Fatalf("%q: made of its tree %s\nwant %s", text, got, want)
		}
	}
	reply := ErrorReply(st, ItemNotFound)
	var sc xml.Scanner
	if err := sc.Scan(reply.String(), nil); err != nil || sc.Children != n+1 {
		t.Fatalf("%q: error reply %s: %v", text, reply, err)
	}
}

func TestLaws(t *testing.T) {
	ctx := streamContext(t)
	attrs := []string{"to='b@c/d'", "from=\"a'b\"", "type='chat'", "id='&amp;1'", "xml:lang='en'", "xmlns='jabber:client'", "x = '>'", "xmlns:p='urn:p'", "stream:y='1'"}
	content := []string{"t", "&lt;", "\r\n", "<![CDATA[<]]>", "<!-- x -->", "<body>x</body>", "<x xmlns='urn:x'>y</x>", "<p xmlns:q='u' q:r=''/>", "<stream:z/>", "<delay xmlns='urn:xmpp:delay'/>", "<a xmlns='jabber:client'/>"}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"message", "presence", "iq"}).Draw(t, "name")
		text := "<" + name
		for _, a := range rapid.SliceOfNDistinct(rapid.SampledFrom(attrs), 0, len(attrs), rapid.ID[string]).Draw(t, "attrs") {
			text += rapid.SampledFrom([]string{" ", "\n", "\t "}).Draw(t, "blank") + a
		}
		text += ">" + strings.Join(rapid.SliceOf(rapid.SampledFrom(content)).Draw(t, "content"), "") + "</" + name + ">"
		if st, _, _, err := Parse([]byte(text), ctx); err != nil || st == nil {
			t.Fatalf("%q: %v", text, err)
		}
		checkStanza(t, text, ctx)
	})
}

func FuzzParse(f *testing.F) {
	for _, c := range corpus()[:3] {
		f.Add(c.text)
	}
	for _, s := range []string{
		"<message xmlns:p='urn:p'><p:x p:y=''/></message>", "<presence><stream:x/></presence>", "<iq id='' x=\"'\"><!-- --><a xmlns=''/></iq>",
		"<message xmlns=''><body>\r\n</body></message>", "<c:iq xmlns:c='jabber:client'><c:a/><b/></c:iq>",
	} {
		f.Add(s)
	}
	ctx := streamContext(f)
	f.Fuzz(func(t *testing.T, text string) { checkStanza(t, text, ctx) })
}
