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
	"path/filepath"
	"runtime"
	"sync"

	"golang.org/x/mod/sumdb/dirhash"

	"github.com/rollproof/rollproof/release"
)

// A hashed is what one pass over a file yields.
type hashed struct {
	id      string // git object name of the content
	mode    string // as git has it
	sha256  [sha256.Size]byte
	size    int64
	pointer bool // the content is a Git LFS pointer
}

// lfsMark begins every Git LFS pointer, which is shorter than lfsLimit bytes
// (Git LFS specification).
const (
	lfsMark  = "version https://git-lfs.github.com/spec/v1\n"
	lfsLimit = 1024
)

func (h *hashed) treeFile(path string) release.TreeFile {
	mode := fs.FileMode(0o644)
	if h.mode == modeExec {
		mode = 0o755
	}
	return release.TreeFile{Path: path, SHA256: hex.EncodeToString(h.sha256[:]), Size: h.size, Mode: mode}
}

// hashAs reads the file that stands for an entry of the given mode, and names it
// as git does. A file of another kind is an error.
func hashAs(path, mode string, newHash func() hash.Hash) (*hashed, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if mode == modeLink && info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(path)
		if err != nil {
			return nil, err
		}
		return &hashed{mode: mode, id: objectID(newHash, "blob", []byte(filepath.ToSlash(target)))}, nil
	}
	// Windows keeps no x bit, and git writes a link there as a file with its target.
	bits := runtime.GOOS != "windows"
	if !info.Mode().IsRegular() || mode == modeLink && bits {
		return nil, fmt.Errorf("type is %s, git mode %s", info.Mode().Type(), mode)
	}
	if bits && (mode == modeExec) != (info.Mode()&0o100 != 0) {
		return nil, fmt.Errorf("mode is %s, git mode %s", info.Mode(), mode)
	}
	object := newHash()
	fmt.Fprintf(object, "blob %d\x00", info.Size())
	h := &hashed{mode: mode, size: info.Size()}
	if err := h.read(path, object); err != nil {
		return nil, err
	}
	h.id = hex.EncodeToString(object.Sum(nil))
	return h, nil
}

// hashAny reads a regular file of either mode; of anything else it returns nil.
func hashAny(path string) (*hashed, error) {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	h := &hashed{mode: modeFile, size: info.Size()}
	if info.Mode()&0o100 != 0 {
		h.mode = modeExec
	}
	return h, h.read(path, io.Discard)
}

// read hashes the content, and passes it on to object.
func (h *hashed) read(name string, object io.Writer) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	n, err := io.ReadFull(f, *buffer)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	first := (*buffer)[:n]
	h.pointer = h.size < lfsLimit && bytes.HasPrefix(first, []byte(lfsMark))
	content := sha256.New()
	both := io.MultiWriter(content, object)
	if _, err := both.Write(first); err != nil {
		return err
	}
	rest, err := io.CopyBuffer(both, onlyReader{f}, *buffer)
	if err != nil {
		return err
	}
	if int64(n)+rest != h.size {
		return errors.New("its size changes while it is read")
	}
	content.Sum(h.sha256[:0])
	return nil
}

// buffers are shared by all that hash files: a fresh one per file would cost
// more than the hashing.
var buffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

type onlyReader struct{ io.Reader }

// hash1 is dirhash.Hash1 with the shared buffers.
func hash1(files []string, open func(string) (io.ReadCloser, error)) (string, error) {
	return dirhash.Hash1(files, func(name string) (io.ReadCloser, error) {
		r, err := open(name)
		return buffered{r}, err
	})
}

// buffered copies through a shared buffer where it is read with io.Copy.
type buffered struct{ io.ReadCloser }

func (r buffered) WriteTo(w io.Writer) (int64, error) {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	return io.CopyBuffer(w, onlyReader{r.ReadCloser}, *buffer)
}
