package rebuild

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
)

// compareBinary compares a binary of the package with a rebuilt file. The bytes of
// the package count only with the sha256 that the manifest names.
func compareBinary(ctx context.Context, in *inputs, t *Target, rebuilt string) (err error) {
	ours, err := os.Open(rebuilt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ours.Close()) }()
	info, err := ours.Stat()
	if err != nil {
		return err
	}
	if t.Rebuilt, err = sumOf(ctx, ours); err != nil {
		return err
	}
	theirs, err := in.container.Open(t.Binary)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, theirs.Close()) }()
	file, err := in.artifact(t.Binary)
	if err != nil {
		return err
	}
	sum, err := sumOf(ctx, theirs)
	if err != nil {
		return err
	}
	if sum != file.SHA256 {
		return changed(t.Binary)
	}
	if t.Rebuilt == t.SHA256 {
		t.Result = Match
		return nil
	}
	t.Result = Differs
	t.Difference = explain(image{theirs, file.Size}, image{ours, info.Size()})
	return nil
}

func sumOf(ctx context.Context, r io.Reader) (string, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, contextReader{ctx, r}); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// An image is a binary of either side. That of the package is hostile.
type image struct {
	io.ReaderAt
	size int64
}

// differing lists the names of sections that differ, in the order of the rebuilt
// binary, those that only the package has last. Build ids within sections count as
// equal.
func differing(theirs, ours layout) []string {
	var names []string
	seen := map[string]bool{}
	for _, o := range ours.sections {
		seen[o.name] = true
		t, ok := theirs.find(o.name)
		if !ok || t.size != o.size || !sameBytes(theirs, ours, t, o) {
			names = append(names, o.name)
		}
	}
	for _, t := range theirs.sections {
		if !seen[t.name] {
			seen[t.name] = true
			names = append(names, t.name)
		}
	}
	return names
}

// sameBytes compares two sections of one size.
func sameBytes(theirs, ours layout, t, o section) bool {
	const block = 256 << 10
	a, b := make([]byte, block), make([]byte, block)
	for at := int64(0); at < o.size; at += block {
		n := min(block, o.size-at)
		if !theirs.readMasked(a[:n], t.offset+at) || !ours.readMasked(b[:n], o.offset+at) || !bytes.Equal(a[:n], b[:n]) {
			return false
		}
	}
	return true
}

// readMasked reads a part of the file with the build id blanked out.
func (l layout) readMasked(p []byte, offset int64) bool {
	if n, _ := l.file.ReadAt(p, offset); n < len(p) {
		return false
	}
	for i := max(l.idAt, offset); i < min(l.idAt+int64(len(l.buildID)), offset+int64(len(p))); i++ {
		p[i-offset] = 0
	}
	return true
}
