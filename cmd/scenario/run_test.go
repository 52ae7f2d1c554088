package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func mustParse(t *testing.T, src string) *Scenario {
	t.Helper()
	sc, err := Parse("test.scn", src)
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

func TestRun(t *testing.T) {
	const head = "# test\n@differs 3 see below\n@users alice bob\n"
	tests := []struct {
		name string
		src  string
		err  string // part of the error; "" if the scenario passes
	}{
		{"message", "alice login presence\nb login bob resource=x\nalice > <message to='${b.jid}'><body>a &amp; b</body></message>\n" +
			"b < <message from='${alice.jid}' to='bob@localhost/x'><body>a &amp; ${v}</body></message>\nb nothing\nalice nothing", ""},
		{"starttls", "alice login via=starttls\nalice > <message to='fake@localhost'><body>&lt;a/&gt;</body></message>\nalice < <a/>", ""},
		{"direct TLS", "alice login via=tls\nalice nothing", ""},
		{"STARTTLS by hand", "a login alice until=stream\na > <starttls xmlns='" + nsTLS + "'/>\na < <proceed xmlns='" + nsTLS + "'/>\na starttls cert\n" +
			"a header localhost\na < (stream-header)\na < <stream:features>${*}</stream:features>", ""},
		{
			"wrong text", "alice login\nb login bob\nalice > <message to='${b.jid}'><body>x</body></message>\nb < <message from='${*}' to='${*}'><body>y</body></message>",
			"test.scn:7: /message/body: text \"x\", expected \"y\"\n    - b < <message from='${*}' to='${*}'><body>y</body></message>\n    + b < <message from='alice@localhost/alice'",
		},
		{
			"pending is shown", "alice login\nalice > <message to='fake@localhost'><body>&lt;a/&gt;&lt;b/&gt;</body></message>\nalice < <b/>",
			"test.scn:6: /: element {jabber:client}a, expected {jabber:client}b\n    - alice < <b/>\n    + alice < <a/>\n      then alice < <b/>",
		},
		{"nothing fails", "alice login\nb login bob\nalice > <message to='${b.jid}'><body>x</body></message>\nb nothing", "test.scn:7: nothing expected\n    + b < <message"},
		{"nothing after a while fails", "alice login until=bind\nb login bob\nb > <message to='${alice.jid}'><body>x</body></message>\nalice nothing", "test.scn:7: nothing expected"},
		{"nothing comes", "@timeout 0.2\nalice login\nalice < <message/>", "test.scn:6: nothing received within 200ms\n    - alice < <message/>"},
		{"closed", "alice login\nalice > <message to='fake@localhost'><body>close</body></message>\nalice < (closed)\nalice nothing 1", ""},
		{"closed early", "alice login\nalice > <message to='fake@localhost'><body>close</body></message>\nalice < (end)", "test.scn:6: not the end of the stream\n    - alice < (end)\n    + alice < (closed)"},
		{"closed during nothing", "alice login\nalice > <message to='fake@localhost'><body>close</body></message>\nalice nothing", "test.scn:6: nothing expected\n    + alice < (closed)"},
		{"end", "alice login\nalice > <message to='fake@localhost'><body>end</body></message>\nalice < (end)\nalice < (closed)\nalice nothing", ""},
		{"after the end", "alice login\nalice close\nalice < (end)\nalice < (closed)\nalice < <message/>", "nothing received: the connection is closed"},
		{"torn", "alice login\nalice > <message to='fake@localhost'><body>torn</body></message>\nalice < (text) <message><body>ab\nalice < (closed)", ""},
		{"text", "alice login\nalice > <message to='fake@localhost'><body>hello${lt}a/></body></message>", "variable ${lt} is not bound"},
		{"text between", "alice login\nalice > <message to='fake@localhost'><body>he${sp}llo&lt;a/&gt;</body></message>\nalice < (text) he${sp}llo\nalice < <a/>", ""},
		{"any order", "alice login\nalice > <message to='fake@localhost'><body>&lt;a/&gt;&lt;b/&gt;&lt;c/&gt;</body></message>\nalice <* <c/>\nalice <* <a/>\nalice <* <b/>", ""},
		{
			"any order, one wrong", "alice login\nalice > <message to='fake@localhost'><body>&lt;a/&gt;&lt;b/&gt;</body></message>\nalice <* <c/>\nalice <* <a/>",
			"- alice <* <c/>\n    + alice < <b/>",
		},
		{"drop", "alice login\nalice drop\nb login bob\nb nothing\nalice nothing", ""},
		{"half", "alice login\nalice half\nalice < (closed)", ""},
		{"resource of the server's", "alice login until=auth\nalice > <iq type='set' id='1'><bind xmlns='" + nsBind + "'><resource>r</resource></bind></iq>\n" +
			"alice < <iq type='result' id='1'><bind xmlns='" + nsBind + "'><jid>${j}</jid></bind></iq>\nset k = ${j}\nalice > <message to='fake@localhost'><body>&lt;x y='${k}'/&gt;</body></message>\n" +
			"alice < <x y='alice@localhost/r'/>", ""},
		{"override", "alice login\nalice > <message to='fake@localhost'><body>&lt;b/&gt;</body></message>\nalice < <a/>\nalice < <c/>\nalice <! <b/>\nalice nothing", ""},
		{"override of nothing", "alice login\nalice > <message to='fake@localhost'><body>&lt;b/&gt;</body></message>\nalice nothing\nalice <! <b/>", ""},
		{"override by nothing", "alice login\nalice < <a/>\nalice <!\nalice nothing", ""},
		{"wrong password", "alice login password=x", "test.scn:4: authentication refused: <failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>"},
		{"no such user", "carol login", "authentication refused"},
		{"endless element", "alice login\nalice > <message to='fake@localhost'><body>endless</body></message>\nalice < <message/>", "given up: more than 16777216 bytes"},
		{"unknown mechanism", "alice login auth=FOO", "unknown mechanism FOO"},
		{"no SASL", "a login alice auth=SCRAM-SHA-1", "authentication refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startFake(t)
			err := mustParse(t, head+tt.src+"\n").Run(t.Context(), s.target())
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v\nwant %q", err, tt.err)
			}
			var f *Failure
			if err != nil && !errors.As(err, &f) {
				t.Errorf("%T is no Failure", err)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.users) > 0 || s.made != 2 {
				t.Errorf("%d accounts made, %v left", s.made, s.users)
			}
		})
	}
}

