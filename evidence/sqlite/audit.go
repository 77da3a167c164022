package sqlite

import (
	"context"

	"github.com/rollproof/rollproof/evidence"
)

// An auditQuery finds rows that should not be there: an index, what was expected,
// and what was found.
type auditQuery struct{ field, query string }

const notErased = "record.idx NOT IN (SELECT record FROM erasure)"

var auditQueries = []auditQuery{
	{"digest", `SELECT r.idx, r.digests, coalesce(d.n, 0) FROM record r LEFT JOIN (SELECT record, count(*) n FROM digest GROUP BY record) d ON d.record = r.idx WHERE r.digests <> coalesce(d.n, 0)`},
	{"target", `SELECT r.idx, r.targets, coalesce(t.n, 0) FROM record r LEFT JOIN (SELECT record, count(*) n FROM target GROUP BY record) t ON t.record = r.idx WHERE r.targets <> coalesce(t.n, 0)`},
	{"words", `SELECT id, 'a record', 'words of none' FROM words_docsize WHERE id NOT IN (SELECT idx FROM record)`},
	{"words", `SELECT idx, 'words', 'none' FROM record WHERE ` + notErased + ` AND idx NOT IN (SELECT id FROM words_docsize)`},
	{"digest", `SELECT record, 'a record', 'a digest of none' FROM digest WHERE record NOT IN (SELECT idx FROM record)`},
	{"target", `SELECT record, 'a record', 'a deployment target of none' FROM target WHERE record NOT IN (SELECT idx FROM record)`},
	{"blob", `SELECT record, 'a record', 'a blob of none' FROM blob WHERE record NOT IN (SELECT idx FROM record)`},
	{"tree", `SELECT record, 'a record', 'hashes of none' FROM tree WHERE record NOT IN (SELECT idx FROM record)`},
	{"envelope", `SELECT record, 'a record', 'an envelope of none' FROM envelope WHERE record NOT IN (SELECT idx FROM record)`},
	{"envelope", `SELECT idx, 'an envelope', 'none' FROM record WHERE ` + notErased + ` AND idx NOT IN (SELECT record FROM envelope)`},
	{"erasure", `SELECT record, 'a record', 'an erasure of none' FROM erasure WHERE record NOT IN (SELECT idx FROM record)`},
	{"erasure", `SELECT e.record, 'one ordered by a record that names it', 'record ' || e.ordered_by FROM erasure e JOIN record r ON r.idx = e.record
		WHERE e.ordered_by NOT IN (SELECT d.record FROM digest d WHERE d.value IN (r.act, r.id))`},
	{"blob erasure", `SELECT record, 'a record', 'an erasure of none' FROM blob_erasure WHERE record NOT IN (SELECT idx FROM record)`},
	{"blob erasure", `SELECT e.record, 'one ordered by a record that names it', 'record ' || e.ordered_by FROM blob_erasure e JOIN record r ON r.idx = e.record
		WHERE e.ordered_by NOT IN (SELECT d.record FROM digest d WHERE d.value IN (r.act, r.id))`},
	{"class", `SELECT idx, 'the combination of its facts', 'nothing' FROM record WHERE NOT EXISTS (SELECT 1 FROM class WHERE ` + classEquals + `)`},
	{"class", `SELECT -1, 'facts of a record', 'of none' FROM class WHERE NOT EXISTS (SELECT 1 FROM record WHERE ` + classEquals + `)`},
	{"recorded", `SELECT idx, 'at or after ' || before, recorded FROM (SELECT idx, recorded, lag(recorded) OVER (ORDER BY idx) AS before FROM record) WHERE recorded < before`},
}

// Audit lets SQLite check its pages and indexes, counts rows across tables, looks for
// files that should be erased, and makes the log anew.
func (r reader) Audit(ctx context.Context) ([]evidence.Problem, error) {
	list, err := r.integrity(ctx)
	if err != nil {
		return nil, translate(err)
	}
	for _, q := range auditQueries {
		more, err := r.audit(ctx, q)
		if err != nil {
			return nil, translate(err)
		}
		list = append(list, more...)
	}
	for _, audit := range []func(context.Context) ([]evidence.Problem, error){r.auditErased, r.auditLog} {
		more, err := audit(ctx)
		if err != nil {
			return nil, translate(err)
		}
		list = append(list, more...)
	}
	return list, nil
}

func (r reader) integrity(ctx context.Context) ([]evidence.Problem, error) {
	rows, err := r.q.QueryContext(ctx, "PRAGMA integrity_check")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []evidence.Problem
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		if text != "ok" {
			list = append(list, evidence.Problem{Index: -1, Difference: evidence.Difference{Field: "database", Expected: "ok", Actual: text}})
		}
	}
	return list, rows.Err()
}

func (r reader) audit(ctx context.Context, q auditQuery) ([]evidence.Problem, error) {
	rows, err := r.q.QueryContext(ctx, q.query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []evidence.Problem
	for rows.Next() {
		p := evidence.Problem{Difference: evidence.Difference{Field: q.field}}
		if err := rows.Scan(&p.Index, &p.Expected, &p.Actual); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, rows.Err()
}
