package release

import (
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/release/provenance"
)

// loadProvenance checks the provenance's signature and subjects.
func (v *verification) loadProvenance() {
	if v.manifest == nil {
		v.notChecked(checkProvenanceSignature, "", noManifest)
		v.notChecked(checkProvenanceSubjects, "", noManifest)
		return
	}
	if v.imported {
		v.checkImported()
		return
	}
	path := ProvenancePath(v.manifest.Release.Project, v.manifest.DryRun)
	payload, problems := v.statementPayload(path, evidence.Provenance)
	switch {
	case v.manifest.DryRun:
		v.skipUnsigned(checkProvenanceSignature)
	case len(problems) == 0:
		v.pass(checkProvenanceSignature, path)
	}
	if len(problems) > 0 {
		v.outcome(checkProvenanceSignature, path, problems)
		v.notChecked(checkProvenanceSubjects, path, "no provenance verified")
		return
	}
	s, err := provenance.Read(payload)
	if err != nil {
		v.fail(checkProvenanceSubjects, path, "SLSA provenance v1 of this build type", archive.Printable(err.Error()), "the package was made by something else")
		return
	}
	v.provenance = &s
	v.outcome(checkProvenanceSubjects, path, v.provenanceSubjects(s))
}

// statementPayload returns the bytes of a statement of layer 2: out of a bundle that
// verifies, or bare in a dry run.
func (v *verification) statementPayload(path, predicateType string) ([]byte, []problem) {
	if v.manifest.DryRun {
		data, err := v.read(path, maxManifest)
		if err != nil {
			return nil, []problem{wrong(path, "a statement", archive.Printable(err.Error()), "get the package again")}
		}
		return data, nil
	}
	signed, p := v.verifyBundle(path, predicateType)
	if p == nil {
		p = v.checkLayerKey(signed.bundle.KeyID)
	}
	if p != nil {
		return nil, []problem{*p}
	}
	return signed.bundle.Payload, nil
}

// provenanceSubjects compares the subjects with the binaries, and the byproducts
// with the SBOM and checksums.txt.
func (v *verification) provenanceSubjects(s provenance.Statement) []problem {
	said, problems := subjectsOf(s.Subject)
	binaries := map[string]string{}
	for _, path := range v.manifest.paths(RoleBinary) {
		binaries[path] = v.files[path].sha256
	}
	problems = append(problems, differences(said, binaries, "a subject of the provenance")...)
	made, byproducts := map[string]string{}, map[string]string{}
	for _, r := range s.Predicate.RunDetails.Byproducts {
		made[r.Name] = r.Digest["sha256"]
	}
	for _, path := range append(v.manifest.paths(RoleSBOM), ChecksumsFile) {
		byproducts[path] = v.files[path].sha256
	}
	problems = append(problems, differences(made, byproducts, "a byproduct of the provenance")...)
	slices.SortFunc(problems, func(a, b problem) int { return strings.Compare(a.subject, b.subject) })
	return problems
}
