package release

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/release/sbom"
)

// checkSBOM compares the SPDX document with the build info of each binary, and the
// CycloneDX document, where there is one, with the SPDX document.
func (v *verification) checkSBOM() {
	if v.manifest == nil {
		v.notChecked(checkSBOM, "", noManifest)
		return
	}
	path := SBOMPath(v.manifest.Release.Project)
	data, err := v.read(path, maxSBOM)
	var doc *sbom.Document
	if err == nil {
		doc, err = sbom.Read(data)
	}
	if err != nil {
		v.fail(checkSBOM, path, "an SPDX 2.3 document as rollproof writes it", archive.Printable(err.Error()), "get the package again from where it was made")
		return // and a CycloneDX document has nothing to be compared with: the verdict fails already
	}
	problems := v.sbomIdentity(path, doc)
	said := map[string]sbom.Binary{}
	for _, b := range doc.Binaries {
		said[b.Path] = b
	}
	for _, b := range v.manifest.Binaries {
		if s, listed := said[b.Path]; listed {
			problems = append(problems, v.sbomBinaryProblems(b, s)...)
		} else {
			problems = append(problems, wrong(b.Path, "an entry in the SBOM", "none", "the SBOM belongs to another package"))
		}
		delete(said, b.Path)
	}
	for _, extra := range sortedKeys(said) {
		problems = append(problems, wrong(archive.Printable(extra), "no entry in the SBOM", "one", "the SBOM belongs to another package"))
	}
	v.outcome(checkSBOM, path, problems)
	v.checkCycloneDX(data)
}

// checkCycloneDX makes the CycloneDX document again and compares bytes.
func (v *verification) checkCycloneDX(spdx []byte) {
	path := CycloneDXPath(v.manifest.Release.Project)
	if !slices.Contains(v.manifest.paths(RoleSBOM), path) {
		return
	}
	hint := "get the package again from where it was made"
	want, err := sbom.CycloneDX(spdx)
	if err != nil {
		v.fail(checkSBOM, path, "a CycloneDX document of what the SPDX one says", archive.Printable(err.Error()), hint)
		return
	}
	data, err := v.read(path, maxSBOM)
	switch {
	case err != nil:
		v.fail(checkSBOM, path, "a CycloneDX document", archive.Printable(err.Error()), hint)
	case !bytes.Equal(data, want):
		v.fail(checkSBOM, path, "what the SPDX document says, in CycloneDX: sha256 "+evidence.SHA256(want), "another document: sha256 "+evidence.SHA256(data), hint)
	default:
		v.pass(checkSBOM, path)
	}
}

// sbomIdentity compares what the document says of the release.
func (v *verification) sbomIdentity(path string, doc *sbom.Document) []problem {
	id := v.manifest.Release
	var problems []problem
	for _, f := range []struct{ what, want, got string }{
		{"project", id.Project, doc.Project},
		{"version", id.Version, doc.Version},
		{"module", id.Module, doc.Module},
		{"commit", id.Source.GitCommit, doc.GitCommit},
		{"tree", id.Source.GitTree, doc.GitTree},
		{"created", id.Source.CommitTime, doc.Created.UTC().Format("2006-01-02T15:04:05Z")},
		{"toolchain", v.manifest.Toolchain, doc.Toolchain},
	} {
		if f.want != f.got {
			problems = append(problems, wrong(path, f.what+" "+f.want, f.what+" "+archive.Printable(f.got), "the SBOM belongs to another release"))
		}
	}
	return problems
}

// sbomBinaryProblems compares one binary's entry with the binary itself.
func (v *verification) sbomBinaryProblems(b Binary, said sbom.Binary) []problem {
	info, ok := v.builds[b.Path]
	if !ok {
		return nil // reported with the build info
	}
	file := v.files[b.Path]
	actual := sbomBinary(b, info, file.size, file.sha256, said.SHA512)
	var problems []problem
	for _, f := range []struct{ what, said, actual string }{
		{"name", said.Name, actual.Name},
		{"sha256", said.SHA256, actual.SHA256},
		{"size", fmt.Sprint(said.Size), fmt.Sprint(actual.Size)},
		{"platform", said.OS + "/" + said.Arch, actual.OS + "/" + actual.Arch},
		{"toolchain", said.GoVersion, actual.GoVersion},
		{"main package", said.MainPackage, actual.MainPackage},
		{"main version", said.MainVersion, actual.MainVersion},
		{"modules", moduleLines(said.Modules), moduleLines(actual.Modules)},
	} {
		if f.said != f.actual {
			problems = append(problems, wrong(b.Path, f.what+" "+archive.Printable(f.said)+", as the SBOM says", f.what+" "+archive.Printable(f.actual), "the SBOM belongs to another binary"))
		}
	}
	return problems
}

func moduleLines(modules []sbom.Linked) string {
	text := ""
	for _, m := range modules {
		text += fmt.Sprintf("%s@%s %s", m.Path, m.Version, m.Sum)
		if m.Replace != (sbom.Replacement{}) {
			text += fmt.Sprintf(" => %s@%s %s", m.Replace.Path, m.Replace.Version, m.Replace.Sum)
		}
		text += "; "
	}
	return text
}
