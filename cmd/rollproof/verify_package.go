package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rollproof/rollproof/evidence/envelope"
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
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "key", Usage: "public key `PUB` of who made the package (PEM or OpenSSH line)"},
			&cli.BoolFlag{Name: "allow-unsigned", Usage: "let a dry run pass without signatures; the verdict says so"},
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "list the checks that passed too"},
		},
		Action: p.verifyPackage,
	}, "DIR|ZIP")
}

func (p *program) verifyPackage(ctx *cli.Context) error {
	name := ctx.Args().First()
	authority, err := p.authority(ctx.String("key"), name)
	if err != nil {
		return err
	}
	container, closer, err := dist.Open(name)
	if err != nil {
		return err
	}
	defer closer.Close()
	verdict, err := release.Verify(ctx.Context, container, release.VerifyOptions{
		Authority: authority, AllowUnsigned: ctx.Bool("allow-unsigned"),
	})
	if err != nil {
		return err
	}
	if err := p.showVerdict(name, verdict, ctx.Bool("verbose")); err != nil {
		return err
	}
	if verdict.Result != release.Pass {
		return &shownError{exitEvidence}
	}
	return nil
}

// authority returns what --key trusts, or nil without it: then the verdict fails.
func (p *program) authority(key, subject string) (trust.Authority, error) {
	if key == "" {
		return nil, nil
	}
	if err := refuseInside(key, subject); err != nil {
		return nil, err
	}
	data, err := readFile(key, maxKeyFile)
	if err != nil {
		return nil, err
	}
	public, err := envelope.ParsePublicKey(data)
	if errors.Is(err, envelope.ErrPrivateKey) {
		return nil, usagef("give the public half: rollproof keys public "+key+" prints it", "%s is a private key, which no verifier needs", key)
	}
	if err != nil {
		return nil, usagef("expected a PEM block \"PUBLIC KEY\" or one OpenSSH line", "%s: %v", key, err)
	}
	return trust.SingleKey(public), nil
}

// refuseInside refuses trust that lies inside what it shall verify, also by way of a
// link.
func refuseInside(file, subject string) error {
	subjectInfo, err := os.Stat(subject)
	if err != nil {
		return err
	}
	for _, path := range []func(string) (string, error){filepath.Abs, filepath.EvalSymlinks} {
		at, err := path(file)
		if err == nil {
			at, err = filepath.Abs(at)
		}
		if err != nil {
			return err
		}
		for {
			if info, err := os.Stat(at); err == nil && os.SameFile(info, subjectInfo) {
				return usagef("get the key on another way than the package", "%s lies inside %s: a package never chooses its own trust", file, subject)
			}
			parent := filepath.Dir(at)
			if parent == at {
				break
			}
			at = parent
		}
	}
	return nil
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
	if v.Trust.Note != "" {
		fmt.Fprintf(p.stdout, "trust: %s\n", v.Trust.Note)
	}
	_, err := fmt.Fprintf(p.stdout, "%s %s: %d passed, %d failed, %d not checked; %d files, %s\n", t.result(v.Result), name, v.Passed, v.Failed, v.NotChecked, v.Files, byteCount(v.Bytes))
	return err
}

func checkTitle(c release.Check) string {
	if c.Subject == "" {
		return c.ID
	}
	return c.ID + "  " + c.Subject
}
