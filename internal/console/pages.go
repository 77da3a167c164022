package console

import (
	"net/http"
	"strconv"

	"github.com/rollproof/rollproof/evidence"
)

// perPage is how many lines a list shows at once.
const perPage = 50

// A span is the part of a list that a page shows: from from to before to.
type span struct{ from, to int }

// slice cuts a list that is sorted by falling log index. The cursor of an address,
// before, is an index, so that what is recorded meanwhile moves no page. newer and older
// are the addresses of the first page and of the next one, "" where there is none.
func slice(r *http.Request, n int, index func(int) int64) (s span, newer, older string, err error) {
	if text := r.URL.Query().Get("before"); text != "" {
		before, err := strconv.ParseInt(text, 10, 64)
		if err != nil || before < 0 {
			return s, "", "", &evidence.QueryError{Field: "before", Problem: quoted(text), Hint: "a log index"}
		}
		for s.from < n && index(s.from) >= before {
			s.from++
		}
		newer = r.URL.Path
	}
	s.to = min(s.from+perPage, n)
	if s.to < n {
		older = r.URL.Path + "?before=" + strconv.FormatInt(index(s.to-1), 10)
	}
	return s, newer, older, nil
}
