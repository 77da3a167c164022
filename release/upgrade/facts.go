package upgrade

import (
	"strings"

	"github.com/rollproof/rollproof/release"
)

// Facts are what is compared of a release. [Read] fills them from a package.
type Facts struct {
	Release        release.Identity
	DryRun         bool
	ManifestDigest string   // "sha256:" and hex
	Toolchain      string   // "go1.26.8"
	License        string   // SPDX expression of the released module, "" for none
	Signers        []string // releasers, as the verdict names them
	Controls       []string // documents that are there and checks that passed, sorted
	Hazards        []release.Hazard
	Binaries       []Binary                   // sorted by path
	Targets        []release.DeploymentTarget // by id
}

// A Binary is one binary of a release.
type Binary struct {
	Name        string
	Platform    release.Platform
	Path        string // in the package
	SHA256      string // hex
	Size        int64  // bytes
	Main        string // import path of the main package
	InstallPath string
	Settings    map[string]string // of build info and recipe, without those of version control
	Modules     []Module          // dependencies, sorted by path
}

// Key names a binary in every release: "age linux/amd64".
func (b Binary) Key() string { return b.Name + " " + b.Platform.String() }

// A Module is a dependency that is linked into a binary.
type Module struct {
	Path    string // as go.mod requires it
	Version string // of the code that was linked: the replacement's, where there is one
	Sum     string // "h1:…" of that code, "" for a directory
	// Replacement is what stands in for the module: a path without version, or a
	// directory; "" when nothing does.
	Replacement string
	License     string // SPDX expression, "" for none
}

// code names what was linked.
func (m Module) code() string {
	if m.Replacement == "" {
		return m.Version
	}
	return "=> " + strings.TrimSpace(m.Replacement+" "+m.Version)
}
