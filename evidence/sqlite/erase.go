package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/rollproof/rollproof/evidence"
)

// Erase removes rows at once, and files once the transaction has committed. by must
// have the record's act or id among its digests.
func (t *transaction) Erase(ctx context.Context, index, by int64) error {
	return t.fail(t.erase(ctx, index, by))
}

// EraseBlobs removes the row's files once the transaction has committed.
func (t *transaction) EraseBlobs(ctx context.Context, index, by int64) error {
	return t.fail(t.eraseBlobs(ctx, index, by))
}

// withoutBlobs selects the records whose blobs were erased.
const withoutBlobs = "SELECT record FROM erasure UNION ALL SELECT record FROM blob_erasure"

func (t *transaction) erase(ctx context.Context, index, by int64) error {
	record, err := t.ordered(ctx, index, by)
	if err != nil {
		return err
	}
	if record.Erased != nil {
		return fmt.Errorf("record %d: erased already, by record %d", index, record.Erased.By)
	}
	if err := t.flush(ctx); err != nil {
		return err
	}
	for _, s := range []struct {
		text string
		args []any
	}{
		{"INSERT INTO erasure (record, ordered_by) VALUES (?, ?)", []any{index, by}},
		{"DELETE FROM envelope WHERE record = ?", []any{index}},
		{"DELETE FROM words WHERE rowid = ?", []any{index}},
	} {
		if err := t.exec(ctx, s.text, s.args...); err != nil {
			return err
		}
	}
	t.erased, t.unworded = append(t.erased, index), true
	return nil
}

func (t *transaction) eraseBlobs(ctx context.Context, index, by int64) error {
	record, err := t.ordered(ctx, index, by)
	if err != nil {
		return err
	}
	for _, before := range []*evidence.Erasure{record.Erased, record.BlobsErased} {
		if before != nil {
			return fmt.Errorf("record %d: its blobs were erased already, by record %d", index, before.By)
		}
	}
	t.erased = append(t.erased, index)
	return t.exec(ctx, "INSERT INTO blob_erasure (record, ordered_by) VALUES (?, ?)", index, by)
}

// ordered returns a record that another one, behind it, names.
func (t *transaction) ordered(ctx context.Context, index, by int64) (evidence.Record, error) {
	record, err := t.Record(ctx, index)
	if err != nil {
		return record, err
	}
	if _, err := t.Record(ctx, by); err != nil {
		return record, err
	}
	if by <= index {
		return record, fmt.Errorf("record %d: ordered to be erased by record %d, expected a later one", index, by)
	}
	named, err := t.count(ctx, "SELECT count(*) FROM digest WHERE record = ? AND value IN (?, ?)", by, record.Act[:], record.ID[:])
	if err == nil && named == 0 {
		err = fmt.Errorf("record %d: ordered to be erased by record %d, which has no subject %s", index, by, record.Act)
	}
	return record, err
}

// forgetWords writes the index of words anew. Deleting a record from it only marks
// the record; its words go when the parts of the index are merged.
func (t *transaction) forgetWords(ctx context.Context) error {
	return t.exec(ctx, "INSERT INTO words (words) VALUES ('optimize')")
}

// sweep removes what a committed erasure left: files, and bytes in the write-ahead
// log. The erasure stands also where this fails; [reader.Audit] names a file that is
// still there, and [Store.CleanBlobs] tries again.
func (s *Store) sweep(ctx context.Context, erased []int64) {
	_ = s.locked(ctx, func(t *transaction) error {
		for _, index := range erased {
			if err := t.removeBlobs(ctx, index); err != nil {
				return err
			}
		}
		return nil
	})
	_, _ = s.writer.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
}

// unnamed selects blobs that went with an erasure and that no other record names.
const unnamed = `SELECT blob.record, blob.digest FROM blob WHERE blob.record IN (` + withoutBlobs + `)
	AND NOT EXISTS (SELECT 1 FROM blob AS other WHERE other.digest = blob.digest AND other.record NOT IN (` + withoutBlobs + `))`

func (t *transaction) removeBlobs(ctx context.Context, index int64) error {
	found, err := readErased(ctx, t.q, unnamed+" AND blob.record = ?", index)
	for _, b := range found {
		err = errors.Join(err, t.blobs.remove(b.digest))
	}
	return err
}

// An erasedBlob is a blob of a record whose blobs were erased.
type erasedBlob struct {
	record int64
	digest evidence.Digest
}

func readErased(ctx context.Context, q querier, query string, args ...any) ([]erasedBlob, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []erasedBlob
	for rows.Next() {
		var b erasedBlob
		var digest []byte
		if err := rows.Scan(&b.record, &digest); err != nil {
			return nil, err
		}
		copy(b.digest[:], digest)
		list = append(list, b)
	}
	return list, rows.Err()
}

// auditErased compares what is left of erased records, and names files that went with
// one and are still there.
func (r reader) auditErased(ctx context.Context) ([]evidence.Problem, error) {
	indexes, err := r.indexes(ctx, "SELECT idx FROM record WHERE idx IN (SELECT record FROM erasure)")
	if err != nil {
		return nil, err
	}
	var list []evidence.Problem
	for _, index := range indexes {
		record, err := r.Record(ctx, index)
		if err != nil {
			return nil, err
		}
		differences, err := r.Compare(ctx, record)
		if err != nil {
			return nil, err
		}
		for _, d := range differences {
			list = append(list, evidence.Problem{Index: index, Difference: d})
		}
	}
	blobs, err := readErased(ctx, r.q, unnamed)
	for _, b := range blobs {
		if exists(r.blobs.path(b.digest)) {
			list = append(list, evidence.Problem{Index: b.record, Difference: evidence.Difference{Field: "blob " + b.digest.String(), Expected: "erased", Actual: "a file"}})
		}
	}
	return list, err
}

func (r reader) indexes(ctx context.Context, query string, args ...any) ([]int64, error) {
	rows, err := r.q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []int64
	for rows.Next() {
		var index int64
		if err := rows.Scan(&index); err != nil {
			return nil, err
		}
		list = append(list, index)
	}
	return list, rows.Err()
}
