package sbom_test

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/dirhash"

	"github.com/rollproof/rollproof/release/sbom"
	"github.com/rollproof/rollproof/release/sbom/license"
)

// A realModule is a module that is built here from the module cache.
type realModule struct {
	module, version string
	mains           []string // directories
	names           []string // of the binaries, for each main
	targets         []string // os/arch
	env             []string // of go build
}

// gather builds the module's mains and collects facts as a builder does: from the
// build information of the binaries, go list, go.sum and the module cache.
func gather(t testing.TB, dir string, m realModule) sbom.Facts {
	t.Helper()
	commit(t, dir, m.version)
	files := listFiles(t, dir)
	f := sbom.Facts{
		Project: "real", Version: m.version, Module: m.module, Tool: "rollproof-v1.0.0",
		Source: sbom.Source{
			URI: "https://" + m.module, GitCommit: output(t, dir, "git", "rev-parse", "HEAD"), GitTree: output(t, dir, "git", "rev-parse", "HEAD^{tree}"),
			CommitTime: time.Unix(1_700_000_000, 0), License: licenseOf(t, dir), Listing: sbom.List(files),
		},
		Toolchain: sbom.Toolchain{Version: output(t, dir, "go", "env", "GOVERSION"), Listing: sbom.List(listFiles(t, filepath.Join(output(t, dir, "go", "env", "GOROOT"), "src")))},
	}
	imports := importGraph{modules: map[sbom.ModuleName]map[sbom.ModuleName]bool{}, direct: map[sbom.ModuleName]bool{}}
	out := t.TempDir()
	for _, target := range m.targets {
		goos, goarch, _ := strings.Cut(target, "/")
		for i, main := range m.mains {
			name := m.names[i]
			file := filepath.Join(out, name+"_"+goos+"_"+goarch)
			env := append([]string{"GOOS=" + goos, "GOARCH=" + goarch}, m.env...)
			run(t, dir, env, "go", "build", "-buildvcs=true", "-o", file, main)
			f.Binaries = append(f.Binaries, describe(t, file, name))
			imports.add(t, dir, env, main, m.module)
		}
	}
	f.Direct = keys(imports.direct)
	for _, name := range linkedModules(f) {
		f.Modules = append(f.Modules, moduleFacts(t, dir, name, keys(imports.modules[sbom.ModuleName{Path: name.Path, Version: name.Version}])))
	}
	return f
}

func describe(t testing.TB, file, name string) sbom.Binary {
	t.Helper()
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b := sbom.FromBuildInfo(info)
	b.Name, b.Path = name, "bin/"+filepath.Base(file)
	data := readFile(t, file)
	b.Size, b.SHA256, b.SHA512 = int64(len(data)), hex256(string(data)), hex512(string(data))
	return b
}

// linkedModules are the modules of all binaries, each once.
func linkedModules(f sbom.Facts) []sbom.Linked {
	var all []sbom.Linked
	for _, b := range f.Binaries {
		for _, m := range b.Modules {
			if !slices.Contains(all, m) {
				all = append(all, m)
			}
		}
	}
	return all
}

func moduleFacts(t testing.TB, dir string, m sbom.Linked, imports []sbom.ModuleName) sbom.Module {
	t.Helper()
	var at struct{ Dir, Zip, Sum string }
	if err := json.Unmarshal([]byte(output(t, dir, "go", "mod", "download", "-json", m.Path+"@"+m.Version)), &at); err != nil {
		t.Fatal(err)
	}
	about := sbom.Module{Path: m.Path, Version: m.Version, Sum: at.Sum, License: licenseOf(t, at.Dir), DependsOn: imports}
	if h1, err := dirhash.HashZip(at.Zip, dirhash.Hash1); err == nil && h1 == at.Sum {
		zip := string(readFile(t, at.Zip))
		about.ZipSHA256, about.ZipSHA512 = hex256(zip), hex512(zip)
	}
	return about
}

// An importGraph holds which module imports which.
type importGraph struct {
	modules map[sbom.ModuleName]map[sbom.ModuleName]bool
	direct  map[sbom.ModuleName]bool
}

func (g *importGraph) add(t testing.TB, dir string, env []string, main, mainModule string) {
	t.Helper()
	type listed struct {
		ImportPath string
		Standard   bool
		Module     *struct{ Path, Version string }
		Imports    []string
		ImportMap  map[string]string
	}
	var packages []listed
	owner := map[string]sbom.ModuleName{}
	decoder := json.NewDecoder(strings.NewReader(run(t, dir, env, "go", "list", "-deps", "-json=ImportPath,Standard,Module,Imports,ImportMap", main)))
	for {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
		owner[p.ImportPath] = sbom.ModuleName{Path: "std"}
		if p.Module != nil {
			owner[p.ImportPath] = sbom.ModuleName{Path: p.Module.Path, Version: p.Module.Version}
		}
	}
	for _, p := range packages {
		from := owner[p.ImportPath]
		edges := g.modules[from]
		if edges == nil {
			edges = map[sbom.ModuleName]bool{}
			g.modules[from] = edges
		}
		if from.Path == mainModule {
			edges = g.direct
		}
		for _, i := range p.Imports {
			if to := p.ImportMap[i]; to != "" {
				i = to
			}
			if to, ok := owner[i]; ok && to != from && to.Path != mainModule {
				edges[to] = true
			}
		}
	}
}

