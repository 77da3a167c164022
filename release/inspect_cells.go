package release

import (
	"fmt"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release/provenance"
	"github.com/rollproof/rollproof/release/sbom"
)

// statements are facts by name, as one side states them.
type statements map[string]string

// inspect makes the row of a binary.
func (in *inspector) inspect(path string) InspectedBinary {
	file, exists := in.files[path]
	row := InspectedBinary{Path: printable(path), SHA256: file.sha256, Size: file.size}
	var info *buildInfo
	if exists {
		if read, err := in.openBuildInfo(path); err == nil {
			info = &read
		}
	}
	row.Cells = []Cell{
		in.manifestCell(path), in.checksumsCell(path), in.buildInfoCell(path, info),
		in.spdxCell(path, info), in.cycloneDXCell(path), in.provenanceCell(path, info),
	}
	return row
}

// cell compares what a document says with what is expected. A document that can't be
// read has one difference, which says why; one that says nothing is absent.
func (in *inspector) cell(column string, said, expected statements) Cell {
	c := Cell{Document: column, State: Agree, Differences: []Difference{}}
	if why := in.unreadable[column]; why != "" {
		c.State, c.Differences = Differ, []Difference{{"document", "unreadable: " + printable(why), "a document that can be read"}}
		return c
	}
	if said == nil {
		c.State = Absent
		return c
	}
	for _, fact := range sortedKeys(said, expected) {
		c.Compared++
		if said[fact] != expected[fact] {
			c.State = Differ
			c.Differences = append(c.Differences, Difference{printable(fact), printable(said[fact]), printable(expected[fact])})
		}
	}
	return c
}

// ofFile are the facts of a file; none when it is missing.
func (in *inspector) ofFile(path string) statements {
	file, exists := in.files[path]
	if !exists {
		return statements{}
	}
	return statements{"sha256": file.sha256, "size": fmt.Sprint(file.size)}
}

func (in *inspector) manifestCell(path string) Cell {
	for _, f := range in.manifest.Files {
		if f.Path == path {
			said, expected := statements{"sha256": f.SHA256, "size": fmt.Sprint(f.Size)}, in.ofFile(path)
			if mode := in.files[path].mode; mode != "" {
				said["mode"], expected["mode"] = f.Mode, mode
			}
			return in.cell(columnManifest, said, expected)
		}
	}
	return in.cell(columnManifest, nil, nil)
}

func (in *inspector) checksumsCell(path string) Cell {
	sum, listed := in.sums[path]
	if !listed {
		return in.cell(columnChecksums, nil, nil)
	}
	expected := in.ofFile(path)
	delete(expected, "size")
	return in.cell(columnChecksums, statements{"sha256": sum}, expected)
}

// buildInfoCell compares build info with the manifest.
func (in *inspector) buildInfoCell(path string, info *buildInfo) Cell {
	if _, exists := in.files[path]; info == nil && exists {
		return in.cell(columnBuildInfo, statements{"build info": ""}, statements{"build info": "that of go build"})
	}
	if info == nil {
		return in.cell(columnBuildInfo, nil, nil)
	}
	said := statements{
		"main package": info.mainPackage, "main version": info.mainVersion, "module": info.mainModule, "toolchain": info.goVersion,
		"platform": platformOf(info), "commit": info.settings["vcs.revision"], "commit time": info.settings["vcs.time"],
	}
	expected := statements{}
	for _, b := range in.manifest.Binaries {
		if b.Path == path {
			r := in.manifest.Release
			expected = statements{
				"main package": b.Main, "main version": b.GoVersion, "module": r.Module, "toolchain": in.manifest.Toolchain,
				"platform": b.Platform.String(), "commit": r.Source.GitCommit, "commit time": r.Source.CommitTime,
			}
		}
	}
	return in.cell(columnBuildInfo, said, expected)
}

func platformOf(info *buildInfo) string {
	return Platform{info.settings["GOOS"], info.settings["GOARCH"]}.String()
}

