package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/rollout"
	"github.com/urfave/cli/v2"
)

func decisionFlags() []cli.Flag {
	return append(actFlags(), reasonFlag(), serverFlag(),
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
	if isFile(name) {
		return a.decideFile(name, yes, d)
	}
	if remote, err := p.remote(ctx); err != nil || remote != nil {
		if err != nil {
			return err
		}
		return a.decideRemote(remote, name, yes, d)
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
	list, err := service.Projects(a.ctx.Context, store)
	if err != nil {
		return "", act, false, badStore(err)
	}
	for _, project := range list {
		state, err := a.Ledger.Now(a.ctx.Context, store, project)
		if err != nil {
			return "", act, false, badStore(err)
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
	return a.answerFile(file, func(h rollout.Head, data []byte, verify func([]byte) error) (envelope.Bundle, error) {
		return rollout.DecideAlone(h, data, yes, d, a.signer, verify)
	})
}

// answerFile signs an answer to an act that came as a file, where no log is asked.
func (a *acting) answerFile(file string, sign func(rollout.Head, []byte, func([]byte) error) (envelope.Bundle, error)) error {
	out := a.ctx.String("out")
	if out == "" {
		return usagef("give --out FILE, and bring that back to the log: rollproof approval import FILE", "a file is answered by a file")
	}
	data, err := readFile(file, maxRolloutFile)
	if err != nil {
		return err
	}
	h, err := a.head(nil, a.now())
	if err != nil {
		return err
	}
	b, err := sign(h, data, func(envelope []byte) error {
		_, err := a.Intake().Examine(envelope)
		return err
	})
	if err != nil {
		return badStore(badInput(err))
	}
	answer, err := b.Marshal()
	if err != nil {
		return err
	}
	examined, err := a.Intake().Examine(answer)
	if err != nil {
		return badStore(err)
	}
	if err := a.MaySign(examined); err != nil {
		return err
	}
	if err := os.WriteFile(out, answer, 0o644); err != nil {
		return err
	}
	return a.showAct(evidence.Added{Record: examined, New: true}, "signed over "+file+"; no log was asked", []string{out}, []string{"bring it back: rollproof approval import " + out})
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

func (p *program) approvalRevokeCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:        "revoke",
		Usage:       "take back an approval that was not used yet, or lift your own denial",
		Description: "APPROVAL is its digest, or the file that approve or deny wrote with --out. Signed by who signed the approval, or by the policy role. What was executed stays executed.",
		Flags: append(actFlags(), reasonFlag(), serverFlag(),
			&cli.StringFlag{Name: "out", Usage: "of an approval that is a file: write the signed bundle to `FILE`, to bring it to the log"},
		),
		Action: p.approvalRevoke,
	}, "APPROVAL")
}

func (p *program) approvalRevoke(ctx *cli.Context) error {
	a, err := p.signing(ctx)
	if err != nil {
		return err
	}
	if name := ctx.Args().First(); isFile(name) {
		return a.answerFile(name, func(h rollout.Head, data []byte, verify func([]byte) error) (envelope.Bundle, error) {
			return rollout.RevokeAlone(h, data, ctx.String("reason"), a.signer, verify)
		})
	}
	if remote, err := p.remote(ctx); err != nil || remote != nil {
		if err != nil {
			return err
		}
		return a.revokeRemote(remote, ctx.Args().First())
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
