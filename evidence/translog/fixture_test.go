package translog_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/rollproof/rollproof/evidence/translog"
)

type Hash = translog.Hash

const (
	origin  = "example.com/evidence-4f1c0a9b2d3e5f60"
	witness = "example.com/witness-grace"
)

var cosignedAt = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

// A key signs with an Ed25519 key made from a fixed seed.
type key struct{ private ed25519.PrivateKey }

func newKey(seed byte) key {
	return key{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))}
}

func (k key) public() ed25519.PublicKey           { return k.private.Public().(ed25519.PublicKey) }
func (k key) Sign(message []byte) ([]byte, error) { return ed25519.Sign(k.private, message), nil }

var (
	logKey     = newKey(1)
	witnessKey = newKey(2)
	otherKey   = newKey(3)
)

// leaf returns a leaf that is told from others by i.
func leaf(i int) translog.Leaf {
	return translog.Leaf{
		Statement:     sha256.Sum256(fmt.Append(nil, "statement ", i)),
		Envelope:      sha256.Sum256(fmt.Append(nil, "envelope ", i)),
		PredicateType: "https://slsa.dev/provenance/v1",
		KeyID:         "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
	}
}

func leaves(n int) []translog.Leaf {
	all := make([]translog.Leaf, n)
	for i := range all {
		all[i] = leaf(i)
	}
	return all
}

func each(all []translog.Leaf) iter.Seq2[translog.Leaf, error] {
	return func(yield func(translog.Leaf, error) bool) {
		for _, l := range all {
			if !yield(l, nil) {
				return
			}
		}
	}
}

func hashOf(t testing.TB, l translog.Leaf) Hash {
	t.Helper()
	h, err := l.Hash()
	must(t, err)
	return h
}

// memory is the storage of a log's hashes.
type memory []Hash

func (m memory) ReadHashes(indexes []int64) ([]Hash, error) {
	var found []Hash
	for _, i := range indexes {
		if i < 0 || i >= int64(len(m)) {
			return nil, fmt.Errorf("hash %d of %d", i, len(m))
		}
		found = append(found, m[i])
	}
	return found, nil
}

// store returns the storage of the log of these leaves, made by Append.
func store(t testing.TB, all []translog.Leaf) memory {
	t.Helper()
	var f translog.Frontier
	var m memory
	for _, l := range all {
		m = append(m, f.Append(hashOf(t, l))...)
	}
	return m
}

func tree(t testing.TB, m memory, size int) translog.Tree {
	t.Helper()
	tree, err := translog.ReadTree(m, int64(size))
	must(t, err)
	return tree
}

// signed returns a checkpoint of the tree, signed and cosigned once.
func signed(t testing.TB, tree translog.Tree) translog.SignedCheckpoint {
	t.Helper()
	s, err := translog.Sign(translog.Checkpoint{Origin: origin, Tree: tree}, logKey.public(), logKey)
	must(t, err)
	c, err := translog.Cosign(s.Checkpoint, witness, witnessKey.public(), witnessKey, cosignedAt)
	must(t, err)
	s, err = s.Add(c)
	must(t, err)
	return s
}

func marshal(t testing.TB, v interface{ Marshal() ([]byte, error) }) []byte {
	t.Helper()
	b, err := v.Marshal()
	must(t, err)
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError expects an error of type E with a text in its message, which must be
// fit to print.
func wantError[E error](t testing.TB, err error, want string) {
	t.Helper()
	var e E
	switch {
	case !errors.As(err, &e):
		t.Errorf("error is %v, expected a %T: %s", err, e, want)
	case !strings.Contains(err.Error(), want):
		t.Errorf("error is %q, expected %q in it", err, want)
	case strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r > '~' && r != '…' }):
		t.Errorf("error %q is not printable", err)
	}
}

// naiveRoot is RFC 6962 section 2.1, word for word.
func naiveRoot(d [][]byte) Hash {
	switch len(d) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, d[0]...))
	}
	k := split(len(d))
	return naiveNode(naiveRoot(d[:k]), naiveRoot(d[k:]))
}

func naiveNode(left, right Hash) Hash {
	return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
}

// split returns the largest power of two smaller than n.
func split(n int) int {
	k := 1
	for 2*k < n {
		k *= 2
	}
	return k
}

// naivePath is PATH of RFC 6962 section 2.1.1.
func naivePath(m int, d [][]byte) []Hash {
	if len(d) == 1 {
		return nil
	}
	k := split(len(d))
	if m < k {
		return append(naivePath(m, d[:k]), naiveRoot(d[k:]))
	}
	return append(naivePath(m-k, d[k:]), naiveRoot(d[:k]))
}

// naiveProof is SUBPROOF of RFC 6962 section 2.1.2; PROOF is it with whole = true.
func naiveProof(m int, d [][]byte, whole bool) []Hash {
	if m == len(d) {
		if whole {
			return nil
		}
		return []Hash{naiveRoot(d)}
	}
	k := split(len(d))
	if m <= k {
		return append(naiveProof(m, d[:k], whole), naiveRoot(d[k:]))
	}
	return append(naiveProof(m-k, d[k:], false), naiveRoot(d[:k]))
}

func encodings(t testing.TB, all []translog.Leaf) [][]byte {
	t.Helper()
	var d [][]byte
	for _, l := range all {
		d = append(d, marshal(t, l))
	}
	return d
}

// flips yields data with each of its bits flipped, one at a time.
func flips(data []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		for bit := range 8 * len(data) {
			b := bytes.Clone(data)
			b[bit/8] ^= 1 << (bit % 8)
			if !yield(bit, b) {
				return
			}
		}
	}
}

// mutants yields data with a bit flipped, a byte removed, a byte doubled, and cut
// short, at every place.
func mutants(data []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for bit, b := range flips(data) {
			if !yield(fmt.Sprint("bit ", bit), b) {
				return
			}
		}
		for i := range data {
			without := append(bytes.Clone(data[:i]), data[i+1:]...)
			doubled := append(bytes.Clone(data[:i+1]), data[i:]...)
			if bytes.Equal(without, data) || bytes.Equal(doubled, data) {
				continue
			}
			if !yield(fmt.Sprint("without byte ", i), without) || !yield(fmt.Sprint("byte doubled ", i), doubled) || !yield(fmt.Sprint("cut at ", i), data[:i]) {
				return
			}
		}
	}
}

var _ tlog.HashReader = translog.Hashes(nil)
