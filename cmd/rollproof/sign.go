package main

import (
	"fmt"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/dist"
	"github.com/urfave/cli/v2"
)

func (p *program) signCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "sign",
		Usage: "add another releaser's signature to a package, over the very same statement",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "key", Usage: "signing `KEY`: a file or ssh-agent:SHA256:… (default: ROLLPROOF_SIGNING_KEY)"},
		},
		Action: p.signPackage,
	}, "DIR")
}

func (p *program) signPackage(ctx *cli.Context) error {
	name := ctx.Args().First()
	container, closer, err := dist.Open(name)
	if err != nil {
		return err
	}
	defer closer.Close()
	if container.Kind() != "directory" {
		return usagef("give the directory; its zip is made again", "%s is a zip", name)
	}
	payload, err := release.ClosingStatement(container)
	if err != nil {
		return failure{exitEvidence, fmt.Sprintf("%s: %v", name, err), "give a signed package"}
	}
	signer, err := p.signer(ctx.String("key"))
	if err != nil {
		return err
	}
	bundle, err := envelope.Sign(signer, evidence.PayloadType, payload)
	if err != nil {
		return err
	}
	data, err := bundle.Marshal()
	if err != nil {
		return err
	}
	file := release.ClosingName(signer.Public())
	if err := dist.AddFile(name, file, data); err != nil {
		return err
	}
	if p.json {
		return p.printJSON(map[string]string{"schema": evidence.Namespace + "package-signature/v1", "file": file, "keyid": signer.Public().KeyID(), "statement": "sha256:" + evidence.SHA256(payload)})
	}
	_, err = fmt.Fprintf(p.stdout, "%s\nsigned by %s\n", file, signer.Public().KeyID())
	return err
}
