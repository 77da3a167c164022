package checkpoint_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/storetest"
	"github.com/rollproof/rollproof/evidence/translog"
)

const origin = "example.com/evidence-4f1c0a9b2d3e5f60"

func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(name string) ed25519.PublicKey { return key(name).Public().(ed25519.PublicKey) }

type signer struct{ ed25519.PrivateKey }

func (s signer) Sign(message []byte) ([]byte, error) { return ed25519.Sign(s.PrivateKey, message), nil }

// store makes a store with a log and n records, of which story says the content.
func store(t testing.TB, story, n int) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "evidence.db"), func() time.Time { return storetest.Start })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.InitLog(t.Context(), evidence.LogIdentity{Origin: origin, Key: public("log")}); err != nil {
		t.Fatal(err)
	}
	grow(t, s, story, n)
	return s
}

func grow(t testing.TB, s *sqlite.Store, story, n int) {
	t.Helper()
	for i := range n {
		if _, err := evidence.Add(t.Context(), s, []evidence.Record{storetest.Examine(t, storetest.Rollout(story+i))}); err != nil {
			t.Fatal(err)
		}
	}
}

func sign(t testing.TB, s *sqlite.Store, by string) (translog.SignedCheckpoint, error) {
	t.Helper()
	var signed translog.SignedCheckpoint
	err := s.Append(t.Context(), func(tx evidence.Tx) (err error) {
		signed, err = checkpoint.Sign(t.Context(), tx, public(by), signer{key(by)})
		return err
	})
	return signed, err
}

func mustSign(t testing.TB, s *sqlite.Store) translog.SignedCheckpoint {
	t.Helper()
	signed, err := sign(t, s, "log")
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestSignAndProve(t *testing.T) {
	s := store(t, 1, 5)
	first := mustSign(t, s)
	if again := mustSign(t, s); again.Checkpoint != first.Checkpoint {
		t.Error("a log that did not grow has another checkpoint")
	}
	grow(t, s, 6, 3)
	second := mustSign(t, s)
	for index := range second.Size {
		receipt, leaf, err := checkpoint.Receipt(t.Context(), s, second, index)
		if err == nil {
			err = receipt.Verify(leaf, origin, public("log"))
		}
		if err != nil {
			t.Errorf("record %d: %v", index, err)
		}
	}
	if err := checkpoint.Consistent(t.Context(), s, first.Checkpoint); err != nil {
		t.Error(err)
	}
	if _, err := sign(t, s, "stranger"); !errors.Is(err, checkpoint.ErrOtherKey) {
		t.Errorf("another key: %v", err)
	}
}

// TestRewritten holds the checkpoint of one log against logs that differ from it.
func TestRewritten(t *testing.T) {
	given := mustSign(t, store(t, 1, 5)).Checkpoint
	for name, other := range map[string]*sqlite.Store{
		"shorter": store(t, 1, 4), "another record": store(t, 2, 5), "longer, another record": store(t, 2, 9),
	} {
		var rewritten *checkpoint.RewrittenError
		if err := checkpoint.Consistent(t.Context(), other, given); !errors.As(err, &rewritten) {
			t.Errorf("%s: %v", name, err)
		}
	}
	foreign := given
	foreign.Origin += "0"
	var wrong *translog.OriginError
	if err := checkpoint.Consistent(t.Context(), store(t, 1, 5), foreign); !errors.As(err, &wrong) {
		t.Errorf("another log's checkpoint: %v", err)
	}
}

// lying is a store whose hashes are another store's.
type lying struct {
	evidence.Tx
	hashes evidence.Reader
}

func (l lying) Hashes(ctx context.Context, places []int64) ([]evidence.Digest, error) {
	return l.hashes.Hashes(ctx, places)
}

// TestSignsOnlyWhatRecordsShow gives hashes that do not follow from the records, and
// records that do not lead to the checkpoint before.
func TestSignsOnlyWhatRecordsShow(t *testing.T) {
	s, other := store(t, 1, 5), store(t, 2, 5)
	var rewritten *checkpoint.RewrittenError
	err := s.Append(t.Context(), func(tx evidence.Tx) error {
		_, err := checkpoint.Sign(t.Context(), lying{tx, other}, public("log"), signer{key("log")})
		return err
	})
	if !errors.As(err, &rewritten) {
		t.Errorf("hashes of other records: %v", err)
	}
	note, err := mustSign(t, other).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	err = s.Append(t.Context(), func(tx evidence.Tx) error { return tx.SaveCheckpoint(t.Context(), 5, note) })
	if err != nil {
		t.Fatal(err)
	}
	grow(t, s, 6, 1)
	if _, err := sign(t, s, "log"); !errors.As(err, &rewritten) {
		t.Errorf("another checkpoint before: %v", err)
	}
}

func TestWitness(t *testing.T) {
	s := store(t, 1, 3)
	w := checkpoint.Witness{Name: "witness.example.com/grace", Public: public("grace"), Signer: signer{key("grace")}}
	ask := func(from *sqlite.Store, old int64) checkpoint.Request {
		t.Helper()
		r, err := checkpoint.NewRequest(t.Context(), from, old, mustSign(t, from))
		if err != nil {
			t.Fatal(err)
		}
		data, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if r, err = checkpoint.ParseRequest(data); err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := ask(s, 0)
	c, err := w.Cosign(first, public("log"), nil, storetest.Start)
	if err != nil {
		t.Fatal(err)
	}
	if at, err := c.Verify(first.Checkpoint.Checkpoint, w.Name, w.Public); err != nil || !at.Equal(storetest.Start) {
		t.Errorf("%v, %v", at, err)
	}
	seen := first.Checkpoint.Checkpoint
	grow(t, s, 4, 2)
	if _, err := w.Cosign(ask(s, 3), public("log"), &seen, storetest.Start); err != nil {
		t.Error(err)
	}
	if _, err := w.Cosign(ask(s, 0), public("log"), &seen, storetest.Start); !errors.Is(err, checkpoint.ErrAhead) {
		t.Errorf("a request that begins with nothing: %v", err)
	}
	var rewritten *checkpoint.RewrittenError
	if _, err := w.Cosign(ask(store(t, 2, 5), 3), public("log"), &seen, storetest.Start); !errors.As(err, &rewritten) {
		t.Errorf("a rewritten log: %v", err)
	}
	var unsigned *translog.SignatureError
	if _, err := w.Cosign(ask(s, 3), public("stranger"), &seen, storetest.Start); !errors.As(err, &unsigned) {
		t.Errorf("another log's key: %v", err)
	}
	var other *translog.OriginError
	seen.Origin += "0"
	if _, err := w.Cosign(ask(s, 3), public("log"), &seen, storetest.Start); !errors.As(err, &other) {
		t.Errorf("the memory of another log: %v", err)
	}
}

// FuzzRequestHasOneForm looks for a request that reads well in two forms.
func FuzzRequestHasOneForm(f *testing.F) {
	s := store(f, 1, 3)
	signed := mustSign(f, s)
	for old := range int64(3) {
		r, err := checkpoint.NewRequest(f.Context(), s, old, signed)
		if err != nil {
			f.Fatal(err)
		}
		data, err := r.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := checkpoint.ParseRequest(data)
		if err != nil {
			return
		}
		if again, err := r.Marshal(); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%q is written as %q, %v", data, again, err)
		}
	})
}
