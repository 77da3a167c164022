package gobuild

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/provenance"
)

// recordedRecipe is the recipe of a unit, as provenance has it.
func recordedRecipe(u unit, mod *module, version string) (release.Binary, provenance.Recipe) {
	t := u.target(mod, version)
	b := release.Binary{Path: binaryPath(u.binary, version, u.platform), Name: u.binary, Platform: u.platform}
	return b, provenance.Recipe{Binary: b.Path, Argv: t.Argv, Env: t.Env}
}

// Whatever a release can have is read back word for word.
func TestWrittenRecipesAreRead(t *testing.T) {
	mod := &module{path: "example.com/tool/v2"}
	for _, u := range []unit{
		{dir: ".", binary: "tool", platform: release.Platform{OS: "linux", Arch: "amd64"}},
		{dir: "cmd/tool", binary: "tool", platform: release.Platform{OS: "windows", Arch: "arm64"}},
		{dir: "cmd/tool", binary: "tool", platform: release.Platform{OS: "linux", Arch: "arm"}, env: []string{"GOARM=6"}},
		{dir: "cmd/tool", binary: "tool", platform: release.Platform{OS: "linux", Arch: "amd64"}, env: []string{"GOAMD64=v3", "GOARM64=v9.0", "CGO_ENABLED=0"}},
		{dir: ".", binary: "tool", platform: release.Platform{OS: "linux", Arch: "mips"}, flags: recipeFlags{
			tags: []string{"a", "b"}, ldflags: "-s -w -X 'main.x=a b' -extldflags=-static", gcflags: "all=-N -l", asmflags: "-D X=1",
		}.argv()},
	} {
		for _, vendored := range []bool{false, true} {
			mod.vendored = vendored
			binary, recipe := recordedRecipe(u, mod, "v2.0.0-rc.1+build")
			target, err := ParseRecipe(mod.path, "v2.0.0-rc.1+build", binary, recipe)
			if err != nil {
				t.Errorf("%v: %v", recipe.Argv, err)
				continue
			}
			if target.Main != mainPath(u.dir) || target.Binary != u.binary || target.Platform != u.platform || !slices.Equal(target.Argv, recipe.Argv) || !slices.Equal(target.Env, recipe.Env) {
				t.Errorf("read as %+v", target)
			}
		}
	}
}

// A recipe that is read is one that a release writes: its flags and variables are
// among those that run nothing, read nothing and write nowhere else.
func FuzzRecipeIsReadOrRefused(f *testing.F) {
	f.Add("go\nbuild\n-trimpath\n-buildvcs=true\n-mod=readonly\n-o\nbin/x_v1_linux_amd64\n./cmd/x",
		"CGO_ENABLED=0\nGOAMD64=v1\nGOARCH=amd64\nGOENV=off\nGOEXPERIMENT=\nGOFLAGS=\nGOOS=linux\nGOPROXY=off,off\nGOTOOLCHAIN=local\nGOWORK=off\nLC_ALL=C\nTZ=UTC", "linux")
	f.Add("go\nbuild\n-trimpath\n-buildvcs=true\n-mod=vendor\n-tags=a\n-ldflags=-X main.a=b\n-o\nbin/x_v1_linux_amd64\n.", "CC=x", "linux")
	f.Add("go\nbuild\n-trimpath\n-buildvcs=true\n-mod=mod\n-toolexec=x\n-o\n/x\n./...", "GOFLAGS=-toolexec=x", "win dows")
	f.Fuzz(func(t *testing.T, argv, env, system string) {
		b := release.Binary{Name: "x", Platform: release.Platform{OS: system, Arch: "amd64"}}
		recipe := provenance.Recipe{Binary: binaryPath("x", "v1", b.Platform), Argv: strings.Split(argv, "\n"), Env: strings.Split(env, "\n")}
		target, err := ParseRecipe("example.com/x", "v1", b, recipe)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Kind != KindTampered || e.Hint == "" || strings.ContainsAny(e.Msg, "\n\r\x1b") {
				t.Errorf("error is %q", err)
			}
			return
		}
		for _, flag := range flagsOf(target) {
			name, _, _ := strings.Cut(flag, "=")
			if !slices.Contains([]string{"-trimpath", "-buildvcs", "-mod", "-tags", "-ldflags", "-gcflags", "-asmflags"}, name) {
				t.Errorf("flag %q is read", flag)
			}
		}
		for _, entry := range target.Env {
			name, _, _ := strings.Cut(entry, "=")
			_, chosen := envValues[name]
			if !chosen && !slices.Contains(fixedEnv, entry) && entry != "GOOS="+system && entry != "GOARCH=amd64" {
				t.Errorf("variable %q is read", entry)
			}
		}
		if strings.Contains(target.Main, "..") || strings.HasPrefix(target.Main, "/") || !platformWord.MatchString(system) {
			t.Errorf("package %q for %q is read", target.Main, system)
		}
	})
}

// The user's caches are not a rebuild's, unless he says so for the build cache.
func TestRebuildHasItsOwnCaches(t *testing.T) {
	for _, users := range []bool{false, true} {
		r, err := NewRebuilder(RebuildOptions{UserCache: users, Env: append(os.Environ(), "GOCACHE=/users/build", "GOMODCACHE=/users/modules", "GOFLAGS=-tags=x")})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := r.Toolchain(t.Context()); err != nil {
			t.Fatal(err)
		}
		m := &machine{env: r.b.m.buildEnv(r.b.settings, nil, r.b.opts.FreshCache)}
		if got := m.lookup("GOCACHE"); got != "/users/build" && users || !within(r.b.m.root, got) && !users {
			t.Errorf("user's cache %v: GOCACHE is %s", users, got)
		}
		if got := m.lookup("GOMODCACHE"); !within(r.b.m.root, got) || m.lookup("GOFLAGS") != "" {
			t.Errorf("GOMODCACHE is %s, GOFLAGS is %s", got, m.lookup("GOFLAGS"))
		}
		if want := filepath.FromSlash("/users/modules/cache/download"); r.proxy != want {
			t.Errorf("modules come from %s, want %s", r.proxy, want)
		}
	}
}

// A rebuild's children find git by name and no other program, and go is asked at
// its own root.
func TestRebuildFindsGitAlone(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "gcc"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := NewRebuilder(RebuildOptions{Env: []string{"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Toolchain(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := &machine{env: r.b.m.privateEnv()}
	if _, err := m.findTool("gcc"); err == nil {
		t.Error("a compiler is found")
	}
	if _, err := m.findTool("go"); err == nil {
		t.Error("another go is found")
	}
	if _, err := m.findTool("git"); err != nil {
		t.Error(err)
	}
	if want := filepath.Join(r.b.settings.goroot, "bin", "go"); !strings.HasPrefix(r.b.m.goTool, want) {
		t.Errorf("go is %s, want %s", r.b.m.goTool, want)
	}
}
