package rollout

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"golang.org/x/mod/semver"
)

// A Step says what happens to one deployment target: the release that it holds goes,
// and another comes.
type Step struct {
	ID       string   `json:"id"`
	Outgoing Rollback `json:"outgoing"` // what it holds by the log, both "" for nothing
	Incoming Rollback `json:"incoming"`
	// Downgrade says that semantic versioning orders Outgoing after Incoming; of two
	// tags that are no semantic versions nothing is said.
	Downgrade bool `json:"downgrade"`
	// Covered says that an observation shows Incoming on the target with the ring's
	// coverage (all of the population where the ring asks for none): in the ring that
	// a promotion leaves, in the ring of a rollback.
	Covered bool `json:"covered"`
	// Exception is why the policy lets in a target that has not succeeded in the ring
	// before, "" for one that has.
	Exception string `json:"exception"`
}

// A move is one step of a plan in a ring, as denials remember it.
type move struct {
	spot
	outgoing, incoming string // manifests
}

// maxSteps limits a plan, so that a request can be signed through an ssh-agent.
const maxSteps = 300

// downgrades compares two releases by semantic versioning.
func downgrades(from, to Rollback) bool {
	return semver.IsValid(from.Version) && semver.IsValid(to.Version) && semver.Compare(from.Version, to.Version) > 0
}

// planDigest is the identity of what a plan does where.
func planDigest(environment, from, ring string, plan []Step) evidence.Digest {
	data, err := envelope.Encode(struct {
		Environment string `json:"environment"`
		From        string `json:"from"`
		Ring        string `json:"ring"`
		Plan        []Step `json:"plan"`
	}{environment, from, ring, plan})
	if err != nil {
		return evidence.Digest{} // strings and booleans always encode
	}
	return evidence.DigestOf(data)
}

func stepIDs(plan []Step) []string {
	ids := []string{}
	for _, s := range plan {
		ids = append(ids, s.ID)
	}
	return ids
}

// checkPlan holds a plan to what it must be by itself.
func checkPlan(plan []Step) error {
	if len(plan) == 0 || len(plan) > maxSteps || !increasing(stepIDs(plan)) {
		return fmt.Errorf("the plan has %d targets, expected 1 to %d, sorted by id, each once", len(plan), maxSteps)
	}
	for _, s := range plan {
		if err := s.check(); err != nil {
			return fmt.Errorf("target %s: %w", archive.Printable(s.ID), err)
		}
	}
	if !changes(plan) {
		return errors.New("the plan changes nothing: every target holds that release")
	}
	return nil
}

func changes(plan []Step) bool {
	return slices.ContainsFunc(plan, func(s Step) bool { return s.Outgoing != s.Incoming })
}

func (s Step) check() error {
	if err := checkName("deployment target", s.ID, 100); err != nil {
		return err
	}
	if err := s.Outgoing.check(); err != nil {
		return fmt.Errorf("outgoing: %w", err)
	}
	if err := s.Incoming.check(); err != nil {
		return fmt.Errorf("incoming: %w", err)
	}
	switch {
	case s.Incoming.Manifest == "":
		return errors.New("no release comes in")
	case s.Downgrade != downgrades(s.Outgoing, s.Incoming):
		return fmt.Errorf("from %s to %s, and downgrade is %t", s.Outgoing.words(), s.Incoming.words(), s.Downgrade)
	case s.Exception == "":
		return nil
	}
	return checkReason(s.Exception)
}

func (r Rollback) check() error {
	if (r.Manifest == "") != (r.Version == "") {
		return errors.New("a manifest or a version is named, expected both or none")
	}
	if r.Version != "" {
		if err := release.CheckName("version", r.Version); err != nil {
			return err
		}
	}
	return checkOptional("manifest", r.Manifest)
}

