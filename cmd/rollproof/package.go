package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/internal/config"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/dist"
	"github.com/rollproof/rollproof/release/gobuild"
	"github.com/rollproof/rollproof/release/link"
	"github.com/rollproof/rollproof/release/sbom/license"
	"github.com/urfave/cli/v2"
)

func (p *program) packageCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "package",
		Usage: "build, describe and sign a release of the Go repository around the working directory",
		Description: "The source is the tagged commit at HEAD and nothing else. The package is written to " +
			"dist/<name>-<version>/ and its zip. Modules are downloaded unless --offline is given; nothing else uses the network.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "dry-run", Usage: "show the plan, build and package without signing; needs no tag and no key"},
			&cli.StringFlag{Name: "key", Usage: "signing `KEY`: a file or ssh-agent:SHA256:… (default: ROLLPROOF_SIGNING_KEY)"},
			&cli.StringFlag{Name: "trust", Usage: "trust `DIR` whose versions the package shall carry"},
			&cli.StringFlag{Name: "C", Aliases: []string{"directory"}, Usage: "work in `DIR`"},
			&cli.StringFlag{Name: "version", Usage: "`TAG` to release, when several tags point at HEAD"},
			&cli.StringFlag{Name: "name", Usage: "`NAME` of the release (default: the module path's last element)"},
			&cli.StringSliceFlag{Name: "main", Usage: "main `PACKAGE` to build, such as ./cmd/x; may be repeated"},
			&cli.StringSliceFlag{Name: "target", Usage: "platform to build, such as `linux/amd64`; may be repeated"},
			&cli.StringFlag{Name: "out", Usage: "output `DIR` (default: dist)"},
			&cli.StringFlag{Name: "config", Usage: "GoReleaser configuration `FILE` of the commit (default: where GoReleaser looks)"},
			&cli.BoolFlag{Name: "zero-config", Usage: "ignore a GoReleaser configuration of the commit"},
			&cli.BoolFlag{Name: "print-config", Usage: "print the GoReleaser configuration that this run amounts to, and stop"},
			&cli.StringSliceFlag{Name: "allow-env", Usage: "let the configuration read the environment variable `NAME`; recorded"},
			&cli.StringSliceFlag{Name: "allow-skipped-hook", Usage: "skip the configuration's hook `CMD`"},
			&cli.BoolFlag{Name: "offline", Usage: "don't download modules"},
			&cli.BoolFlag{Name: "fresh-cache", Usage: "build with an empty build cache"},
			&cli.BoolFlag{Name: "with-source", Usage: "put the commit's source and its modules into the package, so that a closed network can rebuild it"},
			&cli.StringFlag{Name: "from-dist", Usage: "package what goreleaser built in `DIR` and build nothing; the package has a release statement and no provenance"},
			&cli.StringSliceFlag{Name: "attestation", Usage: "keep the attestation `FILE` of the build in a package from --from-dist; may be repeated"},
			&cli.StringFlag{Name: "sbom", Value: sbomSPDX, Usage: "`FORMATS` of the SBOM: spdx, or spdx,cyclonedx, which says the same twice"},
			&cli.BoolFlag{Name: "replace", Usage: "replace another package of this version"},
		},
		Action: p.packageRelease,
	})
}

// A packaging is one run of release package.
type packaging struct {
	*program
	dryRun     bool
	replace    bool
	withSource bool
	sboms      []string // formats, of which the first is SPDX

	fromDist     string            // directory of goreleaser, "" to build
	attestations map[string][]byte // by name, of what it built

	out     string
	signer  envelope.Signer
	trust   map[string][]byte // files for trust/
	builder *gobuild.Builder

	authority trust.Authority // what they say, nil without them
	plan      *release.Plan
	config    *config.Config
}

