package scenario

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"
)

// maxQueue is how many things may wait for a connection that nobody asks
// for before the runner gives it up.
const maxQueue = 50_000

// A Failure says where the server did something else than the scenario wants.
type Failure struct {
	Path     string
	Line     int
	Why      string
	Expected []string // what could have come, in the form of scenario lines
	Received string   // "" if nothing came
	Pending  []string // what had come besides
}

func (f *Failure) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d: %s", f.Path, f.Line, f.Why)
	for _, e := range f.Expected {
		b.WriteString("\n    - " + e)
	}
	if f.Received != "" {
		b.WriteString("\n    + " + f.Received)
	}
	for _, p := range f.Pending {
		b.WriteString("\n      " + p)
	}
	return b.String()
}

// A session is one connection of a running scenario.
type session struct {
	name    string
	t       transport
	queue   []event
	ns      string // default namespace of the stream
	jid     string
	ready   bool // established: answers pings
	managed bool // stream management: a ping would be counted
	done    bool // no more events come
	cut     bool // by the scenario
}

type run struct {
	ctx      context.Context
	sc       *Scenario
	t        Target
	timeout  time.Duration
	sessions map[string]*session
	vars     bindings
	probes   int

	mu   sync.Mutex // guards open and gone
	open []transport
	gone bool
}

func newRun(ctx context.Context, sc *Scenario, t Target) *run {
	r := &run{ctx: ctx, sc: sc, t: t, timeout: t.timeout(), sessions: map[string]*session{}, vars: bindings{}}
	if sc.Timeout > 0 {
		r.timeout = sc.Timeout
	}
	return r
}

// Run plays the scenario. It returns nil if the server did what the scenario
// says, a *Skipped if runner or target lack something it needs, a *Failure if
// the server did something else, and other errors if the scenario could not be
// played. Accounts are removed and connections closed in any case.
func (sc *Scenario) Run(ctx context.Context, t Target) (err error) {
	if err := sc.offered(&t); err != nil {
		return err
	}
	r := newRun(ctx, sc, t)
	defer context.AfterFunc(ctx, r.abort)()
	var made []string
	defer func() {
		if e := r.cleanUp(made); e != nil && err == nil {
			err = fmt.Errorf("%s: clean up: %w", sc.Path, e)
		}
	}()
	if len(sc.Users) > 0 && (t.Register == nil || t.Unregister == nil) {
		return fmt.Errorf("%s: the target cannot make accounts", sc.Path)
	}
	for _, u := range sc.Users {
		user, domain, password := sc.account(u)
		if err := t.Register(ctx, user, domain, password); err != nil {
			return fmt.Errorf("%s: register %s: %w", sc.Path, u, err)
		}
		made = append(made, u)
	}
	return r.play(sc.forTarget(t.Recorded))
}

// account splits a name of @users.
func (sc *Scenario) account(u string) (user, domain, password string) {
	user, domain, ok := strings.Cut(u, "@")
	if !ok {
		domain = sc.Domain
	}
	return user, domain, "pw-" + user
}

// cleanUp ends the streams and removes the accounts. It works after the
// context has ended too, but not for long.
func (r *run) cleanUp(made []string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), 10*time.Second)
	defer cancel()
	// a stream that is ended properly is gone when the server closes it
	for _, s := range r.sessions {
		if s.ready && !s.done && !s.cut && r.ctx.Err() == nil {
			s.t.end()
		}
	}
	deadline := time.Now().Add(500 * time.Millisecond)
	for _, s := range r.sessions {
		for s.ready && !s.done && !s.cut && time.Now().Before(deadline) && r.ctx.Err() == nil {
			s.receive(deadline)
			if n := len(s.queue); n > 0 && s.queue[n-1].kind == evEnd {
				break
			}
		}
	}
	r.abort()
	var errs []error
	if r.t.Settled != nil {
		if err := r.t.Settled(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	for _, u := range made {
		user, domain, password := r.sc.account(u)
		if err := r.t.Unregister(ctx, user, domain, password); err != nil {
			errs = append(errs, fmt.Errorf("unregister %s: %w", u, err))
		}
	}
	return errors.Join(errs...)
}

// abort cuts all connections, and those that are opened later.
func (r *run) abort() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = true
	for _, t := range r.open {
		t.drop()
	}
	r.open = nil
}

