package console

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rollproof/rollproof/rollout"
)

// A coverage is a bar whose parts are the endpoints of a population. Lengths are
// percentages, as text.
type coverage struct {
	Label string // the whole chart in words
	Bars  []bar
}

type bar struct {
	Class, Word string
	Count       int
	X, Width    string
}

// barsOf lays the parts of a population side by side.
func barsOf(population int, parts []bar) *coverage {
	c := &coverage{}
	var words []string
	from := 0
	for _, b := range parts {
		if b.Count == 0 {
			continue
		}
		b.X, b.Width = percent(from, population), percent(b.Count, population)
		from += b.Count
		words = append(words, fmt.Sprintf("%d %s", b.Count, b.Word))
		c.Bars = append(c.Bars, b)
	}
	c.Label = fmt.Sprintf("%d endpoints: %s", population, strings.Join(words, ", "))
	return c
}

func percent(n, of int) string {
	if of <= 0 {
		return "0"
	}
	return strconv.FormatFloat(100*float64(n)/float64(of), 'f', 2, 64)
}

// observed is the chart of what was seen of one target.
func observed(o rollout.Observed) *coverage {
	differs := 0
	for _, d := range o.Differs {
		differs += d.Count
	}
	return barsOf(o.Population, []bar{
		{Class: "c-match", Word: "match", Count: o.Matches}, {Class: "c-differ", Word: "differ", Count: differs},
		{Class: "c-stale", Word: "stale", Count: o.Stale}, {Class: "c-missing", Word: "missing", Count: o.Missing},
	})
}
