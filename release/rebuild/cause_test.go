package rebuild_test

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/rebuild"
)

// hide changes files of a clone so that git, and the stamp of go build, takes them
// for unchanged: the lie that no signature shows.
func (r *repo) hide(dir string, files map[string]string) {
	r.t.Helper()
	for name, text := range files {
		writeFile(r.t, filepath.Join(dir, filepath.FromSlash(name)), text, 0o644)
		r.git("-C", dir, "update-index", "--assume-unchanged", name)
	}
}

// edit changes the bytes of a file.
func edit(t *testing.T, file string, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, change(data), 0o755); err != nil {
		t.Fatal(err)
	}
}

// A lie is a package whose binary is not what its provenance says.
type lie struct {
	files    map[string]string // of the module, nil for the tiny one
	proxy    *proxy
	platform release.Platform // "" for linux/amd64
	tell     func(t *testing.T, r *repo, file string)
	seen     bool // verification sees it as well
	cause    rebuild.Cause
	section  string
	parts    []string // of the explanation
}

// Every cause, by building the wrong thing on purpose.
func TestWrongBinariesDiffer(t *testing.T) {
	changed := "package main\n\nvar word = \"honest\"\n\nfunc main() { println(word); println(\"and more\") }\n"
	for name, l := range map[string]lie{
		"changed source": {tell: func(t *testing.T, r *repo, file string) {
			dir := r.clone()
			r.hide(dir, map[string]string{"main.go": changed})
			r.goBuild(dir, file, nil)
		}, cause: rebuild.CauseSource, section: ".text", parts: []string{"the main package", "main.main has"}},
		"changed source of the same size": {tell: func(t *testing.T, r *repo, file string) {
			dir := r.clone()
			r.hide(dir, map[string]string{"main.go": strings.Replace(tiny()["main.go"], "honest", "hacked", 1)})
			r.goBuild(dir, file, nil)
		}, cause: rebuild.CauseSource, section: ".rodata", parts: []string{"the main package"}},
		"one more function": {tell: func(t *testing.T, r *repo, file string) {
			dir := r.clone()
			r.hide(dir, map[string]string{"main.go": changed + "\n//go:noinline\nfunc door() { println(\"open\") }\n\nfunc init() { door() }\n"})
			r.goBuild(dir, file, nil)
		}, cause: rebuild.CauseSource, section: ".text", parts: []string{"only the package's binary has main.door"}},
		"dirty tree": {tell: func(t *testing.T, r *repo, file string) {
			dir := r.clone()
			writeFile(t, filepath.Join(dir, "main.go"), changed, 0o644)
			r.goBuild(dir, file, nil)
		}, seen: true, cause: rebuild.CauseDirtyTree, section: ".text", parts: []string{"changed files", "+dirty"}},
		"missing tag": {tell: func(t *testing.T, r *repo, file string) {
			dir := r.clone()
			r.git("-C", dir, "tag", "-d", tag)
			r.goBuild(dir, file, nil)
		}, cause: rebuild.CauseMissingTag, parts: []string{"v0.0.0-20260102030405-", "rebuilt v1.2.3"}},
		"string set by the linker": {tell: func(t *testing.T, r *repo, file string) {
			r.goBuild(r.clone(), file, nil, "-ldflags=-X=main.word=hacked!")
		}, cause: rebuild.CauseLinkerFlags, parts: []string{"other -ldflags"}},
		"symbols stripped": {tell: func(t *testing.T, r *repo, file string) {
			r.goBuild(r.clone(), file, nil, "-ldflags=-s -w")
		}, cause: rebuild.CauseLinkerFlags, parts: []string{"-s or -w"}},
		"build id removed": {tell: func(t *testing.T, r *repo, file string) {
			r.goBuild(r.clone(), file, nil, "-ldflags=-buildid=")
		}, cause: rebuild.CauseLinkerFlags, parts: []string{"no build id"}},
		"build tag": {tell: func(t *testing.T, r *repo, file string) {
			r.goBuild(r.clone(), file, nil, "-tags=debug")
		}, seen: true, cause: rebuild.CauseSettings, parts: []string{"-tags is debug, rebuilt missing"}},
		"compiler flag": {tell: func(t *testing.T, r *repo, file string) {
			r.goBuild(r.clone(), file, nil, "-gcflags=-N -l")
		}, seen: true, cause: rebuild.CauseSettings, parts: []string{"-gcflags is -N -l"}},
		"instruction set": {tell: func(t *testing.T, r *repo, file string) {
			r.goBuild(r.clone(), file, []string{"GOAMD64=v2"})
		}, seen: true, cause: rebuild.CauseSettings, parts: []string{"GOAMD64 is v2, rebuilt v1"}},
		"standard library replaced": {tell: func(t *testing.T, r *repo, file string) {
			r.goBuild(r.clone(), file, nil, "-overlay="+overlayOf(t, "internal/goos", "package goos\n\nvar Door = 1\n"))
		}, cause: rebuild.CauseSource},
		"a byte of the code": {tell: func(t *testing.T, r *repo, file string) {
			edit(t, file, func(data []byte) []byte { data[sectionAt(t, data, ".text")+100] ^= 1; return data })
		}, cause: rebuild.CauseEdited, section: ".text", parts: []string{"changed afterwards"}},
		"a byte of the header": {tell: func(t *testing.T, r *repo, file string) {
			edit(t, file, func(data []byte) []byte { data[9] ^= 1; return data }) // padding of the ELF identification
		}, cause: rebuild.CauseEdited, section: "headers"},
		"bytes at the end": {tell: func(t *testing.T, r *repo, file string) {
			edit(t, file, func(data []byte) []byte { return append(data, "more"...) })
		}, cause: rebuild.CauseEdited, section: "end of file"},
		"Mach-O signed again": {platform: release.Platform{OS: "darwin", Arch: "arm64"}, tell: func(t *testing.T, r *repo, file string) {
			edit(t, file, func(data []byte) []byte { data[signatureAt(t, data)+60] ^= 1; return data })
		}, cause: rebuild.CauseCodeSignature, section: "code signature"},
		"PE signed": {platform: release.Platform{OS: "windows", Arch: "amd64"}, tell: func(t *testing.T, r *repo, file string) {
			edit(t, file, func(data []byte) []byte { return authenticode(data) })
		}, cause: rebuild.CauseCodeSignature, section: "certificate table"},
		"PE of a changed source": {platform: release.Platform{OS: "windows", Arch: "amd64"}, tell: func(t *testing.T, r *repo, file string) {
			dir := r.clone()
			r.hide(dir, map[string]string{"main.go": changed})
			r.goBuild(dir, file, []string{"GOOS=windows"})
		}, cause: rebuild.CauseSource, section: ".text", parts: []string{"the main package"}},
		"Mach-O of a changed source": {platform: release.Platform{OS: "darwin", Arch: "arm64"}, tell: func(t *testing.T, r *repo, file string) {
			dir := r.clone()
			r.hide(dir, map[string]string{"main.go": changed})
			r.goBuild(dir, file, []string{"GOOS=darwin", "GOARCH=arm64"})
		}, cause: rebuild.CauseSource, section: "__TEXT,__text", parts: []string{"main.main has"}},
	} {
		t.Run(name, func(t *testing.T) { l.check(t) })
	}
}

