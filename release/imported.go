package release

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release/archive"
)

// A ReleaseClaim is the predicate of the release statement
// (https://github.com/in-toto/attestation/blob/main/spec/predicates/release.md).
type ReleaseClaim struct {
	Purl      string `json:"purl"`
	ReleaseID string `json:"releaseId"` // <name>-<version>
}

func (a *assembly) releaseStatement() evidence.Statement[ReleaseClaim] {
	var subjects []evidence.Subject
	for _, f := range a.files {
		if f.Role == RoleBinary || f.Role == RoleArchive {
			subjects = append(subjects, evidence.FileSubject(f.Path, f.SHA256))
		}
	}
	slices.SortFunc(subjects, func(x, y evidence.Subject) int { return strings.Compare(x.Name, y.Name) })
	return evidence.NewStatement(evidence.Release, subjects, claimOf(a.identity))
}

// claimOf is the predicate that a release's statement must have.
func claimOf(id Identity) ReleaseClaim {
	return ReleaseClaim{"pkg:golang/" + id.Module + "@" + strings.ReplaceAll(id.Version, "+", "%2B"), id.Name(false)}
}

// writeAttestations keeps what others state about the imported files.
func (a *assembly) writeAttestations() error {
	if a.in.Imported == nil {
		return nil
	}
	sums := map[string]bool{}
	for _, f := range a.files {
		if f.Role == RoleBinary || f.Role == RoleArchive {
			sums[f.SHA256] = true
		}
	}
	for _, name := range sortedKeys(a.in.Imported.Attestations) {
		data := a.in.Imported.Attestations[name]
		if _, err := readAttestation(data, sums); err != nil {
			return fmt.Errorf("attestation %s: %w", archive.Printable(name), err)
		}
		path := AttestationsDir + name
		if err := archive.CheckSet(append(sortedKeys(a.sha256), path)); err != nil {
			return err
		}
		if err := a.write(path, data, RoleAttestation); err != nil {
			return err
		}
	}
	return nil
}

// MaxAttestation is the size in bytes of the largest attestation that is kept.
const MaxAttestation = maxBundle

// readAttestation reads somebody else's statement, a Sigstore bundle or a DSSE envelope in
// JSON, and returns its predicate type. One that states nothing about the given sha256
// digests, or that reads as one of ours, is an error. Its signature is not looked at.
func readAttestation(data []byte, sums map[string]bool) (predicateType string, err error) {
	type dsse struct {
		PayloadType string `json:"payloadType"`
		Payload     []byte `json:"payload"`
	}
	var e struct {
		dsse
		Envelope *dsse `json:"dsseEnvelope"`
	}
	if len(data) > MaxAttestation {
		return "", fmt.Errorf("%d bytes, the limit is %d", len(data), MaxAttestation)
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return "", fmt.Errorf("neither a Sigstore bundle nor a DSSE envelope in JSON: %w", err)
	}
	if e.Envelope != nil {
		e.dsse = *e.Envelope
	}
	if e.PayloadType != evidence.PayloadType {
		return "", fmt.Errorf("payload type is %q, expected %s", archive.Printable(e.PayloadType), evidence.PayloadType)
	}
	var s struct {
		PredicateType string             `json:"predicateType"`
		Subject       []evidence.Subject `json:"subject"`
	}
	if err := json.Unmarshal(e.Payload, &s); err != nil {
		return "", fmt.Errorf("no in-toto statement: %w", err)
	}
	if !slices.Contains(trust.RolesFor(s.PredicateType), trust.Attest) {
		return "", fmt.Errorf("predicate type %q is none of a foreign attestation", archive.Printable(s.PredicateType))
	}
	for _, subject := range s.Subject {
		if sums[subject.Digest["sha256"]] {
			return s.PredicateType, nil
		}
	}
	return "", errors.New("its subjects are no binary and no archive of this release")
}

const notOurBuild = "rollproof did not build these binaries"

// buildChecks are about a build, and can't be made where rollproof saw none.
var buildChecks = map[string]bool{checkProvenanceSignature: true, checkProvenanceSubjects: true, checkProvenance: true}

