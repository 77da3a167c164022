package main

import (
	"fmt"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/urfave/cli/v2"
)

func (p *program) evidenceCleanCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "clean-blobs",
		Usage: "remove files that belong to no record",
		Description: "Such files are left by a command that stored a file and died before it recorded to what it belongs, and by the death of a process that erased. " +
			"A file that was written less than a day ago stays: its record may be on the way.",
		Flags:  []cli.Flag{storeFlag(), &cli.DurationFlag{Name: "older-than", Value: sqlite.MinBlobAge, Usage: "last written longer ago than `DURATION`, 24h at least"}},
		Action: p.evidenceClean,
	})
}

// A cleanDocument lists the files that were removed.
type cleanDocument struct {
	Schema  string          `json:"schema"`
	Removed []evidence.Blob `json:"removed"`
	Bytes   int64           `json:"bytes"`
}

func (p *program) evidenceClean(ctx *cli.Context) error {
	age := ctx.Duration("older-than")
	if age < sqlite.MinBlobAge {
		return usagef("24h at least", "--older-than %s", age.Round(time.Second))
	}
	if err := existingStore(ctx); err != nil {
		return err
	}
	store, err := p.writeStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	removed, err := store.CleanBlobs(ctx.Context, age)
	if err != nil {
		return badStore(err)
	}
	doc := cleanDocument{Schema: evidence.Namespace + "evidence-clean/v1", Removed: append([]evidence.Blob{}, removed...)}
	for _, b := range removed {
		doc.Bytes += b.Size
	}
	if p.json {
		return p.printJSON(doc)
	}
	for _, b := range removed {
		fmt.Fprintf(p.stdout, "removed %s  %s\n", b.Digest, byteCount(b.Size))
	}
	_, err = fmt.Fprintf(p.stdout, "%d files, %s\n", len(removed), byteCount(doc.Bytes))
	return err
}
