package release

import (
	"fmt"

	"github.com/rollproof/rollproof/release/sbom"
)

// writeSBOMs writes the SPDX document and, if asked for, the CycloneDX one that follows
// from it.
func (a *assembly) writeSBOMs() error {
	path := SBOMPath(a.identity.Project)
	spdx, err := a.sbom()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := a.write(path, spdx, RoleSBOM); err != nil || !a.in.CycloneDX {
		return err
	}
	path = CycloneDXPath(a.identity.Project)
	cycloneDX, err := sbom.CycloneDX(spdx)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return a.write(path, cycloneDX, RoleSBOM)
}

// sbom returns the SPDX document.
func (a *assembly) sbom() ([]byte, error) {
	source, facts := a.in.Plan.Source, a.in.Facts
	f := sbom.Facts{
		Project: a.identity.Project, Version: a.identity.Version, Module: a.identity.Module,
		Supplier: sbom.Supplier(a.in.Settings.Supplier),
		Source: sbom.Source{
			URI: a.identity.Source.URI, GitCommit: source.GitCommit, GitTree: source.GitTree,
			CommitTime: source.CommitTime, Dirty: source.Dirty, License: sbomLicense(facts.License), Listing: listing(facts.Tree),
		},
		Tool:      "rollproof-" + toolVersion(a.in.Tool),
		Toolchain: sbom.Toolchain{Version: a.in.Plan.Toolchain, Listing: listing(facts.Toolchain)},
		Direct:    sbomNames(facts.Direct),
	}
	for _, b := range a.binaries {
		f.Binaries = append(f.Binaries, sbomBinary(b.Binary, b.info, b.size, b.sha256, b.sha512))
	}
	for _, m := range facts.Modules {
		f.Modules = append(f.Modules, sbom.Module{
			Path: m.Path, Version: m.Version, Sum: m.Sum, ZipSHA256: m.ZipSHA256, ZipSHA512: m.ZipSHA512,
			License: sbomLicense(m.License), DependsOn: sbomNames(m.DependsOn),
		})
	}
	return sbom.Write(f)
}

// toolVersion is rollproof's version as a name may hold it.
func toolVersion(version string) string {
	if version == "(devel)" {
		return "devel"
	}
	return version
}

// sbomBinary is what the SPDX document says of one binary.
func sbomBinary(b Binary, info buildInfo, size int64, sha256, sha512 string) sbom.Binary {
	x := sbom.FromBuildInfo(info.raw)
	x.Path, x.Name, x.Size, x.SHA256, x.SHA512 = b.Path, b.Name, size, sha256, sha512
	return x
}

// listing digests the list of a set of files; none gives none.
func listing(files []TreeFile) sbom.Checksums {
	if len(files) == 0 {
		return sbom.Checksums{}
	}
	listed := make([]sbom.Listed, len(files))
	for i, f := range files {
		listed[i] = sbom.Listed{Path: f.Path, SHA256: f.SHA256}
	}
	return sbom.List(listed)
}

func sbomLicense(l LicenseFact) sbom.License {
	x := sbom.License{Expression: l.Expression, Copyright: l.Copyright}
	for _, t := range l.Extracted {
		x.Extracted = append(x.Extracted, sbom.ExtractedText(t))
	}
	return x
}

func sbomNames(names []ModuleName) []sbom.ModuleName {
	var out []sbom.ModuleName
	for _, n := range names {
		out = append(out, sbom.ModuleName(n))
	}
	return out
}
