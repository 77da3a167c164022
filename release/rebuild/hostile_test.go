package rebuild_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/gobuild"
	"github.com/rollproof/rollproof/release/rebuild"
)

// insert puts a flag where a configuration's would stand.
func insert(flags ...string) func(*release.Target) {
	return func(t *release.Target) {
		at := len(t.Argv) - 3
		t.Argv = slices.Concat(t.Argv[:at:at], flags, t.Argv[at:])
	}
}

func setEnv(entries ...string) func(*release.Target) {
	return func(t *release.Target) {
		env := slices.Clone(t.Env)
		for _, entry := range entries {
			name, _, _ := strings.Cut(entry, "=")
			env = slices.DeleteFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
			env = append(env, entry)
		}
		slices.Sort(env)
		t.Env = env
	}
}

func argument(at int, value string) func(*release.Target) {
	return func(t *release.Target) {
		t.Argv = slices.Clone(t.Argv)
		t.Argv[(len(t.Argv)+at)%len(t.Argv)] = value
	}
}

// Correctly signed, and made to run a program of the attacker's choice or to change
// what is built. Even a verification that lets it pass does not make it run.
func TestHostileRecipesRunNothing(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "marker")
	bin := t.TempDir()
	evil := filepath.Join(bin, "evil")
	for _, name := range []string{"evil", "gcc", "cc", "git", "go"} {
		writeFile(t, filepath.Join(bin, name), fmt.Sprintf("#!/bin/sh\ntouch '%s'\nexec \"$@\"\n", marker), 0o755)
	}
	overlay := filepath.Join(bin, "overlay.json")
	writeFile(t, overlay, `{"Replace":{}}`, 0o644)
	for name, test := range map[string]struct {
		lie  func(*release.Target)
		part string
	}{
		"toolexec":               {insert("-toolexec=" + evil), "-toolexec"},
		"toolexec, two dashes":   {insert("--toolexec=" + evil), "-toolexec"},
		"toolexec, two words":    {insert("-toolexec", evil), "-toolexec"},
		"overlay":                {insert("-overlay=" + overlay), "-overlay"},
		"modfile":                {insert("-modfile=" + overlay), "-modfile"},
		"pkgdir":                 {insert("-pkgdir=" + bin), "-pkgdir"},
		"change directory":       {insert("-C=" + bin), "-C"},
		"exec":                   {insert("-exec=" + evil), "-exec"},
		"output twice":           {insert("-o", evil), "-o"},
		"extld":                  {insert("-ldflags=-extld=" + evil), "-extld"},
		"extld, quoted":          {insert("-ldflags='-extld' " + evil), "-extld"},
		"external linking":       {insert("-ldflags=-linkmode=external"), "external"},
		"compiler's own output":  {insert("-gcflags=all=-o=" + marker), "-o"},
		"assembler's include":    {insert("-asmflags=-I=" + bin), "-I"},
		"a flag that is dropped": {insert("-v"), "-v"},
		"flags in another order": {insert("-ldflags=-s", "-tags=x"), "argument"},
		"a flag twice":           {insert("-tags=x", "-tags=y"), "twice"},
		"output elsewhere":       {argument(-2, marker), "argument"},
		"output inside":          {argument(-2, "bin/other"), "argument"},
		"package elsewhere":      {argument(-1, "../.."), "../.."},
		"package by path":        {argument(-1, bin), bin},
		"all packages":           {argument(-1, "./..."), "./..."},
		"a file":                 {argument(-1, "main.go"), "main.go"},
		"a flag as package":      {argument(-1, "-a"), "-a"},
		"another command":        {argument(0, evil), "no complete go build"},
		"another verb":           {argument(1, "run"), "no complete go build"},
		"no -trimpath":           {argument(2, "-v"), "argument 3"},
		"no stamp":               {argument(3, "-buildvcs=false"), "-buildvcs=false"},
		"-mod=mod":               {argument(4, "-mod=mod"), "-mod=mod"},
		"-mod=vendor, unasked":   {argument(4, "-mod=vendor"), "-mod=readonly"},
		"CC":                     {setEnv("CC=" + evil), "CC"},
		"CXX":                    {setEnv("CXX=" + evil), "CXX"},
		"AR":                     {setEnv("AR=" + evil), "AR"},
		"PATH":                   {setEnv("PATH=" + bin), "PATH"},
		"GOROOT":                 {setEnv("GOROOT=" + bin), "GOROOT"},
		"GOFLAGS":                {setEnv("GOFLAGS=-toolexec=" + evil), "GOFLAGS"},
		"GOENV":                  {setEnv("GOENV=" + overlay), "GOENV"},
		"GOTOOLCHAIN":            {setEnv("GOTOOLCHAIN=path"), "GOTOOLCHAIN"},
		"GOTOOLDIR":              {setEnv("GOTOOLDIR=" + bin), "GOTOOLDIR"},
		"GOPROXY":                {setEnv("GOPROXY=file://" + bin), "GOPROXY"},
		"GOCACHEPROG":            {setEnv("GOCACHEPROG=" + evil), "GOCACHEPROG"},
		"GOCACHE":                {setEnv("GOCACHE=" + bin), "GOCACHE"},
		"GOMODCACHE":             {setEnv("GOMODCACHE=" + bin), "GOMODCACHE"},
		"GOWORK":                 {setEnv("GOWORK=" + overlay), "GOWORK"},
		"GOVCS":                  {setEnv("GOVCS=*:all"), "GOVCS"},
		"GOAUTH":                 {setEnv("GOAUTH=" + evil), "GOAUTH"},
		"HOME":                   {setEnv("HOME=" + bin), "HOME"},
		"GIT_EXEC_PATH":          {setEnv("GIT_EXEC_PATH=" + bin), "GIT_EXEC_PATH"},
		"GIT_CONFIG_GLOBAL":      {setEnv("GIT_CONFIG_GLOBAL=" + overlay), "GIT_CONFIG_GLOBAL"},
		"LD_PRELOAD":             {setEnv("LD_PRELOAD=" + evil), "LD_PRELOAD"},
		"cgo":                    {setEnv("CGO_ENABLED=1"), "CGO_ENABLED"},
		"cgo flags":              {setEnv("CGO_LDFLAGS=-fuse-ld=" + evil), "CGO_LDFLAGS"},
		"another platform":       {setEnv("GOOS=windows"), "GOOS"},
		"lower case":             {setEnv("cc=" + evil), "cc"},
		"a variable less":        {func(t *release.Target) { t.Env = t.Env[1:] }, "CGO_ENABLED=0"},
		"not sorted":             {func(t *release.Target) { t.Env = slices.Clone(t.Env); slices.Reverse(t.Env) }, "variable 1"},
		"a variable twice":       {func(t *release.Target) { t.Env = append(slices.Clone(t.Env), "TZ=UTC") }, "one too many"},
		"nothing":                {func(t *release.Target) { t.Argv = nil }, "no complete go build"},
	} {
		t.Run(name, func(t *testing.T) {
			p := relabel(t, test.lie)
			report, err := rebuild.Run(t.Context(), p.options())
			if name == "-mod=vendor, unasked" {
				// A vendor directory would make it right: it takes the commit to see that
				// it is not.
				if err != nil || report.Result != rebuild.Incomplete || !strings.Contains(report.Targets[0].Reason, test.part) {
					t.Fatalf("%+v, %v", report, err)
				}
			} else {
				wantError(t, err, gobuild.KindTampered, binaryFile, test.part)
			}
			if _, err := os.Lstat(marker); err == nil {
				t.Fatal("the marker program ran")
			}
		})
	}
}

