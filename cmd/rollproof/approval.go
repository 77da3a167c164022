package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/rollout"
	"github.com/urfave/cli/v2"
)

func (p *program) approvalCommand() *cli.Command {
	return p.group("approval", "approve or deny requests, each person with his own key",
		p.approvalListCommand(), p.approvalShowCommand(), p.approvalApproveCommand(), p.approvalDenyCommand(), p.approvalRevokeCommand(),
		p.approvalExportCommand(), p.approvalImportCommand())
}

// projects lists the projects that have rollouts or policies, sorted.
func (a *acting) projects(r evidence.Reader) ([]string, error) {
	size, err := r.Len(a.ctx.Context)
	if err != nil {
		return nil, badStore(err)
	}
	var list []string
	for record, err := range r.Scan(a.ctx.Context, evidence.Range{To: size, Kinds: []evidence.Kind{evidence.KindRollout, evidence.KindPolicy}}) {
		if err != nil {
			return nil, badStore(err)
		}
		if !slices.Contains(list, record.Project) {
			list = append(list, record.Project)
		}
	}
	slices.Sort(list)
	return list, nil
}

// oneProject is --project, or the only one of the store.
func (a *acting) oneProject(r evidence.Reader) (string, error) {
	if project := a.ctx.String("project"); project != "" {
		return project, nil
	}
	list, err := a.projects(r)
	switch {
	case err != nil:
		return "", err
	case len(list) == 0:
		return "", failure{exitFailed, "the store has no rollouts", "rollproof release verify-rollout DIR records one"}
	case len(list) > 1:
		return "", usagef("give --project", "the store has several projects: %s", strings.Join(list, ", "))
	}
	return list[0], nil
}

// findRequest finds a request by its id, its digest, or digits that it begins with.
func (a *acting) findRequest(store evidence.Reader, name string) (string, rollout.RequestStatus, error) {
	var none rollout.RequestStatus
	list, err := a.projects(store)
	if err != nil {
		return "", none, err
	}
	candidates := []string{name}
	if index, err := store.Find(a.ctx.Context, strings.TrimPrefix(name, "sha256:")); err == nil {
		record, err := store.Record(a.ctx.Context, index)
		if err != nil {
			return "", none, badStore(err)
		}
		candidates = append(candidates, record.Act.String())
	}
	for _, project := range list {
		state, err := a.ledger.Now(a.ctx.Context, store, project)
		if err != nil {
			return "", none, badAct(err)
		}
		for _, c := range candidates {
			if status, ok := state.Request(c, a.now()); ok {
				return project, status, nil
			}
		}
	}
	return "", none, failure{exitApproval, archive.Printable(name) + " is no legal request of this log", "rollproof approval list"}
}

func (p *program) approvalListCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "list",
		Usage: "list requests, who has signed, and what is missing",
		Flags: append(rootFlags(), storeFlag(), &cli.StringFlag{Name: "project", Usage: "of this `PROJECT` (default: the store's only one)"},
			&cli.BoolFlag{Name: "pending", Usage: "only those that wait for approvals"},
			&cli.StringFlag{Name: "mine", Usage: "only those that `PERSON` has not signed and may"},
		),
		Action: p.approvalList,
	})
}

func (p *program) approvalList(ctx *cli.Context) error {
	a, store, err := p.reading(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	project, err := a.oneProject(store)
	if err != nil {
		return err
	}
	state, err := a.state(store, project)
	if err != nil {
		return err
	}
	doc := state.ApprovalList(p.now())
	mine := ctx.String("mine")
	doc.Requests = slices.DeleteFunc(doc.Requests, func(r rollout.RequestStatus) bool {
		signed := slices.ContainsFunc(r.Signatures, func(s rollout.Signature) bool { return s.Person == mine })
		return (ctx.Bool("pending") || mine != "") && r.State != rollout.RequestPending || mine != "" && (signed || r.Requester == mine)
	})
	if p.json {
		return p.printJSON(doc)
	}
	if len(doc.Requests) == 0 {
		_, err := fmt.Fprintln(p.stdout, "no requests")
		return err
	}
	for _, r := range doc.Requests {
		fmt.Fprintf(p.stdout, "%-10s %s  %s → %s  by %s, expires %s\n", r.State, r.ID, r.FromRing, r.TargetRing, r.Requester, r.Expires)
		if r.State == rollout.RequestPending {
			fmt.Fprintf(p.stdout, "           %s\n", quorumWords(r))
		}
	}
	return nil
}

func quorumWords(r rollout.RequestStatus) string {
	if r.Unattended {
		return "unattended: nobody has to approve"
	}
	words := fmt.Sprintf("%d of %d persons approved", r.Quorum.Have, r.Quorum.Need)
	if len(r.Quorum.Persons) > 0 {
		words += " (" + strings.Join(r.Quorum.Persons, ", ") + ")"
	}
	if len(r.Quorum.Missing) > 0 {
		words += "; missing: " + strings.Join(r.Quorum.Missing, "; ")
	}
	return words
}

// reading opens the store for a command that signs nothing.
func (p *program) reading(ctx *cli.Context) (*acting, *sqlite.Store, error) {
	a, err := p.acts(ctx)
	if err != nil {
		return nil, nil, err
	}
	store, err := readStore(ctx)
	return a, store, err
}

func (p *program) approvalShowCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "show",
		Usage: "show exactly what a request would do, whether its rollout is ready, and who has signed",
		Flags: append(rootFlags(), storeFlag(),
			&cli.StringFlag{Name: "package", Usage: "the package's `DIR|ZIP` (default: its files in the store)"},
			&cli.StringFlag{Name: "trusted-root", Hidden: true},
		),
		Action: p.approvalShow,
	}, "REQUEST")
}

