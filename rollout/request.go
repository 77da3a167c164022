package rollout

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
)

// PromotionRequest is the predicate by which a requester asks that a rollout's
// release enters the next ring. It binds what would happen, and on what grounds.
type PromotionRequest struct {
	Actor        Actor                `json:"actor"`
	Trust        TrustVersion         `json:"trust"`
	Seen         *evidence.Checkpoint `json:"seen"`
	Claimed      time.Time            `json:"claimed"`
	ID           string               `json:"id"`
	Project      string               `json:"project"`
	TrustRoot    string               `json:"trustRoot"` // digest of version 1 of the trust root
	Origin       string               `json:"origin"`    // of the log that shall execute it, "" where that has no identity
	Rollout      string               `json:"rollout"`   // id
	Capture      evidence.Digest      `json:"capture"`   // the act of that rollout
	ChangeRecord string               `json:"changeRecord"`
	Version      string               `json:"version"`
	Manifest     evidence.Digest      `json:"manifest"`    // of release-evidence.json
	Environment  string               `json:"environment"` // of the target ring
	FromRing     string               `json:"fromRing"`
	TargetRing   string               `json:"targetRing"`
	Policy       evidence.Digest      `json:"policy"` // the rules in force
	Plan         []Step               `json:"plan"`   // by target
	Grounds      Grounds              `json:"evidence"`
	Expires      time.Time            `json:"expires"`
	Reason       string               `json:"reason"`
	Supersedes   string               `json:"supersedes"` // the open request before, "" for none
	Denied       []evidence.Digest    `json:"denied"`     // denials of plans that made one of these moves, sorted
	Rollback     *PreApproved         `json:"rollback"`   // null for none
}

// Grounds are the newest acts that make the rollout ready.
type Grounds struct {
	Status      evidence.Digest   `json:"status"`
	Observation string            `json:"observation"` // "" for none
	Population  string            `json:"population"`  // "" for none
	Lifts       []evidence.Digest `json:"lifts"`       // of holds of the two rings or their targets since the capture, in the order of the log
}

// NewPromotionRequest makes the statement that asks for a rollout's promotion into a
// ring. in is what this machine found; it is judged at now, with the log. A rollout
// that is not ready is a [*Refusal] that lists why.
func (s *State) NewPromotionRequest(h Head, rollout, ring string, in Integrity, a Ask, now time.Time) (evidence.Statement[PromotionRequest], error) {
	var none evidence.Statement[PromotionRequest]
	t, ok := s.rollouts[rollout]
	if !ok {
		return none, refuse(CodeEvidence, "index the rollout first: rollproof release verify-rollout", "rollout %s is not recorded in this log", archive.Printable(rollout))
	}
	if refusal := notReady(s.Readiness(rollout, in, now)); refusal != nil {
		return none, refusal
	}
	stage, known := s.policy.Rules.Ring(ring)
	if !known {
		return none, refuse(CodeRule, "rings stand in the policy: rollproof policy show", "%s", unknown("ring", ring, s.policy.Rules.ringNames()))
	}
	if refusal := s.judgeRoute(t, stage.Environment, ring); refusal != nil {
		return none, refusal
	}
	plan, refusal := s.promotionPlan(t, stage, a.Targets)
	if refusal != nil {
		return none, refusal
	}
	if !changes(plan) {
		return none, refuse(CodeConflict, "rollproof release rings shows what is where", "ring %s holds release %s (%s) on every target already", ring, t.Release.Version, t.Manifest)
	}
	h = h.normal()
	r := PromotionRequest{
		h.Actor, h.Trust, h.Seen, h.Claimed, "", s.options.Project, a.TrustRoot, a.Origin, t.ID, t.digest, t.ChangeRecord, t.Release.Version, t.Manifest,
		stage.Environment, t.Ring, ring, s.policy.Digest, plan, s.grounds(t, stage, stepIDs(plan)), second(a.Expires), a.Reason, "", s.denials(stage.Environment, ring, plan), a.Rollback,
	}
	if open := s.openPetition(matter{t.digest, ring}, now); open != nil {
		r.Supersedes = open.digest.String()
	}
	r.ID = r.terms().requestID()
	return statement[PromotionRequest](PromotionRequestType, r)
}

