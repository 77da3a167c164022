package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
)

// A Trust is a trust root with all of its versions; [trust.Chain] is one.
type Trust interface {
	Authorities
	// Key returns a key that any version lists.
	Key(keyid string) (envelope.PublicKey, bool)
}

// A Ledger replays the acts of a store. It keeps the states that it has made, so that
// it belongs to one store and, where something is written, to one transaction: what a
// transaction reads and then undoes would stay in it. It is not safe for concurrent
// use.
type Ledger struct {
	Trust    Trust
	Location func(name string) (*time.Location, error) // as in [Options]

	states map[string]*replay
	end    *Ledger // of the whole log, for [Ledger.Ordered]
}

var _ evidence.Judge = (*Ledger)(nil)

// A replay is a state and how far of the log it has seen.
type replay struct {
	state *State
	next  int64
}

// A TamperedError says that a record which a state depends on is not what was
// recorded.
type TamperedError struct {
	Index int64
	Err   error
}

func (e *TamperedError) Error() string { return fmt.Sprintf("record %d: %v", e.Index, e.Err) }
func (e *TamperedError) Unwrap() error { return e.Err }

// State returns the state of a project after the records before an index. Every
// signature is verified again and every fact comes from an envelope. The error is a
// [*TamperedError], or the reader's.
func (l *Ledger) State(ctx context.Context, r evidence.Reader, project string, before int64) (*State, error) {
	p := l.states[project]
	if p == nil || p.next > before {
		o := Options{Project: project, Location: l.Location}
		if l.Trust != nil {
			o.Authorities = l.Trust
		}
		p = &replay{state: NewState(o)}
	}
	for record, err := range r.Scan(ctx, within(project, p.next, before)) {
		if err != nil {
			return nil, err
		}
		if record.Kind == evidence.KindUnverified || !Concerns(record.PredicateType) || record.Project != project {
			continue
		}
		act, err := l.Act(ctx, r, record)
		if err != nil {
			return nil, err
		}
		p.state.Apply(act)
	}
	if l.states == nil {
		l.states = map[string]*replay{}
	}
	p.next, l.states[project] = before, p
	return p.state, nil
}

// within selects the records that a state can depend on. Of those that belong to no
// project, which can be all foreign attestations, only acts about records are.
func within(project string, from, to int64) evidence.Range {
	if project == "" {
		return evidence.Range{From: from, To: to, Kinds: []evidence.Kind{evidence.KindPolicy, evidence.KindHold}, Envelopes: true}
	}
	return evidence.Range{From: from, To: to, Projects: []string{project}, Envelopes: true}
}

// Now is [Ledger.State] after all records.
func (l *Ledger) Now(ctx context.Context, r evidence.Reader, project string) (*State, error) {
	size, err := r.Len(ctx)
	if err != nil {
		return nil, err
	}
	return l.State(ctx, r, project, size)
}

// Act returns a record as an act at its index, verified, with what the log says of the
// record that it is about. The error is a [*TamperedError], or the reader's.
func (l *Ledger) Act(ctx context.Context, r evidence.Reader, record evidence.Record) (Act, error) {
	act, err := l.act(record)
	if err != nil {
		return act, &TamperedError{record.Index, err}
	}
	act.About, err = aboutOf(ctx, r, act)
	return act, err
}

// aboutOf looks up the record that an act is about. Kind, project and date are the
// store's: an envelope says none of them where it was erased.
func aboutOf(ctx context.Context, r evidence.Reader, a Act) (*Filing, error) {
	if read := readers[a.PredicateType]; read != nil {
		d, err := read(a.Statement)
		if err != nil {
			return nil, nil // the state refuses it
		}
		if named, ok := d.(aboutRecord); ok {
			record, err := r.Record(ctx, named.record().Index)
			if errors.Is(err, evidence.ErrNotFound) {
				return nil, nil
			}
			filing := File(record)
			return &filing, err
		}
	}
	return nil, nil
}

// Ordered asks the replay of the whole log for the order by which a record, or its
// files, were erased.
func (l *Ledger) Ordered(ctx context.Context, r evidence.Reader, record evidence.Record) (string, error) {
	by, scope := record.Erased, ScopeRecord
	if by == nil {
		by, scope = record.BlobsErased, ScopeBlobs
	}
	if by == nil {
		return "", nil
	}
	if l.end == nil {
		l.end = &Ledger{Trust: l.Trust, Location: l.Location}
	}
	state, err := l.end.Now(ctx, r, record.Project)
	if err != nil {
		return "", err
	}
	if done, found := state.Erasure(File(record).Named, scope); !found || done.Index != by.By {
		return fmt.Sprintf("record %d, which completes no order to erase it", by.By), nil
	}
	return "", nil
}

// act reads a record's envelope and verifies its signature. A key that no version of
// the trust root lists leaves the act to the state, which refuses its signer.
func (l *Ledger) act(record evidence.Record) (Act, error) {
	if record.Erased != nil {
		return Act{}, evidence.ErrErased
	}
	if got := evidence.DigestOf(record.Envelope); got != record.ID {
		return Act{}, fmt.Errorf("the envelope is %s, expected %s", got, record.ID)
	}
	b, err := envelope.ParseBundle(record.Envelope)
	if err != nil {
		if b, err = envelope.ParseDSSE(record.Envelope); err != nil {
			return Act{}, err
		}
	}
	if l.Trust != nil {
		if key, ok := l.Trust.Key(b.KeyID); ok {
			if err := b.Verify(key); err != nil {
				return Act{}, err
			}
		}
	}
	return Act{
		Index: record.Index, Digest: evidence.DigestOf(b.Payload), Envelope: record.ID, PredicateType: record.PredicateType,
		KeyID: b.KeyID, Statement: b.Payload, Recorded: record.Recorded,
	}, nil
}

// Judge says why a record does not count behind those before its index. Of one that a
// state which it keeps has replayed it says what became of it there.
func (l *Ledger) Judge(ctx context.Context, r evidence.Reader, record evidence.Record) (string, error) {
	if !Concerns(record.PredicateType) {
		return "", nil
	}
	if p := l.states[record.Project]; p != nil && record.Index < p.next {
		if refusal, applied := p.state.judged[record.Act]; applied {
			return refusal.reason(), nil
		}
	}
	state, err := l.State(ctx, r, record.Project, record.Index)
	if err != nil {
		return "", err
	}
	act, err := l.Act(ctx, r, record)
	if err != nil {
		return "", err
	}
	return state.Judge(act).reason(), nil
}
