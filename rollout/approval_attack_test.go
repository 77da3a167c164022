package rollout

import (
	"slices"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// handmade is an execution as a well-meaning tool would never sign it.
func (s *stage) handmade(name string, request evidence.Digest, change func(*PromotionExecution)) Act {
	s.t.Helper()
	st := must[evidence.Statement[PromotionExecution]](s.t)(s.s.NewPromotionExecution(s.by(name), request, verified, s.enaction(), s.now))
	change(&st.Predicate)
	return act(s.world, name, must[evidence.Statement[PromotionExecution]](s.t)(statement[PromotionExecution](PromotionExecutionType, st.Predicate)))
}

// on names exactly these approvals.
func on(approvals ...Act) func(*PromotionExecution) {
	return func(e *PromotionExecution) {
		e.Approvals = []evidence.Digest{}
		for _, a := range approvals {
			e.Approvals = append(e.Approvals, a.Digest)
		}
		slices.SortFunc(e.Approvals, compareDigests)
	}
}

// unchanged holds the rings to what they were.
func (s *stage) unchanged(attack func()) {
	s.t.Helper()
	before := s.s.Rings(s.now)
	attack()
	after := s.s.Rings(s.now)
	for i := range before.Rings {
		if !slices.EqualFunc(before.Rings[i].Targets, after.Rings[i].Targets, func(x, y HeldTarget) bool { return x.Act == y.Act && x.Manifest == y.Manifest }) {
			s.t.Errorf("ring %s has changed", before.Rings[i].Name)
		}
	}
}

func TestApprovalOfAnotherRequest(t *testing.T) {
	s := newStage(t)
	one, two := s.request(s.soaked("v1.0.0", "CHG-1")), s.request(s.soaked("v1.1.0", "CHG-2"))
	s.do(s.yes("yes-1", one.Digest))
	b := s.do(s.yes("yes-2", two.Digest))
	c := s.do(s.yes("yes-3", two.Digest))
	s.unchanged(func() {
		s.deny(s.handmade("executor", one.Digest, on(b, c)), CodeApproval, "is no legal approval of "+one.Digest.String())
		s.deny(s.rewrite("yes-4", b, two.Digest.String(), one.Digest.String()), CodeEvidence, "the subjects are")
		s.deny(s.rewrite("yes-4", b, `"ring": "staging"`, `"ring": "production"`), CodeEvidence, "names "+keyid("yes-2"))
	})
	nowhere := evidence.DigestOf([]byte("nowhere"))
	if _, err := s.s.NewApproval(s.by("yes-1"), nowhere, Decision{Reason: "x"}); err == nil {
		t.Error("an approval of no request")
	}
}

// The grant of an approver reaches what his approval names, and that must be what the
// request names.
func TestApprovalOutOfScope(t *testing.T) {
	s := newStage(t)
	r := s.request(s.soaked("v1.0.0", "CHG-1"))
	s.deny(s.yes("yes-production", r.Digest), CodeEvidence, "ring production, not of project age, environment production, ring staging")
	for _, change := range []func(*Approval){
		func(a *Approval) { a.Ring = "production" }, func(a *Approval) { a.Environment = "test" },
		func(a *Approval) { a.Rollout = "other" }, func(a *Approval) { a.Version = "v9" },
	} {
		st := must[evidence.Statement[Approval]](t)(s.s.NewApproval(s.by("yes-production"), r.Digest, Decision{Reason: "x"}))
		change(&st.Predicate)
		name := "yes-4"
		if st.Predicate.Ring == "production" {
			name = "yes-production"
		}
		st.Predicate.Actor = s.by(name).Actor
		s.deny(act(s.world, name, st), CodeEvidence, "it is about ")
	}
	st := must[evidence.Statement[Approval]](t)(s.s.NewApproval(s.by("yes-1"), r.Digest, Decision{Reason: "x"}))
	st.Predicate.Project = "other"
	s.deny(act(s.world, "yes-1", st), CodeEvidence, "the act is of project other")
}

func TestAnotherStore(t *testing.T) {
	s := newStage(t)
	r := s.approved("v1.0.0", "CHG-1")
	elsewhere := s.enaction()
	elsewhere.Origin = "other.example.com/age"
	s.unchanged(func() {
		s.deny(s.executionAs("executor", r.Digest, elsewhere), CodeApproval, `is of log "log.example.com/age", and is executed in log "other.example.com/age"`)
		elsewhere.Origin = ""
		s.deny(s.executionAs("executor", r.Digest, elsewhere), CodeApproval, `executed in log ""`)
	})
	h := s.by("executor")
	h.Seen = &evidence.Checkpoint{Origin: "other.example.com/age", Size: 3}
	if _, err := s.s.NewPromotionExecution(h, r.Digest, verified, s.enaction(), s.now); err == nil {
		t.Error("executed here, having seen another log")
	}
	s.do(s.execution(r.Digest))
}

func TestAnotherTrustRoot(t *testing.T) {
	s := newStage(t)
	a := s.ask()
	a.TrustRoot = evidence.DigestOf([]byte("another root")).String()
	s.deny(s.requestAs("asker", s.soaked("v1.0.0", "CHG-1"), "staging", a), CodeApproval, "of another trust root")
	r := s.request(s.s.Rollouts()[0])
	h := s.by("yes-1")
	h.Trust.Digest = a.TrustRoot
	st := must[evidence.Statement[Approval]](t)(s.s.NewApproval(h, r.Digest, Decision{Reason: "x"}))
	s.deny(act(s.world, "yes-1", st), CodeEvidence, "trust version 1 is sha256:")
}

func TestExpiry(t *testing.T) {
	s := newStage(t)
	r := s.request(s.soaked("v1.0.0", "CHG-1"))
	short := must[evidence.Statement[Approval]](t)(s.s.NewApproval(s.by("yes-1"), r.Digest, Decision{Reason: "x", Expires: s.now.Add(time.Hour)}))
	a := s.do(act(s.world, "yes-1", short))
	b := s.do(s.yes("yes-2", r.Digest))
	late := must[evidence.Statement[Approval]](t)(s.s.NewApproval(s.by("yes-3"), r.Digest, Decision{Reason: "x", Expires: s.now.Add(8 * 24 * time.Hour)}))
	s.deny(act(s.world, "yes-3", late), CodeRule, "the approval expires")
	over := must[evidence.Statement[Approval]](t)(s.s.NewApproval(s.by("yes-3"), r.Digest, Decision{Reason: "x", Expires: s.now.Add(-time.Hour)}))
	s.deny(act(s.world, "yes-3", over), CodeApproval, "before it was recorded")
	s.after(2 * time.Hour)
	s.deny(s.handmade("executor", r.Digest, on(a, b)), CodeApproval, "does not count: it expired")
	s.deny(s.execution(r.Digest), CodeApproval, "1 of 2 persons")
	s.do(s.yes("yes-1b", r.Digest)) // the same person again, after the first has expired
	s.after(7 * 24 * time.Hour)
	s.do(s.observation("observer", s.s.Rollouts()[0], s.inventory(s.s.Rollouts()[0])))
	s.deny(s.yes("yes-3", r.Digest), CodeApproval, "expired")
	s.deny(s.execution(r.Digest), CodeApproval, "request "+s.s.petitions[r.Digest].id+" expired")
	long := s.ask()
	long.Expires = s.now.Add(31 * 24 * time.Hour)
	s.deny(s.requestAs("asker", s.s.Rollouts()[0], "staging", long), CodeRule, "expected at most 30 days")
	long.Expires = s.now.Add(-time.Hour)
	s.deny(s.requestAs("asker", s.s.Rollouts()[0], "staging", long), CodeApproval, "before it was recorded")
}

func TestRevokedApproval(t *testing.T) {
	s := newStage(t)
	r := s.request(s.soaked("v1.0.0", "CHG-1"))
	a, b := s.do(s.yes("yes-1", r.Digest)), s.do(s.yes("yes-2", r.Digest))
	s.deny(s.revoke("yes-3", a.Digest), CodeApproval, "first approved it, and third cannot revoke that")
	back := s.do(s.revoke("yes-1b", a.Digest))
	if again := s.s.Judge(s.revoke("yes-1", a.Digest)); again == nil || again.Already != back.Digest {
		t.Errorf("revoked twice: %v", again)
	}
	s.deny(s.handmade("executor", r.Digest, on(a, b)), CodeApproval, "it was revoked by first")
	if got, _ := s.s.Request(r.Digest.String(), s.now); got.State != RequestRevoked {
		t.Errorf("the request is %s", got.State)
	}
	s.do(s.yes("yes-1", r.Digest))
	s.do(s.revoke("policy", b.Digest))
	s.deny(s.execution(r.Digest), CodeApproval, "1 of 2 persons")
	s.do(s.yes("yes-3", r.Digest))
	s.do(s.execution(r.Digest))
	if _, err := s.s.NewApprovalRevocation(s.by("yes-1"), r.Digest, "x"); err == nil {
		t.Error("a request is revoked as an approval")
	}
}

// Nothing that comes after a legal execution makes it illegal, and nothing that comes
// after an illegal one makes it legal.
func TestBackdating(t *testing.T) {
	s := newStage(t)
	r := s.request(s.soaked("v1.0.0", "CHG-1"))
	a := s.do(s.yes("yes-1", r.Digest))
	early := s.handmade("executor", r.Digest, func(e *PromotionExecution) {})
	s.deny(early, CodeApproval, "1 of 2 persons")
	h := s.by("yes-2")
	h.Claimed = h.Claimed.Add(-24 * time.Hour)
	b := s.do(act(s.world, "yes-2", must[evidence.Statement[Approval]](t)(s.s.NewApproval(h, r.Digest, Decision{Reason: "long ago"}))))
	if got := s.staging(); got.Manifest != "" {
		t.Errorf("staging holds %v by an approval that came later", got)
	}
	expectRefusal(t, s.s.Apply(early), CodeApproval, "1 of 2 persons")
	x := s.do(s.execution(r.Digest))
	for _, late := range []Act{a, b} {
		v := s.by("yes-1")
		v.Claimed = day
		st := must[evidence.Statement[ApprovalRevocation]](t)(s.s.NewApprovalRevocation(v, late.Digest, "long ago"))
		if late.Digest == b.Digest {
			st.Predicate.Actor = s.by("yes-2").Actor
			s.deny(act(s.world, "yes-2", st), CodeConflict, "was used by execution "+x.Digest.String())
			continue
		}
		s.deny(act(s.world, "yes-1", st), CodeConflict, "was used by execution")
	}
	s.deny(s.no("yes-3", r.Digest), CodeConflict, "is executed already")
	if got := s.staging(); got.Version != "v1.0.0" {
		t.Errorf("staging holds %v", got)
	}
}

func TestReplayAfterExecution(t *testing.T) {
	s := newStage(t)
	r := s.approved("v1.0.0", "CHG-1")
	other := s.executionAs("executor-2", r.Digest, s.enaction()) // from a clone of the store
	x := s.do(s.execution(r.Digest))
	s.unchanged(func() {
		other.Index = int64(len(s.acts))
		s.deny(other, CodeConflict, "is executed already")
		s.deny(s.execution(r.Digest), CodeConflict, "is executed already")
	})
	again := x
	again.Index = int64(len(s.acts))
	if refusal := s.s.Apply(again); refusal != nil {
		t.Errorf("the same act twice: %v", refusal)
	}
	if h := s.s.History("", "", "mac-laptop"); len(h.Placements) != 2 {
		t.Errorf("%d placements", len(h.Placements))
	}
	s.deny(s.yes("yes-3", r.Digest), CodeConflict, "is executed already")
}

func TestWhoNeverCounts(t *testing.T) {
	s := newStage(t)
	id := s.soaked("v1.0.0", "CHG-1")
	r := s.request(id)
	s.deny(s.yes("yes-asker", r.Digest), CodeApproval, "asker is the requester and cannot approve")
	s.deny(s.yes("yes-ada", r.Digest), CodeApproval, "ada is an operator of rollout")
	g := s.do(s.yes("yes-grace", r.Digest))
	a := s.do(s.yes("yes-1", r.Digest))
	s.deny(s.handmade("executor", r.Digest, on(g, a)), CodeApproval, "grace is the executor")
	s.deny(s.execution(r.Digest), CodeApproval, "1 of 2 persons")
	s.do(s.executionAs("executor-2", r.Digest, s.enaction()))
}

// Who turns operator after he approved counts no longer.
func TestApproverTurnsOperator(t *testing.T) {
	s := newStage(t)
	r := s.request(s.soaked("v1.0.0", "CHG-1"))
	g, a := s.do(s.yes("yes-grace", r.Digest)), s.do(s.yes("yes-1", r.Digest))
	s.s.rollouts[s.s.petitions[r.Digest].rollout].operators = []string{"ada", "grace"}
	s.deny(s.handmade("executor-2", r.Digest, on(g, a)), CodeApproval, "grace is an operator of rollout")
}

func TestOnePersonWithTwoKeys(t *testing.T) {
	s := newStage(t)
	r := s.request(s.soaked("v1.0.0", "CHG-1"))
	a := s.do(s.yes("yes-1", r.Digest))
	refusal := s.deny(s.yes("yes-1b", r.Digest), CodeConflict, "first has approved")
	if refusal.Already != a.Digest {
		t.Error("not the same")
	}
	s.deny(s.execution(r.Digest), CodeApproval, "1 of 2 persons")
	// Two approvals of one person, had the log let the second in.
	second := *s.s.votes[a.Digest]
	second.act, second.keyid = evidence.DigestOf([]byte("second")), keyid("yes-1b")
	s.s.votes[second.act] = &second
	s.deny(s.handmade("executor", r.Digest, func(e *PromotionExecution) {
		e.Approvals = []evidence.Digest{a.Digest, second.act}
		slices.SortFunc(e.Approvals, compareDigests)
	}), CodeApproval, "")
}

// An edited document is another act, which nobody has signed or approved.
func TestEditedAfterApproval(t *testing.T) {
	s := newStage(t)
	r := s.approved("v1.0.0", "CHG-1")
	edited := r
	edited.Index, edited.Statement = int64(len(s.acts)), changed(t, r.Statement, "the pilot is good", "the pilot is bad!")
	edited.Digest = evidence.DigestOf([]byte("other"))
	s.peek(edited, CodeEvidence, "the statement is sha256:")
	edited.Statement = changed(t, r.Statement, `"reason":`, `"state": "approved",`+"\n    "+`"reason":`)
	edited.Digest = evidence.DigestOf(edited.Statement)
	s.peek(edited, CodeEvidence, "state")
	again := s.rewrite("asker", r, "the pilot is good", "the pilot is bad!")
	if refusal := s.s.Judge(again); refusal == nil || refusal.Already != r.Digest {
		t.Fatalf("%v", refusal)
	}
	a := s.ask()
	a.Targets = []string{"mac-laptop"}
	smaller := s.do(s.requestAs("asker", s.s.Rollouts()[0], "staging", a))
	s.deny(s.execution(smaller.Digest), CodeApproval, "0 of 2 persons")
	s.deny(s.execution(r.Digest), CodeConflict, "was superseded")
}

func TestDenyWins(t *testing.T) {
	s := newStage(t)
	r := s.approved("v1.0.0", "CHG-1")
	d := s.do(s.no("yes-3", r.Digest))
	if again := s.s.Judge(s.no("yes-3", r.Digest)); again == nil || again.Already != d.Digest {
		t.Errorf("%v", again)
	}
	s.deny(s.yes("yes-4", r.Digest), CodeApproval, "was denied by third: too early")
	s.deny(s.execution(r.Digest), CodeApproval, "was denied by third")
	s.do(s.revoke("yes-3", d.Digest))
	s.deny(s.execution(r.Digest), CodeApproval, "was denied by third")
}

// A plan that was denied carries the denial, and needs one person more, or the
// denier's lift.
func TestDeniedPlanAskedAgain(t *testing.T) {
	s := newStage(t)
	id := s.soaked("v1.0.0", "CHG-1")
	r := s.request(id)
	d := s.do(s.no("yes-3", r.Digest))
	hidden := s.requestAs("asker", id, "staging", s.ask())
	st := must[evidence.Statement[PromotionRequest]](t)(evidence.DecodeStatement[PromotionRequest](hidden.Statement, PromotionRequestType))
	if !slices.Equal(st.Predicate.Denied, []evidence.Digest{d.Digest}) {
		t.Fatalf("carries %v", st.Predicate.Denied)
	}
	st.Predicate.Denied = []evidence.Digest{}
	s.deny(act(s.world, "asker", st), CodeApproval, "the request names none as the denials of its plan")
	again := s.do(s.here(hidden))
	s.do(s.yes("yes-1", again.Digest))
	s.do(s.yes("yes-2", again.Digest))
	s.deny(s.execution(again.Digest), CodeApproval, "2 of 3 persons")
	s.deny(s.revoke("yes-4", d.Digest), CodeApproval, "third denied it, and fourth cannot lift that")
	s.deny(s.revoke("policy", d.Digest), CodeApproval, "third denied it, and grace cannot lift that")
	lifted := s.replay(s.acts)
	s.do(s.yes("yes-4", again.Digest))
	s.peek(s.handmade("executor", again.Digest, func(e *PromotionExecution) { e.Approvals = e.Approvals[1:] }), CodeApproval, "2 of 3 persons")
	s.do(s.execution(again.Digest))
	s.s = lifted
	s.do(s.revoke("yes-3", d.Digest))
	s.do(s.execution(again.Digest))
}

// Leaving out a target does not shake off a denial; another release does.
func TestDenialFollowsTheMove(t *testing.T) {
	s := newStage(t)
	id := s.soaked("v1.0.0", "CHG-1")
	s.do(s.no("yes-3", s.request(id).Digest))
	a := s.ask()
	a.Targets = []string{"mac-laptop"}
	smaller := s.do(s.requestAs("asker", id, "staging", a))
	s.do(s.yes("yes-1", smaller.Digest))
	s.do(s.yes("yes-2", smaller.Digest))
	s.deny(s.execution(smaller.Digest), CodeApproval, "2 of 3 persons")
	s.promoted("v1.1.0", "CHG-2")
}
