package gobuild_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/gobuild"
)

// planned lists a plan's mains as "./cmd/x=binary", each once.
func planned(p *release.Plan) []string {
	var mains []string
	for _, t := range p.Targets {
		mains = append(mains, t.Main+"="+t.Binary)
	}
	slices.Sort(mains)
	return slices.Compact(mains)
}

func TestWhichMainsAreReleased(t *testing.T) {
	const main, lib, ignored = "package main\n\nfunc main() {}\n", "package lib\n", "//go:build ignore\n\npackage main\n\nfunc main() {}\n"
	tests := map[string]struct {
		module string
		files  map[string]string
		want   []string
	}{
		"cmd alone":                 {files: map[string]string{"cmd/a/main.go": main, "cmd/b/main.go": main, "lib.go": lib, "other/main.go": main}, want: []string{"./cmd/a=a", "./cmd/b=b"}},
		"cmd and the root":          {files: map[string]string{"cmd/a/main.go": main, "main.go": main, "other/main.go": main}, want: []string{"./cmd/a=a", ".=tool"}},
		"deeper below cmd":          {files: map[string]string{"cmd/a/main.go": main, "cmd/a/sub/main.go": main}, want: []string{"./cmd/a=a"}},
		"only deeper below cmd":     {files: map[string]string{"cmd/a/sub/main.go": main}, want: []string{"./cmd/a/sub=sub"}},
		"root alone":                {files: map[string]string{"main.go": main}, want: []string{".=tool"}},
		"main in cmd itself":        {files: map[string]string{"cmd/main.go": main}, want: []string{"./cmd=cmd"}},
		"anywhere":                  {files: map[string]string{"a/main.go": main, "x/y/b/main.go": main, "main.go": main}, want: []string{"./a=a", "./x/y/b=b", ".=tool"}},
		"not for users":             {files: map[string]string{"a/main.go": main, "internal/b/main.go": main, "x/examples/c/main.go": main, "tools/main.go": main, "testdata/d/main.go": main, "_e/main.go": main, ".f/main.go": main, "vendor/g/main.go": main}, want: []string{"./a=a"}},
		"nested module":             {files: map[string]string{"a/main.go": main, "b/go.mod": "module example.com/b\n", "b/c/main.go": main}, want: []string{"./a=a"}},
		"generator files":           {files: map[string]string{"a/main.go": main, "gen/gen.go": ignored, "lib.go": lib, "build.go": ignored}, want: []string{"./a=a"}},
		"test files":                {files: map[string]string{"a/main.go": main, "b/main_test.go": "package main\n"}, want: []string{"./a=a"}},
		"version element":           {files: map[string]string{"cmd/a/v2/main.go": main, "v3/main.go": main}, want: []string{"./cmd/a/v2=a", "./v3=tool"}},
		"module of major version 2": {module: "example.com/tool/v2", files: map[string]string{"main.go": main}, want: []string{".=tool"}},
		"gopkg.in":                  {module: "gopkg.in/tool.v3", files: map[string]string{"main.go": main}, want: []string{".=tool"}},
		"one word":                  {module: "tool", files: map[string]string{"main.go": main}, want: []string{".=tool"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			module := test.module
			if module == "" {
				module = "example.com/tool"
			}
			r := newRepo(t, with(test.files, map[string]string{"go.mod": "module " + module + "\n\ngo 1.24\n"}), "v1.0.0")
			p, err := plan(r.options())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, planned(p)); diff != "" {
				t.Errorf("mains (-want +got):\n%s", diff)
			}
			if p.Project != "tool" {
				t.Errorf("project is %q", p.Project)
			}
		})
	}
}

func TestPlatformsWithoutFilesAreSkipped(t *testing.T) {
	r := newRepo(t, with(hello(), map[string]string{
		"cmd/unix/main.go":            "//go:build unix && go1.24 && !go1.99\n\npackage main\n\nfunc main() {}\n",
		"cmd/arm/main_linux_arm64.go": "package main\n\nfunc main() {}\n",
		"cmd/level/main.go":           "//go:build amd64.v1 && !amd64.v2\n\npackage main\n\nfunc main() {}\n",
		"cmd/cgo/main.go":             "package main\n\nimport \"C\"\n\nfunc main() {}\n",
		"cmd/nocgo/main.go":           "//go:build !cgo\n\npackage main\n\nfunc main() {}\n",
	}), "v1.0.0")
	opts := r.options()
	opts.Platforms = nil
	p, err := plan(opts)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, target := range p.Targets {
		count[target.Binary]++
	}
	if diff := cmp.Diff(map[string]int{"hello": 6, "unix": 4, "arm": 1, "level": 3, "nocgo": 6}, count); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	if len(p.Skipped) != 2+5+3 || p.Skipped[0].What != "./cmd/arm for darwin/amd64" || !strings.Contains(p.Skipped[0].Reason, "no Go files") {
		t.Errorf("skipped: %v", p.Skipped)
	}

	opts.Mains = []string{"./cmd/arm"}
	opts.Platforms = []release.Platform{{OS: "windows", Arch: "amd64"}}
	_, err = plan(opts)
	wantError(t, err, gobuild.KindUsage, "./cmd/arm has no main package for windows/amd64")
}
