package service

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/provenance"
	"github.com/rollproof/rollproof/release/sbom"
)

// A Release is a package as the store keeps it.
type Release struct {
	Record   evidence.RecordLine `json:"record"`
	Manifest *release.Manifest   `json:"manifest"`
	Verdict  *release.Verdict    `json:"verdict"` // of the stored files, at most a minute old
	Modules  []Module            `json:"modules"` // that are linked into its binaries, by path
	// Provenance is the predicate of its SLSA provenance, as it is signed; null without.
	Provenance *provenance.Statement `json:"provenance"`
	Before     *evidence.RecordLine  `json:"before"` // the release of the project that was recorded before, null for the first
}

// A Module is a row of the bill of materials.
type Module struct {
	Path     string   `json:"path"`
	Version  string   `json:"version"`
	Sum      string   `json:"sum"`
	License  string   `json:"license"` // SPDX expression, "" where none was found
	Binaries []string `json:"binaries"`
}

// Release shows the package of a release's record.
func (l *Local) Release(ctx context.Context, id string) (Release, error) {
	record, err := l.stored(ctx, id)
	if err != nil {
		return Release{}, err
	}
	if record.Kind != evidence.KindReleasePackage {
		return Release{}, missing(record.Act.String()+" is no release", "rollproof evidence search --metadata-kind release-package lists them")
	}
	if record, err = l.derived(ctx, record.Index); err != nil {
		return Release{}, err
	}
	manifest, ok := manifestOf(record)
	if !ok {
		return Release{}, missing("the record names no "+release.ManifestFile, "")
	}
	desk, err := l.desk()
	if err != nil {
		return Release{}, err
	}
	verdict, container, err := l.verdict(ctx, desk, manifest, VerdictLife)
	if err != nil {
		return Release{}, err
	}
	doc := Release{Record: record.Line(), Verdict: verdict, Modules: []Module{}}
	if verdict.Result != release.Pass {
		return doc, nil // nothing that such a package says of itself is shown
	}
	if err := doc.read(container); err != nil {
		return doc, err
	}
	doc.Before, err = l.releaseBefore(ctx, record)
	return doc, err
}

// read fills in what the documents of a package that verifies say.
func (r *Release) read(c release.Container) error {
	id := r.Verdict.Release
	var manifest, bill, origin []byte
	err := readFiles(c, map[string]*[]byte{
		release.ManifestFile: &manifest, release.SBOMPath(id.Project): &bill, release.ProvenancePath(id.Project, false): &origin,
	})
	if err != nil {
		return err
	}
	if r.Manifest, err = release.DecodeManifest(manifest); err != nil {
		return err
	}
	document, err := sbom.Read(bill)
	if err != nil {
		return err
	}
	r.Modules = modules(document, declaredLicenses(bill))
	b, err := envelope.ParseBundle(origin)
	if err != nil {
		return err
	}
	statement, err := provenance.Read(b.Payload)
	r.Provenance = &statement
	return err
}

// modules lists each linked module once, with the binaries that it is in.
func modules(d *sbom.Document, licenses map[[2]string]string) []Module {
	list := []Module{}
	at := map[[2]string]int{}
	for _, b := range d.Binaries {
		for _, m := range b.Modules {
			path, version, sum := m.Path, m.Version, m.Sum
			if m.Replace.Path != "" && m.Replace.Version != "" && m.Replace.Version != "(devel)" {
				path, version, sum = m.Replace.Path, m.Replace.Version, m.Replace.Sum
			}
			key := [2]string{path, version}
			if _, ok := at[key]; !ok {
				at[key] = len(list)
				list = append(list, Module{path, version, sum, licenses[key], []string{}})
			}
			list[at[key]].Binaries = append(list[at[key]].Binaries, b.Path)
		}
	}
	slices.SortFunc(list, func(a, b Module) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Version, b.Version)) })
	return list
}

// declaredLicenses are those of an SPDX document's packages, by name and version. The
// document was read strictly before.
func declaredLicenses(bill []byte) map[[2]string]string {
	var d struct {
		Packages []struct {
			Name     string `json:"name"`
			Version  string `json:"versionInfo"`
			Declared string `json:"licenseDeclared"`
		} `json:"packages"`
	}
	licenses := map[[2]string]string{}
	if json.Unmarshal(bill, &d) != nil {
		return licenses
	}
	for _, p := range d.Packages {
		if p.Declared != "NOASSERTION" {
			licenses[[2]string{p.Name, p.Version}] = p.Declared
		}
	}
	return licenses
}

// releaseBefore is the release of another version that was recorded last before.
func (l *Local) releaseBefore(ctx context.Context, record evidence.Record) (*evidence.RecordLine, error) {
	q := evidence.Query{Projects: []string{record.Project}, Kinds: []evidence.Kind{evidence.KindReleasePackage}, Limit: MaxPage}
	page, err := l.options.Store.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, r := range page.Records {
		if r.Index < record.Index && r.Version != record.Version {
			line := r.Line()
			return &line, nil
		}
	}
	return nil, nil
}
