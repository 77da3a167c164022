package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/storetest"
)

// secretive returns a statement that says something that is nowhere else.
func secretive(n int, secret string) []byte {
	return storetest.Envelope(storetest.NewSigner("ada"), storetest.RolloutType, []evidence.Subject{storetest.Subject(fmt.Sprintf("bin/age_%d", n))},
		storetest.Story{Facts: evidence.Facts{Project: "age"}, Comment: secret})
}

// Erased bytes are nowhere in the files: not in free pages, in parts of the index of
// words, or in the write-ahead log.
func TestErasedBytesAreGone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "evidence.db")
	s := openAt(t, file, frozen)
	var added []evidence.Added
	for n := range 120 { // enough for parts of the index of words to be merged before
		added = append(added, storetest.Add(t, s, secretive(n, fmt.Sprintf("zebra%dzebra", n)))...)
	}
	bundle, err := envelope.ParseBundle(added[60].Record.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	traces := [][]byte{added[60].Record.Envelope[len(added[60].Record.Envelope)-200:], []byte("zebra60zebra"), []byte("60zebra"), bundle.Signature}
	if !anywhere(t, dir, traces[0]) || !anywhere(t, dir, []byte("zebra")) {
		t.Fatal("the search for traces finds nothing before")
	}
	storetest.Erase(t, s, added[60].Record)
	for _, trace := range traces {
		if anywhere(t, dir, trace) {
			t.Errorf("%.40q is still there", trace)
		}
	}
	page, err := s.Search(t.Context(), evidence.Query{Text: "zebra61zebra"})
	if err != nil || len(page.Records) != 1 {
		t.Errorf("its neighbour: %d records, %v", len(page.Records), err)
	}
	storetest.Sound(t, s)
}

