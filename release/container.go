package release

import (
	"io"

	"github.com/rollproof/rollproof/release/archive"
)

// A Container is a package as it lies on disk: a directory or a zip.
type Container interface {
	// Kind is "directory" or "zip".
	Kind() string
	// Top is the name of the one directory that a zip wraps its files in; "" for a
	// directory, whose own name is no part of the package.
	Top() string
	// Entries are the regular files, sorted by path. A mode of 0 says that this
	// platform keeps no modes.
	Entries() []archive.Entry
	// Problems are what makes this no well-formed container: links, empty
	// directories, a damaged zip. They fail the verdict.
	Problems() []string
	// Open opens an entry for one reader.
	Open(path string) (File, error)
}

// A File is an open entry of a Container.
type File interface {
	io.Reader
	io.ReaderAt
	io.Closer
}

// ZipContainer is a package read straight from its zip.
type ZipContainer struct{ r *archive.Reader }

// OpenZip reads the structure of a zip of the given size in bytes. A file that is no
// zip of the one exact encoding gives a container that is nothing but its problem.
func OpenZip(r io.ReaderAt, size int64) Container {
	z, err := archive.NewReader(r, size)
	if err != nil {
		return Broken{"zip", err.Error()}
	}
	return ZipContainer{z}
}

// Kind returns "zip".
func (z ZipContainer) Kind() string { return "zip" }

// Top returns the directory name inside the zip.
func (z ZipContainer) Top() string { return z.r.Top() }

// Entries returns the zip's files.
func (z ZipContainer) Entries() []archive.Entry { return z.r.Entries() }

// Problems returns none: a zip with any is not opened.
func (z ZipContainer) Problems() []string { return nil }

// Open opens a file; reading it to its end checks its CRC-32.
func (z ZipContainer) Open(path string) (File, error) {
	f, err := z.r.Open(path)
	if err != nil {
		return nil, err
	}
	return zipFile{f}, nil
}

type zipFile struct{ *archive.File }

func (zipFile) Close() error { return nil }

// Broken is a container that could not be read at all.
type Broken struct{ kind, problem string }

// Kind returns what the container should have been.
func (b Broken) Kind() string { return b.kind }

// Top returns "".
func (b Broken) Top() string { return "" }

// Entries returns none.
func (b Broken) Entries() []archive.Entry { return nil }

// Problems returns why it could not be read.
func (b Broken) Problems() []string { return []string{b.problem} }

// Open always fails.
func (b Broken) Open(path string) (File, error) {
	return nil, &archive.Error{Entry: path, Problem: b.problem}
}
