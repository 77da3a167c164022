package translog

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// ProveInclusion returns the proof that tree holds the leaf with this hash at
// index: the audit path of RFC 6962 section 2.1.1, from the leaf's sibling up. The
// proof has been checked against the tree, so that damaged storage shows here and
// not at the reader. Errors are those of [CheckInclusion] and of h.
func ProveInclusion(h Hashes, tree Tree, index int64, leaf Hash) ([]Hash, error) {
	if err := checkIndex(tree, index); err != nil {
		return nil, err
	}
	proof, err := tlog.ProveRecord(tree.Size, index, h)
	if err != nil {
		return nil, fmt.Errorf("reading a proof of %s: %w", inclusion(tree, index), err)
	}
	if err := CheckInclusion(proof, tree, index, leaf); err != nil {
		return nil, err
	}
	return proof, nil
}

// CheckInclusion checks that tree holds the leaf with this hash at index. It fails
// with a [*ProofError], or, for a tree that can't be, with a [*FormatError] or
// [*RootError].
func CheckInclusion(proof []Hash, tree Tree, index int64, leaf Hash) error {
	if err := checkIndex(tree, index); err != nil {
		return err
	}
	if err := tlog.CheckRecord(proof, tree.Size, tree.Root, index, leaf); err != nil {
		return &ProofError{inclusion(tree, index), fmt.Sprintf("a proof of %d hashes that does not lead from the leaf %v to the root %v", len(proof), leaf, tree.Root)}
	}
	return nil
}

func inclusion(tree Tree, index int64) string {
	return fmt.Sprintf("leaf %d in the tree of size %d", index, tree.Size)
}

func checkIndex(tree Tree, index int64) error {
	if err := tree.check("tree"); err != nil {
		return err
	}
	if index < 0 || index >= tree.Size {
		return &ProofError{inclusion(tree, index), "there is no such leaf"}
	}
	return nil
}

// ProveConsistency returns the proof that the newer tree begins with all leaves of
// the older one: RFC 6962 section 2.1.2, and no hashes where one of them is the
// empty tree or both are the same. The proof has been checked. Errors are those of
// [CheckConsistency] and of h.
func ProveConsistency(h Hashes, older, newer Tree) ([]Hash, error) {
	if err := checkOrder(older, newer); err != nil {
		return nil, err
	}
	if older.Size == 0 || older.Size == newer.Size {
		return nil, nil
	}
	proof, err := tlog.ProveTree(newer.Size, older.Size, h)
	if err != nil {
		return nil, fmt.Errorf("reading a proof of %s: %w", consistency(older, newer), err)
	}
	if err := CheckConsistency(proof, older, newer); err != nil {
		return nil, err
	}
	return proof, nil
}

// CheckConsistency checks that the newer tree begins with all leaves of the older
// one. It fails with a [*RootError] where two trees of one size have different
// roots, with a [*ProofError] where newer is smaller or the proof does not hold,
// and with a [*FormatError] for a tree that can't be.
func CheckConsistency(proof []Hash, older, newer Tree) error {
	if err := checkOrder(older, newer); err != nil {
		return err
	}
	if older.Size == 0 || older.Size == newer.Size {
		if len(proof) != 0 {
			return &ProofError{consistency(older, newer), fmt.Sprintf("a proof of %d hashes, expected none", len(proof))}
		}
		return nil
	}
	if err := tlog.CheckTree(proof, newer.Size, newer.Root, older.Size, older.Root); err != nil {
		return &ProofError{consistency(older, newer), fmt.Sprintf("a proof of %d hashes that does not lead to the roots %v and %v", len(proof), older.Root, newer.Root)}
	}
	return nil
}

func consistency(older, newer Tree) string {
	return fmt.Sprintf("the tree of size %d in the tree of size %d", older.Size, newer.Size)
}

func checkOrder(older, newer Tree) error {
	if err := older.check("older tree"); err != nil {
		return err
	}
	if err := newer.check("newer tree"); err != nil {
		return err
	}
	if older.Size > newer.Size {
		return &ProofError{consistency(older, newer), "the newer tree is smaller"}
	}
	if older.Size == newer.Size && older.Root != newer.Root {
		return &RootError{newer.Size, newer.Root, older.Root}
	}
	return nil
}
