package gobuild

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/release"
)

// choice is what to build, from a configuration or without one.
type choice struct {
	project string // project_name of a configuration, "" without
	units   []unit
	skipped []release.Skip
}

// decide turns the source into the plan.
func (b *Builder) decide(ctx context.Context, tag string) (*release.Plan, error) {
	if err := b.checkPlatforms(ctx); err != nil {
		return nil, err
	}
	version := tag
	if tag == "" {
		version = "v0.0.0-" + b.repo.commit.id[:12]
	}
	find := newFinder(b.src, b.mod, b.settings.version)
	chosen, err := b.choose(ctx, find, version)
	if err != nil {
		return nil, err
	}
	list, err := targets(chosen.units, b.mod, version)
	if err != nil {
		return nil, err
	}
	r := b.repo
	return &release.Plan{
		Project: chosen.project,
		Version: version,
		Source: release.Source{
			Module: b.mod.path, Directory: b.mod.dir, Tag: tag,
			GitCommit: r.commit.id, GitTree: r.commit.tree, CommitTime: r.commit.time,
			Dirty: b.src.dirty,
		},
		Toolchain:      b.settings.version,
		Targets:        list,
		Skipped:        chosen.skipped,
		CommitHazards:  commitHazards(r, b.src, b.mod, list, tag),
		MachineHazards: machineHazards(r, b.m, b.settings, b.mod),
		Parameters:     b.parameters(),
	}, nil
}

// choose follows the configuration where there is one, and the rules for a
// repository without one elsewhere.
func (b *Builder) choose(ctx context.Context, find *finder, version string) (choice, error) {
	mains, err := b.askedMains(find)
	if err != nil {
		return choice{}, err
	}
	var file *configuration
	if !b.opts.ZeroConfig {
		if file, err = findConfiguration(b.mod.root, b.opts.Configuration); err != nil {
			return choice{}, err
		}
	}
	project := cmp.Or(b.opts.Name, b.named, b.mod.name())
	if file != nil {
		project = cmp.Or(b.opts.Name, b.named, file.project.ProjectName, b.mod.name())
	}
	if err := checkName("project name", project, "choose one with --name"); err != nil {
		return choice{}, err
	}
	if file != nil {
		return b.configured(ctx, file, find, mains, project, version)
	}
	if len(b.opts.AllowSkippedHooks) > 0 {
		return choice{}, usage("leave it out", "there is no configuration whose hooks --allow-skipped-hook could name")
	}
	return b.zeroConfig(find, mains, project)
}

// configured follows a GoReleaser file.
func (b *Builder) configured(ctx context.Context, file *configuration, find *finder, mains []string, project, version string) (choice, error) {
	fields := templateFields(cmp.Or(file.project.ProjectName, project), version, b.repo.commit)
	p := &planner{
		configuration: file, find: find, mod: b.mod, platforms: b.opts.Platforms, mains: mains,
		env:    &fileEnv{entries: file.project.Env, allowed: b.opts.AllowEnv, caller: b.m.lookup, fields: fields},
		known:  func(platforms []release.Platform) ([]release.Platform, error) { return b.unknown(ctx, platforms) },
		choice: choice{project: project},
	}
	err := p.plan(b.opts.AllowSkippedHooks)
	return p.choice, err
}

// parameters are the choices beyond the defaults, by the name of their flag.
func (b *Builder) parameters() map[string]string {
	p := map[string]string{}
	set := func(name, separator string, values ...string) {
		if text := strings.Join(values, separator); text != "" {
			p[name] = text
		}
	}
	o := b.opts
	set("name", "", o.Name)
	set("version", "", o.Version)
	set("main", ",", o.Mains...)
	set("config", "", o.Configuration)
	set("allow-env", ",", slices.Sorted(slices.Values(o.AllowEnv))...)
	set("allow-skipped-hook", "; ", slices.Sorted(slices.Values(o.AllowSkippedHooks))...)
	if o.ZeroConfig {
		set("zero-config", "", "true")
	}
	var platforms []string
	for _, platform := range o.Platforms {
		platforms = append(platforms, platform.String())
	}
	set("target", ",", platforms...)
	return p
}

