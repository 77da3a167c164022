package rollout

import (
	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
)

// kinds are those under which a store lists the acts. A population is a rule of
// whom to count.
var kinds = map[string]evidence.Kind{
	PolicyType: evidence.KindPolicy, PopulationType: evidence.KindPolicy, HoldType: evidence.KindHold, LiftType: evidence.KindHold,
	RolloutType: evidence.KindRollout, StatusType: evidence.KindRolloutStatus, ObservationType: evidence.KindObservation,
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
				return d.facts(), nil
			},
		})
	}
	return list
}
