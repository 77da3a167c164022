package sbom

import (
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Facts are everything that a document is made from. The order of the slices
// does not matter.
type Facts struct {
	Project   string // <name>
	Version   string // <version>: the tag as it is
	Module    string // path of the released module
	Supplier  Supplier
	Source    Source
	Tool      string // who writes: "rollproof-v1.4.2"
	Toolchain Toolchain
	Binaries  []Binary
	// Modules tells about every linked module. One with the path "std" may stand
	// for the standard library: its License, if any, is used.
	Modules []Module
	// Direct are the modules that the released module's own packages import, "std"
	// among them. Empty means that the import graph is not known, and DependsOn of
	// all modules is then ignored.
	Direct []ModuleName
}

// A Supplier is the organization that ships the release. With an empty Name it is
// the host and organization of the module path.
type Supplier struct {
	Name  string
	Email string // preferred over URL
	URL   string
}

// A Source is the commit that the release is made from.
type Source struct {
	URI        string    // of the repository: "https://github.com/example/app"
	GitCommit  string    // hex
	GitTree    string    // hex
	CommitTime time.Time // UTC, whole seconds
	Dirty      bool      // a dry run of changed files: the commit does not describe the source
	License    License
	Listing    Checksums // of the commit's files ([List]); zero when not known
}

// A Toolchain is the Go release that built the binaries.
type Toolchain struct {
	Version string    // as "go env GOVERSION" prints it: "go1.26.8"
	Listing Checksums // of the files below $GOROOT/src ([List]); zero when not known
}

// Checksums are lower-case hexadecimal digests of the same bytes.
type Checksums struct {
	SHA256 string
	SHA512 string
}

// A Binary is a shipped file.
type Binary struct {
	Path        string // in the package: "bin/age_v1.2.1_linux_amd64"
	Name        string // of the command: "age"
	SHA256      string // hex
	SHA512      string // hex
	Size        int64  // bytes
	OS          string
	Arch        string
	GoVersion   string   // of the toolchain
	MainPackage string   // import path: "filippo.io/age/cmd/age"
	MainVersion string   // of the main module as Go stamped it: "v1.2.1", "(devel)"
	Modules     []Linked // dependencies, without the main module and the standard library
}

// Linked is a module in the build information of a binary.
type Linked struct {
	Path    string
	Version string
	Sum     string // "h1:…"; "" for a replaced module
	// Replace is what stands in for the module; the zero value when nothing does.
	Replace Replacement
}

// A Replacement is the right side of a replace directive. A directory has the
// version "(devel)" and no sum.
type Replacement struct {
	Path    string
	Version string
	Sum     string // "h1:…"
}

// A Module is what is known of a linked module beyond its name. Everything but
// the name may be empty.
type Module struct {
	// Path and Version name the module that was linked: the replacement, where
	// there is one. A directory may also go by the path and version it replaces.
	Path, Version string
	Sum           string // "h1:…", as in go.sum
	ZipSHA256     string // hex; only of a zip whose own h1: equals Sum
	ZipSHA512     string // hex; likewise
	License       License
	DependsOn     []ModuleName // modules whose packages this one imports, "std" among them
}

// A ModuleName names a module at a version. The version of "std" does not matter.
type ModuleName struct{ Path, Version string }

// A License is what license files say.
type License struct {
	Expression string // SPDX license expression, "" when there is no license file
	Copyright  string // copyright lines joined with LF, "" when none was found
	Extracted  []ExtractedText
}

// An ExtractedText is a license that has no SPDX identifier.
type ExtractedText struct {
	ID   string // "LicenseRef-" and the first 16 hex of the sha256 of Text
	Text string
}

// FromBuildInfo returns what the build information of a binary says: every field
// of Binary but Path, Name, SHA256, SHA512 and Size.
func FromBuildInfo(info *debug.BuildInfo) Binary {
	b := Binary{GoVersion: info.GoVersion, MainPackage: info.Path, MainVersion: info.Main.Version}
	for _, s := range info.Settings {
		switch s.Key {
		case "GOOS":
			b.OS = s.Value
		case "GOARCH":
			b.Arch = s.Value
		}
	}
	for _, m := range info.Deps {
		linked := Linked{Path: m.Path, Version: m.Version, Sum: m.Sum}
		if r := m.Replace; r != nil {
			linked.Replace = Replacement{r.Path, r.Version, r.Sum}
		}
		b.Modules = append(b.Modules, linked)
	}
	slices.SortFunc(b.Modules, compareLinked)
	return b
}

func compareLinked(a, b Linked) int {
	if c := strings.Compare(a.Path, b.Path); c != 0 {
		return c
	}
	return strings.Compare(a.Version, b.Version)
}

// isDirectory reports whether m was taken from a directory of the commit.
func (m Linked) isDirectory() bool {
	return m.Replace.Path != "" && (m.Replace.Version == "" || m.Replace.Version == develVersion)
}

// effective returns the module whose code was linked. A directory goes by the
// path that it replaces.
func (m Linked) effective() (path, version, sum string) {
	switch {
	case m.isDirectory():
		return m.Path, develVersion, ""
	case m.Replace.Path != "":
		return m.Replace.Path, m.Replace.Version, m.Replace.Sum
	}
	return m.Path, m.Version, m.Sum
}

// develVersion is what Go writes for a module that has no version.
const develVersion = "(devel)"
