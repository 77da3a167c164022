package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/translog"
	"golang.org/x/mod/sumdb/tlog"
)

// leafHash is the hash of a record's entry in the log. An entry names the key that
// verified, and none for an unverified record.
func leafHash(r *evidence.Record) (translog.Hash, error) {
	l := translog.Leaf{Statement: r.Act, Envelope: r.ID, PredicateType: r.PredicateType, KeyID: r.Signer.KeyID}
	if r.Kind == evidence.KindUnverified {
		l.KeyID = ""
	}
	return l.Hash()
}

// hashes reads the table tree.
type hashes struct {
	ctx context.Context
	q   querier
}

var _ translog.Hashes = hashes{}

// readAtOnce is how many rows one query reads.
const readAtOnce = 256

// ReadHashes takes each hash from the record that completed it: a subtree of 2^level
// records from the n-th on is complete with the record (n+1)*2^level - 1.
func (h hashes) ReadHashes(places []int64) ([]translog.Hash, error) {
	list := make([]translog.Hash, len(places))
	for from := 0; from < len(places); from += readAtOnce {
		to := min(from+readAtOnce, len(places))
		if err := h.read(places[from:to], list[from:to]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (h hashes) read(places []int64, into []translog.Hash) error {
	level, record := make([]int, len(places)), make([]any, len(places))
	for i, place := range places {
		if place < 0 {
			return fmt.Errorf("hash %d of the log: %w", place, evidence.ErrNotFound)
		}
		var n int64
		level[i], n = tlog.SplitStoredHashIndex(place)
		record[i] = (n+1)<<level[i] - 1
	}
	rows, err := h.rows(record)
	if err != nil {
		return err
	}
	for i, place := range places {
		at := level[i] * len(into[i])
		row := rows[record[i].(int64)]
		if len(row) < at+len(into[i]) {
			return fmt.Errorf("hash %d of the log: %w", place, evidence.ErrNotFound)
		}
		copy(into[i][:], row[at:])
	}
	return nil
}

func (h hashes) rows(records []any) (map[int64][]byte, error) {
	rows, err := h.q.QueryContext(h.ctx, "SELECT record, hashes FROM tree WHERE record IN (?"+strings.Repeat(", ?", len(records)-1)+")", records...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[int64][]byte{}
	for rows.Next() {
		var record int64
		var row []byte
		if err := rows.Scan(&record, &row); err != nil {
			return nil, err
		}
		found[record] = row
	}
	return found, rows.Err()
}

// readFrontier reads the right edge of the tree, to which records are added.
func (t *transaction) readFrontier(ctx context.Context) error {
	var err error
	if t.size, err = t.Len(ctx); err == nil {
		t.frontier, err = translog.NewFrontier(hashes{ctx, t.q}, t.size)
	}
	return err
}

// grow adds a record to the tree.
func (t *transaction) grow(ctx context.Context, r *evidence.Record) error {
	leaf, err := leafHash(r)
	if err != nil {
		return err
	}
	t.size++
	return t.exec(ctx, insertTree, r.Index, join(t.frontier.Append(leaf)))
}

func join(list []translog.Hash) []byte {
	var row []byte
	for _, h := range list {
		row = append(row, h[:]...)
	}
	return row
}

// compareLeaf compares the hash of a record's entry with the one in the tree.
func (r reader) compareLeaf(ctx context.Context, want *evidence.Record) ([]evidence.Difference, error) {
	leaf, err := leafHash(want)
	if err != nil {
		return []evidence.Difference{{Field: "leaf", Expected: "an entry of the log", Actual: err.Error()}}, nil
	}
	var stored []byte
	err = r.q.QueryRowContext(ctx, "SELECT substr(hashes, 1, 32) FROM tree WHERE record = ?", want.Index).Scan(&stored)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	if !bytes.Equal(stored, leaf[:]) {
		return []evidence.Difference{{Field: "leaf", Expected: show(leaf[:]), Actual: show(stored)}}, nil
	}
	return nil, nil
}
