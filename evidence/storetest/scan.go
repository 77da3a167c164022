package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/rollproof/rollproof/evidence"
)

// scanned collects the indexes that a scan yields, and fails where a record is not
// the stored one.
func scanned(t *testing.T, s evidence.Reader, r evidence.Range) []int64 {
	t.Helper()
	list := []int64{}
	for record, err := range s.Scan(t.Context(), r) {
		if err != nil {
			t.Errorf("%+v: %v", r, err)
			break
		}
		whole, err := s.Record(t.Context(), record.Index) // while the scan goes on
		if err != nil || whole.Act != record.Act || whole.Recorded != record.Recorded || whole.Project != record.Project {
			t.Errorf("%+v: record %d: %v", r, record.Index, err)
		}
		if r.Envelopes && !bytes.Equal(record.Envelope, whole.Envelope) || !r.Envelopes && record.Envelope != nil || record.Subjects != nil {
			t.Errorf("%+v: record %d: %d bytes of envelope, %d subjects", r, record.Index, len(record.Envelope), len(record.Subjects))
		}
		list = append(list, record.Index)
	}
	return list
}

func testScan(t *testing.T, open Open) {
	s := open(t, frozen)
	library(t, s) // 0, 1, 2, 6 of age; 3, 4 of sops; 5 of none
	rollouts, approvals := []evidence.Kind{evidence.KindRollout}, []evidence.Kind{evidence.KindApproval, evidence.KindRollout, evidence.KindRollout}
	for _, tc := range []struct {
		r    evidence.Range
		want []int64
	}{
		{evidence.Range{}, []int64{}},
		{evidence.Range{To: 7}, []int64{0, 1, 2, 3, 4, 5, 6}},
		{evidence.Range{To: 7, Envelopes: true}, []int64{0, 1, 2, 3, 4, 5, 6}},
		{evidence.Range{From: 2, To: 5}, []int64{2, 3, 4}},
		{evidence.Range{From: -3, To: 99}, []int64{0, 1, 2, 3, 4, 5, 6}},
		{evidence.Range{From: 5, To: 5}, []int64{}},
		{evidence.Range{From: 6, To: 2}, []int64{}},
		{evidence.Range{To: 7, Kinds: rollouts}, []int64{0, 1, 6}},
		{evidence.Range{From: 1, To: 6, Kinds: approvals}, []int64{1, 2}},
		{evidence.Range{To: 7, Projects: []string{"sops"}}, []int64{3, 4}},
		{evidence.Range{To: 7, Projects: []string{""}}, []int64{5}},
		{evidence.Range{To: 7, Projects: []string{"sops", "", "sops"}, Envelopes: true}, []int64{3, 4, 5}},
		{evidence.Range{From: 1, To: 6, Projects: []string{"sops", "age"}, Kinds: approvals}, []int64{1, 2}},
		{evidence.Range{To: 7, Projects: []string{"nothing"}}, []int64{}},
		{evidence.Range{To: 7, Projects: []string{}}, []int64{}},
		{evidence.Range{To: 7, Kinds: []evidence.Kind{}}, []int64{}},
		{evidence.Range{To: 7, Projects: []string{"age' OR '1'='1"}}, []int64{}},
	} {
		if got := scanned(t, s, tc.r); !slices.Equal(got, tc.want) {
			t.Errorf("%+v: %v, expected %v", tc.r, got, tc.want)
		}
	}
}

// Scans of many records are whole, whatever is read or added meanwhile, and stop
// where their reader stops.
func testLongScan(t *testing.T, open Open) {
	s, ctx := open(t, frozen), t.Context()
	const size = 700
	var records []evidence.Record
	want := map[string][]int64{}
	for n := range size {
		project := fmt.Sprintf("p%d", n%3)
		want[project] = append(want[project], int64(n))
		records = append(records, Examine(t, Envelope(NewSigner("ada"), RolloutType, []evidence.Subject{Subject(fmt.Sprint(n))}, Story{Facts: evidence.Facts{Project: project}})))
	}
	if _, err := evidence.Add(ctx, s, records); err != nil {
		t.Fatal(err)
	}
	two := slices.Concat(want["p0"], want["p2"])
	slices.Sort(two)
	for _, envelopes := range []bool{false, true} {
		if got := scanned(t, s, evidence.Range{To: size, Envelopes: envelopes}); len(got) != size || !slices.IsSorted(got) {
			t.Errorf("%d records", len(got))
		}
		if got := scanned(t, s, evidence.Range{To: size, Projects: []string{"p2", "p0", "p2"}, Kinds: []evidence.Kind{evidence.KindRollout}, Envelopes: envelopes}); !slices.Equal(got, two) {
			t.Errorf("two projects: %d records, expected %d", len(got), len(two))
		}
	}
	var many []string
	for n := range 200 {
		many = append(many, fmt.Sprintf("p%d", 200-n))
	}
	two = slices.Concat(want["p1"], want["p2"])
	slices.Sort(two)
	if got := scanned(t, s, evidence.Range{To: size, Projects: many}); !slices.Equal(got, two) {
		t.Errorf("many projects: %d records, expected %d", len(got), len(two))
	}
	met := 0
	for range s.Scan(ctx, evidence.Range{To: size}) {
		if met++; met == 300 {
			break
		}
		if met == 10 {
			Add(t, s, Rollout(1))
		}
	}
	if met != 300 {
		t.Errorf("stopped after %d", met)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for _, err := range s.Scan(cancelled, evidence.Range{To: size}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
}

// A search finds also what lies behind many records that fit one of its filters, page
// by page.
func testLongSearch(t *testing.T, open Open) {
	s := open(t, frozen)
	var records []evidence.Record
	for n := range 700 { // only 0, 2 and 4 are of both the ring and the environment
		facts := evidence.Facts{Ring: []string{"pilot", "staging"}[n%2]}
		if n%2 == 1 || n < 5 {
			facts.Environment = "production"
		}
		records = append(records, Examine(t, Envelope(NewSigner("ada"), RolloutType, []evidence.Subject{Subject(fmt.Sprint(n)), Subject("of all")}, Story{Facts: facts})))
	}
	if _, err := evidence.Add(t.Context(), s, records); err != nil {
		t.Fatal(err)
	}
	all := []string{Subject("of all").Digest["sha256"], Subject("4").Digest["sha256"], Subject("699").Digest["sha256"]}
	both := evidence.Query{Rings: []string{"pilot"}, Environments: []string{"production"}}
	hits(t, s, both, 0, 2, 4)
	for _, order := range []evidence.Order{evidence.NewestFirst, evidence.OldestFirst} {
		q := both
		q.Order, q.Limit = order, 2
		if got := walk(t, s, q); len(got) != 3 {
			t.Errorf("%s: %v", order, got)
		}
		if got := walk(t, s, evidence.Query{Order: order, Digests: all}); len(got) != 700 || len(slices.Compact(got)) != 700 {
			t.Errorf("%s, by digest: %d records", order, len(got))
		}
	}
}
