package httpapi

import (
	"encoding/json"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/internal/service"
)

// subjectOf is the request or execution that an act names: its first subject.
func subjectOf(bundle []byte) (evidence.Digest, error) {
	b, err := envelope.ParseBundle(bundle)
	if err != nil {
		return evidence.Digest{}, &service.Failure{Code: service.CodeEvidence, Message: err.Error(), Hint: "give a signed bundle"}
	}
	var s struct {
		Subject []evidence.Subject `json:"subject"`
	}
	if err := json.Unmarshal(b.Payload, &s); err != nil || len(s.Subject) == 0 {
		return evidence.Digest{}, &service.Failure{Code: service.CodeEvidence, Message: "the statement names nothing"}
	}
	return evidence.ParseDigest(s.Subject[0].Digest["sha256"])
}
