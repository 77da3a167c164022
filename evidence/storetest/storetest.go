// Package storetest is the conformance suite that every [evidence.Store] passes:
// order, idempotence, searches, pages that stay put while others write, scans, Unicode,
// large statements, the log's hashes and checkpoints, erasure, and what a transaction
// promises.
//
// The suite has statements of its own, in a catalog of its own, signed by ada and
// grace under a trust root of its own, so that it needs no package above evidence.
package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
)

// Open makes an empty store with a clock.
type Open func(t *testing.T, now func() time.Time) evidence.Store

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"Order": testOrder, "Idempotence": testIdempotence, "UnverifiedThenVerified": testUnverified,
		"Transaction": testTransaction, "Clock": testClock, "RoundTrip": testRoundTrip, "Find": testFind,
		"ManySubjects": testManySubjects, "Unicode": testUnicode, "Blobs": testBlobs, "ConcurrentWriters": testConcurrentWriters,
		"Filters": testFilters, "Times": testTimes, "Pages": testPages, "PagesUnderAppends": testPagesUnderAppends, "BadQueries": testBadQueries,
		"Compare": testCompare, "Signers": testSigners, "WordsInTransaction": testWordsInTransaction, "ClockBehind": testClockBehind,
		"LogIdentity": testLogIdentity, "Hashes": testHashes, "Checkpoints": testCheckpoints, "Scan": testScan, "LongScan": testLongScan, "LongSearch": testLongSearch,
		"Erase": testErase, "EraseSharedBlob": testEraseSharedBlob, "NotErased": testNotErased, "ErasedAtOnce": testErasedAtOnce,
		"EraseBlobs": testEraseBlobs, "AttachToOthers": testAttachToOthers, "Same": testSame,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open)
		})
	}
}

// frozen is a clock that stands still.
func frozen() time.Time { return Start }

// ticking returns a clock that goes on by a minute with each look at it.
func ticking() func() time.Time {
	var mu sync.Mutex
	now := Start.Add(-time.Minute)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Minute)
		return now
	}
}

func testOrder(t *testing.T, open Open) {
	s := open(t, ticking())
	for n := range 5 {
		added := Add(t, s, Rollout(2*n), Rollout(2*n+1))
		if added[0].Record.Index != int64(2*n) || added[1].Record.Index != int64(2*n+1) {
			t.Fatalf("batch %d: indexes %d and %d", n, added[0].Record.Index, added[1].Record.Index)
		}
		if want := Start.Add(time.Duration(n) * time.Minute); !added[0].Record.Recorded.Equal(want) || !added[1].Record.Recorded.Equal(want) {
			t.Errorf("batch %d: recorded %s and %s, expected %s", n, added[0].Record.Recorded, added[1].Record.Recorded, want)
		}
	}
	if size, err := s.Len(t.Context()); err != nil || size != 10 {
		t.Errorf("%d records, %v", size, err)
	}
	Sound(t, s)
}

// The same act is one record, in whatever bytes it comes.
func testIdempotence(t *testing.T, open Open) {
	s := open(t, frozen)
	data := Rollout(1)
	first := Add(t, s, data, data)
	if !first[0].New || first[1].New || first[1].Record.Index != 0 {
		t.Errorf("twice in one transaction: %v %v at %d", first[0].New, first[1].New, first[1].Record.Index)
	}
	bundle, err := envelope.ParseBundle(data)
	if err != nil {
		t.Fatal(err)
	}
	line, err := bundle.MarshalDSSE(bundle.KeyID)
	if err != nil {
		t.Fatal(err)
	}
	again := Add(t, s, line)
	if again[0].New || again[0].Record.ID != first[0].Record.ID || again[0].Record.Act != first[0].Record.Act {
		t.Errorf("in other bytes: new %v, id %s, expected %s", again[0].New, again[0].Record.ID, first[0].Record.ID)
	}
	if !bytes.Equal(again[0].Record.Envelope, data) {
		t.Error("the envelope is not the one that came first")
	}
	if size, _ := s.Len(t.Context()); size != 1 {
		t.Errorf("%d records", size)
	}
}

// Somebody who records an act unverified can't keep it from being verified later.
func testUnverified(t *testing.T, open Open) {
	s := open(t, frozen)
	data := Envelope(NewSigner("ada"), ScanType, []evidence.Subject{Subject("a")}, Story{})
	loose := evidence.Intake{Catalog: Intake().Catalog, Authority: nobody{}, AllowUnknownSigner: true}
	record, err := loose.Examine(data)
	if err != nil || record.Kind != evidence.KindUnverified {
		t.Fatalf("kind %s, %v", record.Kind, err)
	}
	add := func(r evidence.Record) evidence.Added {
		added, err := evidence.Add(t.Context(), s, []evidence.Record{r})
		if err != nil {
			t.Fatal(err)
		}
		return added[0]
	}
	if !add(record).New || add(record).New {
		t.Error("the unverified record: expected one")
	}
	verified := add(Examine(t, data))
	if !verified.New || verified.Record.Index != 1 || verified.Record.Kind != evidence.KindAttestation {
		t.Errorf("the verified record: %+v", verified)
	}
	if add(Examine(t, data)).New || add(record).New {
		t.Error("a third record of one act")
	}
	if index, err := s.Find(t.Context(), record.Act.Hex()); err != nil || index != 1 {
		t.Errorf("found at %d, %v, expected the verified one", index, err)
	}
	Sound(t, s)
}

