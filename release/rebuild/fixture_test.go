package rebuild_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence/keys"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/dist"
	"github.com/rollproof/rollproof/release/gobuild"
	"github.com/rollproof/rollproof/release/link"
	"github.com/rollproof/rollproof/release/rebuild"
)

const (
	tag        = "v1.2.3"
	binaryFile = "bin/tiny_v1.2.3_linux_amd64"
)

var linux = []release.Platform{{OS: "linux", Arch: "amd64"}}

// tiny is a module without dependencies.
func tiny() map[string]string {
	return map[string]string{
		"go.mod":  "module example.com/tiny\n\ngo 1.24\n",
		"main.go": "package main\n\nvar word = \"honest\"\n\nfunc main() { println(word) }\n",
		"NOTICE":  "Made with care.\n",
	}
}

// A repo is a real git repository and the environment of its owner.
type repo struct {
	t   testing.TB
	dir string
	env []string
}

func newRepo(t testing.TB, files map[string]string, tags ...string) *repo {
	t.Helper()
	r := &repo{t: t, dir: t.TempDir()}
	for _, name := range []string{"PATH", "HOME", "GOCACHE"} {
		if value := os.Getenv(name); value != "" {
			r.env = append(r.env, name+"="+value)
		}
	}
	r.env = append(r.env, "GOPROXY=off", "GOMODCACHE="+t.TempDir())
	r.git("init", "-q", "-b", "main")
	if files != nil {
		r.commit(files)
	}
	for _, tag := range tags {
		r.git("tag", tag)
	}
	return r
}

// git runs git as a user would, without the machine's own configuration.
func (r *repo) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.com"}, args...)...)
	cmd.Dir = r.dir
	cmd.Env = append(slices.Clone(r.env), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_DATE=2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *repo) write(files map[string]string) {
	r.t.Helper()
	for name, text := range files {
		writeFile(r.t, filepath.Join(r.dir, filepath.FromSlash(name)), text, 0o644)
	}
}

func (r *repo) commit(files map[string]string) {
	r.t.Helper()
	r.write(files)
	r.git("add", "-A")
	r.git("commit", "-q", "-m", "change")
}

func writeFile(t testing.TB, name, text string, mode os.FileMode) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), mode), os.Chmod(name, mode)); err != nil {
		t.Fatal(err)
	}
}

// goRun runs go in the repository.
func (r *repo) goRun(env []string, args ...string) {
	r.t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env = r.dir, slices.Concat(r.env, []string{"GOENV=off", "GOTOOLCHAIN=local", "GOWORK=off"}, env)
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("go %v: %v\n%s", args, err, out)
	}
}

// goroot is where the toolchain lies.
func goroot(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// goBuild makes a binary as a careless or lying releaser would, in dir.
func (r *repo) goBuild(dir, output string, env []string, flags ...string) {
	r.t.Helper()
	args := append([]string{"build", "-trimpath", "-buildvcs=true"}, flags...)
	cmd := exec.Command("go", append(args, "-o", output, ".")...)
	cmd.Dir = dir
	cmd.Env = slices.Concat(r.env, []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS=", "GOENV=off", "GOTOOLCHAIN=local", "GOPROXY=off,off", "GOWORK=off",
		"GIT_CONFIG_GLOBAL=" + os.DevNull}, env)
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("go %v: %v\n%s", args, err, out)
	}
}

// clone is a clone of the repository with its tags, for somebody to change.
func (r *repo) clone() string {
	r.t.Helper()
	dir := filepath.Join(r.t.TempDir(), "clone")
	r.git("clone", "-q", r.dir, dir)
	return dir
}

// A making is how a package comes to be; its functions are the lies.
type making struct {
	key        *keys.Private // nil makes a dry run
	withSource bool
	name       string // of the project, "" for tiny
	mains      []string
	platforms  []release.Platform
	offline    bool
	// binary replaces what was built, before anything is hashed or signed.
	binary func(file string)
	// plan changes what is recorded.
	plan func(p *release.Plan, built []release.Built)
	// source changes the carried files.
	source func(dir string, paths []string)
}

// A pkg is a package on disk and what verification says of it.
type pkg struct {
	t       testing.TB
	dir     string
	c       release.Container
	verdict *release.Verdict
	repo    *repo
}

