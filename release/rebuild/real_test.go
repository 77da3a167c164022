package rebuild_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/release/rebuild"
)

// Real modules are packaged with their source, and reproduced bit for bit from the
// package alone: without a network, a module cache, or a build cache. The bigger one
// takes minutes, and is for "make interop".
func TestRealModules(t *testing.T) {
	for _, m := range []struct {
		path, version, project string
		mains                  []string
		modules                int // linked, at least
		interop                bool
	}{
		{"filippo.io/age", "v1.2.1", "age", []string{"./cmd/age"}, 3, false},
		{"github.com/open-policy-agent/opa", "v1.19.1", "opa", []string{"."}, 90, true},
	} {
		t.Run(m.project, func(t *testing.T) {
			if m.interop && os.Getenv("ROLLPROOF_REQUIRE_INTEROP") != "1" {
				t.Skip("builds for minutes: make interop")
			}
			r := published(t, m.path, m.version)
			p := r.release(making{key: newKey(t, 1), withSource: true, name: m.project, mains: m.mains}).verified()
			if linked := strings.Count(string(p.read(m.project+".spdx.json")), `"SPDXID": "SPDXRef-Module-`); linked < m.modules {
				t.Errorf("%d modules are linked, expected at least %d", linked, m.modules)
			}
			report := run(t, rebuild.Options{Package: p.c, Verdict: p.verdict, Env: nowhere(t), Output: testOutput{t}})
			wantResult(t, report, rebuild.Match)
			if report.Source != "package" || report.Modules != "package" || report.BuildCache != "empty" {
				t.Errorf("source from %s, modules from %s, build cache %s", report.Source, report.Modules, report.BuildCache)
			}
		})
	}
}

// nowhere is the environment of somebody who has the package and nothing else.
func nowhere(t *testing.T) []string {
	env := []string{"HOME=" + t.TempDir(), "GOPROXY=off", "GOFLAGS=", "GOCACHE=" + t.TempDir(), "GOMODCACHE=" + filepath.Join(t.TempDir(), "missing")}
	return append(env, "PATH="+os.Getenv("PATH"))
}

// published is a repository with a published module as its one commit, whose
// dependencies are in the machine's module cache. Without either the test skips.
func published(t *testing.T, path, version string) *repo {
	t.Helper()
	download := func(dir string, args ...string) []byte {
		cmd := exec.Command("go", append([]string{"mod", "download", "-json"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOTOOLCHAIN=local")
		out, err := cmd.Output()
		if err == nil {
			return out
		}
		if os.Getenv("ROLLPROOF_REQUIRE_INTEROP") == "1" {
			t.Fatalf("go mod download %v: %v\n%s", args, err, out)
		}
		t.Skipf("neither in the module cache nor to be had: go mod download %v: %v", args, err)
		return nil
	}
	var at struct{ Dir string }
	if err := json.Unmarshal(download(t.TempDir(), path+"@"+version), &at); err != nil {
		t.Fatal(err)
	}
	r := newRepo(t, nil)
	if err := os.CopyFS(r.dir, os.DirFS(at.Dir)); err != nil {
		t.Fatal(err)
	}
	download(r.dir)
	r.commit(nil)
	r.git("tag", version)
	cache, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(r.env, func(e string) bool { return strings.HasPrefix(e, "GOMODCACHE=") })
	r.env[i] = "GOMODCACHE=" + strings.TrimSpace(string(cache))
	return r
}
