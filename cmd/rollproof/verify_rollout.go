package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/release/dist"
	"github.com/rollproof/rollproof/rollout"
	"github.com/urfave/cli/v2"
)

func (p *program) verifyRolloutCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "verify-rollout",
		Usage: "check a rollout's directory and its package, and record it",
		Description: "Checked: the closed set and its checksums, the exact encoding and schema, the signature and the signer's role and scope, the package (from --package, or as capture kept it), each target against the signed deployment manifest, and every rule of the policy. " +
			"Only a rollout that passes is recorded.",
		Flags: append(rootFlags(), storeFlag(),
			&cli.StringFlag{Name: "package", Usage: "the package's `DIR|ZIP` (default: its files in the store)"},
			&cli.BoolFlag{Name: "no-index", Usage: "check only, record nothing"},
			&cli.BoolFlag{Name: "no-blobs", Usage: "do not keep the package's files in the store"},
			&cli.StringFlag{Name: "metadata-json", Usage: "write the facts of what was recorded to `FILE` too"},
			&cli.StringFlag{Name: "trusted-root", Hidden: true},
		),
		Action: p.verifyRollout,
	}, "DIR")
}

// maxRolloutFile is the size in bytes of the largest file of a rollout's directory
// that is read; what the directory may hold is package rollout's to say.
const maxRolloutFile = 4 << 20

