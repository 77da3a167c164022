// Package vsa writes and reads the verification summary of a package: an in-toto
// Statement v1 whose subjects are what was verified and whose predicate is a SLSA
// Verification Summary v1 (https://slsa.dev/spec/v1.1/verification_summary). It is
// how a verifier tells others, who trust his key, what he found.
//
// # What it says
//
// Every field of the specification that carries a decision is always there: who
// verified (verifier.id) with which version of rollproof, when, for which resource,
// against which policy by digest, from which attestations, with what result and
// which levels. dependencyLevels and inputAttestations are left out when empty.
//
//	{
//	  "verifier": {
//	    "id": "https://example.com/verifiers/desktop",
//	    "version": {
//	      "rollproof": "v1.4.2"
//	    }
//	  },
//	  "timeVerified": "2026-03-02T10:00:00Z",
//	  "resourceUri": "pkg:golang/example.com/age@v1.2.1",
//	  "policy": {
//	    "uri": "https://example.com/trust/3.trust.json",
//	    "digest": {
//	      "sha256": "5d5a…"
//	    }
//	  },
//	  "verificationResult": "PASSED",
//	  "verifiedLevels": [
//	    "ROLLPROOF_REBUILD_MATCH",
//	    "SLSA_BUILD_LEVEL_1"
//	  ],
//	  "slsaVersion": "1.1"
//	}
//
// # Levels
//
// A level is SLSA_BUILD_LEVEL_0 to 3, or a word of our own or of others that does
// not begin with SLSA_. There is at most one level of the build track, because each
// implies those below it. A summary that FAILED has the one level FAILED, and one
// that PASSED never has it.
//
// # One signature, two encodings
//
// The statement is signed once, with DSSE. It is kept as a Sigstore bundle
// (X.vsa.sigstore.json) for cosign and rollproof, and as the plain envelope in one
// JSON line (X.vsa.intoto.jsonl) for slsa-verifier, which reads no bundles.
//
// # Exact bytes
//
// Subjects are sorted by name, attestations by URI and digest, levels by name, and the
// encoding is the one of package envelope. [Read] accepts nothing else, so that it
// reads summaries of rollproof alone; [IsOurs] tells them from those of others.
package vsa

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
)

// PredicateType is that of a verification summary.
const PredicateType = "https://slsa.dev/verification_summary/v1"

// What the names of the two encodings end in.
const (
	BundleSuffix = ".vsa.sigstore.json"
	LineSuffix   = ".vsa.intoto.jsonl"
)

// slsaVersion is the version of the specification that the fields and levels are of.
const slsaVersion = "1.1"

// tool is the component of verifier.version that says which rollproof verified.
const tool = "rollproof"

// The levels that rollproof gives. Whether they were reached is for the caller to
// decide: this package writes down what it is told.
const (
	LevelBuild0       = "SLSA_BUILD_LEVEL_0"
	LevelBuild1       = "SLSA_BUILD_LEVEL_1"
	LevelRebuildMatch = "ROLLPROOF_REBUILD_MATCH"
	LevelPromoted     = "ROLLPROOF_PROMOTED"
	levelFailed       = "FAILED"
)

// Facts are what a summary says.
type Facts struct {
	Subjects     []evidence.Subject // what was verified, each by its sha256 alone
	VerifierID   string             // URI of who verified
	Tool         string             // rollproof's own version
	TimeVerified time.Time          // the verifier's claim; kept in whole seconds, UTC
	ResourceURI  string             // what the subjects were verified as
	Policy       Resource           // what they were verified against
	Inputs       []Resource         // all attestations that were used, or none
	Passed       bool
	Levels       []string       // of a summary that passed; none of one that failed
	Dependencies map[string]int // number of transitive dependencies at each level
}

// A Resource is something named by its sha256 in hex.
type Resource struct {
	URI    string // may be empty for an attestation
	SHA256 string
}

