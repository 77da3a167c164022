package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

func (p *program) evidenceSearchCommand() *cli.Command {
	return p.several(&cli.Command{
		Name:  "search",
		Usage: "list records; nothing found is an empty list and exit code 0",
		Description: "WORDS must all occur in a record's text; a last * stands for any ending. A filter that is given several times matches any of its values; " +
			"different filters must all match. The list shows what the store says: evidence show and evidence verify go back to the envelopes. " +
			"--query NAME answers an auditor's question about one project instead, by replaying the log under the trust root, from envelopes alone.",
		Flags:  append(append(filterFlags(), queryFlags()...), storeFlag(), serverFlag(), &cli.BoolFlag{Name: "jsonl", Usage: "print one JSON object per record and line"}, &cli.BoolFlag{Name: "csv", Usage: "print a CSV table"}),
		Action: p.evidenceSearch,
	}, 0, "[WORDS]")
}

func filterFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "since", Usage: "recorded at or after an `INSTANT`: 2026-03-02, 2026-03-02T00:00:00Z, or 7d for seven days ago"},
		&cli.StringFlag{Name: "until", Usage: "recorded before an `INSTANT`"},
		&cli.BoolFlag{Name: "illegal", Usage: "only acts that did not count where they stand"},
		&cli.IntFlag{Name: "limit", Value: evidence.DefaultLimit, Usage: "at most `N` records, up to " + strconv.Itoa(evidence.MaxLimit)},
		&cli.StringFlag{Name: "cursor", Usage: "go on where a search ended, with the `CURSOR` that it printed"},
		&cli.StringFlag{Name: "order", Value: string(evidence.NewestFirst), Usage: "`newest` or oldest first, by log index"},
	}
	for _, f := range [][2]string{
		{"metadata-kind", "`KIND` of evidence: " + kindList()}, {"project", "`NAME` of the project"}, {"version", "`VERSION` of the release"},
		{"digest", "`DIGEST` of any subject, which every file that is kept is"}, {"signer", "`KEYID` of the signing key"}, {"person", "`ID` of the signer"},
		{"change-record", "`ID` of the change"}, {"environment", "`NAME` of the environment"}, {"ring", "`NAME` of the ring"}, {"target-ring", "`NAME` of the ring that a promotion leads to"},
		{"rollout-status", "`STATUS`: " + strings.Join(evidence.RolloutStatuses, ", ")}, {"approval-state", "`STATE`: " + strings.Join(evidence.ApprovalStates, ", ")},
		{"promotion-execution-status", "`STATUS`: " + strings.Join(evidence.PromotionExecutionResults, ", ")},
		{"rollback-execution-status", "`STATUS`: " + strings.Join(evidence.RollbackExecutionResults, ", ")},
		{"deployment-target", "`ID` of a deployment target"}, {"rollout-id", "`ID` of the rollout"},
	} {
		flags = append(flags, &cli.StringSliceFlag{Name: f[0], Usage: f[1]})
	}
	return flags
}