func (p *program) packageRelease(ctx *cli.Context) (err error) {
	run := &packaging{program: p, dryRun: ctx.Bool("dry-run"), replace: ctx.Bool("replace"), withSource: ctx.Bool("with-source")}
	dir := ctx.String("C")
	if dir == "" {
		dir = "."
	}
	if run.out = ctx.String("out"); run.out == "" {
		run.out = filepath.Join(dir, "dist")
	}
	if run.sboms, err = parseSBOMs(ctx.String("sbom")); err != nil {
		return err
	}
	if err := run.readImport(ctx); err != nil {
		return err
	}
	platforms, err := parsePlatforms(ctx.StringSlice("target"))
	if err != nil {
		return err
	}
	if !run.dryRun && !ctx.Bool("print-config") {
		if run.signer, err = p.signer(ctx.String("key")); err != nil {
			return err
		}
	}
	if dir := ctx.String("trust"); dir != "" {
		if err := run.readTrust(dir); err != nil {
			return err
		}
	}
	run.builder, err = gobuild.New(gobuild.Options{
		Dir: dir, Version: ctx.String("version"), DryRun: run.dryRun || ctx.Bool("print-config"), Name: ctx.String("name"),
		Mains: ctx.StringSlice("main"), Platforms: platforms,
		Offline: ctx.Bool("offline"), FreshCache: ctx.Bool("fresh-cache"),
		Configuration: ctx.String("config"), ZeroConfig: ctx.Bool("zero-config") || run.fromDist != "", AllowEnv: ctx.StringSlice("allow-env"), AllowSkippedHooks: ctx.StringSlice("allow-skipped-hook"),
		Env: p.environ, Output: p.stderr, License: detectLicense, Settings: run.readConfig,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.builder.Close()) }()
	if run.plan, err = run.builder.Plan(ctx.Context); err != nil {
		return err
	}
	if ctx.Bool("print-config") {
		return run.printConfiguration()
	}
	if err := run.checkSigner(); err != nil {
		return err
	}
	run.warnUncommitted(dir)
	if run.fromDist != "" {
		return run.make(ctx.Context)
	}
	if err := run.checkTargets(); err != nil {
		return err
	}
	if err := run.showPlan(); err != nil {
		return err
	}
	return run.make(ctx.Context)
}

// checkTargets compares rollproof.yaml with the plan.
func (run *packaging) checkTargets() error {
	if err := run.settings().Check(run.plan); err != nil {
		return usagef("change deployment_targets in "+config.FileName+", or build more with --target", "%s: %v", config.FileName, err)
	}
	return nil
}

// readTrust reads the versions that the package shall carry.
func (run *packaging) readTrust(dir string) error {
	_, d, _, err := openTrust(dir)
	if err != nil {
		return err
	}
	run.trust = d.Complete()
	chain, err := trust.Load(run.trust, trust.Digest(run.trust[trust.FileName(1)]))
	if err != nil {
		return badTrust(err)
	}
	run.authority, err = chain.At(run.now(), trust.Options{})
	return err
}

// printConfiguration prints the GoReleaser file that the plan amounts to.
func (run *packaging) printConfiguration() error {
	text, err := gobuild.PrintConfiguration(run.plan)
	if err != nil {
		return err
	}
	if run.json {
		return run.printJSON(map[string]string{"schema": evidence.Namespace + "package-configuration/v1", "configuration": string(text)})
	}
	_, err = run.stdout.Write(text)
	return err
}

// checkSigner refuses, before anything is built, a key that the carried trust root
// does not let sign this release now.
func (run *packaging) checkSigner() error {
	if run.signer == nil || run.authority == nil {
		return nil
	}
	ruling := run.authority.Rule(trust.Use{
		KeyID: run.signer.Public().KeyID(), Role: trust.Releaser, PredicateType: evidence.ReleaseEvidence,
		Project: run.plan.Project, Signing: true,
	})
	if ruling.Outcome != trust.Granted {
		return failure{exitRule, "this key may not sign: " + ruling.Reason, ruling.Hint}
	}
	return nil
}

// readConfig parses rollproof.yaml, as the commit has it, and returns the name that
// it gives the release.
func (run *packaging) readConfig(data []byte) (name string, err error) {
	if run.config, err = parseConfig(data); err != nil {
		return "", err
	}
	return run.config.Name, nil
}

