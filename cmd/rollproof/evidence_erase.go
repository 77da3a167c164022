package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/rollout"
	"github.com/urfave/cli/v2"
)

func (p *program) evidenceEraseCommand() *cli.Command {
	return p.several(&cli.Command{
		Name:  "erase",
		Usage: "remove the bytes of records, or their files, once two persons of the policy role have ordered it",
		Description: "The first person's order is recorded and waits; the second person runs the same command with the same legal basis, and the bytes go. " +
			"Never under a legal hold, and never before the end of the retention that the policy names for the kind. What stays: digests, facts, the place in the log, and both orders. " +
			"Acts that later acts are judged by (policy, rollout, request, approval, execution and the like, and a package's closing statement) keep their bytes; --blobs removes their files. " +
			"An act that several persons signed has a record for each, with one statement: all of them are meant. Backups and exports are out of reach.",
		Flags: append(actFlags()[:len(actFlags())-1],
			&cli.StringFlag{Name: "legal-basis", Usage: "`TEXT`: by which law, request or contract; both persons give the same", Required: true},
			&cli.BoolFlag{Name: "blobs", Usage: "remove the files that belong to the records, and keep the records"},
		),
		Action: p.evidenceErase,
	}, 1, "RECORD")
}

func (p *program) evidenceLegalHoldCommand() *cli.Command {
	return p.several(&cli.Command{
		Name:        "legal-hold",
		Usage:       "keep records from being erased, or lift that",
		Description: "Signed by the role policy. One person's hold counts at once; it is lifted once two persons have signed its lift.",
		Flags: append(actFlags()[:len(actFlags())-1],
			&cli.StringFlag{Name: "reason", Usage: "`TEXT`: why", Required: true},
			&cli.BoolFlag{Name: "lift", Usage: "lift every legal hold of the records"},
		),
		Action: p.evidenceLegalHold,
	}, 1, "RECORD")
}

// States of what was ordered.
const (
	statePending = "pending" // more persons are needed
	stateErased  = "erased"
	stateHeld    = "held"
	stateLifted  = "lifted"
)

// An ordersDocument says what became of an order for each record.
type ordersDocument struct {
	Schema string      `json:"schema"`
	Orders []orderLine `json:"orders"`
}

// An orderLine is what was ordered of one record.
type orderLine struct {
	Record  rollout.Named   `json:"record"`
	Scope   rollout.Scope   `json:"scope,omitempty"` // of an erasure
	Act     evidence.Digest `json:"act"`
	New     bool            `json:"new"`
	State   string          `json:"state"`
	Persons []string        `json:"persons"` // who have signed
	Needed  int             `json:"needed"`  // persons
	Notes   []string        `json:"notes"`
}

func (p *program) evidenceErase(ctx *cli.Context) error {
	scope := rollout.ScopeRecord
	if ctx.Bool("blobs") {
		scope = rollout.ScopeBlobs
	}
	return p.order(ctx, func(a *acting, tx evidence.Tx, r evidence.Record) ([]orderLine, error) {
		line, err := a.erase(tx, r, scope, ctx.String("legal-basis"))
		return []orderLine{line}, err
	})
}

func (p *program) evidenceLegalHold(ctx *cli.Context) error {
	return p.order(ctx, func(a *acting, tx evidence.Tx, r evidence.Record) ([]orderLine, error) {
		if ctx.Bool("lift") {
			return a.liftLegalHolds(tx, r, ctx.String("reason"))
		}
		line, err := a.legalHold(tx, r, ctx.String("reason"))
		return []orderLine{line}, err
	})
}

// order signs and records something about each record that the arguments name, all in
// one transaction.
func (p *program) order(ctx *cli.Context, each func(*acting, evidence.Tx, evidence.Record) ([]orderLine, error)) error {
	a, err := p.signing(ctx)
	if err != nil {
		return err
	}
	if err := existingStore(ctx); err != nil {
		return err
	}
	store, err := p.writeStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	doc := ordersDocument{Schema: evidence.Namespace + "evidence-orders/v1", Orders: []orderLine{}}
	err = store.Append(ctx.Context, func(tx evidence.Tx) error {
		a.Ledger = ledger(a.Chain)
		records, err := a.named(tx, ctx.Args().Slice())
		if err != nil {
			return err
		}
		for _, r := range records {
			lines, err := each(a, tx, r)
			if err != nil {
				return err
			}
			doc.Orders = append(doc.Orders, lines...)
		}
		return nil
	})
	if err != nil {
		return badStore(err)
	}
	return p.showOrders(doc)
}

// named returns the records of the acts that the arguments name. What the store says of
// one that still has its bytes must be what its envelope says.
func (a *acting) named(tx evidence.Tx, ids []string) ([]evidence.Record, error) {
	var list []evidence.Record
	for _, id := range ids {
		found, err := tx.Find(a.ctx.Context, id)
		if err != nil {
			return nil, err
		}
		first, err := tx.Record(a.ctx.Context, found)
		if err != nil {
			return nil, err
		}
		indexes, err := tx.Same(a.ctx.Context, first.Act)
		if err != nil {
			return nil, err
		}
		for _, index := range indexes {
			if slices.ContainsFunc(list, func(r evidence.Record) bool { return r.Index == index }) {
				continue
			}
			record, differences, err := a.Intake().Rederive(a.ctx.Context, tx, index)
			if err != nil && !errors.Is(err, evidence.ErrErased) {
				return nil, err
			}
			if len(differences) > 0 {
				return nil, failure{exitEvidence, "record " + evidence.Problem{Index: index, Difference: differences[0]}.String(), "the store was changed: rollproof evidence verify --all names each place"}
			}
			list = append(list, record)
		}
	}
	return list, nil
}

