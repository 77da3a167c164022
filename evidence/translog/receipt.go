package translog

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

const (
	receiptHeader = "c2sp.org/tlog-proof@v1\n"
	maxPath       = 48 // hashes of an inclusion proof in a tree of MaxSize leaves
	hashLine      = 44 + 1
	maxReceipt    = len(receiptHeader) + len("index ") + 20 + maxPath*hashLine + 1 + MaxSignedSize
)

// A Receipt proves to whoever holds a leaf and the log's key, without the log, that
// the leaf is in it: a C2SP tlog-proof without extra data. One that was parsed is
// not verified.
type Receipt struct {
	Index      int64  // of the leaf
	Path       []Hash // inclusion proof, from the leaf's sibling up
	Checkpoint SignedCheckpoint
}

// NewReceipt returns the receipt for the leaf at index of the checkpoint's tree,
// which h holds. Errors are those of [ProveInclusion] and [Leaf.Hash].
func NewReceipt(h Hashes, s SignedCheckpoint, index int64, leaf Leaf) (Receipt, error) {
	hash, err := leaf.Hash()
	if err != nil {
		return Receipt{}, err
	}
	path, err := ProveInclusion(h, s.Tree, index, hash)
	if err != nil {
		return Receipt{}, err
	}
	return Receipt{index, path, s}, nil
}

// Verify checks that the log with this origin and key has signed a tree that holds
// the leaf at r.Index. Errors are those of [SignedCheckpoint.Verify],
// [CheckInclusion] and [Leaf.Hash].
func (r Receipt) Verify(leaf Leaf, origin string, key ed25519.PublicKey) error {
	if err := r.Checkpoint.Verify(origin, key); err != nil {
		return err
	}
	hash, err := leaf.Hash()
	if err != nil {
		return err
	}
	return CheckInclusion(r.Path, r.Checkpoint.Tree, r.Index, hash)
}

// Marshal returns the receipt's one exact encoding. Errors are those of
// [SignedCheckpoint.Marshal] and [*FormatError].
func (r Receipt) Marshal() ([]byte, error) {
	if r.Index < 0 || r.Index >= r.Checkpoint.Size {
		return nil, malformed("proof", "index %d in a tree of size %d", r.Index, r.Checkpoint.Size)
	}
	if n := len(r.Path); n > maxPath {
		return nil, malformed("proof", "%d hashes, expected at most %d", n, maxPath)
	}
	checkpoint, err := r.Checkpoint.Marshal()
	if err != nil {
		return nil, err
	}
	b := fmt.Appendf(nil, "%sindex %d\n", receiptHeader, r.Index)
	for _, hash := range r.Path {
		b = append(base64.StdEncoding.AppendEncode(b, hash[:]), '\n')
	}
	return append(append(b, '\n'), checkpoint...), nil
}

// ParseReceipt reads a receipt. It refuses, with the errors of [ParseSigned],
// whatever [Receipt.Marshal] would not have written.
func ParseReceipt(data []byte) (Receipt, error) {
	if len(data) > maxReceipt {
		return Receipt{}, malformed("proof", "%d bytes, expected at most %d", len(data), maxReceipt)
	}
	head, checkpoint, found := strings.Cut(string(data), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 2 || lines[0]+"\n" != receiptHeader {
		return Receipt{}, malformed("proof", "begins with %s, expected %+q, an index, hashes and a blank line", shown(lines[0]), receiptHeader)
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return Receipt{}, malformed("proof", "line %s, expected an index", shown(lines[1]))
	}
	r := Receipt{Index: index}
	for _, line := range lines[2:] {
		hash, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(hash) != len(Hash{}) {
			return Receipt{}, malformed("proof", "hash %s, expected %d bytes in base64", shown(line), len(Hash{}))
		}
		r.Path = append(r.Path, Hash(hash))
	}
	if r.Checkpoint, err = ParseSigned([]byte(checkpoint)); err != nil {
		return Receipt{}, err
	}
	exact, err := r.Marshal()
	if err != nil {
		return Receipt{}, err
	}
	if err := exactly("proof", exact, data); err != nil {
		return Receipt{}, err
	}
	return r, nil
}
