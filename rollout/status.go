package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
)

// StatusChange is the predicate by which an operator moves a rollout on. Its first
// subject is the act before: the capture, or the status before.
type StatusChange struct {
	Actor        Actor                `json:"actor"`
	Trust        TrustVersion         `json:"trust"`
	Seen         *evidence.Checkpoint `json:"seen"`
	Claimed      time.Time            `json:"claimed"`
	Project      string               `json:"project"`
	Version      string               `json:"version"`
	ChangeRecord string               `json:"changeRecord"`
	Environment  string               `json:"environment"`
	Ring         string               `json:"ring"`
	Rollout      string               `json:"rollout"` // id
	Capture      evidence.Digest      `json:"capture"` // the act of that rollout
	Before       evidence.Digest      `json:"before"`  // the act that this one follows
	From         Status               `json:"from"`
	Status       Status               `json:"status"`
	Reason       string               `json:"reason"` // may be ""
	Targets      []Received           `json:"targets"`
}

// A Received says which binary a target receives.
type Received struct {
	ID     string `json:"id"`
	Binary string `json:"binary"`
	SHA256 string `json:"sha256"`
}

// An Event is a status that a rollout had.
type Event struct {
	Status   Status
	Act      evidence.Digest
	Index    int64
	Recorded time.Time
	Person   string
	Reason   string
}

// steps are the legal ones.
var steps = map[Status][]Status{
	StatusPlanned: {StatusStaged},
	StatusStaged:  {StatusSucceeded, StatusFailed, StatusRolledBack},
}

// Next returns the statuses that may follow s, none for a final one.
func (s Status) Next() []Status { return slices.Clone(steps[s]) }

// NewStatusChange makes the statement that moves a rollout from where p says that it
// is to another status.
func NewStatusChange(h Head, p Progress, to Status, reason string) (evidence.Statement[StatusChange], error) {
	h = h.normal()
	r := p.Rollout
	return statement[StatusChange](StatusType, StatusChange{
		h.Actor, h.Trust, h.Seen, h.Claimed, r.Project, r.Release.Version, r.ChangeRecord, r.Environment, r.Ring, r.ID,
		p.Act, p.Last, p.Status, to, reason, received(r.Targets),
	})
}

func received(targets []Target) []Received {
	list := []Received{}
	for _, t := range targets {
		list = append(list, Received{t.ID, t.Binary, t.SHA256})
	}
	return list
}

func (c *StatusChange) head() Head   { return Head{c.Actor, c.Trust, c.Seen, c.Claimed} }
func (c *StatusChange) place() place { return place{c.Project, c.Environment, c.Ring} }

func (c *StatusChange) check() error {
	if err := checkBelongs(c.Environment, c.Ring, c.Rollout, c.ChangeRecord, c.Version); err != nil {
		return err
	}
	if c.Reason == "" {
		return nil
	}
	return checkReason(c.Reason)
}

// checkBelongs holds the names by which an act belongs to a rollout to their form.
func checkBelongs(environment, ring, id, change, version string) error {
	if err := checkPlace(environment, ring); err != nil {
		return err
	}
	if err := checkChange(change); err != nil {
		return err
	}
	if err := release.CheckName("version", version); err != nil {
		return err
	}
	return checkRolloutID(id)
}

func (c *StatusChange) subjects() []evidence.Subject {
	var targets []Target
	for _, t := range c.Targets {
		targets = append(targets, Target{Binary: t.Binary, SHA256: t.SHA256})
	}
	return append([]evidence.Subject{actSubject("before", c.Before)}, binarySubjects(targets)...)
}

func (c *StatusChange) facts() evidence.Facts {
	f := c.head().facts()
	f.Project, f.Version, f.ChangeRecord = c.Project, c.Version, c.ChangeRecord
	f.Environment, f.Ring, f.Rollout, f.RolloutStatus = c.Environment, c.Ring, c.Rollout, string(c.Status)
	for _, t := range c.Targets {
		f.DeploymentTargets = append(f.DeploymentTargets, t.ID)
	}
	f.Text = []string{c.Rollout, c.Reason}
	return f
}

