package rollout

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
)

// Rules are what a policy says. The section policy of rollproof.yaml is their draft,
// in which whatever is left out has the value of [DefaultRules] and [DefaultRing].
type Rules struct {
	Rings []Ring `json:"rings" yaml:"rings"` // in the order in which a release passes them
	// Breakglass are the persons who may break glass, beside having that role.
	Breakglass []string `json:"breakglass" yaml:"breakglass"`
	// ChangeRecordPattern is an RE2 expression that a change record must match as a
	// whole.
	ChangeRecordPattern  string `json:"changeRecordPattern" yaml:"change_record_pattern"`
	ChangeRecordRequired bool   `json:"changeRecordRequired" yaml:"change_record_required"`
	// Formats are the predicate types that count for new acts, without the common
	// prefix: "rollout/v1". A policy is always read.
	Formats []string `json:"formats" yaml:"formats"`
	// Pseudonyms asks that observers name endpoints by HMAC-SHA-256.
	Pseudonyms bool        `json:"pseudonyms" yaml:"pseudonyms"`
	Exceptions []Exception `json:"exceptions" yaml:"exceptions"`
	// Retention says from when on records may be erased. A kind that it does not name
	// is kept for ever.
	Retention []Retention `json:"retention,omitempty" yaml:"retention"` // by kind
}

// A Retention keeps records of a kind for a number of days from when they were
// recorded. The kind "*" stands for every kind that is not named.
type Retention struct {
	Kind string `json:"kind" yaml:"kind"`
	Days int    `json:"days" yaml:"days"`
}

// keep returns for how many days a kind is kept; named is false where the rules do not
// say.
func (r Rules) keep(kind evidence.Kind) (days int, named bool) {
	for _, want := range []string{string(kind), "*"} {
		for _, x := range r.Retention {
			if x.Kind == want {
				return x.Days, true
			}
		}
	}
	return 0, false
}

// A Ring is an ordered stage of one environment. Its name stands once in the rules.
type Ring struct {
	Name        string `json:"name" yaml:"name"`
	Environment string `json:"environment" yaml:"environment"`
	// Soak is how long a rollout stays succeeded here before the next ring.
	Soak Duration `json:"soak" yaml:"soak"`
	// Coverage is the percentage of each target's population that must be seen with
	// the rollout's binary before the rollout has succeeded.
	Coverage int `json:"coverage" yaml:"coverage"`
	// Staleness is how old the word of an endpoint may be.
	Staleness Duration `json:"staleness" yaml:"staleness"`
	// Quorum is how many persons must approve a promotion into this ring. 0 means
	// that nobody needs to, which every answer calls unattended.
	Quorum int     `json:"quorum" yaml:"quorum"`
	Groups []Group `json:"groups" yaml:"groups"`
	// Uses are the uses of approvers' keys that count, of file, agent and browser.
	Uses []string `json:"uses" yaml:"uses"`
	// MaxBrowser is how many approvals by browser keys count at most.
	MaxBrowser int     `json:"maxBrowser" yaml:"max_browser"`
	Windows    Windows `json:"windows" yaml:"windows"`
	// Rebuilds is how many other persons than the releaser must have rebuilt the
	// release before it leaves this ring.
	Rebuilds int `json:"rebuilds" yaml:"rebuilds"`
	// WitnessedTime asks that promotions into this ring stand on witnessed time.
	WitnessedTime bool `json:"witnessedTime" yaml:"witnessed_time"`
}

// A Group is a set of approvers of whom some must approve.
type Group struct {
	Name    string   `json:"name" yaml:"name"`
	Persons []string `json:"persons" yaml:"persons"` // sorted
	Need    int      `json:"need" yaml:"need"`
}

// An Exception lets a target into a ring that has not succeeded in the ring before.
type Exception struct {
	Ring   string `json:"ring" yaml:"ring"`
	Target string `json:"target" yaml:"target"`
	Reason string `json:"reason" yaml:"reason"`
}

// A Duration is a whole number without leading zeros and one of the units m, h and d
// (24 hours); none is "0h". "24h" and "1d" last as long and are different texts.
type Duration string

var durationForm = regexp.MustCompile(`^(0h|[1-9][0-9]{0,4}[mhd])$`)

// Length returns how long d is, 0 for what is no duration.
func (d Duration) Length() time.Duration {
	if !durationForm.MatchString(string(d)) {
		return 0
	}
	n, err := strconv.Atoi(string(d[:len(d)-1]))
	if err != nil {
		return 0
	}
	unit := map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[d[len(d)-1]]
	return time.Duration(n) * unit
}

func (d Duration) check(what string) error {
	if !durationForm.MatchString(string(d)) {
		return fmt.Errorf("%s %q: expected a whole number and m, h or d, such as 24h", what, string(d))
	}
	if d.Length() > 3660*24*time.Hour {
		return fmt.Errorf("%s %q: expected at most 3660d", what, string(d))
	}
	return nil
}

// DefaultRing is what a ring has that does not say otherwise. It has no name.
func DefaultRing() Ring {
	return Ring{
		Environment: "production", Soak: "24h", Coverage: 100, Staleness: "24h", Quorum: 2,
		Groups: []Group{}, Uses: []string{"file", "agent"}, Windows: Windows{[]Window{}, []Window{}, []Freeze{}},
	}
}

// DefaultRules are the rules of a log without a policy.
func DefaultRules() Rules {
	r := Rules{
		Breakglass: []string{}, ChangeRecordPattern: `[A-Za-z0-9][A-Za-z0-9._+-]*`, ChangeRecordRequired: true,
		Formats: []string{}, Exceptions: []Exception{},
	}
	for _, name := range []string{"pilot", "staging", "production"} {
		ring := DefaultRing()
		ring.Name = name
		r.Rings = append(r.Rings, ring)
	}
	r.Formats = slices.Clone(knownFormats)
	return r
}

// UnmarshalYAML gives what a draft leaves out its strict default: an absent quorum
// is not 0.
func (r *Rules) UnmarshalYAML(unmarshal func(any) error) error {
	type plain Rules
	p := plain(DefaultRules())
	if err := unmarshal(&p); err != nil {
		return err
	}
	*r = Rules(p)
	return nil
}

// UnmarshalYAML gives what a draft leaves out its strict default.
func (r *Ring) UnmarshalYAML(unmarshal func(any) error) error {
	type plain Ring
	p := plain(DefaultRing())
	if err := unmarshal(&p); err != nil {
		return err
	}
	*r = Ring(p)
	return nil
}

// Encode returns the exact encoding of the rules, which is what a policy's subjects
// name.
func (r Rules) Encode() ([]byte, error) { return envelope.Encode(r) }

// Digest returns the sha256 of the exact encoding: the identity of the rules.
func (r Rules) Digest() evidence.Digest {
	data, err := r.Encode()
	if err != nil {
		return evidence.Digest{} // strings and numbers always encode
	}
	return evidence.DigestOf(data)
}

// Ring returns a ring by name.
func (r Rules) Ring(name string) (Ring, bool) {
	i := r.ringIndex(name)
	if i < 0 {
		return Ring{}, false
	}
	return r.Rings[i], true
}

func (r Rules) ringIndex(name string) int {
	return slices.IndexFunc(r.Rings, func(x Ring) bool { return x.Name == name })
}

func (r Rules) ringNames() []string {
	var names []string
	for _, x := range r.Rings {
		names = append(names, x.Name)
	}
	return names
}
