package osv

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release/archive"
)

// Limits of one database.
const (
	MaxEntry = 8 << 20 // bytes of one entry
	maxFiles = 2_000_000
	maxBytes = 8 << 30 // of all entries together
)

// A Database holds the entries of the Go ecosystem that were added. The zero value is
// empty. It is not for use from several goroutines while entries are added.
type Database struct {
	modules map[string][]candidate // by module path
	lines   []string               // sha256 and id of each entry
	files   int
	bytes   int64
	updated time.Time
	names   []string // of modules, sorted; made when first needed
}

// A candidate is what one entry says of one module.
type candidate struct {
	entry    *entry
	affected *affected
}

// A Source describes a database.
type Source struct {
	// Digest is the sha256 of the sorted lines "<sha256 of the entry's file>  <id>" of
	// the entries that concern Go, each line ended by LF.
	Digest  string `json:"digest"`
	Entries int    `json:"entries"` // that concern Go
	Files   int    `json:"files"`   // that were read, those of other ecosystems included
	// LastUpdate is the newest time at which an entry says that it was modified.
	LastUpdate string `json:"lastUpdate"`
}

// Source describes what was added so far.
func (d *Database) Source() Source {
	lines := slices.Sorted(slices.Values(d.lines))
	s := Source{Digest: "sha256:" + evidence.SHA256([]byte(strings.Join(lines, ""))), Entries: len(lines), Files: d.files}
	if len(lines) > 0 {
		s.LastUpdate = d.updated.UTC().Format(time.RFC3339)
	}
	return s
}

// Add reads one entry. name is for messages. An entry of other ecosystems is counted
// and otherwise ignored; a file that is no entry is an error, because leaving it out
// could leave out a vulnerability.
func (d *Database) Add(name string, r io.Reader) error {
	if err := d.add(r); err != nil {
		return fmt.Errorf("%s: %w", archive.Printable(name), err)
	}
	return nil
}

func (d *Database) add(r io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(r, MaxEntry+1))
	if err != nil {
		return err
	}
	d.files++
	d.bytes += int64(len(data))
	switch {
	case len(data) > MaxEntry:
		return fmt.Errorf("more than %d bytes, the limit of one entry", MaxEntry)
	case d.files > maxFiles || d.bytes > maxBytes:
		return fmt.Errorf("the database is larger than %d files or %d bytes", maxFiles, int64(maxBytes))
	}
	e, err := parseEntry(data)
	if err != nil || e == nil {
		return err
	}
	d.lines = append(d.lines, evidence.SHA256(data)+"  "+e.ID+"\n")
	if e.modified.After(d.updated) {
		d.updated = e.modified
	}
	if d.modules == nil {
		d.modules = map[string][]candidate{}
	}
	if e.Withdrawn == "" {
		for i := range e.Affected {
			a := &e.Affected[i]
			d.names = nil
			d.modules[a.Package.Name] = append(d.modules[a.Package.Name], candidate{e, a})
		}
	}
	return nil
}

// AddFS reads every *.json file of a directory tree. Links and packed files are errors,
// because they may hold entries; but a packed copy beside its file, as the Go database
// has them, is passed over with that database's index. Other files are not looked at.
func (d *Database) AddFS(ctx context.Context, fsys fs.FS) error {
	exists := func(name string) bool {
		_, err := fs.Stat(fsys, name)
		return err == nil
	}
	return fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		if err := errors.Join(err, ctx.Err()); err != nil || e.IsDir() {
			return err
		}
		wanted, err := isEntry(name, exists)
		if err != nil || !wanted {
			return err
		}
		if !e.Type().IsRegular() {
			return fmt.Errorf("%s: not a regular file", archive.Printable(name))
		}
		f, err := fsys.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		return d.Add(name, f)
	})
}

// AddZip reads every *.json file of a zip of the given size in bytes, by the rules of
// AddFS. Names inside the zip are for messages alone.
func (d *Database) AddZip(ctx context.Context, r io.ReaderAt, size int64) error {
	z, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return fmt.Errorf("no zip: %w", err)
	}
	names := map[string]bool{}
	for _, f := range z.File {
		names[f.Name] = true
	}
	exists := func(name string) bool { return names[name] }
	for _, f := range z.File {
		if err := errors.Join(ctx.Err(), d.addZipped(f, exists)); err != nil {
			return err
		}
	}
	return nil
}

func (d *Database) addZipped(f *zip.File, exists func(string) bool) error {
	if strings.HasSuffix(f.Name, "/") {
		return nil
	}
	wanted, err := isEntry(f.Name, exists)
	if err != nil || !wanted {
		return err
	}
	if !f.Mode().IsRegular() {
		return fmt.Errorf("%s: not a regular file", archive.Printable(f.Name))
	}
	r, err := f.Open()
	if err != nil {
		return fmt.Errorf("%s: %w", archive.Printable(f.Name), err)
	}
	defer r.Close()
	return d.Add(f.Name, r)
}

// packed are the endings of files that may hold entries, and are not opened.
var packed = []string{".zip", ".gz", ".tar", ".tgz", ".bz2", ".zst", ".xz"}

// isEntry reports whether a file holds an entry by its name.
func isEntry(name string, exists func(string) bool) (bool, error) {
	base := path.Base(name)
	if i := slices.IndexFunc(packed, func(ending string) bool { return strings.HasSuffix(strings.ToLower(base), ending) }); i >= 0 {
		if exists(name[:len(name)-len(packed[i])]) {
			return false, nil
		}
		return false, fmt.Errorf("%s: a packed file among the entries: unpack it, or give the zip itself", archive.Printable(name))
	}
	index := path.Base(path.Dir(name)) == "index" && slices.Contains([]string{"db.json", "modules.json", "vulns.json"}, base)
	return strings.HasSuffix(strings.ToLower(base), ".json") && !index, nil
}
