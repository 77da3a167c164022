package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
)

func TestGroupsEachNeedTheirOwn(t *testing.T) {
	s := newStage(t).ruled(func(r *Rules) {
		r.Rings[1].Groups = []Group{{"security", []string{"first", "second"}, 1}, {"owners", []string{"third"}, 1}}
	})
	r := s.request(s.soaked("v1.0.0", "CHG-1"))
	s.do(s.yes("yes-1", r.Digest))
	s.do(s.yes("yes-2", r.Digest))
	s.deny(s.execution(r.Digest), CodeApproval, "0 of 1 persons of group owners have approved")
	s.do(s.yes("yes-3", r.Digest))
	got, _ := s.s.Request(r.Digest.String(), s.now)
	if g := got.Quorum.Groups; len(g) != 2 || g[0].Have != 2 || g[1].Have != 1 || got.State != RequestApproved {
		t.Errorf("%+v", got.Quorum)
	}
	s.do(s.execution(r.Digest))
}

func TestUsesOfKeys(t *testing.T) {
	s := newStage(t)
	r := s.request(s.soaked("v1.0.0", "CHG-1"))
	s.deny(s.yes("yes-web", r.Digest), CodeRule, "its key is of use browser, and in ring staging count file, agent")
	s.ruled(func(rules *Rules) {
		rules.Rings[1].Uses, rules.Rings[1].MaxBrowser = []string{"file", "browser"}, 1
	})
	r = s.request(s.s.Rollouts()[0])
	s.deny(s.yes("yes-1b", r.Digest), CodeRule, "its key is of use agent")
	s.do(s.yes("yes-web", r.Digest))
	s.deny(s.yes("yes-web-2", r.Digest), CodeRule, "1 approvals are by browser keys, and ring staging lets 1 count")
	s.do(s.yes("yes-1", r.Digest))
	s.do(s.execution(r.Digest))
	if trust.UseOf(trust.SingleKey(keyOf("yes-1").Public()), keyid("yes-1")) != "" {
		t.Error("a single key has a use")
	}
}

// More browser keys than the ring lets count are refused at the moment of acting too,
// had the log let them in.
func TestTooManyBrowsers(t *testing.T) {
	s := newStage(t).ruled(func(r *Rules) { r.Rings[1].Uses, r.Rings[1].MaxBrowser = []string{"file", "browser"}, 1 })
	r := s.request(s.soaked("v1.0.0", "CHG-1"))
	a := s.do(s.yes("yes-web", r.Digest))
	forged := *s.s.votes[a.Digest]
	forged.act, forged.keyid, forged.person = evidence.DigestOf([]byte("forged")), keyid("yes-web-2"), "third"
	s.s.votes[forged.act] = &forged
	s.s.petitions[r.Digest].votes = append(s.s.petitions[r.Digest].votes, &forged)
	s.deny(s.handmade("executor", r.Digest, on(a, Act{Digest: forged.act})), CodeApproval, "of 2 approvals 1 count")
	s.deny(s.execution(r.Digest), CodeApproval, "1 of 2 persons")
}

// Quorum 0 in a signed policy: nobody has to approve, and every answer says so.
func TestUnattended(t *testing.T) {
	s := newStage(t).ruled(func(r *Rules) { r.Rings[1].Quorum = 0 })
	id := s.soaked("v1.0.0", "CHG-1")
	r := s.request(id)
	if got, _ := s.s.Request(r.Digest.String(), s.now); !got.Unattended || got.State != RequestApproved {
		t.Errorf("%+v", got)
	}
	s.deny(s.handmade("executor", r.Digest, func(e *PromotionExecution) { e.Unattended = false }), CodeEvidence, "the execution says unattended false")
	x := s.do(s.execution(r.Digest))
	if !strings.Contains(string(x.Statement), `"unattended": true`) || !s.s.Rings(s.now).Rings[1].Unattended {
		t.Error("the record does not say unattended")
	}
	f := must[evidence.Facts](t)(factsOf(PromotionExecutionType, x.Statement))
	if f.ApprovalState != "" || f.Text[len(f.Text)-1] != "unattended" {
		t.Errorf("%+v", f)
	}
}

