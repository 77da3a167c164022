package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/vsa"
	"github.com/urfave/cli/v2"
)

// defaultVerifierID names rollproof itself: whose word it is, the key says.
const defaultVerifierID = "https://github.com/rollproof/rollproof"

// summaryFlags ask for a signed summary of what; a command without them writes none.
func summaryFlags(what string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "vsa", Usage: "write " + what + " as a signed SLSA verification summary: `FILE`.vsa.sigstore.json and FILE.vsa.intoto.jsonl"},
		&cli.StringFlag{Name: "vsa-key", Usage: "signing `KEY` of a verifier: a file or ssh-agent:SHA256:…"},
		&cli.StringFlag{Name: "verifier-id", Value: defaultVerifierID, Usage: "`URI` of who verifies, as others know him"},
	}
}

// summaryFile is where a summary goes, without its ends; "" where none is asked for.
func summaryFile(ctx *cli.Context) string {
	return strings.TrimSuffix(strings.TrimSuffix(ctx.String("vsa"), vsa.BundleSuffix), vsa.LineSuffix)
}

// summarySigner opens the key of --vsa-key, nil where no summary is asked for.
func (p *program) summarySigner(ctx *cli.Context) (envelope.Signer, error) {
	if summaryFile(ctx) == "" {
		return nil, nil
	}
	if ctx.String("vsa-key") == "" {
		return nil, usagef("give --vsa-key, a key of the role verifier", "--vsa needs a key to sign with")
	}
	return p.signer(ctx.String("vsa-key"))
}

// summarize writes a verdict as a signed summary, where --vsa asks for it.
func (p *program) summarize(ctx *cli.Context, container release.Container, verdict *release.Verdict) error {
	signer, err := p.summarySigner(ctx)
	if err != nil || signer == nil {
		return err
	}
	facts, err := summaryFacts(container, verdict)
	if err != nil {
		return err
	}
	return p.writeSummary(ctx, signer, facts)
}

// writeSummary signs a summary and writes its two encodings.
func (p *program) writeSummary(ctx *cli.Context, signer envelope.Signer, facts vsa.Facts) error {
	facts.VerifierID, facts.TimeVerified = ctx.String("verifier-id"), p.now()
	bundle, line, err := vsa.Write(signer, facts)
	if err != nil {
		return usagef("see "+ctx.Command.HelpName+" --help", "%v", err)
	}
	file := summaryFile(ctx)
	for name, data := range map[string][]byte{file + vsa.BundleSuffix: bundle, file + vsa.LineSuffix: line} {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			return err
		}
	}
	fmt.Fprintf(p.stderr, "wrote %s and %s\n", file+vsa.BundleSuffix, file+vsa.LineSuffix)
	return nil
}

// summaryFacts are those of a verdict whose manifest could be read and whose trust is
// known: otherwise there is nothing that a summary could be about.
func summaryFacts(container release.Container, verdict *release.Verdict) (vsa.Facts, error) {
	f := vsa.Facts{Tool: version(), Passed: verdict.Result == release.Pass}
	data, err := readEntry(container, release.ManifestFile)
	if err == nil && evidence.DigestOf(data).String() != verdict.ManifestDigest {
		err = fmt.Errorf("%s changed since it was verified", release.ManifestFile)
	}
	if err != nil {
		return f, failure{exitEvidence, "no summary was written: " + err.Error(), "there is nothing that it could be about"}
	}
	manifest, err := release.DecodeManifest(data)
	if err != nil {
		return f, failure{exitEvidence, "no summary was written: " + err.Error(), "there is nothing that it could be about"}
	}
	for _, b := range manifest.Binaries {
		for _, a := range manifest.Files {
			if a.Path == b.Path {
				f.Subjects = append(f.Subjects, evidence.FileSubject(a.Path, a.SHA256))
			}
		}
	}
	f.ResourceURI = fmt.Sprintf("pkg:golang/%s@%s", manifest.Release.Module, manifest.Release.Version)
	f.Policy = summaryPolicy(verdict.Trust)
	if f.Passed {
		f.Levels = []string{vsa.LevelBuild1}
		if manifest.Imported() {
			f.Levels = []string{vsa.LevelBuild0}
		}
	}
	for _, path := range []string{release.ClosingFile, release.ProvenancePath(manifest.Release.Project, manifest.DryRun), release.ReleasePath(manifest.Release.Project, manifest.DryRun)} {
		if data, err := readEntry(container, path); err == nil {
			f.Inputs = append(f.Inputs, vsa.Resource{SHA256: evidence.SHA256(data)})
		}
	}
	return f, nil
}

// summaryPolicy names what the package was verified against: the trust version, or
// the one key.
func summaryPolicy(t release.TrustUsed) vsa.Resource {
	if t.Mode == "root" {
		return vsa.Resource{URI: fmt.Sprintf("urn:rollproof:trust:%d", t.Version), SHA256: strings.TrimPrefix(t.Digest, "sha256:")}
	}
	return vsa.Resource{URI: "urn:rollproof:key", SHA256: evidence.SHA256([]byte(t.KeyID))}
}

// vsaFacts are what a store knows of summaries: of those of others, only that they
// are there.
func vsaFacts(statement []byte) (evidence.Facts, error) {
	if !vsa.IsOurs(statement) {
		return evidence.Facts{}, nil
	}
	f, err := vsa.Read(statement)
	if err != nil {
		return evidence.Facts{}, err
	}
	return evidence.Facts{Claimed: f.TimeVerified, Text: append([]string{f.ResourceURI, f.VerifierID}, f.Levels...)}, nil
}

// summaryEntry is the catalog's entry of verification summaries.
func summaryEntry() evidence.Entry {
	return evidence.Entry{PredicateType: vsa.PredicateType, Roles: trust.RolesFor(vsa.PredicateType), Kind: evidence.KindVSA, Facts: vsaFacts}
}
