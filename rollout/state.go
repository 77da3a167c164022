package rollout

import (
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
)

// Options are what a replay needs from outside of the log.
type Options struct {
	Project     string
	Authorities Authorities
	// Location finds a time zone of the time zone database. Without one, rules whose
	// windows name such a zone are refused.
	Location func(name string) (*time.Location, error)
}

// A State is what the acts of one project's log amount to. It is not safe for
// concurrent use.
type State struct {
	options Options
	judged  map[evidence.Digest]*Refusal // every act that was applied; nil for a legal one
	illegal []IllegalAct
	next    int64 // the lowest index that a further act can have
	core
}

// core is what legal acts alone change.
type core struct {
	trust       TrustVersion // the highest that legal acts name, version 0 before
	policy      PolicyInForce
	proposals   map[evidence.Digest]*proposal // by digest of the rules
	closings    []closing
	versions    map[string]claim  // who captured a version first
	rollouts    map[string]*track // by id
	order       []string          // ids in the order of captures
	populations map[site]*populated
	holds       []OpenHold
	lifted      map[evidence.Digest]evidence.Digest // by hold, the lift
	executions  map[evidence.Digest]execution
	held        map[spot]holding
	paths
	erasures
	outside []AnswerLine // executions while a ring's windows were closed
}

// An IllegalAct is an act that changed nothing, and why.
type IllegalAct struct {
	Index         int64
	Digest        evidence.Digest
	PredicateType string
	Rollout       string // the id that it names, "" where it names none or cannot be read
	Refusal       *Refusal

	version  string          // of the package that an illegal capture names
	manifest evidence.Digest // zero for any other act
}

// A claim says which package a version belongs to, and by which act.
type claim struct{ manifest, act evidence.Digest }

// NewState returns the state of an empty log.
func NewState(o Options) *State {
	rules := DefaultRules()
	return &State{
		options: o, judged: map[evidence.Digest]*Refusal{},
		core: core{
			policy:    PolicyInForce{Rules: rules, Digest: rules.Digest(), Default: true},
			proposals: map[evidence.Digest]*proposal{}, versions: map[string]claim{}, rollouts: map[string]*track{},
			populations: map[site]*populated{}, lifted: map[evidence.Digest]evidence.Digest{},
			executions: map[evidence.Digest]execution{}, held: map[spot]holding{}, paths: noPaths(), erasures: noErasures(),
		},
	}
}

// Project returns the project whose acts are replayed.
func (s *State) Project() string { return s.options.Project }

// Trust returns the trust version in force: the highest that legal acts name. Its
// version is 0 before the first.
func (s *State) Trust() TrustVersion { return s.trust }

// Illegal returns the acts that changed nothing, in the order of the log.
func (s *State) Illegal() []IllegalAct { return slices.Clone(s.illegal) }

// Judge says whether an act would be legal at the end of what was applied, nil for
// yes. Of an act that was applied it says again what became of it.
func (s *State) Judge(a Act) *Refusal {
	_, _, refusal := s.examine(a)
	return refusal
}

// Apply judges an act and, if it is legal, lets it change the state. An act that is
// not is listed and changes nothing else. Acts come in the order of their indexes;
// one that was applied before changes nothing.
func (s *State) Apply(a Act) *Refusal {
	d, by, refusal := s.examine(a)
	if _, again := s.judged[a.Digest]; again || a.Index < s.next {
		return refusal
	}
	s.next, s.judged[a.Digest] = a.Index+1, refusal
	if refusal != nil {
		s.illegal = append(s.illegal, illegalAct(a, refusal))
		return refusal
	}
	if d == nil {
		return nil
	}
	if by.trust.Version > 0 {
		s.trust = by.trust
	}
	d.apply(s, by)
	return nil
}

// illegalAct also returns what can be read of the act.
func illegalAct(a Act, refusal *Refusal) IllegalAct {
	i := IllegalAct{Index: a.Index, Digest: a.Digest, PredicateType: a.PredicateType, Refusal: refusal}
	read := readers[a.PredicateType]
	if read == nil {
		return i
	}
	d, err := read(a.Statement)
	if err != nil {
		return i
	}
	i.Rollout = d.facts().Rollout
	if r, is := d.(*Rollout); is {
		i.version, i.manifest = r.Release.Version, r.Manifest
	}
	return i
}

// examine judges without changing anything. The deed is nil where the act is one
// that was applied before.
func (s *State) examine(a Act) (deed, signed, *Refusal) {
	if refusal, again := s.judged[a.Digest]; again {
		return nil, signed{}, refusal
	}
	d, refusal := s.read(a)
	if refusal != nil {
		return nil, signed{}, refusal
	}
	by, refusal := s.sign(d, a)
	if refusal != nil {
		return nil, signed{}, refusal
	}
	if refusal := s.judgeFormat(a.PredicateType); refusal != nil {
		return nil, signed{}, refusal
	}
	return d, by, d.judge(s, by)
}

// read checks what can be said of an act without any other.
func (s *State) read(a Act) (deed, *Refusal) {
	if a.Index < s.next {
		return nil, refuse(CodeEvidence, "", "the act stands at index %d, and one at %d was applied before", a.Index, s.next-1)
	}
	if got := evidence.DigestOf(a.Statement); got != a.Digest {
		return nil, refuse(CodeEvidence, "", "the statement is %s, expected %s", got, a.Digest)
	}
	read := readers[a.PredicateType]
	if a.PredicateType == evidence.ReleaseEvidence {
		read = readClosed
	}
	if read == nil {
		return nil, refuse(CodeEvidence, "", "%s", unknown("predicate type", a.PredicateType, PredicateTypes()))
	}
	d, err := read(a.Statement)
	if err != nil {
		return nil, badEvidence(err)
	}
	if p := d.place().project; p != s.options.Project {
		return nil, refuse(CodeEvidence, "", "the act is of project %s, expected %s", p, s.options.Project)
	}
	return d, nil
}

