package rollout

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release/archive"
)

// Observation is the predicate by which an observer reports what runs on the
// endpoints of a rollout. Its subjects are the capture, the population and the
// normalised list of endpoints, from which anybody can count again ([Recount]).
type Observation struct {
	Actor        Actor                `json:"actor"`
	Trust        TrustVersion         `json:"trust"`
	Seen         *evidence.Checkpoint `json:"seen"`
	Claimed      time.Time            `json:"claimed"`
	Project      string               `json:"project"`
	Version      string               `json:"version"`
	ChangeRecord string               `json:"changeRecord"`
	Environment  string               `json:"environment"`
	Ring         string               `json:"ring"`
	Rollout      string               `json:"rollout"`    // id
	Capture      evidence.Digest      `json:"capture"`    // the act of that rollout
	Population   evidence.Digest      `json:"population"` // the act that it counts against
	Input        Input                `json:"input"`
	Endpoints    string               `json:"endpoints"`  // sha256 of the normalised list
	ObservedAt   time.Time            `json:"observedAt"` // claimed, as all that the observer says
	Since        time.Time            `json:"since"`      // when the capture was recorded
	Staleness    Duration             `json:"staleness"`  // of the ring
	Targets      []Observed           `json:"targets"`    // all of the rollout's, by id
}

// An Input says what the observer read.
type Input struct {
	SHA256 string `json:"sha256"` // of the file as it came
	Format string `json:"format"` // "csv", "jsonl", "osquery", …
	Tool   string `json:"tool"`   // what read it
}

// A Sighting is what an observer brings: lists by subject name, as
// [State.NewPopulation] returned them, and an inventory.
type Sighting struct {
	Population RecordedPopulation
	Lists      map[string][]byte
	Endpoints  []Endpoint
	Input      Input
	At         time.Time // now
}

// endpointsName is the subject under which the list of endpoints stands.
const endpointsName = "endpoints.jsonl"

// NewObservation makes the statement about a rollout. It also returns the normalised
// list of endpoints, which belongs beside it.
func (s *State) NewObservation(h Head, p Progress, in Sighting) (evidence.Statement[Observation], []byte, error) {
	var none evidence.Statement[Observation]
	h, r := h.normal(), p.Rollout
	ring, refusal := s.ring(r.Environment, r.Ring)
	if refusal != nil {
		return none, nil, refusal
	}
	ids, err := in.Population.Population.read(in.Lists, r.targetIDs())
	if err != nil {
		return none, nil, badEvidence(err)
	}
	list, err := FormatEndpoints(in.Endpoints, r.targetIDs())
	if err == nil {
		err = checkPseudonyms(in.Population.Population.Pseudonyms, namesOf(in.Endpoints))
	}
	if err != nil {
		return none, nil, badEvidence(err)
	}
	expected := map[string]string{}
	for _, t := range r.Targets {
		expected[t.ID] = t.SHA256
	}
	o := Observation{
		h.Actor, h.Trust, h.Seen, h.Claimed, r.Project, r.Release.Version, r.ChangeRecord, r.Environment, r.Ring, r.ID,
		p.Act, in.Population.Act, in.Input, evidence.SHA256(list), second(in.At), second(p.Recorded), ring.Staleness,
		Reconcile(expected, ids, in.Endpoints, Sight{in.At, p.Recorded, ring.Staleness.Length()}),
	}
	st, err := statement[Observation](ObservationType, o)
	return st, list, err
}

func namesOf(endpoints []Endpoint) []string {
	var ids []string
	for _, e := range endpoints {
		ids = append(ids, e.ID)
	}
	return ids
}

func (o *Observation) head() Head   { return Head{o.Actor, o.Trust, o.Seen, o.Claimed} }
func (o *Observation) place() place { return place{o.Project, o.Environment, o.Ring} }

func (o *Observation) check() error {
	if err := checkBelongs(o.Environment, o.Ring, o.Rollout, o.ChangeRecord, o.Version); err != nil {
		return err
	}
	for _, check := range []error{
		checkHex("input", o.Input.SHA256), checkHex("endpoints", o.Endpoints), o.Staleness.check("staleness"),
		checkTime("observedAt", o.ObservedAt), checkTime("since", o.Since), checkTool(o.Input.Format), checkTool(o.Input.Tool),
	} {
		if check != nil {
			return check
		}
	}
	var ids []string
	for _, t := range o.Targets {
		ids = append(ids, t.ID)
		if err := t.check(o.Since); err != nil {
			return fmt.Errorf("target %s: %w", archive.Printable(t.ID), err)
		}
	}
	if len(ids) == 0 || !increasing(ids) {
		return errors.New("the targets are none, not sorted by id, or one stands twice")
	}
	return nil
}

