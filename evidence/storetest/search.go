package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/trust"
)

// nobody is an authority that knows no key.
type nobody struct{}

func (nobody) Key(string) (envelope.PublicKey, bool) { return envelope.PublicKey{}, false }
func (nobody) Rule(trust.Use) trust.Ruling           { return trust.Ruling{} }
func (nobody) Threshold(trust.Role) int              { return 1 }
func (nobody) Facts() trust.Facts                    { return trust.Facts{} }

// hits fails where a query does not find exactly these indexes, in any order.
func hits(t *testing.T, s evidence.Reader, q evidence.Query, want ...int64) {
	t.Helper()
	page, err := s.Search(t.Context(), q)
	if err != nil {
		t.Errorf("%+v: %v", q, err)
	}
	got := indexes(page)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%+v: found %v, expected %v", q, got, want)
	}
}

func indexes(p evidence.Page) []int64 {
	var list []int64
	for _, r := range p.Records {
		list = append(list, r.Index)
	}
	return list
}

// library adds one record of each sort.
func library(t *testing.T, s evidence.Store) {
	ada, grace := NewSigner("ada"), NewSigner("grace")
	one := func(name string) []evidence.Subject { return []evidence.Subject{Subject(name)} }
	Add(t, s, // each in its place: the numbers are used below
		/* 0 */ Envelope(ada, RolloutType, one("zero"), Story{Facts: evidence.Facts{Project: "age", Version: "v1", ChangeRecord: "CHG-1", Environment: "production", Ring: "pilot",
			RolloutStatus: "planned", Rollout: "r1", DeploymentTargets: []string{"linux", "darwin"}}, Comment: "the first rollout"}),
		/* 1 */ Envelope(ada, RolloutType, one("one"), Story{Facts: evidence.Facts{Project: "age", Version: "v2", ChangeRecord: "CHG-2", Environment: "production", Ring: "staging",
			RolloutStatus: "failed", Rollout: "r2", DeploymentTargets: []string{"linux"}}}),
		/* 2 */ Envelope(grace, ApprovalType, one("two"), Story{Facts: evidence.Facts{Project: "age", Version: "v2", ApprovalState: "approved", TargetRing: "production", Environment: "test"}}),
		/* 3 */ Envelope(grace, ExecutionType, one("three"), Story{Facts: evidence.Facts{Project: "sops", ExecutionStatus: "executed", RolloutStatus: "promoted"}}),
		/* 4 */ Envelope(grace, RollbackType, one("four"), Story{Facts: evidence.Facts{Project: "sops", ExecutionStatus: "executed"}}),
		/* 5 */ Envelope(ada, ScanType, []evidence.Subject{{Name: "commit", Digest: evidence.DigestSet{"gitCommit": "0123456789abcdef0123456789abcdef01234567"}}}, Story{}),
	)
	illegal := Examine(t, Envelope(ada, RolloutType, one("six"), Story{Facts: evidence.Facts{Project: "age"}}))
	illegal.Illegal = "ring pilot comes before"
	if _, err := evidence.Add(t.Context(), s, []evidence.Record{illegal}); err != nil {
		t.Fatal(err)
	}
}

func testFilters(t *testing.T, open Open) {
	s := open(t, frozen)
	library(t, s)
	list := func(values ...string) []string { return values }
	hits(t, s, evidence.Query{}, 0, 1, 2, 3, 4, 5, 6)
	hits(t, s, evidence.Query{Kinds: []evidence.Kind{evidence.KindRollout}}, 0, 1, 6)
	hits(t, s, evidence.Query{Kinds: []evidence.Kind{evidence.KindApproval, evidence.KindAttestation}}, 2, 5)
	hits(t, s, evidence.Query{Projects: list("sops")}, 3, 4)
	hits(t, s, evidence.Query{Projects: list("age"), Versions: list("v2")}, 1, 2)
	hits(t, s, evidence.Query{Projects: list("age", "sops"), Versions: list("v1", "v2")}, 0, 1, 2)
	hits(t, s, evidence.Query{Projects: list("")})
	hits(t, s, evidence.Query{Digests: list(evidence.SHA256([]byte("one")))}, 1)
	hits(t, s, evidence.Query{Digests: list("sha256:"+evidence.SHA256([]byte("one")), evidence.SHA256([]byte("two")))}, 1, 2)
	hits(t, s, evidence.Query{Digests: list("gitCommit:0123456789ABCDEF0123456789abcdef01234567")}, 5)
	hits(t, s, evidence.Query{Digests: list("0123456789abcdef0123456789abcdef01234567"), Persons: list("grace")})
	hits(t, s, evidence.Query{Signers: list(NewSigner("grace").Public().KeyID())}, 2, 3, 4)
	hits(t, s, evidence.Query{Persons: list("ada")}, 0, 1, 5, 6)
	hits(t, s, evidence.Query{ChangeRecords: list("CHG-2")}, 1)
	hits(t, s, evidence.Query{Environments: list("production")}, 0, 1)
	hits(t, s, evidence.Query{Environments: list("production"), Rings: list("staging")}, 1)
	hits(t, s, evidence.Query{Rings: list("pilot", "staging")}, 0, 1)
	hits(t, s, evidence.Query{TargetRings: list("production")}, 2)
	hits(t, s, evidence.Query{RolloutStatuses: list("failed")}, 1)
	hits(t, s, evidence.Query{ApprovalStates: list("approved")}, 2)
	hits(t, s, evidence.Query{PromotionResults: list("executed")}, 3)
	hits(t, s, evidence.Query{RollbackResults: list("executed")}, 4)
	hits(t, s, evidence.Query{DeploymentTargets: list("linux")}, 0, 1)
	hits(t, s, evidence.Query{DeploymentTargets: list("darwin", "plan9")}, 0)
	hits(t, s, evidence.Query{Rollouts: list("r1")}, 0)
	hits(t, s, evidence.Query{Illegal: true}, 6)
	hits(t, s, evidence.Query{Text: "first"}, 0)
	hits(t, s, evidence.Query{Text: "  ROLLOUT first "}, 0)
	hits(t, s, evidence.Query{Text: "CHG-2"}, 1)
	hits(t, s, evidence.Query{Text: "fir*"}, 0)
	hits(t, s, evidence.Query{Text: "fir"})
	hits(t, s, evidence.Query{Text: "grace", Projects: list("sops")}, 3, 4)
	for _, hostile := range []string{`"`, `" OR "`, "text:first", "first NOT rollout", "first OR CHG", "NEAR(first rollout)", "'; DROP TABLE record; --", "first^", "(first", "{a b}: c", "-first +x"} {
		hits(t, s, evidence.Query{Text: hostile + " nowhere"})
	}
	hits(t, s, evidence.Query{Projects: list(`age' OR '1'='1`)})
}

