package rollout

import (
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
)

func TestStalePlan(t *testing.T) {
	s := newStage(t)
	one := s.approved("v1.0.0", "CHG-1")
	s.s.held[spot{"production", "staging", "mac-laptop"}] = holding{s.manifest("v1.1.0"), "v1.1.0", one.Digest}
	s.deny(s.execution(one.Digest), CodeConflict, "stale plan: target mac-laptop goes from nothing to v1.0.0")
	delete(s.s.held, spot{"production", "staging", "mac-laptop"})
	s.deny(s.handmade("executor", one.Digest, func(e *PromotionExecution) { e.Rollback[0].Version, e.Rollback[0].Manifest = "v1", one.Digest.String() }), CodeEvidence, "does not say of request")
	s.deny(s.handmade("executor", one.Digest, func(e *PromotionExecution) { e.Plan = one.Digest }), CodeEvidence, "does not say of request")
}

func TestStaleRequest(t *testing.T) {
	s := newStage(t)
	id := s.soaked("v1.0.0", "CHG-1")
	r := s.requestAs("asker", id, "staging", s.ask())
	s.do(s.observation("observer", id, s.inventory(id)))
	s.deny(s.here(r), CodeConflict, "stale request")
	good := s.requestAs("asker", id, "staging", s.ask())
	s.deny(s.rewrite("asker", good, `"covered": true`, `"covered": false`), CodeEvidence, "the request's id is")
	wrong := must[evidence.Statement[PromotionRequest]](t)(evidence.DecodeStatement[PromotionRequest](good.Statement, PromotionRequestType))
	wrong.Predicate.Plan[0].Covered = false
	wrong.Predicate.ID = wrong.Predicate.terms().requestID()
	s.deny(act(s.world, "asker", wrong), CodeConflict, "is covered false")
	wrong.Predicate.Plan[0].Covered, wrong.Predicate.Plan[0].Outgoing = true, Rollback{s.manifest("v1.1.0").String(), "v1.1.0"}
	wrong.Predicate.Plan[0].Downgrade = true
	wrong.Predicate.ID = wrong.Predicate.terms().requestID()
	s.deny(act(s.world, "asker", wrong), CodeConflict, "stale plan: target linux-runner goes from v1.1.0")
}

func TestRingSkipped(t *testing.T) {
	s := newStage(t)
	id := s.soaked("v1.0.0", "CHG-1")
	for _, ring := range []string{"production", "pilot"} {
		_, err := s.s.NewPromotionRequest(s.by("asker"), id, ring, verified, s.ask(), s.now)
		expectRefusal(t, err, CodeRule, "after ring pilot comes ring staging, not "+ring)
	}
	_, err := s.s.NewPromotionRequest(s.by("asker"), id, "prod", verified, s.ask(), s.now)
	expectRefusal(t, err, CodeRule, `ring "prod" is not known`)
	st := must[evidence.Statement[PromotionRequest]](t)(s.s.NewPromotionRequest(s.by("asker"), id, "staging", verified, s.ask(), s.now))
	st.Predicate.TargetRing = "production"
	st.Predicate.ID = st.Predicate.terms().requestID()
	s.deny(act(s.world, "asker", st), CodeRule, "after ring pilot comes ring staging, not production")
}

// The policy that approvers read is the one that counts at the end.
func TestPolicyChangedSince(t *testing.T) {
	s := newStage(t)
	r := s.approved("v1.0.0", "CHG-1")
	s.ruled(func(rules *Rules) { rules.Rings[1].Soak = "0h" })
	s.deny(s.execution(r.Digest), CodeConflict, "the request stands on rules")
	s.deny(s.yes("yes-3", r.Digest), CodeConflict, "the request stands on rules")
}

func TestThinPilot(t *testing.T) {
	s := newStage(t)
	id := s.soaked("v1.0.0", "CHG-1")
	good := s.requestAs("asker", id, "staging", s.ask())
	s.do(s.observation("observer", id, s.inventory(id)[1:]))
	s.deny(s.here(good), CodeRule, "target linux-runner has 3 of 4")
	_, err := s.s.NewPromotionRequest(s.by("asker"), id, "staging", verified, s.ask(), s.now)
	expectRefusal(t, err, CodeRule, "is incomplete, expected ready: ring pilot asks for 100 %")
}

