// Package cache keeps what a store read lately: a bounded map with the least
// recently used entries thrown out, safe from the two races of a cache in front
// of a database. It is the cache of mongoose_users, mod_mam_cache_user and the
// like in MongooseIM 2.0.1, with bounds.
//
// A store may keep database rows here only while storage.DB.Exclusive is true,
// and must write through it:
//
//	v, err := c.Fetch(user, func() (entry, int, error) { … read from the database … })
//	err := c.Write(user, func() (entry, int, error) { … write to the database … })
//
// Fetch keeps what it read only if nobody wrote the key meanwhile; Write keeps
// what it wrote only if nobody else wrote it at the same time, and forgets the
// key otherwise. So an entry is never older than the last finished Write. No
// lock is held while the functions run.
//
// It imports no package of Meerkat.
package cache

import (
	"hash/maphash"
	"sync"
)

// stripes is how many write counters the keys share. Two keys with one counter
// cost a needless miss when they are written and read at the same moment.
const stripes = 64

// overhead is what an entry costs beside key and value, in bytes: list links,
// map slot, allocation rounding.
const overhead = 96

// An LRU is a cache bounded by entries and bytes. A hit costs about 50 ns and
// no allocation. The zero LRU is not usable; a nil LRU is an empty cache that
// keeps nothing, for stores without Exclusive.
type LRU[K comparable, V any] struct {
	maxEntries, maxBytes int
	seed                 maphash.Seed

	mu      sync.Mutex // guards everything below
	entries map[K]*entry[K, V]
	root    entry[K, V] // root.next is the newest, root.prev the oldest
	bytes   int
	writes  [stripes]uint64 // writes begun and ended, by key
	hits    uint64
	misses  uint64
}

type entry[K comparable, V any] struct {
	prev, next *entry[K, V]
	key        K
	value      V
	size       int
}

// New makes a cache of at most maxEntries entries and maxBytes bytes (sizes as
// given by the callers plus about 100 bytes each); a bound of 0 is no bound,
// and both 0 panics.
func New[K comparable, V any](maxEntries, maxBytes int) *LRU[K, V] {
	if maxEntries <= 0 && maxBytes <= 0 {
		panic("cache: no bound")
	}
	c := &LRU[K, V]{
		maxEntries: maxEntries, maxBytes: maxBytes,
		seed: maphash.MakeSeed(), entries: map[K]*entry[K, V]{},
	}
	c.root.prev, c.root.next = &c.root, &c.root
	return c
}

// Get returns the value of k and makes it the newest.
func (c *LRU[K, V]) Get(k K) (v V, ok bool) {
	if c == nil {
		return v, false
	}
	c.mu.Lock()
	e := c.entries[k]
	if e == nil {
		c.misses++
		c.mu.Unlock()
		return v, false
	}
	c.hits++
	if c.root.next != e {
		c.unlink(e)
		c.pushFront(e)
	}
	v = e.value
	c.mu.Unlock()
	return v, true
}

// Put keeps v for k. size is what key and value take, in bytes. It is for
// values that cannot grow stale (derived from the key); rows of a database go
// through Fetch and Write.
func (c *LRU[K, V]) Put(k K, v V, size int) {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.put(k, v, size)
	c.mu.Unlock()
}

// Delete forgets k, also what a Fetch of k that runs now will bring.
func (c *LRU[K, V]) Delete(k K) {
	if c == nil {
		return
	}
	s := c.stripe(k)
	c.mu.Lock()
	c.writes[s]++
	c.drop(k)
	c.mu.Unlock()
}

// Clear forgets everything, also what a Fetch that runs now will bring.
func (c *LRU[K, V]) Clear() {
	if c == nil {
		return
	}
	c.mu.Lock()
	for i := range c.writes {
		c.writes[i]++
	}
	clear(c.entries)
	c.root.prev, c.root.next = &c.root, &c.root
	c.bytes = 0
	c.mu.Unlock()
}

// Fetch returns the value of k, from load if it is not there. load returns the
// value and its size in bytes; a negative size means: do not keep it.
func (c *LRU[K, V]) Fetch(k K, load func() (v V, size int, err error)) (V, error) {
	if v, ok := c.Get(k); ok {
		return v, nil
	}
	if c == nil {
		v, _, err := load()
		return v, err
	}
	s := c.stripe(k)
	c.mu.Lock()
	before := c.writes[s]
	c.mu.Unlock()
	v, size, err := load()
	if err != nil || size < 0 {
		return v, err
	}
	c.mu.Lock()
	if c.writes[s] == before {
		c.put(k, v, size)
	}
	c.mu.Unlock()
	return v, nil
}

// Write runs store, which writes k to the database, and keeps what it returns.
// If store fails, or its size is negative, k is forgotten, since nobody knows
// what the database holds now.
func (c *LRU[K, V]) Write(k K, store func() (v V, size int, err error)) error {
	if c == nil {
		_, _, err := store()
		return err
	}
	s := c.stripe(k)
	c.mu.Lock()
	c.writes[s]++
	begun := c.writes[s]
	c.mu.Unlock()
	finished := false
	defer func() {
		if !finished { // store panicked
			c.Delete(k)
		}
	}()
	v, size, err := store()
	finished = true
	c.mu.Lock()
	alone := c.writes[s] == begun
	c.writes[s]++ // a Fetch that read before the write must not keep it
	if err == nil && size >= 0 && alone {
		c.put(k, v, size)
	} else {
		c.drop(k)
	}
	c.mu.Unlock()
	return err
}

// Stats tells how full the cache is and how often it helped.
func (c *LRU[K, V]) Stats() (entries, bytes int, hits, misses uint64) {
	if c == nil {
		return 0, 0, 0, 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries), c.bytes, c.hits, c.misses
}

func (c *LRU[K, V]) stripe(k K) uint64 { return maphash.Comparable(c.seed, k) % stripes }

func (c *LRU[K, V]) put(k K, v V, size int) {
	size += overhead
	if c.maxBytes > 0 && size > c.maxBytes {
		c.drop(k) // larger than the whole cache
		return
	}
	e := c.entries[k]
	if e == nil {
		e = &entry[K, V]{key: k}
		c.entries[k] = e
	} else {
		c.bytes -= e.size
		c.unlink(e)
	}
	e.value, e.size = v, size
	c.bytes += size
	c.pushFront(e)
	for c.maxEntries > 0 && len(c.entries) > c.maxEntries || c.maxBytes > 0 && c.bytes > c.maxBytes {
		c.drop(c.root.prev.key)
	}
}

func (c *LRU[K, V]) drop(k K) {
	e := c.entries[k]
	if e == nil {
		return
	}
	delete(c.entries, k)
	c.unlink(e)
	c.bytes -= e.size
}

func (c *LRU[K, V]) unlink(e *entry[K, V]) {
	e.prev.next, e.next.prev = e.next, e.prev
	e.prev, e.next = nil, nil
}

func (c *LRU[K, V]) pushFront(e *entry[K, V]) {
	e.prev, e.next = &c.root, c.root.next
	e.prev.next, e.next.prev = e, e
}
