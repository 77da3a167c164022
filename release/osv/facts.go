package osv

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/sbom"
)

// Facts are what is scanned.
type Facts struct {
	Release        release.Identity
	ManifestDigest string // "sha256:" and hex
	Binaries       []Binary
}

// A Binary is one binary of the release.
type Binary struct {
	Path        string // in the package
	SHA256      string // hex
	GoVersion   string // "go1.26.8"
	MainVersion string // of the released module, as Go stamped it
	Modules     []Module
}

// A Module is code that is linked into a binary.
type Module struct {
	Path, Version string // of the replacement, where there is one; a directory has no version
	Replaces      string // the module that it stands in for, "" for none
}

// NewFacts returns what a manifest and its SBOM say.
func NewFacts(m *release.Manifest, manifestDigest string, doc *sbom.Document) Facts {
	f := Facts{Release: m.Release, ManifestDigest: manifestDigest}
	for _, b := range doc.Binaries {
		x := Binary{Path: b.Path, SHA256: b.SHA256, GoVersion: b.GoVersion, MainVersion: b.MainVersion}
		for _, l := range b.Modules {
			x.Modules = append(x.Modules, newModule(l))
		}
		f.Binaries = append(f.Binaries, x)
	}
	return f
}

func newModule(l sbom.Linked) Module {
	switch r := l.Replace; {
	case r.Path == "":
		return Module{l.Path, l.Version, ""}
	case r.Version == "" || r.Version == "(devel)": // a directory keeps the path that it replaces
		return Module{l.Path, "", l.Path + " " + l.Version}
	default:
		return Module{r.Path, r.Version, l.Path + " " + l.Version}
	}
}

// maxManifest is the size in bytes of the largest manifest that is read.
const maxManifest = 16 << 20

// Read takes the facts out of a package that has passed verification. What it reads is
// bound to the digest of the manifest that the verdict names.
func Read(c release.Container, verdict *release.Verdict) (Facts, error) {
	if verdict == nil || verdict.Result != release.Pass {
		return Facts{}, errors.New("the package has not passed verification")
	}
	data, err := readFile(c, release.ManifestFile, strings.TrimPrefix(verdict.ManifestDigest, "sha256:"), maxManifest)
	if err != nil {
		return Facts{}, err
	}
	m, err := release.DecodeManifest(data)
	if err != nil {
		return Facts{}, fmt.Errorf("%s: %w", release.ManifestFile, err)
	}
	path := release.SBOMPath(m.Release.Project)
	i := slices.IndexFunc(m.Files, func(f release.Artifact) bool { return f.Path == path })
	if i < 0 {
		return Facts{}, fmt.Errorf("%s: missing", path)
	}
	if data, err = readFile(c, path, m.Files[i].SHA256, sbom.MaxSize); err != nil {
		return Facts{}, err
	}
	doc, err := sbom.Read(data)
	if err != nil {
		return Facts{}, fmt.Errorf("%s: %w", path, err)
	}
	return NewFacts(m, verdict.ManifestDigest, doc), nil
}

func readFile(c release.Container, path, sum string, limit int64) ([]byte, error) {
	f, err := c.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if int64(len(data)) > limit || evidence.SHA256(data) != sum {
		return nil, fmt.Errorf("%s: not the file that was verified", path)
	}
	return data, nil
}

// Kinds of code.
const (
	KindRelease    = "release" // the released module itself
	KindDependency = "dependency"
	KindStdlib     = "stdlib"
	KindToolchain  = "toolchain" // not in a binary: what built it
)

// code is one thing to match, and the binaries that it is in.
type code struct {
	kind, module, version string // version as people write it
	semantic              string // as package semver has it, "" for none
	replaces              string
	binaries              []string
}

// codes lists what is in the binaries, each once, sorted.
func (f Facts) codes() []*code {
	byName := map[string]*code{}
	add := func(c code, binary string) {
		key := strings.Join([]string{c.kind, c.module, c.version, c.replaces}, "\x00")
		if byName[key] == nil {
			byName[key] = &c
		}
		if have := byName[key]; !slices.Contains(have.binaries, binary) {
			have.binaries = append(have.binaries, binary)
		}
	}
	for _, b := range f.Binaries {
		goSemantic := goVersion(b.GoVersion)
		add(code{kind: KindStdlib, module: "stdlib", version: b.GoVersion, semantic: goSemantic}, b.Path)
		add(code{kind: KindToolchain, module: "toolchain", version: b.GoVersion, semantic: goSemantic}, b.Path)
		main := mainVersion(b.MainVersion, f.Release.Version)
		add(code{kind: KindRelease, module: f.Release.Module, version: main, semantic: semantic(main)}, b.Path)
		for _, m := range b.Modules {
			add(code{kind: KindDependency, module: m.Path, version: m.Version, semantic: semantic(m.Version), replaces: m.Replaces}, b.Path)
		}
	}
	list := make([]*code, 0, len(byName))
	for _, key := range sortedKeys(byName) {
		slices.Sort(byName[key].binaries)
		list = append(list, byName[key])
	}
	return list
}

// mainVersion is the version of the released module: as Go stamped it, else the
// release's own.
func mainVersion(stamped, tag string) string {
	if semver.IsValid(stamped) {
		return stamped
	}
	return tag
}

// semantic returns the version as package semver has it, "" for none.
func semantic(version string) string {
	if c := canonical(version); semver.IsValid(c) {
		return c
	}
	return ""
}
