package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/translog"
)

// maxBehind is how far the clock may stand behind the newest record: clocks are set
// back a little.
const maxBehind = time.Minute

// A transaction is an open write transaction.
type transaction struct {
	reader
	tx     *sql.Tx
	now    time.Time
	failed error // nothing is committed after a failed statement

	frontier *translog.Frontier // right edge of the log's tree, once it is read
}

var _ evidence.Tx = (*transaction)(nil)

// Append begins with BEGIN IMMEDIATE, so that what f reads stays true until it
// commits.
func (s *Store) Append(ctx context.Context, f func(evidence.Tx) error) error {
	if s.writer == nil {
		return evidence.ErrReadOnly
	}
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return translate(err)
	}
	t := &transaction{reader: reader{tx, s.blobs}, tx: tx, now: s.now().UTC().Truncate(time.Millisecond)}
	err = t.begin(ctx, s)
	if err == nil {
		err = f(t)
	}
	if err == nil {
		err = t.failed
	}
	if err != nil {
		if undo := tx.Rollback(); !errors.Is(undo, sql.ErrTxDone) {
			err = errors.Join(err, undo)
		}
		return err
	}
	return translate(tx.Commit())
}

// begin looks whether somebody changed the layout since the store was opened, and
// whether the clock can be true.
func (t *transaction) begin(ctx context.Context, s *Store) error {
	now, err := cookie(ctx, t.q)
	if err == nil && now != s.layout {
		if err = compareLayout(ctx, t.q); err == nil {
			s.layout = now
		}
	}
	if err != nil {
		return translate(err)
	}
	var newest sql.NullInt64
	if err := t.q.QueryRowContext(ctx, "SELECT recorded FROM record ORDER BY idx DESC LIMIT 1").Scan(&newest); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return translate(err)
	}
	if last := instant(newest); newest.Valid && t.now.Add(maxBehind).Before(last) {
		return fmt.Errorf("%w: it says %s, and the newest record is of %s", evidence.ErrClock, t.now.Format(time.RFC3339), last.Format(time.RFC3339))
	}
	return nil
}

func (t *transaction) Now() time.Time { return t.now }

func (t *transaction) Add(ctx context.Context, r evidence.Record) (evidence.Record, bool, error) {
	index, kind, err := t.sameAct(ctx, r.Act)
	if err != nil {
		return r, false, t.fail(err)
	}
	if index >= 0 && (kind != evidence.KindUnverified || r.Kind == evidence.KindUnverified) {
		stored, err := t.Record(ctx, index)
		stored.Subjects = r.Subjects // of the same statement
		return stored, false, t.fail(err)
	}
	if r.Index, err = t.Len(ctx); err != nil {
		return r, false, t.fail(err)
	}
	r.Recorded = t.now
	return r, true, t.fail(t.insert(ctx, &r))
}

// sameAct returns the newest record of an act, -1 where there is none: the verified
// one, if there is one.
func (t *transaction) sameAct(ctx context.Context, act evidence.Digest) (int64, evidence.Kind, error) {
	var index int64
	var kind string
	err := t.q.QueryRowContext(ctx, "SELECT idx, kind FROM record WHERE act = ? ORDER BY kind = 'unverified' LIMIT 1", act[:]).Scan(&index, &kind)
	if errors.Is(err, sql.ErrNoRows) {
		return -1, "", nil
	}
	return index, evidence.Kind(kind), err
}

var insertRecord = fmt.Sprintf("INSERT INTO record (%s) VALUES (?%s)", strings.ReplaceAll(columnNames, "record.", ""), strings.Repeat(", ?", len(columns)))

func (t *transaction) insert(ctx context.Context, r *evidence.Record) error {
	row := values(r)
	if err := t.exec(ctx, insertRecord, append(row, checksum(row))...); err != nil {
		return err
	}
	if err := t.exec(ctx, "INSERT INTO envelope (record, bytes) VALUES (?, ?)", r.Index, r.Envelope); err != nil {
		return err
	}
	if err := t.grow(ctx, r); err != nil {
		return err
	}
	for _, key := range digestKeys(r) {
		if err := t.exec(ctx, "INSERT INTO digest (value, record) VALUES (?, ?)", key, r.Index); err != nil {
			return err
		}
	}
	for _, target := range targets(r) {
		if err := t.exec(ctx, "INSERT INTO target (value, record) VALUES (?, ?)", target, r.Index); err != nil {
			return err
		}
	}
	return t.exec(ctx, "INSERT INTO words (rowid, text) VALUES (?, ?)", r.Index, strings.ReplaceAll(strings.Join(r.Words(), "\n"), "\x00", " "))
}

func (t *transaction) exec(ctx context.Context, statement string, args ...any) error {
	_, err := t.tx.ExecContext(ctx, statement, args...)
	return err
}

func (t *transaction) Attach(ctx context.Context, index int64, b evidence.Blob) error {
	var size int64
	err := t.q.QueryRowContext(ctx, "SELECT size FROM blob WHERE record = ? AND digest = ?", index, b.Digest[:]).Scan(&size)
	if errors.Is(err, sql.ErrNoRows) {
		return t.fail(t.exec(ctx, "INSERT INTO blob (record, digest, size) VALUES (?, ?, ?)", index, b.Digest[:], b.Size))
	}
	return t.fail(err)
}

// fail remembers that the transaction may not be committed any more.
func (t *transaction) fail(err error) error {
	if err != nil && t.failed == nil {
		t.failed = translate(err)
	}
	return translate(err)
}
