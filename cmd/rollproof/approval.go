package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/rollout"
	"github.com/urfave/cli/v2"
)

func (p *program) approvalCommand() *cli.Command {
	return p.group("approval", "approve or deny requests, each person with his own key",
		p.approvalListCommand(), p.approvalShowCommand(), p.approvalApproveCommand(), p.approvalDenyCommand(), p.approvalRevokeCommand(),
		p.approvalExportCommand(), p.approvalImportCommand())
}

// oneProject is --project, or the only one of the store.
func (a *acting) oneProject(r evidence.Reader) (string, error) {
	if project := a.ctx.String("project"); project != "" {
		return project, nil
	}
	list, err := service.Projects(a.ctx.Context, r)
	switch {
	case err != nil:
		return "", badStore(err)
	case len(list) == 0:
		return "", failure{exitFailed, "the store has no rollouts", "rollproof release verify-rollout DIR records one"}
	case len(list) > 1:
		return "", usagef("give --project", "the store has several projects: %s", strings.Join(list, ", "))
	}
	return list[0], nil
}

// findRequest finds a request by its id, its digest, or digits that it begins with.
func (a *acting) findRequest(store evidence.Reader, name string) (string, rollout.RequestStatus, error) {
	ctx := a.ctx.Context
	list, err := service.Projects(ctx, store)
	if err != nil {
		return "", rollout.RequestStatus{}, badStore(err)
	}
	project, status, err := service.FindRequest(ctx, store, list, name, func(project string, f func(*rollout.State) error) error {
		state, err := a.Ledger.Now(ctx, store, project)
		if err != nil {
			return err
		}
		return f(state)
	}, a.now())
	return project, status, badStore(err)
}

func (p *program) approvalListCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "list",
		Usage: "list requests, who has signed, and what is missing",
		Flags: append(rootFlags(), storeFlag(), serverFlag(), &cli.StringFlag{Name: "project", Usage: "of this `PROJECT` (default: the store's only one)"},
			&cli.BoolFlag{Name: "pending", Usage: "only those that wait for approvals"},
			&cli.StringFlag{Name: "mine", Usage: "only those that `PERSON` has not signed and may"},
		),
		Action: p.approvalList,
	})
}

func (p *program) approvalList(ctx *cli.Context) error {
	doc, err := p.requests(ctx)
	if err != nil {
		return err
	}
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

// requests are those of a project in the store, or of the server.
func (p *program) requests(ctx *cli.Context) (rollout.ApprovalList, error) {
	remote, err := p.remote(ctx)
	if err != nil {
		return rollout.ApprovalList{}, err
	}
	if remote != nil {
		doc, err := remote.Requests(ctx.Context, ctx.String("project"))
		return doc, badStore(err)
	}
	a, store, err := p.reading(ctx)
	if err != nil {
		return rollout.ApprovalList{}, err
	}
	defer store.Close()
	project, err := a.oneProject(store)
	if err != nil {
		return rollout.ApprovalList{}, err
	}
	state, err := a.state(store, project)
	if err != nil {
		return rollout.ApprovalList{}, err
	}
	return state.ApprovalList(p.now()), nil
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
		Flags: append(rootFlags(), storeFlag(), serverFlag(),
			&cli.StringFlag{Name: "package", Usage: "the package's `DIR|ZIP` (default: its files in the store)"},
			&cli.StringFlag{Name: "trusted-root", Hidden: true},
		),
		Action: p.approvalShow,
	}, "REQUEST")
}

