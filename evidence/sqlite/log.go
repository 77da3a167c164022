package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/translog"
)

// InitLog writes the identity in a transaction of its own. Errors are also those of
// an origin or a key that no log can have.
func (s *Store) InitLog(ctx context.Context, id evidence.LogIdentity) error {
	if err := translog.CheckName(id.Origin); err != nil {
		return err
	}
	if len(id.Key) != 32 {
		return fmt.Errorf("key of the log: %d bytes, expected 32", len(id.Key))
	}
	return s.locked(ctx, func(t *transaction) error {
		_, err := t.Log(ctx)
		if err == nil {
			return evidence.ErrLogExists
		}
		if !errors.Is(err, evidence.ErrNoLog) {
			return err
		}
		return translate(t.exec(ctx, "INSERT INTO log (one, origin, key, checksum) VALUES (1, ?, ?, ?)", id.Origin, id.Key, logChecksum(id)))
	})
}

func logChecksum(id evidence.LogIdentity) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "log\n%s\n%x\n", id.Origin, id.Key))
	return sum[:]
}

func checkpointChecksum(index, size int64, note []byte) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "checkpoint\n%d\n%d\n%s", index, size, note))
	return sum[:]
}

func (r reader) Log(ctx context.Context) (evidence.LogIdentity, error) {
	var id evidence.LogIdentity
	err := r.q.QueryRowContext(ctx, "SELECT origin, key FROM log").Scan(&id.Origin, &id.Key)
	if errors.Is(err, sql.ErrNoRows) {
		return id, evidence.ErrNoLog
	}
	return id, translate(err)
}

func (t *transaction) SaveCheckpoint(ctx context.Context, size int64, note []byte) error {
	index, err := t.count(ctx, "SELECT coalesce(max(idx), -1) + 1 FROM checkpoint")
	if err != nil {
		return t.fail(err)
	}
	return t.fail(t.exec(ctx, "INSERT INTO checkpoint (idx, size, note, checksum) VALUES (?, ?, ?, ?)", index, size, note, checkpointChecksum(index, size, note)))
}

func (r reader) Checkpoint(ctx context.Context) ([]byte, error) {
	var note []byte
	err := r.q.QueryRowContext(ctx, "SELECT note FROM checkpoint ORDER BY size DESC, idx DESC LIMIT 1").Scan(&note)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return note, translate(err)
}

func (r reader) Hashes(ctx context.Context, places []int64) ([]evidence.Digest, error) {
	list, err := hashes{ctx, r.q}.ReadHashes(places)
	if err != nil {
		return nil, translate(err)
	}
	digests := make([]evidence.Digest, len(list))
	for i, h := range list {
		digests[i] = evidence.Digest(h)
	}
	return digests, nil
}
