package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
)

// MaxValidity is how long a request can be executed at most, counted from when it is
// recorded; the same for an approval, and for what a promotion pre-approves.
const MaxValidity = 30 * 24 * time.Hour

// The kinds of requests.
const (
	KindPromotion = "promotion"
	KindRollback  = "rollback"
)

// An Ask is what a requester decides, and which log it is for.
type Ask struct {
	TrustRoot string    // digest of version 1 of the trust root
	Origin    string    // of the log that shall execute it, "" where that has no identity
	Targets   []string  // ids; none for all
	Expires   time.Time // at most [MaxValidity] from now
	Reason    string
	// Rollback pre-approves going back; of promotions alone, nil for nothing.
	Rollback *PreApproved
}

// terms are what both kinds of request say.
type terms struct {
	kind, id, project, version, change, rollout string

	about             evidence.Digest // the capture, or the execution to be undone
	environment, ring string          // that is entered
	from              string          // the ring that is left, the same for a rollback
	policy            evidence.Digest
	plan              []Step
	origin, trustRoot string
	expires           time.Time
	reason            string
	supersedes        string
	denied            []evidence.Digest
	rollback          *PreApproved
}

// A petition is a legal request as the log has it.
type petition struct {
	terms
	digest     evidence.Digest
	index      int64
	recorded   time.Time
	person     string
	identity   evidence.Digest // of its plan
	votes      []*vote         // in the order of the log
	executed   evidence.Digest
	need       int // persons, when it was executed
	superseded evidence.Digest
}

// A matter is what requests compete for: the rollout or execution, and a ring.
type matter struct {
	about evidence.Digest
	ring  string
}

func (t *terms) matter() matter { return matter{t.about, t.ring} }

func (t *terms) identity() evidence.Digest {
	return planDigest(t.environment, t.from, t.ring, t.plan)
}

// requestID is <rollout>-to-<ring>-<8 hex digits of the plan's digest>, with "back"
// for a rollback.
func (t *terms) requestID() string {
	word := "to"
	if t.kind == KindRollback {
		word = "back"
	}
	return fmt.Sprintf("%s-%s-%s-%s", t.rollout, word, t.ring, t.identity().Hex()[:8])
}

// check holds the terms to what they must be by themselves.
func (t *terms) check() error {
	if err := checkBelongs(t.environment, t.ring, t.rollout, t.change, t.version); err != nil {
		return err
	}
	if err := checkName("ring", t.from, maxRing); err != nil {
		return err
	}
	if err := checkPlan(t.plan); err != nil {
		return err
	}
	if err := checkOrigin(t.origin); err != nil {
		return err
	}
	if err := checkTime("expires", t.expires); err != nil {
		return err
	}
	if err := checkOptional("supersedes", t.supersedes); err != nil {
		return err
	}
	if !digestForm.MatchString(t.trustRoot) {
		return fmt.Errorf("the trust root is %q, expected the digest of its version 1", archive.Printable(t.trustRoot))
	}
	if err := checkDigests("denied", t.denied); err != nil {
		return err
	}
	if want := t.requestID(); t.id != want {
		return fmt.Errorf("the request's id is %q, what it says makes it %q", archive.Printable(t.id), want)
	}
	return checkReason(t.reason)
}

func checkOrigin(origin string) error {
	if len(origin) > 255 || archive.Printable(origin) != origin {
		return fmt.Errorf("origin %q: expected at most 255 bytes without control or invisible characters", archive.Printable(origin))
	}
	return nil
}

func checkDigests(what string, list []evidence.Digest) error {
	var texts []string
	for _, d := range list {
		texts = append(texts, d.String())
	}
	if list == nil || !increasing(texts) {
		return fmt.Errorf("%s: null, not sorted, or one stands twice", what)
	}
	return nil
}

// facts are those of both kinds; the ring is the one that the signer's grant reaches.
func (t *terms) facts(h Head) evidence.Facts {
	f := h.facts()
	f.Project, f.Version, f.ChangeRecord, f.Rollout = t.project, t.version, t.change, t.rollout
	f.Environment, f.Ring, f.TargetRing = t.environment, t.ring, t.ring
	f.ApprovalState, f.DeploymentTargets = "pending", stepIDs(t.plan)
	f.Text = []string{t.id, t.from, t.reason}
	if len(t.denied) > 0 {
		f.Text = append(f.Text, "denied before")
	}
	return f
}

// same reports whether two requests ask for the same: who asks, why and until when
// aside, and what was denied or superseded before.
func (t *terms) same(other *terms) bool {
	return t.matter() == other.matter() && t.environment == other.environment && t.identity() == other.identity() && t.policy == other.policy &&
		t.origin == other.origin && t.trustRoot == other.trustRoot && t.rollback.equal(other.rollback)
}

// State of a request at a time; the name of an open one is "".
func (p *petition) closed(at time.Time) string {
	switch {
	case !p.executed.IsZero():
		return "executed"
	case p.denial() != nil:
		return "denied"
	case !p.superseded.IsZero():
		return "superseded"
	case !at.Before(p.expires):
		return "expired"
	}
	return ""
}

// denial returns the first denial of the request, nil for none.
func (p *petition) denial() *vote {
	for _, v := range p.votes {
		if v.deny {
			return v
		}
	}
	return nil
}

