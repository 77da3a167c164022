package rollout

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release/archive"
)

// Schema identifiers of what is printed about rings.
const (
	RingsSchema   = evidence.Namespace + "rings/v1"
	HistorySchema = evidence.Namespace + "target-history/v1"
	DiffSchema    = evidence.Namespace + "ring-diff/v1"
)

// Rings say what is in each ring, by the log alone.
type Rings struct {
	Schema        string          `json:"schema"`
	Project       string          `json:"project"`
	At            string          `json:"at"`
	Policy        evidence.Digest `json:"policy"`
	DefaultPolicy bool            `json:"defaultPolicy"`
	Rings         []RingView      `json:"rings"` // in the policy's order
}

// A RingView is one ring.
type RingView struct {
	Name        string       `json:"name"`
	Environment string       `json:"environment"`
	Quorum      int          `json:"quorum"`     // persons who must approve
	Unattended  bool         `json:"unattended"` // nobody must
	Targets     []HeldTarget `json:"targets"`    // by id
	Holds       []HeldBy     `json:"holds"`
	BreakGlass  *Emergency   `json:"breakglass"` // the open one, null for none
	Due         []Due        `json:"due"`        // soonest first
}

// A HeldTarget is a target and the release that was legally put there.
type HeldTarget struct {
	ID       string          `json:"id"`
	Version  string          `json:"version"`
	Manifest string          `json:"manifest"`
	Since    string          `json:"since"` // recorded
	Act      evidence.Digest `json:"act"`   // that put it there
	How      string          `json:"how"`   // rollout, promotion or rollback
	Rollout  string          `json:"rollout"`
	Observed *ObservedThere  `json:"observed"` // null where nobody has seen it there
}

// An ObservedThere sums up the newest observation of a release on a target.
type ObservedThere struct {
	Act        evidence.Digest `json:"act"`
	Recorded   string          `json:"recorded"`
	Population int             `json:"population"`
	Matches    int             `json:"matches"`
}

// A HeldBy is an open hold of a ring, or of one of its targets.
type HeldBy struct {
	Act    evidence.Digest `json:"act"`
	Target string          `json:"target"` // "" for the whole ring
	Person string          `json:"person"`
	Since  string          `json:"since"`
	Reason string          `json:"reason"`
}

// An Emergency is an execution that broke glass and is not closed.
type Emergency struct {
	Act      evidence.Digest `json:"act"`
	Incident string          `json:"incident"`
	Person   string          `json:"person"`
	Since    string          `json:"since"`
	Due      string          `json:"due"` // of the quorum that closes it
	Overdue  bool            `json:"overdue"`
	Approved []string        `json:"approved"` // persons so far
}

// A Due is something that has an end.
type Due struct {
	What string          `json:"what"`
	Act  evidence.Digest `json:"act"`
	At   string          `json:"at"`
}

// What can be due.
const (
	DueFollowUp    = "break-glass follow-up"
	DueRequest     = "request expires"
	DuePreApproved = "pre-approved rollback ends"
)

// Rings returns what is in each ring at an instant.
func (s *State) Rings(now time.Time) Rings {
	r := Rings{RingsSchema, s.options.Project, stamp(now), s.policy.Digest, s.policy.Default, []RingView{}}
	for _, ring := range s.policy.Rules.Rings {
		v := RingView{
			Name: ring.Name, Environment: ring.Environment, Quorum: ring.Quorum, Unattended: ring.Quorum == 0,
			Targets: []HeldTarget{}, Holds: []HeldBy{}, BreakGlass: s.emergency(ring, now), Due: s.due(ring, now),
		}
		ids := s.targets[site{ring.Environment, ring.Name}]
		for _, id := range ids {
			v.Targets = append(v.Targets, s.heldTarget(spot{ring.Environment, ring.Name, id}))
		}
		for _, h := range s.heldBy(ring.Environment, ring.Name, ids) {
			v.Holds = append(v.Holds, HeldBy{h.Act, h.Target, h.Person, stamp(h.Recorded), h.Reason})
		}
		r.Rings = append(r.Rings, v)
	}
	return r
}

func (s *State) heldTarget(at spot) HeldTarget {
	p, _ := s.placed(at)
	h := HeldTarget{at.target, p.Release.Version, p.Release.Manifest, stamp(p.Recorded), p.Act, p.How, p.Rollout, nil}
	manifest, _ := evidence.ParseDigest(p.Release.Manifest) // it was placed, so that it is one
	if o := s.sightOf(at, manifest); o != nil {
		for _, t := range o.Targets {
			if t.ID == at.target {
				h.Observed = &ObservedThere{o.act, stamp(o.recorded), t.Population, t.Matches}
			}
		}
	}
	return h
}

