package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
)

// A Store keeps records. It only ever grows: nothing in it is changed or removed.
// Indexes count from 0 without gaps, in the order in which transactions commit.
type Store interface {
	Reader
	// Append runs f in one write transaction, which no other writer's overlaps. The
	// clock is read once, when the transaction has begun. What f added is durable
	// when Append returns nil; otherwise nothing of it is there. The error is f's, or
	// [ErrFull], [ErrBusy], [ErrClock], [ErrReadOnly].
	Append(ctx context.Context, f func(Tx) error) error
	// PutBlob stores a file under its digest, durably. It belongs to no record until
	// it is attached.
	PutBlob(ctx context.Context, from io.Reader) (Blob, error)
	// InitLog gives the store's log its identity, once: another one later is
	// [ErrLogExists].
	InitLog(ctx context.Context, id LogIdentity) error
	Close() error
}

// A LogIdentity says which log a store is. It never changes, and a copy of the store
// has the same one.
type LogIdentity struct {
	Origin string // as in the first line of a checkpoint
	Key    []byte // the log's public Ed25519 key, 32 bytes
}

// An Erasure says that the bytes of a record, or its blobs, were removed, and by which
// record.
type Erasure struct {
	By int64 `json:"by"` // index of the erase record
}

// A Range selects records for [Reader.Scan], in the order of the log. The zero value
// is empty: To says where it ends.
type Range struct {
	From, To  int64    // indexes: from From to before To
	Projects  []string // of these projects alone, "" being those without one; nil for all
	Kinds     []Kind   // of these kinds alone; nil for all
	Envelopes bool     // with the exact bytes
}

// A Tx is a write transaction: it reads what is there, and adds.
type Tx interface {
	Reader
	// Now is the time of the transaction, UTC, to the millisecond.
	Now() time.Time
	// Add gives the record an index and a date, and returns it as stored. Where its
	// act is recorded already, that record comes back and added is false; but a
	// verified record follows an unverified one of the same act.
	Add(ctx context.Context, r Record) (stored Record, added bool, err error)
	// Attach says that a blob belongs to a record, of which it must be a subject, else
	// the error is [ErrNotASubject]. To say it twice changes nothing. To a record whose
	// blobs were erased none is attached again: [ErrErased].
	Attach(ctx context.Context, index int64, b Blob) error
	// SaveCheckpoint keeps a signed checkpoint of this log, as its owner or a witness
	// gave it. One of a size that is kept already takes its place beside it; the
	// newest is the one with the largest size, then the one that came last. The store
	// reads no more of it than the caller says: its size.
	SaveCheckpoint(ctx context.Context, size int64, note []byte) error
	// Erase removes the envelope of a record, the words by which it is found, and,
	// when the transaction has committed, its blobs that belong to no other record. by
	// is the record that orders it, in this transaction or before. The record itself,
	// its facts, the digests by which it is found, and its place in the log stay.
	// Whether it may be done is judged by the caller. To do it twice is an error.
	Erase(ctx context.Context, index, by int64) error
	// EraseBlobs is [Tx.Erase] for the blobs alone: the envelope stays.
	EraseBlobs(ctx context.Context, index, by int64) error
}

// A Reader reads a store.
type Reader interface {
	// Len returns how many records there are.
	Len(ctx context.Context) (int64, error)
	// Record returns a record as stored, with its envelope, or [ErrNotFound]. Its
	// facts are columns: who acts on them derives them again ([Intake.Rederive]).
	// Subjects are nil.
	Record(ctx context.Context, index int64) (Record, error)
	// Scan yields records as stored, without subjects.
	Scan(ctx context.Context, r Range) iter.Seq2[Record, error]
	// Log returns the identity of the log, [ErrNoLog] where it has none yet.
	Log(ctx context.Context) (LogIdentity, error)
	// Hashes returns hashes of the log's Merkle tree by their places, which
	// golang.org/x/mod/sumdb/tlog.StoredHashIndex defines.
	Hashes(ctx context.Context, places []int64) ([]Digest, error)
	// Checkpoint returns the newest signed checkpoint that was saved, nil without one.
	Checkpoint(ctx context.Context) ([]byte, error)
	// Find returns the index of the record whose id or act begins with these hex
	// digits, [MinPrefix] of them at least. Where an act was recorded unverified and
	// verified, the verified record is found. Errors are [ErrNotFound] and
	// [*AmbiguousError].
	Find(ctx context.Context, prefix string) (int64, error)
	// Same returns the indexes of the records of an act, in the order of the log: one
	// of each signer, and an unverified one.
	Same(ctx context.Context, act Digest) ([]int64, error)
	// Search returns the records that fit a query.
	Search(ctx context.Context, q Query) (Page, error)
	// Compare returns where the stored record of r's index is not what adding r would
	// have stored, in columns and in every index that searches use.
	Compare(ctx context.Context, r Record) ([]Difference, error)
	// Audit looks for damage that no single record shows.
	Audit(ctx context.Context) ([]Problem, error)
	// Blobs returns what is attached to a record, sorted by digest.
	Blobs(ctx context.Context, index int64) ([]Blob, error)
	// OpenBlob opens a stored file. Whoever reads it compares its digest.
	OpenBlob(ctx context.Context, d Digest) (io.ReadCloser, error)
}

// MinPrefix is how many hex digits name a record at least.
const MinPrefix = 8

// What a store can answer.
var (
	ErrNotFound = errors.New("no such record")
	// ErrErased is returned where the bytes of a record are needed that were removed.
	ErrErased   = errors.New("the record's bytes were erased")
	ErrFull     = errors.New("the disk is full")
	ErrBusy     = errors.New("the store is busy: other processes kept writing")
	ErrReadOnly = errors.New("the store was opened for reading")
	// ErrNoLog is returned where a log has no identity yet.
	ErrNoLog = errors.New("the store's log has no identity yet")
	// ErrLogExists is returned where a log has an identity.
	ErrLogExists = errors.New("the store's log has an identity, which never changes")
	ErrClock     = errors.New("the clock is behind the newest record")
	// ErrForeignSchema is returned for a database that is not exactly what this
	// program makes.
	ErrForeignSchema = errors.New("the database is not laid out as this program does it")
	// ErrNewerSchema is returned for a database that a newer program made.
	ErrNewerSchema = errors.New("the database was made by a newer version of this program")
	// ErrOlderSchema is returned for a database that was opened for reading and that
	// an older program made.
	ErrOlderSchema = errors.New("the database was made by an older version of this program")
)

// An AmbiguousError says that several records begin with the digits that were given.
type AmbiguousError struct {
	Prefix string
	Among  []string // at most a few of them
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%s names several records: %v", e.Prefix, e.Among)
}

// A Difference is a place where a store does not say what an envelope says.
type Difference struct {
	Field    string `json:"field"`
	Expected string `json:"expected"` // what follows from the envelope
	Actual   string `json:"actual"`   // what is stored
}

// A Problem is a difference in a store.
type Problem struct {
	Index int64 `json:"index"` // of the record, -1 for the store as a whole
	Difference
}

func (p Problem) String() string {
	where := "store"
	if p.Index >= 0 {
		where = fmt.Sprintf("record %d", p.Index)
	}
	return fmt.Sprintf("%s: %s: expected %s, found %s", where, p.Field, p.Expected, p.Actual)
}
