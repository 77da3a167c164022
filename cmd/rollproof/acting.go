package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/rollout"
	"github.com/urfave/cli/v2"
)

// actFlags are those of every command that signs an act about a rollout.
func actFlags() []cli.Flag {
	return append(rootFlags(), storeFlag(),
		&cli.StringFlag{Name: "key", Usage: "signing `KEY`: a file or ssh-agent:SHA256:… (default: ROLLPROOF_SIGNING_KEY)"},
		&cli.StringFlag{Name: "metadata-json", Usage: "write the facts of what was recorded to `FILE` too"},
	)
}

// An acting is a run of a command on acts: under a trust root, in a store, and with a
// key where it signs.
type acting struct {
	*program
	ctx       *cli.Context
	chain     *trust.Chain
	authority trust.Authority
	catalog   evidence.Catalog
	ledger    *rollout.Ledger
	signer    envelope.Signer // nil for a command that only reads
}

// acts prepares a command. Without a trust root there are no roles, and no act.
func (p *program) acts(ctx *cli.Context) (*acting, error) {
	chain, authority, err := p.storeRoot(ctx, filepath.Dir(ctx.String("sqlite")))
	if err != nil {
		return nil, err
	}
	if chain == nil {
		return nil, failure{exitEvidence, "no trust root is pinned: nobody has a role", "give --pin and --trust, or keep them: rollproof trust import DIR --pin sha256:…"}
	}
	known, err := catalog()
	if err != nil {
		return nil, err
	}
	return &acting{program: p, ctx: ctx, chain: chain, authority: authority, catalog: known, ledger: &rollout.Ledger{Trust: chain, Location: time.LoadLocation}}, nil
}

// signing is acts for a command that signs now.
func (p *program) signing(ctx *cli.Context) (*acting, error) {
	a, err := p.acts(ctx)
	if err != nil {
		return nil, err
	}
	if reason, hint := currentTrust(a.authority); reason != "" {
		return nil, failure{exitEvidence, reason, hint}
	}
	a.signer, err = p.signer(ctx.String("key"))
	return a, err
}

// intake verifies what is recorded, and judges it.
func (a *acting) intake() evidence.Intake {
	return evidence.Intake{Catalog: a.catalog, Authority: a.authority, Judge: a.ledger}
}

// head names the signer, the trust root and the newest checkpoint of the store. r may
// be nil where there is no store.
func (a *acting) head(r evidence.Reader, now time.Time) (rollout.Head, error) {
	keyid := a.signer.Public().KeyID()
	person := a.authority.Rule(trust.Use{KeyID: keyid}).Signer.Person
	if person == "" {
		ruling := a.authority.Rule(trust.Use{KeyID: keyid})
		return rollout.Head{}, failure{exitEvidence, "this key may not sign: " + ruling.Reason, ruling.Hint}
	}
	h := rollout.Head{
		Actor: rollout.Actor{KeyID: keyid, Person: person},
		Trust: rollout.TrustVersion{Version: a.chain.Newest().Version, Digest: a.chain.Digest()}, Claimed: now,
	}
	if r == nil {
		return h, nil
	}
	newest, ok, err := checkpoint.Newest(a.ctx.Context, r)
	if errors.Is(err, evidence.ErrNoLog) || err == nil && !ok {
		return h, nil
	}
	if err != nil {
		return h, badLog(err)
	}
	h.Seen = &evidence.Checkpoint{Origin: newest.Origin, Size: newest.Size, Root: evidence.Digest(newest.Root)}
	return h, nil
}

// sign signs a statement with the command's key, which must be one that may do so now.
func sign[P any](a *acting, s evidence.Statement[P]) (envelope.Bundle, []byte, error) {
	b, err := evidence.Sign(a.signer, s)
	if err != nil {
		return b, nil, err
	}
	data, err := b.Marshal()
	return b, data, err
}

// record signs an act inside a write transaction, composed from the state of its
// project at that moment, and records it if it is legal there. A refusal that says
// that the same is recorded already comes back as the record of that.
func record[P any](a *acting, store *sqlite.Store, project string, compose func(*rollout.State, rollout.Head, time.Time) (evidence.Statement[P], []evidence.Blob, error)) (evidence.Added, error) {
	var done evidence.Added
	ctx := a.ctx.Context
	err := store.Append(ctx, func(tx evidence.Tx) error {
		a.ledger = &rollout.Ledger{Trust: a.chain, Location: time.LoadLocation}
		state, err := a.ledger.Now(ctx, tx, project)
		if err != nil {
			return err
		}
		h, err := a.head(tx, tx.Now())
		if err != nil {
			return err
		}
		statement, blobs, err := compose(state, h, tx.Now())
		if err != nil {
			return err
		}
		_, data, err := sign(a, statement)
		if err != nil {
			return err
		}
		done, err = a.add(tx, state, data, blobs)
		return err
	})
	return done, badAct(err)
}

