package translog_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/rollproof/rollproof/evidence/translog"
)

func receipt(t testing.TB, size int, index int64) translog.Receipt {
	t.Helper()
	m := store(t, leaves(size))
	r, err := translog.NewReceipt(m, signed(t, tree(t, m, size)), index, leaf(int(index)))
	must(t, err)
	return r
}

func TestReceiptRoundTrip(t *testing.T) {
	for index := range int64(7) {
		data := marshal(t, receipt(t, 7, index))
		r, err := translog.ParseReceipt(data)
		must(t, err)
		must(t, r.Verify(leaf(int(index)), origin, logKey.public()))
		wantError[*translog.ProofError](t, r.Verify(leaf(int(index)+1), origin, logKey.public()), "in the tree of size 7")
		wantError[*translog.SignatureError](t, r.Verify(leaf(int(index)), origin, otherKey.public()), "no signature")
		wantError[*translog.FormatError](t, r.Verify(translog.Leaf{}, origin, logKey.public()), "no predicate type")
		if !bytes.Equal(marshal(t, r), data) {
			t.Errorf("%q is written again as %q", data, marshal(t, r))
		}
	}
}

// A reader of C2SP tlog-proof's text, with golang.org/x/mod/sumdb alone.
func TestPeerReadsReceipt(t *testing.T) {
	text := string(marshal(t, receipt(t, 7, 4)))
	head, checkpoint, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" || lines[1] != "index 4" {
		t.Errorf("proof begins %q", lines[:2])
	}
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		h, err := tlog.ParseHash(line)
		must(t, err)
		proof = append(proof, h)
	}
	whole, err := c2spReader{directory{"checkpoint": []byte(checkpoint)}}.tree(peerVerifiers(t))
	must(t, err)
	entry := sha256.Sum256(append([]byte{0}, marshal(t, leaf(4))...))
	must(t, tlog.CheckRecord(proof, whole.N, whole.Hash, 4, entry))
}

func TestEveryChangeOfAReceiptIsRefused(t *testing.T) {
	for name, data := range mutants(marshal(t, receipt(t, 7, 4))) {
		r, err := translog.ParseReceipt(data)
		if err == nil {
			err = r.Verify(leaf(4), origin, logKey.public())
		}
		if err == nil {
			_, err = r.Checkpoint.Cosigned(witness, witnessKey.public())
		}
		if err == nil {
			t.Fatalf("%s: %q was accepted", name, data)
		}
	}
}

func TestReceiptRefuses(t *testing.T) {
	good := string(marshal(t, receipt(t, 7, 4)))
	hash := base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n"
	for name, test := range map[string]struct{ data, want string }{
		"empty":         {"", "begins with \"\""},
		"other version": {strings.Replace(good, "@v1", "@v2", 1), `begins with "c2sp.org/tlog-proof@v2"`},
		"extra data":    {strings.Replace(good, "index", "extra AAAA\nindex", 1), `line "extra AAAA", expected an index`},
		"no index":      {strings.Replace(good, "index 4\n", "", 1), "expected an index"},
		"bare index":    {strings.Replace(good, "index 4\n", "4\n", 1), "exact encoding"},
		"index 04":      {strings.Replace(good, "index 4\n", "index 04\n", 1), "exact encoding"},
		"index 7":       {strings.Replace(good, "index 4\n", "index 7\n", 1), "index 7 in a tree of size 7"},
		"index -1":      {strings.Replace(good, "index 4\n", "index -1\n", 1), "index -1 in a tree of size 7"},
		"short hash":    {strings.Replace(good, "index 4\n", "index 4\nAAAA\n", 1), "expected 32 bytes in base64"},
		"49 hashes":     {strings.Replace(good, "index 4\n", "index 4\n"+strings.Repeat(hash, 46), 1), "49 hashes, expected at most 48"},
		"huge":          {good + strings.Repeat("x", 30000), "proof: "},
		"bad note":      {good + "x", "expected one line"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := translog.ParseReceipt([]byte(test.data))
			wantError[*translog.FormatError](t, err, test.want)
		})
	}
	s := receipt(t, 7, 4).Checkpoint
	_, err := translog.NewReceipt(store(t, leaves(7)), s, 4, leaf(5))
	wantError[*translog.ProofError](t, err, "leaf 4 in the tree of size 7")
	_, err = translog.NewReceipt(store(t, leaves(7)), s, 4, translog.Leaf{})
	wantError[*translog.FormatError](t, err, "no predicate type")
}
