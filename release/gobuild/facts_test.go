package gobuild_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/gobuild"
)

const deepSource = "package deep\n\nconst Word = \"honest\"\n"

// tree is a main module with dependencies that differ by platform and tag.
func tree(t *testing.T) (*proxy, *repo) {
	p := newProxy(t)
	p.add("example.com/part", "v1.0.0", map[string]string{
		"go.mod":  "module example.com/part\n\ngo 1.24\n\nrequire (\n\texample.com/deep v1.0.0\n\texample.com/part/sub v1.0.0\n\texample.com/win v1.0.0\n)\n",
		"LICENSE": "Grace's license\n", "license.go": "package part\n",
		"part.go":         "package part\n\nimport (\n\t\"example.com/deep\"\n\t\"example.com/part/own\"\n)\n\nvar Word = deep.Word + own.None\n",
		"part_windows.go": "package part\n\nimport _ \"example.com/win\"\n",
		"part_darwin.go":  "//go:build never\n\npackage part\n\nimport _ \"example.com/absent\"\n",
		"own/own.go":      "package own\n\nimport _ \"example.com/part/sub/leaf\"\n\nconst None = \"\"\n",
		"own/own_test.go": "package own\n\nimport _ \"testing\"\n",
	})
	p.add("example.com/part/sub", "v1.0.0", map[string]string{
		"go.mod": "module example.com/part/sub\n", "leaf/leaf.go": "package leaf\n\nimport _ \"strings\"\n",
		"COPYING": "Ada's license\n", "NOTICE.txt": "Ada's notice\n",
	})
	p.add("example.com/Deep", "v1.1.0-Rc.1", map[string]string{
		"go.mod": "module example.com/deep\n", "deep.go": deepSource, "README.md": "",
	})
	p.add("example.com/win", "v1.0.0", map[string]string{
		"go.mod": "module example.com/win\n", "win.go": "package win\n\nimport \"example.com/deep\"\n\nvar _ = deep.Word\n",
	})
	r := newRepo(t, with(hello(), map[string]string{
		"go.mod": "module example.com/hello\n\ngo 1.24\n\nrequire example.com/part v1.0.0\n\nrequire (\n\texample.com/deep v1.0.0 // indirect\n\t" +
			"example.com/part/sub v1.0.0 // indirect\n\texample.com/win v1.0.0 // indirect\n)\n\nreplace example.com/deep => example.com/Deep v1.1.0-Rc.1\n",
		"go.sum":                p.sums.String(),
		"cmd/hello/main.go":     "package main\n\nimport \"example.com/hello/internal/word\"\n\nfunc main() { print(word.Word) }\n",
		"internal/word/word.go": "package word\n\nimport \"example.com/part\"\n\nvar Word = part.Word\n",
	}), "v1.0.0")
	r.env = append(r.env, p.env()...)
	return p, r
}

func (r *repo) onlineOptions() gobuild.Options {
	opts := r.options()
	opts.Offline = false
	opts.License = func(files []release.SourceFile) release.LicenseFact {
		var names []string
		for _, f := range files {
			names = append(names, f.Name)
		}
		return release.LicenseFact{Copyright: strings.Join(names, " ")}
	}
	return opts
}

func name(path, version string) release.ModuleName {
	return release.ModuleName{Path: path, Version: version}
}