// notReady lists what speaks against a promotion.
func notReady(r Readiness) *Refusal {
	if r.Grade == Ready {
		return nil
	}
	code := CodeRule
	if r.Integrity == "failed" {
		code = CodeEvidence
	}
	return refuseReasons(code, r.Rollout, r.Grade, r.Reasons)
}

func refuseReasons(code Code, rollout string, g Grade, reasons []Reason) *Refusal {
	var texts []string
	var acts []evidence.Digest
	for _, x := range reasons {
		texts, acts = append(texts, x.Text), append(acts, x.Records...)
	}
	hint := ""
	if len(reasons) > 0 {
		hint = reasons[0].Clears
	}
	return refuse(code, hint, "rollout %s is %s, expected %s: %s", archive.Printable(rollout), g, Ready, strings.Join(texts, "; ")).about(acts...)
}

// logged are the rules of readiness that follow from the log alone, so that a replay
// can judge them again.
var logged = []func(inquiry) []Reason{
	inquiry.clock, inquiry.progress, inquiry.held, inquiry.coverage, inquiry.stale, inquiry.soak, inquiry.failedLater, inquiry.superseded, inquiry.different,
}

// judgeReady judges a rollout by the log alone.
func (s *State) judgeReady(t *track, now time.Time) *Refusal {
	stage, refusal := s.ring(t.Environment, t.Ring)
	if refusal != nil {
		return refusal
	}
	var reasons []Reason
	for _, rule := range logged {
		reasons = append(reasons, rule(inquiry{s, t, Integrity{}, now, stage})...)
	}
	if len(reasons) == 0 {
		return nil
	}
	return refuseReasons(CodeRule, t.ID, worst(reasons), reasons)
}

func (s *State) grounds(t *track, ring Ring, targets []string) Grounds {
	g := Grounds{Status: t.last, Population: digestText(t.population), Lifts: []evidence.Digest{}}
	if t.observed != nil {
		g.Observation = t.observed.act.String()
	}
	for _, l := range s.lifts(t, ring, targets) {
		g.Lifts = append(g.Lifts, l.act)
	}
	return g
}

func (r *PromotionRequest) head() Head   { return Head{r.Actor, r.Trust, r.Seen, r.Claimed} }
func (r *PromotionRequest) place() place { return place{r.Project, r.Environment, r.TargetRing} }

func (r *PromotionRequest) terms() *terms {
	return &terms{
		KindPromotion, r.ID, r.Project, r.Version, r.ChangeRecord, r.Rollout, r.Capture, r.Environment, r.TargetRing, r.FromRing, r.Policy, r.Plan,
		r.Origin, r.TrustRoot, r.Expires, r.Reason, r.Supersedes, r.Denied, r.Rollback,
	}
}

func (r *PromotionRequest) check() error {
	if err := r.terms().check(); err != nil {
		return err
	}
	if err := checkSaid(r.Version, r.Plan); err != nil {
		return err
	}
	for _, step := range r.Plan {
		if step.Incoming.Manifest != r.Manifest.String() {
			return fmt.Errorf("of release %s, and target %s receives %s", r.Manifest, step.ID, step.Incoming.words())
		}
	}
	if r.Grounds.Lifts == nil {
		return errors.New("the lifts are null, expected []")
	}
	if err := errors.Join(checkOptional("observation", r.Grounds.Observation), checkOptional("population", r.Grounds.Population)); err != nil {
		return err
	}
	return r.Rollback.check(r.Plan)
}

