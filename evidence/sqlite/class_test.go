package sqlite_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/storetest"
)

// A combination that somebody took away, so that a search misses its records, or made
// up, is named.
func TestForgedClasses(t *testing.T) {
	for name, attack := range map[string]struct{ statement, want string }{
		"taken away": {"DELETE FROM class", "record 0: class: expected the combination of its facts, found nothing"},
		"changed":    {"UPDATE class SET project = 'x' || project", "record 0: class"},
		"made up":    {"INSERT INTO class VALUES ('hold', 'x', '', '', '', '', '', '')", "store: class: expected facts of a record, found of none"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filled(t)
			behindTriggers(t, file, attack.statement)
			mention(t, found(t, file), attack.want)
		})
	}
	if err := try(filled(t), "DELETE FROM class"); err == nil || !strings.Contains(err.Error(), "append-only") {
		t.Errorf("got %v", err)
	}
}

// combined are queries for several facts with few values, with and without answers.
func combined() []evidence.Query {
	list := func(v ...string) []string { return v }
	kinds := []evidence.Kind{evidence.KindRollout, evidence.KindHold}
	return []evidence.Query{
		{Kinds: kinds, Environments: list("production")}, {Kinds: kinds, Environments: list("nowhere")}, {Rings: list("pilot"), TargetRings: list("pilot")},
		{Kinds: kinds, RolloutStatuses: list("planned", "failed"), Text: "odd"}, {Kinds: kinds, PromotionResults: list("executed")},
		{Environments: list("production", "test"), Rings: list("pilot"), DeploymentTargets: list("runner")}, {Projects: list("age"), Environments: list("test")},
	}
}

// Searches by combinations find what a look at each record finds, on every page, also
// where so many combinations fit that they are not walked.
func TestCombinations(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "evidence.db"), frozen)
	var records []evidence.Record
	for n := range 300 {
		r := storetest.Examine(t, storetest.Rollout(n))
		r.Environment, r.Ring = []string{"production", "test"}[n%2], []string{"pilot", "staging", "", "production"}[n%4]
		r.RolloutStatus, r.Project = []string{"planned", "failed", "succeeded"}[n%3], []string{"age", "b"}[n/150]
		r.Kind, r.DeploymentTargets, r.Text = evidence.KindRollout, []string{"runner", "laptop"}[n%5/4:][:1], []string{[]string{"even", "odd"}[n/3%2]}
		if n%2 == 0 {
			r.Project = "project-" + r.ChangeRecord // many combinations
		}
		records = append(records, r)
	}
	if _, err := evidence.Add(t.Context(), s, records); err != nil {
		t.Fatal(err)
	}
	answers := 0
	for _, q := range append(combined(), evidence.Query{Kinds: evidence.Kinds, RolloutStatuses: evidence.RolloutStatuses}) {
		var want []int64
		for i, r := range records {
			if fits(q, r) {
				want = append(want, int64(i))
			}
		}
		answers += min(1, len(want))
		q.Order, q.Limit = evidence.OldestFirst, 7
		if got := allPages(t, s, q); !slices.Equal(got, want) {
			t.Errorf("%+v: %v, expected %v", q, got, want)
		}
		slices.Reverse(want)
		q.Order = evidence.NewestFirst
		if got := allPages(t, s, q); !slices.Equal(got, want) {
			t.Errorf("%+v: %v, expected %v", q, got, want)
		}
	}
	if answers < 4 {
		t.Errorf("%d queries have answers", answers)
	}
}

func allPages(t *testing.T, s *sqlite.Store, q evidence.Query) []int64 {
	t.Helper()
	var list []int64
	for {
		page, err := s.Search(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			list = append(list, r.Index)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return list
		}
	}
}

// fits is a second reading of the filters that combined has.
func fits(q evidence.Query, r evidence.Record) bool {
	has := func(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
	targets := len(q.DeploymentTargets) == 0 || slices.Contains(r.DeploymentTargets, q.DeploymentTargets[0])
	text := q.Text == "" || strings.Contains(strings.ToLower(strings.Join(r.Words(), " ")), q.Text)
	executed := len(q.PromotionResults) == 0 || r.Kind == evidence.KindPromotionExecution
	return (len(q.Kinds) == 0 || slices.Contains(q.Kinds, r.Kind)) && has(q.Environments, r.Environment) && has(q.Rings, r.Ring) && has(q.TargetRings, r.TargetRing) &&
		has(q.RolloutStatuses, r.RolloutStatus) && has(q.Projects, r.Project) && targets && text && executed
}

// A store of the first layout comes to this one with its records.
func TestOlderLayout(t *testing.T) {
	file := filled(t)
	administer(t, file, "DROP TABLE blob_erasure", "DROP INDEX record_class", "DROP TABLE class", "PRAGMA user_version = 1")
	if _, err := sqlite.OpenReadOnly(t.Context(), file); !errors.Is(err, evidence.ErrOlderSchema) {
		t.Errorf("got %v", err)
	}
	s := openAt(t, file, frozen)
	storetest.Sound(t, s)
	storetest.Add(t, s, storetest.Rollout(99))
	storetest.Sound(t, s)
}
