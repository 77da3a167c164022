package gobuild

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/rollproof/rollproof/release"
)

// Options say what to build. The zero value of each field is the strict or the
// automatic choice; Env must be given.
type Options struct {
	// Dir is a directory in the repository, at or below the one with go.mod.
	// "" is the working directory.
	Dir string
	// Version chooses among several tags at HEAD. "" takes the only one.
	Version string
	// DryRun allows a commit without a tag and changed tracked files.
	DryRun bool
	// Name is the project's name, before project_name and the module path.
	Name string
	// Mains are directories of main packages, relative to the module: "./cmd/age".
	// With a configuration they choose among its builds.
	Mains []string
	// Platforms replace the default ones, or choose among a configuration's.
	Platforms []release.Platform
	// Offline leaves out go mod download, the only child that uses the network.
	Offline bool
	// FreshCache builds in an empty build cache instead of the user's, which is
	// trusted input otherwise.
	FreshCache bool
	// Configuration is the GoReleaser file, slash-separated below the module's
	// directory. "" takes the first of goreleaser's own names that the commit has.
	Configuration string
	// ZeroConfig ignores GoReleaser files. It excludes Configuration.
	ZeroConfig bool
	// AllowEnv are names whose value templates may take from Env.
	AllowEnv []string
	// AllowSkippedHooks are hooks of the configuration, word for word, that are
	// left out although they may matter to the build.
	AllowSkippedHooks []string
	// Settings receives rollproof.yaml as the source has it beside go.mod, and
	// returns the name that it gives the project, "" for none. It is not called
	// where there is no such file; nil ignores the file.
	Settings func(data []byte) (name string, err error)
	// Env is the caller's environment, NAME=value.
	Env []string
	// Output receives what failing children print. nil drops it.
	Output io.Writer
	// Parallel is how many go builds run at a time, 0 for half the processors and
	// at least two.
	Parallel int
	// License reads the license files of one module. nil yields no license facts.
	// It is called from several goroutines.
	License func(files []release.SourceFile) release.LicenseFact
}

// A Builder builds one commit. It implements release.Builder.
type Builder struct {
	opts Options
	m    *machine

	mu     sync.Mutex // held by Plan, Build and Close
	closed bool

	repo     *repository
	src      *source
	mod      *module
	settings *goSettings
	ports    []string // of the toolchain, once it was asked
	named    string   // the project's name by rollproof.yaml, "" without one
	plan     *release.Plan
}

var _ release.Builder = (*Builder)(nil)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// New checks the options and finds git and go. It changes nothing on the machine.
func New(opts Options) (*Builder, error) {
	if opts.Version != "" {
		if err := checkName("version", opts.Version, "give the name of a tag"); err != nil {
			return nil, err
		}
	}
	if opts.Name != "" {
		if err := checkName("project name", opts.Name, "choose another name"); err != nil {
			return nil, err
		}
	}
	if opts.ZeroConfig && opts.Configuration != "" {
		return nil, usage("leave one out", "a configuration file is both given (%s) and ignored", plain(opts.Configuration))
	}
	for _, name := range opts.AllowEnv {
		if !variableName.MatchString(name) {
			return nil, usage("give the name alone", "--allow-env is %q, want the name of a variable", plain(name))
		}
		if strings.HasPrefix(strings.ToUpper(name), "ROLLPROOF_") {
			return nil, usage("leave it out", "variable %s is rollproof's own and may hold a key: no build may see it", plain(name))
		}
	}
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, failed(err, "directory %s cannot be used: %v", opts.Dir, err)
	}
	opts.Dir = dir
	if opts.Parallel <= 0 {
		opts.Parallel = max(2, runtime.NumCPU()/2)
	}
	m, err := newMachine(opts.Env)
	if err != nil {
		return nil, err
	}
	return &Builder{opts: opts, m: m}, nil
}

// Plan clones the commit into a private directory and decides what to build.
// Called again it returns the same plan. Errors are *Error, ErrClosed or the
// context's cause.
func (b *Builder) Plan(ctx context.Context) (*release.Plan, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	if b.plan != nil {
		return b.plan, nil
	}
	plan, err := b.makePlan(ctx)
	if err != nil {
		// Nothing of a failed plan is of use, and a caller may not come back.
		return nil, b.giveUp(ctx, err)
	}
	b.plan = plan
	return plan, nil
}