// platforms are the ones asked for, or the six of every release.
func (b *Builder) platforms() []release.Platform {
	if len(b.opts.Platforms) > 0 {
		return b.opts.Platforms
	}
	return release.DefaultPlatforms
}

// checkPlatforms refuses platforms that were asked for and cannot be built.
func (b *Builder) checkPlatforms(ctx context.Context) error {
	for i, p := range b.opts.Platforms {
		if slices.Contains(b.opts.Platforms[:i], p) {
			return usage("leave one out", "platform %s is asked for twice", plain(p.String()))
		}
	}
	unknown, err := b.unknown(ctx, b.opts.Platforms)
	if err == nil && len(unknown) > 0 {
		err = usage("go tool dist list shows what it can build", "platform %s is unknown to %s", plain(unknown[0].String()), b.settings.version)
	}
	return err
}

// unknown picks the platforms that are no port of the toolchain, which is asked
// only about those beyond the default ones. WebAssembly counts as unknown: its
// files hold no build info.
func (b *Builder) unknown(ctx context.Context, platforms []release.Platform) ([]release.Platform, error) {
	var rest []release.Platform
	for _, p := range platforms {
		if !slices.Contains(release.DefaultPlatforms, p) {
			rest = append(rest, p)
		}
	}
	if len(rest) == 0 {
		return nil, nil
	}
	if b.ports == nil {
		ask := child{path: b.m.goTool, args: []string{"tool", "dist", "list"}, dir: b.m.temp()}
		ask.env = b.m.buildEnv(b.settings, fixedEnv, b.opts.FreshCache)
		out, _, err := ask.run(ctx)
		if err != nil {
			return nil, failed(err, "platforms cannot be listed: %v", err)
		}
		b.ports = strings.Fields(string(out))
	}
	return slices.DeleteFunc(rest, func(p release.Platform) bool {
		return slices.Contains(b.ports, p.String()) && p.Arch != "wasm"
	}), nil
}

// zeroConfig chooses mains by the rule for repositories without a configuration,
// or those that were asked for.
func (b *Builder) zeroConfig(find *finder, dirs []string, project string) (choice, error) {
	if len(dirs) == 0 {
		dirs = find.zeroConfig(b.platforms())
	}
	if len(dirs) == 0 {
		return choice{}, usage("choose one with --main, or -C with the directory of another module",
			"module %s has no main package to release", b.mod.path)
	}
	chosen := choice{project: project}
	for _, dir := range dirs {
		with, without := find.platforms(dir, b.platforms(), nil)
		if len(with) == 0 {
			return choice{}, usage("choose another --main or --target", "%s has no main package for %s", mainPath(dir), joined(without))
		}
		for _, p := range with {
			chosen.units = append(chosen.units, unit{dir: dir, binary: binaryName(dir, project), platform: p, origin: mainPath(dir)})
		}
		chosen.skipped = append(chosen.skipped, skippedPlatforms(dir, without)...)
	}
	return chosen, nil
}

func skippedPlatforms(dir string, platforms []release.Platform) []release.Skip {
	var list []release.Skip
	for _, p := range platforms {
		list = append(list, release.Skip{
			What:   fmt.Sprintf("%s for %s", mainPath(dir), p),
			Reason: "it has no Go files for this platform without cgo",
		})
	}
	return list
}

func joined(platforms []release.Platform) string {
	var names []string
	for _, p := range platforms {
		names = append(names, p.String())
	}
	return strings.Join(names, ", ")
}

// askedMains cleans what --main named and refuses what is no package of the
// module.
func (b *Builder) askedMains(find *finder) ([]string, error) {
	var dirs []string
	for _, main := range b.opts.Mains {
		dir := path.Clean(strings.ReplaceAll(main, "\\", "/"))
		if path.IsAbs(dir) || !slices.Contains(find.dirs, dir) {
			return nil, usage("give a directory below go.mod, such as ./cmd/x", "%s is no package of module %s", plain(main), b.mod.path)
		}
		if slices.Contains(dirs, dir) {
			return nil, usage("leave one out", "main package %s is asked for twice", mainPath(dir))
		}
		dirs = append(dirs, dir)
	}
	return dirs, nil
}
