package gobuild

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/goreleaser/goreleaser/v2/pkg/config"
	"github.com/rollproof/rollproof/release"
)

// A planner turns a configuration into units.
type planner struct {
	*configuration
	find      *finder
	mod       *module
	env       *fileEnv
	goEnv     []string           // of the file's env, what reaches every build
	platforms []release.Platform // what --target asked for, nil for all
	mains     []string           // directories that --main asked for, nil for all
	known     func([]release.Platform) ([]release.Platform, error)
	choice    choice
}

// defaultLdflags are GoReleaser's own, where a file gives none, with the commit's
// date in place of the build's.
const defaultLdflags = "-s -w -X main.version={{.Version}} -X main.commit={{.Commit}}" +
	" -X main.date={{.CommitDate}} -X main.builtBy=goreleaser"

func buildName(i int) string { return fmt.Sprintf("builds[%d]", i) }

// plan follows the builds of the file. Without any, GoReleaser makes one of the
// module's root.
func (p *planner) plan(allowedHooks []string) error {
	hooks, err := p.skipHooks(allowedHooks)
	if err != nil {
		return err
	}
	p.choice.skipped = append(p.unused(), hooks...)
	if err := p.takeEnv(); err != nil {
		return err
	}
	builds := p.project.Builds
	if len(builds) == 0 {
		builds = []config.Build{{}}
	}
	ids := map[string]int{}
	for i, build := range builds {
		if first, twice := ids[build.ID]; twice && build.ID != "" {
			return p.refuse(buildName(i)+".id", "give each build its own id", "id %s is that of %s too", build.ID, buildName(first))
		}
		ids[build.ID] = i
		if err := p.build(buildName(i), build); err != nil {
			return err
		}
	}
	if len(p.choice.units) == 0 {
		return usage("choose another --main or --target, or mend the file", "%s has no build for what was asked", p.file)
	}
	return nil
}

func (p *planner) takeEnv() error {
	follow, others, r := p.env.forGo()
	if r != nil {
		return p.refuse("env", r.hint, "%s", r.fact)
	}
	p.goEnv = follow
	if len(others) > 0 {
		p.choice.skipped = append(p.choice.skipped, p.note("env", "the build does not see %s; templates do", someOf(others)))
	}
	return nil
}

// build adds the units of one build.
func (p *planner) build(where string, b config.Build) error {
	if err := p.refuseFields(where, b); err != nil {
		return err
	}
	switch skip, r := p.expand(b.Skip, release.Platform{}); {
	case r != nil:
		return p.refuse(where+".skip", r.hint, "%s", r.fact)
	case skip == "true":
		p.choice.skipped = append(p.choice.skipped, p.note(where, "skip is set"))
		return nil
	case skip != "" && skip != "false":
		return p.refuse(where+".skip", "write true or false", "value is %q", skip)
	}
	dirs, err := p.mainDirs(where, b)
	if err != nil {
		return err
	}
	platforms, err := p.buildPlatforms(where, b)
	if err != nil {
		return err
	}
	p.noteDefaults(where, b)
	for _, dir := range dirs {
		if err := p.addMain(where, b, dir, platforms, len(dirs) > 1 || isPattern(b.Main)); err != nil {
			return err
		}
	}
	return nil
}

func (p *planner) noteDefaults(where string, b config.Build) {
	if len(b.Ldflags) == 0 {
		p.choice.skipped = append(p.choice.skipped, p.note(where+".ldflags", "omitted: GoReleaser's own are used, with the commit's date for the build's"))
	}
	if b.ModTimestamp != "" {
		p.choice.skipped = append(p.choice.skipped, p.note(where+".mod_timestamp", "files of a package carry one fixed time"))
	}
}

