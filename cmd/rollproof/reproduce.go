package main

import (
	"fmt"
	"os"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/release/dist"
	"github.com/rollproof/rollproof/release/rebuild"
	"github.com/rollproof/rollproof/release/vsa"
	"github.com/urfave/cli/v2"
)

func (p *program) reproduceCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "reproduce",
		Usage: "build a package's binaries again from its commit and compare them, byte for byte",
		Description: "PKG verifies first. The recipe comes from the signed provenance and is treated as hostile: only what release package itself would write is accepted, and nothing recorded is executed. " +
			"Modules come from the package (release package --with-source) or from this machine's module cache, never from the network. Exit code 3 when a binary differs, 1 when one could not be checked: some of six is never a pass.",
		Flags: append(append(trustFlags(), summaryFlags("what was rebuilt")...),
			&cli.StringFlag{Name: "source", Usage: "a git repository `DIR` that has the commit (default: the source that the package carries)"},
			&cli.StringFlag{Name: "go", Usage: "the go command `FILE` (default: the one on PATH)"},
			&cli.StringFlag{Name: "keep", Usage: "`DIR` that receives rebuilt binaries that differ"},
			&cli.IntFlag{Name: "parallel", Usage: "builds at a time (default: half the processors, at least two)"},
			&cli.BoolFlag{Name: "allow-build-cache", Usage: "use this user's build cache: faster, and worth less; the report says so"},
			&cli.StringFlag{Name: "statement", Usage: "write the signed result to `FILE`, a Sigstore bundle"},
			&cli.StringFlag{Name: "statement-key", Usage: "signing `KEY` of a verifier for --statement"},
			&cli.StringFlag{Name: "person", Usage: "`ID` of whose key that is, where no trust root says it"},
			&cli.StringFlag{Name: "trusted-root", Hidden: true},
		),
		Action: p.reproduce,
	}, "PKG")
}

func (p *program) reproduce(ctx *cli.Context) error {
	name := ctx.Args().First()
	if ctx.String("statement") != "" && ctx.String("statement-key") == "" {
		return usagef("give --statement-key, a key of the role verifier", "--statement needs a key to sign with")
	}
	if ctx.IsSet("vsa") && ctx.Bool("allow-build-cache") {
		return usagef("leave one of them out", "a summary has no word for a rebuild out of the user's build cache")
	}
	signer, err := p.summarySigner(ctx)
	if err != nil {
		return err
	}
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
	show, done := p.progress()
	report, err := rebuild.Run(ctx.Context, rebuild.Options{
		Package: container, Verdict: verdict, Source: ctx.String("source"), Go: ctx.String("go"), Env: p.environ, Output: p.stderr,
		UserCache: ctx.Bool("allow-build-cache"), Keep: ctx.String("keep"), Parallel: ctx.Int("parallel"), Progress: show,
	})
	done()
	if err != nil {
		return err
	}
	if err := p.stateRebuild(ctx, authority, report); err != nil {
		return err
	}
	if err := p.summarizeRebuild(ctx, signer, container, verdict, report); err != nil {
		return err
	}
	if err := p.showRebuild(report); err != nil {
		return err
	}
	switch report.Result {
	case rebuild.Match:
		return nil
	case rebuild.Differs:
		return &shownError{exitEvidence}
	}
	return &shownError{exitFailed}
}

// stateRebuild signs the result, where --statement asks for it.
func (p *program) stateRebuild(ctx *cli.Context, authority trust.Authority, report *rebuild.Report) error {
	file := ctx.String("statement")
	if file == "" {
		return nil
	}
	signer, err := p.signer(ctx.String("statement-key"))
	if err != nil {
		return err
	}
	actor := rebuild.Actor{KeyID: signer.Public().KeyID(), Person: ctx.String("person")}
	if actor.Person == "" {
		actor.Person = authority.Rule(trust.Use{KeyID: actor.KeyID}).Signer.Person
	}
	if actor.Person == "" {
		return usagef("give --person ID", "nothing says whose key %s is", actor.KeyID)
	}
	statement, err := rebuild.NewStatement(report, actor, p.now())
	if err != nil {
		return failure{exitRule, err.Error(), "rebuild a release"}
	}
	bundle, err := evidence.Sign(signer, statement)
	if err != nil {
		return err
	}
	data, err := bundle.Marshal()
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}

// summarizeRebuild writes a summary, where --vsa asks for it: it passed where every
// binary came out the same, and some of six is not that.
func (p *program) summarizeRebuild(ctx *cli.Context, signer envelope.Signer, container release.Container, verdict *release.Verdict, report *rebuild.Report) error {
	if signer == nil {
		return nil
	}
	facts, err := summaryFacts(container, verdict)
	if err != nil {
		return err
	}
	if facts.Passed = facts.Passed && report.Result == rebuild.Match; facts.Passed {
		facts.Levels = append(facts.Levels, vsa.LevelRebuildMatch)
	} else {
		facts.Levels = nil
	}
	return p.writeSummary(ctx, signer, facts)
}

func (p *program) showRebuild(r *rebuild.Report) error {
	if p.json {
		return p.printJSON(r)
	}
	words := map[rebuild.Result]string{rebuild.Match: "pass", rebuild.Differs: "fail"}
	for _, t := range r.Targets {
		fmt.Fprintf(p.stdout, "%-11s %s\n", t.Result, archive.Printable(t.Binary))
		if d := t.Difference; d != nil {
			fmt.Fprintf(p.stdout, "            first differs in %s; likely cause: %s: %s\n", archive.Printable(d.Section), d.Cause, archive.Printable(d.Explanation))
		}
		if t.Reason != "" {
			fmt.Fprintf(p.stdout, "            %s\n            hint: %s\n", archive.Printable(t.Reason), archive.Printable(t.Hint))
		}
	}
	word := "incomplete"
	if w, ok := words[r.Result]; ok {
		word = p.terminal(p.stdout).result(release.Result(w))
	}
	_, err := fmt.Fprintf(p.stdout, "%s %s: %d of %d binaries match, %d differ, %d not checked; %s, source from the %s, modules from the %s, build cache %s\n",
		word, r.Release.Name(r.DryRun), r.Matched, len(r.Targets), r.Differed, r.NotChecked, r.Toolchain.Local, r.Source, r.Modules, r.BuildCache)
	return err
}