// Two signers of one statement are two records of one act, which the first of them
// stands for.
func testSigners(t *testing.T, open Open) {
	s, ctx := open(t, frozen), t.Context()
	sign := func(name string) []byte {
		return Envelope(NewSigner(name), ScanType, []evidence.Subject{Subject("a")}, Story{})
	}
	loose := evidence.Intake{Catalog: Intake().Catalog, Authority: nobody{}, AllowUnknownSigner: true}
	unverified, err := loose.Examine(sign("stranger"))
	if err != nil {
		t.Fatal(err)
	}
	ada, grace := Examine(t, sign("ada")), Examine(t, sign("grace"))
	if ada.Act != grace.Act {
		t.Fatal("two acts")
	}
	for i, step := range []struct {
		r    evidence.Record
		at   int64
		want bool
	}{
		{unverified, 0, true}, {ada, 1, true}, {grace, 2, true}, // each is a record
		{ada, 1, false}, {grace, 2, false}, {unverified, 1, false}, // and no record again
	} {
		added, err := evidence.Add(ctx, s, []evidence.Record{step.r})
		if err != nil || added[0].New != step.want || added[0].Record.Index != step.at {
			t.Errorf("step %d: %+v, %v, expected new %v at %d", i, added, err, step.want, step.at)
		}
	}
	for prefix, want := range map[string]int64{ada.Act.Hex(): 1, ada.ID.Hex(): 1, grace.ID.Hex(): 2, unverified.ID.Hex(): 0} {
		if index, err := s.Find(ctx, prefix); err != nil || index != want {
			t.Errorf("%s: found at %d, %v, expected %d", prefix, index, err, want)
		}
	}
	Sound(t, s)
}

