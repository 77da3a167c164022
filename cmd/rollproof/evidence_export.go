package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/rollproof/rollproof/evidence/export"
	"github.com/rollproof/rollproof/evidence/translog"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/rollout"
	"github.com/urfave/cli/v2"
)

// exportFilters are the filters of a search without those that only page a list, and
// without those that no single envelope decides.
func exportFilters() []cli.Flag {
	return slices.DeleteFunc(filterFlags(), func(f cli.Flag) bool {
		return slices.Contains([]string{"limit", "cursor", "illegal", "order"}, f.Names()[0])
	})
}

func (p *program) evidenceExportCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "export",
		Usage: "write an auditor's zip: records, their files, the trust root, a checkpoint and proofs, under a signed index",
		Description: "Signed by a key of the role auditor, over the log's newest checkpoint. Without more, the records that fit the filters are there, each proved to be in the log: others may have been left out. " +
			"--labels adds every entry of the log; --prove-complete adds every record, so that the recipient rebuilds the tree and runs the filters himself: then the answer is complete for this tree of this log.",
		Flags: append(append(rootFlags(), exportFilters()...), storeFlag(),
			&cli.StringFlag{Name: "out", Usage: "the `FILE`", Required: true},
			&cli.StringFlag{Name: "key", Usage: "signing `KEY` of an auditor: a file or ssh-agent:SHA256:… (default: ROLLPROOF_SIGNING_KEY)"},
			&cli.BoolFlag{Name: "labels", Usage: "with every entry of the log"},
			&cli.BoolFlag{Name: "prove-complete", Usage: "with every record of the log"},
			&cli.BoolFlag{Name: "no-blobs", Usage: "without the files that belong to the records"},
			&cli.StringFlag{Name: "since-checkpoint", Usage: "link to the older checkpoint in `FILE`, which the recipient holds"},
		),
		Action: p.evidenceExport,
	})
}

func (p *program) evidenceExport(ctx *cli.Context) error {
	q, err := p.filters(ctx)
	if err != nil {
		return err
	}
	if ctx.Bool("labels") && ctx.Bool("prove-complete") {
		return usagef("give one of them", "--prove-complete holds what --labels adds")
	}
	a, err := p.signing(ctx)
	if err != nil {
		return err
	}
	store, err := readStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	source := export.Source{
		Reader: store, Catalog: a.Catalog, Query: q, Completeness: export.Matching, Blobs: !ctx.Bool("no-blobs"),
		Chain: a.Chain, Authority: a.Authority, Signer: a.signer,
	}
	switch {
	case ctx.Bool("labels"):
		source.Completeness = export.Labels
	case ctx.Bool("prove-complete"):
		source.Completeness = export.Complete
	}
	if file := ctx.String("since-checkpoint"); file != "" {
		data, err := readFile(file, translog.MaxSignedSize)
		if err != nil {
			return err
		}
		signed, err := translog.ParseSigned(data)
		if err != nil {
			return badLog(err)
		}
		source.Since = &signed.Checkpoint
	}
	index, err := writeExport(ctx, source, ctx.String("out"))
	if err != nil {
		return badExport(err)
	}
	if p.json {
		return p.printJSON(index)
	}
	_, err = fmt.Fprintf(p.stdout, "%s\n%d records, %d files; %s; tree of size %d of %s\n", ctx.String("out"), index.Counts.Records, index.Counts.Blobs, index.Completeness, index.Size, index.Origin)
	return err
}

// writeExport writes an export beside its place and puts it there when it is whole.
func writeExport(ctx *cli.Context, source export.Source, out string) (index export.Index, err error) {
	scratch, err := os.CreateTemp("", "rollproof-export-")
	if err != nil {
		return index, err
	}
	defer func() { err = errors.Join(err, scratch.Close(), os.Remove(scratch.Name())) }()
	source.Scratch = scratch
	f, err := os.CreateTemp(filepath.Dir(out), ".new-")
	if err != nil {
		return index, err
	}
	index, err = export.Write(ctx.Context, source, f)
	if err == nil {
		err = errors.Join(f.Chmod(0o644), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), out)
	}
	if err != nil {
		return index, errors.Join(err, os.Remove(f.Name()))
	}
	return index, nil
}

