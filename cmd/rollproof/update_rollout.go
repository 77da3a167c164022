package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/release/rebuild"
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
		progress, err := progressOf(s, id)
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
	project, err := a.projectOf(store, id)
	if err != nil {
		store.Close()
		return nil, "", err
	}
	return store, project, nil
}

func progressOf(s *rollout.State, id string) (rollout.Progress, error) {
	progress, ok := s.Progress(id)
	if ok {
		return progress, nil
	}
	for _, illegal := range s.Illegal() {
		if illegal.Rollout == id {
			return progress, failure{exitRule, fmt.Sprintf("rollout %s is recorded and did not count there: %s", id, illegal.Refusal.Reason), illegal.Refusal.Hint}
		}
	}
	return progress, failure{exitFailed, fmt.Sprintf("rollout %s is not recorded here", id), "rollproof release verify-rollout DIR records it"}
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
	project, err := a.projectOf(store, id)
	if err != nil {
		return err
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
// rollout, and the keys that signed them as the trust root sees them now.
func (a *acting) integrity(store *sqlite.Store, state *rollout.State, id string) (rollout.Integrity, error) {
	var in rollout.Integrity
	progress, ok := state.Progress(id)
	if !ok {
		return in, nil
	}
	if err := a.packageIntegrity(store, progress, &in); err != nil {
		return in, err
	}
	report, err := a.intake().Verify(a.ctx.Context, store, []int64{progress.Index})
	if err != nil {
		return in, badStore(err)
	}
	in.Directory = release.Pass
	for _, problem := range report.Problems {
		in.Directory = release.Fail
		in.Failures = append(in.Failures, problem.String())
	}
	if err := a.revoked(store, progress, &in); err != nil {
		return in, err
	}
	return in, a.rebuilds(store, progress, &in)
}

// packageIntegrity verifies the package again and compares the rollout with it.
func (a *acting) packageIntegrity(store *sqlite.Store, progress rollout.Progress, in *rollout.Integrity) error {
	container, closer, err := a.packageOf(store, progress.Rollout.Manifest)
	if err != nil {
		in.Package = release.NotChecked
		in.Failures = append(in.Failures, err.Error())
		return nil
	}
	defer closer()
	verdict, err := a.verdict(a.ctx, a.packageName(progress.Rollout), container, a.authority)
	if err != nil {
		return err
	}
	in.Package = verdict.Result
	for _, c := range verdict.Checks {
		if c.Result == release.Fail || c.Result == release.NotChecked && c.Required {
			in.Failures = append(in.Failures, fmt.Sprintf("%s %s: %s", c.ID, c.Subject, c.Actual))
		}
	}
	if verdict.Result != release.Pass {
		return nil
	}
	pkg, err := a.readPackage(verdict, container)
	if err != nil {
		in.Package = release.Fail
		in.Failures = append(in.Failures, err.Error())
		return nil
	}
	for _, c := range pkg.Compare(progress.Rollout) {
		if c.Result != release.Pass {
			in.Package = release.Fail
			in.Failures = append(in.Failures, fmt.Sprintf("%s %s: expected %s, found %s", c.ID, c.Subject, c.Expected, c.Actual))
		}
	}
	return nil
}

// revoked lists the keys behind a rollout that count no longer.
func (a *acting) revoked(store *sqlite.Store, progress rollout.Progress, in *rollout.Integrity) error {
	acts := []evidence.Digest{progress.Act}
	for _, e := range progress.Events {
		acts = append(acts, e.Act)
	}
	if progress.Observed != nil {
		acts = append(acts, progress.Observed.Act)
	}
	for _, act := range slices.Compact(acts) {
		index, err := store.Find(a.ctx.Context, act.Hex())
		if err != nil {
			return badStore(err)
		}
		r, err := store.Record(a.ctx.Context, index)
		if err != nil {
			return badStore(err)
		}
		ruling := a.authority.Rule(trust.Use{
			KeyID: r.Signer.KeyID, PredicateType: r.PredicateType, Project: r.Project, Environment: r.Environment, Ring: r.Ring, Statement: r.Act, Envelope: r.ID,
		})
		if ruling.Outcome != trust.Granted {
			in.Revoked = append(in.Revoked, rollout.RevokedKey{KeyID: r.Signer.KeyID, Act: act, Reason: ruling.Reason})
		}
	}
	return nil
}

// rebuilds lists the recorded statements that somebody rebuilt the release to the
// same bytes, and who released it.
func (a *acting) rebuilds(store *sqlite.Store, progress rollout.Progress, in *rollout.Integrity) error {
	page, err := store.Search(a.ctx.Context, evidence.Query{Digests: []string{progress.Rollout.Manifest.Hex()}, Kinds: []evidence.Kind{evidence.KindReleasePackage}, Limit: evidence.MaxLimit})
	if err != nil {
		return badStore(err)
	}
	for _, r := range page.Records {
		if !slices.Contains(in.Releasers, r.Signer.Person) {
			in.Releasers = append(in.Releasers, r.Signer.Person)
		}
	}
	for _, t := range progress.Rollout.Targets {
		page, err := store.Search(a.ctx.Context, evidence.Query{Digests: []string{t.SHA256}, Kinds: []evidence.Kind{evidence.KindAttestation}, Limit: evidence.MaxLimit})
		if err != nil {
			return badStore(err)
		}
		for _, r := range page.Records {
			if err := a.addRebuild(store, r, progress.Rollout.Manifest, in); err != nil {
				return err
			}
		}
	}
	return nil
}

// addRebuild takes a record into account that is a verified rebuild of the release
// with all binaries alike.
func (a *acting) addRebuild(store *sqlite.Store, line evidence.Record, manifest evidence.Digest, in *rollout.Integrity) error {
	if line.PredicateType != rebuild.PredicateType || slices.ContainsFunc(in.Rebuilds, func(r rollout.Rebuild) bool { return r.Act == line.Act }) {
		return nil
	}
	record, err := store.Record(a.ctx.Context, line.Index)
	if err != nil {
		return badStore(err)
	}
	examined, err := a.intake().Examine(record.Envelope)
	if err != nil {
		return nil // it counts no longer, or never did
	}
	b, err := envelope.ParseBundle(record.Envelope)
	if err != nil {
		return nil
	}
	s, err := evidence.DecodeStatement[rebuild.Predicate](b.Payload, rebuild.PredicateType)
	if err == nil && s.Predicate.Result == rebuild.Match && s.Predicate.Manifest == manifest.Hex() {
		in.Rebuilds = append(in.Rebuilds, rollout.Rebuild{Person: examined.Signer.Person, Act: examined.Act})
	}
	return nil
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
