// Package dist is packages on disk: it opens a directory or a zip for verification,
// and it stages a new package inside the output directory and renames it into place,
// so that an interrupted run leaves no half package.
package dist

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
)

// Open opens the package at name, a directory or a zip. The caller closes it. The
// error is about reaching it; what is wrong with its contents is told by its
// Problems.
func Open(name string) (release.Container, io.Closer, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	if info.IsDir() {
		d, err := openDir(name)
		return d, d, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is neither a directory nor a regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	return release.OpenZip(f, info.Size()), f, nil
}

// A dir is a package in a directory. Everything is reached through the directory's
// own handle, so that no link leads out of it.
type dir struct {
	root     *os.Root
	entries  []archive.Entry
	problems []string
}

func openDir(name string) (*dir, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	d := &dir{root: root}
	if err := fs.WalkDir(root.FS(), ".", d.visit); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	slices.SortFunc(d.entries, func(a, b archive.Entry) int { return strings.Compare(a.Path, b.Path) })
	paths := make([]string, len(d.entries))
	for i, e := range d.entries {
		paths[i] = e.Path
	}
	if err := archive.CheckSet(paths); err != nil {
		d.problem("%v", err)
	}
	return d, nil
}

func (d *dir) problem(format string, args ...any) {
	d.problems = append(d.problems, fmt.Sprintf(format, args...))
}

func (d *dir) visit(name string, e fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	shown := archive.Printable(name)
	switch {
	case e.IsDir():
		return d.visitDir(name)
	case !e.Type().IsRegular():
		d.problem("%s: %s, expected a regular file", shown, kindOf(e.Type()))
		return nil
	}
	if err := archive.CheckPath(name); err != nil {
		d.problem("%v", err)
		return nil
	}
	info, err := e.Info()
	if err != nil {
		return err
	}
	d.entries = append(d.entries, archive.Entry{Path: name, Size: info.Size(), Mode: portableMode(info.Mode())})
	return nil
}

// visitDir reports directories that hold nothing: a zip could not carry them.
func (d *dir) visitDir(name string) error {
	children, err := fs.ReadDir(d.root.FS(), name)
	if err == nil && len(children) == 0 {
		d.problem("%s: an empty directory", archive.Printable(name))
	}
	return err
}

func kindOf(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "an irregular file"
}

// portableMode keeps the one bit that a package records. Windows has none.
func portableMode(m fs.FileMode) fs.FileMode {
	switch {
	case runtime.GOOS == "windows":
		return 0
	case m&0o100 != 0:
		return 0o755
	}
	return 0o644
}

func (d *dir) Kind() string             { return "directory" }
func (d *dir) Top() string              { return "" }
func (d *dir) Entries() []archive.Entry { return d.entries }
func (d *dir) Problems() []string       { return d.problems }
func (d *dir) Close() error             { return d.root.Close() }

// Open opens a regular file, and refuses what has become something else since it was
// listed.
func (d *dir) Open(name string) (release.File, error) {
	f, err := d.root.Open(path.Clean(name))
	if err != nil {
		return nil, err
	}
	opened, err := f.Stat()
	listed, err2 := d.root.Lstat(name)
	if err := errors.Join(err, err2); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if !opened.Mode().IsRegular() || !os.SameFile(opened, listed) {
		return nil, errors.Join(&archive.Error{Entry: archive.Printable(name), Offset: -1, Problem: "no longer the regular file that was listed"}, f.Close())
	}
	return f, nil
}
