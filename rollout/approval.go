package rollout

import (
	"errors"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
)

// Meanings of approvals, and how much of the evidence the approver's tool checked.
const (
	MeaningReview         = "review"
	MeaningApproval       = "approval"
	MeaningResponsibility = "responsibility"

	CheckedFull    = "full"
	CheckedRequest = "request-only"
)

var (
	meanings = []string{MeaningReview, MeaningApproval, MeaningResponsibility}
	checkeds = []string{CheckedFull, CheckedRequest}
)

// Approval is the predicate by which an approver says yes to one request, or closes
// an execution that broke glass. Its subject is the act that it names.
type Approval struct {
	Actor       Actor                `json:"actor"`
	Trust       TrustVersion         `json:"trust"`
	Seen        *evidence.Checkpoint `json:"seen"`
	Claimed     time.Time            `json:"claimed"`
	Project     string               `json:"project"`
	Version     string               `json:"version"`
	Rollout     string               `json:"rollout"` // id
	Environment string               `json:"environment"`
	Ring        string               `json:"ring"`      // that the request is about
	Request     string               `json:"request"`   // digest; or "" and
	Execution   string               `json:"execution"` // digest of the execution that broke glass
	Meaning     string               `json:"meaning"`   // review, approval or responsibility
	Checked     string               `json:"checked"`   // full or request-only
	Expires     time.Time            `json:"expires"`
	Reason      string               `json:"reason"`
}

// Denial is the predicate by which an approver says no to one request, for ever. Its
// subject is the request.
type Denial struct {
	Actor       Actor                `json:"actor"`
	Trust       TrustVersion         `json:"trust"`
	Seen        *evidence.Checkpoint `json:"seen"`
	Claimed     time.Time            `json:"claimed"`
	Project     string               `json:"project"`
	Version     string               `json:"version"`
	Rollout     string               `json:"rollout"`
	Environment string               `json:"environment"`
	Ring        string               `json:"ring"`
	Request     evidence.Digest      `json:"request"`
	Checked     string               `json:"checked"`
	Reason      string               `json:"reason"`
}

// A Decision is what an approver decides.
type Decision struct {
	Meaning string    // "" for approval
	Checked string    // "" for request-only
	Expires time.Time // zero for the request's own
	Reason  string
}

func (d Decision) checked() string {
	if d.Checked == "" {
		return CheckedRequest
	}
	return d.Checked
}

func (d Decision) meaning() string {
	if d.Meaning == "" {
		return MeaningApproval
	}
	return d.Meaning
}

// NewApproval makes the statement that approves a request, by its digest.
func (s *State) NewApproval(h Head, request evidence.Digest, d Decision) (evidence.Statement[Approval], error) {
	p, refusal := s.petition(request)
	if refusal != nil {
		return evidence.Statement[Approval]{}, refusal
	}
	if d.Expires.IsZero() {
		d.Expires = p.expires
	}
	h = h.normal()
	return statement[Approval](ApprovalType, Approval{
		h.Actor, h.Trust, h.Seen, h.Claimed, p.project, p.version, p.rollout, p.environment, p.ring, request.String(), "",
		d.meaning(), d.checked(), second(d.Expires), d.Reason,
	})
}

// NewDenial makes the statement that denies a request, by its digest.
func (s *State) NewDenial(h Head, request evidence.Digest, d Decision) (evidence.Statement[Denial], error) {
	p, refusal := s.petition(request)
	if refusal != nil {
		return evidence.Statement[Denial]{}, refusal
	}
	h = h.normal()
	return statement[Denial](DenialType, Denial{
		h.Actor, h.Trust, h.Seen, h.Claimed, p.project, p.version, p.rollout, p.environment, p.ring, request, d.checked(), d.Reason,
	})
}

// petition finds a legal request by its digest.
func (s *State) petition(request evidence.Digest) (*petition, *Refusal) {
	p, ok := s.petitions[request]
	if !ok {
		return nil, refuse(CodeApproval, "rollproof approval list", "%s is no legal request of this log", request)
	}
	return p, nil
}

func (a *Approval) head() Head   { return Head{a.Actor, a.Trust, a.Seen, a.Claimed} }
func (a *Approval) place() place { return place{a.Project, a.Environment, a.Ring} }

