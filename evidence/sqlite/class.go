package sqlite

import (
	"context"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
)

// classColumns are the facts with few values. Each combination of them that a record
// has is a row of the table class, so that two frequent values which never meet are
// known to fit nothing without a look at the records of either.
var classColumns = []string{"kind", "project", "environment", "ring", "target_ring", "rollout_status", "approval_state", "execution_status"}

var (
	classList   = strings.Join(classColumns, ", ")
	insertClass = "INSERT INTO class (" + classList + ") VALUES (" + marks(len(classColumns)) + ") ON CONFLICT DO NOTHING"
	// classEquals compares a row of class with one of record.
	classEquals = func() string {
		var list []string
		for _, c := range classColumns {
			list = append(list, "class."+c+" = record."+c)
		}
		return strings.Join(list, " AND ")
	}()
)

// mostClasses is how many combinations a search walks together. Where more of them fit,
// it walks the rarest of its terms instead.
const mostClasses = 64

// classOf is the combination of a record.
func classOf(r *evidence.Record) []any {
	list := make([]any, 0, len(classColumns))
	for _, c := range columns {
		if slices.Contains(classColumns, c.name) {
			list = append(list, c.of(r))
		}
	}
	return list
}

// noteClass adds the record's combination, once in a transaction.
func (t *transaction) noteClass(ctx context.Context, r *evidence.Record) error {
	class := classOf(r)
	var key strings.Builder
	for _, v := range class {
		key.WriteString(v.(string) + "\x00")
	}
	if t.classes[key.String()] {
		return nil
	}
	if t.classes == nil {
		t.classes = map[string]bool{}
	}
	t.classes[key.String()] = true
	return t.exec(ctx, insertClass, class...)
}

// compareClass looks for the record's combination.
func (r reader) compareClass(ctx context.Context, want *evidence.Record) ([]evidence.Difference, error) {
	n, err := r.count(ctx, "SELECT count(*) FROM class WHERE ("+classList+") = ("+marks(len(classColumns))+")", classOf(want)...)
	if err != nil || n == 1 {
		return nil, err
	}
	return []evidence.Difference{{Field: "class", Expected: "the combination of its facts", Actual: "nothing"}}, nil
}

// combine puts the terms about facts with few values into one, where there are
// several. none says that no record has such a combination.
func (r reader) combine(ctx context.Context, terms []*term) (combined []*term, none bool, err error) {
	var facts, rest []*term
	for _, t := range terms {
		if t.table == "record" && slices.Contains(classColumns, t.value) {
			facts = append(facts, t)
		} else {
			rest = append(rest, t)
		}
	}
	if len(facts) < 2 {
		return terms, false, nil
	}
	classes, err := r.classes(ctx, facts)
	if err != nil || len(classes) == 0 {
		return nil, true, err
	}
	if len(classes) > mostClasses {
		return terms, false, nil
	}
	return append(rest, &term{table: "record", index: "idx", classes: classes, facts: facts}), false, nil
}

// classes returns the combinations that fit all of the terms, one more than are walked
// at most.
func (r reader) classes(ctx context.Context, facts []*term) ([][]any, error) {
	var conditions []string
	var args []any
	for _, t := range facts {
		text, more := t.condition()
		conditions, args = append(conditions, text), append(args, more...)
	}
	rows, err := r.q.QueryContext(ctx, "SELECT "+classList+" FROM class WHERE "+strings.Join(conditions, " AND ")+" LIMIT ?", append(args, mostClasses+1)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list [][]any
	for rows.Next() {
		class, into := make([]any, len(classColumns)), make([]any, len(classColumns))
		for i := range class {
			into[i] = &class[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		list = append(list, class)
	}
	return list, rows.Err()
}

// walkClasses is [term.posting] of combinations: each has its records in the order of
// the log, and they come merged.
func (t *term) walkClasses(from, rest, end string) (string, []any) {
	parts, args := make([]string, len(t.classes)), []any(nil)
	for i, class := range t.classes {
		parts[i] = from + strings.Join(classColumns, " = ? AND ") + " = ?" + rest
		args = append(args, class...)
	}
	return strings.Join(parts, " UNION ") + end, args
}
