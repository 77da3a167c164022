package main

import (
	"fmt"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/rollout"
	"github.com/urfave/cli/v2"
)

func (p *program) holdCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:        "hold",
		Usage:       "stop a ring, or a deployment target in every ring; or lift such a hold",
		Description: "Signed by the role policy. Nothing is captured into what is held, and nothing is promoted into it.",
		Flags: append(actFlags(), projectFlag(), configFlag(),
			&cli.StringFlag{Name: "reason", Usage: "`TEXT`: why", Required: true},
			&cli.BoolFlag{Name: "target", Usage: "NAME is a deployment target, not a ring"},
			&cli.BoolFlag{Name: "lift", Usage: "lift the hold; another person than who executes next"},
		),
		Action: p.hold,
	}, "NAME")
}

func (p *program) hold(ctx *cli.Context) error {
	name := ctx.Args().First()
	project, err := p.projectName(ctx)
	if err != nil {
		return err
	}
	a, err := p.signing(ctx)
	if err != nil {
		return err
	}
	store, err := p.writeStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	if ctx.Bool("lift") {
		done, err := record(a, store, project, func(s *rollout.State, h rollout.Head, _ time.Time) (evidence.Statement[rollout.Lift], []evidence.Blob, error) {
			for _, o := range s.Holds() {
				if o.Target == name && ctx.Bool("target") || o.Ring == name && !ctx.Bool("target") {
					st, err := s.Lift(h, o, ctx.String("reason"))
					return st, nil, badInput(err)
				}
			}
			return evidence.Statement[rollout.Lift]{}, nil, failure{exitRule, fmt.Sprintf("%s is not held", archive.Printable(name)), "rollproof release rings shows what is held"}
		})
		if err != nil {
			return err
		}
		return a.showAct(done, name+" is no longer held", nil, nil)
	}
	done, err := record(a, store, project, func(s *rollout.State, h rollout.Head, _ time.Time) (evidence.Statement[rollout.Hold], []evidence.Blob, error) {
		if ctx.Bool("target") {
			st, err := s.HoldTarget(h, name, ctx.String("reason"))
			return st, nil, badInput(err)
		}
		ring, err := service.RingOf(s.Policy().Rules, name)
		if err != nil {
			return evidence.Statement[rollout.Hold]{}, nil, err
		}
		st, err := s.HoldRing(h, ring, ctx.String("reason"))
		return st, nil, badInput(err)
	})
	if err != nil {
		return err
	}
	return a.showAct(done, name+" is held", nil, nil)
}
