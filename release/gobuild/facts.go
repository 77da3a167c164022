package gobuild

import (
	"cmp"
	"context"
	"maps"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/rollproof/rollproof/release"
	"golang.org/x/mod/modfile"
	gomodule "golang.org/x/mod/module"
)

// facts collects what the linked modules say, while binaries are being built.
type facts struct {
	*Builder
	room slots

	toolchain []release.TreeFile

	mu      sync.Mutex
	modules map[release.ModuleName]*release.ModuleFact
	imports map[release.ModuleName]map[release.ModuleName]bool // "" is the main module
}

func newFacts(b *Builder) *facts {
	return &facts{
		Builder: b,
		room:    make(slots, runtime.NumCPU()),
		modules: map[release.ModuleName]*release.ModuleFact{},
		imports: map[release.ModuleName]map[release.ModuleName]bool{},
	}
}

// A linked is a module as it is linked into a binary: its replacement, where
// go.mod replaces it.
type linked struct {
	importPath string // prefix of its packages' import paths
	name       release.ModuleName
	dir        string // absolute path of its source
	sum        string // h1: of go.sum; "" for the main module and directories
	cached     bool   // dir is in the module cache
}

// linkedModule says where the source of a dependency lies.
func (b *Builder) linkedModule(dep *debug.Module) (linked, error) {
	l := linked{importPath: dep.Path, name: release.ModuleName{Path: dep.Path, Version: dep.Version}, sum: dep.Sum}
	switch to := dep.Replace; {
	case to == nil:
	case modfile.IsDirectoryPath(to.Path):
		if l.dir, l.sum = filepath.FromSlash(to.Path), ""; !filepath.IsAbs(l.dir) {
			l.dir = filepath.Join(b.mod.root, l.dir)
		}
	default:
		l.name, l.sum = release.ModuleName{Path: to.Path, Version: to.Version}, to.Sum
	}
	switch {
	case b.mod.vendored:
		l.dir = filepath.Join(b.mod.root, "vendor", filepath.FromSlash(dep.Path))
	case l.dir == "":
		escaped, err := gomodule.EscapePath(l.name.Path)
		if err != nil {
			return linked{}, failed(err, "linked module %s: %v", plain(l.name.Path), err)
		}
		version, err := gomodule.EscapeVersion(l.name.Version)
		if err != nil {
			return linked{}, failed(err, "linked module %s: %v", plain(l.name.Path), err)
		}
		l.cached = true
		l.dir = filepath.Join(b.settings.fetch["GOMODCACHE"], filepath.FromSlash(escaped)+"@"+version)
	}
	return l, nil
}

// add examines the modules of a finished job: the new ones in tasks of their
// own, and who imports whom. done is called with each module that is examined.
func (f *facts) add(work *tasks, j *job, infos []*binaryInfo, done func(module string)) error {
	known := map[release.ModuleName]bool{}
	var modules []linked
	for _, info := range infos {
		for _, dep := range info.deps {
			l, err := f.linkedModule(dep)
			if err != nil {
				return err
			}
			if !known[l.name] {
				known[l.name] = true
				modules = append(modules, l)
			}
		}
	}
	for _, l := range modules {
		f.mu.Lock()
		_, seen := f.modules[l.name]
		if !seen {
			f.modules[l.name] = nil
		}
		f.mu.Unlock()
		if seen {
			continue
		}
		work.start(f.room, func(ctx context.Context) error {
			fact, err := f.examine(ctx, l)
			if err != nil {
				return err
			}
			f.mu.Lock()
			f.modules[l.name] = fact
			f.mu.Unlock()
			done(l.name.Path)
			return nil
		})
	}
	work.start(f.room, func(ctx context.Context) error { return f.addImports(ctx, j, modules) })
	return nil
}

// addToolchain lists the files below GOROOT/src. Some systems make it a link.
func (f *facts) addToolchain(ctx context.Context) error {
	root, err := filepath.EvalSymlinks(filepath.Join(f.settings.goroot, "src"))
	if err != nil {
		return failed(err, "the toolchain's source cannot be found: %v", err)
	}
	paths, err := filesBelow(root)
	if err != nil {
		return failed(err, "the toolchain's source cannot be listed: %v", err)
	}
	f.toolchain, _, err = readTree(ctx, root, paths)
	return err
}

// Describe returns what the source itself says, for binaries that something else built:
// license files and the commit's files, nothing about modules. Plan was called before.
// Errors are *Error or ErrClosed.
func (b *Builder) Describe() (release.SourceFacts, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.plan == nil {
		return release.SourceFacts{}, ErrClosed
	}
	return b.describe()
}

func (b *Builder) describe() (release.SourceFacts, error) {
	root, err := licenseFiles(b.mod.root)
	if err != nil {
		return release.SourceFacts{}, err
	}
	if len(root) == 0 && b.mod.dir != "" {
		// A module in a sub-directory is covered by the license of its repository.
		if root, err = licenseFiles(b.src.root); err != nil {
			return release.SourceFacts{}, err
		}
	}
	return release.SourceFacts{License: b.license(root), Files: root, Tree: b.src.tree}, nil
}

// result puts the facts together. All tasks must have ended.
func (f *facts) result() (release.SourceFacts, error) {
	found, err := f.describe()
	if err != nil {
		return release.SourceFacts{}, err
	}
	found.Toolchain = f.toolchain
	found.Direct = sortedNames(f.imports[release.ModuleName{}])
	for name, fact := range f.modules {
		fact.DependsOn = sortedNames(f.imports[name])
		found.Modules = append(found.Modules, *fact)
	}
	std, err := f.standardLibrary()
	if err != nil {
		return release.SourceFacts{}, err
	}
	found.Modules = append(found.Modules, std)
	slices.SortFunc(found.Modules, func(a, b release.ModuleFact) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Version, b.Version))
	})
	return found, nil
}

// std is the standard library as a module: its version is the toolchain's.
func (f *facts) std() release.ModuleName {
	return release.ModuleName{Path: "std", Version: f.settings.version}
}

func (f *facts) standardLibrary() (release.ModuleFact, error) {
	files, err := licenseFiles(f.settings.goroot)
	if err != nil {
		return release.ModuleFact{}, err
	}
	name := f.std()
	return release.ModuleFact{Path: name.Path, Version: name.Version, License: f.license(files)}, nil
}

func (b *Builder) license(files []release.SourceFile) release.LicenseFact {
	if b.opts.License == nil || len(files) == 0 {
		return release.LicenseFact{}
	}
	return b.opts.License(files)
}

func sortedNames(set map[release.ModuleName]bool) []release.ModuleName {
	return slices.SortedFunc(maps.Keys(set), func(a, b release.ModuleName) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Version, b.Version))
	})
}
