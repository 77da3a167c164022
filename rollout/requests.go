package rollout

import (
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
)

// Schema identifiers of what is printed about requests.
const (
	ApprovalListSchema = evidence.Namespace + "approval-list/v1"
	ApprovalShowSchema = evidence.Namespace + "approval-show/v1"
)

// States of a request. A revoked one misses an approval that was taken back.
const (
	RequestPending    = "pending"
	RequestApproved   = "approved"
	RequestDenied     = "denied"
	RequestRevoked    = "revoked"
	RequestExpired    = "expired"
	RequestExecuted   = "executed"
	RequestSuperseded = "superseded"
)

// A RequestStatus is a request, who has signed, and what is missing, at an instant.
// Whether it could be executed also depends on the state of the ring: an approved
// request can be stale.
type RequestStatus struct {
	Act          evidence.Digest   `json:"act"`
	ID           string            `json:"id"`
	Kind         string            `json:"kind"` // promotion or rollback
	State        string            `json:"state"`
	Project      string            `json:"project"`
	Version      string            `json:"version"`
	Rollout      string            `json:"rollout"`
	ChangeRecord string            `json:"changeRecord"`
	Environment  string            `json:"environment"`
	FromRing     string            `json:"fromRing"`
	TargetRing   string            `json:"targetRing"`
	About        evidence.Digest   `json:"about"` // the capture, or the execution to be undone
	Requester    string            `json:"requester"`
	Recorded     string            `json:"recorded"`
	Expires      string            `json:"expires"`
	Reason       string            `json:"reason"`
	Policy       evidence.Digest   `json:"policy"`
	Origin       string            `json:"origin"`
	PlanDigest   evidence.Digest   `json:"planDigest"`
	Plan         []Step            `json:"plan"`
	Supersedes   string            `json:"supersedes"`
	SupersededBy string            `json:"supersededBy"`
	ExecutedBy   string            `json:"executedBy"`
	Denied       []evidence.Digest `json:"denied"` // denials of the same moves before
	Rollback     *PreApproved      `json:"rollback"`
	Signatures   []Signature       `json:"signatures"` // in the order of the log
	Quorum       Quorum            `json:"quorum"`
	Unattended   bool              `json:"unattended"` // nobody has to approve
}

// A Signature is an approval or a denial.
type Signature struct {
	Act      evidence.Digest `json:"act"`
	Decision string          `json:"decision"` // approved or denied
	Person   string          `json:"person"`
	KeyID    string          `json:"keyid"`
	Use      string          `json:"use"`     // of the key: file, agent or browser
	Meaning  string          `json:"meaning"` // "" of a denial
	Checked  string          `json:"checked"`
	Recorded string          `json:"recorded"`
	Claimed  string          `json:"claimed"`
	Expires  string          `json:"expires"` // "" of a denial
	Reason   string          `json:"reason"`
	Counts   bool            `json:"counts"` // of a denial: it was not lifted
	Why      string          `json:"why"`    // it does not count
}

// An ApprovalList is every request of a project, newest first.
type ApprovalList struct {
	Schema   string          `json:"schema"`
	Project  string          `json:"project"`
	At       string          `json:"at"`
	Requests []RequestStatus `json:"requests"`
}

// An ApprovalShow is one request and whether its rollout is ready.
type ApprovalShow struct {
	Schema    string        `json:"schema"`
	At        string        `json:"at"`
	Request   RequestStatus `json:"request"`
	Readiness *Readiness    `json:"readiness"` // null for a rollback
	Notes     []string      `json:"notes"`
}

// Requests returns the status of every legal request at an instant, newest first.
func (s *State) Requests(now time.Time) []RequestStatus {
	list := []RequestStatus{}
	for _, d := range slices.Backward(s.asked) {
		list = append(list, s.requestStatus(s.petitions[d], now))
	}
	return list
}

// ApprovalList is the document of [State.Requests].
func (s *State) ApprovalList(now time.Time) ApprovalList {
	return ApprovalList{ApprovalListSchema, s.options.Project, stamp(now), s.Requests(now)}
}

// Request returns the status of a request by its act's digest or its id; of several
// requests of one id the newest.
func (s *State) Request(name string, now time.Time) (RequestStatus, bool) {
	if d, err := evidence.ParseDigest(name); err == nil {
		p, ok := s.petitions[d]
		if !ok {
			return RequestStatus{}, false
		}
		return s.requestStatus(p, now), true
	}
	for _, d := range slices.Backward(s.asked) {
		if p := s.petitions[d]; p.id == name {
			return s.requestStatus(p, now), true
		}
	}
	return RequestStatus{}, false
}

