package rollout

import (
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
)

func emergency(s *stage) Enaction { return Enaction{Origin: s.origin, Incident: "INC-7"} }

// alarmed is a stage whose policy lets breaker break glass, and a request.
func alarmed(t testing.TB) (*stage, Act) {
	s := newStage(t).ruled(func(r *Rules) { r.Breakglass = []string{"breaker"} })
	return s, s.request(s.soaked("v1.0.0", "CHG-1"))
}

func (s *stage) closing(name string, execution evidence.Digest) Act {
	s.t.Helper()
	return act(s.world, name, must[evidence.Statement[Approval]](s.t)(s.s.NewClosing(s.by(name), execution, Decision{Reason: "it was right"})))
}

func TestBreakGlass(t *testing.T) {
	s, r := alarmed(t)
	next := s.request(s.soaked("v1.1.0", "CHG-2"))
	s.decided(next)
	s.do(s.observation("observer", s.s.Rollouts()[0], s.inventory(s.s.Rollouts()[0])))
	s.deny(s.executionAs("breaker", next.Digest, s.enaction()), CodeEvidence, "may execute in an emergency alone")
	s.deny(s.executionAs("executor", next.Digest, emergency(s)), CodeEvidence, "has the role operator")
	s.deny(s.executionAs("breaker-2", next.Digest, emergency(s)), CodeRule, "fourth may not break glass by the policy, which names breaker")
	s.deny(s.executionAs("breaker", r.Digest, emergency(s)), CodeRule, "by now") // the pilot holds v1.1.0
	x := s.do(s.executionAs("breaker", next.Digest, emergency(s)))
	if got := s.staging(); got.Version != "v1.1.0" {
		t.Fatalf("staging holds %v", got)
	}
	open := s.s.OpenGlasses()
	if len(open) != 1 || open[0].Act != x.Digest || !open[0].Due.Equal(open[0].Recorded.Add(72*time.Hour)) {
		t.Fatalf("%+v", open)
	}
	e := s.s.Rings(s.now).Rings[1].BreakGlass
	if e == nil || e.Incident != "INC-7" || e.Overdue {
		t.Errorf("%+v", e)
	}
	if e := s.s.Rings(s.now.Add(73 * time.Hour)).Rings[1].BreakGlass; e == nil || !e.Overdue {
		t.Errorf("%+v", e)
	}
	fitsSchema(t, RingsSchema, s.s.Rings(s.now))
}

// An open emergency stops what comes after it, another emergency too, until a quorum
// without its maker closes it.
func TestGlassIsClosedByAQuorum(t *testing.T) {
	s, r := alarmed(t)
	x := s.do(s.executionAs("breaker", r.Digest, emergency(s)))
	next := s.decided(s.request(s.soaked("v1.1.0", "CHG-2")))
	s.deny(s.execution(next.Digest), CodeRule, "breaker broke the glass of ring staging for incident INC-7")
	s.deny(s.executionAs("breaker", next.Digest, emergency(s)), CodeRule, "breaker broke the glass of ring staging")
	s.deny(s.closing("yes-asker", x.Digest), CodeApproval, "asker is the requester")
	s.deny(s.closing("yes-ada", x.Digest), CodeApproval, "ada is an operator")
	a := s.do(s.closing("yes-1", x.Digest))
	if again := s.s.Judge(s.closing("yes-1b", x.Digest)); again == nil || again.Already != a.Digest {
		t.Errorf("%v", again)
	}
	s.deny(s.execution(next.Digest), CodeRule, "broke the glass")
	s.do(s.revoke("yes-1", a.Digest))
	s.do(s.closing("yes-2", x.Digest))
	s.deny(s.execution(next.Digest), CodeRule, "broke the glass")
	b := s.do(s.closing("yes-3", x.Digest))
	if len(s.s.OpenGlasses()) != 0 {
		t.Fatal("still open")
	}
	s.deny(s.closing("yes-4", x.Digest), CodeConflict, "was closed by a quorum")
	s.deny(s.revoke("yes-3", b.Digest), CodeConflict, "was closed by a quorum")
	s.do(s.execution(next.Digest))
	_, err := s.s.NewClosing(s.by("yes-1"), next.Digest, Decision{Reason: "x"})
	expectRefusal(t, err, CodeApproval, "is no execution of this log that broke glass")
}

