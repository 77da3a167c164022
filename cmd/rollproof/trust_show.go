package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/release/dist"
	"github.com/urfave/cli/v2"
)

func (p *program) trustShowCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:   "show",
		Usage:  "show the newest version of a trust directory, or one version",
		Action: p.trustShow,
	}, "DIR|N.trust.json")
}

func (p *program) trustShow(ctx *cli.Context) error {
	dir, d, version, err := openTrust(ctx.Args().First())
	if err != nil {
		return err
	}
	if err := p.showTrust(dir, d, version); err != nil || p.json {
		return err
	}
	doc, _ := d.Document(version)
	w := &strings.Builder{}
	fmt.Fprintf(w, "issued %s, expires %s\n", doc.Issued.Format(time.RFC3339), doc.Expires.Format(time.RFC3339))
	for _, t := range doc.Thresholds {
		fmt.Fprintf(w, "threshold %s: %d persons\n", t.Role, t.Persons)
	}
	for _, person := range doc.People {
		fmt.Fprintf(w, "%s  %s %s\n", person.ID, person.Name, person.Email)
		for _, k := range doc.Keys {
			if k.Person == person.ID {
				fmt.Fprintf(w, "  %s %s\n", k.KeyID, keyState(k))
				writeGrants(w, doc, func(g trust.Grant) bool { return g.KeyID == k.KeyID })
			}
		}
		for _, i := range doc.Identities {
			if i.Person == person.ID {
				fmt.Fprintf(w, "  %s of %s\n", i.Subject, i.Issuer)
				writeGrants(w, doc, func(g trust.Grant) bool { return g.Identity != nil && *g.Identity == i.Identity() })
			}
		}
	}
	for line := range strings.Lines(w.String()) {
		fmt.Fprintln(p.stdout, archive.Printable(strings.TrimSuffix(line, "\n")))
	}
	return nil
}

func keyState(k trust.Key) string {
	state := string(k.Use) + ", from " + k.NotBefore.Format(time.RFC3339)
	if !k.NotAfter.IsZero() {
		state += " to " + k.NotAfter.Format(time.RFC3339)
	}
	if k.Revoked != nil {
		state += fmt.Sprintf(", %s since %s", k.Revoked.Reason, k.Revoked.At.Format(time.RFC3339))
	}
	return state
}

func writeGrants(w *strings.Builder, doc trust.Document, fits func(trust.Grant) bool) {
	for _, g := range doc.Grants {
		if fits(g) {
			fmt.Fprintf(w, "    %s", g.Role)
			for _, s := range []struct {
				name string
				list []string
			}{{"projects", g.Projects}, {"environments", g.Environments}, {"rings", g.Rings}, {"predicate types", g.PredicateTypes}} {
				if len(s.list) > 0 {
					fmt.Fprintf(w, ", %s %s", s.name, strings.Join(s.list, " "))
				}
			}
			fmt.Fprintln(w)
		}
	}
}

func (p *program) trustDiffCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:   "diff",
		Usage:  "show what changed from one version to another",
		Action: p.trustDiff,
	}, "OLD.trust.json", "NEW.trust.json")
}

func (p *program) trustDiff(ctx *cli.Context) error {
	var docs [2]trust.Document
	for i := range docs {
		data, err := readFile(ctx.Args().Get(i), maxTrustFile)
		if err != nil {
			return err
		}
		if docs[i], err = trust.Parse(data); err != nil {
			return badTrust(fmt.Errorf("%s: %w", ctx.Args().Get(i), err))
		}
	}
	changes := trust.Diff(docs[0], docs[1])
	if p.json {
		return p.printJSON(map[string]any{"schema": evidence.Namespace + "trust-diff/v1", "changes": changes})
	}
	for _, c := range changes {
		sign := "~"
		switch {
		case c.Before == nil:
			sign = "+"
		case c.After == nil:
			sign = "-"
		}
		fmt.Fprintf(p.stdout, "%s %s %s\n", sign, c.What, archive.Printable(c.Name))
		for _, v := range []struct {
			label string
			value any
		}{{"was", c.Before}, {"is", c.After}} {
			if v.value != nil {
				fmt.Fprintf(p.stdout, "    %-3s %s\n", v.label, oneLine(v.value))
			}
		}
	}
	return nil
}

// oneLine is a value of a trust document as compact JSON.
func oneLine(v any) string {
	data, err := envelope.Encode(v)
	if err != nil {
		return err.Error()
	}
	return archive.Printable(strings.Join(strings.Fields(string(data)), " "))
}

