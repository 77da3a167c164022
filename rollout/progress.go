package rollout

import (
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// Progress is what the log says of one rollout.
type Progress struct {
	Rollout   Rollout
	Act       evidence.Digest // of the capture
	Index     int64
	Recorded  time.Time // the capture, by the store's clock
	Operators []string  // persons who signed the capture or a status, in this order
	Status    Status
	Last      evidence.Digest // the act that the next status follows
	Succeeded time.Time       // recorded; zero before
	Events    []Event         // from the capture on
	// Population is the act that coverage counts against, zero for none.
	Population evidence.Digest
	Observed   *ObservedAs // the newest, nil for none
}

// An ObservedAs is a legal observation.
type ObservedAs struct {
	Observation Observation
	Act         evidence.Digest
	Recorded    time.Time
	Person      string
}

// Progress returns what the log says of a rollout, by its id.
func (s *State) Progress(id string) (Progress, bool) {
	t, ok := s.rollouts[id]
	if !ok {
		return Progress{}, false
	}
	p := Progress{
		t.Rollout, t.digest, t.index, t.recorded, slices.Clone(t.operators), t.status, t.last, t.succeeded, slices.Clone(t.events), t.population, nil,
	}
	if o := t.observed; o != nil {
		p.Observed = &ObservedAs{o.Observation, o.act, o.recorded, o.person}
	}
	return p, true
}

// Rollouts returns the ids of all rollouts, in the order of their captures.
func (s *State) Rollouts() []string { return slices.Clone(s.order) }
