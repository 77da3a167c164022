package evidence

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// Rederive derives a stored record from its envelope again and returns it with every
// difference between the two. What no envelope says (index, dates, person and role)
// is taken from the stored record, and so is, without a judge, whether it is illegal. It verifies no signature. The error for a record
// whose bytes were removed is [ErrErased].
func (in Intake) Rederive(ctx context.Context, s Reader, index int64) (Record, []Difference, error) {
	stored, err := s.Record(ctx, index)
	if err != nil {
		return stored, nil, err
	}
	if stored.Erased != nil {
		return stored, nil, ErrErased
	}
	derived, err := in.Derive(stored.Envelope)
	if err != nil {
		return stored, []Difference{{"envelope", "an envelope that can be recorded", err.Error()}}, nil
	}
	derived.Index, derived.Recorded, derived.Proved, derived.BlobsErased = stored.Index, stored.Recorded, stored.Proved, stored.BlobsErased
	derived.Signer.Person, derived.Signer.Role, derived.Signer.Identity = stored.Signer.Person, stored.Signer.Role, stored.Signer.Identity
	if stored.Kind == KindUnverified && !isOurs(derived.PredicateType) {
		derived.Kind = KindUnverified
	}
	if in.Judge == nil {
		derived.Illegal = stored.Illegal // follows from other records, and nobody can say how
	} else if derived.Kind != KindUnverified {
		derived.Illegal, err = in.Judge.Judge(ctx, s, derived)
		if ctx.Err() != nil {
			return stored, nil, ctx.Err()
		}
		if err != nil {
			return stored, []Difference{{"illegal", "an act that can be judged", err.Error()}}, nil
		}
	}
	differences, err := s.Compare(ctx, derived)
	return derived, differences, err
}

// A Report is what a verification of a store found.
type Report struct {
	Records     int // that were looked at
	Unverified  int // of them: recorded without a signature that counts, which is not checked
	Erased      int // of them: their bytes were removed, so that nothing else of them is checked
	BlobsErased int // of them: their blobs were removed
	Blobs       int
	Problems    []Problem
}

// Verify looks at records again: exact encoding, signature and its right as the
// authority sees them now, every stored fact, and every blob. The error is for what
// is no fact about the store.
func (in Intake) Verify(ctx context.Context, s Reader, indexes []int64) (Report, error) {
	var report Report
	for _, index := range indexes {
		if err := in.verify(ctx, s, index, &report); err != nil {
			return report, err
		}
	}
	return report, nil
}

// VerifyAll is Verify for every record, and looks for what no single record shows.
func (in Intake) VerifyAll(ctx context.Context, s Reader) (Report, error) {
	var report Report
	size, err := s.Len(ctx)
	if err != nil {
		return report, err
	}
	for index := range size {
		if err := in.verify(ctx, s, index, &report); err != nil {
			return report, err
		}
	}
	problems, err := s.Audit(ctx)
	report.Problems = append(report.Problems, problems...)
	return report, err
}

func (in Intake) verify(ctx context.Context, s Reader, index int64, report *Report) error {
	report.Records++
	found := func(d ...Difference) {
		for _, d := range d {
			report.Problems = append(report.Problems, Problem{index, d})
		}
	}
	derived, differences, err := in.Rederive(ctx, s, index)
	if errors.Is(err, ErrErased) {
		report.Erased++
		more, err := in.unordered(ctx, s, derived)
		found(more...)
		return err
	}
	if errors.Is(err, ErrNotFound) {
		found(Difference{"index", "a record", "none"})
		return nil
	}
	if err != nil {
		return err
	}
	found(differences...)
	if derived.Kind == KindUnverified {
		report.Unverified++
	} else {
		found(in.differentSigner(derived)...)
	}
	if derived.BlobsErased != nil {
		report.BlobsErased++
		more, err := in.unordered(ctx, s, derived)
		if err != nil {
			return err
		}
		found(more...)
	}
	return in.verifyBlobs(ctx, s, derived, report, found)
}

// unordered asks whether an erasure was ordered by those who may.
func (in Intake) unordered(ctx context.Context, s Reader, stored Record) ([]Difference, error) {
	if in.Judge == nil {
		return nil, nil
	}
	why, err := in.Judge.Ordered(ctx, s, stored)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		why = err.Error()
	}
	if why == "" {
		return nil, nil
	}
	return []Difference{{"erasure", "one that those who may have ordered", why}}, nil
}

// differentSigner compares the stored signer with the authority's.
func (in Intake) differentSigner(stored Record) []Difference {
	strict := Intake{Catalog: in.Catalog, Authority: in.Authority}
	examined, err := strict.Examine(stored.Envelope)
	var bad *RefusedError
	if errors.As(err, &bad) {
		return []Difference{{string(bad.Fault), "a signature that counts", bad.Err.Error()}}
	}
	var list []Difference
	for _, f := range []struct{ field, expected, actual string }{
		{"person", examined.Signer.Person, stored.Signer.Person},
		{"role", string(examined.Signer.Role), string(stored.Signer.Role)},
		{"identity", examined.Signer.Identity.Subject + " " + examined.Signer.Identity.Issuer, stored.Signer.Identity.Subject + " " + stored.Signer.Identity.Issuer},
	} {
		if f.expected != f.actual {
			list = append(list, Difference{f.field, f.expected, f.actual})
		}
	}
	return list
}

func (in Intake) verifyBlobs(ctx context.Context, s Reader, r Record, report *Report, found func(...Difference)) error {
	blobs, err := s.Blobs(ctx, r.Index)
	if err != nil {
		return err
	}
	for _, b := range blobs {
		report.Blobs++
		field := "blob " + b.Digest.String()
		if len(r.Subjects) > 0 && !r.Names(b.Digest) {
			found(Difference{field, "a subject of the record", "none"})
		}
		actual, err := sum(ctx, s, b.Digest)
		if err != nil {
			found(Difference{field, fmt.Sprintf("%d bytes", b.Size), err.Error()})
			continue
		}
		if actual != b {
			found(Difference{field, fmt.Sprintf("%s, %d bytes", b.Digest, b.Size), fmt.Sprintf("%s, %d bytes", actual.Digest, actual.Size)})
		}
	}
	return nil
}

// sum reads a stored blob to its end.
func sum(ctx context.Context, s Reader, d Digest) (Blob, error) {
	f, err := s.OpenBlob(ctx, d)
	if err != nil {
		return Blob{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return Blob{Digest(h.Sum(nil)), n}, err
}
