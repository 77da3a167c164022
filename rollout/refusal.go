package rollout

import (
	"fmt"

	"github.com/rollproof/rollproof/evidence"
)

// A Code says what kind of no a refusal is. Its number is the exit code.
type Code int

// The codes. When several apply to one act the first of this order is given:
// evidence, approval, rule, conflict.
const (
	CodeEvidence Code = 3 // bad evidence: tampered, untrusted, incomplete
	CodeRule     Code = 4 // a rule said no
	CodeApproval Code = 5 // an approval is missing or does not count
	CodeConflict Code = 6 // somebody else was first, or the log has moved on
)

// A Refusal is why an act is not legal. It is an error.
type Refusal struct {
	Code    Code
	Reason  string            // a fact
	Hint    string            // the next step, may be ""
	Records []evidence.Digest // acts that show it, may be empty
	// Already is the act that says the same as the refused one, where that is the
	// whole reason: who only wants it said has what he wants. Otherwise it is zero.
	Already evidence.Digest
}

func (r *Refusal) Error() string { return r.Reason }

// reason is why an act is not legal, "" for one that is.
func (r *Refusal) reason() string {
	if r == nil {
		return ""
	}
	return r.Reason
}

// refuse returns a refusal; about names the acts that show it.
func refuse(c Code, hint, format string, args ...any) *Refusal {
	return &Refusal{Code: c, Reason: fmt.Sprintf(format, args...), Hint: hint}
}

func (r *Refusal) about(acts ...evidence.Digest) *Refusal {
	r.Records = append(r.Records, acts...)
	return r
}

// badEvidence is the refusal of a statement that is wrong by itself.
func badEvidence(err error) *Refusal { return refuse(CodeEvidence, "", "%v", err) }
