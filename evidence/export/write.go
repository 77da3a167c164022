package export

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/translog"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/schemas"
)

// A Source says what to export, and who does it.
type Source struct {
	Reader       evidence.Reader
	Catalog      evidence.Catalog
	Query        evidence.Query // without words, [evidence.Query.Illegal], limit and cursor
	Completeness Completeness
	Blobs        bool // with the files of the records, as far as the store has them

	// Since is an older checkpoint of the log that the recipient holds, nil for none:
	// the export links to it.
	Since *translog.Checkpoint

	// Chain is the exporter's trust root, and Authority what it says now. Signer is
	// an auditor of every project that the query names; of all projects, where it
	// names none and for a complete export.
	Chain     *trust.Chain
	Authority trust.Authority
	Signer    envelope.Signer

	Scratch Scratch
}

// ErrNoCheckpoint is returned where the store's log has signed none yet.
var ErrNoCheckpoint = errors.New("the log has no checkpoint yet")

// Write writes the export of a store up to its newest checkpoint, and returns its
// index. It refuses what its reader would: a record that is not what its envelope or
// the log says, a signer who is no auditor. Nothing of w counts after an error.
// Errors are [ErrNoCheckpoint], [evidence.ErrNoAuthority], [*evidence.QueryError], [*checkpoint.RewrittenError]
// for a log that does not begin with the tree of s.Since, and others.
func Write(ctx context.Context, s Source, w io.Writer) (Index, error) {
	e := &exporter{Source: s, spool: spool{to: s.Scratch}, blobs: map[evidence.Digest]bool{}}
	for _, step := range []func(context.Context) error{
		e.check, e.addCheckpoint, e.addRecords, e.addTiles, e.addBlobs, e.addTrust, e.seal,
	} {
		if err := step(ctx); err != nil {
			return Index{}, err
		}
	}
	return e.index, e.write(ctx, w)
}

// An exporter is one run of Write.
type exporter struct {
	Source
	spool  spool
	person string
	signed translog.SignedCheckpoint
	index  Index
	blobs  map[evidence.Digest]bool // that belong to the records
}

// check refuses what can't be exported before anything is read.
func (e *exporter) check(context.Context) error {
	if e.Authority == nil || e.Chain == nil {
		return evidence.ErrNoAuthority
	}
	q, err := checkedQuery(e.Query)
	if err != nil {
		return err
	}
	if !slices.Contains([]Completeness{Matching, Labels, Complete}, e.Completeness) {
		return fmt.Errorf("completeness %q, expected %s, %s or %s", e.Completeness, Matching, Labels, Complete)
	}
	e.index = Index{Schema: IndexSchema, Query: q, Completeness: e.Completeness, Blobs: e.Blobs}
	ruling, refused := rule(e.Authority, trust.Use{KeyID: e.Signer.Public().KeyID(), PredicateType: PredicateType, Signing: true}, q, e.Completeness)
	if refused {
		return &trust.Error{Err: errors.New(ruling.Reason), Hint: ruling.Hint}
	}
	e.person = ruling.Signer.Person
	return nil
}

// rule judges the signer of an export for every project that it concerns.
func rule(a trust.Authority, u trust.Use, q evidence.Query, c Completeness) (ruling trust.Ruling, refused bool) {
	projects := q.Projects
	if len(projects) == 0 || c == Complete {
		projects = []string{""} // only the grant of all projects reaches it
	}
	for _, u.Project = range projects {
		if ruling = a.Rule(u); ruling.Outcome != trust.Granted {
			return ruling, true
		}
	}
	return ruling, false
}

// addCheckpoint takes the newest checkpoint, and links it to the older one.
func (e *exporter) addCheckpoint(ctx context.Context) error {
	newest, ok, err := checkpoint.Newest(ctx, e.Reader)
	if err != nil {
		return err
	}
	if !ok {
		return ErrNoCheckpoint
	}
	e.signed = newest
	e.index.Origin, e.index.Size, e.index.Root = newest.Origin, newest.Size, evidence.Digest(newest.Root)
	note, err := newest.Marshal()
	if err != nil {
		return err
	}
	if err := e.spool.bytes(checkpointFile, note); err != nil || e.Since == nil {
		return err
	}
	return e.addConsistency(ctx, *e.Since)
}

func (e *exporter) addConsistency(ctx context.Context, since translog.Checkpoint) error {
	if since.Origin != e.signed.Origin {
		return &translog.OriginError{Got: since.Origin, Want: e.signed.Origin}
	}
	if since.Size > e.signed.Size {
		return &checkpoint.RewrittenError{Checkpoint: since, Err: fmt.Errorf("its newest checkpoint has size %d", e.signed.Size)}
	}
	request, err := checkpoint.NewRequest(ctx, e.Reader, since.Size, e.signed)
	if err == nil {
		err = translog.CheckConsistency(request.Proof, since.Tree, e.signed.Tree)
	}
	if err != nil {
		return &checkpoint.RewrittenError{Checkpoint: since, Err: err}
	}
	data, err := request.Marshal()
	if err != nil {
		return err
	}
	return e.spool.bytes(consistencyFile, data)
}

// addRecords writes the lines in one pass over the store.
func (e *exporter) addRecords(ctx context.Context) error {
	return e.spool.write(recordsFile, func(w io.Writer) error {
		for record, err := range e.records(ctx) {
			if err != nil {
				return err
			}
			if err := e.addRecord(ctx, w, record); err != nil {
				return fmt.Errorf("record %d: %w", record.Index, err)
			}
		}
		if n := e.index.Counts.Records; e.Completeness == Complete && n != e.signed.Size {
			return fmt.Errorf("the store has %d of the %d records of its newest checkpoint", n, e.signed.Size)
		}
		return nil
	})
}

