package main

import (
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/urfave/cli/v2"
)

func (p *program) tokenCommand() *cli.Command {
	return p.group("token", "who may use rollproof serve: tokens are signed records of the log", p.tokenCreateCommand(), p.tokenListCommand(), p.tokenRevokeCommand())
}

func (p *program) tokenCreateCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "create",
		Usage: "make a token and record, signed, whom it lets do what; its secret is printed once",
		Description: "A key of the role policy signs it. read sees evidence, ingest records it, operate drafts and submits acts of rollouts. " +
			"No scope lets anybody sign: acts count by the keys of their signers.",
		Flags: append(actFlags(),
			&cli.StringFlag{Name: "owner", Usage: "the `PERSON` of the trust root whose token it is, or with --machine the name of a machine", Required: true},
			&cli.BoolFlag{Name: "machine", Usage: "the owner is a machine, not a person"},
			&cli.StringSliceFlag{Name: "scope", Usage: "`SCOPE`: read, ingest or operate; may be repeated", Required: true},
			&cli.StringSliceFlag{Name: "project", Usage: "limit it to a `PROJECT`; may be repeated (default: every project)"},
			&cli.StringFlag{Name: "expires", Value: "30d", Usage: "until when it counts: `DAYS` or a date, at most 366 days"},
			&cli.StringFlag{Name: "reason", Usage: "`TEXT`: what for"},
		),
		Action: p.tokenCreate,
	})
}

func (p *program) tokenCreate(ctx *cli.Context) error {
	a, err := p.signing(ctx)
	if err != nil {
		return err
	}
	now := p.now()
	expires, err := parseTime("expires", ctx.String("expires"), now)
	if err != nil {
		return err
	}
	grant := access.Grant{
		Owner: ctx.String("owner"), Machine: ctx.Bool("machine"), Projects: ctx.StringSlice("project"), NotBefore: now, Expires: expires, Reason: ctx.String("reason"),
	}
	for _, s := range ctx.StringSlice("scope") {
		grant.Scopes = append(grant.Scopes, access.Scope(s))
	}
	secret, err := access.NewSecret(rand.Reader)
	if err != nil {
		return err
	}
	added, err := recordAccess(a, func(r evidence.Reader) ([]byte, error) {
		h, err := a.head(r, now)
		if err != nil {
			return nil, err
		}
		st, err := access.NewToken(h, secret, grant)
		if err != nil {
			return nil, badInput(err)
		}
		_, data, err := sign(a, st)
		return data, err
	})
	if err != nil {
		return err
	}
	return a.showToken(secret, added)
}

// recordAccess records a statement about tokens that its signer may make.
func recordAccess(a *acting, compose func(evidence.Reader) ([]byte, error)) (evidence.Added, error) {
	store, err := a.writeStore(a.ctx)
	if err != nil {
		return evidence.Added{}, err
	}
	defer store.Close()
	var done evidence.Added
	err = store.Append(a.ctx.Context, func(tx evidence.Tx) error {
		data, err := compose(tx)
		if err != nil {
			return err
		}
		examined, err := a.Intake().Examine(data)
		if err != nil {
			return err
		}
		if err := a.MaySign(examined); err != nil {
			return err
		}
		added, err := a.Intake().AddTo(a.ctx.Context, tx, []evidence.Record{examined})
		if err == nil {
			done = added[0]
		}
		return err
	})
	return done, badStore(err)
}

// A createdDocument is the only place that has a token's secret.
type createdDocument struct {
	Schema  string      `json:"schema"`
	Token   string      `json:"token"`
	Created access.Line `json:"created"`
}

func (a *acting) showToken(secret access.Secret, added evidence.Added) error {
	line, err := a.tokenLine(secret.ID)
	if err != nil {
		return err
	}
	if a.ctx.String("metadata-json") != "" {
		if err := writeDocument(a.ctx.String("metadata-json"), added.Document(nil, nil)); err != nil {
			return err
		}
	}
	if line.State == access.Invalid {
		return failure{exitEvidence, "the token is recorded and does not count: " + line.Why, "rollproof token create again, for an owner whom the trust root lists, or with --machine"}
	}
	if a.json {
		return a.printJSON(createdDocument{evidence.Namespace + "token-created/v1", secret.Text(), line})
	}
	fmt.Fprintf(a.stdout, "%s\n", secret.Text())
	_, err = fmt.Fprintf(a.stderr, "token %s of %s for %s until %s, recorded as %d\nit is shown only now: keep it where nobody else reads it\n",
		line.ID, line.Owner, scopeWords(line), line.Expires, line.Index)
	return err
}

