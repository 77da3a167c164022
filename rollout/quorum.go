package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release/archive"
)

// A vote is a legal approval or denial.
type vote struct {
	act, envelope     evidence.Digest
	predicateType     string
	index             int64
	recorded          time.Time
	claimed           time.Time
	keyid, person     string
	on                evidence.Digest // the request, or the execution that broke glass
	environment, ring string
	deny              bool
	meaning, checked  string
	expires           time.Time // zero for a denial
	reason            string
	revoked           evidence.Digest // the revocation, zero before
	revoker           string
	used              evidence.Digest // the execution that stands on it
}

// A ballot counts votes for one purpose at one moment.
type ballot struct {
	ring      Ring // into which the approved goes
	project   string
	at        time.Time
	authority trust.Authority   // in force
	barred    map[string]string // persons who never count, and why
	need      int
	// settled says that the request was executed: what was used counts.
	settled bool
}

// needed returns how many persons must approve: the larger of what the ring asks for
// and the trust root's threshold of approvers. A threshold of 1 is what a trust root
// has that says nothing, and leaves a ring without quorum unattended.
func needed(ring Ring, threshold int) int {
	if ring.Quorum == 0 && threshold <= 1 {
		return 0
	}
	return max(ring.Quorum, threshold)
}

// why says why a vote does not count, "" for one that does.
func (b *ballot) why(v *vote) string {
	switch {
	case b.settled && !v.used.IsZero():
		return ""
	case b.settled && !v.deny:
		return "it was not used"
	case v.deny:
		return "it is a denial"
	case !v.revoked.IsZero():
		return fmt.Sprintf("it was revoked by %s with %s", v.revoker, v.revoked)
	case !b.at.Before(v.expires):
		return "it expired " + stamp(v.expires)
	}
	if why, barred := b.barred[v.person]; barred {
		return v.person + " is " + why
	}
	return b.whyKey(v)
}

// whyKey asks the trust version in force, and the ring's rule about uses of keys.
func (b *ballot) whyKey(v *vote) string {
	ruling := b.authority.Rule(trust.Use{
		KeyID: v.keyid, PredicateType: v.predicateType, Project: b.project, Environment: v.environment, Ring: v.ring, Statement: v.act, Envelope: v.envelope,
	})
	if ruling.Outcome != trust.Granted {
		return ruling.Reason
	}
	if use := trust.UseOf(b.authority, v.keyid); !slices.Contains(b.ring.Uses, string(use)) {
		return wrongUse(b.ring, use)
	}
	return ""
}

func wrongUse(ring Ring, use trust.KeyUse) string {
	return fmt.Sprintf("its key is of use %s, and in ring %s count %s", orNone(string(use)), ring.Name, quoted(ring.Uses))
}

// browser reports whether a vote was made with a browser's key.
func (b *ballot) browser(v *vote) bool {
	return trust.UseOf(b.authority, v.keyid) == trust.UseBrowser
}

// countable returns the votes that count: one of each person, and of browser keys no
// more than the ring lets count.
func (b *ballot) countable(votes []*vote) []*vote {
	var list []*vote
	browsers := 0
	for _, v := range votes {
		if b.why(v) != "" || slices.ContainsFunc(list, func(x *vote) bool { return x.person == v.person }) {
			continue
		}
		if b.browser(v) {
			if browsers++; browsers > b.ring.MaxBrowser {
				continue
			}
		}
		list = append(list, v)
	}
	return list
}

// A Quorum says how far the approvals of a request are.
type Quorum struct {
	Need    int             `json:"need"` // persons
	Have    int             `json:"have"`
	Persons []string        `json:"persons"` // whose approvals count, sorted
	Groups  []GroupProgress `json:"groups"`
	Missing []string        `json:"missing"` // in words; empty for a met quorum
}

// A GroupProgress is a group of the ring's rules.
type GroupProgress struct {
	Name string `json:"name"`
	Need int    `json:"need"`
	Have int    `json:"have"`
}

func (b *ballot) tally(votes []*vote) Quorum {
	q := Quorum{Need: b.need, Persons: []string{}, Groups: []GroupProgress{}, Missing: []string{}}
	for _, v := range b.countable(votes) {
		q.Persons = append(q.Persons, v.person)
	}
	slices.Sort(q.Persons)
	q.Have = len(q.Persons)
	if q.Have < q.Need {
		q.Missing = append(q.Missing, fmt.Sprintf("%d of %d persons have approved", q.Have, q.Need))
	}
	for _, g := range b.ring.Groups {
		p := GroupProgress{g.Name, g.Need, 0}
		for _, person := range q.Persons {
			if slices.Contains(g.Persons, person) {
				p.Have++
			}
		}
		if p.Have < p.Need {
			q.Missing = append(q.Missing, fmt.Sprintf("%d of %d persons of group %s have approved", p.Have, p.Need, g.Name))
		}
		q.Groups = append(q.Groups, p)
	}
	return q
}

// judgeNamed wants every named vote to count, and the quorum to be met by them.
func (b *ballot) judgeNamed(named []*vote) *Refusal {
	for _, v := range named {
		if why := b.why(v); why != "" {
			return refuse(CodeApproval, "", "approval %s by %s does not count: %s", v.act, v.person, archive.Printable(why)).about(v.act)
		}
	}
	if n := len(b.countable(named)); n != len(named) {
		return refuse(CodeApproval, "", "of %d approvals %d count: each person counts once, and browser keys of %d in ring %s", len(named), n, b.ring.MaxBrowser, b.ring.Name)
	}
	if q := b.tally(named); len(q.Missing) > 0 {
		return refuse(CodeApproval, "rollproof approval approve", "the quorum of ring %s is not met: %s", b.ring.Name, quoted(q.Missing))
	}
	return nil
}

// barred are the persons who never approve a request: who asked for it, and who put
// the release where it is.
func (s *State) barred(p *petition) map[string]string {
	list := map[string]string{}
	if t := s.rollouts[p.rollout]; t != nil {
		for _, person := range t.operators {
			list[person] = "an operator of rollout " + t.ID
		}
	}
	if e := s.promotions[p.about]; e != nil {
		list[e.person] = "the executor of promotion " + e.digest.String()
	}
	list[p.person] = "the requester"
	return list
}

// ballot counts for a request at a moment; executor may be "".
func (s *State) ballot(p *petition, ring Ring, executor string, at time.Time, authority trust.Authority) *ballot {
	b := &ballot{
		ring: ring, project: s.options.Project, at: at, authority: authority, barred: s.barred(p), need: needed(ring, authority.Threshold(trust.Approver)),
	}
	if executor != "" {
		if _, already := b.barred[executor]; !already {
			b.barred[executor] = "the executor"
		}
	}
	if s.stillDenied(p.environment, p.ring, p.plan) != nil {
		b.need++
	}
	return b
}
