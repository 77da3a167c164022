package rollout

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// Population is the predicate by which the policy role says which endpoints belong
// to the targets of a ring. The newest one before a capture is what coverage of that
// rollout counts against.
type Population struct {
	Actor       Actor                `json:"actor"`
	Trust       TrustVersion         `json:"trust"`
	Seen        *evidence.Checkpoint `json:"seen"`
	Claimed     time.Time            `json:"claimed"`
	Project     string               `json:"project"`
	Environment string               `json:"environment"`
	Ring        string               `json:"ring"`
	Policy      evidence.Digest      `json:"policy"` // the rules in force
	// Pseudonyms says that the ids are HMAC-SHA-256 in hex.
	Pseudonyms bool      `json:"pseudonyms"`
	Targets    []Counted `json:"targets"` // by id
}

// A Counted is the population of one target. Its list, as [FormatIDs] writes it, is
// a subject of the statement under the name <target>.ids.
type Counted struct {
	ID     string `json:"id"`
	Count  int    `json:"count"`
	SHA256 string `json:"sha256"` // of the list
}

// maxEndpoints limits one target's population.
const maxEndpoints = 1_000_000

// FormatIDs returns the list of endpoint ids whose digest a population names:
// sorted, one a line, with a final LF. It refuses an empty list, an id that stands
// twice, and ids with control or invisible characters.
func FormatIDs(ids []string) ([]byte, error) {
	if len(ids) == 0 || len(ids) > maxEndpoints {
		return nil, fmt.Errorf("a population of %d endpoints, expected 1 to %d", len(ids), maxEndpoints)
	}
	sorted := slices.Sorted(slices.Values(ids))
	for i, id := range sorted {
		if err := checkEndpointID(id); err != nil {
			return nil, err
		}
		if i > 0 && sorted[i-1] == id {
			return nil, fmt.Errorf("endpoint %q stands twice", id)
		}
	}
	return []byte(strings.Join(sorted, "\n") + "\n"), nil
}

// ParseIDs reads what [FormatIDs] writes, and nothing else.
func ParseIDs(data []byte) ([]string, error) {
	ids := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	again, err := FormatIDs(ids)
	if err != nil {
		return nil, err
	}
	if string(again) != string(data) {
		return nil, errors.New("the list of endpoints is not sorted, or without its last line end")
	}
	return ids, nil
}

// NewPopulation makes the statement for a ring from the endpoint ids of each target.
// It also returns the lists, by subject name, which belong beside it.
func (s *State) NewPopulation(h Head, ring Ring, ids map[string][]string) (evidence.Statement[Population], map[string][]byte, error) {
	h = h.normal()
	p := Population{h.Actor, h.Trust, h.Seen, h.Claimed, s.options.Project, ring.Environment, ring.Name, s.policy.Digest, s.policy.Rules.Pseudonyms, []Counted{}}
	lists := map[string][]byte{}
	for _, target := range slices.Sorted(maps.Keys(ids)) {
		data, err := FormatIDs(ids[target])
		if err == nil {
			err = checkPseudonyms(p.Pseudonyms, ids[target])
		}
		if err != nil {
			return evidence.Statement[Population]{}, nil, fmt.Errorf("target %q: %w", target, err)
		}
		c := Counted{target, len(ids[target]), evidence.SHA256(data)}
		lists[c.listName()] = data
		p.Targets = append(p.Targets, c)
	}
	st, err := statement[Population](PopulationType, p)
	return st, lists, err
}

// checkPseudonyms wants HMAC-SHA-256 in hex where names of hosts must not show.
func checkPseudonyms(wanted bool, ids []string) error {
	for _, id := range ids {
		if wanted && !hexForm.MatchString(id) {
			return fmt.Errorf("endpoint %q is no pseudonym, which the policy asks for: expected 64 hex digits", id)
		}
	}
	return nil
}

func (c Counted) listName() string { return c.ID + ".ids" }

func (p *Population) head() Head   { return Head{p.Actor, p.Trust, p.Seen, p.Claimed} }
func (p *Population) place() place { return place{p.Project, p.Environment, p.Ring} }

func (p *Population) check() error {
	if err := checkPlace(p.Environment, p.Ring); err != nil {
		return err
	}
	var ids []string
	for _, c := range p.Targets {
		ids = append(ids, c.ID)
		if err := checkName("deployment target", c.ID, 100); err != nil {
			return err
		}
		if c.Count < 1 || c.Count > maxEndpoints {
			return fmt.Errorf("target %s: a population of %d endpoints, expected 1 to %d", c.ID, c.Count, maxEndpoints)
		}
		if err := checkHex("target "+c.ID+": sha256", c.SHA256); err != nil {
			return err
		}
	}
	if len(ids) == 0 || !increasing(ids) {
		return errors.New("the targets are none, not sorted by id, or one stands twice")
	}
	return nil
}

func (p *Population) subjects() []evidence.Subject {
	list := []evidence.Subject{actSubject("rules", p.Policy)}
	for _, c := range p.Targets {
		list = append(list, evidence.FileSubject(c.listName(), c.SHA256))
	}
	return list
}

func (p *Population) facts() evidence.Facts {
	f := p.head().facts()
	f.Project, f.Environment, f.Ring = p.Project, p.Environment, p.Ring
	for _, c := range p.Targets {
		f.DeploymentTargets = append(f.DeploymentTargets, c.ID)
	}
	return f
}

func (p *Population) count(target string) int { return count(p.Targets, target) }

func count(list []Counted, target string) int {
	for _, c := range list {
		if c.ID == target {
			return c.Count
		}
	}
	return 0
}

func (p *Population) judge(s *State, _ signed) *Refusal {
	if _, refusal := s.ring(p.Environment, p.Ring); refusal != nil {
		return refusal
	}
	if s.policy.Rules.Pseudonyms && !p.Pseudonyms {
		return refuse(CodeRule, "", "the policy asks for pseudonyms, and the population names endpoints").about(s.policy.Acts...)
	}
	if p.Policy != s.policy.Digest {
		return refuse(CodeConflict, "sign it again", "the population stands on rules %s, in force are %s", p.Policy, s.policy.Digest).about(s.policy.Acts...)
	}
	return nil
}

func (p *Population) apply(s *State, by signed) {
	s.populations[site{p.Environment, p.Ring}] = &populated{*p, by.Digest, by.Index, by.Recorded}
}

// A site is a ring of an environment.
type site struct{ environment, ring string }

// populated is a population as it is recorded.
type populated struct {
	Population
	digest   evidence.Digest
	index    int64
	recorded time.Time
}

// A RecordedPopulation is the newest population of a ring.
type RecordedPopulation struct {
	Population Population
	Act        evidence.Digest
	Recorded   time.Time
}

// Population returns the newest population of a ring.
func (s *State) Population(environment, ring string) (RecordedPopulation, bool) {
	p, ok := s.populations[site{environment, ring}]
	if !ok {
		return RecordedPopulation{}, false
	}
	return RecordedPopulation{p.Population, p.digest, p.recorded}, true
}
