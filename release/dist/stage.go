package dist

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

	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
)

// A Stage is a package in the making: a hidden directory inside the output
// directory, so that the last step is a rename on one file system.
type Stage struct {
	out  string
	dir  string // out/.staging-…
	tree string // dir/package
}

// An ExistsError says that another package of this name is already there.
type ExistsError struct {
	Path string // of the package that exists
	File string // the first file that differs, "" when the zip does
}

func (e *ExistsError) Error() string {
	if e.File == "" {
		return fmt.Sprintf("%s exists and has other bytes", e.Path)
	}
	return fmt.Sprintf("%s exists and differs in %s", e.Path, e.File)
}

// NewStage makes the output directory if needed, with a .gitignore of "*" in one
// that it makes, and an empty stage inside.
func NewStage(out string) (*Stage, error) {
	if err := MakeIgnored(out); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(out, ".staging-")
	if err != nil {
		return nil, err
	}
	s := &Stage{out: out, dir: dir, tree: filepath.Join(dir, "package")}
	if err := os.Mkdir(s.tree, 0o755); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, os.Chmod(s.tree, 0o755)
}

// MakeIgnored makes a directory that git ignores, unless it exists.
func MakeIgnored(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, ".gitignore"), []byte("*\n"), 0o644)
}

// Dir is where the package's files are put.
func (s *Stage) Dir() string { return s.tree }

// Close removes whatever was not put in place.
func (s *Stage) Close() error { return os.RemoveAll(s.dir) }

// Write writes a file of mode 0644, whatever the umask says.
func (s *Stage) Write(name string, data []byte) error {
	path := filepath.Join(s.tree, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return err
	}
	return os.Chmod(path, 0o644)
}

// Open opens a file of the stage.
func (s *Stage) Open(name string) (release.File, error) {
	return os.Open(filepath.Join(s.tree, filepath.FromSlash(name)))
}

// A Result says where a package lies.
type Result struct {
	Dir       string // the directory
	Zip       string
	ZipSHA256 string // hex
	Unchanged bool   // it was there before, byte for byte
}

// Commit writes the zip of the staged files and puts directory and zip in place as
// out/<name> and out/<name>.zip. A package that is already there is left alone if it
// is identical; otherwise it is an [*ExistsError], or with replace it makes way.
func (s *Stage) Commit(name string, entries []archive.Entry, replace bool) (Result, error) {
	r := Result{Dir: filepath.Join(s.out, name), Zip: filepath.Join(s.out, name+".zip")}
	if err := s.setModes(); err != nil {
		return r, err
	}
	staged := filepath.Join(s.dir, "package.zip")
	sum, err := s.writeZip(staged, name, entries)
	if err != nil {
		return r, err
	}
	r.ZipSHA256 = sum
	if !replace {
		if r.Unchanged, err = s.compare(r, entries); err != nil || r.Unchanged {
			return r, err
		}
	}
	return r, errors.Join(s.place(staged, r.Zip), s.place(s.tree, r.Dir))
}

// setModes gives every directory of the stage mode 0755, whatever the umask says.
func (s *Stage) setModes() error {
	return filepath.WalkDir(s.tree, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		return os.Chmod(path, 0o755)
	})
}

func (s *Stage) writeZip(file, top string, entries []archive.Entry) (string, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	err = archive.Write(io.MultiWriter(f, h), top, entries, func(e archive.Entry) (io.ReadCloser, error) { return s.Open(e.Path) })
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// compare reports whether the package in place has the staged one's bytes. What is
// not there does not count; half a package is completed by placing it again.
func (s *Stage) compare(r Result, entries []archive.Entry) (bool, error) {
	there := 0
	if _, err := os.Lstat(r.Zip); err == nil {
		there++
		sum, err := sumFile(r.Zip, sha256.New())
		if err != nil {
			return false, err
		}
		if hex.EncodeToString(sum) != r.ZipSHA256 {
			return false, &ExistsError{Path: r.Zip}
		}
	}
	if _, err := os.Lstat(r.Dir); err == nil {
		there++
		if err := s.compareDir(r.Dir, entries); err != nil {
			return false, err
		}
	}
	return there == 2, nil
}

func (s *Stage) compareDir(name string, entries []archive.Entry) error {
	d, err := openDir(name)
	if err != nil {
		return &ExistsError{Path: name}
	}
	defer d.Close()
	for i, e := range entries {
		if i >= len(d.entries) || d.entries[i].Path != e.Path {
			return &ExistsError{name, e.Path}
		}
		if m := d.entries[i].Mode; m != 0 && m != e.Mode {
			return &ExistsError{name, e.Path}
		}
		a, err := sumFile(filepath.Join(name, filepath.FromSlash(e.Path)), sha256.New())
		b, err2 := sumFile(filepath.Join(s.tree, filepath.FromSlash(e.Path)), sha256.New())
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		if !bytes.Equal(a, b) {
			return &ExistsError{name, e.Path}
		}
	}
	if len(d.entries) > len(entries) {
		return &ExistsError{name, d.entries[len(entries)].Path}
	}
	if len(d.problems) > 0 {
		return &ExistsError{Path: name}
	}
	return nil
}

func sumFile(name string, h hash.Hash) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	_, err = io.Copy(h, f)
	return h.Sum(nil), err
}

// place renames a staged file or directory over what is there, which goes away with
// the stage.
func (s *Stage) place(staged, final string) error {
	if _, err := os.Lstat(final); err == nil {
		if err := os.Rename(final, staged+".replaced"); err != nil {
			return err
		}
	}
	return os.Rename(staged, final)
}