// giveUp removes the private directory and says why. Where ctx has ended, its
// reason counts, not what a killed child said.
func (b *Builder) giveUp(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if left := b.m.close(); left != nil {
		return errors.Join(err, left)
	}
	return err
}

// Close removes the private directory. It may be called more than once.
func (b *Builder) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return b.m.close()
}

func (b *Builder) makePlan(ctx context.Context) (*release.Plan, error) {
	if err := b.read(ctx); err != nil {
		return nil, err
	}
	tag, err := b.chooseTag()
	if err != nil {
		return nil, err
	}
	if err := b.refuseChanges(); err != nil {
		return nil, err
	}
	if b.dirty() {
		b.src, err = workTree(ctx, b.repo)
	} else {
		b.src, err = cloneSource(ctx, b.repo, tag)
	}
	if err != nil {
		return nil, err
	}
	if b.mod, err = findModule(b.src, b.repo.prefix, b.settings.version); err != nil {
		return nil, err
	}
	if err := b.readSettings(); err != nil {
		return nil, err
	}
	return b.decide(ctx, tag)
}

// settingsFile is where a repository keeps rollproof's own settings.
const settingsFile = "rollproof.yaml"

// maxSettings is the size in bytes of the largest settings file that is read.
const maxSettings = 1 << 20

// readSettings hands rollproof.yaml of the source to the caller.
func (b *Builder) readSettings() error {
	name := filepath.Join(b.mod.root, settingsFile)
	info, err := os.Lstat(name)
	if b.opts.Settings == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxSettings {
		return usage("commit it as a file of settings", "%s is no regular file of at most %d bytes", settingsFile, maxSettings)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return failed(err, "%s cannot be read: %v", settingsFile, err)
	}
	b.named, err = b.opts.Settings(data)
	return err
}

// read gathers what is known without the source, in as few and as parallel
// children as it takes.
func (b *Builder) read(ctx context.Context) error {
	var err error
	if b.repo, err = openRepository(ctx, b.m, b.opts.Dir); err != nil {
		return err
	}
	if err := b.m.open(b.repo.top); err != nil {
		return err
	}
	work, room := newTasks(ctx), make(slots, 3)
	work.start(room, b.repo.readTags)
	work.start(room, b.repo.readStatus)
	work.start(room, func(ctx context.Context) (err error) {
		b.settings, err = readGoSettings(ctx, b.m, b.m.temp())
		return err
	})
	return work.wait()
}

// dirty says that this is a dry run of changed files.
func (b *Builder) dirty() bool { return b.opts.DryRun && len(b.repo.changed) > 0 }

// chooseTag takes the release's tag: the one that Version names or the only one
// at HEAD. "" is a dry run without a tag.
func (b *Builder) chooseTag() (string, error) {
	r := b.repo
	if want := b.opts.Version; want != "" {
		if !slices.Contains(r.tags, want) {
			return "", usage("git tag "+want, "commit %s has no tag %s", r.commit.id, want)
		}
		return want, nil
	}
	usable := slices.DeleteFunc(slices.Clone(r.tags), func(tag string) bool { return !strictName().MatchString(tag) })
	switch {
	case len(usable) == 1:
		return usable[0], nil
	case len(usable) > 1:
		return "", usage("choose one with --version", "commit %s has %d tags: %s", r.commit.id, len(usable), someOf(usable))
	case len(r.tags) > 0:
		return "", checkName("tag of commit "+r.commit.id, r.tags[0], "git tag vX.Y.Z")
	case b.opts.DryRun:
		return "", nil
	}
	return "", forbidden("git tag vX.Y.Z, or try it with --dry-run", "commit %s has no tag", r.commit.id)
}

// refuseChanges lets a release come from its commit alone.
func (b *Builder) refuseChanges() error {
	changed := b.repo.changed
	if b.opts.DryRun || len(changed) == 0 {
		return nil
	}
	return forbidden("commit or restore them; --dry-run builds them as they are",
		"%d tracked files differ from commit %s: %s", len(changed), b.repo.commit.id, firstFive(changed))
}

func firstFive(names []string) string {
	shown := make([]string, 0, 6)
	for _, name := range names[:min(5, len(names))] {
		shown = append(shown, plain(name))
	}
	if len(names) > 5 {
		shown = append(shown, "…")
	}
	return strings.Join(shown, ", ")
}
