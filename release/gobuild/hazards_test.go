package gobuild_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/gobuild"
)

// Git LFS makes every file look changed to a git that runs no filters.
func TestFilteredFilesAreNoChange(t *testing.T) {
	r := newRepo(t, hello())
	pointer := "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n"
	r.commit(map[string]string{".gitattributes": "*.bin filter=lfs\n", "asset.bin": pointer})
	r.git("tag", "v1.0.0")
	r.git("config", "filter.lfs.clean", "false")
	r.git("config", "filter.lfs.required", "true")
	r.write(map[string]string{"asset.bin": "data"})
	p, err := plan(r.options())
	if err != nil {
		t.Fatal(err)
	}
	wantHazard(t, p.MachineHazards, "filtered-files")
	wantHazard(t, p.CommitHazards, "git-lfs")

	if err := os.Remove(r.path("asset.bin")); err != nil {
		t.Fatal(err)
	}
	_, err = plan(r.options())
	wantError(t, err, gobuild.KindRule, "asset.bin")
}

func TestHazardsOfTheCommit(t *testing.T) {
	sub := newRepo(t, map[string]string{"file": "x"})
	r := newRepo(t, with(hello(), map[string]string{
		"go.mod":                "module example.com/hello\n\ngo 1.24\n\nrequire example.com/part v0.0.0\n\nreplace example.com/part => ./part\n",
		"go.work":               "go 1.24\n\nuse .\n",
		"part/go.mod":           "module example.com/part\n",
		"part/part.go":          "package part\n\nconst Word = \"honest\"\n",
		"part/LICENSE":          "Grace's license\n",
		"cmd/hello/main.go":     "package main\n\nimport \"example.com/part\"\n\nfunc main() { print(part.Word) }\n",
		"cmd/hello/default.pgo": "",
		"cmd/other/default.pgo": "",
	}))
	r.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", sub.dir, "sub")
	r.commit(nil)
	r.git("tag", "v1.0.0")
	result := build(t, r.options())
	wantHonest(t, result)
	if diff := cmp.Diff([]string{"go-work", "local-replace", "default-pgo", "submodules"}, hazardIDs(result.plan.CommitHazards)); diff != "" {
		t.Errorf("hazards (-want +got):\n%s", diff)
	}
	for _, h := range result.plan.CommitHazards {
		if strings.Contains(h.Detail, r.dir) || strings.Contains(h.Detail, "cmd/other") {
			t.Errorf("hazard says %q", h.Detail)
		}
	}
	part := result.facts.Modules[0]
	if part.Path != "example.com/part" || part.Version != "v0.0.0" || part.Sum != "" || part.ZipSHA256 != "" {
		t.Errorf("replaced module is %+v", part)
	}
}

func TestVendoredModules(t *testing.T) {
	const sum = "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	r := newRepo(t, with(hello(), map[string]string{
		"go.mod":                                "module example.com/hello\n\ngo 1.24\n\nrequire (\n\texample.com/part v1.0.0\n\texample.com/part/sub v1.1.0\n)\n",
		"go.sum":                                "example.com/part v1.0.0 " + sum + "example.com/part/sub v1.1.0 " + sum,
		"cmd/hello/main.go":                     "package main\n\nimport \"example.com/part/word\"\n\nfunc main() { print(word.Word) }\n",
		"vendor/modules.txt":                    "# example.com/part v1.0.0\n## explicit; go 1.24\nexample.com/part/word\n# example.com/part/sub v1.1.0\n## explicit; go 1.24\nexample.com/part/sub/leaf\n",
		"vendor/example.com/part/LICENSE":       "Grace's license\n",
		"vendor/example.com/part/word/w.go":     "package word\n\nimport \"example.com/part/sub/leaf\"\n\nconst Word = leaf.Word\n",
		"vendor/example.com/part/sub/leaf/l.go": "package leaf\n\nconst Word = \"honest\"\n",
	}), "v1.0.0")
	opts := r.options()
	opts.Offline = false // there is nothing to download
	opts.License = func(files []release.SourceFile) release.LicenseFact {
		return release.LicenseFact{Copyright: string(files[0].Data)}
	}
	result := build(t, opts)
	wantHonest(t, result)
	wantHazard(t, result.plan.CommitHazards, "vendor")
	if !slices.Contains(result.plan.Targets[0].Argv, "-mod=vendor") {
		t.Errorf("recipe is %q", result.plan.Targets[0].Argv)
	}
	if got := result.facts.Modules[0]; got.Path != "example.com/part" || got.ZipSHA256 != "" || got.License.Copyright != "Grace's license\n" {
		t.Errorf("vendored module is %+v", got)
	}
	if got := result.facts.Modules[0].DependsOn; !slices.Equal(got, []release.ModuleName{{Path: "example.com/part/sub", Version: "v1.1.0"}}) {
		t.Errorf("vendored module depends on %v", got)
	}
}

func TestShallowClone(t *testing.T) {
	r := newRepo(t, hello())
	r.commit(map[string]string{"LICENSE": "second\n"})
	r.git("tag", "v1.0.0")
	dir := filepath.Join(t.TempDir(), "shallow")
	r.git("clone", "-q", "--depth=1", "file://"+r.dir, dir)
	opts := r.options()
	opts.Dir = dir
	result := build(t, opts)
	wantHonest(t, result)
	wantHazard(t, result.plan.MachineHazards, "shallow-clone")
}

func TestMachineHazards(t *testing.T) {
	above := t.TempDir()
	writeFile(t, filepath.Join(above, "go.work"), "go 1.24\n", 0o644)
	r := newRepoAt(t, filepath.Join(above, "repo"), hello(), "v1.0.0")
	opts := r.options()
	opts.Env = append(slices.Clone(opts.Env), "GOPROXY=direct")
	p, err := plan(opts)
	if err != nil {
		t.Fatal(err)
	}
	wantHazard(t, p.MachineHazards, "go-work-above")
	wantHazard(t, p.MachineHazards, "goproxy-direct")
}
