package gobuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/rollproof/rollproof/release"
)

// RebuildOptions say what to build again. The zero value of each optional field is
// the strict choice.
type RebuildOptions struct {
	// Release is the identity that the package states.
	Release release.Identity
	// Tag is the tag that go stamps, "" for a dry run of an untagged commit.
	Tag string
	// Targets come from [ParseRecipe] and from nowhere else.
	Targets []release.Target
	// Go is the go command, "" for the one on PATH.
	Go string
	// Dir is where the private directory is made, "" for the system's temporary one.
	Dir string
	// UserCache takes the user's build cache instead of an empty one. Whoever can
	// write there decides what is built.
	UserCache bool
	// Env is the caller's environment, NAME=value.
	Env []string
	// Output receives what failing children print. nil drops it.
	Output io.Writer
	// Parallel is how many go builds run at a time, 0 for half the processors and
	// at least two.
	Parallel int
}

// A Rebuilder builds recorded targets from a commit that is named by its digests. Its
// methods are called one after the other: Toolchain, one of Clone and Unpack,
// perhaps UseModules, Build, Close.
//
// The children of a rebuild see less than those of a release: no program by name but
// git, an empty module cache that is fed from one directory, and an empty build
// cache. Nothing uses the network.
type Rebuilder struct {
	b     *Builder
	opts  RebuildOptions
	proxy string // the directory that modules come from
}

// NewRebuilder finds git and go and makes the private directory, which Close removes.
func NewRebuilder(opts RebuildOptions) (*Rebuilder, error) {
	m, err := newMachine(opts.Env)
	if err != nil {
		return nil, err
	}
	if opts.Go != "" {
		if m.goTool, err = filepath.Abs(opts.Go); err != nil {
			return nil, failed(err, "go command %s cannot be used: %v", opts.Go, err)
		}
	}
	if opts.Parallel <= 0 {
		opts.Parallel = max(2, runtime.NumCPU()/2)
	}
	parent := opts.Dir
	if parent == "" {
		parent = os.TempDir()
	}
	if parent, err = filepath.EvalSymlinks(parent); err == nil {
		parent, err = filepath.Abs(parent)
	}
	if err != nil {
		return nil, failed(err, "directory %s cannot be used: %v", opts.Dir, err)
	}
	b := &Builder{m: m, opts: Options{FreshCache: !opts.UserCache, Output: opts.Output, Parallel: opts.Parallel}}
	r := &Rebuilder{b: b, opts: opts}
	if err := m.openIn(parent); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return r, nil
}

// Close removes the private directory. It may be called more than once.
func (r *Rebuilder) Close() error { return r.b.Close() }

// Toolchain asks the local go for its version, as "go env GOVERSION" prints it, and
// takes that toolchain for what follows.
func (r *Rebuilder) Toolchain(ctx context.Context) (string, error) {
	m := r.b.m
	settings, err := readGoSettings(ctx, m, m.temp())
	if err != nil {
		return "", r.b.giveReason(ctx, err)
	}
	r.proxy = filepath.Join(settings.fetch["GOMODCACHE"], "cache", "download")
	settings.fetch["GOMODCACHE"] = filepath.Join(m.root, "modules")
	r.b.settings = settings
	return settings.version, m.isolate(settings.goroot)
}

// UseModules takes modules from a module archive of the given size in bytes, instead
// of from the user's module cache.
func (r *Rebuilder) UseModules(ctx context.Context, archive io.ReaderAt, size int64) error {
	proxy := filepath.Join(r.b.m.root, "proxy")
	if err := unpackModules(ctx, archive, size, proxy); err != nil {
		return r.b.giveReason(ctx, err)
	}
	r.proxy = proxy
	return nil
}

// named is the commit that the package names, with the object format that the length
// of its digests tells.
func (r *Rebuilder) named() *repository {
	source := r.opts.Release.Source
	repo := &repository{m: r.b.m, format: "sha1", commit: commit{id: source.GitCommit, tree: source.GitTree}}
	if len(source.GitCommit) == 64 {
		repo.format = "sha256"
	}
	return repo
}

// Clone fetches the commit from a git repository, which may be bare and may lack the
// tag: the commit is known by its digests, and the tag is put on the clone. Clone
// refuses a commit that has another tree or another module than the package says.
func (r *Rebuilder) Clone(ctx context.Context, dir string) error {
	repo := r.named()
	out, _, err := r.b.m.git(dir, "rev-parse", "--path-format=absolute", "--git-common-dir", "--show-object-format").run(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return usage("give a clone of the project's repository", "%s is no git repository", dir)
	}
	lines := strings.Split(string(out), "\n")
	if len(lines) != 3 || lines[1] != repo.format {
		return usage("give a clone of the project's repository", "%s does not have the object format %s", dir, repo.format)
	}
	repo.top = filepath.FromSlash(lines[0])
	if _, err := repo.git(ctx, "cat-file", "-e", repo.commit.id+"^{commit}"); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return usage("git fetch it there", "%s has no commit %s", dir, repo.commit.id)
	}
	s, err := cloneSource(ctx, repo, "")
	if err != nil {
		return r.b.giveReason(ctx, err)
	}
	return r.b.giveReason(ctx, r.adopt(ctx, repo, s))
}

