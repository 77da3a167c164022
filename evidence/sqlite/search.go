package sqlite

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// Search puts the terms about facts with few values together, walks the rarest of the
// query's terms through its index, in the order of the
// log, and looks at the other terms in each record that it meets. It reads one record
// more than the page has, to know whether there is a page after it. The next page
// begins behind an index, so that records which are added meanwhile neither move nor
// repeat a row.
func (r reader) Search(ctx context.Context, q evidence.Query) (evidence.Page, error) {
	q, err := q.Checked()
	if err != nil {
		return evidence.Page{}, err
	}
	within, err := r.span(ctx, q)
	if err != nil {
		return evidence.Page{}, translate(err)
	}
	terms, none, err := r.combine(ctx, termsOf(q))
	if err != nil || none {
		return evidence.Page{}, translate(err)
	}
	driver, err := r.rarest(ctx, terms, within)
	if err != nil {
		return evidence.Page{}, translate(err)
	}
	records, err := r.walk(ctx, driver, slices.DeleteFunc(terms, func(t *term) bool { return t == driver }), within, q.Limit+1)
	page := evidence.Page{Records: records}
	if len(records) > q.Limit {
		page.Records = records[:q.Limit]
		page.Next = q.CursorAt(records[q.Limit-1].Index)
	}
	return page, translate(err)
}

// A span is a range of indexes, both ends exclusive, and the order in which it is
// walked.
type span struct {
	low, high int64
	newest    bool
}

func (s span) order() string {
	if s.newest {
		return "DESC"
	}
	return "ASC"
}

// behind returns what of the span comes after an index.
func (s span) behind(index int64) span {
	if s.newest {
		s.high = min(s.high, index)
	} else {
		s.low = max(s.low, index)
	}
	return s
}

// span is where a query's cursor and times allow records. Dates never go back.
func (r reader) span(ctx context.Context, q evidence.Query) (span, error) {
	s := span{-1, math.MaxInt64, q.Order == evidence.NewestFirst}
	after, ok, err := q.After()
	if err != nil {
		return s, err
	}
	if ok {
		s = s.behind(after)
	}
	if !q.Since.IsZero() {
		first, err := r.firstAt(ctx, q.Since)
		if err != nil {
			return s, err
		}
		s.low = max(s.low, first-1)
	}
	if !q.Until.IsZero() {
		first, err := r.firstAt(ctx, q.Until)
		if err != nil {
			return s, err
		}
		s.high = min(s.high, first)
	}
	return s, nil
}

// firstAt returns the first record of a time or after it; behind all records, where
// there is none.
func (r reader) firstAt(ctx context.Context, at time.Time) (int64, error) {
	ms := at.UnixMilli()
	if at.After(time.UnixMilli(ms)) {
		ms++
	}
	return r.count(ctx, "SELECT coalesce((SELECT idx FROM record WHERE recorded >= ? ORDER BY recorded, idx LIMIT 1), (SELECT max(idx) + 1 FROM record), 0)", ms)
}

// enough says of which terms it does not matter which one is walked: those that fit
// less records.
var enough = []int{64, 2048}

// rarest returns the term that meets the fewest records on the way through the span,
// nil where there is no term.
func (r reader) rarest(ctx context.Context, terms []*term, within span) (*term, error) {
	if len(terms) < 2 {
		return append(terms, nil)[0], nil
	}
	var best *term
	for _, limit := range enough {
		few, far := int64(limit), int64(-1)
		for _, t := range terms {
			met, err := r.meet(ctx, t, within, limit)
			if err != nil {
				return nil, err
			}
			// Of terms that fit many records, the one whose records lie the widest apart.
			if met.n < few || few == int64(limit) && met.width > far {
				best, few, far = t, met.n, met.width
			}
		}
		if few < int64(limit) {
			break
		}
	}
	return best, nil
}

// Numbers of candidates that a walk looks at together: few at first, for most of them
// often fit.
const (
	firstCandidates = 256
	mostCandidates  = 16_384
)

// walk returns the first records of a span that fit a driving term, which may be nil,
// and all others.
func (r reader) walk(ctx context.Context, driver *term, others []*term, within span, limit int) ([]evidence.Record, error) {
	if driver == nil {
		return r.candidates(ctx, fmt.Sprintf("record.idx > %d AND record.idx < %d", within.low, within.high), nil, nil, within, limit)
	}
	var found []evidence.Record
	atOnce := firstCandidates
	if len(others) == 0 {
		atOnce = limit
	}
	for {
		posting, args := driver.posting(within, atOnce)
		more, err := r.candidates(ctx, "record.idx IN ("+posting+")", args, others, within, limit-len(found))
		found = append(found, more...)
		if err != nil || len(found) >= limit {
			return found, err
		}
		met, err := r.meet(ctx, driver, within, atOnce)
		if err != nil || met.n < int64(atOnce) {
			return found, err
		}
		within, atOnce = within.behind(met.last), min(4*atOnce, mostCandidates)
	}
}

// A meeting is what a term meets on the first part of a span: how many records, the
// last of them, and over how many indexes they lie.
type meeting struct{ n, last, width int64 }

func (r reader) meet(ctx context.Context, t *term, within span, limit int) (meeting, error) {
	posting, args := t.posting(within, limit)
	var n, low, high int64
	err := r.q.QueryRowContext(ctx, "SELECT count(*), coalesce(min(i), 0), coalesce(max(i), 0) FROM ("+posting+")", args...).Scan(&n, &low, &high)
	if within.newest {
		return meeting{n, low, high - low}, err
	}
	return meeting{n, high, high - low}, err
}

// candidates reads records that fit a condition and all terms.
func (r reader) candidates(ctx context.Context, condition string, args []any, terms []*term, within span, limit int) ([]evidence.Record, error) {
	query := selectRecord + " FROM record NOT INDEXED WHERE " + condition
	for _, t := range terms {
		text, more := t.condition()
		query, args = query+" AND "+text, append(args, more...)
	}
	rows, err := r.q.QueryContext(ctx, query+" ORDER BY record.idx "+within.order()+" LIMIT ?", append(args, limit)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []evidence.Record
	for rows.Next() {
		record, err := scanRecord(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, record)
	}
	return list, rows.Err()
}
