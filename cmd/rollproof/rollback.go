package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/rollout"
	"github.com/urfave/cli/v2"
)

func (p *program) requestRollbackCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:        "request-rollback",
		Usage:       "ask, signed, that an executed promotion is undone",
		Description: "EXECUTION is the promotion's digest. --to names the release by the digest of its manifest (default: what each target held before). That release must verify, and this log must have put it there before.",
		Flags: promotionFlags(reasonFlag(), originFlag(),
			&cli.StringFlag{Name: "to", Usage: "manifest `DIGEST` of the release to go back to"},
			&cli.StringSliceFlag{Name: "deployment-id", Usage: "a deployment target `ID`; may be repeated (default: all of the promotion's)"},
			&cli.StringFlag{Name: "expires", Value: "7d", Usage: "until when it can be executed: `DAYS` or a date, at most 30 days"},
		),
		Action: p.requestRollback,
	}, "EXECUTION")
}

// executionOf finds the act that an argument names.
func (a *acting) executionOf(store evidence.Reader, name string) (evidence.Record, error) {
	index, err := store.Find(a.ctx.Context, strings.TrimPrefix(name, "sha256:"))
	if err != nil {
		return evidence.Record{}, badStore(err)
	}
	record, err := store.Record(a.ctx.Context, index)
	return record, badStore(err)
}

func (p *program) requestRollback(ctx *cli.Context) error {
	a, err := p.signing(ctx)
	if err != nil {
		return err
	}
	store, err := p.writeStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	execution, err := a.executionOf(store, ctx.Args().First())
	if err != nil {
		return err
	}
	var to evidence.Digest
	if text := ctx.String("to"); text != "" {
		if to, err = evidence.ParseDigest(text); err != nil {
			return usagef("rollproof release history TARGET lists what was there", "--to: %v", err)
		}
	}
	verified, err := a.verifiedReturns(store, execution.Project, execution.Act, to)
	if err != nil {
		return err
	}
	return request(a, store, execution.Project, func(s *rollout.State, h rollout.Head, now time.Time) (evidence.Statement[rollout.RollbackRequest], []evidence.Blob, error) {
		var none evidence.Statement[rollout.RollbackRequest]
		if err := a.draftInForce(s); err != nil {
			return none, nil, err
		}
		ask, err := a.ask(store, now)
		if err != nil {
			return none, nil, err
		}
		ask.Targets = ctx.StringSlice("deployment-id")
		st, err := s.NewRollbackRequest(h, execution.Act, to, verified, ask, now)
		return st, nil, badInput(err)
	})
}

// verifiedReturns verifies the packages that targets of a request or an execution
// could go back to, and returns the manifests of those that pass.
func (a *acting) verifiedReturns(store *sqlite.Store, project string, act, to evidence.Digest) ([]evidence.Digest, error) {
	state, err := a.state(store, project)
	if err != nil {
		return nil, err
	}
	return a.verifiedManifests(store, service.Returns(state, []evidence.Digest{act}, to, a.now()))
}

// verifiedManifests returns those whose packages are in the store and verify now.
func (a *acting) verifiedManifests(store *sqlite.Store, manifests []evidence.Digest) ([]evidence.Digest, error) {
	var list []evidence.Digest
	for _, manifest := range manifests {
		if slices.Contains(list, manifest) {
			continue
		}
		container, err := a.StoredPackage(a.ctx.Context, store, manifest)
		if err != nil {
			continue // the state says which one is missing
		}
		verdict, err := a.verdict(a.ctx, manifest.Hex(), container, a.Authority)
		if err != nil {
			return nil, err
		}
		if verdict.Result == release.Pass {
			list = append(list, manifest)
			continue
		}
		fmt.Fprintf(a.stderr, "the package with manifest %s no longer verifies here:\n", manifest)
		quiet := *a.program
		quiet.stdout, quiet.json = a.stderr, false
		if err := quiet.showVerdict(manifest.String(), verdict, false); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	return list, nil
}

func (p *program) executeRollbackCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name: "execute-rollback", Usage: "record, signed, that an approved rollback is executed",
		Flags:  promotionFlags(&cli.StringFlag{Name: "break-glass", Usage: "an emergency, under this `INCIDENT`"}),
		Action: p.executeRollback,
	}, "REQUEST")
}

func (p *program) executeRollback(ctx *cli.Context) error {
	a, err := p.signing(ctx)
	if err != nil {
		return err
	}
	store, err := p.writeStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	project, request, err := a.findRequest(store, ctx.Args().First())
	if err != nil {
		return err
	}
	verified, err := a.verifiedReturns(store, project, request.Act, evidence.Digest{})
	if err != nil {
		return err
	}
	done, err := once(record(a, store, project, func(s *rollout.State, h rollout.Head, now time.Time) (evidence.Statement[rollout.RollbackExecution], []evidence.Blob, error) {
		var none evidence.Statement[rollout.RollbackExecution]
		if err := a.draftInForce(s); err != nil {
			return none, nil, err
		}
		enaction, err := a.enactionOf(store, s, request.Act, now)
		if err != nil {
			return none, nil, err
		}
		st, err := s.NewRollbackExecution(h, request.Act, verified, enaction, now)
		return st, nil, badInput(err)
	}))
	if err != nil {
		return err
	}
	return a.showRollback(done, request.ID, request.Plan)
}

func (a *acting) showRollback(done evidence.Added, id string, plan []rollout.Step) error {
	files, err := a.writeAct(done, id)
	if err != nil {
		return err
	}
	var notes []string
	for _, step := range plan {
		notes = append(notes, stepWords(step))
	}
	notes = append(notes, "the release that was rolled back stays out of the ring until it is captured anew")
	return a.showAct(done, "rolled back: ring "+archive.Printable(done.Record.Ring), files, notes)
}

func (p *program) rollbackCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name: "rollback", Usage: "undo a promotion at once, inside what its approvals covered beforehand",
		Description: "EXECUTION is the promotion's digest; its request was made with --pre-approve-rollback. Otherwise: rollproof release request-rollback.",
		Flags:       promotionFlags(reasonFlag()),
		Action:      p.rollback,
	}, "EXECUTION")
}

func (p *program) rollback(ctx *cli.Context) error {
	a, err := p.signing(ctx)
	if err != nil {
		return err
	}
	store, err := p.writeStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	execution, err := a.executionOf(store, ctx.Args().First())
	if err != nil {
		return err
	}
	verified, err := a.verifiedReturns(store, execution.Project, execution.Act, evidence.Digest{})
	if err != nil {
		return err
	}
	done, err := once(record(a, store, execution.Project, func(s *rollout.State, h rollout.Head, _ time.Time) (evidence.Statement[rollout.RollbackExecution], []evidence.Blob, error) {
		var none evidence.Statement[rollout.RollbackExecution]
		enaction, err := a.enaction(store, s, execution.Ring, []evidence.Digest{execution.Act})
		if err != nil {
			return none, nil, err
		}
		st, err := s.NewPreApprovedRollback(h, execution.Act, ctx.String("reason"), verified, enaction)
		return st, nil, badInput(err)
	}))
	if err != nil {
		return err
	}
	return a.showRollback(done, "rollback-"+execution.Act.Hex()[:12], nil)
}
