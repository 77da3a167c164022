package export

import (
	"fmt"
	"maps"
	"slices"

	"github.com/rollproof/rollproof/evidence"
)

// conclude decides what follows from all lines together.
func (w *walk) conclude() {
	w.skip(w.tree.Size)
	w.checkBlobs()
	if w.found != w.index.Counts {
		w.fail(checkRecords, recordsFile, fmt.Sprintf("%+v, as in the index", w.index.Counts), fmt.Sprintf("%+v", w.found), "")
	}
	tally := &w.report.Tally
	tally.Records, tally.Blobs = w.found.Records, w.found.Blobs
	if w.sound(checkRecords) {
		w.pass(checkRecords, fmt.Sprintf("%d records", tally.Records))
	}
	switch {
	case tally.Records == 0:
		w.skipped(checkInclusion, "", "there are no records")
		w.skipped(checkRecordSigned, "", "there are no records")
	default:
		if w.sound(checkInclusion) {
			w.pass(checkInclusion, fmt.Sprintf("%d records", tally.Records))
		}
		if w.sound(checkRecordSigned) && tally.Verified > 0 {
			w.pass(checkRecordSigned, fmt.Sprintf("%d of %d records", tally.Verified, tally.Records))
		}
	}
	if w.sound(checkFilter) {
		w.pass(checkFilter, fmt.Sprintf("%d records fit the query", tally.Matching))
	}
	w.complete()
	if w.entries != nil {
		w.listTypes()
	}
}

// complete decides whether the answer is complete for its tree.
func (w *walk) complete() {
	const expected = "an answer that is complete for this tree of this log"
	if w.index.Completeness != Complete {
		w.add(Check{ID: checkCompleteness, Result: NotChecked, Required: w.options.RequireComplete, Expected: expected,
			Actual: "records that fit the query may have been left out", Hint: "ask for a complete export: it has every record, and you run the query"})
		return
	}
	for _, e := range w.erased {
		if by := max(w.orders[evidence.Digest(e.leaf.Statement).Hex()], w.orders[evidence.Digest(e.leaf.Envelope).Hex()]); by <= e.index {
			w.fail(checkCompleteness, named(e.index), "its bytes, or a later record that orders to erase them", "neither is there", "")
		}
	}
	switch {
	case !w.sound(checkCompleteness):
		return
	case !w.sound(checkInclusion) || !w.sound(checkRecords):
		w.unchecked(checkCompleteness, "", expected, unreached, "")
		return
	}
	w.pass(checkCompleteness, fmt.Sprintf("all %d records of the tree, %d of them erased", w.found.Records, w.found.Erased))
	if len(w.erased) > 0 {
		w.report.Notes = append(w.report.Notes, fmt.Sprintf("%d records were erased by order: whether they fit the query can't be seen", len(w.erased)))
	}
}

// checkBlobs compares each blob with its name, and with the records.
func (w *walk) checkBlobs() {
	w.found.Blobs = int64(len(w.blobs))
	if !w.index.Blobs {
		w.skipped(checkBlobs, "", "the export was made without the files of its records")
		if len(w.blobs) == 0 {
			return
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.blobs)) {
		path := blobFolder + name
		if got := w.sums[path].SHA256; got != name {
			w.fail(checkBlobs, path, "sha256 "+name, "sha256 "+got, "")
		}
		if !w.blobs[name] {
			w.fail(checkBlobs, path, "a file of one of the records", "no record names it", "")
		}
	}
	if w.index.Blobs && w.sound(checkBlobs) {
		w.pass(checkBlobs, fmt.Sprintf("%d files", len(w.blobs)))
	}
}