// checkImported checks what an imported release has instead of provenance, and says
// plainly what nobody vouches for.
func (v *verification) checkImported() {
	v.notChecked(checkProvenanceSignature, "", notOurBuild)
	v.notChecked(checkProvenanceSubjects, "", notOurBuild)
	v.note(notOurBuild + ": " + strings.Join(v.manifest.paths(RoleBinary), ", ") + "; how and from what they were built is what the releaser says")
	path := ReleasePath(v.manifest.Release.Project, v.manifest.DryRun)
	payload, problems := v.statementPayload(path, evidence.Release)
	if len(problems) == 0 {
		problems = v.releaseProblems(path, payload)
	}
	v.outcome(checkRelease, path, problems)
	v.checkAttestations()
}

// releaseProblems compares the release statement with binaries, archives and identity.
func (v *verification) releaseProblems(path string, payload []byte) []problem {
	s, err := evidence.DecodeStatement[ReleaseClaim](payload, evidence.Release)
	if err != nil {
		return []problem{wrong(path, "an in-toto release statement", archive.Printable(err.Error()), "the package was made by something else")}
	}
	said, problems := subjectsOf(s.Subject)
	actual := map[string]string{}
	for _, file := range slices.Concat(v.manifest.paths(RoleBinary), v.manifest.paths(RoleArchive)) {
		actual[file] = v.files[file].sha256
	}
	problems = append(problems, differences(said, actual, "a subject of the release statement")...)
	if want := claimOf(v.manifest.Release); s.Predicate != want {
		problems = append(problems, wrong(path, want.Purl+", "+want.ReleaseID, archive.Printable(s.Predicate.Purl+", "+s.Predicate.ReleaseID), "the file belongs to another release"))
	}
	return problems
}

// checkAttestations looks whether each kept attestation is about this release. Whether it
// is true is for whoever trusts its signer.
func (v *verification) checkAttestations() {
	sums := map[string]bool{}
	for _, file := range slices.Concat(v.manifest.paths(RoleBinary), v.manifest.paths(RoleArchive)) {
		sums[v.files[file].sha256] = true
	}
	for _, path := range v.manifest.paths(RoleAttestation) {
		data, err := v.read(path, MaxAttestation)
		predicateType := ""
		if err == nil {
			predicateType, err = readAttestation(data, sums)
		}
		if err != nil {
			v.fail(checkAttestation, path, "an attestation of a binary or an archive of this release", archive.Printable(err.Error()), "the package was made by something else")
			continue
		}
		v.add(Check{ID: checkAttestation, Subject: path, Result: NotChecked, Expected: "a signature that somebody trusts", Actual: archive.Printable(predicateType) + ", kept as it is, signature not looked at",
			Hint: "rollproof evidence verify-bundle checks it against a trusted root"})
	}
}

// checkImportedBinary compares build info with the manifest. A binary without a commit's
// stamp says nothing about its source; one with another commit's is another source.
func (v *verification) checkImportedBinary(b Binary, info buildInfo) {
	v.notChecked(checkProvenance, b.Path, notOurBuild)
	r := v.manifest.Release
	expected := map[string]string{"main package": b.Main, "main module": r.Module, "main module version": b.GoVersion, "toolchain": v.manifest.Toolchain, "GOOS": b.Platform.OS, "GOARCH": b.Platform.Arch}
	if info.settings["vcs.revision"] != "" {
		expected["vcs.revision"] = r.Source.GitCommit
	}
	var problems []problem
	for _, p := range settingProblems(b.Path, expected, info.only(expected)) {
		p.hint = "the manifest does not describe this binary"
		problems = append(problems, p)
	}
	v.outcome(checkBuildInfo, b.Path, problems)
}

// only is the build info with no other settings than the given ones.
func (info buildInfo) only(names map[string]string) buildInfo {
	settings := map[string]string{}
	for name, value := range info.settings {
		if _, wanted := names[name]; wanted {
			settings[name] = value
		}
	}
	info.settings = settings
	return info
}
