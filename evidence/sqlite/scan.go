package sqlite

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
)

// How many records a scan reads at once. No cursor is open while they are yielded:
// one that is read slowly would keep the write-ahead log from being emptied, and
// hold a connection that the reader of the records may need.
const (
	scanAtOnce          = 256
	scanEnvelopesAtOnce = 32
)

func (r reader) Scan(ctx context.Context, within evidence.Range) iter.Seq2[evidence.Record, error] {
	return func(yield func(evidence.Record, error) bool) {
		next := max(within.From, 0)
		for next < within.To {
			records, more, err := r.scan(ctx, within, next)
			if err != nil {
				yield(evidence.Record{}, translate(err))
				return
			}
			for _, record := range records {
				if !yield(record, nil) {
					return
				}
			}
			if !more {
				return
			}
			next = records[len(records)-1].Index + 1
		}
	}
}

// scan reads the next records from an index on, and whether there can be more.
func (r reader) scan(ctx context.Context, within evidence.Range, from int64) ([]evidence.Record, bool, error) {
	limit := scanAtOnce
	if within.Envelopes {
		limit = scanEnvelopesAtOnce
	}
	query, args := scanQuery(within, from, limit)
	rows, err := r.q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	var list []evidence.Record
	for rows.Next() {
		var envelope []byte
		var more []any
		if within.Envelopes {
			more = []any{&envelope}
		}
		record, err := scanRecord(rows, more...)
		if err != nil {
			return nil, false, err
		}
		record.Envelope = envelope
		list = append(list, record)
	}
	return list, len(list) == limit, rows.Err()
}

// scanQuery walks the index of the projects, or else of the kinds, whose values come
// in the order of the log, or else the records themselves.
func scanQuery(within evidence.Range, from int64, limit int) (string, []any) {
	kinds := make([]string, len(within.Kinds))
	for i, k := range within.Kinds {
		kinds[i] = string(k)
	}
	walked, values, also, filter := "", []string(nil), "", []string(nil)
	switch {
	case within.Projects != nil:
		walked, values = "project", within.Projects
		if within.Kinds != nil {
			also, filter = " AND kind IN ("+marks(len(kinds))+")", kinds
		}
	case within.Kinds != nil:
		walked, values = "kind", kinds
	}
	selection := selectRecord + " FROM record"
	if within.Envelopes {
		selection = selectEnvelope
	}
	if walked == "" {
		return selection + " WHERE record.idx >= ? AND record.idx < ? ORDER BY record.idx LIMIT ?", []any{from, within.To, limit}
	}
	var parts []string
	var args []any
	slices.Sort(values)
	for _, v := range slices.Compact(values) {
		parts = append(parts, "SELECT idx FROM record WHERE "+walked+" = ? AND idx >= ? AND idx < ?"+also)
		args = append(args, v, from, within.To)
		for _, f := range filter {
			args = append(args, f)
		}
	}
	if len(parts) == 0 {
		return selection + " WHERE 0 LIMIT ?", []any{limit}
	}
	return selection + " WHERE record.idx IN (SELECT idx FROM (" + strings.Join(parts, " UNION ALL ") + " ORDER BY idx LIMIT ?)) ORDER BY record.idx", append(args, limit)
}

// marks is a list of n parameters.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }
