package rollout

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/trust"
)

// foreign is a record of another tool's statement, at index 0 of the log.
func foreign(project string) Filing {
	return Filing{
		Named{0, evidence.DigestOf([]byte("envelope")), evidence.DigestOf([]byte("statement")), "https://example.com/test/v1", evidence.KindAttestation},
		project, day,
	}
}

// filed is what a log says of an act that it has.
func filed(a Act) Filing {
	return Filing{Named{a.Index, a.Envelope, a.Digest, a.PredicateType, kinds[a.PredicateType]}, "age", a.Recorded}
}

// about completes an act as a ledger does.
func about(a Act, f Filing) Act {
	a.About = &f
	return a
}

func (w *world) erase(name string, f Filing, scope Scope, basis string) Act {
	w.t.Helper()
	return about(act(w, name, must[evidence.Statement[Erase]](w.t)(NewErase(w.head(name), f, scope, basis))), f)
}

func (w *world) legalHold(name string, f Filing) Act {
	w.t.Helper()
	return about(act(w, name, must[evidence.Statement[LegalHold]](w.t)(NewLegalHold(w.head(name), f, "case 7"))), f)
}

func (w *world) liftLegalHold(name string, f Filing, o OpenLegalHold) Act {
	w.t.Helper()
	return about(act(w, name, must[evidence.Statement[LegalHoldLift]](w.t)(w.s.NewLegalHoldLift(w.head(name), o, "settled"))), f)
}

// keeping brings a retention into force.
func (w *world) keeping(list ...Retention) *world {
	w.t.Helper()
	r := w.s.Policy().Rules
	r.Retention = list
	w.signPolicy(r)
	return w
}

// everyErasure records an act of each type about records.
func (w *world) everyErasure() {
	w.t.Helper()
	f := filed(w.acts[0])
	w.keeping(Retention{"*", 0})
	w.do(w.legalHold("policy", f))
	open := w.s.LegalHolds()[0]
	w.do(w.liftLegalHold("policy", f, open))
	w.do(w.liftLegalHold("policy-2", f, open))
	w.do(w.erase("policy", f, ScopeBlobs, "Art. 17"))
	w.do(w.erase("policy-2", f, ScopeBlobs, "Art. 17"))
}

func TestErasureNeedsTwoPersons(t *testing.T) {
	w := newWorld(t).keeping(Retention{"attestation", 0})
	f := foreign("age")
	first := w.do(w.erase("policy-2", f, ScopeRecord, "Art. 17"))
	if r := w.deny(w.erase("policy-2", f, ScopeRecord, "Art. 17"), CodeConflict, "owner has signed this erasure already"); r.Already != first.Digest {
		t.Error("the first signature is not named")
	}
	w.deny(w.erase("policy-2b", f, ScopeRecord, "Art. 17"), CodeConflict, "owner has signed this erasure already")
	w.do(w.erase("policy", f, ScopeRecord, "Art. 18"))
	w.do(w.erase("policy", f, ScopeBlobs, "Art. 17"))
	if _, done := w.s.Erasure(f.Named, ScopeRecord); done {
		t.Fatal("two persons who said different things erased it")
	}
	if p := w.s.PendingErasures(f.Named); len(p) != 3 || p[0].Needed != 2 || !slices.Equal(p[0].Persons, []string{"grace"}) {
		t.Errorf("%+v", p)
	}
	w.deny(w.erase("operator", f, ScopeRecord, "Art. 17"), CodeEvidence, "is an operator, not a policy key")
	last := w.do(w.erase("policy", f, ScopeRecord, "Art. 17"))
	done, found := w.s.Erasure(f.Named, ScopeRecord)
	if !found || !slices.Equal(done.Persons, []string{"grace", "owner"}) || !slices.Equal(done.Acts, []evidence.Digest{last.Digest, first.Digest}) || done.By != last.Digest || done.Index != last.Index {
		t.Errorf("%+v", done)
	}
	if r := w.deny(w.erase("policy", f, ScopeRecord, "Art. 17"), CodeConflict, "was ordered to be erased (record) by grace, owner"); r.Already != last.Digest {
		t.Error("the same order again does not name the one that was completed")
	}
	if r := w.deny(w.erase("policy", f, ScopeRecord, "Art. 18"), CodeConflict, "was ordered to be erased"); !r.Already.IsZero() {
		t.Error("another legal basis passes for the same order")
	}
	w.deny(w.erase("policy-2", f, ScopeBlobs, "Art. 17"), CodeConflict, "was ordered to be erased (record)")
	w.deny(w.legalHold("policy", f), CodeConflict, "was ordered to be erased")
}

