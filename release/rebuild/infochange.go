package rebuild

import (
	"debug/buildinfo"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
)

// Names of what build info says beside its settings.
const (
	infoToolchain   = "toolchain"
	infoVersion     = "main module version"
	infoMissing     = "build info"
	infoDependency  = "dependency "
	infoVCSModified = "vcs.modified"
)

// readInfo reads build info of a binary, which may be hostile, as names and values.
func readInfo(file image) (facts map[string]string) {
	defer func() {
		if recover() != nil {
			facts = map[string]string{infoMissing: "unreadable"}
		}
	}()
	info, err := buildinfo.Read(file)
	if err != nil {
		return map[string]string{infoMissing: err.Error()}
	}
	facts = map[string]string{infoToolchain: info.GoVersion, "main package": info.Path, "main module": info.Main.Path, infoVersion: info.Main.Version}
	for _, s := range info.Settings {
		facts[s.Key] = s.Value
	}
	for _, dep := range info.Deps {
		facts[infoDependency+dep.Path] = describeModule(dep)
	}
	return facts
}

// describeModule is version and go.sum hash, of the replacement where there is one.
func describeModule(m *debug.Module) string {
	if m.Replace != nil {
		return "=> " + m.Replace.Path + " " + describeModule(m.Replace)
	}
	return strings.TrimSpace(m.Version + " " + m.Sum)
}

// infoChanges lists what build info of both binaries says differently, by name.
func infoChanges(theirs, ours image) []Change {
	t, o := readInfo(theirs), readInfo(ours)
	names := slices.Concat(slices.Collect(maps.Keys(t)), slices.Collect(maps.Keys(o)))
	slices.Sort(names)
	changes := []Change{}
	for _, name := range slices.Compact(names) {
		if t[name] != o[name] && len(changes) < maxNames {
			changes = append(changes, Change{printable(name), printable(t[name]), printable(o[name])})
		}
	}
	return changes
}

// judgeBuildInfo guesses from what build info says differently; "" where it says the
// same.
func judgeBuildInfo(changes []Change) (Cause, string) {
	for _, rule := range []struct {
		cause Cause
		fits  func(Change) bool
		fact  string
	}{
		{CauseBuildInfo, func(c Change) bool { return c.Name == infoMissing }, "the package's binary has no build info that can be read"},
		{CauseToolchain, func(c Change) bool { return c.Name == infoToolchain }, "the binary was built with another Go"},
		{CauseDirtyTree, isDirty, "the binary was built from changed files"},
		{CauseMissingTag, func(c Change) bool { return c.Name == infoVersion }, "the binary was built where the tag was missing or another one"},
		{CauseVendor, isVendor, "the dependencies come from a vendor directory on one side alone"},
		{CauseModules, func(c Change) bool { return strings.HasPrefix(c.Name, infoDependency) }, "the binary was linked from other modules"},
		{CauseSource, func(c Change) bool { return strings.HasPrefix(c.Name, "vcs") || strings.HasPrefix(c.Name, "main ") }, "the binary names another source"},
		{CauseSettings, func(Change) bool { return true }, "the binary was built with other settings"},
	} {
		if i := slices.IndexFunc(changes, rule.fits); i >= 0 {
			c := changes[i]
			return rule.cause, limit(fmt.Sprintf("%s: %s is %s, rebuilt %s", rule.fact, c.Name, shown(c.Package), shown(c.Rebuild)), 2*maxText)
		}
	}
	return "", ""
}

func shown(value string) string {
	if value == "" {
		return "missing"
	}
	return value
}

func isDirty(c Change) bool {
	return c.Name == infoVCSModified || c.Name == infoVersion && strings.HasSuffix(c.Package, "+dirty")
}

// isVendor: go writes no hash of a module that it takes from a vendor directory.
func isVendor(c Change) bool {
	return strings.HasPrefix(c.Name, infoDependency) && strings.Contains(c.Package, "h1:") != strings.Contains(c.Rebuild, "h1:") &&
		c.Package != "" && c.Rebuild != ""
}