// An emergency skips quorum and windows and nothing else.
func TestBreakGlassSkipsLittle(t *testing.T) {
	s, r := alarmed(t)
	first := s.replay(s.acts)
	s.do(s.no("yes-3", r.Digest))
	s.deny(s.executionAs("breaker", r.Digest, emergency(s)), CodeApproval, "was denied by third")
	s.s = first
	s.do(act(s.world, "policy-2", must[evidence.Statement[Hold]](t)(s.s.HoldRing(s.by("policy-2"), s.ring("staging"), "audit"))))
	s.deny(s.executionAs("breaker", r.Digest, emergency(s)), CodeRule, "is held by owner")
	_, err := s.s.NewPromotionExecution(s.by("breaker"), r.Digest, failing, emergency(s), s.now)
	expectRefusal(t, err, CodeEvidence, "did not verify")
}

func TestBreakGlassOutsideTheWindow(t *testing.T) {
	s := newStage(t).ruled(func(r *Rules) {
		r.Breakglass = []string{"breaker"}
		r.Rings[1].Windows.Freezes = []Freeze{{"2026-01-01", "2027-01-01", "UTC", "freeze"}}
	})
	r := s.decided(s.request(s.soaked("v1.0.0", "CHG-1")))
	s.deny(s.execution(r.Digest), CodeRule, "frozen from")
	s.do(s.executionAs("breaker", r.Digest, emergency(s)))
}

// An emergency names no approvals, so that nobody's name stands for it.
func TestBreakGlassNamesNobody(t *testing.T) {
	s, r := alarmed(t)
	a := s.do(s.yes("yes-1", r.Digest))
	st := must[evidence.Statement[PromotionExecution]](t)(s.s.NewPromotionExecution(s.by("breaker"), r.Digest, verified, emergency(s), s.now))
	st.Predicate.Approvals = []evidence.Digest{a.Digest}
	if _, err := statement[PromotionExecution](PromotionExecutionType, st.Predicate); err == nil {
		t.Error("an emergency on approvals")
	}
	s.deny(act(s.world, "breaker", st), CodeEvidence, "stands on no approvals")
}

// Going back in an emergency is one too; an ordinary way back stays open.
func TestRollbackAndBrokenGlass(t *testing.T) {
	s := newStage(t).ruled(func(r *Rules) { r.Breakglass = []string{"breaker"} })
	s.promoted("v1.0.0", "CHG-1")
	r := s.request(s.soaked("v1.1.0", "CHG-2"))
	s.do(s.executionAs("breaker", r.Digest, emergency(s)))
	back := s.rollbackRequest()
	s.deny(s.rollbackAs("breaker", back.Digest, emergency(s)), CodeRule, "broke the glass")
	s.do(s.rollbackAs("executor", s.decided(back).Digest, s.enaction()))
	if len(s.s.OpenGlasses()) != 1 {
		t.Error("a rollback has closed it")
	}
}

// alone is the closing of an execution by an approver who has the execution's bundle and
// no log.
func (s *stage) alone(name string, x Act) ([]byte, error) {
	s.t.Helper()
	b := must[envelope.Bundle](s.t)(envelope.Sign(keyOf("breaker"), evidence.PayloadType, x.Statement))
	answer, err := DecideAlone(s.by(name), must[[]byte](s.t)(b.Marshal()), true, Decision{Checked: CheckedFull, Reason: "it was right"}, keyOf(name), func([]byte) error { return nil })
	return answer.Payload, err
}

// Whoever has the execution alone signs what the log would have drafted, for a promotion
// and for a way back, and it counts there.
func TestClosingAlone(t *testing.T) {
	forward, r := alarmed(t)
	back := newStage(t).ruled(func(r *Rules) { r.Breakglass = []string{"breaker"} })
	back.promoted("v1.0.0", "CHG-1")
	back.promoted("v1.1.0", "CHG-2")
	for name, c := range map[string]struct {
		*stage
		broken Act
	}{
		"promotion": {forward, forward.do(forward.executionAs("breaker", r.Digest, emergency(forward)))},
		"rollback":  {back, back.do(back.rollbackAs("breaker", back.rollbackRequest().Digest, emergency(back)))},
	} {
		for _, approver := range []string{"yes-1", "yes-2"} {
			payload, err := c.alone(approver, c.broken)
			ok(t, err)
			if want := c.closing(approver, c.broken.Digest); string(payload) != string(want.Statement) {
				t.Errorf("%s: %s\n%s", name, payload, want.Statement)
			}
			c.do(rawAct(c.world, approver, ApprovalType, payload))
		}
		if open := c.s.OpenGlasses(); len(open) != 0 {
			t.Errorf("%s: still open: %+v", name, open)
		}
	}
	ordinary := newStage(t)
	x := ordinary.promoted("v1.0.0", "CHG-1")
	_, err := ordinary.alone("yes-1", x)
	expectRefusal(t, err, CodeEvidence, "the file is no request")
}
