package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/rollproof/rollproof/evidence"
)

// Erase removes rows at once and files once the transaction has committed. by must
// have the record's act or id among its digests.
func (t *transaction) Erase(ctx context.Context, index, by int64) error {
	for _, i := range []int64{index, by} {
		record, err := t.Record(ctx, i)
		if err != nil {
			return t.fail(err)
		}
		if i == index && record.Erased != nil {
			return t.fail(fmt.Errorf("record %d is erased already, by record %d", index, record.Erased.By))
		}
	}
	if err := t.exec(ctx, "INSERT INTO erasure (record, ordered_by) VALUES (?, ?)", index, by); err != nil {
		return t.fail(fmt.Errorf("record %d does not name record %d: %w", by, index, err))
	}
	for _, statement := range []string{"DELETE FROM envelope WHERE record = ?", "DELETE FROM words WHERE rowid = ?"} {
		if err := t.exec(ctx, statement, index); err != nil {
			return t.fail(err)
		}
	}
	t.erased = append(t.erased, index)
	return nil
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

// unnamed selects blobs of erased records that no other record names.
const unnamed = `SELECT blob.record, blob.digest FROM blob JOIN erasure ON erasure.record = blob.record
	WHERE NOT EXISTS (SELECT 1 FROM blob AS other WHERE other.digest = blob.digest AND other.record NOT IN (SELECT record FROM erasure))`

func (t *transaction) removeBlobs(ctx context.Context, index int64) error {
	digests, err := readDigests(ctx, t.q, "SELECT digest FROM ("+unnamed+" AND blob.record = ?)", index)
	for _, d := range digests {
		err = errors.Join(err, t.blobs.remove(d))
	}
	return err
}

func readDigests(ctx context.Context, q querier, query string, args ...any) ([]evidence.Digest, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []evidence.Digest
	for rows.Next() {
		var raw sql.RawBytes
		if err := rows.Scan(&raw); err != nil {
			return nil, err
		}
		var d evidence.Digest
		copy(d[:], raw)
		list = append(list, d)
	}
	return list, rows.Err()
}