func badExport(err error) error {
	if errors.Is(err, export.ErrNoCheckpoint) {
		return failure{exitFailed, err.Error(), "rollproof evidence log checkpoint signs one"}
	}
	var signer *trust.Error
	if errors.As(err, &signer) {
		return failure{exitEvidence, err.Error(), signer.Hint}
	}
	return badLog(err)
}

func (p *program) verifyExportCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "verify-export",
		Usage: "check an auditor's zip on any machine, without network, database or account",
		Description: "The trust root comes from --pin, never from the export; its copy may only move the pin forward. --checkpoint is one of the log that you hold: an older tree than that fails. " +
			"--report writes this machine's own page about what it found.",
		Flags: append(rootFlags(),
			&cli.StringFlag{Name: "checkpoint", Usage: "a checkpoint of the log that you hold, in `FILE`"},
			&cli.BoolFlag{Name: "require-complete", Usage: "fail unless every record of the log is there"},
			&cli.StringFlag{Name: "report", Usage: "write the report as one HTML page to `FILE`"},
		),
		Action: p.verifyExport,
	}, "ZIP")
}

func (p *program) verifyExport(ctx *cli.Context) error {
	name := ctx.Args().First()
	known, err := catalog()
	if err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var authority trust.Authority
	o := export.Options{Catalog: known, RequireComplete: ctx.Bool("require-complete"), Now: p.now(),
		Trust: func(files map[string][]byte) (_ trust.Authority, err error) {
			authority, err = p.exportTrust(ctx, name, files)
			return authority, err
		},
		Erases: rollout.Orders(func() int { return authority.Threshold(trust.Policy) }),
	}
	if file := ctx.String("checkpoint"); file != "" {
		if o.Checkpoint, err = readFile(file, translog.MaxSignedSize); err != nil {
			return err
		}
	}
	report, err := export.Verify(ctx.Context, f, info.Size(), o)
	if err != nil {
		return err
	}
	if file := ctx.String("report"); file != "" {
		if err := os.WriteFile(file, report.HTML(), 0o644); err != nil {
			return err
		}
	}
	if err := p.showExport(name, report); err != nil {
		return err
	}
	if report.Result != export.Pass {
		return &shownError{exitEvidence}
	}
	return nil
}

// exportTrust walks the pinned trust root as far as the export's copy leads.
func (p *program) exportTrust(ctx *cli.Context, name string, carried map[string][]byte) (trust.Authority, error) {
	pin, dir, err := p.pinned(ctx, name)
	if err != nil {
		return nil, err
	}
	if pin == "" {
		return nil, failure{exitEvidence, "no trust root is pinned", "give --pin sha256:…, received on another way than the export"}
	}
	chain, err := walk(pin, dir, carried)
	if err != nil {
		return nil, err
	}
	return p.authorityOf(ctx, chain)
}

func (p *program) showExport(name string, r *export.Report) error {
	if p.json {
		return p.printJSON(r)
	}
	t := p.terminal(p.stdout)
	for _, c := range r.Checks {
		if c.Result == export.Pass {
			continue
		}
		word := t.paint("33", "not-checked")
		if c.Result == export.Fail {
			word = t.paint("1;31", "FAIL       ")
		}
		fmt.Fprintf(p.stdout, "%s %s  %s\n", word, c.ID, archive.Printable(c.Subject))
		for _, line := range [][2]string{{"expected", c.Expected}, {"actual", c.Actual}, {"hint", c.Hint}} {
			if line[1] != "" {
				fmt.Fprintf(p.stdout, "            %-9s %s\n", line[0], archive.Printable(line[1]))
			}
		}
	}
	for _, n := range r.Notes {
		fmt.Fprintf(p.stdout, "note: %s\n", archive.Printable(n))
	}
	if r.Tree != nil {
		fmt.Fprintf(p.stdout, "tree of size %d of %s, exported by %s, %s\n", r.Tree.Size, archive.Printable(r.Tree.Origin), archive.Printable(r.Exporter), orNothing(string(r.Completeness)))
	}
	word := t.paint("1;32", "pass")
	if r.Result != export.Pass {
		word = t.paint("1;31", "FAIL")
	}
	_, err := fmt.Fprintf(p.stdout, "%s %s: %d passed, %d failed, %d not checked; %d records\n", word, name, r.Passed, r.Failed, r.NotChecked, len(r.Records))
	return err
}
