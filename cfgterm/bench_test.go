package cfgterm

import (
	"os"
	"path/filepath"
	"testing"
)

func benchFiles(b *testing.B) (names []string, files [][]byte, size int64) {
	all, _ := filepath.Glob(filepath.Join(shared(b), "corpus", "mim201-default.cfg"))
	for _, name := range all {
		src, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		names, files, size = append(names, name), append(files, src), size+int64(len(src))
	}
	return names, files, size
}

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
