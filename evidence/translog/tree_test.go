package translog_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/rollproof/rollproof/evidence/translog"
)

// The leaves and roots that implementations of Certificate Transparency test with.
var (
	ctLeaves = []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	ctRoots  = []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
)

func TestCertificateTransparencyVectors(t *testing.T) {
	var f translog.Frontier
	var data [][]byte
	for i, want := range ctRoots {
		if i > 0 {
			entry, err := hex.DecodeString(ctLeaves[i-1])
			must(t, err)
			data = append(data, entry)
			f.Append(tlog.RecordHash(entry))
		}
		if got := f.Tree(); hex.EncodeToString(got.Root[:]) != want || got.Size != int64(i) {
			t.Errorf("tree %d: %d, %x, expected root %s", i, got.Size, got.Root, want)
		}
		if got := naiveRoot(data); hex.EncodeToString(got[:]) != want {
			t.Errorf("the naive root of size %d is %x, expected %s", i, got, want)
		}
	}
}

// TestAgainstModel compares roots, stored hashes and proofs with RFC 6962 written
// down naively, and with tlog.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		all := leaves(rapid.IntRange(0, 70).Draw(rt, "leaves"))
		d, m := encodings(t, all), store(t, all)
		for n := range d {
			want, err := tlog.StoredHashes(int64(n), d[n], m)
			at := tlog.StoredHashIndex(0, int64(n))
			if err != nil || !slices.Equal(m[at:at+int64(len(want))], want) {
				rt.Fatalf("leaf %d stores %v, %v, tlog stores %v", n, m[at:], err, want)
			}
		}
		if int64(len(m)) != tlog.StoredHashCount(int64(len(all))) {
			rt.Fatalf("%d hashes are stored for %d leaves", len(m), len(all))
		}
		newer := tree(t, m, len(all))
		if rebuilt, err := translog.Rebuild(each(all)); err != nil || rebuilt != newer || newer.Root != naiveRoot(d) {
			rt.Fatalf("rebuilt %v, %v, storage has %v, root is %v", rebuilt, err, newer, naiveRoot(d))
		}
		size := rapid.IntRange(0, len(all)).Draw(rt, "older size")
		checkConsistency(rt, m, d, tree(t, m, size), newer)
		if len(all) > 0 {
			checkInclusion(rt, m, d, newer, rapid.IntRange(0, len(all)-1).Draw(rt, "index"))
		}
	})
}

func checkConsistency(t *rapid.T, m memory, d [][]byte, older, newer translog.Tree) {
	var want []Hash
	if older.Size > 0 {
		want = naiveProof(int(older.Size), d, true)
	}
	proof, err := translog.ProveConsistency(m, older, newer)
	if err != nil || !slices.Equal(proof, want) {
		t.Fatalf("proof is %v, %v, expected %v", proof, err, want)
	}
	if err := translog.CheckConsistency(proof, older, newer); err != nil {
		t.Fatal(err)
	}
	forEachWrong(proof, func(name string, wrong []Hash) {
		if translog.CheckConsistency(wrong, older, newer) == nil {
			t.Fatalf("%d in %d: %s was accepted", older.Size, newer.Size, name)
		}
	})
}

func checkInclusion(t *rapid.T, m memory, d [][]byte, whole translog.Tree, index int) {
	leaf := tlog.RecordHash(d[index])
	proof, err := translog.ProveInclusion(m, whole, int64(index), leaf)
	if err != nil || !slices.Equal(proof, naivePath(index, d)) {
		t.Fatalf("proof is %v, %v, expected %v", proof, err, naivePath(index, d))
	}
	for other := range d {
		if err := translog.CheckInclusion(proof, whole, int64(other), leaf); (err == nil) != (other == index) {
			t.Fatalf("leaf %d at index %d: %v", index, other, err)
		}
	}
	forEachWrong(proof, func(name string, wrong []Hash) {
		if translog.CheckInclusion(wrong, whole, int64(index), leaf) == nil {
			t.Fatalf("%d of %d: %s was accepted", index, whole.Size, name)
		}
	})
}

