package service

import (
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/rollout"
)

// A Kind is an act that a caller can bring, called as its predicate type is; a closing
// is an approval of an execution that broke glass.
type Kind string

// The kinds.
const (
	KindRequest           Kind = "promotion-request"
	KindApproval          Kind = "approval"
	KindClosing           Kind = "closing"
	KindDenial            Kind = "denial"
	KindRevocation        Kind = "approval-revocation"
	KindExecution         Kind = "promotion-execution"
	KindRollbackRequest   Kind = "rollback-request"
	KindRollbackExecution Kind = "rollback-execution"
	KindHold              Kind = "hold"
	KindLift              Kind = "lift"
	KindObservation       Kind = "observation"
)

// Kinds are all of them, in their order.
var Kinds = []Kind{
	KindRequest, KindApproval, KindClosing, KindDenial, KindRevocation, KindExecution, KindRollbackRequest, KindRollbackExecution, KindHold, KindLift, KindObservation,
}

// PredicateType is the one of a kind's statements.
func (k Kind) PredicateType() string {
	if k == KindClosing {
		k = KindApproval
	}
	return evidence.Namespace + string(k) + "/v1"
}

// An Ask says what a draft shall say. Which fields a kind reads stands behind them; the
// others stay empty.
type Ask struct {
	Kind  Kind   `json:"kind"`
	KeyID string `json:"keyid"` // who will sign: the fingerprint of his key

	Rollout   string    `json:"rollout,omitempty"`   // id: promotion-request, observation
	Request   string    `json:"request,omitempty"`   // id or act: approval, denial, promotion-execution, rollback-execution
	Execution string    `json:"execution,omitempty"` // act: closing; rollback-request; a pre-approved rollback-execution
	Approval  string    `json:"approval,omitempty"`  // act: approval-revocation
	Hold      string    `json:"hold,omitempty"`      // act: lift
	Project   string    `json:"project,omitempty"`   // hold; "" for the store's only one
	Ring      string    `json:"ring,omitempty"`      // promotion-request, "" for the next one; hold
	Target    string    `json:"target,omitempty"`    // hold, in place of a ring
	Targets   []string  `json:"targets,omitempty"`   // requests: deployment targets, none for all
	To        string    `json:"to,omitempty"`        // rollback-request: the manifest to go back to
	Expires   time.Time `json:"expires,omitzero"`    // requests; approval, zero for the request's own
	Reason    string    `json:"reason,omitempty"`
	Meaning   string    `json:"meaning,omitempty"`  // approval, closing: review, approval or responsibility
	Checked   string    `json:"checked,omitempty"`  // approval, closing, denial: full or request-only, what the signer's own machine checked
	Incident  string    `json:"incident,omitempty"` // executions: breaks glass

	PreApproveRollback bool       `json:"preApproveRollback,omitempty"` // promotion-request
	Inventory          *Inventory `json:"inventory,omitempty"`          // observation
}

// An Inventory is what an observer saw.
type Inventory struct {
	SHA256    string     `json:"sha256"` // of the file as it came
	Format    string     `json:"format"` // csv, jsonl, osquery, …
	Tool      string     `json:"tool"`   // what read it
	Endpoints []Endpoint `json:"endpoints"`
}

// An Endpoint is one row of an inventory.
type Endpoint struct {
	ID     string    `json:"id"`
	Target string    `json:"target"` // deployment target
	SHA256 string    `json:"sha256"` // of the installed binary, "" where none was found
	SeenAt time.Time `json:"seenAt"`
}

func (i *Inventory) endpoints() []rollout.Endpoint {
	list := make([]rollout.Endpoint, len(i.Endpoints))
	for n, e := range i.Endpoints {
		list[n] = rollout.Endpoint(e)
	}
	return list
}

// A Draft is a statement that somebody shall sign. Whoever signs it compares it with
// what he asked for: it is the service's word.
type Draft struct {
	Kind        Kind            `json:"kind"`
	PayloadType string          `json:"payloadType"` // of DSSE
	Payload     []byte          `json:"payload"`     // the exact statement
	Digest      evidence.Digest `json:"digest"`      // of Payload: what the act will be called
	Expires     string          `json:"expires"`     // RFC 3339: afterwards it must be drafted again
	Files       []File          `json:"files"`       // that belong to the act and are submitted with it
}

// A File belongs to an act: one of its subjects.
type File struct {
	Name string `json:"name"`
	Data []byte `json:"data"`
}

// A Submission is a signed act, with the files of its draft.
type Submission struct {
	Envelope []byte `json:"envelope"` // a Sigstore bundle, exact bytes
	Files    []File `json:"files,omitempty"`
}