func (a *Approval) check() error {
	if err := checkBelongs(a.Environment, a.Ring, a.Rollout, "", a.Version); err != nil {
		return err
	}
	if err := checkOptional("request", a.Request); err != nil {
		return err
	}
	if err := checkOptional("execution", a.Execution); err != nil {
		return err
	}
	if (a.Request == "") == (a.Execution == "") {
		return errors.New("the approval names a request and an execution, or none, expected one of the two")
	}
	if !slices.Contains(meanings, a.Meaning) {
		return errors.New(unknown("meaning", a.Meaning, meanings))
	}
	if err := checkDecision(a.Checked, a.Reason); err != nil {
		return err
	}
	return checkTime("expires", a.Expires)
}

func checkDecision(checked, reason string) error {
	if !slices.Contains(checkeds, checked) {
		return errors.New(unknown("checked", checked, checkeds))
	}
	return checkReason(reason)
}

// on returns the act that is approved, and what it is.
func (a *Approval) on() (string, evidence.Digest) {
	what, text := "request", a.Request
	if text == "" {
		what, text = "execution", a.Execution
	}
	d, _ := evidence.ParseDigest(text) // checked before
	return what, d
}

func (a *Approval) subjects() []evidence.Subject {
	what, act := a.on()
	return []evidence.Subject{actSubject(what, act)}
}

func (a *Approval) facts() evidence.Facts {
	f := a.head().facts()
	f.Project, f.Version, f.Rollout = a.Project, a.Version, a.Rollout
	f.Environment, f.Ring, f.TargetRing, f.ApprovalState = a.Environment, a.Ring, a.Ring, "approved"
	f.Request, f.Execution = a.Request, a.Execution
	f.Text = []string{a.Meaning, a.Checked, a.Reason}
	return f
}

func (a *Approval) judge(s *State, by signed) *Refusal {
	if a.Request == "" {
		return a.judgeClosing(s, by)
	}
	_, act := a.on()
	p, refusal := s.petition(act)
	if refusal != nil {
		return refusal
	}
	if refusal := p.judgeNames(a.Version, a.Rollout, a.Environment, a.Ring); refusal != nil {
		return refusal
	}
	if again := alreadyApproved(p.votes, by); again != nil {
		return again
	}
	return gravest(p.refuseClosed(by.Recorded), a.judgePerson(s.barred(p), by), a.judgeExpiry(by, p.expires), a.judgeKey(s, by, p.votes), p.judgePolicy(s))
}

// judgeNames keeps an approver's grant to the ring that the request is about.
func (p *petition) judgeNames(version, rollout, environment, ring string) *Refusal {
	if version == p.version && rollout == p.rollout && environment == p.environment && ring == p.ring {
		return nil
	}
	return refuse(CodeEvidence, "", "it is about %s of rollout %s in ring %s of %s, and request %s about %s of rollout %s in ring %s of %s",
		version, rollout, ring, environment, p.digest, p.version, p.rollout, p.ring, p.environment).about(p.digest)
}

// alreadyApproved finds the approval of the same person that still stands.
func alreadyApproved(votes []*vote, by signed) *Refusal {
	for _, v := range votes {
		if !v.deny && v.person == by.person && v.revoked.IsZero() && by.Recorded.Before(v.expires) {
			r := refuse(CodeConflict, "another person approves", "%s has approved %s already", by.person, v.on).about(v.act)
			r.Already = v.act
			return r
		}
	}
	return nil
}

func (a *Approval) judgePerson(barred map[string]string, by signed) *Refusal {
	if why, is := barred[by.person]; is {
		return refuse(CodeApproval, "another person approves", "%s is %s and cannot approve", by.person, why)
	}
	return nil
}

func (a *Approval) judgeExpiry(by signed, latest time.Time) *Refusal {
	if !by.Recorded.Before(a.Expires) {
		return refuse(CodeApproval, "approve it again", "the approval expired %s, before it was recorded", stamp(a.Expires))
	}
	if a.Expires.After(latest) {
		return refuse(CodeRule, "", "the approval expires %s, expected at most %s", stamp(a.Expires), stamp(latest))
	}
	return nil
}

