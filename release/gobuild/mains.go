package gobuild

import (
	"errors"
	"fmt"
	"go/build"
	"go/parser"
	"go/token"
	"go/version"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rollproof/rollproof/release"
)

// A finder looks for main packages in the source. No child is started: go list
// would need modules that have not been fetched yet.
type finder struct {
	mod       *module
	toolchain string
	dirs      []string            // directories of the module that hold .go files, "." for its root; sorted
	files     map[string][]string // base names of the .go files of each
}

// newFinder leaves out what the go command leaves out: testdata, vendor, names
// that begin with "." or "_", and nested modules.
func newFinder(s *source, mod *module, toolchain string) *finder {
	f := &finder{mod: mod, toolchain: toolchain, files: map[string][]string{}}
	nested := map[string]bool{}
	for _, file := range s.paths {
		rel, ok := mod.inside(file)
		if !ok {
			continue
		}
		switch dir, base := path.Split(rel); {
		case base == "go.mod" && dir != "":
			nested[path.Clean(dir)] = true
		case strings.HasSuffix(base, ".go"):
			clean := path.Clean("./" + dir)
			f.files[clean] = append(f.files[clean], base)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(f.files)) {
		if !skippedByGo(dir) && !below(dir, nested) {
			f.dirs = append(f.dirs, dir)
		}
	}
	return f
}

// inside gives a file's path relative to the module's directory.
func (m *module) inside(file string) (string, bool) {
	if m.dir == "" {
		return file, true
	}
	return strings.CutPrefix(file, m.dir+"/")
}

func skippedByGo(dir string) bool {
	if dir == "." {
		return false
	}
	return slices.ContainsFunc(strings.Split(dir, "/"), func(elem string) bool {
		return elem == "testdata" || elem == "vendor" || elem[0] == '.' || elem[0] == '_'
	})
}

// below says whether dir or one of its parents is in set.
func below(dir string, set map[string]bool) bool {
	for ; dir != "."; dir = path.Dir(dir) {
		if set[dir] {
			return true
		}
	}
	return false
}

// buildContext selects files as go build does for the platform. env holds
// NAME=value of the architecture's own setting.
func buildContext(toolchain string, p release.Platform, tags, env []string) *build.Context {
	return &build.Context{
		GOOS: p.OS, GOARCH: p.Arch, Compiler: "gc",
		BuildTags: tags, ReleaseTags: releaseTags(toolchain), ToolTags: toolTags(p.Arch, env),
	}
}

// releaseTags are go1.1 up to the toolchain's own release.
func releaseTags(toolchain string) []string {
	have, _, _ := strings.Cut(toolchain, " ")
	minor, err := strconv.Atoi(strings.TrimPrefix(version.Lang(have), "go1."))
	if err != nil {
		return build.Default.ReleaseTags
	}
	var tags []string
	for i := 1; i <= minor; i++ {
		tags = append(tags, fmt.Sprintf("go1.%d", i))
	}
	return tags
}

// toolTags are the constraints that follow from GOAMD64, GOARM and their like:
// a level satisfies all levels below it.
func toolTags(arch string, env []string) []string {
	name := archSettings[arch].name
	level := archSettings[arch].level
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok && name != "" {
			level = value
		}
	}
	var tags []string
	for _, l := range archSettings[arch].levels {
		tags = append(tags, arch+"."+l)
		if l == level {
			return tags
		}
	}
	return []string{arch + "." + level}
}

// An archSetting is the variable that chooses among instruction sets, the level
// taken without one, and the levels that include each other, lowest first.
type archSetting struct {
	name, level string
	levels      []string
}