func TestFactsOfLinkedModules(t *testing.T) {
	p, r := tree(t)
	opts := r.onlineOptions()
	opts.Platforms = []release.Platform{host, {OS: "windows", Arch: "amd64"}, {OS: "darwin", Arch: "arm64"}}
	result := build(t, opts)
	wantHonest(t, result)
	std := name("std", result.plan.Toolchain)
	deep := name("example.com/Deep", "v1.1.0-Rc.1")
	want := map[release.ModuleName][]release.ModuleName{
		deep:                                   nil,
		name("example.com/part", "v1.0.0"):     {deep, name("example.com/part/sub", "v1.0.0"), name("example.com/win", "v1.0.0")},
		name("example.com/part/sub", "v1.0.0"): {std},
		name("example.com/win", "v1.0.0"):      {deep},
		std:                                    nil,
	}
	got := map[release.ModuleName][]release.ModuleName{}
	for _, m := range result.facts.Modules {
		got[name(m.Path, m.Version)] = m.DependsOn
		if m.Path != "std" {
			checkDigests(t, p, m)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("modules (-want +got):\n%s", diff)
	}
	licenses := map[string]string{}
	for _, m := range result.facts.Modules {
		licenses[m.Path] = m.License.Copyright
	}
	if licenses["example.com/part"] != "LICENSE" || licenses["example.com/part/sub"] != "COPYING NOTICE.txt" || licenses["std"] != "LICENSE" {
		t.Errorf("license files: %v", licenses)
	}
	if diff := cmp.Diff([]release.ModuleName{name("example.com/part", "v1.0.0")}, result.facts.Direct); diff != "" {
		t.Errorf("direct (-want +got):\n%s", diff)
	}
	checkOwnFacts(t, r, result)
}

func checkDigests(t *testing.T, p *proxy, m release.ModuleFact) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(p.base(m.Path), escapeVersion(t, m.Version)+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	if m.ZipSHA256 != hex.EncodeToString(sum[:]) || len(m.ZipSHA512) != 128 {
		t.Errorf("%s: zip digests are %q and %q", m.Path, m.ZipSHA256, m.ZipSHA512)
	}
	if !strings.Contains(p.sums.String(), m.Path+" "+m.Version+" "+m.Sum+"\n") {
		t.Errorf("%s: sum is %q", m.Path, m.Sum)
	}
}

func checkOwnFacts(t *testing.T, r *repo, result *result) {
	t.Helper()
	if f := result.facts.Files; len(f) != 1 || f[0].Name != "LICENSE" || string(f[0].Data) != "Ada's license\n" || result.facts.License.Copyright != "LICENSE" {
		t.Errorf("own license files: %v", f)
	}
	var paths []string
	for _, f := range result.facts.Tree {
		paths = append(paths, f.Path)
	}
	if diff := cmp.Diff(strings.Split(r.git("ls-files"), "\n"), paths); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	if !slices.ContainsFunc(result.facts.Toolchain, func(f release.TreeFile) bool { return f.Path == "fmt/print.go" && len(f.SHA256) == 64 }) {
		t.Error("the toolchain's files lack fmt/print.go")
	}
}

func TestEditedModuleCacheIsRefused(t *testing.T) {
	edits := map[string]func(t *testing.T, dir string){
		"changed": func(t *testing.T, dir string) {
			writeFile(t, filepath.Join(dir, "deep.go"), "package deep\n\nconst Word = \"evil\"\n", 0o644)
		},
		"added": func(t *testing.T, dir string) {
			writeFile(t, filepath.Join(dir, "more.go"), "package deep\n\nfunc init() { print(\"evil\") }\n", 0o644)
		},
		"removed": func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "README.md")); err != nil {
				t.Fatal(err)
			}
		},
	}
	p, r := tree(t)
	wantHonest(t, build(t, r.onlineOptions()))
	dir := filepath.Join(p.cache, "example.com", "!deep@v1.1.0-!rc.1")
	for what, edit := range edits {
		for _, offline := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, offline %v", what, offline), func(t *testing.T) {
				makeWritable(t, dir)
				edit(t, dir)
				opts := r.onlineOptions()
				opts.Offline = offline
				_, err := tryBuild(t, opts)
				wantError(t, err, gobuild.KindTampered, "example.com/Deep@v1.1.0-Rc.1", "go.sum says h1:", "go clean -modcache")
				if err := os.Remove(filepath.Join(dir, "more.go")); err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
				writeFile(t, filepath.Join(dir, "deep.go"), deepSource, 0o644)
				writeFile(t, filepath.Join(dir, "README.md"), "", 0o644)
			})
		}
	}
	wantHonest(t, build(t, r.onlineOptions()))
}