// predicate is the encoding. Field order is part of the format.
type predicate struct {
	Verifier           verifier       `json:"verifier"`
	TimeVerified       string         `json:"timeVerified"`
	ResourceURI        string         `json:"resourceUri"`
	Policy             resource       `json:"policy"`
	InputAttestations  []resource     `json:"inputAttestations,omitempty"`
	VerificationResult string         `json:"verificationResult"`
	VerifiedLevels     []string       `json:"verifiedLevels"`
	DependencyLevels   map[string]int `json:"dependencyLevels,omitempty"`
	SLSAVersion        string         `json:"slsaVersion"`
}

type verifier struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version"`
}

type resource struct {
	URI    string             `json:"uri,omitempty"`
	Digest evidence.DigestSet `json:"digest"`
}

// Statement returns the exact bytes of the statement that says f. Errors name the
// fact that a summary can't say.
func Statement(f Facts) ([]byte, error) {
	f = f.sorted()
	if err := f.check(); err != nil {
		return nil, err
	}
	p := predicate{
		Verifier:     verifier{f.VerifierID, map[string]string{tool: f.Tool}},
		TimeVerified: f.TimeVerified.Format(time.RFC3339),
		ResourceURI:  f.ResourceURI, Policy: encodeResource(f.Policy),
		VerificationResult: "PASSED", VerifiedLevels: f.Levels, DependencyLevels: f.Dependencies, SLSAVersion: slsaVersion,
	}
	for _, r := range f.Inputs {
		p.InputAttestations = append(p.InputAttestations, encodeResource(r))
	}
	if !f.Passed {
		p.VerificationResult, p.VerifiedLevels = "FAILED", []string{levelFailed}
	}
	return envelope.Encode(evidence.NewStatement(PredicateType, f.Subjects, p))
}

func encodeResource(r Resource) resource {
	return resource{r.URI, evidence.DigestSet{"sha256": r.SHA256}}
}

// sorted returns f in the one order of the format, sharing nothing with f.
func (f Facts) sorted() Facts {
	f.TimeVerified = f.TimeVerified.UTC().Truncate(time.Second)
	f.Subjects, f.Inputs, f.Levels = slices.Clone(f.Subjects), slices.Clone(f.Inputs), slices.Clone(f.Levels)
	slices.SortFunc(f.Subjects, func(a, b evidence.Subject) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(f.Inputs, func(a, b Resource) int {
		return strings.Compare(a.URI+" "+a.SHA256, b.URI+" "+b.SHA256)
	})
	slices.Sort(f.Levels)
	if f.Levels == nil {
		f.Levels = []string{}
	}
	return f
}

// Write signs the summary that says f and returns its two encodings: the Sigstore
// bundle, and the DSSE envelope as one JSON line. Errors are those of [Statement] and
// of the signer.
func Write(signer envelope.Signer, f Facts) (bundle, line []byte, err error) {
	statement, err := Statement(f)
	if err != nil {
		return nil, nil, err
	}
	b, err := envelope.Sign(signer, evidence.PayloadType, statement)
	if err != nil {
		return nil, nil, err
	}
	if bundle, err = b.Marshal(); err != nil {
		return nil, nil, err
	}
	line, err = b.MarshalDSSE(b.KeyID)
	return bundle, line, err
}

// Read reads the exact bytes of a summary's statement, unverified. It refuses
// whatever [Statement] would not have written.
func Read(statement []byte) (Facts, error) {
	s, err := evidence.DecodeStatement[predicate](statement, PredicateType)
	if err != nil {
		return Facts{}, err
	}
	f, err := s.Predicate.facts(s.Subject)
	if err != nil {
		return Facts{}, err
	}
	again, err := Statement(f)
	if err != nil {
		return Facts{}, err
	}
	return f, same(again, statement)
}

// IsOurs reports whether a statement says that rollproof made the summary. Those of
// others have encodings of their own, which [Read] refuses.
func IsOurs(statement []byte) bool {
	var s struct {
		PredicateType string `json:"predicateType"`
		Predicate     struct {
			Verifier verifier `json:"verifier"`
		} `json:"predicate"`
	}
	if json.Unmarshal(statement, &s) != nil || s.PredicateType != PredicateType {
		return false
	}
	_, ok := s.Predicate.Verifier.Version[tool]
	return ok
}
