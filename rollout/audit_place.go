package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
)

// spots are the places that hold something, in the order of the policy's rings, and
// then those of rings that the policy no longer has.
func (s *State) spots() []spot {
	var list []spot
	rank := func(at spot) int {
		if i := s.policy.Rules.ringIndex(at.ring); i >= 0 {
			return i
		}
		return maxRings
	}
	for at := range s.past {
		list = append(list, at)
	}
	slices.SortFunc(list, func(a, b spot) int {
		if x := rank(a) - rank(b); x != 0 {
			return x
		}
		return strings.Compare(a.environment+" "+a.ring+" "+a.target, b.environment+" "+b.ring+" "+b.target)
	})
	return list
}

// finding is the line of a placement.
func (p Placement) finding() AnswerLine {
	return AnswerLine{
		Index: p.Index, Act: p.Act.String(), Recorded: stamp(p.Recorded), Version: p.Release.Version, Environment: p.Environment, Ring: p.Ring, Target: p.Target,
		Rollout: p.Rollout, Persons: []string{p.Person},
	}
}

func (s *State) placements() []AnswerLine {
	var list []AnswerLine
	for _, at := range s.spots() {
		p, _ := s.placed(at)
		f := p.finding()
		f.Detail = p.How + "; not observed there"
		if held := s.heldTarget(at); held.Observed != nil {
			f.Detail = fmt.Sprintf("%s; observed on %d of %d endpoints", p.How, held.Observed.Matches, held.Observed.Population)
		}
		list = append(list, f)
	}
	return list
}

// strangers compares the newest observation of each rollout with what legal acts put
// there: the rollout's own binary, and any other that its observer met.
func (s *State) strangers() []AnswerLine {
	var list []AnswerLine
	for _, id := range s.order {
		t := s.rollouts[id]
		if t.observed == nil {
			continue
		}
		for _, o := range t.observed.Targets {
			list = append(list, s.strangersOn(t, o)...)
		}
	}
	return list
}

func (s *State) strangersOn(t *track, o Observed) []AnswerLine {
	at := spot{t.Environment, t.Ring, o.ID}
	f := t.finding()
	f.Index, f.Act, f.Recorded, f.Persons, f.Target = t.observed.index, t.observed.act.String(), stamp(t.observed.recorded), []string{t.observed.person}, o.ID
	var list []AnswerLine
	if now, _ := s.placed(at); o.Matches > 0 && now.Release.Manifest != t.Manifest.String() && (now.Index < t.observed.index || len(s.past[at]) == 0) {
		f.Detail = fmt.Sprintf("%d endpoints have %s, by the log the target holds %s", o.Matches, t.Release.Version, now.Release.words())
		list = append(list, f)
	}
	for _, d := range o.Differs {
		if !s.everPlaced(at, d.SHA256) {
			f.Detail = fmt.Sprintf("%d endpoints have a binary with sha256 %s, which no legal act put there", d.Count, d.SHA256)
			list = append(list, f)
		}
	}
	return list
}

// everPlaced reports whether a binary belongs to a release that a legal act put there.
func (s *State) everPlaced(at spot, sha256 string) bool {
	for _, t := range s.rollouts {
		if _, there := s.wasThere(at, t.Manifest); !there {
			continue
		}
		if t.binaryOf(at.target) == sha256 {
			return true
		}
	}
	return false
}

// binaryOf is the sha256 of what a rollout puts on a target, "" for none.
func (t *track) binaryOf(target string) string {
	for _, x := range t.Targets {
		if x.ID == target {
			return x.SHA256
		}
	}
	return ""
}

// unseen asks for an observation after a promotion or a rollback; a rollout of the
// first ring succeeds on one.
func (s *State) unseen() []AnswerLine {
	var list []AnswerLine
	for _, at := range s.spots() {
		p, _ := s.placed(at)
		manifest, _ := evidence.ParseDigest(p.Release.Manifest) // it was placed, so that it is one
		o := s.sightOf(at, manifest)
		if o != nil && (o.index > p.Index || p.How == HowRollout) {
			continue
		}
		f := p.finding()
		f.Detail = p.How + ", and no observation of it since"
		list = append(list, f)
	}
	return list
}

// unverified looks, for each target of the last ring of an environment, for a passing
// verification of the very binary that it holds.
func (a *Audit) unverified(ctx context.Context) ([]AnswerLine, error) {
	last := map[string]string{}
	for _, ring := range a.State.policy.Rules.Rings {
		last[ring.Environment] = ring.Name
	}
	var list []AnswerLine
	for _, at := range a.State.spots() {
		if last[at.environment] != at.ring {
			continue
		}
		p, _ := a.State.placed(at)
		why, err := a.whyUnverified(ctx, p)
		if err != nil {
			return nil, err
		}
		if why != "" {
			f := p.finding()
			f.Detail = why
			list = append(list, f)
		}
	}
	return list, nil
}

func (a *Audit) whyUnverified(ctx context.Context, p Placement) (string, error) {
	t := a.State.rollouts[p.Rollout]
	if t == nil || t.binaryOf(p.Target) == "" {
		return "no legal rollout names its binary", nil
	}
	persons, err := a.verifiers(ctx, t.binaryOf(p.Target))
	if err != nil {
		return "", err
	}
	releasers := a.State.releasers(t.Manifest)
	if len(persons) == 0 {
		return "no passing verification summary of " + t.binaryOf(p.Target) + " is recorded", nil
	}
	if !slices.ContainsFunc(persons, func(person string) bool { return !slices.Contains(releasers, person) }) {
		return "verified by its releaser alone: " + quoted(persons), nil
	}
	return "", nil
}

// verifiers are the persons by whom a passing verification of a binary is recorded.
func (a *Audit) verifiers(ctx context.Context, sha256 string) ([]string, error) {
	var persons []string
	q := evidence.Query{Digests: []string{sha256}, Kinds: []evidence.Kind{evidence.KindVSA}, Order: evidence.OldestFirst, Limit: evidence.MaxLimit}
	for {
		page, err := a.Reader.Search(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Records {
			full, err := a.Reader.Record(ctx, r.Index)
			if err != nil && !errors.Is(err, evidence.ErrNotFound) {
				return nil, err
			}
			if err != nil || full.Erased != nil {
				continue
			}
			if person := a.Verified(full); person != "" && !slices.Contains(persons, person) {
				persons = append(persons, person)
			}
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return persons, nil
		}
	}
}

// releasers are the persons who signed a package, by the trust version in force.
func (s *State) releasers(manifest evidence.Digest) []string {
	var persons []string
	for _, c := range s.closings {
		if c.manifest != manifest {
			continue
		}
		authority, err := s.options.Authorities.AtVersion(s.trust.Version, s.trust.Digest, c.Recorded)
		if err == nil {
			persons = append(persons, personOf(authority, c.KeyID))
		}
	}
	return persons
}
