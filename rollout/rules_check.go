package rollout

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
)

// Limits of rules: a policy has to pass through an ssh-agent.
const (
	maxRings   = 50
	maxPersons = 1000
	maxPattern = 500 // bytes
)

// knownFormats are the predicate types, without their common prefix, that a policy
// can let count.
var knownFormats = []string{
	"approval-revocation/v1", "approval/v1", "denial/v1", "hold/v1", "lift/v1", "observation/v1", "population/v1",
	"promotion-execution/v1", "promotion-request/v1", "rollback-execution/v1", "rollback-request/v1", "rollout-status/v1", "rollout/v1",
}

// Check reports what is wrong with the rules: names, ranges, order, and lists that
// name what is not there. Whether a time zone exists is not asked here.
func (r Rules) Check() error {
	if len(r.Rings) == 0 || len(r.Rings) > maxRings {
		return fmt.Errorf("%d rings, expected 1 to %d", len(r.Rings), maxRings)
	}
	for i, ring := range r.Rings {
		if err := ring.check(); err != nil {
			return fmt.Errorf("ring %q: %w", ring.Name, err)
		}
		if r.ringIndex(ring.Name) != i {
			return fmt.Errorf("ring %q: its name stands twice", ring.Name)
		}
	}
	if err := checkPersons("breakglass", r.Breakglass); err != nil {
		return err
	}
	if _, err := r.changePattern(); err != nil {
		return err
	}
	if err := r.checkFormats(); err != nil {
		return err
	}
	if err := r.checkExceptions(); err != nil {
		return err
	}
	return r.checkRetention()
}

// maxDays is a hundred years.
const maxDays = 36_600

func (r Rules) checkRetention() error {
	known := []string{"*"}
	for _, k := range evidence.Kinds {
		known = append(known, string(k))
	}
	var kinds []string
	for _, x := range r.Retention {
		if !slices.Contains(known, x.Kind) {
			return errors.New("retention: " + unknown("kind", x.Kind, known))
		}
		if x.Days < 0 || x.Days > maxDays {
			return fmt.Errorf("retention: %s is kept for %d days, expected 0 to %d", x.Kind, x.Days, maxDays)
		}
		kinds = append(kinds, x.Kind)
	}
	if !increasing(kinds) {
		return errors.New("retention: kinds are not sorted, or one stands twice")
	}
	return nil
}

// changePattern compiles the pattern, anchored at both ends.
func (r Rules) changePattern() (*regexp.Regexp, error) {
	if r.ChangeRecordPattern == "" || len(r.ChangeRecordPattern) > maxPattern {
		return nil, fmt.Errorf("change record pattern of %d bytes, expected 1 to %d", len(r.ChangeRecordPattern), maxPattern)
	}
	if _, err := regexp.Compile(r.ChangeRecordPattern); err != nil {
		return nil, fmt.Errorf("change record pattern: %w", err)
	}
	return regexp.Compile(`\A(?:` + r.ChangeRecordPattern + `)\z`)
}

func (r Rules) checkFormats() error {
	if r.Formats == nil || !increasing(r.Formats) {
		return errors.New("formats are not sorted, or one stands twice")
	}
	for _, f := range r.Formats {
		if !slices.Contains(knownFormats, f) {
			return errors.New(unknown("format", f, knownFormats))
		}
	}
	return nil
}

func (r Rules) checkExceptions() error {
	if r.Exceptions == nil {
		return errors.New("exceptions are null, expected []")
	}
	for i, e := range r.Exceptions {
		if r.ringIndex(e.Ring) < 0 {
			return fmt.Errorf("exception %d: %s", i+1, unknown("ring", e.Ring, r.ringNames()))
		}
		if err := checkName("deployment target", e.Target, 100); err != nil {
			return fmt.Errorf("exception %d: %w", i+1, err)
		}
		if err := checkReason(e.Reason); err != nil {
			return fmt.Errorf("exception %d: %w", i+1, err)
		}
	}
	return nil
}

func (r Ring) check() error {
	if err := checkPlace(r.Environment, r.Name); err != nil {
		return err
	}
	if err := r.Soak.check("soak"); err != nil {
		return err
	}
	if err := r.Staleness.check("staleness"); err != nil {
		return err
	}
	switch {
	case r.Staleness.Length() == 0:
		return errors.New("staleness 0h would let no observation count")
	case r.Coverage < 0 || r.Coverage > 100:
		return fmt.Errorf("coverage %d, expected 0 to 100", r.Coverage)
	case r.Quorum < 0 || r.Quorum > maxPersons:
		return fmt.Errorf("quorum %d, expected 0 to %d", r.Quorum, maxPersons)
	case r.Rebuilds < 0 || r.Rebuilds > maxPersons:
		return fmt.Errorf("rebuilds %d, expected 0 to %d", r.Rebuilds, maxPersons)
	}
	if err := r.checkUses(); err != nil {
		return err
	}
	if err := r.checkGroups(); err != nil {
		return err
	}
	return r.Windows.check()
}

// keyUses in the order in which they are written.
var keyUses = []string{string(trust.UseFile), string(trust.UseAgent), string(trust.UseBrowser)}

func (r Ring) checkUses() error {
	last := -1
	for _, use := range r.Uses {
		i := slices.Index(keyUses, use)
		if i < 0 {
			return errors.New(unknown("key use", use, keyUses))
		}
		if i <= last {
			return fmt.Errorf("uses %s: expected each once, in the order %s", quoted(r.Uses), quoted(keyUses))
		}
		last = i
	}
	switch browser := slices.Contains(r.Uses, string(trust.UseBrowser)); {
	case len(r.Uses) == 0:
		return errors.New("no use of keys counts")
	case !browser && r.MaxBrowser != 0:
		return fmt.Errorf("max_browser %d, and browser keys do not count", r.MaxBrowser)
	case browser && (r.MaxBrowser < 1 || r.MaxBrowser > maxPersons):
		return fmt.Errorf("max_browser %d, expected 1 to %d where browser keys count", r.MaxBrowser, maxPersons)
	}
	return nil
}

// checkGroups also refuses groups that no quorum of this size could satisfy.
func (r Ring) checkGroups() error {
	if r.Groups == nil {
		return errors.New("groups are null, expected []")
	}
	var names []string
	for _, g := range r.Groups {
		if err := checkName("group", g.Name, maxRing); err != nil {
			return err
		}
		if slices.Contains(names, g.Name) {
			return fmt.Errorf("group %q stands twice", g.Name)
		}
		names = append(names, g.Name)
		if err := checkPersons("group "+g.Name, g.Persons); err != nil {
			return err
		}
		if g.Need < 1 || g.Need > len(g.Persons) {
			return fmt.Errorf("group %q needs %d of its %d persons, expected 1 to %d", g.Name, g.Need, len(g.Persons), len(g.Persons))
		}
	}
	if r.Quorum == 0 && len(r.Groups) > 0 {
		return fmt.Errorf("quorum 0, and groups %s must approve", strings.Join(names, ", "))
	}
	return nil
}

func checkPersons(what string, persons []string) error {
	if persons == nil || !increasing(persons) || len(persons) > maxPersons {
		return fmt.Errorf("%s: expected at most %d persons, sorted, each once", what, maxPersons)
	}
	for _, p := range persons {
		if !personForm.MatchString(p) {
			return fmt.Errorf("%s: %q is no id of a person: 2 to 64 of a-z 0-9 . _ -, beginning with a letter or digit", what, p)
		}
	}
	return nil
}