// closingDigest returns the digest of the closing statement of a package, or the
// digest that is given.
func closingDigest(name string) (string, error) {
	if strings.HasPrefix(name, "sha256:") {
		return name, nil
	}
	container, closer, err := dist.Open(name)
	if err != nil {
		return "", err
	}
	defer closer.Close()
	payload, err := release.ClosingStatement(container)
	if err != nil {
		return "", failure{exitEvidence, fmt.Sprintf("%s: %v", name, err), "give a signed package, or the digest of its closing statement"}
	}
	return "sha256:" + evidence.SHA256(payload), nil
}

func (p *program) trustBootstrapCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "bootstrap",
		Usage: "write all versions and instructions into one zip, for a closed network",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "trust", Value: "trust", Usage: "the trust `DIR`"},
			&cli.StringFlag{Name: "out", Value: "trust-bootstrap.zip", Usage: "`FILE` to write"},
		},
		Action: p.trustBootstrap,
	})
}

// bootstrapTop is the directory inside a bootstrap zip.
const bootstrapTop = "trust-bootstrap"

func (p *program) trustBootstrap(ctx *cli.Context) error {
	_, d, _, err := openTrust(ctx.String("trust"))
	if err != nil {
		return err
	}
	files := d.Complete()
	if len(files) == 0 {
		return failure{exitRule, "no version is signed by enough persons", "rollproof trust sign"}
	}
	newest := 0
	for _, v := range d.Votes() {
		if !v.Complete() {
			break
		}
		newest = v.Version
	}
	votes := d.Votes()[newest-1]
	files["README.txt"] = fmt.Appendf(nil, bootstrapText, newest, votes.DocumentDigest)
	if err := dist.WriteZip(ctx.String("out"), bootstrapTop, files); err != nil {
		return err
	}
	if p.json {
		return p.printJSON(map[string]any{"schema": evidence.Namespace + "trust-bootstrap/v1", "file": ctx.String("out"), "version": newest, "pin": votes.DocumentDigest})
	}
	_, err = fmt.Fprintf(p.stdout, "%s: versions 1 to %d\ntell the pin on another way than this file: %s\n", ctx.String("out"), newest, votes.DocumentDigest)
	return err
}

const bootstrapText = `A rollproof trust root, versions 1 to %d.

In the closed network:

    rollproof trust import trust-bootstrap.zip --pin sha256:…

The pin is the sha256 of any one version and comes on another way than this file:
read it over the telephone, compare it on paper. The digest of the newest version
in this file is

    %s

A pin that is taken from this file alone proves nothing.
`

func (p *program) trustImportCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "import",
		Usage: "take a bootstrap zip or a trust directory, walk it from a pin, and keep both in the user's configuration",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "pin", Usage: "`DIGEST` (sha256:…) of any one version, received on another way"},
			&cli.StringFlag{Name: "out", Usage: "`DIR` for the versions (default: in the user's configuration)"},
			&cli.StringFlag{Name: "trust-state", Usage: "`FILE` that remembers the newest trust version seen"},
			&cli.IntFlag{Name: "min-trust-version", Usage: "refuse trust versions below `N`"},
			&cli.BoolFlag{Name: "allow-expired-trust", Usage: "let an expired version count as current"},
		},
		Action: p.trustImport,
	}, "ZIP|DIR")
}

// readCarried reads a bootstrap zip, or a trust directory.
func readCarried(name string) (map[string][]byte, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return readTrustDirectory(name)
	}
	files, err := dist.ReadZip(name, maxTrustFile)
	delete(files, "README.txt")
	return files, err
}

func (p *program) trustImport(ctx *cli.Context) error {
	if ctx.String("pin") == "" {
		return failure{exitEvidence, "no pin was given", "ask the root's owners for it, on another way than this file"}
	}
	pin, err := trust.ParsePin(ctx.String("pin"))
	if err != nil {
		return err
	}
	files, err := readCarried(ctx.Args().First())
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
	out := ctx.String("out")
	configuration := p.userDirectory("XDG_CONFIG_HOME", ".config")
	if out == "" {
		if configuration == "" {
			return usagef("give --out DIR", "there is no home directory to keep the trust root in")
		}
		out = filepath.Join(configuration, "trust")
	}
	if err := writeAll(out, chain.Files()); err != nil {
		return err
	}
	if configuration != "" {
		if err := writeAll(configuration, map[string][]byte{"pin": []byte(pin + "\n")}); err != nil {
			return err
		}
	}
	return p.showTrust(out, chain.Directory(), f.Version)
}
