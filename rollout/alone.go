package rollout

import (
	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
)

// DecideAlone signs an approval or a denial of a request that came as a bundle, where
// there is no log to ask: whether it is legal, the log says that it is brought to.
// verify checks the bundle's signature and its signer. That the request alone was
// checked stands in the statement.
func DecideAlone(h Head, bundle []byte, yes bool, d Decision, signer envelope.Signer, verify func(bundle []byte) error) (envelope.Bundle, error) {
	none := envelope.Bundle{}
	if err := verify(bundle); err != nil {
		return none, err
	}
	b, err := envelope.ParseBundle(bundle)
	if err != nil {
		return none, badEvidence(err)
	}
	t, err := readTerms(b.Payload)
	if err != nil {
		return none, err
	}
	request := evidence.DigestOf(b.Payload)
	h = h.normal()
	if !yes {
		s, err := statement[Denial](DenialType, Denial{
			h.Actor, h.Trust, h.Seen, h.Claimed, t.project, t.version, t.rollout, t.environment, t.ring, request, CheckedRequest, d.Reason,
		})
		if err != nil {
			return none, err
		}
		return evidence.Sign(signer, s)
	}
	if d.Expires.IsZero() {
		d.Expires = t.expires
	}
	s, err := statement[Approval](ApprovalType, Approval{
		h.Actor, h.Trust, h.Seen, h.Claimed, t.project, t.version, t.rollout, t.environment, t.ring, request.String(), "",
		d.meaning(), CheckedRequest, second(d.Expires), d.Reason,
	})
	if err != nil {
		return none, err
	}
	return evidence.Sign(signer, s)
}

// readTerms reads a request of either kind.
func readTerms(payload []byte) (terms, error) {
	for _, predicateType := range []string{PromotionRequestType, RollbackRequestType} {
		if otherType(payload, predicateType) != nil {
			continue
		}
		d, err := readers[predicateType](payload)
		if err != nil {
			return terms{}, badEvidence(err)
		}
		switch r := d.(type) {
		case *PromotionRequest:
			return *r.terms(), nil
		case *RollbackRequest:
			return *r.terms(), nil
		}
	}
	return terms{}, refuse(CodeEvidence, "rollproof approval export writes one", "the file is no request")
}