// alwaysRead are the types of which a policy lists no versions: its own, a package's,
// and those about records, which its retention governs.
var alwaysRead = []string{PolicyType, evidence.ReleaseEvidence, EraseType, LegalHoldType, LegalHoldLiftType}

// judgeFormat keeps new acts to the versions that the policy accepts; a policy is
// always read, so that no policy can lock the log.
func (s *State) judgeFormat(predicateType string) *Refusal {
	name := predicateType[len(evidence.Namespace):]
	if slices.Contains(alwaysRead, predicateType) || slices.Contains(s.policy.Rules.Formats, name) {
		return nil
	}
	return refuse(CodeRule, "", "the policy accepts %s for new acts, not %s", quoted(s.policy.Rules.Formats), name).about(s.policy.Acts...)
}

// sign asks the trust version in force at the act's index whether its signer may do
// it: the highest that the legal acts before and the act itself name.
func (s *State) sign(d deed, a Act) (signed, *Refusal) {
	by := signed{Act: a}
	if _, ofPackage := d.(*closed); ofPackage {
		return by, nil
	}
	if s.options.Authorities == nil {
		return by, refuse(CodeEvidence, "give --pin and --trust", "no trust root was given")
	}
	h := d.head()
	authority, refusal := s.authority(h.Trust, a.Recorded)
	if refusal != nil {
		return by, refusal
	}
	p := d.place()
	ruling := authority.Rule(trust.Use{
		KeyID: a.KeyID, PredicateType: a.PredicateType, Project: p.project, Environment: p.environment, Ring: p.ring,
		Statement: a.Digest, Envelope: a.Envelope,
	})
	if ruling.Outcome != trust.Granted {
		return by, refuse(CodeEvidence, ruling.Hint, "%s", ruling.Reason)
	}
	if named := (Actor{ruling.Signer.KeyID, ruling.Signer.Person}); h.Actor != named {
		return by, refuse(CodeEvidence, "", "the act names %s (%s) as its signer, and %s (%s) signed it", h.Actor.KeyID, h.Actor.Person, named.KeyID, named.Person)
	}
	by.person, by.threshold, by.trust = ruling.Signer.Person, authority.Threshold(trust.Policy), s.trust
	by.role, by.authority = ruling.Signer.Role, authority
	if h.Trust.Version > s.trust.Version {
		by.trust = h.Trust
	}
	return by, nil
}

// authority returns the one that counts. The version that the act names must exist
// even where a higher one counts.
func (s *State) authority(named TrustVersion, at time.Time) (trust.Authority, *Refusal) {
	authority, err := s.options.Authorities.AtVersion(named.Version, named.Digest, at)
	if err == nil && named.Version < s.trust.Version {
		authority, err = s.options.Authorities.AtVersion(s.trust.Version, s.trust.Digest, at)
	}
	if err != nil {
		return nil, refuse(CodeEvidence, "get the newest trust directory from the root's owners", "%v", err)
	}
	return authority, nil
}

// A closing is a package's own statement in the log. It knows no store, names nobody
// and is never illegal; whether its signer was a releaser is asked when a capture
// stands on the version.
type closing struct {
	signed
	version  string
	manifest evidence.Digest
}

// closed is the deed of a closing statement.
type closed struct {
	release.Closing
	manifest evidence.Digest
}

func readClosed(data []byte) (deed, error) {
	st, err := evidence.DecodeStatement[release.Closing](data, evidence.ReleaseEvidence)
	if err != nil {
		return nil, err
	}
	manifest, err := evidence.ParseDigest(st.Predicate.Manifest)
	return &closed{st.Predicate, manifest}, err
}

func (c *closed) head() Head                    { return Head{} }
func (c *closed) place() place                  { return place{project: c.Release.Project} }
func (c *closed) check() error                  { return nil }
func (c *closed) subjects() []evidence.Subject  { return nil }
func (c *closed) facts() evidence.Facts         { return evidence.Facts{} }
func (c *closed) judge(*State, signed) *Refusal { return nil }
func (c *closed) apply(s *State, by signed) {
	s.closings = append(s.closings, closing{by, c.Release.Version, c.manifest})
}

// owner returns the package to which a version belongs: that of the first legal
// capture, before one that of the first closing statement by a releaser, as a trust
// version sees him at the time when it was recorded.
func (s *State) owner(version string, t TrustVersion) (claim, bool) {
	if c, ok := s.versions[version]; ok {
		return c, true
	}
	for _, c := range s.closings {
		if c.version == version && s.isReleaser(c, t) {
			return claim{c.manifest, c.Digest}, true
		}
	}
	return claim{}, false
}

func (s *State) isReleaser(c closing, t TrustVersion) bool {
	authority, err := s.options.Authorities.AtVersion(t.Version, t.Digest, c.Recorded)
	if err != nil {
		return false
	}
	return authority.Rule(trust.Use{
		KeyID: c.KeyID, PredicateType: evidence.ReleaseEvidence, Project: s.options.Project, Statement: c.Digest, Envelope: c.Envelope,
	}).Outcome == trust.Granted
}