func (r *PromotionRequest) subjects() []evidence.Subject {
	return []evidence.Subject{actSubject("rollout", r.Capture), actSubject(release.ManifestFile, r.Manifest)}
}

func (r *PromotionRequest) facts() evidence.Facts { return r.terms().facts(r.head()) }

func (r *PromotionRequest) judge(s *State, by signed) *Refusal {
	t, refusal := s.belongs(r.Rollout, r.Capture)
	if refusal != nil {
		return refusal
	}
	if r.Version != t.Release.Version || r.ChangeRecord != t.ChangeRecord || r.Manifest != t.Manifest || r.FromRing != t.Ring {
		return refuse(CodeEvidence, "", "the request does not say of rollout %s what its capture says", r.Rollout).about(t.digest)
	}
	terms := r.terms()
	if again := terms.judgeAgain(s, by.Recorded); again != nil {
		return again
	}
	return gravest(
		terms.judge(s, by.Recorded), s.judgeRoute(t, r.Environment, r.TargetRing), r.judgePlan(s, t), s.judgeBlocked(t, r.Environment, r.TargetRing),
		s.judgeReady(t, by.Recorded), r.judgeGrounds(s, t), r.Rollback.judgeReturns(s, r.Environment, r.TargetRing),
	)
}

// judgeRoute keeps promotions to the next ring in order.
func (s *State) judgeRoute(t *track, environment, ring string) *Refusal {
	if _, refusal := s.ring(environment, ring); refusal != nil {
		return refusal
	}
	rules := s.policy.Rules
	i := rules.ringIndex(t.Ring)
	switch {
	case i < 0:
		return refuse(CodeRule, "", "%s", unknown("ring", t.Ring, rules.ringNames())).about(s.policy.Acts...)
	case i+1 == len(rules.Rings):
		return refuse(CodeRule, "", "ring %s is the last, and rollout %s cannot leave it", t.Ring, t.ID).about(s.policy.Acts...)
	case rules.Rings[i+1].Name != ring:
		return refuse(CodeRule, "promote into ring "+rules.Rings[i+1].Name, "after ring %s comes ring %s, not %s", t.Ring, rules.Rings[i+1].Name, ring).about(s.policy.Acts...)
	}
	return nil
}

func (r *PromotionRequest) judgePlan(s *State, t *track) *Refusal {
	ring, refusal := s.ring(r.Environment, r.TargetRing)
	if refusal != nil {
		return refusal
	}
	now, refusal := s.promotionPlan(t, ring, stepIDs(r.Plan))
	if refusal != nil {
		return refusal
	}
	return judgeSteps(r.Plan, now)
}

// judgeBlocked keeps a release out of a ring from which it was rolled back, until it
// is rolled out anew.
func (s *State) judgeBlocked(t *track, environment, ring string) *Refusal {
	b, ok := s.blocked[blockade{site{environment, ring}, t.Manifest}]
	if !ok || t.index > b.index {
		return nil
	}
	return refuse(CodeRule, "a new rollout supersedes it: rollproof release capture-rollout",
		"release %s (%s) was rolled back from ring %s, and rollout %s was captured before", t.Release.Version, t.Manifest, ring, t.ID).about(b.act)
}

// judgeGrounds wants the newest evidence in the request.
func (r *PromotionRequest) judgeGrounds(s *State, t *track) *Refusal {
	ring, _ := s.ring(r.Environment, r.TargetRing)
	now := s.grounds(t, ring, stepIDs(r.Plan))
	if g := r.Grounds; g.Status == now.Status && g.Observation == now.Observation && g.Population == now.Population && slices.Equal(g.Lifts, now.Lifts) {
		return nil
	}
	return refuse(CodeConflict, "request it again", "stale request: the newest status, observation, population and lifts of rollout %s are others than it names", t.ID).about(t.last)
}

func (r *PromotionRequest) apply(s *State, by signed) { r.terms().apply(s, by) }
