package sqlite

import (
	"context"
	"fmt"

	"github.com/rollproof/rollproof/evidence"
)

// An auditQuery finds rows that should not be there: an index, what was expected,
// and what was found.
type auditQuery struct{ field, query string }

var auditQueries = []auditQuery{
	{"digest", `SELECT r.idx, r.digests, coalesce(d.n, 0) FROM record r LEFT JOIN (SELECT record, count(*) n FROM digest GROUP BY record) d ON d.record = r.idx WHERE r.digests <> coalesce(d.n, 0)`},
	{"target", `SELECT r.idx, r.targets, coalesce(t.n, 0) FROM record r LEFT JOIN (SELECT record, count(*) n FROM target GROUP BY record) t ON t.record = r.idx WHERE r.targets <> coalesce(t.n, 0)`},
	{"words", `SELECT id, 'a record', 'words of none' FROM words_docsize WHERE id NOT IN (SELECT idx FROM record)`},
	{"digest", `SELECT record, 'a record', 'a digest of none' FROM digest WHERE record NOT IN (SELECT idx FROM record)`},
	{"target", `SELECT record, 'a record', 'a deployment target of none' FROM target WHERE record NOT IN (SELECT idx FROM record)`},
	{"blob", `SELECT record, 'a record', 'a blob of none' FROM blob WHERE record NOT IN (SELECT idx FROM record)`},
	{"envelope", `SELECT record, 'a record', 'an envelope of none' FROM envelope WHERE record NOT IN (SELECT idx FROM record)`},
	{"recorded", fmt.Sprintf(`SELECT idx, 'at or after ' || before, recorded FROM (SELECT idx, recorded, lag(recorded) OVER (ORDER BY idx) AS before FROM record) WHERE recorded < before - %d`, maxBehind.Milliseconds())},
}

// Audit lets SQLite check its pages and indexes, counts rows across tables, and makes the
// tree anew.
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
	more, err := r.auditTree(ctx)
	return append(list, more...), translate(err)
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
