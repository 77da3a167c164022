package upgrade_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"

	"github.com/rollproof/rollproof/evidence/keys"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/release/dist"
	"github.com/rollproof/rollproof/release/gobuild"
	"github.com/rollproof/rollproof/release/link"
	"github.com/rollproof/rollproof/release/sbom/license"
)

// A pair is two packages of one project, built and verified.
type pair struct {
	old, now         *memory
	oldWord, nowWord *release.Verdict
}

// build makes the pair once for all tests: the second release goes back to an older
// dependency, adds another, changes flags, licence, targets, and drops a platform and
// the in-toto link.
var build = sync.OnceValues(func() (pair, error) {
	dir, err := os.MkdirTemp("", "upgrade")
	if err != nil {
		return pair{}, err
	}
	defer removeAll(dir)
	m := &maker{dir: dir, env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "GOPROXY=file://" + filepath.Join(dir, "proxy"), "GOSUMDB=off", "GOMODCACHE=" + filepath.Join(dir, "mod"),
	}}
	if cache := os.Getenv("GOCACHE"); cache != "" {
		m.env = append(m.env, "GOCACHE="+cache)
	}
	m.publish("example.com/dep", "v1.0.0", "BSD")
	m.publish("example.com/dep", "v1.1.0", "BSD")
	m.publish("example.com/extra", "v0.3.0", "MIT")
	m.git("init", "-q", "-b", "main")
	p := pair{}
	p.old, p.oldWord = m.release("v1.2.3", map[string]string{
		"go.mod":  "module example.com/tiny\n\ngo 1.24\n\nrequire example.com/dep v1.1.0\n",
		"main.go": "package main\n\nimport \"example.com/dep\"\n\nfunc main() { println(dep.Word) }\n",
		"LICENSE": licenses["MIT"],
	}, []release.Platform{{OS: "linux", Arch: "amd64"}, {OS: "windows", Arch: "amd64"}}, release.Settings{Targets: []release.TargetSetting{
		{ID: "runner", OS: "linux", Arch: "amd64"}, {ID: "desktop", OS: "windows", Arch: "amd64"},
	}}, link.Write)
	p.now, p.nowWord = m.release("v1.2.4", map[string]string{
		"go.mod":  "module example.com/tiny\n\ngo 1.24\n\nrequire (\n\texample.com/dep v1.0.0\n\texample.com/extra v0.3.0\n)\n",
		"main.go": "package main\n\nimport (\n\t\"example.com/dep\"\n\t\"example.com/extra\"\n)\n\nfunc main() { println(dep.Word, extra.Word) }\n",
		"LICENSE": licenses["BSD"],
	}, []release.Platform{{OS: "linux", Arch: "amd64"}}, release.Settings{Targets: []release.TargetSetting{
		{ID: "runner", OS: "linux", Arch: "amd64", InstallPath: "/opt/tiny/tiny"},
	}}, nil)
	return p, m.err
})

func built(t *testing.T) pair {
	t.Helper()
	p, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// removeAll removes a module cache as well, whose directories are read-only.
func removeAll(dir string) {
	_ = filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			err = os.Chmod(name, 0o755)
		}
		return err
	})
	_ = os.RemoveAll(dir)
}

// A maker makes releases of one repository. Its first error stops it.
type maker struct {
	dir string
	env []string
	err error
}

func (m *maker) write(name, text string) {
	file := filepath.Join(m.dir, filepath.FromSlash(name))
	m.err = errors.Join(m.err, os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644))
}

func (m *maker) run(name string, args ...string) {
	if m.err != nil {
		return
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = filepath.Join(m.dir, "repo")
	cmd.Env = append(slices.Clone(m.env), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GOTOOLCHAIN=local", "GOFLAGS=-mod=mod",
		"GIT_AUTHOR_DATE=2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z")
	if out, err := cmd.CombinedOutput(); err != nil {
		m.err = fmt.Errorf("%s %v: %w\n%s", name, args, err, out)
	}
}

func (m *maker) git(args ...string) {
	m.err = errors.Join(m.err, os.MkdirAll(filepath.Join(m.dir, "repo"), 0o755))
	m.run("git", append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.com"}, args...)...)
}

// publish puts a module into the proxy.
func (m *maker) publish(path, version, license string) {
	name := path[strings.LastIndexByte(path, '/')+1:]
	files := map[string]string{
		"go.mod": "module " + path + "\n\ngo 1.24\n", "LICENSE": licenses[license],
		name + ".go": "package " + name + "\n\n// Word says which version this is.\nvar Word = \"" + version + "\"\n",
	}
	var list []modzip.File
	for _, name := range slices.Sorted(maps.Keys(files)) {
		list = append(list, source{name, files[name]})
	}
	var zip bytes.Buffer
	m.err = errors.Join(m.err, modzip.Create(&zip, module.Version{Path: path, Version: version}, list))
	base := "proxy/" + path + "/@v/" + version
	m.write(base+".zip", zip.String())
	m.write(base+".mod", files["go.mod"])
	m.write(base+".info", fmt.Sprintf(`{"Version":%q}`, version))
}

// A source is a file of a module.
type source struct{ name, text string }

func (f source) Path() string                 { return f.name }
func (f source) Lstat() (fs.FileInfo, error)  { return f, nil }
func (f source) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(f.text)), nil }
func (f source) Name() string                 { return f.name }
func (f source) Size() int64                  { return int64(len(f.text)) }
func (f source) Mode() fs.FileMode            { return 0o644 }
func (f source) ModTime() time.Time           { return time.Time{} }
func (f source) IsDir() bool                  { return false }
func (f source) Sys() any                     { return nil }

