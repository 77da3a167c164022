// Package checkpoint makes, proves and checks checkpoints of a store's log.
//
// A checkpoint is a C2SP signed note over the size and the root of the log's Merkle
// tree (package translog). Whoever holds one can be shown later that a record was in
// the log (a receipt), that the log still begins with the same records (consistency),
// and what all of its records are (entries). A checkpoint carries no time, except in
// the cosignatures of witnesses.
//
//	example.com/evidence-4f1c0a9b2d3e5f60
//	2
//	qkOxRw4NqFzA6jvUo2dTqzVpkLkl0bqCsKkAJ4d6k5A=
//
//	— example.com/evidence-4f1c0a9b2d3e5f60 8Rk2…
//
// A log signs a checkpoint only for a tree that is consistent with the one that it
// signed before, and whose hashes follow from its records. Who holds the store's file
// and the log's key can still rewrite what no outsider has seen: that is what
// witnesses are for. A witness is asked with the body of C2SP tlog-witness'
// add-checkpoint request ([Request]) and remembers the newest tree that it cosigned.
package checkpoint

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"iter"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/translog"
)

// Leaf returns the entry of a record. It names the key that verified, and none for an
// unverified record.
func Leaf(r evidence.Record) translog.Leaf {
	l := translog.Leaf{Statement: r.Act, Envelope: r.ID, PredicateType: r.PredicateType, KeyID: r.Signer.KeyID}
	if r.Kind == evidence.KindUnverified {
		l.KeyID = ""
	}
	return l
}

// Leaves yields the entries of the records from index from to before index to.
func Leaves(ctx context.Context, r evidence.Reader, from, to int64) iter.Seq2[translog.Leaf, error] {
	return func(yield func(translog.Leaf, error) bool) {
		next := from
		for record, err := range r.Scan(ctx, evidence.Range{From: from, To: to}) {
			if err == nil && record.Index != next {
				err = fmt.Errorf("record %d: %w", next, evidence.ErrNotFound)
			}
			if !yield(Leaf(record), err) || err != nil {
				return
			}
			next++
		}
		if next < to {
			yield(translog.Leaf{}, fmt.Errorf("record %d: %w", next, evidence.ErrNotFound))
		}
	}
}

// A Store's hashes, as package translog reads them.
type hashes struct {
	ctx context.Context
	r   evidence.Reader
}

func (h hashes) ReadHashes(places []int64) ([]translog.Hash, error) {
	list, err := h.r.Hashes(h.ctx, places)
	if err != nil {
		return nil, err
	}
	out := make([]translog.Hash, len(list))
	for i, d := range list {
		out[i] = translog.Hash(d)
	}
	return out, nil
}

// Tree returns the log's tree of the given size, as its stored hashes say it.
func Tree(ctx context.Context, r evidence.Reader, size int64) (translog.Tree, error) {
	return translog.ReadTree(hashes{ctx, r}, size)
}

// Rebuilt returns the log's tree of the given size, made from the records alone.
func Rebuilt(ctx context.Context, r evidence.Reader, size int64) (translog.Tree, error) {
	return translog.Rebuild(Leaves(ctx, r, 0, size))
}

// Newest returns the newest checkpoint that the store has, verified under the key of
// its log; ok is false where it has none. The key is the store's own word: who needs
// more compares it with one from outside.
func Newest(ctx context.Context, r evidence.Reader) (s translog.SignedCheckpoint, ok bool, err error) {
	id, err := r.Log(ctx)
	if err != nil {
		return s, false, err
	}
	note, err := r.Checkpoint(ctx)
	if err != nil || note == nil {
		return s, false, err
	}
	s, err = translog.Open(note, id.Origin, ed25519.PublicKey(id.Key))
	return s, err == nil, err
}

// A RewrittenError says that the log is no longer what a checkpoint of it says.
type RewrittenError struct {
	Checkpoint translog.Checkpoint
	Err        error
}

func (e *RewrittenError) Error() string {
	return fmt.Sprintf("the log %s is not the one of the checkpoint of size %d: %v", e.Checkpoint.Origin, e.Checkpoint.Size, e.Err)
}
func (e *RewrittenError) Unwrap() error { return e.Err }

