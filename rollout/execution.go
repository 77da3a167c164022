package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release"
)

// PromotionExecution is the predicate by which an operator, or in an emergency a
// person who may break glass, records that a requested promotion is executed.
type PromotionExecution struct {
	Actor        Actor                `json:"actor"`
	Trust        TrustVersion         `json:"trust"`
	Seen         *evidence.Checkpoint `json:"seen"`
	Claimed      time.Time            `json:"claimed"`
	Project      string               `json:"project"`
	Origin       string               `json:"origin"` // of the log that executes
	Request      evidence.Digest      `json:"request"`
	RequestID    string               `json:"requestId"`
	Rollout      string               `json:"rollout"`
	Capture      evidence.Digest      `json:"capture"`
	ChangeRecord string               `json:"changeRecord"`
	Version      string               `json:"version"`
	Manifest     evidence.Digest      `json:"manifest"`
	Environment  string               `json:"environment"`
	Ring         string               `json:"ring"`
	Plan         evidence.Digest      `json:"plan"`      // of the request's plan
	Approvals    []evidence.Digest    `json:"approvals"` // it stands on, sorted
	Policy       evidence.Digest      `json:"policy"`
	Time         string               `json:"time"` // store clock or witnessed
	Witness      *Witness             `json:"witness"`
	Rollback     []Reference          `json:"rollback"` // what each target held, by id
	BreakGlass   *BreakGlass          `json:"breakglass"`
	Unattended   bool                 `json:"unattended"` // the policy asks nobody to approve
	Status       string               `json:"status"`     // executed
}

// A Reference is the release to which a target would go back, both texts "" for none.
type Reference struct {
	ID       string `json:"id"`
	Manifest string `json:"manifest"`
	Version  string `json:"version"`
}

// A promotion is a legal promotion execution as the log has it.
type promotion struct {
	*petition
	digest     evidence.Digest
	index      int64
	recorded   time.Time
	person     string
	manifest   evidence.Digest
	approvals  []evidence.Digest
	unattended bool
	incident   string
	undone     evidence.Digest // the rollback, zero before
}

func (p *promotion) outgoing(target string) Rollback {
	for _, s := range p.plan {
		if s.ID == target {
			return s.Outgoing
		}
	}
	return Rollback{}
}

// NewPromotionExecution makes the statement that executes a request, by its digest. in
// is what this machine found of the rollout and its package at most a minute ago.
// Without an incident it stands on the approvals that count now.
func (s *State) NewPromotionExecution(h Head, request evidence.Digest, in Integrity, e Enaction, now time.Time) (evidence.Statement[PromotionExecution], error) {
	var none evidence.Statement[PromotionExecution]
	p, refusal := s.petitionOf(request, KindPromotion)
	if refusal != nil {
		return none, refusal
	}
	t := s.rollouts[p.rollout]
	if refusal := s.notIntact(t, in, now); refusal != nil {
		return none, refusal
	}
	h = h.normal()
	x := PromotionExecution{
		h.Actor, h.Trust, h.Seen, h.Claimed, p.project, e.Origin, p.digest, p.id, p.rollout, p.about, p.change, p.version, t.Manifest, p.environment, p.ring,
		p.identity, []evidence.Digest{}, p.policy, e.Witness.timeWord(), e.Witness, references(p.plan), nil, false, Executed,
	}
	if e.Incident != "" {
		x.BreakGlass = &BreakGlass{e.Incident}
		return statement[PromotionExecution](PromotionExecutionType, x)
	}
	b, refusal := s.ballotNow(p, h, now)
	if refusal != nil {
		return none, refusal
	}
	x.Approvals, x.Unattended = approvalsFor(b, p.votes), b.need == 0
	return statement[PromotionExecution](PromotionExecutionType, x)
}

