package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/translog"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/urfave/cli/v2"
)

func (p *program) evidenceLogCommand() *cli.Command {
	return p.group("log", "the store as a transparency log: checkpoints, proofs, witnesses",
		p.logInitCommand(), p.logCheckpointCommand(), p.logCheckCommand(), p.logProveCommand(),
		p.logConsistencyCommand(), p.logWitnessCommand(), p.logExportCommand())
}

func logKeyFlag() cli.Flag {
	return &cli.StringFlag{Name: "key", Usage: "the log's signing `KEY`: a file or ssh-agent:SHA256:… (default: the one that log init made)"}
}

func (p *program) logInitCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "init",
		Usage: "give the store's log its origin and its key, once",
		Description: "The key is made in the user's configuration directory (0600), never beside the store: who holds both can rewrite what no outsider has seen. " +
			"Give its public half to the root's owners: rollproof trust edit --add-key PUB --role log.",
		Flags: []cli.Flag{
			storeFlag(),
			&cli.StringFlag{Name: "name", Value: "rollproof", Usage: "`NAME` that the log's origin begins with, for example example.com/evidence"},
			&cli.StringFlag{Name: "key", Usage: "use this signing `KEY` in place of a new one"},
		},
		Action: p.logInit,
	})
}

func (p *program) logInit(ctx *cli.Context) error {
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	origin, err := translog.NewOrigin(ctx.String("name"), hex.EncodeToString(random))
	if err != nil {
		return usagef("for example --name example.com/evidence", "%v", err)
	}
	store, err := p.writeStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	if _, err := store.Log(ctx.Context); err == nil {
		return badStore(evidence.ErrLogExists)
	}
	file := ""
	signer, err := p.givenKey(ctx.String("key"))
	if err != nil {
		return err
	}
	if signer == nil {
		if signer, file, err = p.makeLogKey(origin); err != nil {
			return err
		}
	}
	public, err := ed25519Key(signer.Public())
	if err != nil {
		return err
	}
	if err := store.InitLog(ctx.Context, evidence.LogIdentity{Origin: origin, Key: public}); err != nil {
		return badStore(err)
	}
	doc, err := checkpoint.Describe(ctx.Context, store)
	if err != nil {
		return badStore(err)
	}
	if err := p.showLog(doc); err != nil || p.json || file == "" {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "key    %s (its public half beside it)\n", file)
	return err
}

// givenKey is the signer of --key, nil without one.
func (p *program) givenKey(flag string) (envelope.Signer, error) {
	if flag == "" {
		return nil, nil
	}
	return p.signer(flag)
}

func (p *program) logCheckpointCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "checkpoint",
		Usage: "sign the log as it is now, and print the checkpoint",
		Description: "Refused when the records do not lead to the checkpoint before. Give checkpoints away: only who holds one can show later that the log was rewritten. " +
			"--cosignature keeps a witness's answer with the newest checkpoint.",
		Flags: append(rootFlags(), storeFlag(), logKeyFlag(),
			&cli.StringFlag{Name: "cosignature", Usage: "check and keep the cosignature in `FILE` in place of signing"},
			&cli.StringFlag{Name: "witness", Usage: "the witness's public key `PUB` (default: keys of the role witness in the trust root)"},
			&cli.StringFlag{Name: "out", Usage: "write the signed note to `FILE` too"},
		),
		Action: p.logCheckpoint,
	})
}

func (p *program) logCheckpoint(ctx *cli.Context) error {
	store, err := p.writeStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	id, err := store.Log(ctx.Context)
	if err != nil {
		return badStore(err)
	}
	change := func(tx evidence.Tx) error { return p.addCosignature(ctx, tx) }
	if ctx.String("cosignature") == "" {
		signer, public, err := p.logSigner(ctx, id.Origin)
		if err != nil {
			return err
		}
		change = func(tx evidence.Tx) error {
			_, err := checkpoint.Sign(ctx.Context, tx, public, signer)
			return err
		}
	}
	if err := store.Append(ctx.Context, change); err != nil {
		return badLog(err)
	}
	doc, err := checkpoint.Describe(ctx.Context, store)
	if err != nil {
		return badStore(err)
	}
	if out := ctx.String("out"); out != "" {
		if err := os.WriteFile(out, []byte(doc.Checkpoint), 0o644); err != nil {
			return err
		}
	}
	return p.showLog(doc)
}

