package storage_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"meerkat/router/storage"
)

// TestBeforeWait wants what must be handed on to be so before a statement that goes
// to another machine, and not for one that the process answers itself.
func TestBeforeWait(t *testing.T) {
	for _, local := range []bool{true, false} {
		raw, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "x.db"))
		if err != nil {
			t.Fatal(err)
		}
		db := storage.New(storage.Config{Name: "x", Dialect: &storage.Dialect{Name: "test", Local: local}, Writer: raw})
		calls := 0
		ctx := context.WithValue(context.Background(), storage.BeforeWait{}, func() { calls++ })
		var one int
		if _, err := db.Row(ctx, "SELECT 1", nil, &one); err != nil || one != 1 {
			t.Fatal(one, err)
		}
		if want := map[bool]int{true: 0, false: 1}[local]; calls != want {
			t.Errorf("local %v: %d calls, want %d", local, calls, want)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}