// petitionOf finds a request of a kind.
func (s *State) petitionOf(request evidence.Digest, kind string) (*petition, *Refusal) {
	p, refusal := s.petition(request)
	if refusal == nil && p.kind != kind {
		return nil, refuse(CodeApproval, "", "%s is a request for a %s, expected one for a %s", request, p.kind, kind).about(request)
	}
	return p, refusal
}

// ballotNow is the ballot for whoever is about to execute.
func (s *State) ballotNow(p *petition, h Head, now time.Time) (*ballot, *Refusal) {
	ring, refusal := s.ring(p.environment, p.ring)
	if refusal != nil {
		return nil, refusal
	}
	authority, refusal := s.authority(h.Trust, now)
	if refusal != nil {
		return nil, refusal
	}
	return s.ballot(p, ring, h.Actor.Person, now, authority), nil
}

// notIntact lists what this machine found against a rollout.
func (s *State) notIntact(t *track, in Integrity, now time.Time) *Refusal {
	stage, refusal := s.ring(t.Environment, t.Ring)
	if refusal != nil {
		return refusal
	}
	q := inquiry{s, t, in, now, stage}
	if list := slices.Concat(q.integrity(), q.revoked()); len(list) > 0 {
		return refuseReasons(CodeEvidence, t.ID, worst(list), list)
	}
	if list := q.rebuilds(); len(list) > 0 {
		return refuseReasons(CodeRule, t.ID, worst(list), list)
	}
	return nil
}

func references(plan []Step) []Reference {
	list := []Reference{}
	for _, s := range plan {
		list = append(list, Reference{s.ID, s.Outgoing.Manifest, s.Outgoing.Version})
	}
	return list
}

func (e *PromotionExecution) head() Head   { return Head{e.Actor, e.Trust, e.Seen, e.Claimed} }
func (e *PromotionExecution) place() place { return place{e.Project, e.Environment, e.Ring} }

func (e *PromotionExecution) enactment() *enactment {
	return &enactment{e.head(), e.Origin, e.Time, e.Witness, e.BreakGlass, e.Approvals, e.Unattended, e.Status}
}

func (e *PromotionExecution) check() error {
	if err := checkBelongs(e.Environment, e.Ring, e.Rollout, e.ChangeRecord, e.Version); err != nil {
		return err
	}
	var ids []string
	for _, r := range e.Rollback {
		ids = append(ids, r.ID)
		if err := checkName("deployment target", r.ID, 100); err != nil {
			return err
		}
		if err := (Rollback{r.Manifest, r.Version}).check(); err != nil {
			return fmt.Errorf("target %s: rollback: %w", r.ID, err)
		}
	}
	if len(ids) == 0 || !increasing(ids) {
		return fmt.Errorf("the rollback is of no target, not sorted by id, or one stands twice")
	}
	return e.enactment().check()
}

func (e *PromotionExecution) subjects() []evidence.Subject {
	list := append([]evidence.Subject{actSubject("request", e.Request)}, approvalSubjects(e.Approvals)...)
	return append(list, actSubject("rollout", e.Capture), actSubject(release.ManifestFile, e.Manifest))
}

func (e *PromotionExecution) facts() evidence.Facts {
	f := e.head().facts()
	f.Project, f.Version, f.ChangeRecord, f.Rollout = e.Project, e.Version, e.ChangeRecord, e.Rollout
	f.Environment, f.Ring, f.TargetRing, f.RolloutStatus = e.Environment, e.Ring, e.Ring, "promoted"
	f.Request, f.Text = e.Request.String(), []string{e.RequestID, e.Rollout}
	for _, r := range e.Rollback {
		f.DeploymentTargets = append(f.DeploymentTargets, r.ID)
	}
	return e.enactment().facts(f)
}

