//go:build unix

package fromdist_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/fromdist"
	"github.com/rollproof/rollproof/release/gobuild"
)

// made holds real binaries: of a commit, of another one, of changed files, unstamped, of
// another module.
var made struct {
	sync.Once
	dir    string
	commit string
}

func TestMain(m *testing.M) {
	code := m.Run()
	os.RemoveAll(made.dir)
	os.Exit(code)
}

func build(t *testing.T) string {
	t.Helper()
	made.Do(func() {
		dir, err := os.MkdirTemp("", "fromdist-test-")
		if err != nil {
			t.Fatal(err)
		}
		made.dir = dir
		write(t, filepath.Join(dir, "src/go.mod"), "module example.com/tiny\n\ngo 1.24\n")
		write(t, filepath.Join(dir, "src/main.go"), "package main\n\nfunc main() {}\n")
		git := func(args ...string) string {
			return command(t, filepath.Join(dir, "src"), nil, "git", append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.com"}, args...)...)
		}
		compile := func(name, goos, vcs string) {
			command(t, filepath.Join(dir, "src"), []string{"GOOS=" + goos, "GOARCH=amd64", "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off"}, "go", "build", "-trimpath", "-buildvcs="+vcs, "-o", filepath.Join(dir, name), ".")
		}
		git("init", "-q")
		git("add", "-A")
		git("commit", "-qm", "one")
		made.commit = git("rev-parse", "HEAD")
		compile("linux", "linux", "true")
		compile("windows", "windows", "true")
		compile("unstamped", "linux", "false")
		write(t, filepath.Join(dir, "src/main.go"), "package main\n\nfunc main() { println(1) }\n")
		compile("dirty", "linux", "true")
		git("commit", "-qam", "two")
		compile("later", "linux", "true")
		write(t, filepath.Join(dir, "src/go.mod"), "module example.com/other\n\ngo 1.24\n")
		compile("other", "linux", "false")
	})
	return made.dir
}

func command(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// An entry of artifacts.json.
type entry = map[string]any

func binary(path, goos string) entry {
	return entry{"name": "tiny", "path": path, "type": "Binary", "goos": goos, "goarch": "amd64", "extra": entry{"Binary": "tiny"}}
}

func archived(path, checksum string) entry {
	return entry{"name": filepath.Base(path), "path": path, "type": "Archive", "goos": "linux", "goarch": "amd64", "extra": entry{"Checksum": checksum}}
}

// with is an entry with other values.
func with(e entry, more entry) entry {
	e = maps.Clone(e)
	maps.Copy(e, more)
	return e
}

// A directory of goreleaser: an honest one, for a test to change.
type directory struct {
	t   *testing.T
	dir string
}

func honest(t *testing.T) directory {
	from := build(t)
	d := directory{t, filepath.Join(t.TempDir(), "dist")}
	for _, name := range []string{"linux", "windows", "unstamped", "dirty", "later", "other"} {
		data, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(d.dir, name, "tiny"), string(data))
	}
	write(t, filepath.Join(d.dir, "tiny.tar.gz"), "an archive")
	write(t, filepath.Join(filepath.Dir(d.dir), "outside"), "what lies outside")
	d.list(binary("dist/linux/tiny", "linux"), binary("dist/windows/tiny", "windows"), archived("dist/tiny.tar.gz", "sha256:"+evidence.SHA256([]byte("an archive"))))
	return d
}

func (d directory) list(entries ...entry) {
	d.t.Helper()
	data, err := json.Marshal(entries)
	if err != nil {
		d.t.Fatal(err)
	}
	write(d.t, filepath.Join(d.dir, "artifacts.json"), string(data))
}

func (d directory) read() (*fromdist.Import, string, error) {
	to := d.t.TempDir()
	plan := &release.Plan{Project: "tiny", Version: "v1.2.3", Toolchain: "go0", Source: release.Source{Module: "example.com/tiny", Tag: "v1.2.3", GitCommit: made.commit}}
	in, err := fromdist.Read(d.t.Context(), d.dir, plan, to)
	return in, to, err
}

func TestHonestDirectory(t *testing.T) {
	d := honest(t)
	write(t, filepath.Join(d.dir, "metadata.json"), `{"tag":"v1.2.3","commit":"`+made.commit+`","date":"2026-01-02T03:04:05Z"}`)
	in, to, err := d.read()
	if err != nil {
		t.Fatal(err)
	}
	if len(in.Built) != 2 || in.Built[0].Path != "bin/tiny_v1.2.3_linux_amd64" || in.Built[1].Path != "bin/tiny_v1.2.3_windows_amd64.exe" || in.Built[0].Target.Main != "." {
		t.Errorf("built %+v", in.Built)
	}
	if len(in.Archives) != 1 || in.Archives[0] != "archives/tiny.tar.gz" || len(in.Plan.CommitHazards) != 0 || !strings.HasPrefix(in.Plan.Toolchain, "go1.") || len(in.Plan.Targets) != 2 {
		t.Errorf("archives %v, plan %+v", in.Archives, in.Plan)
	}
	for from, path := range map[string]string{"linux/tiny": in.Built[0].Path, "windows/tiny": in.Built[1].Path, "tiny.tar.gz": in.Archives[0]} {
		a, err := os.ReadFile(filepath.Join(d.dir, from))
		b, err2 := os.ReadFile(filepath.Join(to, path))
		if err := errors.Join(err, err2); err != nil || string(a) != string(b) {
			t.Errorf("%s: another file: %v", path, err)
		}
	}
}

func TestWhatABinaryConfesses(t *testing.T) {
	for name, id := range map[string]string{"unstamped": "unstamped-binary", "dirty": "dirty-build"} {
		d := honest(t)
		d.list(binary("dist/"+name+"/tiny", "linux"))
		in, _, err := d.read()
		if err != nil || len(in.Plan.CommitHazards) != 1 || in.Plan.CommitHazards[0].ID != id {
			t.Errorf("%s: %v, %+v", name, err, in)
		}
	}
}

func TestHostileDirectories(t *testing.T) {
	linux := binary("dist/linux/tiny", "linux")
	for name, test := range map[string]struct {
		change func(d directory)
		kind   gobuild.Kind
		part   string
	}{
		"path traversal":            {func(d directory) { d.list(linux, archived("dist/../outside", "")) }, gobuild.KindTampered, "leads out"},
		"traversal at the front":    {func(d directory) { d.list(archived("../dist/tiny.tar.gz", "")) }, gobuild.KindTampered, "leads out"},
		"an absolute path":          {func(d directory) { d.list(linux, archived("/etc/passwd", "")) }, gobuild.KindTampered, "leads out"},
		"a drive":                   {func(d directory) { d.list(archived("C:/windows", "")) }, gobuild.KindTampered, "leads out"},
		"a backslash":               {func(d directory) { d.list(archived(`dist/..\outside`, "")) }, gobuild.KindTampered, "archive"},
		"a binary with a backslash": {func(d directory) { d.list(binary(`dist/..\outside`, "linux")) }, gobuild.KindTampered, "leads out"},
		"no directory":              {func(d directory) { d.list(archived("tiny.tar.gz", "")) }, gobuild.KindTampered, "leads out"},
		"an empty path":             {func(d directory) { d.list(archived("", "")) }, gobuild.KindTampered, "archive"},
		"two directories":           {func(d directory) { d.list(linux, archived("other/tiny.tar.gz", "")) }, gobuild.KindTampered, "not below dist"},
		"a link out": {func(d directory) {
			d.link("../outside", "a.tar.gz")
			d.list(linux, archived("dist/a.tar.gz", ""))
		}, gobuild.KindTampered, "not a regular file"},
		"a link inside": {func(d directory) {
			d.link("tiny.tar.gz", "a.tar.gz")
			d.list(linux, archived("dist/a.tar.gz", ""))
		}, gobuild.KindTampered, "not a regular file"},
		"a link to a directory": {func(d directory) {
			d.link("linux", "elsewhere")
			d.list(binary("dist/elsewhere/tiny", "linux"))
		}, gobuild.KindTampered, "not a regular file in a directory"},
		"a linked artifacts.json": {func(d directory) {
			os.Rename(filepath.Join(d.dir, "artifacts.json"), filepath.Join(d.dir, "real"))
			d.link("real", "artifacts.json")
		}, gobuild.KindTampered, "not a regular file"},
		"a named pipe": {func(d directory) {
			if err := syscall.Mkfifo(filepath.Join(d.dir, "a.tar.gz"), 0o600); err != nil {
				d.t.Fatal(err)
			}
			d.list(linux, archived("dist/a.tar.gz", ""))
		}, gobuild.KindTampered, "not a regular file"},
		"a directory":         {func(d directory) { d.list(binary("dist/linux", "linux")) }, gobuild.KindTampered, "not a regular file"},
		"two of one platform": {func(d directory) { d.list(linux, binary("dist/dirty/tiny", "linux")) }, gobuild.KindRule, "would be bin/tiny_v1.2.3_linux_amd64"},
		"two archives of one name": {func(d directory) {
			d.list(linux, archived("dist/tiny.tar.gz", ""), archived("dist/linux/tiny.tar.gz", ""))
		}, gobuild.KindRule, "would be archives/tiny.tar.gz"},
		"names that differ by case": {func(d directory) {
			d.add("Tiny.tar.gz")
			d.list(linux, archived("dist/tiny.tar.gz", ""), archived("dist/Tiny.tar.gz", ""))
		}, gobuild.KindTampered, "artifacts.json"},
		"a changed digest": {func(d directory) { d.list(linux, archived("dist/tiny.tar.gz", "sha256:"+strings.Repeat("0", 64))) }, gobuild.KindTampered, "expected 000"},
		"a binary's changed digest": {func(d directory) {
			d.list(with(linux, entry{"extra": entry{"Binary": "tiny", "Checksum": "sha256:00"}}))
		}, gobuild.KindTampered, "expected 00"},
		"a name that is a path":     {func(d directory) { d.list(with(linux, entry{"extra": entry{"Binary": "../../x"}})) }, gobuild.KindTampered, "binary"},
		"a platform that is a path": {func(d directory) { d.list(with(linux, entry{"goarch": "../../x"})) }, gobuild.KindTampered, "platform"},
		"another platform":          {func(d directory) { d.list(binary("dist/linux/tiny", "windows")) }, gobuild.KindTampered, "linux/amd64 by its build info, expected windows/amd64"},
		"another commit":            {func(d directory) { d.list(binary("dist/later/tiny", "linux")) }, gobuild.KindTampered, "built from commit"},
		"another module":            {func(d directory) { d.list(binary("dist/other/tiny", "linux")) }, gobuild.KindTampered, "module example.com/other"},
		"no Go binary":              {func(d directory) { d.list(binary("dist/tiny.tar.gz", "linux")) }, gobuild.KindTampered, "build info"},
		"archives alone":            {func(d directory) { d.list(archived("dist/tiny.tar.gz", "")) }, gobuild.KindRule, "no binary"},
		"an empty list":             {func(d directory) { d.text("[]") }, gobuild.KindRule, "no binary"},
		"an object":                 {func(d directory) { d.text("{}") }, gobuild.KindTampered, "no JSON array"},
		"cut off":                   {func(d directory) { d.text(`[{"name":"x"`) }, gobuild.KindTampered, "entry 0"},
		"cut off behind an entry":   {func(d directory) { d.text(`[{"type":"x"}`) }, gobuild.KindTampered, "artifacts.json"},
		"two arrays":                {func(d directory) { d.text(`[] []`) }, gobuild.KindTampered, "goes on"},
		"a deep bomb":               {func(d directory) { d.text("[" + strings.Repeat(`{"extra":`, 20000)) }, gobuild.KindTampered, "depth"},
		"a wide bomb":               {func(d directory) { d.text("[" + strings.Repeat("{},", 4000000) + "{}]") }, gobuild.KindTampered, "more than 10000"},
		"a large bomb":              {func(d directory) { d.text("[" + strings.Repeat(" ", 16<<20) + "]") }, gobuild.KindTampered, "more than 16777216 bytes"},
		"another type of field":     {func(d directory) { d.text(`[{"path":1}]`) }, gobuild.KindTampered, "entry 0"},
		"metadata of another commit": {func(d directory) {
			write(d.t, filepath.Join(d.dir, "metadata.json"), `{"tag":"v1.2.3","commit":"0000"}`)
		}, gobuild.KindRule, "commit 0000"},
		"metadata of another tag": {func(d directory) {
			write(d.t, filepath.Join(d.dir, "metadata.json"), `{"tag":"v9","commit":"`+made.commit+`"}`)
		}, gobuild.KindRule, "tag v9"},
	} {
		t.Run(name, func(t *testing.T) {
			d := honest(t)
			test.change(d)
			_, to, err := d.read()
			var e *gobuild.Error
			if !errors.As(err, &e) || e.Kind != test.kind || !strings.Contains(e.Msg, test.part) {
				t.Fatalf("%v, expected kind %d with %q", err, test.kind, test.part)
			}
			err = filepath.WalkDir(to, func(file string, f os.DirEntry, err error) error {
				if err == nil && f.Type().IsRegular() {
					if data, err := os.ReadFile(file); err != nil || strings.Contains(string(data), "what lies outside") {
						t.Errorf("%s holds what lies outside: %v", file, err)
					}
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func (d directory) text(text string) { write(d.t, filepath.Join(d.dir, "artifacts.json"), text) }
func (d directory) add(name string)  { write(d.t, filepath.Join(d.dir, name), "an archive") }

func (d directory) link(to, name string) {
	d.t.Helper()
	if err := os.Symlink(to, filepath.Join(d.dir, name)); err != nil {
		d.t.Fatal(err)
	}
}

func TestOtherTypesAreLeftOut(t *testing.T) {
	d := honest(t)
	d.list(binary("dist/linux/tiny", "linux"), entry{"name": "tiny.deb", "path": "/nowhere", "type": "Linux Package"})
	in, _, err := d.read()
	if err != nil || len(in.Plan.Skipped) != 1 || in.Plan.Skipped[0].What != "tiny.deb" {
		t.Errorf("%v: %+v", err, in)
	}
}

func TestCancelled(t *testing.T) {
	d := honest(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := fromdist.Read(ctx, d.dir, &release.Plan{Version: "v1.2.3", Source: release.Source{Module: "example.com/tiny"}}, t.TempDir())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
