package rollout

import (
	"reflect"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release/archive"
)

// A track is what the log says of one rollout.
type track struct {
	Rollout
	digest     evidence.Digest
	index      int64
	recorded   time.Time
	status     Status
	last       evidence.Digest // the act that a next status stands on
	succeeded  time.Time       // recorded, zero before
	operators  []string        // persons who signed the capture or a status
	events     []Event
	population evidence.Digest // newest of the ring at the capture, zero without one
	counts     []Counted       // its targets
	observed   *sighting       // newest legal observation
}

// A spot is an installed place: a target in a ring of an environment.
type spot struct{ environment, ring, target string }

// A holding is the release that a spot holds.
type holding struct {
	manifest evidence.Digest
	version  string
	rollout  evidence.Digest // the capture or execution that put it there
}

// Holding returns the release that a target holds by this log: that of the newest
// rollout which succeeded there, promotion or rollback which was executed there.
func (s *State) Holding(environment, ring, target string) Rollback {
	h, ok := s.held[spot{environment, ring, target}]
	if !ok {
		return Rollback{}
	}
	return Rollback{h.manifest.String(), h.version}
}

// An execution is a promotion that this log executed: it lets its release into a
// ring, for its targets.
type execution struct {
	manifest          evidence.Digest
	environment, ring string
	targets           []string
}

// executed returns an executed promotion.
func (s *State) executed(act evidence.Digest) (execution, bool) {
	e, ok := s.executions[act]
	return e, ok
}

// ring returns a ring of the rules in force.
func (s *State) ring(environment, name string) (Ring, *Refusal) {
	r, ok := s.policy.Rules.Ring(name)
	if !ok {
		return r, refuse(CodeRule, "rings stand in the policy: rollproof policy show", "%s", unknown("ring", name, s.policy.Rules.ringNames())).about(s.policy.Acts...)
	}
	if r.Environment != environment {
		return r, refuse(CodeRule, "", "ring %s belongs to environment %s, not to %s", name, r.Environment, archive.Printable(environment)).about(s.policy.Acts...)
	}
	return r, nil
}

func (r *Rollout) judge(s *State, by signed) *Refusal {
	if refusal := r.judgeSame(s); refusal != nil && !refusal.Already.IsZero() {
		return refusal
	}
	ring, refusal := s.ring(r.Environment, r.Ring)
	if refusal != nil {
		return refusal
	}
	for _, rule := range []func(*State, Ring) *Refusal{
		r.judgeRing, r.judgeHeld, r.judgeChange, r.judgeWindow, r.judgePopulation,
	} {
		if refusal := rule(s, ring); refusal != nil {
			return refusal
		}
	}
	if refusal := r.judgeVersion(s, by.trust); refusal != nil {
		return refusal
	}
	if refusal := r.judgeSame(s); refusal != nil {
		return refusal
	}
	return r.judgeRollback(s)
}

// judgeRing keeps captures from walking round promotion.
func (r *Rollout) judgeRing(s *State, ring Ring) *Refusal {
	first := s.policy.Rules.Rings[0]
	if r.Execution == "" {
		if ring.Name == first.Name {
			return nil
		}
		return refuse(CodeRule, "capture into ring "+first.Name+" first, then promote; or name the promotion: --execution DIGEST",
			"ring %s is not the first of the policy, which is %s, and the capture names no executed promotion", ring.Name, first.Name).about(s.policy.Acts...)
	}
	act, _ := evidence.ParseDigest(r.Execution) // checked before
	e, ok := s.executed(act)
	if !ok {
		return refuse(CodeRule, "", "%s is no executed promotion of this log", r.Execution)
	}
	if p := s.promotions[act]; p != nil && !p.undone.IsZero() {
		return refuse(CodeRule, "promote it again", "promotion %s was rolled back", r.Execution).about(p.undone)
	}
	if e.manifest != r.Manifest || e.environment != r.Environment || e.ring != r.Ring {
		return refuse(CodeRule, "", "promotion %s put release %s into ring %s of %s, not %s into ring %s of %s",
			r.Execution, e.manifest, e.ring, e.environment, r.Manifest, r.Ring, r.Environment).about(act)
	}
	for _, t := range r.Targets {
		if !slices.Contains(e.targets, t.ID) {
			return refuse(CodeRule, "", "promotion %s does not name target %s", r.Execution, t.ID).about(act)
		}
	}
	return nil
}

func (r *Rollout) judgeHeld(s *State, _ Ring) *Refusal {
	held := s.heldBy(r.Environment, r.Ring, r.targetIDs())
	if len(held) == 0 {
		return nil
	}
	return heldRefusal(held[0])
}

func heldRefusal(h OpenHold) *Refusal {
	return refuse(CodeRule, "the policy role lifts a hold: rollproof release hold --lift", "%s is held by %s: %s",
		heldWords(h.Environment, h.Ring, h.Target), h.Person, archive.Printable(h.Reason)).about(h.Act)
}