func TestWrongDependenciesDiffer(t *testing.T) {
	proxy, files := dependent(t)
	vendored := with(files, vendorDirectory("honest"))
	for name, l := range map[string]lie{
		"edited module cache": {files: files, proxy: proxy, tell: func(t *testing.T, r *repo, file string) {
			dir := r.clone()
			cache := t.TempDir()
			r.goRun(proxy.env(cache), "mod", "download")
			writeFile(t, filepath.Join(cache, "example.com", "!greet@v1.0.0", "greet.go"), greeting("hacked and more")["greet.go"], 0o644)
			r.goBuild(dir, file, []string{"GOMODCACHE=" + cache})
		}, cause: rebuild.CauseSource, parts: []string{"something that it imports"}},
		"vendor directory changed": {files: vendored, tell: func(t *testing.T, r *repo, file string) {
			dir := r.clone()
			r.hide(dir, map[string]string{"vendor/example.com/Greet/greet.go": greeting("hacked and more")["greet.go"]})
			r.goBuild(dir, file, nil, "-mod=vendor")
		}, cause: rebuild.CauseSource},
		"vendor directory passed over": {files: vendored, proxy: proxy, tell: func(t *testing.T, r *repo, file string) {
			r.download(proxy)
			r.goBuild(r.clone(), file, nil, "-mod=readonly")
		}, cause: rebuild.CauseVendor, parts: []string{"vendor directory", dependency, "h1:"}},
	} {
		t.Run(name, func(t *testing.T) { l.check(t) })
	}
}

