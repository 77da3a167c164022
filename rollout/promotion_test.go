package rollout

import (
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/schemas"
)

// From a pilot that is ready to a release in the next ring, and on to the last.
func TestPromotion(t *testing.T) {
	s := newStage(t)
	id := s.soaked("v1.0.0", "CHG-1")
	r := s.request(id)
	if got, _ := s.s.Request(r.Digest.String(), s.now); got.State != RequestPending || got.Quorum.Need != 2 || got.ID != id+"-to-staging-"+got.PlanDigest.Hex()[:8] {
		t.Fatalf("%+v", got)
	}
	s.peek(s.execution(r.Digest), CodeApproval, "the quorum of ring staging is not met: 0 of 2 persons have approved")
	s.do(s.yes("yes-1", r.Digest))
	s.peek(s.execution(r.Digest), CodeApproval, "1 of 2 persons have approved")
	s.do(s.yes("yes-2", r.Digest))
	if got, _ := s.s.Request(r.Digest.String(), s.now); got.State != RequestApproved || len(got.Quorum.Persons) != 2 {
		t.Fatalf("%+v", got)
	}
	if got := s.staging(); got.Manifest != "" {
		t.Fatalf("staging holds %v before the execution", got)
	}
	x := s.do(s.execution(r.Digest))
	if got, _ := s.s.Request(r.Digest.String(), s.now.Add(MaxValidity)); got.State != RequestExecuted || got.ExecutedBy != x.Digest.String() || got.Quorum.Have != 2 || !got.Signatures[0].Counts {
		t.Errorf("%+v", got)
	}
	if got := s.staging(); got.Version != "v1.0.0" || got.Manifest != s.manifest("v1.0.0").String() {
		t.Fatalf("staging holds %v", got)
	}
	s.populate("staging")
	c := Capture{Environment: "production", Ring: "staging", ChangeRecord: "CHG-1", Status: StatusStaged, Execution: x.Digest}
	next := s.newRollout("operator", "v1.0.0", c)
	if next.Predicate.Targets[0].Rollback.Manifest != "" {
		t.Errorf("the capture goes back to %v, the promotion found nothing", next.Predicate.Targets[0].Rollback)
	}
	s.do(act(s.world, "operator", next))
	s.after(time.Minute)
	s.do(s.observation("observer", next.Predicate.ID, s.inventory(next.Predicate.ID)))
	s.do(s.status("operator", next.Predicate.ID, StatusSucceeded))
	s.after(24 * time.Hour)
	s.do(s.observation("observer", next.Predicate.ID, s.inventory(next.Predicate.ID)))
	last := s.do(s.requestAs("asker", next.Predicate.ID, "production", s.ask()))
	s.do(s.yes("yes-1", last.Digest))
	s.do(s.yes("yes-2", last.Digest))
	s.do(s.execution(last.Digest))
	if got := s.s.Holding("production", "production", "linux-runner"); got.Version != "v1.0.0" {
		t.Errorf("production holds %v", got)
	}
	fitsSchema(t, RingsSchema, s.s.Rings(s.now))
	fitsSchema(t, ApprovalListSchema, s.s.ApprovalList(s.now))
	fitsSchema(t, HistorySchema, s.s.History("", "", "mac-laptop"))
	if h := s.s.History("", "", "mac-laptop"); len(h.Placements) != 3 || h.Placements[2].How != HowPromotion || h.Placements[2].Ring != "production" {
		t.Errorf("%+v", h.Placements)
	}
	rings := s.s.Rings(s.now)
	if o := rings.Rings[1].Targets[0].Observed; o == nil || o.Matches != 4 || rings.Rings[2].Targets[0].Observed != nil {
		t.Errorf("observed %+v and %+v", o, rings.Rings[2].Targets[0].Observed)
	}
	if len(s.s.Illegal()) != 0 {
		t.Errorf("%+v", s.s.Illegal())
	}
}

func fitsSchema(t testing.TB, id string, v any) {
	t.Helper()
	data := must[[]byte](t)(envelope.Encode(v))
	if err := schemas.Validate(id, data); err != nil {
		t.Errorf("%v\n%s", err, data)
	}
}

// The same request twice is one; another plan supersedes the first.
func TestRequestTwice(t *testing.T) {
	s := newStage(t)
	id := s.soaked("v1.0.0", "CHG-1")
	first := s.request(id)
	a := s.ask()
	a.Reason = "again"
	if r := s.s.Judge(s.requestAs("asker-2", id, "staging", a)); r == nil || r.Already != first.Digest {
		t.Fatalf("%v", r)
	}
	a.Targets = []string{"linux-runner"}
	second := s.do(s.requestAs("asker", id, "staging", a))
	if got, _ := s.s.Request(first.Digest.String(), s.now); got.State != RequestSuperseded || got.SupersededBy != second.Digest.String() {
		t.Errorf("%+v", got)
	}
	s.peek(s.yes("yes-1", first.Digest), CodeConflict, "was superseded")
	s.after(8 * 24 * time.Hour)
	s.do(s.observation("observer", id, s.inventory(id)))
	third := s.requestAs("asker", id, "staging", s.ask())
	if got := must[evidence.Statement[PromotionRequest]](t)(evidence.DecodeStatement[PromotionRequest](third.Statement, PromotionRequestType)); got.Predicate.Supersedes != "" {
		t.Errorf("supersedes %q, which has expired", got.Predicate.Supersedes)
	}
	s.do(third)
}

// A request names the open one that it supersedes, so that nobody loses his unseen.
func TestSupersedesIsNamed(t *testing.T) {
	s := newStage(t)
	id := s.soaked("v1.0.0", "CHG-1")
	a := s.ask()
	a.Targets = []string{"linux-runner"}
	blind := s.requestAs("asker", id, "staging", a)
	first := s.request(id)
	s.deny(s.here(blind), CodeConflict, "the request supersedes none, the open one is "+first.Digest.String())
	s.do(s.requestAs("asker", id, "staging", a))
}
