package stanza

// WithEmptyFrom returns s with an attribute from that has no value, written
// where a Packet has no From: so does MongooseIM 2.0.1 answer the removal of an
// account, and scripts may match on it.
func (s *Stanza) WithEmptyFrom() *Stanza {
	c := s.copy()
	c.From, c.emptyFrom = "", true
	return c
}

// Size returns about how many bytes the stanza takes on the wire and in memory,
// for queues that are bounded in bytes.
func (s *Stanza) Size() int { return len(s.content) + len(s.attrs) + 128 }
