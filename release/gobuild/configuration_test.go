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

// tool is the module that the files of testdata/goreleaser are for.
func tool() map[string]string {
	const shown = "package main\n\nvar version, commit, date, user, goVersion string\n\nfunc main() { print(version, \" \", commit, \" \", date, user) }\n"
	return map[string]string{
		"go.mod":             "module example.com/tool\n\ngo 1.24\n",
		"main.go":            shown,
		"cmd/tool/main.go":   shown,
		"cmd/server/main.go": "//go:build linux\n\npackage main\n\nfunc main() {}\n",
		"plugin/go.mod":      "module example.com/tool/plugin\n",
		"plugin/main.go":     "package main\n\nfunc main() {}\n",
	}
}

// configured commits a file of testdata/goreleaser.
func configured(t *testing.T, file string) *repo {
	t.Helper()
	return newRepo(t, with(tool(), map[string]string{".goreleaser.yaml": corpus(t, file)}), "v1.2.3")
}

// allPlatforms asks for whatever the file says.
func (r *repo) allPlatforms() gobuild.Options {
	opts := r.options()
	opts.Platforms = nil
	return opts
}

// recipes writes each target as "binary os/arch main flags | environment", without
// what every target has.
func recipes(p *release.Plan, r *repo) []string {
	replace := strings.NewReplacer(
		r.git("rev-parse", "HEAD"), "COMMIT",
		r.git("rev-parse", "HEAD")[:7], "SHORT",
		p.Source.CommitTime.Format("2006-01-02T15:04:05Z"), "DATE",
	)
	var lines []string
	for _, t := range p.Targets {
		line := t.Binary + " " + t.Platform.String() + " " + t.Main
		for _, flag := range t.Argv[5 : len(t.Argv)-3] {
			line += " [" + flag + "]"
		}
		for _, entry := range t.Env {
			name, value, _ := strings.Cut(entry, "=")
			if name == "GOARM" || name == "GOAMD64" && value != "v1" || name == "CGO_ENABLED" && value != "0" {
				line += " " + entry
			}
		}
		lines = append(lines, replace.Replace(line))
	}
	return lines
}

const defaults = " [-ldflags=-s -w -X main.version=1.2.3 -X main.commit=COMMIT -X main.date=DATE -X main.builtBy=goreleaser]"

func TestConfigurationsThatPlan(t *testing.T) {
	const services = " ./cmd/tool [-tags=netgo,osusergo] [-ldflags=-s -w -X example.com/tool/internal/build.Version=1.2.3" +
		" -X 'example.com/tool/internal/build.Built=at DATE']"
	const unix = " . [-ldflags=-s -w -linkmode=internal -extldflags \"-static\"] [-gcflags=all=-l -B] [-asmflags=all=-D BAR]"
	tests := map[string]struct {
		recipes []string
		skipped []string // some of them
		project string
	}{
		"cli.yaml": {
			project: "tool",
			recipes: []string{
				"tool darwin/amd64 ./cmd/tool" + defaults, "tool darwin/arm64 ./cmd/tool" + defaults,
				"tool linux/amd64 ./cmd/tool" + defaults, "tool linux/arm64 ./cmd/tool" + defaults,
				"tool windows/amd64 ./cmd/tool" + defaults, "tool windows/arm64 ./cmd/tool" + defaults,
			},
			skipped: []string{"archives", "changelog", "before.hooks", "builds[0].goarch", "builds[0].ldflags"},
		},
		"services.yaml": {
			project: "acme",
			recipes: []string{
				"acme-server-1-2-3 linux/amd64 ./cmd/server [-ldflags=-s -w]",
				"tool darwin/amd64" + services + " GOAMD64=v2", "tool darwin/arm64" + services,
				"tool freebsd/386" + services, "tool freebsd/amd64" + services + " GOAMD64=v2", "tool freebsd/arm64" + services,
				"tool linux/386" + services, "tool linux/amd64" + services + " GOAMD64=v2", "tool linux/arm" + services + " GOARM=7", "tool linux/arm64" + services,
				"tool windows/386" + services, "tool windows/amd64" + services + " GOAMD64=v2",
			},
			skipped: []string{
				"universal_binaries", "upx", "nfpms", "dockers_v2", "homebrew_casks", "checksum", "signs", "sboms", "snapshot", "release", "gomod", "announce",
				"env", "builds[0].mod_timestamp", "builds[0] for darwin/arm",
			},
		},
		"windows.yaml": {
			project: "tool",
			recipes: []string{
				"tool darwin/amd64" + unix, "tool linux/amd64" + unix,
				"tool windows/amd64 . [-tags=gui,windows] [-ldflags=-s -w -H=windowsgui]",
			},
			skipped: []string{"builds[0].main"},
		},
		"targets.yaml": {
			project: "tool",
			recipes: []string{
				"server linux/amd64 ./cmd/server GOAMD64=v3", "server linux/arm ./cmd/server GOARM=6", "server linux/riscv64 ./cmd/server",
				"tool darwin/arm64 ./cmd/tool", "tool linux/amd64 ./cmd/tool GOAMD64=v3", "tool linux/arm ./cmd/tool GOARM=6", "tool linux/riscv64 ./cmd/tool",
			},
			skipped: []string{"./cmd/server for darwin/arm64"},
		},
		"minimal.yaml": {
			project: "tool",
			recipes: []string{
				"tool darwin/amd64 ." + defaults, "tool darwin/arm64 ." + defaults, "tool linux/amd64 ." + defaults,
				"tool linux/arm64 ." + defaults, "tool windows/amd64 ." + defaults, "tool windows/arm64 ." + defaults,
			},
		},
	}
	for file, test := range tests {
		t.Run(file, func(t *testing.T) {
			r := configured(t, file)
			p, err := plan(r.allPlatforms())
			if err != nil {
				t.Fatal(err)
			}
			if p.Project != test.project {
				t.Errorf("project is %q, want %q", p.Project, test.project)
			}
			if diff := cmp.Diff(test.recipes, recipes(p, r)); diff != "" {
				t.Errorf("recipes (-want +got):\n%s", diff)
			}
			for _, what := range test.skipped {
				if !slices.ContainsFunc(p.Skipped, func(s release.Skip) bool {
					return strings.TrimPrefix(s.What, ".goreleaser.yaml: ") == what && s.Reason != ""
				}) {
					t.Errorf("skipped lacks %q:\n%v", what, p.Skipped)
				}
			}
		})
	}
}

