package export_test

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence/export"
)

// samples are one export of each sort.
func samples(t testing.TB) (world, [][]byte) {
	t.Helper()
	w := newWorld(t)
	var list [][]byte
	for _, c := range []export.Completeness{export.Matching, export.Labels, export.Complete} {
		list = append(list, w.write(t, func(s *export.Source) { s.Completeness, s.Blobs = c, true }))
	}
	return w, list
}

// TestEveryChangeFails changes bytes all over each sort of export.
func TestEveryChangeFails(t *testing.T) {
	w, list := samples(t)
	o := w.options(t)
	for n, data := range list {
		for i := n; i < len(data); i += 61 {
			changed := slices.Clone(data)
			changed[i] ^= 1 << (i % 8)
			if r := verify(t, changed, o); r.Result == export.Pass {
				t.Fatalf("export %d passes with another byte at %d", n, i)
			}
		}
		for _, cut := range [][]byte{data[:len(data)-1], data[1:], append([]byte{0}, data...), append(slices.Clone(data), 0), nil} {
			if r := verify(t, cut, o); r.Result == export.Pass || !slices.Contains(failing(r), "container") {
				t.Errorf("%d bytes of %d pass", len(cut), len(data))
			}
		}
	}
}

// FuzzNoChangePasses changes a part of an export.
func FuzzNoChangePasses(f *testing.F) {
	w, list := samples(f)
	o := w.options(f)
	f.Add(byte(0), uint32(100), []byte("x"))
	f.Add(byte(1), uint32(2000), []byte("report.html"))
	f.Add(byte(2), uint32(0), []byte("PK"))
	f.Fuzz(func(t *testing.T, which byte, at uint32, with []byte) {
		data := list[int(which)%len(list)]
		changed := slices.Clone(data)
		copy(changed[int(at)%len(data):], with)
		r := verify(t, changed, o)
		if (r.Result == export.Pass) != bytes.Equal(changed, data) {
			t.Errorf("%s\n%s", r.Result, describe(r))
		}
		page(t, r.HTML())
	})
}

// FuzzLinesHaveOneForm looks for a line that passes in two forms.
func FuzzLinesHaveOneForm(f *testing.F) {
	_, list := samples(f)
	for _, data := range list {
		for _, l := range unpack(f, data).lines() {
			f.Add([]byte(l))
		}
	}
	f.Add([]byte("{\"index\":0,\"recorded\":\"2026-03-02T12:00:00.000Z\",\"proof\":[],\"envelope\":\"\",\"entry\":\"x\"}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		again, err := export.RoundTrip(data)
		if err == nil && !bytes.Equal(again, data) {
			t.Errorf("%q is written as %q", data, again)
		}
	})
}

// broken is a disk that fails from an offset on.
type broken struct {
	*bytes.Reader
	from int64
}

var errDisk = errors.New("the disk is broken")

func (b broken) ReadAt(p []byte, at int64) (int, error) {
	if at+int64(len(p)) > b.from {
		return 0, errDisk
	}
	return b.Reader.ReadAt(p, at)
}

// TestNoFactsAboutExports keeps apart what is no fault of an export.
func TestNoFactsAboutExports(t *testing.T) {
	w, list := samples(t)
	data := list[2]
	for _, from := range []int64{0, int64(len(data)) / 2} {
		if r, err := export.Verify(t.Context(), broken{bytes.NewReader(data), from}, int64(len(data)), w.options(t)); !errors.Is(err, errDisk) {
			t.Errorf("%v, %v", r, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := export.Verify(ctx, bytes.NewReader(data), int64(len(data)), w.options(t)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := export.Write(ctx, w.source(t), io.Discard); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// switching is a medium on which bytes are other ones from their second reading on.
type switching struct {
	before, after []byte
	seen          map[int64]int
}

func (s switching) ReadAt(p []byte, at int64) (int, error) {
	n, err := bytes.NewReader(s.before).ReadAt(p, at)
	for i := range p[:n] {
		if here := at + int64(i); s.before[here] != s.after[here] {
			if s.seen[here]++; s.seen[here] > 1 {
				p[i] = s.after[here]
			}
		}
	}
	return n, err
}

// otherDates changes milliseconds in the dates of records.jsonl, which no tree holds,
// so that its CRC-32 stays: the checksum is linear in the bits that change.
func otherDates(t *testing.T, data []byte) []byte {
	t.Helper()
	type change struct {
		crc  uint32
		bits map[int]byte
	}
	var basis [32]*change
	zero := crc32.ChecksumIEEE(make([]byte, len(data)))
	for at := range data {
		if !bytes.HasPrefix(data[at:], []byte(`.000Z","proof"`)) {
			continue
		}
		for n := range 9 { // of each digit 0, the bits that lead to 1, 2 and 4
			flipped := make([]byte, len(data))
			flipped[at+1+n/3] = 1 << (n % 3)
			c := &change{crc32.ChecksumIEEE(flipped) ^ zero, map[int]byte{at + 1 + n/3: 1 << (n % 3)}}
			for c.crc != 0 {
				b := &basis[bits.Len32(c.crc)-1]
				if *b == nil {
					*b = c
					break
				}
				next := &change{c.crc ^ (*b).crc, maps.Clone(c.bits)}
				for i, v := range (*b).bits {
					next.bits[i] ^= v
				}
				c = next
			}
			if c.crc == 0 {
				out := slices.Clone(data)
				for i, v := range c.bits {
					out[i] ^= v
				}
				return out
			}
		}
	}
	t.Fatal("no other dates with this CRC-32")
	return nil
}

// TestSwitchedWhileVerified changes what is verified between two readings of it, with
// the same CRC-32 and not.
func TestSwitchedWhileVerified(t *testing.T) {
	w, list := samples(t)
	data := list[2]
	forged := unpack(t, data)
	forged.files["records.jsonl"] = otherDates(t, forged.files["records.jsonl"])
	switched := map[string][]byte{"dates": forged.pack(t)}
	for _, part := range []string{`:06.000Z"`, `"schema": "https://`, `"issued": "20`, "rollproof-leaf/v1", "bundle.v0.3", "example.com/evidence"} {
		at := bytes.Index(data, []byte(part))
		switched[part] = slices.Clone(data)
		switched[part][at+2] ^= 1
	}
	for name, after := range switched {
		if len(after) != len(data) || bytes.Equal(after, data) {
			t.Fatalf("%s: nothing to switch", name)
		}
		r, err := export.Verify(t.Context(), switching{data, after, map[int64]int{}}, int64(len(data)), w.options(t))
		if err != nil || r.Result != export.Fail {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
}

// TestManyFailures lists some and counts all.
func TestManyFailures(t *testing.T) {
	w, list := samples(t)
	u := unpack(t, list[0])
	u.files["records.jsonl"] = []byte(strings.Repeat("x\n", 5000))
	r := w.verify(t, u.reseal(t, auditor, "auditor", nil).pack(t))
	if r.Result != export.Fail || r.Failed < 5000 || len(r.Checks) > 1000 || !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "more checks records") }) {
		t.Errorf("%s: %d failed, %d listed, %v", r.Result, r.Failed, len(r.Checks), r.Notes)
	}
	u.files["records.jsonl"] = bytes.Repeat([]byte("x"), 40<<20)
	if r := w.verify(t, u.reseal(t, auditor, "auditor", nil).pack(t)); !strings.Contains(check(r, "records").Actual, "a line of more than") {
		t.Errorf("a line of 40 MiB: %+v", check(r, "records"))
	}
}
