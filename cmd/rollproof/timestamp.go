package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/evidence/trust/timestamp"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/dist"
	"github.com/urfave/cli/v2"
)

// maxToken is the size in bytes of the largest RFC 3161 token that is read.
const maxToken = 256 << 10

func (p *program) timestampCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "timestamp",
		Usage: "ask for, or check and keep, an RFC 3161 token that shows when a package was signed",
		Description: "--query writes the request; send it to a timestamping authority. --reply checks the answer under --key " +
			"(the authority's public key) or the trust root, and keeps it in PKG.evidence/, beside the package.",
		Flags: append(trustFlags(),
			&cli.StringFlag{Name: "query", Usage: "write the request to `FILE`"},
			&cli.StringFlag{Name: "reply", Usage: "check and keep the answer in `FILE`"},
		),
		Action: p.timestamp,
	}, "PKG")
}

func (p *program) timestamp(ctx *cli.Context) error {
	name, query, reply := ctx.Args().First(), ctx.String("query"), ctx.String("reply")
	if (query == "") == (reply == "") {
		return usagef("--query FILE first, then --reply FILE", "expected one of --query and --reply")
	}
	container, closer, err := dist.Open(name)
	if err != nil {
		return err
	}
	defer closer.Close()
	bundle, err := readEntry(container, release.ClosingFile)
	if err != nil {
		return failure{exitEvidence, fmt.Sprintf("%s: %v", name, err), "give a signed package"}
	}
	if query != "" {
		request, err := timestamp.Request(bundle)
		if err != nil {
			return err
		}
		return os.WriteFile(query, request, 0o644)
	}
	authority, err := p.authority(ctx, name, container)
	if err != nil {
		return err
	}
	if authority == nil {
		return failure{exitEvidence, "nothing says whose token counts", "give --key with the timestamping authority's public key, or --pin and --trust"}
	}
	return p.keepToken(name, reply, bundle, authority)
}

// keepToken checks a token and puts it beside the package.
func (p *program) keepToken(name, reply string, bundle []byte, authority trust.Authority) error {
	data, err := readFile(reply, maxToken)
	if err != nil {
		return err
	}
	token, err := timestamp.Token(data)
	var proof trust.Proof
	if err == nil {
		proof, err = timestamp.Verify(token, bundle, authority.Key)
	}
	if err != nil {
		return failure{exitEvidence, fmt.Sprintf("%s: %v", reply, err), "ask the timestamping authority again: rollproof release timestamp --query"}
	}
	dir := sidecar(name)
	file := "timestamp-" + evidence.SHA256(token)[:16] + ".tsr"
	if err := writeAll(dir, map[string][]byte{file: token}); err != nil {
		return err
	}
	file = filepath.Join(dir, file)
	if p.json {
		return p.printJSON(map[string]string{"schema": evidence.Namespace + "package-timestamp/v1", "file": file, "time": proof.Time.UTC().Format(time.RFC3339), "keyid": proof.By})
	}
	_, err = fmt.Fprintf(p.stdout, "%s\nsigned not after %s, says %s\n", file, proof.Time.UTC().Format(time.RFC3339), proof.By)
	return err
}

// proofs reads the tokens of the sidecar that verify under keys of the authority.
// What can't be used proves nothing and is told.
func (p *program) proofs(name string, container release.Container, authority trust.Authority) ([]trust.Proof, error) {
	list, err := os.ReadDir(sidecar(name))
	if errors.Is(err, os.ErrNotExist) || authority == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var proofs []trust.Proof
	for _, e := range list {
		file := filepath.Join(sidecar(name), e.Name())
		if !strings.HasSuffix(file, ".tsr") {
			continue
		}
		token, err := readFile(file, maxToken)
		if err != nil {
			return nil, err
		}
		found, err := p.tokenProofs(token, container, authority)
		if err != nil {
			fmt.Fprintf(p.stderr, "rollproof: warning: %s proves nothing: %v\n", file, err)
		}
		proofs = append(proofs, found...)
	}
	return proofs, nil
}

// tokenProofs tries a token on each closing bundle.
func (p *program) tokenProofs(token []byte, container release.Container, authority trust.Authority) ([]trust.Proof, error) {
	var problems []error
	for _, e := range container.Entries() {
		if !release.IsClosing(e.Path) {
			continue
		}
		bundle, err := readEntry(container, e.Path)
		if err == nil {
			var proof trust.Proof
			if proof, err = timestamp.Verify(token, bundle, authority.Key); err == nil {
				return []trust.Proof{proof}, nil
			}
		}
		problems = append(problems, err)
	}
	return nil, errors.Join(problems...)
}

// readEntry reads a small file of a package.
func readEntry(c release.Container, path string) ([]byte, error) {
	f, err := c.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxTrustFile))
	return data, errors.Join(err, f.Close())
}
