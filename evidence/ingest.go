package evidence

import (
	"context"
	"errors"
	"fmt"

	"github.com/rollproof/rollproof/evidence/trust"
)

// A Fault says what is wrong with an envelope.
type Fault string

// The faults, in the order in which they are looked for.
const (
	FaultEncoding  Fault = "encoding"  // of the envelope or the statement
	FaultType      Fault = "type"      // of payload, statement or predicate
	FaultSchema    Fault = "schema"    // of the predicate
	FaultSignature Fault = "signature" // made by no key that is known, or over other bytes
	FaultSigner    Fault = "signer"    // who may not sign this
)

// A RefusedError says why an envelope is not recorded.
type RefusedError struct {
	Fault Fault
	Err   error
	Hint  string // the next step, may be ""
}

func (e *RefusedError) Error() string { return string(e.Fault) + ": " + e.Err.Error() }
func (e *RefusedError) Unwrap() error { return e.Err }

func refused(f Fault, err error) *RefusedError { return &RefusedError{f, err, ""} }

// ErrNoAuthority is the reason where nobody said whom to trust.
var ErrNoAuthority = errors.New("no key or trust root was given")

// An Intake decides what becomes a record. The zero value refuses everything.
type Intake struct {
	Catalog   Catalog
	Authority trust.Authority
	// Judge says of each act whether it counts where it stands; nil where no statement
	// of the catalog has such rules.
	Judge Judge
	// AllowUnknownSigner records statements of other people's predicate types that
	// the authority doesn't grant as [KindUnverified], without looking at their
	// signature where its key is not known.
	AllowUnknownSigner bool
}

// A Judge evaluates the rules of acts that follow from one another, such as those of
// a promotion.
type Judge interface {
	// Judge returns why an examined record does not count behind the records that r
	// has before r's index, "" where it does, and for records that it knows no rules
	// for. The record has its index and its date. What it believes of other records
	// it derives from their envelopes.
	Judge(ctx context.Context, r Reader, record Record) (illegal string, err error)
	// Ordered returns why nobody who may has ordered that a record, or its blobs, be
	// erased as the store says they are, "" where it was ordered.
	Ordered(ctx context.Context, r Reader, record Record) (why string, err error)
}

// Judges are several, each of other predicate types.
type Judges []Judge

// Judge returns what the first says who has something to say.
func (j Judges) Judge(ctx context.Context, r Reader, record Record) (string, error) {
	return j.first(func(one Judge) (string, error) { return one.Judge(ctx, r, record) })
}

// Ordered returns what the first says who has something to say.
func (j Judges) Ordered(ctx context.Context, r Reader, record Record) (string, error) {
	return j.first(func(one Judge) (string, error) { return one.Ordered(ctx, r, record) })
}

func (j Judges) first(ask func(Judge) (string, error)) (string, error) {
	for _, one := range j {
		if why, err := ask(one); why != "" || err != nil {
			return why, err
		}
	}
	return "", nil
}

// Derive returns the record that an envelope amounts to, as far as its bytes say:
// everything but index, dates, person, role and identity. It verifies no signature.
// The error is a [*RefusedError].
func (in Intake) Derive(data []byte) (Record, error) {
	_, record, err := in.derive(data)
	return record, err
}

func (in Intake) derive(data []byte) (sealed, Record, error) {
	s, err := readEnvelope(data)
	if err != nil {
		return s, Record{}, refused(FaultEncoding, err)
	}
	if s.PayloadType != PayloadType {
		return s, Record{}, refused(FaultType, &TypeError{"payloadType", s.PayloadType, PayloadType})
	}
	h, err := readStatement(s.Payload)
	if wrong := (*TypeError)(nil); errors.As(err, &wrong) {
		return s, Record{}, refused(FaultType, err)
	} else if err != nil {
		return s, Record{}, refused(FaultEncoding, err)
	}
	entry, err := in.Catalog.entry(h.PredicateType)
	if err != nil {
		return s, Record{}, refused(FaultType, err)
	}
	if isOurs(h.PredicateType) && !s.exact {
		return s, Record{}, refused(FaultEncoding, errors.New("the envelope is not in its exact encoding"))
	}
	facts, err := entry.Facts(s.Payload)
	if err != nil {
		return s, Record{}, refused(FaultEncoding, err)
	}
	if err := entry.checkSchema(h.Predicate); err != nil {
		return s, Record{}, refused(FaultSchema, err)
	}
	return s, Record{
		ID: DigestOf(data), Act: DigestOf(s.Payload), Envelope: data,
		StatementType: h.Type, PredicateType: h.PredicateType, Subjects: h.Subjects,
		Signer: SignedBy{KeyID: s.KeyID}, Kind: entry.Kind, Facts: facts,
	}, nil
}

