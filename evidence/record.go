package evidence

import (
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence/trust"
)

// A Kind says what a record is evidence of.
type Kind string

// The kinds.
const (
	KindReleasePackage     Kind = "release-package"
	KindRollout            Kind = "managed-endpoint-rollout"
	KindRolloutStatus      Kind = "rollout-status"
	KindObservation        Kind = "observation"
	KindPromotionRequest   Kind = "rollout-promotion-request"
	KindApproval           Kind = "approval"
	KindPromotionExecution Kind = "rollout-promotion-execution"
	KindRollbackExecution  Kind = "rollout-rollback-execution"
	KindPolicy             Kind = "policy"
	KindHold               Kind = "hold"
	KindVSA                Kind = "vsa"
	// KindAccess is a statement about who may use a service over the store.
	KindAccess Kind = "access"
	// KindAttestation is a statement of a predicate type that rollproof does not
	// define, by a signer whom the trust root lets sign it.
	KindAttestation Kind = "attestation"
	// KindUnverified is a statement by nobody whom the trust root knows for it. It
	// is kept because somebody asked for that, and never counts.
	KindUnverified Kind = "unverified"
)

// Kinds are all kinds, in the order in which they are listed.
var Kinds = []Kind{
	KindReleasePackage, KindRollout, KindRolloutStatus, KindObservation, KindPromotionRequest, KindApproval,
	KindPromotionExecution, KindRollbackExecution, KindPolicy, KindHold, KindVSA, KindAccess, KindAttestation, KindUnverified,
}

// Values that facts of those names can have.
var (
	RolloutStatuses           = []string{"planned", "staged", "succeeded", "failed", "rolled_back", "promoted"}
	ApprovalStates            = []string{"pending", "approved", "denied", "revoked", "expired", "break-glass"}
	PromotionExecutionResults = []string{"executed", "conflict"}
	RollbackExecutionResults  = []string{"executed", "failed"}
)

// Facts are what a statement says, as far as records are found by it. They are
// derived from the statement's bytes alone and never change.
type Facts struct {
	Project           string   `json:"project,omitempty"`
	Version           string   `json:"version,omitempty"`
	ChangeRecord      string   `json:"changeRecord,omitempty"`
	Environment       string   `json:"environment,omitempty"`
	Ring              string   `json:"ring,omitempty"`
	TargetRing        string   `json:"targetRing,omitempty"`
	RolloutStatus     string   `json:"rolloutStatus,omitempty"`
	ApprovalState     string   `json:"approvalState,omitempty"`
	ExecutionStatus   string   `json:"executionStatus,omitempty"`
	Rollout           string   `json:"rollout,omitempty"`   // id of the rollout that it belongs to
	Request           string   `json:"request,omitempty"`   // id of the request
	Approval          string   `json:"approval,omitempty"`  // id of the approval
	Execution         string   `json:"execution,omitempty"` // id of the execution
	DeploymentTargets []string `json:"deploymentTargets,omitempty"`

	// Claimed is the date that the signer wrote, zero where he wrote none.
	Claimed time.Time `json:"-"`
	// Seen is the newest checkpoint that the signer's tool had verified, nil where
	// the statement says that it had none or can say nothing about it.
	Seen *Checkpoint `json:"-"`
	// Text is what a search for words finds beside the other facts.
	Text []string `json:"-"`
	// NamedKeyID and NamedPerson are whom an act of a person names as its signer;
	// both must be who signed it.
	NamedKeyID, NamedPerson string `json:"-"`
}

// A Checkpoint is a state of an evidence log.
type Checkpoint struct {
	Origin string `json:"origin"`
	Size   int64  `json:"size"`
	Root   Digest `json:"root"`
}

// A SignedBy says who signed a record. KeyID stands in the envelope; the rest is
// what the trust root said of the key when the record was made.
type SignedBy struct {
	KeyID    string         `json:"keyid"`
	Person   string         `json:"person,omitempty"`
	Role     trust.Role     `json:"role,omitempty"`
	Identity trust.Identity `json:"identity,omitzero"`
}

// A Record is an envelope at an index of the evidence log.
type Record struct {
	Index    int64     // from 0, without gaps: the order in which acts count
	ID       Digest    // of Envelope: an address
	Act      Digest    // of the statement's bytes: what was done
	Envelope []byte    // exactly as it came; nil in the results of a search
	Recorded time.Time // by the store's clock, UTC, to the millisecond
	Proved   time.Time // not after this, shown by a proof of time; zero without one

	StatementType string
	PredicateType string
	Subjects      []Subject // nil in the results of a search
	Signer        SignedBy
	Kind          Kind
	Facts
	// Illegal is why the act did not count where it stands, "" for one that did. It
	// follows from the records before it.
	Illegal string
	// Erased says that the record's bytes were removed; nil for one whose bytes are
	// there.
	Erased *Erasure
	// BlobsErased says that the record's blobs were removed, and its bytes were not.
	BlobsErased *Erasure
}

// Digests returns the values of all digests of the record's subjects, sorted and
// each once, without the names of their algorithms.
func (r Record) Digests() []string {
	var values []string
	for _, s := range r.Subjects {
		for _, value := range s.Digest {
			values = append(values, value)
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// Words returns the lines that a search for words looks through.
func (r Record) Words() []string {
	words := []string{
		string(r.Kind), r.PredicateType, r.Signer.Person, r.Signer.Identity.Subject,
		r.Project, r.Version, r.ChangeRecord, r.Environment, r.Ring, r.TargetRing,
		r.RolloutStatus, r.ApprovalState, r.ExecutionStatus,
	}
	words = append(append(words, r.DeploymentTargets...), r.Text...)
	for _, s := range r.Subjects {
		words = append(words, s.Name)
	}
	return slices.DeleteFunc(words, func(w string) bool { return w == "" })
}

// Names reports whether one of the record's subjects has this sha256.
func (r Record) Names(d Digest) bool {
	return slices.ContainsFunc(r.Subjects, func(s Subject) bool { return s.Digest["sha256"] == d.Hex() })
}

// A Blob is a file that belongs to a record: one of its subjects.
type Blob struct {
	Digest Digest `json:"digest"`
	Size   int64  `json:"size"` // bytes
}
