package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/urfave/cli/v2"
)

func (p *program) trustCommand() *cli.Command {
	return p.group("trust", "the signed document that says which key may do what",
		p.trustInitCommand(), p.trustQuickstartCommand(), p.trustEditCommand(), p.trustRetireCommand(), p.trustRevokeCommand(),
		p.trustSignCommand(), p.trustShowCommand(), p.trustVerifyCommand(), p.trustDiffCommand(),
		p.trustBootstrapCommand(), p.trustImportCommand(),
	)
}

// A trustStatus is what the trust commands print with --json.
type trustStatus struct {
	Schema   string         `json:"schema"`
	File     string         `json:"file"`
	Pin      string         `json:"pin"` // digest of this version
	Complete bool           `json:"complete"`
	Signed   []string       `json:"signed"`
	Missing  []string       `json:"missing"` // whose signature would count and is not there
	Document trust.Document `json:"document"`
}

func newTrustStatus(d *trust.Directory, version int) trustStatus {
	votes := d.Votes()[version-1]
	doc, _ := d.Document(version)
	s := trustStatus{
		Schema: evidence.Namespace + "trust-status/v1", File: votes.DocumentName, Pin: votes.DocumentDigest,
		Complete: votes.Complete(), Signed: []string{}, Missing: []string{}, Document: doc,
	}
	for _, by := range votes.SignedBy {
		s.Signed = append(s.Signed, signerText(by))
	}
	for _, by := range votes.MaySignStill {
		s.Missing = append(s.Missing, signerText(by))
	}
	return s
}

func signerText(s trust.Signer) string { return s.Person + " " + s.KeyID }

// showTrust prints where a version stands and what the next step is.
func (p *program) showTrust(dir string, d *trust.Directory, version int) error {
	s := newTrustStatus(d, version)
	if p.json {
		return p.printJSON(s)
	}
	votes := d.Votes()[version-1]
	file := filepath.Join(dir, s.File)
	fmt.Fprintf(p.stdout, "%s\npin %s\n", file, s.Pin)
	fmt.Fprintf(p.stdout, "signed by %d of %d persons of its own root role", votes.Own, votes.OwnNeeded)
	if votes.BeforeNeeded > 0 {
		fmt.Fprintf(p.stdout, ", %d of %d of the version before", votes.Before, votes.BeforeNeeded)
	}
	fmt.Fprintln(p.stdout)
	for _, name := range s.Signed {
		fmt.Fprintf(p.stdout, "  signed   %s\n", name)
	}
	if s.Complete {
		return nil
	}
	for _, name := range s.Missing {
		fmt.Fprintf(p.stdout, "  may sign %s\n", name)
	}
	_, err := fmt.Fprintf(p.stdout, "next: rollproof trust sign %s --key FILE\n", file)
	return err
}

// openTrust reads a trust directory, or the one around a document.
func openTrust(name string) (dir string, d *trust.Directory, version int, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", nil, 0, err
	}
	dir = name
	if !info.IsDir() {
		dir = filepath.Dir(name)
		number, _, ok := strings.Cut(filepath.Base(name), ".trust.json")
		if version, err = strconv.Atoi(number); err != nil || !ok {
			return "", nil, 0, usagef("for example trust/1.trust.json", "%s: expected N.trust.json", name)
		}
	}
	files, err := readTrustDirectory(dir)
	if err != nil {
		return "", nil, 0, err
	}
	if d, err = trust.Read(files); err != nil {
		return "", nil, 0, badTrust(err)
	}
	if version == 0 {
		version = d.Newest().Version
	}
	if _, ok := d.Document(version); !ok {
		return "", nil, 0, usagef("rollproof trust show "+dir, "%s: there is no version %d", dir, version)
	}
	return dir, d, version, nil
}

// badTrust gives a trust directory that can't be read its exit code.
func badTrust(err error) error {
	var told *trust.Error
	if errors.As(err, &told) {
		return err
	}
	return failure{exitEvidence, err.Error(), "get the trust directory from the root's owners"}
}

// writeVersion writes the next document of a trust directory.
func (p *program) writeVersion(dir string, doc trust.Document) error {
	data, err := doc.Marshal()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file := filepath.Join(dir, trust.FileName(doc.Version))
	if err := os.WriteFile(file, data, 0o644); err != nil {
		return err
	}
	_, d, version, err := openTrust(file)
	if err != nil {
		return err
	}
	return p.showTrust(dir, d, version)
}

// parseTime reads an instant in RFC 3339 or a day, in UTC, or a number of days from
// now such as 365d.
func parseTime(flag, value string, now time.Time) (time.Time, error) {
	if days, ok := strings.CutSuffix(value, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 {
			return now.AddDate(0, 0, n), nil
		}
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, value); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, usagef("for example 2027-03-02, 2027-03-02T00:00:00Z or 365d", "--%s %s: no instant", flag, value)
}

