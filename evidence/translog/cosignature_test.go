package translog_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence/translog"
)

func TestEveryChangeOfACosignatureIsRefused(t *testing.T) {
	s := sevenLeaves(t)
	for name, data := range mutants(marshal(t, s.Cosignatures()[0])) {
		c, err := translog.ParseCosignature(data)
		if err == nil {
			_, err = c.Verify(s.Checkpoint, witness, witnessKey.public())
		}
		if err == nil {
			t.Fatalf("%s: %q was accepted", name, data)
		}
	}
}

// A cosignature holds for one checkpoint and one time.
func TestCosignatureReplay(t *testing.T) {
	s := sevenLeaves(t)
	c := s.Cosignatures()[0]
	other := signed(t, tree(t, store(t, leaves(8)), 8)).Checkpoint
	_, err := c.Verify(other, witness, witnessKey.public())
	wantError[*translog.SignatureError](t, err, "wrong signature by")
	other = s.Checkpoint
	other.Origin = "example.com/evidence-0000000000000000"
	_, err = c.Verify(other, witness, witnessKey.public())
	wantError[*translog.SignatureError](t, err, "wrong signature by")

	material, err := base64.StdEncoding.DecodeString(strings.Fields(string(marshal(t, c)))[2])
	must(t, err)
	material[11]--
	earlier, err := translog.ParseCosignature([]byte(line(witness, c.KeyID(), material[4:]...)))
	must(t, err)
	_, err = earlier.Verify(s.Checkpoint, witness, witnessKey.public())
	wantError[*translog.SignatureError](t, err, "wrong signature by")

	// The log's own signature, dressed as a cosignature by the same key.
	plain := ed25519.Sign(witnessKey.private, marshal(t, s.Checkpoint))
	dressed, err := translog.ParseCosignature([]byte(line(witness, c.KeyID(), append(binary.BigEndian.AppendUint64(nil, 1), plain...)...)))
	must(t, err)
	_, err = dressed.Verify(s.Checkpoint, witness, witnessKey.public())
	wantError[*translog.SignatureError](t, err, "wrong signature by")
}

func TestCosignRefuses(t *testing.T) {
	c := sevenLeaves(t).Checkpoint
	for name, test := range map[string]struct {
		name string
		at   time.Time
		want string
	}{
		"the log itself":   {origin, cosignedAt, "is the log itself"},
		"a bad name":       {"a b", cosignedAt, "expected visible ASCII"},
		"a fraction":       {witness, cosignedAt.Add(time.Nanosecond), "time 2026-03-02T09:30:00.000000001Z, expected whole seconds"},
		"no time":          {witness, time.Time{}, "time 0001-01-01"},
		"1970":             {witness, time.Unix(0, 0), "time 1970-01-01"},
		"the year 10000":   {witness, time.Unix(253402300800, 0), "time 10000-01-01"},
		"a very late time": {witness, time.Unix(1<<62, 0), "expected whole seconds"},
	} {
		_, err := translog.Cosign(c, test.name, witnessKey.public(), witnessKey, test.at)
		t.Run(name, func(t *testing.T) { wantError[*translog.FormatError](t, err, test.want) })
	}
	c.Size = -1
	_, err := translog.Cosign(c, witness, witnessKey.public(), witnessKey, cosignedAt)
	wantError[*translog.FormatError](t, err, "tree of size -1")
}

func TestAdd(t *testing.T) {
	s := sevenLeaves(t)
	_, err := s.Add(s.Cosignatures()[0])
	wantError[*translog.FormatError](t, err, "cosigned twice by")
	_, err = s.Add(translog.Cosignature{})
	wantError[*translog.FormatError](t, err, "time of 0 seconds")
	_, err = translog.Cosignature{}.Marshal()
	wantError[*translog.FormatError](t, err, "time of 0 seconds")
	log, err := translog.ParseCosignature([]byte(line(origin, 1, append([]byte{0, 0, 0, 0, 0, 0, 0, 1}, make([]byte, 64)...)...)))
	must(t, err)
	_, err = s.Add(log)
	wantError[*translog.FormatError](t, err, "second signature by the log")

	before := marshal(t, s)
	full := s
	for i := range translog.MaxCosignatures - 1 {
		c, err := translog.Cosign(s.Checkpoint, fmt.Sprintf("example.com/w%d", 99-i), otherKey.public(), otherKey, cosignedAt)
		must(t, err)
		full, err = full.Add(c)
		must(t, err)
	}
	if !bytes.Equal(marshal(t, s), before) {
		t.Error("Add has changed what it was called on")
	}
	again, err := translog.Open(marshal(t, full), origin, logKey.public())
	if err != nil || !bytes.Equal(marshal(t, again), marshal(t, full)) {
		t.Errorf("the largest signed checkpoint is not read: %v", err)
	}
	for i := range translog.MaxCosignatures - 1 {
		if _, err := again.Cosigned(fmt.Sprintf("example.com/w%d", 99-i), otherKey.public()); err != nil {
			t.Error(err)
		}
	}
	c, err := translog.Cosign(s.Checkpoint, "example.com/w0", otherKey.public(), otherKey, cosignedAt)
	must(t, err)
	_, err = full.Add(c)
	wantError[*translog.FormatError](t, err, "33 cosignatures, expected at most 32")
	_, err = translog.ParseSigned(append(marshal(t, full), marshal(t, c)...))
	wantError[*translog.FormatError](t, err, "33 cosignatures, expected at most 32")
}

// Two keys of one name both cosign, and adding to one checkpoint twice makes two
// checkpoints that share nothing.
func TestAddShares(t *testing.T) {
	s := sevenLeaves(t)
	cosign := func(name string, k key) translog.Cosignature {
		c, err := translog.Cosign(s.Checkpoint, name, k.public(), k, cosignedAt)
		must(t, err)
		return c
	}
	add := func(s translog.SignedCheckpoint, c translog.Cosignature) translog.SignedCheckpoint {
		s, err := s.Add(c)
		must(t, err)
		return s
	}
	both := add(s, cosign(witness, otherKey))
	for _, k := range []key{witnessKey, otherKey} {
		if _, err := both.Cosigned(witness, k.public()); err != nil {
			t.Error(err)
		}
	}
	// Three cosignatures stand in memory that has room for a fourth.
	three := add(both, cosign("a", otherKey))
	first := add(three, cosign("b", otherKey))
	before := marshal(t, first)
	add(three, cosign("c", otherKey))
	add(three, cosign("0", otherKey))
	if !bytes.Equal(marshal(t, first), before) || len(three.Cosignatures()) != 3 {
		t.Error("Add has changed another checkpoint")
	}
	first.Cosignatures()[0] = translog.Cosignature{}
	if !bytes.Equal(marshal(t, first), before) {
		t.Error("Cosignatures hands out the checkpoint's own memory")
	}
}
