package release

import (
	"fmt"
	"slices"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release/provenance"
)

// writeSignatures makes layer 2: in a dry run the bare provenance alone.
func (a *assembly) writeSignatures() error {
	if err := a.writeDetached(); err != nil {
		return err
	}
	if a.in.Imported != nil {
		if err := writeStatement(a, ReleasePath(a.identity.Project, a.in.DryRun), a.releaseStatement(), RoleRelease); err != nil {
			return err
		}
		return a.writeRawSignature()
	}
	statement, err := provenance.New(a.provenanceFacts())
	if err != nil {
		return err
	}
	if err := writeStatement(a, ProvenancePath(a.identity.Project, a.in.DryRun), statement, RoleProvenance); err != nil {
		return err
	}
	if err := a.writeLink(); err != nil {
		return err
	}
	return a.writeRawSignature()
}

// writeDetached signs each file that must carry a signature of its own.
func (a *assembly) writeDetached() error {
	if a.in.DryRun {
		return nil
	}
	for _, f := range slices.Clone(a.files) {
		if !signedRoles[f.Role] {
			continue
		}
		detached := evidence.NewStatement(evidence.DetachedSignature, []evidence.Subject{evidence.FileSubject(f.Path, f.SHA256)}, struct{}{})
		if err := writeBundle(a, BundlePath(f.Path), detached, RoleSignature); err != nil {
			return err
		}
	}
	return nil
}

// writeStatement writes a statement of layer 2: signed, or bare in a dry run.
func writeStatement[P any](a *assembly, path string, s evidence.Statement[P], role Role) error {
	if !a.in.DryRun {
		return writeBundle(a, path, s, role)
	}
	data, err := envelope.Encode(s)
	if err != nil {
		return err
	}
	return a.write(path, data, role)
}

// maxMaterials is how many bytes of paths and digests an in-toto link can carry: what
// is signed may not be larger than [envelope.MaxSigned].
const maxMaterials = envelope.MaxSigned * 7 / 8

// writeLink makes the in-toto link. A commit with too many files for one signature
// gets none, and a hazard that says so.
func (a *assembly) writeLink() error {
	if a.in.Link == nil || a.in.DryRun {
		return nil
	}
	materials, products, size := map[string]string{}, map[string]string{}, 0
	for _, f := range a.in.Facts.Tree {
		materials[f.Path] = f.SHA256
		size += len(f.Path) + 100
	}
	for _, b := range a.binaries {
		products[b.Path] = b.sha256
		size += len(b.Path) + 100
	}
	if size > maxMaterials {
		a.hazards = append(a.hazards, Hazard{"no-link", fmt.Sprintf("the commit's %d files are too many for one signed in-toto link", len(materials))})
		return nil
	}
	name, data, err := a.in.Link(a.in.Signer, materials, products)
	if err != nil {
		return err
	}
	return a.write(name, data, RoleLink)
}

// writeRawSignature signs checksums.txt for tools that know raw Ed25519 alone.
func (a *assembly) writeRawSignature() error {
	if a.in.DryRun {
		return nil
	}
	var sums []Checksum
	for _, f := range a.files {
		if layerOf(f.Role) == 0 {
			sums = append(sums, Checksum{f.SHA256, f.Path})
		}
	}
	sig, err := envelope.SignRaw(a.in.Signer, FormatChecksums(sums))
	if err != nil {
		return err
	}
	return a.write(RawSignature, sig, RoleRawSignature)
}

func writeBundle[P any](a *assembly, path string, s evidence.Statement[P], role Role) error {
	b, err := evidence.Sign(a.in.Signer, s)
	if err != nil {
		return err
	}
	data, err := b.Marshal()
	if err != nil {
		return err
	}
	return a.write(path, data, role)
}

func (a *assembly) provenanceFacts() provenance.Facts {
	plan := a.in.Plan
	f := provenance.Facts{
		Parameters: provenance.ExternalParameters{
			Project: a.identity.Project, Version: a.identity.Version, Module: a.identity.Module,
			Directory: plan.Source.Directory, DryRun: a.in.DryRun, Dirty: plan.Source.Dirty, Options: plan.Parameters,
		},
		SourceURI: a.identity.Source.URI, GitCommit: plan.Source.GitCommit, GitTree: plan.Source.GitTree,
		Toolchain: plan.Toolchain, Tool: a.in.Tool,
	}
	for _, b := range a.binaries {
		f.Recipes = append(f.Recipes, provenance.Recipe{Binary: b.Path, Argv: b.target.Argv, Env: b.target.Env})
		f.Binaries = append(f.Binaries, evidence.FileSubject(b.Path, b.sha256))
		for _, m := range b.info.modules {
			f.Modules = append(f.Modules, provenance.Module{Path: m.path, Version: m.version, Sum: m.sum})
		}
	}
	byproducts := []string{SBOMPath(a.identity.Project), ChecksumsFile}
	if a.in.CycloneDX {
		byproducts = append(byproducts, CycloneDXPath(a.identity.Project))
	}
	for _, path := range byproducts {
		f.Byproducts = append(f.Byproducts, provenance.Resource{Name: path, Digest: evidence.DigestSet{"sha256": a.sha256[path]}})
	}
	return f
}

// writeClosing makes layer 4: one statement over every file so far.
func (a *assembly) writeClosing() error {
	if a.in.DryRun {
		return nil
	}
	var subjects []evidence.Subject
	for _, path := range sortedKeys(a.sha256) {
		subjects = append(subjects, evidence.FileSubject(path, a.sha256[path]))
	}
	closing := evidence.NewStatement(evidence.ReleaseEvidence, subjects, Closing{a.identity, a.sha256[ManifestFile]})
	b, err := evidence.Sign(a.in.Signer, closing)
	if err != nil {
		return err
	}
	data, err := b.Marshal()
	if err != nil {
		return err
	}
	return a.write(ClosingFile, data, "")
}