// Two persons are asked for also where one is enough for rules.
func TestErasureWithThresholdOne(t *testing.T) {
	w := newWorldOf(t, trustFiles(t, func(e *trust.Edit) { e.Threshold(trust.Policy, 1) })).trusting(2)
	rules := DefaultRules()
	rules.Retention = []Retention{{"attestation", 0}}
	w.do(act(w, "policy", must[evidence.Statement[Policy]](t)(NewPolicy(w.head("policy"), "age", evidence.Digest{}, rules))))
	f := foreign("age")
	w.do(w.erase("policy", f, ScopeRecord, "Art. 17"))
	if _, done := w.s.Erasure(f.Named, ScopeRecord); done {
		t.Fatal("one person erased it")
	}
	w.do(w.legalHold("policy", f))
	open := w.s.LegalHolds()[0]
	w.do(w.liftLegalHold("policy", f, open))
	if len(w.s.LegalHolds()) != 1 {
		t.Fatal("one person lifted a legal hold")
	}
}

func TestRetention(t *testing.T) {
	w := newWorld(t).keeping()
	f := foreign("age")
	w.deny(w.erase("policy", f, ScopeRecord, "Art. 17"), CodeRule, "names no retention for attestation, so that record 0 is kept for ever")
	w.keeping(Retention{"*", 400}, Retention{"attestation", 30})
	w.now = day.AddDate(0, 0, 30).Add(-time.Second)
	w.deny(w.erase("policy", f, ScopeRecord, "Art. 17"), CodeRule, "is kept for 30 days by the policy, until 2026-04-01T12:00:00Z")
	w.now = day.AddDate(0, 0, 30)
	w.do(w.erase("policy", f, ScopeRecord, "Art. 17"))
	w.deny(w.erase("policy", filed(w.acts[0]), ScopeBlobs, "Art. 17"), CodeRule, "is kept for 400 days")
	// The second person meets the rules of his own moment.
	w.keeping(Retention{"attestation", 31})
	w.deny(w.erase("policy-2", f, ScopeRecord, "Art. 17"), CodeRule, "is kept for 31 days")
	if _, done := w.s.Erasure(f.Named, ScopeRecord); done {
		t.Fatal("it was erased before its retention ended")
	}
}

