package evidence

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence/envelope"
)

// A Query selects records. A record fits when it fits every list that is not empty,
// and it fits a list when it has one of its values. The zero value selects all.
type Query struct {
	Kinds             []Kind    `json:"kinds,omitempty"`
	Projects          []string  `json:"projects,omitempty"`
	Versions          []string  `json:"versions,omitempty"`
	Digests           []string  `json:"digests,omitempty"` // of any subject, with or without "algorithm:"
	Signers           []string  `json:"signers,omitempty"` // keyids
	Persons           []string  `json:"persons,omitempty"`
	ChangeRecords     []string  `json:"changeRecords,omitempty"`
	Environments      []string  `json:"environments,omitempty"`
	Rings             []string  `json:"rings,omitempty"`
	TargetRings       []string  `json:"targetRings,omitempty"`
	RolloutStatuses   []string  `json:"rolloutStatuses,omitempty"`
	ApprovalStates    []string  `json:"approvalStates,omitempty"`
	PromotionResults  []string  `json:"promotionResults,omitempty"`
	RollbackResults   []string  `json:"rollbackResults,omitempty"`
	DeploymentTargets []string  `json:"deploymentTargets,omitempty"`
	Rollouts          []string  `json:"rollouts,omitempty"`
	Since             time.Time `json:"since,omitzero"` // recorded at or after
	Until             time.Time `json:"until,omitzero"` // recorded before
	Illegal           bool      `json:"illegal,omitempty"`
	Text              string    `json:"text,omitempty"` // words that must all occur; a last * stands for any ending

	Order  Order  `json:"order"`
	Limit  int    `json:"-"` // records of one page: 1 to MaxLimit, 0 for DefaultLimit
	Cursor string `json:"-"` // where a page before ended: its Page.Next
}

// Limits of [Query.Limit].
const (
	DefaultLimit = 50
	MaxLimit     = 1000
)

// An Order is by log index.
type Order string

// The orders.
const (
	NewestFirst Order = "newest"
	OldestFirst Order = "oldest"
)

// A Page is a part of an answer.
type Page struct {
	Records []Record // without envelope and subjects
	Next    string   // the cursor of the page after, "" on the last one
}

// A QueryError says which part of a query can't be answered.
type QueryError struct{ Field, Problem, Hint string }

func (e *QueryError) Error() string { return e.Field + ": " + e.Problem }

// Checked returns the query with its defaults, or a [*QueryError].
func (q Query) Checked() (Query, error) {
	if q.Order == "" {
		q.Order = NewestFirst
	}
	if q.Limit == 0 {
		q.Limit = DefaultLimit
	}
	if q.Limit < 1 || q.Limit > MaxLimit {
		return q, &QueryError{"limit", fmt.Sprintf("%d", q.Limit), fmt.Sprintf("1 to %d", MaxLimit)}
	}
	for _, list := range []struct {
		field         string
		given, values []string
	}{
		{"order", []string{string(q.Order)}, []string{string(NewestFirst), string(OldestFirst)}},
		{"metadata-kind", texts(q.Kinds), texts(Kinds)},
		{"rollout-status", q.RolloutStatuses, RolloutStatuses},
		{"approval-state", q.ApprovalStates, ApprovalStates},
		{"promotion-execution-status", q.PromotionResults, PromotionExecutionResults},
		{"rollback-execution-status", q.RollbackResults, RollbackExecutionResults},
	} {
		if err := oneOf(list.field, list.given, list.values); err != nil {
			return q, err
		}
	}
	return q, nil
}

func texts(kinds []Kind) []string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = string(k)
	}
	return out
}

func oneOf(field string, given, values []string) error {
	for _, v := range given {
		if slices.Contains(values, v) {
			continue
		}
		hint := "one of " + strings.Join(values, ", ")
		if near := envelope.Nearest(v, values); near != "" {
			hint = "the nearest known is " + near
		}
		return &QueryError{field, fmt.Sprintf("%q is not known", v), hint}
	}
	return nil
}

// After returns the index behind which a page of this query begins; ok is false for
// the first page. A cursor belongs to one query: with another one it is an error.
func (q Query) After() (index int64, ok bool, err error) {
	if q.Cursor == "" {
		return 0, false, nil
	}
	number, sum, _ := strings.Cut(q.Cursor, ".")
	index, err = strconv.ParseInt(number, 10, 64)
	if err != nil || index < 0 || q.CursorAt(index) != q.Cursor {
		problem := "not one that a search printed"
		if sum != "" && err == nil {
			problem = "of another search"
		}
		return 0, false, &QueryError{"cursor", problem, "give the same filters and order as the search that printed it"}
	}
	return index, true, nil
}

// CursorAt returns the cursor of a page whose last record has this index. Records
// that are added later never move it.
func (q Query) CursorAt(index int64) string {
	data, err := json.Marshal(q)
	if err != nil {
		return "" // a struct of strings and years from 0 to 9999
	}
	sum := DigestOf(data)
	return fmt.Sprintf("%d.%x", index, sum[:6])
}

// DigestKey is what a digest is found by: the bytes behind hex digits, or the text
// as it is. An "algorithm:" before it does not count.
func DigestKey(value string) []byte {
	if _, digits, ok := strings.Cut(value, ":"); ok {
		value = digits
	}
	if raw, err := hex.DecodeString(value); err == nil {
		return raw
	}
	return []byte(value)
}
