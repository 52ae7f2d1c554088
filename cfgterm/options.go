package cfgterm

// Bounds that hold if no Option says otherwise. They are far above what any
// configuration needs and far below what hurts the program that reads one.
const (
	DefaultMaxSize   = 16 << 20 // bytes of a file
	DefaultMaxDepth  = 1000     // brackets open at the same time
	DefaultMaxDigits = 10000    // digits of one number
	DefaultMaxBinary = 16 << 20 // bytes of one binary
	DefaultMaxFaults = 100      // errors reported of one file, and as many warnings
)

type limits struct {
	size, depth, digits, binary, faults int
}

func newLimits(o []Option) limits {
	l := limits{DefaultMaxSize, DefaultMaxDepth, DefaultMaxDigits, DefaultMaxBinary, DefaultMaxFaults}
	for _, f := range o {
		f(&l)
	}
	return l
}

// An Option changes a bound of Parse. Erlang has none of these bounds; a file
// that crosses one gets a diagnostic with code SYN018.
type Option func(*limits)

// MaxSize sets the largest file that is read, in bytes. A larger one is not
// looked at: its only diagnostic is the one that says so.
func MaxSize(bytes int) Option { return func(l *limits) { l.size = bytes } }

// MaxDepth sets how many brackets may be open at the same time.
func MaxDepth(n int) Option { return func(l *limits) { l.depth = n } }

// MaxDigits sets how many digits a number may have; 18 always may.
func MaxDigits(n int) Option { return func(l *limits) { l.digits = n } }

// MaxBinary sets how large a binary may be, in bytes: <<0:80000000>> is short to
// write.
func MaxBinary(bytes int) Option { return func(l *limits) { l.binary = bytes } }

// MaxFaults sets after how many errors reading stops, and how many warnings are
// reported. At least one is.
func MaxFaults(n int) Option { return func(l *limits) { l.faults = max(n, 1) } }
