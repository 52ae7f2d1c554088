//go:build linux

package main

import (
	"bytes"
	"sync/atomic"
	"time"
)

// The body of a message is hexadecimal digits that say which it is, and a
// filling: 2 of the run, 6 of the flow, 8 of the message within the flow, 16 of
// the time when it was due.
const (
	markLen   = 2 + 6 + 8 + 16
	minBody   = markLen
	maxBody   = 64 << 10
	checkFrom = 63 // every 64th message has the sender's address compared
)

var (
	// runs counts the loads of this process, from where another process
	// hardly began: it tells messages of an earlier run, which come out of
	// offline storage, from ours
	runs atomic.Uint64

	filling = func() []byte {
		b := make([]byte, maxBody)
		for i := range b {
			b[i] = "abcdefghijklmnopqrstuvwxyz 0123456789"[i%37]
		}
		return b
	}()

	messageTag = []byte("<message")
	bodyTag    = []byte("<body>")
	bodyEnd    = []byte("</body>")
)

// now is the time that marks carry: nanoseconds since the program began.
func now() int64 { return int64(time.Since(began)) }

var began = time.Now()

func init() { runs.Store(uint64(began.Unix())) }

// A flow is a sequence of messages from one session to another.
type flow struct {
	mark     [8]byte // of run and flow
	from     string  // what receivers must see
	body     int
	template []byte
	at       int // where the mark stands in template
	out      []byte

	sent     atomic.Int64
	received atomic.Int64 // by one session only
	next     uint64       // number that must come next; belongs to the receiver
}

// newFlow prepares messages of body bytes that s sends to an address.
func newFlow(run uint64, number int, s *session, to string, body int) *flow {
	f := &flow{from: s.jid, body: body}
	putHex(f.mark[:2], run)
	putHex(f.mark[2:], uint64(number))
	f.template = append(f.template, "<message"+s.xmlns()+" to='"+to+"' type='chat' id='m00000000'><body>"...)
	f.at = len(f.template)
	f.template = append(f.template, filling[:body]...)
	f.template = append(f.template, "</body></message>"...)
	copy(f.template[f.at:], f.mark[:])
	return f
}

// put appends the next message to f.out.
func (f *flow) put(l link, due int64) {
	n := uint64(f.sent.Add(1) - 1)
	m := f.template[f.at:]
	putHex(m[8:16], n)
	putHex(m[16:32], uint64(due))
	copy(f.template[f.at-len("00000000'><body>"):], m[8:16])
	f.out = l.frame(f.out, f.template)
}

type verdict uint8

const (
	good    verdict = iota
	foreign         // of an earlier run: from offline storage
	corrupt
)

// check reads a message that the receiver of the flow got.
func (f *flow) check(st []byte) (number uint64, due int64, v verdict) {
	i := bytes.Index(st, bodyTag)
	if i < 0 {
		return 0, 0, corrupt
	}
	b := st[i+len(bodyTag):]
	if len(b) < f.body+len(bodyEnd) || !bytes.Equal(b[f.body:f.body+len(bodyEnd)], bodyEnd) || !bytes.Equal(b[markLen:f.body], filling[markLen:f.body]) {
		return 0, 0, corrupt
	}
	number, ok := getHex(b[8:16])
	when, ok2 := getHex(b[16:32])
	switch {
	case !ok || !ok2:
		return 0, 0, corrupt
	case !bytes.Equal(b[:2], f.mark[:2]):
		return 0, 0, foreign
	case !bytes.Equal(b[2:8], f.mark[2:]) || number&checkFrom == 0 && string(attr(st, "from")) != f.from:
		return 0, 0, corrupt
	}
	return number, int64(when), good
}

// A tally is what one receiver found; it belongs to its goroutine until that
// has ended.
type tally struct {
	hist
	disorder, corrupt, foreign, other int64
	example                           string // the first corrupt stanza
}

func (t *tally) wrong(st []byte) {
	if t.corrupt++; t.example == "" {
		t.example = string(st[:min(len(st), 300)])
	}
}

func (t *tally) merge(o *tally) {
	t.hist.merge(&o.hist)
	t.disorder += o.disorder
	t.corrupt += o.corrupt
	t.foreign += o.foreign
	t.other += o.other
	if t.example == "" {
		t.example = o.example
	}
}