func (p *program) approvalShow(ctx *cli.Context) error {
	a, store, err := p.reading(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	project, request, err := a.findRequest(store, ctx.Args().First())
	if err != nil {
		return err
	}
	state, err := a.state(store, project)
	if err != nil {
		return err
	}
	integrity, err := a.integrity(store, state, request.Rollout)
	if err != nil {
		return err
	}
	doc := state.ShowRequest(request, integrity, p.now())
	if p.json {
		return p.printJSON(doc)
	}
	fmt.Fprintf(p.stdout, "%s\n%s  %s of %s %s\n%s → %s in %s, change record %s\nasked by %s at %s: %s\nexpires %s\n",
		request.Act, request.State, request.Kind, request.Project, request.Version, request.FromRing, request.TargetRing, request.Environment, request.ChangeRecord,
		request.Requester, request.Recorded, archive.Printable(request.Reason), request.Expires)
	for _, step := range request.Plan {
		fmt.Fprintf(p.stdout, "  %s\n    %s → %s\n", stepWords(step), orNothing(step.Outgoing.Manifest), step.Incoming.Manifest)
	}
	for _, s := range request.Signatures {
		counts := "counts"
		if !s.Counts {
			counts = "does not count: " + s.Why
		}
		fmt.Fprintf(p.stdout, "  %s by %s at %s (%s, checked %s), %s: %s\n", s.Decision, s.Person, s.Recorded, s.Use, s.Checked, archive.Printable(counts), archive.Printable(s.Reason))
	}
	fmt.Fprintln(p.stdout, quorumWords(request))
	if doc.Readiness != nil {
		fmt.Fprintf(p.stdout, "readiness: %s\n", doc.Readiness.Grade)
		for _, r := range doc.Readiness.Reasons {
			fmt.Fprintf(p.stdout, "  %-10s %s\n", r.Severity, archive.Printable(r.Text))
		}
	}
	for _, n := range doc.Notes {
		fmt.Fprintf(p.stdout, "note: %s\n", archive.Printable(n))
	}
	return nil
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}

func decisionFlags() []cli.Flag {
	return append(actFlags(), reasonFlag(),
		&cli.StringFlag{Name: "package", Usage: "the package's `DIR|ZIP` (default: its files in the store)"},
		&cli.StringFlag{Name: "out", Usage: "write the signed bundle to `FILE`; of a request that is a file, to bring it back to the log"},
		&cli.StringFlag{Name: "trusted-root", Hidden: true},
	)
}

func (p *program) approvalApproveCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "approve",
		Usage: "approve a request with your own key, or help to close an execution that broke glass",
		Description: "REQUEST is its id, its digest, or a file that rollproof approval export wrote: a closed network approves too. " +
			"What is signed is the digest of the request. The statement says whether this machine checked the whole evidence or the request alone.",
		Flags: append(decisionFlags(),
			&cli.StringFlag{Name: "meaning", Value: rollout.MeaningApproval, Usage: "review, approval or responsibility"},
			&cli.StringFlag{Name: "expires", Usage: "until when the approval counts: `DAYS` or a date (default: as the request)"},
		),
		Action: func(ctx *cli.Context) error { return p.decide(ctx, true) },
	}, "REQUEST")
}

func (p *program) approvalDenyCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name: "deny", Usage: "deny a request, for ever: deny wins over every approval",
		Flags:  decisionFlags(),
		Action: func(ctx *cli.Context) error { return p.decide(ctx, false) },
	}, "REQUEST")
}

