package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/keyless"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/urfave/cli/v2"
)

func (p *program) verifyBundleCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "verify-bundle",
		Usage: "check a Sigstore bundle (v0.1 to v0.3) offline, against an identity or a key",
		Description: "FILE is what was signed, or its digest. With an identity, --trusted-root names the trusted_root.json of the " +
			"Sigstore instance; nothing is fetched. Exit code 3 names the stage that failed: parse, key, certificate, log, timestamp, signature, artifact, identity, type.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "bundle", Usage: "the bundle `FILE`"},
			&cli.StringFlag{Name: "key", Usage: "public key `PUB` that must have signed"},
			&cli.StringFlag{Name: "certificate-identity", Usage: "`IDENTITY` (e-mail address or URI) that the certificate must name"},
			&cli.StringFlag{Name: "certificate-identity-regexp", Usage: "`PATTERN` that must match the whole identity"},
			&cli.StringFlag{Name: "certificate-oidc-issuer", Usage: "`URL` of the OIDC issuer that the certificate must name"},
			&cli.StringFlag{Name: "certificate-oidc-issuer-regexp", Usage: "`PATTERN` that must match the whole issuer"},
			&cli.StringFlag{Name: "trusted-root", Usage: "trusted_root.json `FILE` of the Sigstore instance"},
			&cli.StringFlag{Name: "type", Usage: "predicate `TYPE` that the statement must have"},
			&cli.BoolFlag{Name: "allow-no-log-entry", Usage: "accept a bundle without any log entry; the result says so"},
			&cli.BoolFlag{Name: "allow-no-sct", Usage: "accept a certificate without any SCT; the result says so"},
		},
		Action: p.verifyBundle,
	}, "FILE|sha256:HEX")
}

func (p *program) verifyBundle(ctx *cli.Context) error {
	if ctx.String("bundle") == "" {
		return usagef("give --bundle FILE", "no bundle was given")
	}
	signer, err := bundleSigner(ctx)
	if err != nil {
		return err
	}
	verifier, err := bundleVerifier(ctx)
	if err != nil {
		return err
	}
	bundle, err := readBeyond(ctx.String("bundle"), keyless.MaxBundle)
	if err != nil {
		return err
	}
	artifact, closeArtifact, err := bundleArtifact(ctx.Args().First())
	if err != nil {
		return err
	}
	defer closeArtifact()
	result, err := verifier.Verify(bundle, artifact, signer)
	if want := ctx.String("type"); err == nil && want != "" {
		err = result.RequireType(want)
	}
	if err != nil {
		return badBundle(ctx, err)
	}
	return p.showBundle(result)
}

// badBundle gives a bundle's refusal its exit code.
func badBundle(ctx *cli.Context, err error) error {
	var staged *keyless.StageError
	switch {
	case errors.Is(err, keyless.ErrNeedsContent):
		return usagef("give the file", "%v", err)
	case errors.Is(err, keyless.ErrNeedsRoot):
		return usagef("give --trusted-root FILE", "%v", err)
	case errors.As(err, &staged):
		return failure{exitEvidence, fmt.Sprintf("%s: refused at stage %s", ctx.String("bundle"), archive.Printable(err.Error())), bundleHints[staged.Stage]}
	}
	return err
}

// bundleHints are the next steps after a refusal.
var bundleHints = map[keyless.Stage]string{
	keyless.StageParse:       "expected a Sigstore bundle of version 0.1 to 0.3",
	keyless.StageKey:         "give the key of who signed with --key, or for a certificate --certificate-identity and --certificate-oidc-issuer",
	keyless.StageCertificate: "is the trusted root that of the instance which issued the certificate? --allow-no-sct excuses a certificate without any SCT",
	keyless.StageLog:         "is the trusted root that of the instance which logged it? --allow-no-log-entry excuses a bundle without any log entry",
	keyless.StageTimestamp:   "a certificate needs the time of a log's promise, or of a timestamp authority that the trusted root names",
	keyless.StageSignature:   "get the bundle from its source again",
	keyless.StageArtifact:    "is this the file that the bundle belongs to?",
	keyless.StageIdentity:    "both parts match exactly; --certificate-identity-regexp and --certificate-oidc-issuer-regexp take patterns",
	keyless.StageType:        "give the predicate type that you mean to rely on",
}

