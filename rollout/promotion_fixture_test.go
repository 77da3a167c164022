package rollout

import (
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
)

// voters are keys beside the members, by name: who asks, approves, executes in an
// emergency, and gives the time.
var voters = []struct {
	name, person string
	role         trust.Role
	use          trust.KeyUse
	rings        []string
}{
	{"asker", "asker", trust.Requester, trust.UseFile, []string{"*"}},
	{"asker-2", "grace", trust.Requester, trust.UseFile, []string{"*"}},
	{"yes-1", "first", trust.Approver, trust.UseFile, []string{"*"}},
	{"yes-1b", "first", trust.Approver, trust.UseAgent, []string{"*"}},
	{"yes-2", "second", trust.Approver, trust.UseFile, []string{"*"}},
	{"yes-3", "third", trust.Approver, trust.UseAgent, []string{"*"}},
	{"yes-4", "fourth", trust.Approver, trust.UseFile, []string{"*"}},
	{"yes-web", "second", trust.Approver, trust.UseBrowser, []string{"*"}},
	{"yes-web-2", "third", trust.Approver, trust.UseBrowser, []string{"*"}},
	{"yes-asker", "asker", trust.Approver, trust.UseFile, []string{"*"}},
	{"yes-ada", "ada", trust.Approver, trust.UseFile, []string{"*"}},
	{"yes-grace", "grace", trust.Approver, trust.UseFile, []string{"*"}},
	{"yes-production", "fourth", trust.Approver, trust.UseFile, []string{"production"}},
	{"executor", "grace", trust.Operator, trust.UseFile, []string{"*"}},
	{"executor-2", "owner", trust.Operator, trust.UseFile, []string{"*"}},
	{"breaker", "breaker", trust.Breakglass, trust.UseFile, []string{"*"}},
	{"breaker-2", "fourth", trust.Breakglass, trust.UseFile, []string{"*"}},
	{"witness", "witness", trust.Witness, trust.UseFile, nil},
	{"witness-log", "keeper", trust.Witness, trust.UseFile, nil},
	{"log", "keeper", trust.Log, trust.UseFile, nil},
}

// votingChain is a trust root of members and voters; edits make later versions.
func votingChain(t testing.TB, edits ...func(*trust.Edit)) *trust.Chain {
	t.Helper()
	e := trust.New(day.AddDate(0, -1, 0), day.AddDate(1, 0, 0))
	e.Threshold(trust.Policy, 2)
	for _, p := range []string{"ada", "grace", "owner", "observer", "asker", "first", "second", "third", "fourth", "breaker", "witness", "keeper"} {
		e.Person(trust.Person{ID: p, Name: p})
	}
	for _, m := range members {
		ok(t, e.AddKey(keyOf(m.name).Public(), trust.Key{Person: m.person}))
		g := trust.Grant{KeyID: keyid(m.name), Role: m.role, Projects: []string{"age"}, Environments: m.environments, Rings: m.rings}
		if m.role == trust.Root {
			g.Projects = nil
		}
		ok(t, e.Grant(g))
	}
	for _, v := range voters {
		ok(t, e.AddKey(keyOf(v.name).Public(), trust.Key{Person: v.person, Use: v.use}))
		g := trust.Grant{KeyID: keyid(v.name), Role: v.role, Projects: []string{"age"}, Environments: []string{"*"}, Rings: v.rings}
		if v.rings == nil {
			g.Projects, g.Environments = nil, nil
		}
		ok(t, e.Grant(g))
	}
	files := map[string][]byte{}
	doc := must[trust.Document](t)(e.Document())
	pin := addVersion(t, files, doc)
	for i, edit := range edits {
		next := must[*trust.Edit](t)(doc.Next(day.AddDate(0, 0, i)))
		edit(next)
		doc = must[trust.Document](t)(next.Document())
		addVersion(t, files, doc)
	}
	return must[*trust.Chain](t)(trust.Load(files, pin))
}

// stage is a world with voters.
type stage struct {
	*world
	root   string // digest of version 1
	origin string
	seen   *evidence.Checkpoint // by who signs, nil for none
}

func newStage(t testing.TB, edits ...func(*trust.Edit)) *stage {
	t.Helper()
	w := newWorldOf(t, votingChain(t, edits...))
	return &stage{w, w.trust.Digest, "log.example.com/age", nil}
}

// by is a head of a member or voter.
func (s *stage) by(name string) Head {
	h := s.head(name)
	h.Seen = s.seen
	for _, v := range voters {
		if v.name == name {
			h.Actor.Person = v.person
		}
	}
	return h
}

// soaked is a rollout of a version in the pilot ring that is ready.
func (s *stage) soaked(version, change string) string {
	s.t.Helper()
	if _, populated := s.s.Population("production", "pilot"); !populated {
		s.populate("pilot")
	}
	c := pilot()
	c.ChangeRecord = change
	st := s.newRollout("operator", version, c)
	s.do(act(s.world, "operator", st))
	id := st.Predicate.ID
	s.after(time.Minute)
	s.do(s.observation("observer", id, s.inventory(id)))
	s.do(s.status("operator", id, StatusSucceeded))
	s.after(24 * time.Hour)
	s.do(s.observation("observer", id, s.inventory(id)))
	return id
}

func (s *stage) ask() Ask {
	return Ask{TrustRoot: s.root, Origin: s.origin, Expires: s.now.Add(7 * 24 * time.Hour), Reason: "the pilot is good"}
}