// promotionPlan says what a promotion of a rollout into a ring does to targets.
func (s *State) promotionPlan(t *track, ring Ring, targets []string) ([]Step, *Refusal) {
	if len(targets) == 0 {
		targets = t.targetIDs()
	}
	var plan []Step
	for _, id := range slices.Compact(slices.Sorted(slices.Values(targets))) {
		step := Step{ID: id, Outgoing: s.Holding(ring.Environment, ring.Name, id), Incoming: Rollback{t.Manifest.String(), t.Release.Version}}
		step.Downgrade = downgrades(step.Outgoing, step.Incoming)
		if slices.Contains(t.targetIDs(), id) {
			step.Covered = t.covered(s.policy.Rules, id)
		} else if step.Exception = s.policy.Rules.exception(ring.Name, id); step.Exception == "" {
			return nil, refuse(CodeRule, "roll it out there first, or the policy names an exception",
				"target %s did not succeed in ring %s with rollout %s, and the policy has no exception for ring %s", archive.Printable(id), t.Ring, t.ID, ring.Name).about(s.policy.Acts...)
		}
		plan = append(plan, step)
	}
	return plan, nil
}

// exception returns why a target may skip the ring before a ring, "" where it may not.
func (r Rules) exception(ring, target string) string {
	for _, e := range r.Exceptions {
		if e.Ring == ring && e.Target == target {
			return e.Reason
		}
	}
	return ""
}

// covered reports whether the newest observation covers a target of the rollout.
func (t *track) covered(r Rules, target string) bool {
	ring, ok := r.Ring(t.Ring)
	return ok && t.observed != nil && t.observed.covers(target, ring.Coverage)
}

// covers reports whether a coverage in percent was seen of a target; 0 asks for all.
func (o *sighting) covers(target string, coverage int) bool {
	if coverage == 0 {
		coverage = 100
	}
	for _, t := range o.Targets {
		if t.ID == target {
			return t.Matches*100 >= coverage*t.Population
		}
	}
	return false
}

// judgeSteps compares a plan with the one that the log makes.
func judgeSteps(plan, now []Step) *Refusal {
	if len(plan) != len(now) {
		return refuse(CodeEvidence, "", "the plan has %d targets, by this log it has %d", len(plan), len(now))
	}
	for i, said := range plan {
		is := now[i]
		switch {
		case said == is:
		case said.ID != is.ID || said.Incoming != is.Incoming:
			return refuse(CodeEvidence, "", "the plan puts %s on target %s, by this log %s comes to target %s", said.Incoming.words(), said.ID, is.Incoming.words(), is.ID)
		case said.Outgoing != is.Outgoing:
			return stalePlan(said, is.Outgoing)
		default:
			return refuse(CodeConflict, "request it again", "stale plan: target %s is covered %t with exception %q, by this log covered %t with exception %q",
				said.ID, said.Covered, archive.Printable(said.Exception), is.Covered, archive.Printable(is.Exception))
		}
	}
	return nil
}

func stalePlan(said Step, holds Rollback) *Refusal {
	return refuse(CodeConflict, "request it again", "stale plan: target %s goes from %s to %s, and by this log it holds %s",
		said.ID, said.Outgoing.held(), said.Incoming.words(), holds.held())
}

// held is [Rollback.words] for what a target holds.
func (r Rollback) held() string {
	if r.Manifest == "" {
		return "nothing"
	}
	return r.words()
}

// judgePresent compares a plan with what the targets of a ring hold now.
func (s *State) judgePresent(environment, ring string, plan []Step) *Refusal {
	for _, step := range plan {
		if now := s.Holding(environment, ring, step.ID); now != step.Outgoing {
			return stalePlan(step, now).about(s.held[spot{environment, ring, step.ID}].rollout)
		}
	}
	return nil
}

func moves(environment, ring string, plan []Step) []move {
	var list []move
	for _, s := range plan {
		list = append(list, move{spot{environment, ring, s.ID}, s.Outgoing.Manifest, s.Incoming.Manifest})
	}
	return list
}
