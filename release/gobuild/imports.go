package gobuild

import (
	"context"
	"go/build"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/release"
)

// An importGraph follows imports from main packages through the linked modules,
// for one platform. It gives what "go list -deps" gives, in a fraction of the
// time: of the standard library nothing is read, and no child is started.
type importGraph struct {
	ctx     context.Context
	context *build.Context
	main    linked
	modules []linked // longest import path first
	std     release.ModuleName
	seen    map[string]bool // directories
	edges   map[release.ModuleName]map[release.ModuleName]bool
}

// addImports walks the packages of a job and refuses a result that reaches other
// modules than build info lists.
func (f *facts) addImports(ctx context.Context, j *job, modules []linked) error {
	g := &importGraph{
		ctx:     ctx,
		context: buildContext(f.settings.version, j.targets[0].Platform, tagsOf(j.targets[0]), j.targets[0].Env),
		main:    linked{importPath: f.mod.path, dir: f.mod.root},
		modules: slices.SortedFunc(slices.Values(modules), func(a, b linked) int { return len(b.importPath) - len(a.importPath) }),
		std:     f.std(),
		seen:    map[string]bool{},
		edges:   map[release.ModuleName]map[release.ModuleName]bool{},
	}
	for _, t := range j.targets {
		if err := g.visit(g.main, filepath.Join(f.mod.root, filepath.FromSlash(t.Main))); err != nil {
			return err
		}
	}
	for _, l := range modules {
		if g.edges[l.name] == nil {
			return failed(nil, "%s: build info lists module %s, which no import reaches", j, l.name.Path)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for from, tos := range g.edges {
		if f.imports[from] == nil {
			f.imports[from] = map[release.ModuleName]bool{}
		}
		for to := range tos {
			f.imports[from][to] = true
		}
	}
	return nil
}

// visit reads the package in dir, which belongs to module l, and what it imports.
func (g *importGraph) visit(l linked, dir string) error {
	if g.seen[dir] {
		return nil
	}
	g.seen[dir] = true
	if err := context.Cause(g.ctx); err != nil {
		return err
	}
	if g.edges[l.name] == nil {
		g.edges[l.name] = map[release.ModuleName]bool{}
	}
	// The package has been compiled: an error here is about files that were not.
	pkg, err := g.context.ImportDir(dir, 0)
	if pkg == nil {
		return failed(err, "imports of a package of %s cannot be read: %v", l.importPath, err)
	}
	for _, imported := range pkg.Imports {
		to, toDir, ok := g.resolve(imported)
		switch {
		case !ok && strings.Contains(firstElement(imported), "."):
			return failed(nil, "package %s is imported by %s, and no linked module has it", imported, l.importPath)
		case !ok:
			g.edges[l.name][g.std] = true
			continue
		case to.name != l.name:
			g.edges[l.name][to.name] = true
		}
		if err := g.visit(to, toDir); err != nil {
			return err
		}
	}
	return nil
}

// resolve finds the module that has the package: the one with the longest path
// that really has its directory, as go build chooses. Not ok is what none has,
// the standard library.
func (g *importGraph) resolve(imported string) (linked, string, bool) {
	for _, l := range g.modules {
		if dir, ok := l.packageDir(imported); ok {
			return l, dir, true
		}
	}
	if dir, ok := g.main.packageDir(imported); ok {
		return g.main, dir, true
	}
	return linked{}, "", false
}

func (l linked) packageDir(imported string) (string, bool) {
	if imported != l.importPath && !strings.HasPrefix(imported, l.importPath+"/") {
		return "", false
	}
	rest := strings.TrimPrefix(strings.TrimPrefix(imported, l.importPath), "/")
	dir := filepath.Join(l.dir, filepath.FromSlash(path.Clean("./"+rest)))
	files, err := os.ReadDir(dir)
	if err != nil {
		return "", false
	}
	return dir, slices.ContainsFunc(files, func(e os.DirEntry) bool { return strings.HasSuffix(e.Name(), ".go") })
}

func firstElement(importPath string) string {
	first, _, _ := strings.Cut(importPath, "/")
	return first
}
