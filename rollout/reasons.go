package rollout

import (
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
)

// clock refuses to judge before what it judges.
func (q inquiry) clock() []Reason {
	latest, act := q.recorded, q.digest
	for _, e := range q.events {
		if e.Recorded.After(latest) {
			latest, act = e.Recorded, e.Act
		}
	}
	if o := q.observed; o != nil && o.recorded.After(latest) {
		latest, act = o.recorded, o.act
	}
	if !q.now.Before(latest) {
		return nil
	}
	return []Reason{reason("clock", Blocked, "set the clock", "the clock says %s, and evidence was recorded %s", stamp(q.now), stamp(latest)).about(act)}
}

func (q inquiry) integrity() []Reason {
	var list []Reason
	for _, part := range []struct {
		name   string
		result release.Result
	}{{"package", q.in.Package}, {"directory", q.in.Directory}} {
		id, what := "integrity-"+part.name, "the release package"
		if part.name == "directory" {
			what = "the rollout's directory"
		}
		failures := ""
		if len(q.in.Failures) > 0 {
			failures = ": " + archive.Printable(strings.Join(q.in.Failures, "; "))
		}
		switch part.result {
		case release.Pass:
		case release.Fail:
			list = append(list, reason(id, Blocked, "get the exact files again", "%s did not verify%s", what, failures).about(q.digest))
		default:
			list = append(list, reason(id, Incomplete, "verify it: rollproof release verify-rollout", "%s was not verified%s", what, failures).about(q.digest))
		}
	}
	return list
}

func (q inquiry) revoked() []Reason {
	var list []Reason
	for _, k := range q.in.Revoked {
		list = append(list, reason("revoked-key", Blocked, "evidence by a current key", "%s signed it and counts no longer: %s", k.KeyID, archive.Printable(k.Reason)).about(k.Act))
	}
	return list
}

// progress is the rule about the rollout's status.
func (q inquiry) progress() []Reason {
	switch q.status {
	case StatusSucceeded:
		return nil
	case StatusFailed, StatusRolledBack:
		return []Reason{reason("status", Blocked, "a new rollout", "the rollout is %s, which is final", q.status).about(q.last)}
	}
	return []Reason{reason("status", Incomplete, "rollproof release update-rollout "+q.ID+" --status "+string(steps[q.status][0]),
		"the rollout is %s, not succeeded", q.status).about(q.last)}
}

func (q inquiry) held() []Reason {
	var list []Reason
	for _, h := range q.heldBy(q.Environment, q.Ring, q.targetIDs()) {
		list = append(list, reason("hold", Blocked, "the policy role lifts it: rollproof release hold --lift", "%s is held by %s since %s: %s",
			heldWords(h.Environment, h.Ring, h.Target), h.Person, stamp(h.Recorded), archive.Printable(h.Reason)).about(h.Act))
	}
	return list
}

func (q inquiry) coverage() []Reason {
	switch {
	case q.stage.Coverage == 0:
		return nil
	case q.population.IsZero():
		return []Reason{reason("coverage", Incomplete, "record the population, then capture under another change record", "no population of ring %s was recorded before the capture", q.Ring).about(q.digest)}
	case q.observed == nil:
		return []Reason{reason("coverage", Incomplete, "rollproof release observe "+q.ID, "nobody has observed it").about(q.population)}
	}
	var list []Reason
	for _, short := range q.observed.short(q.stage.Coverage) {
		list = append(list, reason("coverage", Incomplete, "put it on the rest and observe again", "ring %s asks for %d %%: %s", q.Ring, q.stage.Coverage, short).about(q.observed.act))
	}
	return list
}

// stale measures by the store's clock, and by the newest endpoint.
func (q inquiry) stale() []Reason {
	if q.stage.Coverage == 0 || q.observed == nil {
		return nil
	}
	limit, seen := q.stage.Staleness.Length(), q.observed.newest()
	if q.now.Sub(q.observed.recorded) <= limit && q.now.Sub(seen) <= limit {
		return nil
	}
	return []Reason{reason("staleness", Incomplete, "rollproof release observe "+q.ID, "the newest observation is recorded %s, its newest endpoint seen %s, and ring %s lets it be %s old",
		stamp(q.observed.recorded), stamp(seen), q.Ring, q.stage.Staleness).about(q.observed.act)}
}

// soak counts from when both were recorded: that it succeeded, and that it was seen.
func (q inquiry) soak() []Reason {
	if q.status != StatusSucceeded {
		return nil
	}
	since, acts := q.succeeded, []evidence.Digest{q.last}
	if q.stage.Coverage > 0 {
		if q.observed == nil || q.observed.covering.IsZero() {
			return nil // its coverage is a reason already
		}
		acts = append(acts, q.observed.act)
		if q.observed.covering.After(since) {
			since = q.observed.covering
		}
	}
	over := since.Add(q.stage.Soak.Length())
	if !q.now.Before(over) {
		return nil
	}
	return []Reason{reason("soak", Incomplete, "wait until "+stamp(over.Add(time.Second-time.Nanosecond)), "ring %s soaks %s, counted from %s", q.Ring, q.stage.Soak, stamp(since)).about(acts...)}
}

func (q inquiry) rebuilds() []Reason {
	var persons []string
	var acts []evidence.Digest
	for _, r := range q.in.Rebuilds {
		if r.Person != "" && !slices.Contains(q.in.Releasers, r.Person) && !slices.Contains(persons, r.Person) {
			persons, acts = append(persons, r.Person), append(acts, r.Act)
		}
	}
	if len(persons) >= q.stage.Rebuilds {
		return nil
	}
	return []Reason{reason("rebuilds", Incomplete, "another person rebuilds the release: rollproof release reproduce",
		"%d persons beside the releaser have rebuilt the release, ring %s asks for %d", len(persons), q.Ring, q.stage.Rebuilds).about(acts...)}
}

// failedLater looks for the same release that went wrong after this rollout began.
func (q inquiry) failedLater() []Reason {
	var list []Reason
	for _, id := range q.order {
		other := q.rollouts[id]
		wrong := other.status == StatusFailed || other.status == StatusRolledBack
		if other.index > q.index && other.Manifest == q.Manifest && wrong {
			list = append(list, reason("failed-later", Blocked, "a new release", "the same release was rolled out later as %s, and that rollout is %s", id, other.status).about(other.last))
		}
	}
	return list
}

// superseded says that a target runs another release by now.
func (q inquiry) superseded() []Reason {
	if q.status != StatusSucceeded {
		return nil
	}
	var list []Reason
	for _, t := range q.Targets {
		h := q.State.core.held[spot{q.Environment, q.Ring, t.ID}]
		if h.manifest != q.Manifest {
			list = append(list, reason("superseded", Review, "promote the later rollout", "target %s holds %s (%s) by now", t.ID, h.version, h.manifest).about(h.rollout))
		}
	}
	return list
}

func (q inquiry) different() []Reason {
	if q.observed == nil {
		return nil
	}
	var list []Reason
	for _, text := range q.observed.differing() {
		list = append(list, reason("different", Review, "find out what they run: evidence search --digest", "%s", text).about(q.observed.act))
	}
	return list
}
