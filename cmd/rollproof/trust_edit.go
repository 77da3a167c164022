package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/urfave/cli/v2"
)

func (p *program) trustEditCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "edit",
		Usage: "write the next version of a trust root, unsigned",
		Description: "Several changes may be given at once. An unsigned newest version is changed in place, " +
			"so that several edits make one version to sign.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "person", Usage: "`ID` of the person that --name, --email, --add-key and --add-identity are about"},
			&cli.StringFlag{Name: "name", Usage: "the person's name"},
			&cli.StringFlag{Name: "email", Usage: "the person's e-mail"},
			&cli.StringFlag{Name: "add-key", Usage: "public key `FILE` to add"},
			&cli.StringFlag{Name: "key-use", Value: "file", Usage: "where the key lives: file, agent or browser"},
			&cli.StringFlag{Name: "not-before", Usage: "first instant of the key"},
			&cli.StringFlag{Name: "not-after", Usage: "last instant of the key"},
			&cli.StringFlag{Name: "add-identity", Usage: "keyless `SUBJECT` to add, with --issuer"},
			&cli.StringFlag{Name: "issuer", Usage: "OIDC issuer `URL` of the identity"},
			&cli.StringFlag{Name: "key-id", Usage: "grant to this `KEYID` (default: the added key or identity)"},
			&cli.StringFlag{Name: "role", Usage: "`ROLE` to grant"},
			&cli.StringSliceFlag{Name: "projects", Usage: "`PROJECT` that the grant covers, or \"*\"; may be repeated"},
			&cli.StringSliceFlag{Name: "environments", Usage: "`ENVIRONMENT` that the grant covers, or \"*\"; may be repeated"},
			&cli.StringSliceFlag{Name: "rings", Usage: "`RING` that the grant covers, or \"*\"; may be repeated"},
			&cli.StringSliceFlag{Name: "predicate-types", Usage: "foreign predicate `TYPE` that an attest grant covers; may be repeated"},
			&cli.StringFlag{Name: "remove-key", Usage: "`KEYID` to remove; what it signed verifies no longer: see trust retire"},
			&cli.StringFlag{Name: "remove-person", Usage: "`ID` to remove"},
			&cli.StringSliceFlag{Name: "threshold", Usage: "`ROLE=N`: how many persons of a role must sign; may be repeated"},
			&cli.StringFlag{Name: "expires", Usage: "when the version stops to be current"},
		},
		Action: func(ctx *cli.Context) error { return p.editTrust(ctx, p.applyEdits) },
	}, "DIR")
}

// editTrust lets change work on the next version of a trust directory, or on the
// newest one while nobody has signed it.
func (p *program) editTrust(ctx *cli.Context, change func(*cli.Context, *trust.Edit) error) error {
	dir := ctx.Args().First()
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return usagef("give the directory", "%s is no trust directory", dir)
	}
	_, d, version, err := openTrust(dir)
	if err != nil {
		return err
	}
	votes := d.Votes()[version-1]
	var edit *trust.Edit
	switch {
	case votes.Complete():
		edit, err = d.Newest().Next(p.now())
	case len(votes.SignedBy) == 0:
		edit, err = d.Newest().Amend(p.now())
	default:
		return failure{exitRule, fmt.Sprintf("version %d is signed by %s and waits for others", version, signerText(votes.SignedBy[0])),
			"let it be signed, or remove its signatures, before the next change"}
	}
	if err != nil {
		return badEdit(err)
	}
	if err := change(ctx, edit); err != nil {
		return err
	}
	doc, err := edit.Document()
	if err != nil {
		return badEdit(err)
	}
	return p.writeVersion(dir, doc)
}

// applyEdits carries out the flags of trust edit.
func (p *program) applyEdits(ctx *cli.Context, edit *trust.Edit) error {
	if person := ctx.String("person"); person != "" && (ctx.IsSet("name") || ctx.IsSet("email")) {
		edit.Person(trust.Person{ID: person, Name: ctx.String("name"), Email: ctx.String("email")})
	}
	grantee, err := p.addSigner(ctx, edit)
	if err != nil {
		return err
	}
	if role := ctx.String("role"); role != "" {
		grantee.Role = trust.Role(role)
		grantee.Projects, grantee.Environments = ctx.StringSlice("projects"), ctx.StringSlice("environments")
		grantee.Rings, grantee.PredicateTypes = ctx.StringSlice("rings"), ctx.StringSlice("predicate-types")
		if err := edit.Grant(grantee); err != nil {
			return badEdit(err)
		}
	}
	if keyid := ctx.String("remove-key"); keyid != "" {
		if err := edit.RemoveKey(keyid); err != nil {
			return badEdit(err)
		}
	}
	if id := ctx.String("remove-person"); id != "" {
		if err := edit.RemovePerson(id); err != nil {
			return badEdit(err)
		}
	}
	if value := ctx.String("expires"); value != "" {
		t, err := parseTime("expires", value, p.now())
		if err != nil {
			return err
		}
		edit.Expires(t)
	}
	return setThresholds(ctx, edit)
}

