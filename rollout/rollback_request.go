package rollout

import (
	"errors"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
)

// RollbackRequest is the predicate by which a requester asks that targets of an
// executed promotion go back to releases that this log put there before.
type RollbackRequest struct {
	Actor        Actor                `json:"actor"`
	Trust        TrustVersion         `json:"trust"`
	Seen         *evidence.Checkpoint `json:"seen"`
	Claimed      time.Time            `json:"claimed"`
	ID           string               `json:"id"`
	Project      string               `json:"project"`
	TrustRoot    string               `json:"trustRoot"`
	Origin       string               `json:"origin"`
	Execution    evidence.Digest      `json:"execution"` // the promotion that is undone
	Rollout      string               `json:"rollout"`
	ChangeRecord string               `json:"changeRecord"`
	Version      string               `json:"version"`  // that is rolled back
	Manifest     evidence.Digest      `json:"manifest"` // that is rolled back
	Environment  string               `json:"environment"`
	Ring         string               `json:"ring"`
	Policy       evidence.Digest      `json:"policy"`
	Plan         []Step               `json:"plan"`
	Expires      time.Time            `json:"expires"`
	Reason       string               `json:"reason"`
	Supersedes   string               `json:"supersedes"`
	Denied       []evidence.Digest    `json:"denied"`
}

// NewRollbackRequest makes the statement that asks to undo a promotion, by its
// execution's digest. to is the manifest to go back to; zero for what each target held
// before that promotion. verified are the manifests of the packages that this machine
// verified: every release that comes back must be among them.
func (s *State) NewRollbackRequest(h Head, execution, to evidence.Digest, verified []evidence.Digest, a Ask, now time.Time) (evidence.Statement[RollbackRequest], error) {
	var none evidence.Statement[RollbackRequest]
	p, refusal := s.promotionBy(execution)
	if refusal != nil {
		return none, refusal
	}
	targets := a.Targets
	if len(targets) == 0 {
		targets = stepIDs(p.plan)
	}
	plan, refusal := s.rollbackPlan(p, p.returns(targets, to))
	if refusal != nil {
		return none, refusal
	}
	if refusal := notVerified(plan, verified); refusal != nil {
		return none, refusal
	}
	h = h.normal()
	r := RollbackRequest{
		h.Actor, h.Trust, h.Seen, h.Claimed, "", p.project, a.TrustRoot, a.Origin, p.digest, p.rollout, p.change, p.version, p.manifest, p.environment, p.ring,
		s.policy.Digest, plan, second(a.Expires), a.Reason, "", s.denials(p.environment, p.ring, plan),
	}
	if open := s.openPetition(matter{p.digest, p.ring}, now); open != nil {
		r.Supersedes = open.digest.String()
	}
	r.ID = r.terms().requestID()
	return statement[RollbackRequest](RollbackRequestType, r)
}

// promotionBy finds a legal promotion by its execution's digest.
func (s *State) promotionBy(execution evidence.Digest) (*promotion, *Refusal) {
	p, ok := s.promotions[execution]
	if !ok {
		return nil, refuse(CodeRule, "rollproof release history lists them", "%s is no executed promotion of this log", execution)
	}
	return p, nil
}

// returns are the releases to which targets go back: one for all, or what each held
// before, where it held one.
func (p *promotion) returns(targets []string, to evidence.Digest) []Return {
	var list []Return
	for _, id := range slices.Compact(slices.Sorted(slices.Values(targets))) {
		manifest := to
		if manifest.IsZero() {
			manifest, _ = evidence.ParseDigest(p.outgoing(id).Manifest) // zero for none
		}
		list = append(list, Return{id, manifest})
	}
	return list
}

// rollbackPlan says what going back does to the targets of a promotion.
func (s *State) rollbackPlan(p *promotion, returns []Return) ([]Step, *Refusal) {
	var plan []Step
	for _, r := range returns {
		where := spot{p.environment, p.ring, r.ID}
		if !slices.Contains(stepIDs(p.plan), r.ID) {
			return nil, refuse(CodeEvidence, "", "promotion %s does not name target %s", p.digest, archive.Printable(r.ID)).about(p.digest)
		}
		if now, _ := s.placed(where); now.Act != p.digest {
			return nil, refuse(CodeConflict, "name the execution that put it there: rollproof release history", "stale plan: target %s holds %s by %s, not by promotion %s", r.ID, now.Release.held(), now.Act, p.digest).about(now.Act)
		}
		if r.Manifest.IsZero() {
			return nil, refuse(CodeRule, "name a release that was there: rollproof release history", "target %s of ring %s held nothing before promotion %s", r.ID, p.ring, p.digest).about(p.digest)
		}
		before, was := s.wasThere(where, r.Manifest)
		if !was {
			return nil, neverThere(r.ID, p.ring, r.Manifest)
		}
		if b, is := s.blocked[blockade{site{p.environment, p.ring}, r.Manifest}]; is && b.index > before.Index {
			return nil, refuse(CodeRule, "name another release", "release %s (%s) was itself rolled back from ring %s", before.Release.Version, r.Manifest, p.ring).about(b.act)
		}
		step := Step{ID: r.ID, Outgoing: s.Holding(p.environment, p.ring, r.ID), Incoming: before.Release}
		step.Downgrade, step.Covered = downgrades(step.Outgoing, step.Incoming), s.wasCovered(where, r.Manifest)
		plan = append(plan, step)
	}
	return plan, nil
}

