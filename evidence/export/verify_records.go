package export

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/translog"
	"github.com/rollproof/rollproof/release/archive"
)

// A walk goes over the lines of records.jsonl.
type walk struct {
	*verification
	intake evidence.Intake
	last   int64 // index of the line before
	date   time.Time
	found  Counts
	erased []erasedRecord
	orders map[string]int64 // digests that orders of erasure name, and the order's index
	blobs  map[string]bool  // of the export, by hex digest: whether a record names it
}

type erasedRecord struct {
	index int64
	leaf  translog.Leaf
}

// checkRecords checks every record, and then what follows from all of them.
func (v *verification) checkRecords() error {
	if v.index == nil || v.tree == nil || v.authority == nil || v.index.Completeness == Complete && v.entries == nil {
		return nil
	}
	if _, there := v.sums[recordsFile]; !there {
		v.fail(checkRecords, recordsFile, "the records", errMissing.Error(), "")
		return nil
	}
	w := &walk{verification: v, intake: evidence.Intake{Catalog: v.options.Catalog, Authority: v.authority}, last: -1,
		orders: map[string]int64{}, blobs: map[string]bool{}}
	for _, path := range v.paths {
		if isBlob(path) {
			w.blobs[strings.TrimPrefix(path, blobFolder)] = false
		}
	}
	if err := w.lines(); err != nil {
		return err
	}
	w.conclude()
	return nil
}

// errChanged is returned where somebody writes to the export while it is verified.
var errChanged = errors.New("it changed while it was verified")

// lines goes over the lines, which must be the bytes of the first pass: dates stand in
// no signed statement and in no tree, but for the digest of this file in the index.
func (w *walk) lines() error {
	f, err := w.zip.Open(recordsFile)
	if err != nil {
		return err
	}
	sum := sha256.New()
	r := bufio.NewReaderSize(io.TeeReader(contextReader{w.ctx, f}, sum), 64<<10)
	var buffer []byte
	for n := 1; ; n++ {
		buffer, err = readLine(r, buffer)
		name, bad := fmt.Sprintf("line %d", n), (*archive.Error)(nil)
		switch {
		case errors.Is(err, io.EOF) && hex.EncodeToString(sum.Sum(nil)) == w.sums[recordsFile].SHA256:
			return nil
		case errors.Is(err, io.EOF), errors.As(err, &bad):
			w.fail(checkRecords, recordsFile, "the bytes of the first pass", errChanged.Error(), "")
			return nil
		case errors.Is(err, errLong):
			w.fail(checkRecords, name, "a record", err.Error(), "")
			return nil
		case err != nil:
			return err
		}
		l, err := parseLine(buffer)
		if err != nil {
			w.fail(checkRecords, name, "a record", err.Error(), "")
			continue
		}
		w.line(l)
	}
}

// line checks one line. It stands behind the ones before it, and in the tree.
func (w *walk) line(l line) {
	w.found.Records++
	name, date := named(l.Index), w.dateOf(l)
	switch {
	case l.Index <= w.last:
		w.fail(checkRecords, name, fmt.Sprintf("a record behind record %d", w.last), "it stands twice or out of order", "")
		return
	case l.Index >= w.tree.Size:
		w.fail(checkRecords, name, fmt.Sprintf("a record of the tree of size %d", w.tree.Size), "it is younger", "")
		return
	case date.Before(w.date):
		w.fail(checkRecords, name, "recorded at "+evidence.Stamp(w.date)+" or later", l.Recorded, "")
	}
	w.skip(l.Index)
	w.last, w.date = l.Index, date
	shown := RecordResult{Index: l.Index, Result: Pass, Recorded: l.Recorded}
	if len(l.Envelope) == 0 {
		w.erasedLine(l, shown)
		return
	}
	w.record(l, date, shown)
}

func named(index int64) string { return fmt.Sprintf("record %d", index) }

func (w *walk) dateOf(l line) time.Time {
	t, _ := l.date() // it was read when the line was
	return t
}

// skip notes that records up to an index are not there.
func (w *walk) skip(index int64) {
	from, to := w.last+1, index-1
	if from > to || w.index.Completeness != Complete {
		return
	}
	name := named(from)
	if to > from {
		name = fmt.Sprintf("records %d to %d", from, to)
	}
	w.fail(checkCompleteness, name, "every record of the tree", errMissing.Error(), "")
}

func (w *walk) erasedLine(l line, shown RecordResult) {
	w.found.Erased++
	w.report.Tally.Erased++
	leaf, err := translog.ParseLeaf([]byte(l.Entry))
	if err == nil {
		err = w.included(l, leaf)
	}
	shown.ID, shown.Act, shown.PredicateType, shown.Signer.KeyID = leaf.Envelope, leaf.Statement, leaf.PredicateType, leaf.KeyID
	if err != nil {
		w.fail(checkInclusion, named(l.Index), "an entry of the tree", err.Error(), "")
		w.show(shown, Fail, err.Error())
		return
	}
	w.erased = append(w.erased, erasedRecord{l.Index, leaf})
	w.typeCount(leaf.PredicateType).Export++
	const why = "its bytes were erased: neither its signature nor whether it fits the query can be checked"
	w.skipped(checkRecordSigned, named(l.Index), why)
	w.show(shown, NotChecked, why)
}

