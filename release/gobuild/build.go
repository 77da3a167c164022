package gobuild

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/rollproof/rollproof/release"
)

// A job is one go build: targets of one platform with equal flags and
// environment, and with different names as go gives them.
type job struct {
	targets []release.Target
	names   []string // file name that go gives each, without extension
}

// jobsOf groups the targets. One go build for several mains loads and stamps
// once, and links side by side.
func jobsOf(mod *module, list []release.Target) []*job {
	groups := map[string][]*job{}
	var all []*job
	for _, t := range list {
		key := strings.Join(slices.Concat(flagsOf(t), t.Env), "\x00")
		name := lastElement(mod.importPath(t.Main))
		i := slices.IndexFunc(groups[key], func(j *job) bool {
			return !slices.ContainsFunc(j.names, func(other string) bool { return strings.EqualFold(other, name) })
		})
		if i < 0 {
			i = len(groups[key])
			groups[key] = append(groups[key], &job{})
			all = append(all, groups[key][i])
		}
		j := groups[key][i]
		j.targets, j.names = append(j.targets, t), append(j.names, name)
	}
	return all
}

// A run is one call of Build.
type run struct {
	*Builder
	plan  *release.Plan
	dir   string // the package's root
	stage string // inside dir, on its file system
	facts *facts

	mu       sync.Mutex // guards progress, Output and done
	progress release.Progress
	done     map[string]int
}

// Build fetches the modules, builds every target below dir and checks each
// binary's build info against the plan. Nothing but the binaries is left in dir;
// after an error they may be incomplete. Errors are *Error, ErrClosed or the
// context's cause.
func (b *Builder) Build(ctx context.Context, plan *release.Plan, dir string, progress release.Progress) ([]release.Built, release.SourceFacts, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, release.SourceFacts{}, ErrClosed
	}
	if plan == nil || plan != b.plan {
		return nil, release.SourceFacts{}, failed(nil, "the plan to build is not the one that this builder made")
	}
	dir, err := filepath.Abs(dir) // go runs in the clone
	if err != nil {
		return nil, release.SourceFacts{}, failed(err, "directory %s cannot be used: %v", dir, err)
	}
	r := &run{Builder: b, plan: plan, dir: dir, progress: progress, done: map[string]int{}}
	built, found, err := r.all(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = b.giveUp(ctx, err)
			b.closed = true
		}
		return nil, release.SourceFacts{}, err
	}
	return built, found, nil
}

func (r *run) all(ctx context.Context) ([]release.Built, release.SourceFacts, error) {
	if err := r.download(ctx); err != nil {
		return nil, release.SourceFacts{}, err
	}
	var err error
	if err = os.MkdirAll(filepath.Join(r.dir, "bin"), 0o755); err != nil {
		return nil, release.SourceFacts{}, failed(err, "binaries cannot be written: %v", err)
	}
	if r.stage, err = os.MkdirTemp(r.dir, ".build-"); err != nil {
		return nil, release.SourceFacts{}, failed(err, "binaries cannot be written: %v", err)
	}
	defer os.RemoveAll(r.stage)
	r.facts = newFacts(r.Builder)
	if err := r.buildAll(ctx); err != nil {
		return nil, release.SourceFacts{}, err
	}
	found, err := r.facts.result()
	if err != nil {
		return nil, release.SourceFacts{}, err
	}
	var built []release.Built
	for _, t := range r.plan.Targets {
		built = append(built, release.Built{Target: t, Path: binaryPath(t.Binary, r.plan.Version, t.Platform)})
	}
	return built, found, nil
}

// buildAll runs the jobs. The modules of a finished one are examined while the
// next ones build: all of it is bound by the processor, so only the sum counts.
func (r *run) buildAll(ctx context.Context) error {
	work, builds := newTasks(ctx), make(slots, r.opts.Parallel)
	work.start(r.facts.room, r.facts.addToolchain)
	for i, j := range jobsOf(r.mod, r.plan.Targets) {
		work.start(builds, func(ctx context.Context) error {
			infos, err := r.build(ctx, j, filepath.Join(r.stage, fmt.Sprint(i)))
			if err != nil {
				return err
			}
			return r.facts.add(work, j, infos, func(module string) { r.report("verify-modules", module, 0) })
		})
	}
	return work.wait()
}

