package rebuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/gobuild"
)

// Options say what to rebuild. Package, Verdict and Env must be given; the zero value
// of every other field is the strict or the automatic choice.
type Options struct {
	// Package is open, and Verdict is what [release.Verify] said of it.
	Package release.Container
	Verdict *release.Verdict
	// Source is a git repository that has the commit. "" takes the source that the
	// package carries.
	Source string
	// Go is the go command, "" for the one on PATH.
	Go string
	// Dir is where temporary files go, "" for the system's directory.
	Dir string
	// UserCache takes the user's build cache, which makes a rebuild much faster and
	// worth less: whoever can write there decides what is built.
	UserCache bool
	// Keep is a directory that receives the rebuilt binaries that differ, "" for none.
	Keep string
	// Env is the caller's environment, NAME=value.
	Env []string
	// Output receives what failing builds print. nil drops it.
	Output io.Writer
	// Parallel is how many builds run at a time, 0 for half the processors and at
	// least two.
	Parallel int
	// Progress is told of each finished build. nil tells nobody.
	Progress release.Progress
}

// Run rebuilds every binary of the package and compares it. The error is for what is
// no fact about a single binary: an evil recipe or damaged source is a
// [*gobuild.Error] of KindTampered, a commit that is not at hand one of KindUsage.
func Run(ctx context.Context, opts Options) (_ *Report, err error) {
	in, err := load(opts.Package, opts.Verdict)
	if err != nil {
		return nil, err
	}
	r, err := gobuild.NewRebuilder(gobuild.RebuildOptions{
		Release: in.manifest.Release, Tag: in.tag(), Targets: in.targets,
		Go: opts.Go, Dir: opts.Dir, UserCache: opts.UserCache,
		Env: opts.Env, Output: opts.Output, Parallel: opts.Parallel,
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	report := in.newReport(opts)
	if report.Toolchain.Local, err = r.Toolchain(ctx); err != nil {
		return nil, err
	}
	if reason, hint := in.reasonToSkip(report.Toolchain.Local); reason != "" {
		report.skipAll(reason, hint)
	} else if err := rebuildAll(ctx, r, in, opts, report); err != nil {
		return nil, err
	}
	report.conclude()
	return report, nil
}

// rebuildAll gets the source, builds and compares.
func rebuildAll(ctx context.Context, r *gobuild.Rebuilder, in *inputs, opts Options, report *Report) error {
	if err := materialise(ctx, r, in, opts); err != nil {
		return err
	}
	built, err := r.Build(ctx, opts.Progress)
	if err != nil {
		return err
	}
	for i, b := range built {
		if b.Err != nil {
			report.Targets[i].skip(b.Err)
			continue
		}
		if err := compareBinary(ctx, in, &report.Targets[i], b.File); err != nil {
			return err
		}
		if report.Targets[i].Result == Differs && opts.Keep != "" {
			if err := keep(opts.Keep, report.Targets[i].Binary, b.File); err != nil {
				return err
			}
		}
	}
	return nil
}

// materialise hands the commit and, where the package has them, the modules to the
// rebuilder.
func materialise(ctx context.Context, r *gobuild.Rebuilder, in *inputs, opts Options) (err error) {
	private, err := os.MkdirTemp(opts.Dir, "rebuild-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(private)) }()
	if path := in.modulesPath(); path != "" {
		f, size, err := in.copyOut(ctx, path, private)
		if err != nil {
			return err
		}
		if err := errors.Join(r.UseModules(ctx, f, size), f.Close()); err != nil {
			return err
		}
	}
	if opts.Source != "" {
		return r.Clone(ctx, opts.Source)
	}
	path := in.packPath()
	if path == "" {
		return &gobuild.Error{Kind: gobuild.KindUsage, Msg: fmt.Sprintf("%s carries no source", in.manifest.Release.Name(in.manifest.DryRun)),
			Hint: "give --source with a clone of the project's repository"}
	}
	f, _, err := in.copyOut(ctx, path, private)
	if err != nil {
		return err
	}
	return errors.Join(r.Unpack(ctx, f), f.Close())
}

// reasonToSkip is why no binary can be compared, "" where all can.
func (in *inputs) reasonToSkip(toolchain string) (reason, hint string) {
	switch {
	case in.dirty:
		return "the package was made from changed files, which no commit describes", "make the release from a commit"
	case toolchain != in.manifest.Toolchain:
		return fmt.Sprintf("the toolchain is %s, the package was built with %s", toolchain, in.manifest.Toolchain),
			"install " + in.manifest.Toolchain + " and choose its go command"
	}
	return "", ""
}

// keep copies a rebuilt binary for whoever wants to compare it himself.
func keep(dir, path, file string) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	from, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := os.Create(filepath.Join(dir, filepath.Base(filepath.FromSlash(path))))
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}

// modulesPath and packPath are where the package carries its source, "" where it
// does not.
func (in *inputs) modulesPath() string {
	return in.carried(release.SourceModulesPath(in.manifest.Release.Project, in.manifest.Release.Version))
}

func (in *inputs) packPath() string {
	return in.carried(release.SourcePackPath(in.manifest.Release.Project, in.manifest.Release.Version))
}

func (in *inputs) carried(path string) string {
	if slices.ContainsFunc(in.manifest.Files, func(f release.Artifact) bool { return f.Path == path && f.Role == release.RoleSource }) {
		return path
	}
	return ""
}