// ShowRequest is the document of a request, with the readiness of its rollout by what
// the caller's machine found.
func (s *State) ShowRequest(r RequestStatus, in Integrity, now time.Time) ApprovalShow {
	show := ApprovalShow{ApprovalShowSchema, stamp(now), r, nil, []string{}}
	if r.Kind == KindPromotion {
		ready := s.Readiness(r.Rollout, in, now)
		show.Readiness = &ready
	}
	if refusal := s.judgePresent(r.Environment, r.TargetRing, r.Plan); refusal != nil && r.State != RequestExecuted {
		show.Notes = append(show.Notes, refusal.Reason)
	}
	if r.Policy != s.policy.Digest {
		show.Notes = append(show.Notes, "the request stands on rules "+r.Policy.String()+", in force are "+s.policy.Digest.String())
	}
	for _, refusal := range []*Refusal{s.judgeGlass(r.Environment, r.TargetRing), s.judgeHeldSpots(r.Environment, r.TargetRing, stepIDs(r.Plan))} {
		if refusal != nil {
			show.Notes = append(show.Notes, refusal.Reason)
		}
	}
	return show
}

func (s *State) requestStatus(p *petition, now time.Time) RequestStatus {
	r := RequestStatus{
		Act: p.digest, ID: p.id, Kind: p.kind, Project: p.project, Version: p.version, Rollout: p.rollout, ChangeRecord: p.change,
		Environment: p.environment, FromRing: p.from, TargetRing: p.ring, About: p.about, Requester: p.person, Recorded: stamp(p.recorded), Expires: stamp(p.expires),
		Reason: p.reason, Policy: p.policy, Origin: p.origin, PlanDigest: p.identity, Plan: slices.Clone(p.plan),
		Supersedes: p.supersedes, SupersededBy: digestText(p.superseded), ExecutedBy: digestText(p.executed), Denied: slices.Clone(p.denied), Rollback: p.rollback,
		Signatures: []Signature{}, Quorum: Quorum{Persons: []string{}, Groups: []GroupProgress{}, Missing: []string{}},
	}
	b := s.ballotAt(p, now)
	if b != nil {
		r.Quorum, r.Unattended = b.tally(p.votes), b.need == 0
	} else {
		r.Quorum.Missing = append(r.Quorum.Missing, "ring "+p.ring+" is not in the policy")
	}
	for _, v := range p.votes {
		r.Signatures = append(r.Signatures, v.signature(b))
	}
	r.State = p.state(r.Quorum, now)
	return r
}

// ballotAt counts for a request as it stands, or as it was executed; nil where its ring
// is gone.
func (s *State) ballotAt(p *petition, now time.Time) *ballot {
	ring, refusal := s.ring(p.environment, p.ring)
	if refusal != nil {
		return nil
	}
	authority, err := s.options.Authorities.AtVersion(s.trust.Version, s.trust.Digest, now)
	if err != nil {
		return nil
	}
	b := s.ballot(p, ring, "", now, authority)
	if !p.executed.IsZero() {
		b.need, b.settled = p.need, true
	}
	return b
}

func (p *petition) state(q Quorum, now time.Time) string {
	if word := p.closed(now); word != "" {
		return word
	}
	switch {
	case len(q.Missing) == 0:
		return RequestApproved
	case slices.ContainsFunc(p.votes, func(v *vote) bool { return !v.revoked.IsZero() }):
		return RequestRevoked
	}
	return RequestPending
}

func (v *vote) signature(b *ballot) Signature {
	s := Signature{
		Act: v.act, Decision: "approved", Person: v.person, KeyID: v.keyid, Meaning: v.meaning, Checked: v.checked,
		Recorded: stamp(v.recorded), Claimed: stamp(v.claimed), Reason: v.reason,
	}
	if b != nil {
		s.Use = string(trust.UseOf(b.authority, v.keyid))
	}
	if v.deny {
		s.Decision, s.Counts = "denied", v.revoked.IsZero()
		if !s.Counts {
			s.Why = "its denier lifted it with " + v.revoked.String()
		}
		return s
	}
	s.Expires = stamp(v.expires)
	if b != nil {
		s.Why = b.why(v)
		s.Counts = s.Why == ""
	}
	return s
}
