package service

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/rollproof/rollproof/evidence"
)

// A Content is a file that was hashed before it is handed out. Who opened it closes it.
type Content struct {
	Name      string // the last element of its name
	Digest    evidence.Digest
	Size      int64 // bytes
	MediaType string
	*os.File
}

// A spool is a private copy that is hashed while it is written. Its file has no name
// any more, so that it is gone when it is closed.
type spool struct {
	file *os.File
	sum  hash.Hash
	size int64
}

func newSpool() (*spool, error) {
	f, err := os.CreateTemp("", "rollproof-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &spool{file: f, sum: sha256.New()}, nil
}

func (s *spool) Write(p []byte) (int, error) {
	n, err := s.file.Write(p)
	s.sum.Write(p[:n])
	s.size += int64(n)
	return n, err
}

// content ends the writing.
func (s *spool) content(name, mediaType string) (*Content, error) {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return nil, errors.Join(err, s.file.Close())
	}
	return &Content{name, evidence.Digest(s.sum.Sum(nil)), s.size, mediaType, s.file}, nil
}

// Spool copies a file of an expected digest, and size in bytes, that is not trusted to
// have them. Another one is a [*Failure] of bad evidence.
func Spool(ctx context.Context, from io.Reader, want evidence.Blob, name, mediaType string) (*Content, error) {
	s, err := newSpool()
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(s, io.LimitReader(reading{ctx, from}, want.Size+1)); err != nil {
		return nil, errors.Join(err, s.file.Close())
	}
	c, err := s.content(name, mediaType)
	if err != nil {
		return nil, err
	}
	if c.Digest != want.Digest || c.Size != want.Size {
		return nil, errors.Join(changed(name, want, c.Digest, c.Size), c.Close())
	}
	return c, nil
}

func changed(name string, want evidence.Blob, got evidence.Digest, size int64) error {
	return &Failure{
		Code: CodeEvidence, Message: fmt.Sprintf("%s is %s of %d bytes, expected %s of %d", name, got, size, want.Digest, want.Size),
		Hint: "the stored file was changed: rollproof evidence verify --all names each place",
	}
}

// A reading ends with its context.
type reading struct {
	ctx  context.Context
	from io.Reader
}

func (r reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(p)
}
