package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// FollowUp is how soon after an execution that broke glass its quorum is due.
const FollowUp = 72 * time.Hour

// A glass is an execution that broke glass.
type glass struct {
	*petition
	digest   evidence.Digest
	index    int64
	recorded time.Time
	person   string
	incident string
	votes    []*vote
	closed   time.Time // zero while open
}

// An OpenGlass is an execution that broke glass and that no quorum has closed.
type OpenGlass struct {
	Act         evidence.Digest
	Environment string
	Ring        string
	Incident    string
	Person      string
	Recorded    time.Time
	Due         time.Time // of the quorum that closes it
	Approved    []string  // persons who have approved so far
}

// OpenGlasses returns the executions that broke glass and are not closed, in the
// order of the log.
func (s *State) OpenGlasses() []OpenGlass {
	var list []OpenGlass
	for _, d := range s.broken {
		g := s.glasses[d]
		if !g.closed.IsZero() {
			continue
		}
		o := OpenGlass{g.digest, g.environment, g.ring, g.incident, g.person, g.recorded, g.recorded.Add(FollowUp), []string{}}
		for _, v := range g.votes {
			if v.revoked.IsZero() && !slices.Contains(o.Approved, v.person) {
				o.Approved = append(o.Approved, v.person)
			}
		}
		list = append(list, o)
	}
	return list
}

// openGlass returns the open one of a ring, nil for none.
func (s *State) openGlass(environment, ring string) *glass {
	for _, d := range slices.Backward(s.broken) {
		if g := s.glasses[d]; g.closed.IsZero() && g.environment == environment && g.ring == ring {
			return g
		}
	}
	return nil
}

// judgeGlass lets nothing be promoted into a ring whose glass is broken.
func (s *State) judgeGlass(environment, ring string) *Refusal {
	g := s.openGlass(environment, ring)
	if g == nil {
		return nil
	}
	return refuse(CodeRule, "a quorum closes it: rollproof approval approve "+g.digest.String(), "%s broke the glass of ring %s for incident %s at %s, and no quorum has closed it",
		g.person, ring, g.incident, stamp(g.recorded)).about(g.digest)
}

// emergencyNotes say what keeps a ring closed to ordinary promotions.
func (s *State) emergencyNotes(ring string) []string {
	var notes []string
	for _, o := range s.OpenGlasses() {
		if o.Ring == ring {
			notes = append(notes, fmt.Sprintf("%s broke the glass of ring %s for incident %s: nothing is promoted into it until a quorum closes that, due %s", o.Person, ring, o.Incident, stamp(o.Due)))
		}
	}
	return notes
}

func (s *State) breakGlass(p *petition, incident string, by signed) {
	s.glasses[by.Digest] = &glass{petition: p, digest: by.Digest, index: by.Index, recorded: by.Recorded, person: by.person, incident: incident}
	s.broken = append(s.broken, by.Digest)
}

// NewClosing makes the statement by which an approver helps to close an execution
// that broke glass, by its digest.
func (s *State) NewClosing(h Head, execution evidence.Digest, d Decision) (evidence.Statement[Approval], error) {
	g, refusal := s.glass(execution)
	if refusal != nil {
		return evidence.Statement[Approval]{}, refusal
	}
	return broken{g.project, g.version, g.rollout, g.environment, g.ring}.closing(h, execution, d)
}

func (s *State) glass(execution evidence.Digest) (*glass, *Refusal) {
	g, ok := s.glasses[execution]
	if !ok {
		return nil, refuse(CodeApproval, "rollproof release rings shows what is open", "%s is no execution of this log that broke glass", execution)
	}
	return g, nil
}

func (g *glass) barred(s *State) map[string]string {
	list := s.barred(g.petition)
	list[g.person] = "who broke the glass"
	return list
}

// judgeClosing judges an approval of an execution that broke glass.
func (a *Approval) judgeClosing(s *State, by signed) *Refusal {
	_, act := a.on()
	g, refusal := s.glass(act)
	if refusal != nil {
		return refusal
	}
	if refusal := g.judgeNames(a.Version, a.Rollout, a.Environment, a.Ring); refusal != nil {
		return refusal
	}
	if again := alreadyApproved(g.votes, by); again != nil {
		return again
	}
	var closed *Refusal
	if !g.closed.IsZero() {
		closed = refuse(CodeConflict, "", "execution %s was closed by a quorum at %s", g.digest, stamp(g.closed)).about(g.digest)
	}
	return gravest(closed, a.judgePerson(g.barred(s), by), a.judgeExpiry(by, by.Recorded.Add(MaxValidity)), a.judgeKey(s, by, g.votes))
}

// close counts an approval, and closes the execution where the quorum is met. At
// least one person must look at an emergency, also in a ring without quorum.
func (s *State) close(g *glass, v *vote, by signed) {
	g.votes = append(g.votes, v)
	ring, refusal := s.ring(g.environment, g.ring)
	if refusal != nil {
		return
	}
	b := s.ballot(g.petition, ring, g.person, by.Recorded, by.authority)
	b.barred, b.need = g.barred(s), max(1, b.need)
	if len(b.tally(g.votes).Missing) == 0 {
		g.closed = by.Recorded
	}
}
