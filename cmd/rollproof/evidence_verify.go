package main

import (
	"fmt"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/urfave/cli/v2"
)

func (p *program) evidenceVerifyCommand() *cli.Command {
	return p.several(&cli.Command{
		Name:  "verify",
		Usage: "check records again: signatures, exact encodings, every indexed fact, files, and with --all the database",
		Description: "Exit code 3: a record, a file or the database is not what its envelopes say; each place is named. " +
			"A record that was recorded as unverified has no signature that counts: it is counted apart.",
		Flags:  append(trustFlags(), storeFlag(), &cli.BoolFlag{Name: "all", Usage: "check every record"}),
		Action: p.evidenceVerify,
	}, 0, "[ID]")
}

func (p *program) evidenceVerify(ctx *cli.Context) error {
	if ctx.Bool("all") == ctx.Args().Present() {
		return usagef("see rollproof evidence verify --help", "give either --all or the ids of records")
	}
	store, err := readStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	intake, err := p.intake(ctx, ctx.String("sqlite"))
	if err != nil {
		return err
	}
	report, err := p.verifyRecords(ctx, intake, store)
	if err != nil {
		return badStore(err)
	}
	if reason, _ := currentTrust(intake.Authority); reason != "" {
		report.Problems = append(report.Problems, evidence.Problem{Index: -1, Difference: evidence.Difference{Field: "trust", Expected: "a trust root that is current", Actual: reason}})
	}
	doc := report.Document(intake.Authority.Facts().Notes)
	if err := p.showReport(ctx.String("sqlite"), doc); err != nil {
		return err
	}
	if doc.Result != "pass" {
		return &shownError{exitEvidence}
	}
	return nil
}

func (p *program) verifyRecords(ctx *cli.Context, intake evidence.Intake, store evidence.Reader) (evidence.Report, error) {
	if ctx.Bool("all") {
		return intake.VerifyAll(ctx.Context, store)
	}
	var indexes []int64
	for _, id := range ctx.Args().Slice() {
		index, err := store.Find(ctx.Context, id)
		if err != nil {
			return evidence.Report{}, err
		}
		indexes = append(indexes, index)
	}
	return intake.Verify(ctx.Context, store, indexes)
}

func (p *program) showReport(name string, doc evidence.VerifyDocument) error {
	if p.json {
		return p.printJSON(doc)
	}
	for _, problem := range doc.Problems {
		fmt.Fprintf(p.stdout, "%s\n", archive.Printable(problem.String()))
	}
	for _, n := range doc.Notes {
		fmt.Fprintf(p.stdout, "note: %s\n", n)
	}
	if doc.Erased+doc.BlobsErased > 0 {
		fmt.Fprintf(p.stdout, "not-checked: erased: the bytes of %d records, the files of %d\n", doc.Erased, doc.BlobsErased)
	}
	_, err := fmt.Fprintf(p.stdout, "%s %s: %d records (%d unverified, not checked), %d blobs, %d problems\n",
		p.terminal(p.stdout).result(release.Result(doc.Result)), name, doc.Records, doc.Unverified, doc.Blobs, len(doc.Problems))
	return err
}
