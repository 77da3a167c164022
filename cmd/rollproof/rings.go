package main

import (
	"fmt"
	"strings"

	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/rollout"
	"github.com/urfave/cli/v2"
)

func logFlags() []cli.Flag {
	return append(rootFlags(), storeFlag(), &cli.StringFlag{Name: "project", Usage: "of this `PROJECT` (default: the store's only one)"})
}

// replayed is the present state of the one project that the flags mean.
func (p *program) replayed(ctx *cli.Context) (*rollout.State, error) {
	a, store, err := p.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	project, err := a.oneProject(store)
	if err != nil {
		return nil, err
	}
	return a.state(store, project)
}

func (p *program) ringsCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name: "rings", Usage: "show what is in each ring, since when, by which act: from the log alone",
		Flags: logFlags(), Action: p.rings,
	})
}

func (p *program) rings(ctx *cli.Context) error {
	state, err := p.replayed(ctx)
	if err != nil {
		return err
	}
	doc := state.Rings(p.now())
	if p.json {
		return p.printJSON(doc)
	}
	t := p.terminal(p.stdout)
	for _, r := range doc.Rings {
		attended := fmt.Sprintf("%d approve", r.Quorum)
		if r.Unattended {
			attended = "unattended"
		}
		fmt.Fprintf(p.stdout, "%s  %s, %s\n", t.paint("1", r.Name), r.Environment, attended)
		for _, h := range r.Holds {
			fmt.Fprintf(p.stdout, "  %s by %s since %s: %s\n", t.paint("1;31", strings.TrimSpace("HELD "+h.Target)), h.Person, h.Since, archive.Printable(h.Reason))
		}
		if g := r.BreakGlass; g != nil {
			fmt.Fprintf(p.stdout, "  %s by %s for %s, a quorum closes it, due %s\n", t.paint("1;31", "GLASS BROKEN"), g.Person, archive.Printable(g.Incident), g.Due)
		}
		if len(r.Targets) == 0 {
			fmt.Fprintln(p.stdout, "  nothing")
		}
		for _, h := range r.Targets {
			seen := "nobody has seen it there"
			if h.Observed != nil {
				seen = fmt.Sprintf("seen on %d of %d", h.Observed.Matches, h.Observed.Population)
			}
			fmt.Fprintf(p.stdout, "  %-34s %-12s since %s by %s %s; %s\n", h.ID, h.Version, h.Since, h.How, h.Act.Hex()[:12], seen)
		}
		for _, d := range r.Due {
			fmt.Fprintf(p.stdout, "  due %s: %s %s\n", d.At, d.What, d.Act.Hex()[:12])
		}
	}
	if doc.DefaultPolicy {
		fmt.Fprintln(p.stdout, "note: no policy is signed: the built-in default counts")
	}
	return nil
}

func (p *program) diffRingsCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name: "diff-rings", Usage: "compare what two rings hold", Flags: logFlags(), Action: p.diffRings,
	}, "A", "B")
}

func (p *program) diffRings(ctx *cli.Context) error {
	state, err := p.replayed(ctx)
	if err != nil {
		return err
	}
	doc, err := state.Diff(ctx.Args().Get(0), ctx.Args().Get(1))
	if err != nil {
		return badStore(err)
	}
	if p.json {
		return p.printJSON(doc)
	}
	for _, t := range doc.Targets {
		word := "differs"
		if t.Same {
			word = "same"
		}
		fmt.Fprintf(p.stdout, "%-8s %-34s %s  %s\n", word, t.ID, orNothing(t.A.Version), orNothing(t.B.Version))
	}
	return nil
}

func (p *program) historyCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name: "history", Usage: "list every release that came to a deployment target, by which act and whose",
		Flags:  append(logFlags(), &cli.StringFlag{Name: "ring", Usage: "in this `RING` only"}, &cli.StringFlag{Name: "environment", Usage: "in this `ENVIRONMENT` only"}),
		Action: p.history,
	}, "TARGET")
}

func (p *program) history(ctx *cli.Context) error {
	state, err := p.replayed(ctx)
	if err != nil {
		return err
	}
	doc := state.History(ctx.String("environment"), ctx.String("ring"), ctx.Args().First())
	if p.json {
		return p.printJSON(doc)
	}
	if len(doc.Placements) == 0 {
		_, err := fmt.Fprintln(p.stdout, "nothing came there")
		return err
	}
	for _, h := range doc.Placements {
		glass := ""
		if h.BreakGlass {
			glass = ", glass broken"
		}
		fmt.Fprintf(p.stdout, "%d  %s  %s  %s → %s  by %s (%s %s%s)\n", h.Index, h.Recorded, h.Ring, orNothing(h.Before.Version), h.Release.Version, h.Person, h.How, h.Act.Hex()[:12], glass)
	}
	return nil
}