func (p *program) trustInitCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "init",
		Usage: "write version 1 of a trust root, unsigned; needs no private key",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "root-key", Usage: "public key of a root owner: `[PERSON=]FILE` (person: the file's name); may be repeated"},
			&cli.IntFlag{Name: "threshold", Value: 1, Usage: "how many persons must sign each version"},
			&cli.StringFlag{Name: "expires", Value: "365d", Usage: "when the version stops to be current"},
			&cli.StringFlag{Name: "out", Value: "trust", Usage: "`DIR` to write"},
		},
		Action: p.trustInit,
	})
}

func (p *program) trustInit(ctx *cli.Context) error {
	now := p.now()
	expires, err := parseTime("expires", ctx.String("expires"), now)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(ctx.String("out"), trust.FileName(1))); err == nil {
		return failure{exitConflict, ctx.String("out") + " holds a trust root", "change it with rollproof trust edit"}
	}
	edit := trust.New(now, expires)
	edit.Threshold(trust.Root, ctx.Int("threshold"))
	if len(ctx.StringSlice("root-key")) == 0 {
		return usagef("rollproof keys generate ../root.pem makes one", "no --root-key was given")
	}
	for _, spec := range ctx.StringSlice("root-key") {
		person, file, named := strings.Cut(spec, "=")
		if !named {
			file = spec
			person = strings.TrimSuffix(filepath.Base(spec), filepath.Ext(spec))
		}
		public, err := readPublicKey(file)
		if err != nil {
			return err
		}
		edit.Person(trust.Person{ID: person, Name: person})
		if err := edit.AddKey(public, trust.Key{Person: person}); err != nil {
			return badEdit(err)
		}
		if err := edit.Grant(trust.Grant{KeyID: public.KeyID(), Role: trust.Root}); err != nil {
			return badEdit(err)
		}
	}
	doc, err := edit.Document()
	if err != nil {
		return badEdit(err)
	}
	return p.writeVersion(ctx.String("out"), doc)
}

// badEdit gives an edit that the rules of a trust root forbid its exit code.
func badEdit(err error) error {
	return usagef("rollproof trust show lists what is there", "%v", err)
}

func (p *program) trustSignCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:   "sign",
		Usage:  "add a signature beside a version; signatures are collected one at a time, on different machines",
		Flags:  []cli.Flag{&cli.StringFlag{Name: "key", Usage: "root `KEY`: a file or ssh-agent:SHA256:… (default: ROLLPROOF_SIGNING_KEY)"}},
		Action: p.trustSign,
	}, "N.trust.json")
}

func (p *program) trustSign(ctx *cli.Context) error {
	dir, d, version, err := openTrust(ctx.Args().First())
	if err != nil {
		return err
	}
	signer, err := p.signer(ctx.String("key"))
	if err != nil {
		return err
	}
	name, data, err := d.Sign(signer, version)
	if err != nil {
		return failure{exitEvidence, err.Error(), "rollproof trust show " + dir + " lists who may sign"}
	}
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
		return err
	}
	if _, d, _, err = openTrust(dir); err != nil {
		return err
	}
	return p.showTrust(dir, d, version)
}

func (p *program) trustVerifyCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "verify",
		Usage: "walk a trust directory from a pin and say which version is trusted",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "pin", Usage: "`DIGEST` (sha256:…) of any one version"},
			&cli.StringFlag{Name: "trust-state", Usage: "`FILE` that remembers the newest trust version seen"},
			&cli.IntFlag{Name: "min-trust-version", Usage: "refuse trust versions below `N`"},
			&cli.BoolFlag{Name: "allow-expired-trust", Usage: "let an expired version count as current"},
		},
		Action: p.trustVerify,
	}, "DIR")
}

func (p *program) trustVerify(ctx *cli.Context) error {
	pin, err := p.pin(ctx)
	if err != nil {
		return err
	}
	files, err := readTrustDirectory(ctx.Args().First())
	if err != nil {
		return err
	}
	chain, err := trust.Load(files, pin)
	if err != nil {
		return badTrust(err)
	}
	authority, err := p.authorityOf(ctx, chain)
	if err != nil {
		return err
	}
	f := authority.Facts()
	if f.Current != trust.Granted {
		return failure{exitEvidence, f.CurrentReason, f.CurrentHint}
	}
	return p.showTrust(ctx.Args().First(), chain.Directory(), f.Version)
}

// pin returns --pin, or the configured one.
func (p *program) pin(ctx *cli.Context) (string, error) {
	pin := ctx.String("pin")
	if pin == "" {
		var err error
		if pin, err = p.configuredPin(); err != nil {
			return "", err
		}
	}
	if pin == "" {
		return "", failure{exitEvidence, "no pin was given", "give --pin sha256:…, as the root's owners told it"}
	}
	return trust.ParsePin(pin)
}
