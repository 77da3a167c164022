package translog

import (
	"crypto/sha256"
	"fmt"
	"iter"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// MaxSize is the number of leaves of the largest tree that is made or read. The
// arithmetic behind it is sound up to 2^62.
const MaxSize = 1 << 48

// EmptyRoot is the root of the tree without leaves: sha256 of nothing.
var EmptyRoot = Hash(sha256.Sum256(nil))

// A Tree names one state of a log: the number of its leaves and its root.
type Tree struct {
	Size int64
	Root Hash
}

// check tells why there is no such tree.
func (t Tree) check(object string) error {
	if t.Size < 0 || t.Size > MaxSize {
		return malformed(object, "tree of size %d, expected 0 to %d", t.Size, int64(MaxSize))
	}
	if t.Size == 0 && t.Root != EmptyRoot {
		return &RootError{0, t.Root, EmptyRoot}
	}
	return nil
}

// Hashes is the storage of a log's hashes. The hashes that [Frontier.Append]
// returns are stored one after the other, from index 0 on. It is a
// tlog.HashReader.
type Hashes interface {
	// ReadHashes returns the hashes at the given indexes, in their order.
	ReadHashes(indexes []int64) ([]Hash, error)
}

// A Frontier is the right edge of a growing tree: the roots of its complete
// subtrees, at most one of each height. It is all that is needed to add leaves and
// to know the root. The zero Frontier is the empty tree.
type Frontier struct {
	size int64
	edge []Hash // largest subtree first
}

// NewFrontier reads the right edge of the tree of the given size, with one call of
// ReadHashes for at most 49 hashes. Storage can lie: compare [Frontier.Tree] with a
// verified checkpoint.
func NewFrontier(h Hashes, size int64) (*Frontier, error) {
	if size < 0 || size > MaxSize {
		return nil, malformed("tree", "size %d, expected 0 to %d", size, int64(MaxSize))
	}
	indexes := edgeIndexes(size)
	if len(indexes) == 0 {
		return &Frontier{}, nil
	}
	edge, err := h.ReadHashes(indexes)
	if err != nil {
		return nil, fmt.Errorf("reading the edge of the tree of size %d: %w", size, err)
	}
	if len(edge) != len(indexes) {
		return nil, fmt.Errorf("reading the edge of the tree of size %d: %d hashes, expected %d", size, len(edge), len(indexes))
	}
	return &Frontier{size, append([]Hash(nil), edge...)}, nil
}

// edgeIndexes returns where the roots of a tree's complete subtrees are stored: one
// for each bit of its size.
func edgeIndexes(size int64) []int64 {
	var indexes []int64
	for level := bits.Len64(uint64(size)) - 1; level >= 0; level-- {
		if size>>level&1 == 1 {
			indexes = append(indexes, tlog.StoredHashIndex(level, size>>level-1))
		}
	}
	return indexes
}

// Append adds a leaf to the tree and returns the hashes that storage must keep for
// it: the leaf's own, then those of the subtrees that it completes, smallest first.
// The first belongs at tlog.StoredHashIndex(0, size before), the others after it.
func (f *Frontier) Append(leaf Hash) []Hash {
	stored := []Hash{leaf}
	for n := f.size; n&1 == 1; n >>= 1 {
		last := len(f.edge) - 1
		leaf = tlog.NodeHash(f.edge[last], leaf)
		f.edge = f.edge[:last]
		stored = append(stored, leaf)
	}
	f.edge = append(f.edge, leaf)
	f.size++
	return stored
}

// Tree returns size and root (RFC 6962 section 2.1).
func (f *Frontier) Tree() Tree {
	last := len(f.edge) - 1
	if last < 0 {
		return Tree{0, EmptyRoot}
	}
	root := f.edge[last]
	for i := last - 1; i >= 0; i-- {
		root = tlog.NodeHash(f.edge[i], root)
	}
	return Tree{f.size, root}
}

// ReadTree returns the tree of the given size as storage holds it.
func ReadTree(h Hashes, size int64) (Tree, error) {
	f, err := NewFrontier(h, size)
	if err != nil {
		return Tree{}, err
	}
	return f.Tree(), nil
}

// Rebuild returns the tree of these leaves, from nothing but the leaves. It stops
// at the first error that leaves yields, and fails with a [*FormatError] at a leaf
// that has no encoding.
func Rebuild(leaves iter.Seq2[Leaf, error]) (Tree, error) {
	var f Frontier
	for leaf, err := range leaves {
		if err != nil {
			return Tree{}, fmt.Errorf("leaf %d: %w", f.size, err)
		}
		hash, err := leaf.Hash()
		if err != nil {
			return Tree{}, fmt.Errorf("leaf %d: %w", f.size, err)
		}
		f.Append(hash)
	}
	return f.Tree(), nil
}