func (s *State) emergency(ring Ring, now time.Time) *Emergency {
	for _, o := range s.OpenGlasses() {
		if o.Environment == ring.Environment && o.Ring == ring.Name {
			return &Emergency{o.Act, o.Incident, o.Person, stamp(o.Recorded), stamp(o.Due), now.After(o.Due), o.Approved}
		}
	}
	return nil
}

// due lists what ends in a ring.
func (s *State) due(ring Ring, now time.Time) []Due {
	list := []Due{}
	if e := s.emergency(ring, now); e != nil {
		list = append(list, Due{DueFollowUp, e.Act, e.Due})
	}
	for _, d := range s.asked {
		p := s.petitions[d]
		if p.environment != ring.Environment || p.ring != ring.Name {
			continue
		}
		if p.closed(now) == "" {
			list = append(list, Due{DueRequest, d, stamp(p.expires)})
		}
		if done := s.promotions[p.executed]; done != nil && p.rollback != nil && done.undone.IsZero() && now.Before(p.rollback.Until) {
			list = append(list, Due{DuePreApproved, done.digest, stamp(p.rollback.Until)})
		}
	}
	slices.SortStableFunc(list, func(a, b Due) int { return strings.Compare(a.At, b.At) })
	return list
}

// A History is every release that came to a target.
type History struct {
	Schema      string          `json:"schema"`
	Project     string          `json:"project"`
	Environment string          `json:"environment"` // "" for all
	Ring        string          `json:"ring"`        // "" for all
	Target      string          `json:"target"`
	Placements  []PlacementLine `json:"placements"` // in the order of the log
}

// A PlacementLine is a [Placement] as it is printed.
type PlacementLine struct {
	Index       int64           `json:"index"`
	Recorded    string          `json:"recorded"`
	Environment string          `json:"environment"`
	Ring        string          `json:"ring"`
	Release     Rollback        `json:"release"`
	Before      Rollback        `json:"before"`
	How         string          `json:"how"`
	Act         evidence.Digest `json:"act"`
	Rollout     string          `json:"rollout"`
	Person      string          `json:"person"`
	BreakGlass  bool            `json:"breakglass"`
}

// History returns what came to a target, in a ring or in all ("").
func (s *State) History(environment, ring, target string) History {
	h := History{HistorySchema, s.options.Project, environment, ring, target, []PlacementLine{}}
	for at, list := range s.past {
		if at.target != target || environment != "" && at.environment != environment || ring != "" && at.ring != ring {
			continue
		}
		for _, p := range list {
			h.Placements = append(h.Placements, PlacementLine{p.Index, stamp(p.Recorded), p.Environment, p.Ring, p.Release, p.Before, p.How, p.Act, p.Rollout, p.Person, p.BreakGlass})
		}
	}
	slices.SortFunc(h.Placements, func(a, b PlacementLine) int { return cmp.Compare(a.Index, b.Index) })
	return h
}

// A Diff compares two rings.
type Diff struct {
	Schema  string       `json:"schema"`
	Project string       `json:"project"`
	A       string       `json:"a"`
	B       string       `json:"b"`
	Targets []TargetDiff `json:"targets"` // by id
}

// A TargetDiff is what a target holds in two rings.
type TargetDiff struct {
	ID   string   `json:"id"`
	A    Rollback `json:"a"` // both texts "" for nothing
	B    Rollback `json:"b"`
	Same bool     `json:"same"` // the same release
}

// Diff compares what two rings hold, by their names. An unknown ring is a [*Refusal].
func (s *State) Diff(a, b string) (Diff, error) {
	d := Diff{DiffSchema, s.options.Project, a, b, []TargetDiff{}}
	var rings []Ring
	for _, name := range []string{a, b} {
		ring, ok := s.policy.Rules.Ring(name)
		if !ok {
			return d, refuse(CodeRule, "rings stand in the policy: rollproof policy show", "%s", unknown("ring", archive.Printable(name), s.policy.Rules.ringNames()))
		}
		rings = append(rings, ring)
	}
	ids := slices.Concat(s.targets[site{rings[0].Environment, a}], s.targets[site{rings[1].Environment, b}])
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		x, y := s.Holding(rings[0].Environment, a, id), s.Holding(rings[1].Environment, b, id)
		d.Targets = append(d.Targets, TargetDiff{id, x, y, x == y})
	}
	return d, nil
}
