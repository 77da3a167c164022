package rollout

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release/archive"
)

// What the time of an execution stands on.
const (
	TimeStore     = "store clock"
	TimeWitnessed = "witnessed"
)

// Executed is the status of a recorded execution.
const Executed = "executed"

// BreakGlass says that an execution stands on an emergency, not on approvals.
type BreakGlass struct {
	Incident string `json:"incident"`
}

// An Enaction is what an executor brings.
type Enaction struct {
	Origin   string   // of the log that executes, "" where it has no identity
	Witness  *Witness // nil for the store's clock
	Incident string   // breaks glass; "" for an execution that stands on approvals
}

// An enactment is what both kinds of executions say of how they came about.
type enactment struct {
	head       Head
	origin     string
	time       string
	witness    *Witness
	breakGlass *BreakGlass
	approvals  []evidence.Digest
	unattended bool
	status     string
}

func (e *enactment) check() error {
	if err := checkOrigin(e.origin); err != nil {
		return err
	}
	if err := checkDigests("approvals", e.approvals); err != nil {
		return err
	}
	switch {
	case e.status != Executed:
		return fmt.Errorf("the status is %q, expected %q", archive.Printable(e.status), Executed)
	case e.head.Seen != nil && e.head.Seen.Origin != e.origin:
		return fmt.Errorf("executed in log %q, having seen log %q", e.origin, archive.Printable(e.head.Seen.Origin))
	case e.breakGlass != nil && (len(e.approvals) > 0 || e.unattended):
		return errors.New("an execution that breaks glass stands on no approvals and is not unattended")
	case (e.witness != nil) != (e.time == TimeWitnessed) || e.witness == nil && e.time != TimeStore:
		return fmt.Errorf("the time is %q, expected %q without a witness and %q with one", archive.Printable(e.time), TimeStore, TimeWitnessed)
	}
	if err := e.checkWitness(); err != nil {
		return err
	}
	if e.breakGlass != nil {
		return checkName("incident", e.breakGlass.Incident, maxID)
	}
	return nil
}

func (e *enactment) checkWitness() error {
	switch {
	case e.witness == nil:
		return nil
	case e.head.Seen == nil:
		return errors.New("the time is witnessed, and the execution has seen no checkpoint")
	}
	if _, err := e.witness.parse(); err != nil {
		return err
	}
	return checkTime("witness time", e.witness.Time)
}

// facts completes those of an execution.
func (e *enactment) facts(f evidence.Facts) evidence.Facts {
	f.ExecutionStatus = e.status
	switch {
	case e.breakGlass != nil:
		f.ApprovalState, f.Text = "break-glass", append(f.Text, e.breakGlass.Incident)
	case e.unattended:
		f.Text = append(f.Text, "unattended")
	default:
		f.ApprovalState = "approved"
	}
	return f
}

// judgeRole keeps emergencies to the persons who may break glass.
func (e *enactment) judgeRole(s *State, by signed) *Refusal {
	switch {
	case e.breakGlass == nil && by.role == trust.Breakglass:
		return refuse(CodeEvidence, "name the incident", "%s (%s) may execute in an emergency alone, and the execution names no incident", by.KeyID, by.person)
	case e.breakGlass == nil:
		return nil
	case by.role != trust.Breakglass:
		return refuse(CodeEvidence, "a key of role breakglass signs it", "the execution breaks glass, and %s (%s) has the role %s", by.KeyID, by.person, by.role)
	case !slices.Contains(s.policy.Rules.Breakglass, by.person):
		return refuse(CodeRule, "the policy names who may: breakglass", "%s may not break glass by the policy, which names %s", by.person, quoted(s.policy.Rules.Breakglass)).about(s.policy.Acts...)
	}
	return nil
}

// judgeOrigin keeps an execution to the log that its request names.
func (e *enactment) judgeOrigin(p *petition) *Refusal {
	if e.origin == p.origin {
		return nil
	}
	return refuse(CodeApproval, "execute it where it was requested, or request it here", "request %s is of log %q, and is executed in log %q", p.id, archive.Printable(p.origin), archive.Printable(e.origin)).about(p.digest)
}