// Each message names the setting, and the hint says what to write.
func TestConfigurationsThatAreRefused(t *testing.T) {
	tests := map[string][]string{
		"date.yaml":      {"builds[0].ldflags", ".Date", "{{ .CommitDate }}"},
		"cgo.yaml":       {"builds[0].env", "CGO_ENABLED=1", "skip: true"},
		"compiler.yaml":  {"builds[0].env", "variable CC", "remove it"},
		"make.yaml":      {"before.hooks", `"make generate"`, `--allow-skipped-hook "make generate"`},
		"goversion.yaml": {"builds[0].ldflags", "GOVERSION", "--allow-env GOVERSION"},
		"gopath.yaml":    {"builds[0].gcflags", "GOPATH", "-trimpath is always given"},
		"trimpath.yaml":  {"builds[0].asmflags", "-trimpath", "-trimpath is always given"},
		"raspberry.yaml": {"builds[0].goarm", "2 values for linux/arm: 6, 7", "keep one"},
		"toolexec.yaml":  {"builds[0].flags", "-toolexec=./wrap.sh", "runs a program in place of the compiler"},
		"extld.yaml":     {"builds[0].ldflags", "-linkmode", `"external"`, "runs a C compiler"},
		"overrides.yaml": {"builds[0].overrides", "a build of its own"},
		"rust.yaml":      {"builds[1].builder", `"rust"`, "skip: true"},
		"version1.yaml":  {"version is 1, want 2", "version: 2"},
		"noversion.yaml": {"version is missing, want 2"},
		"misspelt.yaml":  {".goreleaser.yaml:4: field ldflag is unknown", "the nearest known is ldflags"},
		"pro.yaml":       {"field includes is unknown", "free edition"},
		"branch.yaml":    {"builds[0].ldflags", ".Branch", "{{ .Tag }}"},
		"functions.yaml": {"builds[0].ldflags", "envOrDefault", "--allow-env NAME"},
		"otherdir.yaml":  {"builds[0].main", "./plugin is no package of module example.com/tool"},
		"twice.yaml":     {"builds[0] and builds[1] both make the binary tool for linux/amd64", "its own binary name"},
		"library.yaml":   {"no build for what was asked"},
	}
	for file, parts := range tests {
		t.Run(file, func(t *testing.T) {
			_, err := plan(configured(t, file).allPlatforms())
			wantError(t, err, gobuild.KindUsage, append(parts, ".goreleaser.yaml")...)
		})
	}
}

func TestEveryConfigurationOfTheCorpusIsTested(t *testing.T) {
	entries, err := os.ReadDir(filepath.Join("testdata", "goreleaser"))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("configuration_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.Contains(string(source), `"`+e.Name()+`"`) {
			t.Errorf("%s is in no test", e.Name())
		}
	}
}

