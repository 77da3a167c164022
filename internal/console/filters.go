package console

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// A filter is one list of a query, by the name that the flag of "rollproof evidence
// search" has.
type filter struct {
	name, label string
	list        func(*evidence.Query) *[]string
	choices     []string // nil for free text
}

var filters = []filter{
	{"project", "Project", func(q *evidence.Query) *[]string { return &q.Projects }, nil},
	{"version", "Version", func(q *evidence.Query) *[]string { return &q.Versions }, nil},
	{"environment", "Environment", func(q *evidence.Query) *[]string { return &q.Environments }, nil},
	{"ring", "Ring", func(q *evidence.Query) *[]string { return &q.Rings }, nil},
	{"target-ring", "Target ring", func(q *evidence.Query) *[]string { return &q.TargetRings }, nil},
	{"deployment-target", "Deployment target", func(q *evidence.Query) *[]string { return &q.DeploymentTargets }, nil},
	{"change-record", "Change record", func(q *evidence.Query) *[]string { return &q.ChangeRecords }, nil},
	{"rollout-id", "Rollout", func(q *evidence.Query) *[]string { return &q.Rollouts }, nil},
	{"person", "Signed by person", func(q *evidence.Query) *[]string { return &q.Persons }, nil},
	{"signer", "Signed by key", func(q *evidence.Query) *[]string { return &q.Signers }, nil},
	{"digest", "Digest of a subject", func(q *evidence.Query) *[]string { return &q.Digests }, nil},
	{"rollout-status", "Rollout status", func(q *evidence.Query) *[]string { return &q.RolloutStatuses }, evidence.RolloutStatuses},
	{"approval-state", "Approval", func(q *evidence.Query) *[]string { return &q.ApprovalStates }, evidence.ApprovalStates},
	{"promotion-execution-status", "Promotion", func(q *evidence.Query) *[]string { return &q.PromotionResults }, evidence.PromotionExecutionResults},
	{"rollback-execution-status", "Rollback", func(q *evidence.Query) *[]string { return &q.RollbackResults }, evidence.RollbackExecutionResults},
}

// otherFilters are the filters that are no lists.
var otherFilters = []string{"q", "metadata-kind", "since", "until", "illegal", "order", "limit", "cursor"}

// readQuery reads a query of an address. Empty values are those of form fields that
// nobody filled in. A filter that is not known is an error: leaving it out would show
// more than was asked for.
func readQuery(values url.Values, now time.Time) (evidence.Query, error) {
	var q evidence.Query
	for name, given := range values {
		given = slices.DeleteFunc(slices.Clone(given), func(v string) bool { return strings.TrimSpace(v) == "" })
		if i := slices.IndexFunc(filters, func(f filter) bool { return f.name == name }); i >= 0 {
			*filters[i].list(&q) = given
		} else if !slices.Contains(otherFilters, name) {
			return q, &evidence.QueryError{Field: name, Problem: "no such filter", Hint: "the filters are those of rollproof evidence search"}
		}
	}
	for _, k := range values["metadata-kind"] {
		if k != "" {
			q.Kinds = append(q.Kinds, evidence.Kind(k))
		}
	}
	q.Text, q.Illegal = strings.TrimSpace(values.Get("q")), values.Get("illegal") != ""
	q.Order, q.Cursor = evidence.Order(values.Get("order")), values.Get("cursor")
	var err error
	if q.Limit, err = number(values.Get("limit")); err != nil {
		return q, err
	}
	if q.Since, err = readInstant("since", values.Get("since"), now); err != nil {
		return q, err
	}
	q.Until, err = readInstant("until", values.Get("until"), now)
	return q, err
}

// pageLimit is how many records one page may have.
const pageLimit = 500

func number(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > pageLimit {
		return 0, &evidence.QueryError{Field: "limit", Problem: quoted(text), Hint: "1 to " + strconv.Itoa(pageLimit)}
	}
	return n, nil
}

// quoted shows what somebody gave; the page makes its invisible marks visible.
func quoted(text string) string { return `"` + text + `"` }

// readInstant reads a date, an instant, or a number of days back, cut to the hour so
// that a cursor still fits on the next page.
func readInstant(field, text string, now time.Time) (time.Time, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return time.Time{}, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n < 100_000 {
			return now.UTC().AddDate(0, 0, -n).Truncate(time.Hour), nil
		}
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, &evidence.QueryError{Field: field, Problem: quoted(text) + " is no instant", Hint: "for example 2026-03-02, 2026-03-02T00:00:00Z or 7d"}
}

// given returns the values of an address that say something, without where in the
// answer a page begins.
func given(values url.Values) url.Values {
	kept := url.Values{}
	for name, list := range values {
		for _, v := range list {
			if strings.TrimSpace(v) != "" && name != "cursor" {
				kept.Add(name, v)
			}
		}
	}
	return kept
}

// searchCommand is the command that gives the same answer.
func searchCommand(values url.Values, server string) string {
	words := []string{"rollproof", "evidence", "search"}
	if server != "" {
		words = append(words, "--server", quote(server))
	}
	kept := given(values)
	for _, name := range append([]string{"metadata-kind", "since", "until", "order", "limit"}, filterNames()...) {
		for _, v := range kept[name] {
			words = append(words, "--"+name, quote(v))
		}
	}
	if kept.Get("illegal") != "" {
		words = append(words, "--illegal")
	}
	if strings.HasPrefix(kept.Get("q"), "-") || strings.Contains(kept.Get("q"), " -") {
		words = append(words, "--")
	}
	for _, word := range strings.Fields(kept.Get("q")) {
		words = append(words, quote(word))
	}
	return strings.Join(words, " ")
}

func filterNames() []string {
	var names []string
	for _, f := range filters {
		names = append(names, f.name)
	}
	return names
}
