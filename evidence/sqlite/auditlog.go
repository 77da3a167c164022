package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/translog"
)

// auditLog makes the tree anew from the columns of all records, compares every hash
// that is stored, and looks at the log's identity and at every signed checkpoint:
// its signature, and its root against the tree of its size.
func (r reader) auditLog(ctx context.Context) ([]evidence.Problem, error) {
	list, err := r.auditIdentity(ctx)
	if err != nil {
		return nil, err
	}
	checkpoints, more, err := r.auditCheckpoints(ctx)
	if err != nil {
		return nil, err
	}
	list = append(list, more...)
	roots := map[int64]translog.Hash{0: translog.EmptyRoot}
	for _, c := range checkpoints {
		if c.Size > 0 {
			roots[c.Size] = translog.Hash{}
		}
	}
	size, more, err := r.auditTree(ctx, roots)
	list = append(list, more...)
	for i, c := range checkpoints {
		switch {
		case c.Size > size:
			list = append(list, storeProblem(fmt.Sprintf("checkpoint %d", i), fmt.Sprintf("%d records at least", c.Size), fmt.Sprint(size)))
		case roots[c.Size] != c.Root:
			root := roots[c.Size]
			list = append(list, storeProblem(fmt.Sprintf("checkpoint %d", i), "root "+show(c.Root[:])+" of "+fmt.Sprint(c.Size)+" records", show(root[:])))
		}
	}
	return list, err
}

func (r reader) auditIdentity(ctx context.Context) ([]evidence.Problem, error) {
	rows, err := r.q.QueryContext(ctx, "SELECT origin, key, checksum FROM log")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []evidence.Problem
	for rows.Next() {
		var id evidence.LogIdentity
		var sum []byte
		if err := rows.Scan(&id.Origin, &id.Key, &sum); err != nil {
			return nil, err
		}
		if want := logChecksum(id); !bytes.Equal(sum, want) {
			list = append(list, storeProblem("log identity", "checksum "+show(want), show(sum)))
		}
	}
	return list, rows.Err()
}

// auditCheckpoints returns the checkpoints, by their numbers, that can be compared
// with the tree.
func (r reader) auditCheckpoints(ctx context.Context) (map[int64]translog.Checkpoint, []evidence.Problem, error) {
	id, err := r.Log(ctx)
	if err != nil && !errors.Is(err, evidence.ErrNoLog) {
		return nil, nil, err
	}
	rows, err := r.q.QueryContext(ctx, "SELECT idx, size, note, checksum FROM checkpoint ORDER BY idx")
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	var list []evidence.Problem
	checkpoints := map[int64]translog.Checkpoint{}
	next := int64(0)
	for ; rows.Next(); next++ {
		var index, size int64
		var note, sum []byte
		if err := rows.Scan(&index, &size, &note, &sum); err != nil {
			return nil, nil, err
		}
		field := fmt.Sprintf("checkpoint %d", index)
		if index != next {
			list = append(list, storeProblem(fmt.Sprintf("checkpoint %d", next), "a checkpoint", "none"))
			next = index
		}
		if want := checkpointChecksum(index, size, note); !bytes.Equal(sum, want) {
			list = append(list, storeProblem(field, "checksum "+show(want), show(sum)))
		}
		signed, err := translog.Open(note, id.Origin, id.Key)
		switch {
		case err != nil:
			list = append(list, storeProblem(field, "a checkpoint that the log has signed", err.Error()))
		case signed.Size != size:
			list = append(list, storeProblem(field, fmt.Sprintf("size %d", signed.Size), fmt.Sprint(size)))
		default:
			checkpoints[index] = signed.Checkpoint
		}
	}
	return checkpoints, list, rows.Err()
}

// auditTree returns how many records the tree has, and sets the roots of the sizes
// that roots names.
func (r reader) auditTree(ctx context.Context, roots map[int64]translog.Hash) (int64, []evidence.Problem, error) {
	rows, err := r.q.QueryContext(ctx, selectRecord+", tree.hashes FROM record LEFT JOIN tree ON tree.record = record.idx ORDER BY record.idx")
	if err != nil {
		return 0, nil, err
	}
	defer rows.Close()
	var list []evidence.Problem
	var frontier translog.Frontier
	size := int64(0)
	for ; rows.Next(); size++ {
		var stored []byte
		record, err := scanRecord(rows, &stored)
		if err != nil {
			return 0, nil, err
		}
		if record.Index != size {
			return size, append(list, treeProblem(size, "a record", "none")), nil
		}
		leaf, err := leafHash(&record)
		if err != nil {
			return size, append(list, treeProblem(size, "an entry of the log", err.Error())), nil
		}
		if want := join(frontier.Append(leaf)); !bytes.Equal(stored, want) {
			list = append(list, treeProblem(size, show(want), show(stored)))
		}
		if _, asked := roots[size+1]; asked {
			roots[size+1] = frontier.Tree().Root
		}
	}
	return size, list, rows.Err()
}

func treeProblem(index int64, expected, actual string) evidence.Problem {
	return evidence.Problem{Index: index, Difference: evidence.Difference{Field: "tree", Expected: expected, Actual: actual}}
}

func storeProblem(field, expected, actual string) evidence.Problem {
	return evidence.Problem{Index: -1, Difference: evidence.Difference{Field: field, Expected: expected, Actual: actual}}
}