// wasCovered reports whether an observation ever showed a release on a target with
// the ring's coverage.
func (s *State) wasCovered(at spot, manifest evidence.Digest) bool {
	o := s.sightOf(at, manifest)
	ring, ok := s.policy.Rules.Ring(at.ring)
	return ok && o != nil && o.covers(at.target, ring.Coverage)
}

// sightOf returns the newest observation of a release on a target, nil for none.
func (s *State) sightOf(at spot, manifest evidence.Digest) *sighting {
	var newest *sighting
	for _, id := range s.order {
		t := s.rollouts[id]
		if t.observed != nil && t.Environment == at.environment && t.Ring == at.ring && t.Manifest == manifest && slices.Contains(t.targetIDs(), at.target) &&
			(newest == nil || t.observed.index > newest.index) {
			newest = t.observed
		}
	}
	return newest
}

func notVerified(plan []Step, verified []evidence.Digest) *Refusal {
	for _, step := range plan {
		if !slices.ContainsFunc(verified, func(d evidence.Digest) bool { return d.String() == step.Incoming.Manifest }) {
			return refuse(CodeEvidence, "verify its package: rollproof release verify-package", "release %s, to which target %s goes back, was not verified", step.Incoming.words(), step.ID)
		}
	}
	return nil
}

func (r *RollbackRequest) head() Head   { return Head{r.Actor, r.Trust, r.Seen, r.Claimed} }
func (r *RollbackRequest) place() place { return place{r.Project, r.Environment, r.Ring} }

func (r *RollbackRequest) terms() *terms {
	return &terms{
		KindRollback, r.ID, r.Project, r.Version, r.ChangeRecord, r.Rollout, r.Execution, r.Environment, r.Ring, r.Ring, r.Policy, r.Plan,
		r.Origin, r.TrustRoot, r.Expires, r.Reason, r.Supersedes, r.Denied, nil,
	}
}

func (r *RollbackRequest) check() error {
	if err := r.terms().check(); err != nil {
		return err
	}
	return checkBack(r.Plan, r.Manifest)
}

// checkBack wants one release to leave, and no exceptions.
func checkBack(plan []Step, manifest evidence.Digest) error {
	for _, step := range plan {
		if step.Outgoing.Manifest != manifest.String() || step.Exception != "" {
			return errors.New("the plan does not take the release away that is rolled back, or names an exception")
		}
	}
	return nil
}

func (r *RollbackRequest) subjects() []evidence.Subject {
	return append([]evidence.Subject{actSubject("execution", r.Execution)}, incomingSubjects(r.Plan)...)
}

// incomingSubjects are the releases that come back, each once, sorted.
func incomingSubjects(plan []Step) []evidence.Subject {
	var manifests []string
	for _, s := range plan {
		manifests = append(manifests, s.Incoming.Manifest)
	}
	slices.Sort(manifests)
	var list []evidence.Subject
	for _, m := range slices.Compact(manifests) {
		d, _ := evidence.ParseDigest(m) // checked before
		list = append(list, actSubject(release.ManifestFile, d))
	}
	return list
}

func (r *RollbackRequest) facts() evidence.Facts {
	f := r.terms().facts(r.head())
	f.Execution = r.Execution.String()
	return f
}

func (r *RollbackRequest) judge(s *State, by signed) *Refusal {
	p, refusal := s.promotionBy(r.Execution)
	if refusal != nil {
		return refusal
	}
	if r.Rollout != p.rollout || r.ChangeRecord != p.change || r.Version != p.version || r.Manifest != p.manifest || r.Environment != p.environment || r.Ring != p.ring {
		return refuse(CodeEvidence, "", "the request does not say of promotion %s what its execution says", p.digest).about(p.digest)
	}
	terms := r.terms()
	if again := terms.judgeAgain(s, by.Recorded); again != nil {
		return again
	}
	_, known := s.ring(r.Environment, r.Ring)
	return gravest(terms.judge(s, by.Recorded), known, s.judgeBack(p, r.Plan))
}

// judgeBack compares the plan of a rollback with what the log makes of it.
func (s *State) judgeBack(p *promotion, plan []Step) *Refusal {
	now, refusal := s.rollbackPlan(p, plannedReturns(plan))
	if refusal != nil {
		return refusal
	}
	return judgeSteps(plan, now)
}

func plannedReturns(plan []Step) []Return {
	var list []Return
	for _, step := range plan {
		d, _ := evidence.ParseDigest(step.Incoming.Manifest) // checked before
		list = append(list, Return{step.ID, d})
	}
	return list
}

func (r *RollbackRequest) apply(s *State, by signed) { r.terms().apply(s, by) }