// Recipes and binaries belong together one by one.
func TestRecipesFitTheBinaries(t *testing.T) {
	for name, test := range map[string]struct {
		lie  func(p *release.Plan, built []release.Built)
		part string
	}{
		"another main package": {func(p *release.Plan, built []release.Built) {
			built[0].Target.Argv = slices.Clone(built[0].Target.Argv)
			built[0].Target.Argv[len(built[0].Target.Argv)-1] = "./cmd/x"
		}, "the recipe builds example.com/tiny/cmd/x"},
		"a directory outside":                  {func(p *release.Plan, _ []release.Built) { p.Source.Directory = "../../etc" }, "below the repository's root"},
		"a directory that is not the module's": {func(p *release.Plan, _ []release.Built) { p.Source.Directory = "cmd" }, "the commit has module"},
		"another tree":                         {func(p *release.Plan, _ []release.Built) { p.Source.GitTree = strings.Repeat("0", 40) }, "expected commit"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t, tiny(), tag)
			p := r.release(making{key: newKey(t, 1), plan: test.lie}).believed()
			_, err := rebuild.Run(t.Context(), p.options())
			wantError(t, err, gobuild.KindTampered, test.part)
		})
	}
}

// Between verification and rebuild, somebody changes the package.
func TestPackageThatChangesMeanwhile(t *testing.T) {
	proxy, files := dependent(t)
	r := newRepo(t, files, tag)
	r.download(proxy)
	made := r.release(making{key: newKey(t, 1), withSource: true}).verified()
	for _, name := range []string{
		binaryFile, release.ManifestFile, release.ProvenancePath("tiny", false), release.SourcePackPath("tiny", tag), release.SourceModulesPath("tiny", tag),
	} {
		p := made.copy(t).verified()
		data := p.read(name)
		data[len(data)/2] ^= 1
		p.put(name, data)
		opts := p.options()
		opts.Source = ""
		_, err := rebuild.Run(t.Context(), opts)
		wantError(t, err, gobuild.KindTampered, name+" has changed since the package was verified")
	}
}

