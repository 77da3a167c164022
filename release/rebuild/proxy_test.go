package rebuild_test

import (
	"bytes"
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

// A proxy is a module proxy in a directory.
type proxy struct {
	t   testing.TB
	dir string
	sum strings.Builder // a go.sum
}

func newProxy(t testing.TB) *proxy { return &proxy{t: t, dir: t.TempDir()} }

// feed is the environment of somebody who has filled an empty module cache from the
// proxy, as go mod download does.
func (p *proxy) env(cache string) []string {
	return []string{"GOPROXY=file://" + p.dir, "GOSUMDB=off", "GOMODCACHE=" + cache, "GOFLAGS=-modcacherw"}
}

// A memoryFile is a file of a module.
type memoryFile struct{ name, text string }

func (f memoryFile) Path() string                { return f.name }
func (f memoryFile) Lstat() (os.FileInfo, error) { return fileInfo{f}, nil }
func (f memoryFile) Open() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(f.text)), nil
}

type fileInfo struct{ memoryFile }

func (i fileInfo) Name() string       { return filepath.Base(i.name) }
func (i fileInfo) Size() int64        { return int64(len(i.text)) }
func (i fileInfo) Mode() os.FileMode  { return 0o644 }
func (i fileInfo) ModTime() time.Time { return time.Time{} }
func (i fileInfo) IsDir() bool        { return false }
func (i fileInfo) Sys() any           { return nil }

// add publishes a module version.
func (p *proxy) add(path, version string, files map[string]string) {
	p.t.Helper()
	var list []modzip.File
	for _, name := range slices.Sorted(maps.Keys(files)) {
		list = append(list, memoryFile{name, files[name]})
	}
	var zip bytes.Buffer
	err := modzip.Create(&zip, gomodule.Version{Path: path, Version: version}, list)
	escaped, err2 := gomodule.EscapePath(path)
	if err != nil || err2 != nil {
		p.t.Fatal(err, err2)
	}
	base := filepath.Join(p.dir, filepath.FromSlash(escaped), "@v", version)
	writeFile(p.t, base+".zip", zip.String(), 0o644)
	writeFile(p.t, base+".mod", files["go.mod"], 0o644)
	writeFile(p.t, base+".info", `{"Version":"`+version+`","Time":"2026-01-02T03:04:05Z"}`, 0o644)
	sum, err := dirhash.HashZip(base+".zip", dirhash.Hash1)
	modSum, err2 := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(files["go.mod"])), nil
	})
	if err != nil || err2 != nil {
		p.t.Fatal(err, err2)
	}
	p.sum.WriteString(path + " " + version + " " + sum + "\n" + path + " " + version + "/go.mod " + modSum + "\n")
}

const dependency = "example.com/Greet"

// greeting is a version of a dependency.
func greeting(word string) map[string]string {
	return map[string]string{
		"go.mod":   "module " + dependency + "\n\ngo 1.24\n",
		"greet.go": "package greet\n\nvar Word = \"" + word + "\"\n",
		"LICENSE":  "All rights reserved by Grace.\n",
		"ümlaut":   "a name beyond ASCII\n",
	}
}

// dependent is a module that needs the dependency, with the proxy that has it.
func dependent(t testing.TB) (*proxy, map[string]string) {
	t.Helper()
	p := newProxy(t)
	p.add(dependency, "v1.0.0", greeting("honest"))
	files := tiny()
	files["go.mod"] += "\nrequire " + dependency + " v1.0.0\n"
	files["go.sum"] = p.sum.String()
	files["main.go"] = "package main\n\nimport greet \"" + dependency + "\"\n\nfunc main() { println(greet.Word) }\n"
	return p, files
}

// download fills the repository's module cache from the proxy.
func (r *repo) download(p *proxy) {
	r.t.Helper()
	cache := ""
	for _, entry := range r.env {
		if value, ok := strings.CutPrefix(entry, "GOMODCACHE="); ok {
			cache = value
		}
	}
	r.goRun(p.env(cache), "mod", "download")
}