// addCosignature verifies a witness's answer and keeps it.
func (p *program) addCosignature(ctx *cli.Context, tx evidence.Tx) error {
	data, err := readFile(ctx.String("cosignature"), maxKeyFile)
	if err != nil {
		return err
	}
	cosignature, err := translog.ParseCosignature(data)
	if err != nil {
		return badLog(err)
	}
	_, err = checkpoint.Cosigned(ctx.Context, tx, cosignature, func(c translog.Cosignature, of translog.Checkpoint) error {
		candidates, err := p.witnesses(ctx)
		if err != nil {
			return err
		}
		for _, k := range candidates {
			if _, err = c.Verify(of, c.Name(), k); err == nil {
				return nil
			}
		}
		return failure{exitEvidence, fmt.Sprintf("the cosignature by %s is by no witness that is trusted here, or of another checkpoint", archive.Printable(c.Name())), "ask the witness again, with rollproof evidence log consistency; give --witness PUB or a trust root that lists him"}
	})
	return err
}

func (p *program) showLog(doc checkpoint.Document) error {
	if p.json {
		return p.printJSON(doc)
	}
	fmt.Fprintf(p.stdout, "origin %s\nkeyid  %s\nfor other tools: %s\nrecords %d\n", doc.Origin, doc.KeyID, doc.VerifierKey, doc.Records)
	for _, n := range doc.Notes {
		fmt.Fprintf(p.stdout, "note: %s\n", n)
	}
	if doc.Checkpoint == "" {
		_, err := fmt.Fprintln(p.stdout, "no checkpoint yet: rollproof evidence log checkpoint")
		return err
	}
	_, err := fmt.Fprintf(p.stdout, "\n%s", doc.Checkpoint)
	return err
}

func (p *program) logCheckCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "check",
		Usage: "rebuild the log from its records and compare it with a checkpoint",
		Description: "Without --checkpoint, the newest one of the store is taken: that finds accidents, not who holds the store and the log's key. " +
			"With one that was given away before, a log that was rewritten, shortened, reordered or restored from a backup fails (exit 3).",
		Flags: append(rootFlags(), storeFlag(),
			&cli.StringFlag{Name: "checkpoint", Usage: "a checkpoint of this log, in `FILE`, from outside"},
			&cli.StringFlag{Name: "log-key", Usage: "the log's public key `PUB` (default: keys of the role log in the trust root)"},
		),
		Action: p.logCheck,
	})
}

func (p *program) logCheck(ctx *cli.Context) error {
	store, err := readStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	doc, err := checkpoint.Describe(ctx.Context, store)
	if err != nil {
		return badLog(err)
	}
	note, err := p.checkedNote(ctx, &doc)
	if err != nil {
		return err
	}
	signed, err := p.openCheckpoint(ctx, store, note, &doc)
	if err != nil {
		return err
	}
	if err := checkpoint.Consistent(ctx.Context, store, signed.Checkpoint); err != nil {
		return badLog(err)
	}
	if p.json {
		return p.printJSON(doc)
	}
	for _, n := range doc.Notes {
		fmt.Fprintf(p.stdout, "note: %s\n", n)
	}
	_, err = fmt.Fprintf(p.stdout, "%s %s: the log of %d records begins with the tree of the checkpoint of size %d\n",
		p.terminal(p.stdout).result("pass"), doc.Origin, doc.Records, signed.Size)
	return err
}

// checkedNote is the checkpoint that check takes.
func (p *program) checkedNote(ctx *cli.Context, doc *checkpoint.Document) ([]byte, error) {
	if file := ctx.String("checkpoint"); file != "" {
		return readFile(file, translog.MaxSignedSize)
	}
	if doc.Checkpoint == "" {
		return nil, failure{exitFailed, "the log has no checkpoint yet", "rollproof evidence log checkpoint signs one"}
	}
	doc.Notes = append(doc.Notes, "the checkpoint is the store's own: one that was given away before shows more")
	return []byte(doc.Checkpoint), nil
}

// badLog translates errors about checkpoints and proofs.
func badLog(err error) error {
	if errors.Is(err, checkpoint.ErrOtherKey) {
		return usagef("give the key that log init made", "%v", err)
	}
	return badStore(err)
}