func TestLegalHold(t *testing.T) {
	w := newWorld(t).keeping(Retention{"*", 0})
	f := foreign("age")
	w.do(w.erase("policy", f, ScopeRecord, "Art. 17"))
	hold := w.do(w.legalHold("policy-2", f))
	for _, scope := range []Scope{ScopeRecord, ScopeBlobs} {
		w.deny(w.erase("policy-2", f, scope, "Art. 17"), CodeRule, "record 0 is under a legal hold of owner")
	}
	twin := f // another signer's record of the same act
	twin.Index, twin.ID = 1, evidence.DigestOf([]byte("another envelope"))
	w.deny(w.erase("policy-2", twin, ScopeRecord, "Art. 17"), CodeRule, "is under a legal hold")
	if r := w.deny(w.legalHold("policy", f), CodeConflict, "is under a legal hold for this reason"); r.Already != hold.Digest {
		t.Error("the hold is not named")
	}
	open := w.s.LegalHolds()
	if len(open) != 1 || open[0].Act != hold.Digest || open[0].Person != "owner" {
		t.Fatalf("%+v", open)
	}
	w.deny(w.liftLegalHold("operator", f, open[0]), CodeEvidence, "is an operator, not a policy key")
	wrong := open[0]
	wrong.Act = evidence.DigestOf([]byte("no hold"))
	w.deny(w.liftLegalHold("policy", f, wrong), CodeEvidence, "which is no legal hold of this log")
	wrong = open[0]
	wrong.Record = twin.Named
	w.deny(w.liftLegalHold("policy", f, wrong), CodeEvidence, "and the legal hold that it names of record 0")
	w.do(w.liftLegalHold("policy-2", f, open[0]))
	w.deny(w.liftLegalHold("policy-2b", f, open[0]), CodeConflict, "owner has signed this lift already")
	if open = w.s.LegalHolds(); len(open) != 1 || !slices.Equal(open[0].Lifting, []string{"owner"}) || open[0].Needed != 2 {
		t.Fatalf("%+v", open)
	}
	w.deny(w.erase("policy-2", f, ScopeRecord, "Art. 17"), CodeRule, "is under a legal hold")
	last := w.do(w.liftLegalHold("policy", f, open[0]))
	if r := w.deny(w.liftLegalHold("policy", f, open[0]), CodeConflict, "is lifted already"); r.Already != last.Digest {
		t.Error("the lift is not named")
	}
	w.do(w.erase("policy-2", f, ScopeRecord, "Art. 17"))
	if _, done := w.s.Erasure(f.Named, ScopeRecord); !done {
		t.Error("not erased after the lift")
	}
}

// What later acts are judged by keeps its bytes, and may lose its files.
func TestActsKeepTheirBytes(t *testing.T) {
	w := newWorld(t)
	w.succeeded()
	w.keeping(Retention{"*", 0})
	for _, a := range w.acts {
		w.deny(w.erase("policy", filed(a), ScopeRecord, "Art. 17"), CodeRule, "later acts are judged by it, so that its bytes stay; its files can be erased")
	}
	v, f := packageFiles(t, "v1.0.0")
	closing := rawAct(w, "releaser", evidence.ReleaseEvidence, must[[]byte](t)(envelope.Encode(closingOf(*v.Release, f.Manifest))))
	package1 := filed(w.do(closing))
	package1.Kind = evidence.KindReleasePackage
	w.deny(w.erase("policy", package1, ScopeRecord, "Art. 17"), CodeRule, "is a release-evidence/v1")
	for _, name := range []string{"policy", "policy-2"} {
		w.do(w.erase(name, package1, ScopeBlobs, "Art. 17"))
	}
	if _, done := w.s.Erasure(package1.Named, ScopeBlobs); !done {
		t.Error("the files of a package are not erased")
	}
}

// An act that calls a record something else, or one of another project, is none.
func TestActsAboutOtherRecords(t *testing.T) {
	w := newWorld(t).keeping(Retention{"*", 0})
	f := foreign("age")
	for name, change := range map[string]func(*Filing){
		"another id":   func(f *Filing) { f.ID[0]++ },
		"another act":  func(f *Filing) { f.Act[0]++ },
		"another type": func(f *Filing) { f.PredicateType += "x" },
		"another kind": func(f *Filing) { f.Kind = evidence.KindVSA },
	} {
		lie := f
		change(&lie)
		w.deny(about(w.erase("policy", lie, ScopeRecord, "Art. 17"), f), CodeEvidence, "the act names record 0 as")
		w.deny(about(w.legalHold("policy", lie), f), CodeEvidence, "the act names record 0 as")
		if t.Failed() {
			t.Fatal(name)
		}
	}
	missing := w.erase("policy", f, ScopeRecord, "Art. 17")
	missing.About = nil
	w.deny(missing, CodeEvidence, "record 0 does not stand before the act")
	later := f
	later.Index = 1000
	w.deny(w.erase("policy", later, ScopeRecord, "Art. 17"), CodeEvidence, "record 1000 does not stand before the act")
	others := foreign("other")
	mine := f
	w.deny(about(w.erase("policy", mine, ScopeRecord, "Art. 17"), others), CodeEvidence, `is of project "other", the act of project "age"`)
	w.deny(w.erase("policy", others, ScopeRecord, "Art. 17"), CodeEvidence, "the act is of project other, expected age")
}

