package conn

import "io"

// linger reads and throws away what the peer sends while the last output is
// on its way. Closing a socket that has unread input makes the kernel send a
// reset, which destroys what the peer has not read yet: the stream error and
// the end tag, of all things.
func (c *Conn) linger() {
	// Wait until the owner has left Receive or StartTLS. It will not read
	// again, because it looks at the state before.
	c.rmu.Lock()
	c.mu.Lock()
	c.lingering = true
	c.lingerDeadline()
	c.mu.Unlock()
	c.rmu.Unlock()
	left := lingerBytes
	var end error
	err := c.raw.Read(func(fd uintptr) bool {
		b := takeBuf(true)
		defer putBuf(b)
		for left > 0 {
			n, err := readFD(int(fd), b)
			if err == errWouldBlock {
				return false
			}
			if err != nil {
				end = err
				return true
			}
			if c.state.Load()&stFlushed != 0 {
				left -= n
			}
		}
		return true
	})

	c.mu.Lock()
	c.readDone = true
	c.mu.Unlock()
	flushed := c.state.Load()&stFlushed != 0
	if flushed || err != nil || end != io.EOF {
		c.close(!flushed)
	}
}

// lingerDeadline bounds the wait of linger, once it reads. mu is held.
func (c *Conn) lingerDeadline() {
	if c.lingering {
		c.sock.SetReadDeadline(atStart(c.closeBy))
	}
}
