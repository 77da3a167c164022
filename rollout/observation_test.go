package rollout

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

func (w *world) captured() string {
	w.t.Helper()
	w.populate("pilot")
	id := w.capture()
	w.after(time.Minute)
	return id
}

// statement of an observation that a test changes before it is signed.
func (w *world) observing(name, id string, endpoints []Endpoint) evidence.Statement[Observation] {
	w.t.Helper()
	st, _, err := w.s.NewObservation(w.head(name), w.progress(id), w.sighting("pilot", endpoints))
	ok(w.t, err)
	return st
}

// badObservations are attacks, each well signed.
var badObservations = []struct {
	name   string
	key    string
	change func(*world, *evidence.Statement[Observation])
	code   Code
	words  string
}{
	{"operator as observer", "observer-ada", nil, CodeRule, "ada is operator of rollout"},
	{"without the role", "approver", nil, CodeEvidence, "is an approver, not an observer"},
	{"another population", "observer", func(w *world, s *evidence.Statement[Observation]) {
		later, _ := w.populate("pilot")
		s.Predicate.Population = later.Act
		s.Subject = s.Predicate.subjects()
	}, CodeEvidence, "counts against population"},
	{"smaller population", "observer", func(_ *world, s *evidence.Statement[Observation]) {
		s.Predicate.Targets[0].Population, s.Predicate.Targets[0].Matches = 3, 3
	}, CodeEvidence, "counts against 3 endpoints, population"},
	{"target left out", "observer", func(_ *world, s *evidence.Statement[Observation]) {
		s.Predicate.Targets = s.Predicate.Targets[:1]
	}, CodeEvidence, "does not say of rollout"},
	{"another binary", "observer", func(_ *world, s *evidence.Statement[Observation]) {
		s.Predicate.Targets[0].SHA256 = strings.Repeat("a", 64)
	}, CodeEvidence, "does not say of rollout"},
	{"another rollout", "observer", func(_ *world, s *evidence.Statement[Observation]) {
		s.Predicate.Rollout = "CHG-9-v1.0.0-pilot-00000000"
	}, CodeEvidence, "is not recorded in this log"},
	{"another capture", "observer", func(_ *world, s *evidence.Statement[Observation]) {
		s.Predicate.Capture[0]++
		s.Subject = s.Predicate.subjects()
	}, CodeEvidence, "as the capture of rollout"},
	{"hosts that do not add up", "observer", func(_ *world, s *evidence.Statement[Observation]) {
		s.Predicate.Targets[0].Matches = 3
	}, CodeEvidence, "they add up to 3 of a population of 4"},
	{"counted from before", "observer", func(_ *world, s *evidence.Statement[Observation]) {
		s.Predicate.Since = s.Predicate.Since.AddDate(0, -1, 0)
	}, CodeEvidence, "the inventory is older than rollout"},
	{"from the future", "observer", func(_ *world, s *evidence.Statement[Observation]) {
		s.Predicate.ObservedAt = s.Predicate.ObservedAt.Add(time.Hour)
	}, CodeEvidence, "and recorded before"},
	{"own staleness", "observer", func(_ *world, s *evidence.Statement[Observation]) {
		s.Predicate.Staleness = "300d"
	}, CodeRule, "a staleness of 300d, ring pilot has 24h"},
	{"subjects of another", "observer", func(_ *world, s *evidence.Statement[Observation]) {
		s.Subject = s.Subject[:2]
	}, CodeEvidence, "the predicate demands"},
}

func TestObservationsThatDoNotCount(t *testing.T) {
	for _, c := range badObservations {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			id := w.captured()
			st := w.observing(c.key, id, w.inventory(id))
			if c.change != nil {
				c.change(w, &st)
			}
			w.deny(act(w, c.key, st), c.code, c.words)
			if w.progress(id).Observed != nil {
				t.Error("it counts all the same")
			}
			w.deny(w.status("operator", id, StatusSucceeded), CodeRule, "no observation of it is recorded")
		})
	}
}

// Last month's inventory: every host has the binary, and was seen before the capture.
func TestInventoryIsNotOlderThanTheRollout(t *testing.T) {
	w := newWorld(t)
	id := w.captured()
	old := w.inventory(id)
	for i := range old {
		old[i].SeenAt = w.now.AddDate(0, -1, 0)
	}
	w.deny(w.observation("observer", id, old), CodeEvidence, "the inventory is older than rollout "+id+", captured 2026-03-02T12:00:01Z")
	w.deny(w.observation("observer", id, nil), CodeEvidence, "it saw no endpoint")
	old[0].SeenAt = w.now // one host reports again: it alone counts
	w.do(w.observation("observer", id, old))
	if o := w.progress(id).Observed.Observation.Targets[0]; o.Matches != 1 || o.Stale != 3 {
		t.Errorf("%s", o.words())
	}
	w.deny(w.status("operator", id, StatusSucceeded), CodeRule, "target linux-runner has 1 of 4 (1 match, 0 differ, 0 missing, 3 stale, 0 unknown), target mac-laptop has 0 of 2")
}

