package gobuild

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/provenance"
	gomodule "golang.org/x/mod/module"
)

// recordedHint goes with every refusal of a recorded recipe: who made the package
// must answer, not who looks at it.
const recordedHint = "no release of rollproof writes such a recipe: ask who signed the package"

// platformWord is what a GOOS or GOARCH looks like.
var platformWord = regexp.MustCompile(`^[a-z0-9]{1,20}$`)

// ParseRecipe turns a recorded recipe of build type go-package v1 back into the
// target that was planned. Nothing that is recorded is trusted, a good signature
// over it included: flags and variables are read by the rules for configurations,
// the recipe of what was understood is written again, and both must agree word for
// word. So what comes back is a target that [Builder.Plan] can make, in this
// package's own words.
//
// module is the path of the module that is built, binary what the manifest says of
// the file. Errors are [*Error] of KindTampered and name the flag or variable.
func ParseRecipe(module, version string, binary release.Binary, recipe provenance.Recipe) (release.Target, error) {
	u, mod, r := readRecipe(module, version, binary, recipe)
	if r != nil {
		return release.Target{}, refusedRecipe(recipe, r)
	}
	t := u.target(mod, version)
	if r := cmp.Or(firstChange("argument", recipe.Argv, t.Argv), firstChange("variable", recipe.Env, t.Env)); r != nil {
		return release.Target{}, refusedRecipe(recipe, r)
	}
	return t, nil
}

func refusedRecipe(recipe provenance.Recipe, r *refusal) error {
	return tampered(recordedHint, "%s: the recipe is refused: %s", plain(recipe.Binary), plain(r.fact))
}

// fixedFlags is how many flags stand before those that a configuration chooses:
// -trimpath, -buildvcs=true and -mod=….
const fixedFlags = 3

// readRecipe takes a recipe apart. What it passes over, the comparison with the
// recipe written again finds.
func readRecipe(modulePath, version string, binary release.Binary, recipe provenance.Recipe) (unit, *module, *refusal) {
	u := unit{binary: binary.Name, platform: binary.Platform}
	mod := &module{path: modulePath}
	argv := recipe.Argv
	if len(argv) < 2+fixedFlags+3 || argv[0] != "go" || argv[1] != "build" {
		return u, mod, refused("", "its argv is no complete go build command")
	}
	if !platformWord.MatchString(u.platform.OS) || !platformWord.MatchString(u.platform.Arch) {
		return u, mod, refused("", "platform %q is malformed", u.platform)
	}
	if !strictName().MatchString(u.binary) || !strictName().MatchString(version) {
		return u, mod, refused("", "binary %q of version %q is malformed", u.binary, version)
	}
	flags, tail := argv[2:len(argv)-3], argv[len(argv)-3:]
	var chosen recipeFlags
	mod.vendored = slices.Contains(flags[:fixedFlags], "-mod=vendor")
	if r := chosen.add(flags, mod.mod()); r != nil {
		return u, mod, r
	}
	u.flags = chosen.argv()
	var r *refusal
	if u.dir, r = recordedMain(mod.path, tail[2]); r != nil {
		return u, mod, r
	}
	if u.env, r = recordedEnv(recipe.Env); r != nil {
		return u, mod, r
	}
	return u, mod, nil
}

// recordedMain reads the package of a recipe: "." or "./cmd/age", never a pattern,
// a flag or a place outside of the module.
func recordedMain(module, main string) (dir string, r *refusal) {
	dir = path.Clean(main)
	if mainPath(dir) != main || gomodule.CheckImportPath(path.Join(module, dir)) != nil || strings.HasPrefix(dir, "..") {
		return "", refused("", "package %q is no directory of module %s", main, module)
	}
	return dir, nil
}

// recordedEnv picks the variables that a configuration may have chosen.
func recordedEnv(env []string) (chosen []string, r *refusal) {
	for _, entry := range env {
		name, _, _ := strings.Cut(entry, "=")
		if name == "GOOS" || name == "GOARCH" || slices.Contains(fixedEnv, entry) {
			continue
		}
		follow, r := followEnv(entry)
		if r != nil {
			return nil, r
		}
		if follow {
			chosen = append(chosen, entry)
		}
	}
	return chosen, nil
}

// firstChange compares a recorded list with the one that rollproof writes.
func firstChange(what string, recorded, written []string) *refusal {
	for i := range max(len(recorded), len(written)) {
		switch {
		case i >= len(recorded):
			return refused("", "%s %q is missing", what, written[i])
		case i >= len(written):
			return refused("", "%s %q is one too many", what, recorded[i])
		case recorded[i] != written[i]:
			return refused("", "%s %d is %q, expected %q", what, i+1, recorded[i], written[i])
		}
	}
	return nil
}