// forEachWrong calls f with a proof that has every bit flipped, every hash dropped,
// doubled and swapped with its neighbour, and one hash more.
func forEachWrong(proof []Hash, f func(name string, wrong []Hash)) {
	for i := range proof {
		for bit, b := range flips(proof[i][:]) {
			wrong := slices.Clone(proof)
			wrong[i] = Hash(b)
			f(fmt.Sprintf("hash %d with bit %d flipped", i, bit), wrong)
		}
		f(fmt.Sprintf("without hash %d", i), slices.Delete(slices.Clone(proof), i, i+1))
		f(fmt.Sprintf("hash %d doubled", i), slices.Insert(slices.Clone(proof), i, proof[i]))
		if i > 0 {
			wrong := slices.Clone(proof)
			wrong[i-1], wrong[i] = wrong[i], wrong[i-1]
			f(fmt.Sprintf("hashes %d and %d swapped", i-1, i), wrong)
		}
	}
	f("one hash more", append(slices.Clone(proof), Hash{}))
}

// A log that was rewritten has no proof that it holds the older tree.
func TestRewrittenLogShows(t *testing.T) {
	rewrites := map[string]func(all []translog.Leaf) []translog.Leaf{
		"deleted":   func(all []translog.Leaf) []translog.Leaf { return slices.Delete(all, 3, 4) },
		"altered":   func(all []translog.Leaf) []translog.Leaf { all[3].Envelope[0]++; return all },
		"reordered": func(all []translog.Leaf) []translog.Leaf { all[3], all[4] = all[4], all[3]; return all },
		"inserted":  func(all []translog.Leaf) []translog.Leaf { return slices.Insert(all, 3, leaf(99)) },
	}
	older := tree(t, store(t, leaves(7)), 7)
	for name, rewrite := range rewrites {
		t.Run(name, func(t *testing.T) {
			all := rewrite(leaves(12))
			m := store(t, all)
			_, err := translog.ProveConsistency(m, older, tree(t, m, len(all)))
			wantError[*translog.ProofError](t, err, "the tree of size 7 in the tree of size")
			_, err = translog.ProveConsistency(m, older, tree(t, m, 7))
			wantError[*translog.RootError](t, err, "the tree of size 7 has the root")
			_, err = translog.ProveConsistency(m, older, tree(t, m, 6))
			wantError[*translog.ProofError](t, err, "the newer tree is smaller")
		})
	}
}

// One flipped bit in any stored hash that a proof needs is found by who makes it.
func TestDamagedStorageShowsAtTheProver(t *testing.T) {
	all := leaves(11)
	m := store(t, all)
	older, whole := tree(t, m, 6), tree(t, m, 11)
	needed := map[int64]bool{}
	spy := tlog.HashReaderFunc(func(indexes []int64) ([]Hash, error) {
		for _, i := range indexes {
			needed[i] = true
		}
		return m.ReadHashes(indexes)
	})
	prove := func(h translog.Hashes) error {
		if _, err := translog.ProveInclusion(h, whole, 4, hashOf(t, all[4])); err != nil {
			return err
		}
		_, err := translog.ProveConsistency(h, older, whole)
		return err
	}
	must(t, prove(spy))
	if len(needed) < 5 {
		t.Fatalf("only %v are read", needed)
	}
	for i := range needed {
		damaged := slices.Clone(m)
		damaged[i][7] ^= 1
		wantError[*translog.ProofError](t, prove(damaged), "in the tree of size 11")
	}
}

var errBroken = errors.New("broken on purpose")

func TestErrorsOfStorageComeBack(t *testing.T) {
	m := store(t, leaves(5))
	older, whole := tree(t, m, 3), tree(t, m, 5)
	for name, broken := range map[string]tlog.HashReaderFunc{
		"fails":     func([]int64) ([]Hash, error) { return nil, errBroken },
		"too few":   func(indexes []int64) ([]Hash, error) { return make([]Hash, len(indexes)-1), nil },
		"too many":  func(indexes []int64) ([]Hash, error) { return make([]Hash, len(indexes)+1), nil },
		"none, nil": func([]int64) ([]Hash, error) { return nil, nil },
	} {
		_, err1 := translog.NewFrontier(broken, 5)
		_, err2 := translog.ProveInclusion(broken, whole, 0, Hash{})
		_, err3 := translog.ProveConsistency(broken, older, whole)
		for _, err := range []error{err1, err2, err3} {
			if err == nil || name == "fails" && !errors.Is(err, errBroken) {
				t.Errorf("%s: error is %v", name, err)
			}
		}
	}
	if _, err := translog.Rebuild(func(yield func(translog.Leaf, error) bool) { yield(leaf(0), errBroken) }); !errors.Is(err, errBroken) {
		t.Errorf("Rebuild: error is %v", err)
	}
	_, err := translog.Rebuild(each([]translog.Leaf{leaf(0), {}}))
	wantError[*translog.FormatError](t, err, "leaf 1: leaf: no predicate type")
}

