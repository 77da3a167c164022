package rollout

import (
	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
)

// DecideAlone signs an approval or a denial of a request, or an approval that helps to
// close an execution that broke glass, which came as a bundle, where there is no log to
// ask: whether it is legal, the log says that it is brought to. verify checks the
// bundle's signature and its signer. That the request alone was checked stands in the
// statement.
func DecideAlone(h Head, bundle []byte, yes bool, d Decision, signer envelope.Signer, verify func(bundle []byte) error) (envelope.Bundle, error) {
	none := envelope.Bundle{}
	if err := verify(bundle); err != nil {
		return none, err
	}
	b, err := envelope.ParseBundle(bundle)
	if err != nil {
		return none, badEvidence(err)
	}
	d.Checked = CheckedRequest
	if x, ok := readBroken(b.Payload); ok && yes {
		s, err := x.closing(h, evidence.DigestOf(b.Payload), d)
		if err != nil {
			return none, err
		}
		return evidence.Sign(signer, s)
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

// A broken is what an execution that broke glass says of itself.
type broken struct{ project, version, rollout, environment, ring string }

// readBroken reads an execution of either kind, if it broke glass.
func readBroken(payload []byte) (broken, bool) {
	_, d, err := readAny(payload)
	if err != nil {
		return broken{}, false
	}
	switch x := d.(type) {
	case *PromotionExecution:
		return broken{x.Project, x.Version, x.Rollout, x.Environment, x.Ring}, x.BreakGlass != nil
	case *RollbackExecution:
		return broken{x.Project, x.Version, x.Rollout, x.Environment, x.Ring}, x.BreakGlass != nil
	}
	return broken{}, false
}

// closing is the approval that helps to close it.
func (x broken) closing(h Head, execution evidence.Digest, d Decision) (evidence.Statement[Approval], error) {
	h = h.normal()
	if d.Expires.IsZero() {
		d.Expires = h.Claimed.Add(MaxValidity)
	}
	return statement[Approval](ApprovalType, Approval{
		h.Actor, h.Trust, h.Seen, h.Claimed, x.project, x.version, x.rollout, x.environment, x.ring, "", execution.String(),
		d.meaning(), d.checked(), second(d.Expires), d.Reason,
	})
}

// RevokeAlone signs the revocation of an approval, or the lift of a denial, that came
// as a bundle, where there is no log to ask.
func RevokeAlone(h Head, bundle []byte, reason string, signer envelope.Signer, verify func(bundle []byte) error) (envelope.Bundle, error) {
	none := envelope.Bundle{}
	if err := verify(bundle); err != nil {
		return none, err
	}
	b, err := envelope.ParseBundle(bundle)
	if err != nil {
		return none, badEvidence(err)
	}
	h = h.normal()
	r := ApprovalRevocation{Actor: h.Actor, Trust: h.Trust, Seen: h.Seen, Claimed: h.Claimed, Approval: evidence.DigestOf(b.Payload), Reason: reason}
	_, d, err := readAny(b.Payload)
	if err != nil {
		return none, badEvidence(err)
	}
	switch v := d.(type) {
	case *Approval:
		r.Project, r.Environment, r.Ring = v.Project, v.Environment, v.Ring
		_, r.On = v.on()
	case *Denial:
		r.Project, r.Environment, r.Ring, r.On = v.Project, v.Environment, v.Ring, v.Request
	default:
		return none, refuse(CodeEvidence, "give the bundle that approve or deny wrote", "the file is no approval and no denial")
	}
	s, err := statement[ApprovalRevocation](RevocationType, r)
	if err != nil {
		return none, err
	}
	return evidence.Sign(signer, s)
}

// RequestID returns the id of a request of either kind, by its statement.
func RequestID(statement []byte) (string, error) {
	t, err := readTerms(statement)
	return t.id, err
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
