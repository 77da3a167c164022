package rollout

import (
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
)

// ApprovalRevocation is the predicate by which an approval that was not used yet
// counts no longer, or by which a denier lifts his denial. Its subject is what it
// revokes.
type ApprovalRevocation struct {
	Actor       Actor                `json:"actor"`
	Trust       TrustVersion         `json:"trust"`
	Seen        *evidence.Checkpoint `json:"seen"`
	Claimed     time.Time            `json:"claimed"`
	Project     string               `json:"project"`
	Environment string               `json:"environment"`
	Ring        string               `json:"ring"`
	Approval    evidence.Digest      `json:"approval"` // or denial
	On          evidence.Digest      `json:"on"`       // what was approved or denied
	Reason      string               `json:"reason"`
}

// NewApprovalRevocation makes the statement that revokes an approval, or lifts a
// denial, by its digest.
func (s *State) NewApprovalRevocation(h Head, approval evidence.Digest, reason string) (evidence.Statement[ApprovalRevocation], error) {
	v, refusal := s.vote(approval)
	if refusal != nil {
		return evidence.Statement[ApprovalRevocation]{}, refusal
	}
	h = h.normal()
	return statement[ApprovalRevocation](RevocationType, ApprovalRevocation{
		h.Actor, h.Trust, h.Seen, h.Claimed, s.options.Project, v.environment, v.ring, approval, v.on, reason,
	})
}

func (s *State) vote(act evidence.Digest) (*vote, *Refusal) {
	v, ok := s.votes[act]
	if !ok {
		return nil, refuse(CodeApproval, "rollproof approval show REQUEST lists them", "%s is no legal approval or denial of this log", act)
	}
	return v, nil
}

func (r *ApprovalRevocation) head() Head   { return Head{r.Actor, r.Trust, r.Seen, r.Claimed} }
func (r *ApprovalRevocation) place() place { return place{r.Project, r.Environment, r.Ring} }

func (r *ApprovalRevocation) check() error {
	if err := checkPlace(r.Environment, r.Ring); err != nil {
		return err
	}
	return checkReason(r.Reason)
}

func (r *ApprovalRevocation) subjects() []evidence.Subject {
	return []evidence.Subject{actSubject("approval", r.Approval)}
}

func (r *ApprovalRevocation) facts() evidence.Facts {
	f := r.head().facts()
	f.Project, f.Environment, f.Ring, f.TargetRing, f.ApprovalState = r.Project, r.Environment, r.Ring, r.Ring, "revoked"
	f.Approval, f.Text = r.Approval.String(), []string{r.Reason}
	return f
}

func (r *ApprovalRevocation) judge(s *State, by signed) *Refusal {
	v, refusal := s.vote(r.Approval)
	if refusal != nil {
		return refusal
	}
	if v.environment != r.Environment || v.ring != r.Ring || v.on != r.On {
		return refuse(CodeEvidence, "", "the revocation is of ring %s of %s and %s, and what it revokes of ring %s of %s and %s", r.Ring, r.Environment, r.On, v.ring, v.environment, v.on).about(v.act)
	}
	if !v.revoked.IsZero() {
		again := refuse(CodeConflict, "", "%s is revoked already", v.act).about(v.revoked)
		again.Already = v.revoked
		return again
	}
	return gravest(v.judgeRevoker(by), v.judgeUsed(s))
}

// judgeRevoker lets the signer and the policy role revoke an approval, and the denier
// alone lift a denial.
func (v *vote) judgeRevoker(by signed) *Refusal {
	switch {
	case v.person == by.person && by.role == trust.Approver:
		return nil
	case v.deny:
		return refuse(CodeApproval, v.person+" lifts it", "%s denied it, and %s cannot lift that", v.person, by.person).about(v.act)
	case by.role == trust.Policy:
		return nil
	}
	return refuse(CodeApproval, v.person+" or the policy role revokes it", "%s approved it, and %s cannot revoke that", v.person, by.person).about(v.act)
}

// judgeUsed refuses to take back what was acted on.
func (v *vote) judgeUsed(s *State) *Refusal {
	if !v.used.IsZero() {
		return refuse(CodeConflict, "roll it back: rollproof release request-rollback", "approval %s was used by execution %s", v.act, v.used).about(v.used)
	}
	if g := s.glasses[v.on]; g != nil && !g.closed.IsZero() {
		return refuse(CodeConflict, "", "execution %s was closed by a quorum at %s", g.digest, stamp(g.closed)).about(g.digest)
	}
	return nil
}

func (r *ApprovalRevocation) apply(s *State, by signed) {
	v := s.votes[r.Approval]
	v.revoked, v.revoker = by.Digest, by.person
}
