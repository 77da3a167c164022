package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/dist"
)

// A planDocument is the plan as --json prints it with --dry-run.
type planDocument struct {
	Schema  string `json:"schema"`
	Project string `json:"project"`
	Version string `json:"version"`
	DryRun  bool   `json:"dryRun"`
	Output  string `json:"output"`
	Source  struct {
		Module     string `json:"module"`
		Directory  string `json:"directory"`
		Tag        string `json:"tag"`
		GitCommit  string `json:"gitCommit"`
		GitTree    string `json:"gitTree"`
		CommitTime string `json:"commitTime"`
	} `json:"source"`
	Toolchain      string           `json:"toolchain"`
	SBOMs          []string         `json:"sboms"` // formats
	Targets        []planTarget     `json:"targets"`
	Skipped        []planSkip       `json:"skipped"`
	CommitHazards  []release.Hazard `json:"commitHazards"`
	MachineHazards []release.Hazard `json:"machineHazards"`
}

type planTarget struct {
	Binary   string           `json:"binary"`
	Main     string           `json:"main"`
	Platform release.Platform `json:"platform"`
	Argv     []string         `json:"argv"`
	Env      []string         `json:"env"`
}

type planSkip struct {
	What   string `json:"what"`
	Reason string `json:"reason"`
}

func (run *packaging) document() planDocument {
	plan := run.plan
	d := planDocument{
		Schema: evidence.Namespace + "package-plan/v1", Project: plan.Project, Version: plan.Version, DryRun: run.dryRun,
		Output: run.output(), Toolchain: plan.Toolchain, SBOMs: run.sboms, Targets: []planTarget{}, Skipped: []planSkip{},
		CommitHazards: append([]release.Hazard{}, plan.CommitHazards...), MachineHazards: append([]release.Hazard{}, plan.MachineHazards...),
	}
	d.Source.Module, d.Source.Directory, d.Source.Tag = plan.Source.Module, plan.Source.Directory, plan.Source.Tag
	d.Source.GitCommit, d.Source.GitTree = plan.Source.GitCommit, plan.Source.GitTree
	d.Source.CommitTime = plan.Source.CommitTime.UTC().Format(time.RFC3339)
	for _, t := range plan.Targets {
		d.Targets = append(d.Targets, planTarget{release.BinaryPath(t.Binary, plan.Version, t.Platform), t.Main, t.Platform, t.Argv, t.Env})
	}
	for _, s := range plan.Skipped {
		d.Skipped = append(d.Skipped, planSkip{s.What, s.Reason})
	}
	return d
}

func (run *packaging) output() string {
	return filepath.Join(run.out, release.Identity{Project: run.plan.Project, Version: run.plan.Version}.Name(run.dryRun))
}

// showPlan prints the whole plan before anything is built: on stdout with --dry-run,
// else what a release engineer must know on stderr.
func (run *packaging) showPlan() error {
	d := run.document()
	t := run.terminal(run.stderr)
	for _, h := range append(d.CommitHazards, d.MachineHazards...) {
		fmt.Fprintf(run.stderr, "%s %s: %s\n", t.paint("33", "hazard"), h.ID, h.Detail)
	}
	if run.json {
		return nil
	}
	if !run.dryRun {
		fmt.Fprintf(run.stderr, "%s %s, commit %s, %d binaries, %s\n", d.Project, d.Version, d.Source.GitCommit, len(d.Targets), d.Toolchain)
		return nil
	}
	w := &strings.Builder{}
	fmt.Fprintf(w, "plan for %s %s (dry run)\n", d.Project, d.Version)
	for _, row := range [][2]string{
		{"module", d.Source.Module}, {"directory", d.Source.Directory}, {"tag", d.Source.Tag}, {"commit", d.Source.GitCommit},
		{"tree", d.Source.GitTree}, {"toolchain", d.Toolchain}, {"sbom", strings.Join(d.SBOMs, ", ")}, {"output", d.Output},
	} {
		if row[1] != "" {
			fmt.Fprintf(w, "  %-10s %s\n", row[0], row[1])
		}
	}
	for _, x := range d.Targets {
		fmt.Fprintf(w, "target %s\n", x.Binary)
		if len(x.Argv) > 0 {
			fmt.Fprintf(w, "  %s\n  env %s\n", strings.Join(x.Argv, " "), strings.Join(x.Env, " "))
		}
	}
	for _, s := range d.Skipped {
		fmt.Fprintf(w, "left out %s: %s\n", s.What, s.Reason)
	}
	for _, h := range d.CommitHazards {
		fmt.Fprintf(w, "hazard of the commit, recorded: %s: %s\n", h.ID, h.Detail)
	}
	for _, h := range d.MachineHazards {
		fmt.Fprintf(w, "hazard of this machine: %s: %s\n", h.ID, h.Detail)
	}
	_, err := fmt.Fprint(run.stdout, w.String())
	return err
}

// A resultDocument is what release package prints with --json.
type resultDocument struct {
	Schema         string           `json:"schema"`
	Release        release.Identity `json:"release"`
	DryRun         bool             `json:"dryRun"`
	Directory      string           `json:"directory"`
	Zip            string           `json:"zip"`
	ZipDigest      string           `json:"zipDigest"`
	ManifestDigest string           `json:"manifestDigest"`
	KeyID          string           `json:"keyid"`
	Files          int              `json:"files"`
	Bytes          int64            `json:"bytes"`
	Unchanged      bool             `json:"unchanged"`
	Plan           *planDocument    `json:"plan,omitempty"` // of a dry run
}

func (run *packaging) showResult(made *release.Package, r dist.Result) error {
	d := resultDocument{
		Schema: evidence.Namespace + "package-result/v1", Release: made.Manifest.Release, DryRun: run.dryRun,
		Directory: r.Dir, Zip: r.Zip, ZipDigest: "sha256:" + r.ZipSHA256, ManifestDigest: "sha256:" + made.ManifestSHA256,
		KeyID: made.Manifest.KeyID, Files: len(made.Entries), Unchanged: r.Unchanged,
	}
	for _, e := range made.Entries {
		d.Bytes += e.Size
	}
	if run.json {
		if run.dryRun {
			plan := run.document()
			d.Plan = &plan
		}
		return run.printJSON(d)
	}
	word := "packaged"
	if r.Unchanged {
		word = "already there, byte for byte:"
	}
	fmt.Fprintf(run.stdout, "%s %s\n         %s\n         %d files, %s, manifest %s\n", word, r.Dir, r.Zip, d.Files, byteCount(d.Bytes), d.ManifestDigest)
	if run.dryRun {
		fmt.Fprintln(run.stdout, "         dry run: unsigned, never to be rolled out")
	} else {
		fmt.Fprintf(run.stdout, "         signed by %s\n", d.KeyID)
	}
	return nil
}
