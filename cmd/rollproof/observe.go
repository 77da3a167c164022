package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/rollout"
	"github.com/rollproof/rollproof/rollout/inventory"
	"github.com/urfave/cli/v2"
)

// inventoryFlags say how an inventory is read.
func inventoryFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "from", Usage: "the inventory `FILE`: CSV, JSON lines, osquery, Jamf or Intune"},
		&cli.StringFlag{Name: "format", Usage: "csv, jsonl, osquery, jamf or intune (default: guessed)"},
		&cli.StringFlag{Name: "target", Usage: "deployment target `ID` of rows that name none"},
		&cli.StringSliceFlag{Name: "column", Usage: "own `FIELD=COLUMN`, field id, target, sha256, seen_at or path; may be repeated"},
		&cli.StringFlag{Name: "pseudonym-key", Usage: "write endpoints as HMAC-SHA-256 under the key in `FILE` (at least 32 bytes)"},
	}
}

func (p *program) populationCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:        "population",
		Usage:       "say, signed, which endpoints belong to a ring: what coverage is counted against",
		Description: "A key of the role policy signs it, before the rollout is captured. FILE has one endpoint a row, with its deployment target; or one id a line, with --target.",
		Flags: append(append(actFlags(), inventoryFlags()...), projectFlag(), configFlag(),
			&cli.StringFlag{Name: "ring", Usage: "the `RING`", Required: true},
		),
		Action: p.population,
	})
}

func (p *program) population(ctx *cli.Context) error {
	options, data, err := p.readInventory(ctx)
	if err != nil {
		return err
	}
	ids, err := inventory.ReadIDs(bytes.NewReader(data), options)
	if err != nil {
		return badInventory(ctx, err)
	}
	if err := p.pseudonyms(ctx, func(f func(string) (string, error)) error {
		for target, list := range ids {
			for i := range list {
				if ids[target][i], err = f(list[i]); err != nil {
					return err
				}
			}
		}
		return nil
	}); err != nil {
		return err
	}
	project, err := p.projectName(ctx)
	if err != nil {
		return err
	}
	a, err := p.signing(ctx)
	if err != nil {
		return err
	}
	store, err := p.writeStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	count := 0
	done, err := record(a, store, project, func(s *rollout.State, h rollout.Head, _ time.Time) (evidence.Statement[rollout.Population], []evidence.Blob, error) {
		ring, err := service.RingOf(s.Policy().Rules, ctx.String("ring"))
		if err != nil {
			return evidence.Statement[rollout.Population]{}, nil, err
		}
		st, lists, err := s.NewPopulation(h, ring, ids)
		if err != nil {
			return st, nil, badInput(err)
		}
		for _, t := range st.Predicate.Targets {
			count += t.Count
		}
		blobs, err := putAll(a, store, lists)
		return st, blobs, err
	})
	if err != nil {
		return err
	}
	return a.showAct(done, fmt.Sprintf("population of ring %s: %d endpoints of %d targets", ctx.String("ring"), count, len(ids)), nil, nil)
}