func scopeWords(l access.Line) string {
	var words []string
	for _, s := range l.Scopes {
		words = append(words, string(s))
	}
	text := strings.Join(words, ", ")
	if len(l.Projects) > 0 {
		text += " of " + strings.Join(l.Projects, ", ")
	}
	return text
}

// tokens are those of a store's log.
func (a *acting) tokens(r evidence.Reader) *access.Tokens {
	return access.NewTokens(r, func() (access.Root, error) { return access.Root{Chain: a.Chain, Authority: a.Authority}, nil }, a.now)
}

// tokenLine is a token as the log has it now.
func (a *acting) tokenLine(id string) (access.Line, error) {
	store, err := readStore(a.ctx)
	if err != nil {
		return access.Line{}, err
	}
	defer store.Close()
	list, err := a.tokens(store).List(a.ctx.Context)
	if err != nil {
		return access.Line{}, badStore(err)
	}
	for _, line := range list {
		if line.ID == id {
			return line, nil
		}
	}
	return access.Line{}, failure{exitFailed, "there is no token " + archive.Printable(id), "rollproof token list"}
}

func (p *program) tokenListCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name: "list", Usage: "list the tokens of the log, and whether each counts now",
		Flags: append(rootFlags(), storeFlag()), Action: p.tokenList,
	})
}

// A tokensDocument is every token of a log.
type tokensDocument struct {
	Schema string        `json:"schema"`
	Tokens []access.Line `json:"tokens"`
}

func (p *program) tokenList(ctx *cli.Context) error {
	a, store, err := p.reading(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	list, err := a.tokens(store).List(ctx.Context)
	if err != nil {
		return badStore(err)
	}
	if p.json {
		return p.printJSON(tokensDocument{evidence.Namespace + "token-list/v1", list})
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(p.stdout, "no tokens")
		return err
	}
	for _, t := range list {
		machine := ""
		if t.Machine {
			machine = " (a machine)"
		}
		fmt.Fprintf(p.stdout, "%-8s %s  %s%s  %s  until %s  by %s", t.State, t.ID, t.Owner, machine, scopeWords(t), t.Expires, t.By)
		if t.Why != "" {
			fmt.Fprintf(p.stdout, "  %s", archive.Printable(t.Why))
		}
		fmt.Fprintln(p.stdout)
	}
	return nil
}

func (p *program) tokenRevokeCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name: "revoke", Usage: "end a token, signed, for ever; its sessions end with it",
		Flags: append(actFlags(), reasonFlag()), Action: p.tokenRevoke,
	}, "ID")
}

func (p *program) tokenRevoke(ctx *cli.Context) error {
	a, err := p.signing(ctx)
	if err != nil {
		return err
	}
	id := ctx.Args().First()
	now := p.now()
	var before access.Line
	done, err := recordAccess(a, func(r evidence.Reader) ([]byte, error) {
		known, ok, err := a.tokens(r).Find(ctx.Context, id)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, failure{exitFailed, "there is no token " + archive.Printable(id), "rollproof token list"}
		}
		if before = known.Line(a.Authority, now); before.State == access.Revoked {
			return nil, failure{exitConflict, "token " + id + " is revoked already " + before.Why, "rollproof token list"}
		}
		h, err := a.head(r, now)
		if err != nil {
			return nil, err
		}
		st, err := access.NewRevocation(h, known, ctx.String("reason"))
		if err != nil {
			return nil, badInput(err)
		}
		_, data, err := sign(a, st)
		return data, err
	})
	if err != nil {
		return err
	}
	return a.showAct(done, "revoked token "+id+" of "+before.Owner, nil, nil)
}
