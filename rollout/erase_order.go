package rollout

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
)

// A Named record is how an act about a record calls it. The index makes it one record
// of one log, the digests make it one content.
type Named struct {
	Index         int64           `json:"index"`
	ID            evidence.Digest `json:"id"`  // of the envelope
	Act           evidence.Digest `json:"act"` // of the statement
	PredicateType string          `json:"predicateType"`
	Kind          evidence.Kind   `json:"kind"`
}

// A Filing is what a log says of a record without its bytes.
type Filing struct {
	Named
	Project  string // "" for none
	Recorded time.Time
}

// File returns the filing of a stored record.
func File(r evidence.Record) Filing {
	return Filing{Named{r.Index, r.ID, r.Act, r.PredicateType, r.Kind}, r.Project, r.Recorded}
}

// aboutRecord is a deed about a record of the log.
type aboutRecord interface{ record() Named }

func (n Named) check() error {
	switch {
	case n.Index < 0 || n.ID.IsZero() || n.Act.IsZero():
		return fmt.Errorf("the act names record %d with id %s and act %s, expected a record of a log", n.Index, n.ID, n.Act)
	case n.PredicateType == "":
		return fmt.Errorf("the act names record %d without a predicate type", n.Index)
	case !slices.Contains(evidence.Kinds, n.Kind):
		return fmt.Errorf("the act names record %d with kind %q, which is not known", n.Index, string(n.Kind))
	}
	return nil
}

// judgeFiled compares what an act calls a record with the log, and keeps the acts of a
// project away from the records of others.
func (n Named) judgeFiled(project string, by signed) *Refusal {
	switch f := by.About; {
	case f == nil || f.Index >= by.Index:
		return refuse(CodeEvidence, "rollproof evidence search lists the records", "record %d does not stand before the act", n.Index)
	case f.Named != n:
		return refuse(CodeEvidence, "", "the act names record %d as %s with act %s, %s of kind %s; the log has %s with act %s, %s of kind %s there",
			n.Index, n.ID, n.Act, n.PredicateType, n.Kind, f.ID, f.Act, f.PredicateType, f.Kind)
	case f.Project != project:
		return refuse(CodeEvidence, "", "record %d is of project %q, the act of project %q", n.Index, f.Project, project)
	}
	return nil
}

// An order is something that several persons of the policy role say, each by an act
// of his own. What they say has to be the same.
type order struct {
	acts   map[string]evidence.Digest // by person
	needed int                        // persons, by the trust version of the newest act
}

// leastPersons is how many must agree to what cannot be taken back, also where the
// threshold of the policy role is one.
const leastPersons = 2

// judgeAgain refuses a second act of the same person.
func (o *order) judgeAgain(by signed, what string) *Refusal {
	if o == nil {
		return nil
	}
	first, twice := o.acts[by.person]
	if !twice {
		return nil
	}
	r := refuse(CodeConflict, "another person of the policy role signs it too", "%s has signed %s already", by.person, what).about(first)
	r.Already = first
	return r
}

// join adds an act to an order, and reports whether enough persons agree.
func join(orders map[evidence.Digest]*order, content evidence.Digest, by signed) (*order, bool) {
	o := orders[content]
	if o == nil {
		o = &order{acts: map[string]evidence.Digest{}}
		orders[content] = o
	}
	o.acts[by.person], o.needed = by.Digest, max(leastPersons, by.threshold)
	return o, len(o.acts) >= o.needed
}

// persons are those who agree, sorted.
func (o *order) persons() []string { return slices.Sorted(maps.Keys(o.acts)) }

// contentOf is the digest of what an order says.
func contentOf(v any) evidence.Digest {
	data, err := envelope.Encode(v)
	if err != nil {
		return evidence.Digest{} // strings and numbers always encode
	}
	return evidence.DigestOf(data)
}

// erasures are what acts about records amount to.
type erasures struct {
	ordered  map[evidence.Digest]*order // erasures, by their content
	wanted   map[evidence.Digest]Order  // what they say
	erased   map[erased]Erasure
	legal    []OpenLegalHold
	lifting  map[evidence.Digest]*order          // by the legal hold
	released map[evidence.Digest]evidence.Digest // by the legal hold, the act that completed its lift
}

// An erased thing is the bytes of a record, or its files.
type erased struct {
	id    evidence.Digest
	index int64
	scope Scope
}

func noErasures() erasures {
	return erasures{
		ordered: map[evidence.Digest]*order{}, wanted: map[evidence.Digest]Order{}, erased: map[erased]Erasure{},
		lifting: map[evidence.Digest]*order{}, released: map[evidence.Digest]evidence.Digest{},
	}
}
