package archive_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/rollproof/rollproof/release/archive"
)

// FuzzReaderAcceptsOnlyWhatWriterWrites: whatever NewReader accepts and reads
// cleanly, Write makes again, byte for byte; whatever it refuses, it refuses with
// an *Error that is fit to print.
func FuzzReaderAcceptsOnlyWhatWriterWrites(f *testing.F) {
	f.Add(write(f, demo...))
	f.Add(write(f, demo[0]))
	f.Add(write(f, file{"nested.zip", string(write(f, demo...)), 0o644}))
	for _, group := range [][]hostile{hostileNames, hostileHeaders, onlyLocal, hostileStructure} {
		for _, h := range group {
			if b := h.make(f); len(b) < 1000 {
				f.Add(b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		z, err := read(b)
		var files []file
		if err == nil {
			files, err = readAll(z)
		}
		if err != nil {
			var e *archive.Error
			if !errors.As(err, &e) || e.Problem == "" || archive.Printable(err.Error()) != err.Error() {
				t.Fatalf("error is %q", err)
			}
			return
		}
		var again bytes.Buffer
		if err := archive.Write(&again, z.Top(), z.Entries(), opener(files)); err != nil {
			t.Fatalf("what was read can't be written: %v", err)
		}
		if !bytes.Equal(again.Bytes(), b) {
			t.Fatalf("read\n%x, written again\n%x", b, again.Bytes())
		}
	})
}
