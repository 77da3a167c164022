package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
)

// ReadinessSchema identifies the document of a [Readiness].
const ReadinessSchema = evidence.Namespace + "rollout-readiness/v1"

// A Grade is how ready a rollout is for the next ring: that of its worst reason.
type Grade string

// The grades, worst first.
const (
	Blocked    Grade = "blocked"    // something must be undone or decided
	Incomplete Grade = "incomplete" // something is still to come
	Review     Grade = "review"     // a person should look at it
	Ready      Grade = "ready"
)

var grades = []Grade{Blocked, Incomplete, Review, Ready}

// Integrity is what no log says: what the machine found that asks. The zero value
// says that nothing was checked.
type Integrity struct {
	Package   release.Result // of the package's verification
	Directory release.Result // of the rollout's directory and its bundle
	Failures  []string       // what failed or was not checked, in order
	// Revoked are keys, of those that signed this rollout's evidence, that count no
	// longer by the newest trust version.
	Revoked []RevokedKey
	// Rebuilds are verified statements that somebody rebuilt this release to the same
	// bytes. Releasers are the persons who signed the package; theirs do not count.
	Rebuilds  []Rebuild
	Releasers []string
}

// A RevokedKey is a key that signed an act and counts no longer.
type RevokedKey struct {
	KeyID  string
	Act    evidence.Digest
	Reason string
}

// A Rebuild is a verified rebuild statement.
type Rebuild struct {
	Person string
	Act    evidence.Digest
}

// A Reason is why a rollout is not ready.
type Reason struct {
	ID       string            `json:"id"`
	Severity Grade             `json:"severity"`
	Text     string            `json:"text"`
	Records  []evidence.Digest `json:"records"` // the acts that show it
	Clears   string            `json:"clears"`  // what would clear it
}

// A Readiness says whether a rollout may be promoted, and everything that speaks
// against it.
type Readiness struct {
	Schema        string          `json:"schema"`
	Rollout       string          `json:"rollout"`
	At            string          `json:"at"` // RFC 3339: the instant for which it holds
	Grade         Grade           `json:"grade"`
	Integrity     string          `json:"integrity"`     // verified, incomplete or failed
	RolloutStatus Status          `json:"rolloutStatus"` // "" for an unknown rollout
	Ring          string          `json:"ring"`
	NextRing      string          `json:"nextRing"` // "" for the last one
	Policy        evidence.Digest `json:"policy"`   // of the rules in force
	DefaultPolicy bool            `json:"defaultPolicy"`
	Targets       []Observed      `json:"targets"` // by the newest observation
	Reasons       []Reason        `json:"reasons"`
	Notes         []string        `json:"notes"`
}

// An inquiry is what the rules of readiness look at.
type inquiry struct {
	*State
	*track
	in  Integrity
	now time.Time
	// stage is the ring, as the rules in force have it.
	stage Ring
}

// readiness are the rules, in the order in which their reasons are listed.
var readiness = []func(inquiry) []Reason{
	inquiry.clock, inquiry.integrity, inquiry.revoked, inquiry.progress, inquiry.held, inquiry.coverage, inquiry.stale, inquiry.soak,
	inquiry.rebuilds, inquiry.failedLater, inquiry.superseded, inquiry.different,
}

// Readiness computes how ready a rollout is at an instant, from what was applied and
// from what the caller's machine found.
func (s *State) Readiness(id string, in Integrity, now time.Time) Readiness {
	r := Readiness{
		Schema: ReadinessSchema, Rollout: id, At: stamp(now), Integrity: in.words(), Policy: s.policy.Digest,
		DefaultPolicy: s.policy.Default, Targets: []Observed{}, Reasons: []Reason{}, Notes: s.notes(id),
	}
	t, ok := s.rollouts[id]
	if !ok {
		r.Reasons = append(r.Reasons, reason("rollout", Blocked, "index it: rollproof release verify-rollout", "rollout %s is not recorded in this log", archive.Printable(id)))
		r.Grade = Blocked
		return r
	}
	r.RolloutStatus, r.Ring = t.status, t.Ring
	if t.observed != nil {
		r.Targets = t.observed.Targets
	}
	stage, refusal := s.ring(t.Environment, t.Ring)
	if refusal != nil {
		r.Reasons = append(r.Reasons, reason("ring", Blocked, refusal.Hint, "%s", refusal.Reason).about(refusal.Records...))
	}
	if i := s.policy.Rules.ringIndex(t.Ring); i >= 0 && i+1 < len(s.policy.Rules.Rings) {
		r.NextRing = s.policy.Rules.Rings[i+1].Name
	}
	for _, rule := range readiness {
		r.Reasons = append(r.Reasons, rule(inquiry{s, t, in, now, stage})...)
	}
	r.Notes = append(append(r.Notes, t.notes(s.policy.Rules, r.NextRing)...), s.emergencyNotes(r.NextRing)...)
	r.Grade = worst(r.Reasons)
	return r
}

func worst(reasons []Reason) Grade {
	for _, g := range grades {
		if slices.ContainsFunc(reasons, func(r Reason) bool { return r.Severity == g }) {
			return g
		}
	}
	return Ready
}

func reason(id string, g Grade, clears, format string, args ...any) Reason {
	return Reason{id, g, fmt.Sprintf(format, args...), []evidence.Digest{}, clears}
}

func (r Reason) about(acts ...evidence.Digest) Reason {
	r.Records = append(r.Records, acts...)
	return r
}

// words is the integrity as one word.
func (in Integrity) words() string {
	switch {
	case in.Package == release.Fail || in.Directory == release.Fail || len(in.Revoked) > 0:
		return "failed"
	case in.Package == release.Pass && in.Directory == release.Pass:
		return "verified"
	}
	return "incomplete"
}

// notes are what must be known whatever the grade.
func (s *State) notes(id string) []string {
	notes := []string{}
	if s.policy.Default {
		notes = append(notes, "no policy is signed: the built-in default counts")
	}
	for _, a := range s.illegal {
		if a.Rollout == id {
			notes = append(notes, fmt.Sprintf("record %d (%s) was illegal and changed nothing: %s", a.Index, a.Digest, archive.Printable(a.Refusal.Reason)))
		}
	}
	return notes
}

func (t *track) notes(r Rules, next string) []string {
	var notes []string
	if ring, ok := r.Ring(next); ok && ring.Quorum == 0 {
		notes = append(notes, fmt.Sprintf("unattended: nobody has to approve a promotion into ring %s", next))
	}
	for _, target := range t.Targets {
		if target.Rollback.Manifest == "" {
			notes = append(notes, fmt.Sprintf("target %s: the capture names no release to go back to", target.ID))
		}
	}
	return notes
}
