package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/rollproof/rollproof/internal/config"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/release/dist"
	"github.com/rollproof/rollproof/release/upgrade"
	"github.com/urfave/cli/v2"
)

func (p *program) validateUpgradeCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "validate-upgrade",
		Usage: "compare two verified packages: what the upgrade changes, and whether it may",
		Description: "Both packages verify first. Exit code 4 when a difference fails: which ones do says the section upgrade of rollproof.yaml, and the defaults. " +
			"--markdown writes the report for a change record.",
		Flags: append(trustFlags(),
			&cli.StringFlag{Name: "config", Value: config.FileName, Usage: "take the rules from `FILE`, if it is there"},
			&cli.StringFlag{Name: "markdown", Usage: "write the report as Markdown to `FILE`"},
			&cli.StringFlag{Name: "trusted-root", Hidden: true},
		),
		Action: p.validateUpgrade,
	}, "OLD", "NEW")
}

func (p *program) validateUpgrade(ctx *cli.Context) error {
	var rules upgrade.Rules
	c, err := p.readDraft(ctx.String("config"))
	if err == nil {
		rules = c.Upgrade
	} else if _, missing := os.Stat(ctx.String("config")); !errors.Is(missing, os.ErrNotExist) || ctx.IsSet("config") {
		return err
	}
	var facts [2]upgrade.Facts
	for i, name := range ctx.Args().Slice() {
		err := p.verified(ctx, name, func(container release.Container, verdict *release.Verdict) (err error) {
			facts[i], err = upgrade.Read(ctx.Context, container, verdict)
			return err
		})
		if err != nil {
			return err
		}
	}
	report, err := upgrade.Compare(facts[0], facts[1], rules)
	if err != nil {
		return err
	}
	if file := ctx.String("markdown"); file != "" {
		if err := os.WriteFile(file, report.Markdown(), 0o644); err != nil {
			return err
		}
	}
	if err := p.showUpgrade(report); err != nil {
		return err
	}
	if report.Result != string(release.Pass) {
		return &shownError{exitRule}
	}
	return nil
}

// verified verifies a package and, when it passes, hands it on.
func (p *program) verified(ctx *cli.Context, name string, use func(release.Container, *release.Verdict) error) error {
	container, closer, err := dist.Open(name)
	if err != nil {
		return err
	}
	defer closer.Close()
	authority, err := p.authority(ctx, name, container)
	if err != nil {
		return err
	}
	verdict, err := p.verdict(ctx, name, container, authority)
	if err != nil {
		return err
	}
	if verdict.Result != release.Pass {
		if err := p.showVerdict(name, verdict, false); err != nil {
			return err
		}
		return &shownError{exitEvidence}
	}
	if err := use(container, verdict); err != nil {
		return failure{exitEvidence, fmt.Sprintf("%s: %v", name, err), "verify it again: rollproof release verify-package"}
	}
	return nil
}

func (p *program) showUpgrade(r *upgrade.Report) error {
	if p.json {
		return p.printJSON(r)
	}
	t := p.terminal(p.stdout)
	fmt.Fprintf(p.stdout, "%s %s %s → %s: %d fail, %d warn, %d noted\n", t.result(release.Result(r.Result)), r.New.Project, r.Old.Version, r.New.Version, r.Failed, r.Warned, r.Noted)
	for _, f := range r.Findings {
		fmt.Fprintf(p.stdout, "  %-4s %-20s %s\n", f.Severity, f.ID, archive.Printable(f.Text))
	}
	for _, s := range r.Sizes {
		fmt.Fprintf(p.stdout, "  size %-20s %s → %s (%+.1f %%)\n", archive.Printable(s.Binary), byteCount(s.Old), byteCount(s.New), s.Percent)
	}
	return nil
}
