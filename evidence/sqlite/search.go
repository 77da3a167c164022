package sqlite

import (
	"context"
	"strings"
	"unicode"

	"github.com/rollproof/rollproof/evidence"
)

// Search reads one record more than the page has, to know whether there is a page
// after it. The next page begins behind an index, so that records which are added
// meanwhile neither move nor repeat a row.
func (r reader) Search(ctx context.Context, q evidence.Query) (evidence.Page, error) {
	q, err := q.Checked()
	if err != nil {
		return evidence.Page{}, err
	}
	after, ok, err := q.After()
	if err != nil {
		return evidence.Page{}, err
	}
	var w where
	w.query(q)
	order, behind := "DESC", "record.idx < ?"
	if q.Order == evidence.OldestFirst {
		order, behind = "ASC", "record.idx > ?"
	}
	if ok {
		w.add(behind, after)
	}
	rows, err := r.q.QueryContext(ctx, selectRecord+" FROM record"+w.sql()+" ORDER BY record.idx "+order+" LIMIT ?", append(w.args, q.Limit+1)...)
	if err != nil {
		return evidence.Page{}, translate(err)
	}
	defer rows.Close()
	var page evidence.Page
	for rows.Next() {
		record, err := scanRecord(rows)
		if err != nil {
			return evidence.Page{}, translate(err)
		}
		page.Records = append(page.Records, record)
	}
	if len(page.Records) > q.Limit {
		page.Records = page.Records[:q.Limit]
		page.Next = q.CursorAt(page.Records[q.Limit-1].Index)
	}
	return page, translate(rows.Err())
}

// A where is the condition of a query: terms that must all hold.
type where struct {
	terms []string
	args  []any
}

func (w *where) add(term string, args ...any) {
	w.terms, w.args = append(w.terms, term), append(w.args, args...)
}

func (w *where) sql() string {
	if len(w.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.terms, " AND ")
}

// in adds "expression IN (…)" for a list that is not empty. inside is what stands
// behind the list.
func in[T any](w *where, expression string, list []T, inside string) {
	if len(list) == 0 {
		return
	}
	args := make([]any, len(list))
	for i, v := range list {
		args[i] = v
	}
	w.add(expression+" IN (?"+strings.Repeat(", ?", len(list)-1)+")"+inside, args...)
}

// query adds the terms of a query. "<> ”" lets SQLite use an index that leaves out
// records without the fact.
func (w *where) query(q evidence.Query) {
	kinds := make([]string, len(q.Kinds))
	for i, k := range q.Kinds {
		kinds[i] = string(k)
	}
	in(w, "record.kind", kinds, "")
	for _, f := range []struct {
		column string
		list   []string
	}{
		{"project", q.Projects}, {"person", q.Persons}, {"change_record", q.ChangeRecords}, {"environment", q.Environments}, {"rollout", q.Rollouts},
	} {
		in(w, "record."+f.column, f.list, " AND record."+f.column+" <> ''")
	}
	in(w, "record.version", q.Versions, "")
	in(w, "record.keyid", q.Signers, "")
	in(w, "record.ring", q.Rings, "")
	in(w, "record.target_ring", q.TargetRings, "")
	in(w, "record.rollout_status", q.RolloutStatuses, "")
	in(w, "record.approval_state", q.ApprovalStates, "")
	in(w, "record.kind = '"+string(evidence.KindPromotionExecution)+"' AND record.execution_status", q.PromotionResults, "")
	in(w, "record.kind = '"+string(evidence.KindRollbackExecution)+"' AND record.execution_status", q.RollbackResults, "")
	keys := make([][]byte, len(q.Digests))
	for i, d := range q.Digests {
		keys[i] = evidence.DigestKey(d)
	}
	in(w, "record.idx IN (SELECT record FROM digest WHERE value", keys, ")")
	in(w, "record.idx IN (SELECT record FROM target WHERE value", q.DeploymentTargets, ")")
	w.rest(q)
}

func (w *where) rest(q evidence.Query) {
	if !q.Since.IsZero() {
		w.add("record.recorded >= ?", q.Since.UnixMilli())
	}
	if !q.Until.IsZero() {
		w.add("record.recorded < ?", q.Until.UnixMilli())
	}
	if q.Illegal {
		w.add("record.illegal <> ''")
	}
	if words := match(q.Text); words != "" {
		w.add("record.idx IN (SELECT rowid FROM words WHERE words MATCH ?)", words)
	}
}

// match turns words into a query of the full-text index: each of them is a phrase,
// so that nothing in them is read as that query's own language.
func match(text string) string {
	var phrases []string
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return unicode.IsSpace(r) || r == 0 }) {
		word, open := strings.CutSuffix(word, "*")
		if word == "" {
			continue
		}
		p := phrase(word)
		if open {
			p += "*"
		}
		phrases = append(phrases, p)
	}
	return strings.Join(phrases, " AND ")
}

func phrase(words string) string {
	return `"` + strings.ReplaceAll(strings.ReplaceAll(words, "\x00", " "), `"`, `""`) + `"`
}
