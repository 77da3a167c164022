package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
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
	stmts  map[string]*sql.Stmt
	now    time.Time
	failed error // nothing is committed after a failed statement

	frontier *translog.Frontier // right edge of the log's tree, once it is read
	size     int64              // records of the frontier
	classes  map[string]bool    // that are in the table class
	words    []words            // that are not yet in the index
	erased   []int64            // records whose bytes or blobs this transaction removes
	unworded bool               // words of a record were deleted
}

var _ evidence.Tx = (*transaction)(nil)

// Append begins with BEGIN IMMEDIATE, so that what f reads stays true until it
// commits.
func (s *Store) Append(ctx context.Context, f func(evidence.Tx) error) error {
	var erased []int64
	err := s.locked(ctx, func(t *transaction) error {
		err := f(t)
		if err == nil {
			err = t.failed
		}
		if err == nil {
			err = t.flush(ctx)
		}
		if err == nil && t.unworded {
			err = translate(t.forgetWords(ctx))
		}
		erased = t.erased
		return err
	})
	if err == nil && len(erased) > 0 {
		s.sweep(context.WithoutCancel(ctx), erased)
	}
	return err
}

// locked runs f in a transaction that no other writer's overlaps.
func (s *Store) locked(ctx context.Context, f func(*transaction) error) error {
	if s.writer == nil {
		return evidence.ErrReadOnly
	}
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return translate(err)
	}
	t := &transaction{reader: reader{tx, s.blobs}, tx: tx, stmts: s.stmts, now: s.now().UTC().Truncate(time.Millisecond)}
	err = t.begin(ctx, s)
	if err == nil {
		err = f(t)
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
// whether the clock can be true. Where it is a little behind, the time is that of
// the newest record: dates never go back, and a range of time is a range of indexes.
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
	last := instant(newest)
	if newest.Valid && t.now.Add(maxBehind).Before(last) {
		return fmt.Errorf("%w: it says %s, and the newest record is of %s", evidence.ErrClock, t.now.Format(time.RFC3339), last.Format(time.RFC3339))
	}
	if t.now.Before(last) {
		t.now = last
	}
	return nil
}

func (t *transaction) Now() time.Time { return t.now }

func (t *transaction) Add(ctx context.Context, r evidence.Record) (evidence.Record, bool, error) {
	index, err := t.same(ctx, &r)
	if err != nil {
		return r, false, t.fail(err)
	}
	if index >= 0 {
		stored, err := t.Record(ctx, index)
		stored.Subjects = r.Subjects // of the same statement
		return stored, false, t.fail(err)
	}
	if t.frontier == nil {
		if err := t.readFrontier(ctx); err != nil {
			return r, false, t.fail(err)
		}
	}
	r.Index, r.Recorded, r.Erased = t.size, t.now, nil
	return r, true, t.fail(t.insert(ctx, &r))
}

// same returns the record in whose place r would stand, -1 where there is none: that
// of the same act and signer, and for an unverified record any of the same act,
// a verified one before the unverified one.
func (t *transaction) same(ctx context.Context, r *evidence.Record) (int64, error) {
	var index int64
	unverified := r.Kind == evidence.KindUnverified
	err := t.row(ctx, selectSame, r.Act[:], r.Signer.KeyID, unverified).Scan(&index)
	if errors.Is(err, sql.ErrNoRows) {
		return -1, nil
	}
	return index, err
}

func (t *transaction) Attach(ctx context.Context, index int64, b evidence.Blob) error {
	// A blob that was stored a while ago may have been cleaned up meanwhile; from here
	// on, while nobody else writes, it stays.
	info, err := os.Stat(t.blobs.path(b.Digest))
	if err != nil {
		return t.fail(fmt.Errorf("blob %s: %w", b.Digest, err))
	}
	if info.Size() != b.Size {
		return t.fail(fmt.Errorf("blob %s: %d bytes, expected %d", b.Digest, info.Size(), b.Size))
	}
	if err := t.mayAttach(ctx, index, b.Digest); err != nil {
		return t.fail(err)
	}
	return t.fail(t.exec(ctx, insertBlob, index, b.Digest[:], b.Size))
}

// mayAttach keeps blobs to subjects, so that a search for the digest of a file that is
// kept finds its records, and erased ones away.
func (t *transaction) mayAttach(ctx context.Context, index int64, d evidence.Digest) error {
	var named, erased bool
	err := t.q.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM digest WHERE value = ?1 AND record = ?2), ?2 IN ("+withoutBlobs+")", d[:], index).Scan(&named, &erased)
	switch {
	case err != nil:
		return err
	case !named:
		return fmt.Errorf("record %d: %s: %w", index, d, evidence.ErrNotASubject)
	case erased:
		return fmt.Errorf("record %d: %s: %w", index, d, evidence.ErrErased)
	}
	return nil
}

// fail remembers that the transaction may not be committed any more.
func (t *transaction) fail(err error) error {
	if err != nil && t.failed == nil {
		t.failed = translate(err)
	}
	return translate(err)
}