func keys(m map[sbom.ModuleName]bool) []sbom.ModuleName {
	var names []sbom.ModuleName
	for n := range m {
		names = append(names, n)
	}
	return names
}

func licenseOf(t testing.TB, dir string) sbom.License {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var files []license.File
	for _, e := range entries {
		if e.Type().IsRegular() && license.IsFile(e.Name()) {
			files = append(files, license.File{Name: e.Name(), Data: readFile(t, filepath.Join(dir, e.Name()))})
		}
	}
	found := license.Detect(files)
	l := sbom.License{Expression: found.Expression, Copyright: found.Copyright}
	for _, x := range found.Extracted {
		l.Extracted = append(l.Extracted, sbom.ExtractedText{ID: x.ID, Text: x.Text})
	}
	return l
}

func listFiles(t testing.TB, root string) []sbom.Listed {
	t.Helper()
	var files []sbom.Listed
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() == ".git":
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		rel, err := filepath.Rel(root, path)
		files = append(files, sbom.Listed{Path: filepath.ToSlash(rel), SHA256: hex256(string(readFile(t, path)))})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func commit(t testing.TB, dir, tag string) {
	t.Helper()
	date := "1700000000 +0000"
	env := []string{
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_SYSTEM=" + os.DevNull, "GIT_AUTHOR_DATE=" + date, "GIT_COMMITTER_DATE=" + date,
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com",
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}, {"commit", "-q", "-m", "release"}, {"tag", tag}} {
		run(t, dir, env, "git", args...)
	}
}

func output(t testing.TB, dir, name string, args ...string) string {
	t.Helper()
	return strings.TrimSpace(run(t, dir, nil, name, args...))
}

func run(t testing.TB, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "GOTOOLCHAIN=local")
	cmd.Env = append(cmd.Env, env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return string(out)
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// ageDir copies the module age from the module cache to a directory of its own.
func ageDir(t testing.TB) (string, realModule) {
	t.Helper()
	m := realModule{
		module: "filippo.io/age", version: "v1.2.1",
		mains: []string{"./cmd/age", "./cmd/age-keygen"}, names: []string{"age", "age-keygen"},
		targets: []string{"linux/amd64", "windows/amd64"}, env: []string{"CGO_ENABLED=0", "GOFLAGS=-mod=mod -trimpath"},
	}
	var at struct{ Dir string }
	if err := json.Unmarshal([]byte(output(t, t.TempDir(), "go", "mod", "download", "-json", m.module+"@"+m.version)), &at); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(at.Dir)); err != nil {
		t.Fatal(err)
	}
	return dir, m
}

// selfDir copies the files that git tracks of this repository.
func selfDir(t testing.TB) (string, realModule) {
	t.Helper()
	dir, root := t.TempDir(), filepath.Dir(output(t, ".", "go", "env", "GOMOD"))
	for name := range strings.SplitSeq(strings.Trim(run(t, root, nil, "git", "ls-files", "-z"), "\x00"), "\x00") {
		data, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed, and not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, realModule{
		module: "github.com/rollproof/rollproof", version: "v0.1.0", mains: []string{"./cmd/rollproof"}, names: []string{"rollproof"},
		targets: []string{runtime.GOOS + "/" + runtime.GOARCH}, env: []string{"GOFLAGS=-mod=readonly"},
	}
}

// wideDir makes a module that links about a hundred others: what rollproof's own
// go.mod requires. It is built with the flags of go test, so that the packages
// come from the build cache.
func wideDir(t testing.TB) (string, realModule) {
	t.Helper()
	dir := t.TempDir()
	root := filepath.Dir(output(t, ".", "go", "env", "GOMOD"))
	mod := strings.Replace(string(readFile(t, filepath.Join(root, "go.mod"))), "module github.com/rollproof/rollproof", "module example.com/Wide", 1)
	source := `package main

import (
	_ "github.com/goreleaser/goreleaser/v2/pkg/config"
	_ "github.com/in-toto/in-toto-golang/in_toto"
	_ "github.com/sigstore/sigstore-go/pkg/root"
	_ "github.com/sigstore/sigstore-go/pkg/verify"
	_ "modernc.org/sqlite"
)

func main() {}
`
	for name, text := range map[string]string{"go.mod": mod, "go.sum": string(readFile(t, filepath.Join(root, "go.sum"))), "main.go": source, "LICENSE": "Ask Ada.\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, realModule{
		module: "example.com/Wide", version: "v0.1.0", mains: []string{"."}, names: []string{"wide"},
		targets: []string{runtime.GOOS + "/" + runtime.GOARCH},
	}
}
