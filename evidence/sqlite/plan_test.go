package sqlite

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// plan returns how SQLite goes about a query, one step a line.
func plan(t *testing.T, s *Store, query string, args []any) string {
	t.Helper()
	rows, err := s.readers.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	return strings.Join(steps, "\n")
}

func emptyStore(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "evidence.db"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// everything is a query with every filter, each with two values.
func everything() evidence.Query {
	two := []string{"a", "b"}
	return evidence.Query{
		Kinds: []evidence.Kind{evidence.KindApproval, evidence.KindHold}, Projects: two, Versions: two, Digests: []string{"aa", "bb"}, Signers: two, Persons: two,
		ChangeRecords: two, Environments: two, Rings: two, TargetRings: two, RolloutStatuses: two, ApprovalStates: two, PromotionResults: two,
		RollbackResults: two, DeploymentTargets: two, Rollouts: two, Illegal: true, Text: "a b*",
	}
}

// Each filter walks an index of its own in the order of the log: it looks at no record
// that does not fit, and sorts nothing.
func TestEveryTermHasAnIndex(t *testing.T) {
	s := emptyStore(t)
	terms := termsOf(everything())
	if len(terms) != 18 {
		t.Fatalf("%d terms, expected one of each filter", len(terms))
	}
	indexes := map[string]string{}
	for _, term := range terms {
		for _, newest := range []bool{true, false} {
			query, args := term.posting(span{-1, 1000, newest}, 64)
			got := plan(t, s, query, args)
			index := usedIndex(got)
			if index == "" || strings.Contains(got, "SCAN record") || strings.Contains(got, "TEMP B-TREE") || strings.Contains(got, "INTEGER PRIMARY KEY") {
				t.Errorf("%s\n%s", query, got)
			}
			if other, twice := indexes[index]; twice && other != term.value {
				t.Errorf("%s and %s use %s", other, term.value, index)
			}
			indexes[index] = term.value
		}
	}
}

// usedIndex returns the name of the first index in a plan.
func usedIndex(plan string) string {
	for _, before := range []string{"USING COVERING INDEX ", "USING INDEX ", "USING PRIMARY KEY ", "VIRTUAL TABLE INDEX "} {
		if _, rest, ok := strings.Cut(plan, before); ok {
			return before + strings.Fields(rest)[0] + strings.Fields(plan)[0] + tableOf(plan)
		}
	}
	return ""
}

// tableOf tells primary keys and virtual tables apart, which have no names.
func tableOf(plan string) string {
	for _, table := range []string{"digest", "target", "words"} {
		if strings.Contains(plan, "SEARCH "+table) || strings.Contains(plan, "SCAN "+table) {
			return table
		}
	}
	return "record"
}

// The other filters are looked up for each candidate, which is read by its index.
func TestCandidatesAreReadByIndex(t *testing.T) {
	s := emptyStore(t)
	terms := termsOf(everything())
	for i, driver := range terms {
		posting, args := driver.posting(span{-1, 1000, true}, 64)
		query := selectRecord + " FROM record NOT INDEXED WHERE record.idx IN (" + posting + ")"
		for k, other := range terms {
			if k == i {
				continue
			}
			text, more := other.condition()
			query, args = query+" AND "+text, append(args, more...)
		}
		got := plan(t, s, query+" ORDER BY record.idx DESC", args)
		if !strings.HasPrefix(got, "SEARCH record USING INTEGER PRIMARY KEY (rowid=?)") || strings.Contains(got, "SCAN record") || strings.Contains(got, "SCAN digest") || strings.Contains(got, "SCAN target") {
			t.Errorf("%s\n%s", driver.value, got)
		}
	}
}

func TestScansWalkIndexes(t *testing.T) {
	s := emptyStore(t)
	for want, r := range map[string]evidence.Range{
		"INTEGER PRIMARY KEY (rowid>? AND rowid<?)": {To: 9},
		"record_kind":    {To: 9, Kinds: []evidence.Kind{evidence.KindHold, evidence.KindApproval}},
		"record_project": {To: 9, Kinds: []evidence.Kind{evidence.KindHold}, Projects: []string{"", "age"}},
	} {
		query, args := scanQuery(r, 3, 10)
		if got := plan(t, s, query, args); !strings.Contains(got, want) || strings.Contains(got, "SCAN") || strings.Contains(got, "TEMP B-TREE") {
			t.Errorf("%+v\n%s", r, got)
		}
	}
}

// Several facts with few values are walked by the combinations that records have of
// them: in the order of the log, and without sorting.
func TestCombinationsHaveAnIndex(t *testing.T) {
	s := emptyStore(t)
	class := anys(classColumns)
	combined := &term{table: "record", index: "idx", classes: [][]any{class, class}}
	for _, newest := range []bool{true, false} {
		query, args := combined.posting(span{-1, 1000, newest}, 64)
		got := plan(t, s, query, args)
		if !strings.Contains(got, "COVERING INDEX record_class (kind=? AND project=?") || !strings.Contains(got, "execution_status=? AND rowid>? AND rowid<?") || strings.Contains(got, "TEMP B-TREE") {
			t.Errorf("%s\n%s", query, got)
		}
	}
}