// decide approves or denies.
func (p *program) decide(ctx *cli.Context, yes bool) error {
	a, err := p.signing(ctx)
	if err != nil {
		return err
	}
	d := rollout.Decision{Reason: ctx.String("reason"), Meaning: ctx.String("meaning")}
	if text := ctx.String("expires"); text != "" {
		if d.Expires, err = parseTime("expires", text, p.now()); err != nil {
			return err
		}
	}
	name := ctx.Args().First()
	if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
		return a.decideFile(name, yes, d)
	}
	store, err := p.writeStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	if project, act, ok, err := a.brokenGlass(store, name); err != nil || ok && yes {
		if err != nil {
			return err
		}
		return a.closeGlass(store, project, act, d)
	}
	project, request, err := a.findRequest(store, name)
	if err != nil {
		return err
	}
	if d.Checked, err = a.howChecked(store, project, request); err != nil {
		return err
	}
	var done evidence.Added
	word := "approved"
	if yes {
		done, err = record(a, store, project, func(s *rollout.State, h rollout.Head, _ time.Time) (evidence.Statement[rollout.Approval], []evidence.Blob, error) {
			st, err := s.NewApproval(h, request.Act, d)
			return st, nil, badInput(err)
		})
	} else {
		word = "denied"
		done, err = record(a, store, project, func(s *rollout.State, h rollout.Head, _ time.Time) (evidence.Statement[rollout.Denial], []evidence.Blob, error) {
			st, err := s.NewDenial(h, request.Act, d)
			return st, nil, badInput(err)
		})
	}
	if err != nil {
		return err
	}
	return a.showDecision(store, project, request, word, done)
}

// howChecked verifies the rollout and its package here, as far as this machine can.
func (a *acting) howChecked(store *sqlite.Store, project string, request rollout.RequestStatus) (string, error) {
	integrity, err := a.intact(store, project, request.Rollout)
	if err != nil {
		return "", err
	}
	if integrity.Package == release.Pass && integrity.Directory == release.Pass {
		return rollout.CheckedFull, nil
	}
	return rollout.CheckedRequest, nil
}

func (a *acting) showDecision(store *sqlite.Store, project string, request rollout.RequestStatus, word string, done evidence.Added) error {
	var files []string
	if out := a.ctx.String("out"); out != "" {
		if err := os.WriteFile(out, done.Record.Envelope, 0o644); err != nil {
			return err
		}
		files = append(files, out)
	}
	state, err := a.state(store, project)
	if err != nil {
		return err
	}
	now, _ := state.Request(request.Act.String(), a.now())
	notes := []string{fmt.Sprintf("the request is %s: %s", now.State, quorumWords(now))}
	return a.showAct(done, fmt.Sprintf("%s: %s", word, request.ID), files, notes)
}

// brokenGlass finds an open execution that broke glass.
func (a *acting) brokenGlass(store evidence.Reader, name string) (project string, act evidence.Digest, ok bool, err error) {
	list, err := a.projects(store)
	if err != nil {
		return "", act, false, err
	}
	for _, project := range list {
		state, err := a.ledger.Now(a.ctx.Context, store, project)
		if err != nil {
			return "", act, false, badAct(err)
		}
		for _, g := range state.OpenGlasses() {
			if g.Act.String() == name || len(name) >= evidence.MinPrefix && strings.HasPrefix(g.Act.Hex(), strings.TrimPrefix(name, "sha256:")) {
				return project, g.Act, true, nil
			}
		}
	}
	return "", act, false, nil
}

func (a *acting) closeGlass(store *sqlite.Store, project string, act evidence.Digest, d rollout.Decision) error {
	done, err := record(a, store, project, func(s *rollout.State, h rollout.Head, _ time.Time) (evidence.Statement[rollout.Approval], []evidence.Blob, error) {
		st, err := s.NewClosing(h, act, d)
		return st, nil, badInput(err)
	})
	if err != nil {
		return err
	}
	state, err := a.state(store, project)
	if err != nil {
		return err
	}
	note := "the glass is closed"
	if slices.ContainsFunc(state.OpenGlasses(), func(g rollout.OpenGlass) bool { return g.Act == act }) {
		note = "the glass is still open: more persons must approve"
	}
	return a.showAct(done, "approved the emergency "+act.String(), nil, []string{note})
}

