package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/rollout"
	"github.com/urfave/cli/v2"
)

// promotionFlags are those of commands that decide about a promotion.
func promotionFlags(more ...cli.Flag) []cli.Flag {
	return append(append(actFlags(), configFlag(),
		&cli.StringFlag{Name: "package", Usage: "the package's `DIR|ZIP` (default: its files in the store)"},
		&cli.StringFlag{Name: "out", Value: ".rollproof/promotion", Usage: "`DIR` below which the signed files are written"},
		&cli.StringFlag{Name: "trusted-root", Hidden: true},
	), more...)
}

func reasonFlag() cli.Flag {
	return &cli.StringFlag{Name: "reason", Usage: "`TEXT`: why", Required: true}
}

// originFlag is of requests that are made on another machine than they are executed.
func originFlag() cli.Flag {
	return &cli.StringFlag{Name: "origin", Usage: "the `ORIGIN` of the log that shall execute it (default: this store's): the request's file is carried there, see rollproof approval import"}
}

func (p *program) requestPromotionCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:        "request-rollout-promotion",
		Usage:       "ask, signed, that a ready rollout enters the next ring",
		Description: "Everything is verified again. The request binds the plan (per target, what goes and what comes), the evidence and the rules in force by digest. Asked again with another plan, it supersedes the one before.",
		Flags: append(promotionFlags(reasonFlag(), originFlag(),
			&cli.StringFlag{Name: "target-ring", Usage: "the `RING` to enter (default: the next one)"},
			&cli.StringSliceFlag{Name: "deployment-id", Usage: "a deployment target `ID`; may be repeated (default: all of the rollout's)"},
			&cli.StringFlag{Name: "expires", Value: "7d", Usage: "until when it can be executed: `DAYS` or a date, at most 30 days"},
			&cli.BoolFlag{Name: "pre-approve-rollback", Usage: "let the same approvals cover going back to what each target holds now, once, until the request expires"},
		), summaryFlags(promotionSummary)...),
		Action: p.requestPromotion,
	}, "ROLLOUT-ID")
}

func (p *program) requestPromotion(ctx *cli.Context) error {
	id := ctx.Args().First()
	a, err := p.signing(ctx)
	if err != nil {
		return err
	}
	store, project, err := a.openRollout(id)
	if err != nil {
		return err
	}
	defer store.Close()
	integrity, err := a.intact(store, project, id)
	if err != nil {
		return err
	}
	return request(a, store, project, func(s *rollout.State, h rollout.Head, now time.Time) (evidence.Statement[rollout.PromotionRequest], []evidence.Blob, error) {
		var none evidence.Statement[rollout.PromotionRequest]
		if err := a.draftInForce(s); err != nil {
			return none, nil, err
		}
		ring := ctx.String("target-ring")
		if ring == "" {
			ring = s.Readiness(id, integrity, now).NextRing
		}
		ask, err := a.ask(store, now)
		if err != nil {
			return none, nil, err
		}
		ask.Targets = ctx.StringSlice("deployment-id")
		if ctx.Bool("pre-approve-rollback") {
			ask.Rollback = service.PreApproved(s, id, ring, ask)
		}
		st, err := s.NewPromotionRequest(h, id, ring, integrity, ask, now)
		return st, nil, badInput(err)
	})
}

// request records a request and shows it. One for another log is only signed: that log
// says whether it is legal, and until it comes back from there this store knows nothing
// of it.
func request[P any](a *acting, store *sqlite.Store, project string, compose composer[P]) error {
	here, err := service.Origin(a.ctx.Context, store)
	if err != nil {
		return err
	}
	summary, err := a.promotionSigner(project)
	if err != nil {
		return err
	}
	if there := a.ctx.String("origin"); there != "" && there != here {
		if summary != nil {
			return usagef("rollproof release verify-promotion writes it, where the request is recorded", "--vsa is of a recorded request, and this one is for another log")
		}
		done, err := signOnly(a, store, project, compose)
		if err != nil {
			return err
		}
		return a.showCarried(done, there)
	}
	done, err := record(a, store, project, compose)
	if err != nil {
		return err
	}
	if err := a.showRequest(store, project, done); err != nil {
		return err
	}
	return a.summarizePromotion(store, summary, done.Record.Act, false)
}

// showCarried writes the files of a request for another log and prints it.
func (a *acting) showCarried(done evidence.Added, origin string) error {
	b, err := envelope.ParseBundle(done.Record.Envelope)
	if err != nil {
		return err
	}
	id, err := rollout.RequestID(b.Payload)
	if err != nil {
		return err
	}
	files, err := a.writeAct(done, id)
	if err != nil {
		return err
	}
	return a.showAct(done, "asked log "+origin+"; nothing is recorded here", files, []string{"request " + id, "carry the bundle there: rollproof approval import FILE"})
}