// release commits files, tags, packages, and verifies.
func (m *maker) release(tag string, files map[string]string, platforms []release.Platform, settings release.Settings, writer release.LinkWriter) (*memory, *release.Verdict) {
	for name, text := range files {
		m.write("repo/"+name, text)
	}
	m.run("go", "mod", "tidy")
	m.git("add", "-A")
	m.git("commit", "-q", "-m", tag)
	m.git("tag", tag)
	if m.err != nil {
		return nil, nil
	}
	key, err := keys.Generate(bytes.NewReader(bytes.Repeat([]byte{1}, 64)))
	var made string
	if err == nil {
		made, err = m.assemble(key, platforms, settings, writer)
	}
	var c *memory
	var v *release.Verdict
	if err == nil {
		c, v, err = verify(made, key)
	}
	m.err = err
	return c, v
}

func (m *maker) assemble(key *keys.Private, platforms []release.Platform, settings release.Settings, writer release.LinkWriter) (string, error) {
	ctx := context.Background()
	var output bytes.Buffer
	b, err := gobuild.New(gobuild.Options{Dir: filepath.Join(m.dir, "repo"), Platforms: platforms, Env: m.env, Output: &output, License: declared})
	if err != nil {
		return "", err
	}
	defer b.Close()
	plan, err := b.Plan(ctx)
	if err != nil {
		return "", err
	}
	stage, err := dist.NewStage(filepath.Join(m.dir, "dist"))
	if err != nil {
		return "", err
	}
	defer stage.Close()
	built, facts, err := b.Build(ctx, plan, stage.Dir(), nil)
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, output.String())
	}
	made, err := release.Assemble(ctx, release.Ingredients{Plan: plan, Built: built, Facts: facts, Settings: settings, Tool: "v0.0.0-test", Signer: key, Link: writer}, stage)
	if err != nil {
		return "", err
	}
	result, err := stage.Commit(made.Manifest.Release.Name(false), made.Entries, false)
	return result.Dir, err
}

// declared is what license files say, as the program wires it.
func declared(files []release.SourceFile) release.LicenseFact {
	in := make([]license.File, len(files))
	for i, f := range files {
		in[i] = license.File{Name: f.Name, Data: f.Data}
	}
	return release.LicenseFact{Expression: license.Detect(in).Expression}
}

func verify(dir string, key *keys.Private) (*memory, *release.Verdict, error) {
	c, closer, err := dist.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	defer closer.Close()
	m, err := load(c)
	if err != nil {
		return nil, nil, err
	}
	v, err := release.Verify(context.Background(), m, release.VerifyOptions{Authority: trust.SingleKey(key.Public())})
	if err == nil && v.Result != release.Pass {
		err = fmt.Errorf("the package does not pass verification: %+v", v.Checks)
	}
	return m, v, err
}

// A memory is a package in memory, which tests can change.
type memory struct{ files map[string][]byte }

func load(c release.Container) (*memory, error) {
	m := &memory{map[string][]byte{}}
	for _, e := range c.Entries() {
		f, err := c.Open(e.Path)
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		m.files[e.Path] = data
	}
	return m, nil
}

func (m *memory) Kind() string       { return "directory" }
func (m *memory) Top() string        { return "" }
func (m *memory) Problems() []string { return nil }

func (m *memory) Entries() []archive.Entry {
	var entries []archive.Entry
	for _, path := range slices.Sorted(maps.Keys(m.files)) {
		entries = append(entries, archive.Entry{Path: path, Size: int64(len(m.files[path]))})
	}
	return entries
}

func (m *memory) Open(path string) (release.File, error) {
	data, ok := m.files[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return file{bytes.NewReader(data)}, nil
}

type file struct{ *bytes.Reader }

func (file) Close() error { return nil }

// licenses are texts that the licence scanner knows.
var licenses = map[string]string{
	"MIT": `Copyright (c) 2026 Ada

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`,
	"BSD": `Copyright (c) 2026 Grace

Redistribution and use in source and binary forms, with or without modification, are permitted provided that the following conditions are met:

1. Redistributions of source code must retain the above copyright notice, this list of conditions and the following disclaimer.

2. Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the following disclaimer in the documentation and/or other materials provided with the distribution.

3. Neither the name of the copyright holder nor the names of its contributors may be used to endorse or promote products derived from this software without specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
`,
}
