package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/evidence/translog"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/rollout"
)

// A Root is a trust root at one moment.
type Root struct {
	Chain     *trust.Chain
	Authority trust.Authority
}

// Trust returns the trust root as it is now.
type Trust func() (Root, error)

// A Known token is one that stands in the log, whether it counts or not.
type Known struct {
	Token
	Act     evidence.Digest
	Index   int64
	keyid   string
	id      evidence.Digest // of the envelope
	revoked *ended
	problem string // it never was a token
}

type ended struct{ by string } // by whom, with which act

// States of a token.
const (
	Active  = "active"
	Early   = "early" // it does not count yet
	Expired = "expired"
	Revoked = "revoked"
	Invalid = "invalid" // its signer may not make it, or the log has another one of this id before
)

// Tokens are those of a store's log. It may be used by many goroutines at once.
type Tokens struct {
	reader evidence.Reader
	trust  Trust
	now    func() time.Time

	mu   sync.Mutex
	tree *translog.Frontier // of the entries that were replayed
	next int64
	root string // digest of the newest trust version when they were replayed
	issued
}

// NewTokens replays nothing yet.
func NewTokens(r evidence.Reader, t Trust, now func() time.Time) *Tokens {
	return &Tokens{reader: r, trust: t, now: now}
}

// A RefusedError says why a credential does not count. Who asks is told no more than
// that it does not.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return "the credential does not count: " + e.Reason }

func refused(format string, args ...any) error { return &RefusedError{fmt.Sprintf(format, args...)} }

// Check returns whose token a text is. An error that is no [*RefusedError] says that
// the log cannot be read, or is not what it was.
func (t *Tokens) Check(ctx context.Context, text string) (Caller, error) {
	secret, err := ParseSecret(text)
	if err != nil {
		return Caller{}, refused("%v", err)
	}
	known, authority, err := t.lookUp(ctx, secret.ID)
	if err != nil {
		return Caller{}, err
	}
	if known == nil || !secret.matches(known.Secret) {
		return Caller{}, refused("no token %s with this secret is in the log", secret.ID)
	}
	return t.caller(*known, authority)
}

// Still returns whose token an id is, as [Tokens.Check] does, for a session that the
// token began.
func (t *Tokens) Still(ctx context.Context, id string) (Caller, error) {
	known, authority, err := t.lookUp(ctx, id)
	if err != nil {
		return Caller{}, err
	}
	if known == nil {
		return Caller{}, refused("no token %s is in the log", id)
	}
	return t.caller(*known, authority)
}

func (t *Tokens) caller(k Known, a trust.Authority) (Caller, error) {
	if err := current(a); err != nil {
		return Caller{}, err
	}
	if state, why := k.state(a, t.now()); state != Active {
		return Caller{}, refused("token %s is %s %s", k.ID, state, why)
	}
	return Caller{Credential: k.ID, Owner: k.Owner, Machine: k.Machine, Scopes: slices.Clone(k.Scopes), Projects: slices.Clone(k.Projects), Via: ViaToken}, nil
}

// current refuses everybody under a trust root that may be an old one: nobody knows
// whom a newer one would let in.
func current(a trust.Authority) error {
	if f := a.Facts(); f.Current != trust.Granted {
		return refused("no token counts: %s", f.CurrentReason)
	}
	return nil
}

// state says whether a token counts at an instant.
func (k Known) state(a trust.Authority, now time.Time) (state, why string) {
	if k.problem != "" {
		return Invalid, k.problem
	}
	ruling := a.Rule(trust.Use{KeyID: k.keyid, PredicateType: TokenType, Project: oneOf(k.Projects), Statement: k.Act, Envelope: k.id})
	switch {
	case k.revoked != nil:
		return Revoked, k.revoked.by
	case ruling.Outcome != trust.Granted:
		return Invalid, ruling.Reason
	case !k.Machine && !trust.HasPerson(a, k.Owner):
		return Invalid, "the trust root has no person " + k.Owner
	case now.Before(k.NotBefore):
		return Early, ""
	case !now.Before(k.Expires):
		return Expired, ""
	}
	return Active, ""
}

// lookUp brings the table up to the log and returns a copy of a token, nil for none.
func (t *Tokens) lookUp(ctx context.Context, id string) (*Known, trust.Authority, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	authority, err := t.advance(ctx)
	if err != nil {
		return nil, nil, err
	}
	k, ok := t.known[id]
	if !ok {
		return nil, authority, nil
	}
	copied := *k
	return &copied, authority, nil
}