func (e *PromotionExecution) judge(s *State, by signed) *Refusal {
	p, refusal := s.petitionOf(e.Request, KindPromotion)
	if refusal != nil {
		return refusal
	}
	t := s.rollouts[p.rollout]
	if !e.fits(p, t) {
		return refuse(CodeEvidence, "", "the execution does not say of request %s what the request says", p.digest).about(p.digest)
	}
	way := e.enactment()
	if refusal := way.judgeRole(s, by); refusal != nil {
		return refusal
	}
	if !p.executed.IsZero() {
		return p.refuseClosed(by.Recorded)
	}
	ring, refusal := s.ring(e.Environment, e.Ring)
	if refusal != nil {
		return gravest(way.judgeOrigin(p), p.refuseClosed(by.Recorded), refusal)
	}
	return gravest(
		way.judgeOrigin(p), p.refuseClosed(by.Recorded), way.judgeQuorum(s, p.digest, s.ballot(p, ring, by.person, by.Recorded, by.authority)),
		e.judgeRules(s, t, ring, by), p.judgePolicy(s), s.judgePresent(e.Environment, e.Ring, p.plan),
	)
}

func (e *PromotionExecution) fits(p *petition, t *track) bool {
	return e.RequestID == p.id && e.Rollout == p.rollout && e.Capture == p.about && e.ChangeRecord == p.change && e.Version == p.version && e.Manifest == t.Manifest &&
		e.Environment == p.environment && e.Ring == p.ring && e.Plan == p.identity && e.Policy == p.policy && slices.Equal(e.Rollback, references(p.plan))
}

// judgeRules asks every rule again that the request was held to, and those that are
// about the moment of acting. With witnessed time the rollout must have been ready at
// that time too: a clock that was set forward soaks nothing.
func (e *PromotionExecution) judgeRules(s *State, t *track, ring Ring, by signed) *Refusal {
	way, p := e.enactment(), s.petitions[e.Request]
	targets := stepIDs(p.plan)
	list := []*Refusal{
		way.judgeTime(ring, by, s.dependencies(p, e.Approvals)), s.judgeGlass(e.Environment, e.Ring), s.judgeHeldSpots(e.Environment, e.Ring, targets),
		judgeLifter(s.lifts(t, ring, targets), by), s.judgeRoute(t, e.Environment, e.Ring), s.judgeBlocked(t, e.Environment, e.Ring),
		s.judgeReady(t, by.Recorded), way.judgeWindow(s, ring, by.Recorded),
	}
	if e.Witness != nil {
		list = append(list, s.judgeReady(t, e.Witness.Time.Add(time.Second-time.Nanosecond)), way.judgeWindow(s, ring, e.Witness.Time))
	}
	return gravest(list...)
}

func (e *PromotionExecution) apply(s *State, by signed) {
	p := s.petitions[e.Request]
	done := &promotion{
		petition: p, digest: by.Digest, index: by.Index, recorded: by.Recorded, person: by.person, manifest: e.Manifest, approvals: e.Approvals, unattended: e.Unattended,
	}
	s.noteWindow(HowPromotion, p, by)
	s.use(p, e.Approvals, by)
	s.promotions[by.Digest] = done
	s.executions[by.Digest] = execution{e.Manifest, e.Environment, e.Ring, stepIDs(p.plan)}
	for _, step := range p.plan {
		s.put(Placement{
			Environment: e.Environment, Ring: e.Ring, Target: step.ID, Release: step.Incoming, How: HowPromotion, Act: by.Digest, Rollout: e.Rollout,
			Index: by.Index, Recorded: by.Recorded, Person: by.person, BreakGlass: e.BreakGlass != nil,
		}, e.Manifest, by.Digest)
	}
	if e.BreakGlass != nil {
		done.incident = e.BreakGlass.Incident
		s.breakGlass(p, e.BreakGlass.Incident, by)
	}
}

// use consumes a request and the approvals that it was executed on.
func (s *State) use(p *petition, approvals []evidence.Digest, by signed) {
	if ring, refusal := s.ring(p.environment, p.ring); refusal == nil {
		p.need = s.ballot(p, ring, by.person, by.Recorded, by.authority).need
	}
	p.executed = by.Digest
	for _, d := range approvals {
		s.votes[d].used = by.Digest
	}
}
