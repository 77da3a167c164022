package upgrade

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"go/version"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// A comparison is one run of Compare.
type comparison struct {
	old, now Facts
	rules    Rules
	report   Report
	index    map[string]int // of findings by what they say
	common   []pair
}

// A pair is a binary that both releases have.
type pair struct{ old, now Binary }

// Compare says what the upgrade from old to now changes. The error is a [*RuleError].
func Compare(old, now Facts, rules Rules) (*Report, error) {
	if err := rules.Check(); err != nil {
		return nil, err
	}
	c := &comparison{old: old, now: now, rules: rules, index: map[string]int{}}
	c.report = Report{
		Schema: ReportSchema, Old: newSide(old), New: newSide(now),
		Rules: rules.changed(), Sizes: []Size{}, Findings: []Finding{},
	}
	c.pairBinaries()
	for _, step := range []func(){
		c.compareIdentity, c.compareVersions, c.compareSource, c.compareBinaries, c.compareToolchain,
		c.compareControls, c.compareTargets, c.compareLicenses,
	} {
		step()
	}
	for _, p := range c.common {
		c.compareBinary(p)
		c.compareModules(p)
	}
	c.conclude()
	return &c.report, nil
}

func (c *comparison) pairBinaries() {
	before := map[string]Binary{}
	for _, b := range c.old.Binaries {
		before[b.Key()] = b
	}
	for _, b := range c.now.Binaries {
		if old, both := before[b.Key()]; both {
			c.common = append(c.common, pair{old, b})
		}
	}
}

func (c *comparison) compareIdentity() {
	a, b := c.old.Release, c.now.Release
	if a.Project != b.Project {
		c.add("project-changed", "project", a.Project, b.Project, "", fmt.Sprintf("The packages are of two projects, %s and %s.", a.Project, b.Project))
	}
	if a.Module != b.Module && unversioned(a.Module) != unversioned(b.Module) {
		c.add("module-changed", "module", a.Module, b.Module, "", fmt.Sprintf("The module %s became %s.", a.Module, b.Module))
	}
	if c.now.DryRun {
		c.add("dry-run", "release", "", "dry run", "", "The new package is a dry run, which nobody signed.")
	}
}

// unversioned returns a module path without its major version.
func unversioned(path string) string {
	prefix, _, ok := module.SplitPathVersion(path)
	if !ok {
		return path
	}
	return prefix
}

// canonical returns a tag as package semver has it.
func canonical(tag string) string {
	if !strings.HasPrefix(tag, "v") {
		tag = "v" + tag
	}
	return tag
}

func (c *comparison) compareVersions() {
	old, now := c.old.Release.Version, c.now.Release.Version
	a, b := canonical(old), canonical(now)
	switch {
	case old == now:
		c.add("version-same", "version", old, now, "", c.sameVersion())
		return
	case !semver.IsValid(a) || !semver.IsValid(b):
		c.add("version-unordered", "version", old, now, "", fmt.Sprintf("%s and %s are not both semantic versions: which is newer is not known.", old, now))
		return
	}
	switch order := semver.Compare(a, b); {
	case order > 0:
		c.add("version-older", "version", old, now, "", fmt.Sprintf("The version goes back from %s to %s.", old, now))
	case order == 0:
		c.add("version-same", "version", old, now, "", fmt.Sprintf("%s and %s are one version: build metadata has no order.", old, now))
	}
	if semver.Prerelease(a) == "" && semver.Prerelease(b) != "" {
		c.add("version-prerelease", "version", old, now, "", fmt.Sprintf("%s is a pre-release, and %s is a release.", now, old))
	}
	if semver.Major(a) != semver.Major(b) {
		c.add("version-major", "version", old, now, "", fmt.Sprintf("The major version changes from %s to %s: incompatible changes are to be expected.", semver.Major(a), semver.Major(b)))
	}
}

func (c *comparison) sameVersion() string {
	if c.old.ManifestDigest == c.now.ManifestDigest {
		return "Both are the same package."
	}
	return fmt.Sprintf("Both packages are version %s, and they differ: one version should be one package.", c.now.Release.Version)
}