// bundleSigner returns who must have signed: a key, or an identity of an issuer.
func bundleSigner(ctx *cli.Context) (keyless.Signer, error) {
	subject, subjectSet, err := bundleMatch(ctx, "certificate-identity")
	if err != nil {
		return nil, err
	}
	issuer, issuerSet, err := bundleMatch(ctx, "certificate-oidc-issuer")
	if err != nil {
		return nil, err
	}
	file := ctx.String("key")
	const hint = "give --key PUB, or --certificate-identity ID with --certificate-oidc-issuer URL"
	switch {
	case file != "" && (subjectSet || issuerSet):
		return nil, usagef(hint, "both a key and an identity were given")
	case file == "" && !subjectSet && !issuerSet:
		return nil, usagef(hint, "neither a key nor an identity was given: a bundle never chooses its own trust")
	case file == "" && !(subjectSet && issuerSet):
		return nil, usagef(hint, "an identity without its issuer, or an issuer without an identity")
	case file == "":
		return keyless.Identity{Subject: subject, Issuer: issuer}, nil
	}
	data, err := readFile(file, maxKeyFile)
	if err != nil {
		return nil, err
	}
	key, err := keyless.ParseKey(data)
	if errors.Is(err, envelope.ErrPrivateKey) {
		return nil, usagef("give the public half: rollproof keys public "+file+" prints it", "%s is a private key, and a public key is expected", file)
	}
	if err != nil {
		return nil, failure{exitEvidence, fmt.Sprintf("%s: refused at stage %s", file, archive.Printable(err.Error())), "expected a PEM block \"PUBLIC KEY\" or one OpenSSH line"}
	}
	return key, nil
}

// bundleMatch reads a flag, or its -regexp twin.
func bundleMatch(ctx *cli.Context, name string) (m keyless.Match, set bool, err error) {
	exact, pattern := ctx.String(name), ctx.String(name+"-regexp")
	switch {
	case exact != "" && pattern != "":
		return m, false, usagef("give one of them", "both --%s and --%s-regexp were given", name, name)
	case exact != "":
		m, err = keyless.Exact(exact)
	case pattern != "":
		m, err = keyless.Pattern(pattern)
	default:
		return m, false, nil
	}
	if err != nil {
		return m, false, usagef("see rollproof evidence verify-bundle --help", "--%s: %v", name, err)
	}
	return m, true, nil
}

func bundleVerifier(ctx *cli.Context) (*keyless.Verifier, error) {
	var root []byte
	if ctx.IsSet("trusted-root") { // even as "": an unset variable of a script is no way around it
		var err error
		if root, err = readBeyond(ctx.String("trusted-root"), keyless.MaxTrustedRoot); err != nil {
			return nil, err
		}
	}
	verifier, err := keyless.New(root, keyless.Options{AllowNoLogEntry: ctx.Bool("allow-no-log-entry"), AllowNoSCT: ctx.Bool("allow-no-sct")})
	if err != nil {
		return nil, failure{exitEvidence, ctx.String("trusted-root") + ": refused at stage " + archive.Printable(err.Error()), "get the trusted_root.json of the Sigstore instance"}
	}
	return verifier, nil
}

// bundleArtifact opens what was signed, or takes its digest unless a file has that
// name.
func bundleArtifact(name string) (keyless.Artifact, func() error, error) {
	f, err := os.Open(name)
	if err == nil {
		return keyless.Content(f), f.Close, nil
	}
	digest, ok := strings.CutPrefix(name, "sha256:")
	if !ok {
		return keyless.Artifact{}, nil, err
	}
	artifact, err := keyless.Digest(digest)
	if err != nil {
		return artifact, nil, usagef("sha256: and 64 hex digits", "%s: %v", name, err)
	}
	return artifact, func() error { return nil }, nil
}

// readBeyond reads a file up to one byte more than limit, so that what is too large is
// refused by its reader.
func readBeyond(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit+1))
}

func (p *program) showBundle(r *keyless.Result) error {
	if p.json {
		return p.printJSON(struct {
			Schema string `json:"schema"`
			*keyless.Result
		}{evidence.Namespace + "bundle-verification/v1", r})
	}
	w := &strings.Builder{}
	fmt.Fprintf(w, "pass  %s, bundle %s\n", r.Artifact, r.Version)
	if r.Signer.KeyID != "" {
		fmt.Fprintf(w, "signed by %s\n", r.Signer.KeyID)
	} else {
		fmt.Fprintf(w, "signed by %s of %s\n", archive.Printable(r.Signer.Subject), archive.Printable(r.Signer.Issuer))
	}
	if r.Statement != nil {
		fmt.Fprintf(w, "statement %s about %d subjects\n", archive.Printable(r.Statement.PredicateType), len(r.Statement.Subjects))
	}
	for _, t := range r.Times {
		fmt.Fprintf(w, "seen %s by %s %s\n", t.Time.UTC().Format(time.RFC3339), t.Witness, archive.Printable(t.URI))
	}
	for _, e := range r.Log {
		fmt.Fprintf(w, "entry %d of log %s (%s)\n", e.Index, archive.Printable(e.URI), archive.Printable(e.Kind))
	}
	for _, n := range r.NotChecked {
		fmt.Fprintf(w, "not-checked %s: %s\n", n.Check, archive.Printable(n.Reason))
	}
	for _, x := range r.Weakenings {
		fmt.Fprintf(w, "weakened by %s: %d checks were not required\n", x.Flag, len(x.Checks))
	}
	_, err := fmt.Fprint(p.stdout, w.String())
	return err
}
