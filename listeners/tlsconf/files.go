package tlsconf

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/idna"
)

const (
	// largestFile bounds a certificate file; chains of ten are below 64 KiB.
	largestFile = 1 << 20
	// checkEvery is how often a file is looked at while handshakes need it.
	checkEvery = time.Second
	// soon is how long before its end a certificate is warned of.
	soon = 14 * 24 * time.Hour
)

// Files are the certificate files of a node. A file that several listeners and
// hosts use is read once. It may be used by several goroutines.
type Files struct {
	log *zap.Logger
	now func() time.Time

	mu   sync.Mutex // guards open; held while a file is first read
	open map[[2]string]*file
}

// NewFiles makes an empty set of files, which logs renewed and broken ones.
func NewFiles(log *zap.Logger) *Files {
	return &Files{log: log, now: time.Now, open: map[[2]string]*file{}}
}

// A file is a certificate file with its key.
type file struct {
	files     *Files
	cert, key string // paths; key is "" if it is in cert
	certs     atomic.Pointer[[]tls.Certificate]
	next      atomic.Int64 // when to look at it again, nanoseconds of the epoch

	mu     sync.Mutex // guards what follows; held while the files are read
	seen   stamp      // the files when they were last read
	broken *stamp     // the files when they could not be used; nil if they can
}

// stamp tells states of the two files of a file apart.
type stamp [2]struct {
	size, mtime int64
}

// load reads a certificate file, or returns it if it was read before.
func (f *Files) load(cert, key string) (*file, []Warning, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl := f.open[[2]string{cert, key}]
	if fl == nil {
		fl = &file{files: f, cert: cert, key: key}
	}
	fl.mu.Lock()
	defer fl.mu.Unlock()
	st, warnings, err := fl.read()
	if err != nil {
		return nil, nil, err
	}
	fl.seen, fl.broken = st, nil
	fl.next.Store(f.now().Add(checkEvery).UnixNano())
	f.open[[2]string{cert, key}] = fl
	return fl, warnings, nil
}

// read replaces the certificates by what the files have now. mu is held.
func (fl *file) read() (stamp, []Warning, error) {
	st, certPEM, open, err := fl.slurp(0, fl.cert)
	if err != nil {
		return st, nil, err
	}
	var keyPEM []byte
	if fl.key != "" {
		kst, k, kopen, err := fl.slurp(1, fl.key)
		st[1], open = kst[1], kopen
		if err != nil {
			return st, nil, err
		}
		keyPEM = k
	}
	certs, warnings, err := parsePEM(fl.cert, certPEM, fl.key, keyPEM)
	if err != nil {
		return st, nil, err
	}
	if open != "" {
		warnings = append(warnings, Warning{open, "everybody can read the private key in it", "chmod 600 " + open})
	}
	now := fl.files.now()
	for _, c := range certs {
		warnings = append(warnings, validity(fl.cert, c, now)...)
	}
	fl.certs.Store(&certs)
	return st, warnings, nil
}

// slurp reads one file. open is its name if everybody can read it.
func (fl *file) slurp(i int, name string) (st stamp, data []byte, open string, err error) {
	st, info, err := statInto(stamp{}, i, name)
	if err != nil {
		return st, nil, "", fileError(name, err)
	}
	if !info.Mode().IsRegular() {
		return st, nil, "", &FileError{name, "it is not a regular file", "name a PEM file", nil}
	}
	f, err := os.Open(name)
	if err != nil {
		return st, nil, "", fileError(name, err)
	}
	defer f.Close()
	data, err = io.ReadAll(io.LimitReader(f, largestFile+1))
	switch {
	case err != nil:
		return st, nil, "", fileError(name, err)
	case len(data) > largestFile:
		return st, nil, "", &FileError{name, fmt.Sprintf("it is larger than %d bytes", largestFile), "name a PEM file", nil}
	}
	if info.Mode().Perm()&0o004 != 0 {
		open = name
	}
	return st, data, open, nil
}

func statInto(st stamp, i int, name string) (stamp, fs.FileInfo, error) {
	info, err := os.Stat(name)
	if err == nil {
		st[i].size, st[i].mtime = info.Size(), info.ModTime().UnixNano()
	}
	return st, info, err
}

// stamp looks at the files without reading them.
func (fl *file) stamp() stamp {
	st, _, _ := statInto(stamp{}, 0, fl.cert)
	if fl.key != "" {
		st, _, _ = statInto(st, 1, fl.key)
	}
	return st
}

func fileError(name string, err error) error {
	e := &FileError{File: name, Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Reason, e.Help = "it does not exist", "paths are relative to the folder that the server was started in"
	case errors.Is(err, fs.ErrPermission):
		e.Reason, e.Help = "no permission to read it", "give the user that the server runs as the right to read it"
	default:
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		e.Reason = err.Error()
	}
	return e
}

// validity warns of certificates that are not valid now.
func validity(name string, c tls.Certificate, now time.Time) []Warning {
	const day = "2006-01-02"
	who := nameOf(c.Leaf)
	switch {
	case now.After(c.Leaf.NotAfter):
		return []Warning{{name, fmt.Sprintf("the certificate of %s expired on %s", who, c.Leaf.NotAfter.Format(day)), "renew it; clients refuse it"}}
	case now.Before(c.Leaf.NotBefore):
		return []Warning{{name, fmt.Sprintf("the certificate of %s is valid from %s only", who, c.Leaf.NotBefore.Format(day)), "look at the clock of this machine"}}
	case now.Add(soon).After(c.Leaf.NotAfter):
		return []Warning{{name, fmt.Sprintf("the certificate of %s expires on %s", who, c.Leaf.NotAfter.Format(day)), "renew it"}}
	}
	return nil
}

// current returns the certificates for a handshake, after a look at the files
// if the last one was a while ago.
func (fl *file) current() []tls.Certificate {
	now := fl.files.now()
	if next := fl.next.Load(); now.UnixNano() >= next &&
		fl.next.CompareAndSwap(next, now.Add(checkEvery).UnixNano()) {
		fl.refresh()
	}
	return *fl.certs.Load()
}

// refresh reads the files again if they have changed.
func (fl *file) refresh() {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	st := fl.stamp()
	if st == fl.seen {
		fl.broken = nil
		return
	}
	if fl.broken != nil && st == *fl.broken {
		return // said already
	}
	log := fl.files.log.With(zap.String("file", fl.cert))
	st, warnings, err := fl.read()
	if err != nil {
		fl.broken = &st
		f := []zap.Field{zap.Error(err)}
		var fe *FileError
		if errors.As(err, &fe) && fe.Help != "" {
			f = append(f, zap.String("help", fe.Help))
		}
		log.Error("changed certificate file is broken; the old certificate stays in use", f...)
		return
	}
	fl.seen, fl.broken = st, nil
	for _, w := range warnings {
		log.Warn(w.Text, zap.String("help", w.Help))
	}
	for _, c := range *fl.certs.Load() {
		log.Info("certificate renewed", zap.String("name", nameOf(c.Leaf)), zap.Time("valid_to", c.Leaf.NotAfter),
			zap.String("key", keyKind(c)))
	}
}

// covers tells whether a certificate of the file is good for a host.
func (fl *file) covers(host string) bool {
	name, err := idna.ToASCII(host)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(*fl.certs.Load(), func(c tls.Certificate) bool {
		return c.Leaf.VerifyHostname(strings.TrimSuffix(name, ".")) == nil
	})
}