// Sizes beyond 2^62 make the arithmetic of tlog run for ever; they come back at once.
func TestImpossibleTrees(t *testing.T) {
	good := tree(t, store(t, leaves(1)), 1)
	for _, size := range []int64{-1, math.MinInt64, translog.MaxSize + 1, 1<<62 + 1, math.MaxInt64} {
		bad := translog.Tree{Size: size}
		_, err := translog.NewFrontier(memory(nil), size)
		wantError[*translog.FormatError](t, err, "expected 0 to 281474976710656")
		_, err = translog.ProveInclusion(memory(nil), bad, 0, Hash{})
		wantError[*translog.FormatError](t, err, "expected 0 to 281474976710656")
		wantError[*translog.FormatError](t, translog.CheckInclusion(nil, bad, 0, Hash{}), "expected 0 to")
		wantError[*translog.FormatError](t, translog.CheckConsistency(nil, good, bad), "newer tree: tree of size")
		wantError[*translog.FormatError](t, translog.CheckConsistency(nil, bad, good), "older tree: tree of size")
		_, err = translog.ProveConsistency(memory(nil), good, bad)
		wantError[*translog.FormatError](t, err, "newer tree")
		_, err = translog.Checkpoint{Origin: origin, Tree: bad}.Marshal()
		wantError[*translog.FormatError](t, err, "checkpoint: tree of size")
	}
	for _, index := range []int64{-1, 1, math.MaxInt64, math.MinInt64} {
		wantError[*translog.ProofError](t, translog.CheckInclusion(nil, good, index, good.Root), "there is no such leaf")
		_, err := translog.ProveInclusion(memory(nil), good, index, good.Root)
		wantError[*translog.ProofError](t, err, "there is no such leaf")
	}
	wantError[*translog.RootError](t, translog.CheckConsistency(nil, translog.Tree{}, good), "the tree of size 0")
	_, err := translog.NewFrontier(store(t, leaves(3)), translog.MaxSize)
	if err == nil {
		t.Error("the edge of a tree that is not stored was read")
	}
}

// Appending in a second session, from the stored edge, makes the same log.
func TestFrontierResumes(t *testing.T) {
	all := leaves(40)
	want := store(t, all)
	for size := range all {
		m := slices.Clone(want[:tlog.StoredHashCount(int64(size))])
		f, err := translog.NewFrontier(m, int64(size))
		must(t, err)
		for _, l := range all[size:] {
			m = append(m, f.Append(hashOf(t, l))...)
		}
		if !slices.Equal(m, want) || f.Tree() != tree(t, want, len(all)) {
			t.Fatalf("resumed at %d, the log differs", size)
		}
	}
}

// Storage that hands out its own memory is not written to.
func TestFrontierLeavesStorageAlone(t *testing.T) {
	m := store(t, leaves(7))
	edge, err := m.ReadHashes([]int64{6, 9, 10})
	must(t, err)
	f, err := translog.NewFrontier(tlog.HashReaderFunc(func([]int64) ([]Hash, error) { return edge, nil }), 7)
	must(t, err)
	before := slices.Clone(edge)
	f.Append(Hash{1})
	f.Append(Hash{2})
	if !slices.Equal(edge, before) {
		t.Error("Append has changed the hashes that were read")
	}
}

func BenchmarkAppend(b *testing.B) {
	var f translog.Frontier
	hash := hashOf(b, leaf(0))
	for b.Loop() {
		f.Append(hash)
	}
}

func BenchmarkLeafHash(b *testing.B) {
	l := leaf(0)
	for b.Loop() {
		if _, err := l.Hash(); err != nil {
			b.Fatal(err)
		}
	}
}
