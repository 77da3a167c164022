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
		"twice.yaml":     {"builds[0] and .goreleaser.yaml: builds[1] both make the binary tool for linux/amd64", "its own binary name"},
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

func corpus(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "goreleaser", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