func (r *Rollout) judgeChange(s *State, _ Ring) *Refusal {
	rules := s.policy.Rules
	if r.ChangeRecord == "" {
		if rules.ChangeRecordRequired {
			return refuse(CodeRule, "give --change-record", "the policy asks for a change record").about(s.policy.Acts...)
		}
		return nil
	}
	pattern, err := rules.changePattern()
	if err != nil || !pattern.MatchString(r.ChangeRecord) {
		return refuse(CodeRule, "", "change record %s does not match the policy's pattern %s", r.ChangeRecord, archive.Printable(rules.ChangeRecordPattern)).about(s.policy.Acts...)
	}
	return nil
}

func (r *Rollout) judgeWindow(s *State, ring Ring) *Refusal {
	if r.Window == nil {
		return nil
	}
	why, err := ring.Windows.closedDuring(*r.Window, s.options.Location)
	if err != nil {
		return refuse(CodeRule, "", "%v", err)
	}
	if why != "" {
		return refuse(CodeRule, "plan it for another time", "the planned window is closed in ring %s: %s", ring.Name, archive.Printable(why)).about(s.policy.Acts...)
	}
	return nil
}

// judgePopulation refuses what could never succeed: a population counts only for
// captures after it.
func (r *Rollout) judgePopulation(s *State, ring Ring) *Refusal {
	if ring.Coverage == 0 {
		return nil
	}
	p := s.populations[site{r.Environment, r.Ring}]
	for _, t := range r.Targets {
		if p == nil || p.count(t.ID) == 0 {
			return refuse(CodeRule, "record the population first: rollproof release population --ring "+r.Ring,
				"ring %s asks for a coverage of %d %%, and no population of target %s is recorded there", ring.Name, ring.Coverage, t.ID)
		}
	}
	return nil
}

// judgeVersion keeps a version to the first package that was recorded under it.
func (r *Rollout) judgeVersion(s *State, t TrustVersion) *Refusal {
	owner, ok := s.owner(r.Release.Version, t)
	if !ok || owner.manifest == r.Manifest {
		return nil
	}
	return refuse(CodeConflict, "a changed package needs a new version", "%s %s is the release with manifest %s in this log, not %s",
		r.Project, r.Release.Version, owner.manifest, r.Manifest).about(owner.act)
}

// judgeSame finds a rollout of the same id.
func (r *Rollout) judgeSame(s *State) *Refusal {
	first, ok := s.rollouts[r.ID]
	if !ok {
		return nil
	}
	if !reflect.DeepEqual(r.content(), first.content()) {
		return refuse(CodeConflict, "give another change record", "rollout %s is recorded with other content", r.ID).about(first.digest)
	}
	refusal := refuse(CodeConflict, "", "rollout %s is already captured", r.ID).about(first.digest)
	refusal.Already = first.digest
	return refusal
}

// content is what makes two captures of one id the same: all but who said it and
// what the targets held at that moment.
func (r *Rollout) content() Rollout {
	c := *r
	c.Actor, c.Trust, c.Seen, c.Claimed = Actor{}, TrustVersion{}, nil, time.Time{}
	c.Targets = slices.Clone(r.Targets)
	for i := range c.Targets {
		c.Targets[i].Rollback = Rollback{}
	}
	return c
}

// judgeRollback refuses a plan for another state of the targets. A capture made
// without a log names nothing to go back to, which is no lie.
func (r *Rollout) judgeRollback(s *State) *Refusal {
	for _, t := range r.Targets {
		now, act := s.goesBack(r.Environment, r.Ring, t.ID, r.Execution)
		if t.Rollback.Manifest == "" || t.Rollback == now {
			continue
		}
		refusal := refuse(CodeConflict, "capture again", "stale plan: target %s goes back to %s, and by this log it holds %s", t.ID, t.Rollback.words(), now.held())
		if now.Manifest == "" {
			return refusal
		}
		return refusal.about(act)
	}
	return nil
}

func (r *Rollout) apply(s *State, by signed) {
	t := &track{
		Rollout: *r, digest: by.Digest, index: by.Index, recorded: by.Recorded,
		status: r.Status, last: by.Digest, operators: []string{by.person},
		events: []Event{{r.Status, by.Digest, by.Index, by.Recorded, by.person, ""}},
	}
	if p := s.populations[site{r.Environment, r.Ring}]; p != nil {
		t.population, t.counts = p.digest, p.Targets
	}
	s.rollouts[r.ID], s.order = t, append(s.order, r.ID)
	if _, claimed := s.versions[r.Release.Version]; !claimed {
		s.versions[r.Release.Version] = claim{r.Manifest, by.Digest}
	}
}
