package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/release/rebuild"
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
	ctx *cli.Context
	service.Desk
	signer envelope.Signer // nil for a command that only reads
}

// acts prepares a command. Without a trust root there are no roles, and no act.
func (p *program) acts(ctx *cli.Context) (*acting, error) {
	chain, authority, err := p.rootAuthority(ctx, filepath.Dir(ctx.String("sqlite")), nil)
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
	return &acting{program: p, ctx: ctx, Desk: service.Desk{Chain: chain, Authority: authority, Catalog: known, Rebuilt: rebuilt(), Ledger: ledger(chain), Others: tokenJudge(chain)}}, nil
}

// signing is acts for a command that signs now.
func (p *program) signing(ctx *cli.Context) (*acting, error) {
	a, err := p.acts(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.Current(); err != nil {
		return nil, err
	}
	a.signer, err = p.signer(ctx.String("key"))
	return a, err
}

// ledger replays the acts of a store under a trust root.
func ledger(chain *trust.Chain) *rollout.Ledger {
	return &rollout.Ledger{Trust: chain, Location: time.LoadLocation}
}

// tokenJudge judges tokens of a server and their ends.
func tokenJudge(chain *trust.Chain) evidence.Judge { return &access.Ledger{Trust: chain} }

// rebuilt reads statements that a release was rebuilt.
func rebuilt() service.Rebuilt {
	return service.Rebuilt{PredicateType: rebuild.PredicateType, Read: func(payload []byte) (string, bool) {
		s, err := evidence.DecodeStatement[rebuild.Predicate](payload, rebuild.PredicateType)
		return s.Predicate.Manifest, err == nil && s.Predicate.Result == rebuild.Match
	}}
}

// head names the signer, the trust root and the newest checkpoint of the store. r may
// be nil where there is no store.
func (a *acting) head(r evidence.Reader, now time.Time) (rollout.Head, error) {
	h, err := a.Head(a.ctx.Context, r, a.signer.Public().KeyID(), now)
	return h, badStore(err)
}

// person is whose key signs, "" for a key that the trust root does not know.
func (a *acting) person() string {
	return a.Authority.Rule(trust.Use{KeyID: a.signer.Public().KeyID()}).Signer.Person
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

// A composer makes a statement for the state of a project at an instant, and names the
// files that belong to it.
type composer[P any] func(*rollout.State, rollout.Head, time.Time) (evidence.Statement[P], []evidence.Blob, error)

// record signs an act inside a write transaction, composed from the state of its
// project at that moment, and records it if it is legal there. A refusal that says
// that the same is recorded already comes back as the record of that.
func record[P any](a *acting, store *sqlite.Store, project string, compose composer[P]) (evidence.Added, error) {
	var done evidence.Added
	ctx := a.ctx.Context
	err := store.Append(ctx, func(tx evidence.Tx) error {
		a.Ledger = ledger(a.Chain)
		state, err := a.Ledger.Now(ctx, tx, project)
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
	return done, badStore(err)
}

// add records an envelope that is legal where it would stand.
func (a *acting) add(tx evidence.Tx, state *rollout.State, data []byte, blobs []evidence.Blob) (evidence.Added, error) {
	examined, err := a.Intake().Examine(data)
	if err != nil {
		return evidence.Added{}, err
	}
	if a.signer != nil {
		if err := a.MaySign(examined); err != nil {
			return evidence.Added{}, err
		}
	}
	return a.Add(a.ctx.Context, tx, state, examined, blobs...)
}

// badInput is the error of a statement that can't be made from what was given, unless
// it explains itself.
func badInput(err error) error {
	if err == nil || service.Explain(err) != nil {
		return err
	}
	return usagef("see --help", "%v", err)
}

// state is the present state of a project.
func (a *acting) state(store *sqlite.Store, project string) (*rollout.State, error) {
	s, err := a.Ledger.Now(a.ctx.Context, store, project)
	return s, badStore(err)
}

// showAct prints a recorded act; what says in words what was done.
func (a *acting) showAct(done evidence.Added, what string, files, notes []string) error {
	return a.showActDocument(done.Document(files, notes), what)
}

// showActDocument is showAct for an act that a server may have recorded.
func (a *acting) showActDocument(doc evidence.ActDocument, what string) error {
	if file := a.ctx.String("metadata-json"); file != "" {
		if err := writeDocument(file, doc); err != nil {
			return err
		}
	}
	if a.json {
		return a.printJSON(doc)
	}
	word := "recorded"
	if !doc.New {
		word = "recorded before"
	}
	if doc.Record.Recorded == "" {
		fmt.Fprintf(a.stdout, "%s\nsigned  %s\n", what, doc.Record.Act)
	} else {
		fmt.Fprintf(a.stdout, "%s\n%s as %d  %s\n", what, word, doc.Record.Index, doc.Record.Act)
	}
	for _, f := range doc.Files {
		fmt.Fprintf(a.stdout, "wrote %s\n", f)
	}
	for _, n := range doc.Notes {
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
