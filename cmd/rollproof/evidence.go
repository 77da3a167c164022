package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/release/dist"
	"github.com/rollproof/rollproof/release/rebuild"
	"github.com/rollproof/rollproof/rollout"
	"github.com/urfave/cli/v2"
)

// defaultStore is the evidence store of a repository.
const defaultStore = ".rollproof/evidence.db"

func storeFlag() cli.Flag {
	return &cli.StringFlag{Name: "sqlite", Value: defaultStore, Usage: "the evidence store `FILE`"}
}

func storeURLFlag() cli.Flag {
	return &cli.StringFlag{Name: "store", Usage: "the evidence store as a `URL`, in place of --sqlite: file:PATH or sqlite:PATH"}
}

// withStoreURL gives a command the file that a store's URL names.
func withStoreURL(action cli.ActionFunc) cli.ActionFunc {
	return func(ctx *cli.Context) error {
		if !ctx.IsSet("store") {
			return action(ctx)
		}
		if ctx.IsSet("sqlite") {
			return usagef("give one of them", "--store and --sqlite both name the store")
		}
		scheme, path, ok := strings.Cut(ctx.String("store"), ":")
		if !ok || path == "" || scheme != "file" && scheme != "sqlite" {
			return usagef("for example sqlite:.rollproof/evidence.db", "--store %s: expected file:PATH or sqlite:PATH", archive.Printable(ctx.String("store")))
		}
		if strings.HasPrefix(path, "//") { // an empty host
			path = strings.TrimPrefix(path, "//")
			if !strings.HasPrefix(path, "/") {
				return usagef("sqlite:PATH", "--store %s: a store has no host", archive.Printable(ctx.String("store")))
			}
		}
		if err := ctx.Set("sqlite", path); err != nil {
			return err
		}
		return action(ctx)
	}
}

// catalog is every statement that this program knows.
func catalog() (evidence.Catalog, error) {
	return evidence.NewCatalog(slices.Concat(release.CatalogEntries(), rollout.CatalogEntries(), rebuild.CatalogEntries(), access.CatalogEntries(), []evidence.Entry{summaryEntry(), scanEntry(), smokeEntry()})...)
}

// intake is the catalog, and the trust that the flags name for subject. With a trust
// root it judges acts by the rules of rollouts.
func (p *program) intake(ctx *cli.Context, subject string) (evidence.Intake, error) {
	known, err := catalog()
	if err != nil {
		return evidence.Intake{}, err
	}
	if ctx.String("key") != "" {
		authority, err := p.authority(ctx, subject, nil)
		return evidence.Intake{Catalog: known, Authority: authority}, err
	}
	chain, authority, err := p.rootAuthority(ctx, subject, nil)
	if err != nil {
		return evidence.Intake{}, err
	}
	if chain == nil {
		return evidence.Intake{}, failure{exitEvidence, evidence.ErrNoAuthority.Error(), "give --key PUB, or --pin and --trust, received on another way than the evidence"}
	}
	return evidence.Intake{Catalog: known, Authority: authority, Judge: evidence.Judges{ledger(chain), tokenJudge(chain)}}, nil
}

// currentTrust says why an authority does not show that it is current, "" if it does.
func currentTrust(a trust.Authority) (reason, hint string) {
	if f := a.Facts(); f.Mode == "root" && f.Current != trust.Granted {
		return f.CurrentReason, f.CurrentHint
	}
	return "", ""
}

// existingStore refuses a store that is not there.
func existingStore(ctx *cli.Context) error {
	if _, err := os.Stat(ctx.String("sqlite")); errors.Is(err, os.ErrNotExist) {
		return failure{exitFailed, "there is no evidence store " + ctx.String("sqlite"), "rollproof policy sign makes one, and so does evidence add; --sqlite names another file"}
	}
	return nil
}

// readStore opens the store for reading.
func readStore(ctx *cli.Context) (*sqlite.Store, error) {
	if err := existingStore(ctx); err != nil {
		return nil, err
	}
	s, err := sqlite.OpenReadOnly(ctx.Context, ctx.String("sqlite"))
	return s, badStore(err)
}

// writeStore opens the store, and makes it if it is not there.
func (p *program) writeStore(ctx *cli.Context) (*sqlite.Store, error) {
	file := ctx.String("sqlite")
	if file == defaultStore {
		if err := dist.MakeIgnored(filepath.Dir(file)); err != nil {
			return nil, err
		}
	}
	s, err := sqlite.Open(ctx.Context, file, p.clock)
	return s, badStore(err)
}

// badStore translates errors of stores, logs and rules.
func badStore(err error) error {
	var query *evidence.QueryError
	if errors.As(err, &query) {
		return usagef(query.Hint, "--%s", query.Error())
	}
	if f := service.Explain(err); f != nil {
		return failure{f.Code, f.Message, f.Hint}
	}
	return err
}