// Unpack takes the commit from a source pack, which must hold it and what it consists
// of, and nothing else.
func (r *Rebuilder) Unpack(ctx context.Context, pack io.Reader) error {
	repo := r.named()
	s := &source{root: r.b.m.source()}
	if err := os.Mkdir(s.root, 0o700); err != nil {
		return failed(err, "clone cannot be made: %v", err)
	}
	if _, _, err := r.b.m.git(s.root, initClone(repo.format)...).run(ctx); err != nil {
		return r.b.giveReason(ctx, failed(err, "clone cannot be made: %v", err))
	}
	ids, err := storePack(ctx, repo, s.root, pack)
	if err != nil {
		return r.b.giveReason(ctx, err)
	}
	if err := checkOutPack(ctx, repo, s, ids); err != nil {
		return r.b.giveReason(ctx, err)
	}
	return r.b.giveReason(ctx, r.adopt(ctx, repo, s))
}

// adopt puts the tag on the clone and compares its module with the package's.
func (r *Rebuilder) adopt(ctx context.Context, repo *repository, s *source) error {
	if tag := r.opts.Tag; tag != "" {
		if err := checkName("tag", tag, ""); err != nil {
			return err
		}
		if _, _, err := repo.m.git(s.root, "update-ref", "--end-of-options", "refs/tags/"+tag, repo.commit.id).run(ctx); err != nil {
			return failed(err, "tag %s cannot be made: %v", tag, err)
		}
	}
	want := r.opts.Release
	if dir := want.Source.Directory; dir != "" && !fs.ValidPath(dir) {
		return tampered("ask who signed the package", "the module's directory is %q, expected a path below the repository's root", plain(dir))
	}
	mod, err := findModule(s, want.Source.Directory, r.b.settings.version)
	if err != nil {
		return err
	}
	if mod.dir != want.Source.Directory || mod.path != want.Module {
		return tampered("ask who signed the package", "the commit has module %s in %q, the package says %s in %q",
			plain(mod.path), mod.dir, plain(want.Module), plain(want.Source.Directory))
	}
	repo.commit = s.commit
	r.b.repo, r.b.src, r.b.mod = repo, s, mod
	r.b.plan = &release.Plan{
		Project: want.Project, Version: want.Version, Toolchain: r.b.settings.version, Targets: r.opts.Targets,
		Source: release.Source{
			Module: mod.path, Directory: mod.dir, Tag: r.opts.Tag,
			GitCommit: s.commit.id, GitTree: s.commit.tree, CommitTime: s.commit.time,
		},
	}
	return nil
}

// A Rebuilt is one target after a rebuild.
type Rebuilt struct {
	Target release.Target
	File   string // absolute path of the binary, "" where Err says why there is none
	Err    error
}

// Build makes every target that it can, below a directory that Close removes, and
// returns them in the order of the options. The error is for what stops the whole.
func (r *Rebuilder) Build(ctx context.Context, progress release.Progress) ([]Rebuilt, error) {
	b := r.b
	dir := filepath.Join(b.m.root, "rebuilt")
	work := &run{Builder: b, plan: b.plan, dir: dir, stage: filepath.Join(dir, "stage"), progress: progress, done: map[string]int{}}
	for _, name := range []string{filepath.Join(dir, "bin"), work.stage} {
		if err := os.MkdirAll(name, 0o700); err != nil {
			return nil, failed(err, "binaries cannot be written: %v", err)
		}
	}
	jobs := jobsOf(b.mod, b.plan.Targets)
	errs := make([]error, len(jobs))
	builds, room := newTasks(ctx), make(slots, b.opts.Parallel)
	var fetch sync.Mutex // one child at a time fills the module cache
	for i, j := range jobs {
		builds.start(room, func(ctx context.Context) error {
			errs[i] = r.rebuild(ctx, work, j, &fetch, filepath.Join(work.stage, fmt.Sprint(i)))
			return context.Cause(ctx)
		})
	}
	if err := builds.wait(); err != nil {
		return nil, err
	}
	return r.results(dir, jobs, errs), nil
}

func (r *Rebuilder) rebuild(ctx context.Context, work *run, j *job, fetch *sync.Mutex, stage string) error {
	if want := "-mod=" + r.b.mod.mod(); !slices.Contains(flagsOf(j.targets[0]), want) {
		return tampered(recordedHint, "the recipe lacks %s, which the commit asks for", want)
	}
	fetch.Lock()
	err := r.b.fetchInto(ctx, j, r.proxy, r.b.settings.fetch["GOMODCACHE"])
	fetch.Unlock()
	if err != nil {
		return err
	}
	_, err = work.build(ctx, j, stage)
	return err
}

// results puts what the jobs made into the order of the plan.
func (r *Rebuilder) results(dir string, jobs []*job, errs []error) []Rebuilt {
	var list []Rebuilt
	for _, t := range r.b.plan.Targets {
		name := binaryPath(t.Binary, r.b.plan.Version, t.Platform)
		made := Rebuilt{Target: t, File: filepath.Join(dir, filepath.FromSlash(name))}
		for i, j := range jobs {
			if slices.ContainsFunc(j.targets, func(other release.Target) bool {
				return other.Binary == t.Binary && other.Platform == t.Platform
			}) && errs[i] != nil {
				made.File, made.Err = "", errs[i]
			}
		}
		list = append(list, made)
	}
	return list
}