// readDirectory reads a directory of small regular files.
func readDirectory(dir string) (map[string][]byte, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, e := range list {
		name := filepath.Join(dir, e.Name())
		if info, err := os.Lstat(name); err != nil || !info.Mode().IsRegular() {
			return nil, failure{exitEvidence, fmt.Sprintf("%s is no regular file", archive.Printable(name)), "a rollout's directory holds four files and nothing else"}
		}
		if files[e.Name()], err = readFile(name, maxRolloutFile); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func (p *program) verifyRollout(ctx *cli.Context) error {
	a, err := p.acts(ctx)
	if err != nil {
		return err
	}
	files, err := readDirectory(ctx.Args().First())
	if err != nil {
		return err
	}
	dir, err := rollout.ReadFiles(files)
	if err != nil {
		return badStore(err)
	}
	examined, err := a.Intake().Examine(dir.Envelope)
	if err != nil {
		return badStore(err)
	}
	store, err := a.rolloutStore()
	if err != nil {
		return err
	}
	if store != nil {
		defer store.Close()
	}
	checks, err := a.comparePackage(store, dir)
	if err != nil {
		return err
	}
	if failed := slices.IndexFunc(checks, func(c release.Check) bool { return c.Result != release.Pass }); failed >= 0 {
		c := checks[failed]
		return failure{exitEvidence, fmt.Sprintf("%s %s: expected %s, found %s", c.ID, c.Subject, c.Expected, c.Actual), c.Hint}
	}
	if ctx.Bool("no-index") {
		return a.showChecked(store, dir, examined)
	}
	return a.index(store, dir)
}

// rolloutStore opens the store: for writing, or, to check only, for reading if it is
// there.
func (a *acting) rolloutStore() (*sqlite.Store, error) {
	if !a.ctx.Bool("no-index") {
		return a.writeStore(a.ctx)
	}
	if _, err := os.Stat(a.ctx.String("sqlite")); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return readStore(a.ctx)
}

// comparePackage verifies the package and compares the rollout with it.
func (a *acting) comparePackage(store *sqlite.Store, dir *rollout.Directory) ([]release.Check, error) {
	r := dir.Statement.Predicate
	if a.ctx.String("package") == "" && store == nil {
		return nil, failure{exitFailed, "nothing says where the package is", "give --package DIR|ZIP"}
	}
	container, closer, err := a.packageOf(store, r.Manifest)
	if err != nil {
		return nil, err
	}
	defer closer()
	pkg, err := a.verifiedPackage(a.packageName(r), container)
	if err != nil {
		return nil, err
	}
	if a.ctx.String("package") != "" && !a.ctx.Bool("no-index") && !a.ctx.Bool("no-blobs") {
		if err := a.keepPackage(store, container); err != nil {
			return nil, badStore(err)
		}
	}
	return pkg.Compare(r), nil
}

// packageName is where the package lies, or what it is called in the store: proofs of
// time lie beside it.
func (a *acting) packageName(r rollout.Rollout) string {
	if name := a.ctx.String("package"); name != "" {
		return name
	}
	return r.Release.Name(false)
}

// packageOf opens the package with a manifest digest: the one that --package names,
// or the store's.
func (a *acting) packageOf(store *sqlite.Store, manifest evidence.Digest) (release.Container, func(), error) {
	if name := a.ctx.String("package"); name != "" {
		container, closer, err := dist.Open(name)
		if err != nil {
			return nil, nil, err
		}
		return container, func() { closer.Close() }, nil
	}
	container, err := a.StoredPackage(a.ctx.Context, store, manifest)
	return container, func() {}, badStore(err)
}

// showChecked says whether a rollout that passes would be legal, and records nothing.
func (a *acting) showChecked(store *sqlite.Store, dir *rollout.Directory, examined evidence.Record) error {
	r := dir.Statement.Predicate
	var notes []string
	if store == nil {
		notes = append(notes, "there is no store: the rules of the policy were not asked")
	} else {
		state, err := a.state(store, r.Project)
		if err != nil {
			return err
		}
		refusal, err := a.Judge(a.ctx.Context, store, state, examined, a.now())
		if err != nil {
			return badStore(err)
		}
		if refusal != nil && refusal.Already.IsZero() {
			return badStore(refusal)
		}
	}
	return a.showVerified(r, examined.Act, -1, false, notes)
}

// index records a rollout that passed.
func (a *acting) index(store *sqlite.Store, dir *rollout.Directory) error {
	r := dir.Statement.Predicate
	var done evidence.Added
	err := store.Append(a.ctx.Context, func(tx evidence.Tx) error {
		a.Ledger = ledger(a.Chain)
		state, err := a.Ledger.Now(a.ctx.Context, tx, r.Project)
		if err != nil {
			return err
		}
		blobs, err := a.targetBlobs(tx, r)
		if err != nil {
			return err
		}
		done, err = a.add(tx, state, dir.Envelope, blobs)
		return err
	})
	if err != nil {
		return badStore(err)
	}
	var notes []string
	if state, err := a.state(store, r.Project); err == nil && state.Policy().Default {
		notes = append(notes, "no policy is signed: the built-in default counts")
	}
	return a.showVerified(r, done.Record.Act, done.Record.Index, done.New, notes)
}

// targetBlobs are the files of the rollout that the store keeps for its package.
func (a *acting) targetBlobs(tx evidence.Tx, r rollout.Rollout) ([]evidence.Blob, error) {
	page, err := tx.Search(a.ctx.Context, evidence.Query{Kinds: []evidence.Kind{evidence.KindReleasePackage}, Digests: []string{r.Manifest.Hex()}, Limit: evidence.MaxLimit})
	if err != nil {
		return nil, err
	}
	wanted := []string{r.Manifest.Hex()}
	for _, t := range r.Targets {
		wanted = append(wanted, t.SHA256)
	}
	var list []evidence.Blob
	for _, record := range page.Records {
		blobs, err := tx.Blobs(a.ctx.Context, record.Index)
		if err != nil {
			return nil, err
		}
		for _, b := range blobs {
			if slices.Contains(wanted, b.Digest.Hex()) && !slices.Contains(list, b) {
				list = append(list, b)
			}
		}
	}
	return list, nil
}

// A verifiedDocument is a rollout that passed.
type verifiedDocument struct {
	Schema  string          `json:"schema"`
	Rollout string          `json:"rollout"`
	Act     evidence.Digest `json:"act"`
	Result  release.Result  `json:"result"`
	Index   int64           `json:"index"` // of its record, -1 where nothing was recorded
	New     bool            `json:"new"`
	Status  rollout.Status  `json:"status"`
	Notes   []string        `json:"notes"`
}

func (a *acting) showVerified(r rollout.Rollout, act evidence.Digest, index int64, isNew bool, notes []string) error {
	doc := verifiedDocument{evidence.Namespace + "rollout-verification/v1", r.ID, act, release.Pass, index, isNew, r.Status, append([]string{}, notes...)}
	if file := a.ctx.String("metadata-json"); file != "" {
		if err := writeDocument(file, doc); err != nil {
			return err
		}
	}
	if a.json {
		return a.printJSON(doc)
	}
	where := "recorded nothing (--no-index)"
	switch {
	case index >= 0 && isNew:
		where = fmt.Sprintf("recorded as %d", index)
	case index >= 0:
		where = fmt.Sprintf("recorded before as %d", index)
	}
	fmt.Fprintf(a.stdout, "%s %s  %s\n%s\n", a.terminal(a.stdout).result(release.Pass), r.ID, act, where)
	for _, n := range notes {
		fmt.Fprintf(a.stdout, "note: %s\n", n)
	}
	return nil
}