// advance replays the records that came since.
func (t *Tokens) advance(ctx context.Context) (trust.Authority, error) {
	now, err := t.trust()
	if err != nil {
		return nil, err
	}
	chain, authority := now.Chain, now.Authority
	size, err := t.reader.Len(ctx)
	if err != nil {
		return nil, err
	}
	if size < t.next {
		return nil, &rollout.TamperedError{Index: size, Err: evidence.ErrNotFound}
	}
	if t.tree == nil || t.root != chain.Digest() {
		t.tree, t.next, t.root, t.issued = &translog.Frontier{}, 0, chain.Digest(), issued{}
	}
	if size == t.next {
		return authority, nil
	}
	if err := t.replay(ctx, chain, size); err != nil {
		t.tree = nil // what was half replayed is not kept
		return nil, err
	}
	return authority, nil
}

// replay reads records, and compares what they say with the log's tree and its newest
// checkpoint: a row whose type was changed no longer leads to them.
func (t *Tokens) replay(ctx context.Context, chain *trust.Chain, size int64) error {
	newest, signed, err := checkpoint.Newest(ctx, t.reader)
	if err != nil && !errors.Is(err, evidence.ErrNoLog) {
		return err
	}
	if signed && newest.Size > size {
		return &checkpoint.RewrittenError{Checkpoint: newest.Checkpoint, Err: fmt.Errorf("it ends with record %d", size-1)}
	}
	var tokens []int64
	for record, err := range t.reader.Scan(ctx, evidence.Range{From: t.next, To: size}) {
		if err != nil {
			return err
		}
		if record.Index != t.next {
			return fmt.Errorf("record %d: %w", t.next, evidence.ErrNotFound)
		}
		hash, err := checkpoint.Leaf(record).Hash()
		if err != nil {
			return err
		}
		t.tree.Append(hash)
		t.next++
		if concerns(record.PredicateType) {
			tokens = append(tokens, record.Index)
		}
		if signed && t.next == newest.Size && t.tree.Tree() != newest.Tree {
			return &checkpoint.RewrittenError{Checkpoint: newest.Checkpoint, Err: &translog.RootError{Size: t.next, Got: t.tree.Tree().Root, Want: newest.Root}}
		}
	}
	stored, err := checkpoint.Tree(ctx, t.reader, t.next)
	if err != nil {
		return err
	}
	if got := t.tree.Tree(); t.next != size || got != stored {
		return &translog.RootError{Size: size, Got: got.Root, Want: stored.Root}
	}
	for _, index := range tokens {
		if err := t.take(ctx, t.reader, chain, index); err != nil {
			return err
		}
	}
	return nil
}

// A Line is a token as it is listed.
type Line struct {
	ID        string          `json:"id"`
	Owner     string          `json:"owner"`
	Machine   bool            `json:"machine"`
	Scopes    []Scope         `json:"scopes"`
	Projects  []string        `json:"projects"`
	NotBefore string          `json:"notBefore"`
	Expires   string          `json:"expires"`
	Act       evidence.Digest `json:"act"`
	Index     int64           `json:"index"`
	By        string          `json:"by"`
	State     string          `json:"state"`
	Why       string          `json:"why"` // it is invalid, or by whom it was revoked
}

// Line returns what is listed of a token.
func (k Known) Line(a trust.Authority, now time.Time) Line {
	state, why := k.state(a, now)
	return Line{k.ID, k.Owner, k.Machine, k.Scopes, k.Projects, evidence.Stamp(k.NotBefore), evidence.Stamp(k.Expires), k.Act, k.Index, k.Actor.Person, state, why}
}

// List returns every token of the log, in its order.
func (t *Tokens) List(ctx context.Context) ([]Line, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	authority, err := t.advance(ctx)
	if err != nil {
		return nil, err
	}
	list := []Line{}
	for _, id := range t.order {
		list = append(list, t.known[id].Line(authority, t.now()))
	}
	return list, nil
}

// Find returns a token of the log by its id.
func (t *Tokens) Find(ctx context.Context, id string) (Known, bool, error) {
	k, _, err := t.lookUp(ctx, id)
	if err != nil || k == nil {
		return Known{}, false, err
	}
	return *k, true, nil
}
