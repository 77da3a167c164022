package export_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/evidence/export"
	"github.com/rollproof/rollproof/evidence/storetest"
	"github.com/rollproof/rollproof/evidence/translog"
	"github.com/rollproof/rollproof/schemas"
)

// TestExportsPass writes each sort of export and verifies it.
func TestExportsPass(t *testing.T) {
	w := newWorld(t)
	age := evidence.Query{Projects: []string{"age"}}
	for _, c := range []export.Completeness{export.Matching, export.Labels, export.Complete} {
		for _, blobs := range []bool{false, true} {
			for name, q := range map[string]evidence.Query{"all": {}, "age": age} {
				t.Run(fmt.Sprintf("%s %s %v", c, name, blobs), func(t *testing.T) {
					r := w.verify(t, w.write(t, func(s *export.Source) { s.Completeness, s.Query, s.Blobs = c, q, blobs }))
					if r.Result != export.Pass {
						t.Fatal(describe(r))
					}
					want := map[string]int64{"all": 7, "age": 4}[name]
					if r.Tally.Matching != want || int64(len(r.Records)) != want {
						t.Errorf("%d records fit, %d are listed, expected %d", r.Tally.Matching, len(r.Records), want)
					}
					data, err := json.Marshal(r)
					if err != nil {
						t.Fatal(err)
					}
					if err := schemas.Validate(export.ReportSchema, data); err != nil {
						t.Error(err)
					}
					page(t, r.HTML())
				})
			}
		}
	}
}

// TestUnverifiedNeverPasses looks at the record that nobody vouches for.
func TestUnverifiedNeverPasses(t *testing.T) {
	w := newWorld(t)
	r := w.verify(t, w.write(t, nil))
	if r.Tally.Unverified != 1 || r.Tally.Verified != 6 {
		t.Errorf("%+v", r.Tally)
	}
	unverified := r.Records[5]
	if unverified.Result != export.NotChecked || unverified.Kind != evidence.KindUnverified || unverified.Signer.Person != "" {
		t.Errorf("%+v", unverified)
	}
}

func TestSameStoreSameBytes(t *testing.T) {
	w := newWorld(t)
	change := func(s *export.Source) { s.Completeness, s.Blobs = export.Complete, true }
	if !bytes.Equal(w.write(t, change), w.write(t, change)) {
		t.Error("two exports of one store differ")
	}
}

func check(r *export.Report, id string) export.Check {
	i := slices.IndexFunc(r.Checks, func(c export.Check) bool { return c.ID == id })
	return r.Checks[i]
}

func TestCompletenessIsAsked(t *testing.T) {
	w := newWorld(t)
	for _, c := range []export.Completeness{export.Matching, export.Labels, export.Complete} {
		o := w.options(t)
		o.RequireComplete = true
		data := w.write(t, func(s *export.Source) { s.Completeness = c })
		if r := verify(t, data, o); (r.Result == export.Pass) != (c == export.Complete) {
			t.Errorf("%s, complete is required: %s", c, r.Result)
		}
		if got := check(w.verify(t, data), "completeness").Result; (got == export.Pass) != (c == export.Complete) {
			t.Errorf("%s: completeness %s", c, got)
		}
	}
}

// TestLabelsCountWhatIsMissing counts by predicate type.
func TestLabelsCountWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	r := w.verify(t, w.write(t, func(s *export.Source) {
		s.Completeness, s.Query = export.Labels, evidence.Query{Rings: []string{"pilot"}}
	}))
	want := []export.TypeCount{{PredicateType: storetest.ApprovalType, Tree: 1}, {PredicateType: storetest.ExecutionType, Tree: 1}, {PredicateType: storetest.RollbackType, Tree: 1},
		{PredicateType: storetest.RolloutType, Tree: 3, Export: 1}, {PredicateType: storetest.UnknownType, Tree: 1}}
	if r.Result != export.Pass || !slices.Equal(r.Types, want) {
		t.Errorf("%s: %+v\n%s", r.Result, r.Types, describe(r))
	}
}