func setThresholds(ctx *cli.Context, edit *trust.Edit) error {
	for _, spec := range ctx.StringSlice("threshold") {
		role, number, _ := strings.Cut(spec, "=")
		n, err := strconv.Atoi(number)
		if err != nil {
			return usagef("for example --threshold root=2", "--threshold %s: expected ROLE=N", spec)
		}
		edit.Threshold(trust.Role(role), n)
	}
	return nil
}

// addSigner adds a key or an identity, and returns whom --role is granted to.
func (p *program) addSigner(ctx *cli.Context, edit *trust.Edit) (trust.Grant, error) {
	person, grantee := ctx.String("person"), trust.Grant{KeyID: ctx.String("key-id")}
	if file := ctx.String("add-key"); file != "" {
		public, err := readPublicKey(file)
		if err != nil {
			return grantee, err
		}
		key := trust.Key{Person: person, Use: trust.KeyUse(ctx.String("key-use"))}
		if value := ctx.String("not-before"); value != "" {
			if key.NotBefore, err = parseTime("not-before", value, p.now()); err != nil {
				return grantee, err
			}
		}
		if value := ctx.String("not-after"); value != "" {
			if key.NotAfter, err = parseTime("not-after", value, p.now()); err != nil {
				return grantee, err
			}
		}
		if err := edit.AddKey(public, key); err != nil {
			return grantee, badEdit(err)
		}
		grantee.KeyID = public.KeyID()
	}
	if subject := ctx.String("add-identity"); subject != "" {
		id := trust.Identity{Issuer: ctx.String("issuer"), Subject: subject}
		if err := edit.Identity(trust.IdentityEntry{Issuer: id.Issuer, Subject: id.Subject, Person: person}); err != nil {
			return grantee, badEdit(err)
		}
		grantee = trust.Grant{Identity: &id}
	}
	return grantee, nil
}

func (p *program) trustRetireCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "retire",
		Usage: "say that a key was destroyed and never compromised: what it signed still verifies",
		Flags: []cli.Flag{&cli.StringFlag{Name: "key-id", Usage: "`KEYID` (SHA256:…)"}},
		Action: func(ctx *cli.Context) error {
			return p.editTrust(ctx, func(ctx *cli.Context, edit *trust.Edit) error {
				if err := edit.Retire(ctx.String("key-id"), p.now()); err != nil {
					return badEdit(err)
				}
				return nil
			})
		},
	}, "DIR")
}

func (p *program) trustRevokeCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "revoke",
		Usage: "say that a key is compromised: what it signed fails unless it is kept or proved older",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "key-id", Usage: "`KEYID` (SHA256:…)"},
			&cli.StringFlag{Name: "reason", Value: "compromised", Usage: "compromised or retired"},
			&cli.StringFlag{Name: "at", Usage: "`INSTANT` from which the key may be in other hands (default: now)"},
			&cli.StringSliceFlag{Name: "keep", Usage: "`PKG|sha256:…`: a package, or the digest of a statement, that stays good; may be repeated"},
		},
		Action: func(ctx *cli.Context) error { return p.editTrust(ctx, p.revokeKey) },
	}, "DIR")
}

func (p *program) revokeKey(ctx *cli.Context, edit *trust.Edit) error {
	r := trust.Revocation{At: p.now(), Reason: trust.Reason(ctx.String("reason"))}
	if value := ctx.String("at"); value != "" {
		var err error
		if r.At, err = parseTime("at", value, p.now()); err != nil {
			return err
		}
	}
	for _, keep := range ctx.StringSlice("keep") {
		digest, err := closingDigest(keep)
		if err != nil {
			return err
		}
		r.Keep = append(r.Keep, digest)
	}
	if err := edit.Revoke(ctx.String("key-id"), r); err != nil {
		return badEdit(err)
	}
	return nil
}