// refuseFields names the fields that would make another binary than the recipe
// can tell of.
func (p *planner) refuseFields(where string, b config.Build) error {
	for _, field := range []struct {
		name, value, hint string
		allowed           []string
	}{
		{"builder", b.Builder, "leave the build out with skip: true; only Go is built", []string{"", "go"}},
		{"tool", b.Tool, "remove it: the go on PATH builds", []string{"", "go"}},
		{"gobinary", b.GoBinary, "remove it: the go on PATH builds", []string{"", "go"}},
		{"command", b.Command, "remove it: go build is run", []string{"", "build"}},
		{"buildmode", b.Buildmode, "remove it: executables of the default mode are built", []string{"", "exe", "default"}},
	} {
		if !slices.Contains(field.allowed, field.value) {
			return p.refuse(where+"."+field.name, field.hint, "value %q is not supported", field.value)
		}
	}
	if len(b.BuildDetailsOverrides) > 0 {
		return p.refuse(where+".overrides", "give the platform a build of its own", "field is not supported")
	}
	if r := p.checkTimestamp(b.ModTimestamp); r != nil {
		return p.refuse(where+".mod_timestamp", r.hint, "%s", r.fact)
	}
	return nil
}

// checkTimestamp evaluates what has no effect here, so that a file that plans is
// one whose templates are sound.
func (p *planner) checkTimestamp(text string) *refusal {
	value, r := p.expand(text, release.Platform{})
	if r == nil && strings.Trim(value, "0123456789") != "" {
		r = refused("write {{ .CommitTimestamp }}", "value is %q, want seconds since 1970", value)
	}
	return r
}

// expand evaluates a template for a platform.
func (p *planner) expand(text string, on release.Platform) (string, *refusal) {
	value, why, hint := p.env.scope(len(p.env.entries)).on(on).expand(text)
	if why != "" {
		return "", &refusal{why, hint}
	}
	return strings.TrimSpace(value), nil
}

// isPattern says that main asks for every main package below a directory.
func isPattern(main string) bool { return strings.HasSuffix(main, "...") }

// mainDirs are the directories that a build's dir and main mean.
func (p *planner) mainDirs(where string, b config.Build) ([]string, error) {
	main := strings.ReplaceAll(b.Main, "\\", "/")
	dir := path.Clean(strings.ReplaceAll(b.Dir, "\\", "/"))
	if isPattern(main) {
		if b.Binary != "" {
			return nil, p.refuse(where+".main", "name one package, or leave out binary", "it is a pattern, and binary is set")
		}
		top := path.Join(dir, strings.TrimSuffix(main, "..."))
		dirs := p.find.below(top, func(string) bool { return true })
		if len(dirs) == 0 {
			return nil, p.refuse(where+".main", "name a directory of main packages", "%s matches no main package", b.Main)
		}
		return p.asked(dirs), nil
	}
	full := path.Join(dir, main)
	if strings.HasSuffix(full, ".go") {
		full = path.Dir(full)
		p.choice.skipped = append(p.choice.skipped, p.note(where+".main", "the whole package %s is built, not one file of it", mainPath(full)))
	}
	if !slices.Contains(p.find.dirs, full) {
		return nil, p.refuse(where+".main", "give the directory of a main package below go.mod, such as ./cmd/x",
			"%s is no package of module %s", mainPath(full), p.mod.path)
	}
	return p.asked([]string{full}), nil
}

// asked keeps the directories that --main chose.
func (p *planner) asked(dirs []string) []string {
	if p.mains == nil {
		return dirs
	}
	return slices.DeleteFunc(dirs, func(dir string) bool { return !slices.Contains(p.mains, dir) })
}

