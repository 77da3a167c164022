package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/translog"
	"github.com/urfave/cli/v2"
)

// writeProof prints a proof, or writes it to --out.
func (p *program) writeProof(ctx *cli.Context, doc checkpoint.ProofDocument) error {
	doc.Schema = checkpoint.ProofSchema
	if out := ctx.String("out"); out != "" {
		if err := os.WriteFile(out, []byte(doc.Proof), 0o644); err != nil {
			return err
		}
	}
	if p.json {
		return p.printJSON(doc)
	}
	_, err := fmt.Fprint(p.stdout, doc.Proof)
	return err
}

func outFlag(what string) cli.Flag {
	return &cli.StringFlag{Name: "out", Usage: "write " + what + " to `FILE` too"}
}

func (p *program) logProveCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "prove",
		Usage: "print a receipt: the proof that a record is in the log",
		Description: "ID is the digest of a record or of an act, or at least 8 hex digits of it. The receipt is a C2SP tlog-proof with the newest checkpoint; " +
			"it proves the record's entry to whoever has the log's key, without the store. --entry writes that entry.",
		Flags: []cli.Flag{
			storeFlag(), outFlag("the receipt"),
			&cli.StringFlag{Name: "entry", Usage: "write the record's entry to `FILE`"},
		},
		Action: p.logProve,
	}, "ID")
}

func (p *program) logProve(ctx *cli.Context) error {
	store, err := readStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	index, err := store.Find(ctx.Context, ctx.Args().First())
	if err != nil {
		return badStore(err)
	}
	doc, err := checkpoint.Prove(ctx.Context, store, index)
	if err != nil {
		return badLog(err)
	}
	if file := ctx.String("entry"); file != "" {
		if err := os.WriteFile(file, []byte(doc.Entry), 0o644); err != nil {
			return err
		}
	}
	return p.writeProof(ctx, doc)
}

func newestCheckpoint(ctx *cli.Context, store *sqlite.Store) (translog.SignedCheckpoint, error) {
	newest, ok, err := checkpoint.Newest(ctx.Context, store)
	if err != nil {
		return newest, badLog(err)
	}
	if !ok {
		return newest, badLog(checkpoint.ErrNone)
	}
	return newest, nil
}

func (p *program) logConsistencyCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "consistency",
		Usage: "prove that the newest checkpoint's tree begins with an older one's, as a request to a witness",
		Description: "OLD is a checkpoint of this log, or the size of one; 0 for a witness who has seen nothing. " +
			"What is printed is the body of C2SP tlog-witness' add-checkpoint request: give it to rollproof evidence log witness, or to any other witness.",
		Flags: append(rootFlags(), storeFlag(), outFlag("the request"),
			&cli.StringFlag{Name: "log-key", Usage: "the log's public key `PUB` that OLD is verified under (default: keys of the role log in the trust root)"},
		),
		Action: p.logConsistency,
	}, "OLD")
}

func (p *program) logConsistency(ctx *cli.Context) error {
	store, err := readStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	old, err := p.oldSize(ctx, store, ctx.Args().First())
	if err != nil {
		return err
	}
	doc, err := checkpoint.ProveConsistency(ctx.Context, store, old)
	if err != nil {
		return badLog(err)
	}
	return p.writeProof(ctx, doc)
}

// oldSize reads a size, or a checkpoint that the log must still agree with.
func (p *program) oldSize(ctx *cli.Context, store *sqlite.Store, text string) (int64, error) {
	var size int64
	if n, err := fmt.Sscanf(text, "%d", &size); n == 1 && err == nil && fmt.Sprint(size) == text && size >= 0 {
		return size, nil
	}
	data, err := readFile(text, translog.MaxSignedSize)
	if err != nil {
		return 0, err
	}
	var doc checkpoint.Document
	signed, err := p.openCheckpoint(ctx, store, data, &doc)
	if err != nil {
		return 0, err
	}
	return signed.Size, badLog(checkpoint.Consistent(ctx.Context, store, signed.Checkpoint))
}

func (p *program) logWitnessCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "witness",
		Usage: "on another machine, by another person: check that a log only grew since it was last seen, and cosign",
		Description: "REQUEST is what rollproof evidence log consistency prints. What was seen is remembered in --state, which belongs to the witness; without one, the first tree is taken as it is. " +
			"The cosignature is printed: the log's owner keeps it with rollproof evidence log checkpoint --cosignature.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "key", Usage: "the witness's signing `KEY`: a file or ssh-agent:SHA256:… (default: ROLLPROOF_SIGNING_KEY)"},
			&cli.StringFlag{Name: "name", Usage: "`NAME` of the witness, for example witness.example.com/grace", Required: true},
			&cli.StringFlag{Name: "log-key", Usage: "the log's public key `PUB`", Required: true},
			&cli.StringFlag{Name: "state", Usage: "`DIR` that remembers the newest tree of each log (default: in the user's state directory)"},
			outFlag("the cosignature"),
		},
		Action: p.logWitness,
	}, "REQUEST")
}