var archSettings = map[string]archSetting{
	"amd64":    {"GOAMD64", "v1", []string{"v1", "v2", "v3", "v4"}},
	"arm64":    {"GOARM64", "v8.0", nil},
	"386":      {"GO386", "sse2", nil},
	"arm":      {"GOARM", "7", []string{"5", "6", "7"}},
	"mips":     {"GOMIPS", "hardfloat", nil},
	"mipsle":   {"GOMIPS", "hardfloat", nil},
	"mips64":   {"GOMIPS64", "hardfloat", nil},
	"mips64le": {"GOMIPS64", "hardfloat", nil},
	"ppc64":    {"GOPPC64", "power8", []string{"power8", "power9", "power10"}},
	"ppc64le":  {"GOPPC64", "power8", []string{"power8", "power9", "power10"}},
	"riscv64":  {"GORISCV64", "rva20u64", []string{"rva20u64", "rva22u64", "rva23u64"}},
}

// isMain says whether the directory is a main package with files for the context.
func (f *finder) isMain(c *build.Context, dir string) bool {
	pkg, err := c.ImportDir(filepath.Join(f.mod.root, filepath.FromSlash(dir)), 0)
	var none *build.NoGoError
	if errors.As(err, &none) {
		return false
	}
	// A file that does not parse is left to the compiler, which says where. A
	// directory of tests alone has a name and nothing to build.
	return pkg.Name == "main" && len(pkg.GoFiles)+len(pkg.InvalidGoFiles) > 0
}

// platforms splits the platforms into those that the directory has a main
// package for and the others.
func (f *finder) platforms(dir string, all []release.Platform, tags []string) (with, without []release.Platform) {
	for _, p := range all {
		if f.isMain(buildContext(f.toolchain, p, tags, nil), dir) {
			with = append(with, p)
		} else {
			without = append(without, p)
		}
	}
	return with, without
}

// unreleased are directories whose mains are not meant for users.
var unreleased = []string{"internal", "examples", "testdata", "tools"}

// zeroConfig finds the mains to release without a configuration: ./cmd/* and
// the module's root; where ./cmd has none, every main outside unreleased.
func (f *finder) zeroConfig(all []release.Platform) []string {
	isAnywhere := func(dir string) bool {
		with, _ := f.platforms(dir, all, nil)
		return len(with) > 0
	}
	var mains []string
	for _, dir := range f.dirs {
		if path.Dir(dir) == "cmd" && isAnywhere(dir) {
			mains = append(mains, dir)
		}
	}
	if len(mains) > 0 {
		if slices.Contains(f.dirs, ".") && isAnywhere(".") {
			mains = append([]string{"."}, mains...)
		}
		return mains
	}
	return f.below(".", func(dir string) bool {
		return !slices.ContainsFunc(strings.Split(dir, "/"), func(elem string) bool {
			return slices.Contains(unreleased, elem)
		}) && isAnywhere(dir)
	})
}

// below lists the mains in the directory and under it that accept takes.
func (f *finder) below(top string, accept func(dir string) bool) []string {
	var mains []string
	for _, dir := range f.dirs {
		under := top == "." || dir == top || strings.HasPrefix(dir, top+"/")
		if under && f.namesMain(dir) && accept(dir) {
			mains = append(mains, dir)
		}
	}
	return mains
}

// namesMain reads package clauses until one says main: cheap enough for every
// directory, where selecting files for each platform is not.
func (f *finder) namesMain(dir string) bool {
	for _, file := range f.files[dir] {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		name := filepath.Join(f.mod.root, filepath.FromSlash(dir), file)
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.PackageClauseOnly)
		if err == nil && parsed.Name.Name == "main" {
			return true
		}
	}
	return false
}

var versionElement = regexp.MustCompile(`^v([2-9]|[1-9][0-9]+)$`)

// lastElement is the last element of a slash-separated path that is no major
// version, as go build names an executable.
func lastElement(p string) string {
	base := path.Base(p)
	if versionElement.MatchString(base) && path.Dir(p) != "." {
		return path.Base(path.Dir(p))
	}
	return base
}

// binaryName is a main's name in the release: the project's at the module's
// root, else the last element of its directory that is no major version.
func binaryName(dir, project string) string {
	if name := lastElement(dir); name != "." && !versionElement.MatchString(name) {
		return name
	}
	return project
}

// mainPath writes a directory as go build takes it: "." or "./cmd/age".
func mainPath(dir string) string {
	if dir == "." {
		return dir
	}
	return "./" + dir
}
