package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// MinBlobAge is how old a file must be at least to be cleaned up: a blob is stored
// before the transaction that says to which record it belongs.
const MinBlobAge = 24 * time.Hour

// CleanBlobs removes files of the blob store that no record names, erased records
// aside, and that were last written longer ago than olderThan, which is [MinBlobAge]
// at least. It returns the blobs that it removed; parts of a blob whose writer died
// go, too. Files whose names are none of the store's stay.
func (s *Store) CleanBlobs(ctx context.Context, olderThan time.Duration) ([]evidence.Blob, error) {
	if olderThan < MinBlobAge {
		return nil, fmt.Errorf("cleaning up blobs older than %s, expected %s at least", olderThan, MinBlobAge)
	}
	if s.writer == nil {
		return nil, evidence.ErrReadOnly
	}
	before := s.now().Add(-olderThan)
	files, err := s.blobs.olderThan(before)
	if err != nil {
		return nil, err
	}
	var removed []evidence.Blob
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		blob, err := s.clean(ctx, file, before)
		if err != nil {
			return removed, err
		}
		if blob.Size >= 0 {
			removed = append(removed, blob)
		}
	}
	return removed, nil
}

// clean removes one file, while nobody attaches a blob, where it is still as old and
// no record names it. The size of a file that stays, or is no blob, is -1.
func (s *Store) clean(ctx context.Context, file string, before time.Time) (evidence.Blob, error) {
	blob := evidence.Blob{Size: -1}
	name := filepath.Base(file)
	err := s.locked(ctx, func(t *transaction) error {
		info, err := os.Lstat(file)
		if err != nil || !info.ModTime().Before(before) {
			return ignoreMissing(err)
		}
		if strings.HasPrefix(name, temporaryPrefix) {
			return os.Remove(file)
		}
		digest, err := evidence.ParseDigest(name)
		if err != nil {
			return err
		}
		named, err := t.count(ctx, "SELECT count(*) FROM blob WHERE digest = ? AND record NOT IN ("+withoutBlobs+")", digest[:])
		if err != nil || named > 0 {
			return err
		}
		blob = evidence.Blob{Digest: digest, Size: info.Size()}
		return os.Remove(file)
	})
	return blob, err
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// olderThan lists blobs, and parts of blobs, that were last written before a time.
func (b blobs) olderThan(before time.Time) ([]string, error) {
	var list []string
	top := filepath.Join(string(b), "sha256")
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !b.owns(path) {
			return ignoreMissing(err)
		}
		info, err := d.Info()
		if err == nil && info.ModTime().Before(before) {
			list = append(list, path)
		}
		return ignoreMissing(err)
	})
	return list, err
}

// owns reports whether a file is where the store puts a blob, or a part of one.
func (b blobs) owns(path string) bool {
	if filepath.Dir(path) == filepath.Join(string(b), "sha256") {
		return strings.HasPrefix(filepath.Base(path), temporaryPrefix)
	}
	d, err := evidence.ParseDigest(filepath.Base(path))
	return err == nil && path == b.path(d)
}
