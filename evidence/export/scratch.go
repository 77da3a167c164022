package export

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"io"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release/archive"
)

// A Scratch is an empty temporary file: what is written can be read again. Its owner
// removes it. A zip's headers say size and CRC-32 before the data, and an export is
// larger than memory.
type Scratch interface {
	io.Writer
	io.ReaderAt
}

// A part is a file of an export before it is in the zip.
type part struct {
	File
	crc  uint32
	open func() (io.ReadCloser, error)
}

func (p part) entry() archive.Entry {
	return archive.Entry{Path: p.Path, Size: p.Size, Mode: 0o644, CRC32: p.crc}
}

// A meter measures what is written to it.
type meter struct {
	size int64
	crc  uint32
	sum  hash.Hash
}

func newMeter() *meter { return &meter{sum: sha256.New()} }

func (m *meter) Write(p []byte) (int, error) {
	m.size += int64(len(p))
	m.crc = crc32.Update(m.crc, crc32.IEEETable, p)
	return m.sum.Write(p)
}

func (m *meter) part(path string, open func() (io.ReadCloser, error)) part {
	return part{File{path, m.size, hex.EncodeToString(m.sum.Sum(nil))}, m.crc, open}
}

// A spool puts parts into a scratch file, one after the other.
type spool struct {
	to     Scratch
	offset int64
	parts  []part
}

// write makes a part of what fill writes.
func (s *spool) write(path string, fill func(io.Writer) error) error {
	m := newMeter()
	if err := fill(io.MultiWriter(m, s.to)); err != nil {
		return err
	}
	from := s.offset
	s.offset += m.size
	s.parts = append(s.parts, m.part(path, func() (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(s.to, from, m.size)), nil
	}))
	return nil
}

// bytes makes a part of what is in memory.
func (s *spool) bytes(path string, data []byte) error {
	return s.write(path, func(w io.Writer) error { _, err := w.Write(data); return err })
}

// blob makes a part of a blob, which is read where it lies.
func (s *spool) blob(ctx context.Context, r evidence.Reader, d evidence.Digest) (evidence.Blob, error) {
	open := func() (io.ReadCloser, error) { return r.OpenBlob(ctx, d) }
	f, err := open()
	if err != nil {
		return evidence.Blob{}, err
	}
	defer f.Close()
	m := newMeter()
	if _, err := io.Copy(m, f); err != nil {
		return evidence.Blob{}, err
	}
	s.parts = append(s.parts, m.part(blobFolder+d.Hex(), open))
	return evidence.Blob{Digest: evidence.Digest(m.sum.Sum(nil)), Size: m.size}, nil
}