// judgeKey refuses keys that the ring would not let count.
func (a *Approval) judgeKey(s *State, by signed, votes []*vote) *Refusal {
	ring, refusal := s.ring(a.Environment, a.Ring)
	if refusal != nil {
		return refusal
	}
	use := trust.UseOf(by.authority, by.KeyID)
	if !slices.Contains(ring.Uses, string(use)) {
		return refuse(CodeRule, "approve with another key", "%s: %s", by.KeyID, wrongUse(ring, use)).about(s.policy.Acts...)
	}
	if use != trust.UseBrowser {
		return nil
	}
	browsers := 0
	for _, v := range votes {
		if !v.deny && v.revoked.IsZero() && by.Recorded.Before(v.expires) && trust.UseOf(by.authority, v.keyid) == trust.UseBrowser {
			browsers++
		}
	}
	if browsers >= ring.MaxBrowser {
		return refuse(CodeRule, "approve with another key", "%d approvals are by browser keys, and ring %s lets %d count", browsers, ring.Name, ring.MaxBrowser).about(s.policy.Acts...)
	}
	return nil
}

func (a *Approval) apply(s *State, by signed) {
	_, on := a.on()
	v := &vote{
		act: by.Digest, envelope: by.Envelope, predicateType: ApprovalType, index: by.Index, recorded: by.Recorded, claimed: a.Claimed, keyid: by.KeyID, person: by.person,
		on: on, environment: a.Environment, ring: a.Ring, meaning: a.Meaning, checked: a.Checked, expires: a.Expires, reason: a.Reason,
	}
	s.votes[by.Digest] = v
	if p := s.petitions[on]; p != nil {
		p.votes = append(p.votes, v)
		return
	}
	s.close(s.glasses[on], v, by)
}

func (d *Denial) head() Head   { return Head{d.Actor, d.Trust, d.Seen, d.Claimed} }
func (d *Denial) place() place { return place{d.Project, d.Environment, d.Ring} }

func (d *Denial) check() error {
	if err := checkBelongs(d.Environment, d.Ring, d.Rollout, "", d.Version); err != nil {
		return err
	}
	return checkDecision(d.Checked, d.Reason)
}

func (d *Denial) subjects() []evidence.Subject {
	return []evidence.Subject{actSubject("request", d.Request)}
}

func (d *Denial) facts() evidence.Facts {
	f := d.head().facts()
	f.Project, f.Version, f.Rollout = d.Project, d.Version, d.Rollout
	f.Environment, f.Ring, f.TargetRing, f.ApprovalState = d.Environment, d.Ring, d.Ring, "denied"
	f.Request, f.Text = d.Request.String(), []string{d.Checked, d.Reason}
	return f
}

// judge lets anybody with the role say no, whatever the use of his key: what stops
// must not come too late.
func (d *Denial) judge(s *State, by signed) *Refusal {
	p, refusal := s.petition(d.Request)
	if refusal != nil {
		return refusal
	}
	if refusal := p.judgeNames(d.Version, d.Rollout, d.Environment, d.Ring); refusal != nil {
		return refusal
	}
	for _, v := range p.votes {
		if v.deny && v.person == by.person {
			r := refuse(CodeConflict, "", "%s has denied request %s already", by.person, p.id).about(v.act)
			r.Already = v.act
			return r
		}
	}
	if !p.executed.IsZero() {
		return refuse(CodeConflict, "roll it back: rollproof release request-rollback", "request %s is executed already", p.id).about(p.executed)
	}
	return nil
}

func (d *Denial) apply(s *State, by signed) {
	v := &vote{
		act: by.Digest, envelope: by.Envelope, predicateType: DenialType, index: by.Index, recorded: by.Recorded, claimed: d.Claimed, keyid: by.KeyID, person: by.person,
		on: d.Request, environment: d.Environment, ring: d.Ring, deny: true, checked: d.Checked, reason: d.Reason,
	}
	p := s.petitions[d.Request]
	s.votes[by.Digest], p.votes = v, append(p.votes, v)
	for _, m := range moves(p.environment, p.ring, p.plan) {
		s.deniedMoves[m] = append(s.deniedMoves[m], v)
	}
}