func TestRefusedSources(t *testing.T) {
	w := newWorld(t)
	for name, tc := range map[string]struct {
		change func(*export.Source)
		want   string
	}{
		"nobody trusted":  {func(s *export.Source) { s.Authority = nil }, "no key or trust root"},
		"words":           {func(s *export.Source) { s.Query.Text = "first" }, "text"},
		"illegal":         {func(s *export.Source) { s.Query.Illegal = true }, "illegal"},
		"limit":           {func(s *export.Source) { s.Query.Limit = 1 }, "limit"},
		"unknown kind":    {func(s *export.Source) { s.Query.Kinds = []evidence.Kind{"x"} }, "metadata-kind"},
		"no completeness": {func(s *export.Source) { s.Completeness = "" }, "completeness"},
		"operator":        {func(s *export.Source) { s.Signer = storetest.NewSigner("operator") }, "is an operator, not an auditor"},
		"stranger":        {func(s *export.Source) { s.Signer = storetest.NewSigner("stranger") }, "does not list"},
		"auditor of age":  {func(s *export.Source) { s.Signer = storetest.NewSigner("age-auditor") }, "is an auditor of project age"},
		"auditor of age, two": {func(s *export.Source) {
			s.Signer, s.Query.Projects = storetest.NewSigner("age-auditor"), []string{"age", "sops"}
		}, "project sops"},
		"auditor of age, complete": {func(s *export.Source) {
			s.Signer, s.Query.Projects, s.Completeness = storetest.NewSigner("age-auditor"), []string{"age"}, export.Complete
		}, "is an auditor of project age"},
		"another log's": {func(s *export.Source) {
			s.Since = &translog.Checkpoint{Origin: "example.com/b", Tree: translog.Tree{Root: translog.EmptyRoot}}
		}, "example.com/b"},
		"younger":      {func(s *export.Source) { s.Since = &translog.Checkpoint{Origin: origin, Tree: translog.Tree{Size: 8}} }, "size 7"},
		"another root": {func(s *export.Source) { s.Since = &translog.Checkpoint{Origin: origin, Tree: translog.Tree{Size: 3}} }, "is not the one"},
	} {
		s := w.source(t)
		tc.change(&s)
		var b bytes.Buffer
		if _, err := export.Write(t.Context(), s, &b); err == nil || !strings.Contains(err.Error(), tc.want) || b.Len() > 0 {
			t.Errorf("%s: %v, %d bytes", name, err, b.Len())
		}
	}
	r := w.verify(t, w.write(t, func(s *export.Source) {
		s.Signer, s.Query.Projects = storetest.NewSigner("age-auditor"), []string{"age"}
	}))
	if r.Result != export.Pass {
		t.Errorf("an auditor of the project: %s", describe(r))
	}
}

func TestNoCheckpoint(t *testing.T) {
	w := world{library(t), newChain(t, "root", nil)}
	if _, err := export.Write(t.Context(), w.source(t), &bytes.Buffer{}); !errors.Is(err, export.ErrNoCheckpoint) {
		t.Error(err)
	}
	empty := world{newStore(t), w.chain}
	seal(t, empty.store)
	for _, c := range []export.Completeness{export.Matching, export.Labels, export.Complete} {
		if r := empty.verify(t, empty.write(t, func(s *export.Source) { s.Completeness = c })); r.Result != export.Pass {
			t.Errorf("an empty log, %s: %s", c, describe(r))
		}
	}
}

