package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/release"
	"github.com/urfave/cli/v2"
)

func (p *program) verifyPromotionCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:        "verify-promotion",
		Usage:       "check a request or an execution and everything that it stands on: signatures, rules, package",
		Description: "REQUEST|EXECUTION is a digest, or a request's id. Every act below it is verified again and judged again where it stands in the log. Exit code 3 when one is not what it says or did not count.",
		Flags: append(append(rootFlags(), summaryFlags(promotionSummary)...), storeFlag(),
			&cli.StringFlag{Name: "package", Usage: "the package's `DIR|ZIP` (default: its files in the store)"},
			&cli.StringFlag{Name: "trusted-root", Hidden: true},
		),
		Action: p.verifyPromotion,
	}, "REQUEST|EXECUTION")
}

func (p *program) verifyPromotion(ctx *cli.Context) error {
	a, store, err := p.reading(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	name := ctx.Args().First()
	if _, request, err := a.findRequest(store, name); err == nil {
		name = request.Act.Hex()
	}
	index, err := store.Find(ctx.Context, strings.TrimPrefix(name, "sha256:"))
	if err != nil {
		return badStore(err)
	}
	record, err := store.Record(ctx.Context, index)
	if err != nil {
		return badStore(err)
	}
	summary, err := a.promotionSigner(record.Project)
	if err != nil {
		return err
	}
	lineage, err := a.Intake().Lineage(ctx.Context, store, index)
	if err != nil {
		return badStore(err)
	}
	indexes := map[int64]string{index: lineage.Record.Illegal}
	collect(lineage.StandsOn, indexes)
	report, err := a.Intake().Verify(ctx.Context, store, slices.Sorted(maps.Keys(indexes)))
	if err != nil {
		return badStore(err)
	}
	for _, i := range slices.Sorted(maps.Keys(indexes)) {
		if why := indexes[i]; why != "" {
			report.Problems = append(report.Problems, evidence.Problem{Index: i, Difference: evidence.Difference{Field: "rules", Expected: "an act that counts where it stands", Actual: why}})
		}
	}
	if err := a.promotedPackage(store, lineage.Record, &report); err != nil {
		return err
	}
	doc := report.Document(a.Authority.Facts().Notes)
	if err := p.showReport(lineage.Record.Act.String(), doc); err != nil {
		return err
	}
	if err := a.summarizePromotion(store, summary, record.Act, doc.Result != string(release.Pass)); err != nil {
		return err
	}
	if doc.Result != string(release.Pass) {
		return &shownError{exitEvidence}
	}
	return nil
}

// collect lists the records of a lineage, and why they are illegal.
func collect(list []evidence.Relative, into map[int64]string) {
	for _, r := range list {
		into[r.Record.Index] = r.Record.Illegal
		collect(r.Behind, into)
	}
}

// promotedPackage verifies the rollout and the package behind a promotion.
func (a *acting) promotedPackage(store *sqlite.Store, record evidence.RecordLine, report *evidence.Report) error {
	id := record.Facts.Rollout
	integrity, err := a.intact(store, record.Facts.Project, id)
	if err != nil {
		return err
	}
	for _, text := range integrity.Failures {
		report.Problems = append(report.Problems, evidence.Problem{Index: -1, Difference: evidence.Difference{Field: "rollout " + id, Expected: "a package and a rollout that verify", Actual: text}})
	}
	for _, k := range integrity.Revoked {
		report.Problems = append(report.Problems, evidence.Problem{Index: -1, Difference: evidence.Difference{Field: "key " + k.KeyID, Expected: "a key that counts", Actual: k.Reason}})
	}
	return nil
}
