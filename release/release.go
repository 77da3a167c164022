// Package release makes and verifies packages.
//
// A package is a closed set of files: the directory dist/<name>-<version>/ and the
// zip of the same name. Its files are made in five layers, each of which names only
// lower layers, so that nothing hashes itself:
//
//	0  bin/<name>_<version>_<os>_<arch>[.exe], <name>.spdx.json, <name>.cdx.json if
//	   asked for, installers.json, endpoint-deployment.json, trust/*, LICENSE*, NOTICE*, source/*,
//	   and of a release that was built by something else archives/*, attestations/*
//	1  checksums.txt: exactly layer 0
//	2  checksums.txt.sig, <file>.sigstore.json for each binary, each SBOM, both
//	   manifests and checksums.txt, <name>.provenance.sigstore.json,
//	   package.<8 hex of in-toto's key id>.link
//	3  release-evidence.json: every file of layers 0 to 2; release-evidence.md
//	4  release-evidence.sigstore.json: a signed statement whose subjects are exactly
//	   all files of layers 0 to 3
//
// A dry run has <name>.provenance.json instead of layer 2, and no layer 4.
//
// A release that was built by something else (Ingredients.Imported) has no provenance and
// no link: nobody here saw the build. In their place stands <name>.release.sigstore.json,
// an in-toto release statement over binaries and archives.
//
// [Assemble] writes layers 0 to 4 around binaries that a [Builder] made. [Verify]
// reads a package from a [Container], runs every check, and returns a [Verdict]. The
// same bytes come out of the same commit, tag, toolchain, configuration, version of
// rollproof and key: no clock, path, host or random value enters a package.
package release

import (
	"fmt"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release/archive"
)

// Names of the package's fixed files.
const (
	ManifestFile   = "release-evidence.json"
	MarkdownFile   = "release-evidence.md"
	ClosingFile    = "release-evidence.sigstore.json"
	ChecksumsFile  = "checksums.txt"
	RawSignature   = "checksums.txt.sig"
	InstallersFile = "installers.json"
	DeploymentFile = "endpoint-deployment.json"

	bundleSuffix = ".sigstore.json"
	dryRunSuffix = "-dry-run"
)

// Schema identifiers of the package's own documents.
const (
	manifestSchema   = evidence.Namespace + "release-manifest/v1"
	installersSchema = evidence.Namespace + "installers/v1"
	deploymentSchema = evidence.Namespace + "endpoint-deployment/v1"
)

// A Role is what a file is for in a package.
type Role string

// The roles of layers 0 to 2.
const (
	RoleBinary       Role = "binary"
	RoleSBOM         Role = "sbom"
	RoleInstallers   Role = "installers"
	RoleDeployment   Role = "endpoint-deployment"
	RoleTrust        Role = "trust"
	RoleLicense      Role = "license"
	RoleNotice       Role = "notice"
	RoleSource       Role = "source"
	RoleChecksums    Role = "checksums"
	RoleRawSignature Role = "checksums-signature"
	RoleSignature    Role = "signature"
	RoleProvenance   Role = "provenance"
	RoleLink         Role = "link"
	RoleRelease      Role = "release"     // the in-toto release statement of an imported release
	RoleArchive      Role = "archive"     // of an imported release
	RoleAttestation  Role = "attestation" // somebody else's, kept as it is
)

// An Identity says which release of which project a document belongs to. It is the
// same in every document of a package.
type Identity struct {
	Project string         `json:"project"`
	Version string         `json:"version"`
	Module  string         `json:"module"`
	Source  SourceIdentity `json:"source"`
}

// A SourceIdentity names the commit. Commit and tree are hex object names; the
// commit time is the committer's claim, RFC 3339 in UTC.
type SourceIdentity struct {
	URI        string `json:"uri"`
	Directory  string `json:"directory"`
	GitCommit  string `json:"gitCommit"`
	GitTree    string `json:"gitTree"`
	CommitTime string `json:"commitTime"`
}