// A denial makes an unattended ring attended.
func TestDeniedUnattended(t *testing.T) {
	s := newStage(t).ruled(func(r *Rules) { r.Rings[1].Quorum = 0 })
	id := s.soaked("v1.0.0", "CHG-1")
	s.do(s.no("yes-3", s.request(id).Digest))
	r := s.request(id)
	s.deny(s.execution(r.Digest), CodeApproval, "0 of 1 persons")
	s.do(s.yes("yes-1", r.Digest))
	s.do(s.execution(r.Digest))
}

// Nobody is unattended by a false word.
func TestNotUnattended(t *testing.T) {
	s := newStage(t)
	r := s.approved("v1.0.0", "CHG-1")
	s.deny(s.handmade("executor", r.Digest, func(e *PromotionExecution) { e.Unattended, e.Approvals = true, []evidence.Digest{} }), CodeEvidence, "the execution says unattended true, and 2 persons")
}

// The trust root may ask for more than the policy; its 1 asks for nothing.
func TestNeeded(t *testing.T) {
	for _, c := range []struct{ quorum, threshold, want int }{{2, 1, 2}, {2, 3, 3}, {0, 1, 0}, {0, 2, 2}, {1, 1, 1}} {
		if got := needed(Ring{Quorum: c.quorum}, c.threshold); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

func TestExceptionsAndCoverage(t *testing.T) {
	s := newStage(t)
	s.populate("pilot")
	c := pilot()
	c.Targets = []string{"linux-runner"}
	st := s.newRollout("operator", "v1.0.0", c)
	s.do(act(s.world, "operator", st))
	id := st.Predicate.ID
	s.after(time.Minute)
	s.do(s.observation("observer", id, s.inventory(id)))
	s.do(s.status("operator", id, StatusSucceeded))
	s.after(24 * time.Hour)
	s.do(s.observation("observer", id, s.inventory(id)))
	a := s.ask()
	a.Targets = []string{"linux-runner", "mac-laptop"}
	_, err := s.s.NewPromotionRequest(s.by("asker"), id, "staging", verified, a, s.now)
	expectRefusal(t, err, CodeRule, "target mac-laptop did not succeed in ring pilot")
	s.ruled(func(r *Rules) { r.Exceptions = []Exception{{"staging", "mac-laptop", "no pilot has one"}} })
	r := s.do(s.requestAs("asker", id, "staging", a))
	got, _ := s.s.Request(r.Digest.String(), s.now)
	if p := got.Plan; !p[0].Covered || p[1].Covered || p[1].Exception != "no pilot has one" {
		t.Errorf("%+v", p)
	}
	s.do(s.execution(s.decided(r).Digest))
	if s.staging().Version != "v1.0.0" {
		t.Error("the excepted target was left out")
	}
}

func TestDowngradesAreFlagged(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"v1.1.0", "v1.0.0", true}, {"v1.0.0", "v1.1.0", false}, {"v1.0.0", "v1.0.0-rc.1", true}, {"", "v1.0.0", false}, {"build-9", "build-1", false}, {"v1.10.0", "v1.9.0", true},
	} {
		if got := downgrades(Rollback{"x", c.from}, Rollback{"y", c.to}); got != c.want {
			t.Errorf("%s to %s: %t", c.from, c.to, got)
		}
	}
	s := newStage(t)
	s.promoted("v1.1.0", "CHG-1")
	r := s.request(s.soaked("v1.0.0", "CHG-2"))
	if got, _ := s.s.Request(r.Digest.String(), s.now); !got.Plan[0].Downgrade {
		t.Errorf("%+v", got.Plan)
	}
	st := must[evidence.Statement[PromotionRequest]](t)(evidence.DecodeStatement[PromotionRequest](r.Statement, PromotionRequestType))
	st.Predicate.Plan[0].Downgrade = false
	st.Predicate.ID = st.Predicate.terms().requestID()
	s.deny(act(s.world, "asker", st), CodeEvidence, "and downgrade is false")
}

func factsOf(predicateType string, statement []byte) (evidence.Facts, error) {
	for _, e := range CatalogEntries() {
		if e.PredicateType == predicateType {
			return e.Facts(statement)
		}
	}
	return evidence.Facts{}, nil
}