func (r *run) sleep(d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

// play runs the lines.
func (r *run) play(lines []line) error {
	for i := 0; i < len(lines); i++ {
		l := lines[i]
		var err error
		switch l.kind {
		case lineComment:
			continue
		case lineAction:
			err = r.act(l)
		case lineExpect:
			group := []line{l}
			for l.op == "<*" && i+1 < len(lines) && lines[i+1].kind == lineExpect && lines[i+1].op == "<*" && lines[i+1].conn == l.conn {
				i++
				group = append(group, lines[i])
			}
			err = r.expect(group)
		}
		if cause := context.Cause(r.ctx); cause != nil {
			return fmt.Errorf("%s:%d: %w", r.sc.Path, l.no, cause)
		}
		var f *Failure
		if err != nil && !errors.As(err, &f) {
			err = &Failure{Path: r.sc.Path, Line: l.no, Why: err.Error(), Expected: []string{short(l.text)}}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// receive reads into the queue.
func (s *session) receive(deadline time.Time) {
	for _, e := range s.t.receive(deadline) {
		switch e.kind {
		case evHeader:
			if s.ns = e.el.attr("xmlns"); !e.el.hasAttr("xmlns") {
				s.ns = nsClient
			}
		case evClosed, evFault:
			s.done = true
		}
		s.queue = append(s.queue, e)
	}
	if len(s.queue) > maxQueue && !s.done {
		s.done = true
		s.t.drop()
		s.queue = append(s.queue[:1], event{kind: evFault, text: fmt.Sprintf("more than %d stanzas that nobody asked for", maxQueue)})
	}
}

// next takes the next event, false if none comes in time.
func (r *run) next(s *session, wait time.Duration) (event, bool) {
	deadline := time.Now().Add(wait)
	for len(s.queue) == 0 && !s.done && !s.cut {
		s.receive(deadline)
		if r.ctx.Err() != nil || time.Now().After(deadline) {
			break
		}
	}
	if len(s.queue) == 0 {
		return event{}, false
	}
	e := s.queue[0]
	s.queue = s.queue[1:]
	return e, true
}

// want takes the next event and insists on its kind.
func (r *run) want(s *session, kind eventKind) (*node, error) {
	e, ok := r.next(s, r.timeout)
	if !ok {
		return nil, fmt.Errorf("%s: nothing received, %s expected", s.name, kindNames[kind])
	}
	if e.kind != kind {
		return nil, fmt.Errorf("%s: received %s, %s expected", s.name, e, kindNames[kind])
	}
	return e.el, nil
}

var kindNames = map[eventKind]string{evElement: "an element", evHeader: "a stream header"}

func (r *run) element(s *session) (*node, error) { return r.want(s, evElement) }

// expect compares the next things of a connection with a group of patterns.
func (r *run) expect(group []line) error {
	s := r.sessions[group[0].conn]
	if s == nil {
		return fmt.Errorf("connection %s is not open", group[0].conn)
	}
	deadline := time.Now().Add(r.timeout)
	for len(group) > 0 {
		f := &Failure{Path: r.sc.Path, Line: group[0].no}
		for _, l := range group {
			f.Expected = append(f.Expected, l.conn+" "+l.op+" "+l.want.src)
		}
		e, ok := r.next(s, time.Until(deadline))
		if !ok {
			f.Why = fmt.Sprintf("nothing received within %v", r.timeout)
			if s.done || s.cut {
				f.Why = "nothing received: the connection is closed"
			}
			return f
		}
		found := -1
		for i, l := range group {
			vars, why := l.want.match(e, r.vars, s.ns)
			if why == "" {
				r.vars, found = vars, i
				break
			}
			if f.Why == "" {
				f.Why = why
			}
		}
		if found < 0 {
			f.Received = s.name + " < " + e.String()
			for _, p := range pending(s.queue) {
				f.Pending = append(f.Pending, "then "+s.name+" < "+p)
			}
			return f
		}
		group = append(group[:found:found], group[found+1:]...)
	}
	return nil
}

var (
	startsStream = regexp.MustCompile(`^\s*(<\?xml[^>]*\?>)?\s*<stream:stream`)
	startsSM     = regexp.MustCompile(`^<(enable|resume) xmlns=['"]urn:xmpp:sm`)
)

// act runs a command.
func (r *run) act(l line) error {
	switch l.op {
	case "sleep":
		return r.sleep(l.wait)
	case "set":
		v, err := l.send.expand(r.vars, false)
		if err != nil {
			return err
		}
		r.vars = r.vars.with(bindings{l.arg: v})
		return nil
	case "login", "open":
		args, err := l.send.expand(r.vars, false)
		if err != nil {
			return err
		}
		words, err := shellWords(args)
		if err != nil {
			return err
		}
		o, err := parseOptions(l.op, l.conn, words)
		if err != nil {
			return err
		}
		s, err := r.connect(l.conn, o)
		if err != nil {
			return err
		}
		if l.op == "login" {
			return r.login(s, o)
		}
		return nil
	}
	s := r.sessions[l.conn]
	if s == nil {
		return fmt.Errorf("connection %s is not open", l.conn)
	}
	switch l.op {
	case ">":
		text, err := l.send.expand(r.vars, true)
		if err != nil {
			return err
		}
		if startsStream.MatchString(text) {
			s.t.restart()
		}
		if startsSM.MatchString(text) {
			s.managed = true
		}
		return s.t.send(text)
	case "header":
		return s.t.header(l.arg, l.header)
	case "starttls":
		t, ok := s.t.(tlsSwitcher)
		if !ok {
			return errors.New("this transport has no STARTTLS")
		}
		c, err := r.t.tls(l.arg == "cert")
		if err != nil {
			return err
		}
		return t.startTLS(c)
	case "half":
		t, ok := s.t.(halfCloser)
		if !ok {
			return errors.New("this transport cannot be closed by half")
		}
		return t.closeWrite()
	case "close":
		return s.t.end()
	case "drop":
		s.cut = true
		s.t.drop()
		return nil
	case "nothing":
		return r.nothing(s, l)
	}
	return fmt.Errorf("the runner does not know how to %s", l.op)
}

// nothing checks that nothing has arrived. Where s is established, pings show
// that the server has worked off all that was sent before.
func (r *run) nothing(s *session, l line) error {
	var e event
	var got bool
	if l.wait > 0 || !s.ready || s.managed {
		wait := l.wait
		if wait == 0 {
			wait = 300 * time.Millisecond
		}
		e, got = r.next(s, wait)
	} else {
		for _, o := range r.sessions {
			if o != s && o.ready && !o.managed && !o.done && !o.cut {
				if err := r.probe(o); err != nil {
					return err
				}
			}
		}
		if err := r.probe(s); err != nil {
			return err
		}
		if got = len(s.queue) > 0; got {
			e, s.queue = s.queue[0], s.queue[1:]
		}
	}
	if !got {
		return nil
	}
	f := &Failure{Path: r.sc.Path, Line: l.no, Why: "nothing expected", Received: s.name + " < " + e.String()}
	for _, p := range pending(s.queue) {
		f.Pending = append(f.Pending, "then "+s.name+" < "+p)
	}
	return f
}

// probe pings the server over s; what comes before the answer stays in the queue.
func (r *run) probe(s *session) error {
	r.probes++
	id := fmt.Sprintf("probe-%d", r.probes)
	return r.ping(s, id)
}

func (r *run) ping(s *session, id string) error {
	if err := s.t.send("<iq type='get' id='" + id + "'><ping xmlns='urn:xmpp:ping'/></iq>"); err != nil {
		return err
	}
	return r.swallow(s, func(n *node) bool { return n.local == "iq" && n.attr("id") == id })
}

// swallow takes the first element that fits out of what comes and leaves the
// rest in the queue. That the connection ends instead is left to the lines that
// follow.
func (r *run) swallow(s *session, fits func(*node) bool) error {
	deadline := time.Now().Add(r.timeout)
	for i := 0; ; i++ {
		for i == len(s.queue) {
			if s.done || s.cut {
				return nil
			}
			if r.ctx.Err() != nil || time.Now().After(deadline) {
				return fmt.Errorf("%s: no answer within %v; received: %s", s.name, r.timeout, strings.Join(pending(s.queue), "; "))
			}
			s.receive(deadline)
			i = min(i, len(s.queue)) // a flood is cut short
		}
		if e := s.queue[i]; e.kind == evElement && fits(e.el) {
			s.queue = append(s.queue[:i:i], s.queue[i+1:]...)
			return nil
		}
	}
}

// pending renders the first few of what waits.
func pending(queue []event) []string {
	var out []string
	for _, e := range queue[:min(len(queue), 3)] {
		out = append(out, e.String())
	}
	return out
}

// connect opens a transport under a name.
func (r *run) connect(name string, o options) (*session, error) {
	tr, ok := transports[o.via[0]]
	if !ok {
		return nil, fmt.Errorf("unknown transport %s", o.via[0])
	}
	port := o.port
	if port == "" {
		port = tr.port
	}
	addr, ok := r.t.addr(port)
	if !ok {
		return nil, fmt.Errorf("the target has no port %s", port)
	}
	t, err := tr.open(r.ctx, addr, &r.t, o)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone {
		t.drop()
		return nil, context.Cause(r.ctx)
	}
	r.open = append(r.open, t)
	s := &session{name: name, t: t, ns: nsClient}
	r.sessions[name] = s
	return s, nil
}

// header opens a stream and returns the features.
func (r *run) header(s *session, domain, lang string) (*node, error) {
	attrs := []attr{{name: "version", value: "1.0"}}
	if lang != "" {
		attrs = append(attrs, attr{name: "xml:lang", value: lang})
	}
	if err := s.t.header(domain, attrs); err != nil {
		return nil, err
	}
	if _, err := r.want(s, evHeader); err != nil {
		return nil, err
	}
	f, err := r.element(s)
	if err == nil && f.local != "features" {
		err = fmt.Errorf("%s: received %s, features expected", s.name, event{el: f})
	}
	return f, err
}

// login goes on from an open transport to a session.
func (r *run) login(s *session, o options) error {
	user, domain, password := r.sc.account(o.user)
	if o.password != "" {
		password = o.password
	}
	if _, err := r.header(s, domain, o.lang); err != nil {
		return err
	}
	if o.via[0] == "starttls" {
		s.t.send("<starttls xmlns='" + nsTLS + "'/>")
		if e, err := r.element(s); err != nil {
			return err
		} else if e.local != "proceed" {
			return fmt.Errorf("%s: received %s, proceed expected", s.name, event{el: e})
		}
		c, err := r.t.tls(false)
		if err != nil {
			return err
		}
		if err := s.t.(tlsSwitcher).startTLS(c); err != nil {
			return err
		}
		if _, err := r.header(s, domain, o.lang); err != nil {
			return err
		}
	}
	if o.until == "stream" {
		return nil
	}
	if err := r.authenticate(s, user, domain, password, o.auth); err != nil {
		return err
	}
	if _, err := r.header(s, domain, o.lang); err != nil {
		return err
	}
	if o.until == "auth" {
		return nil
	}
	if err := r.bind(s, o.resource, o.until != "bind"); err != nil {
		return err
	}
	bare, _, _ := strings.Cut(s.jid, "/")
	r.vars = r.vars.with(bindings{s.name + ".jid": s.jid, s.name + ".bare": bare})
	if o.until == "bind" {
		return nil
	}
	s.ready = true
	if !o.presence {
		// the result may come before the session can be reached by others
		return r.ping(s, "login-sync")
	}
	s.t.send("<presence/>")
	return r.swallow(s, func(n *node) bool {
		return n.local == "presence" && n.attr("from") == s.jid && !n.hasAttr("type")
	})
}

// bind takes a resource and opens the session (RFC 3921).
func (r *run) bind(s *session, resource string, session bool) error {
	if resource != "" {
		resource = "<resource>" + textEscaper.Replace(resource) + "</resource>"
	}
	s.t.send("<iq type='set' id='bind'><bind xmlns='" + nsBind + "'>" + resource + "</bind></iq>")
	e, err := r.element(s)
	if err != nil {
		return err
	}
	if b := e.child("bind"); e.attr("type") == "result" && b != nil && b.child("jid") != nil {
		s.jid = b.child("jid").text()
	} else {
		return fmt.Errorf("%s: bind refused: %s", s.name, event{el: e})
	}
	if !session {
		return nil
	}
	s.t.send("<iq type='set' id='sess'><session xmlns='" + nsSession + "'/></iq>")
	if e, err = r.element(s); err != nil {
		return err
	}
	if e.attr("type") != "result" {
		return fmt.Errorf("%s: session refused: %s", s.name, event{el: e})
	}
	return nil
}

// refusedError is a SASL failure.
type refusedError struct{ el *node }

func (e *refusedError) Error() string { return "authentication refused: " + event{el: e.el}.String() }

// authenticate logs in by one SASL mechanism.
func (r *run) authenticate(s *session, user, domain, password, mechanism string) error {
	b64 := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	auth := func(text string) {
		s.t.send("<auth xmlns='" + nsSASL + "' mechanism='" + mechanism + "'>" + b64(text) + "</auth>")
	}
	// answer takes a challenge and sends what f makes of it
	answer := func(f func(challenge string) (string, error)) error {
		e, err := r.element(s)
		if err != nil {
			return err
		}
		if e.local != "challenge" {
			return &refusedError{e}
		}
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(e.text()))
		if err != nil {
			return fmt.Errorf("challenge: %w", err)
		}
		text, err := f(string(raw))
		if err != nil {
			return err
		}
		return s.t.send("<response xmlns='" + nsSASL + "'>" + b64(text) + "</response>")
	}
	var err error
	switch mechanism {
	case "PLAIN":
		auth("\x00" + user + "\x00" + password)
	case "ANONYMOUS":
		auth("")
	case "SCRAM-SHA-1":
		auth("n,,n=" + user + ",r=abcdef")
		err = answer(func(c string) (string, error) {
			final, _, err := scramFinal(user, password, "abcdef", c)
			return final, err
		})
	case "DIGEST-MD5":
		auth("")
		err = answer(func(c string) (string, error) {
			response, _, err := digestMD5(user, password, domain, c)
			return response, err
		})
		if err == nil {
			err = answer(func(string) (string, error) { return "", nil })
		}
	default:
		err = fmt.Errorf("unknown mechanism %s", mechanism)
	}
	if err != nil {
		return err
	}
	e, err := r.element(s)
	if err == nil && e.local != "success" {
		err = &refusedError{e}
	}
	return err
}
