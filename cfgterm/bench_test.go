package cfgterm

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

// benchFiles returns configurations to measure with: those of the reference
// corpus that Erlang reads, or one of our own of usual size if the corpus is not
// at hand.
func benchFiles(b testing.TB) (names []string, files [][]byte, size int64) {
	dir := os.Getenv("MEERKAT_SHARED")
	if dir == "" {
		dir = "../../shared"
	}
	all, _ := filepath.Glob(filepath.Join(dir, "corpus", "mim201-*.cfg"))
	if len(all) == 0 {
		name := filepath.Join(b.TempDir(), "sample.cfg")
		if err := os.WriteFile(name, []byte(sample()), 0o600); err != nil {
			b.Fatal(err)
		}
		all = []string{name}
	}
	for _, name := range all {
		src, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		if f, _ := Parse(name, src); f.Erlang == "" {
			names, files, size = append(names, name), append(files, src), size+int64(len(src))
		}
	}
	return names, files, size
}

// sample is a configuration of about 30 KB, a third of it comments.
func sample() string {
	var b strings.Builder
	for i := range 30 {
		b.WriteString("%%%.   ===================\n%%%'   SECTION " + strconv.Itoa(i) + "\n\n%%\n%% The options below are explained in the manual; most need no change.\n%%\n")
		for _, p := range pieces {
			b.WriteString(p)
			b.WriteString("\n")
		}
	}
	return b.String()
}

// BenchmarkParse reads configurations; the rate is bytes of files.
func BenchmarkParse(b *testing.B) {
	_, files, size := benchFiles(b)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for _, src := range files {
			if f, _ := Parse("x.cfg", src); f.Erlang != "" {
				b.Fatal(f.Erlang)
			}
		}
	}
}

// BenchmarkFaulty reads a file with a fault in the last of its large terms.
func BenchmarkFaulty(b *testing.B) {
	src := []byte(sample() + "{modules, [" + strings.Repeat("{mod_x, [{a, \"b\"}]},\n", 200) + "]}.\n")
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if f, _ := Parse("x.cfg", src); f.Erlang == "" {
			b.Fatal("accepted")
		}
	}
}

func BenchmarkFormat(b *testing.B) {
	f, _ := Parse("x.cfg", []byte(sample()))
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = buf[:0]
		for _, t := range f.Terms {
			buf = Append(buf, t)
		}
	}
	b.SetBytes(int64(len(buf)))
}

// ratio reads the files with file:consult/1 and with Parse in turns, each ten
// times in a row with the reading from disk included, and returns how many times
// as long the former takes. Of each file the fastest of all rounds counts: the
// machine may be busy. No garbage is collected meanwhile, since a program that
// reads its configuration does not get to collecting; BenchmarkParse includes it.
func ratio(t testing.TB, rounds int) (times float64, theirs, ours time.Duration) {
	const row = 10
	names, _, _ := benchFiles(t)
	e := startErl(t)
	best := make([][2]time.Duration, len(names))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for round := range rounds {
		for i, name := range names {
			abs, err := filepath.Abs(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := e.send('t', append(binary.BigEndian.AppendUint32(nil, row), abs...)); err != nil {
				t.Fatal(err)
			}
			a, err := e.receive()
			if err != nil {
				t.Fatal(err)
			}
			micros, err := strconv.Atoi(string(a))
			if err != nil {
				t.Fatal(err)
			}
			runtime.GC()
			start := time.Now()
			for range row {
				src, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				Parse(name, src)
			}
			took := [2]time.Duration{time.Duration(micros) * time.Microsecond, time.Since(start)}
			for j := range took {
				if round == 0 || took[j] < best[i][j] {
					best[i][j] = took[j]
				}
			}
		}
	}
	for _, b := range best {
		theirs += b[0] / row
		ours += b[1] / row
	}
	return float64(theirs) / float64(ours), theirs, ours
}

// BenchmarkConsult reports how many times as fast as file:consult/1 of the same
// machine we read the same files.
func BenchmarkConsult(b *testing.B) {
	for b.Loop() {
		x, _, _ := ratio(b, 5)
		b.ReportMetric(x, "times-as-fast")
	}
}

// TestFasterThanConsult holds the budget: ten times as fast as file:consult/1.
func TestFasterThanConsult(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("only without -short and -race")
	}
	x, theirs, ours := ratio(t, 5)
	t.Logf("%.1f times as fast as file:consult/1: %v, %v", x, ours, theirs)
	if x < 10 {
		t.Errorf("%.1f times as fast as file:consult/1, want 10", x)
	}
}