func (in *inspector) spdxCell(path string, info *buildInfo) Cell {
	b, listed := in.bill[path]
	if !listed {
		return in.cell(columnSPDX, nil, nil)
	}
	said, expected := statements{"sha256": b.SHA256, "size": fmt.Sprint(b.Size)}, in.ofFile(path)
	if info != nil {
		said["commit"], expected["commit"] = in.document.GitCommit, info.settings["vcs.revision"]
		said["module"], expected["module"] = in.document.Module, info.mainModule
		addBinary(said, b)
		addBinary(expected, sbom.FromBuildInfo(info.raw))
	}
	return in.cell(columnSPDX, said, expected)
}

// addBinary enters what build info tells and the SPDX document repeats.
func addBinary(s statements, b sbom.Binary) {
	s["platform"], s["toolchain"], s["main package"], s["main version"] = b.OS+"/"+b.Arch, b.GoVersion, b.MainPackage, b.MainVersion
	for _, m := range b.Modules {
		text := m.Version + " " + m.Sum
		if r := m.Replace; r != (sbom.Replacement{}) {
			text = fmt.Sprintf("%s => %s %s %s", m.Version, r.Path, r.Version, r.Sum)
		}
		s["module "+m.Path] = strings.TrimSpace(text)
	}
}

// cycloneDXCell compares the whole document, which follows from the SPDX one. Without
// an SPDX document it has nothing to agree with.
func (in *inspector) cycloneDXCell(path string) Cell {
	said, expected := statements{"document, sha256": evidence.SHA256(in.cycloneDX)}, statements{}
	if in.converted != nil {
		expected["document, sha256"] = evidence.SHA256(in.converted)
	}
	if _, listed := in.bill[path]; in.cycloneDX == nil || in.converted != nil && !listed {
		said, expected = nil, nil
	}
	return in.cell(columnCycloneDX, said, expected)
}

// provenanceCell compares subject, recipe and dependencies.
func (in *inspector) provenanceCell(path string, info *buildInfo) Cell {
	sum, listed := in.subjects[path]
	if !listed {
		return in.cell(columnProvenance, nil, nil)
	}
	definition := in.origin.Predicate.BuildDefinition
	said, expected := statements{"sha256": sum}, in.ofFile(path)
	delete(expected, "size")
	if info == nil {
		return in.cell(columnProvenance, said, expected)
	}
	said["toolchain"], expected["toolchain"] = definition.InternalParameters.Toolchain, info.goVersion
	said["module"], expected["module"] = definition.ExternalParameters.Module, info.mainModule
	said["commit"], expected["commit"] = definition.ExternalParameters.Source.Digest["gitCommit"], info.settings["vcs.revision"]
	digests := map[string]string{}
	for _, r := range definition.ResolvedDependencies {
		digests[r.URI] = dependencyDigest(r)
	}
	for _, m := range info.modules {
		uri := provenance.ModuleURI(m.path, m.version)
		said["dependency "+uri], expected["dependency "+uri] = digests[uri], moduleDigest(m)
	}
	in.addRecipe(path, info, said, expected)
	return in.cell(columnProvenance, said, expected)
}

// addRecipe enters the settings that follow from the recipe of a binary.
func (in *inspector) addRecipe(path string, info *buildInfo, said, expected statements) {
	expected["main package"] = info.mainPackage
	for _, recipe := range in.origin.Predicate.BuildDefinition.InternalParameters.Targets {
		if recipe.Binary != path {
			continue
		}
		invocation, err := recipe.Parse()
		settings, err2 := recipe.Settings()
		if err != nil || err2 != nil {
			said["recipe"], expected["recipe"] = "not of this build type", "of this build type"
			return
		}
		said["main package"] = in.origin.Predicate.BuildDefinition.ExternalParameters.Module + strings.TrimPrefix(invocation.Package, ".")
		for name, value := range settings {
			said["setting "+name], expected["setting "+name] = value, info.settings[name]
		}
	}
}
