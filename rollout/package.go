package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/schemas"
)

// A Package is a verified release package, as far as rollouts speak of it.
type Package struct {
	Release  release.Identity
	Manifest evidence.Digest // of release-evidence.json
	Closing  evidence.Digest // of the closing statement
	Targets  []release.DeploymentTarget
	Checks   []release.Check // of the verdict
}

// PackageFiles are the exact bytes of three files of a package.
type PackageFiles struct {
	Manifest   []byte // release-evidence.json
	Deployment []byte // endpoint-deployment.json
	Closing    []byte // release-evidence.sigstore.json
}

// ReadPackage binds a verdict that passed under a trust root to the files: the
// verdict names the manifest's digest, which names the deployment manifest's, and
// the closing statement names the manifest. A dry run, an unsigned or a failing
// package is refused, and so is one verified under a single key, which has no roles.
func ReadPackage(v release.Verdict, f PackageFiles) (*Package, error) {
	if err := checkVerdict(v); err != nil {
		return nil, err
	}
	m, err := release.DecodeManifest(f.Manifest)
	if err != nil {
		return nil, badEvidence(fmt.Errorf("%s: %w", release.ManifestFile, err))
	}
	manifest := evidence.DigestOf(f.Manifest)
	if v.ManifestDigest != manifest.String() || m.Release != *v.Release {
		return nil, refuse(CodeEvidence, "verify the package again", "%s is %s, the verdict is about %s", release.ManifestFile, manifest, orNone(v.ManifestDigest))
	}
	targets, err := readDeployment(m, f.Deployment)
	if err != nil {
		return nil, badEvidence(fmt.Errorf("%s: %w", release.DeploymentFile, err))
	}
	closing, err := readClosing(m, manifest, f.Closing)
	if err != nil {
		return nil, badEvidence(fmt.Errorf("%s: %w", release.ClosingFile, err))
	}
	return &Package{m.Release, manifest, closing, targets, v.Checks}, nil
}

func checkVerdict(v release.Verdict) error {
	switch {
	case v.DryRun:
		return refuse(CodeEvidence, "make the package without --dry-run", "a dry run is never rolled out")
	case v.Release == nil:
		return refuse(CodeEvidence, "", "the package did not verify: its manifest cannot be read")
	case v.Trust.Mode != "root":
		return refuse(CodeEvidence, "verify it under a trust root: --pin and --trust", "the package was verified with trust %q, which knows no roles", v.Trust.Mode)
	}
	if err := checkVerification(v.Checks); err != nil {
		return badEvidence(err)
	}
	if v.Result != release.Pass {
		return refuse(CodeEvidence, "", "the package did not verify: the verdict is %q", string(v.Result))
	}
	return nil
}

func readDeployment(m *release.Manifest, data []byte) ([]release.DeploymentTarget, error) {
	i := slices.IndexFunc(m.Files, func(a release.Artifact) bool { return a.Path == release.DeploymentFile })
	if i < 0 || m.Files[i].SHA256 != evidence.SHA256(data) {
		return nil, fmt.Errorf("not the file that %s names", release.ManifestFile)
	}
	var d release.Deployment
	if err := envelope.Decode(data, &d); err != nil {
		return nil, err
	}
	if err := schemas.Validate(evidence.Namespace+"endpoint-deployment/v1", data); err != nil {
		return nil, err
	}
	if d.DryRun || d.Release != m.Release {
		return nil, fmt.Errorf("of %s, expected %s", d.Release.Name(d.DryRun), m.Release.Name(false))
	}
	slices.SortFunc(d.Targets, func(a, b release.DeploymentTarget) int { return strings.Compare(a.ID, b.ID) })
	return d.Targets, nil
}

func readClosing(m *release.Manifest, manifest evidence.Digest, data []byte) (evidence.Digest, error) {
	b, err := envelope.ParseBundle(data)
	if err != nil {
		return evidence.Digest{}, err
	}
	s, err := evidence.DecodeStatement[release.Closing](b.Payload, evidence.ReleaseEvidence)
	if err != nil {
		return evidence.Digest{}, err
	}
	if s.Predicate.Manifest != manifest.Hex() || s.Predicate.Release != m.Release {
		return evidence.Digest{}, fmt.Errorf("it closes the package with manifest %s, expected %s", s.Predicate.Manifest, manifest.Hex())
	}
	return evidence.DigestOf(b.Payload), nil
}

// choose returns the targets with the given ids, by id; all without any.
func (p *Package) choose(ids []string) ([]release.DeploymentTarget, error) {
	if len(ids) == 0 {
		return p.Targets, nil
	}
	var known []string
	for _, t := range p.Targets {
		known = append(known, t.ID)
	}
	var chosen []release.DeploymentTarget
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		i := slices.Index(known, id)
		if i < 0 {
			return nil, refuse(CodeEvidence, "targets stand in the package's "+release.DeploymentFile, "%s", unknown("deployment target", id, known))
		}
		chosen = append(chosen, p.Targets[i])
	}
	return chosen, nil
}

// Names of the checks of a rollout against its package.
const (
	checkPackage = "rollout-package"
	checkTarget  = "rollout-target"
)

// Compare checks that a rollout is of this package: release, manifest, closing
// statement, and each target as the signed manifest has it.
func (p *Package) Compare(r Rollout) []release.Check {
	checks := []release.Check{
		same(checkPackage, release.ManifestFile, p.Manifest.String(), r.Manifest.String()),
		same(checkPackage, release.ClosingFile, p.Closing.String(), r.Package.String()),
		same(checkPackage, "release", identityWords(p.Release), identityWords(r.Release)),
	}
	for _, t := range r.Targets {
		i := slices.IndexFunc(p.Targets, func(x release.DeploymentTarget) bool { return x.ID == t.ID })
		if i < 0 {
			checks = append(checks, same(checkTarget, t.ID, "no such target", targetWords(t)))
			continue
		}
		x := p.Targets[i]
		want := Target{ID: x.ID, Platform: x.Platform, Binary: x.Binary, SHA256: x.SHA256, InstallPath: x.InstallPath}
		checks = append(checks, same(checkTarget, t.ID, targetWords(want), targetWords(t)))
	}
	return checks
}

func same(id, subject, expected, actual string) release.Check {
	c := release.Check{ID: id, Subject: subject, Result: release.Pass, Required: true}
	if expected != actual {
		c.Result, c.Expected, c.Actual = release.Fail, expected, actual
		c.Hint = "the rollout is of another package, or one of the two was changed"
	}
	return c
}

func identityWords(id release.Identity) string {
	return fmt.Sprintf("%s %s %s of %s in %q at %s (tree %s, %s)", id.Project, id.Version, id.Module, id.Source.URI, id.Source.Directory, id.Source.GitCommit, id.Source.GitTree, id.Source.CommitTime)
}

func targetWords(t Target) string {
	return fmt.Sprintf("%s with sha256 %s for %s at %s", t.Binary, t.SHA256, t.Platform, t.InstallPath)
}