// records yields the records to export with their envelopes, by index.
func (e *exporter) records(ctx context.Context) iter.Seq2[evidence.Record, error] {
	if e.Completeness == Complete {
		return e.Reader.Scan(ctx, evidence.Range{To: e.signed.Size, Envelopes: true})
	}
	return func(yield func(evidence.Record, error) bool) {
		q := e.index.Query
		q.Limit = evidence.MaxLimit
		for {
			page, err := e.Reader.Search(ctx, q)
			if err != nil {
				yield(evidence.Record{}, err)
				return
			}
			for _, found := range page.Records {
				if found.Index >= e.signed.Size {
					return
				}
				if record, err := e.Reader.Record(ctx, found.Index); !yield(record, err) || err != nil {
					return
				}
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				return
			}
		}
	}
}

func (e *exporter) addRecord(ctx context.Context, w io.Writer, r evidence.Record) error {
	l := line{Index: r.Index, Recorded: evidence.Stamp(r.Recorded), Proof: [][]byte{}, Envelope: r.Envelope}
	if e.Completeness != Complete {
		receipt, _, err := checkpoint.Receipt(ctx, e.Reader, e.signed, r.Index)
		if err != nil {
			return err
		}
		for _, hash := range receipt.Path {
			l.Proof = append(l.Proof, hash[:])
		}
	}
	e.index.Counts.Records++
	if r.Erased != nil {
		e.index.Counts.Erased++
		entry, err := checkpoint.Leaf(r).Marshal()
		if err != nil {
			return err
		}
		l.Envelope, l.Entry = []byte{}, string(entry)
	} else if err := e.checkRecord(r); err != nil {
		return err
	}
	if err := e.collectBlobs(ctx, r.Index); err != nil {
		return err
	}
	data, err := l.marshal()
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// checkRecord compares what is stored with the envelope, as far as the recipient will.
func (e *exporter) checkRecord(stored evidence.Record) error {
	derived, err := evidence.Intake{Catalog: e.Catalog}.Derive(stored.Envelope)
	if err != nil {
		return err
	}
	if derived.ID != stored.ID || derived.Act != stored.Act || derived.PredicateType != stored.PredicateType || derived.Signer.KeyID != stored.Signer.KeyID {
		return errors.New("the store's columns are not what its envelope says")
	}
	if e.Completeness == Complete {
		return nil
	}
	if stored.Kind == evidence.KindUnverified {
		derived.Kind = evidence.KindUnverified
	}
	derived.Recorded, derived.Signer.Person = stored.Recorded, stored.Signer.Person
	fits, err := Matches(e.index.Query, derived)
	if err == nil && !fits {
		err = errors.New("the store finds it by something that its envelope does not say")
	}
	return err
}

func (e *exporter) collectBlobs(ctx context.Context, index int64) error {
	if !e.Blobs {
		return nil
	}
	list, err := e.Reader.Blobs(ctx, index)
	for _, b := range list {
		e.blobs[b.Digest] = true
	}
	return err
}

func (e *exporter) addTiles(ctx context.Context) error {
	if !e.Completeness.entries() {
		return nil
	}
	return translog.ExportTiles(e.signed.Tree, checkpoint.Leaves(ctx, e.Reader, 0, e.signed.Size), e.spool.bytes)
}

func (e *exporter) addBlobs(ctx context.Context) error {
	for d := range e.blobs {
		found, err := e.spool.blob(ctx, e.Reader, d)
		if err != nil {
			return fmt.Errorf("blob %s: %w", d, err)
		}
		if found.Digest != d {
			return fmt.Errorf("blob %s: the file that is stored has the digest %s", d, found.Digest)
		}
	}
	e.index.Counts.Blobs = int64(len(e.blobs))
	return nil
}

func (e *exporter) addTrust(context.Context) error {
	for name, data := range e.Chain.Files() {
		if err := e.spool.bytes(trustFolder+name, data); err != nil {
			return err
		}
	}
	return nil
}

// seal closes the set and signs it.
func (e *exporter) seal(context.Context) error {
	for _, p := range e.spool.parts {
		e.index.Files = append(e.index.Files, p.File)
	}
	slices.SortFunc(e.index.Files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	data, err := envelope.Encode(e.index)
	if err == nil {
		err = schemas.Validate(IndexSchema, data)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", indexFile, err)
	}
	bundle, err := e.sign(evidence.FileSubject(indexFile, evidence.SHA256(data)))
	if err != nil {
		return err
	}
	if err := e.spool.bytes(indexFile, data); err != nil {
		return err
	}
	return e.spool.bytes(bundleFile, bundle)
}

func (e *exporter) sign(subject evidence.Subject) ([]byte, error) {
	statement := evidence.NewStatement(PredicateType, []evidence.Subject{subject},
		e.index.predicate(Actor{e.Signer.Public().KeyID(), e.person}, TrustVersion{e.Chain.Newest().Version, e.Chain.Digest()}))
	data, err := envelope.Encode(statement)
	if err == nil {
		err = schemas.ValidateStatement(data)
	}
	if err != nil {
		return nil, fmt.Errorf("the statement of the export: %w", err)
	}
	bundle, err := evidence.Sign(e.Signer, statement)
	if err != nil {
		return nil, err
	}
	return bundle.Marshal()
}

func (e *exporter) write(ctx context.Context, w io.Writer) error {
	parts := map[string]part{}
	for _, p := range e.spool.parts {
		parts[p.Path] = p
	}
	var entries []archive.Entry
	for _, path := range slices.Sorted(maps.Keys(parts)) {
		entries = append(entries, parts[path].entry())
	}
	return archive.Write(w, e.index.top(), entries, func(a archive.Entry) (io.ReadCloser, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return parts[a.Path].open()
	})
}
