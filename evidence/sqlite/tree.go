package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"

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

// hashes reads the table hash.
type hashes struct {
	ctx context.Context
	q   querier
}

var _ translog.Hashes = hashes{}

func (h hashes) ReadHashes(indexes []int64) ([]translog.Hash, error) {
	list := make([]translog.Hash, len(indexes))
	for i, index := range indexes {
		var value []byte
		if err := h.q.QueryRowContext(h.ctx, "SELECT value FROM hash WHERE idx = ?", index).Scan(&value); err != nil {
			return nil, fmt.Errorf("hash %d of the log: %w", index, err)
		}
		copy(list[i][:], value)
	}
	return list, nil
}

// grow adds a record to the tree.
func (t *transaction) grow(ctx context.Context, r *evidence.Record) error {
	leaf, err := leafHash(r)
	if err != nil {
		return err
	}
	if t.frontier == nil {
		if t.frontier, err = translog.NewFrontier(hashes{ctx, t.q}, r.Index); err != nil {
			return err
		}
	}
	first := tlog.StoredHashIndex(0, r.Index)
	for i, h := range t.frontier.Append(leaf) {
		if err := t.exec(ctx, "INSERT INTO hash (idx, value) VALUES (?, ?)", first+int64(i), h[:]); err != nil {
			return err
		}
	}
	return nil
}

// compareLeaf compares the hash of a record's entry with the one in the tree.
func (r reader) compareLeaf(ctx context.Context, want *evidence.Record) ([]evidence.Difference, error) {
	leaf, err := leafHash(want)
	if err != nil {
		return []evidence.Difference{{Field: "leaf", Expected: "an entry of the log", Actual: err.Error()}}, nil
	}
	var stored []byte
	err = r.q.QueryRowContext(ctx, "SELECT value FROM hash WHERE idx = ?", tlog.StoredHashIndex(0, want.Index)).Scan(&stored)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	if !bytes.Equal(stored, leaf[:]) {
		return []evidence.Difference{{Field: "leaf", Expected: show(leaf[:]), Actual: show(stored)}}, nil
	}
	return nil, nil
}

// auditTree makes the tree anew from the columns of all records and compares every
// hash that is stored.
func (r reader) auditTree(ctx context.Context) ([]evidence.Problem, error) {
	records, err := r.q.QueryContext(ctx, "SELECT "+columnNames+" FROM record ORDER BY idx")
	if err != nil {
		return nil, err
	}
	defer records.Close()
	var list []evidence.Problem
	var frontier translog.Frontier
	next := int64(0)
	for records.Next() {
		record, err := scanRecord(records)
		if err != nil {
			return nil, err
		}
		leaf, err := leafHash(&record)
		if err != nil {
			return append(list, treeProblem(record.Index, next, "an entry of the log", err.Error())), nil
		}
		for _, want := range frontier.Append(leaf) {
			stored, err := hashes{ctx, r.q}.ReadHashes([]int64{next})
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return nil, err
			}
			if err != nil || stored[0] != want {
				list = append(list, treeProblem(record.Index, next, show(want[:]), storedHash(stored)))
			}
			next++
		}
	}
	if err := records.Err(); err != nil {
		return nil, err
	}
	more, err := r.count(ctx, "SELECT count(*) FROM hash WHERE idx < 0 OR idx >= ?", next)
	if more > 0 {
		list = append(list, treeProblem(-1, next, "no hash behind the tree", fmt.Sprint(more)))
	}
	return list, err
}

func storedHash(list []translog.Hash) string {
	if len(list) == 0 {
		return "nothing"
	}
	return show(list[0][:])
}

func treeProblem(index, hash int64, expected, actual string) evidence.Problem {
	return evidence.Problem{Index: index, Difference: evidence.Difference{Field: fmt.Sprintf("tree hash %d", hash), Expected: expected, Actual: actual}}
}
