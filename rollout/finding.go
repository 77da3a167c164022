package rollout

import (
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// A Finding is what the machine that records an act found beside the log, at most a
// minute ago.
type Finding struct {
	Integrity Integrity         // of the rollout that a promotion is about
	Verified  []evidence.Digest // manifests of packages that a rollback brings back, where they verify
}

// JudgeFinding says whether a machine may record an act that somebody else made: it
// refuses what the functions that make the act refuse for what this machine found.
// Whether the log allows it, [State.Judge] says; both must.
func (s *State) JudgeFinding(predicateType string, statement []byte, f Finding, now time.Time) *Refusal {
	read := readers[predicateType]
	if read == nil {
		return nil
	}
	d, err := read(statement)
	if err != nil {
		return badEvidence(err)
	}
	switch act := d.(type) {
	case *PromotionRequest:
		return notReady(s.Readiness(act.Rollout, f.Integrity, now))
	case *PromotionExecution:
		t, ok := s.rollouts[act.Rollout]
		if !ok {
			return refuse(CodeEvidence, "", "rollout %s is not recorded in this log", act.Rollout)
		}
		return s.notIntact(t, f.Integrity, now)
	case *RollbackRequest:
		return notVerified(act.Plan, f.Verified)
	case *RollbackExecution:
		return notVerified(act.Plan, f.Verified)
	}
	return nil
}

// Needs says what must be found before an act can be recorded: the rollout whose
// package and capture are verified, or the manifests of packages.
func Needs(predicateType string, statement []byte) (rollout string, manifests []evidence.Digest, err error) {
	read := readers[predicateType]
	if read == nil {
		return "", nil, nil
	}
	d, err := read(statement)
	if err != nil {
		return "", nil, badEvidence(err)
	}
	var plan []Step
	switch act := d.(type) {
	case *PromotionRequest:
		return act.Rollout, nil, nil
	case *PromotionExecution:
		return act.Rollout, nil, nil
	case *RollbackRequest:
		plan = act.Plan
	case *RollbackExecution:
		plan = act.Plan
	}
	for _, step := range plan {
		manifest, err := evidence.ParseDigest(step.Incoming.Manifest)
		if err != nil {
			return "", nil, badEvidence(err)
		}
		manifests = append(manifests, manifest)
	}
	return "", manifests, nil
}
