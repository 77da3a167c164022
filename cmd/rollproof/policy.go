package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/rollout"
	"github.com/urfave/cli/v2"
)

func (p *program) policyCommand() *cli.Command {
	return p.group("policy", "the signed rules: rings, soak, coverage, quorum, windows",
		p.policySignCommand(), p.policyShowCommand(), p.policyDiffCommand())
}

// noProjectFlag names the rules of records that belong to no project, such as foreign
// attestations: of them the retention counts.
func noProjectFlag() cli.Flag {
	return &cli.BoolFlag{Name: "no-project", Usage: "the rules of records that belong to no project: of them the retention counts, and their signers need a grant for every project"}
}

// policyOwner is whose rules they are, for people.
func policyOwner(project string) string {
	if project == "" {
		return "records without a project"
	}
	return project
}

// draft returns the draft of the policy and the project that it is for.
func (p *program) draft(ctx *cli.Context) (*rollout.Rules, string, error) {
	c, err := p.readDraft(ctx.String("config"))
	if err != nil {
		return nil, "", err
	}
	project := ctx.String("project")
	if ctx.Bool("no-project") && project != "" {
		return nil, "", usagef("give one of them", "--project and --no-project contradict each other")
	}
	if project == "" && !ctx.Bool("no-project") {
		project = c.Name
		if project == "" {
			return nil, "", usagef("give --project, or name in "+ctx.String("config"), "the policy belongs to a project, and none is named")
		}
	}
	if c.Policy == nil {
		return nil, "", usagef("see docs/configuration.md, or rollproof init", "%s has no section policy", ctx.String("config"))
	}
	return c.Policy, project, nil
}

func (p *program) policySignCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "sign",
		Usage: "sign the section policy of rollproof.yaml and record it",
		Description: "The rules take effect when as many persons of the role policy as the trust root asks for have signed the same ones. " +
			"Everything that is decided later uses the newest rules of the log, never the draft.",
		Flags:  append(actFlags(), configFlag(), projectFlag(), noProjectFlag()),
		Action: p.policySign,
	})
}

func (p *program) policySign(ctx *cli.Context) error {
	rules, project, err := p.draft(ctx)
	if err != nil {
		return err
	}
	a, err := p.signing(ctx)
	if err != nil {
		return err
	}
	store, err := p.writeStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	done, err := record(a, store, project, func(s *rollout.State, h rollout.Head, _ time.Time) (evidence.Statement[rollout.Policy], []evidence.Blob, error) {
		st, err := rollout.NewPolicy(h, project, s.Policy().Previous(), *rules)
		return st, nil, badInput(err)
	})
	if err != nil {
		return err
	}
	state, err := a.state(store, project)
	if err != nil {
		return err
	}
	var notes []string
	if state.Policy().Digest != rules.Digest() {
		for _, waiting := range state.Proposals() {
			if waiting.Digest == rules.Digest() {
				notes = append(notes, fmt.Sprintf("not in force yet: signed by %s, %d persons are needed", strings.Join(waiting.Persons, ", "), waiting.Needed))
			}
		}
	}
	return a.showAct(done, fmt.Sprintf("policy of %s: %s", policyOwner(project), rules.Digest()), nil, notes)
}

// A policyDocument is the policy in force, with --json.
type policyDocument struct {
	Schema    string             `json:"schema"`
	Project   string             `json:"project"`
	Digest    evidence.Digest    `json:"digest"`
	Default   bool               `json:"default"` // nobody signed one: the built-in rules count
	Since     string             `json:"since"`   // recorded; "" for the default
	Acts      []evidence.Digest  `json:"acts"`
	Rules     rollout.Rules      `json:"rules"`
	Proposals []proposalDocument `json:"proposals"`
}

type proposalDocument struct {
	Digest  evidence.Digest `json:"digest"`
	Persons []string        `json:"persons"`
	Needed  int             `json:"needed"`
}

func (p *program) policyShowCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:   "show",
		Usage:  "show the rules in force for a project, and what waits for more signatures",
		Flags:  append(rootFlags(), storeFlag(), configFlag(), projectFlag(), noProjectFlag()),
		Action: p.policyShow,
	})
}

// presentPolicy replays the log for the project that the flags or rollproof.yaml name.
func (p *program) presentPolicy(ctx *cli.Context) (*rollout.State, error) {
	project := ctx.String("project")
	if project == "" && !ctx.Bool("no-project") {
		c, err := p.readDraft(ctx.String("config"))
		if err != nil {
			return nil, err
		}
		if project = c.Name; project == "" {
			return nil, usagef("give --project", "%s names no project", ctx.String("config"))
		}
	}
	a, err := p.acts(ctx)
	if err != nil {
		return nil, err
	}
	store, err := readStore(ctx)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	return a.state(store, project)
}

