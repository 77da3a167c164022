package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/rollout"
	"github.com/urfave/cli/v2"
)

// queryFlags are those of an auditor's question.
func queryFlags() []cli.Flag {
	return append(rootFlags(), configFlag(),
		&cli.StringFlag{Name: "query", Usage: "answer the auditor's question `NAME`, by a replay of the log; without a name, list the questions"},
		&cli.StringFlag{Name: "changes", Usage: "`FILE` with one change record a line, for --query changes-without-rollout"},
	)
}

// evidenceQuery answers a question. Which records it stands on is the question's own:
// filters do not go with it.
func (p *program) evidenceQuery(ctx *cli.Context) error {
	for _, f := range filterFlags() {
		if name := f.Names()[0]; name != "project" && ctx.IsSet(name) {
			return usagef("leave it out", "--query has no --%s", name)
		}
	}
	if ctx.Args().Present() || ctx.Bool("jsonl") || p.json && ctx.Bool("csv") {
		return usagef("see rollproof evidence search --help", "--query has no words, and prints a table, --json or --csv")
	}
	if ctx.String("query") == "" {
		return p.listQuestions()
	}
	q, err := rollout.QuestionOf(ctx.String("query"))
	if err != nil {
		return usagef("rollproof evidence search --query lists them", "--query: %v", err)
	}
	answer, err := p.answer(ctx, q)
	if err != nil {
		return err
	}
	switch {
	case p.json:
		return p.printJSON(answer)
	case ctx.Bool("csv"):
		return service.WriteAnswer(p.stdout, answer)
	}
	return p.showAnswer(answer)
}

func (p *program) listQuestions() error {
	doc := service.Questions()
	if p.json {
		return p.printJSON(doc)
	}
	for _, q := range doc.Questions {
		fmt.Fprintf(p.stdout, "%-32s  %s\n", q.Name, q.About)
	}
	return nil
}

func (p *program) answer(ctx *cli.Context, q rollout.Question) (rollout.Answer, error) {
	var none rollout.Answer
	project, err := p.queriedProject(ctx)
	if err != nil {
		return none, err
	}
	changes, err := changeList(ctx, q)
	if err != nil {
		return none, err
	}
	remote, err := p.remote(ctx)
	if err != nil {
		return none, err
	}
	if remote != nil {
		answer, err := remote.Answer(ctx.Context, project, q.Name, changes)
		return answer, badStore(err)
	}
	a, err := p.acts(ctx)
	if err != nil {
		return none, err
	}
	store, err := readStore(ctx)
	if err != nil {
		return none, err
	}
	defer store.Close()
	state, err := a.state(store, project)
	if err != nil {
		return none, err
	}
	audit := rollout.Audit{State: state, Reader: store, Now: p.now(), Changes: changes, Verified: a.VerifiedBy}
	answer, err := audit.Answer(ctx.Context, q)
	return answer, badStore(err)
}

// queriedProject is the one project that the flags or rollproof.yaml name.
func (p *program) queriedProject(ctx *cli.Context) (string, error) {
	switch list := ctx.StringSlice("project"); len(list) {
	case 1:
		return list[0], nil
	case 0:
		c, err := p.readDraft(ctx.String("config"))
		if err != nil {
			return "", err
		}
		if c.Name != "" {
			return c.Name, nil
		}
		return "", usagef("give --project", "%s names no project", ctx.String("config"))
	}
	return "", usagef("ask for one after the other", "--query is about one --project")
}

// maxChanges is the size in bytes of the largest list of change records.
const maxChanges = 64 << 20

// changeList reads a list of change records, one a line; # begins a comment line.
func changeList(ctx *cli.Context, q rollout.Question) ([]string, error) {
	file, wanted := ctx.String("changes"), q.Name == service.ChangesQuestion
	if (file != "") != wanted {
		return nil, usagef("rollproof evidence search --query changes-without-rollout --changes FILE", "--changes and --query changes-without-rollout go together")
	}
	if !wanted {
		return nil, nil
	}
	data, err := readFile(file, maxChanges)
	if err != nil {
		return nil, err
	}
	var list []string
	for line := range bytes.Lines(data) {
		text := strings.TrimSpace(string(line))
		if text != "" && !strings.HasPrefix(text, "#") && !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return list, nil
}

// showAnswer prints one line per finding, as wide as the terminal.
func (p *program) showAnswer(answer rollout.Answer) error {
	fmt.Fprintf(p.stdout, "%s: %s\n", archive.Printable(answer.Project), answer.Question)
	if len(answer.Findings) == 0 {
		_, err := fmt.Fprintln(p.stdout, "nothing found")
		return err
	}
	rows := [][]string{{"INDEX", "CHANGE", "RELEASE", "RING", "TARGET", "BY", "DETAIL"}}
	for _, f := range answer.Findings {
		rows = append(rows, []string{service.FindingIndex(f), f.ChangeRecord, f.Version, f.Ring, f.Target, strings.Join(f.Persons, " "), f.Detail})
	}
	_, err := fmt.Fprint(p.stdout, align(rows, p.width()))
	return err
}
