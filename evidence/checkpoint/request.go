package checkpoint

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/translog"
)

// A Request asks a witness to cosign a checkpoint: the body of C2SP tlog-witness'
// add-checkpoint.
//
//	old 20852014
//	PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
//
//	example.com/evidence-4f1c0a9b2d3e5f60
//	…
type Request struct {
	OldSize    int64           // of the tree that the witness has seen
	Proof      []translog.Hash // that the checkpoint's tree begins with it
	Checkpoint translog.SignedCheckpoint
}

// maxProof is how many hashes a consistency proof has at most (C2SP tlog-witness).
const maxProof = 63

// NewRequest proves to a witness who has seen the tree of the given size that the
// checkpoint's tree begins with it.
func NewRequest(ctx context.Context, r evidence.Reader, oldSize int64, s translog.SignedCheckpoint) (Request, error) {
	old, err := Tree(ctx, r, oldSize)
	if err != nil {
		return Request{}, err
	}
	proof, err := translog.ProveConsistency(hashes{ctx, r}, old, s.Tree)
	return Request{oldSize, proof, s}, err
}

// Marshal returns the request's bytes.
func (r Request) Marshal() ([]byte, error) {
	note, err := r.Checkpoint.Marshal()
	if err != nil {
		return nil, err
	}
	b := fmt.Appendf(nil, "old %d\n", r.OldSize)
	for _, hash := range r.Proof {
		b = append(base64.StdEncoding.AppendEncode(b, hash[:]), '\n')
	}
	return append(append(b, '\n'), note...), nil
}

// ParseRequest reads the exact bytes of a request. It verifies nothing.
func ParseRequest(data []byte) (Request, error) {
	head, note, found := strings.Cut(string(data), "\n\n")
	lines := strings.Split(head, "\n")
	text, isOld := strings.CutPrefix(lines[0], "old ")
	size, err := strconv.ParseInt(text, 10, 64)
	if !found || !isOld || err != nil || size < 0 {
		return Request{}, errors.New(`a request begins with "old", a size and a blank line before the checkpoint`)
	}
	r := Request{OldSize: size}
	if len(lines)-1 > maxProof {
		return Request{}, fmt.Errorf("a proof of %d hashes, expected at most %d", len(lines)-1, maxProof)
	}
	for _, line := range lines[1:] {
		hash, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(hash) != len(translog.Hash{}) {
			return Request{}, fmt.Errorf("%q is no hash: expected 32 bytes in base64", line)
		}
		r.Proof = append(r.Proof, translog.Hash(hash))
	}
	if r.Checkpoint, err = translog.ParseSigned([]byte(note)); err != nil {
		return Request{}, err
	}
	exact, err := r.Marshal()
	if err == nil && !bytes.Equal(exact, data) {
		err = errors.New("a request that is not in its exact form")
	}
	return r, err
}

// A Witness cosigns what it has seen to grow.
type Witness struct {
	Name   string
	Public ed25519.PublicKey
	Signer translog.Signer
}

// ErrAhead is returned where the witness has seen another size than the request
// begins with.
var ErrAhead = errors.New("the witness has seen another tree")

// Cosign verifies a request under the log's key and against the newest checkpoint
// that the witness has cosigned before, nil for none, and cosigns. The caller keeps
// r.Checkpoint, durably, before he gives the answer away. Errors are [ErrAhead],
// [*translog.SignatureError], [*translog.OriginError] and [*RewrittenError].
func (w Witness) Cosign(r Request, logKey ed25519.PublicKey, seen *translog.Checkpoint, now time.Time) (translog.Cosignature, error) {
	if err := r.Checkpoint.Verify(r.Checkpoint.Origin, logKey); err != nil {
		return translog.Cosignature{}, err
	}
	old := translog.Checkpoint{Origin: r.Checkpoint.Origin, Tree: translog.Tree{Root: translog.EmptyRoot}}
	if seen != nil {
		old = *seen
	}
	if old.Origin != r.Checkpoint.Origin {
		return translog.Cosignature{}, &translog.OriginError{Got: r.Checkpoint.Origin, Want: old.Origin}
	}
	if old.Size != r.OldSize {
		return translog.Cosignature{}, fmt.Errorf("%w: of size %d, and the request begins with size %d", ErrAhead, old.Size, r.OldSize)
	}
	if err := translog.CheckConsistency(r.Proof, old.Tree, r.Checkpoint.Tree); err != nil {
		return translog.Cosignature{}, &RewrittenError{old, err}
	}
	return translog.Cosign(r.Checkpoint.Checkpoint, w.Name, w.Public, w.Signer, now.UTC().Truncate(time.Second))
}
