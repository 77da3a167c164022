package gobuild_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gomodule "golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"
)

// A proxy is a module proxy in a directory, and the private cache it feeds.
type proxy struct {
	t          *testing.T
	dir, cache string
	sums       strings.Builder // a go.sum
}

func newProxy(t *testing.T) *proxy {
	p := &proxy{t: t, dir: t.TempDir(), cache: filepath.Join(t.TempDir(), "mod")}
	t.Cleanup(func() { makeWritable(t, p.cache) })
	return p
}

// makeWritable lets the test's temporary directory be removed.
func makeWritable(t *testing.T, dir string) {
	err := filepath.WalkDir(dir, func(name string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chmod(name, 0o755)
	})
	if err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
}

func (p *proxy) env() []string {
	return []string{"GOPROXY=file://" + p.dir, "GOSUMDB=off", "GOMODCACHE=" + p.cache}
}

// A memoryFile is a file of a module.
type memoryFile struct {
	name string
	data string
}

func (f memoryFile) Path() string                { return f.name }
func (f memoryFile) Lstat() (os.FileInfo, error) { return fileInfo{f}, nil }
func (f memoryFile) Open() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(f.data)), nil
}

type fileInfo struct{ memoryFile }

func (i fileInfo) Name() string       { return filepath.Base(i.name) }
func (i fileInfo) Size() int64        { return int64(len(i.data)) }
func (i fileInfo) Mode() os.FileMode  { return 0o644 }
func (i fileInfo) ModTime() time.Time { return time.Time{} }
func (i fileInfo) IsDir() bool        { return false }
func (i fileInfo) Sys() any           { return nil }

// base is where the proxy keeps a module's versions.
func (p *proxy) base(path string) string {
	p.t.Helper()
	escaped, err := gomodule.EscapePath(path)
	if err != nil {
		p.t.Fatal(err)
	}
	return filepath.Join(p.dir, filepath.FromSlash(escaped), "@v")
}

func escapeVersion(t *testing.T, version string) string {
	t.Helper()
	escaped, err := gomodule.EscapeVersion(version)
	if err != nil {
		t.Fatal(err)
	}
	return escaped
}

// add publishes a module.
func (p *proxy) add(path, version string, files map[string]string) {
	p.t.Helper()
	var list []modzip.File
	for _, name := range slices.Sorted(maps.Keys(files)) {
		list = append(list, memoryFile{name, files[name]})
	}
	var zip bytes.Buffer
	if err := modzip.Create(&zip, gomodule.Version{Path: path, Version: version}, list); err != nil {
		p.t.Fatal(err)
	}
	base := p.base(path)
	escaped := escapeVersion(p.t, version)
	writeFile(p.t, filepath.Join(base, escaped+".zip"), zip.String(), 0o644)
	writeFile(p.t, filepath.Join(base, escaped+".mod"), files["go.mod"], 0o644)
	writeFile(p.t, filepath.Join(base, escaped+".info"), fmt.Sprintf(`{"Version":%q}`, version), 0o644)
	sum, err := dirhash.HashZip(filepath.Join(base, escaped+".zip"), dirhash.Hash1)
	if err != nil {
		p.t.Fatal(err)
	}
	modSum, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(files["go.mod"])), nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
	fmt.Fprintf(&p.sums, "%s %s %s\n%s %s/go.mod %s\n", path, version, sum, path, version, modSum)
}