// Examine verifies an envelope and returns the record that it becomes, without index
// and dates. The error is a [*RefusedError].
func (in Intake) Examine(data []byte) (Record, error) {
	s, record, err := in.derive(data)
	if err != nil {
		return Record{}, err
	}
	if err := in.authorize(s, &record); err != nil {
		return Record{}, err
	}
	return record, nil
}

// authorize completes a record with its signer, or with the kind unverified.
func (in Intake) authorize(s sealed, r *Record) error {
	if in.Authority == nil {
		return &RefusedError{FaultSigner, ErrNoAuthority, "give --key PUB, or --pin and --trust"}
	}
	key, known := in.Authority.Key(s.KeyID)
	if known {
		if err := s.Verify(key); err != nil {
			return refused(FaultSignature, fmt.Errorf("under %s: %w", s.KeyID, err))
		}
	}
	ruling := in.Authority.Rule(trust.Use{
		KeyID: s.KeyID, PredicateType: r.PredicateType, Project: r.Project, Environment: r.Environment, Ring: r.Ring,
		Statement: r.Act, Envelope: r.ID,
	})
	if !known || ruling.Outcome != trust.Granted {
		if in.AllowUnknownSigner && !isOurs(r.PredicateType) {
			r.Kind = KindUnverified
			return nil
		}
		return &RefusedError{FaultSigner, errors.New(ruling.Reason), ruling.Hint}
	}
	for _, named := range [][2]string{{r.NamedKeyID, ruling.Signer.KeyID}, {r.NamedPerson, ruling.Signer.Person}} {
		if named[0] != "" && named[0] != named[1] {
			return refused(FaultSigner, fmt.Errorf("the statement names %s as its signer, and %s signed it", named[0], named[1]))
		}
	}
	r.Signer.Person, r.Signer.Role = ruling.Signer.Person, ruling.Signer.Role
	return nil
}

// An Added is what became of an envelope.
type Added struct {
	Record Record
	New    bool // false for an act that was recorded before
}

// ErrNotASubject is returned for a file that belongs to no record.
var ErrNotASubject = errors.New("no subject of these records has this digest")

// Add records what was examined, in one transaction. An act that its signer recorded
// already is left as it is. Blobs that were stored before are attached to those of the
// records whose subject they are; one that is nobody's is [ErrNotASubject].
func (in Intake) Add(ctx context.Context, s Store, records []Record, blobs ...Blob) ([]Added, error) {
	var added []Added
	err := s.Append(ctx, func(tx Tx) (err error) {
		added, err = in.AddTo(ctx, tx, records, blobs...)
		return err
	})
	return added, err
}

// AddTo is [Intake.Add] inside a transaction of the caller's.
func (in Intake) AddTo(ctx context.Context, tx Tx, records []Record, blobs ...Blob) ([]Added, error) {
	added := make([]Added, 0, len(records))
	for _, r := range records {
		a, err := in.add(ctx, tx, r)
		if err != nil {
			return nil, err
		}
		added = append(added, a)
	}
	return added, attach(ctx, tx, added, blobs)
}

// add judges a record at the place that it gets and adds it.
func (in Intake) add(ctx context.Context, tx Tx, r Record) (Added, error) {
	if in.Judge != nil && r.Kind != KindUnverified {
		var err error
		if r.Index, err = tx.Len(ctx); err != nil {
			return Added{}, err
		}
		r.Recorded = tx.Now()
		if r.Illegal, err = in.Judge.Judge(ctx, tx, r); err != nil {
			return Added{}, err
		}
	}
	stored, isNew, err := tx.Add(ctx, r)
	return Added{stored, isNew}, err
}

// Add is [Intake.Add] without a judge.
func Add(ctx context.Context, s Store, records []Record, blobs ...Blob) ([]Added, error) {
	return Intake{}.Add(ctx, s, records, blobs...)
}

func attach(ctx context.Context, tx Tx, to []Added, blobs []Blob) error {
	for _, b := range blobs {
		found := false
		for _, a := range to {
			if !a.Record.Names(b.Digest) {
				continue
			}
			if err := tx.Attach(ctx, a.Record.Index, b); err != nil {
				return err
			}
			found = true
		}
		if !found {
			return fmt.Errorf("%s: %w", b.Digest, ErrNotASubject)
		}
	}
	return nil
}