func (p *program) approvalShow(ctx *cli.Context) error {
	doc, err := p.shown(ctx)
	if err != nil {
		return err
	}
	request := doc.Request
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

// shown is a request of the store or of the server.
func (p *program) shown(ctx *cli.Context) (rollout.ApprovalShow, error) {
	var none rollout.ApprovalShow
	remote, err := p.remote(ctx)
	if err != nil {
		return none, err
	}
	if remote != nil {
		doc, err := remote.Request(ctx.Context, ctx.Args().First())
		return doc, badStore(err)
	}
	a, store, err := p.reading(ctx)
	if err != nil {
		return none, err
	}
	defer store.Close()
	project, request, err := a.findRequest(store, ctx.Args().First())
	if err != nil {
		return none, err
	}
	state, err := a.state(store, project)
	if err != nil {
		return none, err
	}
	integrity, err := a.integrity(store, state, request.Rollout)
	if err != nil {
		return none, err
	}
	return state.ShowRequest(request, integrity, p.now()), nil
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}

func (p *program) approvalExportCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:        "export",
		Usage:       "write a request, or an execution that broke glass, as a file, for approvers who do not reach the log",
		Description: "FILE is the signed bundle, trusted for nothing: whoever approves it verifies it under the trust root.",
		Flags:       append(rootFlags(), storeFlag(), &cli.StringFlag{Name: "out", Usage: "the `FILE`", Required: true}),
		Action:      p.approvalExport,
	}, "REQUEST")
}

// asked finds what approvers are asked about: a request, or an execution that broke glass.
func (a *acting) asked(store evidence.Reader, name string) (what string, act evidence.Digest, err error) {
	if _, act, ok, err := a.brokenGlass(store, name); err != nil || ok {
		return "the emergency " + act.String(), act, err
	}
	_, request, err := a.findRequest(store, name)
	return request.ID, request.Act, err
}

func (p *program) approvalExport(ctx *cli.Context) error {
	a, store, err := p.reading(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	what, act, err := a.asked(store, ctx.Args().First())
	if err != nil {
		return err
	}
	index, err := store.Find(ctx.Context, act.Hex())
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
	return a.showAct(evidence.Added{Record: record}, "wrote "+what, []string{ctx.String("out")}, nil)
}

func (p *program) approvalImportCommand() *cli.Command {
	return p.several(&cli.Command{
		Name:        "import",
		Usage:       "record requests, approvals and denials that were signed elsewhere, if they are legal here",
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
			added, err := a.importAct(tx, in)
			if err != nil {
				return err
			}
			list = append(list, added)
		}
		return nil
	})
	if err != nil {
		return badStore(err)
	}
	var errs []error
	for _, added := range list {
		errs = append(errs, a.showAct(added, "imported an act of "+added.Record.Signer.Person, nil, nil))
	}
	return errors.Join(errs...)
}

// importAct records an act that was signed elsewhere.
func (a *acting) importAct(tx evidence.Tx, in input) (evidence.Added, error) {
	var none evidence.Added
	examined, err := a.Intake().Examine(in.data)
	if err != nil {
		return none, err
	}
	if examined.Kind != evidence.KindApproval && examined.Kind != evidence.KindPromotionRequest {
		return none, failure{exitUsage, in.source + " is no request, approval, denial or revocation", "rollproof evidence add records other acts"}
	}
	state, err := a.Ledger.Now(a.ctx.Context, tx, examined.Project)
	if err != nil {
		return none, err
	}
	added, err := a.add(tx, state, in.data, nil)
	if err != nil || examined.Kind != evidence.KindPromotionRequest {
		return added, err
	}
	return added, a.forThisLog(tx, added.Record)
}

// forThisLog refuses a request that could never be executed here.
func (a *acting) forThisLog(tx evidence.Tx, record evidence.Record) error {
	origin, err := service.Origin(a.ctx.Context, tx)
	if err != nil {
		return err
	}
	state, err := a.Ledger.Now(a.ctx.Context, tx, record.Project)
	if err != nil {
		return err
	}
	if request, ok := state.Request(record.Act.String(), tx.Now()); ok && request.Origin != origin {
		return failure{exitApproval, fmt.Sprintf("request %s is for log %q, and this is log %q", request.ID, archive.Printable(request.Origin), origin), "request it for this log: rollproof release request-rollout-promotion --origin " + origin}
	}
	return nil
}
