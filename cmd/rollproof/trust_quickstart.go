package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/keys"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/urfave/cli/v2"
)

func (p *program) trustQuickstartCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "quickstart",
		Usage: "make one key per role and a signed version 1 in one go, for trying out and for small teams",
		Description: "Roles are spread over the persons in order, because rules that count distinct persons want several. " +
			"With one person everything is his, and quorums of two can't be met.",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "person", Usage: "`ID` of a person (default: ada, grace); may be repeated"},
			&cli.StringFlag{Name: "expires", Value: "365d", Usage: "when the version stops to be current"},
		},
		Action: p.trustQuickstart,
	}, "DIR")
}

// quickstartRoles are the keys that a quickstart makes. Every person approves.
var quickstartRoles = []trust.Role{
	trust.Root, trust.Releaser, trust.Observer, trust.Operator, trust.Verifier, trust.Requester, trust.Policy, trust.Breakglass, trust.Auditor, trust.Log,
}

// A quickKey is a key of a quickstart and whose it is.
type quickKey struct {
	role   trust.Role
	person string
	file   string
	key    *keys.Private
}

func (p *program) trustQuickstart(ctx *cli.Context) error {
	dir, people := ctx.Args().First(), ctx.StringSlice("person")
	if len(people) == 0 {
		people = []string{"ada", "grace"}
	}
	now := p.now()
	expires, err := parseTime("expires", ctx.String("expires"), now)
	if err != nil {
		return err
	}
	if err := p.refuseTracked(filepath.Join(dir, "keys", "root.pem")); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "keys"), 0o700); err != nil {
		return err
	}
	edit := trust.New(now, expires)
	for _, id := range people {
		edit.Person(trust.Person{ID: id, Name: strings.ToUpper(id[:1]) + id[1:]})
	}
	made, err := quickKeys(dir, people)
	if err != nil {
		return err
	}
	for _, k := range made {
		if err := addQuickKey(edit, k); err != nil {
			return badEdit(err)
		}
	}
	doc, err := edit.Document()
	if err != nil {
		return badEdit(err)
	}
	return p.writeQuickstart(dir, doc, made)
}

func quickKeys(dir string, people []string) ([]quickKey, error) {
	var list []quickKey
	for i, role := range quickstartRoles {
		list = append(list, quickKey{role: role, person: people[i%len(people)], file: string(role)})
	}
	for _, person := range people {
		list = append(list, quickKey{role: trust.Approver, person: person, file: "approver-" + person})
	}
	for i := range list {
		key, err := keys.Generate(rand.Reader)
		if err != nil {
			return nil, err
		}
		list[i].key, list[i].file = key, filepath.Join(dir, "keys", list[i].file+".pem")
	}
	return list, nil
}

func addQuickKey(edit *trust.Edit, k quickKey) error {
	if err := edit.AddKey(k.key.Public(), trust.Key{Person: k.person}); err != nil {
		return err
	}
	g := trust.Grant{KeyID: k.key.Public().KeyID(), Role: k.role}
	if !slices.Contains([]trust.Role{trust.Root, trust.Log}, k.role) {
		g.Projects = []string{"*"}
	}
	if slices.Contains([]trust.Role{trust.Operator, trust.Observer, trust.Requester, trust.Approver, trust.Policy, trust.Breakglass}, k.role) {
		g.Environments, g.Rings = []string{"*"}, []string{"*"}
	}
	return edit.Grant(g)
}

// writeQuickstart writes the keys, then the signed version 1.
func (p *program) writeQuickstart(dir string, doc trust.Document, made []quickKey) error {
	for _, k := range made {
		text, err := k.key.MarshalPEM()
		if err != nil {
			return err
		}
		if err := writeNew(k.file, text, 0o600); err != nil {
			return err
		}
		public, err := k.key.Public().PEM()
		if err != nil {
			return err
		}
		if err := writeNew(strings.TrimSuffix(k.file, ".pem")+".pub", public, 0o644); err != nil {
			return err
		}
	}
	data, err := doc.Marshal()
	if err != nil {
		return err
	}
	d, err := trust.Read(map[string][]byte{trust.FileName(1): data})
	if err != nil {
		return badTrust(err)
	}
	name, bundle, err := d.Sign(made[0].key, 1)
	if err != nil {
		return err
	}
	if err := writeAll(filepath.Join(dir, "trust"), map[string][]byte{trust.FileName(1): data, name: bundle}); err != nil {
		return err
	}
	pin := trust.Digest(data)
	if p.json {
		return p.printJSON(map[string]any{"schema": evidence.Namespace + "trust-quickstart/v1", "pin": pin, "trust": filepath.Join(dir, "trust"), "keys": filepath.Join(dir, "keys")})
	}
	fmt.Fprintf(p.stdout, "pin %s\n", pin)
	for _, k := range made {
		fmt.Fprintf(p.stdout, "  %-11s %-8s %s\n", k.role, k.person, k.file)
	}
	fmt.Fprintf(p.stderr, "keep %s and the pin where verifiers find them; move each private key to its person, and root.pem offline\n", filepath.Join(dir, "trust"))
	return nil
}

// writeAll writes files into a directory, which is made if needed.
func writeAll(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
