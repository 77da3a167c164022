package gobuild

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/release"
	gomodule "golang.org/x/mod/module"
)

// proxyEnv is what a child sees, after everything else, that may take modules out of
// a directory and from nowhere else. go.sum is still asked; the checksum database
// is not. -modcacherw lets the cache be removed.
func proxyEnv(proxy, cache string) []string {
	return []string{"GOPROXY=" + fileURL(proxy), "GOSUMDB=off", "GOMODCACHE=" + cache, "GOFLAGS=-modcacherw", "GOVCS=*:off"}
}

// fetchInto loads the packages of a job as go build will, so that what it needs of
// the proxy directory is in the module cache afterwards, and nothing else.
func (b *Builder) fetchInto(ctx context.Context, j *job, proxy, cache string) error {
	if !b.mod.requires || b.mod.vendored {
		return nil
	}
	args := []string{"list", "-deps", "-f", "", "-buildvcs=false", "-mod=" + b.mod.mod()}
	if tags := flagValue(j.targets[0], "-tags"); tags != "" {
		args = append(args, "-tags="+tags)
	}
	for _, t := range j.targets {
		args = append(args, t.Main)
	}
	list := child{path: b.m.goTool, args: args, dir: b.mod.root}
	list.env = append(b.m.buildEnv(b.settings, j.targets[0].Env, b.opts.FreshCache), proxyEnv(proxy, cache)...)
	if _, stderr, err := list.run(ctx); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return &Error{Kind: KindFailed, Msg: j.String() + ": " + err.Error(), Hint: fetchHint(string(stderr)), Err: err}
	}
	return nil
}

func fetchHint(output string) string {
	switch {
	case strings.Contains(output, "SECURITY ERROR") || strings.Contains(output, "checksum mismatch"):
		return "the modules at hand are not those of the commit's go.sum"
	case strings.Contains(output, "no such file"):
		return "go mod download, in a checkout of the commit, fetches what the module cache lacks"
	}
	return buildHint(output)
}

// neededModules lists the files of every module version that the plan's targets
// need, after loading them from the proxy directory into an empty cache.
func (b *Builder) neededModules(ctx context.Context, proxy, cache string) ([]moduleFile, error) {
	for _, j := range jobsOf(b.mod, b.plan.Targets) {
		if err := b.fetchInto(ctx, j, proxy, cache); err != nil {
			return nil, err
		}
	}
	return listModules(filepath.Join(cache, "cache", "download"))
}

// A moduleFile is the go.mod or the zip of a module version below a directory that
// go takes as a proxy.
type moduleFile struct {
	name release.ModuleName
	kind string // ".mod" or ".zip"
	file string // on disk

	stored bool // a zip that must be in its one encoding already
}

// path is where a proxy has the file (https://go.dev/ref/mod#goproxy-protocol).
func (f moduleFile) path(kind string) (string, error) {
	escaped, err := gomodule.EscapePath(f.name.Path)
	if err != nil {
		return "", err
	}
	version, err := gomodule.EscapeVersion(f.name.Version)
	return escaped + "/@v/" + version + kind, err
}

// parseModulePath reads what path writes, and nothing else.
func parseModulePath(name string) (f moduleFile, ok bool) {
	module, file, ok := strings.Cut(name, "/@v/")
	if !ok || len(file) < 5 {
		return f, false
	}
	version, kind := file[:len(file)-4], file[len(file)-4:]
	if !slices.Contains([]string{".mod", ".zip"}, kind) {
		return f, false
	}
	f.kind = kind
	var err, err2 error
	f.name.Path, err = gomodule.UnescapePath(module)
	f.name.Version, err2 = gomodule.UnescapeVersion(version)
	if err != nil || err2 != nil || gomodule.Check(f.name.Path, f.name.Version) != nil {
		return f, false
	}
	again, err := f.path(kind)
	return f, err == nil && again == name
}

// listModules lists the modules below a directory that go takes as a proxy, in the
// order of their paths there.
func listModules(root string) ([]moduleFile, error) {
	var files []moduleFile
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if f, ok := parseModulePath(filepath.ToSlash(rel)); ok {
			f.file = name
			files = append(files, f)
		}
		return nil
	})
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, failed(err, "the module cache cannot be listed: %v", err)
	}
	slices.SortFunc(files, func(x, y moduleFile) int {
		a, _ := x.path(x.kind)
		b, _ := y.path(y.kind)
		return strings.Compare(a, b)
	})
	return files, nil
}
