package rollout

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/schemas"
)

// Predicate types.
const (
	PolicyType      = evidence.Namespace + "policy/v1"
	RolloutType     = evidence.Namespace + "rollout/v1"
	StatusType      = evidence.Namespace + "rollout-status/v1"
	PopulationType  = evidence.Namespace + "population/v1"
	ObservationType = evidence.Namespace + "observation/v1"
	HoldType        = evidence.Namespace + "hold/v1"
	LiftType        = evidence.Namespace + "lift/v1"

	EraseType         = evidence.Namespace + "erase/v1"
	LegalHoldType     = evidence.Namespace + "legal-hold/v1"
	LegalHoldLiftType = evidence.Namespace + "legal-hold-lift/v1"

	PromotionRequestType   = evidence.Namespace + "promotion-request/v1"
	RollbackRequestType    = evidence.Namespace + "rollback-request/v1"
	ApprovalType           = evidence.Namespace + "approval/v1"
	DenialType             = evidence.Namespace + "denial/v1"
	RevocationType         = evidence.Namespace + "approval-revocation/v1"
	PromotionExecutionType = evidence.Namespace + "promotion-execution/v1"
	RollbackExecutionType  = evidence.Namespace + "rollback-execution/v1"
)

// An Act is a statement at an index of a log. Its caller has verified the envelope's
// signature under KeyID; whether that key may sign such a statement, [State] judges.
type Act struct {
	Index         int64           // from 0; the order in which acts count
	Digest        evidence.Digest // of Statement
	Envelope      evidence.Digest // of the bundle's bytes
	PredicateType string
	KeyID         string // whose signature the caller verified
	Statement     []byte
	Recorded      time.Time // by the store's clock
	// About is what the log says of the record that an erasure or a legal hold is
	// about, nil for other acts and where there is no such record.
	About *Filing
}

// Authorities answers who may sign what under a version of the trust root, at a
// time; [trust.Chain] implements it.
type Authorities interface {
	AtVersion(version int, digest string, at time.Time) (trust.Authority, error)
}

// An Actor is whom an act names as its signer.
type Actor struct {
	KeyID  string `json:"keyid"`
	Person string `json:"person"` // id in the trust root
}

// A TrustVersion is a version of the trust root.
type TrustVersion struct {
	Version int    `json:"version"`
	Digest  string `json:"digest"` // of N.trust.json, "sha256:…"
}

// A Head is what every act's predicate begins with.
type Head struct {
	Actor   Actor
	Trust   TrustVersion         // the version that the signer's tool used
	Seen    *evidence.Checkpoint // the newest that the signer's tool had verified, nil for none
	Claimed time.Time            // UTC, whole seconds: the signer's word, which proves nothing
}

// normal returns the head as it is written.
func (h Head) normal() Head {
	h.Claimed = second(h.Claimed)
	return h
}

func (h Head) check() error {
	switch {
	case h.Actor.KeyID == "":
		return fmt.Errorf("the act names no key as its signer")
	case !personForm.MatchString(h.Actor.Person):
		return fmt.Errorf("the act names %q as its signer, expected the id of a person", h.Actor.Person)
	case h.Trust.Version < 1 || !digestForm.MatchString(h.Trust.Digest):
		return fmt.Errorf("the act names trust version %d with digest %q, expected a number from 1 on and sha256:…", h.Trust.Version, h.Trust.Digest)
	case h.Seen != nil && (h.Seen.Origin == "" || h.Seen.Size < 0):
		return fmt.Errorf("the act names a checkpoint of origin %q and size %d", h.Seen.Origin, h.Seen.Size)
	}
	return checkTime("claimed", h.Claimed)
}

// facts are those of the head.
func (h Head) facts() evidence.Facts {
	return evidence.Facts{Claimed: h.Claimed, Seen: h.Seen, NamedKeyID: h.Actor.KeyID, NamedPerson: h.Actor.Person}
}

// A place is what the grant of an act's signer must reach. An act that concerns all
// environments or rings of a project leaves them empty.
type place struct{ project, environment, ring string }

// A deed is what the statement of one act says, without who signed it.
type deed interface {
	head() Head
	place() place
	// check holds the predicate to what it must be by itself and no schema can say.
	check() error
	// subjects follow from the predicate; the statement must have exactly these.
	subjects() []evidence.Subject
	facts() evidence.Facts
	// judge decides on the state before the act; apply is called after a nil alone.
	judge(*State, signed) *Refusal
	apply(*State, signed)
}