// A record without a project is erased by persons who may act for every project, under
// rules of its own.
func TestErasureWithoutProject(t *testing.T) {
	everywhere := func(e *trust.Edit) {
		for _, name := range []string{"policy", "policy-2"} {
			ok(t, e.Grant(trust.Grant{KeyID: keyid(name), Role: trust.Policy, Projects: []string{"*"}, Environments: []string{"*"}, Rings: []string{"*"}}))
		}
	}
	f := foreign("")
	for _, may := range []bool{false, true} {
		edits := []func(*trust.Edit){}
		if may {
			edits = append(edits, everywhere)
		}
		w := newWorldOf(t, trustFiles(t, edits...)).trusting(1 + len(edits))
		w.s = NewState(Options{Project: "", Authorities: w.chain, Location: time.LoadLocation})
		if !may {
			w.deny(w.legalHold("policy", f), CodeEvidence, "of project age, any environment, any ring, not of every project")
			continue
		}
		rules := DefaultRules()
		for _, list := range [][]Retention{nil, {{"attestation", 1}}} {
			before := w.s.Policy().Previous()
			rules.Retention = list
			for _, name := range []string{"policy", "policy-2"} {
				w.do(act(w, name, must[evidence.Statement[Policy]](t)(NewPolicy(w.head(name), "", before, rules))))
			}
			w.deny(w.erase("policy", f, ScopeRecord, "Art. 17"), CodeRule, []string{"names no retention", "is kept for 1 days"}[len(list)])
		}
		w.after(24 * time.Hour)
		w.do(w.erase("policy", f, ScopeRecord, "Art. 17"))
		w.do(w.erase("policy-2", f, ScopeRecord, "Art. 17"))
		if _, done := w.s.Erasure(f.Named, ScopeRecord); !done {
			t.Error("not erased")
		}
	}
	if _, err := NewRollout(newWorld(t).head("operator"), packageWithout(t), nil, pilot()); err == nil {
		t.Error("a rollout of no project is made")
	}
}

// packageWithout is a package of no project.
func packageWithout(t *testing.T) *Package {
	p := *packageOf(t, "v1.0.0")
	p.Release.Project = ""
	return &p
}

func TestRetentionThatIsNone(t *testing.T) {
	for words, list := range map[string][]Retention{
		`nearest known is "attestation"`: {{"attestations", 1}},
		"kept for -1 days":               {{"attestation", -1}},
		"kept for 36601 days":            {{"attestation", 36_601}},
		"kinds are not sorted":           {{"vsa", 1}, {"attestation", 1}},
		"or one stands twice":            {{"vsa", 1}, {"vsa", 2}},
	} {
		r := DefaultRules()
		r.Retention = list
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", words, err)
		}
	}
	// Rules that were signed before there was a retention read and weigh as before.
	r := DefaultRules()
	r.Retention = []Retention{}
	if r.Digest() != DefaultRules().Digest() || strings.Contains(string(must[[]byte](t)(r.Encode())), "retention") {
		t.Error("rules without a retention have another encoding")
	}
}

// Orders is for readers without a replay: it counts persons, and takes nothing else.
func TestOrders(t *testing.T) {
	w := newWorld(t).keeping(Retention{"*", 0})
	f := foreign("age")
	recordOf := func(a Act, name, person string) evidence.Record {
		b := must[envelope.Bundle](t)(envelope.Sign(keyOf(name), evidence.PayloadType, a.Statement))
		return evidence.Record{Index: a.Index, PredicateType: a.PredicateType, Envelope: must[[]byte](t)(b.Marshal()), Signer: evidence.SignedBy{Person: person}}
	}
	needed := 1
	completes := Orders(func() int { return needed })
	for i, step := range []struct {
		act    Act
		person string
		want   bool
	}{
		{w.erase("policy", f, ScopeRecord, "Art. 17"), "grace", false},
		{w.erase("policy", f, ScopeRecord, "Art. 17"), "grace", false},
		{w.erase("policy-2", f, ScopeRecord, "Art. 17"), "", false},
		{w.erase("policy-2", f, ScopeRecord, "Art. 18"), "owner", false},
		{w.erase("policy-2", f, ScopeBlobs, "Art. 17"), "owner", false},
		{w.legalHold("policy-2", f), "owner", false},
		{w.erase("policy-2", f, ScopeRecord, "Art. 17"), "owner", true},
	} {
		if got := completes(recordOf(step.act, "policy", step.person)); got != step.want {
			t.Errorf("step %d: %t", i, got)
		}
	}
	needed = 3
	if completes(recordOf(w.erase("policy-2", f, ScopeRecord, "Art. 17"), "policy", "owner")) {
		t.Error("two persons are enough where three are needed")
	}
}

