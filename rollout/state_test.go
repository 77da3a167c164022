package rollout

import (
	"math/rand"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
)

func (w *world) captureAs(name string, h Head) Act {
	w.t.Helper()
	return act(w, name, must[evidence.Statement[Rollout]](w.t)(NewRollout(h, packageOf(w.t, "v1.0.0"), w.s, pilot())))
}

// Who signs stands in the act, and is who signed.
func TestActorIsWhoSigned(t *testing.T) {
	w := newWorld(t)
	w.populate("pilot")
	h := w.head("operator")
	h.Actor.Person = "grace"
	w.deny(w.captureAs("operator", h), CodeEvidence, "names "+keyid("operator")+" (grace) as its signer, and "+keyid("operator")+" (ada) signed it")
	w.deny(w.captureAs("operator-2", w.head("operator")), CodeEvidence, "and "+keyid("operator-2")+" (grace) signed it")
	w.do(w.captureAs("operator", w.head("operator")))
}

// A document edited after signing has other bytes than its digest.
func TestEditedStatement(t *testing.T) {
	w := newWorld(t)
	w.populate("pilot")
	a := w.captureAs("operator", w.head("operator"))
	edited := a
	edited.Statement = changed(t, a.Statement, `"ring": "pilot"`, `"ring": "prod"`)
	expectRefusal(t, w.s.Judge(edited), CodeEvidence, "the statement is sha256:")
	a.PredicateType = StatusType
	expectRefusal(t, w.s.Judge(a), CodeEvidence, `predicateType is "`+RolloutType+`"`)
	a.PredicateType = evidence.Namespace + "rollouts/v1"
	expectRefusal(t, w.s.Judge(a), CodeEvidence, `the nearest known is "`+RolloutType+`"`)
	if Concerns(a.PredicateType) || !Concerns(RolloutType) || !Concerns(evidence.ReleaseEvidence) {
		t.Error("Concerns")
	}
}

func TestActsOfAnotherProject(t *testing.T) {
	w := newWorld(t)
	w.s.options.Project = "other"
	w.deny(w.captureAs("operator", w.head("operator")), CodeEvidence, "the act is of project age, expected other")
}

func TestActsComeInOrder(t *testing.T) {
	w := newWorld(t)
	w.populate("pilot")
	a := w.captureAs("operator", w.head("operator"))
	a.Index = 0
	expectRefusal(t, w.s.Apply(a), CodeEvidence, "the act stands at index 0, and one at 0 was applied before")
	if len(w.s.Illegal()) != 0 {
		t.Error("an act out of order is listed")
	}
}

func TestNoTrustRoot(t *testing.T) {
	w := newWorld(t)
	w.s.options.Authorities = nil
	w.deny(w.captureAs("operator", w.head("operator")), CodeEvidence, "no trust root was given")
}

// Version 2 revokes the operator; version 3 brings nothing new.
func revoking(t *testing.T) *trust.Chain {
	return trustFiles(t, func(e *trust.Edit) {
		ok(t, e.Revoke(keyid("operator"), trust.Revocation{At: day}))
	}, func(*trust.Edit) {})
}

// A later trust version neither reaches back nor can be avoided once the log has
// seen it.
func TestTrustVersionInForce(t *testing.T) {
	w := newWorldOf(t, revoking(t))
	w.after(72 * time.Hour)
	w.populate("pilot")
	id := w.capture()
	w.trusting(2)
	w.deny(w.status("operator", id, StatusFailed), CodeEvidence, "revoked as compromised")
	if got := w.s.Trust().Version; got != 1 {
		t.Fatalf("an illegal act brought trust version %d", got)
	}
	w.trusting(1)
	w.do(w.observation("observer", id, w.inventory(id)))
	w.trusting(2)
	w.do(w.status("operator-2", id, StatusRolledBack))
	if got := w.s.Trust().Version; got != 2 {
		t.Fatalf("trust version %d", got)
	}
	w.trusting(1)
	c := pilot()
	c.ChangeRecord = "CHG-2"
	w.deny(act(w, "operator", w.newRollout("operator", "v1.0.0", c)), CodeEvidence, "revoked as compromised")
	w.do(act(w, "operator-2", w.newRollout("operator-2", "v1.0.0", c)))
	if p := w.progress(id); p.Status != StatusRolledBack || p.Operators[0] != "ada" {
		t.Errorf("what was legal before is %+v", p)
	}
	w.trust = TrustVersion{3, w.trust.Digest}
	w.deny(w.status("operator-2", id, StatusFailed), CodeEvidence, "trust version 3 is sha256:")
	w.trust = TrustVersion{4, w.trust.Digest}
	w.deny(w.status("operator-2", id, StatusFailed), CodeEvidence, "trust version 4 is not in the chain")
}

