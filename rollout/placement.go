package rollout

import (
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// How a release came to a target.
const (
	HowRollout   = "rollout"   // a rollout succeeded in the first ring
	HowPromotion = "promotion" // a promotion was executed
	HowRollback  = "rollback"  // a rollback was executed
)

// A Placement says that a release came to a deployment target of a ring: recorded as
// legally executed there, which nobody need have observed.
type Placement struct {
	Environment string
	Ring        string
	Target      string
	Release     Rollback
	Before      Rollback // what the target held until then
	How         string
	Act         evidence.Digest // the status, the promotion or the rollback
	Rollout     string          // id of the rollout that brought the release
	Index       int64
	Recorded    time.Time
	Person      string
	BreakGlass  bool
}

// put places a release.
func (s *State) put(p Placement, manifest, by evidence.Digest) {
	where := spot{p.Environment, p.Ring, p.Target}
	p.Before = s.Holding(p.Environment, p.Ring, p.Target)
	s.held[where] = holding{manifest, p.Release.Version, by}
	if len(s.past[where]) == 0 {
		at := site{p.Environment, p.Ring}
		i, _ := slices.BinarySearch(s.targets[at], p.Target)
		s.targets[at] = slices.Insert(s.targets[at], i, p.Target)
	}
	s.past[where] = append(s.past[where], p)
}

// placed returns the newest placement of a spot.
func (s *State) placed(at spot) (Placement, bool) {
	list := s.past[at]
	if len(list) == 0 {
		return Placement{}, false
	}
	return list[len(list)-1], true
}

// wasThere finds the newest placement of a release in a spot.
func (s *State) wasThere(at spot, manifest evidence.Digest) (Placement, bool) {
	for _, p := range slices.Backward(s.past[at]) {
		if p.Release.Manifest == manifest.String() {
			return p, true
		}
	}
	return Placement{}, false
}

// succeed places the release of a rollout that succeeded. In a later ring its
// promotion placed it, and whatever was executed since stands.
func (t *track) succeed(s *State, by signed) {
	t.succeeded = by.Recorded
	if t.Execution != "" {
		return
	}
	for _, target := range t.Targets {
		s.put(Placement{
			Environment: t.Environment, Ring: t.Ring, Target: target.ID, Release: Rollback{t.Manifest.String(), t.Release.Version},
			How: HowRollout, Act: by.Digest, Rollout: t.ID, Index: by.Index, Recorded: by.Recorded, Person: by.person,
		}, t.Manifest, t.digest)
	}
}

// goesBack returns what a rollout's target would go back to: what it holds, or in a
// later ring what it held before the promotion. act shows it.
func (s *State) goesBack(environment, ring, target, execution string) (back Rollback, act evidence.Digest) {
	if execution != "" {
		if digest, err := evidence.ParseDigest(execution); err == nil {
			if p := s.promotions[digest]; p != nil {
				return p.outgoing(target), digest
			}
		}
	}
	return s.Holding(environment, ring, target), s.held[spot{environment, ring, target}].rollout
}

// A blockade keeps a release out of a ring.
type blockade struct {
	site
	manifest evidence.Digest
}

// A blocking is the rollback that made a blockade.
type blocking struct {
	act   evidence.Digest
	index int64
}

// A liftedHold is a hold that is over, and who lifted it.
type liftedHold struct {
	OpenHold
	act      evidence.Digest // the lift
	index    int64
	recorded time.Time
	person   string
}

// liftsSince returns the lifts after an index of holds that reach something.
func (s *State) liftsSince(index int64, reaches func(OpenHold) bool) []liftedHold {
	var list []liftedHold
	for _, l := range slices.Backward(s.unheld) {
		if l.index < index {
			break
		}
		if reaches(l.OpenHold) {
			list = append(list, l)
		}
	}
	slices.Reverse(list)
	return list
}

// lifts are those since a rollout's capture of holds that reach its ring, the ring
// that it enters, or targets.
func (s *State) lifts(t *track, ring Ring, targets []string) []liftedHold {
	return s.liftsSince(t.index, func(h OpenHold) bool {
		return h.reaches(t.Environment, t.Ring, t.targetIDs()) || h.reaches(ring.Environment, ring.Name, targets)
	})
}

// reaches reports whether a hold concerns a ring or one of the targets.
func (h OpenHold) reaches(environment, ring string, targets []string) bool {
	if h.Target != "" {
		return slices.Contains(targets, h.Target)
	}
	return h.Environment == environment && h.Ring == ring
}

// judgeHeldSpots refuses to put anything where a hold reaches.
func (s *State) judgeHeldSpots(environment, ring string, targets []string) *Refusal {
	held := s.heldBy(environment, ring, targets)
	if len(held) == 0 {
		return nil
	}
	return heldRefusal(held[0])
}

// paths are what promotions, rollbacks and their approvals amount to.
type paths struct {
	petitions   map[evidence.Digest]*petition
	asked       []evidence.Digest // requests, in the order of the log
	newest      map[matter]evidence.Digest
	votes       map[evidence.Digest]*vote
	deniedMoves map[move][]*vote
	promotions  map[evidence.Digest]*promotion
	glasses     map[evidence.Digest]*glass
	broken      []evidence.Digest // in the order of the log
	past        map[spot][]Placement
	targets     map[site][]string // that ever held something, sorted
	blocked     map[blockade]blocking
	unheld      []liftedHold
}

func noPaths() paths {
	return paths{
		petitions: map[evidence.Digest]*petition{}, newest: map[matter]evidence.Digest{}, votes: map[evidence.Digest]*vote{},
		deniedMoves: map[move][]*vote{}, promotions: map[evidence.Digest]*promotion{}, glasses: map[evidence.Digest]*glass{},
		past: map[spot][]Placement{}, targets: map[site][]string{}, blocked: map[blockade]blocking{},
	}
}