// judge says whether an examined record would be legal at the end of the log.
func (a *acting) judge(r evidence.Reader, state *rollout.State, examined evidence.Record, now time.Time) (*rollout.Refusal, error) {
	size, err := r.Len(a.ctx.Context)
	if err != nil {
		return nil, err
	}
	b, err := envelope.ParseBundle(examined.Envelope)
	if err != nil {
		return nil, err
	}
	return state.Judge(rollout.Act{
		Index: size, Digest: examined.Act, Envelope: examined.ID, PredicateType: examined.PredicateType, KeyID: examined.Signer.KeyID, Statement: b.Payload, Recorded: now,
	}), nil
}

// add records an envelope that is legal where it would stand.
func (a *acting) add(tx evidence.Tx, state *rollout.State, data []byte, blobs []evidence.Blob) (evidence.Added, error) {
	ctx := a.ctx.Context
	examined, err := a.intake().Examine(data)
	if err != nil {
		return evidence.Added{}, err
	}
	if a.signer != nil {
		if err := a.maySign(examined); err != nil {
			return evidence.Added{}, err
		}
	}
	refusal, err := a.judge(tx, state, examined, tx.Now())
	if err != nil {
		return evidence.Added{}, err
	}
	if refusal != nil && !refusal.Already.IsZero() {
		index, err := tx.Find(ctx, refusal.Already.Hex())
		if err != nil {
			return evidence.Added{}, err
		}
		stored, err := tx.Record(ctx, index)
		return evidence.Added{Record: stored}, err
	}
	if refusal != nil {
		return evidence.Added{}, refusal
	}
	added, err := a.intake().AddTo(ctx, tx, []evidence.Record{examined}, blobs...)
	if err != nil {
		return evidence.Added{}, err
	}
	return added[0], nil
}

// maySign refuses a key that verifies and is no longer signed with.
func (a *acting) maySign(r evidence.Record) error {
	ruling := a.authority.Rule(trust.Use{
		KeyID: r.Signer.KeyID, PredicateType: r.PredicateType, Project: r.Project, Environment: r.Environment, Ring: r.Ring, Signing: true,
	})
	if ruling.Outcome != trust.Granted {
		return failure{exitEvidence, "this key may not sign: " + ruling.Reason, ruling.Hint}
	}
	return nil
}

// badInput is the error of a statement that can't be made from what was given, unless
// it is a refusal.
func badInput(err error) error {
	var refusal *rollout.Refusal
	var refused *evidence.RefusedError
	if err == nil || errors.As(err, &refusal) || errors.As(err, &refused) {
		return err
	}
	return usagef("see --help", "%v", err)
}

// badAct translates what a state refuses.
func badAct(err error) error {
	var refusal *rollout.Refusal
	var tampered *rollout.TamperedError
	switch {
	case errors.As(err, &refusal):
		return failure{int(refusal.Code), refusal.Reason, refusal.Hint}
	case errors.As(err, &tampered):
		return failure{exitEvidence, err.Error(), "the store was changed: rollproof evidence verify --all names each place"}
	}
	return badStore(err)
}

// state is the present state of a project.
func (a *acting) state(store *sqlite.Store, project string) (*rollout.State, error) {
	s, err := a.ledger.Now(a.ctx.Context, store, project)
	return s, badAct(err)
}

// project is the one that the flags name, or of the record with a rollout id.
func (a *acting) projectOf(store *sqlite.Store, rolloutID string) (string, error) {
	page, err := store.Search(a.ctx.Context, evidence.Query{Rollouts: []string{rolloutID}, Kinds: []evidence.Kind{evidence.KindRollout}, Order: evidence.OldestFirst, Limit: 1})
	if err != nil {
		return "", badStore(err)
	}
	if len(page.Records) == 0 {
		return "", failure{exitFailed, "rollout " + rolloutID + " is not recorded here", "rollproof release verify-rollout DIR records it; rollproof evidence search --metadata-kind managed-endpoint-rollout lists what is"}
	}
	return page.Records[0].Project, nil
}

// showAct prints a recorded act; what says in words what was done.
func (a *acting) showAct(done evidence.Added, what string, files, notes []string) error {
	doc := done.Document(files, notes)
	if file := a.ctx.String("metadata-json"); file != "" {
		if err := writeDocument(file, doc); err != nil {
			return err
		}
	}
	if a.json {
		return a.printJSON(doc)
	}
	word := "recorded"
	if !done.New {
		word = "recorded before"
	}
	if done.Record.Recorded.IsZero() {
		fmt.Fprintf(a.stdout, "%s\nsigned  %s\n", what, done.Record.Act)
	} else {
		fmt.Fprintf(a.stdout, "%s\n%s as %d  %s\n", what, word, done.Record.Index, done.Record.Act)
	}
	for _, f := range files {
		fmt.Fprintf(a.stdout, "wrote %s\n", f)
	}
	for _, n := range notes {
		fmt.Fprintf(a.stdout, "note: %s\n", n)
	}
	return nil
}

// writeDocument writes a result document in its exact encoding.
func writeDocument(file string, v any) error {
	data, err := envelope.Encode(v)
	if err != nil {
		return err
	}
	return replaceFile(file, data)
}
