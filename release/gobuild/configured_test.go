package gobuild_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/gobuild"
)

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
	opts := r.options()
	opts.Mains = []string{"./cmd/tool"}
	p, err := plan(opts)
	if err != nil {
		t.Fatal(err)
	}
	if p.Project != "tool" || len(p.Skipped) != 0 {
		t.Errorf("project %s, skipped %v", p.Project, p.Skipped)
	}
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

func TestHostileConfigurations(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"several documents": {"version: 2\n---\nversion: 2\nbuilds: []\n", "several documents"},
		"merged top level":  {"release: &x {version: 2}\n<<: *x\n", "field version is unknown"},
		"version in words":  {"version: two\n", "version is two, want 2"},
		"key twice":         {"version: 2\nversion: 2\n", "version"},
		"no mapping":        {"- version: 2\n", ".goreleaser.yaml: "},
		"empty":             {"", "version is missing"},
		"not UTF-8":         {"version: 2\nproject_name: \"\xff\xfe\"\n", ".goreleaser.yaml: "},
		"wrong kind":        {"version: 2\nbuilds: yes\n", ".goreleaser.yaml: "},
		"own name":          {"version: 2\nproject_name: ../x\n", `"../x"`},
		"path as binary":    {"version: 2\nbuilds: [{main: ./cmd/tool, binary: ../../x}]\n", `"../../x"`},
		"outside":           {"version: 2\nbuilds: [{dir: .., main: .}]\n", "builds[0].main"},
		"absolute":          {"version: 2\nbuilds: [{main: /etc}]\n", "builds[0].main"},
		"one id twice":      {"version: 2\nbuilds: [{id: a, main: ./cmd/tool}, {id: a, main: ./cmd/server}]\n", "id a is that of builds[0]"},
		"target twice":      {"version: 2\nbuilds: [{main: ./cmd/tool, targets: [linux_amd64, linux_amd64_v2]}]\n", "linux/amd64 is listed twice"},
		"unknown target":    {"version: 2\nbuilds: [{main: ./cmd/tool, targets: [beos_amd64]}]\n", "beos/amd64 is unknown"},
		"web assembly":      {"version: 2\nbuilds: [{main: ./cmd/tool, targets: [js_wasm]}]\n", "js/wasm is unknown"},
		"malformed target":  {"version: 2\nbuilds: [{main: ./cmd/tool, targets: [linux]}]\n", `target is "linux"`},
		"unknown variant":   {"version: 2\nbuilds: [{main: ./cmd/tool, targets: [linux_amd64_v9]}]\n", "GOAMD64=v9"},
		"variant of none":   {"version: 2\nbuilds: [{main: ./cmd/tool, targets: [linux_s390x_z]}]\n", "no variants"},
		"contradiction":     {"version: 2\nbuilds: [{main: ./cmd/tool, goos: [linux], goarch: [amd64], goamd64: [v2], env: [GOAMD64=v3]}]\n", "GOAMD64=v3 contradicts"},
		"skip in words":     {"version: 2\nbuilds: [{main: ./cmd/tool, skip: maybe}]\n", "builds[0].skip"},
		"bad timestamp":     {"version: 2\nbuilds: [{main: ./cmd/tool, mod_timestamp: '{{ .CommitDate }}'}]\n", "builds[0].mod_timestamp"},
		"pattern and name":  {"version: 2\nbuilds: [{main: ./..., binary: x}]\n", "binary is set"},
		"empty pattern":     {"version: 2\nbuilds: [{main: ./docs/...}]\n", "matches no main package"},
		"unset variable":    {"version: 2\nenv: [GOFLAGS=-mod=mod]\nbuilds: [{main: ./cmd/tool}]\n", "GOFLAGS"},
		"go command":        {"version: 2\nbuilds: [{main: ./cmd/tool, command: run}]\n", "builds[0].command"},
		"go program":        {"version: 2\nbuilds: [{main: ./cmd/tool, tool: ./go.sh}]\n", "builds[0].tool"},
		"go program, old":   {"version: 2\nbuilds: [{main: ./cmd/tool, gobinary: ./go.sh}]\n", "builds[0].gobinary"},
		"build mode":        {"version: 2\nbuilds: [{main: ./cmd/tool, buildmode: c-shared}]\n", "builds[0].buildmode"},
		"two values":        {"version: 2\nbuilds: [{main: ./cmd/tool, gcflags: [all=-l, all=-N]}]\n", "builds[0].gcflags: it has 2 values"},
	}
	r := newRepo(t, tool())
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r.t = t
			r.commit(map[string]string{".goreleaser.yaml": test.text})
			opts := r.allPlatforms()
			opts.DryRun = true
			_, err := plan(opts)
			wantError(t, err, gobuild.KindUsage, test.want)
		})
	}
}
