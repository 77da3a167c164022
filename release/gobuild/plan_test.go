package gobuild_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/gobuild"
)

func TestPlanOfATaggedCommit(t *testing.T) {
	r := newRepo(t, hello(), "v1.2.3")
	opts := r.options()
	opts.Platforms = nil
	p, err := plan(opts)
	if err != nil {
		t.Fatal(err)
	}
	if p.Project != "hello" || p.Version != "v1.2.3" || p.Source.Tag != "v1.2.3" || p.Source.Module != "example.com/hello" {
		t.Errorf("project %q, version %q, source %+v", p.Project, p.Version, p.Source)
	}
	if want := r.git("rev-parse", "HEAD^{tree}"); p.Source.GitTree != want {
		t.Errorf("tree is %s, want %s", p.Source.GitTree, want)
	}
	if got, want := strconv.FormatInt(p.Source.CommitTime.Unix(), 10), r.git("show", "-s", "--format=%ct"); got != want {
		t.Errorf("commit time is %s, want %s", got, want)
	}
	var platforms []release.Platform
	for _, target := range p.Targets {
		platforms = append(platforms, target.Platform)
	}
	if diff := cmp.Diff(release.DefaultPlatforms, platforms); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
	want := release.Target{
		Main: "./cmd/hello", Binary: "hello", Platform: release.Platform{OS: "windows", Arch: "arm64"},
		Argv: []string{"go", "build", "-trimpath", "-buildvcs=true", "-mod=readonly", "-o", "bin/hello_v1.2.3_windows_arm64.exe", "./cmd/hello"},
		Env: []string{
			"CGO_ENABLED=0", "GOARCH=arm64", "GOARM64=v8.0", "GOENV=off", "GOEXPERIMENT=", "GOFLAGS=", "GOOS=windows",
			"GOPROXY=off,off", "GOTOOLCHAIN=local", "GOWORK=off", "LC_ALL=C", "TZ=UTC",
		},
	}
	if diff := cmp.Diff(want, p.Targets[5]); diff != "" {
		t.Errorf("target (-want +got):\n%s", diff)
	}
	if len(p.CommitHazards) != 0 || len(p.Skipped) != 0 || len(p.Parameters) != 0 {
		t.Errorf("hazards %v, skipped %v, parameters %v; want none", p.CommitHazards, p.Skipped, p.Parameters)
	}
}

func TestTagRules(t *testing.T) {
	tests := map[string]struct {
		tags    []string
		version string
		dryRun  bool
		want    string // version, "" for an error
		kind    gobuild.Kind
		text    string
	}{
		"one":                    {tags: []string{"v1.0.0"}, want: "v1.0.0"},
		"calendar":               {tags: []string{"2026.07"}, want: "2026.07"},
		"with build metadata":    {tags: []string{"v1.0.0+meta"}, want: "v1.0.0+meta"},
		"none":                   {kind: gobuild.KindRule, text: "git tag v"},
		"none, dry run":          {dryRun: true, want: "v0.0.0-"},
		"several":                {tags: []string{"v1.0.0", "v1.0.1"}, kind: gobuild.KindUsage, text: "--version"},
		"several, dry run":       {tags: []string{"v1.0.0", "v1.0.1"}, dryRun: true, kind: gobuild.KindUsage, text: "--version"},
		"several, chosen":        {tags: []string{"v1.0.0", "v1.0.1"}, version: "v1.0.0", want: "v1.0.0"},
		"chosen, not there":      {tags: []string{"v1.0.0"}, version: "v2.0.0", kind: gobuild.KindUsage, text: "has no tag v2.0.0"},
		"unusable beside usable": {tags: []string{"v1.0.0", "cmd/x/v1.0.0"}, want: "v1.0.0"},
		"unusable alone":         {tags: []string{"cmd/x/v1.0.0"}, kind: gobuild.KindUsage, text: `"cmd/x/v1.0.0"`},
		"unusable alone, dry":    {tags: []string{"cmd/x/v1.0.0"}, dryRun: true, kind: gobuild.KindUsage, text: `"cmd/x/v1.0.0"`},
		"shell characters":       {tags: []string{"v1;$(id)"}, kind: gobuild.KindUsage, text: "letters, digits"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t, hello(), test.tags...)
			opts := r.options()
			opts.Version, opts.DryRun = test.version, test.dryRun
			p, err := plan(opts)
			if test.want == "" {
				wantError(t, err, test.kind, test.text)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(p.Version, test.want) {
				t.Errorf("version is %s, want %s", p.Version, test.want)
			}
		})
	}
}

