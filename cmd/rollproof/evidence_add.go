package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/urfave/cli/v2"
)

func (p *program) evidenceAddCommand() *cli.Command {
	return p.several(&cli.Command{
		Name:  "add",
		Usage: "verify signed statements and record them; makes the store if it is not there",
		Description: "FILE is a Sigstore bundle, a DSSE envelope, or a .jsonl file with one of them on each line. " +
			"Everything is verified first: where one envelope is refused, none is recorded. An act that is recorded already stays as it is.",
		Flags: append(trustFlags(), storeFlag(), serverFlag(),
			&cli.BoolFlag{Name: "allow-unknown-signer", Usage: "record statements of other people's predicate types that nobody trusted signed, as unverified: they never count"},
			&cli.StringSliceFlag{Name: "blob", Usage: "keep a `FILE` that one of the statements has as a subject; may be repeated"},
		),
		Action: p.evidenceAdd,
	}, 1, "FILE")
}

// An input is an envelope and where it comes from.
type input struct {
	source string // FILE, or FILE:LINE
	data   []byte
}

func (p *program) evidenceAdd(ctx *cli.Context) error {
	if remote, err := p.remote(ctx); err != nil || remote != nil {
		if err != nil {
			return err
		}
		return p.addRemote(ctx, remote)
	}
	intake, err := p.intake(ctx, ctx.Args().First())
	if err != nil {
		return err
	}
	if reason, hint := currentTrust(intake.Authority); reason != "" {
		return failure{exitEvidence, reason, hint}
	}
	intake.AllowUnknownSigner = ctx.Bool("allow-unknown-signer")
	inputs, err := readInputs(ctx.Args().Slice())
	if err != nil {
		return err
	}
	records, doc := p.examine(intake, inputs)
	if len(doc.Refused) > 0 {
		if err := p.showAdded(doc); err != nil {
			return err
		}
		return &shownError{exitEvidence}
	}
	if err := p.record(ctx, intake, inputs, records, &doc); err != nil {
		return badStore(err)
	}
	return p.showAdded(doc)
}

// maxInput is the size in bytes of the largest file of envelopes.
const maxInput = 1 << 30

// readInputs reads every envelope of the files.
func readInputs(files []string) ([]input, error) {
	var list []input
	for _, file := range files {
		limit := int64(envelope.MaxDocument)
		lines := strings.HasSuffix(file, ".jsonl")
		if lines {
			limit = maxInput
		}
		data, err := readFile(file, limit)
		if err != nil {
			return nil, err
		}
		if !lines {
			list = append(list, input{file, data})
			continue
		}
		number := 0
		for line := range bytes.Lines(data) {
			number++
			if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 {
				list = append(list, input{fmt.Sprintf("%s:%d", file, number), line})
			}
		}
	}
	return list, nil
}

// many is from how many envelopes on progress is shown.
const many = 50

// examine verifies every envelope.
func (p *program) examine(intake evidence.Intake, inputs []input) ([]evidence.Record, evidence.AddDocument) {
	doc := evidence.AddDocument{Schema: evidence.AddSchema, Records: []evidence.AddedLine{}, Blobs: []evidence.Blob{}, Refused: []evidence.RefusedLine{}}
	show, done := p.progress()
	defer done()
	var envelopes [][]byte
	for _, in := range inputs {
		envelopes = append(envelopes, in.data)
	}
	examined, errs := intake.ExamineAll(envelopes, func(n int) {
		if len(inputs) >= many && n%many == 0 {
			show(release.Event{Phase: "verify", Done: n, Total: len(inputs)})
		}
	})
	var records []evidence.Record
	for i, err := range errs {
		var refused *evidence.RefusedError
		if errors.As(err, &refused) {
			doc.Refused = append(doc.Refused, evidence.RefusedLine{Source: inputs[i].source, Fault: refused.Fault, Reason: refused.Err.Error(), Hint: refused.Hint})
			continue
		}
		records = append(records, examined[i])
	}
	return records, doc
}

// record stores the records and the files that belong to them.
func (p *program) record(ctx *cli.Context, intake evidence.Intake, inputs []input, records []evidence.Record, doc *evidence.AddDocument) error {
	store, err := p.writeStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	for _, file := range ctx.StringSlice("blob") {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		blob, err := store.PutBlob(ctx.Context, f)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		doc.Blobs = append(doc.Blobs, blob)
	}
	added, err := intake.Add(ctx.Context, store, records, doc.Blobs...)
	if err != nil {
		return err
	}
	for i, a := range added {
		r := a.Record
		doc.Records = append(doc.Records, evidence.AddedLine{Source: inputs[i].source, Index: r.Index, ID: r.ID, Act: r.Act, Kind: r.Kind, New: a.New})
	}
	return nil
}

func (p *program) showAdded(doc evidence.AddDocument) error {
	if p.json {
		return p.printJSON(doc)
	}
	for _, r := range doc.Records {
		word := "added  "
		if !r.New {
			word = "present"
		}
		fmt.Fprintf(p.stdout, "%s %d  %s  %s  %s\n", word, r.Index, r.ID, r.Kind, archive.Printable(r.Source))
	}
	for _, b := range doc.Blobs {
		fmt.Fprintf(p.stdout, "blob    %s  %s\n", b.Digest, byteCount(b.Size))
	}
	for _, r := range doc.Refused {
		fmt.Fprintf(p.stdout, "REFUSED %s: %s: %s\n", archive.Printable(r.Source), r.Fault, archive.Printable(r.Reason))
		if r.Hint != "" {
			fmt.Fprintf(p.stdout, "        hint: %s\n", archive.Printable(r.Hint))
		}
	}
	if len(doc.Refused) > 0 {
		fmt.Fprintln(p.stdout, "nothing was recorded")
	}
	return nil
}