// Name returns the name of the package's directory: <name>-<version>, with -dry-run
// behind a dry run's.
func (id Identity) Name(dryRun bool) string {
	name := id.Project + "-" + id.Version
	if dryRun {
		name += dryRunSuffix
	}
	return name
}

// BinaryPath returns the path of a binary inside a package.
func BinaryPath(binary, version string, p Platform) string {
	path := fmt.Sprintf("bin/%s_%s_%s_%s", binary, version, p.OS, p.Arch)
	if p.OS == "windows" {
		path += ".exe"
	}
	return path
}

// SBOMPath returns the path of the SPDX document of a project's package.
func SBOMPath(project string) string { return project + ".spdx.json" }

// CycloneDXPath returns the path of the CycloneDX document that a project's package may
// have beside the SPDX one.
func CycloneDXPath(project string) string { return project + ".cdx.json" }

// ProvenancePath returns the path of the provenance: a bundle, or the bare statement
// in a dry run.
func ProvenancePath(project string, dryRun bool) string {
	if dryRun {
		return project + ".provenance.json"
	}
	return project + ".provenance" + bundleSuffix
}

// ReleasePath returns the path of the release statement that an imported release has
// instead of provenance: a bundle, or the bare statement in a dry run.
func ReleasePath(project string, dryRun bool) string {
	if dryRun {
		return project + ".release.json"
	}
	return project + ".release" + bundleSuffix
}

// Directories of an imported release.
const (
	ArchivesDir     = "archives/"
	AttestationsDir = "attestations/"
)

// SourcePackPath returns the path of the commit's objects in a package that carries
// its source: a git pack.
func SourcePackPath(project, version string) string {
	return "source/" + project + "-" + version + ".pack"
}

// SourceModulesPath returns the path of the modules beside them: a zip that, once
// unpacked, is a module proxy.
func SourceModulesPath(project, version string) string {
	return "source/" + project + "-" + version + ".modules.zip"
}

// isSource reports whether a path is one of those that carry a release's source.
func isSource(path string, id Identity) bool {
	return path == SourcePackPath(id.Project, id.Version) || path == SourceModulesPath(id.Project, id.Version)
}

// BundlePath returns the path of a file's detached signature.
func BundlePath(path string) string { return path + bundleSuffix }

// signedRoles are the roles whose files carry a detached signature.
var signedRoles = map[Role]bool{
	RoleBinary: true, RoleSBOM: true, RoleInstallers: true, RoleDeployment: true, RoleChecksums: true, RoleArchive: true,
}

// layerOf returns the layer that files of a role belong to.
func layerOf(r Role) int {
	switch r {
	case RoleChecksums:
		return 1
	case RoleRawSignature, RoleSignature, RoleProvenance, RoleLink, RoleRelease:
		return 2
	}
	return 0
}

// textRole returns the role of a license or notice file at the package's top, "" for
// any other name.
func textRole(path string) Role {
	upper := strings.ToUpper(path)
	if strings.Contains(path, "/") || strings.HasSuffix(path, bundleSuffix) {
		return ""
	}
	if strings.HasPrefix(upper, "NOTICE") {
		return RoleNotice
	}
	for _, prefix := range []string{"LICENSE", "LICENCE", "COPYING", "UNLICENSE"} {
		if strings.HasPrefix(upper, prefix) && !strings.HasPrefix(upper, "UNLICENSED") {
			return RoleLicense
		}
	}
	return ""
}

// CheckName refuses a project name or version that cannot stand in file names and
// command lines: one path element without a slash (see [archive.CheckPath]) of at
// most 100 bytes, without an underscore at its ends.
func CheckName(what, name string) error {
	if strings.Contains(name, "/") || len(name) > 100 {
		return fmt.Errorf("%s %q: expected at most 100 letters, digits and . _ + - in one path element", what, archive.Printable(name))
	}
	if err := archive.CheckPath(name); err != nil {
		return fmt.Errorf("%s %q: expected letters, digits and . _ + -, beginning with a letter or digit", what, archive.Printable(name))
	}
	return nil
}