// intact verifies a rollout and its package before anything is written.
func (a *acting) intact(store *sqlite.Store, project, id string) (rollout.Integrity, error) {
	state, err := a.state(store, project)
	if err != nil {
		return rollout.Integrity{}, err
	}
	if _, err := service.ProgressOf(state, id); err != nil {
		return rollout.Integrity{}, badStore(err)
	}
	return a.integrity(store, state, id)
}

// draftInForce refuses a rollproof.yaml whose policy is not the one that counts.
func (a *acting) draftInForce(s *rollout.State) error {
	file := a.ctx.String("config")
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) && !a.ctx.IsSet("config") {
		return nil
	}
	c, err := a.readDraft(file)
	if err != nil {
		return err
	}
	if c.Policy == nil || c.Name != "" && c.Name != s.Project() || c.Policy.Digest() == s.Policy().Digest {
		return nil
	}
	return failure{exitRule, fmt.Sprintf("the policy in %s is not the one in force: %s, and %s counts", file, c.Policy.Digest(), s.Policy().Digest), "rollproof policy diff shows it; sign it, or take it out"}
}

// ask is what a requester decides, for the log of this store.
func (a *acting) ask(store *sqlite.Store, now time.Time) (rollout.Ask, error) {
	expires, err := parseTime("expires", a.ctx.String("expires"), now)
	if err != nil {
		return rollout.Ask{}, err
	}
	origin := a.ctx.String("origin")
	if origin == "" {
		origin, err = service.Origin(a.ctx.Context, store)
	}
	first := a.Chain.Files()[trust.FileName(1)]
	return rollout.Ask{TrustRoot: trust.Digest(first), Origin: origin, Expires: expires, Reason: a.ctx.String("reason")}, badStore(err)
}

// showRequest writes the files of a request and prints it.
func (a *acting) showRequest(store *sqlite.Store, project string, done evidence.Added) error {
	state, err := a.state(store, project)
	if err != nil {
		return err
	}
	status, ok := state.Request(done.Record.Act.String(), a.now())
	if !ok {
		return badStore(evidence.ErrNotFound)
	}
	files, err := a.writeAct(done, status.ID)
	if err != nil {
		return err
	}
	notes := []string{"request " + status.ID}
	for _, step := range status.Plan {
		notes = append(notes, stepWords(step))
	}
	if status.Unattended {
		notes = append(notes, "unattended: the policy asks nobody to approve")
	} else {
		notes = append(notes, "next: rollproof approval approve "+status.ID)
	}
	return a.showAct(done, fmt.Sprintf("asked: %s of %s into ring %s", status.Kind, status.Rollout, status.TargetRing), files, notes)
}

func stepWords(s rollout.Step) string {
	from := s.Outgoing.Version
	if from == "" {
		from = "nothing"
	}
	words := fmt.Sprintf("%s: %s → %s", s.ID, from, s.Incoming.Version)
	for _, mark := range []struct {
		set  bool
		word string
	}{{s.Downgrade, "a downgrade"}, {!s.Covered, "not observed"}, {s.Exception != "", "by exception: " + s.Exception}} {
		if mark.set {
			words += ", " + mark.word
		}
	}
	return words
}

// writeAct writes the files of a recorded act below --out.
func (a *acting) writeAct(done evidence.Added, id string) ([]string, error) {
	b, err := envelope.ParseBundle(done.Record.Envelope)
	if err != nil {
		return nil, err
	}
	files, err := rollout.ActFiles(b)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(a.ctx.String("out"), id)
	var names []string
	for name := range files {
		names = append(names, filepath.Join(dir, name))
	}
	slices.Sort(names)
	return names, writeAll(dir, files)
}

func (p *program) executePromotionCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "execute-rollout-promotion",
		Usage: "record, signed, that an approved promotion is executed; everything is checked again first",
		Description: "REQUEST is its id or digest. Of two simultaneous executions one wins, the other gets exit code 6; so does a plan that no longer fits. --check judges and records nothing. " +
			"--break-glass INCIDENT, with a key of that role, goes past quorum and windows, never past a denial, a hold, the order of rings or a failing package, and blocks the ring until a quorum closes it.",
		Flags: append(promotionFlags(serverFlag(),
			&cli.BoolFlag{Name: "check", Usage: "judge, and record nothing"},
			&cli.StringFlag{Name: "break-glass", Usage: "an emergency, under this `INCIDENT`"},
		), summaryFlags(promotionSummary)...),
		Action: p.executePromotion,
	}, "REQUEST")
}

