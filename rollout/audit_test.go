package rollout

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
)

// answers asks a question of the replay and returns a line for each finding.
func (s *stage) answers(name string, changes ...string) []string {
	s.t.Helper()
	a := Audit{State: s.s, Now: s.now, Changes: changes}
	q := must[Question](s.t)(QuestionOf(name))
	answer := must[Answer](s.t)(a.Answer(s.t.Context(), q))
	if answer.Query != name || answer.Project != "age" || answer.Findings == nil {
		s.t.Errorf("%+v", answer)
	}
	var list []string
	for _, f := range answer.Findings {
		if f.Persons == nil {
			s.t.Errorf("%s: persons are null", name)
		}
		list = append(list, strings.Join([]string{f.ChangeRecord, f.Version, f.Ring, f.Target, f.Detail}, "|"))
	}
	return list
}

// finds expects as many findings as words, each with its words.
func (s *stage) finds(name string, words ...string) {
	s.t.Helper()
	list := s.answers(name)
	if len(list) != len(words) {
		s.t.Fatalf("%s: %d findings, expected %d: %q", name, len(list), len(words), list)
	}
	for i, w := range words {
		if !strings.Contains(list[i], w) {
			s.t.Errorf("%s: %q, expected %q", name, list[i], w)
		}
	}
}

// A promotion by the book is nobody's finding.
func TestQuestionsWithoutFindings(t *testing.T) {
	s := newStage(t)
	s.promoted("v1.0.0", "CHG-1")
	for _, q := range Questions {
		switch q.Name {
		case "what-runs-where", "execution-without-observation", "unverified-in-production":
			continue
		}
		s.finds(q.Name)
	}
	s.finds("unverified-in-production") // staging is not the last ring
	if _, err := QuestionOf("ilegal-records"); err == nil || !strings.Contains(err.Error(), `nearest known is "illegal-records"`) {
		t.Error(err)
	}
}

func TestLonelyPromotions(t *testing.T) {
	s := newStage(t).ruled(func(r *Rules) { r.Rings[1].Quorum, r.Breakglass = 1, []string{"breaker"} })
	one := s.request(s.soaked("v1.0.0", "CHG-1"))
	s.do(s.yes("yes-1", one.Digest))
	s.do(s.execution(one.Digest))
	s.finds("promotions-without-two-approvals", "CHG-1|v1.0.0|staging||executed by grace, approved by first")
	s.ruled(func(r *Rules) { r.Rings[1].Quorum = 0 })
	none := s.request(s.soaked("v1.1.0", "CHG-2"))
	s.do(s.execution(none.Digest))
	s.ruled(func(r *Rules) { r.Rings[1].Quorum = 2 })
	three := s.request(s.soaked("v1.2.0", "CHG-3"))
	s.do(s.executionAs("breaker", three.Digest, emergency(s)))
	s.finds("promotions-without-two-approvals", "approved by first", "CHG-2|v1.1.0|staging||unattended", "breaker broke the glass for incident INC-7")
	s.finds("break-glass-open", "CHG-3|v1.2.0|staging||incident INC-7, approved since by none, due")
	s.after(FollowUp + time.Hour)
	s.finds("break-glass-open", "overdue")
	glass := s.s.OpenGlasses()[0].Act
	s.do(s.closing("yes-1", glass))
	s.do(s.closing("yes-2", glass))
	s.finds("break-glass-open")
}

func TestOutsideWindows(t *testing.T) {
	s, r := alarmed(t)
	s.ruled(func(r *Rules) {
		r.Rings[1].Windows.Allow = []Window{{[]string{"sun"}, []string{}, "00:00", "01:00", "UTC"}}
	})
	r = s.request(s.s.Rollouts()[0])
	s.deny(s.here(s.execution(r.Digest)), CodeApproval, "approve")
	s.finds("executed-outside-window")
	s.do(s.executionAs("breaker", r.Digest, emergency(s)))
	s.finds("executed-outside-window", "CHG-1|v1.0.0|staging||promotion: ")
	s.ruled(func(r *Rules) { r.Rings[1].Windows.Allow = []Window{} })
	s.finds("executed-outside-window", "promotion: ") // by the rules of that moment
}

func TestDoubleVersions(t *testing.T) {
	s := newStage(t)
	s.soaked("v1.0.0", "CHG-1")
	s.finds("same-version-different-digest")
	v, f := packageFiles(t, "v1.0.0")
	other := f
	other.Manifest = append(slices.Clone(f.Manifest), '\n')
	s.do(rawAct(s.world, "releaser", evidence.ReleaseEvidence, must[[]byte](t)(envelope.Encode(closingOf(*v.Release, other.Manifest)))))
	s.finds("same-version-different-digest", "CHG-1|v1.0.0|pilot||manifest "+s.manifest("v1.0.0").String(), "|v1.0.0|||manifest "+evidence.DigestOf(other.Manifest).String())
}

