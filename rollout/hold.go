package rollout

import (
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// Hold is the predicate by which the policy role stops a ring, or a deployment
// target in every ring. Its subject is the digest of the rules in force.
type Hold struct {
	Actor   Actor                `json:"actor"`
	Trust   TrustVersion         `json:"trust"`
	Seen    *evidence.Checkpoint `json:"seen"`
	Claimed time.Time            `json:"claimed"`
	Project string               `json:"project"`
	// Environment and Ring name the ring, or Target the target; the rest is empty.
	Environment string          `json:"environment"`
	Ring        string          `json:"ring"`
	Target      string          `json:"target"`
	Policy      evidence.Digest `json:"policy"` // the rules that the holder's tool knew
	Reason      string          `json:"reason"`
}

// Lift is the predicate that ends one hold, which is its subject.
type Lift struct {
	Actor       Actor                `json:"actor"`
	Trust       TrustVersion         `json:"trust"`
	Seen        *evidence.Checkpoint `json:"seen"`
	Claimed     time.Time            `json:"claimed"`
	Project     string               `json:"project"`
	Environment string               `json:"environment"` // this and the next two: as in the hold
	Ring        string               `json:"ring"`
	Target      string               `json:"target"`
	Hold        evidence.Digest      `json:"hold"`
	Reason      string               `json:"reason"`
}

// An OpenHold is a hold that nobody has lifted.
type OpenHold struct {
	Act         evidence.Digest
	Environment string
	Ring        string
	Target      string
	Reason      string
	Person      string
	Recorded    time.Time
}

// HoldRing makes the statement that holds a ring.
func (s *State) HoldRing(h Head, ring Ring, reason string) (evidence.Statement[Hold], error) {
	h = h.normal()
	return statement[Hold](HoldType, Hold{h.Actor, h.Trust, h.Seen, h.Claimed, s.options.Project, ring.Environment, ring.Name, "", s.policy.Digest, reason})
}

// HoldTarget makes the statement that holds a deployment target everywhere.
func (s *State) HoldTarget(h Head, target, reason string) (evidence.Statement[Hold], error) {
	h = h.normal()
	return statement[Hold](HoldType, Hold{h.Actor, h.Trust, h.Seen, h.Claimed, s.options.Project, "", "", target, s.policy.Digest, reason})
}

// Lift makes the statement that lifts a hold.
func (s *State) Lift(h Head, o OpenHold, reason string) (evidence.Statement[Lift], error) {
	h = h.normal()
	return statement[Lift](LiftType, Lift{h.Actor, h.Trust, h.Seen, h.Claimed, s.options.Project, o.Environment, o.Ring, o.Target, o.Act, reason})
}

// Holds returns the holds that nobody has lifted, in the order of the log.
func (s *State) Holds() []OpenHold { return slices.Clone(s.holds) }

// heldBy returns the open holds that reach a target in a ring.
func (s *State) heldBy(environment, ring string, targets []string) []OpenHold {
	var list []OpenHold
	for _, h := range s.holds {
		if h.Target != "" && slices.Contains(targets, h.Target) || h.Target == "" && h.Environment == environment && h.Ring == ring {
			list = append(list, h)
		}
	}
	return list
}

func (h *Hold) head() Head   { return Head{h.Actor, h.Trust, h.Seen, h.Claimed} }
func (h *Hold) place() place { return place{h.Project, h.Environment, h.Ring} }

func (h *Hold) check() error {
	if err := checkHeld(h.Environment, h.Ring, h.Target); err != nil {
		return err
	}
	return checkReason(h.Reason)
}

func (h *Hold) subjects() []evidence.Subject {
	return []evidence.Subject{actSubject("rules", h.Policy)}
}

func (h *Hold) facts() evidence.Facts {
	f := h.head().facts()
	f.Project, f.Environment, f.Ring, f.Text = h.Project, h.Environment, h.Ring, []string{h.Reason}
	if h.Target != "" {
		f.DeploymentTargets = []string{h.Target}
	}
	return f
}

// judge lets a hold stand on older rules: what stops must not come too late.
func (h *Hold) judge(s *State, _ signed) *Refusal {
	if h.Target != "" {
		return nil
	}
	_, refusal := s.ring(h.Environment, h.Ring)
	return refusal
}

func (h *Hold) apply(s *State, by signed) {
	s.holds = append(s.holds, OpenHold{by.Digest, h.Environment, h.Ring, h.Target, h.Reason, by.person, by.Recorded})
}

func (l *Lift) head() Head   { return Head{l.Actor, l.Trust, l.Seen, l.Claimed} }
func (l *Lift) place() place { return place{l.Project, l.Environment, l.Ring} }

func (l *Lift) check() error {
	if err := checkHeld(l.Environment, l.Ring, l.Target); err != nil {
		return err
	}
	return checkReason(l.Reason)
}

func (l *Lift) subjects() []evidence.Subject {
	return []evidence.Subject{actSubject("hold", l.Hold)}
}

func (l *Lift) facts() evidence.Facts {
	f := l.head().facts()
	f.Project, f.Environment, f.Ring, f.Text = l.Project, l.Environment, l.Ring, []string{l.Reason}
	if l.Target != "" {
		f.DeploymentTargets = []string{l.Target}
	}
	return f
}

func (l *Lift) judge(s *State, _ signed) *Refusal {
	i := s.holdIndex(l.Hold)
	if first, lifted := s.lifted[l.Hold]; lifted {
		r := refuse(CodeConflict, "", "hold %s is lifted already", l.Hold)
		r.Already = first
		return r.about(first)
	}
	if i < 0 {
		return refuse(CodeEvidence, "name an open hold", "the lift names %s, which is no hold of this log", l.Hold)
	}
	if o := s.holds[i]; o.Environment != l.Environment || o.Ring != l.Ring || o.Target != l.Target {
		return refuse(CodeEvidence, "", "the lift is of %s, and the hold that it names is of %s",
			heldWords(l.Environment, l.Ring, l.Target), heldWords(o.Environment, o.Ring, o.Target)).about(o.Act)
	}
	return nil
}

func (l *Lift) apply(s *State, by signed) {
	i := s.holdIndex(l.Hold)
	s.unheld = append(s.unheld, liftedHold{s.holds[i], by.Digest, by.Index, by.Recorded, by.person})
	s.holds = slices.Delete(s.holds, i, i+1)
	s.lifted[l.Hold] = by.Digest
}

func (s *State) holdIndex(act evidence.Digest) int {
	return slices.IndexFunc(s.holds, func(h OpenHold) bool { return h.Act == act })
}

// checkHeld wants either a ring with its environment, or a target.
func checkHeld(environment, ring, target string) error {
	if target == "" {
		return checkPlace(environment, ring)
	}
	if environment != "" || ring != "" {
		return refuse(CodeEvidence, "", "a hold of target %q names ring %q of environment %q too, expected either", target, ring, environment)
	}
	return checkName("deployment target", target, 100)
}

func heldWords(environment, ring, target string) string {
	if target != "" {
		return "target " + target
	}
	return "ring " + ring + " of environment " + environment
}
