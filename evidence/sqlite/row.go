package sqlite

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
)

// A column of the table record, and what a record has there. checksum follows them.
// Every value is an int64, a string, a []byte or nil.
type column struct {
	name string
	of   func(*evidence.Record) any
}

var columns = []column{
	{"idx", func(r *evidence.Record) any { return r.Index }},
	{"id", func(r *evidence.Record) any { return r.ID[:] }},
	{"act", func(r *evidence.Record) any { return r.Act[:] }},
	{"recorded", func(r *evidence.Record) any { return millis(r.Recorded) }},
	{"proved", func(r *evidence.Record) any { return millis(r.Proved) }},
	{"claimed", func(r *evidence.Record) any { return millis(r.Claimed) }},
	{"statement_type", func(r *evidence.Record) any { return r.StatementType }},
	{"predicate_type", func(r *evidence.Record) any { return r.PredicateType }},
	{"keyid", func(r *evidence.Record) any { return r.Signer.KeyID }},
	{"person", func(r *evidence.Record) any { return r.Signer.Person }},
	{"role", func(r *evidence.Record) any { return string(r.Signer.Role) }},
	{"identity_issuer", func(r *evidence.Record) any { return r.Signer.Identity.Issuer }},
	{"identity_subject", func(r *evidence.Record) any { return r.Signer.Identity.Subject }},
	{"kind", func(r *evidence.Record) any { return string(r.Kind) }},
	{"project", func(r *evidence.Record) any { return r.Project }},
	{"version", func(r *evidence.Record) any { return r.Version }},
	{"change_record", func(r *evidence.Record) any { return r.ChangeRecord }},
	{"environment", func(r *evidence.Record) any { return r.Environment }},
	{"ring", func(r *evidence.Record) any { return r.Ring }},
	{"target_ring", func(r *evidence.Record) any { return r.TargetRing }},
	{"rollout_status", func(r *evidence.Record) any { return r.RolloutStatus }},
	{"approval_state", func(r *evidence.Record) any { return r.ApprovalState }},
	{"execution_status", func(r *evidence.Record) any { return r.ExecutionStatus }},
	{"rollout", func(r *evidence.Record) any { return r.Rollout }},
	{"request", func(r *evidence.Record) any { return r.Request }},
	{"approval", func(r *evidence.Record) any { return r.Approval }},
	{"execution", func(r *evidence.Record) any { return r.Execution }},
	{"seen_origin", func(r *evidence.Record) any { return seen(r, func(c *evidence.Checkpoint) any { return c.Origin }) }},
	{"seen_size", func(r *evidence.Record) any { return seen(r, func(c *evidence.Checkpoint) any { return c.Size }) }},
	{"seen_root", func(r *evidence.Record) any { return seen(r, func(c *evidence.Checkpoint) any { return c.Root[:] }) }},
	{"illegal", func(r *evidence.Record) any { return r.Illegal }},
	{"digests", nil}, // counts: see values
	{"targets", nil},
}

// columnNames is the list of all columns for SQL.
var columnNames = func() string {
	var names []string
	for _, c := range columns {
		names = append(names, "record."+c.name)
	}
	return strings.Join(append(names, "record.checksum"), ", ")
}()

// selectRecord begins a query whose rows [scanRecord] reads; one with envelopes joins
// them to it.
const erasedBy = "(SELECT ordered_by FROM erasure WHERE erasure.record = record.idx), (SELECT ordered_by FROM blob_erasure WHERE blob_erasure.record = record.idx)"

var (
	selectRecord   = "SELECT " + columnNames + ", " + erasedBy
	selectEnvelope = selectRecord + ", envelope.bytes FROM record LEFT JOIN envelope ON envelope.record = record.idx"
)

func millis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

func instant(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return time.UnixMilli(ms.Int64).UTC()
}

func seen(r *evidence.Record, of func(*evidence.Checkpoint) any) any {
	if r.Seen == nil {
		return nil
	}
	return of(r.Seen)
}