// report tells the caller of one finished step.
func (r *run) report(phase, target string, total int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done[phase]++
	if r.progress != nil {
		r.progress(release.Event{Phase: phase, Target: target, Done: r.done[phase], Total: total})
	}
}

// show passes on what a failed child printed, whole: children run side by side.
func (r *run) show(title string, output []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.opts.Output != nil {
		fmt.Fprintf(r.opts.Output, "%s:\n%s\n", title, strings.TrimRight(string(output), "\n"))
	}
}

// download is the one networked step.
func (r *run) download(ctx context.Context) error {
	if r.opts.Offline || !r.mod.requires || r.mod.vendored {
		return nil
	}
	get := child{path: r.m.goTool, args: []string{"mod", "download"}, dir: r.mod.root, env: r.m.downloadEnv(r.settings)}
	_, stderr, err := get.run(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		r.show("go mod download", stderr)
		return &Error{Kind: KindFailed, Msg: err.Error(), Hint: "go mod download in the module shows the same; --offline takes what the module cache has", Err: err}
	}
	r.report("fetch", "", 1)
	return nil
}

// build makes the binaries of a job in stage, checks them, and puts them in
// their places.
func (r *run) build(ctx context.Context, j *job, stage string) ([]*binaryInfo, error) {
	if err := os.Mkdir(stage, 0o700); err != nil {
		return nil, failed(err, "binaries cannot be written: %v", err)
	}
	args := append(slices.Clone(j.targets[0].Argv[1:2]), flagsOf(j.targets[0])...)
	args = append(args, "-o", stage+string(filepath.Separator))
	for _, t := range j.targets {
		args = append(args, t.Main)
	}
	compile := child{path: r.m.goTool, args: args, dir: r.mod.root}
	compile.env = r.m.buildEnv(r.settings, j.targets[0].Env, r.opts.FreshCache)
	if r.src.dirty {
		compile.env = append(compile.env, r.repo.inPlaceEnv()...)
	}
	if _, stderr, err := compile.run(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		r.show(j.String(), stderr)
		return nil, &Error{Kind: KindFailed, Msg: j.String() + ": " + err.Error(), Hint: buildHint(string(stderr)), Err: err}
	}
	var infos []*binaryInfo
	for i, t := range j.targets {
		info, err := r.place(t, filepath.Join(stage, j.names[i]))
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
		r.report("build", t.Binary+" "+t.Platform.String(), len(r.plan.Targets))
	}
	return infos, nil
}

// String names the job: its binaries and their platform.
func (j *job) String() string {
	var names []string
	for _, t := range j.targets {
		names = append(names, t.Binary)
	}
	return strings.Join(names, ", ") + " for " + j.targets[0].Platform.String()
}

// place checks a binary and moves it to its path, executable whatever the umask.
func (r *run) place(t release.Target, from string) (*binaryInfo, error) {
	if t.Platform.OS == "windows" {
		from += ".exe"
	}
	info, err := r.inspect(t, from)
	if err != nil {
		return nil, err
	}
	name := binaryPath(t.Binary, r.plan.Version, t.Platform)
	to := filepath.Join(r.dir, filepath.FromSlash(name))
	if _, err := os.Lstat(to); err == nil {
		return nil, failed(nil, "%s exists already", name)
	}
	if err := os.Chmod(from, 0o755); err != nil {
		return nil, failed(err, "%s: mode cannot be set: %v", name, err)
	}
	if err := os.Rename(from, to); err != nil {
		return nil, failed(err, "%s cannot be written: %v", path.Base(name), err)
	}
	return info, nil
}

// buildHint knows what usually lies behind a failure that a build of the work
// tree does not show.
func buildHint(output string) string {
	for _, known := range []struct{ text, hint string }{
		{"missing go.sum entry", "go mod tidy, then commit go.mod and go.sum"},
		{"updates to go.mod needed", "go mod tidy, then commit go.mod and go.sum"},
		{"inconsistent vendoring", "go mod vendor, then commit the vendor directory"},
		{"disabled by GOPROXY=off", "build once without --offline, or go mod download"},
		{"no matching files found", "commit the embedded files: only what git tracks is built"},
		{"is not in std", "commit the generated package: only what git tracks is built"},
		{"no required module provides package", "go mod tidy, then commit; generated packages must be committed too"},
	} {
		if strings.Contains(output, known.text) {
			return known.hint
		}
	}
	return "a go build in a fresh clone of the commit shows the same"
}
