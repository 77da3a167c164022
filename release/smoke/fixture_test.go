package smoke_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/rollproof/rollproof/evidence/keys"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/dist"
	"github.com/rollproof/rollproof/release/gobuild"
	"github.com/rollproof/rollproof/release/link"
	"github.com/rollproof/rollproof/release/smoke"
)

var (
	host  = release.Platform{OS: runtime.GOOS, Arch: runtime.GOARCH}
	other = release.Platform{OS: "windows", Arch: "arm64"}
)

func newKey(t testing.TB) *keys.Private {
	t.Helper()
	k, err := keys.Generate(bytes.NewReader(bytes.Repeat([]byte{1}, 64)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// packaged makes a package of testdata/probe in dir, after a change of what was built.
func packaged(t testing.TB, dir string, dryRun bool, change func(file string)) string {
	t.Helper()
	repo := filepath.Join(dir, "repo")
	if err := os.CopyFS(repo, os.DirFS("testdata/probe")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(repo, "go.mod"), []byte("module example.com/probe\n\ngo 1.26\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "."}, {"commit", "-qm", "probe"}, {"tag", "v1.2.3"}} {
		cmd := exec.Command("git", append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-C", repo}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	b, err := gobuild.New(gobuild.Options{Dir: repo, Platforms: []release.Platform{host, other}, Offline: true, DryRun: dryRun, Env: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	plan, err := b.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stage, err := dist.NewStage(filepath.Join(dir, "dist"))
	if err != nil {
		t.Fatal(err)
	}
	defer stage.Close()
	built, facts, err := b.Build(t.Context(), plan, stage.Dir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range built {
		if change != nil && x.Target.Platform == host {
			change(filepath.Join(stage.Dir(), filepath.FromSlash(x.Path)))
		}
	}
	in := release.Ingredients{Plan: plan, Built: built, Facts: facts, Tool: "v0.0.0-test", DryRun: dryRun, Link: link.Write}
	if !dryRun {
		in.Signer = newKey(t)
	}
	made, err := release.Assemble(t.Context(), in, stage)
	if err != nil {
		t.Fatal(err)
	}
	result, err := stage.Commit(made.Manifest.Release.Name(dryRun), made.Entries, false)
	if err != nil {
		t.Fatal(err)
	}
	return result.Dir
}

// probe is the honest package, made once.
var probe = struct {
	sync.Once
	dir string
}{}

func TestMain(m *testing.M) {
	if os.Getenv(deniedMarker) != "" {
		os.Exit(runDenied())
	}
	code := m.Run()
	if probe.dir != "" {
		os.RemoveAll(probe.dir)
	}
	os.Exit(code)
}

func probeDir(t testing.TB) string {
	t.Helper()
	probe.Do(func() {
		dir, err := os.MkdirTemp("", "smoke-test-")
		if err != nil {
			t.Fatal(err)
		}
		probe.dir = dir
		packaged(t, dir, false, nil)
	})
	return filepath.Join(probe.dir, "dist", "probe-v1.2.3")
}

// open verifies a package, which must pass.
func open(t testing.TB, dir string) (release.Container, *release.Verdict) {
	t.Helper()
	c, closer, err := dist.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closer.Close() })
	v, err := release.Verify(t.Context(), c, release.VerifyOptions{Authority: trust.SingleKey(newKey(t).Public()), AllowUnsigned: true})
	if err != nil {
		t.Fatal(err)
	}
	if v.Result != release.Pass {
		t.Fatalf("the package does not pass verification: %+v", v.Checks)
	}
	return c, v
}

// run tests the probe with arguments and returns the report and its test of the host's
// binary. The private directory must be gone.
func run(t testing.TB, command smoke.Command) (*smoke.Report, smoke.Test) {
	t.Helper()
	c, v := open(t, probeDir(t))
	return runIn(t, c, v, command)
}

func runIn(t testing.TB, c release.Container, v *release.Verdict, command smoke.Command) (*smoke.Report, smoke.Test) {
	t.Helper()
	temp := t.TempDir()
	r, err := smoke.Run(t.Context(), c, v, smoke.Options{Command: command, TempDir: temp})
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := r.Encode(); err != nil {
		t.Errorf("the report does not fit its schema: %v", err)
	}
	if len(r.Tests) != 2 {
		t.Fatalf("%d tests, expected one of each binary", len(r.Tests))
	}
	for _, test := range r.Tests {
		if test.Platform == host {
			return r, test
		}
	}
	t.Fatal("no test of this machine's binary")
	return nil, smoke.Test{}
}

// isolated skips a test on machines without unprivileged namespaces.
func isolated(t testing.TB) {
	t.Helper()
	if runtime.GOOS == "linux" {
		if err := exec.Command("unshare", "-rn", "true").Run(); err == nil {
			return
		} else if os.Getenv("ROLLPROOF_REQUIRE_TOOLS") == "1" {
			t.Fatalf("no namespaces: %v", err)
		}
	}
	t.Skip("this machine makes no network namespaces for its users")
}

func decode[T any](t testing.TB, data []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