func TestConfiguredBuildSaysWhatItIs(t *testing.T) {
	r := configured(t, "cli.yaml")
	result := build(t, r.options())
	want := "1.2.3 " + result.plan.Source.GitCommit + " " + result.plan.Source.CommitTime.Format("2006-01-02T15:04:05Z")
	if out := result.run(); out != want {
		t.Errorf("binary prints %q, want %q", out, want)
	}
}

func TestConfiguredFlagsReachTheBinary(t *testing.T) {
	r := newRepo(t, with(tool(), map[string]string{
		".goreleaser.yaml": "version: 2\nbuilds:\n  - main: ./cmd/tool\n    tags: [one]\n    gcflags: all=-l\n    asmflags: -e\n    ldflags: ['']\n    flags: ['-tags=two']\n",
	}), "v1.0.0")
	_, err := plan(r.options())
	wantError(t, err, gobuild.KindUsage, "builds[0].tags", "-tags is set twice")

	r.commit(map[string]string{
		".goreleaser.yaml": "version: 2\nbuilds:\n  - main: ./cmd/tool\n    tags: [one, two]\n    gcflags: all=-l\n    asmflags: -e\n    ldflags: ['']\n",
	})
	r.git("tag", "v1.0.1")
	build(t, r.options()) // which compares -tags, -gcflags and -asmflags with build info
}

func TestHooksAreSkippedOnlyWhenAllowed(t *testing.T) {
	r := configured(t, "make.yaml")
	opts := r.allPlatforms()
	opts.AllowSkippedHooks = []string{"make generate"}
	_, err := plan(opts)
	wantError(t, err, gobuild.KindUsage, "before.hooks", "sh -c", "completions.sh")

	opts.AllowSkippedHooks = append(opts.AllowSkippedHooks, `sh -c "go vet ./... && ./scripts/completions.sh"`)
	_, err = plan(opts)
	wantError(t, err, gobuild.KindUsage, "builds[0].hooks", "upx")

	opts.AllowSkippedHooks = append(opts.AllowSkippedHooks, `upx "{{ .Path }}"`)
	p, err := plan(opts)
	if err != nil {
		t.Fatal(err)
	}
	if want := `make generate; sh -c "go vet ./... && ./scripts/completions.sh"; upx "{{ .Path }}"`; p.Parameters["allow-skipped-hook"] != want {
		t.Errorf("parameters are %v", p.Parameters)
	}
	opts.AllowSkippedHooks = append(opts.AllowSkippedHooks, "make generated")
	_, err = plan(opts)
	wantError(t, err, gobuild.KindUsage, `no hook "make generated"`)

	opts.ZeroConfig = true
	_, err = plan(opts)
	wantError(t, err, gobuild.KindUsage, "--allow-skipped-hook")
}

func TestVariablesReachTemplatesOnlyWhenAllowed(t *testing.T) {
	r := configured(t, "goversion.yaml")
	opts := r.allPlatforms()
	opts.Env = append(slices.Clone(opts.Env), "GOVERSION=go1.2.3", "BUILD_USER=ada", "ROLLPROOF_SIGNING_KEY=secret")
	opts.AllowEnv = []string{"GOVERSION"}
	_, err := plan(opts)
	wantError(t, err, gobuild.KindUsage, "BUILD_USER", "--allow-env BUILD_USER")

	opts.AllowEnv = []string{"GOVERSION", "BUILD_USER"}
	p, err := plan(opts)
	if err != nil {
		t.Fatal(err)
	}
	if got := recipes(p, r); !slices.Equal(got, []string{"tool linux/amd64 ./cmd/tool [-ldflags=-X main.goVersion=go1.2.3 -X main.user=ada]"}) {
		t.Errorf("recipes are %q", got)
	}
	if p.Parameters["allow-env"] != "BUILD_USER,GOVERSION" {
		t.Errorf("parameters are %v", p.Parameters)
	}
	opts.Env = r.env
	_, err = plan(opts)
	wantError(t, err, gobuild.KindUsage, "GOVERSION, which is not set")
}

// What lies in the work tree beside the commit has no say.
func TestConfigurationComesFromTheCommit(t *testing.T) {
	r := newRepo(t, tool(), "v1.0.0")
	r.write(map[string]string{".goreleaser.yaml": "version: 2\nproject_name: evil\n"})
	p, err := plan(r.options())
	if err != nil {
		t.Fatal(err)
	}
	if p.Project != "tool" || len(p.Skipped) != 0 {
		t.Errorf("project %s, skipped %v", p.Project, p.Skipped)
	}
	opts := r.options()
	opts.Configuration = ".goreleaser.yaml"
	_, err = plan(opts)
	wantError(t, err, gobuild.KindUsage, ".goreleaser.yaml is not in the commit")
	opts.Configuration = "../other.yaml"
	_, err = plan(opts)
	wantError(t, err, gobuild.KindUsage, "outside of the module")
}

