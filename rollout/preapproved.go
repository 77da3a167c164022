package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release/archive"
)

// PreApproved lets one rollback of the promotion happen on the very approvals of the
// promotion.
type PreApproved struct {
	To    []Return  `json:"to"` // by target
	Until time.Time `json:"until"`
	Uses  int       `json:"uses"` // 1
}

// A Return is the release to which a target goes back.
type Return struct {
	ID       string          `json:"id"`
	Manifest evidence.Digest `json:"manifest"`
}

func (p *PreApproved) equal(other *PreApproved) bool {
	if p == nil || other == nil {
		return p == other
	}
	return p.Until.Equal(other.Until) && p.Uses == other.Uses && slices.Equal(p.To, other.To)
}

func (p *PreApproved) check(plan []Step) error {
	if p == nil {
		return nil
	}
	var ids []string
	for _, r := range p.To {
		ids = append(ids, r.ID)
	}
	if len(ids) == 0 || !increasing(ids) {
		return fmt.Errorf("the pre-approved rollback is of no target, not sorted by id, or one stands twice")
	}
	for _, id := range ids {
		if !slices.Contains(stepIDs(plan), id) {
			return fmt.Errorf("the pre-approved rollback is of target %s, which the plan does not name", archive.Printable(id))
		}
	}
	if p.Uses != 1 {
		return fmt.Errorf("the pre-approved rollback has %d uses, expected 1", p.Uses)
	}
	return checkTime("rollback until", p.Until)
}

func (p *PreApproved) judge(at time.Time) *Refusal {
	switch {
	case p == nil:
		return nil
	case !at.Before(p.Until):
		return refuse(CodeApproval, "", "the pre-approved rollback ended %s, before it was recorded", stamp(p.Until))
	case p.Until.After(at.Add(MaxValidity)):
		return refuse(CodeRule, "", "the pre-approved rollback ends %s, expected at most 30 days from %s", stamp(p.Until), stamp(at))
	}
	return nil
}

// judgeReturns wants releases that this log put there before.
func (p *PreApproved) judgeReturns(s *State, environment, ring string) *Refusal {
	if p == nil {
		return nil
	}
	for _, r := range p.To {
		if _, was := s.wasThere(spot{environment, ring, r.ID}, r.Manifest); !was {
			return neverThere(r.ID, ring, r.Manifest)
		}
	}
	return nil
}

func neverThere(target, ring string, manifest evidence.Digest) *Refusal {
	return refuse(CodeRule, "rollproof release history lists what was there", "no legal act of this log put release %s on target %s of ring %s", manifest, target, ring)
}