func (p *program) policyShow(ctx *cli.Context) error {
	state, err := p.presentPolicy(ctx)
	if err != nil {
		return err
	}
	now := state.Policy()
	doc := policyDocument{
		evidence.Namespace + "policy-show/v1", state.Project(), now.Digest, now.Default, evidence.Stamp(now.Since),
		append([]evidence.Digest{}, now.Acts...), now.Rules, []proposalDocument{},
	}
	for _, w := range state.Proposals() {
		doc.Proposals = append(doc.Proposals, proposalDocument{w.Digest, w.Persons, w.Needed})
	}
	if p.json {
		return p.printJSON(doc)
	}
	var kept []string
	for _, r := range now.Rules.Retention {
		kept = append(kept, fmt.Sprintf("%s %d days", r.Kind, r.Days))
	}
	since := "signed, recorded " + doc.Since
	if doc.Default {
		since = "nobody signed a policy: the built-in rules count"
	}
	fmt.Fprintf(p.stdout, "policy of %s  %s\n%s\n", policyOwner(doc.Project), doc.Digest, since)
	for _, r := range now.Rules.Rings {
		attended := fmt.Sprintf("%d persons approve", r.Quorum)
		if r.Quorum == 0 {
			attended = "unattended"
		}
		fmt.Fprintf(p.stdout, "  ring %-12s %-12s soak %-5s coverage %d %%  %s\n", r.Name, r.Environment, r.Soak, r.Coverage, attended)
	}
	if len(kept) > 0 {
		fmt.Fprintf(p.stdout, "  kept at least: %s\n", strings.Join(kept, ", "))
	}
	for _, w := range doc.Proposals {
		fmt.Fprintf(p.stdout, "waiting: %s, signed by %s of %d persons\n", w.Digest, strings.Join(w.Persons, ", "), w.Needed)
	}
	return nil
}

func (p *program) policyDiffCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:        "diff",
		Usage:       "compare the draft in rollproof.yaml with the rules in force",
		Description: "Exit code 4 when they differ.",
		Flags:       append(rootFlags(), storeFlag(), configFlag(), projectFlag(), noProjectFlag()),
		Action:      p.policyDiff,
	})
}

func (p *program) policyDiff(ctx *cli.Context) error {
	rules, _, err := p.draft(ctx)
	if err != nil {
		return err
	}
	state, err := p.presentPolicy(ctx)
	if err != nil {
		return err
	}
	before, err := state.Policy().Rules.Encode()
	if err != nil {
		return err
	}
	after, err := rules.Encode()
	if err != nil {
		return err
	}
	lines := differingLines(string(before), string(after))
	if p.json {
		doc := map[string]any{
			"schema": evidence.Namespace + "policy-diff/v1", "project": state.Project(),
			"inForce": state.Policy().Digest, "draft": rules.Digest(), "lines": lines,
		}
		if err := p.printJSON(doc); err != nil {
			return err
		}
	} else {
		for _, l := range lines {
			fmt.Fprintln(p.stdout, archive.Printable(l))
		}
	}
	if len(lines) > 0 {
		if !p.json {
			return failure{exitRule, "the draft is not the policy in force", "rollproof policy sign --key KEY"}
		}
		return &shownError{exitRule}
	}
	return nil
}

// differingLines lists the lines of two texts that a longest common subsequence
// leaves over, "-" before those of the first and "+" before those of the second.
func differingLines(a, b string) []string {
	before, after := strings.Split(a, "\n"), strings.Split(b, "\n")
	common := make([][]int, len(before)+1)
	for i := range common {
		common[i] = make([]int, len(after)+1)
	}
	for i := len(before) - 1; i >= 0; i-- {
		for j := len(after) - 1; j >= 0; j-- {
			if before[i] == after[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	lines := []string{}
	i, j := 0, 0
	for i < len(before) || j < len(after) {
		switch {
		case i < len(before) && j < len(after) && before[i] == after[j]:
			i, j = i+1, j+1
		case j == len(after) || i < len(before) && common[i+1][j] >= common[i][j+1]:
			lines, i = append(lines, "- "+before[i]), i+1
		default:
			lines, j = append(lines, "+ "+after[j]), j+1
		}
	}
	return lines
}