func TestDryRunWithoutTagBuildsTheCommit(t *testing.T) {
	r := newRepo(t, hello())
	opts := r.options()
	opts.DryRun = true
	result := build(t, opts)
	wantHonest(t, result)
	wantHazard(t, result.plan.CommitHazards, "missing-tag")
	if want := "v0.0.0-" + r.git("rev-parse", "--short=12", "HEAD"); result.plan.Version != want {
		t.Errorf("version is %s, want %s", result.plan.Version, want)
	}
}

func TestChangedFiles(t *testing.T) {
	r := newRepo(t, with(hello(), map[string]string{"a": "", "b": "", "c": "", "d": "", "e": "", "f": ""}), "v1.0.0")
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		r.write(map[string]string{name: "changed"})
	}
	_, err := plan(r.options())
	wantError(t, err, gobuild.KindRule, "6 tracked files", ": a, b, c, d, e, …", "--dry-run")

	r.write(map[string]string{"cmd/hello/main.go": "package main\n\nfunc main() { print(\"changed\" + extra) }\n", "cmd/hello/new.go": "package main\n\nconst extra = \"!\"\n"})
	opts := r.options()
	opts.DryRun = true
	result := build(t, opts)
	if out := result.run(); out != "changed!" {
		t.Errorf("binary prints %q, want the files as they are", out)
	}
	if !result.plan.Source.Dirty {
		t.Error("the plan does not say that the source is dirty")
	}
	wantHazard(t, result.plan.CommitHazards, "dirty-tree")
	for _, file := range result.facts.Tree {
		if file.Path == "a" && file.Size != int64(len("changed")) {
			t.Errorf("tree has the committed %s", file.Path)
		}
	}
	if status := r.git("status", "--porcelain", "--untracked-files=all"); strings.Contains(status, "bin") || strings.Contains(status, ".build") {
		t.Errorf("the build left files in the work tree:\n%s", status)
	}
}

func TestLinkedWorktreeAndSubdirectoryModule(t *testing.T) {
	r := newRepo(t, map[string]string{
		"LICENSE":              "Ada's license\n",
		"tools/go.mod":         "module example.com/mono/tools/v3\n\ngo 1.24\n",
		"tools/main.go":        greeting,
		"tools/inner/inner.go": "package inner\n",
	}, "v1.0.0")
	tree := filepath.Join(t.TempDir(), "linked")
	r.git("worktree", "add", "-q", "--detach", tree)
	opts := r.options()
	opts.Dir = filepath.Join(tree, "tools", "inner")
	result := build(t, opts)
	wantHonest(t, result)
	if s := result.plan.Source; s.Directory != "tools" || s.Module != "example.com/mono/tools/v3" || result.plan.Project != "tools" {
		t.Errorf("project %q, source %+v", result.plan.Project, s)
	}
	if len(result.facts.Files) != 1 || result.facts.Files[0].Name != "LICENSE" {
		t.Errorf("license files: %v", result.facts.Files)
	}
}

func TestSHA256Repository(t *testing.T) {
	r := newRepo(t, hello())
	if err := os.RemoveAll(r.path(".git")); err != nil {
		t.Fatal(err)
	}
	r.git("init", "-q", "-b", "main", "--object-format=sha256")
	r.commit(nil)
	r.git("tag", "v1.0.0")
	result := build(t, r.options())
	wantHonest(t, result)
	if len(result.plan.Source.GitCommit) != 64 {
		t.Errorf("commit is %s", result.plan.Source.GitCommit)
	}
}