func TestRunFlood(t *testing.T) {
	s := startFake(t)
	sc := mustParse(t, "# test\n@users alice\nalice login\nalice > <message to='fake@localhost'><body>flood</body></message>\nalice nothing")
	if err := sc.Run(t.Context(), s.target()); err == nil || !strings.Contains(err.Error(), "nothing expected") {
		t.Errorf("error %v", err)
	}
	// what nobody asks for is bounded
	r := newRun(t.Context(), sc, s.target())
	r.timeout = time.Second
	c := &session{t: floodTransport{}}
	if err := r.ping(c, "x"); err != nil {
		t.Fatal(err)
	}
	if n := len(c.queue); n != 2 || c.queue[1].kind != evFault || !c.done {
		t.Errorf("%d events, done %v", n, c.done)
	}
}

type floodTransport struct{ transport }

func (floodTransport) send(string) error { return nil }
func (floodTransport) drop()             {}
func (floodTransport) receive(time.Time) []event {
	return slices.Repeat([]event{{kind: evText, text: "x"}}, 20000)
}

// A run of the recorded lines where Meerkat's answer differs fails against a
// server that answers as Meerkat does.
func TestRunRecorded(t *testing.T) {
	s := startFake(t)
	sc := mustParse(t, "# test\n@differs 1 x\n@users alice\nalice login\nalice > <message to='fake@localhost'><body>&lt;b/&gt;</body></message>\nalice < <a/>\nalice <! <b/>\n")
	tg := s.target()
	if err := sc.Run(t.Context(), tg); err != nil {
		t.Error(err)
	}
	tg.Recorded = true
	if err := sc.Run(t.Context(), tg); err == nil || !strings.Contains(err.Error(), "expected {jabber:client}a") {
		t.Errorf("error %v", err)
	}
}