// A capture that did not count shows the package that somebody tried, too.
func TestDoubleVersionsOfIllegalCaptures(t *testing.T) {
	s := newStage(t)
	s.soaked("v1.0.0", "CHG-1")
	st := s.newRollout("operator", "v1.0.0", Capture{Environment: "production", Ring: "pilot", ChangeRecord: "CHG-9", Status: StatusStaged})
	st.Predicate.Manifest[0]++
	st.Predicate.ID = must[string](t)(rolloutID(st.Predicate))
	forged := act(s.world, "operator", must[evidence.Statement[Rollout]](t)(statement[Rollout](RolloutType, st.Predicate)))
	if r := s.try(forged); r == nil {
		t.Fatal("another package of the version counts")
	}
	s.finds("same-version-different-digest", s.manifest("v1.0.0").String(), st.Predicate.Manifest.String())
	s.finds("illegal-records", "rollout/v1: ")
}

func TestWhatRunsWhere(t *testing.T) {
	s := newStage(t)
	s.finds("what-runs-where")
	s.promoted("v1.0.0", "CHG-1")
	s.finds("what-runs-where",
		"|v1.0.0|pilot|linux-runner|rollout; observed on 4 of 4 endpoints", "|v1.0.0|pilot|mac-laptop|rollout; observed on 2 of 2 endpoints",
		"|v1.0.0|staging|linux-runner|promotion; not observed there", "|v1.0.0|staging|mac-laptop|promotion; not observed there")
	s.finds("execution-without-observation", "v1.0.0|staging|linux-runner|promotion, and no observation", "v1.0.0|staging|mac-laptop|promotion, and no")
}

func TestSeenAndNotPutThere(t *testing.T) {
	s := newStage(t)
	s.populate("pilot")
	id := s.capture()
	s.after(time.Minute)
	list := s.inventory(id)
	list[0].SHA256 = strings.Repeat("9", 64)
	s.do(s.observation("observer", id, list))
	s.finds("observed-without-execution",
		"CHG-1|v1.0.0|pilot|linux-runner|3 endpoints have v1.0.0, by the log the target holds nothing",
		"linux-runner|1 endpoints have a binary with sha256 9999", "mac-laptop|2 endpoints have v1.0.0")
	s.finds("execution-without-observation")
	s.do(s.observation("observer", id, s.inventory(id)))
	s.do(s.status("operator", id, StatusSucceeded))
	s.finds("observed-without-execution")
	// The older release is one that a legal act put there.
	s.after(24 * time.Hour)
	c := pilot()
	c.ChangeRecord = "CHG-2"
	st := s.newRollout("operator", "v1.1.0", c)
	s.do(act(s.world, "operator", st))
	old := s.inventory(id)
	s.do(s.observation("observer", st.Predicate.ID, old))
	s.finds("observed-without-execution")
}

func TestMissingChanges(t *testing.T) {
	s := newStage(t)
	s.soaked("v1.0.0", "CHG-1")
	if got := s.answers("changes-without-rollout", "CHG-1", "CHG-2"); len(got) != 1 || !strings.HasPrefix(got[0], "CHG-2|") {
		t.Errorf("%q", got)
	}
	if got := s.answers("changes-without-rollout", "CHG-1"); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

// That a release was observed before it was taken away says nothing of what is there
// once it is back.
func TestUnseenAfterRollback(t *testing.T) {
	s := newStage(t)
	first := s.promoted("v1.0.0", "CHG-1")
	s.populate("staging")
	c := Capture{Environment: "production", Ring: "staging", ChangeRecord: "CHG-1", Status: StatusStaged, Execution: first.Digest}
	st := s.newRollout("operator", "v1.0.0", c)
	s.do(act(s.world, "operator", st))
	s.after(time.Minute)
	s.do(s.observation("observer", st.Predicate.ID, s.inventory(st.Predicate.ID)))
	s.finds("execution-without-observation")
	s.promoted("v1.1.0", "CHG-2")
	back := s.rollbackRequest()
	s.do(s.yes("yes-1", back.Digest))
	s.do(s.yes("yes-2", back.Digest))
	s.do(s.rollbackAs("executor", back.Digest, s.enaction()))
	s.finds("execution-without-observation", "|v1.0.0|staging|linux-runner|rollback, and no observation", "|v1.0.0|staging|mac-laptop|rollback")
}
