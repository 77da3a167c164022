package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/dist"
	"github.com/rollproof/rollproof/release/fromdist"
	"github.com/urfave/cli/v2"
)

// buildFlags choose how something is built, and mean nothing where nothing is.
var buildFlags = []string{"main", "target", "config", "zero-config", "print-config", "allow-env", "allow-skipped-hook", "offline", "fresh-cache", "with-source"}

// readImport reads --from-dist and --attestation.
func (run *packaging) readImport(ctx *cli.Context) error {
	run.fromDist = ctx.String("from-dist")
	files := ctx.StringSlice("attestation")
	if run.fromDist == "" {
		if len(files) > 0 {
			return usagef("a package that rollproof builds has its own provenance", "--attestation goes with --from-dist alone")
		}
		return nil
	}
	for _, name := range buildFlags {
		if ctx.IsSet(name) {
			return usagef("leave one out", "--from-dist and --%s were given: nothing is built", name)
		}
	}
	run.attestations = map[string][]byte{}
	for _, file := range files {
		name := filepath.Base(file)
		if _, twice := run.attestations[name]; twice {
			return usagef("rename one", "two attestations are called %s", name)
		}
		if err := release.CheckName("attestation", name); err != nil {
			return usagef("rename it", "%v", err)
		}
		data, err := readFile(file, release.MaxAttestation)
		if err != nil {
			return err
		}
		run.attestations[name] = data
	}
	return nil
}

// takeIn fills the stage from a dist directory instead of building.
func (run *packaging) takeIn(ctx context.Context, stage *dist.Stage) (release.Ingredients, error) {
	var in release.Ingredients
	taken, err := fromdist.Read(ctx, run.fromDist, run.plan, stage.Dir())
	if err != nil {
		return in, err
	}
	run.plan = taken.Plan
	if err := run.checkTargets(); err != nil {
		return in, err
	}
	in.Built = taken.Built
	in.Imported = &release.Imported{Archives: taken.Archives, Attestations: run.attestations}
	if in.Facts, err = run.builder.Describe(); err != nil {
		return in, err
	}
	for _, s := range taken.Plan.Skipped {
		fmt.Fprintf(run.stderr, "left out %s: %s\n", s.What, s.Reason)
	}
	return in, run.showPlan()
}
