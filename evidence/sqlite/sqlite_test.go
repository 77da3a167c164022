package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/storetest"
)

func frozen() time.Time { return storetest.Start }

// openAt opens a store for writing until the test ends.
func openAt(t testing.TB, file string, now func() time.Time) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), file, now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T, now func() time.Time) evidence.Store {
		return openAt(t, filepath.Join(t.TempDir(), "evidence.db"), now)
	})
}