// judgeQuorum wants approvals that count, for the request that is executed. An
// emergency needs none.
func (e *enactment) judgeQuorum(s *State, on evidence.Digest, b *ballot) *Refusal {
	if e.breakGlass != nil {
		return nil
	}
	if unattended := b.need == 0; unattended != e.unattended {
		return refuse(CodeEvidence, "", "the execution says unattended %t, and %d persons must approve into ring %s", e.unattended, b.need, b.ring.Name)
	}
	var named []*vote
	for _, d := range e.approvals {
		v := s.votes[d]
		if v == nil || v.on != on {
			return refuse(CodeApproval, "", "%s is no legal approval of %s", d, on).about(on)
		}
		named = append(named, v)
	}
	slices.SortFunc(named, func(x, y *vote) int { return int(x.index - y.index) })
	return b.judgeNamed(named)
}

// A dependency is something that must have been recorded before.
type dependency struct {
	recorded time.Time
	act      evidence.Digest
}

// judgeTime refuses to act before what is acted on, by the store's clock and by the
// witness's, and without a witness where the ring asks for one.
func (e *enactment) judgeTime(ring Ring, by signed, deps []dependency) *Refusal {
	latest := slices.MaxFunc(deps, func(x, y dependency) int { return x.recorded.Compare(y.recorded) })
	if by.Recorded.Before(latest.recorded) {
		return behind("the clock says", by.Recorded, latest)
	}
	if e.witness == nil {
		if ring.WitnessedTime {
			return refuse(CodeRule, "sign a checkpoint and let a witness cosign it: rollproof evidence log checkpoint, then consistency and witness", "ring %s asks for witnessed time, and the execution stands on the store's clock", ring.Name)
		}
		return nil
	}
	if refusal := e.witness.judge(by, e.head.Seen); refusal != nil {
		return refusal
	}
	if e.witness.Time.Before(second(latest.recorded)) {
		return behind("the witness says", e.witness.Time, latest)
	}
	if e.witness.Time.After(by.Recorded.Add(futureSkew)) {
		return refuse(CodeRule, "set the clock", "the witness says %s, and the clock %s", stamp(e.witness.Time), stamp(by.Recorded))
	}
	return nil
}

func behind(who string, at time.Time, d dependency) *Refusal {
	return refuse(CodeRule, "set the clock", "clock behind the evidence: %s %s, and what it depends on was recorded %s", who, stamp(at), stamp(d.recorded)).about(d.act)
}

func personOf(a trust.Authority, keyid string) string {
	return a.Rule(trust.Use{KeyID: keyid}).Signer.Person
}

// judgeWindow asks the ring's windows; an emergency does not wait for them.
func (e *enactment) judgeWindow(s *State, ring Ring, at time.Time) *Refusal {
	if e.breakGlass != nil {
		return nil
	}
	why, err := ring.Windows.Closed(at, s.options.Location)
	if err != nil {
		return refuse(CodeRule, "", "%v", err)
	}
	if why != "" {
		return refuse(CodeRule, "wait for a window, or break glass", "ring %s is closed at %s: %s", ring.Name, stamp(at), archive.Printable(why)).about(s.policy.Acts...)
	}
	return nil
}

// judgeLifter keeps whoever lifted a hold from executing what it held.
func judgeLifter(lifts []liftedHold, by signed) *Refusal {
	for _, l := range lifts {
		if l.person == by.person {
			return refuse(CodeRule, "another person executes", "%s lifted a hold of %s and cannot execute what it held", by.person, heldWords(l.Environment, l.Ring, l.Target)).about(l.act)
		}
	}
	return nil
}

// dependencies are the acts of a request and its votes, and the rules.
func (s *State) dependencies(p *petition, approvals []evidence.Digest) []dependency {
	list := []dependency{{p.recorded, p.digest}}
	for _, d := range approvals {
		if v := s.votes[d]; v != nil {
			list = append(list, dependency{v.recorded, d})
		}
	}
	if len(s.policy.Acts) > 0 {
		list = append(list, dependency{s.policy.Since, s.policy.Acts[0]})
	}
	for _, step := range p.plan {
		if before, ok := s.placed(spot{p.environment, p.ring, step.ID}); ok {
			list = append(list, dependency{before.Recorded, before.Act})
		}
	}
	return list
}

// approvalsFor are the votes on which an executor can stand now, sorted by digest.
func approvalsFor(b *ballot, votes []*vote) []evidence.Digest {
	list := []evidence.Digest{}
	for _, v := range b.countable(votes) {
		list = append(list, v.act)
	}
	slices.SortFunc(list, compareDigests)
	return list
}

// approvalSubjects are the approvals as subjects.
func approvalSubjects(approvals []evidence.Digest) []evidence.Subject {
	var list []evidence.Subject
	for i, d := range approvals {
		list = append(list, actSubject(fmt.Sprintf("approval-%d", i+1), d))
	}
	return list
}
