package gobuild

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/release"
)

func TestMainModuleVersionThatGoCanExpress(t *testing.T) {
	tests := []struct{ path, dir, tag, toolchain, want string }{
		{"example.com/x", "", "v1.2.3", "go1.26.8", "v1.2.3"},
		{"example.com/x", "", "v0.0.0-demo", "go1.26.8", "v0.0.0-demo"},
		{"example.com/x", "", "v1.2.3-rc.1", "go1.24", "v1.2.3-rc.1"},
		{"example.com/x", "", "v1.2.3", "go1.23.9", ""},
		{"example.com/x", "", "v1.2.3", "devel go1.27-abc", ""},
		{"example.com/x", "", "v1.2.3", "go1.26.8 X:nodwarf5", "v1.2.3"},
		{"example.com/x", "", "v2.0.0", "go1.26.8", ""},
		{"example.com/x/v2", "", "v2.0.0", "go1.26.8", "v2.0.0"},
		{"example.com/x/v2", "", "v1.0.0", "go1.26.8", ""},
		{"gopkg.in/x.v3", "", "v3.1.0", "go1.26.8", ""},
		{"example.com/x", "sub", "v1.2.3", "go1.26.8", ""},
		{"example.com/x", "", "1.2.3", "go1.26.8", ""},
		{"example.com/x", "", "v1.2", "go1.26.8", ""},
		{"example.com/x", "", "v1.2.3+meta", "go1.26.8", ""},
		{"example.com/x", "", "2026.07", "go1.26.8", ""},
		{"example.com/x", "", "v0.0.0-20260102030405-abcdefabcdef", "go1.26.8", ""},
		{"example.com/x", "", "", "go1.26.8", ""},
	}
	for _, test := range tests {
		m := &module{path: test.path, dir: test.dir}
		if got := m.stamp(test.tag, test.toolchain); got != test.want {
			t.Errorf("%s in %q, tag %q, %s: %q, want %q", test.path, test.dir, test.tag, test.toolchain, got, test.want)
		}
	}
}

func TestConstraintsOfAToolchain(t *testing.T) {
	if tags := releaseTags("go1.26.8 X:nodwarf5"); len(tags) != 26 || tags[0] != "go1.1" || tags[25] != "go1.26" {
		t.Errorf("release tags are %v", tags)
	}
	tests := []struct {
		arch string
		env  []string
		want string
	}{
		{"amd64", nil, "amd64.v1"},
		{"amd64", []string{"GOAMD64=v1", "GOAMD64=v3"}, "amd64.v1 amd64.v2 amd64.v3"},
		{"arm", []string{"GOARM=6"}, "arm.5 arm.6"},
		{"arm64", []string{"GOARM64=v8.0"}, "arm64.v8.0"},
		{"riscv64", nil, "riscv64.rva20u64"},
	}
	for _, test := range tests {
		if got := strings.Join(toolTags(test.arch, test.env), " "); got != test.want {
			t.Errorf("%s %v: %s, want %s", test.arch, test.env, got, test.want)
		}
	}
}

func TestAttributeLines(t *testing.T) {
	tests := map[string]bool{
		"version.go export-subst\n":            true,
		"a text\nversion.go text export-subst": true,
		"[attr]stamp export-subst\n":           true,
		"# version.go export-subst\n":          false,
		"version.go -export-subst\n":           false,
		"export-subst text\n":                  false,
		"":                                     false,
	}
	for data, want := range tests {
		if got := setsAttribute([]byte(data), "export-subst"); got != want {
			t.Errorf("%q: %v, want %v", data, got, want)
		}
	}
}

func TestLicenseNames(t *testing.T) {
	for name, want := range map[string]bool{
		"LICENSE": true, "LICENSE.md": true, "License.txt": true, "LICENCE": true, "COPYING": true, "NOTICE": true,
		"UNLICENSE": true, "license.go": false, "README": false,
	} {
		if got := isLicenseName(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestMessagesOfChildren(t *testing.T) {
	for output, want := range map[string]string{
		"# example.com/x\n./main.go:3:2: undefined: y\n":           "./main.go:3:2: undefined: y",
		"go: downloading example.com/y v1.0.0\n\ngo: no such host": "go: no such host",
		"\x1b[31mred\u202eevil\x00\n":                              "\ufffd[31mred\ufffdevil\ufffd",
		"":                                                         "",
	} {
		if got := telling([]byte(output)); got != want {
			t.Errorf("%q: %q, want %q", output, got, want)
		}
	}
	if got := []rune(plain(strings.Repeat("ä", 1000))); len(got) != 301 {
		t.Errorf("a long line keeps %d characters", len(got))
	}
	c := child{path: "/bin/git", args: []string{"-c", "a=b", "fetch", "-q", "origin"}}
	if got := c.name(); got != "git fetch" {
		t.Errorf("child is called %q", got)
	}
}

// Two targets that go would write to one file are built one after the other.
func TestJobsKeepNamesApart(t *testing.T) {
	mod := &module{path: "example.com/tool"}
	p := release.Platform{OS: "linux", Arch: "amd64"}
	var list []release.Target
	for _, u := range []unit{
		{dir: ".", binary: "other", platform: p}, {dir: "cmd/tool", binary: "tool", platform: p},
		{dir: "cmd/b", binary: "b", platform: p}, {dir: "cmd/c", binary: "c", platform: p, flags: []string{"-tags=x"}},
		{dir: "cmd/b", binary: "b", platform: release.Platform{OS: "linux", Arch: "arm64"}},
	} {
		list = append(list, u.target(mod, "v1"))
	}
	var got []string
	for _, j := range jobsOf(mod, list) {
		got = append(got, j.String())
	}
	want := []string{"other, b for linux/amd64", "tool for linux/amd64", "c for linux/amd64", "b for linux/arm64"}
	if !slices.Equal(got, want) {
		t.Errorf("jobs are %q, want %q", got, want)
	}
}

// Build info and the imports that are found must tell of the same modules.
func TestImportsMustAgreeWithBuildInfo(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "main.go"), []byte("package main\n\nimport _ \"example.com/part\"\n\nfunc main() {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	part := linked{importPath: "example.com/part", name: release.ModuleName{Path: "example.com/part"}, dir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(part.dir, "part.go"), []byte("package part\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	mod := &module{path: "example.com/tool", root: root}
	f := newFacts(&Builder{mod: mod, settings: &goSettings{version: "go1.26.8"}})
	j := &job{targets: []release.Target{unit{dir: ".", platform: release.Platform{OS: "linux", Arch: "amd64"}}.target(mod, "v1")}}
	if err := f.addImports(t.Context(), j, []linked{part}); err != nil {
		t.Error(err)
	}
	more := linked{importPath: "example.com/more", name: release.ModuleName{Path: "example.com/more"}, dir: part.dir}
	if err := f.addImports(t.Context(), j, []linked{part, more}); err == nil || !strings.Contains(err.Error(), "example.com/more") {
		t.Errorf("a module that nothing imports: %v", err)
	}
	if err := f.addImports(t.Context(), j, nil); err == nil || !strings.Contains(err.Error(), "example.com/part") {
		t.Errorf("an import that no module has: %v", err)
	}
}
