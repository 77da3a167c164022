package main

import (
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/dist"
	"github.com/urfave/cli/v2"
)

func (p *program) inspectCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "inspect",
		Usage: "show what each document of a package says of each binary, and whether they agree",
		Description: "For people who look why: the matrix compares manifest, checksums, build info, SBOMs and provenance with the binaries, whatever the verdict is. " +
			"The verdict decides, and is that of release verify-package. Exit code 3 when it fails or a document differs.",
		Flags: append(trustFlags(),
			&cli.BoolFlag{Name: "allow-unsigned", Usage: "let a dry run pass without signatures; the verdict says so"},
			&cli.StringFlag{Name: "trusted-root", Hidden: true},
		),
		Action: p.inspect,
	}, "PKG")
}

func (p *program) inspect(ctx *cli.Context) error {
	name := ctx.Args().First()
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
	inspection, err := release.Inspect(ctx.Context, container, verdict)
	if err != nil {
		return failure{exitEvidence, name + ": " + err.Error(), "rollproof release verify-package tells what is wrong with it"}
	}
	if err := p.showInspection(inspection); err != nil {
		return err
	}
	if verdict.Result != release.Pass || inspection.Differ > 0 {
		return &shownError{exitEvidence}
	}
	return nil
}

func (p *program) showInspection(i *release.Inspection) error {
	if p.json {
		return p.printJSON(i)
	}
	_, err := p.stdout.Write(i.Table())
	return err
}