// A thin pilot is found at the moment of acting too.
func TestNotReadyAnyMore(t *testing.T) {
	for words, spoil := range map[string]func(*stage, string){
		"target linux-runner has 3 of 4": func(s *stage, id string) { s.do(s.observation("observer", id, s.inventory(id)[1:])) },
		"lets it be 24h old":             func(s *stage, _ string) { s.after(25 * time.Hour) },
		"ring pilot soaks 24h": func(s *stage, id string) {
			s.do(s.observation("observer", id, s.inventory(id)[1:]))
			s.do(s.observation("observer", id, s.inventory(id)))
		},
		"by now": func(s *stage, _ string) { s.soaked("v1.1.0", "CHG-9"); s.after(-24 * time.Hour) },
	} {
		s := newStage(t)
		r := s.approved("v1.0.0", "CHG-1")
		spoil(s, s.s.Rollouts()[0])
		s.unchanged(func() {
			refusal := s.try(s.execution(r.Digest))
			expectRefusal(t, refusal, CodeRule, "")
			if words != "by now" {
				expectRefusal(t, refusal, CodeRule, words)
			}
		})
	}
}

func TestSoakNotOver(t *testing.T) {
	s := newStage(t)
	s.populate("pilot")
	id := s.capture()
	s.after(time.Minute)
	s.do(s.observation("observer", id, s.inventory(id)))
	s.do(s.status("operator", id, StatusSucceeded))
	s.after(23 * time.Hour)
	s.do(s.observation("observer", id, s.inventory(id)))
	_, err := s.s.NewPromotionRequest(s.by("asker"), id, "staging", verified, s.ask(), s.now)
	expectRefusal(t, err, CodeRule, "ring pilot soaks 24h")
	later := s.now.Add(2 * time.Hour)
	st := must[evidence.Statement[PromotionRequest]](t)(s.s.NewPromotionRequest(s.by("asker"), id, "staging", verified, s.ask(), later))
	s.deny(act(s.world, "asker", st), CodeRule, "ring pilot soaks 24h")
}

func TestIntegrity(t *testing.T) {
	s := newStage(t)
	id := s.soaked("v1.0.0", "CHG-1")
	_, err := s.s.NewPromotionRequest(s.by("asker"), id, "staging", failing, s.ask(), s.now)
	expectRefusal(t, err, CodeEvidence, "the release package did not verify: checksums")
	_, err = s.s.NewPromotionRequest(s.by("asker"), id, "staging", Integrity{}, s.ask(), s.now)
	expectRefusal(t, err, CodeRule, "was not verified")
	r := s.request(id)
	s.do(s.yes("yes-1", r.Digest))
	s.do(s.yes("yes-2", r.Digest))
	for _, in := range []Integrity{failing, {}, {Package: verified.Package, Directory: verified.Directory, Revoked: []RevokedKey{{keyid("operator"), r.Digest, "compromised"}}}} {
		_, err = s.s.NewPromotionExecution(s.by("executor"), r.Digest, in, s.enaction(), s.now)
		expectRefusal(t, err, CodeEvidence, "expected ready")
	}
}

func TestOutsideTheWindow(t *testing.T) {
	s := newStage(t).ruled(func(r *Rules) {
		w := Window{Days: []string{}, Dates: []string{}, From: "09:00", To: "11:00", TimeZone: "UTC"}
		r.Rings[1].Windows.Allow = []Window{w}
	})
	r := s.approved("v1.0.0", "CHG-1") // a bit after 12:00
	s.deny(s.execution(r.Digest), CodeRule, "ring staging is closed at 2026-03-03T12:")
	s.after(22 * time.Hour)
	s.do(s.execution(r.Digest))
}