// anywhere reports whether a directory's files contain these bytes.
func anywhere(t *testing.T, dir string, trace []byte) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		found = found || bytes.Contains(data, trace)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// erasedStore makes a closed store whose record 0, with a blob, was erased by record 5.
func erasedStore(t testing.TB) string {
	t.Helper()
	file := filled(t)
	s, err := sqlite.Open(t.Context(), file, frozen)
	if err != nil {
		t.Fatal(err)
	}
	record, err := s.Record(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	storetest.Erase(t, s, record)
	storetest.Sound(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

// An erasure that somebody wrote himself, or took back, is named.
func TestForgedErasures(t *testing.T) {
	erase := []string{"DELETE FROM envelope WHERE record = 2", "DELETE FROM words WHERE rowid = 2"}
	for name, attack := range map[string]struct {
		statements []string
		want       string
	}{
		"by a record that orders nothing": {append(erase, "INSERT INTO erasure VALUES (2, 4)"), "record 2: erasure: expected one ordered by a record that names it, found record 4"},
		"by another's order":              {append(erase, "INSERT INTO erasure VALUES (2, 5)"), "record 2: erasure"},
		"of bytes that are there":         {[]string{"INSERT INTO erasure VALUES (2, 5)"}, "record 2: envelope: expected erased, found stored"},
		"of words that are there":         {append(erase[:1:1], "INSERT INTO erasure VALUES (2, 5)"), "record 2: words: expected erased, found stored"},
		"of nothing":                      {[]string{"INSERT INTO erasure VALUES (50, 60)"}, "record 50: erasure"},
		"order exchanged":                 {[]string{"UPDATE erasure SET ordered_by = 4"}, "record 0: erasure"},
		"taken back":                      {[]string{"DELETE FROM erasure"}, "record 0: envelope: expected an envelope, found none"},
		"bytes put back":                  {[]string{"INSERT INTO envelope VALUES (0, x'00')"}, "record 0: envelope: expected erased, found stored"},
		"words put back":                  {[]string{"INSERT INTO words (rowid, text) VALUES (0, 'other')"}, "record 0: words: expected erased, found stored"},
		"facts of an erased record":       {[]string{"UPDATE record SET project = 'other' WHERE idx = 0"}, "record 0: checksum"},
		"act of an erased record":         {[]string{"UPDATE record SET act = randomblob(32) WHERE idx = 0"}, "record 0: leaf"},
		"blobs by no order":               {[]string{"INSERT INTO blob_erasure VALUES (2, 4)"}, "record 2: blob erasure"},
		"blobs of nothing":                {[]string{"INSERT INTO blob_erasure VALUES (50, 60)"}, "record 50: blob erasure"},
		"digests of an erased record":     {[]string{"DELETE FROM digest WHERE record = 0"}, "record 0: digest"},
	} {
		t.Run(name, func(t *testing.T) {
			file := erasedStore(t)
			behindTriggers(t, file, append([]string{"PRAGMA foreign_keys = 0"}, attack.statements...)...)
			mention(t, found(t, file), attack.want)
		})
	}
}

// Whoever obeys the triggers erases only what a record names.
func TestTriggersOfErasure(t *testing.T) {
	file := erasedStore(t)
	for _, statement := range []string{
		"INSERT INTO erasure VALUES (2, 4)", "INSERT INTO erasure VALUES (2, 5)", "INSERT OR REPLACE INTO erasure VALUES (0, 4)", "INSERT INTO erasure VALUES (5, 0)",
		"DELETE FROM envelope WHERE record = 2", "DELETE FROM envelope", "DELETE FROM erasure", "INSERT INTO blob_erasure VALUES (2, 4)", "INSERT INTO blob_erasure VALUES (5, 0)", "UPDATE erasure SET ordered_by = 4",
	} {
		if err := try(file, statement); err == nil {
			t.Errorf("%s: done", statement)
		}
	}
	if problems := found(t, file); len(problems) > 0 {
		t.Error(problems)
	}
}

// A file that the death of a process kept from being removed is named, and cleaned up.
func TestErasedBlobLeftOver(t *testing.T) {
	file := erasedStore(t)
	s := openAt(t, file, time.Now)
	blob, err := s.PutBlob(t.Context(), strings.NewReader("bin/age_0"))
	if err != nil {
		t.Fatal(err)
	}
	mention(t, storetest.Problems(t, s), "record 0: blob "+blob.Digest.String()+": expected erased, found a file")
	age(t, blobFile(file, blob.Digest), time.Now().Add(-25*time.Hour))
	if removed, err := s.CleanBlobs(t.Context(), sqlite.MinBlobAge); err != nil || len(removed) != 1 || removed[0] != blob {
		t.Errorf("%v, %v", removed, err)
	}
	storetest.Sound(t, s)
}

func blobFile(file string, d evidence.Digest) string {
	return filepath.Join(filepath.Dir(file), "blobs", "sha256", d.Hex()[:2], d.Hex())
}

func age(t *testing.T, file string, at time.Time) {
	t.Helper()
	if err := os.Chtimes(file, at, at); err != nil {
		t.Fatal(err)
	}
}

// Only what nobody names and what is old is cleaned up.
func TestCleanBlobs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "evidence.db")
	s, now := openAt(t, file, frozen), storetest.Start
	put := func(content string) evidence.Blob {
		blob, err := s.PutBlob(t.Context(), strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		age(t, blobFile(file, blob.Digest), now.Add(-48*time.Hour))
		return blob
	}
	named, old, young := put("bin/age_0"), put("of nobody"), put("of nobody yet")
	if _, err := evidence.Add(t.Context(), s, []evidence.Record{storetest.Examine(t, storetest.Rollout(0))}, named); err != nil {
		t.Fatal(err)
	}
	age(t, blobFile(file, young.Digest), now.Add(-23*time.Hour))
	top := filepath.Join(filepath.Dir(file), "blobs", "sha256")
	part, foreign, misplaced := filepath.Join(top, ".new-123"), filepath.Join(top, "README"), filepath.Join(top, "00", old.Digest.Hex())
	for _, name := range []string{part, foreign, misplaced} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte("x"), 0o600)); err != nil {
			t.Fatal(err)
		}
		age(t, name, now.Add(-48*time.Hour))
	}
	for _, short := range []time.Duration{0, -time.Hour, 24*time.Hour - 1} {
		if removed, err := s.CleanBlobs(t.Context(), short); err == nil || len(removed) > 0 {
			t.Errorf("%s: %v", short, removed)
		}
	}
	if removed, err := s.CleanBlobs(t.Context(), 24*time.Hour); err != nil || len(removed) != 1 || removed[0] != old {
		t.Errorf("%v, %v, expected %v", removed, err, old)
	}
	for name, want := range map[string]bool{
		blobFile(file, named.Digest): true, blobFile(file, young.Digest): true, foreign: true, misplaced: true,
		blobFile(file, old.Digest): false, part: false,
	} {
		if _, err := os.Stat(name); (err == nil) != want {
			t.Errorf("%s: there: %v, expected %v", name, err == nil, want)
		}
	}
	storetest.Sound(t, s)
	reader, err := sqlite.OpenReadOnly(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if _, err := reader.CleanBlobs(t.Context(), 24*time.Hour); !errors.Is(err, evidence.ErrReadOnly) {
		t.Errorf("for reading: %v", err)
	}
}

// A blob that was cleaned up between being stored and being attached is not attached.
func TestAttachLooksForTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "evidence.db")
	s := openAt(t, file, frozen)
	blob, err := s.PutBlob(t.Context(), strings.NewReader("bin/age_0"))
	if err != nil {
		t.Fatal(err)
	}
	add := func(b evidence.Blob) error {
		_, err := evidence.Add(t.Context(), s, []evidence.Record{storetest.Examine(t, storetest.Rollout(0))}, b)
		return err
	}
	if err := add(evidence.Blob{Digest: blob.Digest, Size: 1}); err == nil {
		t.Error("of another size: done")
	}
	if err := os.Remove(blobFile(file, blob.Digest)); err != nil {
		t.Fatal(err)
	}
	if err := add(blob); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if size, err := s.Len(t.Context()); err != nil || size != 0 {
		t.Errorf("%d records, %v", size, err)
	}
}
