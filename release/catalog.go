package release

import (
	"encoding/json"
	"fmt"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release/provenance"
)

// CatalogEntries says what the statements of a package are to an evidence store: its
// closing statement is the release, its provenance an attestation of the same
// project.
func CatalogEntries() []evidence.Entry {
	releaser := []trust.Role{trust.Releaser}
	return []evidence.Entry{
		{PredicateType: evidence.ReleaseEvidence, Schema: evidence.ReleaseEvidence, Roles: releaser, Kind: evidence.KindReleasePackage, Facts: closingFacts},
		{PredicateType: evidence.Provenance, Roles: trust.RolesFor(evidence.Provenance), Kind: evidence.KindAttestation, Facts: provenanceFacts},
		{PredicateType: evidence.Release, Roles: trust.RolesFor(evidence.Release), Kind: evidence.KindAttestation, Facts: func([]byte) (evidence.Facts, error) { return evidence.Facts{}, nil }},
	}
}

func closingFacts(statement []byte) (evidence.Facts, error) {
	s, err := evidence.DecodeStatement[Closing](statement, evidence.ReleaseEvidence)
	if err != nil {
		return evidence.Facts{}, err
	}
	id := s.Predicate.Release
	for what, name := range map[string]string{"project": id.Project, "version": id.Version} {
		if err := CheckName(what, name); err != nil {
			return evidence.Facts{}, err
		}
	}
	return evidence.Facts{Project: id.Project, Version: id.Version, Text: []string{id.Module, id.Source.URI, id.Source.GitCommit}}, nil
}

// provenanceFacts knows the project of our own build type alone; what the parameters
// of another one mean is its own affair.
func provenanceFacts(statement []byte) (evidence.Facts, error) {
	var s struct {
		Predicate struct {
			BuildDefinition struct {
				BuildType string `json:"buildType"`
			} `json:"buildDefinition"`
		} `json:"predicate"`
	}
	if err := json.Unmarshal(statement, &s); err != nil {
		return evidence.Facts{}, fmt.Errorf("provenance: %w", err)
	}
	if s.Predicate.BuildDefinition.BuildType != provenance.BuildType {
		return evidence.Facts{Text: []string{s.Predicate.BuildDefinition.BuildType}}, nil
	}
	own, err := provenance.Read(statement)
	if err != nil {
		return evidence.Facts{}, err
	}
	p := own.Predicate.BuildDefinition.ExternalParameters
	return evidence.Facts{Project: p.Project, Version: p.Version, Text: []string{p.Module}}, nil
}
