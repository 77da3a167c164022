package gobuild

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/release"
)

// A unit is one binary before its recipe is written down.
type unit struct {
	dir      string // of the main package, below the module: "." or "cmd/age"
	binary   string
	platform release.Platform
	flags    []string // after the fixed ones
	env      []string // NAME=value, in place of or beside the fixed ones
	origin   string   // what chose it, for messages: "./cmd/age", ".goreleaser.yaml: builds[0]"
}

// fixedEnv is every build's environment as it is recorded, without the platform.
//
// GOPROXY is off in a list, which means the same to every lookup. Alone it would
// also let go name the commit after a pseudo-version that an earlier build left in
// the module cache, in place of the tag (cmd/go, modfetch.readDiskStat).
var fixedEnv = []string{
	"CGO_ENABLED=0", "GOENV=off", "GOEXPERIMENT=", "GOFLAGS=", "GOPROXY=off,off",
	"GOTOOLCHAIN=local", "GOWORK=off", "LC_ALL=C", "TZ=UTC",
}

// target writes the recipe of a unit.
func (u unit) target(mod *module, version string) release.Target {
	main := mainPath(u.dir)
	argv := append([]string{"go", "build", "-trimpath", "-buildvcs=true", "-mod=" + mod.mod()}, u.flags...)
	argv = append(argv, "-o", binaryPath(u.binary, version, u.platform), main)
	env := map[string]string{"GOOS": u.platform.OS, "GOARCH": u.platform.Arch}
	if s, ok := archSettings[u.platform.Arch]; ok {
		env[s.name] = s.level
	}
	for _, entry := range slices.Concat(fixedEnv, u.env) {
		name, value, _ := strings.Cut(entry, "=")
		env[name] = value
	}
	var recorded []string
	for name, value := range env {
		recorded = append(recorded, name+"="+value)
	}
	slices.Sort(recorded)
	return release.Target{Main: main, Binary: u.binary, Platform: u.platform, Argv: argv, Env: recorded}
}

// binaryPath is where a binary lies in the package.
func binaryPath(binary, version string, p release.Platform) string {
	name := "bin/" + binary + "_" + version + "_" + p.OS + "_" + p.Arch
	if p.OS == "windows" {
		name += ".exe"
	}
	return name
}

// targets writes the recipes in the plan's order and refuses two binaries that
// would have one name.
func targets(units []unit, mod *module, version string) ([]release.Target, error) {
	seen := map[string]unit{}
	var list []release.Target
	for _, u := range units {
		if err := checkName("binary name of "+u.origin, u.binary, "choose another name"); err != nil {
			return nil, err
		}
		// By letter case too: the package may be unpacked where it does not count.
		key := strings.ToLower(binaryPath(u.binary, version, u.platform))
		if other, twice := seen[key]; twice {
			return nil, sameName(u, other)
		}
		seen[key] = u
		list = append(list, u.target(mod, version))
	}
	slices.SortFunc(list, func(a, b release.Target) int {
		return cmp.Or(cmp.Compare(a.Binary, b.Binary), cmp.Compare(a.Platform.OS, b.Platform.OS),
			cmp.Compare(a.Platform.Arch, b.Platform.Arch))
	})
	return list, nil
}

func sameName(a, b unit) error {
	hint := "choose one with --main " + mainPath(a.dir)
	if a.origin != mainPath(a.dir) { // a configuration's
		hint = "give each its own binary name, or its own goos and goarch"
	}
	return usage(hint, "%s and %s both make the binary %s for %s", b.origin, a.origin, a.binary, a.platform)
}

// flagsOf are the flags of a recipe, without "go build" and without its output
// and package: targets with equal flags and environment build in one process.
func flagsOf(t release.Target) []string { return t.Argv[2 : len(t.Argv)-3] }

// flagValue reads a flag's value out of a recipe, "" without it.
func flagValue(t release.Target, name string) string {
	for _, flag := range flagsOf(t) {
		if value, ok := strings.CutPrefix(flag, name+"="); ok {
			return value
		}
	}
	return ""
}

// tagsOf are the build tags of a recipe.
func tagsOf(t release.Target) []string {
	if list := flagValue(t, "-tags"); list != "" {
		return strings.Split(list, ",")
	}
	return nil
}
