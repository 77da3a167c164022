package rebuild_test

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/dist"
	"github.com/rollproof/rollproof/release/gobuild"
	"github.com/rollproof/rollproof/release/link"
)

// shared is a directory for what several tests look at and none changes.
var shared string

func TestMain(m *testing.M) {
	var err error
	if shared, err = os.MkdirTemp("", "rebuild-test-"); err != nil {
		panic(err)
	}
	code := m.Run()
	if err := os.RemoveAll(shared); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// outlives makes directories that stay until the end of all tests.
type outlives struct{ testing.TB }

func (o outlives) TempDir() string {
	dir, err := os.MkdirTemp(shared, "")
	if err != nil {
		o.Fatal(err)
	}
	return dir
}

// A buildOnce is the tiny release, built once and recorded as each test likes.
type buildOnce struct {
	sync.Once
	repo   *repo
	plan   release.Plan
	built  []release.Built
	facts  release.SourceFacts
	binary string
}

var tinyBuild buildOnce

func (o *buildOnce) build(t testing.TB) {
	o.repo = newRepo(outlives{t}, tiny(), tag)
	b, err := gobuild.New(gobuild.Options{Dir: o.repo.dir, Name: "tiny", Platforms: linux, Offline: true, Env: o.repo.env})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	plan, err := b.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if o.built, o.facts, err = b.Build(t.Context(), plan, dir, nil); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(binaryFile)))
	if err != nil {
		t.Fatal(err)
	}
	o.plan, o.binary = *plan, string(data)
}

// relabel signs the tiny release with another recipe.
func relabel(t *testing.T, lie func(*release.Target)) *pkg {
	t.Helper()
	tinyBuild.Do(func() { tinyBuild.build(t) })
	stage, err := dist.NewStage(filepath.Join(t.TempDir(), "dist"))
	if err != nil {
		t.Fatal(err)
	}
	defer stage.Close()
	writeFile(t, filepath.Join(stage.Dir(), filepath.FromSlash(binaryFile)), tinyBuild.binary, 0o755)
	plan, built := tinyBuild.plan, slices.Clone(tinyBuild.built)
	lie(&built[0].Target)
	in := release.Ingredients{Plan: &plan, Built: built, Facts: tinyBuild.facts, Tool: "v0.0.0-test", Signer: newKey(t, 1), Link: link.Write}
	made, err := release.Assemble(t.Context(), in, stage)
	if err != nil {
		t.Fatal(err)
	}
	result, err := stage.Commit(made.Manifest.Release.Name(false), made.Entries, false)
	if err != nil {
		t.Fatal(err)
	}
	r := *tinyBuild.repo
	r.t = t
	return r.open(result.Dir, newKey(t, 1)).believed()
}

// nothing leaves the recipe as it is.
func nothing(*release.Target) {}
