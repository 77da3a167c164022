package sqlite

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/rollproof/rollproof/evidence"
)

// A term is one condition of a query: a record has one of some values. Each value has
// an index that gives its records in the order of the log.
type term struct {
	table string // whose rows have the values
	index string // the table's column with the index of the record
	value string // what is compared with a value: an expression of the table
	is    string // the operator between the two
	and   string // another condition on a row, "" for none
	list  []any  // the values; one NULL where and is the whole condition
	also  []any  // arguments of and

	// Where a term stands for several about facts with few values: the combinations
	// that fit them all, and the terms.
	classes [][]any
	facts   []*term
}

// termsOf returns the terms of a query without its times. That a fact is not ” lets
// SQLite use an index that leaves out records without it.
func termsOf(q evidence.Query) []*term {
	var terms []*term
	fact := func(column, and string, list []string) {
		if len(list) > 0 {
			terms = append(terms, &term{table: "record", index: "idx", value: column, is: "=", and: and, list: anys(list)})
		}
	}
	fact("kind", "", texts(q.Kinds))
	fact("keyid", "", q.Signers)
	for _, f := range []struct {
		column string
		list   []string
	}{
		{"project", q.Projects}, {"version", q.Versions}, {"person", q.Persons}, {"change_record", q.ChangeRecords},
		{"environment", q.Environments}, {"ring", q.Rings}, {"target_ring", q.TargetRings},
		{"rollout_status", q.RolloutStatuses}, {"approval_state", q.ApprovalStates}, {"rollout", q.Rollouts},
	} {
		fact(f.column, f.column+" <> ''", f.list)
	}
	fact("execution_status", "execution_status <> '' AND +kind = '"+string(evidence.KindPromotionExecution)+"'", q.PromotionResults)
	fact("execution_status", "execution_status <> '' AND +kind = '"+string(evidence.KindRollbackExecution)+"'", q.RollbackResults)
	var keys []any
	for _, d := range q.Digests {
		keys = append(keys, evidence.DigestKey(d))
	}
	if len(keys) > 0 {
		terms = append(terms, &term{table: "digest", index: "record", value: "value", is: "=", list: keys})
	}
	if len(q.DeploymentTargets) > 0 {
		terms = append(terms, &term{table: "target", index: "record", value: "value", is: "=", list: anys(q.DeploymentTargets)})
	}
	if q.Illegal {
		terms = append(terms, &term{table: "record", index: "idx", value: "NULL", is: "IS", and: "illegal <> ''", list: []any{nil}})
	}
	if words := match(q.Text); words != "" {
		terms = append(terms, &term{table: "words", index: "rowid", value: "words", is: "MATCH", list: []any{words}})
	}
	return terms
}

// mostMerged is how many values are looked up one by one. Their records come merged in
// the order of the log, without being sorted; those of more values are sorted.
const mostMerged = 64

// posting is a query for the indexes i of the first records of a span that fit.
func (t *term) posting(within span, limit int) (string, []any) {
	from := "SELECT " + t.index + " AS i FROM " + t.table + " WHERE "
	rest := " AND " + t.index + " > " + strconv.FormatInt(within.low, 10) + " AND " + t.index + " < " + strconv.FormatInt(within.high, 10)
	if t.and != "" {
		rest = " AND " + t.and + rest
	}
	end := " ORDER BY i " + within.order() + " LIMIT " + strconv.Itoa(limit)
	if t.classes != nil {
		return t.walkClasses("SELECT idx AS i FROM record INDEXED BY record_class WHERE ", rest, end)
	}
	if len(t.list) > mostMerged {
		return from + t.value + " IN (" + marks(len(t.list)) + ")" + rest + end, slices.Concat(t.list, t.also)
	}
	parts, args := make([]string, len(t.list)), []any(nil)
	for i, v := range t.list {
		parts[i] = from + t.value + " " + t.is + " ?" + rest
		args = append(append(args, v), t.also...)
	}
	return strings.Join(parts, " UNION ") + end, args
}

// condition is what the term says of a row of the table record.
func (t *term) condition() (string, []any) {
	if t.classes != nil {
		var parts []string
		var args []any
		for _, f := range t.facts {
			text, more := f.condition()
			parts, args = append(parts, text), append(args, more...)
		}
		return strings.Join(parts, " AND "), args
	}
	text := t.value + " IN (" + marks(len(t.list)) + ")"
	if t.is != "=" {
		text = t.value + " " + t.is + " ?"
	}
	if t.and != "" {
		text += " AND " + t.and
	}
	if t.table != "record" {
		text = "EXISTS (SELECT 1 FROM " + t.table + " WHERE " + text + " AND " + t.table + "." + t.index + " = record.idx)"
	}
	return text, slices.Concat(t.list, t.also)
}

func anys[T any](list []T) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

func texts(kinds []evidence.Kind) []string {
	list := make([]string, len(kinds))
	for i, k := range kinds {
		list[i] = string(k)
	}
	return list
}

// marks is a list of n parameters.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// match turns words into a query of the full-text index: each of them is a phrase,
// so that nothing in them is read as that query's own language.
func match(text string) string {
	var phrases []string
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return unicode.IsSpace(r) || r == 0 }) {
		word, open := strings.CutSuffix(word, "*")
		if word == "" {
			continue
		}
		p := phrase(word)
		if open {
			p += "*"
		}
		phrases = append(phrases, p)
	}
	return strings.Join(phrases, " AND ")
}

func phrase(words string) string {
	return `"` + strings.ReplaceAll(strings.ReplaceAll(words, "\x00", " "), `"`, `""`) + `"`
}
