package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/rollproof/rollproof/evidence"
)

// Compare looks at what [transaction.Add] wrote for r, table by table. Of an erased
// record, whose bytes r may lack, the columns and the leaf are compared: words must
// be gone, and rows are compared where r has subjects.
func (r reader) Compare(ctx context.Context, want evidence.Record) ([]evidence.Difference, error) {
	var erased bool
	if err := r.q.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM erasure WHERE record = ?)", want.Index).Scan(&erased); err != nil {
		return nil, translate(err)
	}
	bare := erased && want.Subjects == nil
	list, err := r.compareColumns(ctx, &want, bare)
	if err != nil {
		return nil, translate(err)
	}
	looks := []look{r.compareLeaf}
	if len(list) == 0 { // else the columns are not those of its class
		looks = append(looks, r.compareClass)
	}
	if !bare {
		looks = append(looks, r.compareRows)
	}
	if erased {
		looks = append(looks, r.compareErased)
	} else {
		looks = append(looks, r.compareWords)
	}
	for _, compare := range looks {
		more, err := compare(ctx, &want)
		if err != nil {
			return nil, translate(err)
		}
		list = append(list, more...)
	}
	return list, nil
}

// A look compares a part of a record with what is stored.
type look func(context.Context, *evidence.Record) ([]evidence.Difference, error)

// compareColumns leaves out the numbers of rows for a record that is bare of what
// they follow from.
func (r reader) compareColumns(ctx context.Context, want *evidence.Record, bare bool) ([]evidence.Difference, error) {
	stored := make([]any, len(columns)+1)
	into := make([]any, len(stored))
	for i := range stored {
		into[i] = &stored[i]
	}
	err := r.q.QueryRowContext(ctx, "SELECT "+columnNames+" FROM record WHERE idx = ?", want.Index).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return []evidence.Difference{{Field: "index", Expected: "a record", Actual: "none"}}, nil
	}
	if err != nil {
		return nil, err
	}
	compared := values(want, len(digestKeys(want)), len(targets(want)))
	if bare {
		compared = compared[:len(columns)-2]
	}
	var list []evidence.Difference
	for i, value := range compared {
		if show(value) != show(stored[i]) {
			list = append(list, evidence.Difference{Field: columns[i].name, Expected: show(value), Actual: show(stored[i])})
		}
	}
	sum := checksum(stored[:len(columns)])
	if got, _ := stored[len(columns)].([]byte); len(list) == 0 && !bytes.Equal(got, sum) {
		list = append(list, evidence.Difference{Field: "checksum", Expected: show(sum), Actual: show(stored[len(columns)])})
	}
	return list, nil
}

// compareErased looks whether what was to be removed is gone.
func (r reader) compareErased(ctx context.Context, want *evidence.Record) ([]evidence.Difference, error) {
	var list []evidence.Difference
	for field, query := range map[string]string{
		"envelope": "SELECT count(*) FROM envelope WHERE record = ?",
		"words":    "SELECT count(*) FROM words_docsize WHERE id = ?",
	} {
		n, err := r.count(ctx, query, want.Index)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			list = append(list, evidence.Difference{Field: field, Expected: "erased", Actual: "stored"})
		}
	}
	return list, nil
}

// compareRows looks for the rows by which digests and deployment targets are found.
// That there are no more of them, the counts of the record and [reader.Audit] say.
func (r reader) compareRows(ctx context.Context, want *evidence.Record) ([]evidence.Difference, error) {
	var list []evidence.Difference
	for _, key := range digestKeys(want) {
		n, err := r.count(ctx, "SELECT count(*) FROM digest WHERE value = ? AND record = ?", key, want.Index)
		if err != nil {
			return nil, err
		}
		if n != 1 {
			list = append(list, evidence.Difference{Field: "digest", Expected: hex.EncodeToString(key), Actual: "nothing"})
		}
	}
	for _, target := range targets(want) {
		n, err := r.count(ctx, "SELECT count(*) FROM target WHERE value = ? AND record = ?", target, want.Index)
		if err != nil {
			return nil, err
		}
		if n != 1 {
			list = append(list, evidence.Difference{Field: "target", Expected: target, Actual: "nothing"})
		}
	}
	return list, nil
}

// compareWords looks whether every line of the record's words is found as a phrase.
func (r reader) compareWords(ctx context.Context, want *evidence.Record) ([]evidence.Difference, error) {
	var list []evidence.Difference
	for _, line := range want.Words() {
		found, err := findsWords(ctx, r.q, line, want.Index)
		if err != nil {
			return nil, err
		}
		if found {
			continue
		}
		// A line of signs alone has no words.
		if found, err = hasWords(ctx, line); err != nil {
			return nil, err
		}
		if found {
			list = append(list, evidence.Difference{Field: "words", Expected: fmt.Sprintf("%q", line), Actual: "not found"})
		}
	}
	return list, nil
}

func findsWords(ctx context.Context, q querier, line string, index int64) (bool, error) {
	var n int
	err := q.QueryRowContext(ctx, "SELECT count(*) FROM words WHERE words MATCH ? AND rowid = ?", phrase(line), index).Scan(&n)
	return n > 0, err
}

// hasWords asks an index that holds nothing but the line.
func hasWords(ctx context.Context, line string) (bool, error) {
	db, err := sql.Open("sqlite", ":memory:?"+parameters(readPragmas))
	if err != nil {
		return false, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	definition, err := expected()
	if err != nil {
		return false, err
	}
	if _, err := db.ExecContext(ctx, definition["table words"].text); err != nil {
		return false, err
	}
	if _, err := db.ExecContext(ctx, "INSERT INTO words (rowid, text) VALUES (0, ?)", strings.ReplaceAll(line, "\x00", " ")); err != nil {
		return false, err
	}
	return findsWords(ctx, db, line, 0)
}
