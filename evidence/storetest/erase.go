package storetest

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence"
)

// Naming returns the envelope of a statement that stands on a record.
func Naming(r evidence.Record) []byte {
	subject := evidence.FileSubject("record", r.Act.Hex())
	return Envelope(NewSigner("grace"), ScanType, []evidence.Subject{subject}, Story{Comment: "erase this"})
}

// Erase records a statement that names a record, and erases the record by it.
func Erase(t testing.TB, s evidence.Store, r evidence.Record) (by int64) {
	t.Helper()
	order := Examine(t, Naming(r))
	err := s.Append(t.Context(), func(tx evidence.Tx) error {
		ordered, _, err := tx.Add(t.Context(), order)
		if err != nil {
			return err
		}
		by = ordered.Index
		return tx.Erase(t.Context(), r.Index, by)
	})
	if err != nil {
		t.Fatal(err)
	}
	return by
}

// An erased record keeps its place, its facts and its digests, and loses its bytes, its
// words and its blobs.
func testErase(t *testing.T, open Open) {
	s, ctx := open(t, frozen), t.Context()
	own, err := s.PutBlob(ctx, strings.NewReader("bin/age_0"))
	if err != nil {
		t.Fatal(err)
	}
	record := Examine(t, Rollout(0))
	if _, err := evidence.Add(ctx, s, []evidence.Record{record}, own); err != nil {
		t.Fatal(err)
	}
	Add(t, s, Rollout(1))
	tree, err := Tree(ctx, s, 2)
	if err != nil {
		t.Fatal(err)
	}
	by := Erase(t, s, record)
	got, err := s.Record(ctx, 0)
	if err != nil || got.Envelope != nil || got.Erased == nil || got.Erased.By != by || got.ChangeRecord != "CHG-0" || got.ID != record.ID {
		t.Errorf("%+v, %v", got, err)
	}
	hits(t, s, evidence.Query{Digests: []string{record.Subjects[0].Digest["sha256"]}}, 0)
	hits(t, s, evidence.Query{ChangeRecords: []string{"CHG-0"}}, 0)
	hits(t, s, evidence.Query{DeploymentTargets: []string{"runner"}}, 0, 1)
	hits(t, s, evidence.Query{Text: "CHG-0"})
	hits(t, s, evidence.Query{Text: "CHG-1"}, 1)
	for _, r := range []evidence.Range{{To: 1}, {To: 1, Envelopes: true}} {
		for scanned, err := range s.Scan(ctx, r) {
			if err != nil || scanned.Erased == nil || scanned.Envelope != nil {
				t.Errorf("scanned: %+v, %v", scanned, err)
			}
		}
	}
	if index, err := s.Find(ctx, record.Act.Hex()); err != nil || index != 0 {
		t.Errorf("found at %d, %v", index, err)
	}
	if list, err := s.Blobs(ctx, 0); err != nil || len(list) > 0 {
		t.Errorf("blobs: %v, %v", list, err)
	}
	if f, err := s.OpenBlob(ctx, own.Digest); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("blob: %v, %v", f, err)
	}
	if after, err := Tree(ctx, s, 2); err != nil || after != tree {
		t.Errorf("another tree, %v", err)
	}
	again := Add(t, s, Rollout(0))[0]
	if again.New || again.Record.Index != 0 || again.Record.Erased == nil {
		t.Errorf("added again: %+v", again)
	}
	for name, r := range map[string]evidence.Record{"as stored": got, "as derived": record} {
		r.Recorded = got.Recorded
		if list, err := s.Compare(ctx, r); err != nil || len(list) > 0 {
			t.Errorf("%s: %v, %v", name, list, err)
		}
	}
	got.Project = "other"
	if list, err := s.Compare(ctx, got); err != nil || len(list) != 1 || list[0].Field != "project" {
		t.Errorf("another project: %v, %v", list, err)
	}
	Sound(t, s)
}

// A blob that another record names stays.
func testEraseSharedBlob(t *testing.T, open Open) {
	s, ctx := open(t, frozen), t.Context()
	blob, err := s.PutBlob(ctx, strings.NewReader("bin/age_0"))
	if err != nil {
		t.Fatal(err)
	}
	other := Envelope(NewSigner("grace"), ScanType, []evidence.Subject{Subject("bin/age_0")}, Story{})
	added := Add(t, s, Rollout(0), other)
	if _, err := evidence.Add(ctx, s, []evidence.Record{added[0].Record, added[1].Record}, blob); err != nil {
		t.Fatal(err)
	}
	Erase(t, s, added[0].Record)
	if list, err := s.Blobs(ctx, 1); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	Sound(t, s)
	Erase(t, s, added[1].Record)
	if _, err := s.OpenBlob(ctx, blob.Digest); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	Sound(t, s)
}

// What can't be erased is not, and nothing of the transaction is there.
func testNotErased(t *testing.T, open Open) {
	s, ctx := open(t, frozen), t.Context()
	added := Add(t, s, Rollout(0), Rollout(1), Naming(Examine(t, Rollout(0))), Naming(Examine(t, Rollout(1))))
	stop := errors.New("stop")
	for name, f := range map[string]func(evidence.Tx) error{
		"no such record":  func(tx evidence.Tx) error { return tx.Erase(ctx, 9, 10) },
		"no such order":   func(tx evidence.Tx) error { return tx.Erase(ctx, 0, 10) },
		"by itself":       func(tx evidence.Tx) error { return tx.Erase(ctx, 0, 0) },
		"by one before":   func(tx evidence.Tx) error { return tx.Erase(ctx, 2, 0) },
		"by another's":    func(tx evidence.Tx) error { return tx.Erase(ctx, 0, 3) },
		"rolled back":     func(tx evidence.Tx) error { return errors.Join(stop, tx.Erase(ctx, 0, 2)) },
		"error forgotten": func(tx evidence.Tx) error { _ = tx.Erase(ctx, 0, 1); return nil },
		"twice": func(tx evidence.Tx) error {
			if err := tx.Erase(ctx, 0, 2); err != nil {
				return nil
			}
			return tx.Erase(ctx, 0, 2)
		},
	} {
		if err := s.Append(ctx, f); err == nil {
			t.Errorf("%s: done", name)
		}
		if record, err := s.Record(ctx, 0); err != nil || record.Erased != nil || !bytes.Equal(record.Envelope, added[0].Record.Envelope) {
			t.Errorf("%s: %+v, %v", name, record.Erased, err)
		}
	}
	hits(t, s, evidence.Query{Text: "CHG-0"}, 0)
	Sound(t, s)
}