// addMain adds the units of one main package.
func (p *planner) addMain(where string, b config.Build, dir string, platforms []configuredPlatform, byDir bool) error {
	var without []release.Platform
	var units []unit
	for _, on := range platforms {
		u, tags, err := p.unit(where, b, dir, on, byDir)
		if err != nil {
			return err
		}
		context := buildContext(p.find.toolchain, on.Platform, tags, u.env)
		if p.find.isMain(context, dir) {
			units = append(units, u)
		} else {
			without = append(without, on.Platform)
		}
	}
	if len(units) == 0 && len(platforms) > 0 && !byDir {
		return p.refuse(where+".main", "give the directory of a main package", "%s has no main package for %s", mainPath(dir), joined(without))
	}
	p.choice.units = append(p.choice.units, units...)
	p.choice.skipped = append(p.choice.skipped, skippedPlatforms(dir, without)...)
	return nil
}

// unit evaluates a build's templates for one platform.
func (p *planner) unit(where string, b config.Build, dir string, on configuredPlatform, byDir bool) (unit, []string, error) {
	u := unit{dir: dir, platform: on.Platform, origin: p.file + ": " + where}
	binary, r := p.expand(b.Binary, on.Platform)
	if r != nil {
		return u, nil, p.refuse(where+".binary", r.hint, "%s", r.fact)
	}
	project := p.env.fields["ProjectName"]
	switch {
	case binary != "":
		u.binary = strings.TrimSuffix(binary, ".exe")
	case byDir:
		u.binary = binaryName(dir, project)
	default:
		u.binary = project
	}
	if u.env, r = p.buildEnv(b, on); r != nil {
		return u, nil, p.refuse(where+".env", r.hint, "%s", r.fact)
	}
	flags, field, r := p.flags(b, on.Platform)
	if r != nil {
		return u, nil, p.refuse(where+"."+field, r.hint, "%s", r.fact)
	}
	u.flags = flags.argv()
	return u, flags.tags, nil
}

// buildEnv is what the file, the build and the platform set for go.
func (p *planner) buildEnv(b config.Build, on configuredPlatform) ([]string, *refusal) {
	env := slices.Clone(p.goEnv)
	for _, entry := range b.Env {
		value, r := p.expand(entry, on.Platform)
		if r != nil {
			return nil, r
		}
		follow, r := followEnv(value)
		if r != nil {
			return nil, r
		}
		if follow {
			env = append(env, value)
		}
	}
	if on.setting == "" {
		return env, nil
	}
	name, _, _ := strings.Cut(on.setting, "=")
	for _, entry := range env {
		if strings.HasPrefix(entry, name+"=") && entry != on.setting && on.chosen {
			return nil, refused("keep one of them", "%s contradicts %s=%s", entry, strings.ToLower(name), on.setting[len(name)+1:])
		}
	}
	// What env says goes before a mere default.
	return append([]string{on.setting}, env...), nil
}

// flags evaluates the five lists of a build; field names the one that is refused.
func (p *planner) flags(b config.Build, on release.Platform) (f recipeFlags, field string, r *refusal) {
	evaluate := func(list []string) []string {
		var values []string
		for _, text := range list {
			var value string
			if value, r = p.expand(text, on); r != nil {
				return nil
			}
			if value != "" {
				values = append(values, value)
			}
		}
		return values
	}
	if flags := evaluate(b.Flags); r == nil {
		r = f.add(flags, p.mod.mod())
	}
	if r != nil {
		return f, "flags", r
	}
	ldflags := []string(b.Ldflags)
	if len(ldflags) == 0 {
		ldflags = []string{defaultLdflags}
	}
	for _, list := range []struct {
		field     string
		values    []string
		separator string
	}{{"tags", b.Tags, ","}, {"ldflags", ldflags, " "}, {"gcflags", b.Gcflags, "\x00"}, {"asmflags", b.Asmflags, "\x00"}} {
		values := evaluate(list.values)
		if r == nil && list.separator == "\x00" && len(values) > 1 {
			r = refused("write all of it in one value", "it has %d values, of which go build obeys one for each package", len(values))
		}
		if r == nil {
			r = f.set("-"+list.field, strings.Join(values, list.separator))
		}
		if r != nil {
			return f, list.field, r
		}
	}
	return f, "", nil
}
