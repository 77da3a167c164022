package osv

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/semver"
)

// A ruling is what one entry says of one version.
type ruling struct {
	affected  bool
	undecided string   // why it can't be decided, "" when it can
	fixedIn   []string // the next version that each range calls fixed
}

// canonical returns a version as package semver has it: entries write versions
// without "v", and some with it.
func canonical(version string) string {
	return "v" + strings.TrimPrefix(version, "v")
}

// goVersionPattern takes a version of Go apart. Behind a space or a hyphen stands what
// a distribution adds.
var goVersionPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^go([0-9]+)\.([0-9]+)(?:\.([0-9]+))?(?:(rc|beta)([0-9]+))?(?:-[!-~]*)?(?: .*)?$`)
})

// goVersion returns the semantic version of a Go release such as "go1.26.8" or
// "go1.27rc1", "" for what is none.
func goVersion(release string) string {
	m := goVersionPattern().FindStringSubmatch(release)
	if m == nil {
		return ""
	}
	patch := m[3]
	if patch == "" {
		patch = "0"
	}
	v := "v" + m[1] + "." + m[2] + "." + patch
	if m[4] != "" {
		v += "-" + m[4] + "." + m[5]
	}
	if !semver.IsValid(v) {
		return ""
	}
	return v
}

// rule says whether version, as package semver has it, is affected.
func (a *affected) rule(version string) ruling {
	if !semver.IsValid(version) {
		return ruling{undecided: fmt.Sprintf("the linked code has no version that could be compared: %.100q", version)}
	}
	for _, v := range a.Versions {
		if c := canonical(v); semver.IsValid(c) && semver.Compare(c, version) == 0 {
			r, _ := a.rangesRule(version)
			return ruling{affected: true, fixedIn: r.fixedIn}
		}
	}
	r, ordered := a.rangesRule(version)
	switch {
	case r.affected || r.undecided != "":
		return r
	case !ordered && len(a.Ranges) > 0:
		return ruling{undecided: "its ranges are of commits alone, which can't be compared with a version"}
	case !ordered && len(a.Versions) == 0:
		return ruling{affected: true} // neither ranges nor versions: all of them
	}
	return r
}

// rangesRule evaluates the ranges of versions, and reports whether there are any.
func (a *affected) rangesRule(version string) (result ruling, ordered bool) {
	for _, r := range a.Ranges {
		if r.Type != "SEMVER" && r.Type != "ECOSYSTEM" {
			continue
		}
		ordered = true
		affected, fixed, err := r.contains(version)
		if err != nil {
			result.undecided = err.Error()
			continue
		}
		if affected {
			result.affected = true
			if fixed != "" && !slices.Contains(result.fixedIn, fixed) {
				result.fixedIn = append(result.fixedIn, fixed)
			}
		}
	}
	if result.affected {
		result.undecided = ""
	}
	return result, ordered
}

// A point is an event with the place of its version in the order.
type point struct {
	kind    string // "introduced", "fixed", "last_affected"
	version string // "" before all others
}

// contains evaluates one range (OSV schema, section "evaluation"). fixed is the next
// version that is called fixed, "" for none.
func (r versionRange) contains(version string) (affected bool, fixed string, err error) {
	points, limits, err := r.points()
	if err != nil {
		return false, "", err
	}
	if len(limits) > 0 && !slices.ContainsFunc(limits, func(l string) bool { return l == "*" || semver.Compare(version, l) < 0 }) {
		return false, "", nil
	}
	for _, p := range points {
		order := 1
		if p.version != "" {
			order = semver.Compare(version, p.version)
		}
		switch {
		case p.kind == "introduced" && order >= 0:
			affected = true
		case p.kind == "fixed" && order >= 0, p.kind == "last_affected" && order > 0:
			affected = false
		case p.kind == "fixed" && fixed == "":
			fixed = p.version
		}
	}
	return affected, fixed, nil
}

// points returns the events in the order of versions, and the limits. At one version
// what introduces comes last, so that contradictions count as affected.
func (r versionRange) points() (points []point, limits []string, err error) {
	for _, e := range r.Events {
		fields := map[string]string{"introduced": e.Introduced, "fixed": e.Fixed, "last_affected": e.LastAffected, "limit": e.Limit}
		var kinds []string
		for kind, v := range fields {
			if v != "" {
				kinds = append(kinds, kind)
			}
		}
		if len(kinds) != 1 {
			return nil, nil, fmt.Errorf("an event with %d of introduced, fixed, last_affected and limit, expected one", len(kinds))
		}
		kind, v := kinds[0], canonical(fields[kinds[0]])
		switch {
		case kind == "introduced" && e.Introduced == "0":
			v = ""
		case kind == "limit" && e.Limit == "*":
			v = "*"
		case !semver.IsValid(v):
			return nil, nil, fmt.Errorf("%s is %.100q, expected a semantic version", kind, fields[kind])
		}
		if kind == "limit" {
			limits = append(limits, v)
			continue
		}
		points = append(points, point{kind, v})
	}
	if !slices.ContainsFunc(points, func(p point) bool { return p.kind == "introduced" }) {
		return nil, nil, fmt.Errorf("a range of %d events that introduces nothing", len(r.Events))
	}
	slices.SortStableFunc(points, comparePoints)
	return points, limits, nil
}

func comparePoints(a, b point) int {
	switch {
	case a.version == "" || b.version == "":
		return len(a.version) - len(b.version)
	case semver.Compare(a.version, b.version) != 0:
		return semver.Compare(a.version, b.version)
	}
	rank := map[string]int{"fixed": 0, "last_affected": 1, "introduced": 2}
	return rank[a.kind] - rank[b.kind]
}
