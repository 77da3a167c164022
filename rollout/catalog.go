package rollout

import (
	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
)

// kinds are those under which a store lists the acts. A population is a rule of
// whom to count, an erasure an order of the policy role.
var kinds = map[string]evidence.Kind{
	PolicyType: evidence.KindPolicy, PopulationType: evidence.KindPolicy, HoldType: evidence.KindHold, LiftType: evidence.KindHold,
	EraseType: evidence.KindPolicy, LegalHoldType: evidence.KindHold, LegalHoldLiftType: evidence.KindHold,
	RolloutType: evidence.KindRollout, StatusType: evidence.KindRolloutStatus, ObservationType: evidence.KindObservation,
	PromotionRequestType: evidence.KindPromotionRequest, RollbackRequestType: evidence.KindPromotionRequest,
	ApprovalType: evidence.KindApproval, DenialType: evidence.KindApproval, RevocationType: evidence.KindApproval,
	PromotionExecutionType: evidence.KindPromotionExecution, RollbackExecutionType: evidence.KindRollbackExecution,
}

// CatalogEntries says what the statements of this package are to an evidence store.
func CatalogEntries() []evidence.Entry {
	var list []evidence.Entry
	for _, predicateType := range PredicateTypes() {
		read := readers[predicateType]
		list = append(list, evidence.Entry{
			PredicateType: predicateType, Schema: predicateType, Roles: trust.RolesFor(predicateType), Kind: kinds[predicateType],
			Facts: func(statement []byte) (evidence.Facts, error) {
				d, err := read(statement)
				if err != nil {
					return evidence.Facts{}, err
				}
				return ownFacts(predicateType, d.facts(), evidence.DigestOf(statement)), nil
			},
		})
	}
	return list
}

// ownFacts makes a request, an approval and an execution found by its own id too,
// which is its act.
func ownFacts(predicateType string, f evidence.Facts, act evidence.Digest) evidence.Facts {
	switch predicateType {
	case PromotionRequestType, RollbackRequestType:
		f.Request = act.String()
	case ApprovalType, DenialType:
		f.Approval = act.String()
	case PromotionExecutionType, RollbackExecutionType:
		f.Execution = act.String()
	}
	return f
}