func (c *StatusChange) judge(s *State, by signed) *Refusal {
	t, refusal := s.belongs(c.Rollout, c.Capture)
	if refusal != nil {
		return refusal
	}
	if !c.fits(&t.Rollout) {
		return refuse(CodeEvidence, "", "the status does not say of rollout %s what its capture says", c.Rollout).about(t.digest)
	}
	if c.Before != t.last {
		return refuse(CodeConflict, "look where the rollout is now: rollproof release rollout-status "+c.Rollout,
			"stale status: it follows %s, and rollout %s is %s by %s", c.Before, c.Rollout, t.status, t.last).about(t.last)
	}
	if c.From != t.status {
		return refuse(CodeEvidence, "", "the status names %s as the one before, rollout %s is %s", c.From, c.Rollout, t.status).about(t.last)
	}
	if !slices.Contains(steps[c.From], c.Status) {
		return refuse(CodeRule, "", "from %s a rollout goes to %s, not to %s", c.From, legalSteps(c.From), c.Status).about(t.last)
	}
	if c.Status == StatusSucceeded {
		return c.judgeCoverage(s, t, by)
	}
	return nil
}

// legalSteps names what may follow.
func legalSteps(s Status) string {
	switch next := steps[s]; len(next) {
	case 0:
		return "nothing"
	case 1:
		return string(next[0])
	default:
		text := string(next[0])
		for _, n := range next[1 : len(next)-1] {
			text += ", " + string(n)
		}
		return text + " or " + string(next[len(next)-1])
	}
}

// belongs finds the rollout that an act names by id and by digest.
func (s *State) belongs(id string, capture evidence.Digest) (*track, *Refusal) {
	t, ok := s.rollouts[id]
	if !ok {
		return nil, refuse(CodeEvidence, "index the rollout first: rollproof release verify-rollout", "rollout %s is not recorded in this log", id)
	}
	if t.digest != capture {
		return nil, refuse(CodeEvidence, "", "the act names %s as the capture of rollout %s, this log has %s", capture, id, t.digest).about(t.digest)
	}
	return t, nil
}

func (c *StatusChange) fits(r *Rollout) bool {
	return c.Version == r.Release.Version && c.ChangeRecord == r.ChangeRecord && c.Environment == r.Environment && c.Ring == r.Ring &&
		slices.Equal(c.Targets, received(r.Targets))
}

// judgeCoverage lets a rollout succeed only where another person has seen it.
func (c *StatusChange) judgeCoverage(s *State, t *track, by signed) *Refusal {
	ring, refusal := s.ring(t.Environment, t.Ring)
	if refusal != nil || ring.Coverage == 0 {
		return refusal
	}
	if t.observed == nil {
		return refuse(CodeRule, "observe it: rollproof release observe "+t.ID,
			"rollout %s needs a coverage of %d %% in ring %s, and no observation of it is recorded", t.ID, ring.Coverage, t.Ring)
	}
	if short := t.observed.short(ring.Coverage); len(short) > 0 {
		return refuse(CodeRule, "put it on the rest and observe again", "rollout %s needs a coverage of %d %% in ring %s: %s",
			t.ID, ring.Coverage, t.Ring, quoted(short)).about(t.observed.act)
	}
	if t.observed.person == by.person {
		return refuse(CodeRule, "another operator signs the status", "%s observed rollout %s and cannot say that it succeeded", by.person, t.ID).about(t.observed.act)
	}
	return nil
}

func (c *StatusChange) apply(s *State, by signed) {
	t := s.rollouts[c.Rollout]
	t.status, t.last = c.Status, by.Digest
	t.events = append(t.events, Event{c.Status, by.Digest, by.Index, by.Recorded, by.person, c.Reason})
	if !slices.Contains(t.operators, by.person) {
		t.operators = append(t.operators, by.person)
	}
	if c.Status == StatusSucceeded {
		t.succeed(s, by)
	}
}

// checkRolloutID wants a name that can stand in a path.
func checkRolloutID(id string) error {
	if err := archive.CheckPath(id); err != nil || len(id) > maxID || strings.Contains(id, "/") {
		return fmt.Errorf("rollout %q: expected at most %d letters, digits and . _ + -", archive.Printable(id), maxID)
	}
	return nil
}