func TestHostsLeftOutCountAsMissing(t *testing.T) {
	w := newWorld(t)
	id := w.captured()
	w.do(w.observation("observer", id, w.inventory(id)[1:]))
	w.deny(w.status("operator", id, StatusSucceeded), CodeRule, "target linux-runner has 3 of 4 (3 match, 0 differ, 1 missing")
	w.do(w.observation("observer", id, w.inventory(id)))
	w.do(w.status("operator", id, StatusSucceeded))
}

// Whoever observed does not say that it succeeded, with whatever key.
func TestObserverDoesNotSaySucceeded(t *testing.T) {
	w := newWorld(t)
	id := w.captured()
	w.do(w.observation("observer-grace", id, w.inventory(id)))
	w.deny(w.status("operator-2", id, StatusSucceeded), CodeRule, "grace observed rollout")
	w.do(w.status("operator", id, StatusSucceeded))
}

func TestReconcile(t *testing.T) {
	good, bad, worse := strings.Repeat("a", 64), strings.Repeat("b", 64), strings.Repeat("c", 64)
	at := Sight{day.Add(time.Hour), day.Add(50 * time.Minute), 30 * time.Minute}
	now := at.Now
	for _, c := range []struct {
		name string
		e    []Endpoint
		want Observed
	}{
		{"match", []Endpoint{{"h1", "t", good, now}, {"h2", "t", good, now.Add(-10 * time.Minute)}}, Observed{Matches: 2}},
		{"nothing", nil, Observed{Missing: 2}},
		{"without the binary", []Endpoint{{"h1", "t", "", now}}, Observed{Missing: 2}},
		{"another target's", []Endpoint{{"h1", "u", good, now}}, Observed{Missing: 2}},
		{"too old", []Endpoint{{"h1", "t", good, now.Add(-30*time.Minute - time.Second)}}, Observed{Missing: 1, Stale: 1}},
		{"before the capture", []Endpoint{{"h1", "t", good, day.Add(50*time.Minute - time.Second)}}, Observed{Missing: 1, Stale: 1}},
		{"right after the capture", []Endpoint{{"h1", "t", good, day.Add(50 * time.Minute)}}, Observed{Missing: 1, Matches: 1}},
		{"from the future", []Endpoint{{"h1", "t", good, now.Add(time.Hour)}}, Observed{Missing: 1, Stale: 1}},
		{"differs", []Endpoint{{"h1", "t", worse, now}, {"h2", "t", bad, now}}, Observed{Differs: []Differ{{bad, 1}, {worse, 1}}}},
		{"outside", []Endpoint{{"h3", "t", good, now}, {"h3", "t", bad, now}}, Observed{Missing: 2, Unknown: 1}},
		{"newest line counts", []Endpoint{{"h1", "t", good, now}, {"h1", "t", bad, now.Add(-time.Second)}}, Observed{Matches: 1, Missing: 1}},
		{"newest line counts, other order", []Endpoint{{"h1", "t", bad, now.Add(-time.Second)}, {"h1", "t", good, now}}, Observed{Matches: 1, Missing: 1}},
		{"doubt counts against", []Endpoint{{"h1", "t", good, now}, {"h1", "t", bad, now}}, Observed{Missing: 1, Differs: []Differ{{bad, 1}}}},
	} {
		for range 2 {
			got := Reconcile(map[string]string{"t": good}, map[string][]string{"t": {"h1", "h2"}}, c.e, at)[0]
			if got.Matches != c.want.Matches || got.Missing != c.want.Missing || got.Stale != c.want.Stale || got.Unknown != c.want.Unknown || !slices.Equal(got.Differs, c.want.Differs) {
				t.Errorf("%s: %s, %v", c.name, got.words(), got.Differs)
			}
			slices.Reverse(c.e) // the order of an inventory means nothing
		}
	}
}

func TestStalenessIsALimit(t *testing.T) {
	good, at := strings.Repeat("a", 64), Sight{day, day.AddDate(0, 0, -9), 30 * time.Minute}
	for ago, matches := range map[time.Duration]int{30 * time.Minute: 1, 30*time.Minute + time.Second: 0} {
		o := Reconcile(map[string]string{"t": good}, map[string][]string{"t": {"h"}}, []Endpoint{{"h", "t", good, day.Add(-ago)}}, at)[0]
		if o.Matches != matches || o.Stale != 1-matches {
			t.Errorf("seen %s ago: %s", ago, o.words())
		}
	}
}

