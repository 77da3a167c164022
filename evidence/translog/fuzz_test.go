package translog_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/rollproof/rollproof/evidence/translog"
)

// sameAgain fails unless what was read is written again byte for byte, or was
// refused with one of this package's errors.
func sameAgain(t *testing.T, data []byte, v interface{ Marshal() ([]byte, error) }, err error) {
	t.Helper()
	if err != nil {
		var format *translog.FormatError
		var root *translog.RootError
		if !errors.As(err, &format) && !errors.As(err, &root) {
			t.Errorf("%q is refused with %T: %v", data, err, err)
		}
		return
	}
	if again, err := v.Marshal(); err != nil || !bytes.Equal(again, data) {
		t.Errorf("accepted %q, writes %q (%v)", data, again, err)
	}
}

func FuzzLeafHasOneEncoding(f *testing.F) {
	f.Add(marshal(f, leaf(0)))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := translog.ParseLeaf(data)
		sameAgain(t, data, l, err)
	})
}

func FuzzCheckpointHasOneEncoding(f *testing.F) {
	s := sevenLeaves(f)
	f.Add(marshal(f, s))
	f.Add(marshal(f, s.Checkpoint))
	f.Add(marshal(f, s.Cosignatures()[0]))
	f.Fuzz(func(t *testing.T, data []byte) {
		signed, err := translog.ParseSigned(data)
		sameAgain(t, data, signed, err)
		text, err := translog.ParseCheckpoint(data)
		sameAgain(t, data, text, err)
		cosignature, err := translog.ParseCosignature(data)
		sameAgain(t, data, cosignature, err)
	})
}

func FuzzReceiptHasOneEncoding(f *testing.F) {
	f.Add(marshal(f, receipt(f, 7, 4)))
	f.Add(marshal(f, receipt(f, 1, 0)))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := translog.ParseReceipt(data)
		sameAgain(t, data, r, err)
	})
}

func FuzzEntriesHaveOneEncoding(f *testing.F) {
	data, err := translog.MarshalEntries(leaves(3))
	must(f, err)
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := translog.ParseEntries(data)
		if err != nil {
			return
		}
		if again, err := translog.MarshalEntries(all); err != nil || !bytes.Equal(again, data) {
			t.Errorf("accepted %q, writes %q (%v)", data, again, err)
		}
	})
}

// Whatever a proof and its trees claim, checking comes back, and no junk is taken
// for a proof.
func FuzzProofNeverPanics(f *testing.F) {
	f.Add(int64(7), int64(4), []byte("root"), []byte("hashes"))
	f.Add(int64(1)<<62+1, int64(1)<<61, []byte(nil), bytes.Repeat([]byte{1}, 32*61))
	f.Add(int64(-1), int64(-1), []byte(nil), []byte(nil))
	f.Fuzz(func(t *testing.T, size, index int64, root, hashes []byte) {
		var proof []Hash
		for len(hashes) >= 32 {
			proof, hashes = append(proof, Hash(hashes[:32])), hashes[32:]
		}
		whole := translog.Tree{Size: size}
		copy(whole.Root[:], root)
		// The root is unlike any that this leaf could lead to, unless it is the leaf.
		if err := translog.CheckInclusion(proof, whole, index, Hash{1}); err == nil && whole.Root != (Hash{1}) {
			t.Errorf("%v was accepted for leaf %d of %v", proof, index, whole)
		}
		older := translog.Tree{Size: index, Root: Hash{2}}
		if err := translog.CheckConsistency(proof, older, whole); err == nil && whole != older {
			t.Errorf("%v was accepted for %v in %v", proof, older, whole)
		}
	})
}
