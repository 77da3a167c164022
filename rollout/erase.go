package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release/archive"
)

// A Scope is what is erased of a record.
type Scope string

// The scopes.
const (
	ScopeRecord Scope = "record" // its bytes, its words and its files
	ScopeBlobs  Scope = "blobs"  // its files alone
)

// Erase is the predicate by which one person of the policy role says that a record
// should be erased. It is once as many distinct persons as the threshold of that role,
// and two at least, have said the same of it.
type Erase struct {
	Actor   Actor                `json:"actor"`
	Trust   TrustVersion         `json:"trust"`
	Seen    *evidence.Checkpoint `json:"seen"`
	Claimed time.Time            `json:"claimed"`
	Order
}

// An Order is what the persons have to agree on.
type Order struct {
	Project    string `json:"project"` // the record's, "" where it has none
	Record     Named  `json:"record"`
	Scope      Scope  `json:"scope"`
	LegalBasis string `json:"legalBasis"`
}

// An Erasure is an order that enough persons have signed.
type Erasure struct {
	Order
	Persons []string          // sorted
	Acts    []evidence.Digest // of Persons
	By      evidence.Digest   // the act that completed it
	Index   int64             // of By
}

// A PendingErasure is an order that too few persons have signed.
type PendingErasure struct {
	Order
	Persons []string // sorted
	Needed  int
}

// NewErase makes the statement by which a person orders an erasure.
func NewErase(h Head, f Filing, scope Scope, legalBasis string) (evidence.Statement[Erase], error) {
	h = h.normal()
	return statement[Erase](EraseType, Erase{h.Actor, h.Trust, h.Seen, h.Claimed, Order{f.Project, f.Named, scope, legalBasis}})
}

// Erasure returns the completed order for what a scope says of a record.
func (s *State) Erasure(n Named, scope Scope) (Erasure, bool) {
	e, found := s.erased[erased{n.ID, n.Index, scope}]
	return e, found
}

// PendingErasures returns the orders for a record that wait for more persons, sorted
// by legal basis and scope.
func (s *State) PendingErasures(n Named) []PendingErasure {
	var list []PendingErasure
	for content, o := range s.ordered {
		if wanted := s.wanted[content]; wanted.Record == n {
			list = append(list, PendingErasure{wanted, o.persons(), o.needed})
		}
	}
	slices.SortFunc(list, func(a, b PendingErasure) int {
		return strings.Compare(a.LegalBasis+string(a.Scope), b.LegalBasis+string(b.Scope))
	})
	return list
}

func (e *Erase) head() Head    { return Head{e.Actor, e.Trust, e.Seen, e.Claimed} }
func (e *Erase) place() place  { return place{project: e.Project} }
func (e *Erase) record() Named { return e.Record }

func (e *Erase) check() error {
	if e.Scope != ScopeRecord && e.Scope != ScopeBlobs {
		return fmt.Errorf("%s", unknown("scope", string(e.Scope), []string{string(ScopeRecord), string(ScopeBlobs)}))
	}
	if err := checkReason(e.LegalBasis); err != nil {
		return fmt.Errorf("legal basis: %w", err)
	}
	return e.Record.check()
}

func (e *Erase) subjects() []evidence.Subject {
	return []evidence.Subject{actSubject("record", e.Record.ID)}
}

func (e *Erase) facts() evidence.Facts {
	f := e.head().facts()
	f.Project, f.Text = e.Project, []string{e.LegalBasis}
	return f
}

func (e *Erase) judge(s *State, by signed) *Refusal {
	if refusal := e.Record.judgeFiled(e.Project, by); refusal != nil {
		return refusal
	}
	if e.Scope == ScopeRecord && Concerns(e.Record.PredicateType) {
		return refuse(CodeRule, "erase its files alone: --blobs", "record %d is a %s: later acts are judged by it, so that its bytes stay; its files can be erased",
			e.Record.Index, e.Record.PredicateType[len(evidence.Namespace):])
	}
	return gravest(s.judgeLegalHold(e.Record), s.judgeRetention(*by.About, by.Recorded), s.judgeErased(e.Order), s.ordered[contentOf(e.Order)].judgeAgain(by, "this erasure"))
}

// judgeErased refuses to erase what is erased.
func (s *State) judgeErased(o Order) *Refusal {
	for _, scope := range []Scope{ScopeRecord, o.Scope} {
		done, found := s.Erasure(o.Record, scope)
		if !found {
			continue
		}
		r := refuse(CodeConflict, "", "record %d was ordered to be erased (%s) by %s", o.Record.Index, scope, quoted(done.Persons)).about(done.Acts...)
		if done.Order == o {
			r.Already = done.By
		}
		return r
	}
	return nil
}

// judgeRetention lets nothing go before the day that the rules name for its kind, and
// nothing of which they name none.
func (s *State) judgeRetention(f Filing, at time.Time) *Refusal {
	days, named := s.policy.Rules.keep(f.Kind)
	if !named {
		return refuse(CodeRule, "the policy says how long a kind is kept: retention", "the policy names no retention for %s, so that record %d is kept for ever", f.Kind, f.Index).about(s.policy.Acts...)
	}
	if end := f.Recorded.AddDate(0, 0, days); at.Before(end) {
		return refuse(CodeRule, "wait until then", "record %d is kept for %d days by the policy, until %s", f.Index, days, stamp(end)).about(s.policy.Acts...)
	}
	return nil
}

func (e *Erase) apply(s *State, by signed) {
	content := contentOf(e.Order)
	s.wanted[content] = e.Order
	o, enough := join(s.ordered, content, by)
	if !enough {
		return
	}
	done := Erasure{Order: e.Order, Persons: o.persons(), By: by.Digest, Index: by.Index}
	for _, person := range done.Persons {
		done.Acts = append(done.Acts, o.acts[person])
	}
	s.erased[erased{e.Record.ID, e.Record.Index, e.Scope}] = done
	delete(s.ordered, content)
	delete(s.wanted, content)
}

// Orders returns a function for readers who have verified records in the order of a
// log and no replay of it. It reports whether a record completes an order to erase the
// bytes of another: needed says how many distinct persons the policy role asks for.
// Whether a legal hold or the retention spoke against it, a replay alone can say.
func Orders(needed func() int) func(evidence.Record) bool {
	orders := map[evidence.Digest]map[string]bool{}
	return func(r evidence.Record) bool {
		if r.PredicateType != EraseType || r.Signer.Person == "" {
			return false
		}
		b, err := envelope.ParseBundle(r.Envelope)
		if err != nil {
			return false
		}
		d, err := readers[EraseType](b.Payload)
		if err != nil || d.(*Erase).Scope != ScopeRecord {
			return false
		}
		content := contentOf(d.(*Erase).Order)
		if orders[content] == nil {
			orders[content] = map[string]bool{}
		}
		orders[content][r.Signer.Person] = true
		return len(orders[content]) >= max(leastPersons, needed())
	}
}

// words are a record in a message.
func (n Named) words() string {
	return fmt.Sprintf("record %d (%s, %s)", n.Index, n.Kind, archive.Printable(n.PredicateType))
}
