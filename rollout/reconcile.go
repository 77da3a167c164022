package rollout

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// An Endpoint is one line of an inventory: what was seen installed there, and when.
type Endpoint struct {
	ID     string
	Target string
	SHA256 string // of the installed binary, "" where none was found
	SeenAt time.Time
}

// An endpointLine is a line of the normalised list.
type endpointLine struct {
	Target string    `json:"target"`
	ID     string    `json:"id"`
	SHA256 string    `json:"sha256"`
	SeenAt time.Time `json:"seenAt"`
}

// FormatEndpoints returns the normalised list of endpoints, whose digest an
// observation names: one JSON object a line with target, id, sha256 and seenAt (UTC,
// whole seconds), sorted by these, each line once. Endpoints of targets that are not
// asked for are left out.
func FormatEndpoints(endpoints []Endpoint, targets []string) ([]byte, error) {
	var lines []endpointLine
	for _, e := range endpoints {
		if !slices.Contains(targets, e.Target) {
			continue
		}
		if err := e.check(); err != nil {
			return nil, err
		}
		lines = append(lines, endpointLine{e.Target, e.ID, e.SHA256, second(e.SeenAt)})
	}
	slices.SortFunc(lines, compareLines)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, l := range slices.Compact(lines) {
		if err := enc.Encode(l); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func (e Endpoint) check() error {
	if err := checkEndpointID(e.ID); err != nil {
		return err
	}
	if e.SHA256 != "" {
		if err := checkHex("endpoint "+e.ID+": sha256", e.SHA256); err != nil {
			return err
		}
	}
	return checkTime("endpoint "+e.ID+": seen at", second(e.SeenAt))
}

func compareLines(a, b endpointLine) int {
	return cmp.Or(strings.Compare(a.Target, b.Target), strings.Compare(a.ID, b.ID), a.SeenAt.Compare(b.SeenAt), strings.Compare(a.SHA256, b.SHA256))
}

// ParseEndpoints reads what [FormatEndpoints] writes, and nothing else.
func ParseEndpoints(data []byte) ([]Endpoint, error) {
	var list []Endpoint
	targets := map[string]bool{}
	for n, line := range strings.SplitAfter(string(data), "\n") {
		if line == "" {
			continue
		}
		var l endpointLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			return nil, fmt.Errorf("endpoints: line %d: %w", n+1, err)
		}
		targets[l.Target] = true
		list = append(list, Endpoint{l.ID, l.Target, l.SHA256, l.SeenAt})
	}
	again, err := FormatEndpoints(list, slices.Collect(maps.Keys(targets)))
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, data) {
		return nil, errors.New("endpoints: not the normalised list: sorted, each line once, fields in order")
	}
	return list, nil
}

// An Observed is what was seen of one target. Matches, Differs, Missing and Stale
// add up to the population.
type Observed struct {
	ID         string   `json:"id"`
	SHA256     string   `json:"sha256"` // what the rollout puts there
	Population int      `json:"population"`
	Matches    int      `json:"matches"`
	Differs    []Differ `json:"differs"` // by digest
	Missing    int      `json:"missing"` // not reported, or reported without the binary
	Stale      int      `json:"stale"`   // reported too long ago, before the capture, or from the future
	Unknown    int      `json:"unknown"` // reported, and not in the population
	// Newest and Oldest are when endpoints of the population that are not from the
	// future were seen, null where none was.
	Newest *time.Time `json:"newestSeenAt"`
	Oldest *time.Time `json:"oldestSeenAt"`
}

// A Differ counts the endpoints with another binary.
type Differ struct {
	SHA256 string `json:"sha256"`
	Count  int    `json:"count"`
}

// A Sight is the time frame of an observation.
type Sight struct {
	Now       time.Time // when the inventory is looked at
	Since     time.Time // when the capture was recorded: what was seen before says nothing
	Staleness time.Duration
}

// futureSkew is how far an endpoint's or an observer's clock may be ahead.
const futureSkew = 5 * time.Minute

