package dist

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"github.com/rollproof/rollproof/release/archive"
)

// WriteZip writes small files below one directory into a zip of the package's one
// encoding. The zip appears whole or not at all.
func WriteZip(file, top string, files map[string][]byte) error {
	var entries []archive.Entry
	for name, data := range files {
		entries = append(entries, archive.Entry{Path: name, Size: int64(len(data)), Mode: 0o644, CRC32: crc32.ChecksumIEEE(data)})
	}
	return replaceFile(file, func(w io.Writer) error {
		return archive.Write(w, top, entries, func(e archive.Entry) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(files[e.Path])), nil
		})
	})
}

// ReadZip reads a zip of small files, each of at most limit bytes.
func ReadZip(file string, limit int64) (map[string][]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	z, err := archive.NewReader(f, info.Size())
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, e := range z.Entries() {
		if e.Size > limit {
			return nil, fmt.Errorf("%s: %d bytes, the limit is %d", e.Path, e.Size, limit)
		}
		entry, err := z.Open(e.Path)
		if err != nil {
			return nil, err
		}
		if files[e.Path], err = io.ReadAll(entry); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// AddFile adds a small file to a package's directory and, if its zip lies beside it,
// makes that again. Directory and zip change one after the other.
func AddFile(dir, name string, data []byte) error {
	path := filepath.Join(dir, filepath.FromSlash(name))
	err := replaceFile(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	zip := filepath.Clean(dir) + ".zip"
	if _, exists := os.Lstat(zip); err != nil || exists != nil {
		return err
	}
	return rezip(dir, zip)
}

// rezip writes the zip of a package's directory.
func rezip(name, zip string) error {
	d, err := openDir(name)
	if err != nil {
		return err
	}
	defer d.Close()
	top, err := topOf(zip)
	if err != nil {
		return err
	}
	for i := range d.entries {
		if d.entries[i].CRC32, err = d.checksum(d.entries[i].Path); err != nil {
			return err
		}
	}
	return replaceFile(zip, func(w io.Writer) error {
		return archive.Write(w, top, d.entries, func(e archive.Entry) (io.ReadCloser, error) { return d.Open(e.Path) })
	})
}

// topOf returns the directory inside a zip.
func topOf(zip string) (string, error) {
	f, err := os.Open(zip)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	z, err := archive.NewReader(f, info.Size())
	if err != nil {
		return "", err
	}
	return z.Top(), nil
}

func (d *dir) checksum(name string) (uint32, error) {
	f, err := d.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	sum := crc32.NewIEEE()
	_, err = io.Copy(sum, f)
	return sum.Sum32(), err
}

// replaceFile writes a file of mode 0644 under a temporary name and renames it.
func replaceFile(name string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".rollproof-")
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
