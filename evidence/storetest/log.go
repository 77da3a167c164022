package storetest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/translog"
	"golang.org/x/mod/sumdb/tlog"
)

// Origin is the origin of the suite's log, whose key is that of the signer "log".
const Origin = "example.com/evidence-4f1c0a9b2d3e5f60"

// Identity is the identity of the suite's log.
func Identity() evidence.LogIdentity {
	return evidence.LogIdentity{Origin: Origin, Key: logKey("log")}
}

func logKey(name string) []byte {
	return NewSigner(name).key.Public().(ed25519.PublicKey)
}

// Tree returns the tree of a store's first records, from the hashes that it stores.
func Tree(ctx context.Context, s evidence.Reader, size int64) (translog.Tree, error) {
	return translog.ReadTree(stored{ctx, s}, size)
}

// stored are the hashes of a store.
type stored struct {
	ctx context.Context
	s   evidence.Reader
}

func (h stored) ReadHashes(places []int64) ([]translog.Hash, error) {
	list, err := h.s.Hashes(h.ctx, places)
	hashes := make([]translog.Hash, len(list))
	for i, d := range list {
		hashes[i] = translog.Hash(d)
	}
	return hashes, err
}

// Checkpoint returns the signed checkpoint of a tree of the suite's log.
func Checkpoint(t testing.TB, tree translog.Tree) []byte {
	t.Helper()
	signed, err := translog.Sign(translog.Checkpoint{Origin: Origin, Tree: tree}, Identity().Key, NewSigner("log"))
	if err != nil {
		t.Fatal(err)
	}
	note, err := signed.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return note
}

// SaveCheckpoint saves a signed checkpoint of a store's first records.
func SaveCheckpoint(t testing.TB, s evidence.Store, size int64) []byte {
	t.Helper()
	tree, err := Tree(t.Context(), s, size)
	if err != nil {
		t.Fatal(err)
	}
	note := Checkpoint(t, tree)
	if err := s.Append(t.Context(), func(tx evidence.Tx) error { return tx.SaveCheckpoint(t.Context(), size, note) }); err != nil {
		t.Fatal(err)
	}
	return note
}

func testLogIdentity(t *testing.T, open Open) {
	s, ctx := open(t, frozen), t.Context()
	if id, err := s.Log(ctx); !errors.Is(err, evidence.ErrNoLog) {
		t.Errorf("before: %+v, %v", id, err)
	}
	for name, id := range map[string]evidence.LogIdentity{
		"no origin": {Origin: "", Key: Identity().Key}, "origin of two lines": {Origin: "a\nb", Key: Identity().Key},
		"no key": {Origin: Origin}, "short key": {Origin: Origin, Key: Identity().Key[1:]},
	} {
		if err := s.InitLog(ctx, id); err == nil {
			t.Errorf("%s: done", name)
		}
	}
	if err := s.InitLog(ctx, Identity()); err != nil {
		t.Fatal(err)
	}
	for _, again := range []evidence.LogIdentity{Identity(), {Origin: Origin, Key: logKey("other")}} {
		if err := s.InitLog(ctx, again); !errors.Is(err, evidence.ErrLogExists) {
			t.Errorf("again: %v", err)
		}
	}
	if id, err := s.Log(ctx); err != nil || id.Origin != Origin || !bytes.Equal(id.Key, Identity().Key) {
		t.Errorf("after: %+v, %v", id, err)
	}
	Sound(t, s)
}

// The hashes are those of the leaves, in the places where golang.org/x/mod/sumdb/tlog
// looks for them, also inside the transaction that adds them.
func testHashes(t *testing.T, open Open) {
	s, ctx := open(t, frozen), t.Context()
	var want []evidence.Digest
	look := func(r evidence.Reader) {
		t.Helper()
		places := make([]int64, len(want))
		for i := range places {
			places[i] = int64(i)
		}
		slices.Reverse(places) // any order may be asked for
		got, err := r.Hashes(ctx, places)
		slices.Reverse(got)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%d hashes, %v, expected the %d of the tree", len(got), err, len(want))
		}
	}
	for n := range 21 {
		err := s.Append(ctx, func(tx evidence.Tx) error {
			record, _, err := tx.Add(ctx, Examine(t, Rollout(n)))
			if err != nil {
				return err
			}
			want = append(want, storedHashes(t, record, want)...)
			look(tx)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		look(s)
	}
	for _, missing := range []int64{-1, int64(len(want)), 1 << 40} {
		if got, err := s.Hashes(ctx, []int64{0, missing}); err == nil {
			t.Errorf("place %d: %v", missing, got)
		}
	}
	if got, err := s.Hashes(ctx, nil); err != nil || len(got) > 0 {
		t.Errorf("no place: %v, %v", got, err)
	}
}

// storedHashes returns what a record adds to the hashes before it.
func storedHashes(t *testing.T, r evidence.Record, before []evidence.Digest) []evidence.Digest {
	t.Helper()
	leaf := translog.Leaf{Statement: r.Act, Envelope: r.ID, PredicateType: r.PredicateType, KeyID: r.Signer.KeyID}
	data, err := leaf.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	hashes, err := tlog.StoredHashes(r.Index, data, tlog.HashReaderFunc(func(places []int64) ([]tlog.Hash, error) {
		var list []tlog.Hash
		for _, p := range places {
			list = append(list, tlog.Hash(before[p]))
		}
		return list, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	var list []evidence.Digest
	for _, h := range hashes {
		list = append(list, evidence.Digest(h))
	}
	return list
}

func testCheckpoints(t *testing.T, open Open) {
	s, ctx := open(t, frozen), t.Context()
	if err := s.InitLog(ctx, Identity()); err != nil {
		t.Fatal(err)
	}
	newest := func(r evidence.Reader, want []byte) {
		t.Helper()
		if got, err := r.Checkpoint(ctx); err != nil || !bytes.Equal(got, want) {
			t.Errorf("newest: %q, %v, expected %q", got, err, want)
		}
	}
	newest(s, nil)
	Add(t, s, Rollout(0), Rollout(1), Rollout(2))
	third := SaveCheckpoint(t, s, 3)
	newest(s, third)
	SaveCheckpoint(t, s, 1)
	newest(s, third)
	witnessed := cosigned(t, third)
	stop := errors.New("stop")
	for _, end := range []error{stop, nil} {
		err := s.Append(ctx, func(tx evidence.Tx) error {
			if err := tx.SaveCheckpoint(ctx, 3, witnessed); err != nil {
				return err
			}
			newest(tx, witnessed)
			return end
		})
		if !errors.Is(err, end) {
			t.Fatal(err)
		}
		if end != nil {
			newest(s, third)
		}
	}
	newest(s, witnessed)
	Add(t, s, Rollout(3))
	newest(s, witnessed)
	Sound(t, s)
}

// cosigned returns a checkpoint with a cosignature more.
func cosigned(t *testing.T, note []byte) []byte {
	t.Helper()
	signed, err := translog.Open(note, Origin, Identity().Key)
	if err != nil {
		t.Fatal(err)
	}
	cosignature, err := translog.Cosign(signed.Checkpoint, "example.com/witness-grace", logKey("witness"), NewSigner("witness"), Start)
	if err != nil {
		t.Fatal(err)
	}
	if signed, err = signed.Add(cosignature); err != nil {
		t.Fatal(err)
	}
	data, err := signed.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return data
}