// A zip with other content says nothing about the module that was compiled.
func TestDigestOfAnotherZipIsNotGiven(t *testing.T) {
	p, r := tree(t)
	build(t, r.onlineOptions())
	download := filepath.Join(p.cache, "cache", "download", "example.com")
	makeWritable(t, download)
	data, err := os.ReadFile(filepath.Join(download, "win", "@v", "v1.0.0.zip"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(download, "part", "@v", "v1.0.0.zip"), string(data), 0o644)
	if err := os.Remove(filepath.Join(download, "part", "sub", "@v", "v1.0.0.zip")); err != nil {
		t.Fatal(err)
	}
	opts := r.onlineOptions()
	opts.Offline = true
	result := build(t, opts)
	for _, m := range result.facts.Modules {
		if want := m.Path == "example.com/Deep"; m.Path != "std" && (m.ZipSHA256 != "") != want {
			t.Errorf("%s: zip digest is %q", m.Path, m.ZipSHA256)
		}
	}
}

func TestMissingModulesAreNamed(t *testing.T) {
	_, r := tree(t)
	opts := r.onlineOptions()
	opts.Offline = true
	_, err := tryBuild(t, opts)
	wantError(t, err, gobuild.KindFailed, "internal/word/word.go:3:8", "without --offline")

	opts.Offline = false
	opts.Env = append(slices.Clone(opts.Env), "GOPROXY=file:///absent")
	_, err = tryBuild(t, opts)
	wantError(t, err, gobuild.KindFailed, "go mod download", "--offline")
}

// goListGraph asks go list for the imports among modules: the peer of our walk.
func goListGraph(t *testing.T, dir string, env []string, platforms []release.Platform) map[string][]string {
	t.Helper()
	graph := map[string]map[string]bool{}
	for _, p := range platforms {
		list := exec.Command("go", "list", "-deps", "-json=ImportPath,Module,Imports,Standard", "./cmd/...")
		list.Dir = dir
		list.Env = append(slices.Clone(env), "GOOS="+p.OS, "GOARCH="+p.Arch, "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
		out, err := list.Output()
		if err != nil {
			t.Fatalf("go list: %v\n%s", err, out)
		}
		addGoList(t, graph, out)
	}
	sorted := map[string][]string{}
	for from, tos := range graph {
		sorted[from] = slices.Sorted(maps.Keys(tos))
	}
	return sorted
}

func addGoList(t *testing.T, graph map[string]map[string]bool, out []byte) {
	type pkg struct {
		ImportPath string
		Module     *struct {
			Path string
			Main bool
		}
		Imports  []string
		Standard bool
	}
	var all []pkg
	moduleOf := map[string]string{}
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Standard {
			moduleOf[p.ImportPath] = "std"
			continue
		}
		moduleOf[p.ImportPath] = p.Module.Path
		if graph[p.Module.Path] == nil {
			graph[p.Module.Path] = map[string]bool{}
		}
		all = append(all, p)
	}
	for _, p := range all {
		for _, imported := range p.Imports {
			if to := moduleOf[imported]; to != p.Module.Path {
				graph[p.Module.Path][to] = true
			}
		}
	}
}

// The import graph of a real module is the one that go list gives.
func TestImportGraphOfARealModule(t *testing.T) {
	out, err := exec.Command("go", "mod", "download", "-json", "filippo.io/age@v1.2.1").Output()
	var module struct{ Dir string }
	if err != nil || json.Unmarshal(out, &module) != nil || module.Dir == "" {
		t.Skipf("filippo.io/age is neither in the module cache nor to be had: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "age")
	if err := os.CopyFS(dir, os.DirFS(module.Dir)); err != nil {
		t.Fatal(err)
	}
	makeWritable(t, dir)
	r := newRepoAt(t, dir, nil, "v1.2.1")
	r.env = callerEnv() // with the module cache that has it
	opts := r.options()
	opts.Offline, opts.Platforms = false, nil
	result := build(t, opts)
	if len(result.built) != 12 {
		t.Errorf("%d binaries, want age and age-keygen for six platforms", len(result.built))
	}
	got := map[string][]string{"filippo.io/age": moduleNames(result.facts.Direct)}
	for _, m := range result.facts.Modules {
		if m.Path != "std" {
			got[m.Path] = moduleNames(m.DependsOn)
		}
	}
	if diff := cmp.Diff(goListGraph(t, dir, r.env, release.DefaultPlatforms), got); diff != "" {
		t.Errorf("imports (-go list +ours):\n%s", diff)
	}
}

func moduleNames(list []release.ModuleName) []string {
	var names []string
	for _, n := range list {
		names = append(names, n.Path)
	}
	return names
}
