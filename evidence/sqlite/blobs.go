package sqlite

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/rollproof/rollproof/evidence"
)

// blobs is the directory of the blob store.
type blobs string

// temporaryPrefix begins the name of a blob that is being written.
const temporaryPrefix = ".new-"

// buffers are large: file systems write much faster in few large pieces.
var buffers = sync.Pool{New: func() any { b := make([]byte, 1<<20); return &b }}

// path is where a blob lies: sha256/<first two digits>/<all digits>.
func (b blobs) path(d evidence.Digest) string {
	digits := d.Hex()
	return filepath.Join(string(b), "sha256", digits[:2], digits)
}

func (b blobs) open(d evidence.Digest) (io.ReadCloser, error) { return os.Open(b.path(d)) }

// remove removes a blob, if it is there.
func (b blobs) remove(d evidence.Digest) error {
	return ignoreMissing(os.Remove(b.path(d)))
}

// PutBlob streams a file into the store. Its size is not limited.
func (s *Store) PutBlob(ctx context.Context, from io.Reader) (evidence.Blob, error) {
	if s.writer == nil {
		return evidence.Blob{}, evidence.ErrReadOnly
	}
	b, err := s.blobs.put(ctx, from)
	if errors.Is(err, syscall.ENOSPC) {
		err = fmt.Errorf("%w: %w", evidence.ErrFull, err)
	}
	return b, err
}

func (b blobs) put(ctx context.Context, from io.Reader) (evidence.Blob, error) {
	top := filepath.Join(string(b), "sha256")
	if err := os.MkdirAll(top, 0o755); err != nil {
		return evidence.Blob{}, err
	}
	temporary, err := os.CreateTemp(top, temporaryPrefix)
	if err != nil {
		return evidence.Blob{}, err
	}
	defer os.Remove(temporary.Name()) // fails once it is renamed
	h := sha256.New()
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	// Without its other methods, for some of them copy with a small buffer of their own.
	n, err := io.CopyBuffer(io.MultiWriter(temporary, h), struct{ io.Reader }{from}, *buffer)
	if err == nil {
		err = temporary.Sync()
	}
	if err := errors.Join(err, ctx.Err(), temporary.Chmod(0o444), temporary.Close()); err != nil {
		return evidence.Blob{}, err
	}
	blob := evidence.Blob{Digest: evidence.Digest(h.Sum(nil)), Size: n}
	return blob, b.place(temporary.Name(), blob.Digest)
}

// place renames a finished file and flushes the directories that changed.
func (b blobs) place(temporary string, d evidence.Digest) error {
	final := b.path(d)
	dir := filepath.Dir(final)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.Rename(temporary, final); err != nil {
		return err
	}
	for _, changed := range []string{dir, filepath.Dir(dir), string(b), filepath.Dir(string(b))} {
		if err := syncDirectory(changed); err != nil {
			return err
		}
	}
	return nil
}
