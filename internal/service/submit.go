package service

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/rollout"
)

// Submit verifies an act, judges it in the transaction that records it, and records it
// if it is legal there. Errors are those that [Explain] knows.
func (l *Local) Submit(ctx context.Context, kind Kind, s Submission) (evidence.ActDocument, error) {
	desk, err := l.desk()
	if err != nil {
		return evidence.ActDocument{}, err
	}
	examined, err := examine(desk, kind, s)
	if err != nil {
		return evidence.ActDocument{}, err
	}
	b, err := envelope.ParseBundle(examined.Envelope)
	if err != nil {
		return evidence.ActDocument{}, err
	}
	finding, err := l.findingOf(ctx, examined, b.Payload)
	if err != nil {
		return evidence.ActDocument{}, err
	}
	blobs, err := l.keep(ctx, examined, s.Files)
	if err != nil {
		return evidence.ActDocument{}, err
	}
	var done evidence.Added
	err = l.recording(ctx, func(tx evidence.Tx) error {
		return l.state(ctx, tx, examined.Project, func(desk *Desk, state *rollout.State) (err error) {
			if err := fresh(kind, examined, tx.Now()); err != nil {
				return err
			}
			done, err = desk.submit(ctx, tx, state, examined, b.Payload, finding, blobs)
			return err
		})
	})
	if err == nil && !done.New && (kind == KindExecution || kind == KindRollbackExecution) {
		err = &Failure{Code: CodeConflict, Message: fmt.Sprintf("it is executed already, by record %d: %s", done.Record.Index, done.Record.Act), Hint: "rollproof release rings shows what is where"}
	}
	if err != nil {
		return evidence.ActDocument{}, err
	}
	return done.Document(nil, nil), nil
}

// submit judges what the log, and what this machine found, say of an act.
func (d *Desk) submit(ctx context.Context, tx evidence.Tx, state *rollout.State, examined evidence.Record, payload []byte, f rollout.Finding, blobs []evidence.Blob) (evidence.Added, error) {
	refusal, err := d.Judge(ctx, tx, state, examined, tx.Now())
	if err != nil {
		return evidence.Added{}, err
	}
	if refusal == nil {
		if refusal := state.JudgeFinding(examined.PredicateType, payload, f, tx.Now()); refusal != nil {
			return evidence.Added{}, refusal
		}
	}
	return d.Add(ctx, tx, state, examined, blobs...)
}

// examine verifies an envelope and that it is of the kind that its caller says.
func examine(desk *Desk, kind Kind, s Submission) (evidence.Record, error) {
	if _, ok := compose[kind]; !ok {
		return evidence.Record{}, unknownKind(kind)
	}
	if err := desk.Current(); err != nil {
		return evidence.Record{}, err
	}
	examined, err := desk.Intake().Examine(s.Envelope)
	if err != nil {
		return examined, err
	}
	if want := kind.PredicateType(); examined.PredicateType != want {
		return examined, &Failure{Code: CodeUsage, Message: fmt.Sprintf("the envelope holds %s, expected %s", examined.PredicateType, want), Hint: "submit it as what it is"}
	}
	return examined, desk.MaySign(examined)
}

// fresh refuses an execution that was drafted a while ago.
func fresh(kind Kind, examined evidence.Record, now time.Time) error {
	if kind != KindExecution && kind != KindRollbackExecution {
		return nil
	}
	if age := now.Sub(examined.Claimed); age > DraftLife+time.Second || age < -DraftLife {
		return &Failure{Code: CodeConflict, Message: fmt.Sprintf("the execution was drafted at %s, and it is %s", evidence.Stamp(examined.Claimed), evidence.Stamp(now)), Hint: "draft it again: a draft is worth signing for a minute"}
	}
	return nil
}

// findingOf verifies what must be found before an act can be recorded: now, whatever
// was found when it was drafted.
func (l *Local) findingOf(ctx context.Context, examined evidence.Record, payload []byte) (rollout.Finding, error) {
	var f rollout.Finding
	id, manifests, err := rollout.Needs(examined.PredicateType, payload)
	if err != nil {
		return f, err
	}
	if id != "" {
		f.Integrity, err = l.integrityOf(ctx, examined.Project, id, 0)
		return f, err
	}
	f.Verified, err = l.verified(ctx, manifests, 0)
	return f, err
}

// maxFiles is how many files come with an act.
const maxFiles = 8

// keep stores the files of an act that are its subjects. Others are refused before
// anything is written.
func (l *Local) keep(ctx context.Context, examined evidence.Record, files []File) ([]evidence.Blob, error) {
	if len(files) > maxFiles {
		return nil, &Failure{Code: CodeUsage, Message: fmt.Sprintf("%d files, expected at most %d", len(files), maxFiles)}
	}
	for _, f := range files {
		if !examined.Names(evidence.DigestOf(f.Data)) {
			return nil, fmt.Errorf("%s: %w", evidence.DigestOf(f.Data), evidence.ErrNotASubject)
		}
	}
	if examined.PredicateType == KindObservation.PredicateType() && len(files) == 0 {
		return nil, &Failure{Code: CodeUsage, Message: "an observation without its list of endpoints", Hint: "submit the files of the draft with it"}
	}
	var blobs []evidence.Blob
	for _, f := range files {
		b, err := l.options.Store.PutBlob(ctx, bytes.NewReader(f.Data))
		if err != nil {
			return nil, err
		}
		blobs = append(blobs, b)
	}
	return blobs, nil
}

// recording runs f in a write transaction and tells those who wait. What has begun is
// ended, whatever becomes of who asked: he is told what happened, or finds it.
func (l *Local) recording(ctx context.Context, f func(evidence.Tx) error) error {
	if err := l.options.Store.Append(context.WithoutCancel(ctx), f); err != nil {
		return err
	}
	if size, err := l.Len(context.WithoutCancel(ctx)); err == nil {
		l.wake(size)
	}
	return nil
}

// AddEvidence verifies an envelope and records it. An act that its signer recorded
// already is left as it is.
func (l *Local) AddEvidence(ctx context.Context, data []byte) (evidence.AddDocument, error) {
	doc := evidence.AddDocument{Schema: evidence.AddSchema, Records: []evidence.AddedLine{}, Blobs: []evidence.Blob{}, Refused: []evidence.RefusedLine{}}
	desk, err := l.desk()
	if err != nil {
		return doc, err
	}
	if err := desk.Current(); err != nil {
		return doc, err
	}
	examined, err := desk.Intake().Examine(data)
	if err != nil {
		return doc, err
	}
	var added []evidence.Added
	err = l.recording(ctx, func(tx evidence.Tx) error {
		l.bench.Lock()
		defer l.bench.Unlock()
		if desk.Ledger, err = l.ledger(ctx, tx, desk); err != nil {
			return err
		}
		added, err = desk.Intake().AddTo(ctx, tx, []evidence.Record{examined})
		return err
	})
	if err != nil {
		return doc, err
	}
	for _, a := range added {
		r := a.Record
		doc.Records = append(doc.Records, evidence.AddedLine{Source: "request", Index: r.Index, ID: r.ID, Act: r.Act, Kind: r.Kind, New: a.New})
	}
	return doc, nil
}
