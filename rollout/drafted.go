package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// maxDrafted is how far the date of a draft may lie from its signer's clock.
const maxDrafted = 5 * time.Minute

// CheckDraftedExecution compares an execution that somebody else composed with the
// request that its signer has verified, and with who signs: of what is not the
// request's, only the approvals and the log's origin are left to the drafter. approvals
// are those that the signer has verified, by their acts. incident is what the signer
// asked for.
func CheckDraftedExecution(draft, request []byte, h Head, approvals []evidence.Digest, incident string, now time.Time) error {
	s, err := evidence.DecodeStatement[PromotionExecution](draft, PromotionExecutionType)
	if err != nil {
		return badEvidence(err)
	}
	t, err := readTerms(request)
	if err != nil {
		return err
	}
	asked, err := evidence.DecodeStatement[PromotionRequest](request, PromotionRequestType)
	if err != nil {
		return badEvidence(err)
	}
	x := s.Predicate
	p := &petition{terms: t, digest: evidence.DigestOf(request), identity: t.identity()}
	for what, fits := range map[string]bool{
		"the request":   x.Request == p.digest && x.fits(p, &track{Rollout: Rollout{Manifest: asked.Predicate.Manifest}}),
		"its signer":    x.Actor == h.Actor && x.Trust == h.Trust,
		"its log":       x.Origin == t.origin,
		"its approvals": slices.Equal(x.Approvals, slices.SortedFunc(slices.Values(approvals), compareDigests)),
		"its incident":  (x.BreakGlass == nil) == (incident == "") && (x.BreakGlass == nil || x.BreakGlass.Incident == incident),
		"its date":      x.Claimed.Sub(now).Abs() <= maxDrafted,
	} {
		if !fits {
			return refuse(CodeEvidence, "draft it again, and ask who runs the server", "the draft is not what was asked for: %s", what)
		}
	}
	_, err = readers[PromotionExecutionType](draft)
	return err
}

// CheckDraftedRevocation compares a revocation that somebody else composed with the
// approval or denial that its signer has verified.
func CheckDraftedRevocation(draft, decision []byte, h Head, reason string, now time.Time) error {
	s, err := evidence.DecodeStatement[ApprovalRevocation](draft, RevocationType)
	if err != nil {
		return badEvidence(err)
	}
	on, err := decidedOn(decision)
	if err != nil {
		return err
	}
	x := s.Predicate
	if x.Approval != evidence.DigestOf(decision) || x.On != on || x.Actor != h.Actor || x.Trust != h.Trust || x.Reason != reason || x.Claimed.Sub(now).Abs() > maxDrafted {
		return refuse(CodeEvidence, "draft it again, and ask who runs the server", "the draft is not what was asked for")
	}
	_, err = readers[RevocationType](draft)
	return err
}

// decidedOn is what an approval or a denial is about.
func decidedOn(decision []byte) (evidence.Digest, error) {
	for _, predicateType := range []string{ApprovalType, DenialType} {
		if otherType(decision, predicateType) != nil {
			continue
		}
		d, err := readers[predicateType](decision)
		if err != nil {
			return evidence.Digest{}, badEvidence(err)
		}
		return evidence.ParseDigest(d.subjects()[0].Digest["sha256"])
	}
	return evidence.Digest{}, fmt.Errorf("the statement is neither an approval nor a denial")
}