func TestRefusedRepositories(t *testing.T) {
	tests := map[string]struct {
		change func(r *repo, o *gobuild.Options)
		kind   gobuild.Kind
		text   string
	}{
		"no repository":     {func(_ *repo, o *gobuild.Options) { o.Dir = t.TempDir() }, gobuild.KindUsage, "not inside the work tree"},
		"bare repository":   {func(r *repo, o *gobuild.Options) { o.Dir = r.path(".git") }, gobuild.KindUsage, "not inside the work tree"},
		"no such directory": {func(r *repo, o *gobuild.Options) { o.Dir = r.path("absent") }, gobuild.KindUsage, "absent"},
		"no go.mod": {func(r *repo, _ *gobuild.Options) {
			r.git("rm", "-q", "go.mod")
			r.commit(nil)
			r.git("tag", "v1.0.1")
		}, gobuild.KindUsage, "no go.mod"},
		"go.mod is not committed": {func(r *repo, _ *gobuild.Options) {
			r.git("rm", "-q", "--cached", "go.mod")
			r.git("commit", "-q", "-m", "without")
			r.git("tag", "v1.0.1")
		}, gobuild.KindUsage, "no go.mod"},
		"newer go": {func(r *repo, _ *gobuild.Options) {
			r.commit(map[string]string{"go.mod": "module example.com/hello\n\ngo 1.99\n\nsomething new\n"})
			r.git("tag", "v1.0.1")
		}, gobuild.KindFailed, "go.mod asks for go1.99"},
		"broken go.mod": {func(r *repo, _ *gobuild.Options) {
			r.commit(map[string]string{"go.mod": "module example.com/hello\n\ngo 1.24\n\nsomething new\n"})
			r.git("tag", "v1.0.1")
		}, gobuild.KindUsage, "go.mod:5"},
		"no main": {func(r *repo, _ *gobuild.Options) {
			r.commit(map[string]string{"cmd/hello/main.go": "package hello\n"})
			r.git("tag", "v1.0.1")
		}, gobuild.KindUsage, "no main package"},
		"two mains of one name": {func(r *repo, _ *gobuild.Options) {
			r.commit(map[string]string{"main.go": greeting})
			r.git("tag", "v1.0.1")
		}, gobuild.KindUsage, ". and ./cmd/hello both make the binary hello"},
		"no such main":     {func(_ *repo, o *gobuild.Options) { o.Mains = []string{"./cmd/absent"} }, gobuild.KindUsage, "./cmd/absent is no package"},
		"main outside":     {func(_ *repo, o *gobuild.Options) { o.Mains = []string{"../other"} }, gobuild.KindUsage, "../other is no package"},
		"main twice":       {func(_ *repo, o *gobuild.Options) { o.Mains = []string{"cmd/hello", "./cmd/hello/"} }, gobuild.KindUsage, "twice"},
		"unknown platform": {func(_ *repo, o *gobuild.Options) { o.Platforms = []release.Platform{{OS: "beos", Arch: "amd64"}} }, gobuild.KindUsage, "beos/amd64 is unknown"},
		"platform twice":   {func(_ *repo, o *gobuild.Options) { o.Platforms = []release.Platform{host, host} }, gobuild.KindUsage, "twice"},
		"bad name":         {func(_ *repo, o *gobuild.Options) { o.Name = "a b" }, gobuild.KindUsage, `"a b"`},
		"bad version":      {func(_ *repo, o *gobuild.Options) { o.Version = "../v1" }, gobuild.KindUsage, `"../v1"`},
		"no git":           {func(_ *repo, o *gobuild.Options) { o.Env = []string{"PATH=" + t.TempDir()} }, gobuild.KindFailed, "git is not on PATH"},
		"secret allowed":   {func(_ *repo, o *gobuild.Options) { o.AllowEnv = []string{"ROLLPROOF_SIGNING_KEY"} }, gobuild.KindUsage, "ROLLPROOF_SIGNING_KEY"},
		"two minds":        {func(_ *repo, o *gobuild.Options) { o.ZeroConfig, o.Configuration = true, "x.yaml" }, gobuild.KindUsage, "x.yaml"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t, hello(), "v1.0.0")
			opts := r.options()
			test.change(r, &opts)
			_, err := plan(opts)
			wantError(t, err, test.kind, test.text)
		})
	}
}

