package gobuild

import (
	"fmt"
	"go/build"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/release"
)

// commitHazards follow from the commit (or, in a dry run, from its lack of a tag
// or from changed files). They are recorded.
func commitHazards(r *repository, s *source, mod *module, targets []release.Target, tag string) []release.Hazard {
	var found []release.Hazard
	add := func(when bool, id, format string, args ...any) {
		if when {
			found = append(found, release.Hazard{ID: id, Detail: fmt.Sprintf(format, args...)})
		}
	}
	add(s.dirty, "dirty-tree", "the files were built as they lay in the work tree, not as the commit has them: %s", someOf(r.changed))
	add(tag == "", "missing-tag", "the commit has no tag: the version is made from its name")
	add(mod.vendored, "vendor", "packages come from the vendor directory, which no checksum of go.sum covers")
	works := workFiles(s, mod)
	add(len(works) > 0, "go-work", "the commit has %s, which the build ignores: modules come from go.mod alone", someOf(works))
	add(len(mod.localReplace) > 0, "local-replace", "go.mod replaces %s by directories, which have no version and no checksum", someOf(mod.localReplace))
	pgo := profiles(s, mod, targets)
	add(len(pgo) > 0, "default-pgo", "the compiler follows the profile %s", someOf(pgo))
	add(len(s.notes.gitlinks) > 0, "submodules", "submodules are empty directories in the build: %s", someOf(s.notes.gitlinks))
	add(len(s.notes.pointers) > 0, "git-lfs", "Git LFS pointers are built in place of the content: %s", someOf(s.notes.pointers))
	add(s.notes.exportSubst, "export-subst", "export-subst is set: an archive made by git differs from the files that were built")
	return found
}

// someOf names up to three of a list.
func someOf(names []string) string {
	shown := make([]string, 0, 3)
	for _, name := range names[:min(3, len(names))] {
		shown = append(shown, plain(name))
	}
	text := strings.Join(shown, ", ")
	if more := len(names) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// workFiles are the go.work files that a plain go build would find from the
// module upward.
func workFiles(s *source, mod *module) []string {
	var found []string
	for dir := mod.dir; ; dir = path.Dir(dir) {
		if dir == "." {
			dir = ""
		}
		if name := path.Join(dir, "go.work"); slices.Contains(s.paths, name) {
			found = append(found, name)
		}
		if dir == "" {
			return found
		}
	}
}

// profiles are the default.pgo files beside the mains (cmd/go, -pgo=auto).
func profiles(s *source, mod *module, targets []release.Target) []string {
	var found []string
	for _, t := range targets {
		name := path.Join(mod.dir, t.Main, "default.pgo")
		if slices.Contains(s.paths, name) && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	return found
}

// machineHazards belong to this machine. They are shown, never recorded, and so
// may differ between two builds of one commit.
func machineHazards(r *repository, m *machine, settings *goSettings, mod *module) []release.Hazard {
	var found []release.Hazard
	add := func(when bool, id, format string, args ...any) {
		if when {
			found = append(found, release.Hazard{ID: id, Detail: fmt.Sprintf(format, args...)})
		}
	}
	add(r.shallow, "shallow-clone", "the repository is a shallow clone: tags that lie further back are not in it")
	leaked := leakedSettings(m, settings)
	add(len(leaked) > 0, "go-env", "a plain go build here obeys %s, set in the environment or by go env -w; this build does not", strings.Join(leaked, ", "))
	add(settings.fetch["GOPROXY"] == "direct", "goproxy-direct", "GOPROXY=direct: modules come from their own servers, and one that is gone cannot be built again")
	sources := untrackedSources(r, mod)
	add(len(sources) > 0, "untracked-sources", "files that git does not track cannot reach the build: %s", someOf(sources))
	add(len(r.filtered) > 0, "filtered-files", "whether these files differ from the commit is not known, as their git filter is not run: %s", someOf(r.filtered))
	work := workFileAbove(r)
	add(work, "go-work-above", "a go.work above the repository is ignored; a plain go build here obeys it")
	return found
}

// matters says whether a go setting of this machine would change what a plain go
// build makes, compared with this one.
func matters(name, value string) bool {
	switch name {
	case "GOTOOLCHAIN":
		return value != "" && value != "local" && value != "auto"
	case "GO111MODULE":
		return value != "" && value != "on" && value != "auto"
	case "GOWORK":
		return value != "" && value != "off"
	case "CGO_ENABLED":
		return value == "1"
	case "GOPATH", "GOBIN", "GOTMPDIR", "GOVCS", "GOTELEMETRY":
		return false
	}
	return value != "" && !slices.Contains(fetchNames, name)
}

// leakedSettings names the go settings of this machine that matter, from the
// environment and from go env -w. Values are left out: they may hold a secret.
func leakedSettings(m *machine, settings *goSettings) []string {
	var names []string
	for _, name := range []string{
		"GOFLAGS", "GOEXPERIMENT", "GOTOOLCHAIN", "GOAMD64", "GOARM64", "CGO_ENABLED", "GOWORK", "GO111MODULE", "GODEBUG", "GOFIPS140",
	} {
		if matters(name, m.lookup(name)) {
			names = append(names, name)
		}
	}
	if settings.envFile != "off" {
		// A file that cannot be read is one that go env -w never wrote.
		data, _ := os.ReadFile(settings.envFile)
		for line := range strings.Lines(string(data)) {
			name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
			if ok && !strings.HasPrefix(name, "#") && matters(name, value) {
				names = append(names, plain(name))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// untrackedSources are the untracked files that a plain go build would compile
// or embed.
func untrackedSources(r *repository, mod *module) []string {
	embeds := embedFinder{mod: mod, patterns: map[string][]string{}}
	var found []string
	for _, file := range r.untracked {
		rel, ok := mod.inside(file)
		if ok && (strings.HasSuffix(rel, ".go") && !skippedByGo(path.Dir(rel)) || embeds.matches(rel)) {
			found = append(found, file)
		}
	}
	return found
}

// An embedFinder remembers the go:embed patterns of packages.
type embedFinder struct {
	mod      *module
	patterns map[string][]string
}

// matches says whether a package above the file embeds it. A pattern that names
// a directory takes what is below it.
func (e *embedFinder) matches(file string) bool {
	for dir := path.Dir(file); ; dir = path.Dir(dir) {
		rel := strings.TrimPrefix(file, dir+"/")
		for _, pattern := range e.of(dir) {
			pattern = strings.TrimPrefix(pattern, "all:")
			for prefix := rel; prefix != "."; prefix = path.Dir(prefix) {
				if ok, err := path.Match(pattern, prefix); ok && err == nil {
					return true
				}
			}
		}
		if dir == "." {
			return false
		}
	}
}

func (e *embedFinder) of(dir string) []string {
	if patterns, known := e.patterns[dir]; known {
		return patterns
	}
	c := build.Context{GOOS: "linux", GOARCH: "amd64", Compiler: "gc", UseAllFiles: true}
	// An error means no package here, or a mixture: what was read is enough.
	pkg, _ := c.ImportDir(filepath.Join(e.mod.root, filepath.FromSlash(dir)), 0)
	if pkg != nil {
		e.patterns[dir] = pkg.EmbedPatterns
	}
	return e.patterns[dir]
}

// workFileAbove says whether a go.work stands above the repository.
func workFileAbove(r *repository) bool {
	for dir := filepath.Dir(r.top); ; dir = filepath.Dir(dir) {
		if isRegular(filepath.Join(dir, "go.work")) {
			return true
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}
