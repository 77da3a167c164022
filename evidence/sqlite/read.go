package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/rollproof/rollproof/evidence"
)

// A querier is a *sql.DB or a *sql.Tx.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// A reader reads, inside a transaction or outside of one.
type reader struct {
	q     querier
	blobs blobs
}

func (r reader) Len(ctx context.Context) (int64, error) {
	return r.count(ctx, "SELECT coalesce(max(idx), -1) + 1 FROM record")
}

func (r reader) count(ctx context.Context, query string, args ...any) (int64, error) {
	var n int64
	err := r.q.QueryRowContext(ctx, query, args...).Scan(&n)
	return n, translate(err)
}

func (r reader) Record(ctx context.Context, index int64) (evidence.Record, error) {
	var envelope []byte
	record, err := scanRecord(r.q.QueryRowContext(ctx, selectEnvelope+" WHERE record.idx = ?", index), &envelope)
	if errors.Is(err, sql.ErrNoRows) {
		return record, fmt.Errorf("%w at index %d", evidence.ErrNotFound, index)
	}
	record.Envelope = envelope
	return record, translate(err)
}

// Find looks up the range of digests that begin with the digits. Of an act that several
// signed, the record that came first is found: there the act was done.
func (r reader) Find(ctx context.Context, prefix string) (int64, error) {
	digits := strings.TrimPrefix(prefix, "sha256:")
	low, err := hex.DecodeString(digits + strings.Repeat("0", max(0, 64-len(digits))))
	high, err2 := hex.DecodeString(digits + strings.Repeat("f", max(0, 64-len(digits))))
	if err != nil || err2 != nil || len(digits) < evidence.MinPrefix || len(digits) > 64 {
		return 0, fmt.Errorf("%w: %q is not %d to 64 hex digits", evidence.ErrNotFound, prefix, evidence.MinPrefix)
	}
	rows, err := r.q.QueryContext(ctx, `
		SELECT act, coalesce(min(idx) FILTER (WHERE kind <> 'unverified'), min(idx)) FROM (
			SELECT idx, act, kind FROM record WHERE id BETWEEN ?1 AND ?2
			UNION SELECT idx, act, kind FROM record WHERE act BETWEEN ?1 AND ?2)
		GROUP BY act ORDER BY 2 LIMIT 8`, low, high)
	if err != nil {
		return 0, translate(err)
	}
	defer rows.Close()
	var indexes []int64
	among := &evidence.AmbiguousError{Prefix: prefix}
	for rows.Next() {
		var act []byte
		var index int64
		if err := rows.Scan(&act, &index); err != nil {
			return 0, translate(err)
		}
		indexes, among.Among = append(indexes, index), append(among.Among, hex.EncodeToString(act))
	}
	switch {
	case rows.Err() != nil:
		return 0, translate(rows.Err())
	case len(indexes) == 0:
		return 0, fmt.Errorf("%w: %s", evidence.ErrNotFound, prefix)
	case len(indexes) > 1:
		return 0, among
	}
	return indexes[0], nil
}

func (r reader) Same(ctx context.Context, act evidence.Digest) ([]int64, error) {
	list, err := r.indexes(ctx, "SELECT idx FROM record WHERE act = ? ORDER BY idx", act[:])
	return list, translate(err)
}

// Blobs returns none for a record whose blobs were erased.
func (r reader) Blobs(ctx context.Context, index int64) ([]evidence.Blob, error) {
	rows, err := r.q.QueryContext(ctx, "SELECT digest, size FROM blob WHERE record = ? AND record NOT IN ("+withoutBlobs+") ORDER BY digest", index)
	if err != nil {
		return nil, translate(err)
	}
	defer rows.Close()
	var list []evidence.Blob
	for rows.Next() {
		var digest []byte
		var b evidence.Blob
		if err := rows.Scan(&digest, &b.Size); err != nil {
			return nil, translate(err)
		}
		copy(b.Digest[:], digest)
		list = append(list, b)
	}
	return list, translate(rows.Err())
}

func (r reader) OpenBlob(_ context.Context, d evidence.Digest) (io.ReadCloser, error) {
	return r.blobs.open(d)
}
