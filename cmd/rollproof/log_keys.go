package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/keys"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/translog"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/urfave/cli/v2"
)

// logKeyFile is where the key of a log lies.
func (p *program) logKeyFile(origin string) (string, error) {
	dir := p.userDirectory("XDG_CONFIG_HOME", ".config")
	if dir == "" {
		return "", usagef("give --key KEY", "there is no configuration directory to keep the log's key in")
	}
	return filepath.Join(dir, "log", strings.ReplaceAll(origin, "/", "_")+".pem"), nil
}

// makeLogKey makes the key of a log and writes both halves.
func (p *program) makeLogKey(origin string) (envelope.Signer, string, error) {
	file, err := p.logKeyFile(origin)
	if err != nil {
		return nil, "", err
	}
	key, err := keys.Generate(rand.Reader)
	if err != nil {
		return nil, "", err
	}
	text, err := p.marshalKey(key, false)
	if err != nil {
		return nil, "", err
	}
	public, err := key.Public().PEM()
	if err != nil {
		return nil, "", err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, "", err
	}
	if err := writeNew(file, text, 0o600); err != nil {
		return nil, "", err
	}
	return key, file, writeNew(strings.TrimSuffix(file, ".pem")+".pub", public, 0o644)
}

func ed25519Key(k envelope.PublicKey) (ed25519.PublicKey, error) {
	public, ok := k.Crypto().(ed25519.PublicKey)
	if !ok {
		return nil, usagef("rollproof keys generate makes one", "key %s is %s, and checkpoints are signed with Ed25519", k.KeyID(), k.Algorithm())
	}
	return public, nil
}

// logSigner opens the log's key: the one that is given, or that init made.
func (p *program) logSigner(ctx *cli.Context, origin string) (envelope.Signer, ed25519.PublicKey, error) {
	file := ctx.String("key")
	if file == "" {
		var err error
		if file, err = p.logKeyFile(origin); err != nil {
			return nil, nil, err
		}
	}
	signer, err := p.signer(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, failure{exitFailed, "the log's key is not at " + file, "give --key KEY, or run it where log init was run"}
	}
	if err != nil {
		return nil, nil, err
	}
	public, err := ed25519Key(signer.Public())
	return signer, public, err
}

// witnesses are the keys whose cosignatures count.
func (p *program) witnesses(ctx *cli.Context) ([]ed25519.PublicKey, error) {
	if file := ctx.String("witness"); file != "" {
		public, err := readPublicKey(file)
		if err != nil {
			return nil, err
		}
		k, err := ed25519Key(public)
		return []ed25519.PublicKey{k}, err
	}
	_, authority, err := p.rootAuthority(ctx, ctx.String("sqlite"), nil)
	if err != nil || authority == nil {
		return nil, err
	}
	return activeKeys(authority, trust.Witness), nil
}

// activeKeys are the Ed25519 keys that may act in a role now.
func activeKeys(authority trust.Authority, role trust.Role) []ed25519.PublicKey {
	list := []ed25519.PublicKey{}
	for _, keyid := range trust.KeysOf(authority, role) {
		public, _ := authority.Key(keyid)
		if k, ok := public.Crypto().(ed25519.PublicKey); ok && authority.Rule(trust.Use{KeyID: keyid, Role: role}).Outcome == trust.Granted {
			list = append(list, k)
		}
	}
	return list
}

// openCheckpoint verifies a checkpoint of the store's log under a key from outside,
// or, with a note, under the store's own.
func (p *program) openCheckpoint(ctx *cli.Context, store *sqlite.Store, note []byte, doc *checkpoint.Document) (translog.SignedCheckpoint, error) {
	var none translog.SignedCheckpoint
	id, err := store.Log(ctx.Context)
	if err != nil {
		return none, badStore(err)
	}
	trusted, err := p.logKeys(ctx)
	if err != nil {
		return none, err
	}
	if trusted == nil {
		doc.Notes = append(doc.Notes, "the log's key is the store's own word: give --log-key or a trust root")
		trusted = []ed25519.PublicKey{id.Key}
	}
	for _, k := range trusted {
		var signed translog.SignedCheckpoint
		if signed, err = translog.Open(note, id.Origin, k); err == nil {
			return signed, nil
		}
	}
	var unsigned *translog.SignatureError
	if err == nil || errors.As(err, &unsigned) {
		return none, failure{exitEvidence, fmt.Sprintf("the checkpoint is signed by none of the %d keys that are trusted as the log's", len(trusted)), "the root's owners list the log's key: rollproof trust edit --add-key PUB --role log; or give --log-key PUB"}
	}
	return none, badLog(err)
}

// logKeys are the keys that may sign checkpoints as the flags say it, nil where they
// say nothing.
func (p *program) logKeys(ctx *cli.Context) ([]ed25519.PublicKey, error) {
	if file := ctx.String("log-key"); file != "" {
		public, err := readPublicKey(file)
		if err != nil {
			return nil, err
		}
		k, err := ed25519Key(public)
		return []ed25519.PublicKey{k}, err
	}
	_, authority, err := p.rootAuthority(ctx, ctx.String("sqlite"), nil)
	if err != nil || authority == nil {
		return nil, err
	}
	return activeKeys(authority, trust.Log), nil
}