// refuseClosed says that nothing more can be done with a request.
func (p *petition) refuseClosed(at time.Time) *Refusal {
	switch p.closed(at) {
	case "executed":
		return refuse(CodeConflict, "", "request %s is executed already", p.id).about(p.executed)
	case "denied":
		v := p.denial()
		return refuse(CodeApproval, "request it again: the denier lifts the denial, or one more person approves", "request %s was denied by %s: %s", p.id, v.person, archive.Printable(v.reason)).about(v.act)
	case "superseded":
		return refuse(CodeConflict, "look at the newer request: rollproof approval list", "request %s (%s) was superseded", p.id, p.digest).about(p.superseded)
	case "expired":
		return refuse(CodeApproval, "request it again", "request %s expired %s", p.id, stamp(p.expires)).about(p.digest)
	}
	return nil
}

// judgeAgain finds an open request for the same.
func (t *terms) judgeAgain(s *State, at time.Time) *Refusal {
	open := s.openPetition(t.matter(), at)
	if open == nil || !t.same(&open.terms) {
		return nil
	}
	r := refuse(CodeConflict, "", "request %s is recorded already", open.id).about(open.digest)
	r.Already = open.digest
	return r
}

// judge decides what is the same for both kinds.
func (t *terms) judge(s *State, at time.Time) *Refusal {
	return gravest(t.judgeRoot(s, at), t.judgeDenied(s), t.judgeExpiry(at), t.judgePolicy(s), t.judgeSupersedes(s, at))
}

// judgeRoot keeps a request to the trust root that it names.
func (t *terms) judgeRoot(s *State, at time.Time) *Refusal {
	if _, err := s.options.Authorities.AtVersion(1, t.trustRoot, at); err != nil {
		return refuse(CodeApproval, "request it under this trust root", "the request is of another trust root: %v", err)
	}
	return nil
}

func (t *terms) judgeExpiry(at time.Time) *Refusal {
	switch {
	case !at.Before(t.expires):
		return refuse(CodeApproval, "request it again", "the request expired %s, before it was recorded", stamp(t.expires))
	case t.expires.After(at.Add(MaxValidity)):
		return refuse(CodeRule, "", "the request expires %s, expected at most 30 days from %s", stamp(t.expires), stamp(at))
	}
	return t.rollback.judge(at)
}

// judgePolicy keeps a request, and all that stands on it, to the rules that the
// approvers read in it.
func (t *terms) judgePolicy(s *State) *Refusal {
	if t.policy == s.policy.Digest {
		return nil
	}
	return refuse(CodeConflict, "request it again", "the request stands on rules %s, in force are %s", t.policy, s.policy.Digest).about(s.policy.Acts...)
}

// judgeDenied wants every denial of the plan in the text that approvers sign.
func (t *terms) judgeDenied(s *State) *Refusal {
	want := s.denials(t.environment, t.ring, t.plan)
	if slices.Equal(want, t.denied) {
		return nil
	}
	return refuse(CodeApproval, "request it again", "the request names %s as the denials of its plan, by this log they are %s", digestWords(t.denied), digestWords(want)).about(want...)
}

func digestWords(list []evidence.Digest) string {
	var texts []string
	for _, d := range list {
		texts = append(texts, d.String())
	}
	return quoted(texts)
}

func (t *terms) judgeSupersedes(s *State, at time.Time) *Refusal {
	want := ""
	if open := s.openPetition(t.matter(), at); open != nil {
		want = open.digest.String()
	}
	if t.supersedes == want {
		return nil
	}
	return refuse(CodeConflict, "request it again", "the request supersedes %s, the open one is %s", orNone(t.supersedes), orNone(want))
}

// apply records a request.
func (t *terms) apply(s *State, by signed) {
	if open := s.openPetition(t.matter(), by.Recorded); open != nil {
		open.superseded = by.Digest
	}
	s.petitions[by.Digest] = &petition{
		terms: *t, digest: by.Digest, index: by.Index, recorded: by.Recorded, person: by.person, identity: t.identity(),
	}
	s.newest[t.matter()], s.asked = by.Digest, append(s.asked, by.Digest)
}

// openPetition returns the request for a matter that can still be executed, nil for
// none.
func (s *State) openPetition(m matter, at time.Time) *petition {
	if p := s.petitions[s.newest[m]]; p != nil && p.closed(at) == "" {
		return p
	}
	return nil
}

// denials returns the denials of plans that made one of these moves, sorted.
func (s *State) denials(environment, ring string, plan []Step) []evidence.Digest {
	list := []evidence.Digest{}
	for _, m := range moves(environment, ring, plan) {
		for _, v := range s.deniedMoves[m] {
			list = append(list, v.act)
		}
	}
	slices.SortFunc(list, compareDigests)
	return slices.Compact(list)
}

func compareDigests(a, b evidence.Digest) int { return slices.Compare(a[:], b[:]) }

// stillDenied returns a denial of a plan's moves that its denier has not lifted.
func (s *State) stillDenied(environment, ring string, plan []Step) *vote {
	for _, m := range moves(environment, ring, plan) {
		for _, v := range s.deniedMoves[m] {
			if v.revoked.IsZero() {
				return v
			}
		}
	}
	return nil
}

// gravest returns the refusal that is given when several apply.
func gravest(list ...*Refusal) *Refusal {
	var worst *Refusal
	for _, r := range list {
		if r != nil && (worst == nil || slices.Index(gravity, r.Code) < slices.Index(gravity, worst.Code)) {
			worst = r
		}
	}
	return worst
}

var gravity = []Code{CodeEvidence, CodeApproval, CodeRule, CodeConflict}

// checkSaid holds names that a request repeats for searches to those of its release.
func checkSaid(version string, plan []Step) error {
	for _, s := range plan {
		if s.Incoming.Version != version {
			return fmt.Errorf("of version %s, and target %s receives %s", archive.Printable(version), archive.Printable(s.ID), s.Incoming.words())
		}
	}
	return release.CheckName("version", version)
}