// A signed act is one whose signer was judged.
type signed struct {
	Act
	person string
	role   trust.Role
	// threshold is how many persons the policy role needs under the trust version
	// that counts for this act.
	threshold int
	trust     TrustVersion // that counts
	authority trust.Authority
}

// readers know the statements of this package by predicate type.
var readers = map[string]func([]byte) (deed, error){
	PolicyType:      reader[Policy](PolicyType),
	RolloutType:     reader[Rollout](RolloutType),
	StatusType:      reader[StatusChange](StatusType),
	PopulationType:  reader[Population](PopulationType),
	ObservationType: reader[Observation](ObservationType),
	HoldType:        reader[Hold](HoldType),
	LiftType:        reader[Lift](LiftType),

	EraseType:         reader[Erase](EraseType),
	LegalHoldType:     reader[LegalHold](LegalHoldType),
	LegalHoldLiftType: reader[LegalHoldLift](LegalHoldLiftType),

	PromotionRequestType:   reader[PromotionRequest](PromotionRequestType),
	RollbackRequestType:    reader[RollbackRequest](RollbackRequestType),
	ApprovalType:           reader[Approval](ApprovalType),
	DenialType:             reader[Denial](DenialType),
	RevocationType:         reader[ApprovalRevocation](RevocationType),
	PromotionExecutionType: reader[PromotionExecution](PromotionExecutionType),
	RollbackExecutionType:  reader[RollbackExecution](RollbackExecutionType),
}

// reader returns the strict reader of statements of one type.
func reader[P any, D interface {
	*P
	deed
}](predicateType string) func([]byte) (deed, error) {
	return func(statement []byte) (deed, error) {
		if err := otherType(statement, predicateType); err != nil {
			return nil, err
		}
		s, err := evidence.DecodeStatement[P](statement, predicateType)
		if err != nil {
			return nil, err
		}
		if err := schemas.ValidateStatement(statement); err != nil {
			return nil, err
		}
		d := D(&s.Predicate)
		if err := checkDeed(d); err != nil {
			return nil, err
		}
		if !sameSubjects(s.Subject, d.subjects()) {
			return nil, fmt.Errorf("the subjects are %s, the predicate demands %s", words(s.Subject), words(d.subjects()))
		}
		return d, nil
	}
}

// otherType says so of a statement of another predicate type, before its predicate is
// found not to be one of this type.
func otherType(statement []byte, want string) error {
	var s struct {
		PredicateType string `json:"predicateType"`
	}
	if err := json.Unmarshal(statement, &s); err != nil || s.PredicateType == "" || s.PredicateType == want {
		return nil
	}
	return &evidence.TypeError{Field: "predicateType", Got: s.PredicateType, Want: want}
}

func checkDeed(d deed) error {
	if err := d.head().check(); err != nil {
		return err
	}
	if p := d.place().project; p != "" || !ofAnyRecord(d) {
		if err := checkName("project", p, 100); err != nil {
			return err
		}
	}
	return d.check()
}

// ofAnyRecord reports whether a deed can be about records that belong to no project,
// such as foreign attestations: they have rules and a state of their own, under the
// name "", whose signers need a grant for every project.
func ofAnyRecord(d deed) bool {
	switch d.(type) {
	case *Policy, *Erase, *LegalHold, *LegalHoldLift:
		return true
	}
	return false
}

func words(subjects []evidence.Subject) string {
	var list []string
	for _, s := range subjects {
		list = append(list, fmt.Sprintf("%q %s", s.Name, s.Digest["sha256"]))
	}
	return quoted(list)
}

// Concerns reports whether acts of a predicate type belong to a [State]'s replay.
func Concerns(predicateType string) bool {
	return predicateType == evidence.ReleaseEvidence || readers[predicateType] != nil
}

// PredicateTypes are those of this package, sorted.
func PredicateTypes() []string { return slices.Sorted(maps.Keys(readers)) }

// statement makes the statement of a deed, and refuses to make one that would not be
// read.
func statement[P any, D interface {
	*P
	deed
}](predicateType string, p P) (evidence.Statement[P], error) {
	d := D(&p)
	if err := checkDeed(d); err != nil {
		return evidence.Statement[P]{}, err
	}
	s := evidence.NewStatement(predicateType, d.subjects(), p)
	data, err := envelope.Encode(s)
	if err != nil {
		return s, err
	}
	return s, schemas.ValidateStatement(data)
}