// A vendored release matches without any module cache.
func TestVendoredPackageMatches(t *testing.T) {
	_, files := dependent(t)
	r := newRepo(t, with(files, vendorDirectory("honest")), tag)
	p := r.release(making{key: newKey(t, 1), withSource: true}).verified()
	opts := p.options()
	opts.Source = ""
	report := run(t, opts)
	wantResult(t, report, rebuild.Match)
	if report.Modules != "module-cache" {
		t.Errorf("a vendored package carries modules")
	}
}

func (l lie) check(t *testing.T) {
	t.Helper()
	if l.files == nil {
		l.files = tiny()
	}
	m := making{key: newKey(t, 1), platforms: linux}
	if l.platform.OS != "" {
		m.platforms = []release.Platform{l.platform}
	}
	r := newRepo(t, l.files, tag)
	if l.proxy != nil {
		r.download(l.proxy)
	}
	m.binary = func(file string) { l.tell(t, r, file) }
	p := r.release(m)
	if seen := p.verdict.Result != release.Pass; seen != l.seen {
		t.Errorf("verification sees the lie: %v, want %v", seen, l.seen)
	}
	opts := p.believed().options()
	opts.Keep = t.TempDir()
	report := run(t, opts)
	wantResult(t, report, rebuild.Differs)
	got := report.Targets[0]
	if got.Result != rebuild.Differs || got.Difference == nil {
		t.Fatalf("%+v", got)
	}
	d := *got.Difference
	if d.Cause != l.cause || d.Section == "" || l.section != "" && d.Section != l.section {
		t.Errorf("cause %s, section %s; want %s, %s: %+v", d.Cause, d.Section, l.cause, l.section, d)
	}
	for _, part := range l.parts {
		if !strings.Contains(d.Explanation, part) {
			t.Errorf("explanation %q lacks %q", d.Explanation, part)
		}
	}
	if kept, err := os.ReadDir(opts.Keep); err != nil || len(kept) != 1 {
		t.Errorf("kept %v, %v", kept, err)
	}
}

// vendorDirectory is what go mod vendor writes.
func vendorDirectory(word string) map[string]string {
	return map[string]string{
		"vendor/modules.txt":                "# " + dependency + " v1.0.0\n## explicit; go 1.24\n" + dependency + "\n",
		"vendor/example.com/Greet/greet.go": greeting(word)["greet.go"],
	}
}

func with(files, more map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range []map[string]string{files, more} {
		for name, text := range m {
			all[name] = text
		}
	}
	return all
}

// overlayOf adds a file to a package of the standard library.
func overlayOf(t *testing.T, pkg, text string) string {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "door.go"), text, 0o644)
	writeFile(t, filepath.Join(dir, "overlay.json"),
		`{"Replace":{"`+filepath.Join(goroot(t), "src", pkg, "door.go")+`":"`+filepath.Join(dir, "door.go")+`"}}`, 0o644)
	return filepath.Join(dir, "overlay.json")
}

// sectionAt is where a section of an ELF file begins.
func sectionAt(t *testing.T, data []byte, name string) uint64 {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return f.Section(name).Offset
}

// signatureAt is where the code signature of a Mach-O file begins.
func signatureAt(t *testing.T, data []byte) uint32 {
	t.Helper()
	f, err := macho.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for _, load := range f.Loads {
		if raw := load.Raw(); binary.LittleEndian.Uint32(raw) == 0x1d {
			return binary.LittleEndian.Uint32(raw[8:])
		}
	}
	t.Fatal("no code signature")
	return 0
}

// authenticode adds a certificate table to a PE file, as signing tools do.
func authenticode(data []byte) []byte {
	optional := binary.LittleEndian.Uint32(data[0x3c:]) + 24
	entry := data[optional+112+4*8:] // the fifth data directory of PE32+
	table := slices.Repeat([]byte("signed.."), 4)
	binary.LittleEndian.PutUint32(entry, uint32(len(data)))
	binary.LittleEndian.PutUint32(entry[4:], uint32(len(table)))
	return append(data, table...)
}
