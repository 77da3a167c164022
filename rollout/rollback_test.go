package rollout

import (
	"slices"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// twice is a stage whose staging ring had v1.0.0 and has v1.1.0.
func twice(t testing.TB) *stage {
	s := newStage(t)
	s.promoted("v1.0.0", "CHG-1")
	s.promoted("v1.1.0", "CHG-2")
	return s
}

func (s *stage) decided(r Act) Act {
	s.t.Helper()
	s.do(s.yes("yes-1", r.Digest))
	s.do(s.yes("yes-2", r.Digest))
	return r
}

func TestRollback(t *testing.T) {
	s := twice(t)
	undone := s.newestPromotion()
	r := s.rollbackRequest()
	if got, _ := s.s.Request(r.Digest.String(), s.now); got.Kind != KindRollback || !got.Plan[0].Downgrade || got.Plan[0].Covered || got.Plan[0].Incoming.Version != "v1.0.0" {
		t.Errorf("%+v", got)
	}
	s.deny(s.rollbackAs("executor", r.Digest, s.enaction()), CodeApproval, "0 of 2 persons")
	s.deny(s.yes("yes-grace", r.Digest), CodeApproval, "grace is the executor of promotion "+undone.String())
	s.decided(r)
	x := s.do(s.rollbackAs("executor", r.Digest, s.enaction()))
	if got := s.staging(); got.Version != "v1.0.0" {
		t.Errorf("staging holds %v", got)
	}
	h := s.s.History("production", "staging", "mac-laptop")
	if n := len(h.Placements); n != 3 || h.Placements[2].How != HowRollback || h.Placements[2].Before.Version != "v1.1.0" || h.Placements[2].Act != x.Digest || h.Placements[2].Rollout != s.s.Rollouts()[0] {
		t.Errorf("%+v", h.Placements)
	}
	s.deny(s.rollbackAs("executor-2", r.Digest, s.enaction()), CodeConflict, "is executed already")
	_, err := s.rollbackAsk(s.ask())
	expectRefusal(t, err, CodeConflict, "stale plan: target linux-runner holds v1.0.0")
}

// The release that was rolled back stays out until it is rolled out anew.
func TestRolledBackIsBlocked(t *testing.T) {
	s := twice(t)
	second := s.s.Rollouts()[1]
	undone := s.newestPromotion()
	s.do(s.rollbackAs("executor", s.decided(s.rollbackRequest()).Digest, s.enaction()))
	s.after(time.Hour)
	s.deny(s.requestAs("asker", second, "staging", s.ask()), CodeRule, "was rolled back from ring staging, and rollout "+second+" was captured before")
	s.populate("staging")
	c := Capture{Environment: "production", Ring: "staging", ChangeRecord: "CHG-8", Status: StatusStaged, Execution: undone}
	s.deny(act(s.world, "operator", s.newRollout("operator", "v1.1.0", c)), CodeRule, "was rolled back")
	again := s.soaked("v1.1.0", "CHG-3")
	s.do(s.execution(s.decided(s.request(again)).Digest))
	if got := s.staging(); got.Version != "v1.1.0" {
		t.Errorf("staging holds %v", got)
	}
}

// A rollout that succeeds late does not bring back what was rolled back.
func TestLateSuccessChangesNothing(t *testing.T) {
	s := newStage(t)
	s.promoted("v1.0.0", "CHG-1")
	x := s.promoted("v1.1.0", "CHG-2")
	s.populate("staging")
	c := Capture{Environment: "production", Ring: "staging", ChangeRecord: "CHG-2", Status: StatusStaged, Execution: x.Digest}
	next := s.newRollout("operator", "v1.1.0", c)
	if next.Predicate.Targets[0].Rollback.Version != "v1.0.0" {
		t.Errorf("goes back to %v", next.Predicate.Targets[0].Rollback)
	}
	s.do(act(s.world, "operator", next))
	s.do(s.rollbackAs("executor", s.decided(s.rollbackRequest()).Digest, s.enaction()))
	s.do(s.observation("observer", next.Predicate.ID, s.inventory(next.Predicate.ID)))
	s.do(s.status("operator", next.Predicate.ID, StatusSucceeded))
	if got := s.staging(); got.Version != "v1.0.0" {
		t.Errorf("staging holds %v", got)
	}
}

func TestRollbackToWhatWasNeverThere(t *testing.T) {
	s := twice(t)
	s.soaked("v1.2.0", "CHG-3")
	never := s.manifest("v1.2.0")
	_, err := s.s.NewRollbackRequest(s.by("asker"), s.newestPromotion(), never, []evidence.Digest{never}, s.ask(), s.now)
	expectRefusal(t, err, CodeRule, "no legal act of this log put release "+never.String()+" on target linux-runner")
	good := must[evidence.Statement[RollbackRequest]](t)(s.rollbackAsk(s.ask()))
	for i := range good.Predicate.Plan {
		good.Predicate.Plan[i].Incoming = Rollback{never.String(), "v1.0.0"}
	}
	good.Predicate.ID = good.Predicate.terms().requestID()
	forged := must[evidence.Statement[RollbackRequest]](t)(statement[RollbackRequest](RollbackRequestType, good.Predicate))
	s.unchanged(func() { s.deny(act(s.world, "asker", forged), CodeRule, "no legal act of this log put release") })
}

func TestRollbackToWhatDoesNotVerify(t *testing.T) {
	s := twice(t)
	_, err := s.s.NewRollbackRequest(s.by("asker"), s.newestPromotion(), evidence.Digest{}, []evidence.Digest{s.manifest("v1.1.0")}, s.ask(), s.now)
	expectRefusal(t, err, CodeEvidence, "to which target linux-runner goes back, was not verified")
	r := s.decided(s.rollbackRequest())
	_, err = s.s.NewRollbackExecution(s.by("executor"), r.Digest, nil, s.enaction(), s.now)
	expectRefusal(t, err, CodeEvidence, "was not verified")
}

func TestRollbackOfTheFirst(t *testing.T) {
	s := newStage(t)
	s.promoted("v1.0.0", "CHG-1")
	_, err := s.rollbackAsk(s.ask())
	expectRefusal(t, err, CodeRule, "held nothing before promotion")
	_, err = s.s.NewRollbackRequest(s.by("asker"), evidence.DigestOf([]byte("x")), evidence.Digest{}, nil, s.ask(), s.now)
	expectRefusal(t, err, CodeRule, "is no executed promotion of this log")
}

// A request for a promotion is not executed as a rollback, nor the other way round.
func TestKindsOfRequests(t *testing.T) {
	s := twice(t)
	back := s.decided(s.rollbackRequest())
	_, err := s.s.NewPromotionExecution(s.by("executor"), back.Digest, verified, s.enaction(), s.now)
	expectRefusal(t, err, CodeApproval, "is a request for a rollback, expected one for a promotion")
	forward := s.decided(s.request(s.soaked("v1.2.0", "CHG-3")))
	_, err = s.s.NewRollbackExecution(s.by("executor"), forward.Digest, nil, s.enaction(), s.now)
	expectRefusal(t, err, CodeApproval, "is a request for a promotion, expected one for a rollback")
}

// A hand-made rollback, well signed, changes nothing.
func TestHandmadeRollback(t *testing.T) {
	s := twice(t)
	r := s.decided(s.rollbackRequest())
	known := []evidence.Digest{s.manifest("v1.0.0")}
	for words, change := range map[string]func(*RollbackExecution){
		"does not say of promotion": func(e *RollbackExecution) { e.Version = "v9" },
		"does not say of request":   func(e *RollbackExecution) { e.Reason = "another" },
		"names another request":     func(e *RollbackExecution) { e.PreApproved, e.Approvals = true, []evidence.Digest{} },
	} {
		st := must[evidence.Statement[RollbackExecution]](t)(s.s.NewRollbackExecution(s.by("executor"), r.Digest, known, s.enaction(), s.now))
		change(&st.Predicate)
		forged := must[evidence.Statement[RollbackExecution]](t)(statement[RollbackExecution](RollbackExecutionType, st.Predicate))
		code := CodeEvidence
		if st.Predicate.PreApproved {
			code, words = CodeApproval, "pre-approved no rollback"
		}
		s.unchanged(func() { s.deny(act(s.world, "executor", forged), code, words) })
	}
	s.unchanged(func() {
		s.deny(s.rollbackAs("yes-3", r.Digest, s.enaction()), CodeEvidence, "not an operator or a breakglass key")
		elsewhere := Enaction{Origin: "other.example.com"}
		s.deny(s.rollbackAs("executor", r.Digest, elsewhere), CodeApproval, "is of log")
	})
	s.do(act(s.world, "policy-2", must[evidence.Statement[Hold]](t)(s.s.HoldRing(s.by("policy-2"), s.ring("staging"), "audit"))))
	s.deny(s.rollbackAs("executor", r.Digest, s.enaction()), CodeRule, "is held by owner")
	s.do(act(s.world, "policy", must[evidence.Statement[Lift]](t)(s.s.Lift(s.by("policy"), s.s.Holds()[0], "over"))))
	s.deny(s.rollbackAs("executor", r.Digest, s.enaction()), CodeRule, "grace lifted a hold")
	s.do(s.rollbackAs("executor-2", r.Digest, s.enaction()))
}

// preApproved promotes v1.1.0 over v1.0.0 with a pre-approved way back.
func preApproved(t testing.TB, until time.Duration) (*stage, Act) {
	s := newStage(t)
	s.promoted("v1.0.0", "CHG-1")
	id := s.soaked("v1.1.0", "CHG-2")
	a := s.ask()
	old := s.manifest("v1.0.0")
	a.Rollback = &PreApproved{[]Return{{"linux-runner", old}, {"mac-laptop", old}}, second(s.now.Add(until)), 1}
	r := s.do(s.requestAs("asker", id, "staging", a))
	return s, s.do(s.execution(s.decided(r).Digest))
}

func (s *stage) back(name string, execution evidence.Digest) Act {
	s.t.Helper()
	known := []evidence.Digest{s.manifest("v1.0.0")}
	return act(s.world, name, must[evidence.Statement[RollbackExecution]](s.t)(s.s.NewPreApprovedRollback(s.by(name), execution, "it burns", known, s.enaction())))
}

func TestPreApprovedRollback(t *testing.T) {
	s, x := preApproved(t, 48*time.Hour)
	replayed := s.replay(s.acts)
	s.deny(s.back("yes-1", x.Digest), CodeEvidence, "not an operator")
	first := s.back("executor", x.Digest)
	s.do(first)
	if got := s.staging(); got.Version != "v1.0.0" {
		t.Errorf("staging holds %v", got)
	}
	other := s.rewrite("executor", first, "it burns", "it burnt")
	s.deny(other, CodeConflict, "was rolled back already")
	s.s = replayed
	s.after(49 * time.Hour)
	s.deny(s.back("executor", x.Digest), CodeApproval, "the rollback was pre-approved until")
}

// Only the releases that were approved come back so easily.
func TestPreApprovedIsExact(t *testing.T) {
	s, x := preApproved(t, 48*time.Hour)
	st := must[evidence.Statement[RollbackExecution]](t)(s.s.NewPreApprovedRollback(s.by("executor"), x.Digest, "it burns", []evidence.Digest{s.manifest("v1.0.0")}, s.enaction()))
	st.Predicate.Plan = slices.Clone(st.Predicate.Plan[:1])
	s.deny(act(s.world, "executor", st), CodeApproval, "is not the one that promotion")
	st = must[evidence.Statement[RollbackExecution]](t)(s.s.NewPreApprovedRollback(s.by("executor"), x.Digest, "it burns", []evidence.Digest{s.manifest("v1.0.0")}, s.enaction()))
	st.Predicate.Approvals = st.Predicate.Approvals[:1]
	forged := must[evidence.Statement[RollbackExecution]](t)(statement[RollbackExecution](RollbackExecutionType, st.Predicate))
	s.deny(act(s.world, "executor", forged), CodeEvidence, "or other approvals than promotion")
	plain := s.promoted("v1.2.0", "CHG-3")
	_, err := s.s.NewPreApprovedRollback(s.by("executor"), plain.Digest, "x", nil, s.enaction())
	expectRefusal(t, err, CodeApproval, "pre-approved no rollback")
}

// Who approved a promotion does not execute its rollback on that approval.
func TestPreApprovedByItsExecutor(t *testing.T) {
	s := newStage(t)
	s.promoted("v1.0.0", "CHG-1")
	id := s.soaked("v1.1.0", "CHG-2")
	a := s.ask()
	a.Rollback = &PreApproved{[]Return{{"linux-runner", s.manifest("v1.0.0")}, {"mac-laptop", s.manifest("v1.0.0")}}, second(s.now.Add(time.Hour)), 1}
	r := s.do(s.requestAs("asker", id, "staging", a))
	s.do(s.yes("yes-grace", r.Digest))
	s.do(s.yes("yes-1", r.Digest))
	x := s.do(s.executionAs("executor-2", r.Digest, s.enaction()))
	s.deny(s.back("executor", x.Digest), CodeApproval, "grace is the executor")
	s.do(s.back("executor-2", x.Digest))
}

func TestPreApprovalsAreBounded(t *testing.T) {
	s := newStage(t)
	s.promoted("v1.0.0", "CHG-1")
	id := s.soaked("v1.1.0", "CHG-2")
	old := s.manifest("v1.0.0")
	for words, p := range map[string]PreApproved{
		"at most 30 days":        {[]Return{{"mac-laptop", old}}, second(s.now.Add(31 * 24 * time.Hour)), 1},
		"no legal act of this":   {[]Return{{"mac-laptop", s.manifest("v1.1.0")}}, second(s.now.Add(time.Hour)), 1},
		"before it was recorded": {[]Return{{"mac-laptop", old}}, second(s.now.Add(-time.Hour)), 1},
	} {
		a := s.ask()
		a.Rollback = &p
		code := CodeRule
		if words == "before it was recorded" {
			code = CodeApproval
		}
		s.deny(s.requestAs("asker", id, "staging", a), code, words)
	}
	for _, p := range []PreApproved{
		{[]Return{{"mac-laptop", old}}, second(s.now.Add(time.Hour)), 2},
		{[]Return{{"other", old}}, second(s.now.Add(time.Hour)), 1},
		{[]Return{{"mac-laptop", old}, {"linux-runner", old}}, second(s.now.Add(time.Hour)), 1},
		{nil, second(s.now.Add(time.Hour)), 1},
	} {
		a := s.ask()
		a.Rollback = &p
		if _, err := s.s.NewPromotionRequest(s.by("asker"), id, "staging", verified, a, s.now); err == nil {
			t.Errorf("%+v", p)
		}
	}
}
