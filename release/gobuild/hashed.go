package gobuild

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"

	"github.com/rollproof/rollproof/release"
)

// A hashed is what one pass over a file yields.
type hashed struct {
	id     string // git object name of the content
	sha256 [sha256.Size]byte
	size   int64
	head   []byte // the first bytes; all of a .gitattributes
}

// headSize is enough for a Git LFS pointer; attributeSize is git's own limit for
// a .gitattributes file.
const (
	headSize      = 1024
	attributeSize = 100 << 20
)

func (h *hashed) treeFile(e entry) release.TreeFile {
	mode := fs.FileMode(0o644)
	if e.mode == modeExec {
		mode = 0o755
	}
	return release.TreeFile{Path: e.path, SHA256: hex.EncodeToString(h.sha256[:]), Size: h.size, Mode: mode}
}

// hashFile reads the file that stands for e, which must be of e's kind.
func hashFile(path string, e entry, newHash func() hash.Hash) (*hashed, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if e.mode == modeLink && info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(path)
		if err != nil {
			return nil, err
		}
		return &hashed{id: objectID(newHash, "blob", []byte(filepath.ToSlash(target)))}, nil
	}
	// Windows keeps no x bit, and git writes a link there as a file with its target.
	bits := runtime.GOOS != "windows"
	if !info.Mode().IsRegular() || e.mode == modeLink && bits {
		return nil, fmt.Errorf("type is %s, git mode %s", info.Mode().Type(), e.mode)
	}
	if bits && (e.mode == modeExec) != (info.Mode()&0o100 != 0) {
		return nil, fmt.Errorf("mode is %s, git mode %s", info.Mode(), e.mode)
	}
	return hashContent(path, info.Size(), e, newHash)
}

func hashContent(name string, size int64, e entry, newHash func() hash.Hash) (*hashed, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := &hashed{size: size}
	limit := int64(headSize)
	if path.Base(e.path) == ".gitattributes" {
		limit = attributeSize
	}
	object, plainHash := newHash(), sha256.New()
	fmt.Fprintf(object, "blob %d\x00", size)
	both := io.MultiWriter(object, plainHash)
	var head bytes.Buffer
	if _, err := io.CopyN(io.MultiWriter(both, &head), f, min(limit, size)); err != nil {
		return nil, err
	}
	rest, err := io.Copy(both, f)
	if err != nil {
		return nil, err
	}
	if int64(head.Len())+rest != size {
		return nil, errors.New("its size changes while it is read")
	}
	h.head = head.Bytes()
	h.id = hex.EncodeToString(object.Sum(nil))
	plainHash.Sum(h.sha256[:0])
	return h, nil
}