// decideFile signs over a request that is a file, where there is no log. Nothing but
// the request itself was checked.
func (a *acting) decideFile(file string, yes bool, d rollout.Decision) error {
	out := a.ctx.String("out")
	if out == "" {
		return usagef("give --out FILE, and bring that back to the log: rollproof approval import FILE", "a request that is a file is answered by a file")
	}
	data, err := readFile(file, maxRolloutFile)
	if err != nil {
		return err
	}
	h, err := a.head(nil, a.now())
	if err != nil {
		return err
	}
	b, err := rollout.DecideAlone(h, data, yes, d, a.signer, func(envelope []byte) error {
		_, err := a.intake().Examine(envelope)
		return err
	})
	if err != nil {
		return badAct(badInput(err))
	}
	answer, err := b.Marshal()
	if err != nil {
		return err
	}
	examined, err := a.intake().Examine(answer)
	if err != nil {
		return badStore(err)
	}
	if err := a.maySign(examined); err != nil {
		return err
	}
	if err := os.WriteFile(out, answer, 0o644); err != nil {
		return err
	}
	return a.showAct(evidence.Added{Record: examined, New: true}, "signed over "+file+"; no log was asked", []string{out}, []string{"bring it back: rollproof approval import " + out})
}

func (p *program) approvalRevokeCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:        "revoke",
		Usage:       "take back an approval that was not used yet, or lift your own denial",
		Description: "Signed by who signed the approval, or by the policy role. What was executed stays executed.",
		Flags:       append(actFlags(), reasonFlag()),
		Action:      p.approvalRevoke,
	}, "APPROVAL")
}

func (p *program) approvalRevoke(ctx *cli.Context) error {
	a, err := p.signing(ctx)
	if err != nil {
		return err
	}
	store, err := p.writeStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	index, err := store.Find(ctx.Context, strings.TrimPrefix(ctx.Args().First(), "sha256:"))
	if err != nil {
		return badStore(err)
	}
	target, err := store.Record(ctx.Context, index)
	if err != nil {
		return badStore(err)
	}
	done, err := record(a, store, target.Project, func(s *rollout.State, h rollout.Head, _ time.Time) (evidence.Statement[rollout.ApprovalRevocation], []evidence.Blob, error) {
		st, err := s.NewApprovalRevocation(h, target.Act, ctx.String("reason"))
		return st, nil, badInput(err)
	})
	if err != nil {
		return err
	}
	return a.showAct(done, "revoked "+target.Act.String(), nil, nil)
}

func (p *program) approvalExportCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:        "export",
		Usage:       "write a request as a file, for approvers who do not reach the log",
		Description: "FILE is the request's signed bundle, trusted for nothing: whoever approves it verifies it under the trust root.",
		Flags:       append(rootFlags(), storeFlag(), &cli.StringFlag{Name: "out", Usage: "the `FILE`", Required: true}),
		Action:      p.approvalExport,
	}, "REQUEST")
}

func (p *program) approvalExport(ctx *cli.Context) error {
	a, store, err := p.reading(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	_, request, err := a.findRequest(store, ctx.Args().First())
	if err != nil {
		return err
	}
	index, err := store.Find(ctx.Context, request.Act.Hex())
	if err != nil {
		return badStore(err)
	}
	record, err := store.Record(ctx.Context, index)
	if err != nil {
		return badStore(err)
	}
	if err := os.WriteFile(ctx.String("out"), record.Envelope, 0o644); err != nil {
		return err
	}
	return a.showAct(evidence.Added{Record: record}, "wrote "+request.ID, []string{ctx.String("out")}, nil)
}

func (p *program) approvalImportCommand() *cli.Command {
	return p.several(&cli.Command{
		Name:        "import",
		Usage:       "record approvals and denials that were signed elsewhere, if they are legal here",
		Description: "Unlike rollproof evidence add, which keeps an illegal act as such, this records nothing when one of them is illegal.",
		Flags:       append(rootFlags(), storeFlag(), &cli.StringFlag{Name: "metadata-json", Usage: "write the facts of what was recorded to `FILE` too"}),
		Action:      p.approvalImport,
	}, 1, "FILE")
}

func (p *program) approvalImport(ctx *cli.Context) error {
	a, err := p.acts(ctx)
	if err != nil {
		return err
	}
	store, err := p.writeStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	inputs, err := readInputs(ctx.Args().Slice())
	if err != nil {
		return err
	}
	var list []evidence.Added
	err = store.Append(ctx.Context, func(tx evidence.Tx) error {
		for _, in := range inputs {
			examined, err := a.intake().Examine(in.data)
			if err != nil {
				return err
			}
			if examined.Kind != evidence.KindApproval {
				return failure{exitUsage, in.source + " is no approval, denial or revocation", "rollproof evidence add records other acts"}
			}
			state, err := a.ledger.Now(ctx.Context, tx, examined.Project)
			if err != nil {
				return err
			}
			added, err := a.add(tx, state, in.data, nil)
			if err != nil {
				return err
			}
			list = append(list, added)
		}
		return nil
	})
	if err != nil {
		return badAct(err)
	}
	var errs []error
	for _, added := range list {
		errs = append(errs, a.showAct(added, "imported an act of "+added.Record.Signer.Person, nil, nil))
	}
	return errors.Join(errs...)
}
