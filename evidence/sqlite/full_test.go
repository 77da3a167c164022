//go:build linux

package sqlite_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/storetest"
)

// smallDisk mounts a file system of 2 MiB, for who may.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("rollproof-test", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("no small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A full disk is named, nothing of the failed transaction is there, and with room
// again the store goes on.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t)
	file := filepath.Join(dir, "evidence.db")
	s := openAt(t, file, frozen)
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 256<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	n := 0
	for ; err == nil && n < 10_000; n++ {
		_, err = evidence.Add(t.Context(), s, []evidence.Record{storetest.Examine(t, storetest.Rollout(n))})
	}
	if !errors.Is(err, evidence.ErrFull) {
		t.Fatalf("after %d records: %v", n, err)
	}
	if _, err := s.PutBlob(t.Context(), bytes.NewReader(make([]byte, 1<<20))); !errors.Is(err, evidence.ErrFull) {
		t.Errorf("blob: %v", err)
	}
	if size, err := s.Len(t.Context()); err != nil || size != int64(n-1) {
		t.Errorf("%d records, %v, expected %d", size, err, n-1)
	}
	storetest.Sound(t, s)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	storetest.Add(t, s, storetest.Rollout(n))
	storetest.Sound(t, s)
}
