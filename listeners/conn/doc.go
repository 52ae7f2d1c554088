// Package conn carries one stream connection of an XMPP listener or of an
// outgoing stream: a TCP socket that holds no buffer while it waits, whose
// output never blocks the one who writes, and on which TLS is switched on in
// place. It stands where the socket and receiver processes of MongooseIM
// 2.0.1 stood (ejabberd_socket, ejabberd_receiver, ejabberd_tls).
//
// # Reading
//
// One goroutine, the owner, reads:
//
//	for {
//		data, err := c.Receive() // waits without a buffer
//		if err != nil {
//			c.Close()
//			return
//		}
//		handle(data) // data is valid until the next Receive or Release
//		c.Pause(shaper.Take(time.Now(), len(data)))
//	}
//
// Receive takes a buffer from a pool only when the kernel has bytes. Buffers
// are 4 KiB and grow to 16 KiB for a connection that fills them.
//
// # Writing
//
// Any goroutine may call Write, also while another one reads. What the kernel
// does not take at once is copied and written by a goroutine that lives until
// the socket has taken everything. The amount kept is bounded by the caller,
// who looks at Congested before he writes more, keeps his own bounded queue
// while it is true, and goes on when the function given to OnDrain is called:
//
//	s.mu.Lock()
//	s.queue = append(s.queue, p...)
//	if !c.Congested() {
//		c.Write(s.queue)
//		s.queue = s.queue[:0]
//	}
//	s.mu.Unlock()
//
// with an OnDrain function that takes the same lock and does the same. Since
// Congested turns false before that function is called, nothing is forgotten.
// There is no call for several slices: a stanza is one slice, and joining
// small slices costs less than the second address the kernel would have to
// map (writev is slower than copy and write below some 16 KiB).
//
// # Memory
//
// An idle connection costs some 3.9 KiB with its goroutine, 14.5 KiB under
// TLS; 2 KiB less in either case if a fresh goroutine waits in AwaitInput
// instead of one whose stack has grown in Receive. crypto/tls keeps the buffer of the largest record that the peer sent,
// so that one who once sent full records costs 34 KiB; there is no way to ask
// for it back.
//
// # Ends
//
// A peer that takes nothing for the write time-out is dropped. MongooseIM
// 2.0.1 meant 120 s here and, by a slip of units, used 120 ms; this package
// uses 15 s. A peer whose socket is gone makes Write fail, but what it sent
// before it went can still be received.
//
// It imports no other Meerkat package.
package conn