func TestUnverifiedPackageIsNotRebuilt(t *testing.T) {
	p := newRepo(t, tiny(), tag).release(making{key: newKey(t, 1)}).verified()
	failed := *p.verdict
	failed.Result = release.Fail
	for _, v := range []*release.Verdict{nil, {}, &failed, {Result: release.Pass}} {
		opts := p.options()
		opts.Verdict = v
		_, err := rebuild.Run(t.Context(), opts)
		wantError(t, err, gobuild.KindTampered)
	}
}

// Signed source that is not the commit's, or not what rollproof writes.
func TestHostileCarriedSource(t *testing.T) {
	for name, test := range map[string]struct {
		lie  func(t *testing.T, r *repo, dir string)
		part string
	}{
		"source of another commit": {func(t *testing.T, r *repo, dir string) {
			other := newRepo(t, map[string]string{"go.mod": "module example.com/tiny\n", "main.go": "package main\n\nfunc main() {}\n"}, tag)
			q := other.release(making{key: newKey(t, 1), withSource: true})
			writeFile(t, filepath.Join(dir, release.SourcePackPath("tiny", tag)), string(q.read(release.SourcePackPath("tiny", tag))), 0o644)
		}, "it does not hold commit"},
		"a pack by git": {func(t *testing.T, r *repo, dir string) {
			r.git("repack", "-q", "-a", "-d")
			packs, err := filepath.Glob(filepath.Join(r.dir, ".git", "objects", "pack", "*.pack"))
			if err != nil || len(packs) != 1 {
				t.Fatal(packs, err)
			}
			data, err := os.ReadFile(packs[0])
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(dir, release.SourcePackPath("tiny", tag)), string(data), 0o644)
		}, "source pack: "},
		"a dependency of another go.sum": {func(t *testing.T, r *repo, dir string) {
			proxy := newProxy(t)
			proxy.add(dependency, "v1.0.0", greeting("hacked"))
			_, files := dependent(t)
			files["go.sum"] = proxy.sum.String()
			other := newRepo(t, files, tag)
			other.download(proxy)
			q := other.release(making{key: newKey(t, 1), withSource: true})
			writeFile(t, filepath.Join(dir, release.SourceModulesPath("tiny", tag)), string(q.read(release.SourceModulesPath("tiny", tag))), 0o644)
		}, "checksum mismatch"},
		"a module archive that is none": {func(t *testing.T, r *repo, dir string) {
			writeFile(t, filepath.Join(dir, release.SourceModulesPath("tiny", tag)), "PK", 0o644)
		}, "module archive: "},
	} {
		t.Run(name, func(t *testing.T) {
			proxy, files := dependent(t)
			r := newRepo(t, files, tag)
			r.download(proxy)
			p := r.release(making{key: newKey(t, 1), withSource: true, source: func(dir string, _ []string) { test.lie(t, r, dir) }}).verified()
			opts := p.options()
			opts.Source = ""
			report, err := rebuild.Run(t.Context(), opts)
			if err == nil {
				if report.Result == rebuild.Match || !strings.Contains(report.Targets[0].Reason, test.part) {
					t.Errorf("%+v, want %q", report, test.part)
				}
				return
			}
			wantError(t, err, gobuild.KindTampered, test.part)
		})
	}
}