// about records an act about a record, and returns the state after it.
func about[P any](a *acting, tx evidence.Tx, r evidence.Record, compose func(*rollout.State, rollout.Head) (evidence.Statement[P], error)) (*rollout.State, orderLine, error) {
	line := orderLine{Record: rollout.File(r).Named, Persons: []string{}, Notes: []string{}}
	state, err := a.Ledger.Now(a.ctx.Context, tx, r.Project)
	if err != nil {
		return nil, line, err
	}
	h, err := a.head(tx, tx.Now())
	if err != nil {
		return nil, line, err
	}
	statement, err := compose(state, h)
	if err != nil {
		return nil, line, badInput(err)
	}
	_, data, err := sign(a, statement)
	if err != nil {
		return nil, line, err
	}
	added, err := a.add(tx, state, data, nil)
	if err != nil {
		return nil, line, err
	}
	line.Act, line.New = added.Record.Act, added.New
	state, err = a.Ledger.Now(a.ctx.Context, tx, r.Project)
	return state, line, err
}

// erase orders an erasure, and carries out one that is complete: also one that was
// completed by an act that came by another way.
func (a *acting) erase(tx evidence.Tx, r evidence.Record, scope rollout.Scope, basis string) (orderLine, error) {
	if err := a.hasFiles(tx, r, scope); err != nil {
		return orderLine{}, err
	}
	state, line, err := about(a, tx, r, func(_ *rollout.State, h rollout.Head) (evidence.Statement[rollout.Erase], error) {
		return rollout.NewErase(h, rollout.File(r), scope, basis)
	})
	if err != nil {
		return line, err
	}
	line.Scope, line.State = scope, statePending
	done, complete := state.Erasure(line.Record, scope)
	if !complete {
		line.pending(state, basis)
		return line, nil
	}
	line.State, line.Persons, line.Needed = stateErased, done.Persons, len(done.Persons)
	switch {
	case r.Erased != nil || scope == rollout.ScopeBlobs && r.BlobsErased != nil:
		return line, nil
	case scope == rollout.ScopeBlobs:
		return line, tx.EraseBlobs(a.ctx.Context, r.Index, done.Index)
	}
	return line, tx.Erase(a.ctx.Context, r.Index, done.Index)
}

// hasFiles refuses to erase the files of a record that has none.
func (a *acting) hasFiles(tx evidence.Tx, r evidence.Record, scope rollout.Scope) error {
	if scope != rollout.ScopeBlobs || r.BlobsErased != nil || r.Erased != nil {
		return nil
	}
	blobs, err := tx.Blobs(a.ctx.Context, r.Index)
	if err == nil && len(blobs) == 0 {
		err = failure{exitFailed, fmt.Sprintf("record %d has no files in this store", r.Index), "rollproof evidence show lists what belongs to a record"}
	}
	return err
}

// pending says who has signed, and which other orders wait for the same record.
func (l *orderLine) pending(state *rollout.State, basis string) {
	for _, p := range state.PendingErasures(l.Record) {
		if p.Scope == l.Scope && p.LegalBasis == basis {
			l.Persons, l.Needed = p.Persons, p.Needed
			continue
		}
		l.Notes = append(l.Notes, fmt.Sprintf("another order waits: %s, legal basis %q, signed by %s", p.Scope, p.LegalBasis, strings.Join(p.Persons, ", ")))
	}
}

func (a *acting) legalHold(tx evidence.Tx, r evidence.Record, reason string) (orderLine, error) {
	_, line, err := about(a, tx, r, func(_ *rollout.State, h rollout.Head) (evidence.Statement[rollout.LegalHold], error) {
		return rollout.NewLegalHold(h, rollout.File(r), reason)
	})
	line.State, line.Needed = stateHeld, 1
	line.Persons = append(line.Persons, a.person())
	return line, err
}

// liftLegalHolds lifts every legal hold of a record.
func (a *acting) liftLegalHolds(tx evidence.Tx, r evidence.Record, reason string) ([]orderLine, error) {
	before, err := a.Ledger.Now(a.ctx.Context, tx, r.Project)
	if err != nil {
		return nil, err
	}
	named := rollout.File(r).Named
	var lines []orderLine
	for _, open := range before.LegalHolds() {
		if open.Record != named {
			continue
		}
		state, line, err := about(a, tx, r, func(s *rollout.State, h rollout.Head) (evidence.Statement[rollout.LegalHoldLift], error) {
			return s.NewLegalHoldLift(h, open, reason)
		})
		if err != nil {
			return nil, err
		}
		line.State = stateLifted
		for _, still := range state.LegalHolds() {
			if still.Act == open.Act {
				line.State, line.Persons, line.Needed = statePending, still.Lifting, still.Needed
			}
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return nil, failure{exitRule, fmt.Sprintf("record %d is under no legal hold", r.Index), "rollproof evidence search --metadata-kind hold lists holds"}
	}
	return lines, nil
}

func (p *program) showOrders(doc ordersDocument) error {
	if p.json {
		return p.printJSON(doc)
	}
	for _, l := range doc.Orders {
		what := l.State
		if l.Scope == rollout.ScopeBlobs {
			what += " files of"
		}
		fmt.Fprintf(p.stdout, "%-8s record %d  %s  %s\n", what, l.Record.Index, l.Record.Kind, l.Record.ID)
		if l.State == statePending {
			fmt.Fprintf(p.stdout, "         signed by %s; %d persons are needed\n", strings.Join(l.Persons, ", "), l.Needed)
		}
		for _, n := range l.Notes {
			fmt.Fprintf(p.stdout, "         note: %s\n", n)
		}
	}
	return nil
}
