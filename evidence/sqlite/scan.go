package sqlite

import (
	"context"
	"iter"

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

// scanQuery walks the index of the projects, or else of the kinds, or else the records
// themselves.
func scanQuery(within evidence.Range, from int64, limit int) (string, []any) {
	project := term{table: "record", index: "idx", value: "project", is: "=", list: anys(within.Projects)}
	kind := term{table: "record", index: "idx", value: "kind", is: "=", list: anys(texts(within.Kinds))}
	query := selectRecord + " FROM record NOT INDEXED"
	if within.Envelopes {
		query = selectEnvelope
	}
	walked := kind
	switch {
	case within.Projects != nil && len(project.list) == 0, within.Kinds != nil && len(kind.list) == 0:
		return query + " WHERE 0", nil
	case within.Projects != nil:
		walked = project
		if within.Kinds != nil {
			walked.and, walked.also = kind.condition()
		}
	case within.Kinds == nil:
		return query + " WHERE record.idx >= ? AND record.idx < ? ORDER BY record.idx LIMIT ?", []any{from, within.To, limit}
	}
	posting, args := walked.posting(span{from - 1, within.To, false}, limit)
	return query + " WHERE record.idx IN (" + posting + ") ORDER BY record.idx", args
}