func checkTool(text string) error {
	if text == "" || len(text) > maxID || archive.Printable(text) != text {
		return fmt.Errorf("input format or tool %q: expected 1 to %d bytes without control or invisible characters", archive.Printable(text), maxID)
	}
	return nil
}

// check counts: nobody of the population may be left out.
func (o Observed) check(since time.Time) error {
	if err := checkName("deployment target", o.ID, 100); err != nil {
		return err
	}
	if err := checkHex("sha256", o.SHA256); err != nil {
		return err
	}
	sum := o.Matches + o.Missing + o.Stale
	var differing []string
	for _, d := range o.Differs {
		sum += d.Count
		differing = append(differing, d.SHA256)
		if err := checkHex("differing sha256", d.SHA256); err != nil {
			return err
		}
		if d.Count < 1 || d.Count > maxEndpoints || d.SHA256 == o.SHA256 {
			return fmt.Errorf("%d endpoints differ with %s", d.Count, d.SHA256)
		}
	}
	switch {
	case !increasing(differing):
		return errors.New("the differing digests are not sorted, or one stands twice")
	case o.Matches < 0 || o.Missing < 0 || o.Stale < 0 || o.Unknown < 0 || o.Population < 1:
		return errors.New("a number is negative, or the population empty")
	case sum != o.Population:
		return fmt.Errorf("%s: they add up to %d of a population of %d", o.words(), sum, o.Population)
	}
	return o.checkSeen(since, sum-o.Missing-o.Stale)
}

// checkSeen wants dates that fit the numbers: fresh endpoints were seen after the
// capture.
func (o Observed) checkSeen(since time.Time, fresh int) error {
	if (o.Newest == nil) != (o.Oldest == nil) {
		return errors.New("of newestSeenAt and oldestSeenAt one is null")
	}
	if o.Newest == nil {
		if fresh > 0 {
			return errors.New("endpoints were seen, and newestSeenAt is null")
		}
		return nil
	}
	if err := checkTime("newestSeenAt", *o.Newest); err != nil {
		return err
	}
	if err := checkTime("oldestSeenAt", *o.Oldest); err != nil {
		return err
	}
	if o.Newest.Before(*o.Oldest) || fresh > 0 && o.Newest.Before(since) {
		return fmt.Errorf("newestSeenAt %s is before oldestSeenAt or before the capture of %s", stamp(*o.Newest), stamp(since))
	}
	return nil
}

func (o Observed) equal(other Observed) bool { return reflect.DeepEqual(o, other) }

// words are the numbers of a target, for messages.
func (o Observed) words() string {
	differing := 0
	for _, d := range o.Differs {
		differing += d.Count
	}
	return fmt.Sprintf("%d match, %d differ, %d missing, %d stale, %d unknown", o.Matches, differing, o.Missing, o.Stale, o.Unknown)
}

func (o *Observation) subjects() []evidence.Subject {
	return []evidence.Subject{
		actSubject("rollout", o.Capture), actSubject("population", o.Population), evidence.FileSubject(endpointsName, o.Endpoints),
	}
}

func (o *Observation) facts() evidence.Facts {
	f := o.head().facts()
	f.Project, f.Version, f.ChangeRecord = o.Project, o.Version, o.ChangeRecord
	f.Environment, f.Ring, f.Rollout = o.Environment, o.Ring, o.Rollout
	for _, t := range o.Targets {
		f.DeploymentTargets = append(f.DeploymentTargets, t.ID)
	}
	f.Text = []string{o.Rollout, o.Input.Format, o.Input.Tool}
	return f
}

func (o *Observation) judge(s *State, by signed) *Refusal {
	t, refusal := s.belongs(o.Rollout, o.Capture)
	if refusal != nil {
		return refusal
	}
	ring, refusal := s.ring(t.Environment, t.Ring)
	if refusal != nil {
		return refusal
	}
	if !o.fits(t) {
		return refuse(CodeEvidence, "", "the observation does not say of rollout %s what its capture says", o.Rollout).about(t.digest)
	}
	if refusal := o.judgePopulation(t); refusal != nil {
		return refusal
	}
	if refusal := o.judgeAge(t, by); refusal != nil {
		return refusal
	}
	if slices.Contains(t.operators, by.person) {
		return refuse(CodeRule, "another person observes", "%s is operator of rollout %s and cannot observe it", by.person, t.ID).about(t.digest)
	}
	if o.Staleness != ring.Staleness {
		return refuse(CodeRule, "observe again", "the observation counts with a staleness of %s, ring %s has %s", o.Staleness, ring.Name, ring.Staleness).about(s.policy.Acts...)
	}
	return nil
}