// Whoever has the lists can count again, and finds every number that is not so.
func TestRecountFindsEveryChange(t *testing.T) {
	w := newWorld(t)
	id := w.captured()
	endpoints := w.inventory(id)
	endpoints[0].SHA256 = strings.Repeat("b", 64)
	in := w.sighting("pilot", endpoints)
	st, list, err := w.s.NewObservation(w.head("observer"), w.progress(id), in)
	ok(t, err)
	p := in.Population.Population
	ok(t, Recount(st.Predicate, p, in.Lists, list))
	for words, change := range map[string]func(*Observation){
		"the observation says 4 match": func(o *Observation) { o.Targets[0].Matches, o.Targets[0].Differs = 4, []Differ{} },
		"counted again":                func(o *Observation) { o.Targets[1].Unknown = 1 },
		"target mac-laptop: the":       func(o *Observation) { o.Targets[1].Newest = o.Targets[0].Oldest; o.Targets[1].Oldest = nil },
		"the observation names":        func(o *Observation) { o.Endpoints = strings.Repeat("0", 64) },
		"does not name target other":   func(o *Observation) { o.Targets[1].ID = "other" },
	} {
		o := st.Predicate
		o.Targets = slices.Clone(o.Targets)
		change(&o)
		if err := Recount(o, p, in.Lists, list); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", words, err)
		}
	}
	in.Lists["mac-laptop.ids"] = []byte("mac-1\n")
	if err := Recount(st.Predicate, p, in.Lists, list); err == nil || !strings.Contains(err.Error(), "the population names") {
		t.Errorf("a shorter list: %v", err)
	}
	if _, _, err := w.s.NewObservation(w.head("observer"), w.progress(id), in); err == nil {
		t.Error("observes against a shorter list")
	}
}

func TestListsHaveOneForm(t *testing.T) {
	for name, bad := range map[string][]string{
		"none": {}, "twice": {"a", "a"}, "empty": {""}, "break": {"a\nb"}, "reordering": {"a\u202eb"}, "invisible": {"a\u200b"}, "space": {" a"}, "long": {strings.Repeat("a", 201)},
	} {
		if _, err := FormatIDs(bad); err == nil {
			t.Errorf("ids: %s", name)
		}
	}
	for _, bad := range []string{"", "b\na\n", "a", "a\n\n", "a\na\n"} {
		if _, err := ParseIDs([]byte(bad)); err == nil {
			t.Errorf("ids: %q", bad)
		}
	}
	line := `{"target":"t","id":"a","sha256":"","seenAt":"2026-03-02T12:00:00Z"}` + "\n"
	if got, err := ParseEndpoints([]byte(line)); err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	for _, bad := range []string{
		line + line, " " + line, strings.TrimSuffix(line, "\n"), strings.Replace(line, "Z", ".5Z", 1), strings.Replace(line, "Z", "+00:00", 1),
		strings.Replace(line, `"sha256":""`, `"sha256":"AB"`, 1), strings.Replace(line, `"id":"a",`, `"id":"a","x":1,`, 1), "[]\n",
		strings.Replace(line, `"a"`, `"b"`, 1) + line, strings.Replace(line, `"a"`, `"a\u200b"`, 1),
	} {
		if _, err := ParseEndpoints([]byte(bad)); err == nil {
			t.Errorf("endpoints: %q", bad)
		}
	}
}

func TestPseudonymsWhereThePolicyAsks(t *testing.T) {
	w := newWorld(t)
	rules := DefaultRules()
	rules.Pseudonyms = true
	plain, _, err := w.s.NewPopulation(w.head("policy"), w.ring("pilot"), hosts)
	ok(t, err)
	w.signPolicy(rules)
	w.deny(act(w, "policy", plain), CodeRule, "asks for pseudonyms")
	if _, _, err := w.s.NewPopulation(w.head("policy"), w.ring("pilot"), hosts); err == nil || !strings.Contains(err.Error(), `endpoint "host-1" is no pseudonym`) {
		t.Error(err)
	}
	name := strings.Repeat("ab", 32)
	st, lists, err := w.s.NewPopulation(w.head("policy"), w.ring("pilot"), map[string][]string{"linux-runner": {name}})
	ok(t, err)
	w.do(act(w, "policy", st))
	c := pilot()
	c.Targets = []string{"linux-runner"}
	capture := w.newRollout("operator", "v1.0.0", c)
	w.do(act(w, "operator", capture))
	p, _ := w.s.Population("production", "pilot")
	in := Sighting{p, lists, []Endpoint{{"host-1", "linux-runner", "", w.now}}, Input{name, "csv", "test"}, w.now}
	_, _, err = w.s.NewObservation(w.head("observer"), w.progress(capture.Predicate.ID), in)
	expectRefusal(t, err, CodeEvidence, `endpoint "host-1" is no pseudonym`)
}

func TestPopulationsThatDoNotCount(t *testing.T) {
	w := newWorld(t)
	stale, _, err := w.s.NewPopulation(w.head("policy"), w.ring("pilot"), hosts)
	ok(t, err)
	rules := DefaultRules()
	rules.Rings[0].Quorum = 3
	w.signPolicy(rules)
	w.deny(act(w, "policy", stale), CodeConflict, "the population stands on rules")
	st, _, err := w.s.NewPopulation(w.head("operator"), w.ring("pilot"), hosts)
	ok(t, err)
	w.deny(act(w, "operator", st), CodeEvidence, "is an operator, not a policy key")
	st, _, err = w.s.NewPopulation(w.head("policy"), Ring{Name: "lab", Environment: "production"}, hosts)
	ok(t, err)
	w.deny(act(w, "policy", st), CodeRule, `ring "lab" is not known`)
}
