// Package session knows who is online: for every account the sessions it has,
// with their priorities. It is the session table of ejabberd_sm.
//
// A session belongs to one stream; its Receiver takes what is routed to it. The
// registry decides which of several sessions a stanza is for and which older
// sessions a new one replaces; routing itself is in package router.
//
// It imports router/storage, router/stanza and router/jid.
package session

import (
	"cmp"
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"

	"meerkat/router/jid"
)

// An ID names a session among all that ever were, on all nodes. IDs are ordered
// by the time at which the session was opened.
type ID struct {
	At   int64  // microseconds since 1970
	Seq  uint64 // tells sessions of the same microsecond apart
	Node string // name of the node that holds the connection
}

// Compare orders IDs: the older session first.
func (a ID) Compare(b ID) int {
	return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Node, b.Node), cmp.Compare(a.Seq, b.Seq))
}

// Info is what is known of the connection behind a session.
type Info struct {
	Addr netip.AddrPort // the peer's address
	// Conn is the kind of connection as MongooseIM's session table and
	// commands call it: c2s, c2s_tls, c2s_compressed, c2s_compressed_tls,
	// unknown.
	Conn string
	// AuthMethod is the auth_method that accepted the user.
	AuthMethod string
}

// noPriority marks a session that has not sent available presence. Priorities
// of clients are parsed into 32 bits.
const noPriority = int64(-1) << 62

// A Session is an entry of the registry.
type Session struct {
	ID       ID
	JID      jid.JID // full
	Info     Info
	Receiver Receiver

	priority atomic.Int64
}

// New returns an entry that is not yet registered and not available.
func New(id ID, full jid.JID, info Info, r Receiver) *Session {
	s := &Session{ID: id, JID: full, Info: info, Receiver: r}
	s.priority.Store(noPriority)
	return s
}

// Priority returns the priority of the last available presence; ok is false as
// long as the session is not available.
func (s *Session) Priority() (prio int, ok bool) {
	p := s.priority.Load()
	return int(p), p != noPriority
}

// SetPriority makes the session available.
func (s *Session) SetPriority(prio int) { s.priority.Store(int64(prio)) }

// UnsetPriority makes the session unavailable.
func (s *Session) UnsetPriority() { s.priority.Store(noPriority) }

const shards = 64

// A Registry holds the sessions of all accounts. Its methods may be called by
// several goroutines. No lock is held while anything but the table is touched.
type Registry struct {
	seed   maphash.Seed
	shard  [shards]shard
	count  atomic.Int64
	seq    atomic.Uint64
	lastUs atomic.Int64
}

type shard struct {
	mu sync.RWMutex
	// users maps a bare JID to its sessions, oldest first. The slices are
	// never changed in place: a reader keeps what it got.
	users map[string][]*Session
	_     [24]byte // a cache line for each lock
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	r := &Registry{seed: maphash.MakeSeed()}
	for i := range r.shard {
		r.shard[i].users = map[string][]*Session{}
	}
	return r
}

// NextID returns a new ID at the given time, greater than all that this
// registry gave out before.
func (r *Registry) NextID(node string, nowMicro int64) ID {
	for {
		last := r.lastUs.Load()
		if nowMicro <= last {
			nowMicro = last // the clock stood still or went back
			break
		}
		if r.lastUs.CompareAndSwap(last, nowMicro) {
			break
		}
	}
	return ID{At: nowMicro, Seq: r.seq.Add(1), Node: node}
}

func (r *Registry) of(bare string) *shard {
	return &r.shard[maphash.String(r.seed, bare)%shards]
}

// Open adds s. It removes from the table, and returns, the sessions that s
// replaces: those with the same full JID, and the oldest ones of the account
// while it has more than limit. A limit below 1 means none. The caller tells
// their receivers.
func (r *Registry) Open(s *Session, limit int) (replaced []*Session) {
	bare := s.JID.BareString()
	sh := r.of(bare)
	sh.mu.Lock()
	defer sh.mu.Unlock()

	old := sh.users[bare]
	kept := make([]*Session, 0, len(old)+1)
	for _, o := range old {
		if o.JID == s.JID {
			replaced = append(replaced, o)
		} else {
			kept = append(kept, o)
		}
	}
	kept = append(kept, s)
	for limit > 0 && len(kept) > limit {
		replaced = append(replaced, kept[0])
		kept = kept[1:]
	}
	sh.users[bare] = kept
	r.count.Add(int64(len(kept) - len(old)))
	return replaced
}

// Close removes s and reports whether it was still there. A session that was
// replaced is not: closing it late does not touch the one that came after.
func (r *Registry) Close(s *Session) bool {
	bare := s.JID.BareString()
	sh := r.of(bare)
	sh.mu.Lock()
	defer sh.mu.Unlock()

	old := sh.users[bare]
	for i, o := range old {
		if o != s {
			continue
		}
		if len(old) == 1 {
			delete(sh.users, bare)
		} else {
			kept := make([]*Session, 0, len(old)-1)
			sh.users[bare] = append(append(kept, old[:i]...), old[i+1:]...)
		}
		r.count.Add(-1)
		return true
	}
	return false
}

// User returns the sessions of the account of j, oldest first. The slice must not
// be changed.
func (r *Registry) User(j jid.JID) []*Session {
	bare := j.BareString()
	sh := r.of(bare)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.users[bare]
}

// Find returns the session with the full JID, or nil.
func (r *Registry) Find(full jid.JID) *Session {
	for _, s := range r.User(full) {
		if s.JID == full {
			return s
		}
	}
	return nil
}

// Count returns the number of sessions.
func (r *Registry) Count() int { return int(r.count.Load()) }

// All calls yield for every session until it returns false. Sessions that come
// or go meanwhile may or may not be among them.
func (r *Registry) All(yield func(*Session) bool) {
	for i := range r.shard {
		sh := &r.shard[i]
		sh.mu.RLock()
		all := make([]*Session, 0, len(sh.users))
		for _, u := range sh.users {
			all = append(all, u...)
		}
		sh.mu.RUnlock()
		for _, s := range all {
			if !yield(s) {
				return
			}
		}
	}
}

// RosterChanged tells the live sessions of an account that the subscription with
// a contact is now another one (routing: who sees whose presence).
type RosterChanged struct {
	Contact jid.JID
	From    bool // the contact may see the account's presence
	To      bool // the account may see the contact's presence
}

// End ends a session with a stream error.
type End struct {
	Condition string // RFC 6120 §4.9.3: "conflict", "system-shutdown", …
	Text      string // for the client's user; may be empty
	// Status is what contacts read in the unavailable presence; may be empty.
	Status string
}

// Drop ends a session as if its connection had been lost: without a word to the
// client, which is not there.
type Drop struct{}

func (RosterChanged) signal() {}
func (End) signal()           {}
func (Drop) signal()          {}
