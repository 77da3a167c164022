package main

import (
	"context"
	"fmt"
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

func (p *program) updateRolloutCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:        "update-rollout",
		Usage:       "record the next status of a rollout",
		Description: "planned → staged → succeeded, failed or rolled_back. succeeded needs an observation that shows the coverage which the ring demands.",
		Flags: append(actFlags(),
			&cli.StringFlag{Name: "status", Usage: "the `STATUS` that it has now", Required: true},
			&cli.StringFlag{Name: "reason", Usage: "`TEXT`, for failed and rolled_back"},
		),
		Action: p.updateRollout,
	}, "ROLLOUT-ID")
}

func (p *program) updateRollout(ctx *cli.Context) error {
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
	done, err := record(a, store, project, func(s *rollout.State, h rollout.Head, _ time.Time) (evidence.Statement[rollout.StatusChange], []evidence.Blob, error) {
		progress, err := service.ProgressOf(s, id)
		if err != nil {
			return evidence.Statement[rollout.StatusChange]{}, nil, err
		}
		st, err := rollout.NewStatusChange(h, progress, rollout.Status(ctx.String("status")), ctx.String("reason"))
		return st, nil, badInput(err)
	})
	if err != nil {
		return err
	}
	return a.showAct(done, fmt.Sprintf("%s is %s", id, ctx.String("status")), nil, nil)
}

// openRollout opens the store in which a rollout is recorded, for writing.
func (a *acting) openRollout(id string) (*sqlite.Store, string, error) {
	store, err := a.writeStore(a.ctx)
	if err != nil {
		return nil, "", err
	}
	project, err := service.ProjectOf(a.ctx.Context, store, id)
	if err != nil {
		store.Close()
		return nil, "", badStore(err)
	}
	return store, project, nil
}

func (p *program) rolloutStatusCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:        "rollout-status",
		Usage:       "say whether a rollout is ready for the next ring, and every reason against it",
		Description: "blocked, incomplete, review or ready, computed from the log as it is now and from the package. Exit code 0, whatever the answer, unless --require ready is given (4).",
		Flags: append(rootFlags(), storeFlag(),
			&cli.StringFlag{Name: "package", Usage: "the package's `DIR|ZIP` (default: its files in the store)"},
			&cli.StringFlag{Name: "require", Usage: "exit with 4 unless it is `GRADE` (ready, or review)"},
			&cli.StringFlag{Name: "trusted-root", Hidden: true},
		),
		Action: p.rolloutStatus,
	}, "ROLLOUT-ID")
}

func (p *program) rolloutStatus(ctx *cli.Context) error {
	id, require := ctx.Args().First(), rollout.Grade(ctx.String("require"))
	if require != "" && require != rollout.Ready && require != rollout.Review {
		return usagef("ready or review", "--require %s", require)
	}
	a, err := p.acts(ctx)
	if err != nil {
		return err
	}
	store, err := readStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	project, err := service.ProjectOf(ctx.Context, store, id)
	if err != nil {
		return badStore(err)
	}
	state, err := a.state(store, project)
	if err != nil {
		return err
	}
	integrity, err := a.integrity(store, state, id)
	if err != nil {
		return err
	}
	readiness := state.Readiness(id, integrity, p.now())
	if err := p.showReadiness(readiness); err != nil {
		return err
	}
	if require == rollout.Ready && readiness.Grade != rollout.Ready || require == rollout.Review && readiness.Grade != rollout.Ready && readiness.Grade != rollout.Review {
		return &shownError{exitRule}
	}
	return nil
}

// integrity verifies what no log says: the package, the recorded envelopes of the
// rollout, and the keys that signed them as the trust root sees them now. Of an unknown
// rollout nothing is found.
func (a *acting) integrity(store *sqlite.Store, state *rollout.State, id string) (rollout.Integrity, error) {
	progress, ok := state.Progress(id)
	if !ok {
		return rollout.Integrity{}, nil
	}
	in, err := a.Integrity(a.ctx.Context, store, progress, func(_ context.Context, r rollout.Rollout) (*release.Verdict, release.Container, func(), error) {
		container, closer, err := a.packageOf(store, r.Manifest)
		if err != nil {
			return nil, nil, nil, &service.Failure{Code: service.CodeFailed, Message: err.Error(), Missing: true}
		}
		verdict, err := a.verdict(a.ctx, a.packageName(r), container, a.Authority)
		return verdict, container, closer, err
	})
	return in, badStore(err)
}

func (p *program) showReadiness(r rollout.Readiness) error {
	if p.json {
		return p.printJSON(r)
	}
	t := p.terminal(p.stdout)
	colour := map[rollout.Grade]string{rollout.Ready: "1;32", rollout.Review: "1;33", rollout.Incomplete: "1;33", rollout.Blocked: "1;31"}[r.Grade]
	next := "it is in the last ring"
	if r.NextRing != "" {
		next = "for ring " + r.NextRing
	}
	fmt.Fprintf(p.stdout, "%s %s  %s\nstatus %s in ring %s; integrity %s; at %s\n", t.paint(colour, string(r.Grade)), r.Rollout, next, r.RolloutStatus, r.Ring, r.Integrity, r.At)
	for _, reason := range r.Reasons {
		fmt.Fprintf(p.stdout, "  %-10s %s\n", reason.Severity, archive.Printable(reason.Text))
		for _, d := range reason.Records {
			fmt.Fprintf(p.stdout, "             shown by %s\n", d)
		}
		if reason.Clears != "" {
			fmt.Fprintf(p.stdout, "             clears: %s\n", archive.Printable(reason.Clears))
		}
	}
	for _, o := range r.Targets {
		fmt.Fprintf(p.stdout, "  %-34s %d of %d match%s\n", o.ID, o.Matches, o.Population, differing(o))
	}
	for _, n := range r.Notes {
		fmt.Fprintf(p.stdout, "note: %s\n", archive.Printable(n))
	}
	return nil
}

// differing says in words what of a population does not match.
func differing(o rollout.Observed) string {
	differ := 0
	for _, d := range o.Differs {
		differ += d.Count
	}
	var words []string
	for _, part := range []struct {
		n    int
		word string
	}{{differ, "differ"}, {o.Missing, "missing"}, {o.Stale, "stale"}, {o.Unknown, "unknown"}} {
		if part.n > 0 {
			words = append(words, fmt.Sprintf("%d %s", part.n, part.word))
		}
	}
	if len(words) == 0 {
		return ""
	}
	return "; " + strings.Join(words, ", ")
}
