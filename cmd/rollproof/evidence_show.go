package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/urfave/cli/v2"
)

func (p *program) evidenceShowCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "show",
		Usage: "show a record: what its envelope says, never what a column says",
		Description: "ID is the digest of a record or of an act, or at least 8 hex digits of it. " +
			"Where the store says something else than the envelope, each difference is listed and the exit code is 3. No signature is verified: see evidence verify.",
		Flags: append(rootFlags(), storeFlag(), serverFlag(),
			&cli.BoolFlag{Name: "raw", Usage: "print the envelope's exact bytes"},
			&cli.StringFlag{Name: "files", Usage: "write the files that belong to the record below `DIR`, each named by its sha256"},
			&cli.BoolFlag{Name: "tree", Usage: "show what the record stands on, and what stands on it"},
		),
		Action: p.evidenceShow,
	}, "ID")
}

func (p *program) evidenceShow(ctx *cli.Context) error {
	if ctx.Bool("raw") && ctx.Bool("tree") {
		return usagef("give one of them", "--raw and --tree are two answers")
	}
	if remote, err := p.remote(ctx); err != nil || remote != nil {
		if err != nil {
			return err
		}
		return p.showRemote(ctx, remote)
	}
	intake, err := p.deriving(ctx)
	if err != nil {
		return err
	}
	store, err := readStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	index, err := store.Find(ctx.Context, ctx.Args().First())
	if err != nil {
		return badStore(err)
	}
	if dir := ctx.String("files"); dir != "" {
		if err := writeFilesOf(ctx, store, index, dir); err != nil {
			return err
		}
	}
	if ctx.Bool("raw") {
		return p.showEnvelope(ctx, store, index)
	}
	if ctx.Bool("tree") {
		lineage, err := intake.Lineage(ctx.Context, store, index)
		if err != nil {
			return badStore(err)
		}
		return p.showLineage(lineage)
	}
	record, differences, err := intake.Rederive(ctx.Context, store, index)
	if err != nil && !errors.Is(err, evidence.ErrErased) {
		return badStore(err)
	}
	blobs, err := store.Blobs(ctx.Context, index)
	if err != nil {
		return badStore(err)
	}
	if err := p.showRecord(record.Document(blobs, differences)); err != nil {
		return err
	}
	if len(differences) > 0 {
		return &shownError{exitEvidence}
	}
	return nil
}

// showEnvelope writes a record's exact bytes.
func (p *program) showEnvelope(ctx *cli.Context, store evidence.Reader, index int64) error {
	record, err := store.Record(ctx.Context, index)
	if err != nil {
		return badStore(err)
	}
	if record.Erased != nil {
		return badStore(evidence.ErrErased)
	}
	_, err = p.stdout.Write(record.Envelope)
	return err
}

// writeFilesOf writes the files that belong to a record, each under its digest.
func writeFilesOf(ctx *cli.Context, store *sqlite.Store, index int64, dir string) error {
	blobs, err := store.Blobs(ctx.Context, index)
	if err != nil {
		return badStore(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, b := range blobs {
		if err := writeBlob(ctx, store, b, filepath.Join(dir, b.Digest.Hex())); err != nil {
			return err
		}
	}
	return nil
}

// writeBlob writes a file of the store, and keeps nothing of one that was changed.
func writeBlob(ctx *cli.Context, store *sqlite.Store, b evidence.Blob, name string) error {
	from, err := store.OpenBlob(ctx.Context, b.Digest)
	if err != nil {
		return badStore(err)
	}
	defer from.Close()
	to, err := os.Create(name)
	if err != nil {
		return err
	}
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(to, hash), from)
	if err = errors.Join(err, to.Close()); err == nil && evidence.Digest(hash.Sum(nil)) != b.Digest {
		err = failure{exitEvidence, fmt.Sprintf("blob %s was changed", b.Digest), "rollproof evidence verify --all names each place"}
	}
	if err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// deriving is an intake that derives records again, and judges acts where a trust root
// is known.
func (p *program) deriving(ctx *cli.Context) (evidence.Intake, error) {
	known, err := catalog()
	if err != nil {
		return evidence.Intake{}, err
	}
	intake := evidence.Intake{Catalog: known}
	chain, _, err := p.rootAuthority(ctx, ctx.String("sqlite"), nil)
	if err == nil && chain != nil {
		intake.Judge = evidence.Judges{ledger(chain), tokenJudge(chain)}
	}
	return intake, err
}

func (p *program) showRecord(doc evidence.RecordDocument) error {
	if p.json {
		return p.printJSON(doc)
	}
	w := &strings.Builder{}
	for _, f := range doc.Record.Fields() {
		if f[1] != "" {
			fmt.Fprintf(w, "%-16s %s\n", f[0], archive.Printable(f[1]))
		}
	}
	for _, s := range doc.Subjects {
		fmt.Fprintf(w, "%-16s %s", "subject", archive.Printable(s.Name))
		for _, algorithm := range sortedNames(s.Digest) {
			fmt.Fprintf(w, "  %s:%s", archive.Printable(algorithm), archive.Printable(s.Digest[algorithm]))
		}
		fmt.Fprintln(w)
	}
	for _, b := range doc.Blobs {
		fmt.Fprintf(w, "%-16s %s  %s\n", "blob", b.Digest, byteCount(b.Size))
	}
	for _, d := range doc.Differences {
		fmt.Fprintf(w, "%s %s: the envelope says %s, the store says %s\n", p.terminal(p.stdout).paint("1;31", "DIFFERS"), d.Field, archive.Printable(d.Expected), archive.Printable(d.Actual))
	}
	_, err := fmt.Fprint(p.stdout, w)
	return err
}

// showLineage prints a record between what it stands on and what stands on it.
func (p *program) showLineage(l evidence.Lineage) error {
	if p.json {
		return p.printJSON(l)
	}
	w := &strings.Builder{}
	fmt.Fprintln(w, lineageWords(l.Record))
	for _, part := range []struct {
		title string
		list  []evidence.Relative
	}{{"stands on", l.StandsOn}, {"below", l.Below}} {
		fmt.Fprintf(w, "%s:", part.title)
		if len(part.list) == 0 {
			fmt.Fprint(w, " nothing")
		}
		fmt.Fprintln(w)
		writeRelatives(w, part.list, "  ")
	}
	if l.Cut {
		fmt.Fprintf(w, "there are more than %d: narrow it with evidence search --digest\n", evidence.MaxRelatives)
	}
	_, err := fmt.Fprint(p.stdout, w)
	return err
}

func writeRelatives(w *strings.Builder, list []evidence.Relative, indent string) {
	for _, r := range list {
		fmt.Fprintf(w, "%s%s\n", indent, lineageWords(r.Record))
		writeRelatives(w, r.Behind, indent+"  ")
	}
}

func lineageWords(r evidence.RecordLine) string {
	words := []string{fmt.Sprint(r.Index), string(r.Kind), r.Act.Hex()[:12], r.Signer.Person, r.Recorded}
	for _, fact := range []string{r.Facts.Version, r.Facts.Ring, r.Facts.TargetRing, r.Facts.RolloutStatus, r.Facts.ApprovalState, r.Facts.ExecutionStatus} {
		if fact != "" {
			words = append(words, archive.Printable(fact))
		}
	}
	if r.Illegal != "" {
		words = append(words, "ILLEGAL: "+archive.Printable(r.Illegal))
	}
	return strings.Join(words, "  ")
}

func sortedNames(d evidence.DigestSet) []string {
	var names []string
	for name := range d {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
