package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"hash"
	"runtime"
	"sync"

	"meerkat/router/storage/cache"
)

// DeriverOptions bound the work and memory of a Deriver.
type DeriverOptions struct {
	// Concurrent bounds the derivations that run at a time; 0 means half of
	// the processors, at least one. 4096 rounds take 0.7 ms, so that a crowd
	// with wrong passwords leaves the other half to those who chat.
	Concurrent int
	// Entries bounds each of the two caches; 0 means 50,000. An entry of
	// verified passwords takes 200 bytes, one of derived keys 500.
	Entries int
}

// A Deriver turns passwords into SCRAM keys, checks passwords against them, and
// remembers the results, since each costs 0.7 ms: which passwords proved right
// (by a keyed hash, never the password), and which keys belong to a plain
// stored password. Both are looked up by the record itself, so a changed
// password finds nothing old. One Deriver serves all hosts of a process.
type Deriver struct {
	slots    chan struct{}
	key      [32]byte // of this process
	macs     sync.Pool
	verified *cache.LRU[digest, struct{}]
	derived  *cache.LRU[digest, Keys]
}

type digest = [sha256.Size]byte

// NewDeriver makes a Deriver with a random key.
func NewDeriver(o DeriverOptions) *Deriver {
	if o.Concurrent <= 0 {
		o.Concurrent = max(1, runtime.GOMAXPROCS(0)/2)
	}
	if o.Entries <= 0 {
		o.Entries = 50_000
	}
	d := &Deriver{
		slots:    make(chan struct{}, o.Concurrent),
		verified: cache.New[digest, struct{}](o.Entries, 0),
		derived:  cache.New[digest, Keys](o.Entries, 0),
	}
	rand.Read(d.key[:])
	d.macs.New = func() any { return hmac.New(sha256.New, d.key[:]) }
	return d
}

// sum is a keyed hash of the parts, which are told apart by their lengths.
func (d *Deriver) sum(purpose string, number int, parts ...[]byte) (out digest) {
	m := d.macs.Get().(hash.Hash)
	m.Reset()
	var n [8]byte
	m.Write(append(n[:0], purpose...))
	binary.BigEndian.PutUint64(n[:], uint64(number))
	m.Write(n[:])
	for _, p := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		m.Write(n[:])
		m.Write(p)
	}
	m.Sum(out[:0])
	d.macs.Put(m)
	return out
}

// derive is Derive with the bound on how many run at a time.
func (d *Deriver) derive(ctx context.Context, h Hash, prepared string, salt []byte, iterations int) (Keys, error) {
	select {
	case d.slots <- struct{}{}:
	default:
		select {
		case d.slots <- struct{}{}:
		case <-ctx.Done():
			return Keys{}, fmt.Errorf("derive SCRAM keys: %w", ctx.Err())
		}
	}
	defer func() { <-d.slots }()
	return Derive(h, prepared, salt, iterations)
}

// New makes keys of a new password for storing, one for each hash, with fresh
// salts. The error wraps ErrInvalidPassword or ErrNullPassword, or is ctx's.
func (d *Deriver) New(ctx context.Context, password string, hashes []Hash, iterations int) ([]Keys, error) {
	prepared, err := PreparePassword(password)
	if err != nil {
		return nil, err
	}
	keys := make([]Keys, 0, len(hashes))
	for _, h := range hashes {
		var salt [saltSize]byte
		rand.Read(salt[:])
		k, err := d.derive(ctx, h, prepared, salt[:], iterations)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// Check reports whether password is the one that c was made of. It compares in
// constant time. Against keys it takes a derivation, unless the same password
// proved right lately. The error is ctx's, when it ended before a derivation
// could start.
func (d *Deriver) Check(ctx context.Context, c Credentials, password string) (bool, error) {
	if password == "" || c.IsZero() {
		return false, nil
	}
	if len(c.Keys) == 0 {
		return d.Equal(password, c.Plain), nil
	}
	k := c.Keys[0]
	for _, o := range c.Keys[1:] { // the smallest hash is the cheapest
		if o.Hash < k.Hash {
			k = o
		}
	}
	id := d.sum("verified", k.Iterations<<8|int(k.Hash), k.Stored, k.Salt, []byte(password))
	if _, ok := d.verified.Get(id); ok {
		return true, nil
	}
	prepared, err := PreparePassword(password)
	if err != nil {
		return false, nil // no key was ever made of it
	}
	got, err := d.derive(ctx, k.Hash, prepared, k.Salt, k.Iterations)
	if err != nil {
		return false, err
	}
	if subtle.ConstantTimeCompare(got.Stored, k.Stored) == 0 {
		return false, nil
	}
	d.verified.Put(id, struct{}{}, len(id))
	return true, nil
}

// Equal compares two passwords without telling by its time how far they agree
// or how long either is.
func (d *Deriver) Equal(a, b string) bool {
	x, y := d.sum("equal", 0, []byte(a)), d.sum("equal", 0, []byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// Waste does what Check does for a wrong password against keys, for a user
// that does not exist: its time tells nothing.
func (d *Deriver) Waste(ctx context.Context, password string, h Hash, iterations int) error {
	prepared, err := PreparePassword(password)
	if err != nil {
		return nil // Check would have been as quick
	}
	_, err = d.derive(ctx, h, prepared, make([]byte, saltSize), iterations)
	return err
}

// Keys gives keys of a plain stored password, for SCRAM: 4096 iterations, a
// salt that is the account's own as long as the process lives. account tells
// accounts apart: "user@host".
func (d *Deriver) Keys(ctx context.Context, account, plain string, h Hash) (Keys, error) {
	id := d.sum("derived", int(h), []byte(account), []byte(plain))
	if k, ok := d.derived.Get(id); ok {
		return k, nil
	}
	prepared, err := PreparePassword(plain)
	if err != nil {
		return Keys{}, err
	}
	salt := d.sum("salt", int(h), []byte(account))
	k, err := d.derive(ctx, h, prepared, salt[:saltSize], DefaultIterations)
	if err != nil {
		return Keys{}, err
	}
	d.derived.Put(id, k, len(id)+2*h.Size()+saltSize+64)
	return k, nil
}