func (p *program) logWitness(ctx *cli.Context) error {
	data, err := readFile(ctx.Args().First(), translog.MaxSignedSize*2)
	if err != nil {
		return err
	}
	request, err := checkpoint.ParseRequest(data)
	if err != nil {
		return failure{exitEvidence, fmt.Sprintf("%s: %v", ctx.Args().First(), err), "make it with rollproof evidence log consistency"}
	}
	trusted, err := p.logKeys(ctx)
	if err != nil {
		return err
	}
	signer, err := p.signer(ctx.String("key"))
	if err != nil {
		return err
	}
	public, err := ed25519Key(signer.Public())
	if err != nil {
		return err
	}
	state, err := p.witnessState(ctx.String("state"), request.Checkpoint.Origin)
	if err != nil {
		return err
	}
	witness := checkpoint.Witness{Name: ctx.String("name"), Public: public, Signer: signer}
	text, err := p.cosign(witness, request, trusted[0], state)
	if err != nil {
		return badLog(err)
	}
	return p.writeProof(ctx, checkpoint.ProofDocument{Kind: "cosignature", Origin: request.Checkpoint.Origin, Size: request.Checkpoint.Size, Index: request.OldSize, Proof: text})
}

// witnessState is the file that remembers a log.
func (p *program) witnessState(dir, origin string) (string, error) {
	if dir == "" {
		base := p.userDirectory("XDG_STATE_HOME", ".local/state")
		if base == "" {
			return "", usagef("give --state DIR", "there is no home directory to remember logs in")
		}
		dir = filepath.Join(base, "witness")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return filepath.Join(dir, strings.ReplaceAll(origin, "/", "_")+".checkpoint"), nil
}

// cosign answers a request and remembers it, before the answer is given away.
func (p *program) cosign(w checkpoint.Witness, r checkpoint.Request, logKey ed25519.PublicKey, state string) (string, error) {
	var seen *translog.Checkpoint
	remembered, err := readFile(state, translog.MaxSignedSize)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return "", err
	default:
		before, err := translog.Open(remembered, r.Checkpoint.Origin, logKey)
		if err != nil {
			return "", fmt.Errorf("%s: %w", state, err)
		}
		seen = &before.Checkpoint
	}
	cosignature, err := w.Cosign(r, logKey, seen, p.now())
	if err != nil {
		return "", err
	}
	note, err := r.Checkpoint.Marshal()
	if err != nil {
		return "", err
	}
	if err := replaceFile(state, note); err != nil {
		return "", err
	}
	text, err := cosignature.Marshal()
	return string(text), err
}

// replaceFile puts data in the place of a file, durably: the old or the new one is
// there at every moment.
func replaceFile(file string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func (p *program) logExportCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:        "export-tiles",
		Usage:       "write the newest checkpoint's tree as C2SP tiles, which any reader of such logs can follow",
		Description: "DIR gets checkpoint, tile/… and tile/entries/…; serve it as files. It must be new or empty.",
		Flags:       []cli.Flag{storeFlag()},
		Action:      p.logExport,
	}, "DIR")
}

func (p *program) logExport(ctx *cli.Context) error {
	dir := ctx.Args().First()
	store, err := readStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	newest, err := newestCheckpoint(ctx, store)
	if err != nil {
		return err
	}
	if list, err := os.ReadDir(dir); err == nil && len(list) > 0 {
		return failure{exitConflict, dir + " is not empty", "name a new directory"}
	}
	tiles := 0
	err = translog.ExportTiles(newest.Tree, checkpoint.Leaves(ctx.Context, store, 0, newest.Size), func(path string, data []byte) error {
		tiles++
		file := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		return os.WriteFile(file, data, 0o644)
	})
	if err != nil {
		return badLog(err)
	}
	note, err := newest.Marshal()
	if err != nil {
		return err
	}
	if err := writeAll(dir, map[string][]byte{"checkpoint": note}); err != nil {
		return err
	}
	if p.json {
		return p.printJSON(map[string]any{"schema": evidence.Namespace + "evidence-log-tiles/v1", "origin": newest.Origin, "size": newest.Size, "tiles": tiles, "directory": dir})
	}
	_, err = fmt.Fprintf(p.stdout, "%s: %d tiles of the tree of size %d\n", dir, tiles, newest.Size)
	return err
}