func kindList() string {
	var names []string
	for _, k := range evidence.Kinds {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

// filters reads the flags of a query.
func (p *program) filters(ctx *cli.Context) (evidence.Query, error) {
	q := evidence.Query{
		Projects: ctx.StringSlice("project"), Versions: ctx.StringSlice("version"), Digests: ctx.StringSlice("digest"), Signers: ctx.StringSlice("signer"),
		Persons: ctx.StringSlice("person"), ChangeRecords: ctx.StringSlice("change-record"), Environments: ctx.StringSlice("environment"),
		Rings: ctx.StringSlice("ring"), TargetRings: ctx.StringSlice("target-ring"), RolloutStatuses: ctx.StringSlice("rollout-status"),
		ApprovalStates: ctx.StringSlice("approval-state"), PromotionResults: ctx.StringSlice("promotion-execution-status"),
		RollbackResults: ctx.StringSlice("rollback-execution-status"), DeploymentTargets: ctx.StringSlice("deployment-target"), Rollouts: ctx.StringSlice("rollout-id"),
		Illegal: ctx.Bool("illegal"), Text: strings.Join(ctx.Args().Slice(), " "),
		Order: evidence.Order(ctx.String("order")), Limit: ctx.Int("limit"), Cursor: ctx.String("cursor"),
	}
	if q.Limit < 1 && ctx.IsSet("limit") {
		return q, usagef("1 to "+strconv.Itoa(evidence.MaxLimit), "--limit: %d", q.Limit)
	}
	for _, k := range ctx.StringSlice("metadata-kind") {
		q.Kinds = append(q.Kinds, evidence.Kind(k))
	}
	var err error
	if q.Since, err = p.instant(ctx, "since"); err != nil {
		return q, err
	}
	q.Until, err = p.instant(ctx, "until")
	return q, err
}

// instant reads a date, or a number of days back. Days are cut to the start of the
// hour, so that a cursor still fits when the same command runs again.
func (p *program) instant(ctx *cli.Context, flag string) (time.Time, error) {
	value := ctx.String(flag)
	if value == "" {
		return time.Time{}, nil
	}
	if days, ok := strings.CutSuffix(value, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 {
			return p.now().AddDate(0, 0, -n).Truncate(time.Hour), nil
		}
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, value); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, usagef("for example 2026-03-02, 2026-03-02T00:00:00Z or 7d", "--%s %s: no instant", flag, value)
}

func (p *program) evidenceSearch(ctx *cli.Context) error {
	if ctx.IsSet("query") {
		return p.evidenceQuery(ctx)
	}
	q, err := p.filters(ctx)
	if err != nil {
		return err
	}
	if p.json && ctx.Bool("jsonl") || p.json && ctx.Bool("csv") || ctx.Bool("jsonl") && ctx.Bool("csv") {
		return usagef("give one of them", "--json, --jsonl and --csv are three formats")
	}
	doc, err := p.found(ctx, q)
	if err != nil {
		return err
	}
	switch {
	case p.json:
		return p.printJSON(doc)
	case ctx.Bool("jsonl"):
		err = p.printLines(doc)
	case ctx.Bool("csv"):
		err = service.WriteCSV(p.stdout, doc)
	default:
		err = p.printTable(doc)
	}
	if doc.Next != "" {
		fmt.Fprintf(p.stderr, "there are more: --cursor %s\n", doc.Next)
	}
	return err
}

// found is a page of the store's or the server's records.
func (p *program) found(ctx *cli.Context, q evidence.Query) (evidence.SearchDocument, error) {
	remote, err := p.remote(ctx)
	if err != nil {
		return evidence.SearchDocument{}, err
	}
	if remote != nil {
		doc, err := remote.Search(ctx.Context, q)
		return doc, badStore(err)
	}
	store, err := readStore(ctx)
	if err != nil {
		return evidence.SearchDocument{}, err
	}
	defer store.Close()
	page, err := store.Search(ctx.Context, q)
	return page.Document(), badStore(err)
}

func (p *program) printLines(doc evidence.SearchDocument) error {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for _, r := range doc.Records {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	_, err := p.stdout.Write(out.Bytes())
	return err
}

// printTable prints one line per record, as wide as the terminal.
func (p *program) printTable(doc evidence.SearchDocument) error {
	if len(doc.Records) == 0 {
		_, err := fmt.Fprintln(p.stdout, "no records")
		return err
	}
	rows := [][]string{{"INDEX", "RECORDED", "KIND", "RELEASE", "RING", "STATUS", "BY", "ID"}}
	for _, r := range doc.Records {
		f, by := r.Facts, r.Signer.Person
		if by == "" {
			by = r.Signer.KeyID[:min(15, len(r.Signer.KeyID))]
		}
		status := f.RolloutStatus + f.ApprovalState + f.ExecutionStatus
		if r.Illegal != "" {
			status = strings.TrimSpace("ILLEGAL " + status)
		}
		rows = append(rows, []string{
			fmt.Sprint(r.Index), r.Recorded[:16] + "Z", string(r.Kind), strings.TrimSpace(f.Project + " " + f.Version),
			strings.Trim(f.Environment+"/"+f.Ring, "/"), status, by, r.ID.Hex()[:16],
		})
	}
	_, err := fmt.Fprint(p.stdout, align(rows, p.width()))
	return err
}

// align pads columns and cuts lines at width characters, 0 for no limit.
func align(rows [][]string, width int) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i := range row {
			row[i] = archive.Printable(row[i])
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	var out strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, text := range row {
			line.WriteString(text + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)+2))
		}
		text := strings.TrimRight(line.String(), " ")
		if runes := []rune(text); width > 0 && len(runes) > width {
			text = string(runes[:width-1]) + "…"
		}
		out.WriteString(text + "\n")
	}
	return out.String()
}

// width is how many characters a line of stdout has, 0 where it is no terminal.
func (p *program) width() int {
	f, ok := p.stdout.(*os.File)
	if !ok || !p.terminal(p.stdout).tty {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}