// replay applies acts to an empty state.
func (w *world) replay(acts []Act) *State {
	s := NewState(w.s.options)
	for _, a := range acts {
		s.Apply(a)
	}
	return s
}

// The acts of a chain by links mean the same in another store; what has no link is
// ordered by index alone.
func TestRecordsMovedBetweenStores(t *testing.T) {
	w := newWorld(t)
	id := w.succeeded() // population, capture, observation, status
	c := pilot()
	c.ChangeRecord, c.Targets = "CHG-2", []string{"linux-runner"}
	blind := must[evidence.Statement[Rollout]](t)(NewRollout(w.head("operator"), packageOf(t, "v1.1.0"), nil, c))
	w.do(act(w, "operator", blind))
	hold := must[evidence.Statement[Hold]](t)(w.s.HoldRing(w.head("policy"), w.ring("staging"), "audit"))
	w.do(act(w, "policy", hold))
	population, rest := w.acts[0], w.acts[1:]
	// Keep the order of the linked acts 0 to 2 of rest, put the two others anywhere.
	for seed := range int64(20) {
		moved := append([]Act{}, rest[:3]...)
		r := rand.New(rand.NewSource(seed))
		for _, a := range rest[3:] {
			at := r.Intn(len(moved) + 1)
			moved = append(moved[:at], append([]Act{a}, moved[at:]...)...)
		}
		moved = append([]Act{population}, moved...)
		for i := range moved {
			moved[i].Index = int64(10 + 3*i)
		}
		s := w.replay(moved)
		if len(s.illegal) != 0 {
			t.Fatalf("illegal: %+v", s.illegal[0].Refusal)
		}
		for _, one := range []string{id, blind.Predicate.ID} {
			a, b := w.progress(one), Progress{}
			b, _ = s.Progress(one)
			if a.Status != b.Status || a.Act != b.Act || a.Last != b.Last || a.Population != b.Population || !reflect.DeepEqual(a.Observed, b.Observed) {
				t.Errorf("seed %d: %s is %+v, was %+v", seed, one, b, a)
			}
		}
		if !reflect.DeepEqual(s.Holding("production", "pilot", "mac-laptop"), w.s.Holding("production", "pilot", "mac-laptop")) || len(s.Holds()) != 1 {
			t.Errorf("seed %d: another state", seed)
		}
	}
}

// An act before the one that it names is illegal, and stays so.
func TestActBeforeItsLink(t *testing.T) {
	w := newWorld(t)
	id := w.succeeded()
	population, rest := w.acts[0], w.acts[1:]
	status := rest[2]
	early := []Act{population, status, rest[0], rest[1]}
	for i := range early {
		early[i].Index = int64(i)
	}
	s := w.replay(early)
	expectRefusal(t, s.Apply(status), CodeEvidence, "is not recorded in this log")
	if p, _ := s.Progress(id); p.Status != StatusStaged {
		t.Errorf("it is %s", p.Status)
	}
}

// Of two captures of one version the first by index has it.
func TestUnlinkedActsAreOrderedByIndex(t *testing.T) {
	both := newWorld(t)
	both.populate("pilot")
	x := both.captureAs("operator", both.head("operator"))
	y := act(both, "operator", must[evidence.Statement[Rollout]](t)(NewRollout(both.head("operator"), rebuilt(t), both.s, pilot())))
	for _, order := range [][]Act{{x, y}, {y, x}} {
		s := both.replay([]Act{both.acts[0]})
		order[0].Index, order[1].Index = 1, 2
		if r := s.Apply(order[0]); r != nil {
			t.Fatal(r)
		}
		expectRefusal(t, s.Apply(order[1]), CodeConflict, "is the release with manifest")
	}
}

func TestJudgeChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.populate("pilot")
	before := w.replay(w.acts)
	a := w.captureAs("operator", w.head("operator"))
	for range 2 {
		if r := w.s.Judge(a); r != nil {
			t.Fatal(r)
		}
	}
	expectRefusal(t, w.s.Judge(w.captureAs("approver", w.head("approver"))), CodeEvidence, "not an operator")
	if !reflect.DeepEqual(before.core, w.s.core) || len(w.s.illegal) != 0 || w.s.next != before.next {
		t.Error("Judge changed the state")
	}
}

func TestRefusalIsAnError(t *testing.T) {
	var err error = refuse(CodeRule, "hint", "no %s", "x")
	if err.Error() != "no x" || strings.Contains(err.Error(), "hint") {
		t.Error(err)
	}
}