// record checks a record with its envelope.
func (w *walk) record(l line, date time.Time, shown RecordResult) {
	name := named(l.Index)
	r, refused := w.intake.Examine(l.Envelope)
	if refused != nil {
		var err error
		if r, err = w.intake.Derive(l.Envelope); err != nil {
			w.fail(checkRecords, name, "an envelope that can be recorded", err.Error(), "")
			w.show(shown, Fail, err.Error())
			return
		}
	}
	leaf, err := w.place(l, r)
	if err != nil {
		w.fail(checkInclusion, name, "an envelope whose entry stands in the tree", err.Error(), "")
		w.show(shown.of(r), Fail, err.Error())
		return
	}
	w.typeCount(r.PredicateType).Export++
	w.attach(r)
	r.Index, r.Recorded = l.Index, date
	switch {
	case leaf.KeyID == "":
		r.Kind, r.Signer = evidence.KindUnverified, evidence.SignedBy{KeyID: r.Signer.KeyID}
		w.report.Tally.Unverified++
		w.skipped(checkRecordSigned, name, unverifiedWords)
	case refused != nil:
		w.refuse(name, refused)
		w.show(shown.of(r), Fail, refused.Error())
		return
	default:
		w.report.Tally.Verified++
		w.order(r)
	}
	w.filter(r, shown.of(r))
}

const unverifiedWords = "it was recorded as unverified: no signature of it counts"

func (w *walk) refuse(name string, err error) {
	hint := ""
	if bad := (*evidence.RefusedError)(nil); errors.As(err, &bad) {
		hint = bad.Hint
	}
	w.fail(checkRecordSigned, name, "a signature that counts", err.Error(), hint)
}

// place returns the entry of a record, which the tree decides: with its key, or
// without one, where it was recorded as unverified.
func (w *walk) place(l line, r evidence.Record) (translog.Leaf, error) {
	leaf := translog.Leaf{Statement: r.Act, Envelope: r.ID, PredicateType: r.PredicateType, KeyID: r.Signer.KeyID}
	err := w.included(l, leaf)
	if err == nil || leaf.KeyID == "" {
		return leaf, err
	}
	leaf.KeyID = ""
	if w.included(l, leaf) == nil {
		return leaf, nil
	}
	return leaf, err
}

// included shows that an entry stands in the tree at the line's index.
func (w *walk) included(l line, leaf translog.Leaf) error {
	hash, err := leaf.Hash()
	if err != nil {
		return err
	}
	if w.index.Completeness != Complete {
		path, err := l.path()
		if err != nil {
			return err
		}
		return translog.CheckInclusion(path, w.tree.Tree, l.Index, hash)
	}
	if len(l.Proof) > 0 {
		return errors.New("a complete export has the entries in place of proofs")
	}
	entry, err := w.entries.at(l.Index)
	if err != nil {
		return err
	}
	if entry != leaf {
		return fmt.Errorf("the tree has the envelope sha256:%x there", entry.Envelope)
	}
	return nil
}

// attach notes which blobs are files of the record.
func (w *walk) attach(r evidence.Record) {
	if len(w.blobs) == 0 {
		return
	}
	for _, digest := range r.Digests() {
		if _, there := w.blobs[digest]; there {
			w.blobs[digest] = true
		}
	}
}

// order remembers what a verified record orders to erase.
func (w *walk) order(r evidence.Record) {
	if w.options.Erases == nil || !w.options.Erases(r) {
		return
	}
	for _, digest := range r.Digests() {
		w.orders[digest] = r.Index
	}
}

// filter decides whether a record fits the query.
func (w *walk) filter(r evidence.Record, shown RecordResult) {
	fits, err := Matches(*w.report.Query, r)
	switch {
	case err != nil:
		w.fail(checkFilter, named(r.Index), "a query that can be decided", err.Error(), "")
	case fits:
		w.report.Tally.Matching++
		if r.Kind == evidence.KindUnverified {
			w.show(shown, NotChecked, unverifiedWords)
			return
		}
		w.show(shown, Pass, "")
	case w.index.Completeness != Complete:
		w.fail(checkFilter, named(r.Index), "a record that fits the query", "it does not", "")
		w.show(shown, Fail, "it does not fit the query")
	}
}

// of completes the result with what a record says.
func (s RecordResult) of(r evidence.Record) RecordResult {
	s.ID, s.Act, s.PredicateType, s.Kind = r.ID, r.Act, r.PredicateType, r.Kind
	s.Signer, s.Claimed, s.Facts = r.Signer, evidence.Stamp(r.Claimed), r.Facts
	return s
}

func (w *walk) show(s RecordResult, result Result, reason string) {
	s.Result, s.Reason = result, reason
	if len(w.report.Records) >= maxShown {
		w.report.Unlisted++
		return
	}
	w.report.Records = append(w.report.Records, s)
}