// A record that is added and erased in one transaction was never readable.
func testErasedAtOnce(t *testing.T, open Open) {
	s, ctx := open(t, frozen), t.Context()
	record := Examine(t, Rollout(0))
	err := s.Append(ctx, func(tx evidence.Tx) error {
		for _, r := range []evidence.Record{record, Examine(t, Naming(record))} {
			if _, _, err := tx.Add(ctx, r); err != nil {
				return err
			}
		}
		if err := tx.Erase(ctx, 0, 1); err != nil {
			return err
		}
		hits(t, tx, evidence.Query{Text: "CHG-0"})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	hits(t, s, evidence.Query{Text: "CHG-0"})
	Sound(t, s)
}

// A record whose blobs are erased keeps everything else, and gets none again.
func testEraseBlobs(t *testing.T, open Open) {
	s, ctx := open(t, frozen), t.Context()
	blob, err := s.PutBlob(ctx, strings.NewReader("bin/age_0"))
	if err != nil {
		t.Fatal(err)
	}
	record := Examine(t, Rollout(0))
	if _, err := evidence.Add(ctx, s, []evidence.Record{record}, blob); err != nil {
		t.Fatal(err)
	}
	by := Add(t, s, Naming(record))[0].Record.Index
	stop := errors.New("stop")
	for range 2 {
		if err := s.Append(ctx, func(tx evidence.Tx) error { return errors.Join(tx.EraseBlobs(ctx, 0, by), stop) }); !errors.Is(err, stop) {
			t.Fatal(err)
		}
	}
	if list, err := s.Blobs(ctx, 0); err != nil || len(list) != 1 {
		t.Fatalf("after a transaction that was undone: %v, %v", list, err)
	}
	if err := s.Append(ctx, func(tx evidence.Tx) error { return tx.EraseBlobs(ctx, 0, by) }); err != nil {
		t.Fatal(err)
	}
	got, err := s.Record(ctx, 0)
	if err != nil || !bytes.Equal(got.Envelope, record.Envelope) || got.Erased != nil || got.BlobsErased == nil || got.BlobsErased.By != by {
		t.Errorf("%+v, %v", got.BlobsErased, err)
	}
	if list, err := s.Blobs(ctx, 0); err != nil || len(list) > 0 {
		t.Errorf("%v, %v", list, err)
	}
	if f, err := s.OpenBlob(ctx, blob.Digest); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("blob: %v, %v", f, err)
	}
	hits(t, s, evidence.Query{Text: "CHG-0"}, 0)
	if err := s.Append(ctx, func(tx evidence.Tx) error { return tx.EraseBlobs(ctx, 0, by) }); err == nil {
		t.Error("erased twice")
	}
	Sound(t, s)
	if _, err := s.PutBlob(ctx, strings.NewReader("bin/age_0")); err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.Add(ctx, s, []evidence.Record{record}, blob); !errors.Is(err, evidence.ErrErased) {
		t.Errorf("attached again: %v", err)
	}
	if err := s.Append(ctx, func(tx evidence.Tx) error { return tx.Erase(ctx, 0, by) }); err != nil {
		t.Errorf("the record after its blobs: %v", err)
	}
	Sound(t, s)
}

// A blob is a subject of every record that it belongs to, so that whoever searches for
// the digest of a file finds them.
func testAttachToOthers(t *testing.T, open Open) {
	s, ctx := open(t, frozen), t.Context()
	blob, err := s.PutBlob(ctx, strings.NewReader("bin/age_1"))
	if err != nil {
		t.Fatal(err)
	}
	Add(t, s, Rollout(0), Rollout(1))
	if err := s.Append(ctx, func(tx evidence.Tx) error { return tx.Attach(ctx, 0, blob) }); !errors.Is(err, evidence.ErrNotASubject) {
		t.Errorf("got %v", err)
	}
	if err := s.Append(ctx, func(tx evidence.Tx) error { return tx.Attach(ctx, 1, blob) }); err != nil {
		t.Fatal(err)
	}
	hits(t, s, evidence.Query{Digests: []string{blob.Digest.String()}}, 1)
}

// The records of an act are one of each signer and an unverified one.
func testSame(t *testing.T, open Open) {
	s, ctx := open(t, frozen), t.Context()
	data := Envelope(NewSigner("ada"), ScanType, []evidence.Subject{Subject("a")}, Story{})
	loose := evidence.Intake{Catalog: Intake().Catalog, Authority: nobody{}, AllowUnknownSigner: true}
	unverified, err := loose.Examine(data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.Add(ctx, s, []evidence.Record{unverified}); err != nil {
		t.Fatal(err)
	}
	Add(t, s, Rollout(0), data, Envelope(NewSigner("grace"), ScanType, []evidence.Subject{Subject("a")}, Story{}))
	for act, want := range map[evidence.Digest][]int64{unverified.Act: {0, 2, 3}, {}: nil} {
		if got, err := s.Same(ctx, act); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", act, got, err)
		}
	}
}
