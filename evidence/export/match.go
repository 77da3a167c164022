package export

import (
	"bytes"
	"slices"

	"github.com/rollproof/rollproof/evidence"
)

// Matches reports whether a record with its subjects fits a query, as a store would
// decide it. A query for words is a [*evidence.QueryError]: only the store's index of
// words can tell.
func Matches(q evidence.Query, r evidence.Record) (bool, error) {
	if q.Text != "" {
		return false, &evidence.QueryError{Field: "text", Problem: "words are decided by the store alone", Hint: "filter by facts"}
	}
	if !q.Since.IsZero() && r.Recorded.Before(q.Since) || !q.Until.IsZero() && !r.Recorded.Before(q.Until) || q.Illegal && r.Illegal == "" {
		return false, nil
	}
	for _, f := range []struct {
		fact string
		list []string
	}{
		{r.Project, q.Projects}, {r.Version, q.Versions}, {r.Signer.Person, q.Persons}, {r.ChangeRecord, q.ChangeRecords},
		{r.Environment, q.Environments}, {r.Ring, q.Rings}, {r.TargetRing, q.TargetRings},
		{r.RolloutStatus, q.RolloutStatuses}, {r.ApprovalState, q.ApprovalStates}, {r.Rollout, q.Rollouts},
		{executed(r, evidence.KindPromotionExecution), q.PromotionResults}, {executed(r, evidence.KindRollbackExecution), q.RollbackResults},
	} {
		// A record without the fact fits no value of it, not even the empty one.
		if len(f.list) > 0 && (f.fact == "" || !slices.Contains(f.list, f.fact)) {
			return false, nil
		}
	}
	return oneOf(q.Kinds, r.Kind) && oneOf(q.Signers, r.Signer.KeyID) && targets(q.DeploymentTargets, r) && digests(q.Digests, r), nil
}

func oneOf[T comparable](list []T, value T) bool {
	return len(list) == 0 || slices.Contains(list, value)
}

// executed is the record's execution status, as far as it is of the given kind.
func executed(r evidence.Record, kind evidence.Kind) string {
	if r.Kind != kind {
		return ""
	}
	return r.ExecutionStatus
}

func targets(list []string, r evidence.Record) bool {
	return len(list) == 0 || slices.ContainsFunc(r.DeploymentTargets, func(t string) bool { return slices.Contains(list, t) })
}

func digests(list []string, r evidence.Record) bool {
	if len(list) == 0 {
		return true
	}
	return slices.ContainsFunc(r.Digests(), func(value string) bool {
		key := evidence.DigestKey(value)
		return slices.ContainsFunc(list, func(d string) bool { return bytes.Equal(evidence.DigestKey(d), key) })
	})
}
