package gobuild_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/release"
)

// The same commit gives the same bytes wherever and however often it is built,
// alone or beside others.
func TestBuildsAreReproducible(t *testing.T) {
	files := with(hello(), map[string]string{"cmd/second/main.go": greeting})
	first := newRepo(t, files, "v1.0.0")
	second := filepath.Join(t.TempDir(), "elsewhere", "copy")
	if err := os.MkdirAll(filepath.Dir(second), 0o755); err != nil {
		t.Fatal(err)
	}
	first.git("clone", "-q", first.dir, second)

	a := build(t, first.options())
	opts := first.options()
	opts.Dir, opts.FreshCache, opts.Mains = second, true, []string{"cmd/hello"}
	opts.Env = append(slices.Clone(opts.Env), "TZ=Asia/Tokyo", "LC_ALL=de_DE.UTF-8")
	b := build(t, opts)
	if !bytes.Equal(a.binary(0), b.binary(0)) {
		t.Error("two builds of one commit differ")
	}
	if !slices.Equal(a.plan.Targets[0].Argv, b.plan.Targets[0].Argv) || !slices.Equal(a.plan.Targets[0].Env, b.plan.Targets[0].Env) {
		t.Error("two recipes of one commit differ")
	}
	wantPortable(t, a.plan, first.dir)
}

// wantPortable checks that recipes name nothing of this machine.
func wantPortable(t *testing.T, p *release.Plan, dir string) {
	t.Helper()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range p.Targets {
		for _, text := range slices.Concat(target.Argv, target.Env) {
			for _, private := range []string{dir, home, os.TempDir()} {
				if strings.Contains(text, private) {
					t.Errorf("recipe of %s holds %q", target.Binary, text)
				}
			}
		}
	}
}