func (c *comparison) compareSource() {
	a, b := c.old.Release.Source, c.now.Release.Source
	if a.GitCommit == b.GitCommit {
		c.add("commit-same", "commit", a.GitCommit, b.GitCommit, "", "Both releases are made from the same commit.")
	}
	before, errOld := time.Parse(time.RFC3339, a.CommitTime)
	after, errNew := time.Parse(time.RFC3339, b.CommitTime)
	if errOld == nil && errNew == nil && after.Before(before) {
		c.add("commit-older", "commit", a.CommitTime, b.CommitTime, "", fmt.Sprintf("The new release's commit claims to be of %s, before the old one's %s.", b.CommitTime, a.CommitTime))
	}
	if a.URI != b.URI || a.Directory != b.Directory {
		c.add("source-changed", "source", place(a.URI, a.Directory), place(b.URI, b.Directory), "", fmt.Sprintf("The source moved from %s to %s.", place(a.URI, a.Directory), place(b.URI, b.Directory)))
	}
}

func place(uri, directory string) string {
	if directory == "" {
		return uri
	}
	return uri + " directory " + directory
}

func (c *comparison) compareToolchain() {
	a, b := c.old.Toolchain, c.now.Toolchain
	switch {
	case a == b:
	case version.IsValid(a) && version.IsValid(b) && version.Compare(a, b) > 0:
		c.add("toolchain-older", "toolchain", a, b, "", fmt.Sprintf("The Go version goes back from %s to %s.", a, b))
	default:
		c.add("toolchain-changed", "toolchain", a, b, "", fmt.Sprintf("The Go version changes from %s to %s.", a, b))
	}
}

// sizeJump is the change in percent, up or down, from which on it is a jump.
const sizeJump = 25

// compareBinary compares size, main package, install path and settings.
func (c *comparison) compareBinary(p pair) {
	key := p.now.Key()
	percent := math.Round(float64(p.now.Size-p.old.Size)/float64(max(p.old.Size, 1))*1000) / 10
	c.report.Sizes = append(c.report.Sizes, Size{key, p.old.Size, p.now.Size, percent})
	if p.old.Size != p.now.Size {
		id := "size-changed"
		if math.Abs(percent) >= sizeJump {
			id = "size-jump"
		}
		c.add(id, key, fmt.Sprint(p.old.Size), fmt.Sprint(p.now.Size), "", fmt.Sprintf("%s changes by %+d bytes (%+.1f %%).", key, p.now.Size-p.old.Size, percent))
	}
	a, b := strings.TrimPrefix(p.old.Main, c.old.Release.Module), strings.TrimPrefix(p.now.Main, c.now.Release.Module)
	if a != b {
		c.add("main-changed", p.now.Name, p.old.Main, p.now.Main, key, fmt.Sprintf("%s is built from %s, before from %s.", p.now.Name, p.now.Main, p.old.Main))
	}
	if p.old.InstallPath != p.now.InstallPath {
		c.add("install-path", p.now.Name, p.old.InstallPath, p.now.InstallPath, key, fmt.Sprintf("%s is installed to %s, before to %s: the old file stays unless somebody removes it.", p.now.Name, p.now.InstallPath, p.old.InstallPath))
	}
	for _, name := range unionKeys(p.old.Settings, p.now.Settings) {
		before, after := p.old.Settings[name], p.now.Settings[name]
		if c.old.neutral(before) != c.now.neutral(after) {
			c.add("setting-changed", name, before, after, key, fmt.Sprintf("The build setting %s changes from %s to %s.", name, quoted(before), quoted(after)))
		}
	}
}

// neutral takes the release's own version, commit and commit time out of a setting.
func (f Facts) neutral(setting string) string {
	s := f.Release.Source
	for _, own := range []string{s.GitCommit, s.CommitTime, f.Release.Version, strings.TrimPrefix(f.Release.Version, "v")} {
		if own != "" {
			setting = strings.ReplaceAll(setting, own, "\x00")
		}
	}
	return setting
}

func quoted(setting string) string {
	if setting == "" {
		return "nothing"
	}
	return fmt.Sprintf("%q", setting)
}

func unionKeys[V any](a, b map[string]V) []string {
	var keys []string
	for _, m := range []map[string]V{a, b} {
		for k := range m {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
