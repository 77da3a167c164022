package rebuild_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/release"
)

// The carried source belongs to the closed set like every other file.
func TestCarriedSourceIsInTheClosedSet(t *testing.T) {
	pack, modules := release.SourcePackPath("tiny", tag), release.SourceModulesPath("tiny", tag)
	proxy, files := dependent(t)
	r := newRepo(t, files, tag)
	r.download(proxy)
	made := r.release(making{key: newKey(t, 1), withSource: true}).verified()
	for name, test := range map[string]struct {
		attack func(p *pkg)
		checks []string
	}{
		"a changed pack": {func(p *pkg) { p.put(pack, append(p.read(pack), 0)) }, []string{"closed-set", "checksums", "closing-subjects"}},
		"no pack":        {func(p *pkg) { p.remove(pack) }, []string{"closed-set", "checksums", "closing-subjects"}},
		"no modules":     {func(p *pkg) { p.remove(modules) }, []string{"closed-set", "checksums", "closing-subjects"}},
		"one file more":  {func(p *pkg) { p.put("source/more", []byte("x")) }, []string{"closed-set", "closing-subjects"}},
		"another name": {func(p *pkg) {
			p.put("source/other.pack", p.read(pack))
			p.remove(pack)
		}, []string{"closed-set", "closing-subjects"}},
		"the role of another file": {func(p *pkg) {
			p.put(release.ManifestFile, []byte(strings.Replace(string(p.read(release.ManifestFile)), `"role": "notice"`, `"role": "source"`, 1)))
		}, []string{"manifest"}},
		"another role": {func(p *pkg) {
			p.put(release.ManifestFile, []byte(strings.Replace(string(p.read(release.ManifestFile)), `"role": "source"`, `"role": "trust"`, 1)))
		}, []string{"manifest"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := made.copy(t).verified()
			test.attack(p)
			again := r.open(p.dir, newKey(t, 1))
			for _, id := range test.checks {
				if !slices.ContainsFunc(again.verdict.Checks, func(c release.Check) bool { return c.ID == id && c.Result == release.Fail }) {
					t.Errorf("check %s does not fail", id)
				}
			}
		})
	}
}

// copy is the package in another place, for a test to change.
func (p *pkg) copy(t *testing.T) *pkg {
	t.Helper()
	dir := filepath.Join(t.TempDir(), filepath.Base(p.dir))
	if err := os.CopyFS(dir, os.DirFS(p.dir)); err != nil {
		t.Fatal(err)
	}
	r := *p.repo
	r.t = t
	return r.open(dir, newKey(t, 1))
}

func (p *pkg) put(name string, data []byte) {
	writeFile(p.t, filepath.Join(p.dir, filepath.FromSlash(name)), string(data), 0o644)
}

func (p *pkg) remove(name string) {
	p.t.Helper()
	if err := os.Remove(filepath.Join(p.dir, filepath.FromSlash(name))); err != nil {
		p.t.Fatal(err)
	}
}
