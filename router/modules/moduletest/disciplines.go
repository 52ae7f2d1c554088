package moduletest

import (
	"testing"

	"meerkat/cfgterm/schema"
	"meerkat/router"
	"meerkat/router/jid"
	"meerkat/router/session"
)

// Disciplines checks that the option iqdisc decides where a module handles a
// request. register adds the module with that option to the node's host; request
// is an IQ from alice@h/r that is answered.
func Disciplines(t *testing.T, request string, register func(n *Node, d schema.IQDisc)) {
	t.Helper()
	for _, tt := range []struct {
		disc schema.IQDisc
		// waits tells for each of three requests whether its sender waits while
		// the answers to all cannot be delivered, and answered how many answers
		// are under way then.
		waits    [3]bool
		answered int
	}{
		{schema.IQDisc{Method: "no_queue"}, [3]bool{true, true, true}, 3},
		{schema.IQDisc{Method: "one_queue"}, [3]bool{true, false, false}, 1},
		{schema.IQDisc{Method: "queues", Queues: 2}, [3]bool{true, true, false}, 2},
		{schema.IQDisc{Method: "parallel"}, [3]bool{false, false, false}, 3},
	} {
		t.Run(tt.disc.Method, func(t *testing.T) {
			n := New(t)
			register(n, tt.disc)
			block := &blocker{entered: make(chan struct{}, 3), open: make(chan struct{}), done: make(chan struct{}, 3)}
			n.Sessions.Open(session.New(n.Sessions.NextID("n", 1), jid.MustParse("alice@h/r"), session.Info{}, block), 0)
			p := n.Packet(request)
			var sent [3]chan struct{}
			answered := 0
			for i, waits := range tt.waits {
				sent[i] = make(chan struct{})
				go func() {
					turn := session.NewTurn(t.Context())
					n.Route(turn, p)
					turn.Flush()
					close(sent[i])
				}()
				if !waits {
					<-sent[i]
				}
				if answered < tt.answered {
					<-block.entered
					answered++
				}
				select {
				case <-sent[i]:
					if waits {
						t.Errorf("the sender of request %d does not wait", i)
					}
				default:
				}
			}
			if len(block.entered) > 0 {
				t.Errorf("more than %d requests are handled at a time", tt.answered)
			}
			close(block.open)
			for i := range sent {
				<-sent[i]
				<-block.done
			}
		})
	}
}

// A blocker delivers nothing until it is open.
type blocker struct{ entered, open, done chan struct{} }

func (b *blocker) Deliver(*router.Turn, router.Packet) {
	b.entered <- struct{}{}
	<-b.open
	b.done <- struct{}{}
}

func (b *blocker) Signal(*router.Turn, session.Signal) {}