// putAll keeps files that belong to an act.
func putAll(a *acting, store *sqlite.Store, files map[string][]byte) ([]evidence.Blob, error) {
	var blobs []evidence.Blob
	for _, data := range files {
		b, err := store.PutBlob(a.ctx.Context, bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		blobs = append(blobs, b)
	}
	return blobs, nil
}

// projectName is --project, or the name in rollproof.yaml.
func (p *program) projectName(ctx *cli.Context) (string, error) {
	if project := ctx.String("project"); project != "" {
		return project, nil
	}
	c, err := p.readDraft(ctx.String("config"))
	if err != nil {
		return "", err
	}
	if c.Name == "" {
		return "", usagef("give --project", "%s names no project", ctx.String("config"))
	}
	return c.Name, nil
}

// maxInventory is the size in bytes of the largest inventory.
const maxInventory = 1 << 30

// readInventory reads the file and the options.
func (p *program) readInventory(ctx *cli.Context) (inventory.Options, []byte, error) {
	o := inventory.Options{Format: inventory.Format(ctx.String("format")), Target: ctx.String("target"), Path: ctx.String("path"), Columns: map[string]string{}}
	for _, text := range ctx.StringSlice("column") {
		field, column, ok := strings.Cut(text, "=")
		if !ok {
			return o, nil, usagef("for example --column id=Hostname", "--column %s", text)
		}
		o.Columns[field] = column
	}
	if zone := ctx.String("time-zone"); zone != "" {
		location, err := time.LoadLocation(zone)
		if err != nil {
			return o, nil, usagef("for example --time-zone Europe/Berlin", "--time-zone: %v", err)
		}
		o.Location = location
	}
	if text := ctx.String("seen-at"); text != "" {
		at, err := p.instant(ctx, "seen-at")
		if err != nil {
			return o, nil, err
		}
		o.SeenAt = at
	}
	if ctx.String("from") == "" {
		return o, nil, usagef("give the file that the inventory tool exported", "--from is missing")
	}
	data, err := readFile(ctx.String("from"), maxInventory)
	return o, data, err
}

// pseudonyms gives each a function that turns ids into pseudonyms, where a key is
// given.
func (p *program) pseudonyms(ctx *cli.Context, each func(func(string) (string, error)) error) error {
	file := ctx.String("pseudonym-key")
	if file == "" {
		return nil
	}
	key, err := readFile(file, maxKeyFile)
	if err != nil {
		return err
	}
	if err := each(func(id string) (string, error) { return inventory.Pseudonym(key, id) }); err != nil {
		return usagef("head -c 32 /dev/urandom > FILE makes a key", "%s: %v", file, err)
	}
	return nil
}

func badInventory(ctx *cli.Context, err error) error {
	var option *inventory.OptionError
	var format *inventory.FormatError
	switch {
	case errors.As(err, &option):
		return usagef("see "+ctx.Command.HelpName+" --help", "%v", err)
	case errors.As(err, &format):
		return failure{exitEvidence, fmt.Sprintf("%s: %v", ctx.String("from"), err), "export it again, or say with --format and --column how to read it"}
	}
	return err
}

func (p *program) observeCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "observe",
		Usage: "report, signed, what an inventory saw installed on the endpoints of a rollout",
		Description: "A key of the role observer signs it, of another person than the operator's. It counts against the population of the ring that was recorded before the capture: whoever is not in the inventory is missing. " +
			"--local hashes the installed binary of this host.",
		Flags: append(append(actFlags(), inventoryFlags()...),
			&cli.StringFlag{Name: "path", Usage: "installed `PATH` that counts, where rows are about several"},
			&cli.StringFlag{Name: "seen-at", Usage: "when the inventory was collected, for rows that do not say it (`TIME`)"},
			&cli.StringFlag{Name: "time-zone", Usage: "`ZONE` of times that name none, such as Europe/Berlin"},
			&cli.StringFlag{Name: "local", Usage: "hash the installed binary at `PATH` on this host, in place of --from"},
			&cli.StringFlag{Name: "endpoint", Usage: "`ID` of this host for --local (default: its host name)"},
		),
		Action: p.observe,
	}, "ROLLOUT-ID")
}