// books are a second count of what was ordered: by a list of what happened.
type eraseBooks struct {
	held   map[Named]bool
	lifts  map[Named]map[string]bool
	orders map[Order]map[string]bool
	gone   map[Named]map[Scope]bool
}

// Whatever acts come in whatever order, nothing is erased that two persons did not
// order alike, while no hold was on it.
func TestErasuresFollowTheBooks(t *testing.T) {
	reached := map[string]int{}
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(t).keeping(Retention{"attestation", 0})
		b := eraseBooks{map[Named]bool{}, map[Named]map[string]bool{}, map[Order]map[string]bool{}, map[Named]map[Scope]bool{}}
		records := []Filing{foreign("age"), foreign("age")}
		records[1].Named = Named{1, evidence.DigestOf([]byte("e")), evidence.DigestOf([]byte("s")), "https://example.com/test/v1", evidence.KindAttestation}
		for range 40 {
			f := records[random.IntN(2)]
			name := []string{"policy", "policy-2", "policy-2b"}[random.IntN(3)]
			b.step(w, random, name, f, reached)
			for _, f := range records {
				for _, scope := range []Scope{ScopeRecord, ScopeBlobs} {
					if _, done := w.s.Erasure(f.Named, scope); done != b.gone[f.Named][scope] {
						t.Fatalf("seed %d: record %d %s erased %t, by the books %t", seed, f.Index, scope, done, !done)
					}
				}
			}
		}
		if again := w.replay(w.acts); !reflect.DeepEqual(again.core, w.s.core) {
			t.Fatalf("seed %d: the same log has another state", seed)
		}
	}
	for _, want := range []string{"erased record", "erased blobs", "held", "lifted"} {
		if reached[want] == 0 {
			t.Errorf("never reached: %s of %v", want, reached)
		}
	}
}

func (b eraseBooks) step(w *world, random *rand.Rand, name string, f Filing, reached map[string]int) {
	person := w.head(name).Actor.Person
	switch n := random.IntN(8); {
	case n == 0:
		if r := w.try(w.legalHold(name, f)); r == nil {
			b.held[f.Named], b.lifts[f.Named] = true, map[string]bool{}
			reached["held"]++
		}
	case n < 4 && b.held[f.Named]:
		for _, open := range w.s.LegalHolds() {
			if open.Record == f.Named {
				w.try(w.liftLegalHold(name, f, open))
			}
		}
		if b.lifts[f.Named][person] = true; len(b.lifts[f.Named]) > 1 {
			b.held[f.Named] = false
			reached["lifted"]++
		}
	default:
		o := Order{"age", f.Named, []Scope{ScopeRecord, ScopeBlobs}[random.IntN(2)], fmt.Sprint("Art. ", random.IntN(2))}
		w.try(w.erase(name, f, o.Scope, o.LegalBasis))
		if b.held[f.Named] || b.gone[f.Named][ScopeRecord] || b.gone[f.Named][o.Scope] {
			return
		}
		if b.orders[o] == nil {
			b.orders[o] = map[string]bool{}
		}
		if b.orders[o][person] = true; len(b.orders[o]) > 1 {
			if b.gone[f.Named] == nil {
				b.gone[f.Named] = map[Scope]bool{}
			}
			b.gone[f.Named][o.Scope] = true
			reached["erased "+string(o.Scope)]++
		}
	}
}
