package upgrade

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// compareModules compares the dependencies of one binary.
func (c *comparison) compareModules(p pair) {
	before, after := modulesByPath(p.old.Modules), modulesByPath(p.now.Modules)
	key := p.now.Key()
	for _, path := range unionKeys(before, after) {
		old, had := before[path]
		now, has := after[path]
		switch {
		case !has:
			c.add("dependency-removed", path, old.code(), "", key, fmt.Sprintf("%s %s is no longer linked.", path, old.code()))
		case !had:
			c.addedModule(now, key)
		default:
			c.compareModule(old, now, key)
		}
	}
}

func modulesByPath(modules []Module) map[string]Module {
	byPath := map[string]Module{}
	for _, m := range modules {
		byPath[m.Path] = m
	}
	return byPath
}

func (c *comparison) addedModule(m Module, binary string) {
	c.add("dependency-added", m.Path, "", m.code(), binary, fmt.Sprintf("%s %s is new, licence %s.", m.Path, m.code(), license(m.License)))
	if m.Replacement != "" {
		c.add("dependency-replaced", m.Path, "", m.code(), binary, fmt.Sprintf("%s is replaced by %s.", m.Path, strings.TrimPrefix(m.code(), "=> ")))
	}
}

// compareModule compares a dependency that both binaries have.
func (c *comparison) compareModule(old, now Module, binary string) {
	path := now.Path
	if a, b := license(old.License), license(now.License); a != b {
		c.add("license-dependency", path, a, b, binary, fmt.Sprintf("The licence of %s changes from %s to %s.", path, a, b))
	}
	if old.Replacement != now.Replacement {
		c.add("dependency-replaced", path, old.code(), now.code(), binary, fmt.Sprintf("%s is %s, before %s.", path, origin(now), origin(old)))
	}
	switch a, b := old.Version, now.Version; {
	case a == b && old.Replacement == now.Replacement && old.Sum != now.Sum:
		c.add("dependency-content", path, old.Sum, now.Sum, binary, fmt.Sprintf("%s %s has other content under the same version.", path, now.code()))
	case a == b:
	case !semver.IsValid(a) || !semver.IsValid(b) || semver.Compare(a, b) == 0:
		c.add("dependency-changed", path, a, b, binary, fmt.Sprintf("%s changes from %s to %s, which have no order.", path, a, b))
	case semver.Compare(a, b) < 0:
		c.add("dependency-upgraded", path, a, b, binary, fmt.Sprintf("%s goes from %s to %s.", path, a, b))
	default:
		c.add("dependency-downgraded", path, a, b, binary, fmt.Sprintf("%s goes back from %s to %s.", path, a, b))
	}
}

// origin says where a module's code is from.
func origin(m Module) string {
	if m.Replacement == "" {
		return "itself, " + m.Version
	}
	return "replaced by " + strings.TrimSpace(m.Replacement+" "+m.Version)
}

// license is what is written for a licence expression.
func license(expression string) string {
	if expression == "" {
		return "unknown"
	}
	return expression
}

// compareLicenses compares the release's licence, and names each licence that no part
// of the old release had. Modules of binaries that the old release did not have are
// looked at here alone.
func (c *comparison) compareLicenses() {
	if a, b := license(c.old.License), license(c.now.License); a != b {
		c.add("license-release", "licence", a, b, "", fmt.Sprintf("The licence of the release changes from %s to %s.", a, b))
	}
	known, paths := map[string]bool{license(c.old.License): true, license(c.now.License): true}, map[string]bool{}
	for _, b := range c.old.Binaries {
		for _, m := range b.Modules {
			known[license(m.License)], paths[m.Path] = true, true
		}
	}
	brings := map[string][]string{}
	for _, b := range c.now.Binaries {
		paired := slices.ContainsFunc(c.common, func(p pair) bool { return p.now.Key() == b.Key() })
		for _, m := range b.Modules {
			if l := license(m.License); !known[l] && !slices.Contains(brings[l], m.Path) {
				brings[l] = append(brings[l], m.Path)
			}
			if !paired && !paths[m.Path] {
				c.addedModule(m, b.Key())
			}
		}
	}
	for _, l := range unionKeys(brings, nil) {
		slices.Sort(brings[l])
		c.add("license-new", l, "", l, "", fmt.Sprintf("No part of the old release is under %s; now %s is.", l, strings.Join(brings[l], ", ")))
	}
}
