package upgrade

import (
	"fmt"
	"maps"
	"slices"

	"github.com/rollproof/rollproof/evidence/envelope"
)

// A Severity is what a finding does to the result.
type Severity string

// The severities. Off leaves findings out and is for rules alone.
const (
	Fail Severity = "fail"
	Warn Severity = "warn"
	Info Severity = "info"
	Off  Severity = "off"
)

var severities = []Severity{Fail, Warn, Info, Off}

// A Rule is one kind of finding.
type Rule struct {
	ID      string   `json:"id"`
	Default Severity `json:"default"`
	Title   string   `json:"title"` // what a finding of this kind means
}

// RuleList returns every rule, in the order in which findings of one severity are
// listed.
func RuleList() []Rule { return slices.Clone(ruleList) }

var ruleList = []Rule{
	{"project-changed", Fail, "another project"},
	{"module-changed", Fail, "another module"},
	{"dry-run", Fail, "the new package is a dry run"},
	{"version-same", Fail, "the version is the same"},
	{"version-older", Fail, "the version goes back"},
	{"version-unordered", Warn, "the versions have no order"},
	{"version-prerelease", Warn, "from a release to a pre-release"},
	{"version-major", Info, "another major version"},
	{"commit-same", Warn, "the commit is the same"},
	{"commit-older", Warn, "the commit is older"},
	{"source-changed", Warn, "the source moved"},
	{"platform-dropped", Fail, "a platform is dropped"},
	{"binary-dropped", Fail, "a binary is dropped"},
	{"platform-added", Info, "a platform is added"},
	{"binary-added", Info, "a binary is added"},
	{"control-dropped", Fail, "a document or check is dropped"},
	{"control-added", Info, "a document or check is added"},
	{"signers-fewer", Fail, "fewer releasers signed"},
	{"signers-changed", Warn, "others signed"},
	{"hazard-added", Warn, "a hazard is added"},
	{"hazard-gone", Info, "a hazard is gone"},
	{"target-lost", Fail, "a deployment target is lost"},
	{"target-added", Info, "a deployment target is added"},
	{"target-evidence", Fail, "a deployment target demands less evidence"},
	{"target-path", Warn, "a deployment target installs elsewhere"},
	{"target-changed", Warn, "a deployment target is changed"},
	{"install-path", Warn, "a binary is installed elsewhere"},
	{"toolchain-older", Fail, "the Go version goes back"},
	{"toolchain-changed", Info, "another Go version"},
	{"main-changed", Warn, "another main package"},
	{"setting-changed", Warn, "a build setting is changed"},
	{"dependency-content", Fail, "one version of a dependency with other content"},
	{"dependency-downgraded", Fail, "a dependency goes back"},
	{"dependency-replaced", Warn, "a dependency is replaced"},
	{"dependency-added", Warn, "a dependency is added"},
	{"dependency-changed", Warn, "a dependency is changed, and has no order"},
	{"dependency-removed", Info, "a dependency is removed"},
	{"dependency-upgraded", Info, "a dependency is upgraded"},
	{"license-release", Fail, "the release has another licence"},
	{"license-dependency", Warn, "a dependency has another licence"},
	{"license-new", Warn, "a licence that the old release did not hold"},
	{"size-jump", Warn, "a binary is much larger or smaller"},
	{"size-changed", Info, "a binary has another size"},
}

// titles and defaults are ruleList by id.
var titles, defaults = indexRules()

func indexRules() (map[string]string, map[string]Severity) {
	t, d := map[string]string{}, map[string]Severity{}
	for _, r := range ruleList {
		t[r.ID], d[r.ID] = r.Title, r.Default
	}
	return t, d
}

// Rules are severities by id that differ from the defaults: the section "upgrade" of
// rollproof.yaml. The zero value is the defaults.
type Rules map[string]Severity

// A RuleError says what is wrong with a rule.
type RuleError struct {
	Problem string
	Nearest string // the nearest known name, "" when none is near
}

func (e *RuleError) Error() string { return "upgrade: " + e.Problem }

// Check refuses ids and severities that are not known. The error is a [*RuleError].
func (r Rules) Check() error {
	for _, id := range slices.Sorted(maps.Keys(r)) {
		if _, known := defaults[id]; !known {
			return &RuleError{fmt.Sprintf("unknown rule %q", id), envelope.Nearest(id, slices.Collect(maps.Keys(defaults)))}
		}
		if !slices.Contains(severities, r[id]) {
			return &RuleError{fmt.Sprintf("rule %s is %q, expected fail, warn, info or off", id, r[id]), envelope.Nearest(string(r[id]), []string{"fail", "warn", "info", "off"})}
		}
	}
	return nil
}

func (r Rules) severity(id string) Severity {
	if s, ok := r[id]; ok {
		return s
	}
	return defaults[id]
}

// A ChangedRule is a rule that differs from its default.
type ChangedRule struct {
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	Default  Severity `json:"default"`
}

// changed lists the rules that differ from their defaults, in the order of RuleList.
func (r Rules) changed() []ChangedRule {
	list := []ChangedRule{}
	for _, rule := range ruleList {
		if s := r.severity(rule.ID); s != rule.Default {
			list = append(list, ChangedRule{rule.ID, s, rule.Default})
		}
	}
	return list
}
