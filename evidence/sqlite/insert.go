package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/rollproof/rollproof/evidence"
)

// Statements of writers, which are prepared once. None of them inserts several rows,
// and no table has a trigger before INSERT that a record must pass: then SQLite need
// not keep the pages before each statement, which takes a third of the time.
var insertRecord = fmt.Sprintf("INSERT INTO record (%s) VALUES (?%s)", strings.ReplaceAll(columnNames, "record.", ""), strings.Repeat(", ?", len(columns)))

const (
	// The verified record of the same signer comes first; the others count for an
	// unverified record alone.
	selectSame = `SELECT idx FROM record WHERE act = ?1 AND (?3 OR kind <> 'unverified' AND keyid = ?2)
		ORDER BY kind = 'unverified', keyid <> ?2, idx LIMIT 1`
	insertEnvelope = "INSERT INTO envelope (record, bytes) VALUES (?, ?)"
	insertTree     = "INSERT INTO tree (record, hashes) VALUES (?, ?)"
	insertWords    = "INSERT INTO words (rowid, text) VALUES (?, ?)"
	insertDigest   = "INSERT INTO digest (value, record) VALUES (?, ?)"
	insertTarget   = "INSERT INTO target (value, record) VALUES (?, ?)"
	insertBlob     = "INSERT INTO blob (record, digest, size) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
)

// prepare parses the statements of writers.
func prepare(ctx context.Context, db *sql.DB) (map[string]*sql.Stmt, error) {
	list := map[string]*sql.Stmt{}
	for _, text := range []string{insertRecord, selectSame, insertEnvelope, insertTree, insertDigest, insertTarget, insertWords, insertBlob, insertClass} {
		stmt, err := db.PrepareContext(ctx, text)
		if err != nil {
			return list, err
		}
		list[text] = stmt
	}
	return list, nil
}

func closeStatements(list map[string]*sql.Stmt) error {
	var errs []error
	for _, s := range list {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// exec runs a statement, one of [prepare] faster than others. A cancelled context
// stops it before it begins, not while it runs: to watch for that costs more than
// the statement.
func (t *transaction) exec(ctx context.Context, text string, args ...any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	stmt := t.stmts[text]
	if stmt == nil {
		_, err := t.tx.ExecContext(ctx, text, args...)
		return err
	}
	_, err := t.tx.StmtContext(ctx, stmt).ExecContext(ctx, args...)
	return err
}

// row is exec for a statement of [prepare] that returns a row.
func (t *transaction) row(ctx context.Context, text string, args ...any) *sql.Row {
	return t.tx.StmtContext(ctx, t.stmts[text]).QueryRowContext(ctx, args...)
}

func (t *transaction) insert(ctx context.Context, r *evidence.Record) error {
	digests, targets := digestKeys(r), targets(r)
	row := values(r, len(digests), len(targets))
	if err := t.exec(ctx, insertRecord, append(row, checksum(row))...); err != nil {
		return err
	}
	if err := t.exec(ctx, insertEnvelope, r.Index, r.Envelope); err != nil {
		return err
	}
	if err := t.noteClass(ctx, r); err != nil {
		return err
	}
	if err := t.grow(ctx, r); err != nil {
		return err
	}
	for _, key := range digests {
		if err := t.exec(ctx, insertDigest, key, r.Index); err != nil {
			return err
		}
	}
	for _, target := range targets {
		if err := t.exec(ctx, insertTarget, target, r.Index); err != nil {
			return err
		}
	}
	t.words = append(t.words, words{r.Index, strings.ReplaceAll(strings.Join(r.Words(), "\n"), "\x00", " ")})
	return nil
}

// words are a record's, before they are in the index.
type words struct {
	record int64
	text   string
}

// flush writes the words that wait. SQLite ends a part of the index of words with each
// statement that it may have to undo by itself, so that words which are written one
// record after the other are many small parts, and take twice the time.
func (t *transaction) flush(ctx context.Context) error {
	for _, w := range t.words {
		if err := t.exec(ctx, insertWords, w.record, w.text); err != nil {
			return t.fail(err)
		}
	}
	t.words = nil
	return nil
}

// What reads the index of words needs them all.

func (t *transaction) Search(ctx context.Context, q evidence.Query) (evidence.Page, error) {
	if err := t.flush(ctx); err != nil {
		return evidence.Page{}, err
	}
	return t.reader.Search(ctx, q)
}

func (t *transaction) Compare(ctx context.Context, r evidence.Record) ([]evidence.Difference, error) {
	if err := t.flush(ctx); err != nil {
		return nil, err
	}
	return t.reader.Compare(ctx, r)
}

func (t *transaction) Audit(ctx context.Context) ([]evidence.Problem, error) {
	if err := t.flush(ctx); err != nil {
		return nil, err
	}
	return t.reader.Audit(ctx)
}