func testRoundTrip(t *testing.T, open Open) {
	s := open(t, frozen)
	seen := &evidence.Checkpoint{Origin: "example.com/log", Size: 7, Root: evidence.DigestOf([]byte("tree"))}
	data := Envelope(NewSigner("grace"), ApprovalType, []evidence.Subject{Subject("x")}, Story{
		Facts: evidence.Facts{Project: "age", ApprovalState: "approved", Request: "r", Approval: "a", Execution: "e", TargetRing: "staging"},
		Seen:  seen, Claimed: "2026-03-01T09:00:00Z", Comment: "looks good", KeyID: NewSigner("grace").Public().KeyID(), Person: "grace",
	})
	want := Add(t, s, data)[0].Record
	got, err := s.Record(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Envelope, data) || got.ID != evidence.DigestOf(data) || got.Act != want.Act {
		t.Error("other bytes or digests came back")
	}
	if got.Signer != want.Signer || got.Signer.Person != "grace" || got.Signer.Role != "attest" {
		t.Errorf("signer %+v", got.Signer)
	}
	if !got.Claimed.Equal(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)) || !got.Recorded.Equal(Start) || !got.Proved.IsZero() {
		t.Errorf("claimed %s, recorded %s, proved %s", got.Claimed, got.Recorded, got.Proved)
	}
	if got.Seen == nil || *got.Seen != *seen || got.Kind != evidence.KindApproval || got.TargetRing != "staging" || got.ApprovalState != "approved" ||
		got.Request != "r" || got.Approval != "a" || got.Execution != "e" || got.StatementType != evidence.StatementType || got.PredicateType != ApprovalType {
		t.Errorf("got %+v", got)
	}
	derived, differences, err := Intake().Rederive(t.Context(), s, 0)
	if err != nil || len(differences) > 0 || len(derived.Subjects) != 1 {
		t.Errorf("%v, %v, %d subjects", differences, err, len(derived.Subjects))
	}
	if _, err := s.Record(t.Context(), 1); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func testFind(t *testing.T, open Open) {
	s := open(t, frozen)
	added := Add(t, s, Rollout(0), Rollout(1), Rollout(2))
	for _, a := range added {
		for _, name := range []string{a.Record.ID.String(), a.Record.ID.Hex(), a.Record.Act.String(), a.Record.Act.Hex()[:8], a.Record.ID.Hex()[:9]} {
			if index, err := s.Find(t.Context(), name); err != nil || index != a.Record.Index {
				t.Errorf("%s: %d, %v", name, index, err)
			}
		}
	}
	for _, name := range []string{"", "1", "1234567", strings.Repeat("0", 64), strings.Repeat("0", 65), "sha256:", "zzzzzzzz", added[0].Record.ID.Hex() + "00"} {
		if _, err := s.Find(t.Context(), name); !errors.Is(err, evidence.ErrNotFound) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func testManySubjects(t *testing.T, open Open) {
	s := open(t, frozen)
	var subjects []evidence.Subject
	for n := range 10_000 {
		subjects = append(subjects, Subject(fmt.Sprintf("bin/file-%d", n)))
	}
	Add(t, s, Rollout(0), Envelope(NewSigner("ada"), RolloutType, subjects, Story{}))
	for _, n := range []int{0, 5_000, 9_999} {
		hits(t, s, evidence.Query{Digests: []string{subjects[n].Digest["sha256"]}}, 1)
		hits(t, s, evidence.Query{Text: subjects[n].Name}, 1)
	}
	derived, differences, err := Intake().Rederive(t.Context(), s, 1)
	if err != nil || len(differences) > 0 || len(derived.Subjects) != len(subjects) {
		t.Errorf("%d subjects, %v, %v", len(derived.Subjects), differences, err)
	}
	Sound(t, s)
}

func testUnicode(t *testing.T, open Open) {
	s := open(t, frozen)
	names := []string{"Grüße", "日本語", "emoji-😀", "\u202eoverride", "zero\u200bwidth", `quote"'`, "nul\x00byte", "% _ *", "🄰", "𐓐𐓘𐓻𐓘𐓻𐓟"}
	for _, name := range names {
		Add(t, s, Envelope(NewSigner("ada"), RolloutType, []evidence.Subject{Subject(name)}, Story{
			Facts:   evidence.Facts{Project: name, ChangeRecord: name, DeploymentTargets: []string{name}},
			Comment: "über " + name,
		}))
	}
	for i, name := range names {
		for _, q := range []evidence.Query{{Projects: []string{name}}, {ChangeRecords: []string{name}}, {DeploymentTargets: []string{name}}} {
			hits(t, s, q, int64(i))
		}
	}
	hits(t, s, evidence.Query{Text: "GRÜSSE"})
	hits(t, s, evidence.Query{Text: "grusse"})
	hits(t, s, evidence.Query{Text: "GRÜßE"}, 0)
	hits(t, s, evidence.Query{Text: "gruße uber"}, 0)
	hits(t, s, evidence.Query{Text: "日本語"}, 1)
	Sound(t, s)
}

func testBlobs(t *testing.T, open Open) {
	s, ctx := open(t, frozen), t.Context()
	record := Add(t, s, Rollout(3))[0].Record
	content := "bin/age_3" // whose digest the subject has
	blob, err := s.PutBlob(ctx, strings.NewReader(content))
	if err != nil || blob.Size != int64(len(content)) || blob.Digest != evidence.DigestOf([]byte(content)) {
		t.Fatalf("%+v, %v", blob, err)
	}
	if again, err := s.PutBlob(ctx, strings.NewReader(content)); err != nil || again != blob {
		t.Errorf("%+v, %v", again, err)
	}
	for range 2 {
		if _, err := evidence.Add(ctx, s, []evidence.Record{record}, blob); err != nil {
			t.Fatal(err)
		}
	}
	other, err := s.PutBlob(ctx, strings.NewReader("of nobody"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.Add(ctx, s, []evidence.Record{record, Examine(t, Rollout(4))}, other); !errors.Is(err, evidence.ErrNotASubject) {
		t.Errorf("got %v", err)
	}
	if list, err := s.Blobs(ctx, record.Index); err != nil || !slices.Equal(list, []evidence.Blob{blob}) {
		t.Errorf("%v, %v", list, err)
	}
	f, err := s.OpenBlob(ctx, blob.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if data, err := io.ReadAll(f); err != nil || string(data) != content {
		t.Errorf("%q, %v", data, err)
	}
	Sound(t, s)
}

// What a store says to differ is what a changed record changes.
func testCompare(t *testing.T, open Open) {
	s := open(t, frozen)
	record := Add(t, s, Rollout(1))[0].Record
	for field, change := range map[string]func(*evidence.Record){
		"project":   func(r *evidence.Record) { r.Project = "other" },
		"keyid":     func(r *evidence.Record) { r.Signer.KeyID = "SHA256:other" },
		"act":       func(r *evidence.Record) { r.Act[0]++ },
		"recorded":  func(r *evidence.Record) { r.Recorded = r.Recorded.Add(time.Second) },
		"illegal":   func(r *evidence.Record) { r.Illegal = "a reason" },
		"seen_size": func(r *evidence.Record) { r.Seen = &evidence.Checkpoint{Origin: "o", Size: 1} },
		"digest":    func(r *evidence.Record) { r.Subjects = []evidence.Subject{Subject("other")} },
		"target":    func(r *evidence.Record) { r.DeploymentTargets = []string{"other", "another"} },
		"words":     func(r *evidence.Record) { r.Text = []string{"never written"} },
		"index":     func(r *evidence.Record) { r.Index = 99 },
	} {
		changed := record
		change(&changed)
		list, err := s.Compare(t.Context(), changed)
		if err != nil || !slices.ContainsFunc(list, func(d evidence.Difference) bool { return d.Field == field }) {
			t.Errorf("%s: %v, %v", field, list, err)
		}
	}
	if list, err := s.Compare(t.Context(), record); err != nil || len(list) > 0 {
		t.Errorf("%v, %v", list, err)
	}
}