func (o *Observation) fits(t *track) bool {
	if o.Version != t.Release.Version || o.ChangeRecord != t.ChangeRecord || o.Environment != t.Environment || o.Ring != t.Ring || len(o.Targets) != len(t.Targets) {
		return false
	}
	for i, target := range t.Targets {
		if o.Targets[i].ID != target.ID || o.Targets[i].SHA256 != target.SHA256 {
			return false
		}
	}
	return true
}

// judgePopulation wants the population that was recorded before the capture, whole.
func (o *Observation) judgePopulation(t *track) *Refusal {
	if t.population.IsZero() {
		return refuse(CodeEvidence, "record the population, then capture under another change record",
			"no population of ring %s was recorded before rollout %s was captured", t.Ring, t.ID).about(t.digest)
	}
	if o.Population != t.population {
		return refuse(CodeEvidence, "observe against that population", "the observation counts against population %s, the newest before rollout %s was captured is %s", o.Population, t.ID, t.population).about(t.population)
	}
	for _, target := range o.Targets {
		if want := count(t.counts, target.ID); target.Population != want {
			return refuse(CodeEvidence, "", "target %s: the observation counts against %d endpoints, population %s has %d", target.ID, target.Population, t.population, want).about(t.population)
		}
	}
	return nil
}

// judgeAge compares with the store's clock; what the observer says of time must at
// least not contradict it.
func (o *Observation) judgeAge(t *track, by signed) *Refusal {
	newest := o.newest()
	recorded := second(t.recorded)
	if o.Since.Before(recorded) || newest.Before(recorded) {
		seen := "no endpoint"
		if !newest.IsZero() {
			seen = "its newest endpoint at " + stamp(newest)
		}
		return refuse(CodeEvidence, "take a new inventory", "the inventory is older than rollout %s, captured %s: it saw %s and counts from %s", t.ID, stamp(recorded), seen, stamp(o.Since)).about(t.digest)
	}
	if o.ObservedAt.After(by.Recorded.Add(futureSkew)) {
		return refuse(CodeEvidence, "set the observer's clock", "observed at %s, and recorded before, at %s", stamp(o.ObservedAt), stamp(by.Recorded))
	}
	return nil
}

// newest returns when the newest endpoint was seen, zero for none.
func (o *Observation) newest() time.Time {
	var newest time.Time
	for _, t := range o.Targets {
		if t.Newest != nil && t.Newest.After(newest) {
			newest = *t.Newest
		}
	}
	return newest
}

// sighting is the newest legal observation of a rollout.
type sighting struct {
	Observation
	act      evidence.Digest
	index    int64
	recorded time.Time
	person   string
	// covering is when the first of the observations was recorded that cover the
	// ring without a break up to this one, zero where this one does not.
	covering time.Time
}

func (o *Observation) apply(s *State, by signed) {
	t := s.rollouts[o.Rollout]
	seen := &sighting{*o, by.Digest, by.Index, by.Recorded, by.person, time.Time{}}
	if ring, _ := s.ring(t.Environment, t.Ring); len(seen.short(ring.Coverage)) == 0 {
		seen.covering = by.Recorded
		if t.observed != nil && !t.observed.covering.IsZero() {
			seen.covering = t.observed.covering
		}
	}
	t.observed = seen
}

// short lists the targets that miss a coverage in percent.
func (o *sighting) short(coverage int) []string {
	var list []string
	for _, t := range o.Targets {
		if t.Matches*100 < coverage*t.Population {
			list = append(list, fmt.Sprintf("target %s has %d of %d (%s)", t.ID, t.Matches, t.Population, t.words()))
		}
	}
	return list
}

// differing lists the targets with endpoints that run something else, or that the
// population does not know.
func (o *sighting) differing() []string {
	var list []string
	for _, t := range o.Targets {
		var parts []string
		for _, d := range t.Differs {
			parts = append(parts, fmt.Sprintf("%d with %s", d.Count, d.SHA256))
		}
		if t.Unknown > 0 {
			parts = append(parts, fmt.Sprintf("%d outside of the population", t.Unknown))
		}
		if len(parts) > 0 {
			list = append(list, "target "+t.ID+": "+strings.Join(parts, ", "))
		}
	}
	return list
}
