package gobuild_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/gobuild"
)

// host is the one platform whose binaries a test can run.
var host = release.Platform{OS: runtime.GOOS, Arch: runtime.GOARCH}

// A repo is a real git repository with a tiny module.
type repo struct {
	t   *testing.T
	dir string
	env []string
}

// callerEnv is what these tests pass on of their own environment.
func callerEnv() []string {
	var env []string
	for _, name := range []string{
		"PATH", "HOME", "GOPROXY", "GOSUMDB", "GOMODCACHE", "GOCACHE",
		"SYSTEMROOT", "USERPROFILE", "LOCALAPPDATA", "APPDATA", "PATHEXT", "COMSPEC",
	} {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

const greeting = "package main\n\nfunc main() { print(\"honest\") }\n"

// hello is a module whose only main prints "honest".
func hello() map[string]string {
	return map[string]string{
		"go.mod":            "module example.com/hello\n\ngo 1.24\n",
		"cmd/hello/main.go": greeting,
		"LICENSE":           "Ada's license\n",
	}
}

// newRepo commits the files and tags the commit.
func newRepo(t *testing.T, files map[string]string, tags ...string) *repo {
	t.Helper()
	return newRepoAt(t, filepath.Join(t.TempDir(), "repo"), files, tags...)
}

func newRepoAt(t *testing.T, dir string, files map[string]string, tags ...string) *repo {
	t.Helper()
	// go writes the versions of main modules into the module cache.
	r := &repo{t: t, dir: dir, env: append(callerEnv(), "GOMODCACHE="+t.TempDir())}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r.git("init", "-q", "-b", "main")
	r.commit(files)
	for _, tag := range tags {
		r.git("tag", tag)
	}
	return r
}

func (r *repo) path(name string) string { return filepath.Join(r.dir, filepath.FromSlash(name)) }

func (r *repo) write(files map[string]string) {
	r.t.Helper()
	for name, data := range files {
		writeFile(r.t, r.path(name), data, 0o644)
	}
}

func writeFile(t *testing.T, name, data string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(data), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
}

func (r *repo) commit(files map[string]string) {
	r.t.Helper()
	r.write(files)
	r.git("add", "-A")
	r.git("commit", "-q", "--no-verify", "-m", "change")
}

// git runs git as a user would, without the machine's own configuration.
func (r *repo) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.com"}, args...)...)
	cmd.Dir = r.dir
	cmd.Env = append(callerEnv(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_DATE=2020-01-02T03:04:05+05:00", "GIT_COMMITTER_DATE=2020-01-02T03:04:05+05:00")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// options build for this machine alone, without the network.
func (r *repo) options() gobuild.Options {
	return gobuild.Options{Dir: r.dir, Env: r.env, Platforms: []release.Platform{host}, Offline: true}
}

// A result is a finished build.
type result struct {
	t     *testing.T
	plan  *release.Plan
	built []release.Built
	facts release.SourceFacts
	dir   string
}

// plan makes the plan and removes what it left.
func plan(opts gobuild.Options) (*release.Plan, error) {
	b, err := gobuild.New(opts)
	if err != nil {
		return nil, err
	}
	p, err := b.Plan(context.Background())
	return p, errors.Join(err, b.Close())
}

func tryBuild(t *testing.T, opts gobuild.Options) (*result, error) {
	t.Helper()
	b, err := gobuild.New(opts)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	p, err := b.Plan(context.Background())
	if err != nil {
		return nil, err
	}
	dir := t.TempDir()
	built, facts, err := b.Build(context.Background(), p, dir, nil)
	if err != nil {
		return nil, err
	}
	return &result{t: t, plan: p, built: built, facts: facts, dir: dir}, nil
}

func build(t *testing.T, opts gobuild.Options) *result {
	t.Helper()
	var output bytes.Buffer
	if opts.Output == nil {
		opts.Output = &output
	}
	r, err := tryBuild(t, opts)
	if err != nil {
		t.Fatalf("%v\n%s", err, output.String())
	}
	return r
}

// run executes the only binary for this machine and returns what it prints.
func (r *result) run() string {
	r.t.Helper()
	for _, b := range r.built {
		if b.Target.Platform == host {
			out, err := exec.Command(filepath.Join(r.dir, filepath.FromSlash(b.Path))).CombinedOutput()
			if err != nil {
				r.t.Fatalf("%s: %v\n%s", b.Path, err, out)
			}
			return string(out)
		}
	}
	r.t.Fatal("no binary for this machine")
	return ""
}

func (r *result) binary(i int) []byte {
	r.t.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, filepath.FromSlash(r.built[i].Path)))
	if err != nil {
		r.t.Fatal(err)
	}
	return data
}

// wantError checks kind, text and that a person can act on it.
func wantError(t *testing.T, err error, kind gobuild.Kind, parts ...string) {
	t.Helper()
	var e *gobuild.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, want a *gobuild.Error", err)
	}
	if e.Kind != kind {
		t.Errorf("kind of %q is %d, want %d", e.Msg, e.Kind, kind)
	}
	if strings.ContainsAny(e.Msg, "\n\r") || strings.HasSuffix(e.Msg, ".") {
		t.Errorf("message %q is not one plain line", e.Msg)
	}
	for _, part := range parts {
		if !strings.Contains(e.Msg+"\n"+e.Hint, part) {
			t.Errorf("message %q, hint %q lack %q", e.Msg, e.Hint, part)
		}
	}
}

func hazardIDs(list []release.Hazard) []string {
	var ids []string
	for _, h := range list {
		ids = append(ids, h.ID)
	}
	return ids
}

func wantHazard(t *testing.T, list []release.Hazard, id string) {
	t.Helper()
	if !slices.Contains(hazardIDs(list), id) {
		t.Errorf("hazards are %v, want %s among them", hazardIDs(list), id)
	}
}

// with returns files with some replaced or added.
func with(files map[string]string, more map[string]string) map[string]string {
	all := maps.Clone(files)
	maps.Copy(all, more)
	return all
}

// leftovers lists what a private directory left in dir.
func leftovers(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