// Consistent shows that the log still begins with the tree of a checkpoint of it. The
// error is a [*RewrittenError], or a [*translog.OriginError] for another log's.
func Consistent(ctx context.Context, r evidence.Reader, c translog.Checkpoint) error {
	id, err := r.Log(ctx)
	if err != nil {
		return err
	}
	if c.Origin != id.Origin {
		return &translog.OriginError{Got: c.Origin, Want: id.Origin}
	}
	size, err := r.Len(ctx)
	if err != nil {
		return err
	}
	if size < c.Size {
		return &RewrittenError{c, fmt.Errorf("it has %d records", size)}
	}
	for _, tree := range []func(context.Context, evidence.Reader, int64) (translog.Tree, error){Tree, Rebuilt} {
		now, err := tree(ctx, r, c.Size)
		if err != nil {
			return &RewrittenError{c, err}
		}
		if now != c.Tree {
			return &RewrittenError{c, &translog.RootError{Size: c.Size, Got: now.Root, Want: c.Root}}
		}
	}
	return nil
}

// ErrOtherKey is returned where a signer is not the log's.
var ErrOtherKey = errors.New("this is not the log's key")

// Sign signs the log as it is inside a write transaction, and keeps the checkpoint. It
// refuses ([*RewrittenError]) when records no longer lead to the stored hashes, or not
// to the checkpoint before.
func Sign(ctx context.Context, tx evidence.Tx, public ed25519.PublicKey, s translog.Signer) (translog.SignedCheckpoint, error) {
	var none translog.SignedCheckpoint
	id, err := tx.Log(ctx)
	if err != nil {
		return none, err
	}
	if !public.Equal(ed25519.PublicKey(id.Key)) {
		return none, ErrOtherKey
	}
	before, ok, err := Newest(ctx, tx)
	if err != nil {
		return none, err
	}
	size, err := tx.Len(ctx)
	if err != nil {
		return none, err
	}
	now, err := Tree(ctx, tx, size)
	if err != nil {
		return none, err
	}
	c := translog.Checkpoint{Origin: id.Origin, Tree: now}
	if ok && before.Checkpoint == c {
		return before, nil
	}
	if err := Consistent(ctx, tx, c); err != nil {
		return none, err
	}
	if ok {
		if _, err := translog.ProveConsistency(hashes{ctx, tx}, before.Tree, now); err != nil {
			return none, &RewrittenError{before.Checkpoint, err}
		}
	}
	signed, err := translog.Sign(c, public, s)
	if err != nil {
		return none, err
	}
	return signed, save(ctx, tx, signed)
}

func save(ctx context.Context, tx evidence.Tx, s translog.SignedCheckpoint) error {
	note, err := s.Marshal()
	if err != nil {
		return err
	}
	return tx.SaveCheckpoint(ctx, s.Size, note)
}

// Cosigned adds a witness's cosignature to the store's newest checkpoint. check
// verifies it: the name and the key are not the store's to say.
func Cosigned(ctx context.Context, tx evidence.Tx, c translog.Cosignature, check func(translog.Cosignature, translog.Checkpoint) error) (translog.SignedCheckpoint, error) {
	newest, ok, err := Newest(ctx, tx)
	if err != nil {
		return newest, err
	}
	if !ok {
		return newest, errors.New("the log has no checkpoint yet")
	}
	if err := check(c, newest.Checkpoint); err != nil {
		return newest, err
	}
	newest, err = newest.Add(c)
	if err != nil {
		return newest, err
	}
	return newest, save(ctx, tx, newest)
}

// Receipt proves that a record is in the tree of a checkpoint of this log.
func Receipt(ctx context.Context, r evidence.Reader, s translog.SignedCheckpoint, index int64) (translog.Receipt, translog.Leaf, error) {
	record, err := r.Record(ctx, index)
	if err != nil {
		return translog.Receipt{}, translog.Leaf{}, err
	}
	leaf := Leaf(record)
	receipt, err := translog.NewReceipt(hashes{ctx, r}, s, index, leaf)
	return receipt, leaf, err
}