func newKey(t testing.TB, seed byte) *keys.Private {
	t.Helper()
	k, err := keys.Generate(bytes.NewReader(bytes.Repeat([]byte{seed}, 64)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// release packages the repository.
func (r *repo) release(m making) *pkg {
	t := r.t
	t.Helper()
	if m.platforms == nil {
		m.platforms = linux
	}
	if m.name == "" {
		m.name = "tiny"
	}
	var output bytes.Buffer
	b, err := gobuild.New(gobuild.Options{Dir: r.dir, Name: m.name, Mains: m.mains, ZeroConfig: m.mains != nil, Platforms: m.platforms, Offline: true, DryRun: m.key == nil, Env: r.env, Output: &output})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	plan, err := b.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stage, err := dist.NewStage(filepath.Join(t.TempDir(), "dist"))
	if err != nil {
		t.Fatal(err)
	}
	defer stage.Close()
	built, facts, err := b.Build(t.Context(), plan, stage.Dir(), nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, output.String())
	}
	in := release.Ingredients{Plan: plan, Built: built, Facts: facts, Tool: "v0.0.0-test", DryRun: m.key == nil, Link: link.Write}
	if m.key != nil {
		in.Signer = m.key
	} else {
		in.Link = nil
	}
	if m.withSource {
		if in.Source, err = b.WriteSource(t.Context(), stage.Dir()); err != nil {
			t.Fatal(err)
		}
	}
	m.lie(stage.Dir(), in)
	made, err := release.Assemble(t.Context(), in, stage)
	if err != nil {
		t.Fatal(err)
	}
	result, err := stage.Commit(made.Manifest.Release.Name(in.DryRun), made.Entries, false)
	if err != nil {
		t.Fatal(err)
	}
	return r.open(result.Dir, m.key)
}

func (m making) lie(dir string, in release.Ingredients) {
	if m.binary != nil {
		m.binary(filepath.Join(dir, filepath.FromSlash(in.Built[0].Path)))
	}
	if m.plan != nil {
		m.plan(in.Plan, in.Built)
	}
	if m.source != nil {
		m.source(dir, in.Source)
	}
}

// open verifies a package, which must pass.
func (r *repo) open(dir string, key *keys.Private) *pkg {
	t := r.t
	t.Helper()
	c, closer, err := dist.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closer.Close() })
	opts := release.VerifyOptions{AllowUnsigned: key == nil}
	if key != nil {
		opts.Authority = trust.SingleKey(key.Public())
	}
	v, err := release.Verify(t.Context(), c, opts)
	if err != nil {
		t.Fatal(err)
	}
	return &pkg{t: t, dir: dir, c: c, verdict: v, repo: r}
}

// verified fails the test unless verification, which can't see a lie about the
// source, lets the package pass.
func (p *pkg) verified() *pkg {
	p.t.Helper()
	if p.verdict.Result != release.Pass {
		for _, c := range p.verdict.Checks {
			if c.Result == release.Fail {
				p.t.Errorf("%s %s: %s, expected %s", c.ID, c.Subject, c.Actual, c.Expected)
			}
		}
		p.t.Fatal("the package does not pass verification, the test would prove nothing")
	}
	return p
}

// options rebuild from the repository, with the user's build cache to save time.
func (p *pkg) options() rebuild.Options {
	return rebuild.Options{Package: p.c, Verdict: p.verdict, Source: p.repo.dir, UserCache: true, Env: p.repo.env, Output: testOutput{p.t}}
}

type testOutput struct{ t testing.TB }

func (o testOutput) Write(data []byte) (int, error) {
	o.t.Logf("%s", data)
	return len(data), nil
}

// run rebuilds and checks that the report is a document of its schema.
func run(t testing.TB, opts rebuild.Options) *rebuild.Report {
	t.Helper()
	report, err := rebuild.Run(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := report.Encode(); err != nil {
		t.Errorf("the report does not fit its schema: %v", err)
	}
	return report
}

func wantResult(t testing.TB, r *rebuild.Report, want rebuild.Result) {
	t.Helper()
	if r.Result != want {
		t.Errorf("result is %s, want %s: %+v", r.Result, want, r.Targets)
	}
}

func wantError(t testing.TB, err error, kind gobuild.Kind, parts ...string) {
	t.Helper()
	var e *gobuild.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, want a *gobuild.Error with %q", err, parts)
	}
	if e.Kind != kind {
		t.Errorf("kind of %q is %d, want %d", e.Msg, e.Kind, kind)
	}
	for _, part := range parts {
		if !strings.Contains(e.Msg+"\n"+e.Hint, part) {
			t.Errorf("message %q, hint %q lack %q", e.Msg, e.Hint, part)
		}
	}
}

// read returns a file of the package.
func (p *pkg) read(name string) []byte {
	p.t.Helper()
	data, err := os.ReadFile(filepath.Join(p.dir, filepath.FromSlash(name)))
	if err != nil {
		p.t.Fatal(err)
	}
	return data
}

// believed is the package with a verdict that lets it pass, whatever verification
// says: what rebuild refuses, it refuses itself.
func (p *pkg) believed() *pkg {
	v := *p.verdict
	v.Result = release.Pass
	p.verdict = &v
	return p
}
