package service

import (
	"context"
	"errors"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/checkpoint"
)

// MaxPage is how many records one page of a search has at most.
const MaxPage = 500

// Search returns a page of what the store says: columns, not envelopes.
func (l *Local) Search(ctx context.Context, q evidence.Query) (evidence.SearchDocument, error) {
	if q.Limit > MaxPage {
		return evidence.SearchDocument{}, &evidence.QueryError{Field: "limit", Problem: "too many records", Hint: "1 to 500"}
	}
	page, err := l.options.Store.Search(ctx, q)
	if err != nil {
		return evidence.SearchDocument{}, err
	}
	return page.Document(), nil
}

// A present judge knows what became of acts in the states as they are now.
type present struct{ desk *Desk }

func (p present) Judge(ctx context.Context, r evidence.Reader, record evidence.Record) (string, error) {
	if _, err := p.desk.Ledger.Now(ctx, r, record.Project); err != nil {
		return "", err
	}
	return p.desk.Ledger.Judge(ctx, r, record)
}

func (p present) Ordered(ctx context.Context, r evidence.Reader, record evidence.Record) (string, error) {
	return p.desk.Ledger.Ordered(ctx, r, record)
}

// deriving calls f with an intake that derives records again and says of each act what
// became of it.
func (l *Local) deriving(ctx context.Context, f func(evidence.Intake) error) error {
	desk, err := l.desk()
	if err != nil {
		return err
	}
	l.bench.Lock()
	defer l.bench.Unlock()
	if desk.Ledger, err = l.ledger(ctx, l.options.Store, desk); err != nil {
		return err
	}
	return f(evidence.Intake{Catalog: desk.Catalog, Authority: desk.Authority, Judge: desk.judges(present{desk})})
}

// Record returns what a record's envelope says, and where the store differs. Of an
// erased one only the stored line is left.
func (l *Local) Record(ctx context.Context, id string) (evidence.RecordDocument, error) {
	var doc evidence.RecordDocument
	index, err := l.find(ctx, id)
	if err != nil {
		return doc, err
	}
	err = l.deriving(ctx, func(in evidence.Intake) error {
		record, differences, err := in.Rederive(ctx, l.options.Store, index)
		if err != nil && !errors.Is(err, evidence.ErrErased) {
			return err
		}
		blobs, err := l.options.Store.Blobs(ctx, index)
		doc = record.Document(blobs, differences)
		return err
	})
	return doc, err
}

// stored returns a record as it is stored.
func (l *Local) stored(ctx context.Context, id string) (evidence.Record, error) {
	index, err := l.find(ctx, id)
	if err != nil {
		return evidence.Record{}, err
	}
	record, err := l.options.Store.Record(ctx, index)
	if err == nil && record.Erased != nil {
		err = evidence.ErrErased
	}
	return record, err
}

// Envelope returns the exact bytes of a record's envelope, or [evidence.ErrErased].
func (l *Local) Envelope(ctx context.Context, id string) ([]byte, error) {
	record, err := l.stored(ctx, id)
	if err != nil {
		return nil, err
	}
	if got := evidence.DigestOf(record.Envelope); got != record.ID {
		return nil, &Failure{Code: CodeEvidence, Message: "the stored envelope is " + got.String() + ", expected " + record.ID.String(), Hint: "the store was changed: rollproof evidence verify --all names each place"}
	}
	return record.Envelope, nil
}

// Lineage returns a record with what it stands on and what stands on it.
func (l *Local) Lineage(ctx context.Context, id string) (evidence.Lineage, error) {
	var lineage evidence.Lineage
	index, err := l.find(ctx, id)
	if err != nil {
		return lineage, err
	}
	err = l.deriving(ctx, func(in evidence.Intake) error {
		lineage, err = in.Lineage(ctx, l.options.Store, index)
		return err
	})
	return lineage, err
}

// Verify looks at a record again: exact encoding, signature and its right as the trust
// root sees it now, every stored fact, and every file.
func (l *Local) Verify(ctx context.Context, id string) (evidence.VerifyDocument, error) {
	index, err := l.find(ctx, id)
	if err != nil {
		return evidence.VerifyDocument{}, err
	}
	var illegal []evidence.Difference
	if err := l.deriving(ctx, func(in evidence.Intake) error {
		_, all, err := in.Rederive(ctx, l.options.Store, index)
		for _, d := range all {
			if d.Field == "illegal" {
				illegal = append(illegal, d)
			}
		}
		if errors.Is(err, evidence.ErrErased) {
			return nil
		}
		return err
	}); err != nil {
		return evidence.VerifyDocument{}, err
	}
	desk, err := l.desk()
	if err != nil {
		return evidence.VerifyDocument{}, err
	}
	// Files can be large: they are hashed while others use the states.
	report, err := evidence.Intake{Catalog: desk.Catalog, Authority: desk.Authority}.Verify(ctx, l.options.Store, []int64{index})
	if err != nil {
		return evidence.VerifyDocument{}, err
	}
	for _, d := range illegal {
		report.Problems = append(report.Problems, evidence.Problem{Index: index, Difference: d})
	}
	return report.Document(desk.Authority.Facts().Notes), nil
}

// Log describes the store's log.
func (l *Local) Log(ctx context.Context) (checkpoint.Document, error) {
	return checkpoint.Describe(ctx, l.options.Store)
}

// Prove returns the proof that a record is in the tree of the newest checkpoint.
func (l *Local) Prove(ctx context.Context, id string) (checkpoint.ProofDocument, error) {
	index, err := l.find(ctx, id)
	if err != nil {
		return checkpoint.ProofDocument{}, err
	}
	return checkpoint.Prove(ctx, l.options.Store, index)
}

// ProveConsistency proves that the newest checkpoint's tree begins with an older one.
func (l *Local) ProveConsistency(ctx context.Context, from int64) (checkpoint.ProofDocument, error) {
	return checkpoint.ProveConsistency(ctx, l.options.Store, from)
}

// Tile returns a tile of the newest checkpoint's tree.
func (l *Local) Tile(ctx context.Context, path string) ([]byte, error) {
	newest, ok, err := checkpoint.Newest(ctx, l.options.Store)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, checkpoint.ErrNone
	}
	return checkpoint.TileAt(ctx, l.options.Store, newest.Size, path)
}

// Len returns how many records there are.
func (l *Local) Len(ctx context.Context) (int64, error) { return l.options.Store.Len(ctx) }
