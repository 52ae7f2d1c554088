package stanza

// MongooseIM 2.0.1 writes some attributes without a value. Scripts may match on
// them, so they stay.

// WithEmptyID returns s with id=” if it has no id: so are requests without one
// answered before a session is open.
func (s *Stanza) WithEmptyID() *Stanza {
	if s.hasID {
		return s
	}
	c := s.copy()
	c.hasID = true
	return c
}

// WithEmptyFrom returns s with from=”, for a Packet without From: so is the
// removal of an account answered.
func (s *Stanza) WithEmptyFrom() *Stanza {
	c := s.copy()
	c.attrs += " from=''"
	return c
}

// Size returns about how many bytes the stanza takes on the wire and in memory.
func (s *Stanza) Size() int { return len(s.content) + len(s.attrs) + 128 }
