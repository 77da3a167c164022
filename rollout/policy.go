package rollout

import (
	"maps"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// Policy is the predicate by which one person of the policy role says that rules
// should hold. They hold from where enough persons have said it.
type Policy struct {
	Actor    Actor                `json:"actor"`
	Trust    TrustVersion         `json:"trust"`
	Seen     *evidence.Checkpoint `json:"seen"`
	Claimed  time.Time            `json:"claimed"`
	Project  string               `json:"project"`
	Previous string               `json:"previous"` // digest of the rules before, "" for the first
	Rules    Rules                `json:"rules"`
}

// NewPolicy makes the statement. previous is the digest of the rules in force, zero
// where none was ever signed.
func NewPolicy(h Head, project string, previous evidence.Digest, r Rules) (evidence.Statement[Policy], error) {
	h = h.normal()
	p := Policy{h.Actor, h.Trust, h.Seen, h.Claimed, project, "", r}
	if !previous.IsZero() {
		p.Previous = previous.String()
	}
	return statement[Policy](PolicyType, p)
}

func (p *Policy) head() Head   { return Head{p.Actor, p.Trust, p.Seen, p.Claimed} }
func (p *Policy) place() place { return place{project: p.Project} }

func (p *Policy) check() error {
	if err := checkOptional("previous", p.Previous); err != nil {
		return err
	}
	return p.Rules.Check()
}

func (p *Policy) subjects() []evidence.Subject {
	own := actSubject("rules", p.Rules.Digest())
	if p.Previous == "" {
		return []evidence.Subject{own}
	}
	before, _ := evidence.ParseDigest(p.Previous) // checked before
	return []evidence.Subject{actSubject("previous rules", before), own}
}

func (p *Policy) facts() evidence.Facts {
	f := p.head().facts()
	f.Project, f.Text = p.Project, p.Rules.ringNames()
	return f
}

// PolicyInForce is the policy that counts at the end of what a State has seen.
type PolicyInForce struct {
	Rules  Rules
	Digest evidence.Digest // of the rules
	// Default says that nobody has signed a policy: the built-in one counts.
	Default bool
	Acts    []evidence.Digest // the statements that brought it, one a person
	Since   time.Time         // recorded
}

// Previous returns what the next policy names as the one before: the digest of the
// rules, or zero.
func (p PolicyInForce) Previous() evidence.Digest {
	if p.Default {
		return evidence.Digest{}
	}
	return p.Digest
}

// A Proposal is a set of rules that too few persons have signed.
type Proposal struct {
	Digest  evidence.Digest // of the rules
	Rules   Rules
	Persons []string // sorted
	Needed  int      // persons, by the trust version of the newest of their acts
}

// proposal collects the acts of persons for one set of rules.
type proposal struct {
	rules  Rules
	acts   map[string]evidence.Digest // by person
	needed int
}

// Policy returns the policy in force.
func (s *State) Policy() PolicyInForce { return s.policy }

// Proposals returns the rules that wait for more signatures, sorted by digest.
func (s *State) Proposals() []Proposal {
	var list []Proposal
	for d, p := range s.proposals {
		list = append(list, Proposal{d, p.rules, slices.Sorted(maps.Keys(p.acts)), p.needed})
	}
	slices.SortFunc(list, func(a, b Proposal) int { return slices.Compare(a.Digest[:], b.Digest[:]) })
	return list
}

func (p *Policy) judge(s *State, by signed) *Refusal {
	if p.Rules.Digest() == s.policy.Digest && !s.policy.Default {
		r := refuse(CodeConflict, "", "these rules are in force already: %s", s.policy.Digest)
		r.Already = s.policy.Acts[0]
		return r.about(s.policy.Acts...)
	}
	if before := s.policy.Previous(); p.Previous != digestText(before) {
		return refuse(CodeConflict, "sign the rules again on top of those in force: rollproof policy sign",
			"the policy names %s as the rules before, in force is %s", orNone(p.Previous), orNone(digestText(before))).about(s.policy.Acts...)
	}
	if err := s.checkZones(p.Rules); err != nil {
		return refuse(CodeRule, "name a zone of the time zone database, UTC, or an offset such as +02:00", "%v", err)
	}
	if waiting, ok := s.proposals[p.Rules.Digest()]; ok {
		if first, twice := waiting.acts[by.person]; twice {
			r := refuse(CodeConflict, "another person of the policy role signs them too", "%s has signed these rules already", by.person)
			r.Already = first
			return r.about(first)
		}
	}
	return nil
}

func (p *Policy) apply(s *State, by signed) {
	d := p.Rules.Digest()
	waiting, ok := s.proposals[d]
	if !ok {
		waiting = &proposal{rules: p.Rules, acts: map[string]evidence.Digest{}}
		s.proposals[d] = waiting
	}
	waiting.acts[by.person], waiting.needed = by.Digest, by.threshold
	if len(waiting.acts) < by.threshold {
		return
	}
	s.policy = PolicyInForce{Rules: p.Rules, Digest: d, Since: by.Recorded}
	for _, person := range slices.Sorted(maps.Keys(waiting.acts)) {
		s.policy.Acts = append(s.policy.Acts, waiting.acts[person])
	}
	s.proposals = map[evidence.Digest]*proposal{} // they stand on rules that no longer hold
}

// checkZones asks for every time zone once, so that no ring has windows that cannot
// be judged.
func (s *State) checkZones(r Rules) error {
	for _, ring := range r.Rings {
		for _, w := range slices.Concat(ring.Windows.Allow, ring.Windows.Deny) {
			if _, err := zones(s.options.Location).find(w.TimeZone); err != nil {
				return err
			}
		}
		for _, f := range ring.Windows.Freezes {
			if _, err := zones(s.options.Location).find(f.TimeZone); err != nil {
				return err
			}
		}
	}
	return nil
}

func digestText(d evidence.Digest) string {
	if d.IsZero() {
		return ""
	}
	return d.String()
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}