func TestRunSkips(t *testing.T) {
	s := startFake(t)
	tests := []struct{ src, transport, reason string }{
		{"a login via=ws", "ws", "does not speak"},
		{"a login via=bosh-tls", "bosh-tls", "does not speak"},
		{"a login via=starttls+zlib", "zlib", "does not compress"},
		{"a open via=component", "component", "does not speak"},
		{"a open via=http\na request GET /", "http", "does not speak"},
		{"a listen 5270", "s2s", "does not speak"},
		{"a login\na compress", "zlib", "does not compress"},
		{"a login port=5233", "tcp", "no port 5233"},
		{"a login port=zlib", "tcp", "no port zlib"},
	}
	for _, tt := range tests {
		err := mustParse(t, "# test\n@users alice\n"+tt.src+"\n").Run(t.Context(), s.target())
		var skip *Skipped
		if !errors.As(err, &skip) || skip.Transport != tt.transport || !strings.Contains(skip.Reason, tt.reason) {
			t.Errorf("%q: %v, want skipped for %s, %s", tt.src, err, tt.transport, tt.reason)
		} else if !strings.Contains(err.Error(), "skipped: transport "+tt.transport) {
			t.Errorf("%q: %v", tt.src, err)
		}
	}
	if s.made != 0 {
		t.Errorf("%d accounts made for scenarios that were skipped", s.made)
	}
}

// A cancelled run ends at once and cleans up.
func TestRunCancelled(t *testing.T) {
	s := startFake(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	sc := mustParse(t, "# test\n@users alice\n@timeout 60\nalice login\nalice > <message to='fake@localhost'><body>hang</body></message>\nalice < <message/>\n")
	stop := errors.New("enough")
	time.AfterFunc(50*time.Millisecond, func() { cancel(stop) })
	if err := sc.Run(ctx, s.target()); !errors.Is(err, stop) {
		t.Errorf("error %v, want %v", err, stop)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.users) > 0 {
		t.Errorf("accounts left: %v", s.users)
	}
}

func TestRunTroubleWithAccounts(t *testing.T) {
	s := startFake(t)
	sc := mustParse(t, "# test\n@users alice bob\nalice login\n")
	tg := s.target()
	fail := errors.New("no room")
	register := tg.Register
	tg.Register = func(ctx context.Context, user, domain, password string) error {
		if user == "bob" {
			return fail
		}
		return register(ctx, user, domain, password)
	}
	if err := sc.Run(t.Context(), tg); !errors.Is(err, fail) || !strings.Contains(err.Error(), "register bob") {
		t.Errorf("error %v", err)
	}
	if len(s.users) > 0 {
		t.Errorf("accounts left: %v", s.users)
	}
	tg = s.target()
	tg.Unregister = func(context.Context, string, string, string) error { return fail }
	tg.Settled = func(context.Context) error { return errors.New("not settled") }
	err := sc.Run(t.Context(), tg)
	if !errors.Is(err, fail) || !strings.Contains(err.Error(), "unregister alice") || !strings.Contains(err.Error(), "not settled") {
		t.Errorf("error %v", err)
	}
	tg.Register = nil
	if err := sc.Run(t.Context(), tg); err == nil {
		t.Error("no error without a way to register")
	}
}

func ExampleScenario_Run() {
	sc, err := Parse("hello.scn", "# nobody is there\na login alice\n")
	if err != nil {
		fmt.Println(err)
		return
	}
	err = sc.Run(context.Background(), Target{Addrs: map[string]string{"http": "127.0.0.1:1"}})
	var skip *Skipped
	fmt.Println(errors.As(err, &skip), err)
	// Output: true hello.scn: skipped: transport tcp: the target has no port tcp
}