// settings are those of rollproof.yaml, or the defaults.
func (run *packaging) settings() release.Settings {
	if run.config == nil {
		return release.Settings{}
	}
	return run.config.Settings()
}

// warnUncommitted adds a hazard for settings that the work tree has and the commit
// does not.
func (run *packaging) warnUncommitted(dir string) {
	if _, err := os.Stat(filepath.Join(dir, config.FileName)); err == nil && run.config == nil {
		run.plan.MachineHazards = append(run.plan.MachineHazards, release.Hazard{ID: "uncommitted-settings", Detail: config.FileName + " is not in the commit and is not used"})
	}
}

// make builds, assembles and puts the package in place.
func (run *packaging) make(ctx context.Context) (err error) {
	stage, err := dist.NewStage(run.out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stage.Close()) }()
	var in release.Ingredients
	if run.fromDist != "" {
		in, err = run.takeIn(ctx, stage)
	} else {
		in, err = run.build(ctx, stage)
	}
	if err != nil {
		return err
	}
	in.Plan, in.Tool, in.DryRun, in.Signer, in.Trust = run.plan, version(), run.dryRun, run.signer, run.trust
	in.Settings, in.CycloneDX = run.settings(), slices.Contains(run.sboms, sbomCycloneDX)
	made, err := release.Assemble(ctx, in, stage)
	if err != nil {
		return err
	}
	result, err := stage.Commit(made.Manifest.Release.Name(run.dryRun), made.Entries, run.replace)
	if err != nil {
		return err
	}
	return run.showResult(made, result)
}

// build fills the stage with what is built from the commit.
func (run *packaging) build(ctx context.Context, stage *dist.Stage) (release.Ingredients, error) {
	in := release.Ingredients{Link: link.Write}
	show, done := run.progress()
	var err error
	in.Built, in.Facts, err = run.builder.Build(ctx, run.plan, stage.Dir(), show)
	done()
	if err == nil && run.withSource {
		in.Source, err = run.builder.WriteSource(ctx, stage.Dir())
	}
	return in, err
}

func detectLicense(files []release.SourceFile) release.LicenseFact {
	in := make([]license.File, len(files))
	for i, f := range files {
		in[i] = license.File{Name: f.Name, Data: f.Data}
	}
	r := license.Detect(in)
	fact := release.LicenseFact{Expression: r.Expression, Copyright: r.Copyright}
	for _, t := range r.Extracted {
		fact.Extracted = append(fact.Extracted, release.LicenseText{ID: t.ID, Text: t.Text})
	}
	return fact
}

func parsePlatforms(targets []string) ([]release.Platform, error) {
	var platforms []release.Platform
	for _, t := range targets {
		goos, arch, ok := strings.Cut(t, "/")
		if !ok || goos == "" || arch == "" || strings.Contains(arch, "/") {
			return nil, usagef("for example --target linux/amd64", "--target %s: expected os/arch", t)
		}
		platforms = append(platforms, release.Platform{OS: goos, Arch: arch})
	}
	return platforms, nil
}

// The formats of --sbom.
const (
	sbomSPDX      = "spdx"
	sbomCycloneDX = "cyclonedx"
)

// parseSBOMs reads --sbom. SPDX is always there: verification stands on it, and the
// other document is made from it.
func parseSBOMs(list string) ([]string, error) {
	formats := strings.Split(list, ",")
	for i, f := range formats {
		if f != sbomSPDX && f != sbomCycloneDX {
			return nil, usagef("spdx, or spdx,cyclonedx", "--sbom %s: unknown format %q", list, f)
		}
		if slices.Contains(formats[:i], f) {
			return nil, usagef("name each format once", "--sbom %s: %s is named twice", list, f)
		}
	}
	if !slices.Contains(formats, sbomSPDX) {
		return nil, usagef("spdx,cyclonedx", "--sbom %s: a package has an SPDX document, which the other one is made from", list)
	}
	if len(formats) == 2 {
		return []string{sbomSPDX, sbomCycloneDX}, nil
	}
	return formats, nil
}
