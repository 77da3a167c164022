package rollout

import (
	"fmt"
	"maps"
	"math/rand"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// people sign whatever a random hand gives them.
var people = []string{"operator", "operator-2", "operator-staging", "observer", "observer-ada", "observer-grace", "policy", "policy-2", "policy-2b", "approver"}

// chance makes random acts on a world, legal and not.
type chance struct {
	*world
	*rand.Rand
	payloads []Act // everything that was ever signed, to be replayed
}

// who signs: mostly one who may.
func (c *chance) who(fitting ...string) string {
	if c.Intn(4) > 0 {
		return fitting[c.Intn(len(fitting))]
	}
	return people[c.Intn(len(people))]
}

// one makes an act; nil where what it would be about is not there.
func (c *chance) one() *Act {
	c.after(time.Duration(c.Intn(600)) * time.Minute)
	operator, policy := c.who("operator", "operator-2"), c.who("policy", "policy-2")
	for _, m := range []struct {
		odds int
		make func(string) (Act, error)
		name string
	}{
		{5, c.capturing, operator}, {3, c.moving, operator}, {3, c.seeing, c.who("observer")}, {3, c.counting, policy},
		{8, c.holding, policy}, {3, c.lifting, policy}, {3, c.ruling, policy}, {3, c.again, operator}, {1, c.mangled, operator},
	} {
		if c.Intn(m.odds) > 0 {
			continue
		}
		a, err := m.make(m.name)
		if err != nil {
			return nil
		}
		return &a
	}
	return nil
}

func signing[P any](c *chance, name string, s evidence.Statement[P], err error) (Act, error) {
	if err != nil {
		return Act{}, err
	}
	a := act(c.world, name, s)
	c.payloads = append(c.payloads, a)
	return a, nil
}

func (c *chance) capturing(name string) (Act, error) {
	rings := []string{"pilot", "pilot", "pilot", "staging"}
	in := Capture{
		Environment: "production", Ring: rings[c.Intn(len(rings))], ChangeRecord: fmt.Sprintf("CHG-%d", c.Intn(4)),
		Status: []Status{StatusPlanned, StatusStaged}[c.Intn(2)],
	}
	if c.Intn(2) == 0 {
		in.Targets = []string{"linux-runner"}
	}
	p := packageOf(c.t, fmt.Sprintf("v1.%d.0", c.Intn(2)))
	if c.Intn(4) == 0 {
		p = rebuilt(c.t)
	}
	s, err := NewRollout(c.head(name), p, c.s, in)
	return signing(c, name, s, err)
}

// rollout is one of those that there are.
func (c *chance) rollout() (Progress, error) {
	ids := c.s.Rollouts()
	if len(ids) == 0 {
		return Progress{}, fmt.Errorf("no rollouts")
	}
	p, _ := c.s.Progress(ids[c.Intn(len(ids))])
	return p, nil
}

func (c *chance) moving(name string) (Act, error) {
	p, err := c.rollout()
	if err != nil {
		return Act{}, err
	}
	all := []Status{StatusPlanned, StatusStaged, StatusSucceeded, StatusSucceeded, StatusFailed, StatusRolledBack}
	if c.Intn(6) == 0 {
		p.Last, p.Status = p.Act, p.Rollout.Status // on an older status
	}
	s, err := NewStatusChange(c.head(name), p, all[c.Intn(len(all))], "")
	return signing(c, name, s, err)
}

func (c *chance) seeing(name string) (Act, error) {
	p, err := c.rollout()
	if err != nil {
		return Act{}, err
	}
	endpoints := c.inventory(p.Rollout.ID)
	for range c.Intn(3) {
		endpoints = slices.Delete(endpoints, 0, 1)
	}
	s, _, err := c.s.NewObservation(c.head(name), p, c.sighting(p.Rollout.Ring, endpoints))
	return signing(c, name, s, err)
}

func (c *chance) counting(name string) (Act, error) {
	rings := c.s.Policy().Rules.Rings
	s, _, err := c.s.NewPopulation(c.head(name), rings[c.Intn(len(rings))], hosts)
	return signing(c, name, s, err)
}

func (c *chance) holding(name string) (Act, error) {
	s, err := c.s.HoldTarget(c.head(name), "mac-laptop", "recall")
	return signing(c, name, s, err)
}

func (c *chance) lifting(name string) (Act, error) {
	holds := c.s.Holds()
	if len(holds) == 0 {
		return Act{}, fmt.Errorf("no holds")
	}
	s, err := c.s.Lift(c.head(name), holds[c.Intn(len(holds))], "over")
	return signing(c, name, s, err)
}

func (c *chance) ruling(name string) (Act, error) {
	r := DefaultRules()
	r.Rings[0].Coverage = []int{100, 50}[c.Intn(2)]
	s, err := NewPolicy(c.head(name), "age", c.s.Policy().Previous(), r)
	return signing(c, name, s, err)
}

// again is an act of before, at a new index.
func (c *chance) again(string) (Act, error) {
	if len(c.payloads) == 0 {
		return Act{}, fmt.Errorf("nothing was signed")
	}
	a := c.payloads[c.Intn(len(c.payloads))]
	a.Index, a.Recorded = int64(len(c.acts)), c.now
	return a, nil
}

// mangled is a statement with one byte changed, well signed.
func (c *chance) mangled(name string) (Act, error) {
	a, err := c.again(name)
	if err != nil {
		return a, err
	}
	payload := slices.Clone(a.Statement)
	payload[c.Intn(len(payload))] ^= byte(1 << c.Intn(7))
	return rawAct(c.world, name, a.PredicateType, payload), nil
}

// checkInvariants are what no sequence of acts may break.
func (c *chance) checkInvariants() {
	c.t.Helper()
	owners := map[string]evidence.Digest{}
	for _, id := range c.s.Rollouts() {
		p := c.progress(id)
		version := p.Rollout.Release.Version
		if m, taken := owners[version]; taken && m != p.Rollout.Manifest {
			c.t.Fatalf("version %s belongs to two packages", version)
		}
		owners[version] = p.Rollout.Manifest
		if p.Rollout.Ring != "pilot" {
			c.t.Fatalf("%s came into ring %s without a promotion", id, p.Rollout.Ring)
		}
		for i, e := range p.Events[1:] {
			if !slices.Contains(steps[p.Events[i].Status], e.Status) {
				c.t.Fatalf("%s went from %s to %s", id, p.Events[i].Status, e.Status)
			}
		}
		if p.Observed != nil && slices.Contains(p.Operators[:1], p.Observed.Person) {
			c.t.Fatalf("%s was observed by its operator %s", id, p.Observed.Person)
		}
		if p.Status == StatusSucceeded && p.Observed == nil {
			c.t.Fatalf("%s succeeded and nobody saw it", id)
		}
	}
	if n := len(c.s.Policy().Acts); !c.s.Policy().Default && n < 2 {
		c.t.Fatalf("%d persons brought a policy", n)
	}
}

// Random sequences of acts never reach an illegal state; illegal acts change
// nothing; one log has one state.
func TestRandomSequences(t *testing.T) {
	reached := map[string]int{}
	for seed := range int64(30) {
		c := &chance{world: newWorld(t), Rand: rand.New(rand.NewSource(seed))}
		for range 100 {
			if a := c.one(); a != nil {
				judged := c.s.Judge(*a)
				if r := c.try(*a); !reflect.DeepEqual(r, judged) {
					t.Fatalf("Judge said %v, Apply %v", judged, r)
				}
				c.checkInvariants()
			}
		}
		if again := c.replay(c.acts); !reflect.DeepEqual(again.core, c.s.core) || !reflect.DeepEqual(again.illegal, c.s.illegal) {
			t.Fatalf("seed %d: the same log has another state", seed)
		}
		var legal []Act
		for _, a := range c.acts {
			if c.s.judged[a.Digest] == nil {
				legal = append(legal, a)
			}
		}
		if without := c.replay(legal); !reflect.DeepEqual(without.core, c.s.core) || len(without.illegal) != 0 {
			t.Fatalf("seed %d: illegal acts changed the state", seed)
		}
		c.tally(reached)
	}
	for _, what := range []string{"legal", "illegal", "succeeded", "failed", "rolled_back", "staged", "observed", "policy", "held"} {
		if reached[what] == 0 {
			t.Errorf("no sequence reached %q: %v", what, slices.Sorted(maps.Keys(reached)))
		}
	}
}

// tally shows that the sequences reach what they are to test.
func (c *chance) tally(reached map[string]int) {
	for _, r := range c.s.judged {
		if r == nil {
			reached["legal"]++
		} else {
			reached["illegal"]++
		}
	}
	for _, id := range c.s.Rollouts() {
		p := c.progress(id)
		reached[string(p.Status)]++
		if p.Observed != nil {
			reached["observed"]++
		}
	}
	if !c.s.Policy().Default {
		reached["policy"]++
	}
	reached["held"] += len(c.s.Holds())
}