// values returns what is stored in the columns of a record that has so many rows in
// the tables digest and target, without the checksum.
func values(r *evidence.Record, digests, targets int) []any {
	list := make([]any, len(columns), len(columns)+1)
	for i, c := range columns[:len(columns)-2] {
		list[i] = c.of(r)
	}
	list[len(columns)-2], list[len(columns)-1] = int64(digests), int64(targets)
	return list
}

// checksum covers every column by name, type, length and value.
func checksum(values []any) []byte {
	b := make([]byte, 0, 2048)
	for i, v := range values {
		b = append(append(b, columns[i].name...), ' ')
		switch v := v.(type) {
		case nil:
			b = append(b, "nothing"...)
		case int64:
			b = strconv.AppendInt(append(b, "integer "...), v, 10)
		case string:
			b = append(strconv.AppendInt(append(b, "text "...), int64(len(v)), 10), ' ')
			b = append(b, v...)
		case []byte:
			b = append(strconv.AppendInt(append(b, "blob "...), int64(len(v)), 10), ' ')
			b = append(b, v...)
		default:
			b = fmt.Appendf(b, "%T", v) // of a STRICT table, by nobody's hand but a forger's
		}
		b = append(b, '\n')
	}
	sum := sha256.Sum256(b)
	return sum[:]
}

// show is a column's value for people.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case []byte:
		return hex.EncodeToString(v)
	case string:
		return fmt.Sprintf("%q", v)
	}
	return fmt.Sprint(v)
}

// A rowScanner is a *sql.Row or *sql.Rows.
type rowScanner interface{ Scan(...any) error }

// scanRecord reads the columns of [selectRecord], and more behind them.
func scanRecord(row rowScanner, more ...any) (evidence.Record, error) {
	var (
		r                        evidence.Record
		id, act, root, sum       []byte
		recorded, proved, claims sql.NullInt64
		origin                   sql.NullString
		size                     sql.NullInt64
		digests, targets         int64
		erasedBy, blobsErasedBy  sql.NullInt64
		role, kind               string
	)
	err := row.Scan(append([]any{
		&r.Index, &id, &act, &recorded, &proved, &claims, &r.StatementType, &r.PredicateType,
		&r.Signer.KeyID, &r.Signer.Person, &role, &r.Signer.Identity.Issuer, &r.Signer.Identity.Subject, &kind,
		&r.Project, &r.Version, &r.ChangeRecord, &r.Environment, &r.Ring, &r.TargetRing,
		&r.RolloutStatus, &r.ApprovalState, &r.ExecutionStatus, &r.Rollout, &r.Request, &r.Approval, &r.Execution,
		&origin, &size, &root, &r.Illegal, &digests, &targets, &sum, &erasedBy, &blobsErasedBy,
	}, more...)...)
	if err != nil {
		return r, err
	}
	copy(r.ID[:], id)
	copy(r.Act[:], act)
	r.Recorded, r.Proved, r.Claimed = instant(recorded), instant(proved), instant(claims)
	r.Signer.Role, r.Kind = trust.Role(role), evidence.Kind(kind)
	if origin.Valid {
		r.Seen = &evidence.Checkpoint{Origin: origin.String, Size: size.Int64}
		copy(r.Seen.Root[:], root)
	}
	if erasedBy.Valid {
		r.Erased = &evidence.Erasure{By: erasedBy.Int64}
	} else if blobsErasedBy.Valid {
		r.BlobsErased = &evidence.Erasure{By: blobsErasedBy.Int64}
	}
	return r, nil
}

// digestKeys are the rows of the table digest that belong to a record.
func digestKeys(r *evidence.Record) [][]byte {
	var keys [][]byte
	known := map[string]bool{}
	for _, value := range r.Digests() {
		key := evidence.DigestKey(value)
		if !known[string(key)] {
			known[string(key)] = true
			keys = append(keys, key)
		}
	}
	return keys
}

// targets are the rows of the table target that belong to a record.
func targets(r *evidence.Record) []string {
	var list []string
	known := map[string]bool{}
	for _, t := range r.DeploymentTargets {
		if !known[t] {
			known[t] = true
			list = append(list, t)
		}
	}
	return list
}
