package rebuild

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/release/archive"
)

// A Cause is the likely reason for a difference.
type Cause string

// The causes.
const (
	CauseToolchain     Cause = "toolchain"      // another Go, or a changed one of the same version
	CauseDirtyTree     Cause = "dirty-tree"     // built from changed files
	CauseMissingTag    Cause = "missing-tag"    // built where the tag was missing or another one
	CauseVendor        Cause = "vendor"         // dependencies from elsewhere than the vendor directory
	CauseModules       Cause = "modules"        // other dependencies
	CauseSettings      Cause = "settings"       // other build settings
	CauseBuildInfo     Cause = "build-info"     // the text of build info, in another way
	CauseLinkerFlags   Cause = "linker-flags"   // other -ldflags, which build info does not hold
	CauseSource        Cause = "source"         // another source, dependency or compiler flag
	CauseCodeSignature Cause = "code-signature" // signed after the build, by a tool of the platform
	CauseEdited        Cause = "edited"         // changed after it was linked
	CauseUnknown       Cause = "unknown"
)

// A Difference says where a binary of the package differs from the rebuilt one, and
// why that may be.
type Difference struct {
	Section     string   `json:"section"`     // the first that differs, build ids and signatures last
	Sections    []string `json:"sections"`    // all that differ, in the order of the file; at most 40
	BuildInfo   []Change `json:"buildInfo"`   // what build info says differently; at most 40
	Functions   []Change `json:"functions"`   // functions of other size, in bytes; at most 10
	Cause       Cause    `json:"cause"`       // likely
	Explanation string   `json:"explanation"` // one sentence
}

// A Change is one named value on both sides, "" where a side has none.
type Change struct {
	Name    string `json:"name"`
	Package string `json:"package"`
	Rebuild string `json:"rebuild"`
}

// Limits of what a hostile binary can put into a report.
const (
	maxNames     = 40
	maxFunctions = 10
	maxText      = 300
)

// printable makes text of a binary fit for a report.
func printable(text string) string { return limit(archive.Printable(text), maxText) }

// explain compares two binaries whose bytes differ.
func explain(theirs, ours image) *Difference {
	d := &Difference{Sections: []string{}, BuildInfo: []Change{}, Functions: []Change{}}
	t, errTheirs := readLayout(theirs)
	o, errOurs := readLayout(ours)
	if errTheirs != nil || errOurs != nil {
		d.Section, d.Cause = "file", CauseUnknown
		d.Explanation = printable(fmt.Sprintf("the sections can't be compared: package %v, rebuild %v", orGood(errTheirs), orGood(errOurs)))
		return d
	}
	names := differing(t, o)
	d.Section = firstOf(names, theirs, ours)
	for _, name := range names[:min(len(names), maxNames)] {
		d.Sections = append(d.Sections, printable(name))
	}
	d.BuildInfo = infoChanges(theirs, ours)
	d.Functions = functionChanges(t, o)
	d.Cause, d.Explanation = judge(d, names, t, o)
	return d
}

func orGood(err error) string {
	if err == nil {
		return "is readable"
	}
	return err.Error()
}

// firstOf picks the first section whose difference is no consequence of others.
func firstOf(names []string, theirs, ours image) string {
	for _, name := range names {
		if !slices.Contains(derived, name) {
			return printable(name)
		}
	}
	switch {
	case len(names) > 0:
		return names[0]
	case theirs.size != ours.size:
		return "end of file"
	}
	return "headers"
}

// judge guesses the cause, from the surest sign to the weakest.
func judge(d *Difference, names []string, theirs, ours layout) (Cause, string) {
	if cause, why := judgeBuildInfo(d.BuildInfo); cause != "" {
		return cause, why
	}
	if cause, why := judgeSections(d, names); cause != "" {
		return cause, why
	}
	return judgeBuildID(d, names, strings.Split(theirs.buildID, "/"), strings.Split(ours.buildID, "/"))
}

// judgeSections knows what the tools do that work on finished binaries.
func judgeSections(d *Difference, names []string) (Cause, string) {
	if slices.Contains(names, codeSignature) || slices.Contains(names, certificateTable) {
		if slices.Contains(derived, d.Section) {
			return CauseCodeSignature, "only the signature of the platform differs: the binary was signed after it was built"
		}
	}
	if d.Section == "end of file" {
		return CauseEdited, "all sections are equal: bytes were added to the end of the file, or cut off"
	}
	return "", ""
}

// judgeBuildID compares the four parts of Go's build id: what went into linking, what
// went into the main package, what came out of it, and the finished binary
// (cmd/go/internal/work, buildid.go).
func judgeBuildID(d *Difference, names []string, theirs, ours []string) (Cause, string) {
	switch {
	case len(theirs) == 1 && theirs[0] == "" && len(ours) == 4:
		return CauseLinkerFlags, "the package's binary has no build id: it was linked with -buildid, or edited"
	case len(theirs) != 4 || len(ours) != 4:
		return CauseSource, "the source, a dependency or a flag was another one" + inFunctions(d)
	case theirs[1] != ours[1]:
		return CauseSource, "the main package, something that it imports, or a compiler flag was another one" + inFunctions(d)
	case theirs[2] != ours[2]:
		return CauseToolchain, "the compiler made something else of the same main package: it is another one of the same version" + inFunctions(d)
	case theirs[0] == ours[0]:
		return CauseEdited, "the build id says that the same was linked: the file was changed afterwards"
	case strips(names) || len(d.Functions) == 0:
		return CauseLinkerFlags, "the main package is the same and no function changed its size: it was linked with other -ldflags" + stripped(names)
	}
	return CauseSource, "a package below the main one was another one" + inFunctions(d)
}

// inFunctions names the function that shows a change best.
func inFunctions(d *Difference) string {
	if len(d.Functions) == 0 {
		return ""
	}
	f := d.Functions[0]
	switch {
	case f.Package == "":
		return "; the package's binary lacks " + f.Name
	case f.Rebuild == "":
		return "; only the package's binary has " + f.Name
	}
	return fmt.Sprintf("; %s has %s bytes, rebuilt %s", f.Name, f.Package, f.Rebuild)
}

// symbolSections are what the flags -s and -w leave out.
var symbolSections = []string{".symtab", ".strtab", ".debug_info", ".zdebug_info", "__DWARF,__debug_info", "__DWARF,__zdebug_info"}

func strips(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(symbolSections, name) }) &&
		!slices.ContainsFunc(names, func(name string) bool { return name == ".text" || name == "__TEXT,__text" })
}

func stripped(names []string) string {
	if strips(names) {
		return ", such as -s or -w"
	}
	return ""
}
