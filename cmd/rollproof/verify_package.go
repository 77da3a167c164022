package main

import (
	"fmt"

	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/dist"
	"github.com/urfave/cli/v2"
)

func (p *program) verifyPackageCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "verify-package",
		Usage: "check a package, a directory or a zip, offline, against a key from outside of it",
		Description: "Runs every check and prints each as pass, FAIL or not-checked. Exit code 0: the verdict is pass. " +
			"3: the package is not what its signer made, or nobody you trust signed it.",
		Flags: append(append(trustFlags(), summaryFlags("the verdict")...),
			&cli.BoolFlag{Name: "allow-unsigned", Usage: "let a dry run pass without signatures; the verdict says so"},
			&cli.StringFlag{Name: "trusted-root", Usage: "Sigstore trusted_root.json or .jsonl `FILE` for keyless bundles beside the package"},
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "list the checks that passed too"},
		),
		Action: p.verifyPackage,
	}, "DIR|ZIP")
}

func (p *program) verifyPackage(ctx *cli.Context) error {
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
	if err := p.showVerdict(name, verdict, ctx.Bool("verbose")); err != nil {
		return err
	}
	if err := p.summarize(ctx, container, verdict); err != nil {
		return err
	}
	if verdict.Result != release.Pass {
		return &shownError{exitEvidence}
	}
	return nil
}

// verdict verifies a package with what lies beside it.
func (p *program) verdict(ctx *cli.Context, name string, container release.Container, authority trust.Authority) (*release.Verdict, error) {
	proofs, err := p.proofs(name, container, authority)
	if err != nil {
		return nil, err
	}
	opts := release.VerifyOptions{
		Authority: authority, AllowUnsigned: ctx.Bool("allow-unsigned"), Proofs: proofs, Weakenings: trustWeakenings(ctx),
	}
	if opts.Sidecar, opts.Keyless, err = p.sidecarBundles(name, ctx.String("trusted-root"), authority); err != nil {
		return nil, err
	}
	return release.Verify(ctx.Context, container, opts)
}

// showVerdict prints a verdict on stdout.
func (p *program) showVerdict(name string, v *release.Verdict, verbose bool) error {
	if p.json {
		return p.printJSON(v)
	}
	t := p.terminal(p.stdout)
	for _, c := range v.Checks {
		if c.Result == release.Pass && !verbose {
			continue
		}
		fmt.Fprintf(p.stdout, "%s %s\n", t.result(c.Result), checkTitle(c))
		for _, line := range [][2]string{{"expected", c.Expected}, {"actual", c.Actual}, {"hint", c.Hint}} {
			if line[1] != "" {
				fmt.Fprintf(p.stdout, "            %-8s  %s\n", line[0], line[1])
			}
		}
	}
	for _, w := range v.Weakenings {
		fmt.Fprintf(p.stdout, "weakened by %s: %d checks were not required\n", w.Flag, len(w.Checks))
	}
	if v.Release != nil {
		fmt.Fprintf(p.stdout, "%s %s, commit %s, manifest %s\n", v.Release.Project, v.Release.Version, v.Release.Source.GitCommit, v.ManifestDigest)
	}
	for _, s := range v.Signers {
		fmt.Fprintf(p.stdout, "signed by %s\n", s)
	}
	fmt.Fprintf(p.stdout, "trust: %s\n", describeTrust(v.Trust))
	for _, n := range v.Notes {
		fmt.Fprintf(p.stdout, "note: %s\n", n)
	}
	_, err := fmt.Fprintf(p.stdout, "%s %s: %d passed, %d failed, %d not checked; %d files, %s\n", t.result(v.Result), name, v.Passed, v.Failed, v.NotChecked, v.Files, byteCount(v.Bytes))
	return err
}

func describeTrust(t release.TrustUsed) string {
	switch t.Mode {
	case "key":
		return "the one key " + t.KeyID
	case "root":
		return fmt.Sprintf("version %d, %s, issued %s (%d days ago), expires %s, pinned %s", t.Version, t.Digest, t.Issued, t.AgeDays, t.Expires, t.Pin)
	}
	return "none"
}

func checkTitle(c release.Check) string {
	if c.Subject == "" {
		return c.ID
	}
	return c.ID + "  " + c.Subject
}