func testTimes(t *testing.T, open Open) {
	s := open(t, ticking())
	for n := range 5 {
		Add(t, s, Rollout(n))
	}
	at := func(n int) time.Time { return Start.Add(time.Duration(n) * time.Minute) }
	hits(t, s, evidence.Query{Since: at(2)}, 2, 3, 4)
	hits(t, s, evidence.Query{Since: at(2).Add(time.Millisecond)}, 3, 4)
	hits(t, s, evidence.Query{Since: at(2).Add(time.Microsecond)}, 3, 4)
	hits(t, s, evidence.Query{Until: at(2)}, 0, 1)
	hits(t, s, evidence.Query{Until: at(2).Add(time.Microsecond)}, 0, 1, 2)
	hits(t, s, evidence.Query{Since: at(1), Until: at(3)}, 1, 2)
	hits(t, s, evidence.Query{Since: at(3), Until: at(1)})
	hits(t, s, evidence.Query{Since: at(2).In(time.FixedZone("east", 3600*9))}, 2, 3, 4)
}

// walk reads all pages of a query.
func walk(t *testing.T, s evidence.Reader, q evidence.Query) []int64 {
	t.Helper()
	var all []int64
	for range 1000 {
		page, err := s.Search(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, indexes(page)...); page.Next == "" {
			return all
		}
		q.Cursor = page.Next
	}
	t.Fatal("a search without end")
	return nil
}

func testPages(t *testing.T, open Open) {
	s := open(t, frozen)
	for n := range 23 {
		Add(t, s, Rollout(n))
	}
	for _, limit := range []int{1, 2, 5, 22, 23, 24} {
		for _, order := range []evidence.Order{evidence.NewestFirst, evidence.OldestFirst} {
			got := walk(t, s, evidence.Query{Limit: limit, Order: order})
			if order == evidence.NewestFirst {
				slices.Reverse(got)
			}
			var want []int64
			for n := range int64(23) {
				want = append(want, n)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s by %d: %v", order, limit, got)
			}
		}
	}
}

// Rows neither move nor repeat nor vanish while others write.
func testPagesUnderAppends(t *testing.T, open Open) {
	s := open(t, frozen)
	next := 0
	more := func() {
		Add(t, s, Rollout(next), Envelope(NewSigner("grace"), ScanType, []evidence.Subject{Subject(fmt.Sprint(next))}, Story{}))
		next++
	}
	for range 10 {
		more()
	}
	writer := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(writer)
		for range 500 {
			select {
			case <-stop:
				return
			default:
				more()
			}
		}
	}()
	rollouts := evidence.Query{Limit: 3, Kinds: []evidence.Kind{evidence.KindRollout}}
	newest := walk(t, s, rollouts)
	rollouts.Order = evidence.OldestFirst
	oldest := walk(t, s, rollouts)
	close(stop)
	<-writer
	slices.Reverse(newest)
	for name, got := range map[string][]int64{"newest": newest, "oldest": oldest} {
		for i, index := range got {
			if index != int64(2*i) { // every second record is a rollout
				t.Fatalf("%s: place %d holds record %d", name, i, index)
			}
		}
		if len(got) < 10 {
			t.Errorf("%s: %d records", name, len(got))
		}
	}
}

func testBadQueries(t *testing.T, open Open) {
	s := open(t, frozen)
	for n := range 3 {
		Add(t, s, Rollout(n))
	}
	page, err := s.Search(t.Context(), evidence.Query{Limit: 1})
	if err != nil || page.Next == "" {
		t.Fatalf("%q, %v", page.Next, err)
	}
	for name, q := range map[string]evidence.Query{
		"limit":                      {Limit: evidence.MaxLimit + 1},
		"order":                      {Order: "random"},
		"metadata-kind":              {Kinds: []evidence.Kind{"rollout"}},
		"rollout-status":             {RolloutStatuses: []string{"fialed"}},
		"approval-state":             {ApprovalStates: []string{"yes"}},
		"promotion-execution-status": {PromotionResults: []string{"failed"}},
		"rollback-execution-status":  {RollbackResults: []string{"conflict"}},
		"cursor":                     {Limit: 1, Cursor: page.Next, Persons: []string{"ada"}},
	} {
		var bad *evidence.QueryError
		if _, err := s.Search(t.Context(), q); !errors.As(err, &bad) || bad.Field != name || bad.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, cursor := range []string{"1", "x", "-1.0", "1.000000000000", "99999999999999999999.1", page.Next + "0"} {
		var bad *evidence.QueryError
		if _, err := s.Search(t.Context(), evidence.Query{Limit: 1, Cursor: cursor}); !errors.As(err, &bad) {
			t.Errorf("cursor %q: %v", cursor, err)
		}
	}
}
