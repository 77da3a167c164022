package translog_test

import (
	"crypto/sha256"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rollproof/rollproof/evidence/translog"
)

func TestLeafRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := translog.Leaf{
			Statement:     sha256.Sum256(rapid.SliceOf(rapid.Byte()).Draw(t, "statement")),
			Envelope:      sha256.Sum256(rapid.SliceOf(rapid.Byte()).Draw(t, "envelope")),
			PredicateType: rapid.StringMatching(`[!-~]{1,200}`).Draw(t, "predicate type"),
			KeyID:         rapid.SampledFrom([]string{"", leaf(0).KeyID}).Draw(t, "keyid"),
		}
		data, err := want.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		got, err := translog.ParseLeaf(data)
		if err != nil || got != want {
			t.Fatalf("read %v, %v, expected %v", got, err, want)
		}
		hash, err := want.Hash()
		if err != nil || hash != sha256.Sum256(append([]byte{0}, data...)) {
			t.Fatalf("hash %v, %v", hash, err)
		}
	})
}

func TestLargestLeaf(t *testing.T) {
	l := leaf(0)
	l.PredicateType = strings.Repeat("x", translog.MaxPredicateType)
	if data := marshal(t, l); len(data) != translog.MaxLeaf {
		t.Errorf("largest leaf has %d bytes, MaxLeaf is %d", len(data), translog.MaxLeaf)
	}
}

func TestMarshalLeafRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		change func(l *translog.Leaf)
		want   string
	}{
		"zero":                 {func(l *translog.Leaf) { *l = translog.Leaf{} }, "no predicate type"},
		"long predicate type":  {func(l *translog.Leaf) { l.PredicateType = strings.Repeat("x", 1025) }, "(1025 bytes), expected at most 1024"},
		"line end":             {func(l *translog.Leaf) { l.PredicateType = "a\nb" }, `"a\nb", expected visible ASCII`},
		"space":                {func(l *translog.Leaf) { l.PredicateType = "a b" }, "visible ASCII"},
		"DEL":                  {func(l *translog.Leaf) { l.PredicateType = "a\x7f" }, "visible ASCII"},
		"bidirectional":        {func(l *translog.Leaf) { l.PredicateType = "a\u202eb" }, `"a\u202eb"`},
		"not UTF-8":            {func(l *translog.Leaf) { l.PredicateType = "a\xff" }, "visible ASCII"},
		"keyid in hex":         {func(l *translog.Leaf) { l.KeyID = strings.Repeat("ab", 32) }, "expected SHA256:"},
		"keyid without prefix": {func(l *translog.Leaf) { l.KeyID = l.KeyID[7:] }, "expected SHA256:"},
		"keyid padded":         {func(l *translog.Leaf) { l.KeyID += "=" }, "expected SHA256:"},
		"keyid with LF":        {func(l *translog.Leaf) { l.KeyID += "\n" }, "expected SHA256:"},
		"keyid with loose end": {func(l *translog.Leaf) { l.KeyID = l.KeyID[:49] + "V" }, "expected SHA256:"},
		"keyid of MD5":         {func(l *translog.Leaf) { l.KeyID = "SHA256:AAAA" }, "expected SHA256:"},
	} {
		t.Run(name, func(t *testing.T) {
			l := leaf(0)
			test.change(&l)
			_, err := l.Marshal()
			wantError[*translog.FormatError](t, err, test.want)
			_, err = l.Hash()
			wantError[*translog.FormatError](t, err, test.want)
		})
	}
}

func TestParseLeafRefuses(t *testing.T) {
	good := string(marshal(t, leaf(0)))
	for name, test := range map[string]struct{ data, want string }{
		"empty":          {"", "begins with"},
		"other version":  {strings.Replace(good, "/v1", "/v2", 1), `begins with "rollproof-leaf/v2\n"`},
		"huge":           {good + strings.Repeat("x", translog.MaxLeaf), "expected at most"},
		"no last LF":     {good[:len(good)-1], "4 line ends, expected 5"},
		"one more LF":    {good + "\n", "6 line ends, expected 5"},
		"CRLF":           {good[:18] + strings.ReplaceAll(good[18:], "\n", "\r\n"), "expected 64 hex digits"},
		"CR in a line":   {good[:len(good)-1] + "\r\n", "keyid"},
		"upper-case hex": {good[:18] + strings.ToUpper(good[18:82]) + good[82:], "exact encoding from byte 20"},
		"no hex":         {good[:18] + strings.Repeat("x", 64) + good[82:], "expected 64 hex digits"},
		"short digest":   {good[:18] + good[20:], "expected 64 hex digits"},
		"one digest":     {good[:18] + good[18+65:], "4 line ends, expected 5"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := translog.ParseLeaf([]byte(test.data))
			wantError[*translog.FormatError](t, err, test.want)
		})
	}
}

// Whatever is done to a leaf's bytes, they are refused or are another leaf, which
// the tree does not hold.
func TestEveryChangeOfALeafShows(t *testing.T) {
	all := leaves(5)
	m := store(t, all)
	whole := tree(t, m, 5)
	proof, err := translog.ProveInclusion(m, whole, 3, hashOf(t, all[3]))
	must(t, err)
	for name, data := range mutants(marshal(t, all[3])) {
		l, err := translog.ParseLeaf(data)
		if err != nil {
			wantError[*translog.FormatError](t, err, "leaf: ")
			continue
		}
		wantError[*translog.ProofError](t, translog.CheckInclusion(proof, whole, 3, hashOf(t, l)), "leaf 3 in the tree of size 5")
		if t.Failed() {
			t.Fatalf("%s: %q", name, data)
		}
	}
}
