package rollout

import (
	"errors"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// RollbackExecution is the predicate by which an operator, or in an emergency a
// person who may break glass, records that targets went back: on a request of its
// own, or on what the promotion's approvals pre-approved.
type RollbackExecution struct {
	Actor        Actor                `json:"actor"`
	Trust        TrustVersion         `json:"trust"`
	Seen         *evidence.Checkpoint `json:"seen"`
	Claimed      time.Time            `json:"claimed"`
	Project      string               `json:"project"`
	Origin       string               `json:"origin"`
	Request      evidence.Digest      `json:"request"`     // the rollback's; of the promotion where that pre-approved it
	PreApproved  bool                 `json:"preApproved"` // it stands on the promotion's approvals
	Execution    evidence.Digest      `json:"execution"`   // the promotion that is undone
	Rollout      string               `json:"rollout"`
	ChangeRecord string               `json:"changeRecord"`
	Version      string               `json:"version"`  // that is rolled back
	Manifest     evidence.Digest      `json:"manifest"` // that is rolled back
	Environment  string               `json:"environment"`
	Ring         string               `json:"ring"`
	Plan         []Step               `json:"plan"`
	Approvals    []evidence.Digest    `json:"approvals"`
	Policy       evidence.Digest      `json:"policy"`
	Time         string               `json:"time"`
	Witness      *Witness             `json:"witness"`
	BreakGlass   *BreakGlass          `json:"breakglass"`
	Unattended   bool                 `json:"unattended"`
	Reason       string               `json:"reason"`
	Status       string               `json:"status"`
}

// NewRollbackExecution makes the statement that executes a requested rollback, by the
// request's digest. verified are the manifests of the packages that this machine
// verified at most a minute ago.
func (s *State) NewRollbackExecution(h Head, request evidence.Digest, verified []evidence.Digest, e Enaction, now time.Time) (evidence.Statement[RollbackExecution], error) {
	var none evidence.Statement[RollbackExecution]
	p, refusal := s.petitionOf(request, KindRollback)
	if refusal != nil {
		return none, refusal
	}
	if refusal := notVerified(p.plan, verified); refusal != nil {
		return none, refusal
	}
	x := s.rollbackExecution(h, s.promotions[p.about], e)
	x.Request, x.Plan, x.Policy, x.Reason = p.digest, p.plan, p.policy, p.reason
	if e.Incident != "" {
		x.BreakGlass = &BreakGlass{e.Incident}
		return statement[RollbackExecution](RollbackExecutionType, x)
	}
	b, refusal := s.ballotNow(p, h, now)
	if refusal != nil {
		return none, refusal
	}
	x.Approvals, x.Unattended = approvalsFor(b, p.votes), b.need == 0
	return statement[RollbackExecution](RollbackExecutionType, x)
}

// NewPreApprovedRollback makes the statement that executes the rollback which a
// promotion pre-approved, by the promotion's execution.
func (s *State) NewPreApprovedRollback(h Head, execution evidence.Digest, reason string, verified []evidence.Digest, e Enaction) (evidence.Statement[RollbackExecution], error) {
	var none evidence.Statement[RollbackExecution]
	p, refusal := s.promotionBy(execution)
	if refusal != nil {
		return none, refusal
	}
	if p.rollback == nil {
		return none, notPreApproved(p)
	}
	plan, refusal := s.rollbackPlan(p, p.rollback.To)
	if refusal != nil {
		return none, refusal
	}
	if refusal := notVerified(plan, verified); refusal != nil {
		return none, refusal
	}
	x := s.rollbackExecution(h, p, e)
	x.Request, x.PreApproved, x.Plan, x.Policy, x.Reason = p.petition.digest, true, plan, s.policy.Digest, reason
	x.Approvals, x.Unattended = p.approvals, p.unattended
	return statement[RollbackExecution](RollbackExecutionType, x)
}

func notPreApproved(p *promotion) *Refusal {
	return refuse(CodeApproval, "request it: rollproof release request-rollback", "promotion %s pre-approved no rollback", p.digest).about(p.petition.digest)
}

// rollbackExecution fills in what follows from the promotion.
func (s *State) rollbackExecution(h Head, p *promotion, e Enaction) RollbackExecution {
	h = h.normal()
	return RollbackExecution{
		Actor: h.Actor, Trust: h.Trust, Seen: h.Seen, Claimed: h.Claimed, Project: p.project, Origin: e.Origin, Execution: p.digest, Rollout: p.rollout,
		ChangeRecord: p.change, Version: p.version, Manifest: p.manifest, Environment: p.environment, Ring: p.ring, Approvals: []evidence.Digest{},
		Time: e.Witness.timeWord(), Witness: e.Witness, Status: Executed,
	}
}

func (e *RollbackExecution) head() Head   { return Head{e.Actor, e.Trust, e.Seen, e.Claimed} }
func (e *RollbackExecution) place() place { return place{e.Project, e.Environment, e.Ring} }

func (e *RollbackExecution) enactment() *enactment {
	return &enactment{e.head(), e.Origin, e.Time, e.Witness, e.BreakGlass, e.Approvals, e.Unattended, e.Status}
}

func (e *RollbackExecution) check() error {
	if err := checkBelongs(e.Environment, e.Ring, e.Rollout, e.ChangeRecord, e.Version); err != nil {
		return err
	}
	if err := checkPlan(e.Plan); err != nil {
		return err
	}
	if err := checkBack(e.Plan, e.Manifest); err != nil {
		return err
	}
	if err := checkReason(e.Reason); err != nil {
		return err
	}
	if e.PreApproved && e.BreakGlass != nil {
		return errors.New("a pre-approved rollback breaks no glass")
	}
	return e.enactment().check()
}

func (e *RollbackExecution) subjects() []evidence.Subject {
	list := append([]evidence.Subject{actSubject("request", e.Request)}, approvalSubjects(e.Approvals)...)
	return append(append(list, actSubject("execution", e.Execution)), incomingSubjects(e.Plan)...)
}

func (e *RollbackExecution) facts() evidence.Facts {
	f := e.head().facts()
	f.Project, f.Version, f.ChangeRecord, f.Rollout = e.Project, e.Version, e.ChangeRecord, e.Rollout
	f.Environment, f.Ring, f.TargetRing, f.RolloutStatus = e.Environment, e.Ring, e.Ring, string(StatusRolledBack)
	f.Request, f.Execution, f.DeploymentTargets = e.Request.String(), e.Execution.String(), stepIDs(e.Plan)
	f.Text = []string{e.Rollout, e.Reason}
	return e.enactment().facts(f)
}

func (e *RollbackExecution) judge(s *State, by signed) *Refusal {
	p, refusal := s.promotionBy(e.Execution)
	if refusal != nil {
		return refusal
	}
	if e.Rollout != p.rollout || e.ChangeRecord != p.change || e.Version != p.version || e.Manifest != p.manifest || e.Environment != p.environment || e.Ring != p.ring {
		return refuse(CodeEvidence, "", "the rollback does not say of promotion %s what its execution says", p.digest).about(p.digest)
	}
	way := e.enactment()
	if refusal := way.judgeRole(s, by); refusal != nil {
		return refusal
	}
	if e.PreApproved {
		return e.judgePreApproved(s, p, by)
	}
	return e.judgeRequested(s, p, by)
}

// judgeRequested judges a rollback on a request of its own.
func (e *RollbackExecution) judgeRequested(s *State, p *promotion, by signed) *Refusal {
	r, refusal := s.petitionOf(e.Request, KindRollback)
	if refusal != nil {
		return refusal
	}
	if r.about != e.Execution || !slices.Equal(r.plan, e.Plan) || r.policy != e.Policy || r.reason != e.Reason {
		return refuse(CodeEvidence, "", "the rollback does not say of request %s what the request says", r.digest).about(r.digest)
	}
	if !r.executed.IsZero() {
		return r.refuseClosed(by.Recorded)
	}
	way := e.enactment()
	ring, refusal := s.ring(e.Environment, e.Ring)
	if refusal != nil {
		return gravest(way.judgeOrigin(r), r.refuseClosed(by.Recorded), refusal)
	}
	list := []*Refusal{
		way.judgeOrigin(r), r.refuseClosed(by.Recorded), way.judgeQuorum(s, r.digest, s.ballot(r, ring, by.person, by.Recorded, by.authority)),
		e.judgeRules(s, p, r, ring, by), way.judgeWindow(s, ring, by.Recorded), r.judgePolicy(s),
	}
	if e.BreakGlass != nil {
		list = append(list, s.judgeGlass(e.Environment, e.Ring))
	}
	if e.Witness != nil {
		list = append(list, way.judgeWindow(s, ring, e.Witness.Time))
	}
	return gravest(list...)
}

// judgePreApproved judges the one rollback that the promotion's approvers allowed.
// Its end is what they signed: windows and the expiry of their approvals are not asked
// again, their persons and keys are.
func (e *RollbackExecution) judgePreApproved(s *State, p *promotion, by signed) *Refusal {
	switch {
	case p.rollback == nil:
		return notPreApproved(p)
	case e.Request != p.petition.digest || !slices.Equal(e.Approvals, p.approvals):
		return refuse(CodeEvidence, "", "the rollback names another request or other approvals than promotion %s", p.digest).about(p.digest)
	case !p.undone.IsZero():
		return refuse(CodeConflict, "", "promotion %s was rolled back already", p.digest).about(p.undone)
	case !by.Recorded.Before(p.rollback.Until):
		return refuse(CodeApproval, "request it: rollproof release request-rollback", "the rollback was pre-approved until %s", stamp(p.rollback.Until)).about(p.petition.digest)
	case p.incident != "":
		return refuse(CodeApproval, "request it: rollproof release request-rollback", "promotion %s broke glass: nobody has approved its rollback", p.digest).about(p.digest)
	}
	ring, refusal := s.ring(e.Environment, e.Ring)
	if refusal != nil {
		return refusal
	}
	b := s.ballot(p.petition, ring, by.person, by.Recorded, by.authority)
	b.need, b.at = p.need, p.recorded
	way := e.enactment()
	return gravest(
		way.judgeOrigin(p.petition), way.judgeQuorum(s, p.petition.digest, b), e.judgeAllowed(p), s.judgeBack(p, e.Plan),
		e.judgeRules(s, p, p.petition, ring, by), e.judgePolicy(s),
	)
}

// judgeAllowed keeps a pre-approved rollback to the releases that were approved.
func (e *RollbackExecution) judgeAllowed(p *promotion) *Refusal {
	same := slices.EqualFunc(e.Plan, p.rollback.To, func(s Step, r Return) bool { return s.ID == r.ID && s.Incoming.Manifest == r.Manifest.String() })
	if same {
		return nil
	}
	return refuse(CodeApproval, "", "the rollback is not the one that promotion %s pre-approved", p.digest).about(p.petition.digest)
}

func (e *RollbackExecution) judgePolicy(s *State) *Refusal {
	if e.Policy == s.policy.Digest {
		return nil
	}
	return refuse(CodeConflict, "sign it again", "the rollback stands on rules %s, in force are %s", e.Policy, s.policy.Digest).about(s.policy.Acts...)
}

// judgeRules asks what holds for every rollback: also that its targets still hold what
// the promotion brought, and what comes back was there.
func (e *RollbackExecution) judgeRules(s *State, p *promotion, r *petition, ring Ring, by signed) *Refusal {
	targets := stepIDs(e.Plan)
	deps := append(s.dependencies(r, e.Approvals), dependency{p.recorded, p.digest})
	lifts := s.liftsSince(p.index, func(h OpenHold) bool { return h.reaches(e.Environment, e.Ring, targets) })
	_, gone := s.rollbackPlan(p, plannedReturns(e.Plan))
	return gravest(
		e.enactment().judgeTime(ring, by, deps), s.judgeHeldSpots(e.Environment, e.Ring, targets), judgeLifter(lifts, by), gone,
	)
}

func (e *RollbackExecution) apply(s *State, by signed) {
	p := s.promotions[e.Execution]
	p.undone = by.Digest
	s.noteWindow(HowRollback, s.petitions[e.Request], by)
	if !e.PreApproved {
		s.use(s.petitions[e.Request], e.Approvals, by)
	}
	for _, step := range e.Plan {
		manifest, _ := evidence.ParseDigest(step.Incoming.Manifest) // checked before
		brought, _ := s.wasThere(spot{e.Environment, e.Ring, step.ID}, manifest)
		s.put(Placement{
			Environment: e.Environment, Ring: e.Ring, Target: step.ID, Release: step.Incoming, How: HowRollback, Act: by.Digest, Rollout: brought.Rollout,
			Index: by.Index, Recorded: by.Recorded, Person: by.person, BreakGlass: e.BreakGlass != nil,
		}, manifest, by.Digest)
	}
	s.blocked[blockade{site{e.Environment, e.Ring}, e.Manifest}] = blocking{by.Digest, by.Index}
	if e.BreakGlass != nil {
		s.breakGlass(s.petitions[e.Request], e.BreakGlass.Incident, by)
	}
}
