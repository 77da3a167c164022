package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/release/osv"
	"github.com/urfave/cli/v2"
)

func (p *program) scanCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "scan",
		Usage: "match what is linked into a package against OSV files, offline",
		Description: "PKG verifies first. --osv is a directory, a zip (such as the Go vulnerability database's) or one JSON file; nothing is fetched. " +
			"Modules are matched, not whether the vulnerable code is reached. Exit code 4 when a finding fails.",
		Flags: append(trustFlags(),
			&cli.StringSliceFlag{Name: "osv", Usage: "`DIR|ZIP|FILE` of OSV entries; may be repeated"},
			&cli.StringFlag{Name: "fail-at", Value: "any", Usage: "lowest `LEVEL` that fails: any, low, medium, high or critical"},
			&cli.StringFlag{Name: "statement", Usage: "write a signed in-toto vulns statement to `FILE`"},
			&cli.StringFlag{Name: "statement-key", Usage: "signing `KEY` of a verifier for --statement"},
			&cli.StringFlag{Name: "vex", Usage: "write an OpenVEX document to `FILE`"},
			&cli.StringFlag{Name: "author", Usage: "`NAME` of who states the OpenVEX document"},
			&cli.StringFlag{Name: "trusted-root", Hidden: true},
		),
		Action: p.scan,
	}, "PKG")
}

func (p *program) scan(ctx *cli.Context) error {
	sources := ctx.StringSlice("osv")
	if len(sources) == 0 {
		return usagef("https://vuln.go.dev offers a zip of the Go vulnerability database", "--osv is missing")
	}
	var options osv.Options
	if word := ctx.String("fail-at"); word != "any" {
		level, err := osv.ParseLevel(word)
		if err != nil {
			return usagef("any, low, medium, high or critical", "--fail-at: %v", err)
		}
		options.FailAt = level
	}
	if ctx.String("statement") != "" && ctx.String("statement-key") == "" {
		return usagef("give --statement-key, a key of the role verifier", "--statement needs a key to sign with")
	}
	started := p.now()
	database := &osv.Database{}
	for _, name := range sources {
		if err := addOSV(ctx, database, name); err != nil {
			return failure{exitFailed, fmt.Sprintf("%s: %v", name, err), "get the files again"}
		}
	}
	var facts osv.Facts
	if err := p.verified(ctx, ctx.Args().First(), func(container release.Container, verdict *release.Verdict) (err error) {
		facts, err = osv.Read(container, verdict)
		return err
	}); err != nil {
		return err
	}
	report, err := osv.Scan(database, facts, options)
	if err != nil {
		return failure{exitFailed, err.Error(), "look at what --osv names"}
	}
	if err := p.writeScan(ctx, report, started); err != nil {
		return err
	}
	if err := p.showScan(report); err != nil {
		return err
	}
	if report.Result != string(release.Pass) {
		return &shownError{exitRule}
	}
	return nil
}

// addOSV reads a directory, a zip or a file of entries.
func addOSV(ctx *cli.Context, database *osv.Database, name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return database.AddFS(ctx.Context, os.DirFS(name))
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if strings.HasSuffix(name, ".zip") {
		return database.AddZip(ctx.Context, f, info.Size())
	}
	return database.Add(name, f)
}

// writeScan writes the statement and the OpenVEX document that were asked for.
func (p *program) writeScan(ctx *cli.Context, report *osv.Report, started time.Time) error {
	if file := ctx.String("statement"); file != "" {
		signer, err := p.signer(ctx.String("statement-key"))
		if err != nil {
			return err
		}
		bundle, err := evidence.Sign(signer, osv.NewStatement(report, version(), started, p.now()))
		if err != nil {
			return err
		}
		data, err := bundle.Marshal()
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return err
		}
	}
	file := ctx.String("vex")
	if file == "" {
		return nil
	}
	if ctx.String("author") == "" {
		return usagef("for example --author 'Example Corp'", "an OpenVEX document names its author")
	}
	vex, err := report.VEX(ctx.String("author"), version(), p.now())
	if errors.Is(err, osv.ErrNothingToState) {
		fmt.Fprintf(p.stderr, "%s: no finding, so that there is nothing to state\n", file)
		return nil
	}
	if err != nil {
		return err
	}
	return writeDocument(file, vex)
}

func (p *program) showScan(r *osv.Report) error {
	if p.json {
		return p.printJSON(r)
	}
	for _, f := range r.Findings {
		fixed := "no fix is named"
		if len(f.FixedIn) > 0 {
			fixed = "fixed in " + strings.Join(f.FixedIn, ", ")
		}
		fmt.Fprintf(p.stdout, "%-9s %s  %s %s: %s; %s\n", f.Level, f.ID, archive.Printable(f.Module), archive.Printable(f.Version), archive.Printable(f.Summary), archive.Printable(fixed))
	}
	for _, u := range r.NotChecked {
		fmt.Fprintf(p.stdout, "not-checked %s  %s %s\n", u.ID, archive.Printable(u.Module), archive.Printable(u.Version))
	}
	word := p.terminal(p.stdout).result(release.Result(r.Result))
	if r.Result == "incomplete" {
		word = "incomplete"
	}
	_, err := fmt.Fprintf(p.stdout, "%s %s: %d findings fail, %d below the threshold, %d not checked; %d modules and toolchains in %d binaries\n",
		word, r.Release.Name(false), r.Failed, r.Allowed, len(r.NotChecked), r.Codes, len(r.Binaries))
	return err
}

// scanEntry is the catalog's entry of vulnerability statements.
func scanEntry() evidence.Entry {
	return evidence.Entry{PredicateType: osv.VulnsType, Roles: trust.RolesFor(osv.VulnsType), Kind: evidence.KindAttestation, Facts: func([]byte) (evidence.Facts, error) { return evidence.Facts{}, nil }}
}