func TestHeldRing(t *testing.T) {
	for _, hold := range []func(*stage) evidence.Statement[Hold]{
		func(s *stage) evidence.Statement[Hold] {
			return must[evidence.Statement[Hold]](t)(s.s.HoldRing(s.by("policy-2"), s.ring("staging"), "audit"))
		},
		func(s *stage) evidence.Statement[Hold] {
			return must[evidence.Statement[Hold]](t)(s.s.HoldTarget(s.by("policy-2"), "mac-laptop", "recall"))
		},
		func(s *stage) evidence.Statement[Hold] {
			return must[evidence.Statement[Hold]](t)(s.s.HoldRing(s.by("policy-2"), s.ring("pilot"), "audit"))
		},
	} {
		s := newStage(t)
		r := s.approved("v1.0.0", "CHG-1")
		s.do(act(s.world, "policy-2", hold(s)))
		s.deny(s.execution(r.Digest), CodeRule, "is held by owner")
		s.do(act(s.world, "policy", must[evidence.Statement[Lift]](t)(s.s.Lift(s.by("policy"), s.s.Holds()[0], "over"))))
		s.deny(s.execution(r.Digest), CodeRule, "grace lifted a hold of")
		s.do(s.executionAs("executor-2", r.Digest, s.enaction()))
	}
}

// A hand-made request, execution or lift with a good signature by the wrong role.
func TestWrongRoles(t *testing.T) {
	s := newStage(t)
	id := s.soaked("v1.0.0", "CHG-1")
	s.unchanged(func() {
		s.deny(s.requestAs("executor", id, "staging", s.ask()), CodeEvidence, "not a requester")
		r := s.request(id)
		s.deny(s.yes("executor", r.Digest), CodeEvidence, "not an approver")
		s.deny(s.no("asker", r.Digest), CodeEvidence, "not an approver")
		s.do(s.yes("yes-1", r.Digest))
		s.do(s.yes("yes-2", r.Digest))
		s.deny(s.executionAs("yes-3", r.Digest, s.enaction()), CodeEvidence, "not an operator or a breakglass key")
		s.deny(s.executionAs("asker", r.Digest, s.enaction()), CodeEvidence, "not an operator or a breakglass key")
		s.do(act(s.world, "policy-2", must[evidence.Statement[Hold]](t)(s.s.HoldRing(s.by("policy-2"), s.ring("staging"), "audit"))))
		s.deny(act(s.world, "executor", must[evidence.Statement[Lift]](t)(s.s.Lift(s.by("executor"), s.s.Holds()[0], "over"))), CodeEvidence, "is an operator, not a policy key")
		s.deny(s.execution(r.Digest), CodeRule, "is held by owner")
	})
}

// Keys count by the trust version in force when it is acted.
func TestRevokedKeyOfAnApprover(t *testing.T) {
	s := newStage(t, func(e *trust.Edit) { ok(t, e.Revoke(keyid("yes-1"), trust.Revocation{At: day})) })
	s.trusting(1)
	r := s.request(s.soaked("v1.0.0", "CHG-1"))
	a, b := s.do(s.yes("yes-1", r.Digest)), s.do(s.yes("yes-2", r.Digest))
	s.peek(s.handmade("executor", r.Digest, on(b)), CodeApproval, "1 of 2 persons")
	s.trusting(2)
	s.deny(s.handmade("executor", r.Digest, on(a, b)), CodeApproval, "revoked as compromised")
	s.deny(s.execution(r.Digest), CodeApproval, "1 of 2 persons")
	s.do(s.yes("yes-3", r.Digest))
	s.do(s.execution(r.Digest))
}

func TestClocks(t *testing.T) {
	s := newStage(t)
	r := s.approved("v1.0.0", "CHG-1")
	now := s.now
	s.now = now.Add(-2 * time.Second)
	s.deny(s.execution(r.Digest), CodeRule, "clock behind the evidence: the clock says")
	s.now = now.Add(60 * 24 * time.Hour) // forward: what was approved is over
	s.deny(s.execution(r.Digest), CodeApproval, "expired")
	s.now = now.Add(time.Minute)
	s.do(s.execution(r.Digest))
}