func TestChosenConfiguration(t *testing.T) {
	r := newRepo(t, with(tool(), map[string]string{
		".goreleaser.yml":  "version: 2\nproject_name: first\nbuilds: [{main: ./cmd/tool}]\n",
		".goreleaser.yaml": "version: 2\nproject_name: second\nbuilds: [{main: ./cmd/tool}]\n",
		"ci/release.yaml":  "version: 2\nproject_name: third\nbuilds: [{main: ./cmd/tool}]\n",
		"ci/link.yaml":     "",
	}), "v1.0.0")
	for file, want := range map[string]string{"": "first", ".goreleaser.yaml": "second", "./ci/release.yaml": "third"} {
		opts := r.options()
		opts.Configuration = file
		p, err := plan(opts)
		if err != nil {
			t.Fatal(err)
		}
		if p.Project != want || p.Targets[0].Binary != want || p.Parameters["config"] != file {
			t.Errorf("%q: project %s, binary %s, parameters %v", file, p.Project, p.Targets[0].Binary, p.Parameters)
		}
	}
	opts := r.options()
	opts.ZeroConfig, opts.Mains = true, []string{"./cmd/tool"}
	p, err := plan(opts)
	if err != nil {
		t.Fatal(err)
	}
	if p.Project != "tool" || p.Parameters["zero-config"] != "true" {
		t.Errorf("project %s, parameters %v", p.Project, p.Parameters)
	}
	opts = r.options()
	opts.Name = "mine"
	if p, err = plan(opts); err != nil || p.Project != "mine" {
		t.Errorf("project %v, error %v", p, err)
	}
}

func TestPlatformsAndMainsChooseAmongBuilds(t *testing.T) {
	r := configured(t, "services.yaml")
	opts := r.options()
	opts.Platforms = []release.Platform{{OS: "linux", Arch: "amd64"}, {OS: "freebsd", Arch: "386"}}
	opts.Mains = []string{"cmd/tool"}
	p, err := plan(opts)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, target := range p.Targets {
		got = append(got, target.Binary+" "+target.Platform.String())
	}
	if !slices.Equal(got, []string{"tool freebsd/386", "tool linux/amd64"}) {
		t.Errorf("targets are %q", got)
	}
	opts.Mains = []string{"cmd/server"}
	opts.Platforms = []release.Platform{{OS: "darwin", Arch: "arm64"}}
	_, err = plan(opts)
	wantError(t, err, gobuild.KindUsage, "no build for what was asked")
}

// The printed configuration, committed, plans what was planned without it.
func TestPrintedConfigurationPlansTheSame(t *testing.T) {
	windowsOnly := map[string]string{"cmd/win/main_windows.go": "package main\n\nfunc main() {}\n"}
	tests := map[string]struct {
		files     map[string]string
		platforms []release.Platform
		zero      bool
	}{
		"one main":           {files: hello(), zero: true},
		"some without files": {files: with(hello(), windowsOnly), zero: true},
		"other platforms":    {files: hello(), zero: true, platforms: []release.Platform{{OS: "linux", Arch: "arm"}, {OS: "linux", Arch: "riscv64"}, {OS: "openbsd", Arch: "amd64"}}},
		"root and cmd":       {files: with(hello(), map[string]string{"go.mod": "module example.com/other\n\ngo 1.24\n", "main.go": greeting}), zero: true},
		"of a configuration": {files: with(tool(), map[string]string{".goreleaser.yaml": corpus(t, "services.yaml")})},
		"of a second":        {files: with(tool(), map[string]string{".goreleaser.yaml": corpus(t, "windows.yaml")})},
		"of a third":         {files: with(tool(), map[string]string{".goreleaser.yaml": corpus(t, "targets.yaml")})},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t, test.files, "v1.0.0")
			opts := r.options()
			opts.Platforms, opts.ZeroConfig = test.platforms, test.zero
			want, err := plan(opts)
			if err != nil {
				t.Fatal(err)
			}
			text, err := gobuild.PrintConfiguration(want)
			if err != nil {
				t.Fatal(err)
			}
			r.write(map[string]string{".goreleaser.yaml": string(text)})
			r.git("add", "-A")
			r.git("commit", "-q", "--amend", "-C", "HEAD")
			r.git("tag", "-f", "v1.0.0")
			got, err := plan(r.allPlatforms())
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			// Values made from the old commit stand in the file as constants.
			if diff := cmp.Diff(want.Targets, got.Targets); diff != "" {
				t.Errorf("targets (-first +again):\n%s\n%s", diff, text)
			}
			if got.Project != want.Project || got.Version != want.Version {
				t.Errorf("project %s, version %s; want %s, %s", got.Project, got.Version, want.Project, want.Version)
			}
		})
	}
}

func corpus(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "goreleaser", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