func TestEmptyRepository(t *testing.T) {
	r := &repo{t: t, dir: t.TempDir(), env: callerEnv()}
	r.git("init", "-q")
	_, err := plan(r.options())
	wantError(t, err, gobuild.KindRule, "no commit")
}

func TestOptionsBecomeParameters(t *testing.T) {
	r := newRepo(t, with(hello(), map[string]string{"cmd/other/main.go": greeting}), "v1.0.0", "v1.0.1")
	opts := r.options()
	opts.Name, opts.Version, opts.Mains = "greeter", "v1.0.1", []string{"cmd/hello"}
	opts.Platforms = []release.Platform{{OS: "linux", Arch: "amd64"}, {OS: "linux", Arch: "riscv64"}}
	p, err := plan(opts)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"name": "greeter", "version": "v1.0.1", "main": "cmd/hello", "target": "linux/amd64,linux/riscv64"}
	if diff := cmp.Diff(want, p.Parameters); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	if p.Project != "greeter" || len(p.Targets) != 2 || !slices.Contains(p.Targets[1].Env, "GORISCV64=rva20u64") {
		t.Errorf("project %s, targets %+v", p.Project, p.Targets)
	}
}

func TestPlanAndBuildBelongTogether(t *testing.T) {
	r := newRepo(t, hello(), "v1.0.0")
	b, err := gobuild.New(r.options())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Build(context.Background(), nil, t.TempDir(), nil); err == nil {
		t.Error("a build without a plan succeeds")
	}
	p, err := b.Plan(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := b.Plan(context.Background()); again != p || err != nil {
		t.Errorf("second plan is %p, %v; want %p", again, err, p)
	}
	other := *p
	if _, _, err := b.Build(context.Background(), &other, t.TempDir(), nil); err == nil {
		t.Error("a build of another plan succeeds")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Plan(context.Background()); !errors.Is(err, gobuild.ErrClosed) {
		t.Errorf("plan after close: %v", err)
	}
	if _, _, err := b.Build(context.Background(), p, t.TempDir(), nil); !errors.Is(err, gobuild.ErrClosed) {
		t.Errorf("build after close: %v", err)
	}
}

func TestCompileErrorFailsTheRun(t *testing.T) {
	r := newRepo(t, with(hello(), map[string]string{"cmd/hello/main.go": "package main\n\nfunc main() { undefined() }\n"}), "v1.0.0")
	var output strings.Builder
	opts := r.options()
	opts.Output = &output
	_, err := tryBuild(t, opts)
	wantError(t, err, gobuild.KindFailed, "hello for "+host.String(), "undefined: undefined", "fresh clone")
	if !strings.Contains(output.String(), "undefined: undefined") {
		t.Errorf("output is %q", output.String())
	}
}

func TestExistingFilesAreNotOverwritten(t *testing.T) {
	r := newRepo(t, hello(), "v1.0.0")
	b, err := gobuild.New(r.options())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	p, err := b.Plan(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	name := filepath.Join(dir, filepath.FromSlash(p.Targets[0].Argv[len(p.Targets[0].Argv)-2]))
	writeFile(t, name, "mine", 0o644)
	_, _, err = b.Build(context.Background(), p, dir, nil)
	wantError(t, err, gobuild.KindFailed, "exists already")
	if left := leftovers(t, dir); !slices.Equal(left, []string{"bin"}) {
		t.Errorf("left in the package: %v", left)
	}
}
