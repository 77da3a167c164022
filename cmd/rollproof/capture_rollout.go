package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/release/dist"
	"github.com/rollproof/rollproof/rollout"
	"github.com/urfave/cli/v2"
)

func (p *program) captureRolloutCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "capture-rollout",
		Usage: "say, signed, which package goes to which deployment targets, in which ring, under which change record",
		Description: "The package is verified first; a dry run, an unsigned or a failing one is refused. Only the policy's first ring is captured into freely: a later one needs --execution, the digest of the promotion that this log executed. " +
			"The rollout's directory is written below --out; rollproof release verify-rollout checks and records it.",
		Flags: append(actFlags(),
			&cli.StringFlag{Name: "change-record", Usage: "the `ID` of the change, such as CHG-123"},
			&cli.StringFlag{Name: "environment", Usage: "the `ENVIRONMENT` (default: that of the ring)"},
			&cli.StringFlag{Name: "ring", Usage: "the `RING` (default: the policy's first)"},
			&cli.StringSliceFlag{Name: "deployment-id", Usage: "a deployment target `ID` of the package; may be repeated (default: all of them)"},
			&cli.StringFlag{Name: "status", Value: string(rollout.StatusStaged), Usage: "planned or staged"},
			&cli.StringFlag{Name: "window", Usage: "when it is planned, as `FROM/TO` (RFC 3339)"},
			&cli.StringFlag{Name: "execution", Usage: "`DIGEST` of the executed promotion that lets the release into a later ring"},
			&cli.StringFlag{Name: "out", Value: ".rollproof/rollout", Usage: "`DIR` in which the rollout's directory is written"},
			&cli.BoolFlag{Name: "no-blobs", Usage: "do not keep the package's files in the store; verify-rollout then needs --package"},
			&cli.StringFlag{Name: "trusted-root", Hidden: true},
		),
		Action: p.captureRollout,
	}, "PKG")
}

func (p *program) captureRollout(ctx *cli.Context) error {
	name := ctx.Args().First()
	a, err := p.signing(ctx)
	if err != nil {
		return err
	}
	container, closer, err := dist.Open(name)
	if err != nil {
		return err
	}
	defer closer.Close()
	pkg, err := a.verifiedPackage(name, container)
	if err != nil {
		return err
	}
	capture, err := readCapture(ctx)
	if err != nil {
		return err
	}
	store, err := p.writeStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	statement, err := a.capture(store, pkg, capture)
	if err != nil {
		return badStore(err)
	}
	if !ctx.Bool("no-blobs") {
		if err := a.keepPackage(store, container); err != nil {
			return badStore(err)
		}
	}
	return a.writeRollout(statement, pkg, len(capture.Targets) == 0)
}

// verifiedPackage verifies a package and reads what rollouts need of it.
func (a *acting) verifiedPackage(name string, container release.Container) (*rollout.Package, error) {
	verdict, err := a.verdict(a.ctx, name, container, a.Authority)
	if err != nil {
		return nil, err
	}
	if verdict.Result != release.Pass {
		if err := a.showVerdict(name, verdict, false); err != nil {
			return nil, err
		}
		return nil, &shownError{exitEvidence}
	}
	pkg, err := service.ReadPackage(verdict, container)
	return pkg, badStore(err)
}

// readCapture reads what the operator decides.
func readCapture(ctx *cli.Context) (rollout.Capture, error) {
	c := rollout.Capture{
		Targets: ctx.StringSlice("deployment-id"), Environment: ctx.String("environment"), Ring: ctx.String("ring"),
		ChangeRecord: ctx.String("change-record"), Status: rollout.Status(ctx.String("status")),
	}
	if text := ctx.String("execution"); text != "" {
		act, err := evidence.ParseDigest(text)
		if err != nil {
			return c, usagef("the digest that execute-rollout-promotion printed", "--execution: %v", err)
		}
		c.Execution = act
	}
	if text := ctx.String("window"); text != "" {
		from, to, _ := strings.Cut(text, "/")
		start, err := time.Parse(time.RFC3339, from)
		end, err2 := time.Parse(time.RFC3339, to)
		if err := errors.Join(err, err2); err != nil {
			return c, usagef("for example --window 2026-03-02T20:00:00Z/2026-03-02T22:00:00Z", "--window: %v", err)
		}
		c.Window = &rollout.Planned{From: start.UTC(), To: end.UTC()}
	}
	return c, nil
}