func (s *stage) requestAs(name, rollout, ring string, a Ask) Act {
	s.t.Helper()
	st, err := s.s.NewPromotionRequest(s.by(name), rollout, ring, verified, a, s.now)
	ok(s.t, err)
	return act(s.world, name, st)
}

func (s *stage) request(rollout string) Act {
	s.t.Helper()
	return s.do(s.requestAs("asker", rollout, "staging", s.ask()))
}

func (s *stage) yes(name string, request evidence.Digest) Act {
	s.t.Helper()
	return act(s.world, name, must[evidence.Statement[Approval]](s.t)(s.s.NewApproval(s.by(name), request, Decision{Reason: "read it"})))
}

func (s *stage) no(name string, request evidence.Digest) Act {
	s.t.Helper()
	return act(s.world, name, must[evidence.Statement[Denial]](s.t)(s.s.NewDenial(s.by(name), request, Decision{Reason: "too early"})))
}

func (s *stage) revoke(name string, approval evidence.Digest) Act {
	s.t.Helper()
	return act(s.world, name, must[evidence.Statement[ApprovalRevocation]](s.t)(s.s.NewApprovalRevocation(s.by(name), approval, "I was wrong")))
}

func (s *stage) enaction() Enaction { return Enaction{Origin: s.origin} }

func (s *stage) executionAs(name string, request evidence.Digest, e Enaction) Act {
	s.t.Helper()
	return act(s.world, name, must[evidence.Statement[PromotionExecution]](s.t)(s.s.NewPromotionExecution(s.by(name), request, verified, e, s.now)))
}

func (s *stage) execution(request evidence.Digest) Act {
	s.t.Helper()
	return s.executionAs("executor", request, s.enaction())
}

// approved is a request that two persons have approved.
func (s *stage) approved(version, change string) Act {
	s.t.Helper()
	r := s.request(s.soaked(version, change))
	s.do(s.yes("yes-1", r.Digest))
	s.do(s.yes("yes-2", r.Digest))
	return r
}

// promoted is an executed promotion of a version into staging.
func (s *stage) promoted(version, change string) Act {
	s.t.Helper()
	return s.do(s.execution(s.approved(version, change).Digest))
}

// ruled brings edited rules into force.
func (s *stage) ruled(edit func(*Rules)) *stage {
	s.t.Helper()
	r := s.s.Policy().Rules
	r.Rings = append([]Ring{}, r.Rings...)
	edit(&r)
	s.signPolicy(r)
	return s
}

func (s *stage) staging() Rollback { return s.s.Holding("production", "staging", "mac-laptop") }

func (s *stage) manifest(version string) evidence.Digest {
	s.t.Helper()
	return packageOf(s.t, version).Manifest
}

// rewrite signs an act again with one text replaced: hand-made and well signed.
func (s *stage) rewrite(name string, a Act, old, replacement string) Act {
	s.t.Helper()
	return rawAct(s.world, name, a.PredicateType, changed(s.t, a.Statement, old, replacement))
}

// here is an act as it would be recorded now.
func (s *stage) here(a Act) Act {
	a.Index, a.Recorded = int64(len(s.acts)), s.now
	return a
}

// peek judges an act without recording it.
func (s *stage) peek(a Act, c Code, words string) *Refusal {
	s.t.Helper()
	r := s.s.Judge(a)
	expectRefusal(s.t, r, c, words)
	return r
}

var failing = Integrity{Package: release.Fail, Directory: release.Pass, Failures: []string{"checksums"}}

func (s *stage) rollbackAsk(a Ask) (evidence.Statement[RollbackRequest], error) {
	return s.s.NewRollbackRequest(s.by("asker"), s.newestPromotion(), evidence.Digest{}, []evidence.Digest{s.manifest("v1.0.0"), s.manifest("v1.1.0")}, a, s.now)
}

// newestPromotion is the execution that was recorded last.
func (s *stage) newestPromotion() evidence.Digest {
	s.t.Helper()
	var newest *promotion
	for _, p := range s.s.promotions {
		if newest == nil || p.index > newest.index {
			newest = p
		}
	}
	if newest == nil {
		s.t.Fatal("nothing was promoted")
	}
	return newest.digest
}

func (s *stage) rollbackRequest() Act {
	s.t.Helper()
	return s.do(act(s.world, "asker", must[evidence.Statement[RollbackRequest]](s.t)(s.rollbackAsk(s.ask()))))
}

func (s *stage) rollbackAs(name string, request evidence.Digest, e Enaction) Act {
	s.t.Helper()
	known := []evidence.Digest{s.manifest("v1.0.0"), s.manifest("v1.1.0")}
	return act(s.world, name, must[evidence.Statement[RollbackExecution]](s.t)(s.s.NewRollbackExecution(s.by(name), request, known, e, s.now)))
}

// everyDecision records an act of each type about promotions and rollbacks.
func (s *stage) everyDecision() {
	s.t.Helper()
	first := s.request(s.soaked("v1.0.0", "CHG-11"))
	s.do(s.revoke("yes-3", s.do(s.no("yes-3", first.Digest)).Digest))
	first = s.request(s.s.Rollouts()[len(s.s.Rollouts())-1])
	s.do(s.yes("yes-1", first.Digest))
	s.do(s.yes("yes-2", first.Digest))
	s.do(s.execution(first.Digest))
	s.promoted("v1.1.0", "CHG-12")
	back := s.rollbackRequest()
	s.do(s.yes("yes-1", back.Digest))
	s.do(s.yes("yes-2", back.Digest))
	s.do(s.rollbackAs("executor", back.Digest, s.enaction()))
}