// TestMoreThanCheckpoint leaves out what no checkpoint covers, and goes over the
// bounds of bundles and pages.
func TestMoreThanCheckpoint(t *testing.T) {
	w := world{newStore(t), newChain(t, "root", nil)}
	add := func(from, to int) {
		var list [][]byte
		for n := from; n < to; n++ {
			list = append(list, storetest.Rollout(n))
		}
		storetest.Add(t, w.store, list...)
	}
	add(0, 300)
	first := seal(t, w.store)
	add(300, 1100)
	seal(t, w.store)
	add(1100, 1110)
	o := w.options(t)
	o.Checkpoint = must[[]byte](t)(first.Marshal())
	for _, c := range []export.Completeness{export.Matching, export.Complete} {
		r := verify(t, w.write(t, func(s *export.Source) { s.Completeness, s.Since = c, &first.Checkpoint }), o)
		if r.Result != export.Pass || r.Tally.Verified != 1100 {
			t.Errorf("%s: %+v\n%s", c, r.Tally, describe(r))
		}
	}
}

// TestHeldCheckpoint links newer exports to the checkpoint that the recipient holds.
func TestHeldCheckpoint(t *testing.T) {
	w := newWorld(t)
	old := must[translog.SignedCheckpoint](t)(openNewest(t, w))
	storetest.Add(t, w.store, storetest.Rollout(1), storetest.Rollout(2))
	now := seal(t, w.store)
	for name, tc := range map[string]struct {
		held   translog.SignedCheckpoint
		change func(*export.Source)
		want   export.Result
	}{
		"the same":         {now, nil, export.Pass},
		"older, proved":    {old, func(s *export.Source) { s.Since = &old.Checkpoint }, export.Pass},
		"older, labels":    {old, func(s *export.Source) { s.Completeness = export.Labels }, export.Pass},
		"older, complete":  {old, func(s *export.Source) { s.Completeness = export.Complete }, export.Pass},
		"older, no link":   {old, nil, export.NotChecked},
		"proof of another": {old, func(s *export.Source) { s.Since = &now.Checkpoint }, export.NotChecked},
	} {
		o := w.options(t)
		o.Checkpoint = must[[]byte](t)(tc.held.Marshal())
		r := verify(t, w.write(t, tc.change), o)
		if got := check(r, "held-checkpoint"); got.Result != tc.want || (r.Result == export.Pass) != (tc.want == export.Pass) {
			t.Errorf("%s: %s, %+v", name, r.Result, got)
		}
	}
	if got := check(w.verify(t, w.write(t, nil)), "held-checkpoint"); got.Result != export.NotChecked || got.Required {
		t.Errorf("none held: %+v", got)
	}
}

func openNewest(t testing.TB, w world) (translog.SignedCheckpoint, error) {
	s, _, err := checkpoint.Newest(t.Context(), w.store)
	return s, err
}

// TestErased exports a record whose bytes were removed by order.
func TestErased(t *testing.T) {
	w := newWorld(t)
	victim := must[evidence.Record](t)(w.store.Record(t.Context(), 1))
	order := storetest.Envelope(storetest.NewSigner("grace"), storetest.ApprovalType, []evidence.Subject{evidence.FileSubject("record", victim.Act.Hex())}, storetest.Story{Comment: eraseOrder})
	by := storetest.Add(t, w.store, order)[0].Record.Index
	if err := w.store.Append(t.Context(), func(tx evidence.Tx) error { return tx.Erase(t.Context(), 1, by) }); err != nil {
		t.Fatal(err)
	}
	seal(t, w.store)
	for _, c := range []export.Completeness{export.Matching, export.Labels, export.Complete} {
		data := w.write(t, func(s *export.Source) { s.Completeness, s.Blobs = c, true })
		r := w.verify(t, data)
		if r.Result != export.Pass || r.Tally.Erased != 1 || r.Records[1].Result != export.NotChecked {
			t.Errorf("%s: %+v\n%s", c, r.Records, describe(r))
		}
		o := w.options(t)
		o.Erases = nil
		if got := failing(verify(t, data, o)); c == export.Complete && !slices.Equal(got, []string{"completeness"}) {
			t.Errorf("no order counts: %v", got)
		}
	}
}