// keepPackage records a verified package's closing statements and keeps its files.
// What the store has already is not copied again.
func (a *acting) keepPackage(store *sqlite.Store, container release.Container) error {
	var records []evidence.Record
	var files []archive.Entry
	for _, e := range container.Entries() {
		if !release.IsClosing(e.Path) {
			files = append(files, e)
			continue
		}
		data, err := readEntry(container, e.Path)
		if err != nil {
			return err
		}
		examined, err := a.Intake().Examine(data)
		if err != nil {
			return err
		}
		records = append(records, examined)
	}
	blobs, err := a.keepFiles(store, container, files)
	if err != nil {
		return err
	}
	_, err = a.Intake().Add(a.ctx.Context, store, records, blobs...)
	return err
}

// keeping is how many files are copied at once: each waits for the disk most of the time.
const keeping = 8

// keepFiles copies files into the store.
func (a *acting) keepFiles(store *sqlite.Store, container release.Container, files []archive.Entry) ([]evidence.Blob, error) {
	digests, err := closedDigests(container)
	if err != nil {
		return nil, err
	}
	show, done := a.progress()
	defer done()
	blobs, errs := make([]evidence.Blob, len(files)), make([]error, len(files))
	var mu sync.Mutex
	var next, kept int
	take := func() int {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1
	}
	var workers sync.WaitGroup
	for range min(keeping, len(files)) {
		workers.Go(func() {
			for i := take(); i < len(files); i = take() {
				blobs[i], errs[i] = a.keepFile(store, container, files[i], digests[files[i].Path])
				mu.Lock()
				kept++
				show(release.Event{Phase: "keep", Done: kept, Total: len(files)})
				if errs[i] != nil {
					next = len(files) // the others end what they have begun
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return blobs, cmp.Or(errs...)
}

// closedDigests are the digests that the closing statement names, by path.
func closedDigests(container release.Container) (map[string]evidence.Digest, error) {
	payload, err := release.ClosingStatement(container)
	if err != nil {
		return nil, err
	}
	s, err := evidence.DecodeStatement[release.Closing](payload, evidence.ReleaseEvidence)
	if err != nil {
		return nil, err
	}
	digests := map[string]evidence.Digest{}
	for _, subject := range s.Subject {
		if digests[subject.Name], err = evidence.ParseDigest(subject.Digest["sha256"]); err != nil {
			return nil, err
		}
	}
	return digests, nil
}

// keepFile copies a file into the store, unless it is there.
func (a *acting) keepFile(store *sqlite.Store, container release.Container, e archive.Entry, d evidence.Digest) (evidence.Blob, error) {
	if there, err := store.OpenBlob(a.ctx.Context, d); err == nil {
		return evidence.Blob{Digest: d, Size: e.Size}, there.Close()
	}
	f, err := container.Open(e.Path)
	if err != nil {
		return evidence.Blob{}, err
	}
	blob, err := store.PutBlob(a.ctx.Context, f)
	return blob, errors.Join(err, f.Close())
}

// A signedRollout is a capture that is signed and not yet written.
type signedRollout struct {
	statement     evidence.Statement[rollout.Rollout]
	bundle        envelope.Bundle
	envelope      []byte
	defaultPolicy bool
}

// capture makes the statement on the present state of the log, and asks whether it
// would be legal there.
func (a *acting) capture(store *sqlite.Store, pkg *rollout.Package, c rollout.Capture) (signedRollout, error) {
	var s signedRollout
	state, err := a.Ledger.Now(a.ctx.Context, store, pkg.Release.Project)
	if err != nil {
		return s, err
	}
	rules := state.Policy().Rules
	if c.Ring == "" {
		c.Ring = rules.Rings[0].Name
	}
	ring, err := service.RingOf(rules, c.Ring)
	if err != nil {
		return s, err
	}
	if c.Environment == "" {
		c.Environment = ring.Environment
	}
	now := a.now()
	h, err := a.head(store, now)
	if err != nil {
		return s, err
	}
	if s.statement, err = rollout.NewRollout(h, pkg, state, c); err != nil {
		return s, badInput(err)
	}
	if s.bundle, s.envelope, err = sign(a, s.statement); err != nil {
		return s, err
	}
	examined, err := a.Intake().Examine(s.envelope)
	if err != nil {
		return s, err
	}
	s.defaultPolicy = state.Policy().Default
	refusal, err := a.Judge(a.ctx.Context, store, state, examined, now)
	if err != nil {
		return s, err
	}
	if refusal != nil && refusal.Already.IsZero() {
		return s, refusal
	}
	return s, nil
}

// writeRollout writes the directory of a rollout.
func (a *acting) writeRollout(s signedRollout, pkg *rollout.Package, all bool) error {
	files, err := rollout.Files(s.bundle)
	if err != nil {
		return err
	}
	r := s.statement.Predicate
	dir := filepath.Join(a.ctx.String("out"), r.ID)
	if written, err := readDirectory(dir); err == nil {
		if before, err := rollout.ReadFiles(written); err == nil && before.Statement.Predicate.ID == r.ID {
			return a.showCapture(dir, before.Statement.Predicate, before.Act, false, []string{"the same capture was written before; nothing was changed"})
		}
		return failure{exitConflict, dir + " exists and is not this rollout", "look at it, and move it away"}
	}
	if filepath.Clean(a.ctx.String("out")) == filepath.Clean(".rollproof/rollout") {
		if err := dist.MakeIgnored(".rollproof"); err != nil {
			return err
		}
	}
	if err := writeAll(dir, files); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	var notes []string
	if all {
		notes = append(notes, fmt.Sprintf("no --deployment-id was given: all %d targets of the package", len(pkg.Targets)))
	}
	if s.defaultPolicy {
		notes = append(notes, "no policy is signed: the built-in default counts")
	}
	return a.showCapture(dir, r, evidence.DigestOf(s.bundle.Payload), true, notes)
}

// A captureDocument is a written rollout.
type captureDocument struct {
	Schema      string          `json:"schema"`
	Rollout     string          `json:"rollout"`
	Act         evidence.Digest `json:"act"`
	New         bool            `json:"new"`
	Directory   string          `json:"directory"`
	Status      rollout.Status  `json:"status"`
	Ring        string          `json:"ring"`
	Environment string          `json:"environment"`
	Targets     []string        `json:"targets"`
	Notes       []string        `json:"notes"`
}

func (a *acting) showCapture(dir string, r rollout.Rollout, act evidence.Digest, isNew bool, notes []string) error {
	doc := captureDocument{evidence.Namespace + "rollout-capture/v1", r.ID, act, isNew, dir, r.Status, r.Ring, r.Environment, []string{}, append([]string{}, notes...)}
	for _, t := range r.Targets {
		doc.Targets = append(doc.Targets, t.ID)
	}
	if file := a.ctx.String("metadata-json"); file != "" {
		if err := writeDocument(file, doc); err != nil {
			return err
		}
	}
	if a.json {
		return a.printJSON(doc)
	}
	fmt.Fprintf(a.stdout, "%s\n%s into ring %s of %s, %s: %s\n", dir, r.Release.Name(false), r.Ring, r.Environment, r.Status, strings.Join(doc.Targets, ", "))
	for _, n := range notes {
		fmt.Fprintf(a.stdout, "note: %s\n", n)
	}
	_, err := fmt.Fprintf(a.stdout, "next: rollproof release verify-rollout %s\n", dir)
	return err
}