// errChecked undoes a transaction that was only a check.
var errChecked = errors.New("nothing was recorded")

func (p *program) executePromotion(ctx *cli.Context) error {
	a, err := p.signing(ctx)
	if err != nil {
		return err
	}
	if remote, err := p.remote(ctx); err != nil || remote != nil {
		if err != nil {
			return err
		}
		return a.executeRemote(remote, ctx.Args().First())
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
	integrity, err := a.intact(store, project, request.Rollout)
	if err != nil {
		return err
	}
	compose := a.execution(store, request, integrity)
	summary, err := a.promotionSigner(project)
	if err != nil {
		return err
	}
	if ctx.Bool("check") {
		if summary != nil {
			return usagef("give one of them", "--check records nothing that --vsa could be about")
		}
		if _, err := signOnly(a, store, project, compose); err != nil {
			return err
		}
		return a.checked(request)
	}
	done, err := once(record(a, store, project, compose))
	if err != nil {
		return err
	}
	files, err := a.writeAct(done, request.ID)
	if err != nil {
		return err
	}
	if err := a.showAct(done, fmt.Sprintf("executed: %s is in ring %s", request.Version, request.TargetRing), files, executedNotes(request, done.Record.Act, ctx.String("break-glass") != "")); err != nil {
		return err
	}
	return a.summarizePromotion(store, summary, done.Record.Act, false)
}

// execution composes the execution of a request, judged in the transaction in which it
// is recorded.
func (a *acting) execution(store *sqlite.Store, request rollout.RequestStatus, integrity rollout.Integrity) composer[rollout.PromotionExecution] {
	return func(s *rollout.State, h rollout.Head, now time.Time) (evidence.Statement[rollout.PromotionExecution], []evidence.Blob, error) {
		var none evidence.Statement[rollout.PromotionExecution]
		if err := a.draftInForce(s); err != nil {
			return none, nil, err
		}
		enaction, err := a.enactionOf(store, s, request.Act, now)
		if err != nil {
			return none, nil, err
		}
		st, err := s.NewPromotionExecution(h, request.Act, integrity, enaction, now)
		return st, nil, badInput(err)
	}
}

// executedNotes say what moves, and what comes next.
func executedNotes(request rollout.RequestStatus, execution evidence.Digest, glass bool) []string {
	var notes []string
	for _, step := range request.Plan {
		notes = append(notes, stepWords(step))
	}
	if glass {
		notes = append(notes, "the glass of ring "+request.TargetRing+" is broken: a quorum closes it, due in 72 h: rollproof approval approve "+execution.String())
	}
	return append(notes, "next: rollproof release capture-rollout PKG --ring "+request.TargetRing+" --execution "+execution.String())
}

// once refuses an execution that is recorded already: whoever runs it twice must know
// that it happened once.
func once(done evidence.Added, err error) (evidence.Added, error) {
	if err == nil && !done.New {
		return done, failure{exitConflict, fmt.Sprintf("it is executed already, by record %d: %s", done.Record.Index, done.Record.Act), "rollproof release rings shows what is where"}
	}
	return done, err
}

// signOnly signs and judges an act as record does, and undoes the transaction.
func signOnly[P any](a *acting, store *sqlite.Store, project string, compose composer[P]) (evidence.Added, error) {
	var legal evidence.Record
	_, err := record(a, store, project, func(s *rollout.State, h rollout.Head, now time.Time) (evidence.Statement[P], []evidence.Blob, error) {
		st, blobs, err := compose(s, h, now)
		if err != nil {
			return st, nil, err
		}
		_, data, err := sign(a, st)
		if err != nil {
			return st, nil, err
		}
		if legal, err = a.Intake().Examine(data); err != nil {
			return st, nil, err
		}
		if err := a.MaySign(legal); err != nil {
			return st, nil, err
		}
		refusal, err := a.Judge(a.ctx.Context, store, s, legal, now)
		if err == nil && refusal != nil {
			err = refusal
		}
		if err == nil {
			err = errChecked
		}
		return st, blobs, err
	})
	if errors.Is(err, errChecked) {
		err = nil
	}
	return evidence.Added{Record: legal, New: true}, err
}

// checked says that a check passed.
func (a *acting) checked(request rollout.RequestStatus) error {
	if a.json {
		return a.printJSON(map[string]any{"schema": evidence.Namespace + "execution-check/v1", "request": request.Act, "id": request.ID, "result": release.Pass})
	}
	_, err := fmt.Fprintf(a.stdout, "%s %s could be executed now; nothing was recorded\n", a.terminal(a.stdout).result(release.Pass), request.ID)
	return err
}
