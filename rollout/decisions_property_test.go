package rollout

import (
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// crowd is everybody who signs about promotions, whether he may or not.
var crowd = []string{
	"asker", "asker-2", "yes-1", "yes-1b", "yes-2", "yes-3", "yes-4", "yes-web", "yes-web-2", "yes-asker", "yes-ada", "yes-grace", "yes-production",
	"executor", "executor-2", "operator", "breaker", "breaker-2", "policy", "observer",
}

// hand makes random acts about promotions on a stage.
type hand struct {
	*stage
	*rand.Rand
	version int
}

func (h *hand) pick(fitting ...string) string {
	if h.Intn(5) > 0 {
		return fitting[h.Intn(len(fitting))]
	}
	return crowd[h.Intn(len(crowd))]
}

func (h *hand) approver() string {
	return h.pick("yes-1", "yes-1b", "yes-2", "yes-3", "yes-4", "yes-web", "yes-grace", "yes-asker", "yes-ada")
}

// anyRequest is one that was recorded, mostly a late one.
func (h *hand) anyRequest() *petition {
	asked := h.s.asked
	if len(asked) == 0 {
		return nil
	}
	if h.Intn(4) > 0 {
		return h.s.petitions[asked[len(asked)-1]]
	}
	return h.s.petitions[asked[h.Intn(len(asked))]]
}

func (h *hand) anyPromotion() *promotion {
	var list []*promotion
	for _, d := range h.s.asked {
		if p := h.s.promotions[h.s.petitions[d].executed]; p != nil {
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list[max(0, len(list)-1-h.Intn(2))]
}

// signedBy signs a statement that could be made.
func signedBy[P any](h *hand, name string, s evidence.Statement[P], err error) *Act {
	if err != nil {
		return nil
	}
	a := act(h.world, name, s)
	return &a
}

// step makes one act; nil where what it would be about is not there.
func (h *hand) step() *Act {
	h.after(time.Duration(h.Intn(60)) * time.Minute)
	if a := h.insisting(); a != nil {
		return a
	}
	switch n := h.Intn(100); {
	case n < 14:
		return h.requesting()
	case n < 55:
		return h.approving()
	case n < 57:
		return h.denying()
	case n < 60:
		return h.revoking()
	case n < 82:
		return h.executing()
	case n < 90:
		return h.goingBack()
	case n < 93:
		return h.closingGlass()
	case n < 96:
		return h.holdingOrLifting()
	case n < 97:
		return h.ruling()
	}
	return h.again()
}

// insisting asks for a denied plan again, and approves and executes it, more often than
// chance would.
func (h *hand) insisting() *Act {
	if len(h.s.asked) == 0 || h.Intn(2) == 0 {
		return nil
	}
	switch p := h.s.petitions[h.s.asked[len(h.s.asked)-1]]; {
	case p.denial() != nil:
		return h.requesting()
	case len(p.denied) > 0 && p.closed(h.now) == "" && len(p.votes) < 6:
		return h.approving()
	case len(p.denied) > 0 && p.closed(h.now) == "":
		return h.executing()
	}
	return nil
}

func (h *hand) requesting() *Act {
	name, a := h.pick("asker", "asker-2"), h.ask()
	a.Expires = h.now.Add(time.Duration(1+h.Intn(72)) * time.Hour)
	if h.Intn(3) == 0 {
		a.Targets = []string{"mac-laptop"}
	}
	if p := h.anyPromotion(); p != nil && h.Intn(2) == 0 {
		s, err := h.s.NewRollbackRequest(h.by(name), p.digest, evidence.Digest{}, h.all(), a, h.now)
		return signedBy(h, name, s, err)
	}
	if now := h.staging(); now.Manifest != "" && h.Intn(2) == 0 {
		d, err := evidence.ParseDigest(now.Manifest)
		ok(h.t, err)
		a.Rollback = &PreApproved{[]Return{{"mac-laptop", d}}, second(h.now.Add(48 * time.Hour)), 1}
	}
	rollouts := h.s.Rollouts()
	s, err := h.s.NewPromotionRequest(h.by(name), rollouts[len(rollouts)-1], "staging", verified, a, h.now)
	return signedBy(h, name, s, err)
}

// all are the manifests of every version that a hand makes.
func (h *hand) all() []evidence.Digest {
	var list []evidence.Digest
	for v := range h.version {
		list = append(list, h.manifest(fmt.Sprintf("v1.%d.0", v)))
	}
	return list
}

func (h *hand) approving() *Act {
	p, name := h.anyRequest(), h.approver()
	if p == nil {
		return nil
	}
	s, err := h.s.NewApproval(h.by(name), p.digest, Decision{Reason: "x", Expires: h.now.Add(time.Duration(h.Intn(48)) * time.Hour)})
	return signedBy(h, name, s, err)
}

func (h *hand) denying() *Act {
	p, name := h.anyRequest(), h.approver()
	if p == nil {
		return nil
	}
	s, err := h.s.NewDenial(h.by(name), p.digest, Decision{Reason: "x"})
	return signedBy(h, name, s, err)
}

func (h *hand) revoking() *Act {
	p := h.anyRequest()
	if p == nil || len(p.votes) == 0 {
		return nil
	}
	v := p.votes[h.Intn(len(p.votes))]
	name := h.pick("policy", "yes-1", "yes-2", "yes-3")
	s, err := h.s.NewApprovalRevocation(h.by(name), v.act, "x")
	return signedBy(h, name, s, err)
}

// executing also signs what no tool would: on too few approvals, on others', on
// nobody's, without saying so.
func (h *hand) executing() *Act {
	p, name := h.anyRequest(), h.pick("executor", "executor-2", "operator", "breaker")
	if p == nil {
		return nil
	}
	e := h.enaction()
	if name == "breaker" && h.Intn(2) == 0 {
		e.Incident = "INC-1"
	}
	if p.kind == KindRollback {
		s, err := h.s.NewRollbackExecution(h.by(name), p.digest, h.all(), e, h.now)
		return signedBy(h, name, s, err)
	}
	s, err := h.s.NewPromotionExecution(h.by(name), p.digest, verified, e, h.now)
	if err == nil && e.Incident == "" {
		h.forge(&s.Predicate, p)
		s, err = statement[PromotionExecution](PromotionExecutionType, s.Predicate)
	}
	return signedBy(h, name, s, err)
}

func (h *hand) forge(e *PromotionExecution, p *petition) {
	switch h.Intn(6) {
	case 0:
		e.Approvals = []evidence.Digest{}
		for _, v := range p.votes {
			e.Approvals = append(e.Approvals, v.act)
		}
		slices.SortFunc(e.Approvals, compareDigests)
	case 1:
		e.Unattended = !e.Unattended
	case 2:
		e.Approvals = e.Approvals[:h.Intn(len(e.Approvals)+1)]
	}
}

func (h *hand) goingBack() *Act {
	p, name := h.anyPromotion(), h.pick("executor", "executor-2")
	if p == nil {
		return nil
	}
	s, err := h.s.NewPreApprovedRollback(h.by(name), p.digest, "x", h.all(), h.enaction())
	return signedBy(h, name, s, err)
}

func (h *hand) closingGlass() *Act {
	name := h.approver()
	for _, o := range h.s.OpenGlasses() {
		s, err := h.s.NewClosing(h.by(name), o.Act, Decision{Reason: "x"})
		return signedBy(h, name, s, err)
	}
	return nil
}

func (h *hand) holdingOrLifting() *Act {
	name := h.pick("policy", "policy-2")
	for _, o := range h.s.Holds() {
		s, err := h.s.Lift(h.by(name), o, "x")
		return signedBy(h, name, s, err)
	}
	s, err := h.s.HoldTarget(h.by(name), "linux-runner", "x")
	return signedBy(h, name, s, err)
}

// lifted leaves no hold.
func (h *hand) lifted() {
	for _, o := range h.s.Holds() {
		h.do(act(h.world, "policy", must[evidence.Statement[Lift]](h.t)(h.s.Lift(h.by("policy"), o, "x"))))
	}
}

func (h *hand) ruling() *Act {
	r := h.s.Policy().Rules
	r.Rings = slices.Clone(r.Rings)
	r.Rings[1].Quorum = h.Intn(4)
	r.Rings[1].Groups = []Group{}
	if r.Rings[1].Quorum > 0 && h.Intn(2) == 0 {
		r.Rings[1].Groups = []Group{{"g", []string{"first", "third"}, 1}}
	}
	if h.Intn(2) == 0 {
		h.enforce(r)
		return nil
	}
	s, err := NewPolicy(h.by("policy"), "age", h.s.Policy().Previous(), r)
	return signedBy(h, "policy", s, err)
}

// enforce brings rules into force, unless they are.
func (h *hand) enforce(r Rules) {
	before := h.s.Policy().Previous()
	for _, name := range []string{"policy", "policy-2"} {
		if s, err := NewPolicy(h.head(name), "age", before, r); err == nil {
			h.try(act(h.world, name, s))
		}
	}
}

func (h *hand) again() *Act {
	a := h.acts[h.Intn(len(h.acts))]
	a.Index, a.Recorded = int64(len(h.acts)), h.now
	return &a
}

// Over random interleavings of people and commands no execution counts without its
// quorum at its index, and the rings hold what legal executions put there.
func TestNoExecutionWithoutQuorum(t *testing.T) {
	reached := map[string]int{}
	for seed := range int64(25) {
		h := &hand{newStage(t).ruled(func(r *Rules) {
			r.Breakglass = []string{"breaker"}
			r.Rings[0].Soak = "0h"
			r.Rings[1].Quorum, r.Rings[1].Uses, r.Rings[1].MaxBrowser = 1+int(seed%2), []string{"file", "agent", "browser"}, 1
		}), rand.New(rand.NewSource(seed)), 0}
		b := &books{t: t, holds: map[string]string{}}
		entered := 0
		for round := range 150 {
			if round%30 == 0 {
				h.lifted()
				h.soaked(fmt.Sprintf("v1.%d.0", h.version), fmt.Sprintf("CHG-%d", round))
				h.version++
			} else if round%8 == 0 {
				id := h.s.Rollouts()[len(h.s.Rollouts())-1]
				h.try(h.observation("observer", id, h.inventory(id)))
			}
			if a := h.step(); a != nil {
				judged := h.s.Judge(*a)
				if r := h.try(*a); !reflect.DeepEqual(r, judged) {
					t.Fatalf("Judge said %v, Apply %v", judged, r)
				}
			}
			for ; entered < len(h.acts); entered++ {
				if a := h.acts[entered]; h.s.judged[a.Digest] == nil && !slices.ContainsFunc(b.legal, func(x Act) bool { return x.Digest == a.Digest }) {
					b.follow(a)
				}
			}
			for target, manifest := range b.holds {
				if got := h.s.Holding("production", "staging", target).Manifest; got != manifest {
					t.Fatalf("seed %d: target %s holds %s, by the books %s", seed, target, got, manifest)
				}
			}
		}
		h.checkReplays(seed)
		reached["denied and executed"] += b.denied
		for _, a := range b.legal {
			reached[a.PredicateType]++
		}
		for _, a := range h.s.illegal {
			reached[fmt.Sprintf("illegal %s %d", a.PredicateType, a.Refusal.Code)]++
		}
	}
	for _, predicateType := range PredicateTypes() {
		if slices.Contains([]string{EraseType, LegalHoldType, LegalHoldLiftType}, predicateType) {
			continue // of records: TestErasuresFollowTheBooks
		}
		if reached[predicateType] == 0 {
			t.Errorf("no legal %s: %v", predicateType, reached)
		}
	}
	if reached["denied and executed"] == 0 {
		t.Errorf("no denied plan was asked again, approved by one more and executed: %v", reached)
	}
	for _, c := range []Code{CodeEvidence, CodeApproval, CodeRule, CodeConflict} {
		if reached[fmt.Sprintf("illegal %s %d", PromotionExecutionType, c)] == 0 {
			t.Errorf("no execution was refused with %d: %v", c, reached)
		}
	}
}

// checkReplays holds a log to one state, with its illegal acts and without.
func (h *hand) checkReplays(seed int64) {
	h.t.Helper()
	if again := h.replay(h.acts); !reflect.DeepEqual(again.core, h.s.core) || !reflect.DeepEqual(again.illegal, h.s.illegal) {
		h.t.Fatalf("seed %d: the same log has another state", seed)
	}
	var legal []Act
	for _, a := range h.acts {
		if h.s.judged[a.Digest] == nil {
			legal = append(legal, a)
		}
	}
	if without := h.replay(legal); !reflect.DeepEqual(without.core, h.s.core) || len(without.illegal) != 0 {
		h.t.Fatalf("seed %d: illegal acts changed the state", seed)
	}
}
