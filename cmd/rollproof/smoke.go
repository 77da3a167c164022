package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/internal/config"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/release/smoke"
	"github.com/urfave/cli/v2"
)

func (p *program) smokeInstallersCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "smoke-installers",
		Usage: "run the binaries of a package that are for this machine, and look whether they answer",
		Description: "PKG verifies first; what does not is never run. Each binary for this platform is run once: without network where the system permits that (the result says so), with an empty environment, in a private directory, within a time limit. " +
			"It is no jail: the program reads and writes whatever you may. What is run says the section smoke of rollproof.yaml, and these flags before it; without either, --version has to exit with 0. " +
			"Exit code 3 when a binary fails, 1 when one for this platform could not be started or there is none. Binaries for other platforms are not-checked: the result is then \"incomplete\", with exit code 0 unless --require-all is given.",
		Flags: append(trustFlags(),
			&cli.StringFlag{Name: "config", Value: config.FileName, Usage: "take the section smoke from `FILE`, if it is there"},
			&cli.StringSliceFlag{Name: "args", Usage: "`ARGUMENT` for the program; repeat it for several (default: --version)"},
			&cli.StringFlag{Name: "timeout", Usage: "time limit of each binary, such as `10s`, which is the default"},
			&cli.IntFlag{Name: "expect-exit", Usage: "exit `CODE` that passes (default: 0)"},
			&cli.StringFlag{Name: "expect-output", Usage: "`PATTERN` (RE2) that the output must match"},
			&cli.BoolFlag{Name: "require-all", Usage: "exit with 1 when a binary was not checked, for whatever reason"},
			&cli.StringFlag{Name: "statement", Usage: "write a signed in-toto test-result to `FILE`, a Sigstore bundle"},
			&cli.StringFlag{Name: "statement-key", Usage: "signing `KEY` of a verifier for --statement"},
			&cli.StringFlag{Name: "trusted-root", Hidden: true},
		),
		Action: p.smokeInstallers,
	}, "PKG")
}

func (p *program) smokeInstallers(ctx *cli.Context) error {
	if ctx.String("statement") != "" && ctx.String("statement-key") == "" {
		return usagef("give --statement-key, a key of the role verifier", "--statement needs a key to sign with")
	}
	command, err := p.smokeCommand(ctx)
	if err != nil {
		return err
	}
	report, err := p.smoked(ctx, command)
	if err != nil {
		return err
	}
	if err := p.stateSmoke(ctx, report); err != nil {
		return err
	}
	if err := p.showSmoke(report); err != nil {
		return err
	}
	switch {
	case report.Failed > 0:
		return &shownError{exitEvidence}
	case !report.HostPassed(), ctx.Bool("require-all") && report.Result != smoke.Pass:
		return &shownError{exitFailed}
	}
	return nil
}

// smoked verifies the package and runs what is in it. A file that changed since is bad
// evidence; everything else that goes wrong says nothing about the package.
func (p *program) smoked(ctx *cli.Context, command smoke.Command) (report *smoke.Report, err error) {
	var machine error
	err = p.verified(ctx, ctx.Args().First(), func(container release.Container, verdict *release.Verdict) (err error) {
		report, err = smoke.Run(ctx.Context, container, verdict, smoke.Options{Command: command})
		var changed *smoke.ChangedError
		if errors.As(err, &changed) {
			return err
		}
		machine = err
		return nil
	})
	return report, errors.Join(err, machine)
}

// smokeCommand is what the configuration says, and the flags instead of it.
func (p *program) smokeCommand(ctx *cli.Context) (smoke.Command, error) {
	var command smoke.Command
	c, err := p.readDraft(ctx.String("config"))
	if err == nil {
		command = c.Smoke
	} else if _, missing := os.Stat(ctx.String("config")); !errors.Is(missing, os.ErrNotExist) || ctx.IsSet("config") {
		return command, err
	}
	if ctx.IsSet("args") {
		command.Args = ctx.StringSlice("args")
	}
	if ctx.IsSet("timeout") {
		command.TimeLimit = ctx.String("timeout")
	}
	if ctx.IsSet("expect-exit") {
		command.ExitCode = ctx.Int("expect-exit")
	}
	if ctx.IsSet("expect-output") {
		command.Output = ctx.String("expect-output")
	}
	if err := command.Check(); err != nil {
		return command, usagef("see rollproof release smoke-installers --help", "%v", err)
	}
	return command, nil
}

// stateSmoke signs the result, where --statement asks for it.
func (p *program) stateSmoke(ctx *cli.Context, report *smoke.Report) error {
	file := ctx.String("statement")
	if file == "" {
		return nil
	}
	signer, err := p.signer(ctx.String("statement-key"))
	if err != nil {
		return err
	}
	statement, err := smoke.NewStatement(report)
	if errors.Is(err, smoke.ErrNothingToState) {
		fmt.Fprintf(p.stderr, "%s: not written: %v\n", file, err)
		return nil
	}
	if err != nil {
		return failure{exitRule, err.Error(), "smoke a release"}
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

func (p *program) showSmoke(r *smoke.Report) error {
	if p.json {
		return p.printJSON(r)
	}
	t := p.terminal(p.stdout)
	for _, x := range r.Tests {
		fmt.Fprintf(p.stdout, "%s %s\n", t.result(release.Result(x.Result)), archive.Printable(x.Binary))
		if x.Reason != "" {
			fmt.Fprintf(p.stdout, "            %s\n", archive.Printable(x.Reason))
		}
		if x.Output != "" && x.Result == smoke.Fail {
			for line := range strings.Lines(tail(x.Output, shownOutput)) {
				fmt.Fprintf(p.stdout, "            | %s\n", archive.Printable(strings.TrimSuffix(line, "\n")))
			}
		}
	}
	word := string(r.Result)
	if r.Result != smoke.Incomplete {
		word = t.result(release.Result(r.Result))
	}
	_, err := fmt.Fprintf(p.stdout, "%s %s: %d of %d binaries passed, %d failed, %d not checked, %d of them for other platforms than %s; network: %s\n",
		word, r.Release.Name(r.DryRun), r.Passed, len(r.Tests), r.Failed, r.NotChecked, r.OtherPlatforms, r.Host, r.Network)
	return err
}

// shownOutput is how many bytes of a failed program's output a terminal gets; --json
// has all of it.
const shownOutput = 2000

// tail returns the last lines of a text, of about n bytes.
func tail(text string, n int) string {
	if len(text) <= n {
		return text
	}
	text = text[len(text)-n:]
	if _, rest, ok := strings.Cut(text, "\n"); ok {
		text = rest
	}
	return "…\n" + text
}

// smokeEntry is the catalog's entry of test results.
func smokeEntry() evidence.Entry {
	return evidence.Entry{PredicateType: smoke.PredicateType, Roles: trust.RolesFor(smoke.PredicateType), Kind: evidence.KindAttestation, Facts: func([]byte) (evidence.Facts, error) { return evidence.Facts{}, nil }}
}
