package rollout

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// A line is what the second count reads of an act: its own bytes.
type line struct {
	Predicate struct {
		Actor      struct{ Person string }
		Request    string
		Execution  string
		Approval   string
		Rollout    string
		ID         string
		TargetRing string
		Ring       string
		Expires    time.Time
		Unattended bool
		BreakGlass *struct{ Incident string } `json:"breakglass"`
		PreApprove bool                       `json:"preApproved"`
		Status     string
		Plan       json.RawMessage
		Targets    json.RawMessage
		Rules      Rules
		Rollback   json.RawMessage
	}
}

// books is the second count: from the acts' own bytes, and from what was legal.
type books struct {
	t     testing.TB
	legal []Act
	lines []line
	holds map[string]string // staging: target to manifest
	// denied counts executions of plans that stay denied.
	denied int
}

func (b *books) read(a Act) {
	var l line
	ok(b.t, json.Unmarshal(a.Statement, &l))
	b.legal, b.lines = append(b.legal, a), append(b.lines, l)
}

// find returns the legal act of a digest.
func (b *books) find(digest string) *line {
	for i, a := range b.legal {
		if a.Digest.String() == digest {
			return &b.lines[i]
		}
	}
	b.t.Fatalf("%s is not legal before", digest)
	return nil
}

// rules are those that two persons have signed last.
func (b *books) rules() Rules {
	rules, persons := DefaultRules(), map[evidence.Digest]map[string]bool{}
	for i, a := range b.legal {
		if a.PredicateType != PolicyType {
			continue
		}
		l := b.lines[i]
		d := l.Predicate.Rules.Digest()
		if persons[d] == nil {
			persons[d] = map[string]bool{}
		}
		if persons[d][l.Predicate.Actor.Person] = true; len(persons[d]) == 2 {
			rules, persons = l.Predicate.Rules, map[evidence.Digest]map[string]bool{}
		}
	}
	return rules
}

// revoked reports whether a legal act took a vote back.
func (b *books) revoked(vote evidence.Digest) bool {
	for i, a := range b.legal {
		if a.PredicateType == RevocationType && b.lines[i].Predicate.Approval == vote.String() {
			return true
		}
	}
	return false
}

// movesOf returns the moves of a plan: target to [outgoing, incoming].
func movesOf(t testing.TB, plan json.RawMessage) map[string][2]string {
	var list []struct {
		ID                 string
		Outgoing, Incoming struct{ Manifest string }
	}
	ok(t, json.Unmarshal(plan, &list))
	moves := map[string][2]string{}
	for _, s := range list {
		moves[s.ID] = [2]string{s.Outgoing.Manifest, s.Incoming.Manifest}
	}
	return moves
}

// checkExecution counts an execution's quorum at its index.
func (b *books) checkExecution(a Act, l line) {
	request := b.find(l.Predicate.Request)
	denied, need := false, b.ring().Quorum
	for i, v := range b.legal {
		if v.PredicateType != DenialType {
			continue
		}
		d := b.lines[i].Predicate
		if d.Request == l.Predicate.Request {
			b.t.Fatalf("record %d executes a denied request", a.Index)
		}
		before := movesOf(b.t, b.find(d.Request).Predicate.Plan)
		for target, move := range movesOf(b.t, request.Predicate.Plan) {
			denied = denied || before[target] == move && !b.revoked(v.Digest)
		}
	}
	if denied {
		need++
		b.denied++
	}
	persons := b.persons(l.Predicate.Request, request, l.Predicate.Actor.Person, a.Recorded)
	if len(persons) < need {
		b.t.Fatalf("record %d counts, %q of %d persons have approved it", a.Index, persons, need)
	}
	for _, g := range b.ring().Groups {
		n := 0
		for _, p := range persons {
			if slices.Contains(g.Persons, p) {
				n++
			}
		}
		if n < g.Need {
			b.t.Fatalf("record %d counts, and of group %s %d have approved it", a.Index, g.Name, n)
		}
	}
	if l.Predicate.Unattended != (need == 0) {
		b.t.Fatalf("record %d says unattended %t of %d", a.Index, l.Predicate.Unattended, need)
	}
}

// ring is the one that the tests promote into.
func (b *books) ring() Ring { return b.rules().Rings[1] }

// persons are those whose approvals of a request stand at a time.
func (b *books) persons(request string, r *line, executor string, at time.Time) []string {
	barred := []string{r.Predicate.Actor.Person, executor}
	for i, a := range b.legal {
		p := b.lines[i].Predicate
		if a.PredicateType == RolloutType && p.ID == r.Predicate.Rollout || a.PredicateType == StatusType && p.Rollout == r.Predicate.Rollout ||
			a.PredicateType == PromotionExecutionType && a.Digest.String() == r.Predicate.Execution {
			barred = append(barred, p.Actor.Person)
		}
	}
	var list []string
	for i, a := range b.legal {
		p := b.lines[i].Predicate
		if a.PredicateType == ApprovalType && p.Request == request && at.Before(p.Expires) && !b.revoked(a.Digest) &&
			!slices.Contains(barred, p.Actor.Person) && !slices.Contains(list, p.Actor.Person) {
			list = append(list, p.Actor.Person)
		}
	}
	return list
}

// checkPreApproved wants one use, in time, of what the promotion's request allowed.
func (b *books) checkPreApproved(a Act, l line) {
	var allowed struct {
		Until time.Time
		To    []struct{ ID, Manifest string }
	}
	ok(b.t, json.Unmarshal(b.find(b.find(l.Predicate.Execution).Predicate.Request).Predicate.Rollback, &allowed))
	if !a.Recorded.Before(allowed.Until) {
		b.t.Fatalf("record %d goes back at %s, which was allowed until %s", a.Index, a.Recorded, allowed.Until)
	}
	for i, before := range b.legal {
		if before.PredicateType == RollbackExecutionType && b.lines[i].Predicate.Execution == l.Predicate.Execution {
			b.t.Fatalf("record %d goes back as record %d has", a.Index, before.Index)
		}
	}
	back := movesOf(b.t, l.Predicate.Plan)
	for _, to := range allowed.To {
		if back[to.ID][1] != to.Manifest {
			b.t.Fatalf("record %d puts %q on target %s, allowed was %s", a.Index, back[to.ID][1], to.ID, to.Manifest)
		}
	}
}

// follow checks one legal act against the books and enters it.
func (b *books) follow(a Act) {
	var l line
	ok(b.t, json.Unmarshal(a.Statement, &l))
	plan := l.Predicate.Plan
	switch a.PredicateType {
	case PromotionExecutionType, RollbackExecutionType:
		if !l.Predicate.PreApprove {
			for i, before := range b.legal {
				if before.PredicateType == a.PredicateType && b.lines[i].Predicate.Request == l.Predicate.Request {
					b.t.Fatalf("record %d executes what record %d has", a.Index, before.Index)
				}
			}
		}
		if l.Predicate.BreakGlass == nil && !l.Predicate.PreApprove {
			b.checkExecution(a, l)
		}
		if l.Predicate.PreApprove {
			b.checkPreApproved(a, l)
		}
		if a.PredicateType == PromotionExecutionType {
			plan = b.find(l.Predicate.Request).Predicate.Plan
		}
		for target, move := range movesOf(b.t, plan) {
			if b.holds[target] != move[0] {
				b.t.Fatalf("record %d takes %s from target %s, which holds %q", a.Index, move[0], target, b.holds[target])
			}
			b.holds[target] = move[1]
		}
	}
	b.read(a)
}
