package rollout

import (
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// LegalHold is the predicate by which one person of the policy role keeps a record
// from being erased, whatever its retention. It holds at once.
type LegalHold struct {
	Actor   Actor                `json:"actor"`
	Trust   TrustVersion         `json:"trust"`
	Seen    *evidence.Checkpoint `json:"seen"`
	Claimed time.Time            `json:"claimed"`
	Project string               `json:"project"` // the record's, "" where it has none
	Record  Named                `json:"record"`
	Reason  string               `json:"reason"`
}

// LegalHoldLift is the predicate by which one person of the policy role says that a
// legal hold should end. It does once as many distinct persons as for an erasure have
// said so, each for a reason of his own.
type LegalHoldLift struct {
	Actor   Actor                `json:"actor"`
	Trust   TrustVersion         `json:"trust"`
	Seen    *evidence.Checkpoint `json:"seen"`
	Claimed time.Time            `json:"claimed"`
	Project string               `json:"project"`
	Record  Named                `json:"record"` // this and the project: as in the hold
	Hold    evidence.Digest      `json:"hold"`
	Reason  string               `json:"reason"`
}

// An OpenLegalHold is a legal hold that was not lifted.
type OpenLegalHold struct {
	Act      evidence.Digest
	Record   Named
	Reason   string
	Person   string
	Recorded time.Time
	// Lifting are the persons who have signed its lift, sorted, of Needed; Needed is 0
	// before the first.
	Lifting []string
	Needed  int
}

// NewLegalHold makes the statement that puts a record under legal hold.
func NewLegalHold(h Head, f Filing, reason string) (evidence.Statement[LegalHold], error) {
	h = h.normal()
	return statement[LegalHold](LegalHoldType, LegalHold{h.Actor, h.Trust, h.Seen, h.Claimed, f.Project, f.Named, reason})
}

// NewLegalHoldLift makes the statement by which a person lifts a legal hold.
func (s *State) NewLegalHoldLift(h Head, o OpenLegalHold, reason string) (evidence.Statement[LegalHoldLift], error) {
	h = h.normal()
	return statement[LegalHoldLift](LegalHoldLiftType, LegalHoldLift{h.Actor, h.Trust, h.Seen, h.Claimed, s.options.Project, o.Record, o.Act, reason})
}

// LegalHolds returns the legal holds that were not lifted, in the order of the log.
func (s *State) LegalHolds() []OpenLegalHold {
	list := slices.Clone(s.legal)
	for i, h := range list {
		if o := s.lifting[h.Act]; o != nil {
			list[i].Lifting, list[i].Needed = o.persons(), o.needed
		}
	}
	return list
}

// judgeLegalHold keeps what is under legal hold. The hold of one signer's record of an
// act holds the others', which have the same statement.
func (s *State) judgeLegalHold(n Named) *Refusal {
	for _, h := range s.legal {
		if h.Record.ID == n.ID || h.Record.Act == n.Act {
			return refuse(CodeRule, "two persons lift it: rollproof evidence legal-hold --lift", "record %d is under a legal hold of %s since %s", n.Index, h.Person, stamp(h.Recorded)).about(h.Act)
		}
	}
	return nil
}

func (h *LegalHold) head() Head    { return Head{h.Actor, h.Trust, h.Seen, h.Claimed} }
func (h *LegalHold) place() place  { return place{project: h.Project} }
func (h *LegalHold) record() Named { return h.Record }

func (h *LegalHold) check() error {
	if err := checkReason(h.Reason); err != nil {
		return err
	}
	return h.Record.check()
}

func (h *LegalHold) subjects() []evidence.Subject {
	return []evidence.Subject{actSubject("record", h.Record.ID)}
}

func (h *LegalHold) facts() evidence.Facts {
	f := h.head().facts()
	f.Project, f.Text = h.Project, []string{h.Reason}
	return f
}

// judge lets several holds stand on one record: each has its own reason, and is lifted
// by itself.
func (h *LegalHold) judge(s *State, by signed) *Refusal {
	if refusal := h.Record.judgeFiled(h.Project, by); refusal != nil {
		return refusal
	}
	if done, found := s.Erasure(h.Record, ScopeRecord); found {
		return refuse(CodeConflict, "", "record %d was ordered to be erased by %s", h.Record.Index, quoted(done.Persons)).about(done.Acts...)
	}
	for _, open := range s.legal {
		if open.Record == h.Record && open.Reason == h.Reason {
			r := refuse(CodeConflict, "", "record %d is under a legal hold for this reason", h.Record.Index).about(open.Act)
			r.Already = open.Act
			return r
		}
	}
	return nil
}

func (h *LegalHold) apply(s *State, by signed) {
	s.legal = append(s.legal, OpenLegalHold{Act: by.Digest, Record: h.Record, Reason: h.Reason, Person: by.person, Recorded: by.Recorded})
}

func (l *LegalHoldLift) head() Head    { return Head{l.Actor, l.Trust, l.Seen, l.Claimed} }
func (l *LegalHoldLift) place() place  { return place{project: l.Project} }
func (l *LegalHoldLift) record() Named { return l.Record }

func (l *LegalHoldLift) check() error {
	if err := checkReason(l.Reason); err != nil {
		return err
	}
	return l.Record.check()
}

func (l *LegalHoldLift) subjects() []evidence.Subject {
	return []evidence.Subject{actSubject("legal hold", l.Hold)}
}

func (l *LegalHoldLift) facts() evidence.Facts {
	f := l.head().facts()
	f.Project, f.Text = l.Project, []string{l.Reason}
	return f
}

func (l *LegalHoldLift) judge(s *State, by signed) *Refusal {
	if last, lifted := s.released[l.Hold]; lifted {
		r := refuse(CodeConflict, "", "legal hold %s is lifted already", l.Hold).about(last)
		r.Already = last
		return r
	}
	i := s.legalHoldIndex(l.Hold)
	if i < 0 {
		return refuse(CodeEvidence, "name an open legal hold", "the lift names %s, which is no legal hold of this log", l.Hold)
	}
	if s.legal[i].Record != l.Record {
		return refuse(CodeEvidence, "", "the lift is of %s, and the legal hold that it names of %s", l.Record.words(), s.legal[i].Record.words()).about(l.Hold)
	}
	return s.lifting[l.Hold].judgeAgain(by, "this lift")
}

func (l *LegalHoldLift) apply(s *State, by signed) {
	if _, enough := join(s.lifting, l.Hold, by); !enough {
		return
	}
	i := s.legalHoldIndex(l.Hold)
	s.legal = slices.Delete(s.legal, i, i+1)
	s.released[l.Hold] = by.Digest
	delete(s.lifting, l.Hold)
}

func (s *State) legalHoldIndex(act evidence.Digest) int {
	return slices.IndexFunc(s.legal, func(h OpenLegalHold) bool { return h.Act == act })
}