// Reconcile compares an inventory with the populations of a rollout's targets.
// expected is the digest that each target should have, by target, population the
// endpoint ids. Of several lines of one endpoint the newest counts, and of two that
// are equally new one that does not match.
func Reconcile(expected map[string]string, population map[string][]string, endpoints []Endpoint, at Sight) []Observed {
	at.Now, at.Since = second(at.Now), second(at.Since)
	list := []Observed{}
	for _, target := range slices.Sorted(maps.Keys(expected)) {
		o := Observed{ID: target, SHA256: expected[target], Population: len(population[target]), Differs: []Differ{}}
		newest := newestLines(endpoints, target, o.SHA256)
		for _, id := range population[target] {
			e, reported := newest[id]
			o.count(e, reported, at)
			delete(newest, id)
		}
		o.Unknown = len(newest)
		list = append(list, o)
	}
	return list
}

// newestLines returns the line that counts of each endpoint of a target.
func newestLines(endpoints []Endpoint, target, expected string) map[string]Endpoint {
	lines := map[string]Endpoint{}
	for _, e := range endpoints {
		if e.Target != target {
			continue
		}
		e.SeenAt = second(e.SeenAt)
		old, ok := lines[e.ID]
		if !ok || e.SeenAt.After(old.SeenAt) || e.SeenAt.Equal(old.SeenAt) && worse(e.SHA256, old.SHA256, expected) {
			lines[e.ID] = e
		}
	}
	return lines
}

// worse orders two words of one endpoint and one second, whatever their order in the
// inventory.
func worse(a, b, expected string) bool {
	if (a == expected) != (b == expected) {
		return b == expected
	}
	return a < b
}

func (o *Observed) count(e Endpoint, reported bool, at Sight) {
	if !reported {
		o.Missing++
		return
	}
	if e.SeenAt.After(at.Now.Add(futureSkew)) {
		o.Stale++
		return
	}
	if o.Newest == nil || e.SeenAt.After(*o.Newest) {
		o.Newest = &e.SeenAt
	}
	if o.Oldest == nil || e.SeenAt.Before(*o.Oldest) {
		o.Oldest = &e.SeenAt
	}
	switch {
	case e.SeenAt.Before(at.Since) || at.Now.Sub(e.SeenAt) > at.Staleness:
		o.Stale++
	case e.SHA256 == "":
		o.Missing++
	case e.SHA256 == o.SHA256:
		o.Matches++
	default:
		o.differs(e.SHA256)
	}
}

func (o *Observed) differs(sha256 string) {
	i, found := slices.BinarySearchFunc(o.Differs, sha256, func(d Differ, s string) int { return strings.Compare(d.SHA256, s) })
	if !found {
		o.Differs = slices.Insert(o.Differs, i, Differ{SHA256: sha256})
	}
	o.Differs[i].Count++
}

// Recount checks an observation against the population's statement, its lists (by
// subject name) and the normalised list of endpoints.
func Recount(o Observation, p Population, lists map[string][]byte, endpoints []byte) error {
	if got := evidence.SHA256(endpoints); got != o.Endpoints {
		return fmt.Errorf("the list of endpoints is %s, the observation names %s", got, o.Endpoints)
	}
	seen, err := ParseEndpoints(endpoints)
	if err != nil {
		return err
	}
	expected := map[string]string{}
	for _, t := range o.Targets {
		expected[t.ID] = t.SHA256
	}
	ids, err := p.read(lists, slices.Collect(maps.Keys(expected)))
	if err != nil {
		return err
	}
	again := Reconcile(expected, ids, seen, Sight{o.ObservedAt, o.Since, o.Staleness.Length()})
	for i, t := range o.Targets {
		if !t.equal(again[i]) {
			return fmt.Errorf("target %s: the observation says %s, counted again it is %s", t.ID, t.words(), again[i].words())
		}
	}
	return nil
}

// read returns the endpoint ids of targets from lists that the population names.
func (p *Population) read(lists map[string][]byte, targets []string) (map[string][]string, error) {
	ids := map[string][]string{}
	for _, target := range slices.Sorted(slices.Values(targets)) {
		i := slices.IndexFunc(p.Targets, func(c Counted) bool { return c.ID == target })
		if i < 0 {
			return nil, fmt.Errorf("the population does not name target %s", target)
		}
		c := p.Targets[i]
		data := lists[c.listName()]
		if got := evidence.SHA256(data); got != c.SHA256 {
			return nil, fmt.Errorf("%s is %s, the population names %s", c.listName(), got, c.SHA256)
		}
		list, err := ParseIDs(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.listName(), err)
		}
		if len(list) != c.Count {
			return nil, fmt.Errorf("%s has %d endpoints, the population says %d", c.listName(), len(list), c.Count)
		}
		ids[target] = list
	}
	return ids, nil
}
