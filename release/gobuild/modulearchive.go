package gobuild

import (
	"archive/zip"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A module archive is a zip that, unpacked, is a module proxy
// (https://go.dev/ref/mod#goproxy-protocol): for each version <module>/@v/<version>.info
// and .mod, and .zip where its packages are needed. It has one encoding: entries
// sorted by name, method Store, no times, modes, flags or extra fields; .info is
// {"Version":"<version>"}; a module's zip is written the same way, whatever
// compression it came in. go.sum's hashes are of contents, so they still hold.

// writeModules writes the archive of files, which are sorted as listModules does.
func writeModules(ctx context.Context, w io.Writer, files []moduleFile) error {
	archive := zip.NewWriter(w)
	for _, f := range files {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if f.kind == ".mod" { // each version has one, and .info sorts before it
			if err := f.addInfo(archive); err != nil {
				return err
			}
		}
		if err := f.add(archive); err != nil {
			return fmt.Errorf("%s@%s%s: %w", f.name.Path, f.name.Version, f.kind, err)
		}
	}
	return archive.Close()
}

func (f moduleFile) addInfo(archive *zip.Writer) error {
	path, err := f.path(".info")
	if err != nil {
		return err
	}
	text := fmt.Sprintf("{\"Version\":%q}", f.name.Version)
	w, err := archive.CreateRaw(stored(path, int64(len(text)), crc32.ChecksumIEEE([]byte(text))))
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return err
}

// stored is the header of an entry in both kinds of zip.
func stored(name string, size int64, sum uint32) *zip.FileHeader {
	return &zip.FileHeader{Name: name, Method: zip.Store, CRC32: sum, CompressedSize64: uint64(size), UncompressedSize64: uint64(size)}
}

// add writes the file, a zip in its one encoding.
func (f moduleFile) add(archive *zip.Writer) (err error) {
	path, err := f.path(f.kind)
	if err != nil {
		return err
	}
	write := f.copyMod
	if f.kind == ".zip" {
		write = f.copyZip
	}
	measure := &meter{sum: crc32.NewIEEE()}
	if err := write(measure); err != nil {
		return err
	}
	w, err := archive.CreateRaw(stored(path, measure.size, measure.sum.Sum32()))
	if err != nil {
		return err
	}
	return write(w)
}

// A meter counts and sums what is written to it.
type meter struct {
	size int64
	sum  hash.Hash32
}

func (m *meter) Write(p []byte) (int, error) {
	m.size += int64(len(p))
	return m.sum.Write(p)
}

func (f moduleFile) copyMod(w io.Writer) error {
	file, err := os.Open(f.file)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, file)
	return errors.Join(err, file.Close())
}

func (f moduleFile) copyZip(w io.Writer) (err error) {
	r, err := zip.OpenReader(f.file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if f.stored {
		info, err := os.Stat(f.file)
		if err != nil {
			return err
		}
		if err := allStored(r.File, info.Size()); err != nil {
			return err
		}
	}
	slices.SortFunc(r.File, func(a, b *zip.File) int { return cmp.Compare(a.Name, b.Name) })
	plain := zip.NewWriter(w)
	for _, entry := range r.File {
		if err := copyEntry(plain, entry); err != nil {
			return fmt.Errorf("%s: %w", entry.Name, err)
		}
	}
	return plain.Close()
}

func copyEntry(to *zip.Writer, entry *zip.File) (err error) {
	r, err := entry.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	w, err := to.CreateRaw(stored(entry.Name, int64(entry.UncompressedSize64), entry.CRC32))
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r) // which compares size and sum with the header
	return err
}

// unpackModules turns a module archive of the given size in bytes into a proxy
// directory at root, which must not exist. The archive must be in its one encoding,
// so that nothing in it unpacks to more than its size.
func unpackModules(ctx context.Context, r io.ReaderAt, size int64, root string) error {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return notModules("%v", err)
	}
	if err := allStored(z.File, size); err != nil {
		return notModules("%v", err)
	}
	for _, entry := range z.File {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if strings.HasSuffix(entry.Name, ".info") {
			continue // written again by the comparison
		}
		f, ok := parseModulePath(entry.Name)
		if !ok {
			return notModules("%q is no go.mod or zip of a module", plain(entry.Name))
		}
		f.file = filepath.Join(root, filepath.FromSlash(entry.Name))
		if err := unpackEntry(entry, f.file); err != nil {
			return notModules("%s: %v", plain(entry.Name), err)
		}
	}
	return compareModules(ctx, io.NewSectionReader(r, 0, size), root)
}

// allStored refuses a zip of the given size that could unpack to more: by
// compression, or by entries that share their data.
func allStored(entries []*zip.File, size int64) error {
	left := uint64(size)
	for _, e := range entries {
		if e.Method != zip.Store {
			return fmt.Errorf("%q is compressed, expected it stored", plain(e.Name))
		}
		if e.UncompressedSize64 > left {
			return fmt.Errorf("%q has more bytes than the zip has left", plain(e.Name))
		}
		left -= e.UncompressedSize64
	}
	return nil
}

func notModules(format string, args ...any) error {
	return tampered("the package's source was not written by rollproof", "module archive: "+format, args...)
}

func unpackEntry(entry *zip.File, name string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	r, err := entry.Open()
	if err != nil {
		return err
	}
	w, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return errors.Join(err, r.Close())
	}
	_, err = io.Copy(w, r)
	return errors.Join(err, w.Close(), r.Close())
}

// compareModules writes the archive again from what was unpacked.
func compareModules(ctx context.Context, original io.Reader, root string) error {
	files, err := listModules(root)
	if err != nil {
		return err
	}
	for i := range files {
		files[i].stored = true
	}
	have, want := sha256.New(), sha256.New()
	if _, err := io.Copy(have, original); err != nil {
		return err
	}
	if err := writeModules(ctx, want, files); err != nil {
		return notModules("%v", err)
	}
	if string(have.Sum(nil)) != string(want.Sum(nil)) {
		return notModules("its bytes are not those that rollproof writes for these modules")
	}
	return nil
}