func (p *program) observe(ctx *cli.Context) error {
	id := ctx.Args().First()
	if (ctx.String("from") == "") == (ctx.String("local") == "") {
		return usagef("see rollproof release observe --help", "expected one of --from and --local")
	}
	a, err := p.signing(ctx)
	if err != nil {
		return err
	}
	in, err := a.sighting()
	if err != nil {
		return err
	}
	store, project, err := a.openRollout(id)
	if err != nil {
		return err
	}
	defer store.Close()
	var observed []rollout.Observed
	done, err := record(a, store, project, func(s *rollout.State, h rollout.Head, now time.Time) (evidence.Statement[rollout.Observation], []evidence.Blob, error) {
		var none evidence.Statement[rollout.Observation]
		progress, err := service.ProgressOf(s, id)
		if err != nil {
			return none, nil, err
		}
		if err := service.Population(a.ctx.Context, store, s, progress, &in); err != nil {
			return none, nil, err
		}
		in.At = now
		st, endpoints, err := s.NewObservation(h, progress, in)
		if err != nil {
			return none, nil, badInput(err)
		}
		observed = st.Predicate.Targets
		blobs, err := putAll(a, store, map[string][]byte{"endpoints.jsonl": endpoints})
		return st, blobs, err
	})
	if err != nil {
		return err
	}
	var notes []string
	for _, o := range observed {
		notes = append(notes, fmt.Sprintf("%s: %d of %d match%s", o.ID, o.Matches, o.Population, differing(o)))
	}
	return a.showAct(done, "observed "+id, nil, append(notes, a.otherReleases(store, observed)...))
}

// sighting reads the inventory, or looks at this host.
func (a *acting) sighting() (rollout.Sighting, error) {
	in := rollout.Sighting{Input: rollout.Input{Tool: "rollproof " + version()}}
	if a.ctx.String("local") != "" {
		return a.local(in)
	}
	options, data, err := a.readInventory(a.ctx)
	if err != nil {
		return in, err
	}
	list, err := inventory.Read(bytes.NewReader(data), options)
	if err != nil {
		return in, badInventory(a.ctx, err)
	}
	in.Input.SHA256, in.Input.Format = evidence.SHA256(data), string(list.Format)
	for _, e := range list.Endpoints {
		in.Endpoints = append(in.Endpoints, rollout.Endpoint{ID: e.ID, Target: e.Target, SHA256: e.SHA256, SeenAt: e.SeenAt})
	}
	return in, a.hideEndpoints(in.Endpoints)
}

func (a *acting) hideEndpoints(list []rollout.Endpoint) error {
	return a.pseudonyms(a.ctx, func(f func(string) (string, error)) error {
		for i := range list {
			hidden, err := f(list[i].ID)
			if err != nil {
				return err
			}
			list[i].ID = hidden
		}
		return nil
	})
}

// local hashes what is installed on this host.
func (a *acting) local(in rollout.Sighting) (rollout.Sighting, error) {
	target := a.ctx.String("target")
	if target == "" {
		return in, usagef("give --target ID", "--local needs to know which deployment target this host is")
	}
	id := a.ctx.String("endpoint")
	if id == "" {
		host, err := os.Hostname()
		if err != nil {
			return in, usagef("give --endpoint ID", "the host name of this machine: %v", err)
		}
		id = host
	}
	path, err := filepath.Abs(a.ctx.String("local"))
	if err != nil {
		return in, err
	}
	digest := ""
	f, err := os.Open(path)
	if err == nil {
		h := sha256.New()
		_, err = io.Copy(h, f)
		err = errors.Join(err, f.Close())
		digest = hex.EncodeToString(h.Sum(nil))
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return in, err
	}
	in.Endpoints = []rollout.Endpoint{{ID: id, Target: target, SHA256: digest, SeenAt: a.now().Truncate(time.Second)}}
	in.Input.Format, in.Input.SHA256 = "local", evidence.SHA256([]byte(digest))
	return in, a.hideEndpoints(in.Endpoints)
}

// otherReleases says which releases the differing binaries belong to, as far as the
// store knows them.
func (a *acting) otherReleases(store *sqlite.Store, observed []rollout.Observed) []string {
	var notes []string
	for _, o := range observed {
		for _, d := range o.Differs {
			release := "no release that this store knows"
			page, err := store.Search(a.ctx.Context, evidence.Query{Kinds: []evidence.Kind{evidence.KindReleasePackage}, Digests: []string{d.SHA256}, Limit: 1})
			if err == nil && len(page.Records) > 0 {
				release = page.Records[0].Project + " " + page.Records[0].Version
			}
			notes = append(notes, fmt.Sprintf("%s: %d endpoints run %s: %s", o.ID, d.Count, d.SHA256, release))
		}
	}
	return notes
}
